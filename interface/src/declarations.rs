//! Walks the declarations of a header in order: typedefs, enumerations, structures, prototypes, variables. When all are
//! read, what they declare becomes the interface.

use std::collections::HashMap;
use std::rc::Rc;

use bridge32_protocol::interface::{Function, Interface, Variable};
use tree_sitter::Node;

use crate::Options;
use crate::annotations::Mark;
use crate::chunks::Chunk;
use crate::comments::Comments;
use crate::constants;
use crate::declarators::Declaration;
use crate::doxygen;
use crate::findings::Findings;
use crate::functions::{self, Prototype};
use crate::lexer::Token;
use crate::macros::Macros;
use crate::members::{self, Structures};
use crate::mistakes;
use crate::noise;
use crate::parameters::Surroundings;
use crate::preprocess::shorten;
use crate::prototypes::{FunctionType, documented};
use crate::report::Reporter;
use crate::source::{Files, Position};
use crate::structures::UNNAMED;
use crate::tree::{Parsed, Syntax};
use crate::types::{CType, Qualified, Types};
use crate::usage::Usage;
use crate::variables;

/// Longer declarations are refused.
const MAX_TOKENS: usize = 50_000;

/// Brackets nested more deeply, too.
const MAX_NESTING: u32 = 100;

/// Reads declarations one by one.
pub(crate) struct Reader<'r, 'a> {
    types: Types,
    reporter: &'r mut Reporter,
    files: &'r Files,
    comments: &'r Comments<'r, 'a>,
    options: &'r Options,
    syntax: Syntax,
    /// Functions and variables: they are built when all types are known.
    pending: Vec<(Pending, Rc<Chunk<'a>>)>,
}

/// What waits for the types.
enum Pending {
    Function(Box<Prototype>),
    Variable(variables::Declared),
}

/// What one declaration declares.
enum Declared {
    Type(String, Qualified),
    Pending(Pending),
}

impl<'r, 'a> Reader<'r, 'a> {
    /// Nothing read yet.
    pub(crate) fn new(
        types: Types,
        files: &'r Files,
        comments: &'r Comments<'r, 'a>,
        options: &'r Options,
        reporter: &'r mut Reporter,
    ) -> Self {
        Self { types, reporter, files, comments, options, syntax: Syntax::new(), pending: Vec::new() }
    }

    /// Reads one declaration.
    pub(crate) fn read(&mut self, mut chunk: Chunk<'a>) {
        let Some(first) = chunk.tokens.first() else { return };
        let at = first.at;
        if chunk.tokens.len() > MAX_TOKENS || is_deep(&chunk.tokens) {
            self.reporter.error(at, "this declaration is too long or nested too deeply: is a ; or a bracket missing?");
            return;
        }
        if is_static(&chunk.tokens) {
            return;
        }
        noise::drop_idle_typedef(&mut chunk);
        let dropped = noise::drop_unknown_macros(&mut chunk, &|name| self.types.is_type(name));
        noise::name_bit_fields(&mut chunk, UNNAMED, &|name| self.types.is_type(name));
        let as_written = mistakes::as_written(&chunk.tokens, &dropped);
        if let Some((at, message)) = mistakes::swallowed(&as_written, &dropped, &|name| self.types.is_type(name)) {
            self.reporter.error(at, message);
            return;
        }
        let Some(parsed) = self.syntax.parse(&chunk.tokens) else {
            self.reporter.error(at, "this declaration takes too much work to be understood; simplify it");
            return;
        };
        if parsed.tree.root_node().has_error() {
            self.wrong(&parsed, &chunk, &as_written);
            return;
        }
        for token in dropped {
            let message = format!(
                "“{}” is not defined here and was ignored; if it says something (a calling convention, a direction), \
                 define it",
                token.text
            );
            self.reporter.warning_once(token.at, message);
            chunk.ignored.push(token.text.into_owned());
        }
        let chunk = Rc::new(chunk);
        for declared in self.declared_in(&parsed, &chunk) {
            match declared {
                Declared::Type(name, ty) => self.types.define(name, ty),
                Declared::Pending(pending) => {
                    if let Pending::Variable(variable) = &pending {
                        self.types.call(&variable.ty.ty, &variable.name);
                    }
                    self.pending.push((pending, chunk.clone()));
                }
            }
        }
    }

