//! The whole engine at each simulated venue through real sockets: proved by `smc venue check`, traded, stopped in order,
//! replayed to the same bytes, and agreeing with the venue about what is open at the end.
#![allow(missing_docs, clippy::unwrap_used, reason = "a step that fails is a failed test")]

use serde_json::Value;
use smc_core::codec;
use smc_core::event::{Event, EventBody, OrderUpdateKind};
use smc_core::output::{Output, Purpose};
use smc_journal::{Reader, RecordKind};
use std::path::Path;
use std::time::{Duration, Instant};
use tests::{Child, SimProcess, smc, venue_config_text};

/// Longest wait for enough fills; a run ends as soon as it has them.
const PATIENCE: Duration = Duration::from_secs(90);
const FILLS_WANTED: usize = 6;

/// What a journal tells.
#[derive(Debug, Default)]
struct Told {
    orders: usize,
    stops: usize,
    fills: usize,
    rounds: usize,
    /// Fills whose trade had been told before, in another place than the first.
    repeated: usize,
}

fn read(journal: &Path) -> Told {
    let mut told = Told::default();
    let mut trades = std::collections::BTreeSet::new();
    let Ok(reader) = Reader::open(journal) else { return told };
    for record in reader.records().map_while(Result::ok) {
        match record.kind {
            RecordKind::Input => match codec::decode::<Event>(record.payload).unwrap().body {
                EventBody::Order(update) => {
                    if let OrderUpdateKind::Fill { trade_id, .. } = update.kind {
                        told.fills += 1;
                        told.repeated += usize::from(!trades.insert(trade_id));
                    }
                }
                EventBody::Round(round) => told.rounds += usize::from(round.is_end && round.is_complete),
                _ => {}
            },
            RecordKind::Output => {
                if let Output::NewOrder(order) = codec::decode::<Output<_>>(record.payload).unwrap() {
                    let order: smc_core::output::NewOrder = order;
                    told.orders += 1;
                    let is_protected = order.terms.stop_on_fill.0 != 0;
                    told.stops += usize::from(order.purpose == Purpose::Stop || is_protected);
                }
            }
            _ => {}
        }
    }
    told
}

fn trade_at(sim: &str, kind: &str, speed: f64) {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let venue = SimProcess::of(sim, &path("venue"), speed, 5);
    std::fs::write(path("smc.toml"), venue_config_text(&venue, kind)).unwrap();
    let config = text(&path("smc.toml"));

    let checked = smc(&["venue", "check", "--json", "--config", &config]);
    let document: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((checked.code, &document["is_fit"]), (0, &Value::Bool(true)), "{document}");
    let findings = document["findings"].as_array().unwrap();
    for what in ["address", "clock", "instrument", "key", "limits", "account", "prices"] {
        assert!(
            findings.iter().any(|found| found["what"] == what),
            "{kind}: nothing about {what}: {document}"
        );
    }
    // Some venues let only so many connections be made in a second.
    std::thread::sleep(Duration::from_secs(1));

    let (journal, log) = (path("journal"), path("log"));
    let args = [
        "run",
        "--json",
        "--config",
        &config,
        "--journal",
        &text(&journal),
        "--control",
        &text(&path("control")),
    ];
    let mut engine = Child::smc(&args, &log);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let started = Instant::now();
    while read(&journal).fills < FILLS_WANTED {
        assert!(!engine.is_over(), "{kind}: {}", said());
        assert!(started.elapsed() < PATIENCE, "{kind}: {:?} {}", read(&journal), said());
        std::thread::sleep(Duration::from_millis(250));
    }
    let (code, _) = engine.end();
    assert_eq!(code, 0, "{kind}: {}", said());

    let told = read(&journal);
    println!("{kind}: {told:?}");
    assert!(told.orders >= told.fills / 2 && told.stops > 0 && told.rounds > 0, "{kind}: {told:?}");
    assert_eq!(told.repeated, 0, "{kind}: {told:?}");
    let replayed = smc(&["replay", "--verify", &text(&journal)]);
    assert_eq!(replayed.code, 0, "{kind}: {}{}", replayed.stdout, replayed.tail());

    // It would start again at once.
    let again = smc(&["venue", "check", "--json", "--config", &config]);
    let document: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again.code, 0, "{kind}: {document}");
}

#[test]
fn binance_futures_are_checked_traded_and_replayed() {
    trade_at("binance-usdm", "binance-usdm", 10.0);
}

#[test]
fn bybit_spot_is_checked_traded_and_replayed() {
    trade_at("bybit", "bybit-spot", 10.0);
}

#[test]
fn bybit_linear_is_checked_traded_and_replayed() {
    trade_at("bybit", "bybit-linear", 10.0);
}

#[test]
fn oanda_is_checked_traded_and_replayed() {
    trade_at("oanda", "oanda", 30.0);
}
