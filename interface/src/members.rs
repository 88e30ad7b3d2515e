//! From the structures of C to those of the interface, and which of them can be passed at all.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use bridge32_protocol::interface::{Enumeration, Field, Function, Scalar, Structure, Type, Variable};

use crate::documentation::{Documentation, TagKind};
use crate::doxygen;
use crate::lengths::{MEMBERS, Scope};
use crate::parameters::{Declared, Role, Surroundings, pass_one};
use crate::report::Reporter;
use crate::source::Position;
use crate::structures::{Layout, Member};
use crate::tags::{self, Owner};
use crate::types::{CType, Types};

/// Structures in structures in … beyond this are refused: what is made of them must stay below the nesting that JSON
/// parsers accept (128), and no recursion over them may exhaust a stack.
const MAX_DEPTH: u32 = 24;

/// The names of all structures with a body, and why some of them cannot be passed.
pub(crate) struct Structures {
    names: HashMap<Rc<str>, String>,
    problems: HashMap<Rc<str>, Option<String>>,
}

impl Structures {
    /// Of all types that were read.
    pub(crate) fn new(types: &Types) -> Self {
        let mut names = HashMap::new();
        let mut taken = HashSet::new();
        for id in &types.layout_order {
            let mut name = types.preferred_name(id);
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            names.insert(id.clone(), name);
        }
        let mut check = Check { types, known: HashMap::new(), open: Vec::new() };
        for id in &types.layout_order {
            // What was found is among the known.
            let _ = check.structure(id);
        }
        let problems = check.known.into_iter().map(|(id, found)| (id, found.err())).collect();
        Self { names, problems }
    }

    /// What a structure is called in the interface; one without a body, in handles.
    pub(crate) fn name(&self, id: &Rc<str>, types: &Types) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| types.preferred_name(id))
    }

    /// Why it cannot be passed; `None` also where it has no body.
    pub(crate) fn problem(&self, id: &str) -> Option<&str> {
        self.problems.get(id)?.as_deref()
    }

    /// Whether its members are known and can be passed.
    pub(crate) fn is_usable(&self, id: &str) -> bool {
        self.problems.get(id).is_some_and(Option::is_none)
    }
}

/// Looks for what cannot be passed among members by value.
struct Check<'t> {
    types: &'t Types,
    /// How deeply each is nested, or why it cannot be passed.
    known: HashMap<Rc<str>, Result<u32, String>>,
    open: Vec<Rc<str>>,
}

impl Check<'_> {
    fn structure(&mut self, id: &Rc<str>) -> Result<u32, String> {
        if let Some(known) = self.known.get(id) {
            return known.clone();
        }
        let layout = self.types.layouts.get(id).ok_or("the structure in it has no members that are declared here")?;
        if self.open.contains(id) {
            return Err("it contains itself".to_owned());
        }
        if self.open.len() >= MAX_DEPTH as usize {
            return Err("the structures in it are nested too deeply".to_owned());
        }
        self.open.push(id.clone());
        let found = match &layout.problem {
            Some(problem) => Err(problem.clone()),
            None => layout.members.iter().try_fold(0, |depth, member| Ok(self.member(&member.ty.ty)?.max(depth))),
        };
        self.open.pop();
        let found = found.and_then(|depth: u32| {
            if depth < MAX_DEPTH { Ok(depth + 1) } else { Err("the structures in it are nested too deeply".to_owned()) }
        });
        self.known.insert(id.clone(), found.clone());
        found
    }

    fn member(&mut self, ty: &CType) -> Result<u32, String> {
        match ty {
            CType::Array { of, .. } => self.member(of),
            CType::Struct(id) => self.structure(id),
            CType::Void => Err("a member of it is void".to_owned()),
            CType::Function(_) => Err("a member of it is a function".to_owned()),
            CType::Other(name) => Err(format!("a member of it has the type {name}")),
            CType::Refused(why) => Err(format!("a member of it has a type that is not understood, because {why}")),
            CType::Unknown(name) => Err(format!("a member of it has the type {name}, which is not declared here")),
            CType::Scalar { .. } | CType::Pointer { .. } | CType::Handle { .. } | CType::Bstr => Ok(0),
        }
    }
}

/// All structures that can be passed, by name.
pub(crate) fn build(around: &Surroundings, reporter: &mut Reporter) -> BTreeMap<String, Structure> {
    let types = around.types;
    let usable = types.layout_order.iter().filter(|id| around.structures.is_usable(id));
    usable.map(|id| (around.structures.name(id, types), structure(&types.layouts[id], around, reporter))).collect()
}

