//! The columns of a family of event types, out of the vocabulary.
//!
//! ```text
//! position arrival time received id source type region   of every event
//! amount, method, location.country                       a field that may leave: its value
//! location                                               an object or a list: whether it is there
//! phone                                                  a personal field: its pseudonym
//! phone.phone_prefix                                     what else may be shown of it, by kind of entity
//! phone.phone_key, phone.phone_prefix_key                the keys of state of the entities that it names
//! ```
//!
//! Free text, exact places and the elements of lists have none, nor has what lies outside the vocabulary: nobody has said what that is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rasid_detectors::entity::EntityKind;
use rasid_detectors::event::EventType;
use rasid_detectors::event::field::{FieldPath, FieldSpec, FieldType, Privacy};

use crate::table::{Kind, Spec};

/// The family of control records.
pub(crate) const LOG: &str = "log";

/// Where what every event has stands.
pub(crate) mod place {
    pub(crate) const POSITION: usize = 0;
    pub(crate) const ARRIVAL: usize = 1;
    pub(crate) const TIME: usize = 2;
    pub(crate) const RECEIVED: usize = 3;
    pub(crate) const ID: usize = 4;
    pub(crate) const SOURCE: usize = 5;
    pub(crate) const TYPE: usize = 6;
    pub(crate) const REGION: usize = 7;
}

/// Where what a control record says stands, behind its position.
pub(crate) mod log_place {
    pub(crate) const KIND: usize = 1;
    pub(crate) const AT: usize = 2;
    pub(crate) const RULE: usize = 3;
    pub(crate) const RULESET: usize = 4;
    pub(crate) const ENGINE: usize = 5;
}

/// Where one field of one type stands.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) path: FieldPath,
    /// What its column holds.
    pub(crate) ty: FieldType,
    /// The column of its value: of an object whether it is there, of a personal field its pseudonym.
    pub(crate) value: usize,
    /// The columns of its keys of state. A row that has one holds a stand-in.
    pub(crate) keys: Vec<(EntityKind, usize)>,
    /// The columns of what may be shown of it as another kind than the first.
    pub(crate) shown: Vec<(EntityKind, usize)>,
}

/// One family.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) columns: Vec<Spec>,
    /// The fields of each of its types, in the order of their paths.
    pub(crate) fields: BTreeMap<EventType, Vec<Field>>,
}

/// The family of a type of event: what stands before the point in its name.
pub(crate) fn family_of(event: EventType) -> &'static str {
    event.name().split_once('.').map_or(event.name(), |(family, _)| family)
}

/// All families of what producers send, by name.
static FAMILIES: LazyLock<BTreeMap<&'static str, Family>> = LazyLock::new(|| {
    let mut families: BTreeMap<&'static str, Family> = BTreeMap::new();
    for event in EventType::PRODUCED {
        let name = family_of(*event);
        families.entry(name).or_insert_with(Family::new).add(*event);
    }
    families
});

/// The columns of control records.
static CONTROLS: LazyLock<Vec<Spec>> = LazyLock::new(|| {
    vec![
        Spec::required("position", Kind::Rising),
        Spec::required("kind", Kind::Text),
        Spec::optional("at", Kind::Time),
        Spec::optional("rule", Kind::Text),
        Spec::optional("ruleset", Kind::Text),
        Spec::optional("engine", Kind::Text),
    ]
});

/// The family of that name; `None` where the vocabulary has none.
pub(crate) fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.get(name)
}

/// The columns of the family of that name.
pub(crate) fn columns_of(name: &str) -> Option<&'static [Spec]> {
    if name == LOG { Some(&CONTROLS) } else { family(name).map(|family| family.columns.as_slice()) }
}

/// The names of all families, that of control records among them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.keys().copied().chain([LOG])
}

/// What tells one vocabulary from another: BLAKE3 of all columns, 16 hexadecimal digits.
pub(crate) static VOCABULARY: LazyLock<String> = LazyLock::new(|| {
    let mut hash = blake3::Hasher::new();
    for name in names() {
        for spec in columns_of(name).unwrap_or_default() {
            hash.update(format!("{name}/{}/{:?}/{}\n", spec.name, spec.kind, spec.required).as_bytes());
        }
    }
    hash.finalize().to_hex().chars().take(16).collect()
});

