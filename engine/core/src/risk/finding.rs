//! What a check of the gate measured and what it was held against: the gate's decision in words and numbers.
//!
//! Pure. The gate itself never makes these: it runs the same checks with a [`Sink`] that keeps the verdict alone,
//! so the measures cost nothing until somebody asks why.

use crate::instrument::TradingStatus;
use crate::output::TradingState;
use crate::risk::check::{CHECKS, Check, Violations};

/// One check over one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: Check,
    /// The order does not have to pass it: it only reduces a position, or has no price.
    pub is_exempt: bool,
    /// It stopped the order.
    pub is_violated: bool,
    /// What was measured; where a check has two parts, the part that decided.
    pub measured: Amount,
    /// What it was held against.
    pub bound: Bound,
}

/// A number with its unit. Decimal amounts are in 1e-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Amount {
    /// There was nothing to measure.
    Nothing,
    /// True or false.
    Claim(bool),
    /// A trading state.
    State(TradingState),
    /// What the venue allows; its number.
    Status(u8),
    /// A price.
    Price(i128),
    /// A base quantity.
    Qty(i128),
    /// Quote currency.
    Money(i128),
    /// A plain count.
    Count(u64),
    /// Nanoseconds.
    Nanos(u64),
    /// Thousandths.
    Milli(i128),
    /// Parts per million.
    Ppm(i128),
}

/// What an amount is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Nothing: the check does not apply.
    Free,
    /// This or less.
    AtMost(Amount),
    /// This or more.
    AtLeast(Amount),
    /// Less than this.
    Below(Amount),
    /// Exactly this.
    Is(Amount),
    /// Anything but this.
    IsNot(Amount),
    /// A positive multiple of this.
    MultipleOf(Amount),
    /// From the first to the second.
    Within(Amount, Amount),
}

impl Amount {
    pub(super) const fn status(status: TradingStatus) -> Self {
        Self::Status(status as u8)
    }

    /// The plain number of a decimal amount or count.
    const fn number(self) -> Option<i128> {
        match self {
            Self::Price(n) | Self::Qty(n) | Self::Money(n) | Self::Milli(n) | Self::Ppm(n) => Some(n),
            Self::Count(n) | Self::Nanos(n) => Some(n as i128),
            Self::Nothing | Self::Claim(_) | Self::State(_) | Self::Status(_) => None,
        }
    }
}

impl Bound {
    /// Does the amount keep to it? Nothing keeps to no bound.
    pub fn holds(self, amount: Amount) -> bool {
        let is_there = amount != Amount::Nothing;
        match self {
            Self::Free => true,
            Self::AtMost(most) => is_there && amount <= most,
            Self::AtLeast(least) => is_there && amount >= least,
            Self::Below(beyond) => is_there && amount < beyond,
            Self::Is(this) => amount == this,
            Self::IsNot(this) => amount != this,
            Self::Within(least, most) => is_there && least <= amount && amount <= most,
            Self::MultipleOf(step) => match (amount.number(), step.number()) {
                (Some(n), Some(step)) => n > 0 && step > 0 && n % step == 0,
                _ => false,
            },
        }
    }
}

/// Takes what the checks say, one by one. The measure is made only by who wants it.
pub(super) trait Sink {
    /// `is_violated` of an order that is exempt says nothing.
    fn note(
        &mut self,
        check: Check,
        is_exempt: bool,
        is_violated: bool,
        measure: impl FnOnce() -> (Amount, Bound),
    );
}

/// The gate's: the set and nothing else.
impl Sink for Violations {
    #[inline]
    fn note(
        &mut self,
        check: Check,
        is_exempt: bool,
        is_violated: bool,
        _measure: impl FnOnce() -> (Amount, Bound),
    ) {
        Violations::note(self, check, !is_exempt && is_violated);
    }
}

/// All of it, in the order of the table.
pub(super) struct Findings(pub [Finding; CHECKS]);

impl Default for Findings {
    fn default() -> Self {
        Self(Check::ALL.map(|check| Finding {
            check,
            is_exempt: true,
            is_violated: false,
            measured: Amount::Nothing,
            bound: Bound::Free,
        }))
    }
}

impl Sink for Findings {
    fn note(
        &mut self,
        check: Check,
        is_exempt: bool,
        is_violated: bool,
        measure: impl FnOnce() -> (Amount, Bound),
    ) {
        let (measured, bound) = measure();
        if let Some(slot) = self.0.get_mut(check as usize - 1) {
            let is_violated = !is_exempt && is_violated;
            *slot = Finding { check, is_exempt, is_violated, measured, bound };
        }
    }
}
