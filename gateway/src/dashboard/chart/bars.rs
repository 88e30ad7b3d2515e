//! Parts of a whole, and how often values were how large.

use std::fmt::Write as _;

use super::{HEIGHT, Svg, WIDTH, begin, columns, f64_of, place};

/// A part of a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The class that gives it its colour.
    pub class: &'static str,
    /// How much it is.
    pub size: f64,
    /// What is said of it to whoever points at it.
    pub hint: String,
}

/// One bar whose parts stand side by side; `whole` is its length, and what is left of that is empty.
pub fn parts(parts: &[Part], whole: f64, label: &str) -> Svg {
    let mut svg = begin("gauge", label);
    let mut at = 0.0;
    for Part { class, size, hint } in parts {
        let size = if whole > 0.0 { (size / whole).clamp(0.0, 1.0 - at) } else { 0.0 };
        let (x, width, hint) = (place(at * WIDTH), place(size * WIDTH), super::escape(hint));
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" width=\"{width}\" height=\"{HEIGHT}\"><title>{hint}</title></rect>"
        );
        at += size;
    }
    svg.push_str("</svg>");
    Svg(svg)
}

/// A column for each count. `hints` says each in words.
pub fn histogram(counts: &[u64], hints: impl ExactSizeIterator<Item = String>, label: &str) -> Svg {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let width = WIDTH / f64_of(counts.len().max(1));
    let mut svg = begin("chart", label);
    for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        #[expect(clippy::cast_precision_loss, reason = "a height on a screen")]
        let height = (*count as f64 / most as f64 * HEIGHT).max(1.5);
        let (x, y) = (place(f64_of(index).mul_add(width, width * 0.1)), place(HEIGHT - height));
        let _ = write!(
            svg,
            "<rect class=\"column\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\"/>",
            place(width * 0.8),
            place(height)
        );
    }
    columns(&mut svg, hints);
    svg.push_str("</svg>");
    Svg(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_bar_and_no_more() {
        let part = |size| Part { class: "a", size, hint: "x".to_owned() };
        let text = parts(&[part(1.0), part(2.0), part(9.0)], 4.0, "where").to_string();
        for (x, width) in [("0", "250"), ("250", "500"), ("750", "250")] {
            assert!(text.contains(&format!("x=\"{x}\" width=\"{width}\"")), "{text}");
        }
        assert!(!parts(&[part(1.0)], 0.0, "nothing").to_string().contains("NaN"));
    }

    #[test]
    fn a_count_that_is_small_is_still_seen() {
        let text = histogram(&[1_000_000, 1, 0], ["a", "b", "c"].map(str::to_owned).into_iter(), "times").to_string();
        assert_eq!((text.matches("class=\"column\"").count(), text.matches("<title>").count()), (2, 3));
        assert!(text.contains("height=\"1.5\""), "{text}");
    }
}
