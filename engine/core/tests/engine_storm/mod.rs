//! Events that come in any order and mean anything: two instruments, a venue that contradicts itself, feeds and
//! gateways that fall over, an operator who cannot make up his mind.
//!
//! Whoever throws the dice decides everything: a seed in the tests, the input in `tests/fuzz`. Amounts stay within
//! what a venue could print; that is all the order there is.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "this is test code, which the lint cannot see")]

use smc_core::Engine;
use smc_core::calendar::{SessionWindow, ZoneOffsets};
use smc_core::config::{EngineConfig, InstrumentConfig, SizingMethod, SizingParams};
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::orders::Order;
use smc_core::output::Structure;
use smc_core::risk::{AccountLimits, BreakerParams, Limits};
use smc_core::smc::SmcParams;
use smc_core::state::{State, StateError, StateIo};
use smc_core::strategy::{
    BreakEven, Confluence, ConfluenceParams, Distance, EntryKind, Intent, Intents, Management, MarketView,
    Part, Reach, SessionSet, ShiftScope, StopAt, Strategy, Trail,
};
use smc_core::words::*;

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;
const START_NS: u64 = 1_723_161_600_000_000_000;
const TICK: i64 = 1_000_000;
const LOT: i64 = 1_000;
/// Reports that may be told again.
const TOLD_MAX: usize = 24;
const SYMBOLS: [&str; 2] = ["BTCUSDT", "ETHUSDT"];
const BASES: [&str; 2] = ["BTC", "ETH"];
const TIMEFRAMES: [&str; 4] = ["1s", "5s", "1m", "15m"];

