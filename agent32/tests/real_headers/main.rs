//! Headers that nobody here wrote, read as a user gives them, against the compilers themselves: every function that a
//! compiler sees in them is either right (parameters, sizes, signs, what pointers point to, convention, bytes of
//! arguments), refused with a reason, or has a diagnostic at its line.
//!
//! `gcc -aux-info` lists the functions; sizes and symbols are read from an object file. Nothing is run.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test; the table is for people who run it")]

mod compare;
mod compiler;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bridge32_interface::{Header, Options, Source, read};
use bridge32_protocol::target::Target;

use compare::{Comparison, Context};
use compiler::{Compiled, Compiler, Prototype};

/// Headers, and the compiler that is asked.
struct Case<'a> {
    target: Target,
    command: &'a [&'a str],
    /// What a program would include.
    includes: &'a str,
    /// Which of the files that are read then are looked at.
    looked_at: &'a dyn Fn(&str) -> bool,
    /// Each of them is read by itself, too.
    alone: bool,
    /// Macros that the compiler, or what comes before, defines.
    definitions: &'a [&'a str],
    /// So many functions at least are right when all files are read together: fewer would be silence, not success.
    least: usize,
    /// Files and functions (by how they begin) of which the compiler thinks otherwise, and why.
    exceptions: &'a [(&'a str, &'a str, &'a str)],
}

/// A file that the compiler has read.
struct File {
    name: String,
    path: PathBuf,
    text: Vec<u8>,
}

impl Case<'_> {
    fn options(&self) -> Options {
        let mut options = Options::new(self.target);
        options.definitions.extend(self.definitions.iter().map(|text| {
            let (name, value) = text.split_once('=').unwrap_or((text, "1"));
            (name.to_owned(), value.to_owned())
        }));
        options
    }

    /// Reads each file alone, and all of them together, and compares both with what the compiler sees.
    fn check(&self) {
        let includes: String = self.includes.split(' ').map(|name| format!("#include <{name}.h>\n")).collect();
        let compiler = Compiler { command: self.command, includes: &includes };
        let prototypes = compiler.prototypes();
        let files = files(&compiler);
        let looked_at: Vec<&File> = files.iter().filter(|file| (self.looked_at)(&file.name)).collect();
        let read_alone = |file: &&File| read(&[Source { name: &file.name, text: &file.text }], &self.options());
        let alone: Vec<Header> = looked_at.iter().filter(|_| self.alone).map(read_alone).collect();
        let mut sources = vec![Source { name: "program.h", text: includes.as_bytes() }];
        sources.extend(files.iter().map(|file| Source { name: &file.name, text: &file.text }));
        let together = read(&sources, &self.options());
        let new = |(file, header)| Comparison::new(header, file, self.target, &prototypes);
        let own = looked_at.iter().copied().zip(&alone).map(new);
        let comparisons: Vec<_> = own.chain(looked_at.iter().map(|file| new((*file, &together)))).collect();
        let answers = ask(&compiler, &comparisons);
        let (mut wrong, mut right) = (Vec::new(), 0);
        for (index, comparison) in comparisons.iter().enumerate() {
            let context = if index < alone.len() { Context::Alone } else { Context::Together };
            let outcome = comparison.outcome(&answers, context, &compiler);
            if outcome.functions() > 0 {
                println!("{:7} {:28} {context:8?} {outcome}", self.target.name(), comparison.file.name);
            }
            right += if context == Context::Together { outcome.right } else { 0 };
            wrong.extend(outcome.wrong.into_iter().filter(|text| !self.excepts(text)));
        }
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(right >= self.least, "only {right} functions are right");
    }

    fn excepts(&self, wrong: &str) -> bool {
        let meant =
            |file: &str, name: &str| wrong.starts_with(&format!("{file}:")) && wrong.contains(&format!(": {name}"));
        self.exceptions.iter().any(|(file, name, _)| meant(file, name))
    }
}

/// What the compiler reads, as a user would give it to the reader.
fn files(compiler: &Compiler) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for path in compiler.files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Two folders have one of this name: the first is meant.
        let packing = name.starts_with("pshpack") || name == "poppack.h";
        if name.ends_with(".h") && !packing && files.iter().all(|known| known.name != name) {
            files.push(File { name, text: std::fs::read(&path).unwrap(), path });
        }
    }
    files
}

