//! Positions in every kind of contract and currency, against sums done the plain way.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod money_common;

use money_common::*;
use smc_core::event::{
    AssetRate, Balance, Cash, CashKind, Margin, OrderUpdate, OrderUpdateKind, VenuePosition,
};
use smc_core::instrument::{Contract, ContractKind};
use smc_core::orders::OrderEffect;
use smc_core::output::NewOrder;
use smc_core::position::{CashChange, Flows, PositionBook, PositionChange, Security, StrategyPosition, Sum};
use smc_core::risk::{Limits, STRATEGIES_MAX};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side};

const ONE: InstrumentId = InstrumentId(0);
const STRATEGIES: u8 = 3;
const E16: i128 = SCALE as i128;

fn contract(kind: ContractKind, size: i64) -> Contract {
    let (margin_initial_ppm, margin_maintenance_ppm) = (50_000, 5_000);
    Contract { kind, size: Qty(size), margin_initial_ppm, margin_maintenance_ppm, ..Contract::SPOT }
}

/// A book under test, and an order for each strategy, instrument and side, which can be filled without end.
struct Fills {
    book: PositionBook,
    desk: Desk,
    orders: Vec<NewOrder>,
    instruments: u16,
}

impl Fills {
    fn new(account: &str, terms: &[(&str, &str, Contract)]) -> Self {
        let limits = Limits { strategies_allowed: u16::MAX, ..limits() };
        let mut desk = Desk::with(
            terms.len(),
            limits,
            smc_core::risk::AccountLimits { open_orders_max: 100, ..money_common::account() },
            whole(1_000_000),
        );
        let mut orders = vec![];
        for strategy in 0..STRATEGIES {
            for id in 0..terms.len() as u16 {
                for (side, price) in [(Side::Buy, whole(64_500)), (Side::Sell, whole(65_500))] {
                    desk.pass(1_000 * MS);
                    let mut order = desk.limit(id, side, price, SCALE / 1_000);
                    order.client_order_id = ClientOrderId::new(7, strategy, desk.sequence);
                    desk.accept(&order);
                    orders.push(order);
                }
            }
        }
        let mut book = PositionBook::new(terms.len(), name(account), Some(Money(whole(100_000))));
        for (id, (base, quote, contract)) in terms.iter().enumerate() {
            assert!(book.set_contract(InstrumentId(id as u16), name(base), name(quote), *contract));
        }
        Self { book, desk, orders, instruments: terms.len() as u16 }
    }

    fn one(account: &str, base: &str, quote: &str, contract: Contract) -> Self {
        Self::new(account, &[(base, quote, contract)])
    }

    fn fill(&mut self, strategy: u8, id: u16, side: Side, price: i64, qty: i64) -> PositionChange {
        self.fill_with_fee(strategy, id, side, price, qty, (0, "USDT"))
    }

    fn fill_with_fee(
        &mut self,
        strategy: u8,
        id: u16,
        side: Side,
        price: i64,
        qty: i64,
        (fee, fee_asset): (i64, &str),
    ) -> PositionChange {
        let at = (usize::from(strategy) * usize::from(self.instruments) + usize::from(id)) * 2;
        let order = &self.orders[at + side as usize];
        self.desk.trade_id += 1;
        let kind = OrderUpdateKind::Fill {
            trade_id: self.desk.trade_id,
            side,
            price: Price(price),
            qty: Qty(qty),
            cum_qty: Qty::ZERO,
            fee: Money(fee),
            fee_asset: name(fee_asset),
            is_maker: false,
        };
        let update = OrderUpdate { client_order_id: order.client_order_id, venue_order_id: 0, kind };
        let OrderEffect::Filled(fill) = self.desk.orders.on_update(order.instrument, &update, START) else {
            panic!("not a fill")
        };
        self.book.on_fill(&fill, Qty::ZERO)
    }

    fn rate(&mut self, asset: &str, price: i64) {
        self.book.on_rate(&AssetRate { asset: name(asset), price: Price(price) });
    }

    fn cash(
        &mut self,
        id: InstrumentId,
        kind: CashKind,
        asset: &str,
        amount: i64,
        booking_id: u64,
    ) -> CashChange {
        self.book.on_cash(id, &Cash { kind, asset: name(asset), amount: Money(amount), booking_id })
    }

