//! The operations of one library: one for each function, and for reading and writing each variable.

use bridge32_interface::schema::{Described, FunctionSchemas, VariableSchemas};
use bridge32_protocol::interface::{Function, Variable};
use serde_json::{Map, Value, json};

use super::text;
use super::{Part, buffers};

/// The responses that calls have besides the answer: status, and the component of the control plane.
const FAILURES: [(&str, &str); 14] = [
    ("400", "MalformedRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("404", "UnknownFunction"),
    ("409", "Cancelled"),
    ("410", "Gone"),
    ("413", "PayloadTooLarge"),
    ("415", "UnsupportedMediaType"),
    ("422", "ArgumentMismatch"),
    ("429", "TooManyRequests"),
    ("500", "InternalError"),
    ("502", "AgentEnded"),
    ("503", "Unavailable"),
    ("504", "DeadlineExceeded"),
];

/// Those that only a request with a body can have.
const OF_BODIES: [&str; 2] = ["413", "415"];

/// Nobody can cancel what is no call.
const OF_CALLS: [&str; 1] = ["409"];

/// What every answer to a call may have in its head.
const OF_ANSWERS: [(&str, &str); 3] = [
    ("Preference-Applied", "PreferenceApplied"),
    ("Idempotency-Replayed", "IdempotencyReplayed"),
    ("traceresponse", "TraceResponse"),
];

/// The call's id in examples.
const CALL_ID: &str = "019c0f4e-6d2a-7c31-9f6e-0a4f2a8e6b11";

/// What the operations of a library have in common.
pub(super) struct Operations<'a> {
    pub(super) part: &'a Part<'a>,
    /// The tag that they have.
    pub(super) tag: &'a str,
    /// The schemas with names, to which each operation adds its own.
    pub(super) components: &'a mut Map<String, Value>,
}

