//! How the agents fare, as they are now: what they say of themselves, and what the gateway sees of them.

use std::collections::BTreeMap;

use bridge32_protocol::wire::Health;

use crate::agents::{State, View};
use crate::bridge::Bridge;
use crate::observe::metrics::families::{
    AGENT_ADDRESS_SPACE, AGENT_CRASHES, AGENT_GDI_OBJECTS, AGENT_GENERATION, AGENT_HANDLES, AGENT_LARGEST_FREE,
    AGENT_LIMIT, AGENT_PROBE, AGENT_RESIDENT, AGENT_RESTARTS, AGENT_SESSIONS, AGENT_STATE, AGENT_THREADS, AGENT_UPTIME,
    AGENT_USER_OBJECTS, Family,
};
use crate::observe::metrics::{Page, Value, level};

pub(super) fn write(bridge: &Bridge, page: &mut Page) {
    let views: Vec<View> = bridge.agents.all().iter().map(|agent| agent.view()).collect();
    let states = views.iter().flat_map(|view| {
        let labels =
            |state: State| vec![view.id.clone(), view.pool.clone(), view.runtime.to_string(), state.name().to_owned()];
        State::ALL.map(|state| (labels(state), Value::from(view.status.state == state)))
    });
    page.add(&AGENT_STATE, states);
    // A pool that has had no crash has had 0: who asks for increases needs a first number.
    let mut crashes: BTreeMap<String, u64> = views.iter().map(|view| (view.pool.clone(), 0)).collect();
    crashes.extend(bridge.observer.metrics.crashes());
    page.add(&AGENT_CRASHES, crashes.into_iter().map(|(pool, crashes)| (vec![pool], Value::Count(crashes))));
    each(page, &views, &AGENT_RESTARTS, |view| Some(Value::Count(view.restarts)));
    each(page, &views, &AGENT_GENERATION, |view| number(Some(view.generation)));
    each(page, &views, &AGENT_SESSIONS, |view| number(Some(view.sessions as u64)));
    each(page, &views, &AGENT_UPTIME, |view| {
        reported(view, |health| Some(health.uptime_ms)).map(|milliseconds| Value::Level(level(milliseconds) / 1e3))
    });
    for (family, of) in HEALTH {
        each(page, &views, family, |view| number(reported(view, *of)));
    }
    page.add(&AGENT_LIMIT, views.iter().flat_map(limits));
    page.add(&AGENT_PROBE, views.iter().flat_map(probes));
}

type Reported = fn(&Health) -> Option<u64>;

/// What a process says of itself, as far as its system tells it.
const HEALTH: &[(&Family, Reported)] = &[
    (&AGENT_RESIDENT, |health| health.resident_bytes),
    (&AGENT_ADDRESS_SPACE, |health| health.address_space_bytes),
    (&AGENT_LARGEST_FREE, |health| health.largest_free_bytes),
    (&AGENT_THREADS, |health| health.threads),
    (&AGENT_HANDLES, |health| health.handles),
    (&AGENT_GDI_OBJECTS, |health| health.gdi_objects),
    (&AGENT_USER_OBJECTS, |health| health.user_objects),
];

/// Nothing where no process runs: what an ended one said is no state of now.
fn reported(view: &View, of: Reported) -> Option<u64> {
    let is_there = matches!(view.status.state, State::Starting | State::Ready | State::Busy | State::Draining);
    view.health.reported.as_ref().filter(|_| is_there).and_then(of)
}

fn number(number: Option<u64>) -> Option<Value> {
    number.map(|number| Value::Level(level(number)))
}

fn labels(view: &View) -> Vec<String> {
    vec![view.id.clone(), view.pool.clone()]
}

/// Adds a metric that has a sample for each agent of which it is known.
fn each(page: &mut Page, views: &[View], family: &'static Family, value: impl Fn(&View) -> Option<Value>) {
    page.add(family, views.iter().filter_map(|view| Some((labels(view), value(view)?))));
}

fn limits(view: &View) -> impl Iterator<Item = (Vec<String>, Value)> {
    view.health.limits.iter().filter_map(|limit| {
        let used = level(limit.used?) / level(limit.max.max(1));
        Some(([labels(view), vec![limit.limit.to_owned()]].concat(), Value::Level(used)))
    })
}

fn probes(view: &View) -> impl Iterator<Item = (Vec<String>, Value)> {
    let probes = view.health.probes.iter();
    probes.map(|probed| ([labels(view), vec![probed.library.clone()]].concat(), probed.ok.into()))
}
