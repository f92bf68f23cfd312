//! The arithmetic of the gate: everything one decision depends on, laid flat, and the 21 checks over it.
//!
//! Pure and total: integers only, products in `i128` and saturating, so that no input can overflow into
//! acceptance. Rounding goes against us. The gate fills [`Facts`]; nothing here looks anything up.

use crate::book::Reference;
use crate::instrument::TradingStatus;
use crate::output::{NewOrder, OrderKind, TradingState};
use crate::position::kept_of;
use crate::risk::check::{Check, Violations};
use crate::risk::limits::{AccountLimits, Limits};
use crate::sizing::Rate;
use crate::words::{Money, Price, Qty, SCALE, Side, TsNs, div_ceil};

const PPM: i128 = 1_000_000;
const MILLI: i128 = 1_000;

/// Everything the decision about one order depends on, besides the order.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Worst of the engine's, venue's, symbol's and strategy's state.
    pub state: TradingState,
    /// Worst loss breaker.
    pub loss_level: TradingState,
    /// The strategy may trade the instrument.
    pub is_allowed: bool,
    /// What the venue allows.
    pub status: TradingStatus,
    /// Price grid; 0 when unknown, which nothing fits.
    pub tick: Price,
    /// Quantity grid; 0 when unknown, which nothing fits.
    pub lot: Qty,
    /// The venue's smallest quantity.
    pub qty_min: Qty,
    /// The venue's smallest order value.
    pub notional_min: Money,
    /// Limits of the instrument.
    pub limits: Limits,
    /// Limits over all instruments.
    pub account: AccountLimits,
    /// Time of the event that wants the order.
    pub now: TsNs,
    /// The trusted price, if there is one.
    pub reference: Option<Reference>,
    /// Position in the instrument.
    pub position: Qty,
    /// The share of what is bought that the venue keeps as its fee.
    pub base_fee: Rate,
    /// Still open on the order's side of the instrument.
    pub same_side_qty: i128,
    /// Still open on the other side of the instrument.
    pub other_side_qty: i128,
    /// Exposure in the other instruments; none when one of them cannot be valued.
    pub others: Option<Exposure>,
    /// What the account is worth.
    pub equity: Money,
    /// Open orders of the instrument.
    pub open_orders: u32,
    /// Open orders overall.
    pub open_orders_all: u32,
    /// The message window is full.
    pub is_throttled: bool,
    /// The same order was accepted a moment ago, or its id was used.
    pub is_duplicate: bool,
    /// Entries of the strategy on this side since its last exit.
    pub repeats: u32,
    /// The strategy was disabled by REPEAT_EXEC and not re-armed since.
    pub is_repeat_latched: bool,
    /// An own open order on the other side would cross.
    pub is_self_trade: bool,
}

/// Exposure in quote currency, 1e-8 units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Sum of absolute worst cases.
    pub gross: i128,
    /// Signed sum of the worst cases in the order's direction.
    pub net: i128,
}

impl Facts {
    /// Runs every check; none hides another.
    pub fn violations(&self, order: &NewOrder) -> Violations {
        let reference = self.reference.map_or(0, |r| i128::from(r.price.0));
        let reduces = self.is_reducing(order);
        let mut found = Violations::NONE;
        self.check_states(reduces, &mut found);
        self.check_grid(order, &mut found);
        self.check_size(order, reference, reduces, &mut found);
        found.note(Check::PriceCollar, !self.is_within_collar(order, reference));
        found.note(Check::StaleData, self.is_stale());
        self.check_exposure(order, reference, reduces, &mut found);
        self.check_flow(reduces, &mut found);
        found
    }

    /// The order, with everything already open on its side, cannot do more than close the position. What the
    /// venue keeps of a purchase closes nothing.
    pub fn is_reducing(&self, order: &NewOrder) -> bool {
        let position = i128::from(self.position.0);
        let asked = self.same_side_qty.saturating_add(order.qty.0.into());
        let closing = match order.side {
            Side::Buy => asked.saturating_sub(kept_of(asked, self.base_fee)),
            Side::Sell => asked,
        };
        position * i128::from(order.side.sign()) < 0 && closing <= position.abs()
    }

    fn check_states(&self, reduces: bool, found: &mut Violations) {
        found.note(Check::StateBlocked, self.state >= TradingState::CancelOnly);
        found.note(Check::StateReduceOnly, self.state == TradingState::ReduceOnly && !reduces);
        found.note(Check::SymbolNotAllowed, !self.is_allowed);
        found.note(Check::InstrumentNotTrading, self.status != TradingStatus::Trading);
        found.note(Check::LossLimit, !reduces && self.loss_level >= TradingState::ReduceOnly);
    }

    fn check_grid(&self, order: &NewOrder, found: &mut Violations) {
        let is_on_tick = |price: Price| is_multiple(price.0, self.tick.0);
        let is_good_tick = match order.kind {
            OrderKind::Market => true,
            OrderKind::Limit | OrderKind::LimitMaker => is_on_tick(order.price),
            OrderKind::StopLimit => is_on_tick(order.price) && is_on_tick(order.stop_price),
        };
        found.note(Check::BadTick, !is_good_tick);
        let is_good_lot = is_multiple(order.qty.0, self.lot.0) && order.qty >= self.qty_min;
        found.note(Check::BadLot, !is_good_lot);
    }

