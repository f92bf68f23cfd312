//! The arithmetic of the gate: everything one decision depends on, laid flat, and all checks over it.
//!
//! Pure and total: integers only, products in `i128` and saturating, so that no input can overflow into
//! acceptance. Rounding goes against us. The gate fills [`Facts`]; nothing here looks anything up.

use crate::book::Reference;
use crate::instrument::TradingStatus;
use crate::output::{NewOrder, OrderKind, TradingState};
use crate::position::kept_of;
use crate::risk::check::{CHECKS, Check, Violations};
use crate::risk::finding::{Amount, Bound, Finding, Findings, Sink};
use crate::risk::limits::{AccountLimits, Limits};
use crate::sizing::Rate;
use crate::words::{Money, Price, Qty, SCALE, Side, TsNs, div_ceil, scale_ceil, scale_floor};

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
    /// What one unit is worth at the reference, in account currency, rounded up; none without a rate, and what
    /// cannot be valued passes no limit of money.
    pub unit_at_reference: Option<Price>,
    /// The same at the order's own price; of a market order at the reference.
    pub unit_at_price: Option<Price>,
    /// The same in quote currency, which the venue's smallest value is in.
    pub unit_in_quote: Price,
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
    /// Open orders of the venue or strategy and their limit, where it is tighter than the account's.
    pub open_orders_scope: Option<(u32, u32)>,
    /// What the order needs to be secured, and what is free for it.
    pub margin: Margining,
    /// What is left of the quantity its signal was sized for; none for an order that belongs to no signal.
    pub parent_left: Option<i128>,
    /// Requests left, and of how many; none where the venue does not say.
    pub requests: Option<(u32, u32)>,
    /// The venue's clock minus ours; none where it is not measured.
    pub clock_offset_ns: Option<i64>,
    /// The key may trade and may not withdraw, as far as is known.
    pub is_key_fit: bool,
    /// Value at risk over equity with the order filled, ppm; none where it cannot be told. Looked at only with a limit.
    pub var_ppm: Option<u32>,
}

