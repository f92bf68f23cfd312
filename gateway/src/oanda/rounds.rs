//! Rounds of reconciliation: everything of ours that the venue has, told to the core at once.
//!
//! ```text
//! account ─► all it shows was taken ─► orders in doubt answered ─► begin, figures, orders, positions, end
//!    ▲                                        │
//!    └── something has happened since ◄───────┘
//! ```
//!
//! One answer shows orders and positions as of one transaction. It is told when everything up to that transaction has been
//! told and nothing beyond it, so that a position never differs from what the core has heard for another reason than that
//! something is wrong. The order path is ready once a round has been told since the stream stands. Cold.

use super::apply::{Pending, venue_order};
use super::message::{Account, Answer, OrderState, Refusal};
use super::orders::{OpenTrade, Order, Phase};
use super::session::{AskKind, Flight, Out, RestWire, SECOND, Session};
use smc_core::event::{Balance, EventBody, ReconcileRound, VenueOrder, VenuePosition};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Price, Qty, TsNs};

/// An account that could not be had is asked for again after this pause.
const RETRY_PAUSE: u64 = SECOND;
/// A round is begun at least so often.
const ROUND_EVERY: u64 = 60 * SECOND;
/// Between the ends of two rounds that are asked for.
const ROUND_PAUSE: u64 = SECOND / 2;
/// Doubts may keep a round from being told for so long.
const DOUBTS_MAX: u64 = 10 * SECOND;
/// What it shows must have been taken within this time, or it is asked for anew.
const HELD_MAX: u64 = 20 * SECOND;

/// What the account showed.
struct Shown {
    last_id: u64,
    /// When it came.
    since: TsNs,
    balance: Balance,
    equity: Money,
    free: Money,
    orders: Vec<(InstrumentId, VenueOrder)>,
    held: Vec<(InstrumentId, Qty, Price)>,
    /// Every row could be read.
    is_whole: bool,
    /// Our orders were compared with the list.
    is_matched: bool,
}

/// What runs the rounds.
pub(super) struct Rounds {
    shown: Option<Shown>,
    /// The next account is asked for, whenever it may be.
    is_wanted: bool,
    next_at: TsNs,
    /// Of the round told last, since the stream stands.
    number: u32,
    is_settled: bool,
    /// When one was last told.
    told_at: TsNs,
}

impl Rounds {
    pub const fn new() -> Self {
        Self {
            shown: None,
            is_wanted: true,
            next_at: TsNs(0),
            number: 0,
            is_settled: false,
            told_at: TsNs(0),
        }
    }

    /// A whole round was told since the stream stands.
    pub const fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Somebody wants to know anew.
    pub const fn want(&mut self) {
        self.is_wanted = true;
    }

    /// The account could not be had.
    pub fn retry(&mut self, now: TsNs) {
        self.is_wanted = true;
        self.next_at = TsNs(now.0.saturating_add(RETRY_PAUSE));
    }
}

impl Session {
    /// The venue is asked for everything anew, as soon as it can be.
    pub fn want_round(&mut self) {
        self.rounds.want();
    }

    /// What was told may be no more.
    pub fn break_rounds(&mut self, now: TsNs) {
        self.rounds = Rounds { next_at: now, ..Rounds::new() };
        self.flights.iter_mut().for_each(|flight| {
            // One that was asked before shows what was before.
            if flight.kind == AskKind::Account {
                flight.kind = AskKind::Figures;
            }
        });
    }

    /// Asks for the account when it is time, and tells what it shows when it may be told.
    pub fn drive_rounds(&mut self, out: &mut Out<'_>, wire: &mut RestWire<'_>) {
        self.settle_round(out);
        let now = out.now;
        let is_busy = self.rounds.shown.is_some() || self.is_asking(|kind| kind == AskKind::Account);
        if !self.link.is_open || is_busy || now < self.rounds.next_at {
            return;
        }
        let is_old = self.rounds.is_settled && now.since(self.rounds.told_at) >= ROUND_EVERY;
        if (self.rounds.is_wanted || !self.rounds.is_settled || is_old)
            && self.ask(AskKind::Account, self.encoder.account(), now, wire)
        {
            self.rounds.is_wanted = false;
        }
    }

