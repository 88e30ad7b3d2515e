//! `bridge32 check`: looks at a configuration, its files and its headers, without starting anything. `bridge32 doctor` looks
//! at libraries with the same code.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridge32_image::diagnose::Finding;
use bridge32_image::fingerprint::Fingerprint;
use bridge32_image::{ExportKind, Image};
use bridge32_protocol::interface::Interface;
use bridge32_protocol::target::Target;
use clap::Args;
use serde::Serialize;

use super::{Failed, config_file, note, print};
use crate::auth::TokenDigest;
use crate::auth::keys::{self, Entry};
use crate::config::{self, AuthConfig, Config, LibraryFile, RuntimeConfig};
use crate::libraries::coverage::{Coverage, Unexported};
use crate::libraries::{Library, Prepared, file};
use crate::listeners::Certificate;

/// Look for problems in a configuration, its files and its headers
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 check --config bridge32.toml
  bridge32 check --json | jq '.libraries[] | select(.problems != [])'

It reads the configuration and the files that this names, and runs nothing. `bridge32 doctor` looks at the machine, too, and
starts agents. The exit code is 1 if something keeps a library from being called; warnings alone do not count.")]
pub(super) struct Check {
    /// The configuration file
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE", default_value = "bridge32.toml")]
    config: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    config: String,
    problems: Vec<String>,
    warnings: Vec<String>,
    runtimes: Vec<RuntimeReport>,
    libraries: Vec<LibraryReport>,
}

#[derive(Serialize)]
struct RuntimeReport {
    name: Target,
    command: Vec<String>,
    problem: Option<String>,
}

/// What is known of one library without running it.
#[derive(Serialize)]
pub(super) struct LibraryReport {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) runtime: Option<Target>,
    pub(super) functions: usize,
    /// What keeps it, or one of its functions, from being called.
    pub(super) problems: Vec<Remark>,
    pub(super) warnings: Vec<Remark>,
    assumptions: usize,
}

/// Something about a library. In JSON and for people it is its text.
#[derive(Debug)]
pub(super) struct Remark {
    pub(super) about: About,
    pub(super) text: String,
}

/// What a remark is about, which decides what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// The file, or the runtime that it needs: the library is not even given to an agent.
    File,
    /// A library of that name, which the file needs.
    Dependency(String),
    /// The file's hash.
    Hash,
    /// A line of the header.
    Header,
    /// The header as a whole: it is another library's, or there is none.
    WrongHeader,
    /// A function or variable that cannot be used.
    Unusable,
    /// A header that was sent, and is in force instead of the files.
    Replaced,
    /// A name under `sensitive` that is nowhere.
    Sensitive,
}

impl Remark {
    fn new(about: About, text: impl Into<String>) -> Self {
        Self { about, text: text.into() }
    }

