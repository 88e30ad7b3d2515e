//! Export tables: from the file itself, complete, in pages.

use std::collections::BTreeSet;

use bridge32_tests::bridge::run;
use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, TARGETS_32, Target, Value, json};

fn library(target: Target) -> std::path::PathBuf {
    let fixture = Fixture::new("exports");
    // The definition file alone says what the DLL exports.
    let fixture = if target.is_windows() { fixture.flag("-DAPI=").definitions("exports.def") } else { fixture };
    fixture.build(target)
}

fn exports() -> Bridge {
    Bridge::start(|config| {
        for target in TARGETS_32 {
            config
                .library(target.name(), library(target))
                .declares("int Plain(int a); int __stdcall Std(int a, int b);");
        }
        let kernel32 = config.library("kernel32", r"C:\windows\system32\kernel32.dll");
        { kernel32 }.set("runtime", "win32").declares("int WINAPI MulDiv(int a, int b, int c);");
    })
}

fn list(bridge: &Bridge, library: &str, query: &str) -> Vec<Value> {
    let answer = bridge.client().get(&format!("/v1/libraries/{library}/exports?{query}")).ok();
    answer["exports"].as_array().unwrap().clone()
}

fn named<'a>(exports: &'a [Value], name: &str) -> &'a Value {
    exports.iter().find(|export| export["name"] == name).unwrap_or_else(|| panic!("no {name} in {exports:?}"))
}

#[test]
fn every_kind_of_export_is_told() {
    let bridge = exports();
    for target in TARGETS_32 {
        let list = list(&bridge, target.name(), "limit=1000");
        assert_eq!(named(&list, "Plain")["kind"], "function", "{target}");
        assert_eq!(named(&list, "Plain")["declared"], true, "{target}");
        assert!(named(&list, "Plain")["address"].as_u64().is_some_and(|address| address > 0), "{target}");
        assert_eq!(named(&list, "Table")["kind"], "data", "{target}");
        assert_eq!(named(&list, "Table")["declared"], false, "{target}");
        assert_eq!(named(&list, "_Z7mangledi")["demangled"], "mangled(int)", "{target}");
    }
}

#[test]
fn a_dll_also_has_ordinals_forwarders_and_decorated_names() {
    let bridge = exports();
    let list = list(&bridge, "win32", "");
    assert_eq!(named(&list, "Plain")["ordinal"], 10);
    let decorated = named(&list, "_Std@8");
    let decoration = json!({"convention": "stdcall", "argument_bytes": 8, "bare": "Std"});
    assert_eq!((&decorated["decoration"], &decorated["declared"]), (&decoration, &json!(true)));
    let nameless = list.iter().find(|export| export["ordinal"] == 11).unwrap();
    assert_eq!((&nameless["name"], &nameless["kind"]), (&Value::Null, &json!("function")));
    let forwarded = named(&list, "Forwarded");
    assert_eq!((&forwarded["kind"], &forwarded["forwarder"]), (&json!("forwarder"), &json!("kernel32.GetTickCount")));
    assert_eq!(named(&list, "?Add@@YAHHH@Z")["demangled"], "int __cdecl Add(int, int)");
}

#[test]
fn a_forwarder_can_be_called_and_data_cannot() {
    let bridge = exports();
    let ticks = bridge.call_ad_hoc("win32", "unsigned int __stdcall Forwarded(void)", &json!({})).result();
    assert!(ticks.as_u64().is_some(), "{ticks}");
    for target in TARGETS_32 {
        let problem = bridge.call_ad_hoc(target.name(), "int Table(void)", &json!({}));
        problem.refused(422, "unsupported_declaration");
    }
}

