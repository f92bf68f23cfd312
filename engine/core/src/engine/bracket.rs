//! The life of one trade: entry, protective stop at the venue, parts of the profit, exit.
//!
//! Level-driven: whatever just happened, [`Bracket::next_step`] compares what is held and what is working with
//! what should be, and names the one next step. Reports may therefore come in any order, twice or late. It
//! never sends anything itself, and never wants more sold than is held: an exit waits until the stop and the
//! entry are confirmed gone.
//!
//! **Flat** is not zero. A position that no order can close (less than a lot, or worth less than the venue's
//! smallest order) is dust: the trade is over with it, and the next one carries it along, in its stop and exit if
//! it lies in the same direction. A spot venue leaves dust every time it takes its fee from what we bought.
//! A short is bought back with that fee on top, rounded down to the lot, so that it never turns into a long.
//!
//! **The stop** is one order over all that is held and not on its way out. It changes its size or its place in one step
//! where the venue can replace an order; until the venue has said which of the two lives, nothing else is done.
//! Elsewhere it is cancelled and placed anew: what it covered is bare from the cancel's taking effect to the new one's,
//! one answer of the venue. For a part of the profit the stop shrinks first, so that stop and part together never
//! sell more than is held; after a cancel both go out at the same event.
//!
//! Where the venue keeps **pairs**, the target rests beside the stop and one cancels the other; a change of either is a
//! cancel of both and a new pair, until a part of the trade is closed: from then on the stop stands alone and the target is
//! watched. A trade that is to be changed on its way has a single stop where that can be replaced: its targets are watched.
//! Stop and target that **came with the entry** are taken over as they appear.
//!
//! ```text
//!  Idle ──enter──► entry working ──fill──► held, stop working ──stop fills──► flat ──► Idle
//!                     │ expired                │ target, timeout, flatten, stop refused
//!                     └──► Idle                ├──► stop cancelled ──► market exit ──► flat ──► Idle
//!                                              └──► part due: stop smaller ──► market exit of it ──► held
//! ```

use super::plan::{Plan, Progress};
use crate::orders::{Order, Orders};
use crate::output::{OrderKind, Purpose};
use crate::state::{StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId, Price, Qty, Side, TsNs};

/// Refusals in a row after which a stop is no longer replaced but cancelled and placed anew.
const REPLACE_REFUSALS_MAX: u32 = 2;

/// One order of the bracket, as far as the bracket cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Leg {
    /// None: not sent, or its end is confirmed.
    pub(super) order: Option<LegOrder>,
}

/// A leg's order that may still fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LegOrder {
    pub(super) id: ClientOrderId,
    /// What it may still fill, and what it has filled that has not been told.
    pub(super) leaves: Qty,
    /// Its trigger; 0 where there is none.
    pub(super) stop_price: Price,
    /// The venue works it.
    pub(super) is_acknowledged: bool,
    /// Part of it has filled; a stop that has begun to is on its way out.
    pub(super) has_filled: bool,
    /// When its cancel was asked last.
    pub(super) cancel_asked: Option<TsNs>,
}

impl Leg {
    pub(super) fn is_live(&self) -> bool {
        self.order.is_some()
    }

    fn ask_cancel(&mut self, at: Option<TsNs>) {
        if let Some(order) = &mut self.order {
            order.cancel_asked = at;
        }
    }

    fn is_order(&self, id: ClientOrderId) -> bool {
        self.order.is_some_and(|order| order.id == id)
    }

    pub(super) fn sent(id: ClientOrderId, leaves: Qty, stop_price: Price) -> Self {
        Self { order: Some(LegOrder { id, leaves, stop_price, ..LegOrder::BLANK }) }
    }

    /// An order that nobody sent: it came with the entry.
    fn adopt(&mut self, id: ClientOrderId, orders: &Orders) {
        if !self.is_live() && orders.get(id).is_some() {
            self.order = Some(LegOrder { id, ..LegOrder::BLANK });
        }
    }

    /// Takes over what the order table knows; an order that is no longer open is forgotten.
    fn sync(&mut self, orders: &Orders) {
        self.order = self.order.and_then(|leg| {
            let order = orders.get(leg.id)?;
            let has_filled = order.filled_qty > Qty::ZERO;
            let (leaves, stop_price) = (order.still_to_fill(), order.stop_price);
            Some(LegOrder { leaves, stop_price, is_acknowledged: order.is_acknowledged(), has_filled, ..leg })
        });
    }

