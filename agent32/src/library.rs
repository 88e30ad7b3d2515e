//! A loaded library: its file mapped into this process, and what its last interfaces say of it.
//!
//! It is loaded and unloaded on the thread of lane 0, and shared by all lanes of its apartment: nothing of it changes but the list
//! of interfaces.

mod declared;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bridge32_image::lookup::{self, Lookup};
use bridge32_image::{Dependency, Export, Image};
use bridge32_protocol::interface::{Convention, Function, Interface};
use bridge32_protocol::wire::{Dialect, Fault, FaultCode, INTERFACES_KEPT, Load, Loaded, LoadedFile};

use crate::abi::convention::{self, Choice, Symbol};
use crate::abi::plan::Plan;
use crate::crash;
use crate::diagnosis;
use crate::errors::ErrorNumbers;
use crate::fingerprint;
use crate::layout::HOST;
use crate::marshal::Home;
use crate::platform::{self, Module};

pub use declared::{Bound, Declared, Releaser};

/// A library that is loaded, with its interfaces.
#[derive(Debug)]
pub struct Library {
    module: Module,
    file: LoadedFile,
    exports: Vec<Export>,
    dependencies: Vec<Dependency>,
    dialect: Dialect,
    /// By their numbers, so that the newest is at the end; never empty.
    interfaces: Mutex<BTreeMap<u32, Arc<Declared>>>,
    /// Where its error numbers are.
    pub errors: ErrorNumbers,
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
        platform::prepare_observation();
        let module = Module::load(&load.file).map_err(|error| diagnosis::explain(&load.file, &image, &error))?;
        let dialect = load.dialect.unwrap_or_else(|| dialect_of(&image));
        crash::library_loaded(&image.dependencies);
        let errors = ErrorNumbers::of(&image.dependencies);
        let (exports, dependencies) = (image.exports, image.dependencies);
        let library = Self { module, file, exports, dependencies, dialect, interfaces: Mutex::default(), errors };
        library.declare(load.revision, load.interface);
        Ok(library)
    }

    /// Lists of calls may name this interface from now on. What the library has got or given under another one stays: its
    /// handles and callbacks; and whoever runs with one of those goes on with it. Tells what was found of it.
    ///
    /// A late call may bring back an earlier one, which is then one more, and not the newest.
    pub fn declare(&self, revision: u32, interface: Interface) -> Loaded {
        let home = Arc::new(self.another_home(interface));
        // Without the lock: finding thousands of functions takes a while, and lists begin meanwhile.
        let declared = Arc::new(Declared::new(self, revision, home));
        let loaded = declared.loaded(self.file.clone());
        let mut interfaces = self.interfaces();
        interfaces.insert(revision, declared);
        if interfaces.len() > INTERFACES_KEPT
            && let Some(oldest) = interfaces.keys().copied().find(|known| *known != revision)
        {
            interfaces.remove(&oldest);
        }
        loaded
    }

    /// The interface of that number, if it is still kept.
    pub fn interface(&self, revision: u32) -> Option<Arc<Declared>> {
        self.interfaces().get(&revision).cloned()
    }

    /// The interface of the highest number.
    pub fn newest(&self) -> Arc<Declared> {
        let newest = self.interfaces().last_key_value().map(|(_, newest)| Arc::clone(newest));
        newest.unwrap_or_else(|| Arc::new(Declared::new(self, 0, Arc::new(self.another_home(Interface::default())))))
    }

    /// What was found of the newest interface, for the gateway.
    pub fn loaded(&self) -> Loaded {
        self.newest().loaded(self.file.clone())
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

    /// A function of the library's by its exported or undecorated name, else one of the system's, which frees what it is given.
    fn find_releaser(&self, name: &str, home: &Home, dependencies: &[Dependency]) -> Option<Releaser> {
        let address = match lookup::find(&self.exports, name, Some(HOST.pointer_bytes().into())) {
            Lookup::Found { export, .. } => self.symbol(&Symbol::of(export).ok()?).ok()?,
            _ => platform::find_symbol(&CString::new(name).ok()?, dependencies)?.expose_provenance(),
        };
        // Stdcall passes one pointer as cdecl does, and the thunk puts the stack right for both.
        Releaser::new(address, Convention::Cdecl, home)
    }

    fn symbol(&self, symbol: &Symbol) -> Result<usize, Fault> {
        let address = match symbol {
            Symbol::Name(name) => CString::new(name.as_str()).ok().and_then(|name| self.module.symbol(&name)),
            Symbol::Ordinal(ordinal) => self.module.ordinal(*ordinal),
        };
        address.map(<*const _>::expose_provenance).ok_or_else(|| {
            let detail = format!("the file lists `{symbol}`, but the system's loader does not find it");
            fault(FaultCode::UnknownFunction, detail)
        })
    }

    fn interfaces(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<Declared>>> {
        // A panic ends the process; each change is complete before the next statement that can.
        self.interfaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which family of compilers has made a file.
fn dialect_of(image: &Image) -> Dialect {
    if HOST.is_windows() && !image.gnu { Dialect::Microsoft } else { Dialect::Gnu }
}

const fn fault(code: FaultCode, detail: String) -> Fault {
    Fault { code, detail, pointer: None, ran: false }
}
