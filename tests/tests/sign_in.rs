//! People at a browser: how they sign in, what their session may do, and what others cannot make it do.

use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::process::Stdio;

use bridge32_tests::bridge::{gateway_command, run};
use bridge32_tests::browser::hidden;
use bridge32_tests::client::Answer;
use bridge32_tests::{Bridge, Browser, Config, HOME, Value, fixture, json, within};
use toml::Table;

const PASSWORD: &str = "correct horse battery";
const ECHO: &str = "/v1/libraries/scalars/functions/EchoInt";

/// A gateway that wants to know who asks, without libraries.
fn gateway(configure: impl FnOnce(&mut Config)) -> Bridge {
    Bridge::start(|config| {
        config.key("all", &["call:*", "read", "adhoc", "manage"]);
        configure(config);
    })
}

fn with_password(config: &mut Config) {
    config.set("dashboard", Table::from_iter([("password".to_owned(), hash(PASSWORD).into())]));
}

fn with_library(config: &mut Config) {
    config.library("scalars", fixture::library("scalars", HOME)).header(fixture::header("scalars"));
}

/// What `bridge32 password` prints of it.
fn hash(password: &str) -> String {
    use std::io::Write as _;
    let mut command = gateway_command();
    command.arg("password").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// The link that the gateway has printed.
fn printed_link(bridge: &Bridge) -> String {
    let start = format!("http://{}/sign-in?link=", bridge.client().authority());
    let line = bridge.logs(&[&start]);
    line.trim().trim_start_matches(&start).to_owned()
}

fn use_link(browser: &mut Browser, link: &str) -> Answer {
    let page = browser.open(&format!("/sign-in?link={link}"));
    assert_eq!(page.status, 200, "{}", page.text);
    browser.submit("/sign-in", &[("form", &hidden(&page.text, "form")), ("link", link), ("next", "/docs")])
}

fn use_password(browser: &mut Browser, password: &str) -> Answer {
    let page = browser.open("/sign-in");
    browser.submit("/sign-in", &[("form", &hidden(&page.text, "form")), ("password", password)])
}

/// A browser of somebody who has signed in with a new link.
fn signed_in(bridge: &Bridge) -> Browser {
    let mut browser = Browser::new(bridge.client());
    let link = new_link(bridge);
    assert_eq!(use_link(&mut browser, &link).status, 303);
    browser
}

fn new_link(bridge: &Bridge) -> String {
    let answer = bridge.client().request("POST", "/v1/sign-in-links").send().is(201);
    assert!(answer["expires_at"].as_str().unwrap().ends_with('Z'), "{answer}");
    answer["url"].as_str().unwrap().rsplit_once("link=").unwrap().1.to_owned()
}

#[track_caller]
fn leads_to(answer: &Answer, location: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, Some(location)), "{}", answer.text);
}

/// A page for people, with a heading and some words.
#[track_caller]
fn is_page(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.text.contains("<h1") && answer.text.contains(words), "{words}: {}", answer.text);
}

fn call(browser: &Browser, token: Option<&str>) -> Answer {
    let request = browser.request("POST", ECHO).body("application/json", "{\"value\": 5}");
    match token {
        Some(token) => request.header("x-csrf-token", token).send(),
        None => request.send(),
    }
}

#[test]
fn the_link_that_is_printed_signs_in_once_and_looking_at_it_does_not_use_it() {
    let bridge = gateway(with_password);
    let link = printed_link(&bridge);
    let mut browser = Browser::new(bridge.client());
    let address = format!("/sign-in?link={link}");
    for _ in 0..3 {
        is_page(&Browser::new(bridge.client()).open(&address), 200, "This link signs you in, once");
        assert_eq!(bridge.client().with_key(None).request("HEAD", &address).send().status, 200);
    }
    leads_to(&use_link(&mut browser, &link), "/docs");
    let index = browser.open("/");
    is_page(&index, 200, "Sign out");
    assert!(index.text.contains("admin"), "{}", index.text);
    is_page(&browser.open("/docs"), 200, "API docs");

    let mut second = Browser::new(bridge.client());
    is_page(&second.open(&address), 200, "was used before");
    let page = second.open("/sign-in");
    let fields = [("form", hidden(&page.text, "form")), ("link", link)];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    is_page(&second.submit("/sign-in", &fields), 401, "was used before");
    second.form("/sign-in", &fields).send().refused(401, "sign_in_failed");
    leads_to(&second.open("/"), "/sign-in");
}

