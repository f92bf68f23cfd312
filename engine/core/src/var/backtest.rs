//! Were the forecasts right: tests of VaR and ES over the days that followed.
//!
//! A hit is a day whose return lies below minus the VaR that was forecast for it.

use libm::{log, log1p};

use crate::maths::{binomial, chi_squared};

/// A likelihood ratio and the probability of a larger one if the forecasts are right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// At least 0.
    pub ratio: f64,
    /// From the chi-squared distribution.
    pub p_value: f64,
}

impl LikelihoodRatio {
    /// With one degree of freedom. What rounding makes of a ratio of zero is not left negative.
    fn of_one(ratio: f64) -> Option<Self> {
        let ratio = if ratio < 0.0 { 0.0 } else { ratio };
        ratio.is_finite().then(|| Self { ratio, p_value: chi_squared::survival_1(ratio) })
    }

    /// Of two independent ones together.
    fn of_two(one: Self, other: Self) -> Self {
        let ratio = one.ratio + other.ratio;
        Self { ratio, p_value: chi_squared::survival_2(ratio) }
    }

    /// Chance alone gives such a ratio less often than once in a hundred times.
    pub fn is_rejected(&self) -> bool {
        self.p_value < 0.01
    }
}

/// `count ln(p)`, where nothing times anything is nothing.
fn weigh(count: u64, p: f64) -> f64 {
    if count == 0 { 0.0 } else { count as f64 * log(p) }
}

/// `count ln(1 - p)`.
fn weigh_rest(count: u64, p: f64) -> f64 {
    if count == 0 { 0.0 } else { count as f64 * log1p(-p) }
}

/// Kupiec's proportion of failures: `hits` among `n` forecasts whose tail has probability `p`. `None` without
/// forecasts, for more hits than forecasts, or for hits that `p` excludes.
pub fn kupiec(n: u64, hits: u64, p: f64) -> Option<LikelihoodRatio> {
    let misses = n.checked_sub(hits)?;
    if n == 0 || !(0.0..=1.0).contains(&p) {
        return None;
    }
    let seen = hits as f64 / n as f64;
    let forecast = weigh_rest(misses, p) + weigh(hits, p);
    LikelihoodRatio::of_one(-2.0 * forecast + 2.0 * (weigh_rest(misses, seen) + weigh(hits, seen)))
}

/// How often a day of one kind followed one of another: `after_miss_hit` counts hits on the day after a day without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transitions {
    /// n00
    pub after_miss_miss: u64,
    /// n01
    pub after_miss_hit: u64,
    /// n10
    pub after_hit_miss: u64,
    /// n11
    pub after_hit_hit: u64,
}

impl Transitions {
    /// Of a sequence of days.
    pub fn of(hits: &[bool]) -> Self {
        let mut all = Self::default();
        for pair in hits.windows(2) {
            *all.count(pair[0], pair[1]) += 1;
        }
        all
    }

    /// The count of one kind.
    pub(super) const fn count(&mut self, before: bool, after: bool) -> &mut u64 {
        match (before, after) {
            (false, false) => &mut self.after_miss_miss,
            (false, true) => &mut self.after_miss_hit,
            (true, false) => &mut self.after_hit_miss,
            (true, true) => &mut self.after_hit_hit,
        }
    }

    /// Christoffersen's test of independence: does a hit make one on the next day more or less likely?
    pub fn independence(&self) -> Option<LikelihoodRatio> {
        let share = |hits: u64, misses: u64| {
            let all = hits + misses;
            if all == 0 { 0.0 } else { hits as f64 / all as f64 }
        };
        let Self { after_miss_miss, after_miss_hit, after_hit_miss, after_hit_hit } = *self;
        let (misses, hits) = (after_miss_miss + after_hit_miss, after_miss_hit + after_hit_hit);
        let (calm, shaken) = (share(after_miss_hit, after_miss_miss), share(after_hit_hit, after_hit_miss));
        let any = share(hits, misses);
        let alike = weigh_rest(misses, any) + weigh(hits, any);
        let apart = weigh_rest(after_miss_miss, calm)
            + weigh(after_miss_hit, calm)
            + weigh_rest(after_hit_miss, shaken)
            + weigh(after_hit_hit, shaken);
        LikelihoodRatio::of_one(-2.0 * alike + 2.0 * apart)
    }
}

