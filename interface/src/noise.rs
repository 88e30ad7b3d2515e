//! Drops macros that no header given here defines: `VENDOR_API int VENDOR_CALL f(int a);`.
//!
//! Whether a name is a type, the declared thing or such a macro follows from the types that are known and, among names
//! that are all unknown, from the custom of spelling macros in capitals.

use crate::chunks::Chunk;
use crate::lexer::{Kind, Token};

/// What a word is in a declaration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// A keyword of a type.
    Keyword,
    /// The name of a known type.
    Type,
    /// `struct`, `union`, `enum`: the next word is its tag.
    Tag,
    /// `const`, `extern`, …
    Modifier,
    /// Anything else.
    Unknown,
}

fn classify(word: &str, is_type: &dyn Fn(&str) -> bool) -> Word {
    match word {
        "void" | "char" | "short" | "int" | "long" | "float" | "double" | "signed" | "unsigned" | "_Bool" | "bool"
        | "__int128" | "_Complex" | "__builtin_va_list" | "typeof" | "__typeof__" => Word::Keyword,
        "struct" | "union" | "enum" => Word::Tag,
        "const" | "volatile" | "restrict" | "extern" | "static" | "inline" | "register" | "typedef" | "auto"
        | "_Atomic" => Word::Modifier,
        _ if is_type(word) => Word::Type,
        _ => Word::Unknown,
    }
}

/// Drops such macros from a function's declaration, and gives them back.
pub(crate) fn drop_unknown_macros<'a>(chunk: &mut Chunk<'a>, is_type: &dyn Fn(&str) -> bool) -> Vec<Token<'a>> {
    let mut dropped = leading_macros(chunk, is_type);
    dropped.extend(unwrap_parameters(chunk, is_type));
    let mut doomed = Vec::new();
    if chunk.tokens.iter().any(|token| token.is("{")) {
        members(&chunk.tokens, is_type, &mut doomed);
        dropped.extend(doom(chunk, doomed));
        return dropped;
    }
    conventions(&chunk.tokens, is_type, &mut doomed);
    let mut start = 0;
    let mut head = true;
    // Each stretch between brackets and commas is looked at by itself: the declaration's head, then each parameter.
    for end in 0..chunk.tokens.len() {
        let token = &chunk.tokens[end];
        if token.kind == Kind::Punctuator && !token.is("*") {
            // `VENDOR_API extern int counter;`
            if head && !token.is("(") && !chunk.tokens.iter().any(|token| token.is("(")) {
                stretch(&chunk.tokens, start..end, true, is_type, &mut doomed);
                break;
            }
            let group = token.is("(") && head && chunk.tokens.get(end + 1).is_some_and(|next| !next.is("*"));
            if !head || token.is("(") {
                stretch(&chunk.tokens, start..end, group, is_type, &mut doomed);
            }
            head &= !token.is("(");
            start = end + 1;
        }
    }
    tail(&chunk.tokens, &mut doomed);
    leading_groups(&chunk.tokens, is_type, &mut doomed);
    dropped.extend(doom(chunk, doomed));
    dropped
}

/// `typedef enum color { RED };` names no type: compilers take it for `enum color { RED };`.
pub(crate) fn drop_idle_typedef(chunk: &mut Chunk) {
    let idle =
        matches!(&*chunk.tokens, [first, .., body, end] if first.is_word("typedef") && body.is("}") && end.is(";"));
    if idle {
        chunk.remove(&[0]);
    }
}

/// Drops these tokens, and gives the words among them back.
fn doom<'a>(chunk: &mut Chunk<'a>, mut doomed: Vec<usize>) -> Vec<Token<'a>> {
    doomed.sort_unstable();
    doomed.dedup();
    let words = doomed.iter().map(|index| chunk.tokens[*index].clone());
    let words = words.filter(|token| token.kind == Kind::Identifier).collect();
    chunk.remove(&doomed);
    words
}

/// `REGISTER(a, b) typedef …`, several of them, and the same with nothing but a semicolon behind.
fn leading_macros<'a>(chunk: &mut Chunk<'a>, is_type: &dyn Fn(&str) -> bool) -> Vec<Token<'a>> {
    let mut dropped = Vec::new();
    let mut at = 0;
    while let [first, second, ..] = &chunk.tokens[at..] {
        let unknown = first.identifier().is_some_and(|word| classify(word, is_type) == Word::Unknown);
        if !unknown || !second.is("(") {
            break;
        }
        dropped.push(first.clone());
        at = group_ends(&chunk.tokens, at + 1);
    }
    let goes_on = chunk.tokens.get(at).is_some_and(|next| {
        let keyword = |word: &str| matches!(word, "typedef" | "extern" | "struct" | "union" | "enum" | "const");
        next.is(";") || next.identifier().is_some_and(keyword)
    });
    if !goes_on {
        return Vec::new();
    }
    chunk.remove(&(0..at).collect::<Vec<_>>());
    dropped
}

