//! docs/configuration.md has every key, says of each what a reload does, and its examples are configurations.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::changes::Extent;
use super::super::changes::settings::{self, Applies};
use super::super::document::{
    Document, FallbackDocument, LibraryDocument, ProbeDocument, RangeDocument, RecycleDocument, RuntimeDocument,
    SessionsDocument,
};
use super::super::environment::KEYS;
use super::*;

const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"));

/// The keys of a table: serde names them all where it finds another one.
fn keys_of<'de, T: Deserialize<'de> + std::fmt::Debug>() -> Vec<String> {
    let wrong = toml::Table::from_iter([("?".to_owned(), toml::Value::Boolean(true))]);
    let error = T::deserialize(wrong).unwrap_err().to_string();
    let keys: Vec<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(error.starts_with("unknown field `?`") && !keys.is_empty(), "{error}");
    keys
}

/// A key of the document, from the name of its table on, and its cells behind it.
type Rows<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// The rows of the tables of keys below that heading, up to the next one of the same level.
fn rows(heading: &str) -> Rows<'static> {
    let level = heading.split(' ').next().unwrap();
    let section = TEXT.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("no “{heading}”"));
    let section = section.split(&format!("\n{level} ")).next().unwrap();
    let mut rows = Rows::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (key, rest) = line.split_once('`').unwrap();
        let cells: Vec<&str> = rest.split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{line}");
        assert!(rows.insert(key, cells).is_none(), "`{key}` is there twice");
    }
    rows
}

#[track_caller]
fn assert_documented(heading: &str, keys: &[String]) {
    let rows = rows(heading);
    for key in keys {
        assert!(rows.contains_key(key.as_str()), "docs/configuration.md, “{heading}”, has no row for `{key}`");
    }
    let unknown: Vec<_> = rows.keys().filter(|row| !keys.iter().any(|key| key == *row)).collect();
    assert!(unknown.is_empty(), "docs/configuration.md, “{heading}”, has rows for what is no key: {unknown:?}");
}

/// The keys of a table, under its name.
fn within<'de, T: Deserialize<'de> + std::fmt::Debug>(table: &str) -> impl Iterator<Item = String> {
    keys_of::<T>().into_iter().map(move |key| format!("{table}.{key}"))
}

#[test]
fn every_key_has_a_row() {
    let tables = ["tls", "auth", "dashboard", "history", "metrics", "telemetry", "log", "library", "runtime"];
    let mut keys: Vec<String> = keys_of::<Document>();
    keys.retain(|key| !tables.contains(&key.as_str()));
    keys.extend(within::<super::super::document::TlsDocument>("tls"));
    keys.extend(within::<super::super::document::AuthDocument>("auth"));
    keys.extend(within::<super::super::document::DashboardDocument>("dashboard"));
    keys.extend(within::<super::super::document::HistoryDocument>("history"));
    keys.extend(within::<super::super::document::MetricsDocument>("metrics"));
    keys.extend(within::<super::super::document::TelemetryDocument>("telemetry"));
    keys.extend(within::<super::super::document::LogDocument>("log"));
    assert_documented("## The gateway", &keys);
    assert_documented("## Runtimes", &keys_of::<RuntimeDocument>());
    let mut keys = keys_of::<LibraryDocument>();
    keys.retain(|key| !["recycle", "probe", "sessions"].contains(&key.as_str()));
    keys.extend(within::<RangeDocument>("instances"));
    keys.extend(within::<RecycleDocument>("recycle"));
    keys.extend(within::<ProbeDocument>("probe"));
    keys.extend(within::<SessionsDocument>("sessions"));
    keys.extend(within::<FallbackDocument>("fallback"));
    assert_documented("## Libraries", &keys);
}

#[test]
fn every_key_but_the_includes_can_come_from_the_environment() {
    let keys = keys_of::<Document>();
    assert_eq!(keys.iter().filter(|key| *key != "include").collect::<Vec<_>>(), KEYS.iter().collect::<Vec<_>>());
}

