//! `PUT …/interface`: another header while calls go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bridge32_tests::client::Client;
use bridge32_tests::{Answer, Bridge, Config, HOME, Value, fixture, json, process};

/// The same functions under different numbers: a call that went by the number of the other header would answer the other
/// function's result.
const ONE: &str = "int abs(int j); int toupper(int c); unsigned int sleep(unsigned int seconds); int raise(int signal);
    void *malloc(size_t size); void free(void *block);";
const OTHER: &str =
    "int toupper(int c); void free(void *block); int labs(int j); int abs(int j); int raise(int signal);";

fn libc() -> Bridge {
    Bridge::start(|config| {
        config.library("c", "/lib32/libc.so.6").declares(ONE);
    })
}

fn put(bridge: &Bridge, header: impl Into<Vec<u8>>) -> Answer {
    bridge.client().request("PUT", "/v1/libraries/c/interface").body("text/x-c", header).send()
}

fn text(bridge: &Bridge) -> String {
    let request = bridge.client().request("GET", "/v1/libraries/c/interface").header("accept", "text/x-c");
    let answer = request.send();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/x-c")));
    answer.text
}

fn names(interface: &Value) -> Vec<&str> {
    interface["functions"].as_array().unwrap().iter().map(|function| function["name"].as_str().unwrap()).collect()
}

#[test]
fn a_new_header_declares_other_functions_at_once() {
    let bridge = libc();
    bridge.call("c", "labs", json!({"j": -3})).refused(404, "unknown_function");
    let interface = put(&bridge, OTHER).ok();
    assert_eq!(names(&interface), ["toupper", "free", "labs", "abs", "raise"]);
    assert!(interface["functions"].as_array().unwrap().iter().all(|function| function["callable"] == true));
    assert_eq!((&interface["revision"], &interface["origin"]), (&json!(2), &json!("replaced")));
    assert!(interface["replaced_at"].is_string(), "{interface}");
    assert_eq!(bridge.call("c", "labs", json!({"j": -3})).result(), 3);
    let gone = bridge.call("c", "sleep", json!({"seconds": 0})).refused(404, "unknown_function");
    assert!(gone["detail"].as_str().unwrap().contains("declares no function `sleep`"), "{gone}");
    assert_eq!(bridge.client().get("/v1/libraries/c/interface").ok(), interface);
    let exports = bridge.client().get("/v1/libraries/c/exports?declared=true&limit=1000").ok();
    assert_eq!(exports["total"], 5, "{exports}");
}

/// Raises a flag when it goes.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_call_takes_the_number_of_one_header_for_a_function_of_the_other() {
    let bridge = libc();
    let (stop, called) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for caller in 0..6 {
            let (bridge, stop, called) = (&bridge, &stop, &called);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let (function, args, expected) = match caller % 3 {
                        0 => ("abs", json!({"j": -5}), json!([5])),
                        1 => ("toupper", json!({"c": 97}), json!([65])),
                        _ => {
                            let calls = [("toupper", json!({"c": 98})), ("abs", json!({"j": {"$ref": "0.result"}}))];
                            let outcomes = bridge.batch("c", true, &calls);
                            assert_eq!((&outcomes[0]["result"], &outcomes[1]["result"]), (&json!(66), &json!(66)));
                            continue;
                        }
                    };
                    let answer = bridge.call("c", function, args);
                    assert_eq!(json!([answer.ok()["result"]]), expected, "{function}");
                    called.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also if one of these fails: the callers must end.
        let _stop = Raise(&stop);
        for round in 0..40 {
            put(&bridge, if round % 2 == 0 { OTHER } else { ONE }).ok();
        }
    });
    assert!(called.load(Ordering::Relaxed) > 40, "calls went on meanwhile");
    let interface = bridge.client().get("/v1/libraries/c/interface").ok();
    assert_eq!((&interface["revision"], &interface["origin"]), (&json!(41), &json!("configured")));
}

#[test]
fn a_running_call_ends_with_the_interface_that_it_began_with() {
    let bridge = libc();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| bridge.call("c", "sleep", json!({"seconds": 1})));
        std::thread::sleep(std::time::Duration::from_millis(300));
        put(&bridge, OTHER).ok();
        assert_eq!(slow.join().unwrap().result(), 0);
    });
    bridge.call("c", "sleep", json!({"seconds": 0})).refused(404, "unknown_function");
}

