//! How templates write texts, numbers and times. The language of a page goes along with its rendering: no template names it.
#![expect(
    clippy::inline_always,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    unreachable_pub,
    reason = "so askama wants and makes filters"
)]

use std::fmt::{self, Display};

use askama::filters::{Escaper as _, Html, HtmlSafe};
use askama::{FastWritable, Values};
use jiff::Timestamp;

use super::language::Language;
use super::words::{grouped, per_second_text, percentage, relative, shortened, size, time_span};

/// Under this name a page's rendering has its language.
pub(crate) const LANGUAGE: &str = "language";

/// The language of what is being rendered.
fn language(values: &dyn Values) -> Language {
    askama::get_value::<Language>(values, LANGUAGE).copied().unwrap_or_default()
}

/// An English text in the language of the page: `{{ "Calls"|t }}`.
#[askama::filter_fn]
pub(crate) fn t(english: impl Display, values: &dyn Values) -> askama::Result<String> {
    Ok(language(values).say(&english.to_string()).to_owned())
}

/// A text whose `{name}` is that value: `{{ "{n} bytes"|t|with("n", size) }}`.
#[askama::filter_fn]
pub(crate) fn with<T: Display>(text: impl Display, _: &dyn Values, name: &str, value: T) -> askama::Result<String> {
    Ok(text.to_string().replace(&format!("{{{name}}}"), &value.to_string()))
}

/// One or several, in the language of the page: `{{ calls|count("{n} call", "{n} calls") }}`.
#[askama::filter_fn]
pub(crate) fn count(number: &u64, values: &dyn Values, one: &str, several: &str) -> askama::Result<String> {
    let text = language(values).say(if *number == 1 { one } else { several });
    Ok(text.replace("{n}", &grouped(*number)))
}

/// A whole number with a comma behind each thousand.
#[askama::filter_fn]
pub(crate) fn number(number: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(grouped(*number))
}

/// Bytes in the largest unit that leaves something before the point: `1.2 GB`.
#[askama::filter_fn]
pub(crate) fn bytes(bytes: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(size(*bytes))
}

/// A duration, given in nanoseconds: `0.84 ms`.
#[askama::filter_fn]
pub(crate) fn duration(nanoseconds: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(time_span(*nanoseconds))
}

/// Something per second: `1,204` or `0.3`.
#[askama::filter_fn]
pub(crate) fn rate(per_second: &f64, _: &dyn Values) -> askama::Result<String> {
    Ok(per_second_text(*per_second))
}

/// A part of one in percent: `0.02 %`.
#[askama::filter_fn]
pub(crate) fn percent(part: &f64, _: &dyn Values) -> askama::Result<String> {
    Ok(percentage(*part))
}

/// A moment as `<time>`: how long ago it was, and exactly when for whoever points at it.
#[askama::filter_fn]
pub(crate) fn ago(at: &Timestamp, values: &dyn Values) -> askama::Result<Moment> {
    Ok(Moment { at: *at, text: relative(*at, Timestamp::now(), language(values)) })
}

/// A moment as `<time>` to the millisecond. Scripts put it into the reader's zone.
#[askama::filter_fn]
pub(crate) fn at(at: &Timestamp, _: &dyn Values) -> askama::Result<Moment> {
    Ok(Moment { at: *at, text: at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string() })
}

/// A name that may be long: what is in the middle is left out of sight, and is there for whoever points at it.
#[askama::filter_fn]
pub(crate) fn middle(name: impl Display, _: &dyn Values, most: usize) -> askama::Result<String> {
    Ok(shortened(&name.to_string(), most))
}

/// A file's path: it breaks into lines behind separators, and is as short as [`middle`] makes it.
#[askama::filter_fn]
pub(crate) fn path(path: impl Display, _: &dyn Values, most: usize) -> askama::Result<BrokenPath> {
    Ok(BrokenPath(shortened(&path.to_string(), most)))
}

/// A path with the places where it may break.
#[derive(Clone, Debug)]
pub(crate) struct BrokenPath(String);

impl Display for BrokenPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.split_inclusive(['/', '\\']).try_for_each(|part| write!(f, "{}<wbr>", Escaped(part)))
    }
}

impl FastWritable for BrokenPath {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        write!(dest, "{self}").map_err(askama::Error::from)
    }
}

impl HtmlSafe for BrokenPath {}

/// Words for people, in which backticks mark what is code: it becomes `<code>`, and all is escaped.
#[askama::filter_fn]
pub(crate) fn prose(words: impl Display, _: &dyn Values) -> askama::Result<Prose> {
    Ok(Prose(words.to_string()))
}

/// Words with code among them.
#[derive(Clone, Debug)]
pub(crate) struct Prose(String);

impl Display for Prose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces: Vec<&str> = self.0.split('`').collect();
        let last = pieces.len() - 1;
        for (index, piece) in pieces.into_iter().enumerate() {
            let piece = Escaped(piece);
            match (index % 2, index < last) {
                (1, true) => write!(f, "<code>{piece}</code>")?,
                // The last one opens nothing.
                (1, false) => write!(f, "`{piece}")?,
                _ => write!(f, "{piece}")?,
            }
        }
        Ok(())
    }
}

impl FastWritable for Prose {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        write!(dest, "{self}").map_err(askama::Error::from)
    }
}

impl HtmlSafe for Prose {}

/// Text as HTML has it.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Html.write_escaped_str(f, self.0)
    }
}

/// A moment, written as `<time>`.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    at: Timestamp,
    text: String,
}

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both are digits and our own words.
        let exact = self.at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC");
        let Self { at, text } = self;
        write!(f, "<time datetime=\"{at:.3}\" title=\"{exact}\">{text}</time>")
    }
}

impl FastWritable for Moment {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        write!(dest, "{self}").map_err(askama::Error::from)
    }
}

impl HtmlSafe for Moment {}

/// Marks an English text of Rust code as one that is to be translated where it is shown.
macro_rules! text {
    ($text:literal) => {
        $text
    };
}
pub(crate) use text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_backticks_is_code_and_nothing_is_markup() {
        let prose = |words: &str| Prose(words.to_owned()).to_string();
        assert_eq!(prose("call `f<T>` & go"), "call <code>f&#60;T&#62;</code> &#38; go");
        assert_eq!(prose("a ` alone"), "a ` alone");
        assert_eq!(prose("`<b>`"), "<code>&#60;b&#62;</code>");
        assert_eq!(prose(""), "");
    }

    #[test]
    fn a_path_breaks_behind_its_separators() {
        let path = |path: &str| BrokenPath(path.to_owned()).to_string();
        assert_eq!(path("/lib32/libm.so"), "/<wbr>lib32/<wbr>libm.so<wbr>");
        assert_eq!(path("C:\\a<b>.dll"), "C:\\<wbr>a&#60;b&#62;.dll<wbr>");
    }

    #[test]
    fn a_moment_says_how_long_ago_it_was_and_exactly_when() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let moment = Moment { at: now, text: "now".to_owned() };
        let expected = "<time datetime=\"2026-01-31T12:00:00.000Z\" title=\"2026-01-31 12:00:00.000 UTC\">now</time>";
        assert_eq!(moment.to_string(), expected);
    }
}
