//! Requests by themselves, and every message of the corpus, whole and damaged.

use super::encode::Encoder;
use super::message::{Refusal, Scratch, describe};
use super::settings::{GatewayInstrument, SendError};
use crate::sign::{Secret, Signer};
use crate::testing::messages;
use crate::vectors::plain;
use serde_json::{Map, Value};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side};

pub(super) const INSTANCE: u16 = 7;
pub(super) const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const TIME: u64 = 1_700_000_000_123;

pub(super) fn instrument(id: u16, symbol: &str) -> GatewayInstrument {
    let name = |text: &str| Name::new(text).unwrap();
    let spec = InstrumentSpec {
        symbol: name(symbol),
        base: name(symbol.trim_end_matches("USDT")),
        quote: name("USDT"),
        tick: Price(SCALE / 10),
        lot: Qty(SCALE / 1_000),
        qty_min: Qty(SCALE / 1_000),
        qty_max: Qty(1_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    };
    GatewayInstrument { id: InstrumentId(id), spec }
}

/// A limit order to buy 0.5 at 50 000.
pub(super) fn order(sequence: u64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(INSTANCE, 1, sequence),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price(50_000 * SCALE),
        stop_price: Price::ZERO,
        qty: Qty(SCALE / 2),
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    }
}

pub(super) fn signer() -> Signer {
    Signer::new(&Secret::new(SECRET)).unwrap()
}

fn encoder() -> Encoder {
    Encoder::new(&[instrument(0, "BTCUSDT")], "KEY", signer(), 5_000).unwrap()
}

/// The parameters of a frame, whose signature must be that of all the others, sorted.
pub(super) fn params(frame: &[u8]) -> Map<String, Value> {
    let frame: Value = serde_json::from_slice(frame).unwrap();
    let mut params = frame["params"].as_object().unwrap().clone();
    let signature = params.remove("signature").unwrap();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut pairs: Vec<String> =
        params.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    pairs.sort_unstable();
    assert_eq!(signer().sign(pairs.join("&").as_bytes()).as_str(), signature);
    params
}

/// The query of a call, whose signature must come last and be that of everything before it.
pub(super) fn query(path: &str) -> (String, Map<String, Value>) {
    let (path, query) = path.split_once('?').unwrap();
    let (signed, signature) = query.split_once("&signature=").unwrap();
    assert_eq!(signer().sign(signed.as_bytes()).as_str(), signature);
    let pairs = signed.split('&').map(|pair| pair.split_once('=').unwrap());
    (path.to_owned(), pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect())
}

const MAKER: OrderKind = OrderKind::LimitMaker;

#[test]
fn each_order_type_says_what_the_venue_asks_for() {
    let mut encoder = encoder();
    let mut said = |order: &NewOrder| {
        let frame = encoder.place(9, TIME, order).unwrap();
        let method = serde_json::from_slice::<Value>(frame).unwrap()["method"].as_str().unwrap().to_owned();
        let params = params(frame);
        let get = |name: &str| params.get(name).map_or("-".to_owned(), plain);
        let names =
            ["type", "timeInForce", "price", "triggerPrice", "quantity", "reduceOnly", "side", "workingType"];
        format!("{method} {}", names.map(get).join(" "))
    };
    let good = order(1);
    assert_eq!(said(&good), "order.place LIMIT GTC 50000 - 0.5 - BUY -");
    let maker = NewOrder { kind: MAKER, side: Side::Sell, ..good };
    assert_eq!(said(&maker), "order.place LIMIT GTX 50000 - 0.5 - SELL -");
    let terms = OrderTerms { reduce_only: true, ..OrderTerms::PLAIN };
    let market = NewOrder { kind: OrderKind::Market, price: Price::ZERO, terms, ..good };
    assert_eq!(said(&market), "order.place MARKET - - - 0.5 true BUY -");
    let stop = NewOrder { kind: OrderKind::StopLimit, stop_price: Price(49_000 * SCALE), terms, ..good };
    assert_eq!(said(&stop), "algoOrder.place STOP GTC 50000 49000 0.5 true BUY CONTRACT_PRICE");
}

#[test]
fn what_cannot_be_said_exactly_is_not_said_and_leaves_nothing_behind() {
    let mut encoder = encoder();
    let good = order(1);
    for (bad, error) in [
        (NewOrder { price: Price(good.price.0 + 1), ..good }, SendError::BadPrice),
        (NewOrder { price: Price(0), ..good }, SendError::BadPrice),
        (NewOrder { qty: Qty(-1), ..good }, SendError::BadQty),
        (NewOrder { qty: Qty(1), ..good }, SendError::BadQty),
        (NewOrder { kind: OrderKind::StopLimit, ..good }, SendError::BadPrice),
        (NewOrder { instrument: InstrumentId(3), ..good }, SendError::UnknownInstrument),
    ] {
        assert_eq!(encoder.place(9, TIME, &bad).err(), Some(error));
        assert_eq!(params(encoder.place(9, TIME, &good).unwrap())["quantity"], "0.500");
    }
    // On a connection that is logged on nothing is signed.
    encoder.is_logged_on = true;
    let frame: Value = serde_json::from_slice(encoder.place(9, TIME, &good).unwrap()).unwrap();
    assert!(frame["params"]["apiKey"].is_null() && frame["params"]["signature"].is_null());
    assert_eq!(frame["params"]["timestamp"], TIME);
}

fn user_messages() -> Vec<(String, String)> {
    let names = [
        "ACCOUNT_CONFIG_UPDATE",
        "ACCOUNT_UPDATE",
        "ALGO_UPDATE",
        "CONDITIONAL_ORDER_TRIGGER_REJECT",
        "MARGIN_CALL",
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "listenKeyExpired",
    ];
    let of = |name: &str| messages(&format!("data/binance/usdm/user/{name}.jsonl"));
    names.iter().flat_map(|name| of(name).into_iter().map(|raw| ((*name).to_owned(), raw))).collect()
}

#[test]
fn every_event_of_the_corpus_is_understood_and_no_damage_panics() {
    let mut scratch = Scratch::new();
    let mut random = 0x5eed_u64;
    for (name, raw) in user_messages() {
        let told = describe(&mut raw.clone().into_bytes(), &mut scratch)
            .unwrap_or_else(|error| panic!("{error}: {raw}"));
        let json: Value = serde_json::from_str(&told.1).unwrap();
        assert_eq!(json["event"], name.as_str(), "{raw}");
        for cut in 0..raw.len() {
            assert!(describe(&mut raw.as_bytes()[..cut].to_vec(), &mut scratch).is_err());
        }
        for at in 0..raw.len() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for byte in [b'"', b'9', b'{', b'-', (random >> 33) as u8] {
                let mut broken = raw.as_bytes().to_vec();
                broken[at] = byte;
                let _ = describe(&mut broken, &mut scratch);
            }
        }
    }
    let refused = |raw: &str| describe(&mut raw.as_bytes().to_vec(), &mut Scratch::new()).unwrap_err();
    assert_eq!(refused("{"), Refusal::NotJson);
    assert_eq!(refused("[1]"), Refusal::UnknownShape);
    assert_eq!(refused("{\"e\":\"ORDER_TRADE_UPDATE\"}"), Refusal::Missing("o"));
    assert!(matches!(refused("{\"e\":\"kline\"}"), Refusal::UnknownEvent(_)));
}
