//! Text between JSON (UTF-8) and the encodings of C libraries. Nothing is replaced unless the declaration asks for it
//! (`@lossy`): what cannot be encoded or decoded is an error with its position.

use bridge32_protocol::interface::Encoding;
use bridge32_protocol::target::Target;
use encoding_rs::{DecoderResult, EncoderResult};

/// Why text could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The character does not exist in the encoding.
    #[error(
        "character number {} ({character:?}) does not exist in {encoding}; declare another `@encoding`, leave it out, or declare `@lossy` to have it replaced",
        position + 1
    )]
    Unencodable {
        /// The position in characters, from 0.
        position: usize,
        /// The character.
        character: char,
        /// The encoding's name.
        encoding: String,
    },
    /// A NUL inside would end the string early.
    #[error("character number {} is U+0000, which would end the string there for the library", position + 1)]
    InteriorNul {
        /// The position in characters, from 0.
        position: usize,
    },
    /// The bytes are not valid in the encoding.
    #[error(
        "byte {position} of the library's text is not valid {encoding}; declare its real encoding with `@encoding`, or `@lossy` to have such bytes replaced"
    )]
    Undecodable {
        /// The position in bytes, from 0.
        position: usize,
        /// The encoding's name.
        encoding: String,
    },
    /// No such encoding.
    #[error(
        "there is no encoding named {0:?}; use `utf-8`, `utf-16le`, `ansi` or a WHATWG label such as `gbk` or `windows-1252`"
    )]
    Unknown(String),
}

/// What decides how text is converted, besides its encoding.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    /// Whose `wchar_t` counts.
    pub target: Target,
    /// The WHATWG label of the system's ANSI code page.
    pub ansi: &'static str,
    /// Replace what cannot be converted: by `?` in the library's encoding, by U+FFFD in JSON.
    pub lossy: bool,
}

/// How characters are stored, with the target's width already decided.
#[derive(Clone, Copy)]
enum Form {
    Utf8,
    Utf16,
    Utf32,
    CodePage(&'static encoding_rs::Encoding),
}

impl Form {
    fn of(encoding: &Encoding, codec: Codec) -> Result<Self, TextError> {
        Ok(match encoding {
            Encoding::Utf8 => Self::Utf8,
            Encoding::Utf16 => Self::Utf16,
            Encoding::Wide if codec.target.wchar_bytes() == 2 => Self::Utf16,
            Encoding::Wide => Self::Utf32,
            Encoding::CodePage(label) => Self::page(label)?,
            Encoding::Ansi => Self::page(codec.ansi)?,
        })
    }

    fn page(label: &str) -> Result<Self, TextError> {
        let page = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())
            .filter(|page| page.output_encoding() == *page || *page == encoding_rs::UTF_8)
            .ok_or_else(|| TextError::Unknown(label.to_owned()))?;
        Ok(if page == encoding_rs::UTF_8 { Self::Utf8 } else { Self::CodePage(page) })
    }

    fn name(&self) -> String {
        match self {
            Self::Utf8 => "UTF-8".into(),
            Self::Utf16 => "UTF-16LE".into(),
            Self::Utf32 => "UTF-32LE".into(),
            Self::CodePage(page) => page.name().into(),
        }
    }
}

/// `text` in `encoding`, without a terminating NUL.
///
/// # Errors
/// When a character does not exist in the encoding, or is NUL.
pub fn encode(text: &str, encoding: &Encoding, codec: Codec) -> Result<Vec<u8>, TextError> {
    if let Some(position) = text.chars().position(|character| character == '\0') {
        return Err(TextError::InteriorNul { position });
    }
    match Form::of(encoding, codec)? {
        Form::Utf8 => Ok(text.as_bytes().to_vec()),
        Form::Utf16 => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        Form::Utf32 => Ok(text.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect()),
        Form::CodePage(page) if codec.lossy => Ok(encode_page_lossily(text, page)),
        Form::CodePage(page) => encode_page(text, page),
    }
}

fn encode_page(text: &str, page: &'static encoding_rs::Encoding) -> Result<Vec<u8>, TextError> {
    let mut encoder = page.new_encoder();
    let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len()).unwrap_or(text.len() * 4);
    let mut bytes = Vec::with_capacity(room);
    let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true);
    match result {
        EncoderResult::InputEmpty => unchanged(text, bytes, page),
        EncoderResult::Unmappable(character) => Err(TextError::Unencodable {
            position: text[..read].chars().count().saturating_sub(1),
            character,
            encoding: page.name().to_owned(),
        }),
        EncoderResult::OutputFull => unreachable!("the buffer has the encoder's own upper bound"),
    }
}

