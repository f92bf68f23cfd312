//! `smc bench limits`: what this machine allows at best, measured with nothing of the engine in it.

use super::cores::stay_on;
use super::echo::{Sizes, echo};
use super::machine::{Machine, lost_percent};
use super::{Figures, head};
use crate::failure::{Failure, Outcome};
use clap::Parser;
use serde::Serialize;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A market message and an order, framed and sealed, as `smc bench wire` has them on the wire.
const TICK: usize = 182;
const ORDER: usize = 302;
/// TLS record and WebSocket frame around a payload: there (server), and back (client, masked).
const AROUND: [usize; 2] = [26, 30];
/// Steps of a few nanoseconds are timed this many at a time.
const GROUP: u32 = 64;
const GROUPS: usize = 20_000;
/// A gap this long between two looks at the clock was not ours.
const HICCUP_NS: u64 = 10_000;

/// What this machine allows at best: clocks, memory, cores, loopback, scheduler.
#[derive(Parser)]
pub struct Args {
    /// Seconds of each echo, and of the jitter meter
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// One row.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    /// What it means, where the name does not say it.
    note: &'static str,
    #[serde(flatten)]
    figures: Figures,
}

/// How the scheduler treats a thread that never sleeps.
#[derive(Serialize)]
struct Jitter {
    seconds: f64,
    gaps_per_second: f64,
    gap_p50_ns: u64,
    gap_p99_ns: Option<u64>,
    gap_max_ns: u64,
    lost_percent: f64,
}

/// Measures and reports.
pub fn limits(args: &Args) -> Outcome {
    if !(0.05..=600.0).contains(&args.seconds) {
        return Err(Failure::Wrong("--seconds must be 0.05 to 600".into()));
    }
    let machine = Machine::look();
    let cores = smc_runtime::idle::cores();
    stay_on(0);
    let length = Duration::from_secs_f64(args.seconds);
    let failed = |error: std::io::Error| Failure::wrong("loopback", error);
    let mut rows = vec![
        clock("monotonic clock read", smc_runtime::clock::mono_ns),
        clock("wall clock read", || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.unwrap_or_default().as_nanos() as u64
        }),
        copy("copy of 160 B", 160, 4_096),
        copy("copy of 1 MiB", 1 << 20, 4),
    ];
    if cores > 1 {
        rows.push(line_transfer(length));
    }
    let sizes: [Sizes; 1] = [(TICK, ORDER)];
    let note = "182 B there, 302 B back, both ends spinning, back to back";
    rows.push(Row {
        name: "loopback TCP echo",
        note,
        figures: Figures::of(echo(&sizes, length).map_err(failed)?),
    });
    let figures = Figures::of(sealed_echo(length)?);
    rows.push(Row {
        name: "loopback TLS + WebSocket echo",
        note: "the same sizes, through our own network edge",
        figures,
    });
    let jitter = jitter(length);
    report(args, &machine, &rows, &jitter);
    Ok(())
}

fn grouped(name: &'static str, note: &'static str, mut step: impl FnMut()) -> Row {
    let mut samples = Vec::with_capacity(GROUPS);
    for _ in 0..GROUPS {
        let started = Instant::now();
        for _ in 0..GROUP {
            step();
        }
        samples.push(started.elapsed().as_nanos() as u64 / u64::from(GROUP));
    }
    Row { name, note, figures: Figures::of(samples) }
}

fn clock(name: &'static str, read: impl Fn() -> u64) -> Row {
    grouped(name, "64 at a time", || {
        black_box(read());
    })
}

/// Copies to and from places that change, `times` at a time.
fn copy(name: &'static str, bytes: usize, times: usize) -> Row {
    let (from, mut to) = (vec![7_u8; bytes], vec![0_u8; bytes]);
    let mut samples = Vec::with_capacity(2_000);
    for _ in 0..2_000 {
        let started = Instant::now();
        for _ in 0..times {
            to.copy_from_slice(black_box(&from));
            black_box(&mut to);
        }
        samples.push(started.elapsed().as_nanos() as u64 / times as u64);
    }
    Row { name, note: "", figures: Figures::of(samples) }
}

/// A cache line goes to the other core and back.
fn line_transfer(length: Duration) -> Row {
    const END: u64 = u64::MAX;
    let (there, back) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut samples = Vec::with_capacity(1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            stay_on(1);
            let mut last = 0;
            loop {
                let now = there.load(Ordering::Acquire);
                if now == END {
                    return;
                }
                if now != last {
                    last = now;
                    back.store(now, Ordering::Release);
                }
                spin_loop();
            }
        });
        let started = Instant::now();
        for nth in 1.. {
            let sent = Instant::now();
            there.store(nth, Ordering::Release);
            while back.load(Ordering::Acquire) != nth {
                spin_loop();
            }
            samples.push(sent.elapsed().as_nanos() as u64);
            if started.elapsed() >= length || samples.len() == samples.capacity() {
                break;
            }
        }
        there.store(END, Ordering::Release);
    });
    samples.drain(..samples.len() / 10);
    Row {
        name: "cache line to the other core, back",
        note: "one clock read in it",
        figures: Figures::of(samples),
    }
}

