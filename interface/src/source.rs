//! From a file's bytes to text, and from an offset in that text back to line and column.

use encoding_rs::{Encoding, GBK, UTF_8, WINDOWS_1252};

use crate::Source;
use crate::report::{Diagnostic, Severity};

/// Larger files are not headers.
const MAX_BYTES: usize = 16 << 20;

/// So much of a line is shown with a diagnostic.
const MAX_SHOWN: usize = 1000;

/// A place in one of the [`Files`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The index of the file.
    pub(crate) file: u16,
    /// The byte in its [`File::text`].
    pub(crate) offset: u32,
}

impl Position {
    /// The place `offset` of the file with that index.
    pub(crate) fn new(file: usize, offset: usize) -> Self {
        Self { file: u16::try_from(file).unwrap_or(u16::MAX), offset: u32::try_from(offset).unwrap_or(u32::MAX) }
    }
}

/// One header as text.
pub(crate) struct File {
    /// For diagnostics, and for `#include` of one given header by another.
    pub(crate) name: String,
    /// What is lexed: lines end with `\n`, spliced lines are joined.
    pub(crate) text: String,
    /// As decoded.
    original: String,
    /// Where the lines of `original` start.
    lines: Vec<usize>,
    /// From which offset of `text` on how many bytes of `original` were left out before it.
    removed: Vec<(usize, usize)>,
    /// The file was too large, and `text` is empty.
    pub(crate) refused: bool,
}

impl File {
    fn new(source: &Source) -> Self {
        let refused = source.text.len() > MAX_BYTES;
        let original = if refused { String::new() } else { text(source.text) };
        let mut lines = vec![0];
        lines.extend(original.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1));
        let (text, removed) = join_lines(&original);
        Self { name: source.name.to_owned(), text, original, lines, removed, refused }
    }

    /// The offset in the original of an offset in `text`, and the index of its line.
    fn line(&self, offset: usize) -> (usize, usize) {
        let index = self.removed.partition_point(|&(from, _)| from <= offset);
        let shift = index.checked_sub(1).map_or(0, |index| self.removed[index].1);
        let at = (offset + shift).min(self.original.len());
        (at, self.lines.partition_point(|&start| start <= at) - 1)
    }

    /// Line and column (1-based, in characters) of an offset in `text`, and the line.
    fn locate(&self, offset: usize) -> (u32, u32, &str) {
        let (at, line) = self.line(offset);
        let start = self.lines[line];
        let end = self.lines.get(line + 1).map_or(self.original.len(), |next| next - 1);
        let column = self.original.get(start..at).map_or(0, |before| before.chars().count());
        let text = self.original[start..end.max(start)].trim_end_matches(['\r', '\n']);
        let shown = text.char_indices().nth(MAX_SHOWN).map_or(text, |(end, _)| &text[..end]);
        (number(line + 1), number(column + 1), shown)
    }
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// The text with a line feed for each carriage return that has none behind it: old systems end lines so.
fn line_feeds(text: String) -> String {
    let bytes = text.as_bytes();
    let alone = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    if (0..bytes.len()).any(alone) { text.replace("\r\n", "\n").replace('\r', "\n") } else { text }
}

/// A header's bytes as the text that places in it are counted in.
pub(crate) fn text(bytes: &[u8]) -> String {
    line_feeds(decode(bytes))
}

/// The text of a file that has no declared encoding: a byte order mark decides, then valid UTF-8, then a guess.
fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding.decode_with_bom_removal(bytes).0.into_owned();
    }
    let encoding = match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        Err(_) if looks_like_gbk(bytes) => GBK,
        Err(_) => WINDOWS_1252,
    };
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// Whether the bytes above ASCII come in pairs that GB 2312 assigns. In Western text they mostly stand alone, or within a
/// word: `Größe`.
fn looks_like_gbk(bytes: &[u8]) -> bool {
    let (mut pairs, mut others, mut at) = (0_usize, 0_usize, 0);
    while at < bytes.len() {
        let lead = bytes[at];
        let trail = bytes.get(at + 1).copied().unwrap_or(0);
        let letter = |index: Option<usize>| index.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_lowercase);
        let within = letter(at.checked_sub(1)) && letter(Some(at + 2));
        if matches!(lead, 0xA1..=0xA9 | 0xB0..=0xF7) && trail >= 0xA1 && !within {
            pairs += 1;
            at += 2;
        } else {
            others += usize::from(lead >= 0x80);
            at += 1;
        }
    }
    pairs > others * 9
}

