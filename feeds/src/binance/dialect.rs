//! What tells the streams of spot and futures apart.

use smc_core::instrument::InstrumentSpec;
use smc_core::words::{InstrumentId, Name};

use super::message::{DecodeError, Decoded, Snapshot, TimeUnit};
use super::settings::Streams;

/// One of the venue's markets.
pub trait Dialect: Sized {
    /// Connections that its streams are spread over, at most [`LINES_MAX`]; the first carries quotes and books.
    const LINES: usize;
    /// Largest depth of a snapshot.
    const SNAPSHOT_LIMIT_MAX: u16;
    /// Candle lengths in seconds that the venue has and the engine can use.
    const KLINE_SECS: &'static [u32];
    /// Number of the connection that carries trades and mark prices.
    const TRADES_LINE: usize = 0;
    /// The first connection speaks binary frames, at an address of its own and for the name of a key.
    const IS_BINARY: bool = false;

    /// A decoder that knows exactly these symbols and has taken its memory.
    fn new(instruments: &[(InstrumentId, Name)], unit: TimeUnit) -> Self;

    /// Decodes one message of a stream connection and hands on what it says, one after the other; nothing of one that is
    /// refused. The payload may be changed (escapes are undone in place).
    fn decode(&mut self, payload: &mut [u8], tell: &mut impl FnMut(Decoded<'_>)) -> Result<(), DecodeError>;

    /// The body of a depth snapshot.
    fn snapshot<'a>(&'a mut self, body: &'a mut [u8]) -> Result<Snapshot<'a>, DecodeError>;

    /// Messages so far that took the detour over the tape.
    fn tape_uses(&self) -> u64;

    /// Streams of one symbol, in lower case, on one connection.
    fn streams(streams: &Streams, line: usize, symbol: &str) -> Vec<String>;

    /// Streams of no symbol on one connection.
    fn common_streams(_streams: &Streams, _line: usize) -> Vec<String> {
        Vec::new()
    }

    /// Rules of one symbol, from the answer to the path of rules; none where they cannot be used.
    fn rules(_body: &mut [u8], _symbol: &str) -> Option<InstrumentSpec> {
        None
    }
}

/// Connections of one feed.
pub const LINES_MAX: usize = 2;
