//! The harness of the end-to-end tests: a real gateway with real agents, started for one test and ended with it.
//!
//! ```no_run
//! use bridge32_tests::{Bridge, Target, fixture, json};
//!
//! let bridge = Bridge::start(|config| {
//!     config.library("calls", fixture::library("calls", Target::Linux32)).header(fixture::header("calls"));
//! });
//! assert_eq!(bridge.call("calls", "EchoInt", json!({"value": 5})).result(), 5);
//! ```
//!
//! The programs come from `dist/` (or from where `BRIDGE32_DIST` says); `cargo xtask build` makes them.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a harness lets a test fail")]

pub mod agent;
pub mod bridge;
pub mod browser;
pub mod browsing;
pub mod client;
pub mod config;
pub mod dist;
pub mod events;
pub mod fixture;
pub mod joined;
pub mod log;
pub mod other_user;
pub mod otlp;
pub mod pipe;
pub mod postgres;
pub mod process;
pub mod raw;
pub mod servers;
pub mod showcase;
pub mod soak;
pub mod tls;

pub use bridge32_protocol::target::Target;
pub use serde_json::{Value, json};

pub use agent::Agent;
pub use bridge::Bridge;
pub use browser::Browser;
pub use client::Answer;
pub use config::Config;
pub use joined::Joined;

/// Whether the gateway is the one for Windows.
pub const WINDOWS_GATEWAY: bool = cfg!(feature = "windows-gateway");

/// The targets that this project is for, as far as the gateway has agents for them.
#[cfg(not(feature = "windows-gateway"))]
pub const TARGETS_32: [Target; 2] = [Target::Linux32, Target::Win32];
/// The targets that this project is for, as far as the gateway has agents for them.
#[cfg(feature = "windows-gateway")]
pub const TARGETS_32: [Target; 1] = [Target::Win32];

/// These, and the one whose agent is of the gateway's own width.
#[cfg(not(feature = "windows-gateway"))]
pub const TARGETS: [Target; 3] = [Target::Linux32, Target::Win32, Target::Linux64];
/// These, and the one whose agent is of the gateway's own width.
#[cfg(feature = "windows-gateway")]
pub const TARGETS: [Target; 2] = [Target::Win32, Target::Win64];

/// The 32-bit target of the gateway's own system, for tests to which it does not matter which one it is.
pub const HOME: Target = TARGETS_32[0];

/// Standard base64 with padding, as buffers travel.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The bytes of a buffer in an answer.
pub fn bytes(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is not a base64 string"));
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A file of this machine as a program under Wine names it.
pub fn windows_path(file: &std::path::Path) -> String {
    format!("Z:{}", file.display()).replace('/', r"\")
}

/// Tries again until `attempt` gives something, or `seconds` have passed.
pub fn within<T>(seconds: f64, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(start.elapsed().as_secs_f64() < seconds, "not within {seconds} s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
