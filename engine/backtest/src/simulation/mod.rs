//! The run: who hears what when.
//!
//! Simulated time. The exchange moves with its market; we hear of it after the feed's delay; what we send arrives after the
//! entry's delay; what became of it we hear after the response's. Of one instant, in this order: what the market did, what
//! it pays and takes for holding, what we hear of our orders, what we hear of the market, what arrives from us, what opens.
//! Timers lie on the engine's grid as in life, and where nothing happens for longer they are left out as there.
//!
//! The engine is the one that trades; nothing of it knows that this is no market.
//!
//! In markets of bars there is no delay: a decision at a close acts from the next opening, and nothing shorter can be told.

mod holding;
mod run;

use crate::market::{Market, MarketError};
use crate::outcome::{Ended, Outcome};
use crate::settings::{SettingError, VenueSettings};
use crate::watch::Watch;
use run::Run;
use smc_core::Engine;
use smc_core::config::{ConfigError, EngineConfig};
use smc_core::event::Event;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::outbox::Outbox;
use smc_core::output::TradingState;
use smc_core::strategy::Strategy;
use smc_core::words::{InstrumentId, Money, Name, Price, Qty, TsNs};
use std::fmt;

/// Records between two digests, as live.
const DIGEST_EVERY: u64 = 65_536;
/// A gap over more grid points than this has one timer, as live.
const TIMERS_AT_ONCE_MAX: u64 = 32;
const DAY_NS: u64 = 86_400_000_000_000;

/// What is to be kept of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Length of the periods of returns.
    pub period_ns: u64,
    /// Bars and structures, for charts.
    pub record: bool,
}

impl Default for Wanted {
    /// Days, and nothing for charts.
    fn default() -> Self {
        Self { period_ns: DAY_NS, record: false }
    }
}

/// Periods of returns, longest first.
const PERIODS_NS: [u64; 4] = [DAY_NS, DAY_NS / 24, DAY_NS / 1_440, DAY_NS / 86_400];
/// Periods that a run should have before its returns say anything.
const PERIODS_WANTED: u64 = 20;

/// Days, or as much shorter as makes enough of them.
pub fn fitting_period_ns((first, last): (TsNs, TsNs)) -> u64 {
    let fits = |length: &&u64| last.since(first) / **length >= PERIODS_WANTED;
    PERIODS_NS.iter().find(fits).copied().unwrap_or(DAY_NS / 86_400)
}

/// Where a run is written down: a journal, as live.
pub trait Log {
    /// Inputs are kept: their bytes are needed.
    const IS_KEPT: bool = true;
    /// The number of the next record.
    fn next_seq(&self) -> u64;
    /// One record.
    fn append(&mut self, record: Record<'_>, ts: TsNs) -> Result<(), String>;
}

/// One record of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// An event, and its bytes where the log keeps them.
    Input(&'a Event, &'a [u8]),
    /// What the engine said.
    Output(&'a [u8]),
    /// The fingerprint of all that it said.
    Digest([u8; 16]),
}

/// Nothing is written down; records are counted as if they were.
#[derive(Debug)]
pub struct NoLog(u64);

impl Default for NoLog {
    fn default() -> Self {
        Self(1)
    }
}

impl Log for NoLog {
    const IS_KEPT: bool = false;

    fn next_seq(&self) -> u64 {
        self.0
    }

