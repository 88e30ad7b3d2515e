//! Documentation comments: their text, and the tags that say what C cannot.
//!
//! Commands begin with `@` or `\`. Those of Doxygen that only mark up text leave the text. Ours are `@encoding`,
//! `@lossy`, `@idempotent`, `@deadline`, `@export`, `@ordinal`, and those that [`crate::tags`] joins with the parameters:
//! `@length`, `@frees`, `@releases`, `@handle`, `@sensitive`.

use bridge32_protocol::interface::{Direction, ExportName};

use crate::documentation::{Documentation, Subject, Tag, TagKind, misspelt};
use crate::markup::{self, command, markup, word};
use crate::tag_values::{duration_ms, encoding};

/// More tags in one line are text.
const MAX_TAGS: usize = 50;

/// What the text that follows belongs to.
#[derive(Clone, Debug, PartialEq)]
enum Section {
    Description,
    Parameters(Vec<String>),
    Result,
    Dropped,
}

/// Reads a comment with its comment marks.
pub(crate) fn read(comment: &str) -> Documentation {
    read_from(comment, Section::Description)
}

/// Reads the comment of one parameter or member: all of it speaks of that.
pub(crate) fn read_of(comment: &str, name: &str) -> Documentation {
    read_from(comment, Section::Parameters(vec![name.to_owned()]))
}

fn read_from(comment: &str, home: Section) -> Documentation {
    let mut reader =
        Reader { documentation: Documentation::default(), section: home.clone(), home, depth: 0, code: false };
    for line in plain_lines(comment) {
        reader.line(&line);
    }
    let mut documentation = reader.documentation;
    for text in [&mut documentation.description, &mut documentation.result] {
        text.truncate(text.trim_end().len());
    }
    for parameter in &mut documentation.parameters {
        parameter.text.truncate(parameter.text.trim_end().len());
    }
    documentation
}

/// The lines without comment marks and the asterisks before them.
fn plain_lines(comment: &str) -> impl Iterator<Item = String> {
    let block = comment.starts_with("/*");
    let inner = if block { comment[3..].strip_suffix("*/").unwrap_or_default() } else { comment };
    inner.lines().enumerate().map(move |(index, line)| {
        let line = line.trim();
        let line = if !block {
            line.trim_start_matches("///").trim_start_matches("//!").trim_start_matches('<')
        } else if index > 0 {
            line.trim_start_matches('*')
        } else {
            line.trim_start_matches('<')
        };
        line.strip_prefix(' ').unwrap_or(line).trim_end_matches('*').trim_end().to_owned()
    })
}

