//! The venue's rules for an instrument, from `GET /accounts/{id}/instruments`. Cold: at start and on reload.
//!
//! Every number is exact or the instrument is refused by name: nothing is rounded to fit. Whether the market is open these
//! rules do not say; the prices do.

use std::fmt;

use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, Price, Qty, SCALE};

use super::fields::Fields;
use super::message::{DecodeError, short_name};
use super::pricing::joined;

/// Why an instrument's rules cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// Not an answer to the question for instruments.
    Answer(DecodeError),
    /// The account cannot trade it.
    UnknownSymbol(Name),
    /// A rule is absent, or is not what it must be.
    Rule(Name, DecodeError),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(error) => write!(f, "not a list of instruments: {error}"),
            Self::UnknownSymbol(symbol) => write!(f, "{symbol}: the account does not have it"),
            Self::Rule(symbol, error) => write!(f, "{symbol}: {error}"),
        }
    }
}

impl std::error::Error for SpecError {}

/// The request for the rules of these instruments.
pub fn instruments_path<'n>(account: &str, symbols: impl Iterator<Item = &'n Name>) -> String {
    format!("/v3/accounts/{account}/instruments?instruments={}", joined(symbols))
}

/// Reads the rules of one instrument from the answer's body, which may be changed. Its status is unknown until a price
/// tells it.
pub fn instrument_spec(body: &mut [u8], symbol: &str) -> Result<InstrumentSpec, SpecError> {
    let tape = simd_json::to_tape(body)
        .map_err(|error| SpecError::Answer(DecodeError::BadJson { at: error.index() }))?;
    let list =
        Fields::of(tape.as_value()).and_then(|root| root.list("instruments")).map_err(SpecError::Answer)?;
    let name = short_name(symbol);
    let mut rows = list.iter().filter_map(|row| Fields::of(row).ok());
    let row = rows
        .find(|row| row.text("name").is_ok_and(|text| text == symbol))
        .filter(|_| name.as_str() == symbol)
        .ok_or(SpecError::UnknownSymbol(name))?;
    rules(name, &row).map_err(|error| SpecError::Rule(name, error))
}

fn rules(symbol: Name, row: &Fields<'_, '_>) -> Result<InstrumentSpec, DecodeError> {
    let wrong = |field| DecodeError::WrongType { field };
    let (base, quote) = symbol.as_str().split_once('_').ok_or(wrong("name"))?;
    let side = |text| Name::new(text).filter(|name| *name != Name::EMPTY).ok_or(wrong("name"));
    let qty_min = Qty(row.positive("minimumTradeSize")?);
    let lot = Qty(step(row.integer("tradeUnitsPrecision")?).ok_or(wrong("tradeUnitsPrecision"))?);
    let qty_max = Qty(row.positive("maximumOrderUnits")?);
    if qty_max < qty_min {
        return Err(wrong("maximumOrderUnits"));
    }
    // Told of the account's leverage as well: more than the whole is never asked.
    let margin = row.positive("marginRate")?.min(SCALE);
    let margin_ppm = u32::try_from((margin + 99) / 100).map_err(|_| wrong("marginRate"))?;
    Ok(InstrumentSpec {
        symbol,
        base: side(base)?,
        quote: side(quote)?,
        tick: Price(step(row.integer("displayPrecision")?).ok_or(wrong("displayPrecision"))?),
        lot,
        qty_min,
        qty_max,
        notional_min: Money::ZERO,
        status: TradingStatus::Unknown,
        contract: Contract {
            kind: ContractKind::Fx,
            size: Qty(SCALE),
            margin_initial_ppm: margin_ppm,
            // Closed out when half of the margin is gone: percent 1.0 is used margin against twice what is left.
            margin_maintenance_ppm: margin_ppm.div_ceil(2),
            can_replace: true,
            can_oco: false,
            can_attach: true,
            can_reduce_only: true,
        },
    })
}

/// One unit of the last of so many decimals, in 1e-8; fewer than none are whole tens.
fn step(decimals: i64) -> Option<i64> {
    let exponent = u32::try_from(8 - decimals).ok().filter(|&exponent| exponent <= 16)?;
    10i64.checked_pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EURUSD: &str = r#"{"minimumTradeSize":"1","name":"EUR_USD","displayPrecision":5,"type":"CURRENCY",
        "marginRate":"0.0333","maximumOrderUnits":"100000000","tradeUnitsPrecision":0,"pipLocation":-4,
        "maximumPositionSize":"0"}"#;

    fn read(row: &str) -> Result<InstrumentSpec, String> {
        let mut body = format!(r#"{{"instruments":[{row}]}}"#).into_bytes();
        instrument_spec(&mut body, "EUR_USD").map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_exact_or_the_instrument_is_refused_by_name() {
        let spec = read(EURUSD).unwrap();
        assert_eq!((spec.tick, spec.lot, spec.qty_min), (Price(1_000), Qty(SCALE), Qty(SCALE)));
        assert_eq!((spec.base.as_str(), spec.quote.as_str()), ("EUR", "USD"));
        assert_eq!((spec.contract.margin_initial_ppm, spec.fault(spec.symbol)), (33_300, None));
        let check = |from: &str, to: &str, expected: &str| {
            assert_eq!(read(&EURUSD.replace(from, to)).unwrap_err(), expected);
        };
        check(
            "\"displayPrecision\":5",
            "\"displayPrecision\":9",
            "EUR_USD: field displayPrecision has the wrong type or range",
        );
        check("\"tradeUnitsPrecision\":0,", "", "EUR_USD: field tradeUnitsPrecision is missing");
        check("0.0333", "0", "EUR_USD: field marginRate is zero");
        check("100000000", "0.5", "EUR_USD: field maximumOrderUnits has the wrong type or range");
        check("EUR_USD", "EUR_GBP", "EUR_USD: the account does not have it");
    }
}
