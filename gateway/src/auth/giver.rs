//! What somebody may give away with a key: nothing that they do not have themselves, and for no longer.

use jiff::Timestamp;

use super::scopes::Scopes;
use super::{Auth, Caller, Principal};

/// Somebody who makes keys.
#[derive(Clone, Debug)]
pub struct Giver {
    /// The id of the key, or whose session it is.
    pub name: String,
    /// Whose calls are theirs.
    pub owner: String,
    /// The key with which they have signed, or that has let them in.
    pub key: Option<String>,
    /// When they may do nothing any more, if that is known.
    pub until: Option<Timestamp>,
    scopes: Scopes,
}

impl Giver {
    /// Whoever asks; `None` where nobody needs a key.
    pub fn of(caller: &Caller, auth: &Auth) -> Option<Self> {
        let principal = caller.principal.as_ref()?;
        let key = match principal {
            Principal::Key(key) => Some(std::sync::Arc::clone(key)),
            Principal::Session(session) => auth.credential_of(&session.grant),
        };
        Some(Self {
            name: principal.name().to_owned(),
            owner: principal.owner().to_owned(),
            key: key.as_ref().map(|key| key.id().to_owned()),
            until: key.and_then(|key| key.entry.expires),
            scopes: principal.scopes().clone(),
        })
    }

    /// The first of these scopes that is more than they have, where there are these libraries.
    pub fn lacks<'a>(&self, scopes: &'a Scopes, libraries: &[&str]) -> Option<&'a str> {
        self.scopes.beyond(scopes, libraries)
    }

    /// Whether they may give a key to that owner: it shows what the owner's others have called, and whoever was called so before.
    pub fn may_give_to(&self, owner: &str) -> bool {
        owner == self.owner || self.scopes.iter().any(|scope| scope == "history")
    }

    /// Whether they may give a key that is good until then; `None` is for ever.
    pub fn may_give_until(&self, end: Option<Timestamp>) -> bool {
        self.until.is_none_or(|own| end.is_some_and(|end| end <= own))
    }
}

#[cfg(test)]
impl Giver {
    /// Somebody with these scopes.
    pub(crate) fn with(owner: &str, scopes: &[&str], until: Option<Timestamp>) -> Self {
        let scopes = Scopes::parse(scopes.iter().map(|scope| (*scope).to_owned()).collect()).unwrap();
        Self { name: owner.to_owned(), owner: owner.to_owned(), key: Some(owner.to_owned()), until, scopes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let until = Timestamp::from_second(1_900_000_000).unwrap();
        let giver = Giver::with("ops", &["manage", "call:calc"], Some(until));
        let scopes = |words: &[&str]| Scopes::parse(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
        assert_eq!(giver.lacks(&scopes(&["manage", "call:calc.Add"]), &["calc"]), None);
        assert_eq!(giver.lacks(&scopes(&["manage", "history"]), &["calc"]), Some("history"));
        assert!(giver.may_give_to("ops") && !giver.may_give_to("ci"));
        assert!(Giver::with("ops", &["manage", "history"], None).may_give_to("ci"));
        assert!(giver.may_give_until(Some(until)) && !giver.may_give_until(None));
        let later = Timestamp::from_second(1_900_000_001).unwrap();
        assert!(!giver.may_give_until(Some(later)) && Giver::with("ops", &[], None).may_give_until(None));
    }
}
