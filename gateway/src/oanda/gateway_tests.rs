//! The whole gateway against a venue in threads: TLS, the endless answer, orders by REST, and cuts in the middle.
//!
//! The venue's behaviour is chosen by the order's number; the clock moves only where the test moves it.

use super::desk::{ACCOUNT, INSTANCE, START, TOKEN, bracketed, instruments, order};
use super::fake::Venue;
use super::gateway::OandaGateway;
use super::settings::GatewaySettings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use smc_core::event::{Event, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Qty, SCALE, TsNs};
use smc_net::{Call, Endpoint, Method, Secret, TlsSettings};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MS: u64 = 1_000_000;

/// Orders by number: one that is done and whose answer is cut off, and one that is cut off before it is done.
const DONE_AND_CUT: u64 = 30;
const CUT: u64 = 40;

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// The venue as its threads share it.
struct Books {
    venue: Venue,
    /// Streams that were begun; each ends when there is a newer wish.
    streams: u32,
    cuts: u32,
    is_token_wrong: bool,
}

type Shared = Arc<Mutex<Books>>;

/// The venue, for as long as the test runs.
fn venue(is_token_wrong: bool) -> (GatewaySettings, Shared) {
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
    let address = listener.local_addr().unwrap();
    let books = Arc::new(Mutex::new(Books { venue: Venue::new(), streams: 0, cuts: 0, is_token_wrong }));
    let (config, shared) = (Arc::new(config), books.clone());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (config, shared) = (config.clone(), shared.clone());
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket.unwrap());
                while serve(&mut stream, &shared).is_some() {}
            });
        }
    });
    let endpoint = Endpoint { host: "localhost".into(), port: address.port(), address: Some(address), tls };
    (GatewaySettings::new(endpoint.clone(), endpoint, ACCOUNT, Secret::new(TOKEN), INSTANCE), books)
}

/// Answers one request; none when the connection is over.
fn serve(stream: &mut Stream, shared: &Shared) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read(&mut byte).ok().filter(|count| *count == 1)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains(&format!("\r\nAuthorization: Bearer {TOKEN}\r\n")));
    let mut words = head.lines().next()?.split(' ');
    let (method, path) = (words.next()?, words.next()?.to_owned());
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    if shared.lock().unwrap().is_token_wrong {
        return answer(
            stream,
            401,
            &json!({"errorMessage": "Insufficient authorization to perform request."}),
        );
    }
    if path.ends_with("/transactions/stream") {
        return show(stream, shared);
    }
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => Method::Put,
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let is_about = |sequence: u64| text.contains(&order(sequence).client_order_id.to_string());
    if method == Method::Post && is_about(CUT) {
        return None;
    }
    let call = Call { tag: 0, method, path, headers: Vec::new(), body, is_repeatable: false };
    let (status, body) = shared.lock().unwrap().venue.handle(&call);
    if method == Method::Post && is_about(DONE_AND_CUT) {
        let _ = stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2000\r\n\r\n{\"orderCrea");
        let _ = stream.flush();
        return None;
    }
    answer(stream, status, &body)
}

fn answer(stream: &mut Stream, status: u16, body: &Value) -> Option<()> {
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nDate: Wed, 22 Jul 2026 07:01:01 GMT\r\n\r\n{body}"
    )
    .ok()?;
    stream.flush().ok()
}

/// The endless answer, until the test cuts it.
fn show(stream: &mut Stream, shared: &Shared) -> Option<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").ok()?;
    let (mut shown, cuts) = {
        let mut books = shared.lock().unwrap();
        books.streams += 1;
        (books.venue.last(), books.cuts)
    };
    let beat = |last: u64| {
        json!({"type": "HEARTBEAT", "lastTransactionID": last.to_string(), "time": "0"}).to_string()
    };
    let mut lines = vec![beat(shown)];
    loop {
        for line in lines.drain(..) {
            // Cut in two chunks that mean nothing.
            let line = line + "\n";
            let (first, second) = line.split_at(line.len() / 2);
            for piece in [first, second] {
                write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).ok()?;
            }
        }
        stream.flush().ok()?;
        std::thread::sleep(Duration::from_millis(1));
        let books = shared.lock().unwrap();
        if books.cuts != cuts {
            return None;
        }
        while shown < books.venue.last() {
            shown += 1;
            lines.push(books.venue.transactions[(shown - books.venue.first) as usize].to_string());
        }
    }
}

/// The gateway with everything it said.
struct Bench {
    gateway: OandaGateway,
    now: TsNs,
    events: Vec<Event>,
}

impl Bench {
    fn new(settings: GatewaySettings) -> Self {
        Self { gateway: OandaGateway::new(settings, &instruments()).unwrap(), now: START, events: Vec::new() }
    }

    fn turn(&mut self) {
        let events = &mut self.events;
        self.gateway.turn(self.now, &mut |event| events.push(event));
    }

