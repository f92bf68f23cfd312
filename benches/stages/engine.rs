//! One event through the whole engine, structure on four timeframes: by itself (`engine/…`), and through the engine thread's
//! turn, which numbers and journals it, journals what is said and hands orders on (`turn/…`).
//!
//! The market is a seeded walk. A venue that lets every order expire keeps the engine free for the next one.

use super::journal::{journal, wait_for_segment};
use super::{Named, Stage};
use crate::{Random, SEED, START, event, limits, spec};
use smc_core::config::{EngineConfig, InstrumentConfig, SizingParams};
use smc_core::event::{
    Balance, BookUpdate, Command, Event, EventBody, FeedState, GatewayState, Level, OrderUpdate,
    OrderUpdateKind, Quote, ReconcileRound, Trade,
};
use smc_core::output::{Output, TradingState};
use smc_core::risk::{AccountLimits, Limits};
use smc_core::smc::SmcParams;
use smc_core::strategy::{Confluence, ConfluenceParams, EntryKind};
use smc_core::words::{ClientOrderId, Price, Qty, SCALE, Side, Timeframe, TsNs};
use smc_core::{Engine, Outbox};
use smc_runtime::counters::{Counters, FILE_NAME};
use smc_runtime::engine_thread::{EngineThread, Outbound};
use smc_runtime::latency::Latencies;
use std::collections::VecDeque;
use std::hint::black_box;
use tempfile::TempDir;

pub const STAGES: &[Named] = &[
    ("engine/quote", || alone(Kind::Quote)),
    ("engine/book update", || alone(Kind::Book)),
    ("engine/trade that closes no bar", || alone(Kind::Trade)),
    ("engine/trade that closes bars", || alone(Kind::Closing)),
    ("engine/trade that makes an order", || alone(Kind::Order)),
    ("turn/quote", || journaled(Kind::Quote)),
    ("turn/trade that closes no bar", || journaled(Kind::Trade)),
    ("turn/trade that closes bars", || journaled(Kind::Closing)),
    ("turn/trade that makes an order", || journaled(Kind::Order)),
];

/// What the measured event is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Quote,
    Book,
    Trade,
    /// A trade that begins the next second and is answered by no order.
    Closing,
    /// One that is.
    Order,
}

const SECOND_NS: u64 = 1_000_000_000;
const CENT: i64 = SCALE / 100;
/// Seconds of market before anybody measures.
const HISTORY: u64 = 2_000;
/// Seconds in which a market that trades often has made an order, or never will again.
const PATIENCE: u64 = 2_000;
/// Events of one journal, so that hours of timing do not fill the disk.
const EVENTS_MAX: u64 = 1 << 18;

/// Four timeframes and, for orders, a strategy told to want something at nearly every bar. Else its usual conditions.
fn config(kind: Kind) -> EngineConfig {
    let (account, limits) = limits();
    let often = 1_000;
    let limits = Limits { repeat_max: often, duplicate_window_ns: 1_000_000, ..limits };
    let account = AccountLimits { messages_max: often, runaway_denials_max: often, ..account };
    let instruments = vec![InstrumentConfig { symbol: spec().symbol, venue: 0, bars_from: None, limits }];
    let timeframes = ["1s", "5s", "15s", "1m"].map(|text| Timeframe::parse(text).expect("a timeframe"));
    let config = EngineConfig::new(spec().quote, instruments, timeframes.to_vec(), account);
    if kind != Kind::Order {
        return config;
    }
    EngineConfig {
        smc: SmcParams { pivot_left: 2, pivot_right: 2, ..config.smc },
        sizing: SizingParams {
            risk_fraction_ppm: 100,
            fee_ppm: 200,
            notional_fraction_ppm_max: 10_000,
            ..config.sizing
        },
        strategy: ConfluenceParams {
            require_bias: false,
            require_sweep: false,
            require_shift: false,
            require_zone: false,
            require_discount: false,
            stop_distance_ppm_min: 100,
            reward_to_risk_ppm_min: 50_000,
            reward_to_risk_ppm_max: 100_000,
            target_risk_ppm: 50_000,
            cooldown_bars: 0,
            entry_lifetime_bars: 1,
            entry_kind: EntryKind::Take,
            ..config.strategy
        },
        ..config
    }
}

/// The market: a walk that steps at every quote.
struct World {
    random: Random,
    seq: u64,
    ts: TsNs,
    /// Best bid in cents; the best ask is one above.
    bid: i64,
}

impl World {
    fn event(&mut self, body: EventBody) -> Event {
        self.seq += 1;
        event(self.seq, self.ts, body)
    }

    /// What makes an engine ready to trade.
    fn opening(&mut self) -> Vec<Event> {
        let owned = |asset, free| EventBody::Balance(Balance { asset, free, locked: Qty::ZERO });
        let (quote, base) =
            (owned(spec().quote, Qty(1_000_000 * SCALE)), owned(spec().base, Qty(20 * SCALE)));
        let round = |number, is_end| EventBody::Round(ReconcileRound { number, is_end, is_complete: true });
        [
            EventBody::Instrument(spec()),
            EventBody::Gateway(GatewayState::Syncing),
            round(1, false),
            quote,
            base,
            round(1, true),
            EventBody::Gateway(GatewayState::Ready),
            EventBody::Feed(FeedState::Live),
            round(2, false),
            quote,
            base,
            round(2, true),
        ]
        .map(|body| self.event(body))
        .to_vec()
    }

