//! The dashboard's password: argon2id (RFC 9106), written as a PHC string.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

/// The shortest password that is made into a hash here, in characters.
pub const MIN_PASSWORD: usize = 8;
/// Longer ones are not looked at.
pub const MAX_PASSWORD: usize = 1024;
/// The weakest and the dearest parameters that are accepted: kibibytes of memory, and passes over them.
const MEMORY: std::ops::RangeInclusive<u32> = 7 << 10..=1 << 20;
const MAX_PASSES: u32 = 32;

/// The hash of a password.
#[derive(Clone)]
pub struct Password(PasswordHash);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// What is wrong with it. The text does not repeat it: who takes it for the place of the password writes that there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let remedy = "`bridge32 password` prints what belongs here";
        if !text.starts_with('$') {
            return Err(format!("is no argon2id hash but perhaps the password itself: {remedy}"));
        }
        let hash = PasswordHash::new(text).map_err(|error| format!("cannot be read ({error}): {remedy}"))?;
        if hash.algorithm != Algorithm::Argon2id.ident() || hash.version.is_some_and(|v| v != Version::V0x13 as u32) {
            return Err(format!("is not of the kind argon2id, version 19: {remedy}"));
        }
        let parameters =
            Params::try_from(&hash).map_err(|error| format!("has wrong parameters ({error}): {remedy}"))?;
        let enough = MEMORY.contains(&parameters.m_cost()) && parameters.t_cost() <= MAX_PASSES;
        if !enough || hash.salt.is_none() || hash.hash.is_none() {
            let (least, most) = (MEMORY.start(), MEMORY.end());
            return Err(format!(
                "must have a salt, a hash, m from {least} to {most} and t of at most {MAX_PASSES}: {remedy}"
            ));
        }
        Ok(Self(hash))
    }

    /// The PHC string: two of them are the same password with the same salt if these are.
    pub(crate) fn as_phc(&self) -> String {
        self.0.to_string()
    }

    /// Makes the PHC string of a password, with a fresh salt.
    ///
    /// # Errors
    /// The system has no random numbers, or not enough memory.
    pub fn hash(password: &str) -> Result<String, String> {
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
        Ok(hash.to_string())
    }

    /// Whether it is this password. Takes some 20 ms and the memory that the hash asks for.
    pub(super) fn is(&self, password: &str) -> bool {
        password.len() <= MAX_PASSWORD && Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_is_recognised_and_no_other() {
        let text = Password::hash("correct horse").unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert_ne!(text, Password::hash("correct horse").unwrap(), "each has its own salt");
        let password = Password::parse(&text).unwrap();
        assert!(password.is("correct horse"));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", &"x".repeat(MAX_PASSWORD + 1)] {
            assert!(!password.is(wrong), "{wrong}");
        }
        assert!(!format!("{password:?}").contains("argon2id"));
    }

    #[test]
    fn a_hash_of_another_tool_is_read() {
        // From the tests of the reference implementation (phc-winner-argon2, src/test.c).
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(Password::parse(text).unwrap().is("password"));
    }

    #[test]
    fn what_is_weak_or_no_hash_is_refused_without_being_repeated() {
        let good = Password::hash("correct horse").unwrap();
        for (text, reason) in [
            ("hunter2".to_owned(), "the password itself"),
            (String::new(), "the password itself"),
            ("$2y$10$abcdefghijklmnopqrstuv".to_owned(), "bridge32 password"),
            (good.replace("argon2id", "argon2i"), "argon2id"),
            (good.replace("m=19456", "m=64"), "m from"),
            (good.replace("m=19456", "m=4000000"), "m from"),
            (good.replace("t=2", "t=4000"), "t of at most"),
            (good.rsplit_once('$').unwrap().0.to_owned(), "a hash"),
        ] {
            let said = Password::parse(&text).unwrap_err();
            assert!(said.contains(reason) && said.contains("bridge32 password"), "{text}: {said}");
            assert!(text.is_empty() || !said.contains(&text), "{said}");
        }
    }
}
