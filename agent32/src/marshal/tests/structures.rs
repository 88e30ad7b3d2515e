//! Structures, unions, arrays and pointers in them.

use super::{played, refused, world};
use bridge32_protocol::wire::FaultCode;

const POINT: &str = "typedef struct { short x, y; } Point;";

fn with(declarations: &str) -> String {
    format!("{POINT}\n{declarations}")
}

#[test]
fn a_structure_by_value_lies_in_its_slot() {
    let area = with("int area(Point a, struct { Point corner; unsigned char filled; } b);");
    assert_eq!(world(&area).seen(r#"{"a":{"y":2,"x":1},"b":{"corner":{"x":3,"y":4},"filled":5}}"#, 0), [1, 0, 2, 0]);
    assert_eq!(
        world(&area).seen(r#"{"a":{"y":2,"x":1},"b":{"corner":{"x":3,"y":4},"filled":5}}"#, 1),
        [3, 0, 4, 0, 5, 0]
    );
}

#[test]
fn wrong_members_are_named() {
    let area = with("int area(Point a, const Point *b);");
    for (args, pointer, says) in [
        (r#"{"a":{"x":1},"b":{"x":1,"y":2}}"#, "/a/y", "missing"),
        (r#"{"a":{"x":1,"y":2,"z":3},"b":{"x":1,"y":2}}"#, "/a/z", "no member"),
        (r#"{"a":{"x":1,"x":2,"y":2},"b":{"x":1,"y":2}}"#, "/a/x", "twice"),
        (r#"{"a":{"x":40000,"y":2},"b":{"x":1,"y":2}}"#, "/a/x", "out of range"),
        (r#"{"a":[1,2],"b":{"x":1,"y":2}}"#, "/a", "not a JSON object"),
        (r#"{"a":{"x":1,"y":2},"b":{"x":1,"y":"q"}}"#, "/b/y", ""),
        (r#"{"a":{"x":1,"y":2},"b":null}"#, "/b", "null"),
    ] {
        let (at, detail) = refused(&area, args);
        assert!(at == pointer && detail.contains(says), "{args}: {at} {detail}");
    }
}

#[test]
fn an_in_out_structure_may_be_given_in_part_and_comes_back_whole() {
    let moved = with("void move(Point *p);");
    let library = |_, bytes: &mut [u8]| bytes[0] += 1;
    assert_eq!(
        played(&moved, r#"{"p":{"y":5}}"#, library, 0).unwrap(),
        r#""result":null,"outputs":{"p":{"x":1,"y":5}}"#
    );
    assert_eq!(played(&moved, "{}", library, 0).unwrap(), r#""result":null,"outputs":{"p":{"x":1,"y":0}}"#);
}

#[test]
fn bit_fields_are_checked_against_their_width_and_share_a_unit() {
    let flags =
        "struct flags { unsigned a : 3; int b : 4; unsigned : 2; unsigned c : 10; }; void set(struct flags *f);";
    let given = r#"{"f":{"a":5,"b":-3,"c":1000}}"#;
    assert_eq!(played(flags, given, |_, _| {}, 0).unwrap(), r#""result":null,"outputs":{"f":{"a":5,"b":-3,"c":1000}}"#);
    for (args, pointer) in [(r#"{"f":{"a":8}}"#, "/f/a"), (r#"{"f":{"b":8}}"#, "/f/b"), (r#"{"f":{"c":1024}}"#, "/f/c")]
    {
        let (at, detail) = refused(flags, args);
        assert!(at == pointer && detail.contains("bits"), "{detail}");
    }
    assert_eq!(refused(flags, r#"{"f":{"c":-1}}"#).0, "/f/c");
    let kind = "enum kind { A, B, C, D }; struct s { enum kind k : 2; }; void set(struct s *s);";
    assert!(played(kind, r#"{"s":{"k":"D"}}"#, |_, _| {}, 0).unwrap().contains(r#"{"k":"D"}"#));
}

#[test]
fn a_union_takes_one_member_and_answers_all() {
    let union =
        "typedef union { unsigned char bytes[4]; unsigned n; char *text; } U; void f(U *u); void g(const U *u);";
    let answered = played(union, r#"{"u":{"n":1}}"#, |_, _| {}, 0).unwrap();
    assert_eq!(answered, r#""result":null,"outputs":{"u":{"bytes":"AQAAAA==","n":1,"text":null}}"#);
    let (at, detail) = refused(union, r#"{"u":{"n":1,"bytes":"AQ=="}}"#);
    assert!(at == "/u" && detail.contains("exactly one"), "{detail}");
}

#[test]
fn members_of_anonymous_structures_are_members_of_the_one_around() {
    let event =
        "struct event { int kind; union { struct { short x, y; }; int key; }; }; void send(const struct event *e);";
    assert_eq!(world(event).seen(r#"{"e":{"kind":1,"x":2,"y":3}}"#, 0), [1, 0, 0, 0, 2, 0, 3, 0]);
    assert_eq!(world(event).seen(r#"{"e":{"kind":1,"key":7}}"#, 0), [1, 0, 0, 0, 7, 0, 0, 0]);
    assert_eq!(refused(event, r#"{"e":{"kind":1,"key":7,"x":1}}"#).0, "/e");
    assert_eq!(refused(event, r#"{"e":{"kind":1,"z":7}}"#).0, "/e/z");
    assert_eq!(refused(event, r#"{"e":{"kind":1}}"#).0, "/e");
}

#[test]
fn arrays_and_text_have_a_fixed_place() {
    let card = "struct card { char name[5]; short grid[2][2]; unsigned char raw[3]; }; void put(struct card *c);";
    let given = r#"{"c":{"name":"héz","grid":[[1,2],[3,-4]],"raw":"/wA="}}"#;
    let answered = played(card, given, |_, _| {}, 0).unwrap();
    assert_eq!(answered, r#""result":null,"outputs":{"c":{"name":"héz","grid":[[1,2],[3,-4]],"raw":"/wAA"}}"#);
    // All of the array may be text, without a NUL.
    assert!(played(card, r#"{"c":{"name":"12345"}}"#, |_, _| {}, 0).unwrap().contains(r#""name":"12345""#));
    for (args, pointer) in [
        (r#"{"c":{"name":"123456"}}"#, "/c/name"),
        (r#"{"c":{"grid":[[1,2],[3,4],[5,6]]}}"#, "/c/grid"),
        (r#"{"c":{"grid":[[1,2],[3,40000]]}}"#, "/c/grid/1/1"),
        (r#"{"c":{"raw":"AAAAAA=="}}"#, "/c/raw"),
    ] {
        assert_eq!(refused(card, args).0, pointer, "{args}");
    }
    let cut = |_, bytes: &mut [u8]| bytes[..2].copy_from_slice(b"\xc3\0");
    let fault = played(card, "{}", cut, 0).unwrap_err();
    assert_eq!((fault.code, fault.ran), (FaultCode::UndecodableText, true));
    assert!(fault.detail.contains("`c.name`") && fault.detail.contains("byte 0"), "{}", fault.detail);
}

#[test]
fn a_pointer_in_a_structure_has_the_length_that_another_member_says() {
    let polygon = with(
        "struct polygon { int n; _Field_size_(n) Point *points; const char *name; }; double size(struct polygon p);",
    );
    let polygon = world(&polygon);
    let bytes = polygon.seen(r#"{"p":{"points":[{"x":1,"y":2},{"x":3,"y":4}],"name":"two"}}"#, 0);
    assert_eq!(bytes[..4], [2, 0, 0, 0], "the length is taken from the array");
    let null = polygon.seen(r#"{"p":{"n":0,"name":null}}"#, 0);
    assert!(null.iter().all(|byte| *byte == 0));
    let (at, detail) = polygon.refused(r#"{"p":{"n":3,"points":[{"x":1,"y":2}],"name":"one"}}"#);
    assert!(at == "/p/points" && detail.contains("`n`"), "{at} {detail}");
    assert_eq!(polygon.refused(r#"{"p":{"points":[{"x":1}],"name":"one"}}"#).0, "/p/points/0/y");
}

#[test]
fn what_a_pointer_in_a_structure_leads_to_comes_back() {
    let list = "struct node { int value; const struct node *next; }; void visit(struct node *n);";
    let given = r#"{"n":{"value":1,"next":{"value":2,"next":{"value":3,"next":null}}}}"#;
    let answered = played(list, given, |_, _| {}, 0).unwrap();
    assert_eq!(answered, format!(r#""result":null,"outputs":{given}"#));
}

#[test]
fn a_length_that_is_a_bit_field_keeps_to_its_bits() {
    let packet = "struct s { _Field_size_bytes_(n) const unsigned char *data; unsigned flags : 8; unsigned n : 4; }; void f(const struct s *s);";
    let bytes = world(packet).seen(r#"{"s":{"data":"aGk=","flags":255}}"#, 0);
    let flags = usize::from(super::HOST.pointer_bytes());
    assert_eq!(bytes[flags..flags + 4], [255, 2, 0, 0]);
    let (at, detail) = refused(packet, r#"{"s":{"data":"MDEyMzQ1Njc4OWFiY2RlZg==","flags":0}}"#);
    assert!(at == "/s/n" && detail.contains("4 bits"), "{at} {detail}");
}

#[test]
fn a_list_that_is_too_deep_is_refused() {
    let list = "struct node { int v; const struct node *next; }; void f(const struct node *list);";
    let deep = |depth: usize| format!(r#"{{"list":{}null{}}}"#, r#"{"v":1,"next":"#.repeat(depth), "}".repeat(depth));
    world(list).seen(&deep(60), 0);
    let (_, detail) = refused(list, &deep(20_000));
    assert!(detail.contains("more than 64 times"), "{detail}");
}
