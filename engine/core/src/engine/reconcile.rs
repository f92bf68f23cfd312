//! Reconciliation: what the venue says works and is held, against what we believe.
//!
//! A gateway tells a **round**: its beginning, a row for each working order and each position, its end. What an order
//! row shows is acted on at once; what is missing from the rows, and the positions, when a complete round ends.
//!
//! * An order with an id of ours that we do not know is adopted. It serves no trade, so the bracket cancels it.
//! * An order of another hand is followed beside ours, counts in every limit, and holds its instrument at CANCEL_ONLY
//!   until a person has seen it. So does a fill that none of our orders explains: it moves the position, once.
//! * An order that a complete round does not list is unknown. The gateway asks about it, and its word decides. Only when
//!   the next complete round does not list it either, tells a position equal to ours and no fill is missing, it is over.
//! * A position that differs is a mismatch; the same one in two complete rounds holds the instrument at REDUCE_ONLY until
//!   fills explain it or a person resumes. Before the first two quiet rounds of a process, nothing of ours being in
//!   doubt, the venue is the truth instead: its position is taken over, and kept or closed as configured.
//!
//! Two quiet complete rounds in a row **settle** an instrument; until then no entry is sent. Rounds without convergence
//! end after [`ROUNDS_MAX`]: the instrument is held at REDUCE_ONLY and no more are asked for. An engine that is never
//! told a round is settled: for venues that have none, everything is as if this file were not there.
//!
//! Never sends an order and never makes up a fill. A round that tells no position of an instrument says nothing about
//! it: on a spot account, where coins have no history, no position is told at all.
//!
//! Pure; off the hot path but for [`Reconcile::level`], which every order is held to.

use super::Engine;
use crate::config::Adopt;
use crate::event::{
    Act, Command, OrderUpdate, OrderUpdateKind, ReconcileRound, RequestBudget, RiskScope, ScopeKind,
    VenueOrder, VenuePosition,
};
use crate::orders::{Fill, Listed, Order, OrderEffect};
use crate::outbox::Outbox;
use crate::output::{AlertKind, Control, Output, Purpose, StateChange, TradingState};
use crate::risk::VENUES_MAX;
use crate::state::{StateError, StateIo};
use crate::strategy::Strategy;
use crate::words::{ClientOrderId, InstrumentId, Price, Qty, TsNs};

/// Rounds that may end in a row without two quiet ones among them.
pub const ROUNDS_MAX: u8 = 5;
/// Quiet complete rounds in a row that settle an instrument, and rounds that must tell the same mismatch.
const ROUNDS_ENOUGH: u8 = 2;
/// An order of which nothing was ever heard may still arrive so long after it was sent: a venue's longest receive window
/// and its own timeout.
const ARRIVAL_NS: u64 = 70_000_000_000;
/// Ids that a power cut can have taken from the journal and left at the venue: many more than the orders of one sync
/// window. An id given out twice would let the venue answer for the wrong order.
const IDS_LOST_MAX: u64 = 4_096;
/// No account holds more of anything; what claims to is no row.
const AMOUNT_MAX: i64 = 1 << 60;
/// Sequences of ids that an engine gives out lie below; see `EngineConfig::order_sequence_first`.
const SEQUENCE_MAX: u64 = 1 << 39;

/// How far one instrument agrees with the venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reconcile {
    /// This process was told a round.
    is_told: bool,
    /// Two quiet rounds in a row were seen since the process began or the order path was last lost.
    is_settled: bool,
    /// ... since the process began: its own trading has started.
    has_begun: bool,
    /// Quiet complete rounds in a row, up to [`ROUNDS_ENOUGH`].
    quiet: u8,
    /// Rounds ended or broken off since nothing was left to find out, up to [`ROUNDS_MAX`].
    rounds: u8,
    /// They did not converge.
    is_stuck: bool,
    /// The round under way.
    round: Option<Round>,
    /// Complete rounds in a row that told the drift of now, up to one beyond [`ROUNDS_ENOUGH`]; 0 without one.
    mismatches: u8,
    /// What another hand did and no person has seen: Normal, ReduceOnly (a position) or CancelOnly (an order, a fill).
    unseen: TradingState,
    /// What is held is not all our own doing.
    is_adopted: bool,
    /// A person wants every order of the instrument gone, those of other hands too; since when they were asked last.
    wants_gone: Option<TsNs>,
}

