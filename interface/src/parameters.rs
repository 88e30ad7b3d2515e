//! How each parameter and the result are passed: the one place where C types become those of the interface, with what
//! was assumed on the way.

use bridge32_protocol::interface::{
    Direction, Encoding, Expression, Extent, Length, Parameter, Pointer, Scalar, Type, Unit, Width,
};

use crate::doxygen::ParameterDocumentation;
use crate::lengths::{self, Operand};
use crate::lexer::Token;
use crate::report::{Reporter, Topic};
use crate::sal::{Sal, SalLength, is_legacy_word};
use crate::source::Position;
use crate::types::{CType, Characters, Qualified, Types};
use crate::unsupported::Reason;

/// A parameter as declared, with all that was said of it.
#[derive(Debug)]
pub(crate) struct Declared<'a> {
    pub(crate) name: String,
    pub(crate) ty: Qualified,
    /// The type as C spells it.
    pub(crate) spelling: String,
    pub(crate) at: Position,
    pub(crate) sal: Vec<Sal<'a>>,
    pub(crate) documentation: ParameterDocumentation,
    /// `@length`
    pub(crate) length: Option<Vec<Token<'a>>>,
}

/// What is known around the parameters of one function.
pub(crate) struct Surroundings<'s> {
    pub(crate) types: &'s Types,
    /// `@encoding` of the function.
    pub(crate) encoding: Option<&'s Encoding>,
    pub(crate) default_encoding: &'s Encoding,
}

/// How something is passed.
#[derive(Debug)]
pub(crate) struct Passed<T> {
    pub(crate) what: T,
    /// Why it cannot be.
    pub(crate) reason: Option<Reason>,
    pub(crate) assumptions: Vec<(Topic, String)>,
}

impl Declared<'_> {
    fn stated_direction(&self) -> Option<Direction> {
        let mut stated = self.sal.iter().filter_map(|sal| sal.direction);
        let first = stated.next();
        match (first, stated.next()) {
            // `IN OUT`
            (Some(Direction::In), Some(Direction::Out)) | (Some(Direction::Out), Some(Direction::In)) => {
                Some(Direction::InOut)
            }
            _ => first.or(self.documentation.direction),
        }
    }

    fn direction(&self) -> Direction {
        match &self.ty.ty {
            CType::Pointer { constant, .. } | CType::Array { constant, .. } => {
                self.stated_direction().unwrap_or(if *constant { Direction::In } else { Direction::InOut })
            }
            _ => Direction::In,
        }
    }
}

/// Decides how the parameters of a function are passed.
pub(crate) fn pass(
    parameters: &[Declared],
    surroundings: &Surroundings,
    reporter: &mut Reporter,
) -> Vec<Passed<Parameter>> {
    let operands: Vec<Operand> = parameters
        .iter()
        .map(|parameter| Operand {
            name: parameter.name.clone(),
            ty: parameter.ty.ty.clone(),
            direction: Some(parameter.direction()),
        })
        .collect();
    let one = |parameter| {
        let mut passing =
            Passing { parameter, operands: &operands, surroundings, assumptions: Vec::new(), reporter: &mut *reporter };
        let (ty, reason) = passing.ty();
        let what = Parameter {
            name: parameter.name.clone(),
            ty,
            direction: parameter.direction(),
            optional: parameter.sal.iter().any(|sal| sal.optional),
            releases: None,
            description: parameter.documentation.text.clone(),
        };
        Passed { what, reason, assumptions: passing.assumptions }
    };
    parameters.iter().map(one).collect()
}

/// Decides how the result is handed back.
pub(crate) fn pass_result(ty: &Qualified, spelling: &str, surroundings: &Surroundings) -> Passed<Type> {
    let mut assumptions = Vec::new();
    let (what, reason) = match &ty.ty {
        CType::Void => (Type::Void, None),
        CType::Pointer { to, constant } => {
            if let CType::Scalar { characters: Some(characters), .. } = &**to {
                let (encoding, assumed) = text_encoding(*characters, None, surroundings);
                assumptions.extend(assumed.map(|text| (Topic::Encoding, text)));
                let text = "a NUL-terminated string, because it points to characters".to_owned();
                assumptions.push((Topic::Length, text));
                let text = "the library keeps the string, because nothing says that the caller frees it".to_owned();
                assumptions.push((Topic::Ownership, text));
                (to_pointer(to, *constant, spelling, Extent::Text(encoding)), None)
            } else {
                let reason = match pointee_reason(to, spelling, surroundings.types) {
                    Some(Reason::Unknown(name)) => Reason::Unknown(name),
                    _ => Reason::Opaque(spelling.to_owned()),
                };
                (to_pointer(to, *constant, spelling, opaque()), Some(reason))
            }
        }
        other => value(other, spelling),
    };
    Passed { what, reason, assumptions }
}

