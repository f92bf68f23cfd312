//! The life of a trade under stress: thousands of brackets, longs and shorts, on venues that misbehave, with an
//! operator who pulls every lever; and single scenes, step by step.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint cannot see")]

mod engine_harness;

use engine_harness::*;
use smc_core::event::*;
use smc_core::instrument::{InstrumentSpec, TradingStatus};
use smc_core::output::*;
use smc_core::strategy::{EntryKind, Intent, Intents, Management, MarketView, Strategy};
use smc_core::words::*;

const TICK: i64 = 1_000_000;
const LOT: i64 = 1_000;

fn settle(world: &mut World<Eager>, seed: u64) {
    world.command(Command::Arm);
    world.feed(BTC, EventBody::Feed(FeedState::Live));
    world.feed(BTC, EventBody::Gateway(GatewayState::Ready));
    world.feed(BTC, EventBody::Instrument(spec()));
    world.command(Command::Flatten);
    world.run(400);
    assert_eq!(world.engine.position(BTC).0, world.venue.position, "seed {seed}: books disagree");
    assert_eq!(world.venue.open(), 0, "seed {seed}: orders left");
    assert_eq!(world.engine.open_orders().count(), 0, "seed {seed}: phantom orders");
    // Less than two smallest orders: a remainder at the edge may have been refused once.
    let value = Price(world.bid).notional_floor(Qty(world.venue.position.abs()));
    assert!(value < Money(10 * SCALE), "seed {seed}: {} left", world.venue.position);
}

#[test]
fn thousands_of_trades_on_bad_venues_never_over_exit_and_always_settle() {
    let mut trips = 0;
    for seed in 0..24 {
        let manners = Manners {
            twice: 10 * (seed % 2),
            overtake: 15 * (seed / 2 % 2),
            stop_refused: 8 * (seed / 4 % 2),
            unknown: 8 * (seed / 8 % 2),
            late: seed % 3,
            partial: seed % 2 == 0,
            base_fees: seed % 4 >= 2,
        };
        let mut world = eager(seed, manners);
        world.keep = false;
        world.run(10_000);
        let stats = world.engine.positions().stats(BTC);
        trips += stats.wins + stats.losses;
        settle(&mut world, seed);
    }
    assert!(trips > 2_000, "{trips}");
}

/// Operator, feed and order path at their worst. Nothing leaves in HALT; afterwards everything settles.
#[test]
fn every_lever_at_random_still_settles() {
    for seed in 100..124 {
        let manners = Manners {
            twice: 5,
            overtake: 5,
            stop_refused: 3,
            unknown: 3,
            late: 1,
            partial: true,
            base_fees: seed % 2 == 0,
        };
        let mut world = eager(seed, manners);
        world.keep = false;
        let mut rng = Rng(seed);
        for _ in 0..300 {
            let span = 1 + rng.below(60);
            let sent = world.engine.orders_sent();
            let was_halted = world.engine.state() == TradingState::Halt;
            world.run(span);
            if was_halted {
                assert_eq!(world.engine.orders_sent(), sent, "seed {seed}: an order in HALT");
            }
            let body = match rng.below(14) {
                0 => EventBody::Operator(Command::Kill.into()),
                1 | 2 => EventBody::Operator(Command::Arm.into()),
                3 => EventBody::Operator(Command::Pause.into()),
                4 | 5 => EventBody::Operator(Command::Resume.into()),
                6 => EventBody::Operator(Command::Flatten.into()),
                7 => EventBody::Feed(FeedState::Down),
                8 => EventBody::Feed(FeedState::Live),
                9 => EventBody::Gateway(GatewayState::Syncing),
                10 => EventBody::Gateway(GatewayState::Ready),
                11 => EventBody::Instrument(instrument(TradingStatus::Halted)),
                _ => EventBody::Instrument(instrument(TradingStatus::Trading)),
            };
            world.feed(BTC, body);
        }
        settle(&mut world, seed);
    }
}

