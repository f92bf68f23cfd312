//! A client that knows only the venue's protocol, over real sockets and TLS.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{API_KEY, Client, Key, START, get, settings};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use venue_sim::{Sim, SimError};

/// Runs a simulator beside `client`, then hands it back.
fn beside(mut sim: Sim, client: impl FnOnce(std::net::SocketAddr, &str)) -> Sim {
    let stop = AtomicBool::new(false);
    let (address, ca_pem) = (sim.local_addr(), sim.ca_pem().to_owned());
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            sim.run(&stop);
            sim
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(address, &ca_pem)));
        stop.store(true, Ordering::Relaxed);
        let sim = server.join().unwrap();
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
        sim
    })
}

fn time(client: &mut Client) -> u64 {
    client.ask(r#"{"id":"t","method":"time"}"#)["result"]["serverTime"].as_u64().unwrap()
}

fn log_on(client: &mut Client, key: &Key) -> Value {
    let timestamp = time(client);
    let signature = key.sign(&format!("apiKey={API_KEY}&timestamp={timestamp}"));
    client.ask(&format!(
        r#"{{"id":"logon","method":"session.logon","params":{{"apiKey":"{API_KEY}","timestamp":{timestamp},"signature":"{signature}"}}}}"#
    ))
}

#[test]
fn a_client_logs_on_trades_and_cancels() {
    let key = Key::generate();
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(&key, 100_000);
    settings.audit = Some(dir.path().join("audit"));
    let sim = beside(Sim::bind(settings).unwrap(), |address, ca| {
        let mut client = Client::connect(address, ca, "/ws-api/v3");
        let answer = log_on(&mut client, &key);
        assert_eq!(
            (answer["status"].as_u64(), answer["result"]["apiKey"].as_str()),
            (Some(200), Some(API_KEY))
        );
        let answer = client.ask(r#"{"id":1,"method":"userDataStream.subscribe"}"#);
        assert_eq!(answer["result"]["subscriptionId"], 0);

        let now = time(&mut client);
        let answer = client.ask(&format!(
            r#"{{"id":2,"method":"order.place","params":{{"symbol":"BTCUSDT","side":"BUY","type":"MARKET","quantity":"0.01","newClientOrderId":"x0001","timestamp":{now}}}}}"#
        ));
        assert_eq!(answer["result"]["status"], "FILLED", "{answer}");
        assert_eq!(answer["result"]["fills"][0]["commissionAsset"], "BTC");
        let event = client.receive_until(|m| m["event"]["x"] == "TRADE");
        assert_eq!(
            (event["event"]["c"].as_str(), event["event"]["m"].as_bool()),
            (Some("x0001"), Some(false))
        );
        let event = client.receive_until(|m| m["event"]["e"] == "outboundAccountPosition");
        assert_eq!(event["event"]["B"][0]["f"], "2.00999000");

        let now = time(&mut client);
        client.send(&format!(
            r#"{{"id":3,"method":"order.place","params":{{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","price":"50000.00","quantity":"0.1","newClientOrderId":"x0002","newOrderRespType":"ACK","timestamp":{now}}}}}"#
        ));
        let event = client.receive_until(|m| m["event"]["x"] == "NEW" && m["event"]["c"] == "x0002");
        let id = event["event"]["i"].as_u64().unwrap();
        client.send(&format!(
            r#"{{"id":4,"method":"order.cancel","params":{{"symbol":"BTCUSDT","orderId":{id},"timestamp":{now}}}}}"#
        ));
        let answer = client.receive_until(|m| m["id"] == 4);
        assert_eq!(
            (answer["result"]["status"].as_str(), answer["result"]["origClientOrderId"].as_str()),
            (Some("CANCELED"), Some("x0002"))
        );
        let event = client.receive_until(|m| m["event"]["x"] == "CANCELED");
        assert_eq!(event["event"]["C"], "x0002");
    });
    let seen: Vec<_> = sim.orders_seen().iter().map(|order| order.client_order_id.as_str()).collect();
    assert_eq!(seen, ["x0001", "x0002"]);
    let audit = std::fs::read_to_string(dir.path().join("audit")).unwrap();
    assert_eq!(audit.lines().count(), 2);
    assert!(audit.lines().all(|line| line.contains(" accepted ")), "{audit}");
    assert_eq!(sim.summary().orders_accepted, 2);
}

#[test]
fn market_streams_and_rest_agree() {
    let key = Key::generate();
    beside(Sim::bind(settings(&key, 100_000)).unwrap(), |address, ca| {
        let mut raw = Client::connect(address, ca, "/ws");
        raw.send(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@trade","btcusdt@bookTicker"],"id":1}"#);
        let answer = raw.receive_until(|m| m.get("id").is_some());
        assert_eq!(answer["result"], Value::Null);
        let (status, snapshot) = get(address, ca, "/api/v3/depth?symbol=BTCUSDT&limit=5000");
        assert_eq!(status, 200);
        let mut last = snapshot["lastUpdateId"].as_u64().unwrap();
        let mut updates = 0;
        while updates < 5 {
            let event = raw.receive_until(|m| m["e"] == "depthUpdate");
            let (first, until) = (event["U"].as_u64().unwrap(), event["u"].as_u64().unwrap());
            if until > last {
                assert!(first <= last + 1, "gap: {first} after {last}");
                last = until;
                updates += 1;
            }
        }
        let mut combined = Client::connect(address, ca, "/stream?streams=btcusdt@trade/btcusdt@aggTrade");
        let trade = combined.receive_until(|m| m["stream"] == "btcusdt@trade");
        assert_eq!(trade["data"]["e"], "trade");
        let (status, info) = get(address, ca, "/api/v3/exchangeInfo?symbol=BTCUSDT");
        assert_eq!((status, info["symbols"][0]["symbol"].as_str()), (200, Some("BTCUSDT")));
        let (status, error) = get(address, ca, "/api/v3/depth?symbol=NOSUCH");
        assert_eq!((status, error["code"].as_i64()), (400, Some(-1121)));
        let (status, time) = get(address, ca, "/api/v3/time");
        assert!(status == 200 && time["serverTime"].as_u64().unwrap() >= START.as_ms());
        let (_, trades) = get(address, ca, "/api/v3/trades?symbol=BTCUSDT&limit=2");
        assert!(!trades.as_array().unwrap().is_empty());
        let (status, _) = get(address, ca, "/api/v3/nothing");
        assert_eq!(status, 404);
    });
}

#[test]
fn a_wrong_signature_and_an_unknown_key_are_refused() {
    let (key, other) = (Key::generate(), Key::generate());
    beside(Sim::bind(settings(&key, 10)).unwrap(), |address, ca| {
        let mut client = Client::connect(address, ca, "/ws-api/v3?returnRateLimits=false");
        let answer = log_on(&mut client, &other);
        assert_eq!((answer["status"].as_u64(), answer["error"]["code"].as_i64()), (Some(400), Some(-1022)));
        assert!(answer.get("rateLimits").is_none());
        let now = time(&mut client);
        let answer = client.ask(&format!(
            r#"{{"id":2,"method":"account.status","params":{{"apiKey":"nobody","signature":"x","timestamp":{now}}}}}"#
        ));
        assert_eq!(answer["error"]["code"], -2015);
        let answer =
            client.ask(&format!(r#"{{"id":3,"method":"account.status","params":{{"timestamp":{now}}}}}"#));
        assert_eq!(answer["error"]["code"], -1102);
    });
}

#[test]
fn a_taken_port_is_a_typed_error() {
    let key = Key::generate();
    let first = Sim::bind(settings(&key, 10)).unwrap();
    let mut second = settings(&key, 10);
    second.listen = first.local_addr();
    let error = Sim::bind(second).err().unwrap();
    assert!(matches!(error, SimError::Listen { .. }) && error.is_addr_in_use());
}

#[test]
fn a_stream_client_that_talks_too_much_is_cut_off() {
    let key = Key::generate();
    beside(Sim::bind(settings(&key, 10)).unwrap(), |address, ca| {
        let mut client = Client::connect(address, ca, "/ws");
        for id in 0..50 {
            let text = format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#);
            if client.0.send(tungstenite::Message::text(text)).is_err() {
                return;
            }
        }
        while client.0.read().is_ok() {}
    });
}