/// One round under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
    /// The order table's number of it.
    since: u32,
    /// Something was other than we thought.
    is_noisy: bool,
    /// The venue's position, once told.
    position: Option<Held>,
}

/// A position as a row tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    qty: Qty,
    average: Price,
    /// It was ours when it was told; a fill since then is no mismatch.
    was_ours: bool,
}

impl Reconcile {
    /// What new orders of the instrument are held to.
    pub(super) fn level(&self) -> TradingState {
        if self.is_settled || !self.is_told {
            self.standing()
        } else {
            self.standing().max(TradingState::ReduceOnly)
        }
    }

    /// What working orders are held to: an entry that was let out is not taken back only because rounds begin anew.
    pub(super) fn standing(&self) -> TradingState {
        let is_reduced = self.is_stuck || self.is_mismatched();
        self.unseen.max(if is_reduced { TradingState::ReduceOnly } else { TradingState::Normal })
    }

    /// Why the level is what it is.
    pub(super) fn cause(&self) -> Control {
        match self.unseen {
            TradingState::CancelOnly => Control::UnknownOrder,
            _ if self.is_mismatched() => Control::PositionMismatch,
            _ => Control::Reconciling,
        }
    }

    /// What is held is not ours to close: nobody asked for it, and no trade is under way that it belongs to.
    pub(super) fn is_adopted(&self) -> bool {
        self.is_adopted
    }

    fn is_mismatched(&self) -> bool {
        self.mismatches >= ROUNDS_ENOUGH
    }

    fn wants_round(&self) -> bool {
        self.is_told && self.rounds < ROUNDS_MAX && (!self.is_settled || self.quiet < ROUNDS_ENOUGH)
    }

    /// Everything is to be looked at anew.
    fn begin_anew(&mut self) {
        (self.quiet, self.rounds, self.is_stuck, self.round) = (0, 0, false, None);
    }

    /// The order path was lost: what happened meanwhile is not known.
    fn on_cut(&mut self) {
        self.begin_anew();
        self.is_settled = false;
    }

    /// A new process: it may be one at whose venue no rounds are told. What no person has seen stays unseen.
    fn on_start(&mut self) {
        self.on_cut();
        (self.is_told, self.has_begun) = (false, false);
    }

    fn raise(&mut self, unseen: TradingState) {
        self.unseen = self.unseen.max(unseen);
    }

    /// Something is other than we thought. Once nothing was left to find out, rounds are wanted again.
    fn note(&mut self) {
        if self.quiet == ROUNDS_ENOUGH {
            self.rounds = 0;
        }
        self.quiet = 0;
        if let Some(round) = &mut self.round {
            round.is_noisy = true;
        }
    }

    /// A round is over. True when it was the last one and nothing has converged.
    fn end(&mut self, is_quiet: bool) -> bool {
        self.quiet = if is_quiet { (self.quiet + 1).min(ROUNDS_ENOUGH) } else { 0 };
        if self.quiet == ROUNDS_ENOUGH {
            (self.is_settled, self.has_begun, self.is_stuck, self.rounds) = (true, true, false, 0);
            return false;
        }
        self.rounds = (self.rounds + 1).min(ROUNDS_MAX);
        let is_last = self.rounds == ROUNDS_MAX;
        is_last && !core::mem::replace(&mut self.is_stuck, is_last)
    }
}

/// What the venue tells.
impl<S: Strategy> Engine<S> {
    /// Of one instrument, or of all with [`InstrumentId::NONE`].
    pub(super) fn on_round(&mut self, instrument: InstrumentId, round: &ReconcileRound, outbox: &mut Outbox) {
        let since = if round.is_end { 0 } else { self.orders.begin_round() };
        for at in 0..self.markets.len() {
            let id = InstrumentId(at as u16);
            if instrument != id && instrument != InstrumentId::NONE {
                continue;
            }
            let from = self.reconcile_level(id);
            match round.is_end {
                false => self.begin_round(at, since, round.number),
                true => self.end_round(at, round.is_complete, outbox),
            }
            self.tell_level(at, from, outbox);
            self.manage(at, outbox);
        }
    }

