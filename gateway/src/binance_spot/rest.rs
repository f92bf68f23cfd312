//! REST beside the connection: what the key may do, and cancels and questions while there is no connection.
//!
//! Pure: requests wait in the session until the gateway hands them to its [`Caller`](smc_net::Caller), and what became of
//! them comes back here. They share the table of requests in flight with the connection's and outlive it. No order is
//! ever placed here.

use super::decode::{Scratch, decode_body};
use super::encode::Query;
use super::errors::{Reaction, reaction};
use super::message::{Answer, AnswerId, Outcome, RateLimits, VenueError};
use super::session::{Out, SECOND, Sent, Session, Step};
use super::settings::SendError;
use crate::requests::{InFlight, RequestKind};
use smc_core::event::{OrderUpdateKind, REJECT_NOT_SENT};
use smc_core::output::CancelOrder;
use smc_core::words::{ClientOrderId, InstrumentId, TsNs};
use smc_net::{Call, HttpResponse};

/// Without a connection for this long, orders in doubt are asked about by REST.
const OFFLINE_MAX: u64 = SECOND;
/// How soon the key's rights are asked for again where no answer came, and otherwise.
const RIGHTS_AGAIN: u64 = 30 * SECOND;
const RIGHTS_EVERY: u64 = 600 * SECOND;

/// What waits to be sent by REST.
pub(super) struct Rest {
    /// There is somewhere to send it.
    pub is_open: bool,
    /// Requests that wait to be handed on.
    pub calls: Vec<Call>,
    /// When the key's rights are asked for next; none once the venue has shown that it does not tell them.
    rights_at: Option<TsNs>,
    /// They were asked for once, with whatever result.
    are_rights_settled: bool,
    /// The venue's clock was compared with ours.
    pub is_clock_known: bool,
    is_clock_asked: bool,
    /// Since when there has been no connection; none before the first turn.
    pub offline_since: Option<TsNs>,
}

impl Rest {
    pub fn new(is_open: bool) -> Self {
        Self {
            is_open,
            calls: Vec::new(),
            rights_at: Some(TsNs(0)),
            are_rights_settled: false,
            is_clock_known: false,
            is_clock_asked: false,
            offline_since: None,
        }
    }

    /// Puts a request that was issued among those that wait.
    pub fn put(
        &mut self,
        id: u64,
        encoded: Result<Call, SendError>,
        in_flight: &mut InFlight,
    ) -> Result<Sent, SendError> {
        self.calls.push(Call { tag: id, ..encoded? });
        in_flight.note_rest(id);
        Ok(Sent::Yes)
    }
}

impl Session {
    /// What is due by REST. Called every turn, connected or not.
    pub fn drive_rest(&mut self, now: TsNs) {
        if !self.rest.is_open || now < self.budget.blocked_until() || self.fatal.is_some() {
            return;
        }
        // Before the first connection as after a lost one: two questions about one thing at a time are one too many.
        let since = *self.rest.offline_since.get_or_insert(now);
        let is_down = self.step == Step::Offline && now.since(since) >= OFFLINE_MAX;
        if is_down && !self.rest.is_clock_known && !self.rest.is_clock_asked {
            let query = Query::Time;
            self.rest.is_clock_asked = self.call(RequestKind::Time, &query, no_order(), now);
        }
        if !self.rest.is_clock_known {
            return;
        }
        if self.rest.rights_at.is_some_and(|at| at <= now) && self.budget.query(now, 1) {
            self.rest.rights_at = Some(TsNs(now.0.saturating_add(RIGHTS_AGAIN)));
            self.call(RequestKind::Restrictions, &Query::Restrictions, no_order(), now);
        }
        if is_down {
            self.ask(now, None);
        }
    }

    /// The first logon waits until the key's rights are settled: nothing is sent before they are known, and of two answers
    /// on two connections it would be chance which is read first.
    pub(super) fn waits_for_rights(&self) -> bool {
        self.rest.is_open && !self.was_ready && !self.rest.are_rights_settled
    }

    /// A cancel while there is no connection. It passes whatever the limits say, but for a ban of the address.
    pub(super) fn cancel_by_rest(&mut self, now: TsNs, cancel: &CancelOrder) -> Result<(), SendError> {
        let is_possible = self.rest.is_open && self.rest.is_clock_known && self.fatal.is_none();
        if !is_possible || now < self.budget.banned_until() {
            return Err(SendError::NotReady);
        }
        let known = self.orders.get(cancel.client_order_id).map_or(0, |order| order.venue_id);
        let venue_order_id = if cancel.venue_order_id == 0 { known } else { cancel.venue_order_id };
        let cancel = CancelOrder { venue_order_id, ..*cancel };
        let about = (cancel.client_order_id, cancel.instrument, cancel.venue_order_id);
        if !self.call(RequestKind::Cancel, &Query::Cancel(&cancel), about, now) {
            return Err(SendError::Full);
        }
        self.counters.cancels_sent += 1;
        Ok(())
    }

    /// Every order of an instrument, while there is no connection.
    pub(super) fn cancel_all_by_rest(
        &mut self,
        now: TsNs,
        instrument: InstrumentId,
    ) -> Result<(), SendError> {
        let is_possible = self.rest.is_open && self.rest.is_clock_known && self.fatal.is_none();
        let about = (ClientOrderId::NONE, instrument, 0);
        let is_sent = is_possible
            && now >= self.budget.banned_until()
            && self.call(RequestKind::CancelAll, &Query::CancelAll(instrument), about, now);
        self.counters.cancels_sent += u64::from(is_sent);
        if is_sent { Ok(()) } else { Err(SendError::NotReady) }
    }

