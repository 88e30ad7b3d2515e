//! Keys: made, turned and taken away at a browser, by whoever has at least as much.

use std::os::unix::fs::PermissionsExt as _;

use bridge32_signature::Key;
use bridge32_tests::browser::hidden;
use bridge32_tests::client::Answer;
use bridge32_tests::{Bridge, Browser, Config};

fn bridge(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        config.key("all", &["call:*", "read", "adhoc", "history", "manage"]);
        configure(config);
    })
}

/// Sends a form of the page of keys, with its token.
fn submit(browser: &mut Browser, target: &str, fields: &[(&str, &str)]) -> Answer {
    let token = hidden(&browser.open("/keys").text, "csrf");
    browser.submit(target, &[fields, &[("csrf", token.as_str())]].concat())
}

#[track_caller]
fn is_page(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for word in words {
        assert!(answer.text.contains(word), "no {word} in {}", answer.text);
    }
}

/// The key that a page shows, and its secret.
#[track_caller]
fn shown(answer: &Answer, id: &str) -> (Key, String) {
    is_page(answer, 201, &["only time that the secret is shown", "BRIDGE32_SECRET", &format!("BRIDGE32_KEY_ID={id}")]);
    let (_, rest) = answer.text.split_once("<code id=\"secret\">").unwrap();
    let secret = rest.split_once('<').unwrap().0.replace("&#43;", "+").replace("&#47;", "/");
    (Key::new(id, &bridge32_tests::bytes(&secret.as_str().into())).unwrap(), secret)
}

fn reads(bridge: &Bridge, key: &Key) -> Answer {
    bridge.client().with_key(Some(key)).get("/v1/libraries")
}

fn file(bridge: &Bridge) -> String {
    std::fs::read_to_string(bridge.config().folder().join("keys.toml")).unwrap()
}

