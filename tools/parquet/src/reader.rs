//! A flat Parquet file row by row: batches of every column, side by side.

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 1_024;

/// Why a file cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The library's answer: no such file, no Parquet, damaged, a compression that is not built in.
    Parquet(ParquetError),
    /// The library panicked: it asserts things that a damaged file need not hold.
    Damaged {
        /// What it said.
        text: String,
    },
    /// A column is a list, a map or a group.
    Nested {
        /// Its path.
        column: String,
    },
    /// A column does not hold what its row group says.
    Ragged {
        /// Which.
        column: String,
    },
}

/// A value as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// None.
    Null,
    Flag(bool),
    Int32(i32),
    Int64(i64),
    /// Nanoseconds of the day, and the Julian day.
    Int96(&'a Int96),
    Float(f32),
    Double(f64),
    Bytes(&'a [u8]),
}

/// A file being read.
pub struct FlatReader {
    file: SerializedFileReader<File>,
    groups_read: usize,
    group_rows_left: usize,
    columns: Vec<Batch>,
    batch_rows: usize,
    /// Row of the batch that `value` answers about, plus one.
    row: usize,
}

/// What was decoded of one column.
struct Batch {
    /// `None` before the first row group.
    reader: Option<ColumnReader>,
    values: Values,
    levels: Vec<i16>,
    is_optional: bool,
    /// Of the present row: where its value is, if it has one.
    at: usize,
    /// Values of the rows before it.
    passed: usize,
    is_null: bool,
}

enum Values {
    Flags(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

impl FlatReader {
    /// Opens a file; refuses one with nested columns.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|error| ReadError::Parquet(error.into()))?;
        let file = guarded(|| Ok(SerializedFileReader::new(file)?))?;
        let mut columns = Vec::new();
        for column in file.metadata().file_metadata().schema_descr().columns() {
            if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
                return Err(ReadError::Nested { column: column.path().string() });
            }
            columns.push(Batch::new(column));
        }
        Ok(Self { file, groups_read: 0, group_rows_left: 0, columns, batch_rows: 0, row: 0 })
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaDescriptor {
        self.file.metadata().file_metadata().schema_descr()
    }

    /// Goes on to the next row; false at the end.
    pub fn next_row(&mut self) -> Result<bool, ReadError> {
        while self.row == self.batch_rows {
            if self.group_rows_left == 0 && !guarded(|| self.next_group())? {
                return Ok(false);
            }
            guarded(|| self.next_batch())?;
        }
        for column in &mut self.columns {
            column.enter(self.row);
        }
        self.row += 1;
        Ok(true)
    }

    /// The value of a column in the present row.
    pub fn value(&self, column: usize) -> Value<'_> {
        self.columns.get(column).map_or(Value::Null, Batch::value)
    }

    fn next_group(&mut self) -> Result<bool, ReadError> {
        if self.groups_read == self.file.num_row_groups() {
            return Ok(false);
        }
        let group = self.file.get_row_group(self.groups_read)?;
        for (nth, column) in self.columns.iter_mut().enumerate() {
            column.reader = Some(group.get_column_reader(nth)?);
        }
        self.group_rows_left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.groups_read += 1;
        Ok(true)
    }

    fn next_batch(&mut self) -> Result<(), ReadError> {
        let rows = self.group_rows_left.min(BATCH_ROWS);
        for nth in 0..self.columns.len() {
            let got = match self.columns.get_mut(nth) {
                Some(column) => column.read(rows)?,
                None => 0,
            };
            if got != rows {
                return Err(ReadError::Ragged { column: self.schema().column(nth).name().to_owned() });
            }
        }
        (self.batch_rows, self.row) = (rows, 0);
        self.group_rows_left -= rows;
        Ok(())
    }
}

impl Batch {
    fn new(column: &ColumnDescriptor) -> Self {
        let values = match column.physical_type() {
            Physical::BOOLEAN => Values::Flags(Vec::new()),
            Physical::INT32 => Values::Int32(Vec::new()),
            Physical::INT64 => Values::Int64(Vec::new()),
            Physical::INT96 => Values::Int96(Vec::new()),
            Physical::FLOAT => Values::Floats(Vec::new()),
            Physical::DOUBLE => Values::Doubles(Vec::new()),
            Physical::BYTE_ARRAY => Values::Bytes(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY => Values::Fixed(Vec::new()),
        };
        let is_optional = column.max_def_level() > 0;
        Self { reader: None, values, levels: Vec::new(), is_optional, at: 0, passed: 0, is_null: false }
    }

    /// Decodes up to `rows` rows; says how many there were.
    fn read(&mut self, rows: usize) -> Result<usize, ReadError> {
        let Some(reader) = &mut self.reader else { return Ok(0) };
        (self.at, self.passed) = (0, 0);
        let levels = &mut self.levels;
        let (got, values) = match (reader, &mut self.values) {
            (ColumnReader::BoolColumnReader(reader), Values::Flags(out)) => read(reader, rows, levels, out)?,
            (ColumnReader::Int32ColumnReader(reader), Values::Int32(out)) => read(reader, rows, levels, out)?,
            (ColumnReader::Int64ColumnReader(reader), Values::Int64(out)) => read(reader, rows, levels, out)?,
            (ColumnReader::Int96ColumnReader(reader), Values::Int96(out)) => read(reader, rows, levels, out)?,
            (ColumnReader::FloatColumnReader(reader), Values::Floats(out)) => {
                read(reader, rows, levels, out)?
            }
            (ColumnReader::DoubleColumnReader(reader), Values::Doubles(out)) => {
                read(reader, rows, levels, out)?
            }
            (ColumnReader::ByteArrayColumnReader(reader), Values::Bytes(out)) => {
                read(reader, rows, levels, out)?
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Fixed(out)) => {
                read(reader, rows, levels, out)?
            }
            // The reader and the values were made from the same column.
            _ => (0, 0),
        };
        // A damaged file may have fewer values than rows that claim one.
        let claimed =
            if self.is_optional { self.levels.iter().filter(|level| **level > 0).count() } else { got };
        Ok(if claimed == values { got } else { 0 })
    }

    fn enter(&mut self, row: usize) {
        self.is_null = self.is_optional && self.levels.get(row).is_none_or(|level| *level == 0);
        self.at = self.passed;
        self.passed += usize::from(!self.is_null);
    }

    fn value(&self) -> Value<'_> {
        if self.is_null {
            return Value::Null;
        }
        let value = match &self.values {
            Values::Flags(values) => values.get(self.at).copied().map(Value::Flag),
            Values::Int32(values) => values.get(self.at).copied().map(Value::Int32),
            Values::Int64(values) => values.get(self.at).copied().map(Value::Int64),
            Values::Int96(values) => values.get(self.at).map(Value::Int96),
            Values::Floats(values) => values.get(self.at).copied().map(Value::Float),
            Values::Doubles(values) => values.get(self.at).copied().map(Value::Double),
            Values::Bytes(values) => values.get(self.at).map(|value| Value::Bytes(value.data())),
            Values::Fixed(values) => values.get(self.at).map(|value| Value::Bytes(value.data())),
        };
        // As many values as claimed were counted when the batch was read.
        value.unwrap_or(Value::Null)
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    levels: &mut Vec<i16>,
    out: &mut Vec<T::T>,
) -> Result<(usize, usize), ReadError> {
    levels.clear();
    out.clear();
    let (mut rows_got, mut values_got) = (0, 0);
    // One call ends at the end of a page.
    while rows_got < rows {
        let (records, values, _) = reader.read_records(rows - rows_got, Some(levels), None, out)?;
        if records == 0 {
            break;
        }
        rows_got += records;
        values_got += values;
    }
    Ok((rows_got, values_got))
}

thread_local! {
    /// The library is at work on a file: its panics are about the file.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics that [`guarded`] turns into errors from being told twice. Called once, first.
pub fn quiet_guarded_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !IS_GUARDED.get() || cfg!(panic = "abort") {
            before(info);
        }
    }));
}

/// Runs the library on bytes that may be damaged. What it leaves behind after a panic is not used again.
fn guarded<T>(work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    IS_GUARDED.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(false);
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(ReadError::Damaged { text: text.unwrap_or_default().replace('\n', " ") })
    })
}

impl From<ParquetError> for ReadError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parquet(ParquetError::External(error)) => error.fmt(f),
            Self::Parquet(error) => error.fmt(f),
            Self::Damaged { text } => write!(f, "damaged: {text}"),
            Self::Nested { column } => write!(f, "column {column} is nested; only flat files have rows"),
            Self::Ragged { column } => write!(f, "column {column} does not hold what its row group says"),
        }
    }
}
