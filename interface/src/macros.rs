//! Macro definitions and their expansion (C17, 6.10.3), with a budget that hostile input cannot exceed.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use crate::lexer::{Kind, Token, starts_identifier};
use crate::report::Reporter;
use crate::source::Position;

/// How many tokens expansions may move in all.
const BUDGET: usize = 1_000_000;
/// How long a token may become by `#` and `##`.
const MAX_TOKEN: usize = 4096;
/// How deep arguments of macros may contain uses of macros.
const MAX_DEPTH: u32 = 100;

/// A macro.
#[derive(Debug)]
pub(crate) struct Macro<'a> {
    /// The parameters' names; `None` for one that looks like an object.
    pub(crate) parameters: Option<Vec<Cow<'a, str>>>,
    /// The last parameter takes all further arguments.
    pub(crate) variadic: bool,
    /// What it stands for.
    pub(crate) body: Vec<Token<'a>>,
    /// Where it was defined.
    pub(crate) at: Position,
}

/// The macros that are defined at a place, and the budget.
pub(crate) struct Macros<'a> {
    table: HashMap<Cow<'a, str>, Rc<Macro<'a>>>,
    active: HashSet<Cow<'a, str>>,
    budget: usize,
    depth: u32,
}

/// Tokens that are still to be looked at, and the macro that they came from.
struct Pending<'a> {
    tokens: std::vec::IntoIter<Token<'a>>,
    of: Option<Cow<'a, str>>,
}

impl<'a> Macros<'a> {
    /// None defined.
    pub(crate) fn new() -> Self {
        Self { table: HashMap::new(), active: HashSet::new(), budget: BUDGET, depth: 0 }
    }

    /// Defines or redefines one.
    pub(crate) fn define(&mut self, name: Cow<'a, str>, definition: Macro<'a>) {
        self.table.insert(name, Rc::new(definition));
    }

    /// Forgets one.
    pub(crate) fn undefine(&mut self, name: &str) {
        self.table.remove(name);
    }

