//! whatever a venue can do and in whatever order its reports come, twice or late, the engine's books end as
//! the venue's, nothing stays reserved, nothing is closed twice, and what is held has its stop.
//!
//! The venue below keeps the only truth: a list of orders and a list of trades. Its reports go into a bag, from which
//! chance draws; what was drawn may go back. The checker looks at the venue's trades alone.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint cannot see")]

mod engine_harness;

use engine_harness::{BTC, MS, Rng, SECOND, config, name, spec};
use smc_core::config::EngineConfig;
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec};
use smc_core::output::*;
use smc_core::strategy::{
    BreakEven, Distance, EntryKind, Intent, Intents, Management, MarketView, Part, Reach, Strategy, Trail,
};
use smc_core::words::*;
use smc_core::{Engine, Outbox};

const TICK: i64 = 1_000_000;
const LOT: i64 = 1_000;
const START_NS: u64 = 1_723_161_600_000_000_000;
const MID: i64 = 60_000 * SCALE;
const R: u32 = 1_000_000;

/// One order as the venue has it.
#[derive(Clone, Copy, Debug)]
struct Order {
    id: ClientOrderId,
    side: Side,
    kind: OrderKind,
    purpose: Purpose,
    price: i64,
    stop_price: i64,
    qty: i64,
    filled: i64,
    terms: OrderTerms,
    is_triggered: bool,
    is_over: bool,
}

impl Order {
    fn leaves(&self) -> i64 {
        if self.is_over { 0 } else { self.qty - self.filled }
    }

    fn is_entry(&self) -> bool {
        self.purpose == Purpose::Entry
    }
}

/// One trade as the venue has it.
#[derive(Clone, Copy)]
struct Trade {
    signed: i64,
    fee: i64,
}

/// A report on its way.
#[derive(Clone, Copy)]
struct Report {
    update: OrderUpdate,
    is_fresh: bool,
}

struct Venue {
    contract: Contract,
    orders: Vec<Order>,
    trades: Vec<Trade>,
    bag: Vec<Report>,
    bid: i64,
    rng: Rng,
    replaced: u32,
    pairs: u32,
    attached: u32,
}

/// The checker: what the trades come to.
fn books(trades: &[Trade]) -> (i64, i64) {
    trades.iter().fold((0, 0), |(qty, fees), trade| (qty + trade.signed, fees + trade.fee))
}

impl Venue {
    fn new(contract: Contract, seed: u64) -> Self {
        Self {
            contract,
            orders: Vec::new(),
            trades: Vec::new(),
            bag: Vec::new(),
            bid: MID,
            rng: Rng(seed ^ 0x0DD5),
            replaced: 0,
            pairs: 0,
            attached: 0,
        }
    }

    fn position(&self) -> i64 {
        books(&self.trades).0
    }

    fn tell(&mut self, id: ClientOrderId, kind: OrderUpdateKind) {
        let update = OrderUpdate { client_order_id: id, venue_order_id: id.sequence(), kind };
        self.bag.push(Report { update, is_fresh: true });
    }

    fn index(&self, id: ClientOrderId) -> Option<usize> {
        self.orders.iter().position(|order| order.id == id)
    }

    fn exit_price(&self, side: Side) -> i64 {
        if side == Side::Sell { self.bid } else { self.bid + TICK }
    }

    fn is_beyond(&self, order: &Order) -> bool {
        let price = self.exit_price(order.side);
        match order.side {
            Side::Sell => price <= order.stop_price,
            Side::Buy => price >= order.stop_price,
        }
    }

    /// Everything that closes and works, pairs once.
    fn closing(&self) -> i64 {
        let live = self.orders.iter().filter(|order| !order.is_entry() && order.leaves() > 0);
        live.map(|order| {
            let other = self.index(order.terms.oco).map_or(0, |at| self.orders[at].leaves());
            // Of a pair the one with the lower id counts.
            if other > 0 && order.terms.oco < order.id { 0 } else { order.leaves() }
        })
        .sum()
    }

