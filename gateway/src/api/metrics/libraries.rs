//! How the libraries fare: their states and their queues.

use std::collections::BTreeMap;

use crate::bridge::Bridge;
use crate::dispatch::LibraryState;
use crate::observe::metrics::families::{LIBRARY_STATE, QUEUE_LIMIT, QUEUE_RUNNING, QUEUE_WAITING};
use crate::observe::metrics::{Page, Value, level};

/// Calls of a library that have not ended.
#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    waiting: u64,
    running: u64,
}

pub(super) fn write(bridge: &Bridge, page: &mut Page) {
    let current = bridge.libraries.all();
    let states = current.iter().flat_map(|library| {
        let now = library.state().name();
        LibraryState::NAMES.map(|state| (vec![library.name.clone(), state.to_owned()], Value::from(state == now)))
    });
    page.add(&LIBRARY_STATE, states);
    // One that was replaced may still run something.
    let mut calls: BTreeMap<String, UnderWay> = BTreeMap::new();
    for library in bridge.libraries.in_use() {
        let under_way = calls.entry(library.name.clone()).or_default();
        under_way.waiting += library.queue.counts().waiting as u64;
        under_way.running += library.queue.running_calls() as u64;
    }
    let number = |of: fn(&UnderWay) -> u64| {
        let sample = move |(name, calls): (&String, &UnderWay)| (vec![name.clone()], Value::Level(level(of(calls))));
        calls.iter().map(sample).collect::<Vec<_>>()
    };
    page.add(&QUEUE_WAITING, number(|calls| calls.waiting));
    page.add(&QUEUE_RUNNING, number(|calls| calls.running));
    let limits =
        current.iter().map(|library| (vec![library.name.clone()], Value::Level(level(library.queue.limit() as u64))));
    page.add(&QUEUE_LIMIT, limits);
}
