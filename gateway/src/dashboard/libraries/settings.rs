//! `/libraries/{library}/settings`: what its table of the configuration says, and its reload.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;

use super::head::{Head, Tab};
use super::{Subject, address};
use crate::api::Path;
use crate::auth::Need;
use crate::bridge::Bridge;
use crate::config::changes;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::State;
use crate::dashboard::words::shortened;
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::Problem;
use crate::reload::{Progress, Seen};

#[derive(Template)]
#[template(path = "libraries/settings.html")]
struct Page {
    frame: Frame,
    head: Head,
    library: String,
    may_manage: bool,
    config: String,
    /// Which fallback is in force; 0 if it is the table itself.
    fallback: u64,
    passed_over: Vec<String>,
    reload: Option<Reload>,
    agents: Vec<Agent>,
    settings: Vec<changes::Shown>,
}

/// A reload that goes on, or the last one.
#[derive(Debug, PartialEq, Eq)]
enum Reload {
    Running { since: Timestamp },
    Failed { at: Timestamp, why: String },
    Done { at: Timestamp, changes: Vec<Change> },
}

/// Something that can be seen of a library, before and after.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    what: &'static str,
    before: String,
    after: String,
}

/// An agent that has it loaded, or is about to.
struct Agent {
    id: String,
    state: State,
    reason: Option<String>,
    generation: u64,
}

/// What is configured, and the button for the reload.
///
/// # Errors
/// There is no such library, or the page cannot be made.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Result<Response, Problem> {
    let subject = Subject::find(&bridge, &name).await?;
    let head = subject.head(&bridge, Tab::Settings).await;
    let library = &subject.library;
    let title = format!("{} · {}", visit.say(text!("Settings and reload")), library.name);
    let frame = visit.frame(title, "/libraries").live("agent,reload");
    let views = bridge.agent_views().into_iter().filter(|view| view.libraries.contains(&library.name));
    let agents = views.map(|view| Agent {
        state: State::of_agent(view.status.state),
        reason: view.status.reason,
        id: view.id,
        generation: view.generation,
    });
    let page = Page {
        may_manage: frame.viewer().may(Need::Manage),
        frame,
        head,
        library: library.name.clone(),
        config: bridge.config().file.display().to_string(),
        fallback: library.standing.place as u64,
        passed_over: library.standing.passed_over.clone(),
        reload: bridge.reloads.of_library(&library.name).map(|progress| Reload::of(progress, &visit)),
        agents: agents.collect(),
        settings: changes::shown(&library.config),
    };
    visit.page(StatusCode::OK, &page)
}

/// Reads the file and the headers again. It answers when that is done; the page has what became of it.
///
/// # Errors
/// There is no such library.
pub async fn reload(Shared(bridge): Shared<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    // What became of it is kept, and shown to everybody who looks.
    let _ = bridge.reload_library(&library.name).await;
    lead_to(&format!("{}#reload", address(&library.name, Tab::Settings.path())))
}

impl Reload {
    fn of(progress: Progress<(Seen, Seen)>, visit: &Visit) -> Self {
        let at = progress.at;
        match progress.outcome {
            None => Self::Running { since: at },
            Some(Err(why)) => Self::Failed { at, why },
            Some(Ok((before, after))) => Self::Done { at, changes: compared(&before, &after, visit) },
        }
    }
}

fn compared(before: &Seen, after: &Seen, visit: &Visit) -> Vec<Change> {
    let not_loaded = || visit.say(text!("not loaded")).to_owned();
    // Enough of a hash to tell one file from another.
    let hash = |seen: &Seen| seen.file_sha256.as_ref().map_or_else(not_loaded, |hash| shortened(hash, 17));
    let callable = |seen: &Seen| seen.functions_callable.map_or_else(not_loaded, |count| count.to_string());
    let change = |what, of: &dyn Fn(&Seen) -> String| Change { what, before: of(before), after: of(after) };
    vec![
        change(text!("SHA-256 of the file"), &hash),
        change(text!("functions declared"), &|seen| seen.functions_declared.to_string()),
        change(text!("functions that can be called"), &callable),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(hash: Option<&str>, declared: usize) -> Seen {
        Seen { file_sha256: hash.map(str::to_owned), functions_declared: declared, functions_callable: None }
    }

    #[test]
    fn a_reload_tells_what_is_another_now() {
        let visit = Visit::nobody("/");
        let progress = |outcome| Progress { at: Timestamp::UNIX_EPOCH, outcome };
        let Reload::Done { changes, .. } = Reload::of(progress(Some(Ok((seen(None, 1), seen(Some("ab"), 2))))), &visit)
        else {
            panic!("it is done")
        };
        let told: Vec<[&str; 2]> = changes.iter().map(|change| [&*change.before, &*change.after]).collect();
        assert_eq!(told, [["not loaded", "ab"], ["1", "2"], ["not loaded", "not loaded"]]);
        assert!(matches!(Reload::of(progress(None), &visit), Reload::Running { .. }));
        assert!(
            matches!(Reload::of(progress(Some(Err("no".to_owned()))), &visit), Reload::Failed { why, .. } if why == "no")
        );
    }
}
