//! What libraries print while a call runs, for those that have `output = "calls"`: their process marks in its output where each
//! call ends ([`bridge32_protocol::output`]), before it sends the outcome. So what a call has printed is known to the last
//! byte, however far the reader of the pipe lags behind; and what a crash has cut off is what the call printed that ran.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use super::lock;
use crate::trace::TraceId;

/// So many bytes of each of its two streams are kept of a call.
const MOST: usize = 16 << 10;

/// A stream of a process: 0 is its standard output, 1 its standard error.
pub(super) type Stream = usize;

/// The beginning of what was written, and how much more there was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    bytes: Vec<u8>,
    cut: u64,
}

impl Written {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (kept, cut) = bytes.split_at((MOST - self.bytes.len()).min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        self.cut += cut.len() as u64;
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64 + self.cut
    }
}

/// What one call has printed.
#[derive(Debug)]
pub struct CallOutput {
    written: Mutex<[Written; 2]>,
    /// Nothing of it is kept: the call has sensitive values, and the library may print them.
    is_sensitive: bool,
    complete: watch::Sender<bool>,
}

impl CallOutput {
    /// Waits until all of it is here. It is on its way when the call's outcome is.
    pub async fn complete(&self, patience: Duration) {
        let mut complete = self.complete.subscribe();
        let _ = tokio::time::timeout(patience, complete.wait_for(|complete| *complete)).await;
    }

    /// How many bytes it may take: most of it may be still to come.
    pub const fn most(&self) -> usize {
        2 * MOST
    }

    /// What it wrote to its standard output, and behind that what to its standard error; `None` if that is nothing.
    pub fn text(&self) -> Option<String> {
        let [output, error] = &*lock(&self.written);
        let length = output.len() + error.len();
        if length == 0 {
            return None;
        }
        if self.is_sensitive {
            return Some(format!("({length} bytes, not kept: the call has sensitive values)"));
        }
        let mut text = String::from_utf8_lossy(&output.bytes).into_owned();
        note_cut(&mut text, output.cut);
        if !text.is_empty() && !text.ends_with('\n') && error.len() > 0 {
            text.push('\n');
        }
        text.push_str(&String::from_utf8_lossy(&error.bytes));
        note_cut(&mut text, error.cut);
        // PostgreSQL has no texts with a zero in them.
        Some(text.replace('\0', "\u{fffd}"))
    }
}

fn note_cut(text: &mut String, cut: u64) {
    if cut > 0 {
        // A string takes everything.
        let _ = writeln!(text, "… ({cut} bytes more)");
    }
}

/// What is to be known of a call to tell whose line of output it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Printing {
    /// The call.
    pub call: Uuid,
    /// Its trace.
    pub trace: TraceId,
    /// It has sensitive values.
    pub is_sensitive: bool,
}

/// A call that was sent and whose output has not come to its end.
#[derive(Debug)]
struct Expected {
    who: Printing,
    /// Gone if nobody wants to know any more what it printed.
    output: Weak<CallOutput>,
    /// Its end has come, on each stream.
    ended: [bool; 2],
}

/// The calls that a process has and that may print, in the order in which it runs them.
#[derive(Debug, Default)]
struct Calls {
    expected: VecDeque<Expected>,
    /// Nothing more comes on these streams.
    over: [bool; 2],
}

/// The outputs of the calls of one process, which runs one call at a time.
#[derive(Debug, Default)]
pub struct CallOutputs(Mutex<Calls>);

impl CallOutputs {
    /// A call is about to be sent, behind all others.
    pub fn expect(&self, who: Printing) -> Arc<CallOutput> {
        let output = CallOutput {
            written: Mutex::default(),
            is_sensitive: who.is_sensitive,
            complete: watch::Sender::new(false),
        };
        let output = Arc::new(output);
        let mut calls = lock(&self.0);
        let ended = calls.over;
        calls.expected.push_back(Expected { who, output: Arc::downgrade(&output), ended });
        calls.tidy();
        output
    }

    /// A call that was expected prints nothing here: it was not sent, or not taken.
    pub fn forget(&self, call: Uuid) {
        let mut calls = lock(&self.0);
        for expected in calls.expected.iter_mut().filter(|expected| expected.who.call == call) {
            expected.ended = [true; 2];
        }
        calls.tidy();
    }

    /// Whose output that stream has now, as far as is known before its end has come.
    pub(super) fn printing(&self, stream: Stream) -> Option<Printing> {
        let calls = lock(&self.0);
        calls.expected.iter().find(|expected| !expected.ended[stream]).map(|expected| expected.who)
    }

    /// What was written up to the end of a call, which has come.
    pub(super) fn end(&self, stream: Stream, call: Uuid, written: Written) {
        let mut calls = lock(&self.0);
        if let Some(at) = calls.expected.iter().position(|expected| expected.who.call == call) {
            calls.expected[at].take(stream, written);
            // Those before it have run, and printed nothing since.
            calls.expected.iter_mut().take(at + 1).for_each(|expected| expected.ended[stream] = true);
        }
        calls.tidy();
    }

