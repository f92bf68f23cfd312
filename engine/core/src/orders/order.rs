//! One order: the facts known about it, and what follows from them.

use crate::event::{OrderUpdate, OrderUpdateKind, VenueOrder};
use crate::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use crate::state::{StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId, Price, Qty, Side, TsNs};

/// One of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Our id.
    pub client_order_id: ClientOrderId,
    /// The venue's id; 0 until told.
    pub venue_order_id: u64,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market, …
    pub kind: OrderKind,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// What it is for.
    pub purpose: Purpose,
    /// Limit price; 0 for market orders.
    pub price: Price,
    /// Trigger price; 0 where there is none.
    pub stop_price: Price,
    /// Quantity asked for.
    pub qty: Qty,
    /// Sum of the fills counted.
    pub filled_qty: Qty,
    /// Price of the last fill; 0 before the first.
    pub last_fill_price: Price,
    /// The signal it serves; 0 for none.
    pub signal_id: u32,
    /// When the gate accepted it; of one that came with its entry, when the entry's first fill was counted; of
    /// one that was adopted, when it was.
    pub accepted_ts: TsNs,
    /// What the venue was asked beyond a plain order.
    pub terms: OrderTerms,
    /// The entry whose fills it covers, for one that came with an entry; [`ClientOrderId::NONE`] for others. Its
    /// quantity is what the entry has filled, and grows with it.
    pub parent: ClientOrderId,
    /// The order in whose place it was put; [`ClientOrderId::NONE`] for none.
    pub replaces: ClientOrderId,
    /// What the other order of its pair has filled, as far as the venue said.
    pub(super) paired_qty: Qty,
    /// Found at the venue, not sent by this engine as far as it remembers: it serves no trade.
    pub is_adopted: bool,
    /// Number of the round of reconciliation in which something was heard of it last.
    pub(super) heard: u32,
    /// Complete rounds in a row in which the venue did not list it.
    pub(super) absent: u8,
    /// Largest cumulative filled quantity the venue spoke of; may be ahead of `filled_qty`.
    pub(super) cum_qty: Qty,
    /// Proven to have reached the venue.
    pub(super) is_alive: bool,
    pub(super) is_cancel_pending: bool,
    pub(super) is_unknown: bool,
    pub(super) refusal: Option<Refusal>,
    pub(super) ending: Option<Ending>,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Sent, nothing heard.
    PendingNew,
    /// At the venue, nothing filled.
    Working,
    /// At the venue, partly filled.
    PartiallyFilled,
    /// A cancel was sent.
    PendingCancel,
    /// The outcome of a request is unknown; the gateway is asking.
    Unknown,
    /// Over at the venue, which speaks of fills that have not come yet.
    AwaitingFills,
    /// Filled whole. Over.
    Filled,
    /// Cancelled. Over.
    Canceled,
    /// Expired. Over.
    Expired,
    /// Refused by the venue, with its code. Over, unless it turns out to live.
    Rejected(i32),
    /// Proven never to have arrived, or gone from the venue without a word. Over, unless it turns out to live.
    NotFound,
    /// Never left the process. Over.
    Unsent,
}

/// The venue's final word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Canceled,
    Expired,
}

/// Said to have never lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Rejected(i32),
    NotFound,
    Unsent,
}

impl Order {
    pub(super) fn new(order: &NewOrder, now: TsNs, round: u32) -> Self {
        Self {
            client_order_id: order.client_order_id,
            venue_order_id: 0,
            instrument: order.instrument,
            side: order.side,
            kind: order.kind,
            time_in_force: order.time_in_force,
            purpose: order.purpose,
            price: order.price,
            stop_price: order.stop_price,
            qty: order.qty,
            filled_qty: Qty::ZERO,
            last_fill_price: Price::ZERO,
            signal_id: order.signal_id,
            accepted_ts: now,
            is_adopted: false,
            heard: round,
            absent: 0,
            terms: order.terms,
            parent: ClientOrderId::NONE,
            replaces: ClientOrderId::NONE,
            paired_qty: Qty::ZERO,
            cum_qty: Qty::ZERO,
            is_alive: false,
            is_cancel_pending: false,
            is_unknown: false,
            refusal: None,
            ending: None,
        }
    }

