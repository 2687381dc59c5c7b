//! What a key is made of: `kind`, `kind(field)`, `data.field`.

use std::ops::Range;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{self, FieldPath, FieldSpec, FieldType, Privacy};

use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::reader;
use crate::ruleset::{EntityField, KeyPart};
use crate::yaml::Node;

/// A part of a key, as the rule writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    /// `None`: whatever kind the field names, or none.
    pub(crate) kind: Option<EntityKind>,
    pub(crate) field: Option<String>,
    pub(crate) span: Range<usize>,
}

impl KeySpec {
    /// Reads what stands in `by` or `entity`.
    pub(crate) fn read(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        Self::parse(reader::text(node, what, faults)?, &node.span, faults)
    }

    /// Reads a side of a `match`, where a field needs no `data.` before it.
    pub(crate) fn side(text: &str, span: &Range<usize>, faults: &mut Vec<Fault>) -> Option<Self> {
        if is_field(text) || (!text.contains('(') && EntityKind::from_name(text).is_none()) {
            let field = text.strip_prefix("data.").unwrap_or(text);
            return Some(Self { kind: None, field: Some(field.to_owned()), span: span.clone() });
        }
        Self::parse(text, span, faults)
    }

    fn parse(text: &str, span: &Range<usize>, faults: &mut Vec<Fault>) -> Option<Self> {
        if let Some(field) = text.strip_prefix("data.") {
            return Some(Self { kind: None, field: Some(field.to_owned()), span: span.clone() });
        }
        let (name, field) = match text.split_once('(') {
            None => (text.trim(), None),
            Some((kind, rest)) => (kind.trim(), Some(rest.trim_end().strip_suffix(')').unwrap_or(rest).trim())),
        };
        let Some(kind) = EntityKind::from_name(name) else {
            let fault = Fault::new(Code::UnknownKind, span.clone(), format!("there is no kind of entity `{name}`"));
            let help = match named_by(name) {
                _ if name.starts_with("data[") => "a field outside the contract is no key; those of the contract are data.field".to_owned(),
                Some([kind, ..]) => format!("whom that field names is written {}({name})", kind.name()),
                Some([]) => format!(
                    "data.{name} names nobody: it can be a key by itself, `by: data.{name}`, and an alert is about somebody else, or about all"
                ),
                None => suggest(name, EntityKind::ALL.map(EntityKind::name)),
            };
            faults.push(fault.help(help));
            return None;
        };
        let field = field.map(|field| field.strip_prefix("data.").unwrap_or(field).to_owned());
        Some(Self { kind: Some(kind), field, span: span.clone() })
    }

    /// What makes two specs of one key the same, and their order.
    pub(crate) fn order(&self) -> (Option<EntityKind>, Option<&str>) {
        (self.kind, self.field.as_deref())
    }

    /// As the rule writes it.
    pub(crate) fn text(&self) -> String {
        match (self.kind, &self.field) {
            (Some(kind), Some(field)) => format!("{}({field})", kind.name()),
            (Some(kind), None) => kind.name().to_owned(),
            (None, field) => format!("data.{}", field.as_deref().unwrap_or_default()),
        }
    }

    /// The field that names the rule's entity in events of this type.
    pub(crate) fn entity(&self, event: EventType) -> Result<EntityField, Fault> {
        // What a rule that looks at alerts counts by is more than it may be about.
        let parts = self
            .parts(event)
            .map_err(|fault| if event.is_alert() { fault.help("an alert about alerts is about `all` or a `region`") } else { fault })?;
        parts.into_iter().find_map(|part| if let KeyPart::Entity(entity) = part { Some(entity) } else { None }).ok_or_else(|| {
            let message = format!("`{}` of {} names no entity", self.text(), event.name());
            Fault::new(Code::NoSuchKindHere, self.span.clone(), message).help(naming(event))
        })
    }

