//! The three ways to kill a running engine: the control socket, the signal, the flag file. From each, in both topologies: no
//! new order is decided behind the kill's own record, none arrives at the venue that was not decided before it, and how long it
//! took from the command to the last byte on the way of orders is printed beside how many cancels that was.
//!
//! The bytes are seen by a relay between the engine and the venue's order port: what it forwards is sealed, but when and how
//! much is not. Pings and their like are shorter than any order. Nothing about time is asserted.

#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use serde_json::Value;
use smc_core::codec;
use smc_core::event::{Command, Event, EventBody};
use smc_core::output::{NewOrder, Output, Purpose};
use smc_core::words::ClientOrderId;
use smc_journal::RecordKind;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::{Child, SimProcess, records_of, resting_config_text, smc, wait_until};

/// Kills by each way and topology. `SMC_KILLS` makes more of them.
const KILLS: usize = 1;
/// The shortest sealed order, cancel or query is longer; a ping's answer is not.
const SHORTEST_REQUEST: usize = 100;
/// Cancels of a handful of orders are over long before.
const LISTENED: Duration = Duration::from_millis(500);
/// Behind such a pause begins something else: the market goes on sixty times as fast as life, and so do the questions of a
/// reconciliation.
const PAUSE: Duration = Duration::from_millis(20);

/// Forwards connections, and keeps when how much went towards the venue.
struct Relay {
    address: SocketAddr,
    forwarded: Arc<Mutex<Vec<(Instant, usize)>>>,
}

impl Relay {
    fn to(venue: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let forwarded: Arc<Mutex<Vec<_>>> = Arc::default();
        let (venue, noted) = (venue.to_owned(), forwarded.clone());
        std::thread::spawn(move || {
            for engine in listener.incoming().map_while(Result::ok) {
                let Ok(behind) = TcpStream::connect(&venue) else { continue };
                for stream in [&engine, &behind] {
                    stream.set_nodelay(true).unwrap();
                }
                let (mut from_venue, mut to_engine) =
                    (behind.try_clone().unwrap(), engine.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from_venue, &mut to_engine));
                let noted = noted.clone();
                std::thread::spawn(move || note_and_forward(engine, behind, &noted));
            }
        });
        Self { address, forwarded }
    }

    /// The requests that `since` caused: how many pieces until the first pause, and when the last of them was.
    fn requests_since(&self, since: Instant) -> (usize, Duration) {
        let forwarded = self.forwarded.lock().unwrap();
        let requests = forwarded.iter().filter(|(at, len)| *at > since && *len >= SHORTEST_REQUEST);
        let (mut pieces, mut last) = (0, since);
        for (at, _) in requests {
            if *at - last > PAUSE {
                break;
            }
            (pieces, last) = (pieces + 1, *at);
        }
        (pieces, last - since)
    }
}

fn note_and_forward(mut engine: TcpStream, mut venue: TcpStream, noted: &Mutex<Vec<(Instant, usize)>>) {
    let mut bytes = [0; 16_384];
    while let Ok(len @ 1..) = engine.read(&mut bytes) {
        noted.lock().unwrap().push((Instant::now(), len));
        if venue.write_all(&bytes[..len]).is_err() {
            return;
        }
    }
    let _ = venue.shutdown(std::net::Shutdown::Write);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Socket,
    Signal,
    Flag,
}

