//! The sessions whose process has ended, for as long as they are remembered: their clients are told so.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use super::session::LibrarySession;
use super::token::{Secret, Token};

/// So many are remembered: the oldest ones are forgotten first.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct LostSessions(BTreeMap<Uuid, LostSession>);

#[derive(Debug)]
struct LostSession {
    secret: Secret,
    owner: Option<Arc<str>>,
}

impl LostSessions {
    pub(super) fn remember(&mut self, session: &LibrarySession) {
        self.add(&session.token(), session.shared_owner());
    }

    fn add(&mut self, token: &Token, owner: Option<Arc<str>>) {
        self.0.insert(token.id, LostSession { secret: token.secret, owner });
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Whether the token opened one of them, which was this owner's.
    pub(super) fn has(&self, token: &Token, owner: Option<&str>) -> bool {
        self.0.get(&token.id).is_some_and(|lost| lost.secret.is(&token.secret) && lost.owner.as_deref() == owner)
    }

    /// Whether it was one of them, and this owner's; `all` are for whoever may see those of others.
    pub(super) fn has_id(&self, id: Uuid, owner: Option<&str>, all: bool) -> bool {
        self.0.get(&id).is_some_and(|lost| all || lost.owner.as_deref() == owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_lost_are_remembered_for_their_owner_and_the_oldest_are_forgotten() {
        let mut lost = LostSessions::default();
        let token = |number| Token { id: Uuid::from_u128(number), secret: Secret::fresh().unwrap() };
        let (first, ann) = (token(1), Some("ann"));
        lost.add(&first, ann.map(Arc::from));
        assert!(lost.has(&first, ann) && lost.has_id(first.id, ann, false) && lost.has_id(first.id, None, true));
        assert!(
            !lost.has(&first, Some("ben")) && !lost.has(&first, None) && !lost.has_id(first.id, Some("ben"), false)
        );
        assert!(!lost.has(&Token { id: first.id, secret: Secret::fresh().unwrap() }, ann));
        (2..=MOST as u128 + 1).for_each(|number| lost.add(&token(number), None));
        assert!(!lost.has(&first, ann));
        assert_eq!(lost.0.len(), MOST);
    }
}
