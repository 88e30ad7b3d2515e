//! Signed requests: who is let in, to what, and that nothing signed can be used twice or for something else; and answers that
//! are signed because a request asks for it.

use std::time::{SystemTime, UNIX_EPOCH};

use bridge32_signature::{Key, Request as Signed, Response, SignatureError, verify_response};
use bridge32_tests::client::{Answer, Client, Request};
use bridge32_tests::{Bridge, HOME, fixture, json};
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

/// A bridge with keys of several scopes, and those keys.
fn signed() -> (Bridge, Keys) {
    let mut keys = None;
    let bridge = Bridge::start(|config| {
        keys = Some(Keys {
            all: config.key("all", &["call:*", "read", "adhoc", "manage"]),
            one: config.key("one", &["call:scalars.EchoInt"]),
            reader: config.key("reader", &["read"]),
        });
        for name in ["scalars", "other"] {
            config.library(name, fixture::library("scalars", HOME)).header(fixture::header("scalars"));
        }
    });
    (bridge, keys.unwrap())
}

struct Keys {
    all: Key,
    one: Key,
    reader: Key,
}

const ECHO: &str = "/v1/libraries/scalars/functions/EchoInt";

fn echo<'a>(client: &'a Client, path: &str) -> Request<'a> {
    client.request("POST", path).body("application/json", "{\"value\": 5}")
}

