//! Arguments: whatever a client sends is passed or refused with its place, and what comes back is JSON.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use agent32::callbacks::Callbacks;
use agent32::handles::{Handles, Origin};
use agent32::layout::HOST;
use agent32::marshal::arena::Arena;
use agent32::marshal::decode::{self, Pointee, Prepared, Slots};
use agent32::marshal::text::Codec;
use agent32::marshal::{Environment, Home, encode};
use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::{Parameter, Type};
use bridge32_protocol::wire::{Dialect, FaultCode};

/// The declarations that arguments are for. The first byte of an input chooses one.
pub const HEADER: &str = include_str!("marshal.h");

/// Callbacks that outlive their call stay; a new world begins before they are too many.
const CALLS_OF_A_WORLD: usize = 100_000;

/// What one library's calls share.
struct World {
    home: Arc<Home>,
    handles: Arc<Handles>,
    callbacks: Arc<Callbacks>,
    /// Tokens that stand for `@block` and `@handle` in an input.
    block: String,
    opaque: String,
    calls: usize,
}

impl World {
    fn new() -> Self {
        let header = read(&[Source { name: "marshal.h", text: HEADER.as_bytes() }], &Options::new(HOST));
        assert!(header.diagnostics.is_empty(), "{:?}", header.diagnostics);
        for function in &header.interface.functions {
            assert_eq!(function.unsupported, None, "{}", function.name);
        }
        let handles = Arc::new(Handles::new("fuzz", 1));
        let block = handles.allocate(64, b"some bytes", None).expect("there is room");
        // Nothing is called, and no input with `@handle` is read back: nobody looks behind this address.
        let origin = Origin { kind: "Opaque", function: "Make", freed_by: None, session: None };
        let opaque = handles.issue(0x1000, origin).expect("there is room");
        let callbacks = Callbacks::new(Arc::clone(&handles));
        let home = Arc::new(Home::new(header.interface, HOST, Dialect::Gnu));
        Self { home, handles, callbacks, block, opaque, calls: 0 }
    }
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Marshals `data`: its first byte chooses the function, the second what the library writes, the rest is the arguments.
///
/// # Panics
/// If arguments are refused without saying where, or an answer is no JSON.
pub fn marshal(data: &[u8]) {
    let [function, written, args @ ..] = data else { return };
    let Ok(args) = std::str::from_utf8(args) else { return };
    // The server has read the request as JSON before anybody looks at the arguments.
    if serde_json::from_str::<&serde_json::value::RawValue>(args).is_err() {
        return;
    }
    WORLD.with_borrow_mut(|kept| {
        let mut world = kept.take().filter(|world| world.calls < CALLS_OF_A_WORLD).unwrap_or_else(World::new);
        world.calls += 1;
        call(&world, *function, *written, args);
        *kept = Some(world);
    });
}

fn call(world: &World, function: u8, written: u8, args: &str) {
    let functions = &world.home.interface.functions;
    let function = &functions[usize::from(function) % functions.len()];
    let args = args.replace("@block", &world.block);
    let reads_nothing = args.contains("@handle");
    let args = args.replace("@handle", &world.opaque);
    let codec = Codec { target: HOST, ansi: "windows-1252", lossy: function.lossy };
    let environment = Environment::of(&world.home, codec, &world.handles, &function.name);
    let mut arena = Arena::default();
    let mut ranges = Vec::new();
    let prepared = decode::split(&args, function, false).and_then(|given| {
        let bytes;
        (ranges, bytes) = slots(world, &given.parameters);
        Ok((given, bytes))
    });
    let prepared = prepared.and_then(|(given, bytes)| {
        decode::arguments(given, Slots { ranges: &ranges, bytes }, environment, &world.callbacks, &mut arena)
    });
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => {
            assert!(!fault.ran && !fault.detail.is_empty(), "{fault:?}");
            assert!(fault.code != FaultCode::ArgumentMismatch || fault.pointer.is_some(), "{fault:?}");
            return;
        }
    };
    assert_eq!(arena.overrun(), None, "the marshaller keeps within its own blocks");
    // Millions of elements as JSON are slow with a sanitizer, and show nothing that some do not.
    let large = |pointee: &Pointee| matches!(pointee, Pointee::Block(block) if block.length() > 1 << 20);
    if prepared.pointees.iter().any(large) {
        return;
    }
    if reads_nothing {
        return;
    }
    if function.name.starts_with("Plain") {
        scribble(&prepared, written, &mut arena);
    }
    let size = if function.result == Type::Void { 0 } else { size_of_value(world, &function.result) };
    let result = u64::from(written).to_le_bytes();
    let mut json = b"{".to_vec();
    // SAFETY: results are numbers, and every address in the outputs is one that the arguments were given or null: a Plain
    // function has none, and the others' memory is as the marshaller has left it.
    match unsafe { encode::outcome(&result[..size], function, &prepared, environment, &arena, &mut json) }.1 {
        Ok(()) => {
            json.push(b'}');
            let json = std::str::from_utf8(&json).expect("JSON is UTF-8");
            serde_json::from_str::<serde_json::Value>(json).unwrap_or_else(|error| panic!("{error}: {json}"));
        }
        Err(fault) => assert!(fault.ran && !fault.detail.is_empty(), "{fault:?}"),
    }
}

/// What a library might do: every buffer that it may write is full of one byte.
fn scribble(prepared: &Prepared, byte: u8, arena: &mut Arena) {
    use bridge32_protocol::interface::Direction;
    for (parameter, pointee) in prepared.parameters.iter().zip(&prepared.pointees) {
        if let (Pointee::Block(block), Direction::Out | Direction::InOut) = (pointee, parameter.direction) {
            arena.bytes_mut(*block).fill(byte);
        }
    }
}

/// Slots as a plan would give them.
fn slots(world: &World, parameters: &[Parameter]) -> (Vec<Range<usize>>, usize) {
    let mut next = 0;
    let range = |parameter: &Parameter| {
        let (start, size) = (next, size_of_value(world, &parameter.ty));
        next += size.next_multiple_of(16);
        start..start + size
    };
    (parameters.iter().map(range).collect(), next)
}

fn size_of_value(world: &World, ty: &Type) -> usize {
    world.home.layouts.of(ty).expect("a type that can be passed").size
}
