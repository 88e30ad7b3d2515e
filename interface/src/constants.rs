//! `#define`d integers: they can be given by name wherever an integer is wanted.

use std::collections::BTreeMap;

use crate::expression::{Value, evaluate};
use crate::lexer::{Kind, Token};
use crate::macros::Macros;
use crate::predefined;
use crate::report::Reporter;
use crate::types::Types;

/// The macros of the headers that are integer constants. Most macros are not, so nothing is said of those.
pub(crate) fn collect(macros: &mut Macros, types: &Types, reporter: &mut Reporter) -> BTreeMap<String, i64> {
    let mut candidates: Vec<_> = macros
        .iter()
        .filter(|(_, definition)| {
            definition.parameters.is_none()
                && usize::from(definition.at.file) != predefined::FILE
                && could_be_integer(&definition.body)
        })
        .map(|(name, definition)| (definition.at, name.to_owned(), definition.body.clone()))
        .collect();
    candidates.sort_by_key(|candidate| candidate.0);
    let mut constants = BTreeMap::new();
    for (at, name, body) in candidates {
        let mut tokens = body;
        for token in &mut tokens {
            token.frozen |= token.text == name;
        }
        let tokens = macros.expand(tokens, reporter);
        let value = types.expression(&tokens).and_then(|expr| evaluate(&expr, &|name| constant(types, name)));
        let Ok(value) = value else { continue };
        if is_include_guard(&name, value) {
            continue;
        }
        if let Ok(number) = i64::try_from(value.number) {
            constants.insert(name, number);
        } else {
            reporter.warning(at, format!("the constant “{name}” is beyond 2^63 - 1 and cannot be used by name"));
        }
    }
    constants
}

fn constant(types: &Types, name: &str) -> Option<Value> {
    types.constant(name)
}

fn could_be_integer(body: &[Token]) -> bool {
    !body.is_empty()
        && body
            .iter()
            .all(|token| !matches!(token.kind, Kind::String | Kind::Other) && !token.is("{") && !token.is(";"))
}

/// `#define VENDOR_H 1`
fn is_include_guard(name: &str, value: Value) -> bool {
    let name = name.trim_end_matches('_').to_ascii_uppercase();
    value.number == 1 && ["_H", "_HPP", "_INCLUDED", "_HEADER"].iter().any(|end| name.ends_with(end))
}
