//! What a quantity of an instrument is worth at a price, for every kind of contract.
//!
//! Values are in the asset in which the venue settles profit, in 1e-16. They are signed so that profit is always the
//! value given minus the value taken: an inverse contract's is negative, for who holds it long owes base currency, the
//! less of it the higher the price.
//!
//! Spot is exact. So is a linear contract whose size is whole; any other value is rounded once a fill, to 1e-16 and
//! against us. Of an inverse contract that is 1e-16 of the base asset: below 1e-8 of the quote unit up to a price
//! of 1e8.

use super::amount::{AMOUNT_MAX_E16, Round, mul_div};
use crate::instrument::{Contract, ContractKind};
use crate::words::{Name, Price, SCALE, clamp_i64};

/// An instrument's assets and contract.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) base: Name,
    pub(super) quote: Name,
    pub(super) contract: Contract,
}

impl Default for Terms {
    fn default() -> Self {
        Self { base: Name::EMPTY, quote: Name::EMPTY, contract: Contract::SPOT }
    }
}

impl Terms {
    /// The asset in which profit is paid; empty until named.
    pub(super) fn settle(&self) -> Name {
        if self.contract.kind == ContractKind::Inverse { self.base } else { self.quote }
    }

    /// The asset itself changes hands.
    pub(super) fn is_spot(&self) -> bool {
        self.contract.kind == ContractKind::Spot
    }

    /// The same quantity means the same thing under both.
    pub(super) fn counts_like(&self, other: &Self) -> bool {
        let what = |terms: &Self| (terms.settle(), terms.contract.kind, terms.contract.size);
        what(self) == what(other)
    }

    /// Signed value of a signed quantity; none when it is absurd.
    #[inline]
    pub(super) fn value_e16(&self, qty: i64, price: Price, round: Round) -> Option<i128> {
        let (units, size) = (i128::from(qty), self.contract.size.0);
        let value = match self.contract.kind {
            ContractKind::Inverse if price.0 <= 0 => return None,
            ContractKind::Inverse => mul_div(-units * i128::from(size), SCALE, price.0.into(), round)?,
            _ if size == SCALE => units * i128::from(price.0),
            _ => mul_div(units * i128::from(price.0), size, SCALE.into(), round)?,
        };
        (value.saturating_abs() <= AMOUNT_MAX_E16).then_some(value)
    }

    /// The price at which `qty` has that value, rounded against us; 0 when flat.
    pub(super) fn average(&self, qty: i64, value_e16: i128) -> Price {
        let (held, value) = (i128::from(qty).abs(), value_e16.saturating_abs());
        let size = self.contract.size.0;
        let round = if qty > 0 { Round::Up } else { Round::Down };
        let price = match self.contract.kind {
            _ if held == 0 => return Price::ZERO,
            ContractKind::Inverse => mul_div(held * i128::from(size), SCALE, value, round),
            _ if size == SCALE => mul_div(value, 1, held, round),
            _ => mul_div(value, SCALE, held * i128::from(size), round),
        };
        Price(price.map_or(0, clamp_i64))
    }

    /// What `qty` units stand for at `price`, sign dropped, rounded up: what limits and margin count.
    pub(super) fn notional_e16(&self, qty: i64, price: Price) -> Option<i128> {
        let round = if self.contract.kind == ContractKind::Inverse { Round::Down } else { Round::Up };
        Some(self.value_e16(qty.saturating_abs(), price, round)?.saturating_abs())
    }
}
