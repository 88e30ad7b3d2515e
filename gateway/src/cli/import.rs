//! `bridge32 import`: shows what a library and its headers are, and adds them to the configuration.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use bridge32_image::diagnose::{Finding, Wanted, diagnose};
use bridge32_image::{ExportKind, Image};
use bridge32_interface::Options;
use bridge32_protocol::interface::{Encoding, Function, Interface};
use bridge32_protocol::target::Target;
use clap::Args;

use super::call::example;
use super::interface::review::{Review, Subject};
use super::interface::{grouped, problems};
use super::words::count;
use super::{Failed, config_file, headers, note, print};
use crate::config::edit::{self, Added};
use crate::config::{self, Config};
use crate::libraries::coverage::Coverage;
use crate::libraries::file;

/// So many names of a sort are shown.
const MAX_LISTED: usize = 12;

/// So many diagnostics are shown: a file that is no header has one for each line.
const MAX_DIAGNOSTICS: usize = 10;

/// Show what a library and its headers are, and add them to the configuration
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 import vendor.dll vendor.h
  bridge32 import vendor.dll vendor.h types.h --name reader --config /srv/bridge32.toml
  bridge32 import vendor.dll vendor.h --encoding gbk -D UNICODE --dry-run
  bridge32 import vendor.dll vendor.h --yes                  (asks nothing: for scripts)

The rest of the configuration, comments included, stays as it is. Without a header, begin with
`bridge32 interface new vendor.dll -o vendor.h`. --dry-run needs no configuration; --yes does not add headers of which
the library exports nothing.")]
pub(super) struct Import {
    /// The library file: PE (.dll) or ELF (.so)
    file: PathBuf,
    /// Its headers, in the order in which they include each other
    #[arg(value_name = "HEADER")]
    headers: Vec<PathBuf>,
    /// What the library is called in the configuration and in addresses [default: from the file's name]
    #[arg(long)]
    name: Option<String>,
    /// The configuration file
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How `char` strings are encoded where the headers do not say
    #[arg(long, value_name = "LABEL")]
    encoding: Option<String>,
    /// Define a macro for the headers, as compilers do
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = headers::definition)]
    definitions: Vec<(String, String)>,
    /// Only show: change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// What was found of the file.
struct Found {
    image: Image,
    target: Target,
    /// What a person should know, in words.
    warnings: Vec<String>,
}

impl Import {
    pub(super) fn run(mut self) -> Result<(), Failed> {
        self.file = config::as_configured(&self.file);
        if self.headers.is_empty() {
            return Err(self.without_header());
        }
        let path = config_file(self.config.clone());
        let config = self.configuration(&path)?;
        let found = self.look(config.as_ref())?;
        let added = self.added(config.as_ref())?;
        let options = Options {
            definitions: self.definitions.clone(),
            default_encoding: self.encoding()?,
            ..Options::new(found.target)
        };
        let read = headers::read(&self.headers, &options)?;
        let coverage = Coverage::new(&found.image, &read.header.interface);
        let review = Review::new(Subject {
            name: self.header_names(),
            headers: self.headers.iter().map(|file| file.display().to_string()).collect(),
            target: found.target,
            header: &read.header,
            took: read.took,
            coverage: Some((self.file.display().to_string(), coverage.clone())),
        });
        let table = match &config {
            Some(_) => edit::with_library(&path, &added).map_err(Failed::problem)?.table,
            None => edit::table_text(&path, &added),
        };
        if self.json {
            print(serde_json::to_string_pretty(&review).map_err(Failed::problem)?);
        } else {
            self.show(&found, &review, &coverage, &table);
        }
        if !self.may_write(&path, &added.name, &review)? {
            return Ok(());
        }
        edit::add(&path, &added).map_err(Failed::problem)?;
        self.next(&path, &added.name, &read.header.interface, found.target, &coverage);
        Ok(())
    }

    /// What to do where the vendor's header is not there.
    fn without_header(&self) -> Failed {
        if let Err(failed) = headers::library(&self.file) {
            return failed;
        }
        let file = example::quoted(&self.file.display().to_string());
        let header = example::quoted(&format!("{}.h", name_of(&self.file)));
        Failed::usage(format!(
            "no header is given: `bridge32 interface new {file} -o {header}` writes one to complete, and `bridge32 import {file} \
             {header}` takes it"
        ))
    }

