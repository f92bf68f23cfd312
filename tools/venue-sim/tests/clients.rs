//! Programs that others wrote trade at every simulated venue, through real sockets, in an environment that
//! `cargo xtask clients` makes. They know nothing of the simulator but its address and its certificate.
#![allow(missing_docs, clippy::unwrap_used)]

use smc_core::instrument::Contract;
use smc_core::words::SCALE;
use smc_core::{Price, Qty, TsNs};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use venue_sim::credentials::{Credentials, Secret, Token};
use venue_sim::market::{
    FxGenerator, FxGeneratorSettings, Generator, GeneratorSettings, MarketSource, Merged, PERPETUAL,
};
use venue_sim::{
    AccountSettings, Credential, LimitSettings, OandaSettings, Sim, SimSettings, Summary, VenueKind,
};

const KEY: &str = "testKey0000000000000000000000000000000000000000000000000000000001";
/// One token opens both.
const OANDA_ACCOUNTS: [&str; 2] = ["101-004-1234567-001", "101-004-1234567-002"];

/// Lets a script of `tests/clients` trade at a venue; none when there is no Python that could. The script is given the
/// name of its account and the secret.
fn trades(script: &str, mut settings: SimSettings, secret: &str, is_far: bool) -> Option<Summary> {
    let python = std::env::var_os("SMC_CLIENTS_PYTHON").filter(|it| Path::new(it).exists());
    let Some(python) = python else {
        println!("skipped: SMC_CLIENTS_PYTHON names no Python with the packages of tests/clients");
        return None;
    };
    let account = settings.accounts.first().unwrap().api_key.clone();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    settings.ca_file = Some(ca.clone());
    let mut sim = Sim::bind(settings).unwrap();
    let address = if is_far { far_away(sim.local_addr()) } else { sim.local_addr() };
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/").to_owned() + script);
    command.args([&format!("localhost:{}", address.port()), &account, secret]).arg(&ca);
    let stop = Arc::new(AtomicBool::new(false));
    let client = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let output = command.output();
            stop.store(true, Ordering::Release);
            output
        }
    });
    sim.run(&stop);
    let output = client.join().unwrap().unwrap();
    println!("{script}\n{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Some(sim.summary())
}

/// The same venue behind a network: what it says takes ten milliseconds. pybit notes a subscription only after it has
/// sent it, and falls over an acknowledgement that is there before.
fn far_away(venue: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(venue) else { return };
            let (near_end, far_end) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || pass_on(near, far, Duration::ZERO));
            std::thread::spawn(move || pass_on(far_end, near_end, Duration::from_millis(10)));
        }
    });
    address
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let mut bytes = [0u8; 65_536];
    while let Ok(len) = from.read(&mut bytes) {
        std::thread::sleep(delay);
        if len == 0 || to.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Other people's clients stamp their requests by the wall clock, so the markets open now.
fn now() -> TsNs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    TsNs(u64::try_from(now.as_nanos()).unwrap())
}

fn generated(settings: GeneratorSettings) -> Box<dyn MarketSource> {
    Box::new(Generator::new(GeneratorSettings { start_ts: now(), ..settings }).unwrap())
}

fn account(credential: Credential, fees_bps: (u32, u32)) -> AccountSettings {
    let balances = [("USDT", Qty(1_000_000 * SCALE)), ("BTC", Qty(5 * SCALE))];
    AccountSettings {
        maker_fee_bps: fees_bps.0,
        taker_fee_bps: fees_bps.1,
        ..AccountSettings::new(KEY, credential, &balances)
    }
}

#[test]
fn the_official_sdk_and_ccxt_trade_at_binance_spot() {
    let credentials = Credentials::generate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let key: PathBuf = dir.path().join("key.pem");
    std::fs::write(&key, credentials.private_pem()).unwrap();
    let market = generated(GeneratorSettings::default());
    let settings = SimSettings::new(market, vec![account(credentials.credential(), (10, 10))]);
    let done = trades("binance_spot.py", settings, &key.to_string_lossy(), false);
    assert!(done.is_none_or(|done| done.fills >= 5 && done.cancels >= 6));
}

#[test]
fn the_official_sdk_and_ccxt_trade_at_binance_futures() {
    let secret = Secret::generate().unwrap();
    let (tick, lot) = (Price(SCALE / 10), Qty(SCALE / 1_000));
    let market = generated(GeneratorSettings { tick, lot, ..GeneratorSettings::default() });
    let mut settings = SimSettings::new(market, vec![account(secret.credential(), (2, 5))]);
    settings.kind = VenueKind::BinanceUsdm;
    settings.limits = LimitSettings::binance_usdm();
    let done = trades("binance_usdm.py", settings, secret.text(), false);
    assert!(done.is_none_or(|done| done.fills >= 6 && done.cancels >= 3));
}

#[test]
fn pybit_and_ccxt_trade_at_bybit() {
    let secret = Secret::generate().unwrap();
    let market = |seed| generated(GeneratorSettings { seed, ..GeneratorSettings::default() });
    let both = Merged::new(vec![(market(1), Contract::SPOT), (market(2), PERPETUAL)]);
    let mut settings = SimSettings::new(Box::new(both), vec![account(secret.credential(), (10, 10))]);
    settings.kind = VenueKind::Bybit;
    let done = trades("bybit.py", settings, secret.text(), true);
    assert!(done.is_none_or(|done| done.fills >= 8 && done.cancels >= 8));
}

#[test]
fn v20_and_oandapy_trade_at_oanda() {
    let token = Token::generate().unwrap();
    let quotes =
        FxGenerator::new(FxGeneratorSettings { history_minutes: 800, ..FxGeneratorSettings::default() });
    let mut oanda = OandaSettings::new(Box::new(quotes.unwrap()));
    oanda.limits.connections_per_second = Some(2);
    let balance = [("USD", Qty(10_000 * SCALE))];
    let accounts = OANDA_ACCOUNTS.map(|id| AccountSettings::new(id, token.credential(), &balance));
    let done = trades("oanda.py", SimSettings::oanda(oanda, accounts.to_vec()), token.text(), false);
    assert!(done.is_none_or(|done| done.fills >= 6));
}
