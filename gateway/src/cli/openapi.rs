//! `bridge32 openapi`: prints the document that a gateway would serve, without starting anything.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;

use super::{Failed, config_file, note, print};
use crate::api::openapi::{part, server};
use crate::config;
use crate::libraries::{Library, Prepared};
use crate::openapi::{Part, document};

/// Print the OpenAPI document of a configuration, without starting anything
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 openapi --config bridge32.toml > openapi.json
  bridge32 openapi --library reader --library printer | npx openapi-typescript -o api.d.ts

It is the document of GET /openapi.json: the contract of the gateway, and an operation for each function.")]
pub(super) struct Openapi {
    /// The configuration file
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE", default_value = "bridge32.toml")]
    config: PathBuf,
    /// Only the functions of this library (can be repeated)
    #[arg(long = "library", value_name = "LIB")]
    libraries: Vec<String>,
}

impl Openapi {
    pub(super) fn run(self) -> Result<(), Failed> {
        let loaded = config::load(&config_file(Some(self.config)), std::env::vars()).map_err(Failed::problem)?;
        let libraries = Prepared::read(&loaded.config).libraries;
        let known: BTreeSet<&str> = libraries.iter().map(|library| library.name.as_str()).collect();
        if let Some(unknown) = self.libraries.iter().find(|name| !known.contains(name.as_str())) {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Failed::usage(format!("there is no library `{unknown}`; the configuration has: {known}")));
        }
        let wanted = |library: &&Library| self.libraries.is_empty() || self.libraries.contains(&library.name);
        let wanted = libraries.iter().map(|library| &**library).filter(wanted);
        let wanted: Vec<_> = wanted.map(|library| (library, library.declared())).collect();
        let parts: Vec<Part> = wanted.iter().map(|(library, declared)| part(library, declared)).collect();
        for Part { name, header, .. } in &parts {
            for diagnostic in &header.diagnostics {
                note(format_args!("{name}: {diagnostic}"));
            }
        }
        let document = document(&server(&loaded.config), &parts);
        print(serde_json::to_string_pretty(&document).map_err(Failed::problem)?);
        Ok(())
    }
}
