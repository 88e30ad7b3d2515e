//! What the document says of buffers of bytes that are no JSON.

use bridge32_interface::places::byte_buffers;
use bridge32_protocol::interface::{Direction, Function};
use serde_json::{Map, Value, json};

/// The buffers that a function takes.
fn inputs(function: &Function) -> Vec<&str> {
    byte_buffers(function)
        .filter(|parameter| parameter.direction != Direction::Out)
        .map(|parameter| &*parameter.name)
        .collect()
}

/// Those that come out of it.
fn outputs(function: &Function) -> Vec<&str> {
    byte_buffers(function)
        .filter(|parameter| parameter.direction != Direction::In)
        .map(|parameter| &*parameter.name)
        .collect()
}

/// Whether a body can be the only one that it takes.
pub(super) fn is_one(function: &Function) -> bool {
    inputs(function).len() == 1
}

/// The media types of the body besides JSON. `arguments` is the schema of the arguments as JSON.
pub(super) fn content(function: &Function, arguments: &Value) -> Vec<(&'static str, Value)> {
    let inputs = inputs(function);
    let binary = || json!({"type": "string", "format": "binary"});
    let mut content = Vec::new();
    if is_one(function) {
        content.push(("application/octet-stream", json!({"schema": binary()})));
    }
    if !inputs.is_empty() {
        let is_required =
            |name: &str| arguments["required"].as_array().is_some_and(|all| all.iter().any(|each| each == name));
        let required: Vec<&str> = inputs.iter().copied().filter(|name| is_required(name)).collect();
        let mut properties: Map<String, Value> = inputs.iter().map(|name| ((*name).to_owned(), binary())).collect();
        let others =
            json!({"type": "object", "description": "The other arguments by name", "additionalProperties": true});
        properties.insert("args".to_owned(), others);
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        content.push(("multipart/form-data", json!({"schema": schema})));
    }
    content
}

/// What is to be said of the answer: its types are described at `callFunction`, and would be more to tell apart in each answer.
pub(super) fn remarks(function: &Function) -> Vec<String> {
    let outputs = outputs(function);
    let one = if outputs.len() == 1 { "`Accept: application/octet-stream` or " } else { "" };
    if outputs.is_empty() {
        return Vec::new();
    }
    let names = outputs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    vec![format!("With {one}`Accept: multipart/form-data` {names} can be had as bytes, as `callFunction` says.")]
}
