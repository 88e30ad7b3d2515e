//! `/search`: one field for libraries, functions, exports, agents, and the ids of calls.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_image::Export;
use serde::Deserialize;
use uuid::Uuid;

use super::filters::{self, text};
use super::libraries::meaning::{Meant, Names, function_address, line_address, try_address};
use super::libraries::{address, escaped};
use super::{Frame, Visit, lead_to};
use crate::api::Query;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::interfaces::Declared;
use crate::libraries::Library;
use crate::libraries::coverage::shown;
use crate::libraries::exports::Exports;
use crate::openapi::text::sentence;

/// So many of each kind are shown.
const MOST: usize = 50;

/// What an address says.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// What is looked for.
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct Page {
    frame: Frame,
    q: String,
    kinds: Vec<Kind>,
    /// Libraries whose exports nobody can read now.
    unread: Vec<String>,
}

/// What was found of one kind, the best first.
struct Kind {
    title: &'static str,
    hits: Vec<Hit>,
    total: u64,
}

struct Hit {
    name: String,
    /// The library that it is of.
    library: Option<String>,
    /// More of it: a declaration, a demangled name, a file.
    more: Option<String>,
    about: Option<String>,
    /// `None` where there is no page of it.
    address: Option<String>,
}

/// How well a name fits: less is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Exact,
    Prefix,
    Contains,
}

/// What is looked for, in lower case.
struct Wanted(String);

impl Wanted {
    fn rank(&self, name: &str) -> Option<Rank> {
        let name = name.to_lowercase();
        match name.find(&self.0)? {
            0 if name.len() == self.0.len() => Some(Rank::Exact),
            0 => Some(Rank::Prefix),
            _ => Some(Rank::Contains),
        }
    }
}

/// What was found of one kind: how well it fits, how long its name is and which, and what it is.
struct Found<T> {
    all: Vec<(Rank, usize, String, T)>,
}

impl<T> Found<T> {
    const fn nothing() -> Self {
        Self { all: Vec::new() }
    }

    /// Takes something in, if one of its names fits.
    fn offer<'n>(&mut self, wanted: &Wanted, names: impl IntoIterator<Item = &'n str>, what: T) {
        let ranked = names.into_iter().filter_map(|name| Some((wanted.rank(name)?, name)));
        if let Some((rank, name)) = ranked.min() {
            self.all.push((rank, name.chars().count(), name.to_owned(), what));
        }
    }

    /// The best ones; equals by their names, the shorter first.
    fn best(mut self, title: &'static str, hit: impl Fn(T) -> Hit) -> Kind {
        let total = self.all.len() as u64;
        self.all.sort_by(|a, b| (a.0, a.1, &a.2).cmp(&(b.0, b.1, &b.2)));
        Kind { title, hits: self.all.into_iter().take(MOST).map(|(.., what)| hit(what)).collect(), total }
    }
}

/// A library with what can be searched of it.
struct Searched {
    library: Arc<Library>,
    declared: Arc<Declared>,
    exports: Option<Arc<Exports>>,
}

/// Looks for something.
///
/// # Errors
/// The page cannot be made.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Query(asked): Query<Asked>,
    visit: Visit,
) -> Result<Response, Problem> {
    let q = asked.q.trim().to_owned();
    if let Ok(id) = q.parse::<Uuid>() {
        return lead_to(&format!("/calls/{id}"));
    }
    let frame = visit.frame(visit.say(text!("Search")), "");
    if q.is_empty() {
        return visit.page(StatusCode::OK, &Page { frame, q, kinds: Vec::new(), unread: Vec::new() });
    }
    let mut all = Vec::new();
    for library in bridge.libraries.all() {
        let exports = bridge.exports(&library).await.ok();
        all.push(Searched { declared: library.declared(), library, exports });
    }
    let wanted = Wanted(q.to_lowercase());
    let mut agents = Found::nothing();
    for view in bridge.agent_views() {
        let id = view.id.clone();
        agents.offer(&wanted, [id.as_str()], view);
    }
    let agents = agents.best(text!("Agents"), |view| Hit {
        address: Some(format!("/agents/{}", escaped(&view.id))),
        name: view.id,
        library: None,
        more: Some(view.libraries.join(", ")),
        about: None,
    });
    let [libraries, functions, exports] = of_libraries(&all, &wanted);
    let mut kinds = vec![libraries, functions, exports, agents];
    kinds.retain(|kind| kind.total > 0);
    let unread = all.iter().filter(|searched| searched.exports.is_none());
    let unread = unread.map(|searched| searched.library.name.clone()).collect();
    visit.page(StatusCode::OK, &Page { frame, q, kinds, unread })
}

