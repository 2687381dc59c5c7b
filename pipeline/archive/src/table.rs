//! Columns of one row group in memory: values of one kind each, and in which rows they are.

use bytes::Bytes;
use parquet::data_type::ByteArray;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// BOOLEAN.
    Bool,
    /// INT64.
    Int,
    /// INT64 that rises from row to row.
    Rising,
    /// DOUBLE.
    Double,
    /// TIMESTAMP in ms, UTC.
    Time,
    /// UTF-8.
    Text,
}

/// A column's name and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether every row has a value.
    pub(crate) required: bool,
}

impl Spec {
    pub(crate) fn required(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, required: true }
    }

    pub(crate) fn optional(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), kind, required: false }
    }
}

/// The values of a column that are there, in the order of their rows.
#[derive(Debug)]
pub(crate) enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Double(Vec<f64>),
    Text(Vec<ByteArray>),
}

impl Values {
    pub(crate) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::Int | Kind::Rising | Kind::Time => Self::Int(Vec::new()),
            Kind::Double => Self::Double(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Double(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Bool(values) => values.clear(),
            Self::Int(values) => values.clear(),
            Self::Double(values) => values.clear(),
            Self::Text(values) => values.clear(),
        }
    }
}

/// One column of some rows.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) values: Values,
    /// Of each row up to the last that has a value: 1 where it has one.
    pub(crate) there: Vec<i16>,
}

/// Rows that are not written yet.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) specs: &'static [Spec],
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: usize,
}

impl Table {
    pub(crate) fn new(specs: &'static [Spec]) -> Self {
        let columns = specs.iter().map(|spec| Column { values: Values::of(spec.kind), there: Vec::new() }).collect();
        Self { specs, columns, rows: 0 }
    }

    /// Begins the next row.
    pub(crate) fn begin(&mut self) {
        self.rows += 1;
    }

    pub(crate) fn bool(&mut self, column: usize, value: bool) {
        if let Some(Values::Bool(values)) = self.place(column) {
            values.push(value);
        }
    }

    pub(crate) fn int(&mut self, column: usize, value: i64) {
        if let Some(Values::Int(values)) = self.place(column) {
            values.push(value);
        }
    }

    pub(crate) fn double(&mut self, column: usize, value: f64) {
        if let Some(Values::Double(values)) = self.place(column) {
            values.push(value);
        }
    }

    pub(crate) fn text(&mut self, column: usize, value: &str) {
        if let Some(Values::Text(values)) = self.place(column) {
            values.push(ByteArray::from(Bytes::copy_from_slice(value.as_bytes())));
        }
    }

    /// The values of a column, whose next is the newest row's.
    fn place(&mut self, column: usize) -> Option<&mut Values> {
        let rows = self.rows;
        let column = self.columns.get_mut(column)?;
        column.there.resize(rows - 1, 0);
        column.there.push(1);
        Some(&mut column.values)
    }

    /// Says of every column about every row whether it has a value.
    pub(crate) fn end(&mut self) {
        for column in &mut self.columns {
            column.there.resize(self.rows, 0);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            column.values.clear();
            column.there.clear();
        }
    }
}
