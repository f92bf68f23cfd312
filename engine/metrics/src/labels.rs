//! Labels for models: what became of an entry, and how much of its own each label has.

use crate::figure::Undefined;
use crate::sum::Sum;
use crate::{BadInput, input};
use smc_core::words::Side;

/// Most periods of a series that labels are weighed on.
pub const PERIODS_MAX: usize = 50_000_000;

/// Which barrier ended a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// The target.
    Target,
    /// The stop; it wins a tie inside one bar.
    Stop,
    /// The horizon.
    Time,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// 1 for the target, -1 for the stop; at the horizon the sign of the return, as seen from the side.
    pub sign: i8,
    /// The bar in which it was known.
    pub at: usize,
    /// What ended it.
    pub barrier: Barrier,
}

/// Distances of the barriers from the entry, as fractions of it, and bars until the label ends by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripleBarrier {
    /// To the target; costs are the caller's to put into both.
    pub target: f64,
    /// To the stop.
    pub stop: f64,
    /// In bars.
    pub horizon: usize,
}

/// Bars as columns.
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a> {
    high: &'a [f64],
    low: &'a [f64],
    close: &'a [f64],
}

impl<'a> Bars<'a> {
    /// Columns of one length, finite.
    pub fn new(high: &'a [f64], low: &'a [f64], close: &'a [f64]) -> Result<Self, BadInput> {
        for (what, column) in [("high", high), ("low", low), ("close", close)] {
            input::check_length(what, column.len(), close.len())?;
            input::check_numbers(what, column)?;
        }
        Ok(Self { high, low, close })
    }
}

impl TripleBarrier {
    /// Distances above 0, a horizon of at least a bar.
    pub fn new(target: f64, stop: f64, horizon: usize) -> Result<Self, BadInput> {
        for (what, distance) in [("target", target), ("stop", stop)] {
            if !(distance > 0.0 && distance.is_finite()) {
                return Err(BadInput::Domain { what, wanted: "a distance above 0" });
            }
        }
        if horizon == 0 {
            return Err(BadInput::Domain { what: "horizon", wanted: "1 or more" });
        }
        Ok(Self { target, stop, horizon })
    }

    /// The label of an entry at the close of bar `entry`; none when neither barrier is touched and the bars end before
    /// the horizon: such an entry is open and is dropped.
    pub fn label(&self, bars: Bars<'_>, entry: usize, side: Side) -> Result<Option<Label>, BadInput> {
        let bad = BadInput::Domain { what: "entry", wanted: "one of the bars" };
        let price = *bars.close.get(entry).ok_or(bad)?;
        let (above, below) = match side {
            Side::Buy => (self.target, self.stop),
            Side::Sell => (self.stop, self.target),
        };
        let (upper, lower) = (price * (1.0 + above), price * (1.0 - below));
        let end = entry.saturating_add(self.horizon);
        for at in entry + 1..bars.close.len().min(end.saturating_add(1)) {
            let (rose, fell) = (bars.high[at] >= upper, bars.low[at] <= lower);
            let (is_target, is_stop) = match side {
                Side::Buy => (rose, fell),
                Side::Sell => (fell, rose),
            };
            if is_stop {
                return Ok(Some(Label { sign: -1, at, barrier: Barrier::Stop }));
            }
            if is_target {
                return Ok(Some(Label { sign: 1, at, barrier: Barrier::Target }));
            }
        }
        Ok(bars.close.get(end).map(|close| {
            let gain = match side {
                Side::Buy => close - price,
                Side::Sell => price - close,
            };
            let sign = i8::from(gain > 0.0) - i8::from(gain < 0.0);
            Label { sign, at: end, barrier: Barrier::Time }
        }))
    }
}

/// How labels share time.
#[derive(Clone, Debug, PartialEq)]
pub struct Uniqueness {
    /// Labels alive in each period.
    pub concurrency: Vec<u32>,
    /// A label each: the mean of `1 / concurrency` over its span.
    pub uniqueness: Vec<f64>,
}

impl Uniqueness {
    /// Of spans over `n` periods; first and last period belong to a span.
    pub fn of(n: usize, spans: &[(usize, usize)]) -> Result<Self, BadInput> {
        if n > PERIODS_MAX {
            return Err(BadInput::Domain { what: "n", wanted: "at most 50 million periods" });
        }
        if let Some(at) = spans.iter().position(|(from, to)| from > to || *to >= n) {
            return Err(BadInput::Element { what: "spans", at, wanted: "among the periods" });
        }
        // One step where a label begins, one back behind its end; the running sum counts who is alive.
        let mut steps = vec![0i64; n + 1];
        for (from, to) in spans {
            steps[*from] += 1;
            steps[to + 1] -= 1;
        }
        let mut alive = 0;
        let concurrency: Vec<u32> = steps[..n]
            .iter()
            .map(|step| {
                alive += step;
                // Not negative, and not more than the labels.
                alive as u32
            })
            .collect();
        let share = |(from, to): &(usize, usize)| {
            let alive = &concurrency[*from..=*to];
            crate::sum::sum(alive.iter().map(|count| 1.0 / f64::from(*count))) / alive.len() as f64
        };
        let uniqueness = spans.iter().map(share).collect();
        Ok(Self { concurrency, uniqueness })
    }

