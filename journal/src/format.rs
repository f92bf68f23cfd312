//! The bytes of format version 1: offsets, sizes, and the two blocks of a segment's header.
//!
//! Pure: no file, no map. `FORMAT.md` draws what stands here; the assertions below hold the two together.

use crate::crc;
use crate::error::Reason;

#[cfg(target_endian = "big")]
compile_error!("the journal's words are stored little-endian and read in place");

/// First eight bytes of every segment.
pub const MAGIC: [u8; 8] = *b"SMCJRNL\x1a";
/// The version this code writes, and the newest it reads.
pub const VERSION: u32 = 1;
/// The oldest version this code reads.
pub const VERSION_OLDEST: u32 = 1;
/// Bytes before the first record.
pub const HEADER_BYTES: u64 = 512;
/// Bytes of a record before its payload.
pub const RECORD_HEADER_BYTES: u64 = 32;
/// Everything starts at a multiple of this.
pub const ALIGN: u64 = 8;
/// Smallest segment that can be written.
pub const SEGMENT_BYTES_MIN: u64 = 4096;
/// Largest segment: record lengths and offsets in units of eight bytes fit 32 bits with room to spare.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 31;
/// Longest account name.
pub const ACCOUNT_BYTES: usize = 32;
/// Longest environment name.
pub const ENVIRONMENT_BYTES: usize = 16;
/// Kind code of the mark that says "the next record is in the next segment".
pub(crate) const KIND_END: u16 = 0xFFFF;
/// Payload of the Close record: chain hash up to it, and the number of records before it.
pub(crate) const CLOSE_PAYLOAD_BYTES: usize = 40;
/// Kept free in every segment, so that a Close record and an end mark always fit.
pub(crate) const RESERVE_BYTES: u64 = RECORD_HEADER_BYTES * 2 + CLOSE_PAYLOAD_BYTES as u64;

pub(crate) const IDENTITY_BYTES: usize = 256;
pub(crate) const LINK_AT: u64 = 256;
pub(crate) const LINK_BYTES: usize = 128;
pub(crate) const SYNCED_AT: u64 = 384;

const VERSION_AT: usize = 8;
const HEADER_BYTES_AT: usize = 12;
const NUMBER_AT: usize = 16;
const SEGMENT_BYTES_AT: usize = 24;
const BUILD_AT: usize = 32;
const CONFIG_AT: usize = 48;
const INSTRUMENTS_AT: usize = 80;
const ACCOUNT_AT: usize = 112;
const ENVIRONMENT_AT: usize = 144;
const IDENTITY_CRC_AT: usize = 252;

const _: () = {
    assert!(VERSION_AT == MAGIC.len());
    assert!(HEADER_BYTES_AT == VERSION_AT + 4);
    assert!(NUMBER_AT == HEADER_BYTES_AT + 4);
    assert!(SEGMENT_BYTES_AT == NUMBER_AT + 8);
    assert!(BUILD_AT == SEGMENT_BYTES_AT + 8);
    assert!(CONFIG_AT == BUILD_AT + 16);
    assert!(INSTRUMENTS_AT == CONFIG_AT + 32);
    assert!(ACCOUNT_AT == INSTRUMENTS_AT + 32);
    assert!(ENVIRONMENT_AT == ACCOUNT_AT + ACCOUNT_BYTES);
    assert!(ENVIRONMENT_AT + ENVIRONMENT_BYTES <= IDENTITY_CRC_AT);
    assert!(IDENTITY_CRC_AT + 4 == IDENTITY_BYTES);
    assert!(LINK_AT == IDENTITY_BYTES as u64);
    assert!(SYNCED_AT == LINK_AT + LINK_BYTES as u64);
    assert!(SYNCED_AT + 8 <= HEADER_BYTES);
    assert!(HEADER_BYTES.is_multiple_of(64));
    assert!(RECORD_HEADER_BYTES.is_multiple_of(ALIGN));
    assert!(RESERVE_BYTES.is_multiple_of(ALIGN));
    assert!(HEADER_BYTES + RESERVE_BYTES < SEGMENT_BYTES_MIN);
};