    /// What it may be in events of this type, the likeliest first: one part, but for a field that names several kinds.
    pub(crate) fn parts(&self, event: EventType) -> Result<Vec<KeyPart>, Fault> {
        match (self.kind, self.field.as_deref()) {
            (Some(kind @ (EntityKind::Region | EntityKind::All)), None) if kind == EntityKind::All || event.has_place() => {
                Ok(vec![KeyPart::Entity(EntityField { kind, path: None })])
            }
            (Some(kind @ (EntityKind::Region | EntityKind::All)), Some(_)) => {
                let fault = Fault::new(Code::UnknownField, self.span.clone(), format!("`{}` takes no field", kind.name()));
                Err(match kind {
                    EntityKind::Region => fault.help("write region: it is the cell of the event's place"),
                    _ => fault.help("write all: it is the whole stream"),
                })
            }
            (Some(kind), None) => self.bare(kind, event),
            (kind, Some(name)) => self.of_field(kind, name, event),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// The one field that names the kind.
    fn bare(&self, kind: EntityKind, event: EventType) -> Result<Vec<KeyPart>, Fault> {
        match fields_of(kind, event).as_slice() {
            [] => Err(self.missing(kind, event)),
            [only] => self.of_field(Some(kind), only, event),
            several => {
                let message = format!("`{}` could be any of {} fields of {}", kind.name(), several.len(), event.name());
                let all: Vec<String> = several.iter().map(|field| format!("{}({field})", kind.name())).collect();
                Err(Fault::new(Code::AmbiguousKind, self.span.clone(), message)
                    .help(format!("say which: {}", listed(all.iter().map(String::as_str)))))
            }
        }
    }

    fn of_field(&self, kind: Option<EntityKind>, name: &str, event: EventType) -> Result<Vec<KeyPart>, Fault> {
        let Some((path, spec)) = field::find(event.fields(), name) else {
            let fault = Fault::new(Code::UnknownField, self.span.clone(), format!("{} has no field `{name}`", event.name()));
            return Err(fault.help(suggest(name, event.fields().iter().map(|field| field.name))));
        };
        let refused = |message: String| Fault::new(Code::NoSuchKindHere, self.span.clone(), message).help(naming(event));
        if path.child.is_some() {
            return Err(refused(format!("`{name}` is inside an object and cannot be a key")));
        }
        match kind {
            Some(kind) if spec.entities.contains(&kind) => Ok(vec![KeyPart::Entity(EntityField { kind, path: Some(path) })]),
            Some(kind) => Err(refused(format!("`{name}` of {} does not name the kind `{}`", event.name(), kind.name()))),
            None if !spec.entities.is_empty() => {
                Ok(spec.entities.iter().map(|kind| KeyPart::Entity(EntityField { kind: *kind, path: Some(path) })).collect())
            }
            None => plain(name, path, spec).map(|part| vec![part]).map_err(refused),
        }
    }

    fn missing(&self, kind: EntityKind, event: EventType) -> Fault {
        let message = format!("no field of {} names the kind `{}`", event.name(), kind.name());
        let part = EventType::ALL.iter().find(|part| part.whole() == Some(event) && !fields_of(kind, **part).is_empty());
        let help = part.map_or_else(
            || naming(event),
            |part| format!("write {} in place of it: each {} is followed by its lines, one by one", part.name(), event.name()),
        );
        Fault::new(Code::NoSuchKindHere, self.span.clone(), message).help(help)
    }

    /// The fields that it may mean in events of this type.
    pub(crate) fn candidates(&self, event: EventType) -> Vec<&str> {
        match (self.kind, self.field.as_deref()) {
            (_, Some(field)) if self.parts(event).is_ok() => vec![field],
            (Some(kind), _) => fields_of(kind, event),
            _ => Vec::new(),
        }
    }
}

/// The kind of entity that a part names; `None`: it names nobody.
pub(crate) fn kind_of(part: KeyPart) -> Option<EntityKind> {
    match part {
        KeyPart::Entity(entity) => Some(entity.kind),
        KeyPart::Value(_) => None,
    }
}

/// What people call what a part names in events of a type.
pub(crate) fn called(part: KeyPart, event: EventType) -> String {
    match part {
        KeyPart::Entity(entity) => entity.kind.name().to_owned(),
        KeyPart::Value(path) => {
            let of = field::at(event.fields(), path).map(|spec| spec.ty);
            format!("{} that names nobody", of.and_then(crate::ty::Ty::of_field).map_or("value", crate::ty::Ty::name))
        }
    }
}

/// Whether some event type has a field of that name.
fn is_field(name: &str) -> bool {
    named_by(name).is_some()
}

/// The kinds of entity that a field of that name names, where some event type has one.
fn named_by(name: &str) -> Option<&'static [EntityKind]> {
    let mut fields = EventType::ALL.iter().flat_map(|event| event.fields()).filter(|field| field.name == name);
    let first = fields.next()?;
    Some(if first.entities.is_empty() { fields.find(|field| !field.entities.is_empty()).unwrap_or(first) } else { first }.entities)
}

/// A field's value as a part of a key, or why it cannot be one.
fn plain(name: &str, path: FieldPath, spec: &FieldSpec) -> Result<KeyPart, String> {
    match (spec.privacy, spec.ty) {
        (Privacy::Clear, FieldType::String | FieldType::Enum(_) | FieldType::Int | FieldType::Bool) => Ok(KeyPart::Value(path)),
        (Privacy::Clear, _) => Err(format!("`{name}` cannot be a key: that takes a text, a whole number, true or false")),
        _ => Err(format!("`{name}` is personal or free text and cannot be a key by itself")),
    }
}

/// The fields of a type that name a kind.
pub(crate) fn fields_of(kind: EntityKind, event: EventType) -> Vec<&'static str> {
    event.fields().iter().filter(|field| field.entities.contains(&kind)).map(|field| field.name).collect()
}

/// What may be a key in events of this type.
fn naming(event: EventType) -> String {
    format!("{} takes {}", event.name(), listed(names(event).iter().map(String::as_str)))
}

/// What `by` takes where it is missing: what may be a key in events of each of those types.
pub(crate) fn by(events: impl IntoIterator<Item = EventType>) -> String {
    let mut events = events.into_iter();
    let mut common = events.next().map(names).unwrap_or_default();
    for event in events {
        let others = names(event);
        common.retain(|name| others.contains(name));
    }
    let means = "add `by: …`, what the events that are counted and the current one have in common";
    let kinds: Vec<&str> = common.iter().map(String::as_str).filter(|name| !name.starts_with("data.")).collect();
    if kinds.is_empty() {
        return format!("{means}: a kind of entity, a data.field or `all`; where the types name it differently, `match: {{theirs: ours}}`");
    }
    format!("{means}: {}, a data.field, several in [ ], or `all`", listed(kinds))
}

/// The keys that events of this type have by one part each.
fn names(event: EventType) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for kind in EntityKind::ALL {
        match fields_of(kind, event).as_slice() {
            _ if kind == EntityKind::All => names.extend(event.is_alert().then(|| "all".to_owned())),
            _ if kind == EntityKind::Region => names.extend(event.has_place().then(|| "region".to_owned())),
            [] => {}
            [_] => names.push(kind.name().to_owned()),
            several => names.extend(several.iter().map(|field| format!("{}({field})", kind.name()))),
        }
    }
    let plain = event.fields().iter().filter(|spec| {
        spec.entities.is_empty() && field::find(event.fields(), spec.name).is_some_and(|(path, spec)| plain(spec.name, path, spec).is_ok())
    });
    names.extend(plain.map(|spec| format!("data.{}", spec.name)));
    names
}
