//! What opens a session: its id, and a secret that nobody can guess.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// 128 random bits.
#[derive(Clone, Copy)]
pub(super) struct Secret([u8; 16]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn fresh() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Compares in a time that does not tell how much of it is right.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// What the client of a session sends: 43 characters of base64url.
#[derive(Clone)]
pub struct Token {
    pub(super) id: Uuid,
    pub(super) secret: Secret,
}

impl Token {
    /// What its text is made of.
    const BYTES: usize = 32;

    /// A text that somebody sent, if it can be one at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; Self::BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (id, secret) = bytes.split_at(16);
        Some(Self { id: Uuid::from_slice(id).ok()?, secret: Secret(secret.try_into().ok()?) })
    }

    /// What is given out.
    pub fn text(&self) -> String {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(self.id.as_bytes());
        bytes[16..].copy_from_slice(&self.secret.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_from_its_text_and_from_nothing_else() {
        let token = Token { id: Uuid::now_v7(), secret: Secret::fresh().unwrap() };
        let text = token.text();
        assert_eq!(text.len(), 43);
        let read = Token::parse(&text).unwrap();
        assert!(read.id == token.id && read.secret.is(&token.secret));
        assert!(!Secret::fresh().unwrap().is(&token.secret));
        for wrong in ["", "x", &text[1..], &format!("{text}A"), &format!("{text}="), &token.id.to_string(), "ä"] {
            assert!(Token::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_for_debugging() {
        let token = Token { id: Uuid::now_v7(), secret: Secret::fresh().unwrap() };
        assert_eq!(format!("{token:?}"), format!("Token({})", token.id));
    }
}
