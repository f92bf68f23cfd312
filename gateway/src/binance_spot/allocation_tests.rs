//! The hot path takes no memory: placing, cancelling, and reading what comes back.

use super::decode::Scratch;
use super::desk::{Desk, report};
use super::session::{Out, Sent};
use crate::testing::order;
use serde_json::json;
use smc_core::event::EventBody;
use smc_core::output::CancelOrder;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nobody asks for it.
    let _ = ALLOCATIONS.try_with(|c| c.set(c.get() + 1));
}

// SAFETY: every call goes on to the system allocator unchanged; counting touches a thread-local without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `act` and says how often it asked for memory.
fn allocations(act: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    act();
    ALLOCATIONS.get() - before
}

#[test]
fn an_orders_life_takes_no_memory() {
    assert!(allocations(|| drop(std::hint::black_box(Box::new([0u8; 64])))) > 0, "the counter counts");
    let mut desk = Desk::ready();
    let mut scratch = Scratch::new();
    let mut events = Vec::with_capacity(64);
    let mut payload = Vec::with_capacity(4_096);
    // The id of the request that was written last.
    let id = Cell::new([0u8; 16]);
    let now = desk.now;
    for round in 1..=40 {
        let order = order(0, round);
        let text = order.client_order_id.to_string();
        let cancel = CancelOrder {
            instrument: order.instrument,
            client_order_id: order.client_order_id,
            venue_order_id: 9_000 + round,
        };
        let limits = json!([{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50, "count": 1},
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": 9}]);
        let ack = format!(
            "\"status\":200,\"result\":{{\"symbol\":\"BTCUSDT\",\"orderId\":{},\"orderListId\":-1,\
             \"clientOrderId\":\"{text}\",\"transactTime\":1700000000000}},\"rateLimits\":{limits}}}",
            9_000 + round
        );
        let canceled = format!(
            "\"status\":200,\"result\":{{\"symbol\":\"BTCUSDT\",\"origClientOrderId\":\"{text}\",\"orderId\":{},\
             \"clientOrderId\":\"91fe37ce\",\"status\":\"CANCELED\",\"executedQty\":\"0.1\",\"fills\":[]}}}}",
            9_000 + round
        );
        let refused = format!(
            "\"status\":400,\"error\":{{\"code\":-2011,\"msg\":\"Unknown order sent.\"}},\"rateLimits\":{limits}}}"
        );
        // Key order as the venue writes it is not needed; the scanner wants only its plain style and `e` first.
        let hot = |mut report: serde_json::Value| {
            report["event"].as_object_mut().unwrap().remove("e");
            let inside = report["event"].to_string();
            format!("{{\"subscriptionId\":0,\"event\":{{\"e\":\"executionReport\",{}}}", &inside[1..])
        };
        let new = hot(report(&order, "NEW", "NEW", "0", None));
        let fill = hot(report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((round, "0.1"))));
        let balances = json!({"subscriptionId": 0, "event": {"e": "outboundAccountPosition", "E": 1, "u": 1,
            "B": [{"a": "BTC", "f": "1.5", "l": "0"}, {"a": "USDT", "f": "10.5", "l": "2"}]}})
        .to_string();

        events.clear();
        let session = &mut desk.session;
        let taken = allocations(|| {
            let mut emit = |event| events.push(event);
            let mut out = Out::new(now, &mut emit);
            let mut wire = |bytes: &[u8]| {
                let mut digits = [0; 16];
                digits.copy_from_slice(&bytes[6..22]);
                id.set(digits);
                Sent::Yes
            };
            let hear = |id: Option<[u8; 16]>, text: &str, payload: &mut Vec<u8>| {
                payload.clear();
                if let Some(id) = id {
                    payload.extend_from_slice(b"{\"id\":");
                    payload.extend_from_slice(&id);
                    payload.push(b',');
                }
                payload.extend_from_slice(text.as_bytes());
            };
            session.place(now, &order, &mut wire).unwrap();
            hear(Some(id.get()), &ack, &mut payload);
            session.on_message(&mut payload, &mut scratch, &mut out);
            for report in [&new, &fill, &balances] {
                hear(None, report, &mut payload);
                session.on_message(&mut payload, &mut scratch, &mut out);
            }
            session.cancel(now, &cancel, &mut wire).unwrap();
            hear(Some(id.get()), &canceled, &mut payload);
            session.on_message(&mut payload, &mut scratch, &mut out);
            session.cancel(now, &cancel, &mut wire).unwrap();
            hear(Some(id.get()), &refused, &mut payload);
            session.on_message(&mut payload, &mut scratch, &mut out);
            session.drive(&mut out, &mut wire);
        });
        events.retain(|event| matches!(event.body, EventBody::Order(_) | EventBody::Balance(_)));
        // Ack twice, fill, two balances, cancelled, cancel refused.
        assert_eq!(events.len(), 7, "{events:?}");
        assert_eq!(desk.session.counters.refused, 0);
        assert_eq!(taken, 0, "round {round}");
    }
}