    fn adopt(&mut self, id: u16, qty: i64, average: i64) {
        let venue = VenuePosition { qty: Qty(qty), average: Price(average) };
        let word = self.book.adopt(InstrumentId(id), &venue).unwrap();
        assert_eq!(
            (word.qty, word.fill_qty, word.client_order_id),
            (Qty(qty), Qty::ZERO, ClientOrderId::NONE)
        );
    }

    /// The strategies' flows added up by hand.
    fn parts(&self, id: u16) -> Flows {
        let add = |a: Sum, b: Sum| Sum {
            settle_e16: a.settle_e16 + b.settle_e16,
            account_e16: a.account_e16 + b.account_e16,
        };
        (0..STRATEGIES_MAX as u8).fold(Flows::default(), |sum, strategy| {
            let part = self.book.flows_of(strategy, InstrumentId(id));
            Flows {
                qty: sum.qty + part.qty,
                net: add(sum.net, part.net),
                fees: add(sum.fees, part.fees),
                funding: add(sum.funding, part.funding),
            }
        })
    }
}

fn whole_equity(fills: &Fills) -> i64 {
    fills.book.equity().0 - whole(100_000)
}

#[test]
fn a_linear_contract_by_hand() {
    // 0.01 BTC a contract: 300 bought at 50 000 and sold at 51 000 make 3 × 1000.
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE / 100));
    let change = fills.fill(1, 0, Side::Buy, whole(50_000), whole(300));
    assert_eq!((change.position.average, change.position.qty), (Price(whole(50_000)), Qty(whole(300))));
    fills.book.mark(ONE, Price(whole(50_500)));
    assert_eq!(fills.book.unrealised(ONE), Money(whole(1_500)));
    assert_eq!(fills.book.valuation(ONE), Some(Price(whole(505))), "what one contract stands for");
    let change = fills.fill_with_fee(1, 0, Side::Sell, whole(51_000), whole(300), (whole(7), "USDT"));
    assert_eq!(change.trip, Some(Money(whole(2_993))));
    assert_eq!(whole_equity(&fills), whole(2_993));
    // A fee in kind is not taken out of a contract.
    fills.rate("BTC", whole(51_000));
    let change = fills.fill_with_fee(1, 0, Side::Buy, whole(50_000), whole(1), (SCALE / 1_000, "BTC"));
    assert_eq!((change.position.qty, change.position.fees), (Qty(whole(1)), Money(whole(7 + 51))));
    assert_eq!(fills.book.closing_qty(ONE), Qty(whole(1)));
}

#[test]
fn an_inverse_contract_by_hand() {
    // A dollar a contract, profit in coins: 100 000 × (1/50 000 − 1/40 000) is half a coin lost.
    let mut fills = Fills::one("USD", "BTC", "USD", contract(ContractKind::Inverse, SCALE));
    fills.fill(1, 0, Side::Buy, whole(50_000), whole(100_000));
    fills.book.mark(ONE, Price(whole(40_000)));
    assert_eq!(fills.book.average(ONE), Price(whole(50_000)));
    assert_eq!(whole_equity(&fills), -whole(20_000), "half a coin at its own mark");
    assert_eq!(fills.book.valuation(ONE), Some(Price(SCALE)), "a contract is a dollar at any price");
    fills.rate("BTC", whole(41_000));
    assert_eq!(whole_equity(&fills), -whole(20_500), "what it is worth is said");
    let change = fills.fill(1, 0, Side::Sell, whole(40_000), whole(100_000));
    assert_eq!(change.trip, Some(Money(-whole(20_500))));
    let flows = fills.book.flows(ONE);
    assert_eq!((flows.qty, flows.net.settle_e16), (0, -E16 * E16 / 2));
    // The average is the harmonic one: 2 at 20 000 and 1 at 40 000 cost 24 000.
    fills.fill(1, 0, Side::Sell, whole(20_000), whole(2));
    let change = fills.fill(1, 0, Side::Sell, whole(40_000), whole(1));
    assert_eq!(change.position.average, Price(whole(24_000)));
}

