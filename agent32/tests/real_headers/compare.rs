//! A header as it is read here against what the compiler sees in it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use agent32::layout::Layouts;
use bridge32_interface::{Finding, Header, Severity};
use bridge32_protocol::interface::{Convention, Extent, Function, Scalar, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

use crate::File;
use crate::compiler::{Compiled, Compiler, Measured, Prototype};

/// GCC's `enum type_class`.
const INTEGER: u64 = 1;
const BOOLEAN: u64 = 4;
const POINTER: u64 = 5;
const REAL: u64 = 8;
const RECORD: u64 = 12;
const UNION: u64 = 13;

/// What became of the functions that the compiler sees in one file.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// They can be called, and the compiler agrees with everything.
    pub(crate) right: usize,
    /// Why the others cannot be called, by name. What is known of them agrees.
    pub(crate) unsupported: BTreeMap<String, String>,
    /// A diagnostic stands at their declaration.
    pub(crate) diagnosed: Vec<String>,
    /// Neither.
    pub(crate) wrong: Vec<String>,
}

impl Outcome {
    /// How many functions were looked at.
    pub(crate) fn functions(&self) -> usize {
        self.right + self.unsupported.len() + self.diagnosed.len() + self.wrong.len()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { right, unsupported, diagnosed, wrong } = self;
        let (unsupported, diagnosed, wrong) = (unsupported.len(), diagnosed.len(), wrong.len());
        let all = self.functions();
        write!(
            f,
            "{all:4} functions: {right:4} right, {unsupported:3} unsupported, {diagnosed:2} diagnosed, {wrong:2} wrong"
        )
    }
}

/// One file of what was read, and the functions that the compiler sees in it.
pub(crate) struct Comparison<'c> {
    pub(crate) file: &'c File,
    header: &'c Header,
    layouts: Layouts,
    prototypes: Vec<&'c Prototype>,
}

impl<'c> Comparison<'c> {
    pub(crate) fn new(header: &'c Header, file: &'c File, target: Target, all: &'c [Prototype]) -> Self {
        let layouts = Layouts::new(&header.interface, target, Dialect::Gnu);
        let own = |prototype: &&Prototype| !prototype.internal && prototype.file == file.path;
        Self { file, header, layouts, prototypes: all.iter().filter(own).collect() }
    }

    /// Of which parameters of a function, and of its result, the size of what they point to is known here.
    pub(crate) fn pointees(&self) -> impl Iterator<Item = (&'c Prototype, Vec<bool>)> {
        self.prototypes.iter().filter_map(|prototype| {
            let (_, function) = self.header.interface.function(&prototype.name)?;
            let types = function.parameters.iter().map(|parameter| &parameter.ty).chain([&function.result]);
            Some((*prototype, types.map(|ty| pointee_bytes(ty, &self.layouts).is_some()).collect()))
        })
    }

    /// Compares with what the compiler has told.
    pub(crate) fn outcome(&self, answers: &HashMap<&str, Compiled>, context: Context, compiler: &Compiler) -> Outcome {
        let mut outcome = Outcome::default();
        let mut alone = None;
        for prototype in &self.prototypes {
            let (name, place) = (&prototype.name, format!("{}:{}", self.file.name, prototype.line));
            let Some((_, function)) = self.header.interface.function(name) else {
                // Alone, a header may ask for another one (`#ifdef _WINGDI_`), and have less in it.
                let text = || compiler.conditions(&self.file.text);
                if is_diagnosed(self.header, &self.file.name, prototype) {
                    outcome.diagnosed.push(name.clone());
                } else if context == Context::Together || declares(alone.get_or_insert_with(text), name) {
                    outcome.wrong.push(format!("{place}: {name} is missing"));
                }
                continue;
            };
            let wrong = differences(prototype, function, &answers[&**name], &self.layouts);
            let doubt = |found: &Finding| found.function == *name && found.text.contains("not defined here");
            match &function.unsupported {
                _ if !wrong.is_empty() && context == Context::Alone && self.header.assumptions.iter().any(doubt) => {
                    outcome.diagnosed.push(name.clone());
                }
                _ if !wrong.is_empty() => outcome.wrong.push(format!("{place}: {name}: {}", wrong.join("; "))),
                Some(reason) => _ = outcome.unsupported.insert(name.clone(), reason.clone()),
                None => outcome.right += 1,
            }
        }
        outcome
    }
}

/// How a header is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// By itself.
    Alone,
    /// With everything that it includes.
    Together,
}

/// Whether a text without comments declares a function of that name.
fn declares(text: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let behind = text[at + name.len()..].trim_start();
        behind.starts_with('(') && !text[..at].ends_with(word)
    })
}

