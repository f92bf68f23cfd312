//! Longer bars folded from minutes, by the command's own chain and by the engine's builder of bars, against
//! bars gathered here in the plainest way.

use crate::market::{Market, calendar, markets, variants};
use smc_core::InstrumentId;
use smc_core::bars::BarSet;
use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::words::{Qty, Timeframe, TsNs};
use smc_detect::live::{Live, Said, What};
use std::collections::BTreeMap;

const LONGER: [&str; 5] = ["5m", "15m", "1h", "4h", "1d"];
const MINUTE_NS: u64 = 60_000_000_000;

fn timeframes() -> Vec<Timeframe> {
    LONGER.iter().map(|text| Timeframe::parse(text).unwrap()).collect()
}

fn minute_markets() -> Vec<Market> {
    markets().into_iter().filter(|market| market.timeframe.nanos() == MINUTE_NS).collect()
}

/// Bars by the quotient of their open time. The last one counts when its last minute is there.
fn gathered(bars: &[Bar], timeframe: Timeframe) -> Vec<Bar> {
    let mut buckets: BTreeMap<u64, Vec<&Bar>> = BTreeMap::new();
    for bar in bars {
        buckets.entry(bar.open_ts.0 / timeframe.nanos()).or_default().push(bar);
    }
    let over = bars.last().map_or(0, |bar| bar.open_ts.0 + MINUTE_NS);
    buckets
        .into_iter()
        .filter(|(bucket, _)| (bucket + 1) * timeframe.nanos() <= over)
        .map(|(bucket, of)| Bar {
            open_ts: TsNs(bucket * timeframe.nanos()),
            open: of[0].open,
            high: of.iter().map(|bar| bar.high).max().unwrap(),
            low: of.iter().map(|bar| bar.low).min().unwrap(),
            close: of[of.len() - 1].close,
            volume: Qty(of.iter().map(|bar| bar.volume.0).sum()),
            trades: of.iter().map(|bar| bar.trades).sum(),
        })
        .collect()
}

fn direct(bars: &[Bar], timeframe: Timeframe, params: &SmcParams, calendar: &Calendar) -> Vec<Structure> {
    let mut engine = SmcEngine::with_calendar(InstrumentId(0), timeframe, params, calendar);
    let (mut ids, mut said) = (IdSource::new(), vec![]);
    bars.iter().for_each(|bar| engine.on_bar(bar, &mut ids, &mut |fact| said.push(fact)));
    said
}

/// Ids of several timeframes come from one source; here each timeframe gets its own count, in order of birth.
fn renumbered(mut said: Vec<Structure>) -> Vec<Structure> {
    let mut born: Vec<u32> = said.iter().map(|fact| fact.id).filter(|&id| id > 0).collect();
    born.sort_unstable();
    born.dedup();
    let place = |id: u32| if id == 0 { 0 } else { born.binary_search(&id).unwrap() as u32 + 1 };
    for fact in &mut said {
        (fact.id, fact.cause_id) = (place(fact.id), place(fact.cause_id));
    }
    said
}

fn assert_same(ours: &[Structure], direct: &[Structure], what: &str) {
    if let Some(at) = (0..ours.len().max(direct.len())).find(|&at| ours.get(at) != direct.get(at)) {
        panic!("{what}, fact {at}: {:?} but directly {:?}", ours.get(at), direct.get(at));
    }
}

#[test]
fn longer_bars_from_minutes_say_what_bars_read_directly_say() {
    let calendar = calendar();
    for market in minute_markets() {
        for (variant, params) in variants(market.tick).iter().enumerate() {
            let said = from_minutes(&market, params, &calendar);
            for timeframe in timeframes() {
                let bars = gathered(&market.bars, timeframe);
                let direct = direct(&bars, timeframe, params, &calendar);
                let ours = said.iter().filter(|fact| fact.timeframe == timeframe).copied().collect();
                let what = format!("{} {timeframe} {variant}", market.name);
                assert_same(&renumbered(ours), &direct, &what);
                println!("{what}: {} bars, {} facts equal", bars.len(), direct.len());
                assert!(bars.len() * 2 < direct.len() || bars.len() < 100, "{what}: too quiet");
            }
        }
    }
}

/// Minutes through the command's chain. On the way: nothing is said before its bar is over, and what is said
/// goes by the end of its bar, at one moment the shorter first; so no shorter bar ever follows a longer one
/// that ended after it.
fn from_minutes(market: &Market, params: &SmcParams, calendar: &Calendar) -> Vec<Structure> {
    let mut timeframes = timeframes();
    timeframes.push(market.timeframe);
    let mut live = Live::new(market.timeframe, &timeframes, params, calendar).unwrap();
    let (mut facts, mut last) = (vec![], (0, 0));
    for (row, bar) in market.rows.iter().zip(&market.bars) {
        live.on_row(row, &mut |said| {
            let (timeframe, open_ts) = match &said {
                Said::Bar(timeframe, bar) => (*timeframe, bar.open_ts),
                Said::Event(event) => (event.timeframe, event.ts),
            };
            let place = (open_ts.0 + timeframe.nanos(), timeframe.secs());
            assert!(place.0 <= bar.open_ts.0 + MINUTE_NS, "{timeframe} said before it was over");
            assert!(last <= place, "{timeframe} out of order");
            last = place;
            if let Said::Event(event) = said {
                let What::Structure(fact) = event.what else { panic!("{event:?}") };
                facts.push(fact);
            }
        });
    }
    facts
}

/// The builder that the engine uses, fed with four trades a minute, makes the bars gathered here; when several
/// close at once the longest is taken last.
#[test]
fn trades_make_the_same_longer_bars() {
    for market in minute_markets() {
        let timeframes = timeframes();
        let mut set = BarSet::new(&timeframes);
        let mut built: Vec<Vec<Bar>> = vec![vec![]; timeframes.len()];
        let mut take = |set: &mut BarSet| {
            for (slot, built) in built.iter_mut().enumerate() {
                built.extend(set.closed(slot));
            }
        };
        for bar in &market.bars {
            for (nth, price) in [bar.open, bar.high, bar.low, bar.close].into_iter().enumerate() {
                if set.on_trade(TsNs(bar.open_ts.0 + nth as u64 * 15_000_000_000), price, Qty(1)) {
                    take(&mut set);
                }
            }
            if set.on_clock(TsNs(bar.open_ts.0 + MINUTE_NS)) {
                take(&mut set);
            }
        }
        let minutes: Vec<Bar> =
            market.bars.iter().map(|bar| Bar { volume: Qty(4), trades: 4, ..*bar }).collect();
        for (built, &timeframe) in built.iter().zip(&timeframes) {
            assert!(*built == gathered(&minutes, timeframe), "{} {timeframe}", market.name);
        }
    }
}
