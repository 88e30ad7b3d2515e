//! What agents and their libraries print: into the log, and the last lines kept for people.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

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

/// Reads a stream to its end.
pub(super) async fn capture(
    stream: impl AsyncRead + Unpin,
    name: &'static str,
    agent: String,
    generation: u64,
    output: Arc<Output>,
) {
    let mut lines = Lines::new(stream);
    while let Some(text) = lines.next().await {
        tracing::info!(target: "library", agent, generation, stream = name, "{text}");
        output.push(Line { at: Timestamp::now(), generation, stream: name, text });
    }
}

/// Splits a stream into lines that are never longer than [`MAX_LINE`]; the rest of a longer one is dropped.
struct Lines<R> {
    reader: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(stream: R) -> Self {
        Self { reader: BufReader::new(stream) }
    }

    async fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let mut cut = false;
        loop {
            // A stream that cannot be read any more has ended, as far as output goes.
            let chunk = self.reader.fill_buf().await.unwrap_or_default();
            if chunk.is_empty() {
                return (!line.is_empty()).then(|| finish(&line, cut));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let text = &chunk[..end.unwrap_or(chunk.len())];
            let room = MAX_LINE.saturating_sub(line.len()).min(text.len());
            line.extend_from_slice(&text[..room]);
            cut |= room < text.len();
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                return Some(finish(&line, cut));
            }
        }
    }
}

fn finish(line: &[u8], cut: bool) -> String {
    let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    if cut { format!("{text}…") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_lines_are_cut_and_the_next_one_is_whole() {
        let input = [vec![b'x'; 3 * MAX_LINE], b"\r\nb\xffc\r\nrest".to_vec()].concat();
        let mut lines = Lines::new(input.as_slice());
        assert_eq!(lines.next().await.unwrap().chars().count(), MAX_LINE + 1);
        assert_eq!(lines.next().await.unwrap(), "b\u{fffd}c");
        assert_eq!(lines.next().await.unwrap(), "rest");
        assert_eq!(lines.next().await, None);
    }
}
