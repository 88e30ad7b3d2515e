//! Configuration from the environment: `BRIDGE32_` and the key in capitals, `__` between the parts.
//!
//! `BRIDGE32_LISTEN=127.0.0.1:9000` is `listen`, `BRIDGE32_LIBRARY__CALC__DEADLINE=2s` is `deadline` of
//! `[library.calc]`. A value is read as TOML (`["a", "b"]`, `3`) and, where that is nothing the key accepts, as text.
//! The names of libraries that the files declare are found without regard to case, and with `_` for any other sign.

use std::path::Path;

use serde::Deserialize;

use super::document::{Document, reword};
use super::{ConfigError, values};

const PREFIX: &str = "BRIDGE32_";
/// Variables of that prefix with a meaning of their own.
const OTHER: [&str; 7] = [
    "BRIDGE32_LOG",
    "BRIDGE32_CONFIG",
    "BRIDGE32_URL",
    "BRIDGE32_CACERT",
    "BRIDGE32_COMPLETE",
    "BRIDGE32_KEY_ID",
    "BRIDGE32_SECRET",
];
/// The keys of the top level.
pub(super) const KEYS: [&str; 20] = [
    "listen",
    "tls",
    "public_urls",
    "behind_proxy",
    "cors_origins",
    "max_connections",
    "data_dir",
    "max_body",
    "bulk_limit",
    "bulk_dir",
    "library_folders",
    "sensitive_names",
    "auth",
    "dashboard",
    "history",
    "metrics",
    "telemetry",
    "log",
    "library",
    "runtime",
];

/// The names of the variables that set a key of the configuration, in order.
pub fn overrides(variables: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let names = variables.into_iter().map(|(name, _)| name).filter(|name| !OTHER.contains(&name.as_str()));
    let key = |name: &String| {
        let rest = name.strip_prefix(PREFIX)?;
        let first = rest.split("__").next()?.to_ascii_lowercase();
        KEYS.contains(&first.as_str()).then_some(())
    };
    let mut names: Vec<String> = names.filter(|name| key(name).is_some()).collect();
    names.sort();
    names
}

/// A variable that sets a key.
#[derive(Debug)]
pub(super) struct Overlaid {
    /// The variable.
    pub(super) variable: String,
    /// The key, as `library.calc.deadline`.
    pub(super) key: String,
}

/// Applies the variables in the order of their names, and says which were left out of account.
///
/// # Errors
/// A variable that means a key of ours and does not fit it.
pub(super) fn apply(
    mut document: Document,
    file: &Path,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(Document, Vec<Overlaid>, Vec<String>), ConfigError> {
    let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    let (mut overlaid, mut warnings) = (Vec::new(), Vec::new());
    let directory = file.parent().unwrap_or(Path::new("."));
    for (variable, text) in variables {
        if OTHER.contains(&variable.as_str()) {
            continue;
        }
        let path: Vec<String> = variable[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
        if !KEYS.contains(&path[0].as_str()) {
            let suggestion = values::suggestion(&path[0], &KEYS);
            warnings.push(format!("environment variable {variable} is no key of the configuration{suggestion}"));
            continue;
        }
        let path = declared_name(path, &document);
        overlay(&path, &text)
            .and_then(|over| document.overlay_from(over, directory))
            .map_err(|message| ConfigError::Environment { variable: variable.clone(), message })?;
        overlaid.extend(leaves(&path.join("."), &text).map(|key| Overlaid { variable: variable.clone(), key }));
    }
    Ok((document, overlaid, warnings))
}

/// Gives `library.<name>` the spelling of the files.
fn declared_name(mut path: Vec<String>, document: &Document) -> Vec<String> {
    if path[0] == "library"
        && let Some(given) = path.get_mut(1)
    {
        let folded = |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_ascii_lowercase();
        if let Some(declared) = document.library.keys().find(|name| folded(name) == folded(given)) {
            given.clone_from(declared);
        }
    }
    path
}

fn overlay(path: &[String], text: &str) -> Result<Document, String> {
    let typed = toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"));
    let as_text = || nest(path, toml::Value::String(text.to_owned()));
    match typed.map(|value| nest(path, value)) {
        Some(Ok(document)) => Ok(document),
        Some(Err(error)) => as_text().map_err(|_| error),
        None => as_text(),
    }
}

/// The keys that a variable's text sets: those of a table one by one, because the others in that table are not the variable's.
fn leaves(key: &str, text: &str) -> impl Iterator<Item = String> {
    fn add(key: &str, value: &toml::Value, keys: &mut Vec<String>) {
        match value.as_table() {
            Some(table) => table.iter().for_each(|(name, value)| add(&format!("{key}.{name}"), value, keys)),
            None => keys.push(key.to_owned()),
        }
    }
    let table = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    let mut keys = Vec::new();
    match table.as_ref().and_then(|table| table.get("value")) {
        Some(value) => add(key, value, &mut keys),
        None => keys.push(key.to_owned()),
    }
    keys.into_iter()
}

fn nest(path: &[String], value: toml::Value) -> Result<Document, String> {
    let nested = path.iter().rev().fold(value, |inner, key| toml::Table::from_iter([(key.clone(), inner)]).into());
    Document::deserialize(nested).map_err(|error| reword(error.message()))
}
