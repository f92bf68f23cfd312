//! The configuration file: TOML, every key known, every limit given.
//!
//! An unknown key refuses the start, so does a missing or absurd limit; the message names it. Strategy, structure
//! and execution settings have documented defaults (the core's own); limits have none on purpose.
//! The part that decides anything goes into the journal word for word, so that a replay needs nothing else; keys
//! and addresses do not.

mod backtest;
mod demo;
mod manage;
mod sizing;
mod strategy;
mod venue;

pub use crate::Decimal;
pub use crate::calendar::{CalendarError, CalendarSection};
pub use crate::smc::SmcSection;
use crate::{section, words};
pub use backtest::{
    BacktestSection, FeesSection, FinancingSection, ImpactSection, KindWord, LatencyWord, QueueWord,
    RulesSection, Weekday,
};
pub use demo::{DemoSection, StoryWord, utc};
pub use manage::{BreakEvenSection, ManageSection, PartSection, TrailSection};
use serde::{Deserialize, Serialize};
pub use sizing::{HeatSection, KellySection, MethodWord, SizingSection};
use smc_core::Timeframe;
use smc_core::config::{
    Adopt, BarParams, BarSource, ConfigError, EngineConfig, ExecutionParams, InstrumentConfig,
};
use smc_core::engine::VarParams;
use smc_core::risk::{AccountLimits, BreakerParams, LimitError, Limits, ScopeLimits};
use smc_core::words::{Money, Name, Price, Qty};
use std::collections::BTreeMap;
use std::path::PathBuf;
pub use strategy::{StrategyError, StrategySection};
pub use venue::{AccountSection, FurtherSection, NamedVenue, VenueKind, VenueSection};

/// A whole configuration file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// What is traded, on which timeframes, by which process.
    pub engine: EngineSection,
    /// The instruments with their limits.
    pub instruments: Vec<InstrumentSection>,
    /// Limits over all instruments.
    pub risk: RiskSection,
    /// Market structure; missing keys have their defaults.
    #[serde(default)]
    pub smc: SmcSection,
    /// Trading days and sessions; without it days begin at midnight UTC and there are no sessions.
    #[serde(default)]
    pub calendar: CalendarSection,
    /// The confluence strategy; missing keys have their defaults.
    #[serde(default)]
    pub strategy: StrategySection,
    /// How much to trade; missing keys have their defaults.
    #[serde(default)]
    pub sizing: SizingSection,
    /// How orders are worked; missing keys have their defaults.
    #[serde(default)]
    pub execution: ExecutionSection,
    /// What stops trading when it goes wrong; missing keys have their defaults.
    #[serde(default)]
    pub breakers: BreakersSection,
    /// Where the venue is. Not journaled.
    #[serde(default, skip_serializing)]
    pub venue: Option<VenueSection>,
    /// Who we are there. Not journaled.
    #[serde(default, skip_serializing)]
    pub account: Option<AccountSection>,
    /// Further venues, each with its account. Not journaled.
    #[serde(default, skip_serializing)]
    pub venues: Vec<FurtherSection>,
    /// The exchange that backtests trade at. Not journaled.
    #[serde(default, skip_serializing)]
    pub backtest: BacktestSection,
    /// What `smc demo` generates. Not journaled.
    #[serde(default, skip_serializing)]
    pub demo: Option<DemoSection>,
    /// How threads run. Not journaled: it decides nothing.
    #[serde(default, skip_serializing)]
    pub process: ProcessSection,
}

/// `[engine]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSection {
    /// Part of every order id; two engines on one account must differ.
    pub instance: u16,
    /// Asset in which equity is counted.
    pub quote_asset: String,
    /// Assets that the accounts of venues are kept in, by the venue's name, where that is not the quote asset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub account_assets: BTreeMap<String, String>,
    /// What one unit of an asset is worth in the quote asset, whatever a venue says: `{ USD = "1" }` where USDT is taken for
    /// a dollar.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed_rates: BTreeMap<String, Decimal>,
    /// `["5s", "15s", "1m"]`, ascending.
    pub timeframes: Vec<String>,
    /// `trades` (default) or `quotes`.
    #[serde(default)]
    pub bars_from: BarsFrom,
    /// The clock closes a bar this long after its end.
    #[serde(default = "hundred")]
    pub bar_close_grace_ms: u64,
    /// Distance of timer events.
    #[serde(default = "hundred")]
    pub timer_ms: u64,
    /// Closed candles of each timeframe that the venue is asked for at start, at most 1000; 0 asks for none. Where
    /// bars are made of quotes the venue's candles of trades are the nearest thing to their past.
    #[serde(default = "five_hundred")]
    pub warm_up_bars: u16,
    /// Sequence of the first order id.
    #[serde(default = "one")]
    pub order_sequence_first: u64,
}

