//! One message to one [`Decoded`]: the scanner first, the tape for what it does not know.
//!
//! Never panics, never guesses: what cannot be used is refused with a reason. Runs on the feed's thread for every
//! message; the scanner's way allocates nothing, the tape's way nothing once its memory has grown.

use smc_core::words::{InstrumentId, Name};

use super::message::{DecodeError, Decoded, Rows};
use super::scanner;
use super::tape::TapeDecoder;
use crate::symbols::SymbolTable;

/// Levels kept a side of one message: a delta may replace a whole book of the deepest topic.
pub const LEVELS_MAX: usize = 2_048;

/// Message length that the tape has room for from the start.
const TAPE_BYTES: usize = 64 * 1024;

/// Everything that decoding keeps between messages.
pub struct Decoder {
    table: SymbolTable,
    rows: Rows,
    tape: TapeDecoder,
    /// Messages that took the detour over the tape.
    tape_uses: u64,
}

impl Decoder {
    /// Knows exactly these symbols.
    pub fn new(instruments: &[(InstrumentId, Name)]) -> Self {
        Self {
            table: SymbolTable::new(instruments),
            rows: Rows::new(LEVELS_MAX),
            tape: TapeDecoder::new(TAPE_BYTES),
            tape_uses: 0,
        }
    }

    /// Messages so far that the scanner did not recognise.
    pub const fn tape_uses(&self) -> u64 {
        self.tape_uses
    }

    /// Decodes with the scanner alone; none where the tape would be needed.
    pub fn scan<'a>(&'a mut self, payload: &[u8]) -> Option<Decoded<'a>> {
        let table = &self.table;
        scanner::scan(payload, |symbol| table.find(symbol), &mut self.rows)
            .map(|found| found.with(&self.rows))
    }

    /// Decodes with the tape alone.
    pub fn decode_by_tape<'a>(&'a mut self, payload: &'a mut [u8]) -> Result<Decoded<'a>, DecodeError> {
        let table = &self.table;
        self.tape.decode(payload, |symbol| table.find(symbol.as_bytes()), &mut self.rows)
    }
}

/// Decodes one message. The payload may be changed (escapes are undone in place).
#[inline]
pub fn decode<'a>(payload: &'a mut [u8], decoder: &'a mut Decoder) -> Result<Decoded<'a>, DecodeError> {
    let table = &decoder.table;
    match scanner::scan(payload, |symbol| table.find(symbol), &mut decoder.rows) {
        Some(found) => Ok(found.with(&decoder.rows)),
        None => {
            decoder.tape_uses += 1;
            decoder.decode_by_tape(payload)
        }
    }
}
