//! The exports of a library for people: filtered, in pages, with whether the interface declares them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bridge32_image::{Export, ExportKind, Image};
use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use crate::files::FileState;
use crate::interfaces::Declared;
use crate::limit;

/// A library's export table.
#[derive(Debug)]
pub struct Exports {
    image: Image,
    /// What it and that interface say of each other. Not its number tells an interface from others: one that was looked at
    /// and refused has left it to the next.
    compared: Mutex<Option<(Weak<Declared>, Arc<Coverage>)>>,
}

/// The exports of a file in one of its states.
pub type Known = (FileState, Arc<Exports>);

/// The exports of a file of this host: read, if it is not as it was when the known ones were.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn of_file(path: &Path, known: Option<Known>) -> Result<Known, String> {
    // Looked at before it is read: if it is replaced meanwhile, it is read again next time.
    let state = FileState::of(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match known {
        Some(known) if known.0 == state => Ok(known),
        _ => Ok((state, Arc::new(Exports::new(Image::open(path).map_err(|error| error.to_string())?)))),
    }
}

/// One export, and whether the interface declares it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Listed<'a> {
    /// The export.
    #[serde(flatten)]
    pub export: &'a Export,
    /// Whether the interface declares it.
    pub declared: bool,
}

/// What is wanted of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only names that contain this, in upper or lower case; the demangled name counts too.
    pub filter: Option<String>,
    /// Only functions, data, or forwarders.
    pub kind: Option<ExportKind>,
    /// Only those that the interface declares, or does not.
    pub declared: Option<bool>,
    /// How many at most.
    #[serde(default, deserialize_with = "limit::up_to::<MAX_LIMIT, _>")]
    pub limit: Option<usize>,
    /// Where to go on: `next_cursor` of the page before.
    pub cursor: Option<usize>,
}

/// A part of the list.
#[derive(Debug, Serialize)]
pub struct Page<'a> {
    /// The exports.
    pub exports: Vec<Listed<'a>>,
    /// How many fit, on all pages together.
    pub total: usize,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 5000;

impl Exports {
    /// The export table of a file.
    pub fn new(image: Image) -> Self {
        Self { image, compared: Mutex::default() }
    }

    /// The file with one of its exports alone: that of the name, else that of the ordinal. `None` if there is no such.
    pub fn only(&self, name: &str, ordinal: Option<u32>) -> Option<Image> {
        let is_meant = |export: &&Export| match name {
            "" => export.ordinal.is_some() && export.ordinal == ordinal,
            name => export.name.as_deref() == Some(name),
        };
        let export = self.image.exports.iter().find(is_meant)?.clone();
        Some(Image { exports: vec![export], dependencies: Vec::new(), ..self.image.clone() })
    }

    /// What the file and an interface say of each other.
    pub fn coverage(&self, interface: &Arc<Declared>) -> Arc<Coverage> {
        // What is found out twice is the same.
        let known = self.compared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let this = Arc::downgrade(interface);
        if let Some((compared, coverage)) = known
            && compared.ptr_eq(&this)
        {
            return coverage;
        }
        let coverage = Arc::new(Coverage::new(&self.image, interface.interface()));
        let kept = Some((this, Arc::clone(&coverage)));
        *self.compared.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        coverage
    }

    /// The file.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// A page of those that are wanted, with an interface laid beside them.
    pub fn page(&self, wanted: &Wanted, interface: &Arc<Declared>) -> Page<'_> {
        let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
        let start = wanted.cursor.unwrap_or_default();
        let fitting = self.fitting(wanted, interface);
        let total = fitting.len();
        let exports: Vec<Listed> = fitting.into_iter().skip(start).take(limit).collect();
        let end = start.saturating_add(exports.len());
        Page { exports, total, next_cursor: (end < total).then(|| end.to_string()) }
    }

    /// All that are wanted, in the file's order, with an interface laid beside them.
    pub fn fitting(&self, wanted: &Wanted, interface: &Arc<Declared>) -> Vec<Listed<'_>> {
        let filter = wanted.filter.as_deref().unwrap_or_default().to_lowercase();
        let fits = |listed: &Listed| {
            wanted.kind.is_none_or(|kind| listed.export.kind == kind)
                && wanted.declared.is_none_or(|declared| listed.declared == declared)
                && (filter.is_empty() || names(listed.export).any(|name| name.to_lowercase().contains(&filter)))
        };
        let coverage = self.coverage(interface);
        let listed = self.image.exports.iter().zip(&coverage.covered);
        listed.map(|(export, &declared)| Listed { export, declared }).filter(fits).collect()
    }
}

