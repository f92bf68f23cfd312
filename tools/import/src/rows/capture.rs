//! Feeds as somebody recorded them: a receive time in nanoseconds, a space, the venue's message.

use super::binance::closed_bar;
use super::book::{Book, Stamps};
use super::{Draft, LineRow, Taken, needed};
use smc_core::TsNs;
use smc_core::event::{EventBody, Level};
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::{DecodeError, Decoded, Decoder, Delta, TimeUnit, decode};
use smc_feeds::binance_usdm;

const ONLY: InstrumentId = InstrumentId(0);

/// The receive time and the message.
pub(crate) fn timed(line: &str) -> Option<(TsNs, &str)> {
    let (ts, message) = line.split_once(' ')?;
    let ts: u64 = ts.parse().ok().filter(|ts| *ts > 1_000_000_000_000_000_000)?;
    let message = message.trim();
    message.starts_with('{').then_some((TsNs(ts), message))
}

fn split(line: &str) -> Result<(TsNs, &str), String> {
    timed(line).ok_or_else(|| "neither a receive time in ns nor a message behind it".into())
}

/// Messages of other instruments are none of ours; everything else that does not decode is refused.
fn refused(error: DecodeError) -> Result<Taken, String> {
    match error {
        DecodeError::UnknownSymbol(_) => Ok(Taken::Skipped("messages of other symbols")),
        error => Err(error.to_string()),
    }
}

/// How deep a snapshot was asked for, which its answer does not say: a depth that people ask for is taken to be the
/// limit, any other to be all there was.
fn asked(bids: &[Level], asks: &[Level]) -> usize {
    const USUAL: [usize; 8] = [5, 10, 20, 50, 100, 500, 1_000, 5_000];
    let deepest = bids.len().max(asks.len());
    if USUAL.contains(&deepest) { deepest } else { deepest + 1 }
}

/// Binance spot.
pub struct Spot {
    decoder: Decoder,
    book: Book,
    message: Vec<u8>,
    trades: OneStream,
}

/// A capture may hold single and aggregate trades: the same trades twice. The kind that comes first counts.
#[derive(Default)]
struct OneStream(Option<bool>);

impl OneStream {
    fn counts(&mut self, is_aggregate: bool) -> bool {
        *self.0.get_or_insert(is_aggregate) == is_aggregate
    }
}

const TWICE: &str = "trades that another stream of the capture tells";

impl Spot {
    pub fn new(symbol: Name) -> Self {
        let decoder = Decoder::new(&[(ONLY, symbol)], TimeUnit::Millis);
        Self { decoder, book: Book::new(), message: Vec::new(), trades: OneStream::default() }
    }
}

impl LineRow for Spot {
    fn row(&mut self, line: &str, _: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        let (ts_recv, message) = split(line)?;
        self.message.clear();
        self.message.extend_from_slice(message.as_bytes());
        let decoded = match decode(&mut self.message, &mut self.decoder) {
            Ok(decoded) => decoded,
            Err(error) => return refused(error),
        };
        let at = |ts_event| Stamps { ts_event, ts_recv };
        let one = |stamps: Stamps, body, out: &mut Vec<Draft>| {
            out.push(stamps.draft(body));
            Ok(Taken::Events)
        };
        match decoded {
            Decoded::Trade { ts, trade, .. } if self.trades.counts(false) => {
                one(at(ts), EventBody::Trade(trade), out)
            }
            Decoded::AggTrade { ts, trade, .. } if self.trades.counts(true) => {
                one(at(ts), EventBody::Trade(trade), out)
            }
            Decoded::Trade { .. } | Decoded::AggTrade { .. } => Ok(Taken::Skipped(TWICE)),
            Decoded::BookTicker { quote, .. } => Ok(self.book.quote(&quote, at(ts_recv), out)),
            Decoded::Depth { ts, first_id, last_id, bids, asks, .. } => {
                self.book.delta(&Delta { first_id, last_id, previous_id: None, bids, asks }, at(ts), out)
            }
            // Only a REST answer names no symbol; the top of a book is no snapshot of it.
            Decoded::PartialDepth { symbol: None, last_update_id, bids, asks, .. } => {
                self.book.snapshot(last_update_id, [bids, asks], asked(bids, asks), at(ts_recv), out)
            }
            Decoded::Kline { bar, is_closed: true, .. } if bar.trades == 0 => {
                Ok(Taken::Skipped("candles without trades"))
            }
            Decoded::Kline { timeframe, bar, is_closed: true, .. } => {
                let timeframe = needed(timeframe, "candle length", "not a part of a day")?;
                let draft = closed_bar(timeframe, bar)?;
                one(at(draft.ts_event), draft.body, out)
            }
            Decoded::Kline { .. } => Ok(Taken::Skipped("candles not closed yet")),
            _ => Ok(Taken::Skipped("messages that are no market data")),
        }
    }
}