fn structure(layout: &Layout, around: &Surroundings, reporter: &mut Reporter) -> Structure {
    let mut documentation = layout.comment.as_deref().map(doxygen::read).unwrap_or_default();
    // The others speak of functions.
    documentation.tags.retain(|tag| tag.kind == TagKind::Sensitive);
    let around = &Surroundings { encoding: documentation.encoding.as_ref(), ..*around };
    let mut declared: Vec<Declared> = layout.members.iter().map(|member| declare(member, around, reporter)).collect();
    let owner = Owner { name: "", at: layout.members.first().map_or(Position::default(), |first| first.place.at) };
    tags::apply(&documentation, &mut declared, None, around, owner, reporter);
    let operands: Vec<_> = declared.iter().map(|declared| declared.operand(Role::Member)).collect();
    let scope = Scope { operands: &operands, types: around.types, what: MEMBERS, numeric_result: false };
    let fields = layout.members.iter().zip(&mut declared).map(|(member, declared)| Field {
        name: member.name.clone(),
        ty: pass_one(declared, Role::Member, scope, around, reporter).what,
        bits: member.bits,
        align: member.align,
        sensitive: declared.sensitive,
        description: declared.documentation.text.trim_end().to_owned(),
    });
    Structure {
        kind: layout.kind,
        fields: fields.collect(),
        pack: layout.pack,
        packed: layout.packed,
        align: layout.align,
        description: documentation.description.clone(),
    }
}

/// A member with all that is said of it.
fn declare(member: &Member, around: &Surroundings, reporter: &mut Reporter) -> Declared {
    let mut own = Documentation::default();
    let documented = tags::comment_of(&member.name, member.place, &mut own, around, reporter);
    let (name, at) = (member.name.clone(), member.place.at);
    let mut declared = tags::one(name, &member.ty, &member.spelling, &member.sal, at, documented);
    let owner = Owner { name: &member.name, at };
    tags::apply(&own, std::slice::from_mut(&mut declared), None, around, owner, reporter);
    declared
}

/// Those that functions and variables need.
pub(crate) fn reachable(
    mut all: BTreeMap<String, Structure>,
    functions: &[Function],
    variables: &[Variable],
) -> BTreeMap<String, Structure> {
    let mut wanted: Vec<&Type> = variables.iter().map(|variable| &variable.ty).collect();
    for function in functions {
        wanted.push(&function.result);
        wanted.extend(function.parameters.iter().map(|parameter| &parameter.ty));
    }
    let mut names: Vec<String> = wanted.into_iter().flat_map(structures_in).collect();
    let mut found = BTreeMap::new();
    while let Some(name) = names.pop() {
        if let Some(structure) = all.remove(&name) {
            names.extend(structure.fields.iter().flat_map(|field| structures_in(&field.ty)));
            found.insert(name, structure);
        }
    }
    found
}

/// The enumerations that functions and structures need.
pub(crate) fn reachable_enumerations(
    mut all: BTreeMap<String, Enumeration>,
    functions: &[Function],
    structures: &BTreeMap<String, Structure>,
) -> BTreeMap<String, Enumeration> {
    let mut names = BTreeSet::new();
    let mut see = |ty: &Type| {
        if let Type::Scalar(Scalar::Enumeration(name)) = ty {
            names.insert(name.clone());
        }
    };
    for function in functions {
        each(&function.result, &mut see);
        function.parameters.iter().for_each(|parameter| each(&parameter.ty, &mut see));
    }
    structures.values().flat_map(|structure| &structure.fields).for_each(|field| each(&field.ty, &mut see));
    all.retain(|name, _| names.contains(name));
    all
}

/// The structures that a type names.
fn structures_in(ty: &Type) -> Vec<String> {
    let mut names = Vec::new();
    each(ty, &mut |part| {
        if let Type::Structure(name) = part {
            names.push(name.clone());
        }
    });
    names
}

/// Shows a type, and those that it is made of.
fn each(ty: &Type, see: &mut impl FnMut(&Type)) {
    see(ty);
    match ty {
        Type::Pointer(pointer) => each(&pointer.to, see),
        Type::Array(array) => each(&array.of, see),
        Type::Callback(signature) => {
            signature.parameters.iter().for_each(|parameter| each(&parameter.ty, see));
            each(&signature.result, see);
        }
        Type::Structure(_) | Type::Void | Type::Scalar(_) | Type::Unsupported { .. } => {}
    }
}