    /// Live and no unanswered cancel under way.
    fn wants_cancel(&self, facts: &Facts) -> bool {
        self.order.is_some_and(|order| order.wants_cancel(facts))
    }
}

impl LegOrder {
    /// What loading starts from; the rest is taken over from the order table.
    const BLANK: Self = Self {
        id: ClientOrderId::NONE,
        leaves: Qty::ZERO,
        stop_price: Price::ZERO,
        is_acknowledged: false,
        has_filled: false,
        cancel_asked: None,
    };

    fn wants_cancel(&self, facts: &Facts) -> bool {
        self.cancel_asked.is_none_or(|at| facts.now.since(at) >= facts.retry_ns)
    }
}

/// What the engine knows when it asks for the next step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) now: TsNs,
    /// The order that would close the position, in whole lots; 0 when there is nothing but dust.
    pub(super) held: Qty,
    /// The position lies against the plan's direction: its stop would not protect it.
    pub(super) is_opposed: bool,
    /// The smallest quantity the venue takes now.
    pub(super) order_min: Qty,
    /// Quantity grid.
    pub(super) lot: Qty,
    /// The venue changes a working order in one step.
    pub(super) can_replace: bool,
    /// `held` may be off by this much, for the fee it must allow for is known only when it is charged.
    pub(super) rounding: Qty,
    /// The order path is up and the instrument trades.
    pub(super) can_send: bool,
    /// Entries may work.
    pub(super) may_enter: bool,
    /// Nothing may work.
    pub(super) is_halted: bool,
    /// Closing orders may be sent.
    pub(super) may_close: bool,
    /// After this long an unanswered cancel is asked again.
    pub(super) retry_ns: u64,
    /// An open order that is no leg of this trade.
    pub(super) stray: Option<ClientOrderId>,
}

impl Facts {
    fn is_holding(&self) -> bool {
        self.held > Qty::ZERO
    }
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the venue to cancel this order.
    Cancel(ClientOrderId),
    /// Protect so much by a stop order, with the target beside it where the venue keeps pairs.
    PlaceStop(Qty),
    /// Put a stop over so much in the place of this order.
    ReplaceStop(ClientOrderId, Qty),
    /// Close so much at the market.
    PlaceExit(Qty, Purpose),
    /// Everything is over; forget the trade.
    Finish,
}

/// What a step is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motive {
    /// Nothing may work under HALT.
    Halted,
    /// An order thought dead turned out to live.
    Stray,
    /// The position is to be closed at the market.
    Leaving(Purpose),
    /// What is held lies against the plan: its stop would not protect it.
    Opposed,
    /// The entry's time is over.
    EntryExpired,
    /// Entries may not work in this trading state.
    EntriesForbidden,
    /// What is held has no stop.
    Bare,
    /// The stop covers too much or too little.
    StopSize {
        /// What is held.
        held: Qty,
        /// What the stop would still close.
        covered: Qty,
    },
    /// The stop belongs elsewhere by now.
    StopMoved {
        /// Where it stands.
        from: Price,
        /// Where it belongs.
        to: Price,
    },
    /// A part of the profit is due: the stop must leave it to another order.
    PartDue(Qty),
    /// A part's price was reached: nothing more is to be entered.
    PartReached,
    /// The stop is to stand where it would meet the entry.
    StopPastEntry,
    /// The target's stop is gone, and it must not stay alone.
    HalfPair,
    /// An order that was replaced should be gone and is not.
    Replaced,
    /// Nothing is held any more, so its stop must go.
    StopLeftOver,
    /// No leg is left.
    Over,
}

