//! One instrument at the exchange: its market, and our orders in it.

use super::Request;
use super::order::{Place, Resting, Stage, is_through, is_within};
use super::till::Till;
use crate::market::Detail;
use smc_core::book::Book;
use smc_core::event::{Event, EventBody, FeedState, Level, OrderUpdateKind, Quote, Trade};
use smc_core::instrument::{ContractKind, InstrumentSpec};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Price, Qty, SCALE, Side, TsNs, clamp_i64};

/// What the exchange says to an order that it will not have, and to a request about one that it does not know: the numbers
/// of Binance.
const REFUSED: i32 = -2010;
const NO_SUCH_ORDER: i32 = -2011;

/// One instrument.
pub(super) struct Desk {
    pub id: InstrumentId,
    pub spec: InstrumentSpec,
    pub detail: Detail,
    pub book: Book,
    /// Ours, oldest first.
    pub orders: Vec<Resting>,
    pub position: Qty,
    /// Taken by us since the market said how much there is.
    taken: Vec<(Side, Price, Qty)>,
    /// Trades are told: stops go by them.
    has_trades: bool,
    /// Price of the last bar or trade.
    pub last: Price,
    /// Between two bars: nothing is traded.
    pub is_between: bool,
}

impl Desk {
    pub fn new(id: InstrumentId, spec: InstrumentSpec, detail: Detail) -> Self {
        let mut book = Book::new();
        book.on_feed(FeedState::Live, TsNs(0));
        Self {
            id,
            spec,
            detail,
            book,
            orders: Vec::new(),
            position: Qty::ZERO,
            taken: Vec::new(),
            has_trades: false,
            last: Price::ZERO,
            is_between: matches!(detail, Detail::Bars(_)),
        }
    }

    pub fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    pub fn mark(&self) -> Price {
        if self.book.mark() > Price::ZERO { self.book.mark() } else { self.last }
    }

    pub fn is_in_bars(&self) -> bool {
        matches!(self.detail, Detail::Bars(_))
    }

    /// Where an order of that side is filled at once, and how much.
    fn opposite(&self, side: Side) -> Option<Level> {
        let top = self.book.top()?;
        let level = if side == Side::Buy { top.ask } else { top.bid };
        (level.price > Price::ZERO).then_some(level)
    }
}

/// The market.
impl Desk {
    pub fn on_market(&mut self, event: &Event, till: &mut Till) {
        let at = event.ts_event;
        match &event.body {
            EventBody::Quote(quote) => {
                self.book.on_quote(&sized(quote, till.settings.unsized_qty), at);
                self.after_prices(at, till);
            }
            EventBody::Book(update) => {
                self.book.on_update(update, at);
                if update.is_last {
                    self.after_prices(at, till);
                }
            }
            EventBody::Trade(trade) => {
                self.has_trades = true;
                self.book.on_trade(trade, at);
                self.last = trade.price;
                if !self.orders.is_empty() {
                    self.on_trade(at, trade, till);
                }
            }
            EventBody::Instrument(spec) => {
                self.spec = InstrumentSpec { contract: self.spec.contract, ..*spec };
            }
            _ => {}
        }
    }

    fn after_prices(&mut self, at: TsNs, till: &mut Till) {
        self.taken.clear();
        if self.orders.is_empty() {
            return;
        }
        self.look_at_lines();
        let goes_by_quotes = self.spec.contract.kind == ContractKind::Fx || !self.has_trades;
        self.for_each(till, |desk, nth, till| {
            let Some(order) = desk.orders.get(nth) else { return };
            let side = order.order.side;
            let Some(level) = desk.opposite(side) else { return };
            match order.stage {
                Stage::Trigger if goes_by_quotes && order.is_triggered(level.price) => {
                    desk.trigger(nth, at, till);
                }
                Stage::Taking => desk.take(nth, at, till),
                Stage::Resting if is_within(side, level.price, order.order.price) && !order.is_unlucky => {
                    // Whoever offers that now would have met us first.
                    let is_crossed = is_through(side, level.price, order.order.price);
                    let qty = if is_crossed { order.leaves() } else { order.leaves().min(level.qty) };
                    desk.fill(nth, at, order.order.price, qty, true, till);
                }
                _ => {}
            }
        });
    }

