//! `/static/{file}`: what pages load. Anybody may have it: the page of the sign-in needs it, and it tells nothing.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bridge32_signature::content_digest;

use crate::api::Path;
use crate::error::{Code, Problem};
use crate::openapi::cache::matches;

/// Name, media type and content of each.
const FILES: &[(&str, &str, &str)] = &[
    ("agents.css", STYLE, include_str!("../../static/agents.css")),
    ("app.js", SCRIPT, include_str!("../../static/app.js")),
    ("base.css", STYLE, include_str!("../../static/base.css")),
    ("calls.css", STYLE, include_str!("../../static/calls.css")),
    ("copy.js", SCRIPT, include_str!("../../static/copy.js")),
    ("docs.css", STYLE, include_str!("../../static/docs.css")),
    ("forms.js", SCRIPT, include_str!("../../static/forms.js")),
    ("function.css", STYLE, include_str!("../../static/function.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../static/icon.svg")),
    ("keys.css", STYLE, include_str!("../../static/keys.css")),
    ("libraries.css", STYLE, include_str!("../../static/libraries.css")),
    ("live.js", SCRIPT, include_str!("../../static/live.js")),
    ("page.js", SCRIPT, include_str!("../../static/page.js")),
    ("parts.css", STYLE, include_str!("../../static/parts.css")),
    ("search.js", SCRIPT, include_str!("../../static/search.js")),
    ("time.js", SCRIPT, include_str!("../../static/time.js")),
];

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file.
///
/// # Errors
/// There is none of that name.
pub async fn show(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some((_, kind, text)) = FILES.iter().copied().find(|(known, ..)| *known == name) else {
        return Err(Problem::new(Code::NotFound, format!("The pages use no file `{name}`.")));
    };
    let etag = format!("\"{}\"", content_digest(text.as_bytes()).trim_start_matches("sha-256=").trim_matches(':'));
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_known = known.into_iter().any(|header| matches(header, &etag));
    // A new version of the program is noticed at once.
    let head = [(ETAG, etag.as_str()), (CACHE_CONTROL, "no-cache")];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    Ok((head, [(CONTENT_TYPE, kind)], text).into_response())
}
