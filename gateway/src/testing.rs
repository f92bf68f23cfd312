//! What the tests of every venue share: the corpora beside the repository, a key, an instrument, an order.

use crate::binance_spot::GatewayInstrument;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side};
use std::path::Path;

/// The text of a file under `shared`, which stands beside the repository; says so and gives none when absent.
pub(crate) fn shared(path: &str) -> Option<String> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("shared").join(path))
        .find(|candidate| candidate.is_file())
        .and_then(|file| std::fs::read_to_string(file).ok());
    if found.is_none() {
        println!("skipped: {path} absent");
    }
    found
}

/// Its lines; none when it is absent.
pub(crate) fn lines(path: &str) -> Vec<String> {
    shared(path).map_or_else(Vec::new, |text| text.lines().map(str::to_owned).collect())
}

/// The messages (`raw`) of a corpus file.
pub(crate) fn messages(path: &str) -> Vec<String> {
    lines(path)
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["raw"].as_str().unwrap().to_owned()
        })
        .collect()
}

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