    fn begin_round(&mut self, at: usize, since: u32, number: u32) {
        let Some(market) = self.markets.get_mut(at) else { return };
        let state = &mut market.reconcile;
        state.is_told = true;
        if number <= 1 {
            state.on_cut();
        }
        if state.round.is_some() {
            state.end(false); // Broken off.
        }
        state.round = Some(Round { since, ..Round::default() });
    }

    fn end_round(&mut self, at: usize, is_complete: bool, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        let Some(round) = market.reconcile.round.take() else { return };
        let mut is_quiet = is_complete && !round.is_noisy;
        if is_complete {
            is_quiet &= self.compare_position(at, &round);
            is_quiet &= self.end_absent(at, &round, outbox);
            self.judge_mismatch(at, &round, outbox);
            self.loosen(at, &round);
        }
        let Some(market) = self.markets.get_mut(at) else { return };
        let id = market.id;
        if market.reconcile.end(is_quiet) {
            let control = Control::Reconciling as i64;
            self.alert(AlertKind::Control, id, ClientOrderId::NONE, control, outbox);
        }
    }

    /// Whether fills may be on their way which the position that was told already shows.
    fn loosen(&mut self, at: usize, round: &Round) {
        let id = InstrumentId(at as u16);
        if round.position.is_some() {
            let has_drifted = self.orders.drift(id) != Qty::ZERO;
            let is_loose = has_drifted || self.orders.is_in_doubt(id) || self.orders.is_awaiting(id);
            self.orders.loosen_drift(id, is_loose);
        }
    }

    /// Orders that a complete round did not list. True when there are none.
    fn end_absent(&mut self, at: usize, round: &Round, outbox: &mut Outbox) -> bool {
        let id = InstrumentId(at as u16);
        let is_equal = round.position.is_some() && self.orders.drift(id) == Qty::ZERO;
        let mut is_quiet = true;
        while let Some(order) = self.orders.next_absent(id, round.since) {
            is_quiet = false;
            if order.absent() == 1 {
                self.alert(AlertKind::OrderUnknown, id, order.client_order_id, 0, outbox);
            }
            let has_arrived = order.is_alive() || self.now.since(order.accepted_ts) >= ARRIVAL_NS;
            let is_gone = order.absent() >= ROUNDS_ENOUGH && is_equal && order.missing_qty() == Qty::ZERO;
            if is_gone
                && has_arrived
                && let Some(order) = self.orders.close_absent(order.client_order_id)
            {
                self.on_closed(&order, outbox);
            }
        }
        while let Some(order) = self.orders.next_absent_foreign(id, round.since) {
            is_quiet = false;
            if order.absent() >= ROUNDS_ENOUGH && is_equal {
                self.orders.forget_foreign(id, order.venue_order_id);
            }
        }
        is_quiet
    }

    /// The venue's position against ours. True when they are the same, or none was told.
    fn compare_position(&mut self, at: usize, round: &Round) -> bool {
        let Some(held) = round.position else { return true };
        let (id, ours) = (InstrumentId(at as u16), self.positions.qty(InstrumentId(at as u16)));
        let Some(market) = self.markets.get_mut(at) else { return true };
        let drift = if held.was_ours { Qty::ZERO } else { Qty(held.qty.0.saturating_sub(ours.0)) };
        let is_same = drift == self.orders.drift(id);
        self.orders.set_drift(id, drift);
        let state = &mut market.reconcile;
        if drift == Qty::ZERO {
            state.mismatches = 0;
            return true;
        }
        state.mismatches = if is_same { (state.mismatches + 1).min(ROUNDS_ENOUGH + 1) } else { 1 };
        false
    }

    /// What follows from a mismatch that was told often enough. Runs after absent orders are known to be in doubt.
    fn judge_mismatch(&mut self, at: usize, round: &Round, outbox: &mut Outbox) {
        let Some(market) = self.markets.get(at) else { return };
        let (id, state) = (market.id, &market.reconcile);
        let Some(held) = round.position.filter(|_| state.is_mismatched()) else { return };
        // Fills that are still awaited when the rounds are over are part of what the venue holds.
        let is_last = state.rounds + 1 >= ROUNDS_MAX;
        let is_explained = self.orders.is_in_doubt(id) || !is_last && self.orders.is_awaiting(id);
        if !state.has_begun && !is_explained {
            self.adopt_position(at, &held, outbox);
        } else if state.mismatches == ROUNDS_ENOUGH {
            self.alert(AlertKind::PositionMismatch, id, ClientOrderId::NONE, held.qty.0, outbox);
        }
    }

