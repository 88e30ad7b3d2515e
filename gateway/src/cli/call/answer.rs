//! The answer of a call as a person reads it.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::interface::{Function, Type};

use super::typed::is_buffer;
use crate::json::Json;

/// Longer buffers are not shown, but counted.
const MAX_SHOWN: usize = 48;
/// So many of their bytes are.
const FIRST: usize = 16;

/// The lines of an answer: the result, then an output a line, but for what was `saved`.
pub(in crate::cli) fn lines(answer: &Json, function: Option<&Function>, saved: &[Output]) -> Vec<String> {
    let shown = |value: &Json, name: &str, ty: Option<&Type>| match saved.iter().find(|output| output.name == name) {
        Some(output) => format!("(in {})", output.file.display()),
        None => shown(value, name, ty),
    };
    let result = answer.get("result").map(|value| shown(value, "result", function.map(|function| &function.result)));
    let mut lines: Vec<String> = vec![result.unwrap_or_else(|| "null".to_owned())];
    for (name, value) in answer.get("outputs").map(Json::members).unwrap_or_default() {
        let ty = function.and_then(|function| function.parameters.iter().find(|p| p.name == *name)).map(|p| &p.ty);
        lines.push(format!("{name} = {}", shown(value, name, ty)));
    }
    lines
}

/// What the system said, in words: `errno`, `last_error`, `hresult`.
pub(in crate::cli) fn notes(answer: &Json) -> Vec<String> {
    let note = |key: &str| {
        let error = answer.get(key)?;
        let text = |member: &str| error.get(member).map(|value| value.as_text().unwrap_or_else(|| value.compact()));
        let words = [text("code"), text("name"), text("message")].into_iter().flatten().collect::<Vec<_>>();
        Some(format!("{key}: {}", words.join(" ")))
    };
    let mut notes: Vec<String> = ["errno", "last_error", "hresult"].into_iter().filter_map(note).collect();
    notes.extend(answer.get("duration_us").map(|took| format!("({} µs in the library)", took.compact())));
    notes
}

fn shown(value: &Json, name: &str, ty: Option<&Type>) -> String {
    match (value, value.as_text().filter(|_| ty.is_some_and(is_buffer))) {
        (_, Some(base64)) if base64.len() > MAX_SHOWN => match STANDARD.decode(&base64) {
            Ok(bytes) => {
                let first: Vec<String> = bytes.iter().take(FIRST).map(|byte| format!("{byte:02x}")).collect();
                format!("{} bytes: {} … (--output {name}=FILE saves them)", bytes.len(), first.join(" "))
            }
            Err(_) => value.compact(),
        },
        (Json::Object(members), _) if !members.is_empty() => value.pretty(),
        (Json::List(elements), _) if elements.iter().any(|element| !matches!(element, Json::Scalar(_))) => {
            value.pretty()
        }
        _ => value.compact(),
    }
}

/// `--output NAME=FILE`
#[derive(Clone, Debug)]
pub(in crate::cli) struct Output {
    /// The output's name, or `result`.
    name: String,
    /// Where it goes; `-` is standard output.
    file: PathBuf,
}

/// Reads the value of `--output`.
///
/// # Errors
/// How it should look.
pub(super) fn output(text: &str) -> Result<Output, String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok(Output { name: name.to_owned(), file: PathBuf::from(file) })
        }
        _ => Err("it is NAME=FILE, the name of an output (or `result`) and a file for its bytes".to_owned()),
    }
}

impl Output {
    /// Where the bytes go.
    pub(super) fn file(&self) -> &PathBuf {
        &self.file
    }

