//! What is told of a function that did not remove what its declaration says.

use bridge32_protocol::interface::Convention;
use bridge32_protocol::wire::{Fault, FaultCode};

use super::Plan;

impl Plan {
    /// The fault for a function that removed `removed` bytes and not [`Plan::removed_bytes`]: what was declared, and what
    /// it looks like instead.
    pub fn mismatch(&self, function: &str, removed: isize) -> Fault {
        let looks_like = match usize::try_from(removed) {
            Ok(bytes) if bytes % 4 == 0 && bytes <= 1024 => self.looks_like(bytes),
            _ => "the library has corrupted its stack".to_owned(),
        };
        let returns = if self.result_in_memory() { ", the address for its result among them" } else { "" };
        let detail = format!(
            "`{function}` was called as {} with {} bytes of arguments on the stack{returns}. It should have removed {} of \
             them and removed {removed}: {looks_like}. Its answer is not told, because it would be wrong; correct the \
             declaration",
            self.convention.keyword(),
            self.stack_bytes(),
            self.removed_bytes(),
        );
        Fault { code: FaultCode::ConventionMismatch, detail, pointer: None, ran: true }
    }

    fn looks_like(&self, removed: usize) -> String {
        let fitting: Vec<&str> = self
            .removed_by
            .iter()
            .filter(|(convention, bytes)| *convention != self.convention && *bytes == removed)
            .map(|(convention, _)| convention.keyword())
            .collect();
        match (fitting.as_slice(), removed) {
            ([], 0) if self.result_in_memory() => {
                "it looks like a __cdecl function that returns no structure, or returns it in registers".to_owned()
            }
            ([], 0) => "it looks like a __cdecl function".to_owned(),
            ([], _) => format!(
                "it looks like a __stdcall function that takes {removed} bytes of arguments ({} words)",
                removed / 4
            ),
            // Stdcall first: most libraries of Windows are that, and a wrong number of arguments is the usual mistake.
            _ if removed > 0 && self.convention == Convention::Stdcall => format!(
                "it looks like a __stdcall function that takes {removed} bytes of arguments ({} words); a {} function would \
                 remove as many",
                removed / 4,
                fitting.join(" or ")
            ),
            _ => format!("it looks like a {} function", fitting.join(" or ")),
        }
    }
}
