//! What a demangled C++ name says of its function, in C.
//!
//! Microsoft's names say everything but the members of classes. Itanium's (GCC, Clang) say the types of parameters, but
//! not what an ordinary function returns, nor whether a member is static: what they declare has to be completed.

use bridge32_protocol::interface::Convention;

use super::types::{Types, closing, identifier, split, top_level};

/// What a name was found to mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A function that C can declare.
    Function(Declared),
    /// A function, and why its declaration has to be written by hand.
    Incomplete(String),
    /// Data, as C++ would declare it.
    Data,
    /// The compiler's own, or nothing that a program would call: why.
    LeftOut(&'static str),
}

/// A function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// Its name in C: `Calc_Add`.
    pub(super) name: String,
    /// The convention that the name states.
    pub(super) convention: Option<Convention>,
    /// What stands before convention and name; `None` where the name does not say it.
    pub(super) result: Option<String>,
    /// The parameters with their names, `this` first.
    pub(super) parameters: Vec<String>,
}

const OWN: &str = "it is the compiler's own";

/// Reads the text of a Microsoft name (`?…`).
pub(super) fn microsoft(text: &str, types: &mut Types) -> Meaning {
    if text.contains('`') || text.starts_with("[thunk]") {
        return Meaning::LeftOut(OWN);
    }
    let mut rest = text.trim();
    let access = ["public: ", "protected: ", "private: "].iter().find_map(|word| rest.strip_prefix(word));
    let member = access.is_some();
    rest = access.unwrap_or(rest);
    let (stat, rest) = rest.strip_prefix("static ").map_or((false, rest), |rest| (true, rest));
    let rest = rest.strip_prefix("virtual ").unwrap_or(rest);
    if let Some(why) = special(rest) {
        return Meaning::LeftOut(why);
    }
    let Some(open) = top_level(rest, '(') else { return Meaning::Data };
    let head = &rest[..open];
    let all = [Convention::Cdecl, Convention::Stdcall, Convention::Fastcall, Convention::Thiscall];
    let found = all.into_iter().find_map(|convention| Some((convention, head.find(convention.keyword())?)));
    let Some((convention, at)) = found else {
        return Meaning::Incomplete(
            "its convention, or what it returns, is nothing that C can say so simply".to_owned(),
        );
    };
    let result = head[..at].trim();
    let name = head[at + convention.keyword().len()..].trim();
    if result.is_empty() {
        return Meaning::LeftOut(if is_constructor(name) { CONSTRUCTOR } else { "it is a conversion" });
    }
    let this = (member && !stat).then(|| class_of(name)).flatten();
    let result = match types.result(result) {
        Ok(result) => result.declare("").trim_end().to_owned(),
        Err(why) => return Meaning::Incomplete(why),
    };
    finish(rest, open, name, this, types, |name, parameters| Declared {
        name,
        convention: Some(convention),
        result: Some(result),
        parameters,
    })
}

/// Reads the text of an Itanium name (`_Z…`).
pub(super) fn itanium(text: &str, types: &mut Types) -> Meaning {
    let text = text.trim();
    if text.contains(" for ") || text.contains("thunk to ") || text.contains('{') || text.contains("[clone") {
        return Meaning::LeftOut(OWN);
    }
    if let Some(why) = special(text) {
        return Meaning::LeftOut(why);
    }
    let Some(open) = top_level(text, '(') else { return Meaning::Data };
    let head = text[..open].trim();
    // Only the functions of templates have a result in their names.
    let (result, name) = last_word(head);
    if is_constructor(name) {
        return Meaning::LeftOut(CONSTRUCTOR);
    }
    // A `const` behind the list can only be that of a member.
    let this = closing(text, open).filter(|close| text[close + 1..].contains("const")).and_then(|_| class_of(name));
    let result = match (!result.is_empty()).then(|| types.result(result)).transpose() {
        Ok(result) => result.map(|result| result.declare("").trim_end().to_owned()),
        Err(why) => return Meaning::Incomplete(why),
    };
    let convention = this.is_some().then_some(Convention::Thiscall);
    let unclear = this.is_none() && class_of(name).is_some();
    finish(text, open, name, this, types, |name, mut parameters| {
        if unclear {
            parameters.insert(0, THIS.to_owned());
        }
        Declared { name, convention, result, parameters }
    })
}

/// Stands where a member function has `this`, and a static one, or one of a namespace, has nothing.
pub(super) const THIS: &str = "THIS";

const CONSTRUCTOR: &str = "it is a constructor, and needs memory of its class's size, which is not known";

fn finish(
    text: &str,
    open: usize,
    name: &str,
    this: Option<&str>,
    types: &mut Types,
    declared: impl FnOnce(String, Vec<String>) -> Declared,
) -> Meaning {
    let Some(close) = closing(text, open) else { return Meaning::Incomplete("its name is cut".to_owned()) };
    let tail = text[close + 1..].trim();
    if tail.contains('(') {
        return Meaning::Incomplete("it returns the address of a function".to_owned());
    }
    let mut parameters: Vec<String> = Vec::new();
    parameters.extend(this.map(|class| format!("{}this", types.class(class, tail.contains("const")))));
    let list = &text[open + 1..close];
    for (index, part) in split(list).into_iter().enumerate() {
        match part {
            "" => {}
            "..." => parameters.push("...".to_owned()),
            part => match types.parameter(part) {
                Ok(None) => {}
                Ok(Some(ty)) => parameters.push(ty.declare(&format!("arg{index}"))),
                Err(why) => return Meaning::Incomplete(why),
            },
        }
    }
    Meaning::Function(declared(identifier(name), parameters))
}

