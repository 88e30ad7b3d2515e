//! C types as far as declarations need them, and what names stand for.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use bridge32_protocol::interface::{Enumeration, Integer, Scalar, Width};
use bridge32_protocol::target::Target;

use crate::builtin;
use crate::expression::{CastType, Context, Expr, Value, parse};
use crate::lexer::Token;
use crate::prototypes::FunctionType;
use crate::structures::Layout;

/// Pointers to pointers to … beyond this are not a type of anybody's. What is made of a type must stay below the nesting
/// that JSON parsers accept (128).
const MAX_DEPTH: usize = 16;

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
        size: ArraySize,
    },
    /// A structure or union, complete or not: its tag, or a name that no tag can have.
    Struct(Rc<str>),
    Function(Rc<FunctionType>),
    /// A value that only the library, or the operating system, makes use of.
    Handle {
        kind: String,
        /// It is the operating system's.
        system: bool,
    },
    /// `BSTR`
    Bstr,
    /// Known to C, but to nobody here: `long double`.
    Other(String),
    /// One that the header gives a size, a layout or an alignment of which nothing is known here: why.
    Refused(String),
    /// A name that nobody declared.
    Unknown(String),
}

impl CType {
    /// A scalar that is no character of a string.
    pub(crate) fn scalar(scalar: Scalar) -> Self {
        Self::Scalar { scalar, characters: None }
    }

    /// Whether another pointer, array or function may be made of it.
    pub(crate) fn is_shallow(&self) -> bool {
        self.depth() < MAX_DEPTH
    }

    /// How many pointers, arrays and functions it is made of.
    pub(crate) fn depth(&self) -> usize {
        let (mut ty, mut depth) = (self, 0);
        while let Self::Pointer { to, .. } | Self::Array { of: to, .. } = ty {
            ty = to;
            depth += 1;
        }
        if let Self::Function(function) = ty { depth + function.depth } else { depth }
    }

    /// What an argument of this type really is: the address of an array or a function.
    pub(crate) fn decayed(&self) -> Self {
        match self {
            Self::Array { of, constant, .. } => Self::Pointer { to: of.clone(), constant: *constant },
            Self::Function(_) => Self::Pointer { to: Rc::new(self.clone()), constant: false },
            other => other.clone(),
        }
    }
}

/// How many elements an array has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ArraySize {
    Known(u32),
    /// `[]`, and the older `[0]` for the same.
    Open,
    /// Why the number is not understood.
    Unknown(String),
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

/// Names of members of members of … are not longer.
const MAX_NESTED: usize = 100;

/// The names of structures that have none begin so; no tag does.
pub(crate) const NAMELESS: char = '@';

