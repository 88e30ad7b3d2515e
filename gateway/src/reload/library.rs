//! One library anew: its file and its headers are read again, beside the one that runs.

use std::sync::Arc;

use bridge32_protocol::wire::Binding;
use serde::Serialize;

use super::beside::Fellows;
use super::{retiring, watch};
use crate::bridge::Bridge;
use crate::config::LibraryConfig;
use crate::dispatch::LibraryState;
use crate::error::{Code, Problem};
use crate::libraries::Library;
use crate::observe::events::Replacement;

/// What has changed by a reload.
#[derive(Debug)]
pub struct Reloaded {
    /// The library that is in force now.
    pub library: Arc<Library>,
    /// What the one before was.
    pub before: Seen,
    /// What this one is.
    pub after: Seen,
}

/// What can be seen of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The SHA-256 of the file that was loaded; `None` if none was.
    pub file_sha256: Option<String>,
    /// The functions of the headers.
    pub functions_declared: usize,
    /// Those of them that can be called; `None` while the library is not loaded.
    pub functions_callable: Option<usize>,
}

impl Seen {
    /// What is seen of it now.
    fn of(library: &Library) -> Self {
        let declared = library.declared();
        let callable = library.bound(&declared).map(|bound| {
            let bindings = bound.loaded.bindings.iter();
            bindings.filter(|binding| matches!(binding, Binding::Bound { .. })).count()
        });
        Self {
            file_sha256: library.identity.known().map(|known| known.sha256),
            functions_declared: declared.interface().functions.len(),
            functions_callable: callable,
        }
    }
}

impl Library {
    /// The pool that runs it, or would: the name of an agent of somebody else, of its group, or its own.
    pub(super) fn process(&self) -> &str {
        self.config.agents.first().or(self.config.group.as_ref()).unwrap_or(&self.name)
    }

    /// Whether it cannot be called, and that will not change by itself.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.state(), LibraryState::Failed(_) | LibraryState::Gone(_))
    }
}

impl Bridge {
    /// Reads a library anew and starts it beside the one that runs, with all others of its process. Once it works it takes
    /// the place of the old one. What has begun ends, whether or not anybody waits for it.
    ///
    /// # Errors
    /// There is no such library, it is being reloaded already, or the new one does not work: then the old one goes on.
    pub async fn reload_library(self: &Arc<Self>, name: &str) -> Result<Reloaded, Problem> {
        let (bridge, name) = (Arc::clone(self), name.to_owned());
        let replace = async move {
            let outcome = bridge.replace_library(&name).await;
            let problem = outcome.as_ref().err().map(|problem| problem.detail().to_owned());
            // A name that is none is nobody's news.
            if bridge.libraries.get(&name).is_some() {
                // One that is going on tells its own end.
                if !outcome.as_ref().is_err_and(|problem| problem.code() == Code::ReloadRunning) {
                    let told = outcome.as_ref().map(|done| (done.before.clone(), done.after.clone()));
                    bridge.reloads.note_library(&name, Some(told.map_err(|problem| problem.detail().to_owned())));
                }
                bridge.observer.replaced(Replacement::Library, Some(&name), problem);
            }
            outcome
        };
        tokio::spawn(replace).await.map_err(Problem::internal)?
    }

    async fn replace_library(self: &Arc<Self>, name: &str) -> Result<Reloaded, Problem> {
        self.library(name)?;
        let _one_configuration = self.reloads.configuration.read().await;
        super::check_running(self)?;
        let library = self.library(name)?;
        let _turn = self.reloads.try_turn(library.process()).ok_or_else(|| {
            let detail = format!(
                "`{name}`, or a library of its process, is being reloaded already. Try again when that is done."
            );
            Problem::new(Code::ReloadRunning, detail).with_retry_after(1)
        })?;
        let fellows: Vec<Arc<Library>> =
            self.libraries.all().into_iter().filter(|other| other.process() == library.process()).collect();
        // Nobody replaces their headers meanwhile.
        let mut locks = Vec::new();
        for fellow in &fellows {
            locks.push(Arc::clone(&fellow.replacing).lock_owned().await);
        }
        // Whatever works now has to work then, too; and so has what somebody asks for.
        let is_needed = |fellow: &&Arc<Library>| fellow.name == name || !fellow.is_broken();
        let config = self.config();
        let all = config.libraries.get(name).map_or(1, LibraryConfig::ways);
        // A fallback takes the place of what runs only if that does not.
        let ways = 0..if library.is_broken() { all } else { library.standing.place + 1 };
        let order = Fellows {
            names: fellows.iter().map(|fellow| fellow.name.clone()).collect(),
            needed: fellows.iter().filter(is_needed).map(|fellow| fellow.name.clone()).collect(),
            ways,
            passed_over: Vec::new(),
            load: true,
        };
        self.reloads.note_library(name, None);
        let before = Seen::of(&library);
        let new = self.start_beside(&config, &order, &library.places).await.map_err(|reason| {
            tracing::warn!(library = name, reason, "a reload failed: the library stays what it was");
            Problem::new(Code::ReloadFailed, format!("{reason} Nothing has changed: what ran before goes on."))
        })?;
        drop((library, fellows));
        let old = self.libraries.swap(&new, &[]);
        drop(locks);
        for library in &new {
            watch(self, library);
        }
        tracing::info!(library = name, "reloaded");
        retiring::retire(self, &old, "it was replaced by a reload");
        let library = self.library(name)?;
        Ok(Reloaded { before, after: Seen::of(&library), library })
    }
}
