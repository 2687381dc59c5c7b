//! The users of this machine, by number and name.

use std::os::unix::fs::MetadataExt as _;

/// The list of them (`passwd(5)`). Who is listed elsewhere alone, in a directory of the network, has a number here and no
/// name.
const LIST: &str = "/etc/passwd";

/// The user that this process runs as. Its entry in `/proc` belongs to it; where there is none, only root's files pass.
pub(crate) fn own() -> u32 {
    std::fs::metadata("/proc/self").map_or(0, |entry| entry.uid())
}

/// The name of a user; `None` where the list does not have it.
pub(crate) fn name(uid: u32) -> Option<String> {
    named(&std::fs::read_to_string(LIST).ok()?, uid)
}

/// A user for the audit: by name, else by number.
pub(crate) fn named_or_numbered(uid: u32) -> String {
    name(uid).unwrap_or_else(|| format!("uid:{uid}"))
}

fn named(list: &str, uid: u32) -> Option<String> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    };
    list.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_list() {
        let list = "root:x:0:0:root:/root:/bin/bash\n# a note\nbroken\n:x:7:7:::\nrasid:x:1000:1000::/var/lib/rasid:/usr/sbin/nologin\n";
        for (uid, expected) in [(0, Some("root")), (1000, Some("rasid")), (7, None), (1, None)] {
            assert_eq!(named(list, uid).as_deref(), expected, "{uid}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(own(), folder.path().metadata().expect("there").uid(), "what it makes is its own");
    }
}
