//! The parts of a form (`multipart/form-data`, RFC 7578) whose files are buffers.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bridge32_signature::{BodyDigest, Digested};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use hyper::body::Body;
use multer::{Field, Multipart};

use super::receive::{ReceiveError, Source, Values};
use super::spool::Spool;
use super::{Folder, Value};

/// The part with the arguments that are no buffers.
const ARGS: &str = "args";

/// The most bytes of that part: what is large is a buffer.
const MOST_ARGS: usize = 1 << 20;

/// No function has more buffers.
const MOST_PARTS: usize = 64;

/// So much may come without a part's data in it: the heads of parts, and what stands before the first of them.
const MOST_BETWEEN: usize = 1 << 20;

/// Takes the parts of a body.
///
/// # Errors
/// They cannot be told from each other, one comes twice, or whatever goes wrong with a body.
pub(super) async fn receive<B>(
    folder: &Arc<Folder>,
    boundary: String,
    source: Source<B>,
) -> Result<(Values, Digested), ReceiveError>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let shared = Arc::new(Mutex::new(Feed { source, is_due: false, unanswered: 0 }));
    let mut parts = Multipart::new(Pieces(Arc::clone(&shared)), boundary);
    let (mut buffers, mut args) = (Vec::new(), None);
    while let Some(part) = parts.next_field().await.map_err(wrong)? {
        let name = part.name().map(str::to_owned).ok_or_else(|| ReceiveError::Parts(UNNAMED.to_owned()))?;
        if buffers.iter().any(|(other, _)| *other == name) || (name == ARGS && args.is_some()) {
            return Err(ReceiveError::Parts(format!("the part `{name}` comes twice")));
        }
        if name == ARGS {
            args = Some(text(part, &shared).await?);
            continue;
        }
        if buffers.len() == MOST_PARTS {
            return Err(ReceiveError::Parts(format!("it has more than {MOST_PARTS} parts")));
        }
        buffers.push((name, buffer(folder, part, &shared).await?));
    }
    drop(parts);
    // What may follow the last part belongs to the body, too.
    let mut rest = Pieces(Arc::clone(&shared));
    while let Some(piece) = rest.next().await {
        piece?;
        answered(&shared);
    }
    let digest = lock(&shared).source.digest.take().unwrap_or_default();
    Ok((Values::Parts { buffers, args }, digest.finish()))
}

const UNNAMED: &str = "a part has no name: each is named as the parameter whose value it is, as in `Content-Disposition: form-data; \
                       name=\"buf\"`";

async fn buffer<B>(folder: &Arc<Folder>, mut part: Field<'_>, shared: &Mutex<Feed<B>>) -> Result<Value, ReceiveError> {
    let mut spool = Spool::new(folder, BodyDigest::default());
    while let Some(piece) = part.chunk().await.map_err(wrong)? {
        answered(shared);
        spool.push(piece).await?;
    }
    Ok(spool.finish().await?.0)
}

async fn text<B>(mut part: Field<'_>, shared: &Mutex<Feed<B>>) -> Result<Bytes, ReceiveError> {
    let mut text = Vec::new();
    while let Some(piece) = part.chunk().await.map_err(wrong)? {
        answered(shared);
        text.extend_from_slice(&piece);
        if text.len() > MOST_ARGS {
            let detail =
                format!("the part `{ARGS}` has more than {MOST_ARGS} bytes; large buffers are parts of their own");
            return Err(ReceiveError::Parts(detail));
        }
    }
    Ok(text.into())
}

/// What is wrong with the parts, or with the body that they come in.
fn wrong(error: multer::Error) -> ReceiveError {
    match error {
        multer::Error::StreamReadFailed(error) => match error.downcast::<ReceiveError>() {
            Ok(error) => *error,
            Err(error) => ReceiveError::Broken(error),
        },
        error => ReceiveError::Parts(format!("its parts cannot be read: {error}")),
    }
}

/// What gives pieces of a body as they are asked for, and no faster: the reader of parts takes all that is there at once.
struct Feed<B> {
    source: Source<B>,
    /// The last thing that was given was a piece, which is to be looked at first.
    is_due: bool,
    /// The bytes that were given since anything came of them.
    unanswered: usize,
}

