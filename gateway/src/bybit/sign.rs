//! Signatures of REST requests and of the log-on to the private and trade sockets: HMAC-SHA256 or RSA-SHA256.
//!
//! The key's state is computed once. No order over the trade socket is ever signed by itself: a session that has logged
//! on needs no signature. Never prints or stores the secret's text.

use crate::sign::{self, KeyError, KeyKind, Secret};

/// An account's secret, ready to sign.
#[derive(Debug)]
pub struct Signer(sign::Signer);

impl Signer {
    /// From the secret's text (HMAC), or from the PEM text of an RSA key.
    pub fn new(secret: &Secret) -> Result<Self, KeyError> {
        let signer = sign::Signer::new(secret)?;
        match signer.kind() {
            KeyKind::Ed25519 => Err(KeyError::Ed25519),
            KeyKind::Hmac | KeyKind::Rsa => Ok(Self(signer)),
        }
    }

    /// Signs `text`: lower-case hexadecimal of an HMAC, base64 of an RSA signature.
    pub fn sign(&self, text: &[u8]) -> String {
        self.0.sign(text).as_str().to_owned()
    }

    /// The signature of a REST request. `payload` is the query as sent, or the body as sent.
    pub fn rest(&self, time_ms: u64, api_key: &str, recv_window_ms: u32, payload: &str) -> String {
        self.sign(to_sign(time_ms, api_key, recv_window_ms, payload).as_bytes())
    }

    /// The signature that logs a socket on.
    pub fn log_on(&self, expires_ms: u64) -> String {
        self.sign(format!("GET/realtime{expires_ms}").as_bytes())
    }
}

/// What is signed of a REST request.
fn to_sign(time_ms: u64, api_key: &str, recv_window_ms: u32, payload: &str) -> String {
    format!("{time_ms}{api_key}{recv_window_ms}{payload}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{lines, shared};
    use serde_json::Value;

    fn text(value: &Value) -> &str {
        value.as_str().unwrap()
    }

    #[test]
    fn every_published_vector_agrees_byte_for_byte() {
        let Some(file) = shared("data/bybit/sign_vectors.json") else { return };
        let all: Value = serde_json::from_str(&file).unwrap();
        for vector in all["hmac_rest"].as_array().unwrap() {
            let signer = Signer::new(&Secret::new(text(&vector["api_secret"]))).unwrap();
            let time = text(&vector["timestamp"]).parse().unwrap();
            let window = text(&vector["recv_window"]).parse().unwrap();
            let sign = signer.rest(time, text(&vector["api_key"]), window, text(&vector["payload"]));
            assert_eq!(sign, vector["sign"], "{}", vector["origin"]);
        }
        for vector in all["hmac_ws_auth"].as_array().unwrap() {
            let signer = Signer::new(&Secret::new(text(&vector["api_secret"]))).unwrap();
            assert_eq!(signer.log_on(vector["expires"].as_u64().unwrap()), vector["sign"]);
        }
        let rsa = &all["rsa_sha256_pkcs1v15"];
        let pem: Vec<&str> = rsa["private_key_pem_lines"].as_array().unwrap().iter().map(text).collect();
        let signer = Signer::new(&Secret::new(&pem.join("\n"))).unwrap();
        for case in rsa["cases"].as_array().unwrap() {
            assert_eq!(signer.sign(text(&case["string_to_sign"]).as_bytes()), case["sign_base64"]);
        }
        // The documents print neither key nor secret: what is signed can be compared, the signature cannot.
        for example in all["docs_examples_without_secret"].as_array().unwrap() {
            let string = text(&example["string_to_sign"]);
            let (time, payload) = (string[..13].parse().unwrap(), &string[27..]);
            assert_eq!(to_sign(time, "XXXXXXXXXX", 5_000, payload), string);
        }
        let lists =
            [&all["hmac_rest"], &all["hmac_ws_auth"], &rsa["cases"], &all["docs_examples_without_secret"]];
        let counts = lists.map(|list| list.as_array().unwrap().len());
        println!("bybit/sign_vectors: equal: REST, log-on, RSA, without secret {counts:?}");
        assert_eq!(counts, [5, 2, 2, 2]);
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
            let signer = Signer::new(&Secret::new(text(&vector["secret"]))).unwrap();
            let time = text(&headers["X-BAPI-TIMESTAMP"]).parse().unwrap();
            let window = text(&headers["X-BAPI-RECV-WINDOW"]).parse().unwrap();
            let ours = signer.rest(time, text(&headers["X-BAPI-API-KEY"]), window, payload);
            assert_eq!(ours, sign, "{}", vector["id"]);
            signed += 1;
        }
        println!("bybit/request_vectors: {signed} signatures equal");
        assert!(signed == 0 || signed == 46, "{signed}");
    }

    #[test]
    fn a_key_that_the_venue_does_not_take_is_refused_by_name() {
        assert_eq!(Signer::new(&Secret::new(crate::testing::PEM)).unwrap_err(), KeyError::Ed25519);
    }
}
