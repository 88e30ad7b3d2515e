//! Requests byte by byte, for what a proper HTTP client would never send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Sends `request` and gives the whole answer, head and body.
pub fn exchange(authority: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(authority).expect("the gateway accepts connections");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out can be set");
    stream.write_all(request.as_bytes()).expect("the request can be sent");
    let mut answer = Vec::new();
    // A server that is done with us may also reset the connection; what came before counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A `GET` with these header lines and no others.
pub fn get(authority: &str, target: &str, headers: &[&str]) -> String {
    let start = format!("GET {target} HTTP/1.1");
    let lines: Vec<&str> = [start.as_str()].into_iter().chain(headers.iter().copied()).collect();
    exchange(authority, &format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n")))
}
