//! The commands that look at libraries and headers, and add them to a configuration.

use bridge32_tests::bridge::run;
use bridge32_tests::fixture::Fixture;
use bridge32_tests::{Bridge, Config, HOME, Target, Value, fixture, json};

/// A DLL whose stdcall exports are named as MinGW decorates: `AddStd@8`.
fn decorated(name: &str) -> std::path::PathBuf {
    Fixture::new("decorated").named(name).build(Target::Win32)
}

#[test]
fn interface_check_reviews_headers_and_libraries() {
    let mut config = Config::new();
    let header = "/** @param[in] a first */ int Five(void);\nint NotThere(int *a);\nint Fill(char *buffer);\n";
    config.library("plain", fixture::library("plain", HOME)).declares(header);
    let file = config.write();
    let header = config.folder().join("plain.h");
    let library = fixture::library("plain", HOME);
    let of_header = ["interface", "check", header.to_str().unwrap(), "--library", library.to_str().unwrap()];
    let of_library = ["interface", "check", "plain", "--config", file.to_str().unwrap()];
    for (arguments, name) in [(of_header, "plain.h"), (of_library, "plain")] {
        let (code, output, notes) = run(&arguments);
        assert_eq!(code, Some(0), "{output}{notes}");
        for part in [
            "Not callable (2):\n  plain.h:2\n      int NotThere(int *a)",
            "the file does not export it",
            "  plain.h:3\n      int Fill(char *buffer)",
            "direction: in-out, because it is a non-const pointer without annotation (1)\n      NotThere(a)",
            &format!("{name} (linux32): 3 functions, 1 callable, 2 not, "),
        ] {
            assert!(output.contains(part), "no {part} in {output}");
        }
    }
    let (code, output, _) = run(&[&of_library[..], &["--json"]].concat());
    let reviews: Value = serde_json::from_str(&output).unwrap();
    let review = &reviews["libraries"][0];
    assert_eq!(
        (code, &review["summary"]["functions"], &review["functions"][0]["callable"]),
        (Some(0), &json!(3), &json!(true))
    );
    std::fs::write(&header, "int crc32(int a);\nint adler32(int a);\n").unwrap();
    let (code, output, _) = run(&of_header);
    assert!(code == Some(1) && output.contains("nothing of what plain.h declares"), "{output}");
    let (code, output, _) = run(&["check", "--config", file.to_str().unwrap()]);
    assert!(
        code == Some(1) && output.contains("problem: the file exports nothing of what its header declares"),
        "{output}"
    );
    std::fs::write(&header, "int Five(void);\nint broken(int\n").unwrap();
    let (code, output, _) = run(&of_library);
    assert!(code == Some(1) && output.contains("plain.h:2:"), "{output}");
    let (code, _, notes) = run(&["interface", "check", "plian", "--config", file.to_str().unwrap()]);
    assert!(code == Some(2) && notes.contains("did you mean `plain`?"), "{notes}");
}

#[test]
fn a_starting_header_of_a_real_library_is_read_as_it_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        fixture::foreign("cpp_lib32", Target::Linux32),
        fixture::foreign("cpp_lib32", Target::Win32),
        decorated("decorated_at"),
        Fixture::new("exports").flag("-DAPI=").definitions("exports.def").build(Target::Win32),
        "/usr/lib32/libz.so.1".into(),
        "/usr/lib32/libstdc++.so.6".into(),
        "/usr/i686-w64-mingw32/lib/zlib1.dll".into(),
    ];
    for (number, file) in files.iter().enumerate() {
        let header = folder.path().join(format!("{number}.h"));
        let (header, file) = (header.to_str().unwrap(), file.to_str().unwrap());
        let (code, _, notes) = run(&["interface", "new", file, "-o", header]);
        assert_eq!(code, Some(0), "{file}: {notes}");
        let (code, output, notes) = run(&["interface", "check", header, "--library", file, "--json"]);
        let review: Value =
            serde_json::from_str(&output).unwrap_or_else(|error| panic!("{file}: {error}: {output}{notes}"));
        assert_eq!((code, &review["diagnostics"]), (Some(0), &json!([])), "{file}");
        assert_eq!(review["coverage"]["unexported"], json!([]), "{file}");
        let (code, _, notes) = run(&["interface", "new", file, "-o", header]);
        assert!(code == Some(1) && notes.contains("exists"), "{notes}");
    }
}

#[test]
fn a_decorated_export_can_be_called_once_its_line_of_the_starting_header_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let header = folder.path().join("decorated.h");
    let library = decorated("decorated_at");
    let (code, _, notes) = run(&["interface", "new", library.to_str().unwrap(), "-o", header.to_str().unwrap()]);
    assert!(code == Some(0) && notes.contains("with convention and bytes"), "{notes}");
    let text = std::fs::read_to_string(&header).unwrap();
    let line = "// TYPE __stdcall AddStd(/* 8 bytes */ PARAMETERS);";
    assert!(text.contains(line) && text.contains("// TYPE AddCdecl(PARAMETERS);"), "{text}");
    std::fs::write(&header, text.replace(line, "int __stdcall AddStd(int a, int b);")).unwrap();
    let bridge = Bridge::start(|config| {
        config.library("decorated", &library).header(&header);
    });
    assert_eq!(bridge.call("decorated", "AddStd", json!({"a": 40, "b": 2})).result(), 42);
    bridge.call("decorated", "AddCdecl", json!({"a": 40, "b": 2})).refused(404, "unknown_function");
}

