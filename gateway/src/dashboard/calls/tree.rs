//! JSON as a tree that opens and closes without scripts: nested lists, texts that are shortened with all of them behind, bytes as a
//! hex view. Numbers stand as they were written. Pure; what it is given is hostile.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_interface::places::Place;
use bridge32_interface::redact;
use bridge32_protocol::json::members;
use serde_json::value::RawValue;

use super::hex;
use super::markup::{Markup, write_text};
use crate::dashboard::filters::text;
use crate::dashboard::language::Language;
use crate::dashboard::words::{grouped, size};

/// What is nested more deeply is shown as it was written.
const DEEPEST: usize = 12;
/// So many members or elements of one value are shown.
const WIDEST: usize = 200;
/// Down to here, values that have no more members than [`FEW`] are open.
const OPEN: usize = 3;
const FEW: usize = 20;
/// Longer texts are shortened to this, in characters.
const LINE: usize = 120;
/// Buffers with no more bytes than these are open.
const SMALL: usize = 256;

/// How a tree is to be drawn.
#[derive(Clone, Debug)]
pub(super) struct Look<'a> {
    /// Begins the ids of what opens and closes: what is open stays so when the page is looked at again.
    pub(super) id: &'a str,
    /// The language of its words.
    pub(super) language: Language,
    /// No more bytes of HTML than about these.
    pub(super) most: usize,
    /// Where everything is that is not shown.
    pub(super) whole: &'a str,
    /// The places to be marked, as JSON pointers.
    pub(super) marks: &'a BTreeSet<String>,
}

/// Draws a JSON text. `place` is what the interface says of it.
pub(super) fn tree(json: &str, place: Option<Place<'_>>, look: &Look<'_>) -> Markup {
    let mut drawing = Drawing { look, html: String::from("<ul class=\"tree\">"), pointer: String::new(), opened: 0 };
    match serde_json::from_str::<&RawValue>(json) {
        Ok(raw) => {
            let inner = drawing.children(raw.get(), place, 0);
            if inner.is_none() {
                drawing.item(None, raw.get(), place, 0);
            }
        }
        // It was JSON when it was kept.
        Err(_) => drawing.item(None, json, None, DEEPEST),
    }
    drawing.html.push_str("</ul>");
    Markup(drawing.html)
}

struct Drawing<'a> {
    look: &'a Look<'a>,
    html: String,
    /// The place that is being drawn.
    pointer: String,
    /// How many things that open there are.
    opened: usize,
}

