//! What is counted of calls, by library, function and outcome. It is kept by name and for as long as the gateway runs,
//! whatever replaces the library, so that it only ever grows; and there are only so many series, whoever calls what.
//!
//! A call costs a few atomic additions: where its counters are is noted in the interface that it was resolved against.

mod histogram;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

pub use histogram::{Distribution, Histogram};

/// So many pairs of a function and an outcome have counters of their own.
pub const MOST_SERIES: usize = 1_000;

/// What has no counters of its own is counted for this function of its library.
pub const OTHER: &str = "(other)";
/// Calls of what a client has declared with the call itself.
pub const PROTOTYPE: &str = "(prototype)";

/// Nanoseconds, from 10 µs to 30 s.
const TIMES: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// Calls in one request to an agent.
const SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

/// How a call ended, as a small number that whoever makes it can turn back into a word.
pub type Outcome = usize;

/// What is counted of a function's calls.
#[derive(Debug)]
struct FunctionMeters {
    /// How long calls took that ended so; nothing for what has not happened.
    outcomes: Box<[OnceLock<Histogram>]>,
}

impl FunctionMeters {
    fn new(outcomes: usize) -> Self {
        Self { outcomes: (0..outcomes).map(|_| OnceLock::new()).collect() }
    }

    fn distributions(&self) -> impl Iterator<Item = (Outcome, Distribution)> {
        let seen = self.outcomes.iter().enumerate();
        seen.filter_map(|(outcome, histogram)| Some((outcome, histogram.get()?.distribution())))
    }
}

/// What is counted of a library's calls.
#[derive(Debug)]
struct LibraryMeters {
    functions: Mutex<BTreeMap<String, Arc<FunctionMeters>>>,
    other: FunctionMeters,
    prototype: FunctionMeters,
    parts: [Histogram; 3],
    requests: Histogram,
    repeated: AtomicU64,
}

impl LibraryMeters {
    fn new(outcomes: usize) -> Self {
        Self {
            functions: Mutex::default(),
            other: FunctionMeters::new(outcomes),
            prototype: FunctionMeters::new(outcomes),
            parts: std::array::from_fn(|_| Histogram::new(TIMES)),
            requests: Histogram::new(SIZES),
            repeated: AtomicU64::new(0),
        }
    }

    fn functions(&self) -> MutexGuard<'_, BTreeMap<String, Arc<FunctionMeters>>> {
        // Each change is whole whatever panics elsewhere.
        self.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the counters of an interface's functions are, by their numbers: found once.
#[derive(Debug)]
pub struct Found {
    library: Arc<LibraryMeters>,
    functions: Box<[OnceLock<Arc<FunctionMeters>>]>,
}

/// Where an interface notes that.
pub type Slot = OnceLock<Found>;

/// Which function was called.
#[derive(Clone, Copy, Debug)]
pub enum Called<'a> {
    /// One that an interface declares.
    Declared {
        /// What the interface has noted.
        slot: &'a Slot,
        /// How many functions it has.
        functions: usize,
        /// Which one it is.
        number: usize,
        /// Its name.
        name: &'a str,
    },
    /// Any other.
    Prototype,
}

/// How long the parts of a call took.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// All of it.
    pub whole: Duration,
    /// At the gateway, on its way, and in the library; `None` for parts that it never had.
    pub parts: [Option<Duration>; 3],
}

/// All that is counted.
#[derive(Debug)]
pub struct Meters {
    libraries: RwLock<HashMap<Arc<str>, Arc<LibraryMeters>>>,
    /// How many outcomes there are.
    outcomes: usize,
    /// The pairs of a function and an outcome that have counters of their own.
    series: AtomicUsize,
}

/// What was counted of a library.
#[derive(Clone, Debug)]
pub struct LibraryFigures {
    /// Its name.
    pub library: Arc<str>,
    /// In nanoseconds, by function and outcome.
    pub calls: Vec<(String, Outcome, Distribution)>,
    /// In nanoseconds: the parts of its calls.
    pub parts: [Distribution; 3],
    /// How many calls each request to an agent had.
    pub requests: Distribution,
    /// Calls that were sent to more than one process, because one ended.
    pub repeated: u64,
}

impl Meters {
    /// Nothing counted yet. An outcome is a number below `outcomes`.
    pub fn new(outcomes: usize) -> Self {
        Self { libraries: RwLock::default(), outcomes, series: AtomicUsize::new(0) }
    }