    /// The venue is the truth: its position is ours from now on, at its price, or what it is worth now.
    fn adopt_position(&mut self, at: usize, held: &Held, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        let (id, mark) = (market.id, market.book.mark());
        let added = held.qty.0.saturating_sub(self.positions.qty(id).0);
        let average = if held.average > Price::ZERO { held.average } else { mark };
        if let Some(position) = self.positions.adopt(id, &VenuePosition { qty: held.qty, average }) {
            outbox.push(Output::Position(position));
        }
        self.orders.set_drift(id, Qty::ZERO);
        self.orders.settle_fills(id);
        let state = &mut market.reconcile;
        (state.mismatches, state.is_adopted) = (0, held.qty != Qty::ZERO);
        state.raise(TradingState::ReduceOnly);
        if self.config.execution.adopt == Adopt::Flatten && held.qty != Qty::ZERO {
            market.bracket.leave(Purpose::Flatten);
        }
        self.alert(AlertKind::Adopted, id, ClientOrderId::NONE, added, outbox);
    }

    /// An order that works at the venue.
    pub(super) fn on_venue_order(&mut self, instrument: InstrumentId, row: &VenueOrder, outbox: &mut Outbox) {
        let at = instrument.index();
        let from = self.reconcile_level(instrument);
        let (is_ours, now) = (self.is_ours(row.client_order_id), self.now);
        let Some(market) = self.markets.get_mut(at) else { return };
        let since = market.reconcile.round.map_or(u32::MAX, |round| round.since);
        let listed = match is_ours {
            _ if !is_order(row, is_ours) => Listed::Contradicted,
            true => self.orders.on_listed(instrument, row, since, now),
            false => self.orders.on_foreign_listed(instrument, row, now),
        };
        if listed != Listed::Known {
            market.reconcile.note();
        }
        if matches!(listed, Listed::Adopted(_) | Listed::NoRoom) {
            if !is_ours || listed == Listed::NoRoom {
                market.reconcile.raise(TradingState::CancelOnly);
            }
            let leaves = row.qty.0.saturating_sub(row.filled_qty.0).saturating_mul(row.side.sign());
            let id = if is_ours { row.client_order_id } else { ClientOrderId::NONE };
            self.pass_over(id);
            self.alert(AlertKind::Adopted, instrument, id, leaves, outbox);
        }
        self.tell_level(at, from, outbox);
        self.manage(at, outbox);
    }

    /// What the venue says is held; of a round alone, and once in it.
    pub(super) fn on_venue_position(&mut self, instrument: InstrumentId, row: &VenuePosition) {
        let ours = self.positions.qty(instrument);
        let Some(market) = self.markets.get_mut(instrument.index()) else { return };
        let Some(round) = &mut market.reconcile.round else { return };
        if row.qty.abs().0 > AMOUNT_MAX || !(0..=AMOUNT_MAX).contains(&row.average.0) {
            round.is_noisy = true;
            return;
        }
        round.position = Some(Held { qty: row.qty, average: row.average, was_ours: row.qty == ours });
    }

