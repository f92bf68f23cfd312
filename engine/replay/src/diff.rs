//! Two journals record by record: the first difference, and everything else that differs.
//!
//! Records are held against each other in order. Where they part, the nearest place at which both go on with the same
//! content is looked for within a window; what lies before it is changed, or only in one of them. A record's number is
//! what the alignment is about, so after an insertion equal content under another number is equal.

use crate::fields::{Content, Field, Value, content};
use crate::verify::ReplayError;
use smc_core::codec::Buffer;
use smc_core::output::{Alert, Output};
use smc_core::words::TsNs;
use smc_journal::{Reader, Record, RecordKind, Records};
use std::collections::{BTreeMap, VecDeque};

/// Records looked at on each side for a place where both go on alike.
const WINDOW: usize = 256;
/// So many records in a row must agree there.
const AGREE: usize = 3;

/// How to compare.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiffOptions {
    /// Times of records, stamps of events and of alerts do not count.
    pub ignore_time: bool,
    /// Differences kept whole; all are counted.
    pub list_max: usize,
}

/// What two journals do not share.
#[derive(Debug, Default)]
pub struct Diff {
    /// Records in the first.
    pub records_a: u64,
    /// Records in the second.
    pub records_b: u64,
    /// Records in both.
    pub same: u64,
    /// By what they are: changed, only in the first, only in the second.
    pub counts: BTreeMap<String, [u64; 3]>,
    /// The first ones, in order.
    pub changes: Vec<Change>,
    /// The first journal ends with its close record; the second does.
    pub is_closed: [bool; 2],
}

/// One difference.
#[derive(Clone, Debug)]
pub struct Change {
    /// The first journal's record; none: only in the second.
    pub a: Option<Entry>,
    /// The second's.
    pub b: Option<Entry>,
}

/// A record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub ts: TsNs,
    /// Its kind.
    pub kind: RecordKind,
    /// Its content; none when this version does not read it.
    pub content: Option<Content>,
}

/// A field with both values.
pub type FieldChange = (String, Option<Value>, Option<Value>);

impl Diff {
    /// No difference.
    pub fn is_equal(&self) -> bool {
        self.counts.is_empty()
    }
}

impl Entry {
    fn of(record: &Record<'_>) -> Self {
        Self { seq: record.seq, ts: record.ts, kind: record.kind, content: content(record).ok() }
    }

    /// `trade`, `order`, `config`.
    pub fn name(&self) -> String {
        match &self.content {
            Some(content @ (Content::Input(_) | Content::Output(_))) => content.name(),
            _ => self.kind.name().into(),
        }
    }

    fn fields(&self) -> Vec<(String, Value)> {
        let named = |(name, value): Field| (name.to_string(), value);
        let content = match &self.content {
            Some(Content::Text(text)) => {
                let lines = text.lines().enumerate();
                lines.map(|(nth, line)| (format!("line {}", nth + 1), Value::Word(line.into()))).collect()
            }
            Some(content) => content.fields().into_iter().map(named).collect(),
            None => Vec::new(),
        };
        let own =
            [("record time", Value::Time(self.ts)), ("record kind", Value::Word(self.kind.name().into()))];
        own.into_iter().map(named).chain(content).collect()
    }
}

impl Change {
    /// The fields that differ, in the order in which they are stored.
    pub fn fields(&self) -> Vec<FieldChange> {
        let fields = |entry: &Option<Entry>| entry.as_ref().map(Entry::fields).unwrap_or_default();
        let (ours, mut theirs) = (fields(&self.a), fields(&self.b));
        let mut out: Vec<FieldChange> = Vec::new();
        for (name, value) in ours {
            // The same name may come twice (levels of a book): the first one left is its counterpart.
            let at = theirs.iter().position(|(other, _)| *other == name);
            let other = at.map(|at| theirs.remove(at).1);
            if other.as_ref() != Some(&value) {
                out.push((name, Some(value), other));
            }
        }
        out.extend(theirs.into_iter().map(|(name, value)| (name, None, Some(value))));
        out
    }
}

/// Compares two journals.
pub fn diff(a: &Reader, b: &Reader, options: DiffOptions) -> Result<Diff, ReplayError> {
    let mut found = Diff::default();
    let (mut a, mut b) = (Side::new(a, options), Side::new(b, options));
    loop {
        // Side by side while they agree: nothing is decoded.
        let (left, right) = (a.peek(0)?, b.peek(0)?);
        match (left, right) {
            (None, None) => break,
            (Some(left), Some(right)) if is_same(&left, &right, options) => {
                found.same += 1;
                a.drop(1);
                b.drop(1);
            }
            _ => {
                let (skip_a, skip_b) = resync(&mut a, &mut b, options)?;
                found.note(&a.take(skip_a), &b.take(skip_b), options);
            }
        }
    }
    (found.records_a, found.records_b) = (a.read, b.read);
    found.is_closed = [a.is_closed, b.is_closed];
    Ok(found)
}

