//! The engine itself as a pipeline: the configuration with one cell of the grid written into it, over bars, against the simulated
//! exchange.
//!
//! Permutations are made of bars, so this pipeline takes bars, one series an instrument. A parameter is the dotted name of a key of
//! the configuration (`strategy.reward_to_risk_ppm_min`), its values are TOML.

use crate::ValidateError;
use crate::look_ahead::Searched;
use crate::look_ahead::stream::{Samples, Structures, search};
use crate::market::{Market as Plain, Markets, Periods};
use crate::pipeline::{Conditions, Decision, Grid, Pipeline, Record, Trade};
use crate::workers::Workers;
use smc_backtest::simulation::{Log, Record as Written};
use smc_backtest::{Market, Outcome, VenueSettings, Wanted, run_logged};
use smc_core::config::EngineConfig;
use smc_core::digest::Digest;
use smc_core::event::{Bar, Event, EventBody};
use smc_core::instrument::InstrumentSpec;
use smc_core::strategy::Confluence;
use smc_core::words::{Price, Qty, SCALE, Timeframe, TsNs};
use smc_history::{Loaded, venue};
use smc_metrics::permutation::Ohlc;
use smc_settings::file::FileConfig;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

thread_local! {
    /// Memory of the last run's market, for the next one.
    static FORMER: Cell<Vec<Event>> = const { Cell::new(Vec::new()) };
}

/// The built-in strategy under a configuration and a grid.
pub struct EnginePipeline {
    strategy: String,
    version: String,
    grid: Grid,
    /// A cell each.
    cells: Vec<(EngineConfig, VenueSettings)>,
    /// Files that cells name, by name and hash.
    files: Vec<(String, String)>,
    instruments: Vec<InstrumentSpec>,
    timeframe: Timeframe,
}

impl EnginePipeline {
    /// Writes every cell into the configuration and reads it; `base` is where its files are found. The version is a hash of the
    /// configuration's values (of no comment), of the files that it names, of the grid and of the engine's build: whatever changes one
    /// of them is another version.
    pub fn new(
        strategy: &str,
        text: &str,
        base: &Path,
        grid: Grid,
        loaded: &Loaded,
        timeframe: Timeframe,
    ) -> Result<Self, ValidateError> {
        let refused = |error: &dyn std::fmt::Display| ValidateError::Pipeline(error.to_string());
        let is_plain = grid.parameters().iter().all(|one| one.name == Grid::AS_CONFIGURED);
        let mut cells = Vec::with_capacity(grid.count());
        let mut files = BTreeMap::new();
        for candidate in 0..grid.count() {
            let text = if is_plain { text.to_owned() } else { written(text, &grid, candidate)? };
            let file = FileConfig::parse(&text).map_err(|error| {
                ValidateError::Pipeline(format!("with {:?}: {error}", grid.values(candidate)))
            })?;
            let config = file.engine().map_err(|error| refused(&error))?;
            let exchange = venue::settings(&file, base).map_err(|error| refused(&error))?;
            for name in [&file.backtest.latency_file, &file.backtest.funding_file].into_iter().flatten() {
                let shown = name.display().to_string();
                if let Entry::Vacant(place) = files.entry(shown) {
                    let bytes = std::fs::read(base.join(name))
                        .map_err(|error| ValidateError::Pipeline(format!("{}: {error}", place.key())))?;
                    place.insert(blake3::hash(&bytes).to_hex().to_string());
                }
            }
            cells.push((config, exchange));
        }
        let files: Vec<(String, String)> = files.into_iter().collect();
        let values: toml::Table = toml::from_str(text).map_err(|error| refused(&error))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(smc_core::BUILD.as_bytes()).update(b"\n");
        hasher.update(toml::Value::Table(values).to_string().as_bytes());
        hasher.update(format!("\n{files:?}\n{:?}", grid.parameters()).as_bytes());
        let version: String = hasher.finalize().to_hex().chars().take(16).collect();
        let instruments = loaded.market.instruments.clone();
        Ok(Self { strategy: strategy.into(), version, grid, cells, files, instruments, timeframe })
    }

