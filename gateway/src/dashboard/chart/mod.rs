//! Charts as inline SVG: pure. Each is stretched to the width it gets; what is written beside it is HTML of its template.

mod bars;
mod lines;
mod times;

use std::fmt::{self, Display, Write as _};

use askama::filters::HtmlSafe;
use askama::{FastWritable, Values};

pub use bars::{Part, histogram, parts};
pub use lines::{Area, area, bands, spark};
pub use times::{Mark, Segment, levels, strip};

/// A drawing that is part of a page as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svg(String);

impl Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FastWritable for Svg {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn Values) -> askama::Result<()> {
        dest.write_str(&self.0).map_err(askama::Error::from)
    }
}

impl HtmlSafe for Svg {}

/// The height and the width that drawings are made in; a page stretches them.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// The beginning of a drawing. What it says to whoever does not see it is escaped.
fn begin(class: &str, label: &str) -> String {
    let label = escape(label);
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\">"
    )
}

/// Text as it may stand in an attribute or an element.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A coordinate, short.
fn place(number: f64) -> String {
    let mut text = format!("{number:.1}");
    if text.ends_with(".0") {
        text.truncate(text.len() - 2);
    }
    text
}

/// Invisible columns, one for each value, that say something to whoever points at them.
fn columns(svg: &mut String, texts: impl ExactSizeIterator<Item = String>) {
    let width = WIDTH / f64_of(texts.len().max(1));
    for (index, text) in texts.enumerate().filter(|(_, text)| !text.is_empty()) {
        let (x, text) = (place(f64_of(index) * width), escape(&text));
        // Writing to a string cannot fail.
        let _ = write!(
            svg,
            "<rect class=\"point\" x=\"{x}\" width=\"{}\" height=\"{HEIGHT}\"><title>{text}</title></rect>",
            place(width)
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are no more points than a drawing shows")]
const fn f64_of(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_drawing_says_is_text() {
        let svg = spark(&[Some(1.0), Some(2.0)], "\"><script>alert(1)</script>&");
        let text = svg.to_string();
        assert!(text.contains("aria-label=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;\""), "{text}");
    }
}
