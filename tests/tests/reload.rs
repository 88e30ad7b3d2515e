//! Files, headers and configurations that are replaced while calls go on; fallbacks for what cannot be run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bridge32_tests::bridge::run;
use bridge32_tests::client::Answer;
use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, Config, Joined, TARGETS_32, Target, Value, json, process, within};
use nix::sys::signal::Signal;
use toml::Table;

const HEADER: &str = "int Version(void);\nint Twice(int value);\n/** @deadline 20s */ int Nap(int milliseconds);\n";

/// A library that says which version it is.
fn version(number: u32, target: Target) -> PathBuf {
    let source = format!(
        "#ifdef _WIN32\n#define NAP(ms) Sleep(ms)\n#else\n#include <unistd.h>\n#define NAP(ms) usleep((ms) * 1000)\n#endif\n\
         API int Version(void) {{ return {number}; }}\nAPI int Twice(int value) {{ return 2 * value; }}\n\
         API int Nap(int milliseconds) {{ NAP(milliseconds); return {number}; }}\n"
    );
    Fixture::generated(&format!("version{number}"), &source).build(target)
}

/// Puts a file into the place of another one, as an installer does.
fn put(file: &Path, place: &Path) {
    let new = place.with_extension("new");
    std::fs::copy(file, &new).unwrap();
    std::fs::rename(new, place).unwrap();
}

/// Puts a file that is no library into its place.
fn spoil(place: &Path) {
    let new = place.with_extension("new");
    std::fs::write(&new, "this is no library").unwrap();
    std::fs::rename(new, place).unwrap();
}

/// A bridge with the library `v` in its first version, in a file of its own which is given.
fn versioned(target: Target, configure: impl FnOnce(&mut Config)) -> (Bridge, PathBuf) {
    let mut config = Config::new();
    let extension = if target.is_windows() { "dll" } else { "so" };
    let file = config.folder().join(format!("v.{extension}"));
    put(&version(1, target), &file);
    config.library("v", &file).declares(HEADER);
    configure(&mut config);
    (Bridge::with(config), file)
}

fn reload(bridge: &Bridge, library: &str) -> Answer {
    bridge.client().request("POST", &format!("/v1/libraries/{library}/reload")).send()
}

fn reload_all(bridge: &Bridge) -> Answer {
    bridge.client().request("POST", "/v1/reload").send()
}

fn says(bridge: &Bridge, library: &str) -> Value {
    bridge.call(library, "Version", json!({})).result()
}

/// Writes the configuration file anew.
fn edit(bridge: &Bridge, change: impl FnOnce(&mut Table)) {
    let file = bridge.config().folder().join("bridge32.toml");
    let mut document: Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    change(&mut document);
    std::fs::write(file, document.to_string()).unwrap();
}

fn library<'a>(document: &'a mut Table, name: &str) -> &'a mut Table {
    let libraries = document.entry("library").or_insert_with(|| Table::new().into()).as_table_mut().unwrap();
    libraries.entry(name).or_insert_with(|| Table::new().into()).as_table_mut().unwrap()
}

/// Waits until what was replaced has ended.
fn processes(bridge: &Bridge, count: usize) {
    within(40.0, &format!("{count} agents are left"), || (bridge.agent_processes().len() == count).then_some(()));
}

/// Calls from 64 clients while `meanwhile` goes on, and checks that each has its answer. Gives how many there were.
fn under_load(bridge: &Bridge, meanwhile: impl FnOnce()) -> u64 {
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for client in 0..64_i64 {
            let (stop, calls) = (&stop, &calls);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let answer = bridge.call("v", "Twice", json!({"value": client}));
                    assert_eq!(answer.result(), 2 * client);
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(300));
        meanwhile();
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
    });
    calls.into_inner()
}

