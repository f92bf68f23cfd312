//! One account of one instrument: what is held, what it cost, and every unit that came or went for it.
//!
//! The same ledger is kept for the whole account and for each strategy. A fill has one value, rounded once, and goes
//! with it into both; closing moves cost into profit and loses nothing. So [`Flows`] of the strategies add up to
//! those of the account, to the last 1e-16, whatever closed against whatever.

use super::amount::{AMOUNT_MAX_E16, Round, Sum, Worth, money_floor, mul_div};
use super::terms::Terms;
use crate::event::CashKind;
use crate::state::{StateError, StateIo};
use crate::words::{Money, Price, Qty};

/// What one account holds of one instrument, and what it brought.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    pub(super) qty: i64,
    /// Value of what is held when it was taken; 0 when flat.
    pub(super) cost_e16: i128,
    /// Profit of what was closed, minus all fees, plus all cash.
    pub(super) realised: Sum,
    pub(super) fees: Sum,
    /// Part of `realised`: funding and financing.
    pub(super) funding: Sum,
    /// Cost is not known: taken over from the venue without a price.
    pub(super) is_cost_due: bool,
    /// Something absurd came: quantities go on, values are unknown for good.
    pub(super) is_broken: bool,
    /// More than dust was held since the last round trip ended.
    is_in_trip: bool,
    /// `realised` when the present round trip began.
    trip_start: Sum,
    pub(super) stats: TradeStats,
}

/// Round trips, from flat to flat, after fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradeStats {
    /// Fills counted.
    pub fills: u32,
    /// Round trips that made money.
    pub wins: u32,
    /// Round trips that lost money or made none.
    pub losses: u32,
    /// Losing round trips in a row, up to the last one.
    pub losses_in_a_row: u32,
}

/// Everything that came and went, exactly. Those of the strategies add up to those of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Signed quantity held.
    pub qty: i128,
    /// What was realised, minus the cost of what is held.
    pub net: Sum,
    /// Fees.
    pub fees: Sum,
    /// Funding and financing, which are in `net` too.
    pub funding: Sum,
}

/// One fill as a ledger takes it.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) price: Price,
    /// Signed; what a fee in kind took is not received.
    pub(super) received: i64,
    /// Of what was received, rounded against us; none when it is absurd.
    pub(super) value_e16: Option<i128>,
    pub(super) fee: Sum,
    /// Below it nothing is held.
    pub(super) flat_below: Qty,
}

impl Flows {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            qty: self.qty.saturating_add(other.qty),
            net: self.net.plus(other.net),
            fees: self.fees.plus(other.fees),
            funding: self.funding.plus(other.funding),
        }
    }
}

impl Ledger {
    /// Takes one fill; returns the quantity that closed.
    #[inline]
    pub(super) fn take(&mut self, entry: &Entry, terms: &Terms) -> i64 {
        let is_closing = self.qty.signum() * entry.received.signum() < 0;
        let closed =
            if is_closing { self.qty.saturating_abs().min(entry.received.saturating_abs()) } else { 0 };
        if self.is_broken || self.book(entry, closed, terms).is_none() {
            self.break_down();
        }
        self.qty = self.qty.checked_add(entry.received).unwrap_or_else(|| {
            self.break_down();
            self.qty.saturating_add(entry.received)
        });
        self.realised = self.realised.minus(entry.fee);
        self.fees = self.fees.plus(entry.fee);
        self.stats.fills = self.stats.fills.saturating_add(1);
        closed
    }

    /// Cost and profit of one fill; none when a number is absurd.
    #[inline]
    fn book(&mut self, entry: &Entry, closed: i64, terms: &Terms) -> Option<()> {
        let value = entry.value_e16?;
        let mut opened = value;
        if closed > 0 {
            let freed = self.cost_of(closed)?;
            let given = if closed == entry.received.saturating_abs() {
                value
            } else {
                terms.value_e16(entry.received.signum() * closed, entry.price, Round::Up)?
            };
            let profit = given.checked_neg()?.checked_sub(freed)?;
            self.realised = self.realised.plus(Sum::settle(profit));
            self.cost_e16 = self.cost_e16.checked_sub(freed)?;
            opened = value.checked_sub(given)?;
        }
        self.cost_e16 = self.cost_e16.checked_add(opened)?;
        let is_sane = self.cost_e16.saturating_abs() <= AMOUNT_MAX_E16 && self.realised.is_sane();
        is_sane.then_some(())
    }

    /// Cost of `closed` of the position, rounded up: against us for longs and shorts alike. The cost of all of
    /// it is all of the cost, so nothing is left over when flat.
    fn cost_of(&self, closed: i64) -> Option<i128> {
        let held = self.qty.saturating_abs();
        if closed == held {
            return Some(self.cost_e16);
        }
        mul_div(self.cost_e16, closed, held.into(), Round::Up)
    }

