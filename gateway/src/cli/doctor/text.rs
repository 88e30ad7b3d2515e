//! The findings as text for a person: what is well as a count, then what is not, and the problems last, where the eye is.

use std::fmt::Write as _;

use super::finding::{Finding, Findings, Level};
use crate::cli::words::{count, wrapped};

/// How far the texts below a headline are moved in.
const INDENT: &str = "    ";

/// All of it. `verbose` tells what is well, too.
pub(super) fn text(findings: &Findings, verbose: bool) -> String {
    let mut text = String::new();
    let mut checks: Vec<&'static str> = Vec::new();
    for finding in findings.all() {
        if !checks.contains(&finding.check) {
            checks.push(finding.check);
        }
    }
    for check in checks {
        let of_check = || findings.all().iter().filter(move |finding| finding.check == check);
        let _ = writeln!(text, "{check}: {}", counts(&of_check()));
        let shown = |finding: &&Finding| match finding.level {
            Level::Ok => verbose,
            Level::Note | Level::Warning => true,
            Level::Problem => false,
        };
        of_check().filter(shown).for_each(|finding| show(&mut text, finding));
    }
    if findings.count(Level::Problem) > 0 {
        text.push_str("\nproblems\n");
        for finding in findings.all().iter().filter(|finding| finding.level == Level::Problem) {
            show(&mut text, finding);
        }
    }
    text.push('\n');
    text.push_str(&summary(findings));
    text
}

/// `4 ok, 1 warning`
fn counts<'a>(findings: &(impl Iterator<Item = &'a Finding> + Clone)) -> String {
    let of = |level| findings.clone().filter(|finding| finding.level == level).count();
    let ok = of(Level::Ok);
    let mut parts: Vec<String> = (ok > 0).then(|| format!("{ok} ok")).into_iter().collect();
    for level in [Level::Note, Level::Warning, Level::Problem] {
        let number = of(level);
        parts.extend((number > 0).then(|| count(number, level.name())));
    }
    parts.join(", ")
}

fn show(text: &mut String, finding: &Finding) {
    let Finding { level, subject, found, remedy, docs, .. } = finding;
    let headline = format!("{} · {subject}: {found}", level.name());
    for (number, line) in headline.trim_end().lines().enumerate() {
        // A paragraph hangs below its first line.
        let line = wrapped(line, INDENT.len());
        let line = if number == 0 { format!("  {}", line.trim_start()) } else { line };
        let _ = writeln!(text, "{line}");
    }
    // Not wrapped: a command is to be copied.
    if let Some(remedy) = remedy {
        let _ = writeln!(text, "{INDENT}→ {}", indented(remedy));
    }
    if let Some(docs) = docs {
        let _ = writeln!(text, "{INDENT}  see {docs}");
    }
}

/// Lines after the first one stand below it.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', &format!("\n{INDENT}"))
}

/// The last line.
fn summary(findings: &Findings) -> String {
    let (problems, warnings) = (findings.count(Level::Problem), findings.count(Level::Warning));
    let warnings = if warnings == 0 { String::new() } else { format!(", {}", count(warnings, "warning")) };
    match problems {
        0 => format!("no problems{warnings}"),
        problems => format!("{}{warnings}: what stands behind → mends it", count(problems, "problem")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_is_counted_and_problems_come_last() {
        let mut findings = Findings::default();
        findings.begin("keys");
        findings.problem("keys.toml", "is there twice\nand again").remedy("remove one").see("docs/keys.md");
        findings.ok("admin", "is good");
        findings.begin("clock");
        findings.warning("the clock", "is set by nobody");
        let short = text(&findings, false);
        let expected = "\
keys: 1 ok, 1 problem
clock: 1 warning
  warning · the clock: is set by nobody

problems
  problem · keys.toml: is there twice
    and again
    → remove one
      see docs/keys.md

1 problem, 1 warning: what stands behind → mends it";
        assert_eq!(short, expected);
        assert!(text(&findings, true).contains("  ok · admin: is good\n"));
    }

    #[test]
    fn without_problems_the_last_line_says_so() {
        let mut findings = Findings::default();
        findings.begin("keys");
        findings.ok("admin", "is good");
        assert_eq!(text(&findings, false), "keys: 1 ok\n\nno problems");
    }
}
