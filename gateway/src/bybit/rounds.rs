//! Rounds of reconciliation: everything of ours that the venue has, told to the core row by row.
//!
//! ```text
//! since ─► (begin) ─► wallet ─► open orders ─► doubts answered ─► positions ─► (end)
//! fills that were missed        pages          by queries         pages; none on spot
//! ```
//!
//! Missed fills come first and doubts are answered before positions are told, so that a position never shows what the
//! core has not heard of for another reason than the time between two requests. The order path is ready once a round has
//! been told whole since both sockets stand. Cold.

use super::message::{OrderRow, PositionRow, Status};
use super::orders::{Order, Phase};
use super::rest;
use super::session::{ASKS_MAX, AskKind, Known, MS, Out, RestWire, SECOND, Session};
use super::settings::{Category, GatewayInstrument};
use super::tape::{List, Reply};
use smc_core::event::{EventBody, ReconcileRound, VenueOrder, VenuePosition};
use smc_core::output::OrderKind;
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, TsNs};

/// A round that could not be told whole is begun anew after this pause.
const RETRY_PAUSE: u64 = SECOND;
/// A round is begun at least so often.
const ROUND_EVERY: u64 = 60 * SECOND;
/// Between the ends of two rounds that are asked for.
const ROUND_PAUSE: u64 = SECOND / 2;
/// Doubts may keep a round from going on for so long.
const DOUBTS_MAX: u64 = 10 * SECOND;
/// How much earlier than the last round's beginning missed fills are looked for.
const SINCE_MARGIN_MS: u64 = 60_000;
/// Pages of one list; more is no account of ours.
const PAGES_MAX: u32 = 64;

/// Where the present round stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Executions that were missed.
    Since,
    Wallet,
    /// Open orders of the settlement coin at this place.
    Orders(usize),
    /// Waits for the answers about orders in doubt.
    Doubts(TsNs),
    /// Positions of the settlement coin at this place.
    Positions(usize),
}

/// A round under way.
#[derive(Debug)]
struct Round {
    stage: Stage,
    cursor: String,
    pages: u32,
    is_asked: bool,
    /// When the list of orders was asked for.
    listed_at: TsNs,
}

/// What runs the rounds.
pub(super) struct Rounds {
    /// Coins that contracts are settled in; none on spot.
    settle: Vec<Name>,
    /// What is held of each instrument, as far as this round has told.
    held: Vec<(InstrumentId, Qty, Price)>,
    now: Option<Round>,
    /// Of the round begun last, since both sockets stand; the beginning of a new series is 0.
    number: u32,
    /// Number of the present look at open orders, over all series.
    pub look: u64,
    /// A whole round was told since both sockets stand.
    is_settled: bool,
    next_at: TsNs,
    is_wanted: bool,
    /// Executions are looked for from here on; 0 before the venue's time is known.
    since_ms: u64,
}

impl Rounds {
    pub fn new(settle: Vec<Name>, instruments: &[GatewayInstrument]) -> Self {
        Self {
            settle,
            held: instruments.iter().map(|i| (i.id, Qty::ZERO, Price::ZERO)).collect(),
            now: None,
            number: 0,
            look: 0,
            is_settled: false,
            next_at: TsNs(0),
            is_wanted: false,
            since_ms: 0,
        }
    }

    /// A whole round was told since both sockets stand.
    pub const fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Somebody wants to know anew.
    pub const fn want(&mut self) {
        self.is_wanted = true;
    }
}

impl Session {
    /// The venue is asked for everything anew, as soon as it can be.
    pub fn want_round(&mut self) {
        self.rounds.want();
    }

    /// A socket is gone: what was told may be no more.
    pub fn break_rounds(&mut self, out: &mut Out<'_>) {
        self.end_round(false, out);
        self.rounds.number = 0;
        self.rounds.is_settled = false;
        self.rounds.next_at = out.now;
    }

