//! How much to trade: so much that the stop, with fees both ways, costs no more than the share of equity at risk.
//!
//! Pure and exact: integers and one rounding, down to the lot. Never rounds up to the venue's minimum.

use crate::instrument::InstrumentSpec;
use crate::words::{Money, Price, Qty, SCALE, clamp_i64, div_ceil, quotient};

/// A share of one, in 1e-8: risk fractions and fee rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Rate(pub i64);

impl Rate {
    /// From parts per million: 5000 is half a percent.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(ppm as i64 * 100)
    }
}

/// What a quantity depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRequest {
    /// What the account is worth.
    pub equity: Money,
    /// Share of it that may be lost at the stop.
    pub risk_fraction: Rate,
    /// Wanted entry.
    pub entry: Price,
    /// Where the idea is wrong.
    pub stop: Price,
    /// Base units per contract; [`Qty`]`(SCALE)` on spot.
    pub multiplier: Qty,
    /// Fee of one side, as a share of the value traded.
    pub fee: Rate,
    /// Smallest quantity step.
    pub lot: Qty,
    /// Smallest quantity.
    pub qty_min: Qty,
    /// Largest quantity: the venue's or our limit, whichever is less.
    pub qty_max: Qty,
    /// Smallest order value.
    pub notional_min: Money,
}

/// A quantity, and what decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// To trade; 0 unless the reason is `Ok` or `Capped`.
    pub qty: Qty,
    /// What decided it.
    pub reason: SizeReason,
    /// Loss of one unit at the stop with fees both ways, quote currency in 1e-24, exact; saturated when absurd.
    pub loss_per_unit_e24: i128,
}

/// What decided a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SizeReason {
    /// The risk decided.
    Ok = 0,
    /// The largest quantity decided.
    Capped = 1,
    /// Too little risk for the smallest quantity.
    BelowMinQty = 2,
    /// Too little risk for the smallest order value.
    BelowMinNotional = 3,
    /// Entry and stop are the same.
    ZeroStopDistance = 4,
    /// The stop is nearer than three ticks or one spread: noise would hit it.
    StopTooClose = 5,
    /// Prices, rates or grid that make no sense, or numbers too large to multiply.
    BadInput = 6,
    /// Kelly: the edge does not hold at the lower bound of the win rate.
    NoEdge = 7,
    /// Kelly: equity is too far below its highest.
    Drawdown = 8,
    /// Kelly: a volatility target is set and the volatility is not known yet.
    NoVolatility = 9,
}

impl SizeReason {
    /// The code an operator sees.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Capped => "CAPPED",
            Self::BelowMinQty => "BELOW_MIN_QTY",
            Self::BelowMinNotional => "BELOW_MIN_NOTIONAL",
            Self::ZeroStopDistance => "ZERO_STOP_DISTANCE",
            Self::StopTooClose => "STOP_TOO_CLOSE",
            Self::BadInput => "BAD_INPUT",
            Self::NoEdge => "NO_EDGE",
            Self::Drawdown => "DRAWDOWN",
            Self::NoVolatility => "NO_VOLATILITY",
        }
    }
}

/// Ticks a stop must lie from the entry.
pub const STOP_DISTANCE_MIN_TICKS: i64 = 3;

/// Sizes an entry on a spot instrument: the stop distance must be sound, then the risk decides.
/// `qty_max` is our own limit; the venue's is in `spec`.
#[allow(clippy::too_many_arguments, reason = "each is a different quantity with its own type")]
pub fn size_entry(
    equity: Money,
    risk_fraction: Rate,
    entry: Price,
    stop: Price,
    spread: Price,
    fee: Rate,
    qty_max: Qty,
    spec: &InstrumentSpec,
) -> Size {
    let size = size_from_risk(&SizeRequest {
        equity,
        risk_fraction,
        entry,
        stop,
        multiplier: spec.contract.gain_per_price(entry),
        fee,
        lot: spec.lot,
        qty_min: spec.qty_min,
        qty_max: qty_max.min(spec.qty_max),
        notional_min: spec.notional_min,
    });
    let is_traded = matches!(size.reason, SizeReason::Ok | SizeReason::Capped);
    if is_traded && !is_stop_far_enough(entry, stop, spec.tick, spread) {
        return Size { qty: Qty::ZERO, reason: SizeReason::StopTooClose, ..size };
    }
    size
}

/// At least three ticks and at least one spread from entry to stop.
pub const fn is_stop_far_enough(entry: Price, stop: Price, tick: Price, spread: Price) -> bool {
    let distance = entry.0.abs_diff(stop.0) as i128;
    distance >= tick.0 as i128 * STOP_DISTANCE_MIN_TICKS as i128 && distance >= spread.0 as i128
}

