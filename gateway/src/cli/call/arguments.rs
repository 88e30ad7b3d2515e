//! The object of arguments for a known function: names are checked, parts of structures are put together, and what is missing
//! is said before anything is sent.

use bridge32_interface::needs;
use bridge32_protocol::interface::{Direction, Extent, Field, Function, Interface, Type};

use super::parts::{Conflict, Part, Step};
use super::scalars::meant;
use super::typed::{self, handed, is_buffer, is_token};
use super::values::{Given, Place, Read, Written, json};
use crate::json::Json;

/// Structures within structures are looked into so far.
const MAX_DEPTH: usize = 16;

/// Makes the object.
///
/// # Errors
/// The first argument that is wrong, or all that are missing.
pub(super) fn object(all: &[Given], function: &Function, interface: &Interface, read: Read) -> Result<Json, String> {
    let mut parts: Vec<(&str, Part)> = Vec::new();
    for given in all {
        let (root, part) = part(given, function, interface, read)?;
        match parts.iter_mut().find(|(earlier, _)| *earlier == root) {
            None => parts.push((root, part)),
            Some((_, whole)) => whole.add(part).map_err(|Conflict| {
                format!("`{root}` is given as a whole and in parts (`{}`): give one or the other", given.name)
            })?,
        }
    }
    let missing = needs::missing(function, |name| parts.iter().any(|(given, _)| *given == name));
    if missing.is_empty() {
        let members = parts.into_iter().map(|(name, part)| Ok((name.to_owned(), part.finish(name)?)));
        return members.collect::<Result<_, String>>().map(Json::Object);
    }
    let names: Vec<String> = missing.iter().map(|parameter| format!("`{}`", parameter.name)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    Err(format!("{} {verb} missing", names.join(", ")))
}

/// What one word gives of which parameter.
fn part<'g>(
    given: &Given<'g>,
    function: &Function,
    interface: &Interface,
    read: Read,
) -> Result<(&'g str, Part), String> {
    let (root, path) = place(given.name, function);
    let Some(parameter) = function.parameters.iter().find(|parameter| parameter.name == root) else {
        if function.variadic && root == "..." {
            return Ok((root, Part::Whole(variadic(given, function)?)));
        }
        return Err(unknown(root, function));
    };
    if parameter.direction == Direction::Out && matches!(parameter.ty, Type::Pointer(_)) && !is_handle(given) {
        return Err(format!("`{root}` is an output of {}: leave it out, it comes back in the answer", function.name));
    }
    let (mut ty, mut sensitive) = (&parameter.ty, parameter.sensitive);
    let mut way = Vec::new();
    for name in path {
        let (step, to, hidden) = member(ty, name, interface).map_err(|why| format!("{}: {why}", given.name))?;
        way.push(step);
        ty = to;
        sensitive |= hidden;
    }
    let place = Place { name: given.name, sensitive: sensitive || holds(ty, interface, 0) };
    Ok((root, Part::at(&way, typed::value(place, &given.value, ty, interface, read)?)))
}

/// The parameter, and the way into it: `from.x`. A parameter's own name may have no dot, except `...`.
fn place<'g>(name: &'g str, function: &Function) -> (&'g str, Vec<&'g str>) {
    let whole = name == "..." || function.parameters.iter().any(|parameter| parameter.name == name);
    match name.split_once('.') {
        Some((root, rest)) if !whole => (root, rest.split('.').collect()),
        _ => (name, Vec::new()),
    }
}

fn variadic(given: &Given, function: &Function) -> Result<Json, String> {
    let sensitive = function.sensitive_extra || function.parameters.iter().any(|parameter| parameter.sensitive);
    let place = Place { name: given.name, sensitive };
    let hint =
        "what stands behind the declared parameters is a list with types, ...='[{\"type\": \"int\", \"value\": 5}]'";
    match given.value {
        Written::Json(text) | Written::Plain(text) => json(place, text).map_err(|error| format!("{error}; {hint}")),
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
        Written::Plain(text) => is_token(text) || handed(text).is_some() || text == "null",
        Written::File(_) | Written::Quoted(_) => false,
    }
}

/// Whether some part of a value of this type is sensitive: one that is not read as it should be is not repeated.
fn holds(ty: &Type, interface: &Interface, depth: usize) -> bool {
    match ty {
        Type::Pointer(pointer) => holds(&pointer.to, interface, depth),
        Type::Array(array) => holds(&array.of, interface, depth),
        Type::Structure(name) if depth < MAX_DEPTH => interface.structures.get(name).is_some_and(|structure| {
            structure.fields.iter().any(|field| field.sensitive || holds(&field.ty, interface, depth + 1))
        }),
        Type::Callback(signature) => signature.parameters.iter().any(|parameter| parameter.sensitive),
        _ => false,
    }
}

