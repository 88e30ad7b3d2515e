//! How parameters, results, members and variables are passed: the one place where C types become those of the interface,
//! with what was assumed on the way. What lies behind pointers is decided in [`crate::pointees`], and
//! what is text in [`crate::text`].

use bridge32_protocol::interface::{
    Direction, Encoding, Extent, Parameter, Pointer, Release, Scalar, Type, Unit, Width,
};

use crate::comments::Comments;
use crate::documentation::ParameterDocumentation;
use crate::extents::Extents;
use crate::findings::{Notes, annotation};
use crate::lengths::{Operand, Scope};
use crate::lexer::Token;
use crate::members::Structures;
use crate::report::{Guess, Reporter, Topic};
use crate::sal::{Sal, is_legacy_word};
use crate::source::Position;
use crate::types::{CType, Qualified, Types};
use crate::unsupported::Reason;
use crate::usage::Usage;

/// Something as declared, with all that was said of it.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) ty: Qualified,
    /// The type as C spells it.
    pub(crate) spelling: String,
    pub(crate) at: Position,
    pub(crate) sal: Vec<Sal<'static>>,
    pub(crate) documentation: ParameterDocumentation,
    /// `@length`
    pub(crate) length: Option<Vec<Token<'static>>>,
    /// `@handle`
    pub(crate) handle: bool,
    /// `@frees`
    pub(crate) frees: Option<String>,
    /// `@releases`
    pub(crate) releases: Option<Release>,
    /// `@sensitive`
    pub(crate) sensitive: bool,
}

/// What something is declared as: it decides what is taken for granted where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Parameter,
    /// A parameter of a function that the library calls: the library gives it.
    CallbackParameter,
    Result,
    /// A member of a structure, or a variable.
    Member,
}

/// What is known around a declaration.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'s> {
    pub(crate) types: &'s Types,
    pub(crate) structures: &'s Structures,
    pub(crate) usage: &'s Usage,
    pub(crate) comments: &'s Comments<'s, 's>,
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
    pub(crate) notes: Notes,
}

impl Declared {
    pub(crate) fn stated_direction(&self) -> Option<Direction> {
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

    pub(crate) fn direction(&self, role: Role) -> Direction {
        match &self.ty.ty {
            CType::Pointer { constant, .. } | CType::Array { constant, .. } if role == Role::Parameter => {
                self.stated_direction().unwrap_or(if *constant { Direction::In } else { Direction::InOut })
            }
            CType::Pointer { .. } | CType::Array { .. } if role == Role::CallbackParameter => {
                self.stated_direction().unwrap_or(Direction::In)
            }
            _ => Direction::In,
        }
    }

    /// An annotation that says more than `IN` does.
    pub(crate) fn is_annotated(&self) -> bool {
        self.sal.iter().any(|sal| !is_legacy_word(&sal.name))
    }

    /// What lengths can refer to.
    pub(crate) fn operand(&self, role: Role) -> Operand {
        Operand { name: self.name.clone(), ty: self.ty.ty.decayed(), direction: Some(self.direction(role)) }
    }

    fn release(&self) -> Option<Release> {
        self.releases.or_else(|| self.sal.iter().any(|sal| sal.releases).then_some(Release::Always))
    }
}

/// Decides how the parameters of a function or callback are passed.
pub(crate) fn pass(
    parameters: &[Declared],
    role: Role,
    scope: Scope,
    around: &Surroundings,
    reporter: &mut Reporter,
) -> Vec<Passed<Parameter>> {
    let one = |declared: &Declared| {
        let mut passing = Passing::new(declared, role, scope, around, reporter);
        let (ty, reason) = passing.ty();
        let mut notes = passing.notes;
        declared.note_ownership(&mut notes);
        let what = Parameter {
            name: declared.name.clone(),
            direction: if is_value(&ty) { Direction::In } else { declared.direction(role) },
            optional: declared.sal.iter().any(|sal| sal.optional) || accepts_null(declared, role, &ty),
            ty,
            releases: declared.release(),
            sensitive: declared.sensitive,
            description: declared.documentation.text.clone(),
        };
        Passed { what, reason, notes }
    };
    parameters.iter().map(one).collect()
}

/// Decides how a result, a member or a variable is passed.
pub(crate) fn pass_one(
    declared: &Declared,
    role: Role,
    scope: Scope,
    around: &Surroundings,
    reporter: &mut Reporter,
) -> Passed<Type> {
    let mut passing = Passing::new(declared, role, scope, around, reporter);
    let (what, reason) = passing.ty();
    let mut notes = passing.notes;
    declared.note_ownership(&mut notes);
    Passed { what, reason, notes }
}

/// Whether nothing behind it goes either way: data by value, handles, callbacks.
fn is_value(ty: &Type) -> bool {
    match ty {
        Type::Pointer(pointer) => matches!(pointer.extent, Extent::Handle { .. } | Extent::Bstr),
        _ => true,
    }
}

/// Whether a null pointer is allowed where no annotation says: functions that take a callback or its context, or a
/// handle of the system, nearly all do, and what the library gives to a callback may always be null.
fn accepts_null(declared: &Declared, role: Role, ty: &Type) -> bool {
    match ty {
        Type::Callback(_) => !declared.is_annotated(),
        Type::Pointer(_) if role == Role::CallbackParameter => true,
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Handle { kind, system } => {
                (*system || kind == "void") && !declared.is_annotated() && declared.release().is_none()
            }
            _ => false,
        },
        _ => false,
    }
}

