//! Bytes as words: `base64:…` and `1,2,3`. Anything else is refused: a word that happens to be base64 may be text as well.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::typed::elements;
use super::values::{Place, json, shortened};
use crate::json::{Json, integer};

/// What base64 begins with on a command line.
const BASE64: &str = "base64:";
/// So many bytes are written as numbers.
const MAX_NUMBERS: usize = 8;

/// The bytes of a word, as JSON has them.
///
/// # Errors
/// It does not say which bytes, and what does.
pub(super) fn value(place: Place, text: &str) -> Result<Json, String> {
    if let Some(base64) = text.strip_prefix(BASE64) {
        let decoded = STANDARD.decode(base64);
        return match decoded {
            Ok(_) => Ok(Json::text(base64)),
            Err(error) => {
                let why = if place.sensitive { String::new() } else { format!(": {error}") };
                Err(format!("{place}: what follows `{BASE64}` is not base64 (RFC 4648 §4, with padding){why}"))
            }
        };
    }
    let bytes = if text.is_empty() {
        Vec::new()
    } else if text.starts_with('[') {
        listed(place, text)?
    } else if text.contains(',') && text.split(',').any(|part| integer(part.trim()).is_some()) {
        elements(place, text)?.into_iter().map(|part| byte(place, part)).collect::<Result<_, _>>()?
    } else {
        return Err(unclear(place, text));
    };
    Ok(Json::text(&STANDARD.encode(bytes)))
}

/// `[1, 2, 3]`, also for one byte.
fn listed(place: Place, text: &str) -> Result<Vec<u8>, String> {
    match json(place, text)? {
        Json::List(elements) => elements.iter().map(|element| byte(place, &element.compact())).collect(),
        _ => Err(unclear(place, text)),
    }
}

/// A byte with or without a sign: `char` has one or not by the compiler.
fn byte(place: Place, text: &str) -> Result<u8, String> {
    let number = integer(text).and_then(|number| number.parse::<i16>().ok()).filter(|n| (-128..=255).contains(n));
    let low = number.and_then(|number| u8::try_from(number & 0xff).ok());
    low.ok_or_else(|| format!("{place}: {} is no byte: it is a number from 0 to 255", place.shown(text)))
}

fn unclear(place: Place, text: &str) -> String {
    let base64 = if STANDARD.decode(text).is_ok() && !place.sensitive { text } else { "…" };
    format!(
        "{place}: {} does not say which bytes: write {place}=@FILE for those of a file, {} for those of a text, \
         {place}={BASE64}{} for base64, or numbers, {place}=1,2,3",
        place.shown(text),
        place.as_text(text),
        shortened(base64),
    )
}

/// The ways to write what JSON has in base64, the easiest first.
pub(super) fn words(base64: &str) -> Vec<String> {
    let few = STANDARD.decode(base64).ok().filter(|bytes| (2..=MAX_NUMBERS).contains(&bytes.len()));
    let numbers = few.map(|bytes| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(","));
    numbers.into_iter().chain([format!("{BASE64}{base64}")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        value(Place { name: "data", sensitive: false }, text).map(|json| json.compact())
    }

    #[test]
    fn numbers_and_base64_are_bytes() {
        for (text, expected) in
            [("1,2,3", "AQID"), ("0xff, -1", "//8="), ("[7]", "Bw=="), ("[]", ""), ("", ""), ("base64:AQID", "AQID")]
        {
            assert_eq!(of(text), Ok(format!("\"{expected}\"")), "{text}");
        }
    }

    #[test]
    fn a_word_that_happens_to_be_base64_is_refused_with_what_it_may_mean() {
        assert_eq!(
            of("test").unwrap_err(),
            "data: `test` does not say which bytes: write data=@FILE for those of a file, data=\"'test'\" for those of a \
             text, data=base64:test for base64, or numbers, data=1,2,3"
        );
        assert!(of("hello world").unwrap_err().contains("data=base64:… for base64"));
        assert!(of("hello, world").unwrap_err().contains("data=\"'hello, world'\""));
        assert!(of("5").unwrap_err().contains("does not say which bytes"));
    }

    #[test]
    fn what_is_no_byte_is_named() {
        assert!(of("1,256").unwrap_err().contains("`256` is no byte"));
        assert!(of("1,1.5").unwrap_err().contains("`1.5` is no byte"));
        assert!(of("1,,2").unwrap_err().contains("element 1 of `1,,2` is empty"));
        assert!(of("[1,").unwrap_err().contains("is not JSON"));
        assert!(of("base64:AQI").unwrap_err().contains("with padding"));
    }

    #[test]
    fn few_bytes_are_written_as_numbers_and_many_as_base64() {
        assert_eq!(words("AQI="), ["1,2", "base64:AQI="]);
        assert_eq!(words("AQ=="), ["base64:AQ=="]);
        let many = STANDARD.encode([1; 100]);
        assert_eq!(words(&many), [format!("base64:{many}")]);
    }
}
