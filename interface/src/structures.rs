//! Reads the bodies of structures and unions (C17, 6.7.2.1): members, bit-fields, and what attributes and
//! `#pragma pack` say of their places in memory.

use std::collections::HashSet;

use bridge32_protocol::interface::{Scalar, StructureKind};
use tree_sitter::Node;

use crate::annotations::Mark;
use crate::declarations::spelling;
use crate::declarators::Declaration;
use crate::expression::evaluate;
use crate::lexer::Token;
use crate::prototypes::Place;
use crate::report::Reporter;
use crate::sal::Sal;
use crate::types::{ArraySize, CType, NAMELESS, Qualified};

/// The name that stands for none in a bit-field, since the grammar wants one there.
pub(crate) const UNNAMED: &str = "$";

/// What `__attribute__((aligned))` means on x86: as much as any instruction asks for.
const LARGEST_ALIGNMENT: u32 = 16;

/// Larger alignments are a mistake: no object file knows them.
const MAX_ALIGNMENT: i128 = 8192;

/// A structure or union with its members.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) kind: StructureKind,
    pub(crate) members: Vec<Member>,
    pub(crate) pack: Option<u32>,
    pub(crate) packed: bool,
    pub(crate) align: Option<u32>,
    pub(crate) comment: Option<std::rc::Rc<str>>,
    /// Why its members' places in memory are not known.
    pub(crate) problem: Option<String>,
    /// It is one of [`crate::windows`], and a header that defines it has the last word.
    pub(crate) built_in: bool,
}

impl Layout {
    /// Whether both say the same of memory.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same =
            |(a, b): (&Member, &Member)| (&a.name, &a.ty.ty, a.bits, a.align) == (&b.name, &b.ty.ty, b.bits, b.align);
        (self.kind, self.pack, self.packed, self.align) == (other.kind, other.pack, other.packed, other.align)
            && self.members.len() == other.members.len()
            && self.members.iter().zip(&other.members).all(same)
    }
}

/// A member as declared.
#[derive(Debug)]
pub(crate) struct Member {
    /// Empty where it has none.
    pub(crate) name: String,
    pub(crate) ty: Qualified,
    pub(crate) spelling: String,
    pub(crate) bits: Option<u32>,
    pub(crate) align: Option<u32>,
    pub(crate) sal: Vec<Sal<'static>>,
    pub(crate) place: Place,
}

/// A declarator of a member, and the expression behind its colon.
type MemberNode<'d> = (Node<'d>, Option<Node<'d>>);

impl<'d, 'a> Declaration<'d, 'a> {
    /// Reads a `struct` or `union` with a body.
    pub(crate) fn structure(&mut self, node: Node<'d>, reporter: &mut Reporter) {
        let (Some(id), Some(body)) = (self.ids.get(&node.id()).cloned(), node.child_by_field_name("body")) else {
            return;
        };
        let mut layout = self.empty(node, body);
        let mut cursor = body.walk();
        for field in body.named_children(&mut cursor) {
            if field.kind() == "field_declaration" {
                self.fields(field, &mut layout);
            }
        }
        let own = self.parsed.tokens(node);
        let changed = self.change(self.marks(own.start, own.end).map(|(_, mark)| mark));
        layout.problem = changed.or(layout.problem).or_else(|| impossible(&layout.members));
        for (index, member) in layout.members.iter().enumerate() {
            let label = if member.name.is_empty() { index.to_string() } else { member.name.clone() };
            self.types.nest(&member.ty.ty, &id, label);
        }
        let name = self.tag(node).unwrap_or_default();
        if !self.types.define_structure(id, layout) {
            let at = self.chunk.tokens[self.parsed.tokens(node).start].at;
            let message = format!("“{name}” is defined differently before; that definition is used: remove one");
            reporter.error(at, message);
        }
    }

