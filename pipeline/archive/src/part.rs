//! One part: a Parquet file of the rows of one hour and one family.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use crate::error::Error;
use crate::table::{Kind, Spec, Table, Values};

/// Largest page of a dictionary, bytes: a column of names of which most are different gains nothing by one.
const DICTIONARY_MAX: usize = 256 << 10;

/// Counts and hashes what goes through.
struct Hashed {
    file: BufWriter<File>,
    hash: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A part on its way.
pub(crate) struct PartWriter {
    path: PathBuf,
    file: SerializedFileWriter<Hashed>,
    pub(crate) table: Table,
    rows: u64,
    first: u64,
    last: u64,
}

/// A part that is whole, and may be synced.
pub(crate) struct Whole {
    pub(crate) file: File,
    pub(crate) rows: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bytes: u64,
    pub(crate) blake3: String,
}

impl PartWriter {
    /// Of those columns, at `path`.
    pub(crate) fn create(path: PathBuf, specs: &'static [Spec], compressed: bool) -> std::result::Result<Self, Error> {
        let file = File::create(&path).map_err(Error::io(&path))?;
        let hashed = Hashed { file: BufWriter::new(file), hash: blake3::Hasher::new(), bytes: 0 };
        let made = schema(specs).and_then(|schema| SerializedFileWriter::new(hashed, schema, properties(specs, compressed)?));
        let file = made.map_err(Error::parquet(&path))?;
        Ok(Self { path, file, table: Table::new(specs), rows: 0, first: 0, last: 0 })
    }

    /// Begins the row of a position, which is behind all others.
    pub(crate) fn begin(&mut self, position: u64) -> &mut Table {
        if self.rows == 0 {
            self.first = position;
        }
        (self.rows, self.last) = (self.rows + 1, position);
        self.table.begin();
        self.table.int(0, position.cast_signed());
        &mut self.table
    }

    /// Writes what is there as a row group, if it is so many rows.
    pub(crate) fn flush(&mut self, rows: usize) -> std::result::Result<(), Error> {
        if self.table.rows == 0 || self.table.rows < rows {
            return Ok(());
        }
        self.table.end();
        group(&mut self.file, &self.table).map_err(Error::parquet(&self.path))?;
        self.table.clear();
        Ok(())
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self) -> std::result::Result<Whole, Error> {
        self.flush(1)?;
        let Self { path, file, rows, first, last, .. } = self;
        let Hashed { file, hash, bytes } = file.into_inner().map_err(Error::parquet(&path))?;
        let file = file.into_inner().map_err(|error| Error::io(&path)(error.into_error()))?;
        Ok(Whole { file, rows, first, last, bytes, blake3: hash.finalize().to_hex().to_string() })
    }
}

fn schema(specs: &[Spec]) -> Result<TypePtr> {
    let column = |spec: &Spec| {
        let (physical, logical) = match spec.kind {
            Kind::Bool => (Physical::BOOLEAN, None),
            Kind::Int | Kind::Rising => (Physical::INT64, None),
            Kind::Double => (Physical::DOUBLE, None),
            Kind::Time => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = if spec.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let converted = match spec.kind {
            Kind::Time => ConvertedType::TIMESTAMP_MILLIS,
            Kind::Text => ConvertedType::UTF8,
            _ => ConvertedType::NONE,
        };
        let builder = Type::primitive_type_builder(&spec.name, physical).with_repetition(repetition);
        builder.with_converted_type(converted).with_logical_type(logical).build().map(Arc::new)
    };
    let fields = specs.iter().map(column).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Type::group_type_builder("event").with_fields(fields).build()?))
}

fn properties(specs: &[Spec], compressed: bool) -> Result<WriterPropertiesPtr> {
    let compression = if compressed { Compression::ZSTD(ZstdLevel::try_new(3)?) } else { Compression::UNCOMPRESSED };
    let mut builder = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_page_size_limit(DICTIONARY_MAX)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(format!("rasid {}", env!("CARGO_PKG_VERSION")));
    for spec in specs.iter().filter(|spec| matches!(spec.kind, Kind::Rising | Kind::Time)) {
        let path = ColumnPath::new(vec![spec.name.clone()]);
        builder = builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    Ok(Arc::new(builder.build()))
}

fn group(file: &mut SerializedFileWriter<Hashed>, table: &Table) -> Result<()> {
    let mut group = file.next_row_group()?;
    for (spec, column) in table.specs.iter().zip(&table.columns) {
        let mut writer = group.next_column()?.ok_or_else(|| ParquetError::General(format!("no column for `{}`", spec.name)))?;
        let there = (!spec.required).then_some(column.there.as_slice());
        match &column.values {
            Values::Bool(values) => writer.typed::<BoolType>().write_batch(values, there, None)?,
            Values::Int(values) => writer.typed::<Int64Type>().write_batch(values, there, None)?,
            Values::Double(values) => writer.typed::<DoubleType>().write_batch(values, there, None)?,
            Values::Text(values) => writer.typed::<ByteArrayType>().write_batch(values, there, None)?,
        };
        writer.close()?;
    }
    group.close()?;
    Ok(())
}

/// A column of a row group that was read.
pub(crate) struct Read {
    values: Values,
    /// Of each row where in `values` its value is; [`u32::MAX`] where it has none.
    places: Vec<u32>,
}

impl Read {
    fn place(&self, row: usize) -> Option<usize> {
        self.places.get(row).filter(|place| **place != u32::MAX).and_then(|place| usize::try_from(*place).ok())
    }
}

/// Rows of a row group: columns that were asked for and are there, by their index among the family's.
pub(crate) struct Rows {
    columns: Vec<Option<Read>>,
    pub(crate) count: usize,
}

impl Rows {
    fn read(&self, column: usize, row: usize) -> Option<(&Values, usize)> {
        let read = self.columns.get(column)?.as_ref()?;
        Some((&read.values, read.place(row)?))
    }

    pub(crate) fn bool(&self, column: usize, row: usize) -> Option<bool> {
        match self.read(column, row)? {
            (Values::Bool(values), place) => values.get(place).copied(),
            _ => None,
        }
    }

    pub(crate) fn int(&self, column: usize, row: usize) -> Option<i64> {
        match self.read(column, row)? {
            (Values::Int(values), place) => values.get(place).copied(),
            _ => None,
        }
    }

    pub(crate) fn double(&self, column: usize, row: usize) -> Option<f64> {
        match self.read(column, row)? {
            (Values::Double(values), place) => values.get(place).copied(),
            _ => None,
        }
    }

    pub(crate) fn text(&self, column: usize, row: usize) -> Option<&str> {
        match self.read(column, row)? {
            (Values::Text(values), place) => values.get(place).and_then(|text| text.as_utf8().ok()),
            _ => None,
        }
    }
}

/// A part that is read, a row group at a time.
pub(crate) struct PartReader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    specs: &'static [Spec],
    /// Of each column of the family which of the file's it is; `None` where the file has none of that name.
    columns: Vec<Option<usize>>,
    next: usize,
}

