//! Parameters of a request, from JSON or from a query string, kept as the text that was signed.

use crate::exchange::reject::Reject;
use serde_json::value::RawValue;
use smc_core::words::DecimalError;
use smc_core::{Price, Qty};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Legal decimal parameters, as the venue states them.
const DECIMAL_RANGE: &str = "^([0-9]{1,20})(\\.[0-9]{1,20})?$";
/// Legal client order ids.
const NAME_RANGE: &str = "^[a-zA-Z0-9-_]{1,36}$";
/// The same on futures.
const FUTURES_NAME_RANGE: &str = "^[\\.A-Z\\:/a-z0-9_-]{1,36}$";

/// The parameters of one request. Strings are unquoted, numbers stand exactly as they were sent.
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: BTreeMap<String, String>,
}

impl Params {
    /// From the `params` object of a WebSocket API request.
    pub fn from_json(raw: Option<&RawValue>) -> Result<Self, Reject> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let map: BTreeMap<String, &RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| Reject::new(-1135, "Invalid JSON Request"))?;
        let text = |value: &RawValue| {
            serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
        };
        let values = map
            .into_iter()
            .filter(|(_, value)| value.get() != "null")
            .map(|(name, value)| (name, text(value)))
            .collect();
        Ok(Self { values })
    }

    /// From a query string, percent-decoded.
    pub fn from_query(query: &str) -> Result<Self, Reject> {
        let mut values = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if values.insert(percent_decode(name), percent_decode(value)).is_some() {
                return Err(Reject::new(-1101, "Duplicate values for a parameter detected."));
            }
        }
        Ok(Self { values })
    }

    /// These parameters, and those of `other` that are not among them.
    pub fn or(mut self, other: Self) -> Self {
        for (name, value) in other.values {
            self.values.entry(name).or_insert(value);
        }
        self
    }

    /// Text of a parameter; none when it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Text of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Reject> {
        self.get(name).ok_or_else(|| Reject::mandatory(name))
    }

    /// A whole number.
    pub fn whole(&self, name: &str) -> Result<Option<u64>, Reject> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Reject::illegal_chars(name, "^[0-9]{1,20}$"))
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Reject> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "TRUE") => Ok(Some(true)),
            Some("false" | "FALSE") => Ok(Some(false)),
            Some(_) => Err(Reject::invalid(name)),
        }
    }

    /// A decimal number above zero in 1e-8.
    pub fn amount(&self, name: &str) -> Result<Option<i64>, Reject> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match Qty::parse(text.as_bytes()) {
            Ok(_) if text.starts_with('-') => Err(Reject::illegal_chars(name, DECIMAL_RANGE)),
            Ok(Qty(0)) => Err(Reject::mandatory(name)),
            Ok(qty) => Ok(Some(qty.0)),
            Err(DecimalError::TooPrecise) => Err(Reject::precision(name)),
            Err(DecimalError::TooLarge) => Err(Reject::new(-1108, "Parameter overflowed.")),
            Err(_) => Err(Reject::illegal_chars(name, DECIMAL_RANGE)),
        }
    }

    /// A price.
    pub fn price(&self, name: &str) -> Result<Option<Price>, Reject> {
        Ok(self.amount(name)?.map(Price))
    }

    /// A client order id of spot.
    pub fn name(&self, name: &str) -> Result<Option<String>, Reject> {
        self.name_with(name, b"-_", NAME_RANGE)
    }

    /// A client order id of futures, which may hold `.`, `:` and `/` too.
    pub fn futures_name(&self, name: &str) -> Result<Option<String>, Reject> {
        self.name_with(name, b"-_.:/", FUTURES_NAME_RANGE)
    }

    fn name_with(&self, name: &str, others: &[u8], range: &str) -> Result<Option<String>, Reject> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
        if text.len() <= 36 && text.bytes().all(is_legal) {
            Ok(Some(text.to_owned()))
        } else {
            Err(Reject::illegal_chars(name, range))
        }
    }

    /// A list: a JSON array of strings (`["A","B"]`), or one value under the singular name.
    pub fn list(&self, plural: &str, singular: &str) -> Result<Option<Vec<String>>, Reject> {
        match (self.get(plural), self.get(singular)) {
            (Some(text), _) => serde_json::from_str(text).map(Some).map_err(|_| Reject::invalid(plural)),
            (None, Some(one)) => Ok(Some(vec![one.to_owned()])),
            (None, None) => Ok(None),
        }
    }

    /// The text that a WebSocket API client signs: all but the signature, by name.
    pub fn signed_payload(&self) -> String {
        let mut payload = String::new();
        for (name, value) in self.values.iter().filter(|(name, _)| *name != "signature") {
            let separator = if payload.is_empty() { "" } else { "&" };
            let _ = write!(payload, "{separator}{name}={value}");
        }
        payload
    }
}

/// Decodes `%XX` and `+`; bytes that decode to no text become the replacement character.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let decoded = match (first, after) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match (first, decoded) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', None) => bytes.push(b' '),
            (byte, None) => bytes.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_payload_keeps_numbers_as_sent() {
        let raw = r#"{"timestamp":1655716096498,"recvWindow":5000.10,"symbol":"A\u0042","signature":"x","ok":true}"#;
        let raw: &RawValue = serde_json::from_str(raw).unwrap();
        let params = Params::from_json(Some(raw)).unwrap();
        assert_eq!(params.signed_payload(), "ok=true&recvWindow=5000.10&symbol=AB&timestamp=1655716096498");
    }

    #[test]
    fn amounts_are_refused_by_the_venues_codes() {
        let code = |text: &str| {
            Params::from_query(&format!("price={text}"))
                .unwrap()
                .amount("price")
                .map_err(|reject| reject.code)
        };
        assert_eq!(code("1.5"), Ok(Some(150_000_000)));
        assert_eq!(code("-1"), Err(-1100));
        assert_eq!(code("1e5"), Err(-1100));
        assert_eq!(code("0.123456789"), Err(-1111));
        assert_eq!(code("0"), Err(-1102));
        assert_eq!(code("99999999999999999999"), Err(-1108));
    }

    #[test]
    fn percent_text_is_decoded() {
        assert_eq!(percent_decode("a%2Bb%3D+c%"), "a+b= c%");
        assert_eq!(percent_decode("%5B%22BTCUSDT%22%5D"), "[\"BTCUSDT\"]");
    }
}
