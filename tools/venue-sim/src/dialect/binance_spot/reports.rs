//! Orders as the venue writes them: answers to requests, and the private events.
//!
//! Pure. The fields stand in the venue's order; what is absent there is absent here.

use crate::dialect::json::{D8, Text, to_text};
use crate::exchange::account::Balance;
use crate::exchange::list::ListId;
use crate::exchange::order::{Order, OrderType};
use crate::exchange::trade_log::AccountTrade;
use crate::exchange::{Execution, ExpiryReason, Fill, Report};
use serde::Serialize;
use smc_core::words::Name;
use smc_core::{Side, TsNs};

/// How much an answer to a new order tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseType {
    /// Only that it was taken.
    Ack,
    /// The order after matching.
    Result,
    /// That, and its fills.
    Full,
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Placed<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    transact_time: u64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    result: Option<PlacedResult<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fills: Option<Vec<PlacedFill>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacedResult<'a> {
    price: D8,
    orig_qty: D8,
    executed_qty: D8,
    orig_quote_order_qty: D8,
    cummulative_quote_qty: D8,
    status: &'a str,
    time_in_force: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    side: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_price: Option<D8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_time: Option<i64>,
    self_trade_prevention_mode: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_match_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_quantity: Option<D8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlacedFill {
    price: D8,
    qty: D8,
    commission: D8,
    commission_asset: Text,
    trade_id: u64,
}

fn ms(at: TsNs) -> i64 {
    i64::try_from(at.as_ms()).unwrap_or(i64::MAX)
}

/// A list's number as the venue writes it; none is −1.
pub fn list_id(list: Option<ListId>) -> i64 {
    list.map_or(-1, |id| i64::try_from(id).unwrap_or(i64::MAX))
}

fn placed_result(order: &Order) -> PlacedResult<'_> {
    let is_prevented = order.prevented_qty.0 > 0;
    PlacedResult {
        price: order.price.into(),
        orig_qty: order.qty.into(),
        executed_qty: order.filled_qty.into(),
        orig_quote_order_qty: D8(order.quote_qty),
        cummulative_quote_qty: D8(order.filled_quote),
        status: order.status.word(),
        time_in_force: order.time_in_force.word(),
        kind: order.kind.word(),
        side: side_word(order.side),
        stop_price: (order.kind == OrderType::StopLossLimit).then(|| order.stop_price.into()),
        // Of a list each order tells it, of others those that work.
        working_time: order.working.map(ms).or(order.list.map(|_| -1)),
        self_trade_prevention_mode: order.stp.word(),
        prevented_match_id: is_prevented.then_some(0),
        prevented_quantity: is_prevented.then(|| order.prevented_qty.into()),
    }
}

