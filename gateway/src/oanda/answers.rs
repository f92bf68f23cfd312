//! What an answer, or the lack of one, means.
//!
//! Whatever transactions an answer shows are applied first, as if the stream had brought them; only what they leave open is
//! decided by the status. A request that changes something and whose outcome nobody told is never sent again: the order is
//! in doubt, and asked about until the venue has proved what became of it.

use super::apply::{Pending, REST_PAUSE, Via};
use super::budget::WAIT;
use super::errors::{self, Reaction};
use super::message::{Answer, Body, OrderRow, OrderState, Transaction};
use super::orders::Phase;
use super::session::{ARRIVAL, AskKind, Flight, History, Out, Session};
use super::tape::{Scratch, decode_answer};
use smc_core::event::{EventBody, KeyScope, Margin, OrderUpdateKind};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Qty, TsNs};
use smc_net::date;

/// What became of a request.
pub(super) enum RestOutcome<'b> {
    /// The venue answered.
    Answer {
        status: u16,
        /// The `Date` header.
        date: Option<&'b str>,
        /// The `Retry-After` header.
        retry_after: Option<&'b str>,
        body: &'b mut [u8],
    },
    /// No byte of it has left.
    NotSent,
    /// It left, and no whole answer came.
    Unknown,
}

impl Session {
    /// The outcome of a request.
    pub fn on_rest(&mut self, tag: u64, outcome: RestOutcome<'_>, scratch: &mut Scratch, out: &mut Out<'_>) {
        let Some(at) = self.flights.iter().position(|flight| flight.tag == tag) else {
            self.counters.stray_answers += 1;
            return;
        };
        let flight = self.flights.swap_remove(at);
        match outcome {
            RestOutcome::NotSent => self.on_not_sent(&flight, out),
            RestOutcome::Unknown => self.on_lost(&flight, out),
            RestOutcome::Answer { status, date, retry_after, body } => {
                self.counters.messages += 1;
                if let Some(date_ns) = date.and_then(|text| date::http_date_ns(text.as_bytes())) {
                    self.clock.learn(date_ns, flight.sent, out.now);
                }
                if status == 429 {
                    let seconds = retry_after.and_then(|text| text.trim().parse::<u32>().ok());
                    let pause = seconds.map_or(WAIT, |seconds| u64::from(seconds.max(1)) * WAIT);
                    self.budget.ban(TsNs(out.now.0.saturating_add(pause)), out.now);
                }
                let read =
                    decode_answer(body, scratch, |answer| self.on_answer(&flight, status, answer, out));
                if read.is_err() {
                    self.counters.refused += 1;
                    self.on_answer(&flight, status, &EMPTY, out);
                }
            }
        }
        self.settle_round(out);
    }

    /// Nothing of it left: the venue has never seen it.
    fn on_not_sent(&mut self, flight: &Flight, out: &mut Out<'_>) {
        match flight.kind {
            AskKind::Place { id, instrument } => self.tell_not_found(id, instrument, out),
            AskKind::Replace { id, instrument, .. } => self.tell_not_found(id, instrument, out),
            AskKind::Cancel { id, .. } => self.refuse_cancel(id, errors::OUTCOME_LOST, TsNs(0), out),
            AskKind::CancelForeign { venue_id, instrument } => {
                self.refuse_foreign(venue_id, instrument, errors::OUTCOME_LOST, out);
            }
            _ => self.on_lost(flight, out),
        }
    }

    /// It may have been done or not.
    pub fn on_lost(&mut self, flight: &Flight, out: &mut Out<'_>) {
        match flight.kind {
            AskKind::Place { id, .. } => self.doubt_place(id, out),
            AskKind::Replace { id, old, .. } => {
                self.doubt_place(id, out);
                self.look_at(old, out.now);
            }
            AskKind::Cancel { id, .. } => self.doubt_cancel(id, out),
            AskKind::CancelForeign { venue_id, instrument } => {
                self.refuse_foreign(venue_id, instrument, errors::OUTCOME_LOST, out);
            }
            AskKind::Account => self.rounds.retry(out.now),
            AskKind::Figures => {}
            AskKind::Since => self.list_later(out.now),
            AskKind::Details { id } | AskKind::Proof { id } => self.unask(id),
            AskKind::History { from, .. } => self.history_later(from, out.now),
        }
    }