/// Each fill's value is the exact rational rounded once, by less than 1e-16 of the base asset and against us, so by
/// less than 1e-8 of the quote unit up to a price of 1e8; and what was closed keeps every unit of it.
#[test]
fn inverse_fills_are_exact_to_a_unit_and_never_in_our_favour() {
    let mut rng = Rng::seeded("inverse", 0x5EED_1117_0007);
    for round in 0..60 {
        let size = [SCALE, 100 * SCALE, 10 * SCALE, 7][round % 4];
        let mut fills = Fills::one("USD", "BTC", "USD", contract(ContractKind::Inverse, size));
        let mut held = 0i64;
        for _ in 0..200 {
            let (side, price) = (rng.side(), rng.between(1, whole(100_000_000)));
            let price = if rng.one_in(2) { rng.between(whole(1_000), whole(100_000)) } else { price };
            let qty = if held != 0 && rng.one_in(4) { held.abs() } else { rng.between(1, whole(10_000)) };
            let before = fills.book.flows(ONE).net.settle_e16;
            fills.fill((rng.below(3)) as u8, 0, side, price, qty);
            held += qty * side.sign();
            let received = fills.book.flows(ONE).net.settle_e16 - before;
            // received <= signed × size × 1e8 / price < received + 1, without a division.
            let exact = i128::from(qty * side.sign()) * i128::from(size);
            if exact.checked_mul(E16).is_none() {
                continue;
            }
            let error = exact * E16 - received * i128::from(price);
            assert!((0..i128::from(price)).contains(&error), "{qty} at {price}: {error}");
        }
        assert_eq!(fills.book.flows(ONE).qty, i128::from(held));
    }
}

/// The mark and the fills of a linear contract of any size, against the sum of exact products.
#[test]
fn linear_profit_is_the_exact_sum_less_a_unit_a_fill() {
    let mut rng = Rng::seeded("linear", 0x5EED_11EA_0008);
    for _ in 0..60 {
        let size = rng.between(1, whole(3));
        let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, size));
        let (mut spent_e24, mut held) = (0i128, 0i64);
        for n in 1..200 {
            let (side, price, qty) = (rng.side(), rng.between(1, whole(90_000)), rng.between(1, whole(3)));
            fills.fill(rng.below(3) as u8, 0, side, price, qty);
            held += qty * side.sign();
            spent_e24 += i128::from(qty * side.sign()) * i128::from(price) * i128::from(size);
            let error = -spent_e24 - fills.book.flows(ONE).net.settle_e16 * E16;
            assert!((0..n * E16).contains(&error), "{error}");
            let mark = rng.between(1, whole(90_000));
            fills.book.mark(ONE, Price(mark));
            let exact = i128::from(held) * i128::from(mark) * i128::from(size) - spent_e24;
            let exact = (exact).div_euclid(E16 * E16);
            let ours = i128::from(whole_equity(&fills));
            assert!((exact - 1..=exact).contains(&ours), "{ours} of {exact}");
        }
    }
}

/// A currency pair's profit is paid in the account's currency, at the rate of the moment; a coin's in the coin.
#[test]
fn profit_in_another_currency_is_converted() {
    let mut fills = Fills::one("USD", "EUR", "JPY", contract(ContractKind::Fx, SCALE));
    fills.fill(1, 0, Side::Buy, whole(160), whole(1_000));
    assert_eq!(
        (fills.book.equity(), fills.book.known_equity()),
        (Money::ZERO, None),
        "no rate: nothing permitted"
    );
    assert_eq!(fills.book.valuation(ONE), None);
    fills.rate("JPY", SCALE / 100);
    fills.book.mark(ONE, Price(whole(161)));
    assert_eq!(whole_equity(&fills), whole(10), "1000 yen at a cent");
    assert_eq!(fills.book.valuation(ONE), Some(Price(whole(161) / 100)));
    let change = fills.fill_with_fee(1, 0, Side::Sell, whole(162), whole(1_000), (whole(1), "USD"));
    assert_eq!((change.trip, change.position.fees), (Some(Money(whole(19))), Money(whole(1))));
    fills.rate("JPY", SCALE / 50);
    assert_eq!(whole_equity(&fills), whole(19), "it was paid: a later rate changes nothing");

    let mut fills = Fills::one("USDT", "ETH", "BTC", Contract::SPOT);
    fills.rate("BTC", whole(50_000));
    fills.fill(1, 0, Side::Buy, SCALE / 20, whole(2));
    fills.fill(1, 0, Side::Sell, SCALE / 10, whole(2));
    assert_eq!(whole_equity(&fills), whole(5_000));
    fills.rate("BTC", whole(60_000));
    assert_eq!(whole_equity(&fills), whole(6_000), "a tenth of a coin is still one");
}

