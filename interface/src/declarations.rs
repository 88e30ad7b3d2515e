//! Walks the declarations of a header in order: typedefs, enumerations, prototypes.

use std::collections::HashMap;

use bridge32_protocol::interface::{Convention, Function};
use tree_sitter::Node;

use crate::Options;
use crate::annotations::Mark;
use crate::chunks::Chunk;
use crate::comments::Comments;
use crate::declarators::{Declaration, RawParameter};
use crate::functions::{self, Prototype};
use crate::lexer::Token;
use crate::noise;
use crate::preprocess::shorten;
use crate::report::{Assumption, Reporter};
use crate::source::{Files, Position};
use crate::tree::{Parsed, Syntax};
use crate::types::{CType, Qualified, Types};

/// Longer declarations are refused.
const MAX_TOKENS: usize = 50_000;

/// Brackets nested more deeply, too.
const MAX_NESTING: u32 = 100;

/// Reads declarations one by one.
pub(crate) struct Reader<'r, 'a> {
    pub(crate) types: Types,
    pub(crate) functions: Vec<Function>,
    pub(crate) assumptions: Vec<Assumption>,
    pub(crate) reporter: &'r mut Reporter,
    files: &'r Files,
    comments: Comments<'r, 'a>,
    options: &'r Options,
    syntax: Syntax,
    declared: HashMap<String, Signature>,
}

/// What two declarations of one function must agree on, and where the first is.
struct Signature {
    index: usize,
    result: CType,
    parameters: Vec<CType>,
    variadic: bool,
}

/// What one declaration declares.
enum Declared {
    Type(String, Qualified),
    Function(Box<Prototype>),
}

impl<'r, 'a> Reader<'r, 'a> {
    /// Nothing read yet.
    pub(crate) fn new(
        types: Types,
        files: &'r Files,
        comments: Comments<'r, 'a>,
        options: &'r Options,
        reporter: &'r mut Reporter,
    ) -> Self {
        Self {
            types,
            functions: Vec::new(),
            assumptions: Vec::new(),
            reporter,
            files,
            comments,
            options,
            syntax: Syntax::new(),
            declared: HashMap::new(),
        }
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
        let dropped = noise::drop_unknown_macros(&mut chunk, &|name| self.types.is_type(name));
        let Some(parsed) = self.syntax.parse(&chunk.tokens) else {
            self.reporter.error(at, "this declaration takes too much work to be understood; simplify it");
            return;
        };
        if parsed.tree.root_node().has_error() {
            self.wrong(&parsed, &chunk);
            return;
        }
        for token in dropped {
            let message = format!(
                "“{}” is not defined here and was ignored; if it says something (a calling convention, a direction), \
                 define it",
                token.text
            );
            self.reporter.warning_once(token.at, message);
        }
        for declared in self.declared_in(&parsed, &chunk) {
            match declared {
                Declared::Type(name, ty) => self.types.define(name, ty),
                Declared::Function(prototype) => self.function(&prototype, &chunk),
            }
        }
    }

    /// Complains of the first thing that the syntax does not allow.
    fn wrong(&mut self, parsed: &Parsed, chunk: &Chunk) {
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
        let mut declaration = Declaration::new(parsed, &chunk.tokens, &mut self.types);
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
                    self.reporter.error(token.at, message);
                }
            }
        }
        found
    }

    fn function(&mut self, prototype: &Prototype, chunk: &Chunk<'a>) {
        let signature = Signature {
            index: self.functions.len(),
            result: prototype.result.ty.clone(),
            parameters: prototype.parameters.iter().map(|parameter| decayed(&parameter.ty.ty)).collect(),
            variadic: prototype.variadic,
        };
        let (function, assumptions) =
            functions::build(prototype, chunk, &self.types, self.files, &self.comments, self.options, self.reporter);
        let Some(earlier) = self.declared.get(&prototype.name) else {
            self.declared.insert(prototype.name.clone(), signature);
            self.functions.push(function);
            self.assumptions.extend(assumptions);
            return;
        };
        let first = &mut self.functions[earlier.index];
        let same = earlier.result == signature.result
            && earlier.parameters == signature.parameters
            && earlier.variadic == signature.variadic
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
            self.reporter.error(prototype.at, message);
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

/// An array parameter is a pointer.
fn decayed(ty: &CType) -> CType {
    match ty {
        CType::Array { of, constant, .. } => CType::Pointer { to: of.clone(), constant: *constant },
        other => other.clone(),
    }
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
    let mut cursor = node.walk();
    for declarator in node.children_by_field_name("declarator", &mut cursor) {
        if declarator.kind() == "ms_call_modifier" {
            continue;
        }
        let at = chunk.tokens[declaration.parsed.tokens(declarator).start].at;
        let Some(read) = declaration.declarator(Some(declarator), base.clone(), 0) else {
            reporter.error(at, "this declarator is nested too deeply to be read");
            continue;
        };
        let Some(name) = read.name else { continue };
        let text = declaration.parsed.text(name).to_owned();
        let at = chunk.tokens[declaration.parsed.tokens(name).start].at;
        match (read.function, node.kind()) {
            (Some(_), "type_definition") => found.push(Declared::Type(text, Qualified::new(CType::Function))),
            (Some(function), _) => {
                let Some((parameters, variadic)) = declaration.parameters(function) else {
                    reporter.error(at, format!("the parameters of “{text}” are not understood, and it was left out"));
                    continue;
                };
                // `int a, *f(void)`: the words before all declarators, and what is before this name.
                let words = declaration.parsed.tokens(node).start..first;
                let own = declaration.parsed.tokens(declarator).start..declaration.parsed.tokens(name).start;
                let tokens = [&chunk.tokens[words], &chunk.tokens[own]].concat();
                found.push(Declared::Function(Box::new(Prototype {
                    name: text,
                    at,
                    result: read.ty,
                    result_spelling: spelling(&tokens, None),
                    parameters,
                    variadic,
                })));
            }
            (None, "type_definition") => found.push(Declared::Type(text, read.ty)),
            (None, _) if read.ty.ty == CType::Function => {
                let message = format!("“{text}” is declared by the type of a function, which is not understood yet");
                reporter.error(at, message);
            }
            // Variables.
            (None, _) => {}
        }
    }
}

/// The tokens of a type as people write it, without the name at `without`.
pub(crate) fn spelling(tokens: &[Token], without: Option<usize>) -> String {
    let mut text = String::new();
    let mut word = false;
    for (index, token) in tokens.iter().enumerate() {
        if Some(index) == without || matches!(token.identifier(), Some("extern" | "inline")) {
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

/// The convention that is declared between the parameters' places, or the keyword of one that is not known.
pub(crate) fn convention(chunk: &Chunk, parameters: &[RawParameter]) -> (Option<Convention>, Option<String>) {
    let inside = |at: usize| parameters.iter().any(|parameter| parameter.tokens.contains(&at));
    let marks = || chunk.marks.iter().filter(|(at, _)| !inside(*at)).map(|(_, mark)| mark);
    let known = marks().find_map(|mark| if let Mark::Convention(known) = mark { Some(*known) } else { None });
    let unknown =
        marks().find_map(|mark| if let Mark::UnknownConvention(word) = mark { Some(word.clone()) } else { None });
    (known, unknown)
}

/// The place behind which comments belong to this declaration.
pub(crate) fn after(chunk: &Chunk) -> Position {
    chunk.after
}
