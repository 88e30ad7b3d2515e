//! Arguments and outcomes of whole functions, declared as a header would.

use std::sync::LazyLock;

use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::Interface;
use bridge32_protocol::wire::{Fault, FaultCode};
use proptest::prelude::*;

use super::arena::Arena;
use super::{Context, decode, encode};
use crate::abi::frame::Value;
use crate::layout::HOST;

fn interface(declaration: &str) -> Interface {
    let source = Source { name: "test.h", text: declaration.as_bytes() };
    let header = read(&[source], &Options::new(HOST));
    assert!(header.diagnostics.is_empty(), "{:?}", header.diagnostics);
    let function = &header.interface.functions[0];
    assert_eq!(function.unsupported, None);
    header.interface
}

/// Marshals `args` for the first function of `declaration`, lets `library` write into the memory of its pointer
/// parameters (by index), and tells the outcome.
fn played(declaration: &str, args: &str, library: impl Fn(usize, &mut [u8]), register: u64) -> Result<String, Fault> {
    marshalled(&interface(declaration), args, library, register)
}

fn marshalled(
    interface: &Interface,
    args: &str,
    library: impl Fn(usize, &mut [u8]),
    register: u64,
) -> Result<String, Fault> {
    let function = &interface.functions[0];
    let context = Context { interface, target: HOST };
    let mut arena = Arena::default();
    let prepared = decode::arguments(args, function, context, &mut arena)?;
    for (index, block) in prepared.blocks.iter().enumerate() {
        if let Some(block) = block {
            library(index, arena.bytes_mut(*block));
        }
    }
    let mut json = Vec::new();
    #[expect(unsafe_code, reason = "no test declares a function that returns text")]
    // SAFETY: the results of these functions are numbers.
    unsafe { encode::outcome(register, &prepared, function, context, &arena, &mut json) }?;
    Ok(String::from_utf8(json).unwrap())
}

fn refused(declaration: &str, args: &str) -> (String, String) {
    let fault = played(declaration, args, |_, _| {}, 0).unwrap_err();
    assert_eq!((fault.code, fault.ran), (FaultCode::ArgumentMismatch, false));
    (fault.pointer.unwrap(), fault.detail)
}

const CRC32: &str =
    "unsigned long crc32(unsigned long crc, _In_reads_bytes_(len) const unsigned char *buf, unsigned len);";
const COMPRESS: &str = "int compress2(_Out_writes_bytes_to_(*destLen, *destLen) unsigned char *dest, _Inout_ unsigned long *destLen, \
    _In_reads_bytes_(sourceLen) const unsigned char *source, unsigned long sourceLen, int level);";

fn values(declaration: &str, args: &str) -> Vec<Value> {
    let interface = interface(declaration);
    let context = Context { interface: &interface, target: HOST };
    decode::arguments(args, &interface.functions[0], context, &mut Arena::default()).unwrap().values
}

