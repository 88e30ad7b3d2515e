//! One declaration as a tree of tree-sitter-c, with the way back from its nodes to the tokens.

use std::ops::{ControlFlow, Range};

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

use crate::lexer::Token;

/// Parses declarations.
pub(crate) struct Syntax {
    parser: Parser,
}

/// A parsed declaration.
pub(crate) struct Parsed {
    pub(crate) text: String,
    starts: Vec<usize>,
    pub(crate) tree: Tree,
}

impl Syntax {
    /// A parser of C.
    pub(crate) fn new() -> Self {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_c::LANGUAGE.into()).expect("the grammar and the library are of one version");
        Self { parser }
    }

    /// Parses the tokens; `None` if that takes too much work.
    pub(crate) fn parse(&mut self, tokens: &[Token]) -> Option<Parsed> {
        let mut text = String::new();
        let mut starts = Vec::with_capacity(tokens.len());
        for token in tokens {
            starts.push(text.len());
            text.push_str(&token.text);
            text.push(' ');
        }
        // The callback comes every few hundred steps. Correct C takes a few steps a token; error recovery can take any.
        let mut left = 200 + tokens.len();
        let mut progress = |_: &ParseState| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let bytes = text.as_bytes();
        let tree =
            self.parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options));
        if tree.is_none() {
            self.parser.reset();
        }
        Some(Parsed { tree: tree?, text, starts })
    }
}

impl Parsed {
    /// The indices of the tokens of a node.
    pub(crate) fn tokens(&self, node: Node) -> Range<usize> {
        let index = |at: usize| self.starts.partition_point(|start| *start < at);
        index(node.start_byte())..index(node.end_byte())
    }

    /// The text of a node.
    pub(crate) fn text(&self, node: Node) -> &str {
        &self.text[node.byte_range()]
    }

    /// Every node that `wanted` accepts, in order. Not recursive: trees may be deep.
    pub(crate) fn find(&self, wanted: impl Fn(&Node) -> bool) -> Vec<Node<'_>> {
        let mut found = Vec::new();
        let mut cursor = self.tree.walk();
        loop {
            if wanted(&cursor.node()) {
                found.push(cursor.node());
            }
            if cursor.goto_first_child() || cursor.goto_next_sibling() {
                continue;
            }
            while cursor.goto_parent() {
                if cursor.goto_next_sibling() {
                    break;
                }
            }
            if cursor.depth() == 0 {
                return found;
            }
        }
    }
}
