//! What a session owned is released at its end, on the lane that it was pinned to.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bridge32_protocol::interface::Function;
use bridge32_protocol::wire::{FAILURES_TOLD, NotReleased, SessionEnd};
use uuid::Uuid;

use super::{Caller, Request, Running, enter};
use crate::abi::thunk::ResultKind;
use crate::apartment::Counters;
use crate::handles::Owned;

impl Caller {
    /// Gives the handles of a session to the functions that close them, the newest first; then ends its callbacks, which the
    /// library may have called until then, and frees its blocks of memory, which it may have used.
    ///
    /// In the journal and in a crash record these calls have the session's id.
    pub fn end_session(&mut self, session: Uuid, counters: &Counters) -> SessionEnd {
        self.use_interface(None);
        let mut end = SessionEnd::default();
        let (blocks, handles): (Vec<_>, Vec<_>) =
            self.handles.of_session(session).into_iter().partition(|owned| owned.is_block);
        for owned in handles {
            self.release(session, &owned, counters, &mut end);
        }
        end.released += self.callbacks.end_session(session);
        for block in blocks.iter().filter(|block| self.handles.is_live(block.number)) {
            self.handles.retire(block.number, "the end of its session");
            end.released += 1;
        }
        end
    }

    fn release(&mut self, session: Uuid, owned: &Owned, counters: &Counters, end: &mut SessionEnd) {
        // Closing another one may have closed it, too.
        if !self.handles.is_live(owned.number) {
            return;
        }
        let Some(name) = &owned.freed_by else {
            self.handles.disown(owned.number);
            end.left += 1;
            return;
        };
        let done = match self.declared.home.interface.function(name).map(|(number, _)| number) {
            Some(number) => self.release_by_call(session, number, owned, counters),
            None => self.release_by_export(session, name, owned, counters),
        };
        let Err(why) = done else {
            end.released += 1;
            return;
        };
        self.handles.disown(owned.number);
        if end.failed.len() < FAILURES_TOLD {
            end.failed.push(NotReleased { kind: owned.kind.clone(), why });
        } else {
            end.left += 1;
        }
    }

    /// A function of the header is called as clients call it, so that all that the header says of it holds.
    fn release_by_call(
        &mut self,
        session: Uuid,
        number: usize,
        owned: &Owned,
        counters: &Counters,
    ) -> Result<(), String> {
        let home = self.declared.home.clone();
        let function = &home.interface.functions[number];
        let args = arguments(function, &owned.token)?;
        let request = Request {
            id: session,
            args: &args,
            hidden: false,
            buffers: &[],
            session: None,
            called: &counters.called,
            trace: None,
            waited: Duration::ZERO,
            begun: Instant::now(),
        };
        let mut answer = Vec::new();
        let done = self.declared(u32::try_from(number).unwrap_or(u32::MAX), request, &mut answer);
        self.clean_up();
        if !self.handles.is_live(owned.number) {
            return Ok(());
        }
        done.map_err(|fault| fault.detail)?;
        let secret = function.sensitive_result || function.parameters.iter().any(|parameter| parameter.sensitive);
        let answer = if secret { "…".into() } else { String::from_utf8_lossy(&answer) };
        Err(format!("`{}` answered {{{answer}}}, and so has not released it", function.name))
    }

    /// One that only the library's file has, or the system, takes the pointer and nothing else.
    fn release_by_export(
        &mut self,
        session: Uuid,
        name: &str,
        owned: &Owned,
        counters: &Counters,
    ) -> Result<(), String> {
        let releaser = self.declared.releaser(name, &self.library).ok_or_else(|| {
            format!("`@frees {name}` names no function of the library or the system: correct the header")
        })?;
        let resolved = self.handles.resolve(&owned.token, "void").map_err(|error| error.to_string())?;
        let word = (resolved.address as u64).to_le_bytes();
        releaser.plan.place(&word[..releaser.plan.slots_bytes().min(word.len())], 0, 0, &mut self.frame);
        counters.called.fetch_add(1, Ordering::Relaxed);
        self.notes.running(session);
        let running = Running::enter(name, &session, None);
        enter(releaser.address, &self.frame, ResultKind::Integer);
        drop(running);
        self.handles.retire(owned.number, name);
        Ok(())
    }
}

/// The arguments with which a function is given a handle to close.
fn arguments(function: &Function, token: &str) -> Result<String, String> {
    let [parameter] = &function.parameters[..] else {
        return Err(format!(
            "`{}` takes {} parameters, and only the handle is known: let the client call it before its session ends",
            function.name,
            function.parameters.len()
        ));
    };
    // Neither names of C nor tokens have characters that need an escape.
    Ok(format!("{{\"{}\":\"{token}\"}}", parameter.name))
}
