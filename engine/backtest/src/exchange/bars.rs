//! Where only bars are known: always the worse of what may have been.
//!
//! What is decided at the close of a bar acts from the opening of the next; between the two nothing is traded. At the
//! opening, at half of the spread from its price: what is new takes what it may; a stop that the opening is at or beyond
//! fills there, and a limit that the opening is beyond fills at its own price. Then, inside the bar, entries before exits
//! and stops before targets: a limit fills when the bar goes through it by half of the spread, a stop when the bar touches
//! it, at its trigger less slippage. What was entered inside a bar may be stopped out in it and takes no profit in it. These
//! are the rules of `smc_metrics::bracket`, and a test holds them against each other.

use super::desk::Desk;
use super::order::{Resting, Stage, is_stop_reached, is_through};
use super::till::Till;
use smc_core::event::{Bar, OrderUpdateKind, Quote};
use smc_core::output::{OrderKind, TimeInForce};
use smc_core::words::{Price, Qty, Side, TsNs};

/// Nobody knows how much stands at the prices of a bar.
const PLENTY: Qty = Qty(i64::MAX / 4);

impl Desk {
    /// `close` is that of the same bar; it matters only to what comes late ([`VenueSettings::late_ppm`]).
    ///
    /// [`VenueSettings::late_ppm`]: crate::settings::VenueSettings::late_ppm
    pub fn on_open(&mut self, at: TsNs, open: Price, close: Price, till: &mut Till) {
        self.last = open;
        self.is_between = false;
        self.for_each(till, |desk, nth, till| {
            let Some(order) = desk.orders.get(nth) else { return };
            match order.stage {
                Stage::Opening => desk.open_new(nth, at, (open, close), till),
                Stage::Trigger if order.is_triggered(open) => {
                    let (side, price) = (order.order.side, desk.slipped(open, order.order.side, till));
                    desk.stop_out(nth, at, open, price, side, till);
                }
                Stage::Resting if !order.is_unlucky => {
                    let (side, limit) = (order.order.side, order.order.price);
                    if is_through(side, desk.taken_at(open, side, till), limit) {
                        let leaves = order.leaves();
                        desk.fill(nth, at, limit, leaves, true, till);
                    }
                }
                _ => {}
            }
        });
    }

    pub fn on_close(&mut self, at: TsNs, bar: &Bar, till: &mut Till) {
        let touches = till.settings.touch_fills;
        // What the bar's best price does to a limit: through it, or up to it.
        let reaches = |desk: &Self, order: &Resting, till: &Till| {
            let (side, limit) = (order.order.side, order.order.price);
            let best = desk.taken_at(if side == Side::Buy { bar.low } else { bar.high }, side, till);
            is_through(side, best, limit) || (touches && best == limit)
        };
        let rests = |order: &Resting| order.stage == Stage::Resting && !order.is_unlucky;
        self.for_each(till, |desk, nth, till| {
            let Some(order) = desk.orders.get(nth).filter(|order| rests(order) && order.is_entry()) else {
                return;
            };
            if reaches(desk, order, till) {
                let (limit, leaves) = (order.order.price, order.leaves());
                desk.fill(nth, at, limit, leaves, true, till);
            }
        });
        self.for_each(till, |desk, nth, till| {
            let Some(order) = desk.orders.get(nth).filter(|order| order.stage == Stage::Trigger) else {
                return;
            };
            let (side, stop) = (order.order.side, order.order.stop_price);
            let worst = if side == Side::Sell { bar.low } else { bar.high };
            if is_stop_reached(side, stop, worst) {
                let price = desk.slipped(stop, side, till);
                desk.stop_out(nth, at, stop, price, side, till);
            }
        });
        self.for_each(till, |desk, nth, till| {
            let is_exit = |order: &&Resting| rests(order) && !order.is_entry() && !order.is_of_bar;
            let Some(order) = desk.orders.get(nth).filter(is_exit) else { return };
            if reaches(desk, order, till) {
                let (limit, leaves) = (order.order.price, order.leaves());
                desk.fill(nth, at, limit, leaves, true, till);
            }
        });
        self.orders.iter_mut().for_each(|order| order.is_of_bar = false);
        self.last = bar.close;
        self.is_between = true;
    }

