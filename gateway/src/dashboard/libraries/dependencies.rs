//! `/libraries/{library}/dependencies`: the libraries that its file needs, and which of them are missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_image::Image;
use bridge32_image::dependencies::{Fault, Needed, Report};
use bridge32_protocol::target::Target;

use super::Subject;
use super::head::{Head, Tab};
use crate::api::Path as Named;
use crate::bridge::Bridge;
use crate::config::LibraryFile;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::{Mark, State};
use crate::dashboard::{Frame, Visit};
use crate::error::Problem;
use crate::libraries::dependencies::Places;
use crate::libraries::{LibraryState, file};

/// So many libraries are shown.
const MOST: usize = 300;
/// A chain is not drawn deeper.
const DEEPEST: usize = 8;

#[derive(Template)]
#[template(path = "libraries/dependencies.html")]
struct Page {
    frame: Frame,
    head: Head,
    library: String,
    unreadable: Option<String>,
    /// The system's own libraries cannot be seen from here, so that what is not beside the file may be there.
    is_blind: bool,
    missing: Vec<Missing>,
    rows: Vec<Row>,
    more: u64,
}

/// A library that is missing, or of no use.
struct Missing {
    /// From the file to it.
    chain: String,
    what: String,
    is_delayed: bool,
    remedy: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    depth: usize,
    name: String,
    /// Which library needs it, unless it is the file itself.
    by: Option<String>,
    state: State,
    path: Option<String>,
    is_delayed: bool,
    /// How many of its exports are used.
    imports: Option<u32>,
}

/// What is known where it cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    /// Its process has it loaded, and so all that it needs at once.
    is_loaded: bool,
    /// What was not found is missing.
    sees_all: bool,
}

/// What a library's file needs.
///
/// # Errors
/// There is no such library, or the page cannot be made.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Named(name): Named<String>,
    visit: Visit,
) -> Result<Response, Problem> {
    let subject = Subject::find(&bridge, &name).await?;
    let head = subject.head(&bridge, Tab::Dependencies).await;
    let library = &subject.library;
    let title = format!("{} · {}", visit.say(text!("Dependencies")), library.name);
    let frame = visit.frame(title, "/libraries").live("agent,reload");
    let path = match &library.config.file {
        LibraryFile::Host(path) => Some(path.clone()),
        LibraryFile::Runtime(_) => None,
    };
    let mut page = Page {
        frame,
        head,
        library: library.name.clone(),
        unreadable: None,
        is_blind: false,
        missing: Vec::new(),
        rows: Vec::new(),
        more: 0,
    };
    match &subject.exports {
        Err(problem) => page.unreadable = Some(problem.detail().to_owned()),
        Ok(exports) => {
            let (exports, target) = (Arc::clone(exports), library.target);
            let runtime = target.and_then(|target| bridge.config().runtimes.get(&target).cloned());
            let look = move || {
                let places = target
                    .zip(path.as_deref())
                    .map(|(target, path)| Places::of(target, runtime.as_ref(), path.parent()));
                let (report, sees_all) = looked(exports.image(), path.as_deref(), places.as_ref());
                (report, sees_all, exports)
            };
            let (report, sees_all, exports) = tokio::task::spawn_blocking(look).await.map_err(Problem::internal)?;
            let view = View { is_loaded: matches!(library.state(), LibraryState::Ready(_)), sees_all };
            page.is_blind = !sees_all;
            page.missing = missing(&report, view, target);
            page.rows = rows(exports.image(), &report, view);
            page.more = page.rows.len().saturating_sub(MOST) as u64;
            page.rows.truncate(MOST);
        }
    }
    visit.page(StatusCode::OK, &page)
}

/// What was found, and whether what was not is missing.
fn looked(image: &Image, path: Option<&Path>, places: Option<&Places>) -> (Report, bool) {
    match places {
        Some(places) => (places.look(image, path), places.sees_system),
        None => (Places::named(image), false),
    }
}

impl View {
    /// What is known to be wrong with a library.
    fn fault(self, needed: &Needed) -> Option<&Fault> {
        let is_unknown = |fault: &&Fault| matches!(fault, Fault::Missing) && !self.sees_all;
        let is_there_all_the_same = self.is_loaded && !needed.delayed;
        needed.fault.as_ref().filter(|fault| !is_unknown(fault) && !is_there_all_the_same)
    }
}

