//! Which export a C function name means: the plain name or one of its decorated forms.

use std::collections::HashMap;

use crate::decoration::{Convention, Decoration};
use crate::model::Export;

/// What was found for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// One export.
    Found {
        /// The export.
        export: &'a Export,
        /// By which spelling.
        spelling: Spelling,
    },
    /// The name is there, but its decoration states another number of argument bytes than the caller expects:
    /// the declaration does not fit the library.
    OtherArguments {
        /// The export.
        export: &'a Export,
        /// Bytes of arguments that the export's name states.
        stated: u32,
        /// Bytes that were expected.
        expected: u32,
    },
    /// Several decorated exports fit and none is the plain name.
    Ambiguous(Vec<&'a Export>),
    /// Nothing fits.
    Missing {
        /// An export whose name differs only in upper and lower case, if there is one.
        similar: Option<&'a Export>,
    },
}

/// The spelling by which an export was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// The name as asked for.
    Exact,
    /// `#12`: by ordinal.
    Ordinal,
    /// A decorated form that states the argument bytes.
    Decorated(Convention),
    /// `_f`.
    Underscore,
}

/// The spellings that are tried for `name`, in order: `f`, `_f@N`, `f@N`, `@f@N`, `f@@N`, `_f`. Without `argument_bytes`
/// `N` is any number, shown as `N`.
pub fn candidates(name: &str, argument_bytes: Option<u32>) -> Vec<String> {
    let n = argument_bytes.map_or_else(|| "N".to_owned(), |bytes| bytes.to_string());
    vec![
        name.to_owned(),
        format!("_{name}@{n}"),
        format!("{name}@{n}"),
        format!("@{name}@{n}"),
        format!("{name}@@{n}"),
        format!("_{name}"),
    ]
}

/// Finds the export that a C declaration of `name` means, trying [`candidates`] in order. `name` may be `#ordinal`.
///
/// `argument_bytes` is what the declaration's arguments take on an i386 stack, if known. Of several ELF versions of a
/// name the default one is taken. For files without decorated names only the exact name and `_f` can match.
///
/// It looks through the whole table: whoever looks up many names makes an [`Index`] of it.
pub fn find<'a>(exports: &'a [Export], name: &str, argument_bytes: Option<u32>) -> Lookup<'a> {
    find_in(&exports, name, argument_bytes)
}

/// An export table by its names.
#[derive(Clone, Debug)]
pub struct Index<'a> {
    named: HashMap<&'a str, &'a Export>,
    numbered: HashMap<u32, &'a Export>,
    decorated: HashMap<&'a str, Vec<Decorated<'a>>>,
    lower: HashMap<String, &'a Export>,
}

impl<'a> Index<'a> {
    /// Of that table.
    pub fn new(exports: &'a [Export]) -> Self {
        let (mut named, mut numbered) = (HashMap::<_, &Export>::new(), HashMap::new());
        let (mut decorated, mut lower) = (HashMap::<_, Vec<_>>::new(), HashMap::new());
        for export in exports {
            if let Some(ordinal) = export.ordinal {
                numbered.entry(ordinal).or_insert(export);
            }
            let Some(name) = export.name.as_deref() else { continue };
            let first = named.entry(name).or_insert(export);
            if first.hidden && !export.hidden {
                *first = export;
            }
            if let Some(decoration) = &export.decoration {
                decorated.entry(decoration.bare.as_str()).or_default().push((export, decoration));
            }
            lower.entry(name.to_ascii_lowercase()).or_insert(export);
        }
        Self { named, numbered, decorated, lower }
    }

    /// What [`find`] finds.
    pub fn find(&self, name: &str, argument_bytes: Option<u32>) -> Lookup<'a> {
        find_in(self, name, argument_bytes)
    }

    /// The export of exactly this name; of several ELF versions, the default one.
    pub fn named(&self, name: &str) -> Option<&'a Export> {
        self.named.get(name).copied()
    }

    /// The export of this number.
    pub fn numbered(&self, ordinal: u32) -> Option<&'a Export> {
        self.numbered.get(&ordinal).copied()
    }
}

