//! Which files are loaded, and that another file than before is noticed.

use std::fs;
use std::path::{Path, PathBuf};

use bridge32_tests::{Bridge, Config, TARGETS_32, Target, fixture, json, within};

/// Copies the fixture `plain` to a place below the configuration's folder.
fn copied(config: &Config, target: Target, to: &str) -> PathBuf {
    let from = fixture::library("plain", target);
    let file = config.folder().join(format!("{to}.{}", from.extension().unwrap().display()));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::copy(from, &file).unwrap();
    file
}

/// Adds bytes to a copy of the file that loaders do not look at, and puts it in its place, as installers do.
fn replace(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes.extend_from_slice(&[0; 64]);
    fixture::put(file, &bytes);
}

fn sha256sum(file: &Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn a_link_that_leads_out_of_its_folder_is_not_followed() {
    let outside = tempfile_folder();
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let real = outside.path().join(format!("plain-{target}"));
            fs::copy(fixture::library("plain", target), &real).unwrap();
            let link = config.folder().join(format!("{target}.link"));
            std::os::unix::fs::symlink(&real, &link).unwrap();
            config.library(target.name(), &link).header(fixture::header("plain"));
        }
        // A link within its folder is an ordinary thing.
        let real = copied(config, Target::Linux32, "plain-1.2");
        let link = config.folder().join("plain.so");
        std::os::unix::fs::symlink(real.file_name().unwrap(), &link).unwrap();
        config.library("within", "plain.so").header(fixture::header("plain"));
    });
    for target in TARGETS_32 {
        let reason = bridge.failure(target.name());
        for part in [".link leads to", outside.path().to_str().unwrap(), "library_folders = ["] {
            assert!(reason.contains(part), "{target}: {reason}");
        }
    }
    assert_eq!(bridge.call("within", "Five", json!({})).result(), 5);
    let loaded = bridge.library("within")["loaded_file"].clone();
    assert!(loaded["path"].as_str().unwrap().ends_with("/plain-1.2.so"), "{loaded}");
}

#[test]
fn a_parent_folder_that_nobody_has_listed_is_not_gone_into() {
    let bridge = Bridge::start(|config| {
        let outside = config.folder().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::copy(fixture::library("plain", Target::Linux32), outside.join("plain.so")).unwrap();
        let folder = config.folder().join("etc");
        fs::create_dir(&folder).unwrap();
        config.set("library_folders", vec!["etc"]);
        config.library("plain", "etc/../outside/plain.so").header(fixture::header("plain"));
        config.library("kernel32", r"C:\windows\system32\kernel32.dll").set("runtime", "win32");
        config.library("dots", r"C:\windows\..\windows\system32\kernel32.dll").set("runtime", "win32");
    });
    assert!(bridge.failure("plain").contains("to `library_folders` in"));
    assert!(bridge.failure("kernel32").contains("library_folders"));
    assert!(bridge.failure("dots").contains("`..`"));
}

#[test]
fn listed_folders_are_what_counts() {
    let outside = tempfile_folder();
    let bridge = Bridge::start(|config| {
        fs::copy(fixture::library("plain", Target::Linux32), outside.path().join("plain.so")).unwrap();
        copied(config, Target::Linux32, "beside");
        std::os::unix::fs::symlink(outside.path().join("plain.so"), config.folder().join("link.so")).unwrap();
        config.set("library_folders", vec![outside.path().to_str().unwrap(), r"C:\Windows\System32"]);
        config.library("link", "link.so").header(fixture::header("plain"));
        config.library("beside", "beside.so").header(fixture::header("plain"));
        config.library("kernel32", r"C:\windows\system32\kernel32.dll").set("runtime", "win32");
    });
    assert_eq!(bridge.call("link", "Five", json!({})).result(), 5);
    assert_eq!(bridge.library("kernel32")["state"], "ready");
    assert!(bridge.failure("beside").contains("beside.so is in none"));
}