fn of_libraries(all: &[Searched], wanted: &Wanted) -> [Kind; 3] {
    let (mut libraries, mut functions, mut exports) = (Found::nothing(), Found::nothing(), Found::nothing());
    for searched in all {
        libraries.offer(wanted, [searched.library.name.as_str()], searched);
        for function in &searched.declared.interface().functions {
            functions.offer(wanted, [function.name.as_str()], (searched, function));
        }
        let Some(table) = &searched.exports else { continue };
        for export in &table.image().exports {
            let own = shown_if_nameless(export);
            let names = [export.name.as_deref(), export.demangled.as_deref(), own.as_deref()];
            exports.offer(wanted, names.into_iter().flatten(), (searched, export));
        }
    }
    let libraries = libraries.best(text!("Libraries"), |searched| Hit {
        name: searched.library.name.clone(),
        library: None,
        more: Some(searched.library.config.file.display()),
        about: None,
        address: Some(address(&searched.library.name, "")),
    });
    let functions = functions.best(text!("Functions"), |(searched, function)| Hit {
        name: function.name.clone(),
        library: Some(searched.library.name.clone()),
        more: Some(function.declaration.clone()),
        about: sentence(&function.description),
        address: Some(function_address(&searched.library.name, &function.name)),
    });
    let exports = exports.best(text!("Exports"), |(searched, export)| Hit {
        name: shown(export),
        library: Some(searched.library.name.clone()),
        more: export.demangled.clone().or_else(|| export.forwarder.as_ref().map(ToString::to_string)),
        about: None,
        address: export_address(searched, export),
    });
    [libraries, functions, exports]
}

/// `#5` of an export that has no name.
fn shown_if_nameless(export: &Export) -> Option<String> {
    export.name.is_none().then(|| shown(export))
}

fn export_address(searched: &Searched, export: &Export) -> Option<String> {
    let library = &searched.library.name;
    match Names::of(&searched.declared).of_export(export) {
        Some(Meant::Function(function)) => Some(function_address(library, function)),
        Some(Meant::Variable(variable)) => Some(line_address(library, &variable.file, variable.line)),
        None => try_address(library, export),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::coverage::tests::image;
    use crate::libraries::tests::library;

    fn searched(header: &str, names: &[&str]) -> Searched {
        let library = Arc::new(library(header));
        Searched { declared: library.declared(), library, exports: Some(Arc::new(Exports::new(image(names)))) }
    }

    fn names(kind: &Kind) -> Vec<&str> {
        kind.hits.iter().map(|hit| hit.name.as_str()).collect()
    }

    #[test]
    fn what_fits_best_comes_first() {
        let all = [searched("int ReadAll(void); int read(int); int Spread(void); int write(void);", &[])];
        let [_, functions, _] = of_libraries(&all, &Wanted("read".to_owned()));
        assert_eq!(names(&functions), ["read", "ReadAll", "Spread"]);
        assert_eq!(functions.hits[0].address.as_deref(), Some("/libraries/calc/functions/read"));
    }

    #[test]
    fn exports_are_found_by_decorated_and_demangled_names_and_by_ordinal() {
        let all = [searched("int __stdcall Add(int, int);", &["_Add@8", "?Sub@@YAHHH@Z", "#77", "other"])];
        let found = |wanted: &str| {
            let [_, _, exports] = of_libraries(&all, &Wanted(wanted.to_owned()));
            exports.hits.into_iter().map(|hit| (hit.name, hit.address.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(found("add"), [("_Add@8".to_owned(), "/libraries/calc/functions/Add".to_owned())]);
        assert_eq!(found("__cdecl sub")[0].0, "?Sub@@YAHHH@Z");
        assert_eq!(found("#77"), [("#77".to_owned(), "/libraries/calc/try?ordinal=77".to_owned())]);
    }

    #[test]
    fn no_more_than_fifty_are_shown_and_all_are_counted() {
        let header = (0..60).map(|number| format!("int f{number}(void); ")).collect::<Vec<_>>().concat();
        let [_, functions, _] = of_libraries(&[searched(&header, &[])], &Wanted("f".to_owned()));
        assert_eq!((functions.hits.len(), functions.total), (50, 60));
    }

    #[test]
    fn names_are_text_and_no_markup() {
        let all = [searched("", &["<script>alert(1)</script>", "\"><img src=x>", "读卡器"])];
        let [_, _, exports] = of_libraries(&all, &Wanted(String::new()));
        let frame = Visit::nobody("/search").frame("Search", "");
        let page = Page { frame, q: "<b>&\"".to_owned(), kinds: vec![exports], unread: vec!["<i>".to_owned()] };
        let page = page.render().unwrap();
        for tag in ["<script>alert", "<img", "<b>", "<i>"] {
            assert!(!page.contains(tag), "{page}");
        }
        assert!(page.contains("读卡器") && page.contains("alert(1)"), "{page}");
    }
}
