//! What sessions own among the handles.

use uuid::Uuid;

use super::Handles;

/// A handle that a session owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Its number among the handles.
    pub number: u64,
    /// Its token.
    pub token: String,
    /// What it stands for.
    pub kind: String,
    /// The function that closes it.
    pub freed_by: Option<String>,
    /// It is a block of memory.
    pub is_block: bool,
}

impl Handles {
    /// What a session owns, the newest first.
    pub fn of_session(&self, session: Uuid) -> Vec<Owned> {
        let table = self.lock();
        let of_session = table.live.iter().filter(|(_, handle)| handle.session == Some(session));
        let owned = |(number, handle): (&u64, &super::Handle)| Owned {
            number: *number,
            token: self.token(&number.to_string()),
            kind: handle.kind.clone(),
            freed_by: handle.freed_by.clone(),
            is_block: handle.memory.is_some(),
        };
        let mut all: Vec<Owned> = of_session.map(owned).collect();
        all.sort_unstable_by_key(|owned| std::cmp::Reverse(owned.number));
        all
    }

    /// Whether a handle has not been closed.
    pub fn is_live(&self, number: u64) -> bool {
        self.lock().live.contains_key(&number)
    }

    /// A handle stays without an owner.
    pub fn disown(&self, number: u64) {
        if let Some(handle) = self.lock().live.get_mut(&number) {
            handle.session = None;
        }
    }
}
