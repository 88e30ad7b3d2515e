//! `bridge32 keys`: the keys of a gateway, in its key file. A running gateway follows the file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Failed, config_file, note, print};
use crate::auth::Scopes;
use crate::auth::keys::{self, LastUses, NewKey, Shown, View};
use crate::config::{self, AuthConfig, Config};

/// List, add, rotate and revoke keys
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 keys list
  bridge32 keys add ci --scope call:calc --scope read
  bridge32 keys add till-7 --owner tills --scope call:reader.ReadCard --expires 90d --rate 100/s --concurrency 4
  bridge32 keys rotate ci --keep 7d
  bridge32 keys revoke ci

What is changed here is in force in a running gateway a second later. docs/keys.md has what there is to know.")]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Add(Add),
    Rotate(Rotate),
    Revoke(Revoke),
}

/// Which file.
#[derive(Debug, Args)]
struct Place {
    /// The configuration whose key file is meant
    #[arg(long, env = "BRIDGE32_CONFIG", hide_env = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The key file itself
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    keys_file: Option<PathBuf>,
}

/// Show the keys, without their secrets
#[derive(Debug, Args)]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Make a key and print its secret, this once
#[derive(Debug, Args)]
struct Add {
    /// Its id: printable ASCII
    id: String,
    /// What it allows (can be repeated): call:LIBRARY, call:LIBRARY.FUNCTION, call:*, adhoc, read, history, manage, agent
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
    /// Whose it is [default: the id]
    #[arg(long)]
    owner: Option<String>,
    /// Until when it is good: for so long (90d), or to a day (2027-01-31) or time [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = time)]
    expires: Option<Timestamp>,
    /// How many requests may be sent: 100/s, 600/min, 5000/h [default: any]
    #[arg(long)]
    rate: Option<String>,
    /// How many requests may be under way at once [default: any]
    #[arg(long, value_name = "NUMBER")]
    concurrency: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Make another key of the same owner, scopes and limits, and let the old one end
#[derive(Debug, Args)]
struct Rotate {
    /// The id of the old one
    id: String,
    /// How long the old one stays good
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "7d")]
    keep: Timestamp,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Take a key away
#[derive(Debug, Args)]
struct Revoke {
    /// Its id
    id: String,
    #[command(flatten)]
    place: Place,
}

impl Keys {
    pub(super) fn run(self) -> Result<(), Failed> {
        match self.command {
            Command::List(command) => command.run(),
            Command::Add(command) => command.run(),
            Command::Rotate(command) => command.run(),
            Command::Revoke(command) => command.run(),
        }
    }
}

/// Where keys are, and where the gateway keeps when they were used.
struct Files {
    keys: PathBuf,
    /// What the configuration says, if one is meant.
    config: Option<Config>,
}