    fn quote(&mut self) -> Event {
        self.bid = (self.bid + self.random.below(1_001) as i64 - 500).max(3_000_000);
        let qty = Qty((1 + self.random.below(400_000) as i64) * 1_000);
        let (bid, ask) = (Price(self.bid * CENT), Price((self.bid + 1) * CENT));
        let update_id = self.seq + 1;
        self.event(EventBody::Quote(Quote { bid, bid_qty: qty, ask, ask_qty: qty, update_id }))
    }

    fn trade(&mut self) -> Event {
        let aggressor = if self.random.below(2) == 0 { Side::Sell } else { Side::Buy };
        let price = Price((self.bid + i64::from(aggressor == Side::Buy)) * CENT);
        let qty = Qty((1 + self.random.below(400_000) as i64) * 1_000);
        let trade_id = self.seq + 1;
        self.event(EventBody::Trade(Trade { price, qty, aggressor, trade_id }))
    }

    /// Four levels of one side, near the best price.
    fn book(&mut self) -> Event {
        let side = if self.random.below(2) == 0 { Side::Sell } else { Side::Buy };
        let best = self.bid + i64::from(side == Side::Sell);
        let levels = std::array::from_fn(|_| {
            let price = Price((best - side.sign() * self.random.below(20) as i64) * CENT);
            Level { price, qty: Qty(self.random.below(4).min(1) as i64 * SCALE) }
        });
        let (update_id, is_snapshot_start, is_last) = (self.seq + 1, false, true);
        self.event(EventBody::Book(BookUpdate {
            update_id,
            is_snapshot_start,
            is_last,
            side,
            len: 4,
            levels,
        }))
    }

    fn expiry(&mut self, client_order_id: ClientOrderId) -> Event {
        let kind = OrderUpdateKind::Expired { cum_qty: Qty::ZERO };
        self.event(EventBody::Order(OrderUpdate { client_order_id, venue_order_id: 0, kind }))
    }
}

/// What takes events.
trait Takes {
    fn take(&mut self, event: &Event);

    /// New orders so far.
    fn orders(&self) -> u64;

    /// Called before a batch.
    fn refresh(&mut self) {}
}

/// The engine by itself. It tells its orders to whoever asks.
struct Alone {
    engine: Engine<Confluence>,
    outbox: Outbox,
    orders: u64,
}

impl Alone {
    fn new(kind: Kind) -> Self {
        Self { engine: engine(kind), outbox: Outbox::new(), orders: 0 }
    }

    /// The order that this event made, if any.
    fn order_after(&mut self, event: &Event) -> Option<ClientOrderId> {
        self.engine.on_event(event, &mut self.outbox);
        let order = self.outbox.outputs().iter().find_map(|output| match output {
            Output::NewOrder(order) => Some(order.order().client_order_id),
            _ => None,
        });
        self.outbox.clear();
        order
    }
}

impl Takes for Alone {
    #[inline]
    fn take(&mut self, event: &Event) {
        self.engine.on_event(black_box(event), &mut self.outbox);
        for output in self.outbox.outputs() {
            self.orders += u64::from(matches!(output, Output::NewOrder(_)));
        }
        self.outbox.clear();
    }

    fn orders(&self) -> u64 {
        self.orders
    }
}

fn engine(kind: Kind) -> Engine<Confluence> {
    let config = config(kind);
    let strategy = Confluence::for_config(&config);
    Engine::new(config, strategy).expect("a sound configuration")
}

/// The engine thread's turn. Time is told by the events alone: the grid of timers is wider than any batch.
struct Journaled {
    thread: Option<EngineThread<Confluence>>,
    dir: TempDir,
    latencies: Latencies,
    orders: u64,
    events: u64,
}

const TIMER_NS: u64 = 1_000_000 * SECOND_NS;

impl Journaled {
    fn new(kind: Kind) -> Self {
        let latencies = Latencies::new();
        let (dir, thread) = Self::begin(engine(kind), &latencies);
        Self { thread: Some(thread), dir, latencies, orders: 0, events: 0 }
    }

    fn begin(core: Engine<Confluence>, latencies: &Latencies) -> (TempDir, EngineThread<Confluence>) {
        let (dir, writer) = journal();
        let counters = Counters::create(&dir.path().join(FILE_NAME)).expect("counters");
        (dir, EngineThread::new(core, writer, counters, latencies.probe(), TIMER_NS))
    }

    fn thread(&mut self) -> &mut EngineThread<Confluence> {
        self.thread.as_mut().expect("it is taken out for an instant only")
    }
}

