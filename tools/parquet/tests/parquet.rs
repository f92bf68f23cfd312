//! The real program: journals through Parquet and back, other people's readers, other people's files.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../export/tests/common/mod.rs"]
mod common;

use common::*;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{
    ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use smc_export::csv::CsvSink;
use smc_export::export::{Selection, export};
use smc_export::progress::Progress;
use smc_export::schema::TABLES;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smc-parquet")).args(args).output().unwrap()
}

/// Standard output of a run that ends well.
#[track_caller]
fn done(args: &[&str]) -> String {
    let output = program(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Exit code and standard error of a run that does not.
#[track_caller]
fn refused(args: &[&str]) -> (i32, String) {
    let output = program(args);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!text.contains("panicked"), "{text}");
    assert_eq!(text.lines().count(), 1, "one line was expected: {text}");
    (output.status.code().unwrap(), text)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn check_round_trip(dir: &Path, journal: &Path) {
    let (out, back) = (dir.join("parquet"), dir.join("back"));
    done(&["export", text(journal), text(&out)]);
    done(&["import", text(&out), text(&back)]);
    assert_same_records(journal, &back);
    assert_same_files(journal, &back);
}

#[test]
fn every_word_comes_back_and_the_files_are_the_same() {
    let mut random = Random::from_env(21);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    write_journal(&journal, &mut random, &[Run::new(6_000, End::Closed)]);
    check_round_trip(dir.path(), &journal);
    assert_eq!(fs::read_dir(dir.path().join("parquet")).unwrap().count(), TABLES.len());
}

#[test]
fn runs_come_back_file_by_file() {
    let mut random = Random::from_env(22);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let runs = [
        Run::new(500, End::Killed).synced(),
        Run::new(0, End::Killed).in_segments(8_192),
        Run::new(300, End::Closed).in_segments(8_192),
        Run::new(0, End::Closed),
        Run::new(700, End::Killed),
    ];
    write_journal(&journal, &mut random, &runs);
    check_round_trip(dir.path(), &journal);
}

#[test]
fn the_demos_journal_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let Some(journal) = demo_journal(dir.path()) else { return };
    check_round_trip(dir.path(), &journal);
}

#[test]
fn what_is_not_whole_or_not_ours_is_refused() {
    let mut random = Random::from_env(23);
    let dir = tempfile::tempdir().unwrap();
    let (journal, out, back) = (dir.path().join("journal"), dir.path().join("out"), dir.path().join("back"));
    write_journal(&journal, &mut random, &[Run::new(400, End::Closed)]);
    done(&["export", text(&journal), text(&out), "--from", "5", "--to", "9", "--json"]);
    let (code, line) = refused(&["import", text(&out), text(&back)]);
    assert!(code == 2 && line.contains("no segments.parquet; a journal can be restored"), "{line}");
    let (code, line) = refused(&["export", text(&journal), text(&out)]);
    assert!(code == 2 && line.contains("exists and is not empty"), "{line}");
    fs::remove_dir_all(&out).unwrap();
    done(&["export", text(&journal), text(&out)]);
    // A table in the place of another, and one that is cut.
    fs::copy(out.join("quotes.parquet"), out.join("trades.parquet")).unwrap();
    let (code, line) = refused(&["import", text(&out), text(&back)]);
    assert!(code == 2 && line.contains("trades.parquet: row 0: column price is not as"), "{line}");
    let quotes = fs::read(out.join("quotes.parquet")).unwrap();
    fs::write(out.join("trades.parquet"), &quotes[..quotes.len() / 2]).unwrap();
    let (code, line) = refused(&["import", text(&out), text(&back)]);
    assert!(code == 2 && line.contains("trades.parquet"), "{line}");
    fs::remove_file(out.join("trades.parquet")).unwrap();
    let (code, line) = refused(&["import", text(&out), text(&back)]);
    assert!(code == 1 && line.contains("is in no table"), "{line}");
    assert!(!back.exists());
}

/// Both formats say the same, as our own reader sees it.
#[test]
fn csv_of_a_parquet_table_is_the_csv_table() {
    let mut random = Random::from_env(24);
    let dir = tempfile::tempdir().unwrap();
    let Exports { csv, parquet } = both_exports(dir.path(), &mut random);
    for table in ["quotes", "book", "bars", "decisions", "orders", "positions", "order_updates"] {
        let ours = fs::read_to_string(csv.join(format!("{table}.csv"))).unwrap();
        let theirs = done(&["csv", text(&parquet.join(format!("{table}.parquet")))]);
        // Times beyond 2262 wrap in Parquet, and names are not marked against spreadsheets.
        let plain = |line: &str| {
            !line.contains('\'') && !line.contains(",-1,") && !line.contains("18446744073709551615")
        };
        let same = ours.lines().zip(theirs.lines()).filter(|(a, b)| plain(a) && plain(b) && a == b).count();
        assert!(same > 10, "{table}: {same}\n{}\n{}", &ours[..400], &theirs[..400]);
    }
}

struct Exports {
    csv: PathBuf,
    parquet: PathBuf,
}

fn both_exports(dir: &Path, random: &mut Random) -> Exports {
    let journal = dir.join("journal");
    write_journal(&journal, random, &[Run::new(5_000, End::Closed)]);
    export_both(dir, &journal)
}

fn export_both(dir: &Path, journal: &Path) -> Exports {
    let (csv, parquet) = (dir.join("csv"), dir.join("parquet"));
    fs::create_dir_all(&csv).unwrap();
    export(journal, &Selection::all(), CsvSink::new(&csv), &mut Progress::silent()).unwrap();
    done(&["export", text(journal), text(&parquet)]);
    Exports { csv, parquet }
}

/// DuckDB and pandas read every table and count and sum what the CSV files say.
#[test]
fn duckdb_and_pandas_agree_with_the_csv_tables() {
    let python = std::env::var_os("SMC_TABLES_PYTHON").map_or_else(
        || {
            // target/debug/smc-parquet
            Path::new(env!("CARGO_BIN_EXE_smc-parquet"))
                .ancestors()
                .nth(2)
                .unwrap()
                .join("tables-venv/bin/python")
        },
        PathBuf::from,
    );
    if !python.exists() {
        println!(
            "skipped: no Python with duckdb and pandas at {}; `cargo xtask test` makes it",
            python.display()
        );
        return;
    }
    let mut random = Random::from_env(25);
    let dir = tempfile::tempdir().unwrap();
    let mut exports = vec![both_exports(&dir.path().join("random"), &mut random)];
    if let Some(journal) = demo_journal(dir.path()) {
        exports.push(export_both(&dir.path().join("real"), &journal));
    }
    for Exports { csv, parquet } in exports {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check.py");
        let output = Command::new(&python).arg(script).arg(&parquet).arg(&csv).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        println!("{out}");
    }
}

/// A file as other programs write them, column by column.
fn foreign_file(path: &Path) {
    let field = |name: &str, physical, logical| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
            .unwrap()
    };
    let decimal = Type::primitive_type_builder("amount", Physical::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::decimal(3, 30)))
        .with_precision(30)
        .with_scale(3)
        .build();
    let fields = vec![
        field("price", Physical::DOUBLE, None),
        field("size", Physical::FLOAT, None),
        field("id", Physical::INT64, Some(LogicalType::integer(64, false))),
        field("ms", Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        field("us", Physical::INT64, Some(LogicalType::timestamp(false, TimeUnit::MICROS))),
        field("old", Physical::INT96, None),
        field("day", Physical::INT32, Some(LogicalType::Date)),
        field("a \"name\", odd", Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Arc::new(decimal.unwrap()),
    ];
    let schema = Type::group_type_builder("foreign").with_fields(fields).build().unwrap();
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let levels: [i16; 3] = [1, 0, 1];
    macro_rules! column {
        ($type:ty, $values:expr, $levels:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<$type>().write_batch(&$values, $levels, None).unwrap();
            column.close().unwrap();
        };
    }
    let mut stamp = Int96::new();
    stamp.set_data(1, 0, 2_440_589);
    let bytes = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    column!(DoubleType, [0.1 + 0.2, 1e-7], Some(&levels[..]));
    column!(FloatType, [0.1, f32::NAN], Some(&levels[..]));
    column!(Int64Type, [-1, 7], Some(&levels[..]));
    column!(Int64Type, [1_700_000_000_123, -1], Some(&levels[..]));
    column!(Int64Type, [1_700_000_000_123_456, i64::MAX], Some(&levels[..]));
    column!(Int96Type, [stamp, stamp], Some(&levels[..]));
    column!(Int32Type, [19_782, -1], Some(&levels[..]));
    column!(ByteArrayType, [bytes(""), bytes("a,\"b\"\n")], Some(&levels[..]));
    let amounts =
        [ByteArray::from(vec![0x04, 0xD2]), ByteArray::from(vec![0xFF]), ByteArray::from(vec![0; 20])];
    column!(ByteArrayType, amounts, None);
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn other_programs_files_become_csv_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foreign.parquet");
    foreign_file(&path);
    let expected = "\
price,size,id,ms,us,old,day,\"a \"\"name\"\", odd\",amount
0.30000000000000004,0.1,18446744073709551615,1700000000123000000,1700000000123456000,86400000000001,2024-02-29,\"\",1.234
,,,,,,,,-0.001
0.0000001,NaN,7,-1000000,9223372036854775807000,86400000000001,1969-12-31,\"a,\"\"b\"\"
\",0
";
    assert_eq!(done(&["csv", text(&path)]), expected);
}

#[test]
fn nested_damaged_and_absent_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nested.parquet");
    let inner =
        Type::primitive_type_builder("x", Physical::INT32).with_repetition(Repetition::REQUIRED).build();
    let group = Type::group_type_builder("point")
        .with_repetition(Repetition::REQUIRED)
        .with_fields(vec![Arc::new(inner.unwrap())])
        .build();
    let schema =
        Type::group_type_builder("nested").with_fields(vec![Arc::new(group.unwrap())]).build().unwrap();
    let file = File::create(&path).unwrap();
    SerializedFileWriter::new(file, Arc::new(schema), Arc::default()).unwrap().close().unwrap();
    let (code, line) = refused(&["csv", text(&path)]);
    assert!(code == 2 && line.contains("column point.x is nested"), "{line}");
    fs::write(&path, b"PAR1 no PAR1").unwrap();
    assert_eq!(refused(&["csv", text(&path)]).0, 2);
    assert_eq!(refused(&["csv", "/no/such/file"]).0, 2);
}

/// Every cut and many flipped bits of a real file: an answer or a refusal, never a crash.
#[test]
fn a_damaged_file_never_crashes_the_reader() {
    let mut random = Random::from_env(26);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("foreign.parquet");
    foreign_file(&path);
    let whole = fs::read(&path).unwrap();
    let cases = std::env::var("SMC_PARQUET_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    for _ in 0..cases {
        let mut bytes = whole.clone();
        if random.below(4) == 0 {
            bytes.truncate(random.below(whole.len() as u64) as usize);
        } else {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
        fs::write(&path, &bytes).unwrap();
        let output = program(&["csv", text(&path)]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{error}");
    }
}
