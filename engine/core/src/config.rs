//! Everything the engine is told before its first event. Plain data; no file format here.
//!
//! Checked once, in [`EngineConfig::check`], by [`Engine::new`](crate::engine::Engine::new): a configuration
//! that makes no sense refuses the start and names the field. Nothing in it changes while the engine runs.

use crate::calendar::Calendar;
use crate::engine::VarParams;
use crate::risk::{AccountLimits, BreakerParams, LimitError, Limits, ScopeLimits, VENUES_MAX};
use crate::sizing::heat::HeatParams;
use crate::sizing::policy::KellyParams;
use crate::smc::{ParamsError, SmcParams};
use crate::strategy::ConfluenceParams;
use crate::words::{InstrumentId, Money, Name, Price, Qty, Timeframe};
use alloc::vec::Vec;
use core::fmt;

/// Instruments one engine can trade.
pub const INSTRUMENTS_MAX: usize = 64;
/// Timeframes one engine can keep.
pub const TIMEFRAMES_MAX: usize = 8;

/// The engine's configuration.
#[derive(Clone, Debug, Hash)]
pub struct EngineConfig {
    /// Part of every order id: two engines on one account must differ. At least 1.
    pub instance: u16,
    /// Sequence of the first order id; larger than any this instance used before, so that ids stay unique.
    pub order_sequence_first: u64,
    /// The asset in which equity is counted and purchases are paid, such as `USDT`.
    pub quote_asset: Name,
    /// The instruments; an [`InstrumentId`](crate::InstrumentId) is an index into this list.
    pub instruments: Vec<InstrumentConfig>,
    /// Strictly ascending.
    pub timeframes: Vec<Timeframe>,
    /// How bars are made.
    pub bars: BarParams,
    /// Market structure, the same on all timeframes.
    pub smc: SmcParams,
    /// Trading days and sessions, the same for all instruments.
    pub calendar: Calendar,
    /// The built-in strategy. An engine with a strategy of its own ignores it.
    pub strategy: ConfluenceParams,
    /// How much to trade.
    pub sizing: SizingParams,
    /// How orders are worked.
    pub execution: ExecutionParams,
    /// Limits over all instruments.
    pub account_limits: AccountLimits,
    /// Limits of each venue within them.
    pub venue_limits: ScopeLimits,
    /// The asset that each venue's account is kept in, where that is not the quote asset.
    pub venue_assets: Vec<(u8, Name)>,
    /// What an asset is worth in the quote asset, whatever a venue says: for those that are kept at one price, such as
    /// `USD` in `USDT`.
    pub fixed_rates: Vec<(Name, Price)>,
    /// Limits of each strategy within them.
    pub strategy_limits: ScopeLimits,
    /// What happens when it goes wrong.
    pub breakers: BreakerParams,
    /// How value at risk is computed.
    pub var: VarParams,
    /// Equity before the first fill; none takes the first balance of the quote asset.
    pub starting_equity: Option<Money>,
    /// Distance of the timer events the runtime makes.
    pub timer_interval_ns: u64,
}

/// One instrument.
#[derive(Clone, Copy, Debug, Hash)]
pub struct InstrumentConfig {
    /// The venue's symbol.
    pub symbol: Name,
    /// Number of the venue its orders go to, and of the account there. Below [`VENUES_MAX`].
    pub venue: u8,
    /// What its bars are made of, where that is not what the others' are.
    pub bars_from: Option<BarSource>,
    /// What its orders and positions may not exceed.
    pub limits: Limits,
}

/// How bars are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BarParams {
    /// From what.
    pub source: BarSource,
    /// The clock closes a bar this long after its end, so that trades still on the way are counted in it.
    pub close_grace_ns: u64,
}

/// What bars are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BarSource {
    /// Trades.
    Trades,
    /// The middle of best bid and ask, with no volume: for venues that publish no trades.
    QuoteMid,
}

/// How much to trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SizingParams {
    /// What a quantity comes from.
    pub method: SizingMethod,
    /// Part of equity lost if the stop fills at its price, fees included. A fixed quantity may not lose more.
    pub risk_fraction_ppm: u32,
    /// The fixed quantity, base units; nothing with the other methods.
    pub quantity: Qty,
    /// How Kelly's criterion is used.
    pub kelly: KellyParams,
    /// Limits on what all open trades may lose, whatever the method.
    pub heat: HeatParams,
    /// Fee of one fill, as part of its notional.
    pub fee_ppm: u32,
    /// No entry's notional is more than this part of equity.
    pub notional_fraction_ppm_max: u32,
}