    /// One that the venue works and nobody here sent. Its fills so far are still to be told.
    pub(super) fn adopted(instrument: InstrumentId, row: &VenueOrder, now: TsNs) -> Self {
        Self {
            client_order_id: row.client_order_id,
            venue_order_id: row.venue_order_id,
            instrument,
            side: row.side,
            kind: row.kind,
            time_in_force: TimeInForce::Gtc,
            purpose: Purpose::Entry,
            price: row.price,
            stop_price: row.stop_price,
            qty: row.qty,
            accepted_ts: now,
            is_adopted: true,
            cum_qty: row.filled_qty,
            is_alive: true,
            ..Self::BLANK
        }
    }

    /// Stop or target that comes with `entry`, covering what that has filled. Its limit is the venue's to set: the
    /// trigger stands for it.
    pub(super) fn attached(entry: &Self, id: ClientOrderId, now: TsNs) -> Option<Self> {
        let nth = id.0.checked_sub(entry.client_order_id.0)?;
        let (stop, target) = (entry.terms.stop_on_fill, entry.terms.target_on_fill);
        let (purpose, kind, price, stop_price, other) = match nth {
            1 if stop > Price::ZERO => (Purpose::Stop, OrderKind::StopLimit, stop, stop, target),
            2 if target > Price::ZERO => (Purpose::Target, OrderKind::Limit, target, Price::ZERO, stop),
            _ => return None,
        };
        let oco = match other {
            Price::ZERO => ClientOrderId::NONE,
            _ => entry.client_order_id.after(3 - nth),
        };
        Some(Self {
            client_order_id: id,
            instrument: entry.instrument,
            side: entry.side.opposite(),
            kind,
            purpose,
            price,
            stop_price,
            qty: entry.filled_qty,
            signal_id: entry.signal_id,
            accepted_ts: now,
            terms: OrderTerms { oco, ..OrderTerms::PLAIN },
            parent: entry.client_order_id,
            ..Self::BLANK
        })
    }

    /// Highest sequence that belongs to it: its own, or that of the last order that comes with it.
    pub(super) fn last_sequence(&self) -> u64 {
        let OrderTerms { stop_on_fill, target_on_fill, .. } = self.terms;
        let comes_along =
            if target_on_fill > Price::ZERO { 2 } else { u64::from(stop_on_fill > Price::ZERO) };
        self.client_order_id.sequence() + comes_along
    }

    /// What it can still do to the position: the rest while it may be working, the missing fills when the venue
    /// has ended it, nothing when it is over. Everything the table does follows from this number.
    pub fn reserved_qty(&self) -> Qty {
        let rest = match (self.ending, self.refusal) {
            (Some(_), _) => self.cum_qty.0.min(self.qty.0).saturating_sub(self.filled_qty.0),
            (None, Some(_)) if !self.is_alive => 0,
            _ => self.qty.0.saturating_sub(self.filled_qty.0),
        };
        Qty(rest.max(0))
    }

    /// Reserves something.
    pub fn is_open(&self) -> bool {
        self.reserved_qty() > Qty::ZERO
    }

    /// Asked for and not filled; what a venue would call the remaining quantity of a working order. What the other
    /// order of its pair has filled is no longer to be filled by this one.
    pub fn leaves_qty(&self) -> Qty {
        if self.ending.is_some() {
            return Qty::ZERO;
        }
        Qty(self.reserved_qty().0.saturating_sub(self.paired_qty.0).max(0))
    }

    /// One cancels the other.
    pub(super) fn is_paired_with(&self, other: &Self) -> bool {
        let are_mutual = self.terms.oco == other.client_order_id && other.terms.oco == self.client_order_id;
        are_mutual && self.instrument == other.instrument && self.side == other.side
    }

