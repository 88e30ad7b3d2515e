//! The kept calls that are not, or not whole, in the table: those under way, and those whose answer is in memory alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::entry::Entry;
use super::record::{Kept, Scope};

/// The most bytes of answers that are in memory alone: beyond them the oldest are forgotten.
const MAX_BYTES: usize = 64 << 20;

/// The entries by their ids, the oldest first, and by what their idempotency keys mean.
#[derive(Debug, Default)]
pub(super) struct Live {
    entries: BTreeMap<Uuid, Arc<Entry>>,
    holders: HashMap<Scope, Uuid>,
    bytes: usize,
}

impl Live {
    pub(super) fn insert(&mut self, entry: &Arc<Entry>) {
        if let Some(scope) = entry.request.scope() {
            self.holders.insert(scope, entry.request.id);
        }
        self.entries.insert(entry.request.id, Arc::clone(entry));
    }

    pub(super) fn get(&self, id: Uuid) -> Option<&Arc<Entry>> {
        self.entries.get(&id)
    }

    /// Whose outcome a request with that key gets.
    pub(super) fn holder(&self, scope: &Scope) -> Option<&Arc<Entry>> {
        self.entries.get(self.holders.get(scope)?)
    }

    pub(super) fn under_way(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values().filter(|entry| entry.ended().is_none())
    }

    /// An entry has ended: it stays only if its answer is nowhere else.
    pub(super) fn settle(&mut self, entry: &Entry, stays: bool) {
        let is_final = entry.ended().is_some_and(|ended| ended.outcome.is_final());
        if !stays {
            self.remove(entry.request.id);
            return;
        }
        if !is_final {
            self.release(entry);
        }
        self.bytes += size(entry);
        while self.bytes > MAX_BYTES {
            let oldest = self.entries.values().find(|entry| entry.ended().is_some()).map(|entry| entry.request.id);
            let Some(oldest) = oldest else { break };
            self.forget(oldest);
        }
    }

    /// Forgets what ended before a time.
    pub(super) fn sweep(&mut self, before: Timestamp) {
        let is_old = |entry: &&Arc<Entry>| entry.ended().is_some_and(|ended| ended.at < before);
        let old: Vec<Uuid> = self.entries.values().filter(is_old).map(|entry| entry.request.id).collect();
        for id in old {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: Uuid) {
        if let Some(entry) = self.remove(id) {
            self.bytes -= size(&entry);
        }
    }

    fn remove(&mut self, id: Uuid) -> Option<Arc<Entry>> {
        let entry = self.entries.remove(&id)?;
        self.release(&entry);
        Some(entry)
    }

    fn release(&mut self, entry: &Entry) {
        let Some(scope) = entry.request.scope() else { return };
        if self.holders.get(&scope) == Some(&entry.request.id) {
            self.holders.remove(&scope);
        }
    }
}

/// The bytes of an answer.
fn size(entry: &Entry) -> usize {
    match entry.ended().map(|ended| ended.outcome.answer.clone()) {
        Some(Kept::Answer(answer)) => answer.len(),
        _ => 0,
    }
}
