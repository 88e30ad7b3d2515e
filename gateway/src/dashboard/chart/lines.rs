//! Values over time.

use std::fmt::Write as _;

use super::{HEIGHT, Svg, WIDTH, begin, columns, f64_of, place};

/// A line for a table: how something went, without axes. What is `None` is a gap.
pub fn spark(values: &[Option<f64>], label: &str) -> Svg {
    let most = largest(values.iter().copied().flatten());
    let mut svg = begin("spark", label);
    line(&mut svg, "line", values, most);
    svg.push_str("</svg>");
    Svg(svg)
}

/// An area, and what part of it is bad in front.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The whole.
    pub whole: f64,
    /// The part of it that is bad.
    pub bad: f64,
}

/// How much of something there was in each step. `hints` says it in words for each. Gives also the value at the top.
pub fn area(values: &[Area], hints: impl ExactSizeIterator<Item = String>, label: &str) -> (Svg, f64) {
    let most = round_up(largest(values.iter().map(|area| area.whole)));
    let mut svg = begin("chart", label);
    grid(&mut svg);
    fill(&mut svg, "area", values.iter().map(|area| area.whole), most);
    if values.iter().any(|area| area.bad > 0.0) {
        fill(&mut svg, "area bad", values.iter().map(|area| area.bad), most);
    }
    columns(&mut svg, hints);
    svg.push_str("</svg>");
    (Svg(svg), most)
}

/// Several lines over each other, the first one lowest, such as quantiles; below each it is filled. Gives also the value at the
/// top.
pub fn bands(series: &[Vec<Option<f64>>], hints: impl ExactSizeIterator<Item = String>, label: &str) -> (Svg, f64) {
    let most = round_up(largest(series.iter().flatten().copied().flatten()));
    let mut svg = begin("chart", label);
    grid(&mut svg);
    for (index, values) in series.iter().enumerate().rev() {
        line(&mut svg, &format!("line band-{index}"), values, most);
    }
    columns(&mut svg, hints);
    svg.push_str("</svg>");
    (Svg(svg), most)
}

pub(super) fn grid(svg: &mut String) {
    for quarter in 0..=4 {
        let y = place(HEIGHT * f64::from(quarter) / 4.0);
        let _ = write!(svg, "<line class=\"grid\" x1=\"0\" y1=\"{y}\" x2=\"{WIDTH}\" y2=\"{y}\"/>");
    }
}

/// Where a value stands; what is not finite stands at the bottom.
fn y(value: f64, most: f64) -> String {
    let part = if most > 0.0 && value.is_finite() { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    place(HEIGHT - part * (HEIGHT - 2.0) - 1.0)
}

/// A value stands in the middle of its step.
fn x(index: usize, count: usize) -> String {
    place(WIDTH * (f64_of(index) + 0.5) / f64_of(count.max(1)))
}

pub(super) fn line(svg: &mut String, class: &str, values: &[Option<f64>], most: f64) {
    let mut path = String::new();
    let mut draws = false;
    let step = WIDTH / f64_of(values.len().max(1));
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            draws = false;
            continue;
        };
        let (x, y) = (x(index, values.len()), y(*value, most));
        // A value alone is as long as its step, so that it is seen.
        let is_alone = !draws && values.get(index + 1).is_none_or(Option::is_none);
        let _ = match (draws, is_alone) {
            (true, _) => write!(path, "L{x} {y}"),
            (false, false) => write!(path, "M{x} {y}"),
            (false, true) => write!(path, "M{} {y}h{}", place(f64_of(index) * step), place(step)),
        };
        draws = true;
    }
    if !path.is_empty() {
        let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
    }
}

fn fill(svg: &mut String, class: &str, values: impl ExactSizeIterator<Item = f64>, most: f64) {
    let count = values.len();
    let step = WIDTH / f64_of(count.max(1));
    let _ = write!(svg, "<path class=\"{class}\" d=\"M0 {HEIGHT}");
    let mut empty = true;
    for (index, value) in values.enumerate() {
        let left = f64_of(index) * step;
        if value > 0.0 && empty {
            // What was empty before is left out.
            let _ = write!(svg, "L{} {HEIGHT}", place(left));
        }
        if value > 0.0 {
            let (left, right, y) = (place(left), place(left + step), y(value, most));
            let _ = write!(svg, "L{left} {y}L{right} {y}");
        } else if !empty {
            let (left, right) = (place(left), place(left + step));
            let _ = write!(svg, "L{left} {HEIGHT}L{right} {HEIGHT}");
        }
        empty = value <= 0.0;
    }
    let _ = write!(svg, "L{WIDTH} {HEIGHT}Z\"/>");
}

pub(super) fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// The next number that a person would write at an axis; 0 stays.
pub(super) fn round_up(number: f64) -> f64 {
    if number <= 0.0 {
        return 0.0;
    }
    let power = 10_f64.powf(number.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    // What is a hair above a step for want of bits is that step.
    let step = steps.into_iter().find(|step| number <= step * power * (1.0 + 1e-9)).unwrap_or(10.0);
    step * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_number_that_people_write() {
        for (most, end) in
            [(0.0, 0.0), (0.3, 0.5), (1.0, 1.0), (1.2, 2.0), (4.0, 5.0), (812.0, 1000.0), (1000.0, 1000.0)]
        {
            assert!((round_up(most) - end).abs() < 1e-9, "{most}");
        }
    }

    #[test]
    fn a_gap_is_a_gap_and_a_value_alone_is_seen() {
        let text = spark(&[Some(1.0), None, Some(2.0), Some(0.0)], "x").to_string();
        assert!(text.contains("d=\"M0 50h250M625 1L875 99\""), "{text}");
        assert_eq!(spark(&[None, None], "x").to_string().matches("<path").count(), 0);
        assert!(spark(&[Some(f64::NAN), Some(f64::INFINITY)], "x").to_string().contains("d=\"M250 99L750 99\""));
    }

    #[test]
    fn an_area_has_its_bad_part_in_front_and_says_each_step() {
        let values = [Area { whole: 4.0, bad: 0.0 }, Area { whole: 0.0, bad: 0.0 }, Area { whole: 2.0, bad: 1.0 }];
        let hints = ["a".to_owned(), String::new(), "<b>".to_owned()].into_iter();
        let (svg, most) = area(&values, hints, "calls");
        let text = svg.to_string();
        assert_eq!((most, text.matches("<path").count(), text.matches("<title>").count()), (5.0, 2, 2));
        assert!(text.find("class=\"area bad\"") > text.find("class=\"area\""), "{text}");
        assert!(text.contains("<title>&lt;b&gt;</title>"), "{text}");
        let (svg, most) = area(&[], std::iter::empty(), "nothing");
        assert_eq!((most, svg.to_string().contains("NaN")), (0.0, false));
    }
}
