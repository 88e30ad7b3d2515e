//! What a session has opened is closed at its end.

use bridge32_protocol::journal::Slot;
use bridge32_tests::agent::id_of;
use bridge32_tests::{Agent, TARGETS, Target, Value, json};

/// A call of a session.
fn of(session: u128, mut call: Value) -> Value {
    call["session"] = json!(id_of(session));
    call
}

fn opened(agent: &Agent, session: u128, function: &str, args: &Value) -> String {
    let outcome = agent.run("lanes", 0, &[of(session, agent.call("lanes", 1, function, args))]);
    outcome[0]["returned"]["result"].as_str().unwrap_or_else(|| panic!("{outcome:?}")).to_owned()
}

fn block(agent: &Agent, session: u128) -> String {
    let call = of(session, json!({"id": id_of(1), "callee": "allocate", "args": {"size": 64}}));
    agent.run("lanes", 0, &[call])[0]["returned"]["result"]["handle"].as_str().unwrap().to_owned()
}

fn end(agent: &Agent, session: u128) -> Value {
    agent.ok("DELETE", &format!("/sessions/lanes/{}?lane=0", id_of(session)), &Value::Null)
}

fn closed(agent: &Agent) -> Vec<Value> {
    let call = |index: u128| agent.call("lanes", index, "ClosedAt", &json!({"index": index}));
    let calls: Vec<Value> = (0..6).map(call).collect();
    let outcomes = agent.run("lanes", 0, &calls);
    let results = outcomes.iter().map(|outcome| outcome["returned"]["result"].clone());
    results.filter(|number| *number != -1).collect()
}

fn live(agent: &Agent) -> Vec<String> {
    let list = agent.ok("GET", "/handles/lanes", &Value::Null);
    let handles = list["handles"].as_array().unwrap().iter();
    handles.map(|handle| handle["handle"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn handles_are_closed_the_newest_first_and_blocks_and_callbacks_end() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 1, 0);
        for number in [1, 2] {
            opened(&agent, 0xa, "OpenThing", &json!({"number": number}));
        }
        let theirs = opened(&agent, 0xb, "OpenThing", &json!({"number": 50}));
        block(&agent, 0xa);
        opened(&agent, 0xa, "OpenHidden", &json!({"number": 3}));
        let keep = of(0xa, agent.call("lanes", 1, "Keep", &json!({"heard": {"stream": true}})));
        let kept = agent.run("lanes", 0, &[keep]);
        assert!(kept[0]["returned"].is_object(), "{kept:?}");
        let ended = end(&agent, 0xa);
        assert_eq!(ended, json!({"released": 5, "failed": [], "left": 0}), "{target}");
        assert_eq!(closed(&agent), [3, 2, 1], "{target}: by a function that only the file has, too");
        assert_eq!(live(&agent), [theirs], "{target}");
        assert_eq!(agent.ok("GET", "/callbacks/lanes", &Value::Null)["callbacks"], json!([]), "{target}");
        // The function pointer is still the library's, and does nothing.
        let ring = agent.run("lanes", 0, &[agent.call("lanes", 1, "Ring", &json!({"number": 5}))]);
        assert!(ring[0]["returned"].is_object(), "{target}: {ring:?}");
        assert_eq!(end(&agent, 0xa), json!({"released": 0, "failed": [], "left": 0}), "{target}: once");
    }
}

#[test]
fn a_session_ends_on_its_own_lane() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 2, 0);
        let number = |lane: u32, function: &str| {
            agent.run("lanes", lane, &[agent.call("lanes", 1, function, &json!({}))])[0]["returned"]["result"].clone()
        };
        let threads = [0, 1].map(|lane| number(lane, "ThreadId"));
        assert_ne!(threads[0], threads[1], "{target}");
        for (lane, thread) in threads.iter().enumerate().rev() {
            opened(&agent, 0xa, "OpenThing", &json!({"number": 1}));
            agent.ok("DELETE", &format!("/sessions/lanes/{}?lane={lane}", id_of(0xa)), &Value::Null);
            assert_eq!(number(0, "ClosedOn"), *thread, "{target}");
        }
    }
}

