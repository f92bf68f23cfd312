//! The VaR forecasts of the last year against what followed, and what that means for the limit.

use crate::state::{State, StateError, StateIo};

use super::backtest::{LikelihoodRatio, Transitions, Zone, ZoneReading, kupiec, traffic_light};
use super::{Tail, is_return};

/// Forecasts that are judged: a year of trading days.
pub const FORECASTS_KEPT: usize = 250;

/// Hits among the last [`FORECASTS_KEPT`] forecasts, counted as they come and go.
#[derive(Clone, Debug)]
pub struct VarMonitor {
    tail: Tail,
    /// Places up to `len` are filled; `next` is the oldest one once all are.
    ring: [bool; FORECASTS_KEPT],
    len: usize,
    next: usize,
    hits: u64,
    transitions: Transitions,
}

/// What the last forecasts were worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonitorReading {
    /// Forecasts judged, at most [`FORECASTS_KEPT`].
    pub forecasts: u64,
    /// Losses that were larger than forecast.
    pub hits: u64,
    /// Over the forecasts there are; without a hit it is green, however few there are.
    pub zone: ZoneReading,
    /// Kupiec's test.
    pub coverage: Option<LikelihoodRatio>,
    /// Christoffersen's test.
    pub independence: Option<LikelihoodRatio>,
}

impl MonitorReading {
    /// The limit must use the most conservative method and people must know: the zone is red, or the count of hits and
    /// their independence are both rejected at 1 %.
    pub fn must_be_conservative(&self) -> bool {
        let is_rejected = |test: Option<LikelihoodRatio>| test.is_some_and(|test| test.is_rejected());
        self.zone.zone == Zone::Red || (is_rejected(self.coverage) && is_rejected(self.independence))
    }
}

impl VarMonitor {
    /// Before the first forecast, for forecasts of this tail.
    pub const fn new(tail: Tail) -> Self {
        let transitions =
            Transitions { after_miss_miss: 0, after_miss_hit: 0, after_hit_miss: 0, after_hit_hit: 0 };
        Self { tail, ring: [false; FORECASTS_KEPT], len: 0, next: 0, hits: 0, transitions }
    }

    /// Takes a return and the VaR that was forecast before it; true for a hit. Where one of them is not a number
    /// there was no forecast.
    pub fn on_return(&mut self, var: f64, value: f64) -> bool {
        let is_hit = value < -var;
        if var.is_finite() && is_return(value) {
            self.on_forecast(is_hit);
        }
        is_hit
    }

    fn on_forecast(&mut self, is_hit: bool) {
        if self.len > 0 {
            let last = self.ring[if self.next == 0 { self.len - 1 } else { self.next - 1 }];
            *self.transitions.count(last, is_hit) += 1;
        }
        let after = if self.next + 1 == FORECASTS_KEPT { 0 } else { self.next + 1 };
        if self.len == FORECASTS_KEPT {
            // The oldest forecast leaves, and with it the pair that it began.
            let oldest = self.ring[self.next];
            *self.transitions.count(oldest, self.ring[after]) -= 1;
            self.hits -= u64::from(oldest);
        } else {
            self.len += 1;
        }
        self.ring[self.next] = is_hit;
        self.hits += u64::from(is_hit);
        self.next = after;
    }

    /// `None` before the first forecast.
    pub fn reading(&self) -> Option<MonitorReading> {
        let (n, p) = (self.len as u64, self.tail.fraction());
        let light = traffic_light(n, self.hits, p)?;
        // With very few forecasts even none is many: what has not happened is no evidence.
        let zone = if self.hits == 0 { Zone::Green } else { light.zone };
        Some(MonitorReading {
            forecasts: n,
            hits: self.hits,
            zone: ZoneReading { zone, ..light },
            coverage: kupiec(n, self.hits, p),
            independence: self.transitions.independence(),
        })
    }
}

impl State for VarMonitor {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { tail: _, ring, len, next, hits, transitions } = self;
        io.len(len, FORECASTS_KEPT)?;
        if io.is_loading() {
            *next = *len % FORECASTS_KEPT;
        }
        let oldest = if *len == FORECASTS_KEPT { *next } else { 0 };
        let (newer, older) = ring[..*len].split_at_mut(oldest);
        older.iter_mut().chain(newer).try_for_each(|hit| io.flag(hit))?;
        if io.is_loading() {
            *hits = ring[..*len].iter().filter(|hit| **hit).count() as u64;
            *transitions = Transitions::of(&ring[..*len]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A monitor that was fed, saved and loaded agrees with a count over the last forecasts.
    #[test]
    fn counting_as_it_goes_is_counting_again() {
        let (mut monitor, mut all, mut random) = (VarMonitor::new(Tail::ONE_PERCENT), Vec::new(), 5u64);
        for nth in 0..2_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Storms and calms.
            let is_hit = random >> 60 < if nth / 100 % 3 == 0 { 6 } else { 1 };
            assert_eq!(monitor.on_return(0.02, if is_hit { -0.03 } else { -0.02 }), is_hit);
            all.push(is_hit);
            let last = &all[all.len().saturating_sub(FORECASTS_KEPT)..];
            let twin = super::super::christoffersen(last, 0.01);
            let reading = monitor.reading().unwrap();
            assert_eq!((reading.coverage, reading.independence), (twin.coverage, twin.independence));
            assert_eq!(reading.hits, last.iter().filter(|hit| **hit).count() as u64);
            let mut bytes = Vec::new();
            StateIo::save(&mut monitor, &mut bytes);
            let mut loaded = VarMonitor::new(Tail::ONE_PERCENT);
            assert_eq!(StateIo::load(&mut loaded, &bytes), Ok(()));
            assert_eq!(loaded.reading(), Some(reading));
            let mut again = Vec::new();
            StateIo::save(&mut loaded, &mut again);
            assert_eq!(bytes, again);
            if nth % 3 == 0 {
                monitor = loaded;
            }
        }
    }

    #[test]
    fn the_tenth_hit_of_a_year_and_hits_in_a_row_are_conservative() {
        let mut spread = VarMonitor::new(Tail::ONE_PERCENT);
        let mut clustered = VarMonitor::new(Tail::ONE_PERCENT);
        for day in 0..FORECASTS_KEPT {
            spread.on_return(0.01, if day % 27 == 20 { -0.02 } else { 0.0 });
            clustered.on_return(0.01, if (100..108).contains(&day) { -0.02 } else { 0.0 });
        }
        let reading = spread.reading().unwrap();
        assert_eq!((reading.hits, reading.zone.zone), (9, Zone::Yellow));
        assert!(!reading.must_be_conservative(), "nine hits that are far apart: {reading:?}");
        let reading = clustered.reading().unwrap();
        assert_eq!((reading.hits, reading.zone.zone), (8, Zone::Yellow));
        assert!(reading.must_be_conservative(), "eight in a row: {reading:?}");
        spread.on_return(0.01, -0.02);
        assert!(spread.reading().unwrap().must_be_conservative(), "ten");
        let mut quiet = VarMonitor::new(Tail::ONE_PERCENT);
        assert_eq!(quiet.reading(), None);
        assert!(!quiet.on_return(0.01, f64::NAN) && !quiet.on_return(f64::NAN, -1.0));
        assert_eq!(quiet.reading(), None, "what was not forecast is not judged");
    }
}
