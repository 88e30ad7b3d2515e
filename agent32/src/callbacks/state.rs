//! What one callback does when it is called, and what is known of its invocations.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use bridge32_protocol::interface::Signature;
use bridge32_protocol::wire::CallbackView;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;
use uuid::Uuid;

use super::description::{Answer, Plan};
use super::keys::Key;
use super::lock;
use crate::handles::Handles;
use crate::marshal::text::Codec;
use crate::marshal::{Environment, Home, alone, read};

/// The most bytes of invocations that are kept: for the outcome of the call, and for whoever reads the events.
const MAX_EVENT_BYTES: usize = 16 << 20;

/// One callback in one client's use.
#[derive(Debug)]
pub struct State {
    signature: Signature,
    slots: Vec<std::ops::Range<usize>>,
    plan: Plan,
    home: Arc<Home>,
    handles: Arc<Handles>,
    codec: Codec,
    function: String,
    parameter: String,
    /// The session of the call that it was passed to, whose handles the library passes to it.
    pub(super) session: Option<Uuid>,
    /// The id of one that outlives its call.
    id: Option<String>,
    progress: Mutex<Progress>,
    /// The number of the last event, and that there will be no more.
    news: watch::Sender<(u64, bool)>,
}

#[derive(Debug, Default)]
struct Progress {
    count: u64,
    /// The call that it was passed to is over.
    call_over: bool,
    /// What is told with the outcome of the call.
    recorded: Vec<Bytes>,
    recorded_bytes: usize,
    unrecorded: u64,
    /// What is streamed, numbered in the order in which it was noted.
    noted: u64,
    events: VecDeque<(u64, Bytes)>,
    event_bytes: usize,
    /// The last one that somebody has read.
    read: u64,
    dropped: u64,
}

impl State {
    pub(super) fn new(
        (signature, slots): (Signature, Vec<std::ops::Range<usize>>),
        plan: Plan,
        environment: &Environment<'_>,
        handles: Arc<Handles>,
        parameter: &str,
        id: Option<String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            signature,
            slots,
            plan,
            home: Arc::clone(environment.home),
            handles,
            codec: environment.codec,
            function: environment.function.to_owned(),
            parameter: parameter.to_owned(),
            session: environment.session,
            id,
            progress: Mutex::default(),
            news: watch::Sender::new((0, false)),
        })
    }

    /// The library has called: decides the answer, writes it to `result`, and records the invocation.
    pub(super) fn invoked(&self, arguments: &[u8], result: &mut [u8]) {
        let number = {
            let mut progress = lock(&self.progress);
            progress.count += 1;
            progress.count
        };
        // A constant answer that nobody records needs no look at them.
        let args = if self.wants_arguments() { self.arguments(arguments) } else { String::new() };
        let answer = self.answer(number, &args);
        let size = result.len().min(answer.bytes.len());
        result[..size].copy_from_slice(&answer.bytes[..size]);
        self.note(&args, &answer.json);
    }

    fn wants_arguments(&self) -> bool {
        let Plan { record, stream, table, compare, .. } = &self.plan;
        *record || *stream || !table.is_empty() || compare.is_some()
    }

    /// The arguments as a JSON object; what cannot be told is told as that.
    fn arguments(&self, arguments: &[u8]) -> String {
        let environment = Environment::of(&self.home, self.codec, &self.handles, &self.function);
        let environment = environment.within(self.session);
        let mut json = Vec::from(b"{");
        for (index, parameter) in self.signature.parameters.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            read::string(&parameter.name, &mut json);
            json.push(b':');
            let before = json.len();
            if let Err(why) = read_argument(&self.signature, index, arguments, &self.slots, environment, &mut json) {
                json.truncate(before);
                json.extend_from_slice(b"{\"error\":");
                read::string(&why, &mut json);
                json.push(b'}');
            }
        }
        json.push(b'}');
        // All of it was written as text.
        String::from_utf8(json).unwrap_or_default()
    }

    fn answer(&self, number: u64, args: &str) -> &Answer {
        let Plan { returns, table, compare, stop_after, stop_returns, .. } = &self.plan;
        if stop_after.is_some_and(|last| number >= last) {
            return stop_returns;
        }
        if table.is_empty() && compare.is_none() {
            return returns;
        }
        let args: Value = serde_json::from_str(args).unwrap_or_default();
        if let Some((_, answer)) =
            table.iter().find(|(when, _)| when.iter().all(|(name, value)| same(&args[name], value)))
        {
            return answer;
        }
        let Some(compare) = compare else { return returns };
        let key = |index: usize| {
            let parameter = &self.signature.parameters[index];
            Key::of(&args[&parameter.name], &parameter.ty, &self.home.interface)
        };
        match key(compare.left).cmp(&key(compare.right)) {
            Ordering::Less => &compare.less,
            Ordering::Equal => &compare.equal,
            Ordering::Greater => &compare.greater,
        }
    }

    fn note(&self, args: &str, returned: &str) {
        let mut progress = lock(&self.progress);
        if self.plan.record && !progress.call_over {
            let record = format!("{{\"args\":{args},\"returned\":{returned}}}");
            if progress.recorded.len() < self.plan.limit && progress.recorded_bytes + record.len() <= MAX_EVENT_BYTES {
                progress.recorded_bytes += record.len();
                progress.recorded.push(Bytes::from(record));
            } else {
                progress.unrecorded += 1;
            }
        }
        if self.plan.stream {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let event = Bytes::from(format!("{{\"args\":{args},\"returned\":{returned},\"at\":{at}}}"));
            let last = progress.keep(event, self.plan.limit);
            drop(progress);
            self.news.send_modify(|(known, _)| *known = (*known).max(last));
        }
    }

    /// The call is over.
    pub(super) fn end_of_call(&self) {
        let mut progress = lock(&self.progress);
        progress.call_over = true;
        progress.recorded = Vec::new();
    }

    /// Nobody wants its events any more.
    pub(super) fn end(&self) {
        self.news.send_modify(|(_, ended)| *ended = true);
    }

    /// Appends what happened during the call.
    pub(super) fn report(&self, json: &mut Vec<u8>) {
        let progress = lock(&self.progress);
        json.push(b'{');
        if let Some(id) = &self.id {
            json.extend_from_slice(b"\"id\":");
            read::string(id, json);
            json.push(b',');
        }
        json.extend_from_slice(format!("\"count\":{}", progress.count).as_bytes());
        if self.plan.record {
            json.extend_from_slice(b",\"invocations\":[");
            json.extend_from_slice(&progress.recorded.join(&b","[..]));
            json.extend_from_slice(format!("],\"dropped\":{}", progress.unrecorded).as_bytes());
        }
        json.push(b'}');
    }

    /// For the list of those that outlive their call.
    pub(super) fn view(&self) -> Option<CallbackView> {
        let progress = lock(&self.progress);
        Some(CallbackView {
            id: self.id.clone()?,
            function: self.function.clone(),
            parameter: self.parameter.clone(),
            invocations: progress.count,
            dropped: progress.dropped,
        })
    }
}

