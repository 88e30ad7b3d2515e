//! The form with which a function is called: from its types, or as JSON, and what its buttons do.

use askama::Template;
use bridge32_interface::schema::schemas;
use bridge32_protocol::interface::{Function, Int64, Interface};
use serde_json::Value;

use super::form::node::Node;
use super::form::{Edit, Form, Given, Mistake, Types};
use crate::dashboard::filters::{self, text};
use crate::dashboard::language::Language;
use crate::form_data::FormData;
use crate::json::Json;

/// The field that has the whole object of arguments.
const ARGUMENTS: &str = "arguments";
/// The field that says which way they are given.
pub(super) const AS: &str = "as";
/// What the buttons are called.
pub(super) const GO: &str = "go";

/// How the arguments are given.
#[derive(Clone, Debug)]
pub enum View {
    /// In controls made of the types.
    Fields(Form),
    /// As one text.
    Json {
        /// The text.
        text: String,
        /// What is wrong with it.
        error: Option<String>,
    },
}

/// What a button wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A call.
    Call,
    /// The form in another shape.
    Show,
    /// What else the page has: its name.
    Other(String),
}

impl View {
    /// The form before anybody has typed.
    pub fn first(function: &Function, types: Types<'_>, arguments: Option<&Json>) -> Self {
        let given = arguments.map_or(Given::Nothing, |arguments| Given::Value(Some(arguments)));
        Self::Fields(Form::of(function, types, given, None))
    }

    /// The form as it was sent, with what its button does done, and what else the button wants.
    pub fn sent(function: &Function, types: Types<'_>, fields: &mut FormData, language: Language) -> (Self, Wish) {
        let go = fields.text(GO).unwrap_or("call").to_owned();
        let edit = Edit::parse(&go);
        let before = fields.clone();
        if let Some(edit) = &edit {
            edit.apply(fields);
        }
        let wish = match go.as_str() {
            "call" => Wish::Call,
            "json" | "form" | "code" => Wish::Show,
            _ if edit.is_some() => Wish::Show,
            _ => Wish::Other(go.clone()),
        };
        if fields.text(AS) == Some("json") {
            let text = fields.text(ARGUMENTS).unwrap_or_default().to_owned();
            let view = Self::Json { text, error: None };
            return (if go == "form" { view.into_fields(function, types, language) } else { view }, wish);
        }
        let form = Form::of(function, types, Given::Fields(fields), edit.as_ref());
        // What would be too much for a page is not added.
        let form =
            if form.is_cut && edit.is_some() { Form::of(function, types, Given::Fields(&before), None) } else { form };
        (if go == "json" { Self::into_json(form, function, types, language) } else { Self::Fields(form) }, wish)
    }

    /// The text in controls, if all of it goes into them.
    fn into_fields(self, function: &Function, types: Types<'_>, language: Language) -> Self {
        let Self::Json { text, .. } = self else { return self };
        let json = if text.trim().is_empty() { Ok(Json::Object(Vec::new())) } else { Json::parse(&text) };
        let wrong = |error: String| Self::Json { text: text.clone(), error: Some(error) };
        match json {
            Ok(json @ Json::Object(_)) => {
                let form = Form::of(function, types, Given::Value(Some(&json)), None);
                match form.unknown.as_slice() {
                    [] => Self::Fields(form),
                    [name, ..] => {
                        let said = language.say(text!("There is no parameter `{name}`: it would be lost in the form."));
                        wrong(said.replace("{name}", name))
                    }
                }
            }
            Ok(_) => wrong(language.say(text!("Arguments are an object with the names of the parameters.")).to_owned()),
            Err(error) => wrong(Mistake::NoJson(bridge32_protocol::json::complaint(&error)).words(language)),
        }
    }

    /// The form as text; where nothing is filled in, an example.
    fn into_json(mut form: Form, function: &Function, types: Types<'_>, language: Language) -> Self {
        match form.arguments() {
            Ok(json) if json.members().is_empty() && !form.is_empty() => {
                let example = example(function, types).unwrap_or(json);
                Self::Json { text: example.pretty(), error: None }
            }
            Ok(json) => Self::Json { text: json.pretty(), error: None },
            Err(mistakes) => {
                blame(&mut form, &mistakes, language);
                Self::Fields(form)
            }
        }
    }

    /// The body of the call.
    ///
    /// # Errors
    /// What was typed cannot be sent; it is written beside the controls. Gives the id of the first.
    pub fn body(&mut self, language: Language) -> Result<String, Option<String>> {
        match self {
            Self::Json { text, .. } => Ok(text.clone()),
            Self::Fields(form) => {
                form.arguments().map(|json| json.compact()).map_err(|mistakes| blame(form, &mistakes, language))
            }
        }
    }

    /// The arguments as far as they can be read, for what only shows them.
    pub fn so_far(&self) -> Option<Json> {
        match self {
            Self::Json { text, .. } => Json::parse(text).ok(),
            Self::Fields(form) => Some(form.arguments_so_far()),
        }
    }

    /// Writes what is wrong where it is. Gives the id of that place.
    pub fn blame(&mut self, pointer: &str, why: &str) -> Option<String> {
        match self {
            Self::Fields(form) => form.blame(pointer, why),
            Self::Json { error, .. } => {
                *error = Some(if pointer.is_empty() { why.to_owned() } else { format!("{pointer}: {why}") });
                Some(ARGUMENTS.to_owned())
            }
        }
    }
}

fn blame(form: &mut Form, mistakes: &[(String, Mistake)], language: Language) -> Option<String> {
    let places: Vec<Option<String>> =
        mistakes.iter().map(|(path, mistake)| form.blame(path, &mistake.words(language))).collect();
    places.into_iter().flatten().next()
}

/// Arguments that the types allow.
pub fn example(function: &Function, types: Types<'_>) -> Option<Json> {
    let alone = Interface {
        functions: vec![function.clone()],
        structures: types.interface.structures.clone(),
        enumerations: types.interface.enumerations.clone(),
        // Both are accepted, and numbers are easier to read.
        int64: Int64::Number,
        ..Interface::default()
    };
    let schemas = schemas(&alone, types.target, "library", &mut str::to_owned);
    let example: Value = schemas.functions.into_values().next()?.arguments.example?;
    Json::parse(&example.to_string()).ok()
}

/// The form on a page.
#[derive(Template, Debug)]
#[template(path = "function/form.html")]
pub struct CallForm {
    /// Where it is sent to.
    pub action: String,
    /// What it repeats of the session.
    pub csrf: Option<String>,
    /// What it repeats besides.
    pub hidden: Vec<(&'static str, String)>,
    /// The arguments.
    pub view: View,
    /// Why it cannot be called.
    pub refused: Option<String>,
    /// The address of the page with an example filled in.
    pub example: Option<String>,
}

impl CallForm {
    /// Whether files can go along.
    fn has_files(&self) -> bool {
        matches!(&self.view, View::Fields(form) if form.has_files)
    }

    fn nodes(&self) -> &[Node] {
        match &self.view {
            View::Fields(form) => &form.nodes,
            View::Json { .. } => &[],
        }
    }

    fn is_cut(&self) -> bool {
        matches!(&self.view, View::Fields(form) if form.is_cut)
    }
}
