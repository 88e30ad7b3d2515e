//! The structures, callbacks and opaque types of the Windows headers: C text that is read like any header, but only those
//! declarations whose names a header uses.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::annotations;
use crate::chunks::{self, Chunk};
use crate::lexer::{Kind, Token, lex};
use crate::predefined;
use crate::report::Reporter;

/// As winnt.h, windef.h, winbase.h, wingdi.h, winuser.h, wincon.h and sysinfoapi.h declare them.
const TEXT: &str = include_str!("windows.h");

/// Names that depend on `UNICODE`.
const NARROW: &str = include_str!("windows_narrow.h");
const WIDE: &str = include_str!("windows_wide.h");

/// The declarations of a text, and which of them declares a name.
struct Index {
    declarations: Vec<Vec<Token<'static>>>,
    names: HashMap<&'static str, usize>,
}

static INDEXES: LazyLock<[Index; 2]> = LazyLock::new(|| [[TEXT, NARROW], [TEXT, WIDE]].map(Index::new));

impl Index {
    fn new(texts: [&'static str; 2]) -> Self {
        let mut index = Self { declarations: Vec::new(), names: HashMap::new() };
        for text in texts {
            let mut declaration = Vec::new();
            let mut curly = 0_u32;
            for token in lex(text, predefined::FILE, &mut Reporter::default()).tokens {
                curly += u32::from(token.is("{"));
                curly = curly.saturating_sub(u32::from(token.is("}")));
                let last = curly == 0 && token.is(";");
                declaration.push(token);
                if last {
                    index.add(std::mem::take(&mut declaration));
                }
            }
        }
        index
    }

    fn add(&mut self, declaration: Vec<Token<'static>>) {
        let number = self.declarations.len();
        let (mut curly, mut round, mut behind) = (0_u32, 0_u32, false);
        for pair in declaration.windows(2) {
            let [token, next] = pair else { continue };
            curly += u32::from(token.is("{"));
            curly = curly.saturating_sub(u32::from(token.is("}")));
            round += u32::from(token.is("("));
            round = round.saturating_sub(u32::from(token.is(")")));
            behind |= token.is(")");
            if token.kind != Kind::Identifier || curly > 0 {
                continue;
            }
            // `struct NAME {`, `NAME, *NAME;`, `(__stdcall *NAME)(…)`
            let name = next.is("{")
                || (round == 0 && (next.is(",") || next.is(";")))
                || (round == 1 && !behind && next.is(")"));
            if let (true, std::borrow::Cow::Borrowed(text)) = (name, &token.text) {
                self.names.entry(text).or_insert(number);
            }
        }
        // `struct _CONTEXT CONTEXT`: the tag is not followed by a bracket.
        if let [_, second, tag, ..] = &*declaration
            && (second.is_word("struct") || second.is_word("union"))
            && let std::borrow::Cow::Borrowed(text) = &tag.text
        {
            self.names.entry(text).or_insert(number);
        }
        self.declarations.push(declaration);
    }

    /// The declarations of the names in `tokens`, and of those that they need.
    fn needed(&self, tokens: &[Token]) -> Vec<usize> {
        let mut wanted = vec![false; self.declarations.len()];
        let mut open: Vec<usize> = Vec::new();
        let mut look = |tokens: &[Token], open: &mut Vec<usize>| {
            for token in tokens {
                let number = token.identifier().and_then(|name| self.names.get(name));
                if let Some(&number) = number.filter(|number| !wanted[**number]) {
                    wanted[number] = true;
                    open.push(number);
                }
            }
        };
        look(tokens, &mut open);
        while let Some(number) = open.pop() {
            look(&self.declarations[number], &mut open);
        }
        (0..wanted.len()).filter(|number| wanted[*number]).collect()
    }
}

/// The declarations of Windows that the tokens of a header make use of, in the order of the text.
pub(crate) fn declarations(tokens: &[Token], unicode: bool) -> Vec<Chunk<'static>> {
    let index = &INDEXES[usize::from(unicode)];
    let numbers = index.needed(tokens);
    let tokens = numbers.into_iter().flat_map(|number| index.declarations[number].iter().cloned()).collect();
    let mut reporter = Reporter::default();
    chunks::split(annotations::annotate(tokens, &mut reporter), &mut reporter)
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::target::Target;

    use super::*;
    use crate::{Options, Source, read};

    #[test]
    fn every_declaration_is_understood_on_every_target() {
        for target in Target::ALL {
            for unicode in ["", "#define UNICODE\n"] {
                let names: Vec<&str> = INDEXES[usize::from(!unicode.is_empty())].names.keys().copied().collect();
                let lines: Vec<_> = names.iter().map(|name| format!("void take_{name}({name} *p);\n")).collect();
                let text = format!("{unicode}{}", lines.concat());
                let header = read(&[Source { name: "a.h", text: text.as_bytes() }], &Options::new(target));
                let tags = |message: &str| names.iter().any(|name| message.contains(&format!("“{name}”")));
                let wrong: Vec<_> = header.diagnostics.iter().filter(|told| !tags(&told.message)).collect();
                assert!(wrong.is_empty(), "{wrong:?}");
                // Tags are no types by themselves.
                let refused = header.interface.functions.iter().filter_map(|function| function.unsupported.as_ref());
                let wrong: Vec<_> = refused.filter(|reason| !reason.contains("is not declared here")).collect();
                assert!(wrong.is_empty(), "{wrong:?}");
            }
        }
    }

    #[test]
    fn only_what_is_used_is_read() {
        let tokens = lex("void f(LPWIN32_FIND_DATAW data, int HANDLE);", 0, &mut Reporter::default()).tokens;
        let chunks = declarations(&tokens, false);
        let tags: Vec<_> = chunks.iter().map(|chunk| chunk.tokens[2].text.to_string()).collect();
        assert_eq!(tags, ["_FILETIME", "_WIN32_FIND_DATAW"]);
    }
}
