//! Where a value that makes no sense was written: which variable of the environment, or which line of which file.

use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use super::ConfigError;
use super::document::{beside, position};
use super::environment::Overlaid;

/// Adds the place to an error that names a key only. Files that have changed since, or are gone, give none.
pub(super) fn of(error: ConfigError, overlaid: &[Overlaid]) -> ConfigError {
    let ConfigError::Value { file, key, message, .. } = error else { return error };
    // The last one holds.
    if let Some(Overlaid { variable, .. }) = overlaid.iter().rfind(|overlaid| is_of(&key, &overlaid.key)) {
        return ConfigError::Environment { variable: variable.clone(), message: format!("{key}: {message}") };
    }
    let found = search(&file, &key, &mut Vec::new());
    let line = found.as_ref().map(|found| found.line);
    ConfigError::Value { file: found.map_or(file, |found| found.file), line, key, message }
}

/// Whether `key` is `table`, or a key in it.
fn is_of(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What comes closest to a key: for one that is missing, the table in which it would stand.
struct Found {
    file: PathBuf,
    line: usize,
    /// So many bytes of the key are there.
    depth: usize,
}

/// Looks into a file and what it includes, each of them once. Of two equally close the first one holds.
fn search(file: &Path, key: &str, seen: &mut Vec<PathBuf>) -> Option<Found> {
    if seen.iter().any(|one| one == file) {
        return None;
    }
    seen.push(file.to_owned());
    let text = std::fs::read_to_string(file).ok()?;
    let document = Document::parse(text.as_str()).ok()?;
    let mut best = descend(document.as_table(), key).map(|(depth, at)| Found {
        file: file.to_owned(),
        line: position(&text, at).0,
        depth,
    });
    for include in document.get("include").into_iter().flat_map(texts) {
        let include = beside(file, Path::new(include));
        let other = search(&include, key, seen);
        if other.as_ref().map(|found| found.depth) > best.as_ref().map(|found| found.depth) {
            best = other;
        }
    }
    best
}

/// How much of a key a table has, and where the last part of that begins. Names may have dots in them, so the longest counts.
fn descend(table: &dyn TableLike, key: &str) -> Option<(usize, usize)> {
    let name = table.iter().map(|(name, _)| name).filter(|name| is_of(key, name)).max_by_key(|name| name.len())?;
    let (written, item) = table.get_key_value(name)?;
    let rest = key[name.len()..].strip_prefix('.').unwrap_or_default();
    let deeper = item.as_table_like().filter(|_| !rest.is_empty()).and_then(|table| descend(table, rest));
    if let Some((depth, at)) = deeper {
        return Some((key.len() - rest.len() + depth, at));
    }
    // A table has the place of its header, if it has one of its own.
    let header = item.as_table().and_then(toml_edit::Table::span);
    Some((name.len(), header.or_else(|| written.span()).or_else(|| item.span())?.start))
}

/// A text, or a list of them.
fn texts(item: &Item) -> impl Iterator<Item = &str> {
    let many = item.as_array().into_iter().flatten().filter_map(toml_edit::Value::as_str);
    item.as_str().into_iter().chain(many)
}

#[cfg(test)]
mod tests;
