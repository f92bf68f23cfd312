//! `smc sim`: the venue simulator alone, for engines in other processes.

use crate::failure::{Failure, Outcome};
use clap::{Parser, ValueEnum};
use smc_core::words::{Qty, SCALE};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use venue_sim::credentials::{Credentials, Token};
use venue_sim::market::{
    Capture, FxGenerator, FxGeneratorSettings, FxTicks, Generator, GeneratorSettings, MarketSource,
    QuoteSource,
};
use venue_sim::{AccountSettings, OandaSettings, Sim, SimSettings};

/// Run the venue simulator alone.
///
/// Writes DIR/ca.pem (the certificate authority to trust) and DIR/key.pem (the Ed25519 key of the one account; for
/// Oanda DIR/token, its bearer token), and prints the address. `smc run` takes all three from its configuration.
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
    /// Stop after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// One JSON document with the address and the counts
    #[arg(long)]
    json: bool,
}

/// Dialects of the simulator and of the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Venue {
    /// Binance spot
    BinanceSpot,
    /// Oanda v20: one account that nets and one that hedges
    Oanda,
}

/// The name of the demo's account at the simulated venue.
pub const API_KEY: &str = "smc-demo-key";

/// The accounts at a simulated Oanda: the first nets, the second hedges.
const OANDA_ACCOUNTS: [&str; 2] = ["101-004-1234567-001", "101-004-1234567-002"];
/// Units at each recorded price, which come without any.
const RECORDED_UNITS: i64 = 1_000_000;

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

/// A dealer: recorded where a file is given, generated otherwise.
fn quotes(data: Option<&Path>, seed: u64) -> Result<Box<dyn QuoteSource>, Failure> {
    match data {
        Some(path) => {
            let ticks = FxTicks::open(&[path.to_owned()], RECORDED_UNITS);
            Ok(Box::new(ticks.map_err(|error| Failure::Wrong(error.to_string()))?))
        }
        None => {
            let dealer = FxGenerator::new(FxGeneratorSettings { seed, ..FxGeneratorSettings::default() });
            Ok(Box::new(dealer.ok_or_else(|| Failure::Wrong("generator settings".into()))?))
        }
    }
}

/// What one kind of venue is made of: its settings, and the file that holds the account's key.
fn made_of(args: &Args) -> Result<(SimSettings, &'static str, String), Failure> {
    let failed = |error| Failure::wrong("credentials", error);
    match args.venue {
        Venue::BinanceSpot => {
            let credentials = Credentials::generate().map_err(failed)?;
            let market = market(args.data.as_deref(), args.seed)?;
            let settings = SimSettings::new(market, vec![account(&credentials)]);
            Ok((settings, "key.pem", credentials.private_pem().to_owned()))
        }
        Venue::Oanda => {
            let token = Token::generate().map_err(failed)?;
            let mut oanda = OandaSettings::new(quotes(args.data.as_deref(), args.seed)?);
            oanda.hedging = OANDA_ACCOUNTS.iter().skip(1).map(|id| (*id).to_owned()).collect();
            let balance = [("USD", Qty(100_000 * SCALE))];
            let accounts = OANDA_ACCOUNTS.map(|id| AccountSettings::new(id, token.credential(), &balance));
            Ok((SimSettings::oanda(oanda, accounts.to_vec()), "token", token.text().to_owned()))
        }
    }
}

/// Serves until interrupted.
pub fn sim(args: &Args) -> Outcome {
    if !(args.speed > 0.0 && args.speed <= 100_000.0) {
        return Err(Failure::Wrong("--speed: must be above 0 and at most 100000".into()));
    }
    let (mut settings, key_file, key) = made_of(args)?;
    let account = settings.accounts.first().map(|it| it.api_key.clone()).unwrap_or_default();
    settings.listen = args.listen;
    settings.seed = args.seed;
    settings.speed = args.speed;
    settings.audit = args.audit.clone();
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
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "address": address.to_string(), "keys": keys.to_string(), "api_key": account })
        );
    } else {
        let venue = args.venue.to_possible_value();
        let venue = venue.as_ref().map_or("", |venue| venue.get_name());
        println!("{venue} simulator on {address}, api key {account}, keys in {keys}; Ctrl-C stops it");
    }
    sim.run(&stop);
    Ok(())
}
