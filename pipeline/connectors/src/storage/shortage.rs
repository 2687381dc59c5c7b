//! Descriptors and memory that the system lacks for a moment: somebody else's files and connections, which will be closed.

use std::io;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;

/// The first pause before a file is opened again; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(2);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// For how long in all. What lasts longer is no crowd but a leak, which ends with the process.
const PATIENCE: Duration = Duration::from_mins(2);

/// Whether the system had no descriptor or no memory to give: nothing was done, and it may have some a moment later.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let lacking = [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(|errno| Some(errno.raw_os_error()));
    lacking.contains(&error.raw_os_error())
}

/// Opens something, waiting as long as the system has no descriptor for it. It waits in its thread, as the disk does.
pub(super) fn waited_out<T>(open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    waiting(open, PATIENCE, thread::park_timeout)
}

fn waiting<T>(mut open: impl FnMut() -> io::Result<T>, patience: Duration, wait: impl Fn(Duration)) -> io::Result<T> {
    let (mut pause, mut waited) = (PAUSE, Duration::ZERO);
    loop {
        match open() {
            Err(error) if is_shortage(&error) && waited < patience => {
                if waited.is_zero() {
                    tracing::warn!(%error, patience_s = patience.as_secs(), "a file cannot be opened; it is waited for");
                }
                wait(pause);
                waited += pause;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            opened => return opened,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::io::ErrorKind;

    fn lacking() -> io::Error {
        io::Error::from_raw_os_error(Errno::MFILE.raw_os_error())
    }

    #[test]
    fn what_passes_is_waited_for_with_longer_and_longer_pauses() {
        let pauses = RefCell::new(Vec::new());
        let mut answers = vec![Ok(7), Err(lacking()), Err(lacking()), Err(lacking())];
        let opened = waiting(|| answers.pop().expect("no more"), PATIENCE, |pause| pauses.borrow_mut().push(pause));
        assert_eq!(opened.expect("opened"), 7);
        assert_eq!(pauses.into_inner(), [PAUSE, PAUSE * 2, PAUSE * 4]);
    }

    #[test]
    fn what_does_not_pass_is_an_answer() {
        let mut asked = 0;
        let missing = waiting::<()>(
            || {
                asked += 1;
                Err(ErrorKind::NotFound.into())
            },
            PATIENCE,
            |_| panic!("nothing to wait for"),
        );
        assert_eq!((missing.expect_err("not there").kind(), asked), (ErrorKind::NotFound, 1));
        let waited = RefCell::new(Duration::ZERO);
        let leak = waiting::<()>(|| Err(lacking()), Duration::from_secs(5), |pause| *waited.borrow_mut() += pause);
        assert!(is_shortage(&leak.expect_err("never opened")));
        assert!((5..7).contains(&waited.into_inner().as_secs()));
    }
}
