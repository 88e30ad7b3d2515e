//! Takes out of the token stream what is not plain C: source annotations, calling conventions, attributes.
//!
//! What tells something is kept as [`Mark`], with its place between the remaining tokens; the rest is dropped.

use bridge32_protocol::interface::Convention;

use crate::builtin;
use crate::lexer::{Kind, Token};
use crate::packing::Packing;
use crate::report::Reporter;
use crate::sal::{self, Sal};
use crate::source::Position;

/// Something that was said beside the C of a declaration.
#[derive(Clone, Debug)]
pub(crate) enum Mark<'a> {
    /// Of a parameter.
    Sal(Sal<'a>),
    /// Of a function.
    /// With the place of its keyword, or of the macro that stands for it.
    Convention(Convention, Position),
    /// Of a function, too: one that no thunk knows, by its keyword.
    UnknownConvention(String),
    /// Of a structure, before the bracket that opens it: `#pragma pack`.
    Pack(u32),
    /// Of a structure or a member: `__attribute__((packed))`.
    Packed,
    /// Of a structure or a member: at least so many bytes. Nothing between the brackets means as much as there is.
    Aligned {
        bytes: Vec<Token<'a>>,
        /// `__declspec(align(8))`: before the `struct` of a declaration it speaks of the structure, as no other does.
        declspec: bool,
    },
    /// Of a variable: `__declspec(dllimport)` and the like.
    Exported,
    /// Of an enumeration, before the bracket that opens it: the type behind its colon.
    Underlying(Vec<Token<'a>>),
    /// Of any type: it lies in memory in another way than C says (`mode(DI)`).
    Layout(Change),
}

/// Tokens, and what was said before which of them.
#[derive(Debug, Default)]
pub(crate) struct Annotated<'a> {
    pub(crate) tokens: Vec<Token<'a>>,
    /// By the index of the token that follows it, in order.
    pub(crate) marks: Vec<(usize, Mark<'a>)>,
}

/// An attribute that changes how a type lies in memory, as it is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Without the underscores around it.
    pub(crate) name: String,
    /// What stands between its brackets, without white space.
    pub(crate) argument: String,
}

/// Arguments of annotations are not longer, which bounds the search for their end.
const MAX_GROUP: usize = 1000;

/// Keywords of compilers that change nothing here.
const NOISE: &[&str] = &[
    "__extension__",
    "_Noreturn",
    "__noreturn__",
    "__unaligned",
    "_unaligned",
    "__sptr",
    "__uptr",
    "__w64",
    "_Nonnull",
    "_Nullable",
    "_Null_unspecified",
    "__nullable",
    "__kernel_entry",
    "__noop",
    "__thread",
    "_Thread_local",
    "__MINGW_NOTHROW",
    "__nothrow",
    "__export",
];

/// The same, with a group of arguments.
const NOISE_WITH_ARGUMENTS: &[&str] = &[
    "__asm__",
    "__asm",
    "asm",
    "_Static_assert",
    "static_assert",
    "__allowed",
    "__range",
    "__format_string",
    "__nonnull",
];

/// Attributes that change the size, the bytes or the alignment of what they are said of (GCC: "Specifying Attributes of
/// Types"; Clang: "Attributes in Clang").
const LAYOUT: &[&str] = &[
    "mode",
    "vector_size",
    "ext_vector_type",
    "ms_struct",
    "gcc_struct",
    "scalar_storage_order",
    "transparent_union",
    "randomize_layout",
];

/// The types behind the colon of an enumeration have no more words.
const MAX_WORDS: usize = 8;

/// The calling convention that a keyword or the name of an attribute stands for.
fn convention<'a>(word: &str, at: Position) -> Option<Mark<'a>> {
    let mark = match word.trim_matches('_') {
        "cdecl" => Mark::Convention(Convention::Cdecl, at),
        "stdcall" => Mark::Convention(Convention::Stdcall, at),
        "fastcall" => Mark::Convention(Convention::Fastcall, at),
        "thiscall" => Mark::Convention(Convention::Thiscall, at),
        "vectorcall" | "pascal" | "clrcall" | "regcall" | "regparm" | "sseregparm" | "ms_abi" | "sysv_abi"
        | "fortran" => Mark::UnknownConvention(word.to_owned()),
        _ => return None,
    };
    Some(mark)
}

/// Separates the annotations from the C.
pub(crate) fn annotate<'a>(tokens: Vec<Token<'a>>, reporter: &mut Reporter) -> Annotated<'a> {
    let mut stream = Stream { tokens, at: 0, brackets: 0, packing: Packing::default(), output: Annotated::default() };
    while stream.at < stream.tokens.len() {
        stream.step(reporter);
    }
    stream.packing.finish(reporter);
    stream.output
}

