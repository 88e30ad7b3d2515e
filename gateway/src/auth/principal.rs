//! Who is behind a request, and what they may do.

use super::keys::Entry;
use super::scopes::{Need, Scopes};
use super::sessions::Session;
use crate::error::{Code, Problem};

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The id of the key, or whose session it is.
    pub name: String,
    /// Whose key it is: the same for all keys of one owner.
    pub owner: String,
    /// What they may do.
    pub scopes: Scopes,
    /// How they have shown it.
    pub via: Via,
}

/// How somebody shows who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a signature.
    Key,
    /// By the cookie of a session.
    Session,
}

impl Principal {
    /// Whoever signs with a key.
    pub(super) fn of_key(entry: &Entry) -> Self {
        let (name, owner) = (entry.key.id().to_owned(), entry.owner.clone());
        Self { name, owner, scopes: entry.scopes.clone(), via: Via::Key }
    }

    /// Whoever has signed in.
    pub(super) fn of_session(session: &Session) -> Self {
        let (name, scopes) = (session.grant.owner.clone(), session.grant.scopes.clone());
        Self { owner: name.clone(), name, scopes, via: Via::Session }
    }

    /// Whether they may do this.
    ///
    /// # Errors
    /// The scope that is missing.
    pub fn may(&self, need: Need, library: &str, function: &str) -> Result<(), Problem> {
        self.scopes.allow(need, library, function).map_err(|missing| {
            let (what, name) = match self.via {
                Via::Key => ("key", &self.name),
                Via::Session => ("session of", &self.name),
            };
            Problem::new(Code::Forbidden, format!("The {what} `{name}` does not have the scope `{missing}`."))
        })
    }
}
