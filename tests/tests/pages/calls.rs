//! The calls' pages: the list and its filters, one call, replay, comparison, and who may see what.

use std::path::Path;

use bridge32_tests::browser::hidden;
use bridge32_tests::{Answer, Bridge, Browser, Config, HOME, Value, base64, fixture, json, within};

/// zlib of the system and for Windows, a library that counts its calls, and one that naps, crashes and has a secret.
fn bridge(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/zlib.h");
        config.library("z", "/usr/lib32/libz.so.1").header(&header);
        for name in ["counted", "trouble"] {
            config.library(name, fixture::library(name, HOME)).header(fixture::header(name));
        }
        let mut secretive = config.library("secretive", fixture::library("trouble", HOME));
        secretive.declares("/** @sensitive value */ int EchoInt(int value);");
        configure(config);
    })
}

fn browser(bridge: &Bridge) -> Browser {
    Browser::new(bridge.client())
}

#[track_caller]
fn page(answer: Answer, status: u16, words: &[&str]) -> String {
    assert_eq!(answer.status, status, "{}", answer.text);
    for word in words {
        assert!(answer.text.contains(word), "{word}: {}", answer.text);
    }
    answer.text
}

fn id(call: &Value) -> &str {
    call["call_id"].as_str().unwrap()
}

/// How many calls the list of a page has.
fn rows(page: &str) -> usize {
    page.matches("<tr id=\"call-").count()
}

fn crc(bridge: &Bridge, bytes: &[u8]) -> Value {
    bridge.call("z", "crc32", json!({"crc": 0, "buf": base64(bytes)})).ok()
}

#[test]
fn the_address_has_the_state_of_the_list() {
    let bridge = bridge(|_| {});
    let mut browser = browser(&bridge);
    page(browser.open("/calls"), 200, &["No call yet", "bridge32 call "]);
    for text in ["a", "b", "c"] {
        crc(&bridge, text.as_bytes());
    }
    bridge.call("counted", "TakeInt", json!({"value": "x"})).refused(422, "argument_mismatch");
    let all =
        page(browser.open("/calls"), 200, &["returned", "argument_mismatch", "data-live=\"call,history,sample\""]);
    assert_eq!(rows(&all), 4);
    let failed = page(browser.open("/calls?outcome=failed"), 200, &["value=\"failed\" selected"]);
    assert_eq!((rows(&failed), failed.contains("counted.TakeInt")), (1, true));
    let first = page(browser.open("/calls?library=z&limit=2"), 200, &["rel=\"next\""]);
    let next = first.split("rel=\"next\"").next().unwrap().rsplit_once("href=\"").unwrap().1;
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let second = page(browser.open(&next), 200, &["rel=\"first\""]);
    assert_eq!((rows(&first), rows(&second), second.contains("data-live")), (2, 1, false));
    page(browser.open("/calls?library=none"), 200, &["No call matches", "href=\"/calls\">Remove the filters"]);
    let cleaned = browser.open("/calls?library=z&function=&text=");
    assert_eq!((cleaned.status, cleaned.header("location")), (303, Some("/calls?library=z")));
    let exported = bridge.client().get("/v1/calls/export?library=z&format=jsonl");
    assert_eq!(exported.text.lines().count(), 3);
    assert!(first.contains("/v1/calls/export?library=z&#38;format=jsonl"), "{first}");
}

#[test]
fn what_was_typed_wrongly_stays_and_is_told_beside_its_field() {
    let bridge = bridge(|_| {});
    let mut browser = browser(&bridge);
    crc(&bridge, b"a");
    let shown = page(
        browser.open("/calls?since=soon&min_duration=%22%3E%3Cb%3E&library=z"),
        400,
        &["value=\"soon\"", "aria-invalid=\"true\" aria-describedby=\"error-since\"", "15m, 2h or 7d", "without them"],
    );
    assert!(!shown.contains("\"><b>") && rows(&shown) == 1, "{shown}");
    page(browser.open("/calls?libary=z"), 400, &["no parameter `libary`"]);
    page(browser.open("/calls?since=1h&until=2h"), 400, &["`since` is after `until`"]);
}

#[test]
fn one_call_is_told_with_arguments_bytes_and_where_its_time_went() {
    let bridge = bridge(|_| {});
    let mut browser = browser(&bridge);
    let call = crc(&bridge, b"<b>123456789</b>");
    let words = [
        "00000000  3c 62 3e 31",
        "&lt;b&gt;123456789&lt;/b&gt;",
        "Where the time went",
        "Queue",
        "Trace id",
        "This call as JSON",
    ];
    let own = page(browser.open(&format!("/calls/{}", id(&call))), 200, &words);
    assert!(!own.contains("data-live"), "it has ended");
    let beside = page(
        browser.open(&format!("/calls?library=z&call={}", id(&call))),
        200,
        &["<aside", words[0], "Open as a page"],
    );
    assert_eq!(rows(&beside), 1);
    let long = crc(&bridge, &vec![b'<'; 6_000]);
    let long = page(browser.open(&format!("/calls/{}", id(&long))), 200, &["first 4.00 kB"]);
    assert!(long.len() < 200_000, "{}", long.len());
    let secret = bridge.call("secretive", "EchoInt", json!({"value": 5})).ok();
    page(browser.open(&format!("/calls/{}", id(&secret))), 200, &["taken out before it was written"]);
    let crashed = bridge.call("trouble", "WriteToNull", json!({})).refused(502, "agent_crashed");
    let words = ["agent_crashed", "href=\"/crashes/", "may have run", "SIGSEGV"];
    page(browser.open(&format!("/calls/{}", id(&crashed))), 200, &words);
    page(browser.open("/calls/019c0f4e-6d2a-7c31-9f6e-0a4f2a8e6b11"), 404, &["unknown_call"]);
    page(browser.open("/calls?call=x"), 200, &["There is no call `x`"]);
}

