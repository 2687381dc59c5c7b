//! Aggregates: bindings that count, sum or remember events in a window.

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldSpec, FieldType, Privacy};

use crate::binding::{Lowering, Shape, canonical_text, event_types};
use crate::cel::Source;
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::Expr;
use crate::names::{Mentions, Names};
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, BindingKind, Feed, Of, Sides};
use crate::ty::Ty;
use crate::typecheck::Checker;
use crate::yaml::Node;

/// Windows: one second to thirty days.
const WINDOW_MS: std::ops::RangeInclusive<i64> = 1_000..=2_592_000_000;

/// The keys that name an aggregate.
pub(crate) const AGGREGATES: [(&str, BindingKind); 10] = [
    ("count", BindingKind::Count),
    ("sum", BindingKind::Sum),
    ("min", BindingKind::Min),
    ("max", BindingKind::Max),
    ("avg", BindingKind::Avg),
    ("distinct", BindingKind::Distinct),
    ("last", BindingKind::Last),
    ("previous", BindingKind::Previous),
    ("first_seen", BindingKind::FirstSeen),
    ("ratio", BindingKind::Ratio),
];

/// What comes of an aggregate that looks at no field; `None` for one that does.
fn fieldless(kind: &BindingKind) -> Option<Ty> {
    match kind {
        BindingKind::Count => Some(Ty::Int),
        BindingKind::FirstSeen => Some(Ty::Time),
        BindingKind::Ratio => Some(Ty::Double),
        _ => None,
    }
}

/// What comes of an aggregate over a field of that type; `None` where it does not take one.
fn over(kind: &BindingKind, ty: Option<Ty>) -> Option<Ty> {
    match (kind, ty?) {
        (BindingKind::Sum, Ty::Int) | (BindingKind::Distinct, _) => Some(Ty::Int),
        (BindingKind::Min | BindingKind::Max, ty @ (Ty::Int | Ty::Double)) => Some(ty),
        (BindingKind::Avg, Ty::Int | Ty::Double) => Some(Ty::Double),
        (BindingKind::Sum | BindingKind::Min | BindingKind::Max | BindingKind::Avg, _) => None,
        (_, ty) => Some(ty),
    }
}

impl Lowering<'_> {
    pub(crate) fn aggregate(
        &mut self,
        name: &'static str,
        kind: &BindingKind,
        types: &Node,
        mut map: MapReader<'_>,
    ) -> Option<(Binding, Shape)> {
        let named = event_types(types, name, self.faults);
        let simple = fieldless(kind);
        let of = if simple.is_some() { map.optional("of") } else { map.required("of", self.faults) };
        let per = if *kind == BindingKind::Ratio { map.optional("per") } else { None };
        let by = map.required("by", self.faults);
        let window = map.required("window", self.faults);
        let filter = map.optional("where");
        map.finish(self.faults);

        let below = match (kind, per) {
            (BindingKind::Ratio, None) => named.clone(),
            (_, Some(node)) => event_types(node, "per", self.faults),
            (_, None) => Vec::new(),
        };
        let mut events = named.clone();
        events.extend(below.iter().filter(|event| !named.contains(event)));
        let window = window.and_then(|node| reader::duration(node, "`window`", WINDOW_MS, self.faults));
        let by = by.and_then(|node| self.specs(node));
        let keys = by.and_then(|by| self.keys(&by, &events));
        let of = match simple {
            Some(ty) => self.no_of(name, of).map(|()| (Vec::new(), Shape::Aggregate(ty, Privacy::Clear))),
            None => of.and_then(|node| self.of(name, kind, node, &named)),
        };
        let filters = match filter {
            None => Some(vec![None; named.len()]),
            Some(node) => self.filters(node, &named),
        };
        if *kind == BindingKind::Ratio && filter.is_none() && !named.is_empty() && events.len() == named.len() && below.len() == named.len()
        {
            let fault = Fault::new(Code::BadBinding, types.span.clone(), "a ratio of events to themselves, which is always 1");
            return self.fault(fault.help("say by `where` which of them are looked for, or by `per` what they are set against"));
        }
        let ((fields, shape), keys, window_ms, filters) = (of?, keys?, window?, filters?);
        if named.is_empty() {
            return None;
        }
        let mut feeds: Vec<Feed> = events
            .into_iter()
            .enumerate()
            .map(|(index, event)| {
                let ratio = *kind == BindingKind::Ratio;
                let sides = Sides { above: ratio && named.contains(&event), below: ratio && below.contains(&event) };
                Feed { event, filter: filters.get(index).cloned().flatten(), of: fields.get(index).copied(), sides }
            })
            .collect();
        feeds.sort_by_key(|feed| feed.event);
        let canonical = canonical_text(&format!("{name} window={window_ms}"), &feeds, &keys);
        Some((Binding { kind: kind.clone(), window_ms, feeds, keys, canonical }, shape))
    }

    fn no_of(&mut self, name: &str, of: Option<&Node>) -> Option<()> {
        let Some(node) = of else { return Some(()) };
        let (message, help) = match name {
            "count" => ("counts events", "remove it, or write `distinct` to count the different values of a field"),
            "ratio" => ("counts events", "remove it; which events count above the line is said by `where`"),
            _ => ("says when", "remove it"),
        };
        self.fault(Fault::new(Code::BadOf, node.span.clone(), format!("`{name}` {message} and takes no `of`")).help(help))
    }

    /// The field that the aggregate looks at, in each feeding type, and what comes of it.
    fn of(&mut self, name: &str, kind: &BindingKind, node: &Node, feeds: &[EventType]) -> Option<(Vec<Of>, Shape)> {
        let text = reader::text(node, "`of`", self.faults)?;
        let text = text.strip_prefix("data.").unwrap_or(text);
        let mut fields = Vec::new();
        let mut shape: Option<(Ty, Privacy)> = None;
        for event in feeds {
            let Some((path, spec)) = field::find(event.fields(), text) else {
                let fault = Fault::new(Code::UnknownField, node.span.clone(), format!("{} has no field `{text}`", event.name()));
                return self.fault(fault.help(suggest(text, event.fields().iter().map(|field| field.name))));
            };
            let Some(ty) = over(kind, Ty::of_field(spec.ty)) else {
                let takes = match kind {
                    BindingKind::Sum => "a field of whole numbers",
                    BindingKind::Min | BindingKind::Max | BindingKind::Avg => "a field of numbers",
                    _ => "a scalar field",
                };
                let fault =
                    bad_of(node, text, spec, &format!("`{name}` takes {takes}"), *event, &|ty| over(kind, Ty::of_field(ty)).is_some());
                return self.fault(fault);
            };
            // A sum or a number of values says little of any one of them; the others may be one event's own value.
            let privacy = if matches!(kind, BindingKind::Sum | BindingKind::Distinct) { Privacy::Clear } else { spec.privacy };
            shape = match shape {
                None => Some((ty, privacy)),
                Some((other, shown)) => {
                    let Some(ty) = ty.join(other) else {
                        let message = format!("`{text}` is {} in {} and {} elsewhere", ty.name(), event.name(), other.name());
                        return self.fault(Fault::new(Code::BadOf, node.span.clone(), message).help("use two bindings"));
                    };
                    Some((ty, strictest(privacy, shown)))
                }
            };
            fields.push(Of { path, kind: spec.entities.first().copied() });
        }
        shape.map(|(ty, privacy)| (fields, Shape::Aggregate(ty, privacy)))
    }

    fn filters(&mut self, node: &Node, feeds: &[EventType]) -> Option<Vec<Option<Expr>>> {
        let text = reader::text(node, "`where`", self.faults)?;
        let source = match Source::parse(self.file, &node.span, text) {
            Ok(source) => source,
            Err(fault) => return self.fault(fault),
        };
        let names = Names::event_only("where", self.lists);
        let mut filters = Vec::new();
        for event in feeds {
            let mut mentions = Mentions::default();
            let checker = Checker { source: &source, event: *event, names: &names, mentions: &mut mentions, faults: self.faults };
            filters.push(checker.condition());
            self.unknowns.append(&mut mentions.unknowns);
        }
        filters.into_iter().map(|filter| filter.map(Some)).collect()
    }
}

