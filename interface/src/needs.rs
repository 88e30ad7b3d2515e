//! What a request has to have: of named values whose lengths refer to each other (parameters, or the members of a
//! structure) which are lengths, which of them the arrays tell, and which may be left out. The agent has the same rule for
//! what it takes; its tests hold the two together.

use bridge32_protocol::interface::{
    Direction, Expression, Extent, Field, Function, Length, Parameter, Pointer, Release, Scalar, Structure, Type,
};

/// Whether a value has to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need<'a> {
    /// Always.
    Required,
    /// Unless one of these arrays is given: it is their length.
    LengthOf(Vec<&'a str>),
    /// It may be left out: then it is null, or zero.
    Optional,
    /// It is an output, and not part of a request.
    Output,
}

/// The need of each parameter.
pub fn of(function: &Function) -> Vec<Need<'_>> {
    let members = Members::of_parameters(&function.parameters);
    (0..function.parameters.len()).map(|index| members.need(index)).collect()
}

/// The need of each member of a structure that goes in `direction`, where the function reads it: of one that it fills in, everything
/// may be left out.
pub fn of_members(structure: &Structure, direction: Direction) -> Vec<Need<'_>> {
    let members = Members::of_fields(&structure.fields, direction);
    (0..structure.fields.len()).map(|index| members.need(index)).collect()
}

/// The parameters that have to be given and are not. `given` says of a name whether it is.
pub fn missing(function: &Function, given: impl Fn(&str) -> bool) -> Vec<&Parameter> {
    let needs = of(function).into_iter().zip(&function.parameters);
    let lacking = needs.filter(|(need, parameter)| {
        !given(&parameter.name)
            && match need {
                Need::Required => true,
                Need::LengthOf(arrays) => !arrays.iter().any(|array| given(array)),
                Need::Optional | Need::Output => false,
            }
    });
    lacking.map(|(_, parameter)| parameter).collect()
}

/// Whether some length depends on this parameter.
pub fn is_length(function: &Function, index: usize) -> bool {
    Members::of_parameters(&function.parameters).is_length(index)
}

/// One of the named values.
pub(crate) struct Member<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: &'a Type,
    pub(crate) direction: Direction,
    /// A null pointer is allowed.
    pub(crate) optional: bool,
    pub(crate) description: &'a str,
    pub(crate) bits: Option<u32>,
    pub(crate) releases: Option<Release>,
    pub(crate) sensitive: bool,
}

/// All of them, in order.
pub(crate) struct Members<'a> {
    all: Vec<Member<'a>>,
    owner: Owner,
}

/// What they belong to.
#[derive(Clone, Copy)]
enum Owner {
    Function,
    Structure,
}

impl<'a> Members<'a> {
    pub(crate) fn of_parameters(parameters: &'a [Parameter]) -> Self {
        let member = |parameter: &'a Parameter| Member {
            name: &parameter.name,
            ty: &parameter.ty,
            direction: parameter.direction,
            optional: parameter.optional,
            description: &parameter.description,
            bits: None,
            releases: parameter.releases,
            sensitive: parameter.sensitive,
        };
        Self { all: parameters.iter().map(member).collect(), owner: Owner::Function }
    }

    /// Those of a structure that goes in `direction`.
    pub(crate) fn of_fields(fields: &'a [Field], direction: Direction) -> Self {
        let member = |field: &'a Field| Member {
            name: &field.name,
            ty: &field.ty,
            direction,
            optional: true,
            description: &field.description,
            bits: field.bits,
            releases: None,
            sensitive: field.sensitive,
        };
        Self { all: fields.iter().map(member).collect(), owner: Owner::Structure }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Member<'a>)> {
        self.all.iter().enumerate()
    }

    pub(crate) fn get(&self, index: usize) -> &Member<'a> {
        &self.all[index]
    }

    /// What a request has to have of this member. That of a structure counts where the function only reads it: of one that
    /// it fills in, everything may be left out.
    pub(crate) fn need(&self, own: usize) -> Need<'a> {
        match self.owner {
            Owner::Function => self.need_of_parameter(own),
            // C code leaves pointers null.
            Owner::Structure => match self.all[own].ty {
                Type::Pointer(_) | Type::Callback(_) => Need::Optional,
                _ => self.need_of_length(own),
            },
        }
    }

    fn need_of_parameter(&self, own: usize) -> Need<'a> {
        let member = &self.all[own];
        match (member.ty, member.direction) {
            (Type::Pointer(_), Direction::Out) => Need::Output,
            // Whether it could be null does not matter: what is left out is zero, if there can be such a thing.
            (Type::Pointer(pointer), Direction::InOut) => match pointer.extent {
                Extent::One if self.is_length(own) => self.need_of_length(own),
                Extent::One | Extent::TextBuffer { .. } | Extent::Elements { .. } => Need::Optional,
                Extent::Text(_) | Extent::Bstr | Extent::Handle { .. } => Need::Required,
            },
            (Type::Pointer(_) | Type::Callback(_), _) if member.optional && !self.is_called_for(own) => Need::Optional,
            _ => self.need_of_length(own),
        }
    }

    fn need_of_length(&self, own: usize) -> Need<'a> {
        match self.measured_by(own) {
            arrays if arrays.is_empty() => Need::Required,
            arrays => Need::LengthOf(arrays),
        }
    }

    /// Whether some length depends on this member.
    pub(crate) fn is_length(&self, own: usize) -> bool {
        self.lengths().any(|(_, length)| depends(&length.count, own))
    }

    /// Whether a length is needed even if nothing is given: not by arrays that are null then.
    fn is_called_for(&self, own: usize) -> bool {
        let needs = |member: &Member<'_>| member.direction != Direction::In || !member.optional;
        self.lengths().any(|(member, length)| needs(member) && depends(&length.count, own))
    }

    /// The arrays of the request that tell this member's value when it is left out.
    pub(crate) fn measured_by(&self, own: usize) -> Vec<&'a str> {
        if !matches!(integer(self.all[own].ty), Some(Scalar::Integer(_))) {
            return Vec::new();
        }
        let alone = |length: &Length| match length.count {
            Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(index) == Ok(own),
            _ => false,
        };
        let arrays = self.lengths().filter(|(member, length)| member.direction != Direction::Out && alone(length));
        arrays.map(|(member, _)| member.name).collect()
    }

    /// The members whose lengths are declared.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (&Member<'a>, &'a Length)> {
        self.all.iter().filter_map(|member| match member.ty {
            Type::Pointer(pointer) => Some((member, capacity(pointer)?)),
            _ => None,
        })
    }
}

