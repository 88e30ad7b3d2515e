//! `bridge32 password`: makes the hash of a password for `[dashboard]` of the configuration.

use std::io::IsTerminal as _;

use clap::Args;

use super::{Failed, note, print};
use crate::auth::sessions::{MAX_PASSWORD, MIN_PASSWORD, Password as Hash};

/// Print the hash of a password for the dashboard
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 password                         (asks twice, shows nothing)
  pass show bridge32 | bridge32 password    (the first line of standard input)

The hash (argon2id) goes into the configuration, in quotes that leave the dollars alone:
  [dashboard]
  password = '$argon2id$v=19$…'")]
pub(super) struct Password {}

impl Password {
    pub(super) fn run() -> Result<(), Failed> {
        let password = read()?;
        let length = password.chars().count();
        if length < MIN_PASSWORD || password.len() > MAX_PASSWORD {
            let rule = format!("a password has at least {MIN_PASSWORD} characters and at most {MAX_PASSWORD} bytes");
            return Err(Failed::problem(rule));
        }
        print(Hash::hash(&password).map_err(Failed::problem)?);
        if std::io::stdout().is_terminal() {
            note("Put it under [dashboard] of the configuration, as password = '…', and start the gateway again.");
        }
        Ok(())
    }
}

fn read() -> Result<String, Failed> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(Failed::problem)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(Failed::problem);
    let password = ask("Password: ")?;
    if password != ask("Again: ")? {
        return Err(Failed::problem("the two are not the same: nothing was made"));
    }
    Ok(password)
}