    fn on_trade(&mut self, at: TsNs, trade: &Trade, till: &mut Till) {
        let goes_by_trades = self.spec.contract.kind != ContractKind::Fx;
        self.for_each(till, |desk, nth, till| {
            let Some(order) = desk.orders.get_mut(nth) else { return };
            let (side, limit) = (order.order.side, order.order.price);
            match order.stage {
                Stage::Trigger if goes_by_trades && order.is_triggered(trade.price) => {
                    desk.trigger(nth, at, till)
                }
                Stage::Resting if order.is_unlucky => {}
                Stage::Resting if is_through(side, trade.price, limit) => {
                    let leaves = order.leaves();
                    desk.fill(nth, at, limit, leaves, true, till);
                }
                Stage::Resting if trade.price == limit && trade.aggressor == side.opposite() => {
                    let leaves = order.leaves();
                    let qty =
                        order.place.as_mut().map_or(Qty::ZERO, |place| place.on_trade(trade.qty, leaves));
                    desk.fill(nth, at, limit, qty.min(leaves), true, till);
                }
                _ => {}
            }
        });
    }

    /// How long the lines are in which we stand.
    fn look_at_lines(&mut self) {
        let Self { orders, book, .. } = self;
        for order in orders.iter_mut().filter(|order| order.stage == Stage::Resting) {
            if let (Some(shown), Some(place)) =
                (shown(book, order.order.side, order.order.price), &mut order.place)
            {
                place.on_level(shown);
            }
        }
    }

    /// Every order once, though some leave and others come meanwhile.
    pub fn for_each(&mut self, till: &mut Till, mut look: impl FnMut(&mut Self, usize, &mut Till)) {
        let ids: Vec<u64> = self.orders.iter().map(|order| order.venue_id).collect();
        for id in ids {
            if let Some(nth) = self.orders.iter().position(|order| order.venue_id == id) {
                look(self, nth, till);
            }
        }
    }
}

/// A quote of which no quantity was told shows so much.
fn sized(quote: &Quote, unsized_qty: Qty) -> Quote {
    let is_unsized = |qty: Qty| qty.0 == 0 || qty.0 == SCALE;
    let mut quote = *quote;
    if unsized_qty > Qty::ZERO && is_unsized(quote.bid_qty) && is_unsized(quote.ask_qty) {
        (quote.bid_qty, quote.ask_qty) = (unsized_qty, unsized_qty);
    }
    quote
}

/// What stands on a side at a price; none where that is not known: deeper than what is told.
fn shown(book: &Book, side: Side, price: Price) -> Option<Qty> {
    if let Some(level) = book.levels(side).find(|level| level.price == price) {
        return Some(level.qty);
    }
    let top = book.top()?;
    let best = if side == Side::Buy { top.bid } else { top.ask };
    if best.price == price {
        Some(best.qty)
    } else if is_through(side, price, best.price) {
        // Behind the best: of a book that is told whole nothing stands there.
        let deepest = book.levels(side).last();
        deepest.filter(|deepest| is_through(side, deepest.price, price)).map(|_| Qty::ZERO)
    } else {
        Some(Qty::ZERO)
    }
}

