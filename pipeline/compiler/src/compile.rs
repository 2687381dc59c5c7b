//! Rule files into a ruleset.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rasid_detectors::event::EventType;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::binding::Draft;
use crate::diagnostic::{Code, Diagnostic, Fault, Report};
use crate::expression::Expr;
use crate::folder::{self, Read as ReadFile};
use crate::list::{self, Lists};
use crate::lower::{self, Library, Lowered};
use crate::names::Tables;
use crate::rates;
use crate::ruleset::{Binding, KeyPart, Read, Rule, Ruleset};
use crate::shared::{self, Shared};
use crate::yaml::{self, Node};
use crate::zone::{self, Zones};

/// One file: a rule; a list, if its name begins with `lists/`, or the entries of one, if it ends in `.txt` or `.csv` too, or a zone, if it ends in `.geojson`; the shared bindings, if it is `shared.yaml`; the rates, if it is `rates.yaml`.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path below the rules directory, with `/`; what faults show.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// How long it is, never what it says: a list may be of people.
impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("name", &self.name).field("bytes", &self.text.len()).finish()
    }
}

/// Why a rules directory gave no ruleset.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder cannot be listed; what lies in it has faults instead.
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

/// Compiles every rule file below `dir`, with its `shared.yaml`, its `rates.yaml` and the lists in `lists`: `*.yaml` and `*.yml`, less
/// hidden files, and the plain files of entries beside the lists. What cannot be read is a fault like any other.
///
/// # Errors
/// See [`LoadError`].
pub fn load(dir: &Path) -> Result<Ruleset, LoadError> {
    let files = folder::read(dir).map_err(|source| LoadError::Io { path: dir.to_owned(), source })?;
    if !files.iter().any(|read| is_rule(&read.file.name) || !read.faults.is_empty()) {
        return Err(LoadError::Empty { dir: dir.to_owned() });
    }
    compile_read(files).map_err(|report| LoadError::Faults(Report { dir: Some(dir.to_owned()), ..report }))
}

/// The rules folder that a rule file lies in, and its path below that: of the file's own folder and the one above it the
/// first that has a `shared.yaml`, a `rates.yaml` or a folder `lists`; if neither has, the file's own.
pub fn place_of(file: &Path) -> (PathBuf, String) {
    let own = file.parent().filter(|own| !own.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_root = |dir: &Path| dir.join(shared::FILE).is_file() || dir.join(rates::FILE).is_file() || dir.join(list::FOLDER).is_dir();
    if is_root(own) {
        return (own.to_owned(), name);
    }
    // The folder above `rules/auth` is shown as `rules`; that above `.` has no shorter name than its own.
    let above = match own.components().next_back() {
        Some(Component::Normal(_)) => {
            own.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above }.to_owned())
        }
        _ => own.canonicalize().ok().and_then(|own| own.parent().map(Path::to_owned)),
    };
    let area = own.canonicalize().ok().and_then(|own| Some(own.file_name()?.to_string_lossy().into_owned()));
    match above.zip(area) {
        Some((above, area)) if is_root(&above) => (above, format!("{area}/{name}")),
        _ => (own.to_owned(), name),
    }
}

/// Compiles some rule files of the folder `dir`, given by their paths below it, with the folder's `shared.yaml`, `rates.yaml` and lists. A
/// file may be a list, `rates.yaml` or `shared.yaml` itself; then there may be no rule at all.
///
/// # Errors
/// See [`LoadError`].
pub fn load_some(dir: &Path, names: &[String]) -> Result<Ruleset, LoadError> {
    let mut wanted = names.to_vec();
    wanted.extend([shared::FILE, rates::FILE].into_iter().filter(|file| dir.join(file).exists()).map(str::to_owned));
    wanted.sort();
    wanted.dedup();
    let files = folder::read_some(dir, &wanted).map_err(|source| LoadError::Io { path: dir.join(list::FOLDER), source })?;
    compile_read(files).map_err(|report| LoadError::Faults(Report { dir: Some(dir.to_owned()), ..report }))
}