/// `int f OF((int a));` as headers wrote it when not every compiler knew prototypes.
fn unwrap_parameters<'a>(chunk: &mut Chunk<'a>, is_type: &dyn Fn(&str) -> bool) -> Option<Token<'a>> {
    let tokens = &chunk.tokens;
    let mut open = 0_u32;
    let at = tokens.iter().enumerate().position(|(at, token)| {
        open += u32::from(token.is("("));
        open = open.saturating_sub(u32::from(token.is(")")));
        let named = at > 0 && (tokens[at - 1].identifier().is_some() || tokens[at - 1].is(")"));
        let unknown = token.identifier().is_some_and(|word| classify(word, is_type) == Word::Unknown);
        let doubled = tokens.get(at + 1..at + 3).is_some_and(|next| next.iter().all(|next| next.is("(")));
        open == 0 && named && unknown && doubled
    })?;
    let end = group_ends(tokens, at + 1);
    if group_ends(tokens, at + 2) + 1 != end {
        return None;
    }
    let dropped = tokens[at].clone();
    chunk.remove(&[at, at + 1, end - 1]);
    Some(dropped)
}

/// Finds the superfluous words of one stretch. `named` says that its last word is the name of the function.
fn stretch(
    tokens: &[Token],
    range: std::ops::Range<usize>,
    named: bool,
    is_type: &dyn Fn(&str) -> bool,
    doomed: &mut Vec<usize>,
) {
    let mut unknown = Vec::new();
    let mut type_at = None;
    let mut tag = false;
    for index in range {
        let Some(word) = tokens[index].identifier() else { continue };
        match classify(word, is_type) {
            _ if std::mem::take(&mut tag) => type_at = Some(index),
            // The name of a thing may be that of a type as well: `div_t div(…)`, `HANDLE HANDLE`.
            Word::Type if type_at.is_some() => unknown.push(index),
            Word::Type | Word::Keyword => type_at = Some(index),
            Word::Tag => tag = true,
            Word::Modifier => {}
            Word::Unknown => unknown.push(index),
        }
    }
    let capitals = |index: &usize| !tokens[*index].text.chars().any(char::is_lowercase);
    if named {
        unknown.pop();
    }
    if let Some(type_at) = type_at {
        let (before, mut after): (Vec<usize>, Vec<usize>) = unknown.into_iter().partition(|index| *index < type_at);
        doomed.extend(before);
        if !named {
            let name = after.iter().rposition(|index| !capitals(index)).or(after.len().checked_sub(1));
            if let Some(name) = name {
                after.remove(name);
            }
        }
        doomed.extend(after);
    } else if unknown.len() > 1 {
        // One of these is a type that nobody declared; in a parameter, another one is the name.
        let ty = unknown.iter().position(|index| !capitals(index)).unwrap_or(unknown.len() - 1);
        let ty = if named { ty } else { ty.min(unknown.len().saturating_sub(2)) };
        unknown.remove(ty);
        if !named {
            unknown.pop();
        }
        doomed.extend(unknown);
    }
}

/// `struct s { VENDOR_CONST char *name; };`
fn members(tokens: &[Token], is_type: &dyn Fn(&str) -> bool, doomed: &mut Vec<usize>) {
    let structure = |token: &Token| token.is_word("struct") || token.is_word("union");
    let mut open = Vec::new();
    // Where the member at this place begins, up to its first bracket or comma.
    let mut start = None;
    for (index, token) in tokens.iter().enumerate() {
        if token.kind != Kind::Punctuator || token.is("*") {
            continue;
        }
        match start.take() {
            // `int a;;`
            Some(start) if start == index && token.is(";") => doomed.push(index),
            Some(start) => stretch(tokens, start..index, true, is_type, doomed),
            None => {}
        }
        if token.is("{") {
            open.push(tokens[index.saturating_sub(2)..index].iter().any(structure));
        } else if token.is("}") {
            open.pop();
        }
        let begins = token.is("{") || token.is(";");
        start = (begins && open.last() == Some(&true)).then_some(index + 1);
    }
}