/// One trade of one instrument, or none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bracket {
    pub(super) plan: Option<Plan>,
    pub(super) entry: Leg,
    pub(super) stop: Leg,
    /// On its way to take the stop's place: until the venue has ended the one or refused the other, both may live.
    pub(super) next: Leg,
    /// Rests beside the stop, where one cancels the other.
    pub(super) target: Leg,
    pub(super) exit: Leg,
    /// What the entry has bought or sold so far: with the plan it says what was put at risk.
    pub(super) entered: Qty,
    pub(super) progress: Progress,
    /// The entry with which stop and target may come.
    pub(super) attached_to: Option<ClientOrderId>,
    /// The position is to be closed at the market; why.
    pub(super) leaving: Option<Purpose>,
    /// No new stop or exit before this.
    pub(super) retry_at: TsNs,
    /// Closing orders refused in a row.
    pub(super) refusals: u32,
    /// When the market first traded through the stop while it was working.
    pub(super) stop_reached: Option<TsNs>,
    /// Since when the position has had no stop working.
    pub(super) naked_since: Option<TsNs>,
    /// The alert about it was given.
    pub(super) is_naked_told: bool,
    /// When the cancel of a stray order was asked last.
    pub(super) stray_cancel_asked: Option<TsNs>,
}

impl Bracket {
    /// A trade is planned, working or being closed.
    pub(super) fn is_engaged(&self) -> bool {
        self.plan.is_some() || self.leaving.is_some()
    }

    /// A trade begins.
    pub(super) fn begin(&mut self, plan: Plan, entry: Leg, attached_to: Option<ClientOrderId>) {
        (self.plan, self.entry, self.attached_to) = (Some(plan), entry, attached_to);
        self.progress = Progress::of(&plan);
    }

    /// Takes over what the order table knows about the legs.
    pub(super) fn sync(&mut self, orders: &Orders) {
        for leg in [&mut self.entry, &mut self.stop, &mut self.next, &mut self.target, &mut self.exit] {
            leg.sync(orders);
        }
        if !self.stop.is_live() {
            self.stop = core::mem::take(&mut self.next);
        }
        if let Some(entry) = self.attached_to {
            self.stop.adopt(entry.after(1), orders);
            self.target.adopt(entry.after(2), orders);
            self.stop.sync(orders);
            self.target.sync(orders);
        }
    }

    pub(super) fn legs(&self) -> [Leg; 5] {
        [self.entry, self.stop, self.next, self.target, self.exit]
    }

    /// An order of the instrument that is no leg of this trade: one thought dead that turned out to live.
    pub(super) fn is_stray(&self, id: ClientOrderId) -> bool {
        !self.legs().iter().any(|leg| leg.is_order(id))
    }

    /// Remembers that a cancel was asked, so that it is not asked again at once. One of a pair takes the other along.
    pub(super) fn note_cancel(&mut self, id: ClientOrderId, now: TsNs) {
        let is_of_pair = self.stop.is_order(id) || self.target.is_order(id);
        if is_of_pair {
            for leg in [&mut self.stop, &mut self.target] {
                leg.ask_cancel(Some(now));
            }
            return;
        }
        let legs = [&mut self.entry, &mut self.next, &mut self.exit];
        match legs.into_iter().find(|leg| leg.is_order(id)) {
            Some(leg) => leg.ask_cancel(Some(now)),
            None => self.stray_cancel_asked = Some(now),
        }
    }

    /// The venue is cancelling one of a pair by itself, because the other has filled.
    pub(super) fn note_ending(&mut self, id: ClientOrderId, now: TsNs) {
        for leg in [&mut self.stop, &mut self.target].into_iter().filter(|leg| leg.is_order(id)) {
            leg.ask_cancel(Some(now));
        }
    }

    /// The order was to be replaced and was not: it works on, and may be cancelled like any other.
    pub(super) fn note_kept(&mut self, id: ClientOrderId) {
        if self.stop.is_order(id) {
            self.stop.ask_cancel(None);
        }
    }

    /// A part of the profit was refused: it is kept until the next is due.
    pub(super) fn waive_part(&mut self, lot: Qty) {
        if let Some(plan) = &self.plan {
            let due = self.progress.due(plan, lot);
            self.progress.waived = Qty(self.progress.waived.0.saturating_add(due.0));
        }
    }

    /// `price` has come back to where the stop belongs.
    pub(super) fn is_stop_reached(&self, price: Price) -> bool {
        self.plan.is_some_and(|plan| plan.is_stop_reached(self.progress.stop, price))
    }

    /// Close at the market. The first reason stays, except that a person's wish overrides.
    pub(super) fn leave(&mut self, why: Purpose) {
        if self.leaving.is_none() || why == Purpose::Flatten {
            self.leaving = Some(why);
        }
    }

