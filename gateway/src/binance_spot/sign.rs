//! Ed25519 signatures of WebSocket API requests: the payload's text and the key that signs it.
//!
//! Runs at start-up and once per connection (`session.logon`); no order is ever signed by itself, because a
//! logged-on session needs no signature. Never prints, copies or stores the key's text.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// An account's private key, ready to sign.
pub struct Signer {
    key: Ed25519KeyPair,
}

/// Bytes of a signature in base64.
pub const SIGNATURE_TEXT_LEN: usize = 88;

/// Why a key was refused. None of the messages repeats a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The text holds no `-----BEGIN PRIVATE KEY-----` block.
    NoPrivateKeyBlock,
    /// The block is encrypted, or of another kind than unencrypted PKCS#8.
    WrongBlock,
    /// The block's inside is not base64.
    NotBase64,
    /// Not an Ed25519 key in PKCS#8; only those can log a session on.
    NotEd25519,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPrivateKeyBlock => "no `-----BEGIN PRIVATE KEY-----` block in the key text",
            Self::WrongBlock => "the key must be an unencrypted PKCS#8 `PRIVATE KEY` block",
            Self::NotBase64 => "the key block is damaged: not base64",
            Self::NotEd25519 => "not an Ed25519 key in PKCS#8 form (session.logon takes no other kind)",
        })
    }
}

impl std::error::Error for KeyError {}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// From the PEM text that `openssl genpkey -algorithm ed25519` makes.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_der(&der_of_pem(text)?)
    }

    /// From PKCS#8 DER, with or without the public half.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
            .map(|key| Self { key })
            .map_err(|_| KeyError::NotEd25519)
    }

    /// Signs `payload`; base64, as the venue wants it.
    pub fn sign(&self, payload: &[u8]) -> [u8; SIGNATURE_TEXT_LEN] {
        let mut text = [0u8; SIGNATURE_TEXT_LEN];
        let signature = self.key.sign(payload);
        let written = STANDARD.encode_slice(signature.as_ref(), &mut text);
        assert_eq!(written, Ok(SIGNATURE_TEXT_LEN), "64 bytes are 88 base64 digits");
        text
    }
}

/// The inside of an unencrypted PKCS#8 block.
pub(crate) fn der_of_pem(text: &str) -> Result<Vec<u8>, KeyError> {
    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
    const END: &str = "-----END PRIVATE KEY-----";
    let Some((_, rest)) = text.split_once(BEGIN) else {
        let is_other_key = text.contains("PRIVATE KEY-----");
        return Err(if is_other_key { KeyError::WrongBlock } else { KeyError::NoPrivateKeyBlock });
    };
    let (body, _) = rest.split_once(END).ok_or(KeyError::NoPrivateKeyBlock)?;
    let packed: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| KeyError::NotBase64)
}

/// What a WebSocket API request signs: all parameters but `signature`, sorted by name, `k=v` joined by `&`, as
/// UTF-8 without percent-encoding (venue specification, "SIGNED request example").
pub fn payload(params: &[(&str, &str)]) -> String {
    let mut sorted: Vec<_> = params.iter().filter(|(name, _)| *name != "signature").collect();
    sorted.sort_unstable();
    let mut text = String::new();
    for (name, value) in sorted {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance_spot::testing::{lines, shared};
    use serde_json::Value;

    fn text_of(value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    #[test]
    fn published_ed25519_vectors_agree() {
        let Some(text) = shared("data/binance/signing/vectors.json") else { return };
        let all: Value = serde_json::from_str(&text).unwrap();
        let mut checked = 0;
        for vector in all["vectors"].as_array().unwrap() {
            if vector["alg"] != "Ed25519" {
                continue;
            }
            let signer = Signer::from_pem(vector["privateKeyPem"].as_str().unwrap()).unwrap();
            let signature = signer.sign(vector["payload"].as_str().unwrap().as_bytes());
            assert_eq!(std::str::from_utf8(&signature).unwrap(), vector["signature"], "{}", vector["id"]);
            checked += 1;
        }
        assert!(checked >= 4, "only {checked} Ed25519 vectors found");
    }

    #[test]
    fn payloads_are_sorted_and_not_encoded() {
        let Some(text) = shared("data/binance/signing/vectors.json") else { return };
        let all: Value = serde_json::from_str(&text).unwrap();
        let mut cases: Vec<(Value, String)> = all["vectors"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|v| v["transport"] == "ws-api" && v["params"].is_object())
            .map(|v| (v["params"].clone(), text_of(&v["payload"])))
            .collect();
        for line in lines("data/binance/requests/ws_api.jsonl") {
            let outer: Value = serde_json::from_str(&line).unwrap();
            let Some(signed) = outer["signed_payload"].as_str() else { continue };
            let raw: Value = serde_json::from_str(outer["raw"].as_str().unwrap()).unwrap();
            cases.push((raw["params"].clone(), signed.to_owned()));
        }
        assert!(cases.len() >= 10, "only {} payloads found", cases.len());
        for (params, expected) in cases {
            let params: Vec<(String, String)> =
                params.as_object().unwrap().iter().map(|(k, v)| (k.clone(), text_of(v))).collect();
            // Reversed, so that the order found in the file cannot help.
            let params: Vec<(&str, &str)> =
                params.iter().rev().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(payload(&params), expected);
        }
    }

    #[test]
    fn keys_that_cannot_log_on_are_refused_by_name() {
        let refused = |text: &str| Signer::from_pem(text).unwrap_err();
        assert_eq!(refused(""), KeyError::NoPrivateKeyBlock);
        assert_eq!(refused("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMC4C"), KeyError::WrongBlock);
        let wrap = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        assert_eq!(refused(&wrap("%%%")), KeyError::NotBase64);
        assert_eq!(refused(&wrap("MC4CAQAwBQYDK2VuBCIEIIJEYWtG")), KeyError::NotEd25519);
        let Some(text) = shared("data/binance/requests/credentials.json") else { return };
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(refused(all["rsa_private_key_pem"]["value"].as_str().unwrap()), KeyError::NotEd25519);
    }
}
