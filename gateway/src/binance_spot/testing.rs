//! What the tests of this module share: a key, an instrument, an order.

use super::GatewayInstrument;
pub(crate) use crate::testing::{lines, messages, shared};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side};

/// A key published in the venue's FIX documentation; it opens nothing.
pub(crate) const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u
-----END PRIVATE KEY-----
";

/// Our engine's instance in tests.
pub(crate) const INSTANCE: u16 = 7;

/// An instrument on this grid; bought and sold for USDT.
pub(crate) fn instrument(id: u16, symbol: &str, tick: &str, lot: &str) -> GatewayInstrument {
    let name = |text: &str| Name::new(text).unwrap();
    let lot = Qty::parse(lot.as_bytes()).unwrap();
    let spec = InstrumentSpec {
        symbol: name(symbol),
        base: name(symbol.trim_end_matches("USDT")),
        quote: name("USDT"),
        tick: Price::parse(tick.as_bytes()).unwrap(),
        lot,
        qty_min: lot,
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    };
    GatewayInstrument { id: InstrumentId(id), spec }
}

/// A limit order to buy 0.5 at 50 000.
pub(crate) fn order(instrument: u16, sequence: u64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(INSTANCE, 1, sequence),
        instrument: InstrumentId(instrument),
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price(50_000 * SCALE),
        stop_price: Price::ZERO,
        qty: Qty(SCALE / 2),
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    }
}
