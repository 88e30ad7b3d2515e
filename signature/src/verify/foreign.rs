//! Requests that other implementations signed: vectors made with the Python package `http-message-signatures` 3.0.0 and the npm
//! package `http-message-signatures` 1.0.6, by the key `ci` with 32 bytes of 7.

use http::HeaderValue;

use super::tests::{NOW, REQUEST, checked};
use super::*;

const DIGEST: &str = "sha-256=:mAiILHzcpbk2EBe8K5z1B0DiTqrlLxKYUN5OR+yzjto=:";
const BODY: &[u8] = b"{\"crc\":0}";

fn foreign(input: &'static str, signature: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("content-digest", HeaderValue::from_static(DIGEST));
    headers.insert("signature-input", HeaderValue::from_static(input));
    headers.insert("signature", HeaderValue::from_static(signature));
    headers
}

#[test]
fn requests_signed_in_python_are_believed() {
    for (input, signature) in [
        (
            r#"py=("@method" "@authority" "@target-uri" "content-digest" "content-type");created=1800000000;keyid="ci";nonce="b3k2pp5k7z-50gnwp.yemd""#,
            "py=:RRCghrl89JwdCoDa5nyE1c2ihxkvCA9WZeSRHPbmq/0=:",
        ),
        (
            r#"py=("@method" "@authority" "@path" "@query" "content-digest");created=1800000000;keyid="ci";nonce="b3k2pp5k7z-50gnwp.yemd";tag="bridge32""#,
            "py=:7s9xLaZa5zy4POnufGBozGqQAK0bNiwkvjLDQ51ChD8=:",
        ),
    ] {
        let verified = checked(&REQUEST, &foreign(input, signature), BODY, NOW).unwrap();
        assert_eq!(verified.nonce, "b3k2pp5k7z-50gnwp.yemd");
    }
}

#[test]
fn requests_signed_in_javascript_are_believed_until_they_expire() {
    let headers = foreign(
        r#"js=("@method" "@authority" "@target-uri" "content-digest");created=1800000000;keyid="ci";alg="hmac-sha256";nonce="n-from-js";expires=1800000060"#,
        "js=:TINGJACBz9K1bZseQgabRmxve3kGw8rf9tQvPBQHqZw=:",
    );
    assert_eq!(checked(&REQUEST, &headers, BODY, NOW).unwrap().nonce, "n-from-js");
    assert!(checked(&REQUEST, &headers, BODY, NOW + 60).is_ok());
    assert_eq!(checked(&REQUEST, &headers, BODY, NOW + 61), Err(SignatureError::Expired { now: NOW + 61 }));
}

#[test]
fn the_parameters_count_in_the_order_in_which_they_came() {
    let reordered = foreign(
        r#"js=("@method" "@authority" "@target-uri" "content-digest");keyid="ci";created=1800000000;alg="hmac-sha256";nonce="n-from-js";expires=1800000060"#,
        "js=:TINGJACBz9K1bZseQgabRmxve3kGw8rf9tQvPBQHqZw=:",
    );
    assert_eq!(checked(&REQUEST, &reordered, BODY, NOW).unwrap_err().code(), "signature_invalid");
}
