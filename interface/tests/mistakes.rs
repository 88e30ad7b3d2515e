//! What people forget in a header is said as such, with its line.

mod common;

use bridge32_interface::{Options, Severity, Source, read};
use bridge32_protocol::target::Target;
use common::{header, header_for, interface};

/// Line and message of the first error.
fn error(text: &str) -> (u32, String) {
    let header = header(text);
    let first = header.diagnostics.iter().find(|told| told.severity == Severity::Error);
    first.map_or_else(|| panic!("{text} is wrong"), |told| (told.line, told.message.clone()))
}

#[test]
fn a_missing_semicolon_is_told_in_the_line_where_it_is_missing() {
    for (text, line, after) in [
        ("int a(void);\nint f(int a)\nint g(int b);\n", 2, ")"),
        ("int f(int a)\nvoid g(int b);\nint h(int c);", 1, ")"),
        ("struct s { int x; }\nint f(int a);", 1, "}"),
        ("typedef struct {\n  int x\n  int y;\n} s;\nint f(s *a);", 2, "x"),
        ("typedef struct { int x; } s\nint f(int a);", 1, "s"),
        ("typedef struct {\n  long x\n  long y;\n} s;\nint f(s *a);", 2, "x"),
    ] {
        let (found, message) = error(text);
        assert_eq!((found, &*message), (line, &*format!("`;` is missing after “{after}”")), "{text}");
    }
}

#[test]
fn a_missing_bracket_is_told_where_it_was_opened() {
    let (line, message) = error("int a(void);\nint f(int a;\nint g(int b);");
    assert!(line == 2 && message.contains("a `)` is missing"), "{message}");
}

#[test]
fn cplusplus_is_called_so() {
    for text in
        ["class Foo {\npublic:\n  int x;\n};", "namespace a { int f(int b); }", "template <typename T> T f(T a);"]
    {
        let (line, message) = error(text);
        assert!(line == 1 && message.starts_with("this is C++: "), "{text}: {message}");
    }
    assert_eq!(interface("int f(int class, int namespace); struct template { int virtual; };").functions.len(), 1);
}

#[test]
fn lost_line_breaks_are_told_with_the_remedy() {
    for text in ["#ifndef A_H #define A_H int f(int a); #endif", "int f(int a); #include <b.h> int g(int b);\n"] {
        let header = header(text);
        assert_eq!(header.diagnostics.len(), 1, "{:?}", header.diagnostics);
        assert!(header.diagnostics[0].message.contains("--data-binary"), "{:?}", header.diagnostics);
    }
    assert_eq!(interface("#define NAME(x) #x").functions.len(), 0);
    assert_eq!(interface("int f(int a);").functions.len(), 1);
}

#[test]
fn a_declaration_that_begins_in_a_macro_is_shown_whole() {
    let declaration = |text: &str| interface(text).functions[0].declaration.clone();
    assert_eq!(declaration("STDAPI_(HRESULT) f(int a);"), "STDAPI_(HRESULT) f(int a)");
    assert_eq!(declaration("int g(void); STDAPI_(DWORD) f(int a);"), "int g(void)");
    assert_eq!(declaration("extern \"C\" { int f(int a); }"), "int f(int a)");
}

#[test]
fn what_gcc_predefines_is_known() {
    for (target, condition) in [
        (Target::Linux32, "__UINTPTR_MAX__ == 0xffffffffU && __SIZEOF_POINTER__ == 4 && __LONG_MAX__ == __INT_MAX__"),
        (Target::Linux64, "__UINTPTR_MAX__ > 0xffffffffU && __SIZEOF_SIZE_T__ == 8 && __LONG_MAX__ > __INT_MAX__"),
        (Target::Win32, "__WCHAR_MAX__ == 0xffff && __WCHAR_WIDTH__ == 16"),
        (Target::Linux32, "__WCHAR_MIN__ < 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__"),
    ] {
        let text = format!("#if {condition}\nint f(void);\n#endif");
        assert_eq!(header_for(&text, target).interface.functions.len(), 1, "{condition}");
    }
    let text = "void f(const __CHAR32_TYPE__ *a);";
    let options = Options::new(Target::Linux32);
    assert_eq!(read(&[Source { name: "a.h", text: text.as_bytes() }], &options).diagnostics, []);
}

#[test]
fn wide_characters_of_c11_are_text() {
    use bridge32_protocol::interface::{Encoding, Extent};
    let extent = |text: &str, target: Target| {
        let function = header_for(text, target).interface.functions.remove(0);
        common::pointer(&function.parameters[0].ty).extent.clone()
    };
    assert_eq!(extent("void f(const char16_t *a);", Target::Linux32), Extent::Text(Encoding::Utf16));
    assert_eq!(extent("void f(const char16_t *a);", Target::Win32), Extent::Text(Encoding::Utf16));
    assert_eq!(extent("void f(const char32_t *a);", Target::Linux32), Extent::Text(Encoding::Wide));
}
