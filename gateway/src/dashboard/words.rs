//! Numbers and times in words: with units, about three digits, and the same wherever they stand.

use std::time::Duration;

use jiff::Timestamp;

use super::filters::text;
use super::language::Language;

/// A whole number with a comma behind each thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with about three digits that count.
fn three_digits(number: f64) -> String {
    match number {
        number if number >= 100.0 => format!("{number:.0}"),
        number if number >= 10.0 => format!("{number:.1}"),
        number => format!("{number:.2}"),
    }
}

/// Bytes in words.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut number = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    // What would be written as 1024 is one of the next unit.
    while number >= 1023.5 {
        let Some(next) = units.next() else { break };
        (number, unit) = (number / 1024.0, next);
    }
    format!("{} {unit}", three_digits(number))
}

/// Nanoseconds in words.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn time_span(nanoseconds: u64) -> String {
    let number = nanoseconds as f64;
    match nanoseconds {
        0 => "0 ms".to_owned(),
        1..1_000 => format!("{nanoseconds} ns"),
        1_000..100_000 => format!("{} µs", three_digits(number / 1e3)),
        100_000..1_000_000_000 => format!("{} ms", three_digits(number / 1e6)),
        1_000_000_000..120_000_000_000 => format!("{} s", three_digits(number / 1e9)),
        _ => match Duration::from_nanos(nanoseconds).as_secs() {
            seconds @ ..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
            seconds @ 7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
            seconds => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
        },
    }
}

/// So many per second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is rounded and not negative")]
pub fn per_second_text(rate: f64) -> String {
    match rate {
        rate if rate >= 10.0 => grouped(rate.round() as u64),
        rate if rate > 0.0 && rate < 0.1 => "<0.1".to_owned(),
        rate if rate > 0.0 => format!("{rate:.1}"),
        _ => "0".to_owned(),
    }
}

/// A part of one in percent.
pub fn percentage(part: f64) -> String {
    match part * 100.0 {
        percent if percent <= 0.0 => "0 %".to_owned(),
        percent if percent < 0.01 => "<0.01 %".to_owned(),
        percent if percent < 10.0 => format!("{percent:.2} %"),
        percent => format!("{percent:.1} %"),
    }
}

/// A name with at most so many characters.
pub fn shortened(name: &str, most: usize) -> String {
    let length = name.chars().count();
    if length <= most || most < 5 {
        return name.to_owned();
    }
    let (head, tail) = ((most - 1).div_ceil(2), (most - 1) / 2);
    let head: String = name.chars().take(head).collect();
    let tail: String = name.chars().skip(length - tail).collect();
    format!("{head}…{tail}")
}

/// A word as a shell takes it for itself, whatever stands in it.
pub fn shell(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:+=,@%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How long ago it was.
pub fn relative(at: Timestamp, now: Timestamp, language: Language) -> String {
    let seconds = now.as_second() - at.as_second();
    let (text, number) = match seconds {
        ..=0 => return language.say(text!("just now")).to_owned(),
        1..90 => (text!("{n} s ago"), seconds),
        90..5_400 => (text!("{n} min ago"), (seconds + 30) / 60),
        5_400..172_800 => (text!("{n} h ago"), (seconds + 1_800) / 3_600),
        _ => (text!("{n} days ago"), (seconds + 43_200) / 86_400),
    };
    language.say(text).replace("{n}", &number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_units_and_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 kB"),
            (1_048_575, "1.00 MB"),
            (938_000_000, "895 MB"),
            (4 << 30, "4.00 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (nanoseconds, text) in [
            (0, "0 ms"),
            (999, "999 ns"),
            (84_000, "84.0 µs"),
            (840_000, "0.84 ms"),
            (1_234_000_000, "1.23 s"),
            (125_000_000_000, "2 min 5 s"),
            (7_260_000_000_000, "2 h 1 min"),
            (183_600_000_000_000, "2 d 3 h"),
        ] {
            assert_eq!(time_span(nanoseconds), text);
        }
        assert_eq!([0.0, 0.04, 0.26, 9.94, 1_204.4].map(per_second_text), ["0", "<0.1", "0.3", "9.9", "1,204"]);
        assert_eq!([0.0, 0.000_01, 0.000_2, 0.5].map(percentage), ["0 %", "<0.01 %", "0.02 %", "50.0 %"]);
        assert_eq!([7, 1_000, 1_234_567].map(grouped), ["7", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_shell_takes_a_word_for_itself() {
        assert_eq!(
            ["libfoo.so", "", "a b", "it's $HOME`x`"].map(shell),
            ["libfoo.so", "''", "'a b'", r"'it'\''s $HOME`x`'"]
        );
    }

    #[test]
    fn a_long_name_keeps_its_ends() {
        assert_eq!(shortened("abcdefghij", 10), "abcdefghij");
        assert_eq!(shortened("abcdefghijk", 10), "abcde…hijk");
        assert_eq!(shortened("读卡器读卡器", 5), "读卡…卡器");
    }

    #[test]
    fn a_moment_says_how_long_ago_it_was() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let ago = |text: &str| relative(text.parse().unwrap(), now, Language::English);
        assert_eq!(ago("2026-01-31T12:00:05Z"), "just now");
        assert_eq!(ago("2026-01-31T11:59:57Z"), "3 s ago");
        assert_eq!(ago("2026-01-31T11:48:00Z"), "12 min ago");
        assert_eq!(ago("2026-01-31T10:00:00Z"), "2 h ago");
        assert_eq!(ago("2026-01-20T12:00:00Z"), "11 days ago");
    }
}
