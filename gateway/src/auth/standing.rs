//! Whether somebody who was let in still would be, for answers that go on: a key may be revoked, and a session end, meanwhile.

use std::sync::{Arc, Weak};

use super::keys::Credential;
use super::sessions::Session;
use super::{Auth, Caller, Principal};

/// By what somebody was let in.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Nobody has to sign.
    Anybody,
    /// A key.
    Key(Arc<Credential>),
    /// A session, for as long as it is one.
    Session(Weak<Session>),
}

impl Standing {
    /// That of a request.
    pub fn of(caller: &Caller) -> Self {
        match &caller.principal {
            None => Self::Anybody,
            Some(Principal::Key(key)) => Self::Key(Arc::clone(key)),
            Some(Principal::Session(session)) => Self::Session(Arc::downgrade(session)),
        }
    }

    /// Whether it still holds: the same key, with the same scopes.
    pub fn holds(&self, auth: &Auth) -> bool {
        match (self, auth) {
            (Self::Anybody, _) => true,
            (Self::Key(then), Auth::Hmac(keys)) => {
                keys.current().get(then.id()).is_some_and(|now| now.is_same(then) && !now.is_over())
            }
            (Self::Key(_), Auth::Off) => false,
            (Self::Session(session), auth) => session.upgrade().is_some_and(|session| auth.honours(&session.grant)),
        }
    }
}
