//! From the syntax of a declaration to names and their types (C17, 6.7.6): inside out, as C reads.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use bridge32_protocol::interface::Convention;
use tree_sitter::Node;

use crate::annotations::Mark;
use crate::chunks::Chunk;
use crate::declarations::spelling;
use crate::expression::evaluate;
use crate::prototypes::{FunctionParameter, FunctionType, Place};
use crate::reach::Reach;
use crate::report::Reporter;
use crate::sal::Sal;
use crate::tree::Parsed;
use crate::types::{ArraySize, CType, Qualified, Types};

/// Deeper nesting of declarators is refused.
const MAX_DEPTH: u32 = 64;

/// A name and its type.
#[derive(Debug)]
pub(crate) struct Declarator<'t> {
    /// The name's node; `None` where a parameter has none.
    pub(crate) name: Option<Node<'t>>,
    /// Its type; for a function, that of its result.
    pub(crate) ty: Qualified,
    /// The declarator with the parameters, if the name is that of a function.
    pub(crate) function: Option<Node<'t>>,
}

/// One declaration, what is in it, and what was declared before.
pub(crate) struct Declaration<'d, 'a> {
    pub(crate) parsed: &'d Parsed,
    pub(crate) chunk: &'d Chunk<'a>,
    pub(crate) types: &'d mut Types,
    /// The documentation comment before it.
    pub(crate) comment: Option<Rc<str>>,
    /// The types that enumerations in this declaration are, by node.
    enumerations: HashMap<usize, CType>,
    /// What the structures in this declaration are known as, by node.
    pub(crate) ids: HashMap<usize, Rc<str>>,
}

impl<'d, 'a> Declaration<'d, 'a> {
    /// Nothing of it read yet.
    pub(crate) fn new(
        parsed: &'d Parsed,
        chunk: &'d Chunk<'a>,
        types: &'d mut Types,
        comment: Option<Rc<str>>,
    ) -> Self {
        Self { parsed, chunk, types, comment, enumerations: HashMap::new(), ids: HashMap::new() }
    }

    /// Reads the enumerations and structures that are defined in it.
    pub(crate) fn definitions(&mut self, reporter: &mut Reporter) {
        let bodies = |node: &Node| match node.kind() {
            "enum_specifier" => node.child_by_field_name("body").is_some() || self.is_sized(*node),
            "struct_specifier" | "union_specifier" => node.child_by_field_name("body").is_some(),
            _ => false,
        };
        let mut structures = Vec::new();
        for node in self.parsed.find(bodies) {
            let tag = self.tag(node);
            if node.kind() == "enum_specifier" {
                let alias = self.alias(node);
                let (enumeration, other) = self.enumeration(node, reporter);
                let ty = self.types.define_enumeration(tag, alias, enumeration, other);
                self.enumerations.insert(node.id(), ty);
            } else {
                let id = tag.map_or_else(|| self.types.nameless(), Rc::from);
                self.ids.insert(node.id(), id);
                structures.push(node);
            }
        }
        // Inner ones end first, and those before others, too: what a member's type needs is there.
        structures.sort_by_key(Node::end_byte);
        for node in structures {
            self.structure(node, reporter);
        }
    }

