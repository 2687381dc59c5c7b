//! Faults in rule files, and warnings of them: what is wrong, where, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use rasid_detectors::shown::{beginning, block, shown};

use crate::SourceFile;

/// Characters of a message that are shown: it may quote what the file says, which may be long.
const MESSAGE_CHARS_MAX: usize = 500;
/// The same for a help line, which may name every field of a type.
const HELP_CHARS_MAX: usize = 2_000;
/// Faults that are shown to people one by one.
const RENDERED_MAX: usize = 200;
/// Faults that one line of a log names.
const LISTED_MAX: usize = 10;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)*) => {
        /// What kind of fault or warning it is. The codes are stable: a number is never given to another one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is shown: `R0003`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, for people.
            pub fn means(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)* }.trim()
            }
        }
    };
}

codes! {
    /// The file is not YAML, or uses more of YAML than rule files do.
    BadYaml = "R0001",
    /// A key, or an item of a list that is a set, is given twice.
    DuplicateKey = "R0002",
    /// A key that nothing reads.
    UnknownKey = "R0003",
    /// A key that is required is not there.
    MissingKey = "R0004",
    /// A value of another type than the key takes.
    WrongType = "R0005",
    /// A value outside its range.
    OutOfRange = "R0006",
    /// A span of time that cannot be read.
    BadDuration = "R0007",
    /// A word outside the words that the key takes.
    UnknownWord = "R0008",
    /// A rule's id that is not `area.name`, or not its file's; a list's name that is not its file's.
    BadId = "R0009",
    /// Two files with the same rule, or the same list.
    DuplicateRule = "R0010",
    /// An event type outside the contract.
    UnknownEventType = "R0011",
    /// A field that the event type does not have.
    UnknownField = "R0012",
    /// A kind of entity that does not exist.
    UnknownKind = "R0013",
    /// A kind that several fields of the event type name.
    AmbiguousKind = "R0014",
    /// A kind that no field of the event type names.
    NoSuchKindHere = "R0015",
    /// A detector that does not exist.
    UnknownDetector = "R0016",
    /// A parameter that the detector or the rule does not have.
    UnknownParameter = "R0017",
    /// A name that `let` does not bind.
    UnknownName = "R0018",
    /// A binding or a parameter that nothing reads.
    Unused = "R0019",
    /// A name that CEL cannot name.
    BadName = "R0020",
    /// An expression that is not CEL, or too long or deep.
    BadExpression = "R0021",
    /// CEL outside the subset.
    NotInSubset = "R0022",
    /// An operation on values of types that it does not take.
    TypeMismatch = "R0023",
    /// An optional field read where it may be absent.
    MayBeAbsent = "R0024",
    /// A comparison with a word that the field never holds.
    NeverThatWord = "R0025",
    /// A pattern that is no regular expression, or not fixed.
    BadPattern = "R0026",
    /// An explanation whose braces cannot be read.
    BadTemplate = "R0027",
    /// An explanation that would show what must never leave.
    Hidden = "R0028",
    /// A binding that is none of the aggregates, or several.
    BadBinding = "R0029",
    /// A binding that never says anything: the rule looks at none of the events at which it would.
    NeverFires = "R0030",
    /// A binding's `where`, or an override's `if`, that reads more than the event.
    WhereReadsMore = "R0031",
    /// A field of a type that the aggregate does not take.
    BadOf = "R0032",
    /// A list or a zone that does not exist.
    UnknownList = "R0033",
    /// A value of a kind of entity that the list does not hold.
    WrongList = "R0034",
    /// A date or an instant that cannot be read.
    BadInstant = "R0035",
    /// An entry of a list that no value can equal.
    BadEntry = "R0036",
    /// An event of a test that is not what its type requires.
    BadEvent = "R0037",
    /// An alert that a test expects and that cannot come.
    BadAlert = "R0038",
    /// A test in a rule file that the rule does not pass.
    TestFailed = "R0039",
    /// A value that is written as a number and that none here can be.
    BadNumber = "R0040",
    /// A file that is not UTF-8.
    NotUtf8 = "R0041",
    /// A file or folder that the system does not give: a link to nowhere, no permission.
    Unreadable = "R0042",
    /// A rule file's name on what is no file: a pipe, a device.
    NoFile = "R0043",
    /// A file, or a folder of them, beyond the bounds.
    TooMuch = "R0044",
    /// A file or folder that is reached by two names.
    ReachedTwice = "R0045",
    /// A `match` that joins what is not of one kind.
    KindsDiffer = "R0046",
    /// A part of a rule that might say something else without a test of the rule noticing.
    Survives = "R0047",
    /// A rule, or a binding, that looks at alerts and at what is none.
    AlertsApart = "R0048",
    /// A rate that is none, or one that there is already.
    BadRate = "R0049",
    /// An amount that is to be reckoned in a currency of which no rate is known, or what is no amount.
    NoRate = "R0050",
    /// A map that is no area.
    BadZone = "R0051",
    /// A term of a condition that no value makes true.
    NeverTrue = "W0001",
    /// A term of a condition that every value makes true.
    AlwaysTrue = "W0002",
    /// An entry of a list that has expired.
    Expired = "W0003",
    /// A rule without a runbook.
    NoRunbook = "W0004",
    /// A rule none of whose tests expects an alert.
    NoAlertTested = "W0005",
    /// A rule none of whose tests expects that nothing happens.
    NoSilenceTested = "W0006",
    /// A condition that is never true of whoever leaves out an optional field.
    Hides = "W0007",
    /// A term of a condition that no test of the rule makes true, or none makes false.
    NotCovered = "W0008",
    /// Amounts of several currencies that are added or compared.
    MixesCurrencies = "W0009",
    /// A quotient of whole numbers that is compared with a fraction.
    CutsFraction = "W0010",
}

