//! Everything about one call: the same part beside the list and as a page of its own.

use std::collections::BTreeSet;

use askama::Template;
use bridge32_interface::places::Place;
use bridge32_protocol::interface::Interface;
use serde::Deserialize;
use uuid::Uuid;

use super::call::{AdHoc, Call, Cut};
use super::markup::{Markup, beginning};
use super::time::Time;
use super::tree::{Look, tree};
use crate::api::kept_calls::{find, is_own, whole};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dashboard::Visit;
use crate::dashboard::filters;
use crate::dashboard::state::State;
use crate::dispatch::Arguments;
use crate::error::Problem;

/// How much of a call is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// On its page.
    Page,
    /// Beside the list, which takes its own room.
    Beside,
}

impl Extent {
    /// Bytes of HTML for each of the arguments and the outcome, as a tree.
    const fn tree(self) -> usize {
        match self {
            Self::Page => 44_000,
            Self::Beside => 16_000,
        }
    }

    /// The same for texts.
    const fn text(self) -> usize {
        match self {
            Self::Page => 16_000,
            Self::Beside => 4_000,
        }
    }
}

/// The part of a page that tells of a call. Pages write it as `{{ detail|safe }}`.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of the template")]
#[derive(Template)]
#[template(path = "calls/detail.html")]
pub(super) struct Detail {
    pub(super) call: Call,
    pub(super) state: State,
    pub(super) name: String,
    /// The function has a page.
    pub(super) is_declared: bool,
    is_page: bool,
    time: Option<Time>,
    args: Option<Shown>,
    outcome: Option<Shown>,
    output: Option<Told>,
    trouble: Option<Trouble>,
    csrf: Option<String>,
    may_cancel: bool,
    may_replay: bool,
    /// Other libraries with which it can be made again.
    others: Vec<String>,
    /// Why it was not made again, just now.
    pub(super) refused: Option<String>,
}

/// A JSON text.
struct Shown {
    tree: Markup,
    raw: Told,
    /// What is known of it, where there is no more than its beginning.
    cut: Option<(u64, String)>,
}

/// A text, or the beginning of it.
struct Told {
    text: Markup,
    is_all: bool,
    size: u64,
}

/// Why a call did not return.
#[derive(Deserialize)]
struct Trouble {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    pointer: Option<String>,
    crash: Option<Crash>,
}

/// How the library's process ended.
#[derive(Deserialize)]
struct Crash {
    what: Option<String>,
    access: Option<String>,
    module: Option<String>,
    offset: Option<u64>,
    symbol: Option<String>,
    symbol_offset: Option<u64>,
}

impl Crash {
    /// `reader.dll+0x1f3a (ReadCard+0x12)`.
    fn place(&self) -> Option<String> {
        let at = |name: &str, offset: Option<u64>| {
            offset.map_or_else(|| name.to_owned(), |offset| format!("{name}+0x{offset:x}"))
        };
        let module = at(self.module.as_deref()?, self.offset);
        Some(match &self.symbol {
            Some(symbol) => format!("{module} ({})", at(symbol, self.symbol_offset)),
            None => module,
        })
    }
}

impl Detail {
    /// What there is to know of the call of that id.
    ///
    /// # Errors
    /// There is none, or the caller may not see it.
    pub(super) async fn of(
        bridge: &Bridge,
        id: &str,
        visit: &Visit,
        caller: &Caller,
        extent: Extent,
    ) -> Result<Self, Problem> {
        let found = find(bridge, id, caller, Need::History).await?;
        let call: Call = serde_json::from_slice(&whole(bridge, &found).await).map_err(Problem::internal)?;
        let types = Types::of(bridge, &call.library, call.function.as_deref(), call.ad_hoc.as_ref()).await;
        let may_cancel =
            call.is_under_way() && (is_own(caller, &call.owner) || caller.may(Need::Manage, "", "").is_ok());
        let mut detail = Self::new(call, types.as_ref(), visit, extent);
        detail.may_cancel = may_cancel;
        detail.may_replay = detail.can_be_replayed(caller);
        if detail.may_replay {
            let names = bridge.libraries.all();
            let others = names.iter().map(|library| library.name.clone());
            detail.others = others.filter(|name| *name != detail.call.library).take(200).collect();
        }
        Ok(detail)
    }

    fn new(call: Call, types: Option<&Types>, visit: &Visit, extent: Extent) -> Self {
        let draw = |id: &'static str, json: Option<&str>, cut: Option<&Cut>, place| {
            draw(&Drawn { id, json, cut, place, address: address(call.id), visit, extent })
        };
        let json = |raw: &Option<Box<serde_json::value::RawValue>>| raw.as_ref().map(|raw| raw.get().to_owned());
        let (args, outcome) = (json(&call.args), json(&call.outcome));
        let trouble = call.code.as_ref().and(outcome.as_deref()).and_then(|text| serde_json::from_str(text).ok());
        Self {
            state: call.outcome_state(),
            name: call.function.clone().or_else(|| call.ad_hoc.as_ref()?.export.clone()).unwrap_or_default(),
            is_declared: matches!(types, Some(Types::Declared(..))),
            is_page: extent == Extent::Page,
            time: Time::of(&call, visit),
            args: draw("args", args.as_deref(), call.args_cut.as_ref(), types.and_then(Types::arguments)),
            outcome: draw("outcome", outcome.as_deref(), call.outcome_cut.as_ref(), types.and_then(Types::answer)),
            output: call.output.as_deref().map(|text| Told::of(text, extent)),
            trouble,
            csrf: visit.viewer.csrf().map(str::to_owned),
            may_cancel: false,
            may_replay: false,
            others: Vec::new(),
            refused: None,
            call,
        }
    }

    /// Whether it is a single call that has ended, of which the caller may make another.
    fn can_be_replayed(&self, caller: &Caller) -> bool {
        let Call { library, function, ad_hoc, .. } = &self.call;
        let may = match (ad_hoc, function) {
            (Some(_), _) => caller.may(Need::AdHoc, library, ""),
            (None, Some(function)) => caller.may(Need::Call, library, function),
            (None, None) => return false,
        };
        !self.call.is_under_way() && may.is_ok()
    }

    fn is_batch(&self) -> bool {
        self.call.function.is_none() && self.call.ad_hoc.is_none() && self.call.batch.is_none() && self.call.kept
    }

    /// The document that has everything.
    fn document(&self) -> String {
        address(self.call.id)
    }
}

