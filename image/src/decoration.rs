//! Decorated C names of i386 Windows: what `_f@8` says about the calling convention and the arguments.
//!
//! Source: Microsoft, "Decorated names", section "Format of a C decorated name". The forms exist on i386 only; on 64 bits
//! a C name is not decorated (except for `__vectorcall`).

use serde::{Deserialize, Serialize};

/// What a decorated C name says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Decoration {
    /// The calling convention.
    pub convention: Convention,
    /// Bytes of arguments on the stack and in registers together, each argument rounded up to 4; cdecl does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argument_bytes: Option<u32>,
    /// The name without the decoration, as the C source has it.
    pub bare: String,
}

/// A calling convention that a decorated name can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// `__cdecl`: the caller removes the arguments.
    Cdecl,
    /// `__stdcall`: the callee removes the arguments.
    Stdcall,
    /// `__fastcall`: two arguments in ecx and edx, the callee removes the rest.
    Fastcall,
    /// `__vectorcall`.
    Vectorcall,
}

/// Largest argument size taken for a decoration, in bytes: `ret n` has 16 bits.
const MAX_ARGUMENT_BYTES: u32 = 0xffff;

impl Decoration {
    /// Reads `name` as a decorated name: `_f@8` and `f@8` (as MinGW exports it) are stdcall, `@f@8` is fastcall,
    /// `f@@8` is vectorcall, `_f` is cdecl. `None` for other names, C++ and Rust names included.
    ///
    /// A leading underscore alone is weak evidence in an export table: `_lopen` of kernel32 is that function's plain name.
    /// See [`Decoration::parse_certain`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::parse_certain(name).or_else(|| {
            let bare = name.strip_prefix('_').filter(|bare| is_identifier(bare) && !is_mangled(name))?;
            Some(Self { convention: Convention::Cdecl, argument_bytes: None, bare: bare.to_owned() })
        })
    }

    /// Like [`Decoration::parse`], but only the forms that state the bytes of arguments and so leave no doubt.
    pub fn parse_certain(name: &str) -> Option<Self> {
        if name.starts_with('?') {
            return None;
        }
        let (head, digits) = name.rsplit_once('@')?;
        let bytes = parse_bytes(digits)?;
        let (convention, bare) = if let Some(bare) = head.strip_suffix('@') {
            (Convention::Vectorcall, bare)
        } else if let Some(bare) = head.strip_prefix('@') {
            (Convention::Fastcall, bare)
        } else if let Some(bare) = head.strip_prefix('_').filter(|bare| !bare.is_empty() && !is_mangled(head)) {
            (Convention::Stdcall, bare)
        } else {
            (Convention::Stdcall, head)
        };
        is_identifier(bare).then(|| Self { convention, argument_bytes: Some(bytes), bare: bare.to_owned() })
    }

    /// True if the name stated the bytes of arguments.
    pub fn is_certain(&self) -> bool {
        self.argument_bytes.is_some()
    }
}

/// `_Z…` of C++ and `_R…` of Rust: the underscore belongs to the mangling.
fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z") || name.starts_with("_RN") || name.starts_with("_RI") || name.starts_with("_RM")
}

fn parse_bytes(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    // Arguments take whole stack slots of 4 bytes.
    digits.parse().ok().filter(|bytes| plain && bytes % 4 == 0 && *bytes <= MAX_ARGUMENT_BYTES)
}

/// Letters, digits, `_`, `$`, and what is beyond ASCII; no digit first.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$' || !c.is_ascii();
    characters.next().is_some_and(letter) && characters.all(|c| letter(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> Option<(Convention, Option<u32>, String)> {
        Decoration::parse(name).map(|d| (d.convention, d.argument_bytes, d.bare))
    }

    #[test]
    fn each_form_is_read() {
        assert_eq!(parsed("_Add@8"), Some((Convention::Stdcall, Some(8), "Add".into())));
        assert_eq!(parsed("Add@8"), Some((Convention::Stdcall, Some(8), "Add".into())));
        assert_eq!(parsed("@Add@8"), Some((Convention::Fastcall, Some(8), "Add".into())));
        assert_eq!(parsed("Add@@16"), Some((Convention::Vectorcall, Some(16), "Add".into())));
        assert_eq!(parsed("_Add"), Some((Convention::Cdecl, None, "Add".into())));
        assert_eq!(parsed("__lopen@8"), Some((Convention::Stdcall, Some(8), "_lopen".into())));
        assert_eq!(parsed("_f@0"), Some((Convention::Stdcall, Some(0), "f".into())));
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in ["Add", "?f@@YAHH@Z", "f@", "@8", "f@7", "f@08", "f@99999999", "f@-4", "a b@4", "_Z1fi", ""] {
            assert_eq!(parsed(name), None, "{name}");
        }
        // The underscore is part of the C++ name.
        assert_eq!(parsed("_Z1fi@4"), Some((Convention::Stdcall, Some(4), "_Z1fi".into())));
    }

    #[test]
    fn an_underscore_alone_is_not_certain() {
        assert!(Decoration::parse_certain("_open").is_none());
        assert!(Decoration::parse_certain("_open@12").is_some_and(|d| d.is_certain()));
    }
}