/// Without a rate at the fill, profit of a currency pair waits, and is paid at the first one.
#[test]
fn profit_waits_for_its_rate() {
    let mut fills = Fills::one("USD", "EUR", "JPY", contract(ContractKind::Fx, SCALE));
    fills.fill(1, 0, Side::Buy, whole(160), whole(1_000));
    fills.fill(1, 0, Side::Sell, whole(159), whole(1_000));
    assert_eq!(fills.book.known_equity(), None);
    for price in [SCALE / 100, SCALE / 50] {
        fills.rate("JPY", price);
        assert_eq!(whole_equity(&fills), -whole(10));
    }
}

#[test]
fn fees_in_an_asset_with_a_rate_are_priced() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", Contract::SPOT);
    assert!(fills.fill_with_fee(1, 0, Side::Buy, whole(50_000), SCALE, (SCALE, "BNB")).is_fee_unpriced);
    fills.rate("BNB", whole(600));
    let change = fills.fill_with_fee(1, 0, Side::Sell, whole(50_000), SCALE, (SCALE / 2, "BNB"));
    assert!(!change.is_fee_unpriced);
    assert_eq!((change.position.fees, change.trip), (Money(whole(300)), Some(Money(-whole(300)))));
    assert_eq!((whole_equity(&fills), fills.book.unpriced_fees()), (-whole(300), 1));
}

#[test]
fn cash_counts_once_and_funding_is_told_apart() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
    fills.fill(1, 0, Side::Buy, whole(50_000), SCALE);
    for _ in 0..2 {
        fills.cash(ONE, CashKind::Funding, "USDT", -whole(5), 77);
        fills.cash(ONE, CashKind::Commission, "USDT", -whole(2), 77);
        fills.cash(InstrumentId::NONE, CashKind::Adjustment, "USDT", whole(1), 78);
    }
    assert_eq!(fills.cash(ONE, CashKind::Funding, "USDT", -whole(5), 77), CashChange::Known);
    let CashChange::Position(word) = fills.cash(ONE, CashKind::Financing, "USDT", -whole(4), 0) else {
        panic!("about an instrument")
    };
    assert_eq!((word.realised, word.fees, word.fill_qty), (Money(-whole(11)), Money(whole(2)), Qty::ZERO));
    assert_eq!(fills.book.funding(ONE), Money(-whole(9)));
    assert_eq!((fills.book.cash(), whole_equity(&fills)), (Money(whole(1)), -whole(10)));
    // A thousand later ones push a number out of memory, not before.
    for id in 100..100 + 1_021 {
        fills.cash(ONE, CashKind::Adjustment, "USDT", 0, id);
    }
    assert_eq!(fills.cash(ONE, CashKind::Funding, "USDT", -whole(5), 77), CashChange::Known);
    fills.cash(ONE, CashKind::Adjustment, "USDT", 0, 9_999);
    assert_ne!(fills.cash(ONE, CashKind::Funding, "USDT", 0, 77), CashChange::Known);
}

#[test]
fn transfers_move_equity_and_are_no_profit() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", Contract::SPOT);
    fills.cash(InstrumentId::NONE, CashKind::Transfer, "USDT", whole(500), 1);
    assert_eq!((whole_equity(&fills), fills.book.transferred()), (whole(500), Money(whole(500))));
    assert_eq!((fills.book.realised(ONE), fills.book.cash()), (Money::ZERO, Money::ZERO));
    // A withdrawal that cannot be valued might be everything; a deposit is at worst nothing.
    assert_eq!(fills.cash(InstrumentId::NONE, CashKind::Transfer, "DOGE", whole(100), 2), CashChange::Waits);
    assert_eq!(whole_equity(&fills), whole(500));
    fills.cash(InstrumentId::NONE, CashKind::Transfer, "DOGE", -whole(300), 3);
    assert_eq!(fills.book.known_equity(), None);
    fills.rate("DOGE", SCALE / 10);
    assert_eq!((whole_equity(&fills), fills.book.transferred()), (whole(480), Money(whole(480))));
    // Before the first balance is told, a deposit is part of it.
    let mut book = PositionBook::new(1, name("USDT"), None);
    let asset = name("USDT");
    book.on_cash(ONE, &Cash { kind: CashKind::Transfer, asset, amount: Money(whole(9)), booking_id: 0 });
    book.on_balance(&Balance { asset, free: Qty(whole(9)), locked: Qty::ZERO });
    assert_eq!((book.equity(), book.transferred()), (Money(whole(9)), Money::ZERO));
}

