//! What the schemas of each kind of type say.

use bridge32_interface::schema::{Schemas, schemas};
use bridge32_interface::{Options, Source, read};
use bridge32_protocol::interface::Int64;
use bridge32_protocol::target::Target;
use serde_json::{Value, json};

fn of(header: &str, target: Target) -> Schemas {
    let header = read(&[Source { name: "test.h", text: header.as_bytes() }], &Options::new(target));
    for function in &header.interface.functions {
        assert_eq!(function.unsupported, None, "{}", function.name);
    }
    schemas(&header.interface, target, "test", &mut |name| format!("test_{name}"))
}

/// The arguments, the result and the outputs of the first function.
fn first(header: &str) -> (Value, Value, Value) {
    let schemas = of(header, Target::Linux32);
    let function = schemas.functions.into_values().next().expect("it declares one");
    (function.arguments.schema, function.result.schema, function.outputs.schema)
}

fn argument(header: &str, name: &str) -> Value {
    first(header).0["properties"][name].clone()
}

fn integer(format: &str, least: i64, most: u64) -> Value {
    json!({"type": "integer", "format": format, "minimum": least, "maximum": most})
}

#[test]
fn integers_have_the_range_of_the_target_and_a_format_with_room_for_it() {
    for (ty, expected) in [
        ("signed char", integer("int32", -128, 127)),
        ("unsigned short", integer("int32", 0, 65_535)),
        ("int", integer("int32", i32::MIN.into(), i32::MAX.unsigned_abs().into())),
        ("unsigned int", integer("int64", 0, u32::MAX.into())),
        ("long long", integer("int64", i64::MIN, i64::MAX.unsigned_abs())),
        ("unsigned long long", integer("int64", 0, u64::MAX)),
        ("size_t", integer("int64", 0, u32::MAX.into())),
    ] {
        assert_eq!(argument(&format!("void f({ty} a);"), "a"), expected, "{ty}");
    }
    let wide =
        |header: &str, target| of(header, target).functions[&0].arguments.schema["properties"]["a"]["maximum"].clone();
    let longs = Target::ALL.map(|target| wide("void f(long a);", target));
    let (narrow, most) = (json!(i32::MAX), json!(i64::MAX));
    assert_eq!(longs, [narrow.clone(), narrow.clone(), most.clone(), narrow]);
    assert_eq!(wide("void f(wchar_t a);", Target::Win32), 65_535);
    assert_eq!(wide("void f(size_t a);", Target::Win64), u64::MAX);
}

#[test]
fn integers_of_64_bits_are_text_where_the_library_answers_them_so() {
    let text = "unsigned long long f(long long a, int b);";
    let mut header = read(&[Source { name: "test.h", text: text.as_bytes() }], &Options::new(Target::Linux32));
    header.interface.int64 = Int64::String;
    let schemas = schemas(&header.interface, Target::Linux32, "test", &mut |name| name.to_owned());
    let function = &schemas.functions[&0];
    let properties = &function.arguments.schema["properties"];
    assert_eq!((&properties["a"]["type"], &properties["b"]["type"]), (&json!("string"), &json!("integer")));
    assert_eq!(properties["a"]["pattern"], "^-?[0-9]{1,19}$");
    assert_eq!(function.result.schema["pattern"], "^[0-9]{1,20}$");
    assert_eq!(function.arguments.example, Some(json!({"a": "1", "b": 1})));
}

#[test]
fn floats_are_given_as_numbers_and_told_with_the_names_of_what_is_no_number() {
    let (arguments, result, _) = first("double f(double x, float y);");
    assert_eq!(arguments["properties"]["x"], json!({"type": "number", "format": "double"}));
    assert_eq!(arguments["properties"]["y"]["maximum"], f64::from(f32::MAX));
    assert_eq!(result, json!({"$ref": "#/components/schemas/DoubleValue"}));
    let shared = of("double f(double x);", Target::Linux32).shared;
    assert_eq!(shared.keys().collect::<Vec<_>>(), ["DoubleValue", "NotFinite"], "only what is needed");
    assert_eq!(shared["NotFinite"]["enum"], json!(["NaN", "Infinity", "-Infinity"]));
}

#[test]
fn an_enumeration_is_a_name_or_a_number() {
    let schemas = of("enum color { RED, BLUE = 7 }; enum color f(enum color c);", Target::Linux32);
    let (name, component) = schemas.components.iter().find(|(_, it)| it.get("anyOf").is_some()).unwrap();
    assert_eq!(name, "test_color");
    assert_eq!(component["anyOf"][0]["$ref"], "#/components/schemas/test_colorName");
    assert_eq!(component["anyOf"][1]["type"], "integer");
    assert_eq!(schemas.components["test_colorName"]["enum"], json!(["RED", "BLUE"]));
    assert_eq!(schemas.functions[&0].arguments.example, Some(json!({"c": "RED"})));
}