    /// About a library that the file needs.
    fn dependency(finding: &Finding) -> Self {
        let name = match finding {
            Finding::Dependency(problem) => problem.name().to_owned(),
            _ => String::new(),
        };
        Self::new(About::Dependency(name), finding.to_string())
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Remark {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failed> {
        let loaded = config::load(&config_file(Some(self.config)), std::env::vars()).map_err(Failed::problem)?;
        let report = examine(&loaded.config, loaded.warnings);
        if self.json {
            print(serde_json::to_string_pretty(&report).map_err(Failed::problem)?);
        } else {
            show(&report);
        }
        match report.problem_count() {
            0 => Ok(()),
            _ if self.json => Err(Failed::problem("")),
            1 => Err(Failed::problem("1 problem; the lines above say what to do")),
            count => Err(Failed::problem(format!("{count} problems; the lines above say what to do"))),
        }
    }
}

impl Report {
    fn problem_count(&self) -> usize {
        let runtimes = self.runtimes.iter().filter(|runtime| runtime.problem.is_some()).count();
        self.problems.len() + runtimes + self.libraries.iter().map(|library| library.problems.len()).sum::<usize>()
    }
}

fn examine(config: &Config, mut warnings: Vec<String>) -> Report {
    let libraries = Prepared::read(config).libraries;
    let mut problems = Vec::new();
    if let AuthConfig::Hmac { keys_file } = &config.auth {
        match keys::read(keys_file) {
            Ok(entries) => warnings.extend(unknown_scopes(&entries, &libraries)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems.extend(TokenDigest::read(&config.metrics).err().map(|error| error.to_string()));
    match config.listeners.tls_in_use().map(Certificate::open) {
        Some(Ok(certificate)) => warnings.extend(certificate.doubt()),
        Some(Err(error)) => problems.push(error.to_string()),
        None => {}
    }
    warnings.extend(config.listeners.remarks());
    Report {
        config: config.file.display().to_string(),
        problems,
        warnings,
        runtimes: config.runtimes.iter().map(|(target, runtime)| examine_runtime(*target, runtime)).collect(),
        libraries: libraries.iter().map(|library| examine_library(library, config)).collect(),
    }
}

/// Scopes that are of no use.
pub(super) fn unknown_scopes(entries: &[Entry], libraries: &[Arc<Library>]) -> Vec<String> {
    let names: Vec<&str> = libraries.iter().map(|library| library.name.as_str()).collect();
    let told = |id: &str, scope: &str| format!("the key `{id}` has the scope `{scope}`, and there is no such library");
    let of = |entry: &Entry| -> Vec<String> {
        entry.scopes.without_library(&names).map(|scope| told(entry.key.id(), scope)).collect()
    };
    entries.iter().flat_map(of).collect()
}

fn examine_runtime(name: Target, runtime: &RuntimeConfig) -> RuntimeReport {
    let program = &runtime.command[0];
    let problem = (!is_program(program)).then(|| format!("there is no program `{program}`"));
    RuntimeReport { name, command: runtime.command.clone(), problem }
}

/// A path as it is, anything else in the folders of `PATH`.
pub(super) fn is_program(program: &str) -> bool {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.is_file();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| {
        folder.join(program).is_file() || (cfg!(windows) && folder.join(format!("{program}.exe")).is_file())
    })
}

/// Looks at a library's file and headers.
pub(super) fn examine_library(library: &Library, config: &Config) -> LibraryReport {
    let mut problems: Vec<Remark> =
        library.problem.iter().map(|fault| Remark::new(About::File, &fault.detail)).collect();
    let passed_over = library.standing.passed_over.iter();
    problems.extend(
        passed_over.map(|why| Remark::new(About::File, format!("a fallback would run it, because of this: {why}"))),
    );
    let replaced = library.replacement().map(|text| Remark::new(About::Replaced, text));
    let mut warnings: Vec<Remark> = replaced.into_iter().collect();
    let declared = library.declared();
    for diagnostic in &declared.header.diagnostics {
        let remark = Remark::new(About::Header, diagnostic.to_string());
        match diagnostic.severity {
            bridge32_interface::Severity::Error => problems.push(remark),
            bridge32_interface::Severity::Warning => warnings.push(remark),
        }
    }
    warnings.extend(declared.remarks.iter().map(|text| Remark::new(About::Sensitive, text)));
    warnings.extend(unsupported(declared.interface()));
    if let (LibraryFile::Host(path), Some(runtime)) =
        (&library.config.file, library.target.and_then(|target| config.runtimes.get(&target)))
    {
        let missing = file::missing(path, runtime.env.get("LD_LIBRARY_PATH").map(String::as_str));
        problems.extend(missing.iter().map(Remark::dependency));
    }
    problems.extend(other_file(library).map(|text| Remark::new(About::Hash, text)));
    match absent(library) {
        Absent::Everything => problems.push(Remark::new(
            About::WrongHeader,
            "the file exports nothing of what its header declares: is that the header of another library?",
        )),
        Absent::Some(missing) => warnings.extend(missing.into_iter().map(|text| Remark::new(About::Unusable, text))),
    }
    if library.config.headers.is_empty() {
        let text = "it has no header: only calls with a prototype are possible";
        warnings.push(Remark::new(About::WrongHeader, text));
    }
    LibraryReport {
        name: library.name.clone(),
        file: library.config.file.display(),
        runtime: library.target,
        functions: declared.interface().functions.len(),
        problems,
        warnings,
        assumptions: declared.header.assumptions.len(),
    }
}

/// What is declared and cannot be passed.
fn unsupported(interface: &Interface) -> Vec<Remark> {
    let functions = interface.functions.iter().filter_map(|function| {
        function.unsupported.as_ref().map(|why| format!("{} cannot be called: {why}", function.name))
    });
    let variables = interface.variables.iter().filter_map(|variable| {
        variable.unsupported.as_ref().map(|why| format!("{} cannot be read: {why}", variable.name))
    });
    functions.chain(variables).map(|text| Remark::new(About::Unusable, text)).collect()
}

/// That the file is not the one that `sha256` asks for.
fn other_file(library: &Library) -> Option<String> {
    let (LibraryFile::Host(path), Some(wanted)) = (&library.config.file, &library.config.sha256) else { return None };
    // A file that cannot be read is a problem already.
    let found = Fingerprint::of(path).ok()?.sha256;
    if found == *wanted {
        return None;
    }
    Some(format!("`sha256` asks for {wanted}, and {} has {found}: it would not be loaded", path.display()))
}

/// What the header declares and the file does not export.
enum Absent {
    /// All of it: the header of another library, most likely.
    Everything,
    /// Those, in words: a header of another version.
    Some(Vec<String>),
}

fn absent(library: &Library) -> Absent {
    let LibraryFile::Host(path) = &library.config.file else { return Absent::Some(Vec::new()) };
    // A file that cannot be read is a problem already.
    let Ok(image) = Image::open(path) else { return Absent::Some(Vec::new()) };
    let declared = library.declared();
    let interface = declared.interface();
    let coverage = Coverage::new(&image, interface);
    if coverage.is_of_another_library() {
        return Absent::Everything;
    }
    // Of those that cannot be used anyway another reason is told.
    let supported = |missing: &&Unexported| match missing.kind {
        ExportKind::Data => declared.variable(&missing.name).is_some_and(|(_, found)| found.unsupported.is_none()),
        _ => declared.function(&missing.name).is_some_and(|(_, found)| found.unsupported.is_none()),
    };
    let words = coverage.unexported.iter().filter(supported).map(|missing| {
        let used = if missing.kind == ExportKind::Data { "read" } else { "called" };
        format!("{} cannot be {used}: {}", missing.name, missing.reason())
    });
    Absent::Some(words.collect())
}

fn show(report: &Report) {
    print(format_args!("configuration {}", report.config));
    list(&report.problems, &report.warnings);
    for RuntimeReport { name, command, problem } in &report.runtimes {
        print(format_args!("runtime {name}: {}", command.join(" ")));
        list(problem.as_slice(), &[""; 0]);
    }
    for library in &report.libraries {
        let runtime = library.runtime.map_or("no runtime", Target::name);
        print(format_args!(
            "library {}: {} ({runtime}), {} functions, {} assumptions to review",
            library.name, library.file, library.functions, library.assumptions
        ));
        list(&library.problems, &library.warnings);
    }
    if report.libraries.is_empty() {
        note("no [library.NAME] table: there is nothing to call");
    }
}

fn list(problems: &[impl fmt::Display], warnings: &[impl fmt::Display]) {
    let line = |kind, text: String| print(format_args!("  {kind}: {}", text.replace('\n', "\n    ")));
    for problem in problems {
        line("problem", problem.to_string());
    }
    for warning in warnings {
        line("warning", warning.to_string());
    }
}
