//! The story of a trading day: a quiet night, a morning that often runs one side of it first, an afternoon that
//! goes on or turns, a quiet evening. What session traders look for happens on most days and not on all.
//!
//! Hours are UTC, the same in summer and winter, every day of the week: a story, not a calendar.

use super::plot::Leg;
use super::random::Random;

const HOUR: f64 = 3_600.0;
const MINUTE: f64 = 60.0;
/// When the parts of a day begin.
const MORNING: f64 = 7.0;
const NOON: f64 = 12.0;
const EVENING: f64 = 16.0;
const NIGHT: f64 = 21.0;

/// What the day has been so far.
#[derive(Clone, Debug)]
pub(super) struct Day {
    /// Extremes since the night began.
    high: f64,
    low: f64,
    part: Part,
    /// The morning went up.
    is_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Night,
    Morning,
    Afternoon,
    Evening,
}

/// Hour of the day, with its fraction.
fn hour(secs: f64) -> f64 {
    (secs / HOUR).rem_euclid(24.0)
}

fn part(hour: f64) -> Part {
    match hour {
        h if !(MORNING..NIGHT).contains(&h) => Part::Night,
        h if h < NOON => Part::Morning,
        h if h < EVENING => Part::Afternoon,
        _ => Part::Evening,
    }
}

/// How lively the noise is at an instant: 1 over the day, roughly.
pub(super) fn activity(secs: f64) -> f64 {
    match part(hour(secs)) {
        Part::Night => 0.45,
        Part::Morning => 1.3,
        Part::Afternoon => 1.45,
        Part::Evening => 0.7,
    }
}

impl Day {
    pub fn new(price: f64) -> Self {
        Self { high: price, low: price, part: Part::Evening, is_up: true }
    }

    /// Price as it goes.
    pub fn see(&mut self, price: f64) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
    }

    /// The legs from now to the end of the part of the day, in order. `size`: a day's noise in price; `lean`:
    /// the chance, beyond a half, that the day goes up.
    pub fn write(&mut self, secs: f64, price: f64, size: f64, lean: f64, random: &mut Random) -> Vec<Leg> {
        let now = hour(secs);
        let is_first = std::mem::replace(&mut self.part, part(now)) != self.part;
        let until = match self.part {
            Part::Night if now >= NIGHT => 24.0 + MORNING,
            Part::Night => MORNING,
            Part::Morning => NOON,
            Part::Afternoon => EVENING,
            Part::Evening => NIGHT,
        };
        let mut legs = Vec::with_capacity(24);
        match self.part {
            Part::Night if is_first => *self = Self { part: Part::Night, ..Self::new(price) },
            Part::Morning if is_first => self.morning(lean, random, &mut legs),
            Part::Afternoon if is_first => self.afternoon(random, &mut legs),
            _ => {}
        }
        self.linger((until - now) * HOUR, price, size, random, &mut legs);
        legs
    }

    /// One side of the night is run, price turns and goes for the other; or it simply breaks out.
    fn morning(&mut self, lean: f64, random: &mut Random, legs: &mut Vec<Leg>) {
        let height = self.high - self.low;
        self.is_up = random.chance(0.5 + lean);
        let sign = if self.is_up { 1.0 } else { -1.0 };
        let (run, goal) = if self.is_up { (self.low, self.high) } else { (self.high, self.low) };
        let mut go = |target: f64, minutes: f64| legs.push(Leg::new(target, minutes * MINUTE));
        if random.chance(0.8) {
            go(run - sign * height * random.between(0.1, 0.3), random.between(12.0, 25.0));
            let turn = run + sign * height * random.between(0.3, 0.5);
            go(turn, random.between(6.0, 14.0));
            go(turn - sign * height * random.between(0.15, 0.3), random.between(8.0, 20.0));
        }
        go(goal + sign * height * random.between(0.1, 0.4), random.between(40.0, 80.0));
        go(goal - sign * height * random.between(0.1, 0.35), random.between(12.0, 30.0));
        go(goal + sign * height * random.between(0.5, 1.4), random.between(40.0, 80.0));
    }

    /// The move goes on after a pullback; or its end is run and given back.
    fn afternoon(&mut self, random: &mut Random, legs: &mut Vec<Leg>) {
        let height = self.high - self.low;
        let sign = if self.is_up { 1.0 } else { -1.0 };
        let end = if self.is_up { self.high } else { self.low };
        let mut go = |target: f64, minutes: f64| legs.push(Leg::new(target, minutes * MINUTE));
        if random.chance(0.6) {
            go(end - sign * height * random.between(0.3, 0.55), random.between(30.0, 60.0));
            go(end + sign * height * random.between(0.15, 0.5), random.between(50.0, 90.0));
        } else {
            go(end + sign * height * random.between(0.05, 0.15), random.between(15.0, 35.0));
            go(end - sign * height * random.between(0.3, 0.45), random.between(15.0, 30.0));
            go(end - sign * height * random.between(0.15, 0.25), random.between(15.0, 25.0));
            go(end - sign * height * random.between(0.6, 0.9), random.between(50.0, 90.0));
        }
    }

    /// To and fro around where price is, until the part of the day is over.
    fn linger(&self, seconds: f64, price: f64, size: f64, random: &mut Random, legs: &mut Vec<Leg>) {
        let width = if self.part == Part::Night { 0.55 } else { 0.3 };
        let from = legs.last().map_or(price, |leg| leg.target);
        let planned: f64 = legs.iter().map(|leg| leg.seconds_left).sum();
        let mut left = seconds - planned;
        let mut is_high = random.chance(0.5);
        while left > 0.0 {
            let edge = size * width / 2.0 * random.between(0.75, 1.1);
            let takes = (random.between(20.0, 50.0) * MINUTE).min(left.max(MINUTE));
            legs.push(Leg::new(if is_high { from + edge } else { from - edge }, takes));
            is_high = !is_high;
            left -= takes;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::market::plot::{Plot, Tempo};

    /// Over forty days: the night is the quietest part, and most mornings run one side of it and close beyond the
    /// other later on.
    #[test]
    fn nights_are_quiet_and_mornings_often_run_them_first() {
        let tempo = Tempo { calm: 0.000_012, has_days: true, ..Tempo::default() };
        let mut plot = Plot::at(3, 1.1, tempo, 0.0);
        let (mut nights, mut days, mut swept) = (0.0, 0.0, 0);
        for _ in 0..40 {
            let prices: Vec<f64> = (0..1_440).map(|_| plot.step(60.0)).collect();
            let span = |from: usize, to: usize| {
                let part = &prices[from * 60..to * 60];
                let high = part.iter().copied().fold(f64::MIN, f64::max);
                let low = part.iter().copied().fold(f64::MAX, f64::min);
                (high, low)
            };
            let (night, morning) = (span(1, 5), span(7, 12));
            nights += night.0 - night.1;
            days += morning.0 - morning.1;
            swept += usize::from(morning.0 > night.0 && morning.1 < night.1);
        }
        assert!(nights * 1.5 < days, "night {nights}, morning {days}");
        assert!((20..40).contains(&swept), "{swept} of 40 mornings took both sides");
    }
}
