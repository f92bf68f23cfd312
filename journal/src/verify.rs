//! The judgement on a whole journal: every record and every chain hash.
//!
//! Read-only and cold: hashes every committed byte.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{CLOSE_PAYLOAD_BYTES, HEADER_BYTES};
use crate::helper::chain_hasher;
use crate::reader::{Ending, Reader};
use crate::record::{RecordKind, Source};
use crate::set::Set;
use smc_core::TsNs;
use std::fmt;
use std::path::Path;

/// What a journal is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Valid records from the first on.
    pub records: u64,
    /// Number of the first: 1, or more where older segments were pruned.
    pub first_seq: u64,
    /// Records whose time lies before that of the record before them: a clock was set back. Not damage.
    pub went_back: u64,
    /// Segments that hold them.
    pub segments: u32,
    /// Each of them.
    pub list: Vec<SegmentInfo>,
    /// What does not hold in the middle: the journal is to be refused.
    pub damage: Option<Damage>,
    /// What was torn off at the end, if anything: the records before it can be kept.
    pub torn: Option<Damage>,
    /// Bytes from the torn place, or behind the place where a resumed writer cut, that are not used.
    pub dropped_bytes: u64,
    /// The last record is a Close record.
    pub is_closed: bool,
    /// Chain hash over everything valid: noted elsewhere, it shows any later change.
    pub chain: [u8; 32],
}

/// One segment of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its number.
    pub number: u32,
    /// Records in it.
    pub records: u64,
    /// Number of its first record, 0 if it has none.
    pub first_seq: u64,
    /// Number of its last record, 0 if it has none.
    pub last_seq: u64,
    /// Time of its first record.
    pub first_ts: TsNs,
    /// Time of its last record.
    pub last_ts: TsNs,
    /// Bytes used, header included.
    pub bytes_used: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// A run begins here: the journal was created or resumed.
    pub is_run_start: bool,
    /// Chain hash up to its end.
    pub chain: [u8; 32],
}

impl Verdict {
    /// Nothing damaged and nothing torn off.
    pub fn is_sound(&self) -> bool {
        self.damage.is_none() && self.torn.is_none()
    }
}

/// Checks a whole journal. `Err` is for what is no judgement: no such directory, no journal in it.
pub fn verify(dir: impl AsRef<Path>) -> Result<Verdict, JournalError> {
    match Reader::open(dir) {
        Ok(reader) => Ok(judge(&reader)),
        Err(JournalError::Damage(damage)) => Ok(Verdict { damage: Some(damage), ..Verdict::nothing() }),
        Err(error) => Err(error),
    }
}

pub(crate) fn judge(reader: &Reader) -> Verdict {
    let mut out = Verdict { first_seq: reader.first_seq(), ..Verdict::nothing() };
    let mut closes = Vec::new();
    let mut before = TsNs(0);
    let mut records = reader.records();
    for record in records.by_ref() {
        let Ok(record) = record else { break };
        out.records += 1;
        out.went_back += u64::from(record.ts < before);
        before = record.ts;
        if out.list.last().is_none_or(|info| info.number < record.segment) {
            extend(&mut out.list, reader.set(), record.segment);
        }
        let Some(info) = out.list.last_mut() else { break };
        if info.records == 0 {
            (info.first_seq, info.first_ts) = (record.seq, record.ts);
        }
        info.records += 1;
        (info.last_seq, info.last_ts) = (record.seq, record.ts);
        if record.kind == RecordKind::Close {
            closes.push((record.segment, record.offset, record.seq, record.payload));
        }
    }
    match records.ending().cloned() {
        Some(Ending::Closed) => out.is_closed = true,
        Some(Ending::Torn { at, dropped_bytes }) => {
            (out.torn, out.dropped_bytes) = (Some(at), dropped_bytes);
        }
        Some(Ending::Damaged(damage)) => out.damage = Some(damage),
        Some(Ending::Open) | None => {}
    }
    let walker = records.walker();
    extend(&mut out.list, reader.set(), walker.walk.segment);
    for (info, used) in out.list.iter_mut().zip(&walker.used) {
        info.bytes_used = *used;
    }
    if let Some(damage) = check_chain(reader.set(), &mut out, &closes) {
        let is_earlier = out.damage.as_ref().is_none_or(|other| damage.segment < other.segment);
        if is_earlier {
            out.damage = Some(damage);
        }
    }
    out.segments = out.list.len() as u32;
    out
}

