//! Marks what a library has written on its standard output and error while a call ran: see [`bridge32_protocol::output`].
//!
//! The marks go through handles of the agent's own: whatever the library makes of its descriptors 1 and 2 later, closing them or
//! opening a file in their place, no mark ends up in it.
//!
//! What the C library that the agent has in common with its library still holds in a buffer is written first. On ELF that is
//! the process's one C library; on Windows it is msvcrt.dll, which holds nothing (it is unbuffered here). A DLL with a C
//! library of its own buffers what it writes into a pipe: that belongs to the call during which it leaves the buffer.

use std::fs::File;
use std::io::Write as _;

use bridge32_protocol::output::Marks;
use uuid::Uuid;

use crate::platform;

/// Writes marks behind what a library has written.
#[derive(Debug)]
pub struct Output {
    marks: Marks,
    streams: [File; 2],
}

impl Output {
    /// Of this process, whose standard output and error are as they were when it was started. `None` where nobody reads marks.
    ///
    /// # Errors
    /// They cannot be duplicated.
    pub fn of_process(secret: Option<&str>) -> std::io::Result<Option<Self>> {
        let Some(marks) = secret.and_then(Marks::of) else { return Ok(None) };
        Ok(Some(Self { marks, streams: platform::own_outputs()? }))
    }

    /// A call has ended; with the nil id, something else that belongs to no call.
    pub fn end_of(&self, call: Uuid) {
        platform::flush_output();
        let mark = self.marks.end_of(call);
        for mut stream in &self.streams {
            // The gateway reads to the end; if it is gone, so is the agent soon.
            let _ = stream.write_all(&mark);
        }
    }
}
