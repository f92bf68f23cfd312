//! The page of a real run, by our own checks, by an independent parser, and against the list that people read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is test code, which the lint cannot see")]

#[path = "../../../engine/observe/tests/common/mod.rs"]
mod common;

use common::{Book, world};
use smc_core::event::{Command, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::words::InstrumentId;
use smc_exporter::{ChannelReading, FAMILIES, Family, Format, Health, Reading, Source, Type, page};
use smc_observe::{Observer, Picture};
use smc_runtime::counters::{Counters, CountersView, Slot};
use smc_runtime::latency::{Latencies, LatencyView, Stretch};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A picture of a run in which something of everything happened.
fn picture(dir: &Path) -> Arc<Picture> {
    let mut world = world(21);
    world.run(4_000);
    world.command(Command::Pause);
    world.command(Command::Shutdown);
    world.run(50);
    let mut book = Book::begin(dir);
    book.write(&world);
    book.digest(&world.engine.digest().to_bytes());
    let mut observer = Observer::open(dir).unwrap();
    while observer.view().picture().seq + 1 < book.next_seq() {
        observer.turn().unwrap();
    }
    observer.view().picture()
}

/// Everything there can be.
fn reading(dir: &Path) -> Reading {
    let picture = picture(dir);
    let path = dir.join(smc_runtime::counters::FILE_NAME);
    let counters = Counters::create(&path).unwrap();
    counters.set(Slot::JournalSeq, picture.seq + 3);
    counters.set(Slot::JournalUnsyncedNs, 1_500_000);
    counters.set(Slot::LastEventNs, picture.time.0);
    counters.set(Slot::OrdersSent, 12);
    counters.set_nth(Slot::Turns, 2, 5);
    let view = Arc::new(CountersView::open(&path).unwrap());
    let path = dir.join(smc_runtime::latency::FILE_NAME);
    let latencies = Latencies::new();
    let mut probe = latencies.probe();
    latencies.map_to(&path).unwrap();
    probe.note(Stretch::WireToWire, 12_345);
    latencies.collect();
    let mut source = Source::inside(dir, view, None);
    let read = source.read();
    assert!(read.is_alive, "this process wrote the counters");
    let latencies = Some(Arc::new(LatencyView::open(&path).unwrap()));
    let outcomes = [("sent", 7), ("retried", 2), ("refused", 1), ("dropped", 0)];
    let channels = vec![ChannelReading { name: "mail".into(), outcomes, waiting: 4 }];
    let conditions_dropped = Some(5);
    Reading { picture: Some(picture), latencies, scrapes: 3, channels, conditions_dropped, ..read }
}

/// `name{labels}` and value of each sample; metadata by family. Refuses what neither form allows.
struct Read {
    samples: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
    helps: BTreeSet<String>,
    units: BTreeMap<String, String>,
    order: Vec<String>,
}

fn read(text: &str) -> Read {
    let (mut samples, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    let (mut helps, mut units, mut order) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (word, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            let is_new = match word {
                "HELP" => helps.insert(name.to_owned()),
                "TYPE" => kinds.insert(name.to_owned(), rest.to_owned()).is_none(),
                "UNIT" => units.insert(name.to_owned(), rest.to_owned()).is_none(),
                other => panic!("{other}"),
            };
            assert!(is_new, "twice: {line}");
            if word == "TYPE" {
                order.push(name.to_owned());
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        assert!(value.is_finite(), "{line}");
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {series}");
        let family = order.last().unwrap();
        assert!(series.starts_with(family.as_str()), "{series} stands under {family}");
    }
    Read { samples, kinds, helps, units, order }
}

#[test]
fn every_family_is_there_in_both_forms_and_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let reading = reading(dir.path());
    let (plain, open) = (page(&reading, Format::Prometheus), page(&reading, Format::OpenMetrics));
    assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF"));
    let (plain, open) = (read(&plain), read(&open));
    assert_eq!(plain.samples, open.samples);
    for family in FAMILIES {
        assert!(
            plain.kinds.contains_key(family.name) && plain.helps.contains(family.name),
            "{}",
            family.name
        );
        let is_there = |series: &String| series.split('{').next().unwrap().starts_with(family.name);
        // VaR needs a window of returns, rejects a refusal; venues of the harness say nothing of budget and clock.
        let may_be_absent = [
            "smc_var_ratio",
            "smc_alert_last_timestamp_seconds",
            "smc_orders_rejected_total",
            "smc_venue_budget_left_ratio",
            "smc_venue_clock_offset_seconds",
        ];
        assert!(
            may_be_absent.contains(&family.name) || plain.samples.keys().any(is_there),
            "{} has no series",
            family.name
        );
    }
    assert_eq!(plain.order.len(), FAMILIES.len());
    assert!(plain.units.is_empty());
    assert_eq!(open.units["smc_latency_seconds"], "seconds");
    assert_eq!(open.kinds["smc_orders_sent"], "counter");
    assert_eq!(open.kinds["smc_build"], "info");
    for (name, unit) in &open.units {
        assert!(name.ends_with(&format!("_{unit}")), "{name} in {unit}");
    }
}

#[test]
fn what_is_told_is_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let reading = reading(dir.path());
    let read = read(&page(&reading, Format::Prometheus));
    let picture = reading.picture.as_ref().unwrap();
    let told = |series: &str| *read.samples.get(series).unwrap_or_else(|| panic!("no {series}"));
    assert_eq!(told("smc_orders_sent_total"), 12.0);
    assert_eq!(told("smc_engine_state{state=\"REDUCE_ONLY\"}"), 1.0);
    assert_eq!(told("smc_engine_state{state=\"NORMAL\"}"), 0.0);
    assert_eq!(told("smc_breaker_state{scope=\"engine\",control=\"operator\"}"), 2.0);
    // Two hold it as far, and both are told.
    assert_eq!(told("smc_breaker_state{scope=\"engine\",control=\"process\"}"), 2.0);
    assert_eq!(told("smc_breaker_state{scope=\"engine\",control=\"daily_loss\"}"), 0.0);
    assert_eq!(told("smc_alert_notices_total{channel=\"mail\",outcome=\"retried\"}"), 2.0);
    assert_eq!(told("smc_alert_notices_waiting{channel=\"mail\"}"), 4.0);
    assert_eq!(told("smc_alert_conditions_dropped_total"), 5.0);
    assert_eq!(told("smc_operator_acts_total{command=\"pause\"}"), 1.0);
    assert_eq!(told("smc_operator_acts_total{command=\"kill_flatten\"}"), 0.0);
    assert_eq!(told("smc_alerts_total{kind=\"venue_reject\"}"), 0.0);
    assert_eq!(told("smc_orders_denied_total{check=\"MAX_NET\"}"), 0.0);
    assert_eq!(told("smc_journal_observer_lag_records"), 3.0);
    assert_eq!(told("smc_journal_unsynced_seconds"), 0.0015);
    assert_eq!(told("smc_turn_seconds_bucket{le=\"0.000005\"}"), 5.0);
    assert_eq!(told("smc_latency_seconds_bucket{stretch=\"wire_to_wire\",le=\"0.00001\"}"), 0.0);
    assert_eq!(told("smc_latency_seconds_bucket{stretch=\"wire_to_wire\",le=\"0.00002\"}"), 1.0);
    assert_eq!(told("smc_latency_seconds_count{stretch=\"wire_to_decision\"}"), 0.0);
    assert_eq!(told("smc_equity{asset=\"USDT\"}"), picture.money.equity.unwrap().0 as f64 / 1e8);
    assert_eq!(told("smc_position{symbol=\"BTCUSDT\"}"), picture.instruments[0].position.0 as f64 / 1e8);
    assert_eq!(told("smc_risk_limit{scope=\"instrument BTCUSDT\",limit=\"position_qty_max\"}"), 2.0);
    assert_eq!(told("smc_risk_limit{scope=\"engine\",limit=\"leverage_max_milli\"}"), 3.0);
    assert_eq!(told("smc_feed_live{symbol=\"BTCUSDT\"}"), 1.0);
    assert_eq!(told("smc_scrapes_total"), 3.0);
    assert_eq!(told(&format!("smc_engine_digest_info{{digest=\"{}\"}}", picture.digest)), 1.0);
    let stamp = told("smc_engine_last_event_timestamp_seconds");
    assert!((stamp - picture.time.0 as f64 / 1e9).abs() < 0.001);
}

/// The last picture of an observer that has ended is no present: it is left out, and why is told.
#[test]
fn what_nobody_observes_any_more_has_no_series() {
    for is_wrong in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut world = world(23);
        world.run(100);
        let mut book = Book::begin(dir.path());
        book.write(&world);
        let mut observer = Observer::open(dir.path()).unwrap();
        while observer.view().picture().seq + 1 < book.next_seq() {
            observer.turn().unwrap();
        }
        let path = dir.path().join(smc_runtime::counters::FILE_NAME);
        let counters = Counters::create(&path).unwrap();
        counters.set(Slot::JournalSeq, 1);
        let view = Arc::new(CountersView::open(&path).unwrap());
        let mut source = Source::inside(dir.path(), view, Some(observer.view()));
        let before = source.read();
        assert_eq!(source.health(&before), Health::Good);
        assert!(page(&before, Format::Prometheus).contains("\nsmc_observer_up 1\n"));
        if is_wrong {
            book.digest(&[7; 16]);
            while observer.turn().is_ok() {}
        } else {
            drop(observer);
        }
        let after = source.read();
        let expected = if is_wrong { Health::Diverged } else { Health::Unobserved };
        assert_eq!(source.health(&after), expected);
        let text = page(&after, Format::Prometheus);
        let lines = format!("\nsmc_observer_digest_mismatches_total {}\n", u64::from(is_wrong));
        assert!(text.contains("\nsmc_observer_up 0\n") && text.contains(&lines), "{text}");
        for name in ["smc_engine_state{", "smc_position{", "smc_journal_state "] {
            assert!(!text.contains(&format!("\n{name}")), "{name}");
        }
    }
}

