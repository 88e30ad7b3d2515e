//! What libraries declare: the interface of each as it is now, and how it is replaced while calls go on.
//!
//! A call is resolved against one [`Declared`] and runs with that one, however often the interface is replaced
//! meanwhile: it carries it through the queue, and the agent is told to change over between two calls.

mod prototypes;
mod stored;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_interface::{Diagnostic, Header, Options, Source, redact};
use bridge32_protocol::interface::{Function, Interface, Variable};
use bridge32_protocol::target::Target;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::LibraryConfig;
use crate::meters::Slot;

use prototypes::Prototypes;
pub use stored::{Store, StoreError};

/// The name of a header that came by `PUT …/interface`.
const REPLACEMENT: &str = "interface.h";

/// The text of one header file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderText {
    /// The file's name without its folder.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Where an interface comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// From the header files of the configuration.
    Configured,
    /// From a request.
    Replaced {
        /// When it came.
        at: Timestamp,
    },
}

impl Origin {
    /// The word for it in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Replaced { .. } => "replaced",
        }
    }

    /// When a request brought it, if one did.
    pub const fn replaced_at(&self) -> Option<Timestamp> {
        match self {
            Self::Configured => None,
            Self::Replaced { at } => Some(*at),
        }
    }
}

/// The interface of a library as of one moment.
#[derive(Debug)]
pub struct Declared {
    /// Which interface of this library it is, since the gateway started: 1, 2, …
    pub revision: u32,
    /// What was read from the headers.
    pub header: Header,
    /// The headers.
    pub texts: Vec<HeaderText>,
    /// Where it comes from.
    pub origin: Origin,
    /// What the library's table says that does not go with these headers, in words.
    pub remarks: Vec<String>,
    /// The numbers of the functions by name: each call looks one up.
    numbers: HashMap<String, u32>,
    /// The names of the functions, by number, to be kept by whoever tells of calls.
    names: Box<[Arc<str>]>,
    /// Which functions can have something sensitive, by number.
    sensitive: Box<[bool]>,
    prototypes: Prototypes,
    /// Where its calls are counted.
    pub meters: Slot,
}

impl Declared {
    /// What was read from those headers.
    pub fn new(revision: u32, header: Header, texts: Vec<HeaderText>, origin: Origin) -> Self {
        let functions = header.interface.functions.iter().zip(0..);
        let numbers = functions.map(|(function, number)| (function.name.clone(), number)).collect();
        let names = header.interface.functions.iter().map(|function| function.name.as_str().into()).collect();
        let sensitive = redact::having_any(&header.interface).into();
        let (remarks, prototypes, meters) = (Vec::new(), Prototypes::default(), Slot::new());
        Self { revision, header, texts, origin, remarks, numbers, names, sensitive, prototypes, meters }
    }

    /// Reads headers as the library's table says, for that target.
    pub fn read(
        revision: u32,
        texts: Vec<HeaderText>,
        origin: Origin,
        config: &LibraryConfig,
        target: Option<Target>,
    ) -> Self {
        let mut header = bridge32_interface::read(&sources(&texts), &options(config, target));
        let mut remarks = apply(config, &mut header.interface);
        let beyond = target.and_then(|target| config.running.out_of_reach(target.pointer_bytes()));
        remarks.extend(beyond.map(|text| format!("`recycle.max_memory` {text}")));
        Self { remarks, ..Self::new(revision, header, texts, origin) }
    }

    /// Functions and types.
    pub fn interface(&self) -> &Interface {
        &self.header.interface
    }