/// What a quantity comes from. Limits and free balance cut each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizingMethod {
    /// Always the same, unless its stop would cost more than the risk fraction.
    FixedQuantity,
    /// A fixed part of equity at risk.
    FixedFraction,
    /// A part of equity that depends on the edge shown so far.
    Kelly,
}

/// How orders are worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionParams {
    /// A signal from a bar that ended longer ago than this is not acted on: warm-up bars, late data.
    pub signal_age_ns_max: u64,
    /// An entry order lives at most this long, whatever the strategy wished.
    pub entry_lifetime_ns_max: u64,
    /// A stop's limit price stands this part of its trigger price beyond the trigger.
    pub stop_limit_offset_ppm: u32,
    /// A triggered stop that has not closed the position after this long is cancelled for a market order.
    pub stop_fill_ns_max: u64,
    /// A position without a working stop for this long is closed at the market.
    pub naked_ns_max: u64,
    /// An order that the venue has not answered for this long is unknown: the gateway asks, nothing is sent again.
    pub ack_ns_max: u64,
    /// Refused closing orders and unanswered cancels are tried again after this long.
    pub retry_ns: u64,
    /// What becomes of a position that the venue holds at start and we know nothing of.
    pub adopt: Adopt,
}

/// What becomes of a position that was found at the venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adopt {
    /// It is counted and left alone; its instrument stands at REDUCE_ONLY until a person resumes.
    Keep,
    /// It is closed at the market.
    Flatten,
}

impl Default for BarParams {
    fn default() -> Self {
        Self { source: BarSource::Trades, close_grace_ns: 100_000_000 }
    }
}

impl Default for SizingParams {
    fn default() -> Self {
        Self {
            method: SizingMethod::FixedFraction,
            risk_fraction_ppm: 2_500,
            quantity: Qty::ZERO,
            kelly: KellyParams::default(),
            heat: HeatParams::default(),
            fee_ppm: 1_000,
            notional_fraction_ppm_max: 250_000,
        }
    }
}

impl Default for ExecutionParams {
    fn default() -> Self {
        Self {
            signal_age_ns_max: 2_000_000_000,
            entry_lifetime_ns_max: 3_600_000_000_000,
            stop_limit_offset_ppm: 2_000,
            stop_fill_ns_max: 2_000_000_000,
            naked_ns_max: 3_000_000_000,
            ack_ns_max: 2_000_000_000,
            retry_ns: 1_000_000_000,
            adopt: Adopt::Keep,
        }
    }
}

impl EngineConfig {
    /// A configuration with the house's defaults for everything but what must be named.
    pub fn new(
        quote_asset: Name,
        instruments: Vec<InstrumentConfig>,
        timeframes: Vec<Timeframe>,
        account_limits: AccountLimits,
    ) -> Self {
        Self {
            instance: 1,
            order_sequence_first: 1,
            quote_asset,
            instruments,
            timeframes,
            bars: BarParams::default(),
            smc: SmcParams::default(),
            calendar: Calendar::default(),
            strategy: ConfluenceParams::default(),
            sizing: SizingParams::default(),
            execution: ExecutionParams::default(),
            account_limits,
            venue_limits: ScopeLimits::default(),
            venue_assets: Vec::new(),
            fixed_rates: Vec::new(),
            strategy_limits: ScopeLimits::default(),
            breakers: BreakerParams::default(),
            var: VarParams::default(),
            starting_equity: None,
            timer_interval_ns: 100_000_000,
        }
    }

    /// What an instrument's bars are made of.
    pub fn bar_source(&self, instrument: InstrumentId) -> BarSource {
        let own = self.instruments.get(instrument.index()).and_then(|instrument| instrument.bars_from);
        own.unwrap_or(self.bars.source)
    }

    /// The venue of an instrument, and of what is told without one.
    pub fn venue_of(&self, instrument: InstrumentId) -> u8 {
        self.instruments.get(instrument.index()).map_or(0, |instrument| instrument.venue)
    }

