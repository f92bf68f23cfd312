//! Orders, executions, positions and amounts in the venue's JSON, for the private topics and for REST alike.

use super::ledger::{Executed, Record, State};
use super::words::{Category, Stepped, plain, side_word};
use crate::exchange::Exchange;
use crate::exchange::account::Account;
use crate::market::SymbolInfo;
use serde_json::{Map, Value, json};
use smc_core::words::{Name, SCALE, clamp_i64};
use smc_core::{Price, Qty, TsNs};

/// Fee of so many basis points as a rate.
pub fn fee_rate(bps: u32) -> String {
    plain(i64::from(bps) * SCALE / 10_000)
}

/// A price, or `empty` where there is none.
fn price_or(value: Price, info: &SymbolInfo, empty: &str) -> String {
    if value == Price::ZERO { empty.to_owned() } else { price(value.0, info) }
}

fn price(value: i64, info: &SymbolInfo) -> String {
    Stepped { value, step: info.spec.tick.0 }.to_string()
}

fn qty(value: i64, info: &SymbolInfo) -> String {
    Stepped { value, step: info.spec.lot.0 }.to_string()
}

/// One order in one of its states.
pub fn order(record: &Record, state: State, info: &SymbolInfo) -> Value {
    let (order, asked) = (&record.order, &record.asked);
    let is_open = order.status.is_open();
    let leaves = if is_open { order.leaves_qty() } else { 0 };
    let average = match order.filled_qty.0 {
        0 => String::new(),
        filled => {
            let mean = i128::from(order.filled_quote) * i128::from(SCALE) / i128::from(filled);
            plain(clamp_i64(mean))
        }
    };
    let fees: Map<String, Value> =
        record.fees.iter().map(|(asset, fee)| (asset.as_str().to_owned(), json!(plain(*fee)))).collect();
    let fee_sum = record.fees.values().fold(0i64, |sum, fee| sum.saturating_add(*fee));
    let by_quote = asked.is_market && order.quote_qty > 0;
    let has_tpsl = asked.take_profit != Price::ZERO || asked.stop_loss != Price::ZERO;
    json!({
        "category": record.category.word(),
        "symbol": info.spec.symbol.as_str(),
        "orderId": record.order_id,
        "orderLinkId": record.link_id,
        "parentOrderLinkId": "",
        "blockTradeId": "",
        "side": side_word(order.side),
        "positionIdx": 0,
        "orderStatus": state.status,
        "createType": asked.create_type,
        "cancelType": state.cancel_type,
        "rejectReason": state.reject_reason,
        "timeInForce": asked.time_in_force,
        "isLeverage": if record.category.is_spot() { "0" } else { "" },
        "orderType": if asked.is_market { "Market" } else { "Limit" },
        "price": price_or(order.price, info, "0"),
        "qty": if by_quote { plain(order.quote_qty) } else { qty(order.qty.0, info) },
        "avgPrice": average,
        "leavesQty": qty(leaves, info),
        "leavesValue": plain(order.price.notional_floor(Qty(leaves)).0),
        "cumExecQty": qty(order.filled_qty.0, info),
        "cumExecValue": plain(order.filled_quote),
        "cumExecFee": plain(fee_sum),
        "cumFeeDetail": fees,
        "closedPnl": plain(record.closed_pnl),
        "feeCurrency": record.fees.keys().next().map_or("", |asset| asset.as_str()),
        "stopOrderType": asked.stop_order_type,
        "ocoTriggerBy": "",
        "orderIv": "",
        "marketUnit": asked.market_unit,
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
        "triggerPrice": price_or(order.stop_price, info, if record.category.is_spot() { "0" } else { "" }),
        "triggerDirection": asked.trigger_direction,
        "triggerBy": asked.trigger_by,
        "lastPriceOnCreated": price_or(asked.last_price, info, ""),
        "takeProfit": price_or(asked.take_profit, info, ""),
        "stopLoss": price_or(asked.stop_loss, info, ""),
        "tpslMode": if has_tpsl { "Full" } else { "UNKNOWN" },
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "tpTriggerBy": asked.tpsl_trigger_by.first().copied().unwrap_or(""),
        "slTriggerBy": asked.tpsl_trigger_by.last().copied().unwrap_or(""),
        "reduceOnly": order.is_reducing(),
        "closeOnTrigger": asked.is_close_on_trigger,
        "placeType": "",
        "smpType": asked.smp_type,
        "smpGroup": 0,
        "smpOrderId": "",
        "createdTime": order.created.as_ms().to_string(),
        "updatedTime": order.updated.as_ms().to_string(),
        "extraFees": "",
        "rpiTakerAccess": false,
        "rpiMatchedQty": "0",
    })
}

