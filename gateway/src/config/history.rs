//! `[history]`: what is kept of calls, where, for how long, and how much room it has.

use std::time::Duration;

use super::document::{HistoryDocument, Size};
use super::{ConfigError, Context, values};

const DEFAULT_KEEP: Duration = Duration::from_hours(24);
const LONGEST_KEEP: Duration = Duration::from_hours(365 * 24);
const DEFAULT_MAX_OUTCOMES: u64 = 100_000;
const DEFAULT_MAX_SIZE: u64 = 1 << 30;
const DEFAULT_KEEP_CALLS: Duration = Duration::from_hours(30 * 24);
const LONGEST_KEEP_CALLS: Duration = Duration::from_hours(10 * 365 * 24);
const DEFAULT_MAX_CALLS_SIZE: u64 = 4 << 30;
/// Less than this has no room for a day's calls and their indexes.
const SMALLEST_CALLS_SIZE: u64 = 1 << 20;
const DEFAULT_MAX_TEXT: u64 = 16 << 10;
const LARGEST_TEXT: u64 = 16 << 20;

/// What is kept of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// When a call that has ended is in the history.
    pub durability: Durability,
    /// The PostgreSQL database that has the history; otherwise it is a SQLite file of `data_dir`. It may have a password.
    pub url: Option<String>,
    /// For how long calls stay in the history.
    pub keep_calls: Duration,
    /// How many bytes the history may have.
    pub max_calls_size: u64,
    /// How many bytes of a call's arguments, and of its answer, are kept.
    pub max_text: usize,
    /// For how long the outcome of a kept call can be asked for, and its idempotency key is known.
    pub keep_outcomes: Duration,
    /// How many kept calls there may be.
    pub max_outcomes: u64,
    /// How many bytes their answers may have together.
    pub max_size: u64,
}

/// When a call that has ended is in the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Never: there is no history.
    Off,
    /// Soon after its client has the answer, together with others.
    #[default]
    Batched,
    /// Before its client has the answer.
    BeforeAnswer,
}

impl Durability {
    const ALL: [Self; 3] = [Self::Off, Self::Batched, Self::BeforeAnswer];

    /// As the configuration names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Batched => "batched",
            Self::BeforeAnswer => "before_answer",
        }
    }
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            url: None,
            keep_calls: DEFAULT_KEEP_CALLS,
            max_calls_size: DEFAULT_MAX_CALLS_SIZE,
            max_text: usize::try_from(DEFAULT_MAX_TEXT).unwrap_or(usize::MAX),
            keep_outcomes: DEFAULT_KEEP,
            max_outcomes: DEFAULT_MAX_OUTCOMES,
            max_size: DEFAULT_MAX_SIZE,
        }
    }
}

