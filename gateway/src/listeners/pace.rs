//! A body must keep coming: who sends one byte now and then would hold a connection, and the memory behind it, for good.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// For any body, however short.
const GRACE: Duration = Duration::from_secs(20);
/// Bytes that buy a body one more second: what a bad connection of a telephone manages.
const BYTES_A_SECOND: u64 = 64 << 10;

/// A body did not come in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooSlow;

impl TooSlow {
    /// Whether it is what an error comes from.
    pub(crate) fn is_in(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is_in)
    }
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (grace, rate) = (GRACE.as_secs(), BYTES_A_SECOND >> 10);
        write!(f, "The body came too slowly: it has {grace} s, and one more for each {rate} KiB that are there.")
    }
}

impl Error for TooSlow {}

/// A body with its clock, which starts when somebody first waits for it.
#[derive(Debug)]
pub(super) struct Paced<B> {
    body: B,
    received: u64,
    clock: Option<Clock>,
}

#[derive(Debug)]
struct Clock {
    start: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl<B> Paced<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, received: 0, clock: None }
    }

    fn poll_clock(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.get_or_insert_with(|| {
            let start = Instant::now();
            Clock { start, alarm: Box::pin(tokio::time::sleep_until(start + GRACE)) }
        });
        let deadline = clock.start + GRACE + Duration::from_millis(self.received * 1000 / BYTES_A_SECOND);
        if clock.alarm.deadline() < deadline {
            clock.alarm.as_mut().reset(deadline);
        }
        clock.alarm.as_mut().poll(context)
    }
}

impl<B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> Body for Paced<B> {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let frame = frame.transpose().map_err(Into::into)?;
            self.received += frame.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
            return Poll::Ready(frame.map(Ok));
        }
        self.poll_clock(context).map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, StreamBody};

    /// A body that comes in pieces of `bytes`, one each `pause`.
    async fn collected(pieces: usize, bytes: usize, pause: Duration) -> Result<usize, Box<dyn Error + Send + Sync>> {
        let pieces = futures_util::stream::unfold(pieces, move |left| async move {
            tokio::time::sleep(pause).await;
            let frame = Frame::data(Bytes::from(vec![0; bytes]));
            left.checked_sub(1).map(|left| (Ok::<_, std::convert::Infallible>(frame), left))
        });
        Ok(Paced::new(StreamBody::new(Box::pin(pieces))).collect().await?.to_bytes().len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_coming_may_take_long() {
        assert_eq!(collected(100, 64 << 10, Duration::from_secs(1)).await.unwrap(), 6400 << 10);
        assert_eq!(collected(3, 1, Duration::from_secs(4)).await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_ends() {
        for (pieces, bytes, pause) in [(1000, 1, 1), (1000, 1 << 10, 1), (1, 1, 100)] {
            let start = Instant::now();
            let error = collected(pieces, bytes, Duration::from_secs(pause)).await.unwrap_err();
            assert!(TooSlow::is_in(&*error), "{error}");
            assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
        }
    }

    #[test]
    fn the_reason_is_found_behind_others() {
        let error = axum::Error::new(axum::Error::new(TooSlow));
        assert!(TooSlow::is_in(&error));
        assert!(!TooSlow::is_in(&axum::Error::new(std::fmt::Error)));
    }
}
