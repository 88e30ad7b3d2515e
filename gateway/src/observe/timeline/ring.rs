//! The last values of something.

use std::collections::VecDeque;

/// No more than so many values, of which the oldest makes room.
#[derive(Debug)]
pub(super) struct Ring<T> {
    values: VecDeque<T>,
    most: usize,
}

impl<T: Clone> Ring<T> {
    pub(super) const fn new(most: usize) -> Self {
        Self { values: VecDeque::new(), most }
    }

    pub(super) fn push(&mut self, value: T) {
        if self.values.len() == self.most {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The oldest first.
    pub(super) fn to_vec(&self) -> Vec<T> {
        self.values.iter().cloned().collect()
    }
}
