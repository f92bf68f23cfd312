//! One message to one [`Decoded`]: the scanner first, the tape for what it does not know.
//!
//! Never panics, never guesses: what cannot be used is refused with a reason. Runs on the feed's thread for
//! every message; the scanner's way allocates nothing, the tape's way nothing once its memory has grown.

use smc_core::words::{InstrumentId, Name};

use super::scanner;
use super::tape::TapeDecoder;
use crate::binance::dialect::Dialect;
use crate::binance::message::{DecodeError, Decoded, LEVELS_MAX, Levels, Snapshot, TimeUnit};
use crate::binance::settings::{Streams, TradeStream};
use crate::symbols::SymbolTable;

/// Message length that the tape has room for from the start.
const TAPE_BYTES: usize = 64 * 1024;

/// Everything that decoding keeps between messages.
pub struct Decoder {
    table: SymbolTable,
    unit: TimeUnit,
    levels: Levels,
    tape: TapeDecoder,
    /// Messages that took the detour over the tape.
    tape_uses: u64,
}

impl Decoder {
    /// Knows exactly these symbols.
    pub fn new(instruments: &[(InstrumentId, Name)], unit: TimeUnit) -> Self {
        Self {
            table: SymbolTable::new(instruments),
            unit,
            levels: Levels::new(LEVELS_MAX),
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
        scanner::scan(payload, self.unit, |symbol| table.find(symbol), &mut self.levels)
            .map(|found| found.with(&self.levels))
    }

    /// Decodes with the tape alone.
    pub fn decode_by_tape<'a>(&'a mut self, payload: &'a mut [u8]) -> Result<Decoded<'a>, DecodeError> {
        let table = &self.table;
        self.tape.decode(payload, self.unit, |symbol| table.find_any_case(symbol), &mut self.levels)
    }

    /// The body of a REST depth snapshot: its `lastUpdateId`, bids and asks. The body must be the caller's
    /// own, because the tape unescapes in place.
    pub fn snapshot<'a>(&'a mut self, body: &'a mut [u8]) -> Result<Snapshot<'a>, DecodeError> {
        if let Some(last_update_id) = scanner::scan_snapshot(body, &mut self.levels) {
            return Ok(Snapshot { last_update_id, bids: &self.levels.bids, asks: &self.levels.asks });
        }
        match self.decode_by_tape(body)? {
            Decoded::PartialDepth { last_update_id, bids, asks, .. } => {
                Ok(Snapshot { last_update_id, bids, asks })
            }
            _ => Err(DecodeError::UnknownShape),
        }
    }
}

/// Decodes one message of a stream connection. The payload may be changed (escapes are undone in place).
#[inline]
pub fn decode<'a>(payload: &'a mut [u8], decoder: &'a mut Decoder) -> Result<Decoded<'a>, DecodeError> {
    let table = &decoder.table;
    let found = scanner::scan(payload, decoder.unit, |symbol| table.find(symbol), &mut decoder.levels);
    match found {
        Some(found) => Ok(found.with(&decoder.levels)),
        None => {
            decoder.tape_uses += 1;
            decoder.decode_by_tape(payload)
        }
    }
}

/// Candle lengths in seconds that the venue has and the engine can use.
pub const KLINE_SECS: [u32; 13] =
    [1, 60, 180, 300, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800, 43_200, 86_400];

impl Dialect for Decoder {
    const LINES: usize = 1;
    const SNAPSHOT_LIMIT_MAX: u16 = 5_000;
    const KLINE_SECS: &'static [u32] = &KLINE_SECS;

    fn new(instruments: &[(InstrumentId, Name)], unit: TimeUnit) -> Self {
        Self::new(instruments, unit)
    }

    #[inline]
    fn decode(&mut self, payload: &mut [u8], tell: &mut impl FnMut(Decoded<'_>)) -> Result<(), DecodeError> {
        decode(payload, self).map(tell)
    }

    fn snapshot<'a>(&'a mut self, body: &'a mut [u8]) -> Result<Snapshot<'a>, DecodeError> {
        self.snapshot(body)
    }

    fn tape_uses(&self) -> u64 {
        self.tape_uses()
    }

    fn streams(streams: &Streams, _line: usize, symbol: &str) -> Vec<String> {
        let mut names = Vec::new();
        match streams.trades {
            TradeStream::None => {}
            TradeStream::Single => names.push(format!("{symbol}@trade")),
            TradeStream::Aggregate => names.push(format!("{symbol}@aggTrade")),
        }
        if streams.book_ticker {
            names.push(format!("{symbol}@bookTicker"));
        }
        if streams.depth {
            names.push(format!("{symbol}@depth@100ms"));
        }
        names.extend(streams.klines.iter().flatten().map(|timeframe| format!("{symbol}@kline_{timeframe}")));
        names
    }
}
