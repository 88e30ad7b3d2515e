//! What a process wrote while it was dying: read from its file, put together, and told in words.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use bridge32_protocol::wire::CrashRecord;
use uuid::Uuid;

/// More than this is no record of a crash: the process that writes it is not to be trusted any more.
const MAX_FILE: u64 = 64 << 10;
/// The longest text of a record that is kept, in bytes.
const MAX_TEXT: usize = 1 << 10;

/// A crash and where its report is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crash {
    /// What is known of it.
    pub record: CrashRecord,
    /// The name of the report, if one could be kept.
    pub report: Option<String>,
}

impl Crash {
    /// The call that ran, as the process itself says.
    pub fn call(&self) -> Option<Uuid> {
        Uuid::parse_str(self.record.call_id.as_deref()?).ok()
    }

    /// Whether this can be about the call `id` of `library`. A record that names another call of the same library is of
    /// an earlier moment; one that names another library's call is why the process, which both shared, ended.
    pub fn fits(&self, library: &str, id: Uuid) -> bool {
        let same_library = self.record.library.as_deref().is_none_or(|recorded| recorded == library);
        let other_call = self.record.call_id.is_some() && self.call() != Some(id);
        !(same_library && other_call)
    }

    /// What happened where: `SIGSEGV (segmentation fault), read of 0x00000000, in libfoo.so+0x1234, in f+0x14`.
    pub fn place(&self) -> Option<String> {
        let CrashRecord { what, code, access, module, offset, symbol, symbol_offset, .. } = &self.record;
        let mut parts = Vec::new();
        match (what, code) {
            (Some(what), _) => parts.push(what.clone()),
            (None, Some(code)) => parts.push(format!("code {code:#x}")),
            (None, None) => {}
        }
        parts.extend(access.clone());
        parts.extend(module.as_ref().map(|module| format!("in {}", place(module, *offset))));
        parts.extend(symbol.as_ref().map(|symbol| format!("in {}", place(symbol, *symbol_offset))));
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Who ran: the function, its library and its call.
    pub fn running(&self) -> Option<String> {
        let CrashRecord { library, function, call_id, .. } = &self.record;
        let mut text = match (function, library) {
            (Some(function), Some(library)) => format!("`{function}` of `{library}`"),
            (Some(function), None) => format!("`{function}`"),
            (None, Some(library)) => format!("a call of `{library}`"),
            (None, None) => return None,
        };
        if let Some(call) = call_id {
            let _ = write!(text, " (call {call})");
        }
        Some(text)
    }
}

fn place(name: &str, offset: Option<u64>) -> String {
    offset.map_or_else(|| name.to_owned(), |offset| format!("{name}+{offset:#x}"))
}

/// Reads what a process has left; `None` if it wrote nothing that can be read.
///
/// # Errors
/// The file is there and cannot be read.
pub(super) fn read(file: &Path) -> io::Result<Option<CrashRecord>> {
    let file = match File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(merge(&text))
}

/// Later lines fill in what the earlier ones leave out. A line that broke off, or is no record, is left out.
fn merge(text: &[u8]) -> Option<CrashRecord> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<CrashRecord>(line).ok());
    let merged = lines.reduce(|first, later| CrashRecord {
        what: first.what.or(later.what),
        code: first.code.or(later.code),
        access: first.access.or(later.access),
        module: first.module.or(later.module),
        offset: first.offset.or(later.offset),
        symbol: first.symbol.or(later.symbol),
        symbol_offset: first.symbol_offset.or(later.symbol_offset),
        library: first.library.or(later.library),
        function: first.function.or(later.function),
        call_id: first.call_id.or(later.call_id),
        trace_id: first.trace_id.or(later.trace_id),
    });
    merged.filter(|record| *record != CrashRecord::default()).map(tidy)
}

/// Text of a dying process goes into logs and answers: short, and without control characters.
fn tidy(mut record: CrashRecord) -> CrashRecord {
    let CrashRecord { what, access, module, symbol, library, function, call_id, trace_id, .. } = &mut record;
    for text in [what, access, module, symbol, library, function, call_id, trace_id].into_iter().flatten() {
        text.retain(|c| !c.is_control());
        let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(text: &str) -> Crash {
        Crash { record: merge(text.as_bytes()).unwrap(), report: None }
    }

    #[test]
    fn later_lines_fill_in_what_is_missing_and_a_broken_one_is_left_out() {
        let record = merge(
            b"{\"what\":\"SIGSEGV (segmentation fault)\",\"code\":11}\n\
              {\"what\":\"SIGABRT\",\"module\":\"libfoo.so\",\"offset\":4660,\"unknown\":1}\n{\"symbol\":\"f\",\"sym",
        );
        let record = record.unwrap();
        assert_eq!(record.what.as_deref(), Some("SIGSEGV (segmentation fault)"));
        assert_eq!((record.code, record.offset, record.symbol), (Some(11), Some(4660), None));
    }

    #[test]
    fn a_file_that_says_nothing_is_no_record() {
        for text in [&b""[..], b"\n\n", b"{}", b"[]\n7\nx", b"\0\xff\n", b"{\"code\":\"eleven\"}"] {
            assert_eq!(merge(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_hostile_record_is_cut_and_holds_no_control_characters() {
        let text = format!("{{\"what\":\"a\\u001b[2J\\n{}\"}}", "é".repeat(5000));
        let record = merge(text.as_bytes()).unwrap();
        let what = record.what.unwrap();
        assert!(what.starts_with("a[2Jé") && what.len() <= MAX_TEXT);
    }

    #[test]
    fn a_file_that_is_too_large_is_read_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.part");
        let line = "{\"code\":11}\n";
        std::fs::write(&file, line.repeat(1 << 20)).unwrap();
        assert_eq!(read(&file).unwrap().unwrap().code, Some(11));
        assert_eq!(read(&folder.path().join("none.part")).unwrap(), None);
    }

    #[test]
    fn the_place_is_told_as_a_module_and_its_nearest_export() {
        let crash = crash(
            r#"{"what":"SIGSEGV (segmentation fault)","access":"read of 0x00000000","module":"libfoo.so","offset":4660,
                "symbol":"f","symbol_offset":20,"library":"foo","function":"g","call_id":"1"}"#
                .replace('\n', "")
                .as_str(),
        );
        assert_eq!(
            crash.place().unwrap(),
            "SIGSEGV (segmentation fault), read of 0x00000000, in libfoo.so+0x1234, in f+0x14"
        );
        assert_eq!(crash.running().unwrap(), "`g` of `foo` (call 1)");
    }

    #[test]
    fn what_was_written_about_an_earlier_call_of_the_library_is_not_about_this_one() {
        let (running, earlier) = (Uuid::now_v7(), Uuid::now_v7());
        let record = |id: Uuid| crash(&format!(r#"{{"library":"a","call_id":"{id}"}}"#));
        assert!(record(running).fits("a", running));
        assert!(!record(earlier).fits("a", running));
        assert!(record(earlier).fits("b", running), "libraries of a group end together");
        assert!(crash(r#"{"code":11}"#).fits("a", running), "a thread of the library's own");
        assert!(!crash(r#"{"call_id":"nonsense"}"#).fits("a", running));
    }
}
