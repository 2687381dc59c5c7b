//! Aggregates: bindings that count, sum or remember events in a window.

use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldSpec, FieldType, Privacy};
use rasid_detectors::operator::{Of, OfField, OperatorSpec, Yields};

use crate::binding::{Lowering, Shape, binding_of, event_types};
use crate::cel::Source;
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::Expr;
use crate::names::{Mentions, Names};
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, Feed, Sides};
use crate::ty::Ty;
use crate::typecheck::Checker;
use crate::yaml::Node;

/// Windows: one second to thirty days.
const WINDOW_MS: std::ops::RangeInclusive<i64> = 1_000..=2_592_000_000;

impl Lowering<'_> {
    pub(crate) fn aggregate(&mut self, spec: &'static OperatorSpec, types: &Node, mut map: MapReader<'_>) -> Option<(Binding, Shape)> {
        let (name, keys) = (spec.name, spec.named()?);
        let sided = keys.per.is_some();
        let event_names = event_types(types, name, self.faults);
        let of = match keys.of {
            OfField::None { .. } => map.optional("of"),
            OfField::Of { .. } => map.required("of", self.faults),
        };
        let per = if sided { map.optional("per") } else { None };
        let by = map.required("by", self.faults);
        let window = map.required("window", self.faults);
        let filter = map.optional("where");
        if crate::schema::own_properties(spec).is_empty() {
            map.finish(self.faults);
        }

        let below = match per {
            Some(node) => event_types(node, "per", self.faults),
            None if sided => event_names.clone(),
            None => Vec::new(),
        };
        let mut events = event_names.clone();
        events.extend(below.iter().filter(|event| !event_names.contains(event)));
        let window = window.and_then(|node| reader::duration(node, "`window`", WINDOW_MS, self.faults));
        let by = by.and_then(|node| self.specs(node));
        let parts = by.and_then(|by| self.keys(&by, &events));
        let of = match keys.of {
            OfField::None { because, instead } => match of {
                None => fieldless(spec).map(|ty| (Vec::new(), None, Shape::Aggregate(ty, Privacy::Clear))),
                Some(node) => {
                    let fault = Fault::new(Code::BadOf, node.span.clone(), format!("`{name}` {because} and takes no `of`"));
                    self.fault(fault.help(instead))
                }
            },
            OfField::Of { takes, clears, .. } => of.and_then(|node| self.of(spec, (takes, clears), node, &event_names)),
        };
        let filters = match filter {
            None => Some(vec![None; event_names.len()]),
            Some(node) => self.filters(node, &event_names),
        };
        if sided && filter.is_none() && !event_names.is_empty() && events.len() == event_names.len() && below.len() == event_names.len() {
            let fault = Fault::new(Code::BadBinding, types.span.clone(), format!("a {name} of events to themselves, which is always 1"));
            return self.fault(fault.help("say by `where` which of them are looked for, or by `per` what they are set against"));
        }
        let ((fields, ty, shape), parts, window_ms, filters) = (of?, parts?, window?, filters?);
        if event_names.is_empty() {
            return None;
        }
        let feeds = events.into_iter().enumerate().map(|(index, event)| {
            let sides = Sides { above: sided && event_names.contains(&event), below: sided && below.contains(&event) };
            Feed { event, filter: filters.get(index).cloned().flatten(), of: fields.get(index).copied(), sides }
        });
        let operator = self.set_up(spec, &map, &types.span, window_ms, ty)?;
        Some((binding_of(operator, feeds.collect(), parts), shape))
    }

    /// The field that the aggregate looks at, in each feeding type, with its type, and what comes of it.
    fn of(
        &mut self,
        spec: &OperatorSpec,
        (takes, clears): (&str, bool),
        node: &Node,
        feeds: &[EventType],
    ) -> Option<(Vec<Of>, Option<FieldType>, Shape)> {
        let text = reader::text(node, "`of`", self.faults)?;
        let text = text.strip_prefix("data.").unwrap_or(text);
        let mut fields = Vec::new();
        let mut shape: Option<(Ty, Privacy)> = None;
        let mut of = None;
        for event in feeds {
            let Some((path, field)) = field::find(event.fields(), text) else {
                let fault = Fault::new(Code::UnknownField, node.span.clone(), format!("{} has no field `{text}`", event.name()));
                return self.fault(fault.help(suggest(text, event.fields().iter().map(|field| field.name))));
            };
            let Some(ty) = over(spec, field.ty) else {
                let takes = format!("`{}` takes {takes}", spec.name);
                return self.fault(bad_of(node, text, field, &takes, *event, &|ty| over(spec, ty).is_some()));
            };
            of = Some(field.ty);
            // A sum or a number of values says little of any one of them; the others may be one event's own value.
            let privacy = if clears { Privacy::Clear } else { field.privacy };
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
            fields.push(Of { path, kind: field.entities.first().copied() });
        }
        shape.map(|(ty, privacy)| (fields, of, Shape::Aggregate(ty, privacy)))
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

/// What comes of an aggregate that looks at no field.
fn fieldless(spec: &OperatorSpec) -> Option<Ty> {
    over(spec, FieldType::Object)
}

/// What comes of an aggregate over a field of that type; `None` where it does not take one.
fn over(spec: &OperatorSpec, ty: FieldType) -> Option<Ty> {
    match spec.yields {
        Yields::Value(of) => of(ty).and_then(Ty::of_field),
        Yields::Signal(_) => None,
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