/// Where chance comes from.
pub trait Dice {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64;

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Two instruments and four timeframes.
pub fn config() -> EngineConfig {
    let limits = Limits {
        strategies_allowed: 1 << 1,
        order_qty_max: Qty(400 * SCALE),
        order_notional_max: Money(9_000_000 * SCALE),
        collar_ppm: 50_000,
        collar_passive_ppm: 200_000,
        reference_age_max_ns: 5 * SECOND,
        reference_skew_max_ns: SECOND,
        position_qty_max: Qty(40 * SCALE),
        open_orders_max: 10,
        duplicate_window_ns: 250 * MS,
        repeat_max: 12,
    };
    let account_limits = AccountLimits {
        gross_max: Money(600_000 * SCALE),
        net_max: Money(600_000 * SCALE),
        leverage_max_milli: 9_000,
        open_orders_max: 50,
        messages_max: 4,
        messages_window_ns: 2 * SECOND,
        runaway_denials_max: 3,
        runaway_window_ns: 60 * SECOND,
        entry_forgiven_after_ns: SECOND,
        margin_use_ppm_max: 800_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60_000_000_000,
        clock_offset_ns_max: 500_000_000,
        budget_reserve_ppm: 200_000,
    };
    let timeframes = TIMEFRAMES.iter().filter_map(|text| Timeframe::parse(text)).collect();
    let instruments =
        SYMBOLS.map(|symbol| InstrumentConfig { symbol: name(symbol), venue: 0, bars_from: None, limits });
    let config = EngineConfig::new(name("USDT"), instruments.to_vec(), timeframes, account_limits);
    // A storm loses, refuses and jumps all the time: the breakers trip now and then, and somebody arms again.
    let breakers = BreakerParams {
        daily_loss_ppm: 300_000,
        drawdown_ppm: 900_000,
        loss_streak_max: 40,
        loss_streak_pause_ns: 30 * SECOND,
        fills_per_minute_max: 600,
        rejects_max: 30,
        slippage_factor: 100,
        slippage_pause_ns: 30 * SECOND,
        flash_move_ppm: 300_000,
        flash_spread_factor: 1_000,
        flash_pause_ns: 5 * SECOND,
        divergence_ppm: 400_000,
        ..BreakerParams::default()
    };
    EngineConfig { breakers, ..config }
}

/// The same with every structure and every condition in use, sessions and an exit by the clock; few of each kind.
pub fn rich_config() -> EngineConfig {
    let window = |text, start_secs, end_secs| SessionWindow {
        name: name(text),
        offsets: ZoneOffsets::fixed(7_200),
        start_secs,
        end_secs,
    };
    let mut rich = config();
    rich.smc = SmcParams { fvg_cap: 12, ob_cap: 8, pool_cap: 12, level_cap: 12, ..SmcParams::everything() };
    rich.calendar.sessions = vec![window("all-day", 0, 0), window("early", 6_600, 8_400)];
    rich.sizing = SizingParams { method: SizingMethod::Kelly, fee_ppm: 20, ..rich.sizing };
    rich.sizing.kelly.probation_trades = 100_000;
    rich.sizing.kelly.volatility_target_ppm = Some(200);
    rich.sizing.heat.open_ppm_max = 150;
    rich.sizing.heat.cluster_ppm_max = 120;
    rich.strategy = ConfluenceParams {
        entry_timeframes: 3,
        entry_sessions: SessionSet::of(0),
        signals_per_session_max: 6,
        signals_per_day_max: 9,
        exit_sessions: SessionSet::of(1),
        exit_margin_min: 1,
        require_bias: false,
        accept_day_sweeps: true,
        sweep_sessions: SessionSet::of(1),
        accept_higher_sweeps: true,
        shift_scope: ShiftScope::Either,
        accept_internal_blocks: true,
        accept_breakers: true,
        accept_inverted_gaps: true,
        accept_ote: true,
        require_discount: false,
        stop_at: StopAt::Sweep,
        target_day: true,
        target_sessions: SessionSet::of(1),
        require_liquidity_target: false,
        round_trip_cost_ppm: 0,
        ..ConfluenceParams::default()
    };
    rich
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The built-in strategy, and besides an entry at every few quotes, so that there are always orders.
pub struct Mixed {
    built_in: Confluence,
    quotes: u32,
}

impl Mixed {
    pub fn engine(config: EngineConfig) -> Engine<Self> {
        let strategy = Self { built_in: Confluence::for_config(&config), quotes: 0 };
        Engine::new(config, strategy).unwrap()
    }
}

impl Strategy for Mixed {
    fn on_structure(&mut self, view: &MarketView<'_>, structure: &Structure, intents: &mut Intents) {
        self.built_in.on_structure(view, structure, intents);
    }

    fn on_bar(&mut self, view: &MarketView<'_>, timeframe: Timeframe, bar: &Bar, intents: &mut Intents) {
        self.built_in.on_bar(view, timeframe, bar, intents);
    }

    fn on_quote(&mut self, view: &MarketView<'_>, quote: &Quote, intents: &mut Intents) {
        self.built_in.on_quote(view, quote, intents);
        self.quotes = self.quotes.wrapping_add(1);
        if view.is_engaged || !self.quotes.is_multiple_of(5) || quote.bid <= Price::ZERO {
            return;
        }
        let (direction, entry) = match self.quotes.is_multiple_of(2) {
            true => (Direction::Up, quote.ask),
            false => (Direction::Down, quote.bid),
        };
        let width = entry.0 / 2_500 * direction.side().sign();
        let (stop, target) = (Price(entry.0 - width), Price(entry.0 + width));
        let kind = if self.quotes.is_multiple_of(3) { EntryKind::Take } else { EntryKind::Rest };
        let expires = TsNs(view.now.0.saturating_add(3 * SECOND));
        let intent = Intent::enter(direction, entry, stop, target, kind, expires);
        intents.push(if self.quotes.is_multiple_of(4) { intent } else { intent.managed(looked_after()) });
    }
}

/// Everything that can be done on the way.
fn looked_after() -> Management {
    let part = |risk, share_ppm| Some(Part { at: Reach::Risk(risk), share_ppm });
    Management {
        parts: [part(200_000, 300_000), part(500_000, 300_000), None],
        trail: Some(Trail { from: None, distance: Distance::Risk(800_000), step_ticks: 3 }),
        break_even: Some(BreakEven::AfterPart(2)),
    }
}

impl State for Mixed {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { built_in, quotes } = self;
        built_in.state(io)?;
        io.number(quotes)
    }

    fn settings(&self) -> u64 {
        self.built_in.settings()
    }
}

/// The world's next events.
#[derive(Clone)]
pub struct Storm {
    prices: [i64; 2],
    now: u64,
    seq: u64,
    update_id: u64,
    trade_id: u64,
    /// Reports that may be told again.
    told: Vec<(InstrumentId, OrderUpdate)>,
}

impl Default for Storm {
    fn default() -> Self {
        let prices = [60_000 * SCALE, 3_000 * SCALE];
        Self { prices, now: START_NS, seq: 0, update_id: 0, trade_id: 0, told: Vec::new() }
    }
}

impl Storm {
    /// Everything comes up.
    pub fn opening(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for at in 0..2 {
            events.push(self.event(InstrumentId(at), EventBody::Instrument(good_spec(at.into()))));
            events.push(self.event(InstrumentId(at), EventBody::Feed(FeedState::Live)));
        }
        for (asset, free) in [("USDT", 500_000), ("BTC", 3), ("ETH", 40)] {
            let balance = Balance { asset: name(asset), free: Qty(free * SCALE), locked: Qty::ZERO };
            events.push(self.event(InstrumentId::NONE, EventBody::Balance(balance)));
        }
        events.push(self.event(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready)));
        events
    }

