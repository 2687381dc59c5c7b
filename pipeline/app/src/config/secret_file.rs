//! Files that hold a secret: read only where nobody else could have read or changed them.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Reading by the file's group, and by all others.
const OTHERS_READ: u32 = 0o044;
/// Writing by the same.
const OTHERS_WRITE: u32 = 0o022;
/// Permissions without the file's type.
const PERMISSIONS: u32 = 0o7777;

/// Why a file is not taken for a secret; lines for a person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// The secret in the file at `path`, without the white space around it. Links are followed: what is judged is the file that
/// is read. `shared` takes one that others may read as well.
pub(crate) fn read(path: &str, shared: bool) -> Result<Vec<u8>, Refused> {
    let plain = |message: String| Refused { message, help: None };
    let cannot = |error: std::io::Error| plain(format!("cannot read {path}: {error}"));
    // Judged by the open file, so that it is the one that is read.
    let mut file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_dir() {
        return Err(plain(format!("{path} is a folder")));
    }
    judge(path, &metadata, shared)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(cannot)?;
    match bytes.trim_ascii() {
        [] => Err(plain(format!("{path} is empty"))),
        bytes => Ok(bytes.to_vec()),
    }
}

fn judge(path: &str, metadata: &Metadata, shared: bool) -> Result<(), Refused> {
    let (mode, owner, ours) = (metadata.mode() & PERMISSIONS, metadata.uid(), crate::user::own());
    let shown = Path::new(path).canonicalize().map_or_else(|_| path.to_owned(), |real| real.display().to_string());
    let refused = |what: &str, help: String| Err(Refused { message: format!("{path} {what} (mode {mode:04o})"), help: Some(help) });
    if mode & OTHERS_WRITE != 0 {
        return refused("can be changed by others than its owner", format!("chmod 400 {shown}"));
    }
    if shared {
        return Ok(());
    }
    if mode & OTHERS_READ != 0 {
        let help = format!("chmod 400 {shown}; where the container decides who may read it, set `secrets.shared_files` to true");
        return refused("can be read by others than its owner", help);
    }
    if owner != 0 && owner != ours {
        return refused(&format!("belongs to the user {owner}"), format!("chown {ours} {shown}: expected root or the user who reads it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_secret_that_others_may_read_or_change_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, " a secret \n").expect("a file");
        let link = folder.path().join("link");
        symlink(&path, &link).expect("a link");
        let (name, link) = (path.display().to_string(), link.display().to_string());
        for (mode, shared, refused) in [
            (0o400, false, None),
            (0o600, false, None),
            (0o700, false, None),
            (0o440, false, Some("can be read by others than its owner (mode 0440)")),
            (0o404, false, Some("can be read by others than its owner (mode 0404)")),
            (0o444, false, Some("can be read by others than its owner (mode 0444)")),
            (0o620, false, Some("can be changed by others than its owner (mode 0620)")),
            (0o602, false, Some("can be changed by others than its owner (mode 0602)")),
            (0o440, true, None),
            (0o444, true, None),
            (0o644, true, None),
            (0o666, true, Some("can be changed by others than its owner (mode 0666)")),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("ours");
            for given in [&name, &link] {
                let found = read(given, shared);
                match refused {
                    None => assert_eq!(found, Ok(b"a secret".to_vec()), "{mode:o}"),
                    Some(what) => {
                        let error = found.expect_err("refused");
                        assert_eq!(error.message, format!("{given} {what}"));
                        assert!(error.help.expect("help").starts_with(&format!("chmod 400 {name}")), "the file itself is named");
                    }
                }
            }
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
        std::fs::write(&path, " \n").expect("a file");
        let message = |path: &str| read(path, false).expect_err("no secret").message;
        assert_eq!(message(&name), format!("{name} is empty"));
        let dir = folder.path().display().to_string();
        assert_eq!(message(&dir), format!("{dir} is a folder"));
        assert!(message(&format!("{dir}/nosuch")).contains("cannot read"));
    }
}