#[test]
fn a_reload_under_load_fails_no_call_and_the_new_file_answers_afterwards() {
    for target in TARGETS_32 {
        let (bridge, file) = versioned(target, |_| {});
        let mut last = 1;
        let calls = under_load(&bridge, || {
            for number in [2, 3] {
                put(&version(number, target), &file);
                let answer = reload(&bridge, "v").ok();
                assert_ne!(answer["before"]["file_sha256"], answer["after"]["file_sha256"], "{target}: {answer}");
                assert_eq!(answer["library"]["loaded_file"]["sha256"], answer["after"]["file_sha256"], "{answer}");
                assert_eq!(answer["after"]["functions_callable"], 3, "{target}: {answer}");
                assert_eq!(says(&bridge, "v"), number, "{target}: from the answer on it is the new one");
                last = number;
            }
        });
        assert!(calls > 200, "{target}: {calls} calls");
        assert_eq!(says(&bridge, "v"), last, "{target}");
        processes(&bridge, 1);
    }
}

#[test]
fn a_call_that_runs_ends_in_the_old_process() {
    let (bridge, file) = versioned(Target::Linux32, |_| {});
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| bridge.call("v", "Nap", json!({"milliseconds": 3000})).result());
        within(5.0, "the call runs", || (bridge.agent("v")["state"] == "busy").then_some(()));
        put(&version(2, Target::Linux32), &file);
        reload(&bridge, "v").ok();
        assert_eq!(says(&bridge, "v"), 2, "it does not wait for the old one");
        assert_eq!(slow.join().unwrap(), 1);
    });
    processes(&bridge, 1);
    assert!(bridge.agent("v.2")["generation"] == 2, "{}", bridge.agent("v.2"));
    reload(&bridge, "v").ok();
    assert_eq!(bridge.library("v")["agent"], "v", "a name that is free again is used again");
}

#[test]
fn a_session_goes_on_in_the_old_process_until_it_ends() {
    let (bridge, file) = versioned(Target::Linux32, |_| {});
    let session = bridge.client().post("/v1/sessions", &json!({"library": "v"})).is(201);
    let id = session["id"].as_str().unwrap();
    put(&version(2, Target::Linux32), &file);
    reload(&bridge, "v").ok();
    let target = "/v1/libraries/v/functions/Version";
    let bound = bridge.client().request("POST", target).header("bridge-session", id).body("application/json", "{}");
    assert_eq!((bound.send().result(), says(&bridge, "v")), (json!(1), json!(2)));
    assert_eq!(bridge.agent_processes().len(), 2);
    bridge.client().delete(&format!("/v1/sessions/{id}")).ok();
    processes(&bridge, 1);
}