/// What secures an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margining {
    /// Cannot be told: the venue has not said what is free.
    Unknown,
    /// A part of the value is held back while the position is open, in the account's currency.
    Part {
        /// For this order.
        needed: Money,
        /// Of everything.
        free: Money,
    },
    /// The whole of what is given is paid at once, in what is given: quote currency or the base asset.
    Whole {
        /// For this order.
        needed: i128,
        /// Not in other orders.
        free: i128,
    },
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
    #[inline(always)]
    pub fn violations(&self, order: &NewOrder) -> Violations {
        let mut found = Violations::NONE;
        self.run(order, &mut found);
        found
    }

    /// The same checks with what each measured and the limit it was held against, in the order of the table.
    pub fn findings(&self, order: &NewOrder) -> [Finding; CHECKS] {
        let mut found = Findings::default();
        self.run(order, &mut found);
        found.0
    }

    /// The one list of checks. Inlined with its steps, so that the gate's sink leaves nothing of the measures.
    #[inline(always)]
    fn run(&self, order: &NewOrder, found: &mut impl Sink) {
        let reference = self.reference.map_or(0, |r| i128::from(r.price.0));
        let reduces = self.is_reducing(order);
        self.check_states(reduces, found);
        self.check_grid(order, found);
        self.check_size(order, reduces, found);
        self.check_collar(order, reference, found);
        self.check_age(found);
        self.check_exposure(order, reduces, found);
        self.check_flow(reduces, found);
        self.check_venue(reduces, found);
        self.check_means(order, reduces, found);
    }

    /// The order, with everything already open on its side, cannot do more than close the position. What the
    /// venue keeps of a purchase closes nothing.
    pub fn is_reducing(&self, order: &NewOrder) -> bool {
        let position = i128::from(self.position.0);
        if self.position.0.signum() * order.side.sign() >= 0 {
            return false;
        }
        let asked = self.same_side_qty.saturating_add(order.qty.0.into());
        let closing = match order.side {
            Side::Buy => asked.saturating_sub(kept_of(asked, self.base_fee)),
            Side::Sell => asked,
        };
        closing <= position.abs()
    }

    #[inline(always)]
    fn check_states(&self, reduces: bool, found: &mut impl Sink) {
        let (state, level) = (self.state, self.loss_level);
        found.note(Check::StateBlocked, false, state >= TradingState::CancelOnly, || {
            (Amount::State(state), Bound::Below(Amount::State(TradingState::CancelOnly)))
        });
        found.note(Check::StateReduceOnly, reduces, state == TradingState::ReduceOnly, || {
            (Amount::State(state), Bound::IsNot(Amount::State(TradingState::ReduceOnly)))
        });
        found.note(Check::SymbolNotAllowed, false, !self.is_allowed, || {
            (Amount::Claim(self.is_allowed), Bound::Is(Amount::Claim(true)))
        });
        found.note(Check::InstrumentNotTrading, false, self.status != TradingStatus::Trading, || {
            (Amount::status(self.status), Bound::Is(Amount::status(TradingStatus::Trading)))
        });
        found.note(Check::LossLimit, reduces, level >= TradingState::ReduceOnly, || {
            (Amount::State(level), Bound::Below(Amount::State(TradingState::ReduceOnly)))
        });
    }

    #[inline(always)]
    fn check_grid(&self, order: &NewOrder, found: &mut impl Sink) {
        let is_on_tick = |price: Price| is_multiple(price.0, self.tick.0);
        let is_market = order.kind == OrderKind::Market;
        let is_stop = order.kind == OrderKind::StopLimit;
        let is_good_price = is_on_tick(order.price);
        let is_good_tick = is_good_price && (!is_stop || is_on_tick(order.stop_price));
        found.note(Check::BadTick, is_market, !is_good_tick, || {
            let price = if is_good_price && is_stop { order.stop_price } else { order.price };
            (Amount::Price(price.0.into()), Bound::MultipleOf(Amount::Price(self.tick.0.into())))
        });
        let is_whole = is_multiple(order.qty.0, self.lot.0);
        found.note(Check::BadLot, false, !(is_whole && order.qty >= self.qty_min), || {
            let bound = match is_whole {
                true => Bound::AtLeast(Amount::Qty(self.qty_min.0.into())),
                false => Bound::MultipleOf(Amount::Qty(self.lot.0.into())),
            };
            (Amount::Qty(order.qty.0.into()), bound)
        });
    }

    #[inline(always)]
    fn check_size(&self, order: &NewOrder, reduces: bool, found: &mut impl Sink) {
        let qty = i128::from(order.qty.0);
        let (value, value_min) = (qty * i128::from(self.unit_in_quote.0), i128::from(self.notional_min.0));
        found.note(Check::MinNotional, reduces, value < value_min * i128::from(SCALE), || {
            (Amount::Money(scale_floor(value)), Bound::AtLeast(Amount::Money(value_min)))
        });
        let qty_max = i128::from(self.limits.order_qty_max.0);
        found.note(Check::MaxOrderQty, false, order.qty > self.limits.order_qty_max, || {
            (Amount::Qty(qty), Bound::AtMost(Amount::Qty(qty_max)))
        });
        let unit = self.unit_at_reference.zip(self.unit_at_price).map(|(one, other)| one.max(other));
        let value = unit.map(|unit| qty * i128::from(unit.0));
        let value_max = i128::from(self.limits.order_notional_max.0);
        let is_large = value.is_none_or(|value| value > value_max * i128::from(SCALE));
        found.note(Check::MaxOrderNotional, false, is_large, || {
            let value = value.map_or(Amount::Nothing, |value| Amount::Money(scale_ceil(value)));
            (value, Bound::AtMost(Amount::Money(value_max)))
        });
    }

    /// `reference × (1 − below) <= price <= reference × (1 + above)` without a division.
    ///
    /// A stop order rests far from the market by design: its trigger must lie within the passive collar either
    /// way, and its limit within the order's collar around the trigger, where it will meet the market.
    #[inline(always)]
    fn check_collar(&self, order: &NewOrder, reference: i128, found: &mut impl Sink) {
        let aggressive = i128::from(self.limits.collar_ppm);
        let passive = i128::from(self.limits.collar_passive_ppm);
        let (below, above) = match order.side {
            Side::Buy => (passive, aggressive),
            Side::Sell => (aggressive, passive),
        };
        let (price, trigger) = (i128::from(order.price.0), i128::from(order.stop_price.0));
        let (is_trigger_good, around) = match order.kind {
            OrderKind::StopLimit => (is_between(trigger, reference, passive, passive), trigger),
            OrderKind::Market | OrderKind::Limit | OrderKind::LimitMaker => (true, reference),
        };
        let is_market = order.kind == OrderKind::Market;
        let is_good = is_market || is_trigger_good && is_between(price, around, below, above);
        found.note(Check::PriceCollar, is_market, !is_good, || match is_trigger_good {
            true => (Amount::Price(price), edges(around, below, above)),
            false => (Amount::Price(trigger), edges(reference, passive, passive)),
        });
    }

    #[inline(always)]
    fn check_age(&self, found: &mut impl Sink) {
        let age_max = self.limits.reference_age_max_ns;
        let Some(reference) = self.reference else {
            let none = || (Amount::Nothing, Bound::AtMost(Amount::Nanos(age_max)));
            found.note(Check::StaleData, false, true, none);
            return;
        };
        let (age, ahead) = (self.now.since(reference.ts), reference.ts.since(self.now));
        let ahead_max = self.limits.reference_skew_max_ns;
        let is_stale = age > age_max || ahead > ahead_max || reference.price <= Price::ZERO;
        found.note(Check::StaleData, false, is_stale, || {
            if ahead > ahead_max {
                (Amount::Nanos(ahead), Bound::AtMost(Amount::Nanos(ahead_max)))
            } else if reference.price <= Price::ZERO && age <= age_max {
                (Amount::Price(reference.price.0.into()), Bound::AtLeast(Amount::Price(1)))
            } else {
                (Amount::Nanos(age), Bound::AtMost(Amount::Nanos(age_max)))
            }
        });
    }

    #[inline(always)]
    fn check_exposure(&self, order: &NewOrder, reduces: bool, found: &mut impl Sink) {
        if reduces {
            for check in [Check::MaxPosition, Check::MaxGross, Check::MaxNet, Check::MaxLeverage] {
                found.note(check, true, false, || (Amount::Nothing, Bound::Free));
            }
            return;
        }
        let side = i128::from(order.side.sign());
        let position = i128::from(self.position.0);
        let wanted = self.same_side_qty.saturating_add(order.qty.0.into());
        let worst_this_way = position.saturating_add(side * wanted);
        let worst_other_way = position.saturating_sub(side * self.other_side_qty);
        let position_max = i128::from(self.limits.position_qty_max.0);
        found.note(Check::MaxPosition, false, worst_this_way.abs() > position_max, || {
            (Amount::Qty(worst_this_way.abs()), Bound::AtMost(Amount::Qty(position_max)))
        });

        let worst = worst_this_way.abs().max(worst_other_way.abs());
        let known = self.others.zip(self.unit_at_reference);
        let (gross, net) = match known {
            Some((others, unit)) => {
                let unit = i128::from(unit.0);
                let net_here = notional_ceil(worst_this_way.abs(), unit) * worst_this_way.signum();
                (
                    others.gross.saturating_add(notional_ceil(worst, unit)),
                    others.net.saturating_add(net_here).saturating_abs(),
                )
            }
            None => (i128::MAX, i128::MAX),
        };
        // Exposure that cannot be valued is no number to show.
        let money = |value: i128| known.map_or(Amount::Nothing, |_| Amount::Money(value));
        let (gross_max, net_max) = (i128::from(self.account.gross_max.0), i128::from(self.account.net_max.0));
        found.note(Check::MaxGross, false, gross > gross_max, || {
            (money(gross), Bound::AtMost(Amount::Money(gross_max)))
        });
        found.note(Check::MaxNet, false, net > net_max, || {
            (money(net), Bound::AtMost(Amount::Money(net_max)))
        });
        let (equity, milli_max) = (i128::from(self.equity.0), i128::from(self.account.leverage_max_milli));
        found.note(Check::MaxLeverage, false, product(gross, MILLI) > equity * milli_max, || {
            let bound = Bound::AtMost(Amount::Milli(milli_max));
            match known {
                Some(_) if equity > 0 => {
                    (Amount::Milli(div_ceil(gross.saturating_mul(MILLI), equity)), bound)
                }
                // Without equity nothing can be carried; nothing wanted is no times of it.
                _ if gross.saturating_mul(MILLI) <= equity * milli_max => (Amount::Milli(0), bound),
                _ => (Amount::Nothing, bound),
            }
        });
    }

    #[inline(always)]
    fn check_flow(&self, reduces: bool, found: &mut impl Sink) {
        let is_crowded = self.open_orders >= self.limits.open_orders_max;
        let is_crowded_all = self.open_orders_all >= self.account.open_orders_max;
        let scope = self.open_orders_scope.filter(|(open, open_max)| open >= open_max);
        found.note(Check::MaxOpenOrders, false, is_crowded || is_crowded_all || scope.is_some(), || {
            let (open, open_max) = match (is_crowded, is_crowded_all, scope) {
                (false, true, _) => (self.open_orders_all, self.account.open_orders_max),
                (false, false, Some(scope)) => scope,
                _ => (self.open_orders, self.limits.open_orders_max),
            };
            (Amount::Count(open.into()), Bound::Below(Amount::Count(open_max.into())))
        });
        let mut must_not = |check, claim: bool| {
            found.note(check, false, claim, || (Amount::Claim(claim), Bound::Is(Amount::Claim(false))));
        };
        must_not(Check::Throttle, self.is_throttled);
        must_not(Check::Duplicate, self.is_duplicate);
        must_not(Check::SelfTrade, self.is_self_trade);
        let is_repeating = self.is_repeat_latched || self.repeats >= self.limits.repeat_max;
        found.note(Check::RepeatExec, reduces, is_repeating, || match self.is_repeat_latched {
            true => (Amount::Claim(true), Bound::Is(Amount::Claim(false))),
            false => {
                let repeat_max = Amount::Count(self.limits.repeat_max.into());
                (Amount::Count(self.repeats.into()), Bound::Below(repeat_max))
            }
        });
    }
}

