//! Knows a file again by its content, whatever its name is.

use std::io;
use std::sync::Arc;

use super::content::{Content, End, State};
use super::known::Known;
use super::print::Text;

/// What a file is found to be.
pub(super) enum Found {
    /// A copy of that content, up to there; `whole`: and no more.
    Copy {
        of: Arc<Content>,
        upto: u64,
        whole: bool,
    },
    /// A copy of what is being read, and more: which of the two goes on is seen later.
    Later,
    New,
}

/// Whether the file is a copy of a content, as far as that is read.
pub(super) fn recognise(known: &Known, text: &Text) -> io::Result<Found> {
    for content in known.beginning_like(&text.head()?) {
        let state = content.state().clone();
        if state.shape.identity == text.shape.identity || state.print.position == 0 {
            continue;
        }
        let position = state.print.position;
        let tails = text.tails(&[position])?;
        if tails.length >= position {
            if tails.hashes != [Some(state.print.tail)] {
                continue;
            }
            if tails.length > position && state.live {
                return Ok(Found::Later);
            }
            let upto = state.resume.min(tails.length);
            return Ok(Found::Copy { of: content, upto, whole: upto == tails.length });
        }
        // It ends before: a copy that was made a moment ago, or long ago.
        let at_end = match state.tail_at(tails.length) {
            Some(tail) => Some(tail),
            None => tail_of_file(&state, tails.length)?,
        };
        if at_end.is_some() && text.tails(&[tails.length])?.hashes == [at_end] {
            let upto = tails.length.min(state.resume);
            return Ok(Found::Copy { of: content, upto, whole: upto == tails.length });
        }
    }
    Ok(Found::New)
}

/// The hash of what lies before `position` in the file that a content is of, if it still is that.
fn tail_of_file(state: &State, position: u64) -> io::Result<Option<u64>> {
    match Text::open(&state.path) {
        Ok(text) if text.shape.identity == state.shape.identity && state.end != End::Cut && text.fits(&state.print)? => {
            Ok(text.tails(&[position])?.hashes.first().copied().flatten())
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
