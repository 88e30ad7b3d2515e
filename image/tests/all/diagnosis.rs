//! What a person reads about a file that cannot be loaded.

use std::path::Path;

use super::support::elf::Elf;
use super::support::pe::{Entry, Pe};
use bridge32_image::diagnose::{Finding, Wanted, diagnose};
use bridge32_image::{Image, ImageError};

fn findings(bytes: &[u8], runtime: &str) -> Vec<Finding> {
    diagnose(&Image::parse(bytes).unwrap(), Wanted::by_runtime(runtime).unwrap())
}

fn text(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn usable() -> Pe {
    Pe::default().exports(1, &[Entry::Code(0)], &[(b"f", 0)])
}

#[test]
fn a_usable_library_has_no_findings() {
    assert_eq!(findings(&usable().build(), "win32"), []);
}

#[test]
fn a_file_of_another_architecture_says_which_and_how_windows_calls_it() {
    let found = findings(&Pe { machine: 0x8664, wide: true, ..Pe::default() }.build(), "win32");
    let text = text(&found);
    assert!(found[0].is_fatal());
    for part in ["64-bit x86 (x86_64)", "32-bit x86 (i386)", "193", "ERROR_BAD_EXE_FORMAT", "use the runtime win64"] {
        assert!(text.contains(part), "{text}");
    }
    let arm = self::text(&findings(&Elf { machine: 40, ..Elf::default() }.build(), "linux32"));
    assert!(arm.contains("32-bit ARM") && arm.contains("another build"), "{arm}");
}

#[test]
fn a_file_of_another_system_says_so() {
    let text = text(&findings(&usable().build(), "linux32"));
    assert!(text.contains("Windows (PE)") && text.contains("use the runtime win32"), "{text}");
}

#[test]
fn a_dotnet_assembly_cannot_be_called_unless_it_has_native_exports() {
    let found = findings(&Pe::default().dotnet(1).build(), "win32");
    assert!(found[0].is_fatal() && text(&found).contains("CLR header present"));
    let found = findings(&usable().dotnet(0x10).build(), "win32");
    assert!(!found[0].is_fatal() && text(&found).contains("1 native exports"));
    assert_eq!(
        serde_json::to_value(&found[0]).unwrap(),
        serde_json::json!({"finding": "dotnet", "content": "mixed", "exports": 1})
    );
}

#[test]
fn a_program_and_an_empty_library_are_told() {
    let found = findings(&Pe { characteristics: 0x102, ..Pe::default() }.build(), "win32");
    assert!(found[0].is_fatal() && text(&found).contains("a program, not a library"));
    let found = findings(&Elf::default().build(), "linux32");
    assert_eq!(found, [Finding::NoExports]);
    assert!(!found[0].is_fatal());
}

#[test]
fn paths_that_are_no_library_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calc.h");
    std::fs::write(&file, "int Add(int a, int b);\n").unwrap();
    let error = |path: &Path| Image::open(path).unwrap_err();
    assert!(matches!(error(folder.path()), ImageError::NotAFile { .. }));
    assert!(error(&folder.path().join("gone.dll")).to_string().contains("check the path"));
    assert!(error(&file).to_string().contains("text file"));
    assert!(error(Path::new("/dev/zero")).to_string().contains("not a regular file"));
}
