//! The thunk against libffi: for thousands of random signatures both must hand over the same arguments at the same
//! places, and take the same result. libffi gets the types as it knows them; nothing here is from the plan but where to
//! look.
//!
//! What libffi does otherwise than compilers is left out (and checked in `plan/tests.rs` against what GCC, MinGW and
//! clang do): unions; under fastcall and thiscall structures of at most 4 bytes or of one floating-point number, which
//! libffi lets use up both registers; MinGW's returning of structures by machine mode; Visual C++'s fastcall.

use std::ffi::c_void;
use std::sync::{Arc, Mutex};

use bridge32_protocol::interface::{Convention, Interface, Scalar, Signature, Type};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;
use libffi_sys::{
    ffi_abi, ffi_call, ffi_cif, ffi_prep_cif, ffi_prep_cif_var, ffi_status_FFI_OK, ffi_type, ffi_type_double,
    ffi_type_enum_STRUCT, ffi_type_float, ffi_type_pointer, ffi_type_sint8, ffi_type_sint16, ffi_type_sint32,
    ffi_type_sint64, ffi_type_uint8, ffi_type_uint16, ffi_type_uint32, ffi_type_uint64, ffi_type_void,
};

use super::dump::{Callee, Dump, callee};
use super::frame::Frame;
use super::plan::{Home, Plan};
use super::random::{Block, Random, SIGNATURES, conventions, without_padding};
use super::thunk::{self, ResultKind};
use super::trampoline::Trampoline;
use crate::layout::{HOST, Layouts, Mode};

/// libffi's types for an interface's, alive as long as this.
struct Natural<'a> {
    interface: &'a Interface,
    structures: Vec<(Box<ffi_type>, Vec<*mut ffi_type>)>,
}

impl Natural<'_> {
    fn of(&mut self, ty: &Type) -> *mut ffi_type {
        match ty {
            Type::Void => &raw mut ffi_type_void,
            Type::Scalar(Scalar::Float) => &raw mut ffi_type_float,
            Type::Scalar(Scalar::Double) => &raw mut ffi_type_double,
            Type::Scalar(Scalar::Integer(integer)) => match (integer.width.bytes(HOST), integer.signed) {
                (1, true) => &raw mut ffi_type_sint8,
                (2, true) => &raw mut ffi_type_sint16,
                (4, true) => &raw mut ffi_type_sint32,
                (_, true) => &raw mut ffi_type_sint64,
                (1, false) => &raw mut ffi_type_uint8,
                (2, false) => &raw mut ffi_type_uint16,
                (4, false) => &raw mut ffi_type_uint32,
                (_, false) => &raw mut ffi_type_uint64,
            },
            Type::Scalar(_) => &raw mut ffi_type_uint8,
            Type::Structure(name) => {
                let mut members = Vec::new();
                for field in &self.interface.structures[name].fields {
                    match &field.ty {
                        Type::Array(array) => members.extend((0..array.count).map(|_| self.of(&array.of))),
                        other => members.push(self.of(other)),
                    }
                }
                members.push(std::ptr::null_mut());
                let elements = members.as_mut_ptr();
                let mut own = Box::new(ffi_type { size: 0, alignment: 0, type_: ffi_type_enum_STRUCT, elements });
                let pointer = &raw mut *own;
                self.structures.push((own, members));
                pointer
            }
            _ => &raw mut ffi_type_pointer,
        }
    }
}

#[cfg(target_arch = "x86")]
fn abi(convention: Convention) -> ffi_abi {
    match convention {
        Convention::Cdecl => libffi_sys::ffi_abi_FFI_DEFAULT_ABI,
        Convention::Stdcall => libffi_sys::ffi_abi_FFI_STDCALL,
        Convention::Fastcall => libffi_sys::ffi_abi_FFI_FASTCALL,
        Convention::Thiscall => libffi_sys::ffi_abi_FFI_THISCALL,
    }
}

#[cfg(not(target_arch = "x86"))]
fn abi(_: Convention) -> ffi_abi {
    libffi_sys::ffi_abi_FFI_DEFAULT_ABI
}

