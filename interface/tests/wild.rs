//! What vendors' headers have around and in their declarations: one small case for each thing.

mod common;

use bridge32_interface::{Header, Options, Severity, Source, read};
use bridge32_protocol::interface::{Convention, Direction, Extent, Function, Interface, StructureKind, Type};
use bridge32_protocol::target::Target;

use common::{callback, first, header, interface, only, pointer, structure};

fn named<'i>(interface: &'i Interface, name: &str) -> &'i Function {
    interface.function(name).unwrap_or_else(|| panic!("{name} is there")).1
}

fn names(header: &Header) -> Vec<&str> {
    header.interface.functions.iter().map(|function| &*function.name).collect()
}

fn bytes(text: &[u8]) -> Header {
    read(&[Source { name: "a.h", text }], &Options::new(Target::Win32))
}

#[test]
fn macros_of_windows_around_declarations_say_conventions_and_types() {
    let interface = interface(
        "STDAPI_(ULONG) a(int x);\nSTDAPI b(void);\nWINBASEAPI BOOL WINAPI c(HANDLE h);\n\
         DECLSPEC_IMPORT int CALLBACK d(void);\nEXTERN_C __declspec(dllexport) int APIENTRY e(int x);\n\
         extern \"C\" int PASCAL f(int x);\n__declspec(dllimport) HRESULT STDMETHODCALLTYPE g(void);\nint CDECL h(int x);\n\
         RPC_STATUS RPC_ENTRY i(void);\nint WSAAPI j(int x);",
    );
    for function in &interface.functions {
        let expected = if function.name == "h" { Convention::Cdecl } else { Convention::Stdcall };
        assert_eq!(function.convention, Some(expected), "{}", function.name);
    }
    assert_eq!(interface.functions.len(), 10);
    assert!(named(&interface, "b").hresult && named(&interface, "g").hresult && !named(&interface, "a").hresult);
}

#[test]
fn function_like_macros_of_the_header_make_declarations() {
    let interface = interface(
        "#define ZEXTERN extern\n#define ZEXPORT WINAPI\n#define OF(args) args\n#define API(type) ZEXTERN type ZEXPORT\n\
         #define PAIR(name, type) API(type) get_##name(void); API(void) set_##name(type value)\n\
         ZEXTERN int ZEXPORT f OF((int a, const char *b));\nPAIR(speed, int);\nAPI(double) g(float x);",
    );
    let functions: Vec<_> = interface.functions.iter().map(|f| (&*f.name, f.parameters.len(), f.convention)).collect();
    let stdcall = Some(Convention::Stdcall);
    assert_eq!(functions, [("f", 2, stdcall), ("get_speed", 0, stdcall), ("set_speed", 1, stdcall), ("g", 1, stdcall)]);
}

#[test]
fn functions_with_a_body_are_no_exports() {
    let header = header(
        "FORCEINLINE int a(int x) { return x ? x : 1; }\nstatic __inline int b(void) { return 1; }\n\
         __forceinline int c(void) { struct { int x; } s; s.x = 1; return s.x; }\nextern inline int d(void) { return 0; }\n\
         int e(void);",
    );
    assert_eq!((names(&header), &header.diagnostics[..]), (vec!["e"], &[][..]));
}

#[test]
fn linkage_may_be_written_in_any_way() {
    let header = header(
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint a(void);\n#ifdef __cplusplus\n}\n#endif\n\
         extern \"C\" { int b(void); extern \"C\" int c(void); }\nextern \"C\" int d(void);\nEXTERN_C int e(void);",
    );
    assert_eq!((names(&header), &header.diagnostics[..]), (vec!["a", "b", "c", "d", "e"], &[][..]));
}

#[test]
fn an_unknown_include_stops_nothing() {
    let header = header("#include <vendor/base.h>\n#include \"other.h\"\n#include VENDOR_CONFIG\nint a(int x);");
    assert_eq!(names(&header), ["a"]);
    assert!(header.diagnostics.iter().all(|told| told.severity == Severity::Warning), "{:?}", header.diagnostics);
}

