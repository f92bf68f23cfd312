//! Trades that are looked after on their way, step by step: parts of the profit, a stop that moves, pairs,
//! replacements, stops that come with their entry, and orders that nobody answers. The test plays the venue.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint cannot see")]

mod engine_harness;

use engine_harness::*;
use smc_core::config::EngineConfig;
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec};
use smc_core::output::*;
use smc_core::strategy::{
    BreakEven, Distance, EntryKind, Intent, Intents, Management, MarketView, PARTS_MAX, Part, Reach,
    Strategy, Trail,
};
use smc_core::words::*;

const TICK: i64 = 1_000_000;
const LOT: i64 = 1_000;
const R: u32 = 1_000_000;
const CANCELED: OrderUpdateKind = OrderUpdateKind::Canceled { cum_qty: Qty(0) };
const ACK: OrderUpdateKind = OrderUpdateKind::Ack;
const REPLACE: Contract = Contract { can_replace: true, ..Contract::SPOT };
const OCO: Contract = Contract { can_oco: true, ..Contract::SPOT };
const ATTACH: Contract = Contract { can_attach: true, can_reduce_only: true, ..Contract::SPOT };

fn at(whole: i64) -> i64 {
    whole * SCALE
}

struct Once(Option<Intent>);

impl Strategy for Once {
    fn on_quote(&mut self, _: &MarketView<'_>, _: &Quote, intents: &mut Intents) {
        if let Some(intent) = self.0.take() {
            intents.push(intent);
        }
    }
}

/// A long from 60 000 with its stop at 59 900 and its target at 60 400.
struct Scene {
    world: World<Once>,
    trade_id: u64,
}

/// Everything that leaves for the venue.
#[derive(Debug, PartialEq)]
enum Sent {
    New(NewOrder),
    Cancel(ClientOrderId),
    Replace(ClientOrderId, NewOrder),
}

fn sent(said: &[Output]) -> Vec<Sent> {
    let sent = said.iter().filter_map(|output| match output {
        Output::NewOrder(approved) => Some(Sent::New(*approved.order())),
        Output::Cancel(cancel) => Some(Sent::Cancel(cancel.client_order_id)),
        Output::Replace(replace) => Some(Sent::Replace(replace.replaced, *replace.order.order())),
        _ => None,
    });
    sent.collect()
}

/// The only thing sent is a new order.
fn new(said: &[Output]) -> NewOrder {
    let sent = sent(said);
    let [Sent::New(order)] = sent[..] else { panic!("{sent:?}") };
    order
}

fn alerts(said: &[Output], wanted: AlertKind) -> usize {
    said.iter().filter(|output| matches!(output, Output::Alert(alert) if alert.kind == wanted)).count()
}

impl Scene {
    fn new(contract: Contract, manage: Management) -> Self {
        Self::with(config(), contract, manage)
    }

    fn with(config: EngineConfig, contract: Contract, manage: Management) -> Self {
        let [entry, stop, target] = [60_000, 59_900, 60_400].map(|price| Price(at(price)));
        let intent = Intent::enter(Direction::Up, entry, stop, target, EntryKind::Rest, TsNs(u64::MAX))
            .managed(manage);
        let mut world = World::new(1, config, Once(Some(intent)), Manners::default());
        world.make_ready();
        world.feed(BTC, EventBody::Instrument(InstrumentSpec { contract, ..spec() }));
        Self { world, trade_id: 0 }
    }

    /// The entry, acknowledged.
    fn entered(contract: Contract, manage: Management) -> (Self, NewOrder) {
        let mut scene = Self::new(contract, manage);
        let entry = new(&scene.quote(at(60_001)));
        scene.report(&entry, ACK);
        (scene, entry)
    }

