//! Libraries in C that tests need, compiled when a test asks for one.
//!
//! They lie in `dist/fixtures/`, so that tests in separate processes share them: a library is written under a name of its
//! own and then renamed, and one that is newer than its sources and was made by the same command is used as it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use bridge32_protocol::target::Target;

use crate::dist;

/// What one library is made of.
#[derive(Clone, Debug)]
pub struct Fixture {
    stem: String,
    sources: Vec<PathBuf>,
    flags: Vec<String>,
    inputs: Vec<PathBuf>,
}

/// The library that `tests/fixtures/{name}.c` becomes.
pub fn library(name: &str, target: Target) -> PathBuf {
    Fixture::new(name).build(target)
}

/// A library that nobody here wrote, which `cargo xtask setup` has put beside the fixtures.
pub fn foreign(name: &str, target: Target) -> PathBuf {
    let file = folder(target).join(file_name(name, target));
    assert!(file.exists(), "{} is not there: run `cargo xtask setup`", file.display());
    file
}

/// `tests/fixtures/{name}.h`
pub fn header(name: &str) -> PathBuf {
    source_folder().join(format!("{name}.h"))
}

fn folder(target: Target) -> PathBuf {
    dist::folder().join("fixtures").join(target.name())
}

fn file_name(stem: &str, target: Target) -> String {
    format!("{stem}.{}", if target.is_windows() { "dll" } else { "so" })
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

impl Fixture {
    /// From `tests/fixtures/{name}.c`.
    pub fn new(name: &str) -> Self {
        let source = source_folder().join(format!("{name}.c"));
        Self { stem: name.to_owned(), sources: vec![source], flags: Vec::new(), inputs: Vec::new() }
    }

    /// From a text that a test has put together.
    pub fn generated(name: &str, source: &str) -> Self {
        let folder = dist::folder().join("fixtures").join("generated");
        std::fs::create_dir_all(&folder).expect("the folder of the fixtures can be made");
        let file = folder.join(format!("{name}.c"));
        // What has not changed keeps its time.
        if !std::fs::read_to_string(&file).is_ok_and(|old| old == source) {
            put(&file, source.as_bytes());
        }
        Self { stem: name.to_owned(), sources: vec![file], flags: Vec::new(), inputs: Vec::new() }
    }

    /// Another name for what comes out.
    #[must_use]
    pub fn named(mut self, stem: &str) -> Self {
        stem.clone_into(&mut self.stem);
        self
    }

    /// A flag of the compiler.
    #[must_use]
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// A module definition file of `tests/fixtures/`, which says under which names a DLL exports.
    #[must_use]
    pub fn definitions(mut self, name: &str) -> Self {
        self.sources.push(source_folder().join(name));
        self
    }

    /// A library that this one needs.
    #[must_use]
    pub fn linked_to(mut self, library: &Path) -> Self {
        self.inputs.push(library.to_owned());
        self
    }

    /// Compiles it, if that has not been done.
    pub fn build(&self, target: Target) -> PathBuf {
        let folder = folder(target);
        std::fs::create_dir_all(&folder).expect("the folder of the fixtures can be made");
        let output = folder.join(file_name(&self.stem, target));
        let command = self.command(target);
        let recipe = format!("{command:?}");
        let recipe_file = output.with_extension("recipe");
        let same_recipe = std::fs::read_to_string(&recipe_file).is_ok_and(|old| old == recipe);
        if !(same_recipe && self.is_newer(&output)) {
            compile(command, &output);
            put(&recipe_file, recipe.as_bytes());
        }
        output
    }

    fn command(&self, target: Target) -> Command {
        let (compiler, flags): (_, &[_]) = match target {
            Target::Linux32 => ("gcc", &["-m32", "-fPIC"]),
            Target::Linux64 => ("gcc", &["-fPIC"]),
            Target::Win32 => ("i686-w64-mingw32-gcc", &["-static-libgcc", "-D__USE_MINGW_ANSI_STDIO=1"]),
            Target::Win64 => ("x86_64-w64-mingw32-gcc", &["-static-libgcc", "-D__USE_MINGW_ANSI_STDIO=1"]),
        };
        let mut command = Command::new(compiler);
        command.args(["-shared", "-std=gnu11", "-O1", "-Wall", "-Werror", "-Wno-attributes", "-include"]);
        command.arg(source_folder().join("toolchain.h")).args(flags);
        if !target.is_windows() {
            // Its neighbours are found beside it, as Windows does anyway.
            command.args(["-fvisibility=hidden", "-Wl,-rpath,$ORIGIN"]).arg(format!("-Wl,-soname,{}.so", self.stem));
        }
        command.args(&self.sources).args(&self.inputs).args(&self.flags);
        command
    }

    fn is_newer(&self, output: &Path) -> bool {
        let changed = |file: &Path| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
        let Some(made) = changed(output) else { return false };
        let headers =
            std::fs::read_dir(source_folder()).expect("there are fixtures").flatten().map(|entry| entry.path());
        let headers = headers.filter(|path| path.extension().is_some_and(|extension| extension == "h"));
        let all = headers.chain(self.sources.iter().cloned()).chain(self.inputs.iter().cloned());
        all.map(|file| changed(&file).unwrap_or_else(|| panic!("{} is not there", file.display())))
            .max()
            .is_none_or(|newest: SystemTime| newest < made)
    }
}

fn compile(mut command: Command, output: &Path) {
    // In a folder of its own and not under another name: a DLL carries the name that it was linked as.
    let folder = partial(output);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let partial = folder.join(output.file_name().expect("a file has a name"));
    let result = command.arg("-o").arg(&partial).output();
    let result = result.unwrap_or_else(|error| {
        let compiler = command.get_program().display();
        panic!("{compiler} cannot be started ({error}): run `cargo xtask setup`")
    });
    assert!(result.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&result.stderr));
    std::fs::rename(&partial, output).expect("the library can be renamed");
    std::fs::remove_dir(&folder).expect("the empty folder can be removed");
}

/// Writes a file so that others see the old one or the new one.
pub fn put(file: &Path, content: &[u8]) {
    let partial = partial(file);
    std::fs::write(&partial, content).expect("the file can be written");
    std::fs::rename(&partial, file).expect("the file can be renamed");
}

fn partial(file: &Path) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_digit(), "");
    let name = file.file_name().expect("a file has a name").to_string_lossy();
    file.with_file_name(format!(".{name}.{}-{thread}", std::process::id()))
}