    /// A call has ended.
    pub fn ended(&self, library: &Arc<str>, called: Called<'_>, outcome: Outcome, times: Times, repeated: bool) {
        let found;
        let (meters, function) = match called {
            Called::Declared { slot, functions, number, name } => {
                let found = slot.get_or_init(|| self.find(library, functions));
                (&found.library, self.function(found, number, name))
            }
            Called::Prototype => {
                found = self.library(library);
                (&found, &found.prototype)
            }
        };
        if let Some(histogram) = self.histogram(meters, function, outcome) {
            histogram.record(nanoseconds(times.whole));
        }
        for (histogram, part) in meters.parts.iter().zip(times.parts) {
            if let Some(part) = part {
                histogram.record(nanoseconds(part));
            }
        }
        if repeated {
            meters.repeated.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So many calls were sent to an agent as one request. `slot` is that of the interface that they mean, and how many functions
    /// it has.
    pub fn sent(&self, library: &Arc<str>, slot: Option<(&Slot, usize)>, calls: usize) {
        let calls = calls as u64;
        match slot {
            Some((slot, functions)) => {
                slot.get_or_init(|| self.find(library, functions)).library.requests.record(calls);
            }
            None => self.library(library).requests.record(calls),
        }
    }

    fn find(&self, library: &Arc<str>, functions: usize) -> Found {
        Found { library: self.library(library), functions: (0..functions).map(|_| OnceLock::new()).collect() }
    }

    fn library(&self, name: &Arc<str>) -> Arc<LibraryMeters> {
        let known = self.libraries.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| {
            let mut libraries = self.libraries.write().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(LibraryMeters::new(self.outcomes));
            Arc::clone(libraries.entry(Arc::clone(name)).or_insert_with(new))
        })
    }

    fn function<'a>(&self, found: &'a Found, number: usize, name: &str) -> &'a FunctionMeters {
        let Some(slot) = found.functions.get(number) else { return &found.library.other };
        if let Some(function) = slot.get() {
            return function;
        }
        let mut functions = found.library.functions();
        let known = functions.get(name).cloned();
        // One that could have no counters need not be known.
        let known = known.or_else(|| {
            let has_room = self.series.load(Ordering::Relaxed) < MOST_SERIES;
            has_room.then(|| {
                let new = Arc::new(FunctionMeters::new(self.outcomes));
                functions.insert(name.to_owned(), Arc::clone(&new));
                new
            })
        });
        known.map_or(&found.library.other, |known| slot.get_or_init(|| known))
    }

    /// Where calls of that function are counted that ended so.
    fn histogram<'a>(
        &self,
        library: &'a LibraryMeters,
        function: &'a FunctionMeters,
        outcome: Outcome,
    ) -> Option<&'a Histogram> {
        let slot = function.outcomes.get(outcome)?;
        if let Some(histogram) = slot.get() {
            return Some(histogram);
        }
        let new = || Histogram::new(TIMES);
        // These two are there for each library, and no more can be.
        let is_free =
            std::ptr::eq(function, &raw const library.other) || std::ptr::eq(function, &raw const library.prototype);
        let more = |series: usize| (series < MOST_SERIES).then_some(series + 1);
        if is_free || self.series.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok() {
            return Some(slot.get_or_init(new));
        }
        Some(library.other.outcomes.get(outcome)?.get_or_init(new))
    }

    /// What was counted of one function, by outcome; nothing where it has no counters of its own.
    pub fn of_function(&self, library: &str, function: &str) -> Vec<(Outcome, Distribution)> {
        let known = self.libraries.read().unwrap_or_else(PoisonError::into_inner).get(library).cloned();
        let found = known.and_then(|meters| meters.functions().get(function).cloned());
        found.map(|function| function.distributions().collect()).unwrap_or_default()
    }

    /// What was counted, by library.
    pub fn figures(&self) -> Vec<LibraryFigures> {
        let libraries: BTreeMap<Arc<str>, Arc<LibraryMeters>> = {
            let known = self.libraries.read().unwrap_or_else(PoisonError::into_inner);
            known.iter().map(|(name, meters)| (Arc::clone(name), Arc::clone(meters))).collect()
        };
        let figures = |(library, meters): (Arc<str>, Arc<LibraryMeters>)| {
            let functions = meters.functions().clone();
            let functions = functions.iter().map(|(name, function)| (name.as_str(), &**function));
            let collective = [(OTHER, &meters.other), (PROTOTYPE, &meters.prototype)];
            let calls = functions.chain(collective).flat_map(|(name, function)| {
                function.distributions().map(move |(outcome, times)| (name.to_owned(), outcome, times))
            });
            LibraryFigures {
                library,
                calls: calls.collect(),
                parts: std::array::from_fn(|part| meters.parts[part].distribution()),
                requests: meters.requests.distribution(),
                repeated: meters.repeated.load(Ordering::Relaxed),
            }
        };
        libraries.into_iter().map(figures).collect()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES_OF_A_CALL: Times = Times {
        whole: Duration::from_micros(60),
        parts: [Some(Duration::from_micros(10)), Some(Duration::from_micros(50)), None],
    };

    fn call(meters: &Meters, slot: &Slot, number: usize, name: &str, outcome: Outcome) {
        let called = Called::Declared { slot, functions: 5_000, number, name };
        meters.ended(&"calc".into(), called, outcome, TIMES_OF_A_CALL, false);
    }

    fn counted(meters: &Meters) -> Vec<(String, Outcome, u64)> {
        let [figures] = &meters.figures()[..] else { panic!("one library") };
        figures.calls.iter().map(|(name, outcome, times)| (name.clone(), *outcome, times.count)).collect()
    }

    #[test]
    fn calls_are_counted_by_name_whatever_interface_they_mean() {
        let (meters, before, after) = (Meters::new(3), Slot::new(), Slot::new());
        call(&meters, &before, 0, "Add", 0);
        call(&meters, &before, 0, "Add", 2);
        // In the next header it has another number.
        call(&meters, &after, 7, "Add", 0);
        meters.ended(&"calc".into(), Called::Prototype, 0, TIMES_OF_A_CALL, true);
        let expected = [("Add", 0, 2), ("Add", 2, 1), (PROTOTYPE, 0, 1)];
        assert_eq!(counted(&meters), expected.map(|(name, outcome, count)| (name.to_owned(), outcome, count)));
        let of_function = |name: &str| -> Vec<(Outcome, u64)> {
            meters.of_function("calc", name).iter().map(|(outcome, times)| (*outcome, times.count)).collect()
        };
        assert_eq!((of_function("Add"), of_function("Sub").len()), (vec![(0, 2), (2, 1)], 0));
        let figures = &meters.figures()[0];
        assert_eq!(figures.parts.each_ref().map(|part| part.count), [4, 4, 0]);
        assert_eq!((figures.parts[1].sum, figures.repeated), (200_000, 1));
    }

    #[test]
    fn requests_to_agents_are_counted_with_their_calls() {
        let (meters, slot) = (Meters::new(3), Slot::new());
        meters.sent(&"calc".into(), Some((&slot, 1)), 5);
        meters.sent(&"calc".into(), None, 1);
        let requests = &meters.figures()[0].requests;
        assert_eq!((requests.count, requests.sum), (2, 6));
    }

    #[test]
    fn there_are_only_so_many_series_and_the_rest_is_counted_together() {
        let (meters, slot) = (Meters::new(3), Slot::new());
        for number in 0..MOST_SERIES + 50 {
            call(&meters, &slot, number, &format!("f{number}"), 0);
        }
        // One that has counters, and would need more.
        call(&meters, &slot, 3, "f3", 1);
        call(&meters, &slot, 3, "f3", 0);
        let counted = counted(&meters);
        assert_eq!(counted.len(), MOST_SERIES + 2);
        assert!(counted.contains(&(OTHER.to_owned(), 0, 50)) && counted.contains(&(OTHER.to_owned(), 1, 1)));
        assert!(counted.contains(&("f3".to_owned(), 0, 2)));
    }

    #[test]
    fn a_number_that_is_none_is_counted_all_the_same() {
        let (meters, slot) = (Meters::new(3), Slot::new());
        let called = Called::Declared { slot: &slot, functions: 1, number: 9, name: "?" };
        meters.ended(&"calc".into(), called, 0, TIMES_OF_A_CALL, false);
        assert_eq!(counted(&meters), [(OTHER.to_owned(), 0, 1)]);
    }
}