    /// The asset that a venue's account is kept in; none for a venue where nothing is traded.
    pub fn venue_asset(&self, venue: u8) -> Option<Name> {
        let is_used = self.instruments.iter().any(|instrument| instrument.venue == venue);
        let named = self.venue_assets.iter().find(|(at, _)| *at == venue);
        is_used.then(|| named.map_or(self.quote_asset, |&(_, asset)| asset))
    }

    /// The first thing that makes no sense, if any.
    pub fn check(&self) -> Result<(), ConfigError> {
        within("instance", u64::from(self.instance), 1, u64::from(u16::MAX))?;
        within("order_sequence_first", self.order_sequence_first, 1, 1 << 39)?;
        if self.quote_asset.as_bytes().is_empty() {
            return Err(ConfigError::Missing { field: "quote_asset" });
        }
        self.check_lists()?;
        within("bars.close_grace_ns", self.bars.close_grace_ns, 0, 60 * SECOND_NS)?;
        within("timer_interval_ns", self.timer_interval_ns, SECOND_NS / 1_000_000, 10 * SECOND_NS)?;
        self.smc.validate().map_err(ConfigError::Smc)?;
        self.sizing.check()?;
        self.execution.check()?;
        self.breakers.check()?;
        if let Some(field) = self.var.fault(self.timeframes.len()) {
            return Err(ConfigError::Senseless { field });
        }
        match self.strategy.fault(self) {
            Some(field) => Err(ConfigError::Senseless { field }),
            None => Ok(()),
        }
    }

    fn check_lists(&self) -> Result<(), ConfigError> {
        within("instruments", self.instruments.len() as u64, 1, INSTRUMENTS_MAX as u64)?;
        within("timeframes", self.timeframes.len() as u64, 1, TIMEFRAMES_MAX as u64)?;
        for (at, instrument) in self.instruments.iter().enumerate() {
            if instrument.symbol.as_bytes().is_empty() {
                return Err(ConfigError::Missing { field: "instruments.symbol" });
            }
            let is_same = |other: &InstrumentConfig| {
                other.symbol == instrument.symbol && other.venue == instrument.venue
            };
            if self.instruments.iter().take(at).any(is_same) {
                return Err(ConfigError::Twice { symbol: instrument.symbol });
            }
            within("instruments.venue", instrument.venue.into(), 0, VENUES_MAX as u64 - 1)?;
        }
        within("fixed_rates", self.fixed_rates.len() as u64, 0, INSTRUMENTS_MAX as u64)?;
        if self.fixed_rates.iter().any(|&(asset, price)| price <= Price::ZERO || asset == self.quote_asset) {
            return Err(ConfigError::Senseless { field: "fixed_rates" });
        }
        if self.timeframes.is_sorted_by(|a, b| a < b) {
            Ok(())
        } else {
            Err(ConfigError::NotAscending { field: "timeframes" })
        }
    }
}

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;

impl SizingParams {
    fn check(&self) -> Result<(), ConfigError> {
        // Above a tenth of equity on one trade it is a typing error, not a wish.
        within("sizing.risk_fraction_ppm", u64::from(self.risk_fraction_ppm), 1, 100_000)?;
        within("sizing.fee_ppm", u64::from(self.fee_ppm), 0, 50_000)?;
        within("sizing.notional_fraction_ppm_max", u64::from(self.notional_fraction_ppm_max), 1, 10_000_000)?;
        match (self.method, self.quantity) {
            (SizingMethod::FixedQuantity, Qty::ZERO) => {
                return Err(ConfigError::Missing { field: "sizing.quantity" });
            }
            (SizingMethod::FixedQuantity, Qty(1..)) | (_, Qty::ZERO) => {}
            // A quantity that no method uses is a mistake about the method; a negative one about everything.
            _ => return Err(ConfigError::Senseless { field: "sizing.quantity" }),
        }
        self.kelly.check()?;
        self.heat.check()
    }
}

impl KellyParams {
    fn check(&self) -> Result<(), ConfigError> {
        let ppm = |field, got: u32, min, max| within(field, got.into(), min, max);
        // More than all of Kelly's fraction grows slower and falls deeper.
        ppm("sizing.kelly.fraction_ppm", self.fraction_ppm, 1, 1_000_000)?;
        ppm("sizing.kelly.prior_strength", self.prior_strength, 1, 100_000)?;
        ppm("sizing.kelly.cap_ppm", self.cap_ppm, 1, 100_000)?;
        ppm("sizing.kelly.lower_quantile_ppm", self.lower_quantile_ppm, 1, 500_000)?;
        ppm("sizing.kelly.drawdown_limit_ppm", self.drawdown_limit_ppm, 1, 1_000_000)?;
        ppm("sizing.kelly.probation_trades", self.probation_trades, 0, 100_000)?;
        ppm("sizing.kelly.probation_ppm", self.probation_ppm, 1, self.cap_ppm.into())?;
        ppm("sizing.kelly.volatility_target_ppm", self.volatility_target_ppm.unwrap_or(1), 1, 1_000_000)
    }
}

