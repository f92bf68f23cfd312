//! A chart without an engine around it: bars from a seed, structure on three timeframes, the strategy asked at
//! every close. What it wants is looked at, never carried out.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may crash")]

use smc_core::bars::BarBuilder;
use smc_core::book::Book;
use smc_core::calendar::{Calendar, SessionWindow, ZoneOffsets};
use smc_core::config::{EngineConfig, InstrumentConfig};
use smc_core::event::{Bar, FeedState, Quote};
use smc_core::output::{REASONS_MAX, Structure};
use smc_core::risk::{AccountLimits, Limits};
use smc_core::smc::{IdSource, InternalParams, Periods, SmcEngine, SmcParams};
use smc_core::strategy::{Confluence, ConfluenceParams, Intent, Intents, MarketView, Strategy};
use smc_core::words::*;

pub const MINUTE: u64 = 60_000_000_000;
pub const DAY: u64 = 1_440 * MINUTE;
/// 2024-01-01, a Monday.
pub const START: u64 = 1_704_067_200_000_000_000;
pub const TICK: i64 = 1_000;
pub const ASIA: usize = 0;
pub const LONDON: usize = 1;
pub const NEW_YORK: usize = 2;
/// Start and end in UTC hours.
pub const HOURS: [(u64, u64); 3] = [(0, 6), (7, 11), (12, 16)];

pub fn timeframes() -> Vec<Timeframe> {
    ["1m", "5m", "15m"].iter().filter_map(|text| Timeframe::parse(text)).collect()
}

/// Everything that any condition can ask for is kept.
pub fn config(params: ConfluenceParams) -> EngineConfig {
    let symbol = Name::new("EURUSDT").unwrap();
    let limits = Limits {
        strategies_allowed: 1 << 1,
        order_qty_max: Qty(SCALE),
        order_notional_max: Money(SCALE),
        collar_ppm: 20_000,
        collar_passive_ppm: 100_000,
        reference_age_max_ns: MINUTE,
        reference_skew_max_ns: MINUTE,
        position_qty_max: Qty(SCALE),
        open_orders_max: 10,
        duplicate_window_ns: MINUTE,
        repeat_max: 20,
    };
    let account_limits = AccountLimits {
        gross_max: Money(SCALE),
        net_max: Money(SCALE),
        leverage_max_milli: 3_000,
        open_orders_max: 50,
        messages_max: 20,
        messages_window_ns: MINUTE,
        runaway_denials_max: 20,
        runaway_window_ns: MINUTE,
        entry_forgiven_after_ns: MINUTE,
        margin_use_ppm_max: 800_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60_000_000_000,
        clock_offset_ns_max: 500_000_000,
        budget_reserve_ppm: 200_000,
    };
    let quote = Name::new("USDT").unwrap();
    let instruments = vec![InstrumentConfig { symbol, venue: 0, bars_from: None, limits }];
    let mut config = EngineConfig::new(quote, instruments, timeframes(), account_limits);
    config.smc = SmcParams {
        internal: Some(InternalParams { ignores_swing_level: false, ..InternalParams::leg(2) }),
        mss_min_ppm: 1_200_000,
        periods: Periods::CALENDAR,
        ..SmcParams::default()
    };
    let window = |(name, (start, end)): (&str, (u64, u64))| SessionWindow {
        name: Name::new(name).unwrap(),
        offsets: ZoneOffsets::fixed(0),
        start_secs: start as u32 * 3_600,
        end_secs: end as u32 * 3_600,
    };
    let sessions = ["asia", "london", "new-york"].into_iter().zip(HOURS).map(window).collect();
    config.calendar = Calendar { sessions, ..Calendar::default() };
    config.strategy = params;
    config
}

/// One-minute bars of a walk that leans back to where it was.
pub fn minutes(seed: u64, days: u64) -> Vec<Bar> {
    let mut state = seed;
    let mut below = |n: u64| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n) as i64
    };
    let (mut close, mut drift, mut anchor) = (110_000i64, 0i64, 110_000i64);
    (0..days * 1_440)
        .map(|minute| {
            if below(90) == 0 {
                drift = below(13) - 6;
                anchor += (close - anchor) / 4;
            }
            let open = close;
            close = open + below(41) - 20 + drift + (anchor - open) / 120;
            let high = open.max(close) + below(12);
            let low = open.min(close) - below(12);
            let price = |ticks: i64| Price(ticks * TICK);
            Bar {
                open_ts: TsNs(START + minute * MINUTE),
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: Qty(1),
                trades: 1,
            }
        })
        .collect()
}

