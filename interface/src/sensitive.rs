//! Which values are sensitive: those whose names say so, and those that the configuration lists. They are marked in the
//! interface, as `@sensitive` in a header marks them; whoever writes an error text, a log or a record looks at the marks.

use bridge32_protocol::interface::{Function, Interface, Type};

/// The names that are taken for sensitive where nobody says which.
pub const DEFAULT_NAMES: [&str; 16] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "pin",
    "puk",
    "otp",
    "cvv",
    "cvc",
    "credential",
    "api_key",
    "private_key",
    "security_code",
];

/// What Hungarian notation writes before a name without a capital behind it: `szpin`, `lpszpassword`.
const PREFIXES: [&str; 12] =
    ["sz", "psz", "lpsz", "wsz", "pwsz", "lpwsz", "str", "bstr", "lpstr", "lpcstr", "lpwstr", "lpcwstr"];

/// A name of so many letters is also found behind one letter more (`ppassword`): shorter ones are parts of common words.
const LONG: usize = 5;

/// A part of a name that stands for itself has so many letters: `p_in` is no PIN.
const SHORTEST_PART: usize = 2;

/// Which values are to be marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// In lower case, without what separates their words.
    names: Vec<String>,
    listed: Vec<String>,
}

impl Default for Marks {
    /// The default names, and nothing else.
    fn default() -> Self {
        Self::new(&DEFAULT_NAMES, Vec::new())
    }
}

impl Marks {
    /// `names` are looked for among the words of every name. `listed` has exact ones: `name` wherever it stands,
    /// `Function.parameter`, `Structure.member`, `Function.return`, and `Function....` for the arguments behind the last
    /// parameter.
    pub fn new<S: AsRef<str>>(names: &[S], listed: Vec<String>) -> Self {
        let names = names.iter().map(|name| words(name.as_ref()).concat()).filter(|name| !name.is_empty());
        Self { names: names.collect(), listed }
    }

    /// The words that make a name sensitive, in lower case and without what separates their parts.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The exact names that are listed.
    pub fn listed(&self) -> &[String] {
        &self.listed
    }

    /// Whether a word of this name is a sensitive one: `szPin`, `user_pin` and `PINCode` for `pin`, but not `spinning`.
    pub fn matches(&self, name: &str) -> bool {
        let words = words(name);
        self.names.iter().any(|sensitive| {
            words.iter().any(|word| is_word(word, sensitive))
                || (0..words.len()).any(|first| is_joined(&words[first..], sensitive))
        })
    }

    /// Marks them, and gives those of the listed ones that are nowhere: nobody may believe them to be kept secret.
    pub fn apply(&self, interface: &mut Interface) -> Vec<&str> {
        let mut marker = Marker { marks: self, found: vec![false; self.listed.len()] };
        for function in &mut interface.functions {
            marker.function(function);
        }
        for variable in &mut interface.variables {
            variable.sensitive |= marker.is_sensitive("", &variable.name);
            marker.within(&mut variable.ty);
        }
        for (name, structure) in &mut interface.structures {
            for field in &mut structure.fields {
                field.sensitive |= marker.is_sensitive(name, &field.name);
                marker.within(&mut field.ty);
            }
        }
        let nowhere = self.listed.iter().zip(marker.found).filter(|(_, found)| !found);
        nowhere.map(|(listed, _)| listed.as_str()).collect()
    }
}

struct Marker<'m> {
    marks: &'m Marks,
    /// By listed name: it is there.
    found: Vec<bool>,
}

impl Marker<'_> {
    fn function(&mut self, function: &mut Function) {
        let Function { name: owner, parameters, result, .. } = function;
        for parameter in parameters {
            parameter.sensitive |= self.is_sensitive(owner, &parameter.name);
            self.within(&mut parameter.ty);
        }
        self.within(result);
        function.sensitive_result |= self.is_listed(&function.name, "return");
        function.sensitive_extra |= function.variadic && self.is_listed(&function.name, "...");
    }

    /// The parameters of callbacks.
    fn within(&mut self, ty: &mut Type) {
        match ty {
            Type::Pointer(pointer) => self.within(&mut pointer.to),
            Type::Array(array) => self.within(&mut array.of),
            Type::Callback(signature) => {
                for parameter in &mut signature.parameters {
                    parameter.sensitive |= self.is_sensitive("", &parameter.name);
                    self.within(&mut parameter.ty);
                }
            }
            Type::Void | Type::Scalar(_) | Type::Structure(_) | Type::Unsupported { .. } => {}
        }
    }

    fn is_sensitive(&mut self, owner: &str, name: &str) -> bool {
        // Both, so that all that is listed is found.
        let (alone, of_owner) = (self.is_listed("", name), !owner.is_empty() && self.is_listed(owner, name));
        alone || of_owner || self.marks.matches(name)
    }

    fn is_listed(&mut self, owner: &str, name: &str) -> bool {
        let same = |listed: &str| match owner {
            "" => listed == name && !name.is_empty(),
            _ => listed.split_once('.').is_some_and(|pair| pair == (owner, name)),
        };
        let mut any = false;
        for (_, found) in self.marks.listed.iter().zip(&mut self.found).filter(|(listed, _)| same(listed)) {
            *found = true;
            any = true;
        }
        any
    }
}

