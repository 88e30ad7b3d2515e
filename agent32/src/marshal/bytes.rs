//! Bytes as base64 JSON strings (RFC 4648 §4, with padding).

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, DecodeSliceError, Engine as _};
use bridge32_protocol::wire::Fault;

use super::mismatch;
use super::place::At;

/// How many bytes a base64 text stands for, if it is one.
pub(super) fn decoded_length(text: &str) -> usize {
    let padding = text.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

/// Decodes `text`, which stands at that place, into `bytes`, which has [`decoded_length`].
///
/// # Errors
/// What is wrong with it.
pub(super) fn decode(text: &str, bytes: &mut [u8], at: &At<'_>) -> Result<(), Fault> {
    let wrong = |error| mismatch(at, wrong(text, error, at.is_sensitive()));
    match STANDARD.decode_slice(text, bytes) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) | Err(DecodeSliceError::OutputSliceTooSmall) => Err(wrong(None)),
        Err(DecodeSliceError::DecodeError(error)) => Err(wrong(Some(&error))),
    }
}

/// What is wrong with a text that is no base64. `hidden`: nothing of it may be repeated.
pub(crate) fn wrong(text: &str, error: Option<&DecodeError>, hidden: bool) -> String {
    let why = match error {
        Some(&DecodeError::InvalidByte(index, _)) if hidden => {
            format!("what is at {index} does not belong there (- and _ are of the alphabet for addresses)")
        }
        Some(&DecodeError::InvalidByte(index, _)) => match text.get(index..).and_then(|rest| rest.chars().next()) {
            Some('-' | '_') => "this is the alphabet for addresses: it needs + for - and / for _".to_owned(),
            Some(other) => format!("there is no {other:?} in it, or not at this place ({index})"),
            None => format!("what is at {index} does not belong there"),
        },
        Some(DecodeError::InvalidLastSymbol { .. }) => "its last character has bits that belong to no byte".to_owned(),
        Some(DecodeError::InvalidLength(_) | DecodeError::InvalidPadding) | None => {
            "its length, with = at the end, has to be a multiple of 4".to_owned()
        }
    };
    format!("the bytes must be base64 with padding, such as \"aGVsbG8=\" for the five bytes of hello: {why}")
}

/// Appends bytes as a JSON string.
pub(super) fn encode(bytes: &[u8], json: &mut Vec<u8>) {
    json.push(b'"');
    let start = json.len();
    json.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut json[start..]).unwrap_or_default();
    json.truncate(start + written);
    json.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_base64_is_told_in_words_with_an_example() {
        for (text, expected) in [
            ("hello, world", "there is no ',' in it"),
            ("aGVsbG8", "multiple of 4"),
            ("a", "multiple of 4"),
            ("__8=", "the alphabet for addresses"),
            ("aGVsbG9=", "bits that belong to no byte"),
            ("é", "there is no 'é' in it"),
        ] {
            let mut bytes = vec![0; decoded_length(text)];
            let error = decode(text, &mut bytes, &At::ROOT).unwrap_err().detail;
            assert!(error.contains(expected) && error.contains("\"aGVsbG8=\""), "{text}: {error}");
            assert!(!error.contains("DecodeError"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back_as_they_were(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut json = Vec::new();
            encode(&bytes, &mut json);
            let text = str::from_utf8(&json[1..json.len() - 1]).unwrap();
            let mut again = vec![0; decoded_length(text)];
            prop_assert_eq!(decode(text, &mut again, &At::ROOT), Ok(()));
            prop_assert_eq!(again, bytes);
        }

        #[test]
        fn any_text_is_decoded_or_refused(text in "[A-Za-z0-9+/=\\-_ é]{0,12}") {
            let mut bytes = vec![0; decoded_length(&text)];
            let _ = decode(&text, &mut bytes, &At::ROOT);
        }
    }
}
