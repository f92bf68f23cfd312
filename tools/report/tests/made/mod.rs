//! A made run from a seed: prices that wander, the real structures of them, and trades of a small strategy with an edge that
//! is planted. For looking at reports; it proves nothing about strategies.

use smc_backtest::{Costs, Ended, EquityPoint, Outcome, Record, Trade};
use smc_core::calendar::{Calendar, SessionWindow, ZoneOffsets};
use smc_core::engine::Counters;
use smc_core::event::Bar;
use smc_core::output::{Purpose, Signal, Structure, StructureKind};
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::words::{Direction, InstrumentId, Money, Name, Price, Qty, Timeframe, TsNs};
use smc_metrics::Random;

const DAY_NS: u64 = 86_400_000_000_000;
const START: u64 = 1_672_531_200_000_000_000;
const STAKE: f64 = 100_000.0;
const RISK: f64 = 0.005;

/// What is made.
pub struct Wish {
    pub seed: u64,
    /// Length of a bar in seconds, and bars an instrument.
    pub secs: u32,
    pub bars: usize,
    /// First price and tick of each instrument.
    pub instruments: Vec<(f64, f64)>,
    /// Drift in deviations of a bar towards the open trade.
    pub edge: f64,
}

/// An amount in 1e-8.
fn scaled(value: f64) -> i64 {
    (value * 1e8).round() as i64
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap_or(Name::EMPTY)
}

/// London and New York by UTC alone.
pub fn calendar() -> Calendar {
    let window = |text: &str, from: u32, until: u32| SessionWindow {
        name: name(text),
        offsets: ZoneOffsets::fixed(0),
        start_secs: from * 3_600,
        end_secs: until * 3_600,
    };
    Calendar { sessions: vec![window("London", 7, 11), window("New York", 12, 17)], ..Calendar::default() }
}

/// An order that waits, or a position.
struct Setup {
    trade: Trade,
    is_open: bool,
    expires: usize,
    low: f64,
    high: f64,
}

struct Book {
    random: Random,
    engine: SmcEngine,
    bias: SmcEngine,
    price: f64,
    tick: f64,
    volatility: f64,
    setup: Option<Setup>,
    /// By direction of the trade: the last sweep and shift, with their bars.
    sweeps: [Option<(u32, usize)>; 2],
    shifts: [Option<(u32, usize)>; 2],
    bias_id: u32,
    session_id: u32,
    bias_bar: Option<Bar>,
}

impl Book {
    fn cash(&self) -> f64 {
        self.setup.as_ref().filter(|setup| setup.is_open).map_or(0.0, |setup| {
            let sign = if setup.trade.direction == Direction::Up { 1.0 } else { -1.0 };
            sign * (self.price - setup.trade.entry.0 as f64 / 1e8) * setup.trade.qty.0 as f64 / 1e8
        })
    }

    fn next_bar(&mut self, at: usize, secs: u32, edge: f64) -> Bar {
        let drift = self
            .setup
            .as_ref()
            .filter(|setup| setup.is_open)
            .map_or(0.0, |setup| if setup.trade.direction == Direction::Up { edge } else { -edge });
        let hour = at as u64 * u64::from(secs) / 3_600 % 24;
        let busy = if (7..17).contains(&hour) { 1.35 } else { 0.75 };
        self.volatility = (self.volatility * (0.06 * self.random.normal()).exp()).clamp(0.0009, 0.0042);
        self.volatility += (0.0019 - self.volatility) * 0.03;
        let sigma = self.volatility * busy;
        let open = self.price;
        let (mut high, mut low, mut price) = (open, open, open);
        for _ in 0..8 {
            price *= 1.0 + sigma / 8f64.sqrt() * self.random.normal() + drift * sigma / 8.0;
            high = high.max(price);
            low = low.min(price);
        }
        self.price = price;
        let on_tick = |value: f64| Price(scaled((value / self.tick).round() * self.tick));
        let volume = Qty(scaled(20.0 * busy * (0.4 * self.random.normal()).exp()));
        Bar {
            open_ts: TsNs(START + at as u64 * u64::from(secs) * 1_000_000_000),
            open: on_tick(open),
            high: on_tick(high),
            low: on_tick(low),
            close: on_tick(price),
            volume,
            trades: 100,
        }
    }

