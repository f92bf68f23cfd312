//! Rows into Parquet files, a row group at a time.
//!
//! Rows wait in plain columns until their table has a row group full, or until all tables together hold more than
//! `WAITING_BYTES_MAX`: then the fullest is written out. So memory does not grow with the journal.

use crate::layout::{DECIMAL_BYTES, EXTENSION, decimal_bytes, properties, schema};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use smc_export::cell::{Cell, Column, Kind, TextBuffer};
use smc_export::export::{Sink, SinkError, TableFile, settle, table_path};
use smc_export::schema::{Id, TABLE_COUNT, TABLES, Table};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group; what others read in one go per thread.
const GROUP_ROWS: usize = 122_880;
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Values that share memory on their way to the library. It keeps the smallest and the largest of every row group
/// until the end, and with them what they share: a whole column would keep the whole journal (measured: 690 MB
/// for 12 million records of 1.4 GB; 42 MB so).
const CHUNK_VALUES: usize = 64;

/// Writes tables as Parquet files into a directory.
pub struct ParquetSink {
    dir: PathBuf,
    files: [Option<TableWriter>; TABLE_COUNT],
    /// Of all files together.
    waiting_bytes: usize,
}

struct TableWriter {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
    columns: Vec<Waiting>,
    waiting_rows: usize,
    waiting_bytes: usize,
    rows: u64,
}

/// The values of one column that wait for their row group.
struct Waiting {
    values: Values,
    /// 1 for a value, 0 for none, of an optional column.
    levels: Option<Vec<i16>>,
}

enum Values {
    Flags(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    /// One behind the other.
    Decimals(Vec<u8>),
    /// One behind the other, and where each ends.
    Bytes(Vec<u8>, Vec<usize>),
}

impl ParquetSink {
    /// Files are made as rows come.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), files: [const { None }; TABLE_COUNT], waiting_bytes: 0 }
    }

    /// Writes out the table that holds most.
    fn relieve(&mut self) -> std::result::Result<(), SinkError> {
        let fullest = self.files.iter_mut().flatten().max_by_key(|file| file.waiting_bytes);
        if let Some(file) = fullest {
            self.waiting_bytes -= file.waiting_bytes;
            file.write_group()?;
        }
        Ok(())
    }
}

impl Sink for ParquetSink {
    fn row(&mut self, id: Id, cells: &[Cell<'_>]) -> std::result::Result<(), SinkError> {
        let slot = &mut self.files[id as usize];
        let file = match slot {
            Some(file) => file,
            None => slot.insert(TableWriter::create(&self.dir, id.table())?),
        };
        self.waiting_bytes += file.push(cells);
        if file.waiting_rows >= GROUP_ROWS {
            self.waiting_bytes -= file.waiting_bytes;
            file.write_group()?;
        }
        if self.waiting_bytes > WAITING_BYTES_MAX {
            self.relieve()?;
        }
        Ok(())
    }

    fn finish(self) -> std::result::Result<Vec<TableFile>, SinkError> {
        let mut out = Vec::new();
        for (file, table) in self.files.into_iter().zip(&TABLES) {
            let Some(mut file) = file else { continue };
            file.write_group()?;
            let TableWriter { path, writer, rows, .. } = file;
            let bytes = writer.into_inner().map_err(io_error).and_then(|file| settle(&file));
            let bytes = bytes.map_err(|error| SinkError { path, error })?;
            out.push(TableFile { id: table.id, file: format!("{}.{EXTENSION}", table.name), rows, bytes });
        }
        Ok(out)
    }
}

impl TableWriter {
    fn create(dir: &Path, table: &'static Table) -> std::result::Result<Self, SinkError> {
        let path = table_path(dir, table.id, EXTENSION);
        let create = || {
            let file = File::create_new(&path)?;
            let schema = Arc::new(schema(table).map_err(io_error)?);
            SerializedFileWriter::new(file, schema, Arc::new(properties(table))).map_err(io_error)
        };
        match create() {
            Ok(writer) => Ok(Self {
                path,
                writer,
                columns: table.columns().map(Waiting::new).collect(),
                waiting_rows: 0,
                waiting_bytes: 0,
                rows: 0,
            }),
            Err(error) => Err(SinkError { path, error }),
        }
    }

