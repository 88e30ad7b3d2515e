//! The shape of a configuration file, its includes, and where in it something is wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, values};

mod library;
mod paths;

pub(super) use library::{
    FallbackDocument, InstancesDocument, LibraryDocument, ProbeDocument, RangeDocument, RecycleDocument,
    SessionsDocument,
};

/// What one file, or several together, say. Paths are absolute once [`read`] is done.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub(super) include: Vec<PathBuf>,
    pub(super) listen: Option<OneOrMany<String>>,
    pub(super) tls: TlsDocument,
    pub(super) public_urls: Option<OneOrMany<String>>,
    pub(super) behind_proxy: Option<bool>,
    pub(super) cors_origins: Option<OneOrMany<String>>,
    pub(super) max_connections: Option<usize>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) max_body: Option<Size>,
    pub(super) bulk_limit: Option<Size>,
    pub(super) bulk_dir: Option<PathBuf>,
    pub(super) library_folders: Option<Vec<PathBuf>>,
    pub(super) sensitive_names: Option<Vec<String>>,
    pub(super) auth: AuthDocument,
    pub(super) dashboard: DashboardDocument,
    pub(super) history: HistoryDocument,
    pub(super) metrics: MetricsDocument,
    pub(super) telemetry: TelemetryDocument,
    pub(super) log: LogDocument,
    pub(super) library: BTreeMap<String, LibraryDocument>,
    pub(super) runtime: BTreeMap<String, RuntimeDocument>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsDocument {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthDocument {
    pub(super) mode: Option<String>,
    pub(super) keys_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DashboardDocument {
    pub(super) password: Option<String>,
    pub(super) session: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HistoryDocument {
    pub(super) keep_outcomes: Option<String>,
    pub(super) max_outcomes: Option<u64>,
    pub(super) max_size: Option<Size>,
    pub(super) durability: Option<String>,
    pub(super) url: Option<String>,
    pub(super) keep_calls: Option<String>,
    pub(super) max_calls_size: Option<Size>,
    pub(super) max_text: Option<Size>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsDocument {
    pub(super) token_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TelemetryDocument {
    pub(super) endpoint: Option<String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) sample_ratio: Option<f64>,
    pub(super) service_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogDocument {
    pub(super) format: Option<String>,
    pub(super) level: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuntimeDocument {
    pub(super) command: Option<Vec<String>>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) paths: Option<String>,
    /// Where the table stands; not a key of the file.
    #[serde(skip)]
    pub(super) directory: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }

    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number of bytes, or a text such as \"64MiB\"")]
pub(super) enum Size {
    Bytes(u64),
    Text(String),
}

/// Reads a file and everything that it includes.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub(super) fn read(file: &Path) -> Result<Document, ConfigError> {
    let mut seen = Vec::new();
    read_into(file, &mut seen)
}

fn read_into(file: &Path, seen: &mut Vec<PathBuf>) -> Result<Document, ConfigError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
    let mut document: Document = toml::from_str(&text).map_err(|error| syntax(file, &text, &error))?;
    let directory = file.parent().unwrap_or(Path::new("."));
    document.resolve(directory).map_err(|(key, message)| value(file, &key, message))?;
    seen.push(file.to_owned());
    for include in std::mem::take(&mut document.include) {
        if seen.contains(&include) {
            return Err(value(file, "include", format!("{} is included twice", include.display())));
        }
        let included = read_into(&include, seen)?;
        document.join(included, file, &include)?;
    }
    Ok(document)
}

fn value(file: &Path, key: &str, message: String) -> ConfigError {
    ConfigError::Value { file: file.to_owned(), line: None, key: key.to_owned(), message }
}

/// The place and the words of a TOML error; an unknown key gets what may have been meant.
fn syntax(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let (line, column) = position(text, error.span().map_or(0, |span| span.start));
    ConfigError::Syntax { file: file.to_owned(), line, column, message: reword(error.message()) }
}

/// The line and column of a byte, 1 is the first.
pub(super) fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// serde says "unknown field `x`, expected one of `a`, `b`"; people look for a key.
pub(super) fn reword(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown field"), quoted.next()) {
        (true, Some(wrong)) => {
            let known: Vec<&str> = quoted.collect();
            format!("unknown key `{wrong}`{}", values::suggestion(wrong, &known))
        }
        _ => format!("{}{}", message.trim().replace('\n', "; "), remedy(message)),
    }
}

