//! The document of a running gateway, against what its functions really take and answer.

use bridge32_interface::schema::json_schema;
use bridge32_tests::{Bridge, Target, Value, dist, fixture, json};
use jsonschema::Validator;

/// What an operation of a function says.
struct Operation {
    path: String,
    arguments: Option<Value>,
    takes: Option<Validator>,
    required: Vec<String>,
    answers: Validator,
}

impl Operation {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Libraries with all kinds of types, for 32 bits.
fn bridge() -> Bridge {
    let demo = dist::folder().join("demo");
    Bridge::start(|config| {
        for target in [Target::Linux32, Target::Win32] {
            for name in ["scalars", "passing", "text"] {
                let file = fixture::library(name, target);
                config.library(&format!("{name}-{}", target.name()), file).header(fixture::header(name));
            }
        }
        config.library("demo", demo.join("libdemo.so")).header(demo.join("demo.h"));
        config.library("z", "/usr/lib32/libz.so.1").header(demo.join("zlib.h"));
    })
}

/// The components that a schema leads to. All of them would have to be compiled for each operation.
fn collect(document: &Value, schema: &Value, needed: &mut serde_json::Map<String, Value>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                let name = reference.trim_start_matches("#/components/schemas/");
                let component = &document["components"]["schemas"][name];
                if !needed.contains_key(name) {
                    needed.insert(name.to_owned(), json_schema(component));
                    collect(document, component, needed);
                }
            }
            map.values().for_each(|inner| collect(document, inner, needed));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(document, inner, needed)),
        _ => {}
    }
}

/// The operations that call functions, with their schemas compiled.
fn operations(document: &Value) -> Vec<Operation> {
    let compile = |schema: &Value| {
        let mut needed = serde_json::Map::new();
        collect(document, schema, &mut needed);
        let schema = json!({"allOf": [json_schema(schema)], "components": {"schemas": needed}});
        jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{error}: {schema}"))
    };
    let paths = document["paths"].as_object().expect("the document has paths");
    let functions = paths.iter().filter(|(path, _)| path.contains("/functions/") && !path.contains('{'));
    let operation = |(path, item): (&String, &Value)| {
        let json = "application~1json";
        let at = |place: &str| item["post"].pointer(&format!("{place}/content/{json}"));
        let body = at("/requestBody");
        let named = body.and_then(|body| body["schema"]["$ref"].as_str());
        let schema = named.and_then(|named| document.pointer(named.trim_start_matches('#')));
        let required = schema.and_then(|schema| schema["required"].as_array()).into_iter().flatten();
        Operation {
            path: path.clone(),
            arguments: body.map(|body| body["example"].clone()),
            takes: body.map(|body| compile(&body["schema"])),
            required: required.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
            answers: compile(&at("/responses/200").expect("it says what it answers")["schema"]),
        }
    };
    functions.map(operation).collect()
}

#[test]
fn what_functions_answer_is_what_the_document_says() {
    let bridge = bridge();
    let operations = operations(&bridge.client().get("/openapi.json").ok());
    let mut answered = 0;
    for operation in operations.iter().filter(|operation| operation.name() != "Crash") {
        let arguments = operation.arguments.clone().unwrap_or_else(|| json!({}));
        let answer = bridge.client().post(&operation.path, &arguments);
        if answer.status == 200 {
            let body: Value = serde_json::from_str(&answer.text).unwrap();
            let wrong = operation.answers.validate(&body).err().map(|error| error.to_string());
            assert_eq!(wrong, None, "{} {arguments}: {body}", operation.path);
            answered += 1;
        } else {
            // Some of the fixtures answer what cannot be told, and handles of an example are not real.
            assert!([410, 422, 502].contains(&answer.status), "{} {arguments}: {}", operation.path, answer.text);
            assert!(!answer.text.contains("agent_crashed"), "{} {arguments}: {}", operation.path, answer.text);
        }
    }
    assert!(answered > 150 && answered * 10 > operations.len() * 9, "{answered} of {}", operations.len());
}

#[test]
fn what_the_document_does_not_allow_is_refused() {
    let bridge = bridge();
    let mut refused = 0;
    for operation in operations(&bridge.client().get("/openapi.json").ok()) {
        let (Some(arguments), Some(takes)) = (&operation.arguments, &operation.takes) else { continue };
        let mut wrong = vec![arguments.clone()];
        wrong[0]["no such parameter"] = json!(1);
        for name in &operation.required {
            let mut without = arguments.clone();
            without.as_object_mut().unwrap().remove(name);
            wrong.push(without);
            for value in [json!({"x": {}}), json!([[{}]]), json!(1e40), json!("no such name")] {
                let mut other = arguments.clone();
                other[name] = value;
                wrong.push(other);
            }
        }
        for arguments in wrong.iter().filter(|arguments| !takes.is_valid(arguments)) {
            bridge.client().post(&operation.path, arguments).refused(422, "argument_mismatch");
            refused += 1;
        }
    }
    assert!(refused > 400, "{refused}");
}

#[test]
fn the_document_is_not_sent_again_to_who_has_it() {
    let bridge = bridge();
    let first = bridge.client().get("/openapi.json");
    let etag = first.header("etag").expect("it has an entity tag").to_owned();
    let again = bridge.client().request("GET", "/openapi.json").header("if-none-match", &etag).send();
    assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(etag.as_str())));
    let other = bridge.client().request("GET", "/openapi.json").header("if-none-match", "\"x\"").send();
    assert_eq!(other.text, first.text);
    let address = first.ok()["servers"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(address, format!("http://{}", bridge.client().authority()));
}

#[test]
fn the_page_of_the_documentation_loads_nothing_from_elsewhere() {
    let bridge = bridge();
    let page = bridge.client().get("/docs");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    let parts = page.text.split(['"']).filter(|part| part.starts_with("/docs/"));
    for file in parts.clone() {
        assert_eq!(bridge.client().get(file).status, 200, "{file}");
    }
    assert_eq!(parts.count(), 3);
    assert!(!page.text.contains("http"), "{}", page.text);
    bridge.client().get("/docs/index.html").refused(404, "not_found");
    let elsewhere = bridge.client().get("/v1/libraries");
    assert!(elsewhere.header("content-security-policy").unwrap().starts_with("default-src 'none'; frame"));
}
