//! Requests that are believed, and forged ones. `vectors.rs` has fixed strings.

use http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::{SignedHeaders, sign};

pub(super) const NOW: i64 = 1_800_000_000;

fn key() -> Key {
    Key::new("ci", &[7; 32]).unwrap()
}

pub(super) const REQUEST: Request<'static> = Request {
    method: "POST",
    scheme: "http",
    authority: "127.0.0.1:8032",
    target: "/v1/libraries/z/functions/crc32?x=1",
};

fn headers(signed: &SignedHeaders) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in signed.pairs() {
        headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn signed(body: &[u8]) -> HeaderMap {
    headers(&sign(&key(), &REQUEST, body, NOW).unwrap())
}

/// A request with that `Signature-Input`, as right as it can be.
fn signed_as(request: &Request<'_>, input: &str, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !body.is_empty() {
        headers.insert("content-digest", HeaderValue::from_str(&crate::content_digest(body)).unwrap());
    }
    signed_with(request, input, headers)
}

/// The same with headers of its own. Where the input cannot be read, or its base built, any MAC must do.
fn signed_with(request: &Request<'_>, input: &str, mut headers: HeaderMap) -> HeaderMap {
    let field = format!("any={input}");
    let base = Dictionary::read(field.as_bytes()).ok().and_then(|dictionary| {
        let components = Component::read_all(dictionary.members()[0].list()?.items).ok()?;
        base::build(Message::Request(*request, &headers), &components, input).ok()
    });
    let mac = key().signature(&base.unwrap_or_default());
    headers.insert("signature-input", HeaderValue::from_str(&field).unwrap());
    headers.insert("signature", HeaderValue::from_str(&format!("any={mac}")).unwrap());
    headers
}

pub(super) fn checked(
    request: &Request<'_>,
    headers: &HeaderMap,
    body: &[u8],
    now: i64,
) -> Result<Verified, SignatureError> {
    let key = key();
    verify(request, headers, body, |id| (id == key.id()).then_some(&key), now)
}

#[test]
fn a_signed_request_is_believed_within_the_clock_window() {
    for body in [b"".as_slice(), b"{\"crc\":0}"] {
        let headers = signed(body);
        for now in [NOW - 300, NOW, NOW + 300] {
            assert_eq!(checked(&REQUEST, &headers, body, now).unwrap().key_id, "ci");
        }
        for now in [NOW - 301, NOW + 301] {
            assert_eq!(checked(&REQUEST, &headers, body, now), Err(SignatureError::Expired { now }));
        }
    }
}

#[test]
fn every_part_of_the_request_is_bound() {
    let headers = signed(b"{}");
    let forged = [
        Request { method: "PUT", ..REQUEST },
        Request { authority: "127.0.0.1:8033", ..REQUEST },
        Request { scheme: "https", ..REQUEST },
        Request { target: "/v1/libraries/z/functions/crc32?x=2", ..REQUEST },
        Request { target: "/v1/libraries/z/functions/crc32", ..REQUEST },
    ];
    for request in forged {
        assert_eq!(checked(&request, &headers, b"{}", NOW).unwrap_err().code(), "signature_invalid", "{request:?}");
    }
    assert_eq!(checked(&REQUEST, &headers, b"{ }", NOW), Err(SignatureError::DigestMismatch));
}

#[test]
fn a_signature_that_covers_too_little_is_refused() {
    let parameters = format!(";created={NOW};keyid=\"ci\";nonce=\"n\"");
    for (components, holds) in [
        (vec!["@method", "@authority", "@target-uri", "content-digest"], true),
        (vec!["@path", "content-digest", "@query", "@method", "@authority"], true),
        (vec!["@authority", "@target-uri", "content-digest"], false),
        (vec!["@method", "@target-uri", "content-digest"], false),
        (vec!["@method", "@authority", "@path", "content-digest"], false),
        (vec!["@method", "@authority", "@target-uri"], false),
        (vec![], false),
    ] {
        let quoted: Vec<String> = components.iter().map(|name| format!("\"{name}\"")).collect();
        let headers = signed_as(&REQUEST, &format!("({}){parameters}", quoted.join(" ")), b"{}");
        assert_eq!(checked(&REQUEST, &headers, b"{}", NOW).is_ok(), holds, "{components:?}");
    }
}

