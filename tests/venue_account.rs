//! The simulated venue's account as its owner sees it, over REST, past the engine.

use crate::SimProcess;
use crate::process::wait_until;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use smc_core::words::{Money, Price, Qty};
use smc_net::{Endpoint, HttpClient, TlsSettings};
use std::collections::BTreeMap;

/// A trade as both sides can tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueTrade {
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Fee in its asset.
    pub fee: Money,
}

/// The account as its owner sees it over REST.
pub struct VenueAccount {
    client: HttpClient,
    key: Ed25519KeyPair,
    api_key: String,
}

impl VenueAccount {
    /// With the key of the simulator's account.
    pub fn open(sim: &SimProcess) -> Self {
        let pem = std::fs::read_to_string(sim.keys.join("key.pem")).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).unwrap()).unwrap();
        let (host, port) = sim.address.rsplit_once(':').unwrap();
        let ca = std::fs::read_to_string(sim.keys.join("ca.pem")).unwrap();
        let tls = TlsSettings::from_ca_pem(&ca).unwrap();
        let endpoint = Endpoint { host: host.into(), port: port.parse().unwrap(), address: None, tls };
        Self { client: HttpClient::connect(&endpoint).unwrap(), key, api_key: sim.api_key.clone() }
    }

    /// What the venue answers to a question without a signature.
    pub fn get(&mut self, path: &str) -> Value {
        let (mut is_asked, mut answer) = (false, None);
        wait_until(path, || {
            let headers = [("X-MBX-APIKEY", self.api_key.as_str())];
            is_asked = is_asked || self.client.get(path, &headers).is_ok();
            answer = self.client.poll().unwrap();
            answer.is_some()
        });
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn signed(&mut self, path: &str, query: &str) -> Value {
        let now = self.get("/api/v3/time")["serverTime"].as_u64().unwrap();
        let query = format!("{query}&recvWindow=60000&timestamp={now}");
        let signature = STANDARD.encode(self.key.sign(query.as_bytes()).as_ref());
        let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        self.get(&format!("{path}?{query}&signature={signature}"))
    }

    /// Its working orders: our id and the kind of each.
    pub fn open_orders(&mut self) -> Vec<(String, String)> {
        let rows = self.signed("/api/v3/openOrders", "symbol=BTCUSDT");
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = rows.as_array().unwrap();
        rows.iter().map(|row| (text(row, "clientOrderId"), text(row, "type"))).collect()
    }

    /// All trades of the account, by number.
    pub fn trades(&mut self) -> BTreeMap<u64, VenueTrade> {
        let mut trades = BTreeMap::new();
        let mut from = 0;
        loop {
            let rows = self.signed("/api/v3/myTrades", &format!("symbol=BTCUSDT&fromId={from}&limit=1000"));
            let rows = rows.as_array().unwrap();
            let bytes = |row: &Value, key: &str| row[key].as_str().unwrap().as_bytes().to_vec();
            for row in rows {
                let trade = VenueTrade {
                    price: Price::parse(&bytes(row, "price")).unwrap(),
                    qty: Qty::parse(&bytes(row, "qty")).unwrap(),
                    fee: Money::parse(&bytes(row, "commission")).unwrap(),
                };
                from = row["id"].as_u64().unwrap() + 1;
                assert_eq!(trades.insert(from - 1, trade), None, "listed twice");
            }
            if rows.len() < 1_000 {
                return trades;
            }
        }
    }
}
