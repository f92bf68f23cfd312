//! Our orders between those of the others: best prices, books, trades, ways of some length.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod common;

use common::{START, perpetual, venue, whole};
use smc_backtest::VenueSettings;
use smc_backtest::exchange::{Exchange, Request};
use smc_backtest::market::Detail;
use smc_backtest::settings::{Impact, Queue};
use smc_core::event::{
    BOOK_LEVELS_PER_EVENT, BookUpdate, Event, EventBody, Level, OrderUpdateKind, Quote, Trade,
};
use smc_core::output::{CancelOrder, NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, SCALE, Side, TsNs};
use smc_metrics::queue::QueueModel;

const TICK: i64 = SCALE / 100;

/// An exchange and a clock that each word moves on by a millisecond.
struct Scene {
    exchange: Exchange,
    now: TsNs,
    number: u64,
}

fn at(ticks: i64) -> Price {
    Price(whole(100) + ticks * TICK)
}

impl Scene {
    fn new(settings: VenueSettings, detail: Detail) -> Self {
        Self { exchange: Exchange::new(settings, &[perpetual()], &[detail]), now: START, number: 0 }
    }

    fn say(&mut self, body: EventBody) -> Vec<Told> {
        self.now = TsNs(self.now.0 + 1_000_000);
        self.number += 1;
        let (ts_event, ts_recv) = (self.now, self.now);
        self.exchange.on_market(&Event { seq: 0, ts_event, ts_recv, instrument: InstrumentId(0), body });
        self.told()
    }

    /// Best prices in ticks from a hundred, with so many whole units.
    fn quote(&mut self, bid: i64, bid_qty: i64, ask: i64, ask_qty: i64) -> Vec<Told> {
        let update_id = self.number + 1;
        let [bid_qty, ask_qty] = [bid_qty, ask_qty].map(|qty| Qty(whole(qty)));
        self.say(EventBody::Quote(Quote { bid: at(bid), bid_qty, ask: at(ask), ask_qty, update_id }))
    }

    fn trade(&mut self, price: i64, qty: i64, aggressor: Side) -> Vec<Told> {
        let (trade_id, qty) = (self.number, Qty(whole(qty)));
        self.say(EventBody::Trade(Trade { price: at(price), qty, aggressor, trade_id }))
    }

    fn book(&mut self, side: Side, levels: &[(i64, i64)], is_last: bool) -> Vec<Told> {
        let mut all = [Level::default(); BOOK_LEVELS_PER_EVENT];
        for (slot, (price, qty)) in all.iter_mut().zip(levels) {
            *slot = Level { price: at(*price), qty: Qty(whole(*qty)) };
        }
        let update_id = self.number + 1;
        let len = levels.len() as u8;
        self.say(EventBody::Book(BookUpdate {
            update_id,
            is_snapshot_start: false,
            is_last,
            side,
            len,
            levels: all,
        }))
    }

    fn ask(&mut self, request: Request) -> Vec<Told> {
        self.now = TsNs(self.now.0 + 1_000_000);
        self.exchange.on_request(self.now, &request);
        self.told()
    }

    fn place(&mut self, order: NewOrder) -> Vec<Told> {
        self.ask(Request::Place(order))
    }

    fn told(&mut self) -> Vec<Told> {
        let mut all = Vec::new();
        while let Some(report) = self.exchange.report() {
            let EventBody::Order(update) = report.body else { continue };
            let id = update.client_order_id.sequence();
            all.push(match update.kind {
                OrderUpdateKind::Fill { price, qty, is_maker, .. } => {
                    Told::Fill(id, (price.0 - whole(100)) / TICK, qty.0 / SCALE, is_maker)
                }
                OrderUpdateKind::Ack => Told::Ack(id),
                OrderUpdateKind::Reject { .. } => Told::Refused(id),
                OrderUpdateKind::Canceled { .. } => Told::Canceled(id),
                OrderUpdateKind::Expired { .. } => Told::Expired(id),
                _ => Told::Other(id),
            });
        }
        all
    }
}

/// What the exchange said, in ticks and whole units.
#[derive(Debug, PartialEq)]
enum Told {
    Ack(u64),
    Refused(u64),
    Fill(u64, i64, i64, bool),
    Canceled(u64),
    Expired(u64),
    Other(u64),
}

fn order(id: u64, side: Side, kind: OrderKind, price: i64, qty: i64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(1, 1, id),
        instrument: InstrumentId(0),
        side,
        kind,
        time_in_force: if kind == OrderKind::Market { TimeInForce::Ioc } else { TimeInForce::Gtc },
        price: if kind == OrderKind::Market { Price::ZERO } else { at(price) },
        stop_price: Price::ZERO,
        qty: Qty(whole(qty)),
        purpose: Purpose::Entry,
        signal_id: 1,
        terms: OrderTerms::PLAIN,
    }
}