    /// Complains of the first thing that the syntax does not allow.
    fn wrong(&mut self, parsed: &Parsed, chunk: &Chunk, as_written: &[Token]) {
        if let Some((at, message)) = mistakes::find(as_written) {
            self.reporter.error(at, message);
            return;
        }
        let wrong = parsed.find(|node| node.is_error() || node.is_missing());
        let index = wrong.first().map_or(0, |node| parsed.tokens(*node).start.min(chunk.tokens.len() - 1));
        let token = &chunk.tokens[index];
        let message = format!(
            "this declaration is not understood from “{}” on: is a macro or a type in it not defined here?",
            shorten(&token.text)
        );
        self.reporter.error(token.at, message);
    }

    /// Reads what the tree declares; enumerations and structures become known on the way.
    fn declared_in(&mut self, parsed: &Parsed, chunk: &Chunk) -> Vec<Declared> {
        let start = chunk.tokens.first().map(|token| token.at).unwrap_or_default();
        let comment = self.comments.before(start, chunk.after).map(|comment| Rc::from(comment.text));
        let mut declaration = Declaration::new(parsed, chunk, &mut self.types, comment);
        declaration.definitions(self.reporter);
        let mut found = Vec::new();
        let root = parsed.tree.root_node();
        let mut cursor = root.walk();
        for node in root.named_children(&mut cursor) {
            match node.kind() {
                "declaration" | "type_definition" => declared(&declaration, node, chunk, &mut found, self.reporter),
                "struct_specifier" | "union_specifier" | "enum_specifier" => {}
                _ => {
                    let token = &chunk.tokens[parsed.tokens(node).start];
                    let message =
                        "this is not a declaration of C, and was left out; are macros in it not defined here?";
                    let unknown = || (token.at, message.to_owned());
                    let (at, message) = mistakes::cplusplus(&chunk.tokens).unwrap_or_else(unknown);
                    self.reporter.error(at, message);
                }
            }
        }
        found
    }

    /// What all functions together tell of the structures.
    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for (pending, chunk) in &self.pending {
            let Pending::Function(prototype) = pending else { continue };
            let start = chunk.tokens.first().map_or(prototype.at, |token| token.at);
            let tags = self.comments.before(start, chunk.after).map(|comment| doxygen::read(comment.text).tags);
            usage.add(&prototype.name, &prototype.function, &tags.unwrap_or_default(), &self.types);
        }
        usage
    }

    /// Makes the interface of all that was read, and lists what was assumed.
    /// `of` is the only file whose functions and variables are wanted, and of the enumerations those that they need.
    pub(crate) fn finish(mut self, of: Option<usize>, macros: &mut Macros<'a>) -> (Interface, Findings) {
        for (name, value) in constants::collect(macros, &self.types, self.reporter) {
            self.types.constants.entry(name).or_insert(value);
        }
        let structures = Structures::new(&self.types);
        let usage = self.usage();
        let around = Surroundings {
            types: &self.types,
            structures: &structures,
            usage: &usage,
            comments: self.comments,
            encoding: None,
            default_encoding: &self.options.default_encoding,
        };
        let mut functions = Functions::default();
        let mut variables: Vec<Variable> = Vec::new();
        let wanted = |chunk: &Chunk| {
            let file = chunk.tokens.first().map(|token| usize::from(token.at.file));
            of.is_none() || of == file
        };
        for (pending, chunk) in self.pending.into_iter().filter(|(_, chunk)| wanted(chunk)) {
            match pending {
                Pending::Function(prototype) => {
                    let built = functions::build(&prototype, &chunk, &around, self.files, self.options, self.reporter);
                    functions.add(*prototype, built, self.reporter);
                }
                Pending::Variable(declared) => {
                    let variable = variables::build(&declared, &chunk, &around, self.files, self.reporter);
                    if variables.iter().all(|earlier| earlier.name != variable.name) {
                        variables.push(variable);
                    }
                }
            }
        }
        let Functions { all: functions, findings, .. } = functions;
        let structures = members::reachable(members::build(&around, self.reporter), &functions, &variables);
        let Types { mut enumerations, constants, .. } = self.types;
        if of.is_some() {
            enumerations = members::reachable_enumerations(enumerations, &functions, &structures);
        }
        (Interface { functions, variables, structures, enumerations, constants, ..Interface::default() }, findings)
    }
}