/// One execution; `fee_bps` is the rate it was charged at.
pub fn execution(executed: &Executed, info: &SymbolInfo, fee_bps: u32) -> Value {
    let (order, asked, fill) = (&executed.order, &executed.asked, &executed.fill);
    json!({
        "category": executed.category.word(),
        "symbol": info.spec.symbol.as_str(),
        "isLeverage": "0",
        "orderId": executed.order_id,
        "orderLinkId": executed.link_id,
        "side": side_word(order.side),
        "orderPrice": price_or(order.price, info, "0"),
        "orderQty": qty(order.qty.0, info),
        "leavesQty": qty(order.leaves_qty(), info),
        "createType": asked.create_type,
        "orderType": if asked.is_market { "Market" } else { "Limit" },
        "stopOrderType": asked.stop_order_type,
        "execFee": plain(fill.commission),
        "execId": executed.exec_id,
        "execPrice": price(fill.price.0, info),
        "execQty": qty(fill.qty.0, info),
        "execPnl": plain(fill.realised),
        "execType": executed.exec_type,
        "execValue": plain(fill.quote),
        "execTime": executed.at.as_ms().to_string(),
        "isMaker": fill.is_maker,
        "feeRate": fee_rate(fee_bps),
        "feeCurrency": fill.commission_asset.as_str(),
        "tradeIv": "",
        "markIv": "",
        "markPrice": if executed.category.is_spot() { String::new() } else { price(executed.mark, info) },
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": if executed.category.is_spot() { String::new() } else { qty(executed.closed_size, info) },
        "marketUnit": asked.market_unit,
        "extraFees": "",
        "seq": executed.seq,
    })
}

/// The same, early and brief: without fee, and for a resting order without the client's name.
pub fn fast_execution(executed: &Executed, info: &SymbolInfo) -> Value {
    let fill = &executed.fill;
    json!({
        "category": executed.category.word(),
        "symbol": info.spec.symbol.as_str(),
        "execId": executed.exec_id,
        "execPrice": price(fill.price.0, info),
        "execQty": qty(fill.qty.0, info),
        "orderId": executed.order_id,
        "isMaker": fill.is_maker,
        "orderLinkId": if fill.is_maker { "" } else { executed.link_id.as_str() },
        "side": side_word(executed.order.side),
        "execTime": executed.at.as_ms().to_string(),
        "seq": executed.seq,
    })
}

/// Take profit and stop loss of a position; zeros for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Trigger of the take profit.
    pub take_profit: Price,
    /// Trigger of the stop loss.
    pub stop_loss: Price,
}

/// One position. The topic says `entryPrice` where REST says `avgPrice`.
pub fn position(
    exchange: &Exchange,
    account: usize,
    symbol: usize,
    guards: Guards,
    is_topic: bool,
) -> Option<Value> {
    let owner = exchange.account(account)?;
    let market = exchange.market(symbol)?;
    let (info, held) = (&market.info, owner.position(symbol));
    let margin = exchange.symbol_margin(account, symbol);
    let mark = exchange.mark_price(symbol).unwrap_or(Price::ZERO);
    let is_flat = held.qty == 0;
    let is_new = is_flat && held.updated == TsNs(0);
    let liquidation = exchange.liquidation_price(account, symbol);
    let average = if is_flat { "0".to_owned() } else { plain(held.average_price().0) };
    let risk_limit = exchange.notional_max(owner.leverage(symbol)).unwrap_or(0);
    let mut row = json!({
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": plain(risk_limit),
        "symbol": info.spec.symbol.as_str(),
        "category": Category::Linear.word(),
        "side": match held.qty.signum() { 1 => "Buy", -1 => "Sell", _ => "" },
        "size": qty(held.qty.saturating_abs(), info),
        "positionValue": plain(held.cost()),
        "breakEvenPrice": if is_flat { String::new() } else { average.clone() },
        "markPrice": price(mark.0, info),
        "leverage": owner.leverage(symbol).to_string(),
        "liqPrice": price_or(liquidation, info, ""),
        "bustPrice": "",
        "positionIM": plain(margin.position_initial),
        "positionIMByMp": plain(margin.position_initial),
        "positionMM": plain(margin.maintenance),
        "positionMMByMp": plain(margin.maintenance),
        "positionBalance": "0",
        "takeProfit": price_or(guards.take_profit, info, ""),
        "stopLoss": price_or(guards.stop_loss, info, ""),
        "trailingStop": "0",
        "unrealisedPnl": plain(margin.unrealised),
        "curRealisedPnl": plain(held.realised),
        "cumRealisedPnl": plain(held.realised),
        "sessionAvgPrice": "",
        "positionStatus": "Normal",
        "adlRankIndicator": 0,
        "isReduceOnly": false,
        "autoAddMargin": 0,
        "tradeMode": 0,
        "tpslMode": "Full",
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": held.updated.as_ms().to_string(),
        "updatedTime": held.updated.as_ms().to_string(),
        "seq": if is_new { json!(-1) } else { json!(market.book.update_id()) },
    });
    let fields = row.as_object_mut()?;
    fields.insert(if is_topic { "entryPrice" } else { "avgPrice" }.to_owned(), json!(average));
    if !is_topic {
        fields.insert("mmrSysUpdateTime".to_owned(), json!("")); // the venue's own two spellings
        fields.insert("openTime".to_owned(), json!(held.updated.as_ms()));
    }
    Some(row)
}

