//! Examples while they are put together: their parts are shared, and each is written out once, when it is whole. None
//! has more than so many values, however long the arrays of a header are.

use std::rc::Rc;

use serde_json::Value;

/// So many values an example has at most: what is larger explains nothing.
const MOST: u64 = 1_000;

/// So many characters of text count as one value.
const CHARACTERS: usize = 8;

/// A value that fits a schema.
#[derive(Clone, Debug)]
pub(super) struct Example {
    /// How many values it has, at most [`MOST`].
    values: u64,
    content: Rc<Content>,
}

#[derive(Debug)]
enum Content {
    /// One that is not put together.
    Value(Value),
    /// The same, so many times.
    Array(Example, usize),
    /// By name.
    Object(Vec<(String, Example)>),
}

impl Example {
    /// So many elements that are all the same; `None` if they are too many.
    pub(super) fn array(count: u64, element: &Self) -> Option<Self> {
        let content = Content::Array(element.clone(), usize::try_from(count).ok()?);
        Self::of(count.saturating_mul(element.values), content)
    }

    /// An object with these members; `None` if they are too many.
    pub(super) fn object(members: Vec<(String, Self)>) -> Option<Self> {
        let values = members.iter().fold(0, |sum: u64, (_, member)| sum.saturating_add(member.values));
        Self::of(values, Content::Object(members))
    }

    fn of(values: u64, content: Content) -> Option<Self> {
        // An empty one is a value, too.
        let values = values.saturating_add(1);
        (values <= MOST).then(|| Self { values, content: Rc::new(content) })
    }

    /// The value, where it is not put together of others.
    pub(super) fn plain(&self) -> Option<&Value> {
        match &*self.content {
            Content::Value(value) => Some(value),
            Content::Array(..) | Content::Object(_) => None,
        }
    }

    /// The value, written out.
    pub(super) fn written(&self) -> Value {
        match &*self.content {
            Content::Value(value) => value.clone(),
            Content::Array(element, count) => vec![element.written(); *count].into(),
            Content::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), member.written())).collect::<Value>()
            }
        }
    }
}

impl From<Value> for Example {
    fn from(value: Value) -> Self {
        let characters = value.as_str().map_or(0, str::len);
        let values = u64::try_from(characters / CHARACTERS).map_or(MOST, |values| (values + 1).min(MOST));
        Self { values, content: Rc::new(Content::Value(value)) }
    }
}
