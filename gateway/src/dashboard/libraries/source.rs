//! A header as people read it: some of its lines, with their numbers.

use bridge32_interface::text;

use super::{address, query};
use crate::dashboard::words::shortened;
use crate::interfaces::HeaderText;

/// So many lines are on a page.
const LINES: usize = 400;
/// A longer line is shown without its middle, in characters.
const LONGEST: usize = 400;

/// Some lines of a header.
#[derive(Debug)]
pub(super) struct Source {
    /// The files of the library, the one that is shown among them.
    pub(super) files: Vec<File>,
    /// The number of the first line that is shown.
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) total: usize,
    /// Their text.
    pub(super) lines: Vec<String>,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

/// A header file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) is_shown: bool,
}

impl Source {
    /// The lines around that one of the file of that name; `None` if there is no header.
    pub(super) fn of(library: &str, texts: &[HeaderText], file: &str, line: usize) -> Option<Self> {
        let shown = texts.iter().position(|text| text.name == file).unwrap_or_default();
        let text = text(&texts.get(shown)?.text);
        let total = text.lines().count();
        let start = line.clamp(1, total.max(1)).saturating_sub(1) / LINES * LINES;
        let own = |file: &str, line: usize| {
            let line = line.to_string();
            address(library, &format!("/interface{}#source", query(&[("file", file), ("line", &line)])))
        };
        let file = |(index, text): (usize, &HeaderText)| File {
            name: text.name.clone(),
            address: own(&text.name, 1),
            is_shown: index == shown,
        };
        let name = &texts[shown].name;
        let lines: Vec<String> = text.lines().skip(start).take(LINES).map(|line| shortened(line, LONGEST)).collect();
        let last = start + lines.len();
        Some(Self {
            files: texts.iter().enumerate().map(file).collect(),
            first: start + 1,
            last,
            total,
            lines,
            previous: (start > 0).then(|| own(name, start + 1 - LINES)),
            next: (last < total).then(|| own(name, last + 1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, lines: usize) -> HeaderText {
        let text = (1..=lines).map(|line| format!("int f{line}(void);\n")).collect::<Vec<_>>().concat();
        HeaderText { name: name.to_owned(), text: text.into_bytes() }
    }

    #[test]
    fn a_line_is_on_the_page_that_is_asked_for_it() {
        let texts = [file("a.h", 3), file("b.h", 1000)];
        let source = Source::of("calc", &texts, "b.h", 401).unwrap();
        assert_eq!((source.first, source.last, source.total), (401, 800, 1000));
        assert_eq!(source.lines[0], "int f401(void);");
        assert_eq!(source.previous.as_deref(), Some("/libraries/calc/interface?file=b.h&line=1#source"));
        assert_eq!(source.next.as_deref(), Some("/libraries/calc/interface?file=b.h&line=801#source"));
        let source = Source::of("calc", &texts, "nothere.h", 9_999_999).unwrap();
        assert_eq!((source.first, source.last, source.next), (1, 3, None));
        assert!(Source::of("calc", &[], "a.h", 1).is_none());
        assert_eq!(Source::of("calc", &[file("a.h", 0)], "a.h", 1).unwrap().total, 0);
    }
}
