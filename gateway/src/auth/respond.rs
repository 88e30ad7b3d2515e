//! Answers that are signed because their request asks for it (`Accept-Signature`, RFC 9421 §5), with the key of the request.

use axum::body::{Body, HttpBody as _};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use bridge32_signature::{Key, Request as Covered, Wanted};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use jiff::Timestamp;

use crate::error::{Code, Problem};

/// How the answer to one request is to be signed.
#[derive(Debug)]
pub(super) struct Answer {
    key: Key,
    wanted: Vec<Wanted>,
    /// The answer will be sent without its body.
    head_only: bool,
}

impl Answer {
    /// What a believed request asks for, if it does. It is read before anything happens: what cannot be signed must not
    /// have had an effect.
    ///
    /// # Errors
    /// It asks for what no answer can cover.
    pub(super) fn asked(key: &Key, request: &Covered<'_>, parts: &Parts) -> Result<Option<Self>, Problem> {
        let wanted = Wanted::read(key, request, &parts.headers)
            .map_err(|error| Problem::new(Code::MalformedRequest, format!("Accept-Signature: {error}.")))?;
        let head_only = parts.method == Method::HEAD;
        Ok((!wanted.is_empty()).then(|| Self { key: key.clone(), wanted, head_only }))
    }

    /// Signs the answer.
    ///
    /// # Errors
    /// It is a stream: nobody knows its digest before its end.
    pub(super) async fn sign(self, response: Response) -> Result<Response, Problem> {
        let (mut parts, body) = response.into_parts();
        if body.size_hint().exact().is_none() {
            let detail = "Accept-Signature: a stream cannot be signed. Leave the header out here.";
            return Err(Problem::new(Code::MalformedRequest, detail));
        }
        let body = body.collect().await.map_err(Problem::internal)?.to_bytes();
        let sent = if self.head_only { Bytes::new() } else { body.clone() };
        let now = Timestamp::now().as_second();
        Wanted::sign(&self.wanted, &self.key, parts.status.as_u16(), &mut parts.headers, &sent, now)
            .map_err(Problem::internal)?;
        Ok(Response::from_parts(parts, Body::from(body)))
    }
}