    fn on_answer(&mut self, flight: &Flight, status: u16, answer: &Answer<'_>, out: &mut Out<'_>) {
        let is_good = (200..300).contains(&status);
        if is_good {
            self.refusals = 0;
        }
        match flight.kind {
            AskKind::Place { id, .. } => {
                self.apply_all(answer, out);
                self.on_placed(id, status, answer, out);
            }
            AskKind::Replace { id, old, .. } => {
                self.apply_all(answer, out);
                self.on_placed(id, status, answer, out);
                if !is_good {
                    self.look_at(old, out.now);
                }
            }
            AskKind::Cancel { id, .. } => {
                self.apply_all(answer, out);
                self.on_cancel_answer(id, status, answer, out);
            }
            AskKind::CancelForeign { venue_id, instrument } => {
                self.apply_all(answer, out);
                if !is_good && !answer.shows(|body| matches!(body, Body::CancelRefused { .. })) {
                    self.refuse_foreign(venue_id, instrument, reason(status, answer).1, out);
                }
            }
            // Reads.
            kind if matches!(status, 401 | 403) => {
                self.on_unauthorized(status, "a question", answer.text);
                self.on_lost(&Flight { kind, ..*flight }, out);
            }
            AskKind::Details { id } if is_good || status == 404 => {
                self.on_details(id, flight.sent, status, answer, out)
            }
            AskKind::Since if status == 416 => self.on_out_of_range(out.now),
            kind if !is_good => self.on_lost(&Flight { kind, ..*flight }, out),
            AskKind::Account => self.on_account(flight, answer, out),
            AskKind::Figures => {
                if let Some(Ok(account)) = &answer.account {
                    self.tell_figures(account.equity, account.free, out);
                    self.ledger.hear(account.last_id);
                }
            }
            AskKind::Since => self.on_list(flight.sent, answer, out),
            AskKind::Proof { id } => self.on_proof(id, answer, out),
            AskKind::History { from, to } => self.on_history(from, to, answer, out),
            AskKind::Details { .. } => {}
        }
    }

    /// Applies what an answer or a list shows, oldest first.
    fn apply_all(&mut self, answer: &Answer<'_>, out: &mut Out<'_>) {
        for row in &answer.transactions {
            match row {
                Ok(transaction) => {
                    let ends = |body: &Body<'_>| matches!(body, Body::Cancelled { order_id, .. } if *order_id == transaction.id);
                    self.apply(transaction, Via::Course, answer.shows(ends), out);
                }
                Err(_) => self.refuse(),
            }
        }
        self.ledger.hear(answer.last_id);
    }

    /// The answer to an order, as far as its transactions have not settled it.
    fn on_placed(&mut self, id: ClientOrderId, status: u16, answer: &Answer<'_>, out: &mut Out<'_>) {
        let (reaction, code) = reason(status, answer);
        if reaction == Reaction::Fatal {
            self.fail(i32::from(status), "an order", answer.words());
        }
        let Some(order) = self.orders.get(id).filter(|order| order.phase == Phase::Placing) else { return };
        let instrument = order.instrument;
        if (200..300).contains(&status) || reaction == Reaction::Unknown {
            return self.doubt_place(id, out);
        }
        self.last_refusal.clear();
        self.last_refusal.push_str(answer.words());
        self.reject(id, instrument, code, 0, TsNs(0), out);
    }

    fn on_cancel_answer(&mut self, id: ClientOrderId, status: u16, answer: &Answer<'_>, out: &mut Out<'_>) {
        let Some(venue_id) = self.orders.get(id).map(|order| order.venue_id) else { return };
        let is_us = |order_id: u64, client_id: &str| {
            client_id == id.to_string() || order_id != 0 && order_id == venue_id
        };
        let (reaction, code) = reason(status, answer);
        if reaction == Reaction::Fatal {
            self.fail(i32::from(status), "a cancel", answer.words());
        }
        let is_told = answer.shows(|body| match body {
            Body::Cancelled { order_id, client_id, .. } | Body::CancelRefused { order_id, client_id, .. } => {
                is_us(*order_id, client_id)
            }
            _ => false,
        });
        if is_told {
            return;
        }
        match reaction {
            _ if (200..300).contains(&status) => self.doubt_cancel(id, out),
            Reaction::Unknown => self.doubt_cancel(id, out),
            _ => self.refuse_cancel(id, code, TsNs(0), out),
        }
    }

    fn refuse_foreign(&mut self, venue_id: u64, instrument: InstrumentId, code: i32, out: &mut Out<'_>) {
        self.counters.cancel_rejects += 1;
        self.rounds.want();
        let kind = OrderUpdateKind::CancelReject { code };
        out.order(TsNs(0), instrument, ClientOrderId::NONE, venue_id, kind);
    }

    /// An order that may have been replaced, or not.
    fn look_at(&mut self, id: ClientOrderId, now: TsNs) {
        if let Some(order) = self.orders.get(id).filter(|order| order.phase == Phase::Live) {
            order.doubt(now);
        }
    }

    fn unask(&mut self, id: ClientOrderId) {
        if let Some(order) = self.orders.get(id) {
            order.is_asked = false;
        }
    }

