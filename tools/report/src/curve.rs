//! The account over time, and as much of it as a picture can show.

use crate::text::float;
use smc_backtest::Outcome;

/// The account at the end of each period, with how far it was below its peak.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// One a period.
    pub points: Vec<CurvePoint>,
    /// The lowest that equity was within a period, under the peak of period ends before: 0 or less.
    pub worst_within: f64,
}

/// One period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Seconds since the epoch.
    pub secs: u64,
    /// What the account was worth.
    pub equity: f64,
    /// Fraction under the highest end of a period so far; the start counts. 0 or less.
    pub drawdown: f64,
    /// The same of the lowest within the period.
    pub drawdown_low: f64,
    /// Absolute position per equity; 0 when there is no equity.
    pub exposure: f64,
    /// What the benchmark would have made of the start.
    pub benchmark: Option<f64>,
}

impl Curve {
    /// Of all periods. A benchmark has one return a period.
    pub fn of(outcome: &Outcome, benchmark: Option<&[f64]>) -> Self {
        let start = float(outcome.starting_equity.0);
        let (mut peak, mut other, mut worst_within) = (start, start, 0.0f64);
        let points = outcome.points.iter().enumerate().map(|(at, point)| {
            let equity = float(point.equity.0);
            let low = float(point.low.0).min(equity);
            let fall = |value: f64, peak: f64| if peak > 0.0 { (value / peak - 1.0).min(0.0) } else { 0.0 };
            let drawdown_low = fall(low, peak);
            peak = peak.max(equity);
            worst_within = worst_within.min(drawdown_low);
            let drawdown = fall(equity, peak);
            let exposure = if equity > 0.0 { float(point.exposure.0) / equity } else { 0.0 };
            let benchmark = benchmark.and_then(|returns| returns.get(at)).map(|value| {
                other *= 1.0 + value;
                other
            });
            let secs = point.ts.0 / 1_000_000_000;
            // What was lowest lies no higher than the end.
            let drawdown_low = drawdown_low.min(drawdown);
            CurvePoint { secs, equity, drawdown, drawdown_low, exposure, benchmark }
        });
        let points = points.collect();
        Self { points, worst_within }
    }

    /// Points that a picture of so many columns needs, in order: of each column the first, the last, and the extremes of
    /// everything that is drawn. All of them while there are few.
    pub fn thinned(&self, columns: usize) -> Vec<CurvePoint> {
        let points = &self.points;
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
        if points.len() <= columns * 4 {
            return points.clone();
        }
        let span = (last.secs - first.secs).max(1);
        let column_of =
            |point: &CurvePoint| (point.secs - first.secs) as u128 * columns as u128 / u128::from(span + 1);
        let mut kept = Vec::new();
        for column in points.chunk_by(|a, b| column_of(a) == column_of(b)) {
            let extreme = |value: fn(&CurvePoint) -> f64, sign: f64| {
                let better = |best: usize, at: usize| sign * value(&column[at]) > sign * value(&column[best]);
                (1..column.len()).fold(0, |best, at| if better(best, at) { at } else { best })
            };
            let mut wanted = [
                0,
                column.len() - 1,
                extreme(|point| point.equity, 1.0),
                extreme(|point| point.equity, -1.0),
                extreme(|point| point.drawdown, -1.0),
                extreme(|point| point.drawdown_low, -1.0),
                extreme(|point| point.exposure, 1.0),
            ];
            wanted.sort_unstable();
            let mut before = None;
            for at in wanted {
                if before.replace(at) != Some(at) {
                    kept.push(column[at]);
                }
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However few columns, what was highest, lowest and deepest is on the picture.
    #[test]
    fn a_thinned_curve_keeps_every_extreme() {
        let mut random = smc_metrics::Random::new(3);
        let mut curve = Curve::default();
        let (mut equity, mut peak) = (100.0f64, 100.0f64);
        for at in 0..20_000 {
            equity *= 1.0 + 0.01 * random.normal();
            peak = peak.max(equity);
            let drawdown = equity / peak - 1.0;
            let drawdown_low = drawdown - 0.1 * random.unit();
            let exposure = random.unit();
            curve.points.push(CurvePoint {
                secs: at * 60,
                equity,
                drawdown,
                drawdown_low,
                exposure,
                benchmark: None,
            });
        }
        let thinned = curve.thinned(37);
        assert!(thinned.len() <= 37 * 7 && thinned.is_sorted_by(|a, b| a.secs < b.secs));
        let least = |of: &[CurvePoint], value: fn(&CurvePoint) -> f64| {
            of.iter().map(value).fold(f64::INFINITY, f64::min)
        };
        let values: [fn(&CurvePoint) -> f64; 5] =
            [|it| it.equity, |it| -it.equity, |it| it.drawdown, |it| it.drawdown_low, |it| -it.exposure];
        for value in values {
            assert_eq!(least(&thinned, value), least(&curve.points, value));
        }
        assert_eq!((thinned.first(), thinned.last()), (curve.points.first(), curve.points.last()));
    }
}
