//! Mangled names of C++ and Rust as their source would say them.
//!
//! Names come from files that may be hostile, and the demanglers are not written for that: they recurse over the name, and
//! back-references let a short name expand exponentially. So the length, the nesting and the output are limited here,
//! and a name beyond the limits simply has no demangled form.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use crate::decoration::Decoration;
use crate::model::Export;

/// Longest name that is demangled, in bytes.
const MAX_INPUT: usize = 4096;
/// Longest MSVC name, in bytes: that demangler recurses without a limit of its own.
const MAX_MSVC_INPUT: usize = 1024;
/// Longest MSVC name that is demangled on the caller's stack, in bytes.
const MSVC_ON_THIS_STACK: usize = 64;
/// Stack for the longer ones, in bytes.
const STACK: usize = 16 * 1024 * 1024;
/// Most digits in an MSVC name. Digits are its back-references; each can repeat what came before.
const MAX_MSVC_DIGITS: usize = 24;
/// Longest result, in bytes.
const MAX_OUTPUT: usize = 16 * 1024;
/// Recursion limit given to the Itanium demangler.
const MAX_DEPTH: u32 = 96;
/// Time for all names of one file; real libraries take some milliseconds.
const TIME: Duration = Duration::from_secs(5);
/// Length of all results of one file, in bytes.
const MAX_TOTAL: usize = 64 * 1024 * 1024;

/// The demangled form of an MSVC (`?f@@YAHH@Z`), Itanium (`_Z1fi`) or Rust (`_R…`, `_ZN…17h…E`) name. `None` for other names,
/// and for names that are malformed or too large.
pub fn demangle(name: &str) -> Option<String> {
    if needs_stack(name) { on_large_stack(|| demangle_here(name)).flatten() } else { demangle_here(name) }
}

/// Fills in the demangled names of one file.
pub(crate) fn fill(exports: &mut [Export]) {
    let deadline = Instant::now() + TIME;
    let mut total = 0usize;
    let mut fill_those = |exports: &mut [Export], large: bool| {
        for export in exports {
            let Some(name) = export.name.as_deref().filter(|name| is_mangled(name)) else { continue };
            if needs_stack(name) != large || total > MAX_TOTAL || Instant::now() > deadline {
                continue;
            }
            export.demangled = demangle_here(name);
            total += export.demangled.as_ref().map_or(0, String::len);
        }
    };
    fill_those(exports, false);
    if exports.iter().any(|export| export.name.as_deref().is_some_and(needs_stack)) {
        on_large_stack(|| fill_those(exports, true));
    }
}

fn is_mangled(name: &str) -> bool {
    matches!(name.as_bytes(), [b'?', ..] | [b'_', b'Z' | b'R', ..] | [b'_', b'_', b'Z' | b'R', ..] | [b'@', b'?', ..])
}

fn needs_stack(name: &str) -> bool {
    name.starts_with('?') && name.len() > MSVC_ON_THIS_STACK
}

/// Runs `work` on a thread with a large stack; `None` if there can be no such thread.
fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("demangle".into()).stack_size(STACK).spawn_scoped(scope, work);
        thread.ok()?.join().ok()
    })
}

fn demangle_here(name: &str) -> Option<String> {
    if name.len() > MAX_INPUT || !is_mangled(name) {
        return None;
    }
    // The demanglers index and calculate with what the name says; a panic of theirs means no more than "malformed".
    let demangled = catch_unwind(AssertUnwindSafe(|| if name.starts_with('?') { msvc(name) } else { unix(name) }));
    demangled.ok().flatten().filter(|text| !text.is_empty() && text.len() <= MAX_OUTPUT && text != name)
}

fn msvc(name: &str) -> Option<String> {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    if name.len() > MAX_MSVC_INPUT || digits > MAX_MSVC_DIGITS || !name.is_ascii() {
        return None;
    }
    msvc_demangler::demangle(name, msvc_demangler::DemangleFlags::llvm()).ok()
}

