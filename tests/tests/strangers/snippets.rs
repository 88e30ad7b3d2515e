//! The code that a function's page shows for the call in its form, run by the languages that it is for.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bridge32_tests::browser::hidden;
use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Browser, Config, Target, Value, within};

use crate::signing::prepare;
use crate::tools::{checked, key_of, succeed, tool};

/// What has to survive in four languages.
const HOSTILE: &str = "it's \"$(id)` ${x} \\ %s #{1}\n<tag> ä 😀 \u{202e}back";
const PAGE: &str = "/libraries/echo/functions/Echo";

/// The program in one of a page's tabs.
fn program(page: &str, language: &str) -> String {
    let start = format!("<code id=\"program-{language}\">");
    let code = page.split(&start).nth(1).unwrap_or_else(|| panic!("no {language}: {page}"));
    let code = code.split("</code>").next().unwrap();
    let signs = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    signs.iter().fold(code.to_owned(), |text, (code, sign)| text.replace(code, sign))
}

/// Fills in the form, runs what the page then shows for a language, and holds what it prints against what the library gives.
fn makes_the_same_call(language: &str, name: &str, run: impl FnOnce(&Path) -> Command) {
    let start = Instant::now();
    let mut config = Config::new();
    config.key("all", &["call:*", "read", "manage"]);
    let source = "API const char *Echo(const char *text) { return text; }";
    let file = Fixture::generated("echo", source).build(Target::Linux32);
    config.library("echo", file).declares("const char *Echo(const char *text);");
    let bridge = Bridge::with(config);
    let mut browser = Browser::signed_in(bridge.client());
    let token = hidden(&browser.open(PAGE).text, "csrf");
    let page = browser.submit(PAGE, &[("csrf", &token), ("/text", HOSTILE), ("go", "code")]);
    assert_eq!(page.status, 200, "{}", page.text);
    let key = key_of(bridge.config());
    assert!(!page.text.contains(&key[1].1), "a page has no key");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), program(&page.text, language)).unwrap();
    let output = succeed(run(folder.path()).current_dir(folder.path()).envs(key));
    let answer: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"));
    assert_eq!(answer["result"], HOSTILE, "{language}");
    within(5.0, "the call is in the history", || browser.open(PAGE).text.contains("href=\"/calls/").then_some(()));
    checked(&format!("{language} to copy"), start);
}

/// A line of a shell.
fn shell(line: &str) -> Command {
    let mut shell = tool("sh");
    shell.args(["-c", line]);
    shell
}

#[test]
fn the_lines_of_curl_make_the_same_call() {
    makes_the_same_call("curl", "call.sh", |_| shell("sh call.sh"));
}

#[test]
fn the_python_program_makes_the_same_call() {
    // It prints a dictionary.
    let line = "python call.py | python -c 'import ast, json; print(json.dumps(ast.literal_eval(input())))'";
    makes_the_same_call("python", "call.py", |_| shell(line));
}

#[test]
fn the_typescript_program_makes_the_same_call() {
    makes_the_same_call("typescript", "main.ts", |folder| {
        prepare(folder);
        shell("tsc >&2 && node generated/main.js")
    });
}

#[test]
fn the_go_program_makes_the_same_call() {
    makes_the_same_call("go", "call.go", |_| shell("GO111MODULE=off go vet call.go && GO111MODULE=off go run call.go"));
}
