//! C types as far as declarations need them, and what names stand for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use bridge32_protocol::interface::{Enumeration, Integer, Scalar, Width};
use bridge32_protocol::target::Target;

use crate::builtin;
use crate::expression::{CastType, Context, Expr, Value, parse};
use crate::lexer::Token;

/// Pointers to pointers to … beyond this are not a type of anybody's.
const MAX_DEPTH: usize = 32;

/// What characters a type holds that strings are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Characters {
    /// `char`: in the encoding that the header, the configuration or the comment says.
    Narrow,
    /// `wchar_t`
    Wide,
    /// `WCHAR`, `char16_t`
    Utf16,
}

/// A C type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CType {
    Void,
    Scalar {
        scalar: Scalar,
        characters: Option<Characters>,
    },
    Pointer {
        to: Rc<CType>,
        constant: bool,
    },
    Array {
        of: Rc<CType>,
        constant: bool,
        size: Option<i64>,
    },
    /// A structure or union, complete or not.
    Struct(String),
    Function,
    /// Known to C, but to nobody here: `long double`.
    Other(String),
    /// A name that nobody declared.
    Unknown(String),
}

impl CType {
    /// A scalar that is no character of a string.
    pub(crate) fn scalar(scalar: Scalar) -> Self {
        Self::Scalar { scalar, characters: None }
    }

    /// Whether another pointer or array may be made of it.
    pub(crate) fn is_shallow(&self) -> bool {
        let (mut ty, mut depth) = (self, 0);
        while let Self::Pointer { to, .. } | Self::Array { of: to, .. } = ty {
            ty = to;
            depth += 1;
        }
        depth < MAX_DEPTH
    }
}

/// A type, and whether it is `const`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Qualified {
    pub(crate) ty: CType,
    pub(crate) constant: bool,
}

impl Qualified {
    /// Not `const`.
    pub(crate) fn new(ty: CType) -> Self {
        Self { ty, constant: false }
    }
}

/// What the names in a header stand for, as far as it was read.
pub(crate) struct Types {
    target: Target,
    unicode: bool,
    typedefs: HashMap<String, Qualified>,
    /// From tags to keys of `enumerations`.
    tags: HashMap<String, String>,
    /// The structures and unions with a body.
    structures: HashSet<String>,
    pub(crate) enumerations: BTreeMap<String, Enumeration>,
    /// The enumerators.
    pub(crate) constants: BTreeMap<String, i64>,
}

impl Types {
    /// Only what is built in.
    pub(crate) fn new(target: Target, unicode: bool) -> Self {
        Self {
            target,
            unicode,
            typedefs: HashMap::new(),
            tags: HashMap::new(),
            structures: HashSet::new(),
            enumerations: BTreeMap::new(),
            constants: BTreeMap::new(),
        }
    }

    /// The type that a name stands for.
    pub(crate) fn lookup(&self, name: &str) -> Option<Qualified> {
        let declared = self.typedefs.get(name).cloned();
        declared.or_else(|| builtin::lookup(name, self.unicode, self.target.is_windows()))
    }

    /// Whether a name is that of a type.
    pub(crate) fn is_type(&self, name: &str) -> bool {
        self.lookup(name).is_some()
    }

    /// `typedef`. What is built in and known better stays: `BOOL` is a truth value, though headers say `int`.
    pub(crate) fn define(&mut self, name: String, ty: Qualified) {
        let known = builtin::lookup(&name, self.unicode, self.target.is_windows());
        if known.is_some_and(|known| self.is_finer(&known.ty, &ty.ty)) {
            return;
        }
        self.typedefs.insert(name, ty);
    }

    /// Whether both have the same shape, and the first says more: a truth value, characters, a named structure.
    fn is_finer(&self, known: &CType, declared: &CType) -> bool {
        match (known, declared) {
            (CType::Scalar { scalar: a, characters }, CType::Scalar { scalar: b, .. }) => {
                let size = self.size(known) == self.size(declared);
                size && (matches!((a, b), (Scalar::Boolean(_), Scalar::Integer(_))) || characters.is_some())
            }
            (CType::Pointer { to: a, .. }, CType::Pointer { to: b, .. }) => self.is_finer(a, b),
            (CType::Struct(_), CType::Void) => true,
            _ => false,
        }
    }

