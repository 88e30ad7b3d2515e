//! Attributes that change how a type lies in memory: what the interface has words for is taken over, and every other type
//! is refused, since a wrong size would be no error but wrong data.

use bridge32_protocol::interface::{Integer, Scalar, Width};
use tree_sitter::Node;

use crate::annotations::{Change, Mark};
use crate::declarators::Declaration;
use crate::types::{CType, Types};

impl<'a> Declaration<'_, 'a> {
    /// Why the layout of what these marks are said of is not known; `None` if they do not change it.
    pub(crate) fn change<'m>(&self, marks: impl Iterator<Item = &'m Mark<'a>>) -> Option<String>
    where
        'a: 'm,
    {
        let mut changes = marks.filter_map(|mark| if let Mark::Layout(change) = mark { Some(change) } else { None });
        changes.find(|change| !is_usual(change, self.types)).map(why)
    }

    /// A type that these marks are said of.
    pub(crate) fn changed<'m>(&self, ty: CType, marks: impl Iterator<Item = &'m Mark<'a>>) -> CType
    where
        'a: 'm,
    {
        self.change(marks).map_or(ty, CType::Refused)
    }

    /// The type that a typedef defines: `ty`, but for what attributes outside of its body say.
    pub(crate) fn defined_type(&self, typedef: Node, ty: CType) -> CType {
        let defined = typedef.child_by_field_name("type").filter(|ty| ty.child_by_field_name("body").is_some());
        let body = defined.map(|node| self.parsed.tokens(node));
        let outside = |at: usize, mark: &Mark| {
            let before = matches!(mark, Mark::Aligned { declspec: false, .. });
            body.as_ref().is_none_or(|body| at < body.start + usize::from(before) || at > body.end)
        };
        let marks = self.chunk.marks.iter().filter(|(at, mark)| outside(*at, mark)).map(|(_, mark)| mark);
        marks.fold(ty, |ty, mark| match mark {
            Mark::Layout(change) => match (integer_of(change), &ty) {
                (Some(width), CType::Scalar { scalar: Scalar::Integer(integer), .. }) => {
                    CType::scalar(Scalar::Integer(Integer { width, ..*integer }))
                }
                _ if is_usual(change, self.types) => ty,
                _ => CType::Refused(why(change)),
            },
            Mark::Aligned { .. } => {
                let why = "its typedef has an alignment of its own, behind or before the name (a structure's is said \
                           behind its })";
                CType::Refused(why.to_owned())
            }
            _ => ty,
        })
    }
}

/// Whether a change is none on the target.
fn is_usual(change: &Change, types: &Types) -> bool {
    match &*change.name {
        "ms_struct" => types.is_windows(),
        "gcc_struct" => !types.is_windows(),
        "scalar_storage_order" => change.argument.contains("little"),
        "__ptr32" => types.pointer_bytes() == 4,
        "__ptr64" => types.pointer_bytes() == 8,
        _ => false,
    }
}

/// The width that `mode(DI)` gives to an integer (GCC internals: "Machine Modes").
fn integer_of(change: &Change) -> Option<Width> {
    if change.name != "mode" {
        return None;
    }
    Some(match change.argument.trim_matches('_') {
        "QI" | "byte" => Width::W8,
        "HI" => Width::W16,
        "SI" => Width::W32,
        "DI" => Width::W64,
        "word" | "pointer" => Width::Pointer,
        _ => return None,
    })
}

fn why(change: &Change) -> String {
    let Change { name, argument } = change;
    let argument = if argument.is_empty() { String::new() } else { format!("({argument})") };
    format!("“{name}{argument}” changes its size or its layout in a way that is not understood here")
}
