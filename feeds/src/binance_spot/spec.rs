//! The venue's rules for a spot instrument, from `exchangeInfo`. Cold: at start and on reload.

use simd_json::prelude::*;
use simd_json::tape::Value;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Price, Qty};

pub use crate::binance::rules::SpecError;
use crate::binance::rules::{Rules, read_rules, text};

/// Reads the rules of one symbol from the body of `GET /api/v3/exchangeInfo`. The body may be changed.
pub fn instrument_spec(exchange_info_json: &mut [u8], symbol: &str) -> Result<InstrumentSpec, SpecError> {
    read_rules(exchange_info_json, symbol, spec)
}

fn spec(rules: &Rules<'_, '_>) -> Result<InstrumentSpec, SpecError> {
    let price_filter = rules.filter("PRICE_FILTER")?;
    let lot_size = rules.filter("LOT_SIZE")?;
    let qty_min = Qty(rules.number(&lot_size, "minQty")?);
    let qty_max = Qty(rules.positive(&lot_size, "maxQty")?);
    if qty_min > qty_max {
        return Err(SpecError::BadRange { symbol: rules.symbol, field: "minQty" });
    }
    Ok(InstrumentSpec {
        symbol: rules.symbol,
        base: rules.name("baseAsset")?,
        quote: rules.name("quoteAsset")?,
        tick: Price(rules.positive(&price_filter, "tickSize")?),
        lot: Qty(rules.positive(&lot_size, "stepSize")?),
        qty_min,
        qty_max,
        notional_min: notional_min(rules)?,
        status: status(rules),
        // No replacing, though the venue has it: no simulated venue has shown yet what goes wrong with it.
        contract: Contract { can_oco: is_allowed(rules, "ocoAllowed"), ..Contract::SPOT },
    })
}

/// Symbols have the newer or the older of the two filters; where both are, the stricter counts.
fn notional_min(rules: &Rules<'_, '_>) -> Result<Money, SpecError> {
    let filters = [rules.find_filter("NOTIONAL"), rules.find_filter("MIN_NOTIONAL")];
    let mut strictest = None;
    for filter in filters.iter().flatten() {
        strictest = strictest.max(Some(rules.number(filter, "minNotional")?));
    }
    strictest.map(Money).ok_or(rules.missing("NOTIONAL"))
}

/// What is not said is not allowed.
fn is_allowed(rules: &Rules<'_, '_>, what: &str) -> bool {
    rules.row.get(what).and_then(|flag: Value<'_, '_>| flag.as_bool()) == Some(true)
}

