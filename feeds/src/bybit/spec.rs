//! The venue's rules for an instrument, from `instruments-info`. Cold: at start and on reload.
//!
//! Every number is exact or the instrument is refused by name: nothing is rounded to fit, and an absent filter is not
//! taken for "no limit". Orders of every kind are held to the smaller of the venue's two largest quantities.

use std::fmt;

use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::words::{DecimalError, Money, Name, Price, Qty, SCALE};

use super::message::short_name;
use super::settings::Category;
use crate::number::{self, NumberError};

/// The venue's leverage of an account that has not set another.
const LEVERAGE_DEFAULT: i64 = 10;

/// Why an instrument's rules cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// Not JSON.
    BadJson {
        /// Byte at which the parser gave up.
        at: usize,
    },
    /// JSON, but not an answer to `instruments-info`.
    NoList,
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
            Self::NoList => f.write_str("not an instruments-info answer: no list"),
            Self::UnknownSymbol(symbol) => write!(f, "{symbol}: not listed"),
            Self::Missing { symbol, what } => write!(f, "{symbol}: {what} is missing or of the wrong kind"),
            Self::BadNumber { symbol, field, error } => write!(f, "{symbol}: {field}: {error}"),
            Self::BadRange { symbol, field } => write!(f, "{symbol}: {field} is out of range"),
        }
    }
}

impl std::error::Error for SpecError {}

/// The request for the rules of one symbol.
pub fn instruments_path(category: Category, symbol: Name) -> String {
    format!("/v5/market/instruments-info?category={}&symbol={symbol}", category.word())
}

/// Reads the rules of one symbol from the answer's body, which may be changed.
pub fn instrument_spec(
    body: &mut [u8],
    category: Category,
    symbol: &str,
) -> Result<InstrumentSpec, SpecError> {
    let tape = simd_json::to_tape(body).map_err(|error| SpecError::BadJson { at: error.index() })?;
    let root = tape.as_value().into_object().ok_or(SpecError::NoList)?;
    let result = root.get("result").and_then(|value| value.into_object()).ok_or(SpecError::NoList)?;
    let list = result.get("list").and_then(|value| value.into_array()).ok_or(SpecError::NoList)?;
    let row = list
        .iter()
        .filter_map(|row| row.into_object())
        .find(|row| text(row, "symbol") == Some(symbol))
        .ok_or(SpecError::UnknownSymbol(short_name(symbol)))?;
    let name = Name::new(symbol).ok_or(SpecError::UnknownSymbol(short_name(symbol)))?;
    let rules = Rules { symbol: name, row };
    let price = rules.filter("priceFilter")?;
    let size = rules.filter("lotSizeFilter")?;
    let (lot, largest, notional, contract) = match category {
        Category::Spot => {
            let largest = ["maxLimitOrderQty", "maxMarketOrderQty", "maxOrderQty"];
            ("basePrecision", largest, "minOrderAmt", Contract::SPOT)
        }
        Category::Linear => {
            let largest = ["maxOrderQty", "maxMktOrderQty", "maxOrderQty"];
            ("qtyStep", largest, "minNotionalValue", rules.linear()?)
        }
    };
    let qty_min = Qty(rules.number(&size, "minOrderQty")?);
    let qty_max = Qty(rules.smallest(&size, &largest)?);
    if qty_min > qty_max {
        return Err(SpecError::BadRange { symbol: name, field: "minOrderQty" });
    }
    Ok(InstrumentSpec {
        symbol: name,
        base: rules.name("baseCoin")?,
        quote: rules.name("quoteCoin")?,
        tick: Price(rules.positive(&price, "tickSize")?),
        lot: Qty(rules.positive(&size, lot)?),
        qty_min,
        qty_max,
        notional_min: Money(rules.number(&size, notional)?),
        status: rules.status(),
        contract,
    })
}

/// The row of one symbol.
struct Rules<'t, 'a> {
    symbol: Name,
    row: Object<'t, 'a>,
}

impl<'t, 'a> Rules<'t, 'a> {
    const fn missing(&self, what: &'static str) -> SpecError {
        SpecError::Missing { symbol: self.symbol, what }
    }

    fn filter(&self, name: &'static str) -> Result<Object<'t, 'a>, SpecError> {
        self.row.get(name).and_then(|value| value.into_object()).ok_or(self.missing(name))
    }

    /// A contract for its own base coin. An order's margin is what the account's leverage asks, and the venue does not
    /// tell that here: its default is assumed, or the largest allowed if that is less. The maintenance part is half of
    /// what the largest leverage asks, as in the venue's lowest risk tier.
    fn linear(&self) -> Result<Contract, SpecError> {
        if !matches!(text(&self.row, "contractType"), Some("LinearPerpetual" | "LinearFutures")) {
            return Err(self.missing("contractType"));
        }
        let leverage = self.filter("leverageFilter")?;
        let largest = self.positive(&leverage, "maxLeverage")?;
        let assumed = largest.min(LEVERAGE_DEFAULT * SCALE);
        let part = |leverage: i64| {
            let ppm = (1_000_000 * i128::from(SCALE) + i128::from(leverage) - 1) / i128::from(leverage);
            u32::try_from(ppm).map_or(1_000_000, |ppm| ppm.min(1_000_000))
        };
        Ok(Contract {
            kind: ContractKind::Linear,
            size: Qty(SCALE),
            margin_initial_ppm: part(assumed),
            margin_maintenance_ppm: part(largest).div_ceil(2),
            // A change keeps the order's id and goes through after a partial fill: not what our word asks for.
            can_replace: false,
            can_oco: false,
            can_attach: false,
            can_reduce_only: true,
        })
    }

    fn smallest(&self, filter: &Object<'t, 'a>, fields: &[&'static str; 3]) -> Result<i64, SpecError> {
        let mut smallest = None;
        for field in fields.iter().filter(|field| filter.get(field).is_some()) {
            let value = self.positive(filter, field)?;
            smallest = Some(smallest.map_or(value, |least: i64| least.min(value)));
        }
        smallest.ok_or(self.missing("maxOrderQty"))
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
            .filter(|name| !name.as_bytes().is_empty())
            .ok_or(self.missing(field))
    }

    /// A word we do not know means: no new orders. Before a contract is listed only its continuous phase is trading.
    fn status(&self) -> TradingStatus {
        let phase = self.row.get("preListingInfo").and_then(|info| info.into_object());
        let phase = phase.and_then(|info| text(&info, "curAuctionPhase"));
        match (text(&self.row, "status"), phase) {
            (Some("Trading" | "PreLaunch"), Some("ContinuousTrading")) => TradingStatus::Trading,
            (Some("Trading"), None | Some("" | "Finished")) => TradingStatus::Trading,
            (Some("Trading" | "PreLaunch" | "Delivering" | "Closed" | "Settling"), _) => {
                TradingStatus::Halted
            }
            _ => TradingStatus::Unknown,
        }
    }
}

fn text<'a>(row: &Object<'_, 'a>, field: &str) -> Option<&'a str> {
    row.get(field).and_then(|value: Value<'_, 'a>| value.into_string())
}
