//! Our side of `benches/peers`: the same data and the same rules as the peers', through the whole engine.
//!
//! ```text
//! peers bars  YEAR.csv[.gz] [--runs 3]               an EMA cross on one-minute bars
//! peers ticks ROWS.npy      [--runs 3] [--times 30]  one order near the touch, on book and trades
//! ```
//!
//! Loading is not timed. What is: `smc_backtest::run`, from an engine that does not exist yet to an outcome. The last line
//! of the output is JSON.

use smc_backtest::settings::{Delay, Fees, Queue};
use smc_backtest::{Ended, Market, Outcome, VenueSettings, Wanted, run};
use smc_core::config::{EngineConfig, InstrumentConfig, SizingMethod, SizingParams};
use smc_core::event::{BOOK_LEVELS_PER_EVENT, Bar, BookUpdate, Event, EventBody, Level, Quote, Trade};
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::risk::{AccountLimits, BreakerParams, Limits};
use smc_core::strategy::{EntryKind, Intent, Intents, MarketView, Strategy};
use smc_core::words::{Direction, InstrumentId, Money, Name, Price, Qty, SCALE, Side, Timeframe, TsNs};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_NS: u64 = 60 * SECOND_NS;
const TICK: i64 = SCALE / 10;
const EQUITY: Money = Money(10_000_000 * SCALE);

fn main() -> Fallible<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: peers bars|ticks FILE [--runs N] [--times N]";
    let (Some(what), Some(file)) = (arguments.next(), arguments.next()) else { return Err(usage.into()) };
    let (mut runs, mut times) = (3, 30);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(usage)?.parse()?;
        match flag.as_str() {
            "--runs" => runs = value,
            "--times" => times = value,
            _ => return Err(usage.into()),
        }
    }
    match what.as_str() {
        "bars" => measure("ema-cross", &bars(&file)?, EmaCross::QTY, runs, EmaCross::new),
        "ticks" => measure("quotes", &ticks(&file, times)?, OneQuote::QTY, runs, OneQuote::default),
        _ => Err(usage.into()),
    }
}

/// A market and how many rows of the file it is.
struct Recorded {
    market: Market,
    rows: usize,
    timeframe: Timeframe,
}

/// Runs some times, holds them to the same outcome, and says how long each took.
fn measure<S: Strategy>(
    name: &str,
    recorded: &Recorded,
    quantity: Qty,
    runs: u64,
    strategy: impl Fn() -> S,
) -> Fallible<()> {
    let (config, venue) = (config(recorded.timeframe, quantity)?, venue()?);
    let (mut seconds, mut cpu_seconds) = (Vec::new(), Vec::new());
    let mut first: Option<Outcome> = None;
    for _ in 0..runs {
        let (begin, begin_cpu) = (Instant::now(), cpu_ns()?);
        let outcome = run(&config, strategy(), &recorded.market, &venue, Wanted::default())?;
        seconds.push(begin.elapsed().as_secs_f64());
        cpu_seconds.push((cpu_ns()? - begin_cpu) as f64 / 1e9);
        if first.as_ref().is_some_and(|first| first.digest != outcome.digest) {
            return Err("two runs of the same differ".into());
        }
        first.get_or_insert(outcome);
    }
    let outcome = first.ok_or("no run")?;
    if outcome.ended != Ended::EndOfData {
        return Err(format!("the account did not live to the end: {:?}", outcome.ended).into());
    }
    // An entry and an exit for each trade, as the peers have them; stops stand apart, for they send none.
    let exits = outcome.trades.len() as u64;
    let orders = outcome.counters.signals + exits;
    println!(
        "{{\"name\":\"{name}\",\"engine\":\"smc {}\",\"events\":{},\"seconds\":{seconds:?},\"cpu_seconds\":{cpu_seconds:?},\"orders\":{orders},\
         \"trades\":{exits},\"stops\":{},\"denied\":{},\"inputs\":{},\"profit\":{:.2}}}",
        env!("CARGO_PKG_VERSION"),
        recorded.rows,
        outcome.counters.orders_sent.saturating_sub(orders),
        outcome.counters.orders_denied,
        outcome.inputs,
        (outcome.equity.0 - outcome.starting_equity.0) as f64 / SCALE as f64,
    );
    Ok(())
}

