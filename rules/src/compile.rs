//! Rule files into a ruleset.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::binding::Draft;
use crate::diagnostic::{Code, Diagnostic, Fault, Report};
use crate::expression::{Expr, StringTest};
use crate::list::{self, Lists};
use crate::lower::{self, Library, Lowered};
use crate::ruleset::{Binding, Rule, Ruleset};
use crate::shared::{self, Shared};
use crate::yaml::{self, Node};

/// The folders beside the areas that hold no rules: this crate's own sources where it shares the folder.
const NO_AREAS: [&str; 2] = ["src", "tests"];
/// Deepest folder that is looked into; rules lie at `area/rule.yaml`, lists at `lists/list.yaml`.
const DEPTH_MAX: usize = 8;

/// One file: a rule; a list, if its name begins with `lists/`; the shared bindings, if it is `shared.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the rules directory, with `/`; what faults show.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Why a rules directory gave no ruleset.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files have faults; [`Report::render`] shows them.
    #[error("{0}")]
    Faults(Report),
    /// There is no rule file at all.
    #[error("no rule file (*.yaml, *.yml) below {}", dir.display())]
    Empty {
        /// Where.
        dir: PathBuf,
    },
}

/// Compiles every rule file below `dir`, with its `shared.yaml` and the lists in `lists`: `*.yaml` and `*.yml`, less
/// hidden files and the folders `src` and `tests`, which belong to this crate where it lies in the same folder.
///
/// # Errors
/// See [`LoadError`].
pub fn load(dir: &Path) -> Result<Ruleset, LoadError> {
    let mut files = Vec::new();
    collect(dir, "", 0, &mut files)?;
    if !files.iter().any(|file| is_rule(&file.name)) {
        return Err(LoadError::Empty { dir: dir.to_owned() });
    }
    compile(&files).map_err(|report| LoadError::Faults(Report { dir: Some(dir.to_owned()), ..report }))
}

