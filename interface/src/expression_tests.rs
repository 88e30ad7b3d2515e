//! Expressions have the values that compilers give them.

use super::*;
use crate::lexer::lex;
use crate::report::Reporter;

fn value(text: &str) -> Result<i128, String> {
    let tokens = lex(text, 0, &mut Reporter::default()).tokens;
    let types = |tokens: &[Token]| match &*tokens.first()?.text {
        "DWORD" => Some(CastType::Integer { bits: 32, signed: false }),
        "HRESULT" => Some(CastType::Integer { bits: 32, signed: true }),
        "double" => Some(CastType::Sized(8)),
        _ => None,
    };
    let context = Context { wide: false, long_bits: 32, size_bits: 32, types: &types };
    evaluate(&parse(&tokens, &context)?, &|_| None).map(|value| value.number)
}

#[test]
fn constants_have_the_value_that_a_compiler_gives_them() {
    for (text, expected) in [
        ("1 + 2 * 3 - 4 / 2 % 3", 5),
        ("0x80004005L", 0x8000_4005),
        ("(HRESULT)0x80004005L", -2_147_467_259),
        ("((DWORD)-1)", 0xFFFF_FFFF),
        ("~0U", 0xFFFF_FFFF),
        ("-1 < 0u", 0),
        ("1 << 31", -2_147_483_648),
        ("2147483648", 2_147_483_648),
        ("0777 | 0b11", 511),
        ("'A' + '\\n' + '\\x10'", 91),
        ("1 ? 2 : 1 / 0", 2),
        ("0 && 1 / 0", 0),
        ("sizeof(double) * 2", 16),
        ("10i64 + 1ull", 11),
    ] {
        assert_eq!(value(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_integer_is_an_error() {
    for text in ["1 / 0", "", "1 +", "(1", "1.5", "\"a\"", "x", "f(1)", "(double)1", "1 << 32", "1 2", "'abcde'"] {
        assert!(value(text).is_err(), "{text}");
    }
    assert!(value(&"(".repeat(100_000)).is_err());
    assert!(value(&format!("{}1", "(".repeat(150))).is_err());
    assert!(value(&format!("{}1", "- ".repeat(300))).is_ok());
}
