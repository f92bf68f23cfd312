//! The story a generated price follows: ranges, sweeps, breakouts, impulses, pullbacks.
//!
//! Markets that smart-money traders read move in legs: a range builds equal highs and lows, one side is run,
//! price turns and expands, pulls back part of the way and goes on; or the break is real and the trend begins at
//! once. The plot draws such legs at random; noise around them clusters (calm breeds calm). Nothing here looks at
//! what anybody does with it.

use super::day::{self, Day};
use super::random::Random;

/// A price path in quote currency, one step at a time.
#[derive(Clone)]
pub struct Plot {
    random: Random,
    price: f64,
    /// Where the whole story is pulled back to, slowly, so that a long run stays in the same decade.
    anchor: f64,
    legs: Vec<Leg>,
    leg: Leg,
    /// Deviation of one second's noise as a share of price.
    volatility: f64,
    tempo: Tempo,
    /// The day so far, where the story has days.
    day: Option<Day>,
    /// Seconds since the epoch.
    now_secs: f64,
}

/// Where price goes next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub target: f64,
    pub seconds_left: f64,
}

impl Leg {
    pub fn new(target: f64, seconds_left: f64) -> Self {
        Self { target, seconds_left }
    }
}

/// How restless the story is and how slowly it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tempo {
    /// Long-run deviation of one second's noise as a share of price.
    pub calm: f64,
    /// Legs last so many times as long, and go so much further as noise does in that time.
    pub stretch: f64,
    /// The story has days and nights (`day.rs`).
    pub has_days: bool,
}

impl Default for Tempo {
    fn default() -> Self {
        Self { calm: CALM, stretch: 1.0, has_days: false }
    }
}

/// Long-run deviation of one second's noise as a share of price.
const CALM: f64 = 0.000_045;

impl Plot {
    /// Starts at `price`, at `now_secs` since the epoch.
    pub fn at(seed: u64, price: f64, tempo: Tempo, now_secs: f64) -> Self {
        let leg = Leg::new(price, 20.0);
        Self {
            random: Random::new(seed),
            price,
            anchor: price,
            legs: Vec::new(),
            leg,
            volatility: tempo.calm,
            tempo,
            day: tempo.has_days.then(|| Day::new(price)),
            now_secs,
        }
    }

    /// The price now.
    pub const fn price(&self) -> f64 {
        self.price
    }

    /// Noise level relative to its long-run mean.
    pub fn heat(&self) -> f64 {
        self.volatility / self.tempo.calm
    }

    /// Moves on by `seconds` and gives the new price.
    pub fn step(&mut self, seconds: f64) -> f64 {
        if self.leg.seconds_left <= 0.0 {
            self.leg = self.next_leg();
        }
        let shock = self.random.normal();
        let calm = self.tempo.calm;
        // A GARCH-like recursion on the deviation itself: large moves raise it, time lowers it.
        let pull = 0.02 * seconds.min(1.0);
        self.volatility += pull * (calm - self.volatility)
            + 0.03 * seconds.min(1.0) * self.volatility * (shock * shock - 1.0);
        self.volatility = self.volatility.clamp(calm * 0.35, calm * 4.0);
        let activity = if self.day.is_some() { day::activity(self.now_secs) } else { 1.0 };
        let drift = (self.leg.target - self.price) * (seconds / self.leg.seconds_left.max(seconds)).min(1.0);
        self.price += drift + shock * self.volatility * activity * self.price * seconds.sqrt();
        self.leg.seconds_left -= seconds;
        self.now_secs += seconds;
        if let Some(day) = &mut self.day {
            day.see(self.price);
        }
        self.price
    }

    fn next_leg(&mut self) -> Leg {
        if self.legs.is_empty() {
            self.write_on();
        }
        self.legs.pop().unwrap_or(Leg::new(self.price, 10.0))
    }

    /// Far above the anchor the next move is more often down, and the other way round.
    fn lean(&self) -> f64 {
        let width = 0.03 * self.reach();
        ((self.anchor - self.price) / (self.anchor * width)).clamp(-0.35, 0.35)
    }

