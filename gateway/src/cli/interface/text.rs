//! A review as a person reads it: problems first, then what was assumed, grouped, because of three hundred functions most
//! are assumed alike.

use std::fmt::Write as _;

use bridge32_image::ExportKind;
use bridge32_interface::{Finding, Topic};
use bridge32_protocol::interface::Direction;

use super::review::{Passed, Review, Reviewed};
use crate::cli::words::{count, wrapped};
use crate::libraries::coverage::Unexported;

/// So many names are listed where the rest is of the same sort.
const MAX_LISTED: usize = 24;

/// The review; `all` shows each function.
pub(super) fn whole(review: &Review, all: bool) -> String {
    let mut text = review.replacement.as_ref().map(|text| wrapped(text, 0) + "\n\n").unwrap_or_default();
    text += &problems(review, usize::MAX, "");
    if all {
        review.functions.iter().for_each(|function| text.push_str(&one(function)));
        text.push_str(&undeclared(review, usize::MAX));
    } else {
        text.push_str(&undeclared(review, MAX_LISTED));
        text.push_str(&grouped(review, MAX_LISTED));
    }
    text.push_str(&summary(review));
    text
}

/// Diagnostics, the first so many of which are shown, functions that cannot be called, and declarations that nothing exports.
/// `command` shows all.
pub(in crate::cli) fn problems(review: &Review, most: usize, command: &str) -> String {
    let mut text = String::new();
    for diagnostic in review.diagnostics.iter().take(most) {
        let _ = writeln!(text, "{diagnostic}\n");
    }
    let rest = review.diagnostics.len().saturating_sub(most);
    if rest > 0 {
        let _ = writeln!(text, "… and {rest} more (`{command}` lists them)\n");
    }
    if review.is_of_another_library() {
        let file = review.file.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "{file} exports nothing of what {} declares: is that the header of another library?\n",
            review.name
        );
        return text;
    }
    text + &uncallable(review) + &unreadable(review)
}

/// The functions that cannot be called: each reason once.
fn uncallable(review: &Review) -> String {
    let mut groups: Vec<(&str, Vec<&Reviewed>)> = Vec::new();
    for function in review.functions.iter().filter(|function| !function.callable) {
        let reason = function.reason.as_deref().unwrap_or_default();
        match groups.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, functions)) => functions.push(function),
            None => groups.push((reason, vec![function])),
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    let mut text = format!("Not callable ({}):\n", review.summary.functions - review.summary.callable);
    for (reason, functions) in groups {
        if let [function] = functions.as_slice() {
            let _ = writeln!(text, "  {}:{}", function.file, function.line);
            let _ = writeln!(text, "{}", wrapped(function.declaration, 6));
        } else {
            let places =
                functions.iter().map(|function| format!("{} ({}:{})", function.name, function.file, function.line));
            let _ = writeln!(text, "{}", wrapped(&places.collect::<Vec<_>>().join(", "), 2));
        }
        let _ = writeln!(text, "{}", wrapped(reason, 4));
    }
    text + "\n"
}

/// Variables that the file does not export.
fn unreadable(review: &Review) -> String {
    let unexported = review.coverage.iter().flat_map(|coverage| &coverage.unexported);
    let lines = unexported.filter(|missing| missing.kind == ExportKind::Data);
    let lines: Vec<String> =
        lines.map(|missing| wrapped(&format!("{}: {}", missing.name, missing.reason()), 2) + "\n").collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!("Variables not readable ({}):\n{}\n", lines.len(), lines.concat())
    }
}

/// Exports that the headers do not declare.
fn undeclared(review: &Review, most: usize) -> String {
    let Some(coverage) = review.coverage.as_ref().filter(|coverage| !coverage.undeclared.is_empty()) else {
        return String::new();
    };
    let names: Vec<&str> = coverage.undeclared.iter().map(|export| export.name.as_str()).collect();
    format!("Exported and not declared ({}):\n{}\n\n", names.len(), listed(&names, most, 2))
}

