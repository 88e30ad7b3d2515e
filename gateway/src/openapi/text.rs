//! Comments of headers as the `CommonMark` of an OpenAPI document.

use bridge32_protocol::interface::{Function, Variable};

/// The longest summary; documentation pages show it on one line.
const LONGEST_SUMMARY: usize = 120;

/// A comment's first sentence, if it has one that fits on a line.
pub(super) fn summary(comment: &str) -> Option<String> {
    sentence(comment).map(|sentence| plain(&sentence))
}

/// The same as plain text.
pub(crate) fn sentence(comment: &str) -> Option<String> {
    let paragraph: Vec<&str> = comment.trim().lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.match_indices(['.', '。', '!', '?']).find(|(at, mark)| {
        let rest = &paragraph[at + mark.len()..];
        *mark == "。" || rest.is_empty() || rest.starts_with(' ')
    });
    let sentence = end.map_or(paragraph.as_str(), |(at, _)| &paragraph[..at]).trim();
    match sentence.chars().count() {
        0 => None,
        length if length <= LONGEST_SUMMARY => Some(sentence.to_owned()),
        _ => Some(sentence.chars().take(LONGEST_SUMMARY - 1).chain(['…']).collect()),
    }
}

/// The comment without what [`summary`] has taken whole.
pub(super) fn rest<'a>(comment: &'a str, summary: Option<&str>) -> &'a str {
    let comment = comment.trim();
    match comment.split_once(['.', '\n']) {
        Some((first, rest)) if summary.is_some_and(|summary| summary == plain(first.trim())) => rest.trim(),
        None if summary.is_some_and(|summary| summary == plain(comment)) => "",
        _ => comment,
    }
}

/// Text in which nothing is markup by accident: `<stdio.h>` would be an HTML tag, and vanish.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let tag = rest.peek().is_some_and(|next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?'));
        if character == '<' && tag {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

/// A C declaration as a block of code.
pub(super) fn code(declaration: &str) -> String {
    format!("```c\n{declaration};\n```")
}

/// What is said of an operation below its summary.
pub(super) fn description(comment: &str, summary: Option<&str>, declaration: &str, more: &[String]) -> String {
    let mut parts = vec![plain(rest(comment, summary))];
    parts.extend(more.iter().cloned());
    parts.push(code(declaration.trim_end_matches(';')));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// The summary of a function.
pub(super) fn of_function(function: &Function) -> String {
    summary(&function.description).unwrap_or_else(|| format!("Call {}", function.name))
}

/// The summary of a variable.
pub(super) fn of_variable(variable: &Variable, verb: &str) -> String {
    let subject = summary(&variable.description).map_or(String::new(), |text| format!(": {text}"));
    format!("{verb} {}{subject}", variable.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_is_the_summary_and_the_rest_the_description() {
        let comment = "Reads a card.\nThe reader blinks. See <b.h>.";
        assert_eq!(summary(comment).as_deref(), Some("Reads a card"));
        assert_eq!(
            description(comment, Some("Reads a card"), "int Read(void)", &[]),
            "The reader blinks. See \\<b.h>.\n\n```c\nint Read(void);\n```"
        );
    }

    #[test]
    fn a_sentence_that_cannot_be_cut_out_stays_in_the_description() {
        let comment = "Uses version 1.2 of\nthe protocol";
        let first = summary(comment);
        assert_eq!(first.as_deref(), Some("Uses version 1.2 of the protocol"));
        assert_eq!(rest(comment, first.as_deref()), comment);
        assert_eq!(summary(" \n "), None);
        assert_eq!(summary(&"long ".repeat(100)).map(|text| text.chars().count()), Some(LONGEST_SUMMARY));
    }

    #[test]
    fn a_summary_of_chinese_ends_at_its_full_stop() {
        assert_eq!(summary("读一张卡。返回号码。").as_deref(), Some("读一张卡"));
        assert_eq!(rest("读一张卡。返回号码。", Some("读一张卡")), "读一张卡。返回号码。");
    }
}