/// Coverage and independence, apart and together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Christoffersen {
    /// What followed what.
    pub transitions: Transitions,
    /// Are hits independent of the day before?
    pub independence: Option<LikelihoodRatio>,
    /// Kupiec's test of the same days.
    pub coverage: Option<LikelihoodRatio>,
    /// Both at once, two degrees of freedom.
    pub conditional: Option<LikelihoodRatio>,
}

/// Christoffersen's test of conditional coverage.
pub fn christoffersen(hits: &[bool], p: f64) -> Christoffersen {
    let transitions = Transitions::of(hits);
    let count = hits.iter().filter(|hit| **hit).count();
    let (independence, coverage) = (transitions.independence(), kupiec(hits.len() as u64, count as u64, p));
    let conditional = independence.zip(coverage).map(|(one, other)| LikelihoodRatio::of_two(one, other));
    Christoffersen { transitions, independence, coverage, conditional }
}

/// The supervisors' traffic light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// As many hits as a right forecast may have.
    Green,
    /// Hits that a right forecast has in one of twenty such periods.
    Yellow,
    /// Hits that a right forecast has in one of ten thousand.
    Red,
}

impl Zone {
    /// As files and people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// A zone and where in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZoneReading {
    /// The light.
    pub zone: Zone,
    /// Probability of at most so many hits if the forecasts are right.
    pub probability: f64,
}

/// The zone of `hits` among `n` forecasts whose tail has probability `p`; `None` without forecasts.
pub fn traffic_light(n: u64, hits: u64, p: f64) -> Option<ZoneReading> {
    if n == 0 || hits > n {
        return None;
    }
    let probability = Some(binomial::cdf(n, hits, p)).filter(|p| p.is_finite())?;
    let zone = match probability {
        p if p < 0.95 => Zone::Green,
        p if p < 0.9999 => Zone::Yellow,
        _ => Zone::Red,
    };
    Some(ZoneReading { zone, probability })
}

/// Acerbi and Székely's second statistic over days of (return, VaR, ES), whose tail has probability `p`: 0 is right,
/// negative means a tail worse than forecast. `None` without days, or for an ES that is 0.
pub fn shortfall_z2(days: impl Iterator<Item = (f64, f64, f64)>, p: f64) -> Option<f64> {
    let (mut n, mut sum) = (0u64, 0.0);
    for (value, var, es) in days {
        if es == 0.0 {
            return None;
        }
        n += 1;
        if value < -var {
            sum += value / es;
        }
    }
    let is_sound = n > 0 && p > 0.0 && p <= 1.0;
    Some(sum / (n as f64 * p) + 1.0).filter(|z2| is_sound && z2.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lights_of_a_year_change_at_five_and_ten() {
        let lights = (0..=250).map(|hits| traffic_light(250, hits, 0.01).unwrap().zone);
        let expected = |hits| match hits {
            0..5 => Zone::Green,
            5..10 => Zone::Yellow,
            _ => Zone::Red,
        };
        assert!(lights.eq((0..=250).map(expected)));
    }

    #[test]
    fn the_numbers_to_trust_come_out() {
        for (n, hits, p, ratio, p_value) in [
            (250, 5, 0.05, 6.0715, 0.01374),
            (500, 36, 0.05, 4.5110, 0.03368),
            (30, 7, 0.01, 32.3383, 1.295e-8),
            (250, 3, 0.01, 0.09494, 0.75799),
        ] {
            let got = kupiec(n, hits, p).unwrap();
            assert!((got.ratio - ratio).abs() < 5e-5, "{got:?}");
            assert!((got.p_value / p_value - 1.0).abs() < 1e-3, "{got:?}");
        }
    }
}
