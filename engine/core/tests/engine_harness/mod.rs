//! A world for the engine to live in: a seeded market and a tiny venue that acks, fills, cancels and triggers.
//!
//! Everything is a function of the seed. Each event the engine took is kept with what it said, so that a test
//! can replay a run or look into it. The venue checks what no engine may ever do.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "this is test code, which the lint cannot see")]

use smc_core::config::{EngineConfig, InstrumentConfig};
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::*;
use smc_core::risk::{AccountLimits, BreakerParams, Limits};
use smc_core::state::{State, StateError, StateIo};
use smc_core::strategy::{Confluence, EntryKind, Intent, Intents, Management, MarketView, Strategy};
use smc_core::words::*;
use smc_core::{Engine, Outbox};
use std::collections::VecDeque;

pub const BTC: InstrumentId = InstrumentId(0);
pub const START_NS: u64 = 1_723_161_600_000_000_000;
pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;
pub const TICK: i64 = 1_000_000;
pub const LOT: i64 = 1_000;
const FEE_PPM: i128 = 1_000;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A fill that cost nothing.
pub fn free_fill(trade_id: u64, side: Side, price: Price, qty: i64, cum_qty: i64) -> OrderUpdateKind {
    OrderUpdateKind::Fill {
        trade_id,
        side,
        price,
        qty: Qty(qty),
        cum_qty: Qty(cum_qty),
        fee: Money::ZERO,
        fee_asset: name("USDT"),
        is_maker: false,
    }
}

pub fn spec() -> InstrumentSpec {
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(TICK),
        lot: Qty(LOT),
        qty_min: Qty(LOT),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    }
}

pub fn limits() -> Limits {
    Limits {
        strategies_allowed: 1 << 1,
        order_qty_max: Qty(2 * SCALE),
        order_notional_max: Money(100_000 * SCALE),
        collar_ppm: 20_000,
        collar_passive_ppm: 100_000,
        reference_age_max_ns: 5 * SECOND,
        reference_skew_max_ns: SECOND,
        position_qty_max: Qty(2 * SCALE),
        open_orders_max: 10,
        duplicate_window_ns: 250 * MS,
        repeat_max: 20,
    }
}

pub fn account_limits() -> AccountLimits {
    AccountLimits {
        gross_max: Money(300_000 * SCALE),
        net_max: Money(300_000 * SCALE),
        leverage_max_milli: 3_000,
        open_orders_max: 50,
        messages_max: 20,
        messages_window_ns: SECOND,
        runaway_denials_max: 20,
        runaway_window_ns: 10 * SECOND,
        entry_forgiven_after_ns: SECOND,
        margin_use_ppm_max: 800_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60_000_000_000,
        clock_offset_ns_max: 500_000_000,
        budget_reserve_ppm: 200_000,
    }
}

pub fn config() -> EngineConfig {
    let timeframes = ["1s", "5s", "1m"].iter().filter_map(|text| Timeframe::parse(text)).collect();
    let instruments =
        vec![InstrumentConfig { symbol: name("BTCUSDT"), venue: 0, bars_from: None, limits: limits() }];
    let config = EngineConfig::new(name("USDT"), instruments, timeframes, account_limits());
    EngineConfig { breakers: patient(), ..config }
}

/// Breakers that let thousands of losing trades pass: most worlds are about something else.
pub fn patient() -> BreakerParams {
    BreakerParams {
        daily_loss_ppm: 500_000,
        drawdown_ppm: 900_000,
        loss_streak_max: 1_000,
        fills_per_minute_max: 1_000,
        rejects_max: 1_000,
        slippage_factor: 1_000,
        flash_move_ppm: 900_000,
        flash_spread_factor: 10_000,
        ..BreakerParams::default()
    }
}

pub fn confluence(config: &EngineConfig) -> Confluence {
    Confluence::new(config.strategy, config.instruments.len(), &config.timeframes)
}

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How the venue misbehaves.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    /// Percent of reports said twice.
    pub twice: u64,
    /// Percent of reports that overtake an earlier one.
    pub overtake: u64,
    /// Percent of stops refused.
    pub stop_refused: u64,
    /// Percent of orders whose outcome is first unknown.
    pub unknown: u64,
    /// Percent of reports lost and told 3 s later.
    pub late: u64,
    /// Fills come in pieces.
    pub partial: bool,
    /// Fees of purchases are taken from what was bought.
    pub base_fees: bool,
}

