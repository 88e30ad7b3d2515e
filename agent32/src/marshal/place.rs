//! Where in a request a value stands, for the JSON pointer and the name in an error.

use std::fmt;

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
}

impl<'a> At<'a> {
    /// The arguments themselves.
    pub const ROOT: At<'static> = At { outer: None, step: Step::Root };

    /// A member of the object at this place.
    #[must_use]
    pub const fn member(&'a self, name: &'a str) -> At<'a> {
        At { outer: Some(self), step: Step::Name(name) }
    }

    /// An element of the array at this place.
    #[must_use]
    pub const fn element(&'a self, index: usize) -> At<'a> {
        At { outer: Some(self), step: Step::Index(index) }
    }

    /// Another member of the innermost object around this place.
    #[must_use]
    pub const fn sibling(&self, name: &'a str) -> At<'a> {
        let mut place = self;
        loop {
            match (place.step, place.outer) {
                (Step::Index(_), Some(outer)) => place = outer,
                (_, outer) => return At { outer, step: Step::Name(name) },
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
}
