//! `bridge32 reload`: has a running gateway read its configuration again, or one of its libraries.

use clap::Args;
use clap_complete::ArgValueCompleter;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::credentials::Access;
use super::{Failed, completions, note, print};

/// Have a running gateway read its configuration again, or a library
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 reload                       (the configuration: says what has changed)
  bridge32 reload calc                  (the file and the headers of one library)
  bridge32 reload --config /etc/bridge32/bridge32.toml --json

What is new is checked first, and started beside what runs: no call fails. If it does not work nothing changes, and the command
says why. The key needs the scope `manage`. Where the file has another `listen` or `keys_file` now, --url and --key-file name
those of the gateway that runs; BRIDGE32_ variables are those that the gateway was started with.")]
pub(super) struct Reload {
    /// The library; without it the configuration is read again
    #[arg(add = ArgValueCompleter::new(completions::libraries))]
    library: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Deserialize)]
struct Applied {
    lines: Vec<String>,
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Replaced {
    library: Summary,
    before: Seen,
    after: Seen,
}

#[derive(Deserialize)]
struct Summary {
    fallback: Option<Fallback>,
}

#[derive(Deserialize)]
struct Fallback {
    number: usize,
    passed_over: Vec<String>,
}

#[derive(Deserialize)]
struct Seen {
    file_sha256: Option<String>,
    functions_declared: usize,
    functions_callable: Option<usize>,
}

impl Reload {
    pub(super) fn run(self) -> Result<(), Failed> {
        let config = self.access.configuration()?;
        let gateway = self.access.gateway(config.as_ref())?;
        let path = match &self.library {
            Some(name) => format!("/v1/libraries/{name}/reload"),
            None => "/v1/reload".to_owned(),
        };
        let (status, answer) = gateway.post(&path, Vec::new())?;
        if self.json && serde_json::from_slice::<Value>(&answer).is_ok() {
            print(String::from_utf8_lossy(&answer));
        }
        if status != StatusCode::OK {
            return Err(refused(status, &answer));
        }
        if self.json {
            return Ok(());
        }
        match self.library {
            Some(name) => replaced(&name, &serde_json::from_slice(&answer).map_err(Failed::problem)?),
            None => applied(&serde_json::from_slice(&answer).map_err(Failed::problem)?),
        }
        Ok(())
    }
}

fn refused(status: StatusCode, answer: &[u8]) -> Failed {
    let problem = serde_json::from_slice::<Value>(answer).unwrap_or_default();
    let detail = problem["detail"]
        .as_str()
        .map_or_else(|| format!("the answer ({status}) is none of a bridge32"), str::to_owned);
    let remedy = if status == StatusCode::FORBIDDEN { "\n  --key ID takes another key" } else { "" };
    Failed::problem(format!("{detail}{remedy}"))
}

fn applied(applied: &Applied) {
    if applied.lines.is_empty() {
        print("nothing has changed");
    }
    applied.lines.iter().for_each(print);
    applied.warnings.iter().for_each(|warning| note(format_args!("warning: {warning}")));
}

fn replaced(name: &str, replaced: &Replaced) {
    let Replaced { library, before, after } = replaced;
    print(format_args!("{name} was reloaded"));
    print(changed("file", &short(before.file_sha256.as_ref()), &short(after.file_sha256.as_ref())));
    print(changed("functions", &functions(before), &functions(after)));
    if let Some(Fallback { number, passed_over }) = &library.fallback {
        note(format_args!("warning: fallback {number} runs it, because: {}", passed_over.join(" ")));
    }
}

fn changed(what: &str, before: &str, after: &str) -> String {
    if before == after {
        format!("  {what}: {after}, as before")
    } else {
        format!("  {what}: {after}, before {before}")
    }
}

fn functions(seen: &Seen) -> String {
    match seen.functions_callable {
        Some(callable) => format!("{} declared, {callable} callable", seen.functions_declared),
        None => format!("{} declared", seen.functions_declared),
    }
}

/// Enough of a hash to tell one file from another.
fn short(hash: Option<&String>) -> String {
    hash.map_or_else(|| "not loaded".to_owned(), |hash| hash.chars().take(12).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_changed_is_said_with_what_it_was() {
        assert_eq!(changed("file", "a", "b"), "  file: b, before a");
        assert_eq!(changed("file", "a", "a"), "  file: a, as before");
        let seen = Seen { file_sha256: None, functions_declared: 3, functions_callable: Some(2) };
        assert_eq!(functions(&seen), "3 declared, 2 callable");
        assert_eq!(short(seen.file_sha256.as_ref()), "not loaded");
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_gateway() {
        let answer = br#"{"detail": "bridge32.toml:3:1: unknown key."}"#;
        assert_eq!(refused(StatusCode::UNPROCESSABLE_ENTITY, answer).text, "bridge32.toml:3:1: unknown key.");
        assert!(refused(StatusCode::FORBIDDEN, b"{}").text.contains("--key"));
        assert!(refused(StatusCode::BAD_GATEWAY, b"<html>").text.contains("none of a bridge32"));
    }
}
