//! The document of a gateway: the contract, and one operation for each function, whatever the headers declare.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::collections::{BTreeSet, HashSet};

use bridge32_gateway::openapi::{Part, Server, document};
use bridge32_interface::schema::json_schema;
use bridge32_interface::{Header, Options, Source, read};
use bridge32_protocol::target::Target;
use proptest::prelude::*;
use serde_json::{Value, json};

fn header(text: &str) -> Header {
    read(&[Source { name: "test.h", text: text.as_bytes() }], &Options::new(Target::Linux32))
}

fn part<'a>(name: &'a str, header: &'a Header) -> Part<'a> {
    Part { name, file: format!("lib{name}.so"), headers: vec!["test.h".to_owned()], header, target: Target::Linux32 }
}

fn server() -> Server {
    Server { urls: vec!["http://127.0.0.1:8032".to_owned()], signed: true }
}

fn of(text: &str) -> Value {
    document(&server(), &[part("test", &header(text))])
}

/// Every operation of a document.
fn operations(document: &Value) -> Vec<&Value> {
    let items = document["paths"].as_object().unwrap().values();
    items.flat_map(|item| item.as_object().unwrap().values()).filter(|it| it.get("operationId").is_some()).collect()
}

/// What every document has to be, whatever is declared.
fn check(document: &Value) {
    let mut ids = HashSet::new();
    for operation in operations(document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_lowercase().replace('_', "")), "{id} is taken, for some language");
        assert!(is_name(id) && operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{operation}");
    }
    let mut components = HashSet::new();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(is_name(name) && components.insert(name.to_lowercase().replace('_', "")), "{name}");
    }
    let mut used = BTreeSet::new();
    references(document, &mut used);
    for reference in &used {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(used.contains(format!("#/components/schemas/{name}").as_str()), "{name} is used");
    }
}

