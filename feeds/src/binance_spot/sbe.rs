//! The venue's binary market streams (SBE, schema 1): fixed places instead of text.
//!
//! ```text
//! u16 blockLength | u16 templateId | u16 schemaId | u16 version | block … | groups … | u8 length, symbol
//! ```
//!
//! Little-endian, no padding; an amount is its mantissa times ten to the block's exponent. A later version may have longer
//! blocks and entries, and more behind the symbol: everything is advanced by the lengths that were received. A frame is
//! checked whole before anything of it is handed on. Never panics, never guesses, takes no memory after construction.
//!
//! Measured by `benches/stages`.

use smc_core::event::{Level, Quote, Trade};
use smc_core::words::{DecimalError, InstrumentId, Name, Price, Qty, Side, TsNs};

use super::decode::Decoder;
use crate::binance::dialect::Dialect;
use crate::binance::message::{
    DecodeError, Decoded, FrameFault, LEVELS_MAX, Levels, Snapshot, TimeUnit, short_name,
};
use crate::binance::settings::{Streams, TradeStream};
use crate::symbols::SymbolTable;

const SCHEMA: u16 = 1;
/// The version whose frames end with the symbol.
const VERSION: u16 = 0;
const HEADER_LEN: usize = 8;

const TRADES: u16 = 10_000;
const BEST_BID_ASK: u16 = 10_001;
const DEPTH_SNAPSHOT: u16 = 10_002;
const DEPTH_DIFF: u16 = 10_003;

/// Bytes of each block and entry in the oldest version.
const TRADES_BLOCK: usize = 18;
const TRADE_ENTRY: usize = 25;
const BEST_BLOCK: usize = 50;
const SNAPSHOT_BLOCK: usize = 18;
const DIFF_BLOCK: usize = 26;
const LEVEL_ENTRY: usize = 16;

/// The binary streams as a feed reads them: frames of the market, JSON for the answers to its requests, for snapshots
/// and for candles, which come on a connection of their own.
pub struct SbeStreams {
    frames: SbeDecoder,
    texts: Decoder,
}

impl Dialect for SbeStreams {
    const LINES: usize = 2;
    const SNAPSHOT_LIMIT_MAX: u16 = <Decoder as Dialect>::SNAPSHOT_LIMIT_MAX;
    const KLINE_SECS: &'static [u32] = <Decoder as Dialect>::KLINE_SECS;
    const IS_BINARY: bool = true;

    fn new(instruments: &[(InstrumentId, Name)], unit: TimeUnit) -> Self {
        Self { frames: SbeDecoder::new(instruments), texts: Decoder::new(instruments, unit) }
    }

    #[inline]
    fn decode(&mut self, payload: &mut [u8], tell: &mut impl FnMut(Decoded<'_>)) -> Result<(), DecodeError> {
        match is_frame(payload) {
            true => self.frames.decode(payload, tell).map(|_| ()),
            false => Dialect::decode(&mut self.texts, payload, tell),
        }
    }

    fn snapshot<'a>(&'a mut self, body: &'a mut [u8]) -> Result<Snapshot<'a>, DecodeError> {
        self.texts.snapshot(body)
    }

    fn tape_uses(&self) -> u64 {
        self.texts.tape_uses()
    }

    fn streams(streams: &Streams, line: usize, symbol: &str) -> Vec<String> {
        let klines = streams.klines.iter().flatten().map(|timeframe| format!("{symbol}@kline_{timeframe}"));
        if line != 0 {
            return klines.collect();
        }
        let wanted = [
            (streams.trades != TradeStream::None, "trade"),
            (streams.book_ticker, "bestBidAsk"),
            (streams.depth, "depth"),
        ];
        let wanted = wanted.iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.map(|(_, name)| format!("{symbol}@{name}")).collect()
    }
}

/// A frame of a binary stream begins with a block's length, a control answer with a brace and a quote.
pub fn is_frame(payload: &[u8]) -> bool {
    !payload.starts_with(b"{\"")
}

/// Everything that decoding keeps between frames.
pub struct SbeDecoder {
    table: SymbolTable,
    levels: Levels,
}

impl SbeDecoder {
    /// Knows exactly these symbols.
    pub fn new(instruments: &[(InstrumentId, Name)]) -> Self {
        Self { table: SymbolTable::new(instruments), levels: Levels::new(LEVELS_MAX) }
    }