struct Stream<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    brackets: usize,
    packing: Packing,
    output: Annotated<'a>,
}

impl<'a> Stream<'a> {
    fn step(&mut self, reporter: &mut Reporter) {
        let token = &self.tokens[self.at];
        if token.kind == Kind::Pragma {
            self.packing.apply(&token.text, token.at, reporter);
            self.at += 1;
            return;
        }
        if token.kind == Kind::Identifier && (self.word() || self.pragma(reporter)) {
            return;
        }
        if self.attribute() || self.underlying() {
            return;
        }
        let token = self.tokens[self.at].clone();
        if token.is("{") {
            if let Some(limit) = self.packing.current() {
                self.mark(Mark::Pack(limit));
            }
            for change in self.packing.changes().to_vec() {
                self.mark(Mark::Layout(change));
            }
        }
        if token.is("(") {
            self.brackets += 1;
        } else if token.is(")") {
            self.brackets = self.brackets.saturating_sub(1);
        } else if token.is("{") || token.is("}") || token.is(";") {
            self.brackets = 0;
        }
        self.output.tokens.push(token);
        self.at += 1;
    }

    /// Takes `[[gnu::packed]]`; false if there is none at this place.
    fn attribute(&mut self) -> bool {
        let rest = &self.tokens[self.at..];
        if !rest.iter().take(2).all(|token| token.is("[")) {
            return false;
        }
        let inside = rest.iter().take(MAX_GROUP).take_while(|token| !token.is("]") && !token.is(";")).count();
        let closed = rest.get(inside..inside + 2).is_some_and(|end| end.iter().all(|token| token.is("]")));
        if closed {
            let group = self.at + 2..self.at + inside;
            self.at += inside + 2;
            self.attributes(group, false);
        }
        closed
    }

    /// Takes the type in `enum e : uint8_t {`; false if there is none at this place. The grammar knows only few types there.
    fn underlying(&mut self) -> bool {
        let behind_enum = match &*self.output.tokens {
            [.., last] if last.is_word("enum") => true,
            [.., before, tag] => before.is_word("enum") && tag.identifier().is_some(),
            _ => false,
        };
        if !behind_enum || !self.tokens[self.at].is(":") {
            return false;
        }
        let rest = &self.tokens[self.at + 1..];
        let words = rest.iter().take(MAX_WORDS).take_while(|token| token.kind == Kind::Identifier).count();
        // `enum e : int;` declares an enumeration; `enum e : WIDTH;` is a bit-field without a name.
        let is_type = |token: &Token| builtin::lookup(&token.text, false, false).is_some();
        let is_type = rest[..words].last().is_some_and(is_type);
        if words == 0 || !rest.get(words).is_some_and(|next| next.is("{") || (next.is(";") && is_type)) {
            return false;
        }
        let words = rest[..words].to_vec();
        self.at += 1 + words.len();
        self.mark(Mark::Underlying(words));
        true
    }

    fn mark(&mut self, mark: Mark<'a>) {
        self.output.marks.push((self.output.tokens.len(), mark));
    }

    /// Takes an annotation; false if the word at this place is none.
    fn word(&mut self) -> bool {
        let token = self.tokens[self.at].clone();
        let word = &*token.text;
        if sal::is_annotation(word) || self.is_legacy(word) {
            self.at += 1;
            let arguments = self.group().map(|group| split(&self.tokens[group])).unwrap_or_default();
            self.mark(Mark::Sal(sal::read(&token, arguments)));
        } else if word.starts_with('_')
            && let Some(mark) = convention(word, token.at)
        {
            self.at += 1;
            self.mark(mark);
        } else if matches!(word, "__attribute__" | "__attribute" | "__declspec" | "_declspec") {
            self.at += 1;
            if let Some(mut group) = self.group() {
                // `__attribute__` has two pairs of brackets.
                group.start += usize::from(self.tokens.get(group.start).is_some_and(|inner| inner.is("(")));
                self.attributes(group, word.ends_with("declspec"));
            }
        } else if matches!(word, "_Alignas" | "__align") {
            self.at += 1;
            let bytes = self.group().map(|group| self.tokens[group].to_vec()).unwrap_or_default();
            self.mark(Mark::Aligned { bytes, declspec: false });
        } else if matches!(word, "__ptr32" | "__ptr64") {
            self.at += 1;
            self.mark(Mark::Layout(Change { name: word.to_owned(), argument: String::new() }));
        } else if NOISE.contains(&word) {
            self.at += 1;
        } else if NOISE_WITH_ARGUMENTS.contains(&word) || word.starts_with("__attribute_") {
            self.at += 1;
            while self.tokens.get(self.at).is_some_and(|next| next.is_word("volatile")) {
                self.at += 1;
            }
            self.group();
        } else {
            return false;
        }
        true
    }

