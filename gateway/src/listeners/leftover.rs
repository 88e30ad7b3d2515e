//! What is left of a body when its request has been answered: a client that is still sending must come to read the
//! answer. A connection that is closed with bytes unread is reset, and many clients then tell of the reset alone.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// For more of it to come.
const SILENCE: Duration = Duration::from_secs(2);
/// For all of it.
const LONGEST: Duration = Duration::from_secs(30);

/// A body whose rest is read and thrown away when nobody wants it any more.
#[derive(Debug)]
pub(super) struct Leftover<B: Body<Data = Bytes> + Send + Unpin + 'static> {
    body: Option<B>,
    /// Whether the client has begun to send: one that asked (`Expect: 100-continue`) may take a refusal for the answer and
    /// send nothing, and reading would invite it.
    begun: bool,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Leftover<B> {
    pub(super) fn new(body: B, asks_first: bool) -> Self {
        Self { body: Some(body), begun: !asks_first }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for Leftover<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        match &frame {
            Poll::Ready(Some(Ok(_))) => self.begun = true,
            Poll::Ready(None | Some(Err(_))) => self.body = None,
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for Leftover<B> {
    fn drop(&mut self) {
        if let Some(body) = self.body.take_if(|body| self.begun && !body.is_end_stream())
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(timeout(LONGEST, discard(body)));
        }
    }
}

async fn discard(mut body: impl Body<Data = Bytes> + Unpin) {
    while let Ok(Some(Ok(_))) = timeout(SILENCE, body.frame()).await {}
}
