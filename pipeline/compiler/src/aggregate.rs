//! Aggregates: bindings that count, sum or remember events in a window.

use rasid_detectors::currency;
use rasid_detectors::currency::rates::Exchange;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath, FieldSpec, FieldType, Privacy};
use rasid_detectors::operator::{Beside, Form, Heard, Of, OfField, OperatorSpec, Second, Yields, aggregates};
use rasid_detectors::signal::SignalField;

use crate::binding::{Counted, Lowering, Shape, Source, binding_of, counted_types, is_param, measured};
use crate::cel;
use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::expression::Expr;
use crate::hint;
use crate::join::{Keys, Side};
use crate::names::{Bound, Mentions, Names};
use crate::reader::{self, MapReader};
use crate::ruleset::{Binding, Feed, Sides};
use crate::ty::Ty;
use crate::typecheck::Checker;
use crate::yaml::Node;

const DAY_MS: i64 = 86_400_000;
/// The shortest window of what has a state for each key.
const WINDOW_MS_MIN: i64 = 1_000;
/// What is looked at by closed hours.
const HOURS_MS: std::ops::RangeInclusive<i64> = 3_600_000..=90 * DAY_MS;
/// What waits keeps records, and what all keys are like is kept finely: a minute to thirty days.
const LONG_MS: std::ops::RangeInclusive<i64> = 60_000..=30 * DAY_MS;