#[test]
fn a_forged_link_signs_nobody_in() {
    let bridge = gateway(with_password);
    let link = printed_link(&bridge);
    let flipped = if link.starts_with('A') { "B" } else { "A" };
    for forged in ["", "x", &"A".repeat(43), &format!("{flipped}{}", &link[1..]), &link[1..], &format!("{link}=")] {
        let mut browser = Browser::new(bridge.client());
        let page = browser.open("/sign-in").text;
        let answer = browser.submit("/sign-in", &[("form", &hidden(&page, "form")), ("link", forged)]);
        is_page(&answer, 401, "prints a new one");
        leads_to(&browser.open("/"), "/sign-in");
    }
    leads_to(&use_link(&mut Browser::new(bridge.client()), &link), "/docs");
}

#[test]
fn a_link_that_a_key_asked_for_gives_what_the_key_has() {
    let bridge = gateway(|config| {
        config.key("ops", &["manage"]);
        with_library(config);
    });
    let config = bridge.config().folder().join("bridge32.toml");
    let url = format!("http://{}", bridge.client().authority());
    let asked =
        |more: &[&str]| run(&[&["sign-in", "--config", config.to_str().unwrap(), "--url", &url], more].concat());
    let (code, link, note) = asked(&["--key", "ops"]);
    assert_eq!(code, Some(0), "{note}");
    assert!(link.starts_with(&format!("{url}/sign-in?link=")) && note.contains("once"), "{link} {note}");
    let mut browser = Browser::new(bridge.client());
    leads_to(&use_link(&mut browser, link.trim().rsplit_once('=').unwrap().1), "/docs");
    let refused = browser.open("/");
    is_page(&refused, 403, "does not have the scope");
    assert!(refused.text.contains("Sign out") && refused.text.contains("ops"), "{}", refused.text);
    let token = hidden(&refused.text, "csrf");
    let problem = call(&browser, Some(&token)).refused(403, "forbidden");
    assert!(problem["detail"].as_str().unwrap().contains("call:scalars.EchoInt"), "{problem}");
    let restart = browser.request("POST", "/v1/agents/scalars/restart").header("x-csrf-token", &token).send();
    assert_eq!(restart.status, 202, "{}", restart.text);

    let more = browser.request("POST", "/v1/sign-in-links").header("x-csrf-token", &token).send();
    more.refused(403, "forbidden");
    let (code, _, text) = asked(&["--key", "nobody"]);
    assert_eq!(code, Some(2), "{text}");
    bridge.wait_until_ready();
}

#[test]
fn the_password_signs_in_and_wrong_ones_cost_more_and_more_time() {
    let bridge = gateway(with_password);
    let mut browser = Browser::new(bridge.client());
    is_page(&browser.open("/sign-in"), 200, "type=\"password\"");
    for wrong in ["", "Correct horse battery", "x"] {
        is_page(&use_password(&mut browser, wrong), 401, "not the password");
    }
    // One wrong password after the other, each once the wait is over: the wait grows.
    let mut waits = Vec::new();
    within(40.0, "the wait grows", || {
        let answer = use_password(&mut browser, "x");
        let wait = answer.header("retry-after").map(|seconds| seconds.parse::<u64>().unwrap());
        assert_eq!(answer.status == 429, wait.is_some(), "{}", answer.text);
        waits.extend(wait);
        wait.filter(|seconds| *seconds >= 4)
    });
    assert!(waits[0] < 4, "{waits:?}");
    let locked = use_password(&mut browser, PASSWORD);
    is_page(&locked, 429, "try again in");
    assert!(locked.text.contains("type=\"password\""), "the form is there for the next attempt");
    // Links are not held up by what somebody else tries.
    leads_to(&use_link(&mut Browser::new(bridge.client()), &new_link(&bridge)), "/docs");
    let answer = within(20.0, "the right password is taken in the end", || {
        Some(use_password(&mut browser, PASSWORD)).filter(|answer| answer.status != 429)
    });
    leads_to(&answer, "/");
    is_page(&browser.open("/"), 200, "Sign out");
    is_page(&use_password(&mut Browser::new(bridge.client()), "x"), 401, "not the password");
    assert!(!bridge.log().contains(PASSWORD));
}

#[test]
fn the_cookie_is_for_this_gateway_and_for_no_script() {
    let bridge = gateway(|_| {});
    let mut browser = Browser::new(bridge.client());
    let answer = use_link(&mut browser, &printed_link(&bridge));
    let port = bridge.client().authority().rsplit_once(':').unwrap().1;
    let cookies: Vec<&str> = answer.headers("set-cookie").collect();
    let [cookie] = cookies[..] else { panic!("{cookies:?}") };
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with(&format!("bridge32-{port}=")) && pair.split_once('=').unwrap().1.len() == 43, "{cookie}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict");
}

