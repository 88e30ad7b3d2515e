//! Bytes in a form: as hexadecimal digits, base64, text, or a file. JSON has base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::given::{Given, Written};
use super::mistakes::Mistake;
use super::node::{Control, Format, Mark};
use crate::json::Json;

/// So many bytes are written as digits.
const MOST_DIGITS: usize = 64;

/// The control for them; `None` if what was given are no bytes.
pub(super) fn control(path: &str, length: String, given: Given<'_>) -> Option<Control> {
    let (format, text) = match given.written(path) {
        Written::Nothing => (Format::Hex, String::new()),
        Written::Text(text) => (Format::Hex, text.to_owned()),
        Written::Json(json) => of_base64(json.as_text()?),
    };
    let chosen = given.field(&Mark::Format.of(path)).and_then(Format::of_name);
    let file = match given {
        Given::Fields(fields) => fields.file(path).cloned(),
        Given::Nothing | Given::Value(_) => None,
    };
    Some(Control::Bytes { format: chosen.unwrap_or(format), text, file, length })
}

/// How base64 is best shown.
fn of_base64(base64: String) -> (Format, String) {
    match STANDARD.decode(&base64) {
        Ok(bytes) if bytes.len() <= MOST_DIGITS => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            (Format::Hex, digits.join(" "))
        }
        _ => (Format::Base64, base64),
    }
}

/// What JSON has for them. Of base64 the agent says what is wrong; digits it does not know.
///
/// # Errors
/// They are no digits, or no file was chosen.
pub(super) fn read(format: Format, text: &str, file: Option<&[u8]>) -> Result<Option<Json>, Mistake> {
    let bytes = match format {
        Format::Base64 => return Ok(Some(Json::text(text.trim()))),
        Format::Hex => digits(text)?,
        Format::Text => lines(text).into_bytes(),
        Format::File => file.ok_or(Mistake::NoFile)?.to_vec(),
    };
    Ok(Some(Json::text(&STANDARD.encode(bytes))))
}

/// Browsers send every line end of a text as CR LF.
pub(super) fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// `00 ff`, `00FF`, `0x00, 0xff`, `00:ff`
fn digits(text: &str) -> Result<Vec<u8>, Mistake> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '-')) {
        let word = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word);
        let mut rest = word.chars();
        while let Some(high) = rest.next() {
            let digit = |c: char| c.to_digit(16).ok_or(Mistake::NoDigit(c));
            let high = digit(high)?;
            let low = digit(rest.next().ok_or(Mistake::HalfByte)?)?;
            // Two digits are a byte.
            bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(format: Format, text: &str) -> Result<String, Mistake> {
        read(format, text, None).map(|json| json.unwrap().compact())
    }

    #[test]
    fn bytes_are_written_in_four_ways() {
        for text in ["00ff10", "00 FF 10", "0x00, 0xff, 0x10", "00:ff:10", " 00\r\nff 10 "] {
            assert_eq!(json(Format::Hex, text).unwrap(), "\"AP8Q\"", "{text}");
        }
        assert_eq!(json(Format::Hex, "").unwrap(), "\"\"");
        assert_eq!(json(Format::Text, "ä\r\n").unwrap(), "\"w6QK\"");
        assert_eq!(json(Format::Base64, " AP8Q\n").unwrap(), "\"AP8Q\"");
        assert_eq!(read(Format::File, "", Some(b"\0\xff\x10")).unwrap().unwrap().compact(), "\"AP8Q\"");
    }

    #[test]
    fn what_are_no_bytes_is_said() {
        assert_eq!(json(Format::Hex, "0g"), Err(Mistake::NoDigit('g')));
        assert_eq!(json(Format::Hex, "0 1"), Err(Mistake::HalfByte));
        assert_eq!(json(Format::Hex, "abc"), Err(Mistake::HalfByte));
        assert_eq!(json(Format::File, "x"), Err(Mistake::NoFile));
    }

    #[test]
    fn few_bytes_are_shown_as_digits_and_many_as_they_travel() {
        assert_eq!(of_base64("AP8Q".to_owned()), (Format::Hex, "00 ff 10".to_owned()));
        let many = STANDARD.encode([7; 100]);
        assert_eq!(of_base64(many.clone()), (Format::Base64, many));
        assert_eq!(of_base64("?".to_owned()), (Format::Base64, "?".to_owned()));
    }
}
