//! `bridge32 interface new`: writes a header to start from.

use std::io::Write as _;
use std::path::PathBuf;

use bridge32_protocol::target::Target;
use clap::Args;

use crate::cli::{Failed, headers, note, print};
use crate::starter::{self, Known};

/// Write a header to start from, made of what a library exports
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 interface new vendor.dll                 (shows it)
  bridge32 interface new vendor.dll -o vendor.h
  bridge32 interface new vendor.dll --json | jq '.exports[] | select(.known == \"bytes\")'

C++ names of Microsoft's compilers state types: these functions are declared. Decorated names (_Add@8) state a convention and
the bytes of arguments, other names nothing: these are comments for you to complete, so that nothing can be called that was
only guessed.")]
pub(super) struct New {
    /// The library file: PE (.dll) or ELF (.so)
    file: PathBuf,
    /// Write the header there; a file that exists is kept
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Make the header for this runtime [default: what the file needs]
    #[arg(long, value_parser = headers::target)]
    target: Option<Target>,
    /// Print the header and what was found of each export as JSON
    #[arg(long)]
    json: bool,
}

impl New {
    pub(super) fn run(self) -> Result<(), Failed> {
        let shown = self.file.display().to_string();
        let image = headers::library(&self.file)?;
        let own = image.runtime().and_then(|name| headers::target(name).ok());
        let Some(target) = self.target.or(own) else {
            let text = format!("{shown} is for {}, and no runtime of bridge32 can load that", image.architecture);
            return Err(Failed::problem(text));
        };
        let starter = starter::make(&headers::shown(&self.file), &image, target);
        if self.json {
            print(serde_json::to_string_pretty(&starter).map_err(Failed::problem)?);
        }
        match &self.output {
            Some(output) => {
                let written =
                    std::fs::File::create_new(output).and_then(|mut file| file.write_all(starter.header.as_bytes()));
                written.map_err(|error| match error.kind() {
                    std::io::ErrorKind::AlreadyExists => Failed::problem(format!(
                        "{} exists: remove it, or write to another file with -o",
                        output.display()
                    )),
                    _ => Failed::problem(format!("cannot write {}: {error}", output.display())),
                })?;
            }
            None if !self.json => print(starter.header.trim_end()),
            None => {}
        }
        let number = |wanted: &[Known]| starter.exports.iter().filter(|entry| wanted.contains(&entry.known)).count();
        note(format_args!(
            "{}: {} exports; {} declared from C++ names, {} to complete ({} with convention and bytes), {} data, {} left out",
            shown,
            starter.exports.len(),
            number(&[Known::Types]),
            number(&[Known::Bytes, Known::Part, Known::Name]),
            number(&[Known::Bytes]),
            number(&[Known::Data]),
            number(&[Known::Nothing])
        ));
        if let Some(output) = &self.output {
            note(format_args!("next: complete {0}, then `bridge32 import {shown} {0}`", output.display()));
        }
        Ok(())
    }
}