    fn hear(&mut self, it: &Structure, at: usize) {
        match it.kind {
            StructureKind::LevelSwept | StructureKind::PoolSwept => {
                self.sweeps[it.direction.opposite() as usize] = Some((it.id, at));
            }
            StructureKind::Choch | StructureKind::Mss | StructureKind::Bos => {
                self.shifts[it.direction as usize] = Some((it.id, at));
            }
            StructureKind::SessionOpened => self.session_id = it.id,
            StructureKind::SessionClosed if it.id == self.session_id => self.session_id = 0,
            _ => {}
        }
    }
}

/// The run.
pub fn outcome(wish: &Wish) -> Outcome {
    let timeframe =
        Timeframe::from_secs(wish.secs).unwrap_or_else(|| unreachable!("a length that divides a day"));
    let long = Timeframe::from_secs(14_400).unwrap_or(timeframe);
    let params = SmcParams::everything();
    let mut ids = IdSource::new();
    let mut books: Vec<Book> = Vec::new();
    for (nth, (price, tick)) in wish.instruments.iter().enumerate() {
        let id = InstrumentId(nth as u16);
        books.push(Book {
            random: Random::of_run(wish.seed, nth as u64),
            engine: SmcEngine::with_calendar(id, timeframe, &params, &calendar()),
            bias: SmcEngine::new(id, long, &params),
            price: *price,
            tick: *tick,
            volatility: 0.0019,
            setup: None,
            sweeps: [None; 2],
            shifts: [None; 2],
            bias_id: 0,
            session_id: 0,
            bias_bar: None,
        });
    }
    let mut run = Run {
        record: Record::default(),
        costs: Costs::default(),
        trades: Vec::new(),
        balance: STAKE,
        signals: 0,
    };
    let mut points: Vec<EquityPoint> = Vec::new();
    let (mut low, mut exposed, mut turnover_before) = (STAKE, 0, Money::ZERO);
    let bar_ns = u64::from(wish.secs) * 1_000_000_000;
    for at in 0..wish.bars {
        let end = TsNs(START + (at as u64 + 1) * bar_ns);
        for (nth, book) in books.iter_mut().enumerate() {
            let id = InstrumentId(nth as u16);
            let bar = book.next_bar(at, wish.secs, wish.edge);
            run.live(book, &bar, at, end);
            run.record.bars.push((id, timeframe, bar));
            let mut told = Vec::new();
            book.engine.on_bar(&bar, &mut ids, &mut |it| told.push(it));
            for it in told {
                book.hear(&it, at);
                run.record.structures.push((end, it));
            }
            run.bias(book, id, long, &bar, end, &mut ids);
            if book.setup.is_none() {
                run.seek(book, id, at);
            }
        }
        let open: f64 = books.iter().map(Book::cash).sum();
        let equity = run.balance + open;
        low = low.min(equity);
        let held: f64 = books
            .iter()
            .filter_map(|book| {
                Some(book.setup.as_ref().filter(|it| it.is_open)?.trade.qty.0 as f64 / 1e8 * book.price)
            })
            .sum();
        exposed += if held > 0.0 { bar_ns } else { 0 };
        let is_last = at + 1 == wish.bars || (end.0 / DAY_NS) != ((end.0 - 1) / DAY_NS);
        if is_last {
            let turnover = Money(run.costs.turnover.0 - turnover_before.0);
            turnover_before = run.costs.turnover;
            points.push(EquityPoint {
                ts: TsNs(end.0 - 1),
                equity: Money(scaled(equity)),
                low: Money(scaled(low)),
                exposure: Money(scaled(held)),
                turnover,
                exposed_ns: exposed,
            });
            (low, exposed) = (equity, 0);
        }
    }
    let mut open = Vec::new();
    for book in &books {
        let Some(setup) = book.setup.as_ref().filter(|setup| setup.is_open) else { continue };
        let gross = Money(scaled(book.cash()));
        let trade = Trade {
            closed: TsNs(START + wish.bars as u64 * bar_ns),
            exit: Price(scaled(book.price)),
            gross,
            net: Money(gross.0 - setup.trade.fees.0),
            ..setup.trade
        };
        open.push(trade);
    }
    let mut denied = [0; 32];
    (denied[9], denied[14]) = (7, 2);
    Outcome {
        span: (TsNs(START), TsNs(START + wish.bars as u64 * bar_ns)),
        currency: name("USDT"),
        starting_equity: Money(scaled(STAKE)),
        equity: points.last().map_or(Money(scaled(STAKE)), |point| point.equity),
        open,
        points,
        period_ns: DAY_NS,
        counters: Counters {
            events: (wish.bars * wish.instruments.len() * 5) as u64,
            bars: run.record.bars.len() as u64,
            structures: run.record.structures.len() as u64,
            signals: u64::from(run.signals),
            orders_sent: run.trades.len() as u64 * 3,
            orders_denied: 9,
            fills: run.costs.fills[0] + run.costs.fills[1],
            ..Counters::default()
        },
        costs: run.costs,
        trades: run.trades,
        denied,
        inputs: (wish.bars * wish.instruments.len() * 5) as u64,
        digest: smc_core::digest::Digest::default(),
        ended: Ended::EndOfData,
        record: run.record,
    }
}

