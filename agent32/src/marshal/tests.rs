//! Arguments and outcomes of whole functions, declared as a header would.

mod pointers;
mod sensitive;
mod shared;
mod structures;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::{Interface, Type};
use bridge32_protocol::wire::{Buffer, Dialect, Fault, FaultCode};
use proptest::prelude::*;

use super::arena::Arena;
use super::decode::{self, Pointee, Slots};
use super::text::Codec;
use super::{Environment, Home, encode};
use crate::callbacks::Callbacks;
use crate::handles::Handles;
use crate::layout::HOST;

const CODEC: Codec = Codec { target: HOST, ansi: "windows-1252", lossy: false };

/// An interface, and what one library's calls share.
struct World {
    home: Arc<Home>,
    handles: Arc<Handles>,
    callbacks: Arc<Callbacks>,
}

/// What the first function of a header is played with.
fn world(header: &str) -> World {
    let source = Source { name: "test.h", text: header.as_bytes() };
    let header = read(&[source], &Options::new(HOST));
    assert!(header.diagnostics.is_empty(), "{:?}", header.diagnostics);
    assert_eq!(header.interface.functions[0].unsupported, None);
    of(header.interface)
}

fn of(interface: Interface) -> World {
    let handles = Arc::new(Handles::new("test", 1));
    let callbacks = Callbacks::new(Arc::clone(&handles));
    World { home: Arc::new(Home::new(interface, HOST, Dialect::Gnu)), handles, callbacks }
}

/// Slots as a plan would give them.
fn slots(world: &World, parameters: &[bridge32_protocol::interface::Parameter]) -> (Vec<Range<usize>>, usize) {
    let mut next = 0;
    let ranges = parameters.iter().map(|parameter| {
        let (start, size) = (next, world.home.layouts.of(&parameter.ty).unwrap().size);
        next += size.next_multiple_of(16);
        start..start + size
    });
    (ranges.collect(), next)
}

impl World {
    /// Marshals `args`, lets `library` write into the memory of the pointer parameters (by index), and tells the outcome.
    /// `register` is what the function returns.
    fn played(&self, args: &str, library: impl Fn(usize, &mut [u8]), register: u64) -> Result<String, Fault> {
        self.played_with(args, false, library, register)
    }

    /// The same. `hidden`: values of earlier calls are among the arguments.
    fn played_with(
        &self,
        args: &str,
        hidden: bool,
        library: impl Fn(usize, &mut [u8]),
        register: u64,
    ) -> Result<String, Fault> {
        self.played_as((args, hidden, &[]), library, register)
    }

    /// The same, where some buffers have files.
    fn played_with_buffers(
        &self,
        args: &str,
        buffers: &[Buffer],
        library: impl Fn(usize, &mut [u8]),
        register: u64,
    ) -> Result<String, Fault> {
        self.played_as((args, false, buffers), library, register)
    }

    fn played_as(
        &self,
        (args, hidden, buffers): (&str, bool, &[Buffer]),
        library: impl Fn(usize, &mut [u8]),
        register: u64,
    ) -> Result<String, Fault> {
        let function = &self.home.interface.functions[0];
        let environment = Environment::of(&self.home, CODEC, &self.handles, &function.name);
        let mut arena = Arena::default();
        let given = decode::split(args, function, hidden)?.with_buffers(buffers)?;
        let (ranges, bytes) = slots(self, &given.parameters);
        let slots = Slots { ranges: &ranges, bytes };
        let prepared = decode::arguments(given, slots, environment, &self.callbacks, &mut arena)?;
        for (index, pointee) in prepared.pointees.iter().enumerate() {
            match pointee {
                Pointee::Block(block) => library(index, arena.bytes_mut(*block)),
                _ => library(index, &mut arena.bytes_mut(prepared.arguments)[ranges[index].clone()]),
            }
        }
        assert_eq!(arena.overrun(), None);
        let size = if function.result == Type::Void { 0 } else { self.home.layouts.of(&function.result).unwrap().size };
        let result = register.to_le_bytes();
        let mut json = Vec::new();
        #[expect(unsafe_code, reason = "the results and outputs of these functions are made by the tests")]
        // SAFETY: the results are numbers or null, and every address in the outputs is one of the arena's own.
        unsafe { encode::outcome(&result[..size], function, &prepared, environment, &arena, &mut json) }.1?;
        Ok(String::from_utf8(json).unwrap())
    }

