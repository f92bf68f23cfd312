//! Quoted markets: a dealer's prices for currencies, with the liquidity behind each, sessions and weekends.
//!
//! The sources here stand where a [`MarketSource`](super::MarketSource) stands for an exchange: there is no book that
//! others rest in, only the dealer's two ladders. Pure: the same settings give the same quotes.

pub mod calendar;
mod generator;
mod instrument;
mod ticks;

pub use generator::{FxGenerator, FxGeneratorSettings};
pub use instrument::FxInstrument;
pub use ticks::{FxTicks, FxTicksError};

use smc_core::{Price, Qty, TsNs};

/// Price levels of one side of a quote.
pub const LEVELS: usize = 4;

/// One price of a ladder and the units that are dealt at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FxLevel {
    /// The price.
    pub price: Price,
    /// Units of the base currency; zero where the ladder has ended.
    pub units: Qty,
}

/// What the dealer says of one instrument from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FxQuote {
    /// Market time.
    pub at: TsNs,
    /// Index into [`QuoteSource::instruments`].
    pub instrument: usize,
    /// Prices at which clients sell, best first.
    pub bids: [FxLevel; LEVELS],
    /// Prices at which clients buy, best first.
    pub asks: [FxLevel; LEVELS],
    /// Prices at which positions are closed when the ladders are empty.
    pub closeout_bid: Price,
    /// See `closeout_bid`.
    pub closeout_ask: Price,
    /// Whether anything is dealt at these prices.
    pub is_tradeable: bool,
}

impl FxQuote {
    /// The best price for a client who sells.
    pub fn bid(&self) -> Price {
        self.bids.first().filter(|level| level.units.0 > 0).map_or(self.closeout_bid, |level| level.price)
    }

    /// The best price for a client who buys.
    pub fn ask(&self) -> Price {
        self.asks.first().filter(|level| level.units.0 > 0).map_or(self.closeout_ask, |level| level.price)
    }

    /// Half way between the two, in 1e-8, rounded down.
    pub fn mid(&self) -> i64 {
        (self.bid().0 + self.ask().0).div_euclid(2)
    }
}

/// Four prices of an interval, in 1e-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ohlc {
    /// First.
    pub open: i64,
    /// Highest.
    pub high: i64,
    /// Lowest.
    pub low: i64,
    /// Last.
    pub close: i64,
}

impl Ohlc {
    /// An interval that has seen one price.
    pub const fn at(price: i64) -> Self {
        Self { open: price, high: price, low: price, close: price }
    }

    /// Takes the next price.
    pub fn see(&mut self, price: i64) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.close = price;
    }

    /// Takes a later interval.
    pub fn join(&mut self, later: &Self) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
    }
}

/// Candles of bid, ask and middle over one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FxBar {
    /// Start of the interval, in seconds since the epoch.
    pub open_s: i64,
    /// Number of prices.
    pub volume: u32,
    /// Best bids.
    pub bid: Ohlc,
    /// Best asks.
    pub ask: Ohlc,
    /// Half way between the two.
    pub mid: Ohlc,
}

impl FxBar {
    /// An interval that has seen one quote.
    pub fn of(open_s: i64, quote: &FxQuote) -> Self {
        let at = Ohlc::at;
        Self { open_s, volume: 1, bid: at(quote.bid().0), ask: at(quote.ask().0), mid: at(quote.mid()) }
    }

    /// Takes the next quote.
    pub fn see(&mut self, quote: &FxQuote) {
        self.volume += 1;
        self.bid.see(quote.bid().0);
        self.ask.see(quote.ask().0);
        self.mid.see(quote.mid());
    }

    /// Takes a later interval.
    pub fn join(&mut self, later: &Self) {
        self.volume += later.volume;
        self.bid.join(&later.bid);
        self.ask.join(&later.ask);
        self.mid.join(&later.mid);
    }
}

/// A quoted market.
///
/// Contract for implementors: `FxQuote::at` never goes back and never lies before [`start_ts`](Self::start_ts); every
/// instrument has a quote stamped `start_ts`; bids fall and asks rise along the ladder, and never cross.
pub trait QuoteSource: Send {
    /// The instruments, in the order that [`FxQuote::instrument`] counts.
    fn instruments(&self) -> &[FxInstrument];

    /// Market time of the first quotes.
    fn start_ts(&self) -> TsNs;

    /// The next quote; none when the market is over.
    fn next(&mut self) -> Option<FxQuote>;

    /// One-minute candles that closed by [`start_ts`](Self::start_ts), oldest first; minutes without prices are absent.
    fn bars(&self, _instrument: usize) -> &[FxBar] {
        &[]
    }
}
