//! Handles in JSON: a token, `{"$handle": token}`, or one of the small numbers that C code uses in the place of a pointer.

use bridge32_protocol::target::Target;
use bridge32_protocol::wire::{Fault, FaultCode};
use serde::Deserialize;

use super::place::At;
use super::{Environment, mismatch, scalar};
use crate::handles::{HandleError, Resolved};

/// Numbers up to this size, and their negatives, cannot be addresses: no system maps anything there.
/// `INVALID_HANDLE_VALUE` is -1, `HWND_TOPMOST` too.
const SENTINELS: i64 = 0xffff;

/// The predefined registry keys of Windows (winreg.h): `HKEY_CLASSES_ROOT` to `HKEY_CURRENT_USER_LOCAL_SETTINGS`.
const PREDEFINED_KEYS: std::ops::RangeInclusive<i64> = 0x8000_0000..=0x8000_0007;

/// What a value says of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// It is no handle.
    Other,
    /// A token.
    Token(Resolved),
    /// A number that is no address.
    Sentinel(usize),
}

/// What is expected where a pointer is given, besides `{"$handle": token}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// Text: every string is that.
    Nothing,
    /// Bytes or a number: a string with dots, which neither has, is a token.
    Dotted,
    /// An object: every string is a token.
    Token,
    /// A handle: every string is a token, and a few numbers stand for special pointers.
    Handle {
        /// It is a number of the operating system.
        system: bool,
    },
    /// A function: likewise.
    Function,
}

impl Bare {
    /// The numbers that C code passes in the place of a pointer of this sort. 0 is not one of them: that is `null`.
    fn accepts(self, number: i64, kind: &str) -> bool {
        match self {
            Self::Nothing | Self::Dotted | Self::Token => false,
            // `HWND_MESSAGE` is -3; the positive ones are handles, and those have tokens.
            Self::Handle { system: true } => {
                (-SENTINELS..=-1).contains(&number) || (kind == "HKEY" && PREDEFINED_KEYS.contains(&number))
            }
            // A context or an item number that travels as `void *`, a resource's number.
            Self::Handle { system: false } if kind == "void" => (-SENTINELS..=SENTINELS).contains(&number),
            Self::Handle { system: false } => number == -1,
            // `SQLITE_TRANSIENT`, `SIG_ERR`; `SIG_IGN`.
            Self::Function => number == -1 || number == 1,
        }
    }
}

/// Reads a value as a handle of `kind`.
///
/// # Errors
/// It is a handle that cannot be used.
pub(super) fn decode(
    json: &str,
    kind: &str,
    bare: Bare,
    environment: &Environment<'_>,
    at: &At<'_>,
) -> Result<Given, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Explicit<'a> {
        #[serde(rename = "$handle", borrow)]
        handle: std::borrow::Cow<'a, str>,
    }
    if json.starts_with('{') && json.contains("\"$handle\"") {
        let explicit: Explicit<'_> = serde_json::from_str(json).map_err(|error| {
            mismatch(at, format!("a handle is written {{\"$handle\": \"token\"}}: {}", at.complaint(&error)))
        })?;
        return resolve(&explicit.handle, kind, environment, at);
    }
    if bare == Bare::Nothing {
        return Ok(Given::Other);
    }
    if let Some(token) = scalar::string(json) {
        if matches!(bare, Bare::Dotted | Bare::Token | Bare::Function) && !token.contains('.') {
            return Ok(Given::Other);
        }
        return match environment.context.interface.constants.get(&*token) {
            None => resolve(&token, kind, environment, at),
            Some(number) if is_no_address(*number, kind) => {
                Ok(Given::Sentinel(bits(*number, environment.context.target)))
            }
            Some(number) => {
                let constant = if at.is_sensitive() {
                    "this constant".into()
                } else {
                    format!("the constant {token} is {number}, which")
                };
                let detail = format!("{constant} may be an address; only handles are passed");
                Err(mismatch(at, detail))
            }
        };
    }
    match json.parse::<i64>() {
        Ok(number) if bare.accepts(number, kind) => Ok(Given::Sentinel(bits(number, environment.context.target))),
        Ok(_) if matches!(bare, Bare::Handle { .. }) => {
            let detail = format!(
                "{} is no handle: addresses and the numbers of handles are not passed as numbers. Pass the token that \
                 an earlier call answered, null for a null pointer, or the name of a constant of the header",
                at.shown(json)
            );
            Err(mismatch(at, detail))
        }
        _ => Ok(Given::Other),
    }
}

