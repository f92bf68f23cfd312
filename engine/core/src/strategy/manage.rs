//! How a trade is looked after between its entry and its end: parts of the profit on the way, a stop that follows,
//! a stop that comes to the entry.
//!
//! Plain data that a strategy hands in with its intent. "Risk" is the distance from entry to stop as planned; ppm are
//! parts per million, so a million ppm of the risk is 1 R. Nothing by default: one stop, one target.

use crate::state::{StateError, StateIo};
use crate::words::Price;

/// Parts that may be taken before the target, which takes the rest.
pub const PARTS_MAX: usize = 3;

const ONE_PPM: u32 = 1_000_000;
/// No distance of a plan is more than so many times its risk.
const RISK_PPM_MAX: u32 = 1_000 * ONE_PPM;

/// How a trade is looked after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Management {
    /// Parts of the position that are closed on the way to the target, nearest first. One that lies at the target or
    /// beyond is left out: the target takes it.
    pub parts: [Option<Part>; PARTS_MAX],
    /// The stop follows the market.
    pub trail: Option<Trail>,
    /// The stop comes to where the trade has cost nothing: the entry and the fees of both ways.
    pub break_even: Option<BreakEven>,
}

/// One part of the profit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Where it is taken.
    pub at: Reach,
    /// How much of the position as it was at its largest, in ppm; rounded down to the lot.
    pub share_ppm: u32,
}

/// A price that a trade reaches in its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// This price.
    Price(Price),
    /// So much of the risk beyond the entry, in ppm.
    Risk(u32),
}

/// A stop that follows the market and never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trail {
    /// It follows from the time this is reached; none: at once.
    pub from: Option<Reach>,
    /// How far behind the best price.
    pub distance: Distance,
    /// It moves by no less than so many ticks, so that not every quote is an order; at least 1.
    pub step_ticks: u32,
}

/// How far a stop stays behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distance {
    /// So much of a price.
    Price(Price),
    /// So much of the best price, in ppm.
    Ppm(u32),
    /// So much of the risk, in ppm.
    Risk(u32),
}

/// When the stop comes to the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakEven {
    /// When so many parts' prices have been reached; counted from 1.
    AfterPart(u8),
    /// When this is reached.
    At(Reach),
}

impl Management {
    /// One stop, one target.
    pub const PLAIN: Self = Self { parts: [None; PARTS_MAX], trail: None, break_even: None };

    /// The stop may move.
    pub const fn moves_stop(&self) -> bool {
        self.trail.is_some() || self.break_even.is_some()
    }

    /// Nothing changes between entry and end.
    pub const fn is_plain(&self) -> bool {
        !self.moves_stop() && self.parts[0].is_none()
    }

    /// The first field that makes no sense whatever the prices are, if any.
    pub fn fault(&self) -> Option<&'static str> {
        let parts = self.parts.iter().flatten();
        let shares: u64 = parts.clone().map(|part| u64::from(part.share_ppm)).sum();
        let has_hole = self.parts.is_sorted_by(|a, b| a.is_some() || b.is_none());
        let risks = parts.clone().filter_map(|part| match part.at {
            Reach::Risk(ppm) => Some(ppm),
            Reach::Price(_) => None,
        });
        let count = parts.clone().count();
        let wrong_after = |after: BreakEven| match after {
            BreakEven::AfterPart(nth) => nth == 0 || usize::from(nth) > count,
            BreakEven::At(reach) => reach.is_senseless(),
        };
        let faults = [
            (!has_hole || !risks.is_sorted_by(|a, b| a < b), "parts"),
            (parts.clone().any(|part| part.at.is_senseless() || part.share_ppm == 0), "parts"),
            (shares >= u64::from(ONE_PPM), "parts"),
            (self.trail.is_some_and(|trail| trail.distance.is_senseless()), "trail.distance"),
            (self.trail.is_some_and(|trail| trail.from.is_some_and(Reach::is_senseless)), "trail.from"),
            (self.trail.is_some_and(|trail| trail.step_ticks == 0), "trail.step_ticks"),
            (self.break_even.is_some_and(wrong_after), "break_even"),
        ];
        faults.iter().find(|(is_wrong, _)| *is_wrong).map(|(_, field)| *field)
    }
}

