//! The document as it is served, kept until one of the libraries changes.

use std::sync::{Arc, Mutex, PoisonError};

use bridge32_signature::content_digest;
use bytes::Bytes;
use serde_json::Value;

/// A document's text, and the entity tag that changes with it.
#[derive(Clone, Debug)]
pub struct Served {
    /// JSON.
    pub body: Bytes,
    /// A strong `ETag`, with its quotes.
    pub etag: String,
}

/// The document that was made of the things of type `T`, whose identity is their place in memory.
#[derive(Debug)]
pub struct Cache<T>(Mutex<Option<Kept<T>>>);

#[derive(Debug)]
struct Kept<T> {
    /// Held, so that nothing else can come to lie at their places.
    made_of: Vec<Arc<T>>,
    served: Arc<Served>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Cache<T> {
    /// The document that `make` makes of these, unless it has been made already. Takes its time; whoever else asks waits.
    pub fn get(&self, made_of: Vec<Arc<T>>, make: impl FnOnce() -> Value) -> Arc<Served> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |kept: &&Kept<T>| {
            kept.made_of.len() == made_of.len() && kept.made_of.iter().zip(&made_of).all(|(a, b)| Arc::ptr_eq(a, b))
        };
        if let Some(kept) = kept.as_ref().filter(same) {
            return Arc::clone(&kept.served);
        }
        let body = Bytes::from(make().to_string());
        let etag = format!("\"{}\"", content_digest(&body).trim_start_matches("sha-256=").trim_matches(':'));
        let served = Arc::new(Served { body, etag });
        *kept = Some(Kept { made_of, served: Arc::clone(&served) });
        served
    }

    /// It is made again, as something else has changed that it says.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether an `If-None-Match` has this entity tag. Weak tags compare as strong ones there (RFC 9110, 13.1.2).
pub fn matches(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|given| given == "*" || given.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_made_again_when_a_library_has_changed() {
        let cache = Cache::default();
        let (first, second) = (Arc::new(1), Arc::new(2));
        let made = |text: &'static str| move || Value::from(text);
        let before = cache.get(vec![Arc::clone(&first)], made("a"));
        assert_eq!(cache.get(vec![Arc::clone(&first)], || unreachable!("it is kept")).etag, before.etag);
        let after = cache.get(vec![Arc::clone(&first), second], made("b"));
        assert_ne!(after.etag, before.etag);
        assert_eq!(after.body, "\"b\"");
        assert_eq!(cache.get(vec![first], made("a")).etag, before.etag, "the same text has the same tag");
    }

    #[test]
    fn an_entity_tag_is_recognised_among_others() {
        assert!(matches("\"a\", W/\"b=\"", "\"b=\"") && matches("*", "\"a\""));
        assert!(!matches("\"a\"", "\"ab\"") && !matches("", "\"a\""));
    }
}