/// A word we do not know means: no new orders.
fn status(rules: &Rules<'_, '_>) -> TradingStatus {
    if rules.row.get("isSpotTradingAllowed").and_then(|flag: Value<'_, '_>| flag.as_bool()) == Some(false) {
        return TradingStatus::Halted;
    }
    match text(&rules.row, "status") {
        Some("TRADING") => TradingStatus::Trading,
        Some("HALT" | "BREAK" | "END_OF_DAY" | "AUCTION_MATCH" | "PRE_TRADING" | "POST_TRADING") => {
            TradingStatus::Halted
        }
        Some("CANCEL_ONLY") => TradingStatus::CancelOnly,
        _ => TradingStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(status: &str, filters: &str) -> Vec<u8> {
        format!(
            concat!(
                r#"{{"symbols":[{{"symbol":"OTHER","status":"TRADING"}},{{"symbol":"ETHBTC","status":"{}","#,
                r#""baseAsset":"ETH","quoteAsset":"BTC","isSpotTradingAllowed":true,"filters":[{}]}}]}}"#
            ),
            status, filters
        )
        .into_bytes()
    }

    const PRICE: &str =
        r#"{"filterType":"PRICE_FILTER","minPrice":"0.01","maxPrice":"9","tickSize":"0.01000000"}"#;
    const LOT: &str = r#"{"filterType":"LOT_SIZE","minQty":"0.001","maxQty":"9000","stepSize":"0.00001"}"#;
    const NOTIONAL: &str = r#"{"filterType":"NOTIONAL","minNotional":"5.0","maxNotional":"9000000"}"#;
    const MIN_NOTIONAL: &str = r#"{"filterType":"MIN_NOTIONAL","minNotional":"10"}"#;

    fn check(filters: &[&str], expected: &str) {
        let outcome = instrument_spec(&mut info("TRADING", &filters.join(",")), "ETHBTC");
        let told = match outcome {
            Ok(spec) => format!("{} {} {} {}", spec.tick, spec.lot, spec.qty_min, spec.notional_min),
            Err(error) => error.to_string(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn filters_are_exact_or_the_symbol_is_refused_by_name() {
        check(&[PRICE, LOT, NOTIONAL], "0.01 0.00001 0.001 5");
        check(&[PRICE, LOT, MIN_NOTIONAL], "0.01 0.00001 0.001 10");
        check(&[PRICE, LOT, NOTIONAL, MIN_NOTIONAL], "0.01 0.00001 0.001 10");
        check(&[LOT, NOTIONAL], "ETHBTC: PRICE_FILTER is missing or of the wrong kind");
        check(&[PRICE, NOTIONAL], "ETHBTC: LOT_SIZE is missing or of the wrong kind");
        check(&[PRICE, LOT], "ETHBTC: NOTIONAL is missing or of the wrong kind");
        let fine = PRICE.replace("0.01000000", "0.000000001");
        check(&[&fine, LOT, NOTIONAL], "ETHBTC: tickSize: more than eight decimals");
        let none = PRICE.replace("0.01000000", "0.00000000");
        check(&[&none, LOT, NOTIONAL], "ETHBTC: tickSize is out of range");
        let huge = LOT.replace("9000", "92233720369");
        check(&[PRICE, &huge, NOTIONAL], "ETHBTC: maxQty: number too large");
        let turned = LOT.replace("9000", "0.0001");
        check(&[PRICE, &turned, NOTIONAL], "ETHBTC: minQty is out of range");
        let unquoted = LOT.replace("\"9000\"", "9000");
        check(&[PRICE, &unquoted, NOTIONAL], "ETHBTC: maxQty is missing or of the wrong kind");
    }

    #[test]
    fn unknown_words_mean_no_new_orders() {
        let filters = [PRICE, LOT, NOTIONAL].join(",");
        for (word, expected) in [
            ("TRADING", TradingStatus::Trading),
            ("BREAK", TradingStatus::Halted),
            ("HALT", TradingStatus::Halted),
            ("END_OF_DAY", TradingStatus::Halted),
            ("CANCEL_ONLY", TradingStatus::CancelOnly),
            ("SOMETHING_NEW", TradingStatus::Unknown),
        ] {
            let spec = instrument_spec(&mut info(word, &filters), "ETHBTC").unwrap();
            assert_eq!(spec.status, expected, "{word}");
        }
    }

    #[test]
    fn pairs_are_kept_where_the_venue_says_so() {
        let filters = [PRICE, LOT, NOTIONAL].join(",");
        for (said, expected) in [("true", true), ("false", false), ("null", false), ("\"true\"", false)] {
            let text = String::from_utf8(info("TRADING", &filters)).unwrap();
            let text = text
                .replace("\"baseAsset\":\"ETH\"", &format!("\"ocoAllowed\":{said},\"baseAsset\":\"ETH\""));
            let spec = instrument_spec(&mut text.into_bytes(), "ETHBTC").unwrap();
            assert_eq!(spec.contract.can_oco, expected, "{said}");
        }
        let unsaid = instrument_spec(&mut info("TRADING", &filters), "ETHBTC").unwrap();
        assert_eq!(unsaid.contract, Contract::SPOT);
    }

    #[test]
    fn other_documents_are_refused() {
        assert_eq!(instrument_spec(&mut b"{}".to_vec(), "ETHBTC"), Err(SpecError::NoSymbols));
        assert!(matches!(instrument_spec(&mut b"{".to_vec(), "ETHBTC"), Err(SpecError::BadJson { .. })));
        let error = instrument_spec(&mut info("TRADING", ""), "LTCBTC").unwrap_err();
        assert_eq!(error.to_string(), "LTCBTC: not listed");
    }
}