    /// What is held and has neither a working stop nor a closing order, in quote currency. A stop that has begun to
    /// fill is left to it: what it leaves goes to the market afterwards.
    fn bare(&self) -> Money {
        let closing = self.orders.iter().filter(|order| !order.is_entry() && order.kind != OrderKind::Limit);
        if closing.clone().any(|order| order.filled > 0 && order.leaves() > 0) {
            return Money::ZERO;
        }
        let covered: i64 = closing.map(Order::leaves).sum();
        Price(self.bid).notional_floor(Qty((self.position().abs() - covered).max(0)))
    }

    fn check_terms(&self, order: &NewOrder) {
        let Contract { can_oco, can_attach, can_reduce_only, .. } = self.contract;
        let OrderTerms { reduce_only, stop_on_fill, oco, .. } = order.terms;
        let is_entry = order.purpose == Purpose::Entry;
        assert_eq!(reduce_only, can_reduce_only && !is_entry);
        assert_eq!(stop_on_fill > Price::ZERO, can_attach && is_entry);
        assert!(can_oco || oco == ClientOrderId::NONE);
        assert!(order.qty.0 > 0 && order.qty.0 % LOT == 0 && order.price.0 % TICK == 0);
    }

    fn place(&mut self, order: &NewOrder) {
        self.check_terms(order);
        let order = Order {
            id: order.client_order_id,
            side: order.side,
            kind: order.kind,
            purpose: order.purpose,
            price: order.price.0,
            stop_price: order.stop_price.0,
            qty: order.qty.0,
            filled: 0,
            terms: order.terms,
            is_triggered: false,
            is_over: false,
        };
        if order.kind == OrderKind::StopLimit && self.is_beyond(&order) {
            // A pair is taken or refused whole; its target comes next and finds its stop missing.
            return self.tell(order.id, OrderUpdateKind::Reject { code: -2010 });
        }
        let is_second = order.purpose == Purpose::Target && order.kind == OrderKind::Limit;
        if is_second && self.index(order.terms.oco).is_none() {
            return self.tell(order.id, OrderUpdateKind::Reject { code: -2010 });
        }
        self.pairs += u32::from(is_second);
        self.orders.push(order);
        if !order.is_entry() {
            assert!(
                self.closing() <= self.position().abs(),
                "more to be closed than is held: {} of {}, {order:?}",
                self.closing(),
                self.position()
            );
        }
        self.tell(order.id, OrderUpdateKind::Ack);
        if order.kind == OrderKind::Market {
            let part = self.some_of(order.qty, 80);
            self.fill(order.id, part, self.exit_price(order.side));
            self.end(order.id, false);
        }
    }

    /// Often all, else a part in lots, sometimes nothing.
    fn some_of(&mut self, qty: i64, all_percent: u64) -> i64 {
        if self.rng.chance(all_percent) { qty } else { self.rng.below(qty as u64 / 1_000 + 1) as i64 * LOT }
    }

    fn cancel(&mut self, id: ClientOrderId) {
        match self.index(id) {
            Some(at) if self.orders[at].leaves() > 0 => self.end(id, true),
            _ => self.tell(id, OrderUpdateKind::CancelReject { code: -2011 }),
        }
    }

    /// An order that still works ends, and the other of its pair with it.
    fn end(&mut self, id: ClientOrderId, is_cancel: bool) {
        if let Some(at) = self.index(id) {
            let other = self.orders[at].terms.oco;
            self.end_one(id, is_cancel);
            self.end_one(other, true);
        }
    }

    fn end_one(&mut self, id: ClientOrderId, is_cancel: bool) {
        let Some(at) = self.index(id) else { return };
        let order = &mut self.orders[at];
        if order.leaves() <= 0 {
            return;
        }
        order.is_over = true;
        let cum_qty = Qty(order.filled);
        let kind = match is_cancel {
            true => OrderUpdateKind::Canceled { cum_qty },
            false => OrderUpdateKind::Expired { cum_qty },
        };
        self.tell(id, kind);
    }

