//! The filters of the list: their state is the address. What cannot be read stays as it was typed, with what is wrong beside it, and
//! the list is without it.

use crate::api::kept_calls::{FILTERS, check};
use crate::dashboard::filters::text;
use crate::error::Problem;

/// The page.
pub(super) const PATH: &str = "/calls";
/// Which call is shown beside the list.
pub(super) const BESIDE: &str = "call";

/// The spans that one usually wants, and their names.
pub(super) const SPANS: [(&str, &str); 5] = [
    ("", text!("any time")),
    ("15m", text!("15 min")),
    ("1h", text!("1 hour")),
    ("24h", text!("24 hours")),
    ("7d", text!("7 days")),
];

/// The codes with which calls usually end.
pub(super) const CODES: [&str; 16] = [
    "agent_crashed",
    "agent_restarted",
    "argument_mismatch",
    "batch_stopped",
    "buffer_overrun",
    "cancelled",
    "convention_mismatch",
    "deadline_exceeded",
    "load_failed",
    "no_agent",
    "out_of_memory",
    "queue_full",
    "session_lost",
    "stale_handle",
    "undecodable_text",
    "unsupported_declaration",
];

/// What an address asks for.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// As they were typed.
    typed: Vec<(String, String)>,
    /// What is wrong with some of them, by name.
    errors: Vec<(String, String)>,
    /// What is wrong beyond that.
    pub(super) strange: Vec<String>,
}

impl Filters {
    /// Reads the parameters of an address.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Self {
        let mut filters = Self::default();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            if name == BESIDE {
                filters.typed.push((name, value));
                continue;
            }
            let so_far = filters.pairs_of(&name);
            match check([so_far, vec![(name.clone(), value.clone())]].concat()) {
                Ok(()) => filters.typed.push((name, value)),
                Err(problem) if FILTERS.contains(&name.as_str()) && !filters.has(&name) => {
                    filters.errors.push((name.clone(), problem.detail().to_owned()));
                    filters.typed.push((name, value));
                }
                Err(problem) => filters.strange.push(problem.detail().to_owned()),
            }
        }
        filters.compare();
        filters
    }

    /// What is wrong with two of them together is told beside the first.
    fn compare(&mut self) {
        for (first, second) in [("since", "until"), ("min_duration", "max_duration")] {
            let both: Vec<_> = self.good().into_iter().filter(|(name, _)| [first, second].contains(&&**name)).collect();
            if let Err(problem) = check(both) {
                self.errors.push((first.to_owned(), problem.detail().to_owned()));
                // The list is without both.
                self.errors.push((second.to_owned(), String::new()));
            }
        }
    }

    /// Those of that name which are there already.
    fn pairs_of(&self, name: &str) -> Vec<(String, String)> {
        self.typed.iter().filter(|(typed, _)| typed == name).cloned().collect()
    }

    fn has(&self, name: &str) -> bool {
        self.typed.iter().any(|(typed, _)| typed == name)
    }

    /// What was typed for one of them.
    pub(super) fn value(&self, name: &str) -> &str {
        self.typed.iter().find(|(typed, _)| typed == name).map_or("", |(_, value)| value)
    }

    /// What is wrong with it.
    pub(super) fn error(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|(wrong, text)| wrong == name && !text.is_empty()).map(|(_, text)| text.as_str())
    }

    /// Whether anything is wrong.
    pub(super) fn are_wrong(&self) -> bool {
        !self.errors.is_empty() || !self.strange.is_empty()
    }

    /// Whether calls are left out.
    pub(super) fn any(&self) -> bool {
        self.typed.iter().any(|(name, _)| FILTERS.contains(&name.as_str()))
    }

    /// Whether one of the filters that are seldom wanted is set.
    pub(super) fn any_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.has(name))
    }

    /// Those that can be read.
    pub(super) fn good(&self) -> Vec<(String, String)> {
        let is_good = |name: &str| name != BESIDE && self.errors.iter().all(|(wrong, _)| wrong != name);
        self.typed.iter().filter(|(name, _)| is_good(name)).cloned().collect()
    }

    /// Those that choose calls and can be read.
    pub(super) fn choosing(&self) -> Vec<(String, String)> {
        self.good().into_iter().filter(|(name, _)| FILTERS.contains(&name.as_str())).collect()
    }

    /// Whether it is the first page, on which new calls arrive.
    pub(super) fn is_first_page(&self) -> bool {
        !self.has("cursor")
    }

    /// The page with one of them changed; an empty value takes it away.
    pub(super) fn address(&self, name: &str, value: &str) -> String {
        let others = self.typed.iter().filter(|(typed, _)| typed != name);
        // Another choice begins at its first page.
        let others = others.filter(|(typed, _)| name == BESIDE || typed != "cursor");
        let changed = (!value.is_empty()).then(|| (name.to_owned(), value.to_owned()));
        address(PATH, others.cloned().chain(changed))
    }

    /// Where all of the chosen calls are to be had.
    pub(super) fn export(&self, format: &str) -> String {
        let format = ("format".to_owned(), format.to_owned());
        address("/v1/calls/export", self.choosing().into_iter().chain([format]))
    }

    /// Where all of the chosen calls can be made again.
    pub(super) fn replays(&self) -> String {
        address("/calls/replays", self.choosing())
    }
}

