//! Scopes: what a key may do, and what a route needs. What is not granted is denied.

use std::collections::BTreeSet;

use serde::Serialize;

/// What a route needs of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Public,
    /// To be the agent that the path names, which proves it with its own key; for one that somebody else starts, `agent`.
    Agent,
    /// `read`; a handler that shows what gives access to more asks [`super::Caller`].
    Read,
    /// `read`, or the token for metrics. The handler asks nobody who the caller is.
    Metrics,
    /// `history`.
    History,
    /// `manage`.
    Manage,
    /// `call:{library}.{function}`, `call:{library}` or `call:*`.
    Call,
    /// Some `call` scope of the library; the handler asks [`super::Caller`] for each function.
    SomeCall,
    /// A `call` scope for the whole library.
    Library,
    /// The same, for the library that the callback's id begins with.
    Callback,
    /// `adhoc`, and a `call` scope for the whole library.
    AdHoc,
    /// Any key: the handler shows each caller its own calls, and those of others to whoever has the scope for them.
    OwnCalls,
    /// Any key: the handler asks [`super::Caller`] for the library of a new session, and shows callers their own ones.
    OwnSessions,
}

/// The scopes of one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scopes(BTreeSet<String>);

const WORDS: [&str; 5] = ["read", "adhoc", "history", "manage", "agent"];

/// What may stand behind the colon of a scope.
fn is_target(text: &str) -> bool {
    !text.is_empty() && !text.contains(' ')
}

impl Scopes {
    /// Checks that every scope is one that there is.
    ///
    /// # Errors
    /// The one that is not.
    pub fn parse(words: Vec<String>) -> Result<Self, String> {
        let known = |word: &str| {
            WORDS.contains(&word)
                || ["call:", "agent:"].iter().filter_map(|prefix| word.strip_prefix(prefix)).any(is_target)
        };
        match words.iter().find(|word| !known(word)) {
            Some(word) => Err(format!(
                "`{word}` is no scope: there are read, adhoc, history, manage, agent, agent:ID, call:*, call:LIBRARY and \
                 call:LIBRARY.FUNCTION"
            )),
            None => Ok(Self(words.into_iter().collect())),
        }
    }

    /// Everything that a person does at a browser: all but being an agent.
    pub fn of_a_person() -> Self {
        let words = ["read", "adhoc", "history", "manage", "call:*"];
        Self(words.map(str::to_owned).into())
    }

    /// What of these a session may have.
    #[must_use]
    pub fn without_agent(&self) -> Self {
        Self(self.0.iter().filter(|scope| *scope != "agent" && !scope.starts_with("agent:")).cloned().collect())
    }

    /// Whether they allow what a route needs, for the library and the function of its path.
    ///
    /// # Errors
    /// The scope that is missing.
    pub fn allow(&self, need: Need, library: &str, function: &str) -> Result<(), String> {
        let library_scope = format!("call:{library}");
        let function_scope = format!("call:{library}.{function}");
        let whole_library = self.has("call:*") || self.has(&library_scope);
        let (allowed, missing) = match need {
            Need::Public | Need::OwnCalls | Need::OwnSessions => (true, String::new()),
            Need::Agent => (self.has("agent") || self.has(&format!("agent:{library}")), format!("agent:{library}")),
            Need::Read | Need::Metrics => (self.has("read"), "read".to_owned()),
            Need::History => (self.has("history"), "history".to_owned()),
            Need::Manage => (self.has("manage"), "manage".to_owned()),
            Need::Call => (whole_library || self.has(&function_scope), function_scope),
            Need::SomeCall => (whole_library || self.names_function_of(library), library_scope),
            Need::Library | Need::Callback => (whole_library, library_scope),
            Need::AdHoc if self.has("adhoc") => (whole_library, library_scope),
            Need::AdHoc => (false, "adhoc".to_owned()),
        };
        if allowed { Ok(()) } else { Err(missing) }
    }

    /// The scopes for calls that fit none of these libraries.
    pub fn without_library<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        let of = |rest: &str, name: &str| {
            rest.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let fits = move |rest: &str| rest == "*" || names.iter().any(|name| of(rest, name));
        let calls = self.0.iter().filter(|scope| scope.starts_with("call:"));
        calls.filter(move |scope| !fits(&scope["call:".len()..])).map(String::as_str)
    }