    /// The venue's word on an order that was in doubt when it was asked.
    fn on_details(
        &mut self,
        id: ClientOrderId,
        sent: TsNs,
        status: u16,
        answer: &Answer<'_>,
        out: &mut Out<'_>,
    ) {
        self.unask(id);
        let Some(order) = self.orders.get(id).filter(|order| order.phase == Phase::InDoubt) else { return };
        if status == 404 {
            order.answered = sent;
            let is_late = sent.since(order.sent) >= ARRIVAL;
            // The past may know it; what the process before us sent may still be under way.
            self.wants_history |= order.is_from_before;
            if is_late {
                order.absent.get_or_insert(sent);
                self.wants_list = true;
            }
            return self.prove_absent(out);
        }
        match &answer.order {
            Some(Ok(row)) if row.order.client_id.is_empty() || self.ours(row.order.client_id) == Some(id) => {
                self.on_order_row(id, sent, row, answer.last_id, out);
            }
            _ => self.counters.refused += 1,
        }
    }

    fn on_order_row(
        &mut self,
        id: ClientOrderId,
        sent: TsNs,
        row: &OrderRow<'_>,
        last_id: u64,
        out: &mut Out<'_>,
    ) {
        let units = row.order.units;
        let asked = self.asked(&row.order, units);
        // A row of what the order was before a part of it filled says nothing of what was left.
        let Some(order) = self.orders.get(id).filter(|order| row.id >= order.venue_id) else { return };
        order.answered = sent;
        order.absent = None;
        match row.state {
            OrderState::Pending => {
                let (venue_id, row, is_working, ts) = (row.id, &row.order, true, TsNs(0));
                self.on_pending(id, &Pending { venue_id, row, units, is_working, ts }, out);
            }
            OrderState::Ended(by) => {
                order.venue_id = row.id;
                order.trade = (row.order.trade_id != 0).then_some((row.order.kind, row.order.trade_id));
                order.is_immediate = row.order.is_immediate;
                if order.is_from_before {
                    (order.has_stop, order.has_target) = (row.order.has_stop, row.order.has_target);
                }
                if order.qty == Qty::ZERO {
                    order.qty = asked;
                }
                let is_told = by != 0 && self.ledger.has(by);
                if is_told && last_id != 0 && last_id <= self.ledger.applied_to() {
                    // Its fill was told, and nothing that was made of the rest.
                    return self.end_short(id, by, out);
                }
                // Not answered before the transaction is.
                order.answered = TsNs(0);
                if by == 0 || is_told {
                    order.ask_at = TsNs(out.now.0.saturating_add(REST_PAUSE));
                    self.wants_list = true;
                } else {
                    (order.proof, order.ask_at) = (by, out.now);
                }
            }
        }
    }

    /// The venue has ended an order by what we have told already: what it did not fill, it will not.
    fn end_short(&mut self, id: ClientOrderId, by: u64, out: &mut Out<'_>) {
        let Some(order) = self.orders.get(id).copied() else { return };
        self.orders.finish(id, by);
        if order.qty == Qty::ZERO || order.reported < order.qty {
            let kind = OrderUpdateKind::Expired { cum_qty: order.reported };
            out.order(TsNs(0), order.instrument, id, order.venue_id, kind);
        }
    }

    /// The transaction that ended an order.
    fn on_proof(&mut self, id: ClientOrderId, answer: &Answer<'_>, out: &mut Out<'_>) {
        self.unask(id);
        let Some(proof) = self.orders.get(id).map(|order| order.proof) else { return };
        match answer.transactions.first() {
            Some(Ok(transaction)) if transaction.id == proof => {
                self.apply(transaction, Via::Proof, false, out);
                // Where it was told before, or a part filled, the order itself is looked at again.
                if let Some(order) = self.orders.get(id).filter(|order| order.proof == proof) {
                    order.proof = 0;
                }
            }
            Some(Err(_)) => self.refuse(),
            _ => self.counters.refused += 1,
        }
    }

    /// What happened after what we had taken.
    fn on_list(&mut self, sent: TsNs, answer: &Answer<'_>, out: &mut Out<'_>) {
        self.apply_all(answer, out);
        let last_row = answer.transactions.iter().flatten().map(|row| row.id).max();
        match last_row {
            // A page, and more behind it: it is whole up to its last row.
            Some(last) if last < answer.last_id => {
                self.ledger.listed_to(last);
                self.wants_list = true;
            }
            _ if answer.last_id == 0 => self.list_later(out.now),
            _ => {
                self.ledger.listed_to(answer.last_id);
                self.listed = self.listed.max(sent);
                self.prove_absent(out);
            }
        }
    }

    /// The venue does not know the transaction that we stand at: everything is looked at anew.
    fn on_out_of_range(&mut self, now: TsNs) {
        self.ledger.forget();
        self.break_rounds(now);
        self.history = History::Unwanted;
        for order in self.orders.iter_mut() {
            order.is_from_before = true;
            if order.phase == Phase::Live {
                order.doubt(now);
            }
        }
    }

