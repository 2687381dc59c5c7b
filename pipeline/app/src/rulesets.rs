//! Where a ruleset is looked for: a folder, or a folder as it was at a revision of git.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use rasid_compiler::ruleset::Ruleset;
use rasid_compiler::{LoadError, Report, SourceFile, is_rule_file};

use crate::command::Failure;

/// Most bytes of rule files at a revision, as of a folder.
const BYTES_MAX: u64 = 64 << 20;

/// A ruleset by its place: `rules`, `git:main`, `git:v1.2:rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A folder of the repository around here, as it was at a revision; where the folder is not said, it is that of the other ruleset.
    Revision {
        /// As git takes it.
        revision: String,
        /// The folder.
        folder: Option<PathBuf>,
    },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(revision) = text.strip_prefix("git:") else { return Ok(Self::Folder(PathBuf::from(text))) };
        let (revision, folder) = match revision.split_once(':') {
            Some((revision, folder)) => (revision, Some(PathBuf::from(folder))),
            None => (revision, None),
        };
        if revision.is_empty() || revision.starts_with('-') {
            return Err("expected git:REVISION or git:REVISION:FOLDER, such as git:main or git:v1.2:rules".to_owned());
        }
        Ok(Self::Revision { revision: revision.to_owned(), folder })
    }
}

impl Place {
    /// Compiles what is there; `beside` is the folder of the other ruleset.
    pub(crate) fn load(&self, beside: &Path) -> Result<Ruleset, Failure> {
        match self {
            Self::Folder(dir) => Ok(rasid_compiler::load(dir)?),
            Self::Revision { revision, folder } => at_revision(revision, folder.as_deref().unwrap_or(beside)),
        }
    }

    /// The folder, where it is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(dir) => Some(dir),
            Self::Revision { folder, .. } => folder.as_deref(),
        }
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Folder(dir) => dir.display().to_string(),
            Self::Revision { revision, folder: None } => format!("git:{revision}"),
            Self::Revision { revision, folder: Some(folder) } => format!("git:{revision}:{}", folder.display()),
        }
    }
}

/// The rule files of `dir` as they were at a revision of the repository that it lies in.
fn at_revision(revision: &str, dir: &Path) -> Result<Ruleset, Failure> {
    // The folder may be gone today: git is asked where the nearest one is that is still there.
    let absolute = std::path::absolute(dir).map_err(|error| Failure::Configuration(format!("{}: {error}", dir.display())))?;
    let here = absolute.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned();
    let top = text(&git(&here, &["rev-parse", "--show-toplevel"], None)?);
    let below = absolute.strip_prefix(Path::new(top.trim_end()));
    let canonical = here.canonicalize().ok().map(|real| real.join(absolute.strip_prefix(&here).unwrap_or(Path::new(""))));
    let below = match (below, &canonical) {
        (Ok(below), _) => below.to_owned(),
        (Err(_), Some(real)) => real.strip_prefix(Path::new(top.trim_end())).map(Path::to_owned).unwrap_or_default(),
        (Err(_), None) => PathBuf::new(),
    };
    let tree = format!("{revision}:{}", below.display());
    let listed = text(&git(&here, &["ls-tree", "-r", "-z", "--full-tree", &tree], None)?);
    let mut wanted: Vec<(String, String)> = Vec::new();
    for row in listed.split('\0').filter(|row| !row.is_empty()) {
        let Some((about, name)) = row.split_once('\t') else { continue };
        let mut words = about.split(' ');
        if let (Some("100644" | "100755"), Some("blob"), Some(hash)) = (words.next(), words.next(), words.next())
            && is_rule_file(name)
        {
            wanted.push((name.to_owned(), hash.to_owned()));
        }
    }
    if wanted.is_empty() {
        return Err(Failure::Rules(LoadError::Empty { dir: PathBuf::from(format!("git:{tree}")) }));
    }
    let hashes: String = wanted.iter().flat_map(|(_, hash)| [hash.as_str(), "\n"]).collect();
    let blobs = git(&here, &["cat-file", "--batch"], Some(hashes))?;
    let files = files(&wanted, &blobs).ok_or_else(|| Failure::Configuration(format!("git:{tree}: a rule file there is no UTF-8 text")))?;
    rasid_compiler::compile(&files)
        .map_err(|report| Failure::Rules(LoadError::Faults(Report { dir: Some(PathBuf::from(format!("git:{tree}"))), ..report })))
}

