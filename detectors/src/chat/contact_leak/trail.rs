//! What the detector went through on its way to a verdict, for people: see [`super::explain`].
//!
//! A message that is only judged has no trail, and a note costs it one test of that. What is noted is a place and words of this crate:
//! nothing of the message.

use std::cell::RefCell;

use super::normalise::{Span, Text};
use super::{Find, LeakKind};

/// Notes of a message that are kept: an adversarial one has thousands of candidates.
const NOTES_MAX: usize = 200;

/// What a clause says that refuses.
pub(super) const REFUSED: &str = "it is refused";

/// One test of one candidate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) kind: LeakKind,
    pub(super) span: Span,
    pub(super) passed: bool,
    pub(super) why: &'static str,
}

/// The notes of a message, and what was found in it, in the order in which that was.
#[derive(Default)]
pub(super) struct Trail {
    notes: RefCell<Vec<Note>>,
    finds: RefCell<Vec<Find>>,
}

impl Trail {
    /// All of it, and whether there were more notes than are kept.
    pub(super) fn into_parts(self) -> (Vec<Note>, Vec<Find>, bool) {
        let (mut notes, finds) = (self.notes.into_inner(), self.finds.into_inner());
        let more = notes.len() > NOTES_MAX;
        notes.truncate(NOTES_MAX);
        (notes, finds, more)
    }
}

impl Text {
    /// Whether somebody wants to know why.
    pub(super) fn is_traced(&self) -> bool {
        self.trail.is_some()
    }

    /// Notes that a candidate passed a test, or did not.
    #[inline]
    pub(super) fn note(&self, kind: LeakKind, passed: bool, why: &'static str, span: impl FnOnce() -> Span) {
        if let Some(trail) = &self.trail {
            let note = Note { kind, span: span(), passed, why };
            let mut notes = trail.notes.borrow_mut();
            if notes.len() <= NOTES_MAX && !notes.contains(&note) {
                notes.push(note);
            }
        }
    }

    /// Notes that something was found.
    pub(super) fn note_find(&self, find: &Find) {
        if let Some(trail) = &self.trail {
            trail.finds.borrow_mut().push(find.clone());
        }
    }
}
