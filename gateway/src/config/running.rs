//! How a library is run: processes, threads, queue, limits, probe, sessions. All keys of `[library.NAME]` that are about
//! that, with their defaults; [`check`] reads them.

use std::time::Duration;

use serde_json::Value;

use super::DEFAULT_DEADLINE;

mod check;

pub(super) use check::Process;

/// The threads of all libraries of one process: an agent's journal has a slot for each.
pub(super) const MAX_PROCESS_THREADS: u32 = 128;

/// How a library is run.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// How many processes run it at a time.
    pub instances: Instances,
    /// The threads of each process that may be in the library's code at a time; 1 for a library that is not thread-safe.
    pub threads: u32,
    /// Further processes that have it loaded, and are given calls once an active one fails.
    pub standby: u32,
    /// So many calls may wait for it.
    pub queue: usize,
    /// How long a start may take, from the process until the library is loaded; for each library that is loaded.
    pub startup: Duration,
    /// What a request may ask for by `Prefer: wait=`; at least the library's `deadline`. See [`Running::longest`].
    pub max_deadline: Duration,
    /// When a process is replaced by a new one, between two calls.
    pub recycle: Recycle,
    /// A call that tells whether the library still works.
    pub probe: Option<Probe>,
    /// Functions that may be called twice, besides those that the header has `@idempotent` for.
    pub idempotent: Vec<String>,
    /// How long sessions of a process that is to end may go on.
    pub drain: Duration,
    /// What clients with sessions may have.
    pub sessions: SessionLimits,
}

/// How many processes run a library at a time: calls decide, between the two. Of agents that somebody else starts both are
/// their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instances {
    /// So many also when nobody calls; 0 means that the library is not loaded until somebody does.
    pub min: u32,
    /// Never more; at least 1, and at least `min`.
    pub max: u32,
    /// One more than `min` ends when it had nothing to do for so long.
    pub idle: Duration,
}

/// When a process is replaced by a new one, between two calls. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycle {
    /// Bytes of memory.
    pub max_memory: Option<u64>,
    /// File descriptors, or handles of Windows.
    pub max_handles: Option<u64>,
    /// Calls.
    pub max_calls: Option<u64>,
    /// The time since its start.
    pub max_age: Option<Duration>,
}

/// A call that tells whether a library still works.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The function.
    pub function: String,
    /// Its arguments: a JSON object.
    pub args: String,
    /// What its `result` has to be. Without it any answer will do. See [`Probe::is_met_by`].
    pub expect: Option<Value>,
    /// The time between two of them.
    pub every: Duration,
    /// How long one may take.
    pub deadline: Duration,
    /// So many in a row that fail mean that the process is to be replaced.
    pub failures: u32,
}

/// What clients with sessions may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// So many sessions at a time; 0 allows none.
    pub max: usize,
    /// How long one lasts after its last request, where the client does not say.
    pub lease: Duration,
    /// The longest that a client may ask for.
    pub max_lease: Duration,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            instances: Instances::default(),
            threads: 1,
            standby: 0,
            queue: 1024,
            startup: Duration::from_secs(30),
            max_deadline: DEFAULT_DEADLINE,
            recycle: Recycle::default(),
            probe: None,
            idempotent: Vec::new(),
            drain: Duration::from_secs(30),
            sessions: SessionLimits::default(),
        }
    }
}

impl Default for Instances {
    fn default() -> Self {
        Self { min: 1, max: 1, idle: Duration::from_mins(5) }
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { max: 1000, lease: Duration::from_mins(5), max_lease: Duration::from_hours(1) }
    }
}

impl Running {
    /// The longest deadline that a request may ask for, for a function that has this one of its own: what the header gives a
    /// function, its callers may have.
    pub fn longest(&self, own: Duration) -> Duration {
        self.max_deadline.max(own)
    }

    /// That a process with pointers of so many bytes never gets as large as `recycle.max_memory`, in words.
    pub fn out_of_reach(&self, pointer_bytes: u8) -> Option<String> {
        const FOUR_GIB: u64 = 1 << 32;
        let beyond = pointer_bytes == 4 && self.recycle.max_memory.is_some_and(|limit| limit > FOUR_GIB);
        beyond.then(|| {
            "is more than the 4 GiB that a 32-bit process can address: it fails before. Write less, such as \"1.5GiB\""
                .to_owned()
        })
    }
}

impl Probe {
    /// Whether that is the result that is expected. Numbers are compared by value: 1 is 1.0.
    pub fn is_met_by(&self, result: &Value) -> bool {
        self.expect.as_ref().is_none_or(|expected| is_same(expected, result))
    }
}

fn is_same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) if expected.is_f64() || found.is_f64() => {
            expected.as_f64() == found.as_f64()
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| is_same(expected, found))
        }
        (Value::Object(expected), Value::Object(found)) => {
            let same = |(name, value)| found.get(name).is_some_and(|found| is_same(value, found));
            expected.len() == found.len() && expected.iter().all(same)
        }
        _ => expected == found,
    }
}

#[cfg(test)]
mod tests;
