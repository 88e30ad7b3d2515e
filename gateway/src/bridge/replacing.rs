//! Another header for a library, and back to that of the configuration, while calls go on.

use std::sync::Arc;

use bridge32_interface::Severity;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use super::Bridge;
use crate::dispatch;
use crate::error::{Code, Problem};
use crate::interfaces::{Declared, Origin, Store, joined};
use crate::libraries::Library;
use crate::observe::events::Replacement;

impl Bridge {
    /// Gives a library another header. Calls that came before end with the interface that they began with; when this
    /// returns, the agent has the new one, unless it is not ready or its queue is long. Gives the library as it is then: a
    /// reload may have replaced it meanwhile.
    ///
    /// # Errors
    /// The header is not good or cannot be kept: nothing has changed.
    pub async fn replace_interface(
        &self,
        library: &Arc<Library>,
        text: Bytes,
        accept_errors: bool,
    ) -> Result<Arc<Library>, Problem> {
        let (library, _one_at_a_time) = self.in_turn(library).await?;
        let now = Timestamp::now();
        let (reader, header) = (Arc::clone(&library), text.clone());
        let read = tokio::task::spawn_blocking(move || reader.read(&header, now));
        let declared = Arc::new(read.await.map_err(Problem::internal)?);
        // A file that nobody can read now says nothing against the header.
        let exports = self.exports(&library).await.ok();
        let is_strange = exports.is_some_and(|exports| exports.coverage(&declared).is_of_another_library());
        refuse(&declared, is_strange, accept_errors)?;
        self.put_in_force(&library, declared, text).await?;
        Ok(library)
    }

    /// Gives a library the header files of the configuration again, as they were when the gateway started.
    ///
    /// # Errors
    /// What is kept of the other header cannot be removed: nothing has changed.
    pub async fn restore_interface(&self, library: &Arc<Library>) -> Result<Arc<Library>, Problem> {
        let (library, _one_at_a_time) = self.in_turn(library).await?;
        if library.declared().origin == Origin::Configured {
            // One that waits for older header files to come back is not wanted any more, either.
            Store::new(&self.config().data_dir).forget(&library.name).map_err(|error| not_kept(&error))?;
            return Ok(library);
        }
        let text = Bytes::from(joined(&library.configured));
        let (reader, header) = (Arc::clone(&library), text.clone());
        let read = tokio::task::spawn_blocking(move || reader.read(&header, Timestamp::now()));
        let declared = Arc::new(read.await.map_err(Problem::internal)?);
        self.put_in_force(&library, declared, text).await?;
        Ok(library)
    }

    /// Waits until nobody else replaces the library's headers, or the library: then it may be another one of its name.
    async fn in_turn(&self, library: &Arc<Library>) -> Result<(Arc<Library>, OwnedMutexGuard<()>), Problem> {
        let mut library = Arc::clone(library);
        loop {
            let turn = Arc::clone(&library.replacing).lock_owned().await;
            let current = self.library(&library.name)?;
            if Arc::ptr_eq(&current.replacing, &library.replacing) {
                return Ok((current, turn));
            }
            library = current;
        }
    }

    /// Keeps an interface, and tells whoever must know of it.
    async fn put_in_force(&self, library: &Arc<Library>, declared: Arc<Declared>, text: Bytes) -> Result<(), Problem> {
        let store = Store::new(&self.config().data_dir);
        let (keeper, origin) = (Arc::clone(library), declared.origin.clone());
        let keep = move || match origin {
            Origin::Configured => store.forget(&keeper.name),
            Origin::Replaced { at } => store.save(&keeper.name, &text, at, &keeper.configured),
        };
        let kept = tokio::task::spawn_blocking(keep).await.map_err(Problem::internal)?;
        kept.map_err(|error| not_kept(&error))?;
        library.interface.replace(Arc::clone(&declared));
        tracing::info!(library = library.name, revision = declared.revision, "interface replaced");
        self.observer.replaced(Replacement::Interface, Some(&library.name), None);
        for text in &declared.remarks {
            tracing::warn!(library = library.name, "{text}");
        }
        // An agent that is not ready begins with the new one.
        let Some(pool) = library.pool() else { return Ok(()) };
        if let Err(failure) = dispatch::replace(pool, &library.name, &declared, library.config.deadline).await {
            tracing::warn!(library = library.name, ?failure, "the agent does not have the new interface yet");
        }
        Ok(())
    }
}

fn not_kept(error: &crate::interfaces::StoreError) -> Problem {
    Problem::internal(error).because(format!("Nothing has changed: {error}."))
}

/// Refuses a header that is not good, or not this library's. What the header files say was accepted when the gateway
/// started.
fn refuse(declared: &Declared, is_strange: bool, accept_errors: bool) -> Result<(), Problem> {
    if declared.origin == Origin::Configured {
        return Ok(());
    }
    let diagnostics = &declared.header.diagnostics;
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let errors: Vec<_> = errors.cloned().collect();
    let interface = declared.interface();
    let detail = if interface.functions.is_empty() && interface.variables.is_empty() {
        let first = diagnostics.first();
        let why = first.map(|first| format!(" What is not understood, and may be why:\n{first}")).unwrap_or_default();
        format!(
            "It declares no function and no variable, so nothing could be called any more. Nothing has changed.{why}"
        )
    } else if accept_errors {
        return Ok(());
    } else if is_strange {
        format!(
            "The file exports none of the {} of this header: is it another library's header? Nothing has changed. Where the \
             header is right all the same, send it with ?accept_errors=true.",
            declarations(interface.functions.len(), interface.variables.len())
        )
    } else if let Some(first) = errors.first() {
        let count = match errors.len() {
            1 => "One place".to_owned(),
            count => format!("{count} places"),
        };
        format!(
            "{count} of the header cannot be understood; `diagnostics` has them all. Nothing has changed. Correct the \
             header, or send it with ?accept_errors=true to go without what these places declare. The first one:\n{first}"
        )
    } else {
        return Ok(());
    };
    Err(Problem::new(Code::InvalidInterface, detail).with_diagnostics(errors))
}

/// `3 functions`, or what else there is.
fn declarations(functions: usize, variables: usize) -> String {
    match (functions, variables) {
        (functions, 0) => format!("{functions} functions"),
        (0, variables) => format!("{variables} variables"),
        (functions, variables) => format!("{functions} functions and {variables} variables"),
    }
}