/// Calls `function` through libffi. `result` has room for 16 bytes at least.
#[expect(unsafe_code, reason = "libffi is C")]
fn call_natural(
    function: *const c_void,
    signature: &Signature,
    fixed: Option<usize>,
    interface: &Interface,
    arguments: &[*const u8],
    result: &mut [u8],
) {
    let mut natural = Natural { interface, structures: Vec::new() };
    let mut types: Vec<_> = signature.parameters.iter().map(|parameter| natural.of(&parameter.ty)).collect();
    let returned = natural.of(&signature.result);
    let (mut cif, abi) = (ffi_cif::default(), abi(signature.convention.unwrap()));
    let count = u32::try_from(types.len()).unwrap();
    let types = types.as_mut_ptr();
    let status = match fixed {
        // SAFETY: `types` has `count` types, and they live until the end of this function.
        None => unsafe { ffi_prep_cif(&raw mut cif, abi, count, returned, types) },
        Some(fixed) => {
            let fixed = u32::try_from(fixed).unwrap();
            // SAFETY: as above.
            unsafe { ffi_prep_cif_var(&raw mut cif, abi, fixed, count, returned, types) }
        }
    };
    assert_eq!(status, ffi_status_FFI_OK);
    // SAFETY: an address of a function, as a pointer to one.
    let function = unsafe { std::mem::transmute::<*const c_void, unsafe extern "C" fn()>(function) };
    let mut arguments: Vec<*mut c_void> = arguments.iter().map(|at| at.cast_mut().cast()).collect();
    // SAFETY: the function has this signature, or minds none; the arguments are values of its types.
    unsafe { ffi_call(&raw mut cif, Some(function), result.as_mut_ptr().cast(), arguments.as_mut_ptr()) };
}

/// Whether libffi means the same by a signature as the compilers do.
fn libffi_knows(signature: &Signature, layouts: &Layouts) -> bool {
    let in_registers = matches!(signature.convention, Some(Convention::Fastcall | Convention::Thiscall));
    let natural = |ty: &Type| {
        let small = layouts.of(ty).is_ok_and(|layout| layout.size <= 4);
        let structure = matches!(ty, Type::Structure(_));
        !structure || !small && !matches!(layouts.mode(ty), Mode::Float | Mode::Double)
    };
    let by_size = |ty: &Type| {
        let integer = layouts.of(ty).is_ok_and(|layout| matches!(layout.size, 1 | 2 | 4 | 8));
        !matches!(ty, Type::Structure(_)) || integer == (layouts.mode(ty) == Mode::Integer)
    };
    let mut types = signature.parameters.iter().map(|parameter| &parameter.ty);
    (HOST.pointer_bytes() == 8 || !in_registers || types.all(natural))
        && (HOST != Target::Win32 || layouts.dialect() == Dialect::Microsoft || by_size(&signature.result))
}

/// MinGW's fastcall is what libffi knows, and Visual C++'s way to return structures.
fn dialect(convention: Convention) -> Dialect {
    match convention {
        Convention::Cdecl | Convention::Stdcall => Dialect::Microsoft,
        Convention::Fastcall | Convention::Thiscall => Dialect::Gnu,
    }
}

/// A signature with a plan, arguments and what the function shall return.
struct Case {
    signature: Signature,
    /// Parameters before `...`.
    fixed: Option<usize>,
    plan: Plan,
    block: Box<Block>,
    expected: Dump,
}

impl Case {
    fn random(
        random: &mut Random,
        signature: Signature,
        fixed: Option<usize>,
        interface: &Interface,
        layouts: &Layouts,
    ) -> Self {
        let types: Vec<&Type> = signature.parameters.iter().map(|parameter| &parameter.ty).collect();
        let convention = signature.convention.unwrap();
        let variadic = fixed.is_some();
        let plan =
            Plan::new(&types, fixed.unwrap_or(types.len()), variadic, &signature.result, convention, layouts).unwrap();
        let block = random.arguments(&signature, plan.slots(), interface, layouts);
        let callee = Callee::lock();
        callee.expect(|dump| {
            dump.wanted = plan.stack_bytes();
            dump.remove = plan.removed_bytes();
            dump.kind = if HOST.pointer_bytes() == 4 { plan.result_kind() as usize } else { 0 };
            dump.general_result = [random.next(), random.next()];
            dump.vector_result = match plan.result_kind() {
                ResultKind::Float => [u64::from(1.5f32.to_bits()); 2],
                _ => [2.5f64.to_bits(), 3.5f64.to_bits()],
            };
        });
        let expected = callee.dump();
        Self { signature, fixed, plan, block, expected }
    }

