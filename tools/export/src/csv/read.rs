//! The way back from CSV: rows of fields, then cells of the table's columns.
//!
//! Trusts nothing: what is not exactly a value of its column is refused with file, row and column.

use super::{BUFFER_BYTES, EXTENSION, header};
use crate::cell::{Cell, CellError, Column, Kind};
use crate::error::RestoreError;
use crate::export::table_path;
use crate::restore::{Rows, Tables, TakeRow};
use crate::schema::{COLUMNS_MAX, Id, Table};
use smc_core::Price;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// No row of an export is longer; a file without line ends is refused before it fills the memory.
const ROW_BYTES_MAX: usize = 1 << 30;

/// The CSV files of an export.
pub struct CsvTables {
    dir: PathBuf,
}

impl CsvTables {
    /// The export in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }
}

impl Tables for CsvTables {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn extension(&self) -> &'static str {
        EXTENSION
    }

    fn open(&mut self, id: Id) -> Result<Option<Box<dyn Rows>>, RestoreError> {
        let path = table_path(&self.dir, id, EXTENSION);
        match File::open(&path) {
            Ok(file) => {
                let input = BufReader::with_capacity(BUFFER_BYTES, file);
                CsvRows::new(input, path, id.table()).map(|rows| Some(Box::new(rows) as Box<dyn Rows>))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RestoreError::Io { path, error }),
        }
    }
}

/// Reads the rows of one file.
struct CsvRows<R> {
    input: R,
    path: PathBuf,
    table: &'static Table,
    /// Line of the file at which the present row begins, from 1.
    line: u64,
    lines_read: u64,
    row: Fields,
}

/// The fields of one row, quotes undone.
#[derive(Default)]
struct Fields {
    text: Vec<u8>,
    /// For each field: where it ends in `text`, and whether it was quoted.
    ends: Vec<(usize, bool)>,
}

impl<R: BufRead> CsvRows<R> {
    fn new(input: R, path: PathBuf, table: &'static Table) -> Result<Self, RestoreError> {
        let mut rows = Self { input, path, table, line: 1, lines_read: 0, row: Fields::default() };
        let is_there = rows.read_fields()?;
        let mut names = table.columns().map(|column| column.name.as_bytes());
        let is_header = is_there && rows.row.iter().all(|(name, _)| names.next() == Some(name));
        if !is_header || names.next().is_some() {
            return Err(rows.problem(format!("the header is not `{}`", header(table))));
        }
        Ok(rows)
    }

    /// Reads one row; false at the end of the file.
    fn read_fields(&mut self) -> Result<bool, RestoreError> {
        self.line = self.lines_read + 1;
        let read = self.row.read(&mut self.input);
        let (lines, state) = read.map_err(|error| RestoreError::Io { path: self.path.clone(), error })?;
        self.lines_read += lines;
        match state {
            RowState::Whole => Ok(true),
            RowState::End => Ok(false),
            RowState::Bad(problem) => Err(self.problem(problem.to_owned())),
        }
    }

    fn problem(&self, problem: String) -> RestoreError {
        RestoreError::Row { path: self.path.clone(), at: self.line, problem }
    }
}

impl<R: BufRead> Rows for CsvRows<R> {
    fn next(&mut self, take: &mut TakeRow<'_>) -> Result<bool, RestoreError> {
        if !self.read_fields()? {
            return Ok(false);
        }
        let width = self.table.width();
        if self.row.ends.len() != width {
            let found = self.row.ends.len();
            return Err(self.problem(format!("{found} fields where {width} were expected")));
        }
        let mut bytes = Vec::new();
        let bad = match self.row.cells(self.table, &mut bytes) {
            Err(error) => Some(error),
            Ok(cells) => take(cells.get(..width).unwrap_or(&cells)).err(),
        };
        match bad {
            None => Ok(true),
            Some(CellError { column }) => {
                let name = self.table.columns().nth(column).map_or("?", |column| column.name);
                let field = self.row.iter().nth(column).map_or(&b""[..], |(field, _)| field);
                let text = String::from_utf8_lossy(field.get(..40).unwrap_or(field));
                Err(self.problem(format!("`{text}` is no value of column {name}")))
            }
        }
    }
}

enum RowState {
    Whole,
    End,
    Bad(&'static str),
}

impl Fields {
    fn iter(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut from = 0;
        self.ends.iter().map(move |&(end, is_quoted)| {
            let field = self.text.get(from..end).unwrap_or_default();
            from = end;
            (field, is_quoted)
        })
    }