impl PartReader {
    /// The part at `path`, of those columns.
    pub(crate) fn open(path: &Path, specs: &'static [Spec]) -> std::result::Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let file = SerializedFileReader::new(file).map_err(Error::parquet(path))?;
        let theirs = file.metadata().file_metadata().schema_descr_ptr();
        let place = |spec: &Spec| theirs.columns().iter().position(|column| column.name() == spec.name && column.path().parts().len() == 1);
        let columns = specs.iter().map(place).collect();
        Ok(Self { path: path.to_owned(), file, specs, columns, next: 0 })
    }

    /// Reads the first `count` of them alone.
    pub(crate) fn only(mut self, count: usize) -> Self {
        self.columns.truncate(count);
        self
    }

    /// Columns of the family that the file has not.
    pub(crate) fn lacks(&self) -> impl Iterator<Item = &'static str> {
        self.specs.iter().zip(&self.columns).filter(|(_, place)| place.is_none()).map(|(spec, _)| spec.name.as_str())
    }

    /// The next row group.
    pub(crate) fn next(&mut self) -> std::result::Result<Option<Rows>, Error> {
        if self.next >= self.file.num_row_groups() {
            return Ok(None);
        }
        let rows = self.group().map_err(Error::parquet(&self.path))?;
        self.next += 1;
        Ok(Some(rows))
    }

    fn group(&self) -> Result<Rows> {
        let group = self.file.get_row_group(self.next)?;
        let count = usize::try_from(group.metadata().num_rows()).map_err(|error| ParquetError::External(Box::new(error)))?;
        let column = |(spec, place): (&Spec, &Option<usize>)| {
            let Some(place) = place else { return Ok(None) };
            read(group.get_column_reader(*place)?, spec, count).map(Some)
        };
        Ok(Rows { columns: self.specs.iter().zip(&self.columns).map(column).collect::<Result<_>>()?, count })
    }
}

fn read(reader: ColumnReader, spec: &Spec, count: usize) -> Result<Read> {
    fn all<T: parquet::data_type::DataType>(mut reader: ColumnReaderImpl<T>, there: &mut Vec<i16>, count: usize) -> Result<Vec<T::T>> {
        let mut values = Vec::with_capacity(count);
        let (records, ..) = reader.read_records(count, Some(there), None, &mut values)?;
        if records == count { Ok(values) } else { Err(ParquetError::General(format!("{records} rows of a column, expected {count}"))) }
    }
    let mut there = Vec::with_capacity(count);
    let values = match (Values::of(spec.kind), reader) {
        (Values::Bool(_), ColumnReader::BoolColumnReader(reader)) => Values::Bool(all(reader, &mut there, count)?),
        (Values::Int(_), ColumnReader::Int64ColumnReader(reader)) => Values::Int(all(reader, &mut there, count)?),
        (Values::Double(_), ColumnReader::DoubleColumnReader(reader)) => Values::Double(all(reader, &mut there, count)?),
        (Values::Text(_), ColumnReader::ByteArrayColumnReader(reader)) => Values::Text(all(reader, &mut there, count)?),
        _ => return Err(ParquetError::General(format!("the column `{}` is of another type than {:?}", spec.name, spec.kind))),
    };
    let mut next = 0;
    let mut place = |is_there: bool| {
        let place = if is_there { next } else { u32::MAX };
        next += u32::from(is_there);
        place
    };
    let places: Vec<u32> =
        if there.is_empty() { (0..count).map(|_| place(true)).collect() } else { there.iter().map(|level| place(*level > 0)).collect() };
    if next as usize == values.len() && places.len() == count {
        Ok(Read { values, places })
    } else {
        Err(ParquetError::General(format!("{} values of the column `{}`, expected {next}", values.len(), spec.name)))
    }
}