/// What was assumed: each sentence once, with where it holds.
pub(in crate::cli) fn grouped(review: &Review, most: usize) -> String {
    let mut groups: Vec<(Topic, &str, Vec<String>)> = Vec::new();
    for assumed in review.functions.iter().flat_map(|function| &function.assumptions) {
        let place = place(assumed);
        match groups.iter_mut().find(|(what, text, _)| (*what, *text) == (assumed.what, assumed.text.as_str())) {
            Some((_, _, places)) => places.push(place),
            None => groups.push((assumed.what, &assumed.text, vec![place])),
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    // What is assumed most often is looked at once; what is rare, one by one: so the rare ones come first.
    groups.sort_by_key(|(what, _, places)| (topic(*what), places.len()));
    let mut text = format!("Assumed ({}), because the header does not say it:\n", review.summary.assumptions);
    for (what, sentence, places) in groups {
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        let _ = writeln!(text, "{}", wrapped(&format!("{}: {sentence} ({})", topic(what), places.len()), 2));
        let _ = writeln!(text, "{}", listed(&places, most, 6));
    }
    text.push('\n');
    text
}

/// `function(parameter)`, or the function alone.
fn place(assumed: &Finding) -> String {
    match &assumed.parameter {
        Some(parameter) => format!("{}({parameter})", assumed.function),
        None => assumed.function.clone(),
    }
}

fn listed(names: &[&str], most: usize, indent: usize) -> String {
    let shown = names[..names.len().min(most)].join(", ");
    let rest = names.len().saturating_sub(most);
    let rest = if rest > 0 { format!(", … and {rest} more (--all lists them)") } else { String::new() };
    wrapped(&format!("{shown}{rest}"), indent)
}

/// One function with all that is known of it.
fn one(function: &Reviewed) -> String {
    let mut text = format!("{}\n", wrapped(&format!("{};", function.declaration.trim_end_matches(';')), 0));
    if let Some(reason) = &function.reason {
        let _ = writeln!(text, "{}", wrapped(&format!("cannot be called: {reason}"), 4));
    }
    for Passed { name, direction, optional, json } in &function.parameters {
        let way = match direction {
            Direction::In => "in",
            Direction::Out => "out",
            Direction::InOut => "in-out",
        };
        let null = if *optional { ", may be null" } else { "" };
        let _ = writeln!(text, "{}", wrapped(&format!("{name}: {way}, {json}{null}"), 4));
        text.push_str(&said(function, Some(name)));
    }
    let _ = writeln!(text, "{}", wrapped(&format!("returns {}", function.result), 4));
    text.push_str(&said(function, None));
    if function.idempotent {
        text.push_str("    idempotent: a call that may have run is repeated\n");
    }
    text.push('\n');
    text
}

/// What was stated, and what was assumed, of one parameter, or of the function and its result.
fn said(function: &Reviewed, parameter: Option<&str>) -> String {
    let lines = |findings: &[&Finding], how: &str| {
        let about = findings.iter().filter(|found| found.parameter.as_deref() == parameter);
        let line = |found: &&Finding| wrapped(&format!("{how} {}: {}", topic(found.what), found.text), 8) + "\n";
        about.map(line).collect::<String>()
    };
    lines(&function.statements, "stated") + &lines(&function.assumptions, "assumed")
}

const fn topic(what: Topic) -> &'static str {
    match what {
        Topic::Direction => "direction",
        Topic::Length => "length",
        Topic::Encoding => "encoding",
        Topic::Convention => "convention",
        Topic::Ownership => "ownership",
    }
}

/// The last line.
pub(super) fn summary(review: &Review) -> String {
    let numbers = review.summary;
    let mut parts = vec![
        count(numbers.functions, "function"),
        format!("{} callable", numbers.callable),
        format!("{} not", numbers.functions - numbers.callable),
        count(numbers.assumptions, "assumption"),
    ];
    if let Some(coverage) = &review.coverage {
        let unexported: &[Unexported] = &coverage.unexported;
        parts.push(format!("{} not exported", unexported.len()));
        parts.push(format!("{} exported and not declared", coverage.undeclared.len()));
    }
    for (number, what) in [(numbers.errors, "error"), (numbers.warnings, "warning")] {
        if number > 0 {
            parts.push(count(number, what));
        }
    }
    let target = review.target;
    format!("{} ({target}): {}, read in {} ms", review.name, parts.join(", "), numbers.milliseconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bridge32_interface::{Header, Options, Source};
    use bridge32_protocol::target::Target;

    use super::super::review::Subject;
    use super::*;
    use crate::libraries::coverage::Coverage;
    use crate::libraries::coverage::tests::image;

    fn read(text: &str) -> Header {
        bridge32_interface::read(&[Source { name: "a.h", text: text.as_bytes() }], &Options::new(Target::Win32))
    }

    fn shown(header: &str, exports: Option<&[&str]>, all: bool) -> String {
        let header = read(header);
        let coverage = exports.map(|names| ("a.dll".to_owned(), Coverage::new(&image(names), &header.interface)));
        let subject = Subject {
            name: "a.h".into(),
            headers: vec!["a.h".into()],
            target: Target::Win32,
            header: &header,
            took: Duration::from_millis(41),
            coverage,
        };
        whole(&Review::new(subject), all)
    }

    #[test]
    fn problems_come_first_and_the_summary_last() {
        let header = "int __stdcall Add(int a);\nint __stdcall Fill(char *buffer);\nint __stdcall broken(int\n;";
        let text = shown(header, None, false);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
        assert!(at("a.h:3:21: error:") < at("Not callable (1):\n  a.h:2\n      int __stdcall Fill(char *buffer)"));
        assert!(
            text.ends_with("a.h (win32): 2 functions, 1 callable, 1 not, 1 assumption, 1 error, read in 41 ms"),
            "{text}"
        );
    }

    #[test]
    fn one_reason_is_said_once() {
        let text = shown("struct S; int __stdcall f(struct S s);\nint __stdcall g(struct S s);", None, false);
        assert_eq!(text.matches("are not declared here").count(), 1, "{text}");
        assert!(text.contains("Not callable (2):\n  f (a.h:1), g (a.h:2)\n    the parameter “s” is"), "{text}");
    }

    #[test]
    fn what_was_assumed_alike_is_said_once() {
        let text = shown("int __stdcall f(int *a, int *b);\nint __stdcall g(int *c);", None, false);
        assert_eq!(text.matches("in-out, because it is a non-const pointer").count(), 1, "{text}");
        assert!(text.contains("      f(a), f(b), g(c)\n"), "{text}");
    }

    #[test]
    fn all_shows_each_parameter_with_what_was_assumed_of_it() {
        let text = shown("int __stdcall f(int *a, const char *s);", None, true);
        assert!(text.contains("    a: in-out, integer from -2147483648 to 2147483647\n        assumed "), "{text}");
        assert!(
            text.contains("    s: in, text\n        stated direction: in: `const`\n        assumed encoding: UTF-8"),
            "{text}"
        );
        assert!(text.contains("    returns integer"), "{text}");
    }

    #[test]
    fn all_says_which_functions_may_be_called_twice() {
        let text = shown("/** @idempotent */ int f(void);\nint g(void);", None, true);
        assert_eq!(text.matches("idempotent: a call that may have run is repeated").count(), 1, "{text}");
    }

    #[test]
    fn both_sides_of_the_export_table_are_compared() {
        let text = shown("int __stdcall Add(int a);\nint __stdcall sub(int a);", Some(&["Add", "Sub", "Mul"]), false);
        assert!(text.contains("the file does not export it; it has `Sub`: names are case-sensitive"), "{text}");
        assert!(text.contains("Exported and not declared (2):\n  Sub, Mul\n"), "{text}");
        assert!(text.contains("1 not exported, 2 exported and not declared"), "{text}");
        let text = shown("int __stdcall Add(int a); extern int nothere;", Some(&["Add"]), false);
        assert!(text.contains("Variables not readable (1):\n  nothere: the file does not export it\n"), "{text}");
        let text = shown("int __stdcall Add(int a);", Some(&["crc32"]), false);
        assert!(text.contains("a.dll exports nothing of what a.h declares: is that the header of another"), "{text}");
    }

    #[test]
    fn a_long_list_ends() {
        let names: Vec<String> = (0..30).map(|number| format!("f{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(listed(&names, 24, 0).ends_with("f23, … and 6 more (--all lists them)"));
        assert!(!listed(&names, usize::MAX, 0).contains("more"));
    }
}