/// The answer to a new order.
pub fn placed(symbol: &str, order: &Order, fills: &[Fill], response: ResponseType) -> String {
    let fill = |fill: &Fill| PlacedFill {
        price: fill.price.into(),
        qty: fill.qty.into(),
        commission: D8(fill.commission),
        commission_asset: Text(fill.commission_asset),
        trade_id: fill.trade_id,
    };
    to_text(&Placed {
        symbol,
        order_id: order.id,
        order_list_id: list_id(order.list),
        client_order_id: &order.client_order_id,
        transact_time: order.created.as_ms(),
        result: (response != ResponseType::Ack).then(|| placed_result(order)),
        fills: (response == ResponseType::Full).then(|| fills.iter().map(fill).collect()),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canceled<'a> {
    symbol: &'a str,
    orig_client_order_id: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    transact_time: u64,
    #[serde(flatten)]
    result: PlacedResult<'a>,
}

/// The answer to a cancel; `cancel_name` is the name of the cancel request.
pub fn canceled(symbol: &str, order: &Order, cancel_name: &str) -> String {
    to_text(&Canceled {
        symbol,
        orig_client_order_id: &order.client_order_id,
        order_id: order.id,
        order_list_id: list_id(order.list),
        client_order_id: cancel_name,
        transact_time: order.updated.as_ms(),
        result: PlacedResult { working_time: None, ..placed_result(order) },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    symbol: &'a str,
    order_id: u64,
    order_list_id: i64,
    client_order_id: &'a str,
    price: D8,
    orig_qty: D8,
    executed_qty: D8,
    cummulative_quote_qty: D8,
    status: &'a str,
    time_in_force: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    side: &'a str,
    stop_price: D8,
    iceberg_qty: D8,
    time: u64,
    update_time: u64,
    is_working: bool,
    working_time: i64,
    orig_quote_order_qty: D8,
    self_trade_prevention_mode: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_match_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prevented_quantity: Option<D8>,
}

/// An order as queries return it.
pub fn status(symbol: &str, order: &Order) -> String {
    let is_prevented = order.prevented_qty.0 > 0;
    to_text(&Status {
        symbol,
        order_id: order.id,
        order_list_id: list_id(order.list),
        client_order_id: &order.client_order_id,
        price: order.price.into(),
        orig_qty: order.qty.into(),
        executed_qty: order.filled_qty.into(),
        cummulative_quote_qty: D8(order.filled_quote),
        status: order.status.word(),
        time_in_force: order.time_in_force.word(),
        kind: order.kind.word(),
        side: side_word(order.side),
        stop_price: order.stop_price.into(),
        iceberg_qty: D8(0),
        time: order.created.as_ms(),
        update_time: order.updated.as_ms(),
        is_working: order.working.is_some(),
        working_time: order.working.map_or(-1, ms),
        orig_quote_order_qty: D8(order.quote_qty),
        self_trade_prevention_mode: order.stp.word(),
        prevented_match_id: is_prevented.then_some(0),
        prevented_quantity: is_prevented.then(|| order.prevented_qty.into()),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MyTrade<'a> {
    symbol: &'a str,
    id: u64,
    order_id: u64,
    order_list_id: i64,
    price: D8,
    qty: D8,
    quote_qty: D8,
    commission: D8,
    commission_asset: Text,
    time: u64,
    is_buyer: bool,
    is_maker: bool,
    is_best_match: bool,
}

/// Trades of one symbol as their owner may list them.
pub fn trades(symbol: &str, trades: &[&AccountTrade]) -> String {
    let row = |trade: &&AccountTrade| MyTrade {
        symbol,
        id: trade.fill.trade_id,
        order_id: trade.order,
        order_list_id: list_id(trade.list),
        price: trade.fill.price.into(),
        qty: trade.fill.qty.into(),
        quote_qty: D8(trade.fill.quote),
        commission: D8(trade.fill.commission),
        commission_asset: Text(trade.fill.commission_asset),
        time: trade.at.as_ms(),
        is_buyer: trade.side == Side::Buy,
        is_maker: trade.fill.is_maker,
        is_best_match: true,
    };
    to_text(&trades.iter().map(row).collect::<Vec<_>>())
}

/// Field names are the venue's single letters; `reference/binance.md` section 10 spells them out.
#[derive(Serialize)]
#[allow(non_snake_case)]
struct ExecutionReport<'a> {
    e: &'a str,
    E: u64,
    s: &'a str,
    c: &'a str,
    S: &'a str,
    o: &'a str,
    f: &'a str,
    q: D8,
    p: D8,
    P: D8,
    F: D8,
    g: i64,
    C: &'a str,
    x: &'a str,
    X: &'a str,
    r: &'a str,
    i: u64,
    l: D8,
    z: D8,
    L: D8,
    n: String,
    N: Option<Text>,
    T: u64,
    t: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<u64>,
    I: u64,
    w: bool,
    m: bool,
    M: bool,
    O: u64,
    Z: D8,
    Y: D8,
    Q: D8,
    #[serde(skip_serializing_if = "Option::is_none")]
    W: Option<u64>,
    V: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    A: Option<D8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    B: Option<D8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eR: Option<&'a str>,
}

/// An execution report event.
pub fn execution_report(symbol: &str, report: &Report, now: TsNs) -> String {
    let order = &report.order;
    let fill = match &report.exec {
        Execution::Trade(fill) | Execution::TakenOver(fill) => Some(fill),
        _ => None,
    };
    let (client_id, original_id) = match &report.exec {
        Execution::Canceled(cancel_name) => (cancel_name.as_str(), order.client_order_id.as_str()),
        _ => (order.client_order_id.as_str(), ""),
    };
    let (word, expiry) = match &report.exec {
        Execution::New => ("NEW", None),
        Execution::Trade(_) | Execution::TakenOver(_) => ("TRADE", None),
        Execution::Amended => ("REPLACED", None),
        Execution::Canceled(_) => ("CANCELED", None),
        Execution::TradePrevention => ("TRADE_PREVENTION", None),
        Execution::Expired(ExpiryReason::UnfilledIoc) => ("EXPIRED", Some("UNFILLED_IOC_QUANTITY_EXPIRED")),
        Execution::Expired(ExpiryReason::UnfilledFok) => ("EXPIRED", Some("UNFILLED_FOK_ORDER_EXPIRED")),
        Execution::Expired(ExpiryReason::OcoTrigger) => ("EXPIRED", Some("OCO_TRIGGER")),
        Execution::Expired(ExpiryReason::InsufficientLiquidity) => {
            ("EXPIRED", Some("INSUFFICIENT_LIQUIDITY"))
        }
        Execution::Expired(
            ExpiryReason::WouldTake
            | ExpiryReason::NothingToReduce
            | ExpiryReason::InsufficientMargin
            | ExpiryReason::Liquidation,
        ) => ("EXPIRED", Some("REJECTED")),
    };
    let is_prevented = report.exec == Execution::TradePrevention;
    let is_resting = order.status.is_open() && order.working.is_some() && order.kind != OrderType::Market;
    to_text(&ExecutionReport {
        e: "executionReport",
        E: now.as_ms(),
        s: symbol,
        c: client_id,
        S: side_word(order.side),
        o: order.kind.word(),
        f: order.time_in_force.word(),
        q: order.qty.into(),
        p: order.price.into(),
        P: order.stop_price.into(),
        F: D8(0),
        g: list_id(order.list),
        C: original_id,
        x: word,
        X: order.status.word(),
        r: "NONE",
        i: order.id,
        l: D8(fill.map_or(0, |fill| fill.qty.0)),
        z: order.filled_qty.into(),
        L: D8(fill.map_or(0, |fill| fill.price.0)),
        n: fill.map_or_else(|| "0".to_owned(), |fill| D8(fill.commission).to_string()),
        N: fill.map(|fill| Text(fill.commission_asset)),
        T: order.updated.as_ms(),
        t: fill.map_or(-1, |fill| i64::try_from(fill.trade_id).unwrap_or(i64::MAX)),
        v: is_prevented.then_some(0),
        I: report.exec_id,
        w: is_resting,
        m: fill.is_some_and(|fill| fill.is_maker),
        M: false,
        O: order.created.as_ms(),
        Z: D8(order.filled_quote),
        Y: D8(fill.map_or(0, |fill| fill.quote)),
        Q: D8(order.quote_qty),
        W: order.working.map(TsNs::as_ms),
        V: order.stp.word(),
        A: is_prevented.then(|| order.prevented_qty.into()),
        B: is_prevented.then(|| order.prevented_qty.into()),
        eR: expiry,
    })
}

#[derive(Serialize)]
#[allow(non_snake_case)]
struct AccountPosition<'a> {
    e: &'a str,
    E: u64,
    u: u64,
    B: Vec<PositionLine>,
}

#[derive(Serialize)]
struct PositionLine {
    a: Text,
    f: D8,
    l: D8,
}

/// An account position event: the assets that changed.
pub fn account_position(assets: &[(Name, Balance)], now: TsNs) -> String {
    let line = |(asset, balance): &(Name, Balance)| PositionLine {
        a: Text(*asset),
        f: D8(balance.free),
        l: D8(balance.locked),
    };
    to_text(&AccountPosition {
        e: "outboundAccountPosition",
        E: now.as_ms(),
        u: now.as_ms(),
        B: assets.iter().map(line).collect(),
    })
}
