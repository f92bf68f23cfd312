//! Every request to the futures market that other clients sent: ours says the same, field by field and signed alike, or is
//! not made, and why.

use super::encode::{Encoder, Target};
use super::wire_tests::{INSTANCE, instrument, order, params, query, signer};
use crate::testing::lines;
use crate::vectors::{Tally, Vector, binance};
use serde_json::{Map, Value};
use smc_core::output::{NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Qty, SCALE, Side};
use smc_net::{Call, Method};

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
    "clientAlgoId",
];
/// What we say and they leave to the venue's default.
const EXTRA: [&str; 3] = ["selfTradePreventionMode", "timeInForce", "workingType"];

fn instrument_of(vector: &Vector) -> InstrumentId {
    let place = SYMBOLS.iter().position(|symbol| vector.text("symbol") == *symbol).unwrap_or(0);
    InstrumentId(place as u16)
}

/// What they wish, in our words.
fn wish(vector: &Vector) -> Result<NewOrder, &'static str> {
    let kind = match (vector.text("type"), vector.text("timeInForce")) {
        ("LIMIT", "GTX") => OrderKind::LimitMaker,
        ("LIMIT", _) => OrderKind::Limit,
        ("MARKET", _) => OrderKind::Market,
        ("STOP", _) => OrderKind::StopLimit,
        ("STOP_MARKET" | "TAKE_PROFIT_MARKET", _) => return Err("a trigger without a limit: ours have one"),
        other => panic!("{}: {other:?}", vector.id),
    };
    Ok(NewOrder {
        instrument: instrument_of(vector),
        side: if vector.text("side") == "BUY" { Side::Buy } else { Side::Sell },
        kind,
        time_in_force: TimeInForce::Gtc,
        price: vector.price("price"),
        stop_price: vector.price("triggerPrice"),
        qty: vector.qty("quantity"),
        ..order(1)
    })
}

/// The order they name: by the venue's number, or by a name in whose place ours stands.
fn target(vector: &Vector) -> Target {
    let is_algo = vector.has("algoId") || vector.has("clientAlgoId");
    let number = vector.text(if is_algo { "algoId" } else { "orderId" });
    let venue_id = number.parse().unwrap_or(0);
    Target { instrument: instrument_of(vector), id: ClientOrderId::new(INSTANCE, 1, 1), venue_id, is_algo }
}

/// Ours as parameters; a call must have their method and path.
fn ours(vector: &Vector) -> Result<Map<String, Value>, &'static str> {
    let instruments: Vec<_> = (0..).zip(SYMBOLS).map(|(id, symbol)| instrument(id, symbol)).collect();
    let mut encoder = Encoder::new(&instruments, "KEY", signer(), 5_000).unwrap();
    let is_frame = vector.rest.is_none();
    let call = match vector.call.as_str() {
        "new_order" | "new_algo_order" | "create_order" | "order.place" => {
            return Ok(params(encoder.place(9, TIME, &wish(vector)?).unwrap()));
        }
        "order.cancel" => return Ok(params(encoder.cancel(9, TIME, target(vector)).unwrap())),
        "cancel_order" if vector.has("algoId") && vector.has("symbol") => {
            return Err("a symbol beside a trigger's number: the venue's document has none");
        }
        "cancel_order" | "cancel_algo_order" => encoder.cancel_call(1, TIME, target(vector)).unwrap(),
        "query_order" => encoder.status_call(1, TIME, target(vector)).unwrap(),
        "auto_cancel_all_open_orders" => {
            encoder.countdown_call(1, TIME, instrument_of(vector), 120_000).unwrap()
        }
        "account_information_v3" => encoder.account_call(1, TIME, "/fapi/v3/account"),
        "start_user_data_stream" => encoder.listen_key_call(1, Method::Post),
        "keepalive_user_data_stream" => encoder.listen_key_call(1, Method::Put),
        "userDataStream.start" | "v2/account.status" if is_frame => {
            return Err("what is asked over REST here");
        }
        "close_user_data_stream" => return Err("an end of the stream: the key runs out"),
        "modify_order" | "edit_order" | "order.modify" => {
            return Err("an amendment: an order is cancelled and made anew");
        }
        "cancel_all_open_orders" | "cancel_all_orders" => {
            return Err("a cancel of all: ours name each order");
        }
        "change_initial_leverage" | "set_leverage" | "set_position_mode" => {
            return Err("a setting of the account: a person's");
        }
        "mark_price" | "kline_candlestick_data" | "fetch_order_book" | "fetch_ohlcv" | "SUBSCRIBE" => {
            return Err("market data: the feed asks");
        }
        other => panic!("{}: {other}", vector.id),
    };
    Ok(fields(vector, &call))
}

fn fields(vector: &Vector, call: &Call) -> Map<String, Value> {
    let (method, path) = vector.rest.as_ref().unwrap();
    assert_eq!(call.headers, [("X-MBX-APIKEY".to_owned(), "KEY".to_owned())]);
    assert_eq!(*method, format!("{:?}", call.method).to_uppercase(), "{}", vector.id);
    if vector.fields.is_empty() {
        assert_eq!(*path, call.path, "{}", vector.id);
        return Map::new();
    }
    let (ours, fields) = query(&call.path);
    assert_eq!(*path, ours, "{}", vector.id);
    fields
}

#[test]
fn every_request_equals_theirs_field_by_field_or_is_not_ours() {
    let (mut tally, vectors) = (Tally::default(), binance("usdm"));
    for vector in &vectors {
        tally.count(ours(vector).map(|ours| vector.assert_equal(&ours, &OWN, &EXTRA)));
    }
    let not_ours = [
        ("a cancel of all: ours name each order", 2),
        ("a setting of the account: a person's", 3),
        ("a symbol beside a trigger's number: the venue's document has none", 1),
        ("a trigger without a limit: ours have one", 3),
        ("an amendment: an order is cancelled and made anew", 3),
        ("an end of the stream: the key runs out", 1),
        ("market data: the feed asks", 6),
        ("what is asked over REST here", 2),
    ];
    tally.expect("binance/requests, usdm", 19, &not_ours);
    let files = ["data/binance/requests/http.jsonl", "data/binance/requests/ws_api.jsonl"];
    let all: usize = files.iter().map(|file| lines(file).len()).sum();
    assert_eq!(vectors.len() + binance("spot").len(), all, "each belongs to one of the two");
}

/// Of what they do not say, ours say only what the venue would assume.
#[test]
fn what_ours_say_beyond_is_the_venues_default() {
    let mut encoder = Encoder::new(&[instrument(0, "BTCUSDT")], "KEY", signer(), 5_000).unwrap();
    let stop =
        NewOrder { kind: OrderKind::StopLimit, stop_price: order(1).price, qty: Qty(SCALE), ..order(1) };
    let said = params(encoder.place(9, TIME, &stop).unwrap());
    let defaults = [("timeInForce", "GTC"), ("workingType", "CONTRACT_PRICE")];
    defaults.iter().for_each(|&(name, word)| assert_eq!(said[name], word));
}
