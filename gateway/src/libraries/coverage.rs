//! What a header and an export table say of each other: exports that nothing declares, and declarations that nothing
//! exports. For `check`, `interface check`, `import` and the API alike.

use bridge32_image::lookup::{self, Lookup};
use bridge32_image::{Export, ExportKind, Format, Image};
use bridge32_protocol::interface::{ExportName, Function, Interface};
use serde::Serialize;

/// The two differences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// What the file exports and the interface does not declare: by ordinal for PE, by name for ELF.
    pub undeclared: Vec<Undeclared>,
    /// What the interface declares and the file does not export, in the order of the header.
    pub unexported: Vec<Unexported>,
    /// How many functions are declared: if all of them are unexported, the header is another library's.
    pub declared: usize,
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
    /// How the header says that it is exported, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportName>,
    /// An export that differs in upper and lower case only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similar: Option<String>,
}

impl Coverage {
    /// Compares them.
    pub fn new(image: &Image, interface: &Interface) -> Self {
        let mut covered = vec![false; image.exports.len()];
        let mut unexported = Vec::new();
        for function in &interface.functions {
            match meant_by(&image.exports, function) {
                Meant::One(index) => covered[index] = true,
                Meant::Several => {}
                Meant::Nothing { similar } => {
                    let (name, export) = (function.name.clone(), function.export.clone());
                    unexported.push(Unexported { name, export, similar });
                }
            }
        }
        let names = interface.functions.iter().map(|function| function.name.as_str());
        let names: Vec<&str> = names.chain(interface.variables.iter().map(|variable| variable.name.as_str())).collect();
        let own = |export: &Export| image.format == Format::Elf && export.name.as_deref().is_some_and(is_linkers);
        let undeclared = image.exports.iter().zip(covered).filter(|(export, covered)| {
            !covered && !export.hidden && !own(export) && !is_another_spelling(export, &names)
        });
        let undeclared = undeclared.map(|(export, _)| Undeclared {
            name: shown(export),
            kind: export.kind,
            demangled: export.demangled.clone(),
        });
        let mut undeclared: Vec<Undeclared> = undeclared.collect();
        if image.format == Format::Elf {
            undeclared.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Self { undeclared, unexported, declared: interface.functions.len() }
    }

    /// Nothing that the header declares is in the file: it must be the header of another library.
    pub fn is_of_another_library(&self) -> bool {
        self.declared > 0 && self.unexported.len() == self.declared
    }
}

/// What a declaration means in an export table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// The export of that index.
    One(usize),
    /// Any of several.
    Several,
    /// None.
    Nothing {
        /// One whose name differs in upper and lower case only.
        similar: Option<String>,
    },
}

/// Which export a declaration means, as far as that can be known without the sizes of its arguments.
pub(super) fn meant_by(exports: &[Export], function: &Function) -> Meant {
    let nothing = || Meant::Nothing { similar: None };
    match &function.export {
        Some(ExportName::Name(name)) => {
            let found = exports.iter().position(|export| export.name.as_deref() == Some(name.as_str()));
            found.map_or_else(nothing, Meant::One)
        }
        Some(ExportName::Ordinal(ordinal)) => {
            let found = exports.iter().position(|export| export.ordinal == Some(*ordinal));
            found.map_or_else(nothing, Meant::One)
        }
        None => match lookup::find(exports, &function.name, None) {
            Lookup::Found { export, .. } | Lookup::OtherArguments { export, .. } => {
                let found = exports.iter().position(|other| std::ptr::eq(other, export));
                found.map_or_else(nothing, Meant::One)
            }
            Lookup::Ambiguous(_) => Meant::Several,
            Lookup::Missing { similar } => Meant::Nothing { similar: similar.and_then(|export| export.name.clone()) },
        },
    }
}

/// `_f@8` beside `f`, or an older version of it.
fn is_another_spelling(export: &Export, declared: &[&str]) -> bool {
    let bare = export.decoration.as_ref().map(|decoration| decoration.bare.as_str());
    bare.or(export.name.as_deref()).is_some_and(|name| declared.contains(&name))
}

/// What GNU linkers put into the table of each ELF library.
fn is_linkers(name: &str) -> bool {
    matches!(name, "_init" | "_fini" | "_edata" | "_end" | "__bss_start")
}

/// How an export is told to people.
fn shown(export: &Export) -> String {
    match (&export.name, export.ordinal) {
        (Some(name), _) => name.clone(),
        (None, Some(ordinal)) => format!("#{ordinal}"),
        (None, None) => "?".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use bridge32_image::{Architecture, Decoration, Dotnet, Kind};
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
        assert!(!coverage.is_of_another_library());
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
    }

    #[test]
    fn a_tag_decides_which_export_is_meant() {
        let header =
            "/** @ordinal 5 */ int five(void); /** @export ?f@@YAHH@Z */ int f(int); /** @ordinal 6 */ int six(void);";
        let coverage = coverage(&["#5", "?f@@YAHH@Z"], header);
        assert!(undeclared(&coverage).is_empty());
        assert_eq!(coverage.unexported[0].export, Some(ExportName::Ordinal(6)));
    }

    #[test]
    fn the_header_of_another_library_is_noticed() {
        assert!(coverage(&["Add"], "int crc32(int); int adler32(int);").is_of_another_library());
        assert!(!coverage(&["Add"], "").is_of_another_library());
    }
}