    /// In one step, or not at all.
    fn replace(&mut self, old: ClientOrderId, new: &NewOrder) {
        assert!(self.contract.can_replace);
        let works = self.index(old).is_some_and(|at| {
            let order = &self.orders[at];
            order.leaves() > 0 && order.filled == 0 && !order.is_triggered
        });
        let is_beyond = match new.side {
            Side::Sell => self.exit_price(new.side) <= new.stop_price.0,
            Side::Buy => self.exit_price(new.side) >= new.stop_price.0,
        };
        if !works || is_beyond || self.rng.chance(10) {
            return self.tell(new.client_order_id, OrderUpdateKind::Reject { code: -2021 });
        }
        self.replaced += 1;
        self.end(old, true);
        self.place(new);
    }

    fn fill(&mut self, id: ClientOrderId, qty: i64, price: i64) {
        let Some(at) = self.index(id) else { return };
        let order = &mut self.orders[at];
        let qty = qty.min(order.leaves());
        if qty <= 0 {
            return;
        }
        order.filled += qty;
        let order = *order;
        let before = self.position();
        let signed = qty * order.side.sign();
        let fee = (i128::from(qty) * i128::from(price) / i128::from(SCALE) / 1_000) as i64;
        self.trades.push(Trade { signed, fee });
        if !order.is_entry() {
            let after = before + signed;
            assert!(
                before * signed < 0 && after * before.signum() >= 0,
                "closed more than was opened: {order:?}"
            );
        }
        let kind = OrderUpdateKind::Fill {
            trade_id: self.trades.len() as u64,
            side: order.side,
            price: Price(price),
            qty: Qty(qty),
            cum_qty: Qty(order.filled),
            fee: Money(fee),
            fee_asset: name("USDT"),
            is_maker: false,
        };
        self.tell(id, kind);
        // The first fill of one cancels the other.
        self.end_one(order.terms.oco, true);
        if order.terms.stop_on_fill > Price::ZERO {
            self.attach(&order);
        }
    }

    /// Stop and target of an entry grow with it, until they have ended.
    fn attach(&mut self, entry: &Order) {
        let OrderTerms { stop_on_fill, target_on_fill, .. } = entry.terms;
        let (stop_id, target_id) = (entry.id.after(1), entry.id.after(2));
        if let Some(at) = self.index(stop_id) {
            let targets = self.index(target_id);
            for at in [Some(at), targets].into_iter().flatten() {
                let child = &mut self.orders[at];
                if child.leaves() > 0 {
                    child.qty = entry.filled;
                } else if !child.is_over {
                    // It filled whole before its entry did: that it does not grow any more has to be said.
                    child.is_over = true;
                    let (id, cum_qty) = (child.id, Qty(child.filled));
                    self.tell(id, OrderUpdateKind::Expired { cum_qty });
                }
            }
            return;
        }
        let has_target = target_on_fill > Price::ZERO;
        let oco =
            |id| OrderTerms { oco: if has_target { id } else { ClientOrderId::NONE }, ..OrderTerms::PLAIN };
        let stop = Order {
            id: stop_id,
            side: entry.side.opposite(),
            kind: OrderKind::StopLimit,
            purpose: Purpose::Stop,
            price: stop_on_fill.0,
            stop_price: stop_on_fill.0,
            qty: entry.filled,
            filled: 0,
            terms: oco(target_id),
            is_triggered: false,
            is_over: false,
        };
        self.attached += 1;
        self.orders.push(stop);
        self.tell(stop_id, OrderUpdateKind::Ack);
        if has_target {
            let (kind, purpose, price) = (OrderKind::Limit, Purpose::Target, target_on_fill.0);
            self.orders.push(Order {
                id: target_id,
                kind,
                purpose,
                price,
                stop_price: 0,
                terms: oco(stop_id),
                ..stop
            });
            self.tell(target_id, OrderUpdateKind::Ack);
        }
    }

    /// The market is somewhere else.
    fn on_market(&mut self, bid: i64) {
        self.bid = bid;
        for at in 0..self.orders.len() {
            let order = self.orders[at];
            if order.leaves() <= 0 {
                continue;
            }
            let price = self.exit_price(order.side);
            let can_fill = match (order.kind, order.side) {
                (OrderKind::StopLimit, _) => order.is_triggered || self.is_beyond(&order),
                (_, Side::Buy) => price <= order.price,
                (_, Side::Sell) => price >= order.price,
            };
            if can_fill {
                self.orders[at].is_triggered = true;
                let qty = self.some_of(order.leaves(), 40);
                self.fill(order.id, qty, price);
            }
        }
    }

