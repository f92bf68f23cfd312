//! What positions and working orders tie up, and what is free for more.
//!
//! Margins are of the worst case: as if every working order of the side that makes the position larger had filled, at the
//! dearest price among them and the mark. All in account currency, rounded up; what is free is rounded down, and no
//! more than the venue says. Unknown wherever a price, a rate or a value is.

use super::amount::{Round, UNIT_E16, money_ceil, money_floor, mul_div};
use super::{Held, PositionBook};
use crate::instrument::ContractKind;
use crate::orders::Orders;
use crate::output::NewOrder;
use crate::words::{InstrumentId, Money, Name, Price, Qty, SCALE, Side, clamp_i64, scale_ceil};

const ONE_PPM: i128 = 1_000_000;

/// What an order would tie up, and what there is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// The asset that changes hands: quote for a purchase on spot, base for a sale.
    Balance {
        /// Which.
        asset: Name,
        /// By this order.
        needed: Qty,
        /// Of the venue's last word, after all our working orders.
        free: Qty,
    },
    /// Margin of a contract, account currency.
    Margin {
        /// By this order: nothing while it can only reduce.
        needed: Money,
        /// After all positions and working orders.
        free: Money,
    },
}

impl Security {
    /// There is enough, leaving `1_000_000 - use_ppm` of what is free alone.
    pub fn suffices(&self, use_ppm: u32) -> bool {
        let (needed, free) = match *self {
            Self::Balance { needed, free, .. } => (needed.0, free.0),
            Self::Margin { needed, free } => (needed.0, free.0),
        };
        needed <= 0 || i128::from(needed) * ONE_PPM <= i128::from(free) * i128::from(use_ppm)
    }
}

impl PositionBook {
    /// Initial margin of `qty` units at `price`, sign dropped.
    pub fn margin_of(&self, instrument: InstrumentId, qty: i128, price: Price) -> Option<Money> {
        self.held(instrument)?.initial_e16(qty, price).map(money_ceil)
    }

    /// Initial margin of all positions and working orders.
    pub fn margin_used(&self, orders: &Orders) -> Option<Money> {
        let mut sum = 0i128;
        for instrument in self.instruments() {
            sum = sum.saturating_add(self.used_e16(instrument, orders, None)?);
        }
        Some(money_ceil(sum))
    }

    /// As [`Self::free_margin_at`], of venue 0.
    pub fn free_margin(&self, orders: &Orders) -> Option<Money> {
        self.free_margin_at(0, orders)
    }

    /// Equity that nothing ties up, account currency; negative when too much is. No more than the venue says of the account
    /// there.
    pub fn free_margin_at(&self, venue: u8, orders: &Orders) -> Option<Money> {
        let free = Money(self.known_equity()?.0.saturating_sub(self.margin_used(orders)?.0));
        let account = self.venues.get(usize::from(venue))?;
        let Some((margin, asset)) = account.margin.zip(account.asset) else { return Some(free) };
        let told = self.worth(asset).of(i128::from(margin.free.0) * UNIT_E16, Round::Down)?;
        Some(free.min(money_floor(told)))
    }

    /// What an order at `price` (of a market order: the reference) needs, and what is free for it. A spot order needs
    /// a balance, one for a contract needs margin.
    pub fn security(&self, order: &NewOrder, price: Price, orders: &Orders) -> Option<Security> {
        let held = self.held(order.instrument)?;
        if !held.terms.is_spot() {
            let with = self.used_e16(order.instrument, orders, Some((order, price)))?;
            let without = self.used_e16(order.instrument, orders, None)?;
            let needed = money_ceil(with.saturating_sub(without));
            return Some(Security::Margin { needed, free: self.free_margin_at(held.venue, orders)? });
        }
        let (asset, needed) = match order.side {
            Side::Buy => (held.terms.quote, price.notional_ceil(order.qty).0),
            Side::Sell => (held.terms.base, order.qty.0),
        };
        Some(Security::Balance {
            asset,
            needed: Qty(needed),
            free: self.free_balance(held.venue, asset, orders)?,
        })
    }

