//! Who knows the future is caught, and who does not passes (V-05, V-06).
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use smc_core::event::Bar;
use smc_core::smc::SmcParams;
use smc_core::words::{Price, Qty, Timeframe, TsNs};
use smc_metrics::Random;
use smc_validate::ValidateError;
use smc_validate::fixtures::{coin, features, planted};
use smc_validate::look_ahead::feature::{
    Feature, FeatureBar, search, search_cold, search_perturbation, search_truncation,
};
use smc_validate::look_ahead::stream::{self, Build, Machine, Samples, Structures};
use smc_validate::look_ahead::{Test, run};
use smc_validate::market::{Markets, Periods};
use smc_validate::pipeline::{Conditions, Decision, Grid, Pipeline, Record};
use smc_validate::workers::Workers;
use std::path::PathBuf;

/// Bars that move enough for rare moves to be there.
fn bars(count: usize) -> Vec<FeatureBar> {
    let markets = planted::with_edge(5, planted::News::Thrown).unwrap();
    let market = markets.first();
    let bar = |at: usize| FeatureBar {
        open_ns: market.open_ns[at],
        prices: market.prices[at],
        volume: market.volume[at],
    };
    (0..count).map(bar).collect()
}

#[test]
fn ten_ways_to_know_the_future_are_caught_each_by_both_tests() {
    let bars = bars(1_500);
    let planted = features::planted();
    assert_eq!(planted.len(), 12);
    for feature in &planted {
        let truncation = search_truncation(feature, &bars, Workers::of_machine());
        let perturbation = search_perturbation(feature, &bars, 1, Workers::of_machine());
        println!("{}: {truncation:?} {perturbation:?}", feature.name());
        let searched = search(feature, &bars, 1, Workers::of_machine());
        assert!(searched.found.is_some(), "{}", feature.name());
        assert!(truncation.is_some() && perturbation.is_some(), "{}", feature.name());
    }
}

#[test]
fn honest_features_pass_and_are_warm_when_they_say() {
    let bars = bars(3_000);
    let starts = [1, 7, 96, 333, 1_200];
    for feature in &features::honest() {
        let searched = search(feature, &bars, 2, Workers::of_machine());
        assert_eq!((searched.found, searched.cuts), (None, 3_000), "{}", feature.name());
        assert_eq!(search_cold(feature, &bars, &starts, Workers::of_machine()), None, "{}", feature.name());
    }
}

/// A feature that declares less memory than it has is told.
#[test]
fn a_warm_up_that_is_too_short_is_told() {
    struct Hasty;
    impl Feature for Hasty {
        fn name(&self) -> &str {
            "hasty"
        }
        fn memory(&self) -> smc_validate::look_ahead::feature::Memory {
            smc_validate::look_ahead::feature::Memory::Fading(50)
        }
        fn build(&self, bars: &[FeatureBar]) -> Vec<f64> {
            let slow = features::honest();
            slow.iter().find(|feature| feature.name() == "exponential average").unwrap().build(bars)
        }
    }
    let cold = search_cold(&Hasty, &bars(500), &[100], Workers::ONE).unwrap();
    assert_eq!(cold.at, 150);
}

/// Recorded quarters of an hour, then a walk in ticks so coarse that ties are everywhere: 50,000 bars.
fn structure_bars(count: usize) -> Vec<Bar> {
    let mut bars = recorded();
    bars.truncate(count);
    let mut random = Random::new(50);
    let mut last = bars.last().map_or(10_000, |bar| bar.close.0);
    let first_ts = bars.last().map_or(0, |bar| bar.open_ts.0) / 900_000_000_000 + 1;
    let tick = (last / 10_000).max(1);
    for nth in 0..(count - bars.len()) as u64 {
        let mut step = || (random.below(21) as i64 - 10) * tick;
        let open = (last + step() / 10).max(100 * tick);
        let close = (open + step()).max(100 * tick);
        let (up, down) = (step().abs(), step().abs());
        bars.push(Bar {
            open_ts: TsNs((first_ts + nth) * 900_000_000_000),
            open: Price(open),
            high: Price(open.max(close) + up),
            low: Price((open.min(close) - down).max(tick)),
            close: Price(close),
            volume: Qty(random.below(1_000) as i64 * 100_000_000),
            trades: 1,
        });
        last = close;
    }
    bars
}

fn recorded() -> Vec<Bar> {
    let mut at = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = loop {
        if !at.pop() {
            println!("skipped: shared/data/smc/EURUSD_15M.csv absent, generated bars stand for it");
            return Vec::new();
        }
        if let Ok(text) = std::fs::read_to_string(at.join("shared/data/smc/EURUSD_15M.csv")) {
            break text;
        }
    };
    let bar = |(nth, line): (usize, &str)| {
        let cells: Vec<&str> = line.split(',').collect();
        let price = |at: usize| Price::parse(cells[at].as_bytes()).unwrap();
        Bar {
            // Their own times have holes; order is all that matters here, and the calendar sees days of 96 bars.
            open_ts: TsNs(nth as u64 * 900_000_000_000),
            open: price(1),
            high: price(2),
            low: price(3),
            close: price(4),
            volume: Qty::parse(cells[5].as_bytes()).unwrap(),
            trades: 1,
        }
    };
    text.lines().skip(1).enumerate().map(bar).collect()
}