#[test]
fn a_signed_request_is_answered_and_an_unsigned_one_is_not() {
    let (bridge, keys) = signed();
    let unsigned = bridge.client().with_key(None);
    echo(&unsigned, ECHO).send().refused(401, "signature_missing");
    for path in ["/", "/v1/libraries", "/v1/agents", "/openapi.json", "/v1/libraries/scalars/exports"] {
        unsigned.get(path).refused(401, "signature_missing");
        assert_eq!(bridge.client().get(path).status, 200, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        unsigned.get(path).ok();
    }
    assert_eq!(echo(&bridge.client().with_key(Some(&keys.all)), ECHO).send().result(), 5);
    assert_eq!(echo(&bridge.client().with_key(Some(&keys.one)), ECHO).send().result(), 5);
}

#[test]
fn a_signature_is_good_once() {
    let (bridge, keys) = signed();
    let client = bridge.client().with_key(None);
    let signature = echo(&client, ECHO).signature(&keys.all, 0);
    assert_eq!(echo(&client, ECHO).headers(&signature).send().result(), 5);
    echo(&client, ECHO).headers(&signature).send().refused(401, "signature_replayed");
}

#[test]
fn a_signature_is_good_for_what_was_signed_and_nothing_else() {
    let (bridge, keys) = signed();
    let client = bridge.client().with_key(None);
    let signature = || echo(&client, ECHO).signature(&keys.all, 0);
    let with = |request: Request<'_>| request.headers(&signature()).send();
    let other_body = client.request("POST", ECHO).body("application/json", "{\"value\": 6}");
    with(other_body).refused(401, "digest_mismatch");
    with(client.request("POST", ECHO)).refused(401, "digest_mismatch");
    with(echo(&client, "/v1/libraries/other/functions/EchoInt")).refused(401, "signature_invalid");
    with(echo(&client, &format!("{ECHO}?x=1"))).refused(401, "signature_invalid");
    let forged = Key::new("all", &[5; 32]).unwrap();
    let signature = echo(&client, ECHO).signature(&forged, 0);
    echo(&client, ECHO).headers(&signature).send().refused(401, "signature_invalid");
    let stranger = Key::new("stranger", &[5; 32]).unwrap();
    let signature = echo(&client, ECHO).signature(&stranger, 0);
    echo(&client, ECHO).headers(&signature).send().refused(401, "unknown_key");
}

#[test]
fn a_signature_ages() {
    let (bridge, keys) = signed();
    let client = bridge.client().with_key(None);
    for (seconds, good) in [(-250, true), (250, true), (-400, false), (400, false)] {
        let signature = echo(&client, ECHO).signature(&keys.all, seconds);
        let answer = echo(&client, ECHO).headers(&signature).send();
        if good {
            assert_eq!(answer.result(), 5, "{seconds} s");
        } else {
            answer.refused(401, "signature_expired");
        }
    }
}

#[test]
fn a_digest_may_not_be_left_out() {
    let (bridge, keys) = signed();
    let client = bridge.client().with_key(None);
    let mut signature = echo(&client, ECHO).signature(&keys.all, 0);
    signature.retain(|(name, _)| !name.eq_ignore_ascii_case("content-digest"));
    let answer = echo(&client, ECHO).headers(&signature).send();
    assert_eq!(answer.status, 401, "{}", answer.text);
    // Signed as a request without a body, and sent with one.
    let signature = client.request("POST", ECHO).signature(&keys.all, 0);
    let answer = echo(&client, ECHO).headers(&signature).send();
    assert_eq!(answer.status, 401, "{}", answer.text);
}

fn header_map<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let header =
        |(name, value): (&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.into_iter().map(header).collect()
}

/// Whether a client of that key believes the answer to what it has sent.
fn believed(
    key: &Key,
    authority: &str,
    path: &str,
    sent: &[(String, String)],
    answer: &Answer,
) -> Result<(), SignatureError> {
    let names = ["content-type", "content-digest", "signature-input", "signature", "retry-after"];
    let got = header_map(names.iter().filter_map(|name| answer.header(name).map(|value| (*name, value))));
    let sent = header_map(sent.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let request = Signed { method: "POST", scheme: "http", authority, target: path };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    verify_response(
        key,
        &request,
        &sent,
        &Response { status: answer.status, headers: &got },
        answer.text.as_bytes(),
        now,
    )
}

#[test]
fn an_answer_is_signed_if_its_request_asks_for_it() {
    let (bridge, keys) = signed();
    let client = bridge.client().with_key(None);
    let ask = |path: &str, body: &str, wanted: &str| {
        let request = client.request("POST", path).body("application/json", body).header("accept-signature", wanted);
        let mut sent = request.signature(&keys.all, 0);
        let answer = request.headers(&sent).send();
        sent.push(("accept-signature".to_owned(), wanted.to_owned()));
        (sent, answer)
    };
    let wanted = r#"mine=("@status" "content-type" "content-digest" "@method";req "@path";req "signature";req;key="sig1" "retry-after");created;nonce="n";tag="t""#;
    let ad_hoc = "/v1/libraries/scalars/calls";
    for (path, body, status) in [(ECHO, "{\"value\": 5}", 200), (ECHO, "{}", 422), (ad_hoc, "no JSON", 400)] {
        let (sent, answer) = ask(path, body, wanted);
        assert_eq!(answer.status, status, "{}", answer.text);
        believed(&keys.all, client.authority(), path, &sent, &answer)
            .unwrap_or_else(|error| panic!("{path} {body}: {error}"));
        let input = answer.header("signature-input").unwrap();
        assert!(
            input.starts_with("mine=(") && input.contains(";nonce=\"n\";tag=\"t\"") && !input.contains("retry"),
            "{input}"
        );
        let (other, _) = ask(path, body, wanted);
        assert!(believed(&keys.all, client.authority(), path, &other, &answer).is_err(), "it answers its own request");
        let mut forged = answer.clone();
        forged.text.push(' ');
        assert_eq!(believed(&keys.all, client.authority(), path, &sent, &forged), Err(SignatureError::DigestMismatch));
    }
    assert_eq!(echo(&client.with_key(Some(&keys.all)), ECHO).send().header("signature"), None, "nobody has asked");
}

#[test]
fn what_no_answer_can_cover_is_named_before_anything_is_done() {
    let (bridge, _) = signed();
    for (wanted, named) in [
        ("mine", "list of components"),
        ("mine=(\"@status\" \"@method\")", "\"@method\" cannot be covered"),
        ("mine=(\"@status\" \"x-mine\";req)", "\"x-mine\";req cannot be covered: there is no such header"),
        ("mine=(\"@status\");alg=\"rsa-pss-sha512\"", "`alg`"),
    ] {
        let problem =
            echo(bridge.client(), ECHO).header("accept-signature", wanted).send().refused(400, "malformed_request");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
    }
    // Nobody knows the key of a request that is not signed, and nothing is said of what it asks for.
    let unsigned = bridge.client().with_key(None);
    echo(&unsigned, ECHO).header("accept-signature", "mine").send().refused(401, "signature_missing");
}

#[test]
fn a_key_does_what_its_scopes_say() {
    let (bridge, keys) = signed();
    let one = bridge.client().with_key(Some(&keys.one));
    let reader = bridge.client().with_key(Some(&keys.reader));
    for (client, path, scope) in [
        (&one, "/v1/libraries/scalars/functions/EchoShort", "call:scalars.EchoShort"),
        (&one, "/v1/libraries/other/functions/EchoInt", "call:other.EchoInt"),
        (&reader, ECHO, "call:scalars.EchoInt"),
    ] {
        let problem = echo(client, path).send().refused(403, "forbidden");
        assert!(problem["detail"].as_str().unwrap().contains(scope), "{problem}");
    }
    one.get("/v1/libraries").refused(403, "forbidden");
    reader.get("/v1/libraries").ok();
    let ad_hoc = json!({"prototype": "int EchoInt(int value)", "args": {"value": 1}});
    one.post("/v1/libraries/scalars/calls", &ad_hoc).refused(403, "forbidden");
    assert_eq!(bridge.client().post("/v1/libraries/scalars/calls", &ad_hoc).result(), 1);
    reader.request("POST", "/v1/agents/scalars/restart").send().refused(403, "forbidden");
    assert_eq!(bridge.generation("scalars"), 1);
}

#[test]
fn no_key_of_a_client_is_an_agents() {
    let (bridge, keys) = signed();
    let body = json!({"protocol": bridge32_protocol::PROTOCOL});
    let client = bridge.client().with_key(Some(&keys.all));
    let answer = client.request("PUT", "/v1/agents/scalars").body("application/json", body.to_string()).send();
    assert_eq!(answer.status, 401, "{}", answer.text);
}

#[test]
fn the_secrets_are_in_no_log_and_in_no_argument_list() {
    let (bridge, _) = signed();
    let keys = std::fs::read_to_string(bridge.config().folder().join("keys.toml")).unwrap();
    let secrets: Vec<&str> =
        keys.lines().filter_map(|line| line.strip_prefix("secret = ")).map(|text| text.trim_matches('"')).collect();
    assert_eq!(secrets.len(), 3);
    let log = bridge.log();
    assert!(secrets.iter().all(|secret| !log.contains(secret)));
    for agent in bridge.agent_processes() {
        assert!(!agent.command.to_lowercase().contains("secret"), "{}", agent.command);
    }
}