/// Files out of what `git cat-file --batch` says of them: a line of hash, kind and length, then that many bytes and a line's end.
fn files(wanted: &[(String, String)], mut blobs: &[u8]) -> Option<Vec<SourceFile>> {
    let mut files = Vec::with_capacity(wanted.len());
    for (name, hash) in wanted {
        let end = blobs.iter().position(|byte| *byte == b'\n')?;
        let (head, rest) = blobs.split_at(end);
        let length: usize = std::str::from_utf8(head).ok()?.strip_prefix(hash.as_str())?.strip_prefix(" blob ")?.parse().ok()?;
        let (body, after) = rest.get(1..)?.split_at_checked(length)?;
        files.push(SourceFile { name: name.clone(), text: String::from_utf8(body.to_vec()).ok()? });
        blobs = after.get(1..)?;
    }
    Some(files)
}

/// What git says, asked in `here`.
fn git(here: &Path, arguments: &[&str], input: Option<String>) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Outside(Box::new(std::io::Error::new(error.kind(), format!("git, which looks revisions up, cannot be run: {error}"))))
    };
    let mut command = Command::new("git");
    command.arg("-C").arg(here).args(arguments).stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    // Written beside the reading: both pipes are short.
    let feeding = child.stdin.take().zip(input).map(|(mut pipe, input)| std::thread::spawn(move || pipe.write_all(input.as_bytes())));
    let mut said = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(BYTES_MAX).read_to_end(&mut said).map_err(failed)?;
    }
    let rest = child.wait_with_output().map_err(failed)?;
    if let Some(feeding) = feeding {
        // What git did not read, it has told of.
        drop(feeding.join());
    }
    if !rest.status.success() {
        let why = String::from_utf8_lossy(&rest.stderr).lines().next().unwrap_or("it says nothing").to_owned();
        return Err(Failure::Configuration(format!("git {}: {why}", arguments.join(" "))));
    }
    Ok(said)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_revision() {
        let place = |text: &str| text.parse::<Place>().map(|place| place.shown());
        assert_eq!(place("rules"), Ok("rules".to_owned()));
        assert_eq!(place("git:main~3"), Ok("git:main~3".to_owned()));
        assert_eq!(place("git:v1:old/rules"), Ok("git:v1:old/rules".to_owned()));
        assert!(place("git:").is_err() && place("git:--output=x").is_err());
    }

    fn run(dir: &Path, arguments: &[&str]) {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").arg("-C").arg(dir).args(who).args(arguments).output().expect("git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn a_revision_has_the_rules_that_it_had() {
        let dir = tempfile::tempdir().expect("a folder");
        let rules = dir.path().join("shop/rules");
        std::fs::create_dir_all(rules.join("auth")).expect("a folder");
        let rule = |limit: u32| {
            format!(
                "rule: auth.t\ntitle: t\non: auth.otp_requested\nentity: phone\nlet: {{n: {{count: auth.otp_requested, by: phone, window: 10m}}}}\nwhen: n > {limit}\nexplain: '{{n}}'\n"
            )
        };
        let file = rules.join("auth/t.yaml");
        std::fs::write(&file, rule(3)).expect("written");
        std::fs::write(rules.join("README.md"), "no rule").expect("written");
        run(dir.path(), &["init", "--quiet"]);
        run(dir.path(), &["add", "."]);
        run(dir.path(), &["commit", "--quiet", "--message", "three"]);
        std::fs::write(&file, rule(5)).expect("written");
        let load = |place: &str| place.parse::<Place>().expect("a place").load(&rules).map(|ruleset| ruleset.sources[0].text.clone());
        assert_eq!(load("git:HEAD").expect("rules"), rule(3));
        assert_eq!(load(&format!("git:HEAD:{}", rules.display())).expect("rules"), rule(3));
        assert_eq!(load(&rules.display().to_string()).expect("rules"), rule(5));
        std::fs::remove_dir_all(&rules).expect("removed");
        assert_eq!(load("git:HEAD").expect("rules that are gone today"), rule(3));
        for (place, said) in [("git:nowhere", "git ls-tree"), ("git:HEAD:elsewhere", "git ")] {
            let failure = load(place).expect_err(place).to_string();
            assert!(failure.contains(said), "{failure}");
        }
    }
}
