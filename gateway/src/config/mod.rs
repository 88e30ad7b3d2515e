//! The configuration: what `bridge32.toml`, its includes and the environment say, checked and with every path resolved.

pub mod changes;
mod dashboard;
mod document;
pub mod edit;
mod environment;
mod history;
mod library;
mod listeners;
mod loading;
mod place;
mod running;
mod sharing;
mod telemetry;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge32_interface::sensitive::DEFAULT_NAMES;
use bridge32_protocol::target::Target;

pub use dashboard::DashboardConfig;
use document::{Document, RuntimeDocument};
pub use environment::overrides;
pub use history::{Durability, HistoryConfig};
pub use library::{Fallback, LibraryConfig, LibraryFile, Output};
pub(crate) use listeners::host_and_port;
pub use listeners::{Listen, Listeners, Origin, Scheme, TlsConfig};
pub use running::{Instances, Probe, Recycle, Running, SessionLimits};
pub use telemetry::{LogConfig, LogFormat, TelemetryConfig};
pub use values::nearest;
pub(crate) use values::{as_configured, encoding};

/// The whole configuration of a gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from.
    pub file: PathBuf,
    /// Where it listens, and by which names it is reached.
    pub listeners: Listeners,
    /// Keys, history and crash reports live here.
    pub data_dir: PathBuf,
    /// The largest request body in bytes, where it is JSON.
    pub max_body: usize,
    /// The largest one where it is a buffer, or several, and the largest buffer of an answer.
    pub bulk_limit: usize,
    /// Where the files of large buffers lie; `None` where nothing is said.
    pub bulk_dir: Option<PathBuf>,
    /// Where libraries' files may lie, folders of this host or of a runtime; `None` where nothing is said.
    pub library_folders: Option<Vec<LibraryFile>>,
    /// The words that make a name of any library sensitive.
    pub sensitive_names: Vec<String>,
    /// Who may call.
    pub auth: AuthConfig,
    /// How people sign in.
    pub dashboard: DashboardConfig,
    /// What is kept of calls.
    pub history: HistoryConfig,
    /// Who may read the metrics, beside those who may read everything.
    pub metrics: MetricsConfig,
    /// Where spans of calls are sent.
    pub telemetry: TelemetryConfig,
    /// How the log is written.
    pub log: LogConfig,
    /// The libraries by name.
    pub libraries: BTreeMap<String, LibraryConfig>,
    /// How agents of a kind are started.
    pub runtimes: BTreeMap<Target, RuntimeConfig>,
}

/// Who may call.
#[derive(Clone, Debug)]
pub enum AuthConfig {
    /// Everybody who can reach the listener.
    Off,
    /// Requests signed with a key of this file.
    Hmac {
        /// The TOML file of `[[key]]` tables.
        keys_file: PathBuf,
    },
}

/// `[metrics]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The file with the token for `/metrics`: what collects them does not sign.
    pub token_file: Option<PathBuf>,
}

/// One `[runtime.NAME]` table.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Environment variables that its agents get in addition.
    pub env: BTreeMap<String, String>,
    /// The drive under which the host's root directory appears to agents (`Z:` under Wine).
    pub paths: Option<String>,
    /// The working directory of its agents: that of the configuration file.
    pub directory: PathBuf,
}

impl RuntimeConfig {
    /// How agents of this runtime name a file.
    pub fn path_for_agent(&self, file: &LibraryFile) -> String {
        file.for_agent(self.paths.as_deref())
    }

    /// Whether its program is Wine itself, and not a script of somebody's that starts it.
    pub fn is_wine(&self) -> bool {
        let program = self.command.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
        matches!(&*program.to_string_lossy(), "wine" | "wine64" | "wine-stable" | "wine-development")
    }

