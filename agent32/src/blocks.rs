//! Blocks of memory that outlive a call: made, read, written and freed by their handles.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bridge32_protocol::json::complaint;
use bridge32_protocol::wire::{Fault, FaultCode};
use serde::Deserialize;
use uuid::Uuid;

use crate::handles::{HandleError, Handles, Hold};
use crate::marshal::MAX_BUFFER_BYTES;
use crate::marshal::arena::OutOfMemory;
use crate::marshal::bytes;

/// Makes a block, which may belong to a session, and gives `{"handle", "size"}`.
///
/// # Errors
/// Sizes that do not fit, data that is no base64, no memory.
pub fn allocate(args: &str, handles: &Handles, session: Option<Uuid>) -> Result<String, Fault> {
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
    let handle = handles.allocate(size, &data, session).map_err(no_room)?;
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
    let block = handles.block(&handle).map_err(|error| refused(&error))?;
    let part = || {
        let start = usize::try_from(offset).ok()?;
        let rest = block.size().checked_sub(start)?;
        let length = length.map_or(Some(rest), |length| usize::try_from(length).ok())?;
        block.read(start..start.checked_add(length)?)
    };
    let data = part().ok_or_else(|| beyond("/offset"))?;
    check(&block)?;
    Ok(format!("{{\"data\":\"{}\",\"size\":{}}}", STANDARD.encode(&data), block.size()))
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
    let block = handles.block(&handle).map_err(|error| refused(&error))?;
    let written = usize::try_from(offset).ok().and_then(|start| block.write(start, &data));
    written.ok_or_else(|| beyond("/data"))?;
    check(&block)
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
    let block = handles.block(&handle).map_err(|error| refused(&error))?;
    let intact = check(&block);
    handles.retire(block.number, "DELETE");
    intact
}

fn check(block: &Hold) -> Result<(), Fault> {
    if !block.take_overrun() {
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
        let answer: serde_json::Value = serde_json::from_str(&allocate(args, handles, None).unwrap()).unwrap();
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
            assert_eq!(allocate(args, &handles, None).unwrap_err().pointer.as_deref(), Some(pointer), "{args}");
        }
        let handle = made(&handles, r#"{"data":"YWJj"}"#);
        for beyond in [r#""offset":4"#, r#""offset":1,"length":3"#, r#""offset":18446744073709551615"#] {
            assert!(read(&format!(r#"{{"handle":"{handle}",{beyond}}}"#), &handles).is_err(), "{beyond}");
        }
        assert!(write(&format!(r#"{{"handle":"{handle}","data":"YWJj","offset":1}}"#), &handles).is_err());
    }
}