    /// The definition of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Rc<Macro<'a>>> {
        self.table.get(name)
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Rc<Macro<'a>>)> {
        self.table.iter().map(|(name, definition)| (&**name, definition))
    }

    /// Replaces every macro in `input`.
    pub(crate) fn expand(&mut self, input: Vec<Token<'a>>, reporter: &mut Reporter) -> Vec<Token<'a>> {
        let mut output = Vec::with_capacity(input.len());
        let mut stack = vec![Pending { tokens: input.into_iter(), of: None }];
        while let Some(mut token) = self.next(&mut stack) {
            let definition = if token.kind == Kind::Identifier && !token.frozen && self.budget > 0 {
                self.table.get(&token.text).cloned()
            } else {
                None
            };
            match definition {
                Some(_) if self.active.contains(&token.text) => {
                    token.frozen = true;
                    output.push(token);
                }
                Some(definition) => {
                    if let Err(token) = self.enter(&definition, token, &mut stack, reporter) {
                        output.push(token);
                    }
                }
                None => output.push(token),
            }
        }
        output
    }

    /// The next token; a macro whose tokens are used up may be used again.
    fn next(&mut self, stack: &mut Vec<Pending<'a>>) -> Option<Token<'a>> {
        while let Some(top) = stack.last_mut() {
            if let Some(token) = top.tokens.next() {
                return Some(token);
            }
            if let Some(name) = stack.pop().and_then(|pending| pending.of) {
                self.active.remove(&name);
            }
        }
        None
    }

    /// Puts what a macro stands for before the other tokens; gives its name back if it is not used as a macro here.
    fn enter(
        &mut self,
        definition: &Macro<'a>,
        mut token: Token<'a>,
        stack: &mut Vec<Pending<'a>>,
        reporter: &mut Reporter,
    ) -> Result<(), Token<'a>> {
        let body = match &definition.parameters {
            None => definition.body.iter().map(|part| Token { at: token.at, ..part.clone() }).collect(),
            Some(parameters) => {
                let called = stack.iter().rev().find_map(|pending| pending.tokens.as_slice().first());
                if !called.is_some_and(|next| next.is("(")) {
                    return Err(token);
                }
                match self.arguments(stack) {
                    Ok(arguments) => self.substitute(definition, parameters, &arguments, token.at, reporter),
                    Err(read) => {
                        let message = format!("the arguments of the macro “{}” are not closed: add )", token.text);
                        reporter.error(token.at, message);
                        stack.push(Pending { tokens: read.into_iter(), of: None });
                        token.frozen = true;
                        return Err(token);
                    }
                }
            }
        };
        self.spend(body.len(), token.at, reporter);
        let mut body: Vec<_> = body;
        if let Some(first) = body.first_mut() {
            first.spaced |= token.spaced;
        }
        self.active.insert(token.text.clone());
        stack.push(Pending { tokens: body.into_iter(), of: Some(token.text) });
        Ok(())
    }

    fn spend(&mut self, tokens: usize, at: Position, reporter: &mut Reporter) {
        if self.budget > 0 && tokens + 1 >= self.budget {
            reporter.error(at, "the macros yield too much; from here on they are not replaced any more");
        }
        self.budget = self.budget.saturating_sub(tokens + 1);
    }

    /// Reads the arguments from the opening bracket on; gives back what was read if it does not end.
    fn arguments(&mut self, stack: &mut Vec<Pending<'a>>) -> Result<Vec<Vec<Token<'a>>>, Vec<Token<'a>>> {
        let mut read = Vec::new();
        let mut commas = Vec::new();
        let mut open = 0_u32;
        while let Some(token) = self.next(stack) {
            self.budget = self.budget.saturating_sub(1);
            open += u32::from(token.is("("));
            open -= u32::from(token.is(")"));
            if open == 1 && token.is(",") {
                commas.push(read.len());
            }
            read.push(token);
            if open == 0 {
                let mut arguments = Vec::with_capacity(commas.len() + 1);
                let mut from = 1;
                for end in commas.into_iter().chain([read.len() - 1]) {
                    arguments.push(read[from..end].to_vec());
                    from = end + 1;
                }
                return Ok(arguments);
            }
        }
        Err(read)
    }

    fn substitute(
        &mut self,
        definition: &Macro<'a>,
        parameters: &[Cow<'a, str>],
        arguments: &[Vec<Token<'a>>],
        at: Position,
        reporter: &mut Reporter,
    ) -> Vec<Token<'a>> {
        let raw = |token: &Token| {
            let index = parameters.iter().position(|name| token.is_word(name))?;
            let last = definition.variadic && index + 1 == parameters.len();
            Some((index, if last { join(arguments.get(index..)?) } else { arguments.get(index)?.clone() }))
        };
        let body = &definition.body;
        let mut expanded: HashMap<usize, Vec<Token<'a>>> = HashMap::new();
        let mut output: Vec<Token<'a>> = Vec::new();
        let mut pasting = false;
        let mut index = 0;
        while let Some(token) = body.get(index) {
            index += 1;
            let next = body.get(index);
            if token.is("##") && !output.is_empty() {
                pasting = true;
                continue;
            }
            let argument = raw(token);
            let operand = if let (true, Some((_, argument))) = (token.is("#"), next.and_then(raw)) {
                index += 1;
                vec![stringify(&argument, at)]
            } else if let Some((parameter, argument)) = argument {
                let variadic = definition.variadic && parameter + 1 == parameters.len();
                // GNU C: `, ## __VA_ARGS__` drops the comma where there are no further arguments.
                if pasting && variadic && output.last().is_some_and(|last| last.is(",")) {
                    pasting = false;
                    if arguments.len() < parameters.len() || argument.is_empty() {
                        output.pop();
                    }
                }
                if pasting || next.is_some_and(|next| next.is("##")) {
                    argument
                } else if let Some(known) = expanded.get(&parameter) {
                    known.clone()
                } else {
                    let result = self.expand_argument(argument, at, reporter);
                    expanded.insert(parameter, result.clone());
                    result
                }
            } else {
                vec![Token { at, ..token.clone() }]
            };
            if operand.is_empty() && next.is_some_and(|next| next.is("##")) {
                // Nothing joined to the next operand is the next operand.
                index += 1;
                continue;
            }
            append(&mut output, operand, pasting);
            pasting = false;
            if output.len() > self.budget {
                self.spend(output.len(), at, reporter);
                break;
            }
        }
        output
    }

    fn expand_argument(&mut self, argument: Vec<Token<'a>>, at: Position, reporter: &mut Reporter) -> Vec<Token<'a>> {
        if self.depth >= MAX_DEPTH {
            self.budget = 0;
            reporter.error(at, "macros are nested too deeply; from here on they are not replaced any more");
            return argument;
        }
        self.depth += 1;
        let expanded = self.expand(argument, reporter);
        self.depth -= 1;
        expanded
    }
}

/// The arguments of the last parameter of a variadic macro, with their commas.
fn join<'a>(arguments: &[Vec<Token<'a>>]) -> Vec<Token<'a>> {
    let mut joined: Vec<Token<'a>> = Vec::new();
    for argument in arguments {
        if let Some(at) = joined.last().or(argument.first()).map(|token| token.at).filter(|_| !joined.is_empty()) {
            joined.push(punctuator(",", at));
        }
        joined.extend(argument.iter().cloned());
    }
    joined
}

/// A punctuator that no file contains.
pub(crate) fn punctuator<'a>(text: &'static str, at: Position) -> Token<'a> {
    Token { kind: Kind::Punctuator, text: Cow::Borrowed(text), at, starts_line: false, spaced: false, frozen: false }
}

fn stringify<'a>(argument: &[Token<'a>], at: Position) -> Token<'a> {
    let mut text = String::from("\"");
    for (index, token) in argument.iter().enumerate() {
        if index > 0 && token.spaced {
            text.push(' ');
        }
        let literal = matches!(token.kind, Kind::String | Kind::Character);
        for c in token.text.chars() {
            if literal && matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        if text.len() > MAX_TOKEN {
            break;
        }
    }
    text.push('"');
    Token { kind: Kind::String, text: Cow::Owned(text), ..punctuator("", at) }
}

/// Adds the operand, joined to the last token where `##` stands between them.
fn append<'a>(output: &mut Vec<Token<'a>>, operand: Vec<Token<'a>>, pasting: bool) {
    let mut operand = operand.into_iter();
    if let (true, Some(last)) = (pasting && !output.is_empty(), output.last_mut())
        && let Some(first) = operand.next()
        && last.text.len() + first.text.len() <= MAX_TOKEN
    {
        last.text.to_mut().push_str(&first.text);
        last.frozen = false;
        let start = last.text.chars().next().unwrap_or(' ');
        if !matches!(last.kind, Kind::String | Kind::Character) && starts_identifier(start) {
            last.kind = Kind::Identifier;
        } else if start.is_ascii_digit() {
            last.kind = Kind::Number;
        }
    }
    output.extend(operand);
}
