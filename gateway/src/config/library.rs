//! A `[library.NAME]` table: which file, how its headers are read, and what runs it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bridge32_interface::sensitive::Marks;
use bridge32_protocol::interface::{Encoding, Int64};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

use super::document::{FallbackDocument, LibraryDocument, OneOrMany};
use super::running::Process;
use super::{ConfigError, Context, DEFAULT_DEADLINE, Running, is_name, values};

/// One `[library.NAME]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct LibraryConfig {
    /// The library's file.
    pub file: LibraryFile,
    /// Its headers, in order.
    pub headers: Vec<PathBuf>,
    /// The runtime, where it is said; otherwise the file's architecture decides.
    pub runtime: Option<Target>,
    /// What runs instead when the library cannot be run so, in order of preference.
    pub fallback: Vec<Fallback>,
    /// Processes, threads, queue, limits.
    pub running: Running,
    /// How long a call may take.
    pub deadline: Duration,
    /// The agent that it shares with others; by default a library has its own.
    pub group: Option<String>,
    /// The agents that somebody else starts and that run it; where there are none the gateway starts them.
    pub agents: Vec<String>,
    /// The SHA-256 that its file must have, in lower-case hexadecimal.
    pub sha256: Option<String>,
    /// How `char` strings are encoded where the header does not say.
    pub encoding: Encoding,
    /// Text that cannot be encoded or decoded is passed with replacement characters, in every function.
    pub lossy: bool,
    /// How 64-bit integers are answered.
    pub int64: Int64,
    /// Which compiler's ABI it follows; `None` lets the file decide.
    pub dialect: Option<Dialect>,
    /// Macros that the header needs, as with `-D name=value`.
    pub definitions: Vec<(String, String)>,
    /// Whose values stand in no error text, log or record.
    pub sensitive: Marks,
    /// Where what it prints is kept.
    pub output: Output,
}

/// Where what a library prints is kept, besides the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// With its agent: the last lines.
    #[default]
    Agent,
    /// With the call that printed it, too: its process marks where each call's output ends.
    Calls,
}

impl Output {
    const ALL: [Self; 2] = [Self::Agent, Self::Calls];

    /// As the configuration names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Calls => "calls",
        }
    }
}

/// Another way to run a library. All that it has no key for is as in the library's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The file: the library's own where no other is named.
    pub file: LibraryFile,
    /// The runtime, where it is said; otherwise the file's architecture decides.
    pub runtime: Option<Target>,
    /// The headers: the library's own where no others are named.
    pub headers: Vec<PathBuf>,
    /// The agents that somebody else starts; where there are none the gateway starts them.
    pub agents: Vec<String>,
    /// The SHA-256 that the file must have, in lower-case hexadecimal.
    pub sha256: Option<String>,
}

/// Where a library's file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LibraryFile {
    /// A file that the gateway can read.
    Host(PathBuf),
    /// A path of the runtime's own (`C:\…` under Wine): only the agent can read it.
    Runtime(String),
}

impl LibraryFile {
    /// The path as people wrote it, or resolved against the configuration file.
    pub fn display(&self) -> String {
        match self {
            Self::Host(path) => path.display().to_string(),
            Self::Runtime(path) => path.clone(),
        }
    }

    /// How an agent names it to which the host's root directory appears as the drive `paths`.
    pub fn for_agent(&self, paths: Option<&str>) -> String {
        match (self, paths) {
            (Self::Host(path), Some(drive)) => format!("{drive}{}", path.display().to_string().replace('/', "\\")),
            _ => self.display(),
        }
    }
}

impl LibraryConfig {
    /// The agents of others that may run it, fallbacks included, each with the key that names it.
    pub(super) fn external_agents(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let own = self.agents.iter().map(|agent| ("agent", agent.as_str()));
        let fallbacks = self.fallback.iter().flat_map(|fallback| &fallback.agents);
        own.chain(fallbacks.map(|agent| ("fallback.agent", agent.as_str())))
    }
}

