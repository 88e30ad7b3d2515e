//! What a header states and what is assumed: for each function a person sees one or the other.

mod common;

use bridge32_interface::{Finding, Header, Options, Source, Topic, read};
use bridge32_protocol::interface::{Encoding, Extent, Function, Pointer, Type};
use bridge32_protocol::target::Target;

use common::{header, header_for};

/// What is stated of one thing: `function.parameter`, or the function alone.
fn stated<'h>(header: &'h Header, of: &str, what: Topic) -> Vec<&'h str> {
    texts(&header.statements, of, what)
}

fn assumed<'h>(header: &'h Header, of: &str, what: Topic) -> Vec<&'h str> {
    texts(&header.assumptions, of, what)
}

fn texts<'h>(findings: &'h [Finding], of: &str, what: Topic) -> Vec<&'h str> {
    let (function, parameter) = of.split_once('.').map_or((of, None), |(function, name)| (function, Some(name)));
    let meant =
        |found: &&Finding| found.function == function && found.parameter.as_deref() == parameter && found.what == what;
    findings.iter().filter(meant).map(|found| &*found.text).collect()
}

#[test]
fn annotations_are_told_as_they_are_written() {
    let header = header(
        "int WINAPI get(_Out_writes_bytes_to_(size, *used) void *data, _In_ DWORD size, _Out_ DWORD *used,\n\
         \x20       _In_z_ const char *name, IN OUT int *both, const int *fixed);",
    );
    assert_eq!(stated(&header, "get.data", Topic::Direction), ["out: `_Out_writes_bytes_to_(size, *used)`"]);
    assert_eq!(stated(&header, "get.data", Topic::Length), ["`_Out_writes_bytes_to_(size, *used)`"]);
    assert_eq!(stated(&header, "get.used", Topic::Direction), ["out: `_Out_`"]);
    assert_eq!(stated(&header, "get.used", Topic::Length), ["one value: `_Out_` gives no length"]);
    assert_eq!(stated(&header, "get.name", Topic::Length), ["a NUL-terminated string: `_In_z_`"]);
    assert_eq!(stated(&header, "get.both", Topic::Direction), ["in-out: `IN` `OUT`"]);
    assert_eq!(stated(&header, "get.fixed", Topic::Direction), ["in: `const`"]);
    assert_eq!(stated(&header, "get", Topic::Convention), ["stdcall: `WINAPI`"]);
    assert_eq!(assumed(&header, "get", Topic::Convention), [] as [&str; 0]);
    assert_eq!(assumed(&header, "get.name", Topic::Encoding).len(), 1);
}

#[test]
fn comments_are_told_as_they_are_written() {
    let header = header(
        "/** @param[out] count how many\n * @param name @encoding gbk\n * @length values 4\n * @frees return give_back\n \
         * @releases reader */\nchar *list(int *count, const char *name, const int *values, struct reader *reader);",
    );
    assert_eq!(header.diagnostics, []);
    assert_eq!(stated(&header, "list.count", Topic::Direction), ["out: `@param[out]`"]);
    assert_eq!(stated(&header, "list.name", Topic::Encoding), ["gbk: `@encoding`"]);
    assert_eq!(stated(&header, "list.values", Topic::Length), ["`@length 4`"]);
    assert_eq!(stated(&header, "list.reader", Topic::Ownership), ["the function closes or frees it: `@releases`"]);
    assert!(stated(&header, "list", Topic::Ownership)[0].contains("`@frees give_back`"), "{:?}", header.statements);
    assert_eq!(assumed(&header, "list", Topic::Ownership), [] as [&str; 0]);
    assert!(assumed(&header, "list", Topic::Convention)[0].starts_with("cdecl unless"));
}