/// Adds the segments up to `number`.
fn extend(list: &mut Vec<SegmentInfo>, set: &Set, number: u32) {
    for segment in set.segments.iter().skip(list.len()).take_while(|segment| segment.number <= number) {
        list.push(SegmentInfo {
            number: segment.number,
            records: 0,
            first_seq: 0,
            last_seq: 0,
            first_ts: TsNs(0),
            last_ts: TsNs(0),
            bytes_used: HEADER_BYTES,
            bytes: segment.region.len(),
            is_run_start: segment.head.link.is_some_and(|link| link.is_run_start),
            chain: [0; 32],
        });
    }
}

/// Hashes every segment and compares with what the next segment, or a Close record, says.
fn check_chain(set: &Set, out: &mut Verdict, closes: &[(u32, u64, u64, &[u8])]) -> Option<Damage> {
    let before = set.base.as_ref().map_or([0; 32], |base| base.place.prev_chain);
    let mut chain = blake3::Hash::from_bytes(before);
    for (index, (segment, info)) in set.segments.iter().zip(&mut out.list).enumerate() {
        let mut hasher = chain_hasher(&chain, &segment.region);
        let mut from = HEADER_BYTES;
        for (_, offset, seq, payload) in closes.iter().filter(|close| close.0 == segment.number) {
            hasher.update(segment.region.bytes(from, offset - from).unwrap_or_default());
            from = *offset;
            let damage =
                |reason| Some(Damage { segment: segment.number, offset: *offset, seq: *seq, reason });
            let Some((stored, count)) = payload.split_at_checked(32) else { return damage(Reason::Close) };
            if payload.len() != CLOSE_PAYLOAD_BYTES || count != (seq - 1).to_le_bytes() {
                return damage(Reason::Close);
            }
            if stored != hasher.finalize().as_bytes() {
                return damage(Reason::Chain);
            }
        }
        let rest = info.bytes_used.saturating_sub(from);
        hasher.update(segment.region.bytes(from, rest).unwrap_or_default());
        chain = hasher.finalize();
        info.chain = *chain.as_bytes();
        out.chain = info.chain;
        let next = set.segments.get(index + 1).and_then(|next| next.head.link);
        if let Some(link) = next
            && link.prev_used == info.bytes_used
            && link.prev_chain != info.chain
        {
            let (segment, seq) = (segment.number, info.first_seq);
            return Some(Damage { segment, offset: HEADER_BYTES, seq, reason: Reason::Chain });
        }
    }
    None
}

impl Verdict {
    fn nothing() -> Self {
        Self {
            records: 0,
            first_seq: 1,
            went_back: 0,
            segments: 0,
            list: Vec::new(),
            damage: None,
            torn: None,
            dropped_bytes: 0,
            is_closed: false,
            chain: [0; 32],
        }
    }
}

/// One line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(damage) = &self.damage {
            return write!(f, "damaged: {damage} ({} records before it hold)", self.records);
        }
        let Self { records, segments, dropped_bytes, .. } = self;
        match &self.torn {
            Some(at) => {
                write!(f, "cut: {records} records hold, then {dropped_bytes} bytes dropped at {at}")
            }
            None if self.is_closed => write!(f, "sound: {records} records in {segments} segments, closed"),
            None => write!(f, "sound: {records} records in {segments} segments, not closed"),
        }
    }
}
