//! From C types to nodes: one walk, which asks for each value what was given for it.

use bridge32_interface::needs::{self, Need as Needs};
use bridge32_protocol::interface::{
    Array, Direction, Extent, Function, Integer, Interface, Parameter, Pointer, Scalar, Signature, Type, Width,
};
use bridge32_protocol::target::Target;

use super::bytes;
use super::given::{Given, Written};
use super::node::{AS_JSON, Choice, Control, Extra, Mark, NULL, Need, Node, OTHER, Presence, member};
use super::{MOST_ELEMENTS, MOST_NODES};
use crate::cli::words::{is_bytes, length};
use crate::json::Json;

/// An enumeration with more names is typed.
const MOST_CHOICES: usize = 100;
/// An array of a fixed length has a control for each element if there are no more.
const MOST_FIXED: u32 = 16;
/// So many names of constants are proposed.
const MOST_NAMES: usize = 20;

/// What a form is made for.
#[derive(Clone, Copy, Debug)]
pub struct Types<'a> {
    /// The types and constants.
    pub interface: &'a Interface,
    /// What decides how wide they are.
    pub target: Target,
    /// Handles that could be passed: of which kind each is, and its token.
    pub handles: &'a [(String, String)],
}

/// Makes nodes, as many as a page can have.
pub(super) struct Builder<'a> {
    pub(super) types: Types<'a>,
    /// What is left of the page, in tenths of a node.
    room: usize,
    /// What was asked to be added: its pointer.
    pub(super) added: Option<String>,
    /// What the documentation of the function says.
    about: &'a str,
    /// Something is given as JSON for want of room.
    pub(super) is_cut: bool,
}

/// A value that is to get a node.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) path: String,
    /// Which structure without a name it is in the object at that path: `#1` for the second member, `#1#0` for the first one of that.
    pub(super) place: String,
    pub(super) name: &'a str,
    pub(super) label: String,
    pub(super) description: &'a str,
    pub(super) need: Need,
    pub(super) nullable: Option<Presence>,
    pub(super) sensitive: bool,
    pub(super) way: Direction,
    /// The names that lengths refer to.
    pub(super) names: &'a [&'a str],
    /// The structures around it.
    pub(super) inside: &'a [&'a str],
}

impl<'a> Builder<'a> {
    pub(super) fn new(types: Types<'a>, function: &'a Function) -> Self {
        Self { types, room: MOST_NODES * 10, added: None, about: &function.description, is_cut: false }
    }

    /// The nodes of a function's parameters; what is only an output has none.
    pub(super) fn parameters(&mut self, function: &'a Function, given: Given<'_>) -> Vec<Node> {
        let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let all = needs::of(function).into_iter().zip(&function.parameters);
        let shown = all.filter(|(need, _)| *need != Needs::Output);
        let mut nodes: Vec<Node> =
            shown.map(|(need, parameter)| self.parameter(parameter, &need, &names, given)).collect();
        if function.variadic {
            nodes.push(self.extra(function, given.member("...")));
        }
        nodes
    }

    fn parameter(&mut self, parameter: &Parameter, need: &Needs<'_>, names: &[&str], given: Given<'_>) -> Node {
        let is_pointer = matches!(parameter.ty, Type::Pointer(_) | Type::Callback(_));
        let nullable = (is_pointer && parameter.optional).then_some(match parameter.direction {
            Direction::In => Presence::Null,
            // What is left out is zero, and nobody has to ask for that.
            Direction::Out | Direction::InOut => Presence::Given,
        });
        let value = Value {
            path: member("", &parameter.name),
            place: String::new(),
            name: &parameter.name,
            label: parameter.name.clone(),
            description: &parameter.description,
            need: need_of(need),
            nullable,
            sensitive: parameter.sensitive,
            way: parameter.direction,
            names,
            inside: &[],
        };
        self.node(&value, &parameter.ty, None, given.member(&parameter.name))
    }