/// An address with parameters.
pub(super) fn address(path: &str, pairs: impl IntoIterator<Item = (String, String)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The same address without what a form sends of fields that are empty; `None` if there is nothing of the kind.
pub(super) fn without_empty(path: &str, pairs: &[(String, String)]) -> Option<String> {
    let is_full = |(_, value): &&(String, String)| !value.is_empty();
    let full: Vec<(String, String)> = pairs.iter().filter(is_full).cloned().collect();
    (full.len() < pairs.len()).then(|| address(path, full))
}

/// What is wrong with a list that cannot be had.
pub(super) fn complaint(problem: &Problem) -> String {
    problem.detail().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Filters {
        Filters::read(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    #[test]
    fn what_is_wrong_is_told_beside_its_field_and_left_out() {
        let filters = read("library=z&since=soon&min_duration=5&outcome=returned&libary=q&library=y");
        assert_eq!((filters.value("since"), filters.value("library")), ("soon", "z"));
        assert!(filters.error("since").unwrap().contains("15m") && filters.error("min_duration").is_some());
        assert_eq!(filters.error("library"), None);
        assert!(filters.strange[0].contains("`libary`") && filters.strange[1].contains("twice"), "{filters:?}");
        let good: Vec<String> = filters.good().into_iter().map(|(name, _)| name).collect();
        assert_eq!((good, filters.are_wrong()), (vec!["library".to_owned(), "outcome".to_owned()], true));
        assert!(!read("library=z&limit=5&call=x&function=").are_wrong());
        assert!(read("cursor=x").strange[0].contains("next_cursor") && read("limit=0").are_wrong());
    }

    #[test]
    fn two_that_contradict_each_other_are_told_at_the_first() {
        let filters = read("since=1h&until=2h&key=ci");
        assert!(filters.error("since").unwrap().contains("`since` is after `until`"));
        assert_eq!((filters.error("until"), filters.good().len()), (None, 1));
        assert!(read("min_duration=2s&max_duration=1s").error("min_duration").is_some());
    }

    #[test]
    fn the_address_has_the_state_of_the_filters() {
        let filters = read("library=a%26b&outcome=failed&cursor=AXMAAAAAAAAABw&call=7");
        assert!(!filters.are_wrong() && !filters.is_first_page());
        assert_eq!(filters.address("since", "15m"), "/calls?library=a%26b&outcome=failed&call=7&since=15m");
        assert_eq!(filters.address("call", ""), "/calls?library=a%26b&outcome=failed&cursor=AXMAAAAAAAAABw");
        assert_eq!(filters.export("csv"), "/v1/calls/export?library=a%26b&outcome=failed&format=csv");
        assert_eq!(read("").address("since", ""), "/calls");
    }

    #[test]
    fn codes_that_are_offered_are_codes() {
        for code in CODES {
            assert!(!read(&format!("outcome={code}")).are_wrong(), "{code}");
        }
    }
}
