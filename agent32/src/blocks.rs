//! Blocks of memory that outlive a call: made, read, written and freed by their handles.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::{Fault, FaultCode};
use serde::Deserialize;

use crate::handles::{HandleError, Handles};
use crate::marshal::MAX_BUFFER_BYTES;
use crate::marshal::arena::OutOfMemory;
use crate::marshal::bytes;

/// Makes a block, and gives `{"handle", "size"}`.
///
/// # Errors
/// Sizes that do not fit, data that is no base64, no memory.
pub fn allocate(args: &str, handles: &Handles) -> Result<String, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Args {
        size: Option<u64>,
        data: Option<String>,
    }
    let Args { size, data } = parsed(args)?;
    let data = decoded(data.as_deref().unwrap_or_default())?;
    let size = match size {
        None => data.len(),
        Some(size) => usize::try_from(size).ok().filter(|size| *size <= MAX_BUFFER_BYTES).ok_or_else(|| {
            mismatch("/size", format!("a block has at most {MAX_BUFFER_BYTES} bytes, and {size} are asked for"))
        })?,
    };
    if size == 0 {
        return Err(mismatch("/size", "a block has at least one byte: give `size`, or `data`".to_owned()));
    }
    if data.len() > size {
        return Err(mismatch("/data", format!("{} bytes of data do not fit into a block of {size}", data.len())));
    }
    let handle = handles.allocate(size, &data).map_err(no_room)?;
    Ok(format!("{{\"handle\":\"{handle}\",\"size\":{size}}}"))
}

/// Reads a block, or a part of it, and gives `{"data", "size"}`: the size is that of the whole block.
///
/// # Errors
/// The handle is of no block, or the part reaches beyond it, or the library has written past its end.
pub fn read(args: &str, handles: &Handles) -> Result<String, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Args {
        handle: String,
        #[serde(default)]
        offset: u64,
        length: Option<u64>,
    }
    let Args { handle, offset, length } = parsed(args)?;
    let part = |bytes: &mut [u8]| {
        let start = usize::try_from(offset).ok().filter(|start| *start <= bytes.len())?;
        let length = length.map_or(Some(bytes.len() - start), |length| usize::try_from(length).ok())?;
        let end = start.checked_add(length).filter(|end| *end <= bytes.len())?;
        Some((STANDARD.encode(&bytes[start..end]), bytes.len()))
    };
    let (part, number) = handles.with_memory(&handle, part).map_err(|error| refused(&error))?;
    let (data, size) = part.ok_or_else(|| beyond("/offset"))?;
    check(handles, number)?;
    Ok(format!("{{\"data\":\"{data}\",\"size\":{size}}}"))
}

/// Writes into a block.
///
/// # Errors
/// As [`read`].
pub fn write(args: &str, handles: &Handles) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Args {
        handle: String,
        data: String,
        #[serde(default)]
        offset: u64,
    }
    let Args { handle, data, offset } = parsed(args)?;
    let data = decoded(&data)?;
    let copy = |bytes: &mut [u8]| {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(data.len())?;
        bytes.get_mut(start..end)?.copy_from_slice(&data);
        Some(())
    };
    let (copied, number) = handles.with_memory(&handle, copy).map_err(|error| refused(&error))?;
    copied.ok_or_else(|| beyond("/data"))?;
    check(handles, number)
}

/// Frees a block.
///
/// # Errors
/// The handle is of no block, or the library has written past its end; then it is freed all the same.
pub fn free(args: &str, handles: &Handles) -> Result<(), Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object")]
    struct Args {
        handle: String,
    }
    let Args { handle } = parsed(args)?;
    let ((), number) = handles.with_memory(&handle, |_| ()).map_err(|error| refused(&error))?;
    let intact = check(handles, number);
    handles.retire(number, "DELETE");
    intact
}

