//! The configuration that a test starts its gateway with.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bridge32_signature::Key;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::dist;
use crate::tls::Authority;

/// A `bridge32.toml` and the files beside it, in a folder that goes away with the test.
#[derive(Debug)]
pub struct Config {
    folder: TempDir,
    document: Table,
    /// Whether the document is what the folder has already: then nothing is written.
    is_written: bool,
    keys: Vec<(String, Key)>,
    /// Who has issued the gateway's certificate, if it has one.
    pub(crate) trusted: Option<String>,
    /// The key that signs what the test sends, if it is none of `keys`.
    other_key: Option<Key>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) wait_until_ready: bool,
    /// The size of the disk that `data_dir` has for itself.
    pub(crate) disk: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Loopback, a port of the system's choice, no signatures, no libraries, and this machine's runtimes.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("bridge32-test-").expect("a temporary folder can be made");
        let mut document = Table::new();
        document.insert("listen".into(), "127.0.0.1:0".into());
        document.insert("data_dir".into(), "data".into());
        document.insert("auth".into(), Table::from_iter([("mode".into(), "off".into())]).into());
        document.insert("runtime".into(), dist::runtimes().into());
        Self {
            folder,
            document,
            is_written: false,
            keys: Vec::new(),
            other_key: None,
            trusted: None,
            environment: Vec::new(),
            wait_until_ready: true,
            disk: None,
        }
    }

    /// The configuration and the keys that lie in a folder already, on a port of the system's choice.
    pub fn existing(folder: TempDir) -> Self {
        let file = folder.path().join("bridge32.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let key = key_of(&folder.path().join("keys.toml"));
        let document = text.parse().expect("it is TOML");
        let mut config = Self { folder, document, is_written: true, other_key: Some(key), ..Self::new() };
        config.env("BRIDGE32_LISTEN", "127.0.0.1:0");
        config
    }

    /// The demo as `cargo xtask build` configures it, on a port of the system's choice, with a data folder and a key of its own.
    pub fn demo() -> Self {
        let mut config = Self::new();
        config.key("demo", &["call:*", "adhoc", "read", "history", "manage"]);
        for (name, table) in dist::demo() {
            let toml::Value::Table(table) = table else { panic!("`{name}` is a table") };
            let text = |key: &str| table.get(key).and_then(Value::as_str);
            // Relative to the demo's own configuration; a path of Windows stays as it is.
            let place = |path: &str| if path.contains('\\') { path.into() } else { dist::folder().join(path) };
            let file = place(text("file").expect("a library has a file"));
            let header = place(text("header").expect("a library of the demo has a header"));
            let mut library = config.library(&name, file);
            library.header(header);
            for (key, value) in table.iter().filter(|(key, _)| !["file", "header"].contains(&key.as_str())) {
                library.set(key, value.clone());
            }
        }
        config
    }

    /// The folder of the configuration file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a key of the top level.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.document.insert(key.to_owned(), value.into());
        self
    }

    /// Gives the gateway a certificate for loopback, `cert.pem` and `key.pem` of its folder.
    pub fn tls(&mut self, authority: &Authority) -> &mut Self {
        authority.issue(&["127.0.0.1", "localhost"], self.folder());
        self.trusted = Some(authority.pem().to_owned());
        let files = [("certificate", "cert.pem"), ("key", "key.pem")];
        let files = files.map(|(key, file)| (key.to_owned(), file.into()));
        self.set("tls", Table::from_iter(files))
    }

    /// Sets a variable of the gateway's environment.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives `data_dir` a disk of that size (`64m`) for itself.
    pub fn small_disk(&mut self, size: &str) -> &mut Self {
        self.disk = Some(size.to_owned());
        self
    }

    /// Adds a library.
    pub fn library(&mut self, name: &str, file: impl AsRef<Path>) -> LibraryTable<'_> {
        let libraries = self.document.entry("library").or_insert_with(|| Table::new().into());
        let libraries = libraries.as_table_mut().expect("`library` is a table");
        let table = libraries.entry(name).or_insert_with(|| Table::new().into());
        let table = table.as_table_mut().expect("a library is a table");
        table.insert("file".into(), file.as_ref().to_str().expect("paths of tests are UTF-8").into());
        LibraryTable { table, name: name.to_owned(), folder: self.folder.path() }
    }

    /// Takes a runtime away.
    pub fn without_runtime(&mut self, name: &str) -> &mut Self {
        let runtimes = self.document.get_mut("runtime").and_then(Value::as_table_mut).expect("there are runtimes");
        runtimes.remove(name);
        self
    }

    /// The table of a runtime, to change how its agents are started.
    pub fn runtime(&mut self, name: &str) -> &mut Table {
        let runtimes = self.document.get_mut("runtime").and_then(Value::as_table_mut).expect("there are runtimes");
        runtimes.get_mut(name).and_then(Value::as_table_mut).unwrap_or_else(|| panic!("there is no [runtime.{name}]"))
    }

    /// Makes the agents of a runtime leave what they are handed in a file beside the configuration, which is given.
    pub fn record_handovers(&mut self, runtime: &str) -> PathBuf {
        const RECORD: &str = r#"IFS= read -r line; printf '%s\n' "$line" > "$0.new" && mv "$0.new" "$0"
            { printf '%s\n' "$line"; exec cat; } | exec "$@""#;
        let file = self.folder.path().join(format!("handover-{runtime}.json"));
        let command = self.runtime(runtime).get_mut("command").and_then(Value::as_array_mut).expect("it has a command");
        let words = ["/bin/sh", "-c", RECORD, file.to_str().expect("paths of tests are UTF-8")].map(Value::from);
        command.splice(0..0, words);
        file
    }

    /// A port that is free now, for a gateway that is to be found again after a restart.
    pub fn fixed_port(&mut self) -> String {
        let address = format!("127.0.0.1:{}", crate::servers::free_port());
        self.set("listen", address.as_str());
        address
    }

    /// Asks for signatures, and adds a key. The first one signs what the test sends.
    pub fn key(&mut self, id: &str, scopes: &[&str]) -> Key {
        self.key_with_secret(id, scopes).0
    }

    /// The same, with the secret in base64.
    pub fn key_with_secret(&mut self, id: &str, scopes: &[&str]) -> (Key, String) {
        let secret = Key::random_secret().expect("the system has random numbers");
        let key = Key::new(id, &secret).expect("a legal key id");
        let scopes: Vec<Value> = scopes.iter().map(|scope| (*scope).into()).collect();
        let entry = Table::from_iter([
            ("id".into(), id.into()),
            ("secret".into(), crate::base64(secret).into()),
            ("scopes".into(), scopes.into()),
        ]);
        self.keys.push((toml::to_string(&entry).expect("a table of strings"), key.clone()));
        let auth = [("mode".into(), "hmac".into()), ("keys_file".into(), "keys.toml".into())];
        self.document.insert("auth".into(), Table::from_iter(auth).into());
        (key, crate::base64(secret))
    }

    /// Asks for signatures by the keys of a file that is there. The first one signs what the test sends.
    pub fn keys_of(&mut self, file: &Path) -> &mut Self {
        self.other_key = Some(key_of(file));
        let file = file.to_str().expect("paths of tests are UTF-8");
        let auth = [("mode".into(), "hmac".into()), ("keys_file".into(), file.into())];
        self.set("auth", Table::from_iter(auth))
    }

    /// The gateway is handed to the test before its libraries are loaded.
    pub fn do_not_wait(&mut self) -> &mut Self {
        self.wait_until_ready = false;
        self
    }

    /// The key that signs what the test sends.
    pub fn signing_key(&self) -> Key {
        self.first_key().expect("the configuration asks for signatures")
    }

    pub(crate) fn first_key(&self) -> Option<Key> {
        self.other_key.clone().or_else(|| self.keys.first().map(|(_, key)| key.clone()))
    }

    /// Writes the files, and gives the path of `bridge32.toml`.
    pub fn write(&self) -> PathBuf {
        let file = self.folder().join("bridge32.toml");
        if self.is_written {
            return file;
        }
        let text = toml::to_string(&self.document).expect("a document of plain values");
        std::fs::write(&file, text).expect("the configuration can be written");
        if !self.keys.is_empty() {
            let entries: Vec<String> = self.keys.iter().map(|(entry, _)| format!("[[key]]\n{entry}")).collect();
            let keys = self.folder().join("keys.toml");
            std::fs::write(&keys, entries.concat()).expect("the keys can be written");
            std::fs::set_permissions(&keys, PermissionsExt::from_mode(0o600)).expect("their mode can be set");
        }
        file
    }
}

/// The first key of a key file.
fn key_of(file: &Path) -> Key {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let document: Table = text.parse().expect("a key file is TOML");
    let key = &document["key"][0];
    let secret = crate::bytes(&key["secret"].as_str().expect("base64").into());
    Key::new(key["id"].as_str().expect("a text"), &secret).expect("a legal key")
}

/// The table of one library.
#[derive(Debug)]
pub struct LibraryTable<'a> {
    table: &'a mut Table,
    name: String,
    folder: &'a Path,
}

impl LibraryTable<'_> {
    /// Its header, a file.
    pub fn header(&mut self, file: impl AsRef<Path>) -> &mut Self {
        self.set("header", file.as_ref().to_str().expect("paths of tests are UTF-8"))
    }

    /// Its header, as text.
    pub fn declares(&mut self, header: &str) -> &mut Self {
        let file = self.folder.join(format!("{}.h", self.name));
        std::fs::write(&file, header).expect("the header can be written");
        self.header(file)
    }

    /// Any other key.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.table.insert(key.to_owned(), value.into());
        self
    }
}