impl HeatParams {
    fn check(&self) -> Result<(), ConfigError> {
        let ppm = |field, got: u32, min, max| within(field, got.into(), min, max);
        ppm("sizing.heat.open_ppm_max", self.open_ppm_max, 1, 1_000_000)?;
        ppm("sizing.heat.cluster_ppm_max", self.cluster_ppm_max, 1, self.open_ppm_max.into())?;
        ppm("sizing.heat.correlation_ppm", self.correlation_ppm, 0, 1_000_000)?;
        ppm("sizing.heat.lambda_ppm", self.lambda_ppm, 500_000, 999_999)
    }
}

impl ExecutionParams {
    fn check(&self) -> Result<(), ConfigError> {
        within("execution.signal_age_ns_max", self.signal_age_ns_max, 1, DAY_NS)?;
        within("execution.entry_lifetime_ns_max", self.entry_lifetime_ns_max, 1, 30 * DAY_NS)?;
        within("execution.stop_limit_offset_ppm", u64::from(self.stop_limit_offset_ppm), 0, 100_000)?;
        within("execution.stop_fill_ns_max", self.stop_fill_ns_max, 1, DAY_NS)?;
        within("execution.naked_ns_max", self.naked_ns_max, 1, DAY_NS)?;
        within("execution.ack_ns_max", self.ack_ns_max, SECOND_NS / 1_000, DAY_NS)?;
        within("execution.retry_ns", self.retry_ns, SECOND_NS / 1_000, DAY_NS)
    }
}

fn within(field: &'static str, got: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(ConfigError::OutOfRange { field, got, min, max }) }
}

