//! What a simulated Oanda is made of: its quotes, its limits, and what goes wrong.

use crate::market::fx::QuoteSource;
use std::fmt;

/// Everything that is Oanda's own in [`SimSettings`](crate::SimSettings).
pub struct OandaSettings {
    /// The dealer's prices.
    pub quotes: Box<dyn QuoteSource>,
    /// Ids of accounts that may hold both sides of an instrument; the others net.
    pub hedging: Vec<String>,
    /// What home conversion costs either way, in millionths of the rate.
    pub conversion_ppm: u32,
    /// How much a client may ask for.
    pub limits: OandaLimits,
    /// What goes wrong.
    pub faults: OandaFaults,
}

impl OandaSettings {
    /// Netting accounts, the venue's limits, no faults.
    pub fn new(quotes: Box<dyn QuoteSource>) -> Self {
        Self {
            quotes,
            hedging: Vec::new(),
            conversion_ppm: 5_000,
            limits: OandaLimits::default(),
            faults: OandaFaults::default(),
        }
    }
}

impl fmt::Debug for OandaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = (&self.hedging, &self.conversion_ppm, &self.limits, &self.faults);
        f.debug_tuple("OandaSettings").field(&parts).finish()
    }
}

/// Limits as the venue documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OandaLimits {
    /// REST requests in one second of market time; more are answered 429.
    pub requests_per_second: Option<u32>,
    /// New connections in one second of the wall clock; more are refused. A peer in lock step is never refused.
    pub connections_per_second: Option<u32>,
    /// Streams open at once.
    pub streams: usize,
    /// Pending orders of one account.
    pub pending_orders: usize,
    /// Open trades of one account.
    pub open_trades: usize,
    /// Transactions that the changes call looks back; older ones are answered 416.
    pub changes_back: u64,
}

impl Default for OandaLimits {
    fn default() -> Self {
        Self {
            requests_per_second: Some(120),
            connections_per_second: Some(2),
            streams: 20,
            pending_orders: 1_000,
            open_trades: 1_000,
            changes_back: 10_000,
        }
    }
}

/// Chances, in a million at each occasion, of what goes wrong. All zero by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OandaFaults {
    /// An order request is done and its connection closed instead of answered.
    pub cut_after_order: u32,
    /// A request is answered 503 and not done.
    pub unavailable: u32,
    /// A request is answered 429 and not done.
    pub too_many: u32,
    /// The answer to an order leaves before the stream has its transactions; after them otherwise.
    pub answer_first: u32,
    /// A line of the transaction stream is sent twice.
    pub repeat_line: u32,
    /// A line of the transaction stream is lost.
    pub lose_line: u32,
    /// A stream falls silent for good, heartbeats too; asked at each heartbeat.
    pub mute_stream: u32,
    /// A stream is cut inside a line; asked at each line.
    pub cut_stream: u32,
    /// A fill has a null among its conversion factors.
    pub null_factor: u32,
    /// A line or an answer has a field that no document knows.
    pub extra_field: u32,
}