    /// Filled, with the stop working.
    fn holding(contract: Contract, manage: Management) -> (Self, NewOrder) {
        let (mut scene, entry) = Self::entered(contract, manage);
        let stop = new(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0));
        assert_eq!((stop.purpose, stop.qty), (Purpose::Stop, entry.qty));
        scene.report(&stop, ACK);
        (scene, stop)
    }

    fn quote(&mut self, bid: i64) -> Vec<Output> {
        self.world.now += 300 * MS;
        let (size, update_id) = (Qty(SCALE), self.world.seq);
        let quote =
            Quote { bid: Price(bid), bid_qty: size, ask: Price(bid + TICK), ask_qty: size, update_id };
        self.world.feed(BTC, EventBody::Quote(quote))
    }

    fn report(&mut self, order: &NewOrder, kind: OrderUpdateKind) -> Vec<Output> {
        self.report_of(order.client_order_id, kind)
    }

    fn report_of(&mut self, id: ClientOrderId, kind: OrderUpdateKind) -> Vec<Output> {
        self.world.now += MS;
        let update = OrderUpdate { client_order_id: id, venue_order_id: id.sequence(), kind };
        self.world.feed(BTC, EventBody::Order(update))
    }

    fn fill(&mut self, order: &NewOrder, price: i64, qty: i64, cum: i64) -> Vec<Output> {
        self.fill_of(order.client_order_id, order.side, price, qty, cum)
    }

    fn fill_of(&mut self, id: ClientOrderId, side: Side, price: i64, qty: i64, cum: i64) -> Vec<Output> {
        self.trade_id += 1;
        let kind = OrderUpdateKind::Fill {
            trade_id: self.trade_id,
            side,
            price: Price(price),
            qty: Qty(qty),
            cum_qty: Qty(cum),
            fee: Money(0),
            fee_asset: name("USDT"),
            is_maker: true,
        };
        self.report_of(id, kind)
    }

    fn timer(&mut self, after_ns: u64) -> Vec<Output> {
        self.world.now += after_ns;
        let bid = self.world.engine.book(BTC).unwrap().best_bid().unwrap().price.0;
        let mut said = self.quote(bid);
        said.extend(self.world.feed(InstrumentId::NONE, EventBody::Timer));
        said
    }

    fn is_over(&self) -> bool {
        self.world.engine.plan(BTC).is_none()
            && self.world.engine.position(BTC) == Qty(0)
            && self.world.engine.open_orders().count() == 0
    }
}

fn parts<const N: usize>(parts: [(u32, u32); N]) -> Management {
    let mut all = [None; PARTS_MAX];
    for (slot, (risk, share_ppm)) in all.iter_mut().zip(parts) {
        *slot = Some(Part { at: Reach::Risk(risk), share_ppm });
    }
    Management { parts: all, ..Management::PLAIN }
}

fn trail(from: Option<Reach>, distance: Distance, step_ticks: u32) -> Management {
    Management { trail: Some(Trail { from, distance, step_ticks }), ..Management::PLAIN }
}

/// Half at 1 R, in lots.
fn half(qty: Qty) -> i64 {
    qty.0 / 2 / LOT * LOT
}

#[test]
fn a_part_goes_out_beside_a_smaller_stop_where_the_stop_must_be_cancelled_first() {
    let (mut scene, stop) = Scene::holding(Contract::SPOT, parts([(R, R / 2)]));
    assert_eq!(sent(&scene.quote(at(60_100) - TICK)), []);
    assert_eq!(sent(&scene.quote(at(60_100))), [Sent::Cancel(stop.client_order_id)]);
    let said = sent(&scene.report(&stop, CANCELED));
    let [Sent::New(rest), Sent::New(part)] = said[..] else { panic!("{said:?}") };
    assert_eq!((rest.purpose, rest.kind), (Purpose::Stop, OrderKind::StopLimit));
    assert_eq!(
        (part.purpose, part.kind, part.qty),
        (Purpose::Target, OrderKind::Market, Qty(half(stop.qty)))
    );
    assert_eq!(rest.qty.0 + part.qty.0, stop.qty.0, "together all that is held");
    scene.report(&rest, ACK);
    assert_eq!(sent(&scene.fill(&part, at(60_100), part.qty.0, part.qty.0)), []);
    assert_eq!(sent(&scene.quote(at(60_200))), [], "a part is taken once");
    // The target takes the rest.
    assert_eq!(sent(&scene.quote(at(60_400))), [Sent::Cancel(rest.client_order_id)]);
    let exit = new(&scene.report(&rest, CANCELED));
    assert_eq!(exit.qty, rest.qty);
    scene.fill(&exit, at(60_400), exit.qty.0, exit.qty.0);
    assert!(scene.is_over());
}

