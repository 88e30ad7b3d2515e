//! `bridge32 calls`: the calls that wait or run, and those that have ended.

mod wanted;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Method, StatusCode};

use super::call::{answer, problem};
use super::credentials::Access;
use super::request::escape;
use super::{Failed, note, print};
use crate::json::Json;

use wanted::Wanted;

/// List calls that wait, run or have ended; show one, wait for it, or cancel it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 calls                                     (what waits, runs, or has ended, the newest first)
  bridge32 calls --library calc --outcome failed --since 15m
  id=$(bridge32 call calc Slow n=5 --async)
  bridge32 calls $id --wait 60                       (its outcome, when it is there)
  bridge32 calls $id --cancel

A call's outcome is kept for its client if it was made with --async or --idempotency-key: docs/calls.md. Of every call that has ended there
is what the history has: docs/history.md.")]
pub(super) struct Calls {
    /// The call's id; without one, the newest calls are listed
    id: Option<String>,
    /// Wait for the outcome, up to 60 seconds
    #[arg(long, value_name = "SECONDS", requires = "id")]
    wait: Option<String>,
    /// End the call: one that waits does not run, of one that runs the process is ended
    #[arg(long, requires = "id", conflicts_with = "wait")]
    cancel: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    access: Access,
}

impl Calls {
    pub(super) fn run(self) -> Result<(), Failed> {
        let Some(id) = &self.id else {
            return self.list();
        };
        let path = format!("/v1/calls/{}", escape(id));
        if self.cancel {
            return self.cancelled(id, &path);
        }
        let wait = self.wait.as_ref().map_or_else(String::new, |wait| format!("?wait={}", escape(wait)));
        let (_, call) = self.ask(&Method::GET, &format!("{path}{wait}"))?;
        self.show(id, &call.unwrap_or_else(Json::null))
    }

    /// Asks the gateway; a refusal is the command's failure.
    fn ask(&self, method: &Method, target: &str) -> Result<(StatusCode, Option<Json>), Failed> {
        let config = self.access.configuration()?;
        let gateway = self.access.gateway(config.as_ref())?;
        let (status, body) = gateway.send(method, target, &HeaderMap::new(), Bytes::new())?.whole()?;
        if status == StatusCode::NO_CONTENT {
            return Ok((status, None));
        }
        let read = std::str::from_utf8(&body).ok().and_then(|text| Json::parse(text).ok());
        let other = || Failed::problem(format!("the answer ({status}) is not JSON: is that a bridge32 gateway?"));
        let document = read.ok_or_else(other)?;
        if !status.is_success() {
            return Err(Failed::problem(problem::text(status.as_u16(), &document, None)));
        }
        Ok((status, Some(document)))
    }

    /// Lists what is wanted. Pages may be short, because it takes long to find more: then it goes on.
    fn list(&self) -> Result<(), Failed> {
        let (mut found, mut cursor) = (0, None);
        loop {
            let target = self.wanted.target(self.wanted.limit() - found, cursor.as_deref());
            let list = self.ask(&Method::GET, &target)?.1.unwrap_or_else(Json::null);
            if self.json {
                print(list.pretty());
            }
            let calls = match list.get("calls") {
                Some(Json::List(calls)) => calls.as_slice(),
                _ => &[],
            };
            if !self.json {
                calls.iter().map(line).for_each(print);
            }
            if let Some(why) = list.get("without_history").and_then(Json::as_text) {
                note(format_args!("without the history: {why}"));
            }
            found += calls.len();
            cursor = list.get("next_cursor").and_then(Json::as_text);
            if cursor.is_none() || found >= self.wanted.limit() || self.json {
                break;
            }
        }
        if !self.json {
            let more = if cursor.is_some() { "; there are older ones (--limit)" } else { "" };
            note(format_args!("{}{more}", super::words::count(found, "call")));
        }
        Ok(())
    }

    fn show(&self, id: &str, call: &Json) -> Result<(), Failed> {
        if self.json {
            print(call.pretty());
        }
        let part = |name: &str| call.get(name).and_then(Json::as_text).unwrap_or_default();
        let Some(outcome) = call.get("outcome") else {
            note(format_args!("the call {id} is {}; --wait SECONDS waits for it", part("state")));
            return Ok(());
        };
        let status = call.get("status").and_then(|status| status.compact().parse().ok()).unwrap_or_default();
        if call.get("code").is_some() || outcome.get("code").is_some() {
            return Err(Failed::problem(problem::text(status, outcome, None)));
        }
        if !self.json && outcome.get("outcomes").is_some() {
            print(outcome.pretty());
        } else if !self.json {
            answer::lines(outcome, None, &[]).iter().for_each(print);
            answer::notes(outcome).iter().for_each(note);
        }
        Ok(())
    }

    fn cancelled(&self, id: &str, path: &str) -> Result<(), Failed> {
        let (status, _) = self.ask(&Method::DELETE, path)?;
        note(match status {
            StatusCode::NO_CONTENT => format!("the call {id} has ended: bridge32 calls {id} says how"),
            _ => format!("the process of call {id} is being ended"),
        });
        Ok(())
    }
}

/// A call on one line: what a list has of it.
fn line(call: &Json) -> String {
    let part = |name: &str| call.get(name).and_then(Json::as_text).unwrap_or_default();
    let what = match part("function") {
        function if function.is_empty() => part("library"),
        function => format!("{}.{function}", part("library")),
    };
    let state = match (part("state").as_str(), part("code")) {
        ("ended", code) if code.is_empty() => "returned".to_owned(),
        ("ended", code) => code,
        (state, _) => state.to_owned(),
    };
    format!("{}  {}  {state:18}  {what}", part("call_id"), part("created_at"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_call_it_is_and_how_far() {
        let shown = |text: &str| line(&Json::parse(text).unwrap());
        let call = r#"{"call_id":"019c","library":"calc","function":"Add","state":"running","created_at":"2026"}"#;
        assert_eq!(shown(call), "019c  2026  running             calc.Add");
        assert!(
            shown(r#"{"library":"calc","function":null,"state":"ended","code":"cancelled"}"#)
                .ends_with("cancelled           calc")
        );
        assert!(shown(r#"{"library":"calc","state":"ended"}"#).contains("returned"));
    }
}
