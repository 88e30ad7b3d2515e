//! Whole headers, as vendors write them.

use bridge32_interface::{Header, Options, Source, Topic, read};
use bridge32_protocol::interface::{Convention, Direction, Encoding, Expression, Extent, Function, Type};
use bridge32_protocol::target::Target;

const DEMO: &str = "\
typedef unsigned char Bytef; typedef unsigned long uLong; typedef unsigned long uLongf; typedef unsigned int uInt;
/** The version of the library. */
const char *zlibVersion(void);
uLong crc32(uLong crc, _In_reads_bytes_(len) const Bytef *buf, uInt len);
int compress2(_Out_writes_bytes_to_(*destLen, *destLen) Bytef *dest, _Inout_ uLongf *destLen, \
_In_reads_bytes_(sourceLen) const Bytef *source, uLong sourceLen, int level);
int WINAPI MulDiv(int nNumber, int nNumerator, int nDenominator);
int WINAPI lstrlenW(LPCWSTR lpString);
char *strdup(const char *s);  size_t strlen(const char *s);  void *memset(void *s, int c, size_t n);
typedef struct { int quot; int rem; } div_t;  div_t div(int numerator, int denominator);
";

/// A header with everything that vendors put around their declarations.
const VENDOR: &str = r#"
#ifndef VENDOR_H
#define VENDOR_H 1
#include <windows.h>
#ifdef VENDOR_BUILD
#  define VENDOR_API __declspec(dllexport)
#else
#  define VENDOR_API __declspec(dllimport)
#endif
#define VENDOR_CALL __stdcall
#define VENDOR_MAX_TEXT (16 * 4)
#define VENDOR_E_FAIL ((HRESULT)0x80004005L)
#define VENDOR_NAME "vendor"
#define VENDOR_BUFFER(n) _Out_writes_(n)

#ifdef __cplusplus
extern "C" {
#endif

/** What the reader does. */
typedef enum tagMode { MODE_NONE, MODE_FAST = 1 << 4, MODE_SAFE } MODE;
typedef struct tagCARD CARD;

/**
 * Opens the reader.
 *
 * @param[in]  port   The port, from 1.
 * @param[out] serial Its serial number.
 * @return Zero, or an error.
 * @idempotent
 * @deadline 2s
 */
VENDOR_API int VENDOR_CALL vendor_open(int port, DWORD *serial, MODE mode);

/** Reads a name. @param text the name @encoding gbk */
VENDOR_API BOOL VENDOR_CALL vendor_name(VENDOR_BUFFER(VENDOR_MAX_TEXT) LPSTR text, _In_opt_z_ LPCWSTR filter);

/// Mixes samples.
VENDOR_API float __cdecl vendor_mix(
    IN const float *samples, ///< the samples
    IN int count             ///< how many
);
VENDOR_API CARD *vendor_card(void);
VENDOR_API int vendor_log(const char *format, ...);
VENDOR_API void vendor_each(void (CALLBACK *fn)(int, void *), void *context);
VENDOR_API long double vendor_precise(__int64 a, unsigned char b[4]);
static inline int vendor_inline(int a) { return a; }
#ifdef __cplusplus
}
#endif
#endif
"#;

fn header(text: &str, target: Target) -> Header {
    read(&[Source { name: "vendor.h", text: text.as_bytes() }], &Options::new(target))
}

fn function<'h>(header: &'h Header, name: &str) -> &'h Function {
    header.interface.function(name).unwrap_or_else(|| panic!("{name} is there")).1
}

#[test]
fn the_demo_header_reads_completely() {
    for target in Target::ALL {
        let header = header(DEMO, target);
        assert_eq!(header.diagnostics, []);
        let unsupported: Vec<_> =
            header.interface.functions.iter().filter(|f| f.unsupported.is_some()).map(|f| &*f.name).collect();
        assert_eq!(unsupported, [] as [&str; 0]);
        assert_eq!(header.interface.functions.len(), 9);
    }
    let header = header(DEMO, Target::Linux32);
    assert_eq!(function(&header, "MulDiv").convention, Some(Convention::Stdcall));
    assert_eq!(function(&header, "zlibVersion").description, "The version of the library.");
    let Type::Pointer(dest) = &function(&header, "compress2").parameters[0].ty else { panic!("dest is a pointer") };
    let Extent::Elements { capacity, written: Some(written) } = &dest.extent else { panic!("dest is a buffer") };
    assert_eq!((&capacity.count, &written.count), (&Expression::Pointee(1), &Expression::Pointee(1)));
    insta::assert_yaml_snapshot!("demo", header.interface);
}

#[test]
fn a_vendors_header_reads_completely() {
    let header = header(VENDOR, Target::Win32);
    assert_eq!(header.diagnostics, []);
    insta::assert_yaml_snapshot!("vendor", header.interface);
    insta::assert_yaml_snapshot!("vendor_assumptions", header.assumptions);
}

#[test]
fn carriage_returns_and_byte_order_marks_change_nothing() {
    let plain = header(VENDOR, Target::Win32).interface;
    let windows = format!("\u{FEFF}{}", VENDOR.replace('\n', "\r\n"));
    assert_eq!(header(&windows, Target::Win32).interface, plain);
}

#[test]
fn comments_in_gbk_become_descriptions() {
    let text = b"/** \xB4\xF2\xBF\xAA\xB6\xC1\xBF\xA8\xC6\xF7 */\nint open_reader(int port);";
    let header = read(&[Source { name: "a.h", text }], &Options::new(Target::Win32));
    assert_eq!(function(&header, "open_reader").description, "打开读卡器");
}

