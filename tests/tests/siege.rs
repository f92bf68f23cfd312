//! The plane outside cannot slow the engine: thousands of connections and scrapes, and readers that stand still.
//!
//! The engine trades at a simulator that is a process of its own. Its trading thread has a core to itself, as `process.first_core`
//! gives it one; the simulator, the rest of the plane and those who besiege it share what is left. Quiet and besieged slices take
//! turns in one run, and the latency of orders in each is printed beside the other: how a shared machine's slices differ among
//! themselves is in the figures, as the same quotient of two halves of the quiet slices. What is asserted is that the engine goes
//! on, loses nothing, is not cut off from its operator, and replays.
//!
//! `SMC_SIEGE_CONNECTIONS`, `SMC_SIEGE_SECONDS` (of each slice), `SMC_SIEGE_ROUNDS` and `SMC_SIEGE_SPEED` (of the market) make it
//! longer; `cargo xtask siege` does.

#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use hdrhistogram::Histogram;
use serde_json::Value;
use smc_exporter::{Exporter, Port, Source};
use smc_runtime::config::FileConfig;
use smc_runtime::counters::Slot;
use smc_runtime::idle::{Idle, cores, keep_off};
use smc_runtime::latency::Stretch;
use smc_runtime::launch::{Options, Running, Topology, launch};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tests::{SimProcess, binary, config_text, smc, wait_until};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Engine {
    running: Running,
    metrics: Exporter,
    socket: PathBuf,
    journal: PathBuf,
}

fn start(sim: &SimProcess, home: &Path) -> Engine {
    let is_alone = cores() > 1;
    let text = config_text(sim, 1, "inline", if is_alone { "spin" } else { "yield" });
    let text = if is_alone { text.replace("[process]\n", "[process]\nfirst_core = 1\n") } else { text };
    let config = FileConfig::parse(&text).unwrap();
    let (journal, socket) = (home.join("journal"), home.join("run").join("control.sock"));
    std::fs::create_dir(&journal).unwrap();
    let options = Options {
        config,
        clock: None,
        journal: journal.clone(),
        control: Some(socket.clone()),
        topology: Topology::Inline,
        idle: if is_alone { Idle::Spin } else { Idle::Yield },
        kill: Arc::default(),
        progress: Arc::default(),
        speed: 1.0,
        set_log_level: None,
    };
    let running = launch(options).unwrap();
    let source = Source::inside(&journal, running.status.counters.clone(), running.view.clone());
    let metrics = Port::open("0").unwrap().serve(source).unwrap();
    Engine { running, metrics, socket, journal }
}

impl Engine {
    fn get(&self, slot: Slot) -> u64 {
        self.running.status.counters.get(slot)
    }

    /// Latencies of orders in the next `seconds`, and the events taken meanwhile.
    fn slice(&self, seconds: u64) -> (Histogram<u64>, u64) {
        let latencies = &self.running.status.latencies;
        drop(latencies.take(Stretch::WireToWire));
        let events = self.get(Slot::EventsIn);
        std::thread::sleep(Duration::from_secs(seconds));
        (latencies.take(Stretch::WireToWire), self.get(Slot::EventsIn) - events)
    }
}

/// One connection and what it asks, of every kind that might cost something.
fn attack(nth: u64, socket: &Path, metrics: SocketAddr) -> std::io::Result<()> {
    let quick = Some(Duration::from_millis(200));
    match nth % 6 {
        0 => {
            let mut stream = TcpStream::connect(metrics)?;
            stream.set_read_timeout(quick)?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")?;
            std::io::copy(&mut stream, &mut std::io::sink())?;
        }
        // Half a request, or one that never ends.
        1 => TcpStream::connect(metrics)?.write_all(b"GET /met")?,
        2 => TcpStream::connect(metrics)?.write_all(&[b'x'; 16_384])?,
        3 => {
            let mut stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(quick)?;
            stream.write_all(b"{\"cmd\":\"status\"}\n")?;
            BufReader::new(stream).read_line(&mut String::new())?;
        }
        4 => UnixStream::connect(socket)?.write_all(&[b'{'; 10_000])?,
        // Asks for much and reads nothing.
        _ => {
            let mut stream = UnixStream::connect(socket)?;
            for _ in 0..8 {
                stream.write_all(b"{\"cmd\":\"picture\"}\n")?;
            }
        }
    }
    Ok(())
}

/// As many connections in `seconds` as were wanted, from threads that let others go first, as clients on other machines would.
fn besiege(engine: &Engine, connections: u64, seconds: u64) -> (Histogram<u64>, u64) {
    let made = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let (socket, metrics) = (&engine.socket, engine.metrics.address());
    let taken = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // SAFETY: a plain system call about the calling thread.
                unsafe { libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as u32, 19) };
                let begun = Instant::now();
                while !is_over.load(Ordering::Relaxed) {
                    let nth = made.fetch_add(1, Ordering::Relaxed);
                    let _ = attack(nth, socket, metrics);
                    // Spread over the slice.
                    let due = Duration::from_millis(nth * seconds * 1_000 / connections.max(1));
                    std::thread::sleep(due.saturating_sub(begun.elapsed()).min(Duration::from_millis(100)));
                }
            });
        }
        let taken = engine.slice(seconds);
        is_over.store(true, Ordering::Relaxed);
        taken
    });
    println!("  {} connections", made.load(Ordering::Relaxed));
    taken
}

