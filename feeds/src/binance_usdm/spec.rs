//! The venue's rules for a futures contract, from `exchangeInfo`. Cold: at start and on reload.
//!
//! The precisions that the answer holds are not the grid; its filters are. The venue counts a grid from its minimum; one
//! that is not a grid from zero as well is refused.

use smc_core::instrument::{Contract, ContractKind, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Price, Qty, SCALE};

use crate::binance::rules::{Rules, SpecError, read_rules, text};

/// Reads the rules of one symbol from the body of `GET /fapi/v1/exchangeInfo`. The body may be changed.
pub fn instrument_spec(exchange_info_json: &mut [u8], symbol: &str) -> Result<InstrumentSpec, SpecError> {
    read_rules(exchange_info_json, symbol, spec)
}

fn spec(rules: &Rules<'_, '_>) -> Result<InstrumentSpec, SpecError> {
    let price_filter = rules.filter("PRICE_FILTER")?;
    let lot_size = rules.filter("LOT_SIZE")?;
    let market_lot_size = rules.filter("MARKET_LOT_SIZE")?;
    let bad = |field| SpecError::BadRange { symbol: rules.symbol, field };
    let tick = rules.positive(&price_filter, "tickSize")?;
    let lot = rules.positive(&lot_size, "stepSize")?;
    let qty_min = rules.number(&lot_size, "minQty")?.max(rules.number(&market_lot_size, "minQty")?);
    // One limit for all kinds of orders: the stricter one, which is that of market orders.
    let qty_max = rules.positive(&lot_size, "maxQty")?.min(rules.positive(&market_lot_size, "maxQty")?);
    if rules.number(&price_filter, "minPrice")? % tick != 0 {
        return Err(bad("minPrice"));
    }
    if qty_min > qty_max || qty_min % lot != 0 {
        return Err(bad("minQty"));
    }
    Ok(InstrumentSpec {
        symbol: rules.symbol,
        base: rules.name("baseAsset")?,
        quote: rules.name("quoteAsset")?,
        tick: Price(tick),
        lot: Qty(lot),
        qty_min: Qty(qty_min),
        qty_max: Qty(qty_max),
        notional_min: Money(rules.number(&rules.filter("MIN_NOTIONAL")?, "notional")?),
        status: status(rules),
        contract: contract(rules)?,
    })
}

/// What the venue asks of everybody as security is told in percent; what it asks of an account depends on the leverage set
/// there, and its own figure of free margin is told by the account.
fn contract(rules: &Rules<'_, '_>) -> Result<Contract, SpecError> {
    let ppm = |field| {
        let ppm = rules.number(&rules.row, field)? / (SCALE / 10_000);
        u32::try_from(ppm)
            .ok()
            .filter(|&ppm| ppm <= 1_000_000)
            .ok_or(SpecError::BadRange { symbol: rules.symbol, field })
    };
    let margin_initial_ppm = ppm("requiredMarginPercent")?;
    let margin_maintenance_ppm = ppm("maintMarginPercent")?;
    if margin_initial_ppm == 0 || margin_maintenance_ppm > margin_initial_ppm {
        return Err(SpecError::BadRange { symbol: rules.symbol, field: "requiredMarginPercent" });
    }
    Ok(Contract {
        kind: ContractKind::Linear,
        size: Qty(SCALE),
        margin_initial_ppm,
        margin_maintenance_ppm,
        // A modified order keeps its id and what it has filled, and is changed even after a fill: not what the engine
        // calls a replacement.
        can_replace: false,
        can_oco: false,
        can_attach: false,
        can_reduce_only: true,
    })
}

/// A word we do not know means: no new orders.
fn status(rules: &Rules<'_, '_>) -> TradingStatus {
    match text(&rules.row, "status") {
        Some("TRADING") => TradingStatus::Trading,
        Some(
            "PENDING_TRADING" | "PRE_DELIVERING" | "DELIVERING" | "DELIVERED" | "PRE_SETTLE" | "SETTLING"
            | "CLOSE" | "BREAK",
        ) => TradingStatus::Halted,
        _ => TradingStatus::Unknown,
    }
}