#[test]
fn what_a_call_has_closed_meanwhile_is_gone_already() {
    let mut agent = Agent::start(Target::Linux32);
    agent.load("lanes", 1, 0);
    let thing = opened(&agent, 0xa, "OpenThing", &json!({"number": 1}));
    opened(&agent, 0xa, "OpenThing", &json!({"number": 2}));
    agent.run("lanes", 0, &[of(0xa, agent.call("lanes", 1, "CloseThing", &json!({"thing": thing})))]);
    assert_eq!(end(&agent, 0xa)["released"], 1);
    assert_eq!(closed(&agent), [1, 2]);
}

#[test]
fn what_cannot_be_closed_is_told_and_stays_and_the_rest_is_closed() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 1, 0);
        opened(&agent, 0xa, "OpenThing", &json!({"number": 1}));
        let stuck = opened(&agent, 0xa, "OpenThing", &json!({"number": -1}));
        let strong = opened(&agent, 0xa, "OpenStrong", &json!({"number": 7}));
        let for_good = opened(&agent, 0xa, "OpenForGood", &json!({}));
        let ended = end(&agent, 0xa);
        assert_eq!((&ended["released"], &ended["left"]), (&json!(1), &json!(1)), "{target}: {ended}");
        let failed = ended["failed"].as_array().unwrap();
        assert_eq!(failed.len(), 2, "{target}: {ended}");
        for (failure, parts) in failed.iter().zip([["CloseWithForce", "2 parameters"], ["CloseThing", "\"result\":5"]])
        {
            assert_eq!(failure["kind"], "Thing");
            let why = failure["why"].as_str().unwrap();
            assert!(parts.iter().all(|part| why.contains(part)), "{target}: {why}");
        }
        assert_eq!(live(&agent), [stuck, strong, for_good], "{target}");
        assert_eq!(end(&agent, 0xa), json!({"released": 0, "failed": [], "left": 0}), "{target}: nobody's any more");
    }
}

#[test]
fn a_crash_while_a_session_ends_is_told_with_the_function_and_the_session() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 1, 0);
        opened(&agent, 0xa, "OpenThing", &json!({"number": 999}));
        let (status, text) = agent.send("DELETE", &format!("/sessions/lanes/{}?lane=0", id_of(0xa)), &Value::Null);
        assert_eq!(status, 0, "{target}: {text}");
        agent.ended();
        let record = agent.crash();
        assert_eq!(record["function"], "CloseThing", "{target}: {record}");
        assert_eq!(record["call_id"], id_of(0xa), "{target}: {record}");
        assert_eq!(agent.journal()[0], Ok(Slot::Running(id_of(0xa).parse().unwrap())), "{target}");
    }
}

#[test]
fn only_what_the_protocol_says_ends_a_session() {
    let mut agent = Agent::start(Target::Linux32);
    agent.load("lanes", 1, 0);
    let thing = opened(&agent, 0xa, "OpenThing", &json!({"number": 1}));
    let id = id_of(0xa);
    for (path, code) in [
        (format!("/sessions/lanes/{id}?lane=1"), "malformed_request"),
        (format!("/sessions/lanes/{id}"), "malformed_request"),
        (format!("/sessions/lanes/{id}?lane=-1"), "malformed_request"),
        (format!("/sessions/lanes/{id}?lane=0&lane=0"), "malformed_request"),
        ("/sessions/lanes/x?lane=0".to_owned(), "malformed_request"),
        ("/sessions/lanes?lane=0".to_owned(), "malformed_request"),
        (format!("/sessions/nobody/{id}?lane=0"), "not_loaded"),
    ] {
        agent.refused("DELETE", &path, &Value::Null, code);
    }
    let mut forged = agent.call("lanes", 1, "Count", &json!({}));
    forged["session"] = json!("mine");
    let list = json!({"library": "lanes", "revision": 1, "calls": [forged]});
    agent.refused("POST", "/calls", &list, "malformed_request");
    assert_eq!(live(&agent), [thing]);
}