#[test]
fn a_finding_has_the_file_and_the_line_of_what_says_it() {
    let types = Source { name: "types.h", text: b"typedef int port;\nint first(port *p);" };
    let main = Source {
        name: "main.h",
        text: b"#include \"types.h\"\n\n/** Reads. */\nint WINAPI\nsecond(int a,\n    _Out_\n    int *b,\n    int *c);",
    };
    let header = read(&[types, main], &Options::new(Target::Win32));
    let place = |findings: &[Finding], of: &str, what| {
        let text = texts(findings, of, what)[0];
        let found = findings.iter().find(|found| found.text == text && of.starts_with(&found.function)).expect("there");
        (found.file.clone(), found.line)
    };
    assert_eq!(place(&header.assumptions, "first.p", Topic::Direction), ("types.h".to_owned(), 2));
    assert_eq!(place(&header.statements, "second", Topic::Convention), ("main.h".to_owned(), 4));
    assert_eq!(place(&header.statements, "second.b", Topic::Direction), ("main.h".to_owned(), 6));
    assert_eq!(place(&header.assumptions, "second.c", Topic::Length), ("main.h".to_owned(), 8));
    let files: Vec<_> = header.interface.functions.iter().map(|f| (&*f.file, f.line)).collect();
    assert_eq!(files, [("types.h", 2), ("main.h", 4)]);
}

#[test]
fn a_macro_that_nobody_defines_is_named_where_it_may_be_the_convention() {
    let header = header("int VENDOR_CALL f(int a);\nint g(int a);");
    assert!(assumed(&header, "f", Topic::Convention)[0].contains("VENDOR_CALL"));
    assert!(!assumed(&header, "g", Topic::Convention)[0].contains("VENDOR_CALL"));
}

#[test]
fn conventions_are_no_topic_on_64_bits() {
    for target in [Target::Win64, Target::Linux64] {
        let header = header_for("int WINAPI f(int a);", target);
        assert_eq!((header.statements, header.assumptions), (Vec::new(), Vec::new()));
    }
}

/// Functions of every kind.
const MIXED: &str = "
typedef struct { int x, y; } point; typedef struct db db; typedef int (*visit)(void *context, const char *name, int *n);
int a(int *p, const int *q, unsigned short *n, int count);
const char *b(const char *s, char *t, LPCWSTR w, LPSTR u);
const point *c(point *p, const point *q, point r, HANDLE h, void *v);
int WINAPI d(db **out, db *in, _Outptr_ char **text, visit callback, void *context);
int e(_In_reads_bytes_(n) const void *p, _In_ int n, _Out_writes_z_(20) char *name, double values[3], const GUID *id);
_Ret_z_ const char *f(_Inout_ point *p, _In_opt_ const wchar_t *w, _Out_opt_ SYSTEMTIME *t);
";

#[test]
fn of_every_function_each_topic_is_stated_or_assumed() {
    for target in [Target::Win32, Target::Linux32] {
        let header = header_for(MIXED, target);
        assert_eq!(header.diagnostics, []);
        let mut looked_at = 0;
        for function in header.interface.functions.iter().filter(|function| function.unsupported.is_none()) {
            for (of, what) in topics(function) {
                let found = stated(&header, &of, what).len() + assumed(&header, &of, what).len();
                assert!(found > 0, "{of}: nothing is told of its {what:?}");
                let both = stated(&header, &of, what).len().min(assumed(&header, &of, what).len());
                assert!(both == 0 || what == Topic::Length, "{of}: {what:?} is both stated and assumed");
                looked_at += 1;
            }
        }
        assert!(looked_at > 30, "only {looked_at}");
    }
}

/// What applies to a function.
fn topics(function: &Function) -> Vec<(String, Topic)> {
    let mut topics = vec![(function.name.clone(), Topic::Convention)];
    for parameter in &function.parameters {
        let of = format!("{}.{}", function.name, parameter.name);
        if let Some(pointer) = data(&parameter.ty) {
            topics.extend([(of.clone(), Topic::Direction), (of.clone(), Topic::Length)]);
            topics.extend(is_text(pointer).then_some((of, Topic::Encoding)));
        }
    }
    if let Some(pointer) = data(&function.result) {
        topics.push((function.name.clone(), Topic::Length));
        if is_text(pointer) {
            topics.extend([Topic::Encoding, Topic::Ownership].map(|what| (function.name.clone(), what)));
        }
    }
    topics
}

/// A pointer that the bridge looks behind.
fn data(ty: &Type) -> Option<&Pointer> {
    let Type::Pointer(pointer) = ty else { return None };
    (!matches!(pointer.extent, Extent::Handle { .. } | Extent::Bstr)).then_some(pointer)
}

fn is_text(pointer: &Pointer) -> bool {
    let encoding = match &pointer.extent {
        Extent::Text(encoding) | Extent::TextBuffer { encoding, .. } => Some(encoding),
        _ => None,
    };
    encoding.is_some_and(|encoding| !matches!(encoding, Encoding::Ansi))
}