/// The functions of the interface, each once.
#[derive(Default)]
struct Functions {
    all: Vec<Function>,
    findings: Findings,
    declared: HashMap<String, (usize, Rc<FunctionType>)>,
}

impl Functions {
    /// Adds one, or what a further declaration of one adds to it.
    fn add(&mut self, prototype: Prototype, built: (Function, Findings), reporter: &mut Reporter) {
        let (function, findings) = built;
        let Some((index, earlier)) = self.declared.get(&prototype.name) else {
            self.declared.insert(prototype.name, (self.all.len(), prototype.function));
            self.all.push(function);
            self.findings.extend(findings);
            return;
        };
        let first = &mut self.all[*index];
        let same = *earlier == prototype.function
            && (first.convention == function.convention || first.convention.is_none() || function.convention.is_none());
        if same {
            first.convention = first.convention.or(function.convention);
            if first.description.is_empty() {
                first.description = function.description;
            }
        } else {
            let message = format!(
                "“{}” is declared differently in line {}; that declaration is used: remove one of them",
                prototype.name, first.line
            );
            reporter.error(prototype.at, message);
        }
    }
}

/// Whether brackets are nested more deeply than anybody writes, but as deeply as exhausts a parser.
fn is_deep(tokens: &[Token]) -> bool {
    let mut depth = 0_u32;
    tokens.iter().any(|token| {
        depth += u32::from(["(", "[", "{"].iter().any(|open| token.is(open)));
        depth = depth.saturating_sub(u32::from([")", "]", "}"].iter().any(|close| token.is(close))));
        depth > MAX_NESTING
    })
}

/// Whether the words before the first bracket contain `static`.
fn is_static(tokens: &[Token]) -> bool {
    tokens.iter().take_while(|token| !token.is("(") && !token.is("{")).any(|token| token.is_word("static"))
}

/// Collects what a declaration declares.
fn declared<'d>(
    declaration: &Declaration<'d, '_>,
    node: Node<'d>,
    chunk: &Chunk,
    found: &mut Vec<Declared>,
    reporter: &mut Reporter,
) {
    let base = declaration.base(node);
    let first = node.child_by_field_name("declarator").map_or(0, |first| declaration.parsed.tokens(first).start);
    let is_typedef = node.kind() == "type_definition";
    if is_typedef {
        misplaced_packing(declaration, node, chunk, reporter);
    }
    let mut cursor = node.walk();
    for declarator in node.children_by_field_name("declarator", &mut cursor) {
        if declarator.kind() == "ms_call_modifier" {
            continue;
        }
        // `int a, *f(void)`: the words before all declarators belong to each.
        let words = declaration.parsed.tokens(node).start..first;
        match one_declared(declaration, base.clone(), declarator, words, is_typedef) {
            Ok(one) => found.extend(one.map(|one| changed(declaration, node, one))),
            Err((at, message)) => reporter.error(at, message),
        }
    }
}

