//! `[strategy.manage]`: how a trade is looked after on its way, as a file says it.
//!
//! Without it a trade has one stop and one target. Multiples of the risk are in ppm: a million is 1 R.
//!
//! ```toml
//! [strategy.manage]
//! parts = [{ at_risk_ppm = 1000000, share_ppm = 500000 }]
//! trail = { from_risk_ppm = 1500000, distance_risk_ppm = 1000000, step_ticks = 5 }
//! break_even = { after_part = 1 }
//! ```

use super::strategy::StrategyError;
use crate::Decimal;
use serde::{Deserialize, Serialize};
use smc_core::strategy::{BreakEven, Distance, Management, PARTS_MAX, Part, Reach, Trail};
use smc_core::words::Price;

/// `[strategy.manage]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManageSection {
    /// Parts of the position taken before the target, nearest first; at most three, together less than all.
    pub parts: Vec<PartSection>,
    /// The stop follows the market.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trail: Option<TrailSection>,
    /// The stop comes to the entry and the fees of both ways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_even: Option<BreakEvenSection>,
}

/// One part.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PartSection {
    /// So much of the risk beyond the entry.
    pub at_risk_ppm: u32,
    /// So much of the position.
    pub share_ppm: u32,
}

/// A stop that follows: one of the three distances.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrailSection {
    /// From so much of the risk beyond the entry; without it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_risk_ppm: Option<u32>,
    /// So much of a price behind the best price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<Decimal>,
    /// So much of the best price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_ppm: Option<u32>,
    /// So much of the risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_risk_ppm: Option<u32>,
    /// It moves by no less.
    #[serde(default = "one_tick")]
    pub step_ticks: u32,
}

const fn one_tick() -> u32 {
    1
}

/// When the stop comes to the entry: one of the two.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BreakEvenSection {
    /// After so many parts' prices were reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_part: Option<u8>,
    /// At so much of the risk beyond the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_risk_ppm: Option<u32>,
}

impl ManageSection {
    /// The core's word for it; what makes no sense by its numbers is the core's to refuse.
    pub(super) fn core(&self) -> Result<Management, StrategyError> {
        let refuse =
            |key, text: String, expected: &str| StrategyError { key, text, expected: expected.into() };
        if self.parts.len() > PARTS_MAX {
            let count = format!("{} parts", self.parts.len());
            return Err(refuse("manage.parts", count, "at most three; the target takes the rest"));
        }
        let mut manage = Management::PLAIN;
        for (slot, part) in manage.parts.iter_mut().zip(&self.parts) {
            *slot = Some(Part { at: Reach::Risk(part.at_risk_ppm), share_ppm: part.share_ppm });
        }
        if let Some(trail) = self.trail {
            let distance = match (trail.distance, trail.distance_ppm, trail.distance_risk_ppm) {
                (Some(price), None, None) => Distance::Price(Price(price.0)),
                (None, Some(ppm), None) => Distance::Ppm(ppm),
                (None, None, Some(ppm)) => Distance::Risk(ppm),
                _ => {
                    let expected = "one of distance, distance_ppm and distance_risk_ppm";
                    return Err(refuse("manage.trail", format!("{trail:?}"), expected));
                }
            };
            let from = trail.from_risk_ppm.map(Reach::Risk);
            manage.trail = Some(Trail { from, distance, step_ticks: trail.step_ticks });
        }
        if let Some(when) = self.break_even {
            manage.break_even = Some(match (when.after_part, when.at_risk_ppm) {
                (Some(nth), None) => BreakEven::AfterPart(nth),
                (None, Some(ppm)) => BreakEven::At(Reach::Risk(ppm)),
                _ => {
                    let expected = "one of after_part and at_risk_ppm";
                    return Err(refuse("manage.break_even", format!("{when:?}"), expected));
                }
            });
        }
        Ok(manage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Management, String> {
        let section: ManageSection = toml::from_str(text).map_err(|error| error.to_string())?;
        section.core().map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_file_says_is_what_the_core_gets() {
        let text = "parts = [{ at_risk_ppm = 1000000, share_ppm = 500000 }]\n\
                    trail = { distance = \"12.5\", from_risk_ppm = 1500000, step_ticks = 5 }\n\
                    break_even = { after_part = 1 }";
        let part = Part { at: Reach::Risk(1_000_000), share_ppm: 500_000 };
        let trail = Trail {
            from: Some(Reach::Risk(1_500_000)),
            distance: Distance::Price(Price(1_250_000_000)),
            step_ticks: 5,
        };
        let manage = read(text).unwrap();
        assert_eq!(
            manage,
            Management {
                parts: [Some(part), None, None],
                trail: Some(trail),
                break_even: Some(BreakEven::AfterPart(1)),
            }
        );
        assert_eq!(manage.fault(), None);
        assert_eq!(read(""), Ok(Management::PLAIN));
    }

    #[test]
    fn what_is_said_twice_or_not_at_all_is_named() {
        for (key, text) in [
            ("strategy.manage.trail", "trail = { step_ticks = 5 }"),
            ("strategy.manage.trail", "trail = { distance_ppm = 5, distance_risk_ppm = 5 }"),
            ("strategy.manage.break_even", "break_even = { }"),
            (
                "strategy.manage.parts",
                "parts = [{ at_risk_ppm = 1, share_ppm = 1 }, { at_risk_ppm = 2, share_ppm = 1 }, { at_risk_ppm = 3, share_ppm = 1 }, { at_risk_ppm = 4, share_ppm = 1 }]",
            ),
            ("step", "trail = { distance_ppm = 5, step = 5 }"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
    }
}
