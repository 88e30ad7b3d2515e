//! `/libraries/{library}/try`: an export that no header declares is called with a prototype that is typed in; one that proves good is
//! kept in the header.

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bridge32_image::Image;
use bridge32_interface::{Diagnostic, Severity};
use bridge32_protocol::interface::{ExportName, Function, Interface};
use bytes::Bytes;
use serde::Deserialize;

use super::about::About;
use super::answer::{Answer, request};
use super::call_form::{AS, CallForm, GO, View, Wish, example};
use super::code::{Code, Way};
use super::form::Types;
use super::{address, address_of_library, handles, part, read, target};
use crate::api::calls::{create, read_prototype};
use crate::api::{Path, Query};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dashboard::filters::{self, text};
use crate::dashboard::libraries::meaning::{Meant as Declaration, Names};
use crate::dashboard::{Frame, Visit, lead_to};
use crate::dispatch::Arguments;
use crate::error::Problem;
use crate::form_data::FormData;
use crate::json::Json;
use crate::libraries::Library;
use crate::starter;

/// So many characters of a prototype are taken from an address.
const LONGEST_ADDRESS: usize = 4_000;

#[derive(Template)]
#[template(path = "function/try.html")]
struct Page {
    frame: Frame,
    library: String,
    /// The export, as it is in the file.
    export: String,
    ordinal: String,
    /// The function as which the header declares it already.
    declared_as: Option<String>,
    /// What the export's name says by itself.
    note: Option<String>,
    prototype: String,
    /// What is wrong with the prototype.
    wrong: Vec<Diagnostic>,
    /// Why it cannot be kept.
    not_kept: Option<String>,
    may_keep: bool,
    action: String,
    csrf: Option<String>,
    declared: Option<Declared>,
    answer: Option<Answer>,
}

/// What there is once the prototype was read.
struct Declared {
    about: About,
    call: CallForm,
    code: Code,
}

/// What an address says.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    export: Option<String>,
    ordinal: Option<String>,
    prototype: Option<String>,
}

/// Which export is meant, and with which prototype.
#[derive(Clone, Debug)]
struct Meant {
    export: String,
    ordinal: String,
    prototype: String,
}

impl Meant {
    /// The export, if one is named.
    fn name(&self) -> Option<ExportName> {
        match (self.export.as_str(), self.ordinal.parse()) {
            ("", Ok(ordinal)) => Some(ExportName::Ordinal(ordinal)),
            ("", Err(_)) => None,
            (name, _) => Some(ExportName::Name(name.to_owned())),
        }
    }

    /// The library's file with that export alone: large files have many.
    async fn image(&self, bridge: &Bridge, library: &Library) -> Option<Image> {
        bridge.exports(library).await.ok()?.only(&self.export, self.ordinal.parse().ok())
    }

    /// The body of the API's request.
    fn body(&self, arguments: Json) -> Json {
        let mut members = vec![("prototype".to_owned(), Json::text(&self.prototype))];
        match self.name() {
            Some(ExportName::Name(name)) => members.push(("export".to_owned(), Json::text(&name))),
            Some(ExportName::Ordinal(number)) => members.push(("ordinal".to_owned(), Json::scalar(number.to_string()))),
            None => {}
        }
        members.push(("args".to_owned(), arguments));
        Json::Object(members)
    }

    /// What is added to the header for it: the prototype, with the tag that says which export it is where the name does not.
    fn declaration(&self, function: &Function) -> String {
        let tag = match self.name() {
            Some(ExportName::Name(name)) if name != function.name => Some(format!("@export {name}")),
            Some(ExportName::Ordinal(number)) => Some(format!("@ordinal {number}")),
            _ => None,
        };
        let text = self.prototype.trim_end().trim_end_matches(';');
        let Some(tag) = tag else { return format!("\n{text};\n") };
        // Before the line in which the declaration begins: types may stand before it.
        let begin = usize::try_from(function.line.saturating_sub(1)).unwrap_or(0);
        let lines: Vec<&str> = text.lines().collect();
        let (before, own) = lines.split_at(begin.min(lines.len()));
        let before: String = before.iter().flat_map(|line| [line, "\n"]).collect();
        format!("\n{before}/** {tag} */\n{};\n", own.join("\n"))
    }
}