/// What we ask.
impl Desk {
    pub fn on_request(&mut self, at: TsNs, request: &Request, till: &mut Till) {
        match request {
            Request::Place(order) => self.place(at, order, till),
            Request::Cancel(cancel) => {
                let id = cancel.client_order_id;
                match self.find(id) {
                    Some(nth) => {
                        self.end_pair(nth, at, till, |cum_qty| OrderUpdateKind::Canceled { cum_qty })
                    }
                    None => {
                        let kind = OrderUpdateKind::CancelReject { code: NO_SUCH_ORDER };
                        till.say_of(at, self.id, id, cancel.venue_order_id, kind);
                    }
                }
            }
            Request::Replace(old, order) => {
                let is_whole = |order: &Resting| order.filled == Qty::ZERO;
                match self.find(*old).filter(|&nth| self.orders.get(nth).is_some_and(is_whole)) {
                    Some(nth) => {
                        self.end(nth, at, till, |cum_qty| OrderUpdateKind::Canceled { cum_qty });
                        self.place(at, order, till);
                    }
                    None => till.say(at, order, 0, OrderUpdateKind::Reject { code: NO_SUCH_ORDER }),
                }
            }
        }
    }

    fn find(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|order| order.order.client_order_id == id)
    }

    fn place(&mut self, at: TsNs, order: &NewOrder, till: &mut Till) {
        let (mut order, asked) = (*order, order.qty);
        if order.terms.reduce_only {
            let is_against = self.position.0.signum() * order.side.sign() < 0;
            order.qty = order.qty.min(if is_against { self.position.abs() } else { Qty::ZERO });
        }
        let best = self.opposite(order.side).map(|level| level.price);
        let would_take = best.is_some_and(|best| is_within(order.side, best, order.price));
        let venue_id = till.order_id();
        let resting = Resting {
            order,
            venue_id,
            filled: Qty::ZERO,
            stage: Stage::Resting,
            place: None,
            parent: None,
            is_of_bar: false,
            is_unlucky: is_unlucky(&order, till),
            is_cut: order.qty < asked,
        };
        let is_reached = order.kind == OrderKind::StopLimit && self.is_reached(&resting);
        let is_refused = order.qty <= Qty::ZERO
            || is_reached
            || (order.kind == OrderKind::LimitMaker && would_take)
            || !self.can_pay(&order, best, till);
        if is_refused {
            till.say(at, &order, 0, OrderUpdateKind::Reject { code: REFUSED });
            return;
        }
        till.say(at, &order, venue_id, OrderUpdateKind::Ack);
        self.lock(at, &order, Qty::ZERO, order.qty, till);
        self.orders.push(resting);
        let nth = self.orders.len() - 1;
        match order.kind {
            OrderKind::StopLimit => self.set_stage(nth, Stage::Trigger),
            _ if self.is_in_bars() => self.set_stage(nth, Stage::Opening),
            OrderKind::LimitMaker => self.rest(nth, till),
            OrderKind::Market | OrderKind::Limit => self.take_and_rest(nth, at, till),
        }
    }

    /// The market stands at the trigger already.
    fn is_reached(&self, order: &Resting) -> bool {
        let by_quotes = self.spec.contract.kind == ContractKind::Fx || !self.has_trades;
        let price = match (by_quotes, self.opposite(order.order.side)) {
            (true, Some(level)) if !self.is_in_bars() => level.price,
            _ => self.last,
        };
        price > Price::ZERO && order.is_triggered(price)
    }

    /// What can be had is taken; the rest stands in line, or ends.
    pub fn take_and_rest(&mut self, nth: usize, at: TsNs, till: &mut Till) {
        let Some(id) = self.orders.get(nth).map(|order| order.venue_id) else { return };
        let is_all_or_nothing =
            self.orders.get(nth).is_some_and(|order| order.order.time_in_force == TimeInForce::Fok);
        if !is_all_or_nothing || self.is_enough(nth) {
            self.take(nth, at, till);
        }
        let Some(nth) = self.orders.iter().position(|order| order.venue_id == id) else { return };
        let Some(order) = self.orders.get(nth) else { return };
        if order.order.kind == OrderKind::Market || order.order.time_in_force != TimeInForce::Gtc {
            self.end(nth, at, till, |cum_qty| OrderUpdateKind::Expired { cum_qty });
        } else {
            self.rest(nth, till);
        }
    }

    pub fn set_stage(&mut self, nth: usize, stage: Stage) {
        if let Some(order) = self.orders.get_mut(nth) {
            order.stage = stage;
        }
    }

    pub fn rest(&mut self, nth: usize, till: &Till) {
        let Self { orders, book, .. } = self;
        let Some(order) = orders.get_mut(nth) else { return };
        let shown = shown(book, order.order.side, order.order.price).unwrap_or(Qty::ZERO);
        order.stage = Stage::Resting;
        order.place = Place::behind(till.settings.queue, shown, order.leaves());
    }

    fn is_enough(&self, nth: usize) -> bool {
        let Some(order) = self.orders.get(nth) else { return false };
        let levels = self.levels(order.order.side);
        let there = levels.filter(|level| order.accepts(level.price)).map(|level| i128::from(level.qty.0));
        there.sum::<i128>() >= i128::from(order.leaves().0)
    }

    /// The levels that an order of that side would take, best first, without what we took of them.
    fn levels(&self, side: Side) -> impl Iterator<Item = Level> + '_ {
        let other = side.opposite();
        let best = self.opposite(side);
        let deeper = move |level: &Level| best.is_none_or(|best| is_through(other, level.price, best.price));
        let left = move |level: Level| {
            let taken = self.taken.iter().filter(|(at, price, _)| *at == other && *price == level.price);
            let taken: i64 = taken.map(|(_, _, qty)| qty.0).sum();
            Level { qty: Qty((level.qty.0 - taken).max(0)), ..level }
        };
        best.into_iter().chain(self.book.levels(other).filter(deeper)).map(left)
    }
}

