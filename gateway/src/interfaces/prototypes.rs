//! Prototypes that come with a call: they are read behind the library's headers, whose types they may use.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bridge32_interface::{Diagnostic, Options, Source, prototype_after};
use bridge32_protocol::interface::Interface;
use tokio::runtime::{Handle, RuntimeFlavor};

/// So many different prototypes are kept: reading one takes as long as reading the headers.
const MAX_KEPT: usize = 256;

/// The prototypes that were read behind one interface's headers.
#[derive(Debug, Default)]
pub(super) struct Prototypes(Mutex<HashMap<String, Interface>>);

impl Prototypes {
    /// The interface of one prototype.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self, headers: &[Source], text: &str, options: &Options) -> Result<Interface, Vec<Diagnostic>> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(interface) = kept().get(text) {
            return Ok(interface.clone());
        }
        let interface = apart(|| prototype_after(headers, text, options))?;
        let mut kept = kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(text.to_owned(), interface.clone());
        Ok(interface)
    }
}

/// Large headers take some time, during which the other requests of this thread shall go on.
fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