    /// The configuration; `None` if there is none and none is needed.
    fn configuration(&self, path: &Path) -> Result<Option<Config>, Failed> {
        if path.exists() {
            return config::load(path, std::env::vars()).map(|loaded| Some(loaded.config)).map_err(Failed::problem);
        }
        if self.dry_run {
            return Ok(None);
        }
        Err(Failed::problem(format!(
            "there is no configuration {}: `bridge32 init` makes one. --config FILE names another place; --dry-run only shows, \
             and needs none",
            path.display()
        )))
    }

    /// What is to be added.
    fn added(&self, config: Option<&Config>) -> Result<Added, Failed> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => name_of(&self.file),
        };
        let check = config.map_or(Ok(()), |config| edit::check_name(config, &name));
        check.map_err(|why| Failed::usage(format!("{why}; --name NAME gives another one")))?;
        Ok(Added {
            name,
            file: self.file.clone(),
            headers: self.headers.clone(),
            encoding: self.encoding.clone(),
            definitions: self.definitions.clone(),
        })
    }

    fn header_names(&self) -> String {
        self.headers.iter().map(|file| headers::shown(file)).collect::<Vec<_>>().join(", ")
    }

    fn encoding(&self) -> Result<Encoding, Failed> {
        let encoding = self.encoding.as_deref().map(config::encoding).transpose();
        encoding.map(Option::unwrap_or_default).map_err(|why| Failed::usage(format!("--encoding: {why}")))
    }

    /// Looks at the file.
    fn look(&self, config: Option<&Config>) -> Result<Found, Failed> {
        let shown = self.file.display().to_string();
        let image = headers::library(&self.file).map_err(|failed| self.swapped().unwrap_or(failed))?;
        let known = image.runtime().and_then(|name| Some((headers::target(name).ok()?, Wanted::by_runtime(name)?)));
        let Some((target, wanted)) = known else {
            let text = format!("{shown} is for {}, and no runtime of bridge32 can load that", image.architecture);
            return Err(Failed::problem(text));
        };
        let findings = diagnose(&image, wanted);
        if let Some(fatal) = findings.iter().find(|finding| finding.is_fatal()) {
            return Err(Failed::problem(format!("{shown}: {fatal}")));
        }
        let mut warnings: Vec<String> = findings.iter().map(Finding::to_string).collect();
        let runtime = config.and_then(|config| config.runtimes.get(&target));
        if runtime.is_none() && config.is_some() {
            warnings.push(format!(
                "the configuration has no [runtime.{target}]: add one with the command that starts such an agent, or nobody can \
                 load this library"
            ));
        }
        let path = runtime.and_then(|runtime| runtime.env.get("LD_LIBRARY_PATH")).map(String::as_str);
        warnings.extend(file::missing(&self.file, path).iter().map(ToString::to_string));
        Ok(Found { image, target, warnings })
    }

    /// The header was given first.
    fn swapped(&self) -> Option<Failed> {
        let library = self.headers.iter().find(|file| Image::open(file).is_ok())?;
        let (header, library) = (self.file.display(), library.display());
        Some(Failed::usage(format!("the library comes first: bridge32 import {library} {header}")))
    }

    fn show(&self, found: &Found, review: &Review, coverage: &Coverage, table: &str) {
        let Found { image, target, warnings } = found;
        let of = |kind: ExportKind| image.exports.iter().filter(|export| export.kind == kind).count();
        print(format_args!(
            "{}: {}, for {}; it needs the runtime {target}",
            self.file.display(),
            image.format,
            image.architecture
        ));
        print(format_args!(
            "  exports: {}, {} data, {}",
            count(of(ExportKind::Function), "function"),
            of(ExportKind::Data),
            count(of(ExportKind::Forwarder), "forwarder")
        ));
        let needs: Vec<&str> = image.dependencies.iter().map(|needed| needed.name.as_str()).collect();
        if !needs.is_empty() {
            print(format_args!("  needs: {}", needs.join(", ")));
        }
        for warning in warnings {
            print(format_args!("  warning: {warning}"));
        }
        let numbers = review.summary;
        print(format_args!(
            "{}: {}, {} callable; {} to review\n",
            self.header_names(),
            count(numbers.functions, "function"),
            numbers.callable,
            count(numbers.assumptions, "assumption")
        ));
        let text = problems(review, MAX_DIAGNOSTICS, &self.whole_review());
        if !text.is_empty() {
            print(text.trim_end());
            print("");
        }
        if !review.is_of_another_library() {
            let text = grouped(review, MAX_LISTED);
            if !text.is_empty() {
                print(text.trim_end());
                print("");
            }
            if !coverage.undeclared.is_empty() {
                print(format_args!("{} that the headers do not declare\n", count(coverage.undeclared.len(), "export")));
            }
        }
        print(format_args!("{}\n", table.trim()));
    }

    /// The command that shows what is left out here.
    fn whole_review(&self) -> String {
        let quoted = |path: &PathBuf| example::quoted(&path.display().to_string());
        let headers = self.headers.iter().map(quoted).collect::<Vec<_>>().join(" ");
        format!("bridge32 interface check {headers} --library {}", quoted(&self.file))
    }

    /// Whether the configuration may be changed: somebody has said so.
    fn may_write(&self, path: &Path, name: &str, review: &Review) -> Result<bool, Failed> {
        if self.dry_run {
            note("--dry-run: nothing was changed");
            return Ok(false);
        }
        if self.yes && (review.declares_nothing() || review.is_of_another_library()) {
            let (file, headers) = (self.file.display(), self.header_names());
            return Err(Failed::problem(format!(
                "{headers} declares nothing that {file} exports, so --yes does not add it. Nothing was changed; without --yes \
                 you are asked"
            )));
        }
        if self.yes {
            return Ok(true);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failed::usage(format!(
                "nobody can be asked, because standard input is no terminal: --yes adds [library.{name}] to {}, --dry-run only \
                 shows. Nothing was changed",
                path.display()
            )));
        }
        let mut answer = String::new();
        let asked = write!(std::io::stderr(), "Add [library.{name}] to {}? [y/N] ", path.display())
            .and_then(|()| std::io::stdin().read_line(&mut answer));
        asked.map_err(Failed::problem)?;
        let yes = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        if !yes {
            note("nothing was changed");
        }
        Ok(yes)
    }

    /// What to do next, with the names as they are.
    fn next(&self, path: &Path, name: &str, interface: &Interface, target: Target, coverage: &Coverage) {
        let given = self.config.is_some();
        let option =
            if given { format!(" --config {}", example::quoted(&path.display().to_string())) } else { String::new() };
        note(format_args!("added [library.{name}] to {}. Next:", path.display()));
        note(format_args!("  bridge32 interface check {name}{option}      # what was assumed"));
        note(format_args!(
            "  bridge32 serve{option}      # a gateway that runs reads its configuration when it is started again"
        ));
        let exported = |name: &str| !coverage.unexported.iter().any(|missing| missing.name == name);
        let callable = |function: &&Function| function.unsupported.is_none() && exported(&function.name);
        let mut callable = interface.functions.iter().filter(callable);
        match callable.find_map(|function| example::command(name, function, interface, target)) {
            Some(command) => note(format_args!("  {command}{option}")),
            None => note(format_args!("  bridge32 call {name}{option}      # its functions")),
        }
    }
}