/// Who holds against the others receives what they pay.
#[test]
fn funding_is_shared_by_what_is_held() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
    fills.fill(1, 0, Side::Buy, whole(50_000), whole(3));
    fills.fill(2, 0, Side::Sell, whole(50_000), whole(1));
    fills.cash(ONE, CashKind::Funding, "USDT", -whole(10), 1);
    let funding = |fills: &Fills, strategy| fills.book.of_strategy(strategy, ONE).funding;
    assert_eq!((funding(&fills, 1), funding(&fills, 2)), (Money(-whole(15)), Money(whole(5))));
    fills.cash(ONE, CashKind::Funding, "USDT", -1, 2);
    assert_eq!(fills.parts(0), fills.book.flows(ONE));
    // Nothing is held any more: it is nobody's.
    fills.fill(1, 0, Side::Sell, whole(50_000), whole(2));
    fills.cash(ONE, CashKind::Funding, "USDT", -whole(10), 3);
    assert_eq!(funding(&fills, 0), Money(-whole(10)));
}

/// Whatever happens in whatever contract, the strategies' parts are the account, to the last 1e-16 of both currencies.
#[test]
fn strategies_add_up_to_the_account() {
    let mut rng = Rng::seeded("strategies", 0x5EED_5745_0009);
    for _ in 0..40 {
        let terms = [
            ("BTC", "USDT", Contract::SPOT),
            ("BTC", "USDT", contract(ContractKind::Linear, 12_345_678)),
            ("BTC", "USD", contract(ContractKind::Inverse, 10 * SCALE)),
            ("EUR", "JPY", contract(ContractKind::Fx, SCALE)),
        ];
        let mut fills = Fills::new("USDT", &terms);
        for n in 0..300 {
            let id = rng.below(4) as u16;
            let amount = rng.between(-whole(5), whole(5));
            match rng.below(20) {
                0 => fills.rate("JPY", rng.between(500_000, 900_000)),
                1 => fills.rate("BNB", rng.between(whole(500), whole(700))),
                2 => fills.rate("USD", rng.between(99_000_000, 101_000_000)),
                3 => fills.book.mark(InstrumentId(id), Price(rng.between(1, whole(90_000)))),
                4 | 5 => {
                    let (kind, asset) = [
                        (CashKind::Funding, "USDT"),
                        (CashKind::Funding, "BTC"),
                        (CashKind::Commission, "JPY"),
                        (CashKind::Transfer, "USDT"),
                    ][rng.below(4) as usize];
                    fills.cash(InstrumentId(id), kind, asset, amount, n);
                }
                6 if rng.one_in(3) => {
                    let average = rng.between(0, 1) * rng.between(whole(1), whole(90_000));
                    fills.adopt(id, rng.between(-2, 2) * SCALE, average);
                }
                _ => {
                    let strategy = rng.below(STRATEGIES.into()) as u8;
                    let fee =
                        (rng.between(-10, SCALE / 100), ["USDT", "BTC", "BNB", "USD"][rng.below(4) as usize]);
                    let (price, qty) = (rng.between(whole(100), whole(90_000)), rng.between(1, whole(3)));
                    let side = rng.side();
                    fills.fill_with_fee(strategy, id, side, price, qty, fee);
                }
            }
            for id in 0..4 {
                assert_eq!(fills.parts(id), fills.book.flows(InstrumentId(id)), "event {n}, instrument {id}");
            }
        }
    }
}