    /// Puts a request among those that wait; false when there is no room for it.
    fn call(
        &mut self,
        kind: RequestKind,
        query: &Query<'_>,
        (order, instrument, venue_id): (ClientOrderId, InstrumentId, u64),
        now: TsNs,
    ) -> bool {
        let Some(id) = self.in_flight.issue(kind, order, instrument, now) else { return false };
        self.in_flight.note_venue_id(id, venue_id);
        let encoded = self.encoder.call(self.venue_ms(now), query);
        let is_put = self.rest.put(id, encoded, &mut self.in_flight).is_ok();
        if !is_put {
            self.in_flight.withdraw(id);
        }
        is_put
    }

    /// What became of a request.
    pub fn on_rest(&mut self, tag: u64, outcome: smc_net::Outcome, scratch: &mut Scratch, out: &mut Out<'_>) {
        match outcome {
            smc_net::Outcome::Answer(answer) => self.on_response(tag, &answer, scratch, out),
            smc_net::Outcome::NotSent(_) => self.on_rest_lost(tag, false, out),
            smc_net::Outcome::Unknown(_) => self.on_rest_lost(tag, true, out),
        }
    }

    fn on_response(&mut self, tag: u64, answer: &HttpResponse, scratch: &mut Scratch, out: &mut Out<'_>) {
        let number = |name: &str| answer.header(name).and_then(|text| text.parse::<u32>().ok());
        if let Some(used) = number("x-mbx-used-weight-1m") {
            self.budget.learn_weight(used, out.now);
        }
        let retry_after_ms = number("retry-after")
            .map(|seconds| self.venue_ms(out.now).saturating_add(u64::from(seconds) * 1_000));
        let mut body = answer.body.to_vec();
        let id = i64::try_from(tag).unwrap_or(-1);
        let is_read = decode_body(&mut body, scratch, |outcome| {
            let outcome = match outcome {
                // A body that says nothing about an error in an answer that is one: the status alone speaks.
                Outcome::Error(error) => Outcome::Error(VenueError { retry_after_ms, ..error }),
                _ if answer.status != 200 => unsaid(retry_after_ms),
                outcome => outcome,
            };
            self.on_rest_answer(id, answer.status, outcome, out);
        });
        if is_read.is_err() {
            // A page of a firewall or a proxy. Of an answer that says "done" nobody knows what was done.
            let status = if answer.status == 200 { 500 } else { answer.status };
            self.on_rest_answer(id, status, unsaid(retry_after_ms), out);
        }
    }

    fn on_rest_answer(&mut self, id: i64, status: u16, outcome: Outcome<'_, '_>, out: &mut Out<'_>) {
        if self.in_flight.kind_of(id) == Some(RequestKind::Restrictions) {
            self.in_flight.take(id);
            return self.on_rights(status, &outcome, out);
        }
        if self.in_flight.kind_of(id) == Some(RequestKind::Time) {
            self.rest.is_clock_asked = false;
        }
        let answer = Answer { id: AnswerId::Number(id), status, outcome, limits: RateLimits::default() };
        self.on_answer(&answer, out);
    }

    fn on_rights(&mut self, status: u16, outcome: &Outcome<'_, '_>, out: &mut Out<'_>) {
        self.rest.are_rights_settled = true;
        match outcome {
            Outcome::Rights { can_trade, can_withdraw } => {
                self.can_withdraw = *can_withdraw;
                self.rest.rights_at = Some(TsNs(out.now.0.saturating_add(RIGHTS_EVERY)));
                self.tell_key(*can_trade, out);
            }
            // Testnets and simulators have no such page.
            _ if status == 404 => self.rest.rights_at = None,
            Outcome::Error(error) => {
                let reaction = reaction(status, error.code, error.message, error.retry_after_ms);
                if let Reaction::WaitUntil(until_ms) = reaction {
                    self.wait(status, error.code, until_ms, out.now);
                    self.tell_budget(out);
                }
            }
            _ => {}
        }
    }

    /// No answer came; `has_left` where it may have been done all the same.
    fn on_rest_lost(&mut self, tag: u64, has_left: bool, out: &mut Out<'_>) {
        let Some(request) = i64::try_from(tag).ok().and_then(|id| self.in_flight.take(id)) else { return };
        match request.kind {
            RequestKind::Time => self.rest.is_clock_asked = false,
            RequestKind::Restrictions => self.rest.are_rights_settled = true,
            RequestKind::Cancel if !has_left => {
                let (id, kind) = (request.order, OrderUpdateKind::CancelReject { code: REJECT_NOT_SENT });
                self.counters.cancel_rejects += 1;
                out.order(None, request.instrument, id, request.venue_id, kind);
            }
            _ => self.lost(&request, out),
        }
    }
}

const fn no_order() -> (ClientOrderId, InstrumentId, u64) {
    (ClientOrderId::NONE, InstrumentId::NONE, 0)
}

/// An error without words.
const fn unsaid(retry_after_ms: Option<u64>) -> Outcome<'static, 'static> {
    Outcome::Error(VenueError { code: 0, message: "", retry_after_ms, replaced: None })
}