#[test]
fn headers_that_say_more_the_second_time_are_read_again() {
    let main = b"#define T int\n#include \"one.h\"\n#undef T\n#define T double\n#include \"one.h\"\n";
    let one = b"#define JOIN(a, b) a##b\n#define NAME(a, b) JOIN(a, b)\nT NAME(get_, T)(void);\n";
    let sources = [Source { name: "main.h", text: main }, Source { name: "one.h", text: one }];
    let header = read(&sources, &Options::new(Target::Win32));
    assert_eq!((names(&header), &header.diagnostics[..]), (vec!["get_int", "get_double"], &[][..]));
    // A guard of its own and `#pragma once` keep a file from it.
    for guard in ["#ifndef ONE_H\n#define ONE_H\nint f(void);\n#endif\n", "#pragma once\nint f(void);\n"] {
        let text = "#include \"one.h\"\n#include \"one.h\"\n";
        let sources = [Source { name: "a.h", text: text.as_bytes() }, Source { name: "one.h", text: guard.as_bytes() }];
        let header = read(&sources, &Options::new(Target::Win32));
        assert_eq!((names(&header), &header.diagnostics[..]), (vec!["f"], &[][..]));
    }
}

#[test]
fn a_header_that_includes_itself_ends() {
    let header = bytes(b"#include \"a.h\"\n#include \"a.h\"\nint f(void);\n");
    assert_eq!(names(&header), ["f"]);
}

#[test]
fn packing_comes_in_many_forms() {
    let forms = [
        "#pragma pack(push, 1)\nS;\n#pragma pack(pop)\n",
        "#pragma pack(1)\nS;\n#pragma pack()\n",
        "#pragma pack(push)\n#pragma pack(1)\nS;\n#pragma pack(pop)\n",
        "#pragma pack(push, vendor, 1)\nS;\n#pragma pack(pop, vendor)\n",
        "#include <pshpack1.h>\nS;\n#include <poppack.h>\n",
        "#include \"PshPack1.h\"\nS;\n#include \"PopPack.h\"\n",
        "__pragma(pack(push, 1)) S; __pragma(pack(pop))\n",
        "_Pragma(\"pack(push, 1)\") S; _Pragma(\"pack(pop)\")\n",
        "#define PACKED 1\n#pragma pack(push, PACKED)\nS;\n#pragma pack(pop)\n",
    ];
    for form in forms {
        let declared = form.replace("S;", "typedef struct { char a; int b; } s;");
        let text = format!("{declared}typedef struct {{ char a; int b; }} t;\nvoid f(s *p, t *q);");
        assert_eq!((structure(&text, "s").pack, structure(&text, "t").pack), (Some(1), None), "{form}");
    }
}

#[test]
fn typedefs_are_followed_to_their_end() {
    let text = "typedef unsigned long U; typedef U V, *PV; typedef V W; typedef const W *PCW; typedef PCW P; typedef enum E E;\n\
                enum E { A }; typedef struct s s_t, *s_p; struct s { W w; }; typedef s_p s_q;";
    assert_eq!(pointer(&first(text, "P p").ty).to, pointer(&first(text, "const unsigned long *p").ty).to);
    assert_eq!(pointer(&first(text, "s_q p").ty).to, Type::Structure("s_t".to_owned()));
    assert_eq!(only("typedef void nothing; nothing f(void);").result, Type::Void);
    // An enumeration's, and a structure's that names nothing.
    assert_eq!(interface("typedef enum color { RED = 3 };\nint f(enum color c);").constants["RED"], 3);
}

#[test]
fn callbacks_of_windows_are_known() {
    for (name, parameters) in [
        ("WNDENUMPROC", 2),
        ("DLGPROC", 4),
        ("WNDPROC", 4),
        ("TIMERPROC", 4),
        ("HOOKPROC", 3),
        ("LPTHREAD_START_ROUTINE", 1),
        ("PHANDLER_ROUTINE", 1),
        ("LPOVERLAPPED_COMPLETION_ROUTINE", 3),
        ("WAITORTIMERCALLBACK", 2),
        ("MONITORENUMPROC", 4),
    ] {
        let parameter = first("", &format!("{name} handler"));
        let signature = callback(&parameter.ty);
        assert_eq!(
            (signature.parameters.len(), signature.convention),
            (parameters, Some(Convention::Stdcall)),
            "{name}"
        );
    }
    let own = first("typedef int (CALLBACK *VENDOR_CB)(int code, LPVOID context);", "VENDOR_CB handler");
    assert_eq!(callback(&own.ty).convention, Some(Convention::Stdcall));
    let function = first("typedef int VENDOR_CB(int code);", "VENDOR_CB *handler");
    assert_eq!(callback(&function.ty).parameters.len(), 1);
}

