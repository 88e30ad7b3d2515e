//! The configuration: whether it can be used, and what the environment changes of it.

use std::path::Path;

use super::finding::Findings;
use crate::config::{self, Config, ConfigError};

/// Loads it with these variables of the environment; `None` if it cannot be used.
pub(super) fn examine(file: &Path, variables: &[(String, String)], findings: &mut Findings) -> Option<Config> {
    findings.begin("configuration");
    let subject = file.display().to_string();
    let loaded = match config::load(file, variables.iter().cloned()) {
        Ok(loaded) => loaded,
        Err(error) => {
            let found = error.to_string();
            findings.problem("configuration", found).remedy(remedy(&error)).see("README.md#your-own-library");
            return None;
        }
    };
    findings.ok(&subject, "can be used");
    for warning in loaded.warnings {
        findings.warning("environment", warning).remedy("correct the variable's name, or unset it");
    }
    for name in config::overrides(variables.iter().cloned()) {
        findings.note(
            format!("environment variable {name}"),
            format!("it goes before what {subject} says; a gateway that is started elsewhere may not have it"),
        );
    }
    if loaded.config.libraries.is_empty() {
        let found = "it has no [library.NAME] table: there is nothing to call";
        findings
            .warning(subject, found)
            .remedy(format!("bridge32 import vendor.dll vendor.h --config {}", file.display()));
    }
    Some(loaded.config)
}

fn remedy(error: &ConfigError) -> String {
    match error {
        ConfigError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            "name the file with --config FILE, or make one: bridge32 init".to_owned()
        }
        ConfigError::Unreadable { file, .. } => {
            format!("run this as the user that the gateway runs as, or let that user read it: ls -l {}", file.display())
        }
        ConfigError::Syntax { file, line, .. } => format!("correct line {line} of {}", file.display()),
        ConfigError::Environment { variable, .. } => format!("correct the variable, or remove it: unset {variable}"),
        ConfigError::Value { file, line: Some(line), key, .. } => {
            format!("correct `{key}` in line {line} of {}", file.display())
        }
        ConfigError::Value { file, key, .. } => format!("correct `{key}` in {}", file.display()),
    }
}