const fn hundred() -> u64 {
    100
}

/// As many candles as the venue gives in one answer.
const WARM_UP_BARS_MAX: u64 = 1_000;

const fn five_hundred() -> u16 {
    500
}

const fn one() -> u64 {
    1
}

/// What bars are made of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BarsFrom {
    /// Public trades.
    #[default]
    Trades,
    /// The middle of best bid and ask.
    Quotes,
}

impl BarsFrom {
    const fn core(self) -> BarSource {
        match self {
            Self::Trades => BarSource::Trades,
            Self::Quotes => BarSource::QuoteMid,
        }
    }
}

/// `[[instruments]]`: limits have no defaults.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentSection {
    /// The venue's symbol.
    pub symbol: String,
    /// Name of the venue its orders go to; without it the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// Where its prices come from, if that is not where its orders go. The two must be priced in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSection>,
    /// `trades` or `quotes`, where it is not as in `[engine]`: quotes where a venue tells no trades, as Oanda.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bars_from: Option<BarsFrom>,
    /// Largest quantity of one order, base units.
    pub order_qty_max: Decimal,
    /// Largest value of one order, quote units.
    pub order_notional_max: Decimal,
    /// Collar on the aggressive side, ppm of the reference price.
    pub collar_ppm: u32,
    /// Collar on the passive side, ppm of the reference price.
    pub collar_passive_ppm: u32,
    /// Oldest reference price that may be traded on.
    pub reference_age_max_ms: u64,
    /// Furthest a reference may lie in the future.
    pub reference_skew_max_ms: u64,
    /// Largest position either way, base units.
    pub position_qty_max: Decimal,
    /// Open orders.
    pub open_orders_max: u32,
    /// An equal order within this time is a duplicate.
    pub duplicate_window_ms: u64,
    /// Entries on one side without an exit.
    pub repeat_max: u32,
}

/// `[instruments.data]`: prices from one venue, orders to another.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// Name of the venue.
    pub venue: String,
    /// The symbol there.
    pub symbol: String,
}

/// `[risk]`: limits of money and counts have no defaults; those that every account shares have.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RiskSection {
    /// Sum of worst-case exposures, quote units.
    pub gross_max: Decimal,
    /// Absolute signed sum of worst-case exposures, quote units.
    pub net_max: Decimal,
    /// Gross over equity in thousandths.
    pub leverage_max_milli: u32,
    /// Open orders overall.
    pub open_orders_max: u32,
    /// New orders within the throttle's window.
    pub messages_max: u32,
    /// The throttle's window.
    pub messages_window_ms: u64,
    /// Throttled orders within the runaway window that halt a strategy.
    pub runaway_denials_max: u32,
    /// The runaway detector's window.
    pub runaway_window_ms: u64,
    /// An entry withdrawn unfilled after this long no longer counts as repeated.
    pub entry_forgiven_after_ms: u64,
    /// Part of the free margin that one more position may use, ppm.
    #[serde(default = "four_fifths")]
    pub margin_use_ppm_max: u32,
    /// Value at risk (one in a hundred bars) over equity, ppm; without it there is no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub var_ppm_max: Option<u32>,
    /// Working entries are checked again after each such time.
    #[serde(default = "minute")]
    pub order_lifetime_max_ms: u64,
    /// Distance of our clock from the venue's that stops new orders.
    #[serde(default = "half_a_second")]
    pub clock_offset_max_ms: u64,
    /// Part of the venue's request budget kept for cancels and queries, ppm.
    #[serde(default = "fifth")]
    pub budget_reserve_ppm: u32,
    /// How value at risk is computed; missing keys have their defaults.
    #[serde(default)]
    pub var: VarSection,
    /// Limits of the venue within these.
    #[serde(default)]
    pub venue: ScopeSection,
    /// Limits of each strategy within these.
    #[serde(default)]
    pub strategy: ScopeSection,
}