#[test]
fn structures_may_have_parts_without_names() {
    let text = "typedef struct tagV { int kind; union { int i; double d; struct { short lo, hi; }; } u; union { int x; float y; };\n\
                unsigned a : 3, : 5, b : 8; unsigned : 0; unsigned c : 1; } V; void f(V *v);";
    let structure = structure(text, "V");
    let fields: Vec<_> = structure.fields.iter().map(|field| (&*field.name, field.bits)).collect();
    assert_eq!(
        fields,
        [
            ("kind", None),
            ("u", None),
            ("", None),
            ("a", Some(3)),
            ("", Some(5)),
            ("b", Some(8)),
            ("", Some(0)),
            ("c", Some(1))
        ]
    );
    let Type::Structure(inner) = &structure.fields[2].ty else { panic!("it is a union") };
    assert_eq!(interface(text).structures[inner].kind, StructureKind::Union);
}

#[test]
fn enumerators_are_what_a_compiler_makes_of_them() {
    let interface = interface(
        "#define BASE 0x10\n#define FLAG(n) (1 << (n))\ntypedef struct { char a; int b; } pair;\n\
         enum e { A = sizeof(int) * 2, B = FLAG(4) | BASE, C = 'A', D = (unsigned char)300, E = ~0, F = A > B ? 1 : 2,\n\
         G = -(3 + 4) % 5, H = 'ab', I = L'x', J = '\\n', K = (int)0xFFFFFFFF, L, M = !A, N = sizeof(void *),\n\
         O = 07 + 0b11, P = (DWORD)-1 == 0xFFFFFFFF, };",
    );
    let values: Vec<_> =
        interface.enumerations["e"].enumerators.iter().map(|(name, value)| (&**name, *value)).collect();
    assert_eq!(
        values,
        [
            ("A", 8),
            ("B", 16),
            ("C", 65),
            ("D", 44),
            ("E", -1),
            ("F", 2),
            ("G", -2),
            ("H", 0x6162),
            ("I", 0x78),
            ("J", 10),
            ("K", -1),
            ("L", 0),
            ("M", 0),
            ("N", 4),
            ("O", 10),
            ("P", 1)
        ]
    );
}

