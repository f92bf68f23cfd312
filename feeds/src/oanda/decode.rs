//! One line to one [`Decoded`]: the scanner first, the tape for what it does not know.
//!
//! Never panics, never guesses: what cannot be used is refused with a reason. Runs on the feed's thread for every line; the
//! scanner's way allocates nothing, the tape's way nothing once its memory has grown.

use simd_json::prelude::*;
use simd_json::{Buffers, Tape};
use smc_core::words::{InstrumentId, Name};

use super::fields::Fields;
use super::message::{DecodeError, Decoded, short_name};
use super::scanner;
use crate::symbols::SymbolTable;

/// Deepest nesting accepted; the venue's lines have four.
const DEPTH_MAX: usize = 32;
/// Line length that the tape has room for from the start.
const TAPE_BYTES: usize = 16 * 1024;

/// Everything that decoding keeps between lines.
pub struct Decoder {
    table: SymbolTable,
    tape: TapeDecoder,
    /// Lines that took the detour over the tape.
    tape_uses: u64,
}

impl Decoder {
    /// Knows exactly these instruments.
    pub fn new(instruments: &[(InstrumentId, Name)]) -> Self {
        Self { table: SymbolTable::new(instruments), tape: TapeDecoder::new(TAPE_BYTES), tape_uses: 0 }
    }

    /// Decodes one line, which may be changed (escapes are undone in place).
    #[inline]
    pub fn decode(&mut self, line: &mut [u8]) -> Result<Decoded, DecodeError> {
        match self.scan(line) {
            Some(decoded) => Ok(decoded),
            None => {
                self.tape_uses += 1;
                self.decode_by_tape(line)
            }
        }
    }

    /// Decodes with the scanner alone; none where the tape would be needed.
    #[inline]
    pub fn scan(&self, line: &[u8]) -> Option<Decoded> {
        scanner::scan(line, |symbol| self.table.find(symbol))
    }

    /// Decodes with the tape alone.
    pub fn decode_by_tape(&mut self, line: &mut [u8]) -> Result<Decoded, DecodeError> {
        let table = &self.table;
        self.tape.decode(line, |symbol| table.find(symbol.as_bytes()))
    }

    /// Lines so far that the scanner did not recognise.
    pub const fn tape_uses(&self) -> u64 {
        self.tape_uses
    }
}

/// The complete way: any key order, unknown keys, escapes, nulls. Of equal keys the first counts.
pub(super) struct TapeDecoder {
    buffers: Buffers,
    /// Always empty between lines; only its memory is of use.
    nodes: Tape<'static>,
}

impl TapeDecoder {
    /// Takes memory for lines of about `bytes_max` bytes, and parses once, so that the parser chooses its instruction set
    /// now and not on the first line.
    pub fn new(bytes_max: usize) -> Self {
        let mut this =
            Self { buffers: Buffers::with_max_depth(bytes_max, DEPTH_MAX), nodes: Tape(Vec::new()) };
        let mut warm_up = b"[".to_vec();
        warm_up.extend(b"0,".repeat(bytes_max / 2));
        warm_up.extend(b"0]");
        let outcome = this.decode(&mut warm_up, |_| Some(()));
        debug_assert_eq!(outcome, Err(DecodeError::NotAnObject));
        this
    }

    /// `resolve` names an instrument; none refuses the line by the instrument's name.
    pub fn decode<'a, S>(
        &mut self,
        line: &'a mut [u8],
        resolve: impl Fn(&'a str) -> Option<S>,
    ) -> Result<Decoded<S>, DecodeError> {
        let mut tape = std::mem::replace(&mut self.nodes, Tape(Vec::new())).reset();
        let outcome = match simd_json::fill_tape(line, &mut self.buffers, &mut tape) {
            Ok(()) => Fields::of(tape.as_value()).and_then(|fields| of(&fields, resolve)),
            Err(error) => Err(DecodeError::BadJson { at: error.index() }),
        };
        self.nodes = tape.reset();
        outcome
    }
}

/// Lines are told apart by `type`; old prices of the REST answers had none.
fn of<'a, S>(
    fields: &Fields<'_, 'a>,
    resolve: impl Fn(&'a str) -> Option<S>,
) -> Result<Decoded<S>, DecodeError> {
    let Some(kind) = fields.find("type") else { return Err(DecodeError::UnknownShape) };
    match kind.into_string().ok_or(DecodeError::WrongType { field: "type" })? {
        "PRICE" => fields.tick(resolve).map(Decoded::Price),
        "HEARTBEAT" if fields.find("lastTransactionID").is_none() => {
            Ok(Decoded::Heartbeat { ts: fields.moment("time")? })
        }
        other => Err(DecodeError::UnknownType(short_name(other))),
    }
}
