//! What it costs to believe a signed request.

use std::hint::black_box;

use bridge32_signature::{
    Key, Mark, ReplayStore, Request, SignedHeaders, content_digest, sign, sign_with_nonce, verify_head,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::measure::{Row, microseconds};

/// Bytes of the bodies.
const BODIES: [usize; 3] = [0, 1 << 10, 64 << 10];
const NOW: i64 = 1_800_000_000;
/// About as long as the base of such a request.
const BASE_BYTES: usize = 380;
/// So many requests are signed beforehand, and verified in turn.
const REQUESTS: usize = 256;

const REQUEST: Request<'static> =
    Request { method: "POST", scheme: "http", authority: "127.0.0.1:8032", target: "/v1/libraries/z/functions/crc32" };

pub(crate) fn measure() -> Vec<Row> {
    BODIES.map(row).into()
}

fn row(length: usize) -> Row {
    let secret = [7; 32];
    let key = Key::new("bench", &secret).expect("a key");
    let body = vec![b'x'; length];
    let requests: Vec<HeaderMap> = (0..REQUESTS).map(|number| headers(&signed(&key, &body, number))).collect();
    let head = |headers| verify_head(&REQUEST, headers, |id| (id == key.id()).then_some(&key), NOW).expect("signed");

    let store = ReplayStore::new(1 << 20);
    let (mut turn, mut clock) = (0, NOW);
    let mut whole = || {
        let verified = head(&requests[turn]).with_body(&requests[turn], &body).expect("the body that was signed");
        turn = (turn + 1) % REQUESTS;
        // Each turn is of another time, when the nonces of the one before are forgotten.
        if turn == 0 {
            clock += 1000;
        }
        let verified = bridge32_signature::Verified { created: clock, ..verified };
        let nonce = Mark::of(&verified);
        assert!(!store.knows(nonce, clock), "it is new");
        black_box(store.take(nonce, clock)).expect("it is new");
    };
    let mac = Hmac::<Sha256>::new_from_slice(&secret).expect("a key");
    let base = [b'b'; BASE_BYTES];
    let mut baseline = || {
        black_box(mac.clone().chain_update(black_box(&base)).finalize());
        if length > 0 {
            black_box(Sha256::digest(black_box(&body)));
        }
    };
    let mut head_alone = || drop(black_box(head(&requests[0])));
    let mut digest_alone = || drop(black_box(content_digest(&body)));
    let mut signing = || drop(black_box(sign(&key, &REQUEST, &body, NOW).expect("it can be signed")));
    let works: [&mut dyn FnMut(); 5] = [&mut whole, &mut baseline, &mut head_alone, &mut digest_alone, &mut signing];
    let [cost, baseline, head, digest, signing] = microseconds(works);
    let parts = vec![("head", head), ("digest", digest), ("signing", signing)];
    Row { name: format!("{length} B"), cost, baseline, parts }
}

fn signed(key: &Key, body: &[u8], number: usize) -> SignedHeaders {
    let nonce = format!("kU5sVbP0T3yXo2a9hQ{number:06}");
    sign_with_nonce(key, &REQUEST, body, NOW, &nonce).expect("it can be signed")
}

/// As they come from a client that sends some more.
fn headers(signed: &SignedHeaders) -> HeaderMap {
    let usual = [("host", REQUEST.authority), ("content-type", "application/json"), ("user-agent", "bench/1")];
    let all = usual.into_iter().chain(signed.pairs());
    all.map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("ASCII")))
        .collect()
}
