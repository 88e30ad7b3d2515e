//! How an agent sees itself: its health, and what it shows while it does not get on.

use bridge32_tests::{Agent, HOME, TARGETS, Target, Value, json, within};

#[test]
fn the_heartbeat_tells_how_full_the_process_is() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 4, 0);
        let health = within(10.0, "the new threads are counted", || {
            let health = agent.health();
            (health["threads"].as_u64()? >= 6).then_some(health)
        });
        // Wine does not tell.
        let handles = health["handles"].as_u64().map_or(target.is_windows(), |count| (3..1000).contains(&count));
        assert!(handles, "{target}: {health}");
        assert!(health["resident_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{target}: {health}");
        if target == Target::Linux64 {
            assert!(health["largest_free_bytes"].is_null() && health["address_space_bytes"].is_null(), "{health}");
            continue;
        }
        let (taken, free) = (&health["address_space_bytes"], &health["largest_free_bytes"]);
        let (taken, free) = (taken.as_u64().unwrap(), free.as_u64().unwrap());
        assert!(taken > 8 << 20 && free > 256 << 20 && taken + free < 1 << 32, "{target}: {health}");
        // A quarter of what is free in one piece is taken.
        let made = json!({"id": bridge32_tests::agent::id_of(1), "callee": "allocate", "args": {"size": 60 << 20}});
        let outcomes = agent.run("lanes", 0, &[made.clone(), made]);
        assert!(outcomes.iter().all(|outcome| outcome["returned"].is_object()), "{target}: {outcomes:?}");
        within(10.0, "it is seen", || {
            (agent.health()["address_space_bytes"].as_u64()? > taken + (110 << 20)).then_some(())
        });
    }
}

#[test]
fn a_thread_that_hangs_is_seen_on_linux() {
    let mut agent = Agent::start(Target::Linux32);
    agent.load("lanes", 1, 0);
    std::thread::scope(|scope| {
        let nap = agent.call("lanes", 1, "Nap", &json!({"milliseconds": 1500}));
        let napping = scope.spawn({
            let agent = &agent;
            move || agent.run("lanes", 0, &[nap])
        });
        within(5.0, "it is seen", || {
            let seen = agent.ok("GET", "/observation", &Value::Null);
            let first = seen["notes"][0].as_str()?.to_owned();
            (first.contains("`apartment lanes` waits") && first.contains("nanosleep")).then_some(())
        });
        napping.join().unwrap();
    });
}

#[test]
fn a_window_that_is_shown_while_a_library_is_loaded_is_seen_with_its_texts() {
    let mut agent = Agent::start(Target::Win32);
    let library = bridge32_tests::fixture::library("dongle", Target::Win32);
    let mut load = agent.load_of("lanes", &library, 1, 0);
    load["interface"] = json!(bridge32_tests::agent::prototype("", Target::Win32));
    assert_eq!(agent.ok("GET", "/observation", &Value::Null), json!({"windows": [], "notes": []}));
    std::thread::scope(|scope| {
        let loading = scope.spawn({
            let (agent, load) = (&agent, &load);
            move || agent.send("PUT", "/libraries/dongle", load)
        });
        let window = within(20.0, "it is seen", || {
            let seen = agent.ok("GET", "/observation", &Value::Null);
            seen["windows"].as_array()?.first().cloned().filter(|window| window["title"] == "Licence")
        });
        let texts: Vec<&str> = window["texts"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(texts.contains(&"Please insert the dongle") && texts.contains(&"OK"), "{window}");
        agent.kill();
        loading.join().unwrap();
    });
}

#[test]
fn a_constructor_that_hangs_is_seen_while_its_library_is_loaded() {
    let mut agent = Agent::start(Target::Linux32);
    let library = bridge32_tests::fixture::library("dongle", HOME);
    let mut load = agent.load_of("lanes", &library, 1, 0);
    load["interface"] = json!(bridge32_tests::agent::prototype("", Target::Linux32));
    std::thread::scope(|scope| {
        let loading = scope.spawn({
            let (agent, load) = (&agent, &load);
            move || agent.send("PUT", "/libraries/dongle", load)
        });
        within(20.0, "it is seen", || {
            let seen = agent.ok("GET", "/observation", &Value::Null);
            seen["notes"][0].as_str()?.contains("`apartment dongl` waits").then_some(())
        });
        agent.kill();
        loading.join().unwrap();
    });
}