#[test]
fn a_link_that_was_turned_meanwhile_is_noticed_at_the_next_start() {
    let outside = tempfile_folder();
    let mut link = PathBuf::new();
    let bridge = Bridge::start(|config| {
        copied(config, Target::Linux32, "good");
        link = config.folder().join("link.so");
        std::os::unix::fs::symlink("good.so", &link).unwrap();
        config.library("plain", "link.so").header(fixture::header("plain"));
    });
    assert_eq!(bridge.call("plain", "Five", json!({})).result(), 5);
    let evil = outside.path().join("evil.so");
    fs::copy(fixture::library("plain", Target::Linux32), &evil).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&evil, &link).unwrap();
    bridge.client().request("POST", "/v1/agents/plain/restart").send().is(202);
    within(20.0, "it is not loaded", || (bridge.library("plain")["state"] == "failed").then_some(()));
    assert!(bridge.failure("plain").contains("evil.so"));
}

#[test]
fn another_file_is_shown_before_and_after_it_is_loaded() {
    let mut files = Vec::new();
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let file = copied(config, target, &format!("sub/{target}"));
            config.library(target.name(), &file).header(fixture::header("plain"));
            files.push((target, file));
        }
    });
    for (target, file) in files {
        let name = target.name();
        let first = sha256sum(&file);
        let shown = bridge.library(name);
        let loaded = &shown["loaded_file"];
        assert_eq!((&loaded["sha256"], &loaded["on_disk"]), (&json!(first), &json!("same")), "{target}: {shown}");
        assert_eq!(loaded["size"], fs::metadata(&file).unwrap().len(), "{target}");
        assert!(loaded["loaded_at"].is_string() && shown["changed"].is_null(), "{target}: {shown}");
        replace(&file);
        let shown = bridge.library(name);
        assert_eq!(shown["loaded_file"]["on_disk"], "changed", "{target}: {shown}");
        assert_eq!(shown["loaded_file"]["sha256"], json!(first), "{target}: {shown}");
        assert!(shown["problems"].to_string().contains("another file now"), "{target}: {shown}");
        bridge.client().request("POST", &format!("/v1/agents/{name}/restart")).send().is(202);
        within(30.0, "the new file is loaded", || {
            (bridge.library(name)["loaded_file"]["sha256"] == json!(sha256sum(&file))).then_some(())
        });
        let shown = bridge.library(name);
        assert_eq!(shown["changed"]["from_sha256"], json!(first), "{target}: {shown}");
        assert_eq!(shown["loaded_file"]["on_disk"], "same", "{target}: {shown}");
        bridge.logs(&["another one than before", &first]);
        assert_eq!(bridge.call(name, "Five", json!({})).result(), 5, "{target}");
    }
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_not_loaded_and_the_right_one_is() {
    let mut files = Vec::new();
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let file = copied(config, target, &format!("sub/{target}"));
            let pin = sha256sum(&file);
            config.library(target.name(), &file).header(fixture::header("plain")).set("sha256", pin.to_uppercase());
            files.push((target, file, pin));
        }
    });
    for (target, file, pin) in files {
        let name = target.name();
        assert_eq!(bridge.call(name, "Five", json!({})).result(), 5, "{target}");
        let right = fs::read(&file).unwrap();
        replace(&file);
        let restart = || bridge.client().request("POST", &format!("/v1/agents/{name}/restart")).send().is(202);
        restart();
        within(30.0, "it is refused", || (bridge.library(name)["state"] == "failed").then_some(()));
        let reason = bridge.failure(name);
        assert!(reason.contains(&pin) && reason.contains(&sha256sum(&file)), "{target}: {reason}");
        let config = bridge.config().folder().join("bridge32.toml");
        let (code, checked, _) = bridge32_tests::bridge::run(&["check", "--config", config.to_str().unwrap()]);
        assert_eq!(code, Some(1), "{checked}");
        assert!(checked.contains(&format!("`sha256` asks for {pin}")), "{target}: {checked}");
        fixture::put(&file, &right);
        restart();
        bridge.call_until(30.0, name, "Five", &json!({}));
    }
}

/// A folder outside of the configuration's.
fn tempfile_folder() -> tempfile::TempDir {
    tempfile::TempDir::with_prefix("bridge32-outside-").unwrap()
}
