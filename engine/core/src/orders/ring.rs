//! Fixed memories of the order table: orders that ended, and trades that were counted.

use super::Order;
use super::order::Known;
use crate::state::{StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId};
use alloc::vec;
use alloc::vec::Vec;

/// Ended orders remembered; the oldest leaves.
pub(super) const HISTORY_MAX: usize = 1024;

/// Trades remembered; the oldest leaves. Older duplicates are caught by the cumulative quantity.
pub(super) const TRADES_MAX: usize = 1024;

/// Ended orders, found by id. The ids stand apart so that a search reads 8 KiB in a row.
pub(super) struct History {
    ids: Vec<ClientOrderId>,
    orders: Vec<Order>,
    next: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { ids: Vec::with_capacity(HISTORY_MAX), orders: Vec::with_capacity(HISTORY_MAX), next: 0 }
    }
}

impl History {
    pub(super) fn get(&self, id: ClientOrderId) -> Option<&Order> {
        self.orders.get(self.position(id)?)
    }

    pub(super) fn push(&mut self, order: &Order) {
        match (self.ids.get_mut(self.next), self.orders.get_mut(self.next)) {
            (Some(id), Some(slot)) => (*id, *slot) = (order.client_order_id, *order),
            _ => {
                self.ids.push(order.client_order_id);
                self.orders.push(*order);
            }
        }
        self.next = (self.next + 1) % HISTORY_MAX;
    }

    /// Overwrites the order of the same id, if it is here.
    pub(super) fn replace(&mut self, order: &Order) {
        if let Some(slot) = self.position(order.client_order_id).and_then(|at| self.orders.get_mut(at)) {
            *slot = *order;
        }
    }

    pub(super) fn forget(&mut self, id: ClientOrderId) {
        if let Some(slot) = self.position(id).and_then(|at| self.ids.get_mut(at)) {
            *slot = ClientOrderId::NONE;
        }
    }

    fn position(&self, id: ClientOrderId) -> Option<usize> {
        self.ids.iter().position(|&known| known == id && id != ClientOrderId::NONE)
    }
}

/// Trades counted, by the venue's number.
pub(super) struct TradeIds {
    trades: Vec<u64>,
    instruments: Vec<InstrumentId>,
    next: usize,
    /// By instrument, no less than any number of its trades here: venues count upwards, so that a new trade is
    /// known to be new without a search (which costs more than the rest of a fill).
    highest: Vec<u64>,
}

impl TradeIds {
    pub(super) fn new(instruments: usize) -> Self {
        Self {
            trades: vec![0; TRADES_MAX],
            instruments: vec![InstrumentId::NONE; TRADES_MAX],
            next: 0,
            highest: vec![0; instruments],
        }
    }

    pub(super) fn contains(&self, instrument: InstrumentId, trade_id: u64) -> bool {
        if self.highest.get(instrument.index()).is_some_and(|&highest| trade_id > highest) {
            return false;
        }
        let same_number = self.trades.iter().zip(&self.instruments).filter(|(trade, _)| **trade == trade_id);
        same_number.into_iter().any(|(_, known)| *known == instrument)
    }

    /// All of an instrument, in no particular order.
    pub(super) fn of(&self, instrument: InstrumentId) -> impl Iterator<Item = u64> {
        let all = self.trades.iter().zip(&self.instruments);
        all.filter(move |&(_, &of)| of == instrument).map(|(&trade, _)| trade)
    }

    pub(super) fn record(&mut self, instrument: InstrumentId, trade_id: u64) {
        if let (Some(trade), Some(known)) =
            (self.trades.get_mut(self.next), self.instruments.get_mut(self.next))
        {
            (*trade, *known) = (trade_id, instrument);
        }
        self.raise(instrument, trade_id);
        self.next = (self.next + 1) % TRADES_MAX;
    }
}

impl TradeIds {
    fn raise(&mut self, instrument: InstrumentId, trade_id: u64) {
        if let Some(highest) = self.highest.get_mut(instrument.index()) {
            *highest = trade_id.max(*highest);
        }
    }
}

impl History {
    /// Oldest first. Forgotten orders keep their place, for it is a place in time; those before the oldest order
    /// that is remembered have none.
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, known: Known) -> Result<(), StateError> {
        if self.ids.len() == HISTORY_MAX {
            self.ids.rotate_left(self.next);
            self.orders.rotate_left(self.next);
        }
        let Self { ids, orders, next } = self;
        let forgotten = ids.iter().take_while(|&&id| id == ClientOrderId::NONE).count();
        ids.drain(..forgotten);
        orders.drain(..forgotten);
        let mut len = ids.len();
        io.len(&mut len, HISTORY_MAX)?;
        if io.is_loading() {
            ids.clear();
            orders.clear();
            ids.resize(len, ClientOrderId::NONE);
            orders.resize(len, Order::BLANK);
        }
        *next = len % HISTORY_MAX;
        for (id, order) in ids.iter_mut().zip(orders) {
            let mut is_remembered = *id != ClientOrderId::NONE;
            io.flag(&mut is_remembered)?;
            if is_remembered {
                order.fields(io, known)?;
                io.sound(order.client_order_id != ClientOrderId::NONE)?;
                if io.is_loading() {
                    *id = order.client_order_id;
                }
            }
        }
        io.sound(ids.first() != Some(&ClientOrderId::NONE))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Order> {
        let places = self.ids.iter().zip(&self.orders);
        places.filter(|(id, _)| **id != ClientOrderId::NONE).map(|(_, order)| order)
    }
}

impl TradeIds {
    /// Oldest first.
    pub(super) fn state(&mut self, io: &mut StateIo<'_>, instruments: usize) -> Result<(), StateError> {
        let Self { trades, instruments: of, next, highest } = self;
        let mut len = of.iter().filter(|&&id| id != InstrumentId::NONE).count();
        if len == TRADES_MAX {
            trades.rotate_left(*next);
            of.rotate_left(*next);
        }
        io.len(&mut len, TRADES_MAX)?;
        *next = len % TRADES_MAX;
        for (at, (trade, instrument)) in trades.iter_mut().zip(of).enumerate() {
            if at < len {
                io.number(trade)?;
                io.number(instrument)?;
                io.sound(instrument.index() < instruments)?;
            } else {
                (*trade, *instrument) = (0, InstrumentId::NONE);
            }
        }
        if io.is_loading() {
            highest.fill(0);
            for at in 0..len {
                if let (Some(&instrument), Some(&trade)) = (self.instruments.get(at), self.trades.get(at)) {
                    self.raise(instrument, trade);
                }
            }
        }
        Ok(())
    }
}