    /// The venue's balance of an asset after our working spot orders, whether or not it has locked them yet.
    fn free_balance(&self, venue: u8, asset: Name, orders: &Orders) -> Option<Qty> {
        let balance = self.balance_at(venue, asset)?;
        let mut tied = 0i128;
        for order in orders.iter() {
            let is_here = |held: &&Held| held.terms.is_spot() && held.venue == venue;
            let Some(held) = self.held(order.instrument).filter(is_here) else {
                continue;
            };
            let qty = i128::from(order.reserved_qty().0);
            if order.side == Side::Sell && held.terms.base == asset {
                tied = tied.saturating_add(qty);
            } else if order.side == Side::Buy && held.terms.quote == asset {
                let price = if order.price > Price::ZERO { order.price } else { held.price() };
                let value = qty.saturating_mul(price.0.into());
                tied = tied.saturating_add(scale_ceil(value));
            }
        }
        let whole = i128::from(balance.free.0) + i128::from(balance.locked.0);
        Some(Qty(clamp_i64(whole.saturating_sub(tied))).min(balance.free))
    }

    /// Margin that must stay for all positions at their marks.
    pub fn maintenance(&self) -> Option<Money> {
        self.maintenance_e16().map(money_ceil)
    }

    fn maintenance_e16(&self) -> Option<i128> {
        self.instruments.iter().try_fold(0i128, |sum, held| Some(sum.saturating_add(held.maintenance_e16()?)))
    }

    /// How far the price may go against a position until equity is down to the maintenance margin, in ppm of the
    /// mark, rounded down, everything else standing still; 0 when it is there already. None when flat, and when a
    /// value is unknown. Exact for linear contracts; for inverse ones with money in their base asset it is the
    /// distance to first order. A million and more of a long: it never comes.
    pub fn liquidation_distance_ppm(&self, instrument: InstrumentId) -> Option<u64> {
        let held = self.held(instrument).filter(|held| held.account.qty != 0)?;
        let value = held.notional_e16(held.account.qty, held.price()).filter(|&value| value > 0)?;
        let equity = i128::from(self.known_equity()?.0).saturating_mul(SCALE.into());
        let spare = equity.saturating_sub(self.maintenance_e16()?).max(0);
        // A long's own maintenance margin falls with the price, a short's rises.
        let own = i128::from(held.terms.contract.margin_maintenance_ppm);
        let part = if held.account.qty > 0 { ONE_PPM - own } else { ONE_PPM + own };
        let loss_per_ppm = mul_div(value, clamp_i64(part.max(1)), ONE_PPM, Round::Up)?;
        mul_div(spare, ONE_PPM as i64, loss_per_ppm.max(1), Round::Down)
            .and_then(|ppm| u64::try_from(ppm).ok())
    }

    /// Initial margin of what an instrument holds and has working, and of one more order.
    fn used_e16(
        &self,
        instrument: InstrumentId,
        orders: &Orders,
        more: Option<(&NewOrder, Price)>,
    ) -> Option<i128> {
        let held = self.held(instrument)?;
        let reserved = orders.reserved(instrument);
        let more_on = |side| match more {
            Some((order, _)) if order.side == side => i128::from(order.qty.0),
            _ => 0,
        };
        let position = i128::from(held.account.qty);
        let longest = position + reserved.buy_qty + more_on(Side::Buy);
        let shortest = position - reserved.sell_qty - more_on(Side::Sell);
        let worst = longest.abs().max(shortest.abs());
        if worst == 0 {
            return Some(0);
        }
        let marks = [held.price(), held.average(), more.map_or(Price::ZERO, |(_, price)| price)];
        let mark = marks.into_iter().find(|&price| price > Price::ZERO);
        let working = orders.of(instrument).map(|order| order.price);
        let prices =
            working.chain(more.map(|(_, price)| price)).chain(mark).filter(|&price| price > Price::ZERO);
        // A contract in quote units ties up the more base currency the lower its price.
        let dearest = match held.terms.contract.kind {
            ContractKind::Inverse => prices.min()?,
            _ => prices.max()?,
        };
        held.initial_e16(worst, dearest)
    }
}

impl Held {
    fn initial_e16(&self, qty: i128, price: Price) -> Option<i128> {
        self.part_e16(qty, price, self.terms.contract.margin_initial_ppm)
    }

    /// Of the position, at the mark.
    fn maintenance_e16(&self) -> Option<i128> {
        if self.account.qty == 0 {
            return Some(0);
        }
        let price = [self.price(), self.average()].into_iter().find(|&price| price > Price::ZERO)?;
        self.part_e16(self.account.qty.into(), price, self.terms.contract.margin_maintenance_ppm)
    }

    fn part_e16(&self, qty: i128, price: Price, ppm: u32) -> Option<i128> {
        if self.account.is_broken {
            return None;
        }
        mul_div(self.notional_e16(i64::try_from(qty).ok()?, price)?, ppm.into(), ONE_PPM, Round::Up)
    }
}
