//! The thunk and trampolines against what the C compilers themselves make of random signatures: C functions that write
//! down what they get, and C functions that call a pointer.
//!
//! The compilers' machine code is copied into memory and run there. It needs nothing: the memory that it writes to is at
//! a fixed address. So a 32-bit process on Linux runs MinGW's code for i386 Windows, too, whose conventions are the same
//! to the processor. What Visual C++ does otherwise stands in `plan/tests.rs`.

use std::ffi::c_void;
use std::fmt::Write as _;
use std::process::Command;
use std::ptr;
use std::sync::{Arc, Mutex};

use bridge32_protocol::interface::{Convention, Interface, Scalar, Signature, Structure, StructureKind, Type, Width};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use super::frame::Frame;
use super::plan::Plan;
use super::random::{Block, Random, conventions, without_padding};
use super::thunk;
use super::trampoline::Trampoline;
use crate::layout::{HOST, Layouts};

/// Signatures for each convention.
const SIGNATURES: usize = 200;

/// Where functions find their world: arguments, result, and the pointer to call.
const WORLD: usize = 0x2000_0000;
const RESULT: usize = 4096;
const POINTER: usize = 8192;
const WORLD_BYTES: usize = 12288;

#[cfg(target_pointer_width = "32")]
#[test]
fn functions_of_gcc_get_what_the_thunk_sends() {
    compare(Target::Linux32, &["gcc", "-m32", "-fno-pic"], 1);
}

#[cfg(target_pointer_width = "32")]
#[test]
fn functions_of_mingw_get_what_the_thunk_sends() {
    compare(Target::Win32, &["i686-w64-mingw32-gcc"], 2);
}

#[cfg(target_pointer_width = "64")]
#[test]
fn functions_of_gcc_get_what_the_thunk_sends() {
    compare(Target::Linux64, &["gcc", "-m64", "-fno-pic"], 3);
}

fn compare(target: Target, compiler: &[&str], seed: u64) {
    let mut random = Random(seed);
    let interface = random.interface(true);
    let layouts = Layouts::new(&interface, target, Dialect::Gnu);
    let cases: Vec<Case> = conventions()
        .iter()
        .flat_map(|&convention| (0..SIGNATURES).map(move |_| convention))
        .map(|convention| Case::random(&mut random, convention, &interface, &layouts))
        .collect();
    let mut text = String::from("typedef void *P;\n");
    for index in 0..interface.structures.len() {
        let name = format!("s{index}");
        structure(&name, &interface.structures[&name], &mut text);
    }
    cases.iter().enumerate().for_each(|(index, case)| case.c(index, &mut text));
    let code = Code::compile(compiler, &text);
    let _world = world();
    for (index, case) in cases.iter().enumerate() {
        case.call(code.address(&format!("f{index}")), &interface, &layouts);
        if target == HOST && case.fixed.is_none() {
            case.be_called(code.address(&format!("g{index}")), &interface, &layouts);
        }
    }
}

/// A signature with values.
struct Case {
    signature: Signature,
    /// Parameters before `...`.
    fixed: Option<usize>,
    plan: Plan,
    block: Box<Block>,
    result: Vec<u8>,
}

impl Case {
    fn random(random: &mut Random, convention: Convention, interface: &Interface, layouts: &Layouts) -> Self {
        let signature = random.signature(convention, layouts);
        let count = signature.parameters.len();
        let variadic = count > 0 && random.below(5) == 0;
        let fixed = variadic.then(|| 1 + usize::try_from(random.below(count as u64)).unwrap());
        let types: Vec<&Type> = signature.parameters.iter().map(|parameter| &parameter.ty).collect();
        let plan = Plan::new(&types, fixed.unwrap_or(count), variadic, &signature.result, convention, layouts).unwrap();
        let block = random.arguments(&signature, plan.slots(), interface, layouts);
        let result = random.value(&signature.result, interface, layouts);
        Self { signature, fixed, plan, block, result }
    }

