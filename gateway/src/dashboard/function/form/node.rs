//! What a form is made of: a node for each value, with the control in which it is given. Each is its own template.
//!
//! The name of a control is the JSON pointer of its value, so that a problem of the API says which control it means. What belongs
//! to a control besides has the same name behind one of the [`Mark`]s.

use askama::Template;
use bytes::Bytes;

use crate::dashboard::filters;
use crate::dashboard::words::size;

/// What stands before a pointer in the name of a field that goes with the value's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Whether it is a value, null, or written as JSON.
    Presence,
    /// How many elements there are.
    Count,
    /// Which member of a union is given.
    Member,
    /// The number that stands for no enumerator.
    Other,
    /// How bytes are written.
    Format,
}

impl Mark {
    const ALL: [Self; 5] = [Self::Presence, Self::Count, Self::Member, Self::Other, Self::Format];

    const fn sign(self) -> char {
        match self {
            Self::Presence => '?',
            Self::Count => '#',
            Self::Member => '|',
            Self::Other => '*',
            Self::Format => '=',
        }
    }

    /// The name of such a field.
    pub fn of(self, path: &str) -> String {
        format!("{}{path}", self.sign())
    }

    /// The mark of a field's name, and the pointer behind it.
    pub fn split(name: &str) -> (&str, &str) {
        let marked = Self::ALL.into_iter().any(|mark| name.starts_with(mark.sign()));
        name.split_at(usize::from(marked))
    }
}

/// The pointer to a member of what another one points to (RFC 6901).
pub fn member(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The value of [`Mark::Presence`] that says: a value.
pub const GIVEN: &str = "value";
/// Null.
pub const NULL: &str = "null";
/// The value is written as JSON.
pub const AS_JSON: &str = "json";
/// The choice of an enumeration that is none of its names.
pub const OTHER: &str = "#";

/// One value of a form.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the value")]
#[derive(Template, Clone, Debug)]
#[template(path = "function/node.html")]
pub struct Node {
    /// Its pointer among the arguments.
    pub path: String,
    /// Its name in the object around it; nothing for an element.
    pub name: String,
    /// What it is called: with its index, if it is an element.
    pub label: String,
    /// What the header says of it.
    pub description: String,
    /// Whether it has to be given.
    pub need: Need,
    /// Whether it is null, where it can be.
    pub presence: Option<Presence>,
    /// The function fills it in: what is left out of it is zero.
    pub partly: bool,
    /// It has no name in C: what is in it stands in the object around it.
    pub inline: bool,
    /// It is not shown.
    pub sensitive: bool,
    /// In what it is given.
    pub control: Control,
    /// It was added just now.
    pub is_new: bool,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// Whether a value has to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Required,
    /// It may be left out: then it is zero.
    Optional,
    /// It may be left out: then it is the length of these.
    GivenBy(String),
}

/// Whether a pointer is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is not.
    Given,
    /// It is.
    Null,
}

/// In what a value is given.
#[derive(Clone, Debug)]
pub enum Control {
    /// A whole number, or the name of one.
    Integer {
        /// As it was typed.
        text: String,
        /// The smallest one.
        least: i128,
        /// The largest one.
        most: i128,
        /// Names of numbers that the documentation mentions.
        names: Vec<(String, i64)>,
    },
    /// A number with a fraction.
    Number {
        /// As it was typed.
        text: String,
    },
    /// A truth value.
    Truth {
        /// Which.
        yes: bool,
    },
    /// One of the names of an enumeration, or another number.
    Choice {
        /// The names.
        options: Vec<Choice>,
        /// It is another number.
        is_other: bool,
        /// Which one.
        other: String,
    },
    /// Text.
    Text {
        /// As it was typed.
        text: String,
        /// How many characters of C it has at most.
        limit: Option<u64>,
    },
    /// Bytes.
    Bytes {
        /// How they are written.
        format: Format,
        /// As they were typed.
        text: String,
        /// The file that was sent.
        file: Option<Bytes>,
        /// What the header says of how many there are.
        length: String,
    },
    /// A token.
    Handle {
        /// As it was typed.
        text: String,
        /// What it is for.
        kind: String,
        /// Tokens that would do.
        known: Vec<String>,
    },
    /// A structure.
    Group {
        /// Its members.
        members: Vec<Node>,
    },
    /// A union: one of its members.
    Union {
        /// The name of the field that says which.
        field: String,
        /// What can be chosen.
        branches: Vec<Branch>,
    },
    /// An array.
    List {
        /// Its elements.
        elements: Vec<Node>,
        /// Whether there can be more or fewer.
        is_open: bool,
        /// What the header says of how many there are.
        length: String,
    },
    /// What a callback answers.
    Callback {
        /// `returns`, `stop_after`, `stop_returns`, `table`: what it has.
        members: Vec<Node>,
        /// Whether its invocations are listed.
        record: bool,
    },
    /// The arguments behind `...`.
    Extra {
        /// Those that there are.
        arguments: Vec<Extra>,
    },
    /// Anything, as JSON.
    Json {
        /// As it was typed.
        text: String,
    },
}

