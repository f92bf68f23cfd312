//! The engine before the referee: causal at every cut, other cells trade otherwise, the same figures as a plain backtest.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod config;

use smc_backtest::{Market, Wanted, run};
use smc_core::event::Bar;
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::strategy::Confluence;
use smc_core::words::{Money, Name, Price, Qty, SCALE, Timeframe, TsNs};
use smc_history::{Loaded, Source};
use smc_metrics::Random;
use smc_settings::file::FileConfig;
use smc_validate::engine::{EnginePipeline, plain};
use smc_validate::fixtures::{DAY_NS, HOUR_NS};
use smc_validate::look_ahead::run::{Cuts, search};
use smc_validate::market::Periods;
use smc_validate::pipeline::{Conditions, Grid, Parameter, Pipeline, run_checked};
use smc_validate::workers::Workers;
use std::path::Path;

fn spec() -> InstrumentSpec {
    let name = |text| Name::new(text).unwrap();
    InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: Price(SCALE / 100),
        lot: Qty(SCALE / 1_000),
        qty_min: Qty(SCALE / 1_000),
        qty_max: Qty(9_000 * SCALE),
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

fn loaded(count: u64) -> Loaded {
    let mut random = Random::new(17);
    let mut last = 30_000 * SCALE;
    let tick = SCALE / 100;
    let bars: Vec<Bar> = (0..count)
        .map(|nth| {
            let mut step = || (random.normal() * 120.0) as i64 * 100 * tick / 10;
            let (open, close) = (last, (last + step()).max(1_000 * SCALE));
            let (up, down) = (step().abs(), step().abs());
            last = close;
            Bar {
                open_ts: TsNs(1_767_225_600_000_000_000 + nth * HOUR_NS),
                open: Price(open),
                high: Price(open.max(close) + up),
                low: Price(open.min(close) - down),
                close: Price(close),
                volume: Qty(10 * SCALE),
                trades: 1,
            }
        })
        .collect();
    let source = Source {
        name: "walk".into(),
        bytes: 0,
        hash: "walk".into(),
        format: "generated".into(),
        events: count,
        refused: 0,
    };
    let market = Market::of_bars(vec![spec()], Timeframe::parse("1h").unwrap(), vec![bars]);
    Loaded { market, sources: vec![source], refused: vec![] }
}

fn pipeline(loaded: &Loaded, timeframe: Timeframe) -> EnginePipeline {
    let grid = Grid::new(vec![Parameter {
        name: "strategy.target_risk_ppm".into(),
        values: vec!["1000000".into(), "2000000".into()],
    }]);
    EnginePipeline::new("load", config::TEXT, Path::new("."), grid.unwrap(), loaded, timeframe).unwrap()
}

#[test]
fn the_engine_is_causal_and_its_records_are_those_of_a_backtest() {
    let loaded = loaded(2_400);
    let (markets, timeframe) = plain(&loaded).unwrap();
    let pipeline = pipeline(&loaded, timeframe);
    let periods = Periods::of(&markets, DAY_NS).unwrap();
    let under = Conditions::plain(1);
    let records = run_checked(&pipeline, &markets, &periods, &[0, 1], under).unwrap();
    println!(
        "{} and {} trades, {} decisions",
        records[0].trades.len(),
        records[1].trades.len(),
        records[0].decisions.len()
    );
    assert!(records[0].trades.len() > 20 && records[0].decisions.len() > 1_000);
    assert_ne!(records[0].returns, records[1].returns, "the other cell trades otherwise");

    // What a plain backtest of the same cell says of the account at its end.
    let file = FileConfig::parse(config::TEXT).unwrap();
    let deciding = file.engine().unwrap();
    let venue = smc_history::venue::settings(&file, Path::new(".")).unwrap();
    let outcome =
        run(&deciding, Confluence::for_config(&deciding), &loaded.market, &venue, Wanted::default()).unwrap();
    let grown = records[0].returns.iter().fold(1.0, |equity, one| equity * (1.0 + one));
    let plain = outcome.equity.0 as f64 / outcome.starting_equity.0 as f64;
    assert!((grown - plain).abs() < 1e-9, "{grown} {plain}");
    assert_eq!(records[0].trades.len(), outcome.trades.iter().filter(|trade| trade.r().is_some()).count());

    // Cut and perturbed, it had decided the same; and so had market structure at every bar.
    let searched = search(&pipeline, &markets, DAY_NS, 0, under, Cuts::Evenly(48), Workers::of_machine());
    assert_eq!(searched.unwrap().found, None);
    let features = pipeline.search_features(&markets, 1, 1, Workers::of_machine());
    assert!(features.iter().all(|one| one.found.is_none() && one.cuts == 2_400), "{features:?}");

    // A worse world is another one.
    let dearer = Conditions { fees: 1.5, ..under };
    let dear = run_checked(&pipeline, &markets, &periods, &[0], dearer).unwrap();
    let total = |returns: &[f64]| returns.iter().sum::<f64>();
    assert!(total(&dear[0].returns) < total(&records[0].returns));
    let late = Conditions { latency: 2.0, ..under };
    let late = run_checked(&pipeline, &markets, &periods, &[0], late).unwrap();
    assert!(total(&late[0].returns) < total(&records[0].returns), "who comes late pays for it");
}

fn of(loaded: &Loaded, strategy: &str, text: &str, base: &Path) -> EnginePipeline {
    let (grid, timeframe) = (Grid::new(vec![]).unwrap(), Timeframe::parse("1h").unwrap());
    EnginePipeline::new(strategy, text, base, grid, loaded, timeframe).unwrap()
}

/// A fifth of the entries that are left is missed, whatever the configuration misses itself, though every entry takes.
#[test]
fn fewer_fills_are_a_worse_world() {
    let loaded = loaded(1_200);
    let (markets, _) = plain(&loaded).unwrap();
    let periods = Periods::of(&markets, DAY_NS).unwrap();
    for missed in ["", "\n[backtest]\nmissed_fills_ppm = 300000\n"] {
        let pipeline = of(&loaded, "load", &format!("{}{missed}", config::TEXT), Path::new("."));
        let opened = |fills| {
            let under = Conditions { fills, ..Conditions::plain(1) };
            let record = run_checked(&pipeline, &markets, &periods, &[0], under).unwrap().pop().unwrap();
            record.trades.iter().map(|trade| trade.opened_ns).collect::<Vec<u64>>()
        };
        let (all, some) = (opened(1.0), opened(0.8));
        assert!(some.len() > 10 && all != some, "{missed}: {} and {} trades", all.len(), some.len());
        assert!(opened(0.0).is_empty(), "{missed}");
    }
}

/// Only stops slip here; the sum over trades is what the exchange counted.
#[test]
fn what_prices_cost_is_told_of_each_trade() {
    let loaded = loaded(1_200);
    let (markets, _) = plain(&loaded).unwrap();
    let periods = Periods::of(&markets, DAY_NS).unwrap();
    let text = format!("{}\n[backtest]\nslippage_ticks = 500\n", config::TEXT);
    let pipeline = of(&loaded, "load", &text, Path::new("."));
    let mut records = run_checked(&pipeline, &markets, &periods, &[0], Conditions::plain(1)).unwrap();
    let record = records.pop().unwrap();
    let count = record.trades.len();
    let stopped = record.trades.iter().filter(|trade| trade.slippage > 0.0).count();
    assert!(count > 10 && stopped > 5 && stopped < count, "{stopped} of {count} trades");

    let file = FileConfig::parse(&text).unwrap();
    let deciding = file.engine().unwrap();
    let venue = smc_history::venue::settings(&file, Path::new(".")).unwrap();
    let outcome =
        run(&deciding, Confluence::for_config(&deciding), &loaded.market, &venue, Wanted::default()).unwrap();
    assert!(outcome.open.len() <= 1);
    let paid = (outcome.costs.spread.0 + outcome.costs.impact.0) as f64 / outcome.starting_equity.0 as f64;
    let told: f64 = record.trades.iter().map(|trade| trade.slippage).sum();
    // Shares of an equity that moves by a few percent; a trade that is open has its part, too.
    assert!((told / paid - 1.0).abs() < 0.1, "{told} {paid}");
}

/// A version is what is run: no name, no comment; every value, and every byte of a file that is named.
#[test]
fn a_version_is_what_changes_a_result() {
    let (home, loaded) = (tempfile::tempdir().unwrap(), loaded(50));
    let write = |rows: &str| {
        let text = format!("send_ns,exchange_ns,receive_ns\n{rows}");
        std::fs::write(home.path().join("orders.csv"), text).unwrap();
    };
    let text = format!("{}\n[backtest]\nlatency_file = \"orders.csv\"\n", config::TEXT);
    write("1,1000,2000\n");
    let first = of(&loaded, "load", &text, home.path());
    let commented = format!("# A thought.\n{}", text.replace("instance = 1", "instance    = 1 # one"));
    assert_eq!(of(&loaded, "another name", &commented, home.path()).version(), first.version());
    let changed = text.replace("cooldown_bars = 0", "cooldown_bars = 1");
    assert_ne!(of(&loaded, "load", &changed, home.path()).version(), first.version());
    assert_eq!(first.files().len(), 1);
    write("1,1500,2000\n");
    let other = of(&loaded, "load", &text, home.path());
    assert_ne!(other.version(), first.version());
    assert_ne!(other.files(), first.files());
}
