//! Signatures: whatever the headers, the verifier ends, nothing is believed but what was signed, and every answer that can be
//! signed is one whose base its reader builds alike.

use bridge32_signature::{Key, Request, Response, Wanted, sign, verify, verify_response};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The headers that the lines of an input stand for.
const HEADERS: [&str; 5] = ["signature-input", "signature", "content-digest", "accept-signature", "x-covered"];
const NOW: i64 = 1_800_000_000;
const BODY: &[u8] = b"{\"value\": 5}";
const REQUEST: Request<'static> =
    Request { method: "POST", scheme: "http", authority: "127.0.0.1:8032", target: "/v1/libraries/z/functions/f?x=1" };

/// The first byte of `data` chooses what is done with the others: lines that are headers; a genuine request that they
/// change; or what a genuine request wants to have signed.
///
/// # Panics
/// If something is believed that was not signed, or an answer is not believed that was.
pub fn signature(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    let key = Key::new("fuzz", &[7; 32]).expect("a key");
    match choice % 3 {
        0 => any(&key, text),
        1 => changed(&key, usize::from(choice / 3), text),
        _ => wanted(&key, text),
    }
}

fn genuine(key: &Key) -> HeaderMap {
    let signed = sign(key, &REQUEST, BODY, NOW).expect("it can be signed");
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("it is ASCII"));
    signed.pairs().map(header).collect()
}

fn any(key: &Key, text: &[u8]) {
    let mut headers = HeaderMap::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(HEADERS[number % HEADERS.len()], value);
        }
    }
    let verdict = verify(&REQUEST, &headers, BODY, |id| (id == key.id()).then_some(key), NOW);
    let error = verdict.expect_err("nobody has made its MAC");
    assert!(!error.to_string().is_empty() && !error.code().is_empty());
    let _ = Wanted::read(key, &REQUEST, &headers).map_err(|error| error.to_string());
    let response = Response { status: 200, headers: &headers };
    assert!(verify_response(key, &REQUEST, &headers, &response, BODY, NOW).is_err());
}

/// One part of the request is replaced by the text.
fn changed(key: &Key, part: usize, text: &[u8]) {
    let mut headers = genuine(key);
    let (mut request, mut body) = (REQUEST, BODY);
    let words = String::from_utf8_lossy(text);
    match part % 7 {
        0 => request.method = &words,
        1 => request.scheme = &words,
        2 => request.authority = &words,
        3 => request.target = &words,
        4 => body = text,
        other => {
            let Ok(value) = HeaderValue::from_bytes(text) else { return };
            // A signature more beside the genuine one, or in its place.
            if part >= 7 {
                headers.append(HEADERS[other % 3], value)
            } else {
                headers.insert(HEADERS[other % 3], value).is_some()
            };
        }
    }
    if verify(&request, &headers, body, |id| (id == key.id()).then_some(key), NOW).is_ok() {
        assert_eq!((request.method, request.scheme), (REQUEST.method, REQUEST.scheme));
        // `@target-uri` has both, one after the other.
        let address = |request: &Request<'_>| format!("{}{}", request.authority, request.target);
        assert_eq!((address(&request), body), (address(&REQUEST), BODY));
    }
}

fn wanted(key: &Key, text: &[u8]) {
    let mut sent = genuine(key);
    let Ok(value) = HeaderValue::from_bytes(text) else { return };
    sent.insert("accept-signature", value);
    let Ok(wanted) = Wanted::read(key, &REQUEST, &sent) else { return };
    let mut got = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
    Wanted::sign(&wanted, key, 200, &mut got, BODY, NOW).expect("its headers can be written");
    let verdict = verify_response(key, &REQUEST, &sent, &Response { status: 200, headers: &got }, BODY, NOW);
    if let Err(error) = verdict {
        let text = error.to_string();
        assert!(wanted.is_empty() || text.contains("must cover") || text.contains("too long"), "{text}: {got:?}");
    }
}