fn is_name(name: &str) -> bool {
    let legal = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    legal && name.len() < 140 && name.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str));
            for inner in map.values() {
                references(inner, found);
            }
        }
        Value::Array(items) => {
            for inner in items {
                references(inner, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_operations_of_the_demo() {
    let header = header(include_str!("../../demo/demo.h"));
    let document = document(&server(), &[part("demo", &header)]);
    check(&document);
    let ours = |name: &&String| name.starts_with("demo_") || name.starts_with("/v1/libraries/demo/");
    let only = |all: &Value| {
        let all = all.as_object().unwrap();
        all.iter().filter(|(name, _)| ours(name)).map(|(name, it)| (name.clone(), it.clone())).collect()
    };
    let paths: serde_json::Map<String, Value> = only(&document["paths"]);
    let schemas: serde_json::Map<String, Value> = only(&document["components"]["schemas"]);
    insta::assert_json_snapshot!("demo", json!({"paths": paths, "schemas": schemas}));
}

#[test]
fn every_example_of_an_operation_fits_its_schema() {
    for text in [include_str!("../../fuzz/src/marshal.h"), include_str!("../../tests/fixtures/sqlite3.h")] {
        let document = of(text);
        check(&document);
        let components = json_schema(&document["components"]);
        let mut shown = 0;
        for operation in operations(&document).iter().filter(|it| it["tags"][0] == "test") {
            let answers = ["/responses/200/content/application~1json", "/requestBody/content/application~1json"];
            for media in answers.iter().filter_map(|place| operation.pointer(place)) {
                let Some(example) = media.get("example") else { continue };
                let schema = json!({"allOf": [json_schema(&media["schema"])], "components": components});
                let validator = jsonschema::validator_for(&schema).unwrap();
                assert!(validator.is_valid(example), "{}: {example}", operation["operationId"]);
                shown += 1;
            }
        }
        assert!(shown > 20, "{shown}");
    }
}

#[test]
fn what_cannot_be_called_is_named_with_its_reason() {
    let document = of("int Fine(int a); int Odd(void *buffer, long double x);");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/v1/libraries/test/functions/Fine"));
    assert!(!paths.contains_key("/v1/libraries/test/functions/Odd"));
    let tag = document["tags"].as_array().unwrap().iter().find(|tag| tag["name"] == "test").unwrap();
    assert!(tag["description"].as_str().unwrap().contains("- `Odd`: "), "{tag}");
}

#[test]
fn comments_are_told_and_nothing_in_them_is_markup() {
    let document = of(
        "/** Reads <b>one</b> card. 读一张卡。\n *  See <stdio.h> & `x`, 1 < 2. <script>alert(1)</script> */ int Read(int port);",
    );
    let operation = &document["paths"]["/v1/libraries/test/functions/Read"]["post"];
    assert_eq!(operation["summary"], "Reads one card", "Doxygen's own HTML is no text");
    let description = operation["description"].as_str().unwrap();
    assert!(description.contains("\\<stdio.h>") && description.contains("1 < 2"), "{description}");
    assert!(description.contains("读一张卡。") && description.contains("\\<script>"), "{description}");
    assert!(description.ends_with("```c\nint Read(int port);\n```"), "{description}");
}

#[test]
fn hostile_names_become_names_that_every_language_takes() {
    let long = "L".repeat(300);
    let text = format!(
        "typedef struct {{ int class, def, type, from; }} import; int {long}(int a); int {long}2(int a); int class(import x); \
         int Class(import x); int c_l_a_s_s(int self); int lambda(int None, int _, int __proto__);"
    );
    let header = header(&text);
    let libraries = ["2.0", "a", "a_b", "calls", "list"].map(|name| part(name, &header));
    let document = document(&server(), &libraries);
    check(&document);
    assert!(
        document["components"]["schemas"]["a_import"]["properties"]["from"].is_object(),
        "members keep their names"
    );
    let tags: Vec<&str> = document["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
    assert_eq!(tags.iter().collect::<HashSet<_>>().len(), tags.len(), "{tags:?}");
}

#[test]
fn names_of_two_libraries_are_never_the_same() {
    let (one, other) = (header("int b_c(int a);"), header("int c(int a);"));
    let document = document(&server(), &[part("a", &one), part("a_b", &other)]);
    check(&document);
    let id = |path: &str| document["paths"][path]["post"]["operationId"].clone();
    assert_eq!(id("/v1/libraries/a/functions/b_c"), "a_b_c");
    assert_eq!(id("/v1/libraries/a_b/functions/c"), "a_b_c_2");
}

#[test]
fn a_variable_has_operations_of_its_own() {
    let document = of("/** How many. */ extern int counter; extern const int version;");
    check(&document);
    let of = |name: &str| document["paths"][format!("/v1/libraries/test/variables/{name}")].clone();
    assert_eq!(of("counter")["put"]["operationId"], "test_counter_write");
    assert_eq!(of("counter")["get"]["x-scope"], "call:test.counter");
    assert_eq!(of("version").get("put"), None, "what is const is only read");
}

/// A type, or a declaration that one needs.
fn types() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "int",
        "unsigned char",
        "long long",
        "double",
        "bool",
        "const char *",
        "Color",
        "Point",
        "const Point *",
        "Point *",
        "Either",
        "const List *",
        "List *",
        "Opaque *",
        "void *",
        "wchar_t",
        "float *",
        "const wchar_t *",
        "Nested",
        "HANDLE",
        "int (*)(int a, const char *b)",
        "char **",
        "Opaque **",
        "const void *",
    ])
}

const TYPES: &str = "typedef enum { RED, GREEN = 5 } Color; typedef struct { int x; double y; } Point; \
    typedef union { int i; struct { short lo, hi; }; Point p; } Either; typedef struct Opaque Opaque; \
    typedef struct List { int n; _Field_size_(n) const struct List *children; const char *text; } List; \
    typedef struct { Point corners[2]; char name[8]; Either either; unsigned bits : 3; Opaque *owner; } Nested;";

prop_compose! {
    fn function()(
        result in types(),
        name in "[A-Za-z_][A-Za-z0-9_]{0,8}",
        parameters in prop::collection::vec((types(), prop::sample::select(vec!["", "_In_ ", "_Out_ ", "_Inout_ "])), 0..5),
    ) -> String {
        let parameter = |(index, (ty, annotation)): (usize, &(&str, &str))| match ty.split_once("(*)") {
            Some((before, after)) => format!("{before}(*p{index}){after}"),
            None => format!("{annotation}{ty} p{index}"),
        };
        let list = parameters.iter().enumerate().map(parameter).collect::<Vec<_>>().join(", ");
        let result = if result.contains("(*)") { "int" } else { result };
        format!("{result} {name}({list});")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_header_declares_the_document_is_sound(functions in prop::collection::vec(function(), 0..12)) {
        check(&of(&format!("{TYPES}\n{}", functions.join("\n"))));
    }
}

#[test]
fn who_must_sign_is_told_so_and_who_need_not_is_not() {
    let security = |signed| document(&Server { signed, ..server() }, &[])["security"].clone();
    assert_eq!((security(true), security(false)), (json!([{"signature": []}]), json!([{}])));
}

#[test]
fn hundreds_of_functions_are_hundreds_of_operations() {
    use std::fmt::Write as _;
    let mut text = String::from(TYPES);
    for number in 0..300 {
        let _ = writeln!(
            text,
            "/** Does {number}. */ int f{number}(const char *name, _Inout_ Nested *nested, const List *list);"
        );
    }
    let document = of(&text);
    check(&document);
    let calls = document["paths"].as_object().unwrap().keys().filter(|path| path.contains("/test/functions/f"));
    assert_eq!(calls.count(), 300);
}

#[test]
fn long_arrays_of_arrays_make_no_long_document() {
    let described = of("typedef struct { short m[700][700][700]; } Cube; typedef struct { int v[1000]; } A;
        typedef struct { A a[1000]; } B; extern B kept;
        int first(const Cube *cube); int second(_Inout_ Cube *cube, B b); B third(void);");
    check(&described);
    let more = described.to_string().len() - document(&server(), &[]).to_string().len();
    assert!(more < 50_000, "{more}");
}