fn encode_page_lossily(text: &str, page: &'static encoding_rs::Encoding) -> Vec<u8> {
    let character = |character: char| {
        let mut buffer = [0; 4];
        encode_page(character.encode_utf8(&mut buffer), page).unwrap_or_else(|_| b"?".to_vec())
    };
    // Whole texts are mostly fine, and then stateful encodings stay as short as they should be.
    encode_page(text, page).unwrap_or_else(|_| text.chars().flat_map(character).collect())
}

/// The encoders of the web map a few characters to others that look alike (`¥` to a backslash in `Shift_JIS`). A library
/// must get what the client wrote.
fn unchanged(text: &str, bytes: Vec<u8>, page: &'static encoding_rs::Encoding) -> Result<Vec<u8>, TextError> {
    let again = page.decode_without_bom_handling(&bytes).0;
    let mut others = again.chars();
    match text.chars().enumerate().find(|(_, character)| others.next() != Some(*character)) {
        None => Ok(bytes),
        Some((position, character)) => {
            Err(TextError::Unencodable { position, character, encoding: page.name().to_owned() })
        }
    }
}

/// The text of `bytes`, which hold no terminating NUL.
///
/// # Errors
/// When they are not valid in the encoding.
pub fn decode(bytes: &[u8], encoding: &Encoding, codec: Codec) -> Result<String, TextError> {
    let form = Form::of(encoding, codec)?;
    match decode_exactly(bytes, form) {
        Err(_) if codec.lossy => Ok(decode_lossily(bytes, form)),
        exactly => exactly,
    }
}

fn decode_exactly(bytes: &[u8], form: Form) -> Result<String, TextError> {
    let invalid = |position| TextError::Undecodable { position, encoding: form.name() };
    match form {
        Form::Utf8 => match str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(invalid(error.valid_up_to())),
        },
        Form::Utf16 => {
            let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let mut text = String::with_capacity(bytes.len() / 2);
            let mut position = 0;
            for character in char::decode_utf16(units) {
                let character = character.map_err(|_| invalid(position))?;
                position += 2 * character.len_utf16();
                text.push(character);
            }
            if bytes.len().is_multiple_of(2) { Ok(text) } else { Err(invalid(bytes.len() - 1)) }
        }
        Form::Utf32 => {
            let units = bytes.chunks(4).enumerate();
            let character = |unit: &[u8]| char::from_u32(u32::from_le_bytes(unit.try_into().ok()?));
            units.map(|(index, unit)| character(unit).ok_or_else(|| invalid(index * 4))).collect()
        }
        Form::CodePage(page) => decode_page(bytes, page),
    }
}

fn decode_lossily(bytes: &[u8], form: Form) -> String {
    const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
    match form {
        Form::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Form::Utf16 => {
            let units = bytes.chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit.get(1).copied().unwrap_or(0xd8)]));
            char::decode_utf16(units).map(|character| character.unwrap_or(REPLACEMENT)).collect()
        }
        Form::Utf32 => {
            let character = |unit: &[u8]| char::from_u32(u32::from_le_bytes(unit.try_into().ok()?));
            bytes.chunks(4).map(|unit| character(unit).unwrap_or(REPLACEMENT)).collect()
        }
        Form::CodePage(page) => page.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

