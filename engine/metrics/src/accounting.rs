//! Accounts of fills for reports: position at average cost, profit, fees, funding; to eighteen decimals.
//!
//! The engine has its own ledgers, which round against us at 1e-16; here nothing is rounded before it is shown, so that
//! a report can be checked by hand. Cost is kept, not the average: closing a part moves its share of the cost into
//! profit and loses nothing, so `realised + unrealised = cash flows + position x mark` is exact, and asserted at every
//! fill.

use crate::decimal::Decimal;
use smc_core::words::Side;
use std::fmt;

/// What one unit of quantity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A unit of the base asset: worth its price. Averages are weighted by quantity.
    Linear,
    /// A unit of the quote asset, paid in the base asset: worth one over its price. Averages are harmonic.
    Inverse,
}

/// One fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Bought or sold.
    pub side: Side,
    /// Above 0.
    pub qty: Decimal,
    /// Above 0.
    pub price: Decimal,
    /// Share of the notional; negative for a rebate.
    pub fee_rate: Decimal,
}

/// Why a fill or mark was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// Quantity is 0 or less.
    Qty,
    /// Price is 0 or less.
    Price,
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Qty => f.write_str("quantity is not above 0"),
            Self::Price => f.write_str("price is not above 0"),
        }
    }
}

impl std::error::Error for AccountError {}

/// One instrument's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    kind: Kind,
    /// Signed.
    position: Decimal,
    /// Value of what is held when it was taken, in the settlement asset; 0 when flat.
    cost: Decimal,
    /// Before fees.
    realised: Decimal,
    /// What was paid, minus rebates.
    fees: Decimal,
    /// What came in for fills, minus what went out; without fees.
    cash: Decimal,
}

/// An account at a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Signed quantity.
    pub position: Decimal,
    /// None when flat.
    pub average: Option<Decimal>,
    /// Profit of what was closed, before fees.
    pub realised: Decimal,
    /// Profit of what is held.
    pub unrealised: Decimal,
    /// Paid, minus rebates.
    pub fees: Decimal,
}

impl Account {
    /// Flat.
    pub fn new(kind: Kind) -> Self {
        let [position, cost, realised, fees, cash] = std::array::from_fn(|_| Decimal::zero());
        Self { kind, position, cost, realised, fees, cash }
    }

    /// Takes a fill: against the position it closes first, and opens what is left at the fill's price.
    pub fn fill(&mut self, fill: &Fill) -> Result<(), AccountError> {
        if fill.qty.signum() <= 0 {
            return Err(AccountError::Qty);
        }
        if fill.price.signum() <= 0 {
            return Err(AccountError::Price);
        }
        let signed = if fill.side == Side::Buy { fill.qty.clone() } else { -fill.qty.clone() };
        let notional = self.value(&signed, &fill.price)?.abs();
        self.fees += &notional.times(&fill.fee_rate);
        let is_against = self.position.signum() * signed.signum() < 0;
        let closed = if is_against { fill.qty.clone().min(self.position.abs()) } else { Decimal::zero() };
        let closed = if signed.signum() < 0 { -closed } else { closed };
        let opened = signed.clone() - &closed;
        if closed.signum() != 0 {
            let is_all = self.position.clone() + &closed == Decimal::zero();
            // The share of what is closed; all of it exactly when nothing is left.
            let freed = match self.cost.times(&closed.abs()).over(&self.position.abs()) {
                Some(share) if !is_all => share,
                _ => self.cost.clone(),
            };
            let value = self.value(&closed, &fill.price)?;
            self.cost -= &freed;
            self.realised -= &freed;
            self.realised -= &value;
            self.cash -= &value;
        }
        if opened.signum() != 0 {
            let value = self.value(&opened, &fill.price)?;
            self.cost += &value;
            self.cash -= &value;
        }
        self.position += &signed;
        assert_eq!(self.realised.clone() - &self.cost, self.cash, "money came or went that no fill explains");
        Ok(())
    }

    /// How the account stands at a mark above 0.
    pub fn at(&self, mark: &Decimal) -> Result<Standing, AccountError> {
        let worth = self.value(&self.position, mark)?;
        let average = match self.kind {
            Kind::Linear => self.cost.over(&self.position),
            Kind::Inverse => (-self.position.clone()).over(&self.cost),
        };
        Ok(Standing {
            position: self.position.clone(),
            average: average.filter(|_| self.position.signum() != 0),
            realised: self.realised.clone(),
            unrealised: worth - &self.cost,
            fees: self.fees.clone(),
        })
    }

