//! Help made of the interface: what a library has, and how one of its functions is called.

use std::fmt::Write as _;

use bridge32_interface::needs::{self, Need};
use bridge32_protocol::interface::{Direction, Extent, Function, Interface, Type};
use bridge32_protocol::target::Target;

use super::example::{self, TOKEN};
use super::typed::is_buffer;
use crate::cli::words::{Words, count, direction, first_sentence, wrapped};

/// The libraries that there are.
pub(super) fn libraries(names: &[String]) -> String {
    let Some(first) = names.first() else {
        return "There are no libraries: bridge32 import adds one to the configuration.".to_owned();
    };
    let lines: Vec<String> = names.iter().map(|name| format!("  {name}")).collect();
    format!(
        "{}:\n\n{}\n\nbridge32 call {first} lists the functions of {first}; bridge32 call --help explains the command.",
        if names.len() == 1 { "1 library".to_owned() } else { format!("{} libraries", names.len()) },
        lines.join("\n")
    )
}

/// The functions of a library, each with its first sentence.
pub(super) fn list(library: &str, interface: &Interface) -> String {
    let functions = &interface.functions;
    let mut text = format!("{library} has {}:\n\n", count(functions.len(), "function"));
    let width = functions.iter().map(|function| function.name.chars().count()).max().unwrap_or_default().min(40);
    for function in functions {
        let about = match &function.unsupported {
            None => first_sentence(&function.description),
            Some(_) => "(cannot be called: its --help says why)".to_owned(),
        };
        let _ = writeln!(text, "{}", format!("  {:width$}  {about}", function.name).trim_end());
    }
    let callable = functions.iter().find(|function| function.unsupported.is_none());
    if let Some(function) = callable.or_else(|| functions.first()) {
        let _ = write!(text, "\nbridge32 call {library} {} --help says how one is called.", function.name);
    } else {
        let _ = write!(
            text,
            "\nNo header declares any: `bridge32 interface new FILE -o {library}.h` writes one to start from, `header` in the \
             library's table names it.\nWithout one, only calls with a prototype are possible (POST \
             /v1/libraries/{library}/calls)."
        );
    }
    text
}

/// `usage: bridge32 call LIB FUNCTION a=… [b=…]`
pub(super) fn usage(library: &str, function: &Function) -> String {
    let mut line = format!("bridge32 call {library} {}", function.name);
    for (need, parameter) in needs::of(function).iter().zip(&function.parameters) {
        let _ = match need {
            Need::Required => write!(line, " {}=…", parameter.name),
            Need::LengthOf(_) | Need::Optional => write!(line, " [{}=…]", parameter.name),
            Need::Output => Ok(()),
        };
    }
    line + if function.variadic { " [...=[…]]" } else { "" }
}

/// How a function is called.
pub(super) fn function(library: &str, function: &Function, interface: &Interface, target: Target) -> String {
    let words = Words { interface, target };
    let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let mut text = String::new();
    if !function.description.is_empty() {
        let paragraphs: Vec<String> = function.description.split("\n\n").map(|part| wrapped(part, 0)).collect();
        let _ = writeln!(text, "{}\n", paragraphs.join("\n\n"));
    }
    let _ = writeln!(text, "{}\n", wrapped(&format!("{};", function.declaration.trim_end_matches(';')), 4));
    if let Some(why) = &function.unsupported {
        let _ = write!(text, "It cannot be called:\n{}", wrapped(why, 2));
        return text;
    }
    let _ = writeln!(text, "usage: {}\n", usage(library, function));
    text += &parameters(function, words, &names);
    let result = if function.result == Type::Void { String::new() } else { words.of(&function.result, &names) };
    if !result.is_empty() {
        let about = if function.result_description.is_empty() {
            String::new()
        } else {
            format!(": {}", function.result_description)
        };
        let _ = writeln!(text, "Result\n{}\n", wrapped(&format!("{result}{about}"), 4));
    }
    if function.idempotent {
        text += "Calling it twice does no harm: a call that may have run is repeated.\n\n";
    }
    match example::command(library, function, interface, target) {
        Some(command) => drop(write!(text, "Example\n    {command}")),
        None => text += "(Its arguments are too long for an example.)",
    }
    if let Some(sources) = token_sources(function, interface, target) {
        let _ = write!(text, "\n{}", wrapped(&format!("({TOKEN} is what {sources} answered)"), 4));
    }
    if let Some(output) =
        function.parameters.iter().find(|parameter| parameter.direction != Direction::In && is_buffer(&parameter.ty))
    {
        let _ = write!(text, "\n    (--output {}=FILE writes what comes back into a file)", output.name);
    }
    text
}

fn parameters(function: &Function, words: Words, names: &[&str]) -> String {
    let mut text = String::new();
    if function.parameters.is_empty() && !function.variadic {
        return text;
    }
    text += "Arguments\n";
    for (need, parameter) in needs::of(function).into_iter().zip(&function.parameters) {
        let need = match need {
            Need::Required => "required".to_owned(),
            Need::LengthOf(arrays) => format!("may be left out with {}: it is its length", arrays.join(" or ")),
            Need::Optional if parameter.direction == Direction::In => "may be left out: null".to_owned(),
            Need::Optional => "may be left out: zero".to_owned(),
            Need::Output => "an output, not to be given".to_owned(),
        };
        let way = direction(parameter);
        let json = words.of(&parameter.ty, names);
        let name = &parameter.name;
        let secret = if parameter.sensitive { "; sensitive: no error repeats it" } else { "" };
        let how = if is_buffer(&parameter.ty) && parameter.direction != Direction::Out {
            format!("; given as {name}=@FILE, {name}=base64:…, {name}=1,2,3 or {name}=\"'TEXT'\"")
        } else {
            String::new()
        };
        let _ = writeln!(text, "{}", wrapped(&format!("{name}: {way}, {json}; {need}{how}{secret}"), 4));
        if !parameter.description.is_empty() {
            let _ = writeln!(text, "{}", wrapped(&parameter.description, 8));
        }
    }
    if function.variadic {
        let _ = writeln!(text, "    ...: more, each with its type: ...='[{{\"type\": \"int\", \"value\": 5}}]'");
    }
    text + "\n"
}