impl Context<'_> {
    pub(super) fn history(&self, document: &HistoryDocument) -> Result<HistoryConfig, ConfigError> {
        let wrong = |key: &str, message: &str| self.wrong(format!("history.{key}"), message);
        let time = |key: &str, text: Option<&str>, otherwise, longest: Duration, is: &str| {
            let time = text.map_or(Ok(otherwise), values::duration).map_err(|message| wrong(key, &message))?;
            let hours = longest.as_secs() / 3600;
            let too_long = || wrong(key, &format!("is too long: at most \"{hours}h\", which is {is}"));
            if time > longest { Err(too_long()) } else { Ok(time) }
        };
        let size = |key: &str, size: Option<&Size>, otherwise| {
            let bytes = match size {
                None => Ok(otherwise),
                Some(Size::Bytes(bytes)) => Ok(*bytes),
                Some(Size::Text(text)) => values::size(text),
            };
            bytes.map_err(|message| wrong(key, &message))
        };
        let keep_outcomes = document.keep_outcomes.as_deref();
        let keep_outcomes = time("keep_outcomes", keep_outcomes, DEFAULT_KEEP, LONGEST_KEEP, "a year")?;
        let max_outcomes = document.max_outcomes.unwrap_or(DEFAULT_MAX_OUTCOMES);
        if max_outcomes == 0 {
            return Err(wrong("max_outcomes", "is 0, so that no call could be kept: give at least 1"));
        }
        let max_size = size("max_size", document.max_size.as_ref(), DEFAULT_MAX_SIZE)?;
        let durability = document.durability.as_deref().map_or(Ok(Durability::default()), |name| {
            let known = Durability::ALL.into_iter().find(|known| known.name() == name);
            let names = Durability::ALL.map(Durability::name);
            known.ok_or_else(|| {
                let near = values::suggestion(name, &names);
                wrong(
                    "durability",
                    &format!("is `{name}`, and can be {}{near}", names.map(|name| format!("\"{name}\"")).join(", ")),
                )
            })
        })?;
        let url = document.url.clone().map(|url| {
            // What it says may be a password.
            let is_known = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
            let unknown = "is no address of a PostgreSQL database, such as \"postgres://USER@HOST/DATABASE\"; without it the \
                           history is a SQLite file in data_dir";
            if is_known { Ok(url) } else { Err(wrong("url", unknown)) }
        });
        let keep_calls = document.keep_calls.as_deref();
        let keep_calls = time("keep_calls", keep_calls, DEFAULT_KEEP_CALLS, LONGEST_KEEP_CALLS, "ten years")?;
        let max_calls_size = size("max_calls_size", document.max_calls_size.as_ref(), DEFAULT_MAX_CALLS_SIZE)?;
        if max_calls_size < SMALLEST_CALLS_SIZE {
            return Err(wrong("max_calls_size", "is too small: give at least \"1MiB\""));
        }
        let max_text = size("max_text", document.max_text.as_ref(), DEFAULT_MAX_TEXT)?;
        if max_text > LARGEST_TEXT {
            return Err(wrong("max_text", "is too large: at most \"16MiB\""));
        }
        Ok(HistoryConfig {
            durability,
            url: url.transpose()?,
            keep_calls,
            max_calls_size,
            max_text: usize::try_from(max_text).unwrap_or(usize::MAX),
            keep_outcomes,
            max_outcomes,
            max_size,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<HistoryConfig, String> {
        let document: HistoryDocument = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let context = Context { file: Path::new("bridge32.toml") };
        context.history(&document).map_err(|error| error.to_string())
    }

    #[test]
    fn outcomes_are_kept_for_a_day_unless_something_else_is_said() {
        assert_eq!(read(""), Ok(HistoryConfig::default()));
        let keep_outcomes = Duration::from_secs(90);
        let wanted = HistoryConfig { keep_outcomes, max_outcomes: 5, max_size: 64 << 10, ..HistoryConfig::default() };
        assert_eq!(read("keep_outcomes = \"90s\"\nmax_outcomes = 5\nmax_size = \"64KiB\""), Ok(wanted));
    }

    #[test]
    fn calls_are_kept_as_it_is_said() {
        let read = read(
            "durability = \"before_answer\"\nurl = \"postgres://me@db/bridge\"\nkeep_calls = \"48h\"\n\
             max_calls_size = \"1GiB\"\nmax_text = 100",
        )
        .unwrap();
        assert_eq!((read.durability, read.url.as_deref()), (Durability::BeforeAnswer, Some("postgres://me@db/bridge")));
        assert_eq!((read.keep_calls.as_secs(), read.max_calls_size, read.max_text), (48 * 3600, 1 << 30, 100));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_key() {
        for (text, key) in [
            ("keep_outcomes = \"0s\"", "history.keep_outcomes"),
            ("keep_outcomes = \"9000h\"", "history.keep_outcomes"),
            ("keep_outcomes = \"a while\"", "history.keep_outcomes"),
            ("max_outcomes = 0", "history.max_outcomes"),
            ("max_size = \"much\"", "history.max_size"),
            ("durability = \"batch\"", "history.durability"),
            ("url = \"mysql://me:hunter2@db/bridge\"", "history.url"),
            ("keep_calls = \"90000h\"", "history.keep_calls"),
            ("max_calls_size = 1", "history.max_calls_size"),
            ("max_text = \"1GiB\"", "history.max_text"),
            ("keep = \"1h\"", "unknown field"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(key) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
