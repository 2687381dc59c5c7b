//! Which of two engine versions is the later, by [Semantic Versioning](https://semver.org/#spec-item-11).

use std::cmp::Ordering;

use super::Why;

/// Refuses what a later engine wrote.
pub(super) fn not_newer(theirs: &str, ours: &str) -> Result<(), Why> {
    let foreign = |version: &str| Why::Foreign { what: format!("{version:?} is no engine version") };
    let order = key(theirs).ok_or_else(|| foreign(theirs))?.cmp(&key(ours).ok_or_else(|| foreign(ours))?);
    match order {
        Ordering::Greater => Err(Why::NewerEngine { engine: theirs.to_owned(), ours: ours.to_owned() }),
        Ordering::Less | Ordering::Equal => Ok(()),
    }
}

/// Orders as the versions do: numbers; then pre-releases before the release; build metadata says nothing.
fn key(version: &str) -> Option<([u64; 3], bool, Vec<Identifier<'_>>)> {
    let version = version.split_once('+').map_or(version, |(version, _)| version);
    let (numbers, pre) = version.split_once('-').map_or((version, None), |(numbers, pre)| (numbers, Some(pre)));
    let numbers: Vec<u64> = numbers.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    let identifiers = pre.map_or_else(Vec::new, |pre| pre.split('.').map(Identifier::of).collect());
    Some((numbers.try_into().ok()?, pre.is_none(), identifiers))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(u64),
    Word(&'a str),
}

impl<'a> Identifier<'a> {
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Word(text), Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::same("0.3.0", "0.3.0", true)]
    #[case::older_patch("0.3.0", "0.3.1", true)]
    #[case::newer_patch("0.3.1", "0.3.0", false)]
    #[case::numbers_not_text("0.10.0", "0.9.0", false)]
    #[case::newer_major("1.0.0", "0.99.99", false)]
    #[case::pre_release_before_release("0.4.0-rc.1", "0.4.0", true)]
    #[case::release_after_pre_release("0.4.0", "0.4.0-rc.1", false)]
    #[case::later_pre_release("0.4.0-rc.10", "0.4.0-rc.9", false)]
    #[case::more_identifiers("0.4.0-rc.1.1", "0.4.0-rc.1", false)]
    #[case::number_before_word("0.4.0-1", "0.4.0-a", true)]
    #[case::build_says_nothing("0.3.0+b", "0.3.0+a", true)]
    fn later_engines_are_refused(#[case] theirs: &str, #[case] ours: &str, #[case] taken: bool) {
        let answer = not_newer(theirs, ours);
        assert_eq!(answer.is_ok(), taken, "{answer:?}");
        assert_eq!(matches!(answer, Err(Why::NewerEngine { .. })), !taken);
    }

    #[rstest]
    #[case::word("latest")]
    #[case::two_numbers("0.3")]
    #[case::four_numbers("0.3.0.1")]
    #[case::empty("")]
    fn what_is_no_version_is_foreign(#[case] theirs: &str) {
        assert!(matches!(not_newer(theirs, "0.3.0"), Err(Why::Foreign { .. })));
    }
}
