//! Adding a library to a configuration file: everything else in the file stays as it is, to the byte. (Where `library` is an
//! inline table the library goes into it, and a file whose line ends were mixed gets those of its first line.)

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use super::{Config, ConfigError, LibraryFile, is_name};

/// A library that is to be added.
#[derive(Clone, Debug)]
pub struct Added {
    /// The name of its table.
    pub name: String,
    /// Its file, as given on a command line.
    pub file: PathBuf,
    /// Its headers, likewise.
    pub headers: Vec<PathBuf>,
    /// How `char` strings are encoded, if that is said.
    pub encoding: Option<String>,
    /// Macros that its headers need.
    pub definitions: Vec<(String, String)>,
}

/// A configuration that is to be written.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// The part of it that is new.
    pub table: String,
}

/// Why a library cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file cannot be read or written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not TOML, or `library` in it is no table.
    #[error("{}: {message}", file.display())]
    Shape {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// It cannot be used as it is.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// The name is none, or somebody else's by now.
    #[error("{0}")]
    Name(String),
    /// With the library it would be no configuration any more.
    #[error("with the new table {file} would not be usable, so nothing was changed: {message}", file = file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What would be wrong.
        message: String,
    },
}

/// Whether a library can have that name.
///
/// # Errors
/// Why not: it is none, or it is taken.
pub fn check_name(config: &Config, name: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!(
            "`{name}` cannot be a library's name: letters, digits, `_`, `-` and `.`, at most 64 of them"
        ));
    }
    match config.libraries.get(name) {
        Some(library) => Err(format!("there is a library `{name}` already ({})", library.file.display())),
        None if config.libraries.values().any(|library| library.group.as_deref() == Some(name)) => {
            Err(format!("`{name}` is the name of a group already"))
        }
        None => Ok(()),
    }
}

/// The text of `file` with the library.
///
/// # Errors
/// The file cannot be read, or has no place for it.
pub fn with_library(file: &Path, added: &Added) -> Result<Edited, EditError> {
    let text = std::fs::read_to_string(file).map_err(|source| EditError::File { file: file.to_owned(), source })?;
    let shape = |message: String| EditError::Shape { file: file.to_owned(), message };
    let document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| shape(error.message().to_owned()))?;
    let text = match document.get("library") {
        None | Some(Item::Table(_)) => appended(&text, &table_text(file, added)),
        Some(Item::Value(Value::InlineTable(_))) => inlined(&text, document, added, file),
        Some(_) => return Err(shape("`library` is no table".to_owned())),
    };
    Ok(Edited { text, table: table_text(file, added) })
}

/// The new table alone, as `file` would have it: the file need not be there.
pub fn table_text(file: &Path, added: &Added) -> String {
    let mut libraries = Table::new();
    libraries.set_implicit(true);
    libraries.insert(&added.name, Item::Table(table(added, &directories(file))));
    let mut alone = DocumentMut::new();
    alone.insert("library", Item::Table(libraries));
    alone.to_string()
}

/// The file with a table behind all that it has, in its own line ends.
fn appended(text: &str, table: &str) -> String {
    let end = line_end(text);
    let whole_lines = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    let between = if text.trim_start_matches(BOM).is_empty() { "" } else { end };
    format!("{text}{whole_lines}{between}{}", table.replace('\n', end))
}

/// The file with the library in its inline table, which can be extended nowhere else.
fn inlined(text: &str, mut document: DocumentMut, added: &Added, file: &Path) -> String {
    if let Some(libraries) = document.get_mut("library").and_then(Item::as_inline_table_mut) {
        let table = table(added, &directories(file)).into_inline_table();
        libraries.insert(&added.name, Value::InlineTable(table));
    }
    let mark = if text.starts_with(BOM) { "\u{feff}" } else { "" };
    let edited = document.to_string().replace("\r\n", "\n").replace('\n', line_end(text));
    format!("{mark}{}", edited.trim_start_matches(BOM))
}

/// What some editors of Windows begin a file with.
const BOM: char = '\u{feff}';

/// How the file ends its lines: as its first one does.
fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(end) if text[..end].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

fn table(added: &Added, directories: &[PathBuf]) -> Table {
    let path = |path: &PathBuf| for_file(path, directories);
    let mut table = Table::new();
    table.insert("file", value(path(&added.file)));
    match added.headers.as_slice() {
        [] => {}
        [one] => drop(table.insert("header", value(path(one)))),
        several => drop(table.insert("header", value(several.iter().map(path).collect::<Array>()))),
    }
    if let Some(encoding) = &added.encoding {
        table.insert("encoding", value(encoding));
    }
    if !added.definitions.is_empty() {
        let definitions = added.definitions.iter().map(|(name, text)| (name.clone(), Value::from(text)));
        table.insert("definitions", value(definitions.collect::<InlineTable>()));
    }
    table
}