    /// The structure without its members.
    fn empty(&self, node: Node, body: Node) -> Layout {
        let (own, body) = (self.parsed.tokens(node), self.parsed.tokens(body));
        let member = node.parent().is_some_and(|parent| parent.kind() == "field_declaration");
        let marks = self.marks(own.start, own.end).filter(|(at, _)| {
            // What stands before the `struct` of a member is said of the member.
            (own.start + usize::from(member)..=body.start).contains(at) || *at == own.end
        });
        let mut layout = Layout {
            kind: if node.kind() == "union_specifier" { StructureKind::Union } else { StructureKind::Struct },
            members: Vec::new(),
            pack: None,
            packed: false,
            align: None,
            comment: self.comment.clone().filter(|_| !member),
            problem: None,
            built_in: usize::from(self.chunk.tokens[own.start].at.file) == crate::predefined::FILE,
        };
        for (at, mark) in marks {
            match mark {
                Mark::Pack(limit) => layout.pack = Some(*limit),
                // Before the `struct` compilers ignore it, and do not pack.
                Mark::Packed if *at > own.start => layout.packed = true,
                Mark::Aligned { bytes, declspec } if *declspec || *at > own.start => match self.alignment(bytes) {
                    Ok(align) => layout.align = layout.align.max(align),
                    Err(problem) => layout.problem = Some(problem),
                },
                _ => {}
            }
        }
        layout
    }

    /// Reads the members that one line declares.
    fn fields(&mut self, field: Node<'d>, layout: &mut Layout) {
        let base = self.base(field);
        let tokens = self.parsed.tokens(field);
        let declarators = declarators(field);
        let Some((first, _)) = declarators.first() else {
            self.anonymous(field, base, layout);
            return;
        };
        let first = self.parsed.tokens(*first).start;
        for (index, (node, bits)) in declarators.iter().enumerate() {
            let Some(read) = self.declarator(Some(*node), base.clone(), 0) else {
                layout.problem = Some("a member of it is nested too deeply".to_owned());
                continue;
            };
            let own = self.parsed.tokens(*node);
            // The comma or semicolon behind it.
            let end = declarators.get(index + 1).map_or(tokens.end, |(next, _)| self.parsed.tokens(*next).start) - 1;
            let name = read.name.map(|name| self.parsed.text(name).to_owned()).filter(|name| name != UNNAMED);
            let name_token = read.name.map(|name| self.parsed.tokens(name).start);
            let words = [&self.chunk.tokens[tokens.start..first], &self.chunk.tokens[own.clone()]].concat();
            let without = name_token.map(|index| index - own.start + first - tokens.start);
            let mut member = Member {
                name: name.unwrap_or_default(),
                ty: read.ty,
                spelling: spelling(&words, without),
                bits: None,
                align: None,
                sal: self.sal(tokens.start, first, None),
                place: self.place(if index == 0 { tokens.start } else { own.start }..end, name_token),
            };
            member.sal.extend(self.sal(own.start + 1, end, Some(*node)));
            self.memory(field, (first, own.start, end), &mut member, layout);
            if let Some(bits) = bits {
                match self.bits(*bits, &member) {
                    Ok(bits) => member.bits = Some(bits),
                    Err(problem) => layout.problem = Some(problem),
                }
            }
            layout.members.push(member);
        }
    }

    /// `struct { … };` inside of another. With a tag, it is a member only for compilers of Windows.
    fn anonymous(&mut self, field: Node, base: Qualified, layout: &mut Layout) {
        let CType::Struct(id) = &base.ty else { return };
        if !id.starts_with(NAMELESS) && !self.types.is_windows() {
            return;
        }
        let tokens = self.parsed.tokens(field);
        let mut member = Member {
            name: String::new(),
            spelling: self.types.preferred_name(id),
            ty: base,
            bits: None,
            align: None,
            sal: Vec::new(),
            place: self.place(tokens.start..tokens.end - 1, None),
        };
        self.memory(field, (tokens.start, tokens.start, tokens.end), &mut member, layout);
        layout.members.push(member);
    }