/// What one declarator declares, if it is for the interface. `words` are the tokens before all declarators.
fn one_declared<'d>(
    declaration: &Declaration<'d, '_>,
    base: Qualified,
    declarator: Node<'d>,
    words: std::ops::Range<usize>,
    is_typedef: bool,
) -> Result<Option<Declared>, (Position, String)> {
    let chunk = declaration.chunk;
    let own = declaration.parsed.tokens(declarator);
    let Some(read) = declaration.declarator(Some(declarator), base, 0) else {
        let message = "this declarator is nested too deeply to be read, or its parameters are not understood";
        return Err((chunk.tokens[own.start].at, message.to_owned()));
    };
    let Some(name) = read.name else { return Ok(None) };
    let text = declaration.parsed.text(name).to_owned();
    let name = declaration.parsed.tokens(name).start;
    let at = chunk.tokens[name].at;
    let spelling = || spelling(&[&chunk.tokens[words.clone()], &chunk.tokens[own.start..name]].concat(), None);
    let function = match (read.function, &read.ty.ty) {
        (Some(function), _) => {
            let Some(mut function) = declaration.function_type(function, read.ty.clone(), true, 0) else {
                return Err((at, format!("the parameters of “{text}” are not understood, and it was left out")));
            };
            function.result_spelling = spelling();
            Some(Rc::new(function))
        }
        // `handler on_event;`, where `handler` is the typedef of a function.
        (None, CType::Function(function)) if !is_typedef => Some(function.clone()),
        _ => None,
    };
    Ok(match function {
        _ if is_typedef => {
            let ty = function.map_or(read.ty, |function| Qualified::new(CType::Function(function)));
            let constant = ty.constant;
            let ty = documented(ty.ty, declaration.comment.as_ref());
            Some(Declared::Type(text, Qualified { ty, constant }))
        }
        Some(function) => {
            let prototype = Prototype { name: text, at, function };
            Some(Declared::Pending(Pending::Function(Box::new(prototype))))
        }
        None if is_exported(chunk, declarator) => {
            let (spelling, place) = (spelling(), declaration.place(own, Some(name)));
            let variable = variables::Declared { name: text, ty: read.ty, spelling, place };
            Some(Declared::Pending(Pending::Variable(variable)))
        }
        None => None,
    })
}

/// What is declared, as attributes change it. Functions see to themselves.
fn changed(declaration: &Declaration, node: Node, declared: Declared) -> Declared {
    match declared {
        Declared::Type(name, ty) => {
            let ty = Qualified { ty: declaration.defined_type(node, ty.ty), ..ty };
            Declared::Type(name, ty)
        }
        Declared::Pending(Pending::Variable(variable)) => {
            let marks = declaration.chunk.marks.iter().map(|(_, mark)| mark);
            let ty = Qualified { ty: declaration.changed(variable.ty.ty, marks), ..variable.ty };
            Declared::Pending(Pending::Variable(variables::Declared { ty, ..variable }))
        }
        other @ Declared::Pending(Pending::Function(_)) => other,
    }
}

/// `typedef struct { … } s __attribute__((packed));` packs nothing: compilers say so, too.
fn misplaced_packing(declaration: &Declaration, node: Node, chunk: &Chunk, reporter: &mut Reporter) {
    let Some(ty) = node.child_by_field_name("type").map(|ty| declaration.parsed.tokens(ty)) else { return };
    let misplaced = |(at, mark): &&(usize, Mark)| (*at <= ty.start || *at > ty.end) && matches!(mark, Mark::Packed);
    if let Some((at, _)) = chunk.marks.iter().find(misplaced) {
        let message =
            "this attribute speaks of the name of a typedef and was ignored: a structure's stands behind its }";
        reporter.warning(chunk.tokens[(*at).min(chunk.tokens.len() - 1)].at, message);
    }
}

/// Whether a variable is the library's: `extern`, or with an attribute that says so and no value of its own.
fn is_exported(chunk: &Chunk, declarator: Node) -> bool {
    let external = chunk.tokens.iter().take_while(|token| !token.is("{")).any(|token| token.is_word("extern"));
    let marked = chunk.marks.iter().any(|(_, mark)| matches!(mark, Mark::Exported));
    external || (marked && declarator.kind() != "init_declarator")
}

/// The tokens of a type as people write it, without the name at `without`.
pub(crate) fn spelling(tokens: &[Token], without: Option<usize>) -> String {
    let mut text = String::new();
    let mut word = false;
    for (index, token) in tokens.iter().enumerate() {
        if Some(index) == without || matches!(token.identifier(), Some("extern" | "inline" | "typedef")) {
            continue;
        }
        let identifier = token.identifier().is_some();
        if (identifier && !text.is_empty() && !text.ends_with(['*', '('])) || (word && token.is("*")) {
            text.push(' ');
        }
        text.push_str(&token.text);
        word = identifier;
    }
    shorten(&text).to_owned()
}
