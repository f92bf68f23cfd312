//! Parameters of a request, written once for both interfaces: as JSON members, and as the text that is signed.
//!
//! The caller names parameters in the order of their bytes, which is the order that the WebSocket API signs and one of
//! those that REST takes. Two kept buffers, no formatting, no allocation once they have grown.

use crate::digits::{push_decimal, push_digits};
use crate::sign::Signer;

/// The buffers of one writer.
pub(super) struct Params {
    /// `{"id":…,"method":"…","params":{…`; unused for REST.
    json: Vec<u8>,
    /// `name=value&…`.
    text: Vec<u8>,
    /// Nothing was written yet.
    is_first: bool,
}

/// Room for the longest request and its signature.
const ROOM: usize = 2_048;

impl Params {
    pub fn new() -> Self {
        Self { json: Vec::with_capacity(ROOM), text: Vec::with_capacity(ROOM), is_first: true }
    }

    /// Starts a request of the WebSocket API, or, with an empty method, one of REST.
    pub fn begin(&mut self, id: u64, method: &str) {
        self.json.clear();
        self.text.clear();
        self.is_first = true;
        self.json.extend_from_slice(b"{\"id\":");
        push_digits(&mut self.json, id, 1);
        self.json.extend_from_slice(b",\"method\":\"");
        self.json.extend_from_slice(method.as_bytes());
        self.json.extend_from_slice(b"\",\"params\":{");
    }

    fn name(&mut self, name: &str) {
        if !self.is_first {
            self.json.push(b',');
            self.text.push(b'&');
        }
        self.is_first = false;
        self.json.push(b'"');
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(b'=');
    }

    /// A text of plain characters: ids, symbols, the venue's words.
    pub fn text(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.json.push(b'"');
        self.json.extend_from_slice(value);
        self.json.push(b'"');
        self.text.extend_from_slice(value);
    }

    /// A whole number.
    pub fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        push_digits(&mut self.json, value, 1);
        push_digits(&mut self.text, value, 1);
    }

    /// A positive decimal (1e-8 units) with exactly `decimals` decimals; none when it does not fit them or is not
    /// positive.
    pub fn decimal(&mut self, name: &str, value: i64, decimals: u32) -> Option<()> {
        self.name(name);
        self.json.push(b'"');
        push_decimal(&mut self.json, value, decimals)?;
        push_decimal(&mut self.text, value, decimals)?;
        self.json.push(b'"');
        Some(())
    }

    /// Ends a request of the WebSocket API, signed where there is no session.
    pub fn frame(&mut self, signer: Option<&Signer>) -> &[u8] {
        if let Some(signer) = signer {
            let signature = signer.sign(&self.text);
            self.json.extend_from_slice(b",\"signature\":\"");
            self.json.extend_from_slice(signature.as_str().as_bytes());
            self.json.push(b'"');
        }
        self.json.extend_from_slice(b"}}");
        &self.json
    }

    /// Ends a request of REST: its query with the signature last, percent-encoded.
    pub fn query(&self, signer: &Signer) -> String {
        let text = String::from_utf8_lossy(&self.text);
        let mut query = format!("{text}&signature=");
        for byte in signer.sign(&self.text).as_str().bytes() {
            match byte {
                b'+' => query.push_str("%2B"),
                b'/' => query.push_str("%2F"),
                b'=' => query.push_str("%3D"),
                plain => query.push(char::from(plain)),
            }
        }
        query
    }
}