/// A name of an enumeration.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The name.
    pub name: String,
    /// Its number.
    pub value: i64,
    /// It is the one.
    pub chosen: bool,
}

/// A member of a union, or those that stand in one that has no name.
#[derive(Clone, Debug)]
pub struct Branch {
    /// What it is called.
    pub label: String,
    /// It is the one.
    pub chosen: bool,
    /// What it has.
    pub members: Vec<Node>,
}

/// An argument behind `...`.
#[derive(Clone, Debug)]
pub struct Extra {
    /// Its pointer.
    pub path: String,
    /// Its type, as in C.
    pub ty: String,
    /// Its value.
    pub value: String,
    /// It was added just now.
    pub is_new: bool,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Two hexadecimal digits each.
    Hex,
    /// RFC 4648 §4.
    Base64,
    /// As text, in UTF-8.
    Text,
    /// In a file.
    File,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hex, Self::Base64, Self::Text, Self::File];

    /// The word for it in a form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Text => "text",
            Self::File => "file",
        }
    }

    /// The word for it on a page.
    pub const fn label(self) -> &'static str {
        use filters::text;
        match self {
            Self::Hex => text!("hex"),
            Self::Base64 => text!("base64"),
            Self::Text => text!("text"),
            Self::File => text!("file"),
        }
    }

    /// The one of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl Node {
    /// The id of its control.
    pub fn id(&self) -> String {
        format!("f{}", self.path)
    }

    /// What stands beside its control, as `aria-describedby` says it.
    fn described_by(&self) -> String {
        let error = if self.error.is_some() { format!("e{} ", self.path) } else { String::new() };
        format!("{error}h{}", self.path)
    }

    fn marked(&self, sign: &str) -> String {
        let mark = Mark::ALL.into_iter().find(|mark| mark.sign().to_string() == sign);
        mark.map_or_else(|| self.path.clone(), |mark| mark.of(&self.path))
    }

    /// Whether several controls belong to it: then it is a group with a legend.
    const fn is_group(&self) -> bool {
        self.is_compound() || self.presence.is_some()
    }

    /// Whether it has controls of several values: then it is meant itself where no control is.
    const fn is_compound(&self) -> bool {
        use Control::{Callback, Extra, Group, List, Union};
        matches!(self.control, Group { .. } | Union { .. } | List { .. } | Callback { .. } | Extra { .. })
    }

    /// Whether it has one control that may stay empty.
    const fn is_single(&self) -> bool {
        !self.is_compound() && !matches!(self.control, Control::Truth { .. })
    }

    /// Whether there is room for another one beside it.
    const fn is_small(&self) -> bool {
        use Control::{Choice, Integer, Number, Truth};
        matches!(self.control, Integer { .. } | Number { .. } | Truth { .. } | Choice { .. })
    }

    const fn is_json(&self) -> bool {
        matches!(self.control, Control::Json { .. })
    }

    #[expect(clippy::unused_self, reason = "its template calls it")]
    fn size_of(&self, file: &Bytes) -> String {
        size(file.len() as u64)
    }

    const fn is_null(&self) -> bool {
        matches!(self.presence, Some(Presence::Null))
    }

    /// The nodes in it.
    pub fn inner_mut(&mut self) -> Vec<&mut Self> {
        match &mut self.control {
            Control::Group { members } | Control::Callback { members, .. } => members.iter_mut().collect(),
            Control::List { elements, .. } => elements.iter_mut().collect(),
            Control::Union { branches, .. } => branches.iter_mut().flat_map(|branch| &mut branch.members).collect(),
            _ => Vec::new(),
        }
    }

    /// Writes what is wrong at the place that a pointer means, or at the nearest one around it. Gives the id of that control.
    pub fn blame(&mut self, pointer: &str, why: &str) -> Option<String> {
        let rest = pointer.strip_prefix(self.path.as_str())?;
        if !(rest.is_empty() || rest.starts_with('/')) {
            return None;
        }
        let found = self.inner_mut().into_iter().find_map(|inner| inner.blame(pointer, why));
        if found.is_some() || self.inline {
            return found;
        }
        if let Control::Extra { arguments } = &mut self.control {
            let within = |extra: &&mut Extra| {
                pointer.strip_prefix(extra.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if let Some(extra) = arguments.iter_mut().find(within) {
                extra.error = Some(why.to_owned());
                return Some(format!("f{}", extra.path));
            }
        }
        self.error = Some(why.to_owned());
        Some(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_field_says_which_value_it_belongs_to() {
        assert_eq!(Mark::split("/a/b"), ("", "/a/b"));
        for mark in Mark::ALL {
            let name = mark.of("/a/0");
            assert_eq!(Mark::split(&name).1, "/a/0");
        }
        assert_eq!(Mark::split(""), ("", ""));
        assert_eq!(member("/a", "x/~y"), "/a/x~1~0y");
    }
}
