//! The symbols this feed knows, from the venue's text to the engine's id.
//!
//! A short table searched from the front: for the few instruments of one connection a comparison of whole
//! 16-byte names beats hashing.

use smc_core::words::{InstrumentId, Name};

/// Symbols and their instruments, upper case as in payloads.
#[derive(Clone, Debug, Default)]
pub struct SymbolTable {
    rows: Vec<(Name, InstrumentId)>,
}

impl SymbolTable {
    /// Keeps the rows in the given order; of equal symbols the first wins.
    pub fn new(instruments: &[(InstrumentId, Name)]) -> Self {
        Self { rows: instruments.iter().map(|&(id, name)| (name, id)).collect() }
    }

    /// The instrument of a symbol as payloads write it.
    #[inline]
    pub fn find(&self, symbol: &[u8]) -> Option<InstrumentId> {
        self.rows.iter().find(|(name, _)| name.as_bytes() == symbol).map(|&(_, id)| id)
    }

    /// The same in any ASCII case: stream names are lower case.
    pub fn find_any_case(&self, symbol: &str) -> Option<InstrumentId> {
        self.rows.iter().find(|(name, _)| name.as_str().eq_ignore_ascii_case(symbol)).map(|&(_, id)| id)
    }
}
