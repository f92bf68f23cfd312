//! What the benches of `benches/` share: messages, bars and events, recorded where the recording is there, seeded where
//! it is not. Nothing here is timed; what is timed and counted alike stands in [`stages`].
#![allow(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

pub mod spelled;
pub mod stages;

use smc_core::calendar::Calendar;
use smc_core::config::{EngineConfig, InstrumentConfig};
use smc_core::event::{Bar, Event, EventBody, FeedState, GatewayState, Quote, Trade};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::risk::{AccountLimits, Limits};
use smc_core::words::{InstrumentId, Money, Name, Price, Qty, SCALE, Side, Timeframe, TsNs};
use smc_settings::calendar::{CalendarSection, SessionEntry};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use venue_sim::LimitSettings;
use venue_sim::dialect::{Dialect, Frame, Venue};
use venue_sim::market::{Generator, GeneratorSettings, MarketOpKind, MarketSource};

/// The seed of everything generated.
pub const SEED: u64 = 7;
/// Market time of the first generated event.
pub const START: TsNs = TsNs(1_767_225_600_000_000_000);
/// The one instrument.
pub const BTC: InstrumentId = InstrumentId(0);

/// A file of the shared data, looked for beside each ancestor of this crate.
fn shared(path: &str) -> Option<PathBuf> {
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = ancestors.map(|at| at.join("shared/data").join(path)).find(|file| file.exists());
    if found.is_none() {
        println!("shared/data/{path} absent: generated data instead");
    }
    found
}

/// At most `count` market messages: the recorded capture, or what the simulator says.
pub fn messages(count: usize) -> Vec<Vec<u8>> {
    let Some(path) = shared("market/binance/spot_btcusdt_20240809.gz") else { return simulated(count) };
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("the capture opens");
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("the capture unpacks");
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.take(count).map(|(_, message)| message.as_bytes().to_vec()).collect()
}

fn simulated(count: usize) -> Vec<Vec<u8>> {
    let venue = Venue::new(Box::new(market()), &[], LimitSettings::default(), SEED);
    let mut venue = venue.expect("the settings are sane");
    venue.open(1, "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms");
    let mut messages = Vec::with_capacity(count);
    while messages.len() < count {
        venue.step();
        while let Some((_, frame)) = venue.pop_frame() {
            if let Frame::Text(text) = frame {
                messages.push(text.into_bytes());
            }
        }
    }
    messages
}

fn market() -> Generator {
    let settings = GeneratorSettings { seed: SEED, start_ts: START, ..GeneratorSettings::default() };
    Generator::new(settings).expect("the settings are sane")
}

/// The bars of a recorded file, or a seeded walk where it is not at hand.
pub fn bars_of(file: &str) -> Vec<Bar> {
    match shared(file) {
        Some(path) => smc_detect::live::sound_bars(&path).expect("the bars read"),
        None => walk(25_000),
    }
}

/// New York's trading day and four sessions on its clock.
pub fn calendar() -> Calendar {
    let names = ["ict-asia", "ict-london", "ict-ny-am", "ict-london-close"];
    let section = CalendarSection {
        roll: Some("17:00 America/New_York".to_owned()),
        sessions: names.map(|name| SessionEntry::Preset(name.to_owned())).to_vec(),
    };
    section.resolve().expect("the calendar is sound")
}

/// `count` fifteen-minute bars of a seeded walk.
pub fn walk(count: usize) -> Vec<Bar> {
    let mut random = Random(SEED);
    let mut close = 100_000;
    let bar = |nth| {
        let open: i64 = close;
        close = (open + random.below(401) as i64 - 200).max(1_000);
        Bar {
            open_ts: TsNs(START.0 + nth * 900_000_000_000),
            open: Price(open),
            high: Price(open.max(close) + random.below(100) as i64),
            low: Price(open.min(close) - random.below(100) as i64),
            close: Price(close),
            volume: Qty(1 + random.below(1_000) as i64),
            trades: 1,
        }
    };
    (0..count as u64).map(bar).collect()
}