    fn append(&mut self, _: Record<'_>, _: TsNs) -> Result<(), String> {
        self.0 += 1;
        Ok(())
    }
}

/// Why there is no outcome.
#[derive(Debug)]
pub enum BacktestError {
    /// The market.
    Market(MarketError),
    /// The exchange's settings.
    Setting(SettingError),
    /// The engine's configuration.
    Config(ConfigError),
    /// Instruments of the market and of the configuration differ: how many there are of each.
    Instruments(usize, usize),
    /// An instrument's rules make no sense.
    Rules(InstrumentId, usize),
    /// The engine did not become ready to trade; its state.
    NotReady(TradingState),
    /// The engine's books are not the exchange's. A fault of this program.
    Books {
        /// When.
        at: TsNs,
        /// Of what.
        instrument: InstrumentId,
        /// What the engine has, and what it was told, in 1e-16.
        cash: (i128, i128),
        /// The same of the position.
        qty: (i128, i128),
    },
    /// The journal.
    Log(String),
}

impl fmt::Display for BacktestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Market(error) => write!(f, "data: {error}"),
            Self::Setting(error) => write!(f, "{error}"),
            Self::Config(error) => write!(f, "configuration: {error}"),
            Self::Instruments(data, config) => {
                write!(f, "data has {data} instruments and the configuration {config}")
            }
            Self::Rules(id, rule) => {
                write!(f, "instrument {}: rule {rule} of its specification makes no sense", id.0)
            }
            Self::NotReady(state) => write!(f, "the engine did not become ready to trade: {state:?}"),
            Self::Books { at, instrument, cash, qty } => write!(
                f,
                "the books do not agree at {}, instrument {}: cash {} and {}, quantity {} and {}; please report this",
                at.0, instrument.0, cash.0, cash.1, qty.0, qty.1
            ),
            Self::Log(error) => write!(f, "journal: {error}"),
        }
    }
}

impl std::error::Error for BacktestError {}

/// Runs a configuration and a strategy over a market.
pub fn run<S: Strategy>(
    config: &EngineConfig,
    strategy: S,
    market: &Market,
    venue: &VenueSettings,
    wanted: Wanted,
) -> Result<Outcome, BacktestError> {
    run_logged(config, strategy, market, venue, wanted, &mut NoLog::default())
}

/// The same, written down.
pub fn run_logged<S: Strategy, L: Log>(
    config: &EngineConfig,
    strategy: S,
    market: &Market,
    venue: &VenueSettings,
    wanted: Wanted,
    log: &mut L,
) -> Result<Outcome, BacktestError> {
    let mut run = Run::new(config, strategy, market, venue, wanted, log)?;
    run.prepare()?;
    run.play()?;
    Ok(run.finish())
}

/// What an engine made of what was recorded: the inputs of a journal, answered by the venue of then. Nothing is simulated;
/// the outputs are those of the recorded run where configuration and strategy are. `look` sees each event with all that was
/// said to it.
pub fn run_recorded<S: Strategy>(
    config: &EngineConfig,
    strategy: S,
    inputs: impl IntoIterator<Item = Event>,
    wanted: Wanted,
    mut look: impl FnMut(&Event, &Outbox),
) -> Result<Outcome, BacktestError> {
    let mut engine = Engine::new(config.clone(), strategy).map_err(BacktestError::Config)?;
    let blank = InstrumentSpec {
        symbol: Name::EMPTY,
        base: Name::EMPTY,
        quote: Name::EMPTY,
        tick: Price::ZERO,
        lot: Qty::ZERO,
        qty_min: Qty::ZERO,
        qty_max: Qty::ZERO,
        notional_min: Money::ZERO,
        status: TradingStatus::Unknown,
        contract: Contract::SPOT,
    };
    let mut watch = Watch::new(config, &vec![blank; config.instruments.len()], wanted, false);
    let (mut outbox, mut last, mut is_begun) = (Outbox::new(), TsNs(0), false);
    for event in inputs {
        watch.before(&event, &engine);
        watch.note_recorded(&event, &engine);
        engine.on_event(&event, &mut outbox);
        look(&event, &outbox);
        watch.after(&event, outbox.outputs(), &engine);
        outbox.clear();
        if !is_begun && engine.equity() > Money::ZERO {
            is_begun = true;
            watch.begin(event.ts_recv, &engine);
        }
        let _ = watch.is_liquidated(&event, &engine);
        last = event.ts_recv;
    }
    let costs = watch.recorded_costs();
    Ok(watch.finish(last, &engine, costs, Ended::EndOfData))
}
