//! Lock step: the market waits for the peer, and a seeded run is the same each time.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{API_KEY, Key, START, connect_tls, settings};
use std::io::{ErrorKind, Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tungstenite::{Error, Message, WebSocket};
use venue_sim::{LockStepError, Peer, Sim};

/// A socket that counts its raw bytes, under the TLS of the client.
struct Counted<'a> {
    tcp: std::net::TcpStream,
    peer: &'a TestPeer,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.tcp.read(buf)?;
        self.peer.received.fetch_add(n as u64, Ordering::SeqCst);
        Ok(n)
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let n = self.tcp.write(buf)?;
        self.peer.sent.fetch_add(n as u64, Ordering::SeqCst);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.tcp.flush()
    }
}

#[derive(Default)]
struct TestPeer {
    now: AtomicU64,
    started: AtomicBool,
    /// Even while the client waits for bytes, odd while it works.
    turns: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    seen: Mutex<Vec<(u64, String)>>,
    never_quiet: bool,
}

impl Peer for TestPeer {
    fn set_now(&self, now: smc_core::TsNs) {
        self.now.store(now.0, Ordering::SeqCst);
    }

    fn is_started(&self) -> bool {
        self.started.load(Ordering::SeqCst)
    }

    fn is_quiet(&self, sim_sent: u64, sim_received: u64) -> bool {
        if self.never_quiet {
            return false;
        }
        // Idle before and after the comparison, in the same turn: nothing moved in between.
        let before = self.turns.load(Ordering::SeqCst);
        let is_equal = self.received.load(Ordering::SeqCst) == sim_sent
            && self.sent.load(Ordering::SeqCst) == sim_received;
        before.is_multiple_of(2) && is_equal && before == self.turns.load(Ordering::SeqCst)
    }
}

type Socket<'a> = WebSocket<rustls::StreamOwned<rustls::ClientConnection, Counted<'a>>>;

fn open<'a>(sim: (std::net::SocketAddr, &str), peer: &'a TestPeer, path: &str) -> Socket<'a> {
    let (tls, tcp) = connect_tls(sim.0, sim.1).into_parts();
    let stream = rustls::StreamOwned::new(tls, Counted { tcp, peer });
    let (socket, _) = tungstenite::client(format!("wss://localhost{path}"), stream).unwrap();
    socket.get_ref().sock.tcp.set_nonblocking(true).unwrap();
    socket
}

/// A client that places a market order at every 50th trade it sees; all it sees goes into `seen`.
fn trade(sim: (std::net::SocketAddr, &str), peer: &TestPeer, key: &Key, stop: &AtomicBool) {
    peer.turns.fetch_add(1, Ordering::SeqCst);
    let mut api = open(sim, peer, "/ws-api/v3");
    let mut market = open(sim, peer, "/ws/btcusdt@trade/btcusdt@depth@100ms");
    let now_ms = peer.now.load(Ordering::SeqCst) / 1_000_000;
    let signature = key.sign(&format!("apiKey={API_KEY}&timestamp={now_ms}"));
    let logon = format!(
        r#"{{"id":"logon","method":"session.logon","params":{{"apiKey":"{API_KEY}","timestamp":{now_ms},"signature":"{signature}"}}}}"#
    );
    api.send(Message::text(logon)).unwrap();
    api.send(Message::text(r#"{"id":"events","method":"userDataStream.subscribe"}"#)).unwrap();
    let mut trades = 0;
    peer.turns.fetch_add(1, Ordering::SeqCst);
    while !stop.load(Ordering::SeqCst) {
        peer.turns.fetch_add(1, Ordering::SeqCst);
        let mut orders = Vec::new();
        for socket in [&mut api, &mut market] {
            while let Some(text) = poll(socket) {
                let now = peer.now.load(Ordering::SeqCst);
                if text.contains("\"id\":\"events\"") {
                    peer.started.store(true, Ordering::SeqCst);
                }
                if text.contains("\"e\":\"trade\"") {
                    trades += 1;
                    if trades % 50 == 0 {
                        let side = if trades % 100 == 0 { "SELL" } else { "BUY" };
                        orders.push(format!(
                            r#"{{"id":{trades},"method":"order.place","params":{{"symbol":"BTCUSDT","side":"{side}","type":"MARKET","quantity":"0.01","timestamp":{}}}}}"#,
                            now / 1_000_000
                        ));
                    }
                }
                peer.seen.lock().unwrap().push((now, text));
            }
        }
        for order in orders {
            api.send(Message::text(order)).unwrap();
        }
        peer.turns.fetch_add(1, Ordering::SeqCst);
        std::thread::yield_now();
    }
}

fn poll(socket: &mut Socket<'_>) -> Option<String> {
    match socket.read() {
        Ok(Message::Text(text)) => Some(text.as_str().to_owned()),
        Ok(_) => None,
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// Everything one run showed to its peer, with the peer's clock.
fn run(key: &Key) -> Vec<(u64, String)> {
    let mut sim = Sim::bind(settings(key, 5_000)).unwrap();
    let (address, ca) = (sim.local_addr(), sim.ca_pem().to_owned());
    let (peer, stop) = (TestPeer::default(), AtomicBool::new(false));
    peer.now.store(START.0, Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| trade((address, &ca), &peer, key, &stop));
        let result = sim.run_lock_step(&peer, Duration::from_secs(60), None, &stop);
        stop.store(true, Ordering::SeqCst);
        result.unwrap();
    });
    assert!(sim.summary().fills > 5, "{:?}", sim.summary());
    assert_eq!(sim.now(), smc_core::TsNs(START.0 + 60_000_000_000));
    peer.seen.into_inner().unwrap()
}

#[test]
fn a_seeded_run_is_the_same_each_time() {
    let key = Key::generate();
    let (first, second) = (run(&key), run(&key));
    assert!(first.len() > 1_000);
    // What comes before the market starts depends on who connects first; all after it must agree.
    let after =
        |seen: Vec<(u64, String)>| seen.into_iter().filter(|(now, _)| *now > START.0).collect::<Vec<_>>();
    let (first, second) = (after(first), after(second));
    for (index, (a, b)) in first.iter().zip(&second).enumerate() {
        assert_eq!(a, b, "frame {index}");
    }
    assert_eq!(first.len(), second.len());
}

#[test]
fn a_peer_that_is_never_quiet_is_a_typed_error() {
    let key = Key::generate();
    let mut sim = Sim::bind(settings(&key, 10)).unwrap();
    let peer = TestPeer { never_quiet: true, started: AtomicBool::new(true), ..TestPeer::default() };
    sim.set_quiet_within(Duration::from_millis(20));
    let result = sim.run_lock_step(&peer, Duration::from_secs(1), None, &AtomicBool::new(false));
    assert!(matches!(result, Err(LockStepError::PeerNotQuiet { sent: 0, received: 0, .. })), "{result:?}");
}
