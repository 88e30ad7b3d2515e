//! Which of the libraries that a file needs, directly or through others, are missing or of no use.
//!
//! Pure: where libraries are looked for is behind [`Resolver`]; [`crate::search`] has the usual ones.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::architecture::Architecture;
use crate::model::{Format, Image};

/// Most libraries that are looked at for one file.
const MAX_LIBRARIES: usize = 2000;

/// Finds libraries by the names that files know them by.
pub trait Resolver {
    /// Looks for the library that `request` names.
    fn resolve(&self, request: &Request<'_>) -> Found;
}

impl<F: Fn(&Request<'_>) -> Found> Resolver for F {
    fn resolve(&self, request: &Request<'_>) -> Found {
        self(request)
    }
}

/// A library that is looked for.
pub struct Request<'a> {
    /// The name as the file that needs it has it.
    pub name: &'a str,
    /// The files from the one that needs it back to the one that was asked about.
    pub chain: Vec<Requester<'a>>,
}

/// A file that needs a library.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// Its contents; a library other than the first has no exports here.
    pub image: &'a Image,
    /// Where it lies, if known.
    pub path: Option<&'a Path>,
}

/// What a [`Resolver`] found.
#[derive(Debug)]
pub enum Found {
    /// The library.
    Library {
        /// Its contents; exports are not looked at.
        image: Box<Image>,
        /// Where it lies, if known.
        path: Option<PathBuf>,
    },
    /// The system provides it and there is nothing to look into.
    System,
    /// A file of that name that cannot be read as a library.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, for a person.
        reason: String,
    },
    /// No such library.
    Missing,
}

/// Something that is wrong with a library that a file needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Problem {
    /// The names from the file that was asked about to the library that is at fault.
    pub chain: Vec<String>,
    /// What is wrong with the last one.
    #[serde(flatten)]
    pub fault: Fault,
    /// True if it is only needed when one of its functions is first called, so that loading works without it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
}

impl Problem {
    /// The name of the library that is at fault.
    pub fn name(&self) -> &str {
        self.chain.last().map_or("", String::as_str)
    }
}

/// What is wrong with a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    /// It is nowhere.
    Missing,
    /// A file of that name was found, but of another architecture.
    OtherArchitecture {
        /// The file.
        path: Option<PathBuf>,
        /// The architecture it is for.
        architecture: Architecture,
    },
    /// A file of that name was found, but it is no usable library.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why, for a person.
        reason: String,
    },
}

impl fmt::Display for Problem {
    /// `vendor.dll → helper.dll → MSVCR71.dll (missing)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.chain.join(" → "))?;
        match &self.fault {
            Fault::Missing => f.write_str("missing")?,
            Fault::OtherArchitecture { path, architecture } => {
                if let Some(path) = path {
                    write!(f, "{} ", path.display())?;
                }
                write!(f, "is for {architecture}")?;
            }
            Fault::Unreadable { path, reason } => write!(f, "{}: {reason}", path.display())?,
        }
        f.write_str(if self.delayed { "; needed only when first used)" } else { ")" })
    }
}

/// The outcome of [`check`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Report {
    /// What is wrong, nearest libraries first; each library once.
    pub problems: Vec<Problem>,
    /// How many libraries were looked for.
    pub looked_for: usize,
    /// Each of them, found or not, after the one that needs it.
    #[serde(skip)]
    pub libraries: Vec<Needed>,
    /// True if there were more libraries than are looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_short: bool,
}

impl Report {
    /// The problems that make loading fail.
    pub fn fatal(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| !problem.delayed)
    }
}

/// A library that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The name as the file that needs it has it.
    pub name: String,
    /// Which of [`Report::libraries`] needs it; `None` for the file that was asked about.
    pub by: Option<usize>,
    /// Where it lies, if it was found and that is known.
    pub path: Option<PathBuf>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
    /// True if it is only needed when one of its functions is first called.
    pub delayed: bool,
}

struct Node {
    /// Its place in [`Report::libraries`].
    place: usize,
    name: String,
    image: Box<Image>,
    path: Option<PathBuf>,
    parent: usize,
    delayed: bool,
}

