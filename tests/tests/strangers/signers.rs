//! Requests signed by packages that nobody here wrote are accepted by a running gateway, and they believe its signed answers.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Instant;

use bridge32_tests::{Bridge, Target, fixture};

use crate::tools::{checked, checkout, key_of, kit, succeed, tool};

/// What each prints: of five requests, the last two are answered by a problem.
const ANSWERS: &str = "\
GET /v1/libraries 200 believed
GET /v1/libraries?name=%C3%A4&x=a+b&x= 200 believed
POST /v1/libraries/scalars/functions/EchoInt 200 believed
POST /v1/libraries/scalars/functions/EchoInt 422 believed
POST /v1/libraries/scalars/functions/EchoInt 422 believed
";

/// Runs a signer against a bridge that knows its key.
fn signs(what: &str, signer: &mut Command) {
    let bridge = Bridge::start(|config| {
        config.key("stranger", &["call:*", "read"]);
        config.library("scalars", fixture::library("scalars", Target::Linux32)).header(fixture::header("scalars"));
    });
    let start = Instant::now();
    signer.arg(format!("http://{}", bridge.client().authority()));
    signer.envs(key_of(bridge.config()));
    assert_eq!(succeed(signer), ANSWERS);
    checked(what, start);
}

#[test]
fn requests_signed_in_python_are_accepted_and_signed_answers_believed() {
    signs("PyPI http-message-signatures", tool("python").arg(checkout("tests/strangers/signers/sign.py")));
}

#[test]
fn requests_signed_in_javascript_are_accepted_and_signed_answers_believed() {
    // Modules are looked for beside the script.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("sign.mjs");
    std::fs::copy(checkout("tests/strangers/signers/sign.mjs"), &script).unwrap();
    symlink(kit("node").join("node_modules"), folder.path().join("node_modules")).unwrap();
    signs("npm http-message-signatures", tool("node").arg(script));
}