impl Code {
    /// Whether it is said and refuses nothing; what is no warning is a fault, and a ruleset with one is never activated.
    pub fn is_warning(self) -> bool {
        self.as_str().starts_with('W')
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One fault or warning of one file, before the file has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) also: Option<(Range<usize>, String)>,
}

impl Fault {
    pub(crate) fn new(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, span, message: beginning(&message.into(), MESSAGE_CHARS_MAX).into_owned(), help: None, also: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(beginning(&help.into(), HELP_CHARS_MAX).into_owned());
        self
    }

    pub(crate) fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also = Some((span, label.into()));
        self
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of fault it is.
    pub code: Code,
    /// Index of its file in [`Report::sources`].
    pub file: usize,
    /// The offending bytes of the file.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Another place that belongs to it, with a label.
    pub also: Option<(Range<usize>, String)>,
}

impl Diagnostic {
    pub(crate) fn new(file: usize, fault: Fault) -> Self {
        Self { code: fault.code, file, span: fault.span, message: fault.message, help: fault.help, also: fault.also }
    }
}

/// Every fault, or every warning, of a set of rule files, by file and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The faults or warnings; at least one.
    pub faults: Vec<Diagnostic>,
    /// The files.
    pub sources: Vec<SourceFile>,
    /// The folder that they were loaded from, so that what is shown of a file's name leads to it.
    pub dir: Option<PathBuf>,
}

impl Report {
    /// A report of what was found in rules that compile: tests that fail, say. Each: the file by its index in
    /// [`Ruleset::sources`](crate::ruleset::Ruleset::sources), the place in it, what is wrong, and what helps to see why.
    pub fn of_rules(ruleset: &crate::ruleset::Ruleset, code: Code, found: Vec<(usize, Range<usize>, String, Option<String>)>) -> Self {
        let mut faults: Vec<Diagnostic> =
            found.into_iter().map(|(file, span, message, help)| Diagnostic { code, file, span, message, help, also: None }).collect();
        faults.sort_by_key(|fault| (fault.file, fault.span.start));
        Self { faults, sources: ruleset.sources.clone(), dir: None }
    }

    /// What people see of a fault's file.
    pub fn path(&self, fault: &Diagnostic) -> String {
        let name = self.sources.get(fault.file).map_or("", |source| source.name.as_str());
        shown(&self.dir.as_ref().map_or_else(|| name.to_owned(), |dir| dir.join(name).display().to_string())).into_owned()
    }

