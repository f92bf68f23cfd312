//! What an answer, or the lack of one, means.
//!
//! Whatever transactions an answer shows are applied first, as if the stream had brought them; only what they leave open is
//! decided by the status. A request that changes something and whose outcome nobody told is never sent again: the order is
//! in doubt, and asked about until the venue has proved what became of it.

use super::apply::Via;
use super::budget::WAIT;
use super::errors::{self, Reaction};
use super::message::{Answer, Body};
use super::orders::Phase;
use super::proofs::History;
use super::session::{AskKind, Flight, Out, Session};
use super::tape::{Scratch, decode_answer};
use smc_core::event::{EventBody, KeyScope, Margin, OrderUpdateKind};
use smc_core::words::{ClientOrderId, InstrumentId, Money, TsNs};
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
            self.refusals.forget();
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
            AskKind::Cancel { id, instrument } => {
                self.apply_all(answer, out);
                self.on_cancel_answer((id, instrument), status, answer, out);
            }
            AskKind::CancelForeign { venue_id, instrument } => {
                self.apply_all(answer, out);
                if !is_good && !answer.shows(|body| matches!(body, Body::CancelRefused { .. })) {
                    self.refuse_foreign(venue_id, instrument, reason(status, answer).1, out);
                }
            }
            // Reads.
            kind if matches!(status, 401 | 403) => {
                self.on_unauthorized(status, "a question", answer.text, out.now);
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
            self.on_unauthorized(status, "an order", answer.words(), out.now);
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

    fn on_cancel_answer(
        &mut self,
        (id, instrument): (ClientOrderId, InstrumentId),
        status: u16,
        answer: &Answer<'_>,
        out: &mut Out<'_>,
    ) {
        let Some(venue_id) = self.orders.get(id).map(|order| order.venue_id) else {
            return match reason(status, answer) {
                _ if (200..300).contains(&status) => {}
                (_, code) => self.refuse_stray_cancel((id, instrument), code, out),
            };
        };
        let is_us = |order_id: u64, client_id: &str| {
            client_id == id.to_string() || order_id != 0 && order_id == venue_id
        };
        let (reaction, code) = reason(status, answer);
        if reaction == Reaction::Fatal {
            self.on_unauthorized(status, "a cancel", answer.words(), out.now);
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

    /// What happened after what we had taken.
    fn on_list(&mut self, sent: TsNs, answer: &Answer<'_>, out: &mut Out<'_>) {
        self.apply_all(answer, out);
        if answer.transactions.iter().any(Result::is_err) {
            self.cloud();
        }
        let last_row = answer.transactions.iter().flatten().map(|row| row.id).max();
        match last_row {
            // A page, and more behind it: it is whole up to its last row.
            Some(last) if last < answer.last_id => {
                self.ledger.listed_to(last);
                (self.wants_list, self.list_at) = (true, TsNs(0));
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
    let is_mute = answer.code.is_empty() && answer.text.is_empty();
    let by_status = match errors::reaction_to_status(status) {
        // Not the venue's own words: something between us and it may have refused before or after.
        Reaction::Refuse | Reaction::NoSuchOrder if is_mute => Reaction::Unknown,
        reaction => reaction,
    };
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
