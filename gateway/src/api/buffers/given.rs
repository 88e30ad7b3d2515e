//! What a request gives, and how it wants to have what comes out: all that can be told before the library is called.

use std::sync::Arc;

use axum::RequestExt as _;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_interface::places::byte_buffers;
use bridge32_protocol::interface::{Direction, Function};
use bridge32_protocol::json::members;
use bridge32_protocol::wire::Digest;
use bytes::Bytes;
use serde::Deserialize;

use super::answer::{Form, Wanted};
use crate::api::{Query, accepts, expect_json};
use crate::bridge::Bridge;
use crate::bulk::{Received, SharedBuffer, TempFile, Value, Values};
use crate::dispatch::Arguments;
use crate::error::{Code, Problem};

/// What a request means.
#[derive(Debug)]
pub(in crate::api) struct Call {
    /// The arguments, with their buffers.
    pub(in crate::api) args: Arguments,
    /// How the client wants to have the buffers that come out; `None` if in JSON.
    pub(in crate::api) wanted: Option<Wanted>,
    /// What tells this body from others.
    pub(in crate::api) body: Bytes,
}

/// What a request gives besides the head, however it does.
#[derive(Debug, Default)]
pub struct Body {
    /// The buffers, if it was no JSON.
    received: Option<Received>,
    /// The JSON, if it was that.
    json: Bytes,
    /// The query parameter `args`: the arguments, where the body is one of them.
    args: Option<String>,
}

impl Body {
    /// JSON.
    pub(crate) fn json(json: Bytes) -> Self {
        Self { json, ..Self::default() }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Parameters {
            args: Option<String>,
        }
        let received = request.extensions_mut().remove();
        let Query(Parameters { args }) = request.extract_parts().await?;
        let json = Bytes::from_request(request, state).await;
        let json = json.map_err(|rejection| Problem::new(Code::MalformedRequest, rejection.body_text()))?;
        Ok(Self { received, json, args })
    }
}

/// Reads a request for a call of a declared function.
///
/// # Errors
/// What is wrong with it: nothing was called.
pub(in crate::api) async fn read(
    bridge: &Bridge,
    function: &Function,
    headers: &HeaderMap,
    body: Body,
) -> Result<Call, Problem> {
    let form = Form::of(headers);
    let Body { received, json, args } = body;
    if received.is_none() && form.is_none() {
        expect_json(headers, &json)?;
        return Ok(Call { args: Arguments::parse(&json)?, wanted: None, body: json });
    }
    let most = bridge.config().bulk_limit as u64;
    let (args, values, body) = match received {
        None => {
            expect_json(headers, &json)?;
            (Arguments::parse(&json)?, Vec::new(), json)
        }
        Some(Received { values, sha256 }) => {
            let in_query = Bytes::from(args.unwrap_or_default());
            let body = Bytes::from(format!("sha256={sha256}&args={}", String::from_utf8_lossy(&in_query)));
            let (args, values) = given(function, values, &in_query)?;
            (args, values, body)
        }
    };
    let names = named(&args);
    let mut inline = Vec::new();
    let mut buffers = Vec::new();
    for (parameter, value) in values {
        match value {
            Value::Inline(bytes) => {
                inline.push((parameter, serde_json::Value::from(STANDARD.encode(bytes)).to_string()));
            }
            Value::File(file, digest) => buffers.push(shared(parameter, file, Some(digest), most)),
        }
    }
    let wanted = match form {
        None => None,
        Some(form) => {
            let outputs = outputs(function, &names);
            check(form, &outputs)?;
            Some(Wanted { form, files: offer(bridge, &outputs, &mut buffers, most).await? })
        }
    };
    Ok(Call { args: args.with_members(&inline).with_buffers(buffers), wanted, body })
}

fn shared(parameter: String, file: Arc<TempFile>, given: Option<Digest>, most: u64) -> SharedBuffer {
    SharedBuffer { parameter, file: Some(file), given, answered: false, most }
}

