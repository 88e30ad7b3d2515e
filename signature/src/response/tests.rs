//! What a client asks for, gets, and believes.

use super::*;
use crate::{BodyDigest, content_digest, sign};

const NOW: i64 = 1_800_000_000;
const REQUEST: Request<'static> =
    Request { method: "POST", scheme: "http", authority: "127.0.0.1:8032", target: "/v1/libraries/z/functions/f?x=1" };
const USUAL: &str = r#"sig1=("@status" "content-digest" "content-type" "signature";req;key="sig1");created"#;

fn key() -> Key {
    Key::new("ci", &[7; 32]).unwrap()
}

/// The headers of a request that asks for this.
fn asking(wanted: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in sign(&key(), &REQUEST, b"{}", NOW).unwrap().pairs() {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers.insert("accept-signature", HeaderValue::from_str(wanted).unwrap());
    headers
}

fn wanted(request: &HeaderMap) -> Result<Vec<Wanted>, WantedError> {
    Wanted::read(&key(), &REQUEST, request)
}

/// The headers of the signed answer to it.
fn answered(request: &HeaderMap, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let mut digest = BodyDigest::default();
    digest.update(body);
    Wanted::sign(&wanted(request).unwrap(), &key(), 200, &mut headers, &digest.finish(), NOW + 1).unwrap();
    headers
}

fn believed(sent: &HeaderMap, status: u16, headers: &HeaderMap, body: &[u8], now: i64) -> Result<(), SignatureError> {
    verify_response(&key(), &REQUEST, sent, &Response { status, headers }, body, now)
}

#[test]
fn an_answer_is_bound_to_its_status_body_headers_and_request() {
    let sent = asking(USUAL);
    let got = answered(&sent, b"[1]");
    assert_eq!(believed(&sent, 200, &got, b"[1]", NOW), Ok(()));
    assert_eq!(believed(&sent, 201, &got, b"[1]", NOW).unwrap_err().code(), "signature_invalid");
    assert_eq!(believed(&sent, 200, &got, b"[2]", NOW), Err(SignatureError::DigestMismatch));
    assert_eq!(believed(&sent, 200, &got, b"", NOW), Err(SignatureError::DigestMismatch));
    assert_eq!(believed(&sent, 200, &got, b"[1]", NOW + 302), Err(SignatureError::Expired { now: NOW + 302 }));
    // Another request of the same sender, of the same text, has another nonce.
    assert_eq!(believed(&asking(USUAL), 200, &got, b"[1]", NOW).unwrap_err().code(), "signature_invalid");
    let mut changed = got.clone();
    changed.insert("content-type", HeaderValue::from_static("text/html"));
    assert_eq!(believed(&sent, 200, &changed, b"[1]", NOW).unwrap_err().code(), "signature_invalid");
    let stranger = Key::new("other", &[7; 32]).unwrap();
    let response = Response { status: 200, headers: &got };
    assert_eq!(verify_response(&stranger, &REQUEST, &sent, &response, b"[1]", NOW), Err(SignatureError::UnknownKey));
}

#[test]
fn an_answer_is_no_request_and_a_request_no_answer() {
    let sent = asking(USUAL);
    let key = key();
    let got = answered(&sent, b"{}");
    assert!(crate::verify(&REQUEST, &got, b"{}", |_| Some(&key), NOW).is_err());
    assert!(believed(&sent, 200, &sent, b"{}", NOW).is_err());
}

#[test]
fn the_signature_says_what_it_covers_and_repeats_what_it_was_given() {
    let asked = r#"a=("@status" "@method";req "@path";req "@query";req "@authority";req "@target-uri";req "content-digest";req "x-none");created;expires;nonce="q\"\\";tag="t";keyid="ci";alg="hmac-sha256", b=("@status" "content-digest";key="sha-256")"#;
    let got = answered(&asking(asked), b"");
    assert_eq!(
        got["signature-input"],
        format!(
            r#"a=("@status" "@method";req "@path";req "@query";req "@authority";req "@target-uri";req "content-digest";req);created={};expires={};keyid="ci";nonce="q\"\\";tag="t";alg="hmac-sha256", b=("@status" "content-digest";key="sha-256");created={};keyid="ci";alg="hmac-sha256""#,
            NOW + 1,
            NOW + 301,
            NOW + 1
        )
    );
    assert_eq!(got["content-digest"], content_digest(b""));
}

#[test]
fn the_base_of_an_answer_is_the_one_that_its_reader_builds() {
    // What `sign` writes piece by piece, `verify_response` reads as a whole.
    let all = r#"x=("@status" "signature";req "@method";req "@path";req "@query";req "@scheme";req "@request-target";req "signature";req;key="sig1" "accept-signature";req "content-type" "content-digest" "content-digest";key="sha-256");nonce="a\\b""#;
    let sent = asking(all);
    assert_eq!(believed(&sent, 200, &answered(&sent, b"x"), b"x", NOW), Ok(()));
}

#[test]
fn an_answer_that_covers_too_little_is_not_believed() {
    for little in [
        r#"s=("content-digest" "signature";req)"#,
        r#"s=("@status" "content-digest")"#,
        r#"s=("@status" "signature";req)"#,
        r#"s=("@status" "content-digest";key="sha-256" "signature";req)"#,
        "s=()",
    ] {
        let sent = asking(little);
        let error = believed(&sent, 200, &answered(&sent, b"x"), b"x", NOW).unwrap_err();
        assert!(error.to_string().contains("must cover"), "{little}: {error}");
    }
    let sent = asking(r#"s=("@status" "signature";req)"#);
    assert_eq!(believed(&sent, 200, &answered(&sent, b""), b"", NOW), Ok(()), "without a body there is no digest");
    assert_eq!(believed(&sent, 200, &HeaderMap::new(), b"", NOW), Err(SignatureError::Missing));
}

#[test]
fn what_cannot_be_signed_is_named() {
    for (asked, named) in [
        ("sig1", "list"),
        ("sig1=(", "structured fields"),
        ("a=(), a=()", "twice"),
        (r#"s=("@method")"#, "\"@method\""),
        (r#"s=("@status";req)"#, "\"@status\";req"),
        (r#"s=("@query-param";req;name="x")"#, "\"@query-param\""),
        (r#"s=("@query-param";name="x")"#, "\"@query-param\""),
        (r#"s=("x-absent";req)"#, "\"x-absent\";req"),
        (r#"s=("signature";req;key="sig2")"#, "\"signature\";req;key=\"sig2\""),
        (r#"s=("signature")"#, "\"signature\""),
        (r#"s=("date")"#, "\"date\""),
        (r#"s=("content-type";bs)"#, "\"content-type\";bs"),
        (r#"s=("@status" "@status")"#, "\"@status\""),
        (r#"s=();alg="rsa-pss-sha512""#, "`alg`"),
        (r#"s=();keyid="other""#, "`keyid`"),
        ("s=();created=5", "`created`"),
        ("s=();expires=?0", "`expires`"),
        ("s=();nonce", "`nonce`"),
        ("s=();x=1", "`x`"),
    ] {
        let error = wanted(&asking(asked)).unwrap_err().to_string();
        assert!(error.contains(named), "{asked}: {error}");
    }
    let mut nothing = asking("a=()");
    nothing.remove("accept-signature");
    assert!(wanted(&nothing).unwrap().is_empty());
}