    /// The one next step, if any, and what it is for. Call again after doing it.
    pub(super) fn next_step(&self, facts: &Facts) -> Option<(Step, Motive)> {
        if facts.is_halted {
            let legs = self.cancel_any(&self.legs(), facts);
            return because(Motive::Halted, legs.or_else(|| self.cancel_stray(facts)));
        }
        if facts.stray.is_some() {
            // It may fill any moment: nothing else is placed until it is gone.
            return because(Motive::Stray, self.cancel_stray(facts));
        }
        // More than dust on the wrong side is no part of the plan, and its stop no protection.
        let astray = (facts.is_opposed && facts.is_holding()).then_some(Purpose::Flatten);
        let leaving = self.leaving.or(astray);
        let leaving_for =
            self.leaving.map(Motive::Leaving).or_else(|| leaving.is_some().then_some(Motive::Opposed));
        if let Some(motive) = leaving_for.or_else(|| self.entry_over(facts))
            && let Some(step) = self.cancel_any(&[self.entry], facts)
        {
            return Some((step, motive));
        }
        if let Some((why, motive)) = leaving.zip(leaving_for) {
            return because(motive, self.leave_step(why, facts));
        }
        if facts.is_holding() {
            return self.protect_step(facts);
        }
        let is_over = !self.entry.is_live() && !self.exit.is_live();
        if is_over && self.is_guarded() {
            return because(Motive::StopLeftOver, self.cancel_guards(facts));
        }
        (is_over && self.plan.is_some()).then_some((Step::Finish, Motive::Over))
    }

    /// Why the entry may not work any longer, if it may not.
    fn entry_over(&self, facts: &Facts) -> Option<Motive> {
        let is_expired = self.plan.is_none_or(|plan| facts.now >= plan.expires);
        if is_expired {
            return Some(Motive::EntryExpired);
        }
        if self.progress.reached > 0 {
            return Some(Motive::PartReached);
        }
        if self.progress.is_past_entry {
            return Some(Motive::StopPastEntry);
        }
        (!facts.may_enter).then_some(Motive::EntriesForbidden)
    }

    /// A stop or a target works, or may.
    fn is_guarded(&self) -> bool {
        self.stop.is_live() || self.next.is_live() || self.target.is_live()
    }

    fn cancel_guards(&self, facts: &Facts) -> Option<Step> {
        self.cancel_any(&[self.stop, self.next, self.target], facts)
    }

    fn cancel_any(&self, legs: &[Leg], facts: &Facts) -> Option<Step> {
        let leg = legs.iter().find(|leg| leg.wants_cancel(facts))?;
        leg.order.map(|order| Step::Cancel(order.id))
    }

    fn cancel_stray(&self, facts: &Facts) -> Option<Step> {
        let is_asked = self.stray_cancel_asked.is_some_and(|at| facts.now.since(at) < facts.retry_ns);
        facts.stray.filter(|_| !is_asked).map(Step::Cancel)
    }

    /// Stop and entry must be confirmed gone before the exit, so that no two orders sell the same lot.
    fn leave_step(&self, why: Purpose, facts: &Facts) -> Option<Step> {
        if self.is_guarded() || self.entry.is_live() {
            // The stop stays where nothing may take its place.
            return self.cancel_guards(facts).filter(|_| facts.may_close || !facts.is_holding());
        }
        if self.exit.is_live() {
            return None;
        }
        if !facts.is_holding() {
            return Some(Step::Finish);
        }
        self.may_close_now(facts).then_some(Step::PlaceExit(facts.held, why))
    }

