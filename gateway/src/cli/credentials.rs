//! Which gateway a command talks to, and which key it signs with: the options for that, and where they come from if they are
//! not given. Every command that sends or signs a request has them from here.

use std::env::VarError;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_signature::Key;
use clap::Args;

use super::client::Gateway;
use super::{Failed, config_file};
use crate::auth::keys;
use crate::config::{self, AuthConfig, Config};

/// Where a gateway is if nothing says anything else.
const DEFAULT_URL: &str = "http://127.0.0.1:8032";

/// The two variables that hold a key.
const KEY_ID: &str = "BRIDGE32_KEY_ID";
const SECRET: &str = "BRIDGE32_SECRET";

/// The gateway, and the key to sign with.
#[derive(Clone, Debug, Args)]
pub(super) struct Access {
    /// The gateway's address [default: what the configuration says, or port 8032 of this machine]
    #[arg(long, env = "BRIDGE32_URL", hide_env = true)]
    url: Option<String>,
    /// The certificates to trust over https, a PEM file [default: those that this machine trusts]
    #[arg(long, env = "BRIDGE32_CACERT", hide_env = true, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// The configuration file: it has the gateway's address and the file of the keys
    #[arg(long, env = "BRIDGE32_CONFIG", hide_env = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The id of the key to sign with [default: the first of the key file]
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// A file of [[key]] tables to sign with, instead of the configuration's
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Access {
    /// The given configuration, which must be there; `bridge32.toml` of this folder may be.
    ///
    /// # Errors
    /// It cannot be used.
    pub(super) fn configuration(&self) -> Result<Option<Config>, Failed> {
        let file = config_file(self.config.clone());
        if self.config.is_none() && !file.exists() {
            return Ok(None);
        }
        Ok(Some(config::load(&file, std::env::vars()).map_err(Failed::problem)?.config))
    }

    /// Where the gateway is.
    pub(super) fn address(&self, config: Option<&Config>) -> String {
        let configured = || Some(config?.listeners.local_url()?.to_string());
        self.url.clone().or_else(configured).unwrap_or_else(|| DEFAULT_URL.to_owned())
    }

    /// The file of certificates to trust, if one is given.
    pub(super) fn trusted(&self) -> Option<&Path> {
        self.cacert.as_deref()
    }

    /// The gateway, with the key if there is one.
    ///
    /// # Errors
    /// Its address is none, or a key that was asked for cannot be used.
    pub(super) fn gateway(&self, config: Option<&Config>) -> Result<Gateway, Failed> {
        self.gateway_at(&self.address(config), config)
    }

    /// The gateway at another address, with the same key.
    ///
    /// # Errors
    /// As [`Access::gateway`].
    pub(super) fn gateway_at(&self, url: &str, config: Option<&Config>) -> Result<Gateway, Failed> {
        Gateway::new(url, self.key(config)?, self.trusted())
    }

    /// The key to sign with: of `--key-file`, else of the environment, else of the configuration's key file. `None` where
    /// there is none, or the configuration asks for no signatures.
    ///
    /// # Errors
    /// What was given cannot be used.
    pub(super) fn key(&self, config: Option<&Config>) -> Result<Option<Key>, Failed> {
        if let Some(file) = &self.key_file {
            return self.of_file(file).map(Some);
        }
        if let Some(key) = of_environment(std::env::var(KEY_ID), std::env::var(SECRET))?
            && self.key.as_deref().is_none_or(|wanted| wanted == key.id())
        {
            return Ok(Some(key));
        }
        match (config.map(|config| &config.auth), &self.key) {
            (Some(AuthConfig::Hmac { keys_file }), _) => self.of_file(keys_file).map(Some),
            (_, Some(id)) => Err(Failed::usage(format!("where is the key `{id}`? {NO_KEY}"))),
            (_, None) => Ok(None),
        }
    }

    /// The key to sign with, where nothing can be done without one.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub(super) fn needed_key(&self, config: Option<&Config>) -> Result<Key, Failed> {
        let off = config.is_some_and(|config| matches!(config.auth, AuthConfig::Off));
        let why =
            if off { "the configuration says auth.mode = \"off\": its gateway asks for no signature. " } else { "" };
        self.key(config)?.ok_or_else(|| Failed::usage(format!("there is no key to sign with: {why}{NO_KEY}")))
    }

    fn of_file(&self, file: &Path) -> Result<Key, Failed> {
        let key = keys::to_sign_with(file, self.key.as_deref()).map_err(Failed::problem)?;
        key.ok_or_else(|| {
            let missing = match &self.key {
                Some(id) => format!("has no key `{id}`"),
                None => "has no key whose time is not over; `bridge32 keys rotate` gives another one".to_owned(),
            };
            Failed::usage(format!("{} {missing}", file.display()))
        })
    }
}

/// What to do without a key.
pub(super) const NO_KEY: &str = "--key-file FILE names a file of [[key]] tables, --config FILE a configuration whose key file \
                                 is used (bridge32.toml of this folder is, too), and BRIDGE32_KEY_ID and BRIDGE32_SECRET hold one \
                                 key; `bridge32 init` makes a configuration with a key";

/// The key of the two variables.
fn of_environment(id: Result<String, VarError>, secret: Result<String, VarError>) -> Result<Option<Key>, Failed> {
    let (id, secret) = match (id, secret) {
        (Err(VarError::NotPresent), Err(VarError::NotPresent)) => return Ok(None),
        (Ok(id), Ok(secret)) => (id, secret),
        (Ok(_), Err(VarError::NotPresent)) => return Err(lone(KEY_ID, SECRET)),
        (Err(VarError::NotPresent), Ok(_)) => return Err(lone(SECRET, KEY_ID)),
        (Err(VarError::NotUnicode(_)), _) => return Err(Failed::usage(format!("{KEY_ID} is not UTF-8"))),
        (_, Err(VarError::NotUnicode(_))) => return Err(Failed::usage(format!("{SECRET} is not UTF-8"))),
    };
    // Neither text shows the secret.
    let wrong =
        || Failed::usage(format!("{SECRET} is not base64: it is the `secret` of a [[key]] table, as it stands there"));
    let secret = STANDARD.decode(secret.trim()).map_err(|_| wrong())?;
    let unusable =
        || Failed::usage(format!("{KEY_ID} and {SECRET} are no key: an id is printable ASCII, a secret is not empty"));
    Key::new(&id, &secret).map(Some).ok_or_else(unusable)
}

fn lone(set: &str, missing: &str) -> Failed {
    Failed::usage(format!("{set} is set, and {missing} is not: a key needs both"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: Option<&str>, secret: Option<&str>) -> Result<Option<String>, String> {
        let variable = |text: Option<&str>| text.map(str::to_owned).ok_or(VarError::NotPresent);
        let key = of_environment(variable(id), variable(secret));
        key.map(|key| key.map(|key| key.id().to_owned())).map_err(|failed| failed.text)
    }

    #[test]
    fn the_environment_holds_a_whole_key_or_none() {
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some("ci"), Some("AAECAw==\n")), Ok(Some("ci".to_owned())));
        assert!(of(Some("ci"), None).unwrap_err().contains("BRIDGE32_SECRET is not"));
        assert!(of(None, Some("AAECAw==")).unwrap_err().contains("BRIDGE32_KEY_ID is not"));
        let text = of(Some("ci"), Some("geheim!")).unwrap_err();
        assert!(text.contains("not base64") && !text.contains("geheim"), "{text}");
        assert!(of(Some("c\"i"), Some("AAECAw==")).unwrap_err().contains("no key"));
    }
}