/// Why a configuration was refused. Every kind names its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Not given.
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Too small or too large; of lists: too short or too long.
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it says.
        got: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// The list must be strictly ascending.
    NotAscending {
        /// The field.
        field: &'static str,
    },
    /// A symbol stands twice in `instruments`, at one venue.
    Twice {
        /// The symbol.
        symbol: Name,
    },
    /// A limit; names the instrument and the field.
    Limit(LimitError),
    /// A market-structure setting.
    Smc(ParamsError),
    /// Contradicts itself or its neighbours; the field's documentation says how.
    Senseless {
        /// The field.
        field: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { field } => write!(f, "{field}: not given"),
            Self::OutOfRange { field, got, min, max } => {
                write!(f, "{field}: {got} is not within {min} to {max}")
            }
            Self::NotAscending { field } => write!(f, "{field}: must be strictly ascending"),
            Self::Twice { symbol } => write!(f, "instruments: {symbol} stands twice"),
            Self::Limit(error) => write!(f, "limits: {error}"),
            Self::Smc(error) => write!(f, "{error}"),
            Self::Senseless { field } => write!(f, "{field}: contradicts itself or its neighbours"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::words::{Money, Qty, SCALE};
    use alloc::vec;
    use std::string::ToString;

    fn good() -> EngineConfig {
        let limits = Limits {
            strategies_allowed: 2,
            order_qty_max: Qty(SCALE),
            order_notional_max: Money(SCALE),
            collar_ppm: 10_000,
            collar_passive_ppm: 100_000,
            reference_age_max_ns: SECOND_NS,
            reference_skew_max_ns: SECOND_NS,
            position_qty_max: Qty(SCALE),
            open_orders_max: 10,
            duplicate_window_ns: SECOND_NS,
            repeat_max: 5,
        };
        let account_limits = AccountLimits {
            gross_max: Money(SCALE),
            net_max: Money(SCALE),
            leverage_max_milli: 3_000,
            open_orders_max: 50,
            messages_max: 20,
            messages_window_ns: SECOND_NS,
            runaway_denials_max: 20,
            runaway_window_ns: 10 * SECOND_NS,
            entry_forgiven_after_ns: SECOND_NS,
            margin_use_ppm_max: 800_000,
            var_ppm_max: None,
            order_lifetime_ns_max: 60_000_000_000,
            clock_offset_ns_max: 500_000_000,
            budget_reserve_ppm: 200_000,
        };
        let symbol = Name::new("BTCUSDT").unwrap();
        let timeframes = ["1s", "1m"].iter().filter_map(|text| Timeframe::parse(text)).collect();
        let quote = Name::new("USDT").unwrap();
        EngineConfig::new(
            quote,
            vec![InstrumentConfig { symbol, venue: 0, bars_from: None, limits }],
            timeframes,
            account_limits,
        )
    }

    #[test]
    fn defaults_are_sound() {
        assert_eq!(good().check(), Ok(()));
    }

    /// Breaks one field at a time; the message names it.
    #[test]
    fn whatever_makes_no_sense_is_named() {
        type Fault = (&'static str, fn(&mut EngineConfig));
        let faults: [Fault; 34] = [
            ("instance", |c| c.instance = 0),
            ("order_sequence_first", |c| c.order_sequence_first = 0),
            ("quote_asset", |c| c.quote_asset = Name::default()),
            ("instruments", |c| c.instruments.clear()),
            ("instruments.symbol", |c| c.instruments[0].symbol = Name::default()),
            ("BTCUSDT stands twice", |c| c.instruments.push(c.instruments[0])),
            ("timeframes", |c| c.timeframes.clear()),
            ("timeframes", |c| c.timeframes.reverse()),
            ("bars.close_grace_ns", |c| c.bars.close_grace_ns = u64::MAX),
            ("timer_interval_ns", |c| c.timer_interval_ns = 0),
            ("smc.pivot_right", |c| c.smc.pivot_right = 0),
            ("sizing.risk_fraction_ppm", |c| c.sizing.risk_fraction_ppm = 500_000),
            ("sizing.fee_ppm", |c| c.sizing.fee_ppm = 1_000_000),
            ("sizing.notional_fraction_ppm_max", |c| c.sizing.notional_fraction_ppm_max = 0),
            ("sizing.quantity", |c| c.sizing.method = SizingMethod::FixedQuantity),
            ("sizing.quantity", |c| c.sizing.quantity = Qty(1)),
            ("sizing.kelly.fraction_ppm", |c| c.sizing.kelly.fraction_ppm = 1_000_001),
            ("sizing.kelly.prior_strength", |c| c.sizing.kelly.prior_strength = 0),
            ("sizing.kelly.cap_ppm", |c| c.sizing.kelly.cap_ppm = 0),
            ("sizing.kelly.lower_quantile_ppm", |c| c.sizing.kelly.lower_quantile_ppm = 600_000),
            ("sizing.kelly.drawdown_limit_ppm", |c| c.sizing.kelly.drawdown_limit_ppm = 0),
            ("sizing.kelly.probation_ppm", |c| c.sizing.kelly.probation_ppm = 10_001),
            ("sizing.kelly.volatility_target_ppm", |c| c.sizing.kelly.volatility_target_ppm = Some(0)),
            ("sizing.heat.cluster_ppm_max", |c| c.sizing.heat.cluster_ppm_max = 50_001),
            ("sizing.heat.correlation_ppm", |c| c.sizing.heat.correlation_ppm = 1_000_001),
            ("sizing.heat.lambda_ppm", |c| c.sizing.heat.lambda_ppm = 1_000_000),
            ("execution.stop_limit_offset_ppm", |c| c.execution.stop_limit_offset_ppm = 900_000),
            ("execution.retry_ns", |c| c.execution.retry_ns = 0),
            ("execution.naked_ns_max", |c| c.execution.naked_ns_max = 0),
            ("execution.ack_ns_max", |c| c.execution.ack_ns_max = 0),
            ("strategy.manage.break_even", |c| {
                c.strategy.manage.break_even = Some(crate::strategy::BreakEven::AfterPart(1));
            }),
            ("strategy.entry_timeframes", |c| c.strategy.entry_timeframes = 0),
            ("strategy.target_risk_ppm", |c| c.strategy.target_risk_ppm = 0),
            ("strategy.accept_order_blocks", |c| {
                (c.strategy.accept_gaps, c.strategy.accept_order_blocks) = (false, false);
            }),
        ];
        for (field, break_it) in faults {
            let mut config = good();
            break_it(&mut config);
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(field), "{field}: {error}");
        }
    }
}