/// Splitmix64.
pub struct Random(pub u64);

impl Random {
    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

/// The rules of the one instrument.
pub fn spec() -> InstrumentSpec {
    let name = |text| Name::new(text).expect("a short name");
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(SCALE / 100),
        lot: Qty(1_000),
        qty_min: Qty(1_000),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    }
}

/// Limits that the benches' orders keep.
pub fn limits() -> (AccountLimits, Limits) {
    const SECOND: u64 = 1_000_000_000;
    let limits = Limits {
        strategies_allowed: u16::MAX,
        order_qty_max: Qty(2 * SCALE),
        order_notional_max: Money(200_000 * SCALE),
        collar_ppm: 20_000,
        collar_passive_ppm: 100_000,
        reference_age_max_ns: 5 * SECOND,
        reference_skew_max_ns: SECOND,
        position_qty_max: Qty(2 * SCALE),
        open_orders_max: 10,
        duplicate_window_ns: 250_000_000,
        repeat_max: 20,
    };
    let account = AccountLimits {
        gross_max: Money(300_000 * SCALE),
        net_max: Money(300_000 * SCALE),
        leverage_max_milli: 3_000,
        open_orders_max: 50,
        messages_max: 20,
        messages_window_ns: SECOND,
        runaway_denials_max: 20,
        runaway_window_ns: 10 * SECOND,
        entry_forgiven_after_ns: 1,
        margin_use_ppm_max: 800_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60_000_000_000,
        clock_offset_ns_max: 500_000_000,
        budget_reserve_ppm: 200_000,
    };
    (account, limits)
}

/// An engine on three timeframes with the built-in strategy.
pub fn config() -> EngineConfig {
    let (account, limits) = limits();
    let timeframes = ["1s", "5s", "1m"].map(|text| Timeframe::parse(text).expect("a timeframe"));
    let instruments = vec![InstrumentConfig { symbol: spec().symbol, venue: 0, bars_from: None, limits }];
    EngineConfig::new(spec().quote, instruments, timeframes.to_vec(), account)
}

/// An event of the one instrument.
pub const fn event(seq: u64, ts: TsNs, body: EventBody) -> Event {
    Event { seq, ts_event: ts, ts_recv: ts, instrument: BTC, body }
}

/// What makes an engine ready to trade, and then `count` trades and quotes of a generated market.
pub fn events(count: usize) -> Vec<Event> {
    let mut events = vec![
        event(1, START, EventBody::Instrument(spec())),
        event(2, START, EventBody::Feed(FeedState::Live)),
        event(3, START, EventBody::Gateway(GatewayState::Ready)),
    ];
    let mut market = market();
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    let mut at = START;
    let mut trade_id = 0;
    while events.len() < count {
        let op = market.next().expect("a generated market has no end");
        if op.at != at {
            let seq = events.len() as u64 + 1;
            events.extend(quote(&sides, seq).map(|quote| event(seq, at, EventBody::Quote(quote))));
            at = op.at;
        }
        match op.kind {
            MarketOpKind::Level { side, price, qty } if qty.0 > 0 => {
                sides[side as usize].insert(price, qty);
            }
            MarketOpKind::Level { side, price, .. } => {
                sides[side as usize].remove(&price);
            }
            MarketOpKind::Trade { price, qty, aggressor } => {
                trade_id += 1;
                let trade = Trade { price, qty, aggressor, trade_id };
                events.push(event(events.len() as u64 + 1, at, EventBody::Trade(trade)));
            }
        }
    }
    events
}

fn quote(sides: &[BTreeMap<Price, Qty>; 2], update_id: u64) -> Option<Quote> {
    let (&bid, &bid_qty) = sides[Side::Buy as usize].last_key_value()?;
    let (&ask, &ask_qty) = sides[Side::Sell as usize].first_key_value()?;
    (bid < ask).then_some(Quote { bid, bid_qty, ask, ask_qty, update_id })
}