    /// Of other scopes the first that allows something that these do not, where there are these libraries.
    pub fn beyond<'a>(&self, others: &'a Self, libraries: &[&str]) -> Option<&'a str> {
        others.iter().find(|scope| !self.cover(scope, libraries))
    }

    /// Whether whoever has these has no more with that one. `call:a.b` may mean a function of `a`, or the library `a.b`: it has
    /// to be covered as all that it means.
    fn cover(&self, scope: &str, libraries: &[&str]) -> bool {
        let Some(target) = scope.strip_prefix("call:") else {
            return self.has(scope) || (scope.starts_with("agent:") && self.has("agent"));
        };
        let covers = |library: &str| match target.strip_prefix(library)?.strip_prefix('.') {
            Some(function) => Some(self.allow(Need::Call, library, function).is_ok()),
            None if target == library => Some(self.allow(Need::Library, library, "").is_ok()),
            None => None,
        };
        let mut meanings = libraries.iter().filter_map(|library| covers(library)).peekable();
        let is_known = meanings.peek().is_some();
        self.has("call:*") || self.has(scope) || (is_known && meanings.all(|covered| covered))
    }

    /// All of them, in the order of their letters.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether one function of the library is granted, at least by name.
    fn names_function_of(&self, library: &str) -> bool {
        let prefix = format!("call:{library}.");
        self.0.iter().any(|scope| scope.len() > prefix.len() && scope.starts_with(&prefix))
    }

    fn has(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(words: &[&str], need: Need) -> Result<(), String> {
        let scopes = Scopes::parse(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
        scopes.allow(need, "calc", "Add")
    }

    #[test]
    fn calls_are_granted_for_all_for_a_library_or_for_a_function() {
        for scope in ["call:*", "call:calc", "call:calc.Add"] {
            assert_eq!(allow(&[scope], Need::Call), Ok(()));
        }
        assert_eq!(
            allow(&["call:calc.Sub", "call:calculus", "read", "manage"], Need::Call),
            Err("call:calc.Add".into())
        );
    }

    #[test]
    fn what_is_not_granted_is_denied() {
        assert!(allow(&[], Need::Read).is_err());
        assert!(allow(&["read"], Need::Manage).is_err());
        assert!(allow(&["manage"], Need::Read).is_err());
        assert_eq!(allow(&["call:calc"], Need::AdHoc), Err("adhoc".into()));
        assert_eq!(allow(&["adhoc", "call:calc.Add"], Need::AdHoc), Err("call:calc".into()));
        assert_eq!(allow(&["adhoc", "call:calc"], Need::AdHoc), Ok(()));
    }

    #[test]
    fn what_belongs_to_the_whole_library_needs_a_scope_for_all_of_it() {
        for need in [Need::Library, Need::Callback] {
            assert_eq!(allow(&["call:calc"], need), Ok(()));
            assert_eq!(allow(&["call:*"], need), Ok(()));
            assert_eq!(allow(&["call:calc.Add", "read", "adhoc"], need), Err("call:calc".into()));
        }
        assert_eq!(allow(&["call:calc.Sub"], Need::SomeCall), Ok(()));
        assert_eq!(allow(&["call:calculus.Sub", "call:other", "read"], Need::SomeCall), Err("call:calc".into()));
    }

    #[test]
    fn a_person_may_do_everything_but_be_an_agent() {
        let person = Scopes::of_a_person();
        for need in [Need::Read, Need::Manage, Need::Call, Need::SomeCall, Need::Library, Need::Callback, Need::AdHoc] {
            assert_eq!(person.allow(need, "calc", "Add"), Ok(()), "{need:?}");
        }
        assert!(person.allow(Need::Agent, "calc", "").is_err());
        assert_eq!(person.without_agent(), person);
        assert_eq!(Scopes::parse(vec!["agent".into(), "read".into()]).unwrap().without_agent().0.len(), 1);
    }

    #[test]
    fn an_agent_may_be_every_one_or_one() {
        for (scope, may) in [("agent", true), ("agent:cardpc", true), ("agent:other", false), ("call:*", false)] {
            let scopes = Scopes::parse(vec![scope.to_owned()]).unwrap();
            assert_eq!(scopes.allow(Need::Agent, "cardpc", "").is_ok(), may, "{scope}");
            assert_eq!(scopes.without_agent().0.is_empty(), scope.starts_with("agent"), "{scope}");
        }
        assert!(Scopes::parse(vec!["agent:".into()]).is_err());
    }

    #[test]
    fn a_scope_for_a_library_that_is_not_there_is_found() {
        let words = ["call:*", "call:calc", "call:calc.Add", "call:a.b.F", "call:calculus", "call:a", "read"];
        let scopes = Scopes::parse(words.map(str::to_owned).into()).unwrap();
        assert_eq!(scopes.without_library(&["calc", "a.b"]).collect::<Vec<_>>(), ["call:a", "call:calculus"]);
    }

    #[test]
    fn what_is_beyond_somebodys_scopes_is_told() {
        let of = |words: &[&str]| Scopes::parse(words.iter().map(|word| (*word).to_owned()).collect()).unwrap();
        let libraries = ["calc", "a", "a.b"];
        for (own, other) in [
            (&["read", "manage"][..], &["read"][..]),
            (&["call:*"], &["call:calc", "call:calc.Add", "call:gone.F", "call:*"]),
            (&["call:calc"], &["call:calc.Add", "call:calc"]),
            (&["call:calc.Add"], &["call:calc.Add"]),
            (&["agent"], &["agent:cardpc"]),
            (&["call:a.b", "call:a"], &["call:a.b", "call:a.b.F"]),
        ] {
            assert_eq!(of(own).beyond(&of(other), &libraries), None, "{own:?} {other:?}");
        }
        for (own, other) in [
            (&["read", "call:calc", "agent:x"][..], "manage"),
            (&["call:calc"], "call:*"),
            (&["call:calc.Add"], "call:calc"),
            (&["call:calc"], "call:calculus.Add"),
            (&["call:calc"], "call:gone"),
            // It is the whole library `a.b`, too.
            (&["call:a"], "call:a.b"),
            (&["call:a"], "call:a.b.F"),
            (&["agent:cardpc"], "agent"),
            (&[], "read"),
        ] {
            assert_eq!(of(own).beyond(&of(&[other]), &libraries), Some(other), "{own:?}");
        }
    }

    #[test]
    fn a_scope_that_does_not_exist_is_refused() {
        assert!(Scopes::parse(vec!["reed".into()]).is_err());
        assert!(Scopes::parse(vec!["call:".into()]).is_err());
    }
}