struct Walk<'a, R: ?Sized> {
    root: Requester<'a>,
    root_name: String,
    resolver: &'a R,
    /// Libraries that were found. Number 0 stands for the root.
    nodes: Vec<Node>,
    seen: HashSet<String>,
    report: Report,
}

/// Looks for everything that `image` needs, and for what those libraries need in turn.
///
/// `name` is what `image` is called in the chains; `path` is where it lies, if known. Each name is looked for once, as loaders
/// do; of several chains to it the shortest is told, and one without delay-loading before one with.
pub fn check<R: Resolver + ?Sized>(image: &Image, name: &str, path: Option<&Path>, resolver: &R) -> Report {
    let mut walk = Walk {
        root: Requester { image, path },
        root_name: name.to_owned(),
        resolver,
        nodes: Vec::new(),
        seen: HashSet::from([key(image.format, name)]),
        report: Report::default(),
    };
    let mut now = VecDeque::from([0]);
    let mut later: VecDeque<(usize, String)> = VecDeque::new();
    loop {
        while let Some(parent) = now.pop_front() {
            for dependency in walk.requester(parent).image.dependencies.clone() {
                if dependency.delayed {
                    later.push_back((parent, dependency.name));
                } else {
                    now.extend(walk.visit(parent, dependency.name, false));
                }
            }
        }
        let Some((parent, name)) = later.pop_front() else { break };
        now.extend(walk.visit(parent, name, true));
    }
    walk.report
}

/// The name under which a loader remembers a library.
fn key(format: Format, name: &str) -> String {
    match format {
        Format::Pe => name.to_ascii_lowercase(),
        Format::Elf => name.to_owned(),
    }
}

impl<R: Resolver + ?Sized> Walk<'_, R> {
    /// Looks for `name`, which library number `parent` needs. A library that was found is given a number.
    fn visit(&mut self, parent: usize, name: String, delayed: bool) -> Option<usize> {
        if !self.seen.insert(key(self.root.image.format, &name)) {
            return None;
        }
        if self.report.looked_for == MAX_LIBRARIES {
            self.report.cut_short = true;
            return None;
        }
        self.report.looked_for += 1;
        let found = self.resolver.resolve(&Request { name: &name, chain: self.chain(parent) });
        let delayed = delayed || self.node(parent).is_some_and(|node| node.delayed);
        let wanted = self.root.image.architecture;
        let by = self.node(parent).map(|node| node.place);
        let place = self.report.libraries.len();
        let mut needed = Needed { name: name.clone(), by, path: None, fault: None, delayed };
        let fault = match found {
            Found::System => {
                self.report.libraries.push(needed);
                return None;
            }
            Found::Library { image, path } if image.architecture == wanted => {
                needed.path.clone_from(&path);
                self.report.libraries.push(needed);
                self.nodes.push(Node { place, name, image, path, parent, delayed });
                return Some(self.nodes.len());
            }
            Found::Library { image, path } => Fault::OtherArchitecture { path, architecture: image.architecture },
            Found::Unreadable { path, reason } => Fault::Unreadable { path, reason },
            Found::Missing => Fault::Missing,
        };
        needed.fault = Some(fault.clone());
        self.report.libraries.push(needed);
        let mut chain = self.names(parent);
        chain.push(name);
        self.report.problems.push(Problem { chain, fault, delayed });
        None
    }

    fn node(&self, number: usize) -> Option<&Node> {
        number.checked_sub(1).and_then(|index| self.nodes.get(index))
    }

    fn requester(&self, number: usize) -> Requester<'_> {
        match self.node(number) {
            Some(Node { image, path, .. }) => Requester { image, path: path.as_deref() },
            None => self.root,
        }
    }

    /// From library number `last` back to the root.
    fn chain(&self, last: usize) -> Vec<Requester<'_>> {
        self.numbers(last).map(|number| self.requester(number)).collect()
    }

    /// Names from the root to library number `last`.
    fn names(&self, last: usize) -> Vec<String> {
        let name = |number| self.node(number).map_or(&self.root_name, |node| &node.name).clone();
        let mut names: Vec<_> = self.numbers(last).map(name).collect();
        names.reverse();
        names
    }

    fn numbers(&self, last: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(last), |number| self.node(*number).map(|node| node.parent))
    }
}
