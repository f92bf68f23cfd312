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
    /// When the gate accepted it, or when it was adopted.
    pub accepted_ts: TsNs,
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

    /// Filled as the venue counts, and not told yet.
    pub fn missing_qty(&self) -> Qty {
        Qty(self.cum_qty.0.saturating_sub(self.filled_qty.0).max(0))
    }

    /// Asked for and not filled; what a venue would call the remaining quantity of a working order.
    pub fn leaves_qty(&self) -> Qty {
        if self.ending.is_some() { Qty::ZERO } else { self.reserved_qty() }
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
        io.number(cum_qty)?;
        io.flag(is_alive)?;
        io.flag(is_cancel_pending)?;
        io.flag(is_unknown)?;
        io.option(refusal, || Refusal::NotFound, |io, refusal| refusal.state(io))?;
        io.option(ending, || Ending::Canceled, |io, ending| ending.state(io))?;
        let is_filled = *filled_qty > Qty::ZERO;
        io.sound(*qty > Qty::ZERO && filled_qty <= cum_qty)?;
        // Fills that came with an adopted position have no price; one that is gone without a word may have filled.
        let is_priced = is_filled || *last_fill_price == Price::ZERO;
        io.sound(is_priced && (*is_alive || !is_filled || refusal.is_some()))
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
