//! `/`: what runs here.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Frame, Viewer, page};
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::libraries::{Library, LibraryState};

#[derive(Template)]
#[template(path = "index.html")]
struct Page<'a> {
    frame: Frame,
    config: String,
    libraries: Vec<Row<'a>>,
}

struct Row<'a> {
    name: &'a str,
    file: String,
    runtime: &'static str,
    functions: usize,
    state: &'static str,
    /// How the state looks: good, busy, warning or bad.
    mark: &'static str,
    reason: Option<String>,
}

/// A list of the libraries.
///
/// # Errors
/// The page cannot be made.
pub async fn show(State(bridge): State<Arc<Bridge>>, viewer: Viewer) -> Result<Response, Problem> {
    let libraries = bridge.libraries.all().map(|library| row(&bridge, library)).collect();
    let frame = Frame { title: "Overview", here: "/", viewer };
    page(StatusCode::OK, &Page { frame, config: bridge.config.file.display().to_string(), libraries })
}

fn row<'a>(bridge: &Bridge, library: &'a Library) -> Row<'a> {
    let state = bridge.state(library);
    let (mark, reason) = match &state {
        LibraryState::Ready(_) => ("good", None),
        LibraryState::Waiting(reason) => ("busy", Some(reason.clone())),
        LibraryState::Gone(reason) => ("bad", Some(reason.clone())),
        LibraryState::Failed(fault) => ("bad", Some(fault.detail.clone())),
    };
    Row {
        name: &library.name,
        file: library.config.file.display(),
        runtime: library.target.map_or("unknown", |target| target.name()),
        functions: library.declared().interface().functions.len(),
        state: state.name(),
        mark,
        reason,
    }
}
