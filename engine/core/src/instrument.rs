//! What the venue says about an instrument: its grid, its minimums, whether it trades.

use crate::state::{State, StateError, StateIo};
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

impl InstrumentSpec {
    /// What loading starts from: the names are those of the configuration.
    pub(crate) const fn blank(symbol: Name, quote: Name) -> Self {
        Self {
            symbol,
            base: quote,
            quote,
            tick: Price(0),
            lot: Qty(0),
            qty_min: Qty(0),
            qty_max: Qty(0),
            notional_min: Money(0),
            status: TradingStatus::Unknown,
        }
    }

    /// The first rule that makes no sense, counted from 1, for an instrument that is configured with these names.
    pub(crate) fn fault(&self, symbol: Name, quote: Name) -> Option<usize> {
        let is_wrong = [
            self.symbol != symbol,
            self.quote != quote,
            self.tick.0 <= 0,
            self.lot.0 <= 0,
            self.qty_min.0 < 0 || self.qty_max < self.qty_min,
            self.notional_min.0 < 0,
        ];
        is_wrong.iter().position(|&is_wrong| is_wrong).map(|rule| rule + 1)
    }

    /// Symbol and quote stay: they are the configuration's, or the rules would not have been taken.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { symbol, quote, base, tick, lot, qty_min, qty_max, notional_min, status } = self;
        base.state(io)?;
        io.number(tick)?;
        io.number(lot)?;
        io.number(qty_min)?;
        io.number(qty_max)?;
        io.number(notional_min)?;
        io.choice(status, &TradingStatus::ALL)?;
        let (symbol, quote) = (*symbol, *quote);
        io.sound(self.fault(symbol, quote).is_none())
    }
}

impl TradingStatus {
    const ALL: [Self; 4] = [Self::Unknown, Self::Trading, Self::Halted, Self::CancelOnly];
}
