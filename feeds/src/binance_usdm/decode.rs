//! One message to one [`Decoded`]: the scanner first, the tape for what it does not know.
//!
//! Never panics, never guesses: what cannot be used is refused with a reason. Runs on the feed's thread for every
//! message; the scanner's way allocates nothing, the tape's way nothing once its memory has grown.

use smc_core::instrument::InstrumentSpec;
use smc_core::words::{InstrumentId, Name};

use super::scanner;
use super::spec::instrument_spec;
use super::tape::TapeDecoder;
use crate::binance::dialect::Dialect;
use crate::binance::message::{DecodeError, Decoded, LEVELS_MAX, Levels, Snapshot, TimeUnit};
use crate::binance::settings::{Streams, TradeStream};
use crate::symbols::SymbolTable;

/// Message length that the tape has room for from the start.
const TAPE_BYTES: usize = 64 * 1024;
/// The connection of quotes and books, and that of everything else. The venue confirms a stream on the wrong one and
/// never sends it.
const PUBLIC: usize = 0;
const MARKET: usize = 1;

/// Candle lengths in seconds that the venue has and the engine can use.
pub const KLINE_SECS: [u32; 12] =
    [60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400];

/// Everything that decoding keeps between messages.
pub struct Decoder {
    table: SymbolTable,
    levels: Levels,
    tape: TapeDecoder,
    /// Messages that took the detour over the tape.
    tape_uses: u64,
}

impl Decoder {
    /// Knows exactly these symbols.
    pub fn new(instruments: &[(InstrumentId, Name)]) -> Self {
        Self {
            table: SymbolTable::new(instruments),
            levels: Levels::new(LEVELS_MAX),
            tape: TapeDecoder::new(TAPE_BYTES),
            tape_uses: 0,
        }
    }

    /// Decodes one message. The payload may be changed (escapes are undone in place).
    #[inline]
    pub fn decode<'a>(&'a mut self, payload: &'a mut [u8]) -> Result<Decoded<'a>, DecodeError> {
        let table = &self.table;
        match scanner::scan(payload, |symbol| table.find(symbol), &mut self.levels) {
            Some(found) => Ok(found.with(&self.levels)),
            None => {
                self.tape_uses += 1;
                self.decode_by_tape(payload)
            }
        }
    }

    /// Decodes with the scanner alone; none where the tape would be needed.
    pub fn scan<'a>(&'a mut self, payload: &[u8]) -> Option<Decoded<'a>> {
        let table = &self.table;
        scanner::scan(payload, |symbol| table.find(symbol), &mut self.levels)
            .map(|found| found.with(&self.levels))
    }

    /// Decodes with the tape alone.
    pub fn decode_by_tape<'a>(&'a mut self, payload: &'a mut [u8]) -> Result<Decoded<'a>, DecodeError> {
        let table = &self.table;
        self.tape.decode(payload, |symbol| table.find(symbol.as_bytes()), &mut self.levels)
    }
}

impl Dialect for Decoder {
    const LINES: usize = 2;
    const SNAPSHOT_LIMIT_MAX: u16 = 1_000;
    const KLINE_SECS: &'static [u32] = &KLINE_SECS;
    const TRADES_LINE: usize = MARKET;

    fn new(instruments: &[(InstrumentId, Name)], _unit: TimeUnit) -> Self {
        Self::new(instruments)
    }

    #[inline]
    fn decode(&mut self, payload: &mut [u8], tell: &mut impl FnMut(Decoded<'_>)) -> Result<(), DecodeError> {
        self.decode(payload).map(tell)
    }

    fn snapshot<'a>(&'a mut self, body: &'a mut [u8]) -> Result<Snapshot<'a>, DecodeError> {
        match self.decode_by_tape(body)? {
            Decoded::PartialDepth { symbol: None, last_update_id, bids, asks, .. } => {
                Ok(Snapshot { last_update_id, bids, asks })
            }
            _ => Err(DecodeError::UnknownShape),
        }
    }

    fn tape_uses(&self) -> u64 {
        self.tape_uses
    }

    fn streams(streams: &Streams, line: usize, symbol: &str) -> Vec<String> {
        let mut names = Vec::new();
        if line == PUBLIC {
            if streams.book_ticker {
                names.push(format!("{symbol}@bookTicker"));
            }
            if streams.depth {
                names.push(format!("{symbol}@depth@100ms"));
            }
        }
        if line == MARKET {
            match streams.trades {
                TradeStream::None => {}
                TradeStream::Single => names.push(format!("{symbol}@trade")),
                TradeStream::Aggregate => names.push(format!("{symbol}@aggTrade")),
            }
            if streams.mark {
                names.push(format!("{symbol}@markPrice@1s"));
            }
            let klines = streams.klines.iter().flatten();
            names.extend(klines.map(|timeframe| format!("{symbol}@kline_{timeframe}")));
        }
        names
    }

    fn common_streams(streams: &Streams, line: usize) -> Vec<String> {
        if streams.contract && line == MARKET { vec!["!contractInfo".to_owned()] } else { Vec::new() }
    }

    fn rules(body: &mut [u8], symbol: &str) -> Option<InstrumentSpec> {
        instrument_spec(body, symbol).ok()
    }
}
