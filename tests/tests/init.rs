//! `bridge32 init`: from nothing to a bridge that only its owner may use.

use std::os::unix::fs::PermissionsExt as _;

use bridge32_tests::bridge::{finish, gateway_command, run, shell};
use bridge32_tests::{Bridge, Config, Target, Value, fixture};
use tempfile::TempDir;

fn temporary() -> TempDir {
    TempDir::with_prefix("bridge32-init-").unwrap()
}

#[test]
fn init_makes_a_folder_with_a_configuration_and_a_key_that_are_good() {
    let folder = temporary();
    let place = folder.path().join("a folder");
    let (code, output, notes) = run(&["init", place.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{notes}");
    assert!(output.contains("runtimes: linux32, linux64, win32"), "{output}");
    let (config, keys) = (place.join("bridge32.toml"), place.join("keys.toml"));
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("mode = \"hmac\"") && !text.contains("[library"), "{text}");
    let (code, report, _) = run(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{report}");
    assert!(!report.contains("problem:") && !report.contains("warning:"), "{report}");
    // It says what to do next, with the words of this command line.
    let option = format!(" --config '{}'", config.display());
    assert_eq!(notes.lines().filter(|line| line.contains(&option)).count(), 3, "{notes}");
    let keys_before = std::fs::read(&keys).unwrap();
    let (code, output, notes) = run(&["init", place.to_str().unwrap()]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(notes.contains("bridge32.toml is there already") && notes.contains("bridge32 init FOLDER"), "{notes}");
    assert_eq!(std::fs::read(&keys).unwrap(), keys_before);
    // Each has a secret of its own.
    let other = folder.path().join("other");
    assert_eq!(run(&["init", other.to_str().unwrap()]).0, Some(0));
    assert_ne!(std::fs::read(other.join("keys.toml")).unwrap(), keys_before);
}

#[test]
fn init_leaves_a_key_file_alone_that_is_there() {
    let folder = temporary();
    std::fs::write(folder.path().join("keys.toml"), "# mine\n").unwrap();
    let (code, _, notes) = run(&["init", folder.path().to_str().unwrap()]);
    assert!(code == Some(1) && notes.contains("keys.toml is there already"), "{notes}");
    assert!(!folder.path().join("bridge32.toml").exists());
    assert_eq!(std::fs::read_to_string(folder.path().join("keys.toml")).unwrap(), "# mine\n");
    let (code, _, notes) = run(&["init", "/proc/nowhere"]);
    assert!(code == Some(1) && notes.contains("cannot write /proc/nowhere"), "{notes}");
}

#[test]
fn beside_a_vendors_files_the_printed_commands_lead_to_a_call() {
    let folder = temporary();
    std::fs::copy(fixture::library("plain", Target::Win32), folder.path().join("vendor.dll")).unwrap();
    std::fs::copy(fixture::header("plain"), folder.path().join("vendor.h")).unwrap();
    let (code, _, notes) = finish(gateway_command().arg("init").current_dir(folder.path()));
    assert_eq!(code, Some(0), "{notes}");
    let next: Vec<&str> = notes.lines().skip_while(|line| *line != "Next:").skip(1).collect();
    let command = |index: usize| next[index].split('#').next().unwrap().trim().to_owned();
    assert_eq!(next.len(), 3, "{notes}");
    assert!(command(1).ends_with(" serve"), "{notes}");
    let (code, _, errors) = shell(&format!("{} --yes", command(0)), folder.path());
    assert_eq!(code, Some(0), "{errors}");

    let bridge = Bridge::with(Config::existing(folder));
    let (folder, url) = (bridge.config().folder(), format!("http://{}", bridge.client().authority()));
    // The key of the folder opens it, and nothing else does.
    let (code, output, errors) = shell(&format!("{} --url {url}", command(2)), folder);
    assert!(code == Some(0) && output.contains("vendor"), "{output}{errors}");
    let call = [&["curl", "--url", &url][..], &["/v1/libraries/vendor/functions/Five", "-d", "{}"]].concat();
    let (code, output, errors) = finish(gateway_command().args(&call).current_dir(folder));
    let answer: Value = serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{errors}"));
    assert_eq!((code, &answer["result"]), (Some(0), &5.into()));
    let (code, output, _) = finish(gateway_command().args(&call).current_dir("/"));
    let answer: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((code, &answer["code"]), (Some(0), &"signature_missing".into()));
}
