//! What stands above every page of a library: how it fares, what is wrong with it, which file it is, and the other pages.

use std::path::Path;
use std::sync::Arc;

use askama::Template;
use bridge32_image::Version;
use bridge32_protocol::target::Target;
use jiff::Timestamp;

use super::{Subject, address};
use crate::api::libraries::{Loaded, Problems, Summary, summary};
use crate::bridge::Bridge;
use crate::config::LibraryFile;
use crate::dashboard::filters::{self, text};
use crate::dashboard::state::State;
use crate::libraries::Library;

/// So many diagnostics stand above a page; the page of the interface has all.
const DIAGNOSTICS: usize = 3;

/// A page of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Functions,
    Exports,
    Interface,
    Dependencies,
    Settings,
}

impl Tab {
    const ALL: [Self; 5] = [Self::Functions, Self::Exports, Self::Interface, Self::Dependencies, Self::Settings];

    /// Its address behind that of the library.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Functions => "",
            Self::Exports => "/exports",
            Self::Interface => "/interface",
            Self::Dependencies => "/dependencies",
            Self::Settings => "/settings",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Functions => text!("Functions"),
            Self::Exports => text!("Exports"),
            Self::Interface => text!("Interface"),
            Self::Dependencies => text!("Dependencies"),
            Self::Settings => text!("Settings and reload"),
        }
    }
}

/// What stands above a page. Pages write it as `{{ head|safe }}`.
#[derive(Debug, Template)]
#[template(path = "libraries/head.html")]
pub(super) struct Head {
    name: String,
    state: State,
    /// Why it is in that state, unless it is the fault that the problems begin with.
    reason: Option<String>,
    tabs: Vec<Link>,
    fault: Option<String>,
    file_problem: Option<String>,
    fallback: Option<String>,
    /// The first lines of the first diagnostics.
    diagnostics: Vec<String>,
    more_diagnostics: u64,
    missing: u64,
    file: String,
    facts: Facts,
    agents: Vec<(String, State)>,
}

#[derive(Debug)]
struct Link {
    address: String,
    label: &'static str,
    count: Option<u64>,
    is_here: bool,
}

/// What is known of the file.
#[derive(Debug, Default)]
struct Facts {
    /// The runtime, and what kind of file it is.
    runtime: Option<Target>,
    kind: Option<String>,
    size: Option<u64>,
    sha256: Option<String>,
    loaded_at: Option<Timestamp>,
    /// A file of another hash was loaded before: that, and when it was noticed.
    changed: Option<(String, Timestamp)>,
    version: Option<Version>,
    /// How an agent names it, where that is another path.
    loaded_as: Option<String>,
}

impl Subject {
    /// What stands above that page of it.
    pub(super) async fn head(&self, bridge: &Bridge, tab: Tab) -> Head {
        let Self { library, declared, exports, .. } = self;
        let (state, reason) = State::of_library(&library.state());
        let image = exports.as_ref().ok().map(|exports| exports.image());
        let count = |of: Tab| {
            let count = match of {
                Tab::Functions => Some(declared.interface().functions.len()),
                Tab::Exports => image.map(|image| image.exports.len()),
                Tab::Interface => Some(declared.header.assumptions.len()),
                Tab::Dependencies => image.map(|image| image.dependencies.len()),
                Tab::Settings => None,
            };
            count.map(|count| count as u64)
        };
        let link = |of: Tab| Link {
            address: address(&library.name, of.path()),
            label: of.label(),
            count: count(of),
            is_here: of == tab,
        };
        let Summary { problems, loaded_file, file, .. } = summary(library).await;
        let mut facts = facts(library, loaded_file, &file).await;
        facts.kind = image.map(|image| format!("{}, {}", image.format, image.architecture));
        facts.version = image.and_then(|image| image.version.clone());
        let members = library.pool().map(|pool| pool.members()).unwrap_or_default();
        let agents = members.iter().map(|agent| {
            let view = bridge.view(agent);
            (view.id, State::of_agent(view.status.state))
        });
        let Problems { fault, header, fallback, file: file_problem, missing } = problems;
        let first_lines = header.iter().filter_map(|text| text.lines().next()).take(DIAGNOSTICS);
        Head {
            name: library.name.clone(),
            state,
            reason: reason.filter(|_| fault.is_none()),
            tabs: Tab::ALL.map(link).into(),
            diagnostics: first_lines.map(str::to_owned).collect(),
            more_diagnostics: header.len().saturating_sub(DIAGNOSTICS) as u64,
            missing: missing.len() as u64,
            fault,
            file_problem,
            fallback,
            file,
            facts,
            agents: agents.collect(),
        }
    }
}

