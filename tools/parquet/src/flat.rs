//! Any flat Parquet file as CSV on standard output, every value exact.
//!
//! Whole numbers, decimals and the shortest text of floating-point numbers that reads back; times of day and
//! timestamps of any unit as whole nanoseconds (since midnight, since 1970); dates as `YYYY-MM-DD`; bytes that
//! are no text as hexadecimal. Absent values are empty, an empty text is `""`. What has no such text is refused by
//! name. Unlike in an export, texts are not marked against spreadsheets: this is for programs.

use crate::reader::{FlatReader, ReadError, Value};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::ColumnDescriptor;
use smc_export::csv::write_quoted;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const BUFFER_BYTES: usize = 256 << 10;
const NS_PER_DAY: i128 = 86_400_000_000_000;
/// Julian day of 1970-01-01.
const EPOCH_JULIAN_DAY: i128 = 2_440_588;

/// Why a file was not printed.
#[derive(Debug)]
pub enum FlatError {
    /// It cannot be read.
    Read(ReadError),
    /// A column has no text.
    Column {
        /// Its name.
        column: String,
        /// What it holds.
        what: String,
    },
    /// A value has no text.
    Value {
        /// Its column.
        column: String,
        /// Row, from 1.
        row: u64,
    },
    /// Standard output.
    Out(io::Error),
}

/// How a column's values become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As the value is stored.
    Plain,
    Unsigned,
    /// Digits behind the point.
    Decimal(u32),
    /// Nanoseconds in one unit.
    Time(i128),
    Date,
    Text,
    Hex,
    Uuid,
}

/// Prints the file. A reader of our output that has seen enough is no error.
pub fn print(path: &Path) -> Result<(), FlatError> {
    let out = BufWriter::with_capacity(BUFFER_BYTES, io::stdout().lock());
    match write(path, out) {
        Err(FlatError::Out(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn write(path: &Path, mut out: impl Write) -> Result<(), FlatError> {
    let mut reader = FlatReader::open(path)?;
    let columns = reader.schema().columns();
    let forms: Vec<Form> = columns.iter().map(|column| form_of(column)).collect::<Result<_, _>>()?;
    let names: Vec<String> = columns.iter().map(|column| column.name().to_owned()).collect();
    let mut line = Vec::new();
    for (nth, name) in names.iter().enumerate() {
        separate(&mut line, nth);
        write_quoted(&mut line, [name, ""]);
    }
    line.push(b'\n');
    let mut row = 0;
    loop {
        out.write_all(&line).map_err(FlatError::Out)?;
        line.clear();
        if !reader.next_row()? {
            return out.flush().map_err(FlatError::Out);
        }
        row += 1;
        for (nth, (form, name)) in forms.iter().zip(&names).enumerate() {
            separate(&mut line, nth);
            write_value(&mut line, *form, reader.value(nth))
                .ok_or_else(|| FlatError::Value { column: name.clone(), row })?;
        }
        line.push(b'\n');
    }
}

fn separate(line: &mut Vec<u8>, nth: usize) {
    if nth > 0 {
        line.push(b',');
    }
}

/// What a column's annotations, new or old, say about its values.
fn form_of(column: &ColumnDescriptor) -> Result<Form, FlatError> {
    use Physical::{BYTE_ARRAY, DOUBLE, FIXED_LEN_BYTE_ARRAY, FLOAT, INT32, INT64, INT96};
    let (physical, logical, converted) =
        (column.physical_type(), column.logical_type_ref(), column.converted_type());
    let decimal = |scale: i32| u32::try_from(scale).ok().filter(|scale| *scale <= 38).map(Form::Decimal);
    let form = match (physical, logical) {
        (FLOAT | DOUBLE | Physical::BOOLEAN, _) => Some(Form::Plain),
        (INT96, _) => Some(Form::Time(1)),
        (_, Some(LogicalType::Decimal(decimal_type))) => decimal(decimal_type.scale),
        (INT32 | INT64, Some(LogicalType::Timestamp(time) | LogicalType::Time(time))) => {
            Some(Form::Time(nanos_in(&time.unit)))
        }
        (INT32, Some(LogicalType::Date)) => Some(Form::Date),
        (INT32 | INT64, Some(LogicalType::Integer(integer))) => {
            Some(if integer.is_signed { Form::Plain } else { Form::Unsigned })
        }
        (BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)) => Some(Form::Text),
        (FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)) => Some(Form::Uuid),
        (_, Some(LogicalType::Unknown)) => Some(Form::Plain),
        (_, Some(_)) => None,
        (_, None) => form_of_converted(physical, converted, column.type_scale()),
    };
    form.ok_or_else(|| FlatError::Column {
        column: column.name().to_owned(),
        what: logical.map_or_else(|| converted.to_string(), |logical| format!("{logical:?}")),
    })
}

/// The same for files that only have the old annotations.
fn form_of_converted(physical: Physical, converted: ConvertedType, scale: i32) -> Option<Form> {
    use ConvertedType as C;
    match converted {
        C::NONE => Some(match physical {
            // Old programs do not mark their texts.
            Physical::BYTE_ARRAY => Form::Text,
            Physical::FIXED_LEN_BYTE_ARRAY => Form::Hex,
            _ => Form::Plain,
        }),
        C::UTF8 | C::ENUM | C::JSON => Some(Form::Text),
        C::DECIMAL => u32::try_from(scale).ok().filter(|scale| *scale <= 38).map(Form::Decimal),
        C::DATE => Some(Form::Date),
        C::TIME_MILLIS | C::TIMESTAMP_MILLIS => Some(Form::Time(1_000_000)),
        C::TIME_MICROS | C::TIMESTAMP_MICROS => Some(Form::Time(1_000)),
        C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64 => Some(Form::Unsigned),
        C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64 => Some(Form::Plain),
        _ => None,
    }
}

fn nanos_in(unit: &TimeUnit) -> i128 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        TimeUnit::NANOS => 1,
    }
}

