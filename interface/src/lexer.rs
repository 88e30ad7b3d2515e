//! From text to preprocessing tokens (C17, 6.4), with the documentation comments kept aside.

use std::borrow::Cow;

use crate::report::Reporter;
use crate::source::Position;

/// What a token is, as far as reading declarations needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Names and keywords.
    Identifier,
    /// A preprocessing number.
    Number,
    /// `"…"`, with its prefix.
    String,
    /// `'…'`, with its prefix.
    Character,
    /// Operators and brackets.
    Punctuator,
    /// A character that C has no use for, or a literal that its line does not close.
    Other,
    /// What stands behind `#pragma`, as one token in the place of the directive.
    Pragma,
}

/// One preprocessing token.
#[derive(Clone, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: Cow<'a, str>,
    /// Where it was written; for what a macro's body yields, where the macro was used.
    pub(crate) at: Position,
    /// Nothing but white space precedes it on its line.
    pub(crate) starts_line: bool,
    /// White space precedes it.
    pub(crate) spaced: bool,
    /// The name of a macro that is not to be expanded any more (C17, 6.10.3.4).
    pub(crate) frozen: bool,
}

impl Token<'_> {
    /// The same token at another place, of a text that does not last.
    pub(crate) fn into_owned(self, at: Position) -> Token<'static> {
        let Token { kind, text, starts_line, spaced, frozen, .. } = self;
        Token { kind, text: Cow::Owned(text.into_owned()), at, starts_line, spaced, frozen }
    }

    /// Whether it is this operator or bracket.
    pub(crate) fn is(&self, punctuator: &str) -> bool {
        self.kind == Kind::Punctuator && self.text == punctuator
    }

    /// Its text if it is a name or keyword.
    pub(crate) fn identifier(&self) -> Option<&str> {
        (self.kind == Kind::Identifier).then_some(&*self.text)
    }

    /// Whether it is this name or keyword.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.identifier() == Some(word)
    }
}

/// A documentation comment: `/** */`, `/*! */`, or a run of `///` or `//!` lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comment<'a> {
    /// Where it begins.
    pub(crate) at: Position,
    /// The offset behind it.
    pub(crate) end: u32,
    /// With its comment marks.
    pub(crate) text: &'a str,
    /// It describes what stands before it (`///<`).
    pub(crate) trailing: bool,
}

/// The tokens and documentation comments of a file.
pub(crate) struct Lexed<'a> {
    pub(crate) tokens: Vec<Token<'a>>,
    pub(crate) comments: Vec<Comment<'a>>,
}

/// Splits the text of the file with that index.
pub(crate) fn lex<'a>(text: &'a str, file: usize, reporter: &mut Reporter) -> Lexed<'a> {
    let mut lexer =
        Lexer { text, at: 0, file, starts_line: true, spaced: false, tokens: Vec::new(), comments: Vec::new() };
    while lexer.step(reporter) {}
    Lexed { tokens: lexer.tokens, comments: lexer.comments }
}

/// The operators of more than one character, longest first.
const OPERATORS: [&str; 22] = [
    "...", "<<=", ">>=", "##", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "++", "--", "+=", "-=", "*=",
    "/=", "&=", "|=", "^=",
];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    file: usize,
    starts_line: bool,
    spaced: bool,
    tokens: Vec<Token<'a>>,
    comments: Vec<Comment<'a>>,
}