struct Reader {
    documentation: Documentation,
    section: Section,
    /// The section of what no command puts elsewhere.
    home: Section,
    /// How many tags precede this place in its line.
    depth: usize,
    /// The lines are code.
    code: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        if self.code && !markup::ends_code(trimmed) {
            return self.line_break(&format!("    {}", line.trim_end()));
        }
        if trimmed.is_empty() {
            // A paragraph's end ends what is said of a parameter or the result.
            if matches!(self.section, Section::Parameters(_) | Section::Result) {
                self.section = self.home.clone();
            }
            self.text("");
            return;
        }
        let Some((command, rest)) = command(trimmed) else {
            if markup::is_item(trimmed) {
                self.line_break("");
            }
            self.inline(trimmed);
            return;
        };
        match command {
            "brief" | "short" | "details" => {
                self.section = self.home.clone();
                self.inline(rest);
            }
            "param" => self.parameter(rest),
            "return" | "returns" | "result" => {
                self.section = Section::Result;
                self.inline(rest);
            }
            "retval" => {
                self.section = Section::Result;
                self.line_break("");
                let (value, text) = word(rest);
                self.inline(&format!("{value}: {text}"));
            }
            "note" | "warning" | "attention" | "remark" | "remarks" | "deprecated" | "since" | "see" | "sa" | "pre"
            | "post" | "todo" | "bug" | "version" | "author" | "date" | "copyright" | "par" => {
                self.section = self.home.clone();
                let label = match command {
                    "sa" | "see" => "See",
                    "remarks" | "remark" => "Remark",
                    other => other,
                };
                let mut label = label.to_owned();
                label[..1].make_ascii_uppercase();
                self.text("");
                self.inline(&if command == "par" { rest.to_owned() } else { format!("{label}: {rest}") });
            }
            "file" | "defgroup" | "addtogroup" | "ingroup" | "name" | "mainpage" | "page" | "fn" | "def"
            | "typedef" | "struct" | "enum" | "union" | "var" | "tparam" | "internal" | "cond" | "endcond" => {
                if matches!(command, "file" | "mainpage" | "page" | "defgroup") {
                    self.section = Section::Dropped;
                }
            }
            "code" | "verbatim" => {
                self.code = true;
                self.text("");
            }
            "endcode" | "endverbatim" => {
                self.code = false;
                self.text("");
            }
            _ => self.tag(command, rest, line),
        }
    }

    /// Our own tags at the start of a line: they speak of the function, or say which parameter they speak of.
    fn tag(&mut self, command: &str, rest: &str, line: &str) {
        match command {
            "encoding" => {
                let (first, second) = word(rest);
                match &self.section {
                    _ if first == "return" => self.result_encoding(second),
                    _ if !second.is_empty() => self.encoding(Some(first.to_owned()), second),
                    // All of the comment speaks of one parameter.
                    Section::Parameters(names) if self.home == self.section => {
                        self.encoding(names.last().cloned(), first);
                    }
                    _ => self.encoding(None, first),
                }
            }
            "export" => self.documentation.export = Some(ExportName::Name(word(rest).0.to_owned())),
            "ordinal" => {
                if let Ok(ordinal) = word(rest).0.parse() {
                    self.documentation.export = Some(ExportName::Ordinal(ordinal));
                } else {
                    let message = format!("“@ordinal {rest}” is not a number: write it as in `@ordinal 5`");
                    self.documentation.problems.push(message);
                }
            }
            "lossy" => self.documentation.lossy = true,
            "idempotent" => self.documentation.idempotent = true,
            "deadline" => match duration_ms(rest) {
                Some(duration) => self.documentation.deadline_ms = Some(duration),
                None => self.documentation.problems.push(format!(
                    "“@deadline {rest}” is not a duration: write a number and ms, s or min, such as `@deadline 2s`"
                )),
            },
            _ => {
                if let Some(kind) = TagKind::of(command) {
                    return self.tagged_rest(kind, rest, self.home != Section::Description);
                }
                if let Some(meant) = misspelt(command) {
                    let message = format!("“@{command}” is no tag, and was taken for text: is “@{meant}” meant?");
                    self.documentation.problems.push(message);
                }
                self.inline(line.trim());
            }
        }
    }

    /// One of our tags, and what follows. `inside` says that it stands in the text of a parameter or the result: then
    /// what follows `@handle` or `@sensitive` is that text.
    fn tagged_rest(&mut self, kind: TagKind, rest: &str, inside: bool) {
        let end = next_tag(rest).unwrap_or(rest.len());
        let (own, after) =
            rest.split_at(if inside && matches!(kind, TagKind::Handle | TagKind::Sensitive) { 0 } else { end });
        self.keep(kind, own);
        self.inline(after);
    }

    fn keep(&mut self, kind: TagKind, text: &str) {
        let subject = match &self.section {
            Section::Parameters(names) => names.last().cloned().map_or(Subject::Whole, Subject::Parameter),
            Section::Result => Subject::Result,
            // A line of its own behind those of the parameters.
            _ if kind == TagKind::Length => {
                let last = self.documentation.parameters.last().map(|parameter| parameter.name.clone());
                last.map_or(Subject::Whole, Subject::Parameter)
            }
            _ => Subject::Whole,
        };
        let text = text.trim();
        // `@sensitive ...` speaks of the arguments behind the last parameter.
        let text = if text.ends_with("...") { text } else { text.trim_end_matches(['.', ',']) }.to_owned();
        self.documentation.tags.push(Tag { kind, subject, text });
    }

    /// `@param[in,out] name text`, also `@param a,b text`.
    fn parameter(&mut self, rest: &str) {
        let rest = rest.trim_start();
        let (direction, rest) = match rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            Some((inside, rest)) => (Some(inside.to_ascii_lowercase()), rest),
            None => (None, rest),
        };
        let direction = direction.and_then(|text| {
            let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect();
            match &*text {
                "in" => Some(Direction::In),
                "out" => Some(Direction::Out),
                "inout" | "outin" => Some(Direction::InOut),
                _ => {
                    self.documentation.problems.push(format!("“@param[{text}]” is not one of [in], [out], [in,out]"));
                    None
                }
            }
        });
        let (names, text) = word(rest);
        let names: Vec<String> = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        for name in &names {
            let parameter = self.documentation.parameter_mut(name);
            parameter.direction = direction.or(parameter.direction);
        }
        self.section = Section::Parameters(names);
        self.inline(text);
    }

    /// Text that may contain further tags, as in a comment of one line.
    fn inline(&mut self, text: &str) {
        let Some(at) = next_tag(text).filter(|_| self.depth < MAX_TAGS) else { return self.text(&markup(text)) };
        self.depth += 1;
        self.tagged(text, at);
        self.depth -= 1;
    }

    /// Text with a tag at `at`.
    fn tagged(&mut self, text: &str, at: usize) {
        self.text(&markup(text[..at].trim_end()));
        let text = &text[at..];
        let names = match &self.section {
            Section::Parameters(names) => names.clone(),
            _ => Vec::new(),
        };
        match command(text) {
            Some((name, rest)) if let Some(kind) = TagKind::of(name) => {
                self.tagged_rest(kind, rest, !matches!(self.section, Section::Description));
            }
            // In the text of a parameter or the result it is theirs.
            Some(("encoding", rest)) if !names.is_empty() || self.section == Section::Result => {
                let (label, after) = word(rest);
                match names.last() {
                    Some(name) => self.encoding(Some(name.clone()), label),
                    None => self.result_encoding(label),
                }
                self.inline(after);
            }
            Some((name @ ("lossy" | "idempotent"), rest)) => {
                self.tag(name, "", "");
                self.inline(rest);
            }
            Some((name @ ("export" | "ordinal"), rest)) => {
                let (value, after) = word(rest);
                self.tag(name, value.trim_end_matches([',', '.']), "");
                self.inline(after);
            }
            _ => self.line(text),
        }
    }

    fn result_encoding(&mut self, label: &str) {
        self.encoding(Some("return".to_owned()), label);
        let found = self.documentation.parameters.pop_if(|parameter| parameter.name == "return");
        self.documentation.result_encoding = found.and_then(|found| found.encoding);
    }

    fn encoding(&mut self, parameter: Option<String>, label: &str) {
        let Some(encoding) = encoding(label.trim_end_matches(['.', ','])) else {
            let message =
                format!("“{label}” is not an encoding that is known: use a label such as gbk or windows-1252");
            self.documentation.problems.push(message);
            return;
        };
        match parameter {
            Some(name) => self.documentation.parameter_mut(&name).encoding = Some(encoding),
            None => self.documentation.encoding = Some(encoding),
        }
    }

    /// Text in a line of its own.
    fn line_break(&mut self, text: &str) {
        self.add(&|to: &mut String| {
            if !to.is_empty() && !to.ends_with('\n') {
                to.push('\n');
            }
            to.push_str(text);
            if !text.is_empty() {
                to.push('\n');
            }
        });
    }

    fn text(&mut self, text: &str) {
        self.add(&|to: &mut String| {
            if text.is_empty() {
                while !to.is_empty() && !to.ends_with("\n\n") {
                    to.push('\n');
                }
            } else {
                if !to.is_empty() && !to.ends_with('\n') {
                    to.push(' ');
                }
                to.push_str(text);
            }
        });
    }

    /// Adds to what is being described.
    fn add(&mut self, add: &dyn Fn(&mut String)) {
        match &self.section {
            Section::Description => add(&mut self.documentation.description),
            Section::Result => add(&mut self.documentation.result),
            Section::Dropped => {}
            Section::Parameters(names) => {
                for name in names.clone() {
                    add(&mut self.documentation.parameter_mut(&name).text);
                }
            }
        }
    }
}