/// What one unit of an asset is worth in dollars, 1e-8: by any instrument that is paid in a dollar coin.
fn usd_price(exchange: &Exchange, asset: Name) -> i64 {
    if matches!(asset.as_str(), "USDT" | "USDC" | "USD") {
        return SCALE;
    }
    let markets = exchange.markets().iter().enumerate();
    let mut prices = markets
        .filter(|(_, market)| market.info.spec.base == asset)
        .filter_map(|(symbol, market)| exchange.mark_price(symbol).or(market.last_price));
    prices.next().map_or(0, |price| price.0)
}

/// The amounts of an account; of some coins or of all.
pub fn wallet(exchange: &Exchange, number: usize, owner: &Account, wanted: &dyn Fn(&str) -> bool) -> Value {
    let linear = || exchange.markets().iter().filter(|market| !market.info.spec.contract.is_spot());
    let is_settled_in = |asset: Name| linear().any(|market| market.info.spec.quote == asset);
    let has_linear = linear().next().is_some();
    let mut total = Total::default();
    let mut coins = Vec::new();
    for (asset, balance) in owner.balances() {
        let margin = exchange.account_margin(number, asset);
        let held = balance.free.saturating_add(balance.locked);
        let equity = held.saturating_add(margin.unrealised);
        let usd = |amount: i64| Price(usd_price(exchange, asset)).notional_floor(Qty(amount.max(0))).0;
        // Only what contracts are settled in secures them; where there are no contracts, everything is free.
        let is_free = !has_linear || is_settled_in(asset);
        total.add(usd(held), usd(equity), if is_free { usd(margin.available()) } else { 0 }, &margin);
        let realised = owner
            .positions()
            .filter(|(symbol, _)| exchange.market(*symbol).is_some_and(|m| m.info.spec.quote == asset))
            .fold(0i64, |sum, (_, position)| sum.saturating_add(position.realised));
        if !wanted(asset.as_str()) {
            continue;
        }
        coins.push(json!({
            "coin": asset.as_str(),
            "equity": plain(equity),
            "usdValue": plain(usd(equity)),
            "walletBalance": plain(held),
            "locked": plain(balance.locked),
            "borrowAmount": "0",
            "spotBorrow": "0",
            "accruedInterest": "0",
            "totalOrderIM": plain(margin.order_initial),
            "totalPositionIM": plain(margin.position_initial),
            "totalPositionMM": plain(margin.maintenance),
            "unrealisedPnl": plain(margin.unrealised),
            "cumRealisedPnl": plain(realised),
            "bonus": "0",
            "collateralSwitch": true,
            "marginCollateral": true,
            "spotHedgingQty": "0",
            "availableToWithdraw": "",
            "availableToBorrow": "",
        }));
    }
    let rate = |part: i64| match total.equity {
        0 => "0".to_owned(),
        equity => plain(clamp_i64(i128::from(part) * i128::from(SCALE) / i128::from(equity))),
    };
    json!({
        "accountType": "UNIFIED",
        "accountLTV": "0",
        "accountIMRate": rate(total.initial),
        "accountIMRateByMp": rate(total.initial),
        "accountMMRate": rate(total.maintenance),
        "accountMMRateByMp": rate(total.maintenance),
        "totalEquity": plain(total.equity),
        "totalWalletBalance": plain(total.wallet),
        "totalMarginBalance": plain(total.wallet.saturating_add(total.unrealised)),
        "totalAvailableBalance": plain(total.available),
        "totalPerpUPL": plain(total.unrealised),
        "totalInitialMargin": plain(total.initial),
        "totalInitialMarginByMp": plain(total.initial),
        "totalMaintenanceMargin": plain(total.maintenance),
        "totalMaintenanceMarginByMp": plain(total.maintenance),
        "coin": coins,
    })
}

/// The whole account in dollars, 1e-8.
#[derive(Default)]
struct Total {
    wallet: i64,
    equity: i64,
    available: i64,
    unrealised: i64,
    initial: i64,
    maintenance: i64,
}

impl Total {
    fn add(
        &mut self,
        wallet: i64,
        equity: i64,
        available: i64,
        margin: &crate::exchange::margin::AccountMargin,
    ) {
        self.wallet = self.wallet.saturating_add(wallet);
        self.equity = self.equity.saturating_add(equity);
        self.available = self.available.saturating_add(available);
        self.unrealised = self.unrealised.saturating_add(margin.unrealised);
        self.initial = self.initial.saturating_add(margin.initial());
        self.maintenance = self.maintenance.saturating_add(margin.maintenance);
    }
}
