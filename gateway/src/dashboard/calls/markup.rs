//! HTML that is written here and not by a template, because it has as many levels as what it shows: text is escaped, and there is
//! no more of it than a page may have.

use std::fmt::{self, Display};

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};

/// A part of a page, as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(pub(super) String);

impl Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FastWritable for Markup {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        dest.write_str(&self.0).map_err(askama::Error::from)
    }
}

impl HtmlSafe for Markup {}

/// Writes text as it may stand in an element or an attribute, as much of it as fits into `most` bytes. Whether that is all.
pub(super) fn write_text(html: &mut String, text: &str, most: usize) -> bool {
    let end = html.len().saturating_add(most);
    for (at, character) in text.char_indices() {
        let escaped = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            other => &text[at..at + other.len_utf8()],
        };
        if html.len() + escaped.len() > end {
            return false;
        }
        html.push_str(escaped);
    }
    true
}

/// The beginning of a text, escaped, and whether that is all of it.
pub(super) fn beginning(text: &str, most: usize) -> (Markup, bool) {
    let mut html = String::new();
    let is_all = write_text(&mut html, text, most);
    (Markup(html), is_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup_and_never_longer_than_allowed() {
        assert_eq!(beginning("<a b=\"c\">&é", 100), (Markup("&lt;a b=&quot;c&quot;&gt;&amp;é".to_owned()), true));
        assert_eq!(beginning("<<<", 9), (Markup("&lt;&lt;".to_owned()), false));
        assert_eq!(beginning("aéb", 2), (Markup("a".to_owned()), false));
        assert_eq!(beginning("", 0), (Markup(String::new()), true));
    }
}
