//! What the gateway logs.

use std::path::{Path, PathBuf};

/// A log file that is being written.
#[derive(Clone, Debug)]
pub struct Log(PathBuf);

impl Log {
    pub(crate) fn at(file: &Path) -> Self {
        Self(file.to_owned())
    }

    /// All of it so far, without colours.
    pub fn text(&self) -> String {
        let text = std::fs::read(&self.0).unwrap_or_default();
        without_colours(&String::from_utf8_lossy(&text))
    }

    /// Waits until a line has all of `parts`, and gives it.
    pub fn line(&self, seconds: f64, parts: &[&str]) -> String {
        let found = || self.text().lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned);
        crate::within(seconds, &format!("a line of the gateway's log with {parts:?}"), found)
    }
}

/// Without terminal escape sequences (`ESC [ … m`).
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

/// The addresses in the lines that say where the gateway listens.
pub(crate) fn addresses(text: &str) -> Vec<String> {
    let in_words = |line: &str| line.split_once("address=")?.1.split_whitespace().next().map(str::to_owned);
    let in_json = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["fields"]["address"].as_str().map(str::to_owned)
    };
    let address = |line: &str| in_json(line).or_else(|| in_words(line));
    text.lines().filter(|line| line.contains("listens")).filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_among_colours() {
        let start = "\u{1b}[2m2026\u{1b}[0m INFO bridge32 listens \u{1b}[3maddress\u{1b}[0m=";
        let text = format!("{start}127.0.0.1:4711 libraries=2\nanother line\n{start}https://[::1]:80 libraries=2\n");
        assert_eq!(addresses(&without_colours(&text)), ["127.0.0.1:4711", "https://[::1]:80"]);
    }
}
