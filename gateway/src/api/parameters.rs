//! The parameters of a query: each may be given once, and what is wrong with one is told with its name.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::config::nearest;
use crate::error::{Code, Problem};

/// Units of durations, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// What is left of a query's parameters.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of a query, all of which must be known.
    ///
    /// # Errors
    /// One is not, or is given twice.
    pub(super) fn of(pairs: Vec<(String, String)>, known: &[&str]) -> Result<Self, Problem> {
        for (at, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let near = nearest(name, known.iter().copied()).map(|near| format!(" Did you mean `{near}`?"));
                let near = near.unwrap_or_else(|| format!(" There are: {}.", known.join(", ")));
                return Err(malformed(format!("There is no parameter `{name}` here.{near}")));
            }
            if pairs[..at].iter().any(|(other, _)| other == name) {
                return Err(malformed(format!("The parameter `{name}` is given twice: give it once.")));
            }
            if value.contains('\0') {
                return Err(wrong(name, value, "a text without the character U+0000"));
            }
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter, if it is given.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The same, as `read` reads it.
    ///
    /// # Errors
    /// It cannot be read; `shape` says what it must be.
    pub(super) fn read<T>(
        &mut self,
        name: &str,
        shape: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.text(name) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| wrong(name, &value, shape))
    }

    /// A UUID.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn id(&mut self, name: &str) -> Result<Option<Uuid>, Problem> {
        self.read(name, "a UUID, such as 019c0f4e-6d2a-7c31-9f6e-0a4f2a8e6b11", |text| Uuid::try_parse(text).ok())
    }

    /// A whole number from 1 to `most`.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn limit(&mut self, name: &str, most: usize) -> Result<Option<usize>, Problem> {
        let shape = format!("a number from 1 to {most}");
        self.read(name, &shape, |text| text.parse().ok().filter(|number| (1..=most).contains(number)))
    }

    /// A moment, or how long before now it was.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn time(&mut self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
        let shape = "a time such as 2026-01-31T12:00:00Z (a + is written as %2B), or how long ago it was, such as 15m, 2h or 7d";
        self.read(name, shape, |text| moment(text, now))
    }

    /// A duration.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn duration(&mut self, name: &str) -> Result<Option<Duration>, Problem> {
        self.read(name, "a duration such as 250us, 5ms, 1.5s or 2m", duration)
    }
}

/// What is wrong with a parameter's value.
pub(super) fn wrong(name: &str, value: &str, shape: &str) -> Problem {
    malformed(format!("`{name}={}` cannot be read: give {shape}.", value.escape_debug()))
}

fn malformed(detail: String) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}

/// RFC 3339, or a duration back from now. Not before the year 1970, nor too far from now for a table's numbers.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    let time = match duration(text) {
        Some(ago) => now.checked_sub(SignedDuration::try_from(ago).ok()?).ok()?,
        None => text.parse().ok()?,
    };
    (time >= Timestamp::UNIX_EPOCH).then_some(time)
}

/// A decimal number and its unit.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let places = u32::try_from(fraction.len()).ok().filter(|places| (1..=9).contains(places))?;
    let (whole, fraction): (u64, u64) = (whole.parse().ok()?, fraction.parse().ok()?);
    let fraction = u128::from(fraction) * u128::from(*nanoseconds) / 10_u128.pow(places);
    let total = whole.checked_mul(*nanoseconds)?.checked_add(u64::try_from(fraction).ok()?)?;
    Some(Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Result<Parameters, Problem> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Parameters::of(pairs.collect(), &["library", "limit", "since", "min_duration"])
    }

    #[test]
    fn what_is_wrong_is_told_with_the_name_and_what_to_give() {
        let detail = |problem: Problem| problem.detail().to_owned();
        let unknown = detail(parameters(&[("libary", "z")]).unwrap_err());
        assert!(unknown.contains("`libary`") && unknown.contains("Did you mean `library`?"), "{unknown}");
        let unknown = detail(parameters(&[("colour", "z")]).unwrap_err());
        assert!(unknown.contains("library, limit, since"), "{unknown}");
        assert!(detail(parameters(&[("limit", "1"), ("limit", "2")]).unwrap_err()).contains("twice"));
        assert!(detail(parameters(&[("library", "a\0")]).unwrap_err()).contains("U+0000"));
        for wrong in ["0", "1001", "-1", "x", ""] {
            let detail = detail(parameters(&[("limit", wrong)]).unwrap().limit("limit", 1000).unwrap_err());
            assert!(detail.contains("`limit=") && detail.contains("1 to 1000"), "{detail}");
        }
        let mut some = parameters(&[("limit", "7"), ("library", "z")]).unwrap();
        assert_eq!((some.limit("limit", 9).unwrap(), some.text("library").as_deref()), (Some(7), Some("z")));
        assert_eq!((some.limit("limit", 9).unwrap(), some.id("batch").unwrap()), (None, None));
    }

    #[test]
    fn durations_have_units_and_may_have_fractions() {
        for (text, nanoseconds) in [("5ms", 5_000_000), ("250us", 250_000), ("1.5s", 1_500_000_000), ("0s", 0)] {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for text in ["5", "ms", "-5ms", "5 ms", "1.s", ".5s", "1..5s", "1e3s", "99999999999999999d", "1.0000000001s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let at = |text: &str| moment(text, now).map(|time| time.to_string());
        assert_eq!(at("15m").as_deref(), Some("2026-01-31T11:45:00Z"));
        assert_eq!(at("2d").as_deref(), Some("2026-01-29T12:00:00Z"));
        assert_eq!(at("2026-01-31T13:00:00.5+01:00").as_deref(), Some("2026-01-31T12:00:00.5Z"));
        for text in ["yesterday", "2026-01-31", "1900-01-01T00:00:00Z", "-5m", "999999d", "2026-01-31T13:00:00 01:00"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