#[test]
fn handles_stay_good_under_another_interface() {
    let bridge = libc();
    let block = bridge.call("c", "malloc", json!({"size": 8})).result();
    put(&bridge, OTHER).ok();
    bridge.call("c", "free", json!({"block": block})).ok();
}

#[test]
fn a_bad_header_changes_nothing_and_says_where_it_is_bad() {
    let bridge = libc();
    let broken = put(&bridge, "int abs(int j);\nint broken(int").refused(422, "invalid_interface");
    let first = &broken["diagnostics"][0];
    assert_eq!((&first["line"], &first["severity"]), (&json!(2), &json!("error")), "{broken}");
    assert!(broken["detail"].as_str().unwrap().contains("Nothing has changed"), "{broken}");
    let empty = put(&bridge, "#define A 1\n").refused(422, "invalid_interface");
    assert!(empty["detail"].as_str().unwrap().contains("declares no function"), "{empty}");
    put(&bridge, "").refused(422, "invalid_interface");
    let prose = put(&bridge, "# Notes\n\nThis is *no* header.\n").refused(422, "invalid_interface");
    assert!(prose["detail"].as_str().unwrap().contains("declares no function"), "{prose}");
    assert!(prose["detail"].as_str().unwrap().contains("interface.h:"), "the first reason is in the text: {prose}");
    let url = "/v1/libraries/c/interface";
    let request = |media_type: &str| bridge.client().request("PUT", url).body(media_type, "int f(void);").send();
    let refused = request("application/json").refused(415, "unsupported_media_type");
    assert!(refused["detail"].as_str().unwrap().contains("text/x-c"), "{refused}");
    let wrong = bridge.client().request("PUT", "/v1/libraries/c/interface?force=1").body("text/x-c", OTHER).send();
    wrong.refused(400, "malformed_request");
    let nowhere = bridge.client().request("PUT", "/v1/libraries/d/interface").body("text/x-c", OTHER).send();
    nowhere.refused(404, "unknown_library");
    assert_eq!(bridge.client().get(url).ok()["revision"], 1);
    assert_eq!(text(&bridge), ONE);
    assert_eq!(bridge.call("c", "abs", json!({"j": -4})).result(), 4);
}

#[test]
fn the_header_of_another_library_is_refused_unless_somebody_insists() {
    let bridge = libc();
    let header =
        "unsigned long adler32(unsigned long a);\nunsigned long crc32(unsigned long a);\nint inflateInit(void);\n";
    let refused = put(&bridge, header).refused(422, "invalid_interface");
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("exports none of the 3 functions") && detail.contains("another library's header"),
        "{detail}"
    );
    assert_eq!(bridge.client().get("/v1/libraries/c/interface").ok()["revision"], 1);
    assert_eq!(bridge.call("c", "abs", json!({"j": -4})).result(), 4);
    // One that is known is enough.
    put(&bridge, format!("{header}int abs(int j);")).ok();
    let target = "/v1/libraries/c/interface?accept_errors=true";
    let interface = bridge.client().request("PUT", target).body("text/x-c", header).send().ok();
    assert_eq!(names(&interface), ["adler32", "crc32", "inflateInit"]);
}

#[test]
fn a_header_that_was_sent_is_seen_and_can_be_taken_back() {
    let mut bridge = libc();
    let of_library = |bridge: &Bridge| bridge.client().get("/v1/libraries/c").ok()["interface"].clone();
    let back = |bridge: &Bridge| bridge.client().request("DELETE", "/v1/libraries/c/interface").send();
    assert_eq!(of_library(&bridge), json!({"origin": "configured"}));
    assert_eq!(back(&bridge).ok()["revision"], 1, "nothing to do is fine");
    put(&bridge, OTHER).ok();
    let now = of_library(&bridge);
    assert!(now["origin"] == "replaced" && now["replaced_at"].is_string(), "{now}");
    bridge.restart();
    assert_eq!(of_library(&bridge), now);
    bridge.logs(&[
        "a header that was sent at",
        "in force instead of",
        "c.h; DELETE /v1/libraries/c/interface goes back",
    ]);
    let interface = back(&bridge).ok();
    assert_eq!((&interface["revision"], &interface["origin"]), (&json!(2), &json!("configured")));
    assert_eq!(bridge.client().get("/v1/libraries/c/interface").ok(), interface);
    assert_eq!(text(&bridge), ONE);
    bridge.call("c", "labs", json!({"j": -3})).refused(404, "unknown_function");
    assert_eq!(bridge.call("c", "abs", json!({"j": -3})).result(), 3);
    bridge.restart();
    assert_eq!(of_library(&bridge), json!({"origin": "configured"}));
    let nowhere = bridge.client().request("DELETE", "/v1/libraries/d/interface").send();
    nowhere.refused(404, "unknown_library");
}

