//! A loaded library: its file mapped into this process, and the addresses of its functions.
//!
//! Everything here happens on the library's apartment thread.

use std::ffi::{CString, c_void};

use bridge32_image::Export;
use bridge32_protocol::interface::{Convention, Function, Interface};
use bridge32_protocol::wire::{Binding, Fault, FaultCode, Load};

use crate::abi::convention::{self, Choice};
use crate::diagnosis;
use crate::layout::HOST;
use crate::platform::Module;

/// A library that is loaded, with its interface.
#[derive(Debug)]
pub struct Library {
    module: Module,
    exports: Vec<Export>,
    /// The interface that calls by number refer to.
    pub interface: Interface,
    /// For each function of the interface, how it was found.
    pub bound: Vec<Result<Bound, Fault>>,
}

/// A function that can be called.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Where it is.
    pub address: *const c_void,
    /// Its export's name.
    pub export: String,
    /// How it is called.
    pub convention: Convention,
}

impl Library {
    /// Loads the file and finds its functions.
    ///
    /// # Errors
    /// [`FaultCode::LoadFailed`], saying why and what to do.
    pub fn load(load: Load) -> Result<Self, Fault> {
        let image = diagnosis::inspect(&load.file)?;
        diagnosis::refuse_impossible(&load.file, &image)?;
        let module = Module::load(&load.file).map_err(|error| diagnosis::explain(&load.file, &image, &error))?;
        let exports = image.exports;
        let mut library = Self { module, exports, interface: load.interface, bound: Vec::new() };
        library.bound = library.interface.functions.iter().map(|function| library.bind(function)).collect();
        Ok(library)
    }

    /// How each function of the interface was found, for the gateway.
    pub fn bindings(&self) -> Vec<Binding> {
        let binding = |bound: &Result<Bound, Fault>| match bound {
            Ok(bound) => Binding::Bound { export: bound.export.clone(), convention: bound.convention },
            Err(fault) => Binding::Missing(fault.clone()),
        };
        self.bound.iter().map(binding).collect()
    }

    /// Finds the export that a declaration means.
    ///
    /// # Errors
    /// When there is none, or the declaration cannot be called.
    pub fn bind(&self, function: &Function) -> Result<Bound, Fault> {
        if let Some(reason) = &function.unsupported {
            return Err(fault(FaultCode::UnsupportedDeclaration, format!("`{}`: {reason}", function.name)));
        }
        let Choice { export, convention } = convention::choose(function, &self.exports, HOST)?;
        if matches!(convention, Convention::Fastcall | Convention::Thiscall) && HOST.pointer_bytes() == 4 {
            let detail = format!("`{}` is {}, which cannot be called yet", function.name, convention.keyword());
            return Err(fault(FaultCode::UnsupportedDeclaration, detail));
        }
        let symbol = CString::new(export.as_str())
            .map_err(|_| fault(FaultCode::UnknownFunction, format!("{export:?} is no name of an export")))?;
        let address = self.module.symbol(&symbol).ok_or_else(|| {
            let detail = format!("the file lists `{export}`, but the system's loader does not find it");
            fault(FaultCode::UnknownFunction, detail)
        })?;
        Ok(Bound { address, export, convention })
    }
}

const fn fault(code: FaultCode, detail: String) -> Fault {
    Fault { code, detail, pointer: None, ran: false }
}
