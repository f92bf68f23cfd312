//! The whole feed against a small real server: TLS, WebSocket and HTTP on the loopback.
//!
//! The test tells the server what to send; the server tells what it was asked. Time is the engine's clock
//! argument, here a counter that runs on with every turn, so that waiting costs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use common::authority;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use smc_core::Event;
use smc_core::event::{EventBody, FeedState};
use smc_core::words::{InstrumentId, Name, TsNs};
use smc_feeds::binance_spot::{BinanceSpotFeed, FeedSettings, Silence};
use smc_net::{Endpoint, TlsSettings};
use tungstenite::Message;

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// What the test tells one stream connection of the server.
enum Order {
    Send(String),
    /// Wait for the client's next message and report it.
    Read(Sender<String>),
    /// Ends without a goodbye.
    Cut,
}

/// A server with scripted stream connections and a snapshot that the test sets.
struct Venue {
    stream: SocketAddr,
    rest: SocketAddr,
    tls: TlsSettings,
    /// One for each stream connection, after its subscription was confirmed: its request, its orders.
    sessions: Receiver<(String, Sender<Order>)>,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Default)]
struct Answers {
    /// Whole HTTP answers, the last one for ever.
    next: Vec<String>,
    requests: Vec<String>,
    /// Refuse SUBSCRIBE so many times.
    refusals: u32,
    /// Close the HTTP connection after each answer, without saying so.
    is_closing: bool,
}

impl Venue {
    fn start() -> Self {
        let authority = authority();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let answers = Arc::new(Mutex::new(Answers::default()));
        let (told, sessions) = channel();
        let (for_stream, for_rest) = (answers.clone(), answers.clone());
        let stream = listen(config.clone(), move |socket| serve_stream(socket, &told, &for_stream));
        let rest = listen(config, move |socket| serve_rest(socket, &for_rest));
        Self { stream, rest, tls: TlsSettings::from_ca_pem(&authority.pem()).unwrap(), sessions, answers }
    }

    fn settings(&self) -> FeedSettings {
        let endpoint = |address: SocketAddr| Endpoint {
            host: "localhost".into(),
            port: address.port(),
            address: Some(address),
            tls: self.tls.clone(),
        };
        // The test's clock runs faster than the machine where it is loaded: nothing may time out by that.
        FeedSettings {
            connect_timeout_ns: u64::MAX,
            request_timeout_ns: u64::MAX,
            ..FeedSettings::new(endpoint(self.stream), endpoint(self.rest))
        }
    }

    fn snapshot(&self, id: u64) {
        let body = format!(r#"{{"lastUpdateId":{id},"bids":[["10.00","1.0"]],"asks":[["12.00","1.0"]]}}"#);
        self.answer(&[&http(200, "", &body)]);
    }

    fn answer(&self, answers: &[&str]) {
        self.answers.lock().unwrap().next = answers.iter().map(|&answer| answer.to_owned()).collect();
    }

    fn requests(&self) -> Vec<String> {
        self.answers.lock().unwrap().requests.clone()
    }
}

fn http(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn listen(config: Arc<ServerConfig>, serve: impl Fn(Stream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            socket.set_nodelay(true).unwrap();
            let (config, serve) = (config.clone(), serve.clone());
            thread::spawn(move || serve(StreamOwned::new(ServerConnection::new(config).unwrap(), socket)));
        }
    });
    address
}