#[test]
fn a_part_follows_a_stop_that_was_replaced_by_a_smaller_one() {
    let (mut scene, stop) = Scene::holding(REPLACE, parts([(R, R / 2)]));
    let said = sent(&scene.quote(at(60_100)));
    let [Sent::Replace(old, smaller)] = said[..] else { panic!("{said:?}") };
    assert_eq!((old, smaller.qty), (stop.client_order_id, Qty(stop.qty.0 - half(stop.qty))));
    assert_eq!(smaller.stop_price, stop.stop_price);
    // One of the two answers is not enough.
    assert_eq!(sent(&scene.report(&smaller, ACK)), []);
    let part = new(&scene.report(&stop, CANCELED));
    assert_eq!((part.purpose, part.qty), (Purpose::Target, Qty(half(stop.qty))));
}

#[test]
fn a_part_that_the_venue_refuses_is_kept_and_the_stop_grows_back() {
    let (mut scene, stop) = Scene::holding(REPLACE, parts([(R, R / 2), (2 * R, R / 4)]));
    let said = sent(&scene.quote(at(60_100)));
    let [Sent::Replace(_, smaller)] = said[..] else { panic!("{said:?}") };
    scene.report(&smaller, ACK);
    let part = new(&scene.report(&stop, CANCELED));
    assert_eq!(sent(&scene.report(&part, OrderUpdateKind::Reject { code: -1 })), []);
    let said = sent(&scene.timer(SECOND));
    let [Sent::Replace(_, whole)] = said[..] else { panic!("{said:?}") };
    assert_eq!(whole.qty, stop.qty);
    scene.report(&whole, ACK);
    assert_eq!(sent(&scene.report(&smaller, CANCELED)), []);
    // The next part takes both along.
    let said = sent(&scene.quote(at(60_200)));
    let [Sent::Replace(_, smaller)] = said[..] else { panic!("{said:?}") };
    assert_eq!(smaller.qty.0, stop.qty.0 - half(stop.qty) - stop.qty.0 / 4 / LOT * LOT);
}

#[test]
fn a_part_cancels_what_is_left_of_the_entry_first() {
    let (mut scene, entry) = Scene::entered(REPLACE, parts([(R, R / 2)]));
    let filled = half(entry.qty);
    let stop = new(&scene.fill(&entry, at(60_000), filled, filled));
    scene.report(&stop, ACK);
    assert_eq!(sent(&scene.quote(at(60_100))), [Sent::Cancel(entry.client_order_id)]);
    let said = sent(&scene.report(&entry, OrderUpdateKind::Canceled { cum_qty: Qty(filled) }));
    let [Sent::Replace(_, smaller)] = said[..] else { panic!("{said:?}") };
    assert_eq!(smaller.qty.0, filled - filled / 2 / LOT * LOT);
}

#[test]
fn a_stop_follows_by_its_step_and_never_back() {
    let manage = trail(None, Distance::Price(Price(at(50))), 1_000);
    let (mut scene, stop) = Scene::holding(REPLACE, manage);
    assert_eq!(sent(&scene.quote(at(59_955))), [], "less than its step of ten");
    let said = sent(&scene.quote(at(59_970)));
    let [Sent::Replace(_, second)] = said[..] else { panic!("{said:?}") };
    assert_eq!((second.stop_price, second.qty), (Price(at(59_920)), stop.qty));
    // While the venue has not said which lives, it is not moved again.
    assert_eq!(sent(&scene.quote(at(60_010))), []);
    scene.report(&stop, CANCELED);
    let said = sent(&scene.report(&second, ACK));
    let [] = said[..] else { panic!("{said:?}") };
    let said = sent(&scene.quote(at(60_000)));
    assert!(said.is_empty() || matches!(said[..], [Sent::Replace(..)]), "{said:?}");
}

