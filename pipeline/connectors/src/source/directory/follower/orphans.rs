//! What becomes of contents that were cut, or are nowhere any more: a copy of them is read to its end, or they are told to be lost.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use super::super::super::Notice;
use super::super::content::{Content, End, Named};
use super::super::listing::{Kind, Listed, list, shown};
use super::super::print::Text;
use super::super::source::ContentOpener;
use super::Follower;

/// How many whole looks a content that was cut or has vanished is looked for before it is told to be lost.
pub(super) const LOOKS: u32 = 3;

impl Follower {
    /// Finds copies of contents that are no more, or says that they are lost.
    pub(super) fn settle_orphans(&mut self, starts: &mut Vec<ContentOpener>) -> io::Result<()> {
        if self.orphans.is_empty() {
            return Ok(());
        }
        let stems: BTreeSet<String> = self.orphans.iter().map(|(orphan, _)| self.stem(&orphan.name)).collect();
        let wanted = |_: u64, name: &OsStr| stems.iter().any(|stem| shown(name).starts_with(stem));
        let beside: Vec<Listed> = list(&self.dir, |_| Kind::Other, wanted)?;
        for (orphan, looks) in std::mem::take(&mut self.orphans) {
            if self.copy_of(&orphan, &beside, starts)? {
                orphan.state().settle();
            } else if looks > 1 {
                self.orphans.push((orphan, looks - 1));
            } else {
                self.lost(&orphan);
            }
        }
        Ok(())
    }

    fn copy_of(&mut self, orphan: &Arc<Content>, beside: &[Listed], starts: &mut Vec<ContentOpener>) -> io::Result<bool> {
        let state = orphan.state().clone();
        if state.print.position == 0 {
            return Ok(false);
        }
        if state.copied >= state.resume {
            self.observer.notice(&orphan.stream, &Notice::Rotated { read: state.resume });
            return Ok(true);
        }
        for listed in beside.iter().filter(|listed| self.known.of(listed.shape.identity).is_none()) {
            let text = match Text::open(&listed.path) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Unsupported) => continue,
                opened => opened?,
            };
            if text.fits(&state.print)? {
                let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(false) };
                self.observer.notice(&orphan.stream, &Notice::Rotated { read: state.resume });
                let content =
                    self.take_up(&orphan.name, listed, &text, state.resume, (state.resume == state.print.position).then_some(state.print))?;
                content.state().named = Named::Otherwise;
                self.start(content, place, starts);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lost(&self, orphan: &Content) {
        let mut state = orphan.state();
        state.settle();
        let (read, length, cut) = (state.resume, state.shape.length, state.end == End::Cut);
        drop(state);
        let notice = if cut { Notice::Truncated { read, length } } else { Notice::Vanished { read } };
        self.observer.notice(&orphan.stream, &notice);
    }
}