fn address(id: Uuid) -> String {
    format!("/v1/calls/{id}")
}

impl Told {
    fn of(text: &str, extent: Extent) -> Self {
        let (markup, is_all) = beginning(text, extent.text());
        Self { text: markup, is_all, size: text.len() as u64 }
    }
}

/// What is to be drawn of a JSON text.
struct Drawn<'a> {
    id: &'static str,
    json: Option<&'a str>,
    cut: Option<&'a Cut>,
    place: Option<Place<'a>>,
    address: String,
    visit: &'a Visit,
    extent: Extent,
}

fn draw(drawn: &Drawn<'_>) -> Option<Shown> {
    let Drawn { id, json, cut, place, address, visit, extent } = drawn;
    if let Some(Cut { beginning: text, size, sha256 }) = cut {
        let raw = Told::of(text, *extent);
        return Some(Shown { tree: Markup::default(), raw, cut: Some((*size, sha256.clone())) });
    }
    let json = (*json)?;
    let look =
        Look { id, language: visit.preferences.language, most: extent.tree(), whole: address, marks: &BTreeSet::new() };
    Some(Shown { tree: tree(json, *place, &look), raw: Told::of(json, *extent), cut: None })
}

/// What the interface says of a function, as it is now: it may have been another when the call was made.
pub(super) enum Types {
    Declared(std::sync::Arc<crate::interfaces::Declared>, u32),
    AdHoc(Interface),
}

impl Types {
    /// Those of a library's function, or of the prototype that came with the call.
    pub(super) async fn of(
        bridge: &Bridge,
        library: &str,
        function: Option<&str>,
        ad_hoc: Option<&AdHoc>,
    ) -> Option<Self> {
        let library = bridge.libraries.get(library)?;
        if let Some(ad_hoc) = ad_hoc {
            return library.prototype(&ad_hoc.prototype, &Arguments::empty()).await.ok().map(Self::AdHoc);
        }
        let declared = library.declared();
        let (number, _) = declared.function(function?)?;
        Some(Self::Declared(declared, number))
    }

    fn function(&self) -> Option<(&Interface, &bridge32_protocol::interface::Function)> {
        let (interface, number) = match self {
            Self::Declared(declared, number) => (declared.interface(), usize::try_from(*number).ok()?),
            Self::AdHoc(interface) => (interface, 0),
        };
        Some((interface, interface.functions.get(number)?))
    }

    fn arguments(&self) -> Option<Place<'_>> {
        self.function().map(|(interface, function)| Place::arguments(interface, function))
    }

    /// What the function answers.
    pub(super) fn answer(&self) -> Option<Place<'_>> {
        self.function().map(|(interface, function)| Place::answer(interface, function))
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::tests::hostile;
    use super::*;

    fn rendered(call: Call, extent: Extent) -> String {
        Detail::new(call, None, &Visit::nobody("/"), extent).render().unwrap()
    }

    #[test]
    fn nothing_of_a_call_is_markup() {
        let html = rendered(hostile(), Extent::Page);
        assert!(!html.contains("<b>"), "{html}");
        assert!(html.contains("&#60;b&#62;") && html.contains("&lt;b&gt;") && html.contains("+0x10"), "{html}");
    }

    #[test]
    fn a_page_stays_small_however_long_the_texts_are() {
        let raw = |text: String| Some(serde_json::value::RawValue::from_string(text).unwrap());
        let long =
            |character: &str| raw(format!("{{\"a\":[{}\"\"]}}", format!("\"{}\",", character.repeat(50)).repeat(1200)));
        let texts = |extent| {
            let call = Call {
                args: long("<"),
                outcome: long("&"),
                output: Some("\"".repeat(64 << 10)),
                code: None,
                ..hostile()
            };
            rendered(call, extent).len()
        };
        assert!(texts(Extent::Page) < 180_000, "{}", texts(Extent::Page));
        assert!(texts(Extent::Beside) < 80_000, "{}", texts(Extent::Beside));
    }

    #[test]
    fn of_a_long_text_it_is_said_how_much_there_is() {
        let cut = Some(Cut { beginning: "{\"a\":\"<b>".to_owned(), size: 1 << 20, sha256: "00ff".to_owned() });
        let html = rendered(Call { args: None, args_cut: cut, ..hostile() }, Extent::Page);
        assert!(
            html.contains("1.00 MB") && html.contains("00ff") && html.contains("{&quot;a&quot;:&quot;&lt;b&gt;"),
            "{html}"
        );
    }
}