/// Who wrote a journal and for whom: the same in every segment's header but for build and configuration,
/// which may change when a journal is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// Hash of the program.
    pub build: [u8; 16],
    /// Hash of the configuration.
    pub config_hash: [u8; 32],
    /// Hash of the instrument table: ticks, lots, limits.
    pub instruments_hash: [u8; 32],
    /// The venue account, at most [`ACCOUNT_BYTES`] bytes.
    pub account: String,
    /// `sim`, `testnet`, `live`: at most [`ENVIRONMENT_BYTES`] bytes.
    pub environment: String,
}

/// The first block of a segment, written before the segment is handed to the writer and never again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub number: u32,
    pub segment_bytes: u64,
    pub header: Header,
}

/// The second block: how a segment hangs on the one before it. Written once the one before is hashed; until
/// then its commit word is zero, and the segment is a spare or among the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub first_seq: u64,
    /// Where the records of the segment before end; what stands behind them was dropped.
    pub prev_used: u64,
    /// CRC of the last record (or end mark) before.
    pub prev_crc: u32,
    /// This segment begins a run of the process: the journal was created or resumed here.
    pub is_run_start: bool,
    /// Chain hash of the segment before; zeros for the first.
    pub prev_chain: [u8; 32],
}

/// Rounded up to the alignment.
pub(crate) const fn padded(bytes: u64) -> u64 {
    bytes.saturating_add(ALIGN - 1) & !(ALIGN - 1)
}

impl Header {
    /// Names the field that is too long or contains a zero byte, if any.
    pub(crate) fn misfit(&self) -> Option<&'static str> {
        let fits = |text: &str, max| text.len() <= max && !text.contains('\0');
        if !fits(&self.account, ACCOUNT_BYTES) {
            return Some("account");
        }
        (!fits(&self.environment, ENVIRONMENT_BYTES)).then_some("environment")
    }
}