impl Context<'_> {
    /// All libraries, and whether they go together.
    pub(super) fn libraries(
        &self,
        documents: BTreeMap<String, LibraryDocument>,
        names: &[String],
    ) -> Result<BTreeMap<String, LibraryConfig>, ConfigError> {
        let mut processes = BTreeMap::new();
        for (name, table) in &documents {
            processes.insert(name.clone(), self.process(name, table)?);
        }
        self.agree(&documents, &mut processes)?;
        let mut libraries = BTreeMap::new();
        for (name, table) in documents {
            let process = processes.remove(&name).unwrap_or_default();
            let library = self.library(&name, table, &process, names)?;
            libraries.insert(name, library);
        }
        self.groups(&libraries)?;
        self.threads(&libraries)?;
        self.scopes(&libraries)?;
        Ok(libraries)
    }

    fn library(
        &self,
        name: &str,
        mut table: LibraryDocument,
        process: &Process,
        names: &[String],
    ) -> Result<LibraryConfig, ConfigError> {
        let key = |leaf: &str| format!("library.{name}.{leaf}");
        if !is_name(name) {
            let rule = "a library's name stands in addresses: letters, digits, `_`, `-` and `.`, at most 64 of them";
            return Err(self.wrong(format!("library.{name}"), rule));
        }
        let file =
            table.file.take().ok_or_else(|| self.wrong(key("file"), "is missing: which file is the library?"))?;
        let deadline = match &table.deadline {
            None => DEFAULT_DEADLINE,
            Some(text) => values::duration(text).map_err(|message| self.wrong(key("deadline"), message))?,
        };
        let encoding = match &table.encoding {
            None => Encoding::default(),
            Some(label) => values::encoding(label).map_err(|message| self.wrong(key("encoding"), message))?,
        };
        let dialect = table.dialect.as_deref().map(values::dialect).transpose();
        let int64 = table.int64.as_deref().map(values::int64).transpose();
        if let Some(group) = table.group.as_deref().filter(|group| !is_name(group)) {
            return Err(self.wrong(key("group"), format!("`{group}` is no name: letters, digits, `_`, `-` and `.`")));
        }
        let mut library = LibraryConfig {
            running: self.running(name, &table, process, deadline)?,
            file: values::library_file(file, table.runtime.as_deref()),
            headers: table.header.map(OneOrMany::into_vec).unwrap_or_default(),
            runtime: table.runtime.map(|runtime| self.target(&key("runtime"), &runtime)).transpose()?,
            fallback: Vec::new(),
            deadline,
            group: table.group,
            sha256: self.sha256(&key("sha256"), table.sha256)?,
            agents: self.agent_list(&key("agent"), table.agent)?,
            encoding,
            lossy: table.lossy.unwrap_or_default(),
            int64: int64.map_err(|message| self.wrong(key("int64"), message))?.unwrap_or_default(),
            dialect: dialect.map_err(|message| self.wrong(key("dialect"), message))?,
            definitions: table.definitions.into_iter().map(|(name, value)| (name, value.into_text())).collect(),
            sensitive: Marks::new(names, table.sensitive.unwrap_or_default()),
            output: self.output(&key("output"), table.output.as_deref())?,
        };
        self.prints_alone(&key("output"), &library)?;
        if let Some(text) = library.runtime.and_then(|target| library.running.out_of_reach(target.pointer_bytes())) {
            return Err(self.wrong(key("recycle.max_memory"), text));
        }
        library.fallback = self.fallbacks(&key("fallback"), table.fallback.unwrap_or_default(), &library)?;
        Ok(library)
    }

    fn output(&self, key: &str, name: Option<&str>) -> Result<Output, ConfigError> {
        let Some(name) = name else { return Ok(Output::default()) };
        Output::ALL.into_iter().find(|known| known.name() == name).ok_or_else(|| {
            let near = values::suggestion(name, &Output::ALL.map(Output::name));
            self.wrong(key, format!("is `{name}`, and can be \"agent\" or \"calls\"{near}"))
        })
    }

    /// What a process prints belongs to a call only if it runs one at a time.
    fn prints_alone(&self, key: &str, library: &LibraryConfig) -> Result<(), ConfigError> {
        let why = match library {
            LibraryConfig { output: Output::Agent, .. } => return Ok(()),
            _ if library.running.threads > 1 => "whose process runs one call at a time: take `threads` away",
            _ if library.group.is_some() => "with processes of its own: take it out of its `group`",
            _ if !library.agents.is_empty() => {
                "whose processes the gateway starts: it reads what they print, and not `agent`"
            }
            _ => return Ok(()),
        };
        Err(self.wrong(key, format!("\"calls\" is for a library {why}, or write \"agent\"")))
    }

    fn fallbacks(
        &self,
        key: &str,
        documents: Vec<FallbackDocument>,
        library: &LibraryConfig,
    ) -> Result<Vec<Fallback>, ConfigError> {
        if library.group.is_some() && !documents.is_empty() {
            let text = "is not possible in a `group`: its libraries run in one process, or none of them does";
            return Err(self.wrong(key, text));
        }
        documents.into_iter().map(|document| self.fallback(key, document, library)).collect()
    }

    fn fallback(
        &self,
        key: &str,
        document: FallbackDocument,
        library: &LibraryConfig,
    ) -> Result<Fallback, ConfigError> {
        let FallbackDocument { file, header, runtime, agent, sha256 } = document;
        let sha256 = self.sha256(&format!("{key}.sha256"), sha256)?;
        let file = file.map(|file| values::library_file(file, runtime.as_deref()));
        let runtime = runtime.map(|runtime| self.target(&format!("{key}.runtime"), &runtime)).transpose()?;
        let fallback = Fallback {
            // Another file may be of another architecture.
            runtime: if file.is_none() { runtime.or(library.runtime) } else { runtime },
            sha256: if file.is_none() { sha256.or_else(|| library.sha256.clone()) } else { sha256 },
            file: file.unwrap_or_else(|| library.file.clone()),
            headers: header.map_or_else(|| library.headers.clone(), OneOrMany::into_vec),
            agents: self.agent_list(&format!("{key}.agent"), agent)?,
        };
        let LibraryConfig { file, runtime, headers, agents, .. } = library;
        if (file, runtime, headers, agents) == (&fallback.file, &fallback.runtime, &fallback.headers, &fallback.agents)
        {
            let text =
                "has an entry that is what the library itself is: name another `file`, `runtime`, `header` or `agent`";
            return Err(self.wrong(key, text));
        }
        if library.sha256.is_some() && fallback.sha256.is_none() {
            let text = "is missing: only the library's own file has the hash that `sha256` of its table asks for";
            return Err(self.wrong(format!("{key}.sha256"), text));
        }
        if let Some(text) = fallback.runtime.and_then(|target| library.running.out_of_reach(target.pointer_bytes())) {
            return Err(self.wrong(key, format!("runs as 32-bit process, and `recycle.max_memory` {text}")));
        }
        Ok(fallback)
    }
}