/// Compiles rule files, with the lists and shared bindings that they name; their order does not matter.
///
/// # Errors
/// A [`Report`] of every fault of every file.
pub fn compile(files: &[SourceFile]) -> Result<Ruleset, Report> {
    compile_read(files.iter().map(|file| ReadFile { file: file.clone(), faults: Vec::new() }).collect())
}

/// What a YAML file says that is no rule, as data, in the syntax and within the bounds of a rule file.
///
/// # Errors
/// A [`Report`] of what keeps it from being read.
pub fn data(file: &SourceFile) -> Result<serde_json::Value, Report> {
    let report = |faults: Vec<Fault>| {
        let faults = faults.into_iter().map(|fault| Diagnostic::new(0, fault)).collect();
        Report { faults, sources: vec![file.clone()], dir: None }
    };
    yaml::parse(&file.text).map(|node| node.to_json()).map_err(report)
}

/// Compiles files; those that had faults when they were read are known by their names alone.
fn compile_read(mut files: Vec<ReadFile>) -> Result<Ruleset, Report> {
    files.sort_by(|a, b| a.file.name.cmp(&b.file.name));
    let (sources, mut found): (Vec<SourceFile>, Vec<Vec<Fault>>) = files.into_iter().map(|read| (read.file, read.faults)).unzip();
    let parse = |(source, faults): (&SourceFile, &mut Vec<Fault>)| {
        if !faults.is_empty() || list::lines::is_entries(&source.name) {
            return None;
        }
        let parsed = if list::is_list(&source.name) || zone::is_zone(&source.name) || source.name == rates::FILE {
            yaml::parse_list(&source.text)
        } else {
            yaml::parse(&source.text)
        };
        parsed.map_err(|bad| *faults = bad).ok()
    };
    let roots: Vec<Option<Node>> = sources.par_iter().zip(&mut found).map(parse).collect();
    let library = library(&sources, &roots, &mut found);
    let lower = |(index, (source, faults)): (usize, (&SourceFile, &mut Vec<Fault>))| {
        let root = roots.get(index).and_then(Option::as_ref).filter(|_| is_rule(&source.name))?;
        Some(lower::lower(&source.name, &source.text, root, index, &library, faults))
    };
    let lowered: Vec<Option<Lowered>> = sources.par_iter().zip(&mut found).enumerate().map(lower).collect();
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
    let of_shared = sources.iter().position(|source| source.name == shared::FILE).into_iter();
    let of_shared =
        of_shared.flat_map(|file| tidy(library.shared.warnings.clone()).into_iter().map(move |warning| Diagnostic::new(file, warning)));
    let (mut rules, mut warnings): (Vec<Rule>, Vec<Diagnostic>) = (Vec::new(), of_shared.collect());
    for (file, lowered) in lowered.into_iter().enumerate() {
        let Some(Lowered { rule: Some(rule), lets, warnings: warned, .. }) = lowered else { continue };
        warnings.extend(tidy(warned).into_iter().map(|warning| Diagnostic::new(file, warning)));
        rules.push(bindings.connect(rule, lets));
        if bindings.under.len() > KEYS_MAX {
            let message = format!("more than {KEYS_MAX} different bindings under their keys in all rules together");
            let fault = Fault::new(Code::TooMuch, 0..0, message).help("give like bindings like windows and filters: equal ones are one");
            return Err(Report { faults: vec![Diagnostic::new(file, fault)], sources, dir: None });
        }
    }
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Ruleset { rules, bindings: bindings.list, hash: hash(&sources), sources, warnings })
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
    ![shared::FILE, rates::FILE].contains(&name) && !list::is_list(name) && !list::lines::is_entries(name) && !zone::is_zone(name)
}

