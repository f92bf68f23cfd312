//! The gate and the handling of reports take no memory: every allocation of the thread is counted while they run.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod money_common;

use money_common::*;
use smc_core::book::Book;
use smc_core::event::{
    AssetRate, BookUpdate, Cash, CashKind, FeedState, Level, OrderUpdateKind, Quote, Trade, VenuePosition,
};
use smc_core::words::{Money, Price, Qty, SCALE, Side, TsNs};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed unchanged to the system allocator, which upholds the contract; the counter is a
// constant-initialised thread local without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on; all memory came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on; all memory came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const REF: i64 = 65_000 * SCALE;
const LOT: i64 = SCALE / 1000;

#[test]
fn checks_reports_and_books_take_no_memory() {
    let mut desk = Desk::new(2);
    let mut book = Book::new();
    let before = TAKEN.with(Cell::get);
    for n in 0..5_000i64 {
        desk.pass(300 * MS);
        let order = desk.limit(0, if n % 2 == 0 { Side::Buy } else { Side::Sell }, REF, 4 * LOT);
        desk.accept(&order);
        let denied = desk.limit(0, Side::Buy, REF + 1, LOT);
        assert!(!desk.codes(&denied).is_empty());
        desk.report(&order, OrderUpdateKind::Ack);
        desk.trade_id += 1;
        desk.report(&order, fill(desk.trade_id, REF + n * LOT, LOT, LOT));
        desk.orders.begin_cancel(order.client_order_id);
        desk.report(&order, OrderUpdateKind::Canceled { cum_qty: Qty(2 * LOT) });
        desk.trade_id += 1;
        desk.report(&order, fill(desk.trade_id, REF + n * LOT, LOT, 2 * LOT));
        feed(&mut book, n);
        money(&mut desk, n);
        desk.gate.arm();
    }
    assert_eq!(TAKEN.with(Cell::get) - before, 0);
    assert_eq!(desk.positions.stats(smc_core::InstrumentId(0)).fills, 10_000);
}

/// More assets than there is room for, and every way money moves without a fill.
fn money(desk: &mut Desk, n: i64) {
    let (one, asset) = (smc_core::InstrumentId(0), ASSETS[n as usize % ASSETS.len()]);
    let asset = smc_core::words::Name::from_bytes(&[asset, b'0' + (n / 20 % 10) as u8]).unwrap();
    if n % 3 == 0 {
        desk.positions.on_rate(&AssetRate { asset, price: Price(SCALE + n) });
    }
    let kind = if n % 2 == 0 { CashKind::Funding } else { CashKind::Transfer };
    desk.positions.on_cash(one, &Cash { kind, asset, amount: Money(1), booking_id: n as u64 });
    desk.positions.mark_by_venue(one, Price(REF + n));
    if n % 100 == 0 {
        desk.positions.adopt(one, &VenuePosition { qty: Qty(LOT), average: Price(REF) });
    }
    assert!(desk.positions.free_margin(&desk.orders).is_some());
}

const ASSETS: &[u8; 20] = b"ABCDEFGHIJKLMNOPQRST";

fn feed(book: &mut Book, n: i64) {
    let ts = TsNs(START.0 + n as u64);
    book.on_feed(if n % 1_000 == 0 { FeedState::Syncing } else { FeedState::Live }, ts);
    let level = |offset: i64| Level { price: Price(REF + offset * SCALE), qty: Qty(LOT) };
    for (side, way) in [(Side::Buy, -1), (Side::Sell, 1)] {
        let levels = [level(way), level(way * (n % 700)), level(way * (n % 31)), level(way * (n % 301))];
        let update_id = n as u64;
        let update = BookUpdate { update_id, is_snapshot_start: false, is_last: true, side, len: 4, levels };
        book.on_update(&update, ts);
    }
    let (bid, ask) = (Price(REF - SCALE), Price(REF + SCALE));
    book.on_quote(&Quote { bid, bid_qty: Qty(LOT), ask, ask_qty: Qty(LOT), update_id: n as u64 }, ts);
    book.on_trade(&Trade { price: bid, qty: Qty(LOT), aggressor: Side::Sell, trade_id: n as u64 }, ts);
}