/// Time that this thread has had a processor, in nanoseconds: what is left of the wall's when others work here too.
fn cpu_ns() -> Fallible<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no schedstat")?.parse()?)
}

/// Fast over slow: long; else short. The rules of EMACross among the examples of nautilus_trader, but that what is open is
/// closed at one bar and the opposite opened at the next.
struct EmaCross {
    fast: Ema,
    slow: Ema,
}

impl EmaCross {
    const FAST: u32 = 10;
    const SLOW: u32 = 20;
    const QTY: Qty = Qty(SCALE / 10);

    fn new() -> Self {
        Self { fast: Ema::new(Self::FAST), slow: Ema::new(Self::SLOW) }
    }
}

impl Strategy for EmaCross {
    fn on_bar(&mut self, view: &MarketView<'_>, _: Timeframe, bar: &Bar, intents: &mut Intents) {
        let close = bar.close.0 as f64 / SCALE as f64;
        let (fast, slow) = (self.fast.update(close), self.slow.update(close));
        let is_single_price = bar.low == bar.high;
        if !self.slow.is_ready() || is_single_price {
            return;
        }
        let wanted = if fast >= slow { Direction::Up } else { Direction::Down };
        let side = wanted.side().sign();
        if view.position.0 * side < 0 {
            intents.push(Intent::Exit);
        } else if view.position == Qty::ZERO && !view.is_engaged {
            // A market order, in effect: it may pay half a percent more, and its stop and target are out of reach.
            let at = |ppm: i64| Price(bar.close.0 + side * bar.close.0 / 1_000_000 * ppm);
            let (entry, stop, target) = (at(5_000), at(-100_000), at(100_000));
            let expires = TsNs(view.now.0 + MINUTE_NS / 2);
            intents.push(Intent::enter(wanted, entry, stop, target, EntryKind::Take, expires));
        }
    }
}

/// Exponential moving average that begins at its first value.
struct Ema {
    weight: f64,
    period: u32,
    seen: u32,
    value: f64,
}

impl Ema {
    fn new(period: u32) -> Self {
        Self { weight: 2.0 / (f64::from(period) + 1.0), period, seen: 0, value: 0.0 }
    }

    fn update(&mut self, value: f64) -> f64 {
        if self.seen == 0 {
            self.value = value;
        }
        self.value = self.weight * value + (1.0 - self.weight) * self.value;
        self.seen += 1;
        self.value
    }

    const fn is_ready(&self) -> bool {
        self.seen >= self.period
    }
}

/// Each second one order that only makes, some ticks below the best bid, for half of the second; what fills is sold at once.
#[derive(Default)]
struct OneQuote {
    /// No entry before this.
    next: TsNs,
}

impl OneQuote {
    const TICKS_AWAY: i64 = 5;
    const LIFE_NS: u64 = SECOND_NS / 2;
    const CYCLE_NS: u64 = SECOND_NS;
    const QTY: Qty = Qty(SCALE / 100);
}

impl Strategy for OneQuote {
    fn on_quote(&mut self, view: &MarketView<'_>, quote: &Quote, intents: &mut Intents) {
        if view.position > Qty::ZERO {
            intents.push(Intent::Exit);
        } else if !view.is_engaged && self.next <= view.now {
            self.next = TsNs(view.now.0 + Self::CYCLE_NS);
            let entry = Price(quote.bid.0 - Self::TICKS_AWAY * TICK);
            let (stop, target) = (Price(entry.0 / 10 * 9), Price(entry.0 / 10 * 11));
            let expires = TsNs(view.now.0 + Self::LIFE_NS);
            let rest = EntryKind::RestMakerOnly;
            intents.push(Intent::enter(Direction::Up, entry, stop, target, rest, expires));
        }
    }
}

