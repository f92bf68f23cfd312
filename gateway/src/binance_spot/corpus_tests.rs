//! Every REST answer of the corpus about orders and the account: told apart by its shape and read to the last row, or refused
//! by name.

use super::decode::{Scratch, decode_body};
use super::message::{Outcome, Refusal};
use crate::testing::messages;
use crate::vectors::Outcomes;

/// What an answer is, all its rows read.
fn kind(outcome: Outcome<'_, '_>) -> &'static str {
    match outcome {
        Outcome::Order(_) => "order",
        Outcome::Orders(rows) => ["no orders", "orders"][usize::from(rows.iter().count() > 0)],
        Outcome::Trades(rows) => ["no trades", "trades"][usize::from(rows.iter().count() > 0)],
        Outcome::Account { balances, .. } => ["no coins", "coins"][usize::from(balances.iter().count() > 0)],
        Outcome::Session { .. } => "session",
        Outcome::Subscription { .. } => "subscription",
        Outcome::Time { .. } => "time",
        Outcome::OrderList { .. } => "pair",
        Outcome::Rights { .. } => "rights",
        Outcome::Replaced(_) => "replaced",
        Outcome::Empty => "empty",
        Outcome::Other => "other",
        Outcome::Error(_) => "error",
    }
}

#[test]
fn every_answer_about_orders_and_the_account_is_read_or_refused_by_name() {
    let mut found = Vec::new();
    for line in EXPECTED {
        let file = line.split(':').next().unwrap();
        let mut outcomes = Outcomes::default();
        for raw in messages(&format!("data/binance/spot/rest/{file}.jsonl")) {
            let read: Result<_, Refusal> = decode_body(&mut raw.into_bytes(), &mut Scratch::new(), kind);
            outcomes.count(read);
        }
        if outcomes.total() > 0 {
            found.push(outcomes.line(file));
        }
    }
    assert!(found.is_empty() || found == EXPECTED, "{found:#?}");
}

/// `other` is a result of a question that the gateway does not ask, or of a shape that the venue does not send.
const EXPECTED: [&str; 14] = [
    "DELETE_api_v3_openOrders: 1 decoded orders; 1 decoded other;",
    "DELETE_api_v3_order: 2 decoded order;",
    "GET_api_v3_account: 1 decoded coins;",
    "GET_api_v3_account_commission: 2 decoded other;",
    "GET_api_v3_myTrades: 1 decoded trades;",
    "GET_api_v3_openOrders: 1 decoded orders;",
    "GET_api_v3_order: 1 decoded order;",
    "GET_api_v3_rateLimit_order: 2 decoded other;",
    "GET_api_v3_time: 1 decoded time;",
    "POST_api_v3_order: 4 decoded order;",
    "POST_api_v3_order_cancelReplace: 1 decoded other; 1 decoded replaced;",
    "POST_api_v3_order_test: 2 decoded other;",
    "PUT_api_v3_order_amend_keepPriority: 3 decoded other;",
    "error: 7 decoded error;",
];