/// What to write instead, for the mistakes that nearly everybody makes once.
fn remedy(message: &str) -> &'static str {
    if message.contains("escape") {
        r#". In "…" a backslash is doubled ("C:\\windows"), in '…' it stands for itself ('C:\windows')"#
    } else if message.contains("expected a string") {
        r#". Put it in quotes, as in deadline = "30s""#
    } else {
        ""
    }
}

/// The file that `include` of another one means.
pub(super) fn beside(file: &Path, include: &Path) -> PathBuf {
    paths::absolute(file.parent().unwrap_or(Path::new(".")), include)
}

impl Document {
    /// Adds what an included file says; nothing may be said twice.
    fn join(&mut self, other: Self, file: &Path, included: &Path) -> Result<(), ConfigError> {
        let twice = |key: &str| value(included, key, format!("is said in {} too", file.display()));
        let both = [
            ("listen", self.listen.is_some() && other.listen.is_some()),
            ("tls.certificate", self.tls.certificate.is_some() && other.tls.certificate.is_some()),
            ("tls.key", self.tls.key.is_some() && other.tls.key.is_some()),
            ("public_urls", self.public_urls.is_some() && other.public_urls.is_some()),
            ("behind_proxy", self.behind_proxy.is_some() && other.behind_proxy.is_some()),
            ("cors_origins", self.cors_origins.is_some() && other.cors_origins.is_some()),
            ("max_connections", self.max_connections.is_some() && other.max_connections.is_some()),
            ("data_dir", self.data_dir.is_some() && other.data_dir.is_some()),
            ("max_body", self.max_body.is_some() && other.max_body.is_some()),
            ("bulk_limit", self.bulk_limit.is_some() && other.bulk_limit.is_some()),
            ("bulk_dir", self.bulk_dir.is_some() && other.bulk_dir.is_some()),
            ("library_folders", self.library_folders.is_some() && other.library_folders.is_some()),
            ("sensitive_names", self.sensitive_names.is_some() && other.sensitive_names.is_some()),
            ("auth.mode", self.auth.mode.is_some() && other.auth.mode.is_some()),
            ("auth.keys_file", self.auth.keys_file.is_some() && other.auth.keys_file.is_some()),
            ("dashboard.password", self.dashboard.password.is_some() && other.dashboard.password.is_some()),
            ("dashboard.session", self.dashboard.session.is_some() && other.dashboard.session.is_some()),
            ("history.keep_outcomes", self.history.keep_outcomes.is_some() && other.history.keep_outcomes.is_some()),
            ("history.max_outcomes", self.history.max_outcomes.is_some() && other.history.max_outcomes.is_some()),
            ("history.max_size", self.history.max_size.is_some() && other.history.max_size.is_some()),
            ("history.durability", self.history.durability.is_some() && other.history.durability.is_some()),
            ("history.url", self.history.url.is_some() && other.history.url.is_some()),
            ("history.keep_calls", self.history.keep_calls.is_some() && other.history.keep_calls.is_some()),
            ("history.max_calls_size", self.history.max_calls_size.is_some() && other.history.max_calls_size.is_some()),
            ("history.max_text", self.history.max_text.is_some() && other.history.max_text.is_some()),
            ("metrics.token_file", self.metrics.token_file.is_some() && other.metrics.token_file.is_some()),
            ("telemetry.endpoint", self.telemetry.endpoint.is_some() && other.telemetry.endpoint.is_some()),
            ("telemetry.headers", !self.telemetry.headers.is_empty() && !other.telemetry.headers.is_empty()),
            ("telemetry.sample_ratio", self.telemetry.sample_ratio.is_some() && other.telemetry.sample_ratio.is_some()),
            ("telemetry.service_name", self.telemetry.service_name.is_some() && other.telemetry.service_name.is_some()),
            ("log.format", self.log.format.is_some() && other.log.format.is_some()),
            ("log.level", self.log.level.is_some() && other.log.level.is_some()),
        ];
        if let Some((key, _)) = both.into_iter().find(|(_, both)| *both) {
            return Err(twice(key));
        }
        if let Some(name) = other.library.keys().find(|name| self.library.contains_key(*name)) {
            return Err(twice(&format!("library.{name}")));
        }
        if let Some(name) = other.runtime.keys().find(|name| self.runtime.contains_key(*name)) {
            return Err(twice(&format!("runtime.{name}")));
        }
        self.overlay(other);
        Ok(())
    }