#[test]
fn what_may_be_left_out_is_not_required() {
    let (arguments, _, outputs) = first(
        "int f(_In_reads_(n) const int *items, int n, _In_opt_ const char *name, _Inout_ int *state, _Out_ int *made);",
    );
    assert_eq!(arguments["required"], json!(["items"]));
    assert_eq!(arguments["properties"]["name"]["nullable"], true);
    assert!(arguments["properties"]["n"]["description"].as_str().unwrap().contains("the length of `items`"));
    assert_eq!(arguments["properties"].get("made"), None, "an output is not in the request");
    assert_eq!(arguments["additionalProperties"], false);
    assert_eq!(outputs["required"], json!(["state", "made"]));
}

#[test]
fn the_example_of_a_length_is_that_of_the_buffers_in_the_example() {
    let text = "int f(_Out_writes_bytes_(*n) unsigned char *to, _Inout_ unsigned long *n, _In_reads_(count) const int *from, \
                int count);";
    let schemas = of(text, Target::Linux32);
    assert_eq!(schemas.functions[&0].arguments.example, Some(json!({"n": 64, "from": [1, 1]})));
}

#[test]
fn a_length_that_only_an_output_has_must_be_given() {
    let (arguments, _, outputs) =
        first("int f(_Out_writes_bytes_to_(*size, *size) void *data, _Inout_ unsigned *size);");
    assert_eq!(arguments["required"], json!(["size"]));
    assert_eq!(outputs["properties"]["data"], json!({"type": "string", "format": "byte"}));
}

#[test]
fn constant_lengths_are_limits() {
    let header =
        "int f(_In_reads_(4) const short *a, _Inout_updates_(4) short *b, _In_reads_bytes_(16) const void *c);";
    let (arguments, _, outputs) = first(header);
    let limits = |schema: &Value| (schema["minItems"].as_u64(), schema["maxItems"].as_u64());
    assert_eq!(limits(&arguments["properties"]["a"]), (Some(4), None), "more than the function reads does no harm");
    assert_eq!(limits(&arguments["properties"]["b"]), (None, Some(4)), "the rest is zero");
    assert_eq!(limits(&outputs["properties"]["b"]), (Some(4), Some(4)));
    assert_eq!(arguments["properties"]["c"]["minLength"], 24, "of base64");
}

#[test]
fn a_structure_has_one_schema_as_long_as_nothing_tells_its_uses_apart() {
    let same = "typedef struct { int x, y; } Point; Point f(Point p);";
    assert_eq!(of(same, Target::Linux32).components.keys().collect::<Vec<_>>(), ["test_Point"]);
    let partly = "typedef struct { int x, y; } Point; int f(_Inout_ Point *p);";
    assert_eq!(of(partly, Target::Linux32).components.keys().collect::<Vec<_>>(), ["test_Point", "test_PointUpdate"]);
    let named = "typedef struct { int id; const char *name; } Item; Item f(Item item);";
    let components = of(named, Target::Linux32).components;
    assert_eq!(components["test_Item"]["required"], json!(["id", "name"]));
    assert_eq!(components["test_ItemInput"]["required"], json!(["id"]), "a pointer that is left out is null");
}

#[test]
fn a_union_is_given_by_one_member_and_told_by_all() {
    let components = of("typedef union { int i; unsigned u; } Either; Either f(Either e);", Target::Linux32).components;
    assert_eq!(components["test_Either"]["required"], json!(["i", "u"]));
    let given = &components["test_EitherInput"];
    assert_eq!((&given["minProperties"], &given["maxProperties"]), (&json!(1), &json!(1)));
}

#[test]
fn members_of_an_anonymous_structure_are_those_of_the_one_around_it() {
    let header = "typedef struct { int id; union { struct { short lo, hi; }; int whole; }; unsigned flag : 3; int : 0; } Odd; Odd f(void);";
    let components = of(header, Target::Linux32).components;
    let properties = components["test_Odd"]["properties"].as_object().unwrap();
    assert_eq!(
        properties.keys().collect::<Vec<_>>(),
        ["id", "lo", "hi", "whole", "flag"],
        "in the order of the header"
    );
    assert_eq!(properties["flag"], integer("int32", 0, 7));
}

#[test]
fn a_list_ends_somewhere_as_a_handle() {
    let header = "typedef struct Node { int value; const struct Node *next; } Node; const Node *f(const Node *list);";
    let schemas = of(header, Target::Linux32);
    let next = &schemas.components["test_Node"]["properties"]["next"];
    assert_eq!(next["anyOf"][0]["$ref"], "#/components/schemas/test_Node");
    assert_eq!(next["anyOf"][1], json!({"type": "string", "format": "handle", "nullable": true}));
    assert_eq!(schemas.functions[&0].arguments.example, Some(json!({"list": {"value": 1}})));
}

#[test]
fn handles_are_text_that_says_of_what_kind() {
    let (arguments, result, _) = first("typedef struct db db; db *f(db *other, _In_opt_ db *more);");
    let handle = json!({"type": "string", "format": "handle", "description": "A handle of kind `db`."});
    assert_eq!(arguments["properties"]["other"], handle);
    assert_eq!((&arguments["required"], &result["nullable"]), (&json!(["other"]), &json!(true)));
}

