//! Positions, profit and equity against sums done the plain way.

mod money_common;

use money_common::*;
use smc_core::event::{Balance, OrderUpdateKind};
use smc_core::orders::OrderEffect;
use smc_core::output::NewOrder;
use smc_core::position::{PositionBook, PositionChange};
use smc_core::sizing::Rate;
use smc_core::words::{InstrumentId, Money, Name, Price, Qty, SCALE, Side};

const ONE: InstrumentId = InstrumentId(0);

/// A desk without limits worth the name, so that any fill can be made.
struct Fills {
    desk: Desk,
    order: [NewOrder; 2],
    filled: [i64; 2],
    flat_below: Qty,
    is_maker: bool,
}

impl Fills {
    fn new() -> Self {
        let mut desk = Desk::new(1);
        let mut open = |side, price| {
            let order = desk.limit(0, side, price, whole(1));
            desk.accept(&order);
            order
        };
        let order = [open(Side::Buy, whole(64_000)), open(Side::Sell, whole(66_000))];
        Self { desk, order, filled: [0; 2], flat_below: Qty::ZERO, is_maker: false }
    }

    /// Fills beyond what was asked are counted too; that is all this needs.
    fn fill(&mut self, side: Side, price: i64, qty: i64, fee: i64, fee_asset: &str) -> PositionChange {
        let at = side as usize;
        self.filled[at] += qty;
        self.desk.trade_id += 1;
        let kind = OrderUpdateKind::Fill {
            trade_id: self.desk.trade_id,
            side,
            price: Price(price),
            qty: Qty(qty),
            cum_qty: Qty(self.filled[at]),
            fee: Money(fee),
            fee_asset: name(fee_asset),
            is_maker: self.is_maker,
        };
        let update = smc_core::event::OrderUpdate {
            client_order_id: self.order[at].client_order_id,
            venue_order_id: 0,
            kind,
        };
        let OrderEffect::Filled(fill) = self.desk.orders.on_update(ONE, &update, self.desk.now) else {
            panic!("not a fill")
        };
        self.desk.positions.on_fill(&fill, self.flat_below)
    }
}

#[test]
fn a_round_trip_by_hand() {
    let mut fills = Fills::new();
    fills.fill(Side::Buy, whole(100), whole(2), whole(1), "USDT");
    let change = fills.fill(Side::Buy, whole(103), whole(1), 0, "USDT");
    assert_eq!(change.position.average, Price(whole(101)));
    assert_eq!(change.position.realised, Money(-whole(1)), "fees are realised at once");
    let change = fills.fill(Side::Sell, whole(111), whole(1), whole(1), "USDT");
    assert_eq!((change.position.qty, change.position.average), (Qty(whole(2)), Price(whole(101))));
    assert_eq!((change.position.realised, change.reduced_qty), (Money(whole(8)), Qty(whole(1))));
    assert_eq!(change.trip, None);
    // Through flat into a short: two close, one opens.
    let change = fills.fill(Side::Sell, whole(91), whole(3), 0, "USDT");
    assert_eq!((change.position.qty, change.position.average), (Qty(-whole(1)), Price(whole(91))));
    assert_eq!(change.reduced_qty, Qty(whole(2)));
    assert_eq!(change.trip, Some(Money(-whole(12))), "8 made, 20 lost");
    let change = fills.fill(Side::Buy, whole(81), whole(1), 0, "USDT");
    assert_eq!((change.position.qty, change.position.average), (Qty::ZERO, Price::ZERO));
    assert_eq!(change.trip, Some(Money(whole(10))));
    let stats = fills.desk.positions.stats(ONE);
    assert_eq!((stats.fills, stats.wins, stats.losses, stats.losses_in_a_row), (5, 1, 1, 0));
    assert_eq!(fills.desk.positions.realised(ONE), Money(-whole(2)));
    assert_eq!(fills.desk.positions.fees(ONE), Money(whole(2)));
    assert_eq!(fills.desk.positions.equity(), Money(whole(100_000) - whole(2)));
}

#[test]
fn averages_round_against_us() {
    let mut fills = Fills::new();
    fills.fill(Side::Buy, 100, 1, 0, "USDT");
    let change = fills.fill(Side::Buy, 101, 2, 0, "USDT");
    assert_eq!(change.position.average, Price(101), "100.67 for a long");
    fills.fill(Side::Sell, 101, 3, 0, "USDT");
    fills.fill(Side::Sell, 100, 2, 0, "USDT");
    let change = fills.fill(Side::Sell, 101, 1, 0, "USDT");
    assert_eq!(change.position.average, Price(100), "100.33 for a short");
}

#[test]
fn nothing_is_left_over_when_flat() {
    let mut rng = Rng::seeded("flat", 0x5EED_F1A7_0005);
    for _ in 0..500 {
        let mut fills = Fills::new();
        let mut held = 0;
        for _ in 0..rng.below(6) {
            let (qty, price) = (rng.between(1, 50), rng.between(1, 200));
            fills.fill(Side::Buy, price, qty, 0, "USDT");
            held += qty;
        }
        while held > 0 {
            let qty = rng.between(1, held);
            fills.fill(Side::Sell, rng.between(1, 200), qty, 0, "USDT");
            held -= qty;
        }
        // One unit alone in the position: any residue would show in its average.
        let change = fills.fill(Side::Buy, 100, 1, 0, "USDT");
        assert_eq!(change.position.average, Price(100));
    }
}

