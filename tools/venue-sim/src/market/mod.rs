//! The background market: what the rest of the world does on the simulated venue.
//!
//! A source hands out aggregate book changes and trades in the order of time. It knows nothing of accounts,
//! of connections or of the orders that rest in the simulator; the exchange lays those on top.
//! Pure: a source owns its state, reads no clock, and the same settings give the same operations.

mod capture;
mod day;
pub mod fx;
mod generator;
mod merged;
mod plot;
pub(crate) mod random;
mod random_walk;
mod repeated;

pub use capture::{Capture, CaptureError};
pub use fx::{FxGenerator, FxGeneratorSettings, FxTicks, QuoteSource};
pub use generator::{Generator, GeneratorSettings};
pub use merged::{Merged, PERPETUAL};
pub use random_walk::RandomWalk;
pub use repeated::Repeated;

use smc_core::instrument::InstrumentSpec;
use smc_core::{Price, Qty, Side, TsNs};

/// A background market.
///
/// Contract for implementors:
/// - `MarketOp::at` never goes back, and never lies before [`start_ts`](Self::start_ts);
/// - the operations stamped exactly `start_ts` are the opening book: the simulator applies them before it
///   serves anybody, and sends none of them as updates;
/// - operations with one stamp and one symbol are one step of the market: only after the last of them must
///   the book be uncrossed, and only then does the venue publish the new top of book;
/// - a [`MarketOpKind::Trade`] does not change the book by itself: the level it took from is set by its own
///   `Level` operation, after the trade.
pub trait MarketSource: Send {
    /// The symbols, in the order that [`MarketOp::symbol`] counts.
    fn symbols(&self) -> &[SymbolInfo];

    /// The market time at which the market opens.
    fn start_ts(&self) -> TsNs;

    /// The next operation; none when the market is over.
    fn next(&mut self) -> Option<MarketOp>;

    /// One-minute candles that closed before [`start_ts`](Self::start_ts), oldest first, contiguous.
    fn klines(&self, _symbol: usize) -> &[Kline] {
        &[]
    }
}

/// A market in which nothing is traded and nothing happens: where a venue has quotes of its own.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl MarketSource for Nothing {
    fn symbols(&self) -> &[SymbolInfo] {
        &[]
    }

    fn start_ts(&self) -> TsNs {
        TsNs(0)
    }

    fn next(&mut self) -> Option<MarketOp> {
        None
    }
}

/// One symbol of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolInfo {
    /// The venue's rules: grid, minimums, assets.
    pub spec: InstrumentSpec,
    /// Lowest order price.
    pub price_min: Price,
    /// Highest order price.
    pub price_max: Price,
    /// Largest quantity of one market order.
    pub market_qty_max: Qty,
    /// Open orders one account may have in the symbol.
    pub orders_max: u32,
}

impl SymbolInfo {
    /// The venue's usual outer limits around a spec: prices from one tick to a million, the spec's own
    /// largest quantity for market orders too, 200 open orders.
    pub fn new(spec: InstrumentSpec) -> Self {
        Self {
            spec,
            price_min: spec.tick,
            price_max: Price(1_000_000 * smc_core::words::SCALE),
            market_qty_max: spec.qty_max,
            orders_max: 200,
        }
    }
}

/// One change of the background market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketOp {
    /// Market time.
    pub at: TsNs,
    /// Index into [`MarketSource::symbols`].
    pub symbol: usize,
    /// What happens.
    pub kind: MarketOpKind,
}

/// What a [`MarketOp`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarketOpKind {
    /// The background quantity at one price becomes `qty`; zero removes the level.
    Level {
        /// Side of the resting quantity.
        side: Side,
        /// Price of the level.
        price: Price,
        /// Absolute background quantity.
        qty: Qty,
    },
    /// A background order takes `qty` at `price`.
    Trade {
        /// Price of the trade.
        price: Price,
        /// Base quantity.
        qty: Qty,
        /// Side of the order that took.
        aggressor: Side,
    },
}

/// One candle of trade prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kline {
    /// Start of the interval.
    pub open_ts: TsNs,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base quantity traded.
    pub volume: Qty,
    /// Quote quantity traded, 1e-8.
    pub quote_volume: i64,
    /// Base quantity bought by aggressors.
    pub taker_buy_volume: Qty,
    /// Quote quantity paid by buying aggressors, 1e-8.
    pub taker_buy_quote_volume: i64,
    /// Number of trades.
    pub trades: u32,
}
