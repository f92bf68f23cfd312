//! The names and numbers of the gate's checks, and the set of those an order violated.

use core::fmt;

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $number:literal, $name:literal;)*) => {
        /// One check of the gate, numbered as the risk table numbers it. The number is journaled: never reuse one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Check {
            $($(#[$doc])* $check = $number,)*
        }

        impl Check {
            /// Every check, in the order of the table.
            pub const ALL: [Self; CHECKS] = [$(Self::$check,)*];

            /// The code an operator sees: `PRICE_COLLAR`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)*
                }
            }
        }
    };
}

/// How many checks there are.
pub const CHECKS: usize = 28;

checks! {
    /// Engine, venue, symbol or strategy is in CANCEL_ONLY or HALT.
    StateBlocked = 1, "STATE_BLOCKED";
    /// The state is REDUCE_ONLY and the order does not reduce.
    StateReduceOnly = 2, "STATE_REDUCE_ONLY";
    /// The instrument is not on the strategy's allow list (or has no limits at all).
    SymbolNotAllowed = 3, "SYMBOL_NOT_ALLOWED";
    /// The venue does not trade the instrument now, or we do not know.
    InstrumentNotTrading = 4, "INSTRUMENT_NOT_TRADING";
    /// A price that is not positive or not on the tick grid.
    BadTick = 5, "BAD_TICK";
    /// A quantity that is not positive, not on the lot grid, or below the venue's smallest.
    BadLot = 6, "BAD_LOT";
    /// Worth less than the venue's smallest order.
    MinNotional = 7, "MIN_NOTIONAL";
    /// Larger than the largest quantity allowed.
    MaxOrderQty = 8, "MAX_ORDER_QTY";
    /// Worth more than the largest order allowed.
    MaxOrderNotional = 9, "MAX_ORDER_NOTIONAL";
    /// Price too far from the reference.
    PriceCollar = 10, "PRICE_COLLAR";
    /// No reference price, or it is too old, or from the future.
    StaleData = 11, "STALE_DATA";
    /// The position would be too large if all open orders on this side filled.
    MaxPosition = 12, "MAX_POSITION";
    /// Gross exposure would be too large.
    MaxGross = 13, "MAX_GROSS";
    /// Net exposure would be too large.
    MaxNet = 14, "MAX_NET";
    /// Gross exposure would be too many times the equity.
    MaxLeverage = 15, "MAX_LEVERAGE";
    /// Too many open orders, of the instrument or overall.
    MaxOpenOrders = 16, "MAX_OPEN_ORDERS";
    /// Too many messages in the window.
    Throttle = 17, "THROTTLE";
    /// The same order was accepted a moment ago, or its id was used before.
    Duplicate = 18, "DUPLICATE";
    /// Too many entries without an exit.
    RepeatExec = 19, "REPEAT_EXEC";
    /// It would trade with an open order of ours.
    SelfTrade = 20, "SELF_TRADE";
    /// A loss breaker stands at REDUCE_ONLY or worse.
    LossLimit = 21, "LOSS_LIMIT";
    /// More margin than may be used of what is free, or more than is free where the whole value is paid.
    Margin = 22, "MARGIN";
    /// More than is left of the quantity its signal was sized for.
    ParentQty = 23, "PARENT_QTY";
    /// Fewer requests left than are kept for cancels and queries.
    VenueBudget = 24, "VENUE_BUDGET";
    /// A working order that was due to be checked again and does not pass; never said of a new order.
    MaxOrderLifetime = 25, "MAX_ORDER_LIFETIME";
    /// Our clock and the venue's are too far apart.
    Clock = 26, "CLOCK";
    /// The key in use may take money out, or may not trade.
    WithdrawScope = 27, "WITHDRAW_SCOPE";
    /// Value at risk of what would be held is too large, or cannot be told.
    VarLimit = 28, "VAR_LIMIT";
}

/// The set of violated checks: bit `n - 1` is check `n`. Empty means accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Violations(u32);

impl Violations {
    /// Nothing violated.
    pub const NONE: Self = Self(0);

    /// From the bits of a journaled decision; bits no check has are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << CHECKS) - 1))
    }

    /// As `Decision::codes` carries them.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Accepted.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Was this one violated?
    pub const fn contains(self, check: Check) -> bool {
        self.0 & 1 << (check as u32 - 1) != 0
    }

    /// Adds `check` when `is_violated`.
    pub const fn note(&mut self, check: Check, is_violated: bool) {
        self.0 |= (is_violated as u32) << (check as u32 - 1);
    }

    /// Takes `check` out.
    pub const fn clear(&mut self, check: Check) {
        self.0 &= !(1 << (check as u32 - 1));
    }

    /// The violated checks, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Check> {
        Check::ALL.into_iter().filter(move |&check| self.contains(check))
    }
}

/// The names, separated by `|`; empty when accepted.
impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, check) in self.iter().enumerate() {
            if n > 0 {
                f.write_str("|")?;
            }
            f.write_str(check.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn numbers_are_those_of_the_table() {
        for (at, check) in Check::ALL.into_iter().enumerate() {
            assert_eq!(check as usize, at + 1);
        }
        assert_eq!(Check::SelfTrade as u8, 20);
    }

    #[test]
    fn a_set_reads_back_in_table_order() {
        let mut set = Violations::NONE;
        set.note(Check::LossLimit, true);
        set.note(Check::BadTick, true);
        set.note(Check::Throttle, false);
        assert_eq!(set.to_string(), "BAD_TICK|LOSS_LIMIT");
        assert_eq!(Violations::from_bits(set.bits()), set);
        assert_eq!(Violations::from_bits(u32::MAX).iter().count(), CHECKS);
    }
}
