//! Which fields of an event something reads.

use std::collections::BTreeSet;

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath, FieldType, Privacy};

use crate::expression::{Expr, StringTest};
use crate::ruleset::{Feed, Ruleset, Trigger};

impl Expr {
    /// Adds the fields of the event that it reads, also where it asks only whether one is there.
    pub fn fields(&self, found: &mut BTreeSet<FieldPath>) {
        match self {
            Self::Field(path) | Self::Has(path) => {
                found.insert(*path);
            }
            Self::Not(inner) | Self::Negate(inner) | Self::Size(inner) | Self::InList(inner, _) => inner.fields(found),
            Self::And(left, right) | Self::Or(left, right) | Self::Compare(_, left, right) | Self::Arithmetic(_, left, right) => {
                left.fields(found);
                right.fields(found);
            }
            Self::Conditional(condition, yes, no) => [condition, yes, no].into_iter().for_each(|part| part.fields(found)),
            Self::In(item, list) => {
                item.fields(found);
                for part in list {
                    part.fields(found);
                }
            }
            Self::Text(subject, test) => {
                subject.fields(found);
                match test {
                    StringTest::StartsWith(other) | StringTest::EndsWith(other) | StringTest::Contains(other) => other.fields(found),
                    StringTest::Matches(_) => {}
                }
            }
            Self::Const(_) | Self::Unknown(_) | Self::HasUnknown(_) | Self::Binding(_) | Self::Fired(_) | Self::Signal(..) | Self::Time => {
            }
        }
    }
}

impl Ruleset {
    /// Whether what the trigger reads is not all there outside the raw zone: free text, exact places, what a detector looks
    /// for in a raw value.
    pub fn needs_raw(&self, trigger: &Trigger) -> bool {
        let mut fields = BTreeSet::new();
        for program in &trigger.programs {
            let shown = program.shown.iter().map(|shown| &shown.value);
            program.applies.iter().chain([&program.when]).chain(shown).for_each(|expr| expr.fields(&mut fields));
        }
        let bindings = self.with_sources(trigger.reads.iter().copied());
        let mut bindings = bindings.into_iter().filter_map(|number| self.bindings.get(number));
        are_hidden(trigger.event, &fields)
            || bindings.any(|binding| binding.operator.spec().needs_raw || binding.feeds.iter().any(feed_needs_raw))
    }
}

fn feed_needs_raw(feed: &Feed) -> bool {
    let mut fields: BTreeSet<FieldPath> = feed.of.and_then(|of| of.path()).into_iter().collect();
    feed.filter.iter().for_each(|filter| filter.fields(&mut fields));
    are_hidden(feed.event, &fields)
}

/// Whether one of the fields never leaves. That an object is there may be known.
fn are_hidden(event: EventType, fields: &BTreeSet<FieldPath>) -> bool {
    let mut specs = fields.iter().filter_map(|path| field::at(event.fields(), *path));
    specs.any(|spec| spec.privacy == Privacy::Hidden && spec.ty != FieldType::Object)
}