#[test]
fn a_call_that_runs_can_be_cancelled_from_its_page() {
    let bridge = bridge(|_| {});
    let mut browser = browser(&bridge);
    let request =
        bridge.client().request("POST", "/v1/libraries/trouble/functions/Nap").header("prefer", "respond-async");
    let call = request.body("application/json", json!({"milliseconds": 60_000}).to_string()).send().is(202);
    let path = format!("/calls/{}", id(&call));
    within(10.0, "the call runs", || browser.open(&path).text.contains("The library runs it now").then_some(()));
    page(browser.open(&path), 200, &["data-live=\"call,sample\"", "Cancel this call"]);
    page(browser.open("/calls"), 200, &["running", &format!("action=\"{path}/cancel\"")]);
    let cancelled = browser.submit(&format!("{path}/cancel"), &[]);
    assert_eq!((cancelled.status, cancelled.header("location")), (303, Some(path.as_str())));
    within(10.0, "it has ended", || browser.open(&path).text.contains("cancelled").then_some(()));
    assert_eq!(browser.submit(&format!("{path}/cancel"), &[]).status, 303, "it has ended already: its page says how");
}

#[test]
fn a_call_is_made_again_and_compared_or_it_is_said_why_not() {
    let bridge = bridge(|_| {});
    let mut browser = browser(&bridge);
    let call = crc(&bridge, b"123456789");
    let again = browser.submit(&format!("/calls/{}/replay", id(&call)), &[("library", "")]);
    let location = again.header("location").unwrap().to_owned();
    assert!(again.status == 303 && location.starts_with(&format!("/calls/{}/compare/", id(&call))), "{location}");
    page(browser.open(&location), 200, &["Both have the same outcome"]);
    let counted = bridge.call("counted", "TakeInt", json!({"value": 1})).ok();
    let again = browser.submit(&format!("/calls/{}/replay", id(&counted)), &[]);
    let location = again.header("location").unwrap().to_owned();
    page(browser.open(&location), 200, &["The outcomes differ in 1 place", "/result", "class=\"differs\"", "≠"]);
    let secret = bridge.call("secretive", "EchoInt", json!({"value": 5})).ok();
    let refused = browser.submit(&format!("/calls/{}/replay", id(&secret)), &[]);
    page(refused, 409, &["role=\"alert\"", "Something sensitive", "was not made again"]);
    let elsewhere = browser.submit(&format!("/calls/{}/replay", id(&call)), &[("library", "none")]);
    page(elsewhere, 404, &["role=\"alert\"", "`none`"]);
}

#[test]
fn the_calls_of_a_filter_are_made_again_after_a_question() {
    let bridge = bridge(|_| {});
    let mut browser = browser(&bridge);
    for value in [1, 2] {
        bridge.call("counted", "TakeInt", json!({"value": value})).ok();
    }
    let address = "/calls/replays?library=counted";
    let asked = page(browser.open(address), 200, &["2 calls are made again", "Make 2 calls again"]);
    let (limit, until) = (hidden(&asked, "limit"), hidden(&asked, "until"));
    let wanted = [("library", ""), ("limit", limit.as_str()), ("until", until.as_str())];
    // What ends after the question is not among them.
    bridge.call("counted", "TakeInt", json!({"value": 3})).ok();
    page(browser.submit(address, &wanted), 200, &["2 have others", "/compare/", "/result"]);
    // Nobody was asked.
    let unasked = browser.submit(address, &[("library", "")]);
    assert_eq!((unasked.status, unasked.header("location")), (303, Some(address)));
    assert_eq!(browser.submit(&format!("{address}&since=bogus"), &wanted).status, 303);
    page(browser.open("/calls/replays?library=none"), 200, &["choose no call"]);
}

#[test]
fn whoever_signs_in_sees_and_does_what_the_scopes_of_the_link_say() {
    let bridge = bridge(|config| {
        config.key("all", &["call:*", "read", "adhoc", "manage", "history"]);
    });
    let mut browser = Browser::signed_in(bridge.client());
    let call = crc(&bridge, b"a");
    let path = format!("/calls/{}", id(&call));
    let shown = page(browser.open(&path), 200, &["Replay"]);
    let token = hidden(&shown, "csrf");
    assert_eq!(browser.submit(&format!("{path}/replay"), &[("csrf", &token)]).status, 303);
    let forged = browser.submit(&format!("{path}/replay"), &[]);
    page(forged, 403, &["csrf_token_invalid"]);
    let mut nobody = Browser::new(bridge.client());
    let sent = nobody.open("/calls?library=z");
    assert_eq!((sent.status, sent.header("location")), (303, Some("/sign-in?next=%2Fcalls%3Flibrary%3Dz")));
}

#[test]
fn without_a_history_it_is_said_that_there_is_none() {
    let bridge = bridge(|config| {
        config.set("history", toml::Table::from_iter([("durability".to_owned(), toml::Value::from("off"))]));
    });
    crc(&bridge, b"a");
    page(browser(&bridge).open("/calls"), 200, &["The history is off", "No call yet"]);
}