impl Lowering<'_> {
    pub(crate) fn aggregate(&mut self, spec: &'static OperatorSpec, types: &Node, mut map: MapReader<'_>) -> Option<(Binding, Shape)> {
        let (name, keys) = (spec.name, spec.named()?);
        if keys.steps {
            return self.steps((spec, keys), types, map);
        }
        if spec.form == Form::Graph {
            return self.graph((spec, keys), types, map);
        }
        let has_line = keys.second.is_some();
        let (sources, broken) = (self.sources, self.broken);
        let named = counted_types(types, name, sources, broken, self.faults);
        let (of, into) = match keys.of {
            OfField::None { .. } | OfField::Beside(_) => (map.if_there("of"), map.if_there("in")),
            OfField::Of { .. } => (map.required("of", self.faults), map.optional("in")),
        };
        let other = if let OfField::Beside(other) = keys.of { map.optional(other.key) } else { None };
        let second = keys.second.and_then(|second| {
            let node = map.optional(second.key);
            if node.is_none() && second.required {
                let fault = Fault::new(Code::MissingKey, map.span(), format!("the {name} lacks `{}`", second.key));
                let says = second.types.trim_end_matches('.').to_lowercase();
                self.faults.push(fault.help(format!("add `{}: …`: {says}", second.key)));
            }
            node.map(|node| (second.key, node))
        });
        let is_missing = second.is_none() && keys.second.is_some_and(|second| second.required);
        let is_of_all = spec.form == Form::Population;
        let matched = if is_of_all { map.if_there("match") } else { map.optional("match") };
        let by = if is_of_all || matched.is_some() { map.if_there("by") } else { self.by(&mut map, named.iter().map(|one| one.event)) };
        let window = map.required("window", self.faults);
        let offset = if spec.takes_offset { map.optional("offset") } else { map.if_there("offset") };
        let filter = map.optional("where");
        let own = crate::schema::own_properties(spec);
        map.finish_but(&own.keys().map(String::as_str).collect::<Vec<_>>(), self.faults);

        let below = match second {
            Some((key, node)) => counted_types(node, key, sources, broken, self.faults),
            None if is_missing => return None,
            None if has_line => named.clone(),
            None => Vec::new(),
        };
        let mut counted = named.clone();
        counted.extend(below.iter().filter(|one| !named.contains(one)));
        let is_twice = |(index, one): (usize, &Counted)| counted.iter().skip(index + 1).any(|other| other.event == one.event);
        if counted.iter().enumerate().any(is_twice) {
            let message = "one side counts events of a type and the other a detector's firings at them";
            return self.fault(Fault::new(Code::BadBinding, types.span.clone(), message).help("use two bindings"));
        }
        if let Some(fault) = apart(spec, &counted, self.on, types) {
            return self.fault(fault);
        }
        let span = window.and_then(|node| self.span(node, offset, spec));
        let of = self.field(spec, keys.of, (of, other), (&named, &below, &counted));
        let exchanges = self.exchanges(spec, into, of.as_ref().map(|(fields, ..)| fields.as_slice()), &named);
        let filters = match filter {
            None => Some(vec![None; named.len()]),
            Some(node) => self.filters(node, &named),
        };
        if let Some(fault) = silent(spec, &named, self.on, types) {
            return self.fault(fault);
        }
        let parts = self.key(spec, (&named, &below, &counted), (by, matched));
        if let Shape::Signal(_) = &of.as_ref().map_or(Shape::Aggregate(Ty::Int, Privacy::Clear), |(_, _, shape)| *shape)
            && let Some((key, node)) = second
            && !below.is_empty()
            && !self.is_counted
            && !self.on.is_empty()
            && !below.iter().any(|one| self.on.contains(&one.event))
        {
            let events = || listed(below.iter().map(|one| one.event.name()));
            let message = format!("{name} fires on {}, and the rule looks at none of them", events());
            let fault = Fault::new(Code::NeverFires, node.span.clone(), message)
                .help(format!("add one of them to the rule's `on`: `{key}` names what it fires on"));
            return self.fault(fault);
        }
        if !spec.yields.fires()
            && has_line
            && filter.is_none()
            && !named.is_empty()
            && counted.len() == named.len()
            && below.len() == named.len()
        {
            let (message, help) = to_themselves(spec);
            return self.fault(Fault::new(Code::BadBinding, types.span.clone(), message).help(help));
        }
        let ((fields, ty, shape), parts, span_ms, filters, exchanges) = (of?, parts?, span?, filters?, exchanges?);
        if named.is_empty() {
            return None;
        }
        let feeds = counted.into_iter().enumerate().map(|(index, one)| {
            let sides = Sides { above: has_line && named.contains(&one), below: has_line && below.contains(&one) };
            let (filter, of) = (filters.get(index).cloned().flatten(), fields.get(index).copied().flatten());
            let key = parts.feeds.get(index).cloned().unwrap_or_default();
            let exchange = exchanges.get(index).cloned().flatten();
            Feed { event: one.event, key, firings_of: one.firings_of, filter, steps: Vec::new(), of, exchange, sides }
        });
        let feeds = feeds.collect();
        self.reads = parts.reads;
        let operator = self.set_up(spec, &map, &types.span, span_ms, ty)?;
        Some((binding_of(operator, feeds, sources), shape))
    }

    /// The fields that it looks at, one for each type that feeds it, their type, and what comes of it.
    fn field(
        &mut self,
        spec: &'static OperatorSpec,
        takes: OfField,
        (of, other): (Option<&Node>, Option<&Node>),
        (named, below, counted): (&[Counted], &[Counted], &[Counted]),
    ) -> Option<(Vec<Option<Of>>, Option<FieldType>, Shape)> {
        let refused =
            |node: &Node, because: &str| Fault::new(Code::BadOf, node.span.clone(), format!("`{}` {because} and takes no `of`", spec.name));
        match (takes, of) {
            (OfField::Of { takes, clears, .. }, of) => {
                let (fields, ty, shape) = of.and_then(|node| self.of(spec, (takes, clears), node, named))?;
                Some((fields.into_iter().map(Some).collect(), ty, shape))
            }
            (OfField::None { because, instead }, Some(node)) => self.fault(refused(node, because).help(instead)),
            (OfField::Beside(Beside { key, .. }), Some(node)) => self.fault(
                refused(node, "looks for events").help(format!("which of them count is said by `where`, and `{key}` names a field")),
            ),
            (OfField::Beside(takes), None) => {
                let has_it = |one: &Counted| !takes.second_alone || below.contains(one);
                let fields = other.map_or(Some(Vec::new()), |node| self.beside(takes, node, counted, has_it));
                fields.zip(fieldless(spec)).map(|(fields, shape)| (fields, None, shape))
            }
            (OfField::None { .. }, None) => fieldless(spec).map(|shape| (Vec::new(), None, shape)),
        }
    }

    /// The key of what is counted, and of what reads it. `counted`: the events above the line, those below it, all; of steps, those
    /// before the last, the last, all.
    pub(crate) fn key(
        &mut self,
        spec: &OperatorSpec,
        (named, below, counted): (&[Counted], &[Counted], &[Counted]),
        (by, matched): (Option<&Node>, Option<&Node>),
    ) -> Option<Keys> {
        let fires = spec.yields.fires();
        let is_of_all = spec.form == Form::Population;
        if is_of_all {
            for (key, node) in [("by", by), ("match", matched)] {
                let Some(node) = node else { continue };
                let fault =
                    Fault::new(Code::BadBinding, node.span.clone(), format!("`{}` has one value for all and takes no `{key}`", spec.name));
                self.faults.push(fault.help("remove it"));
            }
        }
        if let Some(node) = matched.filter(|_| fires && named.iter().any(|one| below.contains(one))) {
            let message = "events that are on both sides have no key of theirs and of ours";
            return self.fault(Fault::new(Code::BadBinding, node.span.clone(), message).help("use `by`"));
        }
        // What fires does so on the current event; what else is counted is theirs.
        let side = |one: &Counted| if fires && below.contains(one) { Side::Ours } else { Side::Theirs };
        let sides: Vec<(EventType, Side)> = counted.iter().map(|one| (one.event, side(one))).collect();
        // What is only counted need not be found at the rule's own events.
        let looks = self.on.is_empty() || below.iter().any(|one| self.on.contains(&one.event));
        let readers = if fires && self.is_counted && !looks { &[] } else { self.on };
        let join =
            if is_of_all { self.join(None, None) } else { (by.is_some() || matched.is_some()).then(|| self.join(by, matched)).flatten() };
        join.and_then(|join| self.keys(&join, &sides, readers))
    }

    /// How far back is remembered, and how much of that from now back is left out, ms.
    pub(crate) fn span(&mut self, window: &Node, offset: Option<&Node>, spec: &OperatorSpec) -> Option<(i64, i64)> {
        let window_ms = self.duration(window, "`window`", windows(spec));
        let Some(node) = offset else { return Some((window_ms?, 0)) };
        if !spec.takes_offset {
            let fault = Fault::new(Code::BadBinding, node.span.clone(), format!("`{}` takes no `offset`", spec.name));
            let able = listed(aggregates().filter(|spec| spec.takes_offset).map(|spec| spec.name));
            return self.fault(fault.help(format!("remove it; those that do are {able}")));
        }
        let offset_ms = self.duration(node, "`offset`", windows(spec));
        let (window_ms, offset_ms) = (window_ms?, offset_ms?);
        let kept_ms = window_ms + offset_ms;
        if kept_ms > spec.window_ms_max {
            let most = reader::show_duration(spec.window_ms_max);
            let message = format!("`window` and `offset` are more than {most} together, which is as far back as a {} goes", spec.name);
            return self.fault(Fault::new(Code::OutOfRange, node.span.clone(), message).help("shorten one of the two"));
        }
        Some((kept_ms, offset_ms))
    }

    /// A span of time, or the parameter that says it.
    pub(crate) fn duration(&mut self, node: &Node, what: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let named = self.param(node);
        if named.is_none() && is_param(node) {
            return None;
        }
        reader::duration(named.as_ref().unwrap_or(node), what, range, self.faults)
    }

    /// The field that the aggregate looks at, in each feeding type, with its type, and what comes of it.
    fn of(
        &mut self,
        spec: &'static OperatorSpec,
        (takes, clears): (&str, bool),
        node: &Node,
        feeds: &[Counted],
    ) -> Option<(Vec<Of>, Option<FieldType>, Shape)> {
        let text = reader::text(node, "`of`", self.faults)?;
        let text = text.strip_prefix("data.").unwrap_or(text);
        let mut fields = Vec::new();
        let mut shape: Option<(Ty, Privacy)> = None;
        let mut of = None;
        for Counted { event, firings_of } in feeds {
            let signal = firings_of.and_then(|source| self.sources.get(source));
            if let (Some((field, found)), None) = (signal.and_then(|source| signal_field(source, text)), field::find(event.fields(), text))
            {
                let Some(ty) = over(spec, found.ty.field_type(None)) else {
                    let message = format!("`{}` takes {takes}, and `{text}` of the signal is none", spec.name);
                    return self.fault(Fault::new(Code::BadOf, node.span.clone(), message).help("name another field"));
                };
                of = Some(found.ty.field_type(None));
                shape = match shape {
                    Some((other, _)) if other != ty => {
                        let message = format!("`{text}` is {} in a signal and {} elsewhere", ty.name(), other.name());
                        return self.fault(Fault::new(Code::BadOf, node.span.clone(), message).help("use two bindings"));
                    }
                    Some(same) => Some(same),
                    None => Some((ty, Privacy::Clear)),
                };
                fields.push(Of::Signal { field, name: found.name });
                continue;
            }
            let Some((path, field)) = field::find(event.fields(), text) else {
                let fault = Fault::new(Code::UnknownField, node.span.clone(), format!("{} has no field `{text}`", event.name()));
                return self.fault(fault.help(hint::of(text, *event)));
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
            fields.push(Of::Field { path, kind: field.entities.first().copied() });
        }
        let shape = shape.map(|(ty, privacy)| match spec.yields {
            Yields::Measure(_) => Shape::Measure(spec, of, privacy),
            Yields::Value(_) | Yields::Signal(_) => Shape::Aggregate(ty, privacy),
        });
        shape.map(|shape| (fields, of, shape))
    }

    /// A field beside what is counted, in each type that has it.
    fn beside(
        &mut self,
        Beside { key, takes, is, example, .. }: Beside,
        node: &Node,
        counted: &[Counted],
        has_it: impl Fn(&Counted) -> bool,
    ) -> Option<Vec<Option<Of>>> {
        let text = reader::text(node, &format!("`{key}`"), self.faults)?;
        let text = text.strip_prefix("data.").unwrap_or(text);
        let mut fields = Vec::new();
        for one in counted {
            if !has_it(one) {
                fields.push(None);
                continue;
            }
            let event = one.event;
            let Some((path, field)) = field::find(event.fields(), text) else {
                let fault = Fault::new(Code::UnknownField, node.span.clone(), format!("{} has no field `{text}`", event.name()));
                return self.fault(fault.help(suggest(text, event.fields().iter().map(|field| field.name))));
            };
            if !is(field.ty) {
                let fault = Fault::new(Code::BadOf, node.span.clone(), format!("`{key}` takes {takes}, and `{text}` is none"));
                return self.fault(fault.help(format!("name a field such as `{example}`")));
            }
            fields.push(Some(Of::Field { path, kind: field.entities.first().copied() }));
        }
        Some(fields)
    }

    /// What converts the field of each feeding type into the currency that `in` names, and the field that says which one it is in.
    /// `fields`: `None` where those have a fault.
    fn exchanges(
        &mut self,
        spec: &OperatorSpec,
        into: Option<&Node>,
        fields: Option<&[Option<Of>]>,
        feeds: &[Counted],
    ) -> Option<Vec<Option<(Exchange, FieldPath)>>> {
        let Some(node) = into else { return Some(vec![None; feeds.len()]) };
        let fields = fields?;
        if fields.is_empty() {
            let fault = Fault::new(Code::NoRate, node.span.clone(), format!("`{}` takes no amounts to convert, and no `in`", spec.name));
            return self.fault(fault.help("remove it, or use sum, avg, min or max"));
        }
        let named = self.param(node);
        if named.is_none() && is_param(node) {
            return None;
        }
        let to = reader::text(named.as_ref().unwrap_or(node), "`in`", self.faults)?;
        let exchange = match self.tables.rates.exchange(to) {
            Ok(exchange) => exchange,
            Err(wrong) => {
                let (message, help) = wrong?;
                return self.fault(Fault::new(Code::NoRate, node.span.clone(), message).help(help));
            }
        };
        let currency = |(of, one): (&Option<Of>, &Counted)| {
            let spec = of.as_ref()?.path().and_then(|path| field::at(one.event.fields(), path))?;
            currency::AMOUNTS.contains(&spec.name).then(|| field::find(one.event.fields(), currency::FIELD)).flatten()
        };
        let mut exchanges = Vec::new();
        for of in fields.iter().zip(feeds) {
            let Some((path, _)) = currency(of) else {
                let message = format!("what is looked at of {} is no amount in a currency", of.1.event.name());
                let fault = Fault::new(Code::NoRate, node.span.clone(), message);
                return self
                    .fault(fault.help(format!("`in` stands beside an `of` of events with a currency: {}", listed(currency::AMOUNTS))));
            };
            exchanges.push(Some((exchange.clone(), path)));
        }
        Some(exchanges)
    }

    pub(crate) fn filters(&mut self, node: &Node, feeds: &[Counted]) -> Option<Vec<Option<Expr>>> {
        let text = reader::text(node, "`where`", self.faults)?;
        let source = match cel::Source::parse(self.file, &node.span, text) {
            Ok(source) => source,
            Err(fault) => return self.fault(fault),
        };
        let mut filters = Vec::new();
        for Counted { event, firings_of } in feeds {
            // A firing carries its signal beside the event.
            let fired = firings_of.and_then(|fired| self.sources.get(fired));
            let firing: Vec<(String, Option<Bound>)> =
                fired.map(|fired| (fired.name.clone(), Some(Bound::Signal { read: 0, spec: fired.spec }))).into_iter().collect();
            let names = Names { lets: &firing, params: self.params, ..Names::event_only("where", self.tables) };
            let mut mentions = Mentions::default();
            let checker =
                Checker { source: &source, event: *event, names: &names, mentions: &mut mentions, faults: self.faults, locals: Vec::new() };
            filters.push(checker.condition());
            self.unknowns.append(&mut mentions.unknowns);
            self.used.append(&mut mentions.params);
        }
        filters.into_iter().map(|filter| filter.map(Some)).collect()
    }
}

