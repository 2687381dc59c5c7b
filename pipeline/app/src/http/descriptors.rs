//! How many files and sockets this process may have open, and how many of them connections may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that connections never take: the log's and the dead letters' segments, the outbox, a snapshot being
/// written and the rule files being read (some 40), the sinks' connections and the control socket's (some 60), the runtime's own;
/// the rest is for followed files, one each.
const RESERVED: usize = 256;

/// Raises the soft limit of open files to the hard one, which is there to be used, and returns what holds then.
///
/// The soft limit is 1,024 on most systems only for programs that call `select`, which this one does not.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the soft limit of open files cannot be raised to the hard one");
    }
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many connections there may be: as many as wanted, less where `limit` descriptors do not leave [`RESERVED`] for the
/// rest. A quarter of a limit that is smaller still.
pub(crate) fn connections(wanted: usize, limit: usize) -> usize {
    wanted.min(limit.saturating_sub(RESERVED).max(limit / 4)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plenty(1_024, 65_536, 1_024)]
    #[case::the_usual_soft_limit(1_024, 1_024, 768)]
    #[case::no_limit(1_024, usize::MAX, 1_024)]
    #[case::at_the_reserve(1_024, 340, 85)]
    #[case::hardly_any(1_024, 3, 1)]
    fn the_rest_of_the_service_is_left_its_own(#[case] wanted: usize, #[case] limit: usize, #[case] expected: usize) {
        assert_eq!(connections(wanted, limit), expected);
    }

    #[test]
    fn the_soft_limit_is_the_hard_one_then() {
        let raised = raise();
        let hard = getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |hard| usize::try_from(hard).expect("small"));
        assert_eq!(raised, hard);
    }
}
