//! The tables of a whole export back into a journal: the same records in the same segments.
//!
//! The tables are merged by `seq`, which has no hole over all of them, so that memory does not grow with the journal.
//! Runs begin, end and are killed as they were: a writer that was closed is closed, one that was killed is
//! dropped, and the next run resumes in a new segment. Segments that the writer had ended, or closed, come out
//! byte for byte; behind the records of a killed run the old file may hold what a crash tore, and its mark of
//! what had been synced is the moment's. At the end the new journal is read and compared with what the tables say
//! about segments and chain hashes, which a changed cell would have changed.

use crate::cell::{Cell, CellError};
use crate::draft::Draft;
use crate::error::RestoreError;
use crate::progress::Progress;
use crate::row::{Restored, SegmentRow};
use crate::schema::{Id, TABLE_COUNT, TABLES};
use smc_core::codec::Buffer;
use smc_journal::{AppendError, Header, JournalSettings, Reader, RecordKind, SyncPolicy, Writer, verify};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::time::Duration;

/// Takes one row's cells.
pub type TakeRow<'t> = dyn FnMut(&[Cell<'_>]) -> Result<(), CellError> + 't;

/// The rows of one table, in order.
pub trait Rows {
    /// Hands the next row to `take`; false if there is none. An error of `take` comes back with its place.
    fn next(&mut self, take: &mut TakeRow<'_>) -> Result<bool, RestoreError>;
}

/// The tables of an export in some format.
pub trait Tables {
    /// Where they are.
    fn dir(&self) -> &Path;
    /// The files' extension.
    fn extension(&self) -> &'static str;
    /// The rows of a table; `None` if it has no file, because it has no rows.
    fn open(&mut self, id: Id) -> Result<Option<Box<dyn Rows>>, RestoreError>;
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Records.
    pub records: u64,
    /// Segments.
    pub segments: u32,
    /// Close records whose chain hash was found again.
    pub closes: u64,
    /// The chain hash of the whole.
    pub chain: [u8; 32],
}

/// One run of a process: from one run start to the next.
struct Run {
    first_seq: u64,
    /// Records below this are the run's; `u64::MAX` for the last run.
    end_seq: u64,
    segment_bytes: u64,
    header: Header,
    sync: SyncPolicy,
}

/// Restores the journal to `place`.
pub fn restore(
    tables: &mut dyn Tables,
    place: &Path,
    progress: &mut Progress,
) -> Result<Summary, RestoreError> {
    let io = |error| RestoreError::Io { path: place.to_owned(), error };
    let segments = read_segments(tables)?;
    let runs = runs_of(&segments)?;
    let draft = Draft::begin(place).map_err(io)?;
    let draft = draft.ok_or_else(|| RestoreError::NotEmpty { path: place.to_owned() })?;
    let mut merge = Merge::open(tables)?;
    let mut closes = Vec::new();
    for (nth, run) in runs.iter().enumerate() {
        write_run(draft.path(), run, nth == 0, &mut merge, &mut closes, progress)?;
    }
    progress.end();
    if let Some(record) = merge.peek() {
        return Err(RestoreError::Differs { problem: format!("record {} is behind the end", record.seq) });
    }
    let summary = compare(draft.path(), &segments, &closes)?;
    draft.finish().map_err(io)?;
    Ok(summary)
}

fn read_segments(tables: &mut dyn Tables) -> Result<Vec<SegmentRow>, RestoreError> {
    let Some(mut rows) = tables.open(Id::Segments)? else {
        let file = format!("{}.{}", Id::Segments.table().name, tables.extension());
        return Err(RestoreError::NotWhole { path: tables.dir().to_owned(), file });
    };
    let mut out = Vec::new();
    while rows.next(&mut |cells| SegmentRow::read(cells).map(|row| out.push(row)))? {}
    Ok(out)
}

fn runs_of(segments: &[SegmentRow]) -> Result<Vec<Run>, RestoreError> {
    let mut out: Vec<Run> = Vec::new();
    for segment in segments {
        let is_synced = segment.head.synced_bytes > 0;
        match out.last_mut() {
            Some(run) if !segment.head.is_run_start => {
                if is_synced {
                    run.sync = SYNCED;
                }
            }
            None if !segment.head.is_run_start => {
                let problem = "the first segment does not begin a run".to_owned();
                return Err(RestoreError::Differs { problem });
            }
            before => {
                if let Some(run) = before {
                    run.end_seq = segment.first_seq;
                }
                out.push(Run {
                    first_seq: segment.first_seq,
                    end_seq: u64::MAX,
                    segment_bytes: segment.head.bytes,
                    header: segment.head.header.clone(),
                    sync: if is_synced { SYNCED } else { SyncPolicy::Off },
                });
            }
        }
    }
    Ok(out)
}

/// A segment says up to where it was synced. A run that did not sync says nothing, and neither does its copy.
const SYNCED: SyncPolicy = SyncPolicy::Every(Duration::from_millis(10));

fn write_run(
    dir: &Path,
    run: &Run,
    is_first: bool,
    merge: &mut Merge,
    closes: &mut Vec<Restored>,
    progress: &mut Progress,
) -> Result<(), RestoreError> {
    let settings =
        JournalSettings { segment_bytes: run.segment_bytes, sync: run.sync, ..JournalSettings::new(dir) };
    let mut writer = if is_first {
        Writer::create(&settings, &run.header)?
    } else {
        Writer::resume(&settings, &run.header)?.0
    };
    if writer.next_seq() != run.first_seq {
        return Err(RestoreError::Missing { seq: writer.next_seq().min(run.first_seq) });
    }
    while let Some(record) = merge.peek()
        && record.seq < run.end_seq
    {
        let seq = writer.next_seq();
        if record.seq > seq {
            return Err(RestoreError::Missing { seq });
        }
        if record.seq < seq {
            let problem = format!("record {} is there twice, or not in order", record.seq);
            return Err(RestoreError::Differs { problem });
        }
        let is_close = record.kind_code == RecordKind::Close.code();
        if is_close {
            closes.push(record.clone());
        } else {
            append(&mut writer, record)?;
        }
        merge.advance()?;
        progress.on_record(seq);
        if is_close {
            return Ok(writer.close()?);
        }
    }
    Ok(())
}

/// Appends, waiting for the helper where the disk is slower than we are.
fn append(writer: &mut Writer, record: &Restored) -> Result<(), RestoreError> {
    loop {
        match writer.append_coded(record.kind_code, record.flags, record.ts, &record.payload) {
            Ok(_) => return Ok(()),
            Err(AppendError::NoSegment) if writer.health().is_ok() => std::thread::yield_now(),
            Err(error) => return Err(RestoreError::Append { seq: record.seq, error }),
        }
    }
}

/// Compares the new journal with what the tables say about its segments and chain hashes.
fn compare(dir: &Path, segments: &[SegmentRow], closes: &[Restored]) -> Result<Summary, RestoreError> {
    let differs = |problem| Err(RestoreError::Differs { problem });
    let verdict = verify(dir)?;
    if !verdict.is_sound() {
        return differs(format!("the restored journal does not hold: {verdict}"));
    }
    let reader = Reader::open(dir)?;
    let mut expected = segments.iter();
    for (head, info) in reader.segments().zip(&verdict.list) {
        let Some(row) = expected.next() else {
            return differs(format!("segment {} is one too many", head.number));
        };
        let first_seq = head.first_seq.unwrap_or(info.first_seq);
        let is_same = row.head.number == head.number
            && row.head.bytes == head.bytes
            && row.head.header == head.header
            && row.head.is_run_start == head.is_run_start
            && row.first_seq == first_seq;
        if !is_same {
            return differs(format!("segment {} came out otherwise", head.number));
        }
    }
    if let Some(row) = expected.next() {
        return differs(format!("segment {} did not come out", row.head.number));
    }
    let mut closes_left = closes.iter();
    for record in reader.records() {
        let record = record.map_err(|damage| RestoreError::Journal(damage.into()))?;
        if record.kind == RecordKind::Close
            && closes_left.next().is_none_or(|close| {
                close.seq != record.seq || close.ts != record.ts || close.payload != record.payload
            })
        {
            return differs(format!("the chain hash in record {} is another", record.seq));
        }
    }
    let (records, segments, chain) = (verdict.records, verdict.segments, verdict.chain);
    Ok(Summary { records, segments, closes: closes.len() as u64, chain })
}

/// The tables' rows in the order of `seq`.
struct Merge {
    tables: Vec<Source>,
    /// The next record of each table that has one.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    buffer: Buffer,
}

struct Source {
    id: Id,
    rows: Box<dyn Rows>,
    /// The row that was read last.
    record: Restored,
}

impl Merge {
    fn open(tables: &mut dyn Tables) -> Result<Self, RestoreError> {
        let mut out = Self {
            tables: Vec::with_capacity(TABLE_COUNT),
            next: BinaryHeap::with_capacity(TABLE_COUNT),
            buffer: Buffer::default(),
        };
        for table in TABLES.iter().filter(|table| table.id != Id::Segments) {
            if let Some(rows) = tables.open(table.id)? {
                out.tables.push(Source { id: table.id, rows, record: Restored::default() });
                out.read(out.tables.len() - 1)?;
            }
        }
        Ok(out)
    }

    /// The next record.
    fn peek(&self) -> Option<&Restored> {
        let Reverse((_, at)) = self.next.peek()?;
        self.tables.get(*at).map(|source| &source.record)
    }

    /// Goes on to the one behind it.
    fn advance(&mut self) -> Result<(), RestoreError> {
        match self.next.pop() {
            Some(Reverse((_, at))) => self.read(at),
            None => Ok(()),
        }
    }

    fn read(&mut self, at: usize) -> Result<(), RestoreError> {
        let Some(Source { id, rows, record }) = self.tables.get_mut(at) else { return Ok(()) };
        let buffer = &mut self.buffer;
        if rows.next(&mut |cells| record.read(*id, cells, buffer))? {
            self.next.push(Reverse((record.seq, at)));
        }
        Ok(())
    }
}