fn instrument(status: TradingStatus) -> InstrumentSpec {
    InstrumentSpec { status, ..spec() }
}
/// On a venue that answers within 25 ms a position is never without a working stop or exit for longer.
#[test]
fn a_position_is_never_bare_for_longer_than_an_answer_takes() {
    let mut held_ns = 0;
    for seed in 200..208 {
        let mut world = eager(seed, Manners { partial: true, ..Manners::default() });
        world.keep = false;
        let mut bare_since: Option<u64> = None;
        for _ in 0..8_000 {
            world.tick();
            let is_holding = world.engine.position(BTC).0.abs() > SCALE / 2_000;
            held_ns += if is_holding { 100 * MS } else { 0 };
            let is_covered = world.engine.open_orders().any(|order| order.purpose != Purpose::Entry);
            match bare_since {
                _ if is_covered || !is_holding => bare_since = None,
                None => bare_since = Some(world.now),
                Some(since) => assert!(world.now - since < 200 * MS, "seed {seed}: bare"),
            }
        }
    }
    assert!(held_ns > 1_000 * SECOND, "{held_ns}");
}

/// Enters once, at prices given.
struct Once(Option<Intent>);

impl Strategy for Once {
    fn on_quote(&mut self, _: &MarketView<'_>, _: &Quote, intents: &mut Intents) {
        if let Some(intent) = self.0.take() {
            intents.push(intent);
        }
    }
}

/// A scene: the test plays the venue itself.
struct Scene {
    world: World<Once>,
    trade_id: u64,
}

fn at(whole: i64) -> i64 {
    whole * SCALE
}

impl Scene {
    fn new(direction: Direction) -> Self {
        let sign = direction.side().sign();
        let intent = Intent::Enter {
            direction,
            entry: Price(at(60_000)),
            stop: Price(at(60_000 - 100 * sign) + 1),
            target: Price(at(60_000 + 200 * sign)),
            kind: EntryKind::Rest,
            reasons: [0; REASONS_MAX],
            expires: TsNs(u64::MAX),
            manage: Management::PLAIN,
        };
        let mut world = World::new(1, config(), Once(Some(intent)), Manners::default());
        world.make_ready();
        Self { world, trade_id: 0 }
    }

    /// A quote whose bid (for a long) or ask (for a short) is `price`.
    fn quote(&mut self, bid: i64) -> Vec<Output> {
        self.world.now += 10 * MS;
        let update_id = self.world.seq;
        let size = Qty(SCALE);
        let quote =
            Quote { bid: Price(bid), bid_qty: size, ask: Price(bid + TICK), ask_qty: size, update_id };
        self.world.feed(BTC, EventBody::Quote(quote))
    }

    fn report(&mut self, order: &NewOrder, kind: OrderUpdateKind) -> Vec<Output> {
        self.world.now += MS;
        let id = order.client_order_id;
        let update = OrderUpdate { client_order_id: id, venue_order_id: id.sequence(), kind };
        self.world.feed(BTC, EventBody::Order(update))
    }

    fn fill(&mut self, order: &NewOrder, price: i64, qty: i64, cum: i64) -> Vec<Output> {
        self.fill_for(order, price, qty, cum, Money(0))
    }

    /// With a fee in the base asset.
    fn fill_for(&mut self, order: &NewOrder, price: i64, qty: i64, cum: i64, fee: Money) -> Vec<Output> {
        self.trade_id += 1;
        let kind = OrderUpdateKind::Fill {
            trade_id: self.trade_id,
            side: order.side,
            price: Price(price),
            qty: Qty(qty),
            cum_qty: Qty(cum),
            fee,
            fee_asset: name(if fee == Money(0) { "USDT" } else { "BTC" }),
            is_maker: true,
        };
        self.report(order, kind)
    }

    fn timer(&mut self, after_ns: u64) -> Vec<Output> {
        self.world.now += after_ns;
        let bid = self.world.engine.book(BTC).unwrap().best_bid().unwrap().price.0;
        let mut said = self.quote(bid);
        said.extend(self.world.feed(InstrumentId::NONE, EventBody::Timer));
        said
    }

    fn entered(direction: Direction) -> (Self, NewOrder) {
        let mut scene = Self::new(direction);
        let said = scene.quote(at(60_001));
        let entry = order(&said).unwrap();
        assert_eq!((entry.purpose, entry.kind), (Purpose::Entry, OrderKind::Limit));
        assert_eq!(entry.price, Price(at(60_000)));
        scene.report(&entry, OrderUpdateKind::Ack);
        (scene, entry)
    }

