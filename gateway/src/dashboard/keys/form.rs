//! The form for a new key: what was typed, and what is wrong with it, field by field.

use std::collections::BTreeSet;

use bridge32_signature::Key;
use jiff::Timestamp;

use crate::auth::keys::{NewKey, Rate, parse_end};
use crate::auth::{Giver, Scopes};
use crate::dashboard::Visit;
use crate::dashboard::filters::text;

/// The longest id and owner.
pub(super) const MOST: usize = 200;

/// What was typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) id: String,
    pub(super) owner: String,
    /// The scopes that were ticked.
    pub(super) ticked: BTreeSet<String>,
    /// Libraries and functions that were written down.
    pub(super) others: String,
    pub(super) expires: String,
    pub(super) rate: String,
    pub(super) concurrency: String,
}

/// What is wrong, beside which field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) id: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) scopes: Option<String>,
    pub(super) expires: Option<String>,
    pub(super) rate: Option<String>,
    pub(super) concurrency: Option<String>,
}

/// What a new key has to fit.
pub(super) struct Rules<'a> {
    /// Who makes it.
    pub(super) giver: &'a Giver,
    /// The ids that there are.
    pub(super) ids: Vec<String>,
    /// The libraries that there are.
    pub(super) libraries: Vec<&'a str>,
}

impl Form {
    /// What a form has sent.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.trim().to_owned();
            match &*name {
                "id" => form.id = value,
                "owner" => form.owner = value,
                "scope" => drop(form.ticked.insert(value)),
                "others" => form.others = value,
                "expires" => form.expires = value,
                "rate" => form.rate = value,
                "concurrency" => form.concurrency = value,
                _ => {}
            }
        }
        form
    }

    /// The scopes that it asks for: the ones that were ticked, and each word that was written down.
    fn scopes(&self) -> BTreeSet<String> {
        let words = self.others.split([' ', ',', ';', '\t', '\n', '\r']).filter(|word| !word.is_empty());
        let written = words.map(|word| {
            let is_scope = word.starts_with("call:") || word.starts_with("agent:") || word == "agent";
            if is_scope { word.to_owned() } else { format!("call:{word}") }
        });
        self.ticked.iter().cloned().chain(written).collect()
    }

    /// The key that it asks for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self, rules: &Rules<'_>, visit: &Visit) -> Result<NewKey, Box<Faults>> {
        let Rules { giver, ids, libraries } = rules;
        let scopes = self.scopes();
        let owner = if self.owner.is_empty() { &self.id } else { &self.owner };
        let expires = self.end();
        let rate: Option<&str> = Some(self.rate.as_str()).filter(|rate| !rate.is_empty());
        let concurrency = (!self.concurrency.is_empty()).then(|| self.concurrency.parse::<u32>());
        let faults = Faults {
            id: fault_of_id(&self.id, ids, visit),
            owner: fault_of_owner(owner, giver, visit),
            scopes: fault_of_scopes(&scopes, giver, libraries, visit),
            expires: fault_of_end(expires, giver, visit),
            rate: rate.filter(|rate| rate.parse::<Rate>().is_err()).map(|rate| {
                let text = visit.say(text!("“{text}” is no rate, such as 100/s, 600/min or 5000/h."));
                text.replace("{text}", rate)
            }),
            concurrency: concurrency
                .as_ref()
                .filter(|number| number.as_ref().map_or(true, |number| *number == 0))
                .map(|_| visit.say(text!("It is a number from 1 on, or empty for any.")).to_owned()),
        };
        if faults != Faults::default() {
            return Err(Box::new(faults));
        }
        Ok(NewKey {
            id: self.id.clone(),
            owner: Some(owner.clone()),
            scopes: scopes.into_iter().collect(),
            expires: expires.ok().flatten(),
            rate: rate.map(str::to_owned),
            concurrency: concurrency.and_then(Result::ok),
        })
    }

    /// When the key is to end; the text if it is no time.
    fn end(&self) -> Result<Option<Timestamp>, &str> {
        if self.expires.is_empty() {
            return Ok(None);
        }
        parse_end(&self.expires).map(Some).ok_or(&self.expires)
    }
}

fn fault_of_id(id: &str, ids: &[String], visit: &Visit) -> Option<String> {
    let is_one = Key::new(id, b"any").is_some();
    let text = if id.is_empty() {
        text!("Requests name the key by its id: it needs one.")
    } else if !is_one || id.chars().count() > MOST || matches!(id, "." | "..") {
        text!("An id has at most 200 characters of ASCII, without quotes and backslashes.")
    } else if ids.iter().any(|known| known == id) {
        text!(
            "There is a key of this id already. Choose another one, or rotate that key to give its owner a new secret."
        )
    } else {
        return None;
    };
    Some(visit.say(text).to_owned())
}

fn fault_of_owner(owner: &str, giver: &Giver, visit: &Visit) -> Option<String> {
    if owner.chars().count() > MOST || owner.chars().any(char::is_control) {
        return Some(visit.say(text!("An owner has at most 200 characters.")).to_owned());
    }
    // Without an id there is none to ask about.
    (!owner.is_empty() && !giver.may_give_to(owner)).then(|| {
        let text = text!(
            "Without the scope history, the keys that you add are your own: whoever has a key sees the calls of its owner. Write {owner} here."
        );
        visit.say(text).replace("{owner}", &giver.owner)
    })
}

