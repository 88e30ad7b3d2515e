//! `bridge32 session`: sessions with a library, for scripts.

use bytes::Bytes;
use clap::{Args, Subcommand};
use clap_complete::ArgValueCompleter;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::call::problem;
use super::completions;
use super::credentials::Access;
use super::request::{escape, json_headers};
use super::{Failed, note, print, words};
use crate::json::Json;

/// Begin, list and end sessions: their calls run on one thread of one process
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  id=$(bridge32 session new sqlite)
  bridge32 call sqlite sqlite3_open filename=:memory: --session $id
  bridge32 session list
  bridge32 session end $id                        (also closes what was left open)

docs/sessions.md has what there is to know.")]
pub(super) struct Session {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(New),
    List(List),
    End(End),
}

/// Begin a session with a library, and print its id
#[derive(Debug, Args)]
struct New {
    /// The library's name
    #[arg(add = ArgValueCompleter::new(completions::libraries))]
    library: String,
    /// How long it lasts after its last call [default: as the library's table says]
    #[arg(long, value_name = "SECONDS")]
    lease: Option<f64>,
    #[command(flatten)]
    how: How,
}

/// Show the sessions that have not ended
#[derive(Debug, Args)]
struct List {
    /// Those with this library alone
    #[arg(add = ArgValueCompleter::new(completions::libraries))]
    library: Option<String>,
    #[command(flatten)]
    how: How,
}

/// End a session, and say what became of what it owned
#[derive(Debug, Args)]
struct End {
    /// Its id, or its public id
    id: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Session {
    pub(super) fn run(self) -> Result<(), Failed> {
        match self.command {
            Command::New(command) => command.run(),
            Command::List(command) => command.run(),
            Command::End(command) => command.run(),
        }
    }
}

impl New {
    fn run(self) -> Result<(), Failed> {
        let body = serde_json::json!({"library": self.library, "lease_s": self.lease});
        let begun = self.how.ask(&Method::POST, "/v1/sessions", &json_headers(), body.to_string().into())?;
        self.how.print(&begun, || print(part(&begun, "id")));
        Ok(())
    }
}

impl List {
    fn run(self) -> Result<(), Failed> {
        let library = self.library.as_deref().map_or_else(String::new, |name| format!("&library={}", escape(name)));
        let target = format!("/v1/sessions?limit=1000{library}");
        let list = self.how.ask(&Method::GET, &target, &HeaderMap::new(), Bytes::new())?;
        let sessions = match list.get("sessions") {
            Some(Json::List(sessions)) => sessions.as_slice(),
            _ => &[],
        };
        self.how.print(&list, || sessions.iter().map(line).for_each(print));
        let more = if list.get("next_cursor").is_some() { "; there are more (--json has `next_cursor`)" } else { "" };
        note(format_args!("{}{more}", words::count(sessions.len(), "session")));
        Ok(())
    }
}

impl End {
    fn run(self) -> Result<(), Failed> {
        let target = format!("/v1/sessions/{}", escape(&self.id));
        let end = self.how.ask(&Method::DELETE, &target, &HeaderMap::new(), Bytes::new())?;
        self.how.print(&end, || note(released(&end)));
        Ok(())
    }
}

impl How {
    /// Asks the gateway; a refusal is the command's failure.
    fn ask(&self, method: &Method, target: &str, headers: &HeaderMap, body: Bytes) -> Result<Json, Failed> {
        let config = self.access.configuration()?;
        let gateway = self.access.gateway(config.as_ref())?;
        let (status, body) = gateway.send(method, target, headers, body)?.whole()?;
        let read = std::str::from_utf8(&body).ok().and_then(|text| Json::parse(text).ok());
        let other = || Failed::problem(format!("the answer ({status}) is not JSON: is that a bridge32 gateway?"));
        let document = read.ok_or_else(other)?;
        if status.is_success() {
            Ok(document)
        } else {
            Err(Failed::problem(problem::text(status.as_u16(), &document, None)))
        }
    }

    fn print(&self, document: &Json, otherwise: impl FnOnce()) {
        if self.json { print(document.pretty()) } else { otherwise() }
    }
}

/// Lets a call run in a session.
///
/// # Errors
/// The id cannot be one.
pub(super) fn carry(headers: &mut HeaderMap, session: Option<&str>) -> Result<(), Failed> {
    if let Some(id) = session {
        let wrong = |_| Failed::usage(format!("--session: `{id}` cannot stand in a header"));
        headers.insert(HeaderName::from_static("bridge-session"), HeaderValue::from_str(id).map_err(wrong)?);
    }
    Ok(())
}

fn part(document: &Json, name: &str) -> String {
    document.get(name).and_then(Json::as_text).unwrap_or_default()
}

/// A session on one line.
fn line(session: &Json) -> String {
    let expires = match part(session, "expires_at") {
        expires if expires.is_empty() => "a call runs".to_owned(),
        expires => format!("until {expires}"),
    };
    let [id, library, owner] = ["public_id", "library", "owner"].map(|name| part(session, name));
    format!("{id}  {library:16}  {owner:12}  {expires}")
}

/// What became of what a session owned.
fn released(end: &Json) -> String {
    let number = |name: &str| end.get(name).map_or_else(|| "0".to_owned(), Json::compact);
    let mut lines = vec![match number("left").as_str() {
        "0" => format!("ended; released: {}", number("released")),
        left => format!("ended; released: {}; left, because nothing releases them: {left}", number("released")),
    }];
    if let Some(Json::List(failed)) = end.get("failed") {
        let line = |failed: &Json| format!("  {} was not released: {}", part(failed, "kind"), part(failed, "why"));
        lines.extend(failed.iter().map(line));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_carries_its_session() {
        let carried = |session| {
            let mut headers = HeaderMap::new();
            carry(&mut headers, session).map(|()| headers)
        };
        assert!(carried(None).unwrap().is_empty());
        assert_eq!(carried(Some("abc")).unwrap()["bridge-session"], "abc");
        assert_eq!(carried(Some("a\nb")).unwrap_err().code, 2);
    }

    #[test]
    fn sessions_and_their_ends_are_told_in_words() {
        let shown = line(&Json::parse(r#"{"public_id":"019c","library":"z","owner":"ci","expires_at":null}"#).unwrap());
        assert!(shown.starts_with("019c  z ") && shown.ends_with("  a call runs"), "{shown}");
        let end = r#"{"released":2,"failed":[{"kind":"FILE","why":"it returned 5"}],"left":1}"#;
        let text = released(&Json::parse(end).unwrap());
        let told = "ended; released: 2; left, because nothing releases them: 1\n  FILE was not released: it returned 5";
        assert_eq!(text, told);
        assert_eq!(released(&Json::parse(r#"{"released":0,"failed":[],"left":0}"#).unwrap()), "ended; released: 0");
    }
}
