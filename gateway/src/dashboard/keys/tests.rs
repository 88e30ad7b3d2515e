//! What the page of keys shows.

use std::any::Any;

use super::*;
use crate::dashboard::language::Language;

const BAD: &str = "<img src=x onerror=alert(1)>";

fn view(id: &str, expires: Option<Timestamp>) -> View {
    View {
        id: id.to_owned(),
        owner: BAD.to_owned(),
        scopes: Scopes::parse(vec!["read".to_owned(), "call:<b>".to_owned()]).unwrap(),
        created: None,
        expires,
        expired: expires.is_some_and(|end| end <= Timestamp::now()),
        last_used: None,
        rate: Some("5/s".parse().unwrap()),
        concurrency: Some(4),
    }
}

fn rendered(views: Vec<View>, giver: &Giver, typed: Typed) -> String {
    let visit = Visit::nobody("/keys");
    let Typed { form, faults, failure } = typed;
    let page = Page {
        frame: visit.frame("Keys", "/keys"),
        config: "bridge32.toml".to_owned(),
        is_off: false,
        rows: views.into_iter().map(Row::new).collect(),
        revoked: None,
        choices: choices(giver, &["reader", BAD], &form),
        owner: None,
        form,
        faults,
        failure,
    };
    page.render_with_values(&(filters::LANGUAGE, &Language::English as &dyn Any)).unwrap()
}

fn hours(hours: i64) -> Timestamp {
    Timestamp::now().checked_add(SignedDuration::from_hours(hours)).unwrap()
}

#[test]
fn a_key_says_how_long_it_is_good() {
    for (end, word) in
        [(None, "good"), (Some(hours(24 * 30)), "good"), (Some(hours(24)), "ends soon"), (Some(hours(-1)), "expired")]
    {
        assert_eq!(state(&view("ci", end)).word, word, "{end:?}");
    }
}

#[test]
fn names_of_keys_owners_scopes_and_libraries_are_text() {
    let giver = Giver::with("admin", &["manage", "history", "read"], None);
    let page = rendered(vec![view(BAD, None)], &giver, Typed::default());
    assert!(!page.contains("<img") && !page.contains("<b>"), "{page}");
    assert!(page.contains("5/s · 4 ×"), "{page}");
}

#[test]
fn what_was_typed_stays_and_what_is_wrong_stands_beside_its_field() {
    let form =
        Form::read(b"id=%22x&scope=manage&scope=call%3Areader&others=a%20b&expires=soon&rate=%3Cb%3E&concurrency=1");
    let faults = Faults { id: Some("no id".to_owned()), expires: Some("no time".to_owned()), ..Faults::default() };
    let giver = Giver::with("admin", &["manage", "history", "call:*"], None);
    let page = rendered(vec![view("ci", None)], &giver, Typed { form, faults, failure: None });
    for words in [
        "2 fields are wrong",
        "value=\"&#34;x\"",
        "value=\"a b\"",
        "value=\"soon\"",
        "value=\"&#60;b&#62;\"",
        "value=\"manage\" checked",
        "value=\"call:reader\" checked",
        "id=\"expires-fault\"",
        "aria-describedby=\"id-hint id-fault\" aria-invalid=\"true\" autofocus",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(page.matches("aria-invalid").count(), 2, "{page}");
    assert!(!page.contains("<table"), "what is wrong comes first: {page}");
}

#[test]
fn nobody_can_tick_what_they_do_not_have() {
    let giver = Giver::with("ops", &["manage", "call:reader"], None);
    let page = rendered(vec![view("ci", None)], &giver, Typed::default());
    for (scope, can) in [("read", false), ("manage", true), ("call:*", false), ("call:reader", true)] {
        let box_of = format!("name=\"scope\" value=\"{scope}\"");
        let rest = &page[page.find(&box_of).unwrap() + box_of.len()..];
        assert_eq!(!rest.starts_with(" disabled"), can, "{scope}: {page}");
    }
}
