//! The markup of comments: commands, those that only change the type face, HTML, lists. What is left is plain text.

/// The HTML elements that Doxygen knows and that people use in comments.
const ELEMENTS: [&str; 21] = [
    "b", "i", "em", "strong", "code", "tt", "pre", "p", "br", "ul", "ol", "li", "sub", "sup", "a", "span", "div",
    "table", "tr", "td", "th",
];

/// Leaves out the commands that only change the type face (`@p name`, `\c code`), and the markup of HTML.
pub(crate) fn markup(text: &str) -> String {
    let mut output = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let inner = word.strip_prefix(['@', '\\']);
        match inner {
            // `@ref open "opening"`
            Some("ref") if words.clone().nth(1).is_some_and(|text| text.starts_with('"')) => {
                words.next();
            }
            Some("p" | "c" | "a" | "b" | "e" | "em" | "ref" | "n") => {}
            _ => output.push(word),
        }
    }
    entities(&without_elements(&output.join(" ")))
}

/// The command at the start of a line, and what follows.
pub(crate) fn command(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(['@', '\\'])?;
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    (end > 0).then(|| (&rest[..end], rest[end..].trim_start()))
}

/// The first word, and the rest.
pub(crate) fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// Whether a line begins an item of a list: `- one`, `-# one`, `* one`, `1. one`.
pub(crate) fn is_item(line: &str) -> bool {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let number = first.strip_suffix('.').is_some_and(|digits| digits.parse::<u32>().is_ok());
    !rest.is_empty() && (matches!(first, "-" | "-#" | "*" | "+") || number)
}

/// Whether a line ends a piece of code.
pub(crate) fn ends_code(line: &str) -> bool {
    line.strip_prefix(['@', '\\']).is_some_and(|rest| rest.starts_with("endcode") || rest.starts_with("endverbatim"))
}

/// Leaves out `<b>`, `</b>`, `<br/>`; other angle brackets stay.
fn without_elements(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        output.push_str(&rest[..at]);
        let inside = &rest[at + 1..];
        let name = inside.strip_prefix('/').unwrap_or(inside);
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let known = ELEMENTS.iter().any(|element| name[..end].eq_ignore_ascii_case(element));
        rest = if let Some(close) = inside.find('>').filter(|_| known) {
            &inside[close + 1..]
        } else {
            output.push('<');
            inside
        };
    }
    output + rest
}

/// Replaces `&lt;` and its like, and those with a number.
fn entities(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        output.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(';').filter(|end| *end < 10);
        let known = end.and_then(|end| Some((entity(&rest[1..end])?, end)));
        let (c, length) = known.map_or(('&', 1), |(c, end)| (c, end + 1));
        output.push(c);
        rest = &rest[length..];
    }
    output + rest
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "deg" => '°',
        "micro" => 'µ',
        "plusmn" => '±',
        "times" => '×',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            return number.ok().and_then(char::from_u32);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_left_out_and_text_stays() {
        for (text, plain) in [
            (r"the @p port of \c open()", "the port of open()"),
            (r#"see @ref open "opening" it"#, r#"see "opening" it"#),
            ("a <b>card</b>, a < b <br/> and <vendor.h>", "a card, a < b  and <vendor.h>"),
            ("1 &lt; 2 &amp;&amp; R&D &#65;&#x42; &unknown;", "1 < 2 && R&D AB &unknown;"),
        ] {
            assert_eq!(markup(text), plain);
        }
        assert!(is_item("- one") && is_item("2. two") && !is_item("-1 is wrong") && !is_item("-"));
    }
}
