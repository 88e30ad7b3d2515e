//! The shape of a `[library.NAME]` table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{OneOrMany, Size, replace};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct LibraryDocument {
    pub(in crate::config) file: Option<PathBuf>,
    pub(in crate::config) header: Option<OneOrMany<PathBuf>>,
    pub(in crate::config) runtime: Option<String>,
    pub(in crate::config) fallback: Option<Vec<FallbackDocument>>,
    pub(in crate::config) instances: Option<InstancesDocument>,
    pub(in crate::config) threads: Option<i64>,
    pub(in crate::config) standby: Option<i64>,
    pub(in crate::config) queue: Option<i64>,
    pub(in crate::config) startup: Option<String>,
    pub(in crate::config) deadline: Option<String>,
    pub(in crate::config) max_deadline: Option<String>,
    pub(in crate::config) drain: Option<String>,
    pub(in crate::config) recycle: RecycleDocument,
    pub(in crate::config) probe: Option<ProbeDocument>,
    pub(in crate::config) sessions: SessionsDocument,
    pub(in crate::config) idempotent: Option<Vec<String>>,
    pub(in crate::config) group: Option<String>,
    pub(in crate::config) agent: Option<OneOrMany<String>>,
    pub(in crate::config) sha256: Option<String>,
    pub(in crate::config) encoding: Option<String>,
    pub(in crate::config) lossy: Option<bool>,
    pub(in crate::config) int64: Option<String>,
    pub(in crate::config) dialect: Option<String>,
    pub(in crate::config) sensitive: Option<Vec<String>>,
    pub(in crate::config) output: Option<String>,
    pub(in crate::config) definitions: BTreeMap<String, Definition>,
}

/// `instances = 2`, or `instances = { min = 0, max = 4 }`.
#[derive(Debug)]
pub(in crate::config) enum InstancesDocument {
    Count(i64),
    Range(RangeDocument),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RangeDocument {
    pub(in crate::config) min: Option<i64>,
    pub(in crate::config) max: Option<i64>,
    pub(in crate::config) idle: Option<String>,
}

#[expect(clippy::struct_field_names, reason = "they are the keys of the table")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RecycleDocument {
    pub(in crate::config) max_memory: Option<Size>,
    pub(in crate::config) max_handles: Option<i64>,
    pub(in crate::config) max_calls: Option<i64>,
    pub(in crate::config) max_age: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct ProbeDocument {
    pub(in crate::config) function: Option<String>,
    pub(in crate::config) args: Option<toml::Value>,
    pub(in crate::config) expect: Option<toml::Value>,
    pub(in crate::config) every: Option<String>,
    pub(in crate::config) deadline: Option<String>,
    pub(in crate::config) failures: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct SessionsDocument {
    pub(in crate::config) max: Option<i64>,
    pub(in crate::config) lease: Option<String>,
    pub(in crate::config) max_lease: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct FallbackDocument {
    pub(in crate::config) file: Option<PathBuf>,
    pub(in crate::config) header: Option<OneOrMany<PathBuf>>,
    pub(in crate::config) runtime: Option<String>,
    pub(in crate::config) agent: Option<OneOrMany<String>>,
    pub(in crate::config) sha256: Option<String>,
}

/// A macro's value: text, or a number as people write it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a text or a number")]
pub(in crate::config) enum Definition {
    Text(String),
    Number(i64),
}

impl Definition {
    pub(in crate::config) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

/// By hand: of an untagged enumeration serde would not say which key of the table is unknown.
impl<'de> Deserialize<'de> for InstancesDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InstancesVisitor)
    }
}

struct InstancesVisitor;

impl<'de> Visitor<'de> for InstancesVisitor {
    type Value = InstancesDocument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a table such as { min = 0, max = 4 }")
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Self::Value, E> {
        Ok(InstancesDocument::Count(count))
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Self::Value, E> {
        Ok(InstancesDocument::Count(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
        RangeDocument::deserialize(MapAccessDeserializer::new(table)).map(InstancesDocument::Range)
    }
}

impl LibraryDocument {
    /// What `over` says replaces what is there, key by key.
    pub(super) fn overlay(&mut self, over: Self) {
        replace(&mut self.file, over.file);
        replace(&mut self.header, over.header);
        replace(&mut self.runtime, over.runtime);
        replace(&mut self.fallback, over.fallback);
        overlay_with(&mut self.instances, over.instances, InstancesDocument::overlay);
        replace(&mut self.threads, over.threads);
        replace(&mut self.standby, over.standby);
        replace(&mut self.queue, over.queue);
        replace(&mut self.startup, over.startup);
        replace(&mut self.deadline, over.deadline);
        replace(&mut self.max_deadline, over.max_deadline);
        replace(&mut self.drain, over.drain);
        self.recycle.overlay(over.recycle);
        overlay_with(&mut self.probe, over.probe, ProbeDocument::overlay);
        self.sessions.overlay(over.sessions);
        replace(&mut self.idempotent, over.idempotent);
        replace(&mut self.group, over.group);
        replace(&mut self.agent, over.agent);
        replace(&mut self.sha256, over.sha256);
        replace(&mut self.encoding, over.encoding);
        replace(&mut self.lossy, over.lossy);
        replace(&mut self.int64, over.int64);
        replace(&mut self.dialect, over.dialect);
        replace(&mut self.sensitive, over.sensitive);
        replace(&mut self.output, over.output);
        self.definitions.extend(over.definitions);
    }
}

/// [`replace`] for tables that have keys of their own.
fn overlay_with<T>(slot: &mut Option<T>, over: Option<T>, overlay: impl FnOnce(&mut T, T)) {
    match (slot, over) {
        (Some(table), Some(over)) => overlay(table, over),
        (slot, over) => replace(slot, over),
    }
}

impl InstancesDocument {
    /// A number takes the place of a table; a table's keys are put over a number, which is both of its ends.
    fn overlay(&mut self, over: Self) {
        let Self::Range(over) = over else { return *self = over };
        let table = match self {
            Self::Range(table) => std::mem::take(table),
            Self::Count(count) => RangeDocument { min: Some(*count), max: Some(*count), idle: None },
        };
        let (min, max, idle) = (over.min.or(table.min), over.max.or(table.max), over.idle.or(table.idle));
        *self = Self::Range(RangeDocument { min, max, idle });
    }
}

impl RecycleDocument {
    fn overlay(&mut self, over: Self) {
        replace(&mut self.max_memory, over.max_memory);
        replace(&mut self.max_handles, over.max_handles);
        replace(&mut self.max_calls, over.max_calls);
        replace(&mut self.max_age, over.max_age);
    }
}

impl ProbeDocument {
    fn overlay(&mut self, over: Self) {
        replace(&mut self.function, over.function);
        replace(&mut self.expect, over.expect);
        replace(&mut self.every, over.every);
        replace(&mut self.deadline, over.deadline);
        replace(&mut self.failures, over.failures);
        match (&mut self.args, over.args) {
            (Some(toml::Value::Table(args)), Some(toml::Value::Table(over))) => args.extend(over),
            (args, over) => replace(args, over),
        }
    }
}

impl SessionsDocument {
    fn overlay(&mut self, over: Self) {
        replace(&mut self.max, over.max);
        replace(&mut self.lease, over.lease);
        replace(&mut self.max_lease, over.max_lease);
    }
}