    fn holding(direction: Direction) -> (Self, NewOrder) {
        let (mut scene, entry) = Self::entered(direction);
        let said = scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0);
        let stop = order(&said).unwrap();
        assert_eq!((stop.purpose, stop.kind, stop.qty), (Purpose::Stop, OrderKind::StopLimit, entry.qty));
        scene.report(&stop, OrderUpdateKind::Ack);
        (scene, stop)
    }
}

fn order(said: &[Output]) -> Option<NewOrder> {
    said.iter().find_map(|output| match output {
        Output::NewOrder(approved) => Some(*approved.order()),
        _ => None,
    })
}

fn cancelled(said: &[Output]) -> Option<ClientOrderId> {
    said.iter().find_map(|output| match output {
        Output::Cancel(cancel) => Some(cancel.client_order_id),
        _ => None,
    })
}

fn alerts(said: &[Output], wanted: AlertKind) -> usize {
    said.iter().filter(|output| matches!(output, Output::Alert(alert) if alert.kind == wanted)).count()
}

const CANCELED: OrderUpdateKind = OrderUpdateKind::Canceled { cum_qty: Qty(0) };

#[test]
fn the_stop_stands_beyond_on_the_grid_for_longs_and_shorts() {
    let (_, stop) = Scene::holding(Direction::Up);
    assert_eq!((stop.side, stop.stop_price), (Side::Sell, Price(at(59_900))));
    assert_eq!(stop.price, Price(at(59_900) - at(59_900) / 500));
    let (_, stop) = Scene::holding(Direction::Down);
    assert_eq!((stop.side, stop.stop_price), (Side::Buy, Price(at(60_100) + TICK)));
    assert!(stop.price > stop.stop_price);
}

#[test]
fn the_target_cancels_the_stop_first_and_exits_after() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    let said = scene.quote(at(60_200));
    assert_eq!((cancelled(&said), order(&said)), (Some(stop.client_order_id), None));
    let said = scene.report(&stop, CANCELED);
    let exit = order(&said).unwrap();
    assert_eq!(
        (exit.purpose, exit.kind, exit.side, exit.qty),
        (Purpose::Target, OrderKind::Market, Side::Sell, stop.qty)
    );
    scene.report(&exit, OrderUpdateKind::Ack);
    scene.fill(&exit, at(60_200), exit.qty.0, exit.qty.0);
    assert_eq!(scene.world.engine.position(BTC), Qty(0));
    assert!(scene.world.engine.plan(BTC).is_none());
    assert!(scene.world.engine.realised() > Money(0));
}

#[test]
fn a_stop_that_fills_while_being_cancelled_leaves_nothing_to_exit() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    scene.quote(at(60_200));
    let said = scene.fill(&stop, at(59_900), stop.qty.0, stop.qty.0);
    assert_eq!(order(&said), None);
    let said = scene.report(&stop, OrderUpdateKind::CancelReject { code: -2011 });
    assert_eq!(order(&said), None);
    assert_eq!(scene.world.engine.position(BTC), Qty(0));
    assert!(scene.world.engine.plan(BTC).is_none());
}

#[test]
fn a_cancelled_stop_that_had_filled_in_part_exits_only_the_rest() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    scene.quote(at(60_200));
    let part = stop.qty.0 / 2_000 * 1_000;
    // The final word comes before the fill it speaks of: the exit waits for it.
    let said = scene.report(&stop, OrderUpdateKind::Canceled { cum_qty: Qty(part) });
    assert_eq!(order(&said), None);
    let said = scene.fill(&stop, at(59_950), part, part);
    assert_eq!(order(&said).unwrap().qty, Qty(stop.qty.0 - part));
}

#[test]
fn an_order_that_the_ring_did_not_take_is_not_told_as_the_venues_refusal() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let stop = order(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0)).unwrap();
    let said = scene.report(&stop, OrderUpdateKind::Reject { code: REJECT_RING_FULL });
    assert_eq!((alerts(&said, AlertKind::OutboundFull), alerts(&said, AlertKind::VenueReject)), (1, 0));
}

#[test]
fn more_than_was_asked_for_is_an_alert_with_the_difference() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let filled = Qty(entry.qty.0 + 700);
    let said = scene.fill(&entry, at(60_000), filled.0, filled.0);
    let details = said.iter().filter_map(|output| match output {
        Output::Alert(alert) if alert.kind == AlertKind::Overfill => Some(alert.detail),
        _ => None,
    });
    assert_eq!(details.collect::<Vec<_>>(), [700]);
}

