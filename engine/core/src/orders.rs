//! Our orders at the venue: what is open, what it reserves, and what every report about it means.
//!
//! Pure. Runs on the engine thread; memory is taken in the constructor. Only the gate puts an order in (it asks
//! for an `ApprovedOrder`), only reports take one out.
//!
//! Reports may come in any order and more than once, so an order's condition is a function of the *set* of facts
//! known about it, never of their order:
//!
//! * fills are added once per trade id, and never beyond the venue's own cumulative quantity;
//! * **final** word (cancelled, expired, filled) ends the order; if its cumulative quantity says that fills are
//!   still missing, exactly those stay reserved until they come;
//! * **refusal** (rejected, not found) ends an order only while nothing proves that it lives: an ack or a fill,
//!   before or after, outweighs it (a duplicate-id reject of a retry must not free a live order).
//!
//! Orders that belong together:
//!
//! * a **pair**, of which one cancels the other, reserves the larger of both once. What one has filled, the other will
//!   not; both stay open until the venue has ended them, and a race in which both fill is counted as it happened;
//! * a **replacement** and what it replaces both reserve until the venue has ended the old one or refused the new: it
//!   may be either that lives. Only the gate looks past the old one, when it is asked about the new;
//! * stop and target that **came with an entry** are sent by nobody. They are taken in by the entry's first fill or by
//!   the first report about them, whichever comes first, and cover what the entry has filled. A fill of theirs proves
//!   one of the entry.
//!
//! Orders of other hands that work on the account stand in a small table beside ours and reserve like ours; what the
//! venue says is held beyond our position reserves as well: see `adopt` and `drift`.
//!
//! Ended orders move to a history ring, so that a late fill still finds its side and purpose, and an order that
//! turns out to live moves back.

mod adopt;
mod drift;
mod order;
mod ring;

pub use adopt::FOREIGN_MAX;
pub(crate) use adopt::Listed;
pub use order::{Order, OrderState};

use crate::event::{OrderUpdate, OrderUpdateKind};
use crate::output::{CancelOrder, NewOrder, OrderKind, OrderTerms};
use crate::risk::ApprovedOrder;
use crate::state::{StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, Side, TsNs};
use alloc::vec;
use alloc::vec::Vec;
use drift::Drift;
use order::{Known, Refusal};
use ring::{History, TradeIds};

/// Open orders the table can hold.
pub const ORDERS_MAX: usize = 256;

/// All our orders, of all instruments.
pub struct Orders {
    /// Open orders, dense, in no particular order. Invariant: each reserves something.
    open: Vec<Order>,
    history: History,
    trades: TradeIds,
    /// Open orders that other hands made, without an id of ours, found by the venue's.
    foreign: Vec<Order>,
    /// By instrument: what the venue says is held beyond what we hold.
    drift: Vec<Drift>,
    /// By instrument. Invariant: equal to the sums over `open`, `foreign` and `drift`.
    reserved: Vec<Reserved>,
    /// Rounds of reconciliation begun.
    round: u32,
    /// Highest sequence taken in: ids above it are new without a search.
    last_sequence: u64,
    /// Orders that came to life while their table was full; each is a hole in the reservation.
    lost: u32,
    /// Orders that the gate looks past at this moment; 0 between two events.
    aside: usize,
}

/// An order that the gate looks past; see [`Orders::set_aside`].
#[must_use]
pub(crate) struct Aside {
    instrument: InstrumentId,
    side: Side,
    qty: i128,
    orders: u32,
}

/// What the open orders of one instrument hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Still open to buy, base units of 1e-8.
    pub buy_qty: i128,
    /// Still open to sell, base units of 1e-8.
    pub sell_qty: i128,
    /// How many orders.
    pub orders: u32,
}

impl Reserved {
    /// Still open on one side.
    pub const fn qty(&self, side: Side) -> i128 {
        match side {
            Side::Buy => self.buy_qty,
            Side::Sell => self.sell_qty,
        }
    }
}

