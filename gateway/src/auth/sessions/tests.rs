//! How links, passwords, sessions and cookies play together.

use std::time::Duration;

use axum::http::Request;
use axum::http::header::{COOKIE, HOST};

use super::*;
use base64::Engine as _;

use crate::auth::keys::Keys;

const JAR: Jar = Jar::new(8032, false);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn sessions(password: Option<&str>) -> Sessions {
    let password = password.map(|text| Password::parse(&Password::hash(text).unwrap()).unwrap());
    Sessions::new(&DashboardConfig { password, session: Duration::from_hours(12) })
}

/// A `Cookie` header that gives back what `Set-Cookie` headers have set.
fn cookies(set: &[&HeaderValue]) -> HeaderMap {
    let pairs: Vec<&str> = set.iter().map(|line| line.to_str().unwrap().split(';').next().unwrap()).collect();
    HeaderMap::from_iter([(COOKIE, pairs.join("; ").parse().unwrap())])
}

fn request(host: &str, headers: HeaderMap) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers = headers;
    parts.headers.insert(HOST, host.parse().unwrap());
    parts
}

#[test]
fn a_session_begins_with_a_link_and_ends_with_leaving() {
    let sessions = sessions(None);
    let link = sessions.invite_admin().unwrap();
    assert!(sessions.knows_link(link.as_str()));
    let grant = sessions.by_link(link.as_str()).unwrap();
    assert_eq!(sessions.by_link(link.as_str()).unwrap_err().code(), Code::SignInFailed);
    let headers = cookies(&[&sessions.enter(grant, &HeaderMap::new(), JAR).unwrap()]);
    let session = sessions.of_request(&Auth::Off, &request("127.0.0.1:8032", headers.clone())).unwrap().unwrap();
    assert_eq!(session.grant.owner, "admin");
    let elsewhere = request("localhost:80", headers.clone());
    assert!(sessions.of_request(&Auth::Off, &elsewhere).unwrap().is_none(), "of another port");
    sessions.leave(&headers, JAR).unwrap();
    let ended = sessions.of_request(&Auth::Off, &request("127.0.0.1:8032", headers)).unwrap_err();
    assert_eq!(ended.code(), Code::SessionEnded);
}

#[test]
fn a_signed_request_is_not_the_sessions() {
    let sessions = sessions(None);
    let mut headers = cookies(&[&sessions.enter(Grant::everything("a"), &HeaderMap::new(), JAR).unwrap()]);
    headers.insert("signature-input", "sig1=()".parse().unwrap());
    assert!(sessions.of_request(&Auth::Off, &request("127.0.0.1:8032", headers)).unwrap().is_none());
}

/// Session fixation: an id that somebody has put into a browser is not the one that its owner's sign-in makes good.
#[test]
fn signing_in_gives_a_new_id_and_ends_the_old_one() {
    let sessions = sessions(None);
    let old = sessions.enter(Grant::everything("thief"), &HeaderMap::new(), JAR).unwrap();
    let new = sessions.enter(Grant::everything("owner"), &cookies(&[&old]), JAR).unwrap();
    assert_ne!(old, new);
    assert!(sessions.find(&Auth::Off, &cookies(&[&old]), JAR).is_none());
    assert_eq!(sessions.find(&Auth::Off, &cookies(&[&new]), JAR).unwrap().grant.owner, "owner");
}

#[test]
fn a_session_that_was_slipped_in_beside_ones_own_opens_nothing() {
    let sessions = sessions(None);
    let one = sessions.enter(Grant::everything("one"), &HeaderMap::new(), JAR).unwrap();
    let other = sessions.enter(Grant::everything("other"), &HeaderMap::new(), JAR).unwrap();
    assert!(sessions.find(&Auth::Off, &cookies(&[&one, &other]), JAR).is_none());
    assert!(sessions.find(&Auth::Off, &cookies(&[&one, &one]), JAR).is_some());
    let stale = HeaderValue::from_str(&format!("bridge32-8032={}", "A".repeat(43))).unwrap();
    assert!(sessions.find(&Auth::Off, &cookies(&[&stale, &one]), JAR).is_some(), "a stale one does no harm");
}

/// What a gateway has with one key.
fn with_key(id: &str, secret: u8, scope: &str) -> Auth {
    let secret = base64::engine::general_purpose::STANDARD.encode([secret; 32]);
    Auth::Hmac(Arc::new(Keys::of_text(&format!("[[key]]\nid='{id}'\nsecret='{secret}'\nscopes=['{scope}']"))))
}