/// What no program calls by itself.
fn special(text: &str) -> Option<&'static str> {
    let operator = text.match_indices("operator").any(|(at, word)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let part_of_a_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        !part_of_a_word(before) && !part_of_a_word(after)
    });
    if operator {
        Some("it is an operator")
    } else if text.contains('~') {
        Some("it is a destructor: call the function with which the library lets go of its objects")
    } else {
        None
    }
}

/// The parts of a qualified name.
fn parts(name: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), name);
    while let Some(colon) = top_level(rest, ':') {
        parts.push(&rest[..colon]);
        rest = rest[colon..].trim_start_matches(':');
    }
    parts.push(rest);
    parts
}

fn class_of(name: &str) -> Option<&str> {
    let last = parts(name).pop()?.len();
    name[..name.len() - last].strip_suffix("::").filter(|class| !class.is_empty())
}

fn is_constructor(name: &str) -> bool {
    let parts = parts(name);
    let bare = |part: &str| part.split('<').next().unwrap_or_default().to_owned();
    matches!(parts.as_slice(), [.., class, own] if bare(class) == bare(own))
}

/// What stands before the last space outside of brackets, and what behind it.
fn last_word(text: &str) -> (&str, &str) {
    let mut start = 0;
    while let Some(space) = top_level(&text[start..], ' ') {
        start += space + 1;
    }
    (text[..start].trim(), &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Meaning {
        let text = bridge32_image::demangle::demangle(name).unwrap_or_else(|| panic!("{name} is not mangled"));
        let mut types = Types::default();
        if name.starts_with('?') { microsoft(&text, &mut types) } else { itanium(&text, &mut types) }
    }

    fn line(name: &str) -> String {
        let Meaning::Function(declared) = of(name) else { panic!("{name}: {:?}", of(name)) };
        let Declared { name, convention, result, parameters } = declared;
        let convention = convention.map_or("", Convention::keyword);
        format!("{} {convention} {name}({})", result.as_deref().unwrap_or("?"), parameters.join(", "))
    }

    #[test]
    fn microsofts_names_say_everything() {
        assert_eq!(line("?f@@YAHH@Z"), "int __cdecl f(int arg0)");
        assert_eq!(line("?Add@Calc@@QAEHHH@Z"), "int __thiscall Calc_Add(struct Calc *this, int arg0, int arg1)");
        assert_eq!(line("?Get@Calc@@QBEHXZ"), "int __thiscall Calc_Get(const struct Calc *this)");
        assert_eq!(line("?Make@Calc@@SAPAV1@PBD@Z"), "struct Calc * __cdecl Calc_Make(const char *arg0)");
        assert_eq!(line("?g@ns@@YGXAAN@Z"), "void __stdcall ns_g(double *arg0)");
        assert_eq!(line("?h@@YAXP6AXH@Z@Z"), "void __cdecl h(void (__cdecl *arg0)(int))");
        assert_eq!(line("?v@@YAHPBDZZ"), "int __cdecl v(const char *arg0, ...)");
    }

    #[test]
    fn itaniums_names_do_not_say_what_is_returned() {
        assert_eq!(line("_Z1fi"), "?  f(int arg0)");
        assert_eq!(line("_ZN4calc3AddEiPKc"), "?  calc_Add(THIS, int arg0, const char *arg1)");
        assert_eq!(line("_ZNK4Calc3getEv"), "? __thiscall Calc_get(const struct Calc *this)");
        assert_eq!(line("_Z3maxIiET_S0_S0_"), "int  max_int(int arg0, int arg1)");
        assert!(
            matches!(of("_Z8distance5PointS_"), Meaning::Incomplete(why) if why.contains("Point is passed by value"))
        );
    }

    #[test]
    fn what_no_program_calls_is_left_out_with_the_reason() {
        for (name, expected) in [
            ("??0Calc@@QAE@XZ", "constructor"),
            ("??1Calc@@QAE@XZ", "destructor"),
            ("??4Calc@@QAEAAV0@ABV0@@Z", "operator"),
            ("??_7Calc@@6B@", "compiler's own"),
            ("_ZN4CalcC1Ev", "constructor"),
            ("_ZN4CalcD1Ev", "destructor"),
            ("_ZTV4Calc", "compiler's own"),
            ("_ZN4CalcaSERKS_", "operator"),
        ] {
            let Meaning::LeftOut(why) = of(name) else { panic!("{name}: {:?}", of(name)) };
            assert!(why.contains(expected), "{name}: {why}");
        }
        assert_eq!(of("?counter@@3HA"), Meaning::Data);
        assert_eq!(of("_ZSt4cout"), Meaning::Data);
    }

    #[test]
    fn a_function_that_is_named_like_an_operator_is_none() {
        assert_eq!(line("?my_operator@@YAHXZ"), "int __cdecl my_operator()");
    }
}
