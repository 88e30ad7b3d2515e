//! Structured fields (RFC 8941) as signatures use them: dictionaries in which every name stands once.
//!
//! Of a name that stands twice the RFC lets the last one count, and readers that take the first are common: what two
//! programs may read differently is refused. So is what is longer than anybody needs.

use std::borrow::Cow;
use std::convert::Infallible;

use http::{HeaderMap, HeaderValue};
use sfv::visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor};
use sfv::{BareItemFromInput, ItemSerializer, KeyRef, ListSerializer, Parser, Version};

/// The most members of a dictionary, so the most signatures of one message.
const MAX_MEMBERS: usize = 8;
/// The most components that a signature covers.
const MAX_ITEMS: usize = 64;
/// The most parameters of one thing.
const MAX_PARAMETERS: usize = 16;
/// The most bytes of one field.
const MAX_BYTES: usize = 16 << 10;

/// The field cannot be read, or not in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldError {
    #[error("is no dictionary of structured fields (RFC 8941)")]
    Syntax,
    #[error("has a name twice")]
    Twice,
    #[error("is too long")]
    TooLong,
}

/// The lines of a header as one value (RFC 9110 §5.2); `None` without any.
pub(crate) fn joined<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<Cow<'h, [u8]>>, FieldError> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let Some(first) = lines.next() else { return Ok(None) };
    let rest: Vec<&[u8]> = lines.collect();
    if first.len() + rest.iter().map(|line| line.len()).sum::<usize>() > MAX_BYTES {
        return Err(FieldError::TooLong);
    }
    if rest.is_empty() {
        return Ok(Some(Cow::Borrowed(first)));
    }
    Ok(Some(Cow::Owned([&[first][..], &rest].concat().join(&b", "[..]))))
}

/// A dictionary, in the order in which it was received.
#[derive(Debug, Default)]
pub(crate) struct Dictionary<'a>(Vec<Member<'a>>);

/// A name, and one item or an inner list of items.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    list: bool,
    items: Items<'a>,
    /// Those of an inner list; an item has its own.
    parameters: Parameters<'a>,
}

#[derive(Debug, Default)]
struct Items<'a>(Vec<Item<'a>>);

#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) value: BareItemFromInput<'a>,
    pub(crate) parameters: Parameters<'a>,
}

#[derive(Debug, Default)]
pub(crate) struct Parameters<'a>(Vec<(&'a KeyRef, BareItemFromInput<'a>)>);

/// An inner list with its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<'m> {
    pub(crate) items: &'m [Item<'m>],
    pub(crate) parameters: &'m Parameters<'m>,
}

impl<'a> Dictionary<'a> {
    /// Reads a field's value.
    pub(crate) fn read(value: &'a [u8]) -> Result<Self, FieldError> {
        if value.len() > MAX_BYTES {
            return Err(FieldError::TooLong);
        }
        let parser = Parser::new(value).with_version(Version::Rfc8941);
        let dictionary = parser.parse_dictionary_with_visitor(Self::default()).map_err(|_| FieldError::Syntax)?;
        dictionary.check()?;
        Ok(dictionary)
    }

    pub(crate) fn members(&self) -> &[Member<'a>] {
        &self.0
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.0.iter().find(|member| member.name == name)
    }

    fn check(&self) -> Result<(), FieldError> {
        once(&self.0, MAX_MEMBERS, |member| member.name)?;
        for member in &self.0 {
            if member.items.0.len() > MAX_ITEMS {
                return Err(FieldError::TooLong);
            }
            let parameters = member.items.0.iter().map(|item| &item.parameters).chain([&member.parameters]);
            for Parameters(parameters) in parameters {
                once(parameters, MAX_PARAMETERS, |(name, _)| name.as_str())?;
            }
        }
        Ok(())
    }
}

/// Whether there are at most so many, and each has a name of its own.
fn once<T>(things: &[T], most: usize, name: impl Fn(&T) -> &str) -> Result<(), FieldError> {
    if things.len() > most {
        return Err(FieldError::TooLong);
    }
    let twice = |(at, thing)| things[..at].iter().any(|earlier| name(earlier) == name(thing));
    if things.iter().enumerate().any(twice) { Err(FieldError::Twice) } else { Ok(()) }
}

impl Member<'_> {
    /// The inner list, if it is one.
    pub(crate) fn list(&self) -> Option<List<'_>> {
        self.list.then_some(List { items: &self.items.0, parameters: &self.parameters })
    }

    /// The byte sequence, if it is one.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match (self.list, &self.items.0[..]) {
            (false, [item]) => item.value.as_byte_sequence(),
            _ => None,
        }
    }

    /// Writes the value as RFC 8941 §4.1 has it.
    pub(crate) fn write(&self, text: &mut String) {
        match (self.list(), &self.items.0[..]) {
            (Some(list), _) => list.write(text),
            (None, items) => items.iter().for_each(|item| item.write(text)),
        }
    }
}

impl List<'_> {
    /// Writes it as RFC 8941 §4.1 has it.
    pub(crate) fn write(&self, text: &mut String) {
        let mut outer = ListSerializer::with_buffer(text);
        let mut list = outer.inner_list();
        for Item { value, parameters } in self.items {
            let _ = list.bare_item(value).parameters(parameters.pairs());
        }
        let _ = list.finish().parameters(self.parameters.pairs());
    }
}