    /// Settles the statistics when the fill brought the position to flat, or through it.
    pub(super) fn end_trip(&mut self, closed: i64, entry: &Entry, worth: Worth) -> Option<Money> {
        let is_flat = self.is_flat(entry.flat_below);
        let is_through = self.qty.signum() == entry.received.signum();
        let is_over = self.is_in_trip && closed > 0 && (is_flat || is_through);
        self.is_in_trip = !is_flat || self.is_in_trip && !is_over;
        if !is_over {
            return None;
        }
        let made = self.realised.minus(self.trip_start);
        self.trip_start = self.realised;
        // Without a rate its sign is all that is known of it.
        let profit = worth.of_sum(made, Round::Down).unwrap_or(made.settle_e16.signum());
        if profit > 0 {
            self.stats.wins = self.stats.wins.saturating_add(1);
            self.stats.losses_in_a_row = 0;
        } else {
            self.stats.losses = self.stats.losses.saturating_add(1);
            self.stats.losses_in_a_row = self.stats.losses_in_a_row.saturating_add(1);
        }
        Some(money_floor(profit))
    }

    /// Counts money that came or went without a fill.
    pub(super) fn receive(&mut self, kind: CashKind, sum: Sum) {
        self.realised = self.realised.plus(sum);
        match kind {
            CashKind::Funding | CashKind::Financing => self.funding = self.funding.plus(sum),
            CashKind::Commission => self.fees = self.fees.minus(sum),
            CashKind::Transfer | CashKind::Adjustment => {}
        }
        if !self.realised.is_sane() {
            self.break_down();
        }
    }

    /// Turns what was realised in the settlement asset into account currency, as a venue does that pays profit in
    /// the account's own; returns what changed.
    pub(super) fn bank(&mut self, worth: Worth) -> Sum {
        let settle = self.realised.settle_e16;
        let Some(banked) = worth.of(settle, Round::Down) else { return Sum::default() };
        let change = Sum { settle_e16: settle.saturating_neg(), account_e16: banked };
        self.realised = self.realised.plus(change);
        change
    }

    /// Holds `qty` from now on, at a cost that may not be known yet. Nothing is realised.
    pub(super) fn take_over(&mut self, qty: i64, cost_e16: Option<i128>) {
        self.qty = qty;
        self.cost_e16 = if self.is_broken || qty == 0 { 0 } else { cost_e16.unwrap_or(0) };
        self.is_cost_due = qty != 0 && cost_e16.is_none() && !self.is_broken;
        self.begin_trip();
    }

    /// Holds that much more than before. A cost without a quantity is no cost but a loss.
    pub(super) fn shift(&mut self, qty: i64, cost_e16: i128) {
        self.qty = self.qty.saturating_add(qty);
        if !self.is_broken {
            self.cost_e16 = self.cost_e16.saturating_add(cost_e16);
        }
        if self.qty == 0 {
            self.realised = self.realised.minus(Sum::settle(self.cost_e16));
            self.cost_e16 = 0;
        }
        if self.cost_e16.saturating_abs() > AMOUNT_MAX_E16 || !self.realised.is_sane() {
            self.break_down();
        }
        self.begin_trip();
    }

    fn begin_trip(&mut self) {
        if !self.is_in_trip {
            self.trip_start = self.realised;
        }
        self.is_in_trip = self.qty != 0;
    }

    /// The first price there is stands for a cost that nobody knew; returns that cost.
    pub(super) fn pay_due(&mut self, terms: &Terms, price: Price) -> i128 {
        self.is_cost_due = false;
        match terms.value_e16(self.qty, price, Round::Up) {
            Some(cost_e16) => self.cost_e16 = cost_e16,
            None => self.break_down(),
        }
        self.cost_e16
    }

    #[cold]
    pub(super) fn break_down(&mut self) {
        self.is_broken = true;
        self.is_cost_due = false;
        self.cost_e16 = 0;
    }

    pub(super) fn is_flat(&self, flat_below: Qty) -> bool {
        self.qty == 0 || self.qty.saturating_abs() < flat_below.0
    }

    /// Nothing was ever held or booked.
    pub(super) fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// Profit of what is held at `mark`; none when it is unknown. Nothing held, and nothing known of its price,
    /// make no profit.
    #[inline]
    pub(super) fn unrealised_e16(&self, terms: &Terms, mark: Price) -> Option<i128> {
        if self.is_broken || self.is_cost_due {
            return None;
        }
        if self.qty == 0 || mark == Price::ZERO {
            return Some(0);
        }
        Some(terms.value_e16(self.qty, mark, Round::Down)?.saturating_sub(self.cost_e16))
    }

    pub(super) fn flows(&self) -> Flows {
        Flows {
            qty: self.qty.into(),
            net: self.realised.minus(Sum::settle(self.cost_e16)),
            fees: self.fees,
            funding: self.funding,
        }
    }

    pub(super) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            qty,
            cost_e16,
            realised,
            fees,
            funding,
            is_cost_due,
            is_broken,
            is_in_trip,
            trip_start,
            stats,
        } = self;
        io.number(qty)?;
        io.number(cost_e16)?;
        io.sound(cost_e16.saturating_abs() <= AMOUNT_MAX_E16)?;
        io.flag(is_cost_due)?;
        io.flag(is_broken)?;
        io.sound((*qty != 0 && !*is_broken) || (*cost_e16 == 0 && !*is_cost_due))?;
        for sum in [realised, fees, funding, trip_start] {
            sum.state(io)?;
        }
        io.flag(is_in_trip)?;
        stats.state(io)
    }
}

impl TradeStats {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { fills, wins, losses, losses_in_a_row } = self;
        io.number(fills)?;
        io.number(wins)?;
        io.number(losses)?;
        io.number(losses_in_a_row)?;
        io.sound(losses_in_a_row <= losses)
    }
}
