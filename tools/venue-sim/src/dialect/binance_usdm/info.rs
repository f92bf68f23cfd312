//! `exchangeInfo`, leverage brackets, and how many decimals a symbol's numbers have.

use super::filters::{ALGO_ORDERS_MAX, MULTIPLIER_DOWN_PPM, MULTIPLIER_UP_PPM};
use crate::dialect::binance_spot::limits::Limits;
use crate::dialect::json::{Dec, Text};
use crate::exchange::margin::Bracket;
use crate::market::SymbolInfo;
use crate::settings::LimitSettings;
use serde_json::{Value, json};
use smc_core::TsNs;
use smc_core::instrument::{InstrumentSpec, TradingStatus};
use smc_core::words::{Name, SCALE};

/// When perpetual contracts end.
const NEVER_MS: u64 = 4_133_404_800_000;

/// How a symbol's numbers are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grid {
    /// The symbol.
    pub symbol: Name,
    /// The asset of its money.
    pub quote_asset: Name,
    price_places: u32,
    qty_places: u32,
}

impl Grid {
    /// As the symbol's steps have it.
    pub fn of(spec: &InstrumentSpec) -> Self {
        Self {
            symbol: spec.symbol,
            quote_asset: spec.quote,
            price_places: Dec::places(spec.tick.0),
            qty_places: Dec::places(spec.lot.0),
        }
    }

    /// A price, 1e-8.
    pub const fn price(&self, value: i64) -> Dec {
        Dec(value, self.price_places)
    }

    /// A quantity, 1e-8.
    pub const fn qty(&self, value: i64) -> Dec {
        Dec(value, self.qty_places)
    }

    /// A price times a quantity, 1e-8.
    pub fn quote(&self, value: i64) -> Dec {
        Dec(value, (self.price_places + self.qty_places).min(8))
    }
}

/// A part of a million as the venue writes multipliers and rates.
fn ppm(value: i64, places: u32) -> Dec {
    Dec(value * (SCALE / 1_000_000), places)
}

/// The rules of all symbols.
pub fn exchange_info(symbols: &[&SymbolInfo], limits: &LimitSettings, now: TsNs) -> Value {
    let mut assets: Vec<Name> = symbols.iter().map(|info| info.spec.quote).collect();
    assets.sort_unstable();
    assets.dedup();
    let assets: Vec<Value> = assets
        .into_iter()
        .map(|asset| json!({"asset": Text(asset), "marginAvailable": true, "autoAssetExchange": "-10000"}))
        .collect();
    json!({
        "timezone": "UTC",
        "serverTime": now.as_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": Limits::announced_futures(limits),
        "exchangeFilters": [],
        "assets": assets,
        "symbols": symbols.iter().map(|info| symbol_line(info)).collect::<Vec<_>>(),
    })
}

fn symbol_line(info: &SymbolInfo) -> Value {
    let spec = &info.spec;
    let status = match spec.status {
        TradingStatus::Trading => "TRADING",
        TradingStatus::CancelOnly => "SETTLING",
        TradingStatus::Halted => "CLOSE",
        TradingStatus::Unknown => "PENDING_TRADING",
    };
    json!({
        "symbol": Text(spec.symbol),
        "pair": Text(spec.symbol),
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS,
        "onboardDate": 1_569_398_400_000_u64,
        "status": status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": Text(spec.base),
        "quoteAsset": Text(spec.quote),
        "marginAsset": Text(spec.quote),
        "pricePrecision": Dec::places(spec.tick.0).max(1),
        "quantityPrecision": Dec::places(spec.lot.0),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": filters(info),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    })
}

fn filters(info: &SymbolInfo) -> Value {
    let (spec, grid) = (&info.spec, Grid::of(&info.spec));
    let price = |value: smc_core::Price| grid.price(value.0);
    let qty = |value: smc_core::Qty| grid.qty(value.0);
    json!([
        {"filterType": "PRICE_FILTER", "minPrice": price(info.price_min), "maxPrice": price(info.price_max),
         "tickSize": price(spec.tick)},
        {"filterType": "LOT_SIZE", "minQty": qty(spec.qty_min), "maxQty": qty(spec.qty_max),
         "stepSize": qty(spec.lot)},
        {"filterType": "MARKET_LOT_SIZE", "minQty": qty(spec.qty_min), "maxQty": qty(info.market_qty_max),
         "stepSize": qty(spec.lot)},
        {"filterType": "MAX_NUM_ORDERS", "limit": info.orders_max},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": ALGO_ORDERS_MAX},
        {"filterType": "MIN_NOTIONAL", "notional": spec.notional_min.to_string()},
        {"filterType": "PERCENT_PRICE", "multiplierUp": ppm(MULTIPLIER_UP_PPM, 4),
         "multiplierDown": ppm(MULTIPLIER_DOWN_PPM, 4), "multiplierDecimal": "4"},
    ])
}

/// The brackets of one symbol: the only numbers that the venue writes as numbers.
pub fn leverage_bracket(symbol: Name, brackets: &[Bracket]) -> Value {
    let line = |(nth, bracket): (usize, &Bracket)| {
        json!({
            "bracket": nth + 1,
            "initialLeverage": bracket.leverage_max,
            "notionalCap": bracket.cap / SCALE,
            "notionalFloor": bracket.floor / SCALE,
            "maintMarginRatio": f64::from(bracket.maintenance_ppm) / 1e6,
            "cum": (bracket.deduction / SCALE) as f64,
        })
    };
    let lines: Vec<_> = brackets.iter().enumerate().map(line).collect();
    json!({"symbol": Text(symbol), "notionalCoef": 1.0, "brackets": lines})
}