    /// `enum tag { … }`, or with the name of the typedef around it.
    pub(crate) fn define_enumeration(&mut self, tag: Option<&str>, key: Option<&str>, enumeration: Enumeration) {
        self.constants.extend(enumeration.enumerators.iter().cloned());
        if let Some(key) = key.or(tag) {
            if let Some(tag) = tag {
                self.tags.insert(tag.to_owned(), key.to_owned());
            }
            self.enumerations.insert(key.to_owned(), enumeration);
        }
    }

    /// `enum tag`: an `int` where its values are not known.
    pub(crate) fn enumeration(&self, tag: Option<&str>) -> CType {
        let key = tag.and_then(|tag| self.tags.get(tag));
        CType::scalar(key.map_or_else(
            || Scalar::Integer(Integer { width: Width::W32, signed: true }),
            |key| Scalar::Enumeration(key.clone()),
        ))
    }

    /// `struct name { … }`
    pub(crate) fn complete(&mut self, structure: &str) {
        self.structures.insert(structure.to_owned());
    }

    /// Whether the members of a structure are known to somebody.
    pub(crate) fn is_complete(&self, structure: &str) -> bool {
        self.structures.contains(structure) || builtin::is_structure(structure)
    }

    /// The type that several keywords make: `long unsigned int`.
    pub(crate) fn words(&self, words: &[&str]) -> CType {
        if let [word] = words {
            return self.lookup(word).map_or_else(|| CType::Unknown((*word).to_owned()), |found| found.ty);
        }
        let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
        let known = ["unsigned", "signed", "char", "short", "int", "long"];
        if words.is_empty() || !words.iter().all(|word| known.contains(word)) {
            return CType::Other(words.join(" "));
        }
        let signed = count("unsigned") == 0;
        let width = match (count("char"), count("short"), count("long")) {
            (1, ..) => Width::W8,
            (_, 1, _) => Width::W16,
            (_, _, 1) => Width::Long,
            (_, _, 2) => Width::W64,
            _ => Width::W32,
        };
        CType::scalar(Scalar::Integer(Integer { width, signed }))
    }

    /// The bytes of a scalar or pointer.
    pub(crate) fn size(&self, ty: &CType) -> Option<u8> {
        Some(match ty {
            CType::Scalar { scalar, .. } => match scalar {
                Scalar::Integer(integer) => integer.width.bytes(self.target),
                Scalar::Boolean(width) => width.bytes(self.target),
                Scalar::Float | Scalar::Enumeration(_) => 4,
                Scalar::Double => 8,
            },
            CType::Pointer { .. } => self.target.pointer_bytes(),
            _ => return None,
        })
    }

    /// The type of `(type)` and `sizeof(type)`.
    fn cast(&self, tokens: &[Token]) -> Option<CastType> {
        let stars = tokens.iter().filter(|token| token.is("*")).count();
        let mut words: Vec<&str> = tokens.iter().filter_map(|token| token.identifier()).collect();
        if words.is_empty() || words.len() + stars != tokens.len() {
            return None;
        }
        words.retain(|word| !matches!(*word, "const" | "volatile"));
        let first = *words.first()?;
        let keyword = matches!(first, "unsigned" | "signed" | "char" | "short" | "int" | "long");
        let ty = if first == "enum" {
            self.enumeration(None)
        } else if keyword || (words.len() == 1 && self.is_type(first)) {
            self.words(&words)
        } else {
            return None;
        };
        if stars > 0 {
            return Some(CastType::Sized(self.target.pointer_bytes()));
        }
        let bytes = self.size(&ty)?;
        Some(match ty {
            CType::Scalar { scalar: Scalar::Integer(Integer { signed, .. }), .. } => {
                CastType::Integer { bits: bytes * 8, signed }
            }
            CType::Scalar { scalar: Scalar::Boolean(_) | Scalar::Enumeration(_), .. } => {
                CastType::Integer { bits: bytes * 8, signed: true }
            }
            _ => CastType::Sized(bytes),
        })
    }

    /// Parses an integer expression with the types of the target.
    pub(crate) fn expression(&self, tokens: &[Token]) -> Result<Expr, String> {
        let context = Context {
            wide: false,
            long_bits: self.target.long_bytes() * 8,
            size_bits: self.target.pointer_bytes() * 8,
            types: &|tokens| self.cast(tokens),
        };
        parse(tokens, &context)
    }

    /// The value of an enumerator, as an operand.
    pub(crate) fn constant(&self, name: &str) -> Option<Value> {
        let number = *self.constants.get(name)?;
        let bits = if i32::try_from(number).is_ok() { 32 } else { 64 };
        Some(Value::new(i128::from(number), bits, true))
    }
}