#[test]
fn a_callback_is_described_in_the_terms_of_its_own_types() {
    let header = "void f(int (*compare)(const int *a, const int *b, const char *name));";
    let (arguments, _, outputs) = first(header);
    let given = &arguments["properties"]["compare"]["properties"];
    assert_eq!(given["returns"]["maximum"], i32::MAX);
    assert_eq!(given["compare"]["items"]["enum"], json!(["a", "b"]), "two numbers, or two texts");
    assert_eq!(given["table"]["items"]["properties"]["when"]["properties"]["name"]["nullable"], true);
    let told = &outputs["properties"]["compare"]["properties"]["invocations"]["items"]["properties"]["args"];
    assert_eq!(told["required"], json!(["a", "b", "name"]));
}

#[test]
fn what_follows_the_parameters_is_a_list() {
    let (arguments, _, outputs) = first("int f(const char *format, ...);");
    assert_eq!(arguments["properties"]["..."]["items"]["$ref"], "#/components/schemas/VariadicArgument");
    assert_eq!((&arguments["required"], outputs.get("required")), (&json!(["format"]), None));
}

#[test]
fn comments_become_descriptions() {
    let header = "/** Adds.\n * @param[in] a the one\n * @return the sum */\nint f(int a, int b);";
    let (arguments, result, _) = first(header);
    assert_eq!(
        (&arguments["properties"]["a"]["description"], &result["description"]),
        (&json!("the one"), &json!("the sum"))
    );
}

/// How long all that is said of a header is, as JSON, and its arguments' examples.
fn written(header: &str) -> (usize, Vec<Option<Value>>) {
    let Schemas { functions, components, shared, .. } = of(header, Target::Linux32);
    let described = functions.values().flat_map(|it| [&it.arguments, &it.outputs, &it.result]);
    let described: Vec<String> =
        described.map(|it| format!("{}{}", it.schema, it.example.clone().unwrap_or_default())).collect();
    let length = described.concat().len() + json!(components).to_string().len() + json!(shared).to_string().len();
    (length, functions.into_values().map(|it| it.arguments.example).collect())
}

#[test]
fn arrays_of_arrays_have_exact_schemas_and_no_long_example() {
    for count in [100, 700, 60_000] {
        let header = format!(
            "typedef struct {{ short m[{count}][{count}][{count}]; }} Cube; int f(const Cube *c); int g(_Inout_ Cube *c);"
        );
        let (length, examples) = written(&header);
        assert!(length < 10_000, "{length}");
        assert_eq!(examples[0], None, "it would have too many values");
        let cube = of(&header, Target::Linux32).components["test_Cube"]["properties"]["m"].clone();
        for inner in [&cube, &cube["items"], &cube["items"]["items"]] {
            assert_eq!((&inner["minItems"], &inner["maxItems"]), (&json!(count), &json!(count)));
        }
    }
}

#[test]
fn structures_of_structures_with_arrays_have_no_long_example() {
    let header = "typedef struct { int v[1000]; } A; typedef struct { A a[1000]; } B; typedef struct { B b[1000]; } C;
        extern C kept; int f(const B *b, C c); B g(void); int h(_Inout_ B *b, _In_reads_(3) const A *a, _Out_ C *c);";
    let (length, examples) = written(header);
    assert!(length < 20_000, "{length}");
    assert_eq!(examples, [None, Some(json!({})), None]);
    let components = of(header, Target::Linux32).components;
    assert_eq!(components["test_A"]["properties"]["v"]["minItems"], 1000);
    assert_eq!(components["test_B"]["properties"]["a"]["maxItems"], 1000);
}

#[test]
fn pointers_that_lead_to_many_pointers_are_followed_in_examples_as_long_as_they_are_short() {
    let chain = "typedef struct { _Field_size_(1000) short *a; } A; typedef struct { _Field_size_(1000) A *a; } B;
        typedef struct { _Field_size_(1000) B *b, *c; } C; typedef struct { const C *c, *d; } D;
        const D *f(const D *d); int g(_In_reads_opt_(1000) const C *c, int n); int h(_In_reads_(2) const B *b);";
    let (length, examples) = written(chain);
    assert!(length < 20_000, "{length}");
    assert_eq!(examples[1], Some(json!({"n": 1})), "what need not be there is not in it");
    assert_eq!(examples[2], Some(json!({"b": [{"a": null}, {"a": null}]})));
    let doubled = |n| format!("typedef struct {{ const S{m} *a, *b; S{m} *c; }} S{n};", m = n - 1);
    let doubled = (1..40).map(doubled).collect::<Vec<_>>().concat();
    let (length, _) = written(&format!("typedef struct {{ int x; }} S0; {doubled} const S39 *f(const S39 *s);"));
    assert!(length < 200_000, "{length}");
}
