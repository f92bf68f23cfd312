//! Reconciliation against a venue that lives, lies by omission, lets other hands trade, and sees the engine start again, sometimes
//! with a memory that ends too early. The claims one by one are in `reconcile.rs`.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod engine_harness;

use engine_harness::{BTC, Eager, MS, Rng, SECOND, config, free_fill, name};
use smc_core::engine::ROUNDS_MAX;
use smc_core::event::*;
use smc_core::output::*;
use smc_core::words::*;
use smc_core::{Engine, Outbox};

const NONE: InstrumentId = InstrumentId::NONE;
const LOT: i64 = SCALE / 100;
const PRICE: Price = Price(60_000 * SCALE);

/// An order at the venue.
#[derive(Clone, Copy)]
struct Working {
    /// None of another hand.
    own: Option<ClientOrderId>,
    venue_order_id: u64,
    side: Side,
    price: Price,
    qty: i64,
    filled: i64,
    is_open: bool,
}

/// A venue with its truth, a line to it that loses things, and an engine that starts again now and then.
struct Sim {
    engine: Engine<Eager>,
    outbox: Outbox,
    rng: Rng,
    now: u64,
    mid: i64,
    orders: Vec<Working>,
    position: i64,
    /// Every fill of an own order: the venue's id, trade, quantity, cumulative.
    fills: Vec<(u64, u64, i64, i64)>,
    last_trade: u64,
    /// Reports on their way.
    mail: Vec<OrderUpdate>,
    is_connected: bool,
    /// Deeds of other hands that nobody has told the engine.
    secrets: u64,
    /// The last complete round began after all of them.
    is_known: bool,
    /// The engine was tampered with: nothing is promised but that it runs.
    is_lawless: bool,
    /// An older state, as a power cut leaves it.
    old: Vec<u8>,
    rounds: u32,
    tally: Tally,
}

