//! What an agent has noted when it is gone, read by this system from the file that the agent had mapped.

use std::thread::scope;
use std::time::Duration;

use bridge32_protocol::journal::{SLOTS, Slot};
use bridge32_tests::agent::id_of;
use bridge32_tests::{Agent, TARGETS, Target, json, within};

fn id(number: u128) -> uuid::Uuid {
    id_of(number).parse().unwrap()
}

#[test]
fn each_call_is_noted_as_running_while_it_runs_and_as_done_afterwards() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 2, 5);
        assert!(agent.journal().iter().all(|slot| *slot == Ok(Slot::Idle)), "{target}");
        scope(|scope| {
            let nap = agent.call("lanes", 0x70, "Nap", &json!({"milliseconds": 800}));
            let napping = scope.spawn({
                let agent = &agent;
                move || agent.run("lanes", 1, &[nap])
            });
            within(5.0, "it is noted", || (agent.journal()[6] == Ok(Slot::Running(id(0x70)))).then_some(()));
            agent.run("lanes", 0, &[agent.call("lanes", 0x71, "Count", &json!({}))]);
            assert_eq!(agent.journal()[5], Ok(Slot::Done(id(0x71))), "{target}");
            napping.join().unwrap();
        });
        let journal = agent.journal();
        assert_eq!(journal[6], Ok(Slot::Done(id(0x70))), "{target}");
        let others = journal.iter().enumerate().filter(|(slot, _)| ![5, 6].contains(slot));
        assert!(others.clone().all(|(_, slot)| *slot == Ok(Slot::Idle)) && others.count() == SLOTS - 2, "{target}");
    }
}

#[test]
fn blocks_of_memory_are_noted_and_what_was_refused_is_not() {
    let mut agent = Agent::start(Target::Linux32);
    agent.load("lanes", 1, 0);
    let block = json!({"id": id_of(1), "callee": "allocate", "args": {"size": 8}});
    agent.run("lanes", 0, &[block]);
    assert_eq!(agent.journal()[0], Ok(Slot::Done(id(1))));
    let refused = agent.run("lanes", 0, &[agent.call("lanes", 2, "Nap", &json!({"milliseconds": "soon"}))]);
    assert_eq!(refused[0]["fault"]["code"], "argument_mismatch");
    assert_eq!(agent.journal()[0], Ok(Slot::Done(id(1))), "it has not run");
}

#[test]
fn after_the_end_the_journal_tells_which_calls_were_not_entered() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 1, 127);
        let calls = [
            agent.call("lanes", 1, "Count", &json!({})),
            agent.call("lanes", 2, "Crash", &json!({})),
            agent.call("lanes", 3, "Count", &json!({})),
        ];
        agent.run("lanes", 0, &calls);
        agent.ended();
        assert_eq!(agent.journal()[127], Ok(Slot::Running(id(2))), "{target}");
    }
}

#[test]
fn a_killed_process_leaves_its_notes() {
    for target in TARGETS {
        let mut agent = Agent::start(target);
        agent.load("lanes", 1, 0);
        scope(|scope| {
            let nap = agent.call("lanes", 4, "Nap", &json!({"milliseconds": 60_000}));
            let killed = scope.spawn({
                let agent = &agent;
                move || agent.run("lanes", 0, &[nap])
            });
            within(5.0, "it is noted", || (agent.journal()[0] == Ok(Slot::Running(id(4)))).then_some(()));
            agent.kill();
            assert!(killed.join().unwrap().is_empty());
        });
        agent.ended();
        assert_eq!(agent.journal()[0], Ok(Slot::Running(id(4))), "{target}");
    }
}

#[test]
fn without_a_journal_or_with_one_that_cannot_be_used_calls_run_all_the_same() {
    let none = tempfile::tempdir().unwrap();
    let short = none.path().join("short");
    std::fs::write(&short, [0; 100]).unwrap();
    for journal in [json!(null), json!("/no/such/file"), json!(short.to_str().unwrap()), json!("")] {
        let mut agent = Agent::start_with(Target::Linux32, |handover| handover["journal"] = journal.clone());
        agent.load("lanes", 2, 0);
        for lane in [0, 1] {
            let outcome = agent.run("lanes", lane, &[agent.call("lanes", 1, "Count", &json!({}))]);
            assert!(outcome[0]["returned"].is_object(), "{journal}");
        }
        std::thread::sleep(Duration::from_millis(20));
        assert!(agent.journal().iter().all(|slot| *slot == Ok(Slot::Idle)), "{journal}");
    }
}