/// Followed from outside, another journal may take the place of one that was wrong; it is judged by itself, and what was found is
/// counted still.
#[test]
fn a_journal_that_takes_the_place_of_a_wrong_one_is_judged_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("journal");
    let begin = |is_wrong: bool| {
        let mut world = world(23);
        world.run(100);
        let mut book = Book::begin(&dir);
        book.write(&world);
        book.digest(&if is_wrong { [7; 16] } else { world.engine.digest().to_bytes() });
        (book, Counters::create(&dir.join(smc_runtime::counters::FILE_NAME)).unwrap())
    };
    let wrong = begin(true);
    let mut source = Source::outside(&dir).unwrap();
    let mut waited_for = |health, counters: &Counters| {
        let until = Instant::now() + Duration::from_secs(60);
        for seq in 1.. {
            // It must not look as if it stood still, however long this takes.
            counters.set(Slot::JournalSeq, seq);
            let reading = source.read();
            if source.health(&reading) == health && reading.is_observed == (health != Health::Diverged) {
                return reading.digest_mismatches;
            }
            assert!(Instant::now() < until, "not {health:?} but {:?}", source.health(&reading));
            std::thread::sleep(Duration::from_millis(10));
        }
        unreachable!("it returns or fails")
    };
    assert_eq!(waited_for(Health::Diverged, &wrong.1), 1);
    drop(wrong);
    std::fs::remove_dir_all(&dir).unwrap();
    let right = begin(false);
    assert_eq!(waited_for(Health::Good, &right.1), 1);
}

