//! What a configuration means, and what is said of a wrong one.

use bridge32_protocol::interface::{Encoding, Int64};
use bridge32_protocol::wire::Dialect;

use super::*;

mod documented;

pub(super) fn written(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let main = folder.path().join(files[0].0);
    (folder, main)
}

pub(crate) fn load_text(text: &str) -> Result<Config, ConfigError> {
    let (_folder, main) = written(&[("bridge32.toml", text)]);
    load(&main, []).map(|loaded| loaded.config)
}

pub(super) fn message(text: &str) -> String {
    load_text(text).unwrap_err().to_string()
}

#[test]
fn paths_are_relative_to_the_file_and_drives_are_the_runtimes_own() {
    let (folder, main) = written(&[(
        "bridge32.toml",
        "[auth]\nmode='off'\n[library.a]\nfile='./x/a.so'\nheader=['a.h','b.h']\n\
         [library.k]\nfile='C:\\windows\\k.dll'\n[runtime.win32]\ncommand=['wine','agent32.exe']\npaths='Z:'",
    )]);
    let config = load(&main, []).unwrap().config;
    let a = &config.libraries["a"];
    assert_eq!(a.file, LibraryFile::Host(folder.path().join("x/a.so")));
    assert_eq!(a.headers, [folder.path().join("a.h"), folder.path().join("b.h")]);
    let runtime = &config.runtimes[&Target::Win32];
    assert_eq!(runtime.path_for_agent(&LibraryFile::Host("/srv/a.dll".into())), "Z:\\srv\\a.dll");
    assert_eq!(runtime.path_for_agent(&config.libraries["k"].file), "C:\\windows\\k.dll");
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_was_meant() {
    let text = message("[auth]\nmode = 'off'\n\n[library.a]\nfile = 'a.so'\n  deadlin = '5s'\n");
    assert!(text.ends_with("bridge32.toml:6:3: unknown key `deadlin`; did you mean `deadline`?"), "{text}");
    assert!(message("quux = 1").contains("known here: include, listen"));
}

#[test]
fn values_that_make_no_sense_are_named_with_their_key() {
    for (text, expected) in [
        ("listen = '0.0.0.0:80'", "listen: 0.0.0.0:80 can be reached from other machines"),
        ("[library.a]\nfile='a'\ndeadline='5'", "library.a.deadline: `5` is not a duration"),
        ("[library.a]\nfile='a'\nstartup='soon'", "library.a.startup: `soon` is not a duration"),
        ("[library.a]\nfile='a'\nencoding='klingon'", "library.a.encoding: `klingon` is no encoding"),
        ("[library.a]\nfile='a'\ndialect='msvc'", "library.a.dialect: `msvc` is not known"),
        ("[library.a]\nfile='a'\nint64='text'", "library.a.int64: `text` is not known"),
        ("[library.a]\nheader='a'", "library.a.file: is missing"),
        ("[library.'a b']\nfile='a'", "stands in addresses"),
        ("[runtime.linux23]\ncommand=['x']", "there is no runtime `linux23`; did you mean `linux32`?"),
        ("[runtime.linux32]\ncommand=[]", "runtime.linux32.command: names no program"),
        ("[library.a]\nfile='a'\nsha256='abc'", "library.a.sha256: `abc` is not 64 hexadecimal digits"),
        ("[library.a]\nfile='a'\nagent='b c'", "library.a.agent: `b c` is no name"),
        ("[library.a]\nfile='a'\nagent='b'\n[library.b]\nfile='b'", "`b` is an agent that the gateway starts itself"),
        ("[library.a]\nfile='a'\nagent='a'\ngroup='g'", "`group` is for agents that the gateway starts"),
        ("[auth]\nmode='off'\n[library.a]\nfile='a'\nagent='b'", "set it to \"hmac\""),
        ("[dashboard]\npassword='hunter22'", "dashboard.password: is no argon2id hash but perhaps the password itself"),
        ("[dashboard]\nsession='721h'", "dashboard.session: is too long"),
        ("[dashboard]\nsession='12'", "dashboard.session: `12` is not a duration"),
        ("[dashboard]\npasswort='x'", "unknown key `passwort`; did you mean `password`?"),
        ("[library.a]\nfile='a'\n[library.'a.b']\nfile='b'", "could mean a function of the library `a`"),
        ("[auth]\nmode='on'", "auth.mode: `on` is not known"),
        ("sensitive_names=['pin','1']", "sensitive_names: `1` has no letters"),
        ("[library.a]\nfile='a'\ngroup='b'\n[library.b]\nfile='b'", "`b` is also a library outside that group"),
    ] {
        let text = message(text);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn includes_add_libraries_and_may_not_repeat_them() {
    let (_folder, main) = written(&[
        ("bridge32.toml", "include=['more.toml']\n[library.a]\nfile='a.so'"),
        ("more.toml", "[library.b]\nfile='b.so'"),
    ]);
    assert_eq!(load(&main, []).unwrap().config.libraries.len(), 2);
    let (_folder, main) = written(&[
        ("bridge32.toml", "include=['more.toml']\n[library.a]\nfile='a.so'"),
        ("more.toml", "[library.a]\nfile='b.so'"),
    ]);
    assert!(load(&main, []).unwrap_err().to_string().contains("library.a: is said in"));
}

#[test]
fn every_key_can_come_from_the_environment() {
    let (folder, main) = written(&[("bridge32.toml", "[library.My-Lib]\nfile='a.so'\ndeadline='1s'")]);
    let set = |pairs: &[(&str, &str)]| load(&main, pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
    let loaded = set(&[
        ("BRIDGE32_LISTEN", "127.0.0.1:0"),
        ("BRIDGE32_MAX_BODY", "1MiB"),
        ("BRIDGE32_AUTH__MODE", "off"),
        ("BRIDGE32_LIBRARY__MY_LIB__DEADLINE", "250ms"),
        ("BRIDGE32_LIBRARY__MY_LIB__HEADER", "['x.h', 'y.h']"),
        ("BRIDGE32_RUNTIME__LINUX32__COMMAND", "['wine']"),
        ("BRIDGE32_LOG", "debug"),
        ("BRIDGE32_LISTN", "x"),
    ])
    .unwrap();
    let config = loaded.config;
    assert_eq!((config.listeners.listen[0].address.port(), config.max_body), (0, 1 << 20));
    assert!(matches!(config.auth, AuthConfig::Off));
    let library = &config.libraries["My-Lib"];
    assert_eq!(library.deadline, Duration::from_millis(250));
    assert_eq!(library.headers[1], folder.path().join("y.h"));
    assert_eq!(config.runtimes[&Target::Linux32].command, ["wine"]);
    assert_eq!(loaded.warnings.len(), 1);
    let error = set(&[("BRIDGE32_LIBRARY__MY_LIB__DEADLIN", "1s")]).unwrap_err().to_string();
    assert!(error.contains("unknown key `deadlin`; did you mean `deadline`?"), "{error}");
}

#[test]
fn durations_and_sizes_carry_units() {
    assert_eq!(values::duration("2m"), Ok(Duration::from_mins(2)));
    assert!(values::duration("0s").is_err() && values::duration("-1s").is_err() && values::duration("1d").is_err());
    assert_eq!(values::size("64 KiB"), Ok(65536));
    assert_eq!((values::size("12MB"), values::size("1.5GB")), (Ok(12_000_000), Ok(1_500_000_000)));
    assert_eq!((values::size("1.5GiB"), values::size("0.1KiB")), (Ok(3 << 29), Ok(102)));
    for text in ["12TB", "1.5", "1.5B", ".5GB", "1.GB", "1.5.5GB", "-1", "", "20000000000GB", "1.0000000001GB"] {
        assert!(values::size(text).is_err(), "{text}");
    }
    for text in ["250ms", "1500ms", "5s", "90s", "2m", "1h", "36h"] {
        assert_eq!(values::shown(values::duration(text).unwrap()), text);
    }
}

#[test]
fn a_library_can_say_its_compilers_abi_and_how_strict_its_text_is() {
    let config = load_text(
        "[auth]\nmode='off'\n[library.a]\nfile='a'\n[library.b]\nfile='b'\ndialect='microsoft'\nlossy=true\nencoding='ansi'\nint64='string'",
    );
    let libraries = config.unwrap().libraries;
    let (a, b) = (&libraries["a"], &libraries["b"]);
    assert_eq!((a.dialect, a.lossy, &a.encoding), (None, false, &Encoding::Utf8));
    assert_eq!((a.int64, b.int64), (Int64::Number, Int64::String));
    assert_eq!((b.dialect, b.lossy, &b.encoding), (Some(Dialect::Microsoft), true, &Encoding::Ansi));
    assert!(message("[library.a]\nfile='a'\nlossy='yes'").contains("boolean"));
}

#[test]
fn sensitive_names_take_the_place_of_the_default_ones_and_the_environment_may_set_them() {
    let text = "[library.a]\nfile='a'\nsensitive=['code']";
    let marks = |names: &str| load_text(&format!("{names}\n{text}")).unwrap().libraries["a"].sensitive.clone();
    assert!(marks("").matches("userPin") && !marks("").matches("tax"));
    assert!(marks("sensitive_names=['tax']").matches("taxNumber") && !marks("sensitive_names=['tax']").matches("pin"));
    assert!(!marks("sensitive_names=[]").matches("password"));
    let (_folder, main) = written(&[("bridge32.toml", text)]);
    let variables = [("BRIDGE32_SENSITIVE_NAMES".to_owned(), "['tax']".to_owned())];
    let loaded = load(&main, variables).unwrap();
    assert!(loaded.warnings.is_empty() && loaded.config.libraries["a"].sensitive.matches("tax"));
}

#[test]
fn only_a_library_that_prints_alone_has_its_output_told_apart_by_calls() {
    let library = |more: &str| format!("[library.a]\nfile='a'\noutput='calls'\n{more}");
    assert_eq!(load_text(&library("")).unwrap().libraries["a"].output, Output::Calls);
    assert_eq!(load_text("[library.a]\nfile='a'").unwrap().libraries["a"].output, Output::Agent);
    for (more, why) in [("threads=2", "`threads`"), ("group='g'", "`group`"), ("agent='pc'", "`agent`")] {
        let text = message(&library(more));
        assert!(text.contains("library.a.output") && text.contains(why), "{text}");
    }
    assert!(message("[library.a]\nfile='a'\noutput='call'").contains("can be \"agent\" or \"calls\""));
}
