//! What is kept of crashed agents, and for how long.

use super::super::notes::Noted;
use super::*;

fn report<'a>(slot: &Slot, agent: &'a str, crash: Option<&'a CrashRecord>) -> Report<'a> {
    let now = Timestamp::now();
    Report {
        name: slot.report(),
        agent,
        generation: 1,
        runtime: Target::Linux32,
        pid: Some(7),
        started_at: now,
        ended_at: now,
        exit: "killed by signal 11 (SIGSEGV)",
        exit_code: None,
        crash,
        libraries: Vec::new(),
        output: vec![Line { at: now, generation: 1, stream: "stderr", text: "last words".into() }],
    }
}

#[test]
fn a_report_is_made_of_what_the_process_wrote_and_can_be_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let reports = Reports::new(data.path());
    let slot = reports.slot("my.lib-x", 12).unwrap();
    std::fs::write(slot.file(), "{\"code\":11}\n").unwrap();
    let record = slot.take();
    assert!(!slot.file().exists());
    assert!(reports.keep(&report(&slot, "my.lib-x", record.as_ref())));
    let listed = reports.of_agent("my.lib-x", 10).unwrap();
    assert_eq!((listed.len(), &listed[0]["crash"]["code"]), (1, &Value::from(11)));
    assert_eq!(listed[0].get("output"), None);
    let name = listed[0]["report"].as_str().unwrap();
    let whole: Value = serde_json::from_slice(&reports.get(name).unwrap().unwrap()).unwrap();
    assert_eq!(whole["output"][0]["text"], "last words");
    assert_eq!(reports.of_agent("my.lib", 10).unwrap(), Vec::<Value>::new());
}

#[test]
fn an_empty_file_is_removed_and_a_missing_one_is_no_matter() {
    let data = tempfile::tempdir().unwrap();
    let slot = Reports::new(data.path()).slot("a", 1).unwrap();
    assert_eq!(slot.take(), None);
    std::fs::write(slot.file(), "").unwrap();
    assert_eq!(slot.take(), None);
    assert_eq!(slot.take_notes().of(Some(0)), Noted::Idle);
    assert_eq!(std::fs::read_dir(data.path().join("crashes")).unwrap().count(), 0);
}

#[test]
fn only_names_of_reports_are_opened() {
    let data = tempfile::tempdir().unwrap();
    let reports = Reports::new(data.path());
    std::fs::write(data.path().join("keys.toml"), "secret").unwrap();
    let good = "20260131T235959.123Z-a-b.c-g12.json";
    assert_eq!(agent_of(good), Some("a-b.c"));
    for bad in [
        "../keys.toml",
        "..",
        "",
        "keys.toml",
        "20260131T235959.123Z-../../keys-g1.json",
        "20260131T235959.123Z-a\\b-g1.json",
        "20260131T235959.123Z-a-g1.part",
        "20260131T235959.123Z--g1.json",
        "20260131T235959.123Z-a-g.json",
        "20260131T235959.123Z-a-g1x.json",
        "2026-131T235959.123Z-a-g1.json",
        "20260131T235959.123Z-.a-g1.json",
        "20260131T235959.12éZ-a-g1.json",
        "20260131T235959.123Z-a\0-g1.json",
    ] {
        assert_eq!(agent_of(bad), None, "{bad}");
        assert_eq!(reports.get(bad).unwrap(), None, "{bad}");
    }
    assert_eq!(reports.get(good).unwrap(), None);
}

#[test]
fn the_oldest_reports_go_first() {
    let data = tempfile::tempdir().unwrap();
    let reports = Reports::new(data.path());
    let slot = reports.slot("a", 1).unwrap();
    for day in 0..=KEPT {
        let name = format!("20250101T000000.{day:03}Z-old-g1.json");
        std::fs::write(data.path().join("crashes").join(name), "{}").unwrap();
    }
    assert!(reports.keep(&report(&slot, "a", None)));
    let names = reports.names().unwrap();
    assert_eq!((names.len(), agent_of(&names[0])), (KEPT, Some("a")));
    assert_eq!(names.last().unwrap(), "20250101T000000.002Z-old-g1.json");
}

#[test]
fn agents_that_die_together_keep_their_reports() {
    let data = tempfile::tempdir().unwrap();
    let reports = Reports::new(data.path());
    let slots: Vec<Slot> = (1..=8).map(|number| reports.slot("a", number).unwrap()).collect();
    for day in 0..KEPT {
        let name = format!("20250101T000000.{day:03}Z-old-g1.json");
        std::fs::write(data.path().join("crashes").join(name), "{}").unwrap();
    }
    let kept: Vec<bool> = std::thread::scope(|scope| {
        let reports = &reports;
        let keep = |slot| scope.spawn(move || reports.keep(&report(slot, "a", None)));
        let threads: Vec<_> = slots.iter().map(keep).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(kept, [true; 8]);
    assert_eq!(reports.names().unwrap().len(), KEPT);
    assert!(!reports.failed.load(Ordering::Relaxed));
    assert!(remove(&data.path().join("gone")).is_ok());
}

#[test]
fn what_killed_gateways_left_is_removed_at_the_start() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("crashes");
    std::fs::create_dir(&folder).unwrap();
    let kept = ["20250101T000000.000Z-a-g1.json", "notes.part", "notes.json.new"];
    for name in kept.into_iter().chain(["20250101T000000.000Z-a-g2.part", "20250101T000000.000Z-a-g2.json.new"]) {
        std::fs::write(folder.join(name), "{}").unwrap();
    }
    let reports = Reports::new(data.path());
    reports.clear();
    let mut names: Vec<String> = reports.files().unwrap().collect();
    names.sort_unstable();
    assert_eq!(names, [kept[0], LOCK, kept[2], kept[1]]);
}

#[test]
fn what_the_agents_of_another_gateway_write_into_stays() {
    let data = tempfile::tempdir().unwrap();
    let (first, second) = (Reports::new(data.path()), Reports::new(data.path()));
    first.clear();
    let slot = first.slot("a", 1).unwrap();
    std::fs::write(slot.file(), "").unwrap();
    second.clear();
    assert!(slot.file().exists());
    drop(first);
    Reports::new(data.path()).clear();
    assert!(slot.file().exists(), "the second one still runs");
    drop(second);
    Reports::new(data.path()).clear();
    assert!(!slot.file().exists());
}

#[test]
fn a_folder_that_cannot_be_made_keeps_nothing_from_running() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("crashes"), "a file").unwrap();
    let reports = Reports::new(data.path());
    assert!(reports.slot("a", 1).is_none());
    assert!(reports.slot("a", 2).is_none());
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_reports() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = tempfile::tempdir().unwrap();
    let reports = Reports::new(data.path());
    let slot = reports.slot("a", 1).unwrap();
    reports.keep(&report(&slot, "a", None));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = data.path().join("crashes");
    assert_eq!((mode(&folder), mode(&folder.join(slot.report()))), (0o700, 0o600));
}
