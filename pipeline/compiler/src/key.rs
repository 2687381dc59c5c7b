//! `kind` and `kind(field)`: which field of an event names an entity.

use std::ops::Range;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field;

use crate::diagnostic::{Code, Fault, listed, suggest};
use crate::reader;
use crate::ruleset::KeyPart;
use crate::yaml::Node;

/// A key as the rule writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySpec {
    pub(crate) kind: EntityKind,
    pub(crate) field: Option<String>,
    pub(crate) span: Range<usize>,
}

impl KeySpec {
    pub(crate) fn read(node: &Node, what: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let text = reader::text(node, what, faults)?;
        let (kind, field) = match text.split_once('(') {
            None => (text.trim(), None),
            Some((kind, rest)) => (kind.trim(), Some(rest.trim_end().strip_suffix(')').unwrap_or(rest).trim())),
        };
        let Some(kind) = EntityKind::from_name(kind) else {
            let fault = Fault::new(Code::UnknownKind, node.span.clone(), format!("there is no kind of entity `{kind}`"));
            faults.push(fault.help(suggest(kind, EntityKind::ALL.map(EntityKind::name))));
            return None;
        };
        let field = field.map(|field| field.strip_prefix("data.").unwrap_or(field).to_owned());
        Some(Self { kind, field, span: node.span.clone() })
    }

    /// What makes two specs of one key the same, and their order.
    pub(crate) fn order(&self) -> (EntityKind, Option<&str>) {
        (self.kind, self.field.as_deref())
    }

    /// The field that names the entity in events of this type.
    pub(crate) fn resolve(&self, event: EventType) -> Result<KeyPart, Fault> {
        let (kind, name) = (self.kind, self.kind.name());
        if kind == EntityKind::Region {
            return match &self.field {
                None if event.has_place() => Ok(KeyPart { kind, path: None }),
                None => Err(self.missing(event)),
                Some(_) => Err(Fault::new(Code::UnknownField, self.span.clone(), "`region` takes no field")
                    .help("write region: it is the cell of the event's place")),
            };
        }
        let Some(wanted) = &self.field else {
            let mut candidates = event.fields().iter().filter(|field| field.entities.contains(&kind));
            return match (candidates.next(), candidates.next()) {
                (None, _) => Err(self.missing(event)),
                (Some(only), None) => self.part(event, only.name),
                (Some(_), Some(_)) => {
                    let all: Vec<String> = event
                        .fields()
                        .iter()
                        .filter(|field| field.entities.contains(&kind))
                        .map(|field| format!("{name}({})", field.name))
                        .collect();
                    let message = format!("`{name}` could be any of {} fields of {}", all.len(), event.name());
                    Err(Fault::new(Code::AmbiguousKind, self.span.clone(), message)
                        .help(format!("say which: {}", listed(all.iter().map(String::as_str)))))
                }
            };
        };
        match field::find(event.fields(), wanted) {
            Some((path, spec)) if path.child.is_none() && spec.entities.contains(&kind) => self.part(event, wanted),
            Some((path, _)) if path.child.is_some() => {
                Err(Fault::new(Code::NoSuchKindHere, self.span.clone(), format!("`{wanted}` is inside an object and cannot be a key"))
                    .help(naming(event)))
            }
            Some(_) => Err(Fault::new(
                Code::NoSuchKindHere,
                self.span.clone(),
                format!("`{wanted}` of {} does not name the kind `{name}`", event.name()),
            )
            .help(naming(event))),
            None => {
                let fault = Fault::new(Code::UnknownField, self.span.clone(), format!("{} has no field `{wanted}`", event.name()));
                Err(fault.help(suggest(wanted, event.fields().iter().map(|field| field.name))))
            }
        }
    }

    fn part(&self, event: EventType, name: &str) -> Result<KeyPart, Fault> {
        let found = field::find(event.fields(), name).ok_or_else(|| self.missing(event))?;
        Ok(KeyPart { kind: self.kind, path: Some(found.0) })
    }

    fn missing(&self, event: EventType) -> Fault {
        Fault::new(Code::NoSuchKindHere, self.span.clone(), format!("no field of {} names the kind `{}`", event.name(), self.kind.name()))
            .help(naming(event))
    }
}

/// What may be a key in events of this type.
fn naming(event: EventType) -> String {
    let mut names: Vec<String> = Vec::new();
    for kind in EntityKind::ALL {
        let fields: Vec<&str> = event.fields().iter().filter(|field| field.entities.contains(&kind)).map(|field| field.name).collect();
        match fields.as_slice() {
            _ if kind == EntityKind::Region => {
                if event.has_place() {
                    names.push("region".to_owned());
                }
            }
            [] => {}
            [_] => names.push(kind.name().to_owned()),
            several => names.extend(several.iter().map(|field| format!("{}({field})", kind.name()))),
        }
    }
    format!("{} takes {}", event.name(), listed(names.iter().map(String::as_str)))
}
