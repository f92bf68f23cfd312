//! Amounts in 1e-16 of an asset, what one of them is worth in another, and the direction of every rounding.

use crate::state::{StateError, StateIo};
use crate::words::{Money, Price, SCALE, clamp_i64, div_ceil, scale_ceil, scale_floor};

/// No amount of an account that a person could have is larger: 2e21 units.
pub(super) const AMOUNT_MAX_E16: i128 = 1 << 124;
/// One unit of 1e-8 in 1e-16.
pub(super) const UNIT_E16: i128 = SCALE as i128;

/// Where a fraction goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Towards minus infinity: what we have.
    Down,
    /// Towards plus infinity: what we owe.
    Up,
}

/// `amount × factor ÷ divisor`, rounded once; none beyond `i128` or when `divisor` is not positive.
#[inline]
pub(super) fn mul_div(amount: i128, factor: i64, divisor: i128, round: Round) -> Option<i128> {
    if divisor <= 0 {
        return None;
    }
    let divide = |amount: i128| match (round, divisor == UNIT_E16) {
        (Round::Down, true) => scale_floor(amount),
        (Round::Up, true) => scale_ceil(amount),
        (Round::Down, false) => amount.div_euclid(divisor),
        (Round::Up, false) => div_ceil(amount, divisor),
    };
    let factor = i128::from(factor);
    if let Some(product) = amount.checked_mul(factor) {
        return Some(divide(product));
    }
    // Whole shares and a rest: the same quotient without the large product.
    let (whole, rest) = (amount.div_euclid(divisor), amount.rem_euclid(divisor));
    whole.checked_mul(factor)?.checked_add(divide(rest.checked_mul(factor)?))
}

/// Money that came or went: in the asset in which an instrument settles, and in the account's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// In the settlement asset, 1e-16 of it; worth what that asset is worth.
    pub settle_e16: i128,
    /// In the account's currency, 1e-16 of it.
    pub account_e16: i128,
}

impl Sum {
    pub(super) const fn settle(e16: i128) -> Self {
        Self { settle_e16: e16, account_e16: 0 }
    }

    pub(super) const fn account(e16: i128) -> Self {
        Self { settle_e16: 0, account_e16: e16 }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            settle_e16: self.settle_e16.saturating_add(other.settle_e16),
            account_e16: self.account_e16.saturating_add(other.account_e16),
        }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self {
            settle_e16: self.settle_e16.saturating_sub(other.settle_e16),
            account_e16: self.account_e16.saturating_sub(other.account_e16),
        }
    }

    pub(super) fn is_sane(&self) -> bool {
        let is_sane = |e16: i128| (-AMOUNT_MAX_E16..=AMOUNT_MAX_E16).contains(&e16);
        is_sane(self.settle_e16) && is_sane(self.account_e16)
    }

    pub(super) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { settle_e16, account_e16 } = self;
        io.number(settle_e16)?;
        io.number(account_e16)
    }
}

/// What one unit of an asset is worth in the account's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Worth {
    /// Nobody said.
    #[default]
    Unknown,
    /// It is the account's currency.
    Same,
    /// So much.
    Times(Price),
    /// So much of a second asset, and that is worth so much.
    Through(Price, Price),
}

impl Worth {
    /// An amount in the account's currency; none without a rate, but nothing is worth nothing.
    #[inline(always)]
    pub(super) fn of(self, e16: i128, round: Round) -> Option<i128> {
        match self {
            Self::Same => Some(e16),
            _ if e16 == 0 => Some(0),
            other => other.convert(e16, round),
        }
    }

    fn convert(self, e16: i128, round: Round) -> Option<i128> {
        let times = |e16: i128, price: Price| mul_div(e16, price.0, SCALE.into(), round);
        match self {
            Self::Same => Some(e16),
            Self::Times(price) => times(e16, price),
            Self::Through(first, second) => times(times(e16, first)?, second),
            Self::Unknown => None,
        }
    }

    /// Both parts of a sum in the account's currency.
    #[inline]
    pub(super) fn of_sum(self, sum: Sum, round: Round) -> Option<i128> {
        Some(self.of(sum.settle_e16, round)?.saturating_add(sum.account_e16))
    }

    /// The worth of an asset that costs `price` of this one.
    pub(super) fn through(self, price: Price) -> Self {
        match self {
            _ if price <= Price::ZERO => Self::Unknown,
            Self::Same => Self::Times(price),
            Self::Times(rate) => Self::Through(price, rate),
            Self::Through(..) | Self::Unknown => Self::Unknown,
        }
    }
}

pub(super) fn money_floor(e16: i128) -> Money {
    Money(clamp_i64(scale_floor(e16)))
}

pub(super) fn money_ceil(e16: i128) -> Money {
    Money(clamp_i64(scale_ceil(e16)))
}