impl Head {
    fn has_problems(&self) -> bool {
        self.fault.is_some()
            || self.file_problem.is_some()
            || self.fallback.is_some()
            || !self.diagnostics.is_empty()
            || self.missing > 0
    }

    fn page(&self, tab: Tab) -> String {
        address(&self.name, tab.path())
    }
}

/// Of the file that is loaded; where none is, of the one that lies on the disk.
async fn facts(library: &Library, loaded: Option<Loaded>, file: &str) -> Facts {
    let mut facts = Facts { runtime: library.target, ..Facts::default() };
    if let Some(Loaded { known, .. }) = loaded {
        facts.size = Some(known.size);
        facts.sha256 = Some(known.sha256);
        facts.loaded_at = Some(known.loaded_at);
        facts.changed = known.changed.map(|changed| (changed.from_sha256, changed.noticed_at));
        facts.loaded_as = Some(known.path).filter(|path| path != file);
    } else if let LibraryFile::Host(path) = &library.config.file {
        let (identity, path) = (Arc::clone(&library.identity), path.clone());
        let look = move || (size(&path), identity.hash_on_disk(&path).ok());
        (facts.size, facts.sha256) = tokio::task::spawn_blocking(look).await.unwrap_or_default();
    }
    facts
}

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|found| found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::state::Mark;

    fn head() -> Head {
        Head {
            name: "calc".to_owned(),
            state: State::new(Mark::Good, "ready"),
            reason: None,
            tabs: Vec::new(),
            fault: None,
            file_problem: None,
            fallback: None,
            diagnostics: Vec::new(),
            more_diagnostics: 0,
            missing: 0,
            file: "/srv/calc.so".to_owned(),
            facts: Facts::default(),
            agents: Vec::new(),
        }
    }

    #[test]
    fn problems_stand_before_everything_else() {
        let shown =
            Head { missing: 2, diagnostics: vec!["calc.h:1:2: error: x".to_owned()], ..head() }.render().unwrap();
        let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no {text}: {shown}"));
        assert!(at("calc.h:1:2: error: x") < at("/srv/calc.so"));
        assert!(shown.contains("/libraries/calc?show=uncallable"), "{shown}");
        assert!(!head().render().unwrap().contains("id=\"problems\""));
    }

    #[test]
    fn what_a_file_says_of_itself_is_text_and_no_markup() {
        let strings = [("CompanyName".to_owned(), "<script>alert(1)</script>".to_owned())];
        let version = Version { file: Some("1.2.3.4".to_owned()), product: None, strings: strings.into() };
        let facts = Facts { version: Some(version), loaded_as: Some("<b>".to_owned()), ..Facts::default() };
        let fault = Some("<img src=x> could not be loaded".to_owned());
        let shown = Head { facts, fault, file: "/srv/<i>.so".to_owned(), ..head() }.render().unwrap();
        for tag in ["<script>", "<b>", "<img", "<i>"] {
            assert!(!shown.contains(tag), "{shown}");
        }
        assert!(shown.contains("1.2.3.4") && shown.contains("alert(1)"), "{shown}");
    }
}
