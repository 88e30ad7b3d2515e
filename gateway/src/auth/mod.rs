//! Who may do what: keys with scopes, signatures, sessions, and the checks that every request passes before its handler.

mod arrival;
mod agents;
mod guard;
mod hosts;
mod keys;
mod names;
mod replay_log;
mod respond;
mod scopes;
pub mod sessions;
mod verify;

use std::path::Path;

use crate::config::AuthConfig;

pub use arrival::Arrival;
pub use agents::Proven;
pub use guard::{AgentProof, Caller, Guard, Via, guard};
pub use hosts::{Hosts, check_host};
pub use keys::{KeyFileError, Keys};
pub use names::Names;
pub use replay_log::ReplayLogError;
pub use scopes::{Need, Scopes};

/// How requests are authenticated.
#[derive(Debug)]
pub enum Auth {
    /// They are not: whoever reaches the listener may do everything.
    Off,
    /// By signatures with these keys.
    Hmac(Box<Keys>),
}

impl Auth {
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

    /// Prepares for requests: which signatures were used before a restart, and by which names clients reach this gateway.
    ///
    /// # Errors
    /// Nobody knows which signatures were used.
    pub fn remember(&mut self, data_dir: &Path, names: Names) -> Result<(), ReplayLogError> {
        if let Self::Hmac(keys) = self {
            keys.verifier = verify::Verifier::open(data_dir, names)?;
        }
        Ok(())
    }

    /// Writes down which signatures were used.
    pub fn close(&self) {
        if let Self::Hmac(keys) = self {
            keys.verifier.close();
        }
    }
}
