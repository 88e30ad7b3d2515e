//! `bridge32 sign-in`: prints a link that signs a person in at a browser.

use std::path::PathBuf;

use clap::Args;
use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::client::Gateway;
use super::{Failed, config_file, note, print};
use crate::auth::Keys;
use crate::config::{self, AuthConfig};

/// Print a link that signs you in at a browser, once
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 sign-in
  xdg-open $(bridge32 sign-in)
  bridge32 sign-in --config /etc/bridge32/bridge32.toml --key ops

A running gateway makes the link; the key needs the scope `manage`. Whoever opens the link may do what the key may, until the
session ends. It is good once, for an hour.")]
pub(super) struct SignIn {
    /// The configuration file of the gateway
    #[arg(long, env = "BRIDGE32_CONFIG", value_name = "FILE", default_value = "bridge32.toml")]
    config: PathBuf,
    /// The gateway's address [default: what the configuration says]
    #[arg(long, env = "BRIDGE32_URL")]
    url: Option<String>,
    /// The id of the key to sign with [default: the first of the key file]
    #[arg(long, value_name = "ID")]
    key: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    url: String,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl SignIn {
    pub(super) fn run(self) -> Result<(), Failed> {
        let config = config::load(&config_file(Some(self.config)), std::env::vars()).map_err(Failed::problem)?.config;
        let url = self.url.unwrap_or_else(|| format!("http://{}", config.listen));
        let AuthConfig::Hmac { keys_file } = &config.auth else {
            return Err(Failed::problem(format!("auth.mode is \"off\", nobody has to sign in: open {url}")));
        };
        let keys = Keys::read(keys_file).map_err(Failed::problem)?;
        let Some(key) = keys.get(self.key.as_deref()) else {
            let id = self.key.unwrap_or_default();
            return Err(Failed::usage(format!("{} has no key `{id}`", keys_file.display())));
        };
        let (status, answer) = Gateway::new(&url, Some(key.clone()))?.post("/v1/sign-in-links", Vec::new())?;
        if status != StatusCode::CREATED {
            let refusal = serde_json::from_slice::<Refusal>(&answer);
            let detail =
                refusal.map_or_else(|_| format!("the answer ({status}) is none of a bridge32"), |it| it.detail);
            let remedy = if status == StatusCode::FORBIDDEN { "\n  --key ID takes another key" } else { "" };
            return Err(Failed::problem(format!("{detail}{remedy}")));
        }
        let link: Link = serde_json::from_slice(&answer).map_err(Failed::problem)?;
        print(link.url);
        let until = link.expires_at.to_zoned(TimeZone::system()).strftime("%H:%M");
        note(format_args!("Good once, until {until}."));
        Ok(())
    }
}
