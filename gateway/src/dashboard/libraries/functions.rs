//! `/libraries/{library}`: the functions that its headers declare, and whether they can be called.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_protocol::interface::Function;

use super::filter::{self, Asked, Chip, Reduced, Show};
use super::head::{Head, Tab};
use super::{Paging, Subject, address};
use crate::api::interface::Found;
use crate::api::{Path, Query};
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::{Mark, State};
use crate::dashboard::{Frame, Visit};
use crate::error::Problem;
use crate::libraries::coverage::{Coverage, Unexported};
use crate::openapi::text::sentence;

/// Which functions are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    /// Those that cannot be called.
    Uncallable,
    /// Those of which something was assumed.
    Assumed,
}

impl Show for Kind {
    const ALL: &'static [Self] = &[Self::All, Self::Uncallable, Self::Assumed];

    fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Uncallable => "uncallable",
            Self::Assumed => "assumed",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::All => text!("all"),
            Self::Uncallable => text!("cannot be called"),
            Self::Assumed => text!("something was assumed"),
        }
    }
}

#[derive(Template)]
#[template(path = "libraries/functions.html")]
struct Page<'a> {
    frame: Frame,
    head: Head,
    library: &'a str,
    /// The header files, in words; empty if there is none.
    headers: Vec<String>,
    declared: bool,
    q: &'a str,
    show: &'static str,
    chips: Vec<Chip>,
    rows: Vec<Row<'a>>,
    paging: Paging,
}

struct Row<'a> {
    name: &'a str,
    declaration: &'a str,
    about: Option<String>,
    state: State,
    reason: Option<String>,
    assumptions: u64,
}

/// The functions of a library.
///
/// # Errors
/// There is no such library, or the page cannot be made.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    visit: Visit,
) -> Result<Response, Problem> {
    let subject = Subject::find(&bridge, &name).await?;
    let head = subject.head(&bridge, Tab::Functions).await;
    let frame = visit.frame(subject.library.name.clone(), "/libraries").live("agent,reload");
    let coverage = subject.exports.as_ref().ok().map(|exports| exports.coverage(&subject.declared));
    visit.page(StatusCode::OK, &page(&subject, coverage.as_deref(), head, frame, &asked))
}

/// A function, with what the filters go by.
struct Line<'a> {
    function: &'a Function,
    found: Found<'a>,
    missing: Option<&'a Unexported>,
    assumptions: u64,
}

impl Line<'_> {
    fn is(&self, kind: Kind) -> bool {
        match kind {
            Kind::All => true,
            Kind::Uncallable => self.found.callable == Some(false) || self.missing.is_some(),
            Kind::Assumed => self.assumptions > 0,
        }
    }
}

fn page<'a>(
    subject: &'a Subject,
    coverage: Option<&'a Coverage>,
    head: Head,
    frame: Frame,
    asked: &'a Asked,
) -> Page<'a> {
    let Subject { library, declared, bound, .. } = subject;
    let lines = lines(subject, coverage);
    let wanted = asked.q.trim().to_lowercase();
    let contains = |text: &str| text.to_lowercase().contains(&wanted);
    let fits = |line: &Line| {
        let Function { name, description, .. } = line.function;
        wanted.is_empty() || contains(name) || contains(description)
    };
    let fitting = lines.into_iter().filter(fits).collect();
    let Reduced { chips, shown, paging } = filter::reduced(fitting, asked, &address(&library.name, ""), Line::is);
    let rows = shown.iter().map(|line| row(line, bound.is_some())).collect();
    Page {
        frame,
        head,
        library: &library.name,
        headers: declared.names(&library.config),
        declared: !declared.interface().functions.is_empty(),
        q: &asked.q,
        show: Kind::of(&asked.show).word(),
        chips,
        rows,
        paging,
    }
}

fn lines<'a>(subject: &'a Subject, coverage: Option<&'a Coverage>) -> Vec<Line<'a>> {
    let Subject { declared, bound, .. } = subject;
    let mut assumptions: HashMap<&str, u64> = HashMap::new();
    for finding in &declared.header.assumptions {
        *assumptions.entry(&finding.function).or_default() += 1;
    }
    // What an agent has found goes before what the file shows.
    let unexported = coverage.filter(|_| bound.is_none()).map(|coverage| &coverage.unexported[..]).unwrap_or_default();
    let unexported: HashMap<&str, &Unexported> =
        unexported.iter().map(|missing| (missing.name.as_str(), missing)).collect();
    let functions = declared.interface().functions.iter().enumerate();
    let line = |(number, function): (usize, &'a Function)| Line {
        function,
        found: Found::of(number, function, bound.as_deref()),
        missing: unexported.get(function.name.as_str()).copied(),
        assumptions: assumptions.get(function.name.as_str()).copied().unwrap_or_default(),
    };
    functions.map(line).collect()
}

fn row<'a>(line: &Line<'a>, is_loaded: bool) -> Row<'a> {
    let Line { function, found, missing, assumptions } = line;
    let (state, reason) = match (found.callable, missing) {
        (Some(true), _) => (State::new(Mark::Good, text!("callable")), None),
        (Some(false), _) => (State::new(Mark::Bad, text!("not callable")), found.reason.map(str::to_owned)),
        (None, Some(missing)) => (State::new(Mark::Bad, text!("not callable")), Some(missing.reason())),
        (None, None) if is_loaded => (State::new(Mark::Busy, text!("not looked for yet")), None),
        (None, None) => (State::new(Mark::Off, text!("not loaded")), None),
    };
    Row {
        name: &function.name,
        declaration: function.declaration.trim_end_matches(';'),
        about: sentence(&function.description),
        state,
        reason,
        assumptions: *assumptions,
    }
}