    /// Begins, goes on with and ends the present round.
    pub fn drive_rounds(&mut self, out: &mut Out<'_>, wire: &mut RestWire<'_>) {
        let now = out.now;
        if !self.are_links_on() {
            return;
        }
        if self.rounds.now.is_none() {
            let is_wanted = self.rounds.is_wanted || !self.rounds.is_settled;
            let is_due = now >= self.rounds.next_at && is_wanted
                || self.rounds.is_settled && now.since(self.rounds.next_at) >= ROUND_EVERY;
            if !is_due {
                return;
            }
            self.begin_round(out);
        }
        let is_resolved = self.are_doubts_answered();
        let Some(round) = &mut self.rounds.now else { return };
        if let Stage::Doubts(since) = round.stage
            && (is_resolved || now.since(since) >= DOUBTS_MAX)
        {
            round.stage = Stage::Positions(0);
            self.skip_done_stages(out);
        }
        self.ask_page(now, wire);
    }

    fn begin_round(&mut self, out: &mut Out<'_>) {
        if self.rounds.since_ms == 0 {
            self.rounds.since_ms = self.venue_ms(out.now);
        }
        // Fills can only have been missed while a socket was down.
        let stage = if self.rounds.number == 0 { Stage::Since } else { Stage::Wallet };
        self.rounds.is_wanted = false;
        self.rounds.now =
            Some(Round { stage, cursor: String::new(), pages: 0, is_asked: false, listed_at: out.now });
        if stage == Stage::Wallet {
            self.tell_begin(out);
        }
    }

    fn tell_begin(&mut self, out: &mut Out<'_>) {
        self.rounds.number = self.rounds.number.saturating_add(1);
        for held in &mut self.rounds.held {
            (held.1, held.2) = (Qty::ZERO, Price::ZERO);
        }
        let round = ReconcileRound { number: self.rounds.number, is_end: false, is_complete: true };
        out.event(None, InstrumentId::NONE, EventBody::Round(round));
    }

    fn end_round(&mut self, is_complete: bool, out: &mut Out<'_>) {
        let Some(round) = self.rounds.now.take() else { return };
        let pause = if is_complete { ROUND_PAUSE } else { RETRY_PAUSE };
        self.rounds.next_at = TsNs(out.now.0.saturating_add(pause));
        self.rounds.is_settled |= is_complete;
        self.rounds.is_wanted |= !is_complete;
        // Before its beginning was told there is nothing to end.
        if round.stage != Stage::Since {
            let round = ReconcileRound { number: self.rounds.number, is_end: true, is_complete };
            out.event(None, InstrumentId::NONE, EventBody::Round(round));
        }
    }

    fn ask_page(&mut self, now: TsNs, wire: &mut RestWire<'_>) {
        let Some(round) = self.rounds.now.as_ref().filter(|round| !round.is_asked) else { return };
        let cursor = round.cursor.as_str();
        let settle = |at: usize| self.rounds.settle.get(at).copied();
        let ask = match round.stage {
            Stage::Since => self.rest.fills_since(self.rounds.since_ms, cursor),
            Stage::Wallet => rest::wallet(),
            Stage::Orders(at) => self.rest.open_orders(settle(at), cursor),
            Stage::Positions(at) => self.rest.positions(settle(at).unwrap_or_default(), cursor),
            Stage::Doubts(_) => return,
        };
        let is_first_list = round.stage == Stage::Orders(0) && round.pages == 0;
        if !self.budget.query(now) || !self.ask(AskKind::Round, &ask, now, wire) {
            return;
        }
        let Some(round) = &mut self.rounds.now else { return };
        round.is_asked = true;
        if is_first_list {
            round.listed_at = now;
            self.rounds.look += 1;
        }
    }