fn resolve(token: &str, kind: &str, environment: &Environment<'_>, at: &At<'_>) -> Result<Given, Fault> {
    let shown = |error: HandleError| if at.is_sensitive() { error.without_token() } else { error };
    environment.handles.resolve(token, kind).map(Given::Token).map_err(|error| refused(&shown(error), at))
}

/// A handle that cannot be used, as a fault: nothing was called.
fn refused(error: &HandleError, at: &At<'_>) -> Fault {
    let detail = format!("`{at}`: {error}");
    match error {
        HandleError::Stale { .. } => {
            Fault { code: FaultCode::StaleHandle, detail, pointer: Some(at.pointer()), ran: false }
        }
        _ => mismatch(at, detail),
    }
}

/// Whether no system maps anything to this address.
fn is_no_address(number: i64, kind: &str) -> bool {
    (-SENTINELS..=SENTINELS).contains(&number) || (kind == "HKEY" && PREDEFINED_KEYS.contains(&number))
}

/// The bits of a number that is no address, in a pointer of the target.
fn bits(number: i64, target: Target) -> usize {
    // Windows extends the 32 bits of its predefined keys by their sign.
    let key = PREDEFINED_KEYS.contains(&number) && target.pointer_bytes() == 8;
    let extended = if key { number - (1 << 32) } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what a pointer of this process holds")]
    let bits = extended.cast_unsigned() as usize;
    bits
}

/// The number that stands for a pointer value in JSON, if it is no address. A handle of the operating system may be any
/// small number: only the negative ones are not its own.
pub(super) fn as_number(address: u64, system: bool, target: Target) -> Option<i64> {
    let unused = 64 - 8 * u32::from(target.pointer_bytes());
    let signed = (address << unused).cast_signed() >> unused;
    let range = if system { -SENTINELS..=-1 } else { -SENTINELS..=SENTINELS };
    range.contains(&signed).then_some(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_values_are_numbers_and_addresses_never_are() {
        assert_eq!(as_number(0xffff_ffff, true, Target::Win32), Some(-1));
        assert_eq!(as_number(u64::MAX, true, Target::Win64), Some(-1));
        assert_eq!(as_number(0xffff_ffff, true, Target::Win64), None);
        assert_eq!(as_number(0x54, true, Target::Win32), None);
        assert_eq!(as_number(32, false, Target::Win32), Some(32));
        assert_eq!(as_number(0x0804_8000, false, Target::Linux32), None);
    }

    #[test]
    fn only_the_numbers_that_c_code_passes_for_pointers_are_accepted() {
        let system = Bare::Handle { system: true };
        assert!(system.accepts(-1, "HANDLE") && system.accepts(0x8000_0001, "HKEY"));
        assert!(!system.accepts(0x54, "HANDLE") && !system.accepts(0x8000_0001, "HANDLE"));
        let pointer = Bare::Handle { system: false };
        assert!(pointer.accepts(5, "void") && pointer.accepts(-1, "sqlite3"));
        assert!(!pointer.accepts(5, "sqlite3") && !pointer.accepts(0x1_0000, "void"));
        assert!(Bare::Function.accepts(1, "function") && !Bare::Function.accepts(5, "function"));
        assert!(!Bare::Token.accepts(-1, "Point"));
        assert_eq!(bits(0x8000_0001, Target::Win32) & 0xffff_ffff, 0x8000_0001);
    }
}