/// `[risk.var]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct VarSection {
    /// Returns looked back on; 500 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u16>,
    /// The worst part of them, in basis points; 100 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail_bp: Option<u16>,
    /// Weight of the past in the exponentially weighted variance, ppm; 940000 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_ppm: Option<u32>,
    /// One of the engine's timeframes, whose bars are the returns; the longest by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeframe: Option<String>,
}

impl VarSection {
    fn apply(&self, timeframes: &[String], to: &mut VarParams) -> Result<(), FileError> {
        let Self { window, tail_bp, lambda_ppm, timeframe } = self;
        to.window = window.unwrap_or(to.window);
        to.tail_bp = tail_bp.unwrap_or(to.tail_bp);
        to.lambda_ppm = lambda_ppm.unwrap_or(to.lambda_ppm);
        if let Some(text) = timeframe {
            let slot = timeframes.iter().position(|known| known == text);
            let slot = slot.and_then(|slot| u8::try_from(slot).ok());
            to.timeframe = Some(slot.ok_or_else(|| FileError::Timeframe(text.clone()))?);
        }
        Ok(())
    }
}

/// `[risk.venue]` and `[risk.strategy]`: what is not given is the account's.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScopeSection {
    /// Sum of worst-case exposures, quote units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gross_max: Option<Decimal>,
    /// Open orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_orders_max: Option<u32>,
    /// New orders within the throttle's window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages_max: Option<u32>,
}

const fn four_fifths() -> u32 {
    800_000
}

const fn fifth() -> u32 {
    200_000
}

const fn minute() -> u64 {
    60_000
}

const fn half_a_second() -> u64 {
    500
}

/// `[process]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessSection {
    /// `auto` (default), `inline` or `pipelined`.
    pub topology: Option<String>,
    /// `auto` (default), `spin`, `yield` or `park`.
    pub idle: Option<String>,
    /// First core to pin to, counted from 0 among those the process may use: the engine's; the feed's and the gateway's are
    /// the next two (pipelined).
    pub first_core: Option<usize>,
    /// Directory of the journal.
    pub journal: Option<PathBuf>,
    /// Length of a journal segment.
    pub segment_mib: Option<u64>,
    /// Sync window of the journal; 0 leaves it to the operating system.
    pub sync_ms: Option<u64>,
    /// Directory, best on another disk, of a copy of the journal that a thread of its own keeps.
    pub mirror: Option<PathBuf>,
    /// How long a record may wait for the disk before no new order is sent, 1000 by default. 0 looks at neither slow
    /// nor full disks until they stop the journal.
    pub unsynced_max_ms: Option<u64>,
    /// Records between two snapshots, from which the next start goes on; 0 takes none. 1,000,000 by default.
    pub snapshot_records: Option<u64>,
    /// Path of the control socket.
    pub control: Option<PathBuf>,
    /// Address (`127.0.0.1:9464`) at which metrics are served over HTTP to whoever reaches it; without it nowhere.
    pub metrics: Option<String>,
    /// While a file of this name exists, everything is cancelled and nothing is sent.
    pub kill_flag: Option<PathBuf>,
    /// Base32 secret of the one-time codes that an operator must give to take risk on again.
    pub totp_file: Option<PathBuf>,
}

words! {
    AdoptWord => Adopt { Keep, Flatten }
}

section! {
    /// `[execution]`
    ExecutionSection => ExecutionParams {
        signal_age_max_ms: u64 => signal_age_ns_max = |v| ns(v),
        entry_lifetime_max_ms: u64 => entry_lifetime_ns_max = |v| ns(v),
        stop_limit_offset_ppm: u32 => stop_limit_offset_ppm = |v| v,
        stop_fill_max_ms: u64 => stop_fill_ns_max = |v| ns(v),
        naked_max_ms: u64 => naked_ns_max = |v| ns(v),
        ack_max_ms: u64 => ack_ns_max = |v| ns(v),
        retry_ms: u64 => retry_ns = |v| ns(v),
        adopt: AdoptWord => adopt = |v| v.into(),
    }
}