/// The words of the system's own parser. It is not there on every machine.
#[test]
fn promtool_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let page = page(&reading(dir.path()), Format::Prometheus);
    let child = Process::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: promtool is not installed");
        return;
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let words = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && words.trim().is_empty(), "promtool: {words}");
}

/// Whatever symbols are called and venues answer, the page stays a page, and its series are bounded.
#[test]
fn hostile_names_and_codes_are_escaped_and_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = world(22);
    world.run(300);
    // A thousand refusals, each with a code of its own, of orders that are there.
    for code in 0..1_000 {
        while world.engine.open_orders().count() == 0 {
            world.run(1);
        }
        let client_order_id = world.engine.open_orders().next().unwrap().client_order_id;
        let kind = OrderUpdateKind::Reject { code: 10_000 + code };
        let update = OrderUpdate { client_order_id, venue_order_id: 0, kind };
        world.feed(InstrumentId(0), EventBody::Order(update));
        if code > 60 && world.engine.counters().rejects > 40 {
            break;
        }
    }
    let mut book = Book::begin(dir.path());
    book.write(&world);
    let mut observer = Observer::open(dir.path()).unwrap();
    while observer.view().picture().seq + 1 < book.next_seq() {
        observer.turn().unwrap();
    }
    let mut picture = (*observer.view().picture()).clone();
    let codes: usize = picture.counts.rejects.values().map(BTreeMap::len).sum();
    let counted: u64 = picture.counts.rejects.values().flat_map(BTreeMap::values).sum();
    assert!(codes <= smc_observe::picture::CODES_MAX + 1, "{codes} codes");
    assert_eq!(counted, world.engine.counters().rejects, "none is lost");
    let before = read(&page(
        &Reading { picture: Some(Arc::new(picture.clone())), ..Reading::default() },
        Format::Prometheus,
    ));
    let hostile = "A\"} 1\nsmc_engine_alive 7\\";
    picture.instruments[0].symbol = hostile.into();
    for limit in &mut picture.limits {
        limit.scope_name = format!("{}{hostile}", limit.scope_name);
    }
    picture.money.asset = hostile.into();
    let reading = Reading { picture: Some(Arc::new(picture)), ..Reading::default() };
    let plain = page(&reading, Format::Prometheus);
    let after = read(&plain);
    assert_eq!(after.samples.len(), before.samples.len());
    assert_eq!(after.samples["smc_engine_alive"], 0.0, "nobody can speak for the engine");
    assert!(plain.contains("symbol=\"A\\\"} 1\\nsmc_engine_alive 7\\\\\""), "escaped");
}

