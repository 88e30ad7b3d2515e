//! The commands of `bridge32` beside `serve` and `exports`.

use bridge32_tests::bridge::run;
use bridge32_tests::{Bridge, Config, HOME, TARGETS_32, Target, Value, base64, fixture, json};

#[test]
fn call_prints_the_result_and_the_outputs() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            config.library(target.name(), fixture::library("memory", target)).header(fixture::header("memory"));
        }
    });
    let url = format!("http://{}", bridge.client().authority());
    for target in TARGETS_32 {
        let call = |arguments: &[&str]| run(&[&["call", "--url", &url, target.name()], arguments].concat());
        let (code, output, notes) = call(&["Divide", "dividend=17", "divisor=5"]);
        assert_eq!((code, output.as_str()), (Some(0), "0\nquotient = 3\nremainder = 2\n"), "{target}: {notes}");
        let (code, output, _) = call(&["Divide", "dividend=17", "divisor=5", "--json"]);
        let answer: Value = serde_json::from_str(&output).unwrap();
        assert_eq!((code, &answer["outputs"]), (Some(0), &json!({"quotient": 3, "remainder": 2})), "{target}");
        let (code, output, notes) = call(&["SumInts", "values=[1,2,39]"]);
        assert_eq!((code, output.as_str()), (Some(0), "42\n"), "{target}: {notes}");
        let file = bridge.config().folder().join("data.bin");
        std::fs::write(&file, [1, 2, 3]).unwrap();
        let (code, output, notes) = call(&["SumBytes", &format!("data=@{}", file.display())]);
        assert_eq!((code, output.as_str()), (Some(0), "6\n"), "{target}: {notes}");
        let (code, output, notes) = call(&["SumBytes", &format!("data=base64:{}", base64([9]))]);
        assert_eq!((code, output.as_str()), (Some(0), "9\n"), "{target}: {notes}");
    }
}

