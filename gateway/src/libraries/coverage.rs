//! What a header and an export table say of each other: exports that nothing declares, and declarations that nothing
//! exports. For `check`, `interface check`, `import` and the API alike.

use std::collections::HashSet;

use bridge32_image::lookup::{Index, Lookup};
use bridge32_image::{Export, ExportKind, Format, Image};
use bridge32_protocol::interface::{ExportName, Interface};
use serde::Serialize;

/// The two differences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// What the file exports and the interface does not declare: by ordinal for PE, by name for ELF.
    pub undeclared: Vec<Undeclared>,
    /// What the interface declares and the file does not export: functions in the order of the header, then variables.
    pub unexported: Vec<Unexported>,
    /// How many functions and variables are declared: if all of them are unexported, the header is another library's.
    pub declared: usize,
    /// For each export of the file, in its order, whether the interface declares it.
    #[serde(skip)]
    pub covered: Vec<bool>,
}

/// An export without a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undeclared {
    /// Its name as in the file, `#12` if it has only a number.
    pub name: String,
    /// Function, data or forwarder.
    pub kind: ExportKind,
    /// The name as C++ or Rust source would say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demangled: Option<String>,
}

/// A declaration without an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unexported {
    /// The declared name.
    pub name: String,
    /// Function or data.
    pub kind: ExportKind,
    /// How the header says that it is exported, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportName>,
    /// An export that differs in upper and lower case only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similar: Option<String>,
}

impl Unexported {
    /// Why it cannot be used.
    pub fn reason(&self) -> String {
        let near = self.similar.as_ref().map(|name| format!("; it has `{name}`: names are case-sensitive"));
        format!("the file does not export it{}", near.unwrap_or_default())
    }
}

/// Something that an interface declares, and how it says that the file calls it.
#[derive(Clone, Copy)]
struct Declaration<'a> {
    name: &'a str,
    kind: ExportKind,
    export: Option<&'a ExportName>,
}

/// All that an interface declares.
fn declarations(interface: &Interface) -> impl Iterator<Item = Declaration<'_>> + Clone {
    let functions = interface.functions.iter().map(|function| Declaration {
        name: &function.name,
        kind: ExportKind::Function,
        export: function.export.as_ref(),
    });
    let variables = interface.variables.iter();
    functions.chain(variables.map(|variable| Declaration {
        name: &variable.name,
        kind: ExportKind::Data,
        export: None,
    }))
}