    /// What came while nothing was traded meets the opening.
    fn open_new(&mut self, nth: usize, at: TsNs, (open, close): (Price, Price), till: &mut Till) {
        let Some(order) = self.orders.get(nth) else { return };
        let (id, side) = (order.venue_id, order.order.side);
        let open = self.late(open, close, side, till);
        let shown = self.taken_at(open, side, till);
        let part = till.settings.impact.map_or(0.0, |impact| impact.part(order.leaves()));
        let price = self.worse(shown, side, part);
        if order.accepts(price) && order.order.kind != OrderKind::LimitMaker && !order.is_unlucky {
            let leaves = order.leaves();
            self.note_costs(side, open, shown, price, leaves, till);
            self.fill(nth, at, price, leaves, false, till);
        }
        let Some(nth) = self.orders.iter().position(|order| order.venue_id == id) else { return };
        let Some(order) = self.orders.get(nth) else { return };
        let is_refused = order.order.kind == OrderKind::LimitMaker && order.accepts(shown);
        let waits = order.order.kind != OrderKind::Market && order.order.time_in_force == TimeInForce::Gtc;
        if is_refused || !waits {
            self.end(nth, at, till, |cum_qty| OrderUpdateKind::Expired { cum_qty });
        } else {
            self.set_stage(nth, Stage::Resting);
        }
    }

    /// Where the market is when what is new meets it: at the open, or later, if that is worse.
    fn late(&self, open: Price, close: Price, side: Side, till: &Till) -> Price {
        if till.settings.late_ppm == 0 {
            return open;
        }
        let worse = side.sign() * (close.0 - open.0);
        let moved = i128::from(worse.max(0)) * i128::from(till.settings.late_ppm) / 1_000_000;
        let tick = self.spec.tick.0.max(1);
        // A whole number of steps, up: at least one where it went against us at all.
        let steps = (moved as i64).saturating_add(tick - 1) / tick * tick;
        Price((open.0 + side.sign() * steps).max(tick))
    }

    /// A stop was reached at `shown` and would fill at `price`: where its own limit allows that. Otherwise it rests from now on.
    fn stop_out(&mut self, nth: usize, at: TsNs, shown: Price, price: Price, side: Side, till: &mut Till) {
        let Some(order) = self.orders.get(nth) else { return };
        if order.accepts(price) {
            let leaves = order.leaves();
            self.note_costs(side, shown, shown, price, leaves, till);
            self.fill(nth, at, price, leaves, false, till);
        } else {
            self.set_stage(nth, Stage::Resting);
        }
    }

    /// Where an order of that side takes when the middle is at `price`.
    fn taken_at(&self, price: Price, side: Side, till: &Till) -> Price {
        let half = till.settings.spread.0 - till.settings.spread.0 / 2;
        let tick = self.spec.tick.0.max(1);
        let half = half.saturating_add(tick - 1) / tick * tick;
        Price(price.0 + side.sign() * half)
    }

    /// Where a stop fills: some steps or half of the spread worse, whichever is more.
    fn slipped(&self, price: Price, side: Side, till: &Till) -> Price {
        let tick = self.spec.tick.0.max(1);
        let half = till.settings.spread.0 - till.settings.spread.0 / 2;
        let by =
            (i64::from(till.settings.slippage_ticks) * tick).max(half.saturating_add(tick - 1) / tick * tick);
        Price((price.0 + side.sign() * by).max(tick))
    }

    /// Best prices around a bar's price, as the engine is told of them.
    pub fn quote(&self, price: Price, number: u64, till: &Till) -> Quote {
        let (bid, ask) = (self.taken_at(price, Side::Sell, till), self.taken_at(price, Side::Buy, till));
        let tick = self.spec.tick.0.max(1);
        let ask = if ask > bid { ask } else { Price(bid.0 + tick) };
        Quote { bid, bid_qty: PLENTY, ask, ask_qty: PLENTY, update_id: number }
    }
}