impl Drawing<'_> {
    /// Draws the members of an object, or the elements of a list, as items; `None` if it is neither, or there are none.
    fn children(&mut self, json: &str, place: Option<Place<'_>>, depth: usize) -> Option<()> {
        let children = children(json).filter(|children| !children.is_empty())?;
        let many = children.len();
        for (index, (name, raw)) in children.into_iter().enumerate() {
            if index >= WIDEST || self.room() == 0 {
                self.rest(many - index);
                break;
            }
            let of = place.and_then(|place| match &name {
                Some(name) => place.member(name),
                None => place.element(),
            });
            let before = self.pointer.len();
            self.pointer.push('/');
            match &name {
                Some(name) => self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                None => self.pointer.push_str(&index.to_string()),
            }
            let number;
            let name = if let Some(name) = &name {
                name
            } else {
                number = index.to_string();
                &number
            };
            self.item(Some(name), raw.get(), of, depth);
            self.pointer.truncate(before);
        }
        Some(())
    }

    /// One value with its name.
    fn item(&mut self, name: Option<&str>, json: &str, place: Option<Place<'_>>, depth: usize) {
        let is_marked = self.look.marks.contains(&self.pointer);
        self.html.push_str(if is_marked { "<li class=\"differs\">" } else { "<li>" });
        if is_marked {
            let say = self.look.language.say(text!("differs"));
            let sign = format!("<span class=\"sign\" role=\"img\" aria-label=\"{say}\">≠</span> ");
            self.html.push_str(&sign);
        }
        let many = children(json).map_or(0, |children| children.len());
        match json.as_bytes().first() {
            Some(b'{' | b'[') if many > 0 && depth < DEEPEST => self.nested(name, json, place, depth, many),
            Some(b'"') => match serde_json::from_str::<String>(json) {
                Ok(value) => self.text(name, &value, place),
                Err(_) => self.word(name, json),
            },
            _ => self.word(name, json),
        }
        self.html.push_str("</li>");
    }

    fn nested(&mut self, name: Option<&str>, json: &str, place: Option<Place<'_>>, depth: usize, many: usize) {
        self.open(depth < OPEN && many <= FEW);
        self.name(name);
        let (one, several) = match json.as_bytes().first() {
            Some(b'{') => (text!("{n} member"), text!("{n} members")),
            _ => (text!("{n} element"), text!("{n} elements")),
        };
        let words = self.look.language.say(if many == 1 { one } else { several });
        self.quiet(&words.replace("{n}", &grouped(many as u64)));
        self.html.push_str("</summary><ul>");
        let _ = self.children(json, place, depth + 1);
        self.html.push_str("</ul></details>");
    }

    fn text(&mut self, name: Option<&str>, value: &str, place: Option<Place<'_>>) {
        if value == redact::MARKER.trim_matches('"') {
            self.name(name);
            self.quiet(self.look.language.say(text!("sensitive: it was taken out before it was written")));
            return;
        }
        if place.is_some_and(Place::is_bytes)
            && let Ok(bytes) = STANDARD.decode(value)
        {
            self.bytes(name, &bytes);
            return;
        }
        if value.chars().count() <= LINE {
            self.name(name);
            self.quoted(value, usize::MAX);
            return;
        }
        self.open(false);
        self.name(name);
        let end = value.char_indices().nth(LINE).map_or(value.len(), |(at, _)| at);
        self.quoted(&value[..end], usize::MAX);
        self.html.push_str("… ");
        self.quiet(&size(value.len() as u64));
        self.html.push_str("</summary><pre class=\"listing\" tabindex=\"0\">");
        let most = self.room();
        let is_all = write_text(&mut self.html, value, most);
        self.html.push_str("</pre>");
        if !is_all {
            self.more();
        }
        self.html.push_str("</details>");
    }

    fn bytes(&mut self, name: Option<&str>, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(hex::fitting(self.room()))];
        if bytes.is_empty() {
            self.name(name);
            self.quiet(&size(0));
            return;
        }
        self.open(bytes.len() <= SMALL);
        self.name(name);
        self.quiet(&size(bytes.len() as u64));
        self.html.push_str(" <code class=\"glance\">");
        self.html.push_str(&hex::glance(bytes));
        self.html.push_str("</code></summary>");
        let label = self.look.language.say(text!("Bytes: offset, hexadecimal, characters"));
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.html, "<pre class=\"hex\" tabindex=\"0\" role=\"group\" aria-label=\"{label}\">");
        write_text(&mut self.html, &hex::lines(shown), usize::MAX);
        self.html.push_str("</pre>");
        if shown.len() < bytes.len() {
            let words = self.look.language.say(text!("These are the first {n}."));
            self.quiet(&words.replace("{n}", &size(shown.len() as u64)));
            self.html.push(' ');
            self.more();
        }
        self.html.push_str("</details>");
    }

    /// A number, true, false, null, something empty, or what is too deep: as it was written.
    fn word(&mut self, name: Option<&str>, json: &str) {
        self.name(name);
        self.html.push_str("<code class=\"word\">");
        let most = self.room().min(LINE * 4);
        let is_all = write_text(&mut self.html, json, most);
        self.html.push_str("</code>");
        if !is_all {
            self.html.push_str("… ");
            self.more();
        }
    }

    fn name(&mut self, name: Option<&str>) {
        let Some(name) = name else { return };
        self.html.push_str("<span class=\"name\">");
        if !write_text(&mut self.html, name, LINE * 4) {
            self.html.push('…');
        }
        self.html.push_str("</span> ");
    }

    fn quoted(&mut self, value: &str, most: usize) {
        self.html.push_str("<span class=\"text\">");
        write_text(&mut self.html, value, most);
        self.html.push_str("</span>");
    }

    /// Our own words, and numbers.
    fn quiet(&mut self, words: &str) {
        self.html.push_str("<span class=\"quiet\">");
        self.html.push_str(words);
        self.html.push_str("</span>");
    }

    /// Begins something that opens.
    fn open(&mut self, is_open: bool) {
        let Look { id, .. } = self.look;
        let open = if is_open { " open" } else { "" };
        let _ = write!(self.html, "<details id=\"{id}-{}\"{open}><summary>", self.opened);
        self.opened += 1;
    }

    fn rest(&mut self, many: usize) {
        let words = self.look.language.say(text!("and {n} more"));
        self.html.push_str("<li>");
        self.quiet(&words.replace("{n}", &grouped(many as u64)));
        self.html.push(' ');
        self.more();
        self.html.push_str("</li>");
    }

    fn more(&mut self) {
        let words = self.look.language.say(text!("everything, as JSON"));
        self.html.push_str("<a href=\"");
        write_text(&mut self.html, self.look.whole, usize::MAX);
        let _ = write!(self.html, "\">{words}</a>");
    }

    /// How many bytes there may still be.
    fn room(&self) -> usize {
        self.look.most.saturating_sub(self.html.len())
    }
}

