//! What a table says of how its library is run, checked.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{Instances, Probe, Recycle, Running, SessionLimits};
use crate::config::document::{
    InstancesDocument, LibraryDocument, ProbeDocument, RangeDocument, RecycleDocument, SessionsDocument, Size,
};
use crate::config::{ConfigError, Context, values};

/// Whoever needs more needs more machines.
const MAX_INSTANCES: i64 = 64;
/// The stack of each takes some of the 4 GiB that a 32-bit process can address.
const MAX_THREADS: i64 = 64;
const MAX_STANDBY: i64 = 16;
/// Calls of one library that run at a time, in all of its processes.
const MAX_LANES: u32 = 1024;
const MAX_QUEUE: i64 = 100_000;
const MAX_SESSIONS: i64 = 100_000;
/// What a process of an agent has when it has just started is below these.
const LEAST_MEMORY: u64 = 16 << 20;
const LEAST_HANDLES: i64 = 64;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(720);
const MOMENT: Duration = Duration::from_millis(1);

/// What libraries that share a process have to agree in; `None` where a table says nothing.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Process {
    pub(in crate::config) instances: Option<Instances>,
    pub(in crate::config) standby: Option<u32>,
    pub(in crate::config) startup: Option<Duration>,
    pub(in crate::config) drain: Option<Duration>,
    pub(in crate::config) recycle: Recycle,
}

/// The keys of one table.
#[derive(Clone, Copy)]
struct Table<'a> {
    context: &'a Context<'a>,
    name: &'a str,
}

impl Context<'_> {
    /// What a table says of its library's process.
    pub(in crate::config) fn process(&self, name: &str, table: &LibraryDocument) -> Result<Process, ConfigError> {
        let keys = Table { context: self, name };
        if table.agent.is_some() {
            keys.started_by_others(table)?;
        }
        Ok(Process {
            instances: table.instances.as_ref().map(|instances| keys.instances(instances)).transpose()?,
            standby: keys.number("standby", table.standby, 0..=MAX_STANDBY)?,
            startup: keys.duration("startup", table.startup.as_deref(), SECOND..=HOUR)?,
            drain: keys.duration("drain", table.drain.as_deref(), MOMENT..=DAY)?,
            recycle: keys.recycle(&table.recycle)?,
        })
    }

    /// How a library is run, `process` being what is agreed upon among those of its process.
    pub(in crate::config) fn running(
        &self,
        name: &str,
        table: &LibraryDocument,
        process: &Process,
        deadline: Duration,
    ) -> Result<Running, ConfigError> {
        let keys = Table { context: self, name };
        let default = Running::default();
        let running = Running {
            instances: process.instances.unwrap_or_else(|| external(table).unwrap_or_default()),
            threads: keys.number("threads", table.threads, 1..=MAX_THREADS)?.unwrap_or(default.threads),
            standby: process.standby.unwrap_or(default.standby),
            queue: keys.number("queue", table.queue, 1..=MAX_QUEUE)?.unwrap_or(default.queue),
            startup: process.startup.unwrap_or(default.startup),
            max_deadline: keys.max_deadline(table.max_deadline.as_deref(), deadline)?,
            recycle: process.recycle,
            probe: table.probe.as_ref().map(|probe| keys.probe(probe)).transpose()?,
            idempotent: table.idempotent.clone().unwrap_or_default(),
            drain: process.drain.unwrap_or(default.drain),
            sessions: keys.sessions(&table.sessions)?,
        };
        let Running { instances, standby, threads, .. } = running;
        let lanes = (instances.max + standby) * threads;
        if lanes > MAX_LANES {
            let message = format!(
                "{threads} threads in each of up to {} processes are {lanes} calls at a time, and {MAX_LANES} are possible: \
                 write less here, in `instances` or in `standby`",
                instances.max + standby
            );
            return Err(keys.wrong("threads", message));
        }
        Ok(running)
    }
}

/// Of agents that others start there are as many as are named.
fn external(table: &LibraryDocument) -> Option<Instances> {
    let count = u32::try_from(table.agent.as_ref()?.as_slice().len()).unwrap_or(u32::MAX);
    Some(Instances { min: count, max: count, ..Instances::default() })
}