/// The folders that relative paths of a configuration start from: its own, and, if it is a link, that of what it leads to.
fn directories(file: &Path) -> Vec<PathBuf> {
    let given = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let files = [Some(given), file.canonicalize().ok()];
    files.iter().flatten().filter_map(|file| file.parent().map(Path::to_owned)).collect()
}

/// A path as the configuration has it: relative to its folder if it is in there or was given as a relative one.
fn for_file(path: &Path, directories: &[PathBuf]) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = real(&whole);
    let mut ways: Vec<PathBuf> = Vec::new();
    for directory in directories {
        let below = whole.strip_prefix(directory).ok().filter(|way| !climbs(way));
        ways.extend(below.map(Path::to_owned));
        let Ok(directory) = directory.canonicalize() else { continue };
        ways.extend(real.strip_prefix(&directory).ok().map(Path::to_owned));
        ways.extend(path.is_relative().then(|| relative(&real, &directory)).flatten());
    }
    // A `..` behind a symbolic link leads elsewhere than the text says: what is written must lead to the file.
    let leads = |way: &PathBuf| directories.iter().all(|directory| is_same(&directory.join(way), path));
    let whole = if path.is_relative() { real } else { whole };
    ways.into_iter().find(leads).unwrap_or(whole).to_string_lossy().into_owned()
}

fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

/// The way from a folder to a file.
fn relative(file: &Path, directory: &Path) -> Option<PathBuf> {
    let common = file.components().zip(directory.components()).take_while(|(a, b)| a == b).count();
    // They share the root at least, or nothing leads from one to the other.
    if common == 0 {
        return None;
    }
    let up = directory.components().skip(common).map(|_| Component::ParentDir);
    Some(up.chain(file.components().skip(common)).collect())
}

/// The path without links among its folders. The file may be one: `libz.so.1` is meant, whatever version that is.
fn real(path: &Path) -> PathBuf {
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

/// Whether both are there, and are one file.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Adds the library to the file as it is now, whatever it was when somebody was asked.
///
/// # Errors
/// It cannot be read or written, the name is taken by now, or with the library it would not load.
pub fn add(file: &Path, added: &Added) -> Result<(), EditError> {
    let now = super::load(file, std::env::vars())?;
    check_name(&now.config, &added.name).map_err(EditError::Name)?;
    replace(file, &with_library(file, added)?, added)
}

/// Replaces the file at once, or not at all: what is written must load, and have the library with its files.
fn replace(file: &Path, edited: &Edited, added: &Added) -> Result<(), EditError> {
    let failed = |source| EditError::File { file: file.to_owned(), source };
    // Where the file is a link, what it leads to is replaced.
    let real = file.canonicalize().map_err(failed)?;
    let folder = real.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".bridge32-").suffix(".toml").tempfile_in(folder).map_err(failed)?;
    new.write_all(edited.text.as_bytes()).and_then(|()| new.as_file().sync_all()).map_err(failed)?;
    let unusable = |message: String| {
        let message = message.replace(&new.path().display().to_string(), &real.display().to_string());
        EditError::Unusable { file: real.clone(), message }
    };
    let loaded = super::load(new.path(), std::env::vars()).map_err(|error: ConfigError| unusable(error.to_string()))?;
    check_files(&loaded.config, added).map_err(unusable)?;
    let permissions = std::fs::metadata(&real).map_err(failed)?.permissions();
    new.as_file().set_permissions(permissions).map_err(failed)?;
    new.persist(&real).map(drop).map_err(|error| failed(error.error))
}

/// Whether the configuration names the files that were looked at.
fn check_files(config: &Config, added: &Added) -> Result<(), String> {
    let Added { name, file, headers, .. } = added;
    let Some(library) = config.libraries.get(name) else { return Err(format!("it would have no library `{name}`")) };
    let written = match &library.file {
        LibraryFile::Host(path) => path.as_path(),
        LibraryFile::Runtime(path) => Path::new(path),
    };
    let written = std::iter::once(written).chain(library.headers.iter().map(PathBuf::as_path));
    let given: Vec<&PathBuf> = std::iter::once(file).chain(headers).collect();
    let written: Vec<&Path> = written.collect();
    if written.len() != given.len() {
        return Err(format!("library.{name} would have {} headers, not {}", written.len() - 1, headers.len()));
    }
    match written.iter().zip(&given).find(|(written, given)| !is_same(written, given)) {
        Some((written, given)) => {
            Err(format!("library.{name} would have {}, which is not {}", written.display(), given.display()))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