    fn check_size(&self, order: &NewOrder, reference: i128, reduces: bool, found: &mut Violations) {
        let qty = i128::from(order.qty.0);
        let own_price = match order.kind {
            OrderKind::Market => reference,
            _ => i128::from(order.price.0),
        };
        let value_floor = qty.saturating_mul(own_price).div_euclid(SCALE.into());
        found.note(Check::MinNotional, value_floor < i128::from(self.notional_min.0) && !reduces);
        found.note(Check::MaxOrderQty, order.qty > self.limits.order_qty_max);
        let value_ceil = notional_ceil(qty, own_price.max(reference));
        found.note(Check::MaxOrderNotional, value_ceil > i128::from(self.limits.order_notional_max.0));
    }

    /// `reference × (1 − below) <= price <= reference × (1 + above)` without a division.
    ///
    /// A stop order rests far from the market by design: its trigger must lie within the passive collar either
    /// way, and its limit within the order's collar around the trigger, where it will meet the market.
    fn is_within_collar(&self, order: &NewOrder, reference: i128) -> bool {
        let aggressive = i128::from(self.limits.collar_ppm);
        let passive = i128::from(self.limits.collar_passive_ppm);
        let (below, above) = match order.side {
            Side::Buy => (passive, aggressive),
            Side::Sell => (aggressive, passive),
        };
        let price = i128::from(order.price.0);
        match order.kind {
            OrderKind::Market => true,
            OrderKind::Limit | OrderKind::LimitMaker => is_between(price, reference, below, above),
            OrderKind::StopLimit => {
                let trigger = i128::from(order.stop_price.0);
                is_between(trigger, reference, passive, passive) && is_between(price, trigger, below, above)
            }
        }
    }

    fn is_stale(&self) -> bool {
        let Some(reference) = self.reference else { return true };
        self.now.since(reference.ts) > self.limits.reference_age_max_ns
            || reference.ts.since(self.now) > self.limits.reference_skew_max_ns
            || reference.price <= Price::ZERO
    }

    fn check_exposure(&self, order: &NewOrder, reference: i128, reduces: bool, found: &mut Violations) {
        if reduces {
            return;
        }
        let side = i128::from(order.side.sign());
        let position = i128::from(self.position.0);
        let wanted = self.same_side_qty.saturating_add(order.qty.0.into());
        let worst_this_way = position.saturating_add(side * wanted);
        let worst_other_way = position.saturating_sub(side * self.other_side_qty);
        found.note(Check::MaxPosition, worst_this_way.abs() > i128::from(self.limits.position_qty_max.0));

        let worst = worst_this_way.abs().max(worst_other_way.abs());
        let net_here = notional_ceil(worst_this_way.abs(), reference) * worst_this_way.signum();
        let (gross, net) = match self.others {
            Some(others) => (
                others.gross.saturating_add(notional_ceil(worst, reference)),
                others.net.saturating_add(net_here).saturating_abs(),
            ),
            None => (i128::MAX, i128::MAX),
        };
        found.note(Check::MaxGross, gross > i128::from(self.account.gross_max.0));
        found.note(Check::MaxNet, net > i128::from(self.account.net_max.0));
        let carried = i128::from(self.equity.0) * i128::from(self.account.leverage_max_milli);
        found.note(Check::MaxLeverage, gross.saturating_mul(MILLI) > carried);
    }

    fn check_flow(&self, reduces: bool, found: &mut Violations) {
        let is_crowded = self.open_orders >= self.limits.open_orders_max
            || self.open_orders_all >= self.account.open_orders_max;
        found.note(Check::MaxOpenOrders, is_crowded);
        found.note(Check::Throttle, self.is_throttled);
        found.note(Check::Duplicate, self.is_duplicate);
        let is_repeating = self.is_repeat_latched || self.repeats >= self.limits.repeat_max;
        found.note(Check::RepeatExec, !reduces && is_repeating);
        found.note(Check::SelfTrade, self.is_self_trade);
    }
}

/// Quantity times price in quote units, rounded up; saturates.
pub(super) const fn notional_ceil(qty: i128, price: i128) -> i128 {
    let product = qty.saturating_mul(price);
    // Rounding up would divide twice; the product of two non-negative numbers allows the cheap form.
    if product >= 0 && product < i128::MAX - SCALE as i128 {
        (product + (SCALE as i128 - 1)) / SCALE as i128
    } else {
        div_ceil(product, SCALE as i128)
    }
}

const fn is_multiple(value: i64, step: i64) -> bool {
    value > 0 && step > 0 && value % step == 0
}

const fn is_between(price: i128, around: i128, below_ppm: i128, above_ppm: i128) -> bool {
    let scaled = price * PPM;
    scaled <= around * (PPM + above_ppm) && scaled >= around * (PPM - below_ppm)
}
