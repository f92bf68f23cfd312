//! Messages in words: what `smc decode` prints. Cold: takes any symbol and uses the tape decoder alone.

use super::tape::TapeDecoder;
use crate::binance::describe::{Description, LEVELS_MAX, describe as words};
use crate::binance::message::Levels;

/// Describes many messages with the same memory.
pub struct Describer {
    tape: TapeDecoder,
    levels: Levels,
}

impl Default for Describer {
    fn default() -> Self {
        Self::new()
    }
}

impl Describer {
    /// Takes its memory.
    pub fn new() -> Self {
        Self { tape: TapeDecoder::new(0), levels: Levels::new(LEVELS_MAX) }
    }

    /// Describes one message of the venue, whatever its symbol. Never panics.
    pub fn describe(&mut self, payload: &mut [u8]) -> Description {
        words(self.tape.decode(payload, Some, &mut self.levels))
    }
}