/// Passing by value.
fn value(ty: &CType, spelling: &str) -> (Type, Option<Reason>) {
    let spelling = spelling.to_owned();
    let reason = match ty {
        CType::Scalar { scalar, .. } => return (Type::Scalar(scalar.clone()), None),
        CType::Struct(_) => Reason::Structure(spelling.clone()),
        CType::Function => Reason::Callback(spelling.clone()),
        CType::Unknown(name) => Reason::Unknown(name.clone()),
        CType::Void | CType::Other(_) | CType::Pointer { .. } | CType::Array { .. } => Reason::Type(spelling.clone()),
    };
    (Type::Unsupported { spelling }, Some(reason))
}

/// Why what a pointer points to cannot be passed, however much of it there is.
fn pointee_reason(to: &CType, spelling: &str, types: &Types) -> Option<Reason> {
    let spelling = spelling.to_owned();
    Some(match to {
        CType::Scalar { .. } | CType::Void => return None,
        CType::Struct(name) if types.is_complete(name) => Reason::Structure(spelling),
        CType::Struct(_) => Reason::Opaque(spelling),
        CType::Function => Reason::Callback(spelling),
        CType::Pointer { .. } => Reason::Indirect(spelling),
        CType::Array { .. } => Reason::ArrayOfArrays(spelling),
        CType::Other(_) => Reason::Type(spelling),
        CType::Unknown(name) => Reason::Unknown(name.clone()),
    })
}

fn to_pointer(to: &CType, constant: bool, spelling: &str, extent: Extent) -> Type {
    let to = match to {
        CType::Void => Type::Void,
        CType::Scalar { scalar, .. } => Type::Scalar(scalar.clone()),
        _ => Type::Unsupported { spelling: spelling.trim_end_matches(['*', ' ']).to_owned() },
    };
    Type::Pointer(Box::new(Pointer { to, constant, extent, freed_by: None }))
}

/// The encoding of a string, and the assumption where nothing says it.
fn text_encoding(
    characters: Characters,
    stated: Option<&Encoding>,
    surroundings: &Surroundings,
) -> (Encoding, Option<String>) {
    let function = surroundings.encoding.filter(|_| characters == Characters::Narrow);
    if let Some(encoding) = stated.or(function) {
        return (encoding.clone(), None);
    }
    match characters {
        Characters::Wide => (Encoding::Wide, None),
        Characters::Utf16 => (Encoding::Utf16, None),
        Characters::Narrow => {
            let name = match surroundings.default_encoding {
                Encoding::Utf8 => "UTF-8",
                Encoding::Wide => "wchar_t",
                Encoding::Utf16 => "UTF-16",
                Encoding::CodePage(name) => name,
                Encoding::Ansi => "the ANSI code page",
            };
            let text = format!("{name}, the library's default, because there is no @encoding");
            (surroundings.default_encoding.clone(), Some(text))
        }
    }
}

fn opaque() -> Extent {
    Extent::Handle { kind: "void".to_owned(), system: false }
}

struct Passing<'p, 'a> {
    parameter: &'p Declared<'a>,
    operands: &'p [Operand],
    surroundings: &'p Surroundings<'p>,
    assumptions: Vec<(Topic, String)>,
    reporter: &'p mut Reporter,
}

/// How much lies behind a pointer, where something says it.
struct Extents {
    capacity: Length,
    written: Option<Length>,
}

impl Passing<'_, '_> {
    fn ty(&mut self) -> (Type, Option<Reason>) {
        let spelling = &self.parameter.spelling;
        let (to, constant) = match &self.parameter.ty.ty {
            CType::Pointer { to, constant } => (to, *constant),
            CType::Array { of, constant, .. } => (of, *constant),
            other => return value(other, spelling),
        };
        if let Some(reason) = pointee_reason(to, spelling, self.surroundings.types) {
            return (to_pointer(to, constant, spelling, opaque()), Some(reason));
        }
        let extents = match self.extents() {
            Ok(extents) => extents,
            Err(reason) => return (to_pointer(to, constant, spelling, opaque()), Some(reason)),
        };
        let bytes = extents.as_ref().is_some_and(|extents| extents.capacity.unit == Unit::Bytes);
        let terminated = self.parameter.sal.iter().any(|sal| sal.terminated);
        let (extent, reason) = match &**to {
            // Characters that are counted in bytes are data, unless they are said to be a string.
            CType::Scalar { characters: Some(characters), .. }
                if *characters != Characters::Narrow || !bytes || terminated =>
            {
                self.text(*characters, constant, terminated, extents)
            }
            CType::Void if extents.is_none() => (opaque(), Some(Reason::Opaque(spelling.clone()))),
            _ => self.values(extents),
        };
        if reason.is_none() && self.parameter.stated_direction().is_none() && !constant {
            let text = "in-out, because it is a non-const pointer without annotation".to_owned();
            self.assumptions.push((Topic::Direction, text));
        }
        (to_pointer(to, constant, spelling, extent), reason)
    }

