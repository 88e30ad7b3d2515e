//! `bridge32 call`: calls a function through a running gateway.

use std::fmt::Write as _;
use std::path::PathBuf;

use bridge32_signature::Key;
use clap::Args;
use http::StatusCode;
use serde_json::Value;

use super::client::Gateway;
use super::{Failed, config_file, note, print, values};
use crate::auth::Keys;
use crate::config::{self, AuthConfig, Config};

const DEFAULT_URL: &str = "http://127.0.0.1:8032";

/// Call a function through a running gateway
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 call calc Add a=2 b=3
  bridge32 call z crc32 crc=0 buf=@picture.png len=51234
  bridge32 call k32 lstrlenW \"lpString='123'\"       (quoted: text, not a number)
  bridge32 call calc Add a=2 b=3 --json | jq .result

Address and key come from the configuration file (bridge32.toml of this folder, if there is one).")]
pub(super) struct Call {
    /// The library's name
    library: String,
    /// The function's name
    function: String,
    /// The arguments: JSON values, or text; name=@FILE sends a file's bytes as base64
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Print the whole answer as JSON
    #[arg(long)]
    json: bool,
    /// The gateway's address [default: what the configuration says, or port 8032 of this machine]
    #[arg(long, env = "BRIDGE32_URL")]
    url: Option<String>,
    /// The configuration file
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The id of the key to sign with [default: the first of the key file]
    #[arg(long, value_name = "ID")]
    key: Option<String>,
}

impl Call {
    pub(super) fn run(self) -> Result<(), Failed> {
        let arguments = values::object(&self.arguments, |file| std::fs::read(file)).map_err(Failed::usage)?;
        let config = self.configuration()?;
        let key = self.signing_key(config.as_ref())?;
        let url = self.url.clone().or_else(|| config.map(|config| format!("http://{}", config.listen)));
        let gateway = Gateway::new(url.as_deref().unwrap_or(DEFAULT_URL), key)?;
        let path = format!("/v1/libraries/{}/functions/{}", escape(&self.library), escape(&self.function));
        let body = serde_json::to_vec(&arguments).map_err(Failed::problem)?;
        let (status, answer) = gateway.post(&path, body)?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| Failed::problem(format!("the answer ({status}) is not JSON: is that a bridge32 gateway?")))?;
        show(status, &answer, self.json)
    }

    /// The given file must be there; `bridge32.toml` of this folder may be.
    fn configuration(&self) -> Result<Option<Config>, Failed> {
        let file = config_file(self.config.clone());
        if self.config.is_none() && !file.exists() {
            return Ok(None);
        }
        Ok(Some(config::load(&file, std::env::vars()).map_err(Failed::problem)?.config))
    }

    fn signing_key(&self, config: Option<&Config>) -> Result<Option<Key>, Failed> {
        let Some(AuthConfig::Hmac { keys_file }) = config.map(|config| &config.auth) else { return Ok(None) };
        let keys = Keys::read(keys_file).map_err(Failed::problem)?;
        let missing = || {
            let id = self.key.as_deref().unwrap_or_default();
            Failed::usage(format!("{} has no key `{id}`", keys_file.display()))
        };
        keys.get(self.key.as_deref()).cloned().map(Some).ok_or_else(missing)
    }
}

fn show(status: StatusCode, answer: &Value, json: bool) -> Result<(), Failed> {
    if json {
        print(format_args!("{answer:#}"));
    }
    if !status.is_success() {
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        let pointer = answer.get("pointer").and_then(Value::as_str).map(|at| format!(" (at {at})")).unwrap_or_default();
        return Err(Failed::problem(format!("{} {}: {}{pointer}", status.as_u16(), text("code"), text("detail"))));
    }
    if !json {
        print(&answer["result"]);
        for (name, value) in answer["outputs"].as_object().into_iter().flatten() {
            print(format_args!("{name} = {value}"));
        }
        note(format_args!("({} µs in the library)", answer["duration_us"]));
    }
    Ok(())
}

/// A name as part of a path (RFC 3986 §2.1).
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