    /// How far legs go, against those of the default tempo.
    fn reach(&self) -> f64 {
        self.tempo.calm / CALM * self.tempo.stretch.sqrt()
    }

    fn write_on(&mut self) {
        let lean = self.lean();
        let Some(day) = &mut self.day else { return self.write_chapter(lean) };
        let size = self.tempo.calm * 86_400f64.sqrt() * self.price;
        self.legs = day.write(self.now_secs, self.price, size, lean, &mut self.random);
        self.legs.reverse();
    }

    /// Plans one chapter: a range, what becomes of it, and the trend that follows. Legs are popped from the end.
    fn write_chapter(&mut self, lean: f64) {
        let (reach, stretch) = (self.reach(), self.tempo.stretch);
        let random = &mut self.random;
        let start = self.price;
        let height = start * random.between(0.000_8, 0.001_8) * reach;
        let up = random.chance(0.5 + lean);
        let sign = if up { 1.0 } else { -1.0 };
        let (low, high) = (start - height / 2.0, start + height / 2.0);
        let mut legs = Vec::with_capacity(16);

        let touches = 2 + (random.bits() % 3) as usize * 2;
        for touch in 0..touches {
            let edge = if (touch % 2 == 0) == up { low } else { high };
            let target = edge + height * random.between(-0.06, 0.04);
            legs.push(Leg::new(target, random.between(12.0, 35.0)));
        }
        let size = height * random.between(1.6, 3.8);
        if random.chance(0.7) {
            // The side against the coming move is run first, then price turns.
            let edge = if up { low } else { high };
            let depth = height * random.between(0.12, 0.4);
            legs.push(Leg::new(edge - sign * depth, random.between(3.0, 9.0)));
            legs.push(Leg::new(edge + sign * height * 0.45, random.between(4.0, 10.0)));
        }
        let mut at = start + sign * size * 0.55;
        legs.push(Leg::new(at, random.between(8.0, 25.0)));
        for _ in 0..1 + random.bits() % 3 {
            let pullback = size * 0.55 * random.between(0.35, 0.75);
            legs.push(Leg::new(at - sign * pullback, random.between(10.0, 30.0)));
            // Sometimes the pullback is the reversal.
            if random.chance(0.2) {
                at -= sign * size * random.between(0.8, 1.3);
                legs.push(Leg::new(at, random.between(10.0, 25.0)));
                break;
            }
            at += sign * size * random.between(0.2, 0.6);
            legs.push(Leg::new(at, random.between(12.0, 35.0)));
        }
        for leg in &mut legs {
            leg.seconds_left *= stretch;
        }
        legs.reverse();
        self.legs = legs;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_repeats_for_a_seed_and_stays_in_its_decade() {
        let path = |seed| {
            let mut plot = Plot::at(seed, 60_000.0, Tempo::default(), 0.0);
            (0..86_400).map(|_| plot.step(1.0)).collect::<Vec<_>>()
        };
        assert_eq!(path(7), path(7));
        assert_ne!(path(7), path(8));
        for seed in 0..8 {
            let path = path(seed);
            assert!(path.iter().all(|price| (30_000.0..120_000.0).contains(price)), "seed {seed}");
        }
    }

    /// Squared returns of a market are correlated over time; those of plain noise are not.
    #[test]
    fn volatility_clusters() {
        let mut plot = Plot::at(3, 60_000.0, Tempo::default(), 0.0);
        let heats: Vec<f64> = (0..20_000)
            .map(|_| {
                plot.step(1.0);
                plot.heat()
            })
            .collect();
        let mean = heats.iter().sum::<f64>() / heats.len() as f64;
        let variance: f64 = heats.iter().map(|h| (h - mean) * (h - mean)).sum();
        let lagged: f64 = heats.windows(11).map(|w| (w[0] - mean) * (w[10] - mean)).sum();
        assert!(lagged / variance > 0.3, "autocorrelation {}", lagged / variance);
    }
}
