//! The rules of one quoted instrument, with what the venue says of the usual ones.

use smc_core::words::{Name, SCALE};

/// One instrument of a dealer. Amounts in 1e-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FxInstrument {
    /// `EUR_USD`.
    pub name: Name,
    /// What is bought and sold.
    pub base: Name,
    /// What it is paid in.
    pub quote: Name,
    /// `CURRENCY` or `METAL`.
    pub kind: &'static str,
    /// Decimals of a price.
    pub price_decimals: u32,
    /// A pip is ten to this power.
    pub pip_location: i32,
    /// Decimals of units.
    pub units_decimals: u32,
    /// Smallest order.
    pub units_min: i64,
    /// Largest order.
    pub units_max: i64,
    /// Margin, in millionths of the position's value.
    pub margin_ppm: u32,
    /// Nearest and farthest trailing stop.
    pub trailing_min: i64,
    /// See `trailing_min`.
    pub trailing_max: i64,
    /// What a long position earns in a year, in millionths of its value.
    pub long_rate_ppm: i32,
    /// What a short position earns in a year, in millionths of its value.
    pub short_rate_ppm: i32,
}

impl FxInstrument {
    /// The usual rules for `BASE_QUOTE`; none when it is no such name.
    pub fn named(text: &str) -> Option<Self> {
        let (base, quote) = text.split_once('_')?;
        let is_word = |word: &str| word.len() >= 2 && word.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_word(base) || !is_word(quote) {
            return None;
        }
        let is_metal = matches!(base, "XAU" | "XAG");
        let (price_decimals, pip_location) = match (base, quote) {
            ("XAU", _) => (3, -2),
            ("XAG", _) => (5, -4),
            (_, "JPY" | "HUF" | "THB") => (3, -2),
            _ => (5, -4),
        };
        let pip = power_of_ten(8 + pip_location);
        Some(Self {
            name: Name::new(text)?,
            base: Name::new(base)?,
            quote: Name::new(quote)?,
            kind: if is_metal { "METAL" } else { "CURRENCY" },
            price_decimals,
            pip_location,
            units_decimals: 0,
            units_min: SCALE,
            units_max: if is_metal { 10_000 } else { 100_000_000 } * SCALE,
            margin_ppm: if is_metal { 50_000 } else { 33_300 },
            trailing_min: 5 * pip,
            trailing_max: 10_000 * pip,
            long_rate_ppm: if quote == "JPY" { 12_100 } else { -20_300 },
            short_rate_ppm: if quote == "JPY" { -37_400 } else { 3_100 },
        })
    }

    /// The price step, in 1e-8.
    pub fn tick(&self) -> i64 {
        power_of_ten(8 - self.price_decimals as i32)
    }

    /// The step of units, in 1e-8.
    pub fn lot(&self) -> i64 {
        power_of_ten(8 - self.units_decimals as i32)
    }

    /// A pip, in 1e-8.
    pub fn pip(&self) -> i64 {
        power_of_ten(8 + self.pip_location)
    }
}

/// Ten to a power from 0 to 18; 1 below.
pub(super) const fn power_of_ten(power: i32) -> i64 {
    let (mut value, mut left) = (1, if power > 18 { 18 } else { power });
    while left > 0 {
        value *= 10;
        left -= 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_five_decimals_and_three_against_the_yen() {
        let tick = |name| FxInstrument::named(name).map(|it| (it.tick(), it.pip(), it.lot()));
        assert_eq!(tick("EUR_USD"), Some((1_000, 10_000, SCALE)));
        assert_eq!(tick("USD_JPY"), Some((100_000, 1_000_000, SCALE)));
        assert_eq!((tick("EURUSD"), tick("_"), tick("EUR_US/")), (None, None, None));
    }
}
