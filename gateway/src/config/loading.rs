//! What the configuration says of what is loaded and where: hashes of files, and agents that somebody else starts.

use std::collections::BTreeMap;

use super::document::OneOrMany;
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

    /// The agents of a table or a fallback that somebody else starts.
    pub(super) fn agent_list(&self, key: &str, written: Option<OneOrMany<String>>) -> Result<Vec<String>, ConfigError> {
        let Some(agents) = written.map(OneOrMany::into_vec) else { return Ok(Vec::new()) };
        if agents.is_empty() {
            return Err(self.wrong(key, "is an empty list: leave it out where the gateway is to start the agents"));
        }
        for (index, agent) in agents.iter().enumerate() {
            if !is_name(agent) {
                return Err(self.wrong(key, format!("`{agent}` is no name: letters, digits, `_`, `-` and `.`")));
            }
            if agents[..index].contains(agent) {
                return Err(self.wrong(key, format!("`{agent}` is there twice")));
            }
        }
        Ok(agents)
    }

    /// An agent that somebody else starts has an id of its own, and proves itself with a key.
    pub(super) fn agents(
        &self,
        libraries: &BTreeMap<String, LibraryConfig>,
        auth: &AuthConfig,
    ) -> Result<(), ConfigError> {
        for (name, library) in libraries {
            if !library.agents.is_empty() && library.group.is_some() {
                let text =
                    "`group` is for agents that the gateway starts: libraries with the same `agent` share it anyway";
                return Err(self.wrong(format!("library.{name}.agent"), text));
            }
            for (leaf, agent) in library.external_agents() {
                let wrong = |message: String| Err(self.wrong(format!("library.{name}.{leaf}"), message));
                // What the gateway starts itself can never be somebody else's.
                let own = |(name, library): (&String, &LibraryConfig)| {
                    library.agents.is_empty() && library.group.as_ref().unwrap_or(name) == agent
                };
                if libraries.iter().any(own) {
                    return wrong(format!("`{agent}` is an agent that the gateway starts itself: choose another name"));
                }
                if matches!(auth, AuthConfig::Off) {
                    return wrong(
                        "agents that somebody else starts prove themselves with a key that has the scope `agent`, and \
                         with auth.mode = \"off\" there are no keys: set it to \"hmac\""
                            .to_owned(),
                    );
                }
            }
        }
        self.shared_agents(libraries)
    }

    /// An agent has one number of threads, one set of limits, and generations that count for all that it runs: who shares
    /// one shares all.
    fn shared_agents(&self, libraries: &BTreeMap<String, LibraryConfig>) -> Result<(), ConfigError> {
        let mut lists: BTreeMap<&str, (&str, &[String])> = BTreeMap::new();
        for (name, library) in libraries {
            let own = std::iter::once(("agent", &library.agents));
            let fallbacks = library.fallback.iter().map(|fallback| ("fallback.agent", &fallback.agents));
            for (leaf, list) in own.chain(fallbacks) {
                for agent in list {
                    let (other, known) = *lists.entry(agent).or_insert((name, list));
                    if known != list.as_slice() {
                        let text = format!(
                            "`{agent}` also runs `{other}`, where the list is [\"{}\"]: libraries that share an agent share \
                             all, so write the same list",
                            known.join("\", \"")
                        );
                        return Err(self.wrong(format!("library.{name}.{leaf}"), text));
                    }
                }
            }
        }
        Ok(())
    }
}
