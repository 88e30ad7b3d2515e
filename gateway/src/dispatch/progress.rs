//! How far a list was when its process ended: what the process has noted of it, or else what one must think.

use uuid::Uuid;

use super::outcome::Moment;
use crate::agents::Noted;

/// How far a list was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The calls before this index had come back.
    returned: usize,
    /// The call of this index was running, if one was.
    running: Option<usize>,
    /// The call of this index was the last one that had come back.
    last: Option<usize>,
    /// The process has noted it.
    proven: bool,
}

impl Progress {
    /// Of the list of these calls, of which those before `ended` have their outcome, and those before `entered` are known to
    /// have run or to come before one that has. `noted` is what the process has noted on that lane, and `named` the call that
    /// it named while it was dying.
    pub(super) fn new(ids: &[Uuid], (ended, entered): (usize, usize), noted: Noted, named: Option<Uuid>) -> Self {
        let at = |id: Uuid| ids.iter().position(|other| *other == id);
        let untouched = Self { returned: 0, running: None, last: None, proven: true };
        let found = match noted {
            Noted::Nothing => None,
            Noted::Idle => Some(untouched),
            Noted::Running(id) => {
                Some(at(id).map_or(untouched, |index| Self { returned: index, running: Some(index), ..untouched }))
            }
            Noted::Done(id) => {
                Some(at(id).map_or(untouched, |index| Self { returned: index + 1, last: Some(index), ..untouched }))
            }
        };
        // What has run is in a note, and what has its outcome does not run: a note that says otherwise is none.
        let fits =
            |progress: &Self| progress.returned >= entered && progress.running.is_none_or(|index| index >= ended);
        found.filter(fits).unwrap_or_else(|| {
            let running = named.and_then(at).filter(|index| *index >= ended).unwrap_or(ended);
            Self { returned: running, running: Some(running), last: None, proven: false }
        })
    }

    /// Whether that call has come back, for all that the process has noted. One that was refused before it ran leaves no note.
    pub(super) fn has_returned(&self, index: usize) -> bool {
        self.proven && self.last == Some(index)
    }

    /// The call that was running.
    pub(super) fn running(&self) -> Option<usize> {
        self.running
    }

    /// Whether nothing of the list has begun, for all that the process has noted.
    pub(super) fn is_untouched(&self) -> bool {
        self.proven && self.returned == 0 && self.running.is_none()
    }

    /// Whether that call has not begun, for all that the process has noted.
    pub(super) fn has_not_begun(&self, index: usize) -> bool {
        self.proven && index >= self.returned && self.running != Some(index)
    }

    /// How far the call of that index was, in the list of these calls.
    pub(super) fn moment(&self, index: usize, ids: &[Uuid]) -> Moment {
        let (running, proven) = (self.running.and_then(|index| ids.get(index).copied()), self.proven);
        let has_returned = self.has_returned(index);
        match self.running {
            Some(at) if at == index => Moment::Running,
            _ if index < self.returned => Moment::Before { running, proven: has_returned },
            _ => Moment::Behind { running, proven },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<Uuid> {
        (1..=4).map(Uuid::from_u128).collect()
    }

    fn progress(ended: usize, noted: Noted, named: Option<u128>) -> Progress {
        Progress::new(&ids(), (ended, ended), noted, named.map(Uuid::from_u128))
    }

    fn moments(progress: Progress) -> [Moment; 4] {
        [0, 1, 2, 3].map(|index| progress.moment(index, &ids()))
    }

    #[test]
    fn what_the_process_has_noted_tells_what_ran_and_what_did_not() {
        let second = Uuid::from_u128(2);
        let running = progress(0, Noted::Running(second), None);
        let (before, behind) = (
            Moment::Before { running: Some(second), proven: false },
            Moment::Behind { running: Some(second), proven: true },
        );
        assert_eq!(moments(running), [before, Moment::Running, behind, behind]);
        assert!(running.has_not_begun(2) && !running.has_not_begun(1) && !running.is_untouched());
        let done = progress(1, Noted::Done(second), None);
        let (before, behind) =
            (Moment::Before { running: None, proven: true }, Moment::Behind { running: None, proven: true });
        let earlier = Moment::Before { running: None, proven: false };
        assert_eq!(
            moments(done),
            [earlier, before, behind, behind],
            "of the first one it is not known whether it was refused"
        );
    }

    #[test]
    fn a_note_of_another_list_says_that_nothing_of_this_one_began() {
        for noted in [Noted::Idle, Noted::Done(Uuid::from_u128(9)), Noted::Running(Uuid::from_u128(9))] {
            let progress = progress(0, noted, None);
            assert!(progress.is_untouched() && progress.has_not_begun(0) && progress.running().is_none(), "{noted:?}");
        }
    }

    #[test]
    fn without_a_note_nothing_is_proven_and_the_first_without_outcome_counts_as_running() {
        let running = |named| progress(1, Noted::Nothing, named).running();
        assert_eq!(
            (running(None), running(Some(3)), running(Some(1)), running(Some(9))),
            (Some(1), Some(2), Some(1), Some(1))
        );
        assert!(!progress(1, Noted::Nothing, None).has_not_begun(3));
    }

    #[test]
    fn calls_that_were_refused_before_they_ran_leave_no_note_and_spoil_none() {
        let refused = |noted| Progress::new(&ids(), (2, 0), noted, None);
        assert!(refused(Noted::Idle).has_not_begun(2));
        assert!(refused(Noted::Done(Uuid::from_u128(9))).has_not_begun(3));
        assert_eq!(refused(Noted::Running(Uuid::from_u128(3))).running(), Some(2));
    }

    #[test]
    fn a_note_that_cannot_be_true_proves_nothing() {
        let lying = progress(2, Noted::Running(Uuid::from_u128(1)), None);
        assert_eq!((lying.running(), lying.has_not_begun(3)), (Some(2), false));
        assert!(!progress(2, Noted::Idle, None).is_untouched());
    }
}
