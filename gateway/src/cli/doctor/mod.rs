//! `bridge32 doctor`: looks at everything that a bridge needs, starts agents and loads libraries in a gateway of its own, and says
//! for each finding what to do. A file a kind of check.

mod configuration;
mod finding;
mod folders;
mod keys;
mod libraries;
mod listeners;
mod loading;
mod machine;
mod ports;
mod program;
mod running;
mod runtimes;
mod system;
#[cfg(test)]
mod tests;
mod text;
mod wine;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Failed, config_file, note, print};
use crate::config::Config;
use crate::libraries::Prepared;
use finding::{Findings, Level};

/// Find out why a bridge does not work: configuration, files, agents, Wine, ports, clock
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 doctor --config bridge32.toml
  bridge32 doctor --no-load                   (runs no code of any library)
  bridge32 doctor --json | jq '.findings[] | select(.level == \"problem\")'

Run it as the user that the gateway runs as. It starts each runtime's agent and, unless a gateway runs already, loads every
library in agents of its own, which end with it; a gateway that runs is asked instead. It changes nothing, but the first start of Wine
makes Wine's prefix. `bridge32 check` looks at the configuration and its files alone, and runs nothing.
The exit code is 0 without problems, and 1 with some; notes and warnings do not count.")]
pub(super) struct Doctor {
    /// The configuration file
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE", default_value = "bridge32.toml")]
    config: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Tell what is well, too
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    loading: Loading,
}

/// Whether libraries are loaded; without either, they are if no gateway runs.
#[derive(Debug, Default, Args)]
struct Loading {
    /// Do not load the libraries
    #[arg(long)]
    no_load: bool,
    /// Load the libraries even if a gateway runs, which may have their devices
    #[arg(long, conflicts_with = "no_load")]
    load: bool,
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failed> {
        let file = config_file(Some(self.config.clone()));
        let mut findings = Findings::default();
        let variables: Vec<(String, String)> = std::env::vars().collect();
        if let Some(config) = configuration::examine(&file, &variables, &mut findings) {
            self.examine(&config, &mut findings);
        }
        system::examine(&mut findings);
        self.show(&findings)
    }

    /// Everything that a configuration names.
    fn examine(&self, config: &Config, findings: &mut Findings) {
        let own_folder = folders::examine(config, findings);
        let all = Prepared::read(config).libraries;
        keys::examine(config, &all, findings);
        let running = listeners::examine(config, findings);
        self.say("agents are started; the first start of Wine takes its time");
        let broken = runtimes::examine(config, &all, findings);
        let sound = libraries::examine(config, &all, &broken, findings);
        findings.begin("loading");
        if let Some(gateway) = &running {
            running::examine(config, gateway, findings);
        }
        self.load(config, &sound, running.is_some(), own_folder, findings);
    }

    /// Loads the libraries, unless that would be in somebody's way.
    fn load(&self, config: &Config, sound: &BTreeSet<String>, running: bool, own: bool, findings: &mut Findings) {
        let Loading { no_load, load } = self.loading;
        let why_not = if running {
            "they are not loaded a second time beside the gateway that runs; --load does it"
        } else {
            "they are not loaded: this user's gateway would not start"
        };
        match (no_load, load || (!running && own)) {
            (true, _) => {}
            (false, true) => {
                self.say("libraries are loaded");
                loading::examine(config, sound, findings);
            }
            (false, false) => {
                findings.note("libraries", why_not);
            }
        }
    }

    /// What takes a while now. Whoever reads JSON does not need it.
    fn say(&self, text: &str) {
        if !self.json {
            note(format_args!("doctor: {text} …"));
        }
    }

    fn show(&self, findings: &Findings) -> Result<(), Failed> {
        let problems = findings.count(Level::Problem);
        if self.json {
            let warnings = findings.count(Level::Warning);
            let report = json!({"findings": findings.all(), "problems": problems, "warnings": warnings});
            print(serde_json::to_string_pretty(&report).map_err(Failed::problem)?);
        } else {
            print(text::text(findings, self.verbose));
        }
        if problems == 0 { Ok(()) } else { Err(Failed::problem("")) }
    }
}
