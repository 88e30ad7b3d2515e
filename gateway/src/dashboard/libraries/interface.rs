//! `/libraries/{library}/interface`: what is wrong with the headers, what was assumed of them, and their text; and another header
//! in their place.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_interface::{Diagnostic, Finding, Severity};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use super::head::{Head, Tab};
use super::hints::{hint, topic};
use super::meaning::{function_address, line_address};
use super::paging::{self, LINES};
use super::source::Source;
use super::{Paging, Subject, address, query};
use crate::api::interface::{replaced, restored};
use crate::api::{Path, Query};
use crate::auth::Need;
use crate::auth::sessions::field;
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::{Frame, Visit, lead_to};
use crate::error::Problem;

/// So many diagnostics are shown.
const DIAGNOSTICS: usize = 50;
/// So many groups of assumptions are on a page, …
const GROUPS: usize = 40;
/// … each with so many places, unless it is shown alone.
const PLACES: usize = 12;
/// A longer header is not put into the form, in bytes.
const LARGEST_FORM: usize = 120_000;

/// What an address says.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    /// The header file that is shown, …
    #[serde(default)]
    file: String,
    /// … and a line of it.
    #[serde(default)]
    line: usize,
    /// Only what was found out of this function.
    about: Option<String>,
    /// Only this group of assumptions.
    group: Option<usize>,
    /// How many lines are before the page.
    from: Option<usize>,
}

#[derive(Template)]
#[template(path = "libraries/interface.html")]
struct Page<'a> {
    frame: Frame,
    head: Head,
    library: &'a str,
    may_manage: bool,
    replaced_at: Option<Timestamp>,
    header_files: String,
    diagnostics: Vec<Wrong<'a>>,
    more_diagnostics: u64,
    remarks: &'a [String],
    uncallable: Vec<Group<'a>>,
    /// How many others cannot be called.
    more_uncallable: u64,
    assumptions: u64,
    statements: u64,
    /// The function that it is all about.
    about: Option<&'a str>,
    groups: Vec<Group<'a>>,
    stated: Vec<Group<'a>>,
    paging: Option<Paging>,
    source: Option<Source>,
}

/// A place of a header that is not understood.
struct Wrong<'a> {
    diagnostic: &'a Diagnostic,
    address: String,
    is_error: bool,
}

/// The same thing found of several functions or parameters.
struct Group<'a> {
    topic: &'static str,
    text: &'a str,
    hint: &'static str,
    count: u64,
    places: Vec<Place>,
    /// Where all of them are, if they are not here.
    all: Option<String>,
}

struct Place {
    name: String,
    address: String,
}

/// What is to be reviewed, and the header.
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
    let head = subject.head(&bridge, Tab::Interface).await;
    let title = format!("{} · {}", visit.say(text!("Interface")), subject.library.name);
    let frame = visit.frame(title, "/libraries").live("agent,reload");
    visit.page(StatusCode::OK, &page(&subject, head, frame, &asked))
}

fn page<'a>(subject: &'a Subject, head: Head, frame: Frame, asked: &'a Asked) -> Page<'a> {
    let Subject { library, declared, .. } = subject;
    let (name, header) = (library.name.as_str(), &declared.header);
    let wrong = |diagnostic: &'a Diagnostic| Wrong {
        diagnostic,
        address: line_address(name, &diagnostic.file, diagnostic.line),
        is_error: diagnostic.severity == Severity::Error,
    };
    let mut diagnostics: Vec<Wrong> = header.diagnostics.iter().map(wrong).collect();
    diagnostics.sort_by_key(|wrong| !wrong.is_error);
    let more_diagnostics = diagnostics.len().saturating_sub(DIAGNOSTICS) as u64;
    diagnostics.truncate(DIAGNOSTICS);
    let about = asked.about.as_deref();
    let mut heaps = heaped(about_that(&header.assumptions, about));
    let paging = reduce(name, &mut heaps, asked);
    let (uncallable, more_uncallable) = uncallable(subject);
    let groups = heaps.into_iter().map(|heap| heap.shown(name)).collect();
    let stated = if about.is_some() { heaped(about_that(&header.statements, about)) } else { Vec::new() };
    let stated = stated.into_iter().map(|heap| heap.shown(name)).collect();
    Page {
        head,
        library: name,
        may_manage: frame.viewer().may(Need::Manage),
        frame,
        replaced_at: declared.origin.replaced_at(),
        header_files: library
            .config
            .headers
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(", "),
        diagnostics,
        more_diagnostics,
        remarks: &declared.remarks,
        uncallable,
        more_uncallable,
        assumptions: header.assumptions.len() as u64,
        statements: header.statements.len() as u64,
        about,
        groups,
        stated,
        paging,
        source: Source::of(name, &declared.texts, &asked.file, asked.line),
    }
}