    /// The interface of a prototype that stands behind these headers, with the constants that its arguments name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn prototype(
        self: &Arc<Self>,
        text: &str,
        arguments: &[u8],
        options: Options,
    ) -> Result<Interface, Arc<[Diagnostic]>> {
        let read = prototypes::read(self, text, options).await?;
        let constants = prototypes::constants_in(arguments, [&read, self.interface()]);
        let (functions, structures) = (read.functions.clone(), read.structures.clone());
        Ok(Interface {
            functions,
            structures,
            enumerations: read.enumerations.clone(),
            constants,
            ..Interface::default()
        })
    }

    /// A declared function and its number.
    pub fn function(&self, name: &str) -> Option<(u32, &Function)> {
        let number = *self.numbers.get(name)?;
        Some((number, self.interface().functions.get(usize::try_from(number).ok()?)?))
    }

    /// The name of the function of that number.
    pub fn name_of(&self, number: u32) -> Option<Arc<str>> {
        self.names.get(usize::try_from(number).ok()?).cloned()
    }

    /// Whether a call of the function of that number can have something sensitive.
    pub fn can_be_sensitive(&self, number: u32) -> bool {
        usize::try_from(number).ok().and_then(|number| self.sensitive.get(number)).is_none_or(|sensitive| *sensitive)
    }

    /// A declared variable and its number.
    pub fn variable(&self, name: &str) -> Option<(u32, &Variable)> {
        let mut variables = self.interface().variables.iter().zip(0..);
        variables.find(|(variable, _)| variable.name == name).map(|(variable, number)| (number, variable))
    }

    /// The names of the headers for people: the paths of the configuration, if these are it.
    pub fn names(&self, config: &LibraryConfig) -> Vec<String> {
        match self.origin {
            Origin::Configured => config.headers.iter().map(|path| path.display().to_string()).collect(),
            Origin::Replaced { .. } => self.texts.iter().map(|file| file.name.clone()).collect(),
        }
    }

    /// The headers as one text, in their order. `PUT …/interface` takes it.
    pub fn text(&self) -> Vec<u8> {
        joined(&self.texts)
    }
}

/// Headers as the reader takes them.
fn sources(texts: &[HeaderText]) -> Vec<Source<'_>> {
    texts.iter().map(|file| Source { name: &file.name, text: &file.text }).collect()
}

/// Headers as one text, in their order.
pub fn joined(texts: &[HeaderText]) -> Vec<u8> {
    let mut joined = Vec::new();
    for file in texts {
        joined.extend_from_slice(&file.text);
        if texts.len() > 1 && !file.text.ends_with(b"\n") {
            joined.push(b'\n');
        }
    }
    joined
}

/// The header of a request, as a file among others.
pub fn replacement(text: &[u8]) -> Vec<HeaderText> {
    vec![HeaderText { name: REPLACEMENT.to_owned(), text: text.to_owned() }]
}

/// How the headers of a library, and prototypes for it, are read.
pub fn options(config: &LibraryConfig, target: Option<Target>) -> Options {
    Options {
        definitions: config.definitions.clone(),
        default_encoding: config.encoding.clone(),
        ..Options::new(target.unwrap_or(Target::Linux32))
    }
}

