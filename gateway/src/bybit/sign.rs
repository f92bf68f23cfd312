//! Signatures of REST requests and of the log-on to the private and trade sockets: HMAC-SHA256 or RSA-SHA256.
//!
//! The key's state is computed once. No order over the trade socket is ever signed by itself: a session that has logged
//! on needs no signature. Never prints or stores the secret's text.

use crate::binance_spot::sign::{KeyError as PemError, der_of_pem};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Write as _};

/// An account's secret, ready to sign.
pub struct Signer(Kind);

enum Kind {
    Hmac(Box<hmac::Key>),
    Rsa(Box<RsaKeyPair>),
}

/// Why a secret was refused. None of the messages repeats a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Nothing at all.
    Empty,
    /// A PEM block that cannot be read.
    Pem(PemError),
    /// Not an RSA key of at least 2048 bits in PKCS#8 form.
    NotRsa,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the secret is empty"),
            Self::Pem(error) => write!(f, "{error}"),
            Self::NotRsa => f.write_str("not an RSA key of at least 2048 bits in PKCS#8 form"),
        }
    }
}

impl std::error::Error for KeyError {}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// From the secret's text (HMAC), or from the PEM text of an RSA key.
    pub fn new(secret: &str) -> Result<Self, KeyError> {
        if secret.contains("-----BEGIN") {
            let der = der_of_pem(secret).map_err(KeyError::Pem)?;
            let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyError::NotRsa)?;
            return Ok(Self(Kind::Rsa(Box::new(key))));
        }
        match secret.trim() {
            "" => Err(KeyError::Empty),
            secret => Ok(Self(Kind::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))))),
        }
    }

    /// Signs `text`: lower-case hexadecimal of an HMAC, base64 of an RSA signature. Empty when RSA fails, which the
    /// venue refuses by name.
    pub fn sign(&self, text: &[u8]) -> String {
        match &self.0 {
            Kind::Hmac(key) => {
                let tag = hmac::sign(key, text);
                let mut hex = String::with_capacity(64);
                for byte in tag.as_ref() {
                    let _ = write!(hex, "{byte:02x}");
                }
                hex
            }
            Kind::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                match key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature) {
                    Ok(()) => STANDARD.encode(signature),
                    Err(_) => String::new(),
                }
            }
        }
    }

    /// The signature of a REST request. `payload` is the query as sent, or the body as sent.
    pub fn rest(&self, time_ms: u64, api_key: &str, recv_window_ms: u32, payload: &str) -> String {
        self.sign(format!("{time_ms}{api_key}{recv_window_ms}{payload}").as_bytes())
    }

    /// The signature that logs a socket on.
    pub fn log_on(&self, expires_ms: u64) -> String {
        self.sign(format!("GET/realtime{expires_ms}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance_spot::testing::{lines, shared};
    use serde_json::Value;

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn every_published_vector_agrees_byte_for_byte() {
        let Some(file) = shared("data/bybit/sign_vectors.json") else { return };
        let all: Value = serde_json::from_str(&file).unwrap();
        for vector in all["hmac_rest"].as_array().unwrap() {
            let signer = Signer::new(text(&vector["api_secret"])).unwrap();
            let time = text(&vector["timestamp"]).parse().unwrap();
            let window = text(&vector["recv_window"]).parse().unwrap();
            let sign = signer.rest(time, text(&vector["api_key"]), window, text(&vector["payload"]));
            assert_eq!(sign, vector["sign"], "{}", vector["origin"]);
        }
        for vector in all["hmac_ws_auth"].as_array().unwrap() {
            let signer = Signer::new(text(&vector["api_secret"])).unwrap();
            assert_eq!(signer.log_on(vector["expires"].as_u64().unwrap()), vector["sign"]);
        }
        let rsa = &all["rsa_sha256_pkcs1v15"];
        let pem: Vec<&str> = rsa["private_key_pem_lines"].as_array().unwrap().iter().map(text).collect();
        let signer = Signer::new(&pem.join("\n")).unwrap();
        for case in rsa["cases"].as_array().unwrap() {
            assert_eq!(signer.sign(text(&case["string_to_sign"]).as_bytes()), case["sign_base64"]);
        }
    }

    /// What two independent clients really sent: the signature over their exact text is ours as well.
    #[test]
    fn every_signed_request_of_other_clients_is_signed_alike() {
        let mut signed = 0;
        for line in lines("data/bybit/request_vectors.jsonl") {
            let vector: Value = serde_json::from_str(&line).unwrap();
            let headers = &vector["headers"];
            let Some(sign) = headers["X-BAPI-SIGN"].as_str() else { continue };
            let payload = vector["body"].as_str().or(vector["query"].as_str()).unwrap_or_default();
            let signer = Signer::new(text(&vector["secret"])).unwrap();
            let time = text(&headers["X-BAPI-TIMESTAMP"]).parse().unwrap();
            let window = text(&headers["X-BAPI-RECV-WINDOW"]).parse().unwrap();
            let ours = signer.rest(time, text(&headers["X-BAPI-API-KEY"]), window, payload);
            assert_eq!(ours, sign, "{}", vector["id"]);
            signed += 1;
        }
        println!("{signed} signatures");
    }

    #[test]
    fn secrets_that_cannot_sign_are_refused_by_name() {
        assert_eq!(Signer::new("  ").unwrap_err(), KeyError::Empty);
        let ed25519 = Signer::new(crate::binance_spot::testing::PEM).unwrap_err();
        assert_eq!(ed25519, KeyError::NotRsa);
        let broken = "-----BEGIN PRIVATE KEY-----\n%%%\n-----END PRIVATE KEY-----\n";
        assert_eq!(Signer::new(broken).unwrap_err(), KeyError::Pem(PemError::NotBase64));
    }
}
