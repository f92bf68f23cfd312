//! pybit and ccxt trade at the simulated Bybit, through real sockets, in an environment that the test command makes.
#![allow(missing_docs, clippy::unwrap_used)]

use smc_core::instrument::Contract;
use smc_core::words::SCALE;
use smc_core::{Qty, TsNs};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use venue_sim::market::{Generator, GeneratorSettings, MarketSource, Merged, PERPETUAL};
use venue_sim::{AccountSettings, Credential, Sim, SimSettings, VenueKind};

const KEY: &str = "testApiKey0000001";
const SECRET: &str = "testApiSecret000000000000000000000001";

fn market(seed: u64, start_ts: TsNs) -> Box<dyn MarketSource> {
    Box::new(Generator::new(GeneratorSettings { seed, start_ts, ..GeneratorSettings::default() }).unwrap())
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
    let address = format!("localhost:{}", sim.local_addr().port());
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
