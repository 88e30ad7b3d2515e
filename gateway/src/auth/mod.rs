//! Who may do what: keys with scopes, signatures, sessions, and the checks that every request passes before its handler.

mod agents;
mod arrival;
mod giver;
mod guard;
mod hosts;
pub mod keys;
mod metrics_token;
mod names;
mod peer;
mod principal;
mod replay_log;
mod respond;
mod scopes;
pub mod sessions;
mod standing;
mod verify;

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{AuthConfig, Config};
use crate::error::Problem;
use keys::{Credential, OtherFile};
use sessions::Grant;

pub use agents::Proven;
pub use arrival::{Arrival, note_arrival};
pub use giver::Giver;
pub(crate) use guard::Entrant;
pub use guard::{AgentProof, Caller, Guard, guard};
pub use hosts::{Hosts, check_host};
pub use keys::{KeyFileError, Keys};
pub use metrics_token::{MetricsToken, TokenDigest, TokenFileError};
pub use names::Names;
pub use principal::Principal;
pub use replay_log::ReplayLogError;
pub use scopes::{Need, Scopes};
pub use standing::Standing;

/// How requests are authenticated.
#[derive(Debug)]
pub enum Auth {
    /// They are not: whoever reaches the listener may do everything.
    Off,
    /// By signatures with these keys, or by signing in at a browser.
    Hmac(Arc<Keys>),
}

impl Auth {
    /// Whether a session with this grant still holds: what a key has let in goes when the key does, or is another one.
    pub fn honours(&self, grant: &Grant) -> bool {
        let Some(then) = &grant.key else { return true };
        let same = |now: &Arc<Credential>| now.is_same(then) && !now.is_over();
        self.credential_of(grant).as_ref().is_some_and(same)
    }

    /// The key that a session has to thank for its grant, as it is now: the session's requests count as the key's.
    pub(crate) fn credential_of(&self, grant: &Grant) -> Option<Arc<Credential>> {
        match (self, &grant.key) {
            (Self::Hmac(keys), Some(then)) => keys.current().get(then.id()).cloned(),
            _ => None,
        }
    }

    /// Lets a call of somebody go on, whatever becomes of its request.
    ///
    /// # Errors
    /// It would be one too many for the key.
    pub(crate) fn keep(&self, caller: &Caller) -> Result<Option<keys::Permit>, Problem> {
        match &caller.principal {
            None => Ok(None),
            Some(Principal::Key(key)) => key.keep().map(Some),
            Some(Principal::Session(session)) => self.credential_of(&session.grant).map(|key| key.keep()).transpose(),
        }
    }

    /// Reads the keys, if the configuration asks for them, and which signatures were used before a restart.
    ///
    /// # Errors
    /// The key file cannot be used, or nobody knows which signatures were used.
    pub fn open(config: &Config) -> Result<Self, AuthError> {
        let AuthConfig::Hmac { keys_file } = &config.auth else { return Ok(Self::Off) };
        let verifier = verify::Verifier::open(&config.data_dir, Names::new(&config.listeners.public_urls))?;
        Ok(Self::Hmac(Arc::new(Keys::open(keys_file, &config.data_dir, verifier)?)))
    }

    /// Reads the key file of another configuration, without using it yet.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn prepare(&self, config: &Config) -> Result<Option<OtherFile>, KeyFileError> {
        match &config.auth {
            AuthConfig::Off => Ok(None),
            AuthConfig::Hmac { keys_file } => OtherFile::read(keys_file).map(Some),
        }
    }

    /// Puts the keys of such a file in force, and follows it from now on.
    pub fn follow(&self, file: Option<OtherFile>) {
        if let (Self::Hmac(keys), Some(file)) = (self, file) {
            keys.follow(file);
        }
    }

    /// Follows the key file until `stopping` says so.
    pub async fn watch(&self, stopping: watch::Receiver<bool>) {
        if let Self::Hmac(keys) = self {
            Arc::clone(keys).watch(stopping).await;
        }
    }

    /// Writes down which signatures were used.
    pub fn close(&self) {
        if let Self::Hmac(keys) = self {
            keys.close();
        }
    }
}

/// Why nobody could be let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The key file cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Nobody knows which signatures were used before a restart.
    #[error(transparent)]
    Nonces(#[from] ReplayLogError),
}
