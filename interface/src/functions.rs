//! Puts a function together: its declaration, its annotations, its comment, and whether it can be called.

use std::rc::Rc;

use bridge32_protocol::interface::{Function, Parameter, Type};

use crate::Options;
use crate::chunks::Chunk;
use crate::declarations::spelling;
use crate::documentation::{Documentation, ParameterDocumentation};
use crate::doxygen;
use crate::findings::{Findings, Notes};
use crate::lengths::{PARAMETERS, Scope};
use crate::lexer::lex;
use crate::parameters::{Declared, Role, Surroundings, pass, pass_one};
use crate::prototypes::FunctionType;
use crate::report::{Reporter, Topic};
use crate::source::{Files, Position};
use crate::tags::{self, Owner};
use crate::types::CType;
use crate::unsupported::{About, Reason};

/// Longer texts of declarations are cut.
const MAX_DECLARATION: usize = 4000;

/// A function as C declares it.
#[derive(Debug)]
pub(crate) struct Prototype {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) function: Rc<FunctionType>,
}

/// What was found out of a function besides its type.
#[derive(Default)]
struct Found {
    /// Why it cannot be called. Of a parameter if there is a name, else of the result or the whole.
    reasons: Vec<(Option<String>, Reason)>,
    /// What is stated and assumed.
    findings: Findings,
}

