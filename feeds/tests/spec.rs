//! Instrument rules from the recorded `exchangeInfo` answers.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use common::{lines_of, shared};
use smc_core::instrument::TradingStatus;
use smc_feeds::binance_spot::instrument_spec;

#[test]
fn recorded_rules_are_read_exactly_and_incomplete_ones_refused_by_name() {
    let Some(path) = shared("data/binance/spot/rest/GET_api_v3_exchangeInfo.jsonl") else { return };
    let mut told = Vec::new();
    for line in lines_of(&path) {
        let value: serde_json::Value = serde_json::from_str(&line.raw).unwrap();
        for row in value["symbols"].as_array().unwrap() {
            let symbol = row["symbol"].as_str().unwrap();
            told.push(match instrument_spec(&mut line.raw.clone().into_bytes(), symbol) {
                Ok(spec) => {
                    assert_eq!(spec.status, TradingStatus::Trading);
                    format!(
                        "{} {}/{} tick {} lot {} qty {} to {} notional {}",
                        spec.symbol,
                        spec.base,
                        spec.quote,
                        spec.tick,
                        spec.lot,
                        spec.qty_min,
                        spec.qty_max,
                        spec.notional_min
                    )
                }
                Err(error) => error.to_string(),
            });
        }
    }
    assert_eq!(
        told,
        [
            "ETHBTC ETH/BTC tick 0.000001 lot 0.0001 qty 0.0001 to 100000 notional 0.0001",
            "LTCBTC LTC/BTC tick 0.000001 lot 0.001 qty 0.001 to 100000 notional 0.0001",
            "QTUMETH QTUM/ETH tick 0.000001 lot 0.1 qty 0.1 to 90000000 notional 0.005",
            "EOSETH EOS/ETH tick 0.000001 lot 0.1 qty 0.1 to 92141578 notional 0.005",
            // Documentation examples without filters.
            "ETHBTC: PRICE_FILTER is missing or of the wrong kind",
            "ETHBTC: PRICE_FILTER is missing or of the wrong kind",
        ]
    );
}
