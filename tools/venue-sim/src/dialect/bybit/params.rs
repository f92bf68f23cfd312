//! Parameters of a request: a JSON body, an element of a batch, or a query string.

use super::refusal::Refusal;
use super::words::Category;
use crate::dialect::binance_spot::params::percent_decode;
use serde_json::value::RawValue;
use smc_core::{Price, Qty};
use std::collections::BTreeMap;

/// The parameters of one request. Strings are unquoted; numbers, flags and lists stand exactly as they were sent.
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: BTreeMap<String, String>,
}

impl Params {
    /// From the text of a JSON object; empty text has no parameters.
    pub fn from_json(text: &str) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let map: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| Refusal::new(10001, "Request parameter error."))?;
        let unquoted = |value: &RawValue| {
            serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned())
        };
        let values = map
            .into_iter()
            .filter(|(_, value)| value.get() != "null")
            .map(|(name, value)| (name, unquoted(value)))
            .collect();
        Ok(Self { values })
    }

    /// From a query string, percent-decoded.
    pub fn from_query(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let values = pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (percent_decode(name), percent_decode(value))
            })
            .collect();
        Self { values }
    }

    /// The same with a parameter set, as batch elements take the category of their batch.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.values.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Text of a parameter; none when it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Text of a parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::param(name))
    }

    /// The category, which must be there.
    pub fn category(&self) -> Result<Category, Refusal> {
        self.get("category").and_then(Category::parse).ok_or(Refusal::CATEGORY)
    }

    /// A whole number.
    pub fn whole(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.get(name).map(|text| text.parse().map_err(|_| Refusal::param(name))).transpose()
    }

    /// How many rows are wanted: at least one, at most `most`.
    pub fn limit(&self, usual: u64, most: u64) -> Result<usize, Refusal> {
        let limit = self.whole("limit")?.unwrap_or(usual).clamp(1, most);
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// A flag, false when absent.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::param(name)),
        }
    }

    /// A decimal number of 1e-8 units that is not negative; none when it is absent.
    pub fn amount(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match Qty::parse(text.as_bytes()) {
            Ok(Qty(value)) if value >= 0 => Ok(Some(value)),
            _ => Err(Refusal::param(name)),
        }
    }

    /// A price above zero: the venue reads `"0"` as none.
    pub fn price(&self, name: &str) -> Result<Option<Price>, Refusal> {
        Ok(self.amount(name)?.filter(|price| *price > 0).map(Price))
    }

    /// An `orderLinkId`: at most 36 letters, digits, `-` and `_`.
    pub fn link_id(&self) -> Result<Option<&str>, Refusal> {
        let Some(text) = self.get("orderLinkId") else { return Ok(None) };
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() <= 36 && text.bytes().all(is_legal) {
            Ok(Some(text))
        } else {
            Err(Refusal::param("orderLinkId"))
        }
    }

    /// The elements of a list of objects, at most `most`.
    pub fn objects(&self, name: &str, most: usize) -> Result<Vec<Self>, Refusal> {
        let rows: Vec<&RawValue> =
            serde_json::from_str(self.required(name)?).map_err(|_| Refusal::param(name))?;
        if rows.is_empty() || rows.len() > most {
            return Err(Refusal::param(name));
        }
        rows.into_iter().map(|row| Self::from_json(row.get())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_sent_whatever_their_type() {
        let params =
            Params::from_json(r#"{"qty":"0.10","price":25000.1,"reduceOnly":true,"x":null,"y":""}"#).unwrap();
        assert_eq!(params.amount("qty"), Ok(Some(10_000_000)));
        assert_eq!(params.price("price"), Ok(Some(Price(2_500_010_000_000))));
        assert_eq!((params.flag("reduceOnly"), params.get("x"), params.get("y")), (Ok(true), None, None));
        let refused = |text: &str| Params::from_json(text).unwrap().amount("q").map_err(|r| r.code);
        assert_eq!(refused(r#"{"q":"-1"}"#), Err(10001));
        assert_eq!(refused(r#"{"q":"1e5"}"#), Err(10001));
        assert_eq!(refused(r#"{"q":{}}"#), Err(10001));
        assert!(Params::from_json("[]").is_err());
    }

    #[test]
    fn link_ids_are_the_venues() {
        let check = |id: &str| Params::default().with("orderLinkId", id).link_id().is_ok();
        assert!(check("eng-42_A"));
        assert!(!check("with space"));
        assert!(!check(&"x".repeat(37)));
    }
}
