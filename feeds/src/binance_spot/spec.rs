//! The venue's rules for an instrument, from `exchangeInfo`. Cold: at start and on reload.
//!
//! Every number is exact or the instrument is refused by name: nothing is rounded to fit, and an absent
//! filter is not taken for "no limit".

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{DecimalError, Money, Name, Price, Qty};

use super::message::short_name;
use crate::number::{self, NumberError};

/// Why an instrument's rules cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up.
        at: usize,
    },
    /// JSON, but not an `exchangeInfo` answer.
    NoSymbols,
    /// The symbol is not listed.
    UnknownSymbol(Name),
    /// A filter or field is absent, or is not what it must be.
    Missing {
        /// The instrument.
        symbol: Name,
        /// The venue's name of it.
        what: &'static str,
    },
    /// A number does not fit 1e-8 units.
    BadNumber {
        /// The instrument.
        symbol: Name,
        /// The venue's name of the field.
        field: &'static str,
        /// What is wrong with it.
        error: DecimalError,
    },
    /// Zero or negative where a value is needed, or a minimum above its maximum.
    BadRange {
        /// The instrument.
        symbol: Name,
        /// The venue's name of the field.
        field: &'static str,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadJson { at } => write!(f, "not JSON at byte {at}"),
            Self::NoSymbols => f.write_str("not an exchangeInfo answer: no symbols"),
            Self::UnknownSymbol(symbol) => write!(f, "{symbol}: not listed"),
            Self::Missing { symbol, what } => write!(f, "{symbol}: {what} is missing or of the wrong kind"),
            Self::BadNumber { symbol, field, error } => write!(f, "{symbol}: {field}: {error}"),
            Self::BadRange { symbol, field } => write!(f, "{symbol}: {field} is out of range"),
        }
    }
}

impl std::error::Error for SpecError {}

/// Reads the rules of one symbol from the body of `GET /api/v3/exchangeInfo`. The body may be changed.
pub fn instrument_spec(exchange_info_json: &mut [u8], symbol: &str) -> Result<InstrumentSpec, SpecError> {
    let tape =
        simd_json::to_tape(exchange_info_json).map_err(|error| SpecError::BadJson { at: error.index() })?;
    let root = tape.as_value().into_object().ok_or(SpecError::NoSymbols)?;
    let symbols = root.get("symbols").and_then(|value| value.into_array()).ok_or(SpecError::NoSymbols)?;
    let row = symbols
        .iter()
        .filter_map(|row| row.into_object())
        .find(|row| text(row, "symbol") == Some(symbol))
        .ok_or(SpecError::UnknownSymbol(short_name(symbol)))?;
    let name = Name::new(symbol).ok_or(SpecError::UnknownSymbol(short_name(symbol)))?;
    let rules = Rules { symbol: name, row };

    let price_filter = rules.filter("PRICE_FILTER")?;
    let lot_size = rules.filter("LOT_SIZE")?;
    let qty_min = Qty(rules.number(&lot_size, "minQty")?);
    let qty_max = Qty(rules.positive(&lot_size, "maxQty")?);
    if qty_min > qty_max {
        return Err(SpecError::BadRange { symbol: name, field: "minQty" });
    }
    Ok(InstrumentSpec {
        symbol: name,
        base: rules.name("baseAsset")?,
        quote: rules.name("quoteAsset")?,
        tick: Price(rules.positive(&price_filter, "tickSize")?),
        lot: Qty(rules.positive(&lot_size, "stepSize")?),
        qty_min,
        qty_max,
        notional_min: rules.notional_min()?,
        status: rules.status(),
        contract: Contract::SPOT,
    })
}

/// The row of one symbol.
struct Rules<'t, 'a> {
    symbol: Name,
    row: Object<'t, 'a>,
}

impl<'t, 'a> Rules<'t, 'a> {
    fn missing(&self, what: &'static str) -> SpecError {
        SpecError::Missing { symbol: self.symbol, what }
    }

    fn find_filter(&self, kind: &str) -> Option<Object<'t, 'a>> {
        let filters = self.row.get("filters")?.into_array()?;
        filters.iter().filter_map(|row| row.into_object()).find(|row| text(row, "filterType") == Some(kind))
    }

    fn filter(&self, kind: &'static str) -> Result<Object<'t, 'a>, SpecError> {
        self.find_filter(kind).ok_or(self.missing(kind))
    }

    /// Symbols have the newer or the older of the two filters; where both are, the stricter counts.
    fn notional_min(&self) -> Result<Money, SpecError> {
        let filters = [self.find_filter("NOTIONAL"), self.find_filter("MIN_NOTIONAL")];
        let mut strictest = None;
        for filter in filters.iter().flatten() {
            strictest = strictest.max(Some(self.number(filter, "minNotional")?));
        }
        strictest.map(Money).ok_or(self.missing("NOTIONAL"))
    }

    fn number(&self, filter: &Object<'t, 'a>, field: &'static str) -> Result<i64, SpecError> {
        let text = text(filter, field).ok_or(self.missing(field))?;
        number::decimal(text.as_bytes()).map_err(|error| match error {
            NumberError::Bad(error) => SpecError::BadNumber { symbol: self.symbol, field, error },
            NumberError::Negative => SpecError::BadRange { symbol: self.symbol, field },
        })
    }

    fn positive(&self, filter: &Object<'t, 'a>, field: &'static str) -> Result<i64, SpecError> {
        match self.number(filter, field)? {
            0 => Err(SpecError::BadRange { symbol: self.symbol, field }),
            value => Ok(value),
        }
    }

    fn name(&self, field: &'static str) -> Result<Name, SpecError> {
        text(&self.row, field)
            .and_then(Name::new)
            .filter(|name| !name.as_str().is_empty())
            .ok_or(self.missing(field))
    }

    /// A word we do not know means: no new orders.
    fn status(&self) -> TradingStatus {
        if self.row.get("isSpotTradingAllowed").and_then(|flag: Value<'_, '_>| flag.as_bool()) == Some(false)
        {
            return TradingStatus::Halted;
        }
        match text(&self.row, "status") {
            Some("TRADING") => TradingStatus::Trading,
            Some("HALT" | "BREAK" | "END_OF_DAY" | "AUCTION_MATCH" | "PRE_TRADING" | "POST_TRADING") => {
                TradingStatus::Halted
            }
            Some("CANCEL_ONLY") => TradingStatus::CancelOnly,
            _ => TradingStatus::Unknown,
        }
    }
}

fn text<'a>(row: &Object<'_, 'a>, field: &str) -> Option<&'a str> {
    row.get(field)?.into_string()
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
    fn other_documents_are_refused() {
        assert_eq!(instrument_spec(&mut b"{}".to_vec(), "ETHBTC"), Err(SpecError::NoSymbols));
        assert!(matches!(instrument_spec(&mut b"{".to_vec(), "ETHBTC"), Err(SpecError::BadJson { .. })));
        let error = instrument_spec(&mut info("TRADING", ""), "LTCBTC").unwrap_err();
        assert_eq!(error.to_string(), "LTCBTC: not listed");
    }
}
