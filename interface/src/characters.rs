//! Character constants (C17, 6.4.4.4): `'a'`, `'\\n'`, `'\\x1F'`, `L'ä'`, and those of several characters, `'RIFF'`.

use std::str::Chars;

/// So many bytes fit an `int`.
const MAX_CHARACTERS: usize = 4;

/// The value of a constant with its quotes and prefix.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn value(text: &str) -> Result<i128, String> {
    let wrong = || format!("the character {text} is not understood");
    let start = text.find('\'').ok_or_else(wrong)?;
    let wide = start > 0;
    let mut chars = text[start + 1..].strip_suffix('\'').ok_or_else(wrong)?.chars();
    let mut values = Vec::new();
    while let Some(c) = chars.next() {
        values.push(if c == '\\' { escape(&mut chars).ok_or_else(wrong)? } else { u32::from(c) });
    }
    match &*values {
        // A `char` is signed on every target.
        [only] if !wide && (128..256).contains(only) && text.is_ascii() => Ok(i128::from(*only) - 256),
        [only] => Ok(i128::from(*only)),
        // GCC and Visual C++ agree: the first character is the highest byte.
        [_, ..] if !wide && values.len() <= MAX_CHARACTERS && values.iter().all(|value| *value < 256) => {
            let number = values.iter().fold(0_u32, |number, value| number << 8 | value);
            Ok(i128::from(number.cast_signed()))
        }
        _ => Err(wrong()),
    }
}

/// What stands behind a backslash.
fn escape(chars: &mut Chars) -> Option<u32> {
    let digits = |chars: &mut Chars, radix: u32, most: usize| {
        let text = chars.as_str();
        let length = text.chars().take(most).take_while(|c| c.is_digit(radix)).count();
        *chars = text[length..].chars();
        u32::from_str_radix(&text[..length], radix).ok()
    };
    if chars.as_str().starts_with(|c: char| c.is_digit(8)) {
        return digits(chars, 8, 3);
    }
    Some(match chars.next()? {
        'x' | 'U' => return digits(chars, 16, 8),
        'u' => return digits(chars, 16, 4),
        'a' => 7,
        'b' => 8,
        't' => 9,
        'n' => 10,
        'v' => 11,
        'f' => 12,
        'r' => 13,
        'e' => 27,
        c @ ('\\' | '\'' | '"' | '?') => u32::from(c),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn constants_have_the_value_that_compilers_give_them() {
        for (text, number) in [
            ("'a'", 97),
            ("'\\n'", 10),
            ("'\\0'", 0),
            ("'\\177'", 127),
            ("'\\x1F'", 31),
            ("'\\xFF'", -1),
            ("'\\''", 39),
            ("'\\\\'", 92),
            ("L'\\xFFFF'", 0xFFFF),
            ("L'ä'", 0xE4),
            ("u'\\u00e4'", 0xE4),
            ("'ab'", 0x6162),
            ("'RIFF'", 0x5249_4646),
        ] {
            assert_eq!(value(text), Ok(number), "{text}");
        }
        for text in ["''", "'abcde'", "'\\q'", "'", "L'ab'"] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
