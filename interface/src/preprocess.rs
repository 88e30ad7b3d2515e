//! Directives: from the tokens of the files to the tokens that a compiler proper would see (C17, 6.10).
//!
//! `#include` of a header that was given too reads that header; any other is left out, since what system headers
//! declare is built in (see [`crate::builtin`]). Of the `#pragma`s, those that change
//! layouts are kept as tokens.

use std::borrow::Cow;

use crate::Options;
use crate::expression::{Context, Value, evaluate, parse};
use crate::lexer::{Comment, Kind, Lexed, Token, lex};
use crate::macros::{Macro, Macros};
use crate::packing;
use crate::predefined;
use crate::report::Reporter;
use crate::sal;
use crate::source::{Files, Position};

/// Deeper inclusion of given headers by each other is refused.
const MAX_INCLUDES: usize = 50;

/// How many bytes of files may be read again because they are included again, in all.
const MAX_AGAIN: usize = 16 << 20;
/// An empty file counts, too.
const LEAST_AGAIN: usize = 10_000;

/// What is left of the files after their directives.
pub(crate) struct Preprocessed<'a> {
    /// With all macros replaced.
    pub(crate) tokens: Vec<Token<'a>>,
    /// The documentation comments, by place.
    pub(crate) comments: Vec<Comment<'a>>,
    /// The macros that are defined at the end.
    pub(crate) macros: Macros<'a>,
}

/// Runs the directives of all files in order.
pub(crate) fn preprocess<'a>(
    files: &'a Files,
    prelude: &'a [(Position, String)],
    options: &Options,
    reporter: &mut Reporter,
) -> Preprocessed<'a> {
    let mut state = State {
        files,
        macros: Macros::new(),
        windows: options.target.is_windows(),
        conditions: Vec::new(),
        pending: Vec::new(),
        output: Vec::new(),
        comments: Vec::new(),
        read: vec![Read::Never; files.files.len()],
        again: 0,
        depth: 0,
        predefined: None,
    };
    for (place, text) in prelude {
        state.predefined = Some(*place);
        state.run(lex(text, predefined::FILE, reporter), reporter);
    }
    state.predefined = None;
    state.output.clear();
    for index in 0..files.files.len() {
        if matches!(state.read[index], Read::Never) {
            state.file(index, reporter);
        }
    }
    state.comments.sort_by_key(|comment| comment.at);
    Preprocessed { tokens: state.output, comments: state.comments, macros: state.macros }
}

/// Whether a file was read, and what keeps it from being read again.
#[derive(Clone)]
enum Read {
    Never,
    /// `#pragma once`
    Once,
    /// Its first line is `#ifndef` of this macro, or nothing keeps it.
    Guarded(Option<String>),
}

/// One `#if` that is open.
struct Condition {
    at: Position,
    /// The lines are read.
    active: bool,
    /// No further branch will be.
    decided: bool,
    /// `#else` was there.
    last: bool,
}

struct State<'a> {
    files: &'a Files,
    macros: Macros<'a>,
    windows: bool,
    conditions: Vec<Condition>,
    /// Tokens whose macros are not yet replaced: they are up to the next `#define`, since the arguments of a macro
    /// may go on behind an `#endif`.
    pending: Vec<Token<'a>>,
    output: Vec<Token<'a>>,
    comments: Vec<Comment<'a>>,
    read: Vec<Read>,
    again: usize,
    depth: usize,
    /// What is read is no header: where its macros are said to be defined.
    predefined: Option<Position>,
}

impl<'a> State<'a> {
    fn file(&mut self, index: usize, reporter: &mut Reporter) {
        let file = &self.files.files[index];
        if file.refused {
            reporter.error(Position::new(index, 0), "the file is larger than 16 MiB and was not read");
            return;
        }
        let lexed = lex(&file.text, index, reporter);
        if let Some(token) = lost_line_break(&file.text, &lexed.tokens) {
            let message = "the text is one line, and this directive has to begin one: its line breaks were lost on the way \
                           (curl needs `--data-binary @file`; `-d @file` removes them)";
            reporter.error(token.at, message);
            self.read[index] = Read::Once;
            return;
        }
        self.read[index] = Read::of(&lexed.tokens);
        self.run(lexed, reporter);
    }

