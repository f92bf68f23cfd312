//! Random draws that are the same on every machine, for ever.

use smc_core::maths::normal;

/// xoshiro256++ (Blackman and Vigna, public domain), seeded by SplitMix64.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// Any seed is good, 0 too.
    pub fn new(seed: u64) -> Self {
        let mut split = seed;
        let state = std::array::from_fn(|_| {
            split = split.wrapping_add(GOLDEN);
            mix(split)
        });
        Self { state }
    }

    /// The generator of run `nth` under `seed`: a run draws the same, whoever makes it and after whatever.
    pub fn of_run(seed: u64, nth: u64) -> Self {
        Self::new(mix(seed.wrapping_add(GOLDEN)) ^ mix(nth.wrapping_mul(GOLDEN)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// In `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of `0..end`, each as likely (Lemire's multiplication with rejection); 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        loop {
            let product = u128::from(self.bits()) * u128::from(end);
            let low = product as u64;
            // The rejected part is below `2^64 mod end`; the division is needed only there.
            if low >= end || low >= end.wrapping_neg().checked_rem(end).unwrap_or(0) {
                return (product >> 64) as usize;
            }
        }
    }

    /// Normal with mean 0 and deviation 1, by the inverse of its distribution.
    pub fn normal(&mut self) -> f64 {
        // Half a step in: neither 0 nor 1.
        normal::quantile(((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
    }

    /// Every order is as likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (2..=items.len()).rev() {
            items.swap(end - 1, self.below(end));
        }
    }
}

/// SplitMix64's output function.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_fixed_for_ever() {
        // The reference implementation of xoshiro256++ from the state 1, 2, 3, 4.
        let mut random = Random { state: [1, 2, 3, 4] };
        let first = [random.bits(), random.bits(), random.bits(), random.bits()];
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn every_order_of_three_is_as_likely_and_runs_differ() {
        let mut seen = std::collections::BTreeMap::new();
        for nth in 0..6_000 {
            let mut items = [0, 1, 2];
            Random::of_run(7, nth).shuffle(&mut items);
            *seen.entry(items).or_insert(0u32) += 1;
        }
        // 1,000 of each expected; six deviations of the binomial are 173.
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| count.abs_diff(1_000) < 173), "{seen:?}");
        assert_eq!(Random::new(1).below(0), 0);
        assert_eq!(Random::new(1).below(1), 0);
    }
}