#[test]
fn several_headers_are_one_interface() {
    let types = Source { name: "include/types.h", text: b"typedef int port_t;\nenum { PORTS = 4 };" };
    let main = Source { name: "main.h", text: b"#include \"types.h\"\n#include \"other.h\"\nint f(port_t port);" };
    for sources in [[types, main], [main, types]] {
        let header = read(&sources, &Options::new(Target::Linux32));
        assert_eq!(function(&header, "f").unsupported, None);
        assert_eq!(header.interface.constants.get("PORTS"), Some(&4));
        let warnings: Vec<_> = header.diagnostics.iter().map(|d| (&*d.file, d.line)).collect();
        assert_eq!(warnings, [("main.h", 2)], "other.h was not given");
    }
}

#[test]
fn definitions_choose_branches() {
    let text = "#if defined(_WIN32) && VERSION >= 2\nint new_one(void);\n#else\nint old_one(void);\n#endif";
    let names = |definitions: &[(&str, &str)]| {
        let mut options = Options::new(Target::Win32);
        options.definitions = definitions.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let header = read(&[Source { name: "a.h", text: text.as_bytes() }], &options);
        header.interface.functions.iter().map(|f| f.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[("VERSION", "2")]), ["new_one"]);
    assert_eq!(names(&[]), ["old_one"]);
}

#[test]
fn what_is_not_understood_is_told_and_the_rest_is_read() {
    let text = "int a(void);\nint b(int (;\n  int c(@ int);\nstruct s { int x;\nint d(void);\nint e(void);\n#if 1";
    let header = header(text, Target::Linux32);
    let names: Vec<_> = header.interface.functions.iter().map(|f| &*f.name).collect();
    assert!(names.starts_with(&["a"]) && names.ends_with(&["e"]), "{names:?}");
    let report: Vec<_> = header.diagnostics.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("diagnostics", report.join("\n"));
}

#[test]
fn macros_that_nobody_defines_are_ignored_with_a_warning() {
    let text = "ACME_API int ACME_CALL f(ACME_IN const int *a, int b) ACME_NOTHROW;\n\
                ACME_DEPRECATED(\"x\") unsigned long g(void);\nACME_BEGIN(1)\nACME_BEGIN(2)\nextern int h(char a);";
    let header = header(text, Target::Linux32);
    let functions: Vec<_> = header.interface.functions.iter().map(|f| (&*f.name, f.parameters.len())).collect();
    assert_eq!(functions, [("f", 2), ("g", 0), ("h", 1)]);
    assert!(header.interface.functions.iter().all(|f| f.unsupported.is_none()));
    assert_eq!(header.diagnostics.len(), 6, "{:#?}", header.diagnostics);
}

#[test]
fn macros_around_parameter_lists_are_seen_through() {
    for define in ["#define OF(args) args\n", ""] {
        let text =
            format!("{define}int f OF((int a, const char *b));\ntypedef void (*g) OF((int, int));\nint h(g callback);");
        let header = header(&text, Target::Linux32);
        assert_eq!(function(&header, "f").parameters.len(), 2);
        let Type::Callback(signature) = &function(&header, "h").parameters[0].ty else { panic!("it is a callback") };
        assert_eq!(signature.parameters.len(), 2);
        assert_eq!(header.diagnostics.len(), usize::from(define.is_empty()));
    }
}

#[test]
fn constants_and_enumerators_can_be_used_by_name() {
    let text = "#define A 1\n#define B (A << 3 | 0x10)\n#define C -B\n#define NAME \"x\"\n#define F(x) x\n#define D 1.5\n\
                #define LATER (LAST + 1)\nenum color { RED, GREEN = B, BLUE } ;\nenum { LAST = sizeof(int) };\n\
                #define GONE 1\n#undef GONE\n#define SELF SELF\n#define BIG 0xFFFFFFFF\n#define HUGE 0xFFFFFFFFFFFFFFFF\n";
    let header = header(text, Target::Linux32);
    let constants: Vec<_> = header.interface.constants.iter().map(|(name, value)| (&**name, *value)).collect();
    assert_eq!(
        constants,
        [
            ("A", 1),
            ("B", 24),
            ("BIG", 0xFFFF_FFFF),
            ("BLUE", 25),
            ("C", -24),
            ("GREEN", 24),
            ("LAST", 4),
            ("LATER", 5),
            ("RED", 0)
        ]
    );
    assert_eq!(header.interface.enumerations["color"].enumerators.len(), 3);
}

#[test]
fn an_encoding_without_a_tag_is_an_assumption() {
    let mut options = Options::new(Target::Linux32);
    options.default_encoding = Encoding::CodePage("gbk".to_owned());
    let text = b"int f(const char *a);\n/** @encoding utf-8 */\nint g(const char *a);";
    let header = read(&[Source { name: "a.h", text }], &options);
    let of = |name: &str| {
        let Type::Pointer(pointer) = &function(&header, name).parameters[0].ty else { panic!("it is a pointer") };
        pointer.extent.clone()
    };
    assert_eq!(of("f"), Extent::Text(Encoding::CodePage("gbk".to_owned())));
    assert_eq!(of("g"), Extent::Text(Encoding::Utf8));
    let assumed: Vec<_> = header.assumptions.iter().filter(|a| a.what == Topic::Encoding).collect();
    assert_eq!(assumed.len(), 1);
    assert_eq!(assumed[0].function, "f");
    assert_eq!(function(&header, "f").parameters[0].direction, Direction::In);
}
