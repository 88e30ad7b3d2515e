//! Objects by name: the arguments of a function, its outputs, and structures.

use bridge32_protocol::interface::{Direction, Extent, Parameter, Structure, StructureKind, Type};
use serde_json::{Map, Value, json};

use super::example::Example;
use super::members::{is_shown, numbers};
use super::shape::{Shape, described, number};
use super::walk::{Given, Walk, Way};
use super::{Component, Shared, callbacks};
use crate::needs::{Member, Members, Need};

/// Puts an object together, member by member.
#[derive(Default)]
struct Object {
    properties: Map<String, Value>,
    required: Vec<String>,
    /// The members of the example, as long as there is one.
    example: Option<Vec<(String, Example)>>,
}

impl Object {
    fn new() -> Self {
        Self { example: Some(Vec::new()), ..Self::default() }
    }

    fn property(&mut self, name: &str, schema: Value, required: bool) {
        if required {
            self.required.push(name.to_owned());
        }
        self.properties.insert(name.to_owned(), schema);
    }

    fn show(&mut self, name: &str, example: Option<Example>) {
        self.example = self.example.take().and_then(|mut object| {
            object.push((name.to_owned(), example?));
            Some(object)
        });
    }

    /// Adds a member of a request.
    fn given(&mut self, members: &Members<'_>, index: usize, shape: Shape, (required, shown): (bool, bool)) {
        let member = members.get(index);
        let shape = shape.hidden(member.sensitive);
        let mut notes = vec![shape.note.unwrap_or_default()];
        let measured = members.measured_by(index).iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        if !measured.is_empty() {
            notes.push(format!("If it is left out, it is the length of {}.", measured.join(" and ")));
        }
        if member.releases.is_some() {
            notes.push("The function closes it: the handle is not valid afterwards.".to_owned());
        }
        notes.retain(|note| !note.is_empty());
        self.property(member.name, described(shape.schema, &[member.description, &notes.join(" ")]), required);
        if shown && (required || shape.example.is_some()) {
            self.show(member.name, shape.example);
        }
    }

    /// Adds a member of an answer: it is always there.
    fn told(&mut self, member: &Member<'_>, shape: Shape) {
        let shape = shape.hidden(member.sensitive);
        let note = shape.note.unwrap_or_default();
        self.property(member.name, described(shape.schema, &[member.description, &note]), true);
        self.show(member.name, shape.example);
    }

    fn finish(self, description: &str) -> Shape {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        if !description.is_empty() {
            schema.insert("description".to_owned(), description.into());
        }
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), self.required.into());
        }
        if !self.properties.is_empty() {
            schema.insert("properties".to_owned(), self.properties.into());
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        Shape { schema: schema.into(), example: self.example.and_then(Example::object), note: None }
    }
}