#[test]
fn a_session_goes_with_the_key_that_asked_for_its_link() {
    let sessions = sessions(None);
    let auth = with_key("ci", 1, "read");
    let Auth::Hmac(keys) = &auth else { panic!("there are keys") };
    let grant = Grant { key: keys.current().get("ci").cloned(), ..Grant::everything("ci") };
    let enter = |grant: &Grant| cookies(&[&sessions.enter(grant.clone(), &HeaderMap::new(), JAR).unwrap()]);
    let own = enter(&Grant::everything("ci"));
    for (what, changed) in [
        ("it is gone", with_key("other", 1, "read")),
        ("it has another secret", with_key("ci", 2, "read")),
        ("it allows something else", with_key("ci", 1, "call:a")),
    ] {
        let of_key = enter(&grant);
        assert!(sessions.find(&auth, &of_key, JAR).is_some());
        assert!(sessions.find(&with_key("ci", 1, "read"), &of_key, JAR).is_some(), "the file was read again");
        assert!(
            sessions.find(&changed, &own, JAR).is_some() && sessions.find(&changed, &of_key, JAR).is_none(),
            "{what}"
        );
        let ended = sessions.of_request(&auth, &request("127.0.0.1:8032", of_key)).unwrap_err();
        assert_eq!(ended.code(), Code::SessionEnded, "{what}: for good");
    }
}

#[test]
fn a_form_counts_in_the_browser_that_it_was_shown_to() {
    let sessions = sessions(None);
    let (token, cookie) = sessions.form(&HeaderMap::new(), JAR).unwrap();
    let (foreign, _) = sessions.form(&HeaderMap::new(), JAR).unwrap();
    let headers = cookies(&[&cookie.unwrap()]);
    assert!(sessions.check_form(&headers, JAR, token.as_str()).is_ok());
    for token in [foreign.as_str(), "", "x"] {
        let refused = sessions.check_form(&headers, JAR, token).unwrap_err();
        assert_eq!(refused.code(), Code::CsrfTokenInvalid);
    }
    assert!(sessions.check_form(&HeaderMap::new(), JAR, token.as_str()).is_err());
    let (again, cookie) = sessions.form(&headers, JAR).unwrap();
    assert!(again.is(token.as_str()) && cookie.is_none(), "two windows of one browser have the same");
    let mut headers = headers;
    headers.insert("sec-fetch-site", "same-site".parse().unwrap());
    assert_eq!(sessions.check_form(&headers, JAR, token.as_str()).unwrap_err().code(), Code::Forbidden);
}

#[tokio::test]
async fn passwords_are_looked_at_until_there_were_too_many_wrong_ones() {
    let sessions = sessions(Some("correct horse"));
    assert_eq!(sessions.by_password("correct horse".into(), HERE).await.unwrap().owner, "admin");
    for _ in 0..3 {
        let wrong = sessions.by_password("battery staple".into(), HERE).await.unwrap_err();
        assert_eq!(wrong.code(), Code::SignInFailed);
    }
    let locked = sessions.by_password("correct horse".into(), HERE).await.unwrap_err();
    assert_eq!(locked.code(), Code::SignInLocked, "even the right one has to wait");
    assert!(locked.detail().contains(" s. A link"), "{}", locked.detail());
    assert!(sessions.by_link(sessions.invite_admin().unwrap().as_str()).is_ok(), "links are not held up");
}

#[tokio::test]
async fn many_passwords_at_once_are_not_all_looked_at() {
    let sessions = Arc::new(sessions(Some("correct horse")));
    let ask = |_| {
        let sessions = Arc::clone(&sessions);
        tokio::spawn(async move { sessions.by_password("wrong".into(), HERE).await.unwrap_err().code() })
    };
    let asked: Vec<_> = (0..50).map(ask).collect();
    let mut looked_at = 0;
    for answer in asked {
        looked_at += usize::from(answer.await.unwrap() == Code::SignInFailed);
    }
    assert_eq!(looked_at, 3, "the attempts that are free");
}

#[tokio::test]
async fn without_a_password_none_is_right() {
    let refused = sessions(None).by_password(String::new(), HERE).await.unwrap_err();
    assert_eq!(refused.code(), Code::SignInFailed);
    assert!(!sessions(None).has_password() && sessions(Some("correct horse")).has_password());
}
