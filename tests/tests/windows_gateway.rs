//! What is different where the gateway itself is a program of Windows: paths, variables, access lists, and `System32`. Wine makes an
//! access list a mode of this machine's, so that what others may do is seen from outside.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bridge32_tests::bridge::{refused, run};
use bridge32_tests::{Bridge, Config, HOME, fixture, json, windows_path, within};

/// What anybody may do with a file. Wine takes the group for the administrators, who may do everything.
fn others(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o007
}

#[test]
fn a_path_may_have_blanks_and_chinese_characters_and_be_long() {
    let mut config = Config::new();
    let folder = config.folder().join("Programme (x86) 程序");
    let data = folder.join("data ".repeat(20).trim_end()).join("x".repeat(120)).join("data");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(fixture::library("plain", HOME), folder.join("die Bibliothek 库.dll")).unwrap();
    std::fs::copy(fixture::header("plain"), folder.join("plain 头.h")).unwrap();
    config.set("data_dir", windows_path(&data));
    config.library("drive", windows_path(&folder.join("die Bibliothek 库.dll"))).header(folder.join("plain 头.h"));
    config.library("beside", r"Programme (x86) 程序\die Bibliothek 库.dll").header(r"Programme (x86) 程序/plain 头.h");
    let bridge = Bridge::with(config);
    for library in ["drive", "beside"] {
        assert_eq!(bridge.call(library, "Five", json!({})).result(), 5, "{library}");
    }
    // The history is there, too: SQLite takes such a path.
    assert!(data.join("calls.db").metadata().unwrap().len() > 0);
    within(5.0, "both calls are in the history", || {
        (bridge.client().get("/v1/calls").ok()["calls"].as_array().unwrap().len() == 2).then_some(())
    });
}

#[test]
fn variables_of_the_environment_stand_in_paths() {
    let library = fixture::library("plain", HOME);
    let folder = library.parent().unwrap();
    let mut config = Config::new();
    config.library("plain", r"%VENDOR_HOME%\plain.dll").header(fixture::header("plain"));
    let text = refused(&config);
    assert!(text.contains("library.plain.file") && text.contains("no variable VENDOR_HOME"), "{text}");
    config.env("VENDOR_HOME", &windows_path(folder));
    let bridge = Bridge::with(config);
    assert_eq!(bridge.call("plain", "Five", json!({})).result(), 5);
}

#[test]
fn system32_is_what_a_32_bit_process_calls_so() {
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/kernel32.h");
    let bridge = Bridge::start(|config| {
        config.library("narrow", r"C:\windows\system32\kernel32.dll").header(&header);
        config.library("wide", r"C:\windows\system32\kernel32.dll").header(&header).set("runtime", "win64");
    });
    for (library, bits) in [("narrow", 32), ("wide", 64)] {
        let arguments = json!({"nNumber": 6, "nNumerator": 7, "nDenominator": 2});
        assert_eq!(bridge.call(library, "MulDiv", arguments).result(), 21, "{library}");
        assert_eq!(bridge.agent(library)["pointer_bits"], bits, "{library}");
    }
}

#[test]
fn what_the_gateway_makes_is_its_accounts_alone() {
    let bridge = Bridge::start(|config| {
        config.library("plain", fixture::library("plain", HOME)).header(fixture::header("plain"));
    });
    bridge.call("plain", "Five", json!({})).ok();
    let data = bridge.config().folder().join("data");
    assert_eq!(others(&data), 0);
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        // SQLite makes them: their list is the folder's, but Wine hands none down.
        if path.to_string_lossy().ends_with("-wal") || path.to_string_lossy().ends_with("-shm") {
            continue;
        }
        assert_eq!(others(&path), 0, "{}", path.display());
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_command_that_closes_it() {
    let mut config = Config::new();
    config.key("all", &["call:*"]);
    let keys = config.write().with_file_name("keys.toml");
    std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o644)).unwrap();
    let (code, _, text) = run(&["keys", "list", "--keys-file", keys.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{text}");
    for part in
        ["keys.toml can be read by others (Everyone can): icacls \"", "/reset, and then", "/grant:r \"*S-1-5-21-"]
    {
        assert!(text.contains(part), "{text}");
    }
    let made = config.folder().join("new.toml");
    let (code, _, text) = run(&["keys", "add", "first", "--scope", "read", "--keys-file", made.to_str().unwrap()]);
    assert_eq!((code, others(&made)), (Some(0), 0), "{text}");
}

#[test]
fn a_second_gateway_may_not_use_the_same_folder() {
    let bridge = Bridge::start(|_| {});
    let mut second = Config::new();
    second.set("data_dir", windows_path(&bridge.config().folder().join("data")));
    let text = refused(&second);
    assert!(text.contains("another gateway uses"), "{text}");
}

#[test]
fn the_metrics_tell_of_the_gateways_own_process() {
    let bridge = Bridge::start(|_| {});
    let page = bridge.client().get("/metrics").text;
    let value = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{page}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    // Wine counts none.
    assert!(value("process_open_fds") >= 0.0);
    assert!(value("process_cpu_seconds_total") > 0.0);
}