/// The lists, rates and shared bindings among the files. What has a fault is known by its name, so that nothing more is said
/// about what names it.
fn library<'a>(sources: &'a [SourceFile], roots: &'a [Option<Node>], found: &mut [Vec<Fault>]) -> Library<'a> {
    let mut tables = Tables { lists: lists(sources, roots, found), zones: zones(sources, roots, found), ..Tables::default() };
    let mut shared = Shared::default();
    let place = |name: &str| sources.iter().zip(roots).position(|(source, _)| source.name == name);
    if let Some((source, root, faults)) = place(rates::FILE).and_then(|at| Some((sources.get(at)?, roots.get(at)?, found.get_mut(at)?))) {
        tables.rates = root.as_ref().map_or(rates::Table::Broken, |root| rates::lower(&source.text, root, faults));
    }
    if let Some((source, root, faults)) = place(shared::FILE).and_then(|at| Some((sources.get(at)?, roots.get(at)?, found.get_mut(at)?))) {
        shared = root.as_ref().map_or_else(Shared::unread, |root| Shared::lower(&source.text, root, &tables, faults));
    }
    Library { tables, shared }
}

fn lists(sources: &[SourceFile], roots: &[Option<Node>], found: &mut [Vec<Fault>]) -> Lists {
    let mut lists = Lists::new();
    let (mut named, mut unsure) = (BTreeSet::new(), false);
    for (index, (source, root)) in sources.iter().zip(roots).enumerate() {
        if !list::is_list(&source.name) {
            continue;
        }
        let name = list::stem(&source.name);
        let mut own = Vec::new();
        let faults = &mut own;
        if lists.contains_key(name) {
            let fault = Fault::new(Code::DuplicateRule, 0..0, format!("there is another file of the list `{name}`"));
            faults.push(fault.help("give one of them another name"));
            found.get_mut(index).into_iter().for_each(|all| all.append(faults));
            continue;
        }
        let draft = root.as_ref().and_then(|root| list::lower(&source.name, root, faults));
        unsure |= draft.is_none();
        let list = draft.and_then(|draft| {
            let Some((file, span)) = draft.from() else { return draft.with(None, faults) };
            let Some((place, entries)) = sources.iter().enumerate().find(|(_, other)| other.name == file) else {
                let fault = Fault::new(Code::Unreadable, span.clone(), format!("there is no file `{file}`"));
                faults.push(fault.help("put it beside the list, or name another one"));
                return None;
            };
            named.insert(place);
            // One that could not be read has a fault of its own, and nothing in it is one.
            let of_entries = found.get_mut(place).filter(|faults| faults.is_empty())?;
            draft.with(Some(&entries.text), of_entries)
        });
        found.get_mut(index).into_iter().for_each(|all| all.append(&mut own));
        lists.insert(name.to_owned(), list.map(Arc::new));
    }
    for (index, (source, faults)) in sources.iter().zip(found).enumerate() {
        if !unsure && list::lines::is_entries(&source.name) && !named.contains(&index) {
            let fault = Fault::new(Code::Unused, 0..0, "no list takes its entries from this file");
            faults.push(fault.help("name it as `entries_from` in a list beside it, or give it a name that ends in neither .txt nor .csv"));
        }
    }
    lists
}

fn zones(sources: &[SourceFile], roots: &[Option<Node>], found: &mut [Vec<Fault>]) -> Zones {
    let files = sources.iter().zip(roots).zip(found).filter(|((source, _), _)| zone::is_zone(&source.name));
    let zone = |((source, root), faults): ((&SourceFile, &Option<Node>), &mut Vec<Fault>)| {
        let zone = root.as_ref().and_then(|root| zone::lower(&source.name, root, faults));
        (list::stem(&source.name).to_owned(), zone.map(Arc::new))
    };
    files.map(zone).collect()
}