/// What becomes of orders.
impl Desk {
    /// A stop was reached.
    pub fn trigger(&mut self, nth: usize, at: TsNs, till: &mut Till) {
        let Some(order) = self.orders.get_mut(nth) else { return };
        if order.is_market_stop() {
            order.stage = Stage::Taking;
            self.take(nth, at, till);
        } else {
            self.take_and_rest(nth, at, till);
        }
    }

    /// Takes what is shown within the limit, at prices that our own size makes worse.
    pub fn take(&mut self, nth: usize, at: TsNs, till: &mut Till) {
        let Some(order) = self.orders.get(nth) else { return };
        let (id, side, leaves) = (order.venue_id, order.order.side, order.leaves());
        let part = till.settings.impact.map_or(0.0, |impact| impact.part(leaves));
        let levels: Vec<Level> = self.levels(side).take_while(|level| order.accepts(level.price)).collect();
        let middle = self.mark();
        for level in levels {
            let Some(nth) = self.orders.iter().position(|order| order.venue_id == id) else { return };
            let Some(order) = self.orders.get(nth) else { return };
            let price = self.worse(level.price, side, part);
            let qty = order.leaves().min(level.qty);
            if qty <= Qty::ZERO {
                continue;
            }
            if !order.accepts(price) {
                return;
            }
            self.taken.push((side.opposite(), level.price, qty));
            self.note_costs(side, middle, level.price, price, qty, till);
            self.fill(nth, at, price, qty, false, till);
        }
    }

    /// A price against us by a part of itself, on the tick.
    pub fn worse(&self, price: Price, side: Side, part: f64) -> Price {
        if part <= 0.0 {
            return price;
        }
        let tick = self.spec.tick.0.max(1);
        let by = ((price.0 as f64 * part) as i64).saturating_add(tick - 1) / tick * tick;
        Price((price.0 + side.sign() * by).max(tick))
    }

    /// What a fill cost beyond the middle, and beyond what was shown.
    pub fn note_costs(
        &self,
        side: Side,
        middle: Price,
        shown: Price,
        price: Price,
        qty: Qty,
        till: &mut Till,
    ) {
        let worth = |distance: i64| self.value_e16(Price(distance), qty) / i128::from(SCALE);
        let add = |sum: &mut Money, by: i128| sum.0 = clamp_i64(i128::from(sum.0) + by);
        if middle > Price::ZERO {
            add(&mut till.costs.spread, worth(side.sign() * (shown.0 - middle.0)));
        }
        add(&mut till.costs.impact, worth(side.sign() * (price.0 - shown.0)));
        let middle = if middle > Price::ZERO { middle } else { shown };
        add(&mut till.slipped, worth(side.sign() * (price.0 - middle.0)));
    }