/// The form for an export.
///
/// # Errors
/// There is no such library.
pub async fn show(
    State(bridge): State<Arc<Bridge>>,
    Path(library): Path<String>,
    Query(asked): Query<Asked>,
    visit: Visit,
    caller: Caller,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, Problem> {
    let library = bridge.library(&library)?;
    let Asked { export, ordinal, prototype } = asked;
    let (export, ordinal) = (export.unwrap_or_default(), ordinal.unwrap_or_default());
    let given = prototype.filter(|text| text.len() <= LONGEST_ADDRESS && !text.trim().is_empty());
    let mut meant = Meant { export, ordinal, prototype: String::new() };
    let image = meant.image(&bridge, &library).await;
    let (suggested, note) = image.as_ref().and_then(|image| suggestion(&library, image)).unwrap_or_default();
    let is_given = given.is_some();
    meant.prototype = given.unwrap_or(suggested);
    let way = Way::of(&bridge, &headers, &extensions);
    let declared_as = image.and_then(|image| declared_as(&library, &image));
    let note = Some(note).filter(|note| !note.is_empty());
    let task =
        Task { bridge: &bridge, library: &library, way: &way, visit: &visit, caller: &caller, declared_as, note };
    if !is_given {
        return task.page(meant, Shown::default());
    }
    let shown = match task.prototype(&meant).await {
        Ok(interface) => Shown { view: task.first(&interface).await, interface: Some(interface), ..Shown::default() },
        Err(problem) => Shown { problem: Some(problem), ..Shown::default() },
    };
    task.page(meant, shown)
}

/// What the forms send: the prototype to be read, a call with it, or that it is to be kept.
///
/// # Errors
/// There is no such library, or what came is no form.
pub async fn submit(
    State(bridge): State<Arc<Bridge>>,
    Path(library): Path<String>,
    visit: Visit,
    caller: Caller,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Result<Response, Problem> {
    let library = bridge.library(&library)?;
    let mut fields = read(&headers, &body)?;
    if fields.text(GO).is_none() && fields.text(AS).is_none() {
        // Enter in the form of the prototype is no call.
        fields.set(GO, "read");
    }
    let text = |name: &str| fields.text(name).unwrap_or_default().to_owned();
    let prototype = text("prototype").replace("\r\n", "\n");
    let meant = Meant { export: text("export"), ordinal: text("ordinal"), prototype };
    let way = Way::of(&bridge, &headers, &extensions);
    let declared_as = meant.image(&bridge, &library).await.and_then(|image| declared_as(&library, &image));
    let task =
        Task { bridge: &bridge, library: &library, way: &way, visit: &visit, caller: &caller, declared_as, note: None };
    let interface = match task.prototype(&meant).await {
        Ok(interface) => interface,
        Err(problem) => return task.page(meant, Shown { problem: Some(problem), ..Shown::default() }),
    };
    task.answer(meant, interface, &mut fields).await
}

/// What is being answered, and for whom.
struct Task<'a> {
    bridge: &'a Arc<Bridge>,
    library: &'a Arc<Library>,
    way: &'a Way,
    visit: &'a Visit,
    caller: &'a Caller,
    declared_as: Option<String>,
    note: Option<String>,
}

/// What a page shows besides the prototype.
#[derive(Default)]
struct Shown {
    interface: Option<Interface>,
    view: Option<View>,
    /// Whether arguments were typed.
    is_typed: bool,
    answer: Option<(Answer, StatusCode)>,
    /// What is wrong with the prototype, or keeps it from being kept.
    problem: Option<Problem>,
    not_kept: Option<Problem>,
}

impl Task<'_> {
    /// Reads the prototype behind the library's headers, with the names of their constants.
    async fn prototype(&self, meant: &Meant) -> Result<Interface, Problem> {
        let interface = read_prototype(self.library, &meant.prototype, &Arguments::empty()).await?;
        let shared = &self.library.declared();
        let constants = shared.interface().constants.clone();
        Ok(Interface { constants, ..interface })
    }

    fn types<'i>(&self, interface: &'i Interface, handles: &'i [(String, String)]) -> Types<'i> {
        Types { interface, target: target(self.library), handles }
    }

    async fn first(&self, interface: &Interface) -> Option<View> {
        let function = interface.functions.first()?;
        let handles = handles(self.library, function, self.caller).await;
        Some(View::first(function, self.types(interface, &handles), None))
    }

    /// Does what the button wants.
    async fn answer(&self, meant: Meant, interface: Interface, fields: &mut FormData) -> Result<Response, Problem> {
        let Some(function) = interface.functions.first().cloned() else {
            return Err(Problem::internal("a prototype has no function"));
        };
        let language = self.visit.preferences.language;
        let handles = handles(self.library, &function, self.caller).await;
        let (mut view, wish) = View::sent(&function, self.types(&interface, &handles), fields, language);
        let mut shown = Shown::default();
        match wish {
            Wish::Call => {
                let (answer, status) = match view.body(language) {
                    Err(place) => (Answer::mistaken(place), StatusCode::UNPROCESSABLE_ENTITY),
                    Ok(arguments) => self.call(&meant, &function, &mut view, &arguments).await?,
                };
                shown.answer = Some((answer, status));
            }
            Wish::Other(name) if name == "keep" => match self.keep(&meant, &function).await {
                Ok(()) => return lead_to(&address(&self.library.name, &function.name)),
                Err(problem) => {
                    shown.not_kept = Some(problem);
                    view = View::first(&function, self.types(&interface, &handles), None);
                }
            },
            Wish::Show => {}
            // The form of the prototype has no arguments.
            Wish::Other(_) => view = View::first(&function, self.types(&interface, &handles), None),
        }
        shown.is_typed = fields.text(AS).is_some();
        self.page(meant, Shown { interface: Some(interface), view: Some(view), ..shown })
    }

    async fn call(
        &self,
        meant: &Meant,
        function: &Function,
        view: &mut View,
        arguments: &str,
    ) -> Result<(Answer, StatusCode), Problem> {
        let text = if arguments.trim().is_empty() { "{}" } else { arguments };
        let Ok(arguments) = Json::parse(text) else {
            let why = self.visit.say(text!("This is not JSON."));
            return Ok((Answer::mistaken(view.blame("", why)), StatusCode::UNPROCESSABLE_ENTITY));
        };
        let (headers, body) = request(meant.body(arguments).compact());
        let path = Path(self.library.name.clone());
        let since = Instant::now();
        let response = create(State(Arc::clone(self.bridge)), path, self.caller.clone(), headers, body).await;
        let response = response.unwrap_or_else(IntoResponse::into_response);
        Answer::read(response, function, view, "/args", since.elapsed()).await
    }

    /// Adds the prototype to the header that is in force.
    async fn keep(&self, meant: &Meant, function: &Function) -> Result<(), Problem> {
        self.caller.may(Need::Manage, &self.library.name, "")?;
        let declared = self.library.declared();
        // Not as bytes: the file may be in another encoding than what is typed.
        let header = bridge32_interface::text(&declared.text()) + &meant.declaration(function);
        // What was wrong with the header before is no reason to refuse what is added to it.
        let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        let accept_errors = declared.header.diagnostics.iter().any(is_error);
        let (bridge, library) = (Arc::clone(self.bridge), Arc::clone(self.library));
        // What has begun is done whole, also if the browser goes away.
        let replaced =
            tokio::spawn(async move { bridge.replace_interface(&library, header.into(), accept_errors).await });
        replaced.await.map_err(Problem::internal)?.map(|_| ())
    }

    fn page(&self, meant: Meant, shown: Shown) -> Result<Response, Problem> {
        let Shown { interface, view, is_typed, answer, problem, not_kept } = shown;
        let library = &self.library.name;
        let action = format!("{}/try", address_of_library(library));
        let csrf = self.visit.viewer.csrf().map(str::to_owned);
        let declared = interface
            .zip(view)
            .and_then(|(interface, view)| self.declared(&meant, &action, &interface, view, is_typed));
        let status = match (&answer, problem.as_ref().or(not_kept.as_ref())) {
            (Some((_, status)), _) => *status,
            (None, Some(problem)) => problem.code().status(),
            (None, None) => StatusCode::OK,
        };
        let (wrong, other) = problem.map_or((Vec::new(), None), |problem| {
            let found = problem.diagnostics().to_vec();
            let other = found.is_empty().then(|| problem.detail().to_owned());
            (found, other)
        });
        let title = self.visit.say(text!("Try an export of {library}")).replace("{library}", library);
        let page = Page {
            frame: self.visit.frame(title, "/libraries"),
            library: library.clone(),
            export: meant.export,
            ordinal: meant.ordinal,
            declared_as: self.declared_as.clone(),
            note: self.note.clone(),
            prototype: meant.prototype,
            wrong,
            not_kept: other.or_else(|| not_kept.map(|problem| problem.detail().to_owned())),
            may_keep: self.caller.may(Need::Manage, library, "").is_ok(),
            action,
            csrf,
            declared,
            answer: answer.map(|(answer, _)| answer),
        };
        self.visit.page(status, &page)
    }

    fn declared(
        &self,
        meant: &Meant,
        action: &str,
        interface: &Interface,
        view: View,
        is_typed: bool,
    ) -> Option<Declared> {
        let function = interface.functions.first()?;
        let library = &self.library.name;
        let path = format!("/v1/libraries/{}/calls", part(library));
        let example = example(function, self.types(interface, &[]));
        let arguments = view.so_far().filter(|_| is_typed);
        let code = self.way.code(path, arguments, example, (interface, function), |arguments| meant.body(arguments));
        let refused = self.caller.may(Need::AdHoc, library, "").err().map(|problem| problem.detail().to_owned());
        let call = CallForm {
            action: action.to_owned(),
            csrf: self.visit.viewer.csrf().map(str::to_owned),
            hidden: vec![
                ("export", meant.export.clone()),
                ("ordinal", meant.ordinal.clone()),
                ("prototype", meant.prototype.clone()),
            ],
            view,
            refused: refused.or_else(|| function.unsupported.clone()),
            example: None,
        };
        let about = About::stated(function, String::new());
        Some(Declared { about, call, code })
    }
}

