//! Values that are written as text: durations, sizes, encodings, paths; and what somebody may have meant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge32_protocol::interface::{Encoding, Int64};
use bridge32_protocol::target::Target;
use bridge32_protocol::wire::Dialect;

use super::LibraryFile;

/// `250ms`, `5s`, `2m`, `1h`.
///
/// # Errors
/// What a duration looks like.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds)) {
        Some(total) if total > 0 => Ok(Duration::from_millis(total)),
        _ => Err(format!("`{text}` is not a duration: write \"500ms\", \"5s\", \"2m\" or \"1h\"")),
    }
}

/// A duration as the configuration has it, in the largest unit that leaves a whole number.
pub(super) fn shown(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    match units.into_iter().find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None => format!("{milliseconds}ms"),
    }
}

/// `1000`, `64KiB`, `1.5GiB`, and with units of the powers of ten: `64MB`.
///
/// # Errors
/// What a size looks like.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let bytes = match unit {
        "" | "B" => number.parse().ok(),
        "KiB" => scaled(number, 1 << 10),
        "MiB" => scaled(number, 1 << 20),
        "GiB" => scaled(number, 1 << 30),
        "KB" | "kB" => scaled(number, 1000),
        "MB" => scaled(number, 1_000_000),
        "GB" => scaled(number, 1_000_000_000),
        _ => None,
    };
    bytes.ok_or_else(|| {
        format!("`{text}` is not a size: write a number of bytes, or \"64KiB\", \"64MiB\", \"1.5GiB\", \"2GB\"")
    })
}

/// A decimal number of a unit, in whole bytes.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // More digits than a unit has bytes say nothing.
    let places = u32::try_from(fraction.len()).ok().filter(|places| (1..=9).contains(places))?;
    let (whole, fraction): (u64, u64) = (whole.parse().ok()?, fraction.parse().ok()?);
    whole.checked_mul(unit)?.checked_add(fraction * unit / 10_u64.pow(places))
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// The compiler family whose ABI a library follows.
///
/// # Errors
/// That there is no such family.
pub(super) fn dialect(name: &str) -> Result<Dialect, String> {
    match name {
        "gnu" => Ok(Dialect::Gnu),
        "microsoft" => Ok(Dialect::Microsoft),
        _ => Err(format!("`{name}` is not known: it is \"gnu\" (GCC, MinGW, Clang) or \"microsoft\" (Visual C++)")),
    }
}

/// How 64-bit integers are answered.
///
/// # Errors
/// That there is no such form.
pub(super) fn int64(form: &str) -> Result<Int64, String> {
    match form {
        "number" => Ok(Int64::Number),
        "string" => Ok(Int64::String),
        _ => {
            Err(format!("`{form}` is not known: it is \"number\", or \"string\" for clients that round large numbers"))
        }
    }
}

/// An encoding by its label: `utf-8`, `utf-16`, `wide`, `ansi`, or a code page such as `gbk`.
///
/// # Errors
/// That there is no such label.
pub(crate) fn encoding(label: &str) -> Result<Encoding, String> {
    match label.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" => Ok(Encoding::Utf8),
        "utf-16" | "utf-16le" | "utf16" => Ok(Encoding::Utf16),
        "wide" => Ok(Encoding::Wide),
        "ansi" => Ok(Encoding::Ansi),
        other if encoding_rs::Encoding::for_label(other.as_bytes()).is_some() => {
            Ok(Encoding::CodePage(other.to_owned()))
        }
        _ => Err(format!("`{label}` is no encoding that is known: for example \"utf-8\", \"gbk\", \"windows-1252\"")),
    }
}

/// A drive letter makes it a path of the runtime's own, except where the gateway itself runs on Windows.
pub(super) fn library_file(path: PathBuf, runtime: Option<&str>) -> LibraryFile {
    match path.to_str() {
        Some(text) if cfg!(windows) => {
            let root = std::env::var("SystemRoot").unwrap_or_else(|_| r"C:\Windows".to_owned());
            let seen = (runtime != Some(Target::Win64.name())).then(|| for_32_bit(text, &root)).flatten();
            LibraryFile::Host(seen.map(PathBuf::from).filter(|seen| seen.exists()).unwrap_or(path))
        }
        Some(text) if has_drive(text) => LibraryFile::Runtime(text.to_owned()),
        _ => LibraryFile::Host(path),
    }
}

/// The file of a library as the configuration will have it.
pub(crate) fn as_configured(path: &Path) -> PathBuf {
    match library_file(path.to_owned(), None) {
        LibraryFile::Host(seen) => seen,
        LibraryFile::Runtime(_) => path.to_owned(),
    }
}

/// What is allowed where a folder of libraries is: `System32` means both that of 32-bit processes and that of the others.
pub(super) fn library_folder(path: &Path) -> Vec<LibraryFile> {
    let [narrow, wide] = [None, Some(Target::Win64.name())].map(|runtime| library_file(path.to_owned(), runtime));
    if narrow == wide { vec![narrow] } else { vec![narrow, wide] }
}

/// Where a 32-bit process finds what it calls `System32`: Windows shows it `SysWOW64` under that name.
fn for_32_bit(path: &str, root: &str) -> Option<String> {
    let (path, root) = (path.replace('/', r"\"), root.trim_end_matches('\\'));
    let folder = format!(r"{root}\System32");
    let (head, rest) = path.split_at_checked(folder.len())?;
    let is_in = head.eq_ignore_ascii_case(&folder) && (rest.is_empty() || rest.starts_with('\\'));
    is_in.then(|| format!(r"{root}\SysWOW64{rest}"))
}

/// `C:\…` or `C:/…`.
pub(super) fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic())
}

/// The one of `known` that was probably meant.
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, near) = known.map(|known| (strsim::damerau_levenshtein(wrong, known), known)).min()?;
    (distance <= 1 + wrong.len() / 4).then_some(near)
}

/// "; did you mean `x`?" if one of `known` is near, otherwise the list of what is known.
pub(super) fn suggestion(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_32_bit_process_calls_system32_lies_in_syswow64() {
        for (path, expected) in [
            (r"C:\Windows\System32\version.dll", Some(r"C:\Windows\SysWOW64\version.dll")),
            (r"c:/windows/system32/drivers/x.dll", Some(r"C:\Windows\SysWOW64\drivers\x.dll")),
            (r"C:\Windows\System32", Some(r"C:\Windows\SysWOW64")),
            (r"C:\Windows\System32x\a.dll", None),
            (r"D:\vendor\a.dll", None),
            (r"C:\Windows\Système\a.dll", None),
        ] {
            assert_eq!(for_32_bit(path, r"C:\Windows\").as_deref(), expected, "{path}");
        }
    }
}
