//! C++ types, as demangled names spell them, in C: references are pointers, classes are opaque structures.

/// A type in C, around the name that it declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CType {
    /// What stands before the name.
    before: String,
    /// What stands behind it.
    after: String,
}

impl CType {
    fn plain(text: impl Into<String>) -> Self {
        Self { before: text.into(), after: String::new() }
    }

    /// The declaration of `name` with this type.
    pub(super) fn declare(&self, name: &str) -> String {
        let space = if self.before.ends_with('*') { "" } else { " " };
        format!("{}{space}{name}{}", self.before, self.after)
    }
}

/// Makes types, and remembers the structures that they need.
#[derive(Debug, Default)]
pub(super) struct Types {
    /// Tags of opaque structures, in the order of their first use.
    pub(super) structures: Vec<String>,
}

/// The deepest nesting of function pointers.
const MAX_DEPTH: usize = 8;

impl Types {
    /// A type that stands for itself, or `None` for `void`.
    ///
    /// # Errors
    /// Why C cannot say it, in words.
    pub(super) fn parameter(&mut self, text: &str) -> Result<Option<CType>, String> {
        if text.trim() == "void" { Ok(None) } else { self.read(text, 0).map(Some) }
    }

    /// The type of a result.
    ///
    /// # Errors
    /// Why C cannot say it, in words.
    pub(super) fn result(&mut self, text: &str) -> Result<CType, String> {
        let ty = self.read(text, 0)?;
        if ty.after.is_empty() { Ok(ty) } else { Err(format!("it returns {}", text.trim())) }
    }

    /// A pointer to the structure that stands for a class.
    pub(super) fn class(&mut self, name: &str, constant: bool) -> String {
        let tag = self.tag(name);
        format!("{}struct {tag} *", if constant { "const " } else { "" })
    }

    fn tag(&mut self, name: &str) -> String {
        let tag = identifier(name);
        if !self.structures.contains(&tag) {
            self.structures.push(tag.clone());
        }
        tag
    }

    fn read(&mut self, text: &str, depth: usize) -> Result<CType, String> {
        let text = text.trim();
        if depth > MAX_DEPTH {
            return Err("its types are nested too deeply".to_owned());
        }
        if let Some(open) = top_level(text, '(') {
            return self.function_pointer(text, open, depth);
        }
        if text.contains('[') {
            return Err(format!("{text} is an array"));
        }
        let (base, pointers) = pointers(text);
        let (base, constant) = constness(base);
        let word = self.base(&base, pointers > 0)?;
        let constant = if constant && pointers > 0 { "const " } else { "" };
        let space = if pointers > 0 { " " } else { "" };
        Ok(CType::plain(format!("{constant}{word}{space}{}", "*".repeat(pointers))))
    }

    /// `void (__cdecl *)(int)`
    fn function_pointer(&mut self, text: &str, open: usize, depth: usize) -> Result<CType, String> {
        let cannot = || format!("{text} cannot be said in C so simply");
        let close = closing(text, open).ok_or_else(cannot)?;
        let inner = text[open + 1..close].trim();
        let keyword = inner.strip_suffix('*').ok_or_else(cannot)?.trim();
        let rest = text[close + 1..].trim();
        let list = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(cannot)?;
        if !(keyword.is_empty() || matches!(keyword, "__cdecl" | "__stdcall" | "__fastcall")) {
            return Err(cannot());
        }
        let result = self.read(&text[..open], depth + 1)?;
        let mut parameters = Vec::new();
        for part in split(list) {
            match part {
                "void" | "" => {}
                "..." => return Err(cannot()),
                part => {
                    let ty = self.read(part, depth + 1)?;
                    parameters.push(ty.declare("").trim_end().to_owned());
                }
            }
        }
        let list = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
        let space = if keyword.is_empty() { "" } else { " " };
        if !result.after.is_empty() {
            return Err(cannot());
        }
        Ok(CType { before: format!("{} ({keyword}{space}*", result.before), after: format!(")({list})") })
    }

    fn base(&mut self, text: &str, pointed: bool) -> Result<String, String> {
        if let Some(word) = builtin(text) {
            return if word == "void" && !pointed { Ok("void".to_owned()) } else { Ok(word.to_owned()) };
        }
        if text.starts_with("enum ") {
            return Ok("int".to_owned());
        }
        let name = ["class ", "struct ", "union "].iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text);
        let nameable = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        match (nameable, pointed) {
            (false, _) => Err(format!("{text} is no type of C")),
            (true, true) => Ok(format!("struct {}", self.tag(name))),
            (true, false) => Err(format!("{name} is passed by value, and its members are not known")),
        }
    }
}

/// The name in C of a type that both languages have.
fn builtin(text: &str) -> Option<&'static str> {
    Some(match text {
        "void" => "void",
        "bool" => "bool",
        "char" => "char",
        "signed char" => "signed char",
        "unsigned char" => "unsigned char",
        "wchar_t" => "wchar_t",
        "short" => "short",
        "unsigned short" => "unsigned short",
        // By these names they are text.
        "char16_t" => "char16_t",
        "char32_t" => "char32_t",
        "int" => "int",
        "unsigned int" | "unsigned" => "unsigned int",
        "long" => "long",
        "unsigned long" => "unsigned long",
        "long long" | "__int64" => "long long",
        "unsigned long long" | "unsigned __int64" => "unsigned long long",
        "float" => "float",
        "double" => "double",
        _ => return None,
    })
}