/// What one report changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEffect {
    /// The venue works the order: first ack, or a sign of life of one thought refused or unknown.
    Working(Order),
    /// A fill counted for the first and only time. Put it into the position.
    Filled(Fill),
    /// The order is over and reserves nothing any more; [`Order::state`] says how.
    Closed(Order),
    /// The order is over at the venue, but fills it speaks of have not come yet; they stay reserved.
    AwaitingFills(Order),
    /// The venue refused to cancel; the order's condition is unknown until the gateway's query answers.
    CancelRejected(Order, i32),
    /// The outcome of a request is unknown. The order stays reserved.
    Unknown(Order),
    /// Nothing new.
    Ignored(Ignored),
    /// About an order we never sent, or one long forgotten. A fill among these is **not** in any position:
    /// alert, and reconcile.
    UnknownOrder,
}

/// Why a report changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The fill was counted before.
    DuplicateFill,
    /// Said before, or overtaken by a final word.
    Stale,
    /// Quantity or price not positive, or instrument or side not the order's.
    Malformed,
}

/// One fill, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order, with this fill counted.
    pub order: Order,
    /// The venue's trade number.
    pub trade_id: u64,
    /// Price of the fill.
    pub price: Price,
    /// Quantity of the fill, positive.
    pub qty: Qty,
    /// Fee in `fee_asset`; negative for a rebate.
    pub fee: Money,
    /// Asset of the fee.
    pub fee_asset: Name,
    /// We were the resting side.
    pub is_maker: bool,
    /// This fill ended the order: it reserves nothing any more.
    pub is_closing: bool,
    /// The order had already ended; the position moves all the same.
    pub is_late: bool,
    /// By how much the venue has filled more of the order than we asked for, zero as a rule: counted all the same, but a person
    /// should see it.
    pub overfill: Qty,
}

impl Orders {
    /// An empty table for `instruments` instruments.
    pub fn new(instruments: usize) -> Self {
        Self {
            open: Vec::with_capacity(ORDERS_MAX),
            history: History::default(),
            trades: TradeIds::new(instruments),
            foreign: Vec::with_capacity(FOREIGN_MAX),
            drift: vec![Drift::default(); instruments],
            round: 0,
            reserved: vec![Reserved::default(); instruments],
            last_sequence: 0,
            lost: 0,
            aside: 0,
        }
    }

    /// Takes one report about an order of `instrument`; `now` is the time of the event.
    pub fn on_update(&mut self, instrument: InstrumentId, update: &OrderUpdate, now: TsNs) -> OrderEffect {
        let id = update.client_order_id;
        let Some(before) = self.find(id).or_else(|| self.attach(id, now)) else {
            return OrderEffect::UnknownOrder;
        };
        if before.instrument != instrument {
            return OrderEffect::Ignored(Ignored::Malformed);
        }
        let mut after = before;
        after.hear(update, self.round);
        if matches!(update.kind, OrderUpdateKind::Fill { .. }) {
            return self.on_fill(before, after, &update.kind, now);
        }
        after.on_report(&update.kind);
        self.store(&before, &after);
        self.tell_relatives(&after, now);
        effect(&before, &after, &update.kind)
    }