    /// Whether it is in the element that was added just now: nobody has seen its controls.
    pub(super) fn is_added(&self, path: &str) -> bool {
        let rest = self.added.as_deref().and_then(|added| path.strip_prefix(added));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    pub(super) fn node(&mut self, value: &Value<'_>, ty: &Type, bits: Option<u32>, given: Given<'_>) -> Node {
        let presence = value.nullable.map(|usual| match (given, given.field(&Mark::Presence.of(&value.path))) {
            (_, Some(NULL)) => Presence::Null,
            (_, Some(_)) => Presence::Given,
            (Given::Value(Some(Json::Scalar(raw))), _) if raw.get() == "null" => Presence::Null,
            (Given::Value(Some(_)), _) => Presence::Given,
            _ => usual,
        });
        // Under what is null its control waits, empty.
        let given = if presence == Some(Presence::Null) && given.value().is_some() { Given::Nothing } else { given };
        let as_json = given.field(&Mark::Presence.of(&value.path)) == Some(AS_JSON);
        let control = if as_json { None } else { self.control(value, ty, bits, given) };
        let control = control.unwrap_or_else(|| anything(value, given));
        Node {
            path: value.path.clone(),
            name: value.name.to_owned(),
            label: value.label.clone(),
            description: value.description.to_owned(),
            need: value.need.clone(),
            presence,
            partly: value.way != Direction::In,
            inline: false,
            sensitive: value.sensitive,
            control,
            is_new: self.added.as_deref() == Some(&value.path),
            error: None,
        }
    }

    /// The control of a value; `None` if none is good for it, or what was given does not go into one.
    fn control(&mut self, value: &Value<'_>, ty: &Type, bits: Option<u32>, given: Given<'_>) -> Option<Control> {
        if !self.takes(10) {
            self.is_cut = true;
            return None;
        }
        match ty {
            Type::Scalar(scalar) => self.scalar(value, scalar, bits, given),
            Type::Pointer(pointer) => self.behind(value, pointer, given),
            Type::Structure(name) => self.structure(value, name, given),
            Type::Array(array) => self.array(value, array, given),
            Type::Callback(signature) => self.callback(value, signature, given),
            Type::Void | Type::Unsupported { .. } => None,
        }
    }

    /// Whether so many nodes still have room.
    pub(super) fn has_room_for(&mut self, nodes: usize) -> bool {
        let has_room = self.room >= nodes.saturating_mul(10);
        self.is_cut |= !has_room;
        has_room
    }

    /// Takes so much of the room, if it is there.
    fn takes(&mut self, tenths: usize) -> bool {
        let left = self.room.checked_sub(tenths);
        self.room = left.unwrap_or(0);
        left.is_some()
    }

    fn scalar(&mut self, value: &Value<'_>, scalar: &Scalar, bits: Option<u32>, given: Given<'_>) -> Option<Control> {
        let written = given.written(&value.path);
        match scalar {
            Scalar::Integer(integer) => {
                let (least, most) = bits.map_or_else(|| integer.range(self.types.target), |bits| range(*integer, bits));
                let names = self.constants_in(value.description);
                Some(Control::Integer { text: written.plain()?, least, most, names })
            }
            Scalar::Boolean(_) => match written {
                Written::Nothing => Some(Control::Truth { yes: false }),
                Written::Text(_) => Some(Control::Truth { yes: true }),
                Written::Json(Json::Scalar(raw)) => match raw.get() {
                    "true" | "1" => Some(Control::Truth { yes: true }),
                    "false" | "0" => Some(Control::Truth { yes: false }),
                    _ => None,
                },
                Written::Json(_) => None,
            },
            Scalar::Float | Scalar::Double => Some(Control::Number { text: written.plain()? }),
            Scalar::Enumeration(name) => self.choice(value, name, given),
        }
    }

    fn choice(&mut self, value: &Value<'_>, name: &str, given: Given<'_>) -> Option<Control> {
        let found = self.types.interface.enumerations.get(name);
        let all = found.map(|found| found.enumerators.as_slice()).unwrap_or_default();
        let written = given.written(&value.path).plain()?;
        if all.is_empty() || all.len() > MOST_CHOICES || !self.takes(all.len()) {
            let names = all.iter().take(MOST_CHOICES).filter(|_| self.takes(1)).cloned().collect();
            return Some(Control::Integer { text: written, least: i32::MIN.into(), most: u32::MAX.into(), names });
        }
        let option =
            |(name, number): &(String, i64)| Choice { name: name.clone(), value: *number, chosen: *name == written };
        let options: Vec<Choice> = all.iter().map(option).collect();
        let is_other = !written.is_empty() && options.iter().all(|option| !option.chosen);
        let typed = given.field(&Mark::Other.of(&value.path)).map(str::to_owned);
        let other = typed.unwrap_or_else(|| if is_other && written != OTHER { written } else { String::new() });
        Some(Control::Choice { options, is_other, other })
    }

    fn behind(&mut self, value: &Value<'_>, pointer: &Pointer, given: Given<'_>) -> Option<Control> {
        match &pointer.extent {
            Extent::Handle { kind, .. } => {
                let fits = |of: &str| of == kind || of == "void" || kind == "void";
                let known = self.types.handles.iter().filter(|(of, _)| fits(of)).map(|(_, token)| token.clone());
                let known = known.take(MOST_NAMES).collect();
                Some(Control::Handle { text: given.written(&value.path).plain()?, kind: kind.clone(), known })
            }
            Extent::Text(_) | Extent::Bstr | Extent::TextBuffer { .. } => text(value, None, given),
            Extent::One => self.control(value, &pointer.to, None, given),
            Extent::Elements { capacity, .. } => {
                let length = length(capacity, value.names);
                if is_bytes(&pointer.to) {
                    return bytes::control(&value.path, length, given);
                }
                self.list(value, &pointer.to, None, length, given)
            }
        }
    }

    fn array(&mut self, value: &Value<'_>, array: &Array, given: Given<'_>) -> Option<Control> {
        let count = array.count.to_string();
        match (&array.text, &array.of) {
            (Some(_), _) => text(value, Some(array.count), given),
            (None, of) if is_bytes(of) => bytes::control(&value.path, count, given),
            (None, of) => self.list(value, of, Some(array.count), count, given),
        }
    }

    fn list(
        &mut self,
        value: &Value<'_>,
        of: &Type,
        fixed: Option<u32>,
        length: String,
        given: Given<'_>,
    ) -> Option<Control> {
        let usual = fixed.unwrap_or(u32::from(value.way == Direction::In));
        if usual > MOST_FIXED {
            return None;
        }
        let count = match given {
            Given::Value(Some(Json::List(elements))) => elements.len(),
            Given::Value(Some(_)) => return None,
            Given::Fields(fields) => {
                // An array that has its length in C has it also in an element that was added just now.
                let otherwise = fixed.map_or(0, |_| usual);
                let count = fields.text(&Mark::Count.of(&value.path)).and_then(|text| text.parse().ok());
                count.unwrap_or(usize::try_from(otherwise).ok()?)
            }
            Given::Nothing | Given::Value(None) => usize::try_from(usual).ok()?,
        };
        if (count > MOST_ELEMENTS && given.value().is_some()) || !self.has_room_for(count.min(MOST_ELEMENTS)) {
            return None;
        }
        let nullable = matches!(of, Type::Pointer(_) | Type::Callback(_)).then_some(Presence::Null);
        let element = |index: usize| Value {
            path: member(&value.path, &index.to_string()),
            place: String::new(),
            name: "",
            label: format!("{}[{index}]", value.label),
            description: "",
            need: Need::Required,
            nullable,
            ..value.clone()
        };
        let elements = (0..count.min(MOST_ELEMENTS))
            .map(|index| self.node(&element(index), of, None, given.element(index)))
            .collect();
        Some(Control::List { elements, is_open: fixed.is_none() || value.way != Direction::In, length })
    }

    fn callback(&mut self, value: &Value<'_>, signature: &Signature, given: Given<'_>) -> Option<Control> {
        const KNOWN: [&str; 5] = ["returns", "table", "stop_after", "stop_returns", "record"];
        if let Some(json) = given.value()
            && (!matches!(json, Json::Object(_)) || json.members().iter().any(|(name, _)| !KNOWN.contains(&&**name)))
        {
            return None;
        }
        let part = |name: &'static str, nullable| Value {
            path: member(&value.path, name),
            place: String::new(),
            name,
            label: name.to_owned(),
            description: "",
            need: Need::Optional,
            nullable,
            way: Direction::InOut,
            ..value.clone()
        };
        let mut members = Vec::new();
        let is_void = signature.result == Type::Void;
        let nullable = matches!(signature.result, Type::Pointer(_)).then_some(Presence::Null);
        let count = Type::Scalar(Scalar::Integer(Integer { width: Width::W64, signed: false }));
        let answers = [("returns", &signature.result), ("stop_after", &count), ("stop_returns", &signature.result)];
        for (name, ty) in answers.into_iter().filter(|_| !is_void) {
            let nullable = if name == "stop_after" { None } else { nullable };
            members.push(self.node(&part(name, nullable), ty, None, given.member(name)));
        }
        if !is_void {
            members.push(self.node(&part("table", None), &Type::Void, None, given.member("table")));
        }
        let record = match given {
            Given::Fields(fields) => fields.text(&member(&value.path, "record")).is_some(),
            Given::Nothing | Given::Value(None) => true,
            Given::Value(Some(json)) => match json.get("record") {
                None => true,
                Some(Json::Scalar(raw)) => raw.get() != "false",
                Some(_) => return None,
            },
        };
        Some(Control::Callback { members, record })
    }

