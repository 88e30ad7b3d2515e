//! One connection: the request that is on its way, and as much of the answer as has come.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use super::Requests;

/// Room for most answers.
const ROOM: usize = 16 << 10;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// When the request was begun.
    pub(super) began: Instant,
    request: Option<usize>,
    written: usize,
    answer: Vec<u8>,
    /// How much of `answer` has come.
    read: usize,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        // It is made before anything is measured: it may wait.
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let stream = TcpStream::from_std(stream);
        Ok(Self { stream, began: Instant::now(), request: None, written: 0, answer: vec![0; ROOM], read: 0 })
    }

    pub(super) fn begin(&mut self, request: usize, now: Instant) {
        (self.request, self.began, self.written, self.read) = (Some(request), now, 0, 0);
    }

    /// Writes as much of the request as there is room for.
    pub(super) fn write(&mut self, requests: &Requests) -> io::Result<()> {
        let Some(number) = self.request else { return Ok(()) };
        let (head, body) = requests.parts(number);
        while self.written < head.len() + body.len() {
            let (rest_of_head, rest_of_body) =
                (&head[self.written.min(head.len())..], &body[self.written.saturating_sub(head.len())..]);
            match self.stream.write_vectored(&[IoSlice::new(rest_of_head), IoSlice::new(rest_of_body)]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; whether the answer is whole.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        if self.request.is_none() {
            return Ok(false);
        }
        loop {
            if self.read == self.answer.len() {
                self.answer.resize(self.read * 2, 0);
            }
            match self.stream.read(&mut self.answer[self.read..]) {
                Ok(0) => return Err(io::Error::other("the server has closed a connection")),
                Ok(read) => self.read += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if length(&self.answer[..self.read])?.is_some_and(|length| self.read >= length) {
                self.request = None;
                return Ok(true);
            }
        }
    }
}

/// How long the answer is in all, if its head is whole.
fn length(answer: &[u8]) -> io::Result<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|end| &answer[..end]) else {
        return Ok(None);
    };
    let refused = || io::Error::other(format!("not what was asked for: {}", String::from_utf8_lossy(answer)));
    if !head.starts_with(b"HTTP/1.1 200") {
        return Err(refused());
    }
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)));
    let value = line.and_then(|line| std::str::from_utf8(&line[NAME.len()..]).ok());
    let body: usize = value.and_then(|value| value.trim().parse().ok()).ok_or_else(refused)?;
    Ok(Some(head.len() + 4 + body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_says_so() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        let whole = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n{\"a\"";
        assert_eq!(length(whole).unwrap(), Some(whole.len() + 1));
        for wrong in ["HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(length(wrong.as_bytes()).unwrap_err().to_string().contains(wrong));
        }
    }
}