#[test]
fn call_tells_what_is_wrong_and_by_its_exit_code() {
    let bridge = Bridge::start(|config| {
        config.library("memory", fixture::library("memory", HOME)).header(fixture::header("memory"));
    });
    let url = format!("http://{}", bridge.client().authority());
    let (code, output, notes) = run(&["call", "--url", &url, "memory", "Divide", "dividend=4294967296", "divisor=1"]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(notes.contains("dividend: 4294967296 is out of range"), "{notes}");
    assert!(
        notes.contains("argument_mismatch (422, nothing was called)\n  usage: bridge32 call memory Divide "),
        "{notes}"
    );
    let (code, _, notes) = run(&["call", "--url", &url, "memory", "Divide", "dividend=x"]);
    assert!(code == Some(2) && notes.contains("dividend: `x` is no integer"), "{notes}");
    let (code, _, notes) = run(&["call", "--url", &url, "nope", "Divide"]);
    assert!(code == Some(1) && notes.contains("unknown_library"), "{notes}");
    let (code, _, notes) = run(&["call", "--url", &url, "memory", "Divide", "17", "5"]);
    assert!(code == Some(2) && notes.contains("argument 1 is not name=value"), "{notes}");
    assert!(notes.contains("usage: bridge32 call memory Divide dividend=… divisor=…"), "{notes}");
    let (code, _, notes) = run(&["call", "--url", &url, "memory", "SumBytes", "data=test"]);
    assert!(code == Some(2) && notes.contains("data=base64:test"), "{notes}");
    let (code, _, notes) = run(&["call", "--url", &url, "memory", "Divid", "dividend=1"]);
    assert!(code == Some(1) && notes.contains("`bridge32 call memory`") && !notes.contains("GET /"), "{notes}");
    let (code, _, notes) = run(&["call", "--url", "http://127.0.0.1:1", "memory", "Divide"]);
    assert!(code == Some(3) && notes.contains("bridge32 serve"), "{notes}");
}

#[test]
fn call_signs_with_the_key_of_the_configuration() {
    let bridge = Bridge::start(|config| {
        config.key("tester", &["call:memory", "read"]);
        config.key("reader", &["read"]);
        config.library("memory", fixture::library("memory", HOME)).header(fixture::header("memory"));
    });
    let url = format!("http://{}", bridge.client().authority());
    let file = bridge.config().folder().join("bridge32.toml");
    let call = |more: &[&str]| {
        let start = ["call", "--url", &url, "--config", file.to_str().unwrap()];
        run(&[&start, more, &["memory", "Bump", "value=1"]].concat())
    };
    let (code, output, notes) = call(&[]);
    assert_eq!((code, output.as_str()), (Some(0), "null\nvalue = 2\n"), "{notes}");
    let (code, _, notes) = call(&["--key", "reader"]);
    assert!(code == Some(1) && notes.contains("forbidden"), "{notes}");
    assert_eq!(call(&["--key", "nobody"]).0, Some(2));
}

#[test]
fn check_finds_a_good_configuration_good() {
    let mut config = Config::new();
    for target in TARGETS_32 {
        config.library(target.name(), fixture::library("plain", target)).header(fixture::header("plain"));
    }
    let file = config.write();
    let (code, output, notes) = run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{output}{notes}");
    assert!(output.contains("library linux32") && !output.contains("problem"), "{output}");
    let (code, output, _) = run(&["check", "--config", file.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(code, Some(0), "{report}");
    assert!(report["libraries"].as_array().unwrap().iter().all(|library| library["functions"] == 1), "{report}");
}

#[test]
fn check_names_every_problem_at_once() {
    let mut config = Config::new();
    let header = "int Five(void);\nint NotThere(int a);\nint broken(int\n";
    config.library("broken_header", fixture::library("plain", HOME)).declares(header);
    config.library("absent", "absent.so");
    config.library("other_kind", fixture::library("plain", Target::Linux64)).set("runtime", "linux32");
    config.library("no_header", fixture::library("plain", Target::Win32)).set("header", "absent.h");
    let command: toml::Value = vec!["/nowhere/agent64"].into();
    config.runtime("linux64").insert("command".into(), command);
    let file = config.write();
    let (code, output, _) = run(&["check", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{output}");
    for part in [
        "broken_header.h:3",
        "NotThere cannot be called: the file does not export it",
        "absent.so",
        "x86_64",
        "absent.h",
        "/nowhere/agent64",
    ] {
        assert!(output.contains(part), "no {part} in {output}");
    }
    let (code, output, _) = run(&["check", "--config", file.to_str().unwrap(), "--json"]);
    let report: Value = serde_json::from_str(&output).unwrap();
    let with_problems =
        report["libraries"].as_array().unwrap().iter().filter(|library| library["problems"] != json!([]));
    assert_eq!((code, with_problems.count()), (Some(1), 4), "{report}");
}

#[test]
fn check_refuses_what_is_no_configuration() {
    let (code, _, notes) = run(&["check", "--config", "/nowhere/bridge32.toml"]);
    assert!(code == Some(1) && notes.contains("/nowhere/bridge32.toml"), "{notes}");
    let config = Config::new();
    let file = config.folder().join("bad.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:0\"\nlisten = 5\n").unwrap();
    let (code, _, notes) = run(&["check", "--config", file.to_str().unwrap()]);
    assert!(code == Some(1) && notes.contains("bad.toml:2"), "{notes}");
}

#[test]
fn every_command_explains_itself() {
    for command in [
        "init",
        "serve",
        "call",
        "calls",
        "curl",
        "sign",
        "exports",
        "interface",
        "import",
        "check",
        "doctor",
        "completions",
    ] {
        let (code, output, _) = run(&[command, "--help"]);
        assert!(code == Some(0) && output.contains("Examples:"), "{command}: {output}");
    }
    let (code, output, _) = run(&["--version"]);
    assert!(code == Some(0) && output.starts_with("bridge32 "), "{output}");
    assert_eq!(run(&["nonsense"]).0, Some(2));
}

#[test]
fn call_reads_values_by_the_types_of_the_header() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            config.library(target.name(), fixture::library("memory", target)).header(fixture::header("memory"));
        }
    });
    let url = format!("http://{}", bridge.client().authority());
    for target in TARGETS_32 {
        let call = |arguments: &[&str]| run(&[&["call", "--url", &url, target.name()], arguments].concat());
        let (code, output, notes) = call(&["Divide", "dividend=0x11", "divisor=5"]);
        assert_eq!((code, output.as_str()), (Some(0), "0\nquotient = 3\nremainder = 2\n"), "{target}: {notes}");
        let (code, output, notes) = call(&["SumInts", "values=1,2,39"]);
        assert_eq!((code, output.as_str()), (Some(0), "42\n"), "{target}: {notes}");
        let (code, output, notes) = call(&["SumBytes", "data='abc'"]);
        assert_eq!((code, output.as_str()), (Some(0), "294\n"), "{target}: {notes}");
    }
}

#[test]
fn call_says_what_is_missing_or_unknown_before_anything_is_sent() {
    let bridge = Bridge::start(|config| {
        config.library("memory", fixture::library("memory", HOME)).header(fixture::header("memory"));
    });
    let url = format!("http://{}", bridge.client().authority());
    let call = |arguments: &[&str]| run(&[&["call", "--url", &url, "memory"], arguments].concat());
    let (code, output, notes) = call(&["Divide", "dividend=1"]);
    assert_eq!((code, output.as_str()), (Some(2), ""));
    assert!(
        notes.contains("`divisor` is missing\n  usage: bridge32 call memory Divide dividend=… divisor=…"),
        "{notes}"
    );
    let (code, _, notes) = call(&["Divide", "dividend=1", "divsor=2"]);
    assert!(code == Some(2) && notes.contains("no parameter `divsor`; did you mean `divisor`?"), "{notes}");
    let (code, _, notes) = call(&["Divide", "dividend=1", "divisor=2", "quotient=3"]);
    assert!(code == Some(2) && notes.contains("`quotient` is an output of Divide: leave it out"), "{notes}");
    assert_eq!(bridge.client().get("/v1/libraries/memory").ok()["state"], "ready");
}

#[test]
fn call_explains_libraries_and_functions_with_and_without_a_gateway() {
    let bridge = Bridge::start(|config| {
        config.library("memory", fixture::library("memory", HOME)).header(fixture::header("memory"));
    });
    let url = format!("http://{}", bridge.client().authority());
    let file = bridge.config().folder().join("bridge32.toml");
    for (address, config) in [(url.as_str(), vec![]), ("http://127.0.0.1:1", vec!["--config", file.to_str().unwrap()])]
    {
        let start = [&["call", "--url", address][..], &config].concat();
        let (code, output, notes) = run(&[&start[..], &["memory"]].concat());
        assert!(code == Some(0) && output.contains("\n  Divide"), "{output}{notes}");
        let (code, output, notes) = run(&[&start[..], &["memory", "Divide", "--help"]].concat());
        assert_eq!(code, Some(0), "{notes}");
        for part in ["usage: bridge32 call memory Divide dividend=… divisor=…", "quotient: out, ", "Example\n"] {
            assert!(output.contains(part), "no {part} in {output}");
        }
        // The example is a command that works.
        let line = output.lines().find_map(|line| line.trim().strip_prefix("bridge32 call ")).unwrap();
        if address == url {
            let (code, _, notes) =
                run(&[&["call", "--url", address], &line.split(' ').collect::<Vec<_>>()[..]].concat());
            assert_eq!(code, Some(0), "{line}: {notes}");
        }
        let (code, _, notes) = run(&[&start[..], &["memory", "Divid", "--help"]].concat());
        assert!(code == Some(1) && notes.contains("Did you mean `Divide`?"), "{notes}");
    }
    for (address, config) in [(url.as_str(), vec![]), ("http://127.0.0.1:1", vec!["--config", file.to_str().unwrap()])]
    {
        let (code, output, notes) = run(&[&["call", "--url", address][..], &config].concat());
        assert!(
            code == Some(0) && output.contains("\n  memory\n") && output.contains("bridge32 call memory"),
            "{notes}"
        );
        let (_, output, _) = run(&[&["call", "--json", "--url", address][..], &config].concat());
        assert_eq!(serde_json::from_str::<Value>(&output).unwrap(), json!({"libraries": ["memory"]}));
    }
    let (code, _, notes) = run(&["call", "--url", "http://127.0.0.1:1"]);
    assert!(code == Some(2) && notes.contains("which library?") && notes.lines().count() == 1, "{notes}");
    let (code, output, _) = run(&["call", "--help"]);
    assert!(code == Some(0) && output.contains("name:=JSON") && output.contains("name=\"'TEXT'\""), "{output}");
}

#[test]
fn call_writes_a_buffer_into_a_file() {
    let bridge = Bridge::start(|config| {
        let header =
            "int compress(_Out_writes_bytes_to_(*destLen, *destLen) unsigned char *dest, unsigned long *destLen,
            _In_reads_bytes_(sourceLen) const unsigned char *source, unsigned long sourceLen);";
        config.library("z", "/usr/lib32/libz.so.1").declares(header);
    });
    let url = format!("http://{}", bridge.client().authority());
    let file = bridge.config().folder().join("packed");
    let text = format!("source='{}'", "abc".repeat(300));
    let output = format!("dest={}", file.display());
    let (code, shown, notes) =
        run(&["call", "--url", &url, "z", "compress", "destLen=4096", &text, "--output", &output]);
    assert_eq!(code, Some(0), "{notes}");
    let packed = std::fs::read(&file).unwrap();
    assert!(packed.starts_with(&[0x78]) && shown.contains(&format!("destLen = {}", packed.len())), "{shown}");
    let (code, shown, notes) =
        run(&["call", "--url", &url, "z", "compress", "destLen=4096", &format!("source=@{}", file.display())]);
    assert!(code == Some(0) && shown.contains("dest = \""), "{shown}{notes}");
    let (code, _, notes) =
        run(&["call", "--url", &url, "z", "compress", "destLen=4096", "source=", "--output", "dst=x"]);
    assert!(code == Some(2) && notes.contains("`result` and dest, destLen"), "{notes}");
}

