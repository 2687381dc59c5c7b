//! What to write instead: where a value or a binding's name stands and an event type belongs, `event.x`, a kind under `of`, a parameter that
//! there is none of.

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field;
use rasid_detectors::operator::{Form, OfField, OperatorSpec, aggregates, detectors};

use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::key::fields_of;
use crate::reader;
use crate::schema::own_properties;
use crate::ty::Ty;
use crate::yaml::{Key, Node, NodeValue};

/// The name of an event type under the key `what`. A number or the like is a fault that says what belongs there: an
/// aggregate is named by its key, and its value says which events it looks at.
pub(crate) fn type_name<'a>(item: &'a Node, what: &str, faults: &mut Vec<Fault>) -> Option<&'a str> {
    match &item.value {
        NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) => {
            let fault = reader::wrong(item, &format!("`{what}`"), "the name of an event type");
            faults.push(fault.help(match aggregate_of(what) {
                Some(spec) => format!("it says which events are looked at: {}", example(spec)),
                None => format!("as in `{what}: {}`", EventType::OtpRequested.name()),
            }));
            None
        }
        _ => reader::text(item, &format!("`{what}`"), faults),
    }
}

/// What to write in place of `event.data.x`, `event.x`, `event.time`. `path`: what stands behind `event`.
pub(crate) fn of_event(path: &[&str], event: EventType) -> String {
    let name = path.strip_prefix(&["data"]).unwrap_or(path).join(".");
    match name.as_str() {
        _ if field::find(event.fields(), &name).is_some() => format!("a field of the event is written data.field: `data.{name}`"),
        "time" => "when the event happened is written `time`".to_owned(),
        "type" => "which types are looked at is said by `on`, and of a binding by its first key".to_owned(),
        _ => "a field of the event is written data.field, and when it happened `time`".to_owned(),
    }
}

/// What to write in place of a parameter that the rule does not have; `known`: those that it has.
pub(crate) fn param<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return format!("the rule has no parameters at all: add `params: {{{name}: …}}` to it, or write the value itself");
    }
    suggest(name, known)
}

/// What `of` takes in place of what is no field of events of that type: a kind of entity is none, nor when they happened.
pub(crate) fn of(text: &str, event: EventType) -> String {
    let kind = match EntityKind::from_name(text) {
        Some(kind) => kind,
        None if text == "time" => {
            return "`of` takes a field, and when an event happened is none: `time` in a `where` or in `when` asks for the hour, \
                    time.getHours(\"Africa/Cairo\"), and `first_seen` says since when a key is known"
                .to_owned();
        }
        None => return suggest(text, event.fields().iter().map(|field| field.name)),
    };
    // What a field names first is what its values are compared as.
    let (whole, made_of): (Vec<&str>, Vec<&str>) = fields_of(kind, event).into_iter().partition(|name| {
        field::find(event.fields(), name).is_some_and(|(_, spec)| spec.entities.first() == Some(&kind) && Ty::of_field(spec.ty).is_some())
    });
    match (whole.as_slice(), made_of.as_slice()) {
        ([], []) => format!("`of` takes a field, and `{text}` is a kind of entity: that stands in `by`"),
        ([], of) => format!(
            "`of` takes a field, and `{text}` is a kind, made of {}: it stands in `by`, alone or with others, by: [user, {text}], \
             for a value of its own each",
            listed(of.iter().copied())
        ),
        (fields, _) => {
            let all: Vec<String> = fields.iter().map(|name| format!("of: {name}")).collect();
            format!("`of` takes a field, and `{text}` is a kind: write {}", listed(all.iter().map(String::as_str)))
        }
    }
}

/// The aggregate of which that is a key for event types.
fn aggregate_of(key: &str) -> Option<&'static OperatorSpec> {
    let is_second = |spec: &&OperatorSpec| spec.named().and_then(|named| named.second).is_some_and(|second| second.key == key);
    aggregates().find(|spec| spec.name == key).or_else(|| aggregates().find(is_second))
}

