//! Average true range after Wilder, in fixed point: the same bits on every machine.
//!
//! Pure, one multiplication a bar. Until `len` bars have been seen it is their plain mean, so that a value
//! exists from the first bar on; the mean of the first `len` bars is also Wilder's own seed.

use fixed::FixedI64;
use fixed::types::extra::{U8, U62};

use super::snapshot;
use crate::state::{StateError, StateIo};

/// A price with eight more bits: what one step of the average loses stays below one price unit.
type Average = FixedI64<U8>;
/// Largest true range the average takes; 180 million quote units in one bar.
const RANGE_MAX: i64 = 1 << 54;

/// Running average true range.
#[derive(Clone, Copy, Debug)]
pub struct Atr {
    average: Average,
    /// `1 / len`.
    alpha: FixedI64<U62>,
    len: u32,
    /// Bars of the plain mean, up to `len`.
    seen: u32,
    /// Sum of true ranges while `seen < len`.
    warm_sum: i128,
    close_before: i64,
}

impl Atr {
    /// Over `len` bars, at least 1.
    pub fn new(len: u16) -> Self {
        let len = u32::from(len.max(1));
        Self {
            average: Average::ZERO,
            alpha: FixedI64::<U62>::ONE / i64::from(len),
            len,
            seen: 0,
            warm_sum: 0,
            close_before: 0,
        }
    }

    /// Takes a closed bar; returns its true range. Prices within ±2^61.
    pub fn on_bar(&mut self, high: i64, low: i64, close: i64) -> i64 {
        let range = if self.seen == 0 {
            high - low
        } else {
            high.max(self.close_before) - low.min(self.close_before)
        };
        self.close_before = close;
        let capped = range.min(RANGE_MAX);
        if self.seen < self.len {
            self.warm_up(capped);
        } else {
            let step = (Average::from_num(capped) - self.average).wide_mul(self.alpha);
            // Exact would need the product's 70 bits; rounding down is below 1/256 unit a bar.
            self.average += Average::from_num(step);
        }
        range
    }

    /// The average, rounded down to a price unit; 0 before the first bar.
    pub fn value(&self) -> i64 {
        self.average.to_num()
    }

    /// `|distance|` in ppm of the average; 0 while the average is 0.
    pub fn ppm_of(&self, distance: i64) -> i64 {
        let average = self.average.to_bits().unsigned_abs();
        if average == 0 {
            return 0;
        }
        let scale = 1_000_000 * Average::ONE.to_bits().unsigned_abs();
        // Distances below 720 whole units do without a 128-bit division.
        match distance.unsigned_abs().checked_mul(scale) {
            Some(scaled) => i64::try_from(scaled / average).unwrap_or(i64::MAX),
            None => ppm_of_far(distance, scale, average),
        }
    }

    /// Saves or loads it after `count` bars.
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let mut bits = self.average.to_bits();
        io.number(&mut bits)?;
        io.number(&mut self.seen)?;
        io.number(&mut self.warm_sum)?;
        snapshot::price(io, &mut self.close_before)?;
        self.average = Average::from_bits(bits);
        let most = i128::from(self.seen) * i128::from(RANGE_MAX);
        let is_sound = self.seen == self.len.min(count)
            && (0..=most).contains(&self.warm_sum)
            && (Average::ZERO..=Average::from_num(RANGE_MAX)).contains(&self.average);
        snapshot::sound(io, is_sound)
    }

    fn warm_up(&mut self, range: i64) {
        self.warm_sum += i128::from(range);
        self.seen += 1;
        // `sum << 8` in i128, so nothing is lost; the quotient fits because each range does.
        let bits = self.warm_sum * i128::from(Average::ONE.to_bits()) / i128::from(self.seen);
        self.average = Average::from_bits(bits as i64);
    }
}

#[cold]
fn ppm_of_far(distance: i64, scale: u64, average: u64) -> i64 {
    let scaled = i128::from(distance.unsigned_abs()) * i128::from(scale);
    crate::words::clamp_i64(scaled / i128::from(average))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_mean_first_and_wilder_after() {
        let mut atr = Atr::new(4);
        for (high, low, close, mean) in [(110, 100, 105, 10), (125, 105, 120, 15), (120, 90, 100, 20)] {
            atr.on_bar(high, low, close);
            assert_eq!(atr.value(), mean);
        }
        atr.on_bar(120, 100, 110);
        assert_eq!(atr.value(), 20);
        assert_eq!(atr.on_bar(170, 160, 165), 60, "the gap from the close before counts");
        assert_eq!(atr.value(), 30);
        assert_eq!(atr.ppm_of(-15), 500_000);
    }

    #[test]
    fn it_stays_within_a_unit_of_exact_arithmetic() {
        let mut atr = Atr::new(200);
        let (mut exact, mut random) = (0f64, 7u64);
        for k in 1..20_000u32 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let range = (random >> 44) as i64;
            atr.on_bar(range, 0, 0);
            let weight = f64::from(k.min(200));
            exact += (range as f64 - exact) / weight;
            assert!((atr.value() as f64 - exact).abs() < 2.0, "bar {k}: {} for {exact}", atr.value());
        }
    }

    #[test]
    fn absurd_ranges_do_not_overflow() {
        let mut atr = Atr::new(1);
        for _ in 0..5 {
            atr.on_bar(0, 0, 0);
            atr.on_bar(1 << 61, -(1 << 61), 0);
            assert_eq!(atr.value(), RANGE_MAX);
            assert!(atr.ppm_of(i64::MIN) > 0);
        }
    }
}
