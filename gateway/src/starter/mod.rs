//! A header to start from, made of an export table. What the names state is declared; what they do not is left for a person
//! to complete, in comments, so that nothing can be called that was guessed.

mod cpp;
mod text;
mod types;

use std::collections::{HashMap, HashSet};

use bridge32_image::lookup::{Index, Lookup};
use bridge32_image::{Convention as Decorated, Decoration, Export, ExportKind, Image};
use bridge32_interface::{Options, Source};
use bridge32_protocol::interface::Convention;
use bridge32_protocol::target::Target;
use serde::Serialize;

use cpp::{Declared, Meaning};
use types::{Types, identifier};

/// A header, and what it was made of.
#[derive(Debug, Serialize)]
pub struct Starter {
    /// The text of the header.
    pub header: String,
    /// What was found of each export: by ordinal for PE, by name for ELF.
    pub exports: Vec<Entry>,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name in the file, `#12` if it has only a number.
    pub export: String,
    /// Its name in the header.
    pub name: String,
    /// How much the file says of it.
    pub known: Known,
    /// The declaration: complete, or with `TYPE` and `PARAMETERS` where something is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declaration: Option<String>,
    /// The tag that says which export it is, where the name does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What a person should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// How much an export table says of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// The C++ name states everything.
    Types,
    /// The decorated name states the convention and the bytes of arguments: it is a comment.
    Bytes,
    /// The name states a part: it is a comment.
    Part,
    /// Only the name is known: it is a comment.
    Name,
    /// It is data: it is a comment.
    Data,
    /// It is left out.
    Nothing,
}

impl Known {
    /// Whether it is declared, so that it can be called.
    pub const fn is_declared(self) -> bool {
        matches!(self, Self::Types)
    }
}

/// Makes a header for a library. `file` is its name, for the first comment.
pub fn make(file: &str, image: &Image, target: Target) -> Starter {
    let decorated: HashSet<(u64, &str)> = image.exports.iter().filter_map(place_and_bare_name).collect();
    let mut kept = image.sorted_exports();
    kept.retain(|export| !export.hidden && !has_second_spelling(&decorated, export));
    let index = Index::new(&image.exports);
    let mut maker = Maker { index, target, names: HashSet::new(), numbers: HashMap::new(), types: Types::default() };
    maker.reserve_plain_names(&kept);
    let mut entries: Vec<Entry> = kept.into_iter().map(|export| maker.entry(export)).collect();
    let structures = maker.types.structures;
    // What our own reader does not take as it was meant is no declaration to give to anybody.
    for _ in 0..3 {
        let text = text::whole(file, target, &structures, &entries);
        if !demote(&text, target, &mut entries) {
            return Starter { header: text, exports: entries };
        }
    }
    entries.iter_mut().filter(|entry| entry.known.is_declared()).for_each(|entry| entry.known = Known::Part);
    Starter { header: text::whole(file, target, &structures, &entries), exports: entries }
}

struct Maker<'a> {
    index: Index<'a>,
    target: Target,
    names: HashSet<String>,
    /// The number that the next function of a name gets.
    numbers: HashMap<String, usize>,
    types: Types,
}