    /// Turns, a millisecond of the gateway's time each, until it is so.
    fn until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.gateway.last_error());
            self.now = TsNs(self.now.0 + MS);
            self.turn();
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn told(&self, id: ClientOrderId) -> Vec<OrderUpdateKind> {
        let update = |event: &Event| match event.body {
            EventBody::Order(update) if update.client_order_id == id => Some(update.kind),
            _ => None,
        };
        self.events.iter().filter_map(update).collect()
    }

    fn has(&self, order: &NewOrder, is: impl Fn(&OrderUpdateKind) -> bool) -> bool {
        self.told(order.client_order_id).iter().any(is)
    }
}

#[test]
fn orders_live_through_cuts_over_real_sockets() {
    let (settings, books) = venue(false);
    let mut bench = Bench::new(settings);
    bench.until("ready", |bench| bench.gateway.is_ready());
    assert!(bench.gateway.is_subscribed() && bench.gateway.bytes_received() > 0);
    bench.until("clock", |bench| bench.events.iter().any(|event| matches!(event.body, EventBody::Clock(_))));

    let entry = bracketed(10);
    bench.gateway.place_order(bench.now, &entry).unwrap();
    bench.until("filled", |bench| bench.has(&entry, |kind| matches!(kind, OrderUpdateKind::Fill { .. })));
    let stop = NewOrder { client_order_id: entry.client_order_id.after(1), ..entry };
    bench.until("stop placed", |bench| bench.has(&stop, |kind| *kind == OrderUpdateKind::Ack));

    let resting = order(20);
    bench.gateway.place_order(bench.now, &resting).unwrap();
    bench.until("working", |bench| bench.has(&resting, |kind| *kind == OrderUpdateKind::Ack));
    let moved = order(21);
    let cancel = CancelOrder {
        instrument: InstrumentId(0),
        client_order_id: resting.client_order_id,
        venue_order_id: 0,
    };
    bench.gateway.replace_order(bench.now, &cancel, &moved).unwrap();
    bench.until("moved", |bench| bench.has(&moved, |kind| *kind == OrderUpdateKind::Ack));
    assert!(bench.has(&resting, |kind| matches!(kind, OrderUpdateKind::Canceled { .. })));

    // The stream is cut, and what happens meanwhile is told once it stands again.
    books.lock().unwrap().cuts += 1;
    bench.until("cut", |bench| !bench.gateway.is_ready());
    {
        let mut books = books.lock().unwrap();
        let id = books.venue.pending.iter().find(|order| order.trade == 0).unwrap().id;
        books.venue.fill(id, 100);
    }
    bench.until("ready again", |bench| bench.gateway.is_ready());
    assert!(
        bench.has(&moved, |kind| matches!(kind, OrderUpdateKind::Fill { qty, .. } if qty.0 == 100 * SCALE))
    );

    let (done, lost) = (order(DONE_AND_CUT), order(CUT));
    bench.gateway.place_order(bench.now, &done).unwrap();
    bench.until("resolved", |bench| bench.has(&done, |kind| *kind == OrderUpdateKind::Ack));
    bench.gateway.place_order(bench.now, &lost).unwrap();
    bench.until("doubt", |bench| bench.has(&lost, |kind| *kind == OrderUpdateKind::Unknown));
    // Nobody turns the gateway for a while; the stream is silent longer than may be, and another follows.
    bench.now = TsNs(bench.now.0 + 31_000 * MS);
    bench.until("not found", |bench| bench.has(&lost, |kind| *kind == OrderUpdateKind::NotFound));
    let cancel =
        CancelOrder { instrument: InstrumentId(0), client_order_id: done.client_order_id, venue_order_id: 0 };
    bench.gateway.cancel(bench.now, &cancel).unwrap();
    bench.until("cancelled", |bench| {
        bench.has(&done, |kind| matches!(kind, OrderUpdateKind::Canceled { .. }))
    });
    bench.until("ready at the end", |bench| bench.gateway.is_ready());

    let books = books.lock().unwrap();
    let mut made = books.venue.made.clone();
    let count = made.len();
    made.sort();
    made.dedup();
    assert_eq!((made.len(), count), (4, 4), "each order was made once");
    let fills = bench.events.iter().filter(
        |event| matches!(event.body, EventBody::Order(o) if matches!(o.kind, OrderUpdateKind::Fill { .. })),
    );
    assert_eq!(fills.count(), 2);
    assert!(books.streams >= 3);
    let held = bench.events.iter().rev().find_map(|event| match event.body {
        EventBody::VenuePosition(held) if event.instrument == InstrumentId(0) => Some(held.qty),
        _ => None,
    });
    assert_eq!(held, Some(Qty(200 * SCALE)));
}

#[test]
fn a_wrong_token_is_fatal_and_never_shown() {
    let (settings, _books) = venue(true);
    let mut bench = Bench::new(settings);
    bench.until("fatal", |bench| bench.gateway.fatal().is_some());
    let fatal = bench.gateway.fatal().unwrap().clone();
    assert_eq!((fatal.code, fatal.step), (401, "the transaction stream"));
    assert!(!format!("{fatal:?} {fatal} {:?}", bench.gateway.last_error()).contains("aaaa1111"));
    assert!(bench.gateway.place_order(bench.now, &order(1)).is_err());
    assert!(!bench.events.iter().any(|event| event.body == EventBody::Gateway(GatewayState::Ready)));
}