#[test]
fn signing_in_does_not_make_an_id_good_that_was_there_before() {
    let bridge = gateway(|_| {});
    let mut browser = signed_in(&bridge);
    let thief = browser.clone();
    leads_to(&use_link(&mut browser, &new_link(&bridge)), "/docs");
    assert_eq!(browser.request("GET", "/v1/libraries").send().status, 200);
    thief.request("GET", "/v1/libraries").send().refused(401, "session_ended");
}

#[test]
fn a_session_uses_the_api_with_the_token_of_its_page() {
    let bridge = gateway(with_library);
    let (mut browser, mut other) = (signed_in(&bridge), signed_in(&bridge));
    let (token, foreign) = (browser.csrf(), other.csrf());
    assert_eq!(browser.request("GET", "/v1/libraries").send().ok()["libraries"][0]["name"], "scalars");
    assert_eq!(call(&browser, Some(&token)).result(), 5);
    for forged in [None, Some(""), Some("x"), Some(foreign.as_str())] {
        call(&browser, forged).refused(403, "csrf_token_invalid");
    }
    let form = browser.form(ECHO, &[("value", "5")]).send();
    form.refused(403, "csrf_token_invalid");
    let delete = browser.request("DELETE", "/v1/libraries/scalars/interface").send();
    delete.refused(403, "csrf_token_invalid");
    // Another program of this machine makes a page: its port is the same site, its requests carry the cookie.
    for site in ["same-site", "cross-site"] {
        let request = browser.request("POST", ECHO).body("application/json", "{\"value\": 5}");
        request.header("x-csrf-token", &token).header("sec-fetch-site", site).send().refused(403, "forbidden");
        browser.request("GET", "/v1/libraries").header("sec-fetch-site", site).send().refused(403, "forbidden");
    }
}

#[test]
fn a_signed_request_is_the_keys_whatever_cookies_it_has() {
    let bridge = gateway(|config| {
        config.key("reader", &["read"]);
    });
    let mut browser = signed_in(&bridge);
    let cookies: Vec<String> = browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let signed = bridge.client().request("GET", "/v1/libraries").header("cookie", &cookies.join("; "));
    signed.send().ok();
    let bad =
        browser.request("GET", "/v1/libraries").header("signature-input", "sig1=()").header("signature", "sig1=::");
    assert_eq!(bad.send().status, 401);
}

#[test]
fn signing_out_ends_the_session_and_needs_its_token() {
    let bridge = gateway(|_| {});
    let (mut browser, mut other) = (signed_in(&bridge), signed_in(&bridge));
    let (token, foreign) = (browser.csrf(), other.csrf());
    let thief = browser.clone();
    for forged in ["", "x", &foreign] {
        is_page(&browser.submit("/sign-out", &[("csrf", forged)]), 403, "token");
    }
    is_page(&browser.open("/"), 200, "Sign out");
    leads_to(&browser.submit("/sign-out", &[("csrf", &token)]), "/sign-in");
    assert!(!browser.cookies().keys().any(|name| !name.ends_with("-form")), "the browser forgets it");
    leads_to(&browser.open("/"), "/sign-in");
    thief.request("GET", "/v1/libraries").send().refused(401, "session_ended");
    is_page(&other.open("/"), 200, "Sign out");
    leads_to(&browser.submit("/sign-out", &[]), "/sign-in");
}

#[test]
fn a_page_of_somebody_else_cannot_sign_a_browser_in() {
    let bridge = gateway(with_password);
    let mut browser = Browser::new(bridge.client());
    let own = hidden(&browser.open("/sign-in").text, "form");
    let foreign = hidden(&Browser::new(bridge.client()).open("/sign-in").text, "form");
    for form in ["", "x", &foreign] {
        is_page(&browser.submit("/sign-in", &[("form", form), ("password", PASSWORD)]), 403, "form");
        leads_to(&browser.open("/"), "/sign-in");
    }
    let fields = [("form", own.as_str()), ("password", PASSWORD)];
    for site in ["same-site", "cross-site", "none"] {
        browser.form("/sign-in", &fields).header("sec-fetch-site", site).send().refused(403, "forbidden");
    }
    browser.form("/sign-in", &fields).header("origin", "http://evil.example").send().refused(403, "forbidden");
    let authority = bridge.client().authority().to_owned();
    let request = browser.form("/sign-in", &fields).header("sec-fetch-site", "same-origin");
    leads_to(&request.header("origin", &format!("http://{authority}")).send(), "/");
}

