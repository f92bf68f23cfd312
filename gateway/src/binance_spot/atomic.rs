//! Requests about more than one order: a replacement, a pair, the end of everything on a symbol.
//!
//! * **Replace** (`order.cancelReplace`, stopping on failure, of orders that have not begun to fill): the venue ends the
//!   old order and takes the new, or leaves the old. It is not atomic, so each half is told as the venue tells it.
//! * **Pair** (`orderList.place.oco`): the core says stop and target one after the other; the first waits here for the
//!   second for a moment and otherwise leaves alone, since a stop alone is still a stop. For the same reason the stop of
//!   a pair that was refused for sure goes out once more, alone and under its own id: the market may have reached the
//!   target meanwhile, and the venue takes no pair there. The cancel of one ends both, and its answer tells of both.

use super::encode::Query;
use super::errors::{Reaction, reaction};
use super::message::*;
use super::orders::{Order, Phase};
use super::session::{MS, Out, Session, Step, Wire};
use super::settings::SendError;
use crate::requests::{Request, RequestKind};
use smc_core::event::{OrderUpdateKind, REJECT_NOT_SENT};
use smc_core::output::{CancelOrder, NewOrder, OrderKind, OrderTerms};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, TsNs};

/// The second order of a pair is said in the same event as the first; through a ring it may come a little later.
const PAIR_WAIT: u64 = 5 * MS;
/// Pairs under way whose stops are kept; those beyond are refused whole.
pub(super) const PAIRS_MAX: usize = 16;
/// Told with the half of a replacement that was not tried: "cancel-replace failed".
const CODE_REPLACE_FAILED: i32 = -2_022;

/// The first order of a pair, waiting for the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    order: NewOrder,
    since: TsNs,
    /// Cancelled before it left.
    is_canceled: bool,
    /// No pair comes any more: it leaves at once.
    goes_alone: bool,
}

impl Session {
    /// Whether `orders` more may be sent now.
    pub(super) fn admit(&mut self, now: TsNs, order: &NewOrder, orders: u32) -> Result<(), SendError> {
        if self.step != Step::Ready || self.wants_cut {
            return Err(SendError::NotReady);
        }
        let OrderTerms { stop_on_fill, target_on_fill, .. } = order.terms;
        if stop_on_fill > Price::ZERO || target_on_fill > Price::ZERO {
            return Err(SendError::CannotAttach);
        }
        if let Err(until) = self.budget.orders(now, orders) {
            self.counters.rate_limited += 1;
            return Err(SendError::RateLimited { until });
        }
        let id = order.client_order_id;
        if self.orders.get(id).is_some() || self.orders.is_done(id, TsNs(0)) {
            return Err(SendError::Duplicate);
        }
        if self.orders.room() < orders as usize {
            return Err(SendError::Full);
        }
        Ok(())
    }

    /// Takes an order that belongs to a pair.
    pub(super) fn place_paired(
        &mut self,
        now: TsNs,
        order: &NewOrder,
        wire: &mut Wire<'_>,
    ) -> Result<(), SendError> {
        let other = order.terms.oco;
        match self.held {
            Some(held) if held.order.client_order_id == other && !held.is_canceled && !held.goes_alone => {
                let sent = self.send_pair(now, &held.order, order, wire);
                if let Some(held) = self.held.as_mut().filter(|_| sent.is_err()) {
                    held.goes_alone = true;
                }
                sent
            }
            // The other was cancelled or left alone: both together would promise the same coins twice.
            Some(held) if held.order.client_order_id == other => Err(SendError::PairBroken),
            _ if self.orders.get(other).is_some() || self.orders.is_done(other, TsNs(0)) => {
                Err(SendError::PairBroken)
            }
            Some(_) => Err(SendError::Full),
            None => {
                self.admit(now, order, 2)?;
                self.held = Some(Held { order: *order, since: now, is_canceled: false, goes_alone: false });
                Ok(())
            }
        }
    }

