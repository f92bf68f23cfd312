//! The loss breakers: loss of the day, and drawdown from the highest equity.
//!
//! Half of a limit warns, four fifths allow only what reduces, all of it halts; a threshold that is met acts. Levels
//! only rise within a day. A new day clears what is less than a halt (the drawdown is judged anew); a halt
//! ends by a person's reset alone, which starts both references from the equity of now. Exact integers.

use crate::output::TradingState;
use crate::state::{StateError, StateIo};
use crate::words::Money;

/// Parts of a limit, in percent, and what reaching them means.
const STEPS: [(i128, TradingState); 3] =
    [(100, TradingState::Halt), (80, TradingState::ReduceOnly), (50, TradingState::Warn)];

/// The largest losses, in parts per million of their reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LossLimits {
    /// Of the equity at the beginning of the day.
    pub daily_loss_ppm: u32,
    /// Of the highest equity.
    pub drawdown_ppm: u32,
}

/// Both breakers of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossBreaker {
    /// None before the first equity.
    references: Option<References>,
    daily: TradingState,
    drawdown: TradingState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct References {
    /// Equity when the day began.
    day: Money,
    /// Highest equity.
    high: Money,
    /// Equity told last.
    last: Money,
}

impl LossBreaker {
    /// Takes the equity of now. The first one is the reference of both.
    pub fn on_equity(&mut self, equity: Money, limits: &LossLimits) {
        let known = self.references.get_or_insert(References { day: equity, high: equity, last: equity });
        known.last = equity;
        known.high = known.high.max(equity);
        let (day, high) = (known.day, known.high);
        self.daily = self.daily.max(level(day, equity, limits.daily_loss_ppm));
        self.drawdown = self.drawdown.max(level(high, equity, limits.drawdown_ppm));
    }

    /// A day begins.
    pub fn on_day(&mut self, limits: &LossLimits) {
        let Some(known) = &mut self.references else { return };
        known.day = known.last;
        let now = level(known.high, known.last, limits.drawdown_ppm);
        if self.daily < TradingState::Halt {
            self.daily = TradingState::Normal;
        }
        if self.drawdown < TradingState::Halt {
            self.drawdown = now;
        }
    }

    /// A person starts both anew.
    pub fn reset(&mut self) {
        if let Some(known) = &mut self.references {
            (known.day, known.high) = (known.last, known.last);
        }
        (self.daily, self.drawdown) = (TradingState::Normal, TradingState::Normal);
    }

    /// Money was brought or taken: neither profit nor loss.
    pub fn on_transfer(&mut self, amount: Money) {
        if let Some(known) = &mut self.references {
            for reference in [&mut known.day, &mut known.high, &mut known.last] {
                *reference = Money(reference.0.saturating_add(amount.0));
            }
        }
    }

    /// Level of the day's loss.
    pub const fn daily(&self) -> TradingState {
        self.daily
    }

    /// Level of the drawdown.
    pub const fn drawdown(&self) -> TradingState {
        self.drawdown
    }

    /// Highest equity so far, since the last reset; 0 before the first.
    pub fn high(&self) -> Money {
        self.references.map_or(Money::ZERO, |known| known.high)
    }

    /// How far equity is below its highest, as a share of it; all of it where there is none.
    pub fn depth(&self) -> f64 {
        match self.references {
            Some(known) if known.high > Money::ZERO => {
                (i128::from(known.high.0) - i128::from(known.last.0)) as f64 / known.high.0 as f64
            }
            _ => 1.0,
        }
    }

    /// The worse of both.
    pub fn worst(&self) -> TradingState {
        self.daily.max(self.drawdown)
    }

    /// Equity below the highest, in parts per million of it, rounded up; 0 before the first equity.
    pub fn drawdown_ppm(&self) -> u32 {
        self.references.map_or(0, |known| fall_ppm(known.high, known.last))
    }

    /// Loss since the day began, in parts per million of the equity it began with, rounded up; 0 in profit and before the
    /// first equity.
    pub fn day_loss_ppm(&self) -> u32 {
        self.references.map_or(0, |known| fall_ppm(known.day, known.last))
    }

    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { references, daily, drawdown } = self;
        let blank = || References { day: Money::ZERO, high: Money::ZERO, last: Money::ZERO };
        io.option(references, blank, |io, References { day, high, last }| {
            io.number(day)?;
            io.number(high)?;
            io.number(last)?;
            io.sound(last <= high)
        })?;
        io.choice(daily, &TradingState::ALL)?;
        io.choice(drawdown, &TradingState::ALL)
    }
}

const PPM: i128 = 1_000_000;

/// The fall from `reference` to `equity` as a share of it, rounded up; all of it where there is no reference.
fn fall_ppm(reference: Money, equity: Money) -> u32 {
    let lost = i128::from(reference.0) - i128::from(equity.0);
    if reference <= Money::ZERO {
        return PPM as u32;
    }
    let ppm = crate::words::div_ceil(lost.max(0).saturating_mul(PPM), reference.0.into());
    u32::try_from(ppm).unwrap_or(u32::MAX)
}

/// What falling from `reference` to `equity` means. Without a reference there is nothing to lose: closed.
fn level(reference: Money, equity: Money, limit_ppm: u32) -> TradingState {
    if reference <= Money::ZERO {
        return TradingState::Halt;
    }
    let loss = i128::from(reference.0) - i128::from(equity.0);
    // loss / reference >= limit × percent, in whole numbers; both sides below 2^64 × 10^8.
    let (lost, limit) = (loss * PPM * 100, i128::from(reference.0) * i128::from(limit_ppm));
    let reached = STEPS.into_iter().find(|(percent, _)| lost >= limit * percent);
    reached.map_or(TradingState::Normal, |(_, state)| state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LossLimits = LossLimits { daily_loss_ppm: 20_000, drawdown_ppm: 100_000 };

    #[test]
    fn neither_time_nor_a_new_day_leaves_a_halt() {
        let mut breaker = LossBreaker::default();
        breaker.on_equity(Money(1_000_000), &LIMITS);
        breaker.on_equity(Money(980_001), &LIMITS);
        assert_eq!(breaker.worst(), TradingState::ReduceOnly);
        breaker.on_equity(Money(980_000), &LIMITS);
        assert_eq!(breaker.worst(), TradingState::Halt, "equality acts");
        breaker.on_equity(Money(1_500_000), &LIMITS);
        breaker.on_day(&LIMITS);
        assert_eq!(breaker.worst(), TradingState::Halt);
        breaker.reset();
        assert_eq!(breaker.worst(), TradingState::Normal);
    }

    #[test]
    fn what_is_taken_out_is_no_loss() {
        let mut breaker = LossBreaker::default();
        breaker.on_equity(Money(1_000_000), &LIMITS);
        breaker.on_transfer(Money(-500_000));
        breaker.on_equity(Money(500_000), &LIMITS);
        assert_eq!((breaker.worst(), breaker.drawdown_ppm()), (TradingState::Normal, 0));
        breaker.on_equity(Money(499_999), &LIMITS);
        assert_eq!((breaker.day_loss_ppm(), breaker.drawdown_ppm()), (2, 2), "of what is left, rounded up");
    }

    #[test]
    fn an_account_worth_nothing_is_halted() {
        let mut breaker = LossBreaker::default();
        breaker.on_equity(Money(0), &LIMITS);
        assert_eq!(breaker.worst(), TradingState::Halt);
    }
}