fn ask(socket: &Path, words: &[&str]) -> Value {
    let path = socket.to_str().unwrap();
    let done = smc(&[&["ctl"], words, &["--json", "--socket", path]].concat());
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{words:?}: {}", done.stdout);
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn each_way_to_kill_stops_orders_before_the_next_event() {
    let kills = std::env::var("SMC_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    for topology in ["inline", "pipelined"] {
        kill_and_arm(topology, kills);
    }
}

fn kill_and_arm(topology: &str, kills: usize) {
    let home = tempfile::tempdir().unwrap();
    let sim = SimProcess::start(&home.path().join("sim"), 60.0, 21);
    let relay = Relay::to(&sim.address);
    let path = |name: &str| home.path().join(name);
    let (config, journal, flag) = (path("config.toml"), path("journal"), path("STOP"));
    let socket = path("run").join("control.sock");
    let text = resting_config_text(&sim)
        .replace(&format!("orders = \"{}\"", sim.address), &format!("orders = \"{}\"", relay.address))
        .replace("topology = \"inline\"", &format!("topology = \"{topology}\""))
        .replace("[process]\n", &format!("[process]\nkill_flag = \"{}\"\n", flag.display()));
    assert!(
        text.contains(&relay.address.to_string()) && text.contains("kill_flag") && text.contains(topology)
    );
    std::fs::write(&config, text).unwrap();
    let words = ["run", "--config", config.to_str().unwrap(), "--journal", journal.to_str().unwrap()];
    let words = [&words[..], &["--control", socket.to_str().unwrap()]].concat();
    let log = path("log");
    let engine = Child::smc(&words, &log);
    wait_until("the engine answers", || UnixStream::connect(&socket).is_ok());

    let status = || ask(&socket, &["status"]);
    let mut told = Vec::new();
    for way in [Way::Socket, Way::Signal, Way::Flag] {
        let mut lasts = Vec::new();
        for _ in 0..kills {
            wait_until("open orders", || status()["open_orders"].as_u64().unwrap() > 0);
            let mut stream = UnixStream::connect(&socket).unwrap();
            let begun = Instant::now();
            match way {
                Way::Socket => stream.write_all(b"{\"cmd\":\"kill\",\"reason\":\"test\"}\n").unwrap(),
                Way::Signal => engine.signal(libc::SIGUSR1),
                Way::Flag => std::fs::write(&flag, "").unwrap(),
            }
            if way == Way::Socket {
                let mut answer = String::new();
                BufReader::new(&stream).read_line(&mut answer).unwrap();
                assert!(answer.contains("\"ok\":true"), "{answer}");
            }
            std::thread::sleep(LISTENED);
            let (pieces, last) = relay.requests_since(begun);
            lasts.push((last, pieces));
            wait_until("HALT", || status()["state"] == "HALT");
            wait_until("nothing works any more", || status()["open_orders"] == 0);
            let _ = std::fs::remove_file(&flag);
            let _ = ask(&socket, &["arm"]);
            wait_until("armed", || status()["state"] != "HALT");
        }
        lasts.sort_unstable();
        let (median, worst) = (lasts[lasts.len() / 2], lasts[lasts.len() - 1]);
        told.push(format!(
            "{topology}, {way:?}: {kills} kills, from the command to the last byte towards the venue: median {:?} ({} pieces), \
             longest {:?} ({} pieces)",
            median.0, median.1, worst.0, worst.1
        ));
    }
    wait_until("an order behind the last arming", || status()["open_orders"].as_u64().unwrap() > 0);
    let (code, _) = engine.end();
    assert_eq!(code, 0, "{}", std::fs::read_to_string(&log).unwrap_or_default());
    judge(&journal, &sim.end(), 3 * kills);
    println!("{}", told.join("\n"));
}

/// Behind a kill's record and before the arming's: no entry decided. At the venue: no order that the journal did not decide.
fn judge(journal: &Path, audit: &[String], kills: usize) {
    let (mut is_killed, mut seen, mut decided) = (false, 0, BTreeSet::new());
    for record in records_of(journal) {
        match record.kind {
            RecordKind::Input => match codec::decode::<Event>(&record.payload).unwrap().body {
                EventBody::Operator(act) if act.command == Command::Kill => {
                    (is_killed, seen) = (true, seen + 1)
                }
                EventBody::Operator(act) if act.command == Command::Arm => is_killed = false,
                _ => {}
            },
            RecordKind::Output => {
                if let Output::NewOrder(order) = codec::decode::<Output<NewOrder>>(&record.payload).unwrap() {
                    assert!(
                        !is_killed || order.purpose != Purpose::Entry,
                        "record {}: {order:?}",
                        record.seq
                    );
                    decided.insert(order.client_order_id);
                }
            }
            _ => {}
        }
    }
    assert!(seen >= kills, "{seen} kills in the journal of {kills}");
    let orders = audit.iter().filter(|line| line.contains(" order.place "));
    for line in orders.clone() {
        let name = line.split(' ').nth(2).unwrap();
        let id = ClientOrderId::parse(name.as_bytes()).unwrap();
        assert!(decided.contains(&id), "an order that the journal does not know: {line}");
    }
    assert!(orders.count() > kills, "too few orders to prove anything");
}
