//! What a topology needs of a venue: something that turns bytes into events, and something that turns approved
//! orders into bytes. Implemented by each venue module; statically dispatched.

use smc_core::event::{Event, EventBody, OrderUpdate, OrderUpdateKind, REJECT_NOT_SENT};
use smc_core::output::{CancelOrder, Output, ReplaceOrder};
use smc_core::risk::ApprovedOrder;
use smc_core::{ClientOrderId, InstrumentId, TsNs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Venues that a person wants disconnected, by number: said by the engine thread, followed by the threads that hold the
/// connections.
#[derive(Clone, Debug, Default)]
pub struct Unlinked(Arc<AtomicU32>);

impl Unlinked {
    /// Wants the venue disconnected, or no more. Numbers beyond those an engine can have are nobody's.
    pub fn set(&self, venue: u16, is_wanted: bool) {
        let Some(bit) = 1u32.checked_shl(u32::from(venue)) else { return };
        match is_wanted {
            true => self.0.fetch_or(bit, Ordering::Relaxed),
            false => self.0.fetch_and(!bit, Ordering::Relaxed),
        };
    }

    /// Nothing is wanted.
    #[inline]
    pub fn none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// The venue is to be disconnected.
    pub fn has(&self, venue: u8) -> bool {
        self.0.load(Ordering::Relaxed).checked_shr(u32::from(venue)).unwrap_or(0) & 1 == 1
    }
}

/// Market data of one venue.
pub trait MarketFeed: Send {
    /// One bounded pass; returns what it handled.
    fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32;
    /// Every stream is subscribed: the market may begin.
    fn is_subscribed(&self) -> bool;
    /// Raw bytes read from and written to its sockets.
    fn bytes(&self) -> (u64, u64);
    /// Connects and requests under way.
    fn in_flight(&self) -> u32;
    /// messages, refused, gaps, resyncs, reconnects.
    fn tallies(&self) -> [u64; 5];
}

/// The order path of one venue. It takes what the gate approved, and nothing else:
///
/// ```compile_fail,E0308
/// use smc_core::{TsNs, output::NewOrder};
/// use smc_runtime::venue::OrderGateway;
/// fn around_the_gate(gateway: &mut impl OrderGateway, now: TsNs, order: &NewOrder) {
///     gateway.place(now, order);
/// }
/// ```
///
/// ```
/// use smc_core::{TsNs, risk::ApprovedOrder};
/// use smc_runtime::venue::OrderGateway;
/// fn through_the_gate(gateway: &mut impl OrderGateway, now: TsNs, order: &ApprovedOrder) {
///     gateway.place(now, order);
/// }
/// ```
pub trait OrderGateway: Send {
    /// One bounded pass; returns what it handled.
    fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32;
    /// Writes the order to the socket; false when nothing was sent.
    fn place(&mut self, now: TsNs, order: &ApprovedOrder) -> bool;
    /// Writes the cancel to the socket; false when nothing was sent.
    fn cancel(&mut self, now: TsNs, cancel: &CancelOrder) -> bool;
    /// Writes the replacement to the socket; false when nothing was sent. Asked only of venues whose rules say that
    /// they can: without one, nothing is sent and the order that was replaced stays.
    fn replace(&mut self, _now: TsNs, _replace: &ReplaceOrder) -> bool {
        false
    }
    /// Asks a venue, by its number, for everything that works and is held there: another round of reconciliation.
    fn want_round(&mut self, _now: TsNs, _venue: u8) {}
    /// Orders may be sent.
    fn is_ready(&self) -> bool;
    /// Why it will never be ready (a wrong key, say); none once a venue was, which is then lost alone.
    fn fatal(&self) -> Option<String>;
    /// Raw bytes read from and written to its sockets.
    fn bytes(&self) -> (u64, u64);
    /// Connects under way.
    fn in_flight(&self) -> u32;
}

/// Hands one output to the gateway; what could not be sent comes back as the event that says so.
pub fn send<G: OrderGateway>(gateway: &mut G, now: TsNs, output: &Output) -> Option<Event> {
    let is_sent = match output {
        Output::NewOrder(order) => gateway.place(now, order),
        Output::Cancel(cancel) => gateway.cancel(now, cancel),
        Output::Replace(replace) => gateway.replace(now, replace),
        _ => true,
    };
    if is_sent { None } else { not_sent(now, output, REJECT_NOT_SENT) }
}

/// The event that says an order or a cancel was not sent, with the reason. Of a replacement it is the new order that
/// never was; the old one works on.
pub fn not_sent(now: TsNs, output: &Output, code: i32) -> Option<Event> {
    let order = match output {
        Output::NewOrder(order) => order,
        Output::Replace(replace) => &replace.order,
        Output::Cancel(cancel) => {
            let kind = OrderUpdateKind::CancelReject { code };
            return Some(refusal(now, cancel.client_order_id, cancel.instrument, kind));
        }
        _ => return None,
    };
    let (id, instrument) = (order.order().client_order_id, order.order().instrument);
    Some(refusal(now, id, instrument, OrderUpdateKind::Reject { code }))
}

/// The event for an order that never left the process.
pub fn refusal(now: TsNs, id: ClientOrderId, instrument: InstrumentId, kind: OrderUpdateKind) -> Event {
    let update = OrderUpdate { client_order_id: id, venue_order_id: 0, kind };
    Event { seq: 0, ts_event: now, ts_recv: now, instrument, body: EventBody::Order(update) }
}
