//! The book against a plain sorted map, and what makes it trusted.

mod money_common;

use money_common::*;
use smc_core::book::{Book, LADDER_LEVELS_MAX};
use smc_core::event::{BookUpdate, FeedState, Level, Quote, Trade};
use smc_core::words::{Price, Qty, Side, TsNs};
use std::collections::BTreeMap;

fn update(side: Side, update_id: u64, levels: &[(i64, i64)], is_start: bool, is_last: bool) -> BookUpdate {
    let mut slots = [Level::default(); 4];
    for (slot, &(price, qty)) in slots.iter_mut().zip(levels) {
        *slot = Level { price: Price(price), qty: Qty(qty) };
    }
    BookUpdate {
        update_id,
        is_snapshot_start: is_start,
        is_last,
        side,
        len: levels.len() as u8,
        levels: slots,
    }
}

fn quote(bid: i64, ask: i64, update_id: u64) -> Quote {
    Quote { bid: Price(bid), bid_qty: Qty(1), ask: Price(ask), ask_qty: Qty(1), update_id }
}

fn live() -> Book {
    let mut book = Book::new();
    book.on_feed(FeedState::Syncing, TsNs(1));
    book.on_feed(FeedState::Live, TsNs(2));
    book
}

fn mid(book: &Book) -> Option<(i64, u64)> {
    book.reference().map(|r| (r.price.0, r.ts.0))
}

#[test]
fn the_ladder_agrees_with_a_sorted_map() {
    let mut rng = Rng::seeded("ladder", 0x5EED_B00C_0001);
    for _ in 0..40 {
        let mut book = live();
        let mut maps = [BTreeMap::new(), BTreeMap::new()];
        for n in 1..2_000u64 {
            let side = rng.side();
            let is_start = rng.one_in(500);
            // Fewer distinct prices than levels: nothing falls out, so both must agree on everything.
            let base = if side == Side::Buy { 1_000 } else { 1_001 + LADDER_LEVELS_MAX as i64 };
            let levels: Vec<_> = (0..rng.below(5))
                .map(|_| (base + rng.below(LADDER_LEVELS_MAX as u64) as i64, rng.between(0, 3)))
                .collect();
            book.on_update(&update(side, n, &levels, is_start, true), TsNs(n));
            if is_start {
                maps = [BTreeMap::new(), BTreeMap::new()];
            }
            for (price, qty) in levels {
                match qty {
                    0 => maps[side as usize].remove(&price),
                    qty => maps[side as usize].insert(price, qty),
                };
            }
            let bids: Vec<_> = book.levels(Side::Buy).map(|l| (l.price.0, l.qty.0)).collect();
            let asks: Vec<_> = book.levels(Side::Sell).map(|l| (l.price.0, l.qty.0)).collect();
            assert!(bids.iter().copied().eq(maps[0].iter().rev().map(|(&p, &q)| (p, q))));
            assert!(asks.iter().copied().eq(maps[1].iter().map(|(&p, &q)| (p, q))));
            assert_eq!(
                book.best_bid().map(|l| l.price.0),
                bids.first().filter(|_| !asks.is_empty()).map(|l| l.0)
            );
            assert_eq!(book.is_trusted(), !bids.is_empty() && !asks.is_empty());
        }
    }
}

#[test]
fn the_deepest_level_falls_out() {
    let mut rng = Rng::seeded("deep ladder", 0x5EED_B00C_0002);
    let mut prices: Vec<i64> = (1..=2_000).collect();
    rng.shuffle(&mut prices);
    for side in [Side::Buy, Side::Sell] {
        let mut book = live();
        for (n, &price) in prices.iter().enumerate() {
            book.on_update(&update(side, n as u64, &[(price, 1)], false, true), TsNs(9));
        }
        let kept: Vec<_> = book.levels(side).map(|l| l.price.0).collect();
        let best: Vec<i64> = match side {
            Side::Buy => (1..=2_000).rev().take(LADDER_LEVELS_MAX).collect(),
            Side::Sell => (1..=2_000).take(LADDER_LEVELS_MAX).collect(),
        };
        assert_eq!(kept, best);
    }
}

