//! From nodes to the JSON that a call has: each control says its value, and nothing is judged that the agent judges.

use super::bytes;
use super::mistakes::Mistake;
use super::node::{Control, Extra, Node, Presence};
use crate::json::{Json, integer, number};

/// What is wrong where.
pub(super) type Mistakes = Vec<(String, Mistake)>;

/// The members that nodes put into an object.
pub(super) fn members(nodes: &[Node], wrong: &mut Mistakes) -> Vec<(String, Json)> {
    let mut all = Vec::new();
    for node in nodes {
        if node.inline {
            all.extend(inner(node, wrong));
        } else if let Some(value) = value(node, wrong) {
            all.push((node.name.clone(), value));
        }
    }
    all
}

/// What stands in a structure or union.
fn inner(node: &Node, wrong: &mut Mistakes) -> Vec<(String, Json)> {
    match &node.control {
        Control::Group { members: all } => members(all, wrong),
        Control::Union { branches, .. } => {
            branches.iter().filter(|branch| branch.chosen).flat_map(|branch| members(&branch.members, wrong)).collect()
        }
        _ => Vec::new(),
    }
}

/// The value of a node; `None` if it is left out.
fn value(node: &Node, wrong: &mut Mistakes) -> Option<Json> {
    if node.presence == Some(Presence::Null) {
        // What is left out is null, too; but for elements, and for parameters that would be memory of zeros then.
        let is_parameter = node.path.rfind('/') == Some(0);
        return (node.name.is_empty() || (node.partly && is_parameter)).then(Json::null);
    }
    let mut mistaken = |mistake| {
        wrong.push((node.path.clone(), mistake));
        None
    };
    match &node.control {
        Control::Integer { text, .. } | Control::Handle { text, .. } => number_or_name(text, integer),
        Control::Number { text } => floating(text),
        Control::Truth { yes } => Some(Json::scalar(yes.to_string())).filter(|_| *yes || !node.partly),
        Control::Choice { options, is_other, other } => {
            let chosen = options.iter().find(|option| option.chosen);
            match chosen {
                Some(chosen) => Some(Json::text(&chosen.name)),
                None if *is_other && !other.trim().is_empty() => number_or_name(other, integer),
                // The agent says what it could have been.
                None if *is_other => Some(Json::text("")),
                None => None,
            }
        }
        Control::Text { text, .. } => {
            let text = bytes::lines(text);
            (!text.is_empty() || !node.partly).then(|| Json::text(&text))
        }
        Control::Bytes { format, text, file, .. } => match bytes::read(*format, text, file.as_deref()) {
            Ok(value) => value.filter(|value| !node.partly || value.as_text().is_some_and(|text| !text.is_empty())),
            Err(mistake) => mistaken(mistake),
        },
        Control::Group { .. } | Control::Union { .. } => {
            let members = inner(node, wrong);
            (!members.is_empty() || !node.partly).then_some(Json::Object(members))
        }
        Control::List { elements, .. } => list(node, elements, wrong),
        Control::Callback { members: all, record } => {
            let mut described = members(all, wrong);
            if !record {
                described.push(("record".to_owned(), Json::scalar("false".to_owned())));
            }
            Some(Json::Object(described))
        }
        Control::Extra { arguments } => {
            let list: Vec<Json> = arguments.iter().map(extra).collect();
            (!list.is_empty()).then_some(Json::List(list))
        }
        Control::Json { text } if text.trim().is_empty() => None,
        Control::Json { text } => match Json::parse(text.trim()) {
            Ok(value) => Some(value),
            Err(error) => mistaken(Mistake::NoJson(bridge32_protocol::json::complaint(&error))),
        },
    }
}

/// The elements of a list. Of one that the function fills in, what is empty at the end is left out.
fn list(node: &Node, elements: &[Node], wrong: &mut Mistakes) -> Option<Json> {
    let before = wrong.len();
    let mut values: Vec<Option<Json>> = elements.iter().map(|element| value(element, wrong)).collect();
    if node.partly {
        let given = values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        values.truncate(given);
        if values.is_empty() {
            return None;
        }
    }
    if wrong.len() == before {
        let empty = values.iter().zip(elements).filter(|(value, _)| value.is_none());
        wrong.extend(empty.map(|(_, element)| (element.path.clone(), Mistake::Empty)));
    }
    Some(Json::List(values.into_iter().flatten().collect()))
}

/// A number, or what may be the name of one: the agent knows them.
fn number_or_name(text: &str, number: fn(&str) -> Option<String>) -> Option<Json> {
    let text = text.trim();
    (!text.is_empty()).then(|| number(text).map_or_else(|| Json::text(text), Json::scalar))
}

fn floating(text: &str) -> Option<Json> {
    match text.trim().to_ascii_lowercase().as_str() {
        "nan" => Some(Json::text("NaN")),
        "infinity" | "inf" | "+inf" => Some(Json::text("Infinity")),
        "-infinity" | "-inf" => Some(Json::text("-Infinity")),
        _ => number_or_name(text, number),
    }
}

/// An argument behind `...`: its type says whether it is text.
fn extra(extra: &Extra) -> Json {
    let mut members = vec![("type".to_owned(), Json::text(extra.ty.trim()))];
    let value = if is_text(&extra.ty) {
        Some(Json::text(&bytes::lines(&extra.value)))
    } else {
        number_or_name(&extra.value, |text| {
            integer(text).or_else(|| number(text)).or_else(|| Json::parse(text).ok().map(|json| json.compact()))
        })
    };
    members.extend(value.map(|value| ("value".to_owned(), value)));
    Json::Object(members)
}

/// Whether values of a type in C are strings.
fn is_text(ty: &str) -> bool {
    let words: Vec<&str> = ty.split(|c: char| c.is_whitespace() || c == '*').filter(|word| !word.is_empty()).collect();
    let of = words.iter().filter(|word| **word != "const").copied().collect::<Vec<_>>();
    match (of.as_slice(), ty.matches('*').count()) {
        (["char" | "wchar_t" | "CHAR" | "WCHAR" | "TCHAR"], 1) => true,
        // LPCSTR, PWSTR, BSTR and their like.
        ([name], 0) => name.ends_with("STR"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_behind_the_dots_is_text_if_its_type_says_so() {
        let of = |ty: &str, value: &str| {
            let (ty, value) = (ty.to_owned(), value.to_owned());
            let Json::Object(members) = extra(&Extra { ty, value, path: String::new(), is_new: false, error: None })
            else {
                panic!("it is an object")
            };
            members.into_iter().find(|(name, _)| name == "value").map(|(_, value)| value.compact())
        };
        for (ty, value, sent) in [
            ("const char *", "65", Some("\"65\"")),
            ("char*", "", Some("\"\"")),
            ("LPCWSTR", "a", Some("\"a\"")),
            ("wchar_t const *", "7", Some("\"7\"")),
            ("char", "65", Some("65")),
            ("unsigned char *", "[1,2]", Some("[1,2]")),
            ("int", "RED", Some("\"RED\"")),
            ("double", "1.5", Some("1.5")),
            ("int", "", None),
        ] {
            assert_eq!(of(ty, value).as_deref(), sent, "{ty} {value}");
        }
    }
}
