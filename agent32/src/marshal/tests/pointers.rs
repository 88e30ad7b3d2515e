//! Pointers to pointers, handles, callbacks, and what lies behind `...`.

use super::{HOST, played, refused, world};
use crate::handles::Origin;
use bridge32_protocol::wire::FaultCode;

const OPEN: &str =
    "typedef struct db db; int open(_In_z_ const char *path, db **out, char **error); int use(db *d, int n);";

fn pointer(address: u64) -> Vec<u8> {
    address.to_le_bytes()[..usize::from(HOST.pointer_bytes())].to_vec()
}

#[test]
fn an_address_that_comes_out_is_a_handle_and_text_is_text() {
    let text = b"no such file\0";
    let address = text.as_ptr().expose_provenance() as u64;
    let library = move |index, bytes: &mut [u8]| match index {
        1 => bytes.copy_from_slice(&pointer(0x0012_3450)),
        2 => bytes.copy_from_slice(&pointer(address)),
        _ => {}
    };
    let answered = played(OPEN, r#"{"path":"x"}"#, library, 1).unwrap();
    let token = answered.split('"').find(|part| part.starts_with("test.g1.")).unwrap();
    assert_eq!(answered, format!(r#""result":1,"outputs":{{"out":"{token}","error":"no such file"}}"#));
    assert!(!answered.contains("1193040"), "no address leaves the agent");
    let nothing = played(OPEN, r#"{"path":"x"}"#, |_, _| {}, 0).unwrap();
    assert_eq!(nothing, r#""result":0,"outputs":{"out":null,"error":null}"#);
}

#[test]
fn a_handle_is_passed_as_its_address_and_only_where_its_kind_fits() {
    let world = world("typedef struct db db; int use(db *d, int n);");
    let issue = |kind| {
        let origin = Origin { kind, function: "open", freed_by: None, session: None };
        world.handles.issue(0x0012_3450, origin).unwrap()
    };
    let (token, other) = (issue("db"), issue("stmt"));
    assert_eq!(world.seen(&format!(r#"{{"d":"{token}","n":1}}"#), 0), pointer(0x0012_3450));
    assert_eq!(world.seen(&format!(r#"{{"d":{{"$handle":"{token}"}},"n":1}}"#), 0), pointer(0x0012_3450));
    assert_eq!(world.seen(r#"{"d":-1,"n":1}"#, 0), pointer(u64::MAX));
    for (value, says) in [
        (format!("\"{other}\""), "a `stmt`"),
        ("\"nonsense\"".to_owned(), "no handle"),
        ("305419896".to_owned(), "not passed as numbers"),
        ("5".to_owned(), "not passed as numbers"),
        ("null".to_owned(), "must not be null"),
        (r#"{"$handle":5}"#.to_owned(), "is written"),
        (r#"{"$handle":"a.g1.1.0","x":1}"#.to_owned(), "is written"),
        (r#""other.g1.1.000000000000""#.to_owned(), "belongs to the library `other`"),
        ("[]".to_owned(), "no handle"),
    ] {
        let (at, detail) = world.refused(&format!(r#"{{"d":{value},"n":1}}"#));
        assert!(at == "/d" && detail.contains(says), "{value}: {detail}");
    }
    world.handles.retire(world.handles.resolve(&token, "db").unwrap().number, "close");
    let fault = world.played(&format!(r#"{{"d":"{token}","n":1}}"#), |_, _| {}, 0).unwrap_err();
    assert_eq!((fault.code, fault.pointer.as_deref()), (FaultCode::StaleHandle, Some("/d")));
}

#[test]
fn a_block_of_memory_is_good_for_any_pointer_and_must_be_large_enough() {
    let fill = "typedef struct { int a, b; } Pair; void fill(_Out_writes_bytes_(n) unsigned char *to, unsigned n, \
                const Pair *pair, _In_z_ const char *text, int *count);";
    let world = world(fill);
    let block = world.handles.allocate(8, &[], None).unwrap();
    let address = world.handles.resolve(&block, "void").unwrap().address as u64;
    let all = |to: &str, n: u32, pair: &str| {
        format!(r#"{{"to":{to},"n":{n},"pair":{pair},"text":{{"$handle":"{block}"}},"count":"{block}"}}"#)
    };
    let token = format!("\"{block}\"");
    for parameter in [0, 2, 3, 4] {
        assert_eq!(world.seen(&all(&token, 8, &token), parameter), pointer(address), "{parameter}");
    }
    let answered = world.played(&all(&token, 8, &token), |_, _| {}, 0).unwrap();
    assert_eq!(answered, format!(r#""result":null,"outputs":{{"to":"{block}","count":"{block}"}}"#));
    let (at, detail) = world.refused(&all(&token, 9, &token));
    assert!(at == "/to" && detail.contains("has 8 bytes"), "{detail}");
}

#[test]
fn an_array_of_strings_is_an_array_of_pointers() {
    let run = "int run(int argc, _In_reads_(argc) const char **argv);";
    let world = world(run);
    assert_eq!(world.seen(r#"{"argv":["a","bc"]}"#, 0)[0], 2);
    assert_eq!(world.seen(r#"{"argv":["a","bc",null]}"#, 1).len(), 3 * usize::from(HOST.pointer_bytes()));
    assert_eq!(world.refused(r#"{"argv":["a",5]}"#).0, "/argv/1");
}

#[test]
fn arguments_behind_the_dots_say_their_types() {
    let print = "int scan(_In_z_ const char *text, ...);";
    let write = |index, bytes: &mut [u8]| match index {
        2 => bytes.copy_from_slice(&7_i32.to_le_bytes()),
        3 => bytes[..2].copy_from_slice(b"ok"),
        _ => {}
    };
    let args = r#"{"text":"7 ok","...":[{"type":"double","value":0.5},{"type":"int*"},{"type":"char[8]"}]}"#;
    assert_eq!(played(print, args, write, 2).unwrap(), r#""result":2,"outputs":{"...":[null,7,"ok"]}"#);
    assert_eq!(played(print, r#"{"text":"7"}"#, write, 2).unwrap(), r#""result":2,"outputs":{}"#);
    for (args, pointer) in [
        (r#"{"text":"","...":[{"type":"int","value":2147483648}]}"#, "/.../0/value"),
        (r#"{"text":"","...":[{"type":"int"}]}"#, "/.../0/value"),
        (r#"{"text":"","...":5}"#, "/..."),
    ] {
        assert_eq!(refused(print, args).0, pointer, "{args}");
    }
    assert_eq!(refused("int one(int a);", r#"{"a":1,"...":[]}"#).0, "/...");
}

#[test]
fn a_buffer_is_as_long_as_the_function_returns() {
    let read = "int read(_Out_writes_bytes_to_(size, return) unsigned char *to, int size);";
    let library = |index, bytes: &mut [u8]| {
        if index == 0 {
            bytes.fill(1);
        }
    };
    assert_eq!(played(read, r#"{"size":6}"#, library, 3).unwrap(), r#""result":3,"outputs":{"to":"AQEB"}"#);
    let text = "int name(_Inout_updates_to_(cap, *n) char *buf, int cap, _Inout_ int *n);";
    let shorten = |index, bytes: &mut [u8]| match index {
        0 => bytes[..2].copy_from_slice(b"hi"),
        2 => bytes.copy_from_slice(&2_i32.to_le_bytes()),
        _ => {}
    };
    let answered = played(text, r#"{"buf":"hello world","cap":20,"n":11}"#, shorten, 0).unwrap();
    assert!(answered.contains(r#""buf":"hi""#), "{answered}");
    let failed = played(read, r#"{"size":6}"#, library, u64::MAX).unwrap();
    assert_eq!(failed, r#""result":-1,"outputs":{"to":""}"#);
}

#[test]
fn a_block_of_memory_is_no_function_and_holds_no_addresses() {
    let world = world(
        "typedef struct { char *name; } Named; int f(int (*cb)(int a), char **out, const Named *named, void *any);",
    );
    let block = world.handles.allocate(64, &[], None).unwrap();
    let given =
        |cb: &str, out: &str, named: &str| format!(r#"{{"cb":{cb},"out":{out},"named":{named},"any":"{block}"}}"#);
    let (explicit, text) = (format!(r#"{{"$handle":"{block}"}}"#), r#"{"name":"x"}"#);
    world.played(&given("null", "null", text), |_, _| {}, 0).unwrap_err();
    for (args, at) in [
        (given(&explicit, "\"x\"", text), "/cb"),
        (given("null", &explicit, text), "/out"),
        (given("null", "\"x\"", &explicit), "/named"),
    ] {
        assert_eq!(world.refused(&args).0, at, "{args}");
    }
}

#[test]
fn a_block_of_memory_is_not_given_to_a_function_that_frees_it() {
    let world = world("/** @releases what */ void release(void *what);");
    let block = world.handles.allocate(8, &[], None).unwrap();
    let (at, detail) = world.refused(&format!(r#"{{"what":"{block}"}}"#));
    assert!(at == "/what" && detail.contains("DELETE"), "{detail}");
}

#[test]
fn a_length_behind_a_pointer_that_is_left_out_is_taken_from_the_array() {
    for declaration in [
        "int f(_In_reads_(*n) const int *v, const unsigned *n);",
        "int f(_In_reads_(*n) const int *v, _In_opt_ const unsigned *n);",
        "int f(_Inout_updates_opt_(*n) int *v, _Inout_opt_ unsigned *n);",
    ] {
        assert_eq!(world(declaration).seen(r#"{"v":[7,8,9]}"#, 1), [3, 0, 0, 0], "{declaration}");
    }
    let inside = "struct S { _Field_size_(*n) int *v; unsigned n1; const unsigned *n; }; int f(_Inout_ struct S *s);";
    let answer = played(inside, r#"{"s":{"v":[7,8],"n1":1}}"#, |_, _| {}, 0).unwrap();
    assert!(answer.contains(r#""v":[7,8],"n1":1,"n":2"#), "{answer}");
    let written = "int f(_Out_writes_opt_(*n) int *v, _Inout_opt_ unsigned *n);";
    assert_eq!(refused(written, "{}").0, "/n");
}
