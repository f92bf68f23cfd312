//! Fixed memories of the order table: orders that ended, and trades that were counted.

use super::Order;
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
}

impl Default for TradeIds {
    fn default() -> Self {
        Self { trades: vec![0; TRADES_MAX], instruments: vec![InstrumentId::NONE; TRADES_MAX], next: 0 }
    }
}

impl TradeIds {
    pub(super) fn contains(&self, instrument: InstrumentId, trade_id: u64) -> bool {
        let same_number = self.trades.iter().zip(&self.instruments).filter(|(trade, _)| **trade == trade_id);
        same_number.into_iter().any(|(_, known)| *known == instrument)
    }

    pub(super) fn record(&mut self, instrument: InstrumentId, trade_id: u64) {
        if let (Some(trade), Some(known)) =
            (self.trades.get_mut(self.next), self.instruments.get_mut(self.next))
        {
            (*trade, *known) = (trade_id, instrument);
        }
        self.next = (self.next + 1) % TRADES_MAX;
    }
}
