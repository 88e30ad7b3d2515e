//! Prototypes that come with a call: they are read behind the library's headers, whose types they may use.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use bridge32_interface::{Diagnostic, Options, prototype_after};
use bridge32_protocol::interface::Interface;
use lru::LruCache;

use super::{Declared, sources};

/// So many different prototypes are kept: reading one takes as long as reading the headers.
const MAX_KEPT: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

/// What has more diagnostics is no slip of the pen, and takes too much room to be kept.
const MAX_DIAGNOSTICS: usize = 16;

/// A prototype's interface without the constants of the headers, or what is wrong with it.
pub(super) type Outcome = Result<Arc<Interface>, Arc<[Diagnostic]>>;

/// The prototypes that were read behind one interface's headers.
#[derive(Debug)]
pub(super) struct Prototypes {
    kept: Mutex<LruCache<String, Outcome>>,
    /// Whoever reads holds it: large headers take some time, and a client may send many prototypes at once.
    reading: Arc<tokio::sync::Mutex<()>>,
}

impl Default for Prototypes {
    fn default() -> Self {
        Self { kept: Mutex::new(LruCache::new(MAX_KEPT)), reading: Arc::default() }
    }
}

impl Prototypes {
    /// What was read of one that came before.
    fn known(&self, text: &str) -> Option<Outcome> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned()
    }

    fn keep(&self, text: &str, outcome: &Outcome) {
        if outcome.as_ref().err().is_none_or(|diagnostics| diagnostics.len() <= MAX_DIAGNOSTICS) {
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(text.to_owned(), outcome.clone());
        }
    }
}

/// The interface of one prototype behind those headers.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn read(declared: &Arc<Declared>, text: &str, options: Options) -> Outcome {
    let prototypes = &declared.prototypes;
    if let Some(known) = prototypes.known(text) {
        return known;
    }
    let one_at_a_time = Arc::clone(&prototypes.reading).lock_owned().await;
    if let Some(known) = prototypes.known(text) {
        return known;
    }
    let (reader, prototype) = (Arc::clone(declared), text.to_owned());
    // The other requests of this thread shall go on. What has begun is done and kept also if the client goes away.
    let read = tokio::task::spawn_blocking(move || {
        let outcome = without_shared(&reader, &prototype, &options);
        reader.prototypes.keep(&prototype, &outcome);
        drop(one_at_a_time);
        outcome
    });
    read.await.unwrap_or_else(|broken| {
        tracing::error!(%broken, text, "a prototype cannot be read");
        Err(Arc::default())
    })
}

/// Reads it. The constants of the headers are with the headers already.
fn without_shared(declared: &Declared, text: &str, options: &Options) -> Outcome {
    let mut interface = prototype_after(&sources(&declared.texts), text, options)?;
    let shared = &declared.interface().constants;
    interface.constants.retain(|name, value| shared.get(name) != Some(value));
    Ok(Arc::new(interface))
}

/// The constants that arguments name, of the prototype's own and of the headers': all of them would be more than the call.
pub(super) fn constants_in(arguments: &[u8], of: [&Interface; 2]) -> BTreeMap<String, i64> {
    let value = |name: &str| of.iter().find_map(|interface| interface.constants.get(name).copied());
    strings(arguments).filter_map(|name| value(&name).map(|value| (name, value))).collect()
}

/// The strings of a JSON text, names of members included.
fn strings(json: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| *byte == b'"')?;
        let mut end = start + 1;
        while *rest.get(end)? != b'"' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        let literal = &rest[start..=end];
        rest = &rest[end + 1..];
        Some(literal)
    })
    .filter(|literal| literal.len() <= MAX_LITERAL)
    .filter_map(|literal| serde_json::from_slice(literal).ok())
}

/// No constant's name is longer, as JSON: strings may be whole files.
const MAX_LITERAL: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let prototypes = Prototypes::default();
        let keep = |number: usize| prototypes.keep(&number.to_string(), &Ok(Arc::default()));
        (0..MAX_KEPT.get()).for_each(keep);
        assert!(prototypes.known("0").is_some());
        keep(MAX_KEPT.get());
        assert!(prototypes.known("0").is_some() && prototypes.known("1").is_none() && prototypes.known("2").is_some());
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_prototype_is_found_out_once() {
        let declared = crate::libraries::tests::library("").declared();
        let options = || Options::new(bridge32_protocol::target::Target::Linux32);
        let first = read(&declared, "int f(", options()).await.unwrap_err();
        let second = read(&declared, "int f(", options()).await.unwrap_err();
        assert!(!first.is_empty() && Arc::ptr_eq(&first, &second));
        let _other = read(&declared, "int g(void)", options()).await.unwrap();
        let prototypes = &declared.prototypes;
        assert_eq!(prototypes.kept.lock().unwrap().len(), 2);
        let reading = prototypes.reading.try_lock().unwrap();
        assert!(read(&declared, "int g(void)", options()).await.is_ok(), "what is kept does not wait for a reading");
        drop(reading);
    }

    #[test]
    fn the_constants_that_arguments_name_are_found_however_they_are_written() {
        let interface = |names: &[(&str, i64)]| Interface {
            constants: names.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            ..Interface::default()
        };
        let (own, shared) = (interface(&[("A", 1)]), interface(&[("A", 2), ("B", 3), ("C", 4), ("D", 5)]));
        let json = r#"{"a": "A", "b": {"c": ["\u0042"]}, "C": 0, "\"D": "x\\", "e": "E \" D"}"#;
        let found = constants_in(json.as_bytes(), [&own, &shared]);
        let expected: BTreeMap<_, _> = [("A".to_owned(), 1), ("B".to_owned(), 3), ("C".to_owned(), 4)].into();
        assert_eq!(found, expected);
        assert!(constants_in(b"{}", [&own, &shared]).is_empty());
        assert!(constants_in(br#"{"cut"#, [&own, &shared]).is_empty());
    }
}
