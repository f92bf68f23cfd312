//! What the venue says about an instrument: its grid, its minimums, whether it trades.

use crate::state::{State, StateError, StateIo};
use crate::words::{Money, Name, Price, Qty, SCALE, clamp_i64, div_ceil};

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
    /// What is traded, how it is secured, and what the venue can do with its orders.
    pub contract: Contract,
}

/// What one unit of an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// How its profit is counted.
    pub kind: ContractKind,
    /// Base units of a unit (linear), or quote units of a contract (inverse); [`SCALE`] on spot.
    pub size: Qty,
    /// Part of its value that must be secured to open it, in ppm; a million on spot.
    pub margin_initial_ppm: u32,
    /// Part of its value that must stay secured, in ppm; 0 on spot.
    pub margin_maintenance_ppm: u32,
    /// The venue changes a working order in one step, so that it is never absent.
    pub can_replace: bool,
    /// The venue keeps two orders of which one cancels the other.
    pub can_oco: bool,
    /// The venue takes stop and target with the entry and places them when it fills.
    pub can_attach: bool,
    /// The venue holds reduce-only orders to what is held.
    pub can_reduce_only: bool,
}

/// How profit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ContractKind {
    /// The asset itself changes hands, paid in quote currency.
    Spot = 0,
    /// Profit in quote currency, linear in price.
    Linear = 1,
    /// Sized in quote currency, profit in base currency.
    Inverse = 2,
    /// A currency pair: profit in quote currency, converted into the account's.
    Fx = 3,
}

impl Contract {
    /// Nothing but the asset against its price.
    pub const SPOT: Self = Self {
        kind: ContractKind::Spot,
        size: Qty(SCALE),
        margin_initial_ppm: 1_000_000,
        margin_maintenance_ppm: 0,
        can_replace: false,
        can_oco: false,
        can_attach: false,
        can_reduce_only: false,
    };

    /// What one unit stands for in quote currency when the price is `price`, rounded up.
    pub fn unit_value(&self, price: Price) -> Price {
        match self.kind {
            ContractKind::Inverse => Price(self.size.0),
            _ => Price(price.notional_ceil(self.size).0),
        }
    }

    /// What one unit gains in quote currency for one unit of price, rounded up: its size; of an inverse contract
    /// bought or sold at `entry`, whose gain is valued where it is taken, its size over that price.
    pub fn gain_per_price(&self, entry: Price) -> Qty {
        match self.kind {
            ContractKind::Inverse if entry > Price::ZERO => {
                Qty(clamp_i64(div_ceil(i128::from(self.size.0) * i128::from(SCALE), entry.0.into())))
            }
            _ => self.size,
        }
    }

    /// What is sold must be owned, and what is promised to one order cannot be promised to another.
    pub const fn is_spot(&self) -> bool {
        matches!(self.kind, ContractKind::Spot)
    }

    const fn is_sound(&self) -> bool {
        let is_secured = 0 < self.margin_initial_ppm && self.margin_initial_ppm <= 1_000_000;
        self.size.0 > 0 && is_secured && self.margin_maintenance_ppm <= self.margin_initial_ppm
    }

    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            kind,
            size,
            margin_initial_ppm,
            margin_maintenance_ppm,
            can_replace,
            can_oco,
            can_attach,
            can_reduce_only,
        } = self;
        io.choice(kind, &ContractKind::ALL)?;
        io.number(size)?;
        io.number(margin_initial_ppm)?;
        io.number(margin_maintenance_ppm)?;
        for can in [can_replace, can_oco, can_attach, can_reduce_only] {
            io.flag(can)?;
        }
        Ok(())
    }
}

impl ContractKind {
    const ALL: [Self; 4] = [Self::Spot, Self::Linear, Self::Inverse, Self::Fx];
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
    /// What loading starts from: the symbol is the configuration's.
    pub(crate) const fn blank(symbol: Name) -> Self {
        Self {
            symbol,
            base: Name::EMPTY,
            quote: Name::EMPTY,
            tick: Price(0),
            lot: Qty(0),
            qty_min: Qty(0),
            qty_max: Qty(0),
            notional_min: Money(0),
            status: TradingStatus::Unknown,
            contract: Contract::SPOT,
        }
    }

    /// The first rule that makes no sense, counted from 1, for an instrument that is configured with this symbol.
    /// The quote may be any asset but the base: profit in another currency than the account's is known once that has
    /// a rate, and permits nothing before.
    pub fn fault(&self, symbol: Name) -> Option<usize> {
        let is_wrong = [
            self.symbol != symbol,
            self.quote == Name::EMPTY || self.quote == self.base,
            self.tick.0 <= 0,
            self.lot.0 <= 0,
            self.qty_min.0 < 0 || self.qty_max < self.qty_min,
            self.notional_min.0 < 0,
            !self.contract.is_sound(),
        ];
        is_wrong.iter().position(|&is_wrong| is_wrong).map(|rule| rule + 1)
    }

    /// The symbol stays: it is the configuration's, or the rules would not have been taken.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { symbol, quote, base, tick, lot, qty_min, qty_max, notional_min, status, contract } = self;
        base.state(io)?;
        quote.state(io)?;
        io.number(tick)?;
        io.number(lot)?;
        io.number(qty_min)?;
        io.number(qty_max)?;
        io.number(notional_min)?;
        io.choice(status, &TradingStatus::ALL)?;
        contract.state(io)?;
        let symbol = *symbol;
        io.sound(self.fault(symbol).is_none())
    }
}

impl TradingStatus {
    const ALL: [Self; 4] = [Self::Unknown, Self::Trading, Self::Halted, Self::CancelOnly];
}
