//! The RFC's vector, and forged requests.

use base64::Engine as _;
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
fn the_hmac_vector_of_rfc_9421_holds() {
    // Appendix B.2.5. It covers neither the method nor the target, so only the base and the MAC can be checked.
    let secret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let secret = base64::engine::general_purpose::STANDARD.decode(secret).unwrap();
    let key = Key::new("test-shared-secret", &secret).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("date", HeaderValue::from_static("Tue, 20 Apr 2021 02:07:55 GMT"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let input = r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let inputs = dictionary(input.as_bytes()).unwrap();
    let Some(ListEntry::InnerList(input)) = inputs.get("sig-b25") else { panic!("an inner list") };
    let request =
        Request { method: "POST", scheme: "https", authority: "example.com", target: "/foo?param=Value&Pet=dog" };
    let base = base::build(&request, &headers, &components(input).unwrap(), &serialized(input).unwrap()).unwrap();
    let mac = base64::engine::general_purpose::STANDARD.encode(key.mac(base.as_bytes()));
    assert_eq!(mac, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
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
    let key = key();
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
        let mut headers = HeaderMap::new();
        headers.insert("content-digest", HeaderValue::from_str(&crate::content_digest(b"{}")).unwrap());
        let quoted: Vec<String> = components.iter().map(|name| format!("\"{name}\"")).collect();
        let input = format!("({}){parameters}", quoted.join(" "));
        let base = base::build(&REQUEST, &headers, &components, &input).unwrap();
        let mac = base64::engine::general_purpose::STANDARD.encode(key.mac(base.as_bytes()));
        headers.insert("signature-input", HeaderValue::from_str(&format!("any={input}")).unwrap());
        headers.insert("signature", HeaderValue::from_str(&format!("any=:{mac}:")).unwrap());
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
    let sent = |authority| Request { authority, ..REQUEST };
    // Only `@authority` is normalized: `@target-uri` is what the client wrote, so it is not covered here.
    let base = |request: &Request<'_>| base::build(request, &HeaderMap::new(), &["@authority"], "()").unwrap();
    for same in ["EXAMPLE.com", "example.com:80", "Example.com"] {
        assert_eq!(base(&sent(same)), base(&sent("example.com")), "{same}");
    }
    for other in ["example.com:443", "example.com:8080", "[::1]:80", "example.org"] {
        assert_ne!(base(&sent(other)), base(&sent("example.com")), "{other}");
    }
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
            let meaning = |headers: &HeaderMap| dictionary(headers[name].as_bytes()).ok()
                .map(|dictionary| dictionary.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>());
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