fn show(name: &str, (latencies, events): &(Histogram<u64>, u64)) {
    let micros = |quantile| latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    println!(
        "{name:<9} {events:>7} events, {:>5} orders: p50 {:>7.1} us, p99 {:>8.1} us, max {:>9.1} us",
        latencies.len(),
        micros(0.5),
        micros(0.99),
        latencies.max() as f64 / 1_000.0
    );
}

#[test]
fn s15_connections_scrapes_and_readers_that_stand_still_change_nothing() {
    let (connections, seconds) = (number("SMC_SIEGE_CONNECTIONS", 500), number("SMC_SIEGE_SECONDS", 4));
    let (rounds, speed) = (number("SMC_SIEGE_ROUNDS", 3), number("SMC_SIEGE_SPEED", 20));
    let home = tempfile::tempdir().unwrap();
    keep_off(1, 1);
    let sim = SimProcess::start(&home.path().join("sim"), speed as f64, 3);
    let engine = start(&sim, home.path());
    wait_until("orders", || engine.get(Slot::OrdersSent) > 5);
    // Readers of the socket, the journal and the counters that stop in the middle.
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let readers: Vec<_> = [
        vec!["ctl", "watch", "--json", "--socket", &text(&engine.socket)],
        vec!["ctl", "events", "--json", "--socket", &text(&engine.socket)],
        vec!["journal", "tail", "-f", &text(&engine.journal)],
        vec!["exporter", "--listen", "0", "--journal", &text(&engine.journal)],
    ]
    .into_iter()
    .map(|words| {
        Command::new(binary()).args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    })
    .collect();
    std::thread::sleep(Duration::from_millis(500));
    let signal = |signal| {
        // SAFETY: plain system calls on our own children.
        readers.iter().for_each(|child| _ = unsafe { libc::kill(child.id() as i32, signal) });
    };

    // Quiet in every other round, quiet in the rest, besieged, beside stopped readers.
    let mut sums: [Histogram<u64>; 4] = std::array::from_fn(|_| Histogram::new(3).unwrap());
    for round in 0..rounds {
        let quiet = engine.slice(seconds);
        show("quiet", &quiet);
        let besieged = besiege(&engine, connections / rounds.max(1), seconds);
        show("besieged", &besieged);
        signal(libc::SIGSTOP);
        let stopped = engine.slice(seconds);
        show("stopped", &stopped);
        signal(libc::SIGCONT);
        for (place, (slice, events)) in [(round as usize % 2, quiet), (2, besieged), (3, stopped)] {
            assert!(events > 0, "the engine stood still");
            sums[place].add(slice).unwrap();
        }
    }
    let [even, odd, besieged, stopped] = sums;
    let mut quiet = even.clone();
    quiet.add(&odd).unwrap();
    for quantile in [0.5, 0.9, 0.99] {
        let over_quiet = |of: &Histogram<u64>| {
            of.value_at_quantile(quantile) as f64 / quiet.value_at_quantile(quantile).max(1) as f64
        };
        println!(
            "p{}: besieged over quiet {:.3}, beside stopped readers {:.3}; halves of the quiet slices {:.3} and {:.3}",
            quantile * 100.0,
            over_quiet(&besieged),
            over_quiet(&stopped),
            over_quiet(&even),
            over_quiet(&odd)
        );
    }

    // The operator gets in through the crowd.
    let crowd: Vec<_> = (0..200).filter_map(|_| UnixStream::connect(&engine.socket).ok()).collect();
    let mut stream = UnixStream::connect(&engine.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"{\"cmd\":\"kill\",\"reason\":\"siege\"}\n").unwrap();
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["taken"], &answer["state"]), (&true.into(), &"HALT".into()), "{answer}");
    println!("a kill through {} idle connections: {} us until taken", crowd.len(), answer["taken_us"]);
    drop((crowd, stream));
    let mut page = String::new();
    wait_until("a page of metrics", || {
        page.clear();
        let Ok(mut scraper) = TcpStream::connect(engine.metrics.address()) else { return false };
        let _ = scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        scraper.read_to_string(&mut page).is_ok() && page.contains("smc_engine_events_total")
    });
    for mut reader in readers {
        let _ = reader.kill();
        let _ = reader.wait();
    }
    assert_eq!(engine.get(Slot::FeedGaps), 0);
    drop(engine.metrics);
    let ended = engine.running.end().unwrap();
    assert_eq!(ended.error, None);
    let done = smc(&["replay", "--verify", engine.journal.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
}