fn about_that<'a>(findings: &'a [Finding], about: Option<&'a str>) -> impl Iterator<Item = &'a Finding> {
    findings.iter().filter(move |finding| about.is_none_or(|name| finding.function == name))
}

/// Findings that say the same.
struct Heap<'a> {
    findings: Vec<&'a Finding>,
    /// How many there are, also where some are not shown, …
    count: usize,
    /// … and where all of them are.
    all: Option<String>,
}

impl<'a> Heap<'a> {
    /// As the page has it.
    fn shown(self, library: &str) -> Group<'a> {
        let place = |finding: &&Finding| {
            let name = match &finding.parameter {
                Some(parameter) => format!("{}({parameter})", finding.function),
                None => finding.function.clone(),
            };
            Place { name, address: line_address(library, &finding.file, finding.line) }
        };
        let places = self.findings.iter().map(place).collect();
        let (about, text, hint) = match self.findings.first() {
            Some(first) => (topic(first.what), first.text.as_str(), hint(first)),
            None => ("", "", ""),
        };
        Group { topic: about, text, hint, count: self.count as u64, places, all: self.all }
    }
}

/// Each sentence once, with where it holds; what is rare comes first, because what is assumed most often is looked at once.
fn heaped<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Heap<'a>> {
    let mut indices = HashMap::new();
    let mut heaps: Vec<Heap> = Vec::new();
    for finding in findings {
        let index = *indices.entry((finding.what, finding.text.as_str())).or_insert(heaps.len());
        if index == heaps.len() {
            heaps.push(Heap { findings: Vec::new(), count: 0, all: None });
        }
        heaps[index].findings.push(finding);
        heaps[index].count += 1;
    }
    heaps.sort_by_key(|heap| (heap.findings.first().map(|first| topic(first.what)), heap.count));
    heaps
}

/// Leaves what is on this page.
fn reduce(library: &str, heaps: &mut Vec<Heap>, asked: &Asked) -> Option<Paging> {
    let own = |group: &str, from: usize| {
        let from = if from == 0 { String::new() } else { from.to_string() };
        address(library, &format!("/interface{}#assumed", query(&[("group", group), ("from", &from)])))
    };
    if let Some(index) = asked.group.filter(|index| *index < heaps.len()) {
        let mut heap = heaps.swap_remove(index);
        let from = paging::start(asked.from, heap.findings.len());
        let paging = Paging::new(from, heap.findings.len(), |from| own(&index.to_string(), from));
        heap.findings = heap.findings.into_iter().skip(from).take(LINES).collect();
        *heaps = vec![heap];
        return Some(paging);
    }
    for (index, heap) in heaps.iter_mut().enumerate().filter(|(_, heap)| heap.findings.len() > PLACES) {
        heap.findings.truncate(PLACES);
        heap.all = Some(own(&index.to_string(), 0));
    }
    if heaps.len() <= GROUPS {
        return None;
    }
    let from = asked.from.unwrap_or_default().min(heaps.len() - 1) / GROUPS * GROUPS;
    let paging = Paging::of(GROUPS, from, heaps.len(), |from| own("", from));
    *heaps = std::mem::take(heaps).into_iter().skip(from).take(GROUPS).collect();
    Some(paging)
}