/// A library's name from that of its file: `reader` of `Reader.dll` stays `Reader`, `z` of `libz.so.1`.
fn name_of(file: &Path) -> String {
    let whole = file.file_name().unwrap_or_default().to_string_lossy();
    let lower = whole.to_ascii_lowercase();
    let end = lower.find(".so").or_else(|| lower.rfind('.')).filter(|end| *end > 0).unwrap_or(whole.len());
    let is_elf = lower[end..].starts_with(".so");
    let stem = &whole[..end];
    let stem = stem.strip_prefix("lib").filter(|rest| is_elf && !rest.is_empty()).unwrap_or(stem);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name: String = stem.chars().map(|c| if allowed(c) { c } else { '_' }).take(64).collect();
    let name = name.trim_matches('.').to_owned();
    if name.is_empty() { "library".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_comes_from_the_file() {
        for (file, name) in [
            ("/usr/lib32/libz.so.1", "z"),
            ("vendor.dll", "vendor"),
            ("C/Card Reader 2.DLL", "Card_Reader_2"),
            ("libfoo-1.2.so", "foo-1.2"),
            ("lib.so", "lib"),
            (".so", "so"),
            ("...", "library"),
            ("größe.dll", "gr__e"),
            ("no_extension", "no_extension"),
        ] {
            let made = name_of(Path::new(file));
            assert_eq!(made, name, "{file}");
            assert!(config::is_name(&made), "{made}");
        }
    }
}