#[test]
fn a_key_that_is_added_at_a_browser_works_at_once_until_it_is_revoked() {
    let bridge = bridge(|_| {});
    let mut browser = Browser::signed_in(bridge.client());
    is_page(&browser.open("/keys"), 200, &["href=\"/keys/all\"", "call:*", "Add a key"]);
    let fields =
        [("id", "till 7/a"), ("owner", "tills"), ("scope", "read"), ("others", "reader.Read"), ("rate", "1000/s")];
    let answer = submit(&mut browser, "/keys", &fields);
    let (_, rest) = answer.text.split_once("<code id=\"secret\">").unwrap();
    let secret = rest.split_once('<').unwrap().0.to_owned();
    is_page(
        &answer,
        201,
        &["only time that the secret is shown", "BRIDGE32_KEY_ID='till 7/a'".replace('\'', "&#39;").as_str()],
    );
    let key = Key::new("till 7/a", &bridge32_tests::bytes(&secret.as_str().into())).unwrap();
    reads(&bridge, &key).ok();
    bridge.client().with_key(Some(&key)).get("/v1/keys").refused(403, "forbidden");
    is_page(&browser.open("/keys"), 200, &["till 7/a", "of tills", "call:reader.Read", "1000/s"]);
    is_page(&browser.open("/keys/till%207%2Fa"), 200, &["action=\"/keys/till%207%2Fa/revoke\""]);

    let answer = submit(&mut browser, "/keys/till%207%2Fa/revoke", &[]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/keys?revoked=till+7%2Fa")), "{}", answer.text);
    is_page(&browser.open("/keys?revoked=till+7%2Fa"), 200, &["is no key any more"]);
    reads(&bridge, &key).refused(401, "unknown_key");
    // Whatever an address says, nobody is told what is not so.
    assert!(!browser.open("/keys?revoked=all").text.contains("no key any more"));

    let mode = std::fs::metadata(bridge.config().folder().join("keys.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    bridge.logs(&["a key was added", "till 7/a", "by=\"all\""]);
    bridge.logs(&["a key was revoked", "till 7/a", "by=\"all\""]);
    assert!(!bridge.log().contains(&secret) && !browser.open("/keys").text.contains(&secret));
}

#[test]
fn wrong_inputs_are_told_beside_their_fields_keep_what_was_typed_and_change_nothing() {
    let bridge = bridge(|_| {});
    let mut browser = Browser::signed_in(bridge.client());
    let before = file(&bridge);
    for (fields, words) in [
        (&[("id", "all"), ("scope", "read")][..], &["of this id already", "value=\"all\"", "id=\"id-fault\""][..]),
        (&[("id", "x")], &["choose one at least", "value=\"x\""]),
        (&[("id", "x"), ("scope", "reed")], &["“reed” is no scope"]),
        (
            &[("id", "x"), ("scope", "read"), ("expires", "2020-01-31")],
            &["is over already", "value=\"2020-01-31\"", "checked"],
        ),
        (&[("id", "x"), ("scope", "read"), ("rate", "<b>")], &["“&#60;b&#62;” is no rate"]),
        (&[("id", "x"), ("scope", "read"), ("concurrency", "-1")], &["from 1 on", "value=\"-1\""]),
        (&[("id", "\"x"), ("scope", "read")], &["of ASCII", "value=\"&#34;x\""]),
    ] {
        let answer = submit(&mut browser, "/keys", fields);
        is_page(&answer, 422, words);
        is_page(&answer, 422, &["aria-invalid=\"true\"", "autofocus", "One field is wrong"]);
    }
    let unsure = browser.submit("/keys", &[("id", "x"), ("scope", "read")]);
    is_page(&unsure, 403, &["token"]);
    assert_eq!(file(&bridge), before);
}

#[test]
fn nobody_makes_a_key_with_more_than_they_have() {
    let mut ops = None;
    let bridge = bridge(|config| ops = Some(config.key("ops", &["manage"])));
    let mut browser = Browser::signed_in(&bridge.client().with_key(ops.as_ref()));
    let before = file(&bridge);
    for (fields, words) in [
        (&[("id", "x"), ("owner", "ops"), ("scope", "read")][..], "You do not have read yourself"),
        (&[("id", "x"), ("owner", "ops"), ("others", "*")], "You do not have call:* yourself"),
        (&[("id", "x"), ("scope", "manage")], "Write ops here"),
        (&[("id", "x"), ("owner", "all"), ("scope", "manage")], "Write ops here"),
    ] {
        is_page(&submit(&mut browser, "/keys", fields), 422, &[words]);
    }
    is_page(&browser.open("/keys/all"), 200, &["which you do not have yourself"]);
    let answer = submit(&mut browser, "/keys/all/rotate", &[("keep", "1h")]);
    is_page(&answer, 403, &["which you do not have yourself"]);
    assert_eq!(file(&bridge), before);
    let answer = submit(&mut browser, "/keys", &[("id", "x"), ("owner", "ops"), ("scope", "manage")]);
    shown(&answer, "x");
}

#[test]
fn a_key_is_rotated_and_both_are_good_for_a_while() {
    let mut ci = None;
    let bridge = bridge(|config| ci = Some(config.key("ci", &["read"])));
    let (mut browser, old) = (Browser::signed_in(bridge.client()), ci.unwrap());
    let wrong = submit(&mut browser, "/keys/ci/rotate", &[("keep", "soon")]);
    is_page(&wrong, 422, &["“soon” is no time to come", "value=\"soon\"", "aria-invalid"]);
    let answer = submit(&mut browser, "/keys/ci/rotate", &[("keep", "1h")]);
    is_page(&answer, 201, &["The key before, ci"]);
    let (new, _) = shown(&answer, "ci-2");
    reads(&bridge, &new).ok();
    reads(&bridge, &old).ok();
    is_page(&browser.open("/keys/ci"), 200, &["ends soon"]);
    is_page(&submit(&mut browser, "/keys/gone/rotate", &[("keep", "1h")]), 404, &["There is no key <code>gone</code>"]);
}

#[test]
fn the_only_key_stays_and_whoever_takes_their_own_away_is_signed_out() {
    let mut other = None;
    let bridge = bridge(|config| other = Some(config.key("other", &["read", "manage"])));
    let mut browser = Browser::signed_in(&bridge.client().with_key(other.as_ref()));
    is_page(&browser.open("/keys/other"), 200, &["you will be signed out"]);
    assert_eq!(submit(&mut browser, "/keys/other/revoke", &[]).status, 303);
    let answer = browser.open("/keys");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/sign-in?next=%2Fkeys")), "{}", answer.text);
    let mut browser = Browser::signed_in(bridge.client());
    is_page(&browser.open("/keys/all"), 200, &["This is the only key"]);
    is_page(&submit(&mut browser, "/keys/all/revoke", &[]), 409, &["the only key"]);
    bridge.client().get("/v1/libraries").ok();
}

#[test]
fn whoever_may_not_manage_sees_no_keys_and_where_nobody_needs_one_the_page_says_how_to() {
    let mut reader = None;
    let bridge = bridge(|config| reader = Some(config.key("reader", &["read"])));
    let client = bridge.client().with_key(reader.as_ref());
    let refused = client.request("GET", "/keys").header("accept", "text/html").send();
    is_page(&refused, 403, &["does not have the scope <code>manage</code>"]);
    assert!(!refused.text.contains("href=\"/keys\""), "{}", refused.text);
    client.request("POST", "/keys").send().refused(403, "forbidden");

    let open = Bridge::start(|_| {});
    let mut browser = Browser::new(open.client());
    is_page(&browser.open("/keys"), 200, &["Nobody needs a key", "bridge32 keys add"]);
    is_page(&browser.submit("/keys", &[("id", "x"), ("scope", "read")]), 409, &["nobody needs a key"]);
}