    /// The bytes of the answer: those of a buffer, or of text.
    ///
    /// # Errors
    /// The answer has no such output, or it has no bytes.
    pub(super) fn bytes(&self, answer: &Json, function: Option<&Function>) -> Result<Vec<u8>, String> {
        let Self { name, .. } = self;
        let outputs = answer.get("outputs");
        let value =
            outputs.and_then(|outputs| outputs.get(name)).or_else(|| answer.get("result").filter(|_| name == "result"));
        let Some(value) = value else {
            let names: Vec<&str> =
                outputs.map(Json::members).unwrap_or_default().iter().map(|(name, _)| name.as_str()).collect();
            let known = if names.is_empty() {
                "only `result`".to_owned()
            } else {
                format!("`result` and {}", names.join(", "))
            };
            return Err(format!("--output {name}: the answer has no such output, but {known}"));
        };
        let parameter =
            function.and_then(|function| function.parameters.iter().find(|p| p.name == *name)).map(|p| &p.ty);
        let ty = parameter.or(function.map(|function| &function.result).filter(|_| name == "result"));
        match (value.as_text(), ty) {
            (Some(text), Some(ty)) if !is_buffer(ty) => Ok(text.into_bytes()),
            (Some(text), Some(_)) => {
                STANDARD.decode(&text).map_err(|error| format!("--output {name}: the answer is not base64: {error}"))
            }
            // Nothing is known of the type: a buffer is what one saves.
            (Some(text), None) => Ok(STANDARD.decode(&text).unwrap_or_else(|_| text.into_bytes())),
            (None, _) => Err(format!("--output {name}: {} has no bytes", value.compact())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::interface;
    use super::*;

    const HEADER: &str =
        "struct P { int x, y; }; int f(_Out_writes_bytes_(n) void *data, int n, _Out_ struct P *p, _Out_ int *i);";

    fn answer(data: &str) -> Json {
        let text = format!(
            r#"{{"call_id":"1","result":0,"outputs":{{"data":"{data}","p":{{"y":1,"x":2}},"i":5}},"duration_us":1.5,
            "errno":{{"code":2,"name":"ENOENT","message":"No such file or directory"}}}}"#
        );
        Json::parse(&text).unwrap()
    }

    #[test]
    fn an_output_has_a_line_and_a_structure_is_indented() {
        let interface = interface(HEADER);
        assert_eq!(
            lines(&answer("AQID"), Some(&interface.functions[0]), &[]),
            ["0", "data = \"AQID\"", "p = {\n  \"y\": 1,\n  \"x\": 2\n}", "i = 5"]
        );
    }

    #[test]
    fn a_long_buffer_is_counted_and_can_be_saved() {
        let interface = interface(HEADER);
        let function = Some(&interface.functions[0]);
        let answer = answer(&STANDARD.encode([7; 100]));
        let line = &lines(&answer, function, &[])[1];
        assert!(
            line.starts_with("data = 100 bytes: 07 07 ") && line.ends_with("(--output data=FILE saves them)"),
            "{line}"
        );
        assert_eq!(output("data=x.bin").unwrap().bytes(&answer, function), Ok(vec![7; 100]));
        assert_eq!(output("data=x.bin").unwrap().bytes(&answer, None), Ok(vec![7; 100]));
        assert_eq!(lines(&answer, function, &[output("data=x.bin").unwrap()])[1], "data = (in x.bin)");
    }

    #[test]
    fn bytes_of_an_array_are_a_buffer_too() {
        let interface = interface("typedef unsigned char key[100]; int f(_Out_ key *k);");
        let function = Some(&interface.functions[0]);
        let answer =
            Json::parse(&format!(r#"{{"result":0,"outputs":{{"k":"{}"}}}}"#, STANDARD.encode([7; 100]))).unwrap();
        assert!(lines(&answer, function, &[])[1].starts_with("k = 100 bytes: 07 07 "));
        assert_eq!(output("k=x").unwrap().bytes(&answer, function), Ok(vec![7; 100]));
    }

    #[test]
    fn what_cannot_be_saved_says_why() {
        let interface = interface(HEADER);
        let bytes =
            |name: &str| output(name).unwrap().bytes(&answer("AQID"), Some(&interface.functions[0])).unwrap_err();
        assert!(bytes("dat=x").contains("the answer has no such output, but `result` and data, p, i"));
        assert!(bytes("i=x").contains("5 has no bytes"));
        assert!(output("data").is_err() && output("=x").is_err());
    }

    #[test]
    fn what_the_system_said_is_a_note() {
        assert_eq!(notes(&answer("")), ["errno: 2 ENOENT No such file or directory", "(1.5 µs in the library)"]);
    }
}
