//! Marks, rates, margins and cash on their way through the engine's one door.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod engine_harness;

use engine_harness::{BTC, Eager, Manners, World, eager, name, spec};
use smc_core::event::*;
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec};
use smc_core::output::{AlertKind, Output, Position};
use smc_core::position::Sum;
use smc_core::words::{InstrumentId, Money, Price, Qty, SCALE};

fn cash(kind: CashKind, amount: i64, booking_id: u64) -> EventBody {
    EventBody::Cash(Cash { kind, asset: name("USDT"), amount: Money(amount), booking_id })
}

fn ready() -> World<Eager> {
    eager(3, Manners::default())
}

#[test]
fn cash_is_said_once_and_only_about_an_instrument() {
    let mut world = ready();
    let equity = world.engine.equity().0;
    let said = world.feed(BTC, cash(CashKind::Funding, -SCALE, 5));
    let [Output::Position(Position { instrument, realised, fill_qty, .. })] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((instrument, realised, fill_qty), (BTC, Money(-SCALE), Qty::ZERO));
    assert_eq!(world.feed(BTC, cash(CashKind::Funding, -SCALE, 5)), [], "told again");
    assert_eq!(world.feed(InstrumentId::NONE, cash(CashKind::Adjustment, -SCALE, 6)), []);
    assert_eq!(world.feed(BTC, cash(CashKind::Transfer, 10 * SCALE, 7)), []);
    assert_eq!(world.engine.equity(), Money(equity + 8 * SCALE));
    assert_eq!(world.engine.realised(), Money(-2 * SCALE));
    assert_eq!(world.engine.positions().transferred(), Money(10 * SCALE));
}

#[test]
fn a_margin_below_ours_holds() {
    let mut world = ready();
    let margin = Margin { equity: Money(SCALE), free: Money::ZERO };
    world.feed(InstrumentId::NONE, EventBody::Margin(margin));
    assert_eq!(world.engine.equity(), Money(SCALE));
}

/// The same trades, once by the harness's spot rules and once as a contract of the same size: the contract's fee is
/// money, so what is held is what was bought.
#[test]
fn a_linear_contract_trades_like_spot_with_fees_in_money() {
    let mut world = ready();
    world.run(4_000);
    let spot = world.engine.fills();
    let mut world = ready();
    let contract = Contract { kind: ContractKind::Linear, margin_initial_ppm: 100_000, ..Contract::SPOT };
    world.feed(BTC, EventBody::Instrument(InstrumentSpec { contract, ..spec() }));
    world.run(4_000);
    let flows = world.engine.positions().flows(BTC);
    assert!(spot > 10 && world.engine.fills() > 10, "{spot} and {} fills", world.engine.fills());
    assert_eq!(flows.qty, i128::from(world.engine.position(BTC).0));
    let strategies = (0..16).map(|n| world.engine.positions().flows_of(n, BTC).net.settle_e16);
    assert_eq!(Sum { settle_e16: strategies.sum(), account_e16: 0 }, flows.net);
}

/// Quoted in another currency: taken, but worth nothing to trade with until that has a rate.
#[test]
fn a_foreign_quote_is_taken_and_trades_only_with_a_rate() {
    let foreign = InstrumentSpec { quote: name("EUR"), ..spec() };
    let mut world = ready();
    let said = world.feed(BTC, EventBody::Instrument(foreign));
    assert!(!said.iter().any(|o| matches!(o, Output::Alert(alert) if alert.kind == AlertKind::Instrument)));
    world.run(2_000);
    assert_eq!(world.engine.orders_sent(), 0);
    let nonsense = InstrumentSpec { quote: foreign.base, ..foreign };
    let said = world.feed(BTC, EventBody::Instrument(nonsense));
    assert!(said.iter().any(|o| matches!(o, Output::Alert(alert) if alert.detail == 2)), "{said:?}");
    world.feed(BTC, EventBody::Instrument(foreign));
    let rate = AssetRate { asset: name("EUR"), price: Price(SCALE) };
    world.feed(InstrumentId::NONE, EventBody::Rate(rate));
    world.feed(
        InstrumentId::NONE,
        EventBody::Balance(Balance { asset: name("EUR"), free: Qty(100_000 * SCALE), locked: Qty::ZERO }),
    );
    world.run(2_000);
    assert!(world.engine.orders_sent() > 0);
}
