//! The header's text: what is declared first, then what a person has to complete.

use std::fmt::Write as _;

use bridge32_protocol::target::Target;

use super::{Entry, Known};

/// Longer comments are cut: names of templates have thousands of characters.
const MAX_COMMENT: usize = 300;

/// What is declared, and what is said above it.
const DECLARED: (Known, &str) = (
    Known::Types,
    "Known: all types, from C++ names. Guessed by whoever reads this header: which way data goes through pointers, and how \
     much lies behind them; `bridge32 interface check` lists that.",
);

/// What stands in comments.
const COMMENTED: [(Known, &str); 4] = [
    (
        Known::Bytes,
        "Known: the convention, and how many bytes of arguments there are: 4 for an int or a pointer, 8 for a double or a \
         64-bit integer. Write result and parameters as the vendor documents them in the places of TYPE and PARAMETERS, then \
         take the `//` away.",
    ),
    (
        Known::Part,
        "Known in part. Put what the function returns in the place of TYPE, then take the `//` away. THIS stands where a member \
         function has its object (`struct CLASS *this`; in a file for Windows it is `__thiscall` then) and a static one, or one \
         of a namespace, has nothing.",
    ),
    (
        Known::Name,
        "Known: the name. Write result and parameters as the vendor documents them in the places of TYPE and PARAMETERS, then \
         take the `//` away.",
    ),
    (Known::Data, "Data. With its type in the place of TYPE it can be read and written."),
];

/// The whole header.
pub(super) fn whole(file: &str, target: Target, structures: &[String], entries: &[Entry]) -> String {
    let mut text = opening(file, target, entries) + &classes(structures, entries);
    text += &part(entries, DECLARED.0, DECLARED.1, declared);
    text += &COMMENTED.map(|(known, title)| part(entries, known, title, commented)).concat();
    let left_out = |entry: &Entry| comment(&format!("{}  {}", entry.export, entry.note));
    text + &part(entries, Known::Nothing, "Left out.", left_out)
}

/// A title, and what is below it; nothing if there is nothing.
fn part(entries: &[Entry], known: Known, title: &str, line: impl Fn(&Entry) -> String) -> String {
    let lines: String = entries.iter().filter(|entry| entry.known == known).map(line).collect();
    if lines.is_empty() { lines } else { section(title) + &lines }
}

/// The structures that declarations need.
fn classes(structures: &[String], entries: &[Entry]) -> String {
    let lines: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.known == Known::Types)
        .filter_map(|entry| entry.declaration.as_deref())
        .collect();
    let is_needed = |tag: &&String| lines.iter().any(|line| line.contains(&format!("struct {tag} ")));
    let needed: String = structures.iter().filter(is_needed).fold(String::new(), |mut text, tag| {
        let _ = writeln!(text, "struct {tag};");
        text
    });
    let title = "Classes: what is behind them, only the library knows. Pointers to them are handles.";
    if needed.is_empty() { needed } else { section(title) + &needed }
}

fn opening(file: &str, target: Target, entries: &[Entry]) -> String {
    let declared = entries.iter().filter(|entry| entry.known.is_declared()).count();
    let mut text = comment(&format!(
        "A header to start from for {file} ({target}), made of its export table by `bridge32 interface new`."
    ));
    text += &comment(&format!("{declared} of {} exports are declared; the rest is in comments.", entries.len()));
    text + &example(entries)
}

/// What a completed line looks like, if there is one to complete. The function is invented: of a real one it would be a guess.
fn example(entries: &[Entry]) -> String {
    let has = |known: Known| entries.iter().any(|entry| entry.known == known);
    let (before, after) = if has(Known::Bytes) {
        (
            "TYPE __stdcall ReadCard(/* 8 bytes */ PARAMETERS);",
            "int __stdcall ReadCard(int port, unsigned long *serial);",
        )
    } else if has(Known::Name) {
        ("TYPE ReadCard(PARAMETERS);", "int ReadCard(int port, unsigned long *serial);")
    } else {
        return String::new();
    };
    format!("//\n// To complete a line is to turn, say,\n//     // {before}\n// into\n//     {after}\n")
}

fn section(title: &str) -> String {
    let mut text = "\n".to_owned();
    let mut line = String::new();
    for word in title.split_whitespace() {
        if line.len() + word.len() > 112 {
            text += &comment(&line);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    text + &comment(&line)
}

/// A declaration with its tag, and the export that it comes from.
fn declared(entry: &Entry) -> String {
    let declaration = entry.declaration.as_deref().unwrap_or_default();
    let tag = entry.tag.as_ref().map(|tag| format!("/** {tag} */\n")).unwrap_or_default();
    let from = if entry.note.is_empty() { &entry.export } else { &entry.note };
    format!("{tag}{declaration}  {}", comment(from))
}

/// The same as a comment.
fn commented(entry: &Entry) -> String {
    let mut text = String::new();
    if entry.note.is_empty() && entry.tag.is_none() {
        return comment(entry.declaration.as_deref().unwrap_or(&entry.export));
    }
    let note = if entry.note.is_empty() { entry.export.clone() } else { format!("{}  {}", entry.export, entry.note) };
    text += &comment(&note);
    text += &entry.tag.as_ref().map(|tag| comment(&format!("/** {tag} */"))).unwrap_or_default();
    text + &entry.declaration.as_deref().map(comment).unwrap_or_default()
}

/// One line of comment. A backslash at its end would take the next line into it.
fn comment(text: &str) -> String {
    let text = text.trim();
    let cut = text.char_indices().nth(MAX_COMMENT).map_or(text.to_owned(), |(end, _)| format!("{}…", &text[..end]));
    let end = if cut.ends_with('\\') { "." } else { "" };
    format!("// {cut}{end}\n")
}