    /// The process has ended, and this was the last that came: the call that ran has written it.
    pub(super) fn over(&self, stream: Stream, written: Written) {
        let mut calls = lock(&self.0);
        if let Some(running) = calls.expected.iter_mut().find(|expected| !expected.ended[stream]) {
            running.take(stream, written);
        }
        calls.over[stream] = true;
        calls.expected.iter_mut().for_each(|expected| expected.ended[stream] = true);
        calls.tidy();
    }
}

impl Expected {
    fn take(&mut self, stream: Stream, written: Written) {
        if let Some(output) = self.output.upgrade() {
            lock(&output.written)[stream] = written;
        }
    }
}

impl Calls {
    /// Lets go of those that are complete. One whose output nobody waits for stays until then: it says whose lines come, and
    /// whether they may be shown.
    fn tidy(&mut self) {
        self.expected.retain(|expected| {
            let is_complete = expected.ended == [true; 2];
            if is_complete && let Some(output) = expected.output.upgrade() {
                output.complete.send_replace(true);
            }
            !is_complete
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(is_sensitive: bool) -> Printing {
        let call = Uuid::now_v7();
        Printing { call, trace: TraceId::of_call(call), is_sensitive }
    }

    fn written(text: &str) -> Written {
        let mut written = Written::default();
        written.push(text.as_bytes());
        written
    }

    fn is_complete(output: &CallOutput) -> bool {
        *output.complete.borrow()
    }

    #[test]
    fn each_call_has_what_came_before_its_end() {
        let outputs = CallOutputs::default();
        let (one, two) = (who(false), who(false));
        let (first, second) = (outputs.expect(one), outputs.expect(two));
        assert_eq!(outputs.printing(0), Some(one));
        outputs.end(0, one.call, written("first\n"));
        assert_eq!((outputs.printing(0), outputs.printing(1)), (Some(two), Some(one)));
        outputs.end(0, two.call, written("o\0ut"));
        assert!(!is_complete(&first) && !is_complete(&second));
        outputs.end(1, one.call, Written::default());
        outputs.end(1, Uuid::nil(), written("nobody's"));
        outputs.end(1, two.call, written("error\n"));
        assert!(is_complete(&first) && is_complete(&second));
        assert_eq!(
            (first.text().as_deref(), second.text().as_deref()),
            (Some("first\n"), Some("o\u{fffd}ut\nerror\n"))
        );
        assert_eq!(outputs.printing(0), None);
        assert!(lock(&outputs.0).expected.is_empty());
    }

    #[test]
    fn last_words_belong_to_the_call_that_ran() {
        let outputs = CallOutputs::default();
        let (one, two, three) = (who(false), who(false), who(false));
        let all = [one, two, three].map(|who| outputs.expect(who));
        outputs.end(0, one.call, written("one"));
        outputs.end(1, one.call, Written::default());
        outputs.over(0, written("last words"));
        outputs.over(1, Written::default());
        let texts: Vec<_> = all.iter().map(|output| output.text()).collect();
        assert_eq!(texts, [Some("one".to_owned()), Some("last words".to_owned()), None]);
        assert!(all.iter().all(|output| is_complete(output)));
        assert!(is_complete(&outputs.expect(who(false))), "one that comes later prints nothing");
    }

    #[test]
    fn what_was_sent_to_another_process_after_all_is_forgotten() {
        let outputs = CallOutputs::default();
        let unsent = who(false);
        let nothing = outputs.expect(unsent);
        let next = who(false);
        let output = outputs.expect(next);
        outputs.forget(unsent.call);
        assert_eq!(outputs.printing(0), Some(next));
        assert!(is_complete(&nothing), "nobody waits for it");
        outputs.end(0, next.call, written("x"));
        assert_eq!(output.text().as_deref(), Some("x"));
    }

    #[test]
    fn a_call_whose_output_nobody_wants_still_says_whose_lines_come() {
        let outputs = CallOutputs::default();
        let (secret, next) = (who(true), who(false));
        drop(outputs.expect(secret));
        let output = outputs.expect(next);
        assert_eq!(outputs.printing(0), Some(secret), "what it prints is not shown");
        outputs.end(0, secret.call, written("hunter2"));
        assert_eq!(outputs.printing(0), Some(next));
        outputs.end(0, next.call, written("x"));
        assert_eq!(output.text().as_deref(), Some("x"));
    }

    #[test]
    fn a_flood_is_cut_and_what_may_be_secret_is_not_kept() {
        let outputs = CallOutputs::default();
        let (flood, secret) = (who(false), who(true));
        let (flooded, hidden) = (outputs.expect(flood), outputs.expect(secret));
        let mut much = Written::default();
        (0..100).for_each(|_| much.push(&[b'x'; 1000]));
        outputs.end(0, flood.call, much);
        let text = flooded.text().unwrap();
        assert!(text.len() < MOST + 100 && text.ends_with("… (83616 bytes more)\n"), "{}", text.len());
        outputs.end(0, secret.call, written("hunter2"));
        assert_eq!(hidden.text().as_deref(), Some("(7 bytes, not kept: the call has sensitive values)"));
    }
}