/// The venue's side of things. What only reduces a position may use the last request and a key that should not be.
impl Facts {
    #[inline(always)]
    fn check_venue(&self, reduces: bool, found: &mut impl Sink) {
        let reserve = |limit: u32| {
            let kept = if reduces { 0 } else { self.account.budget_reserve_ppm };
            (u64::from(limit) * u64::from(kept)).div_ceil(PPM as u64)
        };
        let is_dry = self.requests.is_some_and(|(left, limit)| u64::from(left) <= reserve(limit));
        found.note(Check::VenueBudget, false, is_dry, || match self.requests {
            Some((left, limit)) => {
                (Amount::Count(left.into()), Bound::AtLeast(Amount::Count(reserve(limit) + 1)))
            }
            None => (Amount::Nothing, Bound::Free),
        });
        found.note(Check::MaxOrderLifetime, true, false, || (Amount::Nothing, Bound::Free));
        let offset_max = self.account.clock_offset_ns_max;
        let is_off = self.clock_offset_ns.is_some_and(|offset| offset.unsigned_abs() > offset_max);
        found.note(Check::Clock, false, is_off, || match self.clock_offset_ns {
            Some(offset) => (Amount::Nanos(offset.unsigned_abs()), Bound::AtMost(Amount::Nanos(offset_max))),
            None => (Amount::Nothing, Bound::Free),
        });
        found.note(Check::WithdrawScope, reduces, !self.is_key_fit, || {
            (Amount::Claim(self.is_key_fit), Bound::Is(Amount::Claim(true)))
        });
    }