    /// Value of a signed quantity in the settlement asset. A long inverse contract is a debt of `qty / price` in it,
    /// which shrinks as the price rises.
    fn value(&self, qty: &Decimal, price: &Decimal) -> Result<Decimal, AccountError> {
        if price.signum() <= 0 {
            return Err(AccountError::Price);
        }
        match self.kind {
            Kind::Linear => Ok(qty.times(price)),
            Kind::Inverse => (-qty.clone()).over(price).ok_or(AccountError::Price),
        }
    }
}

/// Cash of a funding payment: long pays a positive rate. Linear contracts.
pub fn funding(position: &Decimal, mark: &Decimal, rate: &Decimal) -> Decimal {
    -position.times(mark).times(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn fill(side: Side, qty: &str, price: &str) -> Fill {
        Fill { side, qty: decimal(qty), price: decimal(price), fee_rate: Decimal::zero() }
    }

    fn shown(account: &Account, mark: &str) -> [String; 4] {
        let Standing { position, average, realised, unrealised, .. } = account.at(&decimal(mark)).unwrap();
        [
            position.to_string(),
            average.map_or("-".into(), |a| a.to_string()),
            realised.to_string(),
            unrealised.to_string(),
        ]
    }

    #[test]
    fn a_flip_realises_the_old_side_and_opens_at_the_fill() {
        let mut linear = Account::new(Kind::Linear);
        linear.fill(&fill(Side::Buy, "2", "100")).unwrap();
        linear.fill(&fill(Side::Buy, "1", "130")).unwrap();
        assert_eq!(shown(&linear, "110"), ["3", "110", "0", "0"]);
        linear.fill(&fill(Side::Sell, "5", "120")).unwrap();
        assert_eq!(shown(&linear, "125"), ["-2", "120", "30", "-10"]);
        linear.fill(&fill(Side::Buy, "2", "120")).unwrap();
        assert_eq!(shown(&linear, "1"), ["0", "-", "30", "0"]);

        let mut inverse = Account::new(Kind::Inverse);
        inverse.fill(&fill(Side::Buy, "100", "50")).unwrap();
        inverse.fill(&fill(Side::Buy, "100", "100")).unwrap();
        // Harmonic: 200 / (2 + 1).
        assert_eq!(shown(&inverse, "100"), ["200", "66.666666666666666667", "0", "1"]);
        inverse.fill(&fill(Side::Sell, "300", "200")).unwrap();
        assert_eq!(shown(&inverse, "100"), ["-100", "200", "2", "0.5"]);
    }

    /// V-04 (the identity is asserted inside): the sums of what was realised and is open do not depend on the path.
    #[test]
    fn profit_is_what_came_in_plus_what_is_held() {
        let count = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
        for kind in [Kind::Linear, Kind::Inverse] {
            let mut random = Random::new(44);
            let (mut account, mut flows) = (Account::new(kind), Decimal::zero());
            for _ in 0..count {
                let side = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
                let qty = format!("{}.{:03}", random.below(50), 1 + random.below(999));
                let price = format!("{}.{:02}", 80 + random.below(40), random.below(100));
                let fill = Fill { fee_rate: decimal("-0.0001"), ..fill(side, &qty, &price) };
                account.fill(&fill).unwrap();
                let value = match kind {
                    Kind::Linear => fill.qty.times(&fill.price),
                    Kind::Inverse => -fill.qty.over(&fill.price).unwrap(),
                };
                flows = if side == Side::Buy { flows - &value } else { flows + &value };
            }
            let mark = decimal("97.3");
            let standing = account.at(&mark).unwrap();
            let worth = match kind {
                Kind::Linear => standing.position.times(&mark),
                Kind::Inverse => -standing.position.over(&mark).unwrap(),
            };
            let profit = standing.realised + &standing.unrealised;
            assert_eq!(profit.to_string(), (flows + &worth).to_string());
            assert_eq!(standing.fees.signum(), -1, "a rebate is a negative fee");
        }
    }

    #[test]
    fn fills_of_nothing_are_refused_and_change_nothing() {
        let mut account = Account::new(Kind::Inverse);
        assert_eq!(account.fill(&fill(Side::Buy, "0", "1")), Err(AccountError::Qty));
        assert_eq!(account.fill(&fill(Side::Buy, "-1", "1")), Err(AccountError::Qty));
        assert_eq!(account.fill(&fill(Side::Buy, "1", "0")), Err(AccountError::Price));
        assert_eq!(account.at(&Decimal::zero()), Err(AccountError::Price));
        assert_eq!(account, Account::new(Kind::Inverse));
    }
}