/// The members or elements of a value; `None` if it is neither an object nor a list.
fn children(json: &str) -> Option<Vec<(Option<String>, &RawValue)>> {
    match json.as_bytes().first()? {
        b'{' => Some(members(json)?.into_iter().map(|(name, raw)| (Some(name), raw)).collect()),
        b'[' => Some(serde_json::from_str::<Vec<&RawValue>>(json).ok()?.into_iter().map(|raw| (None, raw)).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bridge32_interface::{Options, Source, read};
    use bridge32_protocol::target::Target;

    use super::*;

    fn drawn_with(json: &str, marks: &[&str], most: usize) -> String {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        let look = Look { id: "x", language: Language::English, most, whole: "/v1/calls/1", marks: &marks };
        tree(json, None, &look).0
    }

    fn drawn(json: &str) -> String {
        drawn_with(json, &[], 40_000)
    }

    #[test]
    fn values_stand_beside_their_names_as_they_were_written() {
        let html = drawn(r#"{"a": 1e400, "b": [true, null], "c": {}}"#);
        for part in [
            "<span class=\"name\">a</span> <code class=\"word\">1e400</code>",
            "<details id=\"x-0\" open><summary><span class=\"name\">b</span> <span class=\"quiet\">2 elements</span>",
            "<span class=\"name\">1</span> <code class=\"word\">null</code>",
            "<span class=\"name\">c</span> <code class=\"word\">{}</code>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(drawn("5").contains("<code class=\"word\">5</code>") && drawn("no json").contains("no json"));
    }

    #[test]
    fn names_and_texts_are_never_markup() {
        let hostile = "<script>alert(1)</script>\" onclick=\"x";
        let json = serde_json::json!({hostile: hostile, "deep": {hostile: [hostile.repeat(20)]}}).to_string();
        for html in [drawn(&json), drawn_with(&json, &[], 300), drawn(&format!("<b>{json}"))] {
            assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("\" onclick"), "{html}");
        }
    }

    #[test]
    fn a_long_text_is_shortened_and_there_as_a_whole() {
        let html = drawn(&format!("{{\"a\": \"{}z\"}}", "字".repeat(500)));
        assert!(
            html.contains(&format!("<span class=\"text\">{}</span>… <span class=\"quiet\">1.47 kB", "字".repeat(LINE)))
        );
        assert!(html.contains(&format!("{}z</pre></details>", "字".repeat(500))));
        assert!(!html.contains("<details id=\"x-0\" open"));
    }

    #[test]
    fn what_was_taken_out_is_told_as_such() {
        let html = drawn(r#"{"pin": "«redacted»"}"#);
        assert!(html.contains("taken out") && !html.contains("«redacted»"), "{html}");
    }

    #[test]
    fn bytes_are_a_hex_view_where_the_interface_says_so() {
        let text = b"int Read(_In_reads_(length) const unsigned char *data, int length, const char *text);";
        let header = read(&[Source { name: "a.h", text }], &Options::new(Target::Linux32));
        let marks = BTreeSet::new();
        let look = Look { id: "x", language: Language::English, most: 40_000, whole: "/w", marks: &marks };
        let place = Place::arguments(&header.interface, &header.interface.functions[0]);
        let drawn = |json: &str| tree(json, Some(place), &look).0;
        let html = drawn(r#"{"data": "PGI+aGk=", "text": "PGI+aGk="}"#);
        assert!(html.contains("00000000  3c 62 3e 68 69") && html.contains("&lt;b&gt;hi</pre>"), "{html}");
        assert_eq!(html.matches("class=\"hex\"").count(), 1);
        let no_base64 = drawn(r#"{"data": "calc.g1.2.00ff"}"#);
        assert!(no_base64.contains("<span class=\"text\">calc.g1.2.00ff</span>"), "{no_base64}");
        let large = drawn(&format!("{{\"data\": \"{}\"}}", STANDARD.encode(vec![0; 1 << 20])));
        assert!(large.contains("first 4.00 kB") && large.contains("href=\"/w\""));
        assert!(large.len() < 40_000, "{}", large.len());
    }

    #[test]
    fn what_differs_is_marked_with_a_sign() {
        let html = drawn_with(r#"{"outputs": {"a/b": [1, 2]}}"#, &["/outputs/a~1b/1"], 40_000);
        let marked = "<li class=\"differs\"><span class=\"sign\" role=\"img\" aria-label=\"differs\">≠</span> \
                      <span class=\"name\">1</span> <code class=\"word\">2</code></li>";
        assert!(html.contains(marked) && html.matches("differs\">").count() == 2, "{html}");
    }

    #[test]
    fn however_much_there_is_a_tree_is_small() {
        let wide = format!("[{}1]", "1,".repeat(500_000));
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let objects = format!("[{}{{}}]", "{\"<\":{\"<\":\"<<<<<<<<<<<<<<<<<<<<<<\"}},".repeat(20_000));
        let long = format!("{{\"{0}\": \"{0}\"}}", "&".repeat(1 << 20));
        for json in [wide, deep, objects, long] {
            let html = drawn(&json);
            assert!(html.len() < 50_000 && html.contains("/v1/calls/1"), "{}", html.len());
            assert_eq!(html.matches("<details").count(), html.matches("</details>").count());
            assert_eq!(html.matches("<ul").count(), html.matches("</ul>").count());
        }
    }
}