/// `floor(equity × risk_fraction / loss_per_unit / lot) × lot`, capped, or 0 with the reason.
pub fn size_from_risk(request: &SizeRequest) -> Size {
    let is_sound = request.risk_fraction.0 >= 0 && request.lot.0 > 0;
    let loss = loss_per_unit_e24(request.entry, request.stop, request.multiplier, request.fee);
    let Some(loss_per_unit_e24) = loss.filter(|_| is_sound) else {
        return nothing(SizeReason::BadInput, i128::MAX);
    };
    if request.entry == request.stop || loss_per_unit_e24 == 0 {
        return nothing(SizeReason::ZeroStopDistance, loss_per_unit_e24);
    }
    let Some(lots) = lots(request, loss_per_unit_e24) else {
        return nothing(SizeReason::BadInput, loss_per_unit_e24);
    };
    let lots_max = i128::from(request.qty_max.0.max(0) / request.lot.0);
    let qty = Qty(clamp_i64(lots.min(lots_max) * i128::from(request.lot.0)));
    if qty <= Qty::ZERO || qty < request.qty_min {
        return nothing(SizeReason::BelowMinQty, loss_per_unit_e24);
    }
    if !is_worth(request, qty) {
        return nothing(SizeReason::BelowMinNotional, loss_per_unit_e24);
    }
    let reason = if lots > lots_max { SizeReason::Capped } else { SizeReason::Ok };
    Size { qty, reason, loss_per_unit_e24 }
}

const fn nothing(reason: SizeReason, loss_per_unit_e24: i128) -> Size {
    Size { qty: Qty::ZERO, reason, loss_per_unit_e24 }
}

/// `(|entry − stop| + fee × (entry + stop)) × multiplier`, exact. None for senseless or too large numbers.
fn loss_per_unit_e24(entry: Price, stop: Price, multiplier: Qty, fee: Rate) -> Option<i128> {
    if entry.0 <= 0 || stop.0 <= 0 || multiplier.0 <= 0 || fee.0 < 0 {
        return None;
    }
    let (entry, stop) = (i128::from(entry.0), i128::from(stop.0));
    let distance_e16 = (entry - stop).abs() * i128::from(SCALE);
    let fees_e16 = i128::from(fee.0).checked_mul(entry + stop)?;
    distance_e16.checked_add(fees_e16)?.checked_mul(multiplier.0.into())
}

/// What `qty` loses from `entry` to `stop` with fees both ways, in quote currency, rounded up; a unit gains `per_price` of it
/// for one of price. As much as there is where the numbers make no sense.
pub(crate) fn loss_at_stop(entry: Price, stop: Price, per_price: Qty, fee: Rate, qty: Qty) -> Money {
    let scale = i128::from(SCALE);
    let loss_e24 = loss_per_unit_e24(entry, stop, per_price, fee)
        .and_then(|per_unit_e24| div_ceil(per_unit_e24, scale).checked_mul(qty.0.max(0).into()));
    match loss_e24 {
        Some(loss_e24) => Money(clamp_i64(div_ceil(loss_e24, scale * scale))),
        None => Money(i64::MAX),
    }
}

/// The quantity that loses no more than `loss` of quote currency from `entry` to `stop` with fees both ways.
pub(crate) fn qty_for_loss(loss: Money, entry: Price, stop: Price, per_price: Qty, fee: Rate) -> Qty {
    let per_unit_e24 = loss_per_unit_e24(entry, stop, per_price, fee).filter(|per_unit| *per_unit > 0);
    match per_unit_e24.and_then(|per_unit| shifted_quotient(loss.0.max(0).into(), 24, per_unit)) {
        Some(qty) => Qty(clamp_i64(qty)),
        None => Qty::ZERO,
    }
}

/// Whole lots the risk pays for, rounded down once.
fn lots(request: &SizeRequest, loss_per_unit_e24: i128) -> Option<i128> {
    let risk_e16 = i128::from(request.equity.0.max(0)) * i128::from(request.risk_fraction.0);
    // Dividing by the loss and then by the lot, each rounded down, is dividing by their product rounded down.
    let qty_e8 = shifted_quotient(risk_e16, 16, loss_per_unit_e24)?;
    Some(quotient(qty_e8, request.lot.0.into()))
}

/// `floor(dividend × 10^digits / divisor)`. Neither argument is negative, the divisor is positive.
fn shifted_quotient(dividend: i128, digits: u32, divisor: i128) -> Option<i128> {
    match 10i128.checked_pow(digits).and_then(|shift| dividend.checked_mul(shift)) {
        Some(shifted) => Some(quotient(shifted, divisor)),
        None => long_quotient(dividend, digits, divisor),
    }
}

/// The same by long division, a few digits at a time, for a product that does not fit.
#[cold]
fn long_quotient(dividend: i128, digits: u32, divisor: i128) -> Option<i128> {
    let (mut quotient, mut rest) = (dividend / divisor, dividend % divisor);
    let mut left = digits;
    while left > 0 {
        let step =
            [8, 4, 2, 1].into_iter().find(|&n| n <= left && rest.checked_mul(10i128.pow(n)).is_some())?;
        let shift = 10i128.pow(step);
        quotient = quotient.checked_mul(shift)?.checked_add(rest * shift / divisor)?;
        rest = rest * shift % divisor;
        left -= step;
    }
    Some(quotient)
}

/// The order is worth at least the venue's minimum at the entry, rounded down.
fn is_worth(request: &SizeRequest, qty: Qty) -> bool {
    let value_e16 = i128::from(qty.0) * i128::from(request.entry.0);
    let scale = i128::from(SCALE);
    // A contract's value is multiplied after one rounding up of the minimum, never of the value.
    match value_e16.checked_mul(request.multiplier.0.into()) {
        Some(value_e24) => value_e24 >= scale * scale * i128::from(request.notional_min.0),
        None => {
            value_e16 / scale
                >= div_ceil(i128::from(request.notional_min.0) * scale, request.multiplier.0.into())
        }
    }
}