    /// The bytes that the function would see of its parameter of that index: its value, or what it points to.
    fn seen(&self, args: &str, parameter: usize) -> Vec<u8> {
        let seen = std::cell::RefCell::new(Vec::new());
        let look = |index, memory: &mut [u8]| {
            if index == parameter {
                *seen.borrow_mut() = memory.to_vec();
            }
        };
        self.played(args, look, 0).unwrap();
        seen.into_inner()
    }

    fn refused(&self, args: &str) -> (String, String) {
        let fault = self.played(args, |_, _| {}, 0).unwrap_err();
        assert_eq!((fault.code, fault.ran), (FaultCode::ArgumentMismatch, false), "{}", fault.detail);
        (fault.pointer.unwrap(), fault.detail)
    }
}

fn played(declaration: &str, args: &str, library: impl Fn(usize, &mut [u8]), register: u64) -> Result<String, Fault> {
    world(declaration).played(args, library, register)
}

fn refused(declaration: &str, args: &str) -> (String, String) {
    world(declaration).refused(args)
}

const CRC32: &str =
    "unsigned long crc32(unsigned long crc, _In_reads_bytes_(len) const unsigned char *buf, unsigned len);";
const COMPRESS: &str = "int compress2(_Out_writes_bytes_to_(*destLen, *destLen) unsigned char *dest, _Inout_ unsigned long *destLen, \
    _In_reads_bytes_(sourceLen) const unsigned char *source, unsigned long sourceLen, int level);";

#[test]
fn a_length_that_is_left_out_is_taken_from_the_array() {
    let given = world(CRC32).seen(r#"{"crc":0,"buf":"AQID","len":3}"#, 2);
    let inferred = world(CRC32).seen(r#"{"crc":0,"buf":"AQID"}"#, 2);
    assert_eq!(given[0], 3);
    assert_eq!(inferred, given);
}

#[test]
fn a_length_beyond_the_array_is_refused_and_a_smaller_one_is_not() {
    let (pointer, detail) = refused(CRC32, r#"{"crc":0,"buf":"AQID","len":4}"#);
    assert_eq!(pointer, "/buf");
    assert!(detail.contains("`len`"), "{detail}");
    assert_eq!(world(CRC32).seen(r#"{"crc":0,"buf":"AQID","len":2}"#, 2)[0], 2);
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

static CRC32_WORLD: LazyLock<World> = LazyLock::new(|| world(CRC32));
static COMPRESS_WORLD: LazyLock<World> = LazyLock::new(|| world(COMPRESS));

proptest! {
    #[test]
    fn no_json_breaks_the_marshaller(args in "\\PC{0,60}", members in proptest::collection::vec(("crc|buf|len|destLen|source|x", "\\PC{0,12}|-?[0-9]{1,25}|\"[A-Za-z0-9+/=]{0,9}\"|null|\\[\\]"), 0..5)) {
        let object: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        for world in [&CRC32_WORLD, &COMPRESS_WORLD] {
            for json in [&args, &format!("{{{}}}", object.join(","))] {
                if let Err(fault) = world.played(json, |_, _| {}, 0) {
                    prop_assert!(!fault.ran && !fault.detail.is_empty());
                }
            }
        }
    }

    #[test]
    fn bytes_arrive_as_they_were_sent(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
        prop_assert_eq!(CRC32_WORLD.seen(&format!("{{\"crc\":0,\"buf\":\"{text}\"}}"), 1), bytes);
    }
}

#[test]
fn text_of_a_fixed_length_has_all_its_units_and_no_more() {
    let declaration = "void f(const char code[4], _In_opt_ const wchar_t w[2]);";
    let seen = |args: &str| world(declaration).seen(args, 0);
    assert_eq!(seen(r#"{"code":"ab","w":""}"#), b"ab\0\0\0", "the library may read all four, or up to a NUL");
    assert_eq!(seen(r#"{"code":"abcd","w":null}"#), b"abcd\0");
    let (at, detail) = refused(declaration, r#"{"code":"abcde","w":""}"#);
    assert!(at == "/code" && detail.contains("holds 5 bytes"), "{detail}");
    assert_eq!(refused(declaration, r#"{"code":"","w":"abc"}"#).0, "/w");
    assert_eq!(
        world("void f(_In_z_ const wchar_t w[2]);").seen(r#"{"w":""}"#, 0).len(),
        3 * usize::from(HOST.wchar_bytes())
    );
}