    /// Whether a file that is included is to be read: it was not yet, or has more to say the second time.
    fn is_wanted(&mut self, index: usize) -> bool {
        let wanted = match &self.read[index] {
            Read::Never => return true,
            Read::Once => false,
            Read::Guarded(guard) => guard.as_ref().is_none_or(|guard| self.macros.get(guard).is_none()),
        };
        if wanted {
            self.again += self.files.files[index].text.len() + LEAST_AGAIN;
        }
        wanted && self.again <= MAX_AGAIN
    }

    fn run(&mut self, lexed: Lexed<'a>, reporter: &mut Reporter) {
        self.comments.extend(lexed.comments);
        let outer = self.conditions.len();
        let mut tokens = lexed.tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if token.starts_line && token.is("#") {
                let mut line = Vec::new();
                while let Some(token) = tokens.next_if(|next| !next.starts_line) {
                    line.push(token);
                }
                self.directive(token.at, &line, reporter);
            } else if self.active() {
                if token.kind == Kind::Other {
                    reporter.error(token.at, format!("“{}” has no meaning in C here", shorten(&token.text)));
                } else {
                    self.pending.push(token);
                }
            }
        }
        self.flush(reporter);
        for condition in self.conditions.drain(outer.min(self.conditions.len())..) {
            reporter.error(condition.at, "this condition is not closed: add #endif");
        }
    }

    fn active(&self) -> bool {
        self.conditions.last().is_none_or(|condition| condition.active)
    }

    fn flush(&mut self, reporter: &mut Reporter) {
        let pending = std::mem::take(&mut self.pending);
        self.output.extend(self.macros.expand(pending, reporter));
    }

    fn directive(&mut self, at: Position, line: &[Token<'a>], reporter: &mut Reporter) {
        let Some((name, rest)) = line.split_first() else { return };
        match &*name.text {
            "if" => self.open(at, |state, reporter| state.condition(at, rest, reporter), reporter),
            "ifdef" => self.open(at, |state, reporter| state.defined(at, rest, reporter), reporter),
            "ifndef" => self.open(at, |state, reporter| !state.defined(at, rest, reporter), reporter),
            "elif" => self.branch(at, |state, reporter| state.condition(at, rest, reporter), reporter),
            "elifdef" => self.branch(at, |state, reporter| state.defined(at, rest, reporter), reporter),
            "elifndef" => self.branch(at, |state, reporter| !state.defined(at, rest, reporter), reporter),
            "else" => {
                self.branch(at, |_, _| true, reporter);
                if let Some(condition) = self.conditions.last_mut() {
                    condition.last = true;
                }
            }
            "endif" if self.conditions.pop().is_none() => reporter.error(at, "#endif without #if: remove it"),
            _ if !self.active() => {}
            "define" => self.define(at, rest, reporter),
            "undef" => {
                if let Some(name) = rest.first() {
                    self.flush(reporter);
                    self.macros.undefine(&name.text);
                }
            }
            "include" | "include_next" | "import" => self.include(at, rest, reporter),
            "error" => {
                let text: Vec<_> = rest.iter().map(|token| &*token.text).collect();
                let text = shorten(&text.join(" ")).to_owned();
                reporter.warning(at, format!("#error is reached ({text}): define what the header asks for"));
            }
            "pragma" => self.pragma(at, rest, reporter),
            // `# 12 "file"` is the output of another preprocessor.
            "endif" | "warning" | "line" | "ident" | "sccs" | "region" | "endregion" => {}
            _ if name.kind == Kind::Number => {}
            other => reporter.error(name.at, format!("#{} is not a directive of C", shorten(other))),
        }
    }

    /// Compilers replace macros in `#pragma pack`.
    fn pragma(&mut self, at: Position, rest: &[Token<'a>], reporter: &mut Reporter) {
        let kept = |name: &Token| name.identifier().is_some_and(packing::is_layout);
        let Some((name, arguments)) = rest.split_first().filter(|(name, _)| kept(name)) else { return };
        self.flush(reporter);
        let arguments = self.macros.expand(arguments.to_vec(), reporter);
        let text = arguments.iter().fold(name.text.clone().into_owned(), |text, token| text + &token.text);
        let text = Cow::Owned(text);
        self.output.push(Token { kind: Kind::Pragma, text, at, starts_line: true, spaced: true, frozen: true });
    }

    /// `#if` and its like. Inside of lines that are not read, the condition is not looked at.
    fn open(&mut self, at: Position, holds: impl FnOnce(&mut Self, &mut Reporter) -> bool, reporter: &mut Reporter) {
        let outer = self.active();
        let active = outer && holds(self, reporter);
        self.conditions.push(Condition { at, active, decided: active || !outer, last: false });
    }

    /// `#elif` and its like, `#else`.
    fn branch(&mut self, at: Position, holds: impl FnOnce(&mut Self, &mut Reporter) -> bool, reporter: &mut Reporter) {
        let Some(condition) = self.conditions.last() else {
            reporter.error(at, "this branch belongs to no #if: remove it");
            return;
        };
        if condition.last {
            reporter.error(at, "this branch comes behind #else, and is not read");
        }
        let active = !condition.decided && !condition.last && holds(self, reporter);
        if let Some(condition) = self.conditions.last_mut() {
            condition.active = active;
            condition.decided |= active;
        }
    }

    fn is_defined(&self, name: &str) -> bool {
        match self.macros.get(name) {
            // Off Windows, the names of windows.h are understood, but a header that asks is told the truth.
            Some(definition) => self.windows || definition.at != predefined::WINDOWS,
            None => sal::is_annotation(name),
        }
    }

    fn defined(&mut self, at: Position, rest: &[Token<'a>], reporter: &mut Reporter) -> bool {
        let Some(name) = rest.first().and_then(Token::identifier) else {
            reporter.error(at, "the name of a macro is missing here");
            return false;
        };
        self.is_defined(name)
    }

    fn condition(&mut self, at: Position, rest: &[Token<'a>], reporter: &mut Reporter) -> bool {
        let mut tokens = Vec::with_capacity(rest.len());
        let mut rest = rest.iter().peekable();
        while let Some(token) = rest.next() {
            if !token.is_word("defined") {
                tokens.push(token.clone());
                continue;
            }
            let bracket = rest.next_if(|next| next.is("(")).is_some();
            let truth = rest.next().is_some_and(|name| self.is_defined(&name.text));
            if bracket {
                rest.next_if(|next| next.is(")"));
            }
            let text = Cow::Borrowed(if truth { "1" } else { "0" });
            tokens.push(Token { kind: Kind::Number, text, ..token.clone() });
        }
        let tokens = self.macros.expand(tokens, reporter);
        let tokens = without_queries(tokens);
        let context = Context { wide: true, long_bits: 64, size_bits: 64, types: &|_| None };
        let value = parse(&tokens, &context).and_then(|expr| evaluate(&expr, &|_| Some(Value::int(0))));
        value.map_or_else(
            |reason| {
                reporter.error(at, format!("this condition is taken as false: {reason}"));
                false
            },
            |value| value.number != 0,
        )
    }

    fn define(&mut self, at: Position, rest: &[Token<'a>], reporter: &mut Reporter) {
        let Some((name, mut body)) = rest.split_first().filter(|(name, _)| name.kind == Kind::Identifier) else {
            reporter.error(at, "#define needs the name of a macro");
            return;
        };
        // Headers define annotations away for compilers that do not know them.
        if sal::is_annotation(&name.text) || (sal::is_legacy_word(&name.text) && body.is_empty()) {
            return;
        }
        self.flush(reporter);
        let mut parameters = None;
        let mut variadic = false;
        if let Some(first) = body.first().filter(|first| first.is("(") && !first.spaced) {
            let Some(length) = body.iter().position(|token| token.is(")")) else {
                reporter.error(first.at, "the parameters of this macro are not closed: add )");
                return;
            };
            let mut names = Vec::new();
            for token in &body[1..length] {
                if token.kind == Kind::Identifier {
                    names.push(token.text.clone());
                } else if token.is("...") {
                    variadic = true;
                    // GNU C has named ones: `args...`.
                    if !body[1..length].iter().rev().nth(1).is_some_and(|before| before.kind == Kind::Identifier) {
                        names.push(Cow::Borrowed("__VA_ARGS__"));
                    }
                }
            }
            parameters = Some(names);
            body = &body[length + 1..];
        }
        let at = self.predefined.unwrap_or(name.at);
        self.macros.define(name.text.clone(), Macro { parameters, variadic, body: body.to_vec(), at });
    }

    fn include(&mut self, at: Position, rest: &[Token<'a>], reporter: &mut Reporter) {
        let rest = self.macros.expand(rest.to_vec(), reporter);
        let Some(first) = rest.first() else { return };
        let path: String = rest.iter().map(|token| &*token.text).collect();
        let path = path.trim_matches(['"', '<', '>']);
        let base = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        let wanted = base(path);
        if let Some(pragma) = predefined::packing_header(&wanted) {
            self.flush(reporter);
            let text = Cow::Borrowed(pragma);
            self.output.push(Token { kind: Kind::Pragma, text, at, starts_line: true, spaced: true, frozen: true });
        } else if let Some(index) = self.files.files.iter().position(|file| base(&file.name) == wanted) {
            if !self.is_wanted(index) {
                return;
            }
            if self.depth < MAX_INCLUDES {
                self.flush(reporter);
                self.depth += 1;
                self.file(index, reporter);
                self.depth -= 1;
            } else {
                reporter.error(at, "the headers include each other too deeply");
            }
        } else if first.kind == Kind::String && !predefined::is_known_header(&wanted) {
            let message =
                format!("“{path}” is not among the headers that were given; what it declares is unknown here");
            reporter.warning_once(at, message);
        }
    }
}

impl Read {
    /// What the beginning of a file says.
    fn of(tokens: &[Token]) -> Self {
        match tokens {
            [hash, pragma, once, ..] if hash.is("#") && pragma.is_word("pragma") && once.is_word("once") => Self::Once,
            [hash, ifndef, name, ..] if hash.is("#") && ifndef.is_word("ifndef") => {
                Self::Guarded(name.identifier().map(str::to_owned))
            }
            // `#if !defined(VENDOR_H)`
            [hash, condition, not, defined, rest @ ..]
                if hash.is("#") && condition.is_word("if") && not.is("!") && defined.is_word("defined") =>
            {
                let name = rest.iter().find(|token| !token.is("("));
                Self::Guarded(name.and_then(Token::identifier).map(str::to_owned))
            }
            _ => Self::Guarded(None),
        }
    }
}

/// The first directive in the middle of a text that has one line only.
fn lost_line_break<'t, 'a>(text: &str, tokens: &'t [Token<'a>]) -> Option<&'t Token<'a>> {
    const DIRECTIVES: [&str; 9] = ["include", "define", "undef", "if", "ifdef", "ifndef", "else", "endif", "pragma"];
    if text.trim().contains('\n') {
        return None;
    }
    let directive = |pair: &&[Token]| {
        pair[0].is("#") && !pair[0].starts_line && DIRECTIVES.iter().any(|word| pair[1].is_word(word))
    };
    tokens.windows(2).find(directive).map(|pair| &pair[0])
}

/// `__has_include(…)` and its like are 0: nothing but plain C is promised.
fn without_queries(tokens: Vec<Token>) -> Vec<Token> {
    let mut output: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens.into_iter().peekable();
    while let Some(mut token) = tokens.next() {
        let query = token.identifier().is_some_and(|name| name.starts_with("__has_") || name == "__building_module");
        if query && tokens.peek().is_some_and(|next| next.is("(")) {
            let mut open = 0_u32;
            for next in tokens.by_ref() {
                open += u32::from(next.is("("));
                open -= u32::from(next.is(")"));
                if open == 0 {
                    break;
                }
            }
            token.kind = Kind::Number;
            token.text = Cow::Borrowed("0");
        }
        output.push(token);
    }
    output
}

/// The beginning of a text that may be long.
pub(crate) fn shorten(text: &str) -> &str {
    text.char_indices().nth(60).map_or(text, |(end, _)| &text[..end])
}
