//! The venue's words: categories, ids, and how it writes numbers.

use smc_core::words::SCALE;
use smc_core::{Qty, Side};
use std::fmt;

/// What the venue groups its instruments by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Assets against assets.
    Spot,
    /// Perpetuals settled in USDT.
    Linear,
    /// Known to the venue; the simulator lists no instrument of it.
    Inverse,
    /// Known to the venue; the simulator lists no instrument of it.
    Option,
}

impl Category {
    /// All, in the venue's order.
    pub const ALL: [Self; 4] = [Self::Spot, Self::Linear, Self::Inverse, Self::Option];

    /// By the venue's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.word() == word)
    }

    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
            Self::Inverse => "inverse",
            Self::Option => "option",
        }
    }

    /// Whether assets themselves change hands.
    pub const fn is_spot(self) -> bool {
        matches!(self, Self::Spot)
    }
}

/// The venue's word for a direction.
pub const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "Buy",
        Side::Sell => "Sell",
    }
}

/// An amount of 1e-8 units with as many decimals as its step has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The amount.
    pub value: i64,
    /// The step.
    pub step: i64,
}

impl fmt::Display for Stepped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut decimals, mut step) = (8usize, self.step.max(1));
        while decimals > 0 && step % 10 == 0 {
            step /= 10;
            decimals -= 1;
        }
        let scale = SCALE.unsigned_abs();
        let units = self.value.unsigned_abs();
        let fraction = format!("{:08}", units % scale);
        // More decimals than the step has, when the amount needs them: it is never written wrong.
        let used = fraction.trim_end_matches('0').len().max(decimals);
        let sign = if self.value < 0 { "-" } else { "" };
        write!(f, "{sign}{}", units / scale)?;
        if used > 0 {
            write!(f, ".{}", fraction.get(..used).unwrap_or_default())?;
        }
        Ok(())
    }
}

/// An amount of 1e-8 units without superfluous zeros.
pub fn plain(value: i64) -> String {
    Qty(value).to_string()
}

/// A part of a whole in ppm, as the venue writes rates: `"0.00055"`.
pub fn rate_ppm(ppm: i64) -> String {
    plain(ppm.saturating_mul(SCALE / 1_000_000))
}

/// One number made of another that looks like chance: the finaliser of SplitMix64.
pub fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The UUID of a number: the same each time, another for each number.
pub fn uuid(number: u64) -> String {
    let (high, low) = (scatter(number), scatter(!number));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48 & 0x3fff),
        low & 0xffff_ffff_ffff,
    )
}

/// What a spot number starts from: nineteen digits, as the venue's have.
const SPOT_ID_BASE: u64 = 2_000_000_000_000_000_000;

/// An id as the category writes it: a number on spot, a UUID elsewhere.
pub fn id_text(category: Category, number: u64) -> String {
    if category.is_spot() { (SPOT_ID_BASE + number).to_string() } else { uuid(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_step() {
        let text = |value, step| Stepped { value, step }.to_string();
        assert_eq!(text(6_304_080_000_000, 10_000_000), "63040.8");
        assert_eq!(text(6_304_080_000_000, 1_000_000), "63040.80");
        assert_eq!(text(5 * SCALE, SCALE), "5");
        assert_eq!(text(0, 100_000), "0.000");
        assert_eq!(text(-150_000_000, SCALE), "-1.5");
        assert_eq!(text(50 * SCALE, 10 * SCALE), "50");
    }

    #[test]
    fn ids_differ_and_have_the_venues_form() {
        assert_ne!(uuid(1), uuid(2));
        assert_eq!(uuid(7), uuid(7));
        assert_eq!(uuid(7).len(), 36);
        assert_eq!(id_text(Category::Spot, 5), "2000000000000000005");
    }
}
