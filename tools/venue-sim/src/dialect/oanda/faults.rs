//! Chance, from the seed: whether something goes wrong now.

use crate::market::random::Random;

/// Dice that are the same for the same seed. What can never happen is not thrown for, so that a run without faults
/// does not hang on which faults exist.
pub struct Dice(Random);

impl Dice {
    /// Any seed is good.
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed ^ 0x0A4D_A000))
    }

    /// Whether something with a chance in a million happens now.
    pub fn falls(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.0.bits() % 1_000_000 < u64::from(ppm)
    }

    /// A number below another; zero below zero.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0.bits() % most.max(1)
    }
}