    /// The name behind `struct`, `union` or `enum`.
    pub(crate) fn tag(&self, node: Node) -> Option<&'d str> {
        node.child_by_field_name("name").map(|name| self.parsed.text(name))
    }

    /// The name that a typedef gives to the type it defines.
    fn alias(&self, node: Node) -> Option<&'d str> {
        let parent = node.parent().filter(|parent| parent.kind() == "type_definition")?;
        let mut cursor = parent.walk();
        let mut names = parent.children_by_field_name("declarator", &mut cursor);
        names.find(|name| name.kind() == "type_identifier").map(|name| self.parsed.text(name))
    }

    /// The value of a constant expression.
    pub(crate) fn number(&self, node: Node) -> Result<i128, String> {
        let expr = self.types.expression(&self.chunk.tokens[self.parsed.tokens(node)])?;
        evaluate(&expr, &|name| self.types.constant(name)).map(|value| value.number)
    }

    /// The type that the words before the declarators say.
    pub(crate) fn base(&self, node: Node) -> Qualified {
        let constant = self.has_const(node);
        let Some(specifier) = node.child_by_field_name("type") else {
            return Qualified { ty: CType::Other("a type that is missing".to_owned()), constant };
        };
        let text = self.parsed.text(specifier);
        let mut found = match specifier.kind() {
            "struct_specifier" | "union_specifier" => Qualified::new(CType::Struct(self.structure_id(specifier))),
            "enum_specifier" => {
                let defined = self.enumerations.get(&specifier.id()).cloned();
                Qualified::new(defined.unwrap_or_else(|| self.types.enumeration(self.tag(specifier))))
            }
            "type_identifier" | "primitive_type" => {
                self.types.lookup(text).unwrap_or_else(|| Qualified::new(CType::Unknown(text.to_owned())))
            }
            "sized_type_specifier" => {
                let words: Vec<&str> =
                    text.split_whitespace().filter(|word| !matches!(*word, "const" | "volatile")).collect();
                Qualified::new(self.types.words(&words))
            }
            _ => Qualified::new(CType::Other(text.to_owned())),
        };
        // A typedef of an array takes the `const` to its elements.
        if let (true, CType::Array { constant, .. }) = (constant, &mut found.ty) {
            *constant = true;
        }
        Qualified { constant: found.constant || constant, ..found }
    }

    fn structure_id(&self, specifier: Node) -> Rc<str> {
        let id = || self.tag(specifier).map_or_else(|| Rc::from("@"), Rc::from);
        self.ids.get(&specifier.id()).cloned().unwrap_or_else(id)
    }

    /// Whether `const` is among the direct children.
    fn has_const(&self, node: Node) -> bool {
        let mut cursor = node.walk();
        node.children(&mut cursor).any(|child| child.kind() == "type_qualifier" && self.parsed.text(child) == "const")
    }

    /// Applies a declarator to the type before it. `None` where it is nested too deeply, or a parameter in it is not
    /// understood.
    pub(crate) fn declarator(&self, node: Option<Node<'d>>, base: Qualified, depth: u32) -> Option<Declarator<'d>> {
        let Some(node) = node else { return Some(Declarator { name: None, ty: base, function: None }) };
        if depth > MAX_DEPTH || !base.ty.is_shallow() {
            return None;
        }
        let inner = node.child_by_field_name("declarator");
        match node.kind().trim_start_matches("abstract_") {
            "pointer_declarator" => {
                let ty = CType::Pointer { to: Rc::new(base.ty), constant: base.constant };
                self.declarator(inner, Qualified { ty, constant: self.has_const(node) }, depth + 1)
            }
            "array_declarator" => {
                let size = self.array_size(node);
                let ty = CType::Array { of: Rc::new(base.ty), constant: base.constant, size };
                self.declarator(inner, Qualified { ty, constant: base.constant }, depth + 1)
            }
            "function_declarator" => {
                if let Some(name) = inner.and_then(plain_name) {
                    return Some(Declarator { name: Some(name), ty: base, function: Some(node) });
                }
                let function = self.function_type(node, base, false, depth)?;
                self.declarator(inner, Qualified::new(CType::Function(Rc::new(function))), depth + 1)
            }
            "parenthesized_declarator" | "attributed_declarator" => {
                let mut cursor = node.walk();
                let inner = node
                    .named_children(&mut cursor)
                    .find(|child| child.kind().contains("declarator") || is_name(child));
                self.declarator(inner, base, depth + 1)
            }
            "init_declarator" => self.declarator(inner, base, depth + 1),
            _ => Some(Declarator { name: Some(node), ty: base, function: None }),
        }
    }

    fn array_size(&self, node: Node) -> ArraySize {
        let Some(size) = node.child_by_field_name("size").filter(|size| size.kind() != "*") else {
            return ArraySize::Open;
        };
        match self.number(size) {
            Ok(0) => ArraySize::Open,
            Ok(number) => u32::try_from(number)
                .map_or_else(|_| ArraySize::Unknown(format!("{number} is no size")), ArraySize::Known),
            Err(reason) => ArraySize::Unknown(reason),
        }
    }

    /// The type of the function that a declarator declares. `whole` says that the declaration is its prototype.
    pub(crate) fn function_type(
        &self,
        node: Node<'d>,
        result: Qualified,
        whole: bool,
        depth: u32,
    ) -> Option<FunctionType> {
        let (parameters, variadic) = self.parameters(node, depth + 1)?;
        let reach = Reach::new(self.parsed, node);
        let marks = || self.chunk.marks.iter().filter(|(at, _)| reach.contains(*at)).map(|(_, mark)| mark);
        let said =
            marks().find_map(|mark| if let Mark::Convention(known, at) = mark { Some((*known, *at)) } else { None });
        let (convention, convention_at) = said.unzip();
        let unknown_convention =
            marks().find_map(|mark| if let Mark::UnknownConvention(word) = mark { Some(word.clone()) } else { None });
        let unknown_convention = unknown_convention.or_else(|| self.doubtful_convention(&reach));
        let sal = marks().filter_map(|mark| if let Mark::Sal(sal) = mark { Some(sal.to_owned()) } else { None });
        let result = Qualified { ty: self.changed(result.ty, marks()), ..result };
        let depth = FunctionType::depth_of(&result.ty, &parameters);
        Some(FunctionType {
            result,
            result_spelling: String::new(),
            parameters,
            variadic,
            convention: convention.map(|said| if variadic { self.of_variadic(said) } else { said }),
            convention_at,
            unknown_convention,
            result_sal: if whole { sal.collect() } else { Vec::new() },
            comment: None,
            depth,
        })
    }

    /// What compilers make of the convention of a function with `...`: only its caller knows what to remove from the stack.
    /// (On ELF it matters to the agent that a function was declared with one of those that have registers.)
    fn of_variadic(&self, said: Convention) -> Convention {
        if said == Convention::Stdcall || self.types.is_windows() { Convention::Cdecl } else { said }
    }

    /// A convention of which compilers disagree whose it is.
    fn doubtful_convention(&self, reach: &Reach) -> Option<String> {
        let mut doubtful = self.chunk.marks.iter().filter(|(at, _)| reach.is_doubtful(*at));
        doubtful.find_map(|(_, mark)| match mark {
            Mark::Convention(convention, _) => Some(format!(
                "{} behind the `*` of a function that is returned is read by some compilers as that function's, by others \
                 as the declared one's: declare a typedef for the pointer. It",
                convention.keyword()
            )),
            _ => None,
        })
    }

    /// The parameters of a function, and whether there may be more. `None` where one is not understood.
    fn parameters(&self, function: Node<'d>, depth: u32) -> Option<(Vec<FunctionParameter>, bool)> {
        let list = function.child_by_field_name("parameters")?;
        let (mut parameters, mut variadic) = (Vec::new(), false);
        let mut cursor = list.walk();
        for child in list.named_children(&mut cursor) {
            match child.kind() {
                "variadic_parameter" => variadic = true,
                "parameter_declaration" => {
                    parameters.push(self.parameter(child, depth)?);
                }
                _ => return None,
            }
        }
        if let [only] = &*parameters
            && only.name.is_none()
            && only.ty.ty == CType::Void
        {
            parameters.clear();
        }
        Some((parameters, variadic))
    }

    fn parameter(&self, node: Node<'d>, depth: u32) -> Option<FunctionParameter> {
        let declarator = node.child_by_field_name("declarator");
        let read = self.declarator(declarator, self.base(node), depth)?;
        let mut ty = read.ty;
        if let Some(function) = read.function {
            // `int f(int g(void))`: a function as a parameter is a pointer to it.
            ty = Qualified::new(CType::Function(Rc::new(self.function_type(function, ty, false, depth)?)));
        }
        if matches!(ty.ty, CType::Function(_)) {
            ty.ty = ty.ty.decayed();
        }
        if !ty.ty.is_shallow() {
            return None;
        }
        let tokens = self.parsed.tokens(node);
        let name_token = read.name.map(|name| self.parsed.tokens(name).start);
        let own = &self.chunk.tokens[tokens.clone()];
        ty.ty = self.changed(ty.ty, self.marks(tokens.start, tokens.end).map(|(_, mark)| mark));
        Some(FunctionParameter {
            name: read.name.map(|name| self.parsed.text(name).to_owned()),
            ty,
            spelling: spelling(own, name_token.map(|index| index - tokens.start)),
            sal: self.sal(tokens.start, tokens.end, declarator),
            place: self.place(tokens, name_token),
        })
    }

    /// What annotations say between two tokens, those in the parameter lists of the declarator apart.
    pub(crate) fn sal(&self, from: usize, to: usize, declarator: Option<Node>) -> Vec<Sal<'static>> {
        let lists = declarator.map(|node| self.lists(node)).unwrap_or_default();
        let first = self.chunk.marks.partition_point(|(at, _)| *at < from);
        let own = self.chunk.marks[first..].iter().take_while(|(at, _)| *at <= to);
        own.filter(|(at, _)| !lists.iter().any(|list| list.start < *at && *at < list.end))
            .filter_map(|(_, mark)| if let Mark::Sal(sal) = mark { Some(sal.to_owned()) } else { None })
            .collect()
    }

    /// The parameter lists that stand in a declarator.
    fn lists(&self, declarator: Node) -> Vec<Range<usize>> {
        let mut lists = Vec::new();
        let mut node = Some(declarator);
        for _ in 0..MAX_DEPTH {
            let Some(current) = node else { break };
            lists.extend(current.child_by_field_name("parameters").map(|list| self.parsed.tokens(list)));
            node = current.child_by_field_name("declarator").or_else(|| {
                let mut cursor = current.walk();
                current.named_children(&mut cursor).find(|child| child.kind().contains("declarator"))
            });
        }
        lists
    }

    /// Where something of these tokens stands.
    pub(crate) fn place(&self, tokens: Range<usize>, name: Option<usize>) -> Place {
        let all = &self.chunk.tokens;
        let at = |index: usize| all.get(index).or(all.last()).map(|token| token.at).unwrap_or_default();
        let comma = all.get(tokens.end).is_some_and(|token| token.is(",") || token.is(";"));
        Place {
            at: at(name.unwrap_or(tokens.start)),
            before: tokens.start.checked_sub(1).map_or(self.chunk.after, at),
            first: at(tokens.start),
            last: at(tokens.end.saturating_sub(1)),
            next: at(tokens.end + usize::from(comma)),
        }
    }
}

/// Whether a node is a name that is declared.
pub(crate) fn is_name(node: &Node) -> bool {
    matches!(node.kind(), "identifier" | "type_identifier" | "field_identifier" | "primitive_type")
}

/// The name that a declarator is, brackets aside.
fn plain_name(mut node: Node) -> Option<Node> {
    for _ in 0..MAX_DEPTH {
        if is_name(&node) {
            return Some(node);
        }
        if !matches!(node.kind(), "parenthesized_declarator" | "attributed_declarator") {
            return None;
        }
        let mut cursor = node.walk();
        let inner =
            node.named_children(&mut cursor).find(|child| child.kind().contains("declarator") || is_name(child));
        drop(cursor);
        node = inner?;
    }
    None
}
