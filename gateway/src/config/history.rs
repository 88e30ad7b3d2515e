//! `[history]`: for how long the outcomes of kept calls stay, and how much room they have.

use std::time::Duration;

use super::document::{HistoryDocument, Size};
use super::{ConfigError, Context, values};

const DEFAULT_KEEP: Duration = Duration::from_hours(24);
const LONGEST_KEEP: Duration = Duration::from_hours(365 * 24);
const DEFAULT_MAX_OUTCOMES: u64 = 100_000;
const DEFAULT_MAX_SIZE: u64 = 1 << 30;

/// What is kept of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// For how long the outcome of a kept call can be asked for, and its idempotency key is known.
    pub keep_outcomes: Duration,
    /// How many kept calls there may be.
    pub max_outcomes: u64,
    /// How many bytes their answers may have together.
    pub max_size: u64,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { keep_outcomes: DEFAULT_KEEP, max_outcomes: DEFAULT_MAX_OUTCOMES, max_size: DEFAULT_MAX_SIZE }
    }
}

impl Context<'_> {
    pub(super) fn history(&self, document: &HistoryDocument) -> Result<HistoryConfig, ConfigError> {
        let wrong = |key: &str, message: &str| self.wrong(format!("history.{key}"), message);
        let keep_outcomes = document.keep_outcomes.as_deref().map_or(Ok(DEFAULT_KEEP), values::duration);
        let keep_outcomes = keep_outcomes.map_err(|message| wrong("keep_outcomes", &message))?;
        if keep_outcomes > LONGEST_KEEP {
            return Err(wrong("keep_outcomes", "is too long: at most \"8760h\", which is a year"));
        }
        let max_outcomes = document.max_outcomes.unwrap_or(DEFAULT_MAX_OUTCOMES);
        if max_outcomes == 0 {
            return Err(wrong("max_outcomes", "is 0, so that no call could be kept: give at least 1"));
        }
        let max_size = match &document.max_size {
            None => Ok(DEFAULT_MAX_SIZE),
            Some(Size::Bytes(bytes)) => Ok(*bytes),
            Some(Size::Text(text)) => values::size(text),
        };
        let max_size = max_size.map_err(|message| wrong("max_size", &message))?;
        Ok(HistoryConfig { keep_outcomes, max_outcomes, max_size })
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
        let wanted = HistoryConfig { keep_outcomes: Duration::from_secs(90), max_outcomes: 5, max_size: 64 << 10 };
        assert_eq!(read("keep_outcomes = \"90s\"\nmax_outcomes = 5\nmax_size = \"64KiB\""), Ok(wanted));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_key() {
        for (text, key) in [
            ("keep_outcomes = \"0s\"", "history.keep_outcomes"),
            ("keep_outcomes = \"9000h\"", "history.keep_outcomes"),
            ("keep_outcomes = \"a while\"", "history.keep_outcomes"),
            ("max_outcomes = 0", "history.max_outcomes"),
            ("max_size = \"much\"", "history.max_size"),
            ("keep = \"1h\"", "unknown field"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