#[test]
fn a_length_that_is_left_out_is_taken_from_the_array() {
    let given = values(CRC32, r#"{"crc":0,"buf":"AQID","len":3}"#);
    let inferred = values(CRC32, r#"{"crc":0,"buf":"AQID"}"#);
    assert_eq!(given[2], Value::Word(3));
    assert_eq!(inferred[2], given[2]);
}

#[test]
fn a_length_beyond_the_array_is_refused_and_a_smaller_one_is_not() {
    let (pointer, detail) = refused(CRC32, r#"{"crc":0,"buf":"AQID","len":4}"#);
    assert_eq!(pointer, "/buf");
    assert!(detail.contains("`len`"), "{detail}");
    assert_eq!(values(CRC32, r#"{"crc":0,"buf":"AQID","len":2}"#)[2], Value::Word(2));
}

#[test]
fn an_output_buffer_comes_back_as_long_as_the_function_says() {
    let library = |index, bytes: &mut [u8]| match index {
        0 => bytes[..3].copy_from_slice(b"abc"),
        1 => bytes[0] = 3,
        _ => {}
    };
    let outcome = played(COMPRESS, r#"{"destLen":100,"source":"AQID","level":9}"#, library, 0).unwrap();
    assert_eq!(outcome, r#""result":0,"outputs":{"dest":"YWJj","destLen":3}"#);
    // A function that answers the size it would need has not written that much.
    let library = |index, bytes: &mut [u8]| {
        if index == 1 {
            bytes[..4].copy_from_slice(&1000u32.to_le_bytes());
        }
    };
    let outcome = played(COMPRESS, r#"{"destLen":2,"source":"","level":9}"#, library, 0).unwrap();
    assert_eq!(outcome, r#""result":0,"outputs":{"dest":"AAA=","destLen":1000}"#);
}

#[test]
fn every_wrong_argument_is_named() {
    for (args, pointer, says) in [
        (r#"{"crc":0}"#, "/buf", "missing"),
        (r#"{"buf":"AQID"}"#, "/crc", "missing"),
        (r#"{"crc":-1,"buf":"","len":0}"#, "/crc", "out of range"),
        (r#"{"crc":0,"buf":"A","len":0}"#, "/buf", "base64"),
        (r#"{"crc":0,"buf":"AQID=","len":0}"#, "/buf", "base64"),
        (r#"{"crc":0,"buf":"AQI?","len":0}"#, "/buf", "base64"),
        (r#"{"crc":0,"buf":[1,2],"len":0}"#, "/buf", "base64"),
        (r#"{"crc":0,"buf":null,"len":0}"#, "/buf", "null"),
        (r#"{"crc":0,"buf":"","len":0,"x~/y":1}"#, "/x~0~1y", "no parameter"),
        (r#"{"crc":0,"crc":1,"buf":""}"#, "/crc", "twice"),
        (r#"[0,"",0]"#, "", "not a JSON object"),
    ] {
        let (at, detail) = refused(CRC32, args);
        assert!(at == pointer && detail.contains(says), "{args}: {at} {detail}");
    }
    for (args, pointer) in [
        (r#"{"source":"","level":1}"#, "/destLen"),
        (r#"{"dest":"AA==","destLen":1,"source":"","level":1}"#, "/dest"),
        (r#"{"destLen":4294967295,"source":"","level":1}"#, "/destLen"),
        (r#"{"destLen":1,"source":"","level":"best"}"#, "/level"),
    ] {
        assert_eq!(refused(COMPRESS, args).0, pointer, "{args}");
    }
}

#[test]
fn arrays_scalars_and_text_go_both_ways() {
    let sort = "void sort(_Inout_updates_(n) int *values, int n);";
    let reverse = |index, bytes: &mut [u8]| {
        if index == 0 {
            let (first, second) = bytes.split_at_mut(4);
            first.swap_with_slice(second);
        }
    };
    assert_eq!(
        played(sort, r#"{"values":[-5,7]}"#, reverse, 0).unwrap(),
        r#""result":null,"outputs":{"values":[7,-5]}"#
    );
    assert_eq!(refused(sort, r#"{"values":[1,2147483648]}"#).0, "/values/1");
    assert_eq!(refused(sort, r#"{"values":[1,2],"n":1}"#).0, "/values");

    let name = "int name(_Out_writes_(size) char *text, int size, _Inout_ double *x);";
    let write = |index, bytes: &mut [u8]| {
        if index == 0 {
            bytes[..5].copy_from_slice(b"\"hi\"\n");
        }
    };
    let outcome = played(name, r#"{"size":20,"x":0.5}"#, write, 7).unwrap();
    assert_eq!(outcome, r#""result":7,"outputs":{"text":"\"hi\"\n","x":0.5}"#);
    // An in-out scalar that is left out is zero.
    assert!(played(name, r#"{"size":0}"#, |_, _| {}, 7).unwrap().ends_with(r#"{"text":"","x":0.0}"#));
}

#[test]
fn text_that_cannot_be_told_is_a_fault_after_the_fact() {
    let name = "void name(_Out_writes_(size) char *text, int size);";
    let fault = played(name, r#"{"size":4}"#, |_, bytes| bytes.fill(0xff), 0).unwrap_err();
    assert_eq!((fault.code, fault.ran), (FaultCode::UndecodableText, true));
}

static CRC32_INTERFACE: LazyLock<Interface> = LazyLock::new(|| interface(CRC32));
static COMPRESS_INTERFACE: LazyLock<Interface> = LazyLock::new(|| interface(COMPRESS));

proptest! {
    #[test]
    fn no_json_breaks_the_marshaller(args in "\\PC{0,60}", members in proptest::collection::vec(("crc|buf|len|destLen|source|x", "\\PC{0,12}|-?[0-9]{1,25}|\"[A-Za-z0-9+/=]{0,9}\"|null|\\[\\]"), 0..5)) {
        let object: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        for declaration in [&CRC32_INTERFACE, &COMPRESS_INTERFACE] {
            for json in [&args, &format!("{{{}}}", object.join(","))] {
                if let Err(fault) = marshalled(declaration, json, |_, _| {}, 0) {
                    prop_assert!(!fault.ran && !fault.detail.is_empty());
                }
            }
        }
    }

    #[test]
    fn bytes_arrive_as_they_were_sent(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let seen = std::cell::RefCell::new(Vec::new());
        let look = |_, memory: &mut [u8]| *seen.borrow_mut() = memory.to_vec();
        marshalled(&CRC32_INTERFACE, &format!("{{\"crc\":0,\"buf\":\"{text}\"}}"), look, 0).unwrap();
        prop_assert_eq!(seen.into_inner(), bytes);
    }
}
