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
    /// An object, an array or nothing else: every string is a token, and a number stands for a special pointer.
    Everything,
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
    #[serde(deny_unknown_fields)]
    struct Explicit<'a> {
        #[serde(rename = "$handle", borrow)]
        handle: std::borrow::Cow<'a, str>,
    }
    if json.starts_with('{') && json.contains("\"$handle\"") {
        let explicit: Explicit<'_> = serde_json::from_str(json)
            .map_err(|error| mismatch(at, format!("a handle is written {{\"$handle\": \"token\"}}: {error}")))?;
        return resolve(&explicit.handle, kind, environment, at);
    }
    if bare == Bare::Nothing {
        return Ok(Given::Other);
    }
    if let Some(token) = scalar::string(json) {
        if bare == Bare::Dotted && !token.contains('.') {
            return Ok(Given::Other);
        }
        if let Some(number) = environment.context.interface.constants.get(&*token) {
            return sentinel(*number, kind, environment.context.target)
                .map(Given::Sentinel)
                .ok_or_else(|| mismatch(at, format!("the constant {token} = {number} is an address of the library's own making; only handles can be passed")));
        }
        return resolve(&token, kind, environment, at);
    }
    match json.parse::<i64>() {
        Ok(number) if bare == Bare::Everything => sentinel(number, kind, environment.context.target).map(Given::Sentinel).ok_or_else(|| {
            let detail = format!(
                "{number} is an address or the number of a handle, and these are not passed as numbers: pass the token \
                 that an earlier call answered, or one of the special values from -{SENTINELS} to {SENTINELS}"
            );
            mismatch(at, detail)
        }),
        _ => Ok(Given::Other),
    }
}

fn resolve(token: &str, kind: &str, environment: &Environment<'_>, at: &At<'_>) -> Result<Given, Fault> {
    environment.handles.resolve(token, kind).map(Given::Token).map_err(|error| refused(&error, at))
}

/// A handle that cannot be used, as a fault: nothing was called.
fn refused(error: &HandleError, at: &At<'_>) -> Fault {
    let detail = format!("`{at}`: {error}");
    match error {
        HandleError::Stale(_) => {
            Fault { code: FaultCode::StaleHandle, detail, pointer: Some(at.pointer()), ran: false }
        }
        _ => mismatch(at, detail),
    }
}

/// The bits of a number that is no address, in a pointer of the target.
fn sentinel(number: i64, kind: &str, target: Target) -> Option<usize> {
    let small = (-SENTINELS..=SENTINELS).contains(&number);
    let key = kind == "HKEY" && PREDEFINED_KEYS.contains(&number);
    if !small && !key {
        return None;
    }
    // Windows extends the 32 bits of its predefined keys by their sign.
    let extended = if key && target.pointer_bytes() == 8 { number - (1 << 32) } else { number };
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are what a pointer of this process holds")]
    Some(extended.cast_unsigned() as usize)
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
    fn only_numbers_that_are_no_addresses_are_accepted() {
        assert_eq!(sentinel(-1, "HANDLE", Target::Win32).map(|bits| bits & 0xffff_ffff), Some(0xffff_ffff));
        assert_eq!(sentinel(0x1_0000, "HANDLE", Target::Win32), None);
        assert_eq!(sentinel(0x8000_0001, "HKEY", Target::Win32).map(|bits| bits & 0xffff_ffff), Some(0x8000_0001));
        assert_eq!(sentinel(0x8000_0001, "HANDLE", Target::Win32), None);
    }
}