    /// Filled, or spoken of by the venue as filled.
    pub(super) fn done_qty(&self) -> Qty {
        self.filled_qty.max(self.cum_qty.min(self.qty))
    }

    /// Fills that the venue spoke of and that have not come: they are certain.
    pub fn missing_qty(&self) -> Qty {
        Qty(self.done_qty().0.saturating_sub(self.filled_qty.0))
    }

    /// What may still fill beyond that, with what the other order of its pair has done taken off.
    pub(super) fn free_qty(&self) -> Qty {
        let own = self.reserved_qty().0.saturating_sub(self.missing_qty().0);
        let is_over = self.ending.is_some();
        Qty(if is_over { 0 } else { own.saturating_sub(self.paired_qty.0).max(0) })
    }

    /// What the position has still to expect of it: what may fill, and what has filled and was not told yet.
    pub(crate) fn still_to_fill(&self) -> Qty {
        Qty(self.free_qty().0.saturating_add(self.missing_qty().0))
    }

    /// Sent, and the venue has not said a word of it.
    pub(super) fn is_unheard(&self) -> bool {
        !self.is_alive && !self.is_unknown && self.refusal.is_none() && self.ending.is_none()
    }

    /// The venue works it, or has.
    pub fn is_acknowledged(&self) -> bool {
        self.is_alive
    }

    /// Over because it was refused, and no sign of life outweighs that.
    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some() && !self.is_alive && self.ending.is_none()
    }

    /// As it would be asked for now: what is left of it.
    pub fn as_new(&self) -> NewOrder {
        NewOrder {
            client_order_id: self.client_order_id,
            instrument: self.instrument,
            side: self.side,
            kind: self.kind,
            time_in_force: self.time_in_force,
            price: self.price,
            stop_price: self.stop_price,
            qty: self.reserved_qty(),
            purpose: self.purpose,
            signal_id: self.signal_id,
            terms: OrderTerms::PLAIN,
        }
    }

    /// A cancel was sent and neither confirmed nor refused.
    pub fn is_cancel_pending(&self) -> bool {
        self.is_cancel_pending
    }

    /// Where it stands.
    pub fn state(&self) -> OrderState {
        if self.filled_qty >= self.qty {
            return OrderState::Filled;
        }
        match (self.ending, self.refusal) {
            (Some(_), _) if self.is_open() => OrderState::AwaitingFills,
            (Some(Ending::Canceled), _) => OrderState::Canceled,
            (Some(Ending::Expired), _) => OrderState::Expired,
            (None, Some(refusal)) if !self.is_alive => match refusal {
                Refusal::Rejected(code) => OrderState::Rejected(code),
                Refusal::NotFound => OrderState::NotFound,
                Refusal::Unsent => OrderState::Unsent,
            },
            _ if self.is_unknown => OrderState::Unknown,
            _ if self.is_cancel_pending => OrderState::PendingCancel,
            _ if self.filled_qty > Qty::ZERO => OrderState::PartiallyFilled,
            _ if self.is_alive => OrderState::Working,
            _ => OrderState::PendingNew,
        }
    }

    /// Somebody spoke of it.
    pub(super) fn hear(&mut self, update: &OrderUpdate, round: u32) {
        self.heard = round;
        self.absent = 0;
        if update.venue_order_id != 0 {
            self.venue_order_id = update.venue_order_id;
        }
    }

    /// Takes one report that is no fill.
    pub(super) fn on_report(&mut self, kind: &OrderUpdateKind) {
        match *kind {
            OrderUpdateKind::Ack => self.on_life(),
            OrderUpdateKind::Reject { code } => self.on_refusal(Refusal::Rejected(code)),
            OrderUpdateKind::NotFound => self.on_refusal(Refusal::NotFound),
            OrderUpdateKind::Canceled { cum_qty } => self.on_ending(Ending::Canceled, cum_qty),
            OrderUpdateKind::Expired { cum_qty } => self.on_ending(Ending::Expired, cum_qty),
            OrderUpdateKind::CancelReject { .. } => self.on_cancel_reject(),
            OrderUpdateKind::Unknown => self.on_unknown(),
            OrderUpdateKind::Fill { .. } => {}
        }
    }

    pub(super) fn on_life(&mut self) {
        self.is_alive = true;
        self.is_unknown = false;
    }

    /// A refusal of an order that lives says that *some* request failed: which, only a query can tell.
    pub(super) fn on_refusal(&mut self, refusal: Refusal) {
        self.is_unknown = self.is_alive;
        self.refusal = Some(self.refusal.unwrap_or(refusal));
    }

    pub(super) fn on_ending(&mut self, ending: Ending, cum_qty: Qty) {
        self.ending = Some(self.ending.unwrap_or(ending));
        self.cum_qty = self.cum_qty.max(cum_qty);
    }

    pub(super) fn on_cancel_reject(&mut self) {
        self.is_cancel_pending = false;
        self.is_unknown = true;
    }

    pub(super) fn on_unknown(&mut self) {
        self.is_unknown = true;
    }

    /// Gone from the venue without a word, and nothing says that it filled: over, until something is heard of it.
    pub(super) fn on_absence(&mut self) {
        self.is_alive = false;
        self.is_unknown = false;
        self.refusal = Some(self.refusal.unwrap_or(Refusal::NotFound));
    }

    pub(super) fn on_fill(&mut self, price: Price, qty: Qty, cum_qty: Qty) {
        self.on_life();
        self.filled_qty = Qty(self.filled_qty.0.saturating_add(qty.0));
        self.cum_qty = self.cum_qty.max(cum_qty).max(self.filled_qty);
        self.last_fill_price = price;
    }

    /// Would one more fill make more than the venue says it filled in all?
    pub(super) fn would_exceed(&self, qty: Qty, cum_qty: Qty) -> bool {
        self.filled_qty.0.saturating_add(qty.0) > self.cum_qty.max(cum_qty).0
    }

    /// For comparing what a report changed: learning the venue's id alone is no news, nor that it was heard.
    pub(super) fn without_ids(&self) -> Self {
        Self { venue_order_id: 0, heard: 0, absent: 0, ..*self }
    }
}

