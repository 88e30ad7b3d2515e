//! Input that nobody means well with: it must end, and soon.

use std::time::{Duration, Instant};

use bridge32_interface::{Header, Options, Source, prototype, read};
use bridge32_protocol::target::Target;
use proptest::prelude::*;

fn header(text: &[u8]) -> Header {
    read(&[Source { name: "a.h", text }], &Options::new(Target::Win32))
}

/// Things that headers are made of.
const WORDS: &[&str] = &[
    "int",
    "unsigned",
    "long",
    "char",
    "const",
    "*",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ";",
    ",",
    "=",
    "...",
    "typedef",
    "struct",
    "enum",
    "extern",
    "\"C\"",
    "static",
    "a",
    "b",
    "f",
    "T",
    "DWORD",
    "LPCSTR",
    "4",
    "0x10",
    "1.5",
    "'c'",
    "\"s",
    "_In_",
    "_Out_writes_(n)",
    "_Out_writes_(",
    "IN",
    "OPTIONAL",
    "__stdcall",
    "WINAPI",
    "__attribute__((",
    "__declspec(",
    "\n#define a b\n",
    "\n#define f(a, ...) a##b #a __VA_ARGS__\n",
    "\n#if",
    "\n#else\n",
    "\n#endif\n",
    "\n#undef a\n",
    "/** @param[in] a x @length n */",
    "/*",
    "*/",
    "///< x\n",
    "//",
    "\\\n",
    "#",
    "##",
    "UNKNOWN",
    "\n",
    "union",
    ":",
    "void",
    "[]",
    "(*f)(int a)",
    "struct a {",
    "};",
    "\n#pragma pack(push, 1)\n",
    "\n#pragma pack(pop)\n",
    "__attribute__((packed, aligned(4)))",
    "_Alignas(8)",
    "_Field_size_(a)",
    "_Outptr_result_buffer_(*a)",
    "_Frees_ptr_",
    "SYSTEMTIME",
    "HANDLE",
    "BSTR",
    "WNDENUMPROC",
    "/** @frees f @releases a if return == 0 @handle */",
    "/**< @length return a @encoding return gbk */",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        header(&bytes);
    }

    #[test]
    fn random_text_never_panics(text in "\\PC{0,200}") {
        header(text.as_bytes());
        let _ = prototype(&text, &Options::new(Target::Linux64));
    }

    #[test]
    fn random_tokens_never_panic(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..120)) {
        let text = words.join(" ");
        let read = header(text.as_bytes());
        for diagnostic in read.diagnostics {
            let _ = diagnostic.to_string();
        }
    }

    #[test]
    fn a_good_declaration_survives_what_stands_before_it(
        words in proptest::collection::vec(proptest::sample::select(&["int", "*", "(", ")", "a", "4", ",", "T"][..]), 0..40)
    ) {
        let text = format!("{};\nint good(int a);", words.join(" "));
        prop_assert!(header(text.as_bytes()).interface.function("good").is_some());
    }
}

/// What `line` makes of the first numbers.
fn numbered(count: usize, line: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..count).map(line).collect();
    lines.concat()
}

#[test]
fn hostile_headers_end_soon() {
    let doubling = numbered(60, |n| format!("#define A{n} A{} A{}\n", n + 1, n + 1));
    let pasting = numbered(60, |n| format!("#define P{n}(x) P{}(x##x)\n", n + 1));
    let nested = format!("#define F(x) x x\n{}1{}", "F(".repeat(3000), ")".repeat(3000));
    let unclosed = format!("#define F(x) x\n{}", "F( ".repeat(5000));
    let texts = [
        format!("{doubling}int x = A0;"),
        format!("{pasting}int P0(y);"),
        nested,
        unclosed,
        "(".repeat(20_000),
        "{".repeat(20_000),
        "int a(".repeat(5000),
        format!("int {}a;", "*".repeat(20_000)),
        format!("int {}a{};", "(".repeat(20_000), ")".repeat(20_000)),
        format!("int f(int a{});", "[1]".repeat(5000)),
        format!("#if {}1\nint a;\n#endif", "(".repeat(20_000)),
        format!("#define N {}1\n", "1+".repeat(20_000)),
        format!("enum e {{ A = {}1 }};", "-".repeat(20_000)),
        "#if 1\n".repeat(20_000),
        "/** @length a */".repeat(5000),
        format!("/** {} */ int f(int a);", "@param a @length a ".repeat(20_000)),
        format!("typedef int T0; {}", numbered(3000, |n| format!("typedef T{n} *T{};", n + 1))),
        "A ".repeat(30_000) + "(;",
        "int f(int a, UNKNOWN b);".repeat(2000),
        format!("void f({});", "int *, ".repeat(3000)),
        "} ".repeat(20_000),
        "\"".repeat(20_000),
        "[".repeat(20_000),
        "_In_(".repeat(20_000),
        "int f(int a, ///< a\n);".repeat(2000),
        "struct a { struct b { ".repeat(5000),
    ];
    for text in texts {
        let start = Instant::now();
        header(text.as_bytes());
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?} for {}", &text[..60.min(text.len())]);
    }
}
