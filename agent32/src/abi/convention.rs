//! Which export a declaration means, and by which convention it is called.
//!
//! On i386 Windows a compiler may decorate C names: `_f@8` is stdcall with 8 bytes of arguments, `@f@8` fastcall, `_f`
//! cdecl (Microsoft, "Decorated names"; MinGW also writes `f@8`). A decorated name tells the convention when the header
//! is silent, and refuses a header that contradicts it.

use std::fmt;

use bridge32_image::lookup::{self, Lookup, Spelling};
use bridge32_image::{Decoration, Export, ExportKind};
use bridge32_protocol::interface::{Convention, ExportName, Function, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Fault, FaultCode};

use crate::layout::Layouts;

/// The export that a declaration means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What to ask the system's loader for.
    pub symbol: Symbol,
    /// How it is called.
    pub convention: Convention,
}

/// How the system's loader knows an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// By its name, as the file has it.
    Name(String),
    /// By its number in a PE file: it has no name.
    Ordinal(u16),
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ordinal(ordinal) => write!(f, "#{ordinal}"),
        }
    }
}

impl Symbol {
    /// How an export is asked for.
    ///
    /// # Errors
    /// For one that has neither a name nor a number that a loader accepts.
    pub fn of(export: &Export) -> Result<Self, Fault> {
        match (&export.name, export.ordinal.map(u16::try_from)) {
            (Some(name), _) => Ok(Self::Name(name.clone())),
            (None, Some(Ok(ordinal))) => Ok(Self::Ordinal(ordinal)),
            _ => Err(unknown("the library's export table has an entry that cannot be asked for".into())),
        }
    }
}

/// Finds the export for a declaration: the one that it states, else the one of its name, else one of a decorated name.
///
/// # Errors
/// [`FaultCode::UnknownFunction`] or [`FaultCode::ConventionMismatch`], with what is there instead.
pub fn choose(function: &Function, exports: &[Export], layouts: &Layouts) -> Result<Choice, Fault> {
    let (export, told) = match &function.export {
        None => by_declaration(function, exports, layouts)?,
        Some(ExportName::Name(name)) => by_name(function, name, exports, layouts)?,
        Some(ExportName::Ordinal(ordinal)) => by_ordinal(function, *ordinal, exports, layouts)?,
    };
    if export.kind == ExportKind::Data {
        let detail = format!("`{}` is data, not a function; it cannot be called", shown(export));
        return Err(fault(FaultCode::UnsupportedDeclaration, detail));
    }
    if told == Told::Vectorcall {
        let detail = format!("the library exports `{}`, which is __vectorcall; that cannot be called", shown(export));
        return Err(fault(FaultCode::UnsupportedDeclaration, detail));
    }
    let told = if let Told::Convention(convention) = told { Some(convention) } else { None };
    if let (Some(declared), Some(told)) = (function.convention, told)
        && declared != told
    {
        let detail = format!(
            "the header declares `{}` as {}, but the library exports `{}`, which is {}; correct the header",
            function.name,
            declared.keyword(),
            shown(export),
            told.keyword()
        );
        return Err(fault(FaultCode::ConventionMismatch, detail));
    }
    let convention = function.convention.or(told).unwrap_or(Convention::Cdecl);
    Ok(Choice { symbol: Symbol::of(export)?, convention })
}

/// What an export's name says about the convention.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Convention(Convention),
    Vectorcall,
}

fn by_declaration<'a>(
    function: &Function,
    exports: &'a [Export],
    layouts: &Layouts,
) -> Result<(&'a Export, Told), Fault> {
    let name = function.name.as_str();
    match lookup::find(exports, name, argument_bytes(function, layouts)) {
        Lookup::Found { export, spelling } => Ok((export, told_by(spelling))),
        Lookup::OtherArguments { export, stated, expected } => Err(other_arguments(name, export, stated, expected)),
        Lookup::Ambiguous(several) => {
            let names: Vec<String> = several.iter().map(|export| format!("`{}`", shown(export))).collect();
            let names = names.join(", ");
            Err(unknown(format!("`{name}` may mean any of {names}; say which with `@export` in its comment")))
        }
        Lookup::Missing { similar } => Err(missing(name, similar)),
    }
}

