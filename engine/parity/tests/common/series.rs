//! Bars from a seed: every kind of file that the tables have to live with.

use smc_parity::{Bars, Row};

use super::Random;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_S: i64 = 86_400;

/// A series of up to `rows_max` bars; what it looks like is part of what the seed decides.
pub fn series(random: &mut Random, rows_max: u64) -> Bars {
    let rows = if random.once_in(8) { random.below(6) } else { random.below(rows_max) + 1 };
    let times = times(random, rows as usize);
    let mut price = Prices::new(random);
    let mut volume = Volumes::new(random);
    let mut bars = Bars::default();
    for time_ns in times {
        let (open, high, low, close) = price.bar(random);
        bars.push(Row { time_ns, open, high, low, close, volume: volume.next(random) });
    }
    bars
}

/// Stamps: from seconds to months apart, on the grid or off it, with holes, repeats, and closed weekends.
fn times(random: &mut Random, rows: usize) -> Vec<i64> {
    let step_s = random.pick(&[
        1,
        60,
        60,
        300,
        900,
        900,
        1800,
        3600,
        3600,
        4 * 3600,
        7 * 3600,
        DAY_S,
        DAY_S,
        7 * DAY_S,
    ]);
    let is_monthly = random.once_in(10);
    let has_holes = random.once_in(2);
    let has_repeats = random.once_in(5);
    let rests_on_weekends = random.once_in(3);
    let goes_back = random.once_in(25);
    let jitter_ns = if random.once_in(15) { 999_999_999 } else { 1 };
    // 2015 to 2025, or around 1970, mostly from a midnight on.
    let first_day =
        if random.once_in(12) { random.below(3_000) - 1_500 } else { 16_436 + random.below(3_650) };
    let mut time_s = first_day * DAY_S;
    time_s += if random.once_in(3) { random.below(1_440) * 60 } else { 0 };
    time_s += if random.once_in(8) { random.below(3_600) } else { 0 };
    let mut times = Vec::with_capacity(rows);
    while times.len() < rows {
        let weekday = (time_s.div_euclid(DAY_S) + 3).rem_euclid(7);
        if !(rests_on_weekends && step_s < DAY_S && weekday > 4) {
            times.push(time_s * SECOND_NS + random.below(jitter_ns));
        }
        time_s += match () {
            // Nanoseconds end in 2262.
            () if time_s > 7_000_000_000 => 60,
            () if has_repeats && random.once_in(10) => 0,
            () if has_holes && random.once_in(20) => step_s * (1 + random.below(200)),
            () if is_monthly => (28 + random.below(4)) * DAY_S,
            () => step_s,
        };
    }
    if goes_back {
        for at in (1..rows).rev() {
            times.swap(at, random.below(at as u64 + 1) as usize);
        }
    }
    times
}

/// A walk on a grid so coarse that ties are everywhere, or so fine that there are none.
struct Prices {
    tick: f64,
    last: i64,
    restless: u64,
    drift: i64,
    /// Scales the parts of a bar beyond its body; 0 gives flat bars.
    wick: u64,
    gap_once_in: u64,
    /// Prices on no grid at all.
    is_smooth: bool,
    /// Opens and closes outside the bar.
    is_broken: bool,
}

impl Prices {
    fn new(random: &mut Random) -> Self {
        let (tick, last) = random.pick(&[
            (1e-5, 110_000),
            (1e-5, 97_000),
            (0.01, 5_000_000),
            (0.25, 18_000),
            (1.0, 100),
            (1.0, 3),
            (0.1, 0),
            (1e-8, 2_000),
            (1e6, 4_000),
        ]);
        let restless = random.pick(&[0, 1, 1, 2, 3, 5, 20, 200]);
        Self {
            tick,
            last,
            restless,
            drift: random.pick(&[0, 0, 0, 0, 1, -1, 3, -3]),
            wick: random.pick(&[0, 1, 1, 2, 4, restless + 1]),
            gap_once_in: random.pick(&[2, 5, 20, 1_000_000]),
            is_smooth: random.once_in(4),
            is_broken: random.once_in(15),
        }
    }

    fn bar(&mut self, random: &mut Random) -> (f64, f64, f64, f64) {
        let mut step = |by: u64| random.below(2 * by + 1) - by as i64;
        let jump = step(2 * self.restless);
        let body = step(self.restless) + self.drift;
        let open = self.last + if random.once_in(self.gap_once_in) { jump } else { 0 };
        let close = open + body;
        let high = open.max(close) + random.below(self.wick + 1);
        let low = open.min(close) - random.below(self.wick + 1);
        self.last = close;
        let (open, close) = if self.is_broken { (open + jump, close - jump) } else { (open, close) };
        let price = |ticks: i64| {
            if self.is_smooth {
                ticks as f64 * self.tick * 1.000_000_1 / 3.0
            } else {
                price(ticks, self.tick)
            }
        };
        (price(open), price(high), price(low), price(close))
    }
}

/// The number that a file would hold: division rounds once, where a product with 1e-5 would round twice.
fn price(ticks: i64, tick: f64) -> f64 {
    if tick < 1.0 { ticks as f64 / (1.0 / tick).round() } else { ticks as f64 * tick }
}

/// None, whole numbers, wild ones, and mixtures.
enum Volumes {
    None,
    Whole,
    Wild,
    Mixed,
}

impl Volumes {
    fn new(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::None,
            1 | 2 => Self::Whole,
            3 => Self::Wild,
            _ => Self::Mixed,
        }
    }

    fn next(&mut self, random: &mut Random) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Whole => random.below(1_000) as f64,
            Self::Wild => (random.unit() * 40.0 - 10.0).exp(),
            Self::Mixed if random.once_in(2) => 0.0,
            Self::Mixed => random.unit() * 1e6,
        }
    }
}
