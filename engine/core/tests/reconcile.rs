//! Reconciliation: what the engine does about orders, fills and positions that it and the venue do not agree on.
//!
//! Claims one by one, against a venue that is told by hand. `reconcile_sim.rs` lets a venue live.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod engine_harness;

use engine_harness::{BTC, Eager, MS, Manners, SECOND, World, config, free_fill};
use smc_core::Engine;
use smc_core::config::{Adopt, EngineConfig};
use smc_core::engine::ROUNDS_MAX;
use smc_core::event::*;
use smc_core::orders::{FOREIGN_MAX, OrderState};
use smc_core::output::*;
use smc_core::words::*;

const NONE: InstrumentId = InstrumentId::NONE;
const LOT: i64 = SCALE / 100;
const PRICE: Price = Price(60_000 * SCALE);

/// The usual limits, with reports that never come by themselves: the test is the venue.
struct Desk {
    world: World<Eager>,
    trade_id: u64,
}

impl Desk {
    /// Ready, with a price, and a strategy that enters at every `every`th quote.
    fn new(every: u32) -> Self {
        Self::with(config(), every)
    }

    fn with(config: EngineConfig, every: u32) -> Self {
        let mut world = World::new(1, config, Eager::new(every, 400), Manners::default());
        world.make_ready();
        let mut desk = Self { world, trade_id: 1_000 };
        desk.feed(EventBody::Gateway(GatewayState::Down));
        desk.price(PRICE);
        desk.feed(EventBody::Gateway(GatewayState::Ready));
        desk
    }

    /// One that never enters.
    fn idle() -> Self {
        Self::new(u32::MAX)
    }

    fn feed(&mut self, body: EventBody) -> Vec<Output> {
        let instrument = match body {
            EventBody::Round(_) | EventBody::Gateway(_) | EventBody::Budget(_) => NONE,
            EventBody::Operator(_) | EventBody::Timer => NONE,
            _ => BTC,
        };
        self.world.feed(instrument, body)
    }

    fn price(&mut self, price: Price) -> Vec<Output> {
        let (bid, ask) = (Price(price.0 - SCALE / 100), Price(price.0 + SCALE / 100));
        self.feed(EventBody::Quote(Quote {
            bid,
            bid_qty: Qty(SCALE),
            ask,
            ask_qty: Qty(SCALE),
            update_id: 1,
        }))
    }

    /// A second later, with the timer and a quote.
    fn wait(&mut self, ns: u64) -> Vec<Output> {
        self.world.now += ns;
        let mut said = self.feed(EventBody::Timer);
        said.extend(self.price(PRICE));
        said
    }

    fn begin(&mut self, number: u32) {
        self.feed(EventBody::Round(ReconcileRound { number, is_end: false, is_complete: false }));
    }

    fn end(&mut self, is_complete: bool) -> Vec<Output> {
        self.feed(EventBody::Round(ReconcileRound { number: 0, is_end: true, is_complete }))
    }

    /// A complete round with these rows.
    fn round(&mut self, number: u32, orders: &[VenueOrder], position: Option<i64>) -> Vec<Output> {
        self.begin(number);
        let mut said = Vec::new();
        for &row in orders {
            said.extend(self.feed(EventBody::VenueOrder(row)));
        }
        if let Some(qty) = position {
            let average = Price(50_000 * SCALE);
            said.extend(self.feed(EventBody::VenuePosition(VenuePosition { qty: Qty(qty), average })));
        }
        said.extend(self.end(true));
        said
    }

    fn report(
        &mut self,
        client_order_id: ClientOrderId,
        venue_order_id: u64,
        kind: OrderUpdateKind,
    ) -> Vec<Output> {
        self.feed(EventBody::Order(OrderUpdate { client_order_id, venue_order_id, kind }))
    }

    fn fill(
        &mut self,
        id: ClientOrderId,
        venue_order_id: u64,
        side: Side,
        qty: i64,
        cum: i64,
    ) -> Vec<Output> {
        self.trade_id += 1;
        self.report(id, venue_order_id, fill(self.trade_id, side, qty, cum))
    }