#[test]
fn a_file_that_does_not_work_changes_nothing_and_the_reason_is_told() {
    let dies = fixture::library("dies", Target::Linux32);
    let (bridge, file) = versioned(Target::Linux32, |_| {});
    let pid = bridge.agent_pid("v");
    let refused = |part: &str| {
        let detail = reload(&bridge, "v").refused(422, "reload_failed")["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(part) && detail.contains("Nothing has changed"), "{detail}");
        assert_eq!((says(&bridge, "v"), bridge.agent_pid("v")), (json!(1), pid), "{part}");
        processes(&bridge, 1);
    };
    put(&dies, &file);
    refused("ends the process");
    spoil(&file);
    refused("v.so");
    std::fs::remove_file(&file).unwrap();
    refused("v.so");
    let header = bridge.config().folder().join("v.h");
    put(&version(2, Target::Linux32), &file);
    std::fs::rename(&header, header.with_extension("bak")).unwrap();
    refused("v.h");
    std::fs::rename(header.with_extension("bak"), &header).unwrap();
    assert!(under_load(&bridge, || drop(reload(&bridge, "v").ok())) > 0);
    assert_eq!(says(&bridge, "v"), 2);
}

#[test]
fn a_probe_decides_whether_the_new_file_takes_over() {
    let probe = Table::from_iter([("function".into(), "Version".into()), ("expect".into(), 1.into())]);
    let (bridge, file) = versioned(Target::Linux32, |config| {
        let file = config.folder().join("v.so");
        config.library("v", file).set("probe", probe);
    });
    put(&version(3, Target::Linux32), &file);
    let problem = reload(&bridge, "v").refused(422, "reload_failed");
    assert!(problem["detail"].as_str().unwrap().contains("probe `Version` of `v` failed"), "{problem}");
    assert_eq!(says(&bridge, "v"), 1);
    processes(&bridge, 1);
    let other = "API int Version(void) { return 1; }\nAPI int Twice(int value) { return 3 * value; }\n";
    put(&Fixture::generated("otherversion", other).build(Target::Linux32), &file);
    reload(&bridge, "v").ok();
    assert_eq!(bridge.call("v", "Twice", json!({"value": 2})).result(), 6, "it answers its probe, and is in force");
}

#[test]
fn a_header_is_read_again_and_one_that_was_sent_stays() {
    let (bridge, _) = versioned(Target::Linux32, |_| {});
    let header = bridge.config().folder().join("v.h");
    std::fs::write(&header, "int Version(void);\nint Missing(void);\n").unwrap();
    let answer = reload(&bridge, "v").ok();
    assert_eq!(
        (&answer["before"]["functions_declared"], &answer["after"]["functions_declared"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(answer["after"]["functions_callable"], 1, "{answer}");
    bridge.call("v", "Twice", json!({"value": 1})).refused(404, "unknown_function");
    let document = bridge.client().get("/openapi.json").ok();
    assert!(document["paths"].get("/v1/libraries/v/functions/Twice").is_none(), "the document knows at once");
    let sent = "int Version(void);\nint Twice(int value);\n";
    let target = "/v1/libraries/v/interface";
    bridge.client().request("PUT", target).body("text/x-c", sent).send().ok();
    let answer = reload(&bridge, "v").ok();
    assert_eq!((&answer["library"]["interface"]["origin"], says(&bridge, "v")), (&json!("replaced"), json!(1)));
    assert_eq!(bridge.call("v", "Twice", json!({"value": 4})).result(), 8);
    std::fs::write(&header, HEADER).unwrap();
    let answer = reload(&bridge, "v").ok();
    assert_eq!(answer["library"]["interface"]["origin"], "configured", "header files that have changed count");
}

#[test]
fn libraries_of_a_group_are_reloaded_together() {
    let (bridge, file) = versioned(Target::Linux32, |config| {
        let file = config.folder().join("v.so");
        config.library("v", file).set("group", "both");
        let other = config.folder().join("other.so");
        put(&version(1, Target::Linux32), &other);
        config.library("other", &other).set("group", "both").declares(HEADER);
    });
    let other = bridge.config().folder().join("other.so");
    put(&version(2, Target::Linux32), &file);
    put(&version(3, Target::Linux32), &other);
    reload(&bridge, "v").ok();
    assert_eq!((says(&bridge, "v"), says(&bridge, "other")), (json!(2), json!(3)));
    processes(&bridge, 1);
    spoil(&other);
    let problem = reload(&bridge, "v").refused(422, "reload_failed");
    assert!(problem["detail"].as_str().unwrap().contains("other"), "{problem}");
    assert_eq!((says(&bridge, "v"), says(&bridge, "other")), (json!(2), json!(3)), "all of them or none");
}

#[test]
fn two_reloads_at_once_are_one_and_a_refusal() {
    let slow = "#include <unistd.h>\n__attribute__((constructor)) static void wait(void) { sleep(2); }\n\
                API int Version(void) { return 4; }\n";
    let slow = Fixture::generated("slowversion", slow).build(Target::Linux32);
    let (bridge, file) = versioned(Target::Linux32, |_| {});
    put(&slow, &file);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| reload(&bridge, "v").ok());
        within(5.0, "the new one starts", || (bridge.agent_processes().len() == 2).then_some(()));
        reload(&bridge, "v").refused(409, "reload_running");
        first.join().unwrap();
    });
    assert_eq!(says(&bridge, "v"), 4);
    reload(&bridge, "nobody").refused(404, "unknown_library");
}

#[test]
fn a_reload_tries_again_what_could_not_be_run() {
    let (bridge, file) = versioned(Target::Linux32, |config| {
        put(&fixture::library("dies", Target::Linux32), &config.folder().join("v.so"));
        config.library("idle", config.folder().join("v.so")).set("instances", min_zero());
    });
    assert_eq!(bridge.library("v")["state"], "failed");
    put(&version(5, Target::Linux32), &file);
    reload(&bridge, "v").ok();
    assert_eq!(says(&bridge, "v"), 5);
    assert_eq!(bridge.library("idle")["state"], "idle");
    let answer = reload(&bridge, "idle").ok();
    assert!(answer["after"]["file_sha256"].is_string(), "it was loaded to see whether it works: {answer}");
    within(20.0, "nobody needs it", || (bridge.library("idle")["state"] == "idle").then_some(()));
}

fn min_zero() -> Table {
    Table::from_iter([("min".into(), 0.into()), ("max".into(), 1.into()), ("idle".into(), "2s".into())])
}

#[test]
fn a_reload_of_an_agent_of_somebody_else_makes_calls_wait_until_it_is_back() {
    let mut config = Config::new();
    let gateway = config.fixed_port();
    config.key("all", &["call:*", "read", "manage"]);
    let (_, secret) = config.key_with_secret("card", &["agent"]);
    let file = config.folder().join("v.so");
    put(&version(1, Target::Linux32), &file);
    config.library("v", &file).declares(HEADER).set("agent", "pc").set("runtime", "linux32");
    config.do_not_wait();
    let bridge = Bridge::with(config);
    let _joined = Joined::start(bridge.config().folder(), Target::Linux32, &gateway, "pc", "card", &secret);
    bridge.call_until(30.0, "v", "Version", &json!({}));
    put(&version(2, Target::Linux32), &file);
    under_load(&bridge, || drop(reload(&bridge, "v").ok()));
    assert_eq!(says(&bridge, "v"), 2);
}

#[test]
fn libraries_are_added_changed_and_removed_by_a_reload_of_the_configuration() {
    let (bridge, _) = versioned(Target::Linux32, |config| {
        let other = config.folder().join("other.so");
        put(&version(7, Target::Linux32), &other);
        config.library("other", &other).declares(HEADER).set("deadline", "9s");
    });
    let (pid, third) = (bridge.agent_pid("other"), version(8, Target::Linux32));
    edit(&bridge, |document| {
        library(document, "other").insert("deadline".into(), "7s".into());
        library(document, "third").insert("file".into(), third.to_str().unwrap().into());
        let header = bridge.config().folder().join("v.h");
        library(document, "third").insert("header".into(), header.to_str().unwrap().into());
        document["library"].as_table_mut().unwrap().remove("v");
    });
    let before = bridge.client().get("/openapi.json").ok();
    let answer = reload_all(&bridge).ok();
    let change = |name: &str| answer["libraries"][name]["change"].clone();
    assert_eq!([change("v"), change("other"), change("third")], ["removed", "changed", "added"].map(Value::from));
    assert_eq!(answer["libraries"]["other"]["extent"], "settings", "{answer}");
    bridge.call("v", "Version", json!({})).refused(404, "unknown_library");
    assert_eq!((says(&bridge, "third"), says(&bridge, "other")), (json!(8), json!(7)));
    assert_eq!(bridge.library("other")["deadline_ms"], 7000);
    assert_eq!(bridge.agent_pid("other"), pid, "no other process was needed");
    let ready = bridge.client().get("/readyz").ok();
    assert_eq!(ready["libraries"], json!({"other": "ready", "third": "ready"}));
    assert_ne!(bridge.client().get("/openapi.json").ok(), before);
    processes(&bridge, 2);
    let answer = reload_all(&bridge).ok();
    assert_eq!((&answer["lines"], &answer["libraries"]), (&json!([]), &json!({})), "nothing has changed since");
    edit(&bridge, |document| drop(library(document, "other").insert("instances".into(), 3.into())));
    assert_eq!(reload_all(&bridge).ok()["libraries"]["other"]["extent"], "pool");
    processes(&bridge, 4);
    edit(&bridge, |document| drop(library(document, "other").insert("instances".into(), 1.into())));
    reload_all(&bridge).ok();
    processes(&bridge, 2);
    assert_eq!(says(&bridge, "other"), 7);
}

#[test]
fn a_change_of_the_configuration_that_does_not_work_changes_nothing() {
    let (bridge, _) = versioned(Target::Linux32, |config| {
        config.library("still", version(9, Target::Linux32)).declares(HEADER);
    });
    let pid = bridge.agent_pid("still");
    let dies = fixture::library("dies", Target::Linux32);
    edit(&bridge, |document| {
        library(document, "v").insert("file".into(), dies.to_str().unwrap().into());
        library(document, "still").insert("threads".into(), 2.into());
        document.insert("max_body".into(), "1MiB".into());
    });
    let problem = reload_all(&bridge).refused(422, "reload_failed");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("library.v") && detail.contains("bridge32.toml"), "{detail}");
    assert_eq!((says(&bridge, "v"), says(&bridge, "still"), bridge.agent_pid("still")), (json!(1), json!(9), pid));
    processes(&bridge, 2);
    let (file, log) = (bridge.config().folder().join("bridge32.toml"), bridge.log().len());
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{good}\n[library.v]\n")).unwrap();
    process::signal(bridge.pid(), Signal::SIGHUP);
    let line = bridge.logs(&["the configuration was not reloaded", "bridge32.toml:"]);
    assert!(line.contains("bridge32.toml:") && bridge.log().len() > log, "{line}");
    assert_eq!(says(&bridge, "v"), 1);
    std::fs::write(&file, good).unwrap();
    edit(&bridge, |document| {
        library(document, "v").insert("file".into(), version(2, Target::Linux32).to_str().unwrap().into());
    });
    process::signal(bridge.pid(), Signal::SIGHUP);
    bridge.logs(&["the configuration was read again and is in force"]);
    assert_eq!((says(&bridge, "v"), says(&bridge, "still")), (json!(2), json!(9)));
}