fn unix(name: &str) -> Option<String> {
    // Compilers for i386 Windows decorate mangled names too: `_ZN3fooEv@4`, and `__Z1fv` with the C underscore.
    let decorated = Decoration::parse_certain(name).map(|decoration| decoration.bare);
    let name = decorated.as_deref().unwrap_or(name);
    let name = if name.starts_with("__") { &name[1..] } else { name };
    rust(name).or_else(|| itanium(name))
}

fn rust(name: &str) -> Option<String> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Bounded::default();
    // The alternate form leaves the hash out.
    std::fmt::write(&mut text, format_args!("{demangled:#}")).ok()?;
    Some(text.0)
}

fn itanium(name: &str) -> Option<String> {
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(MAX_DEPTH);
    let symbol = cpp_demangle::Symbol::new_with_options(name.as_bytes(), &parse).ok()?;
    let options = cpp_demangle::DemangleOptions::default().recursion_limit(MAX_DEPTH);
    let mut text = Bounded::default();
    symbol.structured_demangle(&mut text, &options).ok()?;
    Some(text.0)
}

/// Text that refuses to grow beyond [`MAX_OUTPUT`].
#[derive(Default)]
struct Bounded(String);

impl std::fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > MAX_OUTPUT {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(name: &str) -> String {
        demangle(name).unwrap_or_default()
    }

    #[test]
    fn each_scheme_is_read() {
        assert_eq!(text("?f@@YAHH@Z"), "int __cdecl f(int)");
        assert_eq!(text("?Add@Calc@@QAEHHH@Z"), "public: int __thiscall Calc::Add(int, int)");
        assert_eq!(text("_Z1fi"), "f(int)");
        assert_eq!(text("_ZN4calc3AddEii@8"), "calc::Add(int, int)");
        assert_eq!(text("__Z1fi"), "f(int)");
        assert_eq!(text("_ZN4core3fmt5write17h0123456789abcdefE"), "core::fmt::write");
        assert_eq!(text("_RNvC6_123foo3bar"), "123foo::bar");
    }

    #[test]
    fn other_names_have_no_demangled_form() {
        for name in ["crc32", "_open", "_Zebra", "?", "??", "_R", "__R", "", "R", "Reset", "?ü@@YAXXZ"] {
            assert_eq!(demangle(name), None, "{name}");
        }
    }

    #[test]
    fn deep_nesting_is_survived() {
        let pointers = |n| format!("?f@@YAX{}H@Z", "PA".repeat(n));
        for n in [40, 200, 480, 5000] {
            let _ = demangle(&pointers(n));
        }
        let templates = format!("?f@@YAX{}H{}@Z", "V?$A@".repeat(190), "@@".repeat(30));
        let _ = demangle(&templates);
        let _ = demangle(&format!("?{}", "?$A@".repeat(250)));
        let _ = demangle(&format!("?f@@3{}HA", "Y0".repeat(400)));
        let _ = demangle(&format!("_Z1f{}i", "P".repeat(4000)));
        let _ = demangle(&format!("_ZN{}E", "1aIiE".repeat(700)));
    }

    #[test]
    fn expansion_is_bounded() {
        // Each template names the one before it twice.
        let mut name = String::from("_Z1fSt4pairIiiE");
        for _ in 0..30 {
            name.push_str("St4pairIS_S_E");
        }
        let _ = demangle(&name);
        let doubling = (0..9).fold(String::from("?f@@YAX"), |name, n| format!("{name}P6A{n}{n}@Z"));
        let _ = demangle(&(doubling + "@Z"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_msvc_like_name_is_survived(rest in "[?@$A-Z0-9_a-c]{0,80}") { let _ = demangle(&format!("?{rest}")); }

        #[test]
        fn any_itanium_like_name_is_survived(rest in "[A-Z0-9_a-z]{0,80}") {
            let _ = demangle(&format!("_Z{rest}"));
            let _ = demangle(&format!("_R{rest}"));
        }
    }
}