impl Diff {
    /// Records that have no equal: those of one kind that meet in order are one changed record.
    fn note(&mut self, ours: &[Record<'_>], theirs: &[Record<'_>], options: DiffOptions) {
        let mut theirs: VecDeque<&Record<'_>> = theirs.iter().collect();
        for record in ours {
            let at = theirs.iter().position(|other| other.kind_code == record.kind_code);
            let passed: Vec<&Record<'_>> = match at {
                Some(at) => theirs.drain(..at).collect(),
                None => Vec::new(),
            };
            passed.into_iter().for_each(|other| self.push(None, Some(other), options));
            let other = at.and_then(|_| theirs.pop_front());
            self.push(Some(record), other, options);
        }
        theirs.into_iter().for_each(|other| self.push(None, Some(other), options));
    }

    fn push(&mut self, a: Option<&Record<'_>>, b: Option<&Record<'_>>, options: DiffOptions) {
        let change = Change { a: a.map(Entry::of), b: b.map(Entry::of) };
        let name = change.a.as_ref().or(change.b.as_ref()).map(Entry::name).unwrap_or_default();
        let column = match (a, b) {
            (Some(_), Some(_)) => 0,
            (Some(_), None) => 1,
            _ => 2,
        };
        self.counts.entry(name).or_default()[column] += 1;
        if self.changes.len() < options.list_max.max(1) {
            self.changes.push(change);
        }
    }
}

/// How many records to pass over on each side until both go on alike; the fewest in sum. All that is in the window
/// where there is no such place.
fn resync(a: &mut Side<'_>, b: &mut Side<'_>, options: DiffOptions) -> Result<(usize, usize), ReplayError> {
    let (len_a, len_b) = (a.fill(WINDOW)?, b.fill(WINDOW)?);
    for sum in 1..=len_a + len_b {
        for skip_a in sum.saturating_sub(len_b)..=sum.min(len_a) {
            let skip_b = sum - skip_a;
            if agree(a, b, skip_a, skip_b, options) {
                return Ok((skip_a, skip_b));
            }
        }
    }
    Ok((len_a.min(WINDOW), len_b.min(WINDOW)))
}

/// The next records agree, or both end there.
fn agree(a: &Side<'_>, b: &Side<'_>, skip_a: usize, skip_b: usize, options: DiffOptions) -> bool {
    (0..AGREE).all(|nth| match (a.window.get(skip_a + nth), b.window.get(skip_b + nth)) {
        (Some(left), Some(right)) => left.key == right.key && is_same(&left.record, &right.record, options),
        // Beyond the end of both journals there is nothing to disagree about.
        (None, None) => a.is_over && b.is_over || nth > 0,
        _ => false,
    })
}

struct Keyed<'a> {
    record: Record<'a>,
    /// Of what counts; equal records have equal keys.
    key: u64,
}

/// One journal, a window of it in memory.
struct Side<'a> {
    records: Records<'a>,
    options: DiffOptions,
    window: VecDeque<Keyed<'a>>,
    is_over: bool,
    read: u64,
    is_closed: bool,
}

impl<'a> Side<'a> {
    fn new(reader: &'a Reader, options: DiffOptions) -> Self {
        let window = VecDeque::with_capacity(2 * WINDOW);
        Self { records: reader.records(), options, window, is_over: false, read: 0, is_closed: false }
    }

    /// Has up to `len` records in the window; says how many there are.
    fn fill(&mut self, len: usize) -> Result<usize, ReplayError> {
        while self.window.len() < len && !self.is_over {
            match self.records.next() {
                Some(record) => {
                    let record = record.map_err(ReplayError::Damage)?;
                    self.read += 1;
                    self.is_closed |= record.kind == RecordKind::Close;
                    let key = if len > 1 { key(&record, self.options) } else { 0 };
                    self.window.push_back(Keyed { record, key });
                }
                None => self.is_over = true,
            }
        }
        if len > 1 {
            // One that was looked at alone has no key yet.
            let options = self.options;
            self.window.iter_mut().filter(|k| k.key == 0).for_each(|k| k.key = key(&k.record, options));
        }
        Ok(self.window.len())
    }

    fn peek(&mut self, nth: usize) -> Result<Option<Record<'a>>, ReplayError> {
        self.fill(nth + 1)?;
        Ok(self.window.get(nth).map(|keyed| keyed.record))
    }

    fn drop(&mut self, count: usize) {
        self.window.drain(..count.min(self.window.len()));
    }

    fn take(&mut self, count: usize) -> Vec<Record<'a>> {
        self.window.drain(..count.min(self.window.len())).map(|keyed| keyed.record).collect()
    }
}

fn is_same(a: &Record<'_>, b: &Record<'_>, options: DiffOptions) -> bool {
    let is_time_same = options.ignore_time || a.ts == b.ts;
    a.kind_code == b.kind_code
        && is_time_same
        && (a.payload == b.payload
            || with_what_counts(a, options, |a| with_what_counts(b, options, |b| a == b)))
}

/// FNV-1a; differs from 0, which stands for "not made yet".
fn key(record: &Record<'_>, options: DiffOptions) -> u64 {
    let ts = if options.ignore_time { 0 } else { record.ts.0 };
    with_what_counts(record, options, |bytes| {
        let head = u64::from(record.kind_code) ^ ts.rotate_left(17);
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
        bytes.iter().fold(0xCBF2_9CE4_8422_2325 ^ head, step) | 1
    })
}

/// The payload without the numbers that only place it.
fn with_what_counts<T>(record: &Record<'_>, options: DiffOptions, use_it: impl FnOnce(&[u8]) -> T) -> T {
    let mut buffer = Buffer::default();
    match content(record) {
        Ok(Content::Input(mut event)) => {
            event.seq = 0;
            if options.ignore_time {
                (event.ts_event, event.ts_recv) = (TsNs(0), TsNs(0));
            }
            use_it(buffer.encode(&event))
        }
        Ok(Content::Output(Output::Alert(alert))) if options.ignore_time => {
            use_it(
                buffer.encode(&Output::<smc_core::output::NewOrder>::Alert(Alert { ts: TsNs(0), ..alert })),
            )
        }
        _ => use_it(record.payload),
    }
}