impl Maker<'_> {
    /// A name that the file itself has goes to that export.
    fn reserve_plain_names(&mut self, exports: &[&Export]) {
        let plain = exports.iter().filter(|export| export.demangled.is_none() && export.decoration.is_none());
        self.names.extend(plain.filter_map(|export| export.name.clone()).filter(|name| is_name(name)));
    }

    fn entry(&mut self, export: &Export) -> Entry {
        let shown = shown(export);
        let note = match &export.forwarder {
            Some(forwarder) => format!("forwarded to {forwarder}"),
            None => String::new(),
        };
        let blank =
            Entry { export: shown, name: String::new(), known: Known::Name, declaration: None, tag: None, note };
        if export.kind == ExportKind::Data {
            return Self::data(export, blank);
        }
        match (&export.demangled, &export.decoration, &export.name) {
            (Some(text), _, Some(name)) => self.mangled(export, name, text, blank),
            (_, Some(decoration), _) => self.decorated(export, decoration, blank),
            (_, _, Some(name)) => {
                let own = if is_name(name) { name.clone() } else { self.unused(name) };
                let declaration = Some(format!("TYPE {own}(PARAMETERS);"));
                Entry { tag: self.tag(export, &own), name: own, declaration, ..blank }
            }
            (_, _, None) => {
                let own = self.unused(&format!("ordinal_{}", export.ordinal.unwrap_or_default()));
                let declaration = Some(format!("TYPE {own}(PARAMETERS);"));
                Entry { tag: self.tag(export, &own), name: own, declaration, ..blank }
            }
        }
    }

    fn data(export: &Export, blank: Entry) -> Entry {
        let name = export.name.clone().unwrap_or_else(|| format!("ordinal_{}", export.ordinal.unwrap_or_default()));
        let note = export.demangled.clone().unwrap_or_default();
        if note.contains(" for ") || note.contains('`') {
            return Entry { name, known: Known::Nothing, note: format!("{note}: it is the compiler's own"), ..blank };
        }
        let declaration = (is_identifier(&name) && export.name.is_some()).then(|| format!("extern TYPE {name};"));
        Entry { name, known: Known::Data, declaration, note, ..blank }
    }

    fn decorated(&mut self, export: &Export, decoration: &Decoration, blank: Entry) -> Entry {
        let name = self.unused(&decoration.bare);
        let tag = self.tag(export, &name);
        let convention = match decoration.convention {
            Decorated::Stdcall => Convention::Stdcall,
            Decorated::Fastcall => Convention::Fastcall,
            Decorated::Cdecl => Convention::Cdecl,
            Decorated::Vectorcall => {
                let note = "it is __vectorcall, which cannot be called".to_owned();
                return Entry { name, known: Known::Nothing, note, ..blank };
            }
        };
        let list = match decoration.argument_bytes {
            Some(0) => "void".to_owned(),
            Some(bytes) => format!("/* {bytes} bytes */ PARAMETERS"),
            None => "PARAMETERS".to_owned(),
        };
        let declaration = Some(format!("TYPE {} {name}({list});", convention.keyword()));
        Entry { name, known: Known::Bytes, declaration, tag, ..blank }
    }

    fn mangled(&mut self, export: &Export, symbol: &str, text: &str, blank: Entry) -> Entry {
        let meaning = if symbol.starts_with('?') {
            cpp::microsoft(text, &mut self.types)
        } else {
            cpp::itanium(text, &mut self.types)
        };
        let Entry { note: forwarded, .. } = &blank;
        let note = if forwarded.is_empty() { text.to_owned() } else { format!("{text}; {forwarded}") };
        match meaning {
            Meaning::Function(declared) => self.function(export, declared, Entry { note, ..blank }),
            Meaning::Incomplete(why) => {
                let name = self.unused(bare_name(text));
                let declaration = Some(format!("TYPE {name}(PARAMETERS);"));
                let tag = self.tag(export, &name);
                Entry { name, known: Known::Part, declaration, tag, note: format!("{note}: {why}"), ..blank }
            }
            Meaning::LeftOut(why) => {
                Entry { name: text.to_owned(), known: Known::Nothing, note: format!("{note}: {why}"), ..blank }
            }
            Meaning::Data => {
                let note = format!("{note}: its name says no types");
                Entry { name: text.to_owned(), known: Known::Nothing, note, ..blank }
            }
        }
    }

    fn function(&mut self, export: &Export, declared: Declared, blank: Entry) -> Entry {
        let name = self.unused(&declared.name);
        let tag = self.tag(export, &name);
        // MinGW decorates Itanium's names too.
        let stated = export.decoration.as_ref().map(|decoration| decoration.convention);
        let declared_one = declared.convention.filter(|_| self.target.is_windows()).map(Convention::keyword);
        let convention = declared_one.or(match stated {
            Some(Decorated::Stdcall) => Some(Convention::Stdcall.keyword()),
            Some(Decorated::Fastcall) => Some(Convention::Fastcall.keyword()),
            _ => None,
        });
        // On 64 bits there is one convention.
        let convention = convention.filter(|_| self.target.pointer_bytes() == 4).map(|word| format!("{word} "));
        let list = if declared.parameters.is_empty() { "void".to_owned() } else { declared.parameters.join(", ") };
        let known = if declared.result.is_some() && export.name.as_deref().is_some_and(|name| name.starts_with('?')) {
            Known::Types
        } else {
            Known::Part
        };
        let result = declared.result.unwrap_or_else(|| "TYPE".to_owned());
        let space = if result.ends_with('*') { "" } else { " " };
        let declaration = Some(format!("{result}{space}{}{name}({list});", convention.unwrap_or_default()));
        Entry { name, known, declaration, tag, ..blank }
    }

    /// The tag that leads to the export, where the declared name does not.
    fn tag(&self, export: &Export, declared: &str) -> Option<String> {
        if let Lookup::Found { export: found, .. } = self.index.find(declared, None)
            && std::ptr::eq(found, export)
        {
            return None;
        }
        match (&export.name, export.ordinal) {
            (Some(name), _) if is_taggable(name) => Some(format!("@export {name}")),
            (_, Some(ordinal)) => Some(format!("@ordinal {ordinal}")),
            _ => None,
        }
    }

    /// The name as C can have it, with a number if it is taken: overloads have one name in C++.
    fn unused(&mut self, name: &str) -> String {
        let name = if is_identifier(name) { name.to_owned() } else { identifier(name) };
        let name = if is_name(&name) { name } else { format!("{name}_") };
        let mut free = name.clone();
        let number = self.numbers.entry(name.clone()).or_insert(2);
        while !self.names.insert(free.clone()) {
            free = format!("{name}_{number}");
            *number += 1;
        }
        free
    }
}

