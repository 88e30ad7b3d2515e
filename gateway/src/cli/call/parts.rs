//! Arguments put together from their parts: `line.from.x=1`, `points.0.x=2`. Which part is a member and which an element the
//! types say; a value that was given whole stays as it is.

use std::collections::BTreeMap;

use crate::json::Json;

/// One step from a value to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A member of a structure.
    Member(&'a str),
    /// An element of a list; 0 is the first.
    Element(usize),
}

/// A value, as far as it is known.
#[derive(Debug)]
pub(super) enum Part {
    /// Given whole.
    Whole(Json),
    /// By name, in the order in which they were given.
    Members(Vec<(String, Part)>),
    /// By number.
    Elements(BTreeMap<usize, Part>),
}

/// The same place is given twice: as a whole and in parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Conflict;

impl Part {
    /// What is at the end of this way into a value.
    pub(super) fn at(way: &[Step<'_>], value: Json) -> Self {
        match way {
            [] => Self::Whole(value),
            [Step::Member(name), rest @ ..] => Self::Members(vec![((*name).to_owned(), Self::at(rest, value))]),
            [Step::Element(index), rest @ ..] => Self::Elements(BTreeMap::from([(*index, Self::at(rest, value))])),
        }
    }

    /// Adds another part.
    ///
    /// # Errors
    /// It is there already.
    pub(super) fn add(&mut self, other: Self) -> Result<(), Conflict> {
        match (self, other) {
            (Self::Members(own), Self::Members(others)) => {
                for (name, other) in others {
                    match own.iter_mut().find(|(own, _)| *own == name) {
                        Some((_, own)) => own.add(other)?,
                        None => own.push((name, other)),
                    }
                }
                Ok(())
            }
            (Self::Elements(own), Self::Elements(others)) => {
                for (index, other) in others {
                    match own.get_mut(&index) {
                        Some(own) => own.add(other)?,
                        None => drop(own.insert(index, other)),
                    }
                }
                Ok(())
            }
            _ => Err(Conflict),
        }
    }

    /// The value.
    ///
    /// # Errors
    /// A list has a gap: where, from `place` on.
    pub(super) fn finish(self, place: &str) -> Result<Json, String> {
        match self {
            Self::Whole(value) => Ok(value),
            Self::Members(members) => {
                let finished = members.into_iter().map(|(name, part)| {
                    let value = part.finish(&format!("{place}.{name}"))?;
                    Ok((name, value))
                });
                finished.collect::<Result<_, String>>().map(Json::Object)
            }
            Self::Elements(elements) => {
                let finished = elements.into_iter().enumerate().map(|(expected, (index, part))| {
                    if index != expected {
                        return Err(format!(
                            "`{place}.{expected}` is missing: `{place}.{index}` is given, and a list has no gaps"
                        ));
                    }
                    part.finish(&format!("{place}.{index}"))
                });
                finished.collect::<Result<_, _>>().map(Json::List)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ways: &[&[Step<'_>]]) -> Result<Part, Conflict> {
        let mut whole = Part::Members(Vec::new());
        for (number, way) in ways.iter().enumerate() {
            whole.add(Part::at(way, Json::scalar(number.to_string())))?;
        }
        Ok(whole)
    }

    use Step::{Element, Member};

    #[test]
    fn members_keep_their_order_and_elements_have_one() {
        let whole = of(&[&[Member("b"), Element(1)], &[Member("a")], &[Member("b"), Element(0)]]).unwrap();
        assert_eq!(whole.finish("x").unwrap().compact(), r#"{"b":[2,0],"a":1}"#);
    }

    #[test]
    fn a_gap_is_named_wherever_it_is() {
        let whole = of(&[&[Member("b"), Element(0)], &[Member("b"), Element(2)]]).unwrap();
        assert_eq!(whole.finish("x").unwrap_err(), "`x.b.1` is missing: `x.b.2` is given, and a list has no gaps");
        let far = of(&[&[Member("b"), Element(usize::MAX)]]).unwrap();
        assert!(far.finish("x").unwrap_err().starts_with("`x.b.0` is missing"));
    }

    #[test]
    fn a_whole_and_its_parts_do_not_go_together_in_any_order() {
        let (whole, part): (&[Step], &[Step]) = (&[Member("p")], &[Member("p"), Member("y")]);
        assert_eq!(of(&[whole, part]).unwrap_err(), Conflict);
        assert_eq!(of(&[part, whole]).unwrap_err(), Conflict);
        assert_eq!(of(&[part, part]).unwrap_err(), Conflict);
    }
}