/// What the names in a header stand for, as far as it was read.
pub(crate) struct Types {
    target: Target,
    unicode: bool,
    typedefs: HashMap<String, Qualified>,
    /// What the tags of enumerations stand for.
    tags: HashMap<String, CType>,
    /// The structures and unions with a body.
    pub(crate) layouts: HashMap<Rc<str>, Layout>,
    /// The same, in the order of their ends.
    pub(crate) layout_order: Vec<Rc<str>>,
    /// The names that typedefs gave to structures, and to pointers to nameless ones, in the order of the header.
    aliases: HashMap<Rc<str>, Vec<String>>,
    /// The members that nameless structures are types of: the structure around, and the member's name or index.
    nested: HashMap<Rc<str>, (Rc<str>, String)>,
    nameless: usize,
    pub(crate) enumerations: BTreeMap<String, Enumeration>,
    /// The enumerators and, when all is read, the macros that are integers.
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
            layouts: HashMap::new(),
            layout_order: Vec::new(),
            aliases: HashMap::new(),
            nested: HashMap::new(),
            nameless: 0,
            enumerations: BTreeMap::new(),
            constants: BTreeMap::new(),
        }
    }

    /// `time_t` has 32 bits, as `_USE_32BIT_TIME_T` says.
    pub(crate) fn shorten_time(&mut self) {
        if let Some(short) = self.lookup("__time32_t") {
            self.define("time_t".to_owned(), short);
        }
    }

    /// The sizes of files have 64 bits, as `_FILE_OFFSET_BITS=64` says, and times, as `_TIME_BITS=64` does.
    pub(crate) fn widen(&mut self, files: bool, times: bool) {
        let files = if files { builtin::FILE_SIZES } else { &[] };
        let times: &[(&str, &str)] = if times { &[("time_t", "int64_t")] } else { &[] };
        for (name, wide) in files.iter().chain(times) {
            if let Some(wide) = self.lookup(wide) {
                self.define((*name).to_owned(), wide);
            }
        }
    }

    /// Of a type compilers disagree.
    pub(crate) fn refuse(&mut self, name: &str, why: &str) {
        self.define(name.to_owned(), Qualified::new(CType::Refused(why.to_owned())));
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
        self.call(&ty.ty, &name);
        self.typedefs.insert(name, ty);
    }

    /// Remembers that a structure has a name besides its tag.
    pub(crate) fn call(&mut self, ty: &CType, name: &str) {
        let mut inner = ty;
        while let CType::Pointer { to, .. } | CType::Array { of: to, .. } = inner {
            inner = to;
        }
        let CType::Struct(id) = inner else { return };
        if matches!(ty, CType::Struct(_)) || id.starts_with(NAMELESS) {
            self.aliases.entry(id.clone()).or_default().push(name.to_owned());
        }
    }

    /// Remembers that a nameless structure is the type of a member.
    pub(crate) fn nest(&mut self, ty: &CType, around: &Rc<str>, member: String) {
        let mut ty = ty;
        while let CType::Pointer { to, .. } | CType::Array { of: to, .. } = ty {
            ty = to;
        }
        if let CType::Struct(id) = ty
            && id.starts_with(NAMELESS)
        {
            self.nested.entry(id.clone()).or_insert_with(|| (around.clone(), member));
        }
    }

    /// What a structure is called where nothing else is called so: as its typedef, as its tag, as the member that it
    /// is the type of.
    pub(crate) fn preferred_name(&self, id: &Rc<str>) -> String {
        let is_it =
            |name: &&String| self.typedefs.get(*name).is_some_and(|found| found.ty == CType::Struct(id.clone()));
        let mut members = Vec::new();
        let mut id = id;
        loop {
            let aliases = self.aliases.get(id).map_or(&[][..], Vec::as_slice);
            let name = aliases.iter().find(is_it).or(aliases.first().filter(|_| id.starts_with(NAMELESS)));
            let name = match (name, self.nested.get(id)) {
                (Some(name), _) => name.clone(),
                (None, Some((around, member))) if id.starts_with(NAMELESS) && members.len() < MAX_NESTED => {
                    members.push(&**member);
                    id = around;
                    continue;
                }
                _ if id.starts_with(NAMELESS) => format!("unnamed{}", &id[NAMELESS.len_utf8()..]),
                _ => id.to_string(),
            };
            return members.iter().rev().fold(name, |name, member| name + "." + member);
        }
    }

    /// Whether the library is one of Windows.
    pub(crate) fn is_windows(&self) -> bool {
        self.target.is_windows()
    }

    /// The bytes of a pointer.
    pub(crate) fn pointer_bytes(&self) -> u8 {
        self.target.pointer_bytes()
    }

    /// A name for a structure that has none.
    pub(crate) fn nameless(&mut self) -> Rc<str> {
        self.nameless += 1;
        Rc::from(format!("{NAMELESS}{}", self.nameless))
    }

    /// Whether both have the same shape, and the first says more: a truth value, characters, a handle.
    fn is_finer(&self, known: &CType, declared: &CType) -> bool {
        match (known, declared) {
            (CType::Scalar { scalar: a, characters }, CType::Scalar { scalar: b, .. }) => {
                let size = self.size(known) == self.size(declared);
                size && (matches!((a, b), (Scalar::Boolean(_), Scalar::Integer(_))) || characters.is_some())
            }
            (CType::Pointer { to: a, .. }, CType::Pointer { to: b, .. }) => self.is_finer(a, b),
            (CType::Handle { .. } | CType::Bstr, CType::Pointer { .. }) => true,
            _ => false,
        }
    }

    /// `enum tag { … }`, or with the name of the typedef around it; `other` is what it is where it is no `int`.
    pub(crate) fn define_enumeration(
        &mut self,
        tag: Option<&str>,
        key: Option<&str>,
        enumeration: Enumeration,
        other: Option<CType>,
    ) -> CType {
        self.constants.extend(enumeration.enumerators.iter().cloned());
        let ty = match (other, key.or(tag)) {
            (Some(other), _) => other,
            (None, Some(key)) => {
                self.enumerations.insert(key.to_owned(), enumeration);
                CType::scalar(Scalar::Enumeration(key.to_owned()))
            }
            (None, None) => self.enumeration(None),
        };
        if let Some(tag) = tag {
            self.tags.insert(tag.to_owned(), ty.clone());
        }
        ty
    }

    /// Whether an enumeration of that tag was declared.
    pub(crate) fn is_enumeration(&self, tag: &str) -> bool {
        self.tags.contains_key(tag)
    }

    /// `enum tag`: an unknown type where nobody declares it; it may be as small as a byte. Without a tag, an `int`.
    pub(crate) fn enumeration(&self, tag: Option<&str>) -> CType {
        let Some(tag) = tag else { return CType::scalar(Scalar::Integer(Integer { width: Width::W32, signed: true })) };
        self.tags.get(tag).cloned().unwrap_or_else(|| CType::Unknown(format!("enum {tag}")))
    }

    /// `struct id { … }`. False if it is defined already, and otherwise: then that stays.
    pub(crate) fn define_structure(&mut self, id: Rc<str>, layout: Layout) -> bool {
        if let Some(earlier) = self.layouts.get(&id).filter(|earlier| !earlier.built_in) {
            return earlier.is_like(&layout);
        }
        if self.layouts.insert(id.clone(), layout).is_none() {
            self.layout_order.push(id);
        }
        true
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
            CType::Pointer { .. } | CType::Handle { .. } | CType::Bstr => self.target.pointer_bytes(),
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
            self.enumeration(words.get(1).copied())
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
            // `BOOLEAN` is an `unsigned char`.
            CType::Scalar { scalar: Scalar::Boolean(Width::W8), .. } if first == "BOOLEAN" => {
                CastType::Integer { bits: 8, signed: false }
            }
            CType::Scalar { scalar: Scalar::Boolean(Width::W8), .. } => CastType::Boolean,
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
