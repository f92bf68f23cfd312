//! `exchangeInfo` and `account.status`: what the venue says about symbols and accounts.

use super::limits::{Limits, RateLimit};
use crate::dialect::json::{D8, Text, to_text};
use crate::exchange::account::Account;
use crate::exchange::list::OPEN_LISTS_MAX;
use crate::exchange::order::SelfTradePrevention;
use crate::market::SymbolInfo;
use crate::settings::LimitSettings;
use serde::Serialize;
use serde_json::{Value, json};
use smc_core::TsNs;
use smc_core::instrument::TradingStatus;

/// The mode of orders that name none.
pub const DEFAULT_STP: SelfTradePrevention = SelfTradePrevention::ExpireTaker;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeInfo {
    timezone: &'static str,
    server_time: u64,
    rate_limits: Vec<RateLimit>,
    exchange_filters: [(); 0],
    symbols: Vec<SymbolLine>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SymbolLine {
    symbol: Text,
    status: &'static str,
    base_asset: Text,
    base_asset_precision: u32,
    quote_asset: Text,
    quote_precision: u32,
    quote_asset_precision: u32,
    base_commission_precision: u32,
    quote_commission_precision: u32,
    order_types: [&'static str; 4],
    iceberg_allowed: bool,
    oco_allowed: bool,
    oto_allowed: bool,
    opo_allowed: bool,
    quote_order_qty_market_allowed: bool,
    allow_trailing_stop: bool,
    cancel_replace_allowed: bool,
    amend_allowed: bool,
    peg_instructions_allowed: bool,
    is_spot_trading_allowed: bool,
    is_margin_trading_allowed: bool,
    filters: Vec<Value>,
    permissions: [(); 0],
    permission_sets: [[&'static str; 1]; 1],
    default_self_trade_prevention_mode: &'static str,
    allowed_self_trade_prevention_modes: [&'static str; 4],
}

/// The rules of some symbols.
pub fn exchange_info(symbols: &[&SymbolInfo], limits: &LimitSettings, now: TsNs) -> String {
    to_text(&ExchangeInfo {
        timezone: "UTC",
        server_time: now.as_ms(),
        rate_limits: Limits::announced(limits),
        exchange_filters: [],
        symbols: symbols.iter().map(|info| symbol_line(info)).collect(),
    })
}

fn symbol_line(info: &SymbolInfo) -> SymbolLine {
    let status = match info.spec.status {
        TradingStatus::Trading => "TRADING",
        TradingStatus::CancelOnly => "CANCEL_ONLY",
        TradingStatus::Halted => "HALT",
        TradingStatus::Unknown => "BREAK",
    };
    SymbolLine {
        symbol: Text(info.spec.symbol),
        status,
        base_asset: Text(info.spec.base),
        base_asset_precision: 8,
        quote_asset: Text(info.spec.quote),
        quote_precision: 8,
        quote_asset_precision: 8,
        base_commission_precision: 8,
        quote_commission_precision: 8,
        order_types: ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"],
        iceberg_allowed: false,
        oco_allowed: true,
        oto_allowed: false,
        opo_allowed: false,
        quote_order_qty_market_allowed: true,
        allow_trailing_stop: false,
        cancel_replace_allowed: true,
        amend_allowed: false,
        peg_instructions_allowed: false,
        is_spot_trading_allowed: true,
        is_margin_trading_allowed: false,
        filters: filters(info),
        permissions: [],
        permission_sets: [["SPOT"]],
        default_self_trade_prevention_mode: DEFAULT_STP.word(),
        allowed_self_trade_prevention_modes: SelfTradePrevention::ALL.map(SelfTradePrevention::word),
    }
}

fn filters(info: &SymbolInfo) -> Vec<Value> {
    let spec = &info.spec;
    vec![
        json!({"filterType": "PRICE_FILTER", "minPrice": D8::from(info.price_min),
               "maxPrice": D8::from(info.price_max), "tickSize": D8::from(spec.tick)}),
        json!({"filterType": "LOT_SIZE", "minQty": D8::from(spec.qty_min),
               "maxQty": D8::from(spec.qty_max), "stepSize": D8::from(spec.lot)}),
        json!({"filterType": "MARKET_LOT_SIZE", "minQty": D8(0),
               "maxQty": D8::from(info.market_qty_max), "stepSize": D8(0)}),
        json!({"filterType": "NOTIONAL", "minNotional": D8(spec.notional_min.0), "applyMinToMarket": true,
               "maxNotional": D8(900_000_000_000_000_000), "applyMaxToMarket": false, "avgPriceMins": 0}),
        json!({"filterType": "MAX_NUM_ORDERS", "maxNumOrders": info.orders_max}),
        json!({"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": OPEN_LISTS_MAX}),
    ]
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountStatus {
    maker_commission: u32,
    taker_commission: u32,
    buyer_commission: u32,
    seller_commission: u32,
    commission_rates: CommissionRates,
    can_trade: bool,
    can_withdraw: bool,
    can_deposit: bool,
    brokered: bool,
    require_self_trade_prevention: bool,
    prevent_sor: bool,
    update_time: u64,
    account_type: &'static str,
    balances: Vec<BalanceLine>,
    permissions: [&'static str; 1],
    uid: u64,
}

#[derive(Serialize)]
struct CommissionRates {
    maker: D8,
    taker: D8,
    buyer: D8,
    seller: D8,
}

#[derive(Serialize)]
struct BalanceLine {
    asset: Text,
    free: D8,
    locked: D8,
}

/// What an account owns and pays.
pub fn account_status(number: usize, account: &Account, omit_zero: bool, now: TsNs) -> String {
    let balances = account
        .balances()
        .filter(|(_, balance)| !omit_zero || balance.free != 0 || balance.locked != 0)
        .map(|(asset, balance)| BalanceLine {
            asset: Text(asset),
            free: D8(balance.free),
            locked: D8(balance.locked),
        })
        .collect();
    let rate = |bps: u32| D8(i64::from(bps) * 10_000);
    to_text(&AccountStatus {
        maker_commission: account.maker_fee_bps,
        taker_commission: account.taker_fee_bps,
        buyer_commission: 0,
        seller_commission: 0,
        commission_rates: CommissionRates {
            maker: rate(account.maker_fee_bps),
            taker: rate(account.taker_fee_bps),
            buyer: D8(0),
            seller: D8(0),
        },
        can_trade: true,
        can_withdraw: true,
        can_deposit: true,
        brokered: false,
        require_self_trade_prevention: false,
        prevent_sor: false,
        update_time: now.as_ms(),
        account_type: "SPOT",
        balances,
        permissions: ["SPOT"],
        uid: 1_000 + number as u64,
    })
}
