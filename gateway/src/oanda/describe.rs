//! Lines and answers in words: what `smc decode` prints of an account. Cold: for tools and people.

use super::message::{
    Account, Answer, Body, Fill, Kind, Line, Order, OrderRow, OrderState, Piece, PositionRow, Refusal, Trade,
    Transaction,
};
use super::tape::{Scratch, decode_any};
use crate::json_line::Json;

/// Describes one line or answer: a kind and a JSON object for each thing it says, one at least. None for what this module
/// does not know; prices, units and money are exact decimal texts. A recorded message may stand as `msg` inside a note
/// about the request.
pub fn describe(payload: &mut [u8]) -> Option<Vec<(&'static str, String)>> {
    match decode_any(payload, &mut Scratch::new(), told) {
        Ok(all) => Some(all),
        Err(Refusal::NotJson | Refusal::UnknownShape) => None,
        Err(refusal) => Some(vec![refused(refusal)]),
    }
}

fn told(piece: &Piece<'_>) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    match piece {
        Piece::Line(Line::Heartbeat { last_id, ts }) => {
            all.push(Json::new("heartbeat").plain("last_id", last_id).plain("ts_event_ns", ts.0).end());
        }
        Piece::Line(Line::Transaction(one)) => transaction(one, &mut all),
        Piece::Answer(one) => answer(one, &mut all),
        Piece::Lists { orders, trades, positions } => {
            all.extend(orders.iter().map(|row| row.as_ref().map_or_else(|e| refused(*e), order_row)));
            all.extend(trades.iter().map(|row| row.as_ref().map_or_else(|e| refused(*e), trade)));
            all.extend(positions.iter().map(|row| row.as_ref().map_or_else(|e| refused(*e), position)));
        }
        Piece::Ignored(event) => all.push(Json::new("ignored").text("event", event).end()),
    }
    if all.is_empty() {
        all.push(Json::new("empty").end());
    }
    all
}

fn answer(answer: &Answer<'_>, all: &mut Vec<(&'static str, String)>) {
    if !answer.code.is_empty() || !answer.text.is_empty() {
        all.push(Json::new("error").text("code", answer.code).text("message", answer.text).end());
    }
    for row in &answer.transactions {
        match row {
            Ok(one) => transaction(one, all),
            Err(refusal) => all.push(refused(*refusal)),
        }
    }
    if let Some(row) = &answer.order {
        all.push(row.as_ref().map_or_else(|e| refused(*e), order_row));
    }
    match &answer.account {
        Some(Ok(one)) => account(one, all),
        Some(Err(refusal)) => all.push(refused(*refusal)),
        None => {}
    }
}

fn transaction(one: &Transaction<'_>, all: &mut Vec<(&'static str, String)>) {
    let json = |kind| Json::new(kind).plain("id", one.id).plain("ts_event_ns", one.ts.0);
    let ended = |kind, (order_id, client_id, why): (u64, &str, &str)| {
        json(kind)
            .plain("venue_order_id", order_id)
            .text("client_order_id", client_id)
            .text("reason", why)
            .end()
    };
    match &one.body {
        Body::Created(row) => all.push(order(json("order"), row).end()),
        Body::Refused { order: row, why } => {
            all.push(order(json("order_reject"), row).text("reason", why).end())
        }
        Body::Filled(row) => all.push(fill(json("fill"), row).end()),
        Body::Cancelled { order_id, client_id, why } => {
            all.push(ended("order_cancel", (*order_id, client_id, why)))
        }
        Body::CancelRefused { order_id, client_id, why } => {
            all.push(ended("cancel_reject", (*order_id, client_id, why)));
        }
        Body::Cash { kind, rows } => {
            let one = |&(symbol, amount): &(&str, _)| {
                json("cash")
                    .text("type", format_args!("{kind:?}"))
                    .text("symbol", symbol)
                    .text("amount", amount)
                    .end()
            };
            all.extend(rows.iter().map(one));
            if rows.is_empty() {
                all.push(json("cash").text("type", format_args!("{kind:?}")).text("amount", 0).end());
            }
        }
        Body::Account(event) => all.push(json("account_event").text("event", event).end()),
        Body::Other(event) => all.push(json("ignored").text("event", event).end()),
    }
}

fn order(json: Json, row: &Order<'_>) -> Json {
    let kind = match row.kind {
        Kind::Market => "market",
        Kind::Limit => "limit",
        Kind::Stop => "stop",
        Kind::Touched => "market_if_touched",
        Kind::TakeProfit => "take_profit",
        Kind::StopLoss => "stop_loss",
    };
    json.text("type", kind)
        .text("symbol", row.instrument)
        .text("client_order_id", row.client_id)
        .text("units", row.units)
        .text("price", row.price)
        .text("bound", row.bound)
        .plain("trade_id", row.trade_id)
}

fn order_row(row: &OrderRow<'_>) -> (&'static str, String) {
    let json = order(Json::new("order_state").plain("venue_order_id", row.id), &row.order);
    match row.state {
        OrderState::Pending => json.text("state", "pending").end(),
        OrderState::Ended(by) => json.text("state", "ended").plain("ended_by", by).end(),
    }
}

fn fill(json: Json, row: &Fill<'_>) -> Json {
    json.plain("venue_order_id", row.order_id)
        .text("client_order_id", row.client_id)
        .text("symbol", row.instrument)
        .text("units", row.units)
        .text("price", row.price)
        .text("fee", row.fee)
        .text("financing", row.financing)
        .plain("opened_trade_id", row.opened.map_or(0, |(id, _)| id))
        .plain("is_balanced", row.is_balanced)
}

fn trade(row: &Trade<'_>) -> (&'static str, String) {
    Json::new("trade").plain("trade_id", row.id).text("symbol", row.instrument).text("units", row.units).end()
}

fn position(row: &PositionRow<'_>) -> (&'static str, String) {
    let json = Json::new("position").text("symbol", row.instrument);
    json.text("units", row.units).text("average", row.average).end()
}

fn account(one: &Account<'_>, all: &mut Vec<(&'static str, String)>) {
    let json = Json::new("account").plain("last_id", one.last_id).text("currency", one.currency);
    all.push(
        json.text("balance", one.balance)
            .text("equity", one.equity)
            .text("free", one.free)
            .plain("is_hedging", one.is_hedging)
            .end(),
    );
    all.extend(one.orders.iter().map(|row| row.as_ref().map_or_else(|e| refused(*e), order_row)));
    all.extend(one.trades.iter().map(|row| row.as_ref().map_or_else(|e| refused(*e), trade)));
    all.extend(one.positions.iter().map(|row| row.as_ref().map_or_else(|e| refused(*e), position)));
}

fn refused(refusal: Refusal) -> (&'static str, String) {
    Json::new("refused").text("reason", refusal).end()
}
