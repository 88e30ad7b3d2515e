//! How much is made to happen.

/// The size of a soak.
#[derive(Clone, Debug)]
pub struct Options {
    /// Failures that are forced in ELF libraries.
    pub failures: u32,
    /// Failures that are forced in DLLs under Wine.
    pub wine_failures: u32,
    /// Clients that call at the same time.
    pub callers: u32,
    /// Clients that call during a reload.
    pub reload_callers: u32,
    /// Crashes after which the time to the next success is taken.
    pub crashes: u32,
    /// The same under Wine.
    pub wine_crashes: u32,
    /// How often the gateway is killed.
    pub kills: u32,
    /// How often a library is replaced under load.
    pub reloads: u32,
    /// Idle sessions.
    pub sessions: u32,
    /// Declared libraries.
    pub libraries: u32,
    /// Megabytes that a library prints at once.
    pub flood: u32,
    /// Where the random choices begin: the same number gives the same choices.
    pub seed: u64,
    /// By how much a time may exceed what it should be: more than 1 where other programs run on the same processors.
    pub slack: f64,
}

impl Options {
    /// What `cargo xtask soak` runs unless it is told otherwise.
    pub fn full() -> Self {
        Self {
            failures: 1000,
            wine_failures: 100,
            callers: 16,
            reload_callers: 64,
            crashes: 200,
            wine_crashes: 30,
            kills: 5,
            reloads: 10,
            sessions: 10_000,
            libraries: 1000,
            flood: 100,
            seed: 32,
            slack: 1.0,
        }
    }

    /// What is among the tests: each kind of failure a few times, beside other tests on the same processors.
    pub fn short() -> Self {
        Self {
            failures: 60,
            wine_failures: 12,
            reload_callers: 16,
            crashes: 20,
            wine_crashes: 3,
            kills: 1,
            reloads: 3,
            sessions: 500,
            libraries: 100,
            slack: 10.0,
            ..Self::full()
        }
    }
}
