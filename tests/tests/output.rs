//! The standard streams of libraries: what they print is shown and never taken for an answer; what they read is empty.

use bridge32_tests::{Bridge, Config, TARGETS, Value, bridge, fixture, json, within};

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

/// A bridge that keeps what the fixture prints with the call that printed it.
fn per_call() -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS {
            let mut library = config.library(target.name(), fixture::library("trouble", target));
            library.header(fixture::header("trouble")).set("output", "calls");
        }
    })
}

/// What the history has of a call's output.
fn printed(bridge: &Bridge, id: &Value) -> Option<String> {
    let id = id.as_str().unwrap();
    let call = within(5.0, "the call is in the history", || {
        let call = bridge.client().get(&format!("/v1/calls/{id}")).ok();
        (!call["library_us"].is_null()).then_some(call)
    });
    // In text mode C libraries of Windows write another end of a line.
    call["output"].as_str().map(|text| text.replace("\r\n", "\n"))
}

#[test]
fn what_a_call_prints_is_kept_with_it() {
    let bridge = per_call();
    for target in TARGETS {
        let name = target.name();
        for (function, text) in [
            ("Print", "a line\nand a half"),
            ("PrintError", "an error\n"),
            ("WriteDescriptor", "past the streams\n"),
            ("Print", "\u{1e}00112233445566778899aabbccddeeff:00112233445566778899aabbccddeeff\u{1e}\n"),
        ] {
            let id = bridge.call(name, function, json!({"text": text})).ok()["call_id"].clone();
            assert_eq!(printed(&bridge, &id).as_deref(), Some(text), "{function} on {target}");
            if text.starts_with('\u{1e}') {
                // The log has another form of it.
                continue;
            }
            let last = text.trim_end().lines().last().unwrap();
            let call = id.as_str().unwrap();
            bridge.logs(&[last, &format!("call={call}"), &format!("trace_id={}", call.replace('-', ""))]);
        }
        let silent = bridge.call(name, "EchoInt", json!({"value": 5})).ok()["call_id"].clone();
        assert_eq!(printed(&bridge, &silent), None, "{target}");
        let much = bridge.call(name, "Flood", json!({"kilobytes": 100})).ok()["call_id"].clone();
        let text = printed(&bridge, &much).unwrap();
        assert!(text.len() < 17_000 && text.contains("bytes more)"), "{target}: {} bytes", text.len());
    }
}

#[test]
fn calls_that_are_sent_together_are_told_apart() {
    let bridge = per_call();
    for target in TARGETS {
        let answers: Vec<(String, Value)> = std::thread::scope(|scope| {
            let bridge = &bridge;
            let call = move |text: String| {
                let id = bridge.call(target.name(), "Print", json!({"text": text})).ok()["call_id"].clone();
                (text, id)
            };
            let one = move |thread: u32| (0..25).map(|round| call(format!("{thread} {round}"))).collect::<Vec<_>>();
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || one(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        for (text, id) in answers {
            assert_eq!(printed(&bridge, &id), Some(text), "{target}");
        }
    }
}

#[test]
fn last_words_are_those_of_the_call_that_ended_the_process() {
    let bridge = per_call();
    for target in TARGETS {
        let words = json!({"text": "last words\n"});
        let problem = bridge.call(target.name(), "LastWords", words).refused(502, "agent_crashed");
        assert_eq!(printed(&bridge, &problem["call_id"]).as_deref(), Some("last words\n"), "{target}");
        bridge.call_until(10.0, target.name(), "EchoInt", &json!({"value": 5}));
    }
}

#[test]
fn what_a_call_with_a_secret_prints_is_not_kept() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS {
            let mut library = config.library(target.name(), fixture::library("trouble", target));
            library.declares("void Print(const char *password);\nint EchoInt(int value);").set("output", "calls");
        }
    });
    for target in TARGETS {
        for secret in ["hunter2", "hunter2\n"] {
            let id = bridge.call(target.name(), "Print", json!({"password": secret})).ok()["call_id"].clone();
            let kept = printed(&bridge, &id).unwrap();
            let bytes = secret.len() + usize::from(target.is_windows() && secret.ends_with('\n'));
            assert_eq!(kept, format!("({bytes} bytes, not kept: the call has sensitive values)"), "{target}");
        }
        bridge.call(target.name(), "EchoInt", json!({"value": 5})).ok();
        line(&bridge, target.name(), "(7 bytes, not shown");
        assert!(!bridge.agent(target.name()).to_string().contains("hunter2"), "{target}");
    }
    assert!(!bridge.log().contains("hunter2"));
}

#[test]
fn no_mark_ends_up_in_a_file_that_took_the_place_of_an_output() {
    let bridge = per_call();
    for target in TARGETS {
        bridge.call(target.name(), "CloseOutputs", json!({})).ok();
        for value in 0..3 {
            let answer = bridge.call(target.name(), "EchoInt", json!({"value": value})).ok();
            assert_eq!((&answer["result"], printed(&bridge, &answer["call_id"])), (&json!(value), None), "{target}");
        }
        assert_eq!(bridge.generation(target.name()), 1, "{target}");
    }
}

#[test]
fn what_real_c_libraries_print_is_kept_with_the_call() {
    let bridge = Bridge::start(|config| {
        let header = "int puts(_In_z_ const char *text);\nint printf(_In_z_ const char *format, ...);";
        config.library("libc", "/usr/lib32/libc.so.6").declares(header).set("output", "calls");
        let msvcrt = "C:\\windows\\system32\\msvcrt.dll";
        config.library("msvcrt", msvcrt).declares(header).set("output", "calls").set("runtime", "win32");
    });
    for library in ["libc", "msvcrt"] {
        let id = bridge.call(library, "puts", json!({"text": "through puts"})).ok()["call_id"].clone();
        assert_eq!(printed(&bridge, &id).unwrap().trim_end(), "through puts", "{library}");
        let args = json!({"format": "%d of %s", "...": [{"type": "int", "value": 5}, {"type": "const char*", "value": library}]});
        let id = bridge.call(library, "printf", args).ok()["call_id"].clone();
        assert_eq!(printed(&bridge, &id), Some(format!("5 of {library}")));
    }
}

#[test]
fn a_library_whose_output_cannot_be_told_apart_is_refused() {
    for (key, value) in [("threads", toml::Value::Integer(2)), ("group", "others".into()), ("agent", "pc".into())] {
        let mut config = Config::new();
        let mut library = config.library("calc", fixture::library("trouble", TARGETS[0]));
        library.set("output", "calls").set(key, value);
        let text = bridge::refused(&config);
        assert!(text.contains("library.calc.output") && text.contains(key), "{text}");
    }
}
