//! What agents and their libraries print: into the log, and the last lines kept for people.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bridge32_protocol::output::{MARK_BYTES, Marks};
use jiff::Timestamp;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tracing::field::display;
use uuid::Uuid;

use super::call_output::{CallOutputs, Stream, Written};
use super::lock;

const KEPT_LINES: usize = 200;
const MAX_LINE: usize = 8 << 10;

/// One line of output.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// When it was read.
    pub at: Timestamp,
    /// The start of the agent that printed it.
    pub generation: u64,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// The text; what is not UTF-8 is replaced, what is longer than 8 kB is cut.
    pub text: String,
}

/// The last lines of one agent, over all its generations.
#[derive(Debug, Default)]
pub(super) struct Output {
    lines: Mutex<VecDeque<Line>>,
}

impl Output {
    /// The lines that are kept, oldest first.
    pub(super) fn recent(&self) -> Vec<Line> {
        lock(&self.lines).iter().cloned().collect()
    }

    /// The lines of one generation that are kept, oldest first.
    pub(super) fn of(&self, generation: u64) -> Vec<Line> {
        lock(&self.lines).iter().filter(|line| line.generation == generation).cloned().collect()
    }

    /// The last words of a generation, for the reason why it ended.
    pub(super) fn last_words(&self, generation: u64) -> Option<String> {
        let lines = lock(&self.lines);
        lines
            .iter()
            .rev()
            .find(|line| line.generation == generation && !line.text.is_empty())
            .map(|line| line.text.clone())
    }

    fn push(&self, line: Line) {
        let mut lines = lock(&self.lines);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The names of the streams, by number.
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// The marks that one process writes behind the output of each call.
pub(super) struct Marking {
    secret: String,
    marks: Marks,
    outputs: Arc<CallOutputs>,
}

impl Marking {
    /// Of a process that is to be started; `None` if the system gives no random numbers.
    pub(super) fn new() -> Option<Self> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).ok()?;
        let secret = uuid::Uuid::from_bytes(secret).simple().to_string();
        Some(Self { marks: Marks::of(&secret)?, secret, outputs: Arc::default() })
    }

    /// What its calls print.
    pub(super) fn outputs(&self) -> Arc<CallOutputs> {
        Arc::clone(&self.outputs)
    }

    /// What the process has to know.
    pub(super) fn into_secret(self) -> String {
        self.secret
    }
}

/// Which process prints.
#[derive(Clone)]
pub(super) struct Source {
    agent: Arc<str>,
    generation: u64,
    output: Arc<Output>,
    marked: Option<(Marks, Arc<CallOutputs>)>,
}

impl Source {
    pub(super) fn new(agent: &str, generation: u64, output: &Arc<Output>, marking: Option<&Marking>) -> Self {
        let marked = marking.map(|marking| (marking.marks.clone(), Arc::clone(&marking.outputs)));
        Self { agent: agent.into(), generation, output: Arc::clone(output), marked }
    }
}

/// Reads a stream to its end.
pub(super) async fn capture(stream: impl AsyncRead + Unpin, number: Stream, source: Source) {
    let (mut reader, mut printed) = (BufReader::new(stream), Printed::new(source, number));
    loop {
        // A stream that cannot be read any more has ended, as far as output goes.
        let chunk = reader.fill_buf().await.unwrap_or_default();
        if chunk.is_empty() {
            return printed.over();
        }
        printed.take(chunk);
        let used = chunk.len();
        reader.consume(used);
    }
}

/// Takes apart what a process writes into one stream: lines, and what belongs to which call.
struct Printed {
    source: Source,
    stream: Stream,
    /// The line that has begun, never longer than [`MAX_LINE`]; the rest of a longer one is dropped.
    line: Vec<u8>,
    is_cut: bool,
    /// What has come since the last mark.
    written: Written,
    /// The beginning of what may be a mark.
    held: Vec<u8>,
}

