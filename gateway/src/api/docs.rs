//! `/docs`: the OpenAPI document for people. Swagger UI is part of the program, so that it works without a network.

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use utoipa_swagger_ui::Config;

use super::Path;
use crate::dashboard::{Frame, Visit, filters};
use crate::error::{Code, Problem};

const START: &str = include_str!("../../static/docs.js");

/// The files of Swagger UI that the page uses.
const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

#[derive(Template)]
#[template(path = "docs.html")]
struct Page {
    frame: Frame,
}

/// The page.
///
/// # Errors
/// It cannot be made.
pub async fn show(visit: Visit) -> Result<Response, Problem> {
    visit.page(StatusCode::OK, &Page { frame: visit.frame(visit.say("API docs"), "/docs") })
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
