//! Each library's file and headers, as `bridge32 check` looks at them, with what to do about each finding.

use std::collections::BTreeSet;
use std::sync::Arc;

use bridge32_protocol::target::Target;

use super::finding::Findings;
use crate::cli::check::{self, About, Remark};
use crate::cli::words::count;
use crate::config::{Config, LibraryFile};
use crate::libraries::{Library, file};

/// Looks at them, and gives the names of those that can be handed to an agent; the agents of `broken` runtimes do not start.
pub(super) fn examine(
    config: &Config,
    libraries: &[Arc<Library>],
    broken: &BTreeSet<Target>,
    findings: &mut Findings,
) -> BTreeSet<String> {
    findings.begin("libraries");
    let mut sound = BTreeSet::new();
    for library in libraries {
        let report = check::examine_library(library, config);
        let subject = format!("library `{}`", library.name);
        let runtime = report.runtime.map_or("no runtime", |target| target.name());
        if report.problems.is_empty() {
            let functions = count(report.functions, "function");
            findings.ok(&subject, format!("{} ({runtime}), {functions} declared", report.file));
        }
        for remark in &report.problems {
            let (remedy, page) = advice(remark, library, config);
            findings.problem(&subject, &remark.text).remedy(remedy).see(page);
        }
        for remark in &report.warnings {
            let (remedy, page) = advice(remark, library, config);
            findings.warning(&subject, &remark.text).remedy(remedy).see(page);
        }
        for agent in &library.config.agents {
            let found = format!("somebody else starts its agent `{agent}`: it can be called once that has registered");
            findings.note(&subject, found).see("docs/loading.md#agents-that-somebody-else-starts");
        }
        let fatal = |remark: &Remark| matches!(remark.about, About::File | About::Dependency(_) | About::Hash);
        if !library.config.agents.is_empty() || report.problems.iter().any(fatal) {
            continue;
        }
        match library.target.filter(|target| broken.contains(target)) {
            Some(target) => {
                findings.note(&subject, format!("cannot be called before its runtime {target} starts agents"));
            }
            None => {
                sound.insert(library.name.clone());
            }
        }
    }
    sound
}

/// What to do about a remark, and where more of it stands.
fn advice(remark: &Remark, library: &Library, config: &Config) -> (String, &'static str) {
    let name = &library.name;
    let table = format!("[library.{name}] in {}", config.file.display());
    let file = library.config.file.display();
    match &remark.about {
        About::File => (file_advice(library, &table), "docs/loading.md#which-files"),
        About::Dependency(missing) => {
            (file::remedy(missing, library.target), "docs/doctor.md#libraries-that-do-not-load")
        }
        About::Hash => (
            format!("put the right file back; or, if the new one is meant, take its hash into `sha256` of {table}"),
            "docs/loading.md#one-file-and-no-other",
        ),
        About::Header => (
            format!("correct the header at that line; bridge32 interface check {file} shows all of it"),
            "README.md#what-the-header-says",
        ),
        About::WrongHeader => (
            format!("name its header with `header` of {table}; bridge32 interface new {file} writes one to start from"),
            "README.md#your-own-library",
        ),
        About::Unusable => (
            format!("nothing, if nobody calls it; bridge32 exports {file} shows what the file has"),
            "docs/calls.md#tags-in-comments",
        ),
        About::Replaced => (
            format!("if it is not meant: bridge32 curl -X DELETE /v1/libraries/{name}/interface"),
            "docs/calls.md#another-header",
        ),
        About::Sensitive => (format!("correct the names in `sensitive` of {table}"), "docs/calls.md#sensitive-values"),
    }
}

fn file_advice(library: &Library, table: &str) -> String {
    match &library.config.file {
        LibraryFile::Host(path) if !path.exists() => {
            format!(
                "correct `file` of {table}; upper and lower case count: ls -l {}",
                path.parent().unwrap_or(path).display()
            )
        }
        LibraryFile::Host(path) => {
            format!(
                "correct `file` or `runtime` of {table}; bridge32 exports {} shows what the file is",
                path.display()
            )
        }
        LibraryFile::Runtime(_) => format!("say the runtime in {table}, such as runtime = \"win32\""),
    }
}