impl Place {
    fn files(self) -> Result<Files, Failed> {
        if let Some(keys) = self.keys_file {
            return Ok(Files { keys, config: None });
        }
        let config = config::load(&config_file(self.config), std::env::vars()).map_err(Failed::problem)?.config;
        match &config.auth {
            AuthConfig::Hmac { keys_file } => Ok(Files { keys: keys_file.clone(), config: Some(config) }),
            AuthConfig::Off => Err(Failed::problem(format!(
                "{} says auth.mode = \"off\": nobody needs a key there. Set it to \"hmac\", or name a file with --keys-file",
                config.file.display()
            ))),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Failed> {
        let Files { keys: file, config } = self.place.files()?;
        let entries = keys::read(&file).map_err(Failed::problem)?;
        let uses = config.map_or_else(|| Ok(LastUses::default()), |config| keys::last_uses(&config.data_dir));
        let uses = uses.unwrap_or_else(|error| {
            note(format_args!("bridge32: when keys were used last is not known: {error}"));
            LastUses::default()
        });
        let views: Vec<View> =
            entries.iter().map(|entry| View::new(entry, uses.get(entry.key.id()).copied())).collect();
        if self.json {
            let document = serde_json::json!({ "keys": views });
            print(serde_json::to_string_pretty(&document).map_err(Failed::problem)?);
        } else {
            for view in &views {
                print(line(view));
            }
        }
        Ok(())
    }
}

/// One key for a person.
fn line(view: &View) -> String {
    let of = if view.owner == view.id { String::new() } else { format!(" of {}", view.owner) };
    let scopes: Vec<&str> = view.scopes.iter().collect();
    let mut facts = vec![scopes.join(" ")];
    facts.extend(view.expires.map(|at| format!("{} {at}", if view.expired { "EXPIRED" } else { "expires" })));
    facts.extend(view.rate.map(|rate| format!("at most {rate}")));
    facts.extend(view.concurrency.map(|number| format!("at most {number} at once")));
    facts.push(
        view.last_used
            .map_or_else(|| "not used yet, as of some seconds ago".to_owned(), |at| format!("last used {at}")),
    );
    format!("{}{of}: {}", view.id, facts.join("; "))
}

impl Add {
    fn run(self) -> Result<(), Failed> {
        let Files { keys: file, config } = self.place.files()?;
        let unknown = config.map(|config| unknown_libraries(&config, &self.scopes)).unwrap_or_default();
        let new = NewKey {
            id: self.id,
            owner: self.owner,
            scopes: self.scopes,
            expires: self.expires,
            rate: self.rate,
            concurrency: self.concurrency,
        };
        let shown = keys::add(&file, &new).map_err(Failed::problem)?;
        for scope in unknown {
            note(format_args!("warning: the configuration has no library of which `{scope}` could be"));
        }
        show(&shown, self.json)
    }
}

/// The scopes for calls of what the configuration does not have.
fn unknown_libraries(config: &Config, scopes: &[String]) -> Vec<String> {
    let names: Vec<&str> = config.libraries.keys().map(String::as_str).collect();
    let scopes = Scopes::parse(scopes.to_vec()).unwrap_or_default();
    scopes.without_library(&names).map(str::to_owned).collect()
}

impl Rotate {
    fn run(self) -> Result<(), Failed> {
        let file = self.place.files()?.keys;
        let (shown, until) = keys::rotate(&file, &self.id, self.keep).map_err(Failed::problem)?;
        show(&shown, self.json)?;
        note(format_args!(
            "`{id}` stays good until {until}; `bridge32 keys revoke {id}` ends it at once.",
            id = self.id
        ));
        Ok(())
    }
}

impl Revoke {
    fn run(self) -> Result<(), Failed> {
        let file = self.place.files()?.keys;
        keys::revoke(&file, &self.id).map_err(Failed::problem)?;
        note(format_args!("`{}` is no key any more; a running gateway knows within a second.", self.id));
        Ok(())
    }
}

fn show(shown: &Shown, json: bool) -> Result<(), Failed> {
    if json {
        let document = serde_json::json!({ "id": shown.id, "secret": shown.secret.as_str() });
        print(serde_json::to_string_pretty(&document).map_err(Failed::problem)?);
    } else {
        print(format_args!("id      {}\nsecret  {}", shown.id, shown.secret.as_str()));
    }
    note(
        "This is the only time that the secret is shown: give it to whoever is to call, on a way that nobody else sees.",
    );
    note("`bridge32 curl` and the helpers of examples/ take it from BRIDGE32_KEY_ID and BRIDGE32_SECRET.");
    Ok(())
}

/// `90d`, `2027-01-31`, `2027-01-31T12:00:00Z`: a time to come.
fn time(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is no time, such as 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z");
    let time = keys::parse_end(text).ok_or_else(wrong)?;
    if time > Timestamp::now() { Ok(time) } else { Err(format!("{time} is over already")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_long_from_now_or_a_day() {
        let hours = |text: &str| (time(text).unwrap().as_second() - Timestamp::now().as_second() + 1) / 3600;
        assert_eq!((hours("12h"), hours("90d"), hours("2w")), (12, 90 * 24, 14 * 24));
        assert_eq!(time("9000-01-31").unwrap().to_string(), "9000-01-31T00:00:00Z");
        for (wrong, words) in
            [("soon", "such as 90d"), ("90", "such as 90d"), ("2020-01-01", "over already"), ("-5d", "over")]
        {
            assert!(time(wrong).unwrap_err().contains(words), "{wrong}: {:?}", time(wrong));
        }
    }
}
