//! The venue of a what-if run: a few lines of rules over the recorded prices, and an account.
//!
//! Pure. What it promises, and what it does not, stands in `what_if.rs`.

use smc_core::book::Top;
use smc_core::event::{Balance, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::instrument::InstrumentSpec;
use smc_core::output::{CancelOrder, NewOrder, OrderKind, TimeInForce};
use smc_core::words::{
    ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, clamp_i64, div_ceil,
};
use std::collections::{BTreeMap, VecDeque};

/// What the real venue says to an order it will not have, and to a cancel of one it does not know.
const REFUSED: i32 = -2010;
const NO_SUCH_ORDER: i32 = -2011;

/// What an order meets at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Prices {
    /// Best bid and ask, where there are both.
    pub top: Option<Top>,
    /// The last trade.
    pub last: Option<Price>,
    pub spec: Option<InstrumentSpec>,
}

impl Prices {
    /// Where an order of that side is filled at once.
    fn opposite(&self, side: Side) -> Option<Price> {
        let top = self.top?;
        let price = match side {
            Side::Buy => top.ask.price,
            Side::Sell => top.bid.price,
        };
        (price > Price::ZERO).then_some(price)
    }
}

struct Resting {
    order: NewOrder,
    venue_id: u64,
    is_triggered: bool,
}

#[derive(Clone, Copy, Default)]
struct Held {
    total: i128,
    locked: i128,
}

/// Orders that wait, the account, and what is to be said to the engine.
pub(super) struct Venue {
    fee_ppm: i128,
    resting: Vec<Resting>,
    account: BTreeMap<Name, Held>,
    reports: VecDeque<(InstrumentId, EventBody)>,
    next_id: u64,
}

impl Venue {
    pub fn new(fee_ppm: u32) -> Self {
        let (resting, account, reports) = Default::default();
        Self { fee_ppm: fee_ppm.into(), resting, account, reports, next_id: 1 }
    }

    /// The journal's first word about an asset is what the account begins with. True when it was the first.
    pub fn begin_with(&mut self, balance: &Balance) -> bool {
        let total = i128::from(balance.free.0) + i128::from(balance.locked.0);
        let is_first = !self.account.contains_key(&balance.asset);
        self.account.entry(balance.asset).or_insert(Held { total, locked: 0 });
        is_first
    }

    /// The next thing to tell the engine.
    pub fn report(&mut self) -> Option<(InstrumentId, EventBody)> {
        self.reports.pop_front()
    }

    pub fn place(&mut self, order: &NewOrder, prices: &Prices) {
        let venue_id = self.next_id;
        self.next_id += 1;
        let at_once = prices.opposite(order.side);
        let is_marketable = at_once.is_some_and(|price| is_within(order.side, price, order.price));
        let would_trigger = order.kind == OrderKind::StopLimit
            && prices.last.or(at_once).is_some_and(|last| is_triggered(order, last));
        let would_take = order.kind == OrderKind::LimitMaker && is_marketable;
        if would_trigger || would_take || !self.can_pay(order, prices) {
            self.say(order, 0, OrderUpdateKind::Reject { code: REFUSED });
            return;
        }
        self.say(order, venue_id, OrderUpdateKind::Ack);
        let takes = match order.kind {
            OrderKind::Market => at_once,
            OrderKind::Limit => at_once.filter(|_| is_marketable),
            OrderKind::LimitMaker | OrderKind::StopLimit => None,
        };
        match takes {
            Some(price) => self.fill(order, venue_id, price, false, prices),
            None if order.kind == OrderKind::Market || order.time_in_force != TimeInForce::Gtc => {
                self.say(order, venue_id, OrderUpdateKind::Expired { cum_qty: Qty::ZERO });
            }
            None => {
                self.lock(order, prices, 1);
                self.resting.push(Resting { order: *order, venue_id, is_triggered: false });
            }
        }
    }

