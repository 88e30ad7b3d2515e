//! `#pragma pack`: the largest alignment that the members of a structure get at a place of the header; and the pragmas that
//! change layouts in other ways.

use crate::annotations::Change;
use crate::report::Reporter;
use crate::source::Position;

/// Pragmas that switch something on until it is switched off: `scalar_storage_order` of GCC, `ms_struct` of Clang.
const SWITCHES: [&str; 2] = ["scalar_storage_order", "ms_struct"];

/// Whether the pragma of that name changes layouts.
pub(crate) fn is_layout(name: &str) -> bool {
    name == "pack" || SWITCHES.contains(&name)
}

/// More values are not kept: nobody packs so deeply, and a header must not fill the memory.
const MAX_PUSHED: usize = 1000;

/// What the pragmas up to a place have said.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    current: Option<u32>,
    /// What other pragmas have switched on.
    changes: Vec<Change>,
    pushed: Vec<Pushed>,
}

#[derive(Debug)]
struct Pushed {
    value: Option<u32>,
    label: Option<String>,
    at: Position,
}

impl Packing {
    /// The limit at this place, in bytes; `None` where there is none.
    pub(crate) fn current(&self) -> Option<u32> {
        self.current
    }

    /// What else holds for structures at this place.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// `scalar_storage_order big-endian`, `ms_struct on`, without white space.
    fn switch(&mut self, pragma: &str) {
        for name in SWITCHES {
            let Some(argument) = pragma.strip_prefix(name) else { continue };
            self.changes.retain(|change| change.name != name);
            if !matches!(argument, "default" | "off" | "reset") {
                self.changes.push(Change { name: name.to_owned(), argument: argument.to_owned() });
            }
        }
    }

    /// Carries out a pragma: `pack(4)`, `pack()`, `pack(push, label, 4)`, `pack(pop)`. Others mean nothing here.
    pub(crate) fn apply(&mut self, pragma: &str, at: Position, reporter: &mut Reporter) {
        let pragma: String = pragma.chars().filter(|c| !c.is_whitespace()).collect();
        let Some(rest) = pragma.strip_prefix("pack") else {
            self.switch(&pragma);
            return;
        };
        let Some(arguments) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
            reporter.warning(at, "this #pragma pack is not understood and was ignored: write #pragma pack(n)");
            return;
        };
        let mut arguments = arguments.split(',').filter(|argument| !argument.is_empty()).peekable();
        let action = arguments.next_if(|first| matches!(*first, "push" | "pop" | "show"));
        let label = arguments.next_if(|next| !next.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned);
        // 0 takes the limit away, and so does `pack()`.
        let value = match (action, arguments.next()) {
            (_, Some(number)) => {
                let Some(value) = alignment(number) else {
                    let message =
                        format!("“{number}” is no alignment, and the pragma was ignored: use 1, 2, 4, 8 or 16");
                    reporter.warning(at, message);
                    return;
                };
                Some(value)
            }
            (None, None) if label.is_some() => {
                reporter.warning(at, "this #pragma pack is not understood and was ignored: write #pragma pack(n)");
                return;
            }
            (None, None) => Some(0),
            (Some(_), None) => None,
        };
        match action {
            Some("push") => self.push(label, at, reporter),
            Some("pop") => self.pop(label.as_deref(), at, reporter),
            _ => {}
        }
        if let Some(value) = value {
            self.current = Some(value).filter(|value| *value > 0);
        }
    }

    fn push(&mut self, label: Option<String>, at: Position, reporter: &mut Reporter) {
        if self.pushed.len() < MAX_PUSHED {
            self.pushed.push(Pushed { value: self.current, label, at });
        } else {
            reporter.warning_once(at, "#pragma pack(push) is nested too deeply; from here on nothing is remembered");
        }
    }

    fn pop(&mut self, label: Option<&str>, at: Position, reporter: &mut Reporter) {
        let index = match label {
            Some(label) => self.pushed.iter().rposition(|pushed| pushed.label.as_deref() == Some(label)),
            None => self.pushed.len().checked_sub(1),
        };
        let Some(index) = index else {
            reporter.warning(at, "this #pragma pack(pop) has no push before it and was ignored: remove it");
            return;
        };
        self.current = self.pushed[index].value;
        self.pushed.truncate(index);
    }

    /// Complains of what is still open where the headers end.
    pub(crate) fn finish(self, reporter: &mut Reporter) {
        if let Some(first) = self.pushed.first() {
            let message =
                "this #pragma pack(push) is never popped, so it holds for all that follows: add #pragma pack(pop)";
            reporter.warning(first.at, message);
        }
    }
}

/// The number of a pragma; `None` for one that means nothing.
fn alignment(number: &str) -> Option<u32> {
    let number = number.trim_end_matches(['u', 'U', 'l', 'L']).parse().ok()?;
    matches!(number, 0 | 1 | 2 | 4 | 8 | 16).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits behind each of the pragmas.
    fn limits(pragmas: &[&str]) -> Vec<Option<u32>> {
        let mut packing = Packing::default();
        let mut reporter = Reporter::default();
        let after = |pragma: &&str| {
            packing.apply(pragma, Position::default(), &mut reporter);
            packing.current()
        };
        pragmas.iter().map(after).collect()
    }

    #[test]
    fn pushed_limits_come_back() {
        assert_eq!(
            limits(&["pack(push, 1)", "pack(push)", "pack(4)", "pack(pop)", "pack(pop)"]),
            [Some(1), Some(1), Some(4), Some(1), None]
        );
        assert_eq!(limits(&["pack(push, a, 2)", "pack(push, 4)", "pack(pop, a)"]), [Some(2), Some(4), None]);
        assert_eq!(limits(&["pack(8)", "pack()", "pack(2)", "pack(0)"]), [Some(8), None, Some(2), None]);
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        assert_eq!(limits(&["pack(1)", "pack(3)", "pack(pop)", "pack", "pack(x)", "once"]), [Some(1); 6]);
    }
}
