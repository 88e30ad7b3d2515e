//! Answers that are signed because their request asks for it (`Accept-Signature`, RFC 9421 §5), with the key of the request.

use axum::body::{Body, HttpBody as _};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use bridge32_signature::{BodyDigest, Digested, Key, Request as Covered, Wanted};
use http_body_util::BodyExt as _;
use jiff::Timestamp;

use crate::bulk::Content;
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
        let (mut parts, mut body) = response.into_parts();
        let digested = match parts.extensions.get::<Content>() {
            // It is not in memory, and is not to be.
            Some(content) => content.digest().await.map_err(Problem::internal)?,
            None if body.size_hint().exact().is_none() => {
                let detail = "Accept-Signature: a stream cannot be signed. Leave the header out here.";
                return Err(Problem::new(Code::MalformedRequest, detail));
            }
            None => {
                let whole = body.collect().await.map_err(Problem::internal)?.to_bytes();
                body = Body::from(whole.clone());
                digested(if self.head_only { b"" } else { &whole })
            }
        };
        let now = Timestamp::now().as_second();
        Wanted::sign(&self.wanted, &self.key, parts.status.as_u16(), &mut parts.headers, &digested, now)
            .map_err(Problem::internal)?;
        Ok(Response::from_parts(parts, body))
    }
}

fn digested(body: &[u8]) -> Digested {
    let mut digest = BodyDigest::default();
    digest.update(body);
    digest.finish()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::Request;
    use axum::response::IntoResponse as _;
    use bridge32_signature::content_digest;
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    /// What a request of that method asks for.
    fn asked(method: &str, wanted: &str) -> Result<Option<Answer>, Problem> {
        let request = Request::builder().method(method).header("accept-signature", wanted).body(()).unwrap();
        let covered = Covered { method, scheme: "http", authority: "127.0.0.1:8032", target: "/" };
        Answer::asked(&Key::new("k", &[7; 32]).unwrap(), &covered, &request.into_parts().0)
    }

    #[tokio::test]
    async fn an_answer_has_the_digest_of_what_is_sent() {
        for (method, sent) in [("GET", "text"), ("HEAD", "")] {
            let answer = asked(method, "a=(\"@status\" \"content-digest\")").unwrap().unwrap();
            let response = answer.sign("text".into_response()).await.unwrap();
            assert_eq!(response.headers()["content-digest"], content_digest(sent.as_bytes()), "{method}");
            assert!(
                response.headers()["signature-input"]
                    .to_str()
                    .unwrap()
                    .starts_with("a=(\"@status\" \"content-digest\");")
            );
            // What a HEAD leaves out is left out later.
            assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "text");
        }
    }

    #[tokio::test]
    async fn a_stream_is_not_signed() {
        let answer = asked("GET", "a=(\"@status\")").unwrap().unwrap();
        let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let problem = answer.sign(endless.into_response()).await.unwrap_err();
        assert!(
            problem.code() == Code::MalformedRequest && problem.detail().contains("stream"),
            "{}",
            problem.detail()
        );
    }

    #[test]
    fn who_asks_for_nothing_gets_nothing() {
        assert!(asked("GET", "").unwrap().is_none());
        assert!(asked("GET", "a").unwrap_err().detail().starts_with("Accept-Signature: it has no list"));
    }
}