    /// A balance of the `nth` asset of many.
    pub fn balance_of(&mut self, nth: u64) -> Event {
        let balance = Balance { asset: name(&format!("A{nth}")), free: Qty(1), locked: Qty::ZERO };
        self.event(InstrumentId::NONE, EventBody::Balance(balance))
    }

    /// One event, as the dice will have it.
    pub fn next<S>(&mut self, engine: &Engine<S>, dice: &mut impl Dice) -> Event {
        self.now += match dice.below(200) {
            0 => dice.below(1_200) * SECOND,
            1..8 => dice.below(3_000) * MS,
            _ => dice.below(60) * MS,
        };
        let at = usize::from(dice.chance(30));
        let id = InstrumentId(at as u16);
        match dice.below(100) {
            0..30 => {
                let body = self.quote(at, dice);
                self.event(id, body)
            }
            30..52 => {
                let body = self.trade(at, dice);
                let mut event = self.event(id, body);
                if dice.chance(5) {
                    // The venue's clock is its own.
                    event.ts_event = TsNs(self.now + dice.below(4_000) * MS - 2 * SECOND);
                }
                event
            }
            52..62 => {
                let body = self.book(at, dice);
                self.event(id, body)
            }
            62..72 => self.event(InstrumentId::NONE, EventBody::Timer),
            72..92 => {
                let open: Vec<Order> = engine.open_orders().copied().collect();
                self.report(&open, dice)
            }
            92..94 => {
                let body = self.candle(at, dice);
                self.event(id, body)
            }
            _ => self.disturbance(at, dice),
        }
    }

    fn event(&mut self, instrument: InstrumentId, body: EventBody) -> Event {
        self.seq += 1;
        let ts = TsNs(self.now);
        Event { seq: self.seq, ts_event: ts, ts_recv: ts, instrument, body }
    }

    fn step(&mut self, at: usize, dice: &mut impl Dice) -> i64 {
        let reach = self.prices[at] / 20_000 / TICK;
        let ticks = dice.below(2 * reach as u64 + 1) as i64 - reach;
        self.prices[at] = (self.prices[at] + ticks * TICK).clamp(SCALE, 1_000_000 * SCALE);
        self.prices[at]
    }