impl Found {
    /// Why the function cannot be called, in words.
    fn reasons(&self) -> Option<String> {
        let text = |(name, reason): &(Option<String>, Reason)| {
            reason.text(name.as_deref().map_or(About::Result, About::Parameter))
        };
        let texts: Vec<String> = self.reasons.iter().map(text).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

/// Makes the function of the interface, and lists what was assumed.
pub(crate) fn build(
    prototype: &Prototype,
    chunk: &Chunk,
    around: &Surroundings,
    files: &Files,
    options: &Options,
    reporter: &mut Reporter,
) -> (Function, Findings) {
    let function = &*prototype.function;
    let start = chunk.tokens.first().map_or(prototype.at, |token| token.at);
    let mut documentation = documentation(prototype, chunk, start, around, reporter);
    let owner = Owner { name: &prototype.name, at: prototype.at };
    let (mut declared, doubled) = tags::declare(function, &mut documentation, around, owner, reporter);
    let mut found = Found::default();
    found.reasons.extend(doubled.into_iter().map(|name| (Some(name), Reason::SameName)));
    let mut result = declare_result(prototype, &mut documentation);
    tags::apply(&documentation, &mut declared, Some(&mut result), around, owner, reporter);
    let sensitive_extra = tags::hides_extra(&documentation);
    if sensitive_extra && !function.variadic {
        reporter
            .error(prototype.at, format!("“@sensitive ...” of “{}”: it takes no further arguments", prototype.name));
    }

    let around = &Surroundings { encoding: documentation.encoding.as_ref(), ..*around };
    let place = |name: Option<&str>| {
        let parameter = declared.iter().find(|declared| Some(&*declared.name) == name);
        parameter.map_or(prototype.at, |parameter| parameter.at)
    };
    let note = |found: &mut Found, name: Option<&str>, notes| {
        found.findings.add(&prototype.name, name, place(name), notes, files);
    };
    let sensitive_result = result.sensitive;
    let (parameters, result) = decide(&declared, &result, around, &mut found, &note, reporter);
    let notes = calling_convention(function, chunk, files, options, &mut found.reasons);
    note(&mut found, None, notes);
    report_unknown_types(prototype, &found.reasons, reporter);
    let unsupported = found.reasons();
    let built = Function {
        name: prototype.name.clone(),
        description: documentation.description,
        result_description: documentation.result,
        convention: function.convention,
        parameters,
        variadic: function.variadic,
        hresult: is_hresult(function, &result),
        result,
        export: documentation.export,
        sensitive_result,
        sensitive_extra,
        lossy: documentation.lossy,
        idempotent: documentation.idempotent,
        deadline_ms: documentation.deadline_ms,
        unsupported,
        declaration: declaration(chunk, files),
        file: files.name(start).unwrap_or_default().to_owned(),
        line: files.line(start),
    };
    (built, found.findings)
}

/// How the parameters and the result are passed.
fn decide(
    declared: &[Declared],
    result: &Declared,
    around: &Surroundings,
    found: &mut Found,
    note: &dyn Fn(&mut Found, Option<&str>, Notes),
    reporter: &mut Reporter,
) -> (Vec<Parameter>, Type) {
    let operands: Vec<_> = declared.iter().map(|declared| declared.operand(Role::Parameter)).collect();
    let numeric_result = matches!(result.ty.ty, CType::Scalar { .. });
    let scope = Scope { operands: &operands, types: around.types, what: PARAMETERS, numeric_result };
    let mut parameters = Vec::with_capacity(declared.len());
    for passed in pass(declared, Role::Parameter, scope, around, reporter) {
        let name = &passed.what.name;
        note(found, Some(name), passed.notes);
        found.reasons.extend(passed.reason.map(|reason| (Some(name.clone()), reason)));
        parameters.push(passed.what);
    }
    let passed = pass_one(result, Role::Result, scope, around, reporter);
    note(found, None, passed.notes);
    found.reasons.extend(passed.reason.map(|reason| (None, reason)));
    (parameters, passed.what)
}

/// `HRESULT`, whatever a header says that it is.
fn is_hresult(function: &FunctionType, result: &Type) -> bool {
    let named =
        function.result_spelling.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "HRESULT");
    named && matches!(result, Type::Scalar(_))
}

/// The result with all that was said of it.
fn declare_result(prototype: &Prototype, documentation: &mut Documentation) -> Declared {
    let function = &*prototype.function;
    let encoding = documentation.result_encoding.take();
    let documented = ParameterDocumentation { encoding, ..ParameterDocumentation::default() };
    let (result, spelling) = (&function.result, &function.result_spelling);
    tags::one("return".to_owned(), result, spelling, &function.result_sal, prototype.at, documented)
}

/// Which convention is declared or assumed, and whether it can be called.
fn calling_convention(
    function: &FunctionType,
    chunk: &Chunk,
    files: &Files,
    options: &Options,
    reasons: &mut Vec<(Option<String>, Reason)>,
) -> Notes {
    let narrow = options.target.pointer_bytes() == 4;
    // On 64 bits there is one convention, apart from those that say which of two platforms' it is.
    let matters = |keyword: &&String| narrow || keyword.trim_matches('_').ends_with("abi");
    let keyword = function.unknown_convention.as_ref().filter(matters);
    reasons.extend(keyword.map(|keyword| (None, Reason::Convention(keyword.clone()))));
    let mut notes = Notes::default();
    match function.convention {
        _ if !narrow => {}
        Some(convention) => {
            let keyword = convention.keyword();
            let word = function.convention_at.and_then(|at| files.word(at)).unwrap_or(keyword);
            let text = match keyword.trim_start_matches('_') {
                _ if function.variadic => format!("cdecl, as every function with `...`: `{word}`"),
                name => format!("{name}: `{word}`"),
            };
            notes.state(Topic::Convention, text, function.convention_at);
        }
        None if options.target.is_windows() => {
            let but = match &*chunk.ignored {
                [] => String::new(),
                macros => format!(" (unless a macro says one that is not defined here: {})", macros.join(", ")),
            };
            let text = format!("cdecl unless the exported name is decorated, because the declaration names none{but}");
            notes.assume(Topic::Convention, text);
        }
        None => notes.assume(Topic::Convention, "cdecl, the platform's, because the declaration names none"),
    }
    notes
}

fn report_unknown_types(prototype: &Prototype, reasons: &[(Option<String>, Reason)], reporter: &mut Reporter) {
    for (_, reason) in reasons {
        if let Reason::Unknown(name) = reason {
            let message = format!("the type “{name}” is not declared here: add its typedef, or the header it is in");
            reporter.warning_once(prototype.at, message);
        }
    }
}

/// Reads the comment before the declaration, or behind it in its line, and complains of what is wrong in it.
fn documentation(
    prototype: &Prototype,
    chunk: &Chunk,
    start: Position,
    around: &Surroundings,
    reporter: &mut Reporter,
) -> Documentation {
    let behind = || {
        let end = chunk.tokens.last().map_or(start, |token| token.at);
        around.comments.trailing_in_line(end)
    };
    let Some(comment) = around.comments.before(start, chunk.after).or_else(behind) else {
        return Documentation::default();
    };
    let documentation = doxygen::read(comment.text);
    for problem in &documentation.problems {
        reporter.warning(comment.at, problem.clone());
    }
    let parameters = &prototype.function.parameters;
    for parameter in &documentation.parameters {
        let known = parameters.iter().any(|raw| raw.name.as_ref().is_none_or(|name| *name == parameter.name));
        if parameter.name != "..." && !known {
            let message =
                format!("the comment describes “{}”, which is no parameter of “{}”", parameter.name, prototype.name);
            reporter.warning(comment.at, message);
        }
    }
    documentation
}

/// The text of a declaration, without comments and with its white space folded.
pub(crate) fn declaration(chunk: &Chunk, files: &Files) -> String {
    let (Some(first), Some(last)) = (chunk.tokens.first(), chunk.tokens.last()) else { return String::new() };
    let text = files.files.get(usize::from(first.at.file)).map_or("", |file| &*file.text);
    let range = whole(text, first.at.offset as usize)..last.at.offset as usize;
    let slice = if first.at.file == last.at.file { text.get(range).unwrap_or("") } else { "" };
    let slice = slice.get(..MAX_DECLARATION).unwrap_or(slice);
    let tokens = lex(slice, 0, &mut Reporter::default()).tokens;
    if tokens.is_empty() {
        return spelling(&chunk.tokens[..chunk.tokens.len() - 1], None);
    }
    let mut folded = String::new();
    for token in tokens {
        if !folded.is_empty() && (token.spaced || token.starts_line) {
            folded.push(' ');
        }
        folded.push_str(&token.text);
    }
    folded
}

/// Where a declaration begins whose first token is the argument of a macro: `STDAPI_(HRESULT) f(int a)`.
fn whole(text: &str, first: usize) -> usize {
    let before = text.get(..first).unwrap_or_default().trim_end();
    let Some(before) = before.strip_suffix('(') else { return first };
    let before = before.trim_end();
    let name = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
    if name.len() == before.len() { first } else { whole(text, name.len()) }
}
