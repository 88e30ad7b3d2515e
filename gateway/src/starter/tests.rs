//! What becomes of each kind of export, and that the result reads as it is meant.

use bridge32_image::Forwarder;
use bridge32_interface::Header;
use bridge32_protocol::interface::ExportName;

use super::*;
use crate::libraries::coverage::Coverage;
use crate::libraries::coverage::tests::image;

fn starter(names: &[&str]) -> Starter {
    make("a.dll", &image(names), Target::Win32)
}

fn read(starter: &Starter) -> Header {
    let source = Source { name: "a.h", text: starter.header.as_bytes() };
    bridge32_interface::read(&[source], &Options::new(Target::Win32))
}

#[test]
fn a_decorated_name_gives_the_convention_and_the_bytes_and_nothing_that_could_be_called() {
    let starter = starter(&["_Add@8", "@Fast@12", "Nothing@0", "Vector@@16"]);
    for line in [
        "\n// TYPE __stdcall Add(/* 8 bytes */ PARAMETERS);\n",
        "\n// TYPE __fastcall Fast(/* 12 bytes */ PARAMETERS);\n",
        "\n// TYPE __stdcall Nothing(void);\n",
        "\n// Vector@@16  it is __vectorcall, which cannot be called\n",
    ] {
        assert!(starter.header.contains(line), "no {line} in\n{}", starter.header);
    }
    let read = read(&starter);
    assert_eq!((read.diagnostics.len(), read.interface.functions.len()), (0, 0));
}

#[test]
fn a_completed_line_means_the_decorated_export() {
    let starter = starter(&["_F@12"]);
    let completed = "float __stdcall F(float a, double b);";
    let header = starter.header.replace("// TYPE __stdcall F(/* 12 bytes */ PARAMETERS);", completed);
    assert!(header.contains(completed), "{header}");
    let read = read(&Starter { header, ..starter });
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    let coverage = Coverage::new(&image(&["_F@12"]), &read.interface);
    assert_eq!((coverage.undeclared.len(), coverage.unexported.len()), (0, 0));
}

#[test]
fn the_head_shows_what_a_completed_line_looks_like_if_there_is_one_to_complete() {
    for (names, before, after) in [
        (&["crc32", "_Add@8"][..], "TYPE __stdcall ReadCard(/* 8 bytes */ PARAMETERS);", "int __stdcall ReadCard("),
        (&["crc32"], "TYPE ReadCard(PARAMETERS);", "int ReadCard("),
    ] {
        let header = starter(names).header;
        assert!(header.contains(&format!("//     // {before}\n// into\n//     {after}")), "{header}");
    }
    assert!(!starter(&["?f@@YAHH@Z"]).header.contains("ReadCard"));
}

#[test]
fn exports_of_an_elf_file_are_in_the_order_of_their_names() {
    let image = Image { format: bridge32_image::Format::Elf, ..image(&["zeta", "alpha", "omp_get_dynamic_"]) };
    let starter = make("a.so", &image, Target::Linux32);
    let names: Vec<&str> = starter.exports.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["alpha", "omp_get_dynamic_", "zeta"], "and an underscore at the end is part of a name");
}

#[test]
fn a_name_alone_declares_nothing_that_could_be_called() {
    let starter = starter(&["crc32", "#5", "int", "odd.name"]);
    assert!(starter.header.contains("\n// TYPE crc32(PARAMETERS);\n"), "{}", starter.header);
    assert!(starter.header.contains("// /** @ordinal 5 */\n// TYPE ordinal_5(PARAMETERS);\n"), "{}", starter.header);
    assert!(
        starter.header.contains("// /** @export odd.name */\n// TYPE odd_name(PARAMETERS);\n"),
        "{}",
        starter.header
    );
    let without_marks = starter.header.replace("// TYPE crc32", "TYPE crc32");
    assert!(read(&starter).interface.functions.is_empty());
    let source = Source { name: "a.h", text: without_marks.as_bytes() };
    let read = bridge32_interface::read(&[source], &Options::new(Target::Win32));
    assert!(read.interface.functions.iter().all(|function| function.unsupported.is_some()), "{read:?}");
}

