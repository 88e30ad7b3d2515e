//! Which export a declaration means, and by which convention it is called.
//!
//! On i386 Windows a compiler may decorate C names: `_f@8` is stdcall with 8 bytes of arguments, `@f@8` fastcall, `_f`
//! cdecl (Microsoft, "Decorated names"; MinGW also writes `f@8`). A decorated name tells the convention when the header
//! is silent, and refuses a header that contradicts it.

use bridge32_image::lookup::{self, Lookup, Spelling};
use bridge32_image::{Export, ExportKind};
use bridge32_protocol::interface::{Convention, Function};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Fault, FaultCode};

use crate::layout::i386_stack_bytes;

/// The export that a declaration means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its name as the file has it.
    pub export: String,
    /// How it is called.
    pub convention: Convention,
}

/// Finds the export for a declaration: by its name, else by a decorated one.
///
/// # Errors
/// [`FaultCode::UnknownFunction`] or [`FaultCode::ConventionMismatch`], with what is there instead.
pub fn choose(function: &Function, exports: &[Export], target: Target) -> Result<Choice, Fault> {
    let name = function.name.as_str();
    let bytes = (target == Target::Win32).then(|| argument_bytes(function, target));
    let (export, decorated) = match lookup::find(exports, name, bytes) {
        Lookup::Found { export, spelling } => (export, convention_of(spelling)),
        Lookup::OtherArguments { export, stated, expected } => {
            let detail = format!(
                "the library exports `{}`, which takes {stated} bytes of arguments, but the header's declaration of \
                 `{name}` takes {expected}; correct the header",
                export_name(export)
            );
            return Err(fault(FaultCode::ConventionMismatch, detail));
        }
        Lookup::Ambiguous(several) => {
            let names: Vec<String> = several.iter().map(|export| format!("`{}`", export_name(export))).collect();
            let detail = format!("`{name}` may mean any of {}; declare one of them by that name", names.join(", "));
            return Err(fault(FaultCode::UnknownFunction, detail));
        }
        Lookup::Missing { similar } => return Err(unknown(name, similar)),
    };
    if export.kind == ExportKind::Data {
        let detail = format!("`{}` is data, not a function; it cannot be called", export_name(export));
        return Err(fault(FaultCode::UnsupportedDeclaration, detail));
    }
    if let (Some(declared), Some(decorated)) = (function.convention, decorated)
        && declared != decorated
    {
        let detail = format!(
            "the header declares `{name}` as {}, but the library exports `{}`, which is {}; correct the header",
            declared.keyword(),
            export_name(export),
            decorated.keyword()
        );
        return Err(fault(FaultCode::ConventionMismatch, detail));
    }
    let convention = function.convention.or(decorated).unwrap_or(Convention::Cdecl);
    Ok(Choice { export: export_name(export).to_owned(), convention })
}

/// What a decorated name says. A leading underscore alone is no proof of cdecl: some compilers put it before everything.
fn convention_of(spelling: Spelling) -> Option<Convention> {
    match spelling {
        Spelling::Decorated(bridge32_image::Convention::Stdcall) => Some(Convention::Stdcall),
        Spelling::Decorated(bridge32_image::Convention::Fastcall) => Some(Convention::Fastcall),
        _ => None,
    }
}

fn export_name(export: &Export) -> &str {
    export.name.as_deref().unwrap_or_default()
}

/// Bytes of arguments on the stack of an i386 call: what a stdcall function removes.
pub fn argument_bytes(function: &Function, target: Target) -> u32 {
    function.parameters.iter().map(|parameter| i386_stack_bytes(&parameter.ty, target)).sum()
}

/// The bytes that the function must have removed from the stack when it returns.
pub fn removed_bytes(convention: Convention, stack_bytes: usize, target: Target) -> usize {
    let callee_cleans = matches!(target, Target::Linux32 | Target::Win32) && convention != Convention::Cdecl;
    if callee_cleans { stack_bytes } else { 0 }
}

