//! What the configuration says of what is loaded and where: hashes of files, and agents that somebody else starts.

use std::collections::BTreeMap;

use super::{AuthConfig, ConfigError, Context, LibraryConfig, is_name};

impl Context<'_> {
    /// A SHA-256 as people copy it, in lower case.
    pub(super) fn sha256(&self, key: &str, text: Option<String>) -> Result<Option<String>, ConfigError> {
        let Some(text) = text else { return Ok(None) };
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Some(text.to_ascii_lowercase()));
        }
        Err(self.wrong(key, format!("`{text}` is not 64 hexadecimal digits, as `sha256sum FILE` prints them")))
    }

    /// An agent that somebody else starts has an id of its own, and proves itself with a key.
    pub(super) fn agents(
        &self,
        libraries: &BTreeMap<String, LibraryConfig>,
        auth: &AuthConfig,
    ) -> Result<(), ConfigError> {
        for (name, library) in libraries {
            let Some(agent) = &library.agent else { continue };
            let wrong = |message: String| Err(self.wrong(format!("library.{name}.agent"), message));
            if !is_name(agent) {
                return wrong(format!("`{agent}` is no name: letters, digits, `_`, `-` and `.`"));
            }
            if library.group.is_some() {
                return wrong(
                    "`group` is for agents that the gateway starts: libraries with the same `agent` share it anyway"
                        .to_owned(),
                );
            }
            // What the gateway starts itself can never be somebody else's.
            let own = |(name, library): (&String, &LibraryConfig)| {
                library.agent.is_none() && library.group.as_ref().unwrap_or(name) == agent
            };
            if libraries.iter().any(own) {
                return wrong(format!("`{agent}` is an agent that the gateway starts itself: choose another name"));
            }
            if matches!(auth, AuthConfig::Off) {
                return wrong(
                    "agents that somebody else starts prove themselves with a key that has the scope `agent`, and with \
                     auth.mode = \"off\" there are no keys: set it to \"hmac\""
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}