/// The functions that give out the handles that this one needs.
fn token_sources(function: &Function, interface: &Interface, target: Target) -> Option<String> {
    let words = example::arguments(function, interface, target)?;
    let needed = function.parameters.iter().filter(|parameter| words.contains(&format!("{}={TOKEN}", parameter.name)));
    let kinds: Vec<&str> = needed.filter_map(|parameter| kind(&parameter.ty)).collect();
    let first = *kinds.first()?;
    let gives = |ty: &Type| match ty {
        Type::Pointer(pointer) if pointer.extent == Extent::One => kind(&pointer.to) == Some(first),
        _ => false,
    };
    let out = |other: &&Function| {
        let by_result = kind(&other.result) == Some(first);
        by_result || other.parameters.iter().any(|p| p.direction != Direction::In && gives(&p.ty))
    };
    let sources: Vec<&str> = interface.functions.iter().filter(out).map(|other| other.name.as_str()).take(3).collect();
    Some(match sources.as_slice() {
        [] => "an earlier call".to_owned(),
        sources => sources.join(" or "),
    })
}

/// What a handle points to.
fn kind(ty: &Type) -> Option<&str> {
    match ty {
        Type::Pointer(pointer) => match &pointer.extent {
            Extent::Handle { kind, .. } => Some(kind),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::interface;
    use super::*;

    const HEADER: &str = "/** Reads a card. It waits for one.
         *  @param[in]  port   0 is the first reader
         *  @param[out] serial the card's number
         *  @return 0, or what went wrong */
        int ReadCard(int port, unsigned *serial);
        struct reader;
        struct reader *OpenReader(int port);
        int ReadBlock(struct reader *reader, _Out_writes_bytes_(size) void *data, unsigned size);
        int Fill(char *buffer);";

    fn shown(name: &str) -> String {
        let interface = interface(HEADER);
        let (_, found) = interface.function(name).unwrap();
        function("lib", found, &interface, Target::Win32)
    }

    #[test]
    fn a_function_is_explained_with_all_that_its_header_says() {
        assert_eq!(
            shown("ReadCard"),
            "Reads a card. It waits for one.\n\n    int ReadCard(int port, unsigned *serial);\n\n\
             usage: bridge32 call lib ReadCard port=…\n\n\
             Arguments\n    port: in, integer from -2147483648 to 2147483647; required\n        0 is the first reader\n    \
             serial: out, integer from 0 to 4294967295; an output, not to be given\n        the card's number\n\n\
             Result\n    integer from -2147483648 to 2147483647: 0, or what went wrong\n\n\
             Example\n    bridge32 call lib ReadCard port=1"
        );
    }

    #[test]
    fn handles_come_from_somewhere_and_buffers_go_into_files() {
        let text = shown("ReadBlock");
        assert!(
            text.contains("bridge32 call lib ReadBlock reader=TOKEN size=64\n    (TOKEN is what OpenReader answered)"),
            "{text}"
        );
        assert!(text.ends_with("(--output data=FILE writes what comes back into a file)"), "{text}");
    }

    #[test]
    fn buffers_say_how_they_are_given() {
        let interface = interface("int f(_In_reads_bytes_(4) const void *data);");
        let text = function("lib", &interface.functions[0], &interface, Target::Win32);
        let line = "data: in, bytes (base64), 4 of them; required; given as data=@FILE, data=base64:…, data=1,2,3 or\n    \
                    data=\"'TEXT'\"\n";
        assert!(text.contains(line) && text.ends_with("f data=1,2,3,4"), "{text}");
    }

    #[test]
    fn what_is_sensitive_is_said() {
        let interface = interface("/** @sensitive code */ int f(int code, int n);");
        let text = function("lib", &interface.functions[0], &interface, Target::Win32);
        assert_eq!(text.matches("; required; sensitive: no error repeats it").count(), 1, "{text}");
    }

    #[test]
    fn what_cannot_be_called_says_why() {
        let text = shown("Fill");
        assert!(text.contains("It cannot be called:\n  the parameter “buffer” is a text buffer"), "{text}");
    }

    #[test]
    fn libraries_are_listed_with_what_to_do_next() {
        let text = libraries(&["calc".to_owned(), "z".to_owned()]);
        assert!(text.starts_with("2 libraries:\n\n  calc\n  z\n\nbridge32 call calc lists the functions"), "{text}");
        assert!(libraries(&[]).contains("bridge32 import"));
        assert!(list("calc", &Interface::default()).contains("`bridge32 interface new FILE -o calc.h`"));
    }

    #[test]
    fn what_is_too_long_has_no_example() {
        let interface = interface("int f(_In_reads_(100000) const int *a);");
        let text = function("lib", &interface.functions[0], &interface, Target::Win32);
        assert!(text.ends_with("(Its arguments are too long for an example.)"), "{text}");
    }

    #[test]
    fn the_list_has_first_sentences() {
        let text = list("lib", &interface(HEADER));
        assert!(text.starts_with("lib has 4 functions:\n\n  ReadCard    Reads a card\n  OpenReader\n"), "{text}");
        assert!(text.contains("  Fill        (cannot be called"), "{text}");
        assert!(text.ends_with("bridge32 call lib ReadCard --help says how one is called."), "{text}");
    }
}
