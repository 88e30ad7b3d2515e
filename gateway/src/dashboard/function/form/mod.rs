//! A form made of C types, and what was typed in it as the JSON of a call. Pure: nothing is called here, and nothing is judged that
//! the agent judges.
//!
//! - `build`, with `structures`: from types, and what was given before, to nodes;
//! - `node`: what those are, and how they look (`templates/function/node.html`);
//! - `read`: from nodes to JSON.
//!
//! A page is bounded: what is too deep, too long or too much becomes a text of JSON.

mod build;
mod bytes;
mod given;
mod mistakes;
pub mod node;
mod read;
mod structures;
#[cfg(test)]
mod tests;

use bridge32_protocol::interface::Function;

pub use build::Types;
pub use given::{Edit, Given};
pub use mistakes::Mistake;

use build::Builder;
use node::{Control, Node};

use crate::json::Json;

/// A form has no more controls.
const MOST_NODES: usize = 150;
/// Nor a list in it more elements.
const MOST_ELEMENTS: usize = 64;

/// The form of a function.
#[derive(Clone, Debug)]
pub struct Form {
    /// What its arguments are given in.
    pub nodes: Vec<Node>,
    /// Whether files can be sent with it.
    pub has_files: bool,
    /// Whether there was too much for a page.
    pub is_cut: bool,
    /// What was given and is no parameter.
    pub unknown: Vec<String>,
}

impl Form {
    /// The form of a function with what was given so far. `edit`: what is about to be changed in the fields.
    pub fn of(function: &Function, types: Types<'_>, given: Given<'_>, edit: Option<&Edit>) -> Self {
        let mut builder = Builder::new(types, function);
        if let (Some(Edit::Add(path)), Given::Fields(fields)) = (edit, given) {
            let count = fields.text(&node::Mark::Count.of(path)).and_then(|text| text.parse::<usize>().ok());
            builder.added =
                count.and_then(|count| count.checked_sub(1)).map(|last| node::member(path, &last.to_string()));
        }
        let nodes = builder.parameters(function, given);
        let has_files = nodes.iter().any(takes_files);
        let is_known = |name: &str| nodes.iter().any(|node| node.name == name);
        let given = given.value().map(Json::members).unwrap_or_default();
        let unknown = given.iter().map(|(name, _)| name.clone()).filter(|name| !is_known(name)).collect();
        Self { has_files, is_cut: builder.is_cut, unknown, nodes }
    }

    /// The object of arguments.
    ///
    /// # Errors
    /// What cannot even be sent, and where.
    pub fn arguments(&self) -> Result<Json, Vec<(String, Mistake)>> {
        let mut wrong = Vec::new();
        let members = read::members(&self.nodes, &mut wrong);
        if wrong.is_empty() { Ok(Json::Object(members)) } else { Err(wrong) }
    }

    /// The same as far as it can be read, for what only shows it.
    pub fn arguments_so_far(&self) -> Json {
        Json::Object(read::members(&self.nodes, &mut Vec::new()))
    }

    /// Writes what is wrong beside the control that a pointer means. Gives that one's id.
    pub fn blame(&mut self, pointer: &str, why: &str) -> Option<String> {
        self.nodes.iter_mut().find_map(|node| node.blame(pointer, why))
    }

    /// Whether there is nothing to give.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

fn takes_files(node: &Node) -> bool {
    match &node.control {
        Control::Bytes { .. } => true,
        Control::Group { members } | Control::Callback { members, .. } => members.iter().any(takes_files),
        Control::List { elements, .. } => elements.iter().any(takes_files),
        Control::Union { branches, .. } => branches.iter().any(|branch| branch.members.iter().any(takes_files)),
        _ => false,
    }
}
