//! Pictures without text in them: paths in a square of 1000 units that stretch with the page, ticks as text over it.
//!
//! So a line is as thin and a number as large on a phone as on paper, and a script zooms by the view box alone.

use crate::text::Escaped;
use std::fmt::Write;

/// Units of a picture, in both directions.
pub const SIDE: f64 = 1_000.0;

/// One direction of a picture: the values at its edges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// At the left or the bottom.
    pub low: f64,
    /// At the right or the top.
    pub high: f64,
}

impl Axis {
    /// Around all values, with a little room; something even for one value or none.
    pub fn around(values: impl IntoIterator<Item = f64>, room: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        let span = (high - low).max(high.abs().max(low.abs()) * 1e-3).max(1e-9);
        Self { low: low - span * room, high: high + span * room }
    }

    /// Place of a value as a part of the axis.
    pub fn part(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(-1.0, 2.0)
    }

    /// Units from the left.
    pub fn x(&self, value: f64) -> f64 {
        self.part(value) * SIDE
    }

    /// Units from the top.
    pub fn y(&self, value: f64) -> f64 {
        (1.0 - self.part(value)) * SIDE
    }

    /// Round values, about `count` of them, and the decimals that they need.
    pub fn ticks(&self, count: f64) -> (Vec<f64>, usize) {
        let (step, decimals) = nice_step((self.high - self.low) / count);
        let first = (self.low / step).ceil();
        let last = (self.high / step).floor();
        let many = (last - first).clamp(0.0, 40.0) as u32;
        // Adding zero: no tick is called minus zero.
        ((0..=many).map(|nth| (first + f64::from(nth)) * step + 0.0).collect(), decimals)
    }
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below, and its decimals.
pub fn nice_step(least: f64) -> (f64, usize) {
    let (mut power, mut decimals) = (1.0, 0);
    while power > least && decimals < 9 {
        power /= 10.0;
        decimals += 1;
    }
    while power * 10.0 <= least && power < 1e15 {
        power *= 10.0;
    }
    let factor =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= least).unwrap_or(10.0);
    let decimals = match factor {
        2.5 if power < 10.0 => decimals + 1,
        10.0 => usize::saturating_sub(decimals, 1),
        _ => decimals,
    };
    (factor * power, decimals)
}

/// A coordinate with no more digits than can be seen.
pub fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A line through points, in units.
pub fn line(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.into_iter().enumerate() {
        let _ = write!(path, "{}{} {}", if at == 0 { "M" } else { "L" }, short(x), short(y));
    }
    path
}

/// What lies between a line through points and a height, in units.
pub fn area(points: &[(f64, f64)], base: f64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let base = short(base);
    format!("{}L{} {base}L{} {base}Z", line(points.iter().copied()), short(last.0), short(first.0))
}

/// Dots, in units; drawn as lines of no length with round ends, so that they stay round.
pub fn dots(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let _ = write!(path, "M{} {}h0", short(x), short(y));
    }
    path
}

/// 1, 2 and 5 times powers of ten between the edges of an axis of natural logarithms; tens alone over many of them.
pub fn log_ticks(axis: &Axis) -> Vec<f64> {
    let (low, high) = (libm::exp(axis.low), libm::exp(axis.high));
    let factors: &[f64] = if axis.high - axis.low > 7.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let (mut power, mut ticks) = (1e-8, Vec::new());
    while power <= high && power < 1e18 {
        ticks
            .extend(factors.iter().map(|factor| factor * power).filter(|tick| low <= *tick && *tick <= high));
        power *= 10.0;
    }
    ticks
}

/// Horizontal lines with their values, from the top down in percent.
pub fn rows(out: &mut String, axis: &Axis, count: f64, word: impl Fn(f64, usize) -> String) {
    let (ticks, decimals) = axis.ticks(count);
    rows_at(out, axis, ticks.into_iter().map(|tick| (tick, word(tick, decimals))));
}

/// Horizontal lines at places on the axis, with their words.
pub fn rows_at(out: &mut String, axis: &Axis, ticks: impl IntoIterator<Item = (f64, String)>) {
    for (tick, word) in ticks {
        let place = (1.0 - axis.part(tick)) * 100.0;
        let _ = write!(out, "<i class=\"gy\" style=\"top:{place:.2}%\"><b>{}</b></i>", Escaped(word));
    }
}

/// Vertical lines with their words, at parts of the width.
pub fn columns(out: &mut String, places: impl IntoIterator<Item = (f64, String)>) {
    for (part, word) in places {
        // A word in the middle of its line would leave a phone's screen at the very left.
        let edge = if part < 0.08 { " edge" } else { "" };
        let left = part * 100.0;
        let _ = write!(out, "<i class=\"gx{edge}\" style=\"left:{left:.2}%\"><b>{}</b></i>", Escaped(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let text = |low, high| {
            let (ticks, decimals) = Axis { low, high }.ticks(5.0);
            ticks.iter().map(|tick| format!("{tick:.decimals$}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(-0.13, 0.52), "0.0 0.2 0.4");
        assert_eq!(text(0.0, 1.2), "0.00 0.25 0.50 0.75 1.00");
        assert_eq!(text(98_000.0, 141_000.0), "100000 110000 120000 130000 140000");
        assert_eq!(text(-0.031, 0.0), "-0.03 -0.02 -0.01 0.00");
    }

    #[test]
    fn logarithms_have_round_ticks_too() {
        let ticks = |low: f64, high: f64| log_ticks(&Axis { low: libm::log(low), high: libm::log(high) });
        let near = |got: Vec<f64>, wanted: &[f64]| {
            assert_eq!(got.len(), wanted.len(), "{got:?}");
            assert!(got.iter().zip(wanted).all(|(got, wanted)| (got / wanted - 1.0).abs() < 1e-9), "{got:?}");
        };
        near(ticks(90_000.0, 3_000_000.0), &[1e5, 2e5, 5e5, 1e6, 2e6]);
        near(ticks(3.0, 90_000.0), &[10.0, 100.0, 1_000.0, 10_000.0]);
    }

    #[test]
    fn an_axis_has_a_length_whatever_lies_on_it() {
        for values in [vec![], vec![0.0], vec![5.0, 5.0], vec![-1e9]] {
            let axis = Axis::around(values, 0.05);
            assert!(axis.low < axis.high && axis.x(axis.high) == SIDE);
        }
    }
}