#[test]
fn import_adds_a_library_that_then_can_be_called() {
    let config = Config::new();
    let file = config.write();
    let library = fixture::library("memory", HOME);
    let (library, header) = (library.to_str().unwrap(), fixture::header("memory"));
    let before = std::fs::read_to_string(&file).unwrap();
    let path = file.to_str().unwrap();
    let import =
        |more: &[&str]| run(&[&["import", library, header.to_str().unwrap(), "--config", path], more].concat());

    let (code, output, notes) = import(&["--dry-run"]);
    assert!(code == Some(0) && output.contains("it needs the runtime linux32"), "{output}{notes}");
    assert!(output.contains("[library.memory]\nfile = "), "{output}");
    let (code, _, notes) = import(&[]);
    assert!(code == Some(2) && notes.contains("--yes adds [library.memory]"), "{notes}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "nothing was changed");

    let (code, _, notes) = import(&["--yes", "--name", "mem"]);
    assert_eq!(code, Some(0), "{notes}");
    assert!(notes.contains("bridge32 interface check mem --config"), "{notes}");
    assert!(notes.contains("bridge32 call mem "), "{notes}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with(&before), "the rest is as it was: {text}");
    assert_eq!(run(&["check", "--config", path]).0, Some(0));
    let (code, _, notes) = import(&["--yes", "--name", "mem"]);
    assert!(code == Some(2) && notes.contains("there is a library `mem` already"), "{notes}");
}

#[test]
fn import_names_what_is_wrong_and_changes_nothing() {
    let config = Config::new();
    let file = config.write();
    let before = std::fs::read_to_string(&file).unwrap();
    let library = fixture::library("plain", HOME);
    let (library, header) = (library.to_str().unwrap(), fixture::header("plain"));
    let header = header.to_str().unwrap();
    let (strange, prose) = (config.folder().join("strange.h"), config.folder().join("README.md"));
    std::fs::write(&strange, "int nobody_exports_this(int a);").unwrap();
    std::fs::write(&prose, "int (\n;".repeat(200)).unwrap();
    let import =
        |arguments: &[&str]| run(&[&["import", "--yes", "--config", file.to_str().unwrap()], arguments].concat());
    for (arguments, expected, code) in [
        (vec!["/nowhere/a.so", header], "there is no file /nowhere/a.so", 1),
        (vec![library, "/nowhere/a.h"], "cannot read the header /nowhere/a.h", 1),
        (vec![header, library], "the library comes first", 2),
        (vec!["/bin/sh", header], "a program, not a library", 1),
        (vec![library, header, "--name", "a b"], "cannot be a library's name", 2),
        (vec![library, header, "--encoding", "klingon"], "klingon", 2),
        (vec![library], "bridge32 interface new", 2),
        (vec![library, strange.to_str().unwrap()], "declares nothing that", 1),
        (vec![library, prose.to_str().unwrap()], "declares nothing that", 1),
    ] {
        let (status, output, notes) = import(&arguments);
        assert_eq!(status, Some(code), "{arguments:?}: {output}{notes}");
        assert!(notes.contains(expected), "{arguments:?}: {notes}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let (code, _, notes) = run(&["import", library, header, "--config", "/nowhere/bridge32.toml", "--yes"]);
    assert!(code == Some(1) && notes.contains("bridge32 init"), "{notes}");
    let (code, _, notes) = run(&["import", library, "--config", "/nowhere/bridge32.toml"]);
    assert!(code == Some(2) && notes.contains("bridge32 interface new"), "{notes}");
    let (code, output, notes) = run(&["import", library, header, "--config", "/nowhere/bridge32.toml", "--dry-run"]);
    assert!(code == Some(0) && output.contains("[library.plain]"), "{output}{notes}");
    let (_, output, _) = import(&[library, prose.to_str().unwrap()]);
    assert!(output.matches("error:").count() <= 10 && output.contains(" more (`bridge32 interface check "), "{output}");
}

#[test]
fn shells_complete_libraries_functions_and_arguments() {
    let mut config = Config::new();
    config.library("memory", fixture::library("memory", HOME)).header(fixture::header("memory"));
    let file = config.write();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, output, notes) = run(&["completions", shell]);
        assert!(code == Some(0) && output.contains("BRIDGE32_COMPLETE"), "{shell}: {output}{notes}");
    }
    let complete = |words: &[&str]| {
        let mut command = bridge32_tests::bridge::gateway_command();
        command.env("BRIDGE32_COMPLETE", "fish").env("BRIDGE32_CONFIG", &file).arg("--").args(words);
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete(&["bridge32", "imp"]).contains("import"));
    assert!(complete(&["bridge32", "call", "me"]).contains("memory"));
    assert!(complete(&["bridge32", "call", "memory", "Div"]).contains("Divide"));
    let arguments = complete(&["bridge32", "call", "memory", "Divide", "dividend=1", "d"]);
    assert!(arguments.contains("divisor=") && !arguments.contains("dividend="), "{arguments}");
}
