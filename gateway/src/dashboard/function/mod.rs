//! `/libraries/{library}/functions/{function}`: what a function is, a form to call it, what comes back, the same call as code, and
//! how it has fared. A call from here goes the way of every call of the API.

pub mod about;
pub mod answer;
pub mod call_form;
pub mod code;
pub mod form;
pub mod recent;
pub mod try_export;

use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bridge32_protocol::interface::{Extent, Function, Interface, Type};
use bridge32_protocol::target::Target;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::filters;
use super::{Frame, Visit};
use crate::api::buffers::Body;
use crate::api::functions::{call, unknown};
use crate::api::{Path, Query};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::error::{Code as ProblemCode, Problem};
use crate::form_data::FormData;
use crate::interfaces::Declared;
use crate::json::Json;
use crate::libraries::Library;

use about::{About, refusal};
use answer::{Answer, request};
use call_form::{CallForm, View, Wish, example};
use code::{Code, Way};
use form::Types;
use recent::Recent;

/// So long the library's agent has to say which handles there are: they are only proposed.
const PATIENCE: Duration = Duration::from_millis(150);
/// What stands for itself in a part of an address.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Template)]
#[template(path = "function/page.html")]
struct Page {
    frame: Frame,
    library: String,
    function: String,
    about: About,
    call: CallForm,
    answer: Option<Answer>,
    code: Code,
    recent: Recent,
}

/// What an address says.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// `example`: with values that the types allow.
    fill: Option<String>,
}

/// A function of a library, found for a page.
struct Found {
    library: Arc<Library>,
    declared: Arc<Declared>,
    name: String,
    number: u32,
    handles: Vec<(String, String)>,
}

impl Found {
    async fn of(bridge: &Bridge, library: &str, name: String, caller: &Caller) -> Result<Self, Problem> {
        let library = bridge.library(library)?;
        let declared = library.declared();
        let Some((number, function)) = declared.function(&name) else {
            return Err(unknown(&library, &declared, &name));
        };
        let handles = handles(&library, function, caller).await;
        Ok(Self { library, declared, name, number, handles })
    }

    fn function(&self) -> &Function {
        let functions = &self.declared.interface().functions;
        usize::try_from(self.number).ok().and_then(|number| functions.get(number)).expect("it was found by its name")
    }

    fn types(&self) -> Types<'_> {
        Types { interface: self.declared.interface(), target: target(&self.library), handles: &self.handles }
    }
}

/// The target that a library's header was read for.
fn target(library: &Library) -> Target {
    library.target.unwrap_or(Target::Linux32)
}

/// A part of a path.
fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// The page of a library.
fn address_of_library(library: &str) -> String {
    format!("/libraries/{}", part(library))
}

/// The page of a function.
fn address(library: &str, function: &str) -> String {
    format!("{}/functions/{}", address_of_library(library), part(function))
}

/// Which handles there are that could be passed: kind and token.
async fn handles(library: &Library, function: &Function, caller: &Caller) -> Vec<(String, String)> {
    let is_handle = |ty: &Type| matches!(ty, Type::Pointer(pointer) if matches!(pointer.extent, Extent::Handle { .. }));
    let wanted = function.parameters.iter().any(|parameter| is_handle(&parameter.ty));
    let Some(link) = library.link().filter(|_| wanted && caller.may(Need::Library, &library.name, "").is_ok()) else {
        return Vec::new();
    };
    let asked = tokio::time::timeout(PATIENCE, link.client.handles(&library.name)).await;
    let list = asked.ok().and_then(Result::ok).and_then(Result::ok);
    list.into_iter().flat_map(|list| list.handles).map(|view| (view.kind, view.handle)).collect()
}

/// The page.
///
/// # Errors
/// There is no such function.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path((library, function)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    visit: Visit,
    caller: Caller,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let found = Found::of(&bridge, &library, function, &caller).await?;
    let example = example(found.function(), found.types());
    let filled = example.as_ref().filter(|_| asked.fill.as_deref() == Some("example"));
    let view = View::first(found.function(), found.types(), filled);
    let way = Way::of(&bridge, &headers, &extensions);
    let shown = Shown { view, arguments: filled.cloned(), answer: None, status: StatusCode::OK };
    page(&bridge, &found, shown, &way, &visit, &caller).await
}

/// What the form sends: a call, or the form in another shape.
///
/// # Errors
/// There is no such function, or what came is no form.
pub async fn submit(
    State(bridge): State<Arc<Bridge>>,
    Path((library, function)): Path<(String, String)>,
    visit: Visit,
    caller: Caller,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Result<Response, Problem> {
    let found = Found::of(&bridge, &library, function, &caller).await?;
    let mut fields = read(&headers, &body)?;
    let language = visit.preferences.language;
    let (mut view, wish) = View::sent(found.function(), found.types(), &mut fields, language);
    let (mut answer, mut status) = (None, StatusCode::OK);
    if wish == Wish::Call {
        let (said, said_status) = match view.body(language) {
            Err(place) => (Answer::mistaken(place), StatusCode::UNPROCESSABLE_ENTITY),
            Ok(body) => {
                let (headers, body) = request(body);
                let path = Path((found.library.name.clone(), found.name.clone()));
                let since = Instant::now();
                let body = Body::json(body);
                let response = call(State(Arc::clone(&bridge)), path, caller.clone(), headers, body).await;
                let response = response.unwrap_or_else(IntoResponse::into_response);
                Answer::read(response, found.function(), &mut view, "", since.elapsed()).await?
            }
        };
        (answer, status) = (Some(said), said_status);
    }
    let way = Way::of(&bridge, &headers, &extensions);
    let shown = Shown { arguments: view.so_far(), view, answer, status };
    page(&bridge, &found, shown, &way, &visit, &caller).await
}

/// The fields of a form.
fn read(headers: &HeaderMap, body: &Bytes) -> Result<FormData, Problem> {
    FormData::read(headers, body)
        .map_err(|error| Problem::new(ProblemCode::MalformedRequest, format!("The form cannot be read: {error}.")))
}

/// What a page shows besides what is known of the function.
struct Shown {
    view: View,
    /// The arguments that there are.
    arguments: Option<Json>,
    answer: Option<Answer>,
    status: StatusCode,
}

async fn page(
    bridge: &Bridge,
    found: &Found,
    Shown { view, arguments, answer, status }: Shown,
    way: &Way,
    visit: &Visit,
    caller: &Caller,
) -> Result<Response, Problem> {
    let (library, function) = (&found.library.name, found.function());
    let here = address(library, &found.name);
    let interface: &Interface = found.declared.interface();
    let code = way.code(
        format!("/v1{here}"),
        arguments,
        example(function, found.types()),
        (interface, function),
        |arguments| arguments,
    );
    let may = caller.may(Need::Call, library, &found.name).err().map(|problem| problem.detail().to_owned());
    let call = CallForm {
        example: (!function.parameters.is_empty()).then(|| format!("{here}?fill=example")),
        action: here,
        csrf: visit.viewer.csrf().map(str::to_owned),
        hidden: Vec::new(),
        view,
        refused: may.or_else(|| refusal(&found.library, &found.declared, found.number, function)),
    };
    let title = format!("{library}.{}", found.name);
    let page = Page {
        frame: visit.frame(title, "/libraries").live("call"),
        library: library.clone(),
        function: found.name.clone(),
        about: About::of(
            &found.library,
            &found.declared,
            found.number,
            function,
            format!("{}/interface", address_of_library(library)),
        ),
        call,
        answer,
        code,
        recent: Recent::of(bridge, library, &found.name, caller, visit).await,
    };
    visit.page(status, &page)
}
