//! What a C compiler makes of the headers: which functions each file declares, under which symbols, with which sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

/// Numbers that are said of each type in the table of the compiled file.
const NUMBERS: usize = 4;

/// A compiler and what it is to include.
pub(crate) struct Compiler<'a> {
    pub(crate) command: &'a [&'a str],
    /// The lines of C before everything else.
    pub(crate) includes: &'a str,
}

/// A function that the compiler has seen.
#[derive(Clone, Debug)]
pub(crate) struct Prototype {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) line: u32,
    pub(crate) result: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) variadic: bool,
    /// It is `static`, or its body is in the header: no library exports it.
    pub(crate) internal: bool,
}

/// What a compiled file says of a function.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The symbol that a call refers to; `None` if the function has a body in the header.
    pub(crate) symbol: Option<String>,
    pub(crate) result: Measured,
    pub(crate) parameters: Vec<Measured>,
}

/// What the compiler says of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Bytes; 1 for `void`.
    pub(crate) size: u64,
    /// GCC's `enum type_class`.
    pub(crate) class: u64,
    /// 1 for signed integers, 2 for unsigned ones, 0 for everything else.
    pub(crate) sign: u64,
    /// Bytes of what it points to, if that was asked for.
    pub(crate) pointee: u64,
}

impl Compiler<'_> {
    /// Every function that is declared in what is included, each once.
    pub(crate) fn prototypes(&self) -> Vec<Prototype> {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        self.run(folder.path(), "", &["-fsyntax-only".as_ref(), "-aux-info".as_ref(), list.as_os_str()]);
        let text = std::fs::read_to_string(list).unwrap();
        let mut found: BTreeMap<String, Prototype> = BTreeMap::new();
        // What a static assertion of C89 declares is no function.
        let assertion = |prototype: &Prototype| prototype.name == "__C_ASSERT__";
        for prototype in text.lines().filter_map(prototype).filter(|prototype| !assertion(prototype)) {
            // A body may follow.
            let internal = prototype.internal;
            found.entry(prototype.name.clone()).or_insert(prototype).internal |= internal;
        }
        found.into_values().collect()
    }

    /// The files that are included, in the order in which they begin.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        let rule = self.run(folder.path(), "", &["-M".as_ref()]);
        let words = rule.split_whitespace().filter(|word| *word != "\\" && !word.ends_with(':'));
        words.map(PathBuf::from).collect()
    }

    /// Compiles a use of each function. `points` says of which parameters (and of the result, which comes last) the size
    /// of what they point to is wanted.
    pub(crate) fn compile(&self, functions: &[(&Prototype, Vec<bool>)]) -> Vec<Compiled> {
        let mut text = String::new();
        let mut words = BTreeSet::new();
        let mut addresses = String::from("const void *const addresses[] = {\n");
        let mut numbers = String::from("const number numbers[] = {\n");
        for (function, points) in functions {
            words.insert(&*function.name);
            let _ = writeln!(addresses, "(const void *)({}),", function.name);
            for (ty, points) in function.parameters.iter().chain([&function.result]).zip(points) {
                words.extend(
                    ty.split(|c: char| !is_word(c))
                        .filter(|word| word.starts_with(|c| is_word(c) && !c.is_ascii_digit())),
                );
                numbers.push_str(&measure(ty, *points));
            }
        }
        // The names come from behind the preprocessor, and it must not touch them again.
        for word in words {
            let _ = writeln!(text, "#undef {word}");
        }
        let _ = writeln!(text, "typedef unsigned long long number;\n{addresses}0}};\n{numbers}0}};");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("uses.o");
        self.run(folder.path(), &text, &["-c".as_ref(), "-o".as_ref(), file.as_os_str()]);
        let bytes = std::fs::read(file).unwrap();
        let object = object::File::parse(bytes.as_slice()).unwrap();
        read_tables(&object, functions)
    }

    /// The text of a file alone, as far as its conditions let it through; what it includes is left out.
    pub(crate) fn conditions(&self, text: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alone.h");
        let lines = String::from_utf8_lossy(text).into_owned();
        let kept = |line: &&str| !line.trim_start().trim_start_matches('#').trim_start().starts_with("include");
        std::fs::write(&file, lines.lines().filter(kept).collect::<Vec<_>>().join("\n")).unwrap();
        let output = Command::new(self.command[0]).args(["-E", "-P", "-w"]).arg(&file).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn run(&self, folder: &Path, text: &str, arguments: &[&std::ffi::OsStr]) -> String {
        let source = folder.join("uses.c");
        std::fs::write(&source, format!("{}\n{text}", self.includes)).unwrap();
        let output = Command::new(self.command[0])
            .args(&self.command[1..])
            .args(["-std=gnu11", "-w", "-O0"])
            .args(arguments)
            .arg(&source)
            .output()
            .unwrap_or_else(|error| panic!("the C compiler {} is needed: {error}", self.command[0]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Four numbers of the table: see [`Measured`].
fn measure(ty: &str, points: bool) -> String {
    let value = format!("*(__typeof__({ty}) *)0");
    let sign = format!(
        "_Generic({value}, char: 1, signed char: 1, short: 1, int: 1, long: 1, long long: 1, unsigned char: 2, \
         unsigned short: 2, unsigned int: 2, unsigned long: 2, unsigned long long: 2, default: 0)"
    );
    let (class, sign) =
        if ty == "void" { ("0".to_owned(), "0") } else { (format!("__builtin_classify_type({value})"), &*sign) };
    let pointee = if points { format!("sizeof(*(__typeof__({ty}))0)") } else { "0".to_owned() };
    format!("sizeof(__typeof__({ty})), {class}, {sign}, {pointee},\n")
}

/// Takes the tables of a compiled file apart.
fn read_tables(object: &object::File, functions: &[(&Prototype, Vec<bool>)]) -> Vec<Compiled> {
    let symbols = symbols_in(object, "addresses");
    let (section, start) = place(object, "numbers");
    let data = object.section_by_index(section).unwrap().data().unwrap();
    let word = |entry: &[u8]| u64::from_le_bytes(entry.try_into().unwrap());
    let mut numbers = data[start..].chunks_exact(8).map(word);
    let mut measured = || {
        let [size, class, sign, pointee] = numbers.by_ref().take(NUMBERS).collect::<Vec<_>>().try_into().unwrap();
        Measured { size, class, sign, pointee }
    };
    let one = |(index, (function, _)): (usize, &(&Prototype, Vec<bool>))| {
        let parameters = function.parameters.iter().map(|_| measured()).collect();
        Compiled { symbol: symbols.get(&index).cloned(), result: measured(), parameters }
    };
    functions.iter().enumerate().map(one).collect()
}

/// The undefined symbols that the pointers of a table refer to, by index.
fn symbols_in(object: &object::File, table: &str) -> BTreeMap<usize, String> {
    let (section, start) = place(object, table);
    let width = if object.is_64() { 8 } else { 4 };
    let mut found = BTreeMap::new();
    for (offset, relocation) in object.section_by_index(section).unwrap().relocations() {
        let object::RelocationTarget::Symbol(index) = relocation.target() else { continue };
        let symbol = object.symbol_by_index(index).unwrap();
        let Some(offset) = usize::try_from(offset).unwrap().checked_sub(start) else { continue };
        if symbol.is_undefined() {
            found.insert(offset / width, symbol.name().unwrap().to_owned());
        }
    }
    found
}

/// The section of a symbol, and where it is in there.
fn place(object: &object::File, name: &str) -> (object::SectionIndex, usize) {
    let symbol = object.symbols().find(|symbol| symbol.name().is_ok_and(|own| own.trim_start_matches('_') == name));
    let symbol = symbol.unwrap_or_else(|| panic!("{name} is in the object file"));
    let section = symbol.section_index().unwrap();
    let base = object.section_by_index(section).unwrap().address();
    (section, usize::try_from(symbol.address() - base).unwrap())
}

/// Reads a line such as `/* /usr/include/zlib.h:220:NC */ extern const char *zlibVersion (void);`.
fn prototype(line: &str) -> Option<Prototype> {
    let (place, rest) = line.strip_prefix("/* ")?.split_once(" */ ")?;
    let mut place = place.rsplitn(3, ':');
    // The last part is of two letters: `O` for a list without types, `F` for a body.
    let (kind, number, file) = (place.next()?, place.next()?, place.next()?);
    let (declaration, _) = rest.split_once(';')?;
    let (internal, declaration) = match declaration.split_once(' ')? {
        ("static", rest) => (true, rest),
        ("extern", rest) => (false, rest),
        _ => return None,
    };
    let internal = internal || kind.ends_with('F');
    let open = declaration.find(|c: char| c == '(')?;
    // `void (*signal (int, void (*)(int)))(int)` gives a function back: the name stands before the inner list.
    if declaration[open..].starts_with("(*") {
        return returning_function(declaration, file, number, internal);
    }
    let head = declaration[..open].trim_end();
    let name = head.rsplit(|c| !is_word(c)).next()?.to_owned();
    let result = head[..head.len() - name.len()].trim().to_owned();
    let list = declaration[open + 1..].strip_suffix(')')?;
    finish(name, file, number, result, list, internal)
}

/// `void (*signal (int, void (*)(int)))(int)`
fn returning_function(declaration: &str, file: &str, number: &str, internal: bool) -> Option<Prototype> {
    let start = declaration.find("(*")? + 2;
    let name_end = start + declaration[start..].find(" (")?;
    let list_end = name_end + 1 + closing(&declaration[name_end + 1..])?;
    let name = declaration[start..name_end].trim().to_owned();
    let result = format!("{}{}", &declaration[..start], &declaration[list_end + 1..]);
    finish(name, file, number, result, &declaration[name_end + 2..list_end], internal)
}

fn finish(name: String, file: &str, number: &str, result: String, list: &str, internal: bool) -> Option<Prototype> {
    let mut parameters = split(list);
    let variadic = parameters.last().is_some_and(|last| last == "...");
    if variadic {
        parameters.pop();
    }
    // `()` says nothing of the parameters.
    if parameters == ["void"] || parameters == ["/* ??? */"] {
        parameters.clear();
    }
    let line = number.parse().ok()?;
    Some(Prototype { name, file: file.into(), line, result, parameters, variadic, internal })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Where the bracket at the start is closed.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_i32;
    text.char_indices().find_map(|(at, c)| {
        open += i32::from(c == '(') - i32::from(c == ')');
        (open == 0).then_some(at)
    })
}

/// Splits a list at its own commas.
fn split(list: &str) -> Vec<String> {
    let mut open = 0_i32;
    let at_comma = |c: char| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open == 0 && c == ','
    };
    // GCC's own name for what a `va_list` is behind cannot be written.
    let spelled = |part: &str| part.trim().replace("__va_list_tag *", "void *");
    list.split(at_comma).map(spelled).filter(|part| !part.is_empty()).collect()
}
