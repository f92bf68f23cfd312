//! How the columns of a table lie in a Parquet file.
//!
//! Numbers of records and times are packed as differences, everything else in dictionaries while they are small;
//! pages are compressed with Snappy, which every reader knows.

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::Result;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, Type};
use smc_export::cell::{Column, Kind};
use smc_export::schema::Table;
use std::sync::Arc;

/// The files' extension.
pub const EXTENSION: &str = "parquet";
/// Digits of an `i64` and, of them, behind the point.
const DECIMAL_DIGITS: i32 = 19;
const DECIMAL_SCALE: i32 = 8;
/// Bytes of a decimal, big-endian two's complement: the fewest that hold nineteen digits.
pub const DECIMAL_BYTES: usize = 9;

/// The schema of a table's file.
pub fn schema(table: &Table) -> Result<Type> {
    let fields: Result<Vec<_>> = table.columns().map(|column| field(column).map(Arc::new)).collect();
    Type::group_type_builder(table.name).with_fields(fields?).build()
}

/// How a column is stored.
pub fn physical(kind: Kind) -> Physical {
    match kind {
        Kind::Small | Kind::Code => Physical::INT32,
        Kind::Count | Kind::Signed | Kind::Time => Physical::INT64,
        Kind::Decimal => Physical::FIXED_LEN_BYTE_ARRAY,
        Kind::Flag => Physical::BOOLEAN,
        Kind::Word | Kind::Text | Kind::Bytes => Physical::BYTE_ARRAY,
    }
}

/// What a column means.
pub fn logical(kind: Kind) -> Option<LogicalType> {
    match kind {
        Kind::Small => Some(LogicalType::integer(32, false)),
        Kind::Count => Some(LogicalType::integer(64, false)),
        Kind::Decimal => Some(LogicalType::decimal(DECIMAL_SCALE, DECIMAL_DIGITS)),
        Kind::Time => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
        Kind::Word | Kind::Text => Some(LogicalType::String),
        Kind::Code | Kind::Signed | Kind::Flag | Kind::Bytes => None,
    }
}

fn field(column: &Column) -> Result<Type> {
    let repetition = if column.is_nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let mut builder = Type::primitive_type_builder(column.name, physical(column.kind))
        .with_repetition(repetition)
        .with_logical_type(logical(column.kind));
    if column.kind == Kind::Decimal {
        builder = builder
            .with_length(DECIMAL_BYTES as i32)
            .with_precision(DECIMAL_DIGITS)
            .with_scale(DECIMAL_SCALE);
    }
    builder.build()
}

/// How the file is written.
pub fn properties(table: &Table) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("smc-parquet ", env!("CARGO_PKG_VERSION")).into())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for column in table.columns().filter(|column| matches!(column.kind, Kind::Count | Kind::Time)) {
        let path = || ColumnPath::from(column.name);
        builder = builder
            .set_column_dictionary_enabled(path(), false)
            .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
    }
    // The least of some payloads tells nobody anything, and may be long.
    for column in table.columns().filter(|column| column.kind == Kind::Bytes) {
        let path = ColumnPath::from(column.name);
        builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    builder.build()
}

/// A decimal's bytes.
pub fn decimal_bytes(units: i64) -> [u8; DECIMAL_BYTES] {
    let mut out = [if units < 0 { 0xFF } else { 0 }; DECIMAL_BYTES];
    out[1..].copy_from_slice(&units.to_be_bytes());
    out
}

/// The decimal in such bytes, unless it is none of ours.
pub fn decimal_units(bytes: &[u8]) -> Option<i64> {
    let (sign, units) = bytes.split_first()?;
    let units = i64::from_be_bytes(units.try_into().ok()?);
    (*sign == if units < 0 { 0xFF } else { 0 }).then_some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decimal_has_its_bytes() {
        for units in [0, 1, -1, i64::MAX, i64::MIN, 6_168_599_000_000] {
            assert_eq!(decimal_units(&decimal_bytes(units)), Some(units));
        }
        assert_eq!(decimal_units(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(decimal_units(&[0; 8]), None);
    }
}