#[test]
fn what_a_reload_does_is_what_the_rows_say() {
    let reload = |rows: &Rows, key: &str| rows.get(key).unwrap_or_else(|| panic!("no row for `{key}`"))[3].to_owned();
    let config = load_text("[library.a]\nfile='a'\n[runtime.win32]\ncommand=['a']").unwrap();
    let gateway = rows("## The gateway");
    for setting in settings::of_gateway(&config) {
        let expected = match setting.takes {
            // Each library says what a change of them takes.
            Applies::AtOnce if setting.key == "sensitive_names" => "header",
            Applies::AtOnce => "now",
            Applies::AtRestart => "restart",
        };
        assert_eq!(reload(&gateway, setting.key), expected, "{}", setting.key);
    }
    let libraries = rows("## Libraries");
    for setting in settings::of_library(&config.libraries["a"]) {
        let expected = match setting.takes {
            Extent::Settings => "now",
            Extent::Pool => "pool",
            Extent::Interface => "header",
            Extent::Processes => "new",
        };
        match setting.key {
            "sensitive_names" => assert_eq!(reload(&gateway, setting.key), expected),
            "probe" => assert_eq!(reload(&libraries, "probe.function"), expected),
            key => assert_eq!(reload(&libraries, key), expected, "{key}"),
        }
    }
    for setting in settings::of_runtime(&config.runtimes[&Target::Win32]).iter().filter(|it| it.key != "directory") {
        assert_eq!(reload(&rows("## Runtimes"), setting.key), "new", "{}", setting.key);
    }
}

/// The examples: what stands between ```` ```toml ```` and ```` ``` ````.
fn examples() -> Vec<&'static str> {
    TEXT.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The keys of an example, and their values as TOML. Tables whose names are the user's own are one value.
fn leaves(prefix: &str, table: &toml::Table, leaves: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(table) if !["definitions", "env", "args", "headers"].contains(&key.as_str()) => {
                self::leaves(&path, table, leaves);
            }
            value => leaves.push((path, value.to_string())),
        }
    }
}

#[test]
fn the_examples_load_and_mean_the_same_when_they_come_from_the_environment() {
    let examples = examples();
    assert_eq!(examples.len(), 6);
    for example in examples {
        let example = example.replace("include         = [\"more.toml\"]\n", "");
        let (_folder, main) = written(&[("bridge32.toml", &example)]);
        let of_file = load(&main, []).unwrap_or_else(|error| panic!("{error}\n{example}"));
        let mut keys = Vec::new();
        leaves("", &toml::from_str(&example).unwrap(), &mut keys);
        std::fs::write(&main, "").unwrap();
        let variable = |key: &str| format!("BRIDGE32_{}", key.replace('.', "__").to_ascii_uppercase());
        let variables: Vec<_> = keys.into_iter().map(|(key, value)| (variable(&key), value)).collect();
        let of_environment = load(&main, variables).unwrap_or_else(|error| panic!("{error}\n{example}"));
        assert_eq!(of_environment.warnings, Vec::<String>::new());
        assert_eq!(format!("{:?}", of_environment.config), format!("{:?}", of_file.config));
    }
}

#[test]
fn the_examples_have_every_key() {
    let mut shown = Vec::new();
    for example in examples() {
        leaves("", &toml::from_str(example).unwrap(), &mut shown);
    }
    let shown: Vec<&str> = shown.iter().map(|(key, _)| key.as_str()).collect();
    let keys = ["## The gateway", "## Runtimes", "## Libraries"].map(rows);
    for key in keys.iter().flat_map(|rows| rows.keys()) {
        let is_shown = |path: &&str| *path == *key || path.ends_with(&format!(".{key}"));
        // A number or a table; entries of a list.
        let is_part = *key == "instances" || key.starts_with("fallback.");
        assert!(is_part || shown.iter().any(is_shown), "no example has `{key}`");
    }
}