    fn quote(&mut self, at: usize, dice: &mut impl Dice) -> EventBody {
        let mid = self.step(at, dice);
        let spread = (1 + dice.below(3) as i64) * TICK;
        let (mut bid, ask) = (mid - spread, mid + spread);
        if dice.chance(1) {
            bid = dice.of(&[0, -TICK, ask, ask + TICK]);
        }
        self.update_id += dice.below(3);
        let qty = Qty(dice.below(5) as i64 * SCALE);
        let (bid, ask) = (Price(bid), Price(ask));
        EventBody::Quote(Quote { bid, bid_qty: qty, ask, ask_qty: qty, update_id: self.update_id })
    }

    fn trade(&mut self, at: usize, dice: &mut impl Dice) -> EventBody {
        let mut price = self.step(at, dice);
        let mut qty = LOT * (1 + dice.below(5_000) as i64);
        if dice.chance(1) {
            (price, qty) = dice.of(&[(0, LOT), (price, 0), (-price, LOT)]);
        }
        self.trade_id += 1;
        let aggressor = dice.of(&[Side::Buy, Side::Sell]);
        EventBody::Trade(Trade { price: Price(price), qty: Qty(qty), aggressor, trade_id: self.trade_id })
    }

    fn book(&mut self, at: usize, dice: &mut impl Dice) -> EventBody {
        let side = dice.of(&[Side::Buy, Side::Sell]);
        let mut levels = [Level::default(); BOOK_LEVELS_PER_EVENT];
        let len = dice.below(5) as u8;
        for level in levels.iter_mut().take(len.into()) {
            let away = (1 + dice.below(400) as i64) * TICK * side.sign();
            *level = Level { price: Price(self.prices[at] - away), qty: Qty(dice.below(4) as i64 * SCALE) };
        }
        self.update_id += 1;
        EventBody::Book(BookUpdate {
            update_id: self.update_id,
            is_snapshot_start: dice.chance(3),
            is_last: dice.chance(80),
            side,
            len,
            levels,
        })
    }

    /// What the venue says of an order; mostly true, sometimes again.
    fn report(&mut self, open: &[Order], dice: &mut impl Dice) -> Event {
        if !self.told.is_empty() && (open.is_empty() || dice.chance(10)) {
            let (instrument, mut update) = self.told[dice.below(self.told.len() as u64) as usize];
            if dice.chance(20) {
                update.client_order_id = ClientOrderId::new(9, 1, 1 + dice.below(5));
            }
            return self.event(instrument, EventBody::Order(update));
        }
        let Some(order) = open.get(dice.below(open.len().max(1) as u64) as usize) else {
            return self.event(InstrumentId::NONE, EventBody::Timer);
        };
        let filled = order.filled_qty.0;
        let cum_qty = Qty(if dice.chance(95) { filled } else { order.qty.0 / (1 + dice.below(2) as i64) });
        let code = -2_010;
        let kind = match dice.below(100) {
            0..25 => OrderUpdateKind::Ack,
            25..65 => self.fill(order, dice),
            65..86 => OrderUpdateKind::Canceled { cum_qty },
            86..90 => OrderUpdateKind::Expired { cum_qty },
            90..92 => OrderUpdateKind::Reject { code },
            92..94 => OrderUpdateKind::CancelReject { code },
            94..97 => OrderUpdateKind::Unknown,
            _ => OrderUpdateKind::NotFound,
        };
        let venue_order_id = dice.below(2) * order.client_order_id.sequence();
        let update = OrderUpdate { client_order_id: order.client_order_id, venue_order_id, kind };
        let instrument = if dice.chance(1) { InstrumentId(1 - order.instrument.0) } else { order.instrument };
        if self.told.len() == TOLD_MAX {
            self.told.remove(0);
        }
        self.told.push((instrument, update));
        self.event(instrument, EventBody::Order(update))
    }

