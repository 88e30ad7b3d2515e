//! Every key of a configuration as it counts, defaults included: its text, and what a change of it takes. Who adds a key to
//! one of the structures adds it here; the compiler asks for it.

use std::fmt::{Debug, Display};
use std::path::{Path, PathBuf};

use bridge32_interface::sensitive::Marks;
use bridge32_protocol::interface::{Encoding, Int64};

use super::super::{
    AuthConfig, Config, DEFAULT_DEADLINE, DashboardConfig, Fallback, HistoryConfig, Instances, LibraryConfig,
    Listeners, LogConfig, MetricsConfig, Output, Probe, Recycle, Running, RuntimeConfig, SessionLimits,
    TelemetryConfig, values,
};
use super::Extent;
use crate::auth::sessions::Password;

/// A key with its value.
pub(in crate::config) struct Setting<T> {
    pub(in crate::config) key: &'static str,
    /// What a change of it takes.
    pub(in crate::config) takes: T,
    /// Two values are the same if these are.
    pub(super) value: String,
    /// The value may be a secret, or have one: it stands in no text.
    pub(super) is_secret: bool,
}

/// When a key of the gateway itself comes into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Applies {
    /// As soon as the configuration is read again.
    AtOnce,
    /// When the gateway is started again.
    AtRestart,
}

fn setting<T>(key: &'static str, takes: T, value: impl Display) -> Setting<T> {
    Setting { key, takes, value: value.to_string(), is_secret: false }
}

fn secret<T>(key: &'static str, takes: T, value: impl Debug) -> Setting<T> {
    Setting { key, takes, value: format!("{value:?}"), is_secret: true }
}

/// The keys that are no library's and no runtime's.
pub(in crate::config) fn of_gateway(config: &Config) -> Vec<Setting<Applies>> {
    use Applies::{AtOnce, AtRestart};
    // Libraries and runtimes are compared one by one; both configurations are of the same file.
    let Config {
        file: _,
        libraries: _,
        runtimes: _,
        listeners,
        data_dir,
        max_body,
        bulk_limit,
        bulk_dir,
        library_folders,
        sensitive_names,
        auth,
        dashboard,
        history,
        metrics,
        telemetry,
        log,
    } = config;
    let Listeners { listen, tls, public_urls, behind_proxy, cors_origins, max_connections } = listeners;
    let DashboardConfig { password, session } = dashboard;
    let HistoryConfig { durability, url, keep_calls, max_calls_size, max_text, keep_outcomes, max_outcomes, max_size } =
        history;
    let MetricsConfig { token_file } = metrics;
    let TelemetryConfig { endpoint, headers, sample_ratio, service_name } = telemetry;
    let LogConfig { format, level } = log;
    let (mode, keys_file) = match auth {
        AuthConfig::Off => ("off", None),
        AuthConfig::Hmac { keys_file } => ("hmac", Some(keys_file)),
    };
    let folders = library_folders.as_ref().map(|folders| list(folders.iter().map(|folder| quoted(folder.display()))));
    vec![
        setting("listen", AtRestart, list(listen.iter().map(quoted))),
        setting("tls.certificate", AtRestart, path(tls.as_ref().map(|tls| tls.certificate.as_path()))),
        setting("tls.key", AtRestart, path(tls.as_ref().map(|tls| tls.key.as_path()))),
        setting("public_urls", AtRestart, list(public_urls.iter().map(quoted))),
        setting("behind_proxy", AtRestart, behind_proxy),
        setting("cors_origins", AtRestart, list(cors_origins.iter().map(quoted))),
        setting("max_connections", AtRestart, max_connections),
        setting("data_dir", AtRestart, path(Some(data_dir))),
        setting("max_body", AtOnce, format!("{max_body} bytes")),
        setting("bulk_limit", AtOnce, format!("{bulk_limit} bytes")),
        setting("bulk_dir", AtRestart, path(bulk_dir.as_deref())),
        setting("library_folders", AtOnce, or_none(folders)),
        setting("sensitive_names", AtOnce, list(sensitive_names.iter().map(quoted))),
        setting("auth.mode", AtRestart, quoted(mode)),
        setting("auth.keys_file", AtOnce, path(keys_file.map(PathBuf::as_path))),
        secret("dashboard.password", AtOnce, password.as_ref().map(Password::as_phc)),
        setting("dashboard.session", AtOnce, time(*session)),
        setting("history.durability", AtRestart, quoted(durability.name())),
        secret("history.url", AtRestart, url),
        setting("history.keep_calls", AtRestart, time(*keep_calls)),
        setting("history.max_calls_size", AtRestart, format!("{max_calls_size} bytes")),
        setting("history.max_text", AtRestart, format!("{max_text} bytes")),
        setting("history.keep_outcomes", AtRestart, time(*keep_outcomes)),
        setting("history.max_outcomes", AtRestart, max_outcomes),
        setting("history.max_size", AtRestart, format!("{max_size} bytes")),
        setting("metrics.token_file", AtOnce, path(token_file.as_deref())),
        setting("telemetry.endpoint", AtRestart, or_none(endpoint.as_ref().map(quoted))),
        secret("telemetry.headers", AtRestart, headers),
        setting("telemetry.sample_ratio", AtRestart, sample_ratio),
        setting("telemetry.service_name", AtRestart, quoted(service_name)),
        setting("log.format", AtRestart, quoted(format.name())),
        setting("log.level", AtRestart, quoted(level)),
    ]
}

