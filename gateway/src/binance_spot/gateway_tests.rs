//! The whole gateway against a venue in a thread: TLS, WebSocket, logon, orders, and a cut in the middle.
//!
//! The venue's behaviour is chosen by the order's number; the clock moves only where the test moves it.

use super::desk::{report, state};
use super::gateway::BinanceSpotGateway;
use super::settings::GatewaySettings;
use crate::testing::{INSTANCE, PEM, instrument, order};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use smc_core::event::{Event, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, Qty, SCALE, TsNs};
use smc_net::{Endpoint, TlsSettings};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

const MS: u64 = 1_000_000;
const START_MS: u64 = 1_700_000_000_000;
const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

/// Orders by number.
const FILLED_BEFORE_ACK: u64 = 1;
const REFUSED: u64 = 2;
const CUT_AND_ARRIVED: u64 = 3;
const CUT_AND_LOST: u64 = 4;

type Stream = WebSocket<StreamOwned<ServerConnection, TcpStream>>;

/// What the venue remembers over connections.
#[derive(Default)]
struct Books {
    /// Client ids of every `order.place` it has read.
    placed: Vec<String>,
    /// Numbers of the orders that are working.
    open: Vec<u64>,
    is_key_wrong: bool,
}

/// The venue, for as long as the test runs.
fn venue(is_key_wrong: bool) -> (GatewaySettings, Arc<Mutex<Books>>) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let tls = TlsSettings::from_ca_pem(&authority.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let books = Arc::new(Mutex::new(Books { is_key_wrong, ..Books::default() }));
    let (config, shared) = (Arc::new(config), books.clone());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket.unwrap());
            let mut stream = tungstenite::accept(stream).unwrap();
            // A connection ends when the gateway leaves, or when the venue cuts it.
            while serve(&mut stream, &shared).is_some() {}
        }
    });
    let endpoint = Endpoint { host: "localhost".into(), port: address.port(), address: Some(address), tls };
    (GatewaySettings::new(endpoint, API_KEY, PEM, INSTANCE), books)
}

/// Serves one request; none ends the connection.
fn serve(stream: &mut Stream, books: &Mutex<Books>) -> Option<()> {
    let Message::Text(text) = stream.read().ok()? else { return Some(()) };
    let request: Value = serde_json::from_str(&text).unwrap();
    let mut books = books.lock().unwrap();
    let params = &request["params"];
    let number = |name: &str| {
        let id = params[name].as_str().unwrap();
        ClientOrderId::parse(id.as_bytes()).unwrap().sequence()
    };
    let mut events = Vec::new();
    let answer = match request["method"].as_str().unwrap() {
        "time" => Ok(json!({"serverTime": START_MS})),
        "session.logon" if books.is_key_wrong || !is_signed(params) => {
            Err((-1022, "Signature is not valid."))
        }
        "session.logon" => Ok(json!({"apiKey": API_KEY, "authorizedSince": 1, "serverTime": START_MS})),
        "userDataStream.subscribe" => Ok(json!({"subscriptionId": 0})),
        "account.status" => Ok(json!({"canTrade": true, "updateTime": 1, "balances": []})),
        "openOrders.status" => {
            Ok(books.open.iter().map(|&number| state(&order(0, number), "NEW", "0")).collect::<Value>())
        }
        "myTrades" => Ok(json!([])),
        "order.place" => {
            books.placed.push(params["newClientOrderId"].as_str().unwrap().to_owned());
            let number = number("newClientOrderId");
            let placed = order(0, number);
            match number {
                FILLED_BEFORE_ACK => {
                    events.push(report(&placed, "TRADE", "FILLED", "0.5", Some((70, "0.5"))));
                    Ok(state(&placed, "FILLED", "0.5"))
                }
                REFUSED => Err((-2010, "Account has insufficient balance for requested action.")),
                CUT_AND_ARRIVED => {
                    books.open.push(number);
                    return None;
                }
                _ => return None,
            }
        }
        "order.status" => Err((-2013, "Order does not exist.")),
        "order.cancel" => {
            let placed = order(0, number("origClientOrderId"));
            books.open.retain(|&open| open != placed.client_order_id.sequence());
            events.push(report(&placed, "CANCELED", "CANCELED", "0", None));
            Ok(state(&placed, "CANCELED", "0"))
        }
        other => panic!("{other}"),
    };
    for event in events {
        stream.send(Message::text(event.to_string())).ok()?;
    }
    let id = &request["id"];
    let answer = match answer {
        Ok(result) => json!({"id": id, "status": 200, "result": result}),
        Err((code, message)) => json!({"id": id, "status": 400, "error": {"code": code, "msg": message}}),
    };
    stream.send(Message::text(answer.to_string())).ok()
}

/// Checks a logon as the venue does: every parameter but the signature, sorted.
fn is_signed(params: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let all: Vec<(String, String)> =
        params.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let pairs = all.iter().filter(|(name, _)| name != "signature");
    let payload = pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let body: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).unwrap()).unwrap();
    let signature = STANDARD.decode(params["signature"].as_str().unwrap()).unwrap();
    UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(payload.as_bytes(), &signature).is_ok()
}