    /// Line and column of a fault, both from 1, the column in characters.
    pub fn position(&self, fault: &Diagnostic) -> (usize, usize) {
        let text = self.sources.get(fault.file).map_or("", |source| source.text.as_str());
        let before = text.get(..boundary(text, fault.span.start)).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// Every fault with its lines underlined, for people.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for fault in self.faults.iter().take(RENDERED_MAX) {
            let text = self.sources.get(fault.file).map_or("", |source| source.text.as_str());
            let excerpt = Excerpt::of(text, fault);
            let mut snippet = Snippet::source(excerpt.text)
                .line_start(excerpt.line)
                .path(self.path(fault))
                .annotation(AnnotationKind::Primary.span(excerpt.place(&fault.span)));
            if let Some((span, label)) = &fault.also {
                snippet = snippet.annotation(AnnotationKind::Context.span(excerpt.place(span)).label(label.as_str()));
            }
            let level = if fault.code.is_warning() { Level::WARNING } else { Level::ERROR };
            let mut group = level.primary_title(fault.message.as_str()).id(fault.code.as_str()).element(snippet);
            if let Some(help) = &fault.help {
                group = group.element(Level::HELP.message(help.as_str()));
            }
            out.push_str(&renderer.render(&[group]));
            out.push_str("\n\n");
        }
        let (found, files) = (self.faults.len(), self.sources.len());
        let what = if self.faults.iter().all(|fault| fault.code.is_warning()) { "warning" } else { "fault" };
        let beyond = if found > RENDERED_MAX { format!(", of which {RENDERED_MAX} are shown") } else { String::new() };
        let out = format!("{out}{found} {what}{} in {files} rule file{}{beyond}\n", plural(found), plural(files));
        block(&out, color).into_owned()
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// In one line, for a log.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().take(LISTED_MAX).enumerate() {
            let name = self.path(fault);
            let (line, column) = self.position(fault);
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{name}:{line}:{column}: {} ({})", fault.message, fault.code)?;
        }
        if self.faults.len() > LISTED_MAX { write!(f, "; and {} more", self.faults.len() - LISTED_MAX) } else { Ok(()) }
    }
}

/// The whole lines that a fault touches, so that a long file costs nothing to render.
struct Excerpt<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Excerpt<'a> {
    fn of(text: &'a str, fault: &Diagnostic) -> Self {
        let (mut from, mut to) = (fault.span.start, fault.span.end);
        if let Some((also, _)) = &fault.also {
            from = from.min(also.start);
            to = to.max(also.end);
        }
        let (from, to) = (boundary(text, from), boundary(text, to));
        let start = text.get(..from).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let end = text.get(to..).and_then(|after| after.find('\n')).map_or(text.len(), |at| to + at);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        Self { text: text.get(start..end).unwrap_or_default(), start, line }
    }

    /// A span of the file as one of the excerpt; an empty one takes the character at it, so that something shows.
    fn place(&self, span: &Range<usize>) -> Range<usize> {
        let inside = |at: usize| boundary(self.text, at.saturating_sub(self.start));
        let (start, mut end) = (inside(span.start), inside(span.end));
        // Trailing line breaks and blanks of a block are no part of what is wrong.
        let shown = self.text.get(start..end).unwrap_or_default().trim_end();
        end = start + shown.len();
        if end == start {
            end += self.text.get(start..).and_then(|rest| rest.chars().next()).filter(|c| *c != '\n').map_or(0, char::len_utf8);
        }
        start..end
    }
}

fn boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

/// Names of one thing: the one that was probably meant, else all of them.
pub(crate) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let best = known.iter().map(|other| (strsim::jaro_winkler(name, other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((score, other)) if score >= 0.84 => format!("did you mean `{other}`?"),
        Some(_) => format!("expected one of {}", listed(known)),
        None => "there is none to name".to_owned(),
    }
}

/// `` `a`, `b`, `c` ``.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
