//! `bridge32 interface check`: shows how headers were read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridge32_image::Image;
use bridge32_interface::Options;
use bridge32_protocol::interface::Encoding;
use bridge32_protocol::target::Target;
use clap::Args;

use super::review::{Review, Subject};
use super::text;
use crate::cli::{Failed, config_file, headers, note, print};
use crate::config::{self, Config, LibraryFile, nearest};
use crate::interfaces::Declared;
use crate::libraries::coverage::Coverage;
use crate::libraries::{Library, Prepared};

/// Review how headers are read: what can be called, what was assumed, what is missing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 interface check vendor.h
  bridge32 interface check vendor.h types.h --library vendor.dll -D UNICODE --all
  bridge32 interface check                          (every library of bridge32.toml)
  bridge32 interface check reader --config bridge32.toml
  bridge32 interface check vendor.h --json | jq '.functions[] | select(.callable | not)'

The exit code is 1 if a declaration could not be read, or if the headers are another library's.")]
pub(super) struct Check {
    /// Header files in the order in which they include each other, or names of libraries of the configuration
    #[arg(value_name = "HEADER|LIBRARY")]
    what: Vec<String>,
    /// The library's file: its exports are compared with the headers
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
    /// The configuration whose libraries are reviewed, where no header is given
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read headers as for this runtime [default: what the library's file needs, or win32]
    #[arg(long, value_parser = headers::target)]
    target: Option<Target>,
    /// Define a macro, as compilers do
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = headers::definition)]
    definitions: Vec<(String, String)>,
    /// How `char` strings are encoded where a header does not say
    #[arg(long, value_name = "LABEL", value_parser = headers::encoding)]
    encoding: Option<Encoding>,
    /// Show every function, and leave nothing out
    #[arg(long)]
    all: bool,
    /// Print the review as JSON
    #[arg(long)]
    json: bool,
}

/// What is reviewed: as JSON, headers are one object, and libraries a list of them.
#[derive(Clone, Copy)]
enum Reviewed {
    Headers,
    Libraries,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failed> {
        let (files, names): (Vec<&String>, Vec<&String>) = self.what.iter().partition(|word| is_file(word));
        match (files.is_empty(), names.is_empty()) {
            (false, true) => self.given(&files.into_iter().map(PathBuf::from).collect::<Vec<_>>()),
            (false, false) => Err(Failed::usage(format!(
                "`{}` is no file, and `{}` is one: give either headers or names of libraries",
                names[0], files[0]
            ))),
            (true, _) => self.configured(&names),
        }
    }

    /// Headers of the command line.
    fn given(&self, files: &[PathBuf]) -> Result<(), Failed> {
        let image =
            self.library.as_deref().map(|file| headers::library(file).map(|image| (file, image))).transpose()?;
        let own = image.as_ref().and_then(|(_, image)| target_of(image));
        let target = self.target.or(own).unwrap_or(Target::Win32);
        let options = Options {
            definitions: self.definitions.clone(),
            default_encoding: self.encoding.clone().unwrap_or_default(),
            ..Options::new(target)
        };
        let read = headers::read(files, &options)?;
        let coverage =
            image.map(|(file, image)| (file.display().to_string(), Coverage::new(&image, &read.header.interface)));
        let names: Vec<String> = files.iter().map(|file| headers::shown(file)).collect();
        let review = Review::new(Subject {
            name: names.join(", "),
            headers: files.iter().map(|file| file.display().to_string()).collect(),
            target,
            header: &read.header,
            took: read.took,
            coverage,
        });
        self.show(Reviewed::Headers, &[review])
    }

