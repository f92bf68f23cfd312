//! What the market-structure tests share: bars from a file, bars from a seed, and a run of the engine.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may crash")]

use std::path::PathBuf;

use smc_core::event::Bar;
use smc_core::output::{Structure, StructureKind};
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::{InstrumentId, Price, Qty, Timeframe, TsNs};

/// A file of the shared data, looked for beside each ancestor of this crate.
pub fn shared(path: &str) -> Option<String> {
    let mut at = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while at.pop() {
        let file = at.join("shared/data").join(path);
        if file.is_file() {
            return Some(std::fs::read_to_string(file).unwrap());
        }
    }
    println!("skipped: shared/data/{path} absent");
    None
}

/// The fifteen-minute bars of the golden tables.
pub fn golden_bars() -> Option<Vec<Bar>> {
    let text = shared("smc/EURUSD_15M.csv")?;
    Some(text.lines().skip(1).map(bar_of_line).collect())
}

fn bar_of_line(line: &str) -> Bar {
    let cells: Vec<&str> = line.split(',').collect();
    let price = |at: usize| Price::parse(cells[at].as_bytes()).unwrap();
    Bar {
        open_ts: TsNs(seconds_of(cells[0]) * 1_000_000_000),
        open: price(1),
        high: price(2),
        low: price(3),
        close: price(4),
        // The file's own volume is always 0; tick volume makes the volume paths work.
        volume: Qty::parse(cells[5].as_bytes()).unwrap(),
        trades: 0,
    }
}

/// `YYYY.MM.DD HH:MM:SS` in seconds since the epoch.
fn seconds_of(text: &str) -> u64 {
    let n: Vec<u64> = text.split(['.', ' ', ':']).map(|part| part.parse().unwrap()).collect();
    // Days since the epoch in the civil calendar, March first so that the leap day comes last.
    let (year, month) = if n[1] > 2 { (n[0], n[1] - 3) } else { (n[0] - 1, n[1] + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + n[2] - 1 - 719_468;
    days * 86_400 + n[3] * 3_600 + n[4] * 60 + n[5]
}

/// A random number generator with one word of state (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> i64 {
        (self.next() % n) as i64
    }
}

/// A random walk of `count` bars on a grid so coarse that ties are everywhere; `step` is its restlessness.
pub fn walk(seed: u64, count: usize, step: u64) -> Vec<Bar> {
    let mut random = Random(seed);
    let mut close = 10_000i64;
    let mut ts = 0;
    (0..count)
        .map(|_| {
            ts += 1_000_000_000 * (1 + random.below(3) as u64);
            let gap = if random.below(4) == 0 { random.below(2 * step + 1) - step as i64 } else { 0 };
            let open = close + gap;
            close = open + random.below(2 * step + 1) - step as i64;
            let high = open.max(close) + random.below(step);
            let low = open.min(close) - random.below(step);
            Bar {
                open_ts: TsNs(ts),
                open: Price(open),
                high: Price(high),
                low: Price(low),
                close: Price(close),
                volume: Qty(random.below(5)),
                trades: 1,
            }
        })
        .collect()
}

/// The walks that every law is tried on: from nearly flat to gappy, and one that trends.
pub fn walks() -> Vec<Vec<Bar>> {
    let mut all = vec![];
    for (seed, step) in [(1, 1), (2, 2), (3, 3), (4, 5), (5, 12), (6, 60), (7, 400)] {
        all.push(walk(seed, 700, step));
    }
    for slope in [2, -2] {
        let mut bars = walk(8, 700, 6);
        for (k, bar) in bars.iter_mut().enumerate() {
            let lift = slope * k as i64;
            for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
                price.0 += lift;
            }
        }
        all.push(bars);
    }
    all
}

/// The prices negated: what was high is low.
pub fn mirrored(bars: &[Bar]) -> Vec<Bar> {
    let flip = |price: Price| Price(-price.0);
    bars.iter()
        .map(|bar| Bar {
            open: flip(bar.open),
            high: flip(bar.low),
            low: flip(bar.high),
            close: flip(bar.close),
            ..*bar
        })
        .collect()
}

pub fn engine(params: &SmcParams) -> SmcEngine {
    SmcEngine::new(InstrumentId(3), Timeframe::parse("15m").unwrap(), params)
}

/// Everything the engine says about `bars`.
pub fn run(bars: &[Bar], params: &SmcParams) -> Vec<Structure> {
    let (mut engine, mut ids, mut said) = (engine(params), IdSource::new(), vec![]);
    for bar in bars {
        engine.on_bar(bar, &mut ids, &mut |fact| said.push(fact));
    }
    said
}

pub fn of_kind(said: &[Structure], kind: StructureKind) -> impl Iterator<Item = &Structure> {
    said.iter().filter(move |fact| fact.kind == kind)
}

/// Settings that never evict anything on the test data.
pub fn roomy() -> SmcParams {
    SmcParams { fvg_cap: 20_000, ob_cap: 20_000, pool_cap: 20_000, level_cap: 20_000, ..SmcParams::default() }
}
