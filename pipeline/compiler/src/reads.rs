//! Which fields of an event something reads.

use std::collections::BTreeSet;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath, FieldType, Privacy};

use crate::expression::{Comparison, Expr, List};
use crate::ruleset::{Feed, Mode, Rule, Ruleset, Trigger};

impl Expr {
    /// Adds the fields of the event that it reads, also where it asks only whether one is there.
    pub fn fields(&self, found: &mut BTreeSet<FieldPath>) {
        if let Self::Field(path) | Self::Has(path) | Self::Elements(path) = self {
            found.insert(*path);
        }
        self.parts().into_iter().for_each(|part| part.fields(found));
    }

    /// Adds the lists that it looks into.
    fn lists<'e>(&'e self, found: &mut Vec<&'e List>) {
        if let Self::InList(_, list) = self {
            found.push(list);
        }
        self.parts().into_iter().for_each(|part| part.lists(found));
    }

    /// Whether it reads `score`.
    pub fn reads_score(&self) -> bool {
        matches!(self, Self::Score) || self.parts().into_iter().any(Self::reads_score)
    }
}

impl Rule {
    /// Whether it is judged by the score that other rules have made: those that read none come first, and its own reasons are no
    /// part of what it or another such rule reads.
    pub fn reads_score(&self) -> bool {
        let programs = self.triggers.iter().flat_map(|trigger| &trigger.programs);
        programs.flat_map(|program| program.shown.iter().map(|shown| &shown.value).chain([&program.when])).any(Expr::reads_score)
    }
}

impl Rule {
    /// Whether it is judged by what other rules opened: their scores, or their alerts.
    pub fn reads_others(&self) -> bool {
        self.reads_score() || self.triggers.iter().any(|trigger| trigger.event.is_alert())
    }
}

impl Ruleset {
    /// The lists that conditions and filters look into, each once.
    pub fn lists(&self) -> Vec<&List> {
        let of_rules = self.rules.iter().flat_map(|rule| &rule.triggers).flat_map(|trigger| &trigger.programs);
        let of_rules = of_rules.flat_map(|program| {
            let shown = program.shown.iter().map(|shown| &shown.value);
            program.applies.iter().chain([&program.when]).chain(shown)
        });
        let of_bindings = self.bindings.iter().flat_map(|binding| &binding.feeds).flat_map(Feed::filters);
        let mut found = Vec::new();
        of_rules.chain(of_bindings).for_each(|expr| expr.lists(&mut found));
        found.sort_unstable_by_key(|list| list.id());
        found.dedup_by_key(|list| list.id());
        found
    }

    /// Ids of the rules that events out of an archive's columns do not suffice for: those that need what is raw, and where such a
    /// rule is not off, those that are judged by what others opened.
    pub fn beyond_columns(&self) -> impl Iterator<Item = &str> {
        let is_raw = |rule: &Rule| rule.triggers.iter().any(|trigger| self.needs_raw(trigger));
        let is_any = self.rules.iter().any(|rule| rule.mode != Mode::Off && is_raw(rule));
        self.rules.iter().filter(move |rule| is_raw(rule) || (is_any && rule.reads_others())).map(|rule| rule.id.as_str())
    }

    /// Whether what the trigger reads is not all there outside the raw zone: free text, exact places, what an event is made up
    /// of, what lies outside the vocabulary, what a detector looks for in a raw value.
    pub fn needs_raw(&self, trigger: &Trigger) -> bool {
        let mut fields = BTreeSet::new();
        for program in &trigger.programs {
            let shown = program.shown.iter().map(|shown| &shown.value);
            program.applies.iter().chain([&program.when]).chain(shown).for_each(|expr| expr.fields(&mut fields));
        }
        let bindings = self.with_sources(trigger.reads.iter().map(|read| read.binding));
        let mut bindings = bindings.into_iter().filter_map(|number| self.bindings.get(number));
        let mut programs = trigger
            .programs
            .iter()
            .flat_map(|program| program.applies.iter().chain([&program.when]).chain(program.shown.iter().map(|shown| &shown.value)));
        trigger.event.whole().is_some()
            || are_hidden(trigger.event, &fields)
            || programs.any(|expr| looks_into(expr, trigger.event))
            || bindings.any(|binding| binding.operator.spec().needs_raw || binding.feeds.iter().any(feed_needs_raw))
    }
}

fn feed_needs_raw(feed: &Feed) -> bool {
    let mut fields: BTreeSet<FieldPath> = feed.of.and_then(|of| of.path()).into_iter().collect();
    feed.filters().for_each(|filter| filter.fields(&mut fields));
    feed.event.whole().is_some() || are_hidden(feed.event, &fields) || feed.filters().any(|filter| looks_into(filter, feed.event))
}

/// Whether it needs the characters of a field of which there is a stand-in alone.
fn looks_into(expr: &Expr, event: EventType) -> bool {
    let kinds = |expr: &Expr| match expr {
        Expr::Field(path) => field::at(event.fields(), *path).map_or(&[][..], |spec| spec.entities),
        _ => &[],
    };
    let is_personal = |expr: &Expr| match expr {
        Expr::Field(path) => field::at(event.fields(), *path).is_some_and(|spec| matches!(spec.privacy, Privacy::Pseudonym(_))),
        _ => false,
    };
    let within = |expr: &Expr| looks_into(expr, event);
    match expr {
        Expr::InList(inner, list) => match inner.as_ref() {
            Expr::Field(_) => is_personal(inner) && !list.takes_stand_ins(kinds(inner)),
            // What another binding remembers, or one of two: it may be personal.
            _ => !list.takes_stand_ins(&EntityKind::ALL) || within(inner),
        },
        Expr::Size(inner) => is_personal(inner) || within(inner),
        Expr::Text(subject, _) => is_personal(subject) || within(subject),
        Expr::Compare(how, left, right) => {
            let is_order = !matches!(how, Comparison::Equal | Comparison::NotEqual);
            let with_text = |a: &Expr, b: &Expr| is_personal(a) && (is_order || matches!(b, Expr::Const(_)));
            with_text(left, right) || with_text(right, left) || within(left) || within(right)
        }
        Expr::In(item, list) => is_personal(item) || within(item) || list.iter().any(within),
        Expr::Not(inner) | Expr::Negate(inner) => within(inner),
        Expr::And(left, right) | Expr::Or(left, right) | Expr::Arithmetic(_, left, right) => within(left) || within(right),
        Expr::Conditional(condition, yes, no) => within(condition) || within(yes) || within(no),
        // The elements of a list are nowhere else, nor is what no vocabulary knows: it may be anything.
        Expr::Elements(_) | Expr::Unknown(_) | Expr::HasUnknown(_) => true,
        Expr::Call(..) | Expr::List(_) => expr.parts().into_iter().any(|part| is_personal(part) || within(part)),
        Expr::InZone(..) | Expr::At(..) | Expr::Part(..) | Expr::HasPart(..) | Expr::Loop(_) => expr.parts().into_iter().any(within),
        _ => false,
    }
}

/// Whether one of the fields never leaves. That an object is there may be known.
fn are_hidden(event: EventType, fields: &BTreeSet<FieldPath>) -> bool {
    let mut specs = fields.iter().filter_map(|path| field::at(event.fields(), *path));
    specs.any(|spec| spec.privacy == Privacy::Hidden && spec.ty != FieldType::Object)
}