/// `docs/metrics.md` is the list that people read. `SMC_GOLDEN_WRITE=1` writes it anew.
#[test]
fn the_list_is_the_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- metrics -->\n", "<!-- end -->");
    let (head, rest) = text.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    let row = |family: &Family| {
        let kind = match family.kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
            Type::Info => "info",
        };
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {kind} | {} | {} |\n", family.name, labels.join(", "), family.help)
    };
    let rows: String = FAMILIES.iter().map(row).collect();
    let expected =
        format!("{head}{begin}| metric | type | labels | meaning |\n|---|---|---|---|\n{rows}{end}{tail}");
    if std::env::var_os("SMC_GOLDEN_WRITE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        text == expected || std::env::var_os("SMC_GOLDEN_WRITE").is_some(),
        "SMC_GOLDEN_WRITE=1 writes the list anew"
    );
}

/// Labels of the page are those of the list, no more.
#[test]
fn series_have_the_labels_that_the_list_names() {
    let dir = tempfile::tempdir().unwrap();
    let read = read(&page(&reading(dir.path()), Format::Prometheus));
    for series in read.samples.keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let family = FAMILIES.iter().find(|known| known.name == name || base == Some(known.name)).unwrap();
        let found: Vec<&str> = labels
            .split("\",")
            .filter_map(|label| Some(label.split_once('=')?.0))
            .filter(|label| *label != "le")
            .collect();
        assert_eq!(found, family.labels, "{series}");
    }
}