#[test]
fn fees_count_by_their_asset() {
    let mut fills = Fills::new();
    let change = fills.fill(Side::Buy, whole(50_000), whole(1), SCALE / 1000, "BTC");
    assert_eq!((change.position.fees, change.is_fee_unpriced), (Money(whole(50)), false));
    assert_eq!(change.position.qty, Qty(whole(1) - SCALE / 1000), "the fee was never held");
    assert_eq!(change.position.average, Price(whole(50_000)), "what is held costs its price");
    assert_eq!(fills.desk.positions.base_fee(ONE), Rate::from_ppm(1_000));
    let change = fills.fill(Side::Sell, whole(50_000), whole(1), whole(50), "USDT");
    assert_eq!(change.position.fees, Money(whole(100)));
    let change = fills.fill(Side::Buy, whole(50_000), whole(1), SCALE, "BNB");
    assert_eq!((change.position.fees, change.is_fee_unpriced), (Money(whole(100)), true));
    assert_eq!(fills.desk.positions.unpriced_fees(), 1);
    let change = fills.fill(Side::Sell, whole(50_000), whole(1), -whole(1), "USDT");
    assert_eq!(change.position.fees, Money(whole(99)), "a rebate");
}

#[test]
fn equity_starts_with_the_venues_balance_where_none_is_configured() {
    let mut book = PositionBook::new(1, name("USDT"), None);
    assert_eq!(book.equity(), Money::ZERO);
    let balance = |asset: &str, free: i64, locked: i64| Balance {
        asset: name(asset),
        free: Qty(whole(free)),
        locked: Qty(whole(locked)),
    };
    book.on_balance(&balance("BTC", 5, 0));
    assert_eq!(book.equity(), Money::ZERO);
    book.on_balance(&balance("USDT", 900, 100));
    book.on_balance(&balance("USDT", 1, 1));
    assert_eq!(book.equity(), Money(whole(1_000)), "only the first balance is a start");
    assert_eq!(book.balance(name("USDT")).unwrap().free, Qty(whole(1)));
    for n in 0..500 {
        book.on_balance(&balance(&format!("X{n}"), 1, 0));
    }
    assert!(book.set_assets(ONE, name("ETH"), name("BTC")), "another currency needs a rate, that is all");
    assert!(!book.set_assets(InstrumentId(1), name("ETH"), name("USDT")));
    assert_eq!(book.balance(Name::default()), None);
}

/// Whatever happens, and whatever asset the fee came from, equity is the venue's two balances: the money that came
/// and went, plus what is held at the mark.
#[test]
fn equity_is_cash_plus_holdings_whatever_the_fills() {
    let mut rng = Rng::seeded("positions", 0x5EED_9051_0004);
    for _ in 0..300 {
        let mut fills = Fills::new();
        let (mut cash, mut held) = (i128::from(whole(100_000)) * i128::from(SCALE), 0i128);
        let mut won = [0u32; 2];
        for _ in 0..200 {
            let side = rng.side();
            let (price, mut qty) = (rng.between(1, whole(90_000)), rng.between(1, whole(3)));
            if held != 0 && rng.one_in(3) && (held > 0) == (side == Side::Sell) {
                qty = held.abs() as i64;
            }
            let (fee, asset) = match rng.below(3) {
                0 => (rng.between(0, whole(2)), "USDT"),
                1 => (rng.between(0, SCALE / 100), "BTC"),
                _ => (0, "USDT"),
            };
            let before = held;
            let change = fills.fill(side, price, qty, fee, asset);
            let signed = i128::from(qty) * i128::from(side.sign());
            cash -= signed * i128::from(price);
            let signed = signed - if asset == "BTC" { i128::from(fee) } else { 0 };
            held = before + signed;
            cash -= if asset == "BTC" { 0 } else { i128::from(fee) * i128::from(SCALE) };
            assert_eq!(i128::from(change.position.qty.0), held);
            let reduced = if before * signed < 0 { before.abs().min(signed.abs()) } else { 0 };
            assert_eq!(i128::from(change.reduced_qty.0), reduced);
            assert_eq!(change.trip.is_some(), reduced > 0 && reduced == before.abs());
            if let Some(profit) = change.trip {
                won[usize::from(profit <= Money::ZERO)] += 1;
            }
            let mark = rng.between(1, whole(90_000));
            fills.desk.positions.mark(ONE, Price(mark));
            let expected = (cash + held * i128::from(mark)).div_euclid(SCALE.into());
            assert_eq!(i128::from(fills.desk.positions.equity().0), expected);
        }
        let stats = fills.desk.positions.stats(ONE);
        assert_eq!(stats.wins + stats.losses, won[0] + won[1]);
    }
}