/// One strategy alone is the account, whatever it does: figure for figure.
#[test]
fn a_strategy_alone_is_the_account() {
    let mut rng = Rng::seeded("alone", 0x5EED_A10E_000A);
    for kind in [ContractKind::Linear, ContractKind::Inverse, ContractKind::Fx] {
        let mut fills = Fills::one("USDT", "BTC", "EUR", contract(kind, 3 * SCALE));
        fills.rate("EUR", 110_000_000);
        for _ in 0..300 {
            let (price, qty) = (rng.between(whole(100), whole(90_000)), rng.between(1, whole(3)));
            let side = rng.side();
            fills.fill_with_fee(2, 0, side, price, qty, (rng.between(0, SCALE / 100), "EUR"));
            fills.book.mark(ONE, Price(price));
            let book = &fills.book;
            let account = StrategyPosition {
                qty: book.qty(ONE),
                average: book.average(ONE),
                realised: book.realised(ONE),
                unrealised: book.unrealised(ONE),
                fees: book.fees(ONE),
                funding: book.funding(ONE),
                stats: book.stats(ONE),
            };
            assert_eq!(book.of_strategy(2, ONE), account);
            assert_eq!(book.of_strategy(1, ONE), StrategyPosition::default());
        }
    }
}

#[test]
fn what_is_adopted_realises_nothing() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
    fills.fill(1, 0, Side::Buy, whole(50_000), whole(2));
    fills.fill(1, 0, Side::Sell, whole(50_100), whole(1));
    fills.adopt(0, whole(3), whole(49_000));
    fills.book.mark(ONE, Price(whole(50_000)));
    assert_eq!(fills.book.average(ONE), Price(whole(49_000)));
    assert_eq!(
        (fills.book.realised(ONE), fills.book.unrealised(ONE)),
        (Money(whole(100)), Money(whole(3_000)))
    );
    assert_eq!(fills.book.stats(ONE).fills, 2, "no fill was invented");
    assert_eq!(fills.book.of_strategy(1, ONE).qty, Qty(whole(1)), "a strategy keeps what it did");
    assert_eq!(fills.book.of_strategy(0, ONE).qty, Qty(whole(2)));
    // No average and no mark: the value is unknown until the first price, which is then the cost.
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
    fills.adopt(0, -whole(1), 0);
    assert_eq!((fills.book.known_equity(), fills.book.valuation(ONE)), (None, None));
    fills.book.mark(ONE, Price(whole(50_000)));
    assert_eq!((fills.book.average(ONE), whole_equity(&fills)), (Price(whole(50_000)), 0));
    fills.book.mark(ONE, Price(whole(49_000)));
    assert_eq!(whole_equity(&fills), whole(1_000));
    // With a mark and no average, the mark is the cost.
    fills.adopt(0, whole(5), 0);
    assert_eq!((fills.book.average(ONE), fills.book.unrealised(ONE)), (Price(whole(49_000)), Money::ZERO));
}

#[test]
fn the_venues_mark_values_positions() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
    fills.fill(1, 0, Side::Buy, whole(50_000), SCALE);
    fills.book.mark(ONE, Price(whole(50_010)));
    assert_eq!(whole_equity(&fills), whole(10));
    fills.book.mark_by_venue(ONE, Price(whole(49_990)));
    fills.book.mark(ONE, Price(whole(50_020)));
    assert_eq!(whole_equity(&fills), -whole(10), "and the book's no longer does");
    fills.book.on_margin(&Margin { equity: Money(whole(99_000)), free: Money(whole(90_000)) });
    assert_eq!(whole_equity(&fills), -whole(1_000), "the venue counts less");
    fills.book.on_margin(&Margin { equity: Money(whole(200_000)), free: Money(whole(90_000)) });
    assert_eq!(whole_equity(&fills), -whole(10), "the venue counts more");
    fills.book.mark_by_venue(ONE, Price::ZERO);
    assert_eq!(whole_equity(&fills), whole(20), "the venue marks it no more: the book's price counts again");
}

