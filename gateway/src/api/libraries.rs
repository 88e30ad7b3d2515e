//! `/v1/libraries`: what is configured and whether it can be called.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Binding;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::Path;
use crate::agents::Bound;
use crate::bridge::Bridge;
use crate::config::LibraryFile;
use crate::dispatch::Counts;
use crate::error::Problem;
use crate::files::{Changed, Known, OnDisk};
use crate::libraries::{Library, LibraryState, Standing};

#[derive(Serialize)]
struct List<'a> {
    libraries: Vec<Summary<'a>>,
}

/// A library as its clients see it.
#[derive(Serialize)]
pub struct Summary<'a> {
    pub(crate) name: &'a str,
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    pub(crate) file: String,
    /// Which of the ways to run it is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fallback: Option<InForce<'a>>,
    /// Only while the library is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loaded_file: Option<Loaded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changed: Option<Changed>,
    pub(crate) runtime: Option<Target>,
    pub(crate) agent: Option<String>,
    pub(crate) agents: Vec<String>,
    pub(crate) deadline_ms: u64,
    pub(crate) interface: Provenance,
    pub(crate) functions: Functions,
    pub(crate) calls: Counts,
    pub(crate) problems: Problems,
}

/// That a library is not run as its table says first of all.
#[derive(Serialize)]
pub(crate) struct InForce<'a> {
    /// Which fallback it is: 1 is the first one of the list.
    pub(crate) number: usize,
    /// Why those before it are not in force, the library itself first.
    pub(crate) passed_over: &'a [String],
}

impl<'a> InForce<'a> {
    fn of(standing: &'a Standing) -> Option<Self> {
        (standing.place > 0).then_some(Self { number: standing.place, passed_over: &standing.passed_over })
    }
}

/// What was loaded, and whether that is what lies on the disk.
#[derive(Serialize)]
pub(crate) struct Loaded {
    #[serde(flatten)]
    pub(crate) known: Known,
    pub(crate) on_disk: OnDisk,
}

impl Loaded {
    /// What a person should look at.
    fn problem(&self, library: &Library) -> Option<String> {
        let path = library.config.file.display();
        match self.on_disk {
            OnDisk::Same | OnDisk::Unknown => None,
            OnDisk::Changed => Some(format!(
                "{path} is another file now than the one that is loaded; POST /v1/libraries/{}/reload changes over to it",
                library.name
            )),
            OnDisk::Missing => {
                Some(format!("{path} is not there any more; the next start of its agent cannot load it"))
            }
        }
    }
}

/// Where the interface comes from.
#[derive(Serialize)]
pub(crate) struct Provenance {
    pub(crate) origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaced_at: Option<Timestamp>,
}

#[derive(Serialize)]
pub(crate) struct Functions {
    pub(crate) declared: usize,
    /// Only known while the library is loaded.
    pub(crate) callable: Option<usize>,
}

/// What a person should look at. In JSON it is one list of texts.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// Why it cannot be loaded.
    pub(crate) fault: Option<String>,
    /// What was not understood of the headers, as compilers print it.
    pub(crate) header: Vec<String>,
    /// That a fallback runs it, and why.
    pub(crate) fallback: Option<String>,
    /// That another file lies on the disk.
    pub(crate) file: Option<String>,
    /// What is declared and was not found in it.
    pub(crate) missing: Vec<String>,
}

impl Problems {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all().count()
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        let Self { fault, header, fallback, file, missing } = self;
        fault.iter().chain(header).chain(fallback).chain(file).chain(missing)
    }
}

impl Serialize for Problems {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.all())
    }
}

/// Every library.
pub async fn list(State(bridge): State<Arc<Bridge>>) -> Response {
    let mut libraries = Vec::new();
    let all = bridge.libraries.all();
    for library in &all {
        libraries.push(summary(library).await);
    }
    Json(List { libraries }).into_response()
}

/// One library.
///
/// # Errors
/// There is none of that name.
pub async fn show(State(bridge): State<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    Ok(Json(summary(&library).await).into_response())
}

/// What its clients see of it.
pub(crate) async fn summary(library: &Library) -> Summary<'_> {
    let state = library.state();
    let declared = library.declared();
    let passed_over = &library.standing.passed_over;
    let mut problems = Problems {
        header: declared.header.diagnostics.iter().map(ToString::to_string).collect(),
        fallback: passed_over.first().map(|why| format!("a fallback runs it, because of this: {why}")),
        ..Problems::default()
    };
    let mut callable = None;
    let mut reason = None;
    let mut loaded_file = None;
    match &state {
        LibraryState::Waiting(why) | LibraryState::Idle(why) | LibraryState::Gone(why) => reason = Some(why.clone()),
        LibraryState::Failed(fault) => {
            reason = Some(fault.detail.clone());
            problems.fault = Some(fault.detail.clone());
        }
        LibraryState::Ready(_) => {
            loaded_file = loaded(library).await;
            problems.file = loaded_file.as_ref().and_then(|file| file.problem(library));
            if let Some(Bound { loaded, .. }) = library.bound(&declared).as_deref() {
                let bound = loaded.bindings.iter().filter(|binding| matches!(binding, Binding::Bound { .. }));
                callable = Some(bound.count());
                problems.missing.extend(loaded.bindings.iter().filter_map(|binding| match binding {
                    Binding::Missing(fault) => Some(fault.detail.clone()),
                    Binding::Bound { .. } => None,
                }));
            }
        }
    }
    let members = library.pool().map(|pool| pool.members()).unwrap_or_default();
    let agents: Vec<String> = members.iter().map(|agent| agent.id().to_owned()).collect();
    Summary {
        name: &library.name,
        state: state.name(),
        reason,
        file: library.config.file.display(),
        fallback: InForce::of(&library.standing),
        changed: loaded_file.as_ref().and_then(|file| file.known.changed.clone()),
        loaded_file,
        runtime: library.target,
        agent: agents.first().cloned(),
        agents,
        deadline_ms: u64::try_from(library.config.deadline.as_millis()).unwrap_or(u64::MAX),
        interface: Provenance { origin: declared.origin.name(), replaced_at: declared.origin.replaced_at() },
        functions: Functions { declared: declared.interface().functions.len(), callable },
        calls: library.queue.counts(),
        problems,
    }
}

async fn loaded(library: &Library) -> Option<Loaded> {
    let known = library.identity.known()?;
    let on_disk = match &library.config.file {
        LibraryFile::Runtime(_) => OnDisk::Unknown,
        LibraryFile::Host(path) => {
            let (identity, loaded, path) = (Arc::clone(&library.identity), known.clone(), path.clone());
            // A file that was replaced is read as a whole.
            let compared = tokio::task::spawn_blocking(move || identity.on_disk(&loaded, &path)).await;
            match compared.unwrap_or(OnDisk::Unknown) {
                // The agent that somebody else starts may see what this process cannot.
                OnDisk::Missing if !library.config.agents.is_empty() => OnDisk::Unknown,
                on_disk => on_disk,
            }
        }
    };
    Some(Loaded { known, on_disk })
}