#[test]
fn source_annotations_say_directions_and_lengths() {
    let text = "typedef struct handle handle;";
    for (parameters, direction, optional) in [
        ("_In_ int *p", Direction::In, false),
        ("_In_opt_ int *p", Direction::In, true),
        ("_Out_ int *p", Direction::Out, false),
        ("_Out_opt_ int *p", Direction::Out, true),
        ("_Inout_ int *p", Direction::InOut, false),
        ("_Inout_opt_ int *p", Direction::InOut, true),
        ("_In_reads_(n) int *p, int n", Direction::In, false),
        ("_In_reads_opt_(n) int *p, int n", Direction::In, true),
        ("_In_reads_bytes_(n) void *p, int n", Direction::In, false),
        ("_In_reads_bytes_opt_(n) void *p, int n", Direction::In, true),
        ("_In_reads_z_(n) char *p, int n", Direction::In, false),
        ("_In_reads_or_z_(n) char *p, int n", Direction::In, false),
        ("_Out_writes_(n) int *p, int n", Direction::Out, false),
        ("_Out_writes_opt_(n) int *p, int n", Direction::Out, true),
        ("_Out_writes_bytes_(n) void *p, int n", Direction::Out, false),
        ("_Out_writes_to_(n, *m) int *p, int n, int *m", Direction::Out, false),
        ("_Out_writes_bytes_to_(n, *m) void *p, int n, int *m", Direction::Out, false),
        ("_Out_writes_all_(n) int *p, int n", Direction::Out, false),
        ("_Out_writes_z_(n) char *p, int n", Direction::Out, false),
        ("_Out_z_cap_(n) char *p, int n", Direction::Out, false),
        ("_Inout_updates_(n) int *p, int n", Direction::InOut, false),
        ("_Inout_updates_bytes_(n) void *p, int n", Direction::InOut, false),
        ("_Inout_updates_z_(n) char *p, int n", Direction::InOut, false),
        ("_Inout_updates_to_(n, *m) int *p, int n, int *m", Direction::InOut, false),
        ("_Outptr_ handle **p", Direction::Out, false),
        ("_Outptr_opt_ handle **p", Direction::Out, true),
        ("_Outptr_result_maybenull_ handle **p", Direction::Out, false),
        ("_Outptr_opt_result_maybenull_ handle **p", Direction::Out, true),
        ("_Outptr_result_z_ char **p", Direction::Out, false),
        ("_Outptr_result_buffer_(*n) int **p, int *n", Direction::Out, false),
        ("_Outptr_result_bytebuffer_(*n) void **p, int *n", Direction::Out, false),
        ("_COM_Outptr_ void **p", Direction::Out, false),
        ("_Deref_out_ handle **p", Direction::Out, false),
        ("__in int *p", Direction::In, false),
        ("__in_opt int *p", Direction::In, true),
        ("__out int *p", Direction::Out, false),
        ("__inout int *p", Direction::InOut, false),
        ("__in_ecount(n) int *p, int n", Direction::In, false),
        ("__in_bcount_opt(n) void *p, int n", Direction::In, true),
        ("__out_ecount(n) int *p, int n", Direction::Out, false),
        ("__out_bcount(n) void *p, int n", Direction::Out, false),
        ("__out_ecount_part(n, *m) int *p, int n, int *m", Direction::Out, false),
        ("__inout_bcount(n) void *p, int n", Direction::InOut, false),
        ("__inout_ecount_opt(n) int *p, int n", Direction::InOut, true),
        ("__deref_out handle **p", Direction::Out, false),
        ("__RPC__in int *p", Direction::In, false),
        ("__RPC__out_ecount_full(n) int *p, int n", Direction::Out, false),
        ("IN int *p", Direction::In, false),
        ("IN OUT int *p", Direction::InOut, false),
        ("OUT int *p OPTIONAL", Direction::Out, true),
    ] {
        let parameter = first(text, parameters);
        assert_eq!((parameter.direction, parameter.optional), (direction, optional), "{parameters}");
        let counted = parameters.contains("(n") && !parameters.contains("reads_z") && !parameters.contains("or_z");
        let extent = &pointer(&parameter.ty).extent;
        let has_length = matches!(extent, Extent::Elements { .. } | Extent::TextBuffer { .. });
        assert!(has_length || !counted, "{parameters}: {extent:?}");
    }
}

#[test]
fn annotations_of_functions_and_results_are_read_over() {
    let interface = interface(
        "_Success_(return != 0) _Check_return_ BOOL WINAPI a(_Out_ int *x);\n\
         _Must_inspect_result_ _Ret_maybenull_z_ const char *b(void);\n_Ret_z_ const wchar_t *c(void);\n\
         _When_(x > 0, _Out_) int d(int x);\n__checkReturn HRESULT e(__in int x);\n\
         int f(_Printf_format_string_ const char *format, ...);\n_Post_equals_last_error_ DWORD g(void);\n\
         _Ret_writes_bytes_(n) const void *h(int n);\n_At_(*x, _Post_equal_to_(1)) void i(_Out_ int *x);\n\
         _IRQL_requires_max_(PASSIVE_LEVEL) int j(_Reserved_ void *p, _In_range_(1, 9) int level);\n\
         int k(_Frees_ptr_opt_ void *p);\n_Return_type_success_(return >= 0) typedef long STATUS;\nSTATUS l(void);",
    );
    assert!(interface.functions.iter().all(|function| function.unsupported.is_none()));
    assert_eq!(interface.functions.len(), 12);
    assert!(named(&interface, "k").parameters[0].releases.is_some());
    assert!(matches!(pointer(&named(&interface, "h").result).extent, Extent::Elements { .. }));
}

#[test]
fn doxygen_becomes_plain_descriptions() {
    let function = only(
        "/*! \\brief Reads a <b>card</b>.\n *\n *  More &amp; longer, see @ref open \"opening\" and @p port.\n *  - first\n *  - second\n *\n\
         *  \\param [in]  port   The \\c port &lt; 4.\n *  @param[out] serial Its number,\n *                     in two lines.\n\
         *  @param[in,out] mode  Both.\n *  @note Slow.\n *  @code\n *  read(1, &s, &m);\n *  @endcode\n *  @deprecated Use read2().\n\
         *  @returns Zero.\n *  @retval 1 no card\n *  @retval 2 no reader */\nint read(int *port, int *serial, int *mode);",
    );
    let parameters: Vec<_> = function.parameters.iter().map(|p| (p.direction, &*p.description)).collect();
    assert_eq!(
        parameters,
        [(Direction::In, "The port < 4."), (Direction::Out, "Its number, in two lines."), (Direction::InOut, "Both.")]
    );
    insta::assert_snapshot!("doxygen", format!("{}\n---\n{}", function.description, function.result_description));
}

