//! A schema with an example that fits it, and how both change where a value may be null or is described.

use serde_json::{Map, Value, json};

use super::Component;
use super::example::Example;

/// The schema of a value, and one such value.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) schema: Value,
    /// `None` where the value would contain itself, or would be too long.
    pub(super) example: Option<Example>,
    /// What the schema cannot say.
    pub(super) note: Option<String>,
}

impl Shape {
    pub(super) fn new(schema: Value, example: Value) -> Self {
        Self { schema, example: Some(example.into()), note: None }
    }

    pub(super) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// The same, if it is sensitive: nobody should show or keep it.
    pub(super) fn hidden(mut self, sensitive: bool) -> Self {
        const NOTE: &str = "Sensitive: the bridge keeps it out of logs and error texts.";
        if !sensitive {
            return self;
        }
        if let Some(schema) = self.schema.as_object_mut()
            && schema.get("type").is_some_and(|ty| ty == "string")
        {
            schema.entry("format").or_insert_with(|| "password".into());
        }
        let note = self.note.take().map_or_else(|| NOTE.to_owned(), |note| format!("{note} {NOTE}"));
        self.noted(note)
    }

    /// The same, or null.
    pub(super) fn nullable(self) -> Self {
        Self {
            schema: nullable(self.schema),
            example: Some(self.example.unwrap_or_else(|| Value::Null.into())),
            note: self.note,
        }
    }

    /// The same, or what another schema says.
    pub(super) fn or(mut self, other: &Value) -> Self {
        self.schema = json!({"anyOf": [self.schema, other]});
        self
    }
}

/// `nullable` counts only beside a `type` (OpenAPI 3.0.3), so that goes with it.
fn nullable(schema: Value) -> Value {
    let Value::Object(mut map) = schema else { return schema };
    if map.contains_key("type") {
        map.insert("nullable".to_owned(), true.into());
        return map.into();
    }
    if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
        // One of them that may be null is enough.
        match branches.iter_mut().find(|branch| branch.get("type").is_some()) {
            Some(branch) => *branch = nullable(branch.take()),
            None => branches.push(json!({"type": "integer", "nullable": true})),
        }
        return map.into();
    }
    let Some(reference) = map.get("$ref").and_then(Value::as_str) else { return map.into() };
    match Component::of_reference(reference) {
        Some(Component::Structure(..)) => json!({"type": "object", "nullable": true, "allOf": [map]}),
        // These are alternatives of types, of which one is a number.
        _ => json!({"anyOf": [map, {"type": "number", "nullable": true}]}),
    }
}

/// A reference stands alone in OpenAPI 3.0: whatever is added to one goes around it.
fn with(schema: Value, add: impl FnOnce(&mut Map<String, Value>)) -> Value {
    let mut map = match schema {
        Value::Object(map) if !map.contains_key("$ref") => map,
        reference => Map::from_iter([("allOf".to_owned(), json!([reference]))]),
    };
    add(&mut map);
    Value::Object(map)
}

/// The schema with what there is to say of it.
pub(super) fn described(schema: Value, texts: &[&str]) -> Value {
    let text = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
    if text.is_empty() {
        return schema;
    }
    with(schema, |schema| {
        let own = schema.get("description").and_then(Value::as_str).map(|own| format!("\n\n{own}"));
        schema.insert("description".to_owned(), format!("{text}{}", own.unwrap_or_default()).into());
    })
}

/// A whole number of any of C's integer types.
pub(super) fn number(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| u64::try_from(number).map_or(Value::Null, Value::from), Value::from)
}