#[test]
fn margin_by_hand() {
    let terms = contract(ContractKind::Linear, SCALE);
    let mut fills = Fills::one("USDT", "BTC", "USDT", terms);
    let none = smc_core::orders::Orders::new(1);
    assert_eq!(fills.book.free_margin(&none), Some(Money(whole(100_000))));
    fills.fill(1, 0, Side::Buy, whole(50_000), whole(2));
    fills.book.mark(ONE, Price(whole(51_000)));
    // 5 % of 102 000, and half a percent.
    assert_eq!(fills.book.margin_used(&none), Some(Money(whole(5_100))));
    assert_eq!(fills.book.maintenance(), Some(Money(whole(510))));
    assert_eq!(fills.book.free_margin(&none), Some(Money(whole(102_000 - 5_100))));
    assert_eq!(fills.book.margin_of(ONE, 3, Price(1)), Some(Money(1)), "rounded up");
    assert_eq!(fills.book.margin_of(ONE, i128::MAX, Price(1)), None);
    let mut need = |side, qty| {
        let order = fills.desk.limit(0, side, whole(52_000), qty);
        fills.book.security(&order, order.price, &none)
    };
    let free = Money(whole(102_000 - 5_100));
    // One more: 5 % of three at 52 000, the dearest price, less what is tied up.
    assert_eq!(
        need(Side::Buy, whole(1)),
        Some(Security::Margin { needed: Money(whole(7_800 - 5_100)), free })
    );
    assert_eq!(need(Side::Sell, whole(2)).map(|s| s.suffices(0)), Some(false), "a dearer price ties up more");
    fills.book.mark(ONE, Price(whole(52_000)));
    let free = Money(whole(104_000 - 5_200));
    let order = fills.desk.limit(0, Side::Sell, whole(52_000), whole(4));
    let security = fills.book.security(&order, order.price, &none);
    assert_eq!(
        security,
        Some(Security::Margin { needed: Money::ZERO, free }),
        "it can only turn into as much"
    );
    fills.book.on_margin(&Margin { equity: Money(whole(500_000)), free: Money(whole(10)) });
    assert_eq!(fills.book.free_margin(&none), Some(Money(whole(10))), "the venue says less");
}

#[test]
fn margin_in_another_currency() {
    let none = smc_core::orders::Orders::new(1);
    let mut fills = Fills::one("USD", "BTC", "USD", contract(ContractKind::Inverse, 100 * SCALE));
    assert_eq!(fills.book.margin_of(ONE, whole(50).into(), Price(whole(30_000))), Some(Money(whole(250))));
    fills.rate("BTC", whole(33_000));
    let margin = fills.book.margin_of(ONE, whole(50).into(), Price(whole(20_000)));
    assert_eq!(margin, Some(Money(whole(825) / 2)), "a quarter of a coin, which is said to be worth more");
    let mut fills = Fills::one("USD", "EUR", "JPY", contract(ContractKind::Fx, SCALE));
    fills.fill(1, 0, Side::Sell, whole(160), whole(1_000));
    assert_eq!((fills.book.margin_used(&none), fills.book.free_margin(&none)), (None, None));
    fills.rate("JPY", SCALE / 100);
    assert_eq!(fills.book.margin_used(&none), Some(Money(whole(80))));
}

#[test]
fn spot_orders_need_a_balance() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", Contract::SPOT);
    let order = fills.desk.limit(0, Side::Buy, whole(50_000), SCALE / 2);
    assert_eq!(fills.book.security(&order, order.price, &fills.desk.orders), None, "no balance was told");
    let balance = |asset, free| Balance { asset: name(asset), free: Qty(free), locked: Qty(whole(1)) };
    fills.book.on_balance(&balance("USDT", whole(25_200)));
    fills.book.on_balance(&balance("BTC", whole(9)));
    let security = fills.book.security(&order, order.price, &fills.desk.orders);
    // Three purchases of 0.001 at 64 500 work; the venue has locked one dollar for them so far.
    let free = Qty(whole(25_201) - 3 * whole(64_500) / 1_000);
    let asset = name("USDT");
    assert_eq!(security, Some(Security::Balance { asset, needed: Qty(whole(25_000)), free }));
    assert!(security.unwrap().suffices(1_000_000) && !security.unwrap().suffices(900_000));
    let order = fills.desk.limit(0, Side::Sell, whole(50_000), SCALE / 2);
    let security = fills.book.security(&order, order.price, &fills.desk.orders);
    let (asset, needed) = (name("BTC"), Qty(SCALE / 2));
    assert_eq!(security, Some(Security::Balance { asset, needed, free: Qty(whole(9)) }));
}