    fn on_fill(&mut self, before: Order, mut after: Order, kind: &OrderUpdateKind, now: TsNs) -> OrderEffect {
        let &OrderUpdateKind::Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker } = kind
        else {
            return OrderEffect::Ignored(Ignored::Malformed);
        };
        let is_senseless = qty <= Qty::ZERO || price <= Price::ZERO || cum_qty < Qty::ZERO;
        if is_senseless || side != before.side {
            return OrderEffect::Ignored(Ignored::Malformed);
        }
        // The ring knows recent trades by their id. The venue's cumulative quantity catches those that it has
        // forgotten: fills that were each counted once can never add up to more than the venue says it filled.
        let is_counted = self.trades.contains(before.instrument, trade_id)
            || cum_qty > Qty::ZERO && before.would_exceed(qty, cum_qty);
        if is_counted {
            return OrderEffect::Ignored(Ignored::DuplicateFill);
        }
        self.trades.record(before.instrument, trade_id);
        after.on_fill(price, qty, cum_qty);
        self.store(&before, &after);
        self.tell_relatives(&after, now);
        OrderEffect::Filled(Fill {
            order: after,
            trade_id,
            price,
            qty,
            fee,
            fee_asset,
            is_maker,
            is_closing: before.is_open() && !after.is_open(),
            is_late: !before.is_open(),
            overfill: Qty((after.filled_qty.0 - self.qty_asked(&after).0).max(0)),
        })
    }

    /// What a change of one order says about those it belongs with.
    fn tell_relatives(&mut self, order: &Order, now: TsNs) {
        self.tell_pair(order);
        if order.replaces != ClientOrderId::NONE && order.is_refused() {
            // It was not replaced after all.
            self.change(order.replaces, |old| old.is_cancel_pending = false);
        }
        if order.parent != ClientOrderId::NONE {
            // What was closed had been opened: the entry's own report of it is still on the way.
            let other = self.find(order.terms.oco).map_or(Qty::ZERO, |other| other.filled_qty);
            let closed = Qty(order.filled_qty.0.saturating_add(other.0));
            self.change(order.parent, |entry| {
                if closed > entry.cum_qty {
                    entry.cum_qty = closed;
                    entry.on_life();
                }
            });
        }
        let OrderTerms { stop_on_fill, target_on_fill, .. } = order.terms;
        let covered = order.filled_qty;
        for (price, places) in [(stop_on_fill, 1), (target_on_fill, 2)] {
            let id = order.client_order_id.after(places);
            let is_wanted = price > Price::ZERO && covered > Qty::ZERO;
            if is_wanted && (self.find(id).is_some() || self.attach(id, now).is_some()) {
                self.change(id, |child| {
                    if child.parent == order.client_order_id {
                        child.qty = child.qty.max(covered);
                    }
                });
                if let Some(child) = self.find(id) {
                    self.tell_pair(&child);
                }
            }
        }
    }

    /// What one of a pair has filled, the other will not.
    fn tell_pair(&mut self, order: &Order) {
        let done = order.done_qty();
        if order.terms.oco != ClientOrderId::NONE && done > Qty::ZERO {
            self.change(order.terms.oco, |other| {
                if other.is_paired_with(order) {
                    other.paired_qty = other.paired_qty.max(done);
                }
            });
        }
    }

    /// Takes in an order that came with its entry; what the entry has filled is told to it afterwards. None unless
    /// such an entry is known.
    fn attach(&mut self, id: ClientOrderId, now: TsNs) -> Option<Order> {
        let (instance, strategy, sequence) = (id.instance(), id.strategy(), id.sequence());
        let mut entries = (1..=2u64).filter_map(|places| {
            let entry = sequence.checked_sub(places)?;
            self.find(ClientOrderId::new(instance, strategy, entry))
        });
        let child = entries.find_map(|entry| Order::attached(&entry, id, now))?;
        let other = self.find(child.terms.oco).map_or(Qty::ZERO, |other| other.done_qty());
        let child = Order { paired_qty: other, ..child };
        self.put(&child);
        Some(child)
    }

    /// Changes an order, if it is known.
    fn change(&mut self, id: ClientOrderId, change: impl FnOnce(&mut Order)) {
        let Some(before) = self.find(id) else { return };
        let mut after = before;
        change(&mut after);
        if after != before {
            self.store(&before, &after);
        }
    }

    /// The most that an order may fill: of one that came with an entry, as much as the entry.
    fn qty_asked(&self, order: &Order) -> Qty {
        self.find(order.parent).map_or(order.qty, |entry| entry.qty.max(order.qty))
    }

    /// Marks an order as unknown that nothing was heard of for so long, and returns it; once for each order. The
    /// lowest id first.
    pub(crate) fn overdue(&mut self, now: TsNs, ack_ns_max: u64) -> Option<Order> {
        let is_late = |order: &&Order| order.is_unheard() && now.since(order.accepted_ts) >= ack_ns_max;
        let id = self.open.iter().filter(is_late).map(|order| order.client_order_id).min()?;
        let order = self.open.iter_mut().find(|order| order.client_order_id == id)?;
        order.on_unknown();
        Some(*order)
    }

    /// Marks an open order as being replaced: like a cancel, but its word is another's. None for orders that are
    /// not open.
    pub fn begin_replace(&mut self, id: ClientOrderId, by: ClientOrderId) -> Option<Order> {
        self.change(by, |new| new.replaces = id);
        let order = self.open.iter_mut().find(|order| order.client_order_id == id)?;
        order.is_cancel_pending = true;
        Some(*order)
    }

    /// Takes what an order reserves out of the sums for as long as the gate looks at another: the one that is to
    /// take its place, or the other of its pair, which still counts as an order.
    pub(crate) fn set_aside(&mut self, id: ClientOrderId, is_counted: bool) -> Option<Aside> {
        let order = *self.get(id)?;
        let (instrument, side, qty) = (order.instrument, order.side, self.share(&order));
        let aside = Aside { instrument, side, qty, orders: u32::from(!is_counted) };
        self.aside += aside.orders as usize;
        self.add(&aside, -1);
        Some(aside)
    }

    /// Puts it back.
    pub(crate) fn bring_back(&mut self, aside: &Aside) {
        self.aside = self.aside.saturating_sub(aside.orders as usize);
        self.add(aside, 1);
    }

    /// Marks an open order as being cancelled and returns the word to send. None for orders that are not open.
    /// May be called again: a cancel is repeated until the venue confirms.
    pub fn begin_cancel(&mut self, id: ClientOrderId) -> Option<CancelOrder> {
        let order = self.open.iter_mut().find(|order| order.client_order_id == id)?;
        if order.ending.is_some() {
            return None; // Over at the venue; only its fills are still to come.
        }
        order.is_cancel_pending = true;
        Some(CancelOrder {
            instrument: order.instrument,
            client_order_id: id,
            venue_order_id: order.venue_order_id,
        })
    }

    /// Releases an approved order whose bytes never left the process (outbound ring full). None unless it is
    /// open and nothing was heard of it.
    pub fn release_unsent(&mut self, id: ClientOrderId) -> Option<Order> {
        let before = *self.get(id)?;
        let mut after = before;
        after.on_refusal(Refusal::Unsent);
        self.store(&before, &after);
        (!after.is_open()).then_some(after)
    }

    /// An open order by its id.
    pub fn get(&self, id: ClientOrderId) -> Option<&Order> {
        self.open.iter().find(|order| order.client_order_id == id)
    }

    /// An order by its id, open or in recent history.
    pub fn find(&self, id: ClientOrderId) -> Option<Order> {
        self.get(id).or_else(|| self.history.get(id)).copied()
    }

    /// Was this id sent before, as far as we remember? No id at all counts as used.
    pub fn is_used(&self, id: ClientOrderId) -> bool {
        id.sequence() <= self.last_sequence && (id.sequence() == 0 || self.find(id).is_some())
    }

    /// Orders that are over, as far as they are remembered.
    pub fn ended(&self) -> impl Iterator<Item = &Order> {
        self.history.iter()
    }

    /// The venue's numbers of the trades counted last, of one instrument.
    pub fn trades_counted(&self, instrument: InstrumentId) -> impl Iterator<Item = u64> {
        self.trades.of(instrument)
    }

    /// All open orders, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.open.iter()
    }

    /// Open orders of one instrument.
    pub fn of(&self, instrument: InstrumentId) -> impl Iterator<Item = &Order> {
        self.open.iter().filter(move |order| order.instrument == instrument)
    }

    /// What the open orders of an instrument hold, those of other hands and its drift included.
    pub fn reserved(&self, instrument: InstrumentId) -> Reserved {
        self.reserved.get(instrument.index()).copied().unwrap_or_default()
    }

    /// Open orders overall, those of other hands included.
    pub fn len(&self) -> usize {
        (self.open.len() + self.foreign.len()).saturating_sub(self.aside)
    }

    /// No open order.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.foreign.is_empty()
    }

    /// No further order fits.
    pub fn is_full(&self) -> bool {
        self.open.len() >= ORDERS_MAX
    }

    /// Orders that came to life while their table was full: their reservation is missing.
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// Would `order` trade with one on the other side that is ours, or another hand's on the same account?
    pub fn would_self_trade(&self, order: &NewOrder) -> bool {
        let reserved = self.reserved(order.instrument);
        reserved.qty(order.side.opposite()) > 0
            && self
                .of(order.instrument)
                .chain(self.foreign(order.instrument))
                .any(|own| own.side != order.side && own.ending.is_none() && may_meet(order, own))
    }

    /// Takes an approved order in: it reserves from now on. False when the table is full, the id was used, or
    /// the instrument is unknown.
    pub(crate) fn reserve(&mut self, approved: &ApprovedOrder, now: TsNs) -> bool {
        let order = Order::new(approved.order(), now, self.round);
        let is_known = self.is_used(order.client_order_id);
        if is_known || self.is_full() || order.instrument.index() >= self.reserved.len() {
            return false;
        }
        self.last_sequence = self.last_sequence.max(order.last_sequence());
        self.account(&order, 1);
        self.open.push(order);
        true
    }

    /// A new one goes where it belongs.
    fn put(&mut self, order: &Order) {
        match order.is_open() {
            true if !self.is_full() => {
                self.account(order, 1);
                self.open.push(*order);
            }
            is_open => {
                self.history.push(order);
                self.lost += u32::from(is_open);
            }
        }
    }

    /// Writes a changed order back where it now belongs and keeps the sums.
    fn store(&mut self, before: &Order, after: &Order) {
        let at = self.open.iter().position(|order| order.client_order_id == after.client_order_id);
        match (at, after.is_open()) {
            (Some(at), true) => {
                self.account(before, -1);
                self.account(after, 1);
                if let Some(slot) = self.open.get_mut(at) {
                    *slot = *after;
                }
            }
            (Some(at), false) => {
                self.account(before, -1);
                self.open.swap_remove(at);
                self.history.push(after);
            }
            (None, true) if !self.is_full() => {
                self.history.forget(after.client_order_id);
                self.account(after, 1);
                self.open.push(*after);
            }
            (None, is_open) => {
                self.history.replace(after);
                self.lost += u32::from(is_open);
            }
        }
    }

    fn account(&mut self, order: &Order, sign: i32) {
        let (instrument, side) = (order.instrument, order.side);
        self.add(&Aside { instrument, side, qty: self.share(order), orders: 1 }, sign);
    }

    fn add(&mut self, what: &Aside, sign: i32) {
        let Some(reserved) = self.reserved.get_mut(what.instrument.index()) else { return };
        let qty = what.qty * i128::from(sign);
        match what.side {
            Side::Buy => reserved.buy_qty += qty,
            Side::Sell => reserved.sell_qty += qty,
        }
        reserved.orders = reserved.orders.saturating_add_signed(sign * what.orders as i32);
    }

    /// What the sums have of `order`, with the other of its pair as it stands in the table.
    fn share(&self, order: &Order) -> i128 {
        let other = match order.terms.oco {
            ClientOrderId::NONE => None,
            id => self.get(id),
        };
        share_beside(order, other)
    }
}

