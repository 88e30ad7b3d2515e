//! Descriptions, answers and events, without any machine code.

use std::ops::Range;
use std::sync::Arc;

use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::{Signature, Type};
use bridge32_protocol::wire::{Dialect, Fault};
use serde_json::value::RawValue;

use super::state::{Events, State};
use super::{Callbacks, description};
use crate::handles::Handles;
use crate::layout::HOST;
use crate::marshal::place::At;
use crate::marshal::text::Codec;
use crate::marshal::{Environment, Home};

const CODEC: Codec = Codec { target: HOST, ansi: "windows-1252", lossy: false };

struct World {
    home: Arc<Home>,
    handles: Arc<Handles>,
    callbacks: Arc<Callbacks>,
    signature: Signature,
}

/// The callback that is the first parameter of the first function.
fn world(header: &str) -> World {
    let header = read(&[Source { name: "test.h", text: header.as_bytes() }], &Options::new(HOST));
    assert!(header.diagnostics.is_empty(), "{:?}", header.diagnostics);
    let Type::Callback(signature) = header.interface.functions[0].parameters[0].ty.clone() else {
        panic!("the first parameter is a callback");
    };
    let handles = Arc::new(Handles::new("test", 1));
    let callbacks = Callbacks::new(Arc::clone(&handles));
    let home = Arc::new(Home::new(header.interface, HOST, Dialect::Gnu));
    World { home, handles, callbacks, signature: *signature }
}

impl World {
    fn state(&self, json: &str) -> Result<Arc<State>, Fault> {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let environment = Environment::of(&self.home, CODEC, &self.handles, "each");
        let root = At::ROOT;
        let plan = description::read(&self.signature, &raw, &root.member("cb"), &self.callbacks, &environment)?;
        let id = plan.stream.then(|| self.handles.token("c1"));
        let slots = self.slots();
        Ok(State::new((self.signature.clone(), slots), plan, &environment, Arc::clone(&self.handles), "cb", id))
    }

    fn slots(&self) -> Vec<Range<usize>> {
        let mut next = 0;
        let slot = |ty: &Type| {
            let start = next;
            next += 16;
            start..start + self.home.layouts.of(ty).unwrap().size
        };
        self.signature.parameters.iter().map(|parameter| &parameter.ty).map(slot).collect()
    }

    /// Calls with these arguments' bytes, and gives the answer as an `int`.
    fn invoke(&self, state: &State, arguments: &[&[u8]]) -> i32 {
        let mut block = vec![0; arguments.len() * 16];
        for (slot, bytes) in self.slots().into_iter().zip(arguments) {
            block[slot].copy_from_slice(bytes);
        }
        let mut result = [0xee; 4];
        state.invoked(&block, &mut result);
        i32::from_le_bytes(result)
    }

    fn ints(&self, state: &State, a: i32, b: i32) -> i32 {
        self.invoke(state, &[&a.to_le_bytes(), &b.to_le_bytes()])
    }
}

const TWO: &str = "void each(int (*cb)(int a, int b));";

fn told(state: &State) -> String {
    let mut json = Vec::new();
    state.report(&mut json);
    String::from_utf8(json).unwrap()
}

#[test]
fn a_constant_is_answered_and_every_invocation_recorded() {
    let world = world(TWO);
    let state = world.state(r#"{"returns":7}"#).unwrap();
    assert_eq!((world.ints(&state, 1, -2), world.ints(&state, 3, 4)), (7, 7));
    assert_eq!(
        told(&state),
        r#"{"count":2,"invocations":[{"args":{"a":1,"b":-2},"returned":7},{"args":{"a":3,"b":4},"returned":7}],"dropped":0}"#
    );
}

#[test]
fn a_table_a_comparison_and_an_end_decide_in_this_order() {
    let world = world(TWO);
    let table = r#"{"table":[{"when":{"a":1,"b":2},"returns":10},{"when":{"a":1.0},"returns":11}],
                    "compare":["b","a"],"stop_after":5,"stop_returns":-9}"#;
    let state = world.state(table).unwrap();
    let answers: Vec<i32> =
        [(1, 2), (1, 3), (2, 3), (3, 2), (1, 2), (1, 2)].map(|(a, b)| world.ints(&state, a, b)).to_vec();
    assert_eq!(answers, [10, 11, 1, -1, -9, -9]);
}