struct Run {
    record: Record,
    costs: Costs,
    trades: Vec<Trade>,
    balance: f64,
    signals: u32,
}

impl Run {
    /// The bias timeframe's bars are folded from the shorter ones.
    fn bias(
        &mut self,
        book: &mut Book,
        id: InstrumentId,
        long: Timeframe,
        bar: &Bar,
        end: TsNs,
        ids: &mut IdSource,
    ) {
        let whole = book.bias_bar.get_or_insert(Bar { open_ts: long.open_of(bar.open_ts), ..*bar });
        whole.high = whole.high.max(bar.high);
        whole.low = whole.low.min(bar.low);
        whole.close = bar.close;
        if !end.0.is_multiple_of(long.nanos()) {
            return;
        }
        let Some(whole) = book.bias_bar.take() else { return };
        self.record.bars.push((id, long, whole));
        let mut last = 0;
        book.bias.on_bar(&whole, ids, &mut |it| {
            if it.kind.is_break() {
                last = it.id;
            }
            self.record.structures.push((end, it));
        });
        book.bias_id = if last == 0 { book.bias_id } else { last };
    }

    /// A sweep, then a shift, then a limit order at the nearest zone.
    fn seek(&mut self, book: &mut Book, id: InstrumentId, at: usize) {
        for direction in [Direction::Up, Direction::Down] {
            let side = direction as usize;
            let (Some((sweep, swept)), Some((shift, shifted))) = (book.sweeps[side], book.shifts[side])
            else {
                continue;
            };
            if shifted != at || at - swept > 24 {
                continue;
            }
            let zone =
                book.engine.nearest_order_block(direction).or(book.engine.nearest_fair_value_gap(direction));
            let Some(zone) = zone.copied() else { continue };
            let sign = if direction == Direction::Up { 1 } else { -1 };
            let (near, far) =
                if sign > 0 { (zone.top.0, zone.bottom.0) } else { (zone.bottom.0, zone.top.0) };
            let room = book.engine.atr().0;
            let (entry, stop) = (near, far - sign * room);
            let risk = (entry - stop).abs();
            if risk == 0 || sign * (scaled(book.price) - entry) <= 0 {
                continue;
            }
            let level = book.engine.last_swing(direction).map(|swing| (swing.id, swing.price.0));
            let is_near = |price: i64| (risk * 3 / 2..risk * 4).contains(&(sign * (price - entry)));
            let far_enough = level.filter(|(_, price)| is_near(*price));
            let (target_id, target) = far_enough.unwrap_or((0, entry + sign * risk * 2));
            self.signals += 1;
            let signal = Signal {
                id: self.signals,
                strategy: 0,
                instrument: id,
                direction,
                entry: Price(entry),
                stop: Price(stop),
                target: Price(target),
                reasons: [sweep, shift, zone.id, target_id, book.bias_id, book.session_id],
            };
            let qty = self.balance * RISK / (risk as f64 / 1e8);
            let none = Money::ZERO;
            let trade = Trade {
                instrument: id,
                direction,
                signal: Some(signal),
                opened: TsNs(0),
                closed: TsNs(0),
                qty: Qty(scaled((qty * 1e4).round() / 1e4)),
                entry: Price(entry),
                exit: Price(entry),
                gross: none,
                fees: none,
                cash: none,
                net: none,
                risked: none,
                mae: none,
                mfe: none,
                exit_by: None,
                slippage: none,
                fills: 0,
            };
            let setup = Setup {
                trade,
                is_open: false,
                expires: at + 30,
                low: f64::INFINITY,
                high: f64::NEG_INFINITY,
            };
            book.setup = Some(setup);
            return;
        }
    }

