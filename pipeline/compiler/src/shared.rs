//! `shared.yaml`: bindings that any rule may name without writing them.
//!
//! Each is checked once by itself, with its faults at its own place, and lowered again for each rule that names it,
//! because a rule reads it at its own event types; what only then goes wrong is said where the rule names it.

use std::ops::Range;

use rasid_detectors::event::EventType;

use crate::binding::{self, Among, Beside, Draft, Source};
use crate::cel;
use crate::diagnostic::{Code, Fault};
use crate::lint;
use crate::names::Tables;
use crate::reader::MapReader;
use crate::template::Part;
use crate::yaml::{Key, Node, NodeValue};

/// The file's name, directly in the rules directory.
pub(crate) const FILE: &str = "shared.yaml";

/// The shared bindings, in file order.
#[derive(Default)]
pub(crate) struct Shared<'a> {
    /// The file.
    text: &'a str,
    bindings: Vec<SharedBinding<'a>>,
    /// Whether the file could not be read, so that any name may be meant to be one of it.
    pub(crate) unread: bool,
    /// What is odd about them by themselves.
    pub(crate) warnings: Vec<Fault>,
}

struct SharedBinding<'a> {
    name: &'a Key,
    node: &'a Node,
    /// Whether it has no fault of its own.
    good: bool,
}

impl<'a> Shared<'a> {
    /// Those of a file that could not be read.
    pub(crate) fn unread() -> Self {
        Self { unread: true, ..Self::default() }
    }

    pub(crate) fn lower(text: &'a str, root: &'a Node, tables: &Tables, faults: &mut Vec<Fault>) -> Self {
        let Some(mut map) = MapReader::new(root, "the file of shared bindings", faults) else { return Self::unread() };
        let node = map.required("let", faults);
        map.finish(faults);
        let drafts =
            node.map(|node| binding::lower(text, node, Beside { on: &[], tables, params: &[], fires: &[] }, faults)).unwrap_or_default();
        let Some(NodeValue::Map(entries)) = node.map(|node| &node.value) else { return Self::unread() };
        let mut warnings = Vec::new();
        lint::currencies::look(&drafts, &mut warnings);
        let bindings =
            entries.iter().zip(drafts).map(|((name, node), draft)| SharedBinding { name, node, good: draft.binding.is_some() }).collect();
        Self { text, bindings, unread: false, warnings }
    }

    /// What fires of those that a rule's own bindings count.
    pub(crate) fn fires_of(&self, own: &[(Key, Node)], on: &[EventType], tables: &Tables) -> Vec<Source> {
        self.fires(&counted(own), own.len(), on, tables)
    }

    /// What fires of those that are counted; `from` is the place of the first shared binding among the rule's.
    fn fires(&self, counted: &[Mention], from: usize, on: &[EventType], tables: &Tables) -> Vec<Source> {
        let of_name = |(place, shared): (usize, &SharedBinding<'a>)| {
            counted.iter().find(|(name, _)| *name == shared.name.name).filter(|_| shared.good)?;
            let among = Among { beside: Beside { on, tables, params: &[], fires: &[] }, sources: &[], broken: &[], is_counted: true };
            // What is wrong with it here is said where it is attached.
            let draft = binding::one(self.text, shared.name, shared.node, &among, &mut Vec::new());
            binding::source(from + place, &draft)
        };
        self.bindings.iter().enumerate().filter_map(of_name).collect()
    }

    /// The shared bindings as a rule sees them: those that it mentions or counts, and those that these count, are lowered for its event
    /// types, the others are names alone. `own`: what it binds itself, as `entries` say it.
    pub(crate) fn attach(
        &self,
        own: &[Draft],
        mentioned: &[Mention],
        entries: &[(Key, Node)],
        on: &[EventType],
        tables: &Tables,
        faults: &mut Vec<Fault>,
    ) -> Vec<Draft> {
        let mut counted = counted(entries);
        for (name, span) in mentioned {
            let of_name = self.bindings.iter().filter(|shared| shared.name.name == *name);
            counted.extend(of_name.flat_map(|shared| binding::named_in(shared.node)).map(|fires| (fires.to_owned(), span.clone())));
        }
        let fires = self.fires(&counted, own.len(), on, tables);
        let mut drafts = Vec::new();
        for shared in &self.bindings {
            let name = &shared.name.name;
            if let Some(own) = own.iter().find(|own| own.name.name == *name) {
                let fault = Fault::new(Code::DuplicateKey, own.name.span.clone(), format!("{FILE} binds `{name}` already"));
                faults.push(fault.help("remove it to use the shared one, or give it another name"));
                continue;
            }
            let named = |mentions: &[Mention]| mentions.iter().find(|(other, _)| other == name).map(|(_, span)| span.clone());
            let is_counted = named(&counted).is_some();
            let Some(span) = named(mentioned).or_else(|| named(&counted)).filter(|_| shared.good) else {
                drafts.push(Draft::nothing(shared.name));
                continue;
            };
            let mut here = Vec::new();
            let beside = Beside { on, tables, params: &[], fires: &[] };
            let among = Among { beside, sources: &fires, broken: &[], is_counted };
            drafts.push(binding::one(self.text, shared.name, shared.node, &among, &mut here));
            faults.extend(here.into_iter().map(|fault| Fault {
                span: span.clone(),
                message: format!("{} (`{name}` of {FILE})", fault.message),
                also: None,
                ..fault
            }));
        }
        drafts
    }
}

/// A name, and where it stands in the rule's file.
pub(crate) type Mention = (String, Range<usize>);

/// The names that a rule's own bindings have where event types stand.
fn counted(entries: &[(Key, Node)]) -> Vec<Mention> {
    let of_binding = |(_, node): &(Key, Node)| {
        let names: Vec<Mention> = binding::named_in(node).into_iter().map(|name| (name.to_owned(), node.span.clone())).collect();
        names
    };
    entries.iter().flat_map(of_binding).collect()
}

/// The names that a rule's texts mention, whatever they turn out to be.
pub(crate) fn mentioned(source: Option<&cel::Source<'_>>, parts: Option<&[Part]>) -> Vec<Mention> {
    let mut names = source.map(cel::Source::names).unwrap_or_default();
    for part in parts.unwrap_or_default() {
        if let Part::Name(name, _, span) = part {
            let outer = name.split_once('.').map_or(name.as_str(), |(outer, _)| outer);
            names.push((outer.to_owned(), span.clone()));
        }
    }
    names
}
