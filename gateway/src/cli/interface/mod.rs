//! `bridge32 interface`: what headers declare, reviewed; and a header to start from where there is none.

mod check;
mod new;
pub(super) mod review;
mod text;

use clap::{Args, Subcommand};

use super::Failed;

/// Review what headers declare, or make a header to start from
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 interface check vendor.h --library vendor.dll
  bridge32 interface check reader                   (a library of bridge32.toml)
  bridge32 interface new vendor.dll -o vendor.h")]
pub(super) struct Interface {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    New(new::New),
}

impl Interface {
    pub(super) fn run(self) -> Result<(), Failed> {
        match self.command {
            Command::Check(command) => command.run(),
            Command::New(command) => command.run(),
        }
    }
}

pub(super) use text::{grouped, problems};
