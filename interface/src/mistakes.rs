//! What is probably wrong with a declaration that the grammar does not allow: what people forget, and C++.

use crate::lexer::Token;
use crate::source::Position;

/// Words that begin declarations of C++ only.
const CPLUSPLUS: &[&str] = &["class", "namespace", "template", "public", "private", "protected", "virtual"];

/// What is wrong with the declaration, and where, if it is one of the mistakes that are known.
pub(crate) fn find(tokens: &[Token]) -> Option<(Position, String)> {
    cplusplus(tokens).or_else(|| unclosed(tokens)).or_else(|| missing_semicolon(tokens))
}

/// The tokens of a declaration with the names that were taken for macros.
pub(crate) fn as_written<'a>(tokens: &[Token<'a>], dropped: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut all = [tokens, dropped].concat();
    all.sort_by_key(|token| token.at);
    all
}

/// A name that was taken for a macro, but is that of a declaration whose `;` is missing: `long a` and `long b;` in the next
/// line would become one `long long b`.
pub(crate) fn swallowed(
    as_written: &[Token],
    dropped: &[Token],
    is_type: &dyn Fn(&str) -> bool,
) -> Option<(Position, String)> {
    let words = |token: &Token| token.identifier().is_some_and(is_type);
    let begins = |token: &Token| words(token) || token.is_word("struct") || token.is_word("const");
    as_written.windows(3).find_map(|three| match three {
        [ty, name, next]
            if words(ty) && next.starts_line && begins(next) && dropped.iter().any(|token| token.at == name.at) =>
        {
            Some((name.at, format!("`;` is missing after “{}”", name.text)))
        }
        _ => None,
    })
}

/// Whether the rest of the declaration, and what it swallowed, is C++.
pub(crate) fn cplusplus(tokens: &[Token]) -> Option<(Position, String)> {
    let begins = |at: usize| {
        at.checked_sub(1).is_none_or(|before| [";", "{", "}", ":"].iter().any(|end| tokens[before].is(end)))
    };
    let found = |(at, token): &(usize, &Token)| {
        let word = token.identifier().filter(|word| CPLUSPLUS.contains(word));
        let name = tokens.get(at + 1).is_some_and(|next| next.identifier().is_some());
        let sign = tokens.get(at + 1).is_some_and(|next| ["<", "{", ":"].iter().any(|sign| next.is(sign)));
        word.is_some() && begins(*at) && (name || sign)
    };
    let (_, token) = tokens.iter().enumerate().find(found)?;
    let message = format!(
        "this is C++: “{}” is no word of C; declare what the library exports as C functions (in a file or an \
         `#ifdef __cplusplus` branch of its own)",
        token.text
    );
    Some((token.at, message))
}

/// A round bracket that is still open where the declaration ends, or where another one begins.
fn unclosed(tokens: &[Token]) -> Option<(Position, String)> {
    let mut open: Vec<&Token> = Vec::new();
    for token in tokens {
        if token.is("(") {
            open.push(token);
        } else if token.is(")") {
            open.pop();
        } else if (token.is(";") || token.is("{"))
            && let Some(bracket) = open.last()
        {
            return Some((bracket.at, "a `)` is missing: this bracket is not closed".to_owned()));
        }
    }
    None
}

/// A line that goes on behind a complete declaration or member.
fn missing_semicolon(tokens: &[Token]) -> Option<(Position, String)> {
    let mut round = 0_u32;
    for pair in tokens.windows(2) {
        let [token, next] = pair else { continue };
        round += u32::from(token.is("("));
        round = round.saturating_sub(u32::from(token.is(")")));
        let begins = next.starts_line && next.identifier().is_some();
        let complete = token.is(")") || token.is("}") || token.is("]") || token.identifier().is_some();
        if round == 0 && begins && complete && !goes_on(token) {
            return Some((token.at, format!("`;` is missing after “{}”", token.text)));
        }
    }
    None
}

/// Words behind which people break lines.
fn goes_on(token: &Token) -> bool {
    const WORDS: [&str; 9] = ["typedef", "struct", "union", "enum", "extern", "const", "unsigned", "inline", "static"];
    WORDS.iter().any(|word| token.is_word(word))
}