/// A key of a library's table, for people who look at what is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub key: &'static str,
    /// Its value, as it would be written; `None` where that may be a secret.
    pub value: Option<String>,
    /// It is what counts where the table does not say anything.
    pub is_default: bool,
}

/// The keys of a `[library.NAME]` table with their values.
pub fn shown(library: &LibraryConfig) -> Vec<Shown> {
    let plain = LibraryConfig {
        file: library.file.clone(),
        headers: Vec::new(),
        runtime: None,
        fallback: Vec::new(),
        running: Running { max_deadline: library.deadline, ..Running::default() },
        deadline: DEFAULT_DEADLINE,
        group: None,
        agents: Vec::new(),
        sha256: None,
        encoding: Encoding::default(),
        lossy: false,
        int64: Int64::default(),
        dialect: None,
        definitions: Vec::new(),
        sensitive: Marks::new(library.sensitive.names(), Vec::new()),
        output: Output::default(),
    };
    let shown = |(setting, plain): (Setting<Extent>, Setting<Extent>)| {
        let is_default = setting.value == plain.value && setting.key != "file";
        let value = (!setting.is_secret || is_default).then_some(setting.value);
        // An option that is none is written so.
        let value = value.map(|value| if value == "None" { "none".to_owned() } else { value });
        Shown { key: setting.key, value, is_default }
    };
    // Those of the gateway are no library's.
    let own = |shown: &Shown| shown.key != "sensitive_names";
    of_library(library).into_iter().zip(of_library(&plain)).map(shown).filter(own).collect()
}

/// The keys of a `[library.NAME]` table.
pub(in crate::config) fn of_library(library: &LibraryConfig) -> Vec<Setting<Extent>> {
    use Extent::{Interface, Processes, Settings};
    let LibraryConfig {
        file,
        headers,
        runtime,
        fallback,
        running,
        deadline,
        group,
        agents,
        sha256,
        encoding,
        lossy,
        int64,
        dialect,
        definitions,
        sensitive,
        output,
    } = library;
    let definitions = definitions.iter().map(|(name, value)| format!("{name} = {}", quoted(value)));
    let mut keys = vec![
        setting("file", Processes, quoted(file.display())),
        setting("header", Interface, list(headers.iter().map(|header| quoted(header.display())))),
        setting("runtime", Processes, or_none(runtime.map(quoted))),
        setting("fallback", Processes, list(fallback.iter().map(of_fallback))),
        setting("deadline", Settings, time(*deadline)),
        setting("group", Processes, or_none(group.as_ref().map(quoted))),
        setting("agent", Processes, list(agents.iter().map(quoted))),
        setting("sha256", Processes, or_none(sha256.as_ref().map(quoted))),
        setting("encoding", Interface, format!("{encoding:?}").to_lowercase()),
        setting("lossy", Interface, lossy),
        setting("int64", Interface, format!("{int64:?}").to_lowercase()),
        setting("dialect", Processes, or_none(dialect.map(|dialect| format!("{dialect:?}").to_lowercase()))),
        setting("definitions", Interface, braced(definitions)),
        setting("output", Processes, quoted(output.name())),
        setting("sensitive", Interface, list(sensitive.listed().iter().map(quoted))),
        // The gateway's key shows them.
        secret("sensitive_names", Interface, sensitive.names()),
    ];
    keys.extend(of_running(running));
    keys
}