/// The functions and variables that cannot be passed: each reason once, and how many have another reason than those.
fn uncallable(subject: &Subject) -> (Vec<Group<'_>>, u64) {
    let (library, interface) = (&subject.library.name, subject.declared.interface());
    let functions = interface.functions.iter().filter_map(|function| {
        Some((function.unsupported.as_deref()?, &function.name, function_address(library, &function.name)))
    });
    let variables = interface.variables.iter().filter_map(|variable| {
        let address = line_address(library, &variable.file, variable.line);
        Some((variable.unsupported.as_deref()?, &variable.name, address))
    });
    let (mut groups, mut more): (Vec<Group>, u64) = (Vec::new(), 0);
    for (reason, name, address) in functions.chain(variables) {
        let place = Place { name: name.clone(), address };
        if let Some(group) = groups.iter_mut().find(|group| group.text == reason) {
            group.count += 1;
            group.places.push(place);
        } else if groups.len() < GROUPS {
            groups.push(Group { topic: "", text: reason, hint: "", count: 1, places: vec![place], all: None });
        } else {
            more += 1;
        }
    }
    for group in groups.iter_mut().filter(|group| group.places.len() > PLACES) {
        group.places.truncate(PLACES);
        group.all = Some(address(library, "?show=uncallable"));
    }
    (groups, more)
}

#[derive(Template)]
#[template(path = "libraries/edit.html")]
struct Edit<'a> {
    frame: Frame,
    head: Head,
    library: &'a str,
    /// What is in the form.
    header: String,
    /// The header in force is too large for the form.
    is_too_large: bool,
    accept_errors: bool,
    /// Why what was sent is not taken.
    message: Option<&'a str>,
    /// All places of it that are not understood, but for the first, which the message has.
    diagnostics: Vec<String>,
}

/// The form for another header.
///
/// # Errors
/// There is no such library, or the page cannot be made.
pub async fn edit(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Result<Response, Problem> {
    let subject = Subject::find(&bridge, &name).await?;
    let header = bridge32_interface::text(&subject.declared.text());
    let is_too_large = header.len() > LARGEST_FORM;
    let header = if is_too_large { String::new() } else { header };
    form(&bridge, &subject, &visit, StatusCode::OK, Sent { header, accept_errors: false, is_too_large, problem: None })
        .await
}

/// What is in the form.
struct Sent<'a> {
    header: String,
    accept_errors: bool,
    is_too_large: bool,
    problem: Option<&'a Problem>,
}

async fn form(
    bridge: &Bridge,
    subject: &Subject,
    visit: &Visit,
    status: StatusCode,
    Sent { header, accept_errors, is_too_large, problem }: Sent<'_>,
) -> Result<Response, Problem> {
    let head = subject.head(bridge, Tab::Interface).await;
    let library = subject.library.name.as_str();
    let frame = visit.frame(format!("{} · {library}", visit.say(text!("Another header"))), "/libraries");
    let (message, diagnostics) = (problem.map(Problem::detail), problem.map(Problem::diagnostics).unwrap_or_default());
    let diagnostics = diagnostics.iter().skip(1).take(DIAGNOSTICS).map(ToString::to_string).collect();
    visit.page(status, &Edit { frame, head, library, header, is_too_large, accept_errors, message, diagnostics })
}

/// Puts the header of the form in force.
///
/// # Errors
/// There is no such library, or the page cannot be made. A header that is not good is told in the form.
pub async fn replace(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(name): Path<String>,
    visit: Visit,
    body: Bytes,
) -> Result<Response, Problem> {
    let library = bridge.library(&name)?;
    let sent = field(&body, "header").unwrap_or_default();
    let accept_errors = field(&body, "accept_errors").is_some();
    // Forms end lines with both; what was read from a file without must be the same again.
    let header = if library.declared().text().windows(2).any(|pair| pair == b"\r\n") {
        sent.clone()
    } else {
        sent.replace("\r\n", "\n")
    };
    match replaced(&bridge, library, header.clone().into(), accept_errors).await {
        Ok(library) => lead_to(&address(&library.name, Tab::Interface.path())),
        Err(problem) => {
            let subject = Subject::find(&bridge, &name).await?;
            let sent = Sent { header, accept_errors, is_too_large: false, problem: Some(&problem) };
            form(&bridge, &subject, &visit, problem.code().status(), sent).await
        }
    }
}

/// Puts the header files of the configuration in force again.
///
/// # Errors
/// There is no such library, or what is kept cannot be removed.
pub async fn restore(Shared(bridge): Shared<Arc<Bridge>>, Path(name): Path<String>) -> Result<Response, Problem> {
    let library = restored(&bridge, bridge.library(&name)?).await?;
    lead_to(&address(&library.name, Tab::Interface.path()))
}