    /// Adds a row; says by how many bytes the table grew.
    fn push(&mut self, cells: &[Cell<'_>]) -> usize {
        let grown = self.columns.iter_mut().zip(cells).map(|(column, cell)| column.push(cell)).sum();
        self.waiting_rows += 1;
        self.waiting_bytes += grown;
        self.rows += 1;
        grown
    }

    fn write_group(&mut self) -> std::result::Result<(), SinkError> {
        if self.waiting_rows == 0 {
            return Ok(());
        }
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let mut write = || {
            let mut group = self.writer.next_row_group()?;
            for column in &mut self.columns {
                let writer = group.next_column()?;
                column.write(writer.ok_or_else(|| ParquetError::General("too few columns".into()))?)?;
            }
            group.close().map(drop)
        };
        write().map_err(|error| SinkError { path: self.path.clone(), error: io_error(error) })
    }
}

/// Parquet's own errors as the operating system's, which they mostly are.
fn io_error(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

impl Waiting {
    fn new(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Flag => Values::Flags(Vec::new()),
            Kind::Small | Kind::Code => Values::Int32(Vec::new()),
            Kind::Count | Kind::Signed | Kind::Time => Values::Int64(Vec::new()),
            Kind::Decimal => Values::Decimals(Vec::new()),
            Kind::Word | Kind::Text | Kind::Bytes => Values::Bytes(Vec::new(), Vec::new()),
        };
        Self { values, levels: column.is_nullable.then(Vec::new) }
    }

    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if let Some(levels) = &mut self.levels {
            levels.push(i16::from(*cell != Cell::Null));
            if *cell == Cell::Null {
                return 2;
            }
        }
        self.values.push(cell)
    }

    /// Writes the column of a row group and empties it.
    fn write(&mut self, mut column: SerializedColumnWriter<'_>) -> Result<()> {
        let levels = self.levels.as_deref();
        let misfit = || ParquetError::General("a column of another type".into());
        match (column.untyped(), &mut self.values) {
            (ColumnWriter::BoolColumnWriter(writer), Values::Flags(values)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (ColumnWriter::Int32ColumnWriter(writer), Values::Int32(values)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (ColumnWriter::Int64ColumnWriter(writer), Values::Int64(values)) => {
                writer.write_batch(values, levels, None)?;
                values.clear();
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Values::Decimals(bytes)) => {
                let mut values: Vec<FixedLenByteArray> = Vec::with_capacity(bytes.len() / DECIMAL_BYTES);
                for chunk in bytes.chunks(DECIMAL_BYTES * CHUNK_VALUES) {
                    let all = ByteArray::from(chunk.to_vec());
                    let starts = (0..chunk.len()).step_by(DECIMAL_BYTES);
                    values
                        .extend(starts.map(|start| FixedLenByteArray::from(all.slice(start, DECIMAL_BYTES))));
                }
                bytes.clear();
                writer.write_batch(&values, levels, None)?;
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Values::Bytes(bytes, ends)) => {
                let mut values: Vec<ByteArray> = Vec::with_capacity(ends.len());
                let mut start = 0;
                for chunk in ends.chunks(CHUNK_VALUES) {
                    let end = chunk.last().copied().unwrap_or(start);
                    let all = ByteArray::from(bytes.get(start..end).unwrap_or_default().to_vec());
                    let mut at = start;
                    for end in chunk {
                        values.push(all.slice(at - start, end - at));
                        at = *end;
                    }
                    start = end;
                }
                bytes.clear();
                ends.clear();
                writer.write_batch(&values, levels, None)?;
            }
            _ => return Err(misfit()),
        }
        if let Some(levels) = &mut self.levels {
            levels.clear();
        }
        column.close()
    }
}

impl Values {
    /// Adds a value; says by how many bytes the column grew.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        match (self, cell) {
            (Self::Flags(values), Cell::Flag(flag)) => {
                values.push(*flag);
                1
            }
            // The bits are the number's: what a table calls unsigned is read as unsigned.
            (Self::Int32(values), Cell::Unsigned(number)) => {
                values.push(*number as u32 as i32);
                4
            }
            (Self::Int32(values), Cell::Signed(number)) => {
                values.push(*number as i32);
                4
            }
            (Self::Int64(values), Cell::Unsigned(number) | Cell::Time(number)) => {
                values.push(*number as i64);
                8
            }
            (Self::Int64(values), Cell::Signed(number)) => {
                values.push(*number);
                8
            }
            (Self::Decimals(bytes), Cell::Decimal(units)) => {
                bytes.extend_from_slice(&decimal_bytes(*units));
                DECIMAL_BYTES
            }
            (Self::Bytes(bytes, ends), cell) => {
                let before = bytes.len();
                let mut buffer: TextBuffer = [0; _];
                match cell {
                    Cell::Bytes(value) => bytes.extend_from_slice(value),
                    cell => bytes.extend_from_slice(cell.text(&mut buffer).unwrap_or_default().as_bytes()),
                }
                ends.push(bytes.len());
                bytes.len() - before + size_of::<usize>()
            }
            // A row that does not fit its table would be a fault of the schema, which both sides share.
            (_, cell) => panic!("{cell:?} in a column of another kind"),
        }
    }
}