    /// Reads up to the end of a row; says how many line feeds were passed.
    fn read(&mut self, input: &mut impl BufRead) -> io::Result<(u64, RowState)> {
        self.text.clear();
        self.ends.clear();
        let mut state = Place::FieldStart;
        let mut is_quoted = false;
        let mut lines = 0;
        loop {
            let chunk = input.fill_buf()?;
            if chunk.is_empty() {
                return Ok((lines, self.at_end(state, is_quoted)));
            }
            let mut used = 0;
            for &byte in chunk {
                used += 1;
                lines += u64::from(byte == b'\n');
                match (state, byte) {
                    (Place::FieldStart, b'"') => (state, is_quoted) = (Place::Quoted, true),
                    (Place::Quoted, b'"') => state = Place::QuoteSeen,
                    (Place::Quoted, byte) => self.text.push(byte),
                    (Place::QuoteSeen, b'"') => {
                        self.text.push(b'"');
                        state = Place::Quoted;
                    }
                    (Place::FieldStart | Place::Plain | Place::QuoteSeen, b',') => {
                        self.ends.push((self.text.len(), std::mem::take(&mut is_quoted)));
                        state = Place::FieldStart;
                    }
                    (_, b'\n') => {
                        self.ends.push((self.text.len(), is_quoted));
                        input.consume(used);
                        return Ok((lines, RowState::Whole));
                    }
                    // A carriage return that a line feed must follow: other programs end lines so.
                    (Place::FieldStart | Place::Plain | Place::QuoteSeen, b'\r') => state = Place::Return,
                    (Place::Plain, b'"') => {
                        return Ok((lines, RowState::Bad("a quote within a field")));
                    }
                    (Place::FieldStart | Place::Plain, byte) => {
                        self.text.push(byte);
                        state = Place::Plain;
                    }
                    (Place::QuoteSeen, _) => {
                        return Ok((lines, RowState::Bad("text behind a closing quote")));
                    }
                    (Place::Return, _) => {
                        return Ok((lines, RowState::Bad("a carriage return within a field")));
                    }
                }
            }
            input.consume(used);
            if self.text.len() > ROW_BYTES_MAX {
                return Ok((lines, RowState::Bad("the row does not end")));
            }
        }
    }

    fn at_end(&mut self, state: Place, is_quoted: bool) -> RowState {
        match state {
            Place::Quoted => RowState::Bad("the file ends within quotes"),
            Place::FieldStart if self.ends.is_empty() => RowState::End,
            _ => {
                self.ends.push((self.text.len(), is_quoted));
                RowState::Whole
            }
        }
    }

    /// The fields as cells of a table's columns; `bytes` is where hexadecimal text is undone.
    fn cells<'a>(
        &'a self,
        table: &'static Table,
        bytes: &'a mut Vec<u8>,
    ) -> Result<[Cell<'a>; COLUMNS_MAX], CellError> {
        let mut out = [Cell::Null; COLUMNS_MAX];
        let mut ranges: [Option<std::ops::Range<usize>>; COLUMNS_MAX] = [const { None }; _];
        for (at, ((field, is_quoted), column)) in self.iter().zip(table.columns()).enumerate() {
            let wrong = CellError { column: at };
            if column.kind == Kind::Bytes {
                let from = bytes.len();
                read_hex(field, bytes).ok_or(wrong)?;
                ranges[at] = Some(from..bytes.len());
            } else {
                out[at] = read_cell(field, is_quoted, column).ok_or(wrong)?;
            }
        }
        for (cell, range) in out.iter_mut().zip(ranges) {
            if let Some(range) = range {
                *cell = Cell::Bytes(bytes.get(range).unwrap_or_default());
            }
        }
        Ok(out)
    }
}

/// Where in a row the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quote within quotes: the end of the field, or half of a quote that is text.
    QuoteSeen,
    Return,
}

fn read_cell<'a>(field: &'a [u8], is_quoted: bool, column: &Column) -> Option<Cell<'a>> {
    if field.is_empty() && !is_quoted {
        return column.is_nullable.then_some(Cell::Null);
    }
    let text = core::str::from_utf8(field).ok()?;
    Some(match column.kind {
        Kind::Small | Kind::Count => Cell::Unsigned(read_digits(text)?),
        Kind::Time => Cell::Time(read_digits(text)?),
        Kind::Code | Kind::Signed => Cell::Signed(text.parse().ok()?),
        Kind::Decimal => Cell::Decimal(read_decimal(text)?),
        Kind::Flag => Cell::Flag(text.parse().ok()?),
        Kind::Word | Kind::Text => Cell::Text(text.strip_prefix('\'').unwrap_or(text)),
        Kind::Bytes => return None,
    })
}

/// Digits alone: `parse` would take a plus sign too.
fn read_digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn read_decimal(text: &str) -> Option<i64> {
    // The one number whose magnitude `Price::parse` cannot hold.
    if text == "-92233720368.54775808" {
        return Some(i64::MIN);
    }
    Price::parse(text.as_bytes()).ok().map(|price| price.0)
}

fn read_hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for [high, low] in pairs {
        out.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(())
}