#[test]
fn only_a_live_uncrossed_book_is_trusted() {
    let mut book = Book::new();
    book.on_quote(&quote(99, 101, 1), TsNs(5));
    assert_eq!(mid(&book), None, "not live");
    book.on_feed(FeedState::Live, TsNs(6));
    assert_eq!(mid(&book), Some((100, 6)));
    assert_eq!(book.spread(), Some(Price(2)));
    book.on_quote(&quote(102, 101, 2), TsNs(7));
    assert!(!book.is_trusted());
    assert_eq!(mid(&book), Some((100, 6)), "the last trusted book, as old as it is");
    book.on_quote(&quote(101, 101, 3), TsNs(8));
    assert!(!book.is_trusted(), "locked");
    book.on_quote(&quote(0, 101, 4), TsNs(9));
    assert!(!book.is_trusted(), "no bid");
    book.on_quote(&quote(103, 106, 5), TsNs(10));
    assert_eq!(mid(&book), Some((104, 10)), "rounded down");
    book.on_quote(&quote(1, 2, 4), TsNs(11));
    assert_eq!(mid(&book), Some((104, 10)), "an older quote changes nothing");
    book.on_feed(FeedState::Stale, TsNs(12));
    assert_eq!(mid(&book), None);
    assert_eq!(book.mark(), Price(104), "positions are still valued");
    book.on_feed(FeedState::Live, TsNs(13));
    assert_eq!(mid(&book), Some((104, 10)), "silence ended, but what is known is as old as before");
    book.on_feed(FeedState::Down, TsNs(14));
    book.on_feed(FeedState::Live, TsNs(15));
    assert_eq!(mid(&book), None, "nothing survives a disconnect");
    assert_eq!(book.mark(), Price(104));
}

#[test]
fn a_trade_is_the_reference_until_there_is_a_book() {
    let mut book = live();
    let trade = |price| Trade { price: Price(price), qty: Qty(1), aggressor: Side::Buy, trade_id: 1 };
    book.on_trade(&trade(55), TsNs(3));
    assert_eq!((mid(&book), book.mark()), (Some((55, 3)), Price(55)));
    book.on_trade(&trade(0), TsNs(4));
    assert_eq!(mid(&book), Some((55, 3)));
    book.on_quote(&quote(60, 62, 1), TsNs(5));
    book.on_trade(&trade(55), TsNs(6));
    assert_eq!((mid(&book), book.mark()), (Some((61, 5)), Price(61)));
}

#[test]
fn the_newer_of_quote_and_ladder_names_the_best_prices() {
    let mut book = live();
    book.on_update(&update(Side::Buy, 10, &[(90, 1)], true, false), TsNs(3));
    assert_eq!(book.top(), None, "half a snapshot");
    book.on_update(&update(Side::Sell, 10, &[(110, 1)], false, true), TsNs(4));
    assert_eq!(mid(&book), Some((100, 4)));
    book.on_quote(&quote(95, 97, 12), TsNs(5));
    assert_eq!(mid(&book), Some((96, 5)));
    book.on_update(&update(Side::Buy, 11, &[(91, 1)], false, true), TsNs(6));
    assert_eq!(mid(&book), Some((96, 6)), "the depth stream lags the quote");
    book.on_update(&update(Side::Buy, 14, &[(92, 1)], false, true), TsNs(7));
    assert_eq!(mid(&book), Some((101, 7)), "and has passed it");
    book.on_update(&update(Side::Sell, 15, &[(110, 0)], false, false), TsNs(8));
    assert_eq!(mid(&book), Some((101, 7)), "a half-applied message confirms nothing");
}
