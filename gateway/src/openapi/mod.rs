//! The OpenAPI document: the contract of the control plane as it is written in `openapi.yaml`, and one operation for each
//! function of each library. Pure: what the libraries are comes in, a document goes out.

mod buffers;
pub mod cache;
mod names;
mod operations;
pub(crate) mod text;

use bridge32_interface::Header;
use bridge32_interface::schema::{schemas, shared_names};
use bridge32_protocol::target::Target;
use serde_json::{Map, Value, json};

use names::Names;
use operations::{ENDINGS, ENDINGS_OF_VARIABLES, Operations};

/// The contract of the control plane, as it is written.
pub const SOURCE: &str = include_str!("../../../openapi.yaml");

/// One library, as far as its operations need it.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// The file, for people.
    pub file: String,
    /// The names of its headers, for people.
    pub headers: Vec<String>,
    /// What was read from them.
    pub header: &'a Header,
    /// Whose widths count.
    pub target: Target,
}

/// The contract of the control plane.
///
/// # Panics
/// The file that was compiled in is not YAML: a test sees to that.
pub fn control_plane() -> Value {
    serde_yaml_ng::from_str(SOURCE).expect("openapi.yaml is part of the program and read by its tests")
}

/// The gateway whose document it is.
#[derive(Clone, Debug)]
pub struct Server {
    /// The URLs by which clients reach it, the one to prefer first.
    pub urls: Vec<String>,
    /// Whether it answers signed requests only.
    pub signed: bool,
}

/// The whole document.
pub fn document(server: &Server, libraries: &[Part<'_>]) -> Value {
    let mut document = control_plane();
    let servers = server.urls.iter().map(|url| json!({"url": url, "description": "This gateway"}));
    document["servers"] = servers.collect();
    // The written contract is that of all gateways; of one it is known.
    document["security"] = if server.signed { json!([{"signature": []}]) } else { json!([{}]) };
    let mut taken = Taken::of(&document);
    let (mut tags, mut paths, mut components) = (Vec::new(), Map::new(), Map::new());
    for part in libraries {
        let tag = taken.tags.choose(part.name);
        tags.push(json!({"name": tag, "description": about(part)}));
        add(part, &tag, &mut taken, &mut paths, &mut components);
    }
    if let Some(known) = document["tags"].as_array_mut() {
        // What people come for stands first.
        known.splice(0..0, tags);
    }
    for (place, more) in [("/paths", paths), ("/components/schemas", components)] {
        if let Some(known) = document.pointer_mut(place).and_then(Value::as_object_mut) {
            known.extend(more);
        }
    }
    document
}

/// The names that are taken, of each kind.
struct Taken {
    operations: Names,
    schemas: Names,
    tags: Names,
}

impl Taken {
    fn of(document: &Value) -> Self {
        let mut taken = Self { operations: Names::default(), schemas: Names::default(), tags: Names::default() };
        let items = document["paths"].as_object().into_iter().flat_map(Map::values);
        let operations = items.filter_map(Value::as_object).flat_map(Map::values);
        operations.filter_map(|operation| operation["operationId"].as_str()).for_each(|id| taken.operations.take(id));
        let schemas = document["components"]["schemas"].as_object().into_iter().flat_map(Map::keys);
        schemas.for_each(|name| taken.schemas.take(name));
        for name in shared_names() {
            taken.schemas.take(name);
        }
        let tags = document["tags"].as_array().into_iter().flatten();
        tags.filter_map(|tag| tag["name"].as_str()).for_each(|name| taken.tags.take(name));
        taken
    }

    /// An id for an operation whose components have these endings.
    fn operation(&mut self, wanted: &str, endings: &[&str]) -> String {
        loop {
            let id = self.operations.choose(wanted);
            if self.schemas.take_all(&id, endings) {
                return id;
            }
        }
    }
}

/// Adds the operations of a library.
fn add(
    part: &Part<'_>,
    tag: &str,
    taken: &mut Taken,
    paths: &mut Map<String, Value>,
    components: &mut Map<String, Value>,
) {
    let Part { name, header, target, .. } = part;
    let interface = &header.interface;
    let mut choose = |local: &str| taken.schemas.choose(&format!("{name}_{local}"));
    let schemas = schemas(interface, *target, name, &mut choose);
    components.extend(schemas.shared);
    components.extend(schemas.components);
    let mut operations = Operations { part, tag, components };
    for (number, of_function) in schemas.functions {
        let function = &interface.functions[number];
        let id = taken.operation(&format!("{name}_{}", function.name), &ENDINGS);
        let operation = operations.call(&id, function, of_function);
        paths.insert(format!("/v1/libraries/{name}/functions/{}", function.name), json!({"post": operation}));
    }
    for (number, of_variable) in schemas.variables {
        let variable = &interface.variables[number];
        let (read, written) = operations::of_variable(of_variable);
        let id = taken.operation(&format!("{name}_{}_read", variable.name), &ENDINGS_OF_VARIABLES);
        let mut item = json!({"get": operations.read(&id, variable, &read)});
        if let Some(written) = written {
            let id = taken.operation(&format!("{name}_{}_write", variable.name), &ENDINGS_OF_VARIABLES);
            item["put"] = operations.write(&id, variable, written);
        }
        paths.insert(format!("/v1/libraries/{name}/variables/{}", variable.name), item);
    }
}

/// What is said of a library: where it comes from, and what of it cannot be called.
fn about(part: &Part<'_>) -> String {
    let headers = match part.headers.len() {
        0 => "no header, so no function is described".to_owned(),
        _ => part.headers.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    let mut about = format!("The library `{}`: `{}` ({}), {headers}.", part.name, part.file, part.target);
    let functions = &part.header.interface.functions;
    let left_out: Vec<String> = functions
        .iter()
        .filter_map(|function| Some((&function.name, function.unsupported.as_ref()?)))
        .map(|(name, why)| format!("- `{name}`: {}", text::plain(&why.replace('\n', " "))))
        .collect();
    if !left_out.is_empty() {
        about.push_str("\n\nNot callable, and therefore not described:\n\n");
        about.push_str(&left_out.join("\n"));
    }
    about
}