    /// What stands behind `...`.
    fn extra(&mut self, function: &Function, given: Given<'_>) -> Node {
        let path = member("", "...");
        let count = match given {
            Given::Fields(fields) => {
                fields.text(&Mark::Count.of(&path)).and_then(|text| text.parse().ok()).unwrap_or(0)
            }
            Given::Value(Some(Json::List(elements))) => elements.len(),
            Given::Nothing | Given::Value(_) => 0,
        };
        let argument = |index: usize| {
            let own = member(&path, &index.to_string());
            let given = given.element(index);
            let part = |name: &str| match given.member(name).written(&member(&own, name)) {
                Written::Json(json @ (Json::List(_) | Json::Object(_))) => json.compact(),
                written => written.plain().unwrap_or_default(),
            };
            let is_new = self.added.as_deref() == Some(&own);
            Extra { ty: part("type"), value: part("value"), path: own.clone(), is_new, error: None }
        };
        let arguments = (0..count.min(MOST_ELEMENTS)).map(argument).collect();
        Node {
            path: path.clone(),
            name: "...".to_owned(),
            label: "...".to_owned(),
            description: String::new(),
            need: Need::Optional,
            presence: None,
            partly: true,
            inline: false,
            sensitive: function.sensitive_extra,
            control: Control::Extra { arguments },
            is_new: false,
            error: None,
        }
    }

