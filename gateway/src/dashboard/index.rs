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
    let all = bridge.libraries.all();
    let libraries = all.iter().map(|library| row(library)).collect();
    let frame = Frame { title: "Overview", here: "/", viewer };
    page(StatusCode::OK, &Page { frame, config: bridge.config().file.display().to_string(), libraries })
}

fn row(library: &Library) -> Row<'_> {
    let state = library.state();
    let (mark, reason) = match &state {
        LibraryState::Ready(_) => ("good", None),
        LibraryState::Waiting(reason) | LibraryState::Idle(reason) => ("busy", Some(reason.clone())),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(libraries: Vec<Row<'_>>) -> String {
        let frame = Frame { title: "Overview", here: "/", viewer: Viewer::Anybody };
        Page { frame, config: "/etc/<b>.toml".to_owned(), libraries }.render().unwrap()
    }

    #[test]
    fn a_state_is_a_colour_and_a_sign_and_a_word() {
        for (mark, sign) in [("good", "●"), ("busy", "◐"), ("bad", "✕")] {
            let row = Row {
                name: "a",
                file: "a.so".into(),
                runtime: "linux32",
                functions: 3,
                state: "so",
                mark,
                reason: None,
            };
            let page = shown(vec![row]);
            let state = format!(
                "<span class=\"state {mark}\"><span class=\"sign\" aria-hidden=\"true\">{sign}</span> so</span>"
            );
            assert!(page.contains(&state), "{page}");
        }
    }

    #[test]
    fn what_libraries_are_called_and_say_is_text() {
        let hostile = "\"><script>alert(1)</script>读卡器".to_owned();
        let (file, reason) = (hostile.clone(), Some(hostile));
        let row = Row { name: "a", file, runtime: "win32", functions: 0, state: "failed", mark: "bad", reason };
        let page = shown(vec![row]);
        assert!(!page.contains("<script") && page.matches("&#60;script&#62;").count() == 2, "{page}");
        assert!(page.contains("读卡器"));
    }

    #[test]
    fn without_libraries_the_page_says_how_to_add_one() {
        let page = shown(Vec::new());
        assert!(page.contains("bridge32 import vendor.dll") && page.contains("/etc/&#60;b&#62;.toml"), "{page}");
    }
}
