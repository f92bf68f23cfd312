//! `smc sim`: the venue simulator alone, for engines in other processes.

mod venues;

use crate::failure::{Failure, Outcome};
use clap::{Parser, ValueEnum};
use smc_core::words::{Qty, SCALE};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use venue_sim::credentials::Credentials;
use venue_sim::market::{Capture, Generator, GeneratorSettings, MarketSource};
use venue_sim::{AccountSettings, Fault, FaultPlan, Sim};
use venues::Made;

/// Run the venue simulator alone.
///
/// Writes DIR/ca.pem (the certificate authority to trust) and the account's key: DIR/key.pem for Binance (Ed25519),
/// DIR/secret for Bybit (a shared secret), DIR/token for Oanda (a bearer token). Prints the addresses that a client
/// needs. `smc run` takes all three from its configuration.
#[derive(Parser)]
pub struct Args {
    /// Which dialect to speak
    #[arg(long, value_enum, default_value_t = Venue::BinanceSpot)]
    venue: Venue,
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9443")]
    listen: SocketAddr,
    /// Seed of the generated market and of the venue's ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recorded market instead of a generated one: timed messages a line, gzip or text; for Oanda a day of LEAN ticks
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Market seconds per second
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Directory for ca.pem and key.pem
    #[arg(long, value_name = "DIR", default_value = "sim-keys")]
    keys: PathBuf,
    /// Append one line per order request here, before it is answered
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Let things go wrong: which and how often is drawn from this seed
    #[arg(long, value_name = "SEED")]
    faults: Option<u64>,
    /// Stop after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// One JSON document with the address and the counts
    #[arg(long)]
    json: bool,
}

/// Dialects of the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Venue {
    /// Binance spot
    BinanceSpot,
    /// Binance USD-M futures: perpetuals held by margin
    BinanceUsdm,
    /// Bybit v5: spot and a perpetual of the same name
    Bybit,
    /// Oanda v20: one account that nets and one that hedges
    Oanda,
}

/// The name of the demo's account at the simulated venue.
pub const API_KEY: &str = "smc-demo-key";

/// A market: recorded where a file is given, generated otherwise.
pub fn market(data: Option<&Path>, seed: u64) -> Result<Box<dyn MarketSource>, Failure> {
    match data {
        Some(path) => Ok(Box::new(Capture::open(path).map_err(|error| Failure::Wrong(error.to_string()))?)),
        None => generated(GeneratorSettings { seed, ..GeneratorSettings::default() }),
    }
}

/// A market made as told.
pub fn generated(settings: GeneratorSettings) -> Result<Box<dyn MarketSource>, Failure> {
    let market = Generator::new(settings);
    Ok(Box::new(market.ok_or_else(|| Failure::Wrong("generator settings".into()))?))
}

/// The account every simulated venue of ours has: enough of both assets to trade either way.
pub fn account(credentials: &Credentials) -> AccountSettings {
    account_with(credentials, &[("USDT", Qty(100_000 * SCALE)), ("BTC", Qty(5 * SCALE))], 1, 2)
}

/// The same with other balances and fees (resting, taking; in basis points).
pub fn account_with(
    credentials: &Credentials,
    balances: &[(&str, Qty)],
    maker_fee_bps: u32,
    taker_fee_bps: u32,
) -> AccountSettings {
    AccountSettings {
        maker_fee_bps,
        taker_fee_bps,
        ..AccountSettings::new(API_KEY, credentials.credential(), balances)
    }
}

/// Makes a directory that only its owner may enter.
pub fn private_dir(dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| Failure::wrong(dir.display(), error))
}

/// Writes a file that only its owner may read.
pub fn private_file(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::wrong(path.display(), error))
}

/// Serves until interrupted.
pub fn sim(args: &Args) -> Outcome {
    if !(args.speed > 0.0 && args.speed <= 100_000.0) {
        return Err(Failure::Wrong("--speed: must be above 0 and at most 100000".into()));
    }
    let Made { mut settings, key_file, key } = Made::new(args)?;
    let account = settings.accounts.first().map(|it| it.api_key.clone()).unwrap_or_default();
    settings.listen = args.listen;
    settings.seed = args.seed;
    settings.speed = args.speed;
    settings.audit = args.audit.clone();
    settings.faults = args.faults.map(FaultPlan::from_seed);
    let plan = settings.faults.as_ref().map(FaultPlan::describe);
    let mut sim = Sim::bind(settings).map_err(|error| Failure::Wrong(error.to_string()))?;
    private_dir(&args.keys)?;
    private_file(&args.keys.join("ca.pem"), sim.ca_pem())?;
    private_file(&args.keys.join(key_file), &key)?;

    let stop = Arc::new(AtomicBool::new(false));
    crate::signals::stop_on_signal(&stop).map_err(|error| Failure::wrong("signals", error))?;
    if let Some(seconds) = args.seconds {
        let stop = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            stop.store(true, Ordering::Release);
        });
    }
    let address = sim.local_addr();
    let keys = args.keys.display();
    let urls = args.venue.urls(address);
    if args.json {
        let urls: serde_json::Map<_, _> =
            urls.iter().map(|(name, url)| ((*name).into(), url.as_str().into())).collect();
        let told = serde_json::json!({
            "address": address.to_string(),
            "urls": urls,
            "keys": keys.to_string(),
            "api_key": account,
        });
        println!("{told}");
    } else {
        let venue = args.venue.to_possible_value();
        let venue = venue.as_ref().map_or("", |venue| venue.get_name());
        println!("{venue} simulator on {address}, api key {account}, keys in {keys}; Ctrl-C stops it");
        for (name, url) in urls {
            println!("  {name:<10}  {url}");
        }
        if args.speed != 1.0 {
            println!("  time passes {0} times as fast: `speed = {0:.1}` in the client's [venue]", args.speed);
        }
        if let Some(plan) = plan {
            println!("faults: {plan}");
        }
    }
    sim.run(&stop);
    if let Some(counts) = sim.faults().filter(|_| !args.json) {
        for fault in Fault::ALL {
            println!("{:>8}  {}", counts.of(fault), fault.name());
        }
    }
    Ok(())
}