/// Appends a value's text; none if it has none.
fn write_value(out: &mut Vec<u8>, form: Form, value: Value<'_>) -> Option<()> {
    // Writing to memory cannot fail.
    let mut text = |arguments: fmt::Arguments<'_>| drop(out.write_fmt(arguments));
    match (form, value) {
        (_, Value::Null) => {}
        (Form::Plain, Value::Flag(flag)) => text(format_args!("{flag}")),
        (Form::Plain, Value::Int32(number)) => text(format_args!("{number}")),
        (Form::Plain, Value::Int64(number)) => text(format_args!("{number}")),
        (Form::Plain, Value::Float(number)) => text(format_args!("{number}")),
        (Form::Plain, Value::Double(number)) => text(format_args!("{number}")),
        (Form::Unsigned, Value::Int32(bits)) => text(format_args!("{}", bits as u32)),
        (Form::Unsigned, Value::Int64(bits)) => text(format_args!("{}", bits as u64)),
        (Form::Time(nanos), Value::Int32(number)) => text(format_args!("{}", i128::from(number) * nanos)),
        (Form::Time(nanos), Value::Int64(number)) => text(format_args!("{}", i128::from(number) * nanos)),
        (Form::Time(_), Value::Int96(stamp)) => {
            let [low, high, day] = *stamp.data().first_chunk::<3>()?;
            let of_day = i128::from(u64::from(low) | u64::from(high) << 32);
            text(format_args!("{}", (i128::from(day) - EPOCH_JULIAN_DAY) * NS_PER_DAY + of_day));
        }
        (Form::Date, Value::Int32(days)) => {
            let (year, month, day) = civil(i64::from(days));
            text(format_args!("{year:04}-{month:02}-{day:02}"));
        }
        (Form::Decimal(scale), Value::Int32(units)) => write_decimal(out, units.into(), scale),
        (Form::Decimal(scale), Value::Int64(units)) => write_decimal(out, units.into(), scale),
        (Form::Decimal(scale), Value::Bytes(bytes)) => write_decimal(out, big_endian(bytes)?, scale),
        (Form::Text, Value::Bytes(bytes)) => write_quoted(out, [core::str::from_utf8(bytes).ok()?, ""]),
        (Form::Hex, Value::Bytes(bytes)) => bytes.iter().for_each(|byte| text(format_args!("{byte:02x}"))),
        (Form::Uuid, Value::Bytes(bytes)) => {
            for (nth, byte) in bytes.iter().enumerate() {
                let dash = if matches!(nth, 4 | 6 | 8 | 10) { "-" } else { "" };
                text(format_args!("{dash}{byte:02x}"));
            }
        }
        _ => return None,
    }
    Some(())
}

