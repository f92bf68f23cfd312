//! What holds of every run: nothing is known early, bars are no better than what happened in them, and the books agree.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod common;

use common::{START, coin, config, market, minute, perpetual, venue, walk, whole};
use smc_backtest::settings::{Delay, Funding};
use smc_backtest::simulation::{Log, Record};
use smc_backtest::{Ended, Market, VenueSettings, Wanted, run, run_logged};
use smc_core::bars::BarBuilder;
use smc_core::event::{Bar, Event, EventBody, Quote, Trade};
use smc_core::strategy::{Confluence, EntryKind};
use smc_core::words::{InstrumentId, Price, Qty, SCALE, Side, TsNs};
use smc_metrics::Random;

const TICK: i64 = SCALE / 100;

/// A longer form than that of every day: `cargo xtask backtest-campaign` sets it.
fn number(key: &str, usual: u64) -> u64 {
    std::env::var(key).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Everything that was written down, with its time.
#[derive(Default)]
struct Kept(Vec<(TsNs, Vec<u8>)>);

impl Log for Kept {
    fn next_seq(&self) -> u64 {
        self.0.len() as u64 + 1
    }

    fn append(&mut self, record: Record<'_>, ts: TsNs) -> Result<(), String> {
        let bytes = match record {
            Record::Input(_, bytes) | Record::Output(bytes) => bytes.to_vec(),
            Record::Digest(digest) => digest.to_vec(),
        };
        self.0.push((ts, bytes));
        Ok(())
    }
}

/// Trades and best prices of a walk: one of each in so many milliseconds.
fn ticks(seed: u64, count: usize, step_ms: u64) -> Market {
    let mut random = Random::new(seed);
    let (mut bid, mut events) = (whole(100), Vec::with_capacity(2 * count));
    for nth in 0..count as u64 {
        let ts = TsNs(START.0 + nth * step_ms * 1_000_000);
        let mut say = |body| {
            events.push(Event { seq: 0, ts_event: ts, ts_recv: ts, instrument: InstrumentId(0), body });
        };
        bid = (bid + (random.below(5) as i64 - 2) * TICK).max(whole(50));
        let (ask, qty) = (bid + TICK, || Qty(whole(50)));
        let aggressor = if random.below(2) == 0 { Side::Buy } else { Side::Sell };
        let price = Price(if aggressor == Side::Buy { ask } else { bid });
        say(EventBody::Quote(Quote {
            bid: Price(bid),
            bid_qty: qty(),
            ask: Price(ask),
            ask_qty: qty(),
            update_id: nth + 1,
        }));
        say(EventBody::Trade(Trade { price, qty: Qty(whole(1)), aggressor, trade_id: nth + 1 }));
    }
    Market { instruments: vec![perpetual()], events, warm_up: Vec::new() }
}

/// The bars of a market's trades, as the engine makes them.
fn bars_of(market: &Market) -> Vec<Bar> {
    let mut builder = BarBuilder::new(minute());
    let trades = market.events.iter().filter_map(|event| match event.body {
        EventBody::Trade(trade) => builder.on_trade(event.ts_event, trade.price, trade.qty),
        _ => None,
    });
    trades.collect()
}

/// What was said before a moment does not depend on what came after it: of bars and of ticks, with latency, funding and draws.
#[test]
fn nothing_is_known_early() {
    let funding = Funding::Every { interval_ns: 3_600_000_000_000, rate_e8: 10_000 };
    let settings = VenueSettings { funding, missed_fills_ppm: 100_000, ..venue() };
    let bars = market(&walk(7, 3_000));
    let prices = ticks(8, 30_000, 700);
    for (market, kind) in [(bars, EntryKind::Rest), (prices, EntryKind::Take)] {
        let config = config(&["1m", "5m", "15m"]);
        let record = |market: &Market| {
            let mut kept = Kept::default();
            run_logged(&config, coin(3, kind), market, &settings, Wanted::default(), &mut kept).unwrap();
            kept.0
        };
        let whole = record(&market);
        assert!(whole.len() > market.events.len());
        let mut random = Random::new(9);
        for _ in 0..number("SMC_BACKTEST_CUTS", 25) {
            let cut = market.events[1 + random.below(market.events.len() - 1)].ts_event;
            let part = record(&market.between(TsNs(0), cut));
            let before = |records: &[(TsNs, Vec<u8>)]| records.partition_point(|(ts, _)| *ts < cut);
            // A run that ends has no timers behind its last event.
            let count = before(&part);
            assert!(count > 0 && part[..count] == whole[..count], "cut at {}", cut.0);
        }
    }
}

/// Of the same prices a run over bars alone brings no more than one that sees every trade: what is not known goes against us.
#[test]
fn bars_alone_are_no_better_than_the_trades_in_them() {
    let config = config(&["1m"]);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for kind in [EntryKind::Take, EntryKind::Rest] {
        let (mut better, mut trades) = (Vec::new(), 0);
        for seed in 0..40 {
            let prices = ticks(seed, 40_000, 400);
            let bars = market(&bars_of(&prices));
            let settings = VenueSettings { spread: Price(TICK), ..venue() };
            let made = |market: &Market| {
                let outcome = run(&config, coin(seed, kind), market, &settings, Wanted::default()).unwrap();
                let r: Vec<f64> = outcome.trades.iter().filter_map(smc_backtest::Trade::r).collect();
                (mean(&r), r.len())
            };
            let ((of_bars, in_bars), (of_ticks, in_ticks)) = (made(&bars), made(&prices));
            trades += in_bars.min(in_ticks);
            better.push(of_bars - of_ticks);
        }
        let average = mean(&better);
        let variance =
            better.iter().map(|value| (value - average).powi(2)).sum::<f64>() / better.len() as f64;
        let error = (variance / better.len() as f64).sqrt();
        println!("{kind:?}: {trades} trades a side, bars minus ticks {average:.4} R, error {error:.4}");
        assert!(trades > 200, "{trades}");
        assert!(average < 2.0 * error, "{kind:?}: bars are better by {average} R, error {error}");
    }
}

/// The engine's own sums are held against what it was told at every fill: a difference ends the run.
#[test]
fn books_agree_over_many_fills() {
    let wanted = number("SMC_BACKTEST_FILLS", 100_000);
    let settings = VenueSettings {
        funding: Funding::Every { interval_ns: 3_600_000_000_000, rate_e8: -12_345 },
        ..venue()
    };
    let mut fills = 0;
    for seed in 0.. {
        let mut config = config(&["1m"]);
        config.sizing.risk_fraction_ppm = 100;
        let mut coin = coin(seed, EntryKind::Rest);
        (coin.one_in, coin.reach) = (2, (25, 20));
        let outcome = run(&config, coin, &market(&walk(seed, 60_000)), &settings, Wanted::default()).unwrap();
        assert!(outcome.costs.funding.0 != 0);
        fills += outcome.counters.fills;
        if fills > wanted {
            break;
        }
    }
    println!("{fills} fills");
}

/// A stop that the market jumps over may leave less than nothing: that is the end, as at a venue.
#[test]
fn a_run_ends_where_nothing_is_left() {
    let mut bars = walk(1, 600);
    let fall = whole(25);
    for bar in bars.iter_mut().skip(60) {
        let down = |price: Price| Price((price.0 - fall).max(whole(10)));
        *bar = Bar {
            open: down(bar.open),
            high: down(bar.high),
            low: down(bar.low),
            close: down(bar.close),
            ..*bar
        };
    }
    let mut config = config(&["1m"]);
    config.sizing.risk_fraction_ppm = 100_000;
    config.sizing.notional_fraction_ppm_max = 10_000_000;
    (config.sizing.heat.open_ppm_max, config.sizing.heat.cluster_ppm_max) = (1_000_000, 1_000_000);
    let limits = &mut config.instruments[0].limits;
    (limits.order_qty_max, limits.position_qty_max) = (Qty(whole(100_000)), Qty(whole(100_000)));
    let ends = (0..20).filter(|&seed| {
        let mut coin = coin(seed, EntryKind::Take);
        (coin.one_in, coin.reach) = (1, (240, 4_000));
        let outcome = run(&config, coin, &market(&bars), &venue(), Wanted::default()).unwrap();
        if let Ended::Liquidated { at, equity } = outcome.ended {
            assert_eq!((at, equity), (outcome.span.1, outcome.equity));
            assert!(equity.0 <= 0 || !outcome.open.is_empty());
        }
        matches!(outcome.ended, Ended::Liquidated { .. })
    });
    // Half of the coins are long when it falls.
    let count = ends.count();
    assert!((3..=17).contains(&count), "{count}");
}

/// The built-in strategy over a market that tells trades alone.
#[test]
fn trades_alone_are_enough() {
    let mut prices = ticks(4, 60_000, 500);
    prices.events.retain(|event| matches!(event.body, EventBody::Trade(_)));
    let settings = VenueSettings { spread: Price(TICK), unsized_qty: Qty(whole(100)), ..venue() };
    let config = config(&["1m", "5m"]);
    let coin = coin(1, EntryKind::Take);
    let outcome = run(&config, coin, &prices, &settings, Wanted::default()).unwrap();
    assert!(outcome.trades.len() > 10, "{} {:?}", outcome.trades.len(), outcome.counters);
    let strategy = Confluence::for_config(&config);
    run(&config, strategy, &prices, &settings, Wanted::default()).unwrap();
}

/// Prices rise by a tick every hundred milliseconds: how far an order is from what it saw says how long it was on its way,
/// and what is heard of it says how long the answer was.
#[test]
fn an_order_meets_the_market_of_its_arrival() {
    let mut market = ticks(1, 6_000, 100);
    for (nth, event) in market.events.iter_mut().enumerate() {
        let bid = Price(whole(100) + (nth as i64 / 2) * TICK);
        match &mut event.body {
            EventBody::Quote(quote) => (quote.bid, quote.ask) = (bid, Price(bid.0 + TICK)),
            EventBody::Trade(trade) => trade.price = bid,
            _ => {}
        }
    }
    let config = config(&["1m"]);
    let entry_ms = [0, 30, 250, 1_000];
    let prices = entry_ms.map(|ms: u64| {
        let ns = |ms: u64| Delay::Constant(ms * 1_000_000);
        let settings = VenueSettings { feed: ns(10), entry: ns(ms), response: ns(40), ..venue() };
        let outcome = (0..20).find_map(|seed| {
            let mut kept = Kept::default();
            let coin = coin(seed, EntryKind::Take);
            let outcome =
                run_logged(&config, coin, &market, &settings, Wanted::default(), &mut kept).unwrap();
            let first = outcome.trades.first().or(outcome.open.first()).copied();
            first.filter(|trade| trade.direction == smc_core::words::Direction::Up)
        });
        let trade = outcome.unwrap();
        // Heard after the response's way, from the moment of the arrival.
        let arrived = trade.opened.0 - 40_000_000;
        let ticks = (arrived - START.0) / 100_000_000;
        assert_eq!(trade.entry, Price(whole(100) + (ticks as i64 + 1) * TICK));
        trade.entry
    });
    let ticks = prices.map(|price| (price.0 - prices[0].0) / TICK);
    assert_eq!((ticks[0], ticks[2], ticks[3]), (0, 2, 10), "{ticks:?}");
}