    fn text(
        &mut self,
        characters: Characters,
        constant: bool,
        terminated: bool,
        extents: Option<Extents>,
    ) -> (Extent, Option<Reason>) {
        let stated = self.parameter.documentation.encoding.as_ref();
        let (encoding, assumed) = text_encoding(characters, stated, self.surroundings);
        self.assumptions.extend(assumed.map(|text| (Topic::Encoding, text)));
        let input = self.parameter.direction() == Direction::In;
        match extents {
            // `const char name[16]` is a string; `char name[16]` is a buffer.
            Some(Extents { capacity, .. }) if !(input && terminated) => {
                (Extent::TextBuffer { encoding, capacity }, None)
            }
            _ if input => {
                if !terminated {
                    let why =
                        if constant { "it points to const characters" } else { "it is an input without a length" };
                    self.assumptions.push((Topic::Length, format!("a NUL-terminated string, because {why}")));
                }
                (Extent::Text(encoding), None)
            }
            _ => {
                let spelling = self.parameter.spelling.clone();
                (Extent::Text(encoding), Some(Reason::TextCapacity(spelling)))
            }
        }
    }

    fn values(&mut self, extents: Option<Extents>) -> (Extent, Option<Reason>) {
        if let Some(Extents { capacity, written }) = extents {
            return (Extent::Elements { capacity, written }, None);
        }
        if matches!(self.parameter.ty.ty, CType::Array { .. }) {
            return (Extent::One, Some(Reason::ArrayLength(self.parameter.spelling.clone())));
        }
        // `_In_` says one; `IN` says nothing of that.
        if self.parameter.sal.iter().all(|sal| is_legacy_word(&sal.name)) {
            if self.is_byte() {
                return (Extent::One, Some(Reason::ByteBuffer(self.parameter.spelling.clone())));
            }
            self.assumptions.push((Topic::Length, "one value, because nothing says how many".to_owned()));
        }
        (Extent::One, None)
    }

    /// A pointer to bytes is nearly always a buffer: taking it for one byte would let the library write past it.
    fn is_byte(&self) -> bool {
        let CType::Pointer { to, .. } = &self.parameter.ty.ty else { return false };
        matches!(&**to, CType::Scalar { scalar: Scalar::Integer(integer), .. } if integer.width == Width::W8)
    }

    /// The length that an annotation, a tag or an array's declaration gives.
    fn extents(&mut self) -> Result<Option<Extents>, Reason> {
        let parameter = self.parameter;
        if let Some((sal, length)) = parameter.sal.iter().find_map(|sal| Some((sal, sal.length.as_ref()?))) {
            if length.unusual {
                let reason = format!("{} does not count from the pointer on", sal.name);
                self.reporter.error(sal.at, self.message(&reason));
                return Err(Reason::Length(reason));
            }
            return self.annotated(length, sal.at).map(Some);
        }
        if let Some(tokens) = &parameter.length {
            let at = tokens.first().map_or(parameter.at, |token| token.at);
            let count = self.expression(tokens, at)?;
            return Ok(Some(Extents { capacity: Length { count, unit: Unit::Elements }, written: None }));
        }
        match parameter.ty.ty {
            CType::Array { size: Some(size), constant, .. } if !(constant && self.is_text()) => {
                let capacity = Length { count: Expression::Constant(size), unit: Unit::Elements };
                Ok(Some(Extents { capacity, written: None }))
            }
            _ => Ok(None),
        }
    }

    fn is_text(&self) -> bool {
        let (CType::Pointer { to, .. } | CType::Array { of: to, .. }) = &self.parameter.ty.ty else { return false };
        matches!(**to, CType::Scalar { characters: Some(_), .. })
    }

    fn annotated(&mut self, length: &SalLength, at: Position) -> Result<Extents, Reason> {
        let capacity = Length { count: self.expression(&length.capacity, at)?, unit: length.unit };
        let types = self.surroundings.types;
        let written = match &length.written {
            None => None,
            Some(tokens) => match lengths::resolve(tokens, self.operands, types, false) {
                Ok(count) => Some(Length { count, unit: length.unit }),
                Err(reason) => {
                    let text = format!("all of it is valid after the call, because {reason}");
                    self.assumptions.push((Topic::Length, text));
                    None
                }
            },
        };
        // Where the same number is meant and the function does not change it, nothing is added.
        let written = written
            .filter(|written| written.count != capacity.count || matches!(capacity.count, Expression::Pointee(_)));
        Ok(Extents { capacity, written })
    }

    fn expression(&mut self, tokens: &[Token], at: Position) -> Result<Expression, Reason> {
        lengths::resolve(tokens, self.operands, self.surroundings.types, true).map_err(|reason| {
            let at = tokens.first().map_or(at, |token| token.at);
            self.reporter.error(at, self.message(&reason));
            Reason::Length(reason)
        })
    }

    fn message(&self, reason: &str) -> String {
        format!("the length of the parameter “{}” is not understood: {reason}", self.parameter.name)
    }
}
