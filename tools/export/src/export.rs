//! Every record of a journal to the rows of its table, in order, in constant memory.

use crate::cell::Cell;
use crate::error::ExportError;
use crate::progress::Progress;
use crate::row::{Row, SegmentRow};
use crate::schema::{Id, TABLE_COUNT, TABLES};
use smc_journal::{Damage, Ending, Reader, Records};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// First number.
    pub from: u64,
    /// Last number.
    pub to: u64,
    tables: [bool; TABLE_COUNT],
}

/// Takes rows, table by table, and keeps them in files.
pub trait Sink {
    /// Adds a row.
    fn row(&mut self, id: Id, cells: &[Cell<'_>]) -> Result<(), SinkError>;
    /// Writes everything out; says which files there are.
    fn finish(self) -> Result<Vec<TableFile>, SinkError>;
}

/// What a sink could not do.
#[derive(Debug)]
pub struct SinkError {
    /// To which file.
    pub path: PathBuf,
    /// What the operating system, or the format, said.
    pub error: io::Error,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// Of which table.
    pub id: Id,
    /// Its name.
    pub file: String,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// What was exported.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Records.
    pub records: u64,
    /// Bytes of the segments they were read from.
    pub journal_bytes: u64,
    /// The files.
    pub files: Vec<TableFile>,
    /// Nothing was left out: a journal can be restored from it.
    pub is_whole: bool,
    /// What was torn off at the journal's end and is in no table.
    pub torn: Option<Damage>,
}

impl Selection {
    /// Records `from` to `to` of the tables named, or of all if none is.
    pub fn new(from: u64, to: u64, tables: &[String]) -> Result<Self, ExportError> {
        if to < from.max(1) {
            return Err(ExportError::NoRange { from, to });
        }
        let mut chosen = [tables.is_empty(); TABLE_COUNT];
        for name in tables {
            let id = Id::by_name(name).ok_or_else(|| ExportError::NoTable { name: name.clone() })?;
            chosen[id as usize] = true;
        }
        Ok(Self { from, to, tables: chosen })
    }

    /// Everything.
    pub fn all() -> Self {
        Self { from: 1, to: u64::MAX, tables: [true; TABLE_COUNT] }
    }

    fn has(&self, id: Id) -> bool {
        self.tables[id as usize]
    }
}

impl From<SinkError> for ExportError {
    fn from(error: SinkError) -> Self {
        Self::Io { path: error.path, error: error.error }
    }
}

/// Exports the journal in `dir` to a sink.
pub fn export<S: Sink>(
    dir: &Path,
    selection: &Selection,
    mut sink: S,
    progress: &mut Progress,
) -> Result<Summary, ExportError> {
    let unusable = |error| ExportError::Journal { path: dir.to_owned(), error };
    let reader = Reader::open(dir).map_err(unusable)?;
    let mut records = reader.records();
    let mut taken = take_records(&mut records, selection, &mut sink, progress)?;
    progress.end();
    let torn = match records.ending() {
        Some(Ending::Torn { at, .. }) => Some(at.clone()),
        _ => None,
    };
    // What was pruned cannot be brought back.
    taken.is_whole &= selection.has(Id::Segments) && reader.base().is_none();
    let last = records.segment();
    if taken.is_whole {
        for segment in used_segments(&reader, last, &taken) {
            sink.row(Id::Segments, &segment.cells())?;
        }
    }
    let journal_bytes = reader.segments().take(last as usize).map(|segment| segment.bytes).sum();
    let files = sink.finish()?;
    Ok(Summary { records: taken.records, journal_bytes, files, is_whole: taken.is_whole, torn })
}

/// What came out of the records.
struct Taken {
    records: u64,
    last_seq: u64,
    /// Nothing was left out so far.
    is_whole: bool,
    /// By segment: number of its first record.
    first_seqs: Vec<(u32, u64)>,
}

fn take_records<'a, S: Sink>(
    records: &mut Records<'a>,
    selection: &Selection,
    sink: &mut S,
    progress: &mut Progress,
) -> Result<Taken, ExportError> {
    let mut out = Taken { records: 0, last_seq: 0, is_whole: true, first_seqs: Vec::new() };
    let mut row = Row::default();
    for record in records.by_ref() {
        let record = match record {
            Ok(record) if record.seq <= selection.to => record,
            Err(damage) if out.last_seq < selection.to => {
                return Err(ExportError::Damaged { damage, kept: out.last_seq });
            }
            // What was asked for lies before it, damage or not.
            Ok(_) | Err(_) => {
                out.is_whole = false;
                break;
            }
        };
        out.last_seq = record.seq;
        if out.first_seqs.last().is_none_or(|(number, _)| *number != record.segment) {
            out.first_seqs.push((record.segment, record.seq));
        }
        if record.seq < selection.from {
            out.is_whole = false;
            continue;
        }
        let id = row.fill(&record);
        if !selection.has(id) {
            out.is_whole = false;
            continue;
        }
        sink.row(id, row.cells())?;
        out.records += 1;
        progress.on_record(out.records);
    }
    Ok(out)
}

/// The segments that hold records, or in which a run began and wrote none.
fn used_segments(reader: &Reader, last: u32, taken: &Taken) -> Vec<SegmentRow> {
    let used = reader.segments().take_while(|segment| segment.number <= last);
    let rows = used.map(|head| {
        let seen = taken.first_seqs.iter().find(|(number, _)| *number == head.number).map(|(_, seq)| *seq);
        let first_seq = head.first_seq.or(seen).unwrap_or(taken.last_seq + 1);
        SegmentRow { head, first_seq }
    });
    rows.collect()
}

/// Where a table's file of a format stands.
pub fn table_path(dir: &Path, id: Id, extension: &str) -> PathBuf {
    dir.join(format!("{}.{extension}", id.table().name))
}

/// Names of all files that a whole export of a format may have.
pub fn file_names(extension: &str) -> impl Iterator<Item = String> {
    TABLES.iter().map(move |table| format!("{}.{extension}", table.name))
}

/// The length of a file that was just written, after the disk has it.
pub fn settle(file: &fs::File) -> io::Result<u64> {
    file.sync_all()?;
    Ok(file.metadata()?.len())
}