    /// One stop over all that is held and not on its way out. While the entry still fills, a stop is replaced only
    /// when what it does not cover could stand as an order of its own: fewer moments without one. A stop that has
    /// begun to fill is replaced only if it would close too much; what it leaves goes to the market afterwards.
    fn protect_step(&self, facts: &Facts) -> Option<(Step, Motive)> {
        if let Some(next) = self.next.order {
            // Either may live. Only when the new one does, and the old one is not said to be gone, is it asked for.
            let lingers = next.is_acknowledged && self.stop.wants_cancel(facts);
            return because(
                Motive::Replaced,
                self.stop.order.filter(|_| lingers).map(|o| Step::Cancel(o.id)),
            );
        }
        let part = self.part(facts);
        let wanted = Qty(facts.held.0.saturating_sub(part.0));
        let Some(stop) = self.stop.order else {
            if self.target.is_live() {
                return because(Motive::HalfPair, self.cancel_any(&[self.target], facts));
            }
            let may_place = self.plan.is_some() && self.may_close_now(facts) && wanted > Qty::ZERO;
            let place = may_place.then_some((Step::PlaceStop(wanted), Motive::Bare));
            return place.or_else(|| self.part_step(part, facts));
        };
        let Some(motive) = self.stop_fault(&stop, wanted, part, facts) else {
            return self.part_step(part, facts);
        };
        // One way only: once it is asked, what follows waits for the answer.
        if !stop.wants_cancel(facts) {
            return None;
        }
        let can_replace = facts.can_replace
            && wanted > Qty::ZERO
            && !self.target.is_live()
            && !stop.has_filled
            && self.refusals <= REPLACE_REFUSALS_MAX
            && self.may_close_now(facts);
        let step = if can_replace { Step::ReplaceStop(stop.id, wanted) } else { Step::Cancel(stop.id) };
        Some((step, motive))
    }

    /// What is wrong with the stop, if anything.
    fn stop_fault(&self, stop: &LegOrder, wanted: Qty, part: Qty, facts: &Facts) -> Option<Motive> {
        let bare = wanted.0.saturating_sub(stop.leaves.0);
        let bare_min =
            if self.entry.is_live() { facts.order_min.0.max(1) } else { facts.rounding.0.saturating_add(1) };
        // A stop that is too small still protects: it goes only when the next can follow.
        let is_too_small = bare >= bare_min && !stop.has_filled && self.may_close_now(facts);
        if bare < -facts.rounding.0 || is_too_small {
            let is_for_part = part > Qty::ZERO && bare < 0 && stop.leaves <= facts.held;
            // A stop makes room for a part only when the part can follow.
            return match is_for_part {
                true => self.may_close_now(facts).then_some(Motive::PartDue(part)),
                false => Some(Motive::StopSize { held: facts.held, covered: stop.leaves }),
            };
        }
        let (from, to) = (stop.stop_price, self.progress.stop);
        let is_untouched = !stop.has_filled && self.stop_reached.is_none();
        let may_move = is_untouched && self.may_close_now(facts);
        (from != to && may_move).then_some(Motive::StopMoved { from, to })
    }

    /// The part of the profit that is on its way out, or due. A part too small for an order waits for the next; a rest
    /// too small for one goes along.
    fn part(&self, facts: &Facts) -> Qty {
        if let Some(exit) = self.exit.order {
            return exit.leaves;
        }
        let Some(plan) = self.plan.filter(|_| !self.entry.is_live()) else { return Qty::ZERO };
        let due = self.progress.due(&plan, facts.lot).min(facts.held);
        match facts.held.0.saturating_sub(due.0) {
            _ if due < facts.order_min.max(Qty(1)) => Qty::ZERO,
            rest if rest < facts.order_min.0 => facts.held,
            _ => due,
        }
    }

    fn part_step(&self, part: Qty, facts: &Facts) -> Option<(Step, Motive)> {
        let is_due = part > Qty::ZERO && !self.exit.is_live() && self.may_close_now(facts);
        is_due.then_some((Step::PlaceExit(part, Purpose::Target), Motive::PartDue(part)))
    }

    fn may_close_now(&self, facts: &Facts) -> bool {
        facts.can_send && facts.may_close && facts.now >= self.retry_at
    }
}

fn because(motive: Motive, step: Option<Step>) -> Option<(Step, Motive)> {
    step.map(|step| (step, motive))
}

/// The side that closes a position.
pub(super) fn closing_side(position: Qty) -> Side {
    if position.0 > 0 { Side::Sell } else { Side::Buy }
}

/// What the engine knows when a bracket is loaded.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) instrument: InstrumentId,
    pub(super) orders: &'a Orders,
    /// Time of the last event.
    pub(super) now: TsNs,
    /// Number of the last signal.
    pub(super) signal_id: u32,
}