#[test]
fn a_refused_stop_is_an_alert_and_a_market_exit() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let said = scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0);
    let stop = order(&said).unwrap();
    let said = scene.report(&stop, OrderUpdateKind::Reject { code: -2010 });
    assert_eq!(alerts(&said, AlertKind::Unprotected), 1);
    assert_eq!(alerts(&said, AlertKind::VenueReject), 1);
    let exit = order(&said).unwrap();
    assert_eq!((exit.purpose, exit.kind, exit.qty), (Purpose::Flatten, OrderKind::Market, entry.qty));
}

#[test]
fn a_triggered_stop_that_does_not_fill_becomes_a_market_order() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    let trade = Trade { price: Price(at(59_800)), qty: Qty(SCALE), aggressor: Side::Sell, trade_id: 1 };
    scene.world.feed(BTC, EventBody::Trade(trade));
    assert_eq!(cancelled(&scene.timer(SECOND)), None);
    assert_eq!(cancelled(&scene.timer(SECOND)), Some(stop.client_order_id));
    let exit = order(&scene.report(&stop, CANCELED)).unwrap();
    assert_eq!((exit.purpose, exit.kind), (Purpose::Stop, OrderKind::Market));
}

#[test]
fn a_growing_entry_has_its_stop_replaced() {
    let (mut scene, entry) = Scene::entered(Direction::Down);
    let half = entry.qty.0 / 2_000 * 1_000;
    let stop = order(&scene.fill(&entry, at(60_000), half, half)).unwrap();
    assert_eq!((stop.qty, stop.side), (Qty(half), Side::Buy));
    scene.report(&stop, OrderUpdateKind::Ack);
    let said = scene.fill(&entry, at(60_000), entry.qty.0 - half, entry.qty.0);
    assert_eq!((cancelled(&said), order(&said)), (Some(stop.client_order_id), None));
    let stop = order(&scene.report(&stop, CANCELED)).unwrap();
    assert_eq!((stop.purpose, stop.qty), (Purpose::Stop, entry.qty));
}

#[test]
fn an_unfilled_entry_expires() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let life = scene.world.engine.config().execution.entry_lifetime_ns_max;
    let said = scene.timer(life);
    assert_eq!(cancelled(&said), Some(entry.client_order_id));
    scene.report(&entry, CANCELED);
    assert!(scene.world.engine.plan(BTC).is_none());
}

#[test]
fn a_late_life_sign_of_a_refused_order_is_cancelled_before_anything_else() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let stop = order(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0)).unwrap();
    let exit = order(&scene.report(&stop, OrderUpdateKind::Reject { code: -1 })).unwrap();
    scene.report(&exit, OrderUpdateKind::Expired { cum_qty: Qty(0) });
    // The stop lives after all: it has to go before another exit may be sent.
    let said = scene.report(&stop, OrderUpdateKind::Ack);
    assert_eq!((cancelled(&said), order(&said)), (Some(stop.client_order_id), None));
    assert_eq!(order(&scene.timer(SECOND)), None);
    let said = scene.report(&stop, CANCELED);
    assert_eq!(order(&said).unwrap().qty, entry.qty);
}

#[test]
fn losing_the_feed_with_a_position_is_told() {
    let (mut scene, _) = Scene::holding(Direction::Up);
    let said = scene.world.feed(BTC, EventBody::Feed(FeedState::Down));
    assert_eq!(alerts(&said, AlertKind::BlindWithPosition), 1);
}

#[test]
fn a_killed_position_is_told_as_bare_and_protected_again_once_armed() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    let said = scene.world.command(Command::Kill);
    assert_eq!(cancelled(&said), Some(stop.client_order_id));
    scene.report(&stop, CANCELED);
    let wait = scene.world.engine.config().execution.naked_ns_max;
    scene.timer(MS);
    let said = scene.timer(wait);
    assert_eq!((alerts(&said, AlertKind::Unprotected), order(&said)), (1, None));
    assert_eq!(alerts(&scene.timer(wait), AlertKind::Unprotected), 0, "told once");
    let said = scene.world.command(Command::Arm);
    assert_eq!(order(&said).unwrap().purpose, Purpose::Stop);
}