    /// One run of the engine.
    fn outcome(
        &self,
        market: &Market,
        candidate: usize,
        under: Conditions,
        log: &mut Decisions,
    ) -> Result<Outcome, ValidateError> {
        let (config, exchange) = &self.cells[candidate];
        let dearer = |ppm: i32| if ppm > 0 { (f64::from(ppm) * under.fees) as i32 } else { ppm };
        let mut exchange = exchange.clone();
        exchange.seed = under.seed;
        // The simulator gives bars no latency that could be doubled: what is new comes a part of a bar late instead.
        if under.latency > 1.0 {
            exchange.late_ppm = (f64::from(LATENCY_PPM) * under.latency).min(1e6) as u32;
        }
        for fees in &mut exchange.fees {
            (fees.maker_ppm, fees.taker_ppm) = (dearer(fees.maker_ppm), dearer(fees.taker_ppm));
        }
        // Of the fills that the configuration leaves, so that the world is worse whatever it says itself.
        let filled = (1.0 - f64::from(exchange.missed_fills_ppm) / 1e6) * under.fills;
        exchange.missed_fills_ppm = ((1.0 - filled) * 1e6).round() as u32;
        // A point a bar, so that periods can be made of the bars that lie in them.
        let wanted = Wanted { period_ns: self.timeframe.nanos(), record: false };
        let strategy = Confluence::for_config(config);
        run_logged(config, strategy, market, &exchange, wanted, log)
            .map_err(|error| ValidateError::Pipeline(error.to_string()))
    }

    fn market(&self, markets: &Markets, former: Vec<Event>) -> Result<Market, ValidateError> {
        if markets.all().len() != self.instruments.len() {
            return Err(ValidateError::Pipeline("other markets than the configuration has".into()));
        }
        let series: Vec<_> = markets.all().iter().map(bars_of).collect();
        Ok(Market::of_bars_in(former, self.instruments.clone(), self.timeframe, series))
    }
}

impl Pipeline for EnginePipeline {
    fn strategy(&self) -> &str {
        &self.strategy
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn run(
        &self,
        markets: &Markets,
        periods: &Periods,
        candidates: &[usize],
        under: Conditions,
    ) -> Result<Vec<Record>, ValidateError> {
        let market = self.market(markets, FORMER.take())?;
        let one = |candidate: &usize| {
            let mut log = Decisions { is_told: under.tells_decisions, ..Decisions::default() };
            let outcome = self.outcome(&market, *candidate, under, &mut log)?;
            Ok(record_of(&outcome, log.made, periods))
        };
        let records = candidates.iter().map(one).collect();
        FORMER.set(market.events);
        records
    }

    /// Market structure with the settings of the configuration, over the bars as they are.
    fn search_features(
        &self,
        markets: &Markets,
        candidate: usize,
        seed: u64,
        workers: Workers,
    ) -> Vec<Searched> {
        let samples = Samples { prefixes: 4, perturbed: 8, seed };
        let Some((config, _)) = self.cells.get(candidate) else { return Vec::new() };
        let one = |market: &Plain| {
            let name = format!("market structure of {} on {}", market.name, self.timeframe);
            search(
                &Structures::new(name, self.timeframe, config.smc),
                &bars_of(market).collect::<Vec<_>>(),
                samples,
                workers,
            )
        };
        markets.all().iter().map(one).collect()
    }

    fn files(&self) -> &[(String, String)] {
        &self.files
    }
}

/// Part of a bar, in ppm, that the usual latency takes: the planted edge of the fixtures has the same. Of a minute it is 0.6 s.
const LATENCY_PPM: u32 = 10_000;

/// The configuration with the values of a cell.
fn written(text: &str, grid: &Grid, candidate: usize) -> Result<String, ValidateError> {
    let refused = |reason: String| ValidateError::Pipeline(reason);
    let mut table: toml::Table = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
    for (name, value) in grid.values(candidate) {
        let parsed: toml::Table = toml::from_str(&format!("value = {value}"))
            .map_err(|_| refused(format!("grid: {name}: `{value}` is not TOML; texts need quotes")))?;
        let Some(value) = parsed.get("value") else { continue };
        let mut keys: Vec<&str> = name.split('.').collect();
        let Some(last) = keys.pop() else { continue };
        let mut at = &mut table;
        for key in keys {
            let inner = at.entry(key).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            at = inner
                .as_table_mut()
                .ok_or_else(|| refused(format!("grid: {name}: `{key}` is no section")))?;
        }
        at.insert(last.to_owned(), value.clone());
    }
    toml::to_string(&table).map_err(|error| refused(error.to_string()))
}

/// What the engine said to each closed bar, folded: structures, signals, orders, cancels. Bars bear the exchange's time of
/// their close, whatever the feed's delay. What fills and timers made it say follows from these and from what comes later.
#[derive(Default)]
struct Decisions {
    made: Vec<Decision>,
    /// Whether anybody asks what they were, and not only when.
    is_told: bool,
    seq: u64,
    /// Close of the bar that is being answered.
    bar_ns: Option<u64>,
    folded: Digest,
    is_open: bool,
}

impl Log for Decisions {
    const IS_KEPT: bool = false;

