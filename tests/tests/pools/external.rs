//! Several agents that somebody else starts, for one library.

use bridge32_tests::{Bridge, Config, Joined, TARGETS_32, Target, within};

use super::{SOON, add, generation_of, in_state, works};

struct Fleet {
    bridge: Bridge,
    gateway: String,
    secret: String,
    target: Target,
}

impl Fleet {
    fn new(target: Target) -> Self {
        let mut config = Config::new();
        let gateway = config.fixed_port();
        config.key("all", &["call:*", "read", "manage"]);
        let (_, secret) = config.key_with_secret("card", &["agent"]);
        add(&mut config, target, |table| _ = table.set("agent", vec!["a", "b"]).set("deadline", "20s"));
        config.do_not_wait();
        Self { bridge: Bridge::with(config), gateway, secret, target }
    }

    fn join(&self, id: &str) -> Joined {
        Joined::start(self.bridge.config().folder(), self.target, &self.gateway, id, "card", &self.secret)
    }

    fn ready(&self, wanted: &[&str]) {
        within(SOON, "they are ready", || (in_state(&self.bridge, "ready") == wanted).then_some(()));
    }
}

#[test]
fn calls_go_on_while_agents_of_somebody_else_join_and_leave() {
    for target in TARGETS_32 {
        let fleet = Fleet::new(target);
        assert_eq!(in_state(&fleet.bridge, "waiting"), ["a", "b"], "{target}");
        let mut a = fleet.join("a");
        fleet.ready(&["a"]);
        works(&fleet.bridge);
        let mut b = fleet.join("b");
        fleet.ready(&["a", "b"]);
        let mut starts = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let made = fleet.bridge.client().post("/v1/libraries/pool/memory", &bridge32_tests::json!({"size": 8}));
            starts.insert(generation_of(&made.is(201)["handle"]));
        }
        assert_eq!(starts.len(), 2, "{target}: both get calls");
        a.kill();
        works(&fleet.bridge);
        within(SOON, "its lease is over", || (in_state(&fleet.bridge, "waiting") == ["a"]).then_some(()));
        works(&fleet.bridge);
        let again = fleet.join("a");
        fleet.ready(&["a", "b"]);
        b.kill();
        works(&fleet.bridge);
        within(SOON, "its lease is over", || (in_state(&fleet.bridge, "waiting") == ["b"]).then_some(()));
        works(&fleet.bridge);
        drop(again);
    }
}
