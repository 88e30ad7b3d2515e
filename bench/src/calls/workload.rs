//! What is called: functions that do next to nothing, with what calls carry.

use serde_json::{Value, json};

/// The name of the one that the peer has, too.
pub(super) const SCALARS: &str = "scalars";

/// Requests of one kind.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    /// Below the library.
    pub(super) target: &'static str,
    pub(super) body: String,
    /// Calls in each request.
    pub(super) calls: u32,
    /// The result of each call.
    pub(super) result: Value,
}

/// All names.
pub(crate) const NAMES: [&str; 5] = [SCALARS, "string", "struct", "buffer", "batch"];

/// Calls of one batch.
const BATCH: u32 = 100;

pub(super) fn all() -> Vec<Workload> {
    let single = |name, target, arguments: &Value, result: Value| Workload {
        name,
        target,
        body: arguments.to_string(),
        calls: 1,
        result,
    };
    let add = json!({"a": 20, "b": 3});
    let bytes = [0xa5_u8; 4096];
    let sample = json!({"id": 7, "value": 1.5, "flags": 4, "digits": bridge32_tests::base64([0, 1, 2, 3, 4, 5, 6, 7])});
    let call = json!({"function": "Add", "args": add});
    vec![
        single(SCALARS, "functions/Add", &add, json!(23)),
        single("string", "functions/Length", &json!({"text": "a".repeat(64)}), json!(64)),
        single("struct", "functions/Weigh", &json!({"sample": sample}), json!(13.0)),
        single("buffer", "functions/Sum", &json!({"data": bridge32_tests::base64(bytes)}), json!(0xa5 * 4096)),
        Workload {
            name: "batch",
            target: "batches",
            body: json!({"calls": vec![call; BATCH as usize]}).to_string(),
            calls: BATCH,
            result: json!(23),
        },
    ]
}
