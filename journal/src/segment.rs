//! Walking the records of one segment, and judging what stands behind the last good one.
//!
//! Pure: works on any bytes. [`scan`] is the door for fuzzers and for people with a lone segment file.

use crate::error::{Damage, Reason};
use crate::format::{
    ALIGN, HEADER_BYTES, Header, IDENTITY_BYTES, Identity, KIND_END, LINK_AT, LINK_BYTES, Link,
    RECORD_HEADER_BYTES, SYNCED_AT, synced_offset,
};
use crate::record::{Record, RecordKind, Source, parse};
use smc_core::TsNs;

/// What a lone segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Its number.
    pub number: u32,
    /// Who wrote it.
    pub header: Header,
    /// Number of the first record, if there is one.
    pub first_seq: Option<u64>,
    /// Valid records.
    pub records: u64,
    /// Where they end.
    pub used: u64,
    /// The writer went on in the next segment.
    pub is_ended: bool,
    /// What stands behind the last valid record, if it is not nothing.
    pub tail: Option<Damage>,
    /// Whether something valid follows that place: then it is damage in the middle, not a torn tail.
    pub is_damaged: bool,
}

/// Reads an arbitrary byte slice as one segment. Never panics; accepts only records that check.
pub fn scan(bytes: &[u8]) -> Result<Scan, Damage> {
    let at_header = |reason| Damage { segment: 0, offset: 0, seq: 0, reason };
    let head = read_head(bytes).map_err(at_header)?;
    let number = head.identity.number;
    let mut walk = match head.link {
        Some(link) => Walk::new(number, link.first_seq, Some(link.prev_crc)),
        None => Walk::unknown(number),
    };
    let mut out = Scan {
        number,
        header: head.identity.header,
        first_seq: None,
        records: 0,
        used: HEADER_BYTES,
        is_ended: false,
        tail: None,
        is_damaged: false,
    };
    loop {
        match walk.step(bytes) {
            Ok(Step::Record(record)) => {
                out.first_seq.get_or_insert(record.seq);
                out.records += 1;
            }
            Ok(Step::End) => out.is_ended = true,
            Ok(Step::Nothing) => {
                out.used = walk.offset;
                let behind = behind(bytes, walk.offset, walk.next_seq);
                out.is_damaged = behind.is_valid;
                if behind.bytes > 0 {
                    out.tail = Some(walk.damage(Reason::Unwritten));
                }
                return Ok(out);
            }
            Err(damage) => {
                out.used = walk.offset;
                out.is_damaged = behind(bytes, walk.offset, walk.next_seq).is_valid;
                out.tail = Some(damage);
                return Ok(out);
            }
        }
    }
}

/// The header's blocks, checked.
pub(crate) struct Head {
    pub identity: Identity,
    pub link: Option<Link>,
    /// Records below this offset were synced; 0 if nothing is known.
    pub synced: u64,
}

/// Reads the header. That the size is as stated and the number as named is checked by who knows them.
pub(crate) fn read_head<S: Source + ?Sized>(source: &S) -> Result<Head, Reason> {
    let short = Reason::Short { needed: HEADER_BYTES, got: source.len() };
    if source.len() < HEADER_BYTES {
        // A version or magic that is not ours is the better answer where there is enough to tell.
        Identity::from_bytes(source.bytes(0, IDENTITY_BYTES as u64).ok_or(short.clone())?)?;
        return Err(short);
    }
    let identity = Identity::from_bytes(source.bytes(0, IDENTITY_BYTES as u64).ok_or(short.clone())?)?;
    // The commit word is loaded first, with Acquire: while it is zero the block may be half written.
    let link = match source.word(LINK_AT) {
        Some(0) | None => None,
        Some(_) => Link::from_bytes(source.bytes(LINK_AT, LINK_BYTES as u64).ok_or(short.clone())?)?,
    };
    let synced = source.word(SYNCED_AT).map_or(0, synced_offset);
    let rest = source.bytes(SYNCED_AT + 8, HEADER_BYTES - SYNCED_AT - 8).ok_or(short)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(Reason::HeaderField { name: "reserved" });
    }
    Ok(Head { identity, link, synced })
}

/// A place in a segment, and what the record there must be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    pub segment: u32,
    pub offset: u64,
    pub next_seq: u64,
    /// Of the record before; `None` accepts any (a lone segment without its link).
    pub prev_crc: Option<u32>,
    pub is_ended: bool,
    /// The record before was a Close.
    pub is_closed: bool,
    /// Accepts any first sequence number.
    any_seq: bool,
}

