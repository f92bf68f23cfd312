//! Messages in words: what `smc decode` prints of the private and the trade socket. Cold: for tools and people.

use super::message::{ExecutionKind, Message};
use super::tape::{List, Scratch, decode};
use crate::json_line::Json;

/// Describes one message: a kind and a JSON object for each of its rows, one at least. None for what this module does not
/// know; prices and quantities are exact decimal texts.
pub fn describe(payload: &mut [u8]) -> Option<Vec<(&'static str, String)>> {
    decode(payload, &mut Scratch::new(), |message| told(&message)).ok()
}

fn told(message: &Message<'_, List<'_, '_>>) -> Vec<(&'static str, String)> {
    let mut all = match *message {
        Message::Orders(rows) => rows.orders().map(|row| described("order", row, order)).collect(),
        Message::Executions { rows, .. } => {
            rows.executions().map(|row| described("execution", row, execution)).collect()
        }
        Message::Positions(rows) => {
            rows.positions().map(|row| described("position", row, position)).collect()
        }
        Message::Wallet(rows) => rows.wallets().map(|row| described("wallet", row, wallet)).collect(),
        Message::LoggedOn { is_yes, code, text } => {
            one("logged_on", |json| json.plain("is_yes", is_yes).plain("code", code).text("message", text))
        }
        Message::Subscribed { is_yes, text } => {
            one("subscribed", |json| json.plain("is_yes", is_yes).text("message", text))
        }
        Message::Pong => one("pong", |json| json),
        Message::Answer(answer) => one("answer", |json| {
            json.text("id", answer.req_id)
                .text("op", answer.op)
                .plain("code", answer.code)
                .text("message", answer.text)
                .text("venue_order_id", answer.order_id.as_str())
        }),
        Message::Ignored { topic } => one("ignored", |json| json.text("topic", topic)),
    };
    if all.is_empty() {
        all = one("empty", |json| json);
    }
    all
}

fn order(json: Json, row: &super::message::OrderRow<'_>) -> Json {
    json.text("symbol", row.symbol)
        .text("client_order_id", row.link_id)
        .text("venue_order_id", row.venue_id.as_str())
        .text("side", format_args!("{:?}", row.side))
        .text("status", format_args!("{:?}", row.status))
        .text("price", row.price)
        .text("qty", row.qty)
        .text("filled_qty", row.cum_qty)
        .text("stop_price", row.trigger)
        .text("reason", row.reject_reason)
        .plain("ts_ms", row.updated_ms)
}

fn execution(json: Json, row: &super::message::ExecutionRow<'_>) -> Json {
    let kind = match row.kind {
        ExecutionKind::Trade => "trade",
        ExecutionKind::Funding => "funding",
        ExecutionKind::Other => "other",
    };
    json.text("symbol", row.symbol)
        .text("type", kind)
        .text("client_order_id", row.link_id)
        .text("venue_order_id", row.venue_id.as_str())
        .plain("trade_id", row.trade_id)
        .text("price", row.price)
        .text("qty", row.qty)
        .text("fee", row.fee)
        .text("fee_asset", row.fee_coin)
        .plain("is_maker", row.is_maker)
        .plain("ts_ms", row.time_ms)
}

fn position(json: Json, row: &super::message::PositionRow<'_>) -> Json {
    json.text("symbol", row.symbol)
        .text("qty", row.qty)
        .text("average", row.average)
        .plain("index", row.index)
}

fn wallet(mut json: Json, row: &super::message::WalletRow<List<'_, '_>>) -> Json {
    if let (Some(equity), Some(free)) = (row.equity, row.free) {
        json = json.text("equity", equity).text("free", free);
    }
    json.plain("coins", row.coins.len())
}

/// A row that can be read, or why it cannot.
fn described<R>(
    kind: &'static str,
    row: Result<R, super::message::Refusal>,
    tell: impl Fn(Json, &R) -> Json,
) -> (&'static str, String) {
    match row {
        Ok(row) => tell(Json::new(kind), &row).end(),
        Err(refusal) => Json::new("refused").text("reason", refusal).end(),
    }
}

fn one(kind: &'static str, tell: impl FnOnce(Json) -> Json) -> Vec<(&'static str, String)> {
    vec![tell(Json::new(kind)).end()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lines;
    use serde_json::Value;
    use std::collections::BTreeMap;

    /// The messages of a corpus file, with their direction.
    fn corpus(name: &str) -> Vec<(String, bool, String)> {
        let row = |line: &String| {
            let row: Value = serde_json::from_str(line).unwrap();
            (row["id"].to_string(), row["dir"] == "c2s", row["msg"].to_string())
        };
        lines(&format!("data/bybit/{name}.jsonl")).iter().map(row).collect()
    }

    #[test]
    fn every_private_and_trade_line_of_the_corpus_is_told_or_refused_by_name() {
        let mut kinds = BTreeMap::<&str, u32>::new();
        let files = ["order", "execution", "execution_fast", "position", "wallet"];
        let names = files.iter().map(|name| format!("ws_private_{name}")).chain(["ws_trade".to_owned()]);
        for (id, is_request, message) in names.flat_map(|name| corpus(&name)) {
            let Some(all) = describe(&mut message.clone().into_bytes()) else {
                assert!(is_request, "{id} is not understood: {message}");
                *kinds.entry("request").or_default() += 1;
                continue;
            };
            assert!(!is_request, "{id}");
            for (kind, json) in all {
                assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["kind"], kind, "{json}");
                assert_ne!(kind, "refused", "{id}: {json}");
                *kinds.entry(kind).or_default() += 1;
            }
        }
        let expected =
            [("answer", 6), ("empty", 1), ("execution", 7), ("order", 13), ("pong", 1), ("position", 4)];
        let expected: BTreeMap<_, _> = expected.into_iter().chain([("request", 4), ("wallet", 6)]).collect();
        assert!(kinds.is_empty() || kinds == expected, "{kinds:?}");
    }

    /// Damage of any single byte, and every cut, is an answer and never a panic.
    #[test]
    fn damaged_messages_never_panic() {
        let messages = ["ws_private_order", "ws_private_execution", "ws_private_wallet", "ws_trade"]
            .into_iter()
            .flat_map(corpus)
            .map(|(.., message)| message);
        for message in messages.take(24) {
            for at in 0..message.len() {
                assert!(describe(&mut message.as_bytes()[..at].to_vec()).is_none());
                for byte in [b'"', b'-', b'}', b'9', 0xff] {
                    let mut bytes = message.clone().into_bytes();
                    bytes[at] = byte;
                    let _ = describe(&mut bytes);
                }
            }
        }
    }
}
