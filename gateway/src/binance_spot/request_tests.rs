//! Every request to Binance spot that other clients sent: ours says the same, field by field, or is not made, and why.

use super::encode::{Encoder, Named, Query};
use crate::sign::{Secret, Signer};
use crate::testing::{PEM, instrument, order};
use crate::vectors::{Tally, Vector, binance, pairs};
use serde_json::{Map, Value};
use smc_core::output::{CancelOrder, NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Side};

const SYMBOLS: [&str; 2] = ["BTCUSDT", "LTCUSDT"];
const TIME: u64 = 1_700_000_000_123;

/// Who asks, when, under which id, and how much the venue shall answer.
const OWN: [&str; 7] = [
    "apiKey",
    "timestamp",
    "recvWindow",
    "newClientOrderId",
    "newOrderRespType",
    "origClientOrderId",
    "cancelOrigClientOrderId",
];
/// What we say and they leave to the venue's default.
const EXTRA: [&str; 2] = ["cancelRestrictions", "omitZeroBalances"];

/// What they wish, in our words.
fn wish(vector: &Vector) -> Result<NewOrder, &'static str> {
    if vector.has("quoteOrderQty") {
        return Err("an amount of quote coins: an order here counts base coins");
    }
    if vector.has("selfTradePreventionMode") {
        return Err("a way of self-trade prevention: the symbol's default stands");
    }
    let kind = match vector.text("type") {
        "LIMIT" => OrderKind::Limit,
        "LIMIT_MAKER" => OrderKind::LimitMaker,
        "MARKET" => OrderKind::Market,
        "STOP_LOSS_LIMIT" => OrderKind::StopLimit,
        other => panic!("{}: {other}", vector.id),
    };
    Ok(NewOrder {
        instrument: instrument_of(vector),
        side: if vector.text("side") == "BUY" { Side::Buy } else { Side::Sell },
        kind,
        time_in_force: TimeInForce::Gtc,
        price: vector.price("price"),
        stop_price: vector.price("stopPrice"),
        qty: vector.qty("quantity"),
        ..order(0, 1)
    })
}

fn instrument_of(vector: &Vector) -> InstrumentId {
    let place = SYMBOLS.iter().position(|symbol| vector.text("symbol") == *symbol).unwrap_or(0);
    InstrumentId(place as u16)
}

/// The order they name: by the venue's number, or by a name in whose place ours stands.
fn named(vector: &Vector, theirs: &str) -> CancelOrder {
    let venue_order_id = vector.text(theirs).parse().unwrap_or(0);
    let ours = ClientOrderId::new(7, 1, 1);
    let client_order_id = if venue_order_id == 0 { ours } else { ClientOrderId::NONE };
    CancelOrder { instrument: instrument_of(vector), client_order_id, venue_order_id }
}

fn encoder(vector: &Vector) -> Encoder {
    let hmac = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    let signer = Signer::new(&Secret::new(if vector.alg == "hmac" { hmac } else { PEM })).unwrap();
    let grid = "0.00000001";
    let all: Vec<_> = (0..).zip(SYMBOLS).map(|(id, symbol)| instrument(id, symbol, grid, grid)).collect();
    // All open orders are asked for at once where there are several instruments.
    let all = if vector.call.to_lowercase().contains("open_orders") || vector.call == "openOrders.status" {
        &all[usize::from(instrument_of(vector).0)..][..1]
    } else {
        &all[..]
    };
    Encoder::new(all, 5_000, "KEY", signer).unwrap()
}

fn params(frame: &[u8], method: &str) -> Map<String, Value> {
    let frame: Value = serde_json::from_slice(frame).unwrap();
    assert_eq!(frame["method"], method);
    let mut params = frame["params"].as_object().unwrap().clone();
    params.remove("signature");
    params
}

fn ours(vector: &Vector) -> Result<Map<String, Value>, &'static str> {
    let mut encoder = encoder(vector);
    let (cancel, replaced) = (named(vector, "orderId"), named(vector, "cancelOrderId"));
    let order;
    let query = match vector.call.as_str() {
        "new_order" | "create_order" | "order.place" => {
            return Ok(params(
                encoder.place(6_000_000_000_000_001, TIME, &wish(vector)?).unwrap(),
                "order.place",
            ));
        }
        "delete_order" | "cancel_order" | "order.cancel" => Query::Cancel(&cancel),
        "get_order" | "fetch_order" | "order.status" => match cancel.venue_order_id {
            0 => Query::Status(cancel.instrument, Named::Ours(cancel.client_order_id)),
            id => Query::Status(cancel.instrument, Named::Theirs(id)),
        },
        "order_cancel_replace" | "edit_order" | "order.cancelReplace" => {
            order = wish(vector)?;
            Query::Replace(&replaced, &order)
        }
        "delete_open_orders" => Query::CancelAll(instrument_of(vector)),
        "get_open_orders" | "fetch_open_orders" | "openOrders.status" => Query::OpenOrders,
        "get_account" | "account.status" => Query::Account,
        "userDataStream.subscribe" | "userDataStream.subscribe.signature" => Query::Subscribe,
        "order_amend_keep_priority" => return Err("an amendment: an order is replaced by a new one"),
        "rate_limit_order" => return Err("what was used of the limits: every answer tells it"),
        "depth" | "agg_trades" | "fetch_ohlcv" | "fetch_order_book" | "SUBSCRIBE" => {
            return Err("market data: the feed asks");
        }
        other => panic!("{}: {other}", vector.id),
    };
    let Some((method, path)) = &vector.rest else {
        return Ok(params(encoder.frame(9, TIME, &query).unwrap(), &vector.call));
    };
    let call = encoder.call(TIME, &query).unwrap();
    let (ours, query) = call.path.split_once('?').unwrap();
    assert_eq!((&*format!("{:?}", call.method).to_uppercase(), ours), (&**method, &**path), "{}", vector.id);
    Ok(pairs(query))
}

#[test]
fn every_request_equals_theirs_field_by_field_or_is_not_ours() {
    let mut tally = Tally::default();
    for vector in binance("spot") {
        tally.count(ours(&vector).map(|ours| vector.assert_equal(&ours, &OWN, &EXTRA)));
    }
    let not_ours = [
        ("an amount of quote coins: an order here counts base coins", 2),
        ("a way of self-trade prevention: the symbol's default stands", 2),
        ("an amendment: an order is replaced by a new one", 1),
        ("what was used of the limits: every answer tells it", 1),
        ("market data: the feed asks", 5),
    ];
    tally.expect("binance/requests, spot", 30, &not_ours);
}
