//! The official futures SDK and ccxt trade at the simulated venue, through real sockets, in an environment that the
//! test command makes.
#![allow(missing_docs, clippy::unwrap_used)]

use smc_core::words::SCALE;
use smc_core::{Price, Qty, TsNs};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use venue_sim::market::{Generator, GeneratorSettings};
use venue_sim::{AccountSettings, Credential, LimitSettings, Sim, SimSettings, VenueKind};

const KEY: &str = "testKey0000000000000000000000000000000000000000000000000000000001";
const SECRET: &str = "testSecret0000000000000000000000000000000000000000000000000000001";

#[test]
fn the_official_sdk_and_ccxt_trade_at_the_simulator() {
    let Some(python) = std::env::var_os("SMC_USDM_PYTHON") else {
        println!("skipped: SMC_USDM_PYTHON names no Python with the official SDK and ccxt");
        return;
    };
    // Other people's clients stamp their requests by the wall clock, so the market opens now.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let market = Generator::new(GeneratorSettings {
        start_ts: TsNs(u64::try_from(now.as_nanos()).unwrap()),
        tick: Price(SCALE / 10),
        lot: Qty(SCALE / 1_000),
        ..GeneratorSettings::default()
    });
    let balances = [("USDT", Qty(1_000_000 * SCALE))];
    let account = AccountSettings {
        maker_fee_bps: 2,
        taker_fee_bps: 5,
        ..AccountSettings::new(KEY, Credential::Hmac(SECRET.to_owned()), &balances)
    };
    let mut settings = SimSettings::new(Box::new(market.unwrap()), vec![account]);
    settings.kind = VenueKind::BinanceUsdm;
    settings.limits = LimitSettings::binance_usdm();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    settings.ca_file = Some(ca.clone());
    let mut sim = Sim::bind(settings).unwrap();
    let address = format!("localhost:{}", sim.local_addr().port());
    let stop = Arc::new(AtomicBool::new(false));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/usdm.py");
    let client = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let output = Command::new(python).args([script, &address, KEY, SECRET]).arg(&ca).output();
            stop.store(true, Ordering::Release);
            output
        }
    });
    sim.run(&stop);
    let output = client.join().unwrap().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