#[test]
fn calls_that_go_on_are_listed_waited_for_and_cancelled() {
    let bridge = Bridge::start(|config| {
        config.library("trouble", fixture::library("trouble", HOME)).header(fixture::header("trouble"));
    });
    let url = format!("http://{}", bridge.client().authority());
    let with = |command: &str, more: &[&str]| run(&[&[command, "--url", &url], more].concat());
    let (code, output, notes) = with("call", &["trouble", "Nap", "milliseconds=300", "--async"]);
    let id = output.trim();
    assert!(code == Some(0) && notes.contains(&format!("bridge32 calls {id} --wait")), "{output}{notes}");
    let (code, output, notes) = with("calls", &[id, "--wait", "20"]);
    assert_eq!((code, output.as_str()), (Some(0), "300\n"), "{notes}");
    let key = ["trouble", "ProcessId", "--idempotency-key", "once", "--json"];
    let (first, second) = (with("call", &key), with("call", &key));
    assert_eq!((first.0, &first.1), (Some(0), &second.1), "{}", first.2);
    let (code, _, notes) = with("call", &["trouble", "Nap", "milliseconds=20000", "--wait", "0.2"]);
    assert!(code == Some(1) && notes.contains("deadline_exceeded (504, the function may have run)"), "{notes}");
    let (_, output, _) = with("call", &["trouble", "Nap", "milliseconds=20000", "--async"]);
    let id = output.trim();
    let (code, output, notes) = with("calls", &[]);
    assert!(code == Some(0) && output.starts_with(id) && output.lines().count() == 4, "{output}{notes}");
    assert!(output.contains("returned            trouble.ProcessId") && notes.contains("4 calls"), "{output}{notes}");
    let (code, output, notes) = with("calls", &["--function", "Nap", "--outcome", "failed", "--since", "1h"]);
    assert!(code == Some(0) && output.contains("deadline_exceeded") && notes.contains("1 call"), "{output}{notes}");
    let (_, output, notes) = with("calls", &["--limit", "2"]);
    assert!(output.lines().count() == 2 && notes.contains("older"), "{output}{notes}");
    let (code, _, notes) = with("calls", &["--since", "soon"]);
    assert!(code == Some(1) && notes.contains("`since=soon`"), "{notes}");
    assert_eq!(with("calls", &[id, "--cancel"]).0, Some(0));
    let (code, _, notes) = with("calls", &[id, "--wait", "10"]);
    assert!(code == Some(1) && notes.contains("cancelled (409"), "{notes}");
    let (code, _, notes) = with("calls", &[id, "--cancel"]);
    assert!(code == Some(1) && notes.contains("call_ended"), "{notes}");
    assert_eq!(with("calls", &["--cancel"]).0, Some(2));
    assert!(with("calls", &["nothing"]).2.contains("unknown_call"));
}