    fn fill(&mut self, order: &Order, dice: &mut impl Dice) -> OrderUpdateKind {
        let leaves = order.reserved_qty().0;
        let qty = match dice.below(200) {
            0 => leaves.saturating_add(order.qty.0), // Too much.
            1..80 => (leaves / 3).max(1),
            _ => leaves,
        };
        let cum_qty = if dice.chance(90) { order.filled_qty.0.saturating_add(qty) } else { 0 };
        self.trade_id += u64::from(dice.chance(98));
        let price = if order.price.0 > 0 { order.price.0 } else { self.prices[order.instrument.index()] };
        let value = (i128::from(qty) * i128::from(price) / i128::from(SCALE)) as i64;
        let (fee, fee_asset) = match dice.below(12) {
            0 => (-1, "USDT"),
            1 => (5, "BNB"),
            2..8 if order.side == Side::Buy => (qty / 1_000, BASES[order.instrument.index()]),
            _ => (value / 1_000, "USDT"),
        };
        OrderUpdateKind::Fill {
            trade_id: self.trade_id,
            side: order.side,
            price: Price(price),
            qty: Qty(qty),
            cum_qty: Qty(cum_qty),
            fee: Money(fee),
            fee_asset: name(fee_asset),
            is_maker: dice.chance(50),
        }
    }

    fn candle(&mut self, at: usize, dice: &mut impl Dice) -> EventBody {
        let timeframe = Timeframe::parse(dice.of(&TIMEFRAMES)).unwrap();
        let ago = dice.below(4) * timeframe.nanos();
        let off_grid = u64::from(dice.chance(3));
        let open = self.step(at, dice);
        let close = self.step(at, dice);
        let mut bar = Bar {
            open_ts: TsNs(timeframe.open_of(TsNs(self.now - ago)).0 + off_grid),
            open: Price(open),
            high: Price(open.max(close) + dice.below(50) as i64 * TICK),
            low: Price(open.min(close) - dice.below(50) as i64 * TICK),
            close: Price(close),
            volume: Qty(LOT),
            trades: 3,
        };
        if dice.chance(2) {
            bar.high = Price(bar.low.0 - TICK);
        }
        EventBody::Bar(timeframe, bar)
    }

    /// Mostly of the whole engine; limits that hardly bind.
    fn act(&mut self, command: Command, id: InstrumentId, dice: &mut impl Dice) -> Act {
        let part = dice.of(&[RiskScope::instrument(id), RiskScope::strategy(1), RiskScope::venue(0)]);
        let scope = if dice.chance(10) { part } else { RiskScope::ENGINE };
        let limits = [
            (LimitName::OrderQtyMax, 20 * SCALE),
            (LimitName::OpenOrdersMax, 9),
            (LimitName::GrossMax, 500_000 * SCALE),
            (LimitName::DailyLossPpm, 250_000),
            (LimitName::RepeatMax, -1),
        ];
        let (limit, value) = match command {
            Command::SetLimit => dice.of(&limits),
            _ => (LimitName::None, 0),
        };
        Act { scope, limit, value, operator: 7, ..Act::from(command) }
    }

