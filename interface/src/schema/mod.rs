//! An interface as JSON Schemas, in the dialect of OpenAPI 3.0.3: what the agent takes and what it answers.
//!
//! `walk` decides for each C type once; `scalars`, `objects` (with `members`, the lengths in examples) and `callbacks` are its
//! parts. Structures, unions and enumerations are components with names (`component`); `variants` finds out which of the
//! ways in which a structure is given and told look alike; `recursion` which of them lead to themselves. Each schema
//! comes with an example that fits it (`example`), unless that would be long.
//!
//! What a request has to have is said by [`crate::needs`]. The schemas say what the agent's marshaller does, for the target's widths, with these differences.
//!
//! **Stricter** than the agent, so that clients get types that they can use:
//! - integers are numbers (those of 64 bits text, if the library answers them so): names of constants, the other form, and `0`/`1` for truth values are not described;
//! - `float` and `double` are given as numbers, without the three names for what is not finite (answers have them);
//! - `{"$handle": …}`, blocks of memory in the place of a buffer or a structure, and `null` for an optional output are
//!   not described. Answers repeat such a handle in the place of the output; their schemas leave that out;
//! - handles are text: the numbers that stand for pointers which are no addresses (-1, `INVALID_HANDLE_VALUE`) are not
//!   described, though answers can have them, because then no client could pass on what it gets as it is;
//! - null for a member of a callback's description, which is as if it were left out;
//! - of the values in a callback's `table` only those are described that its arguments can have.
//!
//! **Looser**, where a schema would be unusable or JSON Schema cannot say it:
//! - the last digit of what 64 bits hold as text; lengths that other values give; the 64 MiB of a buffer; whether text can be encoded, has no NUL, and how many bytes it
//!   takes; padding of base64; tokens, and which numbers stand for a pointer of which kind;
//! - a length that may be left out has to be given after all where no array tells it;
//! - in a union with an anonymous structure, which members go together; in an anonymous union, that it is one;
//! - that `compare` of a callback takes two numbers or two texts, where it has both;
//! - arguments behind `...`, whose types the client gives; the result of `void`, which is null; what a callback that is
//!   not told what to return has returned, which is 0 for every type.

mod callbacks;
mod component;
mod dialect;
mod example;
mod members;
mod objects;
mod recursion;
mod scalars;
mod shape;
mod variants;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use bridge32_protocol::interface::{Function, Interface, Type, Variable};
use bridge32_protocol::target::Target;
use serde_json::Value;

pub use dialect::json_schema;

use component::{Component, Shared};
use shape::{Shape, described};
use variants::{Variants, references, rename};
pub(crate) use walk::is_bytes;
use walk::{Given, Walk, Way};

/// The schemas of one library. References are to `#/components/schemas/NAME`.
#[derive(Clone, Debug)]
pub struct Schemas {
    /// Of each function of the interface that can be called, by its number there.
    pub functions: BTreeMap<usize, FunctionSchemas>,
    /// Of each variable that can be reached.
    pub variables: BTreeMap<usize, VariableSchemas>,
    /// The components of this library, by the names that were chosen for them.
    pub components: BTreeMap<String, Value>,
    /// The components that mean the same in every library.
    pub shared: BTreeMap<String, Value>,
}

/// What a function takes and answers.
#[derive(Clone, Debug)]
pub struct FunctionSchemas {
    /// The object of arguments.
    pub arguments: Described,
    /// The result.
    pub result: Described,
    /// The object of outputs.
    pub outputs: Described,
}

/// What a variable holds.
#[derive(Clone, Debug)]
pub struct VariableSchemas {
    /// Its value as it is read.
    pub read: Described,
    /// As it is written; `None` if it is `const`.
    pub written: Option<Described>,
}

/// A schema, and a value that fits it.
#[derive(Clone, Debug)]
pub struct Described {
    /// The schema.
    pub schema: Value,
    /// The value, where one can be made up that is not too long.
    pub example: Option<Value>,
}

impl From<Shape> for Described {
    fn from(Shape { schema, example, .. }: Shape) -> Self {
        Self { schema, example: example.map(|example| example.written()) }
    }
}

