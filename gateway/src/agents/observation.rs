//! What an agent saw of itself while it did not get on, in words for a person.

use bridge32_protocol::wire::{Observation, SeenWindow};

/// So many windows and threads are told of; the first ones are the most likely to be the reason.
const TOLD: usize = 3;

/// Characters of a title or a text; what is longer is cut off.
const LENGTH: usize = 200;

/// The words that follow `… took longer than 30 s`; empty where nothing was seen.
pub(super) fn words(seen: &Observation) -> String {
    let windows: Vec<String> = seen.windows.iter().take(TOLD).map(window).collect();
    if !windows.is_empty() {
        return format!(
            ": its initialisation shows {}. Somebody would have to click it away, and nobody can: have the library find \
             what it asks for, or see whether a setting of its own keeps it quiet",
            windows.join(", and ")
        );
    }
    let notes: Vec<String> = seen.notes.iter().take(TOLD).map(|note| shortened(note)).collect();
    if notes.is_empty() { String::new() } else { format!("; what the system says of it: {}", notes.join(", ")) }
}

fn window(seen: &SeenWindow) -> String {
    let texts: Vec<String> = seen.texts.iter().take(2 * TOLD).map(|text| quoted(text)).collect();
    let title =
        if seen.title.is_empty() { "without a title".to_owned() } else { format!("titled {}", quoted(&seen.title)) };
    if texts.is_empty() {
        return format!("a window {title}");
    }
    format!("a window {title} that says {}", texts.join(" "))
}

/// A library's own words, so that nobody takes them for the bridge's.
fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text).replace('"', "'"))
}

fn shortened(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = printable.take(LENGTH).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(title: &str, texts: &[&str]) -> SeenWindow {
        SeenWindow { title: title.to_owned(), texts: texts.iter().map(|&text| text.to_owned()).collect() }
    }

    #[test]
    fn a_window_is_told_with_what_stands_in_it() {
        let windows = vec![seen("Licence", &["OK", "Please insert the dongle"])];
        let told = words(&Observation { windows, notes: vec!["the thread `x` waits".to_owned()] });
        let expected = ": its initialisation shows a window titled \"Licence\" that says \"OK\" \"Please insert the dongle\". \
                        Somebody would have to click it away";
        assert!(told.starts_with(expected) && !told.contains('`'), "{told}");
        let told = words(&Observation { windows: vec![seen("", &[])], notes: Vec::new() });
        assert!(told.contains("a window without a title."), "{told}");
    }

    #[test]
    fn without_windows_the_threads_are_told() {
        let notes = vec!["the thread `apartment a` waits in the system call nanosleep".to_owned()];
        let told = words(&Observation { windows: Vec::new(), notes });
        assert_eq!(told, "; what the system says of it: the thread `apartment a` waits in the system call nanosleep");
        assert_eq!(words(&Observation::default()), "");
    }

    #[test]
    fn what_a_library_shows_cannot_flood_or_forge_the_text() {
        let long = "x".repeat(10_000);
        let told = words(&Observation { windows: vec![seen(&long, &[long.as_str(); 50]); 50], notes: Vec::new() });
        assert!(told.len() < 8_000, "{}", told.len());
        let told =
            words(&Observation { windows: vec![seen("a\" that says \"b", &["c\u{1b}[2J\nd"])], notes: Vec::new() });
        assert!(told.contains("titled \"a' that says 'b\" that says \"c [2J d\""), "{told}");
    }
}