fn bad_of(node: &Node, name: &str, spec: &FieldSpec, message: &str, event: EventType, takes: &dyn Fn(FieldType) -> bool) -> Fault {
    let found = Ty::of_field(spec.ty).map_or("an object or a list", Ty::name);
    let fields: Vec<&str> = event.fields().iter().filter(|field| takes(field.ty)).map(|field| field.name).collect();
    let help = if fields.is_empty() { format!("{} has none", event.name()) } else { format!("{} has {}", event.name(), listed(fields)) };
    Fault::new(Code::BadOf, node.span.clone(), format!("{message}, and `{name}` is {found}")).help(help)
}

/// What may be shown of a value that has either privacy.
fn strictest(a: Privacy, b: Privacy) -> Privacy {
    let rank = |privacy| match privacy {
        Privacy::Clear => 0,
        Privacy::Opaque(_) => 1,
        Privacy::Pseudonym(_) => 2,
        Privacy::Hidden => 3,
    };
    let (looser, stricter) = if rank(a) <= rank(b) { (a, b) } else { (b, a) };
    match (looser, stricter) {
        _ if looser == stricter => stricter,
        (Privacy::Opaque(_), Privacy::Opaque(_)) => Privacy::Clear, // of no one kind
        (Privacy::Clear | Privacy::Opaque(_), _) => stricter,
        _ => Privacy::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use rasid_detectors::entity::EntityKind::{Device, Phone, User};
    use rstest::rstest;

    use super::Privacy::{Clear, Hidden, Opaque, Pseudonym};
    use super::*;

    #[rstest]
    #[case::clear(Clear, Clear, Clear)]
    #[case::an_identifier_beside_text(Clear, Opaque(User), Opaque(User))]
    #[case::two_of_one_kind(Opaque(User), Opaque(User), Opaque(User))]
    #[case::two_of_two_kinds(Opaque(User), Opaque(Device), Clear)]
    #[case::a_phone_beside_an_identifier(Opaque(User), Pseudonym(Phone), Pseudonym(Phone))]
    #[case::a_phone_beside_a_device(Pseudonym(Phone), Pseudonym(Device), Hidden)]
    #[case::message_text(Clear, Hidden, Hidden)]
    #[case::message_text_beside_a_phone(Pseudonym(Phone), Hidden, Hidden)]
    fn the_stricter_of_two_counts_whichever_comes_first(#[case] a: Privacy, #[case] b: Privacy, #[case] expected: Privacy) {
        assert_eq!((strictest(a, b), strictest(b, a)), (expected, expected));
    }
}
