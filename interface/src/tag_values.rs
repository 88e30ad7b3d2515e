//! What may stand behind the tags of documentation comments: encodings, durations, conditions.

use bridge32_protocol::interface::{Comparison, Encoding, Release};

/// The milliseconds of `2s`, `1.5 min`.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" | "min" => 60_000.0,
        _ => return None,
    };
    let number: f64 = text[..unit].parse().ok()?;
    let duration = (number * factor).round();
    // Bounded by a day, so the conversion is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 1 and a day")]
    (1.0..=86_400_000.0).contains(&duration).then_some(duration as u64)
}

/// The encoding of a WHATWG label, or of a Windows code page.
pub(crate) fn encoding(label: &str) -> Option<Encoding> {
    let label = label.to_ascii_lowercase();
    let page = label.strip_prefix("cp").unwrap_or(&label);
    let label = match page {
        "65001" => "utf-8",
        "936" => "gbk",
        "932" => "shift_jis",
        "949" => "euc-kr",
        "950" => "big5",
        _ => &*label,
    };
    match label {
        "wide" | "wchar_t" => return Some(Encoding::Wide),
        "utf16" => return Some(Encoding::Utf16),
        "ansi" | "acp" => return Some(Encoding::Ansi),
        _ => {}
    }
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    if encoding == encoding_rs::UTF_8 {
        Some(Encoding::Utf8)
    } else if encoding == encoding_rs::UTF_16LE {
        Some(Encoding::Utf16)
    } else if encoding == encoding_rs::UTF_16BE || encoding == encoding_rs::REPLACEMENT {
        None
    } else {
        Some(Encoding::CodePage(encoding.name().to_ascii_lowercase()))
    }
}

/// The condition behind `@releases p`: `if return == 0`. The number may be the name of a constant.
pub(crate) fn release(text: &str, constant: impl Fn(&str) -> Option<i64>) -> Option<Release> {
    let text = text.trim().trim_end_matches(['.', ',']);
    if text.is_empty() {
        return Some(Release::Always);
    }
    let rest = text.strip_prefix("if")?.trim_start().strip_prefix("return")?.trim_start();
    let (comparison, number) = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?.trim())))?;
    let hexadecimal = || i64::from_str_radix(number.strip_prefix("0x")?, 16).ok();
    let value = number.parse().ok().or_else(hexadecimal).or_else(|| constant(number))?;
    Some(Release::When { comparison, value })
}