/// What every order of a table agrees with.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// Instruments of the table.
    pub(super) instruments: usize,
    /// Highest sequence of an id.
    pub(super) last_sequence: u64,
    /// Rounds of reconciliation begun.
    pub(super) round: u32,
    /// Time of the last event.
    pub(super) now: TsNs,
}

impl Order {
    /// What loading starts from.
    pub(super) const BLANK: Self = Self {
        client_order_id: ClientOrderId::NONE,
        venue_order_id: 0,
        instrument: InstrumentId::NONE,
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        purpose: Purpose::Entry,
        price: Price::ZERO,
        stop_price: Price::ZERO,
        qty: Qty::ZERO,
        filled_qty: Qty::ZERO,
        last_fill_price: Price::ZERO,
        signal_id: 0,
        accepted_ts: TsNs(0),
        is_adopted: false,
        heard: 0,
        absent: 0,
        terms: OrderTerms::PLAIN,
        parent: ClientOrderId::NONE,
        replaces: ClientOrderId::NONE,
        paired_qty: Qty::ZERO,
        cum_qty: Qty::ZERO,
        is_alive: false,
        is_cancel_pending: false,
        is_unknown: false,
        refusal: None,
        ending: None,
    };

    /// Saves or loads it.
    pub(super) fn fields(&mut self, io: &mut StateIo<'_>, known: Known) -> Result<(), StateError> {
        let Self {
            client_order_id,
            venue_order_id,
            instrument,
            side,
            kind,
            time_in_force,
            purpose,
            price,
            stop_price,
            qty,
            filled_qty,
            last_fill_price,
            signal_id,
            accepted_ts,
            is_adopted,
            heard,
            absent,
            terms,
            parent,
            replaces,
            paired_qty,
            cum_qty,
            is_alive,
            is_cancel_pending,
            is_unknown,
            refusal,
            ending,
        } = self;
        io.number(client_order_id)?;
        let is_numbered = (1..=known.last_sequence).contains(&client_order_id.sequence());
        io.sound(is_numbered || *client_order_id == ClientOrderId::NONE)?;
        io.number(venue_order_id)?;
        io.number(instrument)?;
        io.sound(instrument.index() < known.instruments)?;
        io.choice(side, &Side::BOTH)?;
        io.choice(kind, &OrderKind::ALL)?;
        io.choice(time_in_force, &TimeInForce::ALL)?;
        io.choice(purpose, &Purpose::ALL)?;
        for amount in [&mut price.0, &mut stop_price.0, &mut qty.0, &mut filled_qty.0, &mut last_fill_price.0]
        {
            io.unsigned(amount)?;
        }
        io.number(signal_id)?;
        io.past(accepted_ts, known.now)?;
        io.flag(is_adopted)?;
        io.number(heard)?;
        io.sound(*heard <= known.round)?;
        io.number(absent)?;
        terms.state(io)?;
        io.sound(terms.is_beside(*client_order_id, known.last_sequence))?;
        for id in [&mut *parent, &mut *replaces] {
            io.number(id)?;
            io.sound(*id < *client_order_id || *id == ClientOrderId::NONE)?;
        }
        io.unsigned(&mut paired_qty.0)?;
        io.sound(*paired_qty == Qty::ZERO || terms.oco != ClientOrderId::NONE)?;
        io.number(cum_qty)?;
        io.flag(is_alive)?;
        io.flag(is_cancel_pending)?;
        io.flag(is_unknown)?;
        io.option(refusal, || Refusal::NotFound, |io, refusal| refusal.state(io))?;
        io.option(ending, || Ending::Canceled, |io, ending| ending.state(io))?;
        let is_filled = *filled_qty > Qty::ZERO;
        io.sound((*qty > Qty::ZERO || *parent != ClientOrderId::NONE) && filled_qty <= cum_qty)?;
        // Fills that came with an adopted position have no price; one that is gone without a word may have filled.
        let is_priced = is_filled || *last_fill_price == Price::ZERO;
        io.sound(is_priced && (*is_alive || !is_filled || refusal.is_some()))
    }
}