impl Walk<'_> {
    /// The arguments of a function.
    pub(super) fn arguments(&mut self, parameters: &[Parameter], variadic: bool) -> Shape {
        let members = Members::of_parameters(parameters);
        let around = std::mem::replace(&mut self.numbers, numbers(&members));
        let mut object = Object::new();
        for (index, member) in members.iter() {
            if member.direction == Direction::Out {
                continue;
            }
            let shape = self.argument(member);
            let shape = self.measured(index, shape);
            let required = members.need(index) == Need::Required;
            object.given(&members, index, shape, (required, required || is_shown(&members, index)));
        }
        if variadic {
            let items = self.component(Component::Shared(Shared::VariadicArgument));
            let text = "What follows the declared parameters, each with its type.";
            let schema = json!({"type": "array", "description": text, "maxItems": 100, "items": items});
            object.property("...", schema, false);
        }
        self.numbers = around;
        object.finish("")
    }

    /// An example of a length is that of the arrays in the example.
    fn measured(&self, index: usize, shape: Shape) -> Shape {
        let length = self.numbers.get(index).copied().flatten();
        let length = length.filter(|length| shape.schema["maximum"].as_i64().is_none_or(|most| *length <= most.into()));
        let example = match (length, shape.example.as_ref().and_then(Example::plain)) {
            (Some(length), Some(Value::Number(_))) => Some(number(length).into()),
            (Some(length), Some(Value::String(text))) if text.parse::<i128>().is_ok() => {
                Some(Value::from(length.to_string()).into())
            }
            _ => return shape,
        };
        Shape { example, ..shape }
    }

    fn argument(&mut self, member: &Member<'_>) -> Shape {
        let way = Way::given(member.direction);
        let shape = match member.ty {
            Type::Pointer(pointer) => self.behind(pointer, way, false),
            Type::Callback(signature) => callbacks::argument(self, signature),
            ty => return self.value(ty, way),
        };
        // A null BSTR is the empty string.
        let bstr = matches!(member.ty, Type::Pointer(pointer) if pointer.extent == Extent::Bstr);
        if !member.optional && !bstr {
            return shape;
        }
        // What is too long for an example is left out of it: where the function reads an array of a length, null is none.
        let example = shape.example.clone();
        Shape { example, ..shape.nullable() }
    }

    /// What comes back through the parameters of a function.
    pub(super) fn outputs(&mut self, parameters: &[Parameter], variadic: bool) -> Shape {
        let members = Members::of_parameters(parameters);
        let around = std::mem::replace(&mut self.numbers, numbers(&members));
        let mut object = Object::new();
        for (_, member) in members.iter() {
            let shape = match member.ty {
                Type::Pointer(pointer) if member.direction != Direction::In => match (&pointer.extent, &pointer.to) {
                    // Its memory is the pointer's own: what is answered is the handle again.
                    (Extent::Handle { kind, .. }, _) => self.handle(kind),
                    _ => self.behind(pointer, Way::Told, true),
                },
                Type::Callback(signature) => callbacks::report(self, signature),
                _ => continue,
            };
            object.told(member, if member.optional { shape.nullable() } else { shape });
        }
        if variadic {
            let text = "What the pointers and buffers behind `...` hold, in their order; null for other arguments.";
            let schema = json!({"type": "array", "description": text, "items": {}});
            object.property("...", schema, false);
        }
        self.numbers = around;
        object.finish("")
    }

    /// A structure by name.
    pub(super) fn structure(&mut self, name: &str, way: Way) -> Shape {
        let reference = self.component(Component::Structure(name.to_owned(), way));
        let example =
            self.bodies.get(&Component::Structure(name.to_owned(), way)).and_then(|body| body.example.clone());
        Shape { schema: reference, example, note: None }
    }

    /// The schema of a structure or union, as it is given or told.
    pub(super) fn structure_body(&mut self, name: &str, way: Way) -> Shape {
        let Some(structure) = self.interface.structures.get(name) else {
            return Shape::new(json!({"type": "object"}), json!({}));
        };
        let around = std::mem::replace(&mut self.inside_endless, self.endless.contains(name));
        let mut object = Object::new();
        self.fields(structure, way, true, &mut object);
        self.inside_endless = around;
        let union = structure.kind == StructureKind::Union && way != Way::Told;
        let anonymous = structure.fields.iter().any(|field| field.name.is_empty() && field.bits.is_none());
        let one = match way {
            Way::Told => "",
            _ if !union => "",
            Way::Given(Given::Whole) => "Exactly one of the members is given.",
            Way::Given(Given::Partly) => "At most one of the members is given.",
        };
        let mut shape = object.finish([&structure.description, one].join("\n\n").trim());
        // The members of an anonymous structure go together: then their number says nothing.
        if union && !anonymous {
            if way == Way::Given(Given::Whole) {
                shape.schema["minProperties"] = 1.into();
            }
            shape.schema["maxProperties"] = 1.into();
        }
        shape
    }

    /// The members of a structure; those of an anonymous one stand among them. `visible`: they are part of an example.
    fn fields(&mut self, structure: &Structure, way: Way, visible: bool, object: &mut Object) {
        let members = Members::of_fields(&structure.fields, way.direction());
        let around = std::mem::replace(&mut self.numbers, numbers(&members));
        let union = structure.kind == StructureKind::Union;
        let complete = way == Way::Given(Given::Whole) && !union;
        // Of a union one member is enough for an example, and more are not accepted.
        let mut first = true;
        for ((index, member), field) in members.iter().zip(&structure.fields) {
            let anonymous = field.name.is_empty() && field.bits.is_none();
            if field.name.is_empty() && !anonymous {
                continue;
            }
            let visible = visible && (way == Way::Told || !union || std::mem::take(&mut first));
            if let Type::Structure(inner) = &field.ty
                && anonymous
            {
                if let Some(inner) = self.interface.structures.get(inner) {
                    self.fields(inner, way, visible, object);
                }
                continue;
            }
            let shape = match (&field.ty, member.bits) {
                (Type::Scalar(scalar), Some(bits)) => self.bit_field(scalar, bits),
                (ty, _) => self.value(ty, way),
            };
            let shape = self.measured(index, shape);
            if way == Way::Told {
                object.told(member, shape);
            } else {
                let needed = members.need(index) == Need::Required;
                let shown = visible && (union || needed || is_shown(&members, index));
                object.given(&members, index, shape, (needed && complete, shown));
            }
        }
        self.numbers = around;
    }
}