/// Finds an export by exactly this name.
fn by_name<'a>(
    function: &Function,
    name: &str,
    exports: &'a [Export],
    layouts: &Layouts,
) -> Result<(&'a Export, Told), Fault> {
    let named = || exports.iter().filter(|export| export.name.as_deref() == Some(name));
    let Some(export) = named().find(|export| !export.hidden).or_else(|| named().next()) else {
        let similar = |export: &&Export| export.name.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(name));
        return Err(missing(name, exports.iter().find(similar)));
    };
    match &export.decoration {
        Some(decoration) => {
            agree(function, export, decoration, layouts)?;
            Ok((export, told_by(Spelling::Decorated(decoration.convention))))
        }
        None => Ok((export, told_by_mangling(export))),
    }
}

/// Finds an export of a PE file by its number.
fn by_ordinal<'a>(
    function: &Function,
    ordinal: u32,
    exports: &'a [Export],
    layouts: &Layouts,
) -> Result<(&'a Export, Told), Fault> {
    if !layouts.target().is_windows() {
        let detail = format!(
            "`{}` is declared with @ordinal {ordinal}, but ELF files number no exports; use @export",
            function.name
        );
        return Err(unknown(detail));
    }
    let export = exports.iter().find(|export| export.ordinal == Some(ordinal)).ok_or_else(|| {
        unknown(format!("the library has no export number {ordinal}; list what it exports with `bridge32 exports`"))
    })?;
    match &export.decoration {
        Some(decoration) => agree(function, export, decoration, layouts)?,
        None => return Ok((export, told_by_mangling(export))),
    }
    Ok((export, export.decoration.as_ref().map_or(Told::Nothing, |own| told_by(Spelling::Decorated(own.convention)))))
}

/// Refuses an export whose name states other bytes of arguments than the declaration has.
fn agree(function: &Function, export: &Export, decoration: &Decoration, layouts: &Layouts) -> Result<(), Fault> {
    match (decoration.argument_bytes, argument_bytes(function, layouts)) {
        (Some(stated), Some(expected)) if stated != expected => {
            Err(other_arguments(&function.name, export, stated, expected))
        }
        _ => Ok(()),
    }
}

/// What a decorated name says. A leading underscore alone is no proof of cdecl: some compilers put it before everything.
const fn told_by(spelling: Spelling) -> Told {
    use bridge32_image::Convention as Decorated;
    match spelling {
        Spelling::Decorated(Decorated::Stdcall) => Told::Convention(Convention::Stdcall),
        Spelling::Decorated(Decorated::Fastcall) => Told::Convention(Convention::Fastcall),
        Spelling::Decorated(Decorated::Vectorcall) => Told::Vectorcall,
        _ => Told::Nothing,
    }
}

/// What a C++ name of Microsoft's says, if all that it says of conventions is one: it may be that of a parameter, too.
fn told_by_mangling(export: &Export) -> Told {
    let all = [Convention::Cdecl, Convention::Stdcall, Convention::Fastcall, Convention::Thiscall];
    let Some(text) = &export.demangled else { return Told::Nothing };
    let mut mentioned = all.into_iter().filter(|convention| text.contains(convention.keyword()));
    match (mentioned.next(), mentioned.next()) {
        (Some(only), None) => Told::Convention(only),
        _ => Told::Nothing,
    }
}

/// How an export is told to people.
fn shown(export: &Export) -> String {
    match (&export.name, export.ordinal) {
        (Some(name), _) => name.clone(),
        (None, Some(ordinal)) => format!("#{ordinal}"),
        (None, None) => "?".to_owned(),
    }
}

/// Bytes of arguments as decorated names of i386 Windows state them: each in whole words, those in registers included,
/// the address for a structure result left out. `None` for other targets, and where a type has no size.
fn argument_bytes(function: &Function, layouts: &Layouts) -> Option<u32> {
    let words = |ty: &Type| u32::try_from(layouts.of(ty).ok()?.size.next_multiple_of(4)).ok();
    if layouts.target() != Target::Win32 {
        return None;
    }
    function.parameters.iter().map(|parameter| words(&parameter.ty)).sum()
}

fn other_arguments(name: &str, export: &Export, stated: u32, expected: u32) -> Fault {
    let detail = format!(
        "the library exports `{}`, which takes {stated} bytes of arguments, but the header's declaration of `{name}` takes \
         {expected}; correct the header",
        shown(export)
    );
    fault(FaultCode::ConventionMismatch, detail)
}

fn missing(name: &str, similar: Option<&Export>) -> Fault {
    let near = similar
        .map_or(String::new(), |export| format!("; it does export `{}`: C names are case-sensitive", shown(export)));
    unknown(format!("the library does not export `{name}`{near}; list what it exports with `bridge32 exports`"))
}