/// All of a long that the lot allows; the dust it leaves is nobody's worry, and a person's flatten changes nothing.
#[test]
fn a_long_bought_for_a_fee_in_kind_ends_in_dust() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let fee = entry.qty.0 / 1_000;
    let stop = order(&scene.fill_for(&entry, at(60_000), entry.qty.0, entry.qty.0, Money(fee))).unwrap();
    let held = entry.qty.0 - fee;
    assert_eq!(stop.qty, Qty(held / LOT * LOT));
    scene.report(&stop, OrderUpdateKind::Ack);
    scene.fill(&stop, at(59_900), stop.qty.0, stop.qty.0);
    assert_eq!(scene.world.engine.position(BTC), Qty(held % LOT), "reported as it is");
    assert!(scene.world.engine.position(BTC).0 > 0, "else this shows nothing");
    assert!(scene.world.engine.plan(BTC).is_none());
    for _ in 0..10 {
        assert_eq!(scene.timer(SECOND), []);
    }
    assert_eq!(scene.world.feed(BTC, EventBody::Feed(FeedState::Down)), []);
    scene.world.feed(BTC, EventBody::Feed(FeedState::Live));
    scene.quote(at(59_900));
    let said = scene.world.command(Command::Flatten);
    assert!(matches!(said[..], [Output::State(_)]), "{said:?}");
    assert_eq!(scene.timer(SECOND), []);
}

/// The first purchase shows the fee: what the stop left of a short is bought at once, the fee on top, at the
/// market and not with another stop that the market has passed.
#[test]
fn a_short_whose_fee_was_unknown_is_closed_in_two() {
    let (mut scene, stop) = Scene::holding(Direction::Down);
    let fee = stop.qty.0 / 1_000;
    let said = scene.fill_for(&stop, at(60_101), stop.qty.0, stop.qty.0, Money(fee));
    let exit = order(&said).unwrap();
    assert_eq!((exit.purpose, exit.kind, exit.side), (Purpose::Stop, OrderKind::Market, Side::Buy));
    assert_eq!(exit.qty, Qty((fee + fee / 900) / LOT * LOT));
    assert_eq!(alerts(&said, AlertKind::Unprotected), 0);
    scene.fill_for(&exit, at(60_101), exit.qty.0, exit.qty.0, Money(exit.qty.0 / 1_000));
    assert!((-LOT + 1..=0).contains(&scene.world.engine.position(BTC).0));
    assert!(scene.world.engine.plan(BTC).is_none());
    assert_eq!(scene.timer(4 * SECOND), []);
}

/// A remainder worth less than the smallest order cannot be closed, and is left even when its price rises.
#[test]
fn a_remainder_below_the_smallest_order_is_left() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    let left = 8_000; // 4.79 at the stop.
    scene.fill(&stop, at(59_900), stop.qty.0 - left, stop.qty.0 - left);
    let kind = OrderUpdateKind::Canceled { cum_qty: Qty(stop.qty.0 - left) };
    assert_eq!(order(&scene.report(&stop, kind)), None);
    assert!(scene.world.engine.plan(BTC).is_none());
    scene.quote(at(70_000));
    for _ in 0..10 {
        assert_eq!(scene.timer(SECOND), []);
    }
    // Now an order can close it: not by itself, but when a person asks.
    let exit = order(&scene.world.command(Command::Flatten)).unwrap();
    assert_eq!((exit.purpose, exit.qty), (Purpose::Flatten, Qty(left)));
    // The venue thinks otherwise: once is enough.
    scene.report(&exit, OrderUpdateKind::Reject { code: -1013 });
    for _ in 0..10 {
        assert_eq!(scene.timer(SECOND), []);
    }
}

#[test]
fn a_stop_that_filled_whole_takes_the_rest_of_the_entry_with_it() {
    let (mut scene, entry) = Scene::entered(Direction::Up);
    let half = entry.qty.0 / 2_000 * 1_000;
    let stop = order(&scene.fill(&entry, at(60_000), half, half)).unwrap();
    scene.report(&stop, OrderUpdateKind::Ack);
    let said = scene.fill(&stop, at(59_900), half, half);
    assert_eq!((cancelled(&said), order(&said)), (Some(entry.client_order_id), None));
    scene.report(&entry, OrderUpdateKind::Canceled { cum_qty: Qty(half) });
    assert!(scene.world.engine.plan(BTC).is_none());
}