type Decorated<'a> = (&'a Export, &'a Decoration);

/// The questions to a table: by an index, or by looking through it.
trait Table<'a> {
    fn named(&self, name: &str) -> Option<&'a Export>;
    fn numbered(&self, ordinal: u32) -> Option<&'a Export>;
    fn decorated(&self, bare: &str) -> Vec<Decorated<'a>>;
    fn similar(&self, name: &str) -> Option<&'a Export>;
}

impl<'a> Table<'a> for Index<'a> {
    fn named(&self, name: &str) -> Option<&'a Export> {
        Self::named(self, name)
    }

    fn numbered(&self, ordinal: u32) -> Option<&'a Export> {
        Self::numbered(self, ordinal)
    }

    fn decorated(&self, bare: &str) -> Vec<Decorated<'a>> {
        self.decorated.get(bare).cloned().unwrap_or_default()
    }

    fn similar(&self, name: &str) -> Option<&'a Export> {
        self.lower.get(&name.to_ascii_lowercase()).copied()
    }
}

impl<'a> Table<'a> for &'a [Export] {
    fn named(&self, name: &str) -> Option<&'a Export> {
        let mut fallback = None;
        for export in self.iter().filter(|export| export.name.as_deref() == Some(name)) {
            if !export.hidden {
                return Some(export);
            }
            fallback = fallback.or(Some(export));
        }
        fallback
    }

    fn numbered(&self, ordinal: u32) -> Option<&'a Export> {
        self.iter().find(|export| export.ordinal == Some(ordinal))
    }

    fn decorated(&self, bare: &str) -> Vec<Decorated<'a>> {
        let decorated = self.iter().filter_map(|export| Some((export, export.decoration.as_ref()?)));
        decorated.filter(|(_, decoration)| decoration.bare == bare).collect()
    }

    fn similar(&self, name: &str) -> Option<&'a Export> {
        self.iter().find(|export| export.name.as_ref().is_some_and(|other| other.eq_ignore_ascii_case(name)))
    }
}

fn find_in<'a>(table: &impl Table<'a>, name: &str, argument_bytes: Option<u32>) -> Lookup<'a> {
    if let Some(export) = table.named(name) {
        return Lookup::Found { export, spelling: Spelling::Exact };
    }
    if let Some(ordinal) = name.strip_prefix('#').and_then(|digits| digits.parse::<u32>().ok()) {
        return match table.numbered(ordinal) {
            Some(export) => Lookup::Found { export, spelling: Spelling::Ordinal },
            None => Lookup::Missing { similar: None },
        };
    }
    if let Some(found) = decorated(&table.decorated(name), argument_bytes) {
        return found;
    }
    if let Some(export) = table.named(&format!("_{name}")) {
        return Lookup::Found { export, spelling: Spelling::Underscore };
    }
    Lookup::Missing { similar: table.similar(name) }
}

fn decorated<'a>(fitting: &[Decorated<'a>], argument_bytes: Option<u32>) -> Option<Lookup<'a>> {
    let same_arguments =
        |decoration: &Decoration| argument_bytes.is_none() || decoration.argument_bytes == argument_bytes;
    let matching: Vec<_> = fitting.iter().filter(|(_, decoration)| same_arguments(decoration)).collect();
    match (matching.as_slice(), fitting) {
        ([], []) => None,
        ([], [(export, decoration), ..]) => Some(Lookup::OtherArguments {
            export,
            stated: decoration.argument_bytes.unwrap_or_default(),
            expected: argument_bytes.unwrap_or_default(),
        }),
        ([(export, decoration)], _) => {
            Some(Lookup::Found { export, spelling: Spelling::Decorated(decoration.convention) })
        }
        (several, _) => Some(choose(several)),
    }
}