section! {
    /// `[breakers]`
    BreakersSection => BreakerParams {
        daily_loss_ppm: u32 => daily_loss_ppm = |v| v,
        drawdown_ppm: u32 => drawdown_ppm = |v| v,
        day_starts_at_s: u32 => day_starts_at_s = |v| v,
        loss_streak_max: u32 => loss_streak_max = |v| v,
        loss_streak_pause_ms: u64 => loss_streak_pause_ns = |v| ns(v),
        fills_per_minute_max: u32 => fills_per_minute_max = |v| v,
        day_notional_plan: Decimal => day_notional_plan = |v| Some(Money(v.0)),
        rejects_max: u32 => rejects_max = |v| v,
        rejects_window_ms: u64 => rejects_window_ns = |v| ns(v),
        slippage_model_ppm: u32 => slippage_model_ppm = |v| v,
        slippage_factor: u32 => slippage_factor = |v| v,
        slippage_pause_ms: u64 => slippage_pause_ns = |v| ns(v),
        flash_move_ppm: u32 => flash_move_ppm = |v| v,
        flash_spread_factor: u32 => flash_spread_factor = |v| v,
        flash_spread_ppm_min: u32 => flash_spread_ppm_min = |v| v,
        flash_pause_ms: u64 => flash_pause_ns = |v| ns(v),
        divergence_ppm: u32 => divergence_ppm = |v| v,
        divergence_ms: u64 => divergence_ns = |v| ns(v),
    }
}

const fn ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

/// Why a configuration was refused.
#[derive(Debug)]
pub enum FileError {
    /// Not TOML, an unknown key, a missing key or a wrong type; the parser's own words name line and key.
    Toml(String),
    /// A text that is no timeframe, or one that does not divide a day.
    Timeframe(String),
    /// A name longer than fifteen bytes or empty.
    Name(String),
    /// A symbol with bytes that no symbol has.
    Symbol(String),
    /// A trading day or session that cannot be resolved.
    Calendar(CalendarError),
    /// The engine refuses a value.
    Engine(ConfigError),
    /// A limit is absurd.
    Limit(LimitError),
    /// A key of `[strategy]` names what is not there.
    Strategy(StrategyError),
    /// A key names a venue that is not there.
    Venue(&'static str, String),
    /// A key of `[demo]` makes no sense.
    Demo(&'static str),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Toml(text) => f.write_str(text),
            Self::Timeframe(text) => {
                write!(
                    f,
                    "engine.timeframes: `{text}` is no timeframe; write 5s, 15m, 4h or 1d, dividing a day"
                )
            }
            Self::Name(text) => write!(f, "`{text}` is empty or longer than {} bytes", Name::MAX),
            Self::Symbol(text) => {
                write!(f, "instruments.symbol: `{text}`: capitals, digits, `-` and `_` only")
            }
            Self::Calendar(error) => write!(f, "{error}"),
            Self::Engine(error) => write!(f, "{error}"),
            Self::Limit(error) => write!(f, "{error}"),
            Self::Strategy(error) => write!(f, "{error}"),
            Self::Venue(key, name) => write!(f, "{key}: there is no venue `{name}`"),
            Self::Demo(key) => write!(f, "demo.{key}: makes no sense; its documentation says why"),
        }
    }
}

impl std::error::Error for FileError {}

