//! Schemas that have a name: structures, enumerations, and a few that all libraries share.

use serde_json::{Value, json};

use super::scalars::floats;
use super::shape::Shape;
use super::walk::{Given, Walk, Way};

/// What the references of unfinished schemas begin with. No C identifier has a colon.
const UNFINISHED: &str = "unfinished:";

/// What a schema with a name is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Component {
    /// A structure or union.
    Structure(String, Way),
    /// A value of an enumeration.
    Enumeration(String),
    /// The names of its enumerators.
    EnumeratorNames(String),
    /// The same for every library.
    Shared(Shared),
}

/// A schema that does not depend on the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shared {
    Float,
    Double,
    NotFinite,
    VariadicArgument,
    Untold,
}

impl Shared {
    pub(super) const ALL: [Self; 5] =
        [Self::Float, Self::Double, Self::NotFinite, Self::VariadicArgument, Self::Untold];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Float => "FloatValue",
            Self::Double => "DoubleValue",
            Self::NotFinite => "NotFinite",
            Self::VariadicArgument => "VariadicArgument",
            Self::Untold => "UntoldArgument",
        }
    }
}

impl Component {
    /// Its name within the library. Those of an enumeration's enumerators are not C's.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Structure(name, _) | Self::Enumeration(name) | Self::EnumeratorNames(name) => name,
            Self::Shared(shared) => shared.name(),
        }
    }

    /// What sort of component it is: each has names of its own, until they are finished.
    pub(super) const fn sort(&self) -> u8 {
        match self {
            Self::Structure(..) => 0,
            Self::Enumeration(_) => 1,
            Self::EnumeratorNames(_) => 2,
            Self::Shared(_) => 3,
        }
    }

    fn reference(&self) -> String {
        let sort = match self {
            Self::Structure(_, Way::Told) => "told",
            Self::Structure(_, Way::Given(Given::Whole)) => "whole",
            Self::Structure(_, Way::Given(Given::Partly)) => "partly",
            Self::Enumeration(_) => "enumeration",
            Self::EnumeratorNames(_) => "names",
            Self::Shared(_) => "shared",
        };
        format!("{UNFINISHED}{sort}:{}", self.name())
    }

    /// The component that an unfinished reference means.
    pub(super) fn of_reference(text: &str) -> Option<Self> {
        let (sort, name) = text.strip_prefix(UNFINISHED)?.split_once(':')?;
        let owned = name.to_owned();
        Some(match sort {
            "told" => Self::Structure(owned, Way::Told),
            "whole" => Self::Structure(owned, Way::Given(Given::Whole)),
            "partly" => Self::Structure(owned, Way::Given(Given::Partly)),
            "enumeration" => Self::Enumeration(owned),
            "names" => Self::EnumeratorNames(owned),
            _ => Self::Shared(Shared::ALL.into_iter().find(|shared| shared.name() == name)?),
        })
    }
}

impl Walk<'_> {
    /// A reference to a component, which is made when it is first needed.
    pub(super) fn component(&mut self, component: Component) -> Value {
        let reference = json!({"$ref": component.reference()});
        if self.bodies.contains_key(&component) {
            return reference;
        }
        // A structure that leads to itself finds this, and no example.
        self.bodies.insert(component.clone(), Shape { schema: Value::Null, example: None, note: None });
        let body = match &component {
            Component::Structure(name, way) => self.structure_body(name, *way),
            Component::Enumeration(name) => Shape::new(self.enumeration_body(name), Value::Null),
            Component::EnumeratorNames(name) => Shape::new(self.enumerator_names(name), Value::Null),
            Component::Shared(shared) => Shape::new(self.shared(*shared), Value::Null),
        };
        self.bodies.insert(component.clone(), body);
        if let Component::Structure(name, _) = component {
            // Whether it looks alike elsewhere decides its name, which must not depend on who uses it.
            for way in Way::ALL {
                self.component(Component::Structure(name.clone(), way));
            }
        }
        reference
    }

    fn shared(&mut self, shared: Shared) -> Value {
        match shared {
            Shared::Float | Shared::Double => {
                let text = "A number, or the name of one that JSON has no number for";
                json!({"description": text, "anyOf": [floats(shared), self.component(Component::Shared(Shared::NotFinite))]})
            }
            Shared::NotFinite => json!({"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}),
            Shared::VariadicArgument => json!({
                "type": "object",
                "required": ["type"],
                "properties": {
                    "type": {"type": "string", "description": "`int`, `double`, `const char*`, `char[100]`, …"},
                    "value": {"description": "Of that type; a buffer needs none"},
                    "encoding": {"type": "string", "description": "Of text, if it is not UTF-8"},
                },
                "additionalProperties": false,
            }),
            Shared::Untold => json!({
                "type": "object",
                "description": "An argument of a callback that cannot be told, and why",
                "required": ["error"],
                "properties": {"error": {"type": "string"}},
                "additionalProperties": false,
            }),
        }
    }
}
