//! What the thunk guarantees whatever it calls; that arguments and results arrive is tested in `agreement.rs`.

use bridge32_protocol::interface::{
    Array, Convention, Field, Integer, Interface, Scalar, Structure, StructureKind, Type, Width,
};
use bridge32_protocol::wire::Dialect;

use super::*;
use crate::abi::dump::{Callee, callee};
use crate::abi::plan::Plan;
use crate::layout::{HOST, Layouts};

const BYTE: Type = Type::Scalar(Scalar::Integer(Integer { width: Width::W8, signed: false }));

/// A structure of so many bytes, as the only parameter.
fn plan(bytes: u32) -> Plan {
    let ty = Type::Array(Box::new(Array { of: BYTE, count: bytes, text: None }));
    let fields =
        vec![Field { name: "all".into(), ty, bits: None, align: None, sensitive: false, description: String::new() }];
    let (kind, description) = (StructureKind::Struct, String::new());
    let structure = Structure { kind, fields, pack: None, packed: false, align: None, description };
    let interface = Interface { structures: [("s".to_owned(), structure)].into(), ..Interface::default() };
    let layouts = Layouts::new(&interface, HOST, Dialect::Gnu);
    Plan::new(&[&Type::Structure("s".into())], 1, false, &Type::Void, Convention::Cdecl, &layouts).unwrap()
}

#[expect(unsafe_code, reason = "calls the function that writes everything down")]
fn called(plan: &Plan, block: &[u8], kind: ResultKind) -> Returned {
    let mut frame = Frame::default();
    plan.place(block, block.as_ptr().addr(), 0, &mut frame);
    // SAFETY: the function minds no arguments.
    unsafe { call(callee as *const c_void, &frame, kind) }
}

#[test]
fn arguments_of_many_pages_reach_the_function_on_a_stack_that_has_never_been_that_deep() {
    let plan = plan(60_000);
    let block: Vec<u8> = (0..plan.slots_bytes()).map(|at| at.to_le_bytes()[0]).collect();
    let callee = Callee::lock();
    callee.expect(|dump| dump.wanted = 1024);
    assert_eq!(called(&plan, &block, ResultKind::Integer).removed, 0);
    let sp = callee.dump().sp;
    assert_eq!((sp + size_of::<usize>()) % 16, 0);
}

#[cfg(target_arch = "x86")]
#[test]
fn a_function_that_removes_what_it_should_not_is_found_out_and_does_no_harm() {
    let plan = plan(12);
    let callee = Callee::lock();
    for remove in [4, 12, 40] {
        callee.expect(|dump| dump.remove = remove);
        let returned = called(&plan, &[0; 16], ResultKind::Integer);
        assert_eq!(returned.removed, remove.cast_signed());
    }
}

#[cfg(target_arch = "x86")]
#[test]
fn results_that_nobody_takes_from_the_x87_do_not_fill_it() {
    let plan = plan(4);
    let callee = Callee::lock();
    for _ in 0..20 {
        callee.expect(|dump| {
            dump.kind = ResultKind::Double as usize;
            dump.vector_result[0] = 2.5f64.to_bits();
        });
        called(&plan, &[0; 8], ResultKind::Integer);
        assert_eq!(called(&plan, &[0; 8], ResultKind::Double).vector[0], 2.5f64.to_bits());
    }
}