/// How an aggregate is written, whole.
fn example(spec: &OperatorSpec) -> String {
    let of = match spec.named().map(|named| named.of) {
        Some(OfField::Of { example, .. }) => Some(example),
        _ => None,
    };
    let has_it = |event: &&EventType| of.is_none_or(|of| field::find(event.fields(), of).is_some());
    let of_codes = EventType::OtpVerified;
    let event = [of_codes, EventType::PaymentCaptured].iter().chain(EventType::ALL).find(has_it).copied().unwrap_or(of_codes);
    let mut keys = vec![format!("{}: {}", spec.name, event.name())];
    let second = spec.named().and_then(|named| named.second).filter(|second| second.required);
    keys.extend(second.map(|second| format!("{}: {}", second.key, EventType::OtpRequested.name())));
    keys.extend(of.map(|of| format!("of: {of}")));
    if spec.form != Form::Population {
        let named = event.fields().iter().find_map(|field| Some((field.entities.first()?, field.name)));
        let is_alone = |kind| event.fields().iter().filter(|field| field.entities.contains(kind)).count() == 1;
        keys.extend(named.map(|(kind, field)| {
            let of = if is_alone(kind) { String::new() } else { format!("({field})") };
            format!("by: {}{of}", kind.name())
        }));
    }
    keys.push("window: 1h".to_owned());
    let own = own_properties(spec);
    // Whole where it is: the schema says 100.0.
    let given = own.iter().filter_map(|(name, property)| Some(format!("{name}: {}", property.get("examples")?.get(0)?.as_f64()?)));
    keys.extend(given);
    // A share of events in themselves is always 1.
    let halves = spec.named().and_then(|named| named.second).is_some_and(|second| !second.required);
    keys.extend(halves.then(|| "where: data.purpose == \"login\"".to_owned()));
    format!("`{{{}}}`", keys.join(", "))
}

/// The fault of a rule that looks `on` something that its `let` binds; `None` where that name is none of those.
pub(crate) fn bound(item: &Node, lets: Option<&Node>) -> Option<Fault> {
    let (NodeValue::Str(name), NodeValue::Map(entries)) = (&item.value, &lets?.value) else { return None };
    let (_, binding) = entries.iter().find(|(key, _)| key.name == *name)?;
    let message = format!("`{name}` is a binding of `let`, and a rule looks at events");
    let NodeValue::Map(keys) = &binding.value else { return None };
    let fires_on = fires_on(keys);
    let help = if fires_on.is_empty() {
        format!("name event types in `on`, and read `{name}` in `when`")
    } else {
        let by = word(keys, "by").map_or_else(|| "…".to_owned(), str::to_owned);
        format!(
            "to ask when it fires, look at what it fires on, `on: {}`, and write `when: {name}.fired`; firings are counted in `let`: \
             `n: {{count: {name}, by: {by}, window: 1h}}`",
            if let [one] = fires_on.as_slice() { (*one).to_owned() } else { format!("[{}]", fires_on.join(", ")) },
        )
    };
    Some(Fault::new(Code::UnknownEventType, item.span.clone(), message).help(help))
}

/// The types of the events that a binding of those keys fires on; none where it does not fire.
fn fires_on(keys: &[(Key, Node)]) -> Vec<&str> {
    if let Some(detector) = word(keys, "detector") {
        let events = detectors().find(|spec| spec.name == detector).map_or(&[][..], OperatorSpec::may_fire_on);
        return events.iter().map(|event| event.name()).collect();
    }
    let fires = aggregates().find(|spec| spec.yields.fires() && keys.iter().any(|(key, _)| key.name == spec.name));
    let second = fires.and_then(|spec| spec.named()?.second);
    second.and_then(|second| word(keys, second.key)).into_iter().collect()
}

/// The word under a key.
fn word<'a>(keys: &'a [(Key, Node)], name: &str) -> Option<&'a str> {
    let (_, node) = keys.iter().find(|(key, _)| key.name == name)?;
    if let NodeValue::Str(word) = &node.value { Some(word) } else { None }
}