/// The arguments that are JSON, and the buffers by the parameters that they are for.
fn given(function: &Function, values: Values, in_query: &Bytes) -> Result<(Arguments, Vec<(String, Value)>), Problem> {
    let takes = |direction| matches!(direction, Direction::In | Direction::InOut);
    let inputs =
        || byte_buffers(function).filter(|parameter| takes(parameter.direction)).map(|parameter| &*parameter.name);
    match values {
        Values::One(value) => {
            let args = parse(in_query, "the query parameter `args`")?;
            let names = named(&args);
            let free: Vec<&str> = inputs().filter(|name| names.iter().all(|(other, _)| other != name)).collect();
            match free[..] {
                [name] => Ok((args, vec![(name.to_owned(), value)])),
                _ => Err(Problem::new(Code::ArgumentMismatch, which_input(function, &free))),
            }
        }
        Values::Parts { buffers, args } => {
            if !in_query.is_empty() {
                let detail =
                    "With multipart/form-data the other arguments are the part `args`, and not in the address.";
                return Err(Problem::new(Code::MalformedRequest, detail));
            }
            let args = parse(&args.unwrap_or_default(), "the part `args`")?;
            for (name, _) in &buffers {
                if !inputs().any(|input| input == name) {
                    let detail = format!(
                        "The part `{}` is no buffer of bytes that `{}` takes; {}. All else stands in the part `args`, a JSON object.",
                        name.chars().take(80).collect::<String>(),
                        function.name,
                        listed("those are", &inputs().collect::<Vec<_>>())
                    );
                    return Err(Problem::new(Code::ArgumentMismatch, detail).at(format!("/{name}")));
                }
            }
            Ok((args, buffers))
        }
    }
}

fn parse(text: &Bytes, place: &str) -> Result<Arguments, Problem> {
    Arguments::parse(text).map_err(|error| {
        Problem::new(
            Code::MalformedRequest,
            error.to_string().replace("the body", place).replace("the arguments", place),
        )
    })
}

fn which_input(function: &Function, free: &[&str]) -> String {
    let name = &function.name;
    if free.is_empty() {
        return format!(
            "A body of application/octet-stream is a buffer of bytes, and `{name}` takes none, or it is in `args`: send JSON."
        );
    }
    format!(
        "A body of application/octet-stream is the only buffer of bytes that a function takes, and `{name}` takes several ({}): send \
         multipart/form-data with a part for each.",
        free.join(", ")
    )
}

fn listed(before: &str, names: &[&str]) -> String {
    if names.is_empty() { "it takes none".to_owned() } else { format!("{before} {}", names.join(", ")) }
}

/// The names that the arguments have, and whether each has a value of its own: null and tokens of handles have none.
fn named(args: &Arguments) -> Vec<(String, bool)> {
    let text = std::str::from_utf8(args.as_bytes()).unwrap_or_default();
    let has_bytes = |json: &str| json.starts_with('"') && !json.contains('.');
    members(text).unwrap_or_default().into_iter().map(|(name, value)| (name, has_bytes(value.get()))).collect()
}

/// The buffers of bytes that come out of a call with arguments of these names.
fn outputs<'a>(function: &'a Function, names: &[(String, bool)]) -> Vec<&'a str> {
    let comes = |name: &str| names.iter().all(|(other, has_bytes)| other != name || *has_bytes);
    let outputs = byte_buffers(function).filter(|parameter| parameter.direction != Direction::In);
    outputs.map(|parameter| &*parameter.name).filter(|name| comes(name)).collect()
}

/// An answer that is a buffer has to be one.
fn check(form: Form, outputs: &[&str]) -> Result<(), Problem> {
    let detail = match (form, outputs) {
        (Form::Parts, _) | (Form::One, [_]) => return Ok(()),
        (Form::One, []) => {
            "An answer of application/octet-stream is a buffer of bytes, and no buffer comes out of this call: accept \
                            application/json."
                .to_owned()
        }
        (Form::One, several) => format!(
            "An answer of application/octet-stream is the only buffer of bytes that comes out, and here several do ({}): accept \
             multipart/form-data.",
            several.join(", ")
        ),
    };
    Err(Problem::new(Code::NotAcceptable, detail))
}

/// Gives each buffer that comes out a file, which may be the one that it came in by.
async fn offer(
    bridge: &Bridge,
    outputs: &[&str],
    buffers: &mut Vec<SharedBuffer>,
    most: u64,
) -> Result<Vec<(String, Arc<TempFile>)>, Problem> {
    let mut files = Vec::with_capacity(outputs.len());
    for name in outputs {
        let file = if let Some(own) = buffers.iter_mut().find(|buffer| buffer.parameter == *name) {
            own.answered = true;
            own.file.clone()
        } else {
            let folder = Arc::clone(&bridge.bulk);
            let created = tokio::task::spawn_blocking(move || folder.create()).await.map_err(Problem::internal)?;
            let (_, file) = created.map_err(|error| Problem::without_room_for_buffers(&error))?;
            let buffer = shared((*name).to_owned(), Arc::clone(&file), None, most);
            buffers.push(SharedBuffer { answered: true, ..buffer });
            Some(file)
        };
        files.extend(file.map(|file| ((*name).to_owned(), file)));
    }
    Ok(files)
}