fn serve_stream(stream: Stream, told: &Sender<(String, Sender<Order>)>, answers: &Mutex<Answers>) {
    let Ok(mut ws) = tungstenite::accept(stream) else { return };
    let Ok(request) = ws.read() else { return };
    {
        let mut answers = answers.lock().unwrap();
        if answers.refusals > 0 {
            answers.refusals -= 1;
            let _ = ws.send(Message::text(r#"{"code":2,"msg":"Invalid request: invalid stream"}"#));
            return;
        }
    }
    let id: serde_json::Value = serde_json::from_str(request.to_text().unwrap()).unwrap();
    ws.send(Message::text(format!(r#"{{"result":null,"id":{}}}"#, id["id"]))).unwrap();
    let (orders, inbox) = channel();
    if told.send((request.to_text().unwrap().to_owned(), orders)).is_err() {
        return;
    }
    while let Ok(order) = inbox.recv() {
        let is_sent = match order {
            Order::Send(text) => ws.send(Message::text(text)).is_ok(),
            Order::Read(report) => match ws.read() {
                Ok(message) => report.send(message.to_text().unwrap().to_owned()).is_ok(),
                Err(_) => false,
            },
            Order::Cut => false,
        };
        if !is_sent {
            return;
        }
    }
}

fn serve_rest(mut stream: Stream, answers: &Mutex<Answers>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte) {
        head.push(byte[0]);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let request = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let (answer, is_closing) = {
            let mut answers = answers.lock().unwrap();
            answers.requests.push(request.lines().next().unwrap().to_owned());
            let answer =
                if answers.next.len() > 1 { answers.next.remove(0) } else { answers.next[0].clone() };
            (answer, answers.is_closing)
        };
        if stream.write_all(answer.as_bytes()).is_err() || is_closing {
            return;
        }
    }
}

/// The feed, its clock, and what it said.
struct Bench {
    feed: BinanceSpotFeed,
    now: TsNs,
    step_ns: u64,
    events: Vec<Event>,
}

impl Bench {
    fn new(settings: FeedSettings) -> Self {
        let btc = [(InstrumentId(4), Name::new("BTCUSDT").unwrap())];
        let feed = BinanceSpotFeed::new(settings, &btc).unwrap();
        Self { feed, now: TsNs(1_700_000_000_000_000_000), step_ns: 20_000, events: Vec::new() }
    }

    fn turn(&mut self) {
        self.now.0 += self.step_ns;
        let emitted = self.feed.turn(self.now, &mut |event| self.events.push(event));
        if emitted == 0 {
            thread::sleep(std::time::Duration::from_micros(100));
        }
    }

    /// Turns until the claim holds; the test hangs loudly otherwise.
    fn until(&mut self, what: &str, claim: impl Fn(&Self) -> bool) {
        for _ in 0..300_000 {
            if claim(self) {
                return;
            }
            self.turn();
        }
        panic!("never: {what}; said {:?}, counters {:?}", self.said(), self.feed.counters());
    }

    /// Waits for the server's next confirmed stream connection.
    fn session(&mut self, venue: &Venue) -> (String, Sender<Order>) {
        for _ in 0..300_000 {
            if let Ok(session) = venue.sessions.try_recv() {
                return session;
            }
            self.turn();
        }
        panic!("no connection; counters {:?}", self.feed.counters());
    }

    fn said(&mut self) -> Vec<String> {
        let said = |event: &Event| match event.body {
            EventBody::Feed(state) => format!("{state:?}"),
            EventBody::Book(update) if update.is_snapshot_start => format!("snapshot {}", update.update_id),
            EventBody::Book(update) if update.is_last => format!("book {}", update.update_id),
            EventBody::Book(_) => "part".to_owned(),
            EventBody::Quote(quote) => format!("quote {}", quote.update_id),
            EventBody::Trade(trade) => format!("trade {}", trade.trade_id),
            other => format!("{other:?}"),
        };
        std::mem::take(&mut self.events).iter().map(said).collect()
    }

    fn has(&self, body: &dyn Fn(&EventBody) -> bool) -> bool {
        self.events.iter().any(|event| body(&event.body))
    }
}

fn depth(first: u64, last: u64) -> Order {
    let data = format!(
        r#"{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":{first},"u":{last},"b":[["9.00","2.0"]],"a":[]}}"#
    );
    Order::Send(format!(r#"{{"stream":"btcusdt@depth@100ms","data":{data}}}"#))
}

fn quote(id: u64) -> Order {
    let data = format!(r#"{{"u":{id},"s":"BTCUSDT","b":"10.00","B":"1.0","a":"12.00","A":"1.0"}}"#);
    Order::Send(format!(r#"{{"stream":"btcusdt@bookTicker","data":{data}}}"#))
}

fn trade(id: u64) -> Order {
    Order::Send(format!(
        r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","t":{id},"p":"11","q":"1","T":1,"m":true,"M":true}}}}"#
    ))
}

fn last_state(bench: &Bench) -> Option<FeedState> {
    bench.events.iter().rev().find_map(|event| match event.body {
        EventBody::Feed(state) => Some(state),
        _ => None,
    })
}

/// Brings a feed up to live at id 100.
fn live(venue: &Venue, settings: FeedSettings) -> (Bench, Sender<Order>) {
    venue.snapshot(100);
    let mut bench = Bench::new(settings);
    let (_, orders) = bench.session(venue);
    bench.until("live", |bench| bench.feed.is_live());
    assert_eq!(bench.feed.in_flight(), 0);
    assert_eq!(bench.said(), ["Down", "Syncing", "snapshot 100", "book 100", "Live"]);
    (bench, orders)
}

#[test]
fn subscribe_snapshot_deltas_gap_resync_cut_reconnect() {
    let venue = Venue::start();
    venue.snapshot(100);
    let mut bench = Bench::new(venue.settings());
    let (request, orders) = bench.session(&venue);
    assert_eq!(
        request,
        r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker","btcusdt@depth@100ms"],"id":1}"#
    );
    bench.until("live", |bench| bench.feed.is_live());
    assert_eq!(bench.said(), ["Down", "Syncing", "snapshot 100", "book 100", "Live"]);
    assert_eq!(venue.requests(), ["GET /api/v3/depth?symbol=BTCUSDT&limit=1000 HTTP/1.1"]);

    for order in [depth(98, 100), depth(101, 103), quote(102), quote(104), trade(1)] {
        orders.send(order).unwrap();
    }
    bench.until("a trade", |bench| bench.has(&|body| matches!(body, EventBody::Trade(_))));
    assert_eq!(bench.said(), ["book 103", "quote 104", "trade 1"]);

    // A hole: silence until a snapshot behind it.
    venue.snapshot(110);
    orders.send(depth(106, 109)).unwrap();
    orders.send(quote(110)).unwrap();
    orders.send(depth(110, 112)).unwrap();
    bench.until("back in step", |bench| last_state(bench) == Some(FeedState::Live));
    let said = bench.said();
    assert_eq!(said[0], "Syncing");
    assert!(said.contains(&"Live".to_owned()) && !said.contains(&"quote 110".to_owned()), "{said:?}");
    assert!(bench.feed.market().book(0).and_then(|book| book.id()) >= Some(110));
    assert_eq!(bench.feed.counters().gaps, 1);

    // The connection is cut: everything is down at once, and comes back by itself.
    venue.snapshot(200);
    orders.send(Order::Cut).unwrap();
    bench.until("down", |bench| last_state(bench) == Some(FeedState::Down));
    assert!(!bench.feed.is_live());
    let (_, orders) = bench.session(&venue);
    bench.until("live again", |bench| bench.feed.is_live());
    orders.send(quote(201)).unwrap();
    bench.until("a quote", |bench| {
        bench.has(&|body| matches!(body, EventBody::Quote(quote) if quote.update_id == 201))
    });
    let said = bench.said();
    assert_eq!(said[said.len() - 6..], ["Down", "Syncing", "snapshot 200", "book 200", "Live", "quote 201"]);
    let counters = bench.feed.counters();
    assert_eq!((counters.reconnects, counters.disconnects, counters.refused), (1, 1, 0));
    assert_eq!(counters.resyncs, 3);
    assert!(bench.feed.bytes_received() > 0 && bench.feed.bytes_sent() > 0);
}

#[test]
fn old_snapshots_and_refusals_are_asked_again_later() {
    let venue = Venue::start();
    let body = |id: u64| format!(r#"{{"lastUpdateId":{id},"bids":[["10","1"]],"asks":[["12","1"]]}}"#);
    venue.answer(&[
        &http(429, "Retry-After: 3\r\n", "{}"),
        &http(503, "", "busy"),
        &http(200, "", "<html>"),
        &http(200, "", &body(50)),
        &http(200, "", &body(100)),
    ]);
    let mut bench = Bench::new(FeedSettings {
        silence: Silence { book_ticker_ns: 0, depth_ns: 0, mark_ns: 0, connection_ns: 0, trade_ns: 0 },
        ..venue.settings()
    });
    bench.step_ns = 2_000_000;
    let (_, orders) = bench.session(&venue);
    let asked = bench.now;
    orders.send(depth(90, 101)).unwrap();
    bench.until("live", |bench| bench.feed.is_live());
    assert!(bench.now.since(asked) > 3_000_000_000, "Retry-After was not kept");
    let counters = bench.feed.counters();
    assert_eq!((counters.snapshots, counters.snapshots_failed, counters.resyncs), (5, 4, 1));
    assert_eq!(venue.requests().len(), 5);
}

#[test]
fn a_closed_idle_http_connection_is_no_failure() {
    let venue = Venue::start();
    venue.answers.lock().unwrap().is_closing = true;
    let (mut bench, orders) = live(&venue, venue.settings());
    venue.snapshot(120);
    orders.send(depth(110, 112)).unwrap();
    bench.until("back in step", |bench| last_state(bench) == Some(FeedState::Live));
    assert_eq!(bench.feed.counters().snapshots_failed, 0);
}

#[test]
fn a_refused_subscription_is_tried_again_on_a_new_connection() {
    let venue = Venue::start();
    venue.snapshot(100);
    venue.answers.lock().unwrap().refusals = 2;
    let mut bench = Bench::new(venue.settings());
    bench.step_ns = 500_000;
    let _session = bench.session(&venue);
    bench.until("live", |bench| bench.feed.is_live());
    let counters = bench.feed.counters();
    assert_eq!((counters.control_errors, counters.reconnects), (2, 2));
}

#[test]
fn an_announced_shutdown_is_bridged_without_a_moment_down() {
    let venue = Venue::start();
    let (mut bench, first) = live(&venue, venue.settings());
    first
        .send(Order::Send(
            r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#.into(),
        ))
        .unwrap();
    let (_, second) = bench.session(&venue);
    // Both connections speak; each update counts once.
    for order in [depth(101, 101), trade(1), quote(102)] {
        first.send(order).unwrap();
    }
    bench.until("the first's quote", |bench| bench.has(&|body| matches!(body, EventBody::Quote(_))));
    for order in [depth(101, 101), trade(1), quote(102), depth(102, 103), trade(2), quote(104)] {
        second.send(order).unwrap();
    }
    bench.until("the second's quote", |bench| {
        bench.has(&|body| matches!(body, EventBody::Quote(q) if q.update_id == 104))
    });
    assert_eq!(bench.said(), ["book 101", "trade 1", "quote 102", "book 103", "trade 2", "quote 104"]);
    // The old one is cut at last: nobody notices.
    let _ = first.send(Order::Cut);
    bench.step_ns = 2_000_000;
    for _ in 0..1_000 {
        bench.turn();
    }
    second.send(trade(3)).unwrap();
    bench.until("the next trade", |bench| bench.has(&|body| matches!(body, EventBody::Trade(_))));
    assert_eq!(bench.said(), ["trade 3"]);
    assert!(bench.feed.is_live());
    assert_eq!(bench.feed.counters().resyncs, 1);
}

#[test]
fn a_mute_connection_goes_stale_and_is_given_up() {
    let venue = Venue::start();
    let (mut bench, _orders) = live(&venue, venue.settings());
    bench.step_ns = 2_000_000;
    bench.until("stale", |bench| last_state(bench) == Some(FeedState::Stale));
    bench.until("down", |bench| last_state(bench) == Some(FeedState::Down));
    let _session = bench.session(&venue);
    bench.until("live again", |bench| bench.feed.is_live());
    let said = bench.said();
    assert_eq!(said[..2], ["Stale", "Down"]);
    assert_eq!(bench.feed.counters().stale, 1);
}

#[test]
fn mute_streams_are_asked_for_again_on_the_same_connection() {
    let venue = Venue::start();
    let defaults = venue.settings();
    let silence = Silence { connection_ns: 0, ..defaults.silence };
    let (mut bench, orders) = live(&venue, FeedSettings { silence, ..defaults });
    let (report, reports) = channel();
    for _ in 0..2 {
        orders.send(Order::Read(report.clone())).unwrap();
    }
    bench.step_ns = 1_000_000;
    let mut read = Vec::new();
    for _ in 0..300_000 {
        bench.turn();
        read.extend(reports.try_recv());
        if read.len() == 2 {
            break;
        }
    }
    let again = |method: &str| {
        let streams = r#""btcusdt@trade","btcusdt@bookTicker","btcusdt@depth@100ms""#;
        format!(r#"{{"method":"{method}","params":[{streams}],"id":1000000}}"#)
    };
    assert_eq!(read, [again("UNSUBSCRIBE"), again("SUBSCRIBE")]);
    bench.step_ns = 20_000;
    for order in [depth(101, 101), quote(102)] {
        orders.send(order).unwrap();
    }
    bench.until("live again", |bench| last_state(bench) == Some(FeedState::Live));
    assert_eq!(bench.feed.counters().disconnects, 0);
}

#[test]
fn nobody_listening_is_borne_with_patience() {
    let mut settings = common::settings();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.stream.address = Some(closed);
    let mut bench = Bench::new(settings);
    bench.step_ns = 10_000_000;
    for _ in 0..6_000 {
        bench.turn();
    }
    assert_eq!(bench.said(), ["Down"]);
    // A minute of refusals with doubling waits: a few attempts, not thousands.
    let attempts = bench.feed.counters().reconnects;
    assert!((3..12).contains(&attempts), "{attempts} attempts");
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = common::settings();
    settings.stream.address = Some(listener.local_addr().unwrap());
    let mut bench = Bench::new(settings);
    bench.step_ns = 50_000_000;
    bench.turn();
    assert_eq!((bench.feed.in_flight(), bench.feed.counters().disconnects), (1, 0));
    bench.until("given up", |bench| bench.feed.counters().disconnects == 2);
    assert_eq!(bench.said(), ["Down"]);
}