/// `_f@8` and `f@8` side by side are one function under two names if they have one address; otherwise it is unclear.
fn choose<'a>(several: &[&(&'a Export, &Decoration)]) -> Lookup<'a> {
    let (first, decoration) = *several[0];
    let same = |(export, other): &&(&Export, &Decoration)| {
        export.address == first.address
            && export.forwarder == first.forwarder
            && other.convention == decoration.convention
            && other.argument_bytes == decoration.argument_bytes
    };
    if several.iter().copied().all(|entry| same(&entry)) {
        Lookup::Found { export: first, spelling: Spelling::Decorated(decoration.convention) }
    } else {
        Lookup::Ambiguous(several.iter().map(|(export, _)| *export).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ExportKind;

    fn export(name: &str, ordinal: u32) -> Export {
        Export {
            name: Some(name.into()),
            ordinal: Some(ordinal),
            kind: ExportKind::Function,
            address: Some(u64::from(ordinal) * 16),
            forwarder: None,
            decoration: Decoration::parse_certain(name),
            demangled: None,
            version: None,
            hidden: false,
        }
    }

    fn found(names: &[&str], name: &str, bytes: Option<u32>) -> Option<(String, Spelling)> {
        let exports: Vec<_> = (1..).zip(names).map(|(ordinal, name)| export(name, ordinal)).collect();
        assert_eq!(Index::new(&exports).find(name, bytes), find(&exports, name, bytes), "{name} in {names:?}");
        match find(&exports, name, bytes) {
            Lookup::Found { export, spelling } => Some((export.name.clone().unwrap(), spelling)),
            _ => None,
        }
    }

    #[test]
    fn the_plain_name_comes_first() {
        assert_eq!(found(&["_f@8", "f"], "f", Some(8)), Some(("f".into(), Spelling::Exact)));
    }

    #[test]
    fn decorated_names_are_found() {
        let stdcall = Spelling::Decorated(Convention::Stdcall);
        assert_eq!(found(&["_f@8"], "f", Some(8)), Some(("_f@8".into(), stdcall)));
        assert_eq!(found(&["f@8"], "f", None), Some(("f@8".into(), stdcall)));
        assert_eq!(found(&["@f@8"], "f", None), Some(("@f@8".into(), Spelling::Decorated(Convention::Fastcall))));
        assert_eq!(found(&["_f"], "f", Some(8)), Some(("_f".into(), Spelling::Underscore)));
        assert_eq!(found(&["g", "h"], "#2", None), Some(("h".into(), Spelling::Ordinal)));
    }

    #[test]
    fn a_declaration_with_other_arguments_is_told() {
        let exports = [export("_f@8", 1)];
        assert!(matches!(find(&exports, "f", Some(12)), Lookup::OtherArguments { stated: 8, expected: 12, .. }));
    }

    #[test]
    fn two_that_fit_are_ambiguous_unless_they_are_one() {
        let mut exports = vec![export("_f@8", 1), export("f@8", 2)];
        assert!(matches!(find(&exports, "f", Some(8)), Lookup::Ambiguous(all) if all.len() == 2));
        exports[1].address = exports[0].address;
        assert!(matches!(find(&exports, "f", Some(8)), Lookup::Found { .. }));
    }

    #[test]
    fn a_name_in_other_case_is_suggested() {
        let exports = [export("GetVersion", 1)];
        let Lookup::Missing { similar: Some(similar) } = find(&exports, "getversion", None) else { panic!() };
        assert_eq!(Index::new(&exports).find("getversion", None), find(&exports, "getversion", None));
        assert_eq!(similar.name.as_deref(), Some("GetVersion"));
    }

    #[test]
    fn the_default_version_is_taken() {
        let mut old = export("f", 1);
        old.hidden = true;
        let exports = [old, export("f", 2)];
        assert!(matches!(find(&exports, "f", None), Lookup::Found { export, .. } if export.ordinal == Some(2)));
        assert_eq!(Index::new(&exports).find("f", None), find(&exports, "f", None));
        assert_eq!(Index::new(&exports).numbered(1), Some(&exports[0]));
        assert_eq!(candidates("f", Some(8)), ["f", "_f@8", "f@8", "@f@8", "f@@8", "_f"]);
    }
}