    /// Where Wine keeps its drives and registry, as wine(1) looks for it.
    pub fn wine_prefix(&self) -> Option<PathBuf> {
        let set = self.env.get("WINEPREFIX").map(PathBuf::from);
        let home = || {
            Some(PathBuf::from(
                self.env.get("HOME").map_or_else(|| std::env::var_os("HOME"), |home| Some(home.into()))?,
            ))
        };
        set.or_else(|| std::env::var_os("WINEPREFIX").map(PathBuf::from)).or_else(|| Some(home()?.join(".wine")))
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}{}", file.display(), missing(source))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file does not say what it should.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, 1 is the first.
        line: usize,
        /// The column, 1 is the first.
        column: usize,
        /// What is wrong, and what to do about it.
        message: String,
    },
    /// A variable of the environment does not say what it should.
    #[error("environment variable {variable}: {message}")]
    Environment {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        message: String,
    },
    /// A value makes no sense.
    #[error("{}{}: {key}: {message}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
    Value {
        /// The file that says so, or lacks it.
        file: PathBuf,
        /// The line, 1 is the first; none where no file says anything near it.
        line: Option<usize>,
        /// The key, as `library.calc.deadline`.
        key: String,
        /// What is wrong, and what to do about it.
        message: String,
    },
}

/// What to do about a file that is not there.
fn missing(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => ". `bridge32 init` makes a configuration; --config FILE names another one",
        _ => "",
    }
}

/// A configuration, and what was strange about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What was left out of account, in words.
    pub warnings: Vec<String>,
}

/// Reads the configuration file, its includes, and the `BRIDGE32_…` variables of the environment.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn load(file: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, ConfigError> {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let document = document::read(&file).map_err(|error| place::of(error, &[]))?;
    let (document, overlaid, warnings) = environment::apply(document, &file, variables)?;
    let config = Config::check(document, file).map_err(|error| place::of(error, &overlaid))?;
    Ok(Loaded { config, warnings })
}

const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// For a library that does not say how long it may take to be loaded. Wine takes its time.
const DEFAULT_MAX_BODY: u64 = 64 << 20;
const DEFAULT_BULK_LIMIT: u64 = 256 << 20;

impl Config {
    fn check(document: Document, file: PathBuf) -> Result<Self, ConfigError> {
        let context = Context { file: &file };
        let directory = file.parent().unwrap_or(Path::new(".")).to_owned();
        let auth = context.auth(&document, &directory)?;
        let listeners = context.listeners(&document, &auth)?;
        let dashboard = context.dashboard(&document.dashboard)?;
        let history = context.history(&document.history)?;
        let telemetry = context.telemetry(&document.telemetry)?;
        let log = context.log(&document.log)?;
        let max_body = context.size("max_body", document.max_body.as_ref(), DEFAULT_MAX_BODY)?;
        let bulk_limit = context.size("bulk_limit", document.bulk_limit.as_ref(), DEFAULT_BULK_LIMIT)?;
        let mut runtimes = BTreeMap::new();
        for (name, table) in document.runtime {
            let (target, runtime) = context.runtime(&name, table, &directory)?;
            runtimes.insert(target, runtime);
        }
        let names = context.sensitive_names(document.sensitive_names)?;
        let libraries = context.libraries(document.library, &names)?;
        context.agents(&libraries, &auth)?;
        context.numbered(&libraries)?;
        let folders = document
            .library_folders
            .map(|folders| folders.iter().flat_map(|folder| values::library_folder(folder)).collect());
        let data_dir = document.data_dir.unwrap_or_else(|| directory.join("data"));
        Ok(Self {
            file,
            listeners,
            data_dir,
            max_body,
            bulk_limit,
            bulk_dir: document.bulk_dir,
            library_folders: folders,
            sensitive_names: names,
            auth,
            dashboard,
            history,
            metrics: MetricsConfig { token_file: document.metrics.token_file },
            telemetry,
            log,
            libraries,
            runtimes,
        })
    }
}

/// Turns values into what they mean; names the file and key where one means nothing.
struct Context<'a> {
    file: &'a Path,
}

