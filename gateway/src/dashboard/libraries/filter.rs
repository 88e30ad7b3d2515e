//! Lists of a library that can be reduced: to what contains a text, and to those of a kind, which are chips above the list.

use serde::Deserialize;

use super::paging::{self, LINES, Paging};
use super::query;

/// What an address says of a list.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    /// Only what contains this.
    #[serde(default)]
    pub(super) q: String,
    /// Only those of a kind.
    #[serde(default)]
    pub(super) show: String,
    /// How many lines are before the page.
    pub(super) from: Option<usize>,
}

/// The kinds to which a list can be reduced. The first one is all of it.
pub(super) trait Show: Copy + PartialEq + 'static {
    const ALL: &'static [Self];

    /// The word for it in the address; empty for all.
    fn word(self) -> &'static str;

    /// What its chip says, in English.
    fn label(self) -> &'static str;

    /// The one of that word; all for any other.
    fn of(word: &str) -> Self {
        Self::ALL.iter().copied().find(|show| show.word() == word).unwrap_or(Self::ALL[0])
    }
}

/// A kind to choose.
pub(super) struct Chip {
    pub(super) address: String,
    pub(super) label: &'static str,
    pub(super) count: u64,
    pub(super) is_chosen: bool,
}

/// The part of a list that is shown.
pub(super) struct Reduced<T> {
    pub(super) chips: Vec<Chip>,
    pub(super) shown: Vec<T>,
    pub(super) paging: Paging,
}

/// The lines of a page, of all that contain the text; `place` is the address of the list.
pub(super) fn reduced<T, S: Show>(all: Vec<T>, asked: &Asked, place: &str, is: impl Fn(&T, S) -> bool) -> Reduced<T> {
    let chosen = S::of(&asked.show);
    let own = |show: S, from: usize| {
        let from = if from == 0 { String::new() } else { from.to_string() };
        let query = query(&[("q", asked.q.as_str()), ("show", show.word()), ("from", from.as_str())]);
        format!("{place}{query}")
    };
    let chip = |show: &S| Chip {
        address: own(*show, 0),
        label: show.label(),
        count: all.iter().filter(|line| is(line, *show)).count() as u64,
        is_chosen: *show == chosen,
    };
    let chips = S::ALL.iter().map(chip).collect();
    let fitting: Vec<T> = all.into_iter().filter(|line| is(line, chosen)).collect();
    let from = paging::start(asked.from, fitting.len());
    let paging = Paging::new(from, fitting.len(), |from| own(chosen, from));
    Reduced { chips, shown: fitting.into_iter().skip(from).take(LINES).collect(), paging }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, PartialEq)]
    enum Size {
        All,
        Even,
    }

    impl Show for Size {
        const ALL: &'static [Self] = &[Self::All, Self::Even];

        fn word(self) -> &'static str {
            if self == Self::All { "" } else { "even" }
        }

        fn label(self) -> &'static str {
            self.word()
        }
    }

    fn of(show: &str, from: Option<usize>) -> Reduced<usize> {
        let asked = Asked { q: "a&b".to_owned(), show: show.to_owned(), from };
        reduced((0..450).collect(), &asked, "/x", |line, size: Size| size == Size::All || line % 2 == 0)
    }

    #[test]
    fn a_kind_is_counted_and_paged_for_itself() {
        let list = of("even", Some(100));
        assert_eq!((list.shown.len(), list.shown[0], list.shown[99]), (100, 200, 398));
        assert_eq!(
            list.chips.iter().map(|chip| (chip.count, chip.is_chosen)).collect::<Vec<_>>(),
            [(450, false), (225, true)]
        );
        assert_eq!(list.chips[1].address, "/x?q=a%26b&show=even");
    }

    #[test]
    fn a_kind_that_is_none_is_all_and_a_page_behind_the_end_is_the_last() {
        let list = of("odd", Some(usize::MAX));
        assert_eq!((list.shown.len(), list.shown[0], list.chips[0].is_chosen), (50, 400, true));
    }
}