    fn next_seq(&self) -> u64 {
        self.seq
    }

    fn append(&mut self, record: Written<'_>, _ts: TsNs) -> Result<(), String> {
        self.seq += 1;
        match record {
            Written::Input(event, _) => {
                self.bar_ns = match event.body {
                    EventBody::Bar(..) => Some(event.ts_event.0),
                    _ => None,
                };
                self.is_open = false;
            }
            Written::Output(bytes) => {
                if let Some(at_ns) = self.bar_ns {
                    if !self.is_open {
                        (self.is_open, self.folded) = (true, Digest::default());
                        self.made.push(Decision { at_ns, what: 0 });
                    }
                    if !self.is_told {
                        return Ok(());
                    }
                    self.folded.fold(bytes);
                    let what = self
                        .folded
                        .to_bytes()
                        .as_chunks::<8>()
                        .0
                        .iter()
                        .fold(0, |what: u64, lane| what.rotate_left(32) ^ u64::from_le_bytes(*lane));
                    if let Some(made) = self.made.last_mut() {
                        made.what = what;
                    }
                }
            }
            Written::Digest(_) => {}
        }
        Ok(())
    }
}

/// Returns by period and trades as fractions of equity.
fn record_of(outcome: &Outcome, decisions: Vec<Decision>, periods: &Periods) -> Record {
    let mut record = Record { decisions, ..Record::blank(periods.count()) };
    let mut equity = outcome.starting_equity.0 as f64;
    for point in &outcome.points {
        // A bar that closes at midnight belongs to the day before.
        let closes_ns = point.ts.0 / outcome.period_ns * outcome.period_ns;
        let Some(at) = periods.of_moment(closes_ns.saturating_sub(1)) else { continue };
        let after = point.equity.0 as f64;
        if equity > 0.0 {
            record.returns[at] = (1.0 + record.returns[at]) * (after / equity) - 1.0;
            record.traded[at] += point.turnover.0 as f64 / equity;
        }
        record.held[at] |= point.exposed_ns > 0 || point.exposure.0 > 0;
        equity = after;
    }
    for trade in &outcome.trades {
        let before = outcome.points.partition_point(|point| point.ts < trade.opened);
        let equity = before.checked_sub(1).map_or(outcome.starting_equity, |at| outcome.points[at].equity);
        let decided = record.decisions.partition_point(|made| made.at_ns <= trade.opened.0);
        let Some(decided_ns) = decided.checked_sub(1).map(|at| record.decisions[at].at_ns) else { continue };
        // What no signal opened has no R and nothing to do with the strategy.
        let Some(r) = trade.r().filter(|_| equity.0 > 0) else { continue };
        let share = |money: i64| money as f64 / equity.0 as f64;
        record.trades.push(Trade {
            decided_ns,
            opened_ns: trade.opened.0,
            closed_ns: trade.closed.0,
            r,
            gross: share(trade.gross.0),
            costs: share(trade.gross.0) - share(trade.net.0),
            slippage: share(trade.slippage.0),
        });
    }
    record.trades.sort_by_key(|trade| trade.closed_ns);
    record
}

/// Bars of a loaded market, plain; with them the length of a bar. Refuses what is not bars of one length.
pub fn plain(loaded: &Loaded) -> Result<(Markets, Timeframe), ValidateError> {
    let refused = |reason: &str| ValidateError::Pipeline(reason.into());
    // As `smc backtest` names it in the ledger.
    let sources: Vec<&str> = loaded.sources.iter().map(|source| source.hash.as_str()).collect();
    let source = sources.join("+");
    let mut timeframe = None;
    let mut markets: Vec<Plain> = loaded
        .market
        .instruments
        .iter()
        .map(|spec| Plain {
            name: spec.symbol.to_string(),
            source: source.clone(),
            tick: spec.tick.0 as f64 / SCALE as f64,
            bar_ns: 0,
            open_ns: Vec::new(),
            prices: Vec::new(),
            volume: Vec::new(),
        })
        .collect();
    for event in &loaded.market.events {
        let (of, bar) = match event.body {
            EventBody::Bar(of, bar) => (of, bar),
            EventBody::Trade(_) | EventBody::Quote(_) | EventBody::Book(_) => {
                return Err(refused("permutations are made of bars: give bars, not trades, quotes or books"));
            }
            _ => continue,
        };
        if *timeframe.get_or_insert(of) != of {
            return Err(refused("bars of several lengths: give one"));
        }
        let Some(market) = markets.get_mut(event.instrument.index()) else { continue };
        let price = |price: Price| price.0 as f64 / SCALE as f64;
        market.bar_ns = of.nanos();
        market.open_ns.push(bar.open_ts.0);
        market.prices.push(Ohlc {
            open: price(bar.open),
            high: price(bar.high),
            low: price(bar.low),
            close: price(bar.close),
        });
        market.volume.push(bar.volume.0 as f64 / SCALE as f64);
    }
    let timeframe = timeframe.ok_or_else(|| refused("no bars"))?;
    Ok((Markets::new(markets)?, timeframe))
}

/// Back to exact prices: the nearest steps.
fn bars_of(market: &Plain) -> impl ExactSizeIterator<Item = Bar> {
    let scale = SCALE as f64;
    let step = ((market.tick * scale).round() as i64).max(1);
    let price = move |value: f64| Price(((value * scale / step as f64).round() as i64).max(1) * step);
    let bar = move |at: usize| {
        let prices = market.prices[at];
        let volume = Qty((market.volume[at] * scale).round() as i64);
        Bar {
            open_ts: TsNs(market.open_ns[at]),
            open: price(prices.open),
            high: price(prices.high),
            low: price(prices.low),
            close: price(prices.close),
            volume,
            trades: u32::from(volume.0 > 0),
        }
    };
    (0..market.open_ns.len()).map(bar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Parameter;

    #[test]
    fn a_cell_is_written_into_the_configuration() {
        let parameter = |name: &str, values: &[&str]| Parameter {
            name: name.into(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let grid = Grid::new(vec![
            parameter("strategy.reward", &["1", "2"]),
            parameter("smc.tolerance", &["\"0.1 atr\"", "\"0.2 atr\""]),
        ])
        .unwrap();
        let text = written("[strategy]\nreward = 5\nkeep = true\n", &grid, 1).unwrap();
        let table: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(table["strategy"]["reward"].as_integer(), Some(1));
        assert_eq!(table["strategy"]["keep"].as_bool(), Some(true));
        assert_eq!(table["smc"]["tolerance"].as_str(), Some("0.2 atr"));
        let bad = Grid::new(vec![parameter("strategy.reward.deep", &["1"])]).unwrap();
        assert!(written("[strategy]\nreward = 5\n", &bad, 0).is_err());
        let bad = Grid::new(vec![parameter("strategy.reward", &["0.1 atr"])]).unwrap();
        assert!(written("", &bad, 0).is_err());
    }

    #[test]
    fn prices_come_back_as_they_were() {
        let mut random = smc_metrics::Random::new(4);
        let tick = 0.000_01;
        let step = 1_000;
        let exact: Vec<i64> = (0..1_000).map(|_| (1 + random.below(1 << 40) as i64) * step).collect();
        let ohlc = |price: &i64| {
            let price = *price as f64 / SCALE as f64;
            Ohlc { open: price, high: price, low: price, close: price }
        };
        let market = Plain {
            name: "A".into(),
            source: String::new(),
            tick,
            bar_ns: 60,
            open_ns: (0..1_000).map(|nth| nth * 60).collect(),
            prices: exact.iter().map(ohlc).collect(),
            volume: vec![1.5; 1_000],
        };
        assert!(bars_of(&market).map(|bar| bar.close.0).eq(exact));
    }
}