fn fault_of_scopes(scopes: &BTreeSet<String>, giver: &Giver, libraries: &[&str], visit: &Visit) -> Option<String> {
    if scopes.is_empty() {
        return Some(visit.say(text!("A key without a scope could do nothing: choose one at least.")).to_owned());
    }
    let unknown = scopes.iter().find(|scope| Scopes::parse(vec![(*scope).clone()]).is_err());
    if let Some(unknown) = unknown {
        let text = text!("“{scope}” is no scope: write LIBRARY, LIBRARY.FUNCTION or * for what may be called.");
        return Some(visit.say(text).replace("{scope}", unknown));
    }
    let scopes = Scopes::parse(scopes.iter().cloned().collect()).unwrap_or_default();
    giver.lacks(&scopes, libraries).map(|lacking| {
        let text = text!(
            "You do not have {scope} yourself, so you cannot give it away. `bridge32 keys add` can, for whoever may write the key file."
        );
        visit.say(text).replace("{scope}", lacking)
    })
}

fn fault_of_end(end: Result<Option<Timestamp>, &str>, giver: &Giver, visit: &Visit) -> Option<String> {
    let end = match end {
        Ok(end) => end,
        Err(wrong) => {
            let text = text!("“{text}” is no time, such as 90d, 12h or 2027-01-31.");
            return Some(visit.say(text).replace("{text}", wrong));
        }
    };
    if let Some(end) = end.filter(|end| *end <= Timestamp::now()) {
        let text = visit.say(text!("{time} is over already: the key would be good for nothing."));
        return Some(text.replace("{time}", &end.to_string()));
    }
    giver.until.filter(|_| !giver.may_give_until(end)).map(|own| {
        let text = visit
            .say(text!("The key that you have come with is good until {time}: yours cannot give longer than that."));
        text.replace("{time}", &own.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, giver: &Giver) -> Result<NewKey, Box<Faults>> {
        let ids = vec!["ci".to_owned()];
        let rules = Rules { giver, ids, libraries: vec!["reader", "a.b"] };
        Form::read(body.as_bytes()).check(&rules, &Visit::nobody("/keys"))
    }

    fn admin() -> Giver {
        Giver::with("admin", &["read", "adhoc", "history", "manage", "call:*"], None)
    }

    #[test]
    fn a_form_asks_for_a_key() {
        let body = "id=till+7&owner=&scope=read&scope=call%3Areader&others=pricing.Quote,+x&expires=2099-01-31&rate=5/s&concurrency=4";
        let new = check(body, &admin()).unwrap();
        assert_eq!((new.id.as_str(), new.owner.as_deref(), new.concurrency), ("till 7", Some("till 7"), Some(4)));
        assert_eq!(new.scopes, ["call:pricing.Quote", "call:reader", "call:x", "read"]);
        assert_eq!(
            (new.expires.unwrap().to_string().as_str(), new.rate.as_deref()),
            ("2099-01-31T00:00:00Z", Some("5/s"))
        );
        let new = check("id=a&scope=read", &admin()).unwrap();
        assert_eq!((new.expires, new.rate, new.concurrency), (None, None, None));
    }

    #[test]
    fn each_field_says_what_is_wrong_with_it() {
        let faults = *check("id=ci&expires=2020-01-01&rate=fast&concurrency=0", &admin()).unwrap_err();
        let said =
            [faults.id, faults.scopes, faults.expires, faults.rate, faults.concurrency].map(Option::unwrap_or_default);
        for (said, words) in
            said.iter().zip(["already", "choose one", "over already", "“fast” is no rate", "from 1 on"])
        {
            assert!(said.contains(words), "{words}: {said}");
        }
        for (body, words) in [
            ("scope=read", "needs one"),
            ("id=%22&scope=read", "ASCII"),
            ("id=%E8%AF%BB&scope=read", "ASCII"),
            ("id=..&scope=read", "ASCII"),
        ] {
            assert!(check(body, &admin()).unwrap_err().id.unwrap().contains(words), "{body}");
        }
        for (expires, words) in [("soon", "“soon” is no time"), ("-5d", "over already")] {
            let faults = check(&format!("id=a&scope=read&expires={expires}"), &admin()).unwrap_err();
            assert!(faults.expires.unwrap().contains(words), "{expires}");
        }
        assert!(check("id=a&scope=reed", &admin()).unwrap_err().scopes.unwrap().contains("“reed” is no scope"));
        assert!(check("id=a&scope=read&concurrency=x", &admin()).unwrap_err().concurrency.is_some());
    }

    #[test]
    fn nobody_makes_a_key_with_more_than_they_have() {
        let ops = Giver::with("ops", &["manage", "call:reader"], None);
        for (fields, lacking) in [
            ("scope=read", "read"),
            ("scope=call%3A*", "call:*"),
            ("others=pricing", "call:pricing"),
            ("others=agent", "agent"),
        ] {
            let faults = check(&format!("id=a&owner=ops&{fields}"), &ops).unwrap_err();
            assert!(faults.scopes.unwrap().contains(&format!("You do not have {lacking} ")), "{fields}");
        }
        assert!(check("id=a&owner=ops&others=agent", &admin()).unwrap_err().scopes.is_some(), "a person is no agent");
        check("id=a&owner=ops&scope=manage&others=reader.ReadCard", &ops).unwrap();
        for owner in ["", "ci", "admin"] {
            let faults = check(&format!("id=a&scope=manage&owner={owner}"), &ops).unwrap_err();
            assert!(faults.owner.unwrap().contains("Write ops here"), "{owner}");
        }
        let soon = Timestamp::now().checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
        let brief = Giver::with("ops", &["manage", "history"], Some(soon));
        for expires in ["", "90d"] {
            let faults = check(&format!("id=a&scope=manage&expires={expires}"), &brief).unwrap_err();
            assert!(faults.expires.unwrap().contains("good until"), "{expires}");
        }
        check("id=a&scope=manage&expires=1h", &brief).unwrap();
    }
}