impl Identity {
    pub fn to_bytes(&self) -> [u8; IDENTITY_BYTES] {
        let mut out = [0; IDENTITY_BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(VERSION_AT, &VERSION.to_le_bytes());
        put(HEADER_BYTES_AT, &(HEADER_BYTES as u32).to_le_bytes());
        put(NUMBER_AT, &self.number.to_le_bytes());
        put(SEGMENT_BYTES_AT, &self.segment_bytes.to_le_bytes());
        put(BUILD_AT, &self.header.build);
        put(CONFIG_AT, &self.header.config_hash);
        put(INSTRUMENTS_AT, &self.header.instruments_hash);
        put(ACCOUNT_AT, self.header.account.as_bytes());
        put(ENVIRONMENT_AT, self.header.environment.as_bytes());
        let crc = crc::bytes(&out[..IDENTITY_CRC_AT]);
        out[IDENTITY_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Magic and version come before the checksum: another version may keep its checksum elsewhere.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Reason> {
        let short = Reason::Short { needed: HEADER_BYTES, got: bytes.len() as u64 };
        let field = Fields { bytes: bytes.get(..IDENTITY_BYTES).ok_or(short)? };
        if field.array::<8>(0) != MAGIC {
            return Err(Reason::Magic);
        }
        let version = field.u32(VERSION_AT);
        if !(VERSION_OLDEST..=VERSION).contains(&version) {
            return Err(Reason::Version { found: version });
        }
        let stored = field.u32(IDENTITY_CRC_AT);
        let computed = crc::bytes(field.slice(0, IDENTITY_CRC_AT));
        if stored != computed {
            return Err(Reason::HeaderChecksum { stored, computed });
        }
        if u64::from(field.u32(HEADER_BYTES_AT)) != HEADER_BYTES {
            return Err(Reason::HeaderField { name: "header length" });
        }
        Ok(Self {
            number: field.u32(NUMBER_AT),
            segment_bytes: field.u64(SEGMENT_BYTES_AT),
            header: Header {
                build: field.array(BUILD_AT),
                config_hash: field.array(CONFIG_AT),
                instruments_hash: field.array(INSTRUMENTS_AT),
                account: text(field.slice(ACCOUNT_AT, ACCOUNT_BYTES))
                    .ok_or(Reason::HeaderField { name: "account" })?,
                environment: text(field.slice(ENVIRONMENT_AT, ENVIRONMENT_BYTES))
                    .ok_or(Reason::HeaderField { name: "environment" })?,
            },
        })
    }
}

impl Link {
    /// The block; its first eight bytes are the commit word, to be written last.
    pub fn to_bytes(self) -> [u8; LINK_BYTES] {
        let mut out = [0; LINK_BYTES];
        out[4..8].copy_from_slice(&(LINK_BYTES as u32).to_le_bytes());
        out[8..16].copy_from_slice(&self.first_seq.to_le_bytes());
        out[16..24].copy_from_slice(&self.prev_used.to_le_bytes());
        out[24..28].copy_from_slice(&self.prev_crc.to_le_bytes());
        out[28..32].copy_from_slice(&u32::from(self.is_run_start).to_le_bytes());
        out[32..64].copy_from_slice(&self.prev_chain);
        let crc = crc::bytes(&out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` while the commit word is zero.
    pub fn from_bytes(bytes: &[u8]) -> Result<Option<Self>, Reason> {
        let short = Reason::Short { needed: HEADER_BYTES, got: LINK_AT + bytes.len() as u64 };
        let field = Fields { bytes: bytes.get(..LINK_BYTES).ok_or(short)? };
        if field.u64(0) == 0 {
            return Ok(None);
        }
        let (stored, computed) = (field.u32(0), crc::bytes(field.slice(4, LINK_BYTES - 4)));
        let (length, flags) = (field.u32(4), field.u32(28));
        if stored != computed || length as usize != LINK_BYTES || flags > 1 {
            return Err(Reason::LinkChecksum { stored, computed });
        }
        Ok(Some(Self {
            first_seq: field.u64(8),
            prev_used: field.u64(16),
            prev_crc: field.u32(24),
            is_run_start: flags == 1,
            prev_chain: field.array(32),
        }))
    }
}

/// The mark "records below this offset were synced": offset in units of eight bytes, and its checksum above.
pub(crate) fn synced_word(offset: u64) -> u64 {
    let units = (offset / ALIGN) as u32;
    u64::from(units) | u64::from(crc::bytes(&units.to_le_bytes())) << 32
}

/// The offset in a synced word; 0, meaning "nothing is known", if it does not check.
pub(crate) fn synced_offset(word: u64) -> u64 {
    let offset = u64::from(word as u32) * ALIGN;
    if word == synced_word(offset) { offset } else { 0 }
}

/// Reads fields at constant offsets of a block whose length was checked; zeros if it was not.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    fn slice(&self, at: usize, len: usize) -> &'a [u8] {
        self.bytes.get(at..at + len).unwrap_or(&[])
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.slice(at, N).try_into().unwrap_or([0; N])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }
}

/// Zero-padded UTF-8.
fn text(bytes: &[u8]) -> Option<String> {
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (text, rest) = bytes.split_at(len);
    if rest.iter().any(|&byte| byte != 0) {
        return None;
    }
    core::str::from_utf8(text).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let header = Header {
            build: [1; 16],
            config_hash: [2; 32],
            instruments_hash: [3; 32],
            account: "a".repeat(ACCOUNT_BYTES),
            environment: "testnet".into(),
        };
        Identity { number: 7, segment_bytes: 4096, header }
    }

    #[test]
    fn the_identity_reads_back_and_no_flipped_bit_passes() {
        let bytes = identity().to_bytes();
        assert_eq!(Identity::from_bytes(&bytes), Ok(identity()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Identity::from_bytes(&flipped).is_err(), "bit {bit} passed");
        }
        for cut in 0..bytes.len() {
            assert!(Identity::from_bytes(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn the_link_reads_back_and_no_flipped_bit_passes() {
        let link =
            Link { first_seq: 9, prev_used: 4000, prev_crc: 5, is_run_start: true, prev_chain: [6; 32] };
        let bytes = link.to_bytes();
        assert_eq!(Link::from_bytes(&bytes), Ok(Some(link)));
        assert_eq!(Link::from_bytes(&[0; LINK_BYTES]), Ok(None));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Link::from_bytes(&flipped).is_err(), "bit {bit} passed");
        }
    }

    #[test]
    fn a_synced_word_that_does_not_check_says_nothing() {
        assert_eq!(synced_offset(synced_word(4096)), 4096);
        assert_eq!(synced_offset(0), 0);
        for bit in 0..64 {
            assert_eq!(synced_offset(synced_word(4096) ^ 1 << bit), 0);
        }
    }

    #[test]
    fn names_that_do_not_fit_are_named() {
        let mut header = identity().header;
        assert_eq!(header.misfit(), None);
        header.account.push('a');
        assert_eq!(header.misfit(), Some("account"));
    }
}
