//! What comes as a body becomes buffers: one that is all of it, or the parts of a form.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bridge32_signature::{BodyDigest, Digested};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use hyper::body::Body;

use super::spool::Spool;
use super::{Folder, Value, hexadecimal, parts};

/// How buffers come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body is one.
    One,
    /// They are parts, with what stands between them.
    Parts(String),
}

impl Kind {
    /// As the head of the request says; `None` if it is something else.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = text.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/octet-stream") {
            return Some(Self::One);
        }
        let is_form = essence.eq_ignore_ascii_case("multipart/form-data");
        is_form.then(|| multer::parse_boundary(text).ok().map(Self::Parts)).flatten()
    }
}

/// What has come.
#[derive(Clone, Debug)]
pub struct Received {
    /// The buffers.
    pub values: Values,
    /// The SHA-256 of the whole body, in hexadecimal.
    pub sha256: String,
}

/// The buffers of a body.
#[derive(Clone, Debug)]
pub enum Values {
    /// The body is one.
    One(Value),
    /// They were parts, by name; the one that is called `args` has the other arguments.
    Parts {
        /// The buffers.
        buffers: Vec<(String, Value)>,
        /// The other arguments, JSON.
        args: Option<Bytes>,
    },
}

/// Why a body could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It is too large.
    #[error("it is too large")]
    TooLarge,
    /// It did not come whole.
    #[error("{0}")]
    Broken(Box<dyn Error + Send + Sync>),
    /// Its parts are not what they should be. In words.
    #[error("{0}")]
    Parts(String),
    /// It could not be written down.
    #[error(transparent)]
    File(#[from] io::Error),
}

/// Takes a body of up to `limit` bytes.
///
/// # Errors
/// Why it could not be.
pub async fn receive<B>(
    folder: &Arc<Folder>,
    kind: Kind,
    headers: &HeaderMap,
    body: B,
    limit: u64,
) -> Result<(Received, Digested), ReceiveError>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let digest = BodyDigest::of_request(headers);
    let (values, digested) = match kind {
        Kind::One => {
            let mut spool = Spool::new(folder, digest);
            let mut source = Source { body, left: limit, digest: None };
            while let Some(piece) = std::future::poll_fn(|context| source.poll_piece(context)).await {
                spool.push(piece?).await?;
            }
            let (value, digested) = spool.finish().await?;
            (Values::One(value), digested)
        }
        Kind::Parts(boundary) => {
            let source = Source { body, left: limit, digest: Some(digest) };
            parts::receive(folder, boundary, source).await?
        }
    };
    Ok((Received { values, sha256: hexadecimal(&digested.sha256) }, digested))
}

/// The pieces of a body.
pub(super) struct Source<B> {
    body: B,
    /// How many more bytes it may have.
    left: u64,
    /// Of all that has come, where nobody else takes it.
    pub(super) digest: Option<BodyDigest>,
}

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> Source<B> {
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReceiveError>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else { return Poll::Ready(None) };
            let Ok(piece) = frame.map_err(|error| ReceiveError::Broken(error.into()))?.into_data() else { continue };
            let Some(left) = self.left.checked_sub(piece.len() as u64) else {
                return Poll::Ready(Some(Err(ReceiveError::TooLarge)));
            };
            self.left = left;
            if let Some(digest) = &mut self.digest {
                digest.update(&piece);
            }
            return Poll::Ready(Some(Ok(piece)));
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use bridge32_protocol::wire::LARGEST_INLINE;
    use http_body_util::{BodyExt as _, Full};

    use super::super::folder::tests::{files, folder};
    use super::*;

    fn headers(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(kind))])
    }

    #[test]
    fn buffers_come_as_one_or_in_parts() {
        assert_eq!(Kind::of(&headers("Application/Octet-Stream; x=y")), Some(Kind::One));
        assert_eq!(Kind::of(&headers("multipart/form-data; boundary=x")), Some(Kind::Parts("x".into())));
        for other in ["application/json", "multipart/form-data", "multipart/mixed; boundary=x", "text/plain"] {
            assert_eq!(Kind::of(&headers(other)), None, "{other}");
        }
    }

    async fn received(body: Vec<u8>, limit: u64) -> (usize, Result<(Received, Digested), ReceiveError>) {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let received = receive(&folder, Kind::One, &HeaderMap::new(), Full::new(Bytes::from(body)), limit).await;
        (files(place.path()), received)
    }

    #[tokio::test]
    async fn a_body_is_taken_up_to_the_limit() {
        let (files, taken) = received(vec![1; LARGEST_INLINE + 1], LARGEST_INLINE as u64 + 1).await;
        let (received, digested) = taken.unwrap();
        assert!(files == 1 && matches!(received.values, Values::One(Value::File(..))));
        assert_eq!(digested.bytes, LARGEST_INLINE as u64 + 1);
        assert_eq!(received.sha256, hexadecimal(&digested.sha256));
        assert!(matches!(received_error(vec![1; 11], 10).await, ReceiveError::TooLarge));
    }

    async fn received_error(body: Vec<u8>, limit: u64) -> ReceiveError {
        received(body, limit).await.1.unwrap_err()
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_none() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let pieces = [Ok(Bytes::from(vec![1; 1 << 20])), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
        let frames = futures_util::stream::iter(pieces.map(|piece| piece.map(hyper::body::Frame::data)));
        let body = http_body_util::StreamBody::new(frames).boxed();
        let error = receive(&folder, Kind::One, &HeaderMap::new(), body, 1 << 30).await.unwrap_err();
        assert!(matches!(error, ReceiveError::Broken(_)), "{error:?}");
    }
}
