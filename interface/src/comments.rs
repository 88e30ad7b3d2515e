//! Which documentation comment belongs to which declaration.

use crate::lexer::Comment;
use crate::prototypes::Place;
use crate::source::{Files, Position};

/// The comments of all files by place.
pub(crate) struct Comments<'r, 'a> {
    all: &'r [Comment<'a>],
    files: &'r Files,
}

impl<'r, 'a> Comments<'r, 'a> {
    /// `all` must be sorted by place.
    pub(crate) fn new(all: &'r [Comment<'a>], files: &'r Files) -> Self {
        Self { all, files }
    }

    /// The last comment before a declaration that begins at `at`, if nothing else was declared since.
    pub(crate) fn before(&self, at: Position, after: Position) -> Option<&Comment<'a>> {
        let end = self.all.partition_point(|comment| comment.at < at);
        let near = |comment: &&Comment| {
            comment.at.file == at.file && (after.file != at.file || comment.at >= after) && comment.end <= at.offset
        };
        self.all[..end].iter().rev().take_while(near).find(|comment| !comment.trailing)
    }

    /// The comment `///< …` between two places.
    pub(crate) fn trailing(&self, from: Position, to: Position) -> Option<&Comment<'a>> {
        let start = self.all.partition_point(|comment| comment.at < from);
        self.all[start..].iter().take_while(|comment| comment.at < to).find(|comment| comment.trailing)
    }

    /// The comment of a parameter or member: behind it, or before it in its list.
    pub(crate) fn of(&self, place: Place) -> Option<&Comment<'a>> {
        self.trailing(place.last, place.next).or_else(|| self.before(place.first, place.before))
    }

    /// The comment `///< …` behind a place in its line.
    pub(crate) fn trailing_in_line(&self, at: Position) -> Option<&Comment<'a>> {
        let start = self.all.partition_point(|comment| comment.at < at);
        let comment = self.all.get(start)?;
        let same = comment.at.file == at.file && self.files.line(comment.at) == self.files.line(at);
        (comment.trailing && same).then_some(comment)
    }
}