    /// The answer to the page that was asked for.
    pub fn on_round_page(&mut self, reply: &Reply<'_, '_>, out: &mut Out<'_>) {
        let Some(round) = self.rounds.now.as_mut().filter(|round| round.is_asked) else { return };
        round.is_asked = false;
        round.pages += 1;
        let (stage, pages) = (round.stage, round.pages);
        let Some(list) = reply.list() else { return self.end_round(false, out) };
        let is_whole = match stage {
            Stage::Since => self.on_missed(list, out),
            Stage::Wallet => self.on_wallets(list, true, out),
            Stage::Orders(_) => self.on_listed(list, out),
            Stage::Positions(_) => self.on_positions(list),
            Stage::Doubts(_) => true,
        };
        let next = rest::cursor(reply.cursor());
        let is_readable = is_whole && next.is_some() && pages < PAGES_MAX;
        if self.fatal.is_some() || !is_readable {
            return self.end_round(false, out);
        }
        // The venue may give a cursor with the last page as well; an empty page is the end in any case.
        let has_more = next.is_some_and(|cursor| !cursor.is_empty()) && !list.is_empty();
        let Some(round) = &mut self.rounds.now else { return };
        if has_more {
            round.cursor = next.unwrap_or_default().to_owned();
            return;
        }
        round.cursor.clear();
        round.pages = 0;
        round.stage = match stage {
            Stage::Since => Stage::Wallet,
            Stage::Wallet => Stage::Orders(0),
            Stage::Orders(at) => Stage::Orders(at + 1),
            Stage::Positions(at) => Stage::Positions(at + 1),
            Stage::Doubts(since) => Stage::Doubts(since),
        };
        if stage == Stage::Since {
            self.tell_begin(out);
        }
        self.skip_done_stages(out);
    }

    /// Goes past stages in which nothing is left to ask, and ends the round after the last.
    fn skip_done_stages(&mut self, out: &mut Out<'_>) {
        let lists = self.rounds.settle.len();
        let Some(round) = &mut self.rounds.now else { return };
        match round.stage {
            // Spot has one list of orders, and positions of nothing.
            Stage::Orders(at) if at >= lists.max(1) => {
                round.stage = Stage::Doubts(out.now);
                let listed_at = round.listed_at;
                self.doubt_absent(listed_at, out.now);
            }
            Stage::Positions(at) if at >= lists => {
                if self.category == Category::Linear {
                    self.tell_positions(out);
                }
                self.rounds.since_ms = self.venue_ms(out.now).saturating_sub(SINCE_MARGIN_MS);
                self.end_round(true, out);
            }
            _ => {}
        }
    }

    /// A page could not be had.
    pub fn on_round_lost(&mut self, out: &mut Out<'_>) {
        if self.rounds.now.as_ref().is_some_and(|round| round.is_asked) {
            self.end_round(false, out);
        }
    }

    /// True when all rows could be read.
    fn on_missed(&mut self, list: List<'_, '_>, out: &mut Out<'_>) -> bool {
        let mut is_whole = true;
        // Newest first; told oldest first.
        let rows: Vec<_> = list.executions().collect();
        for row in rows.into_iter().rev() {
            match row {
                Ok(row) => self.on_execution(&row, false, false, out),
                Err(_) => {
                    self.counters.refused += 1;
                    is_whole = false;
                }
            }
        }
        is_whole
    }

    fn on_listed(&mut self, list: List<'_, '_>, out: &mut Out<'_>) -> bool {
        let mut is_whole = true;
        for row in list.orders() {
            match row {
                Ok(row) => self.on_listed_order(&row, out),
                Err(_) => {
                    self.counters.refused += 1;
                    is_whole = false;
                }
            }
        }
        is_whole
    }

    fn on_listed_order(&mut self, row: &OrderRow<'_>, out: &mut Out<'_>) {
        let Some(instrument) = self.encoder.instrument_of(row.symbol) else { return };
        let listed_at = self.rounds.now.as_ref().map_or(out.now, |round| round.listed_at);
        let Some(id) = self.ours(row.link_id) else {
            self.tell_foreign(instrument, row, out);
            return;
        };
        // Finished while the list was under way: the list is older than what we know.
        if self.orders.is_done(id, listed_at) {
            return;
        }
        if self.orders.get(id).is_none() {
            self.orders.insert(Order::new(id, instrument, out.now, Phase::Live));
        }
        if row.end().is_none() {
            let order = venue_order(id, row);
            out.event(Some(row.updated_ms), instrument, EventBody::VenueOrder(order));
        }
        self.on_state(id, instrument, row, out);
    }