fn names(export: &Export) -> impl Iterator<Item = &str> {
    export.name.as_deref().into_iter().chain(export.demangled.as_deref())
}

#[cfg(test)]
mod tests {
    use bridge32_image::{Architecture, Format, Kind};
    use bridge32_protocol::target::Target;

    use super::*;
    use crate::interfaces::Origin;

    fn exports() -> Exports {
        let export = |name: &str, kind| Export {
            name: Some(name.to_owned()),
            ordinal: None,
            kind,
            address: None,
            forwarder: None,
            decoration: None,
            demangled: None,
            version: None,
            hidden: false,
        };
        let image = Image {
            format: Format::Elf,
            architecture: Architecture::X86,
            kind: Kind::Library,
            dotnet: bridge32_image::Dotnet::None,
            internal_name: None,
            version: None,
            exports: vec![
                export("Add", ExportKind::Function),
                export("AddEx", ExportKind::Function),
                export("table", ExportKind::Data),
            ],
            dependencies: Vec::new(),
            gnu: true,
            rpath: Vec::new(),
            runpath: Vec::new(),
            warnings: Vec::new(),
        };
        Exports::new(image)
    }

    fn interface(header: &str) -> Arc<Declared> {
        let sources = [bridge32_interface::Source { name: "a.h", text: header.as_bytes() }];
        let options = bridge32_interface::Options::new(Target::Linux32);
        let header = bridge32_interface::read(&sources, &options);
        Arc::new(Declared::new(1, header, Vec::new(), Origin::Configured))
    }

    fn names(wanted: &Wanted) -> (Vec<String>, Option<String>) {
        let exports = exports();
        let page = exports.page(wanted, &interface("int Add(int a, int b);"));
        (page.exports.iter().map(|listed| listed.export.name.clone().unwrap()).collect(), page.next_cursor)
    }

    #[test]
    fn pages_follow_each_other() {
        let first = Wanted { limit: Some(2), ..Wanted::default() };
        assert_eq!(names(&first), (vec!["Add".into(), "AddEx".into()], Some("2".into())));
        let second = Wanted { cursor: Some(2), ..first };
        assert_eq!(names(&second), (vec!["table".into()], None));
        assert_eq!(names(&Wanted { cursor: Some(99), ..Wanted::default() }).0.len(), 0);
    }

    #[test]
    fn filters_combine() {
        assert_eq!(names(&Wanted { filter: Some("ADD".into()), ..Wanted::default() }).0.len(), 2);
        assert_eq!(names(&Wanted { kind: Some(ExportKind::Data), ..Wanted::default() }).0, ["table"]);
        assert_eq!(names(&Wanted { declared: Some(true), ..Wanted::default() }).0, ["Add"]);
    }

    #[test]
    fn a_file_is_read_again_once_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (std::env::current_exe().unwrap(), folder.path().join("replaced"));
        let first = of_file(&file, None).unwrap();
        let second = of_file(&file, Some(first.clone())).unwrap();
        assert!(Arc::ptr_eq(&first.1, &second.1), "the file is as it was");
        std::fs::write(&other, "no library").unwrap();
        let error = of_file(&other, Some(second)).unwrap_err();
        assert!(error.contains("this is not a library"), "{error}");
    }

    #[test]
    fn what_is_declared_follows_the_interface() {
        let (exports, wanted) = (exports(), Wanted { declared: Some(true), ..Wanted::default() });
        let declared = |interface: &Arc<Declared>| {
            let page = exports.page(&wanted, interface);
            page.exports.iter().map(|listed| listed.export.name.clone().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(declared(&interface("int Add(int a, int b);")), ["Add"]);
        let second = interface("int AddEx(int a, int b, int c); extern int table; extern int nothere;");
        assert_eq!(declared(&second), ["AddEx", "table"]);
        let coverage = exports.coverage(&second);
        assert_eq!((&coverage.undeclared[0].name[..], &coverage.unexported[0].name[..]), ("Add", "nothere"));
    }
}
