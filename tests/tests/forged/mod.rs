//! Forged requests against a running gateway: none is accepted, none is a failure of the gateway's, none takes long.
//!
//! Each is made of a request that would be accepted as it is. `whatever` marks what is refused before the signature is
//! looked at: by the router, for the Host, or as bad HTTP.

mod request;
mod table;

use std::net::TcpListener;
use std::time::Duration;

use bridge32_tests::{Bridge, HOME, fixture};

use request::{BODY, ECHO, Raw, Signer, digest, now, secret_of};

/// Far longer than any refusal takes, also on a machine that does other things.
const LONG: Duration = Duration::from_secs(5);

/// A bridge, its signer, and another key's.
fn bridge() -> (Bridge, Signer, Signer) {
    bridge_at("127.0.0.1:0")
}

fn bridge_at(address: &str) -> (Bridge, Signer, Signer) {
    let bridge = Bridge::start(|config| {
        config.set("listen", address);
        config.key("all", &["call:*", "read", "adhoc", "manage"]);
        config.key("other", &["call:*"]);
        config.library("scalars", fixture::library("scalars", HOME)).header(fixture::header("scalars"));
    });
    let keys = std::fs::read_to_string(bridge.config().folder().join("keys.toml")).unwrap();
    let signer = |id: &str| Signer {
        authority: bridge.client().authority().to_owned(),
        id: id.to_owned(),
        secret: secret_of(&keys, id),
    };
    let (all, other) = (signer("all"), signer("other"));
    (bridge, all, other)
}

/// It is answered as a call, so what is forged is refused for what was changed.
#[track_caller]
fn accepted(what: &str, signer: &Signer, request: &Raw) {
    let reply = request.send(&signer.authority);
    assert_eq!((reply.status(), &reply.json()["result"]), (200, &5.into()), "{what}: {}", reply.text);
}

/// It is refused in time, with that code.
#[track_caller]
fn refused(what: &str, signer: &Signer, request: &Raw, code: &str) {
    let reply = request.send(&signer.authority);
    let status = reply.status();
    assert!(status == 0 && request.ends || (400..500).contains(&status), "{what}: {}", reply.text);
    assert!(reply.took < LONG, "{what}: {:?}", reply.took);
    if code == table::WHATEVER {
        return;
    }
    assert_eq!((status, reply.code().as_str()), (401, code), "{what}: {}", reply.text);
    let time = reply.json()["server_time"].as_i64().unwrap_or_default();
    assert!((now() - 60..=now() + 60).contains(&time), "{what}: {}", reply.text);
    let head = reply.text.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(head.contains("www-authenticate: signature") && head.contains("accept-signature: "), "{what}: {head}");
}

#[test]
fn no_forged_request_is_accepted() {
    let (bridge, signer, other) = bridge();
    for (what, genuine) in table::genuine(&signer) {
        accepted(what, &signer, &genuine);
    }
    let forged = table::forged(&signer, &other);
    assert!(forged.len() >= 60, "{}", forged.len());
    for (what, code, request) in &forged {
        refused(what, &signer, request, code);
    }
    accepted("afterwards", &signer, &signer.good());
    assert_eq!(bridge.generation("scalars"), 1);
}

#[test]
fn what_was_used_is_refused_under_any_label_and_spelling() {
    let (_bridge, signer, _) = bridge();
    let used = signer.good();
    accepted("the first time", &signer, &used);
    let unpadded = used.clone().edit("signature", |value| value.replace('=', "").replace("sig1", "sig1="));
    let label = |request: Raw, name: &str| request.edit(name, |value| value.replace("sig1", "again"));
    let relabelled = label(label(used.clone(), "signature"), "signature-input");
    let decorated = used.clone().edit("signature", |value| format!("{value};x=1, y=2"));
    for (what, again) in [
        ("as it was", &used),
        ("with its base64 without padding", &unpadded),
        ("under another label", &relabelled),
        ("with more in the header", &decorated),
    ] {
        refused(what, &signer, again, "signature_replayed");
    }
}

#[test]
fn a_replay_is_noticed_after_a_restart() {
    // A port of its own, because the signature is for one.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (mut bridge, signer, _) = bridge_at(&port.to_string());
    let (graceful, killed) = (signer.good(), signer.good());
    accepted("before", &signer, &graceful);
    bridge.restart();
    refused("after a graceful end", &signer, &graceful, "signature_replayed");
    accepted("in the second life", &signer, &killed);
    // What was used in the last 50 ms may be lost.
    std::thread::sleep(Duration::from_secs(1));
    bridge.kill();
    bridge.restart();
    refused("after it was killed", &signer, &killed, "signature_replayed");
    refused("after two restarts", &signer, &graceful, "signature_replayed");
}

#[test]
fn no_changed_byte_of_a_signature_is_accepted() {
    let (_bridge, signer, _) = bridge();
    for name in ["signature-input", "signature", "content-digest"] {
        let length = signer.good().text(name).len();
        for at in 0..length {
            let mut request = signer.good();
            let header = request.headers.iter_mut().find(|(own, _)| own == name).unwrap();
            header.1[at] = match header.1[at] {
                b'z' => b'y',
                // At the end of base64 `z` differs from it in bits that mean nothing.
                b'w' => b'A',
                _ => b'z',
            };
            let reply = request.send(&signer.authority);
            assert_eq!(reply.status(), 401, "{name} at {at} of {length}: {}", reply.text);
        }
    }
}

#[test]
fn no_changed_byte_of_the_message_is_accepted() {
    let (_bridge, signer, _) = bridge();
    for at in 1..ECHO.len() {
        let mut target = ECHO.as_bytes().to_vec();
        target[at] = if target[at] == b'x' { b'y' } else { b'x' };
        let request = signer.good().to(String::from_utf8(target).unwrap());
        assert!([401, 404].contains(&request.send(&signer.authority).status()), "{}", request.target);
    }
    for at in 0..BODY.len() {
        let mut request = signer.good();
        request.body[at] ^= 1;
        refused(&format!("byte {at} of the body"), &signer, &request, "digest_mismatch");
    }
}

#[test]
fn refusals_say_nothing_that_a_stranger_may_not_know() {
    let (_bridge, signer, _) = bridge();
    // Somebody without the key does not learn whether time or body would have been right.
    let stranger = Signer { secret: vec![1; 32], authority: signer.authority.clone(), id: signer.id.clone() };
    let wrong = stranger.good();
    let stale = stranger.signed(|draft| draft.set("created", "1"));
    let swapped = stranger.good().carrying("{\"value\": 6}");
    let details: Vec<String> = [wrong, stale, swapped]
        .iter()
        .map(|request| {
            let reply = request.send(&signer.authority);
            assert_eq!(reply.code(), "signature_invalid", "{}", reply.text);
            reply.json()["detail"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(details.iter().all(|detail| *detail == details[0]), "{details:?}");
    let expected = signer.good().text("signature").replace("sig1=:", "").replace(':', "");
    assert!(!details[0].contains(&expected) && !details[0].contains(&digest(BODY.as_bytes())), "{}", details[0]);
}