/// Has the compiler look at everything that is known here of any of the functions.
fn ask<'c>(compiler: &Compiler, comparisons: &[Comparison<'c>]) -> HashMap<&'c str, Compiled> {
    let mut wanted: BTreeMap<&str, (&Prototype, Vec<bool>)> = BTreeMap::new();
    for (prototype, points) in comparisons.iter().flat_map(Comparison::pointees) {
        let nothing = || (prototype, vec![false; prototype.parameters.len() + 1]);
        let known = wanted.entry(&prototype.name).or_insert_with(nothing);
        known.1.iter_mut().zip(points).for_each(|(known, point)| *known |= point);
    }
    let wanted: Vec<_> = wanted.into_values().collect();
    let answers = compiler.compile(&wanted);
    wanted.iter().map(|(prototype, _)| &*prototype.name).zip(answers).collect()
}

/// What a program for Windows includes, in an order in which it compiles, without the `.h`.
const WINDOWS: &str = "\
    winsock2 ws2tcpip windows windowsx commctrl commdlg shellapi shlobj mmsystem winspool setupapi winscard winver \
    wincrypt wininet iphlpapi psapi tlhelp32 dbghelp ras lm cfgmgr32 hidsdi winusb bluetoothapis powrprof uxtheme \
    dwmapi wtsapi32 userenv shlwapi oleauto sql sqlext odbcinst mapi imm ddeml vfw pdh wlanapi usp10 intshcut nb30 \
    tapi rasdlg richedit msacm aclapi sddl ntsecapi ntdsapi evntrace evntprov winevt wincred bcrypt ncrypt httpext \
    snmp mgmtapi dhcpcsdk windns icmpapi lzexpand cpl mswsock dsound dinput xinput mscat wintrust softpub \
    magnification lmaccess";

/// Those of the Windows API, 32 and 64 bits.
fn windows<'a>(target: Target, command: &'a [&'a str], definitions: &'a [&'a str]) -> Case<'a> {
    Case {
        target,
        command,
        includes: WINDOWS,
        looked_at: &|_| true,
        alone: target == Target::Win32,
        definitions,
        least: 7500,
        exceptions: &[
            ("netioapi.h", "", "its results have another type if iphlpapi.h was not there before"),
            (
                "rpcdcep.h",
                "I_RpcServerInqAddressChangeFn",
                "GCC takes the convention for that of what its result points to",
            ),
        ],
    }
}

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn every_function_of_windows_is_right_or_diagnosed_on_32_bits() {
    windows(Target::Win32, &["i686-w64-mingw32-gcc"], &["WINNT", "_USE_32BIT_TIME_T", "__i386__"]).check();
}

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn every_function_of_windows_is_right_or_diagnosed_on_64_bits() {
    windows(Target::Win64, &["x86_64-w64-mingw32-gcc"], &["WINNT", "__x86_64__", "__x86_64"]).check();
}

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn every_function_of_zlib_and_sqlite_is_right_or_diagnosed() {
    let looked_at = |name: &str| matches!(name, "zlib.h" | "zconf.h" | "sqlite3.h");
    let includes = "zlib sqlite3";
    for (target, bits) in [(Target::Linux32, "-m32"), (Target::Linux64, "-m64")] {
        let command = ["gcc", bits];
        Case {
            target,
            command: &command,
            includes,
            looked_at: &looked_at,
            alone: true,
            definitions: &[],
            least: 320,
            exceptions: &[],
        }
        .check();
    }
    // The compiler for Windows has no headers of these libraries.
    let folder = tempfile::tempdir().unwrap();
    for file in files(&Compiler { command: &["gcc"], includes: "#include <zlib.h>\n#include <sqlite3.h>\n" }) {
        if looked_at(&file.name) {
            std::fs::write(folder.path().join(&file.name), &file.text).unwrap();
        }
    }
    let include = format!("-I{}", folder.path().display());
    // Which compiler it is decides the type of zlib's offsets.
    let definitions =
        ["__GNUC__=12", "ZLIB_WINAPI", "SQLITE_APICALL=__stdcall", "SQLITE_CALLBACK=__stdcall", "SQLITE_CDECL=__cdecl"];
    let options: Vec<String> = definitions[1..].iter().map(|definition| format!("-D{definition}")).collect();
    for (target, compiler) in [(Target::Win32, "i686-w64-mingw32-gcc"), (Target::Win64, "x86_64-w64-mingw32-gcc")] {
        let command: Vec<&str> =
            [compiler, &include].into_iter().chain(options.iter().map(|option| &**option)).collect();
        Case {
            target,
            command: &command,
            includes,
            looked_at: &looked_at,
            alone: true,
            definitions: &definitions,
            least: 340,
            exceptions: &[],
        }
        .check();
    }
}
