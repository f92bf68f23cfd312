//! The limits the gate holds orders against. Plain numbers, integer units named on every field.
//!
//! A limit is breached when the value is greater than it; the value equal to it passes. Limits are complete
//! and sane or they are refused by the field's name: nothing here has a silent default.

use crate::event::LimitName;
use crate::orders::ORDERS_MAX;
use crate::risk::windows::WINDOW_MESSAGES_MAX;
use crate::state::{State, StateError, StateIo};
use crate::words::{InstrumentId, Money, Qty};
use core::fmt;

/// Strategies the gate tells apart; ids at and beyond it are on no allow list.
pub const STRATEGIES_MAX: usize = 16;

/// Limits of one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Allow list: bit `n` lets strategy `n` trade the instrument. 0 lets nobody.
    pub strategies_allowed: u16,
    /// Largest quantity of one order, base units.
    pub order_qty_max: Qty,
    /// Largest value of one order, quote currency.
    pub order_notional_max: Money,
    /// Collar on the aggressive side (buying above, selling below the reference), ppm of the reference.
    pub collar_ppm: u32,
    /// Collar on the passive side, ppm of the reference.
    pub collar_passive_ppm: u32,
    /// Oldest reference price that may be traded on.
    pub reference_age_max_ns: u64,
    /// Furthest a reference may lie in the future.
    pub reference_skew_max_ns: u64,
    /// Largest position either way, as if every open order of the side had filled.
    pub position_qty_max: Qty,
    /// Open orders of the instrument.
    pub open_orders_max: u32,
    /// An equal order within this time of an accepted one is a duplicate (age equal to it still is).
    pub duplicate_window_ns: u64,
    /// Entries on one side without an exit.
    pub repeat_max: u32,
}

/// Limits over all instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountLimits {
    /// Sum of the worst-case exposures, quote currency.
    pub gross_max: Money,
    /// Absolute signed sum of the worst-case exposures, quote currency.
    pub net_max: Money,
    /// Gross exposure over equity, in thousandths: 3000 is three times.
    pub leverage_max_milli: u32,
    /// Open orders overall; at most [`ORDERS_MAX`].
    pub open_orders_max: u32,
    /// New orders accepted within `messages_window_ns`; at most [`WINDOW_MESSAGES_MAX`].
    pub messages_max: u32,
    /// Length of the throttle's sliding window.
    pub messages_window_ns: u64,
    /// Orders of one strategy denied by the throttle within `runaway_window_ns` that halt it; at most
    /// [`WINDOW_MESSAGES_MAX`].
    pub runaway_denials_max: u32,
    /// Length of the runaway detector's sliding window.
    pub runaway_window_ns: u64,
    /// An entry that lived this long and was withdrawn without any fill no longer counts as repeated: patient
    /// limit orders are not a loop. 0 never forgives.
    pub entry_forgiven_after_ns: u64,
    /// Part of the free margin that one more position may use, ppm.
    pub margin_use_ppm_max: u32,
    /// Value at risk over equity, ppm; none for no limit.
    pub var_ppm_max: Option<u32>,
    /// Working entries older than this are checked again, and again after each further such time.
    pub order_lifetime_ns_max: u64,
    /// Distance of our clock from the venue's at which requests can no longer be signed.
    pub clock_offset_ns_max: u64,
    /// Part of the venue's request budget that is kept for cancels and queries, ppm.
    pub budget_reserve_ppm: u32,
}

/// Limits of one venue or one strategy within the account's. What is not set is the account's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeLimits {
    /// Sum of the worst-case exposures of all instruments, in the account's currency: what other strategies hold counts.
    pub gross_max: Option<Money>,
    /// Open orders.
    pub open_orders_max: Option<u32>,
    /// New orders accepted within the account's window.
    pub messages_max: Option<u32>,
}

/// Which limit was refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError {
    /// The instrument, where it is one of its limits.
    pub instrument: Option<InstrumentId>,
    /// Name of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: LimitReason,
}

/// What is wrong with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReason {
    /// Zero, which would mean "nothing allowed" to one reader and "no limit" to another.
    Zero,
    /// Below zero.
    Negative {
        /// The value given.
        value: i64,
    },
    /// Larger than anything sensible.
    Absurd {
        /// The value given.
        value: u64,
        /// The largest accepted.
        max: u64,
    },
    /// No such instrument in the table.
    NoInstrument,
    /// No such venue or strategy.
    NoScope,
    /// Not a limit of this scope.
    NotHere,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instrument) = self.instrument {
            write!(f, "instrument {}: ", instrument.0)?;
        }
        match self.reason {
            LimitReason::Zero => write!(f, "{} is missing or zero", self.field),
            LimitReason::Negative { value } => write!(f, "{} is negative: {value}", self.field),
            LimitReason::Absurd { value, max } => {
                write!(f, "{} is absurd: {value}, at most {max}", self.field)
            }
            LimitReason::NoInstrument => write!(f, "{}: no such instrument", self.field),
            LimitReason::NoScope => write!(f, "{}: no such venue or strategy", self.field),
            LimitReason::NotHere => write!(f, "{} is no limit of this scope", self.field),
        }
    }
}

