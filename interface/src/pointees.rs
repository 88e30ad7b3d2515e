//! What lies behind a pointer, in an array or in a structure: the types of values, and those of pointers among them.

use bridge32_protocol::interface::{Array, Encoding, Extent, Integer, Pointer, Scalar, Type, Width};

use crate::parameters::{Decided, Passing, Role, handle};
use crate::prototypes::FunctionType;
use crate::report::Topic;
use crate::signatures::signature;
use crate::types::{ArraySize, CType, Characters};
use crate::unsupported::Reason;

impl Passing<'_> {
    /// Whether the members of a structure are known.
    pub(crate) fn is_complete(&self, id: &str) -> bool {
        self.around.types.layouts.contains_key(id)
    }

    /// Passing by value.
    pub(crate) fn value(&mut self, ty: &CType) -> Decided {
        let reason = match ty {
            CType::Void if self.role == Role::Result => None,
            CType::Void => Some(Reason::Type(self.declared.spelling.clone())),
            _ => self.element_problem(ty),
        };
        match reason {
            None => self.element(ty),
            Some(reason) => (self.unsupported(), Some(reason)),
        }
    }

    fn unsupported(&self) -> Type {
        Type::Unsupported { spelling: self.declared.spelling.clone() }
    }

    /// Why there can be no value of a type. Behind a pointer, `void` is bytes.
    pub(crate) fn element_problem(&self, ty: &CType) -> Option<Reason> {
        let spelling = || self.declared.spelling.clone();
        Some(match ty {
            CType::Struct(id) => match self.around.structures.problem(id) {
                Some(problem) => Reason::Structure(spelling(), problem.to_owned()),
                None if self.is_complete(id) => return None,
                None => Reason::Incomplete(spelling()),
            },
            CType::Array { of, size: ArraySize::Known(_), .. } => return self.element_problem(of),
            CType::Array { .. } => Reason::ArrayLength(spelling()),
            CType::Function(_) | CType::Other(_) => Reason::Type(spelling()),
            CType::Refused(why) => Reason::Layout(spelling(), why.clone()),
            CType::Unknown(name) => Reason::Unknown(name.clone()),
            CType::Void | CType::Scalar { .. } | CType::Pointer { .. } | CType::Handle { .. } | CType::Bstr => {
                return None;
            }
        })
    }

    /// A value, an element of an array, or what a pointer points to.
    pub(crate) fn element(&mut self, ty: &CType) -> Decided {
        let ty = match ty {
            CType::Void => Type::Void,
            CType::Scalar { scalar, .. } => Type::Scalar(scalar.clone()),
            CType::Struct(id) => Type::Structure(self.around.structures.name(id, self.around.types)),
            CType::Array { of, size: ArraySize::Known(count), .. } => {
                let text = match &**of {
                    CType::Scalar { characters: Some(characters), .. } => Some(self.encoding(*characters)),
                    _ => None,
                };
                let (of, reason) = self.element(of);
                return (Type::Array(Box::new(Array { of, count: *count, text })), reason);
            }
            CType::Pointer { to, constant } => self.inner_pointer(to, *constant),
            CType::Handle { kind, system } => handle(false, kind.clone(), *system),
            CType::Bstr => {
                let to = Type::Scalar(Scalar::Integer(Integer { width: Width::W16, signed: false }));
                let pointer = Pointer { to, constant: false, extent: Extent::Bstr, freed_by: None };
                Type::Pointer(Box::new(pointer))
            }
            CType::Array { .. } | CType::Function(_) | CType::Other(_) | CType::Refused(_) | CType::Unknown(_) => {
                self.unsupported()
            }
        };
        (ty, None)
    }

    /// A pointer to a function, itself the parameter, result or member.
    pub(crate) fn callback(&mut self, function: &FunctionType) -> Decided {
        if matches!(self.role, Role::Result | Role::CallbackParameter) || self.declared.handle {
            return (handle(false, "function".to_owned(), false), None);
        }
        let spelling = &self.declared.spelling;
        match (signature(function, self.around, self.reporter), self.role) {
            (Ok(passed), _) => {
                self.notes.extend(passed.notes);
                (Type::Callback(Box::new(passed.what)), None)
            }
            (Err(_), Role::Member) => (handle(false, "function".to_owned(), false), None),
            (Err(problem), _) => (self.unsupported(), Some(Reason::Callback(spelling.clone(), problem))),
        }
    }

    /// A pointer that lies behind another, or in an array.
    fn inner_pointer(&mut self, to: &CType, constant: bool) -> Type {
        if let CType::Function(function) = to {
            // An array of callbacks in a structure; behind a pointer it is the library's.
            return match self.role {
                Role::Member => self.callback(function).0,
                _ => handle(constant, "function".to_owned(), false),
            };
        }
        if let Some(ty) = self.inner_buffer(to, constant) {
            return ty;
        }
        let terminated = self.declared.sal.iter().any(|sal| sal.inner && sal.terminated);
        let extent = match to {
            CType::Scalar { characters: Some(characters), .. } => Extent::Text(self.encoding(*characters)),
            CType::Scalar { .. } if terminated => Extent::Text(self.encoding(Characters::Narrow)),
            CType::Struct(id) if constant && self.around.structures.is_usable(id) => Extent::One,
            _ => return self.handle_to(to, constant),
        };
        let to = self.element(to).0;
        Type::Pointer(Box::new(Pointer { to, constant, extent, freed_by: None }))
    }

    /// `_Outptr_result_buffer_(n)`: the library hands out so many elements. The length is read after the call.
    fn inner_buffer(&mut self, to: &CType, constant: bool) -> Option<Type> {
        let declared = self.declared;
        let (sal, length) =
            declared.sal.iter().find_map(|sal| Some((sal, sal.length.as_ref()?)).filter(|_| sal.inner))?;
        let extents = self.annotated(sal, length, false).ok()?;
        let to = if self.element_problem(to).is_some() { &CType::Void } else { to };
        let to = if matches!(to, CType::Pointer { .. }) { Type::Void } else { self.element(to).0 };
        let capacity = extents.written.unwrap_or(extents.capacity);
        let extent = Extent::Elements { capacity, written: None };
        Some(Type::Pointer(Box::new(Pointer { to, constant, extent, freed_by: None })))
    }

    /// A handle of the kind that a pointer to this is.
    pub(crate) fn handle_to(&self, to: &CType, constant: bool) -> Type {
        handle(constant, self.kind(to), false)
    }

    /// A handle for characters that nobody knows the number of.
    pub(crate) fn handle_to_characters(&self, to: &CType, constant: bool) -> Type {
        let kind = match to {
            CType::Scalar { scalar, characters } => format!("{}*", scalar_name(scalar, *characters)),
            other => self.kind(other),
        };
        handle(constant, kind, false)
    }

    /// What a handle stands for, by what it points to. Addresses of plain data go with all others.
    fn kind(&self, to: &CType) -> String {
        match to {
            CType::Struct(id) => self.around.structures.name(id, self.around.types),
            CType::Unknown(name) => name.clone(),
            CType::Handle { kind, .. } => format!("{kind}*"),
            CType::Bstr => "BSTR*".to_owned(),
            CType::Function(_) => "function".to_owned(),
            CType::Pointer { to, .. } => match &**to {
                CType::Scalar { scalar, characters } => format!("{}*", scalar_name(scalar, *characters)),
                CType::Void => "void*".to_owned(),
                inner => format!("{}*", self.kind(inner)),
            },
            CType::Void | CType::Scalar { .. } | CType::Array { .. } | CType::Other(_) | CType::Refused(_) => {
                "void".to_owned()
            }
        }
    }

    /// The encoding of a string; where nothing says it, that is noted.
    pub(crate) fn encoding(&mut self, characters: Characters) -> Encoding {
        let around = self.around;
        let function = around.encoding.filter(|_| characters == Characters::Narrow);
        if let Some(encoding) = self.declared.documentation.encoding.as_ref().or(function) {
            self.notes.state(Topic::Encoding, format!("{}: `@encoding`", encoding_name(encoding)), None);
            return encoding.clone();
        }
        let encoding = match characters {
            Characters::Wide => Encoding::Wide,
            Characters::Utf16 => Encoding::Utf16,
            Characters::Narrow => {
                let name = encoding_name(around.default_encoding);
                let text = format!("{name}, the library's default, because there is no @encoding");
                if self.role != Role::Member {
                    self.notes.assume(Topic::Encoding, text);
                }
                return around.default_encoding.clone();
            }
        };
        let text = format!("{}: its characters are wide ones", encoding_name(&encoding));
        self.notes.state(Topic::Encoding, text, None);
        encoding
    }
}