impl Bracket {
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, known: &Known<'_>) -> Result<(), StateError> {
        let Self {
            plan,
            entry,
            stop,
            next,
            target,
            exit,
            entered,
            progress,
            attached_to,
            leaving,
            retry_at,
            refusals,
            stop_reached,
            naked_since,
            is_naked_told,
            stray_cancel_asked,
        } = self;
        io.option(plan, || Plan::BLANK, |io, plan| plan.state(io, known.signal_id))?;
        entry.state(io, known, |order| order.purpose == Purpose::Entry)?;
        let is_stop = |order: &Order| order.purpose == Purpose::Stop && order.kind == OrderKind::StopLimit;
        stop.state(io, known, is_stop)?;
        next.state(io, known, is_stop)?;
        io.sound(stop.is_live() || !next.is_live())?;
        target
            .state(io, known, |order| order.purpose == Purpose::Target && order.kind == OrderKind::Limit)?;
        exit.state(io, known, |order| order.purpose != Purpose::Entry && order.kind == OrderKind::Market)?;
        io.unsigned(&mut entered.0)?;
        io.sound(plan.is_some() || *entered == Qty::ZERO)?;
        let reasons = [Purpose::Stop, Purpose::Target, Purpose::Flatten];
        progress.state(io)?;
        io.option(attached_to, || ClientOrderId::NONE, |io, entry| io.number(entry))?;
        io.option(leaving, || Purpose::Flatten, |io, why| io.choice(why, &reasons))?;
        io.number(retry_at)?;
        io.number(refusals)?;
        for since in [&mut *stop_reached, &mut *naked_since, &mut *stray_cancel_asked] {
            io.option(since, || TsNs(0), |io, since| io.past(since, known.now))?;
        }
        io.flag(is_naked_told)?;
        let is_any_live = self.legs().iter().any(Leg::is_live);
        io.sound(self.is_engaged() || !is_any_live)
    }
}

