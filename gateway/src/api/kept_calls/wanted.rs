//! Which calls a query asks for: what lists and exports have in common.

use jiff::Timestamp;

use crate::api::parameters::{Parameters, wrong};
use crate::config::nearest;
use crate::dispatch::Execution;
use crate::error::{Code, Problem};
use crate::history::{Filter, Wanted};

/// The parameters by which calls are chosen.
pub(crate) const FILTERS: [&str; 14] = [
    "library",
    "function",
    "outcome",
    "key",
    "owner",
    "agent",
    "session",
    "batch",
    "trace_id",
    "since",
    "until",
    "min_duration",
    "max_duration",
    "text",
];

/// What these parameters choose.
///
/// # Errors
/// One of them cannot be read.
pub(in crate::api) fn filter(parameters: &mut Parameters) -> Result<Filter, Problem> {
    let now = Timestamp::now();
    let filter = Filter {
        library: parameters.text("library"),
        function: parameters.text("function"),
        outcome: parameters.text("outcome").map(|text| outcome(&text)).transpose()?,
        key: parameters.text("key"),
        owner: parameters.text("owner"),
        agent: parameters.text("agent"),
        session: parameters.id("session")?,
        batch: parameters.id("batch")?,
        trace_id: parameters.read("trace_id", "the 32 hexadecimal digits of a W3C trace id", trace_id)?,
        since: parameters.time("since", now)?,
        until: parameters.time("until", now)?,
        min_duration: parameters.duration("min_duration")?,
        max_duration: parameters.duration("max_duration")?,
        text: parameters.text("text"),
    };
    let contrary = |one: &str, other: &str| {
        Problem::new(Code::MalformedRequest, format!("`{one}` is after `{other}`: there can be no such calls."))
    };
    if filter.since.zip(filter.until).is_some_and(|(since, until)| since > until) {
        return Err(contrary("since", "until"));
    }
    if filter.min_duration.zip(filter.max_duration).is_some_and(|(least, most)| least > most) {
        let detail = "`min_duration` is longer than `max_duration`: there can be no such calls.";
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    Ok(filter)
}

fn trace_id(text: &str) -> Option<[u8; 16]> {
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| is_hex).map(u128::to_be_bytes)
}

fn outcome(text: &str) -> Result<Wanted, Problem> {
    match text {
        "returned" => return Ok(Wanted::Returned),
        "failed" => return Ok(Wanted::Failed),
        "not_run" => return Ok(Wanted::Execution(Execution::NotRun)),
        "may_have_run" => return Ok(Wanted::Execution(Execution::MayHaveRun)),
        "ran" => return Ok(Wanted::Execution(Execution::Ran)),
        _ => {}
    }
    if Code::ALL.iter().any(|code| code.name() == text) {
        return Ok(Wanted::Code(text.to_owned()));
    }
    let words = ["returned", "failed", "not_run", "may_have_run", "ran"];
    let near = nearest(text, words.into_iter().chain(Code::ALL.iter().map(|code| code.name())));
    let near = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    let shape = format!("`returned`, `failed`, `not_run`, `may_have_run`, `ran`, or the code of a problem{near}");
    Err(wrong("outcome", text, &shape))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(query: &str) -> Result<Filter, String> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut parameters = Parameters::of(pairs, &FILTERS).map_err(|problem| problem.detail().to_owned())?;
        filter(&mut parameters).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn each_parameter_is_a_condition() {
        assert_eq!(read(""), Ok(Filter::default()));
        let trace = "trace_id=0AF7651916cd43dd8448eb211c80319c";
        let found = read(&format!("library=calc&function=Add&min_duration=5ms&text=%22a%22:1&{trace}")).unwrap();
        assert_eq!((found.library.as_deref(), found.text.as_deref()), (Some("calc"), Some("\"a\":1")));
        assert_eq!(found.min_duration, Some(Duration::from_millis(5)));
        assert_eq!(found.trace_id.map(|id| (id[0], id[15])), Some((0x0a, 0x9c)));
        for (text, wanted) in [
            ("returned", Wanted::Returned),
            ("failed", Wanted::Failed),
            ("agent_crashed", Wanted::Code("agent_crashed".into())),
            ("ran", Wanted::Execution(Execution::Ran)),
        ] {
            assert_eq!(read(&format!("outcome={text}")).unwrap().outcome, Some(wanted));
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_name() {
        for (query, words) in [
            ("outcome=agent_crash", "did you mean `agent_crashed`"),
            ("outcome=", "`outcome=`"),
            ("trace_id=+af7651916cd43dd8448eb211c80319c", "`trace_id="),
            ("trace_id=12", "32 hexadecimal"),
            ("session=x", "UUID"),
            ("since=soon", "15m"),
            ("since=1h&until=2h", "`since` is after `until`"),
            ("min_duration=2s&max_duration=1s", "`min_duration`"),
            ("cursor=x", "no parameter `cursor`"),
        ] {
            let error = read(query).unwrap_err();
            assert!(error.contains(words), "{query}: {error}");
        }
    }
}
