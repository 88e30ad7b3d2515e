//! `/crashes/{report}`: what is known of the end of a process, for people.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use bridge32_protocol::wire::CrashRecord;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::agents::Log;
use super::filters::{self, text};
use super::words::shell;
use super::{Frame, Visit};
use crate::agents::Line;
use crate::api::{Path, crashes};
use crate::bridge::Bridge;
use crate::error::Problem;

/// So many bytes of the report itself a page shows.
const MOST: usize = 64 << 10;
/// Nothing is mapped below this address: who goes there has followed a null pointer.
const NOTHING_BELOW: u64 = 0x1_0000;

/// A report, as far as it is known what stands in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Its own name.
    pub report: String,
    agent: String,
    /// Which start of the agent it was.
    pub generation: u64,
    runtime: String,
    pid: Option<u32>,
    started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How the process ended, in words.
    pub exit: String,
    crash: CrashRecord,
    libraries: Vec<Loaded>,
    output: Vec<Printed>,
}

#[derive(Debug, Deserialize)]
struct Loaded {
    name: String,
    file: String,
}

#[derive(Debug, Deserialize)]
struct Printed {
    at: Timestamp,
    generation: u64,
    stream: String,
    text: String,
}

impl From<Printed> for Line {
    fn from(Printed { at, generation, stream, text }: Printed) -> Self {
        Self { at, generation, stream: if stream == "stderr" { "stderr" } else { "stdout" }, text }
    }
}

impl Report {
    /// Of its JSON. Of one that somebody has written into, what cannot be read is left out.
    pub fn of_value(mut value: Value) -> Self {
        // A process that left no record has `null` there.
        if let Some(report) = value.as_object_mut().filter(|report| report.get("crash").is_some_and(Value::is_null)) {
            report.remove("crash");
        }
        serde_json::from_value(value).unwrap_or_default()
    }

    /// What happened: `SIGSEGV (segmentation fault)`; how the process ended, where it left no record.
    pub fn what(&self) -> String {
        match (&self.crash.what, self.crash.code) {
            (Some(what), _) => what.clone(),
            (None, Some(code)) => format!("{code:#010x}"),
            (None, None) => self.exit.clone(),
        }
    }

    /// The number of the signal or the exception, as their documentation has it.
    fn code_in_hex(&self) -> String {
        format!("{:#010x}", self.crash.code.unwrap_or_default())
    }

    /// Where: `pricing.dll+0x1f3a`.
    pub fn place(&self) -> Option<String> {
        self.crash.module.as_ref().map(|module| with_offset(module, self.crash.offset))
    }

    /// The nearest export before that place: `Quote+0x14`.
    pub fn export(&self) -> Option<String> {
        self.crash.symbol.as_ref().map(|symbol| with_offset(symbol, self.crash.symbol_offset))
    }

    /// The function that ran.
    pub fn function(&self) -> Option<&str> {
        self.crash.function.as_deref()
    }

    /// Its library.
    pub fn library(&self) -> Option<&str> {
        self.crash.library.as_deref()
    }

    /// The id of its call.
    pub fn call(&self) -> Option<&str> {
        self.crash.call_id.as_deref()
    }

    /// Whether code of the process went to an address near 0.
    fn followed_null(&self) -> bool {
        let address = self.crash.access.as_ref().and_then(|access| access.rsplit_once("0x"));
        let digits = |text: &str| u64::from_str_radix(text.trim_end_matches(|c: char| !c.is_ascii_hexdigit()), 16).ok();
        address.and_then(|(_, digits_of)| digits(digits_of)).is_some_and(|address| address < NOTHING_BELOW)
    }

    /// Whether the library has ended its process on purpose, as far as can be told.
    fn was_on_purpose(&self) -> bool {
        let what = self.what();
        ["exit(", "abort", "SIGABRT"].iter().any(|word| what.contains(word))
    }

    /// The command that names the line of the source, for those who have the file with its symbols.
    fn command(&self) -> Option<String> {
        let (module, offset) = (self.crash.module.as_ref()?, self.crash.offset?);
        Some(if self.runtime.starts_with("win") {
            // Debuggers there name modules without their ending. Some signs separate their commands.
            let name = module.rsplit_once('.').map_or(module.as_str(), |(name, _)| name);
            let is_plain = name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
            is_plain.then(|| format!("ln {name}+{offset:#x}"))?
        } else {
            format!("addr2line -Cfie {} {offset:#x}", shell(module))
        })
    }

    fn is_windows(&self) -> bool {
        self.runtime.starts_with("win")
    }
}

fn with_offset(name: &str, offset: Option<u64>) -> String {
    offset.map_or_else(|| name.to_owned(), |offset| format!("{name}+{offset:#x}"))
}

#[derive(Template)]
#[template(path = "crash.html")]
struct Page {
    frame: Frame,
    name: String,
    report: Report,
    log: Log,
    raw: String,
    /// Whether the page has not all of it.
    is_cut: bool,
}