fn of_running(running: &Running) -> Vec<Setting<Extent>> {
    use Extent::{Interface, Pool, Processes, Settings};
    let Running {
        instances,
        threads,
        standby,
        queue,
        startup,
        max_deadline,
        recycle,
        probe,
        idempotent,
        drain,
        sessions,
    } = running;
    let Recycle { max_memory, max_handles, max_calls, max_age } = recycle;
    let SessionLimits { max, lease, max_lease } = sessions;
    let Instances { min, max: most, idle } = instances;
    let instances = match (min, most) {
        (min, most) if min == most => min.to_string(),
        (min, most) => format!("{{ min = {min}, max = {most}, idle = {} }}", time(*idle)),
    };
    vec![
        setting("instances", Pool, instances),
        setting("threads", Processes, threads),
        setting("standby", Pool, standby),
        setting("queue", Settings, queue),
        setting("startup", Settings, time(*startup)),
        setting("max_deadline", Settings, time(*max_deadline)),
        setting("recycle.max_memory", Settings, or_none(max_memory.map(|bytes| format!("{bytes} bytes")))),
        setting("recycle.max_handles", Settings, or_none(*max_handles)),
        setting("recycle.max_calls", Settings, or_none(*max_calls)),
        setting("recycle.max_age", Settings, or_none(max_age.map(time))),
        setting("probe", Settings, or_none(probe.as_ref().map(of_probe))),
        secret("probe.args", Settings, probe.as_ref().map(|probe| &probe.args)),
        secret("probe.expect", Settings, probe.as_ref().map(|probe| &probe.expect)),
        setting("idempotent", Interface, list(idempotent.iter().map(quoted))),
        setting("drain", Settings, time(*drain)),
        setting("sessions.max", Settings, max),
        setting("sessions.lease", Settings, time(*lease)),
        setting("sessions.max_lease", Settings, time(*max_lease)),
    ]
}

/// The keys of a `[runtime.NAME]` table. Whatever changes, its agents are started anew.
pub(in crate::config) fn of_runtime(runtime: &RuntimeConfig) -> Vec<Setting<()>> {
    let RuntimeConfig { command, env, paths, directory } = runtime;
    vec![
        setting("command", (), list(command.iter().map(quoted))),
        // Some programs take secrets from there.
        secret("env", (), env),
        setting("paths", (), or_none(paths.as_ref().map(quoted))),
        setting("directory", (), path(Some(directory))),
    ]
}

fn of_fallback(fallback: &Fallback) -> String {
    let Fallback { file, runtime, headers, agents, sha256 } = fallback;
    let headers = list(headers.iter().map(|header| quoted(header.display())));
    braced([
        format!("file = {}", quoted(file.display())),
        format!("runtime = {}", or_none(runtime.map(quoted))),
        format!("header = {headers}"),
        format!("agent = {}", list(agents.iter().map(quoted))),
        format!("sha256 = {}", or_none(sha256.as_ref().map(quoted))),
    ])
}

/// Its arguments, and what it expects, are keys of their own.
fn of_probe(probe: &Probe) -> String {
    let Probe { function, args: _, expect: _, every, deadline, failures } = probe;
    let (function, every, deadline) = (quoted(function), time(*every), time(*deadline));
    format!("{{ function = {function}, every = {every}, deadline = {deadline}, failures = {failures} }}")
}

fn quoted(text: impl Display) -> String {
    format!("{:?}", text.to_string())
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn braced(items: impl IntoIterator<Item = String>) -> String {
    format!("{{ {} }}", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn path(path: Option<&Path>) -> String {
    or_none(path.map(|path| quoted(path.display())))
}

fn time(duration: std::time::Duration) -> String {
    quoted(values::shown(duration))
}
