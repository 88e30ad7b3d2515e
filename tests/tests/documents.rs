//! What the documents tell people to type, typed.

use std::os::unix::fs::symlink;
use std::path::Path;

use bridge32_tests::bridge::shell;
use bridge32_tests::{Bridge, Config, Value, dist};

/// The demo's address, which is in the documents.
const ADDRESS: &str = "127.0.0.1:8032";

fn document(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The demo's own library with the demo's own key.
fn demo() -> Bridge {
    let mut config = Config::new();
    config.keys_of(&dist::folder().join("keys.toml"));
    let demo = dist::folder().join("demo");
    config.library("demo", demo.join("libdemo.so")).header(demo.join("demo.h"));
    Bridge::with(config)
}

/// Runs it where `dist/` is, as in a checkout, at the bridge's own port.
fn in_a_checkout(bridge: &Bridge, lines: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    symlink(dist::folder(), folder.path().join("dist")).unwrap();
    shell(&lines.replace(ADDRESS, bridge.client().authority()), folder.path())
}

/// A part of docs/signing.md that is to be run.
fn recipe(text: &str, number: usize) -> &str {
    text.split("```sh\n").nth(number).and_then(|rest| rest.split("```").next()).unwrap()
}

#[test]
fn the_openssl_recipe_works_as_printed() {
    let text = document("docs/signing.md");
    let recipe = recipe(&text, 1);
    assert!(recipe.contains(&format!("host={ADDRESS}\n")), "{recipe}");
    let bridge = demo();
    let (code, output, notes) = in_a_checkout(&bridge, recipe);
    let answer: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{notes}"));
    assert_eq!((code, notes.as_str(), &answer["result"]), (Some(0), "", &5.into()), "{output}");
    // It signs what it sends: with another body for the same digest it is refused.
    let forged = recipe.replace("--data-raw \"$body\"", "--data-raw '{\"a\": 3, \"b\": 3}'");
    let (_, output, _) = in_a_checkout(&bridge, &forged);
    assert!(forged != recipe && output.contains("digest_mismatch"), "{output}");
}

#[test]
fn the_openssl_recipe_for_signed_answers_tells_them_from_others() {
    let text = document("docs/signing.md");
    let wanted = text.lines().find_map(|line| line.strip_prefix("    Accept-Signature: ")).unwrap();
    let options = format!("curl -H 'Accept-Signature: {wanted}' -D head -o answer -sS");
    let request = recipe(&text, 1).replace("curl -sS", &options);
    let check = recipe(&text, 2);
    let bridge = demo();
    let (code, output, notes) = in_a_checkout(&bridge, &format!("{request}\n{check}"));
    let answer: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{notes}"));
    assert_eq!((code, notes.as_str(), &answer["result"]), (Some(0), "", &5.into()), "{output}");
    // Another status, another body, an answer to another request.
    for forgery in ["sed -i '1s/200/201/' head", "echo >> answer", "signature=x"] {
        let (_, output, notes) = in_a_checkout(&bridge, &format!("{request}\n{forgery}\n{check}"));
        assert!(output.is_empty() && notes.contains("not the answer"), "{forgery}: {output}{notes}");
    }
}

#[test]
fn the_first_call_of_the_readme_works_as_printed() {
    let text = document("README.md");
    let call = text.lines().find_map(|line| line.strip_prefix("    dist/bridge32 curl ")).unwrap();
    let bridge = demo();
    // The gateway of the test has a port of its own.
    let line = format!("BRIDGE32_URL=http://{ADDRESS} dist/bridge32 curl {call}");
    let (code, output, notes) = in_a_checkout(&bridge, &line);
    let answer: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{notes}"));
    assert_eq!((code, notes.as_str(), &answer["result"]), (Some(0), "", &5.into()), "{output}");
}

/// The text of every Rust file of these folders.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &std::fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn the_tests_that_the_threat_model_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut text = String::new();
    for folder in ["tests/tests", "gateway/src", "signature/src", "agent32/src"] {
        sources(&root.join(folder), &mut text);
    }
    let page = document("docs/security.md");
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| tries") && !line.starts_with("| ---"));
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let tests: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "what shows it? {row}");
        named += tests.len();
        for test in tests {
            assert!(text.contains(&format!("fn {test}(")), "there is no test `{test}`: {row}");
        }
    }
    assert!(named > 50, "{named}");
}