impl Table<'_> {
    fn wrong(self, key: &str, message: impl Into<String>) -> ConfigError {
        self.context.wrong(format!("library.{}.{key}", self.name), message)
    }

    fn started_by_others(self, table: &LibraryDocument) -> Result<(), ConfigError> {
        let stated = [("instances", table.instances.is_some()), ("standby", table.standby.is_some())];
        match stated.into_iter().find(|(_, stated)| *stated) {
            None => Ok(()),
            Some((key, _)) => {
                let text = "is for agents that the gateway starts: of those that somebody else starts, list as many in \
                            `agent` as there are";
                Err(self.wrong(key, text))
            }
        }
    }

    fn number<T: TryFrom<i64>>(
        self,
        key: &str,
        value: Option<i64>,
        range: RangeInclusive<i64>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        let fits = range.contains(&value).then(|| T::try_from(value).ok()).flatten();
        let bounds = match *range.end() {
            i64::MAX => format!("at least {}", range.start()),
            end => format!("from {} to {end}", range.start()),
        };
        fits.map(Some).ok_or_else(|| self.wrong(key, format!("{value} is not possible: write a number {bounds}")))
    }

    fn duration(
        self,
        key: &str,
        text: Option<&str>,
        range: RangeInclusive<Duration>,
    ) -> Result<Option<Duration>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        let duration = values::duration(text).map_err(|message| self.wrong(key, message))?;
        let bound = |what: &str, bound: &Duration| {
            self.wrong(key, format!("`{text}` is too {what} \"{}\"", values::shown(*bound)))
        };
        if duration < *range.start() {
            return Err(bound("short: at least", range.start()));
        }
        if duration > *range.end() {
            return Err(bound("long: at most", range.end()));
        }
        Ok(Some(duration))
    }

    fn instances(self, document: &InstancesDocument) -> Result<Instances, ConfigError> {
        let never = "0 would never run the library: { min = 0, max = 1 } loads it when somebody calls";
        let default = Instances::default();
        let table = match document {
            InstancesDocument::Count(0) => return Err(self.wrong("instances", never)),
            InstancesDocument::Count(count) => {
                let count = self.number("instances", Some(*count), 1..=MAX_INSTANCES)?.unwrap_or(default.max);
                return Ok(Instances { min: count, max: count, ..default });
            }
            InstancesDocument::Range(table) => table,
        };
        let RangeDocument { min, max, idle } = table;
        let (min, max) = (
            self.number::<u32>("instances.min", *min, 0..=MAX_INSTANCES)?,
            self.number::<u32>("instances.max", *max, 0..=MAX_INSTANCES)?,
        );
        let idle = self.duration("instances.idle", idle.as_deref(), SECOND..=MONTH)?;
        let (min, max) = match (min, max) {
            (_, Some(0)) => return Err(self.wrong("instances.max", never)),
            (Some(min), Some(max)) if min > max => {
                let text = format!("{min} is more than `max`, which is {max}: write at most that, or raise `max`");
                return Err(self.wrong("instances.min", text));
            }
            (Some(min), Some(max)) => (min, max),
            (Some(min), None) => (min, min.max(default.max)),
            (None, Some(max)) => (max.min(default.min), max),
            (None, None) => (default.min, default.max),
        };
        Ok(Instances { min, max, idle: idle.unwrap_or(default.idle) })
    }

    fn recycle(self, table: &RecycleDocument) -> Result<Recycle, ConfigError> {
        let max_memory = match &table.max_memory {
            None => None,
            Some(Size::Bytes(bytes)) => Some(*bytes),
            Some(Size::Text(text)) => {
                Some(values::size(text).map_err(|message| self.wrong("recycle.max_memory", message))?)
            }
        };
        if let Some(bytes) = max_memory.filter(|bytes| *bytes < LEAST_MEMORY) {
            let text = format!(
                "{bytes} bytes are less than a process has when it starts: it would be replaced all the time. Write at \
                 least \"16MiB\""
            );
            return Err(self.wrong("recycle.max_memory", text));
        }
        Ok(Recycle {
            max_memory,
            max_handles: self.number("recycle.max_handles", table.max_handles, LEAST_HANDLES..=i64::MAX)?,
            max_calls: self.number("recycle.max_calls", table.max_calls, 1..=i64::MAX)?,
            max_age: self.duration("recycle.max_age", table.max_age.as_deref(), SECOND..=Duration::MAX)?,
        })
    }

    fn max_deadline(self, text: Option<&str>, deadline: Duration) -> Result<Duration, ConfigError> {
        let stated = self.duration("max_deadline", text, MOMENT..=Duration::MAX)?;
        if stated.is_some_and(|stated| stated < deadline) {
            let text = format!(
                "is less than `deadline`, which is \"{}\": a request that asks for nothing has that",
                values::shown(deadline)
            );
            return Err(self.wrong("max_deadline", text));
        }
        Ok(stated.unwrap_or(deadline))
    }

    fn probe(self, table: &ProbeDocument) -> Result<Probe, ConfigError> {
        const EVERY: Duration = Duration::from_secs(30);
        const DEADLINE: Duration = Duration::from_secs(2);
        let every = self.duration("probe.every", table.every.as_deref(), SECOND..=DAY)?.unwrap_or(EVERY);
        let deadline = self.duration("probe.deadline", table.deadline.as_deref(), MOMENT..=HOUR)?;
        if deadline.is_some_and(|deadline| deadline > every) {
            let text = format!(
                "is more than `every`, which is \"{}\": one has to end before the next one begins",
                values::shown(every)
            );
            return Err(self.wrong("probe.deadline", text));
        }
        let function = table.function.clone().filter(|name| !name.is_empty());
        Ok(Probe {
            function: function.ok_or_else(|| self.wrong("probe.function", "is missing: which one is called?"))?,
            args: self.arguments(table.args.as_ref())?,
            expect: table.expect.clone().map(json),
            every,
            deadline: deadline.unwrap_or(DEADLINE.min(every)),
            failures: self.number("probe.failures", table.failures, 1..=100)?.unwrap_or(3),
        })
    }

    /// A table, or the text of a JSON object: TOML has no null.
    fn arguments(self, args: Option<&toml::Value>) -> Result<String, ConfigError> {
        let object = match args {
            None => Some(Map::new()),
            Some(toml::Value::String(text)) => serde_json::from_str(text).ok(),
            Some(value) => match json(value.clone()) {
                Value::Object(object) => Some(object),
                _ => None,
            },
        };
        let shape = "is no object: write { port = 1 }, or a text with JSON such as '{\"port\": 1}'";
        object.map(|object| Value::Object(object).to_string()).ok_or_else(|| self.wrong("probe.args", shape))
    }

    fn sessions(self, table: &SessionsDocument) -> Result<SessionLimits, ConfigError> {
        let default = SessionLimits::default();
        let lease = self.duration("sessions.lease", table.lease.as_deref(), SECOND..=MONTH)?;
        let max_lease = self.duration("sessions.max_lease", table.max_lease.as_deref(), SECOND..=MONTH)?;
        if let (Some(lease), Some(max_lease)) = (lease, max_lease)
            && lease > max_lease
        {
            let text = format!("is more than `max_lease`, which is \"{}\"", values::shown(max_lease));
            return Err(self.wrong("sessions.lease", text));
        }
        // What is not said goes by what is.
        let max_lease = max_lease.unwrap_or_else(|| default.max_lease.max(lease.unwrap_or_default()));
        Ok(SessionLimits {
            max: self.number("sessions.max", table.max, 0..=MAX_SESSIONS)?.unwrap_or(default.max),
            lease: lease.unwrap_or(default.lease.min(max_lease)),
            max_lease,
        })
    }
}

/// TOML as JSON: what it has more is written as calls write it (`"NaN"`, `"Infinity"`), or as the text that it is (dates).
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) if number.is_nan() => "NaN".into(),
        toml::Value::Float(number) if number.is_infinite() => {
            if number > 0.0 { "Infinity" } else { "-Infinity" }.into()
        }
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}
