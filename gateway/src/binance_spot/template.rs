//! The hot requests, built once: constant places are patched, the rest is written behind them. No allocation.
//!
//! ```text
//! {"id":################,"method":"order.place","params":{"newClientOrderId":"#################",…
//!  …,"timestamp":#############,"type":"LIMIT" | ,"price":"52000.00","quantity":"0.01000"[,"signature":"…"]}}
//!                        fixed, patched in place | written anew for each order
//! ```
//!
//! What is signed is read from the request itself: each parameter's name and the place of its value, sorted once.

use super::settings::SendError;
use crate::digits::{fill_digits, push_decimal, push_digits};
use crate::requests::ID_DIGITS;
use crate::sign::Signer;
use smc_core::words::ClientOrderId;

const CLIENT_ID_DIGITS: usize = ClientOrderId::TEXT_LEN;
const TIME_DIGITS: usize = 13;
/// Bytes that may follow a template: three decimals of at most 21 digits with their names, and a signature.
const TAIL_MAX: usize = 160 + 720;

/// A request whose places of constant width are known.
pub(super) struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    client_id_at: usize,
    time_at: usize,
    /// Bytes from here on are written anew each time.
    tail_at: usize,
    /// Every parameter, sorted by name.
    params: Vec<Param>,
    /// What is signed.
    payload: Vec<u8>,
}

struct Param {
    name: &'static str,
    /// Place of its value, without quotes; empty while it is absent.
    start: usize,
    end: usize,
}

/// Parameters that are written anew each time.
const WRITTEN: [&str; 4] = ["orderId", "price", "quantity", "stopPrice"];

impl Template {
    /// `fixed` are the parameters that never change: name, value, whether it is text.
    pub fn new(method: &str, client_id_name: &'static str, fixed: &[(&'static str, &str, bool)]) -> Self {
        let mut bytes = Vec::with_capacity(1_536);
        let mut put = |text: &str, room: usize| {
            bytes.extend_from_slice(text.as_bytes());
            bytes.resize(bytes.len() + room, b'0');
            bytes.len() - room
        };
        let id_at = put("{\"id\":", ID_DIGITS);
        let head = format!(",\"method\":\"{method}\",\"params\":{{\"{client_id_name}\":\"");
        let client_id_at = put(&head, CLIENT_ID_DIGITS);
        let time_at = put("\",\"timestamp\":", TIME_DIGITS);
        let mut params: Vec<Param> = WRITTEN.iter().map(|&name| Param { name, start: 0, end: 0 }).collect();
        params.push(Param {
            name: client_id_name,
            start: client_id_at,
            end: client_id_at + CLIENT_ID_DIGITS,
        });
        params.push(Param { name: "timestamp", start: time_at, end: time_at + TIME_DIGITS });
        for &(name, value, is_text) in fixed {
            let quote = if is_text { "\"" } else { "" };
            let start = put(&format!(",\"{name}\":{quote}"), 0);
            let end = put(value, 0);
            put(quote, 0);
            params.push(Param { name, start, end });
        }
        params.sort_unstable_by_key(|param| param.name);
        let tail_at = bytes.len();
        bytes.reserve(TAIL_MAX);
        let payload = Vec::with_capacity(bytes.len() + TAIL_MAX);
        Self { bytes, id_at, client_id_at, time_at, tail_at, params, payload }
    }

    /// Begins a request.
    pub fn patch(&mut self, id: u64, time_ms: u64, order: ClientOrderId) -> Result<(), SendError> {
        self.bytes.truncate(self.tail_at);
        for param in &mut self.params {
            if param.start >= self.tail_at {
                (param.start, param.end) = (0, 0);
            }
        }
        fill_digits(self.bytes.get_mut(self.id_at..self.id_at + ID_DIGITS), id).ok_or(SendError::Full)?;
        let client_id = self.bytes.get_mut(self.client_id_at..self.client_id_at + CLIENT_ID_DIGITS);
        client_id.ok_or(SendError::Full)?.copy_from_slice(&order.text());
        // Thirteen digits are the years 2001 to 2286; another time means that the clock is wrong.
        let time = self.bytes.get_mut(self.time_at..self.time_at + TIME_DIGITS);
        fill_digits(time, time_ms).ok_or(SendError::BadTime)
    }

    /// A positive decimal with exactly `decimals` decimals; none when it does not fit them or is not positive.
    pub fn decimal(&mut self, name: &'static str, value: i64, decimals: u32) -> Option<()> {
        self.name(name);
        self.bytes.push(b'"');
        let start = self.bytes.len();
        push_decimal(&mut self.bytes, value, decimals)?;
        self.place(name, start);
        self.bytes.push(b'"');
        Some(())
    }

    /// A whole number.
    pub fn integer(&mut self, name: &'static str, value: u64) {
        self.name(name);
        let start = self.bytes.len();
        push_digits(&mut self.bytes, value, 1);
        self.place(name, start);
    }

    /// Ends the request, signed where the connection is not logged on.
    pub fn finish(&mut self, signer: Option<&Signer>) -> &[u8] {
        if let Some(signer) = signer {
            self.payload.clear();
            for param in self.params.iter().filter(|param| param.start < param.end) {
                if !self.payload.is_empty() {
                    self.payload.push(b'&');
                }
                self.payload.extend_from_slice(param.name.as_bytes());
                self.payload.push(b'=');
                self.payload.extend_from_slice(self.bytes.get(param.start..param.end).unwrap_or_default());
            }
            let signature = signer.sign(&self.payload);
            self.name("signature");
            self.bytes.push(b'"');
            self.bytes.extend_from_slice(signature.as_str().as_bytes());
            self.bytes.push(b'"');
        }
        self.bytes.extend_from_slice(b"}}");
        &self.bytes
    }

    fn name(&mut self, name: &str) {
        self.bytes.extend_from_slice(b",\"");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    /// Remembers where the value of a parameter stands that was just written.
    fn place(&mut self, name: &str, start: usize) {
        let end = self.bytes.len();
        if let Some(param) = self.params.iter_mut().find(|param| param.name == name) {
            (param.start, param.end) = (start, end);
        }
    }
}