    /// A report that the engine must still learn of before it can know that what is held is bare.
    fn owes(&self) -> bool {
        self.bag.iter().any(|report| report.is_fresh && !matches!(report.update.kind, OrderUpdateKind::Ack))
    }
}

/// Enters once.
struct Once(Option<Intent>);

impl Strategy for Once {
    fn on_quote(&mut self, view: &MarketView<'_>, _: &Quote, intents: &mut Intents) {
        if !view.is_engaged
            && let Some(intent) = self.0.take()
        {
            intents.push(intent);
        }
    }
}

struct Case {
    engine: Engine<Once>,
    venue: Venue,
    now: u64,
    seq: u64,
    rng: Rng,
    /// When the last timer was: they come every few hundred milliseconds, whatever else happens.
    timer: u64,
    /// After a refusal the engine waits before it tries again.
    excused_until: u64,
}

fn chance_of<T>(rng: &mut Rng, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    if rng.chance(50) { Some(make(rng)) } else { None }
}

fn management(rng: &mut Rng) -> Management {
    let mut parts = [None; 3];
    let count = rng.below(4) as usize;
    for (nth, part) in parts.iter_mut().take(count).enumerate() {
        let at = Reach::Risk((nth as u32 + 1) * R / 2);
        *part = Some(Part { at, share_ppm: 1 + rng.below(330_000) as u32 });
    }
    let trail = chance_of(rng, |rng| Trail {
        from: chance_of(rng, |rng| Reach::Risk(1 + rng.below(u64::from(R)) as u32)),
        distance: match rng.below(3) {
            0 => Distance::Price(Price(50 * SCALE)),
            1 => Distance::Ppm(1_000),
            _ => Distance::Risk(R / 2),
        },
        step_ticks: 1 + rng.below(1_000) as u32,
    });
    let break_even = chance_of(rng, |rng| match rng.below(2) {
        0 if count > 0 => BreakEven::AfterPart(1),
        _ => BreakEven::At(Reach::Risk(R / 2 + rng.below(u64::from(R)) as u32)),
    });
    Management { parts, trail, break_even }
}

fn settings() -> EngineConfig {
    let mut config = config();
    config.timeframes.truncate(1);
    config.instruments[0].limits.duplicate_window_ns = 1;
    config.instruments[0].limits.open_orders_max = 20;
    config.account_limits.messages_max = 200;
    config.sizing.fee_ppm = 100;
    config
}