#[test]
fn a_taker_gets_what_is_shown_once_and_the_rest_ends_or_rests() {
    let mut scene = Scene::new(venue(), Detail::Quotes);
    scene.quote(-1, 5, 1, 3);
    let told = scene.place(order(1, Side::Buy, OrderKind::Market, 0, 4));
    assert_eq!(told, [Told::Ack(1), Told::Fill(1, 1, 3, false), Told::Expired(1)]);
    // Nothing new was shown: what was taken is gone.
    let told = scene.place(order(2, Side::Buy, OrderKind::Market, 0, 1));
    assert_eq!(told, [Told::Ack(2), Told::Expired(2)]);
    scene.quote(-1, 5, 1, 3);
    let told = scene.place(order(3, Side::Buy, OrderKind::Limit, 1, 4));
    assert_eq!(told, [Told::Ack(3), Told::Fill(3, 1, 3, false)]);
    let all_or_nothing =
        NewOrder { time_in_force: TimeInForce::Fok, ..order(4, Side::Sell, OrderKind::Limit, -1, 6) };
    assert_eq!(scene.place(all_or_nothing), [Told::Ack(4), Told::Expired(4)]);
    let maker = order(5, Side::Sell, OrderKind::LimitMaker, -1, 1);
    assert_eq!(scene.place(maker), [Told::Refused(5)]);
}

#[test]
fn a_taker_walks_the_book_and_pays_for_its_size() {
    let mut scene = Scene::new(venue(), Detail::Book);
    scene.book(Side::Buy, &[(-1, 5), (-2, 5)], false);
    scene.book(Side::Sell, &[(1, 1), (2, 2), (4, 9)], true);
    let told = scene.place(order(1, Side::Buy, OrderKind::Limit, 3, 9));
    assert_eq!(told, [Told::Ack(1), Told::Fill(1, 1, 1, false), Told::Fill(1, 2, 2, false)]);
    assert!(scene.exchange.has_orders(InstrumentId(0)));
    // A tenth of a percent: 0.7 times 2 % times the root of (4 / 784).
    let impact = Some(Impact { factor: 0.7, sigma_day: 0.02, adv: 784.0 });
    let mut scene = Scene::new(VenueSettings { impact, ..venue() }, Detail::Book);
    scene.book(Side::Buy, &[(-1, 5)], false);
    scene.book(Side::Sell, &[(0, 2), (1, 9)], true);
    let told = scene.place(order(1, Side::Buy, OrderKind::Market, 0, 4));
    assert_eq!(told, [Told::Ack(1), Told::Fill(1, 10, 2, false), Told::Fill(1, 12, 2, false)]);
    assert!(scene.exchange.costs().impact.0 > 0);
    // Its own size drives it beyond its limit: nothing.
    let told = scene
        .place(NewOrder { time_in_force: TimeInForce::Ioc, ..order(2, Side::Buy, OrderKind::Limit, 5, 4) });
    assert_eq!(told, [Told::Ack(2), Told::Expired(2)]);
}

#[test]
fn who_rests_waits_for_those_before() {
    let mut scene = Scene::new(venue(), Detail::Quotes);
    scene.quote(0, 10, 2, 10);
    scene.place(order(1, Side::Buy, OrderKind::LimitMaker, 0, 4));
    // Who buys, or trades elsewhere, is no help.
    assert_eq!(scene.trade(0, 50, Side::Buy), []);
    assert_eq!(scene.trade(0, 7, Side::Sell), []);
    // Two leave: they were behind, as far as one may believe, until fewer are left than were thought to be before.
    assert_eq!(scene.quote(0, 8, 2, 10), []);
    assert_eq!(scene.trade(0, 5, Side::Sell), [Told::Fill(1, 0, 2, true)]);
    assert_eq!(scene.trade(0, 9, Side::Sell), [Told::Fill(1, 0, 2, true)]);
    scene.place(order(2, Side::Buy, OrderKind::LimitMaker, 0, 4));
    assert_eq!(scene.quote(0, 1, 2, 10), []);
    assert_eq!(scene.trade(0, 3, Side::Sell), [Told::Fill(2, 0, 2, true)]);
    // Through the price: everybody who was there is filled.
    assert_eq!(scene.trade(-1, 1, Side::Sell), [Told::Fill(2, 0, 2, true)]);
    scene.place(order(3, Side::Buy, OrderKind::LimitMaker, -5, 4));
    assert_eq!(scene.quote(-9, 1, -6, 10), [Told::Fill(3, -5, 4, true)]);
}

#[test]
fn a_probable_line_moves_with_those_who_leave() {
    let queue = Queue::Probable(QueueModel::Power(2.0));
    let mut scene = Scene::new(VenueSettings { queue, ..venue() }, Detail::Quotes);
    scene.quote(0, 10, 2, 10);
    scene.place(order(1, Side::Buy, OrderKind::LimitMaker, 0, 4));
    // Nobody is behind: all who leave were before us.
    scene.quote(0, 4, 2, 10);
    assert_eq!(scene.trade(0, 6, Side::Sell), [Told::Fill(1, 0, 2, true)]);
    // A trade is no leaving.
    assert_eq!(scene.quote(0, 1, 2, 10), []);
    let cancel = CancelOrder {
        instrument: InstrumentId(0),
        client_order_id: ClientOrderId::new(1, 1, 1),
        venue_order_id: 0,
    };
    assert_eq!(scene.ask(Request::Cancel(cancel)), [Told::Canceled(1)]);
    assert_eq!(scene.ask(Request::Cancel(cancel)), [Told::Other(1)]);
}

