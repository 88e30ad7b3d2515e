//! What a configuration that was read again asks for.

use super::*;
use crate::config::load;

const LISTEN: &str = "listen='127.0.0.1:8032'\n";
const TLS: &str = "[tls]\ncertificate='c.pem'\nkey='k.pem'\n";

/// Reads both as one file.
fn configurations(old: &str, new: &str) -> (Config, Config) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge32.toml");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        load(&file, []).unwrap().config
    };
    (read(old), read(new))
}

fn try_between(old: &str, new: &str) -> Result<Changes, NeedsRestart> {
    let (old, new) = configurations(old, new);
    Changes::between(&old, &new, &BTreeMap::new())
}

fn between(old: &str, new: &str) -> Changes {
    try_between(old, new).unwrap()
}

fn keys(changes: &[KeyChange]) -> Vec<&str> {
    changes.iter().map(|change| change.key.as_str()).collect()
}

/// The keys, the reasons and the extent of a library's change.
fn changed<'a>(changes: &'a Changes, library: &str) -> (Vec<&'a str>, &'a [String], Extent) {
    match &changes.libraries[library] {
        LibraryChange::Changed { keys: own, reasons, extent } => (keys(own), reasons, *extent),
        other => panic!("{other:?}"),
    }
}

/// What one line more in the table of a library changes.
#[track_caller]
fn line(line: &str, key: &str, extent: Extent) {
    let table = "[library.a]\nfile='a'\n";
    let changes = between(table, &format!("{table}{line}"));
    assert_eq!(changed(&changes, "a"), (vec![key], &[][..], extent), "{line}");
    assert_eq!(changes.libraries.len(), 1);
    let back = between(&format!("{table}{line}"), table);
    assert_eq!(changed(&back, "a"), (vec![key], &[][..], extent), "{line}, taken back");
}

#[test]
fn what_means_the_same_is_no_change() {
    let old = format!("{LISTEN}[library.a]\nfile='a'\n");
    let new = "max_body='64MiB'\n[dashboard]\nsession='720m'\n[library.a]\nfile='./a'\ninstances={min=1}\nthreads=1\n\
               deadline='30s'\nrecycle={}\n";
    let changes = between(&old, new);
    assert!(changes.is_empty() && changes.lines().is_empty(), "{changes:?}");
}

#[test]
fn libraries_come_and_go() {
    let changes =
        between("[library.a]\nfile='a'\n[library.b]\nfile='b'", "[library.b]\nfile='b'\n[library.c]\nfile='c'");
    assert_eq!(changes.libraries.len(), 2);
    assert_eq!((&changes.libraries["a"], &changes.libraries["c"]), (&LibraryChange::Removed, &LibraryChange::Added));
    assert_eq!(changes.lines(), ["library.a is gone", "library.c is new"]);
}

#[test]
fn every_key_of_a_library_changes_as_much_as_it_has_to() {
    for (text, key) in [
        ("queue=7", "queue"),
        ("startup='7s'", "startup"),
        ("max_deadline='7m'", "max_deadline"),
        ("drain='7s'", "drain"),
        ("recycle={max_memory='1GiB'}", "recycle.max_memory"),
        ("recycle={max_handles=700}", "recycle.max_handles"),
        ("recycle={max_calls=7}", "recycle.max_calls"),
        ("recycle={max_age='7h'}", "recycle.max_age"),
        ("sessions={max=7}", "sessions.max"),
        ("sessions={lease='7m'}", "sessions.lease"),
        ("sessions={max_lease='7h'}", "sessions.max_lease"),
    ] {
        line(text, key, Extent::Settings);
    }
    line("instances=2", "instances", Extent::Pool);
    line("instances={max=2,idle='7s'}", "instances", Extent::Pool);
    line("standby=1", "standby", Extent::Pool);
    for (text, key) in [
        ("header='a.h'", "header"),
        ("encoding='gbk'", "encoding"),
        ("lossy=true", "lossy"),
        ("int64='string'", "int64"),
        ("definitions={A=1}", "definitions"),
        ("sensitive=['x']", "sensitive"),
        ("idempotent=['f']", "idempotent"),
    ] {
        line(text, key, Extent::Interface);
    }
    let hash = format!("sha256='{}'", "a".repeat(64));
    for (text, key) in [
        ("runtime='win32'", "runtime"),
        ("fallback=[{file='b'}]", "fallback"),
        ("threads=2", "threads"),
        ("group='g'", "group"),
        ("dialect='gnu'", "dialect"),
        (hash.as_str(), "sha256"),
    ] {
        line(text, key, Extent::Processes);
    }
    let moved = between("[library.a]\nfile='a'\nheader='h'", "[library.a]\nfile='b'\nheader='i'\ndeadline='7s'");
    assert_eq!(changed(&moved, "a"), (vec!["file", "header", "deadline", "max_deadline"], &[][..], Extent::Processes));
}