impl Case {
    fn new(seed: u64, outbox: &mut Outbox) -> Self {
        let mut rng = Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // Every combination in turn.
        let can = |bit: u64| seed >> bit & 1 == 1;
        let contract = Contract {
            can_replace: can(0),
            can_oco: can(1),
            can_attach: can(2),
            can_reduce_only: can(3),
            ..Contract::SPOT
        };
        let direction = if rng.chance(50) { Direction::Up } else { Direction::Down };
        let sign = direction.side().sign();
        let (entry, risk) = (MID, 100 * SCALE);
        let kind = if rng.chance(30) { EntryKind::Take } else { EntryKind::Rest };
        let (stop, target) = (Price(entry - risk * sign), Price(entry + 2 * risk * sign));
        let expires = TsNs(START_NS + (1 + rng.below(20)) * SECOND);
        let intent = Intent::enter(direction, Price(entry), stop, target, kind, expires);
        let manage = if rng.chance(80) { management(&mut rng) } else { Management::PLAIN };
        let engine = Engine::new(settings(), Once(Some(intent.managed(manage)))).unwrap();
        let venue = Venue::new(contract, seed);
        let mut case = Self { engine, venue, now: START_NS, seq: 0, rng, timer: START_NS, excused_until: 0 };
        case.feed(BTC, EventBody::Instrument(InstrumentSpec { contract, ..spec() }), outbox);
        for (asset, free) in [("USDT", 100_000), ("BTC", 5)] {
            let balance = Balance { asset: name(asset), free: Qty(free * SCALE), locked: Qty::ZERO };
            case.feed(InstrumentId::NONE, EventBody::Balance(balance), outbox);
        }
        case.feed(BTC, EventBody::Feed(FeedState::Live), outbox);
        case.feed(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready), outbox);
        case
    }

    fn feed(&mut self, instrument: InstrumentId, body: EventBody, outbox: &mut Outbox) {
        self.seq += 1;
        let ts = TsNs(self.now);
        let event = Event { seq: self.seq, ts_event: ts, ts_recv: ts, instrument, body };
        self.engine.on_event(&event, outbox);
        let outputs: Vec<Output> = outbox.drain().collect();
        for (nth, output) in outputs.iter().enumerate() {
            match output {
                Output::NewOrder(approved) => {
                    let order = approved.order();
                    if order.terms.oco != ClientOrderId::NONE && order.purpose == Purpose::Stop {
                        // The two of a pair stand side by side.
                        let next = outputs.get(nth + 1);
                        assert!(
                            matches!(next, Some(Output::NewOrder(o)) if o.order().terms.oco == order.client_order_id)
                        );
                    }
                    self.venue.place(order);
                }
                Output::Cancel(cancel) => self.venue.cancel(cancel.client_order_id),
                Output::Replace(replace) => self.venue.replace(replace.replaced, replace.order.order()),
                Output::Decision(decision) if decision.codes != 0 => {
                    self.excused_until = self.now + 2 * SECOND;
                }
                _ => {}
            }
        }
    }

    fn quote(&mut self, outbox: &mut Outbox) {
        let (bid, size) = (self.venue.bid, Qty(SCALE));
        let (ask, update_id) = (Price(bid + TICK), self.seq);
        let quote = Quote { bid: Price(bid), bid_qty: size, ask, ask_qty: size, update_id };
        self.feed(BTC, EventBody::Quote(quote), outbox);
    }

    /// One report out of the bag; sometimes it stays in.
    fn deliver(&mut self, outbox: &mut Outbox) {
        if self.venue.bag.is_empty() {
            return;
        }
        let at = self.rng.below(self.venue.bag.len() as u64) as usize;
        let report = self.venue.bag[at];
        if self.rng.chance(15) {
            self.venue.bag[at].is_fresh = false;
        } else {
            self.venue.bag.swap_remove(at);
        }
        let OrderUpdate { kind, client_order_id, .. } = report.update;
        let is_refusal = match kind {
            OrderUpdateKind::Reject { .. } | OrderUpdateKind::CancelReject { .. } => true,
            OrderUpdateKind::Expired { .. } => self.venue.index(client_order_id) != Some(0),
            _ => false,
        };
        if is_refusal {
            self.excused_until = self.now + 2 * SECOND;
        }
        self.feed(BTC, EventBody::Order(report.update), outbox);
    }

    fn step(&mut self, outbox: &mut Outbox) {
        self.now += (1 + self.rng.below(30)) * MS;
        if self.now - self.timer > 300 * MS {
            self.timer = self.now;
            self.quote(outbox);
            self.feed(InstrumentId::NONE, EventBody::Timer, outbox);
        }
        match self.rng.below(100) {
            0..45 => self.deliver(outbox),
            45..90 => {
                let ticks = self.rng.below(4_001) as i64 - 2_000;
                self.venue.on_market(self.venue.bid + ticks * TICK);
                if self.rng.chance(30) {
                    let (price, qty) = (Price(self.venue.bid), Qty(LOT));
                    let trade =
                        smc_core::event::Trade { price, qty, aggressor: Side::Sell, trade_id: self.seq };
                    self.feed(BTC, EventBody::Trade(trade), outbox);
                }
                self.quote(outbox);
            }
            90..99 => {
                self.now += self.rng.below(300) * MS;
                self.quote(outbox);
                self.feed(InstrumentId::NONE, EventBody::Timer, outbox);
            }
            _ if self.rng.chance(10) => {
                self.feed(InstrumentId::NONE, EventBody::Operator(Command::Flatten.into()), outbox);
            }
            _ => {}
        }
        self.check();
    }

    fn check(&self) {
        if !self.venue.bag.iter().any(|report| report.is_fresh) {
            // All was told: the books agree.
            self.check_books();
        }
        // Less than two of the smallest orders may be dust, and what an entry adds may be too little for a stop.
        let is_bare = self.venue.bare() > Money(11 * SCALE);
        assert!(
            !is_bare || self.venue.owes() || self.now < self.excused_until,
            "bare, and no answer is on the way: held {}, orders {:?}",
            self.venue.position(),
            self.venue.orders
        );
    }

    fn check_books(&self) {
        let (position, fees) = books(&self.venue.trades);
        assert_eq!(self.engine.position(BTC), Qty(position), "position");
        assert_eq!(self.engine.fees(), Money(fees), "fees");
    }

    /// Everything is told, everything is closed.
    fn settle(&mut self, outbox: &mut Outbox) {
        self.feed(InstrumentId::NONE, EventBody::Operator(Command::Flatten.into()), outbox);
        for _ in 0..60 {
            while !self.venue.bag.is_empty() {
                self.now += MS;
                self.deliver(outbox);
            }
            self.now += 1_100 * MS;
            self.quote(outbox);
            self.feed(InstrumentId::NONE, EventBody::Timer, outbox);
            if self.venue.bag.is_empty()
                && self.engine.open_orders().count() == 0
                && self.venue.position() == 0
            {
                break;
            }
        }
        self.check_books();
        assert_eq!(self.engine.open_orders().count(), 0, "something stays reserved");
        assert!(self.venue.orders.iter().all(|order| order.leaves() == 0), "something works on");
        let left = Price(self.venue.bid).notional_floor(Qty(self.venue.position().abs()));
        assert!(left < Money(11 * SCALE), "{} left", self.venue.position());
        assert!(self.engine.plan(BTC).is_none(), "the trade is not over");
    }
}