    fn arguments(&self) -> Vec<*const u8> {
        self.plan.slots().iter().map(|slot| self.block.0[slot.clone()].as_ptr()).collect()
    }

    fn ready(&self, callee: &Callee) {
        callee.expect(|dump| *dump = self.expected.clone());
    }

    #[expect(unsafe_code, reason = "calls through the thunk")]
    fn through_thunk(&self, function: *const c_void, result_at: usize) -> thunk::Returned {
        let mut frame = Frame::default();
        let block = &self.block.0[..self.plan.slots_bytes()];
        self.plan.place(block, block.as_ptr().addr(), result_at, &mut frame);
        // SAFETY: the function has this signature, or minds none.
        unsafe { thunk::call(function, &frame, self.plan.result_kind()) }
    }

    /// What arrived is what was sent, where the plan says.
    fn check(&self, dump: &Dump, result_at: usize, by: &str, interface: &Interface, layouts: &Layouts) {
        let (block, result, addresses) = dump.gathered(&self.plan);
        let signature = &self.signature;
        if !addresses {
            for (slot, parameter) in self.plan.slots().iter().zip(&signature.parameters) {
                let got = without_padding(&block[slot.clone()], &parameter.ty, interface, layouts);
                let sent = &self.block.0[slot.clone()];
                assert_eq!(got, sent, "{by}: `{}` of {signature:?}\n{:?}", parameter.name, self.plan);
            }
        }
        let wanted = self.plan.result_in_memory().then_some(result_at);
        assert_eq!(result, wanted, "{by}: the address for the result of {signature:?}");
        let return_address = size_of::<usize>();
        assert_eq!((dump.sp + return_address) % 16, 0, "{by}: the stack's alignment for {signature:?}");
    }
}

/// One call both ways.
fn compare(case: &Case, interface: &Interface, layouts: &Layouts) {
    let function = callee as *const c_void;
    let callee = Callee::lock();
    let mut memory = Block([0; 2048]);
    let result_at = memory.0.as_ptr().addr();

    case.ready(&callee);
    let returned = case.through_thunk(function, result_at);
    assert_eq!(returned.removed, case.plan.removed_bytes().cast_signed());
    let thunks = callee.dump();
    case.check(&thunks, result_at, "thunk", interface, layouts);
    if !libffi_knows(&case.signature, layouts) {
        return;
    }
    case.ready(&callee);
    let by_libffi = &mut memory.0;
    call_natural(function, &case.signature, case.fixed, interface, &case.arguments(), by_libffi);
    let libffis = callee.dump();
    case.check(&libffis, result_at, "libffi", interface, layouts);
    if HOST == Target::Linux64 && case.fixed.is_some() {
        assert_eq!(thunks.al & 0xff, libffis.al & 0xff, "vector registers of {:?}", case.signature);
    }
    let mut by_thunk = vec![0; case.plan.result_bytes()];
    case.plan.take_result(&returned, &mut by_thunk);
    if matches!(case.plan.home(), Home::Registers(_)) {
        let told = |bytes: &[u8]| without_padding(bytes, &case.signature.result, interface, layouts);
        assert_eq!(told(&by_thunk), told(&by_libffi[..by_thunk.len()]), "the result of {:?}", case.signature);
    }
}

#[test]
fn the_thunk_and_libffi_make_the_same_call() {
    let mut random = Random(32);
    let interface = random.interface(false);
    for &convention in conventions() {
        let layouts = Layouts::new(&interface, HOST, dialect(convention));
        for _ in 0..SIGNATURES {
            let signature = random.signature(convention, &layouts);
            compare(&Case::random(&mut random, signature, None, &interface, &layouts), &interface, &layouts);
        }
    }
}

#[test]
fn the_thunk_and_libffi_make_the_same_variadic_call() {
    let mut random = Random(33);
    let interface = random.interface(false);
    let layouts = Layouts::new(&interface, HOST, Dialect::Microsoft);
    // libffi takes only what C's promotions leave.
    let promoted = |ty: &Type| match ty {
        Type::Scalar(Scalar::Float) => false,
        Type::Scalar(_) => layouts.of(ty).is_ok_and(|layout| layout.size >= 4),
        _ => true,
    };
    for _ in 0..SIGNATURES {
        let mut signature = random.signature(Convention::Cdecl, &layouts);
        let fixed = usize::try_from(random.below(3)).unwrap().min(signature.parameters.len());
        let mut index = 0;
        signature.parameters.retain(|parameter| {
            index += 1;
            index <= fixed || promoted(&parameter.ty)
        });
        compare(&Case::random(&mut random, signature, Some(fixed), &interface, &layouts), &interface, &layouts);
    }
}

