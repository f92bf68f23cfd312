//! One record: what it says, and the check that its bytes are those a writer committed.
//!
//! Pure. `parse` is the only place that turns bytes into a [`Record`]; readers, tail, recovery and the fuzz
//! entry all go through it.

use crate::crc;
use crate::error::Reason;
use crate::format::{ALIGN, RECORD_HEADER_BYTES, padded};
use smc_core::TsNs;

/// What a record's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum RecordKind {
    /// A kind this version does not know; [`Record::kind_code`] has its number. Readers pass over it.
    Unknown = 0,
    /// The configuration that the following inputs are decided under.
    Config = 1,
    /// An event, in the order the engine took it.
    Input = 2,
    /// What the engine said to the input before it.
    Output = 3,
    /// Fingerprint of all outputs so far.
    Digest = 4,
    /// State of the core.
    Snapshot = 5,
    /// Clean end: chain hash of this segment up to here, and the number of records before this one.
    Close = 6,
    /// The process started, or started again.
    Run = 7,
    /// Where the inputs that follow came from: an importer's note about a file, as text.
    Source = 8,
}

/// One committed, checked record, in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Consecutive over the whole journal, from 1.
    pub seq: u64,
    /// What the payload is.
    pub kind: RecordKind,
    /// The kind's number, also of kinds not known here.
    pub kind_code: u16,
    /// Reserved; zero in version 1.
    pub flags: u16,
    /// As the writer's caller gave it. May go back: the sequence is the order, not the time.
    pub ts: TsNs,
    /// The caller's bytes.
    pub payload: &'a [u8],
    /// Number of the segment it stands in.
    pub segment: u32,
    /// Its offset there.
    pub offset: u64,
}

/// Bytes that may be growing under the reader: a plain slice, or a map another thread writes to.
pub(crate) trait Source {
    /// Length in bytes.
    fn len(&self) -> u64;
    /// The word at a multiple of eight, loaded with Acquire where others may store it.
    fn word(&self, offset: u64) -> Option<u64>;
    /// Bytes that a commit word covers, or that nobody writes to.
    fn bytes(&self, from: u64, len: u64) -> Option<&[u8]>;
}

/// A record whose own bytes check; whether it is the expected one is the caller's question.
pub(crate) struct Parsed<'a> {
    pub seq: u64,
    pub ts: u64,
    pub kind_code: u16,
    pub flags: u16,
    /// Checksum of the record before.
    pub prev_crc: u32,
    pub crc: u32,
    pub payload: &'a [u8],
    /// With padding.
    pub size: u64,
}

impl RecordKind {
    /// By its number; [`RecordKind::Unknown`] if this version has none.
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Config,
            2 => Self::Input,
            3 => Self::Output,
            4 => Self::Digest,
            5 => Self::Snapshot,
            6 => Self::Close,
            7 => Self::Run,
            8 => Self::Source,
            _ => Self::Unknown,
        }
    }

    /// Its number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Lower-case name for people and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Config => "config",
            Self::Input => "input",
            Self::Output => "output",
            Self::Digest => "digest",
            Self::Snapshot => "snapshot",
            Self::Close => "close",
            Self::Run => "run",
            Self::Source => "source",
        }
    }
}

/// Header words of a record as they are stored, the commit word still without its checksum.
pub(crate) fn header_words(
    payload_len: usize,
    seq: u64,
    ts: u64,
    kind_code: u16,
    flags: u16,
    prev_crc: u32,
) -> [u64; 4] {
    let length = RECORD_HEADER_BYTES + payload_len as u64;
    [length << 32, seq, ts, u64::from(kind_code) | u64::from(flags) << 16 | u64::from(prev_crc) << 32]
}

/// The record at `offset`, `None` if nothing is written there.
pub(crate) fn parse<S: Source + ?Sized>(source: &S, offset: u64) -> Result<Option<Parsed<'_>>, Reason> {
    let room = source.len().saturating_sub(offset);
    let Some(commit) = source.word(offset) else {
        return Ok(None);
    };
    if commit == 0 {
        return Ok(None);
    }
    let length = commit >> 32;
    let size = padded(length);
    if length < RECORD_HEADER_BYTES || size > room {
        return Err(Reason::Length { found: length, room });
    }
    let bad = Reason::Length { found: length, room };
    let bytes = source.bytes(offset, size).ok_or(bad.clone())?;
    let (head, body) = bytes.split_at_checked(RECORD_HEADER_BYTES as usize).ok_or(bad.clone())?;
    let [commit, seq, ts, last] = words(head);
    // The padding is under the checksum with the payload: it must be zero, and it is checked to be.
    let computed = crc::record([commit & !0xFFFF_FFFF, seq, ts, last], body);
    let stored = commit as u32;
    if stored != computed {
        return Err(Reason::Checksum { stored, computed });
    }
    let payload = body.get(..(length - RECORD_HEADER_BYTES) as usize).ok_or(bad)?;
    let kind_code = last as u16;
    let flags = (last >> 16) as u16;
    Ok(Some(Parsed { seq, ts, kind_code, flags, prev_crc: (last >> 32) as u32, crc: stored, payload, size }))
}

fn words(head: &[u8]) -> [u64; 4] {
    let mut out = [0; 4];
    let (chunks, _) = head.as_chunks::<8>();
    for (word, chunk) in out.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    out
}

impl Source for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn word(&self, offset: u64) -> Option<u64> {
        let bytes = Source::bytes(self, offset, ALIGN)?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    }

    fn bytes(&self, from: u64, len: u64) -> Option<&[u8]> {
        let from = usize::try_from(from).ok()?;
        self.get(from..from.checked_add(usize::try_from(len).ok()?)?)
    }
}
