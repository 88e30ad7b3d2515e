//! The whole of doctor's text for broken configurations, without what depends on the machine.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

/// A folder with these files, of mode 0600 where their name says that they hold keys.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
        let mode = if *name == "keys.toml" { 0o600 } else { 0o644 };
        mode_of(&folder.path().join(name), mode);
    }
    folder
}

fn mode_of(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// What doctor finds without loading anything, but for the system's part.
fn examine(folder: &Path) -> Findings {
    let config = folder.join("bridge32.toml");
    let doctor =
        Doctor { config: config.clone(), json: true, verbose: false, loading: Loading { no_load: true, load: false } };
    let mut findings = Findings::default();
    if let Some(config) = configuration::examine(&config, &[], &mut findings) {
        doctor.examine(&config, &mut findings);
    }
    findings
}

/// The same as text, with the folder's name taken out, and what is left on its disk.
fn report(folder: &tempfile::TempDir) -> String {
    // Before lines are broken: where they are must not hang on the name.
    let findings = examine(folder.path()).masked(folder.path().to_str().unwrap(), "FOLDER");
    let report = text::text(&findings, true);
    let room = |line: &str| {
        let (subject, _) = line.split_once(": ").filter(|(subject, _)| subject.contains("room at "))?;
        Some(format!("{subject}: MANY"))
    };
    report.lines().map(|line| room(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

fn key(id: &str, scopes: &str, more: &str) -> String {
    let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    format!("[[key]]\nid = '{id}'\nsecret = '{secret}'\nscopes = {scopes}\n{more}\n")
}

#[test]
fn a_configuration_that_cannot_be_read_is_told_by_file_and_line() {
    insta::assert_snapshot!(report(&folder(&[("bridge32.toml", "listen = '127.0.0.1:0'\nlisen = 5\n")])));
    insta::assert_snapshot!(report(&folder(&[])));
}

#[test]
fn keys_that_are_open_expired_or_for_nothing_are_told() {
    let config = "listen = '127.0.0.1:0'\n[library.calc]\nfile = 'calc.so'\n";
    let keys = key("old", "['call:calc']", "expires = 2020-01-01") + &key("new", "['read', 'call:cacl']", "");
    let folder = folder(&[("bridge32.toml", config), ("keys.toml", &keys)]);
    insta::assert_snapshot!(report(&folder));
    mode_of(&folder.path().join("keys.toml"), 0o644);
    assert!(report(&folder).contains("FOLDER/keys.toml can be read by others (mode 0644)"), "{}", report(&folder));
    std::fs::remove_file(folder.path().join("keys.toml")).unwrap();
    assert!(report(&folder).contains("→ bridge32 keys add NAME"), "{}", report(&folder));
}

#[test]
fn all_keys_over_is_a_problem() {
    let folder = folder(&[
        ("bridge32.toml", "listen = '127.0.0.1:0'\n"),
        ("keys.toml", &key("old", "['call:*']", "expires = 2020-01-01")),
    ]);
    assert!(report(&folder).contains("problem · keys: the time of every key is over"), "{}", report(&folder));
}

#[test]
fn runtimes_that_do_not_start_an_agent_are_told() {
    let agent = |name: &str, script: &str| (name.to_owned(), format!("#!/bin/sh\n{script}\n"));
    let ours = bridge32_protocol::PROTOCOL;
    let files = [
        agent("other", &format!("echo 'agent32 9.9.9 (win64, protocol {ours})'")),
        agent("deaf", "echo 'agent32: standard input holds no handover (EOF)' >&2; exit 3"),
        agent("old", "echo 'agent32 0.0.1 (linux64, protocol 1)'"),
        agent(
            "noisy",
            "echo 'agent32: error while loading shared libraries: libgcc_s.so.1: cannot open' >&2; exit 127",
        ),
    ];
    let config = "listen = '127.0.0.1:0'\n[auth]\nmode = 'off'\n[runtime.win32]\ncommand = ['./other']\n\
        [runtime.linux64]\ncommand = ['./old']\n[runtime.linux32]\ncommand = ['./noisy']\n\
        [runtime.win64]\ncommand = ['./deaf']\n";
    let mut all: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    all.push(("bridge32.toml", config));
    let folder = folder(&all);
    for (name, _) in &files {
        mode_of(&folder.path().join(name), 0o755);
    }
    let config = config.replace("./", &format!("{}/", folder.path().display()));
    std::fs::write(folder.path().join("bridge32.toml"), config).unwrap();
    insta::assert_snapshot!(report(&folder).replace(&format!("speaks protocol {ours}"), "speaks protocol OURS"));
}

#[test]
fn folders_that_others_can_write_into_are_told() {
    let folder = folder(&[("bridge32.toml", "listen = '127.0.0.1:0'\n[auth]\nmode = 'off'\n")]);
    std::fs::create_dir(folder.path().join("data")).unwrap();
    mode_of(&folder.path().join("data"), 0o777);
    mode_of(&folder.path().join("bridge32.toml"), 0o666);
    insta::assert_snapshot!(report(&folder));
}

#[test]
fn an_address_that_something_else_has_is_told_by_its_process() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It takes connections, and closes them.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let config = format!(
        "listen = ['{address}', '192.0.2.1:0', 'https://192.0.2.1:8443']\n[auth]\nmode = 'hmac'\n[tls]\ncertificate='c'\nkey='k'\n"
    );
    let config = config.replace("'192.0.2.1:0', ", "");
    let folder = folder(&[("bridge32.toml", &config)]);
    let report = report(&folder);
    let pid = std::process::id();
    assert!(report.contains(&format!("listen {address}: another program has the address")), "{report}");
    assert!(report.contains(&format!("→ end process {pid} (kill {pid})")), "{report}");
    assert!(report.contains("listen https://192.0.2.1:8443: this machine has no such address"), "{report}");
    assert!(report.contains("tls: tls.certificate: cannot read FOLDER/c"), "{report}");
}

#[test]
fn what_environment_variables_change_is_told() {
    let variables =
        ["BRIDGE32_LISTEN", "BRIDGE32_LOG", "BRIDGE32_LIBRARY__CALC__DEADLINE", "PATH", "BRIDGE32_NONSENSE"];
    let variables = variables.map(|name| (name.to_owned(), String::new()));
    assert_eq!(crate::config::overrides(variables), ["BRIDGE32_LIBRARY__CALC__DEADLINE", "BRIDGE32_LISTEN"]);
}

#[test]
fn the_findings_as_json_have_what_programs_look_for() {
    let folder = folder(&[("bridge32.toml", "lisen = 5\n")]);
    let findings = examine(folder.path());
    let json = serde_json::to_value(findings.all()).unwrap();
    assert_eq!((&json[0]["level"], &json[0]["check"]), (&json!("problem"), &json!("configuration")));
    assert!(json[0]["found"].is_string() && json[0]["remedy"].is_string(), "{json}");
}

/// What stands between quotation marks in doctor's sources and begins as the name of a page does.
fn pages() -> std::collections::BTreeSet<String> {
    let sources = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/doctor")).unwrap();
    let texts = sources.flatten().filter(|entry| entry.path().is_file());
    let texts = texts.map(|entry| std::fs::read_to_string(entry.path()).unwrap());
    let of_text = |text: String| text.split('"').map(str::to_owned).collect::<Vec<_>>();
    let is_page = |text: &String| {
        text.split_once(".md").is_some_and(|(name, rest)| {
            (name == "README" || name.starts_with("docs/")) && (rest.is_empty() || rest.starts_with('#'))
        })
    };
    texts.flat_map(of_text).filter(is_page).collect()
}

#[test]
fn every_page_that_is_named_is_there() {
    let pages = pages();
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages {
        let (file, anchor) = page.split_once('#').unwrap_or((&page, ""));
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        let headings = text.lines().filter(|line| line.starts_with('#'));
        let mut anchors =
            headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace('`', ""));
        assert!(anchor.is_empty() || anchors.any(|found| found == anchor), "{page}");
    }
}
