//! The object of arguments for a known function: names are checked, parts of structures are put together, and what is missing
//! is said before anything is sent.

use bridge32_interface::needs;
use bridge32_protocol::interface::{Direction, Extent, Field, Function, Interface, Type};

use super::typed::{self, is_token, meant};
use super::values::{Given, Read, Written, json};
use crate::cli::json::Json;

/// Makes the object.
///
/// # Errors
/// The first argument that is wrong, or all that are missing.
pub(super) fn object(all: &[Given], function: &Function, interface: &Interface, read: Read) -> Result<Json, String> {
    let mut members: Vec<(String, Json)> = Vec::new();
    for given in all {
        let (root, path) = place(given.name, function);
        let parameter = function.parameters.iter().find(|parameter| parameter.name == root);
        let Some(parameter) = parameter else {
            if function.variadic && root == "..." {
                members.push((root.to_owned(), variadic(given)?));
                continue;
            }
            return Err(unknown(root, function));
        };
        if parameter.direction == Direction::Out && matches!(parameter.ty, Type::Pointer(_)) && !is_handle(given) {
            return Err(format!(
                "`{root}` is an output of {}: leave it out, it comes back in the answer",
                function.name
            ));
        }
        let mut ty = &parameter.ty;
        for part in &path {
            ty = member(ty, part, interface).map_err(|why| format!("{}: {why}", given.name))?;
        }
        let value = typed::value(given, ty, interface, read)?;
        put(&mut members, root, &path, value).map_err(|()| {
            format!("`{root}` is given as a whole and in parts (`{}`): give one or the other", given.name)
        })?;
    }
    let missing = needs::missing(function, |name| members.iter().any(|(given, _)| given == name));
    if missing.is_empty() {
        let members = members.into_iter().map(|(name, value)| (name, listed(value)));
        return Ok(Json::Object(members.collect()));
    }
    let names: Vec<String> = missing.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    Err(format!("{} {verb} missing", names.join(", ")))
}

/// The parameter, and the way into it: `from.x`. A parameter's own name may have no dot, except `...`.
fn place<'g>(name: &'g str, function: &Function) -> (&'g str, Vec<&'g str>) {
    let whole = name == "..." || function.parameters.iter().any(|parameter| parameter.name == name);
    match name.split_once('.') {
        Some((root, rest)) if !whole => (root, rest.split('.').collect()),
        _ => (name, Vec::new()),
    }
}

fn variadic(given: &Given) -> Result<Json, String> {
    let hint =
        "what stands behind the declared parameters is a list with types, ...='[{\"type\": \"int\", \"value\": 5}]'";
    match given.value {
        Written::Json(text) | Written::Plain(text) => {
            json(given.name, text).map_err(|error| format!("{error}; {hint}"))
        }
        Written::File(_) | Written::Quoted(_) => Err(hint.to_owned()),
    }
}

fn unknown(name: &str, function: &Function) -> String {
    let names = function.parameters.iter().map(|parameter| parameter.name.as_str());
    let near = meant(name, names.clone());
    let known: Vec<&str> = names.collect();
    let known = match known.as_slice() {
        [] => "it takes none".to_owned(),
        known => format!("it has {}", known.join(", ")),
    };
    let known = if near.is_empty() { format!("; {known}") } else { near };
    format!("{} has no parameter `{name}`{known}", function.name)
}

/// A block of memory may be passed for an output.
fn is_handle(given: &Given) -> bool {
    match given.value {
        Written::Json(_) => true,
        Written::Plain(text) => is_token(text) || text.starts_with('{') || text == "null",
        Written::File(_) | Written::Quoted(_) => false,
    }
}

/// The type of a member, or of an element.
fn member<'t>(ty: &'t Type, part: &str, interface: &'t Interface) -> Result<&'t Type, String> {
    match ty {
        Type::Pointer(pointer) if pointer.extent == Extent::One => member(&pointer.to, part, interface),
        Type::Pointer(pointer) if matches!(pointer.extent, Extent::Elements { .. }) => element(&pointer.to, part),
        Type::Array(array) if array.text.is_none() => element(&array.of, part),
        Type::Structure(name) => {
            let fields =
                interface.structures.get(name).map(|structure| structure.fields.as_slice()).unwrap_or_default();
            field(fields, part, interface, 0).ok_or_else(|| {
                let names = fields.iter().map(|field| field.name.as_str()).filter(|name| !name.is_empty());
                format!("{name} has no member `{part}`{}", meant(part, names))
            })
        }
        _ => Err(format!("only structures and lists have parts, so there is no `{part}`")),
    }
}

fn element<'t>(of: &'t Type, part: &str) -> Result<&'t Type, String> {
    if part.parse::<usize>().is_ok() {
        Ok(of)
    } else {
        Err(format!("`{part}` is no number of an element; the first is 0"))
    }
}

/// A member by name; those of anonymous structures are members of the one around them.
fn field<'t>(fields: &'t [Field], name: &str, interface: &'t Interface, depth: usize) -> Option<&'t Type> {
    let own = fields.iter().find(|field| field.name == name && !name.is_empty()).map(|field| &field.ty);
    own.or_else(|| {
        let anonymous = fields.iter().filter(|field| field.name.is_empty() && field.bits.is_none() && depth < 16);
        anonymous.into_iter().find_map(|field_of| match &field_of.ty {
            Type::Structure(inner) => field(&interface.structures.get(inner)?.fields, name, interface, depth + 1),
            _ => None,
        })
    })
}