    /// What pays for it, what it belongs to, and what could be lost.
    #[inline(always)]
    fn check_means(&self, order: &NewOrder, reduces: bool, found: &mut impl Sink) {
        let usable_ppm =
            |free: Money| i128::from(free.0.max(0)) * i128::from(self.account.margin_use_ppm_max);
        let is_short = match self.margin {
            Margining::Unknown => true,
            Margining::Part { needed, free } => i128::from(needed.0) * PPM > usable_ppm(free),
            Margining::Whole { needed, free } => needed > free,
        };
        found.note(Check::Margin, reduces, is_short, || match self.margin {
            Margining::Unknown => (Amount::Nothing, Bound::AtMost(Amount::Money(0))),
            Margining::Part { needed, free } => {
                (Amount::Money(needed.0.into()), Bound::AtMost(Amount::Money(usable_ppm(free) / PPM)))
            }
            Margining::Whole { needed, free } => (Amount::Money(needed), Bound::AtMost(Amount::Money(free))),
        });
        let qty = i128::from(order.qty.0);
        let left = self.parent_left.unwrap_or(qty);
        found.note(Check::ParentQty, self.parent_left.is_none(), qty > left, || {
            (Amount::Qty(qty), Bound::AtMost(Amount::Qty(left)))
        });
        let Some(var_max) = self.account.var_ppm_max else {
            found.note(Check::VarLimit, true, false, || (Amount::Nothing, Bound::Free));
            return;
        };
        let is_risky = self.var_ppm.is_none_or(|var| var > var_max);
        found.note(Check::VarLimit, reduces, is_risky, || {
            let measured = self.var_ppm.map_or(Amount::Nothing, |var| Amount::Ppm(var.into()));
            (measured, Bound::AtMost(Amount::Ppm(var_max.into())))
        });
    }
}

/// Quantity times price in quote units, rounded up; saturates.
#[inline]
pub(super) const fn notional_ceil(qty: i128, price: i128) -> i128 {
    scale_ceil(product(qty, price))
}

/// Saturates. Both are small but for the absurd, and then one instruction does it.
#[inline]
const fn product(one: i128, other: i128) -> i128 {
    if one as i64 as i128 == one && other as i64 as i128 == other {
        one as i64 as i128 * other as i64 as i128
    } else {
        one.saturating_mul(other)
    }
}

const fn is_multiple(value: i64, step: i64) -> bool {
    value > 0 && step > 0 && value % step == 0
}

const fn is_between(price: i128, around: i128, below_ppm: i128, above_ppm: i128) -> bool {
    let scaled = price * PPM;
    scaled <= around * (PPM + above_ppm) && scaled >= around * (PPM - below_ppm)
}

/// The whole prices that [`is_between`] lets through.
fn edges(around: i128, below_ppm: i128, above_ppm: i128) -> Bound {
    let lowest = div_ceil(around * (PPM - below_ppm), PPM);
    let highest = (around * (PPM + above_ppm)).div_euclid(PPM);
    Bound::Within(Amount::Price(lowest), Amount::Price(highest))
}
