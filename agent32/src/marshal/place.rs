//! Where in a request a value stands, for the JSON pointer and the name in an error, and whether it may be repeated there.

use std::fmt;

use bridge32_protocol::json::complaint;

/// A step of a JSON pointer (RFC 6901).
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

/// A place in the arguments: the way to it, which becomes text only if something is wrong there.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    outer: Option<&'a At<'a>>,
    step: Step<'a>,
    /// What stands here, and within, is not repeated.
    sensitive: bool,
}

impl<'a> At<'a> {
    /// The arguments themselves.
    pub const ROOT: At<'static> = At { outer: None, step: Step::Root, sensitive: false };

    /// A member of the object at this place.
    #[must_use]
    pub const fn member(&'a self, name: &'a str) -> At<'a> {
        At { outer: Some(self), step: Step::Name(name), sensitive: self.sensitive }
    }

    /// An element of the array at this place.
    #[must_use]
    pub const fn element(&'a self, index: usize) -> At<'a> {
        At { outer: Some(self), step: Step::Index(index), sensitive: self.sensitive }
    }

    /// The same place, where nothing is repeated if `sensitive`.
    #[must_use]
    pub const fn hidden(mut self, sensitive: bool) -> Self {
        self.sensitive |= sensitive;
        self
    }

    /// Whether no text may repeat what stands here.
    pub const fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// What an error text says of the value that stands here: the value, or only of what sort it is.
    pub fn shown(&self, json: &str) -> String {
        if !self.sensitive {
            return kind(json);
        }
        match json.as_bytes().first() {
            Some(b'{') => "a sensitive object".to_owned(),
            Some(b'[') => "a sensitive array".to_owned(),
            Some(b'"') => "a sensitive string".to_owned(),
            Some(b't' | b'f') => "a sensitive truth value".to_owned(),
            Some(b'n') => "null".to_owned(),
            _ => "a sensitive number".to_owned(),
        }
    }

    /// What serde complains of in the value that stands here. Within something sensitive, names are a part of it.
    pub fn complaint(&self, error: &serde_json::Error) -> String {
        if self.sensitive { "it has another shape".to_owned() } else { complaint(error) }
    }

    /// Another member of the innermost object around this place.
    #[must_use]
    pub const fn sibling(&self, name: &'a str) -> At<'a> {
        let mut place = self;
        loop {
            match (place.step, place.outer) {
                (Step::Index(_), Some(outer)) => place = outer,
                (_, outer) => {
                    let sensitive = matches!(outer, Some(At { sensitive: true, .. }));
                    return At { outer, step: Step::Name(name), sensitive };
                }
            }
        }
    }

    /// The beginning of a sentence about it.
    pub(super) fn subject(&self) -> String {
        match self.step {
            Step::Root => format!("{self} are"),
            Step::Name(_) | Step::Index(_) => format!("`{self}` is"),
        }
    }

    /// The JSON pointer.
    pub fn pointer(&self) -> String {
        let mut pointer = self.outer.map_or_else(String::new, At::pointer);
        match self.step {
            Step::Root => {}
            Step::Name(name) => pointer.extend(["/", &name.replace('~', "~0").replace('/', "~1")]),
            Step::Index(index) => pointer.extend(["/", &index.to_string()]),
        }
        pointer
    }
}

/// What a JSON value is, for an error text; long ones are not repeated.
fn kind(json: &str) -> String {
    match json.as_bytes().first() {
        Some(b'{') => "an object".into(),
        Some(b'[') => "an array".into(),
        Some(b'"') if json.len() > 60 => "a string".into(),
        _ if json.len() > 60 => "a number".into(),
        _ => json.into(),
    }
}

impl fmt::Display for At<'_> {
    /// As C would name it: `points[3].x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outer = self.outer.filter(|outer| !matches!(outer.step, Step::Root));
        if let Some(outer) = outer {
            outer.fmt(f)?;
        }
        match self.step {
            Step::Root => f.write_str("the arguments"),
            Step::Name(name) if outer.is_some() => write!(f, ".{name}"),
            Step::Name(name) => f.write_str(name),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_json_pointer_and_a_name_as_in_c() {
        let points = At::ROOT.member("po/ints");
        let third = points.element(3);
        let x = third.member("x");
        assert_eq!((x.pointer().as_str(), x.to_string().as_str()), ("/po~1ints/3/x", "po/ints[3].x"));
        assert_eq!(x.sibling("y").pointer(), "/po~1ints/3/y");
        assert_eq!(third.sibling("count").pointer(), "/count");
        assert_eq!((At::ROOT.pointer().as_str(), At::ROOT.to_string().as_str()), ("", "the arguments"));
    }
    #[test]
    fn what_is_within_something_sensitive_is_so_and_what_is_beside_it_is_not() {
        let login = At::ROOT.member("login");
        let password = login.member("password").hidden(true);
        assert_eq!(password.element(0).member("x").shown("\"hunter2\""), "a sensitive string");
        assert_eq!(password.sibling("user").shown("\"anna\""), "\"anna\"");
        assert_eq!(login.shown("{\"password\":\"hunter2\"}"), "an object");
        for (json, shown) in [("1", "a sensitive number"), ("true", "a sensitive truth value"), ("null", "null")] {
            assert_eq!(password.shown(json), shown);
        }
    }
}