    /// What attributes say of a member's place: those before the first declarator, and those behind its own start.
    fn memory(&self, field: Node, range: (usize, usize, usize), member: &mut Member, layout: &mut Layout) {
        let start = self.parsed.tokens(field).start;
        let (first, own, end) = range;
        let body = field.child_by_field_name("type").filter(|ty| ty.child_by_field_name("body").is_some());
        let body = body.map(|node| self.parsed.tokens(node));
        for (at, mark) in self.marks(start, end) {
            let of_the_type = body.as_ref().is_some_and(|body| body.start < *at && *at <= body.end);
            if of_the_type || !((start..=first).contains(at) || (own + 1..=end).contains(at)) {
                continue;
            }
            match mark {
                Mark::Packed => layout.problem = Some(format!("its member “{}” alone is packed", member.name)),
                Mark::Aligned { bytes, .. } => match self.alignment(bytes) {
                    Ok(align) => member.align = member.align.max(align),
                    Err(problem) => layout.problem = Some(problem),
                },
                _ => {}
            }
        }
    }

    /// What was said beside the C from a token on up to the place before another.
    pub(crate) fn marks(&self, from: usize, to: usize) -> impl Iterator<Item = &(usize, Mark<'a>)> {
        let first = self.chunk.marks.partition_point(|(at, _)| *at < from);
        self.chunk.marks[first..].iter().take_while(move |(at, _)| *at <= to)
    }

    fn alignment(&self, tokens: &[Token]) -> Result<Option<u32>, String> {
        if tokens.is_empty() {
            return Ok(Some(LARGEST_ALIGNMENT));
        }
        let wrong = |reason: String| format!("an alignment in it is not understood: {reason}");
        let expr = self.types.expression(tokens).map_err(wrong)?;
        let value = evaluate(&expr, &|name| self.types.constant(name)).map_err(wrong)?.number;
        match u32::try_from(value) {
            Ok(0) => Ok(None),
            Ok(align) if align.is_power_of_two() && value <= MAX_ALIGNMENT => Ok(Some(align)),
            _ => Err(wrong(format!("{value} is no power of two up to {MAX_ALIGNMENT}"))),
        }
    }

    fn bits(&self, node: Node, member: &Member) -> Result<u32, String> {
        let name = &member.name;
        let integer = matches!(
            member.ty.ty,
            CType::Scalar { scalar: Scalar::Integer(_) | Scalar::Boolean(_) | Scalar::Enumeration(_), .. }
        );
        let width = self.types.size(&member.ty.ty).filter(|_| integer).map(|bytes| i128::from(bytes) * 8);
        let width = width.ok_or_else(|| format!("the type of its bit-field “{name}” is no integer"))?;
        let bits =
            self.number(node).map_err(|reason| format!("the width of “{name}” in it is not understood: {reason}"))?;
        let least = i128::from(!name.is_empty());
        let valid = u32::try_from(bits).ok().filter(|_| (least..=width).contains(&bits));
        valid.ok_or_else(|| format!("its bit-field “{name}” has {bits} bits, and {least} to {width} are possible"))
    }
}

/// The declarators of a line of members.
fn declarators(field: Node) -> Vec<MemberNode> {
    let mut found: Vec<MemberNode> = Vec::new();
    let mut cursor = field.walk();
    let mut more = cursor.goto_first_child();
    while more {
        let node = cursor.node();
        if cursor.field_name() == Some("declarator") {
            found.push((node, None));
        } else if node.kind() == "bitfield_clause"
            && let Some(last) = found.last_mut()
        {
            last.1 = node.named_child(0);
        }
        more = cursor.goto_next_sibling();
    }
    found
}

/// What no structure can have: two members of one name, an array of no size.
fn impossible(members: &[Member]) -> Option<String> {
    if members.is_empty() {
        return Some("it has no members".to_owned());
    }
    let mut names = HashSet::new();
    for (index, member) in members.iter().enumerate() {
        let name = &member.name;
        if !name.is_empty() && !names.insert(name) {
            return Some(format!("two of its members have the name “{name}”"));
        }
        let mut ty = &member.ty.ty;
        while let CType::Array { of, size, .. } = ty {
            match size {
                ArraySize::Known(_) => {}
                ArraySize::Unknown(reason) => {
                    return Some(format!("the size of its array “{name}” is not understood: {reason}"));
                }
                ArraySize::Open if index + 1 == members.len() => {
                    return Some(format!("its last member “{name}” is an array of no fixed size"));
                }
                ArraySize::Open => return Some(format!("its array “{name}” has no size")),
            }
            ty = of;
        }
    }
    None
}