/// The gateway and everything it said.
struct Desk {
    gateway: BinanceSpotGateway,
    now: TsNs,
    events: Vec<Event>,
}

impl Desk {
    fn new(settings: GatewaySettings) -> Self {
        let instruments = [instrument(0, "BTCUSDT", "0.01", "0.00001")];
        let gateway = BinanceSpotGateway::new(settings, &instruments).unwrap();
        Self { gateway, now: TsNs::from_ms(START_MS), events: Vec::new() }
    }

    /// Turns with the clock standing still until `is_done`; a minute of real time means that it never will be.
    fn until(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_done(self) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{what}: never; {:?}",
                self.gateway.last_error()
            );
            let events = &mut self.events;
            self.gateway.turn(self.now, &mut |event| events.push(event));
            std::thread::yield_now();
        }
    }

    fn wait(&mut self, nanos: u64) {
        self.now = TsNs(self.now.0 + nanos);
    }

    fn ready(&mut self) {
        self.until("ready", |desk| desk.gateway.is_ready());
    }

    fn told(&self, id: ClientOrderId) -> Vec<OrderUpdateKind> {
        let told = self.events.iter().filter_map(|event| match event.body {
            EventBody::Order(update) if update.client_order_id == id => Some(update.kind),
            _ => None,
        });
        told.collect()
    }

    fn place(&mut self, order: &NewOrder) -> ClientOrderId {
        self.gateway.place_order(self.now, order).unwrap();
        order.client_order_id
    }

    fn is_told(&mut self, id: ClientOrderId, kind: OrderUpdateKind) {
        self.until(&format!("{kind:?}"), |desk| desk.told(id).contains(&kind));
    }
}

#[test]
fn orders_are_filled_refused_and_found_again_after_a_cut() {
    let (settings, books) = venue(false);
    let mut desk = Desk::new(settings);
    desk.ready();

    let filled = desk.place(&order(0, FILLED_BEFORE_ACK));
    desk.until("fill", |desk| !desk.told(filled).is_empty());
    assert!(
        matches!(desk.told(filled)[0], OrderUpdateKind::Fill { trade_id: 70, qty: Qty(q), .. } if q == SCALE / 2)
    );

    let refused = desk.place(&order(0, REFUSED));
    desk.is_told(refused, OrderUpdateKind::Reject { code: -2010 });

    let found = desk.place(&order(0, CUT_AND_ARRIVED));
    desk.is_told(found, OrderUpdateKind::Unknown);
    desk.wait(200 * MS);
    desk.ready();
    assert_eq!(desk.told(found), [OrderUpdateKind::Unknown, OrderUpdateKind::Ack]);

    let cancel =
        CancelOrder { instrument: order(0, 3).instrument, client_order_id: found, venue_order_id: 9_003 };
    desk.gateway.cancel(desk.now, &cancel).unwrap();
    desk.is_told(found, OrderUpdateKind::Canceled { cum_qty: Qty(0) });

    let lost = desk.place(&order(0, CUT_AND_LOST));
    desk.is_told(lost, OrderUpdateKind::Unknown);
    desk.wait(200 * MS);
    desk.ready();
    assert_eq!(desk.told(lost), [OrderUpdateKind::Unknown], "too early to be proof");
    desk.wait(11_000 * MS);
    desk.is_told(lost, OrderUpdateKind::NotFound);

    let expected: Vec<String> = [1, 2, 3, 4].map(|n| order(0, n).client_order_id.to_string()).to_vec();
    assert_eq!(books.lock().unwrap().placed, expected, "every order was sent exactly once");
    let counters = desk.gateway.counters();
    assert_eq!((counters.connects, counters.cuts, counters.orders_sent), (3, 2, 4));
    assert_eq!((counters.refused, counters.stray_answers, counters.unknown), (0, 0, 2));
    assert!(desk.gateway.bytes_received() > 0 && desk.gateway.bytes_sent() > 0);
}

#[test]
fn a_refused_key_keeps_the_gateway_down_for_good() {
    let (settings, _) = venue(true);
    let mut desk = Desk::new(settings);
    desk.until("fatal", |desk| desk.gateway.fatal().is_some());
    let line = desk.gateway.fatal().unwrap().to_string();
    assert_eq!(line, "the venue refused session.logon: Signature is not valid. (-1022)");
    let connects = desk.gateway.counters().connects;
    for _ in 0..1_000 {
        desk.wait(100 * MS);
        desk.gateway.turn(desk.now, &mut |_| {});
    }
    assert_eq!(desk.gateway.counters().connects, connects, "no retry loop with a wrong key");
    assert_eq!(desk.gateway.in_flight(), 0);
    let states: Vec<GatewayState> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Gateway(state) => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [], "it was down and stays down");
}
