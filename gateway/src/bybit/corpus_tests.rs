//! Every REST answer of the corpus about orders and the account: read as what was asked, or refused by name.

use super::message::Refusal;
use super::tape::{Reply, Scratch, decode_reply};
use crate::testing::lines;
use crate::vectors::Outcomes;
use serde_json::Value;

/// What an answer holds for the gateway, all its rows read.
fn kind(reply: &Reply<'_, '_>, file: &str, path: &str) -> Result<&'static str, Refusal> {
    if reply.head.code != 0 {
        return Ok("an error");
    }
    let rows = || reply.list().ok_or(Refusal::Missing { field: "list" });
    let question = if path.is_empty() { file } else { path };
    match question {
        "/v5/order/realtime" | "/v5/order/history" | "rest_order_query" => {
            rows()?.orders().try_for_each(|row| row.map(drop))?;
            Ok("orders")
        }
        "/v5/execution/list" | "rest_execution" => {
            rows()?.executions().try_for_each(|row| row.map(drop))?;
            Ok("executions")
        }
        "/v5/position/list" => {
            rows()?.positions().try_for_each(|row| row.map(drop))?;
            Ok("positions")
        }
        "/v5/account/wallet-balance" => {
            rows()?.wallets().try_for_each(|row| row?.coins.coins().try_for_each(|coin| coin.map(drop)))?;
            Ok("a wallet")
        }
        "/v5/user/query-api" => Ok("a key"),
        // Only whether it was done counts.
        "/v5/order/create" | "/v5/order/cancel" | "/v5/order/cancel-all" => Ok("done"),
        _ => Ok("not asked here"),
    }
}

#[test]
fn every_answer_about_orders_and_the_account_is_read_or_refused_by_name() {
    let mut found = Vec::new();
    for (file, count) in FILES {
        let mut outcomes = Outcomes::default();
        for line in lines(&format!("data/bybit/{file}.jsonl")) {
            let row: Value = serde_json::from_str(&line).unwrap();
            let mut body = row["msg"].to_string().into_bytes();
            let path = row["path"].as_str().unwrap_or_default();
            let read = decode_reply(&mut body, &mut Scratch::new(), |reply| kind(reply, file, path));
            outcomes.count(read.and_then(|kind| kind));
        }
        if outcomes.total() > 0 {
            assert_eq!(outcomes.total(), count, "{file}: the corpus' own count");
            found.push(outcomes.line(file));
        }
    }
    assert!(found.is_empty() || found == EXPECTED, "{found:#?}");
}

const FILES: [(&str, usize); 6] = [
    ("rest_order_ack", 8),
    ("rest_order_query", 9),
    ("rest_execution", 3),
    ("rest_position", 13),
    ("rest_account", 16),
    ("rest_error", 2),
];

const EXPECTED: [&str; 6] = [
    "rest_order_ack: 3 decoded done; 5 decoded not asked here;",
    "rest_order_query: 9 decoded orders;",
    "rest_execution: 3 decoded executions;",
    "rest_position: 9 decoded not asked here; 4 decoded positions;",
    "rest_account: 5 decoded a wallet; 1 decoded an error; 10 decoded not asked here;",
    "rest_error: 2 decoded an error;",
];