impl Form {
    /// As the client asks for it. Whoever takes JSON, too, gets JSON.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let named = |media_type| accepts(headers, media_type);
        if named("application/json") {
            return None;
        }
        let one = named("application/octet-stream").then_some(Self::One);
        one.or_else(|| named("multipart/form-data").then_some(Self::Parts))
    }
}

#[cfg(test)]
mod tests {
    use bridge32_interface::{Options, Source};
    use bridge32_protocol::target::Target;

    use super::*;

    fn function(text: &str) -> Function {
        let source = Source { name: "test.h", text: text.as_bytes() };
        bridge32_interface::read(&[source], &Options::new(Target::Linux32)).interface.functions.remove(0)
    }

    const COPY: &str = "int Copy(_Out_writes_bytes_(n) void *dest, _In_reads_bytes_(n) const void *src, unsigned n);";
    const MIX: &str = "int Mix(_Inout_updates_bytes_(n) void *state, _In_reads_bytes_(m) const void *key, const char *name, int n, int m);";

    fn one(header: &str, args: &str) -> Result<Vec<String>, Problem> {
        let value = Values::One(Value::Inline(Bytes::new()));
        let (_, buffers) = given(&function(header), value, &Bytes::copy_from_slice(args.as_bytes()))?;
        Ok(buffers.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_body_is_the_only_buffer_that_is_not_given_otherwise() {
        assert_eq!(one(COPY, "").unwrap(), ["src"]);
        assert_eq!(one(MIX, r#"{"key":"AAAA"}"#).unwrap(), ["state"]);
        let several = one(MIX, "").unwrap_err();
        assert!(
            several.code() == Code::ArgumentMismatch && several.detail().contains("(state, key)"),
            "{}",
            several.detail()
        );
        assert!(one(COPY, r#"{"src":"AAAA"}"#).unwrap_err().detail().contains("send JSON"));
        assert!(one("int f(const char *s);", "").unwrap_err().detail().contains("takes none"));
        let wrong = one(COPY, "{").unwrap_err();
        assert!(wrong.detail().starts_with("the query parameter `args` is not valid JSON"), "{}", wrong.detail());
        assert!(one(COPY, "[]").unwrap_err().detail().starts_with("the query parameter `args` must be a JSON object"));
    }

    #[test]
    fn parts_are_named_as_the_buffers_that_the_function_takes() {
        let parts = |names: &[&str], query: &'static str| {
            let buffers = names.iter().map(|name| ((*name).to_owned(), Value::Inline(Bytes::new()))).collect();
            let values = Values::Parts { buffers, args: Some(Bytes::from_static(b"{\"n\":1}")) };
            given(&function(MIX), values, &Bytes::from_static(query.as_bytes()))
        };
        assert_eq!(parts(&["key", "state"], "").unwrap().1.len(), 2);
        for wrong in ["name", "n", "", "other"] {
            let problem = parts(&[wrong], "").unwrap_err();
            assert!(problem.detail().contains("those are state, key"), "{}", problem.detail());
            assert_eq!(problem.pointer(), Some(&*format!("/{wrong}")));
        }
        assert!(parts(&["key"], "{}").unwrap_err().detail().contains("the part `args`"));
    }

    #[test]
    fn what_comes_out_is_known_before_the_call() {
        let out = |header: &str, args: &str| {
            let (function, args) = (function(header), parse(&Bytes::copy_from_slice(args.as_bytes()), "").unwrap());
            outputs(&function, &named(&args)).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(out(COPY, ""), ["dest"]);
        assert_eq!(out(MIX, r#"{"state":"AAAA"}"#), ["state"]);
        for elsewhere in [r#"{"dest":null}"#, r#"{"dest":"z.g1.5.abc"}"#] {
            assert!(out(COPY, elsewhere).is_empty(), "{elsewhere}");
        }
        assert!(check(Form::One, &["a"]).is_ok() && check(Form::Parts, &[]).is_ok());
        assert_eq!(check(Form::One, &[]).unwrap_err().code(), Code::NotAcceptable);
        assert!(check(Form::One, &["a", "b"]).unwrap_err().detail().contains("(a, b)"));
    }

    #[test]
    fn whoever_takes_json_gets_json() {
        let form = |accept: &'static str| {
            Form::of(&HeaderMap::from_iter([(axum::http::header::ACCEPT, accept.parse().unwrap())]))
        };
        assert_eq!(form("application/octet-stream"), Some(Form::One));
        assert_eq!(form("multipart/form-data"), Some(Form::Parts));
        assert_eq!(form("multipart/form-data, application/octet-stream;q=0.5"), Some(Form::One));
        for json in ["*/*", "application/json", "application/octet-stream, application/json", "text/html"] {
            assert_eq!(form(json), None, "{json}");
        }
    }
}