    /// What a bar does to an order or a position; a bar that meets stop and target met the stop first.
    fn live(&mut self, book: &mut Book, bar: &Bar, at: usize, end: TsNs) {
        let Some(setup) = &mut book.setup else { return };
        let Some(signal) = setup.trade.signal else { return };
        let long = signal.direction == Direction::Up;
        let value = |price: Price, qty: Qty| price.0 as f64 / 1e8 * (qty.0 as f64 / 1e8);
        let trade = &mut setup.trade;
        // Somewhere inside the bar, the same for the same bar.
        let within = TsNs(bar.open_ts.0 + (end.0 - bar.open_ts.0) * (1 + at as u64 % 7) / 9);
        if !setup.is_open {
            if at > setup.expires {
                book.setup = None;
                return;
            }
            if if long { bar.low > trade.entry } else { bar.high < trade.entry } {
                return;
            }
            setup.is_open = true;
            (trade.opened, trade.fills) = (within, 1);
            let notional = value(trade.entry, trade.qty);
            trade.fees = Money(scaled(notional * 0.0002));
            trade.risked = Money(scaled(value(Price((trade.entry.0 - signal.stop.0).abs()), trade.qty)));
            self.costs.maker_fees.0 += trade.fees.0;
            self.costs.turnover.0 += scaled(notional);
            self.costs.fills[0] += 1;
            self.balance -= trade.fees.0 as f64 / 1e8;
            setup.low = if long { bar.low.0.max(signal.stop.0) as f64 } else { trade.entry.0 as f64 };
            setup.high = if long { trade.entry.0 as f64 } else { bar.high.0.min(signal.stop.0) as f64 };
        } else {
            setup.low = setup.low.min(bar.low.0 as f64);
            setup.high = setup.high.max(bar.high.0 as f64);
        }
        let stopped = if long { bar.low <= signal.stop } else { bar.high >= signal.stop };
        let paid =
            trade.opened != within && if long { bar.high >= signal.target } else { bar.low <= signal.target };
        if !stopped && !paid {
            return;
        }
        let sign = if long { 1 } else { -1 };
        let slip = scaled(book.tick * 2.0) * i64::from(stopped);
        let exit = Price(if stopped { signal.stop.0 - sign * slip } else { signal.target.0 });
        let notional = value(exit, trade.qty);
        let fee = scaled(notional * if stopped { 0.0005 } else { 0.0002 });
        (if stopped { &mut self.costs.taker_fees } else { &mut self.costs.maker_fees }).0 += fee;
        self.costs.fills[usize::from(stopped)] += 1;
        self.costs.turnover.0 += scaled(notional);
        let slipped = scaled(value(Price(slip), trade.qty));
        self.costs.spread.0 += slipped / 3;
        self.costs.impact.0 += slipped - slipped / 3;
        let hours = (end.0 - trade.opened.0) as f64 / 3.6e12;
        trade.cash = Money(-scaled(notional * 0.0001 * (hours / 8.0).floor() * f64::from(sign as i32)));
        self.costs.funding.0 -= trade.cash.0;
        trade.gross = Money(scaled(f64::from(sign as i32) * value(Price(exit.0 - trade.entry.0), trade.qty)));
        trade.fees.0 += fee;
        trade.net = Money(trade.gross.0 - trade.fees.0 + trade.cash.0);
        let (entry, qty) = (trade.entry.0 as f64, trade.qty.0 as f64 / 1e8);
        let (below, above) = (entry - setup.low.min(exit.0 as f64), setup.high.max(exit.0 as f64) - entry);
        let (mae, mfe) = if long { (below, above) } else { (above, below) };
        // Beyond stop or target nothing was held any more.
        let limit = |far: f64, level: Price| far.min((level.0 as f64 - entry).abs() + slip as f64);
        trade.mae = Money((limit(mae, signal.stop) * qty).round() as i64);
        trade.mfe = Money((limit(mfe, signal.target) * qty).round() as i64);
        (trade.closed, trade.exit, trade.fills) = (TsNs(end.0 - 1_000_000_000), exit, 2);
        trade.exit_by = Some(if stopped { Purpose::Stop } else { Purpose::Target });
        self.balance += (trade.gross.0 - fee + trade.cash.0) as f64 / 1e8;
        self.trades.push(*trade);
        book.setup = None;
    }
}
