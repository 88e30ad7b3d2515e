//! Which arguments a call needs: what the agent refuses to go without is said before anything is sent.

use bridge32_protocol::interface::{Direction, Expression, Extent, Function, Length, Parameter, Scalar, Type};

/// Whether an argument has to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need<'a> {
    /// Always.
    Required,
    /// Unless one of these arrays is given: it is their length.
    LengthOf(Vec<&'a str>),
    /// It may be left out: then it is null, or zero.
    Optional,
    /// It is an output.
    Output,
}

/// The need of each parameter.
pub(super) fn of(function: &Function) -> Vec<Need<'_>> {
    (0..function.parameters.len()).map(|index| one(function, index)).collect()
}

fn one(function: &Function, index: usize) -> Need<'_> {
    let parameter = &function.parameters[index];
    let arrays = measured_by(function, index);
    let number = match &parameter.ty {
        Type::Scalar(Scalar::Integer(_)) => true,
        Type::Pointer(pointer) => {
            pointer.extent == Extent::One && matches!(pointer.to, Type::Scalar(Scalar::Integer(_)))
        }
        _ => false,
    };
    let as_length = |otherwise| match arrays.as_slice() {
        [_, ..] if number => Need::LengthOf(arrays.clone()),
        _ => otherwise,
    };
    match (&parameter.ty, parameter.direction) {
        (Type::Pointer(_), Direction::Out) => Need::Output,
        (Type::Pointer(pointer), Direction::InOut) => match pointer.extent {
            Extent::One if is_length(function, index) => as_length(Need::Required),
            Extent::One | Extent::TextBuffer { .. } | Extent::Elements { .. } => Need::Optional,
            Extent::Text(_) | Extent::Bstr | Extent::Handle { .. } => Need::Required,
        },
        (Type::Pointer(_) | Type::Callback(_), _) if parameter.optional => Need::Optional,
        _ => as_length(Need::Required),
    }
}

/// The parameters that have to be given and are not. `given` says of a name whether it is.
pub(super) fn missing(function: &Function, given: impl Fn(&str) -> bool) -> Vec<&Parameter> {
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

fn capacity(parameter: &Parameter) -> Option<&Length> {
    match &parameter.ty {
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Elements { capacity, .. } | Extent::TextBuffer { capacity, .. } => Some(capacity),
            _ => None,
        },
        _ => None,
    }
}

/// The arrays of the request whose length is this parameter alone.
fn measured_by(function: &Function, own: usize) -> Vec<&str> {
    let arrays = function.parameters.iter().filter(|parameter| {
        let sole = capacity(parameter).is_some_and(|length| match length.count {
            Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(index) == Ok(own),
            _ => false,
        });
        sole && parameter.direction != Direction::Out
    });
    arrays.map(|parameter| parameter.name.as_str()).collect()
}

/// Whether some length depends on this parameter.
pub(super) fn is_length(function: &Function, own: usize) -> bool {
    fn depends(count: &Expression, own: usize) -> bool {
        match count {
            Expression::Constant(_) | Expression::Result => false,
            Expression::Parameter(index) | Expression::Pointee(index) => usize::try_from(*index) == Ok(own),
            Expression::Add(a, b)
            | Expression::Subtract(a, b)
            | Expression::Multiply(a, b)
            | Expression::Divide(a, b) => depends(a, own) || depends(b, own),
        }
    }
    function.parameters.iter().filter_map(capacity).any(|length| depends(&length.count, own))
}

#[cfg(test)]
mod tests {
    use super::super::tests::interface;
    use super::*;

    fn needs(header: &str) -> Vec<String> {
        let interface = interface(header);
        of(&interface.functions[0]).iter().map(|need| format!("{need:?}")).collect()
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
    }

    #[test]
    fn what_is_missing_depends_on_what_is_given() {
        let interface = interface("int f(_Inout_updates_(n) int *values, int n);");
        let lacking = |given: &[&str]| {
            missing(&interface.functions[0], |name| given.contains(&name))
                .iter()
                .map(|p| p.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(lacking(&[]), ["n"]);
        assert!(lacking(&["values"]).is_empty() && lacking(&["n"]).is_empty());
    }
}