fn decode_page(bytes: &[u8], page: &'static encoding_rs::Encoding) -> Result<String, TextError> {
    let mut decoder = page.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len() * 4);
    let mut text = String::with_capacity(room);
    let (result, read) = decoder.decode_to_string_without_replacement(bytes, &mut text, true);
    match result {
        DecoderResult::InputEmpty => Ok(text),
        DecoderResult::Malformed(length, after) => Err(TextError::Undecodable {
            position: read.saturating_sub(usize::from(length) + usize::from(after)),
            encoding: page.name().to_owned(),
        }),
        DecoderResult::OutputFull => unreachable!("the buffer has the decoder's own upper bound"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(label: &str) -> Encoding {
        Encoding::CodePage(label.into())
    }

    const fn exact(target: Target) -> Codec {
        Codec { target, ansi: "windows-1252", lossy: false }
    }

    #[test]
    fn each_encoding_stores_characters_as_its_libraries_expect() {
        let encoded = |encoding: &Encoding, target| encode("桥3", encoding, exact(target)).unwrap();
        assert_eq!(encoded(&Encoding::Utf8, Target::Linux32), "桥3".as_bytes());
        assert_eq!(encoded(&Encoding::Wide, Target::Win32), [0x65, 0x68, 0x33, 0]);
        assert_eq!(encoded(&Encoding::Wide, Target::Linux32), [0x65, 0x68, 0, 0, 0x33, 0, 0, 0]);
        assert_eq!(encoded(&Encoding::Utf16, Target::Linux32), [0x65, 0x68, 0x33, 0]);
        assert_eq!(encoded(&page("gbk"), Target::Win32), [0xc7, 0xc5, 0x33]);
    }

    #[test]
    fn what_cannot_be_encoded_or_decoded_is_an_error_with_its_position() {
        let unencodable = encode("ab€", &page("iso-8859-2"), exact(Target::Win32)).unwrap_err();
        assert!(matches!(unencodable, TextError::Unencodable { position: 2, character: '€', .. }), "{unencodable:?}");
        let yen = encode("C:¥", &page("shift_jis"), exact(Target::Win32)).unwrap_err();
        assert!(matches!(yen, TextError::Unencodable { position: 2, character: '¥', .. }), "{yen:?}");
        let nul = encode("ä\0b", &Encoding::Utf8, exact(Target::Linux32)).unwrap_err();
        assert_eq!(nul, TextError::InteriorNul { position: 1 });
        let undecodable =
            |bytes: &[u8], encoding: &Encoding| decode(bytes, encoding, exact(Target::Linux32)).unwrap_err();
        for (bytes, encoding, at) in [
            (b"ab\xff".as_slice(), Encoding::Utf8, 2),
            (b"a\0\0\xd8", Encoding::Utf16, 2),
            (b"a\0\0\0\xff\xff\xff\xff", Encoding::Wide, 4),
            (b"ab\xff", page("gbk"), 2),
        ] {
            let error = undecodable(bytes, &encoding);
            assert!(
                matches!(error, TextError::Undecodable { position, .. } if position == at),
                "{encoding:?} {error:?}"
            );
        }
        assert_eq!(encode("a", &page("klingon"), exact(Target::Win32)), Err(TextError::Unknown("klingon".into())));
    }

    #[test]
    fn a_lossy_text_has_replacements_and_the_rest_as_it_was() {
        let lossy = Codec { lossy: true, ..exact(Target::Linux32) };
        assert_eq!(encode("a€b", &page("iso-8859-2"), lossy).unwrap(), b"a?b");
        assert_eq!(encode("a€b", &Encoding::Ansi, lossy).unwrap(), b"a\x80b");
        for (bytes, encoding, text) in [
            (b"ab\xffc".as_slice(), Encoding::Utf8, "ab\u{fffd}c"),
            (b"a\0\0\xd8b\0", Encoding::Utf16, "a\u{fffd}b"),
            (b"a\0b", Encoding::Utf16, "a\u{fffd}"),
            (b"a\0\0\0\xff\xff\xff\xff\x01", Encoding::Wide, "a\u{fffd}\u{fffd}"),
            (b"ab\xff", page("gbk"), "ab\u{fffd}"),
        ] {
            assert_eq!(decode(bytes, &encoding, lossy).unwrap(), text, "{encoding:?}");
        }
        encode("a\0b", &Encoding::Utf8, lossy).unwrap_err();
    }

    proptest! {
        #[test]
        fn text_comes_back_as_it_was(text in "[^\0]*") {
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Wide, page("gb18030"), page("utf-8")] {
                for target in Target::ALL {
                    let bytes = encode(&text, &encoding, exact(target));
                    if let Ok(bytes) = bytes {
                        let again = decode(&bytes, &encoding, exact(target)).unwrap();
                        prop_assert_eq!(&again, &text);
                    } else {
                        prop_assert!(matches!(encoding, Encoding::CodePage(_)));
                    }
                }
            }
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Wide, page("gbk"), page("iso-2022-jp"), page("windows-1252")] {
                let _ = decode(&bytes, &encoding, exact(Target::Linux32));
            }
        }
    }
}
