//! Order lists as the venue writes them: answers to requests, and the private event.
//!
//! Pure. Each list names its orders; answers to those who made or ended some have a report of each as well.

use super::reports::list_id;
use crate::dialect::json::to_text;
use crate::exchange::Exchange;
use crate::exchange::list::OrderList;
use serde::Serialize;
use smc_core::TsNs;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    order_list_id: i64,
    contingency_type: &'static str,
    list_status_type: &'static str,
    list_order_status: &'static str,
    list_client_order_id: &'a str,
    transaction_time: u64,
    symbol: &'a str,
    orders: Vec<Member<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Member<'a> {
    symbol: &'a str,
    order_id: u64,
    client_order_id: &'a str,
}

/// What the list does, and what its orders do.
const fn status(list: &OrderList) -> (&'static str, &'static str) {
    if list.is_done { ("ALL_DONE", "ALL_DONE") } else { ("EXEC_STARTED", "EXECUTING") }
}

/// A list as queries return it.
pub fn list(symbol: &str, list: &OrderList, exchange: &Exchange) -> String {
    let (list_status_type, list_order_status) = status(list);
    let member = |id: &u64| {
        let client_order_id = exchange.order(*id).map_or("", |order| order.client_order_id.as_str());
        Member { symbol, order_id: *id, client_order_id }
    };
    to_text(&List {
        order_list_id: list_id(Some(list.id)),
        contingency_type: "OCO",
        list_status_type,
        list_order_status,
        list_client_order_id: &list.client_order_id,
        transaction_time: list.updated.as_ms(),
        symbol,
        orders: list.orders.iter().map(member).collect(),
    })
}

/// The same with reports of the orders that a request made or ended.
pub fn list_with(symbol: &str, of: &OrderList, exchange: &Exchange, reports: &[String]) -> String {
    let mut text = list(symbol, of, exchange);
    text.pop(); // the brace
    format!("{text},\"orderReports\":[{}]}}", reports.join(","))
}

/// Field names are the venue's single letters; `reference/binance.md` section 10 spells them out.
#[derive(Serialize)]
#[allow(non_snake_case)]
struct ListStatus<'a> {
    e: &'static str,
    E: u64,
    s: &'a str,
    g: i64,
    c: &'static str,
    l: &'static str,
    L: &'static str,
    r: &'static str,
    C: &'a str,
    T: u64,
    O: Vec<EventMember<'a>>,
}

#[derive(Serialize)]
struct EventMember<'a> {
    s: &'a str,
    i: u64,
    c: &'a str,
}

/// A list status event.
pub fn list_status(symbol: &str, list: &OrderList, exchange: &Exchange, now: TsNs) -> String {
    let (list_word, orders_word) = status(list);
    let member = |id: &u64| {
        let name = exchange.order(*id).map_or("", |order| order.client_order_id.as_str());
        EventMember { s: symbol, i: *id, c: name }
    };
    to_text(&ListStatus {
        e: "listStatus",
        E: now.as_ms(),
        s: symbol,
        g: list_id(Some(list.id)),
        c: "OCO",
        l: list_word,
        L: orders_word,
        r: "NONE",
        C: &list.client_order_id,
        T: list.updated.as_ms(),
        O: list.orders.iter().map(member).collect(),
    })
}