fn duplicates(sources: &[SourceFile], lowered: &[Option<Lowered>], found: &mut [Vec<Fault>]) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for ((source, lowered), faults) in sources.iter().zip(lowered).zip(found) {
        let Some((id, span)) = lowered.as_ref().and_then(|lowered| lowered.id.as_ref()) else { continue };
        match seen.entry(id.as_str()) {
            Entry::Vacant(first) => {
                first.insert(source.name.as_str());
            }
            Entry::Occupied(first) => {
                let fault = Fault::new(Code::DuplicateRule, span.clone(), format!("the rule `{id}` is in {} already", first.get()));
                faults.push(fault.help("give one of them another name"));
            }
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

/// Most bindings, each as often as the keys under which it is fed or read: the engine numbers them in 16 bits.
const KEYS_MAX: usize = 60_000;

/// The bindings of all rules; equal ones are one.
#[derive(Default)]
struct Bindings {
    /// Under which keys they are fed and read, by number.
    under: HashSet<(usize, Vec<KeyPart>)>,
    list: Vec<Binding>,
    /// Their numbers by their canonical texts.
    numbers: HashMap<String, usize>,
}

impl Bindings {
    /// Numbers a rule's bindings, and makes its programs name them by their index among its triggers' reads.
    fn connect(&mut self, mut rule: Rule, lets: Vec<Draft>) -> Rule {
        // A binding may be read under several keys: what two people have counted in one place.
        let mut reads: Vec<(usize, ReadKeys)> = Vec::new();
        let mut slots = Vec::new();
        // What is fed by firings comes after what fires.
        let is_fed = |draft: &Draft| draft.binding.iter().flat_map(|(binding, _)| &binding.feeds).any(|feed| feed.firings_of.is_some());
        let mut numbers: Vec<Option<(usize, ReadKeys)>> = lets.iter().map(|_| None).collect();
        let (second, first): (Vec<_>, Vec<_>) = lets.into_iter().enumerate().partition(|(_, draft)| is_fed(draft));
        for (place, draft) in first.into_iter().chain(second) {
            let Some((mut binding, _)) = draft.binding else { continue };
            for feed in &mut binding.feeds {
                let number = |source: usize| numbers.get(source).and_then(Option::as_ref).map(|(number, _)| *number);
                feed.firings_of = feed.firings_of.map(|source| number(source).expect("what fires is there"));
            }
            let number = self.intern(binding);
            if let Some(of_place) = numbers.get_mut(place) {
                *of_place = Some((number, draft.reads));
            }
        }
        for read in numbers {
            let Some(read) = read else {
                slots.push(usize::MAX); // a shared binding that the rule does not name
                continue;
            };
            self.under.extend(read.1.iter().map(|(_, key)| (read.0, key.clone())));
            let slot = reads.iter().position(|other| *other == read).unwrap_or(reads.len());
            if slot == reads.len() {
                reads.push(read);
            }
            slots.push(slot);
        }
        for trigger in &mut rule.triggers {
            let key = |keys: &ReadKeys| keys.iter().find(|(event, _)| *event == trigger.event).map(|(_, key)| key.clone());
            trigger.reads = reads.iter().map(|(binding, keys)| Read { binding: *binding, key: key(keys) }).collect();
            for program in &mut trigger.programs {
                renumber(&mut program.when, &slots); // `applies` reads the event alone
                program.shown.iter_mut().for_each(|shown| renumber(&mut shown.value, &slots));
            }
        }
        rule
    }

    /// The number of an equal binding; else a new number.
    fn intern(&mut self, new: Binding) -> usize {
        match self.numbers.entry(new.canonical.clone()) {
            Entry::Occupied(number) => *number.get(),
            Entry::Vacant(vacant) => {
                let number = self.list.len();
                self.under.extend(new.feeds.iter().map(|feed| (number, feed.key.clone())));
                self.list.push(new);
                *vacant.insert(number)
            }
        }
    }
}

/// The key under which each event type reads a binding.
type ReadKeys = Vec<(EventType, Vec<KeyPart>)>;

fn renumber(expr: &mut Expr, slots: &[usize]) {
    let slot = |index: &mut usize| *index = *slots.get(*index).expect("a rule without faults has every binding");
    if let Expr::Binding(index) | Expr::HasBinding(index) | Expr::Fired(index) | Expr::Signal(index, _) = expr {
        slot(index);
    }
    expr.parts_mut().into_iter().for_each(|part| renumber(part, slots));
}