/// `(VENDOR_CALL *handler)(int a)`
fn conventions(tokens: &[Token], is_type: &dyn Fn(&str) -> bool, doomed: &mut Vec<usize>) {
    for (index, window) in tokens.windows(3).enumerate() {
        let unknown = |token: &Token| token.identifier().is_some_and(|word| classify(word, is_type) == Word::Unknown);
        if !(window[0].is("(") && unknown(&window[1]) && window[2].is("*")) {
            continue;
        }
        let rest = &tokens[index + 2..];
        let words = rest.iter().take_while(|token| token.is("*") || token.kind == Kind::Identifier).count();
        if rest.get(words..words + 2).is_some_and(|next| next[0].is(")") && next[1].is("(")) {
            doomed.push(index + 1);
        }
    }
}

/// Gives bit-fields that have no name this one, since the grammar knows none without.
pub(crate) fn name_bit_fields<'a>(chunk: &mut Chunk<'a>, name: &'a str, is_type: &dyn Fn(&str) -> bool) {
    let mut nameless = Vec::new();
    let (mut curly, mut start) = (0_u32, 0);
    for (index, token) in chunk.tokens.iter().enumerate() {
        curly += u32::from(token.is("{"));
        curly = curly.saturating_sub(u32::from(token.is("}")));
        if token.is(":") && curly > 0 && is_nameless(&chunk.tokens[start..index], is_type) {
            nameless.push(index);
        }
        if token.is("{") || token.is("}") || token.is(";") || token.is(",") {
            start = index + 1;
        }
    }
    chunk.insert(&nameless, name);
}

/// Whether these tokens before a colon are no more than a type.
fn is_nameless(tokens: &[Token], is_type: &dyn Fn(&str) -> bool) -> bool {
    let (mut keywords, mut types) = (0, 0);
    for token in tokens {
        match token.identifier().map(|word| classify(word, is_type)) {
            Some(Word::Keyword) => keywords += 1,
            Some(Word::Type) => types += 1,
            Some(Word::Modifier) => {}
            Some(Word::Tag | Word::Unknown) | None => return false,
        }
    }
    // `int HANDLE : 3` has the name of a type, and so has `DWORD HANDLE : 3`.
    types == 0 || (types == 1 && keywords == 0)
}

/// Words between the parameter list and the semicolon.
fn tail(tokens: &[Token], doomed: &mut Vec<usize>) {
    let mut open = 0_u32;
    let mut behind = false;
    for (index, token) in tokens.iter().enumerate() {
        let inside = open > 0;
        open += u32::from(token.is("("));
        open = open.saturating_sub(u32::from(token.is(")")));
        if behind && !token.is(";") && !token.is(",") && !token.is("=") {
            doomed.push(index);
        }
        // `f(int a) NOTHROW`: the list is behind if a word follows it that no bracket or name follows.
        let closes = inside && open == 0;
        if closes && tokens.get(index + 1).is_some_and(|next| next.kind == Kind::Identifier) {
            let rest = &tokens[index + 1..];
            let words = rest.iter().take_while(|token| token.kind == Kind::Identifier).count();
            behind |= words == rest.len() - 1 || (words == 1 && group_ends(rest, 1) == rest.len() - 1);
        }
    }
}

/// The index behind the group that opens at `at`.
fn group_ends(tokens: &[Token], at: usize) -> usize {
    let mut open = 0_u32;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        open += u32::from(token.is("("));
        open = open.saturating_sub(u32::from(token.is(")")));
        if open == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

/// `DEPRECATED("…") int f(int a);`
fn leading_groups(tokens: &[Token], is_type: &dyn Fn(&str) -> bool, doomed: &mut Vec<usize>) {
    let mut at = 0;
    while let [first, second, ..] = &tokens[at..] {
        let unknown = first.identifier().is_some_and(|word| classify(word, is_type) == Word::Unknown);
        if !unknown || !second.is("(") {
            return;
        }
        let end = group_ends(tokens, at + 1);
        if !tokens.get(end).is_some_and(|next| next.kind == Kind::Identifier) || end + 1 >= tokens.len() {
            return;
        }
        let words = tokens[end..].iter().take_while(|token| token.kind == Kind::Identifier || token.is("*")).count();
        if words < 2 || !tokens.get(end + words).is_some_and(|next| next.is("(")) {
            return;
        }
        doomed.extend(at..end);
        at = end;
    }
}