impl Progress {
    /// Adds an event, lets go of the oldest ones where there are too many, and gives its number.
    fn keep(&mut self, event: Bytes, limit: usize) -> u64 {
        self.noted += 1;
        self.event_bytes += event.len();
        self.events.push_back((self.noted, event));
        while self.events.len() > limit.max(1) || self.event_bytes > MAX_EVENT_BYTES {
            let Some((number, event)) = self.events.pop_front() else { break };
            self.event_bytes -= event.len();
            self.dropped += u64::from(number > self.read);
        }
        self.noted
    }
}

/// Reads one argument of an invocation.
#[expect(unsafe_code, reason = "a callback's arguments are where the library says")]
fn read_argument(
    signature: &Signature,
    index: usize,
    arguments: &[u8],
    slots: &[std::ops::Range<usize>],
    environment: Environment<'_>,
    json: &mut Vec<u8>,
) -> Result<(), String> {
    // SAFETY: these are the arguments with which the library has just called; it waits until this returns. That they are
    // what the header declares is the header's promise.
    unsafe { alone::argument(signature, index, arguments, slots, environment, json) }.map_err(|fault| fault.detail)
}

/// Whether an argument is the value of a table's row: numbers compare as numbers.
fn same(argument: &Value, value: &Value) -> bool {
    argument == value
        || matches!((argument, value), (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() && a.as_i128().is_none() | b.as_i128().is_none())
}

/// The events of a callback, as they come.
#[derive(Debug)]
pub struct Events {
    state: Arc<State>,
    after: u64,
    news: watch::Receiver<(u64, bool)>,
}

impl Events {
    pub(super) fn new(state: Arc<State>, after: u64) -> Self {
        let news = state.news.subscribe();
        Self { state, after, news }
    }

    /// The next line of the stream; waits for it. `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let (_, ended) = *self.news.borrow_and_update();
            if let Some(line) = self.ready() {
                return Some(line);
            }
            if ended || self.news.changed().await.is_err() {
                return None;
            }
        }
    }

    /// A line of the protocol for the next event that is there.
    fn ready(&mut self) -> Option<Bytes> {
        let mut progress = lock(&self.state.progress);
        let first = progress.events.partition_point(|(number, _)| *number <= self.after);
        let (number, event) = progress.events.get(first).cloned()?;
        progress.read = progress.read.max(number);
        self.after = number;
        let mut line = format!("{{\"number\":{number},\"event\":").into_bytes();
        line.extend_from_slice(&event);
        line.extend_from_slice(b"}\n");
        Some(Bytes::from(line))
    }
}