/// What an order adds to the sums that have `other` in them: of a pair the larger counts, but fills that are certain
/// to come count all.
fn share_beside(order: &Order, other: Option<&Order>) -> i128 {
    let (missing, free) = (i128::from(order.missing_qty().0), i128::from(order.free_qty().0));
    let other = other.filter(|other| order.is_paired_with(other));
    missing + (free - other.map_or(0, |other| i128::from(other.free_qty().0))).max(0)
}

impl Orders {
    /// `now` is the time of the last event.
    pub(crate) fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { open, history, trades, foreign, drift, reserved, round, last_sequence, lost, aside: _ } =
            self;
        io.number(last_sequence)?;
        io.tally(round)?;
        let known = Known { instruments: reserved.len(), last_sequence: *last_sequence, round: *round, now };
        // Their order is chance, but what an event says may depend on it: it is kept.
        io.list(
            open,
            ORDERS_MAX,
            || Order::BLANK,
            |io, order| {
                order.fields(io, known)?;
                io.sound(order.is_open() && order.client_order_id != ClientOrderId::NONE)
            },
        )?;
        io.list(
            foreign,
            FOREIGN_MAX,
            || Order::BLANK,
            |io, order| {
                order.fields(io, known)?;
                io.sound(order.is_open() && order.client_order_id == ClientOrderId::NONE)
            },
        )?;
        drift.iter_mut().try_for_each(|drift| drift.state(io))?;
        history.state(io, known)?;
        trades.state(io, reserved.len())?;
        io.tally(lost)?;
        io.sound(*lost > 0 || !history.iter().any(Order::is_open))?;
        if io.is_loading() {
            self.reserve_anew();
            io.sound(self.are_ids_unique() && self.are_foreign_ids_unique())?;
        }
        Ok(())
    }

    /// The sums over the open orders and drifts.
    fn reserve_anew(&mut self) {
        self.reserved.fill(Reserved::default());
        for at in 0..self.open.len() {
            let (before, rest) = self.open.split_at(at);
            if let Some(order) = rest.first() {
                let other = before.iter().find(|other| other.is_paired_with(order));
                let (instrument, side) = (order.instrument, order.side);
                let what = Aside { instrument, side, qty: share_beside(order, other), orders: 1 };
                self.add(&what, 1);
            }
        }
        for at in 0..self.foreign.len() {
            if let Some(order) = self.foreign.get(at).copied() {
                self.account(&order, 1);
            }
        }
        for (reserved, drift) in self.reserved.iter_mut().zip(&self.drift) {
            reserved.add_drift(drift, 1);
        }
    }

    fn are_ids_unique(&self) -> bool {
        let all = self.open.iter().chain(self.history.iter());
        let mut ids: Vec<ClientOrderId> = all.map(|order| order.client_order_id).collect();
        ids.sort_unstable();
        ids.is_sorted_by(|a, b| a < b)
    }

    /// Highest sequence of an order taken in; 0 before the first.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.last_sequence
    }
}

