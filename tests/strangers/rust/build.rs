//! The document becomes Rust.

use std::path::Path;
use std::{env, fs};

use serde_json::Value;

fn main() {
    let name = env::var("BRIDGE32_DOCUMENT").expect("BRIDGE32_DOCUMENT names the document");
    println!("cargo::rerun-if-env-changed=BRIDGE32_DOCUMENT");
    println!("cargo::rerun-if-changed={name}");
    let text = fs::read_to_string(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
    // YAML contains JSON.
    let mut document: Value = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    leave_out_what_progenitor_cannot_express(&mut document);
    let document = serde_json::from_value(document).unwrap_or_else(|error| panic!("{name}: {error}"));
    let tokens = progenitor::Generator::default().generate_tokens(&document).expect("progenitor accepts the document");
    let file = syn::parse2(tokens).expect("what progenitor generates is Rust");
    let place = Path::new(&env::var("OUT_DIR").expect("Cargo sets it")).join("client.rs");
    fs::write(place, prettyplease::unparse(&file)).expect("it can be written");
}

/// progenitor 0.15 takes one media type for a body, few of those that there are, and one type for all errors of an
/// operation, and one for all successes. Where JSON is offered beside others, it gets JSON; a header becomes plain text; that
/// `/readyz` says with 503 what it waits for is left out, and so is 202, which only whoever sends `Prefer` gets.
fn leave_out_what_progenitor_cannot_express(document: &mut Value) {
    if let Some(responses) = document.pointer_mut("/paths/~1readyz/get/responses").and_then(Value::as_object_mut) {
        responses.remove("503");
    }
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|path| path.values_mut()) {
        let body = operation.pointer_mut("/requestBody/content").into_iter();
        one_media_type(body.filter_map(Value::as_object_mut));
        let mut responses = operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().collect::<Vec<_>>();
        for responses in &mut responses {
            if ["200", "204"].iter().any(|other| responses.contains_key(*other)) {
                responses.remove("202");
            }
        }
        let contents = responses.into_iter().flat_map(|responses| responses.values_mut()).filter_map(|it| it.get_mut("content"));
        one_media_type(contents.filter_map(Value::as_object_mut));
    }
}

fn one_media_type<'a>(contents: impl Iterator<Item = &'a mut serde_json::Map<String, Value>>) {
    for content in contents {
        if content.contains_key("application/json") {
            content.retain(|media_type, _| media_type == "application/json");
        } else if let Some(header) = content.remove("text/x-c") {
            content.insert("text/plain".to_owned(), header);
        }
    }
}