#[test]
fn one_is_led_back_to_where_one_was_and_nowhere_else() {
    let bridge = gateway(with_password);
    let mut browser = Browser::new(bridge.client());
    leads_to(&browser.open("/docs?x=1&y=2"), "/sign-in?next=%2Fdocs%3Fx%3D1%26y%3D2");
    let page = browser.open("/sign-in?next=%2Fdocs%3Fx%3D1%26y%3D2").text;
    assert!(page.contains("value=\"/docs?x=1&#38;y=2\""), "{page}");
    for (next, led) in [
        ("/docs?x=1&y=2", "/docs?x=1&y=2"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\r\nset-cookie: a=b", "/"),
        ("/sign-out", "/"),
    ] {
        let mut browser = Browser::new(bridge.client());
        let form = hidden(&browser.open("/sign-in").text, "form");
        let answer = browser.submit("/sign-in", &[("form", &form), ("password", PASSWORD), ("next", next)]);
        leads_to(&answer, led);
    }
    let mut signed_in = signed_in(&bridge);
    leads_to(&signed_in.open("/sign-in?next=//evil.example"), "/");
    leads_to(&signed_in.open("/sign-in?next=/docs"), "/docs");
}

#[test]
fn problems_are_pages_for_browsers_and_documents_for_programs() {
    let bridge = gateway(|config| {
        config.key("reader", &["read"]);
    });
    let mut stranger = Browser::new(bridge.client());
    for path in ["/", "/docs", "/openapi.json", "/v1/libraries"] {
        assert!(stranger.open(path).header("location").is_some_and(|to| to.starts_with("/sign-in")), "{path}");
        stranger.request("GET", path).send().refused(401, "signature_missing");
        stranger.request("GET", path).header("accept", "*/*").send().refused(401, "signature_missing");
    }
    is_page(&stranger.submit("/v1/sign-in-links", &[]), 401, "signature_missing");
    is_page(&stranger.open("/nothing"), 404, "/nothing");
    let mut browser = signed_in(&bridge);
    let token = browser.csrf();
    is_page(&browser.open("/nothing/%3Cscript%3E?%3Cb%3E"), 404, "not_found");
    is_page(&browser.open("/v1/libraries/none"), 404, "no library <code>none</code>");
    browser.request("GET", "/v1/libraries/none").send().refused(404, "unknown_library");
    is_page(&browser.submit("/v1/libraries", &[("csrf", &token)]), 405, "what is: GET");
    is_page(&browser.submit("/v1/sign-in-links", &[]), 403, "csrf_token_invalid");
    let foreign = browser.request("GET", "/").header("accept", "text/html").header("origin", "http://evil.example");
    is_page(&foreign.send(), 403, "another site");
    let post = bridge.client().request("POST", "/nothing").header("accept", "application/json").send();
    post.refused(404, "not_found");
}

#[test]
fn every_page_runs_nothing_inline_and_is_framed_and_kept_by_nobody() {
    let bridge = gateway(|config| {
        with_password(config);
        with_library(config);
    });
    let (mut browser, mut stranger) = (signed_in(&bridge), Browser::new(bridge.client()));
    let pages = [
        browser.open("/"),
        browser.open("/docs"),
        browser.open("/nothing"),
        browser.submit("/sign-out", &[]),
        stranger.open("/sign-in"),
        stranger.open(&format!("/sign-in?link={}", new_link(&bridge))),
        stranger.open("/nothing"),
        use_password(&mut stranger, "wrong"),
    ];
    for page in pages {
        let text = &page.text;
        is_page(&page, page.status, "bridge32");
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        assert!(!text.contains(" style=") && !text.contains("<style") && !handles_events(text), "{text}");
        assert!(text.split("<script").skip(1).all(|script| script.starts_with(" src=\"/")), "{text}");
        for file in text.split('"').filter(|part| part.starts_with("/static/")) {
            assert_eq!(bridge.client().with_key(None).get(file).status, 200, "{file}");
        }
        // What changes something repeats a token; whose language a page has is nobody's secret.
        let forms = text.split("<form").skip(1).map(|form| form.split("</form>").next().unwrap_or_default());
        for form in forms.filter(|form| form.contains("method=\"post\"") && !form.contains("action=\"/preferences\"")) {
            assert!(form.contains("name=\"csrf\"") || form.contains("name=\"form\""), "{form}");
        }
    }
    let icon = bridge.client().with_key(None).get("/static/icon.svg");
    let tag = icon.header("etag").unwrap();
    let again = bridge.client().with_key(None).request("GET", "/static/icon.svg").header("if-none-match", tag).send();
    assert_eq!(again.status, 304);
    bridge.client().with_key(None).get("/static/nothing.css").refused(404, "not_found");
}

/// Whether an element has an attribute such as `onclick`.
fn handles_events(page: &str) -> bool {
    let name = |rest: &str| rest.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase()));
    page.split(" on").skip(1).any(name)
}