/// What stands at a place.
pub(crate) enum Step<'a> {
    /// A valid record; the walk is behind it now.
    Record(Record<'a>),
    /// The mark that the next record is in the next segment; the walk is behind it now.
    End,
    /// Nothing is written.
    Nothing,
}

impl Walk {
    pub fn new(segment: u32, first_seq: u64, prev_crc: Option<u32>) -> Self {
        Self {
            segment,
            offset: HEADER_BYTES,
            next_seq: first_seq,
            prev_crc,
            is_ended: false,
            is_closed: false,
            any_seq: false,
        }
    }

    fn unknown(segment: u32) -> Self {
        Self { any_seq: true, ..Self::new(segment, 0, None) }
    }

    /// Reads what stands here and, if it is the expected record, goes behind it.
    #[inline]
    pub fn step<'a, S: Source + ?Sized>(&mut self, source: &'a S) -> Result<Step<'a>, Damage> {
        let parsed = match parse(source, self.offset) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Ok(Step::Nothing),
            Err(reason) => return Err(self.damage(reason)),
        };
        if self.is_ended || self.is_closed {
            return Err(self.damage(Reason::AfterEnd));
        }
        if parsed.seq != self.next_seq && !self.any_seq {
            return Err(self.damage(Reason::Sequence { found: parsed.seq }));
        }
        if let Some(expected) = self.prev_crc
            && parsed.prev_crc != expected
        {
            return Err(self.damage(Reason::Linkage { found: parsed.prev_crc, expected }));
        }
        let offset = self.offset;
        self.any_seq = false;
        self.offset += parsed.size;
        self.prev_crc = Some(parsed.crc);
        if parsed.kind_code == KIND_END {
            self.next_seq = parsed.seq;
            self.is_ended = true;
            return Ok(Step::End);
        }
        self.next_seq = parsed.seq.wrapping_add(1);
        let kind = RecordKind::from_code(parsed.kind_code);
        self.is_closed = kind == RecordKind::Close;
        Ok(Step::Record(Record {
            seq: parsed.seq,
            kind,
            kind_code: parsed.kind_code,
            flags: parsed.flags,
            ts: TsNs(parsed.ts),
            payload: parsed.payload,
            segment: self.segment,
            offset,
        }))
    }

    /// Names this place.
    #[cold]
    pub fn damage(&self, reason: Reason) -> Damage {
        Damage { segment: self.segment, offset: self.offset, seq: self.next_seq, reason }
    }
}

/// What stands behind a place where no expected record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    /// A committed record with this or a later number: the place is damage, not the end.
    pub is_valid: bool,
    /// Bytes up to the last one that is not zero.
    pub bytes: u64,
}

/// Looks at everything from `offset` to the end of the segment.
pub(crate) fn behind<S: Source + ?Sized>(source: &S, offset: u64, next_seq: u64) -> Behind {
    // Sequence numbers that could stand in the rest: bounds the work on garbage that looks like lengths.
    let last_seq = next_seq.saturating_add(source.len() / RECORD_HEADER_BYTES);
    let mut out = Behind { is_valid: false, bytes: 0 };
    let mut at = skip_zeros(source, offset);
    while at < source.len() {
        let Some(word) = source.word(at) else {
            // Fewer than eight bytes are left: a file cut at an odd place.
            let rest = source.bytes(at, source.len() - at).unwrap_or(&[]);
            if let Some(last) = rest.iter().rposition(|&byte| byte != 0) {
                out.bytes = at - offset + last as u64 + 1;
            }
            break;
        };
        if word == 0 {
            at = skip_zeros(source, at);
            continue;
        }
        out.bytes = at - offset + 8 - u64::from(word.leading_zeros() / 8);
        if !out.is_valid {
            let seq = source.word(at.saturating_add(8)).unwrap_or(0);
            let plausible = seq >= next_seq && seq <= last_seq;
            out.is_valid = plausible && matches!(parse(source, at), Ok(Some(_)));
        }
        at = at.saturating_add(ALIGN);
    }
    out
}

/// The first word at or behind `at` that is not zero, or the end: most of what stands behind the records of a segment
/// is nothing, and it is looked at in pieces that a processor likes.
fn skip_zeros<S: Source + ?Sized>(source: &S, mut at: u64) -> u64 {
    const PIECE: u64 = 4096;
    while let Some(piece) = source.bytes(at, PIECE) {
        let is_zero = |line: &[u8]| line.iter().fold(0, |all, byte| all | byte) == 0;
        if !piece.chunks(64).all(is_zero) {
            break;
        }
        at += PIECE;
    }
    while source.word(at) == Some(0) {
        at += ALIGN;
    }
    at
}
