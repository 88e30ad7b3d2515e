//! Documentation comments: their text, and the tags that say what C cannot.
//!
//! Commands begin with `@` or `\`. Those of Doxygen that only mark up text leave the text; ours are `@encoding`,
//! `@idempotent`, `@deadline` and `@length`.

use bridge32_protocol::interface::{Direction, Encoding};

/// More tags in one line are text.
const MAX_TAGS: usize = 50;

/// What a comment says of a function.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Documentation {
    pub(crate) description: String,
    pub(crate) result: String,
    pub(crate) parameters: Vec<ParameterDocumentation>,
    /// `@encoding` of all strings.
    pub(crate) encoding: Option<Encoding>,
    /// `@length`: the parameter that it stands with, and what follows.
    pub(crate) lengths: Vec<(Option<String>, String)>,
    pub(crate) idempotent: bool,
    pub(crate) deadline_ms: Option<u64>,
    /// What was wrong.
    pub(crate) problems: Vec<String>,
}

/// What a comment says of a parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ParameterDocumentation {
    pub(crate) name: String,
    pub(crate) direction: Option<Direction>,
    pub(crate) text: String,
    pub(crate) encoding: Option<Encoding>,
}

impl Documentation {
    /// What it says of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&ParameterDocumentation> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn parameter_mut(&mut self, name: &str) -> &mut ParameterDocumentation {
        let index = self.parameters.iter().position(|parameter| parameter.name == name).unwrap_or_else(|| {
            self.parameters.push(ParameterDocumentation { name: name.to_owned(), ..Default::default() });
            self.parameters.len() - 1
        });
        &mut self.parameters[index]
    }
}

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
    let mut reader = Reader { documentation: Documentation::default(), section: Section::Description, depth: 0 };
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