/// What a strategy wanted, and the world in which it did.
pub struct Moment<'a> {
    pub view: MarketView<'a>,
    pub timeframe: Timeframe,
    /// Everything said so far on all timeframes.
    pub said: &'a [Structure],
    /// The minutes so far.
    pub bars: &'a [Bar],
    pub direction: Direction,
    pub entry: i64,
    pub stop: i64,
    pub target: i64,
    pub reasons: [u32; REASONS_MAX],
}

impl Moment<'_> {
    pub fn smc(&self) -> &SmcEngine {
        self.view.structure_of(self.timeframe).unwrap()
    }

    /// The last word about the structure behind a reason; none for 0.
    pub fn reason(&self, nth: usize) -> Option<&Structure> {
        self.all(nth).last()
    }

    /// The first word about it.
    pub fn first(&self, nth: usize) -> Option<&Structure> {
        self.all(nth).next()
    }

    pub fn all(&self, nth: usize) -> impl Iterator<Item = &Structure> {
        let id = self.reasons[nth];
        self.said.iter().filter(move |structure| id != 0 && structure.id == id)
    }

    pub fn sign(&self) -> i64 {
        self.direction.side().sign()
    }

    /// Minute of the UTC day at which it was wanted.
    pub fn minute(&self) -> u64 {
        self.view.now.0 % DAY / MINUTE
    }

    pub fn day(&self) -> u64 {
        self.view.now.0 / DAY
    }
}

/// Runs a strategy over the minutes. `look` sees every entry it wants and says whether it now holds a position;
/// exits end it. Returns the times of the exits.
pub fn watch<S: Strategy>(
    strategy: &mut S,
    config: &EngineConfig,
    bars: &[Bar],
    mut look: impl FnMut(&Moment) -> bool,
) -> Vec<TsNs> {
    let instrument = InstrumentId(0);
    let new = |timeframe: &Timeframe| {
        SmcEngine::with_calendar(instrument, *timeframe, &config.smc, &config.calendar)
    };
    let mut smc: Vec<SmcEngine> = config.timeframes.iter().map(new).collect();
    let mut builders: Vec<BarBuilder> = config.timeframes.iter().map(|t| BarBuilder::new(*t)).collect();
    let (mut ids, mut book, mut said, mut exits) = (IdSource::new(), Book::new(), vec![], vec![]);
    let mut is_engaged = false;
    book.on_feed(FeedState::Live, TsNs(START));
    for (nth, minute) in bars.iter().enumerate() {
        let now = TsNs(minute.open_ts.0 + MINUTE);
        let (bid, ask) = (Price(minute.close.0 - TICK), Price(minute.close.0 + TICK));
        let size = Qty(SCALE);
        let quote = Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: nth as u64 };
        book.on_quote(&quote, now);
        for slot in 0..config.timeframes.len() {
            let timeframe = config.timeframes[slot];
            builders[slot].on_bar(minute);
            let Some(bar) = builders[slot].on_clock(now) else { continue };
            let first = said.len();
            smc[slot].on_bar(&bar, &mut ids, &mut |structure| said.push(structure));
            let view = MarketView {
                now,
                instrument,
                spec: None,
                book: &book,
                position: Qty(i64::from(is_engaged)),
                is_engaged,
                timeframes: &config.timeframes,
                smc: &smc,
            };
            let mut intents = Intents::default();
            for structure in &said[first..] {
                strategy.on_structure(&view, structure, &mut intents);
            }
            strategy.on_bar(&view, timeframe, &bar, &mut intents);
            for intent in intents.iter() {
                let &Intent::Enter { direction, entry, stop, target, reasons, .. } = intent else {
                    exits.push(now);
                    is_engaged = false;
                    continue;
                };
                let moment = Moment {
                    view,
                    timeframe,
                    said: &said,
                    bars: &bars[..=nth],
                    direction,
                    entry: entry.0,
                    stop: stop.0,
                    target: target.0,
                    reasons,
                };
                is_engaged = look(&moment);
            }
        }
    }
    exits
}

/// The confluence strategy with these parameters, checked.
pub fn confluence(params: ConfluenceParams) -> (Confluence, EngineConfig) {
    let config = config(params);
    assert_eq!(config.check(), Ok(()));
    (Confluence::for_config(&config), config)
}