/// At the price the distance names, equity is down to the maintenance margin, and a step before it is not.
#[test]
fn the_liquidation_distance_is_where_equity_meets_maintenance() {
    let mut rng = Rng::seeded("liquidation", 0x5EED_119D_000B);
    for _ in 0..300 {
        let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
        let (side, mark) = (rng.side(), rng.between(whole(40_000), whole(60_000)));
        fills.fill(1, 0, side, rng.between(whole(40_000), whole(60_000)), rng.between(whole(3), whole(20)));
        fills.book.mark(ONE, Price(mark));
        let ppm = fills.book.liquidation_distance_ppm(ONE).unwrap() as i64;
        let mut spare_at = |ppm: i64| {
            let price = i128::from(mark) * i128::from(1_000_000 - side.sign() * ppm) / 1_000_000;
            fills.book.mark(ONE, Price(price as i64));
            fills.book.known_equity().unwrap().0 - fills.book.maintenance().unwrap().0
        };
        if ppm > 0 {
            assert!(spare_at(ppm - 1) > 0, "{ppm}");
        }
        assert!(ppm >= 1_000_000 || spare_at(ppm + 1) <= 0, "{ppm}");
    }
}

/// Fills that no market makes: nothing panics or wraps, and what they touched has no value any more.
#[test]
fn absurd_fills_break_the_position_and_nothing_else() {
    let mut rng = Rng::seeded("absurd", 0x5EED_AB50_000C);
    let absurd = [1, SCALE, i64::MAX / 2, i64::MAX];
    let mut broken = 0;
    for _ in 0..300 {
        let kind = [ContractKind::Spot, ContractKind::Linear, ContractKind::Inverse, ContractKind::Fx];
        let size = absurd[rng.below(4) as usize];
        let kind = kind[rng.below(4) as usize];
        let size = if kind == ContractKind::Spot { SCALE } else { size };
        let terms = [("BTC", "USDT", contract(kind, size)), ("ETH", "USDT", Contract::SPOT)];
        let mut fills = Fills::new("USDT", &terms);
        for n in 0..30 {
            let mut any = || absurd[rng.below(4) as usize];
            let (price, qty, fee) = (any(), any(), any());
            let side = if fee == 1 { Side::Sell } else { Side::Buy };
            fills.fill_with_fee(
                n % 3,
                0,
                side,
                price,
                qty,
                (fee, ["USDT", "BTC", "BNB"][usize::from(n) % 3]),
            );
            fills.rate("BNB", any());
            fills.rate("BTC", any());
            fills.cash(ONE, CashKind::Funding, "BTC", -any(), 0);
            fills.cash(ONE, CashKind::Transfer, "BNB", any(), 0);
            fills.book.mark(ONE, Price(any()));
            if n == 20 && rng.one_in(2) {
                fills.adopt(0, i64::MIN, 1);
            }
            let book = &fills.book;
            let _ =
                (book.equity(), book.average(ONE), book.unrealised(ONE), book.valuation(ONE), book.fees(ONE));
            let _ = (book.closing_qty(ONE), book.of_strategy(n % 3, ONE), book.liquidation_distance_ppm(ONE));
            let _ = (
                book.margin_used(&fills.desk.orders),
                book.maintenance(),
                book.free_margin(&fills.desk.orders),
            );
        }
        if fills.book.is_broken(ONE) {
            broken += 1;
            assert_eq!((fills.book.equity(), fills.book.known_equity()), (Money::ZERO, None));
            assert_eq!(fills.book.valuation(ONE), None);
        }
        fills.fill(1, 1, Side::Buy, whole(2_000), SCALE);
        assert_eq!(fills.book.average(InstrumentId(1)), Price(whole(2_000)));
    }
    println!("{broken} of 300 broken");
    assert!(broken > 100);
}

/// A contract that becomes another while something is held cannot be valued.
#[test]
fn a_contract_that_changes_its_size_breaks_the_position() {
    let mut fills = Fills::one("USDT", "BTC", "USDT", contract(ContractKind::Linear, SCALE));
    let usdt: Name = name("USDT");
    fills.book.set_contract(ONE, name("BTC"), usdt, contract(ContractKind::Linear, 2 * SCALE));
    assert!(!fills.book.is_broken(ONE), "nothing was counted yet");
    fills.fill(1, 0, Side::Buy, whole(50_000), SCALE);
    let lower_margin = Contract { margin_initial_ppm: 10_000, ..contract(ContractKind::Linear, 2 * SCALE) };
    fills.book.set_contract(ONE, name("BTC"), usdt, lower_margin);
    assert!(!fills.book.is_broken(ONE), "margins may change");
    fills.book.set_contract(ONE, name("BTC"), usdt, contract(ContractKind::Linear, SCALE));
    assert!(fills.book.is_broken(ONE) && fills.book.known_equity().is_none());
}
