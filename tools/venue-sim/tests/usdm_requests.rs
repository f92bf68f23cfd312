//! Requests that programs of others made for futures, byte for byte, and the venue's own signing vectors: the simulator
//! must understand and believe them.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::corpus;
use serde_json::{Value, json};
use smc_core::words::SCALE;
use smc_core::{Qty, TsNs};
use venue_sim::dialect::binance_spot::auth::Keys;
use venue_sim::dialect::{Dialect, Frame, HttpRequest, UsdmVenue};
use venue_sim::market::RandomWalk;
use venue_sim::{AccountSettings, Credential, LimitSettings};

/// Refusals that mean the venue did not understand or did not believe the request.
fn is_misunderstood(code: i64) -> bool {
    (-1199..=-1000).contains(&code) && code != -1121 && code != -1125 || code == -2014 || code == -2015
}

fn der(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(text).unwrap()
}

fn credential(alg: &str, credentials: &Value) -> Credential {
    let value = |name: &str| credentials[name]["value"].as_str().unwrap();
    match alg {
        "rsa" => {
            let pair = RsaKeyPair::from_pkcs8(&der(value("rsa_private_key_pem"))).unwrap();
            Credential::Rsa(pair.public_key().as_ref().to_vec())
        }
        "ed25519" => {
            let pair =
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der(value("ed25519_private_key_pem"))).unwrap();
            Credential::Ed25519(pair.public_key().as_ref().try_into().unwrap())
        }
        _ => Credential::Hmac(value("hmac_secret").to_owned()),
    }
}

fn venue(credential: Credential, credentials: &Value, at_ms: u64) -> UsdmVenue {
    let api_key = credentials["apiKey"].as_str().unwrap();
    let account = AccountSettings::new(api_key, credential, &[("USDT", Qty(1_000_000 * SCALE))]);
    let market = Box::new(RandomWalk::new(1, TsNs::from_ms(at_ms), 10));
    UsdmVenue::new(market, &[account], LimitSettings::binance_usdm(), 1).unwrap()
}

#[test]
fn http_requests_of_other_clients_are_understood() {
    let (Some(credentials), Some(lines)) =
        (corpus("requests/credentials.json"), corpus("requests/http.jsonl"))
    else {
        return;
    };
    let credentials: Value = serde_json::from_str(&credentials).unwrap();
    let mut understood = std::collections::BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
        if text("market") != "usdm" {
            continue;
        }
        let headers = line["headers"].as_object().unwrap();
        let request = HttpRequest {
            method: text("method"),
            target: format!("{}?{}", text("path"), text("query")),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned()))
                .collect(),
            body: text("body"),
        };
        let mut venue = venue(credential(&text("alg"), &credentials), &credentials, 1_700_000_000_123);
        venue.on_http(1, &request);
        let Some((1, Frame::Http(answer))) = venue.pop_frame() else { panic!("no answer") };
        let answer = String::from_utf8(answer).unwrap();
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let code = body.get("code").and_then(Value::as_i64).unwrap_or(0);
        assert!(!is_misunderstood(code) && code != -5000, "{}: {answer}", text("id"));
        *understood.entry(text("alg")).or_insert(0) += 1;
    }
    println!("understood {understood:?}");
    assert!(understood["rsa"] >= 1 && understood["ed25519"] >= 2 && understood["hmac"] >= 20);
}

#[test]
fn websocket_requests_of_other_clients_are_understood() {
    let (Some(credentials), Some(lines)) =
        (corpus("requests/credentials.json"), corpus("requests/ws_api.jsonl"))
    else {
        return;
    };
    let credentials: Value = serde_json::from_str(&credentials).unwrap();
    let mut understood = 0;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap_or("").to_owned();
        if !text("session").contains("usdm") {
            continue;
        }
        let request: Value = serde_json::from_str(&text("raw")).unwrap();
        let at = request["params"]["timestamp"].as_u64().unwrap_or(1_700_000_000_000);
        let mut venue = venue(credential(&text("alg"), &credentials), &credentials, at);
        assert!(venue.open(1, &text("connect_path")).is_some());
        venue.on_text(1, &text("raw"));
        let Some((1, Frame::Text(answer))) = venue.pop_frame() else { panic!("no answer") };
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["id"], request["id"]);
        let code = answer["error"]["code"].as_i64().unwrap_or(0);
        assert!(!is_misunderstood(code), "{answer}\n{request}");
        understood += 1;
    }
    println!("understood {understood}");
    assert!(understood >= 5, "{understood}");
}

/// A signature is believed as it was made, and not over any other text.
#[test]
fn signatures_of_all_three_kinds_are_checked() {
    let pkcs8 = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let random = aws_lc_rs::rand::SystemRandom::new();
    let payload = "symbol=BTCUSDT&side=BUY&timestamp=1591702613943";
    let mut signature = vec![0; pkcs8.public_modulus_len()];
    let padding = &aws_lc_rs::signature::RSA_PKCS1_SHA256;
    pkcs8.sign(padding, &random, payload.as_bytes(), &mut signature).unwrap();
    let rsa = Credential::Rsa(pkcs8.public_key().as_ref().to_vec());
    let secret = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
    let accounts = [rsa, Credential::Hmac(secret.to_owned())]
        .map(|credential| AccountSettings::new("key", credential, &[]));
    let keys = Keys::new(&accounts);
    assert!(keys.verify(0, payload, &STANDARD.encode(&signature)).is_ok());
    assert!(keys.verify(0, &payload.replace('4', "5"), &STANDARD.encode(&signature)).is_err());
    assert!(keys.verify(0, payload, "AAAA").is_err() && !keys.may_log_on(0) && !keys.may_log_on(1));
    // The venue's printed example.
    let payload = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
    let printed = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9";
    assert!(keys.verify(1, payload, printed).is_ok());
    assert!(keys.verify(1, payload, &printed.replace('3', "4")).is_err());
}

/// Every cut and every changed byte of a request gets an answer, and the venue goes on.
#[test]
fn damaged_requests_are_answered() {
    let credentials = json!({"apiKey": "key"});
    let mut venue = venue(Credential::Hmac("secret".to_owned()), &credentials, 1_700_000_000_000);
    assert!(venue.open(1, "/ws-fapi/v1").is_some() && venue.open(2, "/public/ws").is_some());
    let api = r#"{"id":"q","method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","price":"99.5","quantity":"1","timeInForce":"GTC","timestamp":1700000000000,"apiKey":"key","signature":"00"}}"#;
    let control = r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}"#;
    let query = "/fapi/v1/order?symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9&timeInForce=GTC&timestamp=1700000000000&signature=00";
    let mut answers = |conn: u64, text: &str| {
        match conn {
            3 => {
                let headers = vec![("x-mbx-apikey".to_owned(), "key".to_owned())];
                let (method, target) = ("POST".to_owned(), text.to_owned());
                venue.on_http(3, &HttpRequest { method, target, headers, ..HttpRequest::default() });
            }
            conn => venue.on_text(conn, text),
        }
        let mut count = 0;
        while venue.pop_frame().is_some() {
            count += 1;
        }
        assert!(count > 0, "no answer to {text}");
    };
    for (conn, text) in [(1, api), (2, control), (3, query)] {
        for at in 0..text.len() {
            answers(conn, &text[..at]);
            for byte in [b'"', b'\0', b'9', b'{', b'%', b'z'] {
                let mut damaged = text.as_bytes().to_vec();
                damaged[at] = byte;
                answers(conn, std::str::from_utf8(&damaged).unwrap());
            }
        }
    }
}