    /// The account came.
    pub fn on_account(&mut self, flight: &Flight, answer: &Answer<'_>, out: &mut Out<'_>) {
        let account = match &answer.account {
            Some(Ok(account)) => account,
            Some(Err(_)) | None => {
                self.counters.refused += 1;
                return self.rounds.retry(out.now);
            }
        };
        if account.is_hedging {
            let text = "the account holds both sides of an instrument at once: switch hedging off";
            return self.fail(0, "the account's mode", text);
        }
        self.currency = account.currency;
        self.ledger.begin(account.last_id);
        self.ledger.hear(account.last_id);
        self.wants_list |= account.last_id > self.ledger.applied_to();
        self.tell_key(out);
        if account.last_id >= self.ledger.applied_to() {
            self.note_trades(account);
        }
        let shown = self.shown(account, out.now);
        self.rounds.shown = Some(shown);
        self.match_listed(account, flight.sent, out);
        self.settle_round(out);
    }

    fn note_trades(&mut self, account: &Account<'_>) {
        for trade in account.trades.iter().flatten() {
            if let Some(instrument) = self.encoder.instrument_of(trade.instrument) {
                let (id, units, opened_by) = (trade.id, trade.units, ClientOrderId::NONE);
                self.orders.note_trade(OpenTrade { id, instrument, units, opened_by, entry_qty: Qty::ZERO });
            }
        }
        let is_open =
            |id: u64| id > account.last_id || account.trades.iter().flatten().any(|trade| trade.id == id);
        if account.trades.iter().all(Result::is_ok) {
            self.orders.keep_trades(is_open);
        }
    }

    fn shown(&mut self, account: &Account<'_>, now: TsNs) -> Shown {
        let mut is_whole = true;
        let mut fault = |_: &Refusal| is_whole = false;
        let mut orders = Vec::new();
        for row in &account.orders {
            let row = match row {
                Ok(row) if row.state == OrderState::Pending => row,
                Ok(_) => continue,
                Err(refusal) => {
                    fault(refusal);
                    continue;
                }
            };
            let trade = self.orders.trade(row.order.trade_id);
            let (instrument, units) = match row.order.kind.is_of_trade() {
                true => (
                    trade.map(|t| t.instrument),
                    trade.map_or(Qty::ZERO, |t| Qty(t.units.0.saturating_neg())),
                ),
                false => (self.encoder.instrument_of(row.order.instrument), row.order.units),
            };
            let Some(instrument) = instrument.filter(|_| units != Qty::ZERO) else { continue };
            let id = self.ours(row.order.client_id).unwrap_or(ClientOrderId::NONE);
            orders.push((instrument, venue_order(id, row.id, &row.order, units)));
        }
        let mut held: Vec<_> = self.encoder.instruments().map(|id| (id, Qty::ZERO, Price::ZERO)).collect();
        for row in &account.positions {
            match row {
                Ok(row) => {
                    let id = self.encoder.instrument_of(row.instrument);
                    if let Some(slot) = held.iter_mut().find(|slot| Some(slot.0) == id) {
                        (slot.1, slot.2) = (row.units, row.average);
                    }
                }
                Err(refusal) => fault(refusal),
            }
        }
        let total = account.balance.0.max(0);
        let free = Qty(account.free.0.clamp(0, total));
        Shown {
            last_id: account.last_id,
            since: now,
            balance: Balance { asset: account.currency, free, locked: Qty(total - free.0) },
            equity: account.equity,
            free: account.free,
            orders,
            held,
            is_whole,
            is_matched: false,
        }
    }

