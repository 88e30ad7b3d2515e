//! A loaded library: its file mapped into this process, and the addresses of its functions.
//!
//! Everything here happens on the library's apartment thread.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, c_void};
use std::sync::Arc;

use bridge32_image::lookup::{self, Lookup};
use bridge32_image::{Dependency, Export, Image};
use bridge32_protocol::interface::{Convention, Extent, Function, Interface, Pointer, Type, Variable};
use bridge32_protocol::wire::{Binding, Dialect, Fault, FaultCode, Load, Loaded, LoadedFile};

use crate::abi::convention::{self, Choice, Symbol};
use crate::abi::plan::Plan;
use crate::crash;
use crate::diagnosis;
use crate::errors::ErrorNumbers;
use crate::fingerprint;
use crate::layout::HOST;
use crate::marshal::Home;
use crate::platform::{self, Module};

/// A library that is loaded, with its interface.
#[derive(Debug)]
pub struct Library {
    module: Module,
    file: LoadedFile,
    exports: Vec<Export>,
    dependencies: Vec<Dependency>,
    dialect: Dialect,
    /// The number of the interface.
    pub revision: u32,
    /// The interface that calls by number refer to, with its layouts.
    pub home: Arc<Home>,
    /// For each function of the interface, how it was found.
    pub bound: Vec<Result<Bound, Fault>>,
    variables: Vec<Result<usize, Fault>>,
    /// What frees what, by the names that `@frees` gives.
    releasers: BTreeMap<String, Releaser>,
    /// Where its error numbers are.
    pub errors: ErrorNumbers,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Where it is.
    pub address: *const c_void,
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
    pub address: *const c_void,
    /// Where its one argument goes.
    pub plan: Plan,
}

impl Releaser {
    fn new(address: *const c_void, convention: Convention, home: &Home) -> Option<Self> {
        let extent = Extent::Handle { kind: "void".to_owned(), system: false };
        let pointer = Type::Pointer(Box::new(Pointer { to: Type::Void, constant: false, extent, freed_by: None }));
        let plan = Plan::new(&[&pointer], 1, false, &Type::Void, convention, &home.layouts).ok()?;
        Some(Self { address, plan })
    }
}

impl Library {
    /// Loads the file and finds its functions and variables.
    ///
    /// # Errors
    /// [`FaultCode::LoadFailed`], saying why and what to do.
    pub fn load(load: Load) -> Result<Self, Fault> {
        let image = diagnosis::inspect(&load.file)?;
        diagnosis::refuse_impossible(&load.file, &image)?;
        let file = fingerprint::of(&load.file)?;
        fingerprint::compare(&file, load.sha256.as_deref())?;
        let module = Module::load(&load.file).map_err(|error| diagnosis::explain(&load.file, &image, &error))?;
        let dialect = load.dialect.unwrap_or_else(|| dialect_of(&image));
        crash::library_loaded(&image.dependencies);
        let errors = ErrorNumbers::of(&image.dependencies);
        let mut library = Self {
            module,
            file,
            exports: image.exports,
            dependencies: image.dependencies,
            dialect,
            revision: load.revision,
            home: Arc::new(Home::new(Interface::default(), HOST, dialect)),
            bound: Vec::new(),
            variables: Vec::new(),
            releasers: BTreeMap::new(),
            errors,
        };
        library.rebind(load.revision, load.interface);
        Ok(library)
    }

    /// Calls mean this interface from now on. What the library has got or given under another one stays: its handles
    /// and callbacks.
    pub fn rebind(&mut self, revision: u32, interface: Interface) {
        let home = Arc::new(Home::new(interface, HOST, self.dialect));
        self.revision = revision;
        self.home = Arc::clone(&home);
        self.bound = home.interface.functions.iter().map(|function| self.bind(function, &home)).collect();
        self.variables = home.interface.variables.iter().map(|variable| self.find(variable)).collect();
        self.releasers = self.find_releasers();
        self.refuse_unknown_releasers();
    }

    /// How each function and variable of the interface was found, for the gateway.
    pub fn loaded(&self) -> Loaded {
        let binding = |bound: &Result<Bound, Fault>| match bound {
            Ok(bound) => Binding::Bound { export: bound.export.clone(), convention: bound.convention },
            Err(fault) => Binding::Missing(fault.clone()),
        };
        let bindings = self.bound.iter().map(binding).collect();
        let variables = self.variables.iter().map(|found| found.as_ref().err().cloned()).collect();
        Loaded { bindings, variables, file: self.file.clone() }
    }

