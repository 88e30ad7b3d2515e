//! The exports of a library for people: filtered, in pages, with whether the interface declares them.

use bridge32_image::{Export, ExportKind, Image, lookup};
use bridge32_protocol::interface::{ExportName, Function};
use serde::{Deserialize, Serialize};

use crate::limit;

/// A library's export table.
#[derive(Debug)]
pub struct Exports {
    listed: Vec<Listed>,
}

/// One export, and whether the interface declares it.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// The export.
    #[serde(flatten)]
    pub export: Export,
    /// Whether a declared function means it.
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
    pub exports: Vec<&'a Listed>,
    /// How many fit, on all pages together.
    pub total: usize,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 5000;

impl Exports {
    /// The export table of a file, with the interface laid beside it.
    pub fn new(image: Image, functions: &[Function]) -> Self {
        let mut declared = vec![false; image.exports.len()];
        for function in functions {
            let index = match &function.export {
                Some(ExportName::Name(name)) => {
                    image.exports.iter().position(|export| export.name.as_deref() == Some(name.as_str()))
                }
                Some(ExportName::Ordinal(ordinal)) => {
                    image.exports.iter().position(|export| export.ordinal == Some(*ordinal))
                }
                None => match lookup::find(&image.exports, &function.name, None) {
                    lookup::Lookup::Found { export, .. } => {
                        image.exports.iter().position(|other| std::ptr::eq(other, export))
                    }
                    _ => None,
                },
            };
            if let Some(index) = index {
                declared[index] = true;
            }
        }
        let listed = image.exports.into_iter().zip(declared);
        Self { listed: listed.map(|(export, declared)| Listed { export, declared }).collect() }
    }

    /// A page of those that are wanted.
    pub fn page(&self, wanted: &Wanted) -> Page<'_> {
        let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
        let start = wanted.cursor.unwrap_or_default();
        let filter = wanted.filter.as_deref().unwrap_or_default().to_lowercase();
        let fits = |listed: &&Listed| {
            wanted.kind.is_none_or(|kind| listed.export.kind == kind)
                && wanted.declared.is_none_or(|declared| listed.declared == declared)
                && (filter.is_empty() || names(&listed.export).any(|name| name.to_lowercase().contains(&filter)))
        };
        let fitting: Vec<&Listed> = self.listed.iter().filter(fits).collect();
        let total = fitting.len();
        let exports: Vec<&Listed> = fitting.into_iter().skip(start).take(limit).collect();
        let end = start.saturating_add(exports.len());
        Page { exports, total, next_cursor: (end < total).then(|| end.to_string()) }
    }
}

fn names(export: &Export) -> impl Iterator<Item = &str> {
    export.name.as_deref().into_iter().chain(export.demangled.as_deref())
}

#[cfg(test)]
mod tests {
    use bridge32_image::{Architecture, Format, Kind};

    use super::*;

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
        let interface = bridge32_interface::read(
            &[bridge32_interface::Source { name: "a.h", text: b"int Add(int a, int b);" }],
            &bridge32_interface::Options::new(bridge32_protocol::target::Target::Linux32),
        );
        Exports::new(image, &interface.interface.functions)
    }

    fn names(wanted: &Wanted) -> (Vec<String>, Option<String>) {
        let exports = exports();
        let page = exports.page(wanted);
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
}