    /// Orders of ours that the account lists work, if nothing was taken that it does not show.
    fn match_listed(&mut self, account: &Account<'_>, sent: TsNs, out: &mut Out<'_>) {
        if self.ledger.newest() > account.last_id {
            return;
        }
        for row in account.orders.iter().flatten().filter(|row| row.state == OrderState::Pending) {
            let Some(id) = self.ours(row.order.client_id) else { continue };
            let done = self.orders.done(id);
            let is_over = done.is_some_and(|done| done.by > row.id);
            let trade = self.orders.trade(row.order.trade_id);
            let instrument = match row.order.kind.is_of_trade() {
                true => trade.map(|trade| trade.instrument),
                false => self.encoder.instrument_of(row.order.instrument),
            };
            let Some(instrument) = instrument.filter(|_| !is_over) else { continue };
            if self.orders.get(id).is_none() {
                // Sent by a process of this instance before us, or the next part of one that ended; the row of the round
                // tells of it.
                let order = Order::new(id, instrument, out.now, Phase::Live);
                let order = Order { is_acked: true, is_from_before: done.is_none(), ..order };
                self.orders.insert(order.after(done));
            }
            let is_caught_up = !self.ledger.is_resuming();
            if let Some(order) = self.orders.get(id) {
                if is_caught_up && std::mem::take(&mut order.is_closed) {
                    // It works, whatever the engine was told.
                    order.is_acked = false;
                }
                order.answered = sent;
                let (venue_id, row, is_working, ts) = (row.id, &row.order, true, TsNs(0));
                self.on_pending(id, &Pending { venue_id, row, units: row.units, is_working, ts }, out);
            }
        }
    }

    /// What we thought was working and is not in the list is in doubt.
    fn doubt_absent(&mut self, now: TsNs) {
        let Some(shown) = &self.rounds.shown else { return };
        for order in self.orders.iter_mut() {
            let is_listed = shown.orders.iter().any(|(_, row)| row.client_order_id == order.id);
            if order.phase == Phase::Live && !is_listed && order.venue_id <= shown.last_id {
                order.doubt(now);
            }
        }
    }

    /// Tells the round if it may be told now.
    pub fn settle_round(&mut self, out: &mut Out<'_>) {
        let now = out.now;
        let Some(shown) = &self.rounds.shown else { return };
        let (last_id, since) = (shown.last_id, shown.since);
        if self.ledger.newest() > last_id || now.since(since) >= HELD_MAX || !self.ledger.is_known() {
            // Older than what was told meanwhile.
            self.rounds.shown = None;
            self.rounds.is_wanted = true;
            return;
        }
        // Orders under way may be done at the venue and not be shown: their answers come first.
        let is_placing = self.orders.iter().any(|order| order.phase == Phase::Placing);
        if self.ledger.applied_to() < last_id || is_placing || self.fatal.is_some() {
            return;
        }
        if !self.rounds.shown.as_mut().is_some_and(|shown| std::mem::replace(&mut shown.is_matched, true)) {
            self.doubt_absent(now);
        }
        let is_open = |order: &Order| order.phase == Phase::InDoubt && order.answered < since;
        if self.orders.iter().any(is_open) && now.since(since) < DOUBTS_MAX {
            return;
        }
        if let Some(shown) = self.rounds.shown.take() {
            self.tell_round(&shown, out);
        }
    }

    fn tell_round(&mut self, shown: &Shown, out: &mut Out<'_>) {
        self.rounds.number = self.rounds.number.saturating_add(1);
        let (number, is_complete) = (self.rounds.number, shown.is_whole);
        let mut tell = |instrument, body| out.event(TsNs(0), instrument, body);
        let begin = ReconcileRound { number, is_end: false, is_complete: true };
        tell(InstrumentId::NONE, EventBody::Round(begin));
        tell(InstrumentId::NONE, EventBody::Balance(shown.balance));
        for &(instrument, row) in &shown.orders {
            if row.client_order_id == ClientOrderId::NONE {
                self.orders.note_foreign(row.venue_order_id, instrument);
                self.counters.foreign += 1;
            }
            tell(instrument, EventBody::VenueOrder(row));
        }
        for &(instrument, qty, average) in &shown.held {
            tell(instrument, EventBody::VenuePosition(VenuePosition { qty, average }));
        }
        tell(InstrumentId::NONE, EventBody::Round(ReconcileRound { number, is_end: true, is_complete }));
        self.tell_figures(shown.equity, shown.free, out);
        self.tell_sequence(true, out);
        let pause = if is_complete { ROUND_PAUSE } else { RETRY_PAUSE };
        self.rounds.next_at = TsNs(out.now.0.saturating_add(pause));
        self.rounds.told_at = out.now;
        self.rounds.is_settled |= is_complete;
        self.rounds.is_wanted |= !is_complete;
    }
}