/// The instrument of both markets.
fn spec() -> Option<InstrumentSpec> {
    let [symbol, base, quote] = ["BTCUSDT", "BTC", "USDT"].map(Name::new);
    Some(InstrumentSpec {
        symbol: symbol?,
        base: base?,
        quote: quote?,
        tick: Price(TICK),
        lot: Qty(SCALE / 1_000),
        qty_min: Qty(SCALE / 1_000),
        qty_max: Qty(1_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract {
            kind: ContractKind::Linear,
            margin_initial_ppm: 50_000,
            margin_maintenance_ppm: 25_000,
            can_reduce_only: true,
            ..Contract::SPOT
        },
    })
}

/// The engine as it always is (structure, gate, breakers, digest), with limits that these strategies do not meet: the peers
/// have none.
fn config(timeframe: Timeframe, quantity: Qty) -> Fallible<EngineConfig> {
    let spec = spec().ok_or("a name is too long")?;
    let limits = Limits {
        strategies_allowed: u16::MAX,
        order_qty_max: Qty(10 * SCALE),
        order_notional_max: Money(1_000_000 * SCALE),
        collar_ppm: 300_000,
        collar_passive_ppm: 300_000,
        reference_age_max_ns: 10 * MINUTE_NS,
        reference_skew_max_ns: SECOND_NS,
        position_qty_max: Qty(10 * SCALE),
        open_orders_max: 10,
        duplicate_window_ns: 1,
        repeat_max: 1_000,
    };
    let account = AccountLimits {
        gross_max: Money(1_000_000 * SCALE),
        net_max: Money(1_000_000 * SCALE),
        leverage_max_milli: 3_000,
        open_orders_max: 50,
        messages_max: 1_000,
        messages_window_ns: SECOND_NS,
        runaway_denials_max: 1_000,
        runaway_window_ns: SECOND_NS,
        entry_forgiven_after_ns: 1,
        margin_use_ppm_max: 1_000_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60 * MINUTE_NS,
        clock_offset_ns_max: 10 * SECOND_NS,
        budget_reserve_ppm: 1,
    };
    let instruments = vec![InstrumentConfig { symbol: spec.symbol, venue: 0, bars_from: None, limits }];
    let config = EngineConfig::new(spec.quote, instruments, vec![timeframe], account);
    Ok(EngineConfig {
        sizing: SizingParams {
            method: SizingMethod::FixedQuantity,
            quantity,
            risk_fraction_ppm: 100_000,
            ..config.sizing
        },
        breakers: BreakerParams {
            daily_loss_ppm: 500_000,
            drawdown_ppm: 900_000,
            // Every trade of the quoting strategy loses the spread and fees.
            loss_streak_max: 1_000,
            loss_streak_pause_ns: SECOND_NS,
            fills_per_minute_max: 1_000,
            ..config.breakers
        },
        starting_equity: Some(EQUITY),
        ..config
    })
}

/// The exchange as hftbacktest is told to be: feed as recorded, constant way of orders, behind everybody in the queue. Of bars
/// there is no delay, on either side.
fn venue() -> Fallible<VenueSettings> {
    let quote = spec().ok_or("a name is too long")?.quote;
    Ok(VenueSettings {
        entry: Delay::Constant(5_000_000),
        response: Delay::Constant(5_000_000),
        queue: Queue::RiskAverse,
        fees: vec![Fees { from: TsNs(0), maker_ppm: 200, taker_ppm: 500 }],
        balances: vec![(quote, Qty(EQUITY.0))],
        ..VenueSettings::default()
    })
}

/// The file's bars. Its times are openings.
fn bars(file: &str) -> Fallible<Recorded> {
    let mut text = String::new();
    let bytes = std::fs::File::open(file)?;
    if file.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes).read_to_string(&mut text)?;
    } else {
        std::io::BufReader::new(bytes).read_to_string(&mut text)?;
    }
    let timeframe = Timeframe::from_secs(60).ok_or("no minute")?;
    let events: Vec<Event> =
        text.lines().skip(1).map(|line| bar(line, timeframe)).collect::<Fallible<_>>()?;
    let rows = events.len();
    let instruments = vec![spec().ok_or("a name is too long")?];
    let market = Market { instruments, events, ..Market::default() };
    Ok(Recorded { market, rows, timeframe })
}