    /// Decodes one frame and hands on what it says: each trade by itself, else one message. Returns how many; a frame
    /// of no trades says nothing. A frame that is refused says nothing either.
    #[inline]
    pub fn decode(&mut self, frame: &[u8], tell: &mut impl FnMut(Decoded<'_>)) -> Result<u32, DecodeError> {
        let mut reader = Reader { bytes: frame, at: 0 };
        let header = reader.take(HEADER_LEN)?;
        let (block_len, template) = (usize::from(u16_at(header, 0)), u16_at(header, 2));
        let (schema, version) = (u16_at(header, 4), u16_at(header, 6));
        if schema != SCHEMA {
            return Err(FrameFault::Schema(schema).into());
        }
        let needed = match template {
            TRADES => TRADES_BLOCK,
            BEST_BID_ASK => BEST_BLOCK,
            DEPTH_SNAPSHOT => SNAPSHOT_BLOCK,
            DEPTH_DIFF => DIFF_BLOCK,
            _ => return Err(FrameFault::Template(template).into()),
        };
        let block = reader.block(block_len, needed)?;
        match template {
            TRADES => self.trades(block, reader, version, tell),
            BEST_BID_ASK => {
                let quote = best(block)?;
                let symbol = self.symbol(&mut reader, version)?;
                tell(Decoded::BookTicker { symbol, ts: None, quote });
                Ok(1)
            }
            DEPTH_SNAPSHOT => {
                stamp(block, 0)?;
                let last_update_id = id(block, 8, "bookUpdateId")?;
                self.levels(&mut reader, i8_at(block, 16), i8_at(block, 17))?;
                let symbol = Some(self.symbol(&mut reader, version)?);
                let (bids, asks) = (&self.levels.bids, &self.levels.asks);
                tell(Decoded::PartialDepth { symbol, ts: None, last_update_id, bids, asks });
                Ok(1)
            }
            _ => {
                let ts = stamp(block, 0)?;
                let first_id = id(block, 8, "firstBookUpdateId")?;
                let last_id = id(block, 16, "lastBookUpdateId")?;
                self.levels(&mut reader, i8_at(block, 24), i8_at(block, 25))?;
                let symbol = self.symbol(&mut reader, version)?;
                let (bids, asks) = (&self.levels.bids, &self.levels.asks);
                tell(Decoded::Depth { symbol, ts, first_id, last_id, previous_id: None, bids, asks });
                Ok(1)
            }
        }
    }

    /// Several trades of one taker. All are checked, and the symbol behind them, before the first is handed on.
    #[inline]
    fn trades(
        &self,
        block: &[u8],
        mut reader: Reader<'_>,
        version: u16,
        tell: &mut impl FnMut(Decoded<'_>),
    ) -> Result<u32, DecodeError> {
        let (ts_sent, ts) = (stamp(block, 0)?, stamp(block, 8)?);
        let (price_scale, qty_scale) = (Scale::new(i8_at(block, 16)), Scale::new(i8_at(block, 17)));
        let head = reader.take(6)?;
        let entry_len = usize::from(u16_at(head, 0));
        let count = u32_at(head, 2);
        let entries = reader.entries(entry_len, TRADE_ENTRY, count as usize)?;
        let symbol = self.symbol(&mut reader, version)?;
        let read = |entry: &[u8]| trade(entry, price_scale, qty_scale);
        if count == 1 {
            let trade = read(entries)?;
            tell(Decoded::Trade { symbol, ts_sent, ts, trade, is_market: true });
            return Ok(1);
        }
        let each = || entries.chunks_exact(entry_len.max(1));
        for entry in each() {
            read(entry)?;
        }
        for entry in each() {
            tell(Decoded::Trade { symbol, ts_sent, ts, trade: read(entry)?, is_market: true });
        }
        Ok(count)
    }

    /// Bids, then asks.
    fn levels(
        &mut self,
        reader: &mut Reader<'_>,
        price_exponent: i8,
        qty_exponent: i8,
    ) -> Result<(), DecodeError> {
        let (price_scale, qty_scale) = (Scale::new(price_exponent), Scale::new(qty_exponent));
        self.levels.clear();
        let max = self.levels.max();
        for side in [&mut self.levels.bids, &mut self.levels.asks] {
            let head = reader.take(4)?;
            let (entry_len, count) = (usize::from(u16_at(head, 0)), usize::from(u16_at(head, 2)));
            if count > max {
                return Err(DecodeError::TooManyLevels { max });
            }
            let entries = reader.entries(entry_len, LEVEL_ENTRY, count)?;
            for entry in entries.chunks_exact(entry_len.max(1)) {
                let price = Price(price_scale.amount(i64_at(entry, 0), "price")?);
                let qty = Qty(qty_scale.amount(i64_at(entry, 8), "qty")?);
                side.push(Level { price, qty });
            }
        }
        Ok(())
    }

    /// The symbol, with which the oldest version ends.
    #[inline]
    fn symbol(&self, reader: &mut Reader<'_>, version: u16) -> Result<InstrumentId, DecodeError> {
        let len = reader.take(1)?.first().copied().unwrap_or(0);
        let text = reader.take(usize::from(len))?;
        let bytes = reader.bytes.len() - reader.at;
        if version == VERSION && bytes > 0 {
            return Err(FrameFault::Trailing { bytes }.into());
        }
        self.table.find(text).ok_or_else(|| {
            let name = std::str::from_utf8(text).map_or_else(|_| Name::EMPTY, short_name);
            DecodeError::UnknownSymbol(name)
        })
    }
}

#[inline]
fn best(block: &[u8]) -> Result<Quote, DecodeError> {
    stamp(block, 0)?;
    let (price, qty) = (Scale::new(i8_at(block, 16)), Scale::new(i8_at(block, 17)));
    Ok(Quote {
        update_id: id(block, 8, "bookUpdateId")?,
        bid: Price(price.amount(i64_at(block, 18), "bidPrice")?),
        bid_qty: Qty(qty.amount(i64_at(block, 26), "bidQty")?),
        ask: Price(price.amount(i64_at(block, 34), "askPrice")?),
        ask_qty: Qty(qty.amount(i64_at(block, 42), "askQty")?),
    })
}

#[inline]
fn trade(entry: &[u8], price: Scale, qty: Scale) -> Result<Trade, DecodeError> {
    let positive = |value: i64, field| if value == 0 { Err(DecodeError::Zero { field }) } else { Ok(value) };
    Ok(Trade {
        trade_id: id(entry, 0, "id")?,
        price: Price(positive(price.amount(i64_at(entry, 8), "price")?, "price")?),
        qty: Qty(positive(qty.amount(i64_at(entry, 16), "qty")?, "qty")?),
        // The buyer was resting, so the seller took.
        aggressor: match entry.get(24) {
            Some(1) => Side::Sell,
            Some(0) => Side::Buy,
            _ => return Err(DecodeError::WrongType { field: "isBuyerMaker" }),
        },
    })
}

/// Powers of ten that fit.
const POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// From mantissas to 1e-8 units.
#[derive(Clone, Copy)]
enum Scale {
    /// Multiply; 0 where the factor does not fit.
    Up(i64),
    /// Divide, where nothing is left; 0 where the divisor does not fit.
    Down(i64),
}

impl Scale {
    #[inline]
    fn new(exponent: i8) -> Self {
        let shift = i32::from(exponent) + 8;
        let power = POWERS.get(shift.unsigned_abs() as usize).copied().unwrap_or(0);
        if shift >= 0 { Self::Up(power) } else { Self::Down(power) }
    }

    /// An amount that is not negative and fits exactly.
    #[inline]
    fn amount(self, mantissa: i64, field: &'static str) -> Result<i64, DecodeError> {
        let bad = |error| DecodeError::BadNumber { field, error };
        if mantissa < 0 {
            return Err(DecodeError::Negative { field });
        }
        match self {
            _ if mantissa == 0 => Ok(0),
            Self::Up(0) => Err(bad(DecimalError::TooLarge)),
            Self::Up(power) => mantissa.checked_mul(power).ok_or(bad(DecimalError::TooLarge)),
            Self::Down(power) if power != 0 && mantissa % power == 0 => Ok(mantissa / power),
            Self::Down(_) => Err(bad(DecimalError::TooPrecise)),
        }
    }
}

/// A stamp in microseconds.
#[inline]
fn stamp(block: &[u8], at: usize) -> Result<TsNs, DecodeError> {
    let wrong = DecodeError::WrongType { field: "eventTime" };
    let value = u64::try_from(i64_at(block, at)).map_err(|_| wrong)?;
    TimeUnit::Micros.stamp(value).ok_or(wrong)
}

#[inline]
fn id(block: &[u8], at: usize, field: &'static str) -> Result<u64, DecodeError> {
    u64::try_from(i64_at(block, at)).map_err(|_| DecodeError::WrongType { field })
}

/// Walks over a frame.
#[derive(Clone, Copy)]
struct Reader<'f> {
    bytes: &'f [u8],
    /// Invariant: `at <= bytes.len()`.
    at: usize,
}

impl<'f> Reader<'f> {
    #[inline]
    fn take(&mut self, len: usize) -> Result<&'f [u8], DecodeError> {
        let end = self.at.saturating_add(len);
        let taken = self.bytes.get(self.at..end);
        let taken = taken.ok_or(FrameFault::Short { needed: end, got: self.bytes.len() })?;
        self.at = end;
        Ok(taken)
    }

    /// A block of the length received, which must hold what the oldest version holds.
    #[inline]
    fn block(&mut self, len: usize, needed: usize) -> Result<&'f [u8], DecodeError> {
        if len < needed {
            return Err(FrameFault::Block { got: len, needed }.into());
        }
        self.take(len)
    }

    /// The entries of a group; an empty group may announce any length.
    #[inline]
    fn entries(&mut self, len: usize, needed: usize, count: usize) -> Result<&'f [u8], DecodeError> {
        if count > 0 && len < needed {
            return Err(FrameFault::Block { got: len, needed }.into());
        }
        self.take(len.saturating_mul(count))
    }
}

/// What is read at a place; the callers have checked that it is inside.
#[inline]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

#[inline]
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(array(bytes, at))
}

#[inline]
fn i8_at(bytes: &[u8], at: usize) -> i8 {
    i8::from_le_bytes(array(bytes, at))
}
