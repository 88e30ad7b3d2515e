//! What is told of a library that takes its process down: what happened, where, in which call; and the report that stays.

use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, TARGETS_32, Target, Value, json};

fn crashing() -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS_32 {
            // In the order of the source, so that an export stands before the code without a name.
            let mut library = Fixture::new("crash").flag("-fno-toplevel-reorder");
            if !target.is_windows() {
                library = library.linked_to(std::path::Path::new("/usr/lib32/libstdc++.so.6"));
            }
            config.library(target.name(), library.build(target)).header(fixture::header("crash"));
        }
    })
}

/// A way to end the process.
struct End {
    function: &'static str,
    arguments: &'static str,
    /// What the words must have, on Linux and on Windows.
    words: [&'static str; 2],
    /// Whether the code that did it is the function's own.
    own_code: bool,
}

const fn end(function: &'static str, linux: &'static str, windows: &'static str, own_code: bool) -> End {
    End { function, arguments: "{}", words: [linux, windows], own_code }
}

const ENDS: [End; 11] = [
    end("WriteToNull", "SIGSEGV", "0xC0000005", true),
    end("ReadFar", "SIGSEGV", "0xC0000005", true),
    End { arguments: r#"{"value": 5}"#, ..end("DivideByZero", "SIGFPE", "0xC0000094", true) },
    end("IllegalInstruction", "SIGILL", "0xC000001D", true),
    End { arguments: r#"{"depth": 0}"#, ..end("OverflowStack", "SIGSEGV", "0xC00000FD", false) },
    end("JumpToNull", "SIGSEGV", "0xC0000005", false),
    end("Abort", "SIGABRT", "abort", false),
    end("ThrowException", "SIGABRT", "0xE06D7363", false),
    End { arguments: r#"{"code": 3}"#, ..end("Exit", "exit(3)", "exit", false) },
    end("CrashElsewhere", "SIGSEGV", "0xC0000005", false),
    end("CrashWithoutHeap", "SIG", "0xC", false),
];

/// Waits until the library answers again after a crash.
fn works(bridge: &Bridge, target: Target) {
    bridge.call_until(10.0, target.name(), "EchoInt", &json!({"value": 32}));
}

/// The newest report of an agent.
fn newest(bridge: &Bridge, target: Target) -> Value {
    let list = bridge.client().get(&format!("/v1/agents/{target}/crashes")).ok();
    list["crashes"].get(0).unwrap_or_else(|| panic!("no report on {target}: {list}")).clone()
}

#[test]
fn a_crash_is_told_in_words_with_its_place_and_its_call() {
    let bridge = crashing();
    for target in TARGETS_32 {
        for End { function, arguments, words, own_code } in ENDS {
            let problem = bridge.call_raw(target.name(), function, arguments).refused(502, "agent_crashed");
            let detail = problem["detail"].as_str().unwrap();
            let words = words[usize::from(target.is_windows())];
            assert!(detail.contains(words), "{function} on {target}: {words}: {detail}");
            assert!(detail.contains(function), "the function that was running on {target}: {detail}");
            assert_eq!(problem["execution"], "may_have_run", "{function} on {target}");
            let record = &problem["crash"];
            assert_eq!(record["function"], function, "{target}: {problem}");
            assert_eq!(record["call_id"], problem["call_id"], "{function} on {target}: {problem}");
            assert_eq!(record["library"], target.name(), "{function} on {target}: {problem}");
            if own_code {
                let file = if target.is_windows() { "crash.dll" } else { "crash.so" };
                assert_eq!(record["module"], file, "{function} on {target}: {problem}");
                assert_eq!(record["symbol"], function, "{target}: {problem}");
                assert!(
                    record["offset"].as_u64() > record["symbol_offset"].as_u64(),
                    "{function} on {target}: {problem}"
                );
                assert!(detail.contains(&format!("{file}+0x")), "{function} on {target}: {detail}");
            }
            works(&bridge, target);
        }
    }
}

#[test]
fn the_report_of_a_crash_is_kept() {
    let bridge = crashing();
    for target in TARGETS_32 {
        assert_eq!(bridge.client().get(&format!("/v1/agents/{target}/crashes")).ok()["crashes"], json!([]));
        let problem = bridge.call(target.name(), "WriteToNull", json!({})).refused(502, "agent_crashed");
        works(&bridge, target);
        let report = newest(&bridge, target);
        let text = report.to_string();
        for part in [problem["call_id"].as_str().unwrap(), "WriteToNull", target.name()] {
            assert!(text.contains(part), "{part} on {target}: {text}");
        }
        let name = problem["report"].as_str().unwrap_or_else(|| panic!("no report: {problem}"));
        let shown = bridge.client().get(&format!("/v1/crashes/{name}")).ok();
        assert!(shown.to_string().contains(problem["call_id"].as_str().unwrap()), "{target}: {shown}");
        bridge.call(target.name(), "Abort", json!({})).refused(502, "agent_crashed");
        works(&bridge, target);
        assert!(newest(&bridge, target).to_string().contains("Abort"), "the newest is first on {target}");
    }
    for wrong in ["nothing.json", "..%2f..%2fbridge32.toml", "..%5cbridge32.toml"] {
        bridge.client().get(&format!("/v1/crashes/{wrong}")).refused(404, "unknown_report");
    }
}

#[test]
fn the_nearest_export_stands_for_code_without_a_name() {
    let bridge = crashing();
    for target in TARGETS_32 {
        let problem = bridge.call(target.name(), "CrashInside", json!({})).refused(502, "agent_crashed");
        let record = &problem["crash"];
        assert_eq!(record["function"], "CrashInside", "{target}: {problem}");
        assert!(record["symbol"].is_string() && record["symbol_offset"].is_number(), "{target}: {problem}");
        assert!(record["access"].as_str().unwrap_or_default().contains("write"), "{target}: {problem}");
        works(&bridge, target);
    }
}

#[test]
fn a_thread_of_the_librarys_own_is_no_call() {
    let bridge = crashing();
    for target in TARGETS_32 {
        let problem = bridge.call(target.name(), "CrashInThread", json!({})).refused(502, "agent_crashed");
        let record = &problem["crash"];
        assert_eq!((record.get("function"), record.get("call_id")), (None, None), "{target}: {problem}");
        assert!(problem["call_id"].is_string(), "the call that was running is still told on {target}: {problem}");
        works(&bridge, target);
    }
}

#[test]
fn an_end_without_last_words_is_still_told() {
    let bridge = crashing();
    for target in TARGETS_32 {
        let problem = bridge.call(target.name(), "ExitAtOnce", json!({"code": 7})).refused(502, "agent_crashed");
        assert!(problem["detail"].as_str().unwrap().contains('7'), "{target}: {problem}");
        works(&bridge, target);
    }
}

#[test]
fn a_crash_behind_a_callback_is_that_of_its_call() {
    let bridge = crashing();
    for target in TARGETS_32 {
        let arguments = json!({"callback": {"record": true}});
        let problem = bridge.call(target.name(), "CallBackAndCrash", arguments).refused(502, "agent_crashed");
        assert_eq!(problem["crash"]["function"], "CallBackAndCrash", "{target}: {problem}");
        works(&bridge, target);
    }
}