impl Takes for Journaled {
    #[inline]
    fn take(&mut self, event: &Event) {
        self.events += 1;
        let Self { thread: Some(thread), orders, .. } = self else { unreachable!("as above") };
        let taken = thread.take(*black_box(event), 0, &mut |outbound: Outbound| {
            *orders += u64::from(matches!(outbound.output, Output::NewOrder(_)));
            black_box(&outbound);
        });
        assert!(taken.is_ok());
    }

    fn orders(&self) -> u64 {
        self.orders
    }

    fn refresh(&mut self) {
        if self.events >= EVENTS_MAX {
            let core = self.thread.take().expect("as above").close().expect("a close");
            let (dir, thread) = Self::begin(core, &self.latencies);
            (self.dir, self.thread, self.events) = (dir, Some(thread), 0);
        }
        self.latencies.collect();
        let thread = self.thread();
        wait_for_segment(|| thread.has_segment_ahead());
    }
}

/// Events of one kind on their way through something that takes them.
struct Turns<E> {
    taker: E,
    /// An engine one event ahead, which tells what an event will do.
    scout: Alone,
    world: World,
    kind: Kind,
    events: VecDeque<Event>,
    /// Orders that the venue has not let expire yet.
    working: Vec<ClientOrderId>,
}

fn alone(kind: Kind) -> Box<dyn Stage> {
    Box::new(Turns::new(Alone::new(kind), kind))
}

fn journaled(kind: Kind) -> Box<dyn Stage> {
    Box::new(Turns::new(Journaled::new(kind), kind))
}

impl<E: Takes> Turns<E> {
    fn new(taker: E, kind: Kind) -> Self {
        let world = World { random: Random(SEED), seq: 0, ts: START, bid: 6_183_763 };
        let (scout, events, working) = (Alone::new(kind), VecDeque::with_capacity(64), Vec::new());
        let mut turns = Self { taker, scout, world, kind, events, working };
        for event in turns.world.opening() {
            turns.pass(&event);
        }
        assert_eq!(turns.scout.engine.state(), TradingState::Normal);
        for _ in 0..HISTORY {
            turns.second();
            if let Some(event) = turns.events.pop_front() {
                turns.taker.take(&event);
            }
        }
        let counters = turns.scout.engine.counters();
        assert!(counters.bars > HISTORY && counters.structures > HISTORY / 4, "{counters:?}");
        assert!(kind != Kind::Order || counters.orders_sent > 0, "{counters:?}");
        turns
    }

    /// Lets both take an event that is not measured.
    fn pass(&mut self, event: &Event) {
        self.taker.refresh();
        self.working.extend(self.scout.order_after(event));
        self.taker.take(event);
    }

    /// The next second begins: what worked expires and is forgotten, a quote comes, and then the trade that closes the last second's bar, which
    /// the scout alone has taken. True when it made an order.
    fn second(&mut self) -> bool {
        for order in std::mem::take(&mut self.working) {
            let expired = self.world.expiry(order);
            // No limit on entries without an exit is loose enough for a load: a person would arm again.
            let armed = self.world.event(EventBody::Operator(Command::Arm.into()));
            [expired, armed].iter().for_each(|event| self.pass(event));
        }
        self.world.ts = TsNs(self.world.ts.0 + SECOND_NS);
        let quote = self.world.quote();
        self.pass(&quote);
        let trade = self.world.trade();
        let order = self.scout.order_after(&trade);
        self.working.extend(order);
        self.events.push_back(trade);
        order.is_some()
    }

    /// Goes on until the trade that begins a second does, or does not, make an order.
    fn find(&mut self, is_order: bool) {
        for _ in 0..PATIENCE {
            if self.second() == is_order {
                return;
            }
            while let Some(event) = self.events.pop_front() {
                self.taker.take(&event);
            }
        }
        let engine = &self.scout.engine;
        unreachable!(
            "{PATIENCE} seconds without a fitting event: {:?}, {:?}",
            engine.state(),
            engine.counters()
        );
    }
}

impl<E: Takes> Stage for Turns<E> {
    #[inline]
    fn batch(&self) -> u64 {
        if matches!(self.kind, Kind::Closing | Kind::Order) { 1 } else { 64 }
    }

    fn prepare(&mut self) {
        assert!(self.events.is_empty());
        assert_eq!(self.taker.orders(), self.scout_orders(), "the scout saw other orders");
        self.taker.refresh();
        match self.kind {
            Kind::Closing => return self.find(false),
            Kind::Order => return self.find(true),
            Kind::Quote | Kind::Book | Kind::Trade => {}
        }
        for _ in 0..self.batch() {
            let event = match self.kind {
                Kind::Quote => self.world.quote(),
                Kind::Book => self.world.book(),
                _ => self.world.trade(),
            };
            let order = self.scout.order_after(&event);
            self.working.extend(order);
            self.events.push_back(event);
        }
    }

    #[inline]
    fn step(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.taker.take(&event);
        }
    }
}

impl<E> Turns<E> {
    fn scout_orders(&self) -> u64 {
        self.scout.engine.counters().orders_sent
    }
}