/// What the name of a file's only export says of its declaration, and what a person should know of it.
fn suggestion(library: &Library, image: &Image) -> Option<(String, String)> {
    let starter = starter::make(&library.name, image, target(library));
    let entry = starter.exports.into_iter().next()?;
    let declaration = entry.declaration.unwrap_or_else(|| format!("int {}(void)", entry.name));
    Some((declaration.trim_end_matches(';').to_owned(), entry.note))
}

/// The function as which the header declares a file's only export.
fn declared_as(library: &Library, image: &Image) -> Option<String> {
    let declared = library.declared();
    match Names::of(&declared).of_export(image.exports.first()?)? {
        Declaration::Function(name) => Some(name.to_owned()),
        Declaration::Variable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libraries::tests::library;

    async fn declaration(export: &str, ordinal: &str, prototype: &str) -> String {
        let meant = Meant { export: export.to_owned(), ordinal: ordinal.to_owned(), prototype: prototype.to_owned() };
        let interface = library("").prototype(prototype, &Arguments::empty()).await.unwrap();
        meant.declaration(&interface.functions[0])
    }

    #[tokio::test]
    async fn what_is_added_to_the_header_says_which_export_it_is() {
        assert_eq!(declaration("Beep", "", "int Beep(int hz);").await, "\nint Beep(int hz);\n");
        assert_eq!(
            declaration("?Beep@@YAHH@Z", "", "int Beep(int hz)").await,
            "\n/** @export ?Beep@@YAHH@Z */\nint Beep(int hz);\n"
        );
        assert_eq!(declaration("", "7", "int Beep(int hz)").await, "\n/** @ordinal 7 */\nint Beep(int hz);\n");
        let with_type = "struct tone { int hz; };\nint Beep(\n  struct tone t)";
        let expected = "\nstruct tone { int hz; };\n/** @export _b */\nint Beep(\n  struct tone t);\n";
        assert_eq!(declaration("_b", "", with_type).await, expected);
        let both = library(&format!("int Old(void);{expected}")).declared();
        assert_eq!(both.function("Beep").unwrap().1.export, Some(ExportName::Name("_b".to_owned())));
        assert!(both.header.diagnostics.is_empty() && both.function("Old").is_some());
    }

    #[test]
    fn the_body_says_which_export_is_meant() {
        let body = |export: &str, ordinal: &str| {
            let meant =
                Meant { export: export.to_owned(), ordinal: ordinal.to_owned(), prototype: "int f(void)".to_owned() };
            meant.body(Json::Object(Vec::new())).compact()
        };
        assert_eq!(body("a\"b", "5"), r#"{"prototype":"int f(void)","export":"a\"b","args":{}}"#);
        assert_eq!(body("", "5"), r#"{"prototype":"int f(void)","ordinal":5,"args":{}}"#);
        assert_eq!(body("", "x"), r#"{"prototype":"int f(void)","args":{}}"#);
    }
}