impl Reach {
    /// The price; 0 until a plan has turned the multiple of its risk into one.
    pub(crate) const fn price(self) -> Price {
        match self {
            Self::Price(price) => price,
            Self::Risk(_) => Price::ZERO,
        }
    }

    fn is_senseless(self) -> bool {
        match self {
            Self::Price(price) => price <= Price::ZERO,
            Self::Risk(ppm) => ppm == 0 || ppm > RISK_PPM_MAX,
        }
    }
}

impl Distance {
    fn is_senseless(self) -> bool {
        match self {
            Self::Price(price) => price <= Price::ZERO,
            Self::Ppm(ppm) => ppm == 0 || ppm >= ONE_PPM,
            Self::Risk(ppm) => ppm == 0 || ppm > RISK_PPM_MAX,
        }
    }
}

impl Management {
    /// As a plan keeps it: every multiple of the risk turned into a price.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { parts, trail, break_even } = self;
        for part in parts {
            io.option(
                part,
                || Part { at: Reach::Price(Price::ZERO), share_ppm: 0 },
                |io, Part { at, share_ppm }| {
                    at.state(io)?;
                    io.number(share_ppm)
                },
            )?;
        }
        io.option(
            trail,
            || Trail { from: None, distance: Distance::Ppm(0), step_ticks: 0 },
            |io, Trail { from, distance, step_ticks }| {
                io.option(from, || Reach::Price(Price::ZERO), |io, from| from.state(io))?;
                distance.state(io)?;
                io.number(step_ticks)
            },
        )?;
        io.option(break_even, || BreakEven::AfterPart(0), |io, when| when.state(io))
    }
}

impl Reach {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let mut price = self.price();
        io.unsigned(&mut price.0)?;
        *self = Self::Price(price);
        Ok(())
    }
}

impl Distance {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let (mut price, mut ppm) = match *self {
            Self::Price(price) => (price, 0),
            Self::Ppm(ppm) | Self::Risk(ppm) => (Price::ZERO, ppm),
        };
        io.unsigned(&mut price.0)?;
        io.number(&mut ppm)?;
        io.sound((price == Price::ZERO) != (ppm == 0))?;
        *self = if ppm == 0 { Self::Price(price) } else { Self::Ppm(ppm) };
        Ok(())
    }
}

impl BreakEven {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let (mut nth, mut at) = match *self {
            Self::AfterPart(nth) => (nth, Reach::Price(Price::ZERO)),
            Self::At(reach) => (0, reach),
        };
        io.number(&mut nth)?;
        at.state(io)?;
        io.sound((nth == 0) != (at.price() == Price::ZERO))?;
        *self = if nth == 0 { Self::At(at) } else { Self::AfterPart(nth) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Option<Part> = Some(Part { at: Reach::Risk(ONE_PPM), share_ppm: ONE_PPM / 2 });

    #[test]
    fn what_makes_no_sense_is_named() {
        let trail = Trail { from: None, distance: Distance::Ppm(1_000), step_ticks: 1 };
        let full = Management { parts: [HALF, None, None], trail: Some(trail), ..Management::PLAIN };
        let full = Management { break_even: Some(BreakEven::AfterPart(1)), ..full };
        assert_eq!((full.fault(), Management::PLAIN.fault()), (None, None));
        let faults = [
            ("parts", Management { parts: [None, HALF, None], break_even: None, ..full }),
            ("parts", Management { parts: [HALF, HALF, None], ..full }),
            (
                "trail.distance",
                Management { trail: Some(Trail { distance: Distance::Price(Price(0)), ..trail }), ..full },
            ),
            ("trail.from", Management { trail: Some(Trail { from: Some(Reach::Risk(0)), ..trail }), ..full }),
            ("trail.step_ticks", Management { trail: Some(Trail { step_ticks: 0, ..trail }), ..full }),
            ("break_even", Management { break_even: Some(BreakEven::AfterPart(2)), ..full }),
        ];
        for (field, fault) in faults {
            assert_eq!(fault.fault(), Some(field));
        }
    }
}
