//! The header's text: what is declared first, then what a person has to complete.

use bridge32_protocol::target::Target;

use super::{Entry, Known};

/// Longer comments are cut: names of templates have thousands of characters.
const MAX_COMMENT: usize = 300;

/// The whole header.
pub(super) fn whole(file: &str, target: Target, structures: &[String], entries: &[Entry]) -> String {
    let of = |known: Known| entries.iter().filter(move |entry| entry.known == known).collect::<Vec<_>>();
    let mut text = opening(file, target, entries);
    let (types, bytes) = (of(Known::Types), of(Known::Bytes));
    let declarations = || types.iter().filter_map(|entry| entry.declaration.as_deref());
    let needed = structures.iter().filter(|tag| declarations().any(|line| line.contains(&format!("struct {tag} "))));
    let needed: Vec<String> = needed.map(|tag| format!("struct {tag};\n")).collect();
    if !needed.is_empty() {
        text += &section("Classes: what is behind them, only the library knows. Pointers to them are handles.");
        text += &needed.concat();
    }
    if !types.is_empty() {
        text += &section(
            "Known: all types, from C++ names. Guessed by whoever reads this header: which way data goes through pointers, and \
             how much lies behind them; `bridge32 interface check` lists that.",
        );
        types.iter().for_each(|entry| text += &declared(entry));
    }
    if !bytes.is_empty() {
        text += &section(
            "Known: the convention, and how many bytes of arguments there are. Guessed: that each 4 of them are an int, and that \
             an int is returned. Put the true types in their place before you call one.",
        );
        bytes.iter().for_each(|entry| text += &declared(entry));
    }
    for (known, title) in [
        (
            Known::Part,
            "Known in part. Put what the function returns in the place of TYPE, then take the `//` away. THIS stands where a \
             member function has its object (`struct CLASS *this`; in a file for Windows it is `__thiscall` then) and a static \
             one, or one of a namespace, has nothing.",
        ),
        (
            Known::Name,
            "Known: the name. Write result and parameters as the vendor documents them in the places of TYPE and PARAMETERS, \
             then take the `//` away.",
        ),
        (Known::Data, "Data. With its type in the place of TYPE it can be read and written."),
    ] {
        let entries = of(known);
        if !entries.is_empty() {
            text += &section(title);
            entries.iter().for_each(|entry| text += &commented(entry));
        }
    }
    let left = of(Known::Nothing);
    if !left.is_empty() {
        text += &section("Left out.");
        left.iter().for_each(|entry| text += &comment(&format!("{}  {}", entry.export, entry.note)));
    }
    text
}

fn opening(file: &str, target: Target, entries: &[Entry]) -> String {
    let declared = entries.iter().filter(|entry| entry.known.is_declared()).count();
    let mut text = comment(&format!(
        "A header to start from for {file} ({target}), made of its export table by `bridge32 interface new`."
    ));
    text += &comment(&format!("{declared} of {} exports are declared; the rest is in comments.", entries.len()));
    text
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