impl Family {
    fn new() -> Self {
        let columns = vec![
            Spec::required("position", Kind::Rising),
            Spec::required("arrival", Kind::Time),
            Spec::required("time", Kind::Time),
            Spec::optional("received", Kind::Time),
            Spec::required("id", Kind::Text),
            Spec::required("source", Kind::Text),
            Spec::required("type", Kind::Text),
            Spec::optional("region", Kind::Text),
        ];
        Self { columns, fields: BTreeMap::new() }
    }

    fn add(&mut self, event: EventType) {
        let mut fields = Vec::new();
        for (number, spec) in (0_u8..).zip(event.fields()) {
            fields.extend(self.field(FieldPath { field: number, child: None }, spec, spec.name));
            for (child, inner) in (0_u8..).zip(spec.children) {
                let path = FieldPath { field: number, child: Some(child) };
                fields.extend(self.field(path, inner, &format!("{}.{}", spec.name, inner.name)));
            }
        }
        self.fields.insert(event, fields);
    }

    /// The columns of one field; `None` where it never leaves.
    fn field(&mut self, path: FieldPath, spec: &FieldSpec, name: &str) -> Option<Field> {
        let kind = match spec.ty {
            FieldType::Object => Kind::Bool,
            _ if spec.privacy == Privacy::Hidden => return None,
            FieldType::Bool | FieldType::List => Kind::Bool,
            FieldType::Int => Kind::Int,
            FieldType::Double => Kind::Double,
            FieldType::String | FieldType::Enum(_) => Kind::Text,
            FieldType::Time => Kind::Time,
        };
        let value = self.column(name, kind);
        let kinds = match spec.privacy {
            Privacy::Pseudonym(kind) | Privacy::Opaque(kind) if spec.entities.is_empty() => vec![kind],
            Privacy::Pseudonym(_) | Privacy::Opaque(_) => spec.entities.to_vec(),
            Privacy::Clear | Privacy::Hidden => Vec::new(),
        };
        let keys = kinds.iter().map(|kind| (*kind, self.column(&format!("{name}.{}_key", kind.name()), Kind::Int))).collect();
        let shown = kinds.iter().skip(1).map(|kind| (*kind, self.column(&format!("{name}.{}", kind.name()), Kind::Text))).collect();
        Some(Field { path, ty: spec.ty, value, keys, shown })
    }

    /// The column of that name, which types of one family have in common.
    fn column(&mut self, name: &str, kind: Kind) -> usize {
        if let Some(known) = self.columns.iter().position(|spec| spec.name == name) {
            return known;
        }
        self.columns.push(Spec::optional(name, kind));
        self.columns.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that two types of a family have in common is of one kind, and none is called as what every event has.
    #[test]
    fn a_name_in_a_family_is_one_kind_of_column() {
        for name in names().filter(|name| *name != LOG) {
            let family = family(name).expect("it is one");
            for (event, fields) in &family.fields {
                for field in fields {
                    let spec = rasid_detectors::event::field::at(event.fields(), field.path).expect("a field");
                    let kind = family.columns[field.value].kind;
                    let expected = match spec.ty {
                        FieldType::Object | FieldType::Bool | FieldType::List => Kind::Bool,
                        FieldType::Int => Kind::Int,
                        FieldType::Double => Kind::Double,
                        FieldType::String | FieldType::Enum(_) => Kind::Text,
                        FieldType::Time => Kind::Time,
                    };
                    assert_eq!(kind, expected, "{event:?} {}", spec.name);
                    assert!(field.value > place::REGION, "{event:?} {}", spec.name);
                }
            }
        }
    }

    #[test]
    fn free_text_and_exact_places_have_no_column() {
        let columns = |name: &str| -> Vec<&str> { family(name).expect("a family").columns.iter().map(|spec| spec.name.as_str()).collect() };
        let gps = columns("gps");
        assert!(!gps.contains(&"lat") && !gps.contains(&"lon") && !gps.contains(&"points"), "{gps:?}");
        assert!(!columns("chat").contains(&"text"));
        let auth = columns("auth");
        for name in ["phone", "phone.phone_key", "phone.phone_prefix", "phone.phone_prefix_key", "ip.ip_prefix", "user_id", "location"] {
            assert!(auth.contains(&name), "{name} in {auth:?}");
        }
        assert!(!auth.contains(&"location.lat"));
    }
}
