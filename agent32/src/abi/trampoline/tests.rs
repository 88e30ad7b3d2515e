//! What is special about trampolines; that arguments and results arrive is tested in `agreement.rs` and `compilers.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use bridge32_protocol::interface::{Integer, Interface, Scalar, Width};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

use super::*;
use crate::abi::random::parameter;

const INT: Type = Type::Scalar(Scalar::Integer(Integer { width: Width::W32, signed: true }));

fn layouts(target: Target) -> Layouts {
    Layouts::new(&Interface::default(), target, Dialect::Gnu)
}

fn compare() -> Signature {
    let parameters = vec![parameter(0, INT), parameter(1, INT)];
    Signature { convention: None, parameters, result: INT }
}

fn number(bytes: &[u8]) -> i32 {
    i32::from_le_bytes(bytes.try_into().unwrap())
}

#[expect(unsafe_code, reason = "calls the function pointer")]
fn call(trampoline: &Trampoline, first: i32, second: i32) -> i32 {
    let pointer = ptr::with_exposed_provenance::<c_void>(trampoline.address());
    // SAFETY: the trampoline has this signature.
    let function = unsafe { std::mem::transmute::<*const c_void, extern "C" fn(i32, i32) -> i32>(pointer) };
    function(first, second)
}

#[test]
fn a_function_pointer_calls_its_own_handler_from_any_thread() {
    let make = |factor: i32| {
        let slots = [0..4, 8..12];
        let handler: Handler = Box::new(move |arguments, result| {
            let value = number(&arguments[slots[0].clone()]) - factor * number(&arguments[slots[1].clone()]);
            result.copy_from_slice(&value.to_le_bytes());
        });
        Trampoline::new(&compare(), &layouts(HOST), handler).unwrap()
    };
    let (once, twice) = (Arc::new(make(1)), make(2));
    assert_eq!(once.slots(), [0..4, 8..12]);
    assert_ne!(once.address(), twice.address());
    let shared = Arc::clone(&once);
    let elsewhere = std::thread::spawn(move || call(&shared, 5, 7)).join().unwrap();
    assert_eq!((elsewhere, call(&once, 1, -1), call(&twice, 1, 3)), (-2, 2, -5));
}

#[test]
fn a_handler_can_be_called_from_within_itself() {
    static ADDRESS: std::sync::OnceLock<Trampoline> = std::sync::OnceLock::new();
    static DEPTH: AtomicI32 = AtomicI32::new(0);
    let handler: Handler = Box::new(|arguments, result| {
        let left = number(&arguments[..4]);
        DEPTH.fetch_max(10 - left, Ordering::Relaxed);
        let below = if left == 0 { 0 } else { call(ADDRESS.get().unwrap(), left - 1, 0) };
        result.copy_from_slice(&(below + left).to_le_bytes());
    });
    let trampoline = ADDRESS.get_or_init(|| Trampoline::new(&compare(), &layouts(HOST), handler).unwrap());
    assert_eq!((call(trampoline, 10, 0), DEPTH.load(Ordering::Relaxed)), (55, 10));
}

#[test]
fn what_cannot_be_a_callback_is_refused() {
    let why =
        |signature: &Signature, target| Trampoline::new(signature, &layouts(target), Box::new(|_, _| ())).unwrap_err();
    let other = Target::ALL.into_iter().find(|target| *target != HOST).unwrap();
    assert!(why(&compare(), other).contains("cannot be made in a"));
    let unknown = Signature { result: Type::Structure("gone".into()), ..compare() };
    assert!(why(&unknown, HOST).contains("`gone` are not known"));
}