#[test]
fn filters_and_kinds_combine() {
    let bridge = exports();
    let names = |library, query| -> Vec<String> {
        let list = list(&bridge, library, query);
        list.iter().filter_map(|export| export["name"].as_str().map(str::to_owned)).collect()
    };
    for target in TARGETS_32 {
        assert_eq!(names(target.name(), "filter=PLAI"), ["Plain"], "{target}");
        assert_eq!(names(target.name(), "filter=mangled(int"), ["_Z7mangledi"], "demangled names count on {target}");
        assert_eq!(names(target.name(), "kind=data"), ["Table"], "{target}");
        assert!(names(target.name(), "kind=function&filter=table").is_empty(), "{target}");
        assert!(names(target.name(), "declared=true").contains(&"Plain".to_owned()), "{target}");
        let path = format!("/v1/libraries/{target}/exports");
        for query in ["kind=things", "limit=x", "limit=0", "limit=5001", "cursor=x", "unknown=1"] {
            bridge.client().get(&format!("{path}?{query}")).refused(400, "malformed_request");
        }
    }
    assert_eq!(names("win32", "kind=forwarder"), ["Forwarded"]);
}

#[test]
fn pages_follow_each_other_without_loss_or_repetition() {
    let bridge = exports();
    let all = list(&bridge, "kernel32", "limit=5000");
    assert!(all.len() > 1000, "kernel32 has {} exports", all.len());
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = bridge.client().get(&format!("/v1/libraries/kernel32/exports?limit=173{cursor}")).ok();
        assert_eq!(answer["total"], all.len());
        let page = answer["exports"].as_array().unwrap();
        assert!(page.len() == 173 || answer.get("next_cursor").is_none(), "only the last page is short");
        seen.extend(page.iter().cloned());
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(seen == all, "the pages together are the whole list");
    let distinct: BTreeSet<String> = seen.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(named(&all, "MulDiv")["declared"], true);
    assert_eq!(all.iter().filter(|export| export["declared"] == true).count(), 1);
    let forwarders = list(&bridge, "kernel32", "kind=forwarder&limit=5000");
    assert!(!forwarders.is_empty() && forwarders.iter().all(|export| export["forwarder"].is_string()));
}

#[test]
fn the_default_page_is_bounded() {
    let bridge = exports();
    let answer = bridge.client().get("/v1/libraries/kernel32/exports").ok();
    assert_eq!(answer["exports"].as_array().unwrap().len(), 100);
    assert!(answer["next_cursor"].is_string());
}

#[test]
fn the_command_shows_a_table() {
    let file = library(Target::Win32);
    let (code, output, notes) = run(&["exports", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{notes}");
    assert!(output.starts_with("ORDINAL"), "{output}");
    for (name, words) in [
        ("Plain", &["10", "function"][..]),
        ("_Std@8", &["13", "stdcall", "8 bytes"]),
        ("Forwarded", &["forwarder", "kernel32.GetTickCount"]),
        ("Table", &["data"]),
        ("?Add@@YAHHH@Z", &["int __cdecl Add(int, int)"]),
    ] {
        let line = output.lines().find(|line| line.split_whitespace().any(|word| word == name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {output}"));
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    assert!(notes.contains("win32"), "{notes}");
    let (code, output, _) = run(&["exports", file.to_str().unwrap(), "--filter", "plain"]);
    assert_eq!((code, output.lines().count()), (Some(0), 2), "{output}");
}

#[test]
fn the_command_gives_json() {
    for (target, architecture) in [(Target::Linux32, "x86"), (Target::Win32, "x86"), (Target::Linux64, "x86_64")] {
        let file = fixture::library("plain", target);
        let (code, output, notes) = run(&["exports", "--json", file.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{notes}");
        let image: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(image["architecture"], architecture, "{target}");
        let exports = image["exports"].as_array().unwrap();
        assert_eq!(named(exports, "Five")["kind"], "function", "{target}");
    }
}

#[test]
fn the_command_says_what_is_no_library() {
    let (code, output, notes) = run(&["exports", fixture::header("plain").to_str().unwrap()]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(notes.contains("plain.h") && notes.contains("not a library"), "{notes}");
    let (code, _, notes) = run(&["exports", "/nowhere/absent.dll"]);
    assert_eq!(code, Some(1));
    assert!(notes.contains("/nowhere/absent.dll"), "{notes}");
    assert_eq!(run(&["exports"]).0, Some(2));
}
