//! The last lines that processes have printed: as much of them as a page takes.

use jiff::Timestamp;

use crate::agents::Line;
use crate::dashboard::words::shortened;

/// So many bytes of lines a page shows …
const MOST: usize = 48 << 10;
/// … and so many characters of one line.
const MOST_OF_LINE: usize = 1000;

/// Lines, the oldest first.
pub(crate) struct Log {
    /// Those that are shown.
    pub(crate) lines: Vec<Shown>,
    /// How many older ones are not.
    pub(crate) older: u64,
    /// How many there are.
    pub(crate) all: u64,
}

/// A line.
pub(crate) struct Shown {
    /// When it was read.
    pub(crate) at: Timestamp,
    /// The start of the agent that printed it.
    pub(crate) generation: u64,
    /// `stdout` or `stderr`.
    pub(crate) stream: &'static str,
    /// Its text, without what controls a terminal.
    pub(crate) text: String,
}

impl Log {
    /// The newest of the lines that have these words, in whatever case.
    pub(crate) fn of(lines: &[Line], words: &str) -> Self {
        let words = words.to_lowercase();
        let fitting: Vec<&Line> =
            lines.iter().filter(|line| words.is_empty() || line.text.to_lowercase().contains(&words)).collect();
        let mut room = MOST;
        let mut shown = Vec::new();
        for line in fitting.iter().rev() {
            let text = readable(&shortened(&line.text, MOST_OF_LINE));
            let Some(left) = room.checked_sub(text.len()) else { break };
            room = left;
            shown.push(Shown { at: line.at, generation: line.generation, stream: line.stream, text });
        }
        shown.reverse();
        Self { older: (fitting.len() - shown.len()) as u64, lines: shown, all: lines.len() as u64 }
    }
}

/// What is meant for a terminal, such as colours, as signs.
fn readable(text: &str) -> String {
    let sign = |character: char| match character {
        '\t' => '\t',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        other if other.is_control() => '\u{fffd}',
        other => other,
    };
    text.chars().map(sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Line> {
        let line =
            |text: &&str| Line { at: Timestamp::now(), generation: 1, stream: "stdout", text: (*text).to_owned() };
        texts.iter().map(line).collect()
    }

    #[test]
    fn lines_with_the_words_are_shown_the_oldest_first() {
        let log = Log::of(&lines(&["Opened reader 1", "noise", "READER 1 is gone"]), "Reader");
        let texts: Vec<&str> = log.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((texts, log.older, log.all), (vec!["Opened reader 1", "READER 1 is gone"], 0, 3));
    }

    #[test]
    fn a_page_has_room_for_the_newest_lines_only() {
        let line = "读".repeat(8000);
        let texts: Vec<&str> = std::iter::repeat_n(line.as_str(), 200).chain(["last"]).collect();
        let log = Log::of(&lines(&texts), "");
        assert!(log.lines.iter().map(|line| line.text.len()).sum::<usize>() <= MOST);
        assert_eq!(log.lines.last().unwrap().text, "last");
        assert_eq!(log.older + log.lines.len() as u64, 201);
        assert_eq!(log.lines[0].text.chars().count(), MOST_OF_LINE);
    }

    #[test]
    fn what_is_meant_for_a_terminal_is_seen_and_does_nothing() {
        assert_eq!(Log::of(&lines(&["\u{1b}[31mred\u{7}\tx\u{85}"]), "").lines[0].text, "␛[31mred␇\tx\u{fffd}");
    }
}