impl Item<'_> {
    /// Writes it as RFC 8941 §4.1 has it.
    pub(crate) fn write(&self, text: &mut String) {
        let item = ItemSerializer::with_buffer(text).bare_item(&self.value);
        let _ = item.parameters(self.parameters.pairs());
    }

    /// The text, if it is a string.
    pub(crate) fn text(&self) -> Option<&str> {
        self.value.as_string().map(sfv::StringRef::as_str)
    }
}

impl<'a> Parameters<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&BareItemFromInput<'a>> {
        self.0.iter().find(|(own, _)| own.as_str() == name).map(|(_, value)| value)
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'a KeyRef, &BareItemFromInput<'a>)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

// What follows notes what the parser finds; it is judged afterwards, as a whole.

impl<'a> DictionaryVisitor<'a> for Dictionary<'a> {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, name: &'a KeyRef) -> Result<impl EntryVisitor<'a>, Infallible> {
        let parameters = Parameters::default();
        self.0.push(Member { name: name.as_str(), list: false, items: Items::default(), parameters });
        Ok(self.0.last_mut())
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

impl<'a> EntryVisitor<'a> for &mut Member<'a> {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(&mut self.items)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'a>, Infallible> {
        self.list = true;
        Ok(self)
    }
}

impl<'a> InnerListVisitor<'a> for &mut Member<'a> {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'a>, Infallible> {
        Ok(&mut self.items)
    }

    fn finish(self) -> Result<impl ParameterVisitor<'a>, Infallible> {
        Ok(&mut self.parameters)
    }
}

impl<'a> ItemVisitor<'a> for &mut Items<'a> {
    type Out = Option<()>;
    type Error = Infallible;

    fn bare_item(
        self,
        value: BareItemFromInput<'a>,
    ) -> Result<impl ParameterVisitor<'a, Out = Option<()>>, Infallible> {
        self.0.push(Item { value, parameters: Parameters::default() });
        Ok(self.0.last_mut().map(|item| &mut item.parameters))
    }
}

impl<'a> ParameterVisitor<'a> for &mut Parameters<'a> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, name: &'a KeyRef, value: BareItemFromInput<'a>) -> Result<(), Infallible> {
        self.0.push((name, value));
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_once() {
        for twice in ["a=1, b, a=2", "a;x=1;x=1", "a=(1 2;x;x)", "a=(1 2);x;y;x"] {
            assert_eq!(Dictionary::read(twice.as_bytes()).unwrap_err(), FieldError::Twice, "{twice}");
        }
        for once in ["a=1, b;a, c=(1;a 2;a);a", ""] {
            assert!(Dictionary::read(once.as_bytes()).is_ok(), "{once}");
        }
    }

    #[test]
    fn what_is_longer_than_anybody_needs_is_refused() {
        let names = |count: usize| (0..count).map(|number| format!("a{number}")).collect::<Vec<_>>();
        assert!(Dictionary::read(names(MAX_MEMBERS).join(",").as_bytes()).is_ok());
        for long in [
            names(MAX_MEMBERS + 1).join(","),
            format!("a=({})", "1 ".repeat(MAX_ITEMS + 1)),
            format!("a;{}", names(MAX_PARAMETERS + 1).join(";")),
            format!("a=\"{}\"", "x".repeat(MAX_BYTES)),
        ] {
            assert_eq!(Dictionary::read(long.as_bytes()).unwrap_err(), FieldError::TooLong, "{long}");
        }
    }

    #[test]
    fn numbers_that_are_too_large_dates_and_other_alphabets_are_no_syntax() {
        for odd in
            ["a=1000000000000000", "a=@1", "a=%\"x\"", "a=\"\u{e4}\"", "A=1", "a=1,", "a=(1", "a=:A A:", "a=\"\\n\""]
        {
            assert_eq!(Dictionary::read(odd.as_bytes()).unwrap_err(), FieldError::Syntax, "{odd}");
        }
    }

    #[test]
    fn what_was_read_is_written_in_the_one_canonical_way() {
        for (received, canonical) in [
            (r#"a=( "x";b   "y" );created=0012;k="q\"\\""#, r#"("x";b "y");created=12;k="q\"\\""#),
            ("a=:AAA:;x=?1", ":AAA=:;x"),
            ("a;x=?1;y=1.50", "?1;x;y=1.5"),
        ] {
            let dictionary = Dictionary::read(received.as_bytes()).unwrap();
            let mut text = String::new();
            dictionary.members()[0].write(&mut text);
            assert_eq!(text, canonical);
        }
    }

    #[test]
    fn lines_are_one_value() {
        let mut headers = HeaderMap::new();
        assert_eq!(joined(&headers, "a"), Ok(None));
        headers.append("a", HeaderValue::from_static("x=1"));
        headers.append("a", HeaderValue::from_static("y=2"));
        assert_eq!(joined(&headers, "a").unwrap().as_deref(), Some(&b"x=1, y=2"[..]));
    }
}
