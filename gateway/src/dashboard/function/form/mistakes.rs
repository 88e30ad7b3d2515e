//! What a form itself finds wrong. All else is found by the agent, where arguments are checked.

use crate::dashboard::filters::text;
use crate::dashboard::language::Language;

/// What is wrong with what was typed in a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// An element of a list has no value.
    Empty,
    /// It is no hexadecimal digit.
    NoDigit(char),
    /// The last byte has one digit.
    HalfByte,
    /// No file was chosen.
    NoFile,
    /// It is not JSON.
    NoJson(String),
}

impl Mistake {
    /// In words.
    pub fn words(&self, language: Language) -> String {
        let english = match self {
            Self::Empty => text!("This element has no value: give one, or remove it."),
            Self::NoDigit(_) => {
                text!("“{c}” is no hexadecimal digit: bytes are written with 0–9 and a–f, as in 00 ff.")
            }
            Self::HalfByte => text!("A byte has two hexadecimal digits; one of these has only one."),
            Self::NoFile => text!("Choose a file, or another way to write the bytes."),
            Self::NoJson(_) => text!("This is not JSON: {why}"),
        };
        let said = language.say(english);
        match self {
            Self::NoDigit(c) => said.replace("{c}", &c.to_string()),
            Self::NoJson(why) => said.replace("{why}", why),
            Self::Empty | Self::HalfByte | Self::NoFile => said.to_owned(),
        }
    }
}