/// Takes the pointers and references off the end, and counts them.
fn pointers(text: &str) -> (&str, usize) {
    let (mut rest, mut count) = (text.trim(), 0);
    loop {
        let before = rest;
        for word in ["__ptr64", "__restrict", "restrict"] {
            rest = rest.strip_suffix(word).unwrap_or(rest).trim_end();
        }
        // `const` behind a pointer is about the pointer itself; behind a name it stays.
        if let Some(shorter) = rest.strip_suffix("const").or_else(|| rest.strip_suffix("volatile"))
            && shorter.trim_end().ends_with(['*', '&'])
        {
            rest = shorter.trim_end();
        }
        if let Some(shorter) = rest.strip_suffix("&&").or_else(|| rest.strip_suffix(['*', '&'])) {
            rest = shorter.trim_end();
            count += 1;
        }
        if rest == before {
            return (rest, count);
        }
    }
}

/// The type without `const` and `volatile`, and whether there was a `const`.
fn constness(text: &str) -> (String, bool) {
    let mut constant = false;
    let mut rest = text.trim();
    loop {
        let before = rest;
        for (word, is_const) in [("const", true), ("volatile", false)] {
            let prefix = rest.strip_prefix(word).filter(|rest| rest.starts_with(' '));
            let suffix = rest.strip_suffix(word).filter(|rest| rest.ends_with(' '));
            if let Some(shorter) = prefix.or(suffix) {
                rest = shorter.trim();
                constant |= is_const;
            }
        }
        if rest == before {
            return (rest.to_owned(), constant);
        }
    }
}

/// The first `wanted` outside of angle brackets and parentheses.
pub(super) fn top_level(text: &str, wanted: char) -> Option<usize> {
    let (mut angles, mut round) = (0_usize, 0_usize);
    for (at, c) in text.char_indices() {
        if c == wanted && angles == 0 && round == 0 {
            return Some(at);
        }
        match c {
            '<' => angles += 1,
            '>' => angles = angles.saturating_sub(1),
            '(' => round += 1,
            ')' => round = round.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Where the parenthesis at `open` is closed.
pub(super) fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text[open..].char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(open + at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts of a list.
pub(super) fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), list);
    while let Some(comma) = top_level(rest, ',') {
        parts.push(rest[..comma].trim());
        rest = &rest[comma + 1..];
    }
    parts.push(rest.trim());
    parts
}

/// Letters, digits and single underscores of a C++ name.
pub(super) fn identifier(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            text.push(c);
        } else if !text.ends_with('_') {
            text.push('_');
        }
    }
    let text = text.trim_end_matches('_');
    let text = if text.is_empty() { "_" } else { text };
    if text.starts_with(|c: char| c.is_ascii_digit()) { format!("_{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Result<String, String> {
        let mut types = Types::default();
        types.parameter(text).map(|ty| ty.map_or_else(String::new, |ty| ty.declare("a")))
    }

    #[test]
    fn types_that_both_languages_have_are_kept() {
        for (cpp, c) in [
            ("int", "int a"),
            ("unsigned __int64", "unsigned long long a"),
            ("char const *", "const char *a"),
            ("char const*", "const char *a"),
            ("const wchar_t *const", "const wchar_t *a"),
            ("double *", "double *a"),
            ("void *", "void *a"),
            ("int &", "int *a"),
            ("int const &", "const int *a"),
            ("void", ""),
            ("enum Color", "int a"),
        ] {
            assert_eq!(declared(cpp), Ok(c.to_owned()), "{cpp}");
        }
    }

    #[test]
    fn classes_are_opaque_structures_behind_pointers() {
        let mut types = Types::default();
        let mut declare = |text: &str| types.parameter(text).map(|ty| ty.unwrap().declare("a"));
        assert_eq!(declare("class ns::Calc *"), Ok("struct ns_Calc *a".into()));
        assert_eq!(declare("class ns::Calc const &"), Ok("const struct ns_Calc *a".into()));
        assert_eq!(declare("class std::vector<int, class A> **"), Ok("struct std_vector_int_class_A **a".into()));
        assert!(declare("class ns::Calc").unwrap_err().contains("ns::Calc is passed by value"));
        assert!(declare("Point").unwrap_err().contains("by value"));
        assert_eq!(types.structures, ["ns_Calc", "std_vector_int_class_A"]);
    }

    #[test]
    fn pointers_to_functions_go_around_the_name() {
        assert_eq!(declared("void (__cdecl *)(int, char const *)"), Ok("void (__cdecl *a)(int, const char *)".into()));
        assert_eq!(declared("int (*)(void)"), Ok("int (*a)(void)".into()));
        for hard in ["int (*)[3]", "void (__thiscall A::*)(int)", "int (__cdecl *(*)(int))(void)", "int (*)(int, ...)"]
        {
            assert!(declared(hard).is_err(), "{hard}");
        }
    }

    #[test]
    fn lists_are_split_outside_of_brackets() {
        assert_eq!(split("int, A<int, B<char>>, void (*)(int, int)"), ["int", "A<int, B<char>>", "void (*)(int, int)"]);
        assert_eq!(identifier("std::vector<int>::push"), "std_vector_int_push");
        assert_eq!(identifier("1a"), "_1a");
    }
}