/// The declared length of what a pointer points to.
pub(crate) const fn capacity(pointer: &Pointer) -> Option<&Length> {
    match &pointer.extent {
        Extent::Elements { capacity, .. } | Extent::TextBuffer { capacity, .. } => Some(capacity),
        _ => None,
    }
}

/// The number that a member is, or points to: what lengths may refer to.
pub(crate) fn integer(ty: &Type) -> Option<&Scalar> {
    match ty {
        Type::Scalar(scalar) => Some(scalar),
        Type::Pointer(pointer) => match (&pointer.extent, &pointer.to) {
            (Extent::One, Type::Scalar(scalar)) => Some(scalar),
            _ => None,
        },
        _ => None,
    }
}

/// Whether an expression has this member in it.
pub(crate) fn depends(expression: &Expression, own: usize) -> bool {
    match expression {
        Expression::Constant(_) | Expression::Result => false,
        Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(*index) == Ok(own),
        Expression::Add(a, b) | Expression::Subtract(a, b) | Expression::Multiply(a, b) | Expression::Divide(a, b) => {
            depends(a, own) || depends(b, own)
        }
    }
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::target::Target;

    use super::*;
    use crate::{Options, Source, read};

    fn function(header: &str) -> Function {
        let source = Source { name: "test.h", text: header.as_bytes() };
        let mut read = read(&[source], &Options::new(Target::Win32));
        assert_eq!(read.interface.functions[0].unsupported, None);
        read.interface.functions.remove(0)
    }

    fn needs(header: &str) -> Vec<String> {
        of(&function(header)).iter().map(|need| format!("{need:?}")).collect()
    }

    #[test]
    fn lengths_outputs_and_optional_pointers_may_be_left_out() {
        let header = "int f(int a, _In_reads_bytes_(n) const void *b, unsigned n, _Out_ int *out, int *both,
                            _In_opt_ const char *s, const char *t, void *context);";
        assert_eq!(
            needs(header),
            ["Required", "Required", "LengthOf([\"b\"])", "Output", "Optional", "Optional", "Required", "Optional"]
        );
    }

    #[test]
    fn the_length_of_an_output_has_to_be_given() {
        assert_eq!(needs("int f(_Out_writes_bytes_(n) void *b, unsigned n);"), ["Output", "Required"]);
        assert_eq!(needs("int f(_Out_writes_bytes_(*n) void *b, _Inout_ unsigned *n);"), ["Output", "Required"]);
        assert_eq!(needs("int f(_Out_writes_opt_(*n) int *v, _Inout_opt_ unsigned *n);"), ["Output", "Required"]);
    }

    #[test]
    fn a_length_behind_a_pointer_is_one_like_any_other() {
        assert_eq!(needs("int f(_In_reads_(*n) const int *v, const unsigned *n);"), ["Required", "LengthOf([\"v\"])"]);
        let optional = "int f(_In_reads_opt_(*n) const int *v, _In_opt_ const unsigned *n);";
        assert_eq!(needs(optional), ["Optional", "Optional"]);
        let of_output = "int f(_Out_writes_(*n) int *v, _In_opt_ const unsigned *n);";
        assert_eq!(needs(of_output), ["Output", "Required"]);
    }

    #[test]
    fn what_is_missing_depends_on_what_is_given() {
        let function = function("int f(_Inout_updates_(n) int *values, int n);");
        let lacking =
            |given: &[&str]| missing(&function, |name| given.contains(&name)).iter().map(|p| p.name.clone()).collect();
        let lacking: [Vec<String>; 3] = [lacking(&[]), lacking(&["values"]), lacking(&["n"])];
        assert_eq!(lacking, [vec!["n".to_owned()], vec![], vec![]]);
    }
}
