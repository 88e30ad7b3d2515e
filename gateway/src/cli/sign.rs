//! `bridge32 sign`: prints what signs a request, for programs that send it themselves.

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::call::example::quoted;
use super::credentials::Access;
use super::request::{self, Place};
use super::{Failed, note, print};

/// Print the headers that sign a request, or the whole curl line
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bridge32 sign GET http://127.0.0.1:8032/v1/libraries
  bridge32 sign POST /v1/libraries/calc/functions/Add --data '{\"a\": 2, \"b\": 3}' --curl
  bridge32 sign PUT /v1/libraries/calc/interface --body calc.h -H 'Content-Type: text/x-c' --curl
  bridge32 sign POST /v1/libraries/calc/functions/Add --body call.json > headers
  curl -H @headers -H 'Content-Type: application/json' --data-binary @call.json http://…

What is printed is good once, within five minutes, for exactly this method, address and body. The curl line is for sh; it sends
a body as JSON unless -H says otherwise. `bridge32 curl` signs and sends in one go.

The key is that of --key-file, else of BRIDGE32_KEY_ID and BRIDGE32_SECRET, else of the configuration.")]
pub(super) struct Sign {
    /// GET, POST, PUT, DELETE
    #[arg(value_parser = request::method)]
    method: Method,
    /// The whole URL, or a path at the configuration's gateway
    #[arg(value_name = "PATH|URL")]
    place: String,
    /// The body is in a file (- is standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    body: Option<String>,
    /// The body itself
    #[arg(long, value_name = "TEXT")]
    data: Option<String>,
    /// A header that is sent, for --curl (can be repeated); Host is signed as the authority
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = request::header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Print a curl line for sh
    #[arg(long, conflicts_with = "json")]
    curl: bool,
    /// Print method, URL and headers as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Sign {
    pub(super) fn run(self) -> Result<(), Failed> {
        let config = self.access.configuration()?;
        let base = self.access.address(config.as_ref());
        let place = Place::parse(&self.place, Some(&base)).map_err(Failed::usage)?;
        let key = self.access.needed_key(config.as_ref())?;
        let body = match (&self.body, &self.data) {
            (Some(file), _) => request::body_of(file, "--body")?,
            (None, data) => data.clone().unwrap_or_default().into_bytes(),
        };
        let headers = request::headers(self.headers.clone(), !body.is_empty());
        let signature = request::signature(&key, &self.method, &place, &headers, &body)?;
        if self.json {
            let headers: serde_json::Map<_, _> =
                signature.iter().map(|(name, value)| (name.to_string(), text(value).into())).collect();
            let shown = serde_json::json!({
                "method": self.method.as_str(), "url": place.to_url(), "key": key.id(), "headers": headers
            });
            print(serde_json::to_string_pretty(&shown).map_err(Failed::problem)?);
        } else if self.curl {
            print(self.curl_line(&place, &headers, &signature, !body.is_empty()));
            if self.body.as_deref() == Some("-") {
                note("the line reads the body from its standard input: give it the same bytes");
            }
        } else {
            signature.iter().for_each(|(name, value)| print(format_args!("{name}: {}", text(value))));
        }
        Ok(())
    }

    /// The request as a command for sh.
    fn curl_line(&self, place: &Place, headers: &HeaderMap, signature: &HeaderMap, has_body: bool) -> String {
        let mut words = vec!["curl".to_owned(), "-sS".to_owned()];
        match (&self.method, has_body) {
            (&Method::GET, false) => {}
            // With -X HEAD curl would wait for a body.
            (&Method::HEAD, _) => words.push("-I".to_owned()),
            (method, _) => words.extend(["-X".to_owned(), method.to_string()]),
        }
        if place.target.contains("/.") {
            // What looks like a step up would be taken before it is sent, but after it is signed.
            words.push("--path-as-is".to_owned());
        }
        if let Some(file) = self.access.trusted().filter(|_| place.scheme == "https") {
            words.extend(["--cacert".to_owned(), quoted(&file.display().to_string())]);
        }
        words.push(quoted(&place.to_url()));
        for (name, value) in headers.iter().chain(signature) {
            words.extend(["-H".to_owned(), quoted(&format!("{name}: {}", text(value)))]);
        }
        match (&self.body, &self.data) {
            _ if !has_body => {}
            (Some(file), _) => words.extend(["--data-binary".to_owned(), quoted(&format!("@{file}"))]),
            // Of the ways to give a text this is the one that does not take a leading @ for the name of a file.
            (None, data) => words.extend(["--data-raw".to_owned(), quoted(data.as_deref().unwrap_or_default())]),
        }
        words.join(" ")
    }
}

/// The text of a header that was made of text.
fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