impl<'a> Lexer<'a> {
    /// Takes one token, comment or white space; false at the end.
    fn step(&mut self, reporter: &mut Reporter) -> bool {
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        if first == '\n' {
            self.at += 1;
            self.starts_line = true;
        } else if first.is_whitespace() || first == '\0' {
            self.at += first.len_utf8();
            self.spaced = true;
        } else if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            self.line_comment(length);
        } else if rest.starts_with("/*") {
            self.block_comment(reporter);
        } else {
            self.token(rest, first);
        }
        true
    }

    fn token(&mut self, rest: &'a str, first: char) {
        let second = rest[first.len_utf8()..].chars().next().unwrap_or('\0');
        let (kind, length) = if let Some((kind, length)) = literal(rest) {
            (kind, length)
        } else if starts_identifier(first) {
            (Kind::Identifier, rest.find(|c| !continues_identifier(c)).unwrap_or(rest.len()))
        } else if first.is_ascii_digit() || (first == '.' && second.is_ascii_digit()) {
            (Kind::Number, number_length(rest))
        } else if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
            (Kind::Punctuator, operator.len())
        } else if first.is_ascii_punctuation() && !matches!(first, '\\' | '`' | '@') {
            (Kind::Punctuator, 1)
        } else {
            (Kind::Other, first.len_utf8())
        };
        self.tokens.push(Token {
            kind,
            text: Cow::Borrowed(&rest[..length]),
            at: Position::new(self.file, self.at),
            starts_line: self.starts_line,
            spaced: self.spaced,
            frozen: false,
        });
        self.at += length;
        self.starts_line = false;
        self.spaced = false;
    }

    fn line_comment(&mut self, length: usize) {
        let text = &self.text[self.at..self.at + length];
        let documents = (text.starts_with("///") && !text.starts_with("////")) || text.starts_with("//!");
        if documents {
            let trailing = text[3..].starts_with('<');
            let end = self.at + length;
            // A run of such lines is one comment.
            let continues = self.comments.last().is_some_and(|last| {
                let between = &self.text[last.end as usize..self.at];
                last.text.starts_with("//")
                    && between.trim().is_empty()
                    && between.matches('\n').count() == 1
                    && (last.trailing || !trailing)
            });
            if let (true, Some(last)) = (continues, self.comments.last_mut()) {
                last.end = Position::new(self.file, end).offset;
                last.text = &self.text[last.at.offset as usize..end];
            } else {
                self.comment(end, trailing);
            }
        }
        self.at += length;
        self.spaced = true;
    }

    fn block_comment(&mut self, reporter: &mut Reporter) {
        let rest = &self.text[self.at..];
        let Some(length) = rest[2..].find("*/").map(|at| at + 4) else {
            reporter.error(
                Position::new(self.file, self.at),
                "this comment is not closed, and everything behind it is lost: add */",
            );
            self.at = self.text.len();
            return;
        };
        let text = &rest[..length];
        let documents = length > 4 && (text.starts_with("/**") && !text.starts_with("/***") || text.starts_with("/*!"));
        if documents {
            self.comment(self.at + length, text[3..].starts_with('<'));
        }
        self.starts_line |= text.contains('\n');
        self.at += length;
        self.spaced = true;
    }

    fn comment(&mut self, end: usize, trailing: bool) {
        self.comments.push(Comment {
            at: Position::new(self.file, self.at),
            end: Position::new(self.file, end).offset,
            text: &self.text[self.at..end],
            trailing,
        });
    }
}

/// Whether a name may start with this character. Everything beyond ASCII may: compilers differ, and nothing else would
/// be made of it.
pub(crate) fn starts_identifier(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '$') || !c.is_ascii()
}

fn continues_identifier(c: char) -> bool {
    (starts_identifier(c) || c.is_ascii_digit()) && !c.is_whitespace()
}

fn number_length(rest: &str) -> usize {
    let mut previous = ' ';
    for (at, c) in rest.char_indices() {
        let sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E' | 'p' | 'P');
        // In `0xE+1` the sign is an operator for everybody but the standard, which calls it an error.
        let sign = sign && (!rest.starts_with("0x") || matches!(previous, 'p' | 'P'));
        if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || sign) {
            return at;
        }
        previous = c;
    }
    rest.len()
}

/// A string or character literal at the start of `rest`: its kind and length. One that its line does not close ends
/// with the line.
fn literal(rest: &str) -> Option<(Kind, usize)> {
    let prefix = ["u8", "L", "u", "U", ""]
        .into_iter()
        .find(|prefix| rest.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '\''])))?;
    let quote = rest.as_bytes()[prefix.len()];
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(prefix.len() + 1) {
        if byte == b'\n' {
            return Some((Kind::Other, at));
        }
        if byte == quote && !escaped {
            return Some((if quote == b'"' { Kind::String } else { Kind::Character }, at + 1));
        }
        escaped = byte == b'\\' && !escaped;
    }
    Some((Kind::Other, rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        lex(text, 0, &mut Reporter::default()).tokens.into_iter().map(|token| token.text.into_owned()).collect()
    }

    #[test]
    fn tokens_are_as_long_as_they_can_be() {
        assert_eq!(texts("a<<=b->c...0x1Fu+1.5e-3"), ["a", "<<=", "b", "->", "c", "...", "0x1Fu", "+", "1.5e-3"]);
        assert_eq!(texts(r#"L"a\"b" 'x' u8"""#), [r#"L"a\"b""#, "'x'", r#"u8"""#]);
    }

    #[test]
    fn an_apostrophe_in_prose_ends_with_its_line() {
        assert_eq!(texts("#error don't\nint"), ["#", "error", "don", "'t", "int"]);
    }

    #[test]
    fn documentation_comments_are_kept_and_others_are_not() {
        let lexed =
            lex("/* no */ /** yes */ // no\n/// a\n/// b\nint x; ///< after\n/**/", 0, &mut Reporter::default());
        let comments: Vec<_> = lexed.comments.iter().map(|comment| (comment.text, comment.trailing)).collect();
        assert_eq!(comments, [("/** yes */", false), ("/// a\n/// b", false), ("///< after", true)]);
    }
}