impl OrderTerms {
    /// How many ids after the order's own belong to what comes with it.
    fn comes_along(&self) -> u64 {
        if self.target_on_fill > Price::ZERO { 2 } else { u64::from(self.stop_on_fill > Price::ZERO) }
    }

    /// The ids that it names can be those of other orders.
    fn is_beside(&self, id: ClientOrderId, last_sequence: u64) -> bool {
        id.sequence() + self.comes_along() <= last_sequence && (self.oco != id || id == ClientOrderId::NONE)
    }

    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { reduce_only, stop_on_fill, target_on_fill, oco } = self;
        io.flag(reduce_only)?;
        io.unsigned(&mut stop_on_fill.0)?;
        io.unsigned(&mut target_on_fill.0)?;
        io.number(oco)
    }
}

impl Ending {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        io.choice(self, &[Self::Canceled, Self::Expired])
    }
}

impl Refusal {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let (mut kind, mut code) = match *self {
            Self::NotFound => (0u8, 0),
            Self::Unsent => (1, 0),
            Self::Rejected(code) => (2, code),
        };
        io.number(&mut kind)?;
        *self = match kind {
            0 => Self::NotFound,
            1 => Self::Unsent,
            2 => {
                io.number(&mut code)?;
                Self::Rejected(code)
            }
            _ => return Err(io.bad_value()),
        };
        Ok(())
    }
}
