//! `bridge32 sign-in`: prints a link that signs a person in at a browser.

use clap::Args;
use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::credentials::Access;
use super::{Failed, note, print};
use crate::config::AuthConfig;

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
    #[command(flatten)]
    access: Access,
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
        let config = self.access.configuration()?;
        let gateway = self.access.gateway(config.as_ref())?;
        if config.is_some_and(|config| matches!(config.auth, AuthConfig::Off)) {
            let url = gateway.address();
            return Err(Failed::problem(format!("auth.mode is \"off\", nobody has to sign in: open {url}")));
        }
        let (status, answer) = gateway.post("/v1/sign-in-links", Vec::new())?;
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
