//! Component identifiers (RFC 9421 §2): what a signature covers.

use std::fmt;

use http::HeaderName;
use sfv::StringRef;

use crate::fields::Item;

/// What of a component's name an error shows.
const SHOWN: usize = 60;

/// A component that a signature names cannot be covered, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncoverable {
    component: String,
    why: &'static str,
}

impl fmt::Display for Uncoverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be covered: {}", self.component, self.why)
    }
}

impl std::error::Error for Uncoverable {}

/// A name, perhaps with `;req` (of the request that a response answers, §2.4) and `;key` (one member of a dictionary, §2.1.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Component<'a> {
    /// As it is written.
    pub(crate) item: &'a Item<'a>,
    pub(crate) name: &'a str,
    pub(crate) of_request: bool,
    pub(crate) member: Option<&'a str>,
}

impl<'a> Component<'a> {
    /// Reads an identifier. Other parameters than `req` and `key` would mean another value, or none that is known here.
    pub(crate) fn read(item: &'a Item<'a>) -> Result<Self, Uncoverable> {
        let Some(name) = item.text() else { return Err(refused(item, "it is no string")) };
        // Such a name is written as it stands, without a backslash.
        if !name.starts_with('@') && HeaderName::from_lowercase(name.as_bytes()).is_err() {
            return Err(refused(item, "it is no name of a header in lower case"));
        }
        let mut component = Self { item, name, of_request: false, member: None };
        for (parameter, value) in item.parameters.pairs() {
            match (parameter.as_str(), value.as_boolean(), value.as_string()) {
                ("req", Some(true), _) => component.of_request = true,
                ("key", _, Some(key)) if !component.is_derived() => component.member = Some(StringRef::as_str(key)),
                _ => return Err(refused(item, "its parameter is not supported")),
            }
        }
        Ok(component)
    }

    /// Reads the identifiers of a signature, each of which may be there once.
    pub(crate) fn read_all(items: &'a [Item<'a>]) -> Result<Vec<Self>, Uncoverable> {
        let mut components: Vec<Self> = Vec::with_capacity(items.len());
        for item in items {
            let component = Self::read(item)?;
            if components.iter().any(|earlier| earlier.is(&component)) {
                return Err(component.refused("it is there twice"));
            }
            components.push(component);
        }
        Ok(components)
    }

    /// Whether it is made of the message (§2.2) and no header.
    pub(crate) fn is_derived(&self) -> bool {
        self.name.starts_with('@')
    }

    /// Whether this is the whole component of that name.
    pub(crate) fn is_plain(&self, name: &str) -> bool {
        self.name == name && self.item.parameters.is_empty()
    }

    /// The order of parameters does not matter (§2).
    fn is(&self, other: &Self) -> bool {
        (self.name, self.of_request, self.member) == (other.name, other.of_request, other.member)
    }

    pub(crate) fn refused(&self, why: &'static str) -> Uncoverable {
        refused(self.item, why)
    }
}

fn refused(item: &Item<'_>, why: &'static str) -> Uncoverable {
    let mut component = String::new();
    item.write(&mut component);
    if component.len() > SHOWN {
        // Structured fields are ASCII.
        component.truncate(SHOWN);
        component.push('…');
    }
    Uncoverable { component, why }
}
