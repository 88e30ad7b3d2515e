//! `bridge32 init`: makes a configuration and a key, to begin with.

mod runtimes;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::call::example::quoted;
use super::{Failed, note, print};
use crate::auth;
use crate::auth::keys::NewKey;
use runtimes::Runtimes;

/// The id of the key that is made.
const KEY: &str = "admin";

/// What it may do: everything but be an agent.
const SCOPES: [&str; 5] = ["call:*", "adhoc", "read", "history", "manage"];

/// Make a configuration and a key, to begin with
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 init
  bridge32 init /srv/bridge32

It writes bridge32.toml (requests are signed; how agents are started is found out) and keys.toml (one key that may do
everything, readable for you alone) into the folder, which is made if it is not there. A file that is there stays as it is.")]
pub(super) struct Init {
    /// Where to put them
    #[arg(default_value = ".")]
    folder: PathBuf,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failed> {
        let (config, keys) = (self.folder.join("bridge32.toml"), self.folder.join("keys.toml"));
        if let Some(there) = [&config, &keys].into_iter().find(|file| file.exists()) {
            return Err(Failed::problem(format!(
                "{} is there already, and nothing was changed: `bridge32 import` adds a library to a configuration; for a new \
                 one name another folder, as in `bridge32 init FOLDER`",
                there.display()
            )));
        }
        let program = std::env::current_exe().map_err(Failed::problem)?;
        let runtimes = Runtimes::find(&program);
        std::fs::create_dir_all(&self.folder).map_err(|error| unwritable(&self.folder, &error))?;
        write_new(&config, &configuration(&runtimes))?;
        let key = NewKey { id: KEY.to_owned(), scopes: SCOPES.map(str::to_owned).into(), ..NewKey::default() };
        auth::keys::add(&keys, &key).map_err(Failed::problem).inspect_err(|_| {
            // Half of it would only be in the way of the next attempt.
            let _ = std::fs::remove_file(&config);
        })?;
        print(format_args!("{}: requests must be signed; {}", config.display(), runtimes.summary()));
        print(format_args!("{}: one key, `{KEY}`, which may do everything. Nobody else may read it", keys.display()));
        runtimes.missing().for_each(note);
        self.next(&config);
        Ok(())
    }

    /// What to do next, in the words of this command line.
    fn next(&self, config: &Path) {
        let typed = std::env::args().next().unwrap_or_else(|| "bridge32".to_owned());
        // PowerShell takes what is in quotes for a text, unless it is told to run it.
        let call = if cfg!(windows) && quoted(&typed) != typed { "& " } else { "" };
        let program = format!("{call}{}", quoted(&typed));
        let here = self.folder == Path::new(".");
        let option = if here { String::new() } else { format!(" --config {}", quoted(&config.display().to_string())) };
        note("Next:");
        note(format_args!("  {program} import vendor.dll vendor.h{option}      # your library, and its header"));
        note(format_args!("  {program} serve{option}"));
        note(format_args!("  {program} call{option}      # in another terminal: what there is to call"));
    }
}

fn configuration(runtimes: &Runtimes) -> String {
    format!(
        "# What bridge32 serves, to whom, and how it is run. `bridge32 check` looks for mistakes, `bridge32 import` adds libraries.\n\
         # Paths are relative to this file.\n\n\
         listen = \"127.0.0.1:8032\"\n\
         data_dir = \"data\"\n\n\
         # Every request is signed with a key of this file.\n\
         [auth]\n\
         mode = \"hmac\"\n\
         keys_file = \"keys.toml\"\n\n\
         {}",
        runtimes.tables()
    )
}

/// Writes a file that must not be there yet.
fn write_new(file: &Path, text: &str) -> Result<(), Failed> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failed {
    Failed::problem(format!("cannot write {}: {error}", file.display()))
}