#[test]
fn a_microsoft_name_gives_types_and_overloads_get_names_of_their_own() {
    let starter = starter(&["?Add@Calc@@QAEHHH@Z", "?Add@Calc@@QAENNN@Z", "?f@@YAHH@Z", "f"]);
    let read = read(&starter);
    assert!(read.diagnostics.is_empty(), "{:?}\n{}", read.diagnostics, starter.header);
    let found: Vec<_> =
        read.interface.functions.iter().map(|f| (f.name.as_str(), f.convention, f.export.clone())).collect();
    let export = |name: &str| Some(ExportName::Name(name.to_owned()));
    let this = Some(Convention::Thiscall);
    assert_eq!(
        found,
        [
            ("Calc_Add", this, export("?Add@Calc@@QAEHHH@Z")),
            ("Calc_Add_2", this, export("?Add@Calc@@QAENNN@Z")),
            ("f_2", Some(Convention::Cdecl), export("?f@@YAHH@Z")),
        ]
    );
    assert!(starter.header.contains("struct Calc;\n"), "{}", starter.header);
}

#[test]
fn an_itanium_name_waits_for_its_result() {
    let starter = starter(&["_ZN4calc3AddEii"]);
    assert!(
        starter.header.contains("// /** @export _ZN4calc3AddEii */\n// TYPE calc_Add(THIS, int arg0, int arg1);\n"),
        "{}",
        starter.header
    );
    assert!(read(&starter).interface.functions.is_empty());
}

#[test]
fn what_is_left_out_is_said() {
    let starter = starter(&["??0Calc@@QAE@XZ", "??_7Calc@@6B@"]);
    assert!(
        starter.header.contains("// ??0Calc@@QAE@XZ  public: __thiscall Calc::Calc(void): it is a constructor"),
        "{}",
        starter.header
    );
    assert!(starter.exports.iter().all(|entry| entry.known == Known::Nothing));
}

#[test]
fn data_and_forwarders_are_noted() {
    let mut image = image(&["counter", "HeapAlloc"]);
    image.exports[0].kind = ExportKind::Data;
    image.exports[1].kind = ExportKind::Forwarder;
    image.exports[1].forwarder = Forwarder::parse("NTDLL.RtlAllocateHeap");
    let starter = make("a.dll", &image, Target::Win32);
    assert!(starter.header.contains("\n// extern TYPE counter;\n"), "{}", starter.header);
    assert!(
        starter.header.contains("// HeapAlloc  forwarded to NTDLL.RtlAllocateHeap\n// TYPE HeapAlloc("),
        "{}",
        starter.header
    );
}

#[test]
fn two_spellings_of_one_function_are_told_once() {
    let mut image = image(&["Add", "_Add@8"]);
    image.exports[1].address = image.exports[0].address;
    let starter = make("a.dll", &image, Target::Win32);
    assert_eq!(starter.exports.len(), 1, "{}", starter.header);
    assert_eq!(starter.exports[0].export, "_Add@8", "the other spelling says less");
}

#[test]
fn names_that_break_out_of_comments_do_not() {
    let starter = starter(&["a*/int evil(void);", "b\\", "c d@8", "?next@@YAHH@Z"]);
    let read = read(&starter);
    let names: Vec<&str> = read.interface.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["next"], "{}", starter.header);
}

#[test]
fn a_keyword_gets_another_name() {
    let starter = starter(&["?return@@YAHH@Z", "_while@4", "int"]);
    let read = read(&starter);
    assert!(read.diagnostics.is_empty(), "{:?}\n{}", read.diagnostics, starter.header);
    let names: Vec<&str> = read.interface.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["return_"], "{}", starter.header);
    assert!(starter.header.contains("// /** @export int */\n// TYPE int_(PARAMETERS);\n"), "{}", starter.header);
    assert!(starter.header.contains("/** @export ?return@@YAHH@Z */\nint __cdecl return_("), "{}", starter.header);
    assert!(starter.header.contains("// /** @export _while@4 */\n// TYPE __stdcall while_("), "{}", starter.header);
}

#[test]
fn a_declaration_that_is_read_otherwise_becomes_a_comment() {
    let mut starter = starter(&["?good@@YGHH@Z", "?other@@YGHH@Z"]);
    let header = starter.header.replace("__stdcall other(", "__cdecl other(");
    assert_ne!(header, starter.header);
    assert!(!demote(&starter.header, Target::Win32, &mut starter.exports));
    assert!(demote(&header, Target::Win32, &mut starter.exports));
    assert_eq!([starter.exports[0].known, starter.exports[1].known], [Known::Types, Known::Part]);
}