/// The field of that name of a detector's signal, with its place; `leak.strength` and `strength` are one.
fn signal_field(source: &Source, text: &str) -> Option<(usize, &'static SignalField)> {
    let name = text.strip_prefix(source.name.as_str()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(text);
    source.spec.fields().iter().enumerate().find(|(_, field)| field.name == name)
}

/// Why what is counted cannot be counted here: alerts are looked at when all else has been, so what counts them counts nothing
/// else and is read at alerts alone, and it says what it knows at once.
pub(crate) fn apart(spec: &OperatorSpec, counted: &[Counted], on: &[EventType], types: &Node) -> Option<Fault> {
    let fault = |message: String, help: &str| Some(Fault::new(Code::AlertsApart, types.span.clone(), message).help(help));
    let alerts = counted.iter().filter(|one| one.event.is_alert()).count();
    if alerts > 0 && alerts < counted.len() {
        return fault("alerts and what is none are counted together".to_owned(), "make two bindings of it, in two rules");
    }
    if alerts > 0 && spec.form != Form::Keyed {
        return fault(format!("`{}` takes no alerts", spec.name), "count them, or ask for the last or the first one");
    }
    match on {
        [event, ..] if event.is_alert() && alerts == 0 && !counted.is_empty() => fault(
            "a rule that looks at alerts counts alerts alone".to_owned(),
            "count rasid.alert here, or look at those events in a rule of their own",
        ),
        [event, ..] if !event.is_alert() && alerts > 0 => fault(
            "only a rule that looks at alerts counts them".to_owned(),
            "write `on: rasid.alert`, or `score` for what other rules have made of somebody",
        ),
        _ => None,
    }
}

/// Why an aggregate that says something of the events that feed it alone never says anything here: the rule looks at none of them.
fn silent(spec: &OperatorSpec, counted: &[Counted], on: &[EventType], types: &Node) -> Option<Fault> {
    let is_heard = counted.is_empty() || on.is_empty() || counted.iter().any(|one| on.contains(&one.event));
    if is_heard || spec.heard == Heard::Anywhere {
        return None;
    }
    let events = listed(counted.iter().map(|one| one.event.name()));
    let message = format!("`{}` has a value only at {events}, and the rule looks at none of them", spec.name);
    let help = format!(
        "add one of them to the rule's `on`: {events}; at another event `distinct`, `last` or `avg` tells of them, \
         or `score`, after a rule about them"
    );
    Some(Fault::new(Code::NeverFires, types.span.clone(), message).help(help))
}

/// What is wrong with an aggregate whose two sorts of events are one, and no `where` tells them apart; and what to do.
fn to_themselves(spec: &OperatorSpec) -> (String, String) {
    let name = spec.name;
    match spec.named().and_then(|named| named.second) {
        Some(Second { key, required: true, .. }) => (
            format!("a {name} whose `{key}` names the same events"),
            format!("say by `where` which of them are counted, or name others under `{key}`"),
        ),
        _ => (
            format!("a {name} of events to themselves, which is always 1"),
            "say by `where` which of them are looked for, or by `per` what they are set against".to_owned(),
        ),
    }
}

/// How far back an aggregate may look, or wait.
fn windows(spec: &OperatorSpec) -> std::ops::RangeInclusive<i64> {
    match spec.form {
        Form::Keyed => WINDOW_MS_MIN..=spec.window_ms_max,
        Form::Timer | Form::Population => LONG_MS,
        Form::Graph => HOURS_MS,
    }
}

/// What comes of an aggregate that looks at no field.
fn fieldless(spec: &'static OperatorSpec) -> Option<Shape> {
    match spec.yields {
        Yields::Signal(_) => Some(Shape::Signal(spec)),
        Yields::Measure(_) => Some(Shape::Measure(spec, None, Privacy::Clear)),
        Yields::Value(_) => over(spec, FieldType::Object).map(|ty| Shape::Aggregate(ty, Privacy::Clear)),
    }
}

/// What comes of an aggregate over a field of that type; `None` where it does not take one.
fn over(spec: &OperatorSpec, ty: FieldType) -> Option<Ty> {
    match spec.yields {
        Yields::Value(of) => of(ty).and_then(Ty::of_field),
        Yields::Measure(measure) => (measure.of)(ty).then(|| measured(spec, Some(ty), 0)).flatten(),
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