/// Bought with a fee in kind, sold whole: what is realised is the price difference and both fees, once.
#[test]
fn a_fee_in_kind_is_paid_once() {
    let mut fills = Fills::new();
    fills.fill(Side::Buy, whole(50_000), whole(1), SCALE / 1000, "BTC");
    let held = whole(1) - SCALE / 1000;
    assert_eq!(fills.desk.positions.closing_qty(ONE), Qty(held));
    let change = fills.fill(Side::Sell, whole(51_000), held, 0, "USDT");
    assert_eq!((change.position.qty, change.position.fees), (Qty::ZERO, Money(whole(50))));
    // 50 949 came back of 50 000.
    assert_eq!((change.position.realised, change.trip), (Money(whole(949)), Some(Money(whole(949)))));
}

/// A short is bought back with the fee on top, never so much that it turns, and the gate calls that reducing.
#[test]
fn a_short_is_bought_back_with_the_fee_on_top() {
    let mut rng = Rng::seeded("closing", 0x5EED_C105_0006);
    for _ in 0..300 {
        let mut fills = Fills::new();
        let rate_e8 = rng.between(0, SCALE / 100);
        let fee_of = |qty: i64| (i128::from(qty) * i128::from(rate_e8) / i128::from(SCALE)) as i64;
        let seen = rng.between(SCALE / 1000, whole(1));
        fills.fill(Side::Buy, whole(50_000), seen, fee_of(seen), "BTC");
        let owed = rng.between(1, whole(3));
        let all = fills.desk.positions.qty(ONE).0 + owed;
        fills.fill(Side::Sell, whole(50_000), all, 0, "USDT");
        assert_eq!(fills.desk.positions.qty(ONE), Qty(-owed));
        let qty = fills.desk.positions.closing_qty(ONE).0;
        let change = fills.fill(Side::Buy, whole(50_000), qty, fee_of(qty), "BTC");
        let left = -change.position.qty.0;
        // The rate is known to one unit of the purchase it was seen on.
        let blur = 3 + owed / seen.max(1) + owed / SCALE;
        assert!((0..=blur).contains(&left), "{left} of {owed} left at {rate_e8}");
    }
}

#[test]
fn the_fee_in_kind_is_learned_from_purchases_alone() {
    let mut fills = Fills::new();
    let mut rate_after = |side, qty, fee, asset: &str| {
        fills.fill(side, whole(50_000), qty, fee, asset);
        fills.desk.positions.base_fee(ONE)
    };
    assert_eq!(rate_after(Side::Buy, 1_000_000, 750, "BTC"), Rate(75_000));
    assert_eq!(rate_after(Side::Buy, 1_000, 0, "BTC"), Rate(75_000), "0.75 rounds to nothing: no news");
    assert_eq!(rate_after(Side::Sell, 1_000_000, whole(1), "USDT"), Rate(75_000));
    assert_eq!(rate_after(Side::Buy, 1_000_000, 900_000, "BTC"), Rate(0), "no fee is nine tenths");
    assert_eq!(rate_after(Side::Buy, 1_000_000, 1_000, "BTC"), Rate(100_000));
    assert_eq!(rate_after(Side::Buy, 1_000_000, whole(1), "USDT"), Rate(0));
    assert_eq!(rate_after(Side::Buy, 1_000_000, -1_000, "BTC"), Rate(0), "a rebate");
    // Closing orders take: what resting costs is only the second best guess.
    fills.is_maker = true;
    fills.fill(Side::Buy, whole(50_000), 1_000_000, 100, "BTC");
    assert_eq!(fills.desk.positions.base_fee(ONE), Rate(10_000));
    fills.is_maker = false;
    fills.fill(Side::Buy, whole(50_000), 1_000_000, 200, "BTC");
    fills.is_maker = true;
    fills.fill(Side::Buy, whole(50_000), 1_000_000, 100, "BTC");
    assert_eq!(fills.desk.positions.base_fee(ONE), Rate(20_000));
    fills.fill(Side::Buy, whole(50_000), 1_000_000, whole(1), "USDT");
    assert_eq!(fills.desk.positions.base_fee(ONE), Rate(0));
}

/// Dust neither keeps a round trip open nor is one, nor is meeting it an exit.
#[test]
fn a_round_trip_ends_with_dust() {
    let mut fills = Fills::new();
    fills.flat_below = Qty(10);
    assert_eq!(fills.fill(Side::Buy, whole(100), 9, 0, "USDT").trip, None);
    assert_eq!(fills.fill(Side::Sell, whole(100), 9, 0, "USDT").trip, None, "never more than dust");
    fills.fill(Side::Buy, whole(100), 50, 0, "USDT");
    let change = fills.fill(Side::Sell, whole(100), 45, 45, "USDT");
    assert!(change.trip.is_some());
    assert_eq!(change.reduced_qty, Qty(45));
    let change = fills.fill(Side::Sell, whole(100), 30, 0, "USDT");
    assert_eq!((change.trip, change.reduced_qty), (None, Qty::ZERO), "an entry that meets dust");
    assert!(fills.fill(Side::Buy, whole(99), 30, 0, "USDT").trip.is_some());
    let stats = fills.desk.positions.stats(ONE);
    assert_eq!((stats.wins, stats.losses), (1, 1));
}
