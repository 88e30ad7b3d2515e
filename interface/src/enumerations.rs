//! Enumerations (C17, 6.7.2.2; C23, 6.7.3.3): the values of their enumerators, and what integer they are.

use bridge32_protocol::interface::{Enumeration, Integer, Scalar, Width};
use tree_sitter::Node;

use crate::annotations::Mark;
use crate::declarators::Declaration;
use crate::lexer::Token;
use crate::report::Reporter;
use crate::types::CType;

impl Declaration<'_, '_> {
    /// Whether it says the type of an enumeration that was not known: `enum e : uint8_t;`.
    pub(crate) fn is_sized(&self, node: Node) -> bool {
        self.fixed_type(node).is_some() && !self.tag(node).is_some_and(|tag| self.types.is_enumeration(tag))
    }

    /// The enumerators, and the type where it is no `int`.
    pub(crate) fn enumeration(&mut self, node: Node, reporter: &mut Reporter) -> (Enumeration, Option<CType>) {
        let (enumeration, all) = self.enumerators(node, reporter);
        let other = match self.fixed_type(node) {
            Some(tokens) => self.fixed(tokens),
            None => self.chosen(node, &enumeration, all),
        };
        (enumeration, other)
    }

    /// The enumerators up to the first that has too large a value, and whether these are all.
    fn enumerators(&mut self, node: Node, reporter: &mut Reporter) -> (Enumeration, bool) {
        let mut enumeration = Enumeration::default();
        let mut next = Some(0_i64);
        let Some(body) = node.child_by_field_name("body") else { return (enumeration, true) };
        let mut cursor = body.walk();
        for enumerator in body.named_children(&mut cursor).filter(|child| child.kind() == "enumerator") {
            let Some(name) = enumerator.child_by_field_name("name") else { continue };
            let mut at = self.chunk.tokens[self.parsed.tokens(name).start].at;
            let name = self.parsed.text(name).to_owned();
            if let Some(value) = enumerator.child_by_field_name("value") {
                at = self.chunk.tokens[self.parsed.tokens(value).start].at;
                match self.number(value) {
                    Ok(number) => next = i64::try_from(number).ok(),
                    Err(reason) => {
                        reporter.error(at, format!("the value of “{name}” is not understood: {reason}"));
                        break;
                    }
                }
            }
            let Some(number) = next else {
                reporter.error(at, format!("the value of “{name}” is not understood: it is too big"));
                return (enumeration, false);
            };
            self.types.constants.insert(name.clone(), number);
            enumeration.enumerators.push((name, number));
            next = number.checked_add(1);
        }
        (enumeration, true)
    }

    /// The words behind the colon.
    fn fixed_type(&self, node: Node) -> Option<&[Token<'_>]> {
        let own = self.parsed.tokens(node);
        let open = node.child_by_field_name("body").map_or(own.end, |body| self.parsed.tokens(body).start);
        self.marks(open, open).find_map(|(_, mark)| match mark {
            Mark::Underlying(words) => Some(&**words),
            _ => None,
        })
    }

    /// What an enumeration of this type is; `None` for one that is as large as an `int`.
    fn fixed(&self, tokens: &[Token]) -> Option<CType> {
        let words = tokens.iter().filter_map(Token::identifier);
        let words: Vec<&str> = words.filter(|word| !matches!(*word, "const" | "volatile")).collect();
        match self.types.words(&words) {
            CType::Scalar { scalar, .. } => {
                let ty = CType::scalar(scalar);
                (self.types.size(&ty) != Some(4)).then_some(ty)
            }
            other => Some(other),
        }
    }

    /// The type that compilers choose; `None` for one that is as large as an `int`.
    fn chosen(&self, node: Node, enumeration: &Enumeration, all: bool) -> Option<CType> {
        let own = self.parsed.tokens(node);
        let open = node.child_by_field_name("body").map_or(own.end, |body| self.parsed.tokens(body).start);
        let mut packed = false;
        let marks = self.marks(own.start + 1, own.end).filter(|(at, _)| *at <= open || *at == own.end);
        let marks: Vec<&Mark> = marks.map(|(_, mark)| mark).collect();
        for mark in &marks {
            match mark {
                Mark::Packed => packed = true,
                Mark::Aligned { .. } => return Some(CType::Refused("it has an alignment of its own".to_owned())),
                _ => {}
            }
        }
        if let Some(why) = self.change(marks.into_iter()) {
            return Some(CType::Refused(why));
        }
        if !all {
            return Some(CType::Refused("the value of one of its enumerators is too big".to_owned()));
        }
        let integer = smallest(enumeration);
        match integer.width {
            Width::W64 if self.types.is_windows() => {
                let why = "its enumerators do not fit 32 bits, and compilers of Windows disagree on what it is then";
                Some(CType::Refused(why.to_owned()))
            }
            Width::W64 => Some(CType::scalar(Scalar::Integer(integer))),
            Width::W32 => None,
            _ => packed.then(|| CType::scalar(Scalar::Integer(integer))),
        }
    }
}

/// The smallest integer that holds all values, as GCC packs them: with a sign only if one is negative.
fn smallest(enumeration: &Enumeration) -> Integer {
    let values = || enumeration.enumerators.iter().map(|(_, value)| *value);
    let (least, most) = (values().min().unwrap_or_default(), values().max().unwrap_or_default());
    let signed = least < 0;
    let fits = |bits: u32| {
        let (low, high) = if signed { (-(1_i64 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) };
        low <= least && most <= high
    };
    let width = match () {
        () if fits(8) => Width::W8,
        () if fits(16) => Width::W16,
        () if fits(32) => Width::W32,
        () => Width::W64,
    };
    Integer { width, signed }
}