    /// Weights of labels for a fit: uniqueness times a decay (0 or more, one a label), scaled to sum to their count.
    /// Undefined when nothing is left.
    pub fn weights(&self, decay: &[f64]) -> Result<Result<Vec<f64>, Undefined>, BadInput> {
        input::check_length("decay", decay.len(), self.uniqueness.len())?;
        if let Some(at) = decay.iter().position(|decay| !(*decay >= 0.0 && decay.is_finite())) {
            return Err(BadInput::Element { what: "decay", at, wanted: "0 or more" });
        }
        let raw: Vec<f64> = self.uniqueness.iter().zip(decay).map(|(own, decay)| own * decay).collect();
        let mut total = Sum::default();
        raw.iter().for_each(|weight| total.add(*weight));
        let scale = raw.len() as f64 / total.value();
        Ok(if scale.is_finite() {
            Ok(raw.into_iter().map(|weight| weight * scale).collect())
        } else {
            Err(Undefined::TooFew { needed: 1, got: 0 })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(highs: &[f64], lows: &[f64], closes: &[f64], side: Side) -> Option<(i8, usize, Barrier)> {
        let barriers = TripleBarrier::new(0.02, 0.01, 2).unwrap();
        let label = barriers.label(Bars::new(highs, lows, closes).unwrap(), 0, side).unwrap();
        label.map(|Label { sign, at, barrier }| (sign, at, barrier))
    }

    #[test]
    fn the_stop_wins_a_tie_and_the_horizon_takes_the_sign() {
        let tie = label(&[100.0, 103.0, 100.0], &[100.0, 98.0, 100.0], &[100.0; 3], Side::Buy);
        assert_eq!(tie, Some((-1, 1, Barrier::Stop)));
        let target = label(&[100.0, 100.5, 100.0], &[100.0, 97.0, 97.0], &[100.0; 3], Side::Sell);
        assert_eq!(target, Some((1, 1, Barrier::Target)));
        for (last, sign) in [(100.1, 1), (99.9, -1), (100.0, 0)] {
            let closes = [100.0, 100.0, last];
            assert_eq!(label(&[100.5; 3], &[99.5; 3], &closes, Side::Buy), Some((sign, 2, Barrier::Time)));
            assert_eq!(label(&[100.5; 3], &[99.5; 3], &closes, Side::Sell), Some((-sign, 2, Barrier::Time)));
        }
        assert_eq!(label(&[100.5; 2], &[99.5; 2], &[100.0; 2], Side::Buy), None, "still open");
    }

    #[test]
    fn what_is_no_label_is_refused() {
        assert!(TripleBarrier::new(0.0, 0.1, 1).is_err());
        assert!(TripleBarrier::new(0.1, f64::NAN, 1).is_err());
        assert!(TripleBarrier::new(0.1, 0.1, 0).is_err());
        assert!(Bars::new(&[1.0], &[1.0, 2.0], &[1.0]).is_err());
        let bars = Bars::new(&[1.0], &[1.0], &[1.0]).unwrap();
        let endless = TripleBarrier::new(0.1, 0.1, usize::MAX).unwrap();
        assert!(endless.label(bars, 1, Side::Buy).is_err());
        assert_eq!(endless.label(bars, 0, Side::Buy), Ok(None));
        for spans in [[(1, 0)], [(0, 3)]] {
            assert!(Uniqueness::of(3, &spans).is_err());
        }
        assert!(Uniqueness::of(usize::MAX, &[]).is_err());
    }

    #[test]
    fn weights_sum_to_their_count() {
        let labels = Uniqueness::of(9, &[(0, 2), (1, 4), (8, 8)]).unwrap();
        assert_eq!(labels.concurrency, [1, 2, 2, 1, 1, 0, 0, 0, 1]);
        let weights = labels.weights(&[1.0, 0.5, 0.0]).unwrap().unwrap();
        assert!((weights.iter().sum::<f64>() - 3.0).abs() < 1e-12);
        assert!(labels.weights(&[0.0; 3]).unwrap().is_err());
        assert!(labels.weights(&[1.0]).is_err() && labels.weights(&[1.0, -1.0, 0.0]).is_err());
    }
}