#[test]
fn what_was_refused_is_not_held_against_the_next_header() {
    let bridge = libc();
    let strange = put(&bridge, "int nothing_of_the_kind(void);").refused(422, "invalid_interface");
    assert!(strange["detail"].as_str().unwrap().contains("another library's header"), "{strange}");
    let interface = put(&bridge, OTHER).ok();
    assert_eq!((names(&interface).len(), &interface["missing_exports"]), (5, &json!([])));
}

#[test]
fn what_cannot_be_understood_can_be_gone_without() {
    let bridge = libc();
    let header = "int labs(int j);\nint broken(int;\nint toupper(int c);\n";
    put(&bridge, header).refused(422, "invalid_interface");
    let target = "/v1/libraries/c/interface?accept_errors=true";
    let interface = bridge.client().request("PUT", target).body("text/x-c", header).send().ok();
    assert_eq!(names(&interface), ["labs", "toupper"]);
    assert_eq!(interface["diagnostics"][0]["line"], 2);
    assert_eq!(bridge.call("c", "labs", json!({"j": -4})).result(), 4);
}

#[test]
fn a_replaced_interface_outlives_its_agent_and_the_gateway() {
    let mut bridge = libc();
    put(&bridge, OTHER).ok();
    bridge.call("c", "raise", json!({"signal": 11})).refused(502, "agent_crashed");
    bridge.call_until(5.0, "c", "labs", &json!({"j": -3}));
    bridge.restart();
    let interface = bridge.client().get("/v1/libraries/c/interface").ok();
    assert_eq!((&interface["revision"], &interface["origin"]), (&json!(1), &json!("replaced")));
    assert_eq!(bridge.call("c", "labs", json!({"j": -3})).result(), 3);
    assert_eq!(text(&bridge), OTHER);
    // What the header file says is the configured interface again.
    assert_eq!(put(&bridge, ONE).ok()["origin"], "configured");
    bridge.restart();
    bridge.call("c", "labs", json!({"j": -3})).refused(404, "unknown_function");
}

#[test]
fn a_header_file_that_was_changed_counts_again() {
    let mut bridge = libc();
    put(&bridge, OTHER).ok();
    std::fs::write(bridge.config().folder().join("c.h"), "int tolower(int c);").unwrap();
    bridge.restart();
    assert_eq!(bridge.call("c", "tolower", json!({"c": 65})).result(), 97);
    bridge.logs(&["the header files have changed", "interfaces/c.json"]);
}

#[test]
fn an_interface_can_be_replaced_while_its_agent_is_away() {
    let bridge = Bridge::start(|config| {
        config.library("c", "/lib32/libc.so.6").declares(ONE).set("deadline", "300ms");
        config.library("gone", fixture::library("plain", HOME).with_extension("missing"));
    });
    process::kill_9(bridge.agent_pid("c"));
    put(&bridge, OTHER).ok();
    bridge.call_until(5.0, "c", "labs", &json!({"j": -3}));
    let target = "/v1/libraries/gone/interface";
    let interface = bridge.client().request("PUT", target).body("text/x-c", "int f(void);").send().ok();
    assert_eq!(interface["functions"][0]["callable"], Value::Null);
}

#[test]
fn only_who_manages_replaces() {
    let mut config = Config::new();
    config.library("c", "/lib32/libc.so.6").declares(ONE);
    config.key("admin", &["manage", "read"]);
    let caller = config.key("caller", &["call:c", "read"]);
    let bridge = Bridge::with(config);
    let caller = bridge.client().with_key(Some(&caller));
    let put = |client: &Client| client.request("PUT", "/v1/libraries/c/interface").body("text/x-c", OTHER).send();
    put(&caller).refused(403, "forbidden");
    caller.request("DELETE", "/v1/libraries/c/interface").send().refused(403, "forbidden");
    put(bridge.client()).ok();
}