    fn send_pair(
        &mut self,
        now: TsNs,
        first: &NewOrder,
        second: &NewOrder,
        wire: &mut Wire<'_>,
    ) -> Result<(), SendError> {
        self.admit(now, first, 2)?;
        self.admit(now, second, 2)?;
        let (id, other, instrument) = (first.client_order_id, second.client_order_id, first.instrument);
        let issued = self.in_flight.issue_two(RequestKind::Pair, id, other, instrument, now);
        let request = issued.ok_or(SendError::Full)?;
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.frame(request, time_ms, &Query::Pair(first, second)).map(wire);
        self.sent(request, sent)?;
        self.held = None;
        let stop = if first.kind == OrderKind::StopLimit { first } else { second };
        if self.paired_stops.len() < PAIRS_MAX {
            self.paired_stops.push((request, *stop));
        }
        for order in [first, second] {
            self.orders.insert(Order::new(order.client_order_id, instrument, now, Phase::Placing));
            self.budget.count_order();
            self.counters.orders_sent += 1;
        }
        Ok(())
    }

    /// Lets an order go whose pair did not come.
    pub(super) fn drive_held(&mut self, out: &mut Out<'_>, wire: &mut Wire<'_>) {
        let Some(held) = self.held else { return };
        let (id, instrument) = (held.order.client_order_id, held.order.instrument);
        if held.is_canceled {
            self.held = None;
            out.order(None, instrument, id, 0, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
        } else if held.goes_alone || out.now.since(held.since) >= PAIR_WAIT {
            self.held = None;
            if self.place_alone(out.now, &held.order, wire).is_err() {
                self.counters.rejects += 1;
                out.order(None, instrument, id, 0, OrderUpdateKind::Reject { code: REJECT_NOT_SENT });
            }
        }
    }

    /// The connection is gone and the held order never left.
    pub(super) fn drop_held(&mut self, out: &mut Out<'_>) {
        if let Some(held) = self.held.take() {
            let (id, instrument) = (held.order.client_order_id, held.order.instrument);
            self.counters.rejects += 1;
            out.order(None, instrument, id, 0, OrderUpdateKind::Reject { code: REJECT_NOT_SENT });
        }
    }

    /// Cancels an order that has not left yet. False when it is not held.
    pub(super) fn cancel_held(&mut self, id: ClientOrderId) -> bool {
        let held = self.held.as_mut().filter(|held| held.order.client_order_id == id);
        held.map(|held| held.is_canceled = true).is_some()
    }

    /// True while an order waits for its pair.
    pub fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Sends a replacement. Refused where the old order is known to have begun to fill or not known to work.
    pub fn replace(
        &mut self,
        now: TsNs,
        old: &CancelOrder,
        order: &NewOrder,
        wire: &mut Wire<'_>,
    ) -> Result<(), SendError> {
        self.admit(now, order, 1)?;
        if order.terms.oco != ClientOrderId::NONE {
            return Err(SendError::BadPair);
        }
        let known = self.orders.get(old.client_order_id).filter(|known| {
            known.phase == Phase::Live && known.reported == Qty::ZERO && !known.is_cancel_lost
        });
        let known = known.ok_or(SendError::CannotReplace)?;
        if known.instrument != order.instrument {
            return Err(SendError::CannotReplace);
        }
        let venue_order_id = if old.venue_order_id == 0 { known.venue_id } else { old.venue_order_id };
        let old = CancelOrder { venue_order_id, ..*old };
        let (id, instrument) = (order.client_order_id, order.instrument);
        let issued = self.in_flight.issue_two(RequestKind::Replace, id, old.client_order_id, instrument, now);
        let request = issued.ok_or(SendError::Full)?;
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.frame(request, time_ms, &Query::Replace(&old, order)).map(wire);
        self.sent(request, sent)?;
        self.orders.insert(Order::new(id, instrument, now, Phase::Placing));
        self.budget.count_order();
        self.counters.orders_sent += 1;
        self.counters.cancels_sent += 1;
        Ok(())
    }

    /// Asks the venue to end every order on an instrument, those of other hands too. What ended, reports tell.
    pub fn cancel_all(
        &mut self,
        now: TsNs,
        instrument: InstrumentId,
        wire: &mut Wire<'_>,
    ) -> Result<(), SendError> {
        if !self.is_logged_on() || self.wants_cut {
            return self.cancel_all_by_rest(now, instrument);
        }
        let issued = self.in_flight.issue(RequestKind::CancelAll, ClientOrderId::NONE, instrument, now);
        let request = issued.ok_or(SendError::Full)?;
        let time_ms = self.venue_ms(now);
        let sent = self.encoder.frame(request, time_ms, &Query::CancelAll(instrument)).map(wire);
        self.sent(request, sent)?;
        self.counters.cancels_sent += 1;
        Ok(())
    }

    /// Both halves of a replacement, as the venue tells them; the old order first.
    pub(super) fn on_replaced(&mut self, request: &Request, result: &ReplaceResult, out: &mut Out<'_>) {
        let (instrument, old) = (request.instrument, request.other);
        match &result.cancel {
            Half::Done { order_id, status, executed_qty, time_ms } => {
                let status = status.unwrap_or(OrderStatus::Canceled);
                self.settle(
                    (instrument, old, *order_id),
                    status,
                    executed_qty.unwrap_or_default(),
                    *time_ms,
                    out,
                );
            }
            Half::Refused(code) => self.on_old_refused(request, *code, out),
            Half::NotTried => {}
        }
        match &result.new {
            Half::Done { order_id, time_ms, .. } => self.on_placed(request, *order_id, *time_ms, out),
            Half::Refused(code) => {
                let reaction = reaction(400, *code, "", None);
                self.on_place_refused(request, reaction, *code, out);
            }
            Half::NotTried => {
                self.on_place_refused(request, Reaction::Refuse, CODE_REPLACE_FAILED, out);
            }
        }
    }

    /// The cancel in a replacement was refused: the old order has begun to fill, or is done. Told by its own state.
    fn on_old_refused(&mut self, request: &Request, code: i32, out: &mut Out<'_>) {
        if reaction(400, code, "", None) == Reaction::Unknown {
            self.doubt_old(request, out);
            return;
        }
        if let Some(order) = self.orders.get(request.other).filter(|order| !order.is_asking()) {
            order.doubt(Phase::InDoubt, out.now);
        }
    }

    /// Nobody can tell whether the old order was ended.
    pub(super) fn doubt_old(&mut self, request: &Request, out: &mut Out<'_>) {
        self.doubt_cancel(&Request { order: request.other, ..*request }, out);
    }

    /// The stop of a pair under way, which is told or lost now.
    pub(super) fn take_paired_stop(&mut self, request: u64) -> Option<NewOrder> {
        let at = self.paired_stops.iter().position(|(id, _)| *id == request)?;
        Some(self.paired_stops.swap_remove(at).1)
    }

    /// A pair was refused. Where that is certain, its stop leaves once more, alone; not while a cancel is under way, which
    /// may be about it.
    pub(super) fn on_pair_refused(
        &mut self,
        request: &Request,
        reaction: Reaction,
        code: i32,
        out: &mut Out<'_>,
    ) {
        let may_go = reaction == Reaction::Refuse
            && !self.is_holding()
            && self.in_flight.waiting(RequestKind::Cancel) == 0;
        let stop = self.take_paired_stop(request.id).filter(|_| may_go);
        for id in [request.order, request.other] {
            let is_untold = self.orders.get(id).is_some_and(|order| order.phase == Phase::Placing);
            match stop.filter(|stop| stop.client_order_id == id && is_untold) {
                Some(order) => {
                    self.orders.forget(id);
                    self.held = Some(Held { order, since: out.now, is_canceled: false, goes_alone: true });
                }
                None => self.on_place_refused(&Request { order: id, ..*request }, reaction, code, out),
            }
        }
    }

    /// The cancel of one of a pair ended what still worked of it.
    pub(super) fn on_pair_canceled(
        &mut self,
        request: &Request,
        reports: &Rows<'_, '_, OrderResult<'_>>,
        out: &mut Out<'_>,
    ) {
        self.refusals = 0;
        let mut is_told = false;
        for row in reports.iter() {
            let id = self.ours(row.client_order_id).unwrap_or(ClientOrderId::NONE);
            is_told |= id == request.order && (id != ClientOrderId::NONE || row.order_id == request.venue_id);
            let place = (request.instrument, id, row.order_id);
            let status = row.state().unwrap_or(OrderStatus::Canceled);
            self.settle(place, status, row.executed_qty.unwrap_or_default(), row.time_ms, out);
        }
        if !is_told {
            self.lost(request, out);
        }
    }

    /// A pair was taken: each order by its own id.
    pub(super) fn on_paired(
        &mut self,
        request: &Request,
        orders: &Rows<'_, '_, OrderResult<'_>>,
        out: &mut Out<'_>,
    ) {
        self.take_paired_stop(request.id);
        for id in [request.order, request.other] {
            let told = orders.iter().find(|order| self.ours(order.client_order_id) == Some(id));
            let one = Request { order: id, ..*request };
            match told {
                Some(order) => self.on_placed(&one, order.order_id, order.time_ms, out),
                None => self.doubt_place(&one, out),
            }
        }
    }
}
