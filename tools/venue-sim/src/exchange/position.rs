//! A position in a linear contract: signed quantity, what it cost, what it earned.
//!
//! Pure and exact: the cost is kept in 1e-16, the unit of a price times a quantity, and only what leaves the position
//! is rounded, against its holder.

use smc_core::words::{SCALE, clamp_i64};
use smc_core::{Price, Side, TsNs};

/// What an account holds of one contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Base quantity, 1e-8; negative when sold short.
    pub qty: i64,
    /// What the held quantity was taken for, 1e-16. Invariant: zero when flat, never negative.
    cost: i128,
    /// Profit realised since the account began, fees apart, 1e-8.
    pub realised: i64,
    /// When it last changed.
    pub updated: TsNs,
}

impl Position {
    /// Takes a fill; returns the profit that it realises, 1e-8.
    pub fn take(&mut self, side: Side, price: Price, qty: i64, at: TsNs) -> i64 {
        let signed = side.sign() * qty;
        self.updated = at;
        let closing = if self.qty.signum() * signed.signum() < 0 { qty.min(self.qty.abs()) } else { 0 };
        let realised = self.close(price, closing);
        let opening = qty - closing;
        if opening > 0 {
            self.qty = self.qty.saturating_add(side.sign() * opening);
            self.cost = self.cost.saturating_add(product(price.0, opening));
        }
        realised
    }

    fn close(&mut self, price: Price, qty: i64) -> i64 {
        if qty == 0 {
            return 0;
        }
        let held = i128::from(self.qty.abs());
        let part = i128::from(qty);
        // `cost * part / held` without its overflow.
        let cost = self.cost / held * part + self.cost % held * part / held;
        let direction = i128::from(self.qty.signum());
        let profit = direction * (product(price.0, qty) - cost);
        let realised = clamp_i64(profit.div_euclid(i128::from(SCALE)));
        self.qty -= self.qty.signum() * qty;
        self.cost -= cost;
        if self.qty == 0 {
            self.cost = 0;
        }
        self.realised = self.realised.saturating_add(realised);
        realised
    }

    /// Mean price of what is held, to the nearest 1e-8; zero when flat.
    pub fn average_price(&self) -> Price {
        let held = i128::from(self.qty.abs());
        if held == 0 { Price::ZERO } else { Price(clamp_i64((self.cost + held / 2) / held)) }
    }

    /// What the held quantity was taken for, 1e-8, rounded down.
    pub fn cost(&self) -> i64 {
        clamp_i64(self.cost / i128::from(SCALE))
    }

    /// What is held is worth so much at `mark`, 1e-8; negative when sold short.
    pub fn notional(&self, mark: Price) -> i64 {
        clamp_i64(product(mark.0, self.qty) / i128::from(SCALE))
    }

    /// Profit if it were closed at `mark`, 1e-8, rounded down.
    pub fn unrealised(&self, mark: Price) -> i64 {
        let direction = i128::from(self.qty.signum());
        let profit = direction * (product(mark.0, self.qty.abs()) - self.cost);
        clamp_i64(profit.div_euclid(i128::from(SCALE)))
    }

    /// The side of an order that makes it smaller; none when flat.
    pub const fn closing_side(&self) -> Option<Side> {
        match self.qty.signum() {
            1 => Some(Side::Sell),
            -1 => Some(Side::Buy),
            _ => None,
        }
    }

    /// Quantity that an order of `side` can take away from it.
    pub fn reducible(&self, side: Side) -> i64 {
        if self.closing_side() == Some(side) { self.qty.abs() } else { 0 }
    }
}

fn product(price: i64, qty: i64) -> i128 {
    i128::from(price) * i128::from(qty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(position: &mut Position, side: Side, price: i64, qty: i64) -> i64 {
        position.take(side, Price(price * SCALE), qty * SCALE, TsNs(1)) / SCALE
    }

    #[test]
    fn a_long_position_averages_realises_and_turns_over() {
        let mut position = Position::default();
        assert_eq!(take(&mut position, Side::Buy, 100, 1), 0);
        assert_eq!(take(&mut position, Side::Buy, 110, 3), 0);
        assert_eq!(position.average_price(), Price(10_750_000_000));
        assert_eq!(position.unrealised(Price(100 * SCALE)), -30 * SCALE);
        assert_eq!(take(&mut position, Side::Sell, 120, 2), 25);
        assert_eq!(position.average_price(), Price(10_750_000_000));
        assert_eq!(take(&mut position, Side::Sell, 90, 5), -35);
        assert_eq!((position.qty, position.average_price()), (-3 * SCALE, Price(90 * SCALE)));
        assert_eq!(position.notional(Price(80 * SCALE)), -240 * SCALE);
        assert_eq!(position.unrealised(Price(80 * SCALE)), 30 * SCALE);
        assert_eq!((position.reducible(Side::Buy), position.reducible(Side::Sell)), (3 * SCALE, 0));
    }

    proptest! {
        /// Whatever the fills, cash in minus cash out is what was realised plus what is open, but for the rounding of
        /// each close: less than a unit, always against the holder.
        #[test]
        fn no_money_appears(fills in prop::collection::vec((any::<bool>(), 1..5_000_000_000_000i64, 1..3_000_000_000i64), 1..60)) {
            let mut position = Position::default();
            let mut cash = 0i128;
            let mut realised = 0i128;
            for (is_buy, price, qty) in &fills {
                let side = if *is_buy { Side::Buy } else { Side::Sell };
                realised += i128::from(position.take(side, Price(*price), *qty, TsNs(0)));
                cash -= i128::from(side.sign()) * i128::from(*price) * i128::from(*qty);
            }
            let open = i128::from(position.qty.signum()) * position.cost;
            let lost = cash + open - realised * i128::from(SCALE);
            prop_assert!(lost >= 0, "{lost} appeared");
            prop_assert!(lost <= fills.len() as i128 * i128::from(SCALE), "{lost} lost");
            prop_assert_eq!(i128::from(position.realised), realised);
            prop_assert!(position.cost >= 0 && (position.qty != 0 || position.cost == 0));
        }
    }
}
