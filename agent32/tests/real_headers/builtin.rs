//! The types of Windows that are known without a header, against the compilers that have one.

use agent32::layout::Layouts;
use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::{Interface, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

use crate::compare::{difference, pointee_bytes};
use crate::compiler::{Compiler, Measured, measure};
use crate::{WINDOWS, includes};

/// Where the names are: every word in them is tried.
const NAMES: [&str; 2] =
    [include_str!("../../../interface/src/builtin.rs"), include_str!("../../../interface/src/windows.h")];

/// Names that several compilers, or several versions of one, mean different things by, and why ours is right.
const OTHERWISE: &[(&str, &str)] = &[
    ("time_t", "it has 64 bits unless _USE_32BIT_TIME_T is defined, which MinGW does for 32 bits"),
    ("FILE", "its members are nobody's business"),
    ("fpos_t", "its members are nobody's business"),
    ("SYSTEM_POWER_STATUS.SystemStatusFlag", "Windows 10 has given this name to what MinGW still has as Reserved1"),
];

#[test]
#[cfg_attr(windows, ignore = "it asks the compilers of a Linux machine, which Wine cannot start")]
fn types_that_are_built_in_are_those_of_the_compilers() {
    for (target, compiler) in [(Target::Win32, "i686-w64-mingw32-gcc"), (Target::Win64, "x86_64-w64-mingw32-gcc")] {
        let includes = includes(WINDOWS);
        let compiler = Compiler { command: &[compiler], includes: &includes };
        let known = known(target, &compiler);
        println!("{:7} {} types that are built in", target.name(), known.len());
        assert!(known.len() > 500, "only {} types are compared", known.len());
        let wrong = compare(target, &compiler, &known);
        assert!(wrong.is_empty(), "{target}: {} types differ:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// The names that are types for both.
fn known(target: Target, compiler: &Compiler) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut names: Vec<&str> = NAMES.iter().flat_map(|text| text.split(|c| !word(c))).collect();
    names.retain(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() > 2);
    names.retain(|name| OTHERWISE.iter().all(|(other, _)| other != name));
    names.sort_unstable();
    names.dedup();
    let declared = interface(target, &names);
    // Read here, a name that is no type leaves no function, or one whose result is not known.
    let is_type = |name: &&str| {
        let function = declared.function(&format!("get_{name}"));
        function.is_some_and(|(_, function)| !matches!(function.result, Type::Unsupported { .. }))
    };
    let names: Vec<&str> = names.into_iter().filter(is_type).collect();
    let lines: Vec<String> = names.iter().map(|name| format!("typedef {name} own_{name};")).collect();
    let accepted = compiler.accepts(&lines);
    names.iter().zip(accepted).filter(|(_, accepted)| *accepted).map(|(name, _)| (*name).to_owned()).collect()
}

/// An interface with a function for each name that returns it, and one that takes its address.
fn interface(target: Target, names: &[impl AsRef<str>]) -> Interface {
    let line = |name: &str| format!("{name} get_{name}(void);\nvoid take_{name}(const {name} *p);\n");
    let text: String = names.iter().map(|name| line(name.as_ref())).collect::<Vec<_>>().concat();
    read(&[Source { name: "names.h", text: text.as_bytes() }], &Options::new(target)).interface
}

/// The types that differ.
fn compare(target: Target, compiler: &Compiler, names: &[String]) -> Vec<String> {
    let interface = interface(target, names);
    let layouts = Layouts::new(&interface, target, Dialect::Gnu);
    let mut wrong = Vec::new();
    let mut expressions = Vec::new();
    let mut expected = Vec::new();
    for name in names {
        let ty = &interface.function(&format!("get_{name}")).unwrap().1.result;
        let points = pointee_bytes(ty, &layouts).is_some();
        expressions.push(measure(name, points).trim_end().trim_end_matches(',').to_owned());
        if let Type::Structure(id) = ty {
            let Ok(layout) = layouts.structure(id) else { continue };
            for (field, place) in interface.structures[id].fields.iter().zip(&layout.places) {
                let member = format!("{name}.{}", field.name);
                let otherwise = OTHERWISE.iter().any(|(other, _)| *other == member);
                if !field.name.is_empty() && field.bits.is_none() && !otherwise {
                    expressions.push(format!("__builtin_offsetof({name}, {})", field.name));
                    expected.push((member, place.offset as u64));
                }
            }
        }
    }
    let mut numbers = compiler.numbers(&expressions).into_iter();
    let mut expected = expected.into_iter().peekable();
    for name in names {
        let ty = &interface.function(&format!("get_{name}")).unwrap().1.result;
        let [size, class, sign, pointee] = numbers.by_ref().take(4).collect::<Vec<_>>().try_into().unwrap();
        let measured = Measured { size, class, sign, pointee };
        wrong.extend(difference(ty, measured, &layouts).map(|text| format!("{name}: {text}")));
        while let Some((member, offset)) = expected.next_if(|(member, _)| member.starts_with(&format!("{name}."))) {
            let actual = numbers.next().unwrap();
            if actual != offset {
                wrong.push(format!("{member} is at {offset}, and for the compiler at {actual}"));
            }
        }
    }
    wrong
}