/// The text of a comment that describes one thing only (`///< …`).
pub(crate) fn read_trailing(comment: &str) -> String {
    let lines: Vec<String> = plain_lines(comment).map(|line| markup(line.trim_start_matches('<').trim())).collect();
    lines.join(" ").trim().to_owned()
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
    /// How many tags precede this place in its line.
    depth: usize,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            // A paragraph's end ends what is said of a parameter or the result.
            if matches!(self.section, Section::Parameters(_) | Section::Result) {
                self.section = Section::Description;
            }
            self.text("");
            return;
        }
        let Some((command, rest)) = command(trimmed) else {
            self.inline(trimmed);
            return;
        };
        match command {
            "brief" | "short" | "details" => {
                self.section = Section::Description;
                self.inline(rest);
            }
            "param" => self.parameter(rest),
            "return" | "returns" | "result" => {
                self.section = Section::Result;
                self.inline(rest);
            }
            "retval" => {
                self.section = Section::Result;
                let (value, text) = word(rest);
                self.inline(&format!("{value}: {text}"));
            }
            "note" | "warning" | "attention" | "remark" | "remarks" | "deprecated" | "since" | "see" | "sa" | "pre"
            | "post" | "todo" | "bug" | "version" | "author" | "date" | "copyright" | "par" => {
                self.section = Section::Description;
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
            "code" | "endcode" | "verbatim" | "endverbatim" => {}
            _ => self.tag(command, rest, line),
        }
    }

    /// Our own tags at the start of a line: they speak of the function, or say which parameter they speak of.
    fn tag(&mut self, command: &str, rest: &str, line: &str) {
        match command {
            "encoding" => {
                let (first, second) = word(rest);
                let (name, label) = if second.is_empty() { (None, first) } else { (Some(first), second) };
                self.encoding(name.map(str::to_owned), label);
            }
            "idempotent" => self.documentation.idempotent = true,
            "deadline" => match duration_ms(rest) {
                Some(duration) => self.documentation.deadline_ms = Some(duration),
                None => self.documentation.problems.push(format!(
                    "“@deadline {rest}” is not a duration: write a number and ms, s or min, such as `@deadline 2s`"
                )),
            },
            "length" => {
                let last = match &self.section {
                    Section::Parameters(names) => names.last().cloned(),
                    _ => self.documentation.parameters.last().map(|parameter| parameter.name.clone()),
                };
                self.documentation.lengths.push((last, rest.to_owned()));
            }
            "frees" | "sensitive" | "handle" => {
                self.documentation.problems.push(format!("“@{command}” is not supported yet and was ignored"));
            }
            _ => self.inline(line.trim()),
        }
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
            Some(("length", rest)) => {
                let end = next_tag(rest).unwrap_or(rest.len());
                let length = rest[..end].trim().trim_end_matches(['.', ',']).to_owned();
                self.documentation.lengths.push((names.last().cloned(), length));
                self.inline(&rest[end..]);
            }
            // In the text of a parameter it is that parameter's.
            Some(("encoding", rest)) if !names.is_empty() => {
                let (label, after) = word(rest);
                self.encoding(names.last().cloned(), label);
                self.inline(after);
            }
            _ => self.line(text),
        }
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

    fn text(&mut self, text: &str) {
        let add = |to: &mut String| {
            if text.is_empty() {
                if !to.is_empty() && !to.ends_with("\n\n") {
                    to.push_str("\n\n");
                }
            } else {
                if !to.is_empty() && !to.ends_with('\n') {
                    to.push(' ');
                }
                to.push_str(text);
            }
        };
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

/// The command at the start of a line, and what follows.
fn command(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix(['@', '\\'])?;
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    (end > 0).then(|| (&rest[..end], rest[end..].trim_start()))
}

/// Where the next of the tags that may stand within a line begins.
fn next_tag(text: &str) -> Option<usize> {
    text.char_indices().map(|(at, _)| at).find(|&at| {
        let starts = text[..at].chars().next_back().is_none_or(char::is_whitespace);
        let known =
            |name| matches!(name, "length" | "encoding" | "param" | "return" | "returns" | "deadline" | "idempotent");
        starts && command(&text[at..]).is_some_and(|(name, _)| known(name))
    })
}

/// The first word, and the rest.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// Leaves out the commands that only change the type face: `@p name`, `\c code`.
fn markup(text: &str) -> String {
    let mut output = Vec::new();
    for word in text.split_whitespace() {
        let inner = word.strip_prefix(['@', '\\']);
        if !matches!(inner, Some("p" | "c" | "a" | "b" | "e" | "em" | "ref" | "n")) {
            output.push(word);
        }
    }
    output.join(" ")
}

fn duration_ms(text: &str) -> Option<u64> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" | "min" => 60_000.0,
        _ => return None,
    };
    let number: f64 = text[..unit].parse().ok()?;
    let duration = (number * factor).round();
    // Bounded by a day, so the conversion is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within 1 and a day")]
    (1.0..=86_400_000.0).contains(&duration).then_some(duration as u64)
}

/// The encoding of a WHATWG label, or of a Windows code page.
fn encoding(label: &str) -> Option<Encoding> {
    let label = label.to_ascii_lowercase();
    let page = label.strip_prefix("cp").unwrap_or(&label);
    let label = match page {
        "65001" => "utf-8",
        "936" => "gbk",
        "932" => "shift_jis",
        "949" => "euc-kr",
        "950" => "big5",
        _ => &*label,
    };
    match label {
        "wide" | "wchar_t" => return Some(Encoding::Wide),
        "utf16" => return Some(Encoding::Utf16),
        _ => {}
    }
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    if encoding == encoding_rs::UTF_8 {
        Some(Encoding::Utf8)
    } else if encoding == encoding_rs::UTF_16LE {
        Some(Encoding::Utf16)
    } else if encoding == encoding_rs::UTF_16BE || encoding == encoding_rs::REPLACEMENT {
        None
    } else {
        Some(Encoding::CodePage(encoding.name().to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_text_and_tags() {
        let read = read(
            "/**\n * @brief Reads a card.\n *\n * The \\p port is opened.\n * @param[in]  port  The port,\n *   from 1.\n \
             * @param[out] text  Its text. @length size @encoding gbk\n * @param[in,out] size Bytes.\n * @return Zero, \
             or\n *  an error.\n * @retval 5 no card\n * @idempotent\n * @deadline 1.5s\n * @encoding windows-1252\n */",
        );
        assert_eq!(read.description, "Reads a card.\n\nThe port is opened.");
        assert_eq!(read.result, "Zero, or an error. 5: no card");
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