#[test]
fn unsigned_unknown_and_malformed_requests_say_what_is_wrong() {
    assert_eq!(checked(&REQUEST, &HeaderMap::new(), b"", NOW), Err(SignatureError::Missing));
    let other = Key::new("other", &[7; 32]).unwrap();
    let foreign = headers(&sign(&other, &REQUEST, b"", NOW).unwrap());
    assert_eq!(checked(&REQUEST, &foreign, b"", NOW), Err(SignatureError::UnknownKey));
    let impostor = Key::new("ci", &[8; 32]).unwrap();
    let impostor = headers(&sign(&impostor, &REQUEST, b"", NOW).unwrap());
    assert_eq!(checked(&REQUEST, &impostor, b"", NOW).unwrap_err().code(), "signature_invalid");
    for (input, signature) in [
        ("", ""),
        ("sig1", "sig1"),
        ("sig1=()", "sig1=:AAAA:"),
        ("sig1=(\"@method\";req)", "sig1=:AAAA:"),
        ("sig1=(1 2)", "sig1=:AAAA:"),
        ("a=(\"@method\")", "b=:AAAA:"),
        ("sig1=(\"@method\"", "sig1=:AAAA:"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("signature-input", HeaderValue::from_static(input));
        headers.insert("signature", HeaderValue::from_static(signature));
        assert!(checked(&REQUEST, &headers, b"", NOW).is_err(), "{input}");
    }
}

#[test]
fn a_second_signature_counts_if_the_first_does_not_hold() {
    let headers = signed(b"");
    let good = |name: &str| headers[name].to_str().unwrap().replace("sig1", "good");
    let mut both = HeaderMap::new();
    both.append("signature-input", HeaderValue::from_static("bad=(\"@method\");keyid=\"ci\""));
    both.append("signature-input", HeaderValue::from_str(&good("signature-input")).unwrap());
    both.append("signature", HeaderValue::from_static("bad=:AAAA:"));
    both.append("signature", HeaderValue::from_str(&good("signature")).unwrap());
    checked(&REQUEST, &both, b"", NOW).unwrap();
}

#[test]
fn of_several_signatures_the_nearest_miss_is_told() {
    let late = NOW + 1000;
    let stale = signed(b"");
    let mut both = HeaderMap::new();
    both.append(
        "signature-input",
        HeaderValue::from_static(
            "proxy=(\"@method\" \"@authority\" \"@target-uri\");created=1;keyid=\"proxy\";nonce=\"n\"",
        ),
    );
    both.append("signature-input", stale["signature-input"].clone());
    both.append("signature", HeaderValue::from_static("proxy=:AAAA:"));
    both.append("signature", stale["signature"].clone());
    assert_eq!(checked(&REQUEST, &both, b"", late), Err(SignatureError::Expired { now: late }));
}

#[test]
fn the_authority_is_the_same_in_any_case_and_with_the_port_of_its_scheme() {
    // Only `@authority` is normalized: `@target-uri` is what the client wrote, so it is not covered here.
    let input = format!(r#"("@method" "@authority" "@path" "@query");created={NOW};keyid="ci";nonce="n""#);
    let headers = signed_as(&Request { authority: "example.com", ..REQUEST }, &input, b"");
    let sent = |authority| checked(&Request { authority, ..REQUEST }, &headers, b"", NOW).is_ok();
    for same in ["EXAMPLE.com", "example.com:80", "Example.com"] {
        assert!(sent(same), "{same}");
    }
    for other in ["example.com:443", "example.com:8080", "[::1]:80", "example.org", "example.com.", "example.com:"] {
        assert!(!sent(other), "{other}");
    }
}

#[test]
fn of_several_names_the_signed_one_is_told() {
    let proxy = Request { scheme: "https", authority: "bridge.example", ..REQUEST };
    let headers = headers(&sign(&key(), &proxy, b"", NOW).unwrap());
    let key = key();
    let find = |requests: &[Request<'_>]| {
        let keys = |id: &str| (id == key.id()).then_some(&key);
        verify_head_of_any(&requests.iter().copied(), &headers, keys, NOW).map(|head| head.named())
    };
    assert_eq!(find(&[REQUEST, proxy]), Ok(1));
    assert_eq!(find(&[proxy, REQUEST]), Ok(0));
    assert_eq!(find(&[REQUEST]).unwrap_err().code(), "signature_invalid");
    assert_eq!(find(&[]).unwrap_err().code(), "signature_invalid");
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let good = r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n""#;
    assert!(checked(&REQUEST, &signed_as(&REQUEST, good, b""), b"", NOW).is_ok());
    for (odd, told) in [
        (r#"("@method" "@authority" "@target-uri");created=1;created=1800000000;keyid="ci";nonce="n""#, "twice"),
        (r#"("@method" "@authority" "@target-uri" "@method");created=1800000000;keyid="ci";nonce="n""#, "twice"),
        (
            r#"("@method" "@authority" "@target-uri" "@Path");created=1800000000;keyid="ci";nonce="n""#,
            "cannot be covered",
        ),
        (r#"("@method" "@authority" "@target-uri" "Host");created=1800000000;keyid="ci";nonce="n""#, "lower case"),
        (r#"("@method";req "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n""#, "no parameters"),
        (r#"("@method" "@authority" "@target-uri");created="1800000000";keyid="ci";nonce="n""#, "`created` must be an"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000.0;keyid="ci";nonce="n""#, "`created` must be an"),
        (r#"("@method" "@authority" "@target-uri");created;keyid="ci";nonce="n""#, "`created` must be an"),
        (r#"("@method" "@authority" "@target-uri");keyid="ci";nonce="n""#, "`created` is missing"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000000000;keyid="ci";nonce="n""#, "structured field"),
        (r#"("@method" "@authority" "@target-uri");created=@1800000000;keyid="ci";nonce="n""#, "structured field"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000;keyid=ci;nonce="n""#, "`keyid` must be a string"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="";nonce="n""#, "`keyid` is missing"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce=5"#, "`nonce` must be a string"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="""#, "`nonce` is missing"),
        (r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n";tag=5"#, "`tag` must be"),
        (
            r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n";alg=hmac-sha256"#,
            "`alg` must be",
        ),
        (r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n";alg="none""#, "hmac-sha256"),
        (
            r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n";expires="never""#,
            "`expires` must",
        ),
        (
            r#"("@method" "@authority" "@target-uri");created=1800000000;keyid="ci";nonce="n";expires=1799999999"#,
            "expires before",
        ),
    ] {
        let error = checked(&REQUEST, &signed_as(&REQUEST, odd, b""), b"", NOW).unwrap_err();
        assert_eq!(error.code(), "signature_invalid", "{odd}: {error}");
        assert!(error.to_string().contains(told), "{odd}: {error}");
    }
    let long = good.replace("\"n\"", &format!("\"{}\"", "n".repeat(257)));
    assert!(
        checked(&REQUEST, &signed_as(&REQUEST, &long, b""), b"", NOW).unwrap_err().to_string().contains("too long")
    );
}

#[test]
fn a_label_stands_once() {
    let mut headers = signed(b"");
    headers.append("signature", HeaderValue::from_static("sig1=:AAAA:"));
    assert!(checked(&REQUEST, &headers, b"", NOW).unwrap_err().to_string().contains("twice"));
    let mut headers = signed(b"");
    let input = headers["signature-input"].clone();
    headers.append("signature-input", input);
    assert!(checked(&REQUEST, &headers, b"", NOW).unwrap_err().to_string().contains("twice"));
}

#[test]
fn covered_headers_are_bound_line_by_line() {
    let input = format!(r#"("@method" "@authority" "@target-uri" "x-a");created={NOW};keyid="ci";nonce="n""#);
    let with = |lines: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-a", HeaderValue::from_static(line));
        }
        headers
    };
    let signed = signed_with(&REQUEST, &input, with(&["1", "", "2"]));
    assert!(checked(&REQUEST, &signed, b"", NOW).is_ok());
    for (lines, same) in
        [(&[" 1", "\t", "2 "][..], true), (&["1, , 2"], true), (&["1", "2"], false), (&["2", "", "1"], false)]
    {
        let mut changed = with(lines);
        for name in ["signature-input", "signature"] {
            changed.insert(name, signed[name].clone());
        }
        assert_eq!(checked(&REQUEST, &changed, b"", NOW).is_ok(), same, "{lines:?}");
    }
}

#[test]
fn a_digest_that_is_there_must_be_right() {
    let mut headers = signed(b"");
    headers.insert("content-digest", HeaderValue::from_str(&crate::content_digest(b"other")).unwrap());
    assert_eq!(checked(&REQUEST, &headers, b"", NOW), Err(SignatureError::DigestMismatch));
    headers.insert("content-digest", HeaderValue::from_str(&crate::content_digest(b"")).unwrap());
    assert!(checked(&REQUEST, &headers, b"", NOW).is_ok());
}

#[test]
fn time_and_body_are_told_only_to_who_has_the_key() {
    let stranger = Key::new("ci", &[8; 32]).unwrap();
    let mut headers = headers(&sign(&stranger, &REQUEST, b"{}", NOW - 9999).unwrap());
    assert_eq!(checked(&REQUEST, &headers, b"{}", NOW).unwrap_err().code(), "signature_invalid");
    headers.insert("content-digest", HeaderValue::from_static("sha-256=:AAAA:"));
    assert_eq!(checked(&REQUEST, &headers, b"{}", NOW).unwrap_err().code(), "signature_invalid");
}

#[test]
fn no_changed_byte_of_the_request_is_believed() {
    let headers = signed(b"{}");
    let parts = [REQUEST.method, REQUEST.authority, REQUEST.target];
    for (part, text) in parts.iter().enumerate() {
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] ^= 1;
            let changed = String::from_utf8(changed).unwrap();
            let mut forged = parts;
            forged[part] = &changed;
            let [method, authority, target] = forged;
            let request = Request { method, authority, target, ..REQUEST };
            assert!(checked(&request, &headers, b"{}", NOW).is_err(), "{changed}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_signed_is_believed(
        method in "[A-Z]{1,8}",
        authority in "[a-zA-Z0-9.:-]{1,30}",
        target in "/[!-~]{0,60}",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let request = Request { method: &method, scheme: "https", authority: &authority, target: &target };
        let headers = headers(&sign(&key(), &request, &body, NOW).unwrap());
        prop_assert!(checked(&request, &headers, &body, NOW).is_ok());
    }

    #[test]
    fn no_changed_byte_of_the_headers_is_believed(at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let genuine = signed(b"{}");
        for name in ["signature-input", "signature", "content-digest"] {
            let mut value = genuine[name].as_bytes().to_vec();
            let at = at.index(value.len());
            if value[at] == byte { continue; }
            value[at] = byte;
            let mut headers = genuine.clone();
            headers.insert(name, HeaderValue::from_bytes(&value).unwrap());
            let verdict = checked(&REQUEST, &headers, b"{}", NOW);
            // The label and the unused last bits of base64 mean nothing; everything else is bound.
            let meaning = |headers: &HeaderMap| dictionary(headers[name].as_bytes()).ok().map(|dictionary| {
                let mut text = String::new();
                dictionary.members().iter().for_each(|member| member.write(&mut text));
                text
            });
            if meaning(&headers) != meaning(&genuine) {
                prop_assert!(verdict.is_err(), "{name} {}", String::from_utf8_lossy(&value));
            }
        }
    }

    #[test]
    fn garbage_headers_are_an_error(input in ".{0,80}", signature in ".{0,80}") {
        let mut headers = HeaderMap::new();
        if let (Ok(input), Ok(signature)) = (HeaderValue::from_str(&input), HeaderValue::from_str(&signature)) {
            headers.insert("signature-input", input);
            headers.insert("signature", signature);
            prop_assert!(checked(&REQUEST, &headers, b"", NOW).is_err());
        }
    }
}
