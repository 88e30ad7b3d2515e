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
fn a_decorated_name_gives_the_convention_and_the_bytes() {
    let starter = starter(&["_Add@8", "@Fast@12", "Nothing@0", "Vector@@16"]);
    for line in [
        "int __stdcall Add(int arg0, int arg1);  // _Add@8",
        "int __fastcall Fast(int arg0, int arg1, int arg2);  // @Fast@12",
        "int __stdcall Nothing(void);  // Nothing@0",
        "// Vector@@16  it is __vectorcall, which cannot be called",
    ] {
        assert!(starter.header.contains(line), "no {line} in\n{}", starter.header);
    }
    let read = read(&starter);
    assert_eq!((read.diagnostics.len(), read.interface.functions.len()), (0, 3));
    assert!(read.interface.functions.iter().all(|function| function.unsupported.is_none()));
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
fn two_spellings_of_one_function_are_declared_once() {
    let mut image = image(&["Add", "_Add@8"]);
    image.exports[1].address = image.exports[0].address;
    let starter = make("a.dll", &image, Target::Win32);
    assert_eq!(starter.exports.len(), 1, "{}", starter.header);
    assert!(Coverage::new(&image, &read(&starter).interface).undeclared.is_empty());
}

#[test]
fn names_that_break_out_of_comments_do_not() {
    let starter = starter(&["a*/int evil(void);", "b\\", "c d@8", "_next@4"]);
    let read = read(&starter);
    let names: Vec<&str> = read.interface.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["next"], "{}", starter.header);
}

#[test]
fn a_keyword_gets_another_name() {
    let starter = starter(&["_return@4", "_Good@4", "int"]);
    let read = read(&starter);
    assert!(read.diagnostics.is_empty(), "{:?}\n{}", read.diagnostics, starter.header);
    let names: Vec<&str> = read.interface.functions.iter().map(|function| function.name.as_str()).collect();
    assert_eq!(names, ["return_", "Good"], "{}", starter.header);
    assert!(starter.header.contains("// /** @export int */\n// TYPE int_(PARAMETERS);\n"), "{}", starter.header);
    assert!(starter.header.contains("/** @export _return@4 */\nint __stdcall return_("), "{}", starter.header);
}

#[test]
fn a_declaration_that_is_read_otherwise_becomes_a_comment() {
    let mut starter = starter(&["_Good@4", "_Other@8"]);
    let header = starter.header.replace("Other(int arg0, int arg1)", "Other(int arg0)");
    assert!(!demote(&starter.header, Target::Win32, &mut starter.exports));
    assert!(demote(&header, Target::Win32, &mut starter.exports));
    assert_eq!([starter.exports[0].known, starter.exports[1].known], [Known::Bytes, Known::Part]);
}