    /// The function that writes its arguments down, and the one that calls a pointer with them.
    fn c(&self, index: usize, text: &mut String) {
        let Self { signature, fixed, plan, .. } = self;
        let attribute = match signature.convention.unwrap() {
            _ if HOST.pointer_bytes() == 8 => "",
            Convention::Cdecl => "__attribute__((cdecl))",
            Convention::Stdcall => "__attribute__((stdcall))",
            Convention::Fastcall => "__attribute__((fastcall))",
            Convention::Thiscall => "__attribute__((thiscall))",
        };
        let result = spelling(&signature.result);
        let types: Vec<&str> = signature.parameters.iter().map(|parameter| spelling(&parameter.ty)).collect();
        let named = fixed.unwrap_or(types.len());
        let mut list: Vec<String> = (0..named).map(|n| format!("{} a{n}", types[n])).collect();
        list.extend(fixed.map(|_| "...".to_owned()));
        let list = if list.is_empty() { "void".to_owned() } else { list.join(", ") };
        writeln!(text, "{attribute} {result} f{index}({list}) {{").unwrap();
        if fixed.is_some() {
            writeln!(text, "__builtin_va_list l; __builtin_va_start(l, a{});", named - 1).unwrap();
        }
        for (n, parameter) in signature.parameters.iter().enumerate().skip(named) {
            writeln!(text, "{} a{n} = __builtin_va_arg(l, {});", types[n], promoted(&parameter.ty)).unwrap();
        }
        for (n, slot) in plan.slots().iter().enumerate() {
            writeln!(text, "__builtin_memcpy((char*){WORLD} + {}, &a{n}, sizeof a{n});", slot.start).unwrap();
        }
        if signature.result != Type::Void {
            writeln!(text, "{result} r; __builtin_memcpy(&r, (char*){WORLD} + {RESULT}, sizeof r); return r;").unwrap();
        }
        text.push_str("}\n");
        if fixed.is_some() {
            return;
        }
        writeln!(text, "void g{index}(void) {{").unwrap();
        for (n, slot) in plan.slots().iter().enumerate() {
            writeln!(text, "{} a{n}; __builtin_memcpy(&a{n}, (char*){WORLD} + {}, sizeof a{n});", types[n], slot.start)
                .unwrap();
        }
        let values: Vec<String> = (0..types.len()).map(|n| format!("a{n}")).collect();
        let pointer = format!("(*({result} (*{attribute}*)({list}))((char*){WORLD} + {POINTER}))");
        let call = format!("{pointer}({})", values.join(", "));
        match signature.result {
            Type::Void => writeln!(text, "{call};\n}}"),
            _ => writeln!(text, "{result} r = {call}; __builtin_memcpy((char*){WORLD} + {RESULT}, &r, sizeof r);\n}}"),
        }
        .unwrap();
    }

    /// Calls the compilers' function through the thunk.
    #[expect(unsafe_code, reason = "calls through the thunk, and memory at a fixed address")]
    fn call(&self, function: *const c_void, interface: &Interface, layouts: &Layouts) {
        let Self { signature, plan, .. } = self;
        write(RESULT, &self.result);
        let mut frame = Frame::default();
        let mut memory = Block([0; 2048]);
        let block = &self.block.0[..plan.slots_bytes()];
        plan.place(block, block.as_ptr().addr(), memory.0.as_mut_ptr().expose_provenance(), &mut frame);
        // SAFETY: the function has this signature.
        let returned = unsafe { thunk::call(function, &frame, plan.result_kind()) };
        self.check_arguments(&read(0, plan.slots_bytes()), interface, layouts);
        assert_eq!(returned.removed, plan.removed_bytes().cast_signed(), "removed by {signature:?}");
        let mut got = memory.0[..plan.result_bytes()].to_vec();
        if !plan.result_in_memory() {
            plan.take_result(&returned, &mut got);
        }
        let got = without_padding(&got, &signature.result, interface, layouts);
        assert_eq!(got, self.result, "the result of {signature:?}");
    }

    /// Lets the compilers' function call a trampoline.
    #[expect(unsafe_code, reason = "calls a function in machine code")]
    fn be_called(&self, function: *const c_void, interface: &Interface, layouts: &Layouts) {
        let received = Arc::new(Mutex::new(Vec::new()));
        let (inside, answer) = (Arc::clone(&received), self.result.clone());
        let handler = Box::new(move |got: &[u8], result: &mut [u8]| {
            *inside.lock().unwrap() = got.to_vec();
            result.copy_from_slice(&answer);
        });
        let trampoline = Trampoline::new(&self.signature, layouts, handler).unwrap();
        write(0, &self.block.0[..self.plan.slots_bytes()]);
        write(RESULT, &vec![0; self.result.len()]);
        write(POINTER, &trampoline.address().to_le_bytes());
        // SAFETY: it is a C function that takes and returns nothing.
        let function = unsafe { std::mem::transmute::<*const c_void, unsafe extern "C" fn()>(function) };
        // SAFETY: it calls the trampoline, which has the signature that it was compiled for.
        unsafe { function() };
        self.check_arguments(&received.lock().unwrap(), interface, layouts);
        let got = without_padding(&read(RESULT, self.result.len()), &self.signature.result, interface, layouts);
        assert_eq!(got, self.result, "what a trampoline answers: {:?}", self.signature);
    }

    fn check_arguments(&self, got: &[u8], interface: &Interface, layouts: &Layouts) {
        for (slot, parameter) in self.plan.slots().iter().zip(&self.signature.parameters) {
            let got = without_padding(&got[slot.clone()], &parameter.ty, interface, layouts);
            let sent = &self.block.0[slot.clone()];
            assert_eq!(got, sent, "`{}` of {:?}, fixed {:?}", parameter.name, self.signature, self.fixed);
        }
    }
}

fn structure(name: &str, structure: &Structure, text: &mut String) {
    let keyword = if structure.kind == StructureKind::Union { "union" } else { "struct" };
    writeln!(text, "typedef {keyword} {{").unwrap();
    for field in &structure.fields {
        match &field.ty {
            Type::Array(array) => writeln!(text, "{} {}[{}];", spelling(&array.of), field.name, array.count),
            other => writeln!(text, "{} {};", spelling(other), field.name),
        }
        .unwrap();
    }
    writeln!(text, "}} {name};").unwrap();
}

