//! What the pages of agents show, and that names from elsewhere are text there.

use std::any::Any;

use bridge32_protocol::target::Target;

use super::*;
use crate::agents::{LastCrash, State as Life, Status};
use crate::dashboard::language::Language;

const BAD: &str = "<img src=x onerror=alert(1)>";

fn view(id: &str, pool: &str, reason: Option<&str>) -> View {
    let health: Health = serde_json::from_value(serde_json::json!({
        "uptime_ms": 90_000, "calls": 5, "pending": 0, "resident_bytes": 41_943_040, "address_space_bytes": 1_073_741_824,
        "largest_free_bytes": 2_147_483_648_u64, "handles": 12, "threads": 3,
    }))
    .unwrap();
    View {
        id: id.to_owned(),
        pool: pool.to_owned(),
        status: Status { state: Life::Backoff, since: Timestamp::now(), reason: reason.map(str::to_owned) },
        role: Role::Active,
        generation: 7,
        external: false,
        key: None,
        pid: Some(4321),
        runtime: Target::Win32,
        pointer_bits: Some(32),
        version: Some("1.0".to_owned()),
        libraries: vec![pool.to_owned()],
        health: crate::agents::Fitness {
            reported: Some(health),
            reported_ms_ago: Some(100),
            waiting: 2,
            returned: 1_200,
            failed: 4,
            latency: None,
            limits: Vec::new(),
            warnings: vec![BAD.to_owned()],
            probes: Vec::new(),
            last_crash: Some(LastCrash {
                at: Timestamp::now(),
                generation: 6,
                what: BAD.to_owned(),
                report: Some("x.json".to_owned()),
            }),
        },
        sessions: 0,
        restarts: 6,
        last_exit: Some(BAD.to_owned()),
    }
}

fn rendered(views: Vec<View>, language: Language) -> String {
    let mut visit = Visit::nobody("/agents");
    visit.preferences.language = language;
    let page = Page {
        frame: visit.frame("Agents", "/agents"),
        config: "bridge32.toml".to_owned(),
        has_libraries: !views.is_empty(),
        pools: pools(views, &visit),
    };
    page.render_with_values(&(filters::LANGUAGE, &language as &dyn Any)).unwrap()
}

#[test]
fn an_agent_is_a_line_with_its_state_its_process_and_its_memory() {
    let page = rendered(vec![view("calc", "calc", Some("it ended; started again in 3 s"))], Language::English);
    for words in [
        "href=\"/agents/calc\"",
        "restarting",
        "it ended; started again in 3 s",
        "pid 4321",
        "generation 7",
        "win32",
        "1.00 GB of 4 GB",
        "largest free 2.00 GB",
        "1,204",
        "href=\"/crashes/x.json\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("scope=\"rowgroup\""), "one agent is no group: {page}");
    assert!(rendered(vec![view("calc", "calc", None)], Language::Chinese).contains("第 7 代"));
}

#[test]
fn several_agents_of_a_library_stand_together() {
    let page = rendered(
        vec![view("calc.1", "calc", None), view("z", "z", None), view("calc.2", "calc", None)],
        Language::English,
    );
    assert!(page.contains("· 2 agents") && page.matches("scope=\"rowgroup\"").count() == 1, "{page}");
    assert!(page.find("calc.2") < page.find("href=\"/agents/z\""), "{page}");
}

#[test]
fn what_comes_from_elsewhere_is_text() {
    let long = format!("{BAD}{}", "读".repeat(300));
    let page = rendered(vec![view(&long, BAD, Some(BAD))], Language::English);
    assert!(!page.contains("<img"), "{page}");
    assert!(page.contains('…'), "a long name is shortened: {page}");
}

#[test]
fn without_an_agent_the_page_says_what_one_is_and_how_to_get_one() {
    let page = rendered(Vec::new(), Language::English);
    assert!(page.contains("bridge32 import") && page.contains("An agent is a 32-bit process"), "{page}");
}
