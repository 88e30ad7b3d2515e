//! Lists that may be long are shown a hundred lines at a time.

use askama::Template;

use crate::dashboard::filters;

/// So many lines are on a page.
pub(super) const LINES: usize = 100;

/// Which lines are shown, and where the others are. Pages write it as `{{ paging|safe }}`.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "libraries/paging.html")]
pub(super) struct Paging {
    /// The number of the first one that is shown; 1 is the first of all.
    first: u64,
    last: u64,
    total: u64,
    previous: Option<String>,
    next: Option<String>,
}

impl Paging {
    /// The page that begins behind `from` lines; `address` gives that of another one.
    pub(super) fn new(from: usize, total: usize, address: impl Fn(usize) -> String) -> Self {
        Self::of(LINES, from, total, address)
    }

    /// The same of pages of so many lines.
    pub(super) fn of(lines: usize, from: usize, total: usize, address: impl Fn(usize) -> String) -> Self {
        let end = from.saturating_add(lines).min(total);
        Self {
            first: (from + 1) as u64,
            last: end as u64,
            total: total as u64,
            previous: (from > 0).then(|| address(from.saturating_sub(lines))),
            next: (end < total).then(|| address(end)),
        }
    }
}

/// Where a page begins that somebody asks for: not behind the end.
pub(super) fn start(from: Option<usize>, total: usize) -> usize {
    let last = total.saturating_sub(1) / LINES * LINES;
    from.unwrap_or_default().min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_lead_to_those_beside_them() {
        let address = |from: usize| format!("?from={from}");
        let page = Paging::new(100, 250, address);
        assert_eq!((page.first, page.last, page.total), (101, 200, 250));
        assert_eq!((page.previous.as_deref(), page.next.as_deref()), (Some("?from=0"), Some("?from=200")));
        let page = Paging::new(200, 250, address);
        assert_eq!((page.last, page.next), (250, None));
        assert_eq!((start(None, 0), start(Some(5000), 250), start(Some(200), 200)), (0, 200, 100));
    }
}