#[test]
fn a_change_is_told_with_both_values_but_for_secrets() {
    let changes = between(
        "max_body=1000\n[library.a]\nfile='a'\nprobe={function='Login', args={pin=1234}}\nheader='h'",
        "max_body=2000\n[library.a]\nfile='a'\nprobe={function='Login', args={pin=5678}, expect=99}\ninstances={min=0}",
    );
    let text = changes.lines().join("\n");
    assert!(text.contains("max_body: 1000 bytes becomes 2000 bytes\n"), "{text}");
    assert!(text.contains("library.a: instances: 1 becomes { min = 0, max = 1, idle = \"5m\" }"), "{text}");
    assert!(text.contains("/h\"] becomes []"), "{text}");
    assert!(text.contains("library.a: probe.args has changed\nlibrary.a: probe.expect has changed"), "{text}");
    let json = serde_json::to_string(&changes).unwrap();
    assert!(![&text, &json].iter().any(|text| text.contains("1234") || text.contains("5678") || text.contains("99")));
    assert!(json.contains(r#"{"key":"probe.args"}"#) && json.contains(r#""extent":"interface""#), "{json}");
}

#[test]
fn keys_of_the_gateway_that_can_change_while_it_runs_do() {
    let hash = |salt: &str| {
        format!("password='$argon2id$v=19$m=19456,t=2,p=1${salt}$c2l4dGVlbi1ieXRlcy1vZi1oYXNoLXRleHQtMzI'")
    };
    let old = format!("{LISTEN}[dashboard]\n{}", hash("c2FsdHNhbHRzYWx0"));
    let new = format!(
        "{LISTEN}max_body=7\nlibrary_folders=['x']\nsensitive_names=['tax']\n[auth]\nkeys_file='k'\n[dashboard]\nsession='1h'\n{}",
        hash("c2FsdHNhbHRzYWx1")
    );
    let changes = between(&old, &new);
    let expected =
        ["max_body", "library_folders", "sensitive_names", "auth.keys_file", "dashboard.password", "dashboard.session"];
    assert_eq!(keys(&changes.gateway), expected);
    assert!(changes.libraries.is_empty() && !changes.is_empty());
    let text = changes.lines().join("\n");
    assert!(text.contains("dashboard.password has changed") && !text.contains("argon2id"), "{text}");
}

#[test]
fn sensitive_names_concern_the_interface_of_every_library() {
    let table = "[library.a]\nfile='a'\n[library.b]\nfile='b'\n";
    let changes = between(table, &format!("sensitive_names=['tax']\n{table}"));
    for name in ["a", "b"] {
        assert_eq!(changed(&changes, name), (vec!["sensitive_names"], &[][..], Extent::Interface));
    }
}

#[test]
fn what_needs_a_restart_is_refused_with_both_values_and_nothing_is_to_be_done() {
    let old = format!("{LISTEN}{TLS}[library.a]\nfile='a'");
    for (new, expected) in [
        (old.replace(":8032'", ":9000'"), "listen: [\"127.0.0.1:8032\"] becomes [\"127.0.0.1:9000\"]"),
        (old.replace("listen='127.0.0.1:8032'", "listen=['127.0.0.1:8032','[::1]:8032']"), "\"[::1]:8032\"]"),
        (old.replace("c.pem", "d.pem"), "tls.certificate: "),
        (old.replace("k.pem", "l.pem"), "tls.key: "),
        (old.replace(TLS, ""), "becomes none"),
        (format!("behind_proxy=true\n{old}"), "behind_proxy: false becomes true"),
        (format!("max_connections=9\n{old}"), "max_connections: 512 becomes 9"),
        (format!("data_dir='elsewhere'\n{old}"), "data_dir: "),
        (format!("public_urls='https://b.example'\n{old}"), "public_urls: [] becomes [\"https://b.example\"]"),
        (format!("cors_origins='https://c.example'\n{old}"), "cors_origins: "),
        (format!("{old}\n[auth]\nmode='off'"), "auth.mode: \"hmac\" becomes \"off\""),
    ] {
        let text = try_between(&old, &new.replace("file='a'", "file='b'")).unwrap_err().to_string();
        assert!(text.contains(expected) && text.contains("bridge32.toml: "), "{text}");
        assert!(text.ends_with(
            "That needs a restart of the gateway, so nothing was changed: start it again, or take that back and reload"
        ));
    }
    let both =
        try_between(&old, &format!("max_connections=9\nmax_body=9\n{}", old.replace(":8032'", ":1'"))).unwrap_err();
    assert_eq!(keys(&both.keys), ["listen", "max_connections"], "and not what could be changed");
}

#[test]
fn a_port_that_the_system_has_chosen_is_the_one_that_the_file_leaves_to_it() {
    let (mut running, read) = configurations("listen=['127.0.0.1:0','[::1]:0']", "listen=['127.0.0.1:0','[::1]:0']");
    for (listen, port) in running.listeners.listen.iter_mut().zip([40001, 40002]) {
        listen.address.set_port(port);
    }
    assert!(Changes::between(&running, &read, &BTreeMap::new()).unwrap().is_empty());
    for other in
        ["listen='127.0.0.1:0'", "listen=['127.0.0.1:40001','[::1]:40003']", "listen=['[::1]:0','127.0.0.1:0']"]
    {
        let (_, read) = configurations("", other);
        let read = Config { file: running.file.clone(), data_dir: running.data_dir.clone(), ..read };
        let error = Changes::between(&running, &read, &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("listen: [\"127.0.0.1:40001\", \"[::1]:40002\"]"), "{error}");
    }
}

#[test]
fn a_process_that_is_shared_is_replaced_for_all_of_its_libraries() {
    let of = |a: &str, b: &str| {
        format!(
            "[library.a]\nfile='a'\n{a}\n[library.b]\nfile='b'\n{b}\n[library.c]\nfile='c'\n[library.d]\nfile='d'\ngroup='g'"
        )
    };
    let changes = between(&of("group='g'", "group='g'"), &of("group='g'\nthreads=2", "group='g'\nqueue=7"));
    assert_eq!(changed(&changes, "a"), (vec!["threads"], &[][..], Extent::Processes));
    let along = ["it shares its process with library.a".to_owned()];
    assert_eq!(changed(&changes, "b"), (vec!["queue"], &along[..], Extent::Processes));
    assert_eq!(changed(&changes, "d"), (vec![], &along[..], Extent::Processes));
    assert_eq!(changes.libraries.get("c"), None);
    assert!(changes.lines().contains(&"library.d: it shares its process with library.a".to_owned()));
    // Who leaves concerns those who stay.
    let left = between(&of("group='g'", ""), &of("", ""));
    assert_eq!(changed(&left, "d").2, Extent::Processes);
    assert_eq!(left.libraries.len(), 2);
    // A number that only the gateway goes by concerns nobody else.
    let settings = between(&of("group='g'", "group='g'"), &of("group='g'\nqueue=7", "group='g'"));
    assert_eq!((settings.libraries.len(), changed(&settings, "a").2), (1, Extent::Settings));
    let gone = between(&of("group='g'", ""), "[library.c]\nfile='c'\n[library.d]\nfile='d'\ngroup='g'");
    assert_eq!((gone.libraries.len(), changed(&gone, "d").2), (3, Extent::Processes));
}

#[test]
fn who_is_taken_along_takes_along_those_of_its_other_processes() {
    let of = |a: &str| {
        format!(
            "[library.a]\nfile='a'\nagent='p'\n{a}\n[library.b]\nfile='b'\nagent='p'\nfallback=[{{agent='q'}}]\n\
             [library.c]\nfile='c'\nagent='q'\n[library.d]\nfile='d'\nagent='r'"
        )
    };
    let changes = between(&of(""), &of("threads=2"));
    assert_eq!(changes.libraries.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(changed(&changes, "c").1, ["it shares its process with library.b"]);
}

const RUNTIMES: &str =
    "[runtime.win32]\ncommand=['wine','a.exe']\nenv={SECRET='x'}\n[runtime.linux32]\ncommand=['a']\n";

#[test]
fn a_runtime_that_changes_changes_the_libraries_that_it_runs() {
    let libraries = "[library.a]\nfile='a'\nruntime='win32'\n[library.b]\nfile='b'\nruntime='linux32'\n[library.c]\nfile='c'\n\
                     [library.d]\nfile='d'\nruntime='linux64'\nfallback=[{file='e', runtime='win32'}]\n";
    let old = format!("{libraries}{RUNTIMES}");
    let seen: BTreeMap<String, Seen> =
        [("c".to_owned(), Seen { target: Some(Target::Win32), ..Seen::default() })].into();
    let compare = |runtimes: &str| {
        let (old, new) = configurations(&old, &format!("{libraries}{runtimes}"));
        Changes::between(&old, &new, &seen).unwrap()
    };
    let changes = compare(&RUNTIMES.replace("'a.exe'", "'b.exe'").replace("'x'", "'y'"));
    let expected = vec!["runtime.win32.command", "runtime.win32.env"];
    for name in ["a", "c", "d"] {
        assert_eq!(changed(&changes, name), (expected.clone(), &[][..], Extent::Processes), "{name}");
    }
    assert_eq!(changes.libraries.len(), 3);
    let text = changes.lines().join("\n");
    assert!(text.contains("[\"wine\", \"a.exe\"] becomes [\"wine\", \"b.exe\"]"), "{text}");
    assert!(text.contains("runtime.win32.env has changed") && !text.contains("SECRET"), "{text}");
    let gone = compare("[runtime.linux32]\ncommand=['a']");
    assert_eq!(changed(&gone, "a").1, ["runtime.win32 is gone"]);
    let new = compare(&format!("{RUNTIMES}[runtime.linux64]\ncommand=['a']"));
    assert_eq!((new.libraries.len(), changed(&new, "d").1), (1, &["runtime.linux64 is new".to_owned()][..]));
}

#[test]
fn what_only_the_running_gateway_knows_counts() {
    let text = "[library.a]\nfile='a'\n[library.b]\nfile='b'\n[library.c]\nfile='c'";
    let (old, new) = configurations(text, text);
    let other = Seen { has_other_headers: true, ..Seen::default() };
    let broken = Seen { has_problem: true, ..Seen::default() };
    let seen = [("a", other), ("b", broken), ("gone", other)].map(|(name, seen)| (name.to_owned(), seen)).into();
    let changes = Changes::between(&old, &new, &seen).unwrap();
    assert_eq!(
        changed(&changes, "a"),
        (vec![], &["its header files have another text".to_owned()][..], Extent::Interface)
    );
    assert_eq!(changed(&changes, "b").1, ["it could not be run, which is tried again"]);
    assert_eq!((changes.libraries.len(), changed(&changes, "b").2), (2, Extent::Processes));
}