    /// Libraries of the configuration.
    fn configured(&self, names: &[&String]) -> Result<(), Failed> {
        if self.library.is_some() || self.target.is_some() || self.encoding.is_some() || !self.definitions.is_empty() {
            let text =
                "--library, --target, -D and --encoding are for headers: the configuration says these things itself";
            return Err(Failed::usage(text));
        }
        let file = config_file(self.config.clone());
        if self.config.is_none() && !file.exists() {
            let text = match names.first() {
                Some(name) => {
                    format!("there is no file `{name}`, and no bridge32.toml here that could have such a library")
                }
                None => "name a header, or use --config: there is no bridge32.toml here".to_owned(),
            };
            return Err(Failed::usage(text));
        }
        let config = config::load(&file, std::env::vars()).map_err(Failed::problem)?.config;
        known(&config, names)?;
        let wanted = config.libraries.keys().filter(|name| names.is_empty() || names.contains(name));
        let libraries: Vec<_> = wanted.filter_map(|name| alone(&config, name)).collect();
        let declared: Vec<_> = libraries.iter().map(|(library, _)| library.declared()).collect();
        let reviews: Vec<Review> = libraries
            .iter()
            .zip(&declared)
            .map(|((library, took), declared)| of_library(library, declared, *took))
            .collect();
        self.show(Reviewed::Libraries, &reviews)?;
        let problems: Vec<_> = libraries.iter().filter_map(|(library, _)| library.problem.as_ref()).collect();
        for fault in &problems {
            note(format_args!("bridge32: {}", fault.detail));
        }
        if problems.is_empty() { Ok(()) } else { Err(Failed::problem("")) }
    }

    fn show(&self, what: Reviewed, reviews: &[Review]) -> Result<(), Failed> {
        if self.json {
            let text = match (what, reviews) {
                (Reviewed::Headers, [one]) => serde_json::to_string_pretty(one),
                (_, all) => serde_json::to_string_pretty(&serde_json::json!({ "libraries": all })),
            };
            print(text.map_err(Failed::problem)?);
        } else {
            for review in reviews {
                print(text::whole(review, self.all));
            }
        }
        let bad = |review: &&Review| review.summary.errors > 0 || review.is_of_another_library();
        if reviews.iter().any(|review| bad(&review)) { Err(Failed::problem("")) } else { Ok(()) }
    }
}

/// One library of a configuration, and how long reading it took.
fn alone(config: &Config, name: &str) -> Option<(Arc<Library>, Duration)> {
    let mut alone = config.clone();
    alone.libraries.retain(|other, _| other == name);
    let start = Instant::now();
    let libraries = Prepared::read(&alone).libraries;
    let took = start.elapsed();
    libraries.into_iter().next().map(|library| (library, took))
}

fn of_library<'a>(library: &Library, declared: &'a Declared, took: Duration) -> Review<'a> {
    let image = match &library.config.file {
        LibraryFile::Host(path) => Image::open(path).ok(),
        LibraryFile::Runtime(_) => None,
    };
    let coverage = image.map(|image| Coverage::new(&image, declared.interface()));
    let mut review = Review::new(Subject {
        name: library.name.clone(),
        headers: declared.names(&library.config),
        target: library.target.unwrap_or(Target::Win32),
        header: &declared.header,
        took,
        coverage: coverage.map(|coverage| (library.config.file.display(), coverage)),
    });
    review.replacement = library.replacement();
    review
}

/// A word is a header's file, unless it can only be a library's name.
fn is_file(word: &str) -> bool {
    let path = Path::new(word);
    path.is_file() || path.components().count() > 1 || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("h"))
}

fn known(config: &Config, names: &[&String]) -> Result<(), Failed> {
    for name in names {
        if !config.libraries.contains_key(*name) {
            let near = nearest(name, config.libraries.keys().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let file = config.file.display();
            return Err(Failed::usage(format!(
                "there is no file `{name}`, and {file} has no library of that name{near}"
            )));
        }
    }
    Ok(())
}

fn target_of(image: &Image) -> Option<Target> {
    let name = image.runtime()?;
    Target::ALL.into_iter().find(|target| target.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_header_is_one_even_if_it_is_missing() {
        assert!(is_file("gone.h") && is_file("GONE.H") && is_file("include/gone"));
        assert!(!is_file("reader"));
    }
}