#[test]
fn what_only_a_restart_can_change_is_refused_with_both_values() {
    let (bridge, _) = versioned(Target::Linux32, |_| {});
    edit(&bridge, |document| {
        document.insert("listen".into(), "127.0.0.1:18032".into());
        library(document, "v").insert("deadline".into(), "1s".into());
    });
    let problem = reload_all(&bridge).refused(422, "invalid_configuration");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("127.0.0.1:18032") && detail.contains(bridge.client().authority()), "{detail}");
    assert_eq!(bridge.library("v")["deadline_ms"], 30_000, "{detail}");
}

#[test]
fn another_key_file_and_a_smaller_body_count_at_once() {
    let (bridge, _) = versioned(Target::Linux32, |config| {
        config.key("ops", &["call:*", "read", "manage"]);
    });
    let folder = bridge.config().folder();
    let keys = std::fs::read_to_string(folder.join("keys.toml")).unwrap();
    let others = folder.join("others.toml");
    let configure = |text: &str| {
        std::fs::write(&others, text).unwrap();
        std::fs::set_permissions(&others, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    configure("[[key]\n");
    edit(&bridge, |document| {
        document["auth"].as_table_mut().unwrap().insert("keys_file".into(), "others.toml".into());
        document.insert("max_body".into(), 2000.into());
    });
    let problem = reload_all(&bridge).refused(422, "invalid_configuration");
    assert!(problem["detail"].as_str().unwrap().contains("others.toml"), "{problem}");
    assert_eq!(says(&bridge, "v"), 1);
    configure(&keys.replace("\"call:*\", ", "").replace("'call:*', ", ""));
    reload_all(&bridge).ok();
    bridge.call("v", "Version", json!({})).refused(403, "forbidden");
    let large = json!({"link": "x".repeat(3000)});
    bridge.client().post("/v1/sign-in-links", &large).refused(413, "payload_too_large");
    configure(&keys);
    within(10.0, "the other file is followed", || (bridge.call("v", "Version", json!({})).status == 200).then_some(()));
}

#[test]
fn the_command_says_what_has_changed_or_why_nothing_has() {
    let (bridge, file) = versioned(Target::Linux32, |config| {
        config.key("ops", &["call:*", "read", "manage"]);
    });
    let config = bridge.config().folder().join("bridge32.toml");
    let url = format!("http://{}", bridge.client().authority());
    let run = |more: &[&str]| {
        let arguments = ["reload", "--url", &url, "--config", config.to_str().unwrap()];
        run(&[&arguments[..], more].concat())
    };
    assert_eq!(run(&[]), (Some(0), "nothing has changed\n".to_owned(), String::new()));
    edit(&bridge, |document| drop(library(document, "v").insert("drain".into(), "7s".into())));
    assert_eq!(run(&[]).1, "library.v: drain: \"30s\" becomes \"7s\"\n");
    put(&version(2, Target::Linux32), &file);
    let (_, said, _) = run(&["v"]);
    assert!(said.starts_with("v was reloaded\n  file: ") && said.contains(", before "), "{said}");
    assert!(said.contains("3 declared, 3 callable, as before"), "{said}");
    let answer: Value = serde_json::from_str(&run(&["v", "--json"]).1).unwrap();
    assert_eq!(answer["before"], answer["after"]);
    spoil(&file);
    let (code, _, why) = run(&["v"]);
    assert!(code == Some(1) && why.contains("Nothing has changed"), "{why}");
}

fn fallback(entries: &[&[(&str, &str)]]) -> toml::Value {
    let entry = |entry: &&[(&str, &str)]| {
        entry.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect::<Table>()
    };
    toml::Value::Array(entries.iter().map(|given| entry(given).into()).collect())
}

#[test]
fn a_file_that_breaks_is_replaced_by_a_fallback_and_calls_wait_for_that() {
    for target in TARGETS_32 {
        let good = version(2, Target::Linux32);
        let (bridge, file) = versioned(target, |config| {
            let file = config.folder().join(if target.is_windows() { "v.dll" } else { "v.so" });
            // A constructor that crashes is found out by trying.
            put(&fixture::library("dies", target), &file);
            let entries =
                [&[("file", "nowhere.so")][..], &[("file", good.to_str().unwrap()), ("runtime", "linux32")][..]];
            config.library("v", file).set("fallback", fallback(&entries));
            config.do_not_wait();
        });
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| says(&bridge, "v"))).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert_eq!(answers, vec![json!(2); 8], "{target}");
        let shown = bridge.library("v");
        assert_eq!((&shown["state"], &shown["fallback"]["number"]), (&json!("ready"), &json!(2)), "{target}: {shown}");
        let reasons = shown["fallback"]["passed_over"].as_array().unwrap();
        // Wine refuses what crashes in its `DllMain`.
        let why = if target.is_windows() { "998" } else { "ends the process" };
        assert!(reasons[0].as_str().unwrap().contains(why), "{target}: {shown}");
        assert!(reasons[1].as_str().unwrap().contains("nowhere.so"), "{target}: {shown}");
        processes(&bridge, 1);
        put(&version(1, target), &file);
        let answer = reload(&bridge, "v").ok();
        assert!(answer["library"].get("fallback").is_none(), "{target}: {answer}");
        assert_eq!(says(&bridge, "v"), 1, "{target}: the preferred one is back");
    }
}

