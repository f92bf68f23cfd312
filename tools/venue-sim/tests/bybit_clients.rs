//! pybit and ccxt trade at the simulated Bybit, through real sockets, in an environment that the test command makes.
#![allow(missing_docs, clippy::unwrap_used)]

use smc_core::instrument::Contract;
use smc_core::words::SCALE;
use smc_core::{Qty, TsNs};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use venue_sim::market::{Generator, GeneratorSettings, MarketSource, Merged, PERPETUAL};
use venue_sim::{AccountSettings, Credential, Sim, SimSettings, VenueKind};

const KEY: &str = "testApiKey0000001";
const SECRET: &str = "testApiSecret000000000000000000000001";

fn market(seed: u64, start_ts: TsNs) -> Box<dyn MarketSource> {
    Box::new(Generator::new(GeneratorSettings { seed, start_ts, ..GeneratorSettings::default() }).unwrap())
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

#[test]
fn pybit_and_ccxt_trade_at_the_simulator() {
    let Some(python) = std::env::var_os("SMC_BYBIT_PYTHON") else {
        println!("skipped: SMC_BYBIT_PYTHON names no Python with pybit and ccxt");
        return;
    };
    // Other people's clients stamp their requests by the wall clock, so the market opens now.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let start = TsNs(u64::try_from(now.as_nanos()).unwrap());
    let both = Merged::new(vec![(market(1, start), Contract::SPOT), (market(2, start), PERPETUAL)]);
    let balances = [("USDT", Qty(1_000_000 * SCALE)), ("BTC", Qty(5 * SCALE))];
    let account = AccountSettings::new(KEY, Credential::Hmac(SECRET.to_owned()), &balances);
    let mut settings = SimSettings::new(Box::new(both), vec![account]);
    settings.kind = VenueKind::Bybit;
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    settings.ca_file = Some(ca.clone());
    let mut sim = Sim::bind(settings).unwrap();
    let address = format!("localhost:{}", far_away(sim.local_addr()).port());
    let stop = Arc::new(AtomicBool::new(false));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/bybit.py");
    let client = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let output = Command::new(python)
                .args([script, &address, KEY, SECRET])
                .env("REQUESTS_CA_BUNDLE", &ca)
                .env("WEBSOCKET_CLIENT_CA_BUNDLE", &ca)
                .output();
            stop.store(true, Ordering::Release);
            output
        }
    });
    sim.run(&stop);
    let output = client.join().unwrap().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