struct Resting {
    order: NewOrder,
    venue_id: u64,
    leaves: i64,
    cum: i64,
    is_triggered: bool,
}

/// The venue: knows the truth about our orders and inventory.
pub struct Venue {
    orders: Vec<Resting>,
    reports: VecDeque<(u64, EventBody)>,
    next_id: u64,
    next_trade: u64,
    pub base: i64,
    pub quote: i64,
    /// What our fills made of a flat start, less what the venue kept.
    pub position: i64,
    /// Share of a fill the venue takes.
    pub fee_ppm: i128,
    pub fills: u64,
    pub manners: Manners,
    rng: Rng,
}

impl Venue {
    fn new(seed: u64, manners: Manners) -> Self {
        Self {
            orders: Vec::new(),
            reports: VecDeque::new(),
            next_id: 1,
            next_trade: 1,
            base: SCALE,
            quote: 100_000 * SCALE,
            position: 0,
            fee_ppm: FEE_PPM,
            fills: 0,
            manners,
            rng: Rng(seed ^ 0xABCD),
        }
    }

    fn report(&mut self, now: u64, body: EventBody) {
        let m = self.manners;
        let mut at = now + MS + self.rng.below(20) * MS;
        if self.rng.chance(m.late) {
            at = now + 3 * SECOND;
        }
        let place = self.reports.len();
        let is_order = matches!(body, EventBody::Order(_));
        if is_order && place > 0 && self.rng.chance(m.overtake) {
            self.reports.insert(place - 1, (at, body));
        } else {
            self.reports.push_back((at, body));
        }
        if is_order && self.rng.chance(m.twice) {
            self.reports.push_back((at + MS, body));
        }
    }

    fn update(&mut self, now: u64, order: &NewOrder, venue_id: u64, kind: OrderUpdateKind) {
        let body = OrderUpdate { client_order_id: order.client_order_id, venue_order_id: venue_id, kind };
        self.report(now, EventBody::Order(body));
    }

    fn place(&mut self, now: u64, order: &NewOrder, bid: i64, ask: i64) {
        let venue_id = self.next_id;
        self.next_id += 1;
        assert_eq!(order.qty.0 % LOT, 0, "off the lot grid");
        assert!(order.qty.0 > 0);
        assert_eq!(order.price.0 % TICK, 0, "off the tick grid");
        assert_eq!(order.stop_price.0 % TICK, 0, "off the tick grid");
        let would_trigger = order.kind == OrderKind::StopLimit
            && match order.side {
                Side::Sell => bid <= order.stop_price.0,
                Side::Buy => ask >= order.stop_price.0,
            };
        let is_refused = order.kind == OrderKind::StopLimit && self.rng.chance(self.manners.stop_refused);
        if would_trigger || is_refused || !self.can_pay(order, ask) {
            self.update(now, order, 0, OrderUpdateKind::Reject { code: -2010 });
            return;
        }
        if self.rng.chance(self.manners.unknown) {
            self.update(now, order, 0, OrderUpdateKind::Unknown);
        }
        self.update(now, order, venue_id, OrderUpdateKind::Ack);
        let is_triggered = order.kind != OrderKind::StopLimit;
        self.orders.push(Resting { order: *order, venue_id, leaves: order.qty.0, cum: 0, is_triggered });
    }

    fn can_pay(&self, order: &NewOrder, ask: i64) -> bool {
        let locked = |side: Side| -> i128 {
            self.orders
                .iter()
                .filter(|o| o.order.side == side)
                .map(|o| match side {
                    Side::Sell => i128::from(o.leaves),
                    Side::Buy => i128::from(o.leaves) * i128::from(o.order.price.0) / i128::from(SCALE),
                })
                .sum()
        };
        let qty = i128::from(order.qty.0);
        match order.side {
            Side::Sell => qty + locked(Side::Sell) <= i128::from(self.base),
            Side::Buy => {
                let price = if order.price.0 > 0 { order.price.0 } else { ask };
                qty * i128::from(price) / i128::from(SCALE) + locked(Side::Buy) <= i128::from(self.quote)
            }
        }
    }