impl core::error::Error for LimitError {}

const SECOND_NS: u64 = 1_000_000_000;
/// Ten thousand million units: sums of a few of them still fit `i64`.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000_000;
const COLLAR_PPM_MAX: u32 = 500_000;
const COLLAR_PASSIVE_PPM_MAX: u32 = 999_999;
const REFERENCE_AGE_MAX_NS: u64 = 3_600 * SECOND_NS;
const REFERENCE_SKEW_MAX_NS: u64 = 60 * SECOND_NS;
const DUPLICATE_WINDOW_MAX_NS: u64 = 60 * SECOND_NS;
const WINDOW_MAX_NS: u64 = 3_600 * SECOND_NS;
const REPEAT_MAX: u32 = 1_000;
const LEVERAGE_MAX_MILLI: u32 = 125_000;
const PPM_MAX: u64 = 1_000_000;
const ORDER_LIFETIME_MAX_NS: u64 = 30 * 86_400 * SECOND_NS;
const CLOCK_OFFSET_MAX_NS: u64 = 60 * SECOND_NS;
const FORGIVEN_MAX_NS: u64 = 7 * 86_400 * SECOND_NS;

impl Limits {
    /// What an instrument without limits gets: nothing is allowed. Never valid as a configuration.
    pub const NOTHING: Self = Self {
        strategies_allowed: 0,
        order_qty_max: Qty::ZERO,
        order_notional_max: Money::ZERO,
        collar_ppm: 0,
        collar_passive_ppm: 0,
        reference_age_max_ns: 0,
        reference_skew_max_ns: 0,
        position_qty_max: Qty::ZERO,
        open_orders_max: 0,
        duplicate_window_ns: 0,
        repeat_max: 0,
    };

    /// Refuses the first field that is missing, zero, negative or absurd, by its name.
    pub fn validate(&self) -> Result<(), LimitError> {
        amount("order_qty_max", self.order_qty_max.0)?;
        amount("order_notional_max", self.order_notional_max.0)?;
        count("collar_ppm", self.collar_ppm.into(), COLLAR_PPM_MAX.into())?;
        count("collar_passive_ppm", self.collar_passive_ppm.into(), COLLAR_PASSIVE_PPM_MAX.into())?;
        count("reference_age_max_ns", self.reference_age_max_ns, REFERENCE_AGE_MAX_NS)?;
        count("reference_skew_max_ns", self.reference_skew_max_ns, REFERENCE_SKEW_MAX_NS)?;
        amount("position_qty_max", self.position_qty_max.0)?;
        count("open_orders_max", self.open_orders_max.into(), ORDERS_MAX as u64)?;
        count("duplicate_window_ns", self.duplicate_window_ns, DUPLICATE_WINDOW_MAX_NS)?;
        count("repeat_max", self.repeat_max.into(), REPEAT_MAX.into())
    }

    /// Is `strategy` on the allow list?
    pub const fn allows(&self, strategy: u8) -> bool {
        (strategy as usize) < STRATEGIES_MAX && self.strategies_allowed & 1 << strategy != 0
    }
}

impl ScopeLimits {
    /// Refuses the first field that is zero, negative or absurd, by its name.
    pub fn validate(&self) -> Result<(), LimitError> {
        let Self { gross_max, open_orders_max, messages_max } = self;
        gross_max.map_or(Ok(()), |Money(most)| amount("gross_max", most))?;
        open_orders_max.map_or(Ok(()), |most| count("open_orders_max", most.into(), ORDERS_MAX as u64))?;
        messages_max.map_or(Ok(()), |most| count("messages_max", most.into(), WINDOW_MESSAGES_MAX as u64))
    }
}

impl State for ScopeLimits {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { gross_max, open_orders_max, messages_max } = self;
        io.option(gross_max, || Money::ZERO, |io, most| io.number(most))?;
        io.option(open_orders_max, || 0, |io, most| io.number(most))?;
        io.option(messages_max, || 0, |io, most| io.number(most))?;
        io.sound(self.validate().is_ok())
    }
}

