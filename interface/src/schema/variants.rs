//! Structures look different where they are given and where they are told, often only in what may be left out. Those
//! that look alike have one schema and one name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Component;
use super::shape::Shape;
use super::walk::{Given, Way};

/// What the variants of a structure that are not as it is told are called.
const INPUT: &str = "Input";
const UPDATE: &str = "Update";

/// For each component, the one that stands for all that look alike, and how that one is called.
pub(super) struct Variants {
    names: BTreeMap<Component, String>,
}

impl Variants {
    /// Compares all of them: two are the same as long as nothing tells them apart, so that structures which lead to
    /// themselves can be alike, too.
    pub(super) fn of(bodies: &BTreeMap<Component, Shape>) -> Self {
        let mut names: BTreeMap<Component, String> =
            bodies.keys().map(|component| (component.clone(), component.name().to_owned())).collect();
        loop {
            let refined = refine(bodies, &names);
            let (before, after) = (distinct(&names), distinct(&refined));
            names = refined;
            if before == after {
                return Self { names };
            }
        }
    }

    pub(super) fn name<'a>(&'a self, component: &'a Component) -> &'a str {
        self.names.get(component).map_or_else(|| component.name(), String::as_str)
    }
}

fn distinct(names: &BTreeMap<Component, String>) -> usize {
    names.iter().map(|(component, name)| (component.sort(), name)).collect::<BTreeSet<_>>().len()
}

/// Tells apart what differs under the names so far.
fn refine(bodies: &BTreeMap<Component, Shape>, names: &BTreeMap<Component, String>) -> BTreeMap<Component, String> {
    let body = |component: &Component| {
        let mut schema = bodies.get(component).map(|shape| shape.schema.clone()).unwrap_or_default();
        rename(&mut schema, &|inner| names.get(inner).cloned().unwrap_or_default());
        schema
    };
    let name = |component: &Component| {
        let Component::Structure(name, way) = component else { return component.name().to_owned() };
        let same = |other: Way| {
            let other = Component::Structure(name.clone(), other);
            bodies.contains_key(&other) && names[&other] == names[component] && body(&other) == body(component)
        };
        match way {
            Way::Told => name.clone(),
            _ if same(Way::Told) => name.clone(),
            Way::Given(Given::Whole) => format!("{name}{INPUT}"),
            Way::Given(Given::Partly) if same(Way::Given(Given::Whole)) => format!("{name}{INPUT}"),
            Way::Given(Given::Partly) => format!("{name}{UPDATE}"),
        }
    };
    bodies.keys().map(|component| (component.clone(), name(component))).collect()
}

/// Gives each reference within a schema another name.
pub(super) fn rename(schema: &mut Value, name: &dyn Fn(&Component) -> String) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "$ref" => {
                        if let Some(component) = Component::of_reference(text) {
                            *text = format!("#/components/schemas/{}", name(&component));
                        }
                    }
                    value => rename(value, name),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, name)),
        _ => {}
    }
}

/// The components that a schema refers to.
pub(super) fn references(schema: &Value, found: &mut Vec<Component>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(text)) = map.get("$ref") {
                found.extend(Component::of_reference(text));
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