#[test]
fn an_entry_that_the_market_has_left_behind_is_not_sent() {
    for (direction, bid) in [
        (Direction::Up, at(60_200)),
        (Direction::Up, at(59_900)),
        (Direction::Down, at(59_800) - TICK),
        (Direction::Down, at(60_100)),
    ] {
        let mut scene = Scene::new(direction);
        assert_eq!(scene.quote(bid), [], "{direction:?} at {bid}");
        assert_eq!(scene.world.engine.counters().intents_ignored, 1);
    }
}

#[test]
fn rules_that_make_no_sense_leave_a_working_stop_alone() {
    let (mut scene, stop) = Scene::holding(Direction::Up);
    let said = scene.world.feed(BTC, EventBody::Instrument(InstrumentSpec { lot: Qty(0), ..spec() }));
    assert_eq!((alerts(&said, AlertKind::Instrument), cancelled(&said)), (1, None));
    assert_eq!(scene.timer(SECOND), []);
    scene.world.feed(BTC, EventBody::Instrument(spec()));
    assert_eq!(cancelled(&scene.quote(at(60_200))), Some(stop.client_order_id), "the trade goes on");
}

#[test]
fn reports_about_strangers_are_told() {
    let mut scene = Scene::new(Direction::Up);
    let stranger = ClientOrderId::new(9, 9, 9);
    let update = OrderUpdate { client_order_id: stranger, venue_order_id: 1, kind: OrderUpdateKind::Ack };
    let said = scene.world.feed(BTC, EventBody::Order(update));
    assert_eq!(alerts(&said, AlertKind::UnknownOrder), 1);
}

#[test]
fn a_spec_that_makes_no_sense_is_refused_and_trades_nothing() {
    let mut scene = Scene::new(Direction::Up);
    let bad = InstrumentSpec { tick: Price(0), ..spec() };
    let said = scene.world.feed(BTC, EventBody::Instrument(bad));
    assert_eq!(alerts(&said, AlertKind::Instrument), 1);
    assert_eq!(order(&scene.quote(at(60_001))), None);
}

/// Numbers from hell: nothing panics, whatever an edge lets through.
#[test]
fn absurd_input_is_survived() {
    let mut scene = Scene::new(Direction::Up);
    for value in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
        let (price, qty) = (Price(value), Qty(value));
        let trade = Trade { price, qty, aggressor: Side::Buy, trade_id: 0 };
        let quote = Quote { bid: price, bid_qty: qty, ask: price, ask_qty: qty, update_id: u64::MAX };
        let levels = [Level { price, qty }; BOOK_LEVELS_PER_EVENT];
        let (is_snapshot_start, is_last, side) = (value == 0, true, Side::Buy);
        let book = BookUpdate { update_id: 0, is_snapshot_start, is_last, side, len: 255, levels };
        let bar = Bar {
            open_ts: TsNs(u64::MAX),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: qty,
            trades: u32::MAX,
        };
        let absurd = InstrumentSpec { tick: price, lot: qty, ..spec() };
        let fill = OrderUpdateKind::Fill {
            trade_id: 1,
            side: Side::Buy,
            price,
            qty,
            cum_qty: qty,
            fee: Money(value),
            fee_asset: name("BTC"),
            is_maker: false,
        };
        let update = |kind| {
            EventBody::Order(OrderUpdate { client_order_id: ClientOrderId::NONE, venue_order_id: 0, kind })
        };
        for body in [
            EventBody::Trade(trade),
            EventBody::Quote(quote),
            EventBody::Book(book),
            EventBody::Bar(Timeframe::from_secs(1).unwrap(), bar),
            EventBody::Bar(Timeframe::from_secs(60).unwrap(), bar),
            EventBody::Instrument(absurd),
            update(fill),
            EventBody::Balance(Balance { asset: name("USDT"), free: qty, locked: qty }),
            EventBody::Timer,
        ] {
            for instrument in [BTC, InstrumentId(1), InstrumentId::NONE] {
                scene.world.feed(instrument, body);
            }
        }
    }
}
