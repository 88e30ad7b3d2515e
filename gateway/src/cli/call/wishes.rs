//! How a call is to be made: without waiting for it, within some time, or so that it can be repeated.

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cli::Failed;
use crate::cli::request::json_headers;

/// The options that become headers of the request.
#[derive(Debug, Args)]
pub(super) struct Wishes {
    /// Do not wait for the outcome: print the call's id (with --wait, only if it has not ended by then)
    #[arg(long = "async")]
    respond_async: bool,
    /// How long the call may take, with its time in the queue, instead of its deadline
    #[arg(long, value_name = "SECONDS")]
    wait: Option<String>,
    /// A key of your own for this call: sent again with the same arguments, it gets the same answer and is not made twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

impl Wishes {
    /// The headers of the request.
    ///
    /// # Errors
    /// Something cannot stand in a header.
    pub(super) fn headers(&self) -> Result<HeaderMap, Failed> {
        let wait = self.wait.as_ref().map(|seconds| format!("wait={}", seconds.strip_suffix('s').unwrap_or(seconds)));
        let preferences: Vec<String> =
            self.respond_async.then(|| "respond-async".to_owned()).into_iter().chain(wait).collect();
        let mut headers = json_headers();
        if !preferences.is_empty() {
            headers.insert(HeaderName::from_static("prefer"), value("--wait", &preferences.join(", "))?);
        }
        if let Some(key) = &self.idempotency_key {
            headers.insert(HeaderName::from_static("idempotency-key"), value("--idempotency-key", key)?);
        }
        Ok(headers)
    }
}

fn value(option: &str, text: &str) -> Result<HeaderValue, Failed> {
    HeaderValue::from_str(text).map_err(|_| Failed::usage(format!("{option}: `{text}` cannot stand in a header")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(respond_async: bool, wait: Option<&str>, key: Option<&str>) -> Vec<String> {
        let [wait, idempotency_key] = [wait, key].map(|text| text.map(str::to_owned));
        let headers = Wishes { respond_async, wait, idempotency_key }.headers().unwrap();
        headers.iter().skip(1).map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn options_become_the_headers_that_mean_them() {
        assert!(headers(false, None, None).is_empty());
        assert_eq!(headers(true, None, None), ["prefer: respond-async"]);
        assert_eq!(headers(true, Some("2.5s"), None), ["prefer: respond-async, wait=2.5"]);
        assert_eq!(headers(false, Some("3"), Some("k")), ["prefer: wait=3", "idempotency-key: k"]);
        let wrong = Wishes { respond_async: false, wait: None, idempotency_key: Some("a\nb".into()) };
        assert_eq!(wrong.headers().unwrap_err().code, 2);
    }
}
