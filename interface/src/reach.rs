//! Which words of a declaration speak of which function: a declarator may contain several (`void (WINAPI *get(void))(int)`
//! declares a function and returns the address of another), and a declaration several declarators.
//!
//! As GCC's manual has it under "Attribute Syntax", and as MinGW's compiler was seen to do.

use std::ops::RangeInclusive;

use tree_sitter::Node;

use crate::declarators::is_name;
use crate::tree::Parsed;

/// Deeper nesting of declarators is refused elsewhere.
const MAX_DEPTH: usize = 64;

/// The places, as indices of the tokens that follow them, where words are said of one function.
pub(crate) struct Reach {
    within: Vec<RangeInclusive<usize>>,
    holes: Vec<RangeInclusive<usize>>,
    /// Where compilers disagree: behind the `*` of what a function returns. GCC takes a convention there for that of the
    /// function that is pointed to, Microsoft's compiler for that of the one that is declared.
    doubtful: Option<RangeInclusive<usize>>,
}

impl Reach {
    /// Of the function that this declarator is of.
    pub(crate) fn new(parsed: &Parsed, function: Node) -> Self {
        match returned(parsed, function) {
            // Only what stands between the bracket and the `*`: all else speaks of the function that returns it.
            Some(own) => Self { within: vec![own], holes: Vec::new(), doubtful: None },
            None => Self::of_innermost(parsed, function),
        }
    }

    fn of_innermost(parsed: &Parsed, function: Node) -> Self {
        let mut reach = Self { within: Vec::new(), holes: Vec::new(), doubtful: None };
        reach.holes.extend(parameters(parsed, function));
        let mut top = function;
        for _ in 0..MAX_DEPTH {
            let Some(parent) = top.parent().filter(|parent| parent.kind().contains("declarator")) else { break };
            if parent.kind().ends_with("function_declarator") {
                reach.holes.extend(parameters(parsed, parent));
                if let Some(own) = returned(parsed, parent) {
                    reach.doubtful = Some(own.end() + 1..=parsed.tokens(function).start);
                    reach.holes.push(own);
                }
            }
            top = parent;
        }
        let own = parsed.tokens(top);
        reach.within.push(own.start..=own.end);
        if let Some(whole) = top.parent() {
            // The words before all declarators speak of each.
            let first = whole.child_by_field_name("declarator").unwrap_or(top);
            reach.within.push(parsed.tokens(whole).start..=parsed.tokens(first).start);
            let body = whole.child_by_field_name("type").and_then(|ty| ty.child_by_field_name("body"));
            reach.holes.extend(body.map(|body| inside(parsed, body)));
        }
        reach
    }

    /// Whether what is said at this place is said of the function.
    pub(crate) fn contains(&self, at: usize) -> bool {
        self.within.iter().any(|range| range.contains(&at))
            && !self.holes.iter().any(|range| range.contains(&at))
            && !self.is_doubtful(at)
    }

    /// Whether compilers disagree about that.
    pub(crate) fn is_doubtful(&self, at: usize) -> bool {
        self.doubtful.as_ref().is_some_and(|range| range.contains(&at))
    }
}

/// Where words speak of a function that another one, further inside of its declarator, returns the address of.
fn returned(parsed: &Parsed, function: Node) -> Option<RangeInclusive<usize>> {
    let bracket = function.child_by_field_name("declarator")?;
    let (mut node, mut star) = (bracket, None);
    for _ in 0..MAX_DEPTH {
        if node.kind().ends_with("function_declarator") {
            return star.map(|star| parsed.tokens(bracket).start + 1..=star);
        }
        if node.kind().ends_with("pointer_declarator") {
            star = star.or(Some(parsed.tokens(node).start));
        }
        node = inner(node)?;
    }
    None
}

/// The declarator in a declarator.
fn inner(node: Node) -> Option<Node> {
    node.child_by_field_name("declarator").or_else(|| {
        let mut cursor = node.walk();
        node.named_children(&mut cursor).find(|child| child.kind().contains("declarator") || is_name(child))
    })
}

fn parameters(parsed: &Parsed, function: Node) -> Option<RangeInclusive<usize>> {
    Some(inside(parsed, function.child_by_field_name("parameters")?))
}

/// What stands between the brackets that a node begins and ends with.
fn inside(parsed: &Parsed, node: Node) -> RangeInclusive<usize> {
    let own = parsed.tokens(node);
    own.start + 1..=own.end.saturating_sub(1)
}
