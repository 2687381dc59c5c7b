//! The `ledger` family: double-entry bookkeeping.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;
use super::field::{Due, Elements, FieldPath, FieldType, FieldValue, Record};
use super::json;
use super::salvage::{Notes, Salvage};
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
        pub currency: Due<Currency>,
    }
}

const TOO_FEW: &str = "too few lines, expected two or more";

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
        if lines.len() < 2 { Err(serde::de::Error::custom(TOO_FEW)) } else { Ok(Self(lines)) }
    }
}

impl<'a> Salvage<'a> for Lines<'a> {
    fn salvage(raw: &'a RawValue, notes: &mut Notes) -> Result<Self, Fault> {
        let texts: Vec<&RawValue> = json::strict(raw)?;
        if texts.len() < 2 {
            return Err(Fault::whole(TOO_FEW));
        }
        let lines: Result<Vec<_>, Fault> = notes.list(|notes| {
            let numbered = texts.into_iter().enumerate();
            numbered.map(|(index, text)| Line::salvage(text, notes).map_err(|fault| fault.inside(&format!("[{index}]")))).collect()
        });
        lines.map(Self)
    }
}

impl FieldValue for Lines<'_> {
    const TYPE: FieldType = FieldType::List;
    const ELEMENTS: Elements = Elements::Objects(<Line<'static> as Record>::FIELDS);

    fn value(&self) -> Value<'_> {
        Value::Object
    }

    fn elements(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn element(&self, index: usize, field: u8) -> Value<'_> {
        self.0.get(index).map_or(Value::Absent, |line| line.get(FieldPath { field, child: None }))
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
    /// `ledger.line`: one line of an entry. The engine makes it of each line of a `ledger.posted`; no producer sends it.
    pub struct LedgerLine<'a> {
        /// The entry.
        pub entry_id: OpaqueId<'a>,
        /// The booking it belongs to.
        pub booking_id: Option<BookingId<'a>>,
        /// The ledger account.
        pub account: AccountId<'a>,
        /// What it gains, minor units; negative for what it loses.
        pub amount: BalanceMinor,
        /// In which currency.
        pub currency: Due<Currency>,
    }
}

impl<'a> LedgerPosted<'a> {
    /// Its lines in order, each by itself.
    pub fn each(&self) -> impl Iterator<Item = LedgerLine<'a>> {
        let Self { entry_id, booking_id, lines } = self;
        lines.as_slice().iter().map(|Line { account, amount, currency }| LedgerLine {
            entry_id: entry_id.clone(),
            booking_id: booking_id.clone(),
            account: account.clone(),
            amount: *amount,
            currency: *currency,
        })
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
