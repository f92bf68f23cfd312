//! Every answer of the corpus, on the WebSocket API and over REST, that is about orders and the account: read as what was
//! asked, or refused by name.

use super::answers::TradeRow;
use super::message::{AlgoReport, Fields, OrderRow, Refusal, Scratch, VenueError, answer};
use crate::testing::messages;
use crate::vectors::Outcomes;
use simd_json::tape::Value;

/// Reads one thing that was asked for.
type Read = fn(&Fields<'_, '_>) -> Result<(), Refusal>;

const ORDER: Read = |row| OrderRow::of_row(row).map(drop);
const ALGO: Read = |row| AlgoReport::of_row(row).map(drop);
const TRADE: Read = |row| TradeRow::read(row).map(drop);
const ERROR: Read = |row| VenueError::of(row).map(drop);
const POSITION: Read = |row| {
    row.text("symbol")?;
    row.decimal("positionAmt")?;
    row.rough("entryPrice").map(drop)
};
const ACCOUNT: Read = |body| {
    body.rough("totalMarginBalance")?;
    body.rough("availableBalance")?;
    body.rows("assets")?.try_for_each(|row| {
        let row = row?;
        row.text("asset")?;
        row.rough("walletBalance").map(drop)
    })
};
const TIME: Read = |body| body.integer("serverTime").map(drop);
const MODE: Read = |body| body.flag("dualSidePosition").map(drop);
const LISTEN_KEY: Read = |body| body.text("listenKey").map(drop);

/// What the gateway asks over REST, and its errors.
const REST: [(&str, Read); 19] = [
    ("GET_fapi_v1_order", ORDER),
    ("GET_fapi_v1_openOrder", ORDER),
    ("GET_fapi_v1_allOrders", ORDER),
    ("POST_fapi_v1_order", ORDER),
    ("PUT_fapi_v1_order", ORDER),
    ("DELETE_fapi_v1_order", ORDER),
    ("other.order", ORDER),
    ("GET_fapi_v1_algoOrder", ALGO),
    ("GET_fapi_v1_openAlgoOrders", ALGO),
    ("GET_fapi_v1_allAlgoOrders", ALGO),
    ("other.open_algo_orders", ALGO),
    ("GET_fapi_v1_userTrades", TRADE),
    ("GET_fapi_v3_account", ACCOUNT),
    ("GET_fapi_v3_positionRisk", POSITION),
    ("GET_fapi_v2_positionRisk", POSITION),
    ("GET_fapi_v1_time", TIME),
    ("GET_fapi_v1_positionSide_dual", MODE),
    ("POST_fapi_v1_listenKey", LISTEN_KEY),
    ("error", ERROR),
];

/// What comes back over the WebSocket API.
const FRAMES: [(&str, Read); 6] = [
    ("order.place.response", ORDER),
    ("order.cancel.response", ORDER),
    ("order.status.response", ORDER),
    ("order.modify.response", ORDER),
    ("algoOrder.place.response", ALGO),
    ("error", ERROR),
];

/// A body, or each row of a list.
fn each(value: Value<'_, '_>, read: Read) -> Result<&'static str, Refusal> {
    match value.as_array() {
        Some(rows) => rows.iter().try_for_each(|row| read(&Fields::of(row, "body")?)).map(|()| "rows"),
        None => read(&Fields::of(value, "body")?).map(|()| "one"),
    }
}

#[test]
fn every_answer_about_orders_and_the_account_is_read_or_refused_by_name() {
    let mut scratch = Scratch::new();
    let mut found = Vec::new();
    for (name, read) in REST {
        let mut outcomes = Outcomes::default();
        for raw in messages(&format!("data/binance/usdm/rest/{name}.jsonl")) {
            outcomes.count(scratch.parse(&mut raw.into_bytes(), |value| each(value, read)));
        }
        found.push(outcomes.line(&format!("rest/{name}")));
    }
    for (name, read) in FRAMES {
        let mut outcomes = Outcomes::default();
        for raw in messages(&format!("data/binance/usdm/wsapi/{name}.jsonl")) {
            outcomes.count(scratch.parse(&mut raw.into_bytes(), |value| match answer(value)?.result {
                Ok(result) => read(&result).map(|()| "one"),
                Err(_) => Ok("an error"),
            }));
        }
        found.push(outcomes.line(&format!("wsapi/{name}")));
    }
    let is_absent = messages("data/binance/usdm/wsapi/error.jsonl").is_empty();
    assert!(is_absent || found == EXPECTED, "{found:#?}");
}

const EXPECTED: [&str; 25] = [
    "rest/GET_fapi_v1_order: 2 decoded one;",
    "rest/GET_fapi_v1_openOrder: 1 decoded one;",
    "rest/GET_fapi_v1_allOrders: 1 decoded rows;",
    "rest/POST_fapi_v1_order: 2 decoded one;",
    "rest/PUT_fapi_v1_order: 2 decoded one;",
    "rest/DELETE_fapi_v1_order: 3 decoded one;",
    "rest/other.order: 1 decoded one;",
    "rest/GET_fapi_v1_algoOrder: 3 decoded one;",
    "rest/GET_fapi_v1_openAlgoOrders: 2 decoded rows;",
    "rest/GET_fapi_v1_allAlgoOrders: 3 decoded rows;",
    "rest/other.open_algo_orders: 1 decoded rows;",
    "rest/GET_fapi_v1_userTrades: 2 decoded rows;",
    "rest/GET_fapi_v3_account: 2 decoded one;",
    "rest/GET_fapi_v3_positionRisk: 2 decoded rows;",
    "rest/GET_fapi_v2_positionRisk: 3 decoded rows;",
    "rest/GET_fapi_v1_time: 1 decoded one;",
    "rest/GET_fapi_v1_positionSide_dual: 1 decoded one;",
    "rest/POST_fapi_v1_listenKey: 1 decoded one;",
    "rest/error: 1 decoded one;",
    "wsapi/order.place.response: 2 decoded one;",
    "wsapi/order.cancel.response: 1 decoded one;",
    "wsapi/order.status.response: 1 decoded one;",
    "wsapi/order.modify.response: 1 decoded one;",
    "wsapi/algoOrder.place.response: 1 decoded one;",
    "wsapi/error: 2 decoded an error;",
];