    /// A report about an order that is not in the table of ours: of another hand, or of one we have lost.
    pub(super) fn on_unknown_order(
        &mut self,
        instrument: InstrumentId,
        update: &OrderUpdate,
        outbox: &mut Outbox,
    ) {
        let at = instrument.index();
        let from = self.reconcile_level(instrument);
        let id = update.client_order_id;
        let known_as = if self.is_ours(id) { id } else { ClientOrderId::NONE };
        let update = OrderUpdate { client_order_id: known_as, ..*update };
        let followed = match known_as {
            ClientOrderId::NONE => self.orders.on_foreign(instrument, &update),
            _ => None,
        };
        let is_followed = followed.is_some();
        let effect = followed.unwrap_or_else(|| match update.kind {
            OrderUpdateKind::Fill { price, qty, .. } if price.0.max(qty.0) <= AMOUNT_MAX => {
                self.orders.adopt_fill(instrument, &update)
            }
            _ => OrderEffect::UnknownOrder,
        });
        if let OrderEffect::Filled(fill) = effect {
            self.pass_over(known_as);
            self.on_strange_fill(at, &fill, is_followed, outbox);
        }
        let Some(market) = self.markets.get_mut(at) else { return };
        match effect {
            OrderEffect::Filled(_) if is_followed => {
                self.alert(AlertKind::Adopted, instrument, id, filled_qty(&update), outbox);
            }
            OrderEffect::Filled(_) | OrderEffect::UnknownOrder => {
                market.reconcile.note();
                self.counters.orders_unknown += 1;
                let detail = filled_qty(&update).saturating_abs();
                self.alert(AlertKind::UnknownOrder, instrument, id, detail, outbox);
            }
            OrderEffect::CancelRejected(..) => market.reconcile.note(),
            _ => {}
        }
        self.tell_level(at, from, outbox);
    }

    /// Counts a fill that is not our own doing. Whose order a person has seen, whose fills too.
    fn on_strange_fill(&mut self, at: usize, fill: &Fill, is_followed: bool, outbox: &mut Outbox) {
        if let Some(market) = self.markets.get_mut(at) {
            market.reconcile.is_adopted = true;
            if !is_followed {
                market.reconcile.raise(TradingState::CancelOnly);
            }
        }
        self.on_fill(fill, outbox);
    }

    /// Nothing may be asked before a time: until then, nothing but cancels is sent. A later word makes a ban longer and
    /// never shorter, for a new process does not know what the last one was told.
    pub(super) fn on_budget(&mut self, venue: u8, budget: &RequestBudget, outbox: &mut Outbox) {
        let was_banned = self.is_banned(venue);
        let at = usize::from(venue);
        let Some((facts, until)) = self.guard.venues.get_mut(at).zip(self.banned_until.get_mut(at)) else {
            return;
        };
        facts.budget = Some(*budget);
        *until = (*until).max(budget.banned_until);
        if self.is_banned(venue) && !was_banned {
            self.tell_ban(venue, TradingState::Normal, TradingState::CancelOnly, outbox);
            self.manage_all(outbox);
        }
    }

    /// Time passed.
    pub(super) fn reconcile_on_timer(&mut self, outbox: &mut Outbox) {
        for venue in 0..VENUES_MAX {
            match self.banned_until.get_mut(venue) {
                Some(until) if TsNs(0) < *until && *until <= self.now => *until = TsNs(0),
                _ => continue,
            }
            self.tell_ban(venue as u8, TradingState::CancelOnly, TradingState::Normal, outbox);
        }
        for at in 0..self.markets.len() {
            let Some(market) = self.markets.get(at) else { return };
            let retry_ns = self.config.execution.retry_ns;
            if market.reconcile.wants_gone.is_some_and(|asked| self.now.since(asked) >= retry_ns) {
                self.cancel_foreign(at, outbox);
            }
        }
    }

    /// The order path of a venue is gone, and with it what the last rounds showed.
    pub(super) fn reconcile_on_cut(&mut self, venue: u8) {
        let config = &self.config;
        self.markets
            .iter_mut()
            .filter(|market| market.reconcile.is_told && config.venue_of(market.id) == venue)
            .for_each(|market| market.reconcile.on_cut());
    }

    /// What a person's act means for what other hands did: `Resume` has seen it, and looks anew; a kill or flatten
    /// takes their orders away too, and a flatten may close what is held.
    pub(super) fn reconcile_on_act(&mut self, act: &Act, outbox: &mut Outbox) {
        if act.command == Command::Start {
            self.skip_ids(IDS_LOST_MAX);
        }
        for at in 0..self.markets.len() {
            let id = InstrumentId(at as u16);
            if !covers(act.scope, id, self.config.venue_of(id)) {
                continue;
            }
            let from = self.reconcile_level(id);
            let Some(market) = self.markets.get_mut(at) else { return };
            let state = &mut market.reconcile;
            match act.command {
                Command::Start => state.on_start(),
                Command::Resume => {
                    state.begin_anew();
                    (state.unseen, state.mismatches, state.wants_gone) = (TradingState::Normal, 0, None);
                    self.orders.forget_absent_foreign(id);
                }
                Command::Arm => state.wants_gone = None,
                Command::Kill => self.cancel_foreign(at, outbox),
                Command::Flatten | Command::KillFlatten => {
                    state.unseen = state.unseen.min(TradingState::ReduceOnly);
                    self.cancel_foreign(at, outbox);
                }
                Command::Pause
                | Command::Shutdown
                | Command::SetLimit
                | Command::ResetLoss
                | Command::Connect
                | Command::Disconnect
                | Command::Rotate
                | Command::Snapshot
                | Command::LogLevel
                | Command::Acknowledge => {}
            }
            self.tell_level(at, from, outbox);
        }
    }