#[test]
fn a_refused_move_leaves_the_old_stop_and_is_tried_again() {
    let (mut scene, stop) = Scene::holding(REPLACE, trail(None, Distance::Price(Price(at(50))), 1));
    let said = sent(&scene.quote(at(60_050)));
    let [Sent::Replace(_, moved)] = said[..] else { panic!("{said:?}") };
    assert_eq!(sent(&scene.report(&moved, OrderUpdateKind::Reject { code: -2021 })), []);
    let open: Vec<_> = scene.world.engine.open_orders().map(|order| order.client_order_id).collect();
    assert_eq!(open, [stop.client_order_id]);
    let said = sent(&scene.timer(SECOND));
    let [Sent::Replace(old, again)] = said[..] else { panic!("{said:?}") };
    assert_eq!((old, again.stop_price), (stop.client_order_id, moved.stop_price));
}

#[test]
fn the_stop_comes_to_where_the_trade_has_cost_nothing() {
    let manage = Management { break_even: Some(BreakEven::At(Reach::Risk(R))), ..Management::PLAIN };
    let (mut scene, stop) = Scene::holding(REPLACE, manage);
    // Ten basis points each way are 120.06 on 60 000: at 1 R the market has not come so far.
    assert_eq!(sent(&scene.quote(at(60_100))), []);
    assert_eq!(sent(&scene.quote(at(60_050))), []);
    let said = sent(&scene.quote(at(60_130)));
    let [Sent::Replace(old, even)] = said[..] else { panic!("{said:?}") };
    assert_eq!(old, stop.client_order_id);
    let (s, e, fee) = (i128::from(even.stop_price.0), i128::from(at(60_000)), 1_000);
    assert!((s - e) * 1_000_000 >= fee * (s + e), "pays the fees");
    let lower = s - i128::from(TICK);
    assert!((lower - e) * 1_000_000 < fee * (lower + e), "and not a tick more");
}

/// A stop above the entry's price would meet what is left of the entry, and the gate would have neither.
#[test]
fn a_stop_that_moves_past_its_entry_waits_for_that_to_be_gone() {
    let manage = Management { break_even: Some(BreakEven::At(Reach::Risk(R))), ..Management::PLAIN };
    let (mut scene, entry) = Scene::entered(Contract::SPOT, manage);
    let filled = half(entry.qty);
    let stop = new(&scene.fill(&entry, at(60_000), filled, filled));
    scene.report(&stop, ACK);
    assert_eq!(sent(&scene.quote(at(60_130))), [Sent::Cancel(entry.client_order_id)]);
    assert_eq!(sent(&scene.quote(at(60_131))), []);
    assert_eq!(sent(&scene.report(&entry, OrderUpdateKind::Canceled { cum_qty: Qty(filled) })), []);
    assert_eq!(sent(&scene.quote(at(60_132))), [Sent::Cancel(stop.client_order_id)]);
    let even = new(&scene.report(&stop, CANCELED));
    assert!(even.stop_price > Price(at(60_120)) && even.qty == stop.qty);
}

#[test]
fn stop_and_target_rest_as_a_pair_and_the_target_that_fills_ends_the_trade() {
    let (mut scene, entry) = Scene::entered(OCO, Management::PLAIN);
    let said = sent(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0));
    let [Sent::New(stop), Sent::New(target)] = said[..] else { panic!("{said:?}") };
    assert_eq!((stop.terms.oco, target.terms.oco), (target.client_order_id, stop.client_order_id));
    assert_eq!((target.kind, target.price, target.qty), (OrderKind::Limit, Price(at(60_400)), stop.qty));
    scene.report(&stop, ACK);
    scene.report(&target, ACK);
    // The venue holds the target: nothing is watched.
    assert_eq!(sent(&scene.quote(at(60_400))), []);
    assert_eq!(sent(&scene.fill(&target, at(60_400), target.qty.0, target.qty.0)), []);
    assert_eq!(sent(&scene.report(&stop, CANCELED)), []);
    assert!(scene.is_over());
}

