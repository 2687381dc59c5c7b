//! The bound on keyed state: how it is written, and whether the machine has room for it.
//!
//! The bound decides what is forgotten and so which alerts there are: it is a number that somebody chose or the default,
//! never one that this machine happens to have. A machine that is too small for it is told, and nothing else.

use std::fs;
use std::ops::RangeInclusive;

/// What the bound may be, bytes.
const BYTES: RangeInclusive<u64> = 16 << 20..=1 << 40;

/// Reads a bound: bytes, or a whole number with KiB, MiB or GiB.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text.strip_prefix(digits).unwrap_or_default() {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        unit => return Err(format!("the unit is `{unit}`, expected KiB, MiB, GiB or none for bytes")),
    };
    let number = digits.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    match number {
        Some(number) if BYTES.contains(&number) => Ok(number),
        Some(number) => Err(format!("{number} bytes, expected 16MiB to 1024GiB")),
        None => Err("expected a number of bytes, such as 2GiB".to_owned()),
    }
}

/// Where a process with this bound may need more than there is: the bytes that there are. Beside the state stand its copy
/// while a snapshot is written, events on their way, queues and caches: as much again.
pub(crate) fn short_of(bound: u64) -> Option<u64> {
    let have = [machine(), group()].into_iter().flatten().min()?;
    (have / 2 < bound).then_some(have)
}

/// The machine's memory.
fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.split_whitespace().next()?;
    kibibytes.parse::<u64>().ok()?.checked_mul(1024)
}

/// What the process may have: the least of its control group's bound and of those above it (cgroup v2); `None` where there
/// is none.
fn group() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mut path = std::path::Path::new("/sys/fs/cgroup").join(own);
    let mut least = None;
    while path.starts_with("/sys/fs/cgroup") {
        let bound = fs::read_to_string(path.join("memory.max")).ok().and_then(|text| text.trim().parse().ok());
        least = least.into_iter().chain(bound).min();
        path.pop();
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_read_with_its_unit() {
        for (text, expected) in [
            ("16777216", Some(16 << 20)),
            ("16MiB", Some(16 << 20)),
            ("2 GiB", Some(2 << 30)),
            ("1024GiB", Some(1 << 40)),
            ("16777215", None),
            ("1025GiB", None),
            ("4GB", None),
            ("4g", None),
            ("GiB", None),
            ("-1", None),
            ("1.5GiB", None),
            ("99999999999999GiB", None),
            ("", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}: {:?}", bytes(text));
        }
    }

    #[test]
    fn a_machine_is_too_small_for_a_bound_of_more_than_half_of_it() {
        let have = machine().expect("Linux");
        assert_eq!(short_of(1), None);
        assert!(short_of(have).is_some_and(|least| least <= have));
    }
}
