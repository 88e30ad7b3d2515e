//! What one interface says of a library: where its functions and variables are, and how they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bridge32_image::lookup::{self, Lookup};
use bridge32_protocol::interface::{Convention, Extent, Pointer, Type, Variable};
use bridge32_protocol::wire::{Binding, Fault, FaultCode, Loaded, LoadedFile};

use super::{Library, fault};
use crate::abi::convention::Symbol;
use crate::abi::plan::Plan;
use crate::marshal::Home;

/// One interface of a library, bound to what the library exports. It does not change.
#[derive(Debug)]
pub struct Declared {
    /// The number of the interface.
    pub revision: u32,
    /// The interface that calls by number refer to, with its layouts.
    pub home: Arc<Home>,
    /// For each function of the interface, how it was found.
    pub bound: Vec<Result<Bound, Fault>>,
    variables: Vec<Result<usize, Fault>>,
    /// What frees what, by the names that `@frees` gives.
    releasers: BTreeMap<String, Releaser>,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Where it is: its library is loaded as long as its apartment serves.
    pub address: usize,
    /// Its export's name as the file has it, or its ordinal as `#5`.
    pub export: String,
    /// How it is called.
    pub convention: Convention,
    /// Where its arguments and its result go.
    pub plan: Plan,
}

/// A function that frees what another has given away.
#[derive(Clone, Debug)]
pub struct Releaser {
    /// Where it is.
    pub address: usize,
    /// Where its one argument goes.
    pub plan: Plan,
}

impl Releaser {
    pub(super) fn new(address: usize, convention: Convention, home: &Home) -> Option<Self> {
        let extent = Extent::Handle { kind: "void".to_owned(), system: false };
        let pointer = Type::Pointer(Box::new(Pointer { to: Type::Void, constant: false, extent, freed_by: None }));
        let plan = Plan::new(&[&pointer], 1, false, &Type::Void, convention, &home.layouts).ok()?;
        Some(Self { address, plan })
    }
}

impl Declared {
    /// Finds what an interface declares.
    pub(super) fn new(library: &Library, revision: u32, home: Arc<Home>) -> Self {
        let bound = home.interface.functions.iter().map(|function| library.bind(function, &home)).collect();
        let variables = home.interface.variables.iter().map(|variable| find(library, variable)).collect();
        let mut declared = Self { revision, home, bound, variables, releasers: BTreeMap::new() };
        declared.releasers = declared.find_releasers(library);
        declared.refuse_unknown_releasers();
        declared
    }

    /// How each function and variable was found, for the gateway.
    pub(super) fn loaded(&self, file: LoadedFile) -> Loaded {
        let binding = |bound: &Result<Bound, Fault>| match bound {
            Ok(bound) => Binding::Bound { export: bound.export.clone(), convention: bound.convention },
            Err(fault) => Binding::Missing(fault.clone()),
        };
        let bindings = self.bound.iter().map(binding).collect();
        let variables = self.variables.iter().map(|found| found.as_ref().err().cloned()).collect();
        Loaded { bindings, variables, file }
    }

    /// The address of a variable.
    ///
    /// # Errors
    /// When there is none.
    pub fn variable(&self, number: u32) -> Result<(&Variable, usize), Fault> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let variable = self.home.interface.variables.get(index);
        let variable = variable
            .ok_or_else(|| fault(FaultCode::MalformedRequest, format!("there is no variable number {number}")))?;
        Ok((variable, self.variables[index].clone()?))
    }

    /// The function that frees what `@frees` says it frees.
    pub fn releaser(&self, name: &str, library: &Library) -> Option<Releaser> {
        let known = self.releasers.get(name).cloned();
        known.or_else(|| self.declared_releaser(name)).or_else(|| library.find_releaser(name, &self.home, &[]))
    }

    fn find_releasers(&self, library: &Library) -> BTreeMap<String, Releaser> {
        let mut names = BTreeSet::new();
        let interface = &self.home.interface;
        let parameters = interface.functions.iter().flat_map(|function| &function.parameters);
        let results = interface.functions.iter().map(|function| &function.result);
        let fields = interface.structures.values().flat_map(|structure| &structure.fields).map(|field| &field.ty);
        parameters.map(|parameter| &parameter.ty).chain(results).chain(fields).for_each(|ty| collect(ty, &mut names));
        let find = |name: &str| {
            let declared = self.declared_releaser(name);
            declared.or_else(|| library.find_releaser(name, &self.home, &library.dependencies))
        };
        names.into_iter().filter_map(|name| Some((name.clone(), find(&name)?))).collect()
    }

    /// A function of this interface by its declared name.
    fn declared_releaser(&self, name: &str) -> Option<Releaser> {
        let (number, _) = self.home.interface.function(name)?;
        let bound = self.bound[number].as_ref().ok()?;
        Releaser::new(bound.address, bound.convention, &self.home)
    }

    /// A function whose answer could not be freed is refused before it runs.
    fn refuse_unknown_releasers(&mut self) {
        for (function, bound) in self.home.interface.functions.iter().zip(&mut self.bound) {
            let mut names = BTreeSet::new();
            let types = function.parameters.iter().map(|parameter| &parameter.ty).chain([&function.result]);
            types.for_each(|ty| collect(ty, &mut names));
            let unknown = names.iter().find(|name| !self.releasers.contains_key(*name));
            if let (Some(name), true) = (unknown, bound.is_ok()) {
                let detail = format!(
                    "`{}`: `@frees {name}` names no function of the library or the system that takes a pointer: correct the \
                     header",
                    function.name
                );
                *bound = Err(fault(FaultCode::UnsupportedDeclaration, detail));
            }
        }
    }
}

fn find(library: &Library, variable: &Variable) -> Result<usize, Fault> {
    if let Some(reason) = &variable.unsupported {
        return Err(fault(FaultCode::UnsupportedDeclaration, format!("`{}`: {reason}", variable.name)));
    }
    let name = &variable.name;
    if let Lookup::Found { export, .. } = lookup::find(&library.exports, name, None) {
        return library.symbol(&Symbol::of(export)?);
    }
    let detail = format!("the library does not export `{name}`; list what it exports with `bridge32 exports`");
    Err(fault(FaultCode::UnknownFunction, detail))
}

/// Collects the names of functions that free what a pointer points to.
fn collect(ty: &Type, names: &mut BTreeSet<String>) {
    match ty {
        Type::Pointer(pointer) => {
            names.extend(pointer.freed_by.clone());
            collect(&pointer.to, names);
        }
        Type::Array(array) => collect(&array.of, names),
        _ => {}
    }
}