    /// Value of a quantity at a price, in 1e-16 of quote currency (of base currency where the contract is inverse).
    pub fn value_e16(&self, price: Price, qty: Qty) -> i128 {
        let contract = self.spec.contract;
        let units = i128::from(qty.0) * i128::from(contract.size.0) / i128::from(SCALE);
        match contract.kind {
            ContractKind::Inverse => {
                units * i128::from(SCALE) * i128::from(SCALE) / i128::from(price.0.max(1))
            }
            _ => units * i128::from(price.0),
        }
    }

    pub fn fill(&mut self, nth: usize, at: TsNs, price: Price, qty: Qty, is_maker: bool, till: &mut Till) {
        if qty <= Qty::ZERO {
            return;
        }
        let Some(order) = self.orders.get_mut(nth) else { return };
        order.filled = Qty(order.filled.0 + qty.0);
        let (sent, venue_id, cum_qty) = (order.order, order.venue_id, order.filled);
        let (is_child, is_cut) = (order.parent.is_some(), order.is_cut);
        let value_e16 = self.value_e16(price, qty);
        let fee = till.settings.fee(at, value_e16, is_maker);
        let costs = &mut till.costs;
        let (fees, place) = if is_maker { (&mut costs.maker_fees, 0) } else { (&mut costs.taker_fees, 1) };
        fees.0 = fees.0.saturating_add(fee.0);
        costs.fills[place] += 1;
        costs.turnover.0 = clamp_i64(i128::from(costs.turnover.0) + value_e16 / i128::from(SCALE));
        self.position = Qty(self.position.0 + sent.side.sign() * qty.0);
        let is_inverse = self.spec.contract.kind == ContractKind::Inverse;
        let kind = OrderUpdateKind::Fill {
            trade_id: till.trade_id(),
            side: sent.side,
            price,
            qty,
            cum_qty,
            fee,
            fee_asset: if is_inverse { self.spec.base } else { self.spec.quote },
            is_maker,
        };
        till.say(at, &sent, venue_id, kind);
        let slippage = std::mem::take(&mut till.slipped);
        if let Some(report) = till.reports.back_mut() {
            report.slippage = slippage;
        }
        if self.spec.contract.is_spot() {
            if !is_child {
                let leaves = Qty(sent.qty.0 - cum_qty.0);
                self.lock(at, &sent, Qty(leaves.0 + qty.0), leaves, till);
            }
            till.exchange(&self.spec, sent.side, value_e16, qty, fee);
            till.tell_balances(at, &self.spec);
        }
        let is_done = cum_qty >= sent.qty;
        if is_done {
            self.orders.remove(nth);
            if is_cut {
                till.say(at, &sent, venue_id, OrderUpdateKind::Expired { cum_qty });
            }
        }
        self.after_fill(&sent, qty, is_done, at, till);
    }

    /// What came with an entry grows with it; one of a pair that has filled ends the other.
    fn after_fill(&mut self, sent: &NewOrder, qty: Qty, is_done: bool, at: TsNs, till: &mut Till) {
        let terms = sent.terms;
        if sent.purpose == Purpose::Entry && terms.stop_on_fill > Price::ZERO {
            self.grow(sent, 1, terms.stop_on_fill, qty, at, till);
            if terms.target_on_fill > Price::ZERO {
                self.grow(sent, 2, terms.target_on_fill, qty, at, till);
            }
        }
        if is_done
            && terms.oco != ClientOrderId::NONE
            && let Some(other) = self.find(terms.oco)
        {
            self.end(other, at, till, |cum_qty| OrderUpdateKind::Canceled { cum_qty });
        }
    }

