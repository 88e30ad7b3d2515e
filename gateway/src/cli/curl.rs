//! `bridge32 curl`: signs a request, sends it, and writes what comes back. The options are those of curl that are of use here.

use std::io::{ErrorKind, IsTerminal as _, Write};

use bytes::Bytes;
use clap::Args;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::call::problem;
use super::client::Answer;
use super::credentials::{Access, NO_KEY};
use super::request::{self, Place};
use super::{Failed, note};
use crate::json::Json;

/// Sign a request, send it, and print the answer
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 curl /v1/libraries
  bridge32 curl /v1/libraries/calc/functions/Add -d '{\"a\": 2, \"b\": 3}'
  bridge32 curl -X PUT /v1/libraries/calc/interface -H 'Content-Type: text/x-c' -d @calc.h
  bridge32 curl -f -o bridge32.json http://127.0.0.1:8032/openapi.json

The options have the meaning that they have for curl, with two differences: a body is sent as JSON unless -H says otherwise, and
a file byte for byte. An answer is written as it arrives.

The key is that of --key-file, else of BRIDGE32_KEY_ID and BRIDGE32_SECRET, else of the configuration. Without one the request is
sent as it is, which is enough where auth.mode is \"off\".

An answer of any status is an answer: the exit code is 0 unless -f says otherwise, then it is 1 from status 400 on.")]
#[expect(clippy::struct_excessive_bools, reason = "they are the options of a command line")]
pub(super) struct Curl {
    /// A path at the configuration's gateway, or the whole URL
    #[arg(value_name = "PATH|URL")]
    place: String,
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = request::method)]
    request: Option<Method>,
    /// A header (can be repeated)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = request::header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body, or with @ the file that has it (@- is standard input)
    #[arg(short, long, visible_alias = "data-binary", value_name = "DATA|@FILE", conflicts_with = "json")]
    data: Option<String>,
    /// The same, and ask for JSON
    #[arg(long, value_name = "DATA|@FILE")]
    json: Option<String>,
    /// Print status and headers of the answer, too
    #[arg(short, long)]
    include: bool,
    /// Write the answer into a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
    /// Say nothing of what goes wrong
    #[arg(short, long)]
    silent: bool,
    /// With --silent: say it nevertheless
    #[arg(short = 'S', long)]
    show_error: bool,
    /// Do not print an answer of status 400 and above: say what is wrong, and end with 1
    #[arg(short, long)]
    fail: bool,
    #[command(flatten)]
    access: Access,
}

impl Curl {
    pub(super) fn run(self) -> Result<(), Failed> {
        let quiet = self.silent && !self.show_error;
        self.exchange(quiet)
            .map_err(|failed| Failed { text: if quiet { String::new() } else { failed.text }, ..failed })
    }

    fn exchange(&self, quiet: bool) -> Result<(), Failed> {
        let config = self.access.configuration()?;
        let base = self.access.address(config.as_ref());
        let place = Place::parse(&self.place, Some(&base)).map_err(Failed::usage)?;
        let gateway = self.access.gateway_at(&place.origin(), config.as_ref())?;
        let body = self.body()?;
        let mut headers = request::headers(self.headers.clone(), body.is_some());
        if self.json.is_some() {
            headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        }
        let method = self.request.clone().unwrap_or(if body.is_some() { Method::POST } else { Method::GET });
        let answer = gateway.send(&method, &place.target, &headers, body.unwrap_or_default())?;
        let unsigned = answer.head.status == StatusCode::UNAUTHORIZED && !gateway.signs();
        let remedy = unsigned.then(|| format!("the request was not signed, for want of a key: {NO_KEY}"));
        if self.fail && answer.head.status.as_u16() >= 400 {
            return Err(failure(answer, remedy));
        }
        self.write(answer)?;
        if let Some(remedy) = remedy.filter(|_| !quiet) {
            note(format_args!("bridge32: {remedy}"));
        }
        Ok(())
    }

    fn body(&self) -> Result<Option<Bytes>, Failed> {
        let (option, given) = match (&self.data, &self.json) {
            (Some(data), _) => ("--data @FILE", data),
            (None, Some(json)) => ("--json @FILE", json),
            (None, None) => return Ok(None),
        };
        let body = match given.strip_prefix('@') {
            Some(file) => request::body_of(file, option)?,
            None => given.clone().into_bytes(),
        };
        Ok(Some(body.into()))
    }

    /// Writes the answer while it arrives.
    fn write(&self, mut answer: Answer) -> Result<(), Failed> {
        let file = self.output.as_deref().filter(|name| *name != "-");
        let name = file.unwrap_or("the answer");
        let failed = |error: std::io::Error| match error.kind() {
            // Whoever reads it has seen enough, as `head` has.
            ErrorKind::BrokenPipe => std::process::exit(0),
            _ => Failed::problem(format!("cannot write {name}: {error}")),
        };
        let mut to: Box<dyn Write> = match file {
            Some(file) => Box::new(std::fs::File::create(file).map_err(failed)?),
            None => Box::new(std::io::stdout().lock()),
        };
        if self.include {
            to.write_all(&head(&answer)).map_err(failed)?;
        }
        let mut last = b'\n';
        while let Some(bytes) = answer.chunk()? {
            last = bytes.last().copied().unwrap_or(last);
            to.write_all(&bytes).and_then(|()| to.flush()).map_err(failed)?;
        }
        if file.is_none() && last != b'\n' && std::io::stdout().is_terminal() {
            to.write_all(b"\n").map_err(failed)?;
        }
        to.flush().map_err(failed)
    }
}

/// Status line and headers as they came.
fn head(answer: &Answer) -> Vec<u8> {
    let mut text = format!("{:?} {}\r\n", answer.head.version, answer.head.status).into_bytes();
    for (name, value) in &answer.head.headers {
        text.extend_from_slice(format!("{name}: ").as_bytes());
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// What an answer that is a failure says.
fn failure(answer: Answer, remedy: Option<String>) -> Failed {
    let is_problem = answer.head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let (status, body) = match answer.whole() {
        Ok(whole) => whole,
        Err(failed) => return failed,
    };
    let problem = std::str::from_utf8(&body).ok().filter(|_| is_problem).and_then(|text| Json::parse(text).ok());
    let text =
        problem.map_or_else(|| format!("the answer is {status}"), |json| problem::text(status.as_u16(), &json, None));
    Failed::problem(remedy.map_or_else(|| text.clone(), |remedy| format!("{text}\n  {remedy}")))
}
