//! What the venue says about an instrument: its grid, its minimums, whether it trades.

use crate::words::{Money, Name, Price, Qty};

/// The venue's rules for one instrument. Every field is exact; an instrument whose grid does not fit
/// 1e-8 units is refused by name where it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentSpec {
    /// The venue's symbol, upper case.
    pub symbol: Name,
    /// Asset that is bought and sold.
    pub base: Name,
    /// Asset it is paid in.
    pub quote: Name,
    /// Smallest price step; > 0.
    pub tick: Price,
    /// Smallest quantity step; > 0.
    pub lot: Qty,
    /// Smallest order quantity.
    pub qty_min: Qty,
    /// Largest order quantity.
    pub qty_max: Qty,
    /// Smallest order value.
    pub notional_min: Money,
    /// Whether the venue takes orders now.
    pub status: TradingStatus,
}

/// What the venue allows for an instrument now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TradingStatus {
    /// Not told, or a word we do not know: no new orders.
    Unknown = 0,
    /// Continuous trading.
    Trading = 1,
    /// Break, auction, maintenance or halt.
    Halted = 2,
    /// Cancels only.
    CancelOnly = 3,
}
