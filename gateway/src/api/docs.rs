//! `/docs`: the OpenAPI document for people. Swagger UI is part of the program, so that it works without a network.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use utoipa_swagger_ui::Config;

use super::Path;
use crate::error::{Code, Problem};

const PAGE: &str = include_str!("../../static/docs.html");
const START: &str = include_str!("../../static/docs.js");

/// What the page may load and do: only what comes from here, and nothing that stands in the page itself. Icons in the
/// style sheet are `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The files of Swagger UI that the page uses.
const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// The page.
pub async fn show() -> Response {
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, PAGE).into_response()
}

/// A file that the page uses.
///
/// # Errors
/// It uses no file of that name.
pub async fn file(Path(name): Path<String>) -> Result<Response, Problem> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    if name == "start.js" {
        return Ok(([(CONTENT_TYPE, SCRIPT)], START).into_response());
    }
    let known = FILES.contains(&name.as_str());
    let file = if known { utoipa_swagger_ui::serve(&name, Arc::new(Config::from("/openapi.json"))) } else { Ok(None) };
    let file = file.map_err(Problem::internal)?.ok_or_else(|| {
        Problem::new(Code::NotFound, format!("There is no file `{name}` of the documentation. /docs is the page."))
    })?;
    // A file of a version of the program; a new version is noticed within the hour.
    let headers = [(CONTENT_TYPE, file.content_type.as_str()), (CACHE_CONTROL, "private, max-age=3600")];
    Ok((headers, file.bytes.into_owned()).into_response())
}