fn collect(dir: &Path, prefix: &str, depth: usize, files: &mut Vec<SourceFile>) -> Result<(), LoadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LoadError::Io { path, source }
    };
    for entry in std::fs::read_dir(dir).map_err(failed(dir))? {
        let path = entry.map_err(failed(dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.')) else { continue };
        let shown = format!("{prefix}{name}");
        if path.is_dir() {
            if depth < DEPTH_MAX && !(depth == 0 && NO_AREAS.contains(&name)) {
                collect(&path, &format!("{shown}/"), depth + 1, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
            files.push(SourceFile { name: shown, text });
        }
    }
    Ok(())
}

/// Compiles rule files, with the lists and shared bindings that they name; their order does not matter.
///
/// # Errors
/// A [`Report`] of every fault of every file.
pub fn compile(files: &[SourceFile]) -> Result<Ruleset, Report> {
    let mut sources = files.to_vec();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found: Vec<Vec<Fault>> = vec![Vec::new(); sources.len()];
    let mut roots: Vec<Option<Node>> = Vec::new();
    for (source, faults) in sources.iter().zip(&mut found) {
        let parsed = if list::is_list(&source.name) { yaml::parse_list(&source.text) } else { yaml::parse(&source.text) };
        roots.push(parsed.map_err(|bad| *faults = bad).ok());
    }
    let library = library(&sources, &roots, &mut found);
    let mut lowered: Vec<Option<Lowered>> = Vec::new();
    for (index, (source, faults)) in sources.iter().zip(&mut found).enumerate() {
        let root = roots.get(index).and_then(Option::as_ref).filter(|_| is_rule(&source.name));
        lowered.push(root.map(|root| lower::lower(&source.name, &source.text, root, index, &library, faults)));
    }
    duplicates(&sources, &lowered, &mut found);
    let faults: Vec<Diagnostic> = found
        .into_iter()
        .enumerate()
        .flat_map(|(file, faults)| tidy(faults).into_iter().map(move |fault| Diagnostic::new(file, fault)))
        .collect();
    if !faults.is_empty() {
        return Err(Report { faults, sources, dir: None });
    }

    let mut bindings = Bindings::default();
    let mut rules: Vec<Rule> =
        lowered.into_iter().flatten().filter_map(|lowered| Some(bindings.connect(lowered.rule?, lowered.lets))).collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Ruleset { rules, bindings: bindings.list, hash: hash(&sources), sources })
}

/// In the order of the file, and one fault a place and kind, because an expression is checked once for each event
/// type. What is missing has no place of its own.
fn tidy(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_key(|fault| (fault.span.start, fault.span.end, fault.code));
    faults.dedup_by(|next, first| next.span == first.span && next.code == first.code && next.code != Code::MissingKey);
    faults
}

/// Whether a file of that name is a rule, not what rules share.
fn is_rule(name: &str) -> bool {
    name != shared::FILE && !list::is_list(name)
}

/// The lists and shared bindings among the files. What has a fault is known by its name, so that nothing more is said
/// about what names it.
fn library<'a>(sources: &'a [SourceFile], roots: &'a [Option<Node>], found: &mut [Vec<Fault>]) -> Library<'a> {
    let mut lists = Lists::new();
    for ((source, root), faults) in sources.iter().zip(roots).zip(found.iter_mut()) {
        if !list::is_list(&source.name) {
            continue;
        }
        let name = list::stem(&source.name);
        if lists.contains_key(name) {
            let fault = Fault::new(Code::DuplicateRule, 0..0, format!("there is another file of the list `{name}`"));
            faults.push(fault.help("give one of them another name"));
        } else {
            let list = root.as_ref().and_then(|root| list::lower(&source.name, root, faults));
            lists.insert(name.to_owned(), list.map(Arc::new));
        }
    }
    let mut shared = Shared::default();
    for ((source, root), faults) in sources.iter().zip(roots).zip(found) {
        if source.name == shared::FILE {
            shared = root.as_ref().map_or_else(Shared::unread, |root| Shared::lower(&source.text, root, &lists, faults));
        }
    }
    Library { lists, shared }
}

fn duplicates(sources: &[SourceFile], lowered: &[Option<Lowered>], found: &mut [Vec<Fault>]) {
    let ids: Vec<_> = lowered.iter().map(|lowered| lowered.as_ref().and_then(|lowered| lowered.id.as_ref())).collect();
    for (index, faults) in found.iter_mut().enumerate() {
        let Some((id, span)) = ids.get(index).copied().flatten() else { continue };
        let first = ids.iter().position(|other| other.is_some_and(|(other, _)| other == id));
        if let Some(first) = first.filter(|first| *first < index) {
            let other = sources.get(first).map_or("", |source| source.name.as_str());
            faults.push(
                Fault::new(Code::DuplicateRule, span.clone(), format!("the rule `{id}` is in {other} already"))
                    .help("give one of them another name"),
            );
        }
    }
}

/// `sha256:` over each file's name, NUL, length as u64 little-endian, and bytes.
fn hash(sources: &[SourceFile]) -> String {
    let mut hasher = Sha256::new();
    for source in sources {
        hasher.update(source.name.as_bytes());
        hasher.update([0]);
        hasher.update((source.text.len() as u64).to_le_bytes());
        hasher.update(source.text.as_bytes());
    }
    hasher.finalize().iter().fold(String::from("sha256:"), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The bindings of all rules; equal ones are one.
#[derive(Default)]
struct Bindings {
    list: Vec<Binding>,
}

impl Bindings {
    /// Numbers a rule's bindings, and makes its programs name them by their index among its triggers' reads.
    fn connect(&mut self, mut rule: Rule, lets: Vec<Draft>) -> Rule {
        let mut reads: Vec<usize> = Vec::new();
        let mut slots = Vec::new();
        for draft in lets {
            let Some((binding, _)) = draft.binding else {
                slots.push(usize::MAX); // a shared binding that the rule does not name
                continue;
            };
            let number = self.intern(binding);
            let slot = reads.iter().position(|read| *read == number).unwrap_or(reads.len());
            if slot == reads.len() {
                reads.push(number);
            }
            slots.push(slot);
        }
        for trigger in &mut rule.triggers {
            trigger.reads.clone_from(&reads);
            for program in &mut trigger.programs {
                renumber(&mut program.when, &slots); // `applies` reads the event alone
                program.shown.iter_mut().for_each(|shown| renumber(&mut shown.value, &slots));
            }
        }
        rule
    }

    /// The number of an equal binding, which takes over the types that read the new one; else a new number. Both find
    /// their key in one type by one field: a bare kind has only one there, and a named field is that one.
    fn intern(&mut self, new: Binding) -> usize {
        let Some((number, binding)) = self.list.iter_mut().enumerate().find(|(_, other)| other.canonical == new.canonical) else {
            self.list.push(new);
            return self.list.len() - 1;
        };
        for (event, parts) in new.keys {
            match binding.keys.iter().find(|(other, _)| *other == event) {
                Some((_, theirs)) => debug_assert_eq!(*theirs, parts, "one key in {}", event.name()),
                None => binding.keys.push((event, parts)),
            }
        }
        binding.keys.sort_by_key(|(event, _)| *event);
        number
    }
}

fn renumber(expr: &mut Expr, slots: &[usize]) {
    let slot = |index: &mut usize| *index = *slots.get(*index).expect("a rule without faults has every binding");
    match expr {
        Expr::Binding(index) | Expr::Fired(index) | Expr::Signal(index, _) => slot(index),
        Expr::Const(_) | Expr::Field(_) | Expr::Has(_) | Expr::Unknown(_) | Expr::HasUnknown(_) | Expr::Time => {}
        Expr::Not(a) | Expr::Negate(a) | Expr::Size(a) | Expr::InList(a, _) | Expr::Text(a, StringTest::Matches(_)) => renumber(a, slots),
        Expr::And(a, b)
        | Expr::Or(a, b)
        | Expr::Compare(_, a, b)
        | Expr::Arithmetic(_, a, b)
        | Expr::Text(a, StringTest::StartsWith(b) | StringTest::EndsWith(b) | StringTest::Contains(b)) => {
            renumber(a, slots);
            renumber(b, slots);
        }
        Expr::Conditional(a, b, c) => [a, b, c].into_iter().for_each(|part| renumber(part, slots)),
        Expr::In(a, list) => {
            renumber(a, slots);
            for part in list {
                renumber(part, slots);
            }
        }
    }
}