    /// The constants of the header that a text speaks of: its own, and the function's.
    fn constants_in(&mut self, text: &str) -> Vec<(String, i64)> {
        let constants = &self.types.interface.constants;
        let mut found: Vec<(String, i64)> = Vec::new();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        for word in [text, self.about].into_iter().flat_map(|text| text.split(|c| !is_part(c))) {
            let Some(value) = constants.get(word) else { continue };
            if found.len() < MOST_NAMES && found.iter().all(|(name, _)| name != word) {
                found.push((word.to_owned(), *value));
            }
        }
        let found: Vec<_> = found.into_iter().filter(|_| self.takes(1)).collect();
        found
    }
}

/// What a request has to have of it.
pub(super) fn need_of(need: &Needs<'_>) -> Need {
    match need {
        Needs::Required => Need::Required,
        Needs::LengthOf(arrays) => Need::GivenBy(arrays.join(", ")),
        Needs::Optional | Needs::Output => Need::Optional,
    }
}

/// The range of a bit-field.
const fn range(integer: Integer, bits: u32) -> (i128, i128) {
    let bits = if bits > 64 {
        64
    } else if bits == 0 {
        1
    } else {
        bits
    };
    if integer.signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// Text in a control that gives it back as it is: browsers write line ends their own way, take them out of what is hidden, and have
/// no NUL.
fn text(value: &Value<'_>, limit: Option<u32>, given: Given<'_>) -> Option<Control> {
    let is_changed = |c: char| matches!(c, '\r' | '\0') || (c == '\n' && value.sensitive);
    let text = match given.written(&value.path) {
        Written::Json(json) => json.as_text().filter(|text| !text.contains(is_changed))?,
        written => written.plain()?,
    };
    Some(Control::Text { text, limit: limit.map(Into::into) })
}

/// The control that takes everything.
fn anything(value: &Value<'_>, given: Given<'_>) -> Control {
    let text = match given.written(&value.path) {
        Written::Nothing => String::new(),
        Written::Text(text) => text.to_owned(),
        Written::Json(json) => json.pretty(),
    };
    Control::Json { text }
}