/// Leaves out carriage returns before line feeds, and line feeds after backslashes with what precedes them.
fn join_lines(original: &str) -> (String, Vec<(usize, usize)>) {
    let mut text = String::with_capacity(original.len());
    let mut removed = Vec::new();
    let mut kept = 0;
    let mut skip = |text: &mut String, from: usize, to: usize| {
        text.push_str(&original[kept..from]);
        kept = to;
        removed.push((text.len(), to - text.len()));
    };
    let bytes = original.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let ending = match (bytes[at], bytes.get(at + 1), bytes.get(at + 2)) {
            (b'\\', Some(b'\r'), Some(b'\n')) => 3,
            (b'\\', Some(b'\n'), _) => 2,
            (b'\r', Some(b'\n'), _) => 1,
            _ => 0,
        };
        if ending > 0 {
            skip(&mut text, at, at + ending);
        }
        at += ending.max(1);
    }
    let end = original.len();
    skip(&mut text, end, end);
    (text, removed)
}

/// The headers, and behind them the text that stands for what compilers predefine.
pub(crate) struct Files {
    /// In the order given.
    pub(crate) files: Vec<File>,
}

impl Files {
    /// Decodes the sources.
    pub(crate) fn new(sources: &[Source]) -> Self {
        Self { files: sources.iter().take(usize::from(u16::MAX)).map(File::new).collect() }
    }

    /// The line of a place.
    pub(crate) fn line(&self, at: Position) -> u32 {
        self.files.get(usize::from(at.file)).map_or(1, |file| number(file.line(at.offset as usize).1 + 1))
    }

    /// The name of the file of a place; `None` for what no file contains.
    pub(crate) fn name(&self, at: Position) -> Option<&str> {
        self.files.get(usize::from(at.file)).map(|file| &*file.name)
    }

    /// The name or keyword at a place.
    pub(crate) fn word(&self, at: Position) -> Option<&str> {
        let text = self.files.get(usize::from(at.file))?.text.get(at.offset as usize..)?;
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
        Some(&text[..end]).filter(|word| !word.is_empty())
    }

    fn locate(&self, at: Position) -> (u32, u32, &str) {
        self.files.get(usize::from(at.file)).map_or((1, 1, ""), |file| file.locate(at.offset as usize))
    }

    /// A diagnostic about a place.
    pub(crate) fn diagnostic(&self, severity: Severity, at: Position, message: String) -> Diagnostic {
        let (line, column, source_line) = self.locate(at);
        let file = self.files.get(usize::from(at.file)).map_or_else(String::new, |file| file.name.clone());
        Diagnostic { severity, file, line, column, source_line: source_line.to_owned(), message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> File {
        File::new(&Source { name: "a.h", text })
    }

    #[test]
    fn a_place_after_spliced_lines_is_found_in_the_original() {
        let file = file(b"#define A \\\r\n  1\r\nint x;");
        assert_eq!(file.text, "#define A   1\nint x;");
        let offset = file.text.find("int").expect("it is there");
        assert_eq!(file.locate(offset), (3, 1, "int x;"));
        assert_eq!(file.locate(file.text.find('1').expect("it is there")), (2, 3, "  1"));
    }

    #[test]
    fn columns_count_characters() {
        let file = file("/* 说明 */ int x;".as_bytes());
        assert_eq!(file.locate(file.text.find("int").expect("it is there")).1, 10);
    }

    #[test]
    fn the_encoding_is_taken_from_the_bytes() {
        assert_eq!(file(b"\xEF\xBB\xBFint").text, "int");
        assert_eq!(file(b"\xFF\xFEi\0n\0t\0").text, "int");
        assert_eq!(file(b"// \xCB\xB5\xC3\xF7").text, "// 说明");
        assert_eq!(file(b"// L\xE4nge").text, "// Länge");
    }
}
