//! OpenAPI 3.0 for validators of JSON Schema, which do not know `nullable`.

use serde_json::{Map, Value, json};

/// The schema in terms of JSON Schema. References stay as they are: convert what they lead to as well.
pub fn json_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let nullable = map.get("nullable") == Some(&Value::Bool(true));
            let own = map.iter().filter(|(key, value)| *key != "nullable" || !value.is_boolean());
            let own: Map<String, Value> = own.map(|(key, value)| (key.clone(), json_schema(value))).collect();
            if nullable { json!({"anyOf": [own, {"type": "null"}]}) } else { own.into() }
        }
        Value::Array(items) => items.iter().map(json_schema).collect(),
        other => other.clone(),
    }
}