    fn command(&mut self, command: Command) -> Vec<Output> {
        self.world.command(command)
    }

    /// Waits for the strategy's entry; it is acknowledged.
    fn entry(&mut self) -> NewOrder {
        let said = self.wait(SECOND);
        let order = sent(&said).first().copied().unwrap();
        self.report(order.client_order_id, 77, OrderUpdateKind::Ack);
        order
    }

    fn level(&self) -> TradingState {
        self.world.engine.reconcile_level(BTC)
    }

    fn position(&self) -> i64 {
        self.world.engine.position(BTC).0
    }

    fn reserved(&self, side: Side) -> i128 {
        self.world.engine.reserved(BTC).qty(side)
    }

    /// Saved and loaded, as a new process would have it.
    fn reload(&mut self) {
        let (mut bytes, config) = (Vec::new(), self.world.engine.config().clone());
        self.world.engine.save(&mut bytes);
        let mut engine = Engine::new(config, self.world.engine.strategy().clone_settings()).unwrap();
        engine.load(&bytes).unwrap();
        let mut again = Vec::new();
        engine.save(&mut again);
        assert!(again == bytes, "what was loaded is not what was saved");
        self.world.engine = engine;
    }
}

fn fill(trade_id: u64, side: Side, qty: i64, cum_qty: i64) -> OrderUpdateKind {
    free_fill(trade_id, side, PRICE, qty, cum_qty)
}

fn row(client_order_id: ClientOrderId, venue_order_id: u64, side: Side, qty: i64, filled: i64) -> VenueOrder {
    VenueOrder {
        client_order_id,
        venue_order_id,
        side,
        kind: OrderKind::Limit,
        price: Price(PRICE.0 - 1_000 * SCALE * side.sign()),
        stop_price: Price::ZERO,
        qty: Qty(qty),
        filled_qty: Qty(filled),
    }
}

/// An order by hand.
fn by_hand(venue_order_id: u64, side: Side, qty: i64, filled: i64) -> VenueOrder {
    row(ClientOrderId::NONE, venue_order_id, side, qty, filled)
}

fn row_of(order: &NewOrder, filled: i64) -> VenueOrder {
    row(order.client_order_id, 77, order.side, order.qty.0, filled)
}

fn sent(said: &[Output]) -> Vec<NewOrder> {
    let orders = said.iter().filter_map(|output| match output {
        Output::NewOrder(order) => Some(*order.order()),
        _ => None,
    });
    orders.collect()
}

fn cancels(said: &[Output]) -> Vec<(ClientOrderId, u64)> {
    let cancels = said.iter().filter_map(|output| match output {
        Output::Cancel(cancel) => Some((cancel.client_order_id, cancel.venue_order_id)),
        _ => None,
    });
    cancels.collect()
}

fn alerts(said: &[Output], kind: AlertKind) -> Vec<i64> {
    let alerts = said.iter().filter_map(|output| match output {
        Output::Alert(alert) if alert.kind == kind => Some(alert.detail),
        _ => None,
    });
    alerts.collect()
}

fn levels(said: &[Output]) -> Vec<(TradingState, Control)> {
    let states = said.iter().filter_map(|output| match output {
        Output::State(state) if state.scope == RiskScope::instrument(BTC) => Some((state.to, state.cause)),
        _ => None,
    });
    states.collect()
}

#[test]
fn an_order_of_ours_that_was_forgotten_is_adopted_counted_and_cancelled() {
    let mut desk = Desk::idle();
    let id = ClientOrderId::new(1, 1, 900);
    let said = desk.round(1, &[row(id, 5, Side::Buy, 3 * LOT, LOT)], None);
    assert_eq!(alerts(&said, AlertKind::Adopted), [2 * LOT]);
    assert_eq!(cancels(&said), [(id, 5)]);
    assert_eq!(desk.reserved(Side::Buy), i128::from(3 * LOT), "its fill is still to be told");
    desk.fill(id, 5, Side::Buy, LOT, LOT);
    assert_eq!((desk.position(), desk.reserved(Side::Buy)), (LOT, i128::from(2 * LOT)));
    desk.report(id, 5, OrderUpdateKind::Canceled { cum_qty: Qty(LOT) });
    assert_eq!((desk.position(), desk.reserved(Side::Buy)), (LOT, 0));
    desk.reload();
    assert_eq!(desk.level(), TradingState::ReduceOnly, "not yet quiet");
}

