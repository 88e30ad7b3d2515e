//! Numbers, truth values and enumerators as words: hexadecimal as in C, constants and enumerators by name.

use bridge32_protocol::interface::{Interface, Scalar};

use super::values::Place;
use crate::config::nearest;
use crate::json::{Json, integer, number};

/// The value of a word.
///
/// # Errors
/// Why it is none of this type.
pub(super) fn value(place: Place, text: &str, scalar: &Scalar, interface: &Interface) -> Result<Json, String> {
    if text.is_empty() {
        return Err(format!("{place} has no value: it is {}", called(scalar)));
    }
    let wrong = |why: &str| Err(format!("{place}: {} {why}", place.shown(text)));
    match scalar {
        Scalar::Integer(_) => match integer(text) {
            Some(number) => Ok(Json::scalar(number)),
            None if interface.constants.contains_key(text) => Ok(Json::text(text)),
            None if is_octal(text) => wrong(OCTAL),
            None => {
                let names = interface.constants.keys().map(String::as_str).filter(|_| !place.sensitive);
                let near = meant(text, names);
                wrong(&format!("is no integer and no constant of the header{near}"))
            }
        },
        Scalar::Boolean(_) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Json::scalar("true".to_owned())),
            "false" | "0" => Ok(Json::scalar("false".to_owned())),
            _ => wrong("is neither true nor false"),
        },
        Scalar::Float | Scalar::Double => match text.to_ascii_lowercase().as_str() {
            "nan" => Ok(Json::text("NaN")),
            "infinity" | "inf" => Ok(Json::text("Infinity")),
            "-infinity" | "-inf" => Ok(Json::text("-Infinity")),
            _ => number(text).map_or_else(|| wrong("is no number"), |number| Ok(Json::scalar(number))),
        },
        Scalar::Enumeration(kind) => match integer(text) {
            Some(number) => Ok(Json::scalar(number)),
            None if is_octal(text) => wrong(OCTAL),
            None => enumerator(place, text, kind, interface).map_or_else(|why| wrong(&why), Ok),
        },
    }
}

fn enumerator(place: Place, text: &str, kind: &str, interface: &Interface) -> Result<Json, String> {
    let found = interface.enumerations.get(kind).map(|found| found.enumerators.as_slice());
    let mut names = found.unwrap_or_default().iter().map(|(enumerator, _)| enumerator.as_str());
    if names.clone().any(|enumerator| enumerator == text) {
        return Ok(Json::text(text));
    }
    let near = meant(text, names.clone().filter(|_| !place.sensitive));
    let first = names.by_ref().take(6).collect::<Vec<_>>().join(", ");
    Err(format!("is no enumerator of {kind}, which has {first}{near}"))
}

fn called(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Integer(_) => "an integer".to_owned(),
        Scalar::Boolean(_) => "true or false".to_owned(),
        Scalar::Float | Scalar::Double => "a number".to_owned(),
        Scalar::Enumeration(kind) => format!("an enumerator of {kind}, or an integer"),
    }
}

/// "; did you mean `x`?"
pub(super) fn meant<'n>(wrong: &str, known: impl Iterator<Item = &'n str>) -> String {
    // One letter is near to every other.
    let near = nearest(wrong, known).filter(|_| wrong.chars().count() > 2);
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

const OCTAL: &str = "begins with 0, which makes it octal in C: write it without, or as hexadecimal, 0x…";

/// Whether it is written as octal numbers are in C.
fn is_octal(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']);
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::interface::Type;

    use super::super::tests::interface;
    use super::*;

    const HEADER: &str = "#define MAX 7
        enum color { RED, GREEN };
        int f(int i, double d, bool t, enum color c);";

    fn of(word: &str) -> Result<String, String> {
        let interface = interface(HEADER);
        let (name, text) = word.split_once('=').unwrap();
        let parameter = interface.functions[0].parameters.iter().find(|parameter| parameter.name == name).unwrap();
        let Type::Scalar(scalar) = &parameter.ty else { panic!("{:?}", parameter.ty) };
        value(Place { name, sensitive: false }, text, scalar, &interface).map(|json| json.compact())
    }

    #[test]
    fn numbers_may_be_written_as_in_c() {
        for (word, json) in [
            ("i=0x1F", "31"),
            ("i=-0x10", "-16"),
            ("i=0", "0"),
            ("i=+5", "5"),
            ("i=MAX", "\"MAX\""),
            ("i=1e3", "1e3"),
            ("d=.5", "0.5"),
            ("d=nan", "\"NaN\""),
            ("t=TRUE", "true"),
            ("t=0", "false"),
            ("c=GREEN", "\"GREEN\""),
            ("c=1", "1"),
            ("i=123456789012345678901", "123456789012345678901"),
        ] {
            assert_eq!(of(word).as_deref(), Ok(json), "{word}");
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (word, why) in [
            ("i=MXA", "did you mean `MAX`?"),
            ("i=0x", "no integer"),
            ("i=0x+1f", "no integer"),
            ("i=-0x-1", "no integer"),
            ("i=+0x1", "no integer"),
            ("c=GREN", "`GREN` is no enumerator of color, which has RED, GREEN; did you mean `GREEN`?"),
            ("t=maybe", "neither true nor false"),
            ("d=x", "no number"),
        ] {
            let error = of(word).unwrap_err();
            assert!(error.contains(why), "{word}: {error}");
        }
    }

    #[test]
    fn octal_numbers_are_not_taken_for_decimal_ones() {
        for word in ["i=010", "i=-010", "i=00", "c=01"] {
            assert!(of(word).unwrap_err().contains("octal in C"), "{word}");
        }
    }

    #[test]
    fn an_empty_value_is_named() {
        assert_eq!(of("i=").unwrap_err(), "i has no value: it is an integer");
        assert_eq!(of("t=").unwrap_err(), "t has no value: it is true or false");
        assert_eq!(of("d=").unwrap_err(), "d has no value: it is a number");
        assert_eq!(of("c=").unwrap_err(), "c has no value: it is an enumerator of color, or an integer");
    }
}