/// The message window has room for the target and none for its stop: neither is sent, and nothing stays reserved.
#[test]
fn a_pair_is_sent_whole_or_not_at_all() {
    let mut narrow = config();
    narrow.account_limits.messages_max = 2;
    let mut scene = Scene::with(narrow, OCO, Management::PLAIN);
    let entry = new(&scene.quote(at(60_001)));
    let said = scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0);
    assert_eq!((sent(&said).len(), alerts(&said, AlertKind::Unprotected)), (0, 1));
    assert_eq!(scene.world.engine.open_orders().count(), 0);
    assert_eq!(sent(&scene.timer(2 * SECOND)).len(), 2);
}

#[test]
fn what_a_target_leaves_of_a_pair_gets_a_stop_of_its_own() {
    let (mut scene, entry) = Scene::entered(OCO, Management::PLAIN);
    let said = sent(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0));
    let [Sent::New(stop), Sent::New(target)] = said[..] else { panic!("{said:?}") };
    scene.report(&stop, ACK);
    scene.report(&target, ACK);
    let filled = half(target.qty);
    assert_eq!(sent(&scene.fill(&target, at(60_400), filled, filled)), []);
    // The first fill cancels the stop: the rest must not wait for the target alone.
    let said = sent(&scene.report(&stop, CANCELED));
    assert_eq!(said, [Sent::Cancel(target.client_order_id)]);
    let said = sent(&scene.report(&target, OrderUpdateKind::Canceled { cum_qty: Qty(filled) }));
    // At the price at which it fills no venue takes the target beside a stop.
    let [Sent::New(stop)] = said[..] else { panic!("{said:?}") };
    assert_eq!((stop.purpose, stop.qty.0), (Purpose::Stop, entry.qty.0 - filled));
    assert_eq!(stop.terms.oco, ClientOrderId::NONE);
    scene.report(&stop, ACK);
    assert_eq!(sent(&scene.quote(at(60_400))), [Sent::Cancel(stop.client_order_id)]);
}

/// Both of a pair fill: what was sold twice is bought back.
#[test]
fn a_race_in_which_both_fill_ends_flat() {
    let (mut scene, entry) = Scene::entered(OCO, Management::PLAIN);
    let said = sent(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0));
    let [Sent::New(stop), Sent::New(target)] = said[..] else { panic!("{said:?}") };
    let qty = stop.qty.0;
    scene.fill(&stop, at(59_900), qty, qty);
    let back = new(&scene.fill(&target, at(60_400), qty, qty));
    assert_eq!((back.side, back.kind, back.qty.0), (Side::Buy, OrderKind::Market, qty));
    scene.fill(&back, at(60_000), qty, qty);
    assert!(scene.is_over());
}

#[test]
fn a_target_that_is_refused_is_watched_instead() {
    let (mut scene, entry) = Scene::entered(OCO, Management::PLAIN);
    let said = sent(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0));
    let [Sent::New(stop), Sent::New(target)] = said[..] else { panic!("{said:?}") };
    scene.report(&stop, ACK);
    assert_eq!(sent(&scene.report(&target, OrderUpdateKind::Reject { code: -1 })), []);
    assert_eq!(sent(&scene.quote(at(60_400))), [Sent::Cancel(stop.client_order_id)]);
}