struct Pieces<B>(Arc<Mutex<Feed<B>>>);

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> Stream for Pieces<B> {
    type Item = Result<Bytes, ReceiveError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut feed = lock(&self.0);
        if std::mem::take(&mut feed.is_due) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = feed.source.poll_piece(context);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            feed.is_due = true;
            feed.unanswered += piece.len();
            if feed.unanswered > MOST_BETWEEN {
                let detail =
                    format!("the head of a part, or what stands before the first, has more than {MOST_BETWEEN} bytes");
                return Poll::Ready(Some(Err(ReceiveError::Parts(detail))));
            }
        }
        next
    }
}

/// Something has come of what was given.
fn answered<B>(shared: &Mutex<Feed<B>>) {
    lock(shared).unanswered = 0;
}

fn lock<B>(shared: &Mutex<Feed<B>>) -> std::sync::MutexGuard<'_, Feed<B>> {
    // Whole between any two statements.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use bridge32_protocol::wire::LARGEST_INLINE;
    use http::HeaderMap;
    use http_body_util::StreamBody;

    use super::super::folder::tests::{files, folder};
    use super::super::receive::{Kind, receive};
    use super::*;

    fn part(name: &str, content: &[u8]) -> Vec<u8> {
        let head = format!("--x9\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    }

    async fn values(body: &[u8], pieces: usize) -> (usize, Result<(Values, Digested), ReceiveError>) {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let frames: Vec<_> = body
            .chunks(pieces)
            .map(|piece| Ok::<_, std::convert::Infallible>(hyper::body::Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let received = receive(&folder, Kind::Parts("x9".into()), &HeaderMap::new(), body, 1 << 30).await;
        let files = files(place.path());
        (files, received.map(|(received, digested)| (received.values, digested)))
    }

    #[tokio::test]
    async fn parts_are_buffers_and_the_digest_is_that_of_the_whole_body() {
        let large = vec![b'-'; LARGEST_INLINE + 7];
        let body =
            [part("src", &large), part("args", b"{\"n\":1}"), part("key", b"\r\n--x"), b"--x9--\r\nrest".to_vec()]
                .concat();
        for pieces in [7, 4096, body.len()] {
            let (files, taken) = values(&body, pieces).await;
            let (values, digested) = taken.unwrap();
            let Values::Parts { buffers, args } = values else { panic!("they were parts") };
            assert_eq!((files, buffers.len(), args.as_deref()), (1, 2, Some(&b"{\"n\":1}"[..])));
            assert!(
                matches!(&buffers[0], (name, Value::File(_, digest)) if name == "src" && digest.bytes == large.len() as u64)
            );
            assert!(matches!(&buffers[1], (name, Value::Inline(bytes)) if name == "key" && bytes == "\r\n--x"));
            let mut whole = BodyDigest::default();
            whole.update(&body);
            assert_eq!(digested, whole.finish());
        }
    }

    #[tokio::test]
    async fn what_are_no_parts_is_refused() {
        let end = b"--x9--\r\n";
        let refused = async |body: &[u8]| match values(body, 1000).await.1 {
            Err(ReceiveError::Parts(why)) => why,
            other => panic!("{other:?}"),
        };
        let twice = [part("a", b"1"), part("a", b"2"), end.to_vec()].concat();
        assert!(refused(&twice).await.contains("`a` comes twice"));
        let twice = [part("args", b"1"), part("args", b"2"), end.to_vec()].concat();
        assert!(refused(&twice).await.contains("`args` comes twice"));
        assert!(refused(&part("a", b"1")).await.contains("cannot be read"));
        assert!(refused(b"--x9\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x9--\r\n").await.contains("no name"));
        let many: Vec<u8> = (0..=MOST_PARTS).flat_map(|n| part(&format!("p{n}"), b"")).chain(*end).collect();
        assert!(refused(&many).await.contains("more than 64 parts"));
        let args = [part("args", &vec![b' '; MOST_ARGS + 1]), end.to_vec()].concat();
        assert!(refused(&args).await.contains("large buffers are parts of their own"));
        let head = [b"--x9\r\nX: ".to_vec(), vec![b'x'; MOST_BETWEEN + 1]].concat();
        assert!(refused(&head).await.contains("head of a part"));
    }
}
