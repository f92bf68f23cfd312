//! Sums that keep what plain addition drops.

/// Neumaier's compensated sum (1974): the low parts that additions lose are gathered beside it. Its error is some units
/// in the last place of the result, plus a part that grows with the square of the count and of 1e-16.
///
/// The order of values still matters in the last bits, so it is fixed everywhere: first to last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        let total = self.total + value;
        self.lost += if self.total.abs() >= value.abs() {
            (self.total - total) + value
        } else {
            (value - total) + self.total
        };
        self.total = total;
    }

    /// The sum so far; not finite when it overflowed.
    pub fn value(self) -> f64 {
        if self.total.is_finite() { self.total + self.lost } else { self.total }
    }
}

/// The sum of all values, first to last.
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    for value in values {
        sum.add(value);
    }
    sum.value()
}

/// The mean; NaN without values. Equal values have exactly their own mean, which a rounded sum would miss.
pub fn mean(values: &[f64]) -> f64 {
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => *first,
        _ => sum(values.iter().copied()) / values.len() as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_beside_large_ones_are_kept() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum([0.1; 10]), 1.0);
        assert_eq!(sum([f64::MAX, f64::MAX, -f64::MAX]), f64::INFINITY);
        assert_eq!(sum([]), 0.0);
        assert_eq!(mean(&[0.1, 0.1, 0.1]), 0.1);
    }
}