impl AccountLimits {
    /// Refuses the first field that is missing, zero, negative or absurd, by its name.
    pub fn validate(&self) -> Result<(), LimitError> {
        amount("gross_max", self.gross_max.0)?;
        amount("net_max", self.net_max.0)?;
        count("leverage_max_milli", self.leverage_max_milli.into(), LEVERAGE_MAX_MILLI.into())?;
        count("open_orders_max", self.open_orders_max.into(), ORDERS_MAX as u64)?;
        count("messages_max", self.messages_max.into(), WINDOW_MESSAGES_MAX as u64)?;
        count("messages_window_ns", self.messages_window_ns, WINDOW_MAX_NS)?;
        count("runaway_denials_max", self.runaway_denials_max.into(), WINDOW_MESSAGES_MAX as u64)?;
        count("runaway_window_ns", self.runaway_window_ns, WINDOW_MAX_NS)?;
        if self.entry_forgiven_after_ns > FORGIVEN_MAX_NS {
            return absurd("entry_forgiven_after_ns", self.entry_forgiven_after_ns, FORGIVEN_MAX_NS);
        }
        count("margin_use_ppm_max", self.margin_use_ppm_max.into(), PPM_MAX)?;
        if let Some(var_ppm_max) = self.var_ppm_max {
            count("var_ppm_max", var_ppm_max.into(), PPM_MAX)?;
        }
        count("order_lifetime_ns_max", self.order_lifetime_ns_max, ORDER_LIFETIME_MAX_NS)?;
        count("clock_offset_ns_max", self.clock_offset_ns_max, CLOCK_OFFSET_MAX_NS)?;
        count("budget_reserve_ppm", self.budget_reserve_ppm.into(), PPM_MAX - 1)
    }

    /// The duplicate window must not span more accepted orders than the gate remembers.
    pub(super) fn validate_duplicate_window(&self, limits: &Limits) -> Result<(), LimitError> {
        let windows = limits.duplicate_window_ns / self.messages_window_ns.max(1) + 1;
        let windows_max = WINDOW_MESSAGES_MAX as u64 / u64::from(self.messages_max.max(1));
        if windows > windows_max {
            let max = (windows_max * self.messages_window_ns).saturating_sub(1);
            return absurd("duplicate_window_ns", limits.duplicate_window_ns, max);
        }
        Ok(())
    }
}

impl LimitName {
    /// As the field is called.
    pub const fn field(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OrderQtyMax => "order_qty_max",
            Self::OrderNotionalMax => "order_notional_max",
            Self::CollarPpm => "collar_ppm",
            Self::CollarPassivePpm => "collar_passive_ppm",
            Self::ReferenceAgeMaxNs => "reference_age_max_ns",
            Self::PositionQtyMax => "position_qty_max",
            Self::OpenOrdersMax => "open_orders_max",
            Self::RepeatMax => "repeat_max",
            Self::GrossMax => "gross_max",
            Self::NetMax => "net_max",
            Self::LeverageMaxMilli => "leverage_max_milli",
            Self::MessagesMax => "messages_max",
            Self::MarginUsePpmMax => "margin_use_ppm_max",
            Self::VarPpmMax => "var_ppm_max",
            Self::OrderLifetimeNsMax => "order_lifetime_ns_max",
            Self::DailyLossPpm => "daily_loss_ppm",
            Self::DrawdownPpm => "drawdown_ppm",
        }
    }

    /// All of them but [`LimitName::None`].
    pub const ALL: [Self; 17] = [
        Self::OrderQtyMax,
        Self::OrderNotionalMax,
        Self::CollarPpm,
        Self::CollarPassivePpm,
        Self::ReferenceAgeMaxNs,
        Self::PositionQtyMax,
        Self::OpenOrdersMax,
        Self::RepeatMax,
        Self::GrossMax,
        Self::NetMax,
        Self::LeverageMaxMilli,
        Self::MessagesMax,
        Self::MarginUsePpmMax,
        Self::VarPpmMax,
        Self::OrderLifetimeNsMax,
        Self::DailyLossPpm,
        Self::DrawdownPpm,
    ];

    fn small(self, value: i64) -> Result<u32, LimitError> {
        let (value, max) = (self.large(value)?, u32::MAX.into());
        let reason = LimitReason::Absurd { value, max };
        u32::try_from(value).map_err(|_| LimitError { instrument: None, field: self.field(), reason })
    }

    fn large(self, value: i64) -> Result<u64, LimitError> {
        let reason = LimitReason::Negative { value };
        u64::try_from(value).map_err(|_| LimitError { instrument: None, field: self.field(), reason })
    }

    const fn not_here(self) -> LimitError {
        LimitError { instrument: None, field: self.field(), reason: LimitReason::NotHere }
    }
}