    /// What `over` says replaces what is there, key by key.
    pub(super) fn overlay(&mut self, over: Self) {
        replace(&mut self.listen, over.listen);
        replace(&mut self.tls.certificate, over.tls.certificate);
        replace(&mut self.tls.key, over.tls.key);
        replace(&mut self.public_urls, over.public_urls);
        replace(&mut self.behind_proxy, over.behind_proxy);
        replace(&mut self.cors_origins, over.cors_origins);
        replace(&mut self.max_connections, over.max_connections);
        replace(&mut self.data_dir, over.data_dir);
        replace(&mut self.max_body, over.max_body);
        replace(&mut self.bulk_limit, over.bulk_limit);
        replace(&mut self.bulk_dir, over.bulk_dir);
        replace(&mut self.library_folders, over.library_folders);
        replace(&mut self.sensitive_names, over.sensitive_names);
        replace(&mut self.auth.mode, over.auth.mode);
        replace(&mut self.auth.keys_file, over.auth.keys_file);
        replace(&mut self.dashboard.password, over.dashboard.password);
        replace(&mut self.dashboard.session, over.dashboard.session);
        replace(&mut self.history.keep_outcomes, over.history.keep_outcomes);
        replace(&mut self.history.max_outcomes, over.history.max_outcomes);
        replace(&mut self.history.max_size, over.history.max_size);
        replace(&mut self.history.durability, over.history.durability);
        replace(&mut self.history.url, over.history.url);
        replace(&mut self.history.keep_calls, over.history.keep_calls);
        replace(&mut self.history.max_calls_size, over.history.max_calls_size);
        replace(&mut self.history.max_text, over.history.max_text);
        replace(&mut self.metrics.token_file, over.metrics.token_file);
        replace(&mut self.telemetry.endpoint, over.telemetry.endpoint);
        self.telemetry.headers.extend(over.telemetry.headers);
        replace(&mut self.telemetry.sample_ratio, over.telemetry.sample_ratio);
        replace(&mut self.telemetry.service_name, over.telemetry.service_name);
        replace(&mut self.log.format, over.log.format);
        replace(&mut self.log.level, over.log.level);
        for (name, table) in over.library {
            self.library.entry(name).or_default().overlay(table);
        }
        for (name, table) in over.runtime {
            self.runtime.entry(name).or_default().overlay(table);
        }
    }

    /// [`Document::overlay`] for what stands outside of files: paths are relative to the main one.
    ///
    /// # Errors
    /// A path that is none.
    pub(super) fn overlay_from(&mut self, mut over: Self, directory: &Path) -> Result<(), String> {
        over.resolve(directory).map_err(|(key, message)| format!("{key}: {message}"))?;
        self.overlay(over);
        Ok(())
    }
}

impl RuntimeDocument {
    fn overlay(&mut self, over: Self) {
        replace(&mut self.command, over.command);
        replace(&mut self.paths, over.paths);
        replace(&mut self.directory, over.directory);
        self.env.extend(over.env);
    }
}

fn replace<T>(slot: &mut Option<T>, over: Option<T>) {
    if over.is_some() {
        *slot = over;
    }
}
