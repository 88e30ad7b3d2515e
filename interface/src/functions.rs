//! Puts a function together: its declaration, its annotations, its comment, and whether it can be called.

use bridge32_protocol::interface::{Convention, Function};

use crate::Options;
use crate::annotations::Mark;
use crate::chunks::Chunk;
use crate::comments::Comments;
use crate::declarations::{after, convention, spelling};
use crate::declarators::RawParameter;
use crate::doxygen::{self, Documentation};
use crate::lengths;
use crate::lexer::lex;
use crate::parameters::{Declared, Surroundings, pass, pass_result};
use crate::report::{Assumption, Reporter, Topic};
use crate::source::{Files, Position};
use crate::types::{CType, Qualified, Types};
use crate::unsupported::Reason;

/// Longer texts of declarations are cut.
const MAX_DECLARATION: usize = 4000;

/// A function as C declares it.
#[derive(Debug)]
pub(crate) struct Prototype {
    pub(crate) name: String,
    pub(crate) at: Position,
    pub(crate) result: Qualified,
    pub(crate) result_spelling: String,
    pub(crate) parameters: Vec<RawParameter>,
    pub(crate) variadic: bool,
}

/// Makes the function of the interface, and lists what was assumed.
pub(crate) fn build(
    prototype: &Prototype,
    chunk: &Chunk,
    types: &Types,
    files: &Files,
    comments: &Comments,
    options: &Options,
    reporter: &mut Reporter,
) -> (Function, Vec<Assumption>) {
    let start = chunk.tokens.first().map_or(prototype.at, |token| token.at);
    let documentation = documentation(prototype, chunk, start, comments, reporter);
    let mut reasons: Vec<(Option<String>, Reason)> = Vec::new();
    let declared = declare(prototype, chunk, &documentation, comments, &mut reasons, reporter);
    let surroundings =
        Surroundings { types, encoding: documentation.encoding.as_ref(), default_encoding: &options.default_encoding };
    let mut assumed = Vec::new();
    let mut parameters = Vec::with_capacity(declared.len());
    for passed in pass(&declared, &surroundings, reporter) {
        let name = &passed.what.name;
        assumed.extend(passed.assumptions.into_iter().map(|(what, text)| (Some(name.clone()), what, text)));
        reasons.extend(passed.reason.map(|reason| (Some(name.clone()), reason)));
        parameters.push(passed.what);
    }
    let result = pass_result(&prototype.result, &prototype.result_spelling, &surroundings);
    assumed.extend(result.assumptions.into_iter().map(|(what, text)| (None, what, text)));
    reasons.extend(result.reason.map(|reason| (None, reason)));

    let convention = calling_convention(prototype, chunk, options, &mut reasons, &mut assumed);
    if prototype.variadic {
        reasons.push((None, Reason::Variadic));
    }
    report_unknown_types(prototype, &reasons, reporter);
    let texts: Vec<String> = reasons.iter().map(|(what, reason)| reason.text(what.as_deref())).collect();
    let function = Function {
        name: prototype.name.clone(),
        description: documentation.description,
        result_description: documentation.result,
        convention,
        parameters,
        variadic: prototype.variadic,
        result: result.what,
        hresult: false,
        export: None,
        lossy: false,
        idempotent: documentation.idempotent,
        deadline_ms: documentation.deadline_ms,
        unsupported: (!texts.is_empty()).then(|| texts.join("; ")),
        declaration: declaration(chunk, files),
        line: files.line(start),
    };
    let assumption = |(parameter, what, text)| Assumption { function: prototype.name.clone(), parameter, what, text };
    (function, assumed.into_iter().map(assumption).collect())
}

/// The declared convention, whether it can be called, and what is assumed where there is none.
fn calling_convention(
    prototype: &Prototype,
    chunk: &Chunk,
    options: &Options,
    reasons: &mut Vec<(Option<String>, Reason)>,
    assumed: &mut Vec<(Option<String>, Topic, String)>,
) -> Option<Convention> {
    let (convention, unknown) = convention(chunk, &prototype.parameters);
    let narrow = options.target.pointer_bytes() == 4;
    let keyword = unknown.or(match convention {
        Some(Convention::Fastcall | Convention::Thiscall) => convention.map(|known| known.keyword().to_owned()),
        _ => None,
    });
    // On 64 bits there is one convention, apart from those that say which of two platforms' it is.
    let matters = |keyword: &String| narrow || keyword.trim_matches('_').ends_with("abi");
    reasons.extend(keyword.filter(matters).map(|keyword| (None, Reason::Convention(keyword))));
    if convention.is_none() && options.target.is_windows() && narrow {
        let text = "cdecl unless the exported name is decorated, because the declaration names none".to_owned();
        assumed.push((None, Topic::Convention, text));
    }
    convention
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
    comments: &Comments,
    reporter: &mut Reporter,
) -> Documentation {
    let Some(comment) = comments.before(start, after(chunk)) else {
        let end = chunk.tokens.last().map_or(start, |token| token.at);
        let description =
            comments.trailing_in_line(end).map(|comment| doxygen::read_trailing(comment.text)).unwrap_or_default();
        return Documentation { description, ..Documentation::default() };
    };
    let documentation = doxygen::read(comment.text);
    for problem in &documentation.problems {
        reporter.warning(comment.at, problem.clone());
    }
    for parameter in &documentation.parameters {
        let known = |raw: &RawParameter| raw.name.as_ref().is_none_or(|name| *name == parameter.name);
        if parameter.name != "..." && !prototype.parameters.iter().any(known) {
            let message =
                format!("the comment describes “{}”, which is no parameter of “{}”", parameter.name, prototype.name);
            reporter.warning(comment.at, message);
        }
    }
    documentation
}