#[test]
fn pointers_that_the_library_passes_are_followed() {
    let world =
        world("void each(int (*cb)(const int *a, const char *text, void *context, int n, _In_reads_(n) char **row));");
    let state = world.state(r#"{"compare":["a","n"]}"#).unwrap();
    let (number, text) = (5_i32, b"h\xc3\xa9\0");
    let row = [text.as_ptr(), std::ptr::null()];
    row[0].expose_provenance();
    let address = |address: usize| (address as u64).to_le_bytes()[..usize::from(HOST.pointer_bytes())].to_vec();
    let arguments = [
        address((&raw const number).expose_provenance()),
        address(text.as_ptr().expose_provenance()),
        address(0),
        2_i32.to_le_bytes().to_vec(),
        address(row.as_ptr().expose_provenance()),
    ];
    let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
    assert_eq!(world.invoke(&state, &arguments), 1);
    assert!(told(&state).contains(r#"{"a":5,"text":"hé","context":null,"n":2,"row":["hé",null]}"#), "{}", told(&state));
}

#[test]
fn what_is_wrong_in_a_description_is_named() {
    let world = world(TWO);
    for (json, pointer, says) in [
        (r#"{"returns":"x"}"#, "/cb/returns", ""),
        (r#"{"returns":4294967296}"#, "/cb/returns", "out of range"),
        (r#"{"return":1}"#, "/cb", "unknown field"),
        ("5", "/cb", "is a callback"),
        (r#"{"table":[{"when":{"c":1},"returns":1}]}"#, "/cb/table/0/when/c", "no parameter"),
        (r#"{"table":[{"when":{"a":1},"returns":1.5}]}"#, "/cb/table/0/returns", ""),
        (r#"{"table":[{"when":{"a":1}}]}"#, "/cb", "returns"),
        (r#"{"compare":["a","z"]}"#, "/cb/compare/z", "no parameter"),
        (r#"{"stop_after":0}"#, "/cb/stop_after", "number 1"),
        (r#"{"limit":1000000}"#, "/cb/limit", "at most"),
    ] {
        let fault = world.state(json).map(|_| ()).unwrap_err();
        assert_eq!(fault.pointer.as_deref(), Some(pointer), "{json} {}", fault.detail);
        assert!(fault.detail.contains(says), "{json}: {}", fault.detail);
    }
    let untyped = self::world("void each(int (*cb)(const void *a, const void *b));");
    let fault = untyped.state(r#"{"compare":["a","b"]}"#).unwrap_err();
    assert!(fault.detail.contains("const int *a"), "{}", fault.detail);
    let nothing = self::world("void each(void (*cb)(int a));");
    assert_eq!(nothing.state(r#"{"returns":1}"#).unwrap_err().pointer.as_deref(), Some("/cb/returns"));
    nothing.state("{}").unwrap();
}

#[test]
fn arguments_that_nobody_wants_are_not_looked_at() {
    let world = world("void each(int (*cb)(const char *text));");
    let state = world.state(r#"{"returns":4,"record":false}"#).unwrap();
    // Reading this address would end the test.
    let wild = 16_u64.to_le_bytes();
    assert_eq!(world.invoke(&state, &[&wild[..usize::from(HOST.pointer_bytes())]]), 4);
    assert_eq!(told(&state), r#"{"count":1}"#);
}

#[test]
fn more_invocations_than_the_limit_are_counted() {
    let world = world(TWO);
    let state = world.state(r#"{"limit":2}"#).unwrap();
    for n in 0..5 {
        world.ints(&state, n, 0);
    }
    let told = told(&state);
    assert!(told.starts_with(r#"{"count":5"#) && told.ends_with(r#""dropped":3}"#), "{told}");
    assert_eq!(told.matches("args").count(), 2);
}

#[tokio::test]
async fn events_are_numbered_kept_and_resumed() {
    let world = world(TWO);
    let state = world.state(r#"{"stream":true,"record":false,"limit":3}"#).unwrap();
    state.end_of_call();
    for n in 1..=5 {
        world.ints(&state, n, 0);
    }
    let mut events = Events::new(Arc::clone(&state), 0);
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let line: serde_json::Value = serde_json::from_slice(&events.next().await.unwrap()).unwrap();
        assert_eq!(line["event"]["args"]["a"], line["number"]);
        numbers.push(line["number"].as_u64().unwrap());
    }
    assert_eq!(numbers, [3, 4, 5], "the oldest two are gone");
    assert_eq!(state.view().unwrap().dropped, 2);
    let mut resumed = Events::new(Arc::clone(&state), 4);
    assert!(resumed.next().await.unwrap().starts_with(br#"{"number":5,"#));
    let waiting = tokio::spawn(async move { resumed.next().await });
    world.ints(&state, 6, 0);
    assert!(waiting.await.unwrap().unwrap().starts_with(br#"{"number":6,"#));
    state.end();
    assert!(events.next().await.unwrap().starts_with(br#"{"number":6,"#), "what is there is still told");
    assert_eq!(events.next().await, None);
}