impl Leg {
    /// What the order table knows is taken from there; `is_fit` says whether an order can be this leg.
    fn state(
        &mut self,
        io: &mut StateIo<'_>,
        known: &Known<'_>,
        is_fit: impl FnOnce(&Order) -> bool,
    ) -> Result<(), StateError> {
        io.option(
            &mut self.order,
            || LegOrder::BLANK,
            |io, leg| {
                let LegOrder {
                    id,
                    leaves: _,
                    stop_price: _,
                    is_acknowledged: _,
                    has_filled: _,
                    cancel_asked,
                } = leg;
                io.number(id)?;
                io.option(cancel_asked, || TsNs(0), |io, asked| io.past(asked, known.now))?;
                let order = known.orders.get(*id).filter(|order| order.instrument == known.instrument);
                io.sound(order.is_some_and(is_fit))
            },
        )?;
        if io.is_loading() {
            self.sync(known.orders);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::{EntryKind, Management};
    use crate::words::Direction;

    const FACTS: Facts = Facts {
        now: TsNs(100),
        held: Qty(0),
        is_opposed: false,
        order_min: Qty(5),
        lot: Qty(1),
        can_replace: false,
        rounding: Qty(0),
        can_send: true,
        may_enter: true,
        is_halted: false,
        may_close: true,
        retry_ns: 50,
        stray: None,
    };

    fn live(sequence: u64, leaves: i64) -> Leg {
        Leg::sent(ClientOrderId::new(1, 1, sequence), Qty(leaves), Price(90))
    }

    fn entered() -> Bracket {
        let plan = Plan {
            signal_id: 1,
            direction: Direction::Up,
            entry: Price(100),
            stop: Price(90),
            target: Price(120),
            kind: EntryKind::Rest,
            expires: TsNs(1_000),
            manage: Management::PLAIN,
        };
        let mut bracket = Bracket::default();
        bracket.begin(plan, live(1, 10), None);
        bracket
    }

    impl Bracket {
        fn step(&self, facts: &Facts) -> Option<Step> {
            self.next_step(facts).map(|(step, _)| step)
        }
    }

    fn id(leg: &Leg) -> ClientOrderId {
        leg.order.unwrap().id
    }

    #[test]
    fn a_fill_is_protected_and_a_bigger_one_replaces_the_stop() {
        let mut bracket = entered();
        assert_eq!(bracket.step(&FACTS), None);
        let facts = Facts { held: Qty(6), ..FACTS };
        assert_eq!(bracket.step(&facts), Some(Step::PlaceStop(Qty(6))));
        bracket.stop = live(2, 6);
        assert_eq!(bracket.step(&Facts { held: Qty(8), ..FACTS }), None, "too little to be worth a gap");
        bracket.entry = Leg::default();
        assert_eq!(
            bracket.step(&Facts { held: Qty(8), ..FACTS }),
            Some(Step::Cancel(id(&bracket.stop))),
            "entry done: the stop must cover all"
        );
    }

    #[test]
    fn a_stop_that_began_to_fill_is_replaced_only_when_too_large() {
        let mut bracket = entered();
        bracket.entry = Leg::default();
        bracket.stop = live(2, 20);
        bracket.stop.order.as_mut().unwrap().has_filled = true;
        let cancel = Some(Step::Cancel(id(&bracket.stop)));
        assert_eq!(bracket.step(&Facts { held: Qty(29), ..FACTS }), None);
        assert_eq!(bracket.step(&Facts { held: Qty(19), ..FACTS }), cancel);
        let rounded = Facts { rounding: Qty(1), ..FACTS };
        assert_eq!(bracket.step(&Facts { held: Qty(19), ..rounded }), None, "as near as one can know");
        assert_eq!(bracket.step(&Facts { held: Qty(18), ..rounded }), cancel);
        bracket.stop.order.as_mut().unwrap().has_filled = false;
        assert_eq!(bracket.step(&Facts { held: Qty(21), ..rounded }), None);
        assert_eq!(bracket.step(&Facts { held: Qty(22), ..rounded }), cancel);
    }

    #[test]
    fn a_position_against_the_plan_gets_no_stop_but_an_exit() {
        let mut bracket = entered();
        let facts = Facts { held: Qty(9), is_opposed: true, ..FACTS };
        assert_eq!(bracket.step(&facts), Some(Step::Cancel(id(&bracket.entry))));
        bracket.entry = Leg::default();
        assert_eq!(bracket.step(&facts), Some(Step::PlaceExit(Qty(9), Purpose::Flatten)));
        let dust = Facts { is_opposed: true, ..FACTS };
        bracket.entry = live(1, 10);
        assert_eq!(bracket.step(&dust), None, "dust on the wrong side is in nobody's way");
    }

    #[test]
    fn an_exit_waits_for_stop_and_entry_to_be_gone() {
        let mut bracket = entered();
        bracket.stop = live(2, 6);
        bracket.leave(Purpose::Target);
        let facts = Facts { held: Qty(6), ..FACTS };
        assert_eq!(bracket.step(&facts), Some(Step::Cancel(id(&bracket.entry))));
        bracket.entry.order.as_mut().unwrap().cancel_asked = Some(facts.now);
        assert_eq!(bracket.step(&facts), Some(Step::Cancel(id(&bracket.stop))));
        bracket.stop.order.as_mut().unwrap().cancel_asked = Some(facts.now);
        assert_eq!(bracket.step(&facts), None);
        bracket.stop = Leg::default();
        assert_eq!(bracket.step(&facts), None);
        bracket.entry = Leg::default();
        assert_eq!(bracket.step(&facts), Some(Step::PlaceExit(Qty(6), Purpose::Target)));
        bracket.exit = live(3, 6);
        assert_eq!(bracket.step(&facts), None);
        bracket.exit = Leg::default();
        assert_eq!(bracket.step(&FACTS), Some(Step::Finish));
    }

    #[test]
    fn a_halt_cancels_everything_and_places_nothing() {
        let mut bracket = entered();
        bracket.stop = live(2, 6);
        let facts = Facts { held: Qty(9), is_halted: true, ..FACTS };
        assert_eq!(bracket.step(&facts), Some(Step::Cancel(id(&bracket.entry))));
        bracket.entry = Leg::default();
        assert_eq!(bracket.step(&facts), Some(Step::Cancel(id(&bracket.stop))));
        bracket.stop = Leg::default();
        assert_eq!(bracket.step(&facts), None);
    }

    #[test]
    fn an_unanswered_cancel_is_asked_again() {
        let mut bracket = entered();
        let late = Facts { now: TsNs(1_000), ..FACTS };
        assert_eq!(bracket.step(&late), Some(Step::Cancel(id(&bracket.entry))));
        bracket.entry.order.as_mut().unwrap().cancel_asked = Some(late.now);
        assert_eq!(bracket.step(&late), None);
        let later = Facts { now: TsNs(1_050), ..FACTS };
        assert_eq!(bracket.step(&later), Some(Step::Cancel(id(&bracket.entry))));
    }
}