fn bar(line: &str, timeframe: Timeframe) -> Fallible<Event> {
    let cells: Vec<&str> = line.split(',').collect();
    let &[at, open, high, low, close, volume] = cells.as_slice() else {
        return Err(format!("six columns wanted: {line}").into());
    };
    let price = |text: &str| Price::parse(text.as_bytes()).map_err(|error| format!("{text}: {error}"));
    let open_ts = opened_at(at).ok_or_else(|| format!("no time: {at}"))?;
    let bar = Bar {
        open_ts,
        open: price(open)?,
        high: price(high)?,
        low: price(low)?,
        close: price(close)?,
        // Of a product of floats in the recorded file: as many decimals as an order has.
        volume: Qty((volume.parse::<f64>()? * 1_000.0).round() as i64 * (SCALE / 1_000)),
        trades: 0,
    };
    let close_ts = TsNs(open_ts.0 + timeframe.nanos());
    Ok(event([close_ts; 2], EventBody::Bar(timeframe, bar)))
}

/// `2022-01-31 23:59:00`, of which a fraction of a second is left out, as nanoseconds since the epoch.
fn opened_at(text: &str) -> Option<TsNs> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Days since 1970 of the proleptic Gregorian calendar, years beginning in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = (365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day).checked_sub(719_469)?;
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(TsNs((days * 86_400 + seconds) * SECOND_NS))
}

/// Of these times at the exchange and here.
const fn event([ts_event, ts_recv]: [TsNs; 2], body: EventBody) -> Event {
    Event { seq: 0, ts_event, ts_recv, instrument: InstrumentId(0), body }
}

/// One row of hftbacktest's event format: 64 bytes, little-endian.
struct Row {
    flags: u64,
    exch_ts: u64,
    local_ts: u64,
    price: Price,
    qty: Qty,
}

impl Row {
    const LEN: usize = 64;
    const AT_EXCHANGE: u64 = 1 << 31;
    const BUY: u64 = 1 << 29;
    const TRADE: u64 = 2;
    const CLEAR: u64 = 3;

    fn read(bytes: &[u8; Self::LEN]) -> Self {
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[8 * at..8 * at + 8]);
            u64::from_le_bytes(word)
        };
        // Decimal in the recording: the nearest 1e-8 is what was said.
        let decimal = |at| (f64::from_bits(word(at)) * SCALE as f64).round() as i64;
        let (flags, exch_ts, local_ts) = (word(0), word(1), word(2));
        Self { flags, exch_ts, local_ts, price: Price(decimal(3)), qty: Qty(decimal(4)) }
    }

    const fn kind(&self) -> u64 {
        self.flags & 0xff
    }

    const fn side(&self) -> Side {
        if self.flags & Self::BUY != 0 { Side::Buy } else { Side::Sell }
    }

    /// Both came in one message.
    const fn is_with(&self, other: &Self) -> bool {
        let are_levels = self.kind() != Self::TRADE && other.kind() != Self::TRADE;
        are_levels && self.exch_ts == other.exch_ts && self.local_ts == other.local_ts
    }
}