    /// What we thought was working and is not in the list is in doubt.
    fn doubt_absent(&mut self, listed_at: TsNs, now: TsNs) {
        let look = self.rounds.look;
        for order in self.orders.iter_mut() {
            let is_absent = order.answered_on != look;
            // Missing fills of an order that still worked when we last heard: its end may be missing as well.
            let was_working = matches!(
                order.phase,
                Phase::Live | Phase::Accepted(_) | Phase::MissingFills { then: None, .. }
            );
            if is_absent && was_working && order.sent <= listed_at {
                order.doubt(Phase::InDoubt, now);
            }
        }
    }

    /// Nothing is left to find out about any order, or all that can be asked was.
    fn are_doubts_answered(&self) -> bool {
        self.orders.iter().all(|order| match order.phase {
            Phase::Placing | Phase::Accepted(_) | Phase::Live => true,
            Phase::InDoubt => order.answered_on == self.rounds.look || order.asks >= ASKS_MAX,
            Phase::MissingFills { .. } => false,
        })
    }

    fn on_positions(&mut self, list: List<'_, '_>) -> bool {
        let mut is_whole = true;
        for row in list.positions() {
            match row {
                Ok(row) => self.on_position(&row),
                Err(_) => {
                    self.counters.refused += 1;
                    is_whole = false;
                }
            }
        }
        is_whole
    }

    fn on_position(&mut self, row: &PositionRow<'_>) {
        let Some(id) = self.encoder.instrument_of(row.symbol) else { return };
        if row.index != 0 && row.qty != Qty::ZERO {
            let text = "the account is in hedge mode: switch it to one position to an instrument";
            return self.fail(0, "position mode", text);
        }
        if let Some(held) = self.rounds.held.iter_mut().find(|held| held.0 == id) {
            (held.1, held.2) = (Qty(held.1.0.saturating_add(row.qty.0)), row.average);
        }
    }

    /// Every instrument, flat ones too: the venue lists only what is held.
    fn tell_positions(&mut self, out: &mut Out<'_>) {
        for &(id, qty, average) in &self.rounds.held {
            out.event(None, id, EventBody::VenuePosition(VenuePosition { qty, average }));
        }
    }

    /// An order of another hand, as it is now.
    pub fn tell_foreign(&mut self, instrument: InstrumentId, row: &OrderRow<'_>, out: &mut Out<'_>) {
        self.counters.foreign += 1;
        self.orders.note_foreign(row.venue_id, instrument);
        let order = venue_order(ClientOrderId::NONE, row);
        out.event(Some(row.updated_ms), instrument, EventBody::VenueOrder(order));
    }

    /// The venue's clock, from the answer to the question for it: made about half-way between question and answer.
    pub fn on_clock(&mut self, sent: TsNs, venue_ns: u64, now: TsNs) -> bool {
        let trip = now.since(sent);
        if self.clock == Known::Yes && trip > 2_000 * MS {
            return false;
        }
        let middle = i128::from(sent.0) + i128::from(trip / 2);
        self.offset_ns = i64::try_from(i128::from(venue_ns) - middle).unwrap_or(0);
        self.clock = Known::Yes;
        true
    }
}

fn venue_order(client_order_id: ClientOrderId, row: &OrderRow<'_>) -> VenueOrder {
    let kind = match (row.is_market, row.trigger > Price::ZERO && row.status == Status::Waiting) {
        (true, _) => OrderKind::Market,
        (false, true) => OrderKind::StopLimit,
        (false, false) if row.is_maker_only => OrderKind::LimitMaker,
        (false, false) => OrderKind::Limit,
    };
    VenueOrder {
        client_order_id,
        venue_order_id: row.venue_id.number(),
        side: row.side,
        kind,
        price: row.price,
        stop_price: row.trigger,
        qty: row.qty,
        filled_qty: row.cum_qty,
    }
}