/// Puts a value into its place.
fn put(members: &mut Vec<(String, Json)>, name: &str, path: &[&str], value: Json) -> Result<(), ()> {
    let at = members.iter().position(|(own, _)| own == name);
    match (path, at) {
        ([], Some(_)) => Err(()),
        ([], None) => {
            members.push((name.to_owned(), value));
            Ok(())
        }
        ([first, rest @ ..], at) => {
            let at = at.unwrap_or_else(|| {
                members.push((name.to_owned(), Json::Object(Vec::new())));
                members.len() - 1
            });
            match &mut members[at].1 {
                Json::Object(inner) => put(inner, first, rest, value),
                _ => Err(()),
            }
        }
    }
}

/// An object whose members are called 0, 1, 2 … is a list.
fn listed(value: Json) -> Json {
    let Json::Object(members) = value else { return value };
    let numbers: Option<Vec<usize>> = members.iter().map(|(name, _)| name.parse().ok()).collect();
    let mut members: Vec<(String, Json)> = members.into_iter().map(|(name, value)| (name, listed(value))).collect();
    match numbers {
        Some(numbers) if !numbers.is_empty() => {
            let mut sorted = numbers;
            sorted.sort_unstable();
            if sorted.iter().copied().eq(0..sorted.len()) {
                members.sort_by_key(|(name, _)| name.parse::<usize>().unwrap_or_default());
                return Json::List(members.into_iter().map(|(_, value)| value).collect());
            }
            Json::Object(members)
        }
        _ => Json::Object(members),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::interface;
    use super::super::values::given;
    use super::*;

    fn of(header: &str, words: &[&str]) -> Result<String, String> {
        let interface = interface(header);
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let read = |_: &str| Ok(Vec::new());
        object(&given(&words)?, &interface.functions[0], &interface, &read).map(|json| json.compact())
    }

    const LINE: &str = "struct P { int x, y; }; struct L { struct P from, to; char name[8]; };
        int draw(const struct L *line, _In_reads_(n) const struct P *points, int n);";

    #[test]
    fn structures_are_put_together_from_their_parts() {
        let words = [
            "line.from.x=1",
            "line.from.y=2",
            "line.to.x=3",
            "line.to.y=4",
            "line.name=007",
            "points.1.x=9",
            "points.0.x=8",
        ];
        assert_eq!(
            of(LINE, &words).unwrap(),
            r#"{"line":{"from":{"x":1,"y":2},"to":{"x":3,"y":4},"name":"007"},"points":[{"x":8},{"x":9}]}"#
        );
        assert!(of(LINE, &["points=[]", "points.0.x=1"]).unwrap_err().contains("as a whole and in parts"));
        assert!(of(LINE, &["line.nam=x"]).unwrap_err().contains("L has no member `nam`; did you mean `name`?"));
        assert!(of(LINE, &["n.x=1"]).unwrap_err().contains("only structures and lists have parts"));
        assert!(of(LINE, &["points.x=1"]).unwrap_err().contains("the first is 0"));
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let header = "int f(int port, int baud);";
        assert_eq!(of(header, &["prot=1"]).unwrap_err(), "f has no parameter `prot`; did you mean `port`?");
        assert_eq!(of(header, &["zzzzzz=1"]).unwrap_err(), "f has no parameter `zzzzzz`; it has port, baud");
        assert_eq!(of("int f(void);", &["a=1"]).unwrap_err(), "f has no parameter `a`; it takes none");
    }

    #[test]
    fn what_is_missing_is_said_at_once() {
        let header = "int f(int port, int baud, _Out_ int *serial);";
        assert_eq!(of(header, &[]).unwrap_err(), "`port`, `baud` are missing");
        assert_eq!(of(header, &["port=1"]).unwrap_err(), "`baud` is missing");
        assert_eq!(of(header, &["port=1", "baud=2"]).unwrap(), r#"{"port":1,"baud":2}"#);
        assert!(of(header, &["serial=1"]).unwrap_err().contains("`serial` is an output of f"));
    }

    #[test]
    fn a_length_behind_a_pointer_goes_with_its_array() {
        let read = "int p(_In_reads_(*n) const int *v, const unsigned *n);";
        assert_eq!(of(read, &["v=1,2"]).unwrap(), r#"{"v":[1,2]}"#);
        assert_eq!(of(read, &[]).unwrap_err(), "`v`, `n` are missing");
        let written = "int q(_Out_writes_opt_(*n) int *v, _Inout_opt_ unsigned *n);";
        assert_eq!(of(written, &[]).unwrap_err(), "`n` is missing");
        assert_eq!(of(written, &["n=5"]).unwrap(), r#"{"n":5}"#);
    }

    #[test]
    fn what_follows_the_declared_parameters_has_types() {
        let header = "int printf(const char *format, ...);";
        let words = ["format=%d", "...=[{\"type\":\"int\",\"value\":5}]"];
        assert_eq!(of(header, &words).unwrap(), r#"{"format":"%d","...":[{"type":"int","value":5}]}"#);
        assert!(of(header, &["format=%d", "...=x"]).unwrap_err().contains("is a list with types"));
    }
}