    /// Rarely anything stays down for long.
    fn disturbance(&mut self, at: usize, dice: &mut impl Dice) -> Event {
        let id = InstrumentId(at as u16);
        match dice.below(28) {
            24.. => self.money(at, dice),
            0 => {
                let feed = dice.of(&[FeedState::Down, FeedState::Syncing, FeedState::Stale]);
                let id = if dice.chance(20) { InstrumentId::NONE } else { id };
                self.event(id, EventBody::Feed(feed))
            }
            1..8 => self.event(InstrumentId::NONE, EventBody::Feed(FeedState::Live)),
            8 => {
                let state = dice.of(&[GatewayState::Down, GatewayState::Syncing]);
                self.event(InstrumentId::NONE, EventBody::Gateway(state))
            }
            9..13 => self.event(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready)),
            13 if dice.chance(40) => {
                let commands = [
                    Command::Kill,
                    Command::Pause,
                    Command::Flatten,
                    Command::Flatten,
                    Command::KillFlatten,
                    Command::SetLimit,
                ];
                let act = self.act(dice.of(&commands), id, dice);
                self.event(InstrumentId::NONE, EventBody::Operator(act))
            }
            13..17 => {
                let command = dice.of(&[Command::Arm, Command::Arm, Command::Resume, Command::ResetLoss]);
                let (one, venue) = (RiskScope::strategy(1), RiskScope::venue(0));
                let scopes = [RiskScope::ENGINE, RiskScope::instrument(id), one, venue];
                let act = Act { scope: dice.of(&scopes), operator: 7, ..Act::from(command) };
                self.event(InstrumentId::NONE, EventBody::Operator(act))
            }
            17..20 => {
                let asset = dice.of(&["USDT", "BTC", "ETH", "BNB", "DOGE"]);
                let free = Qty((dice.below(400_000) as i64 - 10) * SCALE / 1_000);
                let balance = Balance { asset: name(asset), free, locked: Qty(dice.below(3) as i64) };
                self.event(InstrumentId::NONE, EventBody::Balance(balance))
            }
            20 => {
                let mut spec = good_spec(at);
                match dice.below(9) {
                    4.. => spec.contract = some_contract(dice),
                    0 => spec.status = dice.of(&[TradingStatus::Halted, TradingStatus::CancelOnly]),
                    1 => spec.lot = Qty(-1),
                    2 => spec.lot = Qty(LOT * 10),
                    _ => spec.notional_min = Money(100 * SCALE),
                }
                self.event(id, EventBody::Instrument(spec))
            }
            21 => {
                let spec = InstrumentSpec { contract: some_contract(dice), ..good_spec(at) };
                self.event(id, EventBody::Instrument(spec))
            }
            _ => self.event(id, EventBody::Instrument(good_spec(at))),
        }
    }
}

impl Storm {
    /// Prices, rates, margins and cash of the account; some cash is told twice.
    fn money(&mut self, at: usize, dice: &mut impl Dice) -> Event {
        let (id, asset) = (InstrumentId(at as u16), dice.of(&["USDT", "BTC", "ETH", "BNB", "DOGE"]));
        let body = match dice.below(8) {
            0 => EventBody::Margin(Margin {
                equity: Money((90_000 + dice.below(20_000) as i64) * SCALE),
                free: Money(dice.below(90_000) as i64 * SCALE),
            }),
            1 => EventBody::Mark(MarkPrice { price: Price(self.prices[at] + dice.below(9) as i64 * TICK) }),
            2 | 3 => EventBody::Rate(AssetRate {
                asset: name(asset),
                price: Price(dice.below(60_000) as i64 * SCALE),
            }),
            _ => EventBody::Cash(Cash {
                kind: dice.of(&[
                    CashKind::Funding,
                    CashKind::Financing,
                    CashKind::Commission,
                    CashKind::Transfer,
                    CashKind::Adjustment,
                ]),
                asset: name(asset),
                amount: Money(dice.below(2_000) as i64 * SCALE / 1_000 - SCALE),
                booking_id: dice.below(self.trade_id + 1),
            }),
        };
        self.event(if dice.chance(20) { InstrumentId::NONE } else { id }, body)
    }
}

fn some_contract(dice: &mut impl Dice) -> Contract {
    Contract {
        can_replace: dice.chance(50),
        can_oco: dice.chance(50),
        can_attach: dice.chance(50),
        can_reduce_only: dice.chance(50),
        ..Contract::SPOT
    }
}

/// The second instrument's venue can do everything.
fn good_spec(at: usize) -> InstrumentSpec {
    InstrumentSpec {
        symbol: name(SYMBOLS[at]),
        base: name(BASES[at]),
        quote: name("USDT"),
        tick: Price(TICK),
        lot: Qty(LOT),
        qty_min: Qty(5 * LOT),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract {
            can_replace: at > 0,
            can_oco: at > 0,
            can_attach: at > 0,
            can_reduce_only: at > 0,
            ..Contract::SPOT
        },
    }
}