#[test]
fn stop_and_target_come_with_an_entry_and_end_each_other() {
    let mut scene = Scene::new(venue(), Detail::Quotes);
    scene.quote(-1, 50, 1, 3);
    scene.trade(0, 1, Side::Buy);
    let terms = OrderTerms { stop_on_fill: at(-20), target_on_fill: at(20), ..OrderTerms::PLAIN };
    let entry = NewOrder { terms, ..order(1, Side::Buy, OrderKind::Limit, 1, 5) };
    let told = scene.place(entry);
    assert_eq!(told, [Told::Ack(1), Told::Fill(1, 1, 3, false), Told::Ack(2), Told::Ack(3)]);
    // Both grow with it, and the stop takes what is shown for as long as it needs.
    assert_eq!(scene.trade(0, 9, Side::Sell), [Told::Fill(1, 1, 2, true)]);
    assert_eq!(scene.exchange.position(InstrumentId(0)), Qty(whole(5)));
    scene.quote(-22, 2, -19, 3);
    assert_eq!(scene.trade(-20, 1, Side::Sell), [Told::Fill(2, -22, 2, false)]);
    let told = scene.quote(-25, 9, -19, 3);
    assert_eq!(told, [Told::Fill(2, -25, 3, false), Told::Canceled(3)]);
    assert_eq!(scene.exchange.position(InstrumentId(0)), Qty::ZERO);
    assert!(!scene.exchange.has_orders(InstrumentId(0)));
}

#[test]
fn what_may_only_reduce_reduces() {
    let mut scene = Scene::new(venue(), Detail::Quotes);
    scene.quote(-1, 50, 1, 30);
    let reduce = OrderTerms { reduce_only: true, ..OrderTerms::PLAIN };
    let close = |id| NewOrder { terms: reduce, ..order(id, Side::Sell, OrderKind::Market, 0, 9) };
    assert_eq!(scene.place(close(1)), [Told::Refused(1)]);
    scene.place(order(2, Side::Buy, OrderKind::Market, 0, 4));
    // The five that were asked for beyond what is held end: whoever sent it must not wait for them.
    let told = scene.place(close(3));
    assert_eq!(told, [Told::Ack(3), Told::Fill(3, -1, 4, false), Told::Expired(3)]);
    assert!(!scene.exchange.has_orders(InstrumentId(0)));
}

/// Both together could fill too much.
#[test]
fn what_has_begun_to_fill_is_not_replaced() {
    let mut scene = Scene::new(venue(), Detail::Quotes);
    scene.quote(-1, 50, 1, 30);
    let stop = NewOrder { purpose: Purpose::Stop, ..order(2, Side::Sell, OrderKind::Limit, 1, 4) };
    let replace = |scene: &mut Scene, id| {
        scene.ask(Request::Replace(
            ClientOrderId::new(1, 1, id),
            NewOrder { client_order_id: ClientOrderId::new(1, 1, 9), ..stop },
        ))
    };
    scene.place(order(1, Side::Buy, OrderKind::Limit, 1, 40));
    assert_eq!(replace(&mut scene, 1), [Told::Refused(9)]);
    scene.place(stop);
    assert_eq!(replace(&mut scene, 2), [Told::Canceled(2), Told::Ack(9)]);
    // Stop and target that came with an entry are no exception.
    let terms = OrderTerms { stop_on_fill: at(-20), ..OrderTerms::PLAIN };
    scene.quote(-1, 50, 1, 30);
    scene.place(NewOrder { terms, ..order(20, Side::Buy, OrderKind::Market, 0, 5) });
    scene.quote(-22, 2, -19, 3);
    assert_eq!(replace(&mut scene, 21), [Told::Refused(9)]);
}

/// A stop that its venue would have triggered at once is refused, as there; one with a limit rests once it was reached.
#[test]
fn a_stop_with_a_limit_is_a_limit_order_once_it_was_reached() {
    let mut scene = Scene::new(venue(), Detail::Quotes);
    scene.quote(-1, 50, 1, 30);
    scene.trade(0, 1, Side::Buy);
    let stop = |id, trigger, limit| NewOrder {
        stop_price: at(trigger),
        purpose: Purpose::Stop,
        ..order(id, Side::Sell, OrderKind::StopLimit, limit, 4)
    };
    assert_eq!(scene.place(stop(1, 0, -5)), [Told::Refused(1)]);
    assert_eq!(scene.place(stop(2, -10, -12)), [Told::Ack(2)]);
    scene.quote(-30, 50, -28, 30);
    assert_eq!(scene.trade(-30, 1, Side::Sell), []);
    assert_eq!(scene.trade(-11, 1, Side::Buy), [Told::Fill(2, -12, 4, true)]);
}
