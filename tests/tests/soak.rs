//! All venues at once in one engine, ten times as fast as the markets were recorded: no gap, no order event missed, no
//! memory gained.
//!
//! `SMC_SOAK_SECONDS` sets how long; `cargo xtask soak` takes ten minutes. Without the recordings the markets are made.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use smc_core::event::{Event, EventBody, FeedState, GatewayState, OrderUpdateKind};
use smc_core::output::{NewOrder, Output};
use smc_core::words::{ClientOrderId, Price, Qty, SCALE, number_of_text};
use smc_core::{TsNs, codec};
use smc_journal::{Reader, RecordKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tests::{BUSY, Child, shared, smc};
use venue_sim::credentials::{Credentials, Secret, Token};
use venue_sim::market::{
    Capture, FxGenerator, FxGeneratorSettings, FxTicks, Generator, GeneratorSettings, MarketSource, Merged,
    PERPETUAL, QuoteSource, Repeated,
};
use venue_sim::{AccountSettings, LimitSettings, OandaSettings, Sim, SimSettings, Truth, VenueKind};

/// Market seconds a second.
const SPEED: f64 = 10.0;
/// All markets open here: Friday 2024-08-09 00:00 UTC, where the recording of spot does.
const OPENING: TsNs = TsNs(1_723_161_604_000_000_000);
/// What the engine's own memory may gain between the first tenth of the run, ten seconds at least, and its end.
const GROWTH_MAX_KIB: u64 = 2_048;

/// One simulated venue, running in a thread of this process.
struct Place {
    kind: &'static str,
    symbol: &'static str,
    address: String,
    api_key: String,
    key_file: &'static str,
    thread: JoinHandle<Sim>,
}

/// A recorded market over and over, or one that is made.
fn market(path: &str, seed: u64, is_contract: bool) -> Box<dyn MarketSource> {
    let recorded = shared(path).and_then(|path: PathBuf| {
        let open =
            move || Capture::open(&path).ok().map(|capture| Box::new(capture) as Box<dyn MarketSource>);
        Repeated::new(open, Some(OPENING))
    });
    if let Some(recorded) = recorded {
        return Box::new(recorded);
    }
    let settings = GeneratorSettings { seed, start_ts: OPENING, ..GeneratorSettings::default() };
    let (tick, lot) = (Price(SCALE / 10), Qty(SCALE / 1_000));
    let settings = if is_contract { GeneratorSettings { tick, lot, ..settings } } else { settings };
    Box::new(Generator::new(settings).expect("settings"))
}

/// Recorded quotes of ten years earlier, at the same time of the day.
struct Later {
    quotes: FxTicks,
    shift_ns: u64,
    held: Option<venue_sim::market::fx::FxQuote>,
}

impl QuoteSource for Later {
    fn instruments(&self) -> &[venue_sim::market::fx::FxInstrument] {
        self.quotes.instruments()
    }

    fn start_ts(&self) -> TsNs {
        OPENING
    }

    fn next(&mut self) -> Option<venue_sim::market::fx::FxQuote> {
        let mut quote = self.held.take().or_else(|| self.quotes.next())?;
        quote.at = OPENING.max(TsNs(quote.at.0 + self.shift_ns));
        Some(quote)
    }
}

fn quotes() -> Box<dyn QuoteSource> {
    const DAY_NS: u64 = 86_400 * 1_000_000_000;
    let days: Option<Vec<PathBuf>> = ["20140508", "20140509"]
        .iter()
        .map(|day| shared(&format!("data/market/oanda/eurusd_tick_{day}_quote.zip")))
        .collect();
    if let Some(mut quotes) = days.and_then(|days| FxTicks::open(&days, 1_000_000).ok()) {
        // 2014-05-08 to 2024-08-08, both days in New York.
        let shift_ns = 3_745 * DAY_NS;
        let before = OPENING.0 - shift_ns;
        let mut held = None;
        while let Some(quote) = quotes.next() {
            held = Some(quote);
            if quote.at.0 >= before {
                break;
            }
        }
        return Box::new(Later { quotes, shift_ns, held });
    }
    let settings = FxGeneratorSettings {
        start_ts: OPENING,
        instruments: vec![("EUR_USD".into(), 1.1)],
        ..FxGeneratorSettings::default()
    };
    Box::new(FxGenerator::new(settings).expect("settings"))
}

/// Every venue, its market, and the key of its account.
fn venues() -> Vec<(&'static str, &'static str, SimSettings, &'static str, String)> {
    const SPOT: &str = "data/market/binance/spot_btcusdt_20240809.gz";
    const USDM: &str = "data/market/binance/usdm_btcusdt_20240808.gz";
    let both = [("USDT", Qty(1_000_000 * SCALE)), ("BTC", Qty(50 * SCALE))];
    let account = |name: &str, credential, (maker, taker)| {
        let settings = AccountSettings::new(name, credential, &both);
        AccountSettings { maker_fee_bps: maker, taker_fee_bps: taker, ..settings }
    };
    let mut venues = Vec::new();

    let key = Credentials::generate().unwrap();
    let settings = SimSettings::new(market(SPOT, 1, false), vec![account("spot", key.credential(), (1, 2))]);
    venues.push(("binance-spot", "BTCUSDT", settings, "key.pem", key.private_pem().to_owned()));

    let key = Credentials::generate().unwrap();
    let mut settings =
        SimSettings::new(market(USDM, 2, true), vec![account("usdm", key.credential(), (2, 5))]);
    (settings.kind, settings.limits) = (VenueKind::BinanceUsdm, LimitSettings::binance_usdm());
    venues.push(("binance-usdm", "BTCUSDT", settings, "key.pem", key.private_pem().to_owned()));

    let key = Secret::generate().unwrap();
    let merged = Merged::new(vec![(market(SPOT, 3, false), PERPETUAL)]);
    let mut settings = SimSettings::new(Box::new(merged), vec![account("bybit", key.credential(), (2, 5))]);
    settings.kind = VenueKind::Bybit;
    venues.push(("bybit-linear", "BTCUSDT", settings, "secret", key.text().to_owned()));

    let key = Token::generate().unwrap();
    let name = "101-004-1234567-001";
    let account = AccountSettings::new(name, key.credential(), &[("USD", Qty(1_000_000 * SCALE))]);
    let settings = SimSettings::oanda(OandaSettings::new(quotes()), vec![account]);
    venues.push(("oanda", "EUR_USD", settings, "token", key.text().to_owned()));
    venues
}

/// Starts all of them at one instant.
fn open(home: &Path, stop: &Arc<AtomicBool>) -> Vec<Place> {
    let venues = venues();
    let together = Arc::new(Barrier::new(venues.len()));
    venues
        .into_iter()
        .map(|(kind, symbol, mut settings, key_file, key)| {
            let dir = home.join(kind);
            std::fs::create_dir_all(&dir).unwrap();
            settings.speed = SPEED;
            let api_key = settings.accounts[0].api_key.clone();
            let mut sim = Sim::bind(settings).unwrap();
            std::fs::write(dir.join("ca.pem"), sim.ca_pem()).unwrap();
            std::fs::write(dir.join(key_file), key).unwrap();
            let address = sim.local_addr().to_string();
            let (stop, together) = (stop.clone(), together.clone());
            let thread = std::thread::spawn(move || {
                together.wait();
                sim.run(&stop);
                sim
            });
            Place { kind, symbol, address, api_key, key_file, thread }
        })
        .collect()
}

/// One engine with an instrument at each venue.
fn config_text(home: &Path, places: &[Place]) -> String {
    let (head, rest) = BUSY.split_once("[[instruments]]").unwrap();
    let (instrument, tail) = rest.split_once("\n[").unwrap();
    let head = head.replace(
        "timer_ms = 250",
        "timer_ms = 250\naccount_assets = { oanda = \"USD\" }\nfixed_rates = { USD = \"1\" }",
    );
    let tail = tail
        .replace("entry_kind = \"take\"", "entry_kind = \"rest\"")
        .replace("entry_lifetime_bars = 1", "entry_lifetime_bars = 30");
    let mut text = head;
    for place in places {
        let limits =
            instrument.replace("BTCUSDT\"", &format!("{}\"\nvenue = \"{}\"", place.symbol, place.kind));
        let limits = if place.kind == "oanda" {
            limits
                .replace("order_qty_max", "bars_from = \"quotes\"\norder_qty_max")
                .replace("order_qty_max = \"5\"", "order_qty_max = \"100000\"")
                .replace("position_qty_max = \"15\"", "position_qty_max = \"300000\"")
        } else {
            limits
        };
        text += &format!("[[instruments]]{limits}\n");
    }
    text += &format!("[{tail}");
    for Place { kind, address, api_key, key_file, .. } in places {
        let dir = home.join(kind);
        let dir = dir.display();
        // A currency is not dealt in for minutes at night: that is no loss of data.
        let silence_ms = if *kind == "oanda" { 900_000 } else { 60_000 };
        text += &format!(
            r#"
[[venues]]
name = "{kind}"
at = {{ kind = "{kind}", market = "{address}", orders = "{address}", rest = "{address}", ca_file = "{dir}/ca.pem", speed = {SPEED:.1}, silence_max_ms = {silence_ms} }}
account = {{ api_key = "{api_key}", key_file = "{dir}/{key_file}", recv_window_ms = 60000 }}
"#
        );
    }
    text + "\n[process]\ntopology = \"inline\"\nidle = \"yield\"\nsegment_mib = 64\nunsynced_max_ms = 0\nsnapshot_records = 0\n"
}

/// What the journal tells of one venue.
#[derive(Debug, Default)]
struct Told {
    inputs: u64,
    /// Market data was live, and how often it was so no more.
    is_live: bool,
    losses: u32,
    /// The same of the order path.
    is_ready: bool,
    path_losses: u32,
    orders: BTreeMap<ClientOrderId, NewOrder>,
    /// By trade number: order, price, quantity, how often told.
    fills: BTreeMap<u64, (ClientOrderId, Price, Qty, u32)>,
}

fn read(journal: &Path, venues: usize) -> Vec<Told> {
    let mut all: Vec<Told> = (0..venues).map(|_| Told::default()).collect();
    let reader = Reader::open(journal).unwrap();
    for record in reader.records().map(Result::unwrap) {
        match record.kind {
            RecordKind::Input => {
                let event = codec::decode::<Event>(record.payload).unwrap();
                let Some(told) = all.get_mut(event.instrument.index()) else { continue };
                told.inputs += 1;
                match event.body {
                    EventBody::Feed(state) => {
                        told.losses += u32::from(told.is_live && state != FeedState::Live);
                        told.is_live |= state == FeedState::Live;
                    }
                    EventBody::Gateway(state) => {
                        told.path_losses += u32::from(told.is_ready && state != GatewayState::Ready);
                        told.is_ready |= state == GatewayState::Ready;
                    }
                    EventBody::Order(update) => {
                        if let OrderUpdateKind::Fill { trade_id, price, qty, .. } = update.kind {
                            let fill = (update.client_order_id, price, qty, 0);
                            told.fills.entry(trade_id).or_insert(fill).3 += 1;
                        }
                    }
                    _ => {}
                }
            }
            RecordKind::Output => {
                let order = match codec::decode::<Output<NewOrder>>(record.payload).unwrap() {
                    Output::NewOrder(order) => order,
                    Output::Replace(replace) => replace.order,
                    _ => continue,
                };
                if let Some(told) = all.get_mut(order.instrument.index()) {
                    told.orders.insert(order.client_order_id, order);
                    // What comes with an entry has the ids behind it.
                    let attached = [order.terms.stop_on_fill, order.terms.target_on_fill];
                    for (places, _) in (1..).zip(attached).filter(|(_, price)| *price > Price::ZERO) {
                        told.orders.insert(order.client_order_id.after(places), order);
                    }
                }
            }
            _ => {}
        }
    }
    all
}

/// Everything that the venue has and the journal does not, or the other way round.
fn compare(kind: &str, told: &Told, truth: &Truth) {
    let mut fills = told.fills.clone();
    for trade in &truth.trades {
        let numbers = [trade.trade_id, number_of_text(trade.trade_name.as_bytes())];
        let found = numbers.iter().find_map(|number| fills.remove(number));
        let (_, price, qty, times) = found.unwrap_or_else(|| panic!("{kind}: not told: {trade:?}"));
        assert_eq!((price, qty, times), (trade.price, trade.qty, 1), "{kind}: {trade:?}");
    }
    assert!(fills.is_empty(), "{kind}: fills that never were: {fills:?}");
    let mut filled: BTreeMap<ClientOrderId, i64> = BTreeMap::new();
    for (id, _, qty, _) in told.fills.values() {
        *filled.entry(*id).or_default() += qty.0;
    }
    for order in &truth.orders {
        let Some(id) = ClientOrderId::parse(order.client_order_id.as_bytes()) else {
            panic!("{kind}: an order of nobody: {order:?}")
        };
        assert!(told.orders.contains_key(&id), "{kind}: an order without its decision: {order:?}");
        assert_eq!(filled.get(&id).copied().unwrap_or(0), order.filled_qty.0, "{kind}: {order:?}");
    }
}

/// The engine's own memory, without mapped files, in KiB.
fn own_memory(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn all_venues_at_ten_times_their_rate_lose_nothing_and_gain_no_memory() {
    let seconds = std::env::var("SMC_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let length = Duration::from_secs(seconds);
    let home = tempfile::tempdir().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let places = open(home.path(), &stop);
    let config = home.path().join("smc.toml");
    std::fs::write(&config, config_text(home.path(), &places)).unwrap();
    let [journal, control, log] = ["journal", "control", "log"].map(|name| home.path().join(name));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let args =
        ["run", "--config", &text(&config), "--journal", &text(&journal), "--control", &text(&control)];
    let mut engine = Child::smc(&args, &log);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();

    let started = Instant::now();
    let mut memory = Vec::new();
    while started.elapsed() < length {
        assert!(!engine.is_over(), "{}", said());
        memory.push(own_memory(engine.id()));
        std::thread::sleep(length / 100);
    }
    let (code, _) = engine.end();
    assert_eq!(code, 0, "{}", said());
    stop.store(true, Ordering::Relaxed);
    let elapsed = started.elapsed().as_secs_f64();

    let told = read(&journal, places.len());
    let sims: Vec<(&str, Sim)> =
        places.into_iter().map(|place| (place.kind, place.thread.join().unwrap())).collect();
    for ((kind, sim), told) in sims.iter().zip(&told) {
        let truth = sim.truth(0);
        println!(
            "{kind}: {:.1} market seconds a second, {} events, {:.0} a second, {} orders, {} fills, \
             {} of {} orders at the venue work",
            sim.now().since(OPENING) as f64 / 1e9 / elapsed,
            told.inputs,
            told.inputs as f64 / elapsed,
            told.orders.len(),
            told.fills.len(),
            truth.orders.iter().filter(|order| order.is_open).count(),
            truth.orders.len(),
        );
        assert!(told.is_live && told.is_ready, "{kind}: {told:?}; {}", said());
        assert_eq!(
            (told.losses, told.path_losses),
            (0, 0),
            "{kind}: market data or the order path were lost"
        );
        compare(kind, told, &truth);
        assert!(seconds < 20 || !truth.orders.is_empty(), "{kind}: no order in {seconds} s");
    }
    // By then every venue has had orders.
    let settled = (memory.len() / 10).max((10 * memory.len() as u64 / seconds.max(20)) as usize);
    let (early, late) = (memory[settled], memory[memory.len() - 1]);
    let profile: Vec<u64> = memory.iter().copied().step_by(memory.len().div_ceil(10)).collect();
    println!("own memory: {early} KiB once settled, {late} KiB at the end; in tenths {profile:?}");
    assert!(late <= early + GROWTH_MAX_KIB, "{memory:?}");
    let replayed = smc(&["replay", "--verify", &text(&journal)]);
    assert_eq!(replayed.code, 0, "{}{}", replayed.stdout, replayed.tail());
    println!("{}", replayed.stdout.trim_end());
}
