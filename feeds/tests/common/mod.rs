//! What the tests of this room share: where the data is, how its lines are read, seeded chance.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // Each test binary uses its part.

use std::io::Read;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use smc_core::words::{InstrumentId, Name};
use smc_feeds::binance_spot::FeedSettings;
use smc_net::{Endpoint, TlsSettings};

/// The shared data file, looked for beside each ancestor of this crate; none (and said so) where absent.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|ancestor| ancestor.join("shared").join(path))
        .find(|candidate| candidate.exists());
    if found.is_none() {
        println!("skipped: shared/{path} absent");
    }
    found
}

/// One line of a corpus.
pub struct Line {
    pub file: String,
    pub number: usize,
    pub class: String,
    pub raw: String,
}

/// All lines of `data/binance/spot/stream`.
pub fn stream_lines() -> Vec<Line> {
    let Some(folder) = shared("data/binance/spot/stream") else { return Vec::new() };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().flat_map(|file| lines_of(file)).collect()
}

pub fn lines_of(file: &Path) -> Vec<Line> {
    let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .enumerate()
        .map(|(at, line)| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            Line {
                file: name.clone(),
                number: at + 1,
                class: row["cls"].as_str().unwrap_or("capture").to_owned(),
                raw: row["raw"].as_str().unwrap().to_owned(),
            }
        })
        .collect()
}

/// The recorded capture: receive time and message of each line.
pub fn capture() -> Vec<(u64, Vec<u8>)> {
    let Some(path) = shared("data/market/binance/spot_btcusdt_20240809.gz") else { return Vec::new() };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines()
        .map(|line| {
            let (time, message) = line.split_once(' ').unwrap();
            (time.parse().unwrap(), message.as_bytes().to_vec())
        })
        .collect()
}

/// All symbols that the corpora speak of.
pub fn instruments() -> Vec<(InstrumentId, Name)> {
    ["BAZUSD", "BLZETH", "BNBBTC", "BNBUSDT", "BTCUSDT", "ETHUSDT", "LRCBTC", "NKNUSDT", "RUNEEUR"]
        .iter()
        .enumerate()
        .map(|(at, symbol)| (InstrumentId(at as u16), Name::new(symbol).unwrap()))
        .collect()
}

/// xorshift64: chance that can be repeated.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound.max(1)
    }

    /// One small damage, of the kinds networks, bugs and enemies make.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        const TEXTS: [&[u8]; 14] = [
            b"-",
            b"0",
            b".",
            b"e9",
            b"\"",
            b"\\u0041",
            b"NaN",
            b" ",
            b"\x00",
            b"\xff",
            b"9999999999",
            b"[",
            b"}",
            b"null",
        ];
        let at = self.below(bytes.len() + 1);
        match self.below(7) {
            0 if at < bytes.len() => bytes[at] = self.next() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => {
                let text = TEXTS[self.below(TEXTS.len())];
                bytes.splice(at..at, text.iter().copied());
            }
            5 if at < bytes.len() => {
                let end = (at + 1 + self.below(24)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            6 if at < bytes.len() => {
                let other = self.below(bytes.len());
                bytes.swap(at, other);
            }
            _ => bytes.push(self.next() as u8),
        }
    }
}

/// A certificate authority of our own.
pub fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Settings whose endpoints nobody answers at.
pub fn settings() -> FeedSettings {
    let tls = TlsSettings::from_ca_pem(&authority().pem()).unwrap();
    let nobody =
        Endpoint { host: "localhost".into(), port: 9, address: Some(([127, 0, 0, 1], 9).into()), tls };
    FeedSettings::new(nobody.clone(), nobody)
}
