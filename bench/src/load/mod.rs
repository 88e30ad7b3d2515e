//! A client that costs as little as it can, for measuring servers on the machine that it runs on: one thread, any number of
//! connections, each of which sends its next request when the answer to the one before is whole. What it sends was made before.

mod connection;
mod requests;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

pub(crate) use requests::{Post, Requests};

use connection::Connection;

/// Microseconds that a call may take at most to be told from others.
const LONGEST_US: u64 = 60_000_000;

/// What a round has found.
#[derive(Debug)]
pub(crate) struct Round {
    /// Answers that came.
    pub(crate) answers: u64,
    /// In so many seconds.
    pub(crate) seconds: f64,
    /// The tenths of microseconds that each took.
    latencies: Histogram<u64>,
}

impl Round {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.seconds
    }

    /// The microseconds in which so many of a hundred answers came.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64 / 10.0
    }
}

/// Calls over so many connections until the time is over, or there are no more requests.
///
/// # Errors
/// A connection ends, or an answer is none of status 200.
pub(crate) fn run(address: SocketAddr, connections: usize, requests: &Requests, time: Duration) -> io::Result<Round> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(connections.max(8));
    let mut open = Vec::with_capacity(connections);
    for number in 0..connections {
        let mut connection = Connection::open(address)?;
        poll.registry().register(&mut connection.stream, Token(number), Interest::READABLE.add(Interest::WRITABLE))?;
        open.push(connection);
    }
    let mut latencies = Histogram::new_with_max(LONGEST_US * 10, 3).map_err(io::Error::other)?;
    let mut numbers = 0..requests.len();
    let began = Instant::now();
    let end = began + time;
    let mut running = 0;
    for connection in &mut open {
        if let Some(number) = numbers.next() {
            connection.begin(number, Instant::now());
            connection.write(requests)?;
            running += 1;
        }
    }
    let (mut answers, mut last) = (0, began);
    while running > 0 {
        poll.poll(&mut events, None)?;
        for event in &events {
            let connection = &mut open[event.token().0];
            if event.is_writable() {
                connection.write(requests)?;
            }
            while connection.read()? {
                last = Instant::now();
                let took = last.duration_since(connection.began);
                answers += 1;
                latencies.saturating_record(u64::try_from(took.as_nanos() / 100).unwrap_or(u64::MAX));
                match numbers.next().filter(|_| last < end) {
                    Some(number) => {
                        connection.begin(number, last);
                        connection.write(requests)?;
                    }
                    None => running -= 1,
                }
            }
        }
    }
    Ok(Round { answers, seconds: last.duration_since(began).as_secs_f64(), latencies })
}
