//! Server-sent events (WHATWG HTML, section 9.2), read as they come.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number; `None` where it has none.
    pub id: Option<u64>,
    /// Its id as it came; empty where it has none.
    pub place: String,
    /// Its name; empty where it has none.
    pub name: String,
    /// The document that it carries.
    pub data: Value,
}

/// A stream of events that is open.
#[derive(Debug)]
pub struct Events {
    lines: BufReader<TcpStream>,
    what: String,
    /// The last id that came.
    place: Option<String>,
}

impl Events {
    /// Asks for the stream at `target`, from the one after the event `last` where that is given.
    pub fn open(client: &Client, target: &str, last: Option<u64>) -> Self {
        let last = last.map(|id| ("Last-Event-ID".to_owned(), id.to_string()));
        Self::open_with(client, target, last.as_slice())
    }

    /// Asks for the stream at `target`, with these headers.
    pub fn open_with(client: &Client, target: &str, headers: &[(String, String)]) -> Self {
        let authority = client.authority();
        let mut stream = TcpStream::connect(authority).expect("the gateway accepts connections");
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        // HTTP/1.0, so that the body is the events and nothing around them.
        write!(stream, "GET {target} HTTP/1.0\r\nHost: {authority}\r\nAccept: text/event-stream\r\n{headers}\r\n")
            .expect("the request can be sent");
        let mut events = Self { lines: BufReader::new(stream), what: target.to_owned(), place: None };
        let limit = Instant::now() + Duration::from_secs(10);
        let status = events.line(limit);
        assert!(status.contains(" 200 "), "{target} answered {status}");
        let mut is_stream = false;
        loop {
            let header = events.line(limit).to_ascii_lowercase();
            if header.is_empty() {
                assert!(is_stream, "{target} is no stream of events");
                return events;
            }
            is_stream |= header.starts_with("content-type: text/event-stream");
        }
    }

    /// The next event, which must come within so many seconds.
    pub fn next(&mut self, seconds: u64) -> Event {
        let limit = Instant::now() + Duration::from_secs(seconds);
        let (mut id, mut name, mut data, mut place) = (None, String::new(), String::new(), String::new());
        loop {
            let line = self.line(limit);
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => {
                    id = value.parse().ok();
                    value.clone_into(&mut place);
                    self.place = Some(value.to_owned());
                }
                "event" => value.clone_into(&mut name),
                "data" => data.push_str(value),
                "" if line.is_empty() && !data.is_empty() => break,
                // A comment, or a field that is of no interest.
                _ => {}
            }
        }
        let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{}: {error}: {data}", self.what));
        Event { id, place, name, data }
    }

    /// The next event of that name, which must come within so many seconds; others may come before.
    pub fn next_of(&mut self, seconds: u64, name: &str) -> Event {
        let limit = Instant::now() + Duration::from_secs(seconds);
        loop {
            let left = limit.saturating_duration_since(Instant::now()).as_secs();
            let event = self.next(left.max(1));
            if event.name == name {
                return event;
            }
        }
    }

    /// The id from which whoever comes back goes on, where the stream begins with one.
    pub fn place(&mut self) -> String {
        let limit = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(place) = &self.place {
                return place.clone();
            }
            let line = self.line(limit);
            self.place = line.strip_prefix("id: ").map(str::to_owned);
        }
    }

    /// A line without its end.
    fn line(&mut self, limit: Instant) -> String {
        let left = limit.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.lines.get_ref().set_read_timeout(Some(left)).expect("a time-out can be set");
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => panic!("{}: the stream has ended", self.what),
            Ok(_) => line.trim_end_matches(['\r', '\n']).to_owned(),
            Err(error) => panic!("{}: nothing came in time ({error})", self.what),
        }
    }
}
