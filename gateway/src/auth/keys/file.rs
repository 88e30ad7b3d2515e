//! The key file: `[[key]]` tables. Only its owner may read it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_signature::Key;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::limits::{Limits, Rate};
use crate::auth::scopes::Scopes;
use crate::private::{self, Exposure};

/// The shortest secret that is accepted, in bytes.
const MIN_SECRET: usize = 16;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error(
        "cannot read the key file {}: {source}. `bridge32 keys add NAME --scope …` makes one with a first key; for a first \
         look on this machine alone, [auth] mode = \"off\" needs none", file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("the key file {} can be read by others ({who}): {}", file.display(), private::close_file(file))]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Who can.
        who: Exposure,
    },
    /// It does not say what it should.
    #[error("{}: {message}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// One key of the file, and what is said of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Id and secret.
    pub key: Key,
    /// Whose it is. Several keys of one owner stand for the same one.
    pub owner: String,
    /// What it allows.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// From when on it is good for nothing.
    pub expires: Option<Timestamp>,
    /// How much may be asked with it.
    pub limits: Limits,
}

impl Entry {
    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        self.expires.is_some_and(|expires| expires <= Timestamp::now())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    key: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    id: String,
    secret: Zeroizing<String>,
    scopes: Vec<String>,
    owner: Option<String>,
    created: Option<toml::Value>,
    expires: Option<toml::Value>,
    rate: Option<String>,
    concurrency: Option<u32>,
}

/// Reads a key file, in its order.
///
/// # Errors
/// It cannot be read, or too many can read it, or it does not hold keys.
pub fn read(file: &Path) -> Result<Vec<Entry>, KeyFileError> {
    let invalid = |message| KeyFileError::Invalid { file: file.to_owned(), message };
    let text = text(file)?;
    // The message alone: the line that toml would show holds the secret.
    let document: Document = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let brackets = error.message().contains("expected a sequence");
        let remedy = if brackets { "; write [[key]], with double brackets" } else { "" };
        invalid(format!("line {line}: {}{remedy}", error.message()))
    })?;
    let mut entries: Vec<Entry> = Vec::new();
    for table in document.key {
        let id = table.id.clone();
        let entry = check(table).map_err(|message| invalid(format!("key `{id}`: {message}")))?;
        if entries.iter().any(|other| other.key.id() == id) {
            return Err(invalid(format!("the key id `{id}` is there twice")));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        let message = "it holds no [[key]]: nobody could sign a request. `bridge32 keys add NAME --scope …` adds one";
        return Err(invalid(message.to_owned()));
    }
    Ok(entries)
}

/// The file's text, if it is for its owner alone. The mode is that of the very file that is read.
pub(super) fn text(file: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable { file: file.to_owned(), source };
    let mut opened = File::open(file).map_err(unreadable)?;
    if let Some(who) = private::exposed(&opened).map_err(unreadable)? {
        return Err(KeyFileError::Exposed { file: file.to_owned(), who });
    }
    let mut text = Zeroizing::new(String::new());
    opened.read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

fn check(table: Table) -> Result<Entry, String> {
    let secret = STANDARD.decode(table.secret.as_bytes()).map(Zeroizing::new);
    let secret = secret.map_err(|_| "its secret is not base64".to_owned())?;
    if secret.len() < MIN_SECRET {
        return Err(format!("its secret is shorter than {MIN_SECRET} bytes"));
    }
    let unusable = || "this is no key id: printable ASCII without quotes and backslashes".to_owned();
    let key = Key::new(&table.id, &secret).ok_or_else(unusable)?;
    let rate = table.rate.as_deref().map(str::parse::<Rate>).transpose().map_err(|error| format!("rate: {error}"))?;
    if table.concurrency == Some(0) {
        return Err("concurrency: 0 would let nothing through; `bridge32 keys revoke` takes a key away".to_owned());
    }
    Ok(Entry {
        key,
        owner: table.owner.unwrap_or(table.id),
        scopes: Scopes::parse(table.scopes)?,
        created: table.created.map(|value| time("created", &value)).transpose()?,
        expires: table.expires.map(|value| time("expires", &value)).transpose()?,
        limits: Limits { rate, concurrency: table.concurrency },
    })
}

/// A time of RFC 3339, as text or as TOML has it; a day alone begins at midnight UTC.
fn time(name: &str, value: &toml::Value) -> Result<Timestamp, String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    parse_time(&text).ok_or_else(|| format!("{name}: `{text}` is no time, such as \"2027-01-31T12:00:00Z\""))
}

