//! Prototypes that come with a call: they are read behind the library's headers, whose types they may use.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bridge32_interface::{Diagnostic, Options, Source, prototype_after};
use bridge32_protocol::interface::Interface;

/// So many different prototypes are kept: reading one takes as long as reading the headers.
const MAX_KEPT: usize = 256;

/// The texts of a library's headers, and the prototypes that were read behind them.
#[derive(Debug, Default)]
pub struct Prototypes {
    headers: Vec<(String, Vec<u8>)>,
    kept: Mutex<HashMap<String, Interface>>,
}

impl Prototypes {
    /// For these headers: their names and texts.
    pub fn new(headers: Vec<(String, Vec<u8>)>) -> Self {
        Self { headers, kept: Mutex::default() }
    }

    /// The headers, as the reader takes them.
    pub fn sources(&self) -> Vec<Source<'_>> {
        self.headers.iter().map(|(name, text)| Source { name, text }).collect()
    }

    /// The interface of one prototype.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, text: &str, options: &Options) -> Result<Interface, Vec<Diagnostic>> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interface) = kept().get(text) {
            return Ok(interface.clone());
        }
        let interface = prototype_after(&self.sources(), text, options)?;
        let mut kept = kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(text.to_owned(), interface.clone());
        Ok(interface)
    }
}
