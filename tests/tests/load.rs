//! What is said of a library that cannot be loaded, and that the gateway and the other libraries work on.

use std::path::{Path, PathBuf};

use bridge32_tests::fixture::{self, Fixture};
use bridge32_tests::{Bridge, HOME, TARGETS_32, Target, dist, json, within};

/// A bridge with these libraries besides a good one for each target: it must become ready, and the good ones must work.
fn with_good_neighbours(libraries: &[(&str, &Path, Option<Target>)]) -> Bridge {
    let bridge = Bridge::start(|config| {
        config.without_runtime("win64");
        for target in TARGETS_32 {
            let name = format!("good_{target}");
            config.library(&name, fixture::library("plain", target)).header(fixture::header("plain"));
        }
        for (name, file, runtime) in libraries {
            let mut table = config.library(name, file);
            table.declares("int Five(void);");
            if let Some(runtime) = runtime {
                table.set("runtime", runtime.name());
            }
        }
    });
    for target in TARGETS_32 {
        assert_eq!(bridge.call(&format!("good_{target}"), "Five", json!({})).result(), 5, "{target}");
    }
    bridge
}

/// A private copy of the fixtures' folder with only these files in it.
fn folder_with(files: &[&Path]) -> tempfile::TempDir {
    let folder = tempfile::TempDir::with_prefix("bridge32-load-").unwrap();
    for file in files {
        std::fs::copy(file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    folder
}

fn assert_says(text: &str, parts: &[&str]) {
    let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
    assert!(missing.is_empty(), "{text:?} does not say {missing:?}");
}

#[test]
fn a_file_of_another_architecture_is_named_as_such() {
    let elf64 = fixture::library("plain", Target::Linux64);
    let elf32 = fixture::library("plain", Target::Linux32);
    let pe64 = fixture::library("plain", Target::Win64);
    let pe32 = fixture::library("plain", Target::Win32);
    let bridge = with_good_neighbours(&[
        ("elf64_on_linux32", &elf64, Some(Target::Linux32)),
        ("pe64_on_win32", &pe64, Some(Target::Win32)),
        ("pe64", &pe64, None),
        ("elf_on_win32", &elf32, Some(Target::Win32)),
        ("pe_on_linux32", &pe32, Some(Target::Linux32)),
    ]);
    assert_says(&bridge.failure("elf64_on_linux32"), &["x86_64", "i386", "linux64", "193", "ERROR_BAD_EXE_FORMAT"]);
    assert_says(&bridge.failure("pe64_on_win32"), &["x86_64", "i386", "193", "ERROR_BAD_EXE_FORMAT"]);
    assert_says(&bridge.failure("pe64"), &["win64"]);
    assert_says(&bridge.failure("elf_on_win32"), &["ELF", "PE", "linux32"]);
    assert_says(&bridge.failure("pe_on_linux32"), &["PE", "ELF", "win32"]);
}

#[test]
fn agents_themselves_tell_another_architecture() {
    // A path of the runtime's own is not read by the gateway, so this is the agent's answer.
    let pe64 = fixture::library("plain", Target::Win64);
    let path = format!("Z:{}", pe64.display()).replace('/', "\\");
    let bridge = Bridge::start(|config| {
        config.library("pe64", path).set("runtime", "win32");
    });
    assert_says(&bridge.failure("pe64"), &["x86_64", "i386", "193", "ERROR_BAD_EXE_FORMAT"]);
}

#[test]
fn a_dotnet_assembly_is_named_as_such() {
    let folder = folder_with(&[]);
    let file = folder.path().join("managed.dll");
    std::fs::write(&file, managed_dll()).unwrap();
    let bridge = with_good_neighbours(&[("managed", &file, None)]);
    assert_says(&bridge.failure("managed"), &[".NET"]);
}

/// A DLL whose CLR data directory points to a header of a managed assembly, and that exports nothing.
fn managed_dll() -> Vec<u8> {
    let mut dll = std::fs::read(fixture::library("managed", Target::Win32)).unwrap();
    let number = |dll: &[u8], at: usize| u32::from_le_bytes(dll[at..at + 4].try_into().unwrap()) as usize;
    let marker = b"here goes the CLR header";
    let header = dll.windows(marker.len()).position(|window| window == marker).unwrap();
    let pe = number(&dll, 0x3c);
    let sections = pe + 24 + usize::from(dll[pe + 20]) + (usize::from(dll[pe + 21]) << 8);
    let count = usize::from(dll[pe + 6]);
    let section = (0..count).map(|index| sections + 40 * index).find(|section| {
        let (size, start) = (number(&dll, section + 16), number(&dll, section + 20));
        (start..start + size).contains(&header)
    });
    let section = section.unwrap();
    let address = header - number(&dll, section + 20) + number(&dll, section + 12);
    let mut put = |at: usize, value: u32| dll[at..at + 4].copy_from_slice(&value.to_le_bytes());
    // cb, runtime version 2.5, no metadata that anybody would read, flags: only managed code
    for (index, value) in [72, 0x0005_0002, 0, 0, 1].into_iter().enumerate() {
        put(header + 4 * index, value);
    }
    // The data directories begin 96 bytes into the optional header: 0 is the export table, 14 the CLR header.
    let directories = pe + 24 + 96;
    (0..2).for_each(|word| put(directories + 4 * word, 0));
    put(directories + 14 * 8, u32::try_from(address).unwrap());
    put(directories + 14 * 8 + 4, 72);
    dll
}

/// `needy`, which needs `helper`, which needs `absent`.
fn chain(target: Target) -> [PathBuf; 3] {
    let absent = fixture::library("absent", target);
    let helper = Fixture::new("helper").linked_to(&absent).build(target);
    let needy = Fixture::new("needy").linked_to(&helper).build(target);
    [needy, helper, absent]
}

#[test]
fn a_missing_dependency_is_named() {
    let folders = TARGETS_32.map(|target| folder_with(&[&chain(target)[1]]));
    let file = |index: usize, name| folders[index].path().join(name);
    let (elf, pe) = (file(0, "helper.so"), file(1, "helper.dll"));
    let bridge = with_good_neighbours(&[("linux32", &elf, None), ("win32", &pe, None)]);
    assert_says(&bridge.failure("linux32"), &["absent.so", "missing"]);
    assert_says(&bridge.failure("win32"), &["absent.dll", "missing", "126", "ERROR_MOD_NOT_FOUND"]);
}

#[test]
fn a_missing_dependency_of_a_dependency_is_named_with_who_needs_it() {
    let folders =
        TARGETS_32.map(|target| folder_with(&chain(target)[..2].iter().map(PathBuf::as_path).collect::<Vec<_>>()));
    let file = |index: usize, name| folders[index].path().join(name);
    let (elf, pe) = (file(0, "needy.so"), file(1, "needy.dll"));
    let bridge = with_good_neighbours(&[("linux32", &elf, None), ("win32", &pe, None)]);
    assert_says(&bridge.failure("linux32"), &["helper.so", "absent.so", "missing"]);
    assert_says(&bridge.failure("win32"), &["helper.dll", "absent.dll", "missing"]);
}

#[test]
fn dependencies_beside_the_library_are_found() {
    let folders = TARGETS_32.map(|target| folder_with(&chain(target).iter().map(PathBuf::as_path).collect::<Vec<_>>()));
    let bridge = Bridge::start(|config| {
        for (target, folder) in TARGETS_32.into_iter().zip(&folders) {
            let name = if target.is_windows() { "needy.dll" } else { "needy.so" };
            config.library(target.name(), folder.path().join(name)).declares("int Needy(void);");
        }
    });
    for target in TARGETS_32 {
        assert_eq!(bridge.call(target.name(), "Needy", json!({})).result(), 1, "{target}");
    }
}

#[test]
fn a_dependency_of_another_architecture_is_told_from_a_missing_one() {
    let folders =
        TARGETS_32.map(|target| folder_with(&chain(target)[..2].iter().map(PathBuf::as_path).collect::<Vec<_>>()));
    let needy = std::array::from_fn::<PathBuf, { TARGETS_32.len() }, _>(|at| {
        let (folder, windows) = (folders[at].path(), TARGETS_32[at].is_windows());
        let (twin, ending) = if windows { (Target::Win64, "dll") } else { (Target::Linux64, "so") };
        std::fs::copy(fixture::library("absent", twin), folder.join(format!("absent.{ending}"))).unwrap();
        folder.join(format!("needy.{ending}"))
    });
    let failing: Vec<_> = TARGETS_32.iter().zip(&needy).map(|(target, file)| (target.name(), &**file, None)).collect();
    let bridge = with_good_neighbours(&failing);
    for target in TARGETS_32 {
        assert_says(&bridge.failure(target.name()), &["absent", "x86_64"]);
    }
}

#[test]
fn what_is_no_library_is_told_for_what_it_is() {
    let folder = folder_with(&[]);
    let write = |name: &str, content: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let text = write("readme.dll", b"This is not a library, only a text.\n");
    let empty = write("empty.so", b"");
    let zip = write("packed.dll", b"PK\x03\x04 and so on");
    let whole = std::fs::read(fixture::library("plain", Target::Win32)).unwrap();
    let cut = write("cut.dll", &whole[..600]);
    let page = write("download.dll", b"<!DOCTYPE html><html><title>404</title></html>");
    let bridge = with_good_neighbours(&[
        ("text", &text, Some(Target::Win32)),
        ("empty", &empty, Some(Target::Linux32)),
        ("zip", &zip, None),
        ("cut", &cut, None),
        ("page", &page, None),
        ("program", &dist::folder().join("agent32"), None),
    ]);
    assert_says(&bridge.failure("text"), &["readme.dll", "not a library", "text"]);
    assert_says(&bridge.failure("empty"), &["empty.so", "not a library", "empty"]);
    assert_says(&bridge.failure("zip"), &["packed.dll", "ZIP"]);
    assert_says(&bridge.failure("cut"), &["cut.dll", "cut off"]);
    assert_says(&bridge.failure("page"), &["download.dll", "not a library"]);
    assert_says(&bridge.failure("program"), &["agent32", "program"]);
}

#[test]
fn a_path_that_cannot_be_read_is_named() {
    let folder = folder_with(&[]);
    let absent = folder.path().join("absent.so");
    let bridge = with_good_neighbours(&[
        ("absent", &absent, None),
        ("absent_for_win32", &absent, Some(Target::Win32)),
        ("folder", folder.path(), None),
        ("absent_in_wine", Path::new(r"C:\windows\system32\absent.dll"), Some(Target::Win32)),
        ("unknown_kind", Path::new(r"C:\windows\system32\kernel32.dll"), None),
    ]);
    for name in ["absent", "absent_for_win32"] {
        assert_says(&bridge.failure(name), &["absent.so"]);
    }
    assert_says(&bridge.failure("folder"), &[folder.path().to_str().unwrap(), "not a regular file"]);
    assert_says(&bridge.failure("absent_in_wine"), &["absent.dll"]);
    assert_says(&bridge.failure("unknown_kind"), &["runtime"]);
}

#[test]
fn paths_may_be_relative_and_have_spaces_and_letters_of_any_script() {
    let bridge = Bridge::start(|config| {
        let folder = config.folder().join("Büro 桥 (x86)");
        std::fs::create_dir(&folder).unwrap();
        for target in TARGETS_32 {
            let library = fixture::library("plain", target);
            let name = format!("müller & co.{}", library.extension().unwrap().display());
            std::fs::copy(library, folder.join(&name)).unwrap();
            std::fs::copy(fixture::header("plain"), folder.join("päge.h")).unwrap();
            let mut table = config.library(target.name(), format!("Büro 桥 (x86)/{name}"));
            table.header("Büro 桥 (x86)/päge.h");
        }
    });
    for target in TARGETS_32 {
        assert_eq!(bridge.call(target.name(), "Five", json!({})).result(), 5, "{target}");
    }
}

#[test]
fn a_dllmain_that_refuses_is_told() {
    let file = fixture::library("refuses", Target::Win32);
    let bridge = with_good_neighbours(&[("refuses", &file, None)]);
    assert_says(&bridge.failure("refuses"), &["refuses.dll", "1114", "ERROR_DLL_INIT_FAILED", "DllMain"]);
    assert_eq!(bridge.generation("refuses"), 1, "the agent did not die of it");
}

#[test]
fn a_constructor_that_ends_the_process_is_told() {
    let file = fixture::library("refuses", HOME);
    let bridge = with_good_neighbours(&[("refuses", &file, None)]);
    let reason = bridge.failure("refuses");
    assert_says(&reason, &["exit code 3"]);
    assert!(bridge.log().contains("no licence on this machine"), "what it printed is in the log");
}

#[test]
fn an_undefined_symbol_is_named() {
    let elf = Fixture::new("undefined").flag("-Wl,--unresolved-symbols=ignore-all").build(Target::Linux32);
    let bridge = with_good_neighbours(&[("undefined", &elf, None)]);
    assert_says(&bridge.failure("undefined"), &["NowhereToBeFound"]);
}

#[test]
fn a_library_without_a_runtime_is_told_what_is_missing() {
    let file = fixture::library("plain", HOME);
    let bridge = Bridge::start(|config| {
        config.set("runtime", toml::Table::new());
        config.library("plain", file);
    });
    assert_says(&bridge.failure("plain"), &["linux32", "[runtime.linux32]"]);
}

#[test]
fn a_runtime_that_cannot_be_started_is_told() {
    let file = fixture::library("plain", HOME);
    let bridge = Bridge::start(|config| {
        let command: toml::Value = vec!["/nowhere/agent32"].into();
        config.runtime("linux32").insert("command".into(), command);
        config.library("plain", file).header(fixture::header("plain"));
    });
    let answer = bridge.call("plain", "Five", json!({}));
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    let problem = answer.refused(503, "no_agent");
    assert_says(problem["detail"].as_str().unwrap(), &["/nowhere/agent32", "runtime.linux32"]);
    assert_eq!(bridge.agent("plain")["state"], "gave_up");
}

#[test]
fn a_library_that_waits_for_somebody_while_it_is_loaded_is_told_with_what_it_shows() {
    let bridge = Bridge::start(|config| {
        for target in TARGETS_32 {
            let file = fixture::library("dongle", target);
            config.library(target.name(), file).set("startup", "4s");
        }
        config.library("other", fixture::library("plain", HOME)).header(fixture::header("plain"));
        config.do_not_wait();
    });
    for target in TARGETS_32 {
        within(60.0, "it is given up", || (bridge.library(target.name())["state"] == "failed").then_some(()));
        let reason = bridge.failure(target.name());
        assert!(reason.contains("took longer than 4 s"), "{target}: {reason}");
        let expected: &[&str] = match target {
            Target::Win32 => {
                &["shows a window titled \"Licence\" that says", "\"Please insert the dongle\"", "click it away"]
            }
            _ => &["the thread `apartment linux` waits", "nanosleep"],
        };
        assert!(expected.iter().all(|part| reason.contains(part)), "{target}: {reason}");
    }
    assert_eq!(bridge.call("other", "Five", json!({})).result(), 5);
}