#[test]
fn an_id_that_the_venue_knows_is_not_given_out_again() {
    let mut desk = Desk::new(1);
    desk.world.feed(BTC, EventBody::Feed(FeedState::Down));
    let id = ClientOrderId::new(1, 1, 900);
    desk.round(1, &[row(id, 5, Side::Buy, LOT, 0)], None);
    desk.report(id, 5, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
    desk.reload();
    desk.world.feed(BTC, EventBody::Feed(FeedState::Live));
    desk.round(2, &[], None);
    desk.round(3, &[], None);
    let order = desk.entry();
    assert!(order.client_order_id.sequence() > 900, "{:?}", order.client_order_id);
}

#[test]
fn an_order_of_another_hand_counts_and_stops_everything_new_until_a_person_has_seen_it() {
    let mut desk = Desk::new(1);
    desk.feed(EventBody::Gateway(GatewayState::Down));
    let said = desk.round(1, &[by_hand(5, Side::Sell, 3 * LOT, LOT)], None);
    assert_eq!(alerts(&said, AlertKind::Adopted), [-2 * LOT]);
    assert!(levels(&said).contains(&(TradingState::CancelOnly, Control::UnknownOrder)));
    assert_eq!(cancels(&said), [], "it is not ours to cancel");
    assert_eq!((desk.reserved(Side::Sell), desk.world.engine.reserved(BTC).orders), (i128::from(2 * LOT), 1));
    desk.feed(EventBody::Gateway(GatewayState::Ready));
    desk.round(1, &[by_hand(5, Side::Sell, 3 * LOT, LOT)], None);
    desk.round(2, &[by_hand(5, Side::Sell, 3 * LOT, LOT)], None);
    desk.reload();
    assert_eq!(desk.level(), TradingState::CancelOnly, "two quiet rounds do not make it seen");
    assert_eq!(sent(&desk.wait(SECOND)), []);
    assert!(levels(&desk.command(Command::Resume)).contains(&(TradingState::Normal, Control::Reconciling)));
    let before = desk.reserved(Side::Sell);
    let said = desk.wait(SECOND);
    let [order] = sent(&said)[..] else { panic!("it is followed, and in nobody's way: {said:?}") };
    let own = if order.side == Side::Sell { i128::from(order.qty.0) } else { 0 };
    assert_eq!((before, desk.reserved(Side::Sell)), (i128::from(2 * LOT), before + own));
}

#[test]
fn the_order_of_another_hand_is_followed() {
    let mut desk = Desk::idle();
    desk.round(1, &[by_hand(5, Side::Sell, 4 * LOT, LOT)], None);
    let said = desk.fill(ClientOrderId::NONE, 5, Side::Sell, 2 * LOT, 3 * LOT);
    assert_eq!(alerts(&said, AlertKind::Adopted), [-2 * LOT]);
    assert_eq!((desk.position(), desk.reserved(Side::Sell)), (-2 * LOT, i128::from(LOT)));
    desk.reload();
    let again = fill(desk.trade_id, Side::Sell, 2 * LOT, 3 * LOT);
    desk.report(ClientOrderId::NONE, 5, again);
    assert_eq!(desk.position(), -2 * LOT, "a fill counts once");
    desk.report(ClientOrderId::NONE, 5, OrderUpdateKind::Canceled { cum_qty: Qty(3 * LOT) });
    assert_eq!(desk.reserved(Side::Sell), 0);
    assert_eq!(desk.world.engine.foreign_orders(BTC).count(), 0);
}

#[test]
fn a_kill_or_flatten_takes_the_orders_of_other_hands_away_and_asks_until_they_are_gone() {
    for command in [Command::Kill, Command::Flatten, Command::KillFlatten] {
        let mut desk = Desk::idle();
        let rows = [by_hand(5, Side::Sell, LOT, 0), by_hand(6, Side::Buy, LOT, 0)];
        desk.round(1, &rows, None);
        let both = [(ClientOrderId::NONE, 5), (ClientOrderId::NONE, 6)];
        assert_eq!(cancels(&desk.command(command)), both);
        assert_eq!(cancels(&desk.wait(MS)), [], "not at every turn");
        desk.report(ClientOrderId::NONE, 5, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
        desk.reload();
        assert_eq!(cancels(&desk.wait(2 * SECOND)), both[1..]);
        desk.report(ClientOrderId::NONE, 6, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
        assert_eq!(cancels(&desk.wait(2 * SECOND)), []);
        assert_eq!(desk.world.engine.reserved(BTC).orders, 0);
    }
}

#[test]
fn the_orders_of_other_hands_have_a_limit_and_beyond_it_nothing_is_entered() {
    let mut desk = Desk::idle();
    desk.begin(1);
    for id in 1..=FOREIGN_MAX as u64 + 3 {
        desk.feed(EventBody::VenueOrder(by_hand(id, Side::Buy, LOT, 0)));
    }
    desk.end(true);
    assert_eq!(desk.world.engine.reserved(BTC).orders as usize, FOREIGN_MAX);
    assert_eq!(desk.level(), TradingState::CancelOnly);
    desk.reload();
}

#[test]
fn an_order_missing_from_a_round_is_unknown_and_only_a_second_with_an_equal_position_ends_it() {
    let mut desk = Desk::new(1);
    let order = desk.entry();
    let id = order.client_order_id;
    let state =
        |desk: &Desk| desk.world.engine.open_orders().find(|o| o.client_order_id == id).map(|o| o.state());
    let said = desk.round(2, &[], Some(0));
    assert_eq!(alerts(&said, AlertKind::OrderUnknown).len(), 1);
    assert_eq!(state(&desk), Some(OrderState::Unknown));
    desk.round(3, &[], None);
    assert_eq!(state(&desk), Some(OrderState::Unknown), "nobody said what is held");
    desk.round(4, &[], Some(LOT));
    assert_eq!(state(&desk), Some(OrderState::Unknown), "it may be what filled");
    desk.reload();
    desk.round(5, &[], Some(0));
    assert_eq!(state(&desk), None);
    assert_eq!(desk.reserved(order.side), 0);
    desk.fill(id, 77, order.side, LOT, LOT);
    assert_eq!(desk.position(), LOT * order.side.sign(), "it lived after all");
    assert_eq!(desk.reserved(order.side), i128::from(order.qty.0 - LOT));
}

#[test]
fn an_order_that_is_heard_of_during_a_round_is_not_missed_by_it() {
    let mut desk = Desk::new(1);
    let order = desk.entry();
    desk.begin(2);
    desk.fill(order.client_order_id, 77, order.side, LOT, LOT);
    assert_eq!(alerts(&desk.end(true), AlertKind::OrderUnknown), [0i64; 0]);
    // One that ended while the list was under way stands in it all the same.
    desk.begin(3);
    desk.report(order.client_order_id, 77, OrderUpdateKind::Canceled { cum_qty: Qty(LOT) });
    desk.feed(EventBody::VenueOrder(row_of(&order, LOT)));
    desk.end(true);
    assert!(desk.world.engine.open_orders().all(|open| open.client_order_id != order.client_order_id));
}

#[test]
fn what_the_venue_filled_beyond_ours_is_awaited_exactly() {
    let mut desk = Desk::new(1);
    let order = desk.entry();
    let id = order.client_order_id;
    desk.round(2, &[row_of(&order, 2 * LOT)], None);
    assert_eq!(desk.position(), 0, "no fill is made up");
    desk.report(id, 77, OrderUpdateKind::Canceled { cum_qty: Qty(2 * LOT) });
    assert_eq!(desk.reserved(order.side), i128::from(2 * LOT));
    desk.reload();
    desk.fill(id, 77, order.side, 2 * LOT, 2 * LOT);
    assert_eq!(desk.position(), 2 * LOT * order.side.sign());
}

#[test]
fn the_same_mismatch_twice_reduces_and_a_late_fill_clears_it() {
    let mut desk = Desk::new(1);
    desk.round(1, &[], Some(0));
    desk.round(2, &[], Some(0));
    let order = desk.entry();
    let signed = LOT * order.side.sign();
    let listed = [row_of(&order, LOT)];
    assert_eq!(levels(&desk.round(3, &listed, Some(signed))), []);
    assert_eq!(levels(&desk.round(4, &listed, Some(2 * signed))), [], "another one");
    let said = desk.round(5, &listed, Some(2 * signed));
    assert_eq!(alerts(&said, AlertKind::PositionMismatch), [2 * signed]);
    assert_eq!(levels(&said), [(TradingState::ReduceOnly, Control::PositionMismatch)]);
    assert_eq!((desk.position(), sent(&said)), (0, vec![]), "no order and no fill is made up");
    let reserved = desk.reserved(order.side);
    assert!(reserved >= i128::from(order.qty.0 + 2 * LOT), "what the venue holds counts: {reserved}");
    desk.reload();
    desk.fill(order.client_order_id, 77, order.side, 2 * LOT, 2 * LOT);
    assert!(desk.world.engine.wants_round());
    let said = desk.round(6, &[row_of(&order, 2 * LOT)], Some(2 * signed));
    assert_eq!(levels(&said), [(TradingState::Normal, Control::Reconciling)]);
}

#[test]
fn a_position_found_at_start_is_taken_over_and_left_alone() {
    let mut desk = Desk::new(1);
    desk.feed(EventBody::Gateway(GatewayState::Down));
    assert_eq!(
        alerts(&desk.round(1, &[], Some(3 * LOT)), AlertKind::Adopted),
        [0i64; 0],
        "one round is no proof"
    );
    let said = desk.round(2, &[], Some(3 * LOT));
    assert_eq!(alerts(&said, AlertKind::Adopted), [3 * LOT]);
    assert_eq!(desk.position(), 3 * LOT);
    assert_eq!(desk.world.engine.positions().average(BTC), Price(50_000 * SCALE));
    assert_eq!(desk.reserved(Side::Buy), 0);
    desk.reload();
    assert!(desk.world.engine.is_adopted(BTC));
    desk.feed(EventBody::Gateway(GatewayState::Ready));
    for number in 1..4 {
        desk.round(number, &[], Some(3 * LOT));
    }
    let said: Vec<Output> = (0..9).flat_map(|_| desk.wait(SECOND)).collect();
    assert_eq!(sent(&said), [], "nothing protects it and nothing closes it");
    assert_eq!(desk.level(), TradingState::ReduceOnly);
    desk.command(Command::Resume);
    let said: Vec<Output> = (0..9).flat_map(|_| desk.wait(SECOND)).collect();
    assert_eq!(sent(&said), [], "a person has seen it, and has not asked for its end");
    let said = desk.command(Command::Flatten);
    let [exit] = sent(&said)[..] else { panic!("{said:?}") };
    assert_eq!((exit.side, exit.qty, exit.kind), (Side::Sell, Qty(3 * LOT), OrderKind::Market));
}

#[test]
fn a_position_found_at_start_is_closed_where_that_is_configured() {
    let mut config = config();
    config.execution.adopt = Adopt::Flatten;
    let mut desk = Desk::with(config, u32::MAX);
    desk.round(1, &[], Some(-3 * LOT));
    let said = desk.round(2, &[], Some(-3 * LOT));
    let [exit] = sent(&said)[..] else { panic!("{said:?}") };
    assert_eq!((exit.side, exit.qty, exit.purpose), (Side::Buy, Qty(3 * LOT), Purpose::Flatten));
}

/// It may be the position: its fills are told by the gateway's query, and may not count twice.
#[test]
fn a_position_is_not_taken_over_while_an_order_of_ours_is_in_doubt() {
    let mut desk = Desk::new(1);
    let order = desk.entry();
    desk.reload();
    desk.command(Command::Start);
    desk.feed(EventBody::Gateway(GatewayState::Down));
    let signed = order.qty.0 * order.side.sign();
    desk.round(1, &[], Some(signed));
    desk.round(2, &[], Some(signed));
    assert_eq!(desk.position(), 0);
    desk.fill(order.client_order_id, 77, order.side, order.qty.0, order.qty.0);
    desk.round(3, &[], Some(signed));
    desk.round(4, &[], Some(signed));
    assert_eq!(desk.position(), signed);
    assert!(!desk.world.engine.is_adopted(BTC));
}

#[test]
fn once_trading_has_begun_a_position_is_never_taken_over() {
    let mut desk = Desk::idle();
    desk.round(1, &[], Some(0));
    desk.round(2, &[], Some(0));
    desk.feed(EventBody::Gateway(GatewayState::Down));
    desk.feed(EventBody::Gateway(GatewayState::Ready));
    for number in 1..8 {
        desk.round(number, &[], Some(LOT));
    }
    assert_eq!((desk.position(), desk.level()), (0, TradingState::ReduceOnly));
    assert!(!desk.world.engine.wants_round());
}

#[test]
fn entries_wait_for_two_quiet_complete_rounds_in_a_row_after_start_and_reconnect() {
    let mut desk = Desk::new(1);
    desk.feed(EventBody::Gateway(GatewayState::Down));
    for _ in 0..2 {
        desk.begin(1);
        desk.feed(EventBody::Gateway(GatewayState::Ready));
        assert_eq!(sent(&desk.wait(SECOND)), [], "in the first round");
        desk.end(true);
        assert_eq!(sent(&desk.wait(SECOND)), [], "after one");
        desk.begin(2);
        desk.end(false);
        assert_eq!(sent(&desk.wait(SECOND)), [], "one that was not complete is none");
        desk.round(3, &[], Some(0));
        desk.reload();
        assert_eq!(sent(&desk.wait(SECOND)), [], "not in a row");
        assert!(desk.world.engine.wants_round());
        desk.round(4, &[], Some(0));
        assert!(!desk.world.engine.wants_round());
        let said = desk.wait(SECOND);
        let [order] = sent(&said)[..] else { panic!("{said:?}") };
        let gone = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
        desk.report(order.client_order_id, 1, gone);
        desk.feed(EventBody::Gateway(GatewayState::Down));
    }
}

#[test]
fn rounds_that_do_not_converge_end_and_reduce() {
    let mut desk = Desk::idle();
    let mut said = Vec::new();
    for number in 1..=u32::from(ROUNDS_MAX) {
        assert!(number == 1 || desk.world.engine.wants_round());
        desk.begin(number);
        said.extend(desk.end(false));
    }
    assert!(!desk.world.engine.wants_round());
    assert_eq!(alerts(&said, AlertKind::Control), [Control::Reconciling as i64]);
    desk.reload();
    desk.begin(6); // Broken off by the next.
    assert_eq!(alerts(&desk.round(7, &[], None), AlertKind::Control), [0i64; 0], "said once");
    assert_eq!(desk.level(), TradingState::ReduceOnly);
    desk.command(Command::Resume);
    assert!(desk.world.engine.wants_round(), "a person has it look again");
    desk.round(8, &[], None);
    desk.round(9, &[], None);
    assert_eq!(desk.level(), TradingState::Normal);
}

#[test]
fn a_fill_of_an_order_that_nobody_knows_moves_the_position_once_and_stops_what_is_new() {
    for id in [ClientOrderId::NONE, ClientOrderId::new(1, 1, 500), ClientOrderId::new(9, 1, 5)] {
        let mut desk = Desk::new(1);
        let said = desk.fill(id, 5, Side::Buy, 2 * LOT, 2 * LOT);
        assert_eq!(alerts(&said, AlertKind::UnknownOrder), [2 * LOT]);
        assert_eq!(levels(&said), [(TradingState::CancelOnly, Control::UnknownOrder)]);
        assert_eq!(desk.position(), 2 * LOT);
        desk.reload();
        desk.report(id, 5, fill(desk.trade_id, Side::Buy, 2 * LOT, 2 * LOT));
        desk.report(id, 5, OrderUpdateKind::Ack);
        assert_eq!(desk.position(), 2 * LOT);
        desk.fill(id, 5, Side::Buy, LOT, 3 * LOT);
        assert_eq!(desk.position(), 3 * LOT);
        assert_eq!(sent(&desk.wait(SECOND)), []);
        assert_eq!(desk.level(), TradingState::CancelOnly);
    }
}

/// A stop that may not be replaced is not taken away either.
#[test]
fn a_strange_fill_does_not_cost_a_position_its_stop() {
    let mut desk = Desk::new(1);
    let order = desk.entry();
    let said = desk.fill(order.client_order_id, 77, order.side, order.qty.0, order.qty.0);
    let [stop] = sent(&said)[..] else { panic!("{said:?}") };
    desk.report(stop.client_order_id, 78, OrderUpdateKind::Ack);
    let mut said = desk.fill(ClientOrderId::NONE, 5, order.side, 2 * LOT, 2 * LOT);
    let beyond = if order.side == Side::Buy { PRICE.0 / 1_000 } else { -PRICE.0 / 1_000 };
    said.extend(desk.price(Price(PRICE.0 + beyond)));
    said.extend(desk.wait(3 * SECOND));
    assert_eq!(
        (cancels(&said), sent(&said)),
        (vec![], vec![]),
        "the target is reached, but nothing may be sent"
    );
    let said = desk.command(Command::Resume);
    assert_eq!(cancels(&said).first().map(|cancel| cancel.0), Some(stop.client_order_id));
}

#[test]
fn a_ban_allows_cancels_alone_until_its_end_whoever_asks_meanwhile() {
    let mut desk = Desk::new(1);
    let ban =
        |until| RequestBudget { left: 0, limit: 6_000, banned_until: TsNs(until), resets_at: TsNs(until) };
    let end = desk.world.now + 10 * SECOND;
    let said = desk.feed(EventBody::Budget(ban(end)));
    assert!(matches!(
        said[..],
        [Output::State(StateChange { to: TradingState::CancelOnly, cause: Control::Venue, .. })]
    ));
    desk.reload();
    desk.command(Command::Start);
    desk.feed(EventBody::Budget(ban(0)));
    assert_eq!(sent(&desk.wait(9 * SECOND)), []);
    let said = desk.wait(SECOND);
    assert_eq!(sent(&said).len(), 1);
    assert!(matches!(
        said[0],
        Output::State(StateChange { to: TradingState::Normal, cause: Control::Venue, .. })
    ));
}

/// A dead man's switch at the venue: every order is cancelled, which comes as reports like any other.
#[test]
fn a_mass_cancel_leaves_nothing_reserved_and_the_position_is_protected_anew() {
    let mut desk = Desk::new(1);
    let order = desk.entry();
    let half = order.qty.0 / 2 / LOT * LOT;
    let said = desk.fill(order.client_order_id, 77, order.side, half, half);
    let [stop] = sent(&said)[..] else { panic!("{said:?}") };
    desk.report(order.client_order_id, 77, OrderUpdateKind::Canceled { cum_qty: Qty(half) });
    desk.report(stop.client_order_id, 78, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
    assert_eq!(desk.world.engine.reserved(BTC).orders, 0);
    let said = desk.wait(2 * SECOND);
    assert_eq!(
        sent(&said).iter().map(|stop| (stop.purpose, stop.qty.0)).collect::<Vec<_>>(),
        [(Purpose::Stop, half)]
    );
}
