//! What the integration tests share: keys, a client over TLS, a reader of the conformance corpus.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod desk;
pub mod oanda;
pub mod usdm;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use smc_core::words::SCALE;
use smc_core::{Qty, TsNs};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::{Message, WebSocket};
use venue_sim::market::RandomWalk;
use venue_sim::{AccountSettings, Credential, SimSettings};

pub const API_KEY: &str = "testKey0000000000000000000000000000000000000000000000000000000001";
pub const START: TsNs = TsNs(1_700_000_000_000_000_000);

pub struct Key(Ed25519KeyPair);

impl Key {
    pub fn generate() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    pub fn sign(&self, payload: &str) -> String {
        STANDARD.encode(self.0.sign(payload.as_bytes()).as_ref())
    }
}

pub fn account(key: &Key) -> AccountSettings {
    let balances = [("BTC", Qty(2 * SCALE)), ("USDT", Qty(100_000 * SCALE))];
    AccountSettings::new(API_KEY, Credential::Ed25519(key.public()), &balances)
}

pub fn settings(key: &Key, steps: u64) -> SimSettings {
    SimSettings::new(Box::new(RandomWalk::new(7, START, steps)), vec![account(key)])
}

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

pub fn connect_tls(address: SocketAddr, ca_pem: &str) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), tcp)
}

pub struct Client(pub WebSocket<Tls>);

impl Client {
    pub fn connect(address: SocketAddr, ca_pem: &str, path: &str) -> Self {
        let tls = connect_tls(address, ca_pem);
        let (socket, _) = tungstenite::client(format!("wss://localhost{path}"), tls).unwrap();
        Self(socket)
    }

    pub fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).unwrap();
    }

    pub fn receive(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.read().unwrap() {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    }

    /// Reads until a message that `wanted` accepts.
    pub fn receive_until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.receive();
            if wanted(&message) {
                return message;
            }
        }
    }

    pub fn ask(&mut self, text: &str) -> Value {
        let id = serde_json::from_str::<Value>(text).unwrap()["id"].clone();
        self.send(text);
        self.receive_until(|message| message.get("id") == Some(&id))
    }
}

/// One GET request on a connection of its own: status and body.
pub fn get(address: SocketAddr, ca_pem: &str, target: &str) -> (u16, Value) {
    let mut tls = connect_tls(address, ca_pem);
    write!(tls, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The server closes the socket without a TLS farewell, as many do.
    let _ = tls.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

/// The conformance corpus, in the first ancestor directory that has it.
pub fn corpus(file: &str) -> Option<String> {
    shared(&format!("binance/{file}"))
}

/// A file of the shared data, in the first ancestor directory that has it.
pub fn shared(file: &str) -> Option<String> {
    let mut dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    loop {
        let path = dir.join("shared/data").join(file);
        if let Ok(text) = std::fs::read_to_string(&path) {
            return Some(text);
        }
        if !dir.pop() {
            println!("skipped: {file} absent");
            return None;
        }
    }
}