/// The schemas of a library's interface for `target`. `name` gives each component the name that it has in the document:
/// it is asked once for each, in an order that depends on nothing but the interface.
pub fn schemas(interface: &Interface, target: Target, library: &str, name: &mut dyn FnMut(&str) -> String) -> Schemas {
    let mut walk = Walk::new(interface, target, library);
    let functions = interface.functions.iter().enumerate().filter(|(_, function)| function.unsupported.is_none());
    let mut functions: BTreeMap<usize, FunctionSchemas> =
        functions.map(|(number, it)| (number, function(&mut walk, it))).collect();
    let variables = interface.variables.iter().enumerate().filter(|(_, variable)| variable.unsupported.is_none());
    let mut variables: BTreeMap<usize, VariableSchemas> =
        variables.map(|(number, it)| (number, variable(&mut walk, it))).collect();
    let mut roots: Vec<&mut Value> = Vec::new();
    for FunctionSchemas { arguments, result, outputs } in functions.values_mut() {
        roots.extend([&mut arguments.schema, &mut result.schema, &mut outputs.schema]);
    }
    for VariableSchemas { read, written } in variables.values_mut() {
        roots.push(&mut read.schema);
        roots.extend(written.as_mut().map(|written| &mut written.schema));
    }
    let (components, shared) = finish(&walk.bodies, &mut roots, name);
    Schemas { functions, variables, components, shared }
}

fn function(walk: &mut Walk<'_>, function: &Function) -> FunctionSchemas {
    let arguments = walk.arguments(&function.parameters, function.variadic).into();
    let outputs = walk.outputs(&function.parameters, function.variadic).into();
    let void = function.result == Type::Void;
    let shape = walk.value(&function.result, Way::Told).hidden(function.sensitive_result);
    let nothing = if void { "Nothing: it is always null." } else { "" };
    let texts = [function.result_description.as_str(), shape.note.as_deref().unwrap_or_default(), nothing];
    let result = Shape { schema: described(shape.schema, &texts), ..shape }.into();
    FunctionSchemas { arguments, result, outputs }
}

fn variable(walk: &mut Walk<'_>, variable: &Variable) -> VariableSchemas {
    let mut value = |way| {
        let shape = walk.value(&variable.ty, way).hidden(variable.sensitive);
        let note = shape.note.clone().unwrap_or_default();
        Shape { schema: described(shape.schema, &[&note]), ..shape }.into()
    };
    let read = value(Way::Told);
    let written = (!variable.constant).then(|| value(Way::Given(Given::Whole)));
    VariableSchemas { read, written }
}

/// Names the components that are needed, and makes all references those of the document.
fn finish(
    bodies: &BTreeMap<Component, Shape>,
    roots: &mut [&mut Value],
    name: &mut dyn FnMut(&str) -> String,
) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let variants = Variants::of(bodies);
    // One of those that look alike stands for all.
    let class = |component: &Component| (component.sort(), variants.name(component).to_owned());
    let mut needed: BTreeMap<(u8, String), &Component> = BTreeMap::new();
    let mut next = Vec::new();
    for root in roots.iter() {
        references(root, &mut next);
    }
    while let Some(component) = next.pop() {
        if let Some((component, body)) = bodies.get_key_value(&component)
            && needed.insert(class(component), component).is_none()
        {
            references(&body.schema, &mut next);
        }
    }
    let names: BTreeMap<&(u8, String), String> = needed
        .iter()
        .map(|(class, component)| {
            let name = match component {
                Component::Shared(shared) => shared.name().to_owned(),
                Component::EnumeratorNames(enumeration) => name(&format!("{enumeration}Name")),
                _ => name(&class.1),
            };
            (class, name)
        })
        .collect();
    let chosen = |component: &Component| names.get(&class(component)).cloned().unwrap_or_default();
    let (mut components, mut shared) = (BTreeMap::new(), BTreeMap::new());
    for (class, component) in &needed {
        let mut schema = bodies[*component].schema.clone();
        rename(&mut schema, &chosen);
        let all = if matches!(component, Component::Shared(_)) { &mut shared } else { &mut components };
        all.insert(names[class].clone(), schema);
    }
    for root in roots.iter_mut() {
        rename(root, &chosen);
    }
    (components, shared)
}

/// The names of the components that every library shares.
pub fn shared_names() -> BTreeSet<&'static str> {
    Shared::ALL.into_iter().map(Shared::name).collect()
}
