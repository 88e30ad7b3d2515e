//! `Bridge-Session`: the session that a request about a library belongs to.

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::dispatch::Sender;
use crate::error::{Code, Problem};
use crate::libraries::Library;

/// The token that opens a session.
pub(super) const HEADER: &str = "bridge-session";

/// Whom a request about a library is for: the library, and for whom its calls are made.
pub(super) type Addressee = (Arc<Library>, Sender);

/// The library of that name, as it is now; for a request of a session, as it was when that began. The session is in use for
/// as long as what is given is kept.
///
/// # Errors
/// There is no such library or no such session, or the one does not belong to the other.
pub(super) fn addressed(
    bridge: &Bridge,
    caller: &Caller,
    headers: &HeaderMap,
    library: &str,
) -> Result<Addressee, Problem> {
    let sender = Sender { witness: Some(bridge.witness()), ..caller.sender() };
    let Some(token) = token(headers)? else { return Ok((bridge.library(library)?, sender)) };
    let (library, pin) = bridge.library_sessions.carried(token, caller.owner(), library)?;
    Ok((library, Sender { session: Some(pin), ..sender }))
}

fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        // What is no text is no session's id, either.
        (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default())),
        (Some(_), Some(_)) => {
            let detail = "`Bridge-Session` is there twice: a request belongs to one session. Nothing was run.";
            Err(Problem::new(Code::MalformedRequest, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_request_belongs_to_one_session_or_to_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(token(&headers).unwrap(), None);
        headers.append(HEADER, HeaderValue::from_static("abc"));
        assert_eq!(token(&headers).unwrap(), Some("abc"));
        headers.append(HEADER, HeaderValue::from_static("abc"));
        assert_eq!(token(&headers).unwrap_err().code(), Code::MalformedRequest);
        headers.insert(HEADER, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(token(&headers).unwrap(), Some(""));
    }
}