impl Coverage {
    /// Compares them.
    pub fn new(image: &Image, interface: &Interface) -> Self {
        let index = Index::new(&image.exports);
        let mut meant: HashSet<*const Export> = HashSet::new();
        let mut names: HashSet<&str> = HashSet::new();
        let mut unexported = Vec::new();
        for declaration in declarations(interface) {
            let Declaration { name, kind, export: tag } = declaration;
            let found = meant_by(&index, declaration);
            // A tag may lead elsewhere than to what has the declared name.
            match (&found, tag) {
                (Meant::One(export), Some(_)) => names.extend(bare(export)),
                _ => drop(names.insert(name)),
            }
            match found {
                Meant::One(export) => drop(meant.insert(export)),
                Meant::Several => {}
                Meant::Nothing { similar } => {
                    let (name, similar) = (name.to_owned(), similar.and_then(|export| export.name.clone()));
                    unexported.push(Unexported { name, kind, export: tag.cloned(), similar });
                }
            }
        }
        // `_f@8` beside `f`, or an older version of it, is the same function.
        let is_another_spelling = |export: &Export| bare(export).is_some_and(|name| names.contains(name));
        let is_covered = |export: &Export| meant.contains(&std::ptr::from_ref(export)) || is_another_spelling(export);
        let covered: Vec<bool> = image.exports.iter().map(is_covered).collect();
        let own = |export: &Export| image.format == Format::Elf && export.name.as_deref().is_some_and(is_linkers);
        let undeclared = image.exports.iter().zip(&covered);
        let undeclared = undeclared.filter(|(export, covered)| !**covered && !export.hidden && !own(export));
        let undeclared = undeclared.map(|(export, _)| Undeclared {
            name: shown(export),
            kind: export.kind,
            demangled: export.demangled.clone(),
        });
        let mut undeclared: Vec<Undeclared> = undeclared.collect();
        if image.format == Format::Elf {
            undeclared.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Self { undeclared, unexported, declared: declarations(interface).count(), covered }
    }

    /// Nothing that the header declares is in the file: it must be the header of another library.
    pub fn is_of_another_library(&self) -> bool {
        self.declared > 0 && self.unexported.len() == self.declared
    }
}

/// What a declaration means in an export table.
enum Meant<'a> {
    One(&'a Export),
    /// Any of several.
    Several,
    /// None.
    Nothing {
        /// One whose name differs in upper and lower case only.
        similar: Option<&'a Export>,
    },
}

/// Which export a declaration means, as far as that can be known without the sizes of its arguments.
fn meant_by<'a>(index: &Index<'a>, declaration: Declaration) -> Meant<'a> {
    let found = match declaration.export {
        Some(ExportName::Name(name)) => index.named(name),
        Some(ExportName::Ordinal(ordinal)) => index.numbered(*ordinal),
        None => match index.find(declaration.name, None) {
            Lookup::Found { export, .. } | Lookup::OtherArguments { export, .. } => Some(export),
            Lookup::Ambiguous(_) => return Meant::Several,
            Lookup::Missing { similar } => return Meant::Nothing { similar },
        },
    };
    found.map_or(Meant::Nothing { similar: None }, Meant::One)
}

/// The name without what it says of the calling convention.
pub(crate) fn bare(export: &Export) -> Option<&str> {
    export.decoration.as_ref().map(|decoration| decoration.bare.as_str()).or(export.name.as_deref())
}

/// What GNU linkers put into the table of each ELF library.
fn is_linkers(name: &str) -> bool {
    matches!(name, "_init" | "_fini" | "_edata" | "_end" | "__bss_start")
}