    /// A page of the past: it settles orders in doubt from before this process, and nothing else.
    fn on_history(&mut self, from: u64, to: u64, answer: &Answer<'_>, out: &mut Out<'_>) {
        for row in &answer.transactions {
            let Ok(transaction) = row else {
                self.counters.refused += 1;
                continue;
            };
            if transaction.id < from || transaction.id > to {
                continue;
            }
            let client_id = match &transaction.body {
                Body::Created(order) => order.client_id,
                Body::Filled(fill) => fill.client_id,
                Body::Cancelled { client_id, .. } => client_id,
                _ => continue,
            };
            let order = self.ours(client_id).and_then(|id| self.orders.get(id));
            if order.is_some_and(|order| order.is_from_before && order.phase == Phase::InDoubt) {
                self.on_past(transaction, out);
            }
        }
        // A page may end before it was asked to.
        let last_row = answer.transactions.iter().flatten().map(|row| row.id).max();
        let next = last_row.map_or(to, |last| last.max(from)) + 1;
        self.history = if next > self.ledger.start() { History::Done } else { History::At(next, out.now) };
        self.prove_absent(out);
    }

    fn on_past(&mut self, transaction: &Transaction<'_>, out: &mut Out<'_>) {
        let Body::Created(row) = &transaction.body else {
            return self.apply(transaction, Via::Proof, false, out);
        };
        // That it was made says nothing of now; the rest of it follows.
        if let Some(order) = self.ours(row.client_id).and_then(|id| self.orders.get(id)) {
            order.venue_id = transaction.id;
            order.qty = row.units.abs();
            order.is_immediate = row.is_immediate;
            (order.has_stop, order.has_target) = (row.has_stop, row.has_target);
        }
    }

    /// Orders that the venue does not know, and of which nothing is told by what has happened since they were sent.
    fn prove_absent(&mut self, out: &mut Out<'_>) {
        let (listed, is_searched) = (self.listed, self.history == History::Done);
        loop {
            let is_absent = |order: &&super::orders::Order| {
                let is_told = if order.is_from_before { is_searched } else { true };
                // One that was seen made is not absent, whatever the venue says now.
                let is_unseen = order.venue_id == 0 || order.is_from_before && is_searched;
                order.phase == Phase::InDoubt
                    && is_told
                    && is_unseen
                    && order.absent.is_some_and(|at| listed > at)
            };
            let Some((id, instrument)) = self.orders.iter().find(is_absent).map(|o| (o.id, o.instrument))
            else {
                return;
            };
            self.tell_not_found(id, instrument, out);
        }
    }

    fn tell_not_found(&mut self, id: ClientOrderId, instrument: InstrumentId, out: &mut Out<'_>) {
        if self.orders.get(id).is_some() {
            self.counters.not_found += 1;
            self.orders.finish(id, 0);
            out.order(TsNs(0), instrument, id, 0, OrderUpdateKind::NotFound);
        }
    }

    /// What the token may do: it could read the account, and the venue has none that could not trade it or could take
    /// money out.
    pub fn tell_key(&mut self, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.is_key_told, true) {
            let scope = KeyScope { can_trade: true, can_withdraw: false };
            out.event(TsNs(0), InstrumentId::NONE, EventBody::Key(scope));
        }
    }

    pub fn tell_figures(&mut self, equity: Money, free: Money, out: &mut Out<'_>) {
        out.event(TsNs(0), InstrumentId::NONE, EventBody::Margin(Margin { equity, free }));
    }
}

impl Answer<'_> {
    /// A readable transaction of it is like this.
    fn shows(&self, is: impl Fn(&Body<'_>) -> bool) -> bool {
        self.transactions.iter().flatten().any(|transaction| is(&transaction.body))
    }

    /// The venue's word, or its sentence.
    fn words(&self) -> &str {
        if self.code.is_empty() { self.text } else { self.code }
    }
}

/// What an answer other than 2xx asks of us, and the number told with it.
fn reason(status: u16, answer: &Answer<'_>) -> (Reaction, i32) {
    let by_status = errors::reaction_to_status(status);
    let number = match (answer.code.is_empty(), status) {
        (false, _) => errors::code(answer.code),
        (true, 400) => errors::MALFORMED,
        (true, _) => errors::HTTP + i32::from(status),
    };
    let is_word = !answer.code.is_empty() && matches!(by_status, Reaction::Refuse | Reaction::NoSuchOrder);
    (if is_word { errors::reaction(answer.code) } else { by_status }, number)
}

/// An answer that could not be read.
const EMPTY: Answer<'static> =
    Answer { transactions: Vec::new(), last_id: 0, code: "", text: "", order: None, account: None };