    fn cancel(&mut self, now: u64, cancel: &CancelOrder) {
        match self.orders.iter().position(|o| o.order.client_order_id == cancel.client_order_id) {
            Some(at) => {
                let gone = self.orders.remove(at);
                let kind = OrderUpdateKind::Canceled { cum_qty: Qty(gone.cum) };
                self.update(now, &gone.order, gone.venue_id, kind);
            }
            None => {
                let id = cancel.client_order_id;
                let kind = OrderUpdateKind::CancelReject { code: -2011 };
                let body = OrderUpdate { client_order_id: id, venue_order_id: cancel.venue_order_id, kind };
                self.report(now, EventBody::Order(body));
            }
        }
    }

    /// The market moved: triggers, then fills against the new best prices.
    fn on_market(&mut self, now: u64, last: i64, bid: i64, ask: i64) {
        for o in &mut self.orders {
            o.is_triggered |= match o.order.side {
                Side::Sell => last <= o.order.stop_price.0,
                Side::Buy => last >= o.order.stop_price.0,
            };
        }
        let mut at = 0;
        while at < self.orders.len() {
            let o = &self.orders[at];
            let price = match (o.order.side, o.order.kind) {
                (Side::Buy, OrderKind::Market) => Some(ask),
                (Side::Sell, OrderKind::Market) => Some(bid),
                (Side::Buy, _) => (ask <= o.order.price.0).then_some(ask.min(o.order.price.0)),
                (Side::Sell, _) => (bid >= o.order.price.0).then_some(bid.max(o.order.price.0)),
            }
            .filter(|_| o.is_triggered);
            let is_done = match price {
                Some(price) => self.fill(now, at, price),
                None => false,
            };
            if is_done {
                self.orders.remove(at);
            } else if self.orders[at].order.time_in_force == TimeInForce::Ioc && price.is_none() {
                let gone = self.orders.remove(at);
                let kind = OrderUpdateKind::Expired { cum_qty: Qty(gone.cum) };
                self.update(now, &gone.order, gone.venue_id, kind);
            } else {
                at += 1;
            }
        }
    }

    fn fill(&mut self, now: u64, at: usize, price: i64) -> bool {
        let pieces = self.manners.partial && self.rng.chance(60);
        let o = &mut self.orders[at];
        let mut qty = o.leaves;
        if pieces {
            qty = (qty / 3 / LOT * LOT).max(LOT).min(qty);
        }
        o.leaves -= qty;
        o.cum += qty;
        let (order, venue_id, cum, leaves) = (o.order, o.venue_id, o.cum, o.leaves);
        let value = i128::from(price) * i128::from(qty) / i128::from(SCALE);
        let is_base_fee = self.manners.base_fees && order.side == Side::Buy;
        let (fee, fee_asset) = match is_base_fee {
            true => ((i128::from(qty) * self.fee_ppm / 1_000_000) as i64, name("BTC")),
            false => ((value * self.fee_ppm / 1_000_000) as i64, name("USDT")),
        };
        let signed = qty * order.side.sign() - if is_base_fee { fee } else { 0 };
        if order.purpose != Purpose::Entry {
            let after = self.position + signed;
            assert!(
                // A purchase allows for the fee by its rate, and fees are rounded fill by fill.
                self.position.signum() * signed < 0 && after * self.position.signum() > -LOT,
                "over-exit: position {} fill {signed} {:?}",
                self.position,
                order
            );
        }
        self.position += signed;
        self.fills += 1;
        self.base += signed;
        self.quote -= value as i64 * order.side.sign() + if is_base_fee { 0 } else { fee };
        let trade_id = self.next_trade;
        self.next_trade += 1;
        self.update(
            now,
            &order,
            venue_id,
            OrderUpdateKind::Fill {
                trade_id,
                side: order.side,
                price: Price(price),
                qty: Qty(qty),
                cum_qty: Qty(cum),
                fee: Money(fee),
                fee_asset,
                is_maker: false,
            },
        );
        for body in self.balances() {
            self.report(now, body);
        }
        leaves == 0
    }

    pub fn balances(&self) -> [EventBody; 2] {
        [("USDT", self.quote), ("BTC", self.base)].map(|(asset, free)| {
            EventBody::Balance(Balance { asset: name(asset), free: Qty(free), locked: Qty::ZERO })
        })
    }