    pub fn cancel(&mut self, cancel: &CancelOrder, prices: &Prices) {
        let id = cancel.client_order_id;
        match self.resting.iter().position(|resting| resting.order.client_order_id == id) {
            Some(at) => {
                let gone = self.resting.remove(at);
                self.lock(&gone.order, prices, -1);
                self.say(&gone.order, gone.venue_id, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
            }
            None => self.say_of(
                cancel.instrument,
                id,
                cancel.venue_order_id,
                OrderUpdateKind::CancelReject { code: NO_SUCH_ORDER },
            ),
        }
    }

    /// The market of an instrument moved; `trade` when it was by a trade.
    pub fn on_market(&mut self, instrument: InstrumentId, trade: Option<Price>, prices: &Prices) {
        let mut at = 0;
        while let Some(resting) = self.resting.get_mut(at) {
            let order = resting.order;
            if order.instrument != instrument {
                at += 1;
                continue;
            }
            let is_stop = order.kind == OrderKind::StopLimit;
            let triggers = is_stop && !resting.is_triggered && trade.is_some_and(|p| is_triggered(&order, p));
            resting.is_triggered |= triggers;
            let works = !is_stop || resting.is_triggered;
            let crossed =
                prices.opposite(order.side).filter(|price| is_within(order.side, *price, order.price));
            let is_through = trade.is_some_and(|price| is_beyond(order.side, price, order.price));
            let price = match crossed {
                // A stop that has just become an order takes what is there; one that rests has its own price.
                Some(price) if triggers => Some(price),
                Some(_) => Some(order.price),
                None => is_through.then_some(order.price).filter(|_| !triggers),
            };
            match price.filter(|_| works) {
                Some(price) => {
                    let done = self.resting.remove(at);
                    self.lock(&done.order, prices, -1);
                    self.fill(&done.order, done.venue_id, price, !triggers, prices);
                }
                None => at += 1,
            }
        }
    }

    fn fill(&mut self, order: &NewOrder, venue_id: u64, price: Price, is_maker: bool, prices: &Prices) {
        let Some(spec) = prices.spec else { return };
        let value = i128::from(price.0) * i128::from(order.qty.0);
        let fee = div_ceil(value * self.fee_ppm, 1_000_000 * i128::from(SCALE));
        let sign = i128::from(order.side.sign());
        // Money is rounded against us: up when it goes, down when it comes.
        let paid = match order.side {
            Side::Buy => div_ceil(value, SCALE.into()),
            Side::Sell => value.div_euclid(SCALE.into()),
        };
        self.account.entry(spec.quote).or_default().total -= sign * paid + fee;
        self.account.entry(spec.base).or_default().total += sign * i128::from(order.qty.0);
        let kind = OrderUpdateKind::Fill {
            trade_id: venue_id,
            side: order.side,
            price,
            qty: order.qty,
            cum_qty: order.qty,
            fee: Money(clamp_i64(fee)),
            fee_asset: spec.quote,
            is_maker,
        };
        self.say(order, venue_id, kind);
        self.tell_balances(&spec);
    }

    fn can_pay(&self, order: &NewOrder, prices: &Prices) -> bool {
        let Some((asset, amount)) = self.cost(order, prices) else { return false };
        let held = self.account.get(&asset).copied().unwrap_or_default();
        amount <= held.total - held.locked
    }

    /// What an order takes from the account, at most.
    fn cost(&self, order: &NewOrder, prices: &Prices) -> Option<(Name, i128)> {
        let spec = prices.spec?;
        let qty = i128::from(order.qty.0);
        match order.side {
            Side::Sell => Some((spec.base, qty)),
            Side::Buy => {
                let price =
                    if order.price > Price::ZERO { order.price } else { prices.opposite(Side::Buy)? };
                Some((spec.quote, div_ceil(qty * i128::from(price.0), SCALE.into())))
            }
        }
    }

    fn lock(&mut self, order: &NewOrder, prices: &Prices, sign: i128) {
        let Some((asset, amount)) = self.cost(order, prices) else { return };
        self.account.entry(asset).or_default().locked += sign * amount;
        if let Some(spec) = &prices.spec {
            self.tell_balances(spec);
        }
    }

    fn tell_balances(&mut self, spec: &InstrumentSpec) {
        for asset in [spec.quote, spec.base] {
            let held = self.account.get(&asset).copied().unwrap_or_default();
            let (free, locked) = (Qty(clamp_i64(held.total - held.locked)), Qty(clamp_i64(held.locked)));
            let balance = Balance { asset, free, locked };
            self.reports.push_back((InstrumentId::NONE, EventBody::Balance(balance)));
        }
    }

    fn say(&mut self, order: &NewOrder, venue_id: u64, kind: OrderUpdateKind) {
        self.say_of(order.instrument, order.client_order_id, venue_id, kind);
    }

    fn say_of(
        &mut self,
        instrument: InstrumentId,
        client_order_id: ClientOrderId,
        venue_order_id: u64,
        kind: OrderUpdateKind,
    ) {
        let update = OrderUpdate { client_order_id, venue_order_id, kind };
        self.reports.push_back((instrument, EventBody::Order(update)));
    }
}

/// A trade at `last` reaches the order's trigger.
fn is_triggered(order: &NewOrder, last: Price) -> bool {
    match order.side {
        Side::Sell => last <= order.stop_price,
        Side::Buy => last >= order.stop_price,
    }
}

/// `price` is no worse than the limit.
fn is_within(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// The market traded through the limit: everything that rested there is filled.
fn is_beyond(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price < limit,
        Side::Sell => price > limit,
    }
}