    /// A home for the interface of an ad hoc call.
    pub fn another_home(&self, interface: Interface) -> Home {
        Home::new(interface, HOST, self.dialect)
    }

    /// Finds the export that a declaration means, and plans how it is called.
    ///
    /// # Errors
    /// When there is none, or the declaration cannot be called.
    pub fn bind(&self, function: &Function, home: &Home) -> Result<Bound, Fault> {
        if let Some(reason) = &function.unsupported {
            return Err(fault(FaultCode::UnsupportedDeclaration, format!("`{}`: {reason}", function.name)));
        }
        let types: Vec<_> = function.parameters.iter().map(|parameter| &parameter.ty).collect();
        let Choice { symbol, convention } = convention::choose(function, &self.exports, &home.layouts)?;
        let plan = Plan::new(&types, types.len(), function.variadic, &function.result, convention, &home.layouts)
            .map_err(|why| {
                fault(FaultCode::UnsupportedDeclaration, format!("`{}` cannot be called: {why}", function.name))
            })?;
        let address = self.symbol(&symbol)?;
        Ok(Bound { address, export: symbol.to_string(), convention, plan })
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
    pub fn releaser(&self, name: &str) -> Option<Releaser> {
        self.releasers.get(name).cloned().or_else(|| self.find_releaser(name, &[]))
    }

    fn find(&self, variable: &Variable) -> Result<usize, Fault> {
        if let Some(reason) = &variable.unsupported {
            return Err(fault(FaultCode::UnsupportedDeclaration, format!("`{}`: {reason}", variable.name)));
        }
        let name = &variable.name;
        if let Lookup::Found { export, .. } = lookup::find(&self.exports, name, None) {
            return Ok(self.symbol(&Symbol::of(export)?)?.expose_provenance());
        }
        let detail = format!("the library does not export `{name}`; list what it exports with `bridge32 exports`");
        Err(fault(FaultCode::UnknownFunction, detail))
    }

    fn find_releasers(&self) -> BTreeMap<String, Releaser> {
        let mut names = BTreeSet::new();
        let interface = &self.home.interface;
        let parameters = interface.functions.iter().flat_map(|function| &function.parameters);
        let results = interface.functions.iter().map(|function| &function.result);
        let fields = interface.structures.values().flat_map(|structure| &structure.fields).map(|field| &field.ty);
        parameters.map(|parameter| &parameter.ty).chain(results).chain(fields).for_each(|ty| collect(ty, &mut names));
        names
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.find_releaser(&name, &self.dependencies)?)))
            .collect()
    }

    /// A function whose answer could not be freed is refused before it runs.
    fn refuse_unknown_releasers(&mut self) {
        let home = Arc::clone(&self.home);
        for (function, bound) in home.interface.functions.iter().zip(&mut self.bound) {
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

    /// A function of the library's by its declared or decorated name, else one of the system's.
    fn find_releaser(&self, name: &str, dependencies: &[Dependency]) -> Option<Releaser> {
        let declared = self.home.interface.function(name).and_then(|(number, _)| self.bound[number].as_ref().ok());
        if let Some(bound) = declared {
            return Releaser::new(bound.address, bound.convention, &self.home);
        }
        let address = match lookup::find(&self.exports, name, Some(HOST.pointer_bytes().into())) {
            Lookup::Found { export, .. } => self.symbol(&Symbol::of(export).ok()?).ok()?,
            _ => platform::find_symbol(&CString::new(name).ok()?, dependencies)?,
        };
        // Stdcall passes one pointer as cdecl does, and the thunk puts the stack right for both.
        Releaser::new(address, Convention::Cdecl, &self.home)
    }

    fn symbol(&self, symbol: &Symbol) -> Result<*const c_void, Fault> {
        let address = match symbol {
            Symbol::Name(name) => CString::new(name.as_str()).ok().and_then(|name| self.module.symbol(&name)),
            Symbol::Ordinal(ordinal) => self.module.ordinal(*ordinal),
        };
        address.ok_or_else(|| {
            let detail = format!("the file lists `{symbol}`, but the system's loader does not find it");
            fault(FaultCode::UnknownFunction, detail)
        })
    }
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

/// Which family of compilers has made a file.
fn dialect_of(image: &Image) -> Dialect {
    if HOST.is_windows() && !image.gnu { Dialect::Microsoft } else { Dialect::Gnu }
}

const fn fault(code: FaultCode, detail: String) -> Fault {
    Fault { code, detail, pointer: None, ran: false }
}