fn missing(report: &Report, view: View, target: Option<Target>) -> Vec<Missing> {
    let mut missing: Vec<Missing> = Vec::new();
    for (index, needed) in report.libraries.iter().enumerate() {
        let Some(fault) = view.fault(needed) else { continue };
        let mut chain = vec![needed.name.as_str()];
        let mut at = report.libraries[index].by;
        while let Some(by) = at.and_then(|by| report.libraries.get(by)) {
            chain.push(&by.name);
            at = by.by;
        }
        chain.reverse();
        let what = match fault {
            Fault::Missing => String::new(),
            Fault::OtherArchitecture { path, architecture } => {
                format!("{} is for {architecture}", shown(path.as_ref()))
            }
            Fault::Unreadable { path, reason } => format!("{}: {reason}", path.display()),
        };
        let remedy = file::remedy(&needed.name, target);
        let chain = chain.join(" → ");
        missing.push(Missing { chain, what, is_delayed: needed.delayed, remedy: Some(remedy) });
    }
    missing.sort_by_key(|missing| missing.is_delayed);
    missing
}

fn shown(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// The tree, line by line: each library below the first that needs it; what is wrong comes first.
fn rows(image: &Image, report: &Report, view: View) -> Vec<Row> {
    let libraries = &report.libraries;
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); libraries.len()];
    let mut top = Vec::new();
    for (index, needed) in libraries.iter().enumerate() {
        needed.by.and_then(|by| below.get_mut(by)).unwrap_or(&mut top).push(index);
    }
    let in_order = |indices: &[usize]| {
        let mut indices = indices.to_vec();
        // The last one is taken first.
        indices.sort_by_key(|index| (libraries[*index].fault.is_some(), std::cmp::Reverse(*index)));
        indices
    };
    let mut waiting: Vec<(usize, usize)> = in_order(&top).into_iter().map(|index| (index, 0)).collect();
    let mut rows = Vec::new();
    while let Some((index, depth)) = waiting.pop() {
        let needed = &libraries[index];
        let imports = image.dependencies.iter().find(|own| own.name == needed.name && needed.by.is_none());
        rows.push(Row {
            depth: depth.min(DEEPEST),
            name: needed.name.clone(),
            by: needed.by.and_then(|by| libraries.get(by)).map(|by| by.name.clone()),
            state: state(needed, view),
            path: needed.path.as_ref().map(|path| path.display().to_string()),
            is_delayed: needed.delayed,
            imports: imports.and_then(|own| own.imports),
        });
        waiting.extend(in_order(&below[index]).into_iter().map(|index| (index, depth + 1)));
    }
    rows
}

fn state(needed: &Needed, view: View) -> State {
    match (view.fault(needed), &needed.fault) {
        (Some(_), _) if needed.delayed => State::new(Mark::Warning, text!("missing, needed when first used")),
        (Some(Fault::Missing), _) => State::new(Mark::Bad, text!("missing")),
        (Some(_), _) => State::new(Mark::Bad, text!("of no use")),
        (None, _) if view.is_loaded && !needed.delayed => State::new(Mark::Good, text!("loaded")),
        (None, Some(_)) => State::new(Mark::Off, text!("not beside the file")),
        (None, None) if needed.path.is_some() => State::new(Mark::Good, text!("found")),
        (None, None) if view.sees_all => State::new(Mark::Good, text!("the system's")),
        (None, None) => State::new(Mark::Off, text!("not looked for")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::coverage::tests::image;

    fn needed(name: &str, by: Option<usize>, fault: Option<Fault>) -> Needed {
        Needed { name: name.to_owned(), by, path: None, fault, delayed: false }
    }

    #[test]
    fn what_is_missing_comes_first_and_each_library_below_what_needs_it() {
        let libraries = vec![
            needed("a.dll", None, None),
            needed("gone.dll", None, Some(Fault::Missing)),
            needed("b.dll", Some(0), None),
            needed("lost.dll", Some(2), Some(Fault::Missing)),
        ];
        let report = Report { libraries, ..Report::default() };
        let view = View { is_loaded: false, sees_all: true };
        let rows = rows(&image(&[]), &report, view);
        let told: Vec<(&str, usize)> = rows.iter().map(|row| (row.name.as_str(), row.depth)).collect();
        assert_eq!(told, [("gone.dll", 0), ("a.dll", 0), ("b.dll", 1), ("lost.dll", 2)]);
        let missing = missing(&report, view, Some(Target::Win32));
        assert_eq!(missing[1].chain, "a.dll → b.dll → lost.dll");
        assert!(missing[0].remedy.as_ref().unwrap().contains("32-bit gone.dll"));
    }

    #[test]
    fn what_is_loaded_has_all_it_needs_and_what_is_not_seen_is_not_called_missing() {
        let gone = needed("gone.dll", None, Some(Fault::Missing));
        let word = |is_loaded, sees_all| state(&gone, View { is_loaded, sees_all }).word;
        assert_eq!(
            [word(true, false), word(false, false), word(false, true)],
            ["loaded", "not beside the file", "missing"]
        );
        let later = Needed { delayed: true, ..gone };
        assert_eq!(state(&later, View { is_loaded: true, sees_all: true }).mark, Mark::Warning);
    }
}