/// What the library's table says of functions and values. Gives what does not go with the interface, in words.
pub fn apply(config: &LibraryConfig, interface: &mut Interface) -> Vec<String> {
    interface.int64 = config.int64;
    let idempotent = &config.running.idempotent;
    for function in &mut interface.functions {
        function.lossy |= config.lossy;
        function.idempotent |= idempotent.contains(&function.name);
    }
    let unmarked = config.sensitive.apply(interface).into_iter().map(str::to_owned).collect();
    let undeclared = |name: &&String| interface.function(name).is_none();
    let unknown = idempotent.iter().filter(undeclared).cloned().collect();
    let probe = config.running.probe.as_ref().map(|probe| &probe.function).filter(undeclared);
    [
        listed("sensitive", unmarked, "no parameter, member or variable"),
        listed("idempotent", unknown, "no function"),
        probe.map(|name| format!("`probe` calls `{name}`, and the headers have no function of that name")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// That a list of the table names what the headers do not have.
fn listed(key: &str, names: Vec<String>, missing: &str) -> Option<String> {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let text = format!("{verb} listed under `{key}`, and the headers have {missing} of that name");
    (!names.is_empty()).then(|| format!("{} {text}", names.join(", ")))
}

/// The SHA-256 of a library's headers, base64, whatever their names.
fn digest(texts: &[HeaderText]) -> String {
    let mut hash = Sha256::new();
    for file in texts {
        // The length keeps two files from being taken for one.
        hash.update((file.text.len() as u64).to_le_bytes());
        hash.update(&file.text);
    }
    STANDARD.encode(hash.finalize())
}

/// The text of a header file.
///
/// # Errors
/// It cannot be read; in words.
pub fn read_file(path: &Path) -> Result<HeaderText, String> {
    let text = std::fs::read(path).map_err(|error| format!("Cannot read {}: {error}.", path.display()))?;
    Ok(HeaderText { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text })
}

/// Whether header files have another text now than when these were read from them. One that cannot be read has.
pub fn have_changed(files: &[PathBuf], texts: &[HeaderText]) -> bool {
    let now: Result<Vec<HeaderText>, String> = files.iter().map(|path| read_file(path)).collect();
    now.map_or(true, |now| digest(&now) != digest(texts))
}

/// The interface of a library now.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Declared>>);

impl Current {
    /// Begins with that one.
    pub fn new(declared: Declared) -> Self {
        Self(RwLock::new(Arc::new(declared)))
    }

    /// The interface as it is now; it stays as it is for whoever holds it.
    pub fn get(&self) -> Arc<Declared> {
        // An `Arc` is whole whatever panicked.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on it is this one.
    pub fn replace(&self, declared: Arc<Declared>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = declared;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> HeaderText {
        HeaderText { name: name.to_owned(), text: text.as_bytes().to_vec() }
    }

    #[test]
    fn headers_are_the_same_if_their_texts_are_and_where_one_ends_counts() {
        assert_eq!(digest(&[file("a.h", "int f(void);")]), digest(&[file("b.h", "int f(void);")]));
        assert_ne!(digest(&[file("a.h", "ab"), file("b.h", "c")]), digest(&[file("a.h", "a"), file("b.h", "bc")]));
    }

    #[test]
    fn the_table_says_what_may_be_called_twice_and_is_told_what_the_header_does_not_have() {
        let mut config = crate::libraries::tests::library("").config;
        config.running.idempotent = ["Get", "Set", "Gte"].map(str::to_owned).into();
        let probed = crate::config::tests::load_text("[library.a]\nfile='a'\nprobe={function='Ping'}").unwrap();
        config.running.probe.clone_from(&probed.libraries["a"].running.probe);
        config.running.recycle.max_memory = Some(5 << 30);
        let read = |header: &str| {
            Declared::read(1, vec![file("a.h", header)], Origin::Configured, &config, Some(Target::Linux32))
        };
        let declared = read("int Get(void); int Set(int a); int Other(void); /** @idempotent */ int Own(void);");
        let idempotent = |name: &str| declared.function(name).unwrap().1.idempotent;
        assert_eq!(["Get", "Set", "Other", "Own"].map(idempotent), [true, true, false, true]);
        let [unknown, probe, memory] = &declared.remarks[..] else { panic!("{:?}", declared.remarks) };
        assert_eq!(unknown, "`Gte` is listed under `idempotent`, and the headers have no function of that name");
        assert_eq!(probe, "`probe` calls `Ping`, and the headers have no function of that name");
        assert!(memory.starts_with("`recycle.max_memory` is more than the 4 GiB"), "{memory}");
        let without_get = read("int Ping(void); int Set(int a);");
        assert!(without_get.remarks[0].starts_with("`Get`, `Gte` are listed under"), "{:?}", without_get.remarks);
    }

    #[test]
    fn header_files_have_changed_once_their_text_has() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a.h", "b.h"].map(|name| folder.path().join(name));
        let write = |index: usize, text: &str| std::fs::write(&files[index], text).unwrap();
        write(0, "int f(void);");
        write(1, "int g(void);");
        let texts: Vec<HeaderText> = files.iter().map(|path| read_file(path).unwrap()).collect();
        write(1, "int g(void);");
        assert!(!have_changed(&files, &texts));
        write(1, "int g(int a);");
        assert!(have_changed(&files, &texts));
        std::fs::remove_file(&files[1]).unwrap();
        assert!(have_changed(&files, &texts) && !have_changed(&files[..1], &texts[..1]) && !have_changed(&[], &[]));
    }

    #[test]
    fn several_headers_are_one_text_in_which_no_line_runs_into_the_next() {
        let texts = [file("a.h", "int f(void); // end"), file("b.h", "int g(void);\n")];
        assert_eq!(joined(&texts), b"int f(void); // end\nint g(void);\n");
    }
}