#[test]
fn a_library_that_fails_while_it_runs_fails_over_too() {
    let good = version(2, Target::Linux32);
    let (bridge, file) = versioned(Target::Linux32, |config| {
        let file = config.folder().join("v.so");
        config.library("v", file).set("fallback", fallback(&[&[("file", good.to_str().unwrap())]]));
    });
    assert_eq!(says(&bridge, "v"), 1);
    put(&fixture::library("dies", Target::Linux32), &file);
    let problem = reload(&bridge, "v").refused(422, "reload_failed");
    assert!(problem["detail"].as_str().unwrap().contains("ends the process"), "a fallback is for what does not run");
    process::kill_9(bridge.agent_pid("v"));
    within(20.0, "the fallback answers", || {
        let answer = bridge.call("v", "Version", json!({}));
        (answer.status == 200 && answer.result() == 2).then_some(())
    });
    let all_broken = bridge.library("v");
    assert_eq!(all_broken["fallback"]["number"], 1, "{all_broken}");
    within(20.0, "the failed one is gone", || (bridge.agent_processes().len() == 1).then_some(()));
}

#[test]
fn where_no_fallback_works_the_first_reason_is_told() {
    let (bridge, _) = versioned(Target::Linux32, |config| {
        let file = config.folder().join("v.so");
        put(&fixture::library("dies", Target::Linux32), &file);
        config.library("v", file).set("fallback", fallback(&[&[("file", "nowhere.so")]]));
        config.do_not_wait();
    });
    within(20.0, "there is nothing more to try", || (bridge.library("v")["state"] == "failed").then_some(()));
    let problem = bridge.call("v", "Version", json!({})).refused(422, "load_failed");
    assert!(problem["detail"].as_str().unwrap().contains("ends the process"), "{problem}");
    bridge.logs(&["no fallback works", "nowhere.so"]);
}
