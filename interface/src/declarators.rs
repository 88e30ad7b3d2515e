//! From the syntax of a declaration to names and their types (C17, 6.7.6): inside out, as C reads.

use std::ops::Range;
use std::rc::Rc;

use bridge32_protocol::interface::Enumeration;
use tree_sitter::Node;

use crate::expression::evaluate;
use crate::lexer::Token;
use crate::report::Reporter;
use crate::tree::Parsed;
use crate::types::{CType, Qualified, Types};

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

/// A parameter in the syntax.
#[derive(Debug)]
pub(crate) struct RawParameter {
    pub(crate) name: Option<String>,
    pub(crate) ty: Qualified,
    pub(crate) tokens: Range<usize>,
    pub(crate) name_token: Option<usize>,
}

/// One declaration, what is in it, and what was declared before.
pub(crate) struct Declaration<'d, 'a> {
    pub(crate) parsed: &'d Parsed,
    pub(crate) tokens: &'d [Token<'a>],
    pub(crate) types: &'d mut Types,
    /// The names that enumerations in this declaration have.
    keys: Vec<(usize, String)>,
}

impl<'d, 'a> Declaration<'d, 'a> {
    /// Nothing of it read yet.
    pub(crate) fn new(parsed: &'d Parsed, tokens: &'d [Token<'a>], types: &'d mut Types) -> Self {
        Self { parsed, tokens, types, keys: Vec::new() }
    }

    /// Reads the enumerations and structures that are defined in it.
    pub(crate) fn definitions(&mut self, reporter: &mut Reporter) {
        let bodies = |node: &Node| {
            matches!(node.kind(), "enum_specifier" | "struct_specifier" | "union_specifier")
                && node.child_by_field_name("body").is_some()
        };
        for node in self.parsed.find(bodies) {
            let tag = self.tag(node);
            let alias = self.alias(node);
            if node.kind() == "enum_specifier" {
                let enumeration = self.enumeration(node, reporter);
                self.types.define_enumeration(tag, alias, enumeration);
                if let Some(key) = alias.or(tag) {
                    self.keys.push((node.id(), key.to_owned()));
                }
            } else {
                for name in tag.into_iter().chain(alias) {
                    self.types.complete(name);
                }
            }
        }
    }

    fn tag(&self, node: Node) -> Option<&'d str> {
        node.child_by_field_name("name").map(|name| self.parsed.text(name))
    }

    /// The name that a typedef gives to the type it defines.
    fn alias(&self, node: Node) -> Option<&'d str> {
        let parent = node.parent().filter(|parent| parent.kind() == "type_definition")?;
        let mut cursor = parent.walk();
        let mut names = parent.children_by_field_name("declarator", &mut cursor);
        names.find(|name| name.kind() == "type_identifier").map(|name| self.parsed.text(name))
    }

    fn enumeration(&mut self, node: Node, reporter: &mut Reporter) -> Enumeration {
        let mut enumeration = Enumeration::default();
        let mut next = 0_i64;
        let Some(body) = node.child_by_field_name("body") else { return enumeration };
        let mut cursor = body.walk();
        for enumerator in body.named_children(&mut cursor).filter(|child| child.kind() == "enumerator") {
            let Some(name) = enumerator.child_by_field_name("name") else { continue };
            let name = self.parsed.text(name).to_owned();
            if let Some(value) = enumerator.child_by_field_name("value") {
                let range = self.parsed.tokens(value);
                let at = self.tokens[range.start].at;
                let value = self.types.expression(&self.tokens[range]);
                let value = value.and_then(|expr| evaluate(&expr, &|name| self.types.constant(name)));
                let value = value.and_then(|value| i64::try_from(value.number).map_err(|_| "it is too big".to_owned()));
                match value {
                    Ok(number) => next = number,
                    Err(reason) => {
                        reporter.error(at, format!("the value of “{name}” is not understood: {reason}"));
                        break;
                    }
                }
            }
            self.types.constants.insert(name.clone(), next);
            enumeration.enumerators.push((name, next));
            next = next.wrapping_add(1);
        }
        enumeration
    }

    /// The type that the words before the declarators say.
    pub(crate) fn base(&self, node: Node) -> Qualified {
        let constant = self.has_const(node);
        let Some(specifier) = node.child_by_field_name("type") else {
            return Qualified { ty: CType::Other("a type that is missing".to_owned()), constant };
        };
        let text = self.parsed.text(specifier);
        let found = match specifier.kind() {
            "struct_specifier" | "union_specifier" => {
                let name = self.alias(specifier).or(self.tag(specifier)).unwrap_or("of no name");
                Qualified::new(CType::Struct(name.to_owned()))
            }
            "enum_specifier" => {
                let key = self.keys.iter().find(|(id, _)| *id == specifier.id()).map(|(_, key)| key.clone());
                let scalar = |key| CType::scalar(bridge32_protocol::interface::Scalar::Enumeration(key));
                Qualified::new(key.map_or_else(|| self.types.enumeration(self.tag(specifier)), scalar))
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
        Qualified { constant: found.constant || constant, ..found }
    }

    /// Whether `const` is among the direct children.
    fn has_const(&self, node: Node) -> bool {
        let mut cursor = node.walk();
        node.children(&mut cursor).any(|child| child.kind() == "type_qualifier" && self.parsed.text(child) == "const")
    }

    /// Applies a declarator to the type before it. `None` where it is nested too deeply.
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
                let size = node.child_by_field_name("size").and_then(|size| {
                    let expr = self.types.expression(&self.tokens[self.parsed.tokens(size)]).ok()?;
                    let value = evaluate(&expr, &|name| self.types.constant(name)).ok()?;
                    i64::try_from(value.number).ok().filter(|size| *size > 0)
                });
                let ty = CType::Array { of: Rc::new(base.ty), constant: base.constant, size };
                self.declarator(inner, Qualified::new(ty), depth + 1)
            }
            "function_declarator" => {
                if let Some(name) = inner.and_then(plain_name) {
                    return Some(Declarator { name: Some(name), ty: base, function: Some(node) });
                }
                self.declarator(inner, Qualified::new(CType::Function), depth + 1)
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

    /// The parameters of a function, and whether there may be more. `None` where one is not understood.
    pub(crate) fn parameters(&self, function: Node<'d>) -> Option<(Vec<RawParameter>, bool)> {
        let list = function.child_by_field_name("parameters")?;
        let mut parameters = Vec::new();
        let mut variadic = false;
        let mut cursor = list.walk();
        for child in list.named_children(&mut cursor) {
            match child.kind() {
                "variadic_parameter" => variadic = true,
                "parameter_declaration" => {
                    let declarator = self.declarator(child.child_by_field_name("declarator"), self.base(child), 0)?;
                    let name = declarator.name;
                    let mut ty = declarator.ty;
                    if declarator.function.is_some() {
                        // `int f(int g(void))`: a function as a parameter is a pointer to it.
                        ty = Qualified::new(CType::Function);
                    }
                    if matches!(ty.ty, CType::Function) {
                        ty.ty = CType::Pointer { to: Rc::new(CType::Function), constant: false };
                    }
                    parameters.push(RawParameter {
                        name: name.map(|name| self.parsed.text(name).to_owned()),
                        ty,
                        tokens: self.parsed.tokens(child),
                        name_token: name.map(|name| self.parsed.tokens(name).start),
                    });
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
}

fn is_name(node: &Node) -> bool {
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
