//! One cold request: its parameters once as JSON and once as the text that is signed.
//!
//! Both are written from the same values, so what is signed is what is sent. Buffers are kept between requests. The hot
//! requests (`order.place`, `order.cancel`) are templates instead, see `template`.

use crate::sign::Signer;
use std::fmt::{Display, Write as _};

/// Who asks.
pub(super) struct Keys {
    /// The account's key.
    pub api_key: String,
    /// Its private half.
    pub signer: Signer,
}

/// The parameters of one request, in any order.
pub(super) struct Form {
    params: Vec<Param>,
    values: String,
    out: String,
    signed: String,
}

#[derive(Clone, Copy)]
struct Param {
    name: &'static str,
    /// Place of its value in `values`.
    start: usize,
    end: usize,
    is_text: bool,
}

impl Form {
    pub fn new() -> Self {
        let text = || String::with_capacity(2_048);
        Self { params: Vec::with_capacity(32), values: text(), out: text(), signed: text() }
    }

    /// Forgets the request before.
    pub fn begin(&mut self) {
        self.params.clear();
        self.values.clear();
    }

    /// A parameter that is text in JSON. Values hold no quote, backslash or control character.
    pub fn text(&mut self, name: &'static str, value: impl Display) {
        self.push(name, value, true);
    }

    /// A parameter that is a number or truth in JSON.
    pub fn plain(&mut self, name: &'static str, value: impl Display) {
        self.push(name, value, false);
    }

    fn push(&mut self, name: &'static str, value: impl Display, is_text: bool) {
        let start = self.values.len();
        // Writing to a String cannot fail.
        let _ = write!(self.values, "{value}");
        self.params.push(Param { name, start, end: self.values.len(), is_text });
    }

    /// A frame of the WebSocket API. Signed where `keys` are given: names sorted, bytes as they are.
    pub fn frame(&mut self, id: u64, method: &str, keys: Option<&Keys>) -> &[u8] {
        if let Some(keys) = keys {
            self.text("apiKey", &keys.api_key);
            self.params.sort_unstable_by_key(|param| param.name);
            self.sign_text(|text, value| text.push_str(value));
            let signature = keys.signer.sign(self.signed.as_bytes());
            self.text("signature", signature);
        }
        self.out.clear();
        let _ = write!(self.out, "{{\"id\":{id},\"method\":\"{method}\",\"params\":{{");
        for (at, param) in self.params.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let quote = if param.is_text { "\"" } else { "" };
            let value = self.values.get(param.start..param.end).unwrap_or_default();
            let _ = write!(self.out, "{comma}\"{}\":{quote}{value}{quote}", param.name);
        }
        self.out.push_str("}}");
        self.out.as_bytes()
    }

    /// A query string for REST: values percent-encoded, and signed so where `keys` are given.
    pub fn query(&mut self, keys: Option<&Keys>) -> &str {
        self.sign_text(percent);
        if let Some(keys) = keys {
            let signature = keys.signer.sign(self.signed.as_bytes());
            self.signed.push_str("&signature=");
            percent(&mut self.signed, signature.as_str());
        }
        &self.signed
    }

    fn sign_text(&mut self, write: impl Fn(&mut String, &str)) {
        self.signed.clear();
        for (at, param) in self.params.iter().enumerate() {
            if at > 0 {
                self.signed.push('&');
            }
            self.signed.push_str(param.name);
            self.signed.push('=');
            write(&mut self.signed, self.values.get(param.start..param.end).unwrap_or_default());
        }
    }
}