#[test]
fn comments_stand_before_behind_and_within() {
    let interface = interface(
        "/// One.\n/// @param a the a\nint f(int a);\n//! Two.\nint g(int a); ///< not mine\nint h(int a, /**< the a */ int b /*!< the b */);\n\
         int i(int a); /**< Three. */\n/* no documentation */\nint j(int a);\n/** \\return the sum */\nint k(\n  int a, //!< left\n  int b  //!< right\n);",
    );
    let of = |name: &str| {
        let function = named(&interface, name);
        let texts: Vec<_> = function.parameters.iter().map(|parameter| &*parameter.description).collect();
        (&*function.description, texts.join("|"))
    };
    assert_eq!(of("f"), ("One.", "the a".to_owned()));
    assert_eq!(of("g").0, "Two.");
    assert_eq!(of("h"), ("", "the a|the b".to_owned()));
    assert_eq!(of("i").0, "Three.");
    assert_eq!(of("j").0, "");
    assert_eq!(of("k"), ("", "left|right".to_owned()));
}

#[test]
fn files_come_in_every_encoding_and_with_every_line_ending() {
    let text = "/** Größe */\r\n#define N \\\r\n  4\r\nint f(int a[N],\r\n      int b);\r\n";
    let expected = interface(&text.replace("\r\n", "\n"));
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(order).collect()
    };
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let files = [
        text.as_bytes().to_vec(),
        text.replace("\r\n", "\r").into_bytes(),
        format!("\u{FEFF}{text}").into_bytes(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        latin,
    ];
    for (index, file) in files.iter().enumerate() {
        let header = bytes(file);
        assert_eq!(header.diagnostics, [], "{index}");
        let mut read = header.interface;
        for (function, plain) in read.functions.iter_mut().zip(&expected.functions) {
            function.line = plain.line;
        }
        assert_eq!(read, expected, "{index}");
    }
    // A lone carriage return ends a line for diagnostics, too.
    let header = bytes(b"int a(void);\rint b(;\rint c(void);\r");
    assert_eq!((names(&header), header.diagnostics[0].line), (vec!["a", "c"], 2));
}

#[test]
fn very_long_lines_are_read() {
    let many =
        (0..2000).map(|n| format!("int f{n}(int a, /* {} */ int b); ", "x".repeat(40))).collect::<Vec<_>>().concat();
    assert_eq!(bytes(many.as_bytes()).interface.functions.len(), 2000);
    let value = format!("enum e {{ A = {}1 }};", "1 + ".repeat(100));
    assert_eq!(interface(&value).constants["A"], 101);
}

#[test]
fn ten_broken_things_take_nothing_else_with_them() {
    let broken = [
        "int b0(int;",
        "unknown_t b1(unknown_t a) extra tokens here;",
        "#define",
        "#include",
        "struct s3 { int x int y; };",
        "int b4(int a[NOWHERE]);",
        "typedef int 5x;",
        "@ int b6(void);",
        "#if (1 +\n#endif",
        "enum e8 { A8 = B8 };",
        "int b9(int a,, int b);",
    ];
    let pair = |(index, line): (usize, &&str)| format!("int good{index}(int a);\n{line}\n");
    let text = broken.iter().enumerate().map(pair).collect::<Vec<_>>().concat() + "int good_last(int a);\n";
    let header = bytes(text.as_bytes());
    let good: Vec<_> = names(&header).into_iter().filter(|name| name.starts_with("good")).collect();
    assert_eq!(good.len(), broken.len() + 1, "{good:?}");
    let lines: Vec<&str> = text.lines().collect();
    for told in &header.diagnostics {
        assert_eq!(told.source_line, lines[told.line as usize - 1], "{told}");
        assert!(told.column >= 1 && !told.message.is_empty());
    }
    for (index, line) in broken.iter().enumerate().filter(|(_, line)| **line != "#include") {
        let first = line.lines().next().unwrap_or_default();
        let told = header.diagnostics.iter().any(|told| told.source_line == first);
        assert!(told, "nothing is told of {index}: {line}");
    }
}