impl FileConfig {
    /// Parses and checks a file's text.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let config: Self = toml::from_str(text).map_err(|error| FileError::Toml(one_line(&error, text)))?;
        config.engine()?;
        match config.demo.as_ref().and_then(DemoSection::fault) {
            Some(key) => Err(FileError::Demo(key)),
            None => Ok(config),
        }
    }

    /// The part that decides, as text that [`FileConfig::parse`] reads back: what the journal keeps.
    pub fn deciding_text(&self) -> String {
        // Serialising what was just deserialised cannot fail; an empty text would fail the replay loudly.
        toml::to_string(self).unwrap_or_default()
    }

    /// Names of the venues that orders go to, each once, in the order in which instruments first name them: a venue's
    /// number is its place here. The nameless one is the first of the file.
    pub fn venue_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for instrument in &self.instruments {
            let name = instrument.venue.as_deref().unwrap_or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The venue of a name; the nameless one is `[venue]`, or the first of `[[venues]]` where that is missing.
    pub fn venue_named(&self, name: &str) -> Option<NamedVenue<'_>> {
        let first = self.venue.as_ref().map(|at| NamedVenue {
            name: at.name.as_deref().unwrap_or_else(|| at.kind.name()),
            at,
            account: self.account.as_ref(),
        });
        let further = self.venues.iter().map(|section| NamedVenue {
            name: &section.name,
            at: &section.at,
            account: section.account.as_ref(),
        });
        first.into_iter().chain(further).find(|venue| name.is_empty() || venue.name == name)
    }

    /// Every venue of the file, used or not.
    pub fn all_venues(&self) -> impl Iterator<Item = &VenueSection> {
        self.venue.iter().chain(self.venues.iter().map(|section| &section.at))
    }

    /// The core's configuration.
    pub fn engine(&self) -> Result<EngineConfig, FileError> {
        let warm_up_bars = u64::from(self.engine.warm_up_bars);
        if warm_up_bars > WARM_UP_BARS_MAX {
            let field = "engine.warm_up_bars";
            return Err(FileError::Engine(ConfigError::OutOfRange {
                field,
                got: warm_up_bars,
                min: 0,
                max: WARM_UP_BARS_MAX,
            }));
        }
        let timeframes = self.engine.timeframes.iter();
        let timeframes = timeframes
            .map(|text| Timeframe::parse(text).ok_or_else(|| FileError::Timeframe(text.clone())))
            .collect::<Result<_, _>>()?;
        let venues = self.venue_names();
        let instruments = self.instruments.iter().map(|section| section.core(&venues));
        let instruments = instruments.collect::<Result<_, _>>()?;
        let risk = self.risk.core()?;
        let mut config = EngineConfig::new(name(&self.engine.quote_asset)?, instruments, timeframes, risk);
        for (at, asset) in &self.engine.account_assets {
            let venue = venues.iter().position(|known| known == at);
            let venue = venue.ok_or_else(|| FileError::Venue("engine.account_assets", at.clone()))?;
            config.venue_assets.push((u8::try_from(venue).unwrap_or(u8::MAX), name(asset)?));
        }
        for (asset, price) in &self.engine.fixed_rates {
            config.fixed_rates.push((name(asset)?, Price(price.0)));
        }
        config.instance = self.engine.instance;
        config.order_sequence_first = self.engine.order_sequence_first;
        config.bars = BarParams {
            source: self.engine.bars_from.core(),
            close_grace_ns: ns(self.engine.bar_close_grace_ms),
        };
        config.timer_interval_ns = ns(self.engine.timer_ms);
        self.smc.apply(&mut config.smc);
        config.calendar = self.calendar.resolve().map_err(FileError::Calendar)?;
        let sessions = &config.calendar.sessions;
        self.strategy.apply(&mut config.strategy, sessions).map_err(FileError::Strategy)?;
        self.sizing.apply(&mut config.sizing);
        self.execution.apply(&mut config.execution);
        self.breakers.apply(&mut config.breakers);
        self.risk.var.apply(&self.engine.timeframes, &mut config.var)?;
        config.venue_limits = self.risk.venue.core()?;
        config.strategy_limits = self.risk.strategy.core()?;
        config.check().map_err(FileError::Engine)?;
        Ok(config)
    }
}

impl InstrumentSection {
    fn core(&self, venues: &[&str]) -> Result<InstrumentConfig, FileError> {
        let limits = Limits {
            // One strategy trades today; it may trade whatever is configured.
            strategies_allowed: u16::MAX,
            order_qty_max: Qty(self.order_qty_max.0),
            order_notional_max: Money(self.order_notional_max.0),
            collar_ppm: self.collar_ppm,
            collar_passive_ppm: self.collar_passive_ppm,
            reference_age_max_ns: ns(self.reference_age_max_ms),
            reference_skew_max_ns: ns(self.reference_skew_max_ms),
            position_qty_max: Qty(self.position_qty_max.0),
            open_orders_max: self.open_orders_max,
            duplicate_window_ns: ns(self.duplicate_window_ms),
            repeat_max: self.repeat_max,
        };
        limits.validate().map_err(FileError::Limit)?;
        for symbol in [Some(&self.symbol), self.data.as_ref().map(|data| &data.symbol)].into_iter().flatten()
        {
            // The symbol stands in URLs and stream names.
            let is_plain = symbol
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_-".contains(&byte));
            if !is_plain {
                return Err(FileError::Symbol(symbol.clone()));
            }
            name(symbol)?;
        }
        let own = self.venue.as_deref().unwrap_or_default();
        let venue = venues.iter().position(|&known| known == own).unwrap_or_default();
        let venue = u8::try_from(venue).unwrap_or(u8::MAX);
        let bars_from = self.bars_from.map(BarsFrom::core);
        Ok(InstrumentConfig { symbol: name(&self.symbol)?, venue, bars_from, limits })
    }
}