/// V-05: every bar of a 50,000-bar set, with everything that the engine says and remembers.
#[test]
fn market_structure_knows_nothing_of_the_future_at_any_of_50_000_bars() {
    let bars = structure_bars(50_000);
    let timeframe = Timeframe::parse("15m").unwrap();
    let samples = Samples { prefixes: 8, perturbed: 8, seed: 9 };
    for (name, params) in [("everything", SmcParams::everything()), ("as by default", SmcParams::default())] {
        let build = Structures::new(name, timeframe, params);
        let searched = stream::search(&build, &bars, samples, Workers::of_machine());
        println!("{searched:?}");
        assert_eq!((searched.found, searched.cuts), (None, 50_000));
        let mut machine = build.build(&[]);
        let mut said = Vec::new();
        let mut words = 0;
        for bar in &bars {
            said.clear();
            machine.on_bar(bar, &mut said);
            words += usize::from(!said.is_empty());
        }
        assert!(!machine.is_early(), "said before it was known");
        assert!(words > 5_000, "{words} bars said something");
    }
}

/// A machine that peeks at what it was shown when it was built.
struct Peeking {
    how: Peek,
}

#[derive(Clone, Copy, PartialEq)]
enum Peek {
    /// The next close, from the data in sight.
    Next,
    /// A scale fitted to all data in sight.
    Scale,
    /// A field that is not saved.
    Forgotten,
    /// Nothing wrong.
    Honest,
}

struct Peeker {
    how: Peek,
    closes: Vec<i64>,
    scale: i64,
    count: u32,
    hidden: i64,
}

impl Build for Peeking {
    type Machine = Peeker;

    fn name(&self) -> &str {
        "peeking"
    }

    fn build(&self, in_sight: &[Bar]) -> Peeker {
        let closes: Vec<i64> = in_sight.iter().map(|bar| bar.close.0).collect();
        let scale = closes.iter().copied().max().unwrap_or(1);
        Peeker { how: self.how, closes, scale, count: 0, hidden: 0 }
    }
}

impl Machine for Peeker {
    fn on_bar(&mut self, bar: &Bar, said: &mut Vec<u8>) {
        self.count += 1;
        self.hidden += bar.close.0;
        let value = match self.how {
            Peek::Next => self.closes.get(self.count as usize).copied().unwrap_or(bar.close.0),
            Peek::Scale => bar.close.0 * 1_000 / self.scale,
            Peek::Forgotten => self.hidden,
            Peek::Honest => bar.close.0,
        };
        said.extend_from_slice(&value.to_le_bytes());
    }

    fn save(&mut self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.count.to_le_bytes());
    }

    fn load(&mut self, bytes: &[u8]) -> bool {
        bytes.try_into().map(|bytes| self.count = u32::from_le_bytes(bytes)).is_ok()
    }
}

#[test]
fn a_machine_that_peeks_or_forgets_is_caught() {
    let bars = structure_bars(1_200);
    let samples = Samples { prefixes: 20, perturbed: 20, seed: 3 };
    let found = |how| stream::search(&Peeking { how }, &bars, samples, Workers::of_machine()).found;
    assert_eq!(found(Peek::Honest), None);
    for how in [Peek::Next, Peek::Scale, Peek::Forgotten] {
        assert_eq!(found(how).map(|found| found.by), Some(Test::Truncation));
    }
}

/// A pipeline that trades the direction of a bar before it has come: entered and left within a day, so that no return and no
/// closed trade shows it.
struct Prophet {
    inner: coin::Coin,
    reads_on: bool,
}

impl Pipeline for Prophet {
    fn strategy(&self) -> &str {
        "prophet"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn grid(&self) -> &Grid {
        self.inner.grid()
    }

    fn run(
        &self,
        markets: &Markets,
        periods: &Periods,
        candidates: &[usize],
        _under: Conditions,
    ) -> Result<Vec<Record>, ValidateError> {
        let prices = &markets.first().prices;
        let one = |_: &usize| {
            let mut record = Record::blank(periods.count());
            // Once a day: decided before the bar, settled with it.
            for at in (11..=prices.len()).step_by(24) {
                let signal = if self.reads_on { at.min(prices.len() - 1) } else { at - 1 };
                let side = (prices[signal].close - prices[signal].open).signum();
                let at_ns = markets.first().open_ns[at - 1] + markets.first().bar_ns;
                record.decisions.push(Decision { at_ns, what: u64::from(side > 0.0) });
                if let Some(bar) = prices.get(at) {
                    record.returns[periods.of_bar(at)] += side * (bar.close / bar.open - 1.0);
                }
            }
            record
        };
        Ok(candidates.iter().map(one).collect())
    }
}

#[test]
fn a_pipeline_that_reads_on_is_caught_and_an_honest_one_passes_at_every_bar() {
    let markets = coin::walk(3).unwrap().prefix(1_000);
    let search = |pipeline: &dyn Pipeline| {
        let under = Conditions::plain(1);
        let day = 86_400_000_000_000;
        run::search(pipeline, &markets, day, 0, under, run::Cuts::Every, Workers::of_machine()).unwrap()
    };
    let prophet = |reads_on| Prophet { inner: coin::Coin::new(1).unwrap(), reads_on };
    let found = search(&prophet(true)).found;
    assert_eq!(found.map(|found| found.by), Some(Test::Truncation));
    let honest = search(&prophet(false));
    assert_eq!((honest.found, honest.cuts), (None, 1_000));
    assert_eq!(search(&coin::Coin::new(4).unwrap()).found, None);
    let rule = planted::Rule::new("1").unwrap();
    let planted = planted::with_edge(1, planted::News::Dealt).unwrap().prefix(2_000);
    let day = 86_400_000_000_000;
    let searched = run::search(
        &rule,
        &planted,
        day,
        rule.best(),
        Conditions::plain(1),
        run::Cuts::Every,
        Workers::of_machine(),
    )
    .unwrap();
    assert_eq!((searched.found, searched.cuts), (None, 2_000));
}
