//! Splits the tokens into declarations, so that one that is not understood cannot spoil the next.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::annotations::{Annotated, Mark};
use crate::lexer::{Kind, Token};
use crate::mistakes;
use crate::report::Reporter;
use crate::source::Position;

/// A declaration: all tokens up to its semicolon, or up to the end of a function's body.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    pub(crate) tokens: Vec<Token<'a>>,
    /// By the index of the token that follows.
    pub(crate) marks: Vec<(usize, Mark<'a>)>,
    /// Where the declaration before this one ended.
    pub(crate) after: Position,
    /// The macros in it that nobody defines, and that were left out.
    pub(crate) ignored: Vec<String>,
}

impl<'a> Chunk<'a> {
    /// Puts a word before each of the tokens of these indices, which are in order.
    pub(crate) fn insert(&mut self, before: &[usize], word: &'a str) {
        if before.is_empty() {
            return;
        }
        for (at, _) in &mut self.marks {
            *at += before.partition_point(|index| index < at);
        }
        let mut tokens = Vec::with_capacity(self.tokens.len() + before.len());
        for (index, token) in std::mem::take(&mut self.tokens).into_iter().enumerate() {
            if before.binary_search(&index).is_ok() {
                let text = Cow::Borrowed(word);
                tokens.push(Token { kind: Kind::Identifier, text, ..token.clone() });
            }
            tokens.push(token);
        }
        self.tokens = tokens;
    }

    /// Leaves out the tokens of these indices, which are in order.
    pub(crate) fn remove(&mut self, doomed: &[usize]) {
        let mut index = 0;
        self.tokens.retain(|_| {
            index += 1;
            doomed.binary_search(&(index - 1)).is_err()
        });
        for (at, _) in &mut self.marks {
            *at -= doomed.partition_point(|index| index < at);
        }
    }
}

/// Splits, and leaves out function definitions and `extern "C"`.
pub(crate) fn split<'a>(annotated: Annotated<'a>, reporter: &mut Reporter) -> Vec<Chunk<'a>> {
    let closing = brackets(&annotated.tokens, reporter);
    let Annotated { tokens, marks } = annotated;
    let mut ranges = Vec::new();
    let (mut at, mut start, mut linkages) = (0, 0, 0_u32);
    while let Some(token) = tokens.get(at) {
        if at == start && token.is_word("extern") && tokens.get(at + 1).is_some_and(|t| t.kind == Kind::String) {
            at += 2;
            if tokens.get(at).is_some_and(|token| token.is("{")) {
                linkages += 1;
                at += 1;
            }
            start = at;
            continue;
        }
        if token.is(";") {
            if at > start {
                ranges.push(start..at + 1);
            }
            start = at + 1;
        } else if token.is("{") {
            let body = is_body(&tokens[start..at]);
            if let Some(&end) = closing.get(&at) {
                at = end;
            } else {
                // The diagnostic is there; what comes behind the next semicolon may be good again.
                at += tokens[at..].iter().position(|token| token.is(";")).unwrap_or(tokens.len());
                start = at + 1;
            }
            if body {
                start = at + 1;
            }
        } else if token.is("}") {
            if linkages == 0 {
                reporter.error(token.at, "this bracket closes nothing: remove it");
            }
            linkages = linkages.saturating_sub(1);
            start = at + 1;
        }
        at += 1;
    }
    if let Some(token) = tokens.get(start) {
        let end = || (token.at, "the declaration that begins here does not end: add ;".to_owned());
        let (at, message) = mistakes::cplusplus(&tokens[start..]).unwrap_or_else(end);
        reporter.error(at, message);
    }
    collect(tokens, marks, ranges)
}

/// Moves the tokens and marks of each range into its chunk.
fn collect<'a>(
    tokens: Vec<Token<'a>>,
    marks: Vec<(usize, Mark<'a>)>,
    ranges: Vec<std::ops::Range<usize>>,
) -> Vec<Chunk<'a>> {
    let mut marks = marks.into_iter().peekable();
    let mut tokens = tokens.into_iter();
    let mut chunks = Vec::with_capacity(ranges.len());
    let mut at = 0;
    let mut after = Position::default();
    for range in ranges {
        for skipped in tokens.by_ref().take(range.start - at) {
            after = skipped.at;
        }
        at = range.end;
        let tokens: Vec<_> = tokens.by_ref().take(range.len()).collect();
        while marks.next_if(|(at, _)| *at < range.start).is_some() {}
        let marks = std::iter::from_fn(|| marks.next_if(|(at, _)| *at < range.end))
            .map(|(at, mark)| (at - range.start, mark))
            .collect();
        let end = tokens.last().map_or(after, |token| token.at);
        chunks.push(Chunk { tokens, marks, after, ignored: Vec::new() });
        after = end;
    }
    chunks
}

/// Whether a curly bracket behind these tokens of a declaration opens the body of a function.
fn is_body(before: &[Token]) -> bool {
    for token in before.iter().rev() {
        if token.is(")") {
            return true;
        }
        if token.is("=") || token.is("}") || ["struct", "union", "enum"].iter().any(|word| token.is_word(word)) {
            return false;
        }
    }
    false
}

/// Where each curly bracket is closed. Round and square ones do not go beyond a semicolon or a curly one.
fn brackets(tokens: &[Token], reporter: &mut Reporter) -> BTreeMap<usize, usize> {
    let mut open = Vec::new();
    let mut closing = BTreeMap::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.is("{") {
            // `extern "C" {` is closed where nothing else is open, or not at all.
            let linkage = open.is_empty()
                && index >= 2
                && tokens[index - 1].kind == Kind::String
                && tokens[index - 2].is_word("extern");
            if !linkage {
                open.push(index);
            }
        } else if token.is("}")
            && let Some(opening) = open.pop()
        {
            closing.insert(opening, index);
        }
    }
    for opening in open {
        reporter.error(tokens[opening].at, "this bracket is not closed: add }");
    }
    closing
}