const fn unknown(detail: String) -> Fault {
    fault(FaultCode::UnknownFunction, detail)
}

const fn fault(code: FaultCode, detail: String) -> Fault {
    Fault { code, detail, pointer: None, ran: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge32_protocol::interface::{Direction, Integer, Interface, Parameter, Scalar, Width};
    use bridge32_protocol::wire::Dialect;

    fn function(parameters: usize, convention: Option<Convention>) -> Function {
        let ty = Type::Scalar(Scalar::Integer(Integer { width: Width::W32, signed: true }));
        let parameter = |n| Parameter {
            name: format!("p{n}"),
            ty: ty.clone(),
            direction: Direction::In,
            optional: false,
            releases: None,
            sensitive: false,
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
            sensitive_result: false,
            sensitive_extra: false,
            lossy: false,
            idempotent: false,
            deadline_ms: None,
            unsupported: None,
            declaration: String::new(),
            file: String::new(),
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

    fn layouts(target: Target) -> Layouts {
        Layouts::new(&Interface::default(), target, Dialect::Gnu)
    }

    fn chosen(names: &[&str], convention: Option<Convention>) -> Result<(String, Convention), FaultCode> {
        let exports: Vec<Export> = names.iter().map(|name| export(name, ExportKind::Function)).collect();
        choose(&function(2, convention), &exports, &layouts(Target::Win32))
            .map(|choice| (choice.symbol.to_string(), choice.convention))
            .map_err(|fault| fault.code)
    }

    /// The choice for a function of two words with an `@export` or `@ordinal`.
    fn stated(name: ExportName, exports: &[Export], target: Target) -> Result<Choice, Fault> {
        choose(&Function { export: Some(name), ..function(2, None) }, exports, &layouts(target))
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
        let exports = [export("Add", ExportKind::Data)];
        let fault = choose(&function(2, None), &exports, &layouts(Target::Linux32)).unwrap_err();
        assert_eq!(fault.code, FaultCode::UnsupportedDeclaration);
    }

    #[test]
    fn a_stated_export_is_taken_by_exactly_that_name() {
        let cpp = Export {
            demangled: Some("int __stdcall Add(int,int)".into()),
            ..export("?Add@@YGHHH@Z", ExportKind::Function)
        };
        let exports = [export("Add", ExportKind::Function), export("_Add@8", ExportKind::Function), cpp];
        let taken = |name: &str| stated(ExportName::Name(name.into()), &exports, Target::Win32);
        let stdcall = |name: &str| Choice { symbol: Symbol::Name(name.into()), convention: Convention::Stdcall };
        assert_eq!(taken("_Add@8"), Ok(stdcall("_Add@8")));
        assert_eq!(taken("?Add@@YGHHH@Z"), Ok(stdcall("?Add@@YGHHH@Z")));
        assert!(taken("add").unwrap_err().detail.contains("it does export `Add`"));
        let other = [export("_Add@4", ExportKind::Function)];
        let refused = stated(ExportName::Name("_Add@4".into()), &other, Target::Win32).unwrap_err();
        assert_eq!(refused.code, FaultCode::ConventionMismatch);
    }

    #[test]
    fn an_export_without_a_name_is_found_by_its_ordinal_in_pe_files_only() {
        let nameless = Export { name: None, ordinal: Some(5), ..export("", ExportKind::Function) };
        let exports = [export("Add", ExportKind::Function), nameless];
        let choice = stated(ExportName::Ordinal(5), &exports, Target::Win32).unwrap();
        assert_eq!((choice.symbol.to_string(), choice.symbol), ("#5".into(), Symbol::Ordinal(5)));
        let choice = stated(ExportName::Ordinal(1), &exports, Target::Win32).unwrap();
        assert_eq!(choice.symbol, Symbol::Name("Add".into()));
        let why = |ordinal, target| stated(ExportName::Ordinal(ordinal), &exports, target).unwrap_err().detail;
        assert!(why(6, Target::Win32).contains("no export number 6"));
        assert!(why(u32::MAX, Target::Win64).contains("no export number"));
        assert!(why(5, Target::Linux32).contains("ELF files number no exports"));
    }

    #[test]
    fn vectorcall_is_refused() {
        assert_eq!(chosen(&["Add@@8"], None), Err(FaultCode::UnsupportedDeclaration));
    }
}
