//! The standard streams of libraries: what they print is shown and never taken for an answer; what they read is empty.

use bridge32_tests::{Bridge, TARGETS, Value, json, within};

use crate::on_all_targets;

fn output() -> Bridge {
    on_all_targets("trouble")
}

/// Waits until the agent's last lines have one that contains `text`, and gives it.
fn line(bridge: &Bridge, agent: &str, text: &str) -> Value {
    within(5.0, &format!("{agent} shows {text:?}"), || {
        let agent = bridge.agent(agent);
        let lines = agent["output"].as_array().unwrap().clone();
        lines.into_iter().find(|line| line["text"].as_str().unwrap().contains(text))
    })
}

#[test]
fn what_a_library_prints_is_in_the_log_and_beside_its_agent() {
    let bridge = output();
    for target in TARGETS {
        let name = target.name();
        for (function, text, stream) in [
            ("Print", "through printf", "stdout"),
            ("PrintError", "through stderr", "stderr"),
            ("WriteDescriptor", "through write", "stdout"),
        ] {
            let printed = format!("{text} on {target}, {{\"index\":0,\"outcome\":{{}}}}");
            bridge.call(name, function, json!({"text": format!("{printed}\n")})).ok();
            let line = line(&bridge, name, text);
            assert_eq!((&line["text"], &line["stream"]), (&json!(printed), &json!(stream)), "{target}");
            bridge.logs(&[&printed, name]);
        }
        assert_eq!(bridge.call(name, "EchoInt", json!({"value": 5})).result(), 5, "{target}");
        assert_eq!(bridge.generation(name), 1, "{target}");
    }
}

#[test]
fn a_line_in_pieces_is_one_line() {
    let bridge = output();
    for target in TARGETS {
        for text in ["one ", "line ", "in pieces\n"] {
            bridge.call(target.name(), "Print", json!({"text": text})).ok();
        }
        assert_eq!(line(&bridge, target.name(), "in pieces")["text"], "one line in pieces", "{target}");
    }
}

#[test]
fn the_last_words_before_a_crash_are_kept() {
    let bridge = output();
    for target in TARGETS {
        bridge.call(target.name(), "Print", json!({"text": "last words\n"})).ok();
        bridge.call(target.name(), "WriteToNull", json!({})).refused(502, "agent_crashed");
        let line = line(&bridge, target.name(), "last words");
        assert_eq!(line["generation"], 1, "{target}");
    }
}

#[test]
fn a_flood_of_output_blocks_nobody() {
    let bridge = output();
    for target in TARGETS {
        bridge.call(target.name(), "Flood", json!({"kilobytes": 3000})).ok();
        assert_eq!(bridge.call(target.name(), "EchoInt", json!({"value": 5})).result(), 5, "{target}");
        let kept = bridge.agent(target.name())["output"].as_array().unwrap().len();
        assert!(kept <= 1000, "{target}: {kept} lines are kept");
    }
}

#[test]
fn a_library_that_closes_its_outputs_can_still_be_called() {
    let bridge = output();
    for target in TARGETS {
        bridge.call(target.name(), "CloseOutputs", json!({})).ok();
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(bridge.call(target.name(), "EchoInt", json!({"value": 5})).result(), 5, "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn a_library_that_reads_gets_the_end_of_its_input() {
    let bridge = output();
    for target in TARGETS {
        assert_eq!(bridge.call(target.name(), "ReadCharacter", json!({})).result(), -1, "{target}");
        assert_eq!(bridge.call(target.name(), "ReadDescriptor", json!({})).result(), 0, "{target}");
        assert_eq!(bridge.call(target.name(), "EchoInt", json!({"value": 5})).result(), 5, "{target}");
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}