#[test]
fn what_others_have_written_stands_in_a_page_as_text() {
    let bridge = gateway(|_| {});
    let mut browser = signed_in(&bridge);
    let page = browser.open("/v1/libraries/%3Cscript%3Ealert(1)%3C%2Fscript%3E").text;
    assert!(page.contains("&#60;script&#62;") && !page.contains("<script>alert"), "{page}");
    let page = Browser::new(bridge.client()).open("/sign-in?next=/%22%3E%3Cscript%3E&link=%22%3E%3Cscript%3E").text;
    assert!(!page.contains("\"><script>"), "{page}");
}

#[test]
fn a_session_ends_after_its_time_and_with_the_gateway() {
    let mut bridge = gateway(|config| {
        config.set("dashboard", Table::from_iter([("session".to_owned(), "2s".into())]));
    });
    let mut browser = signed_in(&bridge);
    within(10.0, "the session ends", || (browser.open("/").status == 303).then_some(()));
    browser.request("GET", "/v1/libraries").send().refused(401, "session_ended");

    let address = bridge.client().authority().to_owned();
    let browser = signed_in(&bridge);
    bridge.restart();
    let mut again = Browser::new(bridge.client());
    again.cookies().clone_from(&renamed(browser, &address, bridge.client().authority()));
    again.request("GET", "/v1/libraries").send().refused(401, "session_ended");
}

/// The cookies as they would be if the gateway had its old port again.
fn renamed(mut browser: Browser, old: &str, new: &str) -> std::collections::BTreeMap<String, String> {
    let port = |address: &str| format!("bridge32-{}", address.rsplit_once(':').unwrap().1);
    let rename = |(name, value): (&String, &String)| (name.replace(&port(old), &port(new)), value.clone());
    browser.cookies().iter().map(rename).collect()
}

#[test]
fn without_authentication_nobody_signs_in() {
    let bridge = Bridge::start(with_library);
    let mut browser = Browser::new(bridge.client());
    is_page(&browser.open("/"), 200, "auth is off");
    leads_to(&browser.open("/sign-in"), "/");
    leads_to(&browser.open("/sign-in?next=/docs"), "/docs");
    leads_to(&browser.submit("/sign-in", &[("password", "x")]), "/");
    bridge.client().request("POST", "/v1/sign-in-links").send().refused(409, "sign_in_not_needed");
    assert_eq!(call(&browser, None).result(), 5);
    assert!(browser.cookies().is_empty() && !bridge.log().contains("/sign-in?link="));
    let config = bridge.config().folder().join("bridge32.toml");
    let (code, _, text) = run(&["sign-in", "--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(text.contains("nobody has to sign in"), "{text}");
}

#[test]
fn a_password_stands_in_the_configuration_as_its_hash_alone() {
    let mut config = Config::new();
    config.set("dashboard", Table::from_iter([("password".to_owned(), PASSWORD.into())]));
    let file = config.write();
    let output = gateway_command().arg("serve").arg("--config").arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("dashboard.password") && text.contains("bridge32 password"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    assert_ne!(hash(PASSWORD), hash(PASSWORD));
    let json: Value = json!(hash(PASSWORD));
    assert!(json.as_str().unwrap().starts_with("$argon2id$"), "{json}");
}

#[test]
fn no_link_is_printed_where_others_read_it() {
    let mut config = Config::new();
    config.key("all", &["manage"]);
    let file = config.write();
    let read = |mode: u32, journal: bool| {
        let log = config.folder().join(format!("{mode:o}-{journal}.log"));
        let output = std::fs::File::options().write(true).create_new(true).mode(mode).open(&log).unwrap();
        let mut command = gateway_command();
        command
            .args(["serve", "--config", file.to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        if journal {
            let stream = std::fs::metadata(&log).unwrap();
            command.env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino()));
        }
        let mut child = command.spawn().unwrap();
        let text = within(20.0, "it says how to sign in", || {
            Some(std::fs::read_to_string(&log).unwrap()).filter(|text| text.contains("To sign in"))
        });
        child.kill().unwrap();
        child.wait().unwrap();
        text
    };
    assert!(read(0o600, false).contains("/sign-in?link="));
    for (mode, journal) in [(0o644, false), (0o640, false), (0o600, true)] {
        let text = read(mode, journal);
        assert!(!text.contains("?link=") && text.contains("`bridge32 sign-in`"), "{text}");
    }
}