    fn due(&mut self, now: u64) -> Option<EventBody> {
        let at = self.reports.iter().position(|(at, _)| *at <= now)?;
        self.reports.remove(at).map(|(_, body)| body)
    }

    pub fn open(&self) -> usize {
        self.orders.len()
    }
}

/// A price that walks: trends, ranges, spikes.
pub struct Walk {
    rng: Rng,
    pub mid: i64,
    anchor: i64,
    drift: i64,
    steps_left: u64,
    calm: i64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mid = 60_000 * SCALE;
        Self { rng: Rng(seed), mid, anchor: mid, drift: 0, steps_left: 0, calm: 100 }
    }

    fn step(&mut self) {
        if self.steps_left == 0 {
            self.steps_left = 100 + self.rng.below(900);
            self.drift = self.rng.below(61) as i64 - 30;
            self.calm = 60 + self.rng.below(240) as i64;
            self.anchor = self.mid;
        }
        self.steps_left -= 1;
        let noise: i64 = (0..4).map(|_| self.rng.below(201) as i64 - 100).sum();
        let pull = (self.anchor - self.mid) / TICK / 400 * i64::from(self.drift.abs() < 10);
        let jump = if self.rng.below(1_000) < 3 { self.rng.below(4_001) as i64 - 2_000 } else { 0 };
        let ticks = noise * self.calm / 100 + self.drift + pull + jump;
        self.mid = (self.mid + ticks * TICK).clamp(20_000 * SCALE, 180_000 * SCALE);
        self.mid -= self.mid % TICK;
    }
}

/// One event with all that was said to it.
pub struct Step {
    pub event: Event,
    pub outputs: Vec<Output>,
}

/// Engine, venue and market, in step.
pub struct World<S> {
    pub engine: Engine<S>,
    pub outbox: Outbox,
    pub venue: Venue,
    pub walk: Walk,
    pub now: u64,
    pub seq: u64,
    pub steps: Vec<Step>,
    pub keep: bool,
    trade_id: u64,
    pub orders_placed: u64,
    pub bid: i64,
    pub ask: i64,
}

impl<S: Strategy> World<S> {
    pub fn new(seed: u64, config: EngineConfig, strategy: S, manners: Manners) -> Self {
        let walk = Walk::new(seed);
        Self {
            engine: Engine::new(config, strategy).unwrap(),
            outbox: Outbox::new(),
            venue: Venue::new(seed, manners),
            bid: walk.mid - TICK,
            ask: walk.mid + TICK,
            walk,
            now: START_NS,
            seq: 0,
            steps: Vec::new(),
            keep: true,
            trade_id: 0,
            orders_placed: 0,
        }
    }

    /// Says that everything is up.
    pub fn make_ready(&mut self) {
        self.feed(BTC, EventBody::Instrument(spec()));
        for body in self.venue.balances() {
            self.feed(InstrumentId::NONE, body);
        }
        self.feed(BTC, EventBody::Feed(FeedState::Live));
        self.feed(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready));
    }

    /// One event into the engine, its orders and cancels into the venue.
    pub fn feed(&mut self, instrument: InstrumentId, body: EventBody) -> Vec<Output> {
        self.seq += 1;
        let ts = TsNs(self.now);
        let event = Event { seq: self.seq, ts_event: ts, ts_recv: ts, instrument, body };
        self.engine.on_event(&event, &mut self.outbox);
        let outputs: Vec<Output> = self.outbox.drain().collect();
        for output in &outputs {
            match output {
                Output::NewOrder(approved) => {
                    self.orders_placed += 1;
                    self.venue.place(self.now, approved.order(), self.bid, self.ask);
                }
                Output::Cancel(cancel) => self.venue.cancel(self.now, cancel),
                _ => {}
            }
        }
        if self.keep {
            self.steps.push(Step { event, outputs: outputs.clone() });
        }
        outputs
    }

    pub fn command(&mut self, command: Command) -> Vec<Output> {
        self.feed(InstrumentId::NONE, EventBody::Operator(command.into()))
    }

    /// 100 ms of market: the venue matches, reports arrive, a trade and a quote, the timer.
    pub fn tick(&mut self) {
        self.now += 50 * MS;
        self.walk.step();
        let spread = (1 + self.walk.rng.below(3) as i64) * TICK;
        (self.bid, self.ask) = (self.walk.mid - spread, self.walk.mid + spread);
        let is_buy = self.walk.rng.chance(50);
        let last = if is_buy { self.ask } else { self.bid };
        self.venue.on_market(self.now, last, self.bid, self.ask);
        self.deliver();
        self.trade_id += 1;
        let aggressor = if is_buy { Side::Buy } else { Side::Sell };
        let qty = Qty(LOT * (1 + self.walk.rng.below(5_000) as i64));
        let trade = Trade { price: Price(last), qty, aggressor, trade_id: self.trade_id };
        self.feed(BTC, EventBody::Trade(trade));
        let size = Qty(10 * SCALE);
        let update_id = self.seq;
        let (bid, ask) = (Price(self.bid), Price(self.ask));
        self.feed(BTC, EventBody::Quote(Quote { bid, bid_qty: size, ask, ask_qty: size, update_id }));
        self.now += 50 * MS;
        self.deliver();
        self.feed(InstrumentId::NONE, EventBody::Timer);
    }

    pub fn deliver(&mut self) {
        while let Some(body) = self.venue.due(self.now) {
            self.feed(BTC, body);
        }
    }

    pub fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.tick();
        }
    }

    pub fn events(&self) -> Vec<Event> {
        self.steps.iter().map(|step| step.event).collect()
    }

    pub fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.steps.iter().flat_map(|step| &step.outputs)
    }
}