/// One report.
///
/// # Errors
/// There is none of that name.
pub async fn show(
    Shared(bridge): Shared<Arc<Bridge>>,
    Path(name): Path<String>,
    visit: Visit,
) -> Result<Response, Problem> {
    let text = crashes::report(&bridge, name.clone()).await?;
    visit.page(StatusCode::OK, &page(&visit, name, &text))
}

fn page(visit: &Visit, name: String, text: &[u8]) -> Page {
    let mut report = Report::of_value(serde_json::from_slice(text).unwrap_or_default());
    let output: Vec<Line> = std::mem::take(&mut report.output).into_iter().map(Line::from).collect();
    let raw = String::from_utf8_lossy(text);
    let end = (0..=MOST.min(raw.len())).rev().find(|end| raw.is_char_boundary(*end)).unwrap_or_default();
    Page {
        frame: visit.frame(visit.say(text!("Crash report")), "/agents"),
        name,
        log: Log::of(&output, ""),
        report,
        raw: raw[..end].to_owned(),
        is_cut: end < raw.len(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(report: &Value) -> String {
        let page = page(&Visit::nobody("/crashes/x"), "x.json".to_owned(), report.to_string().as_bytes());
        page.render_with_values(&(filters::LANGUAGE, &super::super::language::Language::English as &dyn std::any::Any))
            .unwrap()
    }

    fn report(crash: &Value) -> Value {
        json!({"report": "x.json", "agent": "pricing", "generation": 3, "runtime": "win32", "pid": 7,
            "started_at": "2026-01-31T12:00:00Z", "ended_at": "2026-01-31T12:05:00Z", "exit": "exit code -1073741819",
            "exit_code": -1_073_741_819, "crash": crash,
            "libraries": [{"name": "pricing", "file": "Z:\\pricing.dll"}],
            "output": [{"at": "2026-01-31T12:04:59Z", "generation": 3, "stream": "stderr", "text": "<b>last words</b>"}]})
    }

    #[test]
    fn a_crash_is_told_with_its_place_its_call_and_what_to_do() {
        let page = rendered(&report(&json!({"what": "0xC0000005 (access violation)", "code": 3_221_225_477_u32,
            "access": "write of 0x00000004", "module": "pricing.dll", "offset": 7994, "symbol": "Quote", "symbol_offset": 20,
            "library": "pricing", "function": "Quote", "call_id": "0199c2d4-0000-7000-8000-000000000000"})));
        for words in [
            "0xC0000005 (access violation)",
            "pricing.dll+0x1f3a",
            "Quote+0x14",
            "write of 0x00000004",
            "href=\"/calls/0199c2d4-0000-7000-8000-000000000000\"",
            "href=\"/agents/pricing\"",
            "null pointer",
            "ln pricing+0x1f3a</code>",
            "href=\"/v1/crashes/x.json\" download",
            "&#60;b&#62;last words&#60;/b&#62;",
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }

    #[test]
    fn a_debugger_is_given_names_and_no_commands() {
        let of = |module: &str| rendered(&report(&json!({"what": "?", "module": module, "offset": 16})));
        assert!(of("PRICING.DLL").contains("<code>ln PRICING+0x10</code>"));
        assert!(of("读卡器.ocx").contains("<code>ln 读卡器+0x10</code>"));
        assert!(!of("x;.shell calc;.dll").contains("<code>ln "));
    }

    #[test]
    fn a_process_without_a_record_and_one_that_says_nonsense_have_a_page_too() {
        assert!(rendered(&report(&Value::Null)).contains("exit code -1073741819"));
        for nonsense in [json!({"crash": 5, "report": []}), json!([]), json!("text")] {
            assert!(rendered(&nonsense).contains("<details"), "{nonsense}");
        }
    }

    #[test]
    fn names_of_a_report_are_text() {
        let bad = "<img src=x onerror=alert(1)>";
        let page = rendered(&report(&json!({"what": bad, "access": bad, "module": bad, "offset": 1, "symbol": bad,
            "library": bad, "function": bad, "call_id": format!("\" {bad}")})));
        assert!(!page.contains("<img") && !page.contains("\" &#60;img"), "{page}");
    }

    #[test]
    fn a_null_pointer_is_told_from_other_addresses() {
        let of = |access: &str| Report::of_value(report(&json!({"access": access}))).followed_null();
        assert!(of("write of 0x00000004") && of("read of 0x0000ffff"));
        assert!(!of("read of 0x00010000") && !of("read of 0xdeadbeef") && !of("somewhere"));
    }

    #[test]
    fn a_report_that_is_too_long_for_a_page_is_cut_and_says_so() {
        let long = page(&Visit::nobody("/"), "x".to_owned(), "读".repeat(MOST).as_bytes());
        assert!(long.is_cut && long.raw.len() <= MOST);
    }
}