impl Context<'_> {
    fn wrong(&self, key: impl Into<String>, message: impl Into<String>) -> ConfigError {
        ConfigError::Value { file: self.file.to_owned(), line: None, key: key.into(), message: message.into() }
    }

    fn auth(&self, document: &Document, directory: &Path) -> Result<AuthConfig, ConfigError> {
        let keys_file = document.auth.keys_file.clone().unwrap_or_else(|| directory.join("keys.toml"));
        match document.auth.mode.as_deref() {
            None | Some("hmac") => Ok(AuthConfig::Hmac { keys_file }),
            Some("off") => Ok(AuthConfig::Off),
            Some(other) => Err(self.wrong(
                "auth.mode",
                format!(
                    "`{other}` is not known: it is \"hmac\" (signed requests) or \"off\" (anybody on this machine)"
                ),
            )),
        }
    }

    fn size(&self, key: &str, value: Option<&document::Size>, default: u64) -> Result<usize, ConfigError> {
        let bytes = match value {
            None => default,
            Some(document::Size::Bytes(bytes)) => *bytes,
            Some(document::Size::Text(text)) => values::size(text).map_err(|message| self.wrong(key, message))?,
        };
        usize::try_from(bytes).map_err(|_| self.wrong(key, "is more than this machine can hold"))
    }

    fn runtime(
        &self,
        name: &str,
        table: RuntimeDocument,
        directory: &Path,
    ) -> Result<(Target, RuntimeConfig), ConfigError> {
        let key = format!("runtime.{name}");
        let target = self.target(&key, name)?;
        let command = table.command.unwrap_or_default();
        if command.first().is_none_or(String::is_empty) {
            return Err(self.wrong(format!("{key}.command"), "names no program, such as [\"agent32\"]"));
        }
        let directory = table.directory.unwrap_or_else(|| directory.to_owned());
        Ok((target, RuntimeConfig { command, env: table.env, paths: table.paths, directory }))
    }

    fn target(&self, key: &str, name: &str) -> Result<Target, ConfigError> {
        Target::ALL.into_iter().find(|target| target.name() == name).ok_or_else(|| {
            let known = Target::ALL.map(Target::name);
            self.wrong(key, format!("there is no runtime `{name}`{}", values::suggestion(name, &known)))
        })
    }

    /// The words that make a name sensitive.
    fn sensitive_names(&self, names: Option<Vec<String>>) -> Result<Vec<String>, ConfigError> {
        let Some(names) = names else { return Ok(DEFAULT_NAMES.map(str::to_owned).into()) };
        match names.iter().find(|name| !name.contains(char::is_alphabetic)) {
            None => Ok(names),
            Some(name) => {
                Err(self.wrong("sensitive_names", format!("`{name}` has no letters: it is found in no name")))
            }
        }
    }

    /// The scope `call:a.b` is for the function `b` of the library `a`, or for the library `a.b`: there must not be both.
    fn scopes(&self, libraries: &BTreeMap<String, LibraryConfig>) -> Result<(), ConfigError> {
        for name in libraries.keys() {
            let stems = name.match_indices('.').map(|(at, _)| &name[..at]);
            if let Some(stem) = stems.into_iter().find(|stem| libraries.contains_key(*stem)) {
                let message = format!(
                    "a key with the scope `call:{name}` could mean a function of the library `{stem}`: choose another name, such as \
                     `{}`",
                    name.replace('.', "-")
                );
                return Err(self.wrong(format!("library.{name}"), message));
            }
        }
        Ok(())
    }

    /// A group is an agent's id, and so is the name of a library without one: the two must not meet.
    fn groups(&self, libraries: &BTreeMap<String, LibraryConfig>) -> Result<(), ConfigError> {
        for (name, library) in libraries {
            let Some(group) = &library.group else { continue };
            if libraries.get(group).is_some_and(|other| other.group.as_ref() != Some(group)) {
                let message = format!("`{group}` is also a library outside that group: choose another name");
                return Err(self.wrong(format!("library.{name}.group"), message));
            }
        }
        Ok(())
    }
}

/// Whether it can name a library, a group or an agent: it stands in addresses and in file names.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('.')
}

#[cfg(test)]
pub(crate) mod tests;