/// An encoding as people call it.
fn encoding_name(encoding: &Encoding) -> &str {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Wide => "wchar_t",
        Encoding::Utf16 => "UTF-16",
        Encoding::CodePage(name) => name,
        Encoding::Ansi => "the ANSI code page",
    }
}

/// A scalar type in the words of C.
fn scalar_name(scalar: &Scalar, characters: Option<Characters>) -> String {
    let name = match (characters, scalar) {
        (Some(Characters::Narrow), _) => "char",
        (Some(Characters::Wide), _) => "wchar_t",
        (Some(Characters::Utf16), _) => "WCHAR",
        (None, Scalar::Enumeration(name)) => name,
        (None, Scalar::Boolean(_)) => "bool",
        (None, Scalar::Float) => "float",
        (None, Scalar::Double) => "double",
        (None, Scalar::Integer(Integer { width, signed })) => match (width, signed) {
            (Width::W8, true) => "signed char",
            (Width::W8, false) => "unsigned char",
            (Width::W16, true) => "short",
            (Width::W16, false) => "unsigned short",
            (Width::W32, true) => "int",
            (Width::W32, false) => "unsigned int",
            (Width::W64, true) => "long long",
            (Width::W64, false) => "unsigned long long",
            (Width::Long, true) => "long",
            (Width::Long, false) => "unsigned long",
            (Width::Pointer, true) => "ptrdiff_t",
            (Width::Pointer, false) => "size_t",
            (Width::Wchar, _) => "wchar_t",
        },
    };
    name.to_owned()
}