fn check(handles: &Handles, number: u64) -> Result<(), Fault> {
    if !handles.take_overrun(number) {
        return Ok(());
    }
    let detail = "the library has written past the end of this block of memory: make a larger one".to_owned();
    Err(Fault { code: FaultCode::BufferOverrun, detail, pointer: None, ran: false })
}

fn parsed<'a, T: Deserialize<'a>>(args: &'a str) -> Result<T, Fault> {
    serde_json::from_str(args).map_err(|error| mismatch("", format!("the body cannot be read: {}", complaint(&error))))
}

fn decoded(data: &str) -> Result<Vec<u8>, Fault> {
    // Nobody has said what a block holds: nothing of it is repeated.
    STANDARD.decode(data).map_err(|error| mismatch("/data", bytes::wrong(data, Some(&error), true)))
}

fn beyond(pointer: &str) -> Fault {
    mismatch(pointer, "this reaches beyond the end of the block".to_owned())
}

fn no_room(error: OutOfMemory) -> Fault {
    let detail = format!("there is no room for the block in the agent's address space: {error}; free others first");
    Fault { code: FaultCode::OutOfMemory, detail, pointer: Some("/size".to_owned()), ran: false }
}

fn refused(error: &HandleError) -> Fault {
    let code =
        if matches!(error, HandleError::Stale { .. }) { FaultCode::StaleHandle } else { FaultCode::ArgumentMismatch };
    Fault { code, detail: error.to_string(), pointer: Some("/handle".to_owned()), ran: false }
}

fn mismatch(pointer: &str, detail: String) -> Fault {
    Fault { code: FaultCode::ArgumentMismatch, detail, pointer: Some(pointer.to_owned()), ran: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(handles: &Handles, args: &str) -> String {
        let answer: serde_json::Value = serde_json::from_str(&allocate(args, handles).unwrap()).unwrap();
        answer["handle"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_block_is_written_and_read_in_parts() {
        let handles = Handles::new("z", 1);
        let handle = made(&handles, r#"{"size":8,"data":"YWJj"}"#);
        write(&format!(r#"{{"handle":"{handle}","data":"WFk=","offset":6}}"#), &handles).unwrap();
        let whole = read(&format!(r#"{{"handle":"{handle}"}}"#), &handles).unwrap();
        assert_eq!(whole, r#"{"data":"YWJjAAAAWFk=","size":8}"#);
        let part = read(&format!(r#"{{"handle":"{handle}","offset":1,"length":2}}"#), &handles).unwrap();
        assert_eq!(part, r#"{"data":"YmM=","size":8}"#);
        free(&format!(r#"{{"handle":"{handle}"}}"#), &handles).unwrap();
        let again = free(&format!(r#"{{"handle":"{handle}"}}"#), &handles).unwrap_err();
        assert_eq!(again.code, FaultCode::StaleHandle);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_place() {
        let handles = Handles::new("z", 1);
        for (args, pointer) in [
            (r#"{"size":0}"#, "/size"),
            (r"{}", "/size"),
            (r#"{"size":1e99}"#, ""),
            (r#"{"size":-1}"#, ""),
            (r#"{"size":4294967296}"#, "/size"),
            (r#"{"size":2,"data":"YWJj"}"#, "/data"),
            (r#"{"size":2,"data":"?"}"#, "/data"),
            (r#"{"size":2,"x":1}"#, ""),
        ] {
            assert_eq!(allocate(args, &handles).unwrap_err().pointer.as_deref(), Some(pointer), "{args}");
        }
        let handle = made(&handles, r#"{"data":"YWJj"}"#);
        for beyond in [r#""offset":4"#, r#""offset":1,"length":3"#, r#""offset":18446744073709551615"#] {
            assert!(read(&format!(r#"{{"handle":"{handle}",{beyond}}}"#), &handles).is_err(), "{beyond}");
        }
        assert!(write(&format!(r#"{{"handle":"{handle}","data":"YWJj","offset":1}}"#), &handles).is_err());
    }
}