/// How an export is told to people.
pub(crate) fn shown(export: &Export) -> String {
    match (&export.name, export.ordinal) {
        (Some(name), _) => name.clone(),
        (None, Some(ordinal)) => format!("#{ordinal}"),
        (None, None) => "?".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bridge32_image::{Architecture, Decoration, Dotnet, Kind};
    use bridge32_protocol::interface::Function;
    use bridge32_protocol::target::Target;

    use super::*;

    /// A DLL of i386 with these exports; `#5` has a number only.
    pub(crate) fn image(names: &[&str]) -> Image {
        let export = |(index, name): (usize, &&str)| {
            let ordinal = name.strip_prefix('#').and_then(|digits| digits.parse().ok());
            Export {
                name: ordinal.is_none().then(|| (*name).to_owned()),
                ordinal: ordinal.or(u32::try_from(index + 1).ok()),
                kind: ExportKind::Function,
                address: Some(0x1000 + 16 * index as u64),
                forwarder: None,
                decoration: Decoration::parse_certain(name),
                demangled: bridge32_image::demangle::demangle(name),
                version: None,
                hidden: false,
            }
        };
        Image {
            format: Format::Pe,
            architecture: Architecture::X86,
            kind: Kind::Library,
            dotnet: Dotnet::None,
            internal_name: None,
            version: None,
            exports: names.iter().enumerate().map(export).collect(),
            dependencies: Vec::new(),
            gnu: false,
            rpath: Vec::new(),
            runpath: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn coverage(names: &[&str], header: &str) -> Coverage {
        let source = bridge32_interface::Source { name: "a.h", text: header.as_bytes() };
        let read = bridge32_interface::read(&[source], &bridge32_interface::Options::new(Target::Win32));
        Coverage::new(&image(names), &read.interface)
    }

    fn undeclared(coverage: &Coverage) -> Vec<&str> {
        coverage.undeclared.iter().map(|export| export.name.as_str()).collect()
    }

    #[test]
    fn each_side_is_listed_without_the_other() {
        let coverage = coverage(&["Add", "Sub", "table", "#9"], "int Add(int); int sub(int); extern int table;");
        assert_eq!(undeclared(&coverage), ["Sub", "#9"]);
        assert_eq!(coverage.unexported.len(), 1);
        assert_eq!(coverage.unexported[0].similar.as_deref(), Some("Sub"));
        assert_eq!(coverage.covered, [true, false, true, false]);
        assert!(!coverage.is_of_another_library());
    }

    #[test]
    fn variables_are_compared_as_functions_are() {
        let coverage = coverage(&["Add", "Level"], "int Add(int); extern int nothere; extern int level;");
        let missing = coverage.unexported.iter().map(|missing| (missing.name.as_str(), missing.kind));
        assert_eq!(missing.collect::<Vec<_>>(), [("nothere", ExportKind::Data), ("level", ExportKind::Data)]);
        assert_eq!(coverage.unexported[1].similar.as_deref(), Some("Level"));
        assert_eq!((coverage.declared, undeclared(&coverage)), (3, vec!["Level"]));
    }

    #[test]
    fn what_nothing_declares_in_an_elf_file_is_told_by_name() {
        let image = Image { format: Format::Elf, ..image(&["zeta", "alpha", "mu"]) };
        let coverage = Coverage::new(&image, &bridge32_protocol::interface::Interface::default());
        assert_eq!(undeclared(&coverage), ["alpha", "mu", "zeta"]);
    }

    #[test]
    fn the_spellings_of_one_function_are_one() {
        let coverage = coverage(&["Add", "_Add@8", "_Mul@4"], "int __stdcall Add(int, int); int __stdcall Mul(int);");
        assert_eq!((undeclared(&coverage), coverage.unexported.len()), (vec![], 0));
        assert_eq!(coverage.covered, [true; 3], "what is not undeclared is declared");
    }

    #[test]
    fn a_tag_decides_which_export_is_meant() {
        let header =
            "/** @ordinal 5 */ int five(void); /** @export ?f@@YAHH@Z */ int f(int); /** @ordinal 6 */ int six(void);";
        let coverage = coverage(&["#5", "?f@@YAHH@Z"], header);
        assert!(undeclared(&coverage).is_empty());
        assert_eq!(coverage.unexported[0].export, Some(ExportName::Ordinal(6)));
        let coverage = self::coverage(&["f", "?f@@YAHH@Z"], "/** @export ?f@@YAHH@Z */ int f(int);");
        assert_eq!(undeclared(&coverage), ["f"], "the tag says that another export is meant");
    }

    #[test]
    fn the_header_of_another_library_is_noticed() {
        assert!(coverage(&["Add"], "int crc32(int); int adler32(int);").is_of_another_library());
        assert!(coverage(&["Add"], "extern int level;").is_of_another_library());
        assert!(!coverage(&["Add"], "int crc32(int); int Add(int);").is_of_another_library());
        assert!(!coverage(&["Add"], "").is_of_another_library());
    }

    #[test]
    fn large_tables_take_no_longer_than_they_are() {
        let names: Vec<String> = (0..30_000).map(|number| format!("_function{number}@8")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let blank = super::super::tests::library("int f(int a);").declared().interface().functions[0].clone();
        let function = |number| Function { name: format!("function{number}"), ..blank.clone() };
        let interface = Interface { functions: (0..20_000).map(function).collect(), ..Interface::default() };
        let image = image(&names);
        let start = std::time::Instant::now();
        assert_eq!(Coverage::new(&image, &interface).undeclared.len(), 10_000);
        assert!(start.elapsed().as_secs() < 5, "it took {:?}", start.elapsed());
    }
}