    fn grow(&mut self, entry: &NewOrder, place: u64, price: Price, qty: Qty, at: TsNs, till: &mut Till) {
        let id = entry.client_order_id.after(place);
        if let Some(order) = self.find(id).and_then(|nth| self.orders.get_mut(nth)) {
            order.order.qty = Qty(order.order.qty.0 + qty.0);
            return;
        }
        let is_stop = place == 1;
        let has_target = entry.terms.target_on_fill > Price::ZERO;
        let other =
            if is_stop && !has_target { ClientOrderId::NONE } else { entry.client_order_id.after(3 - place) };
        let order = NewOrder {
            client_order_id: id,
            side: entry.side.opposite(),
            kind: if is_stop { OrderKind::StopLimit } else { OrderKind::Limit },
            time_in_force: TimeInForce::Gtc,
            price,
            stop_price: if is_stop { price } else { Price::ZERO },
            qty,
            purpose: if is_stop { Purpose::Stop } else { Purpose::Target },
            terms: OrderTerms { oco: other, ..OrderTerms::PLAIN },
            ..*entry
        };
        let venue_id = till.order_id();
        till.say(at, &order, venue_id, OrderUpdateKind::Ack);
        let stage = if is_stop { Stage::Trigger } else { Stage::Resting };
        let parent = Some(entry.client_order_id);
        let (is_of_bar, place) = (self.is_in_bars() && !self.is_between, None);
        self.orders.push(Resting {
            order,
            venue_id,
            filled: Qty::ZERO,
            stage,
            place,
            parent,
            is_of_bar,
            is_unlucky: false,
            is_cut: false,
        });
        if !is_stop {
            self.rest(self.orders.len() - 1, till);
        }
    }

    /// An order ends, and the other of its pair with it.
    fn end_pair(&mut self, nth: usize, at: TsNs, till: &mut Till, how: impl Fn(Qty) -> OrderUpdateKind) {
        let other = self.orders.get(nth).map_or(ClientOrderId::NONE, |order| order.order.terms.oco);
        self.end(nth, at, till, &how);
        if let Some(other) = self.find(other).filter(|_| other != ClientOrderId::NONE) {
            self.end(other, at, till, how);
        }
    }

    pub fn end(&mut self, nth: usize, at: TsNs, till: &mut Till, how: impl Fn(Qty) -> OrderUpdateKind) {
        if nth >= self.orders.len() {
            return;
        }
        let gone = self.orders.remove(nth);
        if gone.parent.is_none() {
            self.lock(at, &gone.order, gone.leaves(), Qty::ZERO, till);
        }
        till.say(at, &gone.order, gone.venue_id, how(gone.filled));
    }

    /// On spot what is given must be there.
    fn can_pay(&self, order: &NewOrder, best: Option<Price>, till: &Till) -> bool {
        if !self.spec.contract.is_spot() {
            return true;
        }
        let price = if order.kind == OrderKind::Market { best.unwrap_or(self.last) } else { order.price };
        let (asset, amount) = Till::cost(&self.spec, order.side, order.qty, price.0);
        amount <= till.free(asset)
    }

    /// Locks what a resting spot order gives: so much instead of so much. Market orders wait for nothing.
    fn lock(&self, at: TsNs, order: &NewOrder, before: Qty, after: Qty, till: &mut Till) {
        if !self.spec.contract.is_spot() || order.kind == OrderKind::Market {
            return;
        }
        let (asset, less) = Till::cost(&self.spec, order.side, before, order.price.0);
        let (_, more) = Till::cost(&self.spec, order.side, after, order.price.0);
        till.lock(asset, more - less);
        till.tell_balances(at, &self.spec);
    }
}

fn is_unlucky(order: &NewOrder, till: &mut Till) -> bool {
    let ppm = till.settings.missed_fills_ppm as usize;
    ppm > 0 && order.purpose == Purpose::Entry && till.random.below(1_000_000) < ppm
}
