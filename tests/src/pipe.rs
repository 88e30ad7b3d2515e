//! One connection that carries request after request, for callers that are to cost as little as they can.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A connection to a gateway that wants no signatures.
#[derive(Debug)]
pub struct Pipe {
    stream: BufReader<TcpStream>,
    authority: String,
}

impl Pipe {
    /// Opens it.
    ///
    /// # Errors
    /// Nobody accepts it.
    pub fn open(authority: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::new(stream), authority: authority.to_owned() })
    }

    /// Sends a JSON body and waits for the answer: its status and its body. `None` if the connection ends before it is whole.
    pub fn post(&mut self, target: &str, body: &str) -> Option<(u16, Value)> {
        let Self { stream, authority } = self;
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.get_mut().write_all(head.as_bytes()).ok()?;
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some((status, serde_json::from_slice(&body).ok()?))
    }
}
