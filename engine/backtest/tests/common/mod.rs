//! Configurations and markets for tests.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part of it")]

use smc_backtest::settings::Fees;
use smc_backtest::{Market, VenueSettings};
use smc_core::config::{EngineConfig, InstrumentConfig};
use smc_core::event::Bar;
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::risk::{AccountLimits, Limits};
use smc_core::strategy::{EntryKind, Intent, Intents, MarketView, Strategy};
use smc_core::words::{Direction, Money, Name, Price, Qty, SCALE, Timeframe, TsNs};
use smc_metrics::Random;

pub const MINUTE_NS: u64 = 60_000_000_000;
pub const START: TsNs = TsNs(1_767_225_600_000_000_000); // 2026-01-01 00:00 UTC, a Thursday

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn minute() -> Timeframe {
    Timeframe::parse("1m").unwrap()
}

pub fn whole(units: i64) -> i64 {
    units * SCALE
}

/// A perpetual contract in dollars, a hundredth a tick.
pub fn perpetual() -> InstrumentSpec {
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(SCALE / 100),
        lot: Qty(SCALE / 1_000),
        qty_min: Qty(SCALE / 1_000),
        qty_max: Qty(whole(9_000)),
        notional_min: Money(0),
        status: TradingStatus::Trading,
        contract: Contract {
            kind: ContractKind::Linear,
            margin_initial_ppm: 50_000,
            margin_maintenance_ppm: 25_000,
            can_reduce_only: true,
            ..Contract::SPOT
        },
    }
}

/// Wide limits: what is tested is not the gate.
pub fn config(timeframes: &[&str]) -> EngineConfig {
    let limits = Limits {
        strategies_allowed: u16::MAX,
        order_qty_max: Qty(whole(1_000)),
        order_notional_max: Money(whole(10_000_000)),
        collar_ppm: 500_000,
        collar_passive_ppm: 900_000,
        reference_age_max_ns: 3_600_000_000_000,
        reference_skew_max_ns: MINUTE_NS,
        position_qty_max: Qty(whole(1_000)),
        open_orders_max: 10,
        duplicate_window_ns: 1,
        repeat_max: 1_000,
    };
    let account_limits = AccountLimits {
        gross_max: Money(whole(100_000_000)),
        net_max: Money(whole(100_000_000)),
        leverage_max_milli: 20_000,
        open_orders_max: 50,
        messages_max: 1_000,
        messages_window_ns: 1_000_000_000,
        runaway_denials_max: 1_000,
        runaway_window_ns: 1_000_000_000,
        entry_forgiven_after_ns: 1,
        margin_use_ppm_max: 1_000_000,
        var_ppm_max: None,
        order_lifetime_ns_max: 60_000_000_000,
        clock_offset_ns_max: 500_000_000,
        budget_reserve_ppm: 200_000,
    };
    let instruments = vec![InstrumentConfig { symbol: name("BTCUSDT"), venue: 0, bars_from: None, limits }];
    let timeframes = timeframes.iter().map(|text| Timeframe::parse(text).unwrap()).collect();
    let mut config = EngineConfig::new(name("USDT"), instruments, timeframes, account_limits);
    config.sizing.risk_fraction_ppm = 1_000;
    config.sizing.notional_fraction_ppm_max = 2_000_000;
    config.sizing.fee_ppm = 400;
    // A bracket test is no test of the breakers.
    config.breakers.daily_loss_ppm = 500_000;
    config.breakers.drawdown_ppm = 500_000;
    config.breakers.loss_streak_max = 1_000;
    config.breakers.flash_move_ppm = 900_000;
    config.breakers.fills_per_minute_max = 100;
    config
}

pub fn venue() -> VenueSettings {
    VenueSettings {
        fees: vec![Fees { from: TsNs(0), maker_ppm: 200, taker_ppm: 400 }],
        balances: vec![(name("USDT"), Qty(whole(100_000)))],
        ..VenueSettings::default()
    }
}

/// A walk of one-minute bars around a hundred, on the tick.
pub fn walk(seed: u64, count: usize) -> Vec<Bar> {
    let (mut random, tick) = (Random::new(seed), SCALE / 100);
    let mut close = whole(100);
    (0..count as u64)
        .map(|nth| {
            let step = |random: &mut Random, reach: usize| random.below(2 * reach + 1) as i64 - reach as i64;
            let open = close + step(&mut random, 3) * tick;
            close = (open + step(&mut random, 20) * tick).max(whole(50));
            let high = open.max(close) + random.below(12) as i64 * tick;
            let low = open.min(close) - random.below(12) as i64 * tick;
            Bar {
                open_ts: TsNs(START.0 + nth * MINUTE_NS),
                open: Price(open),
                high: Price(high),
                low: Price(low),
                close: Price(close),
                volume: Qty(whole(10)),
                trades: 5,
            }
        })
        .collect()
}

pub fn market(bars: &[Bar]) -> Market {
    Market::of_bars(vec![perpetual()], minute(), vec![bars.to_vec()])
}

/// Enters at every bar that a coin chooses, with stop and target so many ticks away.
pub struct Coin {
    pub random: Random,
    /// Ticks to stop and target.
    pub reach: (i64, i64),
    /// One bar in so many.
    pub one_in: usize,
    pub kind: EntryKind,
}

impl Strategy for Coin {
    fn on_bar(&mut self, view: &MarketView<'_>, _: Timeframe, bar: &Bar, intents: &mut Intents) {
        if self.random.below(self.one_in) != 0 || view.is_engaged {
            return;
        }
        let direction = if self.random.below(2) == 0 { Direction::Up } else { Direction::Down };
        let (sign, tick) = (direction.side().sign(), SCALE / 100);
        let beyond = if self.kind == EntryKind::Take { 100 } else { -3 };
        let entry = Price(bar.close.0 + sign * beyond * tick);
        let stop = Price(entry.0 - sign * self.reach.0 * tick);
        let target = Price(entry.0 + sign * self.reach.1 * tick);
        let expires = TsNs(view.now.0 + 5 * MINUTE_NS);
        intents.push(Intent::enter(direction, entry, stop, target, self.kind, expires));
    }
}

pub fn coin(seed: u64, kind: EntryKind) -> Coin {
    Coin { random: Random::new(seed), reach: (140, 60), one_in: 7, kind }
}
