//! The languages of the pages. Templates are written in English; `locales/zh` has each of their texts in Chinese, once: a file a page,
//! and one for the words of several.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English, in which the templates are written.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

/// What `locales/zh` has.
static CHINESE: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    // They are part of the program: a test reads them, too.
    FILES.iter().flat_map(|(_, text)| toml::from_str::<HashMap<String, String>>(text).unwrap_or_default()).collect()
});

const FILES: &[(&str, &str)] = &[
    ("agents", include_str!("../../locales/zh/agents.toml")),
    ("calls", include_str!("../../locales/zh/calls.toml")),
    ("errors", include_str!("../../locales/zh/errors.toml")),
    ("frame", include_str!("../../locales/zh/frame.toml")),
    ("function", include_str!("../../locales/zh/function.toml")),
    ("keys", include_str!("../../locales/zh/keys.toml")),
    ("libraries", include_str!("../../locales/zh/libraries.toml")),
    ("overview", include_str!("../../locales/zh/overview.toml")),
    ("search", include_str!("../../locales/zh/search.toml")),
    ("words", include_str!("../../locales/zh/words.toml")),
];

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its tag (BCP 47), as `lang` of a page has it.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// What it calls itself.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// The language of that tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// The one that a browser prefers (RFC 9110, §12.5.4); English if it speaks neither.
    pub fn preferred(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
        let mut best = (0.0, Self::English);
        for range in lines.flat_map(|line| line.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            let language = Self::of_tag(tag.split('-').next().unwrap_or_default());
            if let Some(language) = language.filter(|_| quality > best.0) {
                best = (quality, language);
            }
        }
        best.1
    }

    /// An English text in this language; as it is where it has no translation.
    pub fn say(self, english: &str) -> &str {
        match self {
            Self::English => english,
            Self::Chinese => CHINESE.get(english).map_or(english, String::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::error::Code;

    /// The texts that go through a filter that translates, or through [`Language::say`], in the files below a folder: literals
    /// before `|t` and `|count`, and those that Rust marks with `text!`.
    fn texts(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                texts(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let is_template = path.extension().is_some_and(|ending| ending == "html");
            let literals = if is_template { literals_of_template(&text) } else { marked(&text) };
            found.extend(literals);
        }
    }

    /// String literals of a template that are followed by `|t`, and the arguments of `|count(…)`.
    fn literals_of_template(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        // Texts have braces of their own.
        let within = |open: &'static str, close: &'static str| {
            text.split(open).skip(1).map(move |rest| rest.split(close).next().unwrap_or_default())
        };
        for tag in within("{{ ", " }}").chain(within("{% ", " %}")) {
            for (index, part) in tag.split('"').enumerate().filter(|(index, _)| index % 2 == 1) {
                let rest: String = tag.split('"').skip(index + 1).collect::<Vec<_>>().join("\"");
                let before: String = tag.split('"').take(index).collect::<Vec<_>>().join("\"");
                let is_counted = before.rfind("count(").is_some_and(|start| !before[start..].contains(')'));
                if rest.starts_with("|t") || is_counted {
                    found.push(part.to_owned());
                }
            }
        }
        found
    }

    fn marked(text: &str) -> Vec<String> {
        let literal = |rest: &str| Some(rest.split_once('"')?.1.split_once('"')?.0.to_owned());
        // Tests speak of the macro, and of texts that no page says.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        code.split("text!(").skip(1).filter_map(literal).collect()
    }

    fn used() -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        texts(&root.join("templates"), &mut found);
        texts(&root.join("src/dashboard"), &mut found);
        // The titles of problems are those of pages, too.
        found.extend(Code::ALL.iter().map(|code| code.title().to_owned()));
        found
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
    }

    #[test]
    fn every_text_has_a_translation_with_the_same_values_in_it() {
        let mut known = HashMap::new();
        for (name, text) in FILES {
            let texts: HashMap<String, String> = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            for (english, chinese) in texts {
                let other = known.insert(english.clone(), chinese);
                assert!(other.is_none(), "{name} and another file translate `{english}`: move it to words.toml");
            }
        }
        let used = used();
        let missing: Vec<&String> = used.iter().filter(|text| !known.contains_key(*text)).collect();
        assert!(missing.is_empty(), "locales/zh lacks: {missing:#?}");
        let idle: Vec<&String> = known.keys().filter(|text| !used.contains(*text)).collect();
        assert!(idle.is_empty(), "locales/zh has what no page says: {idle:#?}");
        for (english, chinese) in &known {
            assert_eq!(placeholders(english), placeholders(chinese), "{english}");
        }
    }

    #[test]
    fn a_browser_gets_the_language_that_it_prefers() {
        let of =
            |accept: &str| Language::preferred(&HeaderMap::from_iter([(ACCEPT_LANGUAGE, accept.parse().unwrap())]));
        assert_eq!(Language::preferred(&HeaderMap::new()), Language::English);
        for accept in ["zh-CN,zh;q=0.9,en;q=0.8", "ZH", "fr, zh;q=0.5, en;q=0.4", "zh-Hant-TW"] {
            assert_eq!(of(accept), Language::Chinese, "{accept}");
        }
        for accept in ["", "en-US,en;q=0.9,zh;q=0.8", "de", "zh;q=0", "zh;q=0.1,en;q=0.2", ";;,q="] {
            assert_eq!(of(accept), Language::English, "{accept}");
        }
    }
}
