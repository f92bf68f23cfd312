//! The orders of a journal that may still be at a venue, as far as the journal tells.

use smc_core::codec::{self, CodecError};
use smc_core::event::{Event, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder, Output, Purpose};
use smc_core::words::{ClientOrderId, InstrumentId, Qty};
use smc_journal::{Record, RecordKind};
use std::collections::BTreeMap;

/// An order that may be working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where.
    pub instrument: InstrumentId,
    /// What for.
    pub purpose: Purpose,
    /// The venue's number; 0 until told.
    pub venue_order_id: u64,
    /// Quantity asked for.
    pub qty: Qty,
    /// Filled so far.
    pub filled: Qty,
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The whole of it was done before anything could stop it.
    Filled,
    /// Withdrawn, by whoever.
    Canceled,
    /// By its own terms.
    Expired,
    /// The venue never took it.
    Refused,
}

impl Ending {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Orders(BTreeMap<ClientOrderId, Waiting>);

impl Orders {
    /// Takes a record in: orders of outputs, what became of them from inputs. Others say nothing.
    pub fn take(&mut self, record: &Record<'_>) -> Result<(), CodecError> {
        match record.kind {
            RecordKind::Output => match codec::decode::<Output<NewOrder>>(record.payload)? {
                Output::NewOrder(order) => self.open(&order),
                Output::Replace(replace) => self.open(&replace.order),
                _ => {}
            },
            RecordKind::Input => _ = self.hear(&codec::decode(record.payload)?),
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, order: &NewOrder) {
        let NewOrder { client_order_id, instrument, purpose, qty, .. } = *order;
        let waiting = Waiting { instrument, purpose, venue_order_id: 0, qty, filled: Qty::ZERO };
        self.0.insert(client_order_id, waiting);
    }

    /// What a venue says of one of them, in the journal or to us. Says which one has ended.
    pub fn hear(&mut self, event: &Event) -> Option<(ClientOrderId, Ending)> {
        let EventBody::Order(OrderUpdate { client_order_id, venue_order_id, kind }) = event.body else {
            return None;
        };
        let waiting = self.0.get_mut(&client_order_id)?;
        if venue_order_id != 0 {
            waiting.venue_order_id = venue_order_id;
        }
        let ending = match kind {
            OrderUpdateKind::Fill { cum_qty, .. } => {
                waiting.filled = waiting.filled.max(cum_qty);
                (waiting.filled >= waiting.qty).then_some(Ending::Filled)
            }
            OrderUpdateKind::Reject { .. } | OrderUpdateKind::NotFound => Some(Ending::Refused),
            OrderUpdateKind::Canceled { .. } => Some(Ending::Canceled),
            OrderUpdateKind::Expired { .. } => Some(Ending::Expired),
            OrderUpdateKind::Ack | OrderUpdateKind::CancelReject { .. } | OrderUpdateKind::Unknown => None,
        }?;
        self.0.remove(&client_order_id);
        Some((client_order_id, ending))
    }

    /// Those that are not to wait for nobody: entries, or all where `all` says so.
    pub fn unwanted(&self, all: bool) -> impl Iterator<Item = CancelOrder> {
        let wanted = move |waiting: &Waiting| !all && waiting.purpose != Purpose::Entry;
        self.0.iter().filter(move |(_, waiting)| !wanted(waiting)).map(|(&client_order_id, waiting)| {
            let Waiting { instrument, venue_order_id, .. } = *waiting;
            CancelOrder { instrument, client_order_id, venue_order_id }
        })
    }

    /// What is known of one.
    pub fn get(&self, id: ClientOrderId) -> Option<&Waiting> {
        self.0.get(&id)
    }

    /// How many may be working.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None may be working.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