/// The usual world: the confluence strategy on a well-behaved venue, everything up.
pub fn world(seed: u64, manners: Manners) -> World<Confluence> {
    let config = config();
    let strategy = confluence(&config);
    let mut world = World::new(seed, config, strategy, manners);
    world.make_ready();
    world
}

/// A fresh engine over given events; outputs and digest.
pub fn replay(events: &[Event]) -> (Vec<Output>, smc_core::digest::Digest) {
    let config = config();
    let strategy = confluence(&config);
    let mut engine = Engine::new(config, strategy).unwrap();
    let mut outbox = Outbox::new();
    let mut outputs = Vec::new();
    for event in events {
        engine.on_event(event, &mut outbox);
        outputs.extend(outbox.drain());
    }
    (outputs, engine.digest())
}

/// Enters whenever it may, long and short in turn, with a near stop and a near target.
pub struct Eager {
    quotes: u32,
    every: u32,
    half_width_ppm: i64,
}

impl Strategy for Eager {
    fn on_quote(&mut self, view: &MarketView<'_>, quote: &Quote, intents: &mut Intents) {
        self.quotes += 1;
        if view.is_engaged || !self.quotes.is_multiple_of(self.every) {
            return;
        }
        let direction = if self.quotes.is_multiple_of(2) { Direction::Up } else { Direction::Down };
        let kind = if self.quotes.is_multiple_of(3) { EntryKind::Take } else { EntryKind::Rest };
        let sign = direction.side().sign();
        let entry = match (direction, kind) {
            (Direction::Up, EntryKind::Take) => quote.ask,
            (Direction::Down, EntryKind::Take) => quote.bid,
            (Direction::Up, _) => quote.bid,
            (Direction::Down, _) => quote.ask,
        };
        let width = entry.0 / 1_000_000 * self.half_width_ppm * sign;
        intents.push(Intent::Enter {
            direction,
            entry,
            stop: Price(entry.0 - width),
            target: Price(entry.0 + width),
            kind,
            reasons: [0; REASONS_MAX],
            expires: TsNs(view.now.0 + 3 * SECOND),
            manage: Management::PLAIN,
        });
    }
}

impl Eager {
    pub fn new(every: u32, half_width_ppm: i64) -> Self {
        Self { quotes: 0, every, half_width_ppm }
    }

    /// Another one, built the same.
    pub fn clone_settings(&self) -> Self {
        Self::new(self.every, self.half_width_ppm)
    }
}

impl State for Eager {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        io.tally(&mut self.quotes)
    }

    fn settings(&self) -> u64 {
        smc_core::state::fingerprint(&(self.every, self.half_width_ppm))
    }
}

/// A world that trades all the time.
pub fn eager(seed: u64, manners: Manners) -> World<Eager> {
    eager_with(config(), seed, manners)
}

pub fn eager_with(config: EngineConfig, seed: u64, manners: Manners) -> World<Eager> {
    let mut world = World::new(seed, config, Eager::new(7, 400), manners);
    world.make_ready();
    world
}
