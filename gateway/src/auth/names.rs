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
        let named =
            move |name: &'a Origin| Covered { scheme: name.scheme.name(), authority: &name.authority, ..received };
        once(received).chain(self.0.iter().map(named))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn a_request_goes_by_its_host_and_by_every_public_name() {
        let names = Names::new(&[Origin::parse("https://bridge.example").unwrap()]);
        let request = Request::builder().method("PUT").uri("/a?b").header("host", "127.0.0.1:8032").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let known: Vec<[&str; 4]> =
            names.of(&parts).map(|it| [it.method, it.scheme, it.authority, it.target]).collect();
        assert_eq!(known, [["PUT", "http", "127.0.0.1:8032", "/a?b"], ["PUT", "https", "bridge.example", "/a?b"]]);
        assert_eq!(Names::default().of(&parts).count(), 1);
    }
}