impl Limits {
    /// The same with one limit replaced; the result is not yet judged.
    pub(super) fn with(mut self, limit: LimitName, value: i64) -> Result<Self, LimitError> {
        match limit {
            LimitName::OrderQtyMax => self.order_qty_max = Qty(value),
            LimitName::OrderNotionalMax => self.order_notional_max = Money(value),
            LimitName::CollarPpm => self.collar_ppm = limit.small(value)?,
            LimitName::CollarPassivePpm => self.collar_passive_ppm = limit.small(value)?,
            LimitName::ReferenceAgeMaxNs => self.reference_age_max_ns = limit.large(value)?,
            LimitName::PositionQtyMax => self.position_qty_max = Qty(value),
            LimitName::OpenOrdersMax => self.open_orders_max = limit.small(value)?,
            LimitName::RepeatMax => self.repeat_max = limit.small(value)?,
            _ => return Err(limit.not_here()),
        }
        Ok(self)
    }
}

impl AccountLimits {
    /// The same with one limit replaced; the result is not yet judged.
    pub(super) fn with(mut self, limit: LimitName, value: i64) -> Result<Self, LimitError> {
        match limit {
            LimitName::GrossMax => self.gross_max = Money(value),
            LimitName::NetMax => self.net_max = Money(value),
            LimitName::LeverageMaxMilli => self.leverage_max_milli = limit.small(value)?,
            LimitName::OpenOrdersMax => self.open_orders_max = limit.small(value)?,
            LimitName::MessagesMax => self.messages_max = limit.small(value)?,
            LimitName::MarginUsePpmMax => self.margin_use_ppm_max = limit.small(value)?,
            // Without a limit there is nothing to lower: one that was not there can be set, and never removed.
            LimitName::VarPpmMax => self.var_ppm_max = Some(limit.small(value)?),
            LimitName::OrderLifetimeNsMax => self.order_lifetime_ns_max = limit.large(value)?,
            _ => return Err(limit.not_here()),
        }
        Ok(self)
    }
}

impl ScopeLimits {
    /// The same with one limit replaced; the result is not yet judged.
    pub(super) fn with(mut self, limit: LimitName, value: i64) -> Result<Self, LimitError> {
        match limit {
            LimitName::GrossMax => self.gross_max = Some(Money(value)),
            LimitName::OpenOrdersMax => self.open_orders_max = Some(limit.small(value)?),
            LimitName::MessagesMax => self.messages_max = Some(limit.small(value)?),
            _ => return Err(limit.not_here()),
        }
        Ok(self)
    }
}

fn amount(field: &'static str, value: i64) -> Result<(), LimitError> {
    if value < 0 {
        return Err(LimitError { instrument: None, field, reason: LimitReason::Negative { value } });
    }
    count(field, value.unsigned_abs(), AMOUNT_MAX.unsigned_abs())
}

fn count(field: &'static str, value: u64, max: u64) -> Result<(), LimitError> {
    match value {
        0 => Err(LimitError { instrument: None, field, reason: LimitReason::Zero }),
        value if value > max => absurd(field, value, max),
        _ => Ok(()),
    }
}

fn absurd(field: &'static str, value: u64, max: u64) -> Result<(), LimitError> {
    Err(LimitError { instrument: None, field, reason: LimitReason::Absurd { value, max } })
}

impl State for Limits {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            strategies_allowed,
            order_qty_max,
            order_notional_max,
            collar_ppm,
            collar_passive_ppm,
            reference_age_max_ns,
            reference_skew_max_ns,
            position_qty_max,
            open_orders_max,
            duplicate_window_ns,
            repeat_max,
        } = self;
        io.number(strategies_allowed)?;
        io.number(order_qty_max)?;
        io.number(order_notional_max)?;
        io.number(collar_ppm)?;
        io.number(collar_passive_ppm)?;
        io.number(reference_age_max_ns)?;
        io.number(reference_skew_max_ns)?;
        io.number(position_qty_max)?;
        io.number(open_orders_max)?;
        io.number(duplicate_window_ns)?;
        io.number(repeat_max)?;
        io.sound(self.validate().is_ok())
    }
}

impl State for AccountLimits {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            gross_max,
            net_max,
            leverage_max_milli,
            open_orders_max,
            messages_max,
            messages_window_ns,
            runaway_denials_max,
            runaway_window_ns,
            entry_forgiven_after_ns,
            margin_use_ppm_max,
            var_ppm_max,
            order_lifetime_ns_max,
            clock_offset_ns_max,
            budget_reserve_ppm,
        } = self;
        io.number(gross_max)?;
        io.number(net_max)?;
        io.number(leverage_max_milli)?;
        io.number(open_orders_max)?;
        io.number(messages_max)?;
        io.number(messages_window_ns)?;
        io.number(runaway_denials_max)?;
        io.number(runaway_window_ns)?;
        io.number(entry_forgiven_after_ns)?;
        io.number(margin_use_ppm_max)?;
        io.option(var_ppm_max, || 0, |io, most| io.number(most))?;
        io.number(order_lifetime_ns_max)?;
        io.number(clock_offset_ns_max)?;
        io.number(budget_reserve_ppm)?;
        io.sound(self.validate().is_ok())
    }
}
