//! Every published or recomputed signature, byte for byte, and keys that are none.

use super::*;
use crate::testing::{lines, shared};
use serde_json::Value;

fn key_of(vector: &Value) -> Signer {
    let text = vector["secretKey"].as_str().or(vector["privateKeyPem"].as_str()).unwrap();
    Signer::new(&Secret::new(text)).unwrap()
}

#[test]
fn every_vector_is_signed_byte_for_byte() {
    let Some(text) = shared("data/binance/signing/vectors.json") else { return };
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut kinds = Vec::new();
    for vector in all["vectors"].as_array().unwrap() {
        let signer = key_of(vector);
        let kind = match vector["alg"].as_str().unwrap() {
            "HMAC-SHA256" => KeyKind::Hmac,
            "Ed25519" => KeyKind::Ed25519,
            _ => KeyKind::Rsa,
        };
        assert_eq!(signer.kind(), kind, "{}", vector["id"]);
        let signature = signer.sign(vector["payload"].as_str().unwrap().as_bytes());
        assert_eq!(signature.as_str(), vector["signature"].as_str().unwrap(), "{}", vector["id"]);
        kinds.push(kind);
    }
    let count = |wanted| kinds.iter().filter(|&&kind| kind == wanted).count();
    let counts = [KeyKind::Hmac, KeyKind::Ed25519, KeyKind::Rsa].map(count);
    println!("binance/signing: {} vectors, equal: HMAC, Ed25519, RSA {counts:?}", kinds.len());
    assert_eq!(counts, [7, 6, 1]);
}

/// The clients' requests over HTTP: what each signed, and what came of it.
#[test]
fn every_signed_request_of_other_clients_is_signed_alike() {
    let Some(text) = shared("data/binance/requests/credentials.json") else { return };
    let all: Value = serde_json::from_str(&text).unwrap();
    let signer = |name: &str| Signer::new(&Secret::new(all[name]["value"].as_str().unwrap())).unwrap();
    let keys = [
        ("hmac", signer("hmac_secret")),
        ("ed25519", signer("ed25519_private_key_pem")),
        ("rsa", signer("rsa_private_key_pem")),
    ];
    let mut checked = 0;
    for line in lines("data/binance/requests/http.jsonl") {
        let request: Value = serde_json::from_str(&line).unwrap();
        let (Some(payload), Some(expected)) =
            (request["signed_payload"].as_str(), request["signature"].as_str())
        else {
            continue;
        };
        let (_, signer) = keys.iter().find(|(name, _)| request["alg"] == *name).unwrap();
        assert_eq!(signer.sign(payload.as_bytes()).as_str(), expected, "{}", request["id"]);
        checked += 1;
    }
    println!("binance/requests over HTTP: {checked} signatures equal");
    assert_eq!(checked, 51);
}

#[test]
fn what_is_no_key_is_refused_by_name() {
    let refused = |text: &str| Signer::new(&Secret::new(text)).unwrap_err();
    let wrap = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    assert_eq!(refused(""), KeyError::NoKey);
    assert_eq!(refused("too short"), KeyError::NoKey);
    assert_eq!(refused("a shared secret has no spaces in it"), KeyError::NoKey);
    assert_eq!(refused("-----BEGIN PUBLIC KEY-----\nMC4C"), KeyError::NoKey);
    assert_eq!(refused("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4C"), KeyError::WrongBlock);
    assert_eq!(refused("-----BEGIN PRIVATE KEY-----\nMC4C"), KeyError::WrongBlock);
    assert_eq!(refused(&wrap("%%%")), KeyError::NotBase64);
    assert_eq!(refused(&wrap("MC4CAQAwBQYDK2VuBCIEIIJEYWtG")), KeyError::UnknownKey);
}

#[test]
fn no_key_can_be_printed() {
    let secret = Secret::new("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j");
    let signer = Signer::new(&secret).unwrap();
    let shown = format!("{secret:?} {signer:?} {:?}", signer.sign(b"x"));
    assert_eq!(shown, "Secret(..) Signer(Hmac) Signature(..)");
}