/// Everything but letters, digits and `-_.~` as `%XX`.
fn percent(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Secret;
    use crate::testing::{lines, shared};
    use serde_json::Value;

    /// A parameter's name and text, held for as long as the test runs.
    fn fill(form: &mut Form, params: impl IntoIterator<Item = (String, Value)>) {
        form.begin();
        for (name, value) in params {
            let name: &'static str = name.leak();
            match value {
                Value::String(text) => form.text(name, text),
                other => form.plain(name, other),
            }
        }
    }

    fn keys(alg: &str) -> Option<Keys> {
        let all: Value = serde_json::from_str(&shared("data/binance/requests/credentials.json")?).unwrap();
        let name = match alg {
            "hmac" => "hmac_secret",
            "rsa" => "rsa_private_key_pem",
            _ => "ed25519_private_key_pem",
        };
        let secret = Secret::new(all[name]["value"].as_str().unwrap());
        Some(Keys { api_key: String::new(), signer: Signer::new(&secret).unwrap() })
    }

    #[test]
    fn frames_equal_those_of_other_clients_field_by_field() {
        let mut checked = 0;
        for line in lines("data/binance/requests/ws_api.jsonl") {
            let line: Value = serde_json::from_str(&line).unwrap();
            let theirs: Value = serde_json::from_str(line["raw"].as_str().unwrap()).unwrap();
            let mut keys = line["alg"].as_str().map(|alg| keys(alg).unwrap());
            let Some(params) = theirs["params"].as_object() else { continue };
            if let Some(keys) = &mut keys {
                keys.api_key = params["apiKey"].as_str().unwrap().to_owned();
            }
            let mut form = Form::new();
            let is_added = |name: &str| keys.is_some() && matches!(name, "apiKey" | "signature");
            let own = params.iter().filter(|(name, _)| !is_added(name));
            fill(&mut form, own.map(|(name, value)| (name.clone(), value.clone())).collect::<Vec<_>>());
            let method = theirs["method"].as_str().unwrap();
            let ours: Value = serde_json::from_slice(form.frame(7, method, keys.as_ref())).unwrap();
            assert_eq!(ours["params"], theirs["params"], "{line}");
            assert_eq!(ours["method"], theirs["method"]);
            if let (Some(signed), true) = (line["signed_payload"].as_str(), keys.is_some()) {
                assert_eq!(form.signed, signed);
            }
            checked += 1;
        }
        println!("binance/requests, frames: {checked} equal with their signatures");
        assert!(checked == 0 || checked == 16, "{checked} frames");
    }

    #[test]
    fn queries_equal_those_of_other_clients_byte_for_byte() {
        let mut checked = 0;
        for line in lines("data/binance/requests/http.jsonl") {
            let line: Value = serde_json::from_str(&line).unwrap();
            let query = match (line["query"].as_str(), line["body"].as_str()) {
                (Some(query), None | Some("")) | (None | Some(""), Some(query)) if !query.is_empty() => query,
                _ => continue,
            };
            // A client may encode otherwise what needs no encoding; only plain ones are ours to repeat.
            let is_plain = |pair: &str| pair.starts_with("signature=") || !pair.contains('%');
            if line["signature"].as_str().is_none() || !query.split('&').all(is_plain) {
                continue;
            }
            let mut form = Form::new();
            let own = query.split('&').filter(|pair| !pair.starts_with("signature="));
            let own = own.map(|pair| pair.split_once('=').unwrap());
            fill(
                &mut form,
                own.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<Vec<_>>(),
            );
            assert_eq!(form.query(keys(line["alg"].as_str().unwrap()).as_ref()), query, "{}", line["id"]);
            checked += 1;
        }
        assert!(checked == 0 || checked >= 20, "{checked} requests");
    }

    #[test]
    fn symbols_beyond_ascii_are_signed_raw_in_frames_and_encoded_in_queries() {
        let mut form = Form::new();
        form.begin();
        form.text("symbol", "币安人生USDT");
        let Some(keys) = keys("hmac") else { return };
        form.frame(1, "order.status", Some(&keys));
        assert_eq!(form.signed, "apiKey=&symbol=币安人生USDT");
        form.begin();
        form.text("symbol", "é+");
        assert_eq!(form.query(None), "symbol=%C3%A9%2B");
    }
}
