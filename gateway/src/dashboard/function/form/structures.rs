//! Structures and unions as groups of nodes, their anonymous members in the object around them.

use bridge32_interface::needs::{self, Need as Needs};
use bridge32_protocol::interface::{Direction, Field, Structure, StructureKind, Type};

use super::build::{Builder, Value, need_of};
use super::given::Given;
use super::node::{Branch, Control, Mark, Need, Node, Presence, member};
use crate::json::Json;

/// Structures within structures are taken apart so far.
const MOST_DEPTH: usize = 5;

impl Builder<'_> {
    pub(super) fn structure(&mut self, value: &Value<'_>, name: &str, given: Given<'_>) -> Option<Control> {
        let structure = self.types.interface.structures.get(name)?;
        let is_known = value.inside.contains(&name) || value.inside.len() >= MOST_DEPTH;
        if is_known || matches!(given, Given::Value(Some(Json::Scalar(_) | Json::List(_)))) {
            return None;
        }
        if !self.has_room_for(structure.fields.len()) {
            return None;
        }
        // What stands for memory that is there already is no structure.
        if given.value().is_some_and(|value| value.get("$handle").is_some()) {
            return None;
        }
        let inside = [value.inside, &[name]].concat();
        let value = Value { inside: &inside, ..value.clone() };
        match structure.kind {
            StructureKind::Struct => Some(Control::Group { members: self.members(&value, structure, given) }),
            StructureKind::Union => Some(self.union(&value, structure, given)),
        }
        // A member that there is none of is not left out silently.
        .filter(|control| {
            let known = names_in(control, true);
            given.value().is_none_or(|object| object.members().iter().all(|(name, _)| known.contains(name)))
        })
    }

    /// The members of a structure; `given` is what was given for the object that has them.
    fn members(&mut self, around: &Value<'_>, structure: &Structure, given: Given<'_>) -> Vec<Node> {
        let names: Vec<&str> = structure.fields.iter().map(|field| field.name.as_str()).collect();
        let all = needs::of_members(structure, around.way).into_iter().zip(&structure.fields).enumerate();
        all.filter_map(|(index, (need, field))| self.field(around, field, &need, index, &names, given)).collect()
    }

    fn field(
        &mut self,
        around: &Value<'_>,
        field: &Field,
        need: &Needs<'_>,
        index: usize,
        names: &[&str],
        given: Given<'_>,
    ) -> Option<Node> {
        if field.name.is_empty() {
            return if field.bits.is_none() { self.anonymous(around, field, index, given) } else { None };
        }
        let nullable = matches!(field.ty, Type::Pointer(_) | Type::Callback(_)).then_some(Presence::Null);
        let need = match (around.way, need_of(need)) {
            (Direction::In, need) if nullable.is_none() => need,
            _ => Need::Optional,
        };
        let value = Value {
            path: member(&around.path, &field.name),
            place: String::new(),
            name: &field.name,
            label: field.name.clone(),
            description: &field.description,
            need,
            nullable,
            sensitive: field.sensitive || around.sensitive,
            way: around.way,
            names,
            inside: around.inside,
        };
        Some(self.node(&value, &field.ty, field.bits, given.member(&field.name)))
    }

    /// A structure or union without a name: its members stand in the object around it.
    fn anonymous(&mut self, around: &Value<'_>, field: &Field, index: usize, given: Given<'_>) -> Option<Node> {
        let Type::Structure(name) = &field.ty else { return None };
        let structure = self.types.interface.structures.get(name)?;
        if around.inside.len() >= MOST_DEPTH || !self.has_room_for(structure.fields.len()) {
            self.is_cut = true;
            return None;
        }
        let inside = [around.inside, &[name.as_str()]].concat();
        let value = Value { inside: &inside, place: format!("{}#{index}", around.place), ..around.clone() };
        let control = match structure.kind {
            StructureKind::Struct => Control::Group { members: self.members(&value, structure, given) },
            StructureKind::Union => self.union(&value, structure, given),
        };
        Some(Node {
            path: around.path.clone(),
            name: String::new(),
            label: String::new(),
            description: field.description.clone(),
            need: Need::Optional,
            presence: None,
            partly: around.way != Direction::In,
            inline: true,
            sensitive: false,
            control,
            is_new: false,
            error: None,
        })
    }

    fn union(&mut self, around: &Value<'_>, structure: &Structure, given: Given<'_>) -> Control {
        let field = Mark::Member.of(&format!("{}{}", around.path, around.place));
        let names: Vec<&str> = structure.fields.iter().map(|field| field.name.as_str()).collect();
        let mut branches: Vec<Branch> = Vec::new();
        for (index, own) in structure.fields.iter().enumerate() {
            let Some(node) = self.field(around, own, &Needs::Required, index, &names, given) else { continue };
            let label = if node.inline { names_of(&node).join(", ") } else { node.label.clone() };
            branches.push(Branch { label, chosen: false, members: vec![node] });
        }
        let has = |branch: &Branch| {
            let object = given.value();
            branch.members.iter().flat_map(names_of).any(|name| object.is_some_and(|it| it.get(&name).is_some()))
        };
        let chosen = match given {
            Given::Fields(fields) => match fields.text(&field) {
                Some(text) => text.parse().ok(),
                None => self.is_added(&around.path).then_some(0),
            },
            Given::Nothing => Some(0),
            Given::Value(_) => branches.iter().position(has),
        };
        if let Some(branch) = chosen.and_then(|chosen| branches.get_mut(chosen)) {
            branch.chosen = true;
        }
        Control::Union { field, branches }
    }
}

/// The names that a node puts into the object around it.
fn names_of(node: &Node) -> Vec<String> {
    if node.inline { names_in(&node.control, false) } else { vec![node.name.clone()] }
}

/// The names of the members that a control has; of a union perhaps only of the one that is `chosen`.
fn names_in(control: &Control, chosen: bool) -> Vec<String> {
    let inner = |node: &Node| if node.inline { names_in(&node.control, chosen) } else { vec![node.name.clone()] };
    match control {
        Control::Group { members } => members.iter().flat_map(inner).collect(),
        Control::Union { branches, .. } => {
            let meant = branches.iter().filter(|branch| branch.chosen || !chosen);
            meant.flat_map(|branch| branch.members.iter().flat_map(inner)).collect()
        }
        _ => Vec::new(),
    }
}
