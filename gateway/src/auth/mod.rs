//! Who may do what: keys with scopes, signatures, sessions, and the checks that every request passes before its handler.

mod guard;
mod hosts;
mod keys;
mod scopes;
pub mod sessions;
mod verify;

use crate::config::AuthConfig;

pub use guard::{AgentProof, Caller, Guard, Via, guard};
pub use hosts::{Hosts, check_host};
pub use keys::{KeyFileError, Keys};
pub use scopes::{Need, Scopes};
use sessions::Grant;

/// How requests are authenticated.
#[derive(Debug)]
pub enum Auth {
    /// They are not: whoever reaches the listener may do everything.
    Off,
    /// By signatures with these keys.
    Hmac(Box<Keys>),
}

impl Auth {
    /// Whether a session with this grant still holds: with its key, what the key has let in goes, too.
    pub fn honours(&self, grant: &Grant) -> bool {
        match (self, &grant.key) {
            (Self::Off, _) | (Self::Hmac(_), None) => true,
            (Self::Hmac(keys), Some(id)) => keys.get(Some(id)).is_some(),
        }
    }

    /// Reads the keys, if the configuration asks for them.
    ///
    /// # Errors
    /// The key file cannot be used.
    pub fn open(config: &AuthConfig) -> Result<Self, KeyFileError> {
        match config {
            AuthConfig::Off => Ok(Self::Off),
            AuthConfig::Hmac { keys_file } => Keys::read(keys_file).map(Box::new).map(Self::Hmac),
        }
    }
}