/// One decision.
pub(crate) struct Passing<'p> {
    pub(crate) declared: &'p Declared,
    pub(crate) role: Role,
    pub(crate) scope: Scope<'p>,
    pub(crate) around: &'p Surroundings<'p>,
    pub(crate) notes: Notes,
    pub(crate) reporter: &'p mut Reporter,
}

/// A type, or what comes close, and why that cannot be passed.
pub(crate) type Decided = (Type, Option<Reason>);

impl<'p> Passing<'p> {
    fn new(
        declared: &'p Declared,
        role: Role,
        scope: Scope<'p>,
        around: &'p Surroundings<'p>,
        reporter: &'p mut Reporter,
    ) -> Self {
        Self { declared, role, scope, around, notes: Notes::default(), reporter }
    }

    fn ty(&mut self) -> Decided {
        let declared = self.declared;
        let is_parameter = matches!(self.role, Role::Parameter | Role::CallbackParameter);
        let (mut ty, reason) = match &declared.ty.ty {
            CType::Pointer { to, constant } => self.pointer(to, *constant),
            CType::Array { of, constant, .. } if is_parameter => self.pointer(of, *constant),
            other => self.value(other),
        };
        if let (Some(function), Type::Pointer(pointer)) = (&declared.frees, &mut ty) {
            match &mut pointer.to {
                Type::Pointer(inner) if is_parameter => inner.freed_by = Some(function.clone()),
                _ => pointer.freed_by = Some(function.clone()),
            }
        }
        (ty, reason)
    }

