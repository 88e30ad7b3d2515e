//! Who is behind a request, and what they may do.

use std::sync::Arc;

use super::keys::Credential;
use super::scopes::{Need, Scopes};
use super::sessions::Session;
use crate::error::{Code, Problem};

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub enum Principal {
    /// By a signature with a key.
    Key(Arc<Credential>),
    /// By the cookie of a session.
    Session(Arc<Session>),
}

impl Principal {
    /// Whoever has these scopes.
    #[cfg(test)]
    pub(crate) fn with(scopes: Scopes) -> Self {
        Self::Session(Arc::new(Session::of(super::sessions::Grant { owner: "somebody".to_owned(), key: None, scopes })))
    }

    /// The id of the key, or whose session it is.
    pub fn name(&self) -> &str {
        match self {
            Self::Key(key) => key.id(),
            Self::Session(session) => &session.grant.owner,
        }
    }

    /// Whose key or session it is: the same for all keys of one owner.
    pub fn owner(&self) -> &str {
        match self {
            Self::Key(key) => &key.entry.owner,
            Self::Session(session) => &session.grant.owner,
        }
    }

    /// [`Principal::name`] and [`Principal::owner`], to be kept.
    pub(super) fn shared_names(&self) -> [Arc<str>; 2] {
        match self {
            Self::Key(key) => key.names.clone(),
            Self::Session(session) => {
                let name: Arc<str> = session.grant.owner.as_str().into();
                [Arc::clone(&name), name]
            }
        }
    }

    /// What they may do.
    pub fn scopes(&self) -> &Scopes {
        match self {
            Self::Key(key) => key.scopes(),
            Self::Session(session) => &session.grant.scopes,
        }
    }

    /// Whether they may do this.
    ///
    /// # Errors
    /// The scope that is missing.
    pub fn may(&self, need: Need, library: &str, function: &str) -> Result<(), Problem> {
        self.scopes().allow(need, library, function).map_err(|missing| {
            let what = match self {
                Self::Key(_) => "key",
                Self::Session(_) => "session of",
            };
            Problem::new(Code::Forbidden, format!("The {what} `{}` does not have the scope `{missing}`.", self.name()))
        })
    }
}
