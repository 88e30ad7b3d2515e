//! What an export is in the headers, and where it leads.

use std::collections::HashMap;

use bridge32_image::{Export, ExportKind};
use bridge32_protocol::interface::{ExportName, Variable};

use super::head::Tab;
use super::{address, escaped, query};
use crate::interfaces::Declared;
use crate::libraries::coverage::bare;

/// The page of a declared function.
pub(in crate::dashboard) fn function_address(library: &str, function: &str) -> String {
    address(library, &format!("/functions/{}", escaped(function)))
}

/// The line of a header.
pub(in crate::dashboard) fn line_address(library: &str, file: &str, line: u32) -> String {
    let query = query(&[("file", file), ("line", &line.to_string())]);
    address(library, &format!("{}{query}#L{line}", Tab::Interface.path()))
}

/// Where an export without a declaration can be called with a prototype; `None` of data.
pub(in crate::dashboard) fn try_address(library: &str, export: &Export) -> Option<String> {
    let query = match (&export.name, export.ordinal) {
        _ if export.kind == ExportKind::Data => return None,
        (Some(name), _) => query(&[("export", name)]),
        (None, Some(ordinal)) => query(&[("ordinal", &ordinal.to_string())]),
        (None, None) => return None,
    };
    Some(address(library, &format!("/try{query}")))
}

/// What an export is in the headers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::dashboard) enum Meant<'a> {
    Function(&'a str),
    Variable(&'a Variable),
}

/// Which declarations mean which exports.
pub(in crate::dashboard) struct Names<'a> {
    declared: &'a Declared,
    /// Functions of which the header says which export they are.
    named: HashMap<&'a str, &'a str>,
    numbered: HashMap<u32, &'a str>,
    variables: HashMap<&'a str, &'a Variable>,
}

impl<'a> Names<'a> {
    /// Those of an interface.
    pub(in crate::dashboard) fn of(declared: &'a Declared) -> Self {
        let (mut named, mut numbered) = (HashMap::new(), HashMap::new());
        for function in &declared.interface().functions {
            match &function.export {
                Some(ExportName::Name(name)) => drop(named.insert(name.as_str(), function.name.as_str())),
                Some(ExportName::Ordinal(ordinal)) => drop(numbered.insert(*ordinal, function.name.as_str())),
                None => {}
            }
        }
        let variables = declared.interface().variables.iter().map(|variable| (variable.name.as_str(), variable));
        Self { declared, named, numbered, variables: variables.collect() }
    }

    /// The declaration of an export that is declared.
    pub(in crate::dashboard) fn of_export(&self, export: &Export) -> Option<Meant<'a>> {
        let named = export.name.as_deref().and_then(|name| self.named.get(name));
        let tagged = named.or_else(|| self.numbered.get(&export.ordinal?));
        if let Some(function) = tagged {
            return Some(Meant::Function(function));
        }
        let plain = [export.name.as_deref(), bare(export)].into_iter().flatten();
        let mut spellings = plain.flat_map(|name| [Some(name), name.strip_prefix('_')]).flatten();
        spellings.find_map(|name| {
            let function = self.declared.function(name).map(|(_, function)| Meant::Function(&function.name));
            function.or_else(|| self.variables.get(name).map(|variable| Meant::Variable(variable)))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::libraries::coverage::tests::image;
    use crate::libraries::tests::library;

    #[test]
    fn an_export_leads_to_what_declares_it_however_it_is_decorated() {
        let header = "int Add(int); int __stdcall Std(int, int); /** @ordinal 3 */ int third(void); \
                      /** @export ?f@@YAHH@Z */ int f(int); extern int level;";
        let declared: Arc<Declared> = library(header).declared();
        let names = Names::of(&declared);
        let image = image(&["Add", "_Std@8", "#3", "?f@@YAHH@Z", "level", "other"]);
        let meant: Vec<Option<Meant>> = image.exports.iter().map(|export| names.of_export(export)).collect();
        let functions: Vec<&str> = meant
            .iter()
            .filter_map(|meant| match meant {
                Some(Meant::Function(name)) => Some(*name),
                _ => None,
            })
            .collect();
        assert_eq!(functions, ["Add", "Std", "third", "f"]);
        assert!(matches!(meant[4], Some(Meant::Variable(variable)) if variable.name == "level"));
        assert_eq!(meant[5], None);
    }

    #[test]
    fn addresses_hold_any_name() {
        let image = image(&["<a>&\"'/?#%", "#7"]);
        let address = |index: usize| try_address("calc", &image.exports[index]).unwrap();
        assert_eq!(address(0), "/libraries/calc/try?export=%3Ca%3E%26%22%27%2F%3F%23%25");
        assert_eq!(address(1), "/libraries/calc/try?ordinal=7");
        assert_eq!(function_address("calc", "读"), "/libraries/calc/functions/%E8%AF%BB");
        assert_eq!(line_address("calc", "a b.h", 12), "/libraries/calc/interface?file=a%20b.h&line=12#L12");
    }
}
