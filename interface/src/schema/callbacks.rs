//! Function pointers: what a client says beforehand of their answers, and what is told of their invocations.

use bridge32_protocol::interface::{Extent, Scalar, Signature, Type};
use serde_json::{Map, Value, json};

use super::example::Example;
use super::members::numbers;
use super::shape::{Shape, described};
use super::walk::{Given, Walk, Way};
use super::{Component, Shared};
use crate::needs::Members;

/// What a request has for a function pointer.
pub(super) fn argument(walk: &mut Walk<'_>, signature: &Signature) -> Shape {
    let parameters = parameters(walk, signature, false);
    let answer = match signature.result {
        Type::Void => None,
        ref ty => Some(walk.value(ty, Way::Given(Given::Whole))),
    };
    let returns = |text: &str| {
        let schema = answer.as_ref().map_or_else(|| json!({}), |shape| shape.schema.clone());
        described(schema, &[text])
    };
    let when = json!({
        "type": "object",
        "description": "Arguments of the callback by name, and the values that they have",
        "properties": parameters,
        "additionalProperties": false,
    });
    let row = json!({
        "type": "object",
        "required": ["when", "returns"],
        "properties": {"when": when, "returns": returns("What it returns then")},
        "additionalProperties": false,
    });
    let mut properties = Map::new();
    let mut add = |name: &str, schema: Value| properties.insert(name.to_owned(), schema);
    if answer.is_some() {
        add("returns", returns("What it returns; zero if nothing is said"));
    }
    let table = "The first entry whose values are those of the arguments decides what is returned";
    add("table", json!({"type": "array", "description": table, "maxItems": 10_000, "items": row}));
    let comparable = comparable(signature);
    if comparable.len() > 1 && matches!(&signature.result, Type::Scalar(Scalar::Integer(integer)) if integer.signed) {
        let text = "The names of two arguments: it returns -1, 0 or 1 as they compare";
        let items = json!({"type": "string", "enum": comparable});
        add("compare", json!({"type": "array", "description": text, "minItems": 2, "maxItems": 2, "items": items}));
    }
    if answer.is_some() {
        let text = "The invocation of this number, and every later one, returns `stop_returns`";
        add("stop_after", json!({"type": "integer", "format": "int64", "description": text, "minimum": 1}));
        add(
            "stop_returns",
            returns("What it returns from the invocation `stop_after` on; `returns` if nothing is said"),
        );
    }
    add("record", json!({"type": "boolean", "default": true, "description": "List the invocations in the outputs"}));
    let text = "So many invocations are listed, or kept for the stream";
    add(
        "limit",
        json!({"type": "integer", "format": "int32", "description": text, "minimum": 0, "maximum": 100_000, "default": 1000}),
    );
    let text = "The callback stays valid after the call, and its invocations are streamed";
    add("stream", json!({"type": "boolean", "default": false, "description": text}));
    let text = "What the callback answers when the library calls it";
    let schema =
        json!({"type": "object", "description": text, "properties": properties, "additionalProperties": false});
    let example = match answer {
        None => Example::object(Vec::new()),
        Some(shape) => shape.example.and_then(|example| Example::object(vec![("returns".to_owned(), example)])),
    };
    Shape { schema, example, note: None }
}

/// What an answer has for one.
pub(super) fn report(walk: &mut Walk<'_>, signature: &Signature) -> Shape {
    let args = parameters(walk, signature, true);
    let names: Vec<&String> = args.keys().collect();
    let args = json!({"type": "object", "required": names, "properties": args, "additionalProperties": false});
    let returned = match &signature.result {
        ty @ Type::Scalar(Scalar::Integer(_) | Scalar::Float | Scalar::Double | Scalar::Enumeration(_)) => {
            walk.value(ty, Way::Told).schema
        }
        // Zero is told as the number for every type.
        _ => json!({}),
    };
    let invocation = json!({
        "type": "object",
        "required": ["args", "returned"],
        "properties": {
            "args": args,
            "returned": described(returned, &["What it returned"]),
        },
        "additionalProperties": false,
    });
    let count = |text: &str| json!({"type": "integer", "format": "int64", "minimum": 0, "description": text});
    let schema = json!({
        "type": "object",
        "description": "What became of the callback",
        "required": ["count"],
        "properties": {
            "id": {"type": "string", "description": "If it outlives the call: for GET /v1/callbacks/{id}/events"},
            "count": count("How often the library has called it"),
            "invocations": {"type": "array", "description": "Unless `record` is false", "items": invocation},
            "dropped": count("How many invocations are not listed"),
        },
        "additionalProperties": false,
    });
    Shape::new(schema, json!({"count": 0, "invocations": [], "dropped": 0}))
}

/// The arguments of an invocation, as the agent tells them. `fallible`: one that cannot be told is told as that.
fn parameters(walk: &mut Walk<'_>, signature: &Signature, fallible: bool) -> Map<String, Value> {
    let members = Members::of_parameters(&signature.parameters);
    let around = std::mem::replace(&mut walk.numbers, numbers(&members));
    let mut properties = Map::new();
    for (_, member) in members.iter() {
        let shape = walk.value(member.ty, Way::Told).hidden(member.sensitive);
        let certain = matches!(member.ty, Type::Scalar(_) | Type::Void);
        let shape = if certain || !fallible {
            shape
        } else {
            let untold = walk.component(Component::Shared(Shared::Untold));
            shape.or(&untold)
        };
        let note = shape.note.clone().unwrap_or_default();
        properties.insert(member.name.to_owned(), described(shape.schema, &[member.description, &note]));
    }
    walk.numbers = around;
    properties
}

/// The arguments that can be compared with another one: numbers with numbers, text with text.
fn comparable(signature: &Signature) -> Vec<&str> {
    let of = |wanted: Order| {
        let found = signature.parameters.iter().filter(move |it| order(&it.ty) == Some(wanted));
        let names: Vec<&str> = found.map(|it| it.name.as_str()).collect();
        if names.len() > 1 { names } else { Vec::new() }
    };
    [of(Order::Numbers), of(Order::Text)].concat()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Numbers,
    Text,
}

fn order(ty: &Type) -> Option<Order> {
    match ty {
        Type::Scalar(_) => Some(Order::Numbers),
        Type::Pointer(pointer) => match pointer.extent {
            Extent::Text(_) | Extent::TextBuffer { .. } | Extent::Bstr => Some(Order::Text),
            Extent::One => order(&pointer.to).filter(|order| *order == Order::Numbers),
            _ => None,
        },
        _ => None,
    }
}