/// The converter's rows as the venue sent them, from the snapshot on, some times one after the other.
fn ticks(file: &str, times: u64) -> Fallible<Recorded> {
    let bytes = std::fs::read(file)?;
    let (magic, rest) = bytes.split_at_checked(10).ok_or("not an array")?;
    if !magic.starts_with(b"\x93NUMPY\x01") {
        return Err("not an array of version 1".into());
    }
    let head = usize::from(u16::from_le_bytes([magic[8], magic[9]]));
    let (rows, odd) = rest.get(head..).ok_or("no rows")?.as_chunks::<{ Row::LEN }>();
    if !odd.is_empty() {
        return Err("rows are not of 64 bytes".into());
    }
    let rows: Vec<Row> = rows.iter().map(Row::read).collect();
    let stamps = || rows.iter().flat_map(|row| [row.exch_ts, row.local_ts]);
    let span = stamps().max().unwrap_or(0) - stamps().min().unwrap_or(0);
    // What was sent before the snapshot is in it.
    let sent = rows.iter().filter(|row| row.flags & Row::AT_EXCHANGE != 0);
    let sent: Vec<&Row> = sent.skip_while(|row| row.kind() != Row::CLEAR).collect();
    let mut tape = Tape::default();
    for time in 0..times {
        for message in sent.chunk_by(|a, b| a.is_with(b)) {
            tape.take(message, time * (span + SECOND_NS));
        }
    }
    let instruments = vec![spec().ok_or("a name is too long")?];
    let market = Market { instruments, events: tape.events, ..Market::default() };
    let timeframe = Timeframe::from_secs(60).ok_or("no minute")?;
    Ok(Recorded { market, rows: sent.len() * times as usize, timeframe })
}

/// Messages on their way to events; after each the best prices, so that the strategy looks as often as the peer's.
#[derive(Default)]
struct Tape {
    events: Vec<Event>,
    bids: BTreeMap<Price, Qty>,
    asks: BTreeMap<Price, Qty>,
    messages: u64,
}

impl Tape {
    fn take(&mut self, message: &[&Row], later: u64) {
        let Some(first) = message.first() else { return };
        self.messages += 1;
        let ts = [TsNs(first.exch_ts + later), TsNs(first.local_ts + later)];
        if first.kind() == Row::TRADE {
            let (price, qty, aggressor) = (first.price, first.qty, first.side());
            let trade = Trade { price, qty, aggressor, trade_id: self.messages };
            self.events.push(event(ts, EventBody::Trade(trade)));
        } else {
            self.take_levels(message, ts);
        }
        if let (Some((&bid, &bid_qty)), Some((&ask, &ask_qty))) =
            (self.bids.last_key_value(), self.asks.first_key_value())
            && bid < ask
        {
            let quote = Quote { bid, bid_qty, ask, ask_qty, update_id: self.messages };
            self.events.push(event(ts, EventBody::Quote(quote)));
        }
    }

    fn take_levels(&mut self, message: &[&Row], ts: [TsNs; 2]) {
        let mut is_snapshot_start = message.iter().any(|row| row.kind() == Row::CLEAR);
        if is_snapshot_start {
            self.bids.clear();
            self.asks.clear();
        }
        let levels: Vec<&&Row> = message.iter().filter(|row| row.kind() != Row::CLEAR).collect();
        for side in levels.chunk_by(|a, b| a.side() == b.side()) {
            for four in side.chunks(BOOK_LEVELS_PER_EVENT) {
                let mut update = BookUpdate {
                    update_id: self.messages,
                    is_snapshot_start: core::mem::take(&mut is_snapshot_start),
                    is_last: false,
                    side: four[0].side(),
                    len: four.len() as u8,
                    levels: [Level::default(); BOOK_LEVELS_PER_EVENT],
                };
                for (slot, row) in update.levels.iter_mut().zip(four) {
                    *slot = Level { price: row.price, qty: row.qty };
                    let ladder = if update.side == Side::Buy { &mut self.bids } else { &mut self.asks };
                    match row.qty {
                        Qty::ZERO => ladder.remove(&row.price),
                        qty => ladder.insert(row.price, qty),
                    };
                }
                self.events.push(event(ts, EventBody::Book(update)));
            }
        }
        if let Some(EventBody::Book(last)) = self.events.last_mut().map(|event| &mut event.body) {
            last.is_last = true;
        }
    }
}
