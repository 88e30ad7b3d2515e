//! Requests that are made before anything is measured: the same ones in turn, or, where they are signed, each with its own nonce.

use std::fmt::Write as _;

use bridge32_signature::{Key, Request, SignedHeaders, sign};
use jiff::Timestamp;

/// So many bytes of heads are made at most.
const MOST_BYTES: usize = 64 << 20;

/// What is posted to where.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) target: String,
    pub(crate) body: String,
}

/// Requests that are sent one after the other, whoever sends them.
#[derive(Debug)]
pub(crate) struct Requests {
    heads: Vec<u8>,
    /// Where each head ends.
    ends: Vec<usize>,
    bodies: Vec<Vec<u8>>,
    /// Whether they can be sent again.
    is_endless: bool,
}

impl Requests {
    /// These posts, in turn: signed where there is a key, so many of them at most, and good for five minutes then.
    pub(crate) fn new(key: Option<&Key>, authority: &str, posts: &[Post], most: usize) -> Self {
        let now = Timestamp::now().as_second();
        let (mut heads, mut ends) = (Vec::new(), Vec::new());
        let count = if key.is_some() { most } else { posts.len() };
        for Post { target, body } in posts.iter().cycle().take(count) {
            let request = Request { method: "POST", scheme: "http", authority, target };
            let signed = key.map(|key| sign(key, &request, body.as_bytes(), now).expect("there are random numbers"));
            let pairs: Vec<(&str, &str)> = signed.iter().flat_map(SignedHeaders::pairs).collect();
            heads.extend_from_slice(head(authority, target, body.len(), &pairs).as_bytes());
            ends.push(heads.len());
            if heads.len() >= MOST_BYTES {
                break;
            }
        }
        let bodies = posts.iter().map(|post| post.body.clone().into_bytes()).collect();
        Self { heads, ends, bodies, is_endless: key.is_none() }
    }

    /// How many can be sent.
    pub(super) fn len(&self) -> usize {
        if self.is_endless { usize::MAX } else { self.ends.len() }
    }

    /// The head and the body of one.
    pub(super) fn parts(&self, number: usize) -> (&[u8], &[u8]) {
        let place = number % self.ends.len();
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        (&self.heads[start..self.ends[place]], &self.bodies[number % self.bodies.len()])
    }
}

fn head(authority: &str, target: &str, length: usize, headers: &[(&str, &str)]) -> String {
    let mut head = format!("POST {target} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\n");
    for (name, value) in headers {
        // A string can always be written to.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {length}\r\n\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_take_turns_and_signed_ones_end() {
        let posts = ["/a", "/b"].map(|target| Post { target: target.to_owned(), body: target.repeat(2) });
        let plain = Requests::new(None, "h:1", &posts, 3);
        for number in 0..5 {
            let (head, body) = plain.parts(number);
            let target = posts[number % 2].target.as_str();
            assert!(head.starts_with(format!("POST {target} ").as_bytes()));
            assert!(head.ends_with(b"content-length: 4\r\n\r\n"));
            assert_eq!(body, target.repeat(2).as_bytes());
        }
        let key = Key::new("k", &[1; 32]).unwrap();
        let signed = Requests::new(Some(&key), "h:1", &posts, 3);
        assert_eq!((signed.len(), plain.len()), (3, usize::MAX));
        let heads: Vec<&[u8]> = (0..3).map(|number| signed.parts(number).0).collect();
        assert!(heads[1].starts_with(b"POST /b ") && heads[0] != heads[2]);
        assert!(String::from_utf8_lossy(heads[2]).contains("signature-input: sig1="));
    }
}
