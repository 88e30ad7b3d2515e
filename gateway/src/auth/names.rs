//! By which names a request may have been signed: a proxy in front has another one than the gateway is then asked by.

use std::iter::once;

use axum::http::request::Parts;
use bridge32_signature::Request as Covered;

use super::verify::covered;

/// The names besides the `Host` that a request carries: scheme and authority of each public URL.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// The names of these schemes and authorities: `("https", "bridge.example.com")`.
    pub fn new(public: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(public.into_iter().collect())
    }

    /// A request as it came, and then as it was sent if that was by one of the names.
    pub(super) fn of<'a>(&'a self, parts: &'a Parts) -> impl Iterator<Item = Covered<'a>> + Clone {
        let received = covered(parts);
        let named = move |(scheme, authority): &'a (String, String)| Covered { scheme, authority, ..received };
        once(received).chain(self.0.iter().map(named))
    }
}