/// Whether a comment can say the name.
fn is_taggable(name: &str) -> bool {
    !name.contains(char::is_whitespace) && !name.contains("*/") && !name.contains('\\')
}

/// `ns::f` of `int ns::f(A)`.
fn bare_name(text: &str) -> &str {
    let head = types::top_level(text, '(').map_or(text, |open| &text[..open]);
    let mut start = 0;
    while let Some(space) = types::top_level(&head[start..], ' ').filter(|space| start + space + 1 < head.len()) {
        start += space + 1;
    }
    &head[start..]
}

/// How an export is told to people.
fn shown(export: &Export) -> String {
    match (&export.name, export.ordinal) {
        (Some(name), _) => name.clone(),
        (None, ordinal) => format!("#{}", ordinal.unwrap_or_default()),
    }
}

/// Where a decorated export is, and its name without the decoration.
fn place_and_bare_name(export: &Export) -> Option<(u64, &str)> {
    Some((export.address?, export.decoration.as_ref()?.bare.as_str()))
}

/// `f` beside `_f@8` at the same place is the same function, and says less.
fn has_second_spelling(decorated: &HashSet<(u64, &str)>, export: &Export) -> bool {
    let plain = export.decoration.is_none() && export.demangled.is_none();
    plain && export.address.zip(export.name.as_deref()).is_some_and(|place| decorated.contains(&place))
}

/// Whether C can declare a function of this name.
fn is_name(name: &str) -> bool {
    is_identifier(name) && !KEYWORDS.contains(&name)
}

/// Whether it has the letters that names of C have (C11 6.4.2.1).
fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// The keywords of C11 (6.4.1), and of C++ those that a program in it could not call either.
const KEYWORDS: [&str; 56] = [
    "auto",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "continue",
    "default",
    "delete",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "namespace",
    "new",
    "operator",
    "private",
    "protected",
    "public",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typeof",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "asm",
];

/// Turns declarations that our own reader does not read as they are meant into comments; whether there were any.
fn demote(text: &str, target: Target, entries: &mut [Entry]) -> bool {
    let source = Source { name: "starter.h", text: text.as_bytes() };
    let read = bridge32_interface::read(&[source], &Options::new(target));
    let mut any = false;
    for entry in entries.iter_mut().filter(|entry| entry.known.is_declared()) {
        let function = read.interface.function(&entry.name).map(|(_, function)| function);
        let declaration = entry.declaration.as_deref().unwrap_or_default();
        let words = [Convention::Stdcall, Convention::Fastcall, Convention::Thiscall];
        let stated = words
            .into_iter()
            .find(|convention| declaration.contains(&format!("{} {}(", convention.keyword(), entry.name)));
        let as_meant = function.is_some_and(|function| stated.is_none() || function.convention == stated);
        if !as_meant {
            entry.known = Known::Part;
            entry.note = format!("{}: the name is one that C headers use otherwise", entry.note);
            any = true;
        }
    }
    any
}

#[cfg(test)]
mod tests;
