//! By which names a request may have been signed: a proxy in front has another one than the gateway is then asked by.

use std::iter::once;

use axum::http::request::Parts;
use bridge32_signature::Request as Covered;

use super::verify::covered;
use crate::config::Origin;

/// The names besides the `Host` that a request carries: the public URLs.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<Origin>);

impl Names {
    /// The names of these URLs.
    pub fn new(public: &[Origin]) -> Self {
        Self(public.to_vec())
    }

    /// A request as it came, and then as it was sent if that was by one of the names.
    pub(super) fn of<'a>(&'a self, parts: &'a Parts) -> impl Iterator<Item = Covered<'a>> + Clone {
        let received = covered(parts);
        let named = move |name: &'a Origin| Covered { scheme: name.scheme.name(), authority: &name.authority, ..received };
        once(received).chain(self.0.iter().map(named))
    }
}
