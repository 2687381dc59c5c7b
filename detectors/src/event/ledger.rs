//! The `ledger` family: double-entry bookkeeping.

use std::borrow::Cow;

use serde::Deserialize;

use super::field::{FieldType, FieldValue, Record};
use super::text::{AccountId, BookingId, OpaqueId};
use super::units::{BalanceMinor, Currency};
use crate::record;
use crate::value::Value;

record! {
    /// One line of an entry.
    pub struct Line<'a> {
        /// The ledger account.
        pub account: AccountId<'a>,
        /// What it gains, minor units; negative for what it loses.
        pub amount: BalanceMinor,
        /// In which currency.
        pub currency: Currency,
    }
}

/// The lines of an entry, two or more.
#[derive(Clone, Debug)]
pub struct Lines<'a>(Vec<Line<'a>>);

impl<'a> Lines<'a> {
    /// The lines in order.
    pub fn as_slice(&self) -> &[Line<'a>] {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Lines<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lines = Vec::deserialize(deserializer)?;
        if lines.len() < 2 { Err(serde::de::Error::custom("too few lines, expected two or more")) } else { Ok(Self(lines)) }
    }
}

impl FieldValue for Lines<'_> {
    const TYPE: FieldType = FieldType::List;

    fn value(&self) -> Value<'_> {
        Value::Object
    }

    fn oversized(&self) -> u32 {
        self.0.iter().map(Record::oversized).sum()
    }
}

impl schemars::JsonSchema for Lines<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Lines".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let line = generator.subschema_for::<Line<'static>>();
        schemars::json_schema!({ "type": "array", "minItems": 2, "items": line, "description": "Balanced: zero per currency." })
    }
}

record! {
    /// `ledger.posted`.
    pub struct LedgerPosted<'a> {
        /// The entry.
        pub entry_id: OpaqueId<'a>,
        /// The booking it belongs to.
        pub booking_id: Option<BookingId<'a>>,
        /// Two or more lines; balanced means zero per currency.
        pub lines: Lines<'a>,
    }
}