/// Whether a word, in lower case, is that one, in the plural or behind a prefix.
fn is_word(word: &str, sensitive: &str) -> bool {
    let is = |word: &str| word == sensitive || word.strip_suffix('s') == Some(sensitive);
    let behind = |prefix: &&str| word.strip_prefix(*prefix).is_some_and(is);
    let one_letter = || {
        let mut letters = word.chars();
        letters.next().is_some() && sensitive.len() >= LONG && is(letters.as_str())
    };
    is(word) || PREFIXES.iter().any(behind) || one_letter()
}

/// Whether the first of these words are that one, taken apart: `api_key` for `apikey`.
fn is_joined(words: &[String], sensitive: &str) -> bool {
    let mut joined = String::new();
    for word in words.iter().take_while(|word| word.chars().count() >= SHORTEST_PART) {
        joined.push_str(word);
        if is_word(&joined, sensitive) {
            return true;
        }
        if joined.len() > sensitive.len() {
            break;
        }
    }
    false
}

/// The words of a name in lower case: `_` and digits stand between them, or a capital begins one (`szPin`, `PINCode`).
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let next = letters.get(index + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || (before.is_some_and(char::is_uppercase) && next.is_some_and(|next| next.is_lowercase())));
        if (begins || !letter.is_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphabetic() {
            word.extend(letter.to_lowercase());
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_sensitive_if_one_of_its_words_is() {
        let marks = Marks::default();
        for name in [
            "pin",
            "PIN",
            "szPin",
            "user_pin",
            "PINCode",
            "userPIN",
            "pin2",
            "Pins",
            "szpin",
            "lpszPassword",
            "pszpassword",
            "ppassword",
            "dwPin",
            "m_pin",
            "pin_",
            "passwd",
            "NewPwd",
            "apiKey",
            "api_key",
            "APIKEY",
            "APIKey",
            "szApiKey",
            "PrivateKey",
            "private_keys",
            "pass_phrase",
            "hToken",
            "clientSecret",
            "CREDENTIALS",
            "cvv2",
            "g_secret",
        ] {
            assert!(marks.matches(name), "{name}");
        }
        for name in [
            "spinning",
            "pinion",
            "mapping",
            "spin",
            "opinion",
            "pIn",
            "p_in",
            "pi_n",
            "shipping",
            "tokenizer",
            "key",
            "keys",
            "apix_key",
            "monkey",
            "pw",
            "compass",
            "secretary",
            "",
            "_",
            "x",
            "épinion",
            "arg0",
            "keypinned",
        ] {
            assert!(!marks.matches(name), "{name}");
        }
    }

    #[test]
    fn other_names_take_the_place_of_the_default_ones() {
        let marks = Marks::new(&["Blutgruppe", "tax_number", ""], Vec::new());
        assert!(marks.matches("szBlutgruppe") && marks.matches("taxNumber") && marks.matches("TAXNUMBER"));
        assert!(!marks.matches("pin") && !marks.matches("number") && !marks.matches("x"));
        assert!(!Marks::new::<&str>(&[], Vec::new()).matches("password"));
    }

    #[test]
    fn the_words_of_a_name_are_what_people_read() {
        let read = |name: &str| words(name).join(" ");
        for (name, expected) in [
            ("szUserName", "sz user name"),
            ("HTTPToken", "http token"),
            ("PIN", "pin"),
            ("PINCode2b", "pin code b"),
            ("a__b", "a b"),
            ("ÄrgerPin", "ärger pin"),
        ] {
            assert_eq!(read(name), expected);
        }
    }
}