/// What happened over all cases, so that none of it is proven by nothing.
#[derive(Debug, Default)]
struct Seen {
    trades: usize,
    replaced: u32,
    pairs: u32,
    attached: u32,
    orders: usize,
}

/// `SMC_LIFE_CASES` (10 000) cases from `SMC_TEST_SEED` (1) on.
#[test]
fn the_books_end_as_the_venues_whatever_it_can_do_and_however_it_reports() {
    #[allow(clippy::disallowed_methods, reason = "the core reads no environment, its tests may")]
    let number = |key: &str, default: u64| {
        std::env::var(key).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (cases, first) = (number("SMC_LIFE_CASES", 10_000), number("SMC_TEST_SEED", 1));
    println!("SMC_LIFE_CASES={cases} SMC_TEST_SEED={first}");
    let (mut seen, mut outbox) = (Seen::default(), Outbox::new());
    for seed in first..first + cases {
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut case = Case::new(seed, &mut outbox);
            for _ in 0..150 {
                case.step(&mut outbox);
            }
            case.settle(&mut outbox);
            case.venue
        }));
        let Ok(venue) = run else {
            panic!("SMC_TEST_SEED={seed} SMC_LIFE_CASES=1: {:?}", capabilities(seed))
        };
        seen.trades += venue.trades.len();
        seen.replaced += venue.replaced;
        seen.pairs += venue.pairs;
        seen.attached += venue.attached;
        seen.orders += venue.orders.len();
    }
    println!("{seen:?}");
    let least = cases as usize / 10;
    assert!(cases < 1_000 || seen.trades > 10 * least && seen.replaced as usize > least, "{seen:?}");
    assert!(cases < 1_000 || seen.pairs as usize > least && seen.attached as usize > least, "{seen:?}");
}

fn capabilities(seed: u64) -> [(&'static str, bool); 4] {
    ["replace", "oco", "attach", "reduce_only"].map({
        let mut bit = 0;
        move |name| {
            bit += 1;
            (name, seed >> (bit - 1) & 1 == 1)
        }
    })
}