    /// What the innermost brackets behind `__attribute__` or `__declspec` contain.
    fn attributes(&mut self, group: std::ops::Range<usize>, declspec: bool) {
        let mut marks = Vec::new();
        let tokens = &self.tokens[group];
        let mut open = 0_u32;
        for (index, token) in tokens.iter().enumerate() {
            open += u32::from(token.is("("));
            open = open.saturating_sub(u32::from(token.is(")")));
            // What stands in brackets are arguments.
            let Some(word) = token.identifier().filter(|_| open == 0) else { continue };
            marks.extend(convention(word, token.at));
            let behind = &tokens[index + 1..];
            let arguments = || {
                let end = if behind.first().is_some_and(|next| next.is("(")) { closing(behind) } else { 0 };
                behind.get(1..end).unwrap_or_default()
            };
            match word.trim_matches('_') {
                "packed" => marks.push(Mark::Packed),
                "dllimport" | "dllexport" | "visibility" => marks.push(Mark::Exported),
                "aligned" | "align" => marks.push(Mark::Aligned { bytes: arguments().to_vec(), declspec }),
                name if LAYOUT.contains(&name) => {
                    let argument = arguments().iter().map(|token| &*token.text).collect();
                    marks.push(Mark::Layout(Change { name: name.to_owned(), argument }));
                }
                _ => {}
            }
        }
        for mark in marks {
            self.mark(mark);
        }
    }

    /// Takes `__pragma(pack(1))` and `_Pragma("pack(1)")`; false if there is none at this place.
    fn pragma(&mut self, reporter: &mut Reporter) -> bool {
        let token = self.tokens[self.at].clone();
        if !matches!(&*token.text, "__pragma" | "_Pragma") {
            return false;
        }
        self.at += 1;
        if let Some(group) = self.group() {
            let text: String = self.tokens[group].iter().map(|token| &*token.text).collect();
            self.packing.apply(text.trim_matches('"'), token.at, reporter);
        }
        true
    }

    /// `IN` and the like are annotations where a parameter goes on behind them; `OPTIONAL`, too, where it ends there.
    fn is_legacy(&self, word: &str) -> bool {
        if self.brackets == 0 || !sal::is_legacy_word(word) {
            return false;
        }
        let next = self.tokens.get(self.at + 1);
        let continues = next.is_some_and(|next| next.kind == Kind::Identifier);
        continues || (word == "OPTIONAL" && next.is_some_and(|next| next.is(",") || next.is(")")))
    }

    /// The inside of the brackets at this place, which are passed.
    fn group(&mut self) -> Option<std::ops::Range<usize>> {
        if !self.tokens.get(self.at)?.is("(") {
            return None;
        }
        let mut open = 0_u32;
        for (index, token) in self.tokens.iter().enumerate().skip(self.at).take(MAX_GROUP) {
            open += u32::from(token.is("("));
            open -= u32::from(token.is(")"));
            if open == 0 {
                let inside = self.at + 1..index;
                self.at = index + 1;
                return Some(inside);
            }
            // No annotation goes on in the next declaration; a forgotten bracket would.
            if token.is(";") || token.is("{") {
                return None;
            }
        }
        None
    }
}

/// Where the bracket at the start is closed; 0 if it is not.
fn closing(tokens: &[Token]) -> usize {
    let mut open = 0_u32;
    let closes = |token: &Token| {
        open += u32::from(token.is("("));
        open = open.saturating_sub(u32::from(token.is(")")));
        open == 0
    };
    tokens.iter().position(closes).unwrap_or(0)
}

/// Splits arguments at their commas.
fn split<'a>(tokens: &[Token<'a>]) -> Vec<Vec<Token<'a>>> {
    let mut arguments = vec![Vec::new()];
    let mut open = 0_u32;
    for token in tokens {
        open += u32::from(token.is("("));
        open = open.saturating_sub(u32::from(token.is(")")));
        if open == 0 && token.is(",") {
            arguments.push(Vec::new());
        } else if let Some(last) = arguments.last_mut() {
            last.push(token.clone());
        }
    }
    arguments
}
