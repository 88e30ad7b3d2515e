//! Random texts that open something. They are known to whoever was given one; what is kept here is their hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bridge32_signature::Key;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::Problem;

/// 32 random bytes as base64url: 43 characters that can stand in cookies, addresses and forms as they are.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Characters of every token.
    const LENGTH: usize = 43;

    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn fresh() -> Result<Self, Problem> {
        let bytes = Key::random_secret().map_err(Problem::internal)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A text that somebody sent, if it can be a token at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (text.len() == Self::LENGTH && text.bytes().all(legal)).then(|| Self(text.to_owned()))
    }

    /// What is given out.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept.
    pub(super) fn hash(&self) -> Hashed {
        Hashed(Sha256::digest(&self.0).into())
    }

    /// The token that belongs to this one for another purpose: nobody finds either from the other's text.
    pub(super) fn derive(&self, purpose: &str) -> Self {
        let digest = Sha256::new().chain_update(purpose).chain_update([0]).chain_update(&self.0).finalize();
        Self(URL_SAFE_NO_PAD.encode(digest))
    }

    /// Whether a text is this token, in a time that does not tell how much of it is right.
    pub(super) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What is kept of a token. Comparing hashes, or finding one in a table, tells nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hashed([u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_recognised() {
        let (one, other) = (Token::fresh().unwrap(), Token::fresh().unwrap());
        assert!(one.is(one.as_str()) && !one.is(other.as_str()) && !one.is("") && !one.is(&one.as_str()[1..]));
        assert_eq!(Token::parse(one.as_str()).unwrap().hash(), one.hash());
        assert_ne!(one.hash(), other.hash());
        assert_ne!(one.derive("a").as_str(), one.derive("b").as_str());
        assert_eq!(one.derive("a").as_str().len(), Token::LENGTH);
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        let good = "A".repeat(43);
        assert!(Token::parse(&good).is_some());
        for text in ["", &good[1..], &"A".repeat(44), &good.replacen('A', "=", 1), &good.replacen("AA", "ä", 1)] {
            assert!(Token::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_token_is_not_shown_for_debugging() {
        let token = Token::fresh().unwrap();
        assert!(!format!("{token:?}").contains(token.as_str()));
    }
}