    /// Asks for the cancel of every order of the instrument that another hand made, and again until they are gone.
    fn cancel_foreign(&mut self, at: usize, outbox: &mut Outbox) {
        let Some(market) = self.markets.get_mut(at) else { return };
        market.reconcile.wants_gone = Some(self.now);
        let mut nth = 0;
        while let Some(cancel) = self.orders.cancel_foreign(market.id, nth) {
            nth += 1;
            self.counters.cancels += 1;
            outbox.push(Output::Cancel(cancel));
        }
    }

    /// Our position moved. Whether that explains what the venue holds, or is new to both, only another look can tell.
    pub(super) fn reconcile_on_fill(&mut self, at: usize, before: Qty) {
        let Some(market) = self.markets.get_mut(at) else { return };
        let moved = self.positions.qty(market.id).0.saturating_sub(before.0);
        self.orders.on_moved(market.id, Qty(moved));
        let (qty, drift) = (self.positions.qty(market.id), self.orders.drift(market.id));
        market.reconcile.is_adopted &= qty != Qty::ZERO;
        if drift != Qty::ZERO {
            market.reconcile.note();
            market.reconcile.rounds = 0;
        }
    }

    /// Ids that were given out before and forgotten are not given out again.
    fn pass_over(&mut self, id: ClientOrderId) {
        let next = id.sequence() + 1;
        if id != ClientOrderId::NONE && next > self.order_sequence {
            self.skip_ids(next - self.order_sequence);
        }
    }

    fn skip_ids(&mut self, count: u64) {
        self.passed_over = self.passed_over.saturating_add(count);
        self.order_sequence = self.order_sequence.saturating_add(count);
    }

    /// An id that this engine can have given out.
    fn is_ours(&self, id: ClientOrderId) -> bool {
        id.instance() == self.config.instance && (1..SEQUENCE_MAX).contains(&id.sequence())
    }

    fn tell_level(&mut self, at: usize, from: TradingState, outbox: &mut Outbox) {
        let id = InstrumentId(at as u16);
        let to = self.reconcile_level(id);
        let Some(market) = self.markets.get(at) else { return };
        // Whatever else holds the instrument down goes on doing so.
        let scope = RiskScope::instrument(id);
        let also = self.guard.scopes.state(scope);
        let (from, to) = (from.max(also), to.max(also));
        if to != from {
            let cause = market.reconcile.cause();
            outbox.push(Output::State(StateChange { scope, from, to, cause, command: None }));
        }
    }

    fn tell_ban(&mut self, venue: u8, from: TradingState, to: TradingState, outbox: &mut Outbox) {
        let (scope, cause) = (RiskScope::venue(venue), Control::Venue);
        let also = self.guard.scopes.state(scope);
        let (from, to) = (from.max(also), to.max(also));
        if from == to {
            return;
        }
        outbox.push(Output::State(StateChange { scope, from, to, cause, command: None }));
    }
}

/// Read-only views.
impl<S> Engine<S> {
    /// What reconciliation lets new orders of the instrument do.
    pub fn reconcile_level(&self, instrument: InstrumentId) -> TradingState {
        self.markets.get(instrument.index()).map_or(TradingState::Normal, |market| market.reconcile.level())
    }

    /// Another round of reconciliation is wanted: something is in doubt, and not all rounds have been told. Whoever
    /// runs the venue asks it, a second after the last.
    pub fn wants_round(&self) -> bool {
        self.markets.iter().any(|market| market.reconcile.wants_round())
    }

    /// The same of one venue.
    pub fn wants_round_at(&self, venue: u8) -> bool {
        let here = self.markets.iter().filter(|market| self.config.venue_of(market.id) == venue);
        here.into_iter().any(|market| market.reconcile.wants_round())
    }

