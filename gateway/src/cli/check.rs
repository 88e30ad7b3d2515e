//! `bridge32 check`: looks at a configuration, its files and its headers, without starting anything.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridge32_image::fingerprint::Fingerprint;
use bridge32_image::{ExportKind, Image};
use bridge32_protocol::target::Target;
use clap::Args;
use serde::Serialize;

use super::{Failed, config_file, note, print};
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

The exit code is 1 if something keeps a library from being called; warnings alone do not count.")]
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

#[derive(Serialize)]
struct LibraryReport {
    name: String,
    file: String,
    runtime: Option<Target>,
    functions: usize,
    /// What keeps it, or one of its functions, from being called.
    problems: Vec<String>,
    warnings: Vec<String>,
    assumptions: usize,
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
fn unknown_scopes(entries: &[Entry], libraries: &[Arc<Library>]) -> Vec<String> {
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

fn examine_library(library: &Library, config: &Config) -> LibraryReport {
    let mut problems: Vec<String> = library.problem.iter().map(|fault| fault.detail.clone()).collect();
    let mut warnings: Vec<String> = library.replacement().into_iter().collect();
    let declared = library.declared();
    for diagnostic in &declared.header.diagnostics {
        match diagnostic.severity {
            bridge32_interface::Severity::Error => problems.push(diagnostic.to_string()),
            bridge32_interface::Severity::Warning => warnings.push(diagnostic.to_string()),
        }
    }
    warnings.extend(declared.remarks.iter().cloned());
    let functions = &declared.interface().functions;
    warnings.extend(functions.iter().filter_map(|function| {
        function.unsupported.as_ref().map(|why| format!("{} cannot be called: {why}", function.name))
    }));
    warnings.extend(declared.interface().variables.iter().filter_map(|variable| {
        variable.unsupported.as_ref().map(|why| format!("{} cannot be read: {why}", variable.name))
    }));
    if let (LibraryFile::Host(path), Some(runtime)) =
        (&library.config.file, library.target.and_then(|target| config.runtimes.get(&target)))
    {
        problems.extend(file::missing(path, runtime.env.get("LD_LIBRARY_PATH").map(String::as_str)));
    }
    problems.extend(other_file(library));
    match absent(library) {
        Absent::Everything => problems.push(
            "the file exports nothing of what its header declares: is that the header of another library?".to_owned(),
        ),
        Absent::Some(missing) => warnings.extend(missing),
    }
    if library.config.headers.is_empty() {
        warnings.push("it has no header: only calls with a prototype are possible".to_owned());
    }
    LibraryReport {
        name: library.name.clone(),
        file: library.config.file.display(),
        runtime: library.target,
        functions: functions.len(),
        problems,
        warnings,
        assumptions: declared.header.assumptions.len(),
    }
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
        list(problem.as_slice(), &[]);
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

fn list(problems: &[String], warnings: &[String]) {
    for problem in problems {
        print(format_args!("  problem: {}", problem.replace('\n', "\n    ")));
    }
    for warning in warnings {
        print(format_args!("  warning: {}", warning.replace('\n', "\n    ")));
    }
}