/// The step to a member or an element, the type of that, and whether it is sensitive itself.
type Found<'t, 'n> = (Step<'n>, &'t Type, bool);

fn member<'t, 'n>(ty: &'t Type, part: &'n str, interface: &'t Interface) -> Result<Found<'t, 'n>, String> {
    match ty {
        _ if is_buffer(ty) => Err("bytes have no parts: give all of them".to_owned()),
        Type::Pointer(pointer) if pointer.extent == Extent::One => member(&pointer.to, part, interface),
        Type::Pointer(pointer) if matches!(pointer.extent, Extent::Elements { .. }) => element(&pointer.to, part),
        Type::Array(array) if array.text.is_none() => element(&array.of, part),
        Type::Structure(name) => {
            let fields =
                interface.structures.get(name).map(|structure| structure.fields.as_slice()).unwrap_or_default();
            let found = field(fields, part, interface, 0).ok_or_else(|| {
                let names = fields.iter().map(|field| field.name.as_str()).filter(|name| !name.is_empty());
                format!("{name} has no member `{part}`{}", meant(part, names))
            });
            found.map(|field| (Step::Member(part), &field.ty, field.sensitive))
        }
        _ => Err(format!("only structures and lists have parts, so there is no `{part}`")),
    }
}

fn element<'t, 'n>(of: &'t Type, part: &'n str) -> Result<Found<'t, 'n>, String> {
    // One number has one way to be written, so that nothing is given twice unnoticed.
    let index = part.parse::<usize>().ok().filter(|index| index.to_string() == part);
    let index = index.ok_or_else(|| format!("`{part}` is no number of an element; the first is 0"))?;
    Ok((Step::Element(index), of, false))
}

/// A member by name; those of anonymous structures are members of the one around them.
fn field<'t>(fields: &'t [Field], name: &str, interface: &'t Interface, depth: usize) -> Option<&'t Field> {
    let own = fields.iter().find(|field| field.name == name && !name.is_empty());
    own.or_else(|| {
        let anonymous =
            fields.iter().filter(|field| field.name.is_empty() && field.bits.is_none() && depth < MAX_DEPTH);
        anonymous.into_iter().find_map(|field_of| match &field_of.ty {
            Type::Structure(inner) => field(&interface.structures.get(inner)?.fields, name, interface, depth + 1),
            _ => None,
        })
    })
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
    fn json_that_is_given_whole_stays_as_it_is() {
        let header = "struct T { int l[3]; }; int f(const struct T *t, const struct T *u);";
        assert_eq!(of(header, &["t:={\"0\":5}", "u={\"l\":{\"0\":5}}"]).unwrap(), r#"{"t":{"0":5},"u":{"l":{"0":5}}}"#);
    }

    #[test]
    fn a_list_has_no_gaps() {
        let header = "struct T { int l[3]; }; int f(const struct T *t);";
        assert_eq!(
            of(header, &["t.l.0=1", "t.l.2=3"]).unwrap_err(),
            "`t.l.1` is missing: `t.l.2` is given, and a list has no gaps"
        );
        assert_eq!(of(header, &["t.l.2=3", "t.l.1=2", "t.l.0=1"]).unwrap(), r#"{"t":{"l":[1,2,3]}}"#);
        assert!(of(header, &["t.l.0=1", "t.l.00=2"]).unwrap_err().contains("`00` is no number of an element"));
    }

    #[test]
    fn a_whole_and_its_parts_do_not_go_together() {
        let header = "struct P { int x, y; }; int f(const struct P *p);";
        for words in [["p={\"x\":1}", "p.y=2"], ["p.y=2", "p={\"x\":1}"]] {
            assert!(of(header, &words).unwrap_err().contains("`p` is given as a whole and in parts"), "{words:?}");
        }
    }

    #[test]
    fn bytes_within_structures_are_given_whole() {
        let header =
            "typedef unsigned char md5[3]; struct K { unsigned char a[2]; md5 sums[2]; }; int f(const struct K *k);";
        assert_eq!(
            of(header, &["k.a=1,2", "k.sums.0='abc'", "k.sums.1=base64:AQID"]).unwrap(),
            r#"{"k":{"a":"AQI=","sums":["YWJj","AQID"]}}"#
        );
        assert!(of(header, &["k.a.0=1"]).unwrap_err().contains("k.a.0: bytes have no parts"));
        assert!(of(header, &["k.a=test"]).unwrap_err().contains("k.a: `test` does not say which bytes"));
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
        assert!(of(header, &["serial={\"a\":1}"]).unwrap_err().contains("`serial` is an output of f"));
        let block = ["port=1", "baud=2", "serial={ \"$handle\": \"x\" }"];
        assert!(of(header, &block).unwrap().contains(r#""serial":{"$handle":"x"}"#));
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