/// What to tell the engine about a report that was not a fill.
fn effect(before: &Order, after: &Order, kind: &OrderUpdateKind) -> OrderEffect {
    let is_news = before.without_ids() != after.without_ids();
    match (before.is_open(), after.is_open()) {
        _ if !is_news => OrderEffect::Ignored(Ignored::Stale),
        (true, false) => OrderEffect::Closed(*after),
        (false, false) => OrderEffect::Ignored(Ignored::Stale),
        (_, true) if after.ending.is_some() => OrderEffect::AwaitingFills(*after),
        (_, true) => match *kind {
            OrderUpdateKind::CancelReject { code } => OrderEffect::CancelRejected(*after, code),
            _ if after.is_unknown => OrderEffect::Unknown(*after),
            _ => OrderEffect::Working(*after),
        },
    }
}

/// Can an incoming order and a resting one of the other side trade with each other?
///
/// A market order meets anything. A stop order is not in the book until the market has reached its trigger, so it
/// meets only prices between its limit and its trigger.
fn may_meet(order: &NewOrder, own: &Order) -> bool {
    if order.kind == OrderKind::Market || own.kind == OrderKind::Market {
        return true;
    }
    let (buy, sell) = match order.side {
        Side::Buy => (order.price, own.price),
        Side::Sell => (own.price, order.price),
    };
    let is_dormant = |kind, stop_price: Price, side, price| {
        kind == OrderKind::StopLimit
            && match side {
                Side::Sell => price > stop_price,
                Side::Buy => price < stop_price,
            }
    };
    buy >= sell
        && !is_dormant(order.kind, order.stop_price, order.side, own.price)
        && !is_dormant(own.kind, own.stop_price, own.side, order.price)
}
