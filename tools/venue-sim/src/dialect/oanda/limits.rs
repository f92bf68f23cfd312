//! How much clients may ask for: requests per second of market time.

use crate::market::fx::calendar::SECOND_NS;
use smc_core::TsNs;

/// Requests of the current second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    second: u64,
    spent: u32,
}

impl Budget {
    /// Counts a request; false when it is one too many.
    pub fn take(&mut self, now: TsNs, most: Option<u32>) -> bool {
        let second = now.0 / SECOND_NS;
        if second != self.second {
            *self = Self { second, spent: 0 };
        }
        self.spent = self.spent.saturating_add(1);
        most.is_none_or(|most| self.spent <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_requests_and_the_next_one_as_many_again() {
        let mut budget = Budget::default();
        let mut take = |ms: u64| budget.take(TsNs(ms * 1_000_000), Some(2));
        assert_eq!(
            [0, 10, 20, 999, 1_000, 1_001, 1_002].map(&mut take),
            [true, true, false, false, true, true, false]
        );
    }
}
