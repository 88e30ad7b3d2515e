//! Agents: how they fare, what became of them, and the buttons that restart them.

use bridge32_tests::{Bridge, Browser, HOME, fixture, json, within};

fn trouble() -> (Bridge, Browser) {
    let bridge = Bridge::start(|config| {
        config.library("trouble", fixture::library("trouble", HOME)).header(fixture::header("trouble"));
    });
    let browser = Browser::new(bridge.client());
    (bridge, browser)
}

/// A page that is there.
#[track_caller]
fn page(browser: &mut Browser, address: &str) -> String {
    let answer = browser.open(address);
    assert_eq!(answer.status, 200, "{address}: {}", answer.text);
    answer.text
}

#[track_caller]
fn has(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "no {text} in {page}");
    }
}

/// Opens a page until it has these words.
#[track_caller]
fn until(browser: &mut Browser, address: &str, words: &str) -> String {
    within(10.0, &format!("{address} says {words}"), || {
        Some(page(browser, address)).filter(|page| page.contains(words))
    })
}

#[test]
fn a_crash_is_on_the_page_of_its_agent_and_its_report_says_where_and_in_which_call() {
    let (bridge, mut browser) = trouble();
    has(&page(&mut browser, "/agents"), &["href=\"/agents/trouble\"", "ready", "of 4 GB", "linux32"]);
    has(&page(&mut browser, "/agents/trouble"), &["No process of this agent has ended by itself", "class=\"strip\""]);
    let problem = bridge.call("trouble", "WriteToNull", json!({})).refused(502, "agent_crashed");
    let (call, report) = (problem["call_id"].as_str().unwrap(), problem["report"].as_str().unwrap());
    bridge.call_until(10.0, "trouble", "EchoInt", &json!({"value": 1}));
    let link = format!("href=\"/crashes/{report}\"");
    has(&page(&mut browser, "/agents"), &[&link]);
    let agent = page(&mut browser, "/agents/trouble");
    has(
        &agent,
        &[&link, "trouble.so+0x", "SIGSEGV", "WriteToNull", &format!("href=\"/calls/{call}\""), "generation 2"],
    );
    let shown = page(&mut browser, &format!("/crashes/{report}"));
    has(
        &shown,
        &["SIGSEGV", "trouble.so+0x", "WriteToNull", "write of 0x", "null pointer", "addr2line -Cfie trouble.so 0x"],
    );
    has(&shown, &[&format!("href=\"/calls/{call}\""), "href=\"/agents/trouble\"", "&#34;exit&#34;"]);
    has(&shown, &[&format!("href=\"/v1/crashes/{report}\" download")]);
    let gone = browser.open("/crashes/20250101T000000.000Z-trouble-g1.json");
    assert_eq!(gone.status, 404, "{}", gone.text);
    has(&gone.text, &["<h1", "There is no report <code>"]);
}

#[test]
fn an_agent_is_restarted_drained_and_started_from_its_page() {
    let (bridge, mut browser) = trouble();
    let first = bridge.agent("trouble")["generation"].as_u64().unwrap();
    has(
        &page(&mut browser, "/agents/trouble"),
        &["action=\"/agents/trouble/restart\"", "action=\"/agents/trouble/drain\""],
    );
    let answer = browser.submit("/agents/trouble/restart", &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/agents/trouble")), "{}", answer.text);
    until(&mut browser, "/agents/trouble", &format!("generation {}", first + 1));
    bridge.call_until(10.0, "trouble", "EchoInt", &json!({"value": 1}));
    has(&page(&mut browser, "/agents/trouble"), &["a restart was asked for"]);
    assert_eq!(browser.submit("/agents/trouble/drain", &[]).status, 303);
    let rests = until(&mut browser, "/agents/trouble", "stopped");
    has(&rests, &["<button>Start</button>", "so nothing is open"]);
    assert!(!rests.contains("action=\"/agents/trouble/drain\""), "{rests}");
    assert_eq!(browser.submit("/agents/trouble/restart", &[]).status, 303);
    bridge.call_until(10.0, "trouble", "EchoInt", &json!({"value": 1}));
    let unknown = browser.submit("/agents/nobody/restart", &[]);
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    has(&unknown.text, &["<h1", "There is no agent <code>nobody</code>"]);
}

#[test]
fn what_a_library_prints_is_found_on_the_page_of_its_agent_and_is_text_there() {
    let (bridge, mut browser) = trouble();
    has(&page(&mut browser, "/agents/trouble"), &["has printed anything"]);
    for text in ["opened reader 1\n", "<script>alert(2)</script> reader 2\n"] {
        bridge.call("trouble", "Print", json!({"text": text})).ok();
    }
    let all = until(&mut browser, "/agents/trouble", "reader 2");
    has(&all, &["opened reader 1", "&#60;script&#62;alert(2)", "stdout"]);
    assert!(!all.contains("<script>alert"), "{all}");
    let some = page(&mut browser, "/agents/trouble?output=READER+2");
    has(&some, &["alert(2)", "value=\"READER 2\""]);
    assert!(!some.contains("opened reader 1"), "{some}");
    has(&page(&mut browser, "/agents/trouble?output=%22%3E%3Cb%3E"), &["None of the 2 lines", "&#34;&#62;&#60;b&#62;"]);
}

#[test]
fn what_is_open_is_listed_and_without_an_agent_the_page_says_what_one_is() {
    let bridge = Bridge::start(|config| {
        config.library("blocks", fixture::library("blocks", HOME)).header(fixture::header("blocks"));
    });
    let mut browser = Browser::new(bridge.client());
    has(&page(&mut browser, "/agents/blocks"), &["Nothing is open"]);
    let made = bridge.client().post("/v1/libraries/blocks/memory", &json!({"size": 4096}));
    assert_eq!(made.status, 201, "{}", made.text);
    has(&page(&mut browser, "/agents/blocks"), &["4.00 kB", "Open handles"]);
    let bridge = Bridge::start(|_| {});
    has(&page(&mut Browser::new(bridge.client()), "/agents"), &["No agent runs", "bridge32 import"]);
}