impl ScopeSection {
    fn core(&self) -> Result<ScopeLimits, FileError> {
        let Self { gross_max, open_orders_max, messages_max } = *self;
        let gross_max = gross_max.map(|most| Money(most.0));
        let limits = ScopeLimits { gross_max, open_orders_max, messages_max };
        limits.validate().map_err(FileError::Limit)?;
        Ok(limits)
    }
}

impl RiskSection {
    fn core(&self) -> Result<AccountLimits, FileError> {
        let limits = AccountLimits {
            gross_max: Money(self.gross_max.0),
            net_max: Money(self.net_max.0),
            leverage_max_milli: self.leverage_max_milli,
            open_orders_max: self.open_orders_max,
            messages_max: self.messages_max,
            messages_window_ns: ns(self.messages_window_ms),
            runaway_denials_max: self.runaway_denials_max,
            runaway_window_ns: ns(self.runaway_window_ms),
            entry_forgiven_after_ns: ns(self.entry_forgiven_after_ms),
            margin_use_ppm_max: self.margin_use_ppm_max,
            var_ppm_max: self.var_ppm_max,
            order_lifetime_ns_max: ns(self.order_lifetime_max_ms),
            clock_offset_ns_max: ns(self.clock_offset_max_ms),
            budget_reserve_ppm: self.budget_reserve_ppm,
        };
        limits.validate().map_err(FileError::Limit)?;
        Ok(limits)
    }
}

fn name(text: &str) -> Result<Name, FileError> {
    Name::new(text).filter(|name| !name.as_bytes().is_empty()).ok_or_else(|| FileError::Name(text.into()))
}

/// The parser's message on one line: line number, the key if the line has one, then what is wrong.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', ", ");
    let Some(span) = error.span() else { return message };
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count();
    match key_at(text, line) {
        Some(key) => format!("line {}: {key}: {message}", line + 1),
        None => format!("line {}: {message}", line + 1),
    }
}