/// Binance USD-M futures.
pub struct Usdm {
    decoder: binance_usdm::Decoder,
    book: Book,
    trades: OneStream,
    /// `u` of the change before.
    last_id: Option<u64>,
}

impl Usdm {
    pub fn new(symbol: Name) -> Self {
        let decoder = binance_usdm::Decoder::new(&[(ONLY, symbol)]);
        Self { decoder, book: Book::new(), trades: OneStream::default(), last_id: None }
    }
}

impl LineRow for Usdm {
    fn row(&mut self, line: &str, _: bool, out: &mut Vec<Draft>) -> Result<Taken, String> {
        let (ts_recv, message) = split(line)?;
        let at = |ts_event| Stamps { ts_event, ts_recv };
        let mut message = message.as_bytes().to_vec();
        let decoded = match self.decoder.decode(&mut message) {
            Ok(decoded) => decoded,
            Err(DecodeError::UnknownSymbol(_)) => return Ok(Taken::Skipped("messages of other symbols")),
            Err(error) => return Err(error.to_string()),
        };
        match decoded {
            // Insurance fund and other movements are told as trades at no price.
            Decoded::Trade { is_market: false, .. } => Ok(Taken::Skipped("messages that are no market data")),
            Decoded::Trade { ts, trade, .. } if self.trades.counts(false) => {
                out.push(at(ts).draft(EventBody::Trade(trade)));
                Ok(Taken::Events)
            }
            Decoded::AggTrade { ts, trade, .. } if self.trades.counts(true) => {
                out.push(at(ts).draft(EventBody::Trade(trade)));
                Ok(Taken::Events)
            }
            Decoded::Trade { .. } | Decoded::AggTrade { .. } => Ok(Taken::Skipped(TWICE)),
            Decoded::BookTicker { ts, quote, .. } => {
                Ok(self.book.quote(&quote, at(ts.unwrap_or(ts_recv)), out))
            }
            // Here ids have holes and a delta names its predecessor: it fits when that is the last one applied.
            Decoded::Depth { ts, previous_id, last_id, bids, asks, .. } => {
                let previous_id = previous_id.unwrap_or(last_id);
                let is_next = self.last_id.replace(last_id).is_none_or(|before| before == previous_id);
                let first_id = if is_next { previous_id.saturating_add(1).min(last_id) } else { last_id };
                self.book.delta(&Delta { first_id, last_id, previous_id: None, bids, asks }, at(ts), out)
            }
            // Only a REST answer names no symbol; the top of a book is no snapshot of it.
            Decoded::PartialDepth { symbol: None, ts, last_update_id, bids, asks } => {
                let at = at(ts.unwrap_or(ts_recv));
                self.book.snapshot(last_update_id, [bids, asks], asked(bids, asks), at, out)
            }
            _ => Ok(Taken::Skipped("messages that are no market data")),
        }
    }
}