/// Our client answers a server's messages: TLS, WebSocket and kernel, nothing decided.
fn sealed_echo(length: Duration) -> Result<Vec<u64>, Failure> {
    use smc_net::{Endpoint, TlsSettings, WsClient, WsLimits};
    use venue_sim::market::Generator;
    let wrong = |error: &dyn std::fmt::Display| Failure::Wrong(error.to_string());
    let market = Generator::new(venue_sim::market::GeneratorSettings::default());
    let market = market.ok_or_else(|| wrong(&"generator settings"))?;
    let mut sim = venue_sim::Sim::bind(venue_sim::SimSettings::new(Box::new(market), Vec::new()))
        .map_err(|error| wrong(&error))?;
    let tls = TlsSettings::from_ca_pem(sim.ca_pem()).map_err(|error| wrong(&error))?;
    let address = sim.local_addr();
    let endpoint =
        Endpoint { host: address.ip().to_string(), port: address.port(), address: Some(address), tls };
    let connect = WsClient::connect(&endpoint, "/stream", WsLimits::default());
    let mut client = connect.map_err(|error| wrong(&error))?;
    let started = Instant::now();
    while !client.is_open() {
        sim.serve_once();
        client.poll(&mut |_: &mut [u8]| {}).map_err(|error| wrong(&error))?;
        if started.elapsed() > Duration::from_secs(10) {
            return Err(Failure::No("the simulator did not answer".into()));
        }
    }
    let mut server = sim.take("/stream").ok_or_else(|| wrong(&"no connection"))?;
    let (is_over, text) = (AtomicU64::new(0), vec![b'x'; ORDER - AROUND[1]]);
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            stay_on(1);
            while is_over.load(Ordering::Relaxed) == 0 {
                let mut count = 0;
                client.poll(&mut |_: &mut [u8]| count += 1)?;
                for _ in 0..count {
                    client.send_text(&text)?;
                }
            }
            Ok::<_, smc_net::NetError>(())
        });
        let asked = ask(&mut server, length);
        is_over.store(1, Ordering::Relaxed);
        match answering.join() {
            Ok(Ok(())) => asked.map_err(|error| Failure::wrong("loopback", error)),
            Ok(Err(error)) => Err(wrong(&error)),
            Err(_) => Err(Failure::No("the echo panicked".into())),
        }
    })
}

fn ask(server: &mut venue_sim::Taken, length: Duration) -> std::io::Result<Vec<u64>> {
    use std::io::{ErrorKind, Read};
    let text = vec![b'y'; TICK - AROUND[0]];
    let (mut wire, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    let mut samples = Vec::with_capacity(1 << 20);
    let started = Instant::now();
    while started.elapsed() < length {
        wire.clear();
        server.seal(&text, &mut wire)?;
        let sent = Instant::now();
        super::echo::write_all(&mut server.tcp, &wire)?;
        let mut answers = 0;
        while answers == 0 {
            let count = match server.tcp.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            let ns = sent.elapsed().as_nanos() as u64;
            server.open(buffer.get(..count).unwrap_or_default(), |_| answers += 1)?;
            if answers > 0 {
                samples.push(ns);
            }
        }
    }
    samples.drain(..samples.len() / 10);
    Ok(samples)
}

/// Gaps between two looks at the clock, of a thread that does nothing else.
fn jitter(length: Duration) -> Jitter {
    let span = length.as_nanos() as u64;
    let (started, mut last, mut gaps) = (Instant::now(), 0, Vec::new());
    while last < span {
        let now = started.elapsed().as_nanos() as u64;
        if now - last > HICCUP_NS {
            gaps.push(now - last);
        }
        last = now;
    }
    let (count, seconds, lost) = (gaps.len(), last as f64 / 1e9, gaps.iter().sum::<u64>());
    let figures = Figures::of(gaps);
    Jitter {
        seconds,
        gaps_per_second: count as f64 / seconds,
        gap_p50_ns: figures.p50_ns,
        gap_p99_ns: figures.p99_ns,
        gap_max_ns: figures.max_ns,
        lost_percent: lost as f64 * 100.0 / last as f64,
    }
}

fn report(args: &Args, machine: &Machine, rows: &[Row], jitter: &Jitter) {
    let after = lost_percent(200);
    if args.json {
        let document = serde_json::json!({
            "machine": machine, "limits": rows, "jitter": jitter, "lost_percent_after": after,
        });
        println!("{document}");
        return;
    }
    println!("{}\n\n{}", machine.line(), head("nanoseconds"));
    for row in rows {
        println!("{:34} {}  {}", row.name, row.figures.cells(1.0, 0), row.note);
    }
    let us = |ns: u64| ns as f64 / 1_000.0;
    println!(
        "\nscheduler: {:.0} gaps over 10 us a second, median {:.0} us, longest {:.0} us; {:.1} % of the time lost",
        jitter.gaps_per_second,
        us(jitter.gap_p50_ns),
        us(jitter.gap_max_ns),
        jitter.lost_percent
    );
}