impl Printed {
    fn new(source: Source, stream: Stream) -> Self {
        Self { source, stream, line: Vec::new(), is_cut: false, written: Written::default(), held: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) {
        let Some((marks, _)) = self.source.marked.clone() else { return self.print(bytes) };
        let joined = [&std::mem::take(&mut self.held), bytes].concat();
        let mut rest = &joined[..];
        while let Some(at) = memchr::memchr(marks.prefix()[0], rest) {
            self.print(&rest[..at]);
            rest = &rest[at..];
            let begins = rest.iter().zip(marks.prefix()).all(|(byte, wanted)| byte == wanted);
            if begins && rest.len() < MARK_BYTES {
                self.held = rest.to_vec();
                return;
            }
            let mark = rest.split_at_checked(MARK_BYTES).and_then(|(mark, after)| Some((marks.read(mark)?, after)));
            if let Some((call, after)) = mark {
                self.end(call);
                rest = after;
            } else {
                self.print(&rest[..1]);
                rest = &rest[1..];
            }
        }
        self.print(rest);
    }

    /// The end of a call's output: a line that it has begun ends with it.
    fn end(&mut self, call: Uuid) {
        if !self.line.is_empty() {
            self.finish_line();
        }
        if let Some((_, outputs)) = &self.source.marked {
            outputs.end(self.stream, call, std::mem::take(&mut self.written));
        }
    }

    /// The end of the process.
    fn over(mut self) {
        let held = std::mem::take(&mut self.held);
        self.print(&held);
        if !self.line.is_empty() {
            self.finish_line();
        }
        if let Some((_, outputs)) = &self.source.marked {
            outputs.over(self.stream, self.written);
        }
    }

    fn print(&mut self, bytes: &[u8]) {
        if self.source.marked.is_some() {
            self.written.push(bytes);
        }
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.add(&rest[..end]);
            self.finish_line();
            rest = &rest[end + 1..];
        }
        self.add(rest);
    }

    fn add(&mut self, text: &[u8]) {
        let room = (MAX_LINE - self.line.len()).min(text.len());
        self.line.extend_from_slice(&text[..room]);
        self.is_cut |= room < text.len();
    }

    fn finish_line(&mut self) {
        let Source { agent, generation, output, marked } = &self.source;
        let who = marked.as_ref().and_then(|(_, outputs)| outputs.printing(self.stream));
        let text = match who {
            Some(who) if who.is_sensitive => {
                format!("({} bytes, not shown: the call has sensitive values)", self.line.len())
            }
            _ => shown(&self.line, self.is_cut),
        };
        let (call, trace_id) = (who.map(|who| display(who.call)), who.map(|who| display(who.trace)));
        let (agent, stream) = (&**agent, STREAMS[self.stream]);
        tracing::info!(target: "library", agent, generation, stream, call, trace_id, "{text}");
        output.push(Line { at: Timestamp::now(), generation: *generation, stream, text });
        self.line.clear();
        self.is_cut = false;
    }
}

fn shown(line: &[u8], is_cut: bool) -> String {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    if is_cut { format!("{text}…") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::call_output::Printing;
    use super::*;
    use crate::trace::TraceId;

    fn texts(source: &Source) -> Vec<String> {
        source.output.recent().into_iter().map(|line| line.text).collect()
    }

    #[tokio::test]
    async fn long_lines_are_cut_and_the_next_one_is_whole() {
        let input = [vec![b'x'; 3 * MAX_LINE], b"\r\nb\xffc\r\n\nrest".to_vec()].concat();
        let source = Source::new("calc", 1, &Arc::default(), None);
        capture(input.as_slice(), 0, source.clone()).await;
        let lines = texts(&source);
        assert_eq!(lines[0].chars().count(), MAX_LINE + 1);
        assert_eq!(lines[1..], ["b\u{fffd}c", "", "rest"]);
    }

    fn call(outputs: &CallOutputs, is_sensitive: bool) -> (Uuid, Arc<super::super::CallOutput>) {
        let call = Uuid::now_v7();
        (call, outputs.expect(Printing { call, trace: TraceId::of_call(call), is_sensitive }))
    }

    #[test]
    fn marks_tell_calls_apart_however_the_stream_is_cut_into_pieces() {
        for size in [1, 2, 7, MARK_BYTES, 1000] {
            let marking = Marking::new().unwrap();
            let source = Source::new("calc", 1, &Arc::default(), Some(&marking));
            let (one, first) = call(&marking.outputs, false);
            let (two, second) = call(&marking.outputs, false);
            let (three, third) = call(&marking.outputs, true);
            let end = |id| marking.marks.end_of(id).to_vec();
            let all = [
                b"loading\n".to_vec(),
                end(Uuid::nil()),
                b"a line\nand a \x1e half".to_vec(),
                end(one),
                end(two),
                b"hunter2".to_vec(),
                end(three),
            ];
            let mut printed = Printed::new(source.clone(), 0);
            all.concat().chunks(size).for_each(|chunk| printed.take(chunk));
            assert_eq!(first.text().as_deref(), Some("a line\nand a \u{1e} half"), "{size}");
            assert_eq!((second.text(), third.text().unwrap().contains("7 bytes")), (None, true));
            let lines = texts(&source);
            assert_eq!(lines[..3], ["loading", "a line", "and a \u{1e} half"]);
            assert!(lines[3].starts_with("(7 bytes, not shown"), "{lines:?}");
        }
    }
}