/// Where the next of the tags that may stand within a line begins.
fn next_tag(text: &str) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).find(|&at| {
        let starts = text[..at].chars().next_back().is_none_or(char::is_whitespace);
        let known = |name| {
            let ours = matches!(name, "encoding" | "deadline" | "idempotent" | "lossy" | "export" | "ordinal");
            ours || matches!(name, "param" | "return" | "returns") || TagKind::of(name).is_some()
        };
        starts && command(&text[at..]).is_some_and(|(name, _)| known(name))
    })
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::interface::Encoding;

    use super::*;

    #[test]
    fn a_comment_is_text_and_tags() {
        let read = read(
            "/**\n * @brief Reads a card.\n *\n * The \\p port is opened.\n * @param[in]  port  The port,\n *   from 1.\n \
             * @param[out] text  Its text. @length size @encoding gbk\n * @param[in,out] size Bytes.\n * @return Zero, \
             or\n *  an error.\n * @retval 5 no card\n * @idempotent\n * @deadline 1.5s\n * @encoding windows-1252\n */",
        );
        assert_eq!(read.description, "Reads a card.\n\nThe port is opened.");
        assert_eq!(read.result, "Zero, or an error.\n5: no card");
        assert_eq!(read.parameter("port").expect("it is there").text, "The port, from 1.");
        assert_eq!(read.parameter("size").expect("it is there").direction, Some(Direction::InOut));
        let text = read.parameter("text").expect("it is there");
        assert_eq!((text.direction, &*text.text), (Some(Direction::Out), "Its text."));
        assert!(read.idempotent);
        assert_eq!(read.deadline_ms, Some(1500));
        assert_eq!(read.encoding, Some(Encoding::CodePage("windows-1252".to_owned())));
    }

    #[test]
    fn line_comments_and_backslashes_are_read_too() {
        let read = read("/// \\brief Adds.\n/// \\param a the one\n///\n/// \\encoding gbk");
        assert_eq!(read.description, "Adds.");
        assert_eq!(read.parameter("a").expect("it is there").text, "the one");
        assert_eq!(read.encoding, Some(Encoding::CodePage("gbk".to_owned())));
    }

    #[test]
    fn what_is_wrong_in_a_tag_is_told() {
        assert_eq!(read("/** @deadline soon */").problems.len(), 1);
        assert_eq!(read("/** @encoding klingon */").problems.len(), 1);
        assert_eq!(read("/** @param[up] a text */").problems.len(), 1);
    }
}