/// The time that a value of an edited file means, if it does.
pub(super) fn time_of(value: &toml_edit::Value) -> Option<Timestamp> {
    match value {
        toml_edit::Value::String(text) => parse_time(text.value()),
        toml_edit::Value::Datetime(time) => parse_time(&time.value().to_string()),
        _ => None,
    }
}

/// The time that a text means: of RFC 3339, or a day.
fn parse_time(text: &str) -> Option<Timestamp> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    text.parse().ok().or_else(|| day().map(|day| day.timestamp()))
}

/// The time that a text means for something that is to end: so long from now (`90d`), a day, or a time.
pub fn parse_end(text: &str) -> Option<Timestamp> {
    let after = || {
        let span: Span = text.parse().ok()?;
        Some(Timestamp::now().to_zoned(TimeZone::UTC).checked_add(span).ok()?.timestamp())
    };
    parse_time(text).or_else(after)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read_text(text: &str, mode: u32) -> Result<Vec<Entry>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        read(&file).map_err(|error| error.to_string())
    }

    const GOOD: &str = "[[key]]\nid='a'\nsecret='AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='\nscopes=['read']\n";

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_to_run() {
        assert!(read_text(GOOD, 0o600).is_ok());
        for mode in [0o640, 0o604, 0o644] {
            let text = read_text(GOOD, mode).unwrap_err();
            assert!(text.contains("chmod 600 /"), "{text}");
        }
    }

    #[test]
    fn errors_name_the_key_and_do_not_show_the_secret() {
        for (more, words) in [
            ("scope=['read']", "unknown field `scope`"),
            ("rate='fast'", "key `a`: rate: `fast` is no rate"),
            ("rate='0/s'", "key `a`: rate: "),
            ("concurrency=0", "key `a`: concurrency: 0 would let nothing through"),
            ("expires='soon'", "key `a`: expires: `soon` is no time"),
            ("expires=12:00:00", "key `a`: expires: "),
        ] {
            let text = read_text(&format!("{GOOD}{more}"), 0o600).unwrap_err();
            assert!(text.contains(words) && !text.contains("AAAA"), "{text}");
        }
        assert!(read_text("[[key]]\nid='a'\nsecret='AAAA'\nscopes=[]", 0o600).unwrap_err().contains("shorter"));
        assert!(read_text(&GOOD.repeat(2), 0o600).unwrap_err().contains("there twice"));
        assert!(read_text("[key]\nid='a'", 0o600).unwrap_err().contains("[[key]], with double brackets"));
        assert!(read_text("", 0o600).unwrap_err().contains("no [[key]]"));
        assert!(!format!("{:?}", read_text(GOOD, 0o600).unwrap()).contains("AAAA"));
    }

    #[test]
    fn a_key_says_whose_it_is_until_when_it_is_good_and_how_much_may_be_asked() {
        let more = "owner='ci'\nexpires=2027-01-31T12:00:00Z\ncreated='2026-01-31'\nrate='100/s'\nconcurrency=4";
        let entry = &read_text(&format!("{GOOD}{more}"), 0o600).unwrap()[0];
        assert_eq!((entry.key.id(), entry.owner.as_str()), ("a", "ci"));
        assert_eq!(entry.expires.unwrap().to_string(), "2027-01-31T12:00:00Z");
        assert_eq!(entry.created.unwrap().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!((entry.limits.rate.unwrap().to_string().as_str(), entry.limits.concurrency), ("100/s", Some(4)));
        assert_eq!(read_text(GOOD, 0o600).unwrap()[0].owner, "a");
    }
}