/// The full name of the key on the line with this number, counted from 0: `sizing.kelly.prior_strength`.
fn key_at(text: &str, line: usize) -> Option<String> {
    let (key, _) = text.lines().nth(line)?.split_once('=')?;
    let above: Vec<_> = text.lines().take(line).collect();
    let table = above.iter().rev().map(|line| line.trim()).find(|line| line.starts_with('['));
    match table.map(|table| table.trim_matches(|c| c == '[' || c == ']')) {
        Some(table) => Some(format!("{table}.{}", key.trim())),
        None => Some(key.trim().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::config::SizingMethod;

    const GOOD: &str = r#"
[engine]
instance = 1
quote_asset = "USDT"
timeframes = ["5s", "1m"]

[[instruments]]
symbol = "BTCUSDT"
order_qty_max = "2"
order_notional_max = "100000"
collar_ppm = 10000
collar_passive_ppm = 100000
reference_age_max_ms = 5000
reference_skew_max_ms = 2000
position_qty_max = "3"
open_orders_max = 10
duplicate_window_ms = 250
repeat_max = 5

[risk]
gross_max = "300000"
net_max = "200000"
leverage_max_milli = 3000
open_orders_max = 50
messages_max = 25
messages_window_ms = 10000
runaway_denials_max = 20
runaway_window_ms = 10000
entry_forgiven_after_ms = 1000

[calendar]
roll = "17:00 America/New_York"
sessions = ["london", { name = "lunch", start = "12:00", end = "13:30", zone = "Europe/London" }]

[sizing]
method = "kelly"
fee_ppm = 150

[sizing.kelly]
prior_strength = 30
volatility_target_ppm = 800

[sizing.heat]
open_ppm_max = 40000

[strategy]
require_bias = false
entry_sessions = ["lunch", "london"]
sweep_sessions = ["london"]
bias_timeframe = "5s"
round_trip_cost_ppm = 500

[demo]
hours = 2.5

[account]
api_key = "secret-looking"
key_file = "key.pem"
"#;

    fn refusal(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        FileConfig::parse(&GOOD.replace(from, to)).err().unwrap().to_string()
    }

    #[test]
    fn what_the_journal_keeps_reads_back_to_the_same_engine_and_names_no_key() {
        let config = FileConfig::parse(GOOD).unwrap();
        let text = config.deciding_text();
        assert!(!text.contains("secret-looking") && !text.contains("key.pem"), "{text}");
        let back = FileConfig::parse(&text).unwrap();
        assert_eq!(format!("{:?}", back.engine().unwrap()), format!("{:?}", config.engine().unwrap()));
        let strategy = back.engine().unwrap().strategy;
        assert!(!strategy.require_bias);
        assert_eq!((strategy.entry_sessions.0, strategy.sweep_sessions.0), (0b11, 0b01));
        assert_eq!(strategy.bias_timeframe, Timeframe::parse("5s"));
        assert_eq!(strategy.round_trip_cost_ppm, 500);
        let sizing = back.engine().unwrap().sizing;
        assert_eq!(
            (sizing.method, sizing.fee_ppm, sizing.risk_fraction_ppm),
            (SizingMethod::Kelly, 150, 2_500)
        );
        assert_eq!((sizing.kelly.prior_strength, sizing.kelly.volatility_target_ppm), (30, Some(800)));
        assert_eq!((sizing.heat.open_ppm_max, sizing.heat.cluster_ppm_max), (40_000, 20_000));
        assert!(back.demo.is_none(), "what was generated is in the journal already");
        assert_eq!(back.engine().unwrap().calendar.sessions.len(), 2);
    }

    #[test]
    fn a_wrong_file_is_refused_by_the_name_of_what_is_wrong() {
        for (from, to, named) in [
            ("require_bias", "require_bais", "require_bais"),
            ("order_qty_max = \"2\"\n", "", "order_qty_max"),
            ("order_qty_max = \"2\"", "order_qty_max = \"-2\"", "order_qty_max"),
            ("order_qty_max = \"2\"", "order_qty_max = \"0\"", "order_qty_max"),
            ("gross_max = \"300000\"", "gross_max = \"1e9\"", "gross_max"),
            ("\"5s\"", "\"7s\"", "7s"),
            ("[\"5s\", \"1m\"]", "[\"1m\", \"5s\"]", "timeframes"),
            ("BTCUSDT", "ABCDEFGHIJKLMNOPQ", "ABCDEFGHIJKLMNOPQ"),
            ("instance = 1", "instance = 0", "instance"),
            ("instance = 1", "instance = 1\nwarm_up_bars = 1001", "engine.warm_up_bars"),
            ("[\"lunch\", \"london\"]", "[\"tokyo\"]", "strategy.entry_sessions"),
            ("sweep_sessions = [\"london\"]", "sweep_sessions = [\"lodnon\"]", "london, lunch"),
            ("bias_timeframe = \"5s\"", "bias_timeframe = \"15s\"", "strategy.bias_timeframe"),
            ("bias_timeframe = \"5s\"", "bias_timeframe = \"soon\"", "strategy.bias_timeframe"),
            ("hours = 2.5", "hours = -1", "demo.hours"),
            ("hours = 2.5", "minutes = 1", "minutes"),
            ("\"london\"", "\"londn\"", "calendar.sessions[0]"),
            ("Europe/London", "Europe/Lodnon", "calendar.sessions[1].zone"),
        ] {
            let text = refusal(from, to);
            assert!(text.contains(named) || text.contains("line"), "{from} -> {to}: {text}");
            assert!(!text.contains('\n'), "{text}");
        }
        assert!(refusal("order_qty_max = \"2\"\n", "").contains("missing field `order_qty_max`"));
        assert!(refusal("require_bias", "require_bais").starts_with("line "));
    }

    /// Two venues with the same symbol, prices of one of them from a third.
    #[test]
    fn several_venues_are_told_apart_and_the_journal_keeps_which_is_which() {
        let there = GOOD
            .split_once("[[instruments]]")
            .and_then(|(_, rest)| rest.split_once("\n[").map(|(section, _)| section))
            .unwrap();
        let further = there.replace(
            "symbol = \"BTCUSDT\"",
            "symbol = \"BTCUSDT\"\nvenue = \"futures\"\ndata = { venue = \"prices\", symbol = \"BTCUSDC\" }",
        );
        let venue = |kind: &str| {
            format!("at = {{ kind = \"{kind}\", market = \"m:1\", orders = \"o:2\", rest = \"r:3\" }}")
        };
        let text = GOOD.replace(
            "quote_asset = \"USDT\"",
            "quote_asset = \"USDT\"\naccount_assets = { futures = \"USDC\" }\nfixed_rates = { USDC = \"0.9995\" }",
        ) + &format!(
            "\n[[instruments]]{further}\n[[venues]]\nname = \"futures\"\n{}\naccount = {{ api_key = \"k\", key_file = \"f.pem\" }}\n[[venues]]\nname = \"prices\"\n{}\n",
            venue("binance-usdm"),
            venue("bybit-spot"),
        );
        let config = FileConfig::parse(&text).unwrap();
        let core = config.engine().unwrap();
        assert_eq!(core.instruments.iter().map(|i| i.venue).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((core.venue_asset(0), core.venue_asset(1)), (Name::new("USDT"), Name::new("USDC")));
        assert_eq!(core.fixed_rates, [(Name::new("USDC").unwrap(), Price(99_950_000))]);
        assert_eq!(config.venue_named("prices").unwrap().at.kind, VenueKind::BybitSpot);
        assert!(config.venue_named("nowhere").is_none());
        let kept = config.deciding_text();
        assert!(!kept.contains("f.pem"), "{kept}");
        let back = FileConfig::parse(&kept).unwrap().engine().unwrap();
        assert_eq!(format!("{back:?}"), format!("{core:?}"));
        let wrong = text.replace("{ futures = \"USDC\" }", "{ elsewhere = \"USDC\" }");
        let error = FileConfig::parse(&wrong).unwrap_err().to_string();
        assert!(error.contains("engine.account_assets") && error.contains("elsewhere"), "{error}");
        let wrong = text.replace("{ USDC = \"0.9995\" }", "{ USDC = \"0\" }");
        let error = FileConfig::parse(&wrong).unwrap_err().to_string();
        assert!(error.contains("fixed_rates"), "{error}");
    }

    #[test]
    fn absurd_sizing_is_refused_by_the_full_name_of_its_key() {
        for (from, to, named) in [
            ("\"kelly\"", "\"kely\"", "sizing.method"),
            ("\"kelly\"", "\"fixed-quantity\"", "sizing.quantity"),
            ("\"kelly\"", "\"kelly\"\nquantity = \"0.5\"", "sizing.quantity"),
            ("\"kelly\"", "\"fixed-quantity\"\nquantity = \"-1\"", "sizing.quantity"),
            ("fee_ppm = 150", "fee_ppm = -1", "sizing.fee_ppm"),
            ("prior_strength = 30", "prior_strength = 0", "sizing.kelly.prior_strength"),
            ("prior_strength = 30", "prior_strength = -3", "sizing.kelly.prior_strength"),
            ("prior_strength = 30", "prior_strength = \"30\"", "sizing.kelly.prior_strength"),
            ("prior_strength = 30", "prior = 30", "sizing.kelly.prior"),
            ("prior_strength = 30", "cap_ppm = 100001", "sizing.kelly.cap_ppm"),
            ("prior_strength = 30", "drawdown_limit_ppm = 0", "sizing.kelly.drawdown_limit_ppm"),
            ("prior_strength = 30", "lower_quantile_ppm = 900000", "sizing.kelly.lower_quantile_ppm"),
            (
                "volatility_target_ppm = 800",
                "volatility_target_ppm = 0",
                "sizing.kelly.volatility_target_ppm",
            ),
            ("open_ppm_max = 40000", "open_ppm_max = 10000", "sizing.heat.cluster_ppm_max"),
            ("open_ppm_max = 40000", "correlation_ppm = 2000000", "sizing.heat.correlation_ppm"),
            ("[sizing.heat]", "[sizing.cool]", "cool"),
        ] {
            let text = refusal(from, to);
            assert!(text.contains(named) && !text.contains('\n'), "{from} -> {to}: {text}");
        }
    }
}
