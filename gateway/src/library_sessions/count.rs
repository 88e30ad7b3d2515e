//! How many sessions a library has, and each owner of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Those of one library.
#[derive(Debug, Default)]
pub(super) struct Count(Mutex<Sessions>);

#[derive(Debug, Default)]
struct Sessions {
    all: usize,
    /// Owners that have at least one.
    of: HashMap<Arc<str>, usize>,
}

/// Why there may not be one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// There are as many as may be.
    All,
    /// What is free is for others: its owner has so many.
    Share(usize),
}

impl Count {
    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // Nothing between two changes panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the sessions that a library may have, until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    count: Arc<Count>,
    owner: Option<Arc<str>>,
}

impl Counted {
    /// One more, if there may be. An owner leaves a quarter of what is free to others; where nobody has to say who they are,
    /// there are no others.
    pub(super) fn new(count: &Arc<Count>, max: usize, owner: Option<Arc<str>>) -> Result<Self, Full> {
        let mut sessions = count.lock();
        let free = max.saturating_sub(sessions.all);
        if free == 0 {
            return Err(Full::All);
        }
        if let Some(owner) = &owner {
            let own = sessions.of.get(owner).copied().unwrap_or_default();
            if own + 1 > free.saturating_mul(3) {
                return Err(Full::Share(own));
            }
            sessions.of.insert(Arc::clone(owner), own + 1);
        }
        sessions.all += 1;
        drop(sessions);
        Ok(Self { count: Arc::clone(count), owner })
    }

    pub(super) const fn owner(&self) -> Option<&Arc<str>> {
        self.owner.as_ref()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut sessions = self.count.lock();
        sessions.all -= 1;
        let Some(owner) = &self.owner else { return };
        if let Some(own) = sessions.of.get_mut(owner) {
            *own -= 1;
            if *own == 0 {
                sessions.of.remove(owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_counted_than_may_be_and_those_that_have_ended_are_not() {
        let count = Arc::default();
        let (one, two) = (Counted::new(&count, 2, None), Counted::new(&count, 2, None));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(Counted::new(&count, 2, None).unwrap_err(), Full::All);
        drop(one);
        assert!(Counted::new(&count, 2, None).is_ok());
        assert_eq!(Counted::new(&Arc::default(), 0, None).unwrap_err(), Full::All);
    }

    #[test]
    fn an_owner_leaves_a_quarter_of_what_is_free_to_others() {
        let count = Arc::default();
        let begin = |owner: &str| Counted::new(&count, 8, Some(owner.into()));
        let mut anns: Vec<_> = (0..6).map(|_| begin("ann").unwrap()).collect();
        assert_eq!(begin("ann").unwrap_err(), Full::Share(6));
        let bens = (begin("ben").unwrap(), begin("ben").unwrap());
        anns.pop();
        assert_eq!(begin("ann").unwrap_err(), Full::Share(5), "ben has two of those that were free");
        drop((bens, anns));
        assert!(count.lock().of.is_empty());
        assert_eq!(count.lock().all, 0);
    }
}
