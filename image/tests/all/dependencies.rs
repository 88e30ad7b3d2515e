//! Missing libraries are named, with the chain that needs them.

use std::collections::HashMap;
use std::path::PathBuf;

use super::support::elf::Elf;
use super::support::pe::Pe;
use bridge32_image::dependencies::{Found, Report, Request, check};
use bridge32_image::{Image, search};

fn pe(imports: &[&str]) -> Image {
    Image::parse(&Pe::default().imports(imports).build()).unwrap()
}

/// Checks the first library against the others.
fn report(libraries: &[(&str, Image)]) -> Report {
    let files: HashMap<_, _> = libraries.iter().map(|(name, image)| (name.to_lowercase(), image.clone())).collect();
    let resolver = |request: &Request<'_>| match files.get(&request.name.to_lowercase()) {
        Some(image) => Found::Library { image: Box::new(image.clone()), path: None },
        None => Found::Missing,
    };
    check(&libraries[0].1, libraries[0].0, None, &resolver)
}

fn texts(report: &Report) -> Vec<String> {
    report.problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_chain_to_a_missing_library_is_told() {
    let report = report(&[("vendor.dll", pe(&["helper.dll"])), ("helper.dll", pe(&["MSVCR71.dll"]))]);
    assert_eq!(texts(&report), ["vendor.dll → helper.dll → MSVCR71.dll (missing)"]);
    assert_eq!(report.fatal().count(), 1);
}

#[test]
fn what_was_found_is_told_with_what_needs_it() {
    let report = report(&[("a.dll", pe(&["b.dll", "gone.dll"])), ("b.dll", pe(&["c.dll"])), ("c.dll", pe(&[]))]);
    let told = report.libraries.iter().map(|needed| (&*needed.name, needed.by, needed.fault.is_some()));
    assert_eq!(told.collect::<Vec<_>>(), [("b.dll", None, false), ("gone.dll", None, true), ("c.dll", Some(0), false)]);
}

#[test]
fn cycles_end_and_each_library_is_told_once() {
    let report = report(&[
        ("a.dll", pe(&["b.dll", "c.dll", "GONE.dll"])),
        ("b.dll", pe(&["A.DLL", "c.dll", "gone.dll"])),
        ("c.dll", pe(&["b.dll", "gone.dll"])),
    ]);
    assert_eq!(texts(&report), ["a.dll → GONE.dll (missing)"]);
    assert_eq!(report.looked_for, 3);
}

#[test]
fn long_chains_are_followed_and_endless_ones_are_cut() {
    let resolver = |request: &Request<'_>| {
        let number: u32 = request.name.trim_end_matches(".dll").parse().unwrap();
        Found::Library { image: Box::new(pe(&[&format!("{}.dll", number + 1)])), path: None }
    };
    let report = check(&pe(&["1.dll"]), "0.dll", None, &resolver);
    assert!(report.cut_short && report.problems.is_empty());
}

#[test]
fn another_architecture_is_told() {
    let other = Image::parse(&Pe { machine: 0x8664, wide: true, ..Pe::default() }.build()).unwrap();
    let report = report(&[("a.dll", pe(&["b.dll"])), ("b.dll", other)]);
    assert_eq!(texts(&report), ["a.dll → b.dll (is for 64-bit x86 (x86_64))"]);
}

#[test]
fn delayed_libraries_do_not_stop_the_load() {
    let later = Image::parse(&Pe::default().imports(&["now.dll"]).delayed("later.dll", true).build()).unwrap();
    let report = report(&[("a.dll", later), ("now.dll", pe(&[])), ("later.dll", pe(&["deep.dll"]))]);
    assert_eq!(texts(&report), ["a.dll → later.dll → deep.dll (missing; needed only when first used)"]);
    assert_eq!(report.fatal().count(), 0);
    let json = serde_json::to_value(&report.problems[0]).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"chain": ["a.dll", "later.dll", "deep.dll"], "fault": "missing", "delayed": true})
    );
}

#[test]
fn api_sets_are_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    let image = pe(&["api-ms-win-crt-runtime-l1-1-0.dll", "EXT-MS-win-x.dll"]);
    assert_eq!(check(&image, "a.dll", None, &search::windows([folder.path()])).problems, []);
}

#[test]
fn origin_and_inherited_rpath_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, strings: &[(u32, &str)]| -> PathBuf {
        let strings = strings.iter().map(|(tag, text)| (*tag, (*text).to_owned())).collect();
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, Elf { strings, ..Elf::default() }.build()).unwrap();
        path
    };
    let problems = |tag| {
        let root = write("libroot.so", &[(1, "libone.so"), (tag, "${ORIGIN}/sub")]);
        write("sub/libone.so", &[(1, "libtwo.so")]);
        write("sub/libtwo.so", &[(1, "libgone.so")]);
        let resolver = search::linux(Vec::<PathBuf>::new()).without_system();
        texts(&check(&Image::open(&root).unwrap(), "libroot.so", Some(&root), &resolver))
    };
    assert_eq!(problems(15), ["libroot.so → libone.so → libtwo.so → libgone.so (missing)"]);
    // A runpath serves only the file that has it.
    assert_eq!(problems(29), ["libroot.so → libone.so → libtwo.so (missing)"]);
}

#[test]
fn files_for_another_processor_are_passed_over_on_linux() {
    let folder = tempfile::tempdir().unwrap();
    let place = |dir: &str, elf: &Elf| {
        std::fs::create_dir_all(folder.path().join(dir)).unwrap();
        std::fs::write(folder.path().join(dir).join("libx.so"), elf.build()).unwrap();
    };
    place("64", &Elf { wide: true, machine: 62, ..Elf::default() });
    let root = Elf { strings: vec![(1, "libx.so".into())], ..Elf::default() };
    let root = Image::parse(&root.build()).unwrap();
    let search = || search::linux([folder.path().join("64"), folder.path().join("32")]).without_system();
    let text = texts(&check(&root, "r.so", None, &search())).join("");
    assert!(text.ends_with("libx.so is for 64-bit x86 (x86_64))"), "{text}");
    place("32", &Elf::default());
    assert_eq!(check(&root, "r.so", None, &search()).problems, []);
}