    /// What is held of the instrument is not all this engine's doing.
    pub fn is_adopted(&self, instrument: InstrumentId) -> bool {
        self.markets.get(instrument.index()).is_some_and(|market| market.reconcile.is_adopted())
    }

    /// Open orders that other hands made on the account.
    pub fn foreign_orders(&self, instrument: InstrumentId) -> impl Iterator<Item = &Order> {
        self.orders.foreign(instrument)
    }

    /// What the open orders of an instrument hold, of whatever hand, and what the venue holds beyond our position.
    pub fn reserved(&self, instrument: InstrumentId) -> crate::orders::Reserved {
        self.orders.reserved(instrument)
    }

    /// The venue asked us to be silent; until the end of it nothing but cancels is sent.
    pub(super) fn is_banned(&self, venue: u8) -> bool {
        self.banned_until.get(usize::from(venue)).is_some_and(|&until| self.now < until)
    }

    /// What reconciliation and bans let working orders of the instrument do.
    pub(super) fn standing(&self, at: usize) -> TradingState {
        let venue = self.config.venue_of(InstrumentId(at as u16));
        let ban = if self.is_banned(venue) { TradingState::CancelOnly } else { TradingState::Normal };
        self.markets.get(at).map_or(ban, |market| market.reconcile.standing().max(ban))
    }
}

fn covers(scope: RiskScope, instrument: InstrumentId, venue: u8) -> bool {
    match scope.kind {
        ScopeKind::Engine => true,
        ScopeKind::Venue => scope == RiskScope::venue(venue),
        ScopeKind::Instrument => scope == RiskScope::instrument(instrument),
        ScopeKind::Strategy => false,
    }
}

/// Signed quantity of a fill; 0 of any other report.
fn filled_qty(update: &OrderUpdate) -> i64 {
    match update.kind {
        OrderUpdateKind::Fill { side, qty, .. } => qty.0.saturating_mul(side.sign()),
        _ => 0,
    }
}

/// Its amounts can be those of a working order, and it can be found again.
fn is_order(row: &VenueOrder, is_ours: bool) -> bool {
    let is_amount = |amount: i64| (0..=AMOUNT_MAX).contains(&amount);
    let is_named = row.venue_order_id != 0 || is_ours;
    let are_prices = is_amount(row.price.0) && is_amount(row.stop_price.0);
    let are_amounts = is_amount(row.qty.0) && is_amount(row.filled_qty.0);
    is_named && are_prices && are_amounts && row.qty > Qty::ZERO && row.filled_qty <= row.qty
}

impl Reconcile {
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, rounds_begun: u32) -> Result<(), StateError> {
        let Self {
            is_told,
            is_settled,
            has_begun,
            quiet,
            rounds,
            is_stuck,
            round,
            mismatches,
            unseen,
            is_adopted,
            wants_gone,
        } = self;
        for flag in [is_told, is_settled, has_begun, is_stuck, is_adopted] {
            io.flag(flag)?;
        }
        for (count, max) in [(quiet, ROUNDS_ENOUGH), (rounds, ROUNDS_MAX), (mismatches, ROUNDS_ENOUGH + 1)] {
            io.number(count)?;
            io.sound(*count <= max)?;
        }
        io.option(round, Round::default, |io, round| round.state(io, rounds_begun))?;
        io.choice(unseen, &[TradingState::Normal, TradingState::ReduceOnly, TradingState::CancelOnly])?;
        io.option(wants_gone, || TsNs(0), |io, asked| io.number(asked))
    }
}

impl Round {
    fn state(&mut self, io: &mut StateIo<'_>, rounds_begun: u32) -> Result<(), StateError> {
        let Self { since, is_noisy, position } = self;
        io.number(since)?;
        io.sound(*since <= rounds_begun)?;
        io.flag(is_noisy)?;
        io.option(position, Held::default, |io, held| {
            let Held { qty, average, was_ours } = held;
            io.number(qty)?;
            io.number(average)?;
            io.sound(qty.abs().0 <= AMOUNT_MAX && (0..=AMOUNT_MAX).contains(&average.0))?;
            io.flag(was_ours)
        })
    }
}
