//! Prints the candles of a generated market as CSV: `market_candles SEED SECONDS_PER_BAR BARS`.

use smc_core::Timeframe;
use venue_sim::market::{Generator, GeneratorSettings, MarketOpKind, MarketSource};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().unwrap_or(1));
    let mut next = |default| args.next().unwrap_or(default);
    let (seed, seconds, bars) = (next(1), next(15), next(240));
    let settings = GeneratorSettings { seed, ..GeneratorSettings::default() };
    let (Some(mut market), Some(timeframe)) =
        (Generator::new(settings), Timeframe::from_secs(seconds as u32))
    else {
        return eprintln!("the bar length must divide a day");
    };
    println!("time,open,high,low,close,volume");
    let mut printed = 0;
    let mut bar: Option<(u64, [i64; 4], i64)> = None;
    while printed < bars {
        let Some(op) = market.next() else { return };
        let MarketOpKind::Trade { price, qty, .. } = op.kind else { continue };
        let open = timeframe.open_of(op.at).0;
        match &mut bar {
            Some((at, [_, high, low, close], volume)) if *at == open => {
                (*high, *low, *close) = ((*high).max(price.0), (*low).min(price.0), price.0);
                *volume += qty.0;
            }
            _ => {
                if let Some((at, prices, volume)) = bar {
                    let text = prices.map(|p| format!("{:.2}", p as f64 / 1e8)).join(",");
                    println!("{},{text},{:.5}", at / 1_000_000_000, volume as f64 / 1e8);
                    printed += 1;
                }
                bar = Some((open, [price.0; 4], qty.0));
            }
        }
    }
}
