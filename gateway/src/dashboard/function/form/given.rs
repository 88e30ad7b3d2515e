//! Where the values of a form come from.

use crate::form_data::FormData;
use crate::json::Json;

use super::node::member;

/// What is known of a value before its control is made.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// Nothing: the form is shown for the first time.
    Nothing,
    /// What was typed in all fields.
    Fields(&'a FormData),
    /// The value itself; `None` if it is left out.
    Value(Option<&'a Json>),
}

/// What was written for one control.
#[derive(Clone, Copy, Debug)]
pub enum Written<'a> {
    /// Nothing.
    Nothing,
    /// A text was typed.
    Text(&'a str),
    /// A value was given.
    Json(&'a Json),
}

impl<'a> Given<'a> {
    /// The same for a member.
    #[must_use]
    pub fn member(self, name: &str) -> Self {
        match self {
            Self::Value(value) => Self::Value(value.and_then(|value| value.get(name))),
            other => other,
        }
    }

    /// The same for an element.
    #[must_use]
    pub fn element(self, index: usize) -> Self {
        match self {
            Self::Value(Some(Json::List(elements))) => Self::Value(elements.get(index)),
            Self::Value(_) => Self::Value(None),
            other => other,
        }
    }

    /// What was written in the control of that name.
    pub fn written(self, name: &str) -> Written<'a> {
        match self {
            Self::Nothing | Self::Value(None) => Written::Nothing,
            Self::Fields(fields) => fields.text(name).map_or(Written::Nothing, Written::Text),
            Self::Value(Some(value)) => Written::Json(value),
        }
    }

    /// The text of the field of that name, if fields were typed.
    pub fn field(self, name: &str) -> Option<&'a str> {
        match self {
            Self::Fields(fields) => fields.text(name),
            _ => None,
        }
    }

    /// The value, if one was given.
    pub const fn value(self) -> Option<&'a Json> {
        match self {
            Self::Value(value) => value,
            _ => None,
        }
    }
}

impl Written<'_> {
    /// As it stands in a field of one line: strings without quotes, other values as JSON. `None` for what is too much for one.
    pub fn plain(self) -> Option<String> {
        match self {
            Self::Nothing => Some(String::new()),
            Self::Text(text) => Some(text.to_owned()),
            Self::Json(json @ Json::Scalar(raw)) if raw.get() != "null" => {
                Some(json.as_text().unwrap_or_else(|| raw.get().to_owned()))
            }
            Self::Json(_) => None,
        }
    }
}

/// Which element is to be added or removed: what the button says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// One at the end of that list.
    Add(String),
    /// That one of that list.
    Remove(String, usize),
}

impl Edit {
    /// What a button says: `add:/points`, `remove:/points/3`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("add:") {
            return Some(Self::Add(path.to_owned()));
        }
        let (path, index) = text.strip_prefix("remove:")?.rsplit_once('/')?;
        Some(Self::Remove(path.to_owned(), index.parse().ok()?))
    }

    /// The fields without, or with, that element: those behind it move up.
    pub fn apply(&self, fields: &mut FormData) {
        let count_of = |path: &str| super::node::Mark::Count.of(path);
        let count = |fields: &FormData, path: &str| -> usize {
            fields.text(&count_of(path)).and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        match self {
            Self::Add(path) => {
                let count = count(fields, path).saturating_add(1).min(super::MOST_ELEMENTS);
                fields.set(&count_of(path), &count.to_string());
            }
            Self::Remove(path, index) => {
                let before = count(fields, path);
                let inside = member(path, "");
                fields.rename(|name| without(name, &inside, *index));
                fields.set(&count_of(path), &before.saturating_sub(usize::from(*index < before)).to_string());
            }
        }
    }
}

/// The name of a field once the element `index` of the list with the pointer `inside` is gone.
fn without(name: String, inside: &str, index: usize) -> Option<String> {
    let (mark, pointer) = super::node::Mark::split(&name);
    let Some(rest) = pointer.strip_prefix(inside) else { return Some(name) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let Ok(own) = rest[..digits].parse::<usize>() else { return Some(name) };
    match own.cmp(&index) {
        std::cmp::Ordering::Less => Some(name),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(format!("{mark}{inside}{}{}", own - 1, &rest[digits..])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_that_goes_lets_those_behind_it_move_up() {
        let mut fields = FormData::of(&[
            ("#/p", "3"),
            ("/p/0/x", "a"),
            ("/p/1/x", "b"),
            ("?/p/1/next", "null"),
            ("/p/2/x", "c"),
            ("|/p/2/u#1", "0"),
            ("/p2", "d"),
        ]);
        Edit::parse("remove:/p/1").unwrap().apply(&mut fields);
        let texts = ["#/p", "/p/0/x", "/p/1/x", "?/p/1/next", "|/p/1/u#1", "/p/2/x", "/p2"];
        let found = texts.map(|name| fields.text(name));
        assert_eq!(found, [Some("2"), Some("a"), Some("c"), None, Some("0"), None, Some("d")]);
        Edit::parse("add:/p").unwrap().apply(&mut fields);
        assert_eq!(fields.text("#/p"), Some("3"));
    }

    #[test]
    fn what_is_no_edit_is_none_and_what_is_beyond_the_end_takes_nothing_away() {
        for text in ["call", "add", "remove:", "remove:/p/x", "remove:/p/-1"] {
            assert_eq!(Edit::parse(text), None, "{text}");
        }
        let mut fields = FormData::of(&[("#/p", "1"), ("/p/0", "a")]);
        Edit::parse("remove:/p/7").unwrap().apply(&mut fields);
        assert_eq!((fields.text("#/p"), fields.text("/p/0")), (Some("1"), Some("a")));
        for _ in 0..200 {
            Edit::Add("/p".to_owned()).apply(&mut fields);
        }
        assert_eq!(fields.text("#/p"), Some("64"));
    }
}