#[test]
fn what_is_sent_comes_out_of_a_trampoline_and_its_answer_comes_back() {
    let mut random = Random(34);
    for dialect in [Dialect::Gnu, Dialect::Microsoft] {
        let interface = random.interface(true);
        let layouts = Layouts::new(&interface, HOST, dialect);
        for &convention in conventions() {
            for _ in 0..SIGNATURES / 8 {
                let signature = random.signature(convention, &layouts);
                let case = Case::random(&mut random, signature, None, &interface, &layouts);
                answered(&case, &mut random, &layouts);
            }
        }
    }
}

/// Calls a trampoline through the thunk.
fn answered(case: &Case, random: &mut Random, layouts: &Layouts) {
    let (plan, block) = (case.plan.clone(), case.block.0);
    let mut answer = vec![0; plan.result_bytes()];
    match plan.result_kind() {
        ResultKind::Integer => random.fill(&mut answer),
        ResultKind::Float => answer.copy_from_slice(&7.25f32.to_le_bytes()),
        ResultKind::Double => answer[..8].copy_from_slice(&8.125f64.to_le_bytes()),
    }
    let told = answer.clone();
    let slots = plan.slots().to_vec();
    let described = format!("{:?}", case.signature);
    let handler = Box::new(move |got: &[u8], result: &mut [u8]| {
        for slot in &slots {
            assert_eq!(got[slot.clone()], block[slot.clone()], "{described}");
        }
        result.copy_from_slice(&told);
    });
    let trampoline = Trampoline::new(&case.signature, layouts, handler).unwrap();
    assert_eq!(trampoline.slots(), plan.slots());
    let memory = Block([0xaa; 2048]);
    let returned =
        case.through_thunk(std::ptr::with_exposed_provenance(trampoline.address()), memory.0.as_ptr().addr());
    assert_eq!(returned.removed, plan.removed_bytes().cast_signed(), "{:?}", case.signature);
    let mut got = memory.0[..plan.result_bytes()].to_vec();
    if plan.result_in_memory() {
        #[expect(clippy::cast_possible_truncation, reason = "an address")]
        let told = returned.general[0] as usize;
        assert_eq!(told, memory.0.as_ptr().addr(), "the address goes back, too: {:?}", case.signature);
    } else {
        plan.take_result(&returned, &mut got);
    }
    assert_eq!(got, answer, "{:?}", case.signature);
}

#[test]
fn libffi_itself_can_call_a_trampoline() {
    let mut random = Random(35);
    let interface = random.interface(false);
    for &convention in conventions() {
        let layouts = Layouts::new(&interface, HOST, dialect(convention));
        for _ in 0..SIGNATURES / 4 {
            let signature = random.signature(convention, &layouts);
            if !libffi_knows(&signature, &layouts) {
                continue;
            }
            let case = Case::random(&mut random, signature, None, &interface, &layouts);
            let (slots, block) = (case.plan.slots().to_vec(), case.block.0);
            let told = |bytes: &[u8], ty: &Type| without_padding(bytes, ty, &interface, &layouts);
            let received = Arc::new(Mutex::new(Vec::new()));
            let inside = Arc::clone(&received);
            let handler = Box::new(move |got: &[u8], result: &mut [u8]| {
                *inside.lock().unwrap() = got.to_vec();
                result.fill(0x11);
            });
            let trampoline = Trampoline::new(&case.signature, &layouts, handler).unwrap();
            let function = std::ptr::with_exposed_provenance(trampoline.address());
            let mut result = Block([0; 2048]);
            call_natural(function, &case.signature, None, &interface, &case.arguments(), &mut result.0);
            for (slot, parameter) in slots.iter().zip(&case.signature.parameters) {
                let got = told(&received.lock().unwrap()[slot.clone()], &parameter.ty);
                assert_eq!(got, block[slot.clone()], "`{}` of {:?}", parameter.name, case.signature);
            }
            let bytes = case.plan.result_bytes();
            let all = told(&vec![0x11; bytes], &case.signature.result);
            assert_eq!(told(&result.0[..bytes], &case.signature.result), all, "{:?}", case.signature);
        }
    }
}
