//! Which structures lead to themselves: lists and trees. The agent follows pointers 16 times, and answers what lies
//! behind that as handles.

use std::collections::{BTreeMap, BTreeSet};

use bridge32_protocol::interface::{Extent, Interface, Type};

/// Structures in which a pointer may be one that is not followed any more: those that lead to themselves, and all that
/// those lead to. (A chain of more than 16 different structures, each with a pointer to the next, is left aside.)
pub(super) fn endless(interface: &Interface) -> BTreeSet<&str> {
    let direct: BTreeMap<&str, BTreeSet<&str>> = interface
        .structures
        .iter()
        .map(|(name, structure)| {
            let mut found = BTreeSet::new();
            structure.fields.iter().for_each(|field| collect(&field.ty, &mut found));
            (name.as_str(), found)
        })
        .collect();
    let mut endless = BTreeSet::new();
    for name in direct.keys() {
        let reached = reach(name, &direct);
        if reached.contains(name) {
            endless.extend(reached);
        }
    }
    endless
}

/// The structures that the answer has within a value of this type.
fn collect<'a>(ty: &'a Type, found: &mut BTreeSet<&'a str>) {
    match ty {
        Type::Structure(name) => {
            found.insert(name);
        }
        Type::Array(array) => collect(&array.of, found),
        Type::Pointer(pointer) if !matches!(pointer.extent, Extent::Handle { .. }) => collect(&pointer.to, found),
        Type::Pointer(_) | Type::Void | Type::Scalar(_) | Type::Callback(_) | Type::Unsupported { .. } => {}
    }
}

fn reach<'a>(from: &str, direct: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = direct.get(from).into_iter().flatten().copied().collect();
    while let Some(name) = next.pop() {
        if let Some((name, inner)) = direct.get_key_value(name)
            && reached.insert(*name)
        {
            next.extend(inner);
        }
    }
    reached
}