fn spelling(ty: &Type) -> &str {
    match ty {
        Type::Void => "void",
        Type::Scalar(Scalar::Float) => "float",
        Type::Scalar(Scalar::Double) => "double",
        Type::Scalar(Scalar::Boolean(_)) => "_Bool",
        Type::Scalar(Scalar::Enumeration(_)) => "int",
        Type::Scalar(Scalar::Integer(integer)) => match (integer.width, integer.signed) {
            (Width::W8, true) => "signed char",
            (Width::W8, false) => "unsigned char",
            (Width::W16, true) => "short",
            (Width::W16, false) => "unsigned short",
            (Width::W32, true) => "int",
            (Width::W32, false) => "unsigned",
            (Width::W64, true) => "long long",
            (Width::W64, false) => "unsigned long long",
            (Width::Long, true) => "long",
            (Width::Long, false) => "unsigned long",
            (Width::Pointer, true) => "__PTRDIFF_TYPE__",
            (Width::Pointer, false) => "__SIZE_TYPE__",
            (Width::Wchar, _) => "__WCHAR_TYPE__",
        },
        Type::Structure(name) => name,
        _ => "P",
    }
}

/// What C makes of a type after `...`.
fn promoted(ty: &Type) -> &str {
    match spelling(ty) {
        "float" => "double",
        "signed char" | "unsigned char" | "short" | "unsigned short" | "_Bool" => "int",
        other => other,
    }
}

/// Machine code in memory.
struct Code {
    start: *const c_void,
    functions: std::collections::BTreeMap<String, usize>,
}

impl Code {
    /// Compiles C text. A compiler that is missing fails the test.
    fn compile(compiler: &[&str], text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (source, object) = (folder.path().join("functions.c"), folder.path().join("functions.o"));
        std::fs::write(&source, text).unwrap();
        let output = Command::new(compiler[0])
            .args(&compiler[1..])
            .args(["-std=gnu11", "-O1", "-w", "-ffreestanding", "-fno-stack-protector", "-minline-all-stringops"])
            .args(["-mno-red-zone", "-c", "-o"])
            .arg(&object)
            .arg(&source)
            .output()
            .unwrap_or_else(|error| panic!("the C compiler {} is needed: {error}", compiler[0]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bytes = std::fs::read(object).unwrap();
        let file = object::File::parse(bytes.as_slice()).unwrap();
        let section = file.section_by_name(".text").unwrap();
        assert!(section.relocations().next().is_none(), "the code needs something");
        // i386 Windows decorates names: `_f1`, `_f1@8`, `@f1@8`.
        let plain = |name: &str| name.trim_start_matches(['_', '@']).split('@').next().unwrap().to_owned();
        let functions = file
            .symbols()
            .filter(|symbol| symbol.section_index() == Some(section.index()))
            .filter_map(|symbol| Some((plain(symbol.name().ok()?), usize::try_from(symbol.address()).ok()?)))
            .collect();
        Self { start: map_code(section.data().unwrap()), functions }
    }

    fn address(&self, function: &str) -> *const c_void {
        self.start.wrapping_byte_add(self.functions[function])
    }
}

#[expect(unsafe_code, reason = "memory is asked for in C")]
fn map(at: usize, bytes: usize, protection: i32, flags: i32) -> *mut c_void {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags;
    let at = ptr::with_exposed_provenance_mut(at);
    // SAFETY: new memory, which replaces none.
    let memory = unsafe { libc::mmap(at, bytes, protection, flags, -1, 0) };
    assert_ne!(memory, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    memory
}

/// Copies code into executable memory, where it stays.
#[expect(unsafe_code, reason = "memory is written through a pointer")]
fn map_code(code: &[u8]) -> *const c_void {
    let memory = map(0, code.len(), libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC, 0);
    // SAFETY: the memory is that large, and nobody else knows it.
    unsafe { ptr::copy_nonoverlapping(code.as_ptr(), memory.cast(), code.len()) };
    memory
}

/// Makes the world; there is one at a time.
fn world() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    static MAPPED: std::sync::Once = std::sync::Once::new();
    let guard = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    MAPPED.call_once(|| {
        let fixed = libc::MAP_FIXED_NOREPLACE;
        let at = map(WORLD, WORLD_BYTES, libc::PROT_READ | libc::PROT_WRITE, fixed);
        assert_eq!(at.expose_provenance(), WORLD);
    });
    guard
}

#[expect(unsafe_code, reason = "memory at a fixed address")]
fn write(offset: usize, bytes: &[u8]) {
    let to = ptr::with_exposed_provenance_mut(WORLD + offset);
    // SAFETY: within the world, whose lock the test holds.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}

#[expect(unsafe_code, reason = "memory at a fixed address")]
fn read(offset: usize, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    let from = ptr::with_exposed_provenance::<u8>(WORLD + offset);
    // SAFETY: as above.
    unsafe { ptr::copy_nonoverlapping(from, read.as_mut_ptr(), bytes) };
    read
}
