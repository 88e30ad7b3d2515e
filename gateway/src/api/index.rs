//! `/`: where a person who opens the address in a browser finds out what runs here.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use crate::bridge::Bridge;

/// A list of the libraries.
pub async fn show(State(bridge): State<Arc<Bridge>>) -> Html<String> {
    let mut page = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><title>bridge32</title><h1>bridge32</h1>\
         <p>This gateway calls 32-bit libraries over REST. <a href=/docs>Its API</a> is described by \
         <a href=/openapi.json>openapi.json</a>.</p>\
         <ul>",
    );
    for library in bridge.libraries.all() {
        // Names of libraries are letters, digits and `_-.`: nothing to escape.
        let (name, state) = (&library.name, bridge.state(library).name());
        let _ = write!(page, "<li><a href=/v1/libraries/{name}/interface>{name}</a>: {state}</li>");
    }
    page.push_str("</ul></html>");
    Html(page)
}
