//! Which arguments may be left out: the schemas and the command line (both by `needs`) say what the marshaller does, for every
//! choice of the arguments of some prototypes.

use agent32::layout::HOST;
use bridge32_interface::needs;
use bridge32_interface::schema::{json_schema, schemas};
use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::{Direction, Interface};
use serde_json::{Map, Value, json};

use super::world::World;

/// Prototypes, the values that their arguments have where they are given, and where the schema is looser than the marshaller:
/// "a length that may be left out has to be given after all where no array tells it".
const PROTOTYPES: [(&str, &str); 12] = [
    ("int f(_In_reads_(*n) const int *v, const unsigned *n);", r#"{"v": [1, 2], "n": 2}"#),
    ("int f(_In_reads_(*n) const int *v, _In_opt_ const unsigned *n);", r#"{"v": [1, 2], "n": 2}"#),
    ("int f(_In_reads_opt_(*n) const int *v, _In_opt_ const unsigned *n);", r#"{"v": [1, 2], "n": 2}"#),
    ("int f(_In_reads_(*n * 2) const int *v, _In_opt_ const unsigned *n);", r#"{"v": [1, 2], "n": 1}"#),
    ("int f(_Out_writes_(*n) int *v, _In_opt_ const unsigned *n);", r#"{"n": 2}"#),
    ("int f(_Out_writes_opt_(*n) int *v, _Inout_opt_ unsigned *n);", r#"{"n": 2}"#),
    ("int f(_Out_writes_(*n) int *v, _Inout_ unsigned *n);", r#"{"n": 2}"#),
    ("int f(_Inout_updates_(*n) int *v, _Inout_ unsigned *n);", r#"{"v": [1, 2], "n": 2}"#),
    ("int f(_Inout_updates_opt_(*n) int *v, _In_opt_ const unsigned *n);", r#"{"v": [1, 2], "n": 2}"#),
    ("int f(_In_reads_opt_(n) const int *v, int n, _Inout_opt_ int *other);", r#"{"v": [1, 2], "n": 2, "other": 1}"#),
    (
        "int f(_In_opt_ const char *t, const char *u, _In_opt_ int (*c)(int a), HANDLE h);",
        r#"{"t": "x", "u": "x", "c": {}, "h": "@token"}"#,
    ),
    (
        "typedef struct { _Field_size_(*n) int *v; const unsigned *n; int m; } S; int f(const S *s, _Inout_opt_ S *t);",
        r#"{"s": {"v": [1], "m": 1}, "t": {}}"#,
    ),
];

/// Pointers that a header cannot make in-out; the marshaller has an answer for them.
const IN_OUT: [(&str, &str); 3] = [
    ("int f(_In_opt_ const char *t, int a);", r#"{"t": null, "a": 1}"#),
    ("int f(_In_opt_ BSTR t, int a);", r#"{"t": null, "a": 1}"#),
    ("int f(_In_opt_ HANDLE t, int a);", r#"{"t": null, "a": 1}"#),
];

fn interface(header: &str) -> Interface {
    let read = read(&[Source { name: "test.h", text: header.as_bytes() }], &Options::new(HOST));
    assert_eq!(read.interface.functions[0].unsupported, None, "{header}");
    read.interface
}

/// Leaves out every choice of the arguments.
fn check(header: &str, interface: &Interface, whole: &str) {
    let world = World::of(interface.clone());
    let whole: Map<String, Value> = serde_json::from_str(&whole.replace("@token", world.token())).expect("an object");
    let described = schemas(interface, HOST, "test", &mut str::to_owned);
    let named = described.components.iter().chain(&described.shared);
    let components: Map<String, Value> = named.map(|(name, it)| (name.clone(), json_schema(it))).collect();
    let root = json!({"allOf": [json_schema(&described.functions[&0].arguments.schema)], "components": {"schemas": components}});
    let validator = jsonschema::validator_for(&root).expect("a schema");
    for choice in 0..1_u32 << whole.len() {
        let chosen = whole.iter().enumerate().filter(|(index, _)| choice >> index & 1 == 1);
        let given: Map<String, Value> = chosen.map(|(_, (name, value))| (name.clone(), value.clone())).collect();
        let lacking = needs::missing(&interface.functions[0], |name| given.contains_key(name));
        let given = Value::from(given);
        let refused = world.marshal(0, &given).err();
        let accepted = refused.is_none();
        assert_eq!(lacking.is_empty(), accepted, "{header} {given}: {refused:?}, and {} is missing", lacking.len());
        assert!(validator.is_valid(&given) || !accepted, "{header}: {given} is taken and does not fit");
        // The schema cannot say that one of two has to be there.
        let looser = needs::of(&interface.functions[0]).iter().any(|need| matches!(need, needs::Need::LengthOf(_)));
        assert!(
            !validator.is_valid(&given) || accepted || looser,
            "{header}: {given} fits and is refused: {refused:?}"
        );
    }
}

#[test]
fn what_may_be_left_out_is_what_the_marshaller_goes_without() {
    for (header, whole) in PROTOTYPES {
        check(header, &interface(header), whole);
    }
    for (header, whole) in IN_OUT {
        let mut interface = interface(header);
        interface.functions[0].parameters[0].direction = Direction::InOut;
        check(header, &interface, whole);
    }
}

#[test]
fn what_is_said_to_be_the_length_if_it_is_left_out_is_it() {
    for (header, whole) in PROTOTYPES {
        let interface = interface(header);
        let world = World::of(interface.clone());
        for (need, parameter) in needs::of(&interface.functions[0]).iter().zip(&interface.functions[0].parameters) {
            let needs::Need::LengthOf(arrays) = need else { continue };
            let mut given: Map<String, Value> = serde_json::from_str(whole).expect("an object");
            assert!(arrays.iter().all(|array| given.contains_key(*array)), "{header}");
            let whole = world.answer(0, &given.clone().into(), 0);
            given.remove(&parameter.name);
            assert_eq!(world.answer(0, &given.into(), 0), whole, "{header}");
        }
    }
}