/// Brings together what annotations and comments say of each parameter.
fn declare<'a>(
    prototype: &Prototype,
    chunk: &Chunk<'a>,
    documentation: &Documentation,
    comments: &Comments,
    reasons: &mut Vec<(Option<String>, Reason)>,
    reporter: &mut Reporter,
) -> Vec<Declared<'a>> {
    let mut declared: Vec<Declared> = Vec::with_capacity(prototype.parameters.len());
    let mut names = std::collections::HashSet::new();
    let end = chunk.tokens.last().map_or(prototype.at, |token| token.at);
    for (index, raw) in prototype.parameters.iter().enumerate() {
        let own = &chunk.tokens[raw.tokens.clone()];
        let at = raw.name_token.or(Some(raw.tokens.start)).map_or(prototype.at, |index| chunk.tokens[index].at);
        let free = || {
            let taken = |name: &str| prototype.parameters.iter().any(|raw| raw.name.as_deref() == Some(name));
            let mut name = format!("arg{index}");
            while taken(&name) {
                name.push('_');
            }
            name
        };
        let mut name = raw.name.clone().unwrap_or_else(free);
        if !names.insert(name.clone()) {
            let message = format!("two parameters of “{}” have the name “{name}”: rename one", prototype.name);
            reporter.error(at, message);
            reasons.push((Some(name), Reason::SameName));
            name = free();
        }
        let first = chunk.marks.partition_point(|(at, _)| *at < raw.tokens.start);
        let sal = chunk.marks[first..]
            .iter()
            .take_while(|(at, _)| *at <= raw.tokens.end)
            .filter_map(|(_, mark)| if let Mark::Sal(sal) = mark { Some(sal.clone()) } else { None })
            .collect();
        let mut documented = documentation.parameter(&name).cloned().unwrap_or_default();
        if documented.text.is_empty() {
            let last = own.last().map_or(at, |token| token.at);
            let next = prototype.parameters.get(index + 1).map_or(end, |next| chunk.tokens[next.tokens.start].at);
            let comment = comments.trailing(last, next);
            documented.text = comment.map(|comment| doxygen::read_trailing(comment.text)).unwrap_or_default();
        }
        declared.push(Declared {
            name,
            ty: raw.ty.clone(),
            spelling: spelling(own, raw.name_token.map(|index| index - raw.tokens.start)),
            at,
            sal,
            documentation: documented,
            length: None,
        });
    }
    for (stands_with, text) in &documentation.lengths {
        length(&mut declared, stands_with.as_deref(), text, prototype, reporter);
    }
    declared
}

/// `@length n` of the parameter that it stands with, `@length buffer n` of the one it names.
fn length(
    declared: &mut [Declared],
    stands_with: Option<&str>,
    text: &str,
    prototype: &Prototype,
    reporter: &mut Reporter,
) {
    let pointer = |parameter: &Declared| matches!(parameter.ty.ty, CType::Pointer { .. } | CType::Array { .. });
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let named =
        declared.iter().any(|parameter| parameter.name == first && pointer(parameter)) && !rest.trim().is_empty();
    let mut pointers = declared.iter().filter(|parameter| pointer(parameter));
    let only = pointers.next().filter(|_| pointers.next().is_none()).map(|parameter| parameter.name.clone());
    let (name, expression) =
        if named { (Some(first.to_owned()), rest) } else { (stands_with.map(str::to_owned).or(only), text) };
    let target = declared.iter_mut().find(|parameter| Some(&parameter.name) == name.as_ref() && pointer(parameter));
    if let Some(parameter) = target {
        parameter.length = Some(lengths::tokens(expression, parameter.at));
    } else {
        let message = format!(
            "“@length {text}” of “{}” does not say of which pointer: write `@length buffer {text}`",
            prototype.name
        );
        reporter.error(prototype.at, message);
    }
}

/// The text of a declaration, without comments and with its white space folded.
fn declaration(chunk: &Chunk, files: &Files) -> String {
    let (Some(first), Some(last)) = (chunk.tokens.first(), chunk.tokens.last()) else { return String::new() };
    let text = files.files.get(usize::from(first.at.file)).map_or("", |file| &*file.text);
    let range = first.at.offset as usize..last.at.offset as usize;
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