impl Operations<'_> {
    /// The operation that calls a function.
    pub(super) fn call(&mut self, id: &str, function: &Function, schemas: FunctionSchemas) -> Value {
        let FunctionSchemas { arguments, result, outputs } = schemas;
        let takes_some = arguments.schema.get("properties").is_some();
        let body = takes_some.then(|| {
            let required = arguments.schema.get("required").is_some();
            let name = self.add(format!("{id}_Arguments"), arguments.schema);
            let content = content(&reference(&name), arguments.example);
            json!({"description": "The arguments by name", "required": required, "content": content})
        });
        let answer = self.answer(id, function, result, outputs);
        let summary = text::summary(&function.description);
        let mut more: Vec<String> = buffers::remark(function).into_iter().collect();
        if function.idempotent {
            more.push("Calling it twice does no harm.".to_owned());
        }
        if let Some(deadline) = function.deadline_ms {
            more.push(format!("It is ended after {deadline} ms."));
        }
        let description = text::description(&function.description, summary.as_deref(), &function.declaration, &more);
        let mut operation = self.operation(id, &text::of_function(function), &description, &function.name);
        if function.idempotent {
            operation.insert("x-bridge32-idempotent".to_owned(), true.into());
        }
        if let Some(body) = body {
            operation.insert("requestBody".to_owned(), body);
        }
        operation.insert("parameters".to_owned(), parameters(&["preferWait", "idempotencyKey", "bridgeSession"]));
        let answered =
            json!({"description": "The function returned", "headers": headers(&OF_ANSWERS), "content": answer});
        // Whoever wants 202 knows that: it is described at `callFunction`, and would be a type more to tell apart in each answer.
        operation.insert("responses".to_owned(), responses(("200", answered), takes_some, Kind::Call));
        operation.into()
    }

    /// The content of the answer to a call.
    fn answer(&mut self, id: &str, function: &Function, result: Described, outputs: Described) -> Value {
        let has_outputs = outputs.schema.get("properties").is_some();
        let schema = if has_outputs {
            reference(&self.add(format!("{id}_Outputs"), outputs.schema))
        } else {
            json!({"type": "object", "description": "The function has no outputs", "additionalProperties": false})
        };
        let mut properties = json!({
            "call_id": {"type": "string", "format": "uuid", "description": "The call's id"},
            "result": result.schema,
            "outputs": schema,
            "duration_us": {
                "type": "number",
                "format": "double",
                "minimum": 0,
                "description": "Microseconds in the library's code",
            },
        });
        for (name, text, there) in [
            ("errno", "`errno`, where the function set it", true),
            ("last_error", "`GetLastError()`, where the function set it", self.part.target.is_windows()),
            ("hresult", "What the returned `HRESULT` means, unless it is 0", function.hresult),
        ] {
            if there {
                properties[name] = json!({"description": text, "allOf": [reference("SystemError")]});
            }
        }
        let answer = json!({
            "type": "object",
            "description": format!("What `{}` has answered", function.name),
            "required": ["call_id", "result", "outputs", "duration_us"],
            "properties": properties,
        });
        let example = result.example.zip(outputs.example).map(|(result, outputs)| {
            json!({"call_id": CALL_ID, "result": result, "outputs": outputs, "duration_us": 12.345})
        });
        let name = self.add(format!("{id}_Answer"), answer);
        content(&reference(&name), example)
    }

    /// The operation that reads a variable.
    pub(super) fn read(&mut self, id: &str, variable: &Variable, value: &Described) -> Value {
        let schema = json!({
            "type": "object",
            "description": format!("What `{}` holds", variable.name),
            "required": ["call_id", "value"],
            "properties": {
                "call_id": {"type": "string", "format": "uuid", "description": "The call's id"},
                "value": value.schema,
            },
        });
        let example = value.example.clone().map(|value| json!({"call_id": CALL_ID, "value": value}));
        let name = self.add(format!("{id}_Value"), schema);
        let answered = json!({"description": "Its value", "content": content(&reference(&name), example)});
        let mut operation = self.of_variable(id, variable, "Read");
        operation.insert("responses".to_owned(), responses(("200", answered), false, Kind::Variable));
        operation.into()
    }

    /// The operation that writes one.
    pub(super) fn write(&mut self, id: &str, variable: &Variable, value: Described) -> Value {
        let schema = json!({
            "type": "object",
            "description": format!("What `{}` is to hold", variable.name),
            "required": ["value"],
            "properties": {"value": value.schema},
            "additionalProperties": false,
        });
        let name = self.add(format!("{id}_Value"), schema);
        let content = content(&reference(&name), value.example.map(|value| json!({"value": value})));
        let mut operation = self.of_variable(id, variable, "Write");
        let body = json!({"description": "The value", "required": true, "content": content});
        operation.insert("requestBody".to_owned(), body);
        let written = json!({"description": "It was written"});
        operation.insert("responses".to_owned(), responses(("204", written), true, Kind::Variable));
        operation.into()
    }

    fn of_variable(&self, id: &str, variable: &Variable, verb: &str) -> Map<String, Value> {
        let description = text::description(&variable.description, None, &variable.declaration, &[]);
        let mut operation = self.operation(id, &text::of_variable(variable, verb), &description, &variable.name);
        operation.insert("parameters".to_owned(), parameters(&["preferWait", "bridgeSession"]));
        operation
    }

    fn operation(&self, id: &str, summary: &str, description: &str, scope: &str) -> Map<String, Value> {
        let scope = format!("call:{}.{scope}", self.part.name);
        let mut operation = Map::new();
        operation.insert("operationId".to_owned(), id.into());
        operation.insert("tags".to_owned(), json!([self.tag]));
        operation.insert("summary".to_owned(), summary.into());
        operation.insert("description".to_owned(), description.into());
        operation.insert("x-scope".to_owned(), scope.into());
        operation
    }

    fn add(&mut self, name: String, schema: Value) -> String {
        self.components.insert(name.clone(), schema);
        name
    }
}

/// The endings of the components that an operation adds to its id.
pub(super) const ENDINGS: [&str; 3] = ["_Arguments", "_Outputs", "_Answer"];

/// The same, of variables.
pub(super) const ENDINGS_OF_VARIABLES: [&str; 1] = ["_Value"];

/// The schemas of a variable's value, read and written.
pub(super) fn of_variable(schemas: VariableSchemas) -> (Described, Option<Described>) {
    (schemas.read, schemas.written)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn content(schema: &Value, example: Option<Value>) -> Value {
    let mut media = json!({"schema": schema});
    if let Some(example) = example {
        media["example"] = example;
    }
    json!({"application/json": media})
}

/// Parameters of the control plane that every such operation has.
fn parameters(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect()
}

/// Headers of answers that the control plane describes.
fn headers(names: &[(&str, &str)]) -> Value {
    let header = |(name, component): &(&str, &str)| {
        ((*name).to_owned(), json!({"$ref": format!("#/components/headers/{component}")}))
    };
    names.iter().map(header).collect::<Map<_, _>>().into()
}

/// What an operation is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Variable,
}

/// The responses of an operation: what it answers, and how it can fail.
fn responses((status, answered): (&str, Value), has_body: bool, kind: Kind) -> Value {
    let mut responses = Map::new();
    responses.insert(status.to_owned(), answered);
    for (status, name) in FAILURES {
        let possible =
            (has_body || !OF_BODIES.contains(&status)) && (kind == Kind::Call || !OF_CALLS.contains(&status));
        if possible {
            let name = if status == "404" && kind == Kind::Variable { "UnknownVariable" } else { name };
            responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
        }
    }
    responses.into()
}
