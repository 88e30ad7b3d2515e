//! The document of the API and the routes of the gateway say the same.

use std::collections::BTreeSet;

use bridge32_gateway::error::Code;
use bridge32_gateway::openapi::control_plane as document;
use bridge32_gateway::router::{Route, routes};
use bridge32_interface::schema::json_schema;
use bridge32_signature::{Key, Request, verify};
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// `(method, path, operation)` of everything that the document describes.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("the document has paths");
    let of_path = |(path, item): (&String, &Value)| {
        let operation = |method: &&str| item.get(*method).map(|it| (method.to_uppercase(), path.clone(), it.clone()));
        METHODS.iter().filter_map(operation).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn every_route_is_documented_and_everything_documented_is_a_route() {
    let documented: BTreeSet<_> = operations(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<_> = routes()
        .into_iter()
        .filter(Route::in_contract)
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(documented, routed);
}

#[test]
fn every_operation_has_a_name_a_summary_and_its_errors() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document()) {
        let place = format!("{method} {path}");
        let name = operation["operationId"].as_str().unwrap_or_default().to_owned();
        assert!(names.insert(name.clone()) && !name.is_empty(), "{place}: operationId `{name}`");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 5), "{place}");
        assert!(operation["description"].as_str().is_some_and(|text| text.len() > 20), "{place} is described");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("403"), "{place} can be refused for its Host");
        let public = operation["security"].as_array().is_some_and(Vec::is_empty);
        assert_eq!(responses.contains_key("401"), !public, "{place}");
    }
}

#[test]
fn every_parameter_of_a_path_is_described() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let expected: BTreeSet<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let named = |parameter: &Value| {
            let reference = parameter["$ref"].as_str().map(|reference| reference.trim_start_matches('#'));
            let parameter = reference.map_or(Some(parameter), |reference| document.pointer(reference)).cloned();
            parameter.and_then(|parameter| parameter["name"].as_str().map(str::to_owned)).unwrap()
        };
        let described: BTreeSet<String> = item["parameters"].as_array().into_iter().flatten().map(named).collect();
        assert_eq!(described, expected.into_iter().map(str::to_owned).collect(), "{path}");
    }
}

#[test]
fn every_code_of_a_problem_is_in_the_document_and_shown_with_its_status() {
    let document = document();
    let listed = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].as_array().unwrap();
    let listed: BTreeSet<&str> = listed.iter().filter_map(Value::as_str).collect();
    assert_eq!(listed, Code::ALL.iter().map(|code| code.name()).collect());
    let responses = document["components"]["responses"].as_object().unwrap();
    // The one that is no refusal.
    for (name, response) in responses.iter().filter(|(name, _)| *name != "Accepted") {
        let example = &response["content"]["application/problem+json"]["example"];
        let code = Code::ALL.iter().find(|code| example["code"] == code.name()).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(example["status"], code.status().as_u16(), "{name}");
        assert_eq!(example["title"], code.title(), "{name}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|inner| walk(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    walk(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

/// In YAML's short form a comma ends a text that is not quoted, and what follows becomes a member without a value.
#[test]
fn no_text_is_cut_off_at_a_comma() {
    fn walk(value: &Value, place: &str) {
        match value {
            Value::Object(map) => map.iter().filter(|(key, _)| *key != "example").for_each(|(key, inner)| {
                assert!(!inner.is_null(), "{place}: `{key}` has no value");
                walk(inner, &format!("{place}/{key}"));
            }),
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, place)),
            _ => {}
        }
    }
    walk(&document(), "");
}

/// Every place where the document shows something of a type: where it is, what it says, and what it shows.
fn shown(document: &Value) -> Vec<(String, Value, Value)> {
    fn walk(value: &Value, place: &str, found: &mut Vec<(String, Value, Value)>) {
        match value {
            Value::Object(map) => {
                if let (Some(schema), Some(example)) = (map.get("schema"), map.get("example")) {
                    found.push((place.to_owned(), schema.clone(), example.clone()));
                }
                if let (Some(schema), Some(examples)) =
                    (map.get("schema"), map.get("examples").and_then(Value::as_object))
                {
                    let one = |(name, it): (&String, &Value)| {
                        (format!("{place}/{name}"), schema.clone(), it["value"].clone())
                    };
                    found.extend(examples.iter().map(one));
                }
                if let (Some(_), Some(example)) = (map.get("type"), map.get("example")) {
                    found.push((place.to_owned(), value.clone(), example.clone()));
                }
                for (key, inner) in map.iter().filter(|(key, _)| *key != "example" && *key != "examples") {
                    walk(inner, &format!("{place}/{key}"), found);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    walk(inner, &format!("{place}/{index}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(document, "", &mut found);
    found
}

#[test]
fn every_example_fits_its_schema() {
    let document = document();
    let components = json_schema(&document["components"]);
    let shown = shown(&document);
    assert!(shown.len() > 50, "{}", shown.len());
    for (place, schema, example) in shown {
        let schema = json!({"allOf": [json_schema(&schema)], "components": components});
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{place}: {error}"));
        if let Err(error) = validator.validate(&example) {
            panic!("{place}: {error}: {example}");
        }
    }
}

#[test]
fn every_answer_with_a_body_is_shown() {
    for (method, path, operation) in operations(&document()) {
        let responses = operation["responses"].as_object().unwrap();
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with('2')) {
            for (kind, media) in response["content"].as_object().into_iter().flatten() {
                // What bytes look like says nothing.
                let bytes = kind == "application/octet-stream";
                assert!(bytes || media.get("example").is_some(), "{method} {path} {status} {kind}");
            }
        }
    }
}

#[test]
fn every_parameter_is_described() {
    let document = document();
    let resolve = |parameter: &Value| match parameter["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap().clone(),
        None => parameter.clone(),
    };
    let items = document["paths"].as_object().unwrap().iter();
    for (path, item) in items {
        let of_operations = METHODS.iter().filter_map(|method| item.get(*method));
        for owner in of_operations.chain([item]) {
            for parameter in owner["parameters"].as_array().into_iter().flatten().map(resolve) {
                assert!(parameter["description"].is_string(), "{path}: {parameter}");
                assert!(parameter.get("example").is_some(), "{path}: {parameter}");
            }
        }
    }
}

#[test]
fn every_operation_says_the_scope_that_its_route_needs() {
    let document = document();
    for route in routes().into_iter().filter(Route::in_contract) {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let said = operation.get("x-scope").and_then(Value::as_str);
        assert_eq!(said, route.scope(), "{} {}", route.method, route.path);
    }
}

/// Whoever follows the description of the signature, with its secret, gets the signature that it shows.
#[test]
fn the_signature_that_is_shown_is_a_good_one() {
    let document = document();
    let text = document["components"]["securitySchemes"]["signature"]["description"].as_str().unwrap();
    let header = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
        (HeaderName::try_from(name.to_lowercase()).unwrap(), line.unwrap_or_else(|| panic!("{name}")).parse().unwrap())
    };
    let headers = HeaderMap::from_iter(["Content-Digest", "Signature-Input", "Signature"].map(header));
    let secret: Vec<u8> = (0..32).collect();
    let key = Key::new("ci", &secret).unwrap();
    let target = "/v1/libraries/calc/functions/Add";
    let request = Request { method: "POST", scheme: "http", authority: "127.0.0.1:8032", target };
    let verified =
        verify(&request, &headers, b"{\"a\": 2, \"b\": 3}", |id| (id == "ci").then_some(&key), 1_769_900_000);
    assert!(verified.is_ok(), "{verified:?}");
}