    fn pointer(&mut self, to: &CType, constant: bool) -> Decided {
        if let CType::Function(function) = to {
            return self.callback(function);
        }
        if self.declared.handle {
            self.notes.state(Topic::Length, "a handle, whatever lies behind it: `@handle`", None);
            return (handle(constant, "void".to_owned(), false), None);
        }
        if self.declared.release().is_some() {
            return (self.handle_to(to, constant), None);
        }
        let extents = match self.extents() {
            Ok(extents) => extents,
            Err(reason) => {
                let reason = Some(reason).filter(|_| self.role != Role::Member);
                return (self.handle_to(to, constant), reason);
            }
        };
        let bytes = extents.as_ref().is_some_and(|extents| extents.capacity.unit == Unit::Bytes);
        // So many bytes of whatever it is.
        let to = if bytes && self.element_problem(to).is_some() { &CType::Void } else { to };
        let opaque = matches!(to, CType::Void) || matches!(to, CType::Struct(id) if !self.is_complete(id));
        if opaque && extents.is_none() {
            return (self.handle_to(to, constant), None);
        }
        if let Some(reason) = self.element_problem(to) {
            let refused = self.role == Role::Parameter || extents.is_some() || matches!(reason, Reason::Unknown(_));
            let reason = Some(reason).filter(|_| refused && self.role != Role::Member);
            return (self.handle_to(to, constant), reason);
        }
        let (ty, reason) = match self.characters(to, bytes) {
            Some(_) if extents.is_none() && self.may_be_a_buffer(constant) => {
                let text = "a handle, because it points to characters that are not const, and nothing says that they are \
                            a string";
                self.notes.guess(Guess::Handle, text);
                (self.handle_to_characters(to, constant), None)
            }
            Some(characters) => {
                let (extent, reason) = self.text(characters, constant, extents);
                (self.pointer_to(to, constant, extent), reason)
            }
            None => self.values(to, constant, extents),
        };
        if reason.is_none() && self.role == Role::Parameter && !is_value(&ty) {
            self.declared.note_direction(constant, &mut self.notes);
        }
        (ty, reason)
    }

    /// Elements where their number is known; else what a pointer without a length means in this role.
    fn values(&mut self, to: &CType, constant: bool, extents: Option<Extents>) -> Decided {
        if let Some(Extents { capacity, written }) = extents {
            return (self.pointer_to(to, constant, Extent::Elements { capacity, written }), None);
        }
        let stated = self.declared.is_annotated() && self.declared.stated_direction().is_some();
        let structure = constant && matches!(to, CType::Struct(_));
        let one = match self.role {
            Role::Parameter => return self.one(to, constant),
            Role::CallbackParameter => stated || !(is_byte(to) || matches!(to, CType::Pointer { .. })),
            Role::Result => structure,
            Role::Member => structure || stated || (constant && !is_byte(to) && matches!(to, CType::Scalar { .. })),
        };
        if one {
            if self.role == Role::Result {
                self.notes.guess(Guess::One, "one structure, because it is const, and nothing says how many");
            }
            return (self.pointer_to(to, constant, Extent::One), None);
        }
        if self.role == Role::CallbackParameter {
            let text = "a handle, because nothing says how much it points to";
            self.notes.guess(Guess::Handle, text);
        }
        (self.handle_to(to, constant), None)
    }

    /// A pointer parameter without a length.
    fn one(&mut self, to: &CType, constant: bool) -> Decided {
        let spelling = || self.declared.spelling.clone();
        let mut reason = None;
        if matches!(self.declared.ty.ty, CType::Array { .. }) {
            reason = Some(Reason::ArrayLength(spelling()));
        } else if !self.declared.is_annotated() {
            // A pointer to bytes is nearly always a buffer: taking it for one byte would let the library write past it.
            if is_byte(to) {
                reason = Some(Reason::ByteBuffer(spelling()));
            } else {
                return self.guess(to, constant);
            }
        } else if let Some(sal) = self.declared.sal.iter().find(|sal| !is_legacy_word(&sal.name)) {
            let text = format!("one value: {} gives no length", annotation(sal));
            self.notes.state(Topic::Length, text, Some(sal.at));
        }
        (self.pointer_to(to, constant, Extent::One), reason)
    }

    pub(crate) fn pointer_to(&mut self, to: &CType, constant: bool, extent: Extent) -> Type {
        let to = self.element(to).0;
        Type::Pointer(Box::new(Pointer { to, constant, extent, freed_by: None }))
    }
}

/// A pointer that only the library looks behind.
pub(crate) fn handle(constant: bool, kind: String, system: bool) -> Type {
    let extent = Extent::Handle { kind, system };
    Type::Pointer(Box::new(Pointer { to: Type::Void, constant, extent, freed_by: None }))
}

/// Whether it is an integer of one byte.
pub(crate) fn is_byte(ty: &CType) -> bool {
    matches!(ty, CType::Scalar { scalar: Scalar::Integer(integer), .. } if integer.width == Width::W8)
}