/// Two's complement of up to sixteen bytes that matter.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xFF };
    let spare = bytes.len().saturating_sub(16);
    let (high, low) = bytes.split_at(spare);
    let mut wide = [sign; 16];
    wide[16 - low.len()..].copy_from_slice(low);
    let number = i128::from_be_bytes(wide);
    let is_whole = high.iter().all(|byte| *byte == sign) && (number < 0) == (sign == 0xFF);
    is_whole.then_some(number)
}

/// `units` of 10^-scale, without superfluous zeros.
fn write_decimal(out: &mut Vec<u8>, units: i128, scale: u32) {
    let one = 10u128.pow(scale);
    let (whole, part) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let sign = if units < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{whole}");
    if part != 0 {
        let _ = write!(out, ".{part:0width$}", width = scale as usize);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Year, month and day of a day number since 1970-01-01, proleptic Gregorian: eras of 400 years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl From<ReadError> for FlatError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl fmt::Display for FlatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Column { column, what } => {
                write!(f, "column {column} holds {what}, which has no text here")
            }
            Self::Value { column, row } => {
                write!(f, "row {row}: column {column} holds no text, or a number too large")
            }
            Self::Out(error) => write!(f, "output: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(units: i128, scale: u32) -> String {
        let mut out = Vec::new();
        write_decimal(&mut out, units, scale);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn decimals_are_exact_and_short() {
        assert_eq!(decimal(150, 2), "1.5");
        assert_eq!(decimal(100, 2), "1");
        assert_eq!(decimal(1_000, 0), "1000");
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(i128::MIN, 38), "-1.70141183460469231731687303715884105728");
    }

    #[test]
    fn big_numbers_are_read_whole_or_not_at_all() {
        assert_eq!(big_endian(&[0xFF]), Some(-1));
        assert_eq!(big_endian(&[0, 0xFF]), Some(255));
        assert_eq!(big_endian(&i128::MIN.to_be_bytes()), Some(i128::MIN));
        assert_eq!(big_endian(&[&[0xFF; 16][..], &[7; 16]].concat()), None);
        assert_eq!(big_endian(&[&[0xFF; 8][..], &(-2i128).to_be_bytes()].concat()), Some(-2));
        assert_eq!(big_endian(&[1; 17]), None);
        assert_eq!(big_endian(&[&[0][..], &[0x80; 16]].concat()), None);
        assert_eq!(big_endian(&[]), None);
    }

    #[test]
    fn days_have_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(-719_468), (0, 3, 1));
        // Every day follows the one before.
        let mut before = civil(-800_000);
        for day in -799_999..800_000 {
            let date = civil(day);
            let is_next = (date.2 == before.2 + 1 && date.1 == before.1 && date.0 == before.0)
                || (date.2 == 1
                    && (date.1, date.0) == (before.1 % 12 + 1, before.0 + i64::from(before.1 == 12)));
            assert!(is_next && date.2 <= 31, "{before:?} {date:?}");
            before = date;
        }
    }
}