/// What a function that removed `removed` bytes instead of the expected looks like, for the error text.
pub fn mismatch(function: &Function, convention: Convention, stack_bytes: usize, removed: isize) -> Fault {
    let looks_like = match usize::try_from(removed) {
        Ok(0) => "it is a __cdecl function".to_owned(),
        Ok(bytes) if bytes == stack_bytes => "it is a __stdcall function".to_owned(),
        Ok(bytes) if bytes % 4 == 0 && bytes <= 1024 => {
            format!("it looks like a __stdcall function that takes {bytes} bytes of arguments ({} words)", bytes / 4)
        }
        _ => "the library has corrupted its stack".to_owned(),
    };
    let detail = format!(
        "`{}` was called as {} with {stack_bytes} bytes of arguments and removed {removed} bytes from the stack: {looks_like}. \
         Its answer is not told, because it would be wrong; correct the declaration",
        function.name,
        convention.keyword()
    );
    Fault { code: FaultCode::ConventionMismatch, detail, pointer: None, ran: true }
}

fn unknown(name: &str, similar: Option<&Export>) -> Fault {
    let near = similar.map_or(String::new(), |export| {
        format!("; it does export `{}`: C names are case-sensitive", export_name(export))
    });
    let detail = format!("the library does not export `{name}`{near}; list what it exports with `bridge32 exports`");
    fault(FaultCode::UnknownFunction, detail)
}

const fn fault(code: FaultCode, detail: String) -> Fault {
    Fault { code, detail, pointer: None, ran: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge32_protocol::interface::{Direction, Integer, Parameter, Scalar, Type, Width};

    fn function(parameters: usize, convention: Option<Convention>) -> Function {
        let ty = Type::Scalar(Scalar::Integer(Integer { width: Width::W32, signed: true }));
        let parameter = |n| Parameter {
            name: format!("p{n}"),
            ty: ty.clone(),
            direction: Direction::In,
            optional: false,
            releases: None,
            description: String::new(),
        };
        Function {
            name: "Add".into(),
            description: String::new(),
            result_description: String::new(),
            convention,
            parameters: (0..parameters).map(parameter).collect(),
            variadic: false,
            result: ty.clone(),
            hresult: false,
            export: None,
            lossy: false,
            idempotent: false,
            deadline_ms: None,
            unsupported: None,
            declaration: String::new(),
            line: 1,
        }
    }

    fn export(name: &str, kind: ExportKind) -> Export {
        Export {
            name: Some(name.to_owned()),
            ordinal: Some(1),
            kind,
            address: Some(0x1000),
            forwarder: None,
            decoration: bridge32_image::Decoration::parse_certain(name),
            demangled: None,
            version: None,
            hidden: false,
        }
    }

    fn chosen(names: &[&str], convention: Option<Convention>) -> Result<(String, Convention), FaultCode> {
        let exports: Vec<Export> = names.iter().map(|name| export(name, ExportKind::Function)).collect();
        choose(&function(2, convention), &exports, Target::Win32)
            .map(|choice| (choice.export, choice.convention))
            .map_err(|fault| fault.code)
    }

    #[test]
    fn a_decorated_name_tells_the_convention_where_the_header_is_silent() {
        use Convention::{Cdecl, Fastcall, Stdcall};
        for (export, convention) in
            [("Add", Cdecl), ("_Add@8", Stdcall), ("Add@8", Stdcall), ("@Add@8", Fastcall), ("_Add", Cdecl)]
        {
            assert_eq!(chosen(&[export], None), Ok((export.to_owned(), convention)));
        }
        assert_eq!(chosen(&["Add", "_Add@8"], Some(Stdcall)), Ok(("Add".into(), Stdcall)));
    }

    #[test]
    fn a_decorated_name_that_contradicts_the_header_is_refused() {
        assert_eq!(chosen(&["_Add@8"], Some(Convention::Cdecl)), Err(FaultCode::ConventionMismatch));
        assert_eq!(chosen(&["_Add@12"], Some(Convention::Stdcall)), Err(FaultCode::ConventionMismatch));
        assert_eq!(chosen(&["_Sub@8"], None), Err(FaultCode::UnknownFunction));
    }

    #[test]
    fn data_is_not_called() {
        let fault = choose(&function(2, None), &[export("Add", ExportKind::Data)], Target::Linux32).unwrap_err();
        assert_eq!(fault.code, FaultCode::UnsupportedDeclaration);
    }
}
