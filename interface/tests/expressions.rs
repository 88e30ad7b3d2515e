//! Constant expressions have the values that a compiler gives them: GCC is asked.

mod common;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use bridge32_protocol::target::Target;
use common::header_for;

/// What both readers are told first.
const TYPES: &str = "typedef unsigned short WORD;\ntypedef unsigned int DWORD;\n";

const EXPRESSIONS: &[&str] = &[
    "-(unsigned char)1",
    "~(WORD)0",
    "+(signed char)-1",
    "-(unsigned char)200 < 0",
    "~(unsigned char)0 >> 4",
    "(unsigned char)1 << 20",
    "(WORD)0xFFFF << 8",
    "(signed char)-1 >> 1",
    "-1 >> 1",
    "(1 ? -1 : 0u) > 0 ? 7 : 3",
    "(0 ? 0u : -1) > 0 ? 7 : 3",
    "(1 ? -1 : 0) > 0 ? 7 : 3",
    "(1 ? -1 : 0ull) == 0xFFFFFFFFFFFFFFFFull",
    "(1 ? (signed char)-1 : (unsigned char)0) < 0",
    "(1 ? 2 : sizeof(int)) - 3 > 0",
    "(_Bool)2",
    "(_Bool)0x100",
    "(_Bool)0",
    "-(_Bool)5",
    "~(_Bool)1",
    "(DWORD)-1 > 0",
    "-(DWORD)1 > 0",
    "(unsigned char)255 + 1",
    "(unsigned char)(255 + 1)",
    "(WORD)-1 * 2",
    "!(unsigned char)0 - 2 < 0",
    "(1u < 2) - 2 < 0",
    "-1 < 0u",
    "-1 < (WORD)0",
    "-7 / 2",
    "-7 % 3",
    "0x80000000 > 0",
    "2147483648 - 1",
    "-2147483647 - 1",
    "1 || 0 && 0",
    "1 | 2 ^ 3 & 4",
    "sizeof(long long) - 9 > 0",
    "'a' - 'b'",
];

/// Whether GCC agrees, and what it says otherwise.
fn compile(text: &str) -> Result<(), String> {
    let mut compiler = Command::new("gcc")
        .args(["-m32", "-std=gnu11", "-w", "-fsyntax-only", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gcc is there: see CONTRIBUTING.md");
    compiler.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    let output = compiler.wait_with_output().expect("it ends");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn expressions_have_the_values_that_gcc_gives_them() {
    let (mut text, mut check) = (TYPES.to_owned(), TYPES.to_owned());
    for (index, expression) in EXPRESSIONS.iter().enumerate() {
        writeln!(text, "enum e{index} {{ E{index} = {expression} }};").unwrap();
    }
    let header = header_for(&text, Target::Linux32);
    assert_eq!(header.diagnostics, []);
    for (index, expression) in EXPRESSIONS.iter().enumerate() {
        let value = header.interface.constants[&format!("E{index}")];
        writeln!(check, "_Static_assert((long long)({expression}) == {value}LL, \"read as {value}\");").unwrap();
    }
    assert_eq!(compile(&check), Ok(()));
    let wrong = format!("{check}_Static_assert((1 ? -1 : 0u) < 0, \"no\");\n");
    assert!(compile(&wrong).is_err(), "the compiler does look");
}
