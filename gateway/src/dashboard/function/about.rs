//! What is known of a function: what its header says, what was assumed, and how it was found in the library.

use askama::Template;
use bridge32_interface::needs::{self, Need};
use bridge32_interface::report::Finding;
use bridge32_protocol::interface::{Function, Type};
use bridge32_protocol::wire::Binding;

use crate::dashboard::filters::{self, text};
use crate::interfaces::Declared;
use crate::libraries::Library;

/// So many assumptions are listed here; the library's page has all.
const MOST_FINDINGS: usize = 20;

/// The documentation of a function.
#[derive(Template, Debug)]
#[template(path = "function/about.html")]
pub struct About {
    declaration: String,
    /// The file and the line.
    place: String,
    description: Vec<String>,
    /// What it gives back through pointers: name and text.
    outputs: Vec<(String, String)>,
    result: String,
    returns: bool,
    /// Facts by name.
    facts: Vec<(&'static str, String)>,
    idempotent: bool,
    assumed: Vec<Assumed>,
    assumed_count: u64,
    /// The library's interface.
    interface: String,
}

#[derive(Debug)]
struct Assumed {
    parameter: Option<String>,
    text: String,
    line: u32,
}

impl About {
    /// What a header says of one of its functions.
    pub fn of(library: &Library, declared: &Declared, number: u32, function: &Function, interface: String) -> Self {
        let own = declared.header.assumptions.iter().filter(|finding| finding.function == function.name);
        let bound = library.bound(declared);
        let binding =
            usize::try_from(number).ok().and_then(|number| bound.as_deref()?.loaded.bindings.get(number).cloned());
        let mut facts = Vec::new();
        if let Some(Binding::Bound { export, convention }) = binding {
            facts.push((text!("export"), export));
            facts.push((text!("convention"), convention.keyword().to_owned()));
        }
        if let Some(deadline) = function.deadline_ms {
            facts.push((text!("deadline"), crate::dashboard::words::time_span(deadline.saturating_mul(1_000_000))));
        }
        let assumed_count = own.clone().count() as u64;
        let assumed = own.take(MOST_FINDINGS).map(assumed).collect();
        Self { facts, assumed, assumed_count, ..Self::stated(function, interface) }
    }

    /// What a declaration says by itself.
    pub fn stated(function: &Function, interface: String) -> Self {
        let file = function.file.as_str();
        let place = if file.is_empty() { String::new() } else { format!("{file}:{}", function.line) };
        let paragraphs = function.description.split("\n\n").filter(|text| !text.trim().is_empty());
        let outputs = needs::of(function).into_iter().zip(&function.parameters);
        let outputs = outputs.filter(|(need, _)| *need == Need::Output);
        Self {
            declaration: format!("{};", function.declaration.trim_end_matches(';')),
            place,
            description: paragraphs.map(str::to_owned).collect(),
            outputs: outputs.map(|(_, output)| (output.name.clone(), output.description.clone())).collect(),
            result: function.result_description.clone(),
            returns: function.result != Type::Void,
            facts: Vec::new(),
            idempotent: function.idempotent,
            assumed: Vec::new(),
            assumed_count: 0,
            interface,
        }
    }
}

fn assumed(finding: &Finding) -> Assumed {
    Assumed { parameter: finding.parameter.clone(), text: finding.text.clone(), line: finding.line }
}

/// Why a function cannot be called, if that is known.
pub fn refusal(library: &Library, declared: &Declared, number: u32, function: &Function) -> Option<String> {
    if let Some(why) = &function.unsupported {
        return Some(why.clone());
    }
    let bound = library.bound(declared)?;
    match bound.loaded.bindings.get(usize::try_from(number).ok()?)? {
        Binding::Missing(fault) => Some(fault.detail.clone()),
        Binding::Bound { .. } => None,
    }
}
