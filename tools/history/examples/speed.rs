//! Events a second over recorded prices: the exchange alone, a run without a strategy, and everything.
//!
//! `cargo run --release -p smc-history --example speed -- CONFIG FILE [TIMES]`: one core, median of TIMES (9), in memory. The file is gone
//! through as often as makes two million events.
#![allow(clippy::unwrap_used, reason = "an example that cannot begin says why")]

use smc_backtest::exchange::Exchange;
use smc_backtest::{Market, Wanted, run};
use smc_core::config::EngineConfig;
use smc_core::event::Event;
use smc_core::strategy::{Confluence, Strategy};
use smc_core::words::{Timeframe, TsNs};
use smc_history::Study;
use smc_import::Known;
use std::path::PathBuf;
use std::time::Instant;

const EVENTS: usize = 2_000_000;

struct Nothing;

impl Strategy for Nothing {}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [config, data, rest @ ..] = args.as_slice() else {
        eprintln!("CONFIG FILE [TIMES]");
        std::process::exit(2);
    };
    let times = rest.first().map_or(9, |text| text.parse().unwrap());
    let mut study = Study::open(&PathBuf::from(config), &[PathBuf::from(data)], &Known::default()).unwrap();
    study.loaded.market = repeated(&study.loaded.market);
    let market = &study.loaded.market;
    let details = market.details().unwrap();
    println!("{} events, {details:?}", market.events.len());
    let tell = |name: &str, mut work: Box<dyn FnMut() + '_>| {
        let mut rates: Vec<f64> = (0..times)
            .map(|_| {
                let started = Instant::now();
                work();
                market.events.len() as f64 / started.elapsed().as_secs_f64() / 1e6
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        println!("{name:42} {:6.1} million events/s", rates[rates.len() / 2]);
    };
    tell(
        "the exchange alone",
        Box::new(|| {
            let mut exchange = Exchange::new(study.venue.clone(), &market.instruments, &details);
            market.events.iter().for_each(|event| exchange.on_market(event));
            assert!(exchange.report().is_none());
        }),
    );
    let mut bare = study.config.clone();
    bare.timeframes = vec![Timeframe::parse("1m").unwrap()];
    bare.var.timeframe = None;
    bare.strategy = Default::default();
    let simulate = |config: &EngineConfig, is_full: bool| {
        if is_full {
            run(config, Confluence::for_config(config), market, &study.venue, Wanted::default()).unwrap();
        } else {
            run(config, Nothing, market, &study.venue, Wanted::default()).unwrap();
        }
    };
    tell("engine, gate and exchange, no strategy", Box::new(|| simulate(&bare, false)));
    tell("everything", Box::new(|| simulate(&study.config, true)));
}

/// The market again and again, each time later.
fn repeated(market: &Market) -> Market {
    let (first, last) = market.span().unwrap();
    let span = last.since(first) + 1_000_000_000;
    let times = (EVENTS / market.events.len()).max(1) as u64;
    let later = |event: &Event, by: u64| {
        let [ts_event, ts_recv] = [event.ts_event, event.ts_recv].map(|ts| TsNs(ts.0 + by));
        Event { ts_event, ts_recv, ..*event }
    };
    let all = (0..times).flat_map(|nth| market.events.iter().map(move |event| later(event, nth * span)));
    Market { events: all.collect(), ..market.clone() }
}
