//! Tables as CSV files: RFC 4180 with a header line, every value exact, and back.
//!
//! Lines end with a line feed. Decimals are decimal text, times are nanoseconds, flags `true` and `false`, bytes
//! hexadecimal. Nothing between two commas is "absent"; an empty text is `""`.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula, quoted or not. Names come from
//! venues, and what others write must not run on a reader's machine: such a text gets an apostrophe in front,
//! and so does one that begins with an apostrophe, so that the way back is exact.

mod read;

pub use read::CsvTables;

use crate::cell::{Cell, TextBuffer};
use crate::export::{Sink, SinkError, TableFile, settle, table_path};
use crate::schema::{Id, TABLE_COUNT, TABLES, Table};
use smc_core::words::{DECIMAL_TEXT_MAX, write_decimal};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The files' extension.
pub const EXTENSION: &str = "csv";

const BUFFER_BYTES: usize = 256 << 10;

/// Writes tables as CSV files into a directory.
pub struct CsvSink {
    dir: PathBuf,
    files: [Option<CsvFile>; TABLE_COUNT],
    line: Vec<u8>,
}

struct CsvFile {
    path: PathBuf,
    out: BufWriter<File>,
    rows: u64,
}

impl CsvSink {
    /// Files are made as rows come.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), files: [const { None }; TABLE_COUNT], line: Vec::new() }
    }
}

impl Sink for CsvSink {
    fn row(&mut self, id: Id, cells: &[Cell<'_>]) -> Result<(), SinkError> {
        let slot = &mut self.files[id as usize];
        let file = match slot {
            Some(file) => file,
            None => slot.insert(CsvFile::create(&self.dir, id.table())?),
        };
        self.line.clear();
        write_row(&mut self.line, cells);
        file.rows += 1;
        let written = file.out.write_all(&self.line);
        written.map_err(|error| SinkError { path: file.path.clone(), error })
    }

    fn finish(self) -> Result<Vec<TableFile>, SinkError> {
        let mut out = Vec::new();
        for (file, table) in self.files.into_iter().zip(&TABLES) {
            let Some(CsvFile { path, out: writer, rows }) = file else { continue };
            let whole = writer.into_inner().map_err(io::IntoInnerError::into_error);
            let bytes = whole.and_then(|file| settle(&file));
            let bytes = bytes.map_err(|error| SinkError { path, error })?;
            out.push(TableFile { id: table.id, file: format!("{}.{EXTENSION}", table.name), rows, bytes });
        }
        Ok(out)
    }
}

impl CsvFile {
    fn create(dir: &Path, table: &'static Table) -> Result<Self, SinkError> {
        let path = table_path(dir, table.id, EXTENSION);
        let create = || -> io::Result<BufWriter<File>> {
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(&path)?);
            writeln!(out, "{}", header(table))?;
            Ok(out)
        };
        match create() {
            Ok(out) => Ok(Self { path, out, rows: 0 }),
            Err(error) => Err(SinkError { path, error }),
        }
    }
}

/// The first line of a table's file.
pub fn header(table: &Table) -> String {
    table.columns().map(|column| column.name).collect::<Vec<_>>().join(",")
}

/// Appends one line.
pub fn write_row(out: &mut Vec<u8>, cells: &[Cell<'_>]) {
    for (nth, cell) in cells.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        write_cell(out, cell);
    }
    out.push(b'\n');
}

fn write_cell(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::Null => {}
        Cell::Unsigned(number) | Cell::Time(number) => write_digits(out, *number),
        Cell::Signed(number) => {
            if *number < 0 {
                out.push(b'-');
            }
            write_digits(out, number.unsigned_abs());
        }
        Cell::Decimal(units) => {
            let mut text = [0; DECIMAL_TEXT_MAX];
            let len = write_decimal(*units, &mut text);
            out.extend_from_slice(&text[..len]);
        }
        Cell::Flag(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Cell::Bytes(bytes) => {
            for byte in *bytes {
                out.push(hex_digit(byte >> 4));
                out.push(hex_digit(byte & 15));
            }
        }
        Cell::Text(_) | Cell::Name(_) | Cell::OrderId(_) => {
            let mut buffer: TextBuffer = [0; _];
            write_text(out, cell.text(&mut buffer).unwrap_or_default());
        }
    }
}

/// Appends a text that no spreadsheet takes for a formula.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let is_formula =
        matches!(text.as_bytes().first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\''));
    let apostrophe = if is_formula { "'" } else { "" };
    write_quoted(out, [apostrophe, text]);
}

/// Appends a text, given in two parts, in quotes if it needs them.
pub fn write_quoted(out: &mut Vec<u8>, parts: [&str; 2]) {
    let bytes = || parts.into_iter().flat_map(str::bytes);
    let is_empty = bytes().next().is_none();
    if !is_empty && !bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend(bytes());
        return;
    }
    out.push(b'"');
    for byte in bytes() {
        out.push(byte);
        if byte == b'"' {
            out.push(byte);
        }
    }
    out.push(b'"');
}

fn write_digits(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

const fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[nibble as usize & 15]
}
