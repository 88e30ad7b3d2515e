//! `/libraries`: the list, and the pages of one library: a file each. [`Head`] stands above each of them.

pub mod dependencies;
pub mod exports;
mod filter;
pub mod functions;
mod head;
mod hints;
pub mod interface;
pub mod list;
pub(super) mod meaning;
mod paging;
pub mod settings;
mod source;

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::agents::Bound;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::interfaces::Declared;
use crate::libraries::Library;
use crate::libraries::exports::Exports;

use paging::Paging;

/// A library as its pages see it.
struct Subject {
    library: Arc<Library>,
    declared: Arc<Declared>,
    bound: Option<Arc<Bound>>,
    /// Or why nobody can read its file.
    exports: Result<Arc<Exports>, Problem>,
}

impl Subject {
    /// The library of that name.
    ///
    /// # Errors
    /// There is none.
    async fn find(bridge: &Bridge, name: &str) -> Result<Self, Problem> {
        let library = bridge.library(name)?;
        let declared = library.declared();
        let bound = library.bound(&declared);
        let exports = bridge.exports(&library).await;
        Ok(Self { library, declared, bound, exports })
    }
}

/// The address of a page of a library; `page` begins with a slash, or is empty.
pub(super) fn address(library: &str, page: &str) -> String {
    format!("/libraries/{}{page}", escaped(library))
}

/// A part of a path, or a value of a query.
pub(super) fn escaped(text: &str) -> String {
    // What templates escape.
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~');
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A query of these names and values, with its question mark; those that are empty are left out.
fn query(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let text = pairs.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&");
    if text.is_empty() { text } else { format!("?{text}") }
}
