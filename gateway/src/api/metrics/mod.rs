//! `/metrics`: how the gateway, its libraries and its agents fare, as Prometheus reads it.
//!
//! All but what is counted (`observe/metrics`) is read from the gateway when it is asked for: what is gone has no series left.

mod agents;
mod libraries;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, VARY};
use axum::response::{IntoResponse, Response};

use super::accepts;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::history::{Condition, Counts};
use crate::observe::metrics::families::{
    HISTORY_FAILURES, HISTORY_FORGOTTEN, HISTORY_MISSED, HISTORY_UP, HISTORY_WAITING, HISTORY_WRITTEN, KEPT_CALLS,
};
use crate::observe::metrics::{Format, Page, Value, level};

/// The metrics, in the format that the client wants.
///
/// # Errors
/// None that a client can do anything about.
pub async fn show(State(bridge): State<Arc<Bridge>>, headers: HeaderMap) -> Result<Response, Problem> {
    let format = format(&headers);
    let text = page(&bridge).text(format).map_err(Problem::internal)?;
    let headers = [(CONTENT_TYPE, format.media_type()), (CACHE_CONTROL, "no-store"), (VARY, ACCEPT.as_str())];
    Ok((headers, text).into_response())
}

/// OpenMetrics where it is named, as Prometheus does; else the older format, which everybody reads.
fn format(headers: &HeaderMap) -> Format {
    if accepts(headers, "application/openmetrics-text") { Format::OpenMetrics } else { Format::Prometheus }
}

fn page(bridge: &Bridge) -> Page {
    let mut page = Page::default();
    bridge.observer.metrics.write(&mut page);
    libraries::write(bridge, &mut page);
    agents::write(bridge, &mut page);
    history(bridge, &mut page);
    bridge.observer.events.write(&mut page);
    page
}

fn history(bridge: &Bridge, page: &mut Page) {
    let history = &bridge.observer.history;
    let Counts { written, waiting, missed, failures, forgotten } = history.counts();
    let condition = history.condition();
    let is_there = condition != Condition::Off;
    let mut tell = |family, value: Value| page.add(family, is_there.then(|| (Vec::new(), value)));
    tell(&HISTORY_UP, (condition == Condition::Good).into());
    tell(&HISTORY_WAITING, Value::Level(level(waiting)));
    tell(&HISTORY_WRITTEN, Value::Count(written));
    tell(&HISTORY_MISSED, Value::Count(missed));
    tell(&HISTORY_FORGOTTEN, Value::Count(forgotten));
    tell(&HISTORY_FAILURES, Value::Count(failures));
    page.add_one(&KEPT_CALLS, Value::Level(level(bridge.kept.under_way().len() as u64)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_who_names_it() {
        let of = |accept: &str| format(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert_eq!(format(&HeaderMap::new()), Format::Prometheus);
        for old in ["*/*", "text/plain", "text/html,*/*;q=0.8"] {
            assert_eq!(of(old), Format::Prometheus, "{old}");
        }
        // As Prometheus 2.42 asks.
        let scrape = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(of(scrape), Format::OpenMetrics);
    }
}