/// Whether an error is told of the lines of a declaration.
fn is_diagnosed(header: &Header, file: &str, prototype: &Prototype) -> bool {
    let here = |line: u32| line <= prototype.line && prototype.line < line + 4;
    let mut errors = header.diagnostics.iter().filter(|told| told.severity == Severity::Error);
    errors.any(|told| told.file == file && here(told.line))
}

fn pointee_bytes(ty: &Type, layouts: &Layouts) -> Option<usize> {
    let Type::Pointer(pointer) = ty else { return None };
    match pointer.extent {
        Extent::One | Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Elements { .. } => {
            layouts.element_bytes(&pointer.to)
        }
        Extent::Bstr | Extent::Handle { .. } => None,
    }
}

/// In what the two do not agree.
fn differences(prototype: &Prototype, function: &Function, compiled: &Compiled, layouts: &Layouts) -> Vec<String> {
    let mut wrong = Vec::new();
    if function.parameters.len() != prototype.parameters.len() || function.variadic != prototype.variadic {
        wrong.push(format!(
            "{} parameters, and the compiler has {:?}",
            function.parameters.len(),
            prototype.parameters
        ));
        return wrong;
    }
    let parameters = function.parameters.iter().map(|parameter| (&*parameter.name, &parameter.ty));
    let types = parameters.chain([("the result", &function.result)]);
    for ((name, ty), measured) in types.zip(compiled.parameters.iter().chain([&compiled.result])) {
        wrong.extend(difference(ty, *measured, layouts).map(|text| format!("{name}: {text}")));
    }
    if let (Target::Win32, Some(symbol)) = (layouts.target(), &compiled.symbol) {
        wrong.extend(convention(function, symbol, layouts));
    }
    wrong
}

/// In what a type differs from the compiler's.
fn difference(ty: &Type, measured: Measured, layouts: &Layouts) -> Option<String> {
    let Measured { size, class, sign, pointee } = measured;
    let bytes = match ty {
        Type::Void => return (class != 0).then(|| format!("void, and the compiler has class {class}")),
        Type::Unsupported { .. } => return None,
        _ => layouts.of(ty).map_or(0, |layout| layout.size as u64),
    };
    let fits = match ty {
        Type::Scalar(Scalar::Integer(integer)) => class == INTEGER && (sign == 1) == integer.signed,
        Type::Scalar(Scalar::Boolean(_)) => class == INTEGER || class == BOOLEAN,
        Type::Scalar(Scalar::Enumeration(_)) => class == INTEGER,
        Type::Scalar(Scalar::Float | Scalar::Double) => class == REAL,
        Type::Pointer(_) | Type::Callback(_) => class == POINTER,
        Type::Structure(_) => class == RECORD || class == UNION,
        Type::Array(_) | Type::Void | Type::Unsupported { .. } => false,
    };
    if bytes != size || !fits {
        return Some(format!("{ty:?} of {bytes} bytes, and the compiler has {measured:?}"));
    }
    let behind = pointee_bytes(ty, layouts).filter(|behind| *behind as u64 != pointee);
    behind.map(|behind| format!("{ty:?} points to {behind} bytes, and the compiler has {pointee}"))
}

/// The convention and the bytes of arguments that a symbol of 32-bit Windows says: `_f`, `_f@8`, `@f@8`.
fn convention(function: &Function, symbol: &str, layouts: &Layouts) -> Option<String> {
    let symbol = symbol.strip_prefix("__imp_").unwrap_or(symbol);
    let (name, bytes) = match symbol[1..].rsplit_once('@') {
        Some((name, bytes)) => (name, Some(bytes.parse::<usize>().ok()?)),
        None => (&symbol[1..], None),
    };
    let expected = match (symbol.as_bytes()[0], bytes) {
        (b'@', Some(_)) => Convention::Fastcall,
        (b'_', Some(_)) => Convention::Stdcall,
        _ => Convention::Cdecl,
    };
    let declared = function.convention.unwrap_or(Convention::Cdecl);
    if declared != expected {
        return Some(format!("{declared:?}, and the compiler's symbol is {symbol}"));
    }
    // A function that the header renames (`__asm__("…")`) is known by another name.
    let slots = function
        .parameters
        .iter()
        .map(|parameter| layouts.of(&parameter.ty).map(|layout| layout.size.next_multiple_of(4)));
    let own: Option<usize> = slots.map(Result::ok).sum();
    let differs = own.zip(bytes).filter(|(own, bytes)| own != bytes);
    differs.map(|(own, _)| format!("{own} bytes of arguments, and the compiler's symbol for {name} is {symbol}"))
}
