//! What something went through: which states one after the other, and how full it was.

use std::fmt::Write as _;

use super::lines::{grid, largest, line, round_up};
use super::{HEIGHT, Svg, WIDTH, begin, columns, escape, place};

/// A state for a part of the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The class that gives it its colour.
    pub class: &'static str,
    /// The sign for whoever does not see colours.
    pub sign: &'static str,
    /// Where it begins, as a part of the whole.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// What is said of it to whoever points at it.
    pub hint: String,
}

/// What is shorter than this part of the whole is drawn so wide, in front of the others, so that it is seen.
const SEEN: f64 = 0.004;
/// A sign has room in a segment of this part of the whole.
const ROOM: f64 = 0.03;

/// States one after the other. It is not stretched as other drawings are: places are percentages, so that signs keep their shape.
pub fn strip(segments: &[Segment], label: &str) -> Svg {
    let mut svg = format!("<svg class=\"strip\" role=\"img\" aria-label=\"{}\">", escape(label));
    let (short, long): (Vec<&Segment>, Vec<&Segment>) = segments.iter().partition(|part| part.to - part.from < SEEN);
    for Segment { class, sign, from, to, hint } in long.into_iter().chain(short) {
        // What is no number stands at the beginning.
        let width = (to - from).max(SEEN).clamp(SEEN, 1.0);
        let from = from.max(0.0).clamp(0.0, 1.0 - width);
        let (x, hint) = (percent(from), escape(hint));
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" width=\"{}\" height=\"100%\"><title>{hint}</title></rect>",
            percent(width)
        );
        if width >= ROOM {
            let middle = percent(from + width / 2.0);
            let _ = write!(svg, "<text x=\"{middle}\" y=\"50%\">{}</text>", escape(sign));
        }
    }
    svg.push_str("</svg>");
    Svg(svg)
}

fn percent(part: f64) -> String {
    format!("{:.2}%", part * 100.0)
}

/// A moment that a drawing points out.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where it is, as a part of the whole.
    pub at: f64,
    /// What is said of it to whoever points at it.
    pub hint: String,
}

/// How full something was: lines over each other below `top`, which is a wall; without one, below a number that people write.
/// `hints` says each step in words. Gives also the value at the top.
pub fn levels(
    series: &[Vec<Option<f64>>],
    top: Option<f64>,
    marks: &[Mark],
    hints: impl ExactSizeIterator<Item = String>,
    label: &str,
) -> (Svg, f64) {
    let most = top.unwrap_or_else(|| round_up(largest(series.iter().flatten().copied().flatten())));
    let mut svg = begin("chart", label);
    grid(&mut svg);
    if top.is_some() {
        let _ = write!(svg, "<line class=\"wall\" x1=\"0\" y1=\"0\" x2=\"{WIDTH}\" y2=\"0\"/>");
    }
    for (index, values) in series.iter().enumerate().rev() {
        line(&mut svg, &format!("line level-{index}"), values, most);
    }
    columns(&mut svg, hints);
    for Mark { at, hint } in marks {
        let (x, hint) = (place(at.clamp(0.0, 1.0) * WIDTH), escape(hint));
        let _ = write!(
            svg,
            "<line class=\"mark\" x1=\"{x}\" y1=\"0\" x2=\"{x}\" y2=\"{HEIGHT}\"><title>{hint}</title></line>"
        );
    }
    svg.push_str("</svg>");
    (Svg(svg), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: f64, to: f64) -> Segment {
        Segment { class: "good", sign: "●", from, to, hint: "<ready>".to_owned() }
    }

    #[test]
    fn a_state_is_as_long_as_it_lasted_and_says_what_it_was() {
        let text = strip(&[segment(0.0, 0.25), segment(0.25, 1.0)], "states \"<of>\"").to_string();
        assert!(text.contains("aria-label=\"states &quot;&lt;of&gt;&quot;\""), "{text}");
        assert!(
            text.contains("x=\"0.00%\" width=\"25.00%\"") && text.contains("x=\"25.00%\" width=\"75.00%\""),
            "{text}"
        );
        assert_eq!((text.matches("&lt;ready&gt;").count(), text.matches('●').count()), (2, 2), "{text}");
    }

    #[test]
    fn a_state_that_was_short_is_seen_in_front_of_the_others() {
        let short = Segment { class: "bad", ..segment(0.5, 0.500_001) };
        let text = strip(&[segment(0.0, 0.5), short, segment(0.5, 1.0)], "states").to_string();
        assert!(text.contains("class=\"bad\" x=\"50.00%\" width=\"0.40%\""), "{text}");
        assert!(text.rfind("class=\"bad\"") > text.rfind("class=\"good\""), "{text}");
        assert_eq!(text.matches('●').count(), 2, "one that short has no room for its sign: {text}");
        let end = strip(&[segment(1.0, 1.0), segment(f64::NAN, f64::NAN)], "states").to_string();
        assert!(end.contains("x=\"99.60%\""), "{end}");
    }

    #[test]
    fn levels_stand_below_their_wall() {
        let series = [vec![Some(1.0), None, Some(2.0)], vec![None, None, Some(1.0)]];
        let marks = [Mark { at: 0.5, hint: "generation <2>".to_owned() }];
        let hints = || ["a", "", "c"].map(str::to_owned).into_iter();
        let (svg, most) = levels(&series, Some(4.0), &marks, hints(), "memory");
        let text = svg.to_string();
        assert_eq!(
            (most, text.matches("class=\"wall\"").count(), text.matches("class=\"line level-").count()),
            (4.0, 1, 2)
        );
        assert!(text.contains("x1=\"500\"") && text.contains("generation &lt;2&gt;"), "{text}");
        let (svg, most) = levels(&series, None, &[], hints(), "memory");
        assert_eq!((most, svg.to_string().contains("wall")), (2.0, false));
    }
}