#[test]
fn what_comes_with_the_entry_protects_from_the_first_fill_on() {
    let (mut scene, entry) = Scene::entered(ATTACH, Management::PLAIN);
    assert_eq!(entry.terms.stop_on_fill, Price(at(59_900)));
    assert_eq!(entry.terms.target_on_fill, Price(at(60_400)));
    let filled = half(entry.qty);
    assert_eq!(sent(&scene.fill(&entry, at(60_000), filled, filled)), []);
    let (stop, target) = (entry.client_order_id.after(1), entry.client_order_id.after(2));
    let open = |scene: &Scene, id| {
        let order = scene.world.engine.open_orders().find(|order| order.client_order_id == id);
        order.map(|order| order.leaves_qty().0)
    };
    assert_eq!((open(&scene, stop), open(&scene, target)), (Some(filled), Some(filled)));
    scene.fill(&entry, at(60_000), entry.qty.0 - filled, entry.qty.0);
    assert_eq!(open(&scene, stop), Some(entry.qty.0));
    // The stop's own fill may be told before the entry's: then nothing is bought back.
    scene.fill_of(stop, Side::Sell, at(59_900), entry.qty.0, entry.qty.0);
    scene.report_of(target, CANCELED);
    assert!(scene.is_over());
    let next = scene.world.engine.open_orders().count();
    assert_eq!(next, 0);
}

#[test]
fn a_stop_that_fills_before_its_entry_is_told_of_is_no_short() {
    let (mut scene, entry) = Scene::entered(ATTACH, Management::PLAIN);
    let (stop, target) = (entry.client_order_id.after(1), entry.client_order_id.after(2));
    let qty = entry.qty.0;
    let said = scene.fill_of(stop, Side::Sell, at(59_900), qty, qty);
    assert!(!sent(&said).iter().any(|sent| matches!(sent, Sent::New(_))), "{said:?}");
    assert_eq!(scene.world.engine.position(BTC), Qty(-qty));
    scene.report_of(target, CANCELED);
    let said = scene.fill(&entry, at(60_000), qty, qty);
    assert!(!sent(&said).iter().any(|sent| matches!(sent, Sent::New(_))), "{said:?}");
    assert!(scene.is_over());
}

#[test]
fn a_target_that_begins_to_fill_before_its_entry_is_told_of_disturbs_nothing() {
    let (mut scene, entry) = Scene::entered(ATTACH, Management::PLAIN);
    let target = entry.client_order_id.after(2);
    let part = half(entry.qty);
    assert_eq!(sent(&scene.fill_of(target, Side::Sell, at(60_400), part, part)), []);
    assert_eq!(sent(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0)), []);
    assert_eq!(scene.world.engine.position(BTC), Qty(entry.qty.0 - part));
}

#[test]
fn exits_are_reduce_only_where_the_venue_knows_it() {
    let contract = Contract { can_reduce_only: true, ..Contract::SPOT };
    let (mut scene, stop) = Scene::holding(contract, Management::PLAIN);
    assert!(stop.terms.reduce_only);
    scene.quote(at(60_400));
    assert!(new(&scene.report(&stop, CANCELED)).terms.reduce_only);
}

/// O1, O2: told once, never sent again under another id, and whatever the venue says in the end counts.
#[test]
fn an_order_without_an_answer_is_unknown_and_not_sent_again() {
    let mut scene = Scene::new(Contract::SPOT, Management::PLAIN);
    let entry = new(&scene.quote(at(60_001)));
    assert_eq!(alerts(&scene.timer(SECOND), AlertKind::Unacknowledged), 0);
    let said = scene.timer(SECOND);
    assert_eq!((alerts(&said, AlertKind::Unacknowledged), sent(&said).len()), (1, 0));
    for _ in 0..5 {
        let said = scene.timer(2 * SECOND);
        assert_eq!((alerts(&said, AlertKind::Unacknowledged), sent(&said).len()), (0, 0));
    }
    let stop = new(&scene.fill(&entry, at(60_000), entry.qty.0, entry.qty.0));
    assert_eq!(stop.qty, entry.qty);
    let said = scene.timer(3 * SECOND);
    assert_eq!(
        (alerts(&said, AlertKind::Unacknowledged), sent(&said).len()),
        (1, 0),
        "the stop has none either"
    );
    // The venue has proved that it never arrived: only then another is sent.
    let again = new(&scene.report(&stop, OrderUpdateKind::NotFound));
    assert_eq!((again.purpose, again.qty), (Purpose::Stop, stop.qty));
}