/// What happened, so that the test can tell whether it tested anything.
#[derive(Default, Debug)]
struct Tally {
    checks: u64,
    own_fills: u64,
    foreign_fills: u64,
    foreign_orders: u64,
    restarts: u64,
    power_cuts: u64,
    orders_adopted: u64,
    mismatches: u64,
    positions_adopted: u64,
    unconverged: u64,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let engine = Engine::new(config(), Eager::new(3, 400)).unwrap();
        let mut sim = Self {
            engine,
            outbox: Outbox::new(),
            rng: Rng(seed),
            now: 1_723_161_600 * SECOND,
            mid: PRICE.0,
            orders: Vec::new(),
            position: 0,
            fills: Vec::new(),
            last_trade: 0,
            mail: Vec::new(),
            is_connected: true,
            secrets: 0,
            is_known: false,
            is_lawless: false,
            old: Vec::new(),
            rounds: 0,
            tally: Tally::default(),
        };
        sim.engine.save(&mut sim.old);
        if sim.rng.chance(50) {
            sim.position = LOT * (sim.rng.below(5) as i64 - 2);
        }
        sim.feed(BTC, EventBody::Instrument(engine_harness::spec()));
        for asset in ["USDT", "BTC"] {
            let balance = Balance { asset: name(asset), free: Qty(1_000_000 * SCALE), locked: Qty::ZERO };
            sim.feed(NONE, EventBody::Balance(balance));
        }
        sim.feed(BTC, EventBody::Feed(FeedState::Live));
        sim.connect();
        sim
    }

    fn feed(&mut self, instrument: InstrumentId, body: EventBody) {
        let ts = TsNs(self.now);
        self.engine
            .on_event(&Event { seq: 0, ts_event: ts, ts_recv: ts, instrument, body }, &mut self.outbox);
        let said: Vec<Output> = self.outbox.drain().collect();
        let is_row =
            matches!(body, EventBody::Round(_) | EventBody::VenueOrder(_) | EventBody::VenuePosition(_));
        for output in &said {
            match output {
                Output::NewOrder(order) => {
                    let order = order.order();
                    // A trade's stop or exit, or the end that a person asked for.
                    let is_wanted = self.engine.plan(BTC).is_some() || self.engine.leaving(BTC).is_some();
                    let is_bracket = order.purpose != Purpose::Entry && is_wanted;
                    assert!(
                        !is_row || is_bracket || self.is_lawless,
                        "reconciliation sends no order: {order:?}"
                    );
                    self.place(order);
                }
                Output::Cancel(cancel) => self.cancel(cancel),
                Output::Alert(alert) => match alert.kind {
                    AlertKind::PositionMismatch => self.tally.mismatches += 1,
                    AlertKind::Adopted if alert.client_order_id != ClientOrderId::NONE => {
                        self.tally.orders_adopted += 1;
                    }
                    AlertKind::Adopted if matches!(body, EventBody::Round(_)) => {
                        self.tally.positions_adopted += 1;
                    }
                    AlertKind::Control if is_row => self.tally.unconverged += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        self.check();
    }

    /// The law: whatever the venue's orders can still do to its position, ours reckon with it.
    fn check(&mut self) {
        if !self.is_known || self.is_lawless {
            return;
        }
        self.tally.checks += 1;
        let (reserved, ours) = (self.engine.reserved(BTC), i128::from(self.engine.position(BTC).0));
        let (longest, shortest) = self.worst();
        assert!(ours + reserved.buy_qty >= longest, "long {ours} + {} < {longest}", reserved.buy_qty);
        assert!(ours - reserved.sell_qty <= shortest, "short {ours} - {} > {shortest}", reserved.sell_qty);
    }

    fn worst(&self) -> (i128, i128) {
        let open = |side| {
            let of_side = self.orders.iter().filter(move |order| order.is_open && order.side == side);
            of_side.map(|order| i128::from(order.qty - order.filled)).sum::<i128>()
        };
        let position = i128::from(self.position);
        (position + open(Side::Buy), position - open(Side::Sell))
    }

    fn place(&mut self, order: &NewOrder) {
        let id = order.client_order_id;
        let is_twice = self.orders.iter().any(|known| known.own == Some(id) && known.is_open);
        let is_refused = is_twice || self.rng.chance(3);
        if is_refused {
            self.post(id, 0, OrderUpdateKind::Reject { code: -2_010 });
        }
        if is_refused || self.rng.chance(3) {
            return; // Lost on its way: only a query tells.
        }
        self.orders.push(Working {
            own: Some(id),
            venue_order_id: self.orders.len() as u64 + 1,
            side: order.side,
            price: order.price,
            qty: order.qty.0,
            filled: 0,
            is_open: true,
        });
        self.post(id, self.orders.len() as u64, OrderUpdateKind::Ack);
    }

    fn cancel(&mut self, cancel: &CancelOrder) {
        let is_it = |order: &Working| match cancel.client_order_id {
            ClientOrderId::NONE => order.venue_order_id == cancel.venue_order_id,
            id => order.own == Some(id),
        };
        match self.orders.iter().rposition(is_it) {
            Some(at) if self.orders[at].is_open => self.end(at),
            _ => {
                let kind = OrderUpdateKind::CancelReject { code: -2_011 };
                self.post(cancel.client_order_id, cancel.venue_order_id, kind);
            }
        }
    }

    fn end(&mut self, at: usize) {
        self.orders[at].is_open = false;
        let order = self.orders[at];
        let kind = OrderUpdateKind::Canceled { cum_qty: Qty(order.filled) };
        self.post(order.own.unwrap_or(ClientOrderId::NONE), order.venue_order_id, kind);
    }

    /// A report of another hand's order comes at once; one of ours when it comes.
    fn post(&mut self, client_order_id: ClientOrderId, venue_order_id: u64, kind: OrderUpdateKind) {
        if self.is_connected {
            self.mail.push(OrderUpdate { client_order_id, venue_order_id, kind });
        }
    }

    fn fill(&mut self, at: usize) {
        let order = &mut self.orders[at];
        let left = order.qty - order.filled;
        let qty = if self.rng.chance(50) { left } else { (left / 2).max(1) };
        order.filled += qty;
        order.is_open = order.filled < order.qty;
        let order = *order;
        self.position += qty * order.side.sign();
        self.last_trade += 1;
        let id = order.own.unwrap_or(ClientOrderId::NONE);
        match order.own {
            Some(_) => self.fills.push((order.venue_order_id, self.last_trade, qty, order.filled)),
            None if !self.is_connected => self.keep_secret(),
            None => {}
        }
        *(if order.own.is_some() { &mut self.tally.own_fills } else { &mut self.tally.foreign_fills }) += 1;
        self.post(id, order.venue_order_id, free_fill(self.last_trade, order.side, PRICE, qty, order.filled));
    }

    fn keep_secret(&mut self) {
        self.secrets += 1;
        self.is_known = false;
    }

    /// Delivers reports on their way; those of other hands never later than the next look.
    fn deliver(&mut self, all: bool) {
        let mut at = 0;
        while at < self.mail.len() {
            if all || self.mail[at].client_order_id == ClientOrderId::NONE || self.rng.chance(50) {
                let update = self.mail.remove(at);
                self.feed(BTC, EventBody::Order(update));
            } else {
                at += 1;
            }
        }
    }

    /// The gateway's query about an order: its fills, then how it stands.
    fn resolve(&mut self, id: ClientOrderId) {
        let Some(order) = self.orders.iter().rfind(|order| order.own == Some(id)).copied() else {
            let update =
                OrderUpdate { client_order_id: id, venue_order_id: 0, kind: OrderUpdateKind::NotFound };
            return self.feed(BTC, EventBody::Order(update));
        };
        let mut kinds = Vec::new();
        let mut sum = 0;
        for &(_, trade, qty, cum) in
            self.fills.iter().filter(|fill| fill.0 == order.venue_order_id).collect::<Vec<_>>()
        {
            sum += qty;
            assert_eq!(sum, cum);
            kinds.push(free_fill(trade, order.side, PRICE, qty, cum));
        }
        kinds.push(match order.is_open {
            true => OrderUpdateKind::Ack,
            false => OrderUpdateKind::Canceled { cum_qty: Qty(order.filled) },
        });
        for kind in kinds {
            let update = OrderUpdate { client_order_id: id, venue_order_id: order.venue_order_id, kind };
            self.feed(BTC, EventBody::Order(update));
        }
    }

    fn resolve_all(&mut self) {
        let open: Vec<ClientOrderId> = self.engine.open_orders().map(|order| order.client_order_id).collect();
        open.into_iter().for_each(|id| self.resolve(id));
    }

    /// A new process, with the state of the last one or an older one.
    fn restart(&mut self, is_power_cut: bool) {
        let mut bytes = Vec::new();
        self.engine.save(&mut bytes);
        if is_power_cut {
            std::mem::swap(&mut bytes, &mut self.old);
            self.keep_secret();
            self.tally.power_cuts += 1;
        }
        let mut engine = Engine::new(config(), Eager::new(3, 400)).unwrap();
        engine.load(&bytes).unwrap();
        let mut again = Vec::new();
        engine.save(&mut again);
        assert!(again == bytes, "what was loaded is not what was saved");
        self.engine = engine;
        self.mail.clear();
        self.feed(NONE, EventBody::Operator(Command::Start.into()));
        // Synced long before the first order of the new process.
        self.old.clear();
        self.engine.save(&mut self.old);
        self.tally.restarts += 1;
    }

    fn cut(&mut self) {
        self.deliver(false);
        self.mail.clear(); // Whatever was on its way.
        self.feed(NONE, EventBody::Gateway(GatewayState::Down));
        self.is_connected = false;
    }

    fn connect(&mut self) {
        self.is_connected = true;
        self.rounds = 0;
        self.round(true);
        self.feed(NONE, EventBody::Gateway(GatewayState::Ready));
    }

    /// Rows of the truth, with whatever comes between them.
    fn round(&mut self, is_complete: bool) {
        self.deliver(false);
        self.rounds += 1;
        let (number, secrets) = (self.rounds, self.secrets);
        self.feed(NONE, EventBody::Round(ReconcileRound { number, is_end: false, is_complete: false }));
        let open: Vec<Working> = self.orders.iter().filter(|order| order.is_open).copied().collect();
        let mut rows: Vec<EventBody> =
            open.iter().map(|order| EventBody::VenueOrder(listed(order))).collect();
        let average = if self.rng.chance(50) { PRICE } else { Price::ZERO };
        rows.push(EventBody::VenuePosition(VenuePosition { qty: Qty(self.position), average }));
        if !is_complete {
            rows.truncate(self.rng.below(rows.len() as u64) as usize);
        }
        for row in rows {
            self.feed(BTC, row);
            if self.rng.chance(20) {
                self.deliver(false);
            }
        }
        self.is_known |= is_complete && secrets == self.secrets;
        self.feed(NONE, EventBody::Round(ReconcileRound { number, is_end: true, is_complete }));
    }

    fn by_hand(&mut self) {
        let order = Working {
            own: None,
            venue_order_id: self.orders.len() as u64 + 1,
            side: if self.rng.chance(50) { Side::Buy } else { Side::Sell },
            price: PRICE,
            qty: LOT * (1 + self.rng.below(4) as i64),
            filled: 0,
            is_open: true,
        };
        if self.orders.iter().filter(|order| order.own.is_none() && order.is_open).count() < 20 {
            self.orders.push(order);
            self.keep_secret();
            self.tally.foreign_orders += 1;
        }
    }

    fn step(&mut self) {
        self.now += self.rng.below(400) * MS;
        let open: Vec<usize> = (0..self.orders.len()).filter(|&at| self.orders[at].is_open).collect();
        let some = (!open.is_empty()).then(|| open[self.rng.below(open.len() as u64) as usize]);
        match self.rng.below(100) {
            0..30 => {
                self.mid += (self.rng.below(41) as i64 - 20) * SCALE / 100;
                let (bid, ask) = (Price(self.mid - SCALE / 100), Price(self.mid + SCALE / 100));
                let size = Qty(SCALE);
                self.feed(
                    BTC,
                    EventBody::Quote(Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: 1 }),
                );
            }
            30..40 => self.feed(NONE, EventBody::Timer),
            40..55 => some.into_iter().for_each(|at| self.fill(at)),
            55..58 => some.into_iter().for_each(|at| self.end(at)),
            58..80 => self.deliver(false),
            80 if self.rng.chance(40) => self.by_hand(),
            82..90 if self.is_connected && (self.engine.wants_round() || self.rng.chance(10)) => {
                let is_complete = self.rng.chance(85);
                self.round(is_complete);
            }
            90 => self.cut(),
            91..94 if !self.is_connected => {
                if self.rng.chance(90) || self.secrets > 0 {
                    let is_power_cut = self.rng.chance(50);
                    self.restart(is_power_cut);
                }
                self.connect();
                self.resolve_all();
            }
            81 if self.is_connected => {
                let open = self.engine.open_orders().next().map(|order| order.client_order_id);
                open.into_iter().for_each(|id| self.resolve(id));
            }
            94 if self.rng.chance(30) => {
                let commands = [Command::Flatten, Command::Kill, Command::Pause];
                let command = commands[self.rng.below(3) as usize];
                self.feed(NONE, EventBody::Operator(command.into()));
            }
            95..98 => {
                for command in [Command::Arm, Command::Resume] {
                    self.feed(NONE, EventBody::Operator(command.into()));
                }
            }
            98 if self.rng.chance(5) => {
                self.old.clear();
                self.engine.save(&mut self.old);
            }
            _ => {}
        }
    }

    /// Everything is told; a person resumes and rounds are asked as long as they are wanted.
    fn settle(&mut self) {
        if !self.is_connected {
            self.restart(false);
            self.connect();
        }
        self.feed(NONE, EventBody::Operator(Command::Kill.into()));
        for _ in 0..4 {
            self.deliver(true);
            self.resolve_all();
            self.feed(NONE, EventBody::Operator(Command::Resume.into()));
            let mut rounds = 0;
            while self.engine.wants_round() {
                rounds += 1;
                assert!(rounds <= ROUNDS_MAX, "rounds end");
                self.now += SECOND;
                self.round(true);
                self.deliver(true);
                self.resolve_all();
            }
        }
        let reserved = self.engine.reserved(BTC);
        let ours = i128::from(self.engine.position(BTC).0);
        assert_eq!(self.engine.position(BTC).0, self.position, "what is held");
        assert_eq!((ours + reserved.buy_qty, ours - reserved.sell_qty), self.worst(), "what may still be");
        assert_eq!(self.engine.reconcile_level(BTC), TradingState::Normal);
    }
}

fn listed(order: &Working) -> VenueOrder {
    VenueOrder {
        client_order_id: order.own.unwrap_or(ClientOrderId::NONE),
        venue_order_id: order.venue_order_id,
        side: order.side,
        kind: OrderKind::Limit,
        price: order.price,
        stop_price: Price::ZERO,
        qty: Qty(order.qty),
        filled_qty: Qty(order.filled),
    }
}

/// The worst case covers the venue's truth from the first complete round on, until another hand does something that
/// nobody tells; in the end, all being told, both agree to the last unit. `SMC_RECONCILE_RUNS` (150) seeds from
/// `SMC_TEST_SEED` (1).
#[test]
fn whatever_is_lost_ours_reckons_with_the_venues_truth_and_meets_it_in_the_end() {
    #[allow(clippy::disallowed_methods, reason = "the core reads no environment, its tests may")]
    let number = |key: &str, default: u64| {
        std::env::var(key).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (runs, first) = (number("SMC_RECONCILE_RUNS", 150), number("SMC_TEST_SEED", 1));
    let mut all = Tally::default();
    for seed in first..first + runs {
        println!("SMC_TEST_SEED={seed}");
        let mut sim = Sim::new(seed);
        for _ in 0..600 {
            sim.step();
        }
        sim.settle();
        let Tally { checks, own_fills, foreign_fills, foreign_orders, restarts, .. } = sim.tally;
        all.checks += checks;
        all.own_fills += own_fills;
        all.foreign_fills += foreign_fills;
        all.foreign_orders += foreign_orders;
        all.restarts += restarts;
        all.power_cuts += sim.tally.power_cuts;
        all.orders_adopted += sim.tally.orders_adopted;
        all.mismatches += sim.tally.mismatches;
        all.positions_adopted += sim.tally.positions_adopted;
        all.unconverged += sim.tally.unconverged;
    }
    println!("{all:?}");
    let least = [all.own_fills, all.foreign_fills, all.restarts, all.positions_adopted, all.mismatches];
    assert!(
        runs < 100 || least.iter().all(|&count| count > runs / 20),
        "too quiet to prove anything: {all:?}"
    );
    assert!(runs < 100 || all.orders_adopted > 0, "too quiet to prove anything: {all:?}");
}

/// A flipped bit is refused or makes another state; no later event may trip over that.
#[test]
fn damaged_states_are_refused_or_run() {
    let (mut loaded, mut refused) = (0, 0);
    for seed in 0..300 {
        let mut sim = Sim::new(seed);
        (0..200).for_each(|_| sim.step());
        let mut bytes = Vec::new();
        sim.engine.save(&mut bytes);
        let at = 9 + sim.rng.below(bytes.len() as u64 / 2) as usize;
        bytes[at] ^= 1 << sim.rng.below(8);
        let mut engine = Engine::new(config(), Eager::new(3, 400)).unwrap();
        if engine.load(&bytes).is_err() {
            refused += 1;
            continue;
        }
        loaded += 1;
        sim.engine = engine;
        sim.is_lawless = true;
        (0..100).for_each(|_| sim.step());
        let mut again = Vec::new();
        sim.engine.save(&mut again);
        let mut second = Engine::new(config(), Eager::new(3, 400)).unwrap();
        assert_eq!(second.load(&again), Ok(()), "seed {seed}, byte {at}");
    }
    assert!(loaded > 5 && refused > 30, "{loaded} loaded, {refused} refused");
}
