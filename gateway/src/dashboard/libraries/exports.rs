//! `/libraries/{library}/exports`: all that the file exports, and what the headers say of it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_image::{Convention, Decoration, ExportKind, Format};

use super::filter::{self, Asked, Chip, Reduced, Show};
use super::head::{Head, Tab};
use super::meaning::{Meant, Names, function_address, line_address, try_address};
use super::{Paging, Subject, address};
use crate::api::{Path, Query};
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::{Frame, Visit};
use crate::error::Problem;
use crate::libraries::coverage::Unexported;
use crate::libraries::exports::{Exports, Listed, Wanted};

/// So many declarations without an export are named.
const UNEXPORTED: usize = 10;

/// Which exports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    Declared,
    Undeclared,
    Forwarded,
    Data,
}

impl Show for Kind {
    const ALL: &'static [Self] = &[Self::All, Self::Declared, Self::Undeclared, Self::Forwarded, Self::Data];

    fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Declared => "declared",
            Self::Undeclared => "undeclared",
            Self::Forwarded => "forwarded",
            Self::Data => "data",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::All => text!("all"),
            Self::Declared => text!("declared"),
            Self::Undeclared => text!("undeclared"),
            Self::Forwarded => text!("forwarded"),
            Self::Data => text!("data"),
        }
    }
}

impl Kind {
    fn fits(self, listed: &Listed) -> bool {
        match self {
            Self::All => true,
            Self::Declared => listed.declared,
            Self::Undeclared => !listed.declared,
            Self::Forwarded => listed.export.kind == ExportKind::Forwarder,
            Self::Data => listed.export.kind == ExportKind::Data,
        }
    }
}

#[derive(Template)]
#[template(path = "libraries/exports.html")]
struct Page<'a> {
    frame: Frame,
    head: Head,
    library: &'a str,
    /// Why there is nothing to show.
    unreadable: Option<&'a str>,
    q: &'a str,
    show: &'static str,
    list: Option<List<'a>>,
}

struct List<'a> {
    chips: Vec<Chip>,
    /// How many exports there are, whatever is filtered.
    total: u64,
    undeclared: u64,
    unexported: Vec<&'a Unexported>,
    more_unexported: u64,
    has_ordinals: bool,
    rows: Vec<Row<'a>>,
    paging: Paging,
}

struct Row<'a> {
    /// `None` of one that has an ordinal only.
    name: Option<&'a str>,
    demangled: Option<&'a str>,
    decoration: Option<String>,
    version: Option<&'a str>,
    ordinal: Option<u32>,
    kind: &'static str,
    forwarder: Option<String>,
    is_declared: bool,
    /// Where it leads: to the function, to a prototype that is typed in, or to the line that declares it.
    address: Option<String>,
    action: &'static str,
}

/// The exports of a library.
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
    let head = subject.head(&bridge, Tab::Exports).await;
    let title = format!("{} · {}", visit.say(text!("Exports")), subject.library.name);
    let frame = visit.frame(title, "/libraries").live("agent,reload");
    let coverage = subject.exports.as_ref().ok().map(|exports| exports.coverage(&subject.declared));
    let unexported = coverage.as_ref().map(|coverage| &coverage.unexported[..]).unwrap_or_default();
    let page = Page {
        frame,
        head,
        library: &subject.library.name,
        unreadable: subject.exports.as_ref().err().map(Problem::detail),
        q: &asked.q,
        show: Kind::of(&asked.show).word(),
        list: subject.exports.as_ref().ok().map(|exports| list(&subject, exports, unexported, &asked)),
    };
    visit.page(StatusCode::OK, &page)
}

fn list<'a>(subject: &'a Subject, exports: &'a Exports, unexported: &'a [Unexported], asked: &Asked) -> List<'a> {
    let (library, declared) = (subject.library.name.as_str(), &subject.declared);
    let wanted = Wanted { filter: Some(asked.q.trim().to_owned()), ..Wanted::default() };
    let mut fitting = exports.fitting(&wanted, declared);
    if exports.image().format == Format::Elf {
        // The order of a hash is nobody's.
        fitting.sort_by_key(|listed| listed.export.name.as_deref());
    }
    let place = address(library, Tab::Exports.path());
    let Reduced { chips, shown, paging } =
        filter::reduced(fitting, asked, &place, |listed, kind: Kind| kind.fits(listed));
    let all = &exports.coverage(declared).covered;
    let undeclared = all.iter().filter(|covered| !**covered).count() as u64;
    let names = Names::of(declared);
    let rows = shown.into_iter().map(|listed| row(library, listed, &names)).collect();
    List {
        chips,
        total: all.len() as u64,
        undeclared,
        unexported: unexported.iter().take(UNEXPORTED).collect(),
        more_unexported: unexported.len().saturating_sub(UNEXPORTED) as u64,
        has_ordinals: exports.image().format == Format::Pe,
        rows,
        paging,
    }
}

fn row<'a>(library: &str, listed: Listed<'a>, names: &Names) -> Row<'a> {
    let Listed { export, declared } = listed;
    let (address, action) = match names.of_export(export).filter(|_| declared) {
        None if declared => (None, ""),
        None => (try_address(library, export), text!("try it")),
        Some(Meant::Function(name)) => (Some(function_address(library, name)), text!("call it")),
        Some(Meant::Variable(variable)) => {
            (Some(line_address(library, &variable.file, variable.line)), text!("declaration"))
        }
    };
    Row {
        name: export.name.as_deref(),
        demangled: export.demangled.as_deref(),
        decoration: export.decoration.as_ref().map(in_words),
        version: export.version.as_deref(),
        ordinal: export.ordinal,
        kind: match export.kind {
            ExportKind::Function => text!("function"),
            ExportKind::Data => text!("data"),
            ExportKind::Forwarder => text!("forwarder"),
        },
        forwarder: export.forwarder.as_ref().map(ToString::to_string),
        is_declared: declared,
        address,
        action,
    }
}

/// `Add: stdcall, 8 bytes of arguments`, as C has it.
fn in_words(decoration: &Decoration) -> String {
    let convention = match decoration.convention {
        Convention::Cdecl => "__cdecl",
        Convention::Stdcall => "__stdcall",
        Convention::Fastcall => "__fastcall",
        Convention::Vectorcall => "__vectorcall",
    };
    let bytes = decoration.argument_bytes.map(|bytes| format!(", {bytes} B")).unwrap_or_default();
    format!("{}: {convention}{bytes}", decoration.bare)
}
