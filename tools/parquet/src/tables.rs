//! The Parquet files of an export, for the way back.

use crate::layout::{EXTENSION, decimal_units, logical, physical};
use crate::reader::{FlatReader, ReadError, Value};
use parquet::schema::types::ColumnDescriptor;
use smc_export::RestoreError;
use smc_export::cell::{Cell, CellError, Column, Kind};
use smc_export::export::table_path;
use smc_export::restore::{Rows, Tables, TakeRow};
use smc_export::schema::{COLUMNS_MAX, Id, Table};
use std::path::{Path, PathBuf};

/// The export in a directory.
pub struct ParquetTables {
    dir: PathBuf,
}

/// The rows of one file.
struct ParquetRows {
    reader: FlatReader,
    table: &'static Table,
    path: PathBuf,
    row: u64,
}

impl ParquetTables {
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl Tables for ParquetTables {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn extension(&self) -> &'static str {
        EXTENSION
    }

    fn open(&mut self, id: Id) -> Result<Option<Box<dyn Rows>>, RestoreError> {
        let path = table_path(&self.dir, id, EXTENSION);
        if !path.exists() {
            return Ok(None);
        }
        ParquetRows::open(path, id.table()).map(|rows| Some(Box::new(rows) as Box<dyn Rows>))
    }
}

impl ParquetRows {
    fn open(path: PathBuf, table: &'static Table) -> Result<Self, RestoreError> {
        let reader = match FlatReader::open(&path) {
            Ok(reader) => reader,
            Err(error) => return Err(unreadable(&path, 0, &error)),
        };
        let mut stored = reader.schema().columns().iter();
        let misfit = table
            .columns()
            .find(|column| !stored.next().is_some_and(|stored| fits(stored, column)))
            .map(|column| column.name);
        let misfit = misfit.or_else(|| stored.next().map(|_| "(one too many)"));
        if let Some(name) = misfit {
            let problem = format!("column {name} is not as this version writes it");
            return Err(RestoreError::Row { path, at: 0, problem });
        }
        Ok(Self { reader, table, path, row: 0 })
    }
}

impl Rows for ParquetRows {
    fn next(&mut self, take: &mut TakeRow<'_>) -> Result<bool, RestoreError> {
        self.row += 1;
        if !self.reader.next_row().map_err(|error| unreadable(&self.path, self.row, &error))? {
            return Ok(false);
        }
        let mut cells = [Cell::Null; COLUMNS_MAX];
        let mut bad = None;
        for (at, (cell, column)) in cells.iter_mut().zip(self.table.columns()).enumerate() {
            match cell_of(column.kind, self.reader.value(at)) {
                Some(value) => *cell = value,
                None => bad = bad.or(Some(CellError { column: at })),
            }
        }
        let bad = bad.or_else(|| take(cells.get(..self.table.width()).unwrap_or(&cells)).err());
        let Some(CellError { column }) = bad else { return Ok(true) };
        let name = self.table.columns().nth(column).map_or("?", |column| column.name);
        let problem = format!("the value of column {name} is none");
        Err(RestoreError::Row { path: self.path.clone(), at: self.row, problem })
    }
}

fn unreadable(path: &Path, row: u64, error: &ReadError) -> RestoreError {
    RestoreError::Row { path: path.to_owned(), at: row, problem: error.to_string() }
}

/// The column is stored as the schema says.
fn fits(stored: &ColumnDescriptor, column: &Column) -> bool {
    stored.name() == column.name
        && stored.physical_type() == physical(column.kind)
        && stored.logical_type_ref() == logical(column.kind).as_ref()
        && (stored.max_def_level() > 0) == column.is_nullable
}

/// A stored value as a cell of its column. The bits of unsigned numbers and times are the number's.
fn cell_of(kind: Kind, value: Value<'_>) -> Option<Cell<'_>> {
    Some(match (kind, value) {
        (_, Value::Null) => Cell::Null,
        (Kind::Small, Value::Int32(bits)) => Cell::Unsigned(u64::from(bits as u32)),
        (Kind::Code, Value::Int32(number)) => Cell::Signed(i64::from(number)),
        (Kind::Count, Value::Int64(bits)) => Cell::Unsigned(bits as u64),
        (Kind::Time, Value::Int64(bits)) => Cell::Time(bits as u64),
        (Kind::Signed, Value::Int64(number)) => Cell::Signed(number),
        (Kind::Decimal, Value::Bytes(bytes)) => Cell::Decimal(decimal_units(bytes)?),
        (Kind::Flag, Value::Flag(flag)) => Cell::Flag(flag),
        (Kind::Word | Kind::Text, Value::Bytes(bytes)) => Cell::Text(core::str::from_utf8(bytes).ok()?),
        (Kind::Bytes, Value::Bytes(bytes)) => Cell::Bytes(bytes),
        _ => return None,
    })
}
