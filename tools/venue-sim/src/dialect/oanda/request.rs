//! Reads the body of a request: members by name and type, every wrong one refused with its path.
//!
//! Numbers may come as strings or as JSON numbers, as clients send both.

use super::refusal::Refusal;
use super::terms::{ClientExtensions, Life, Trigger};
use super::wire;
use serde_json::{Map, Value};
use smc_core::TsNs;

/// Longest client id, tag and comment.
const CLIENT_MAX: usize = 128;

/// One JSON object of a request.
#[derive(Clone, Copy)]
pub struct Members<'a> {
    map: &'a Map<String, Value>,
    /// `order.stopLossOnFill`; empty at the top.
    path: &'a str,
}

/// A number as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    /// In 1e-8; digits beyond are cut.
    pub value: i64,
    /// Decimals that are not trailing zeros.
    pub decimals: u32,
}

impl<'a> Members<'a> {
    /// The members of a value; refused when it is no object.
    pub fn of(value: &'a Value, path: &'a str) -> Result<Self, Refusal> {
        value.as_object().map(|map| Self { map, path }).ok_or_else(|| Refusal::value(path))
    }

    /// The path of a member.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A member as it is; none when it is absent or null.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Whether a member stands there as null: a wish to take something away.
    pub fn is_null(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(Value::is_null)
    }

    /// A string or a number as text.
    pub fn text(&self, key: &str) -> Result<Option<String>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Refusal::value(&self.path(key))),
        }
    }

    /// A number.
    pub fn amount(&self, key: &str) -> Result<Option<Amount>, Refusal> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        amount(&text).map(Some).ok_or_else(|| Refusal::value(&self.path(key)))
    }

    /// A time.
    pub fn time(&self, key: &str) -> Result<Option<TsNs>, Refusal> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        wire::parse_time(&text).map(Some).ok_or_else(|| Refusal::value(&self.path(key)))
    }

    /// One word of a table.
    pub fn choice<T: Copy>(&self, key: &str, all: &[(&str, T)]) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let found = all.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| Refusal::value(&self.path(key)))
    }

    /// Names that the client gives.
    pub fn client(&self, key: &str) -> Result<ClientExtensions, Refusal> {
        let Some(value) = self.get(key) else { return Ok(ClientExtensions::default()) };
        let path = self.path(key);
        let members = Members::of(value, &path)?;
        let word = |key, code| match members.text(key)?.unwrap_or_default() {
            text if text.chars().count() > CLIENT_MAX => Err(Refusal::Code(code)),
            text => Ok(text),
        };
        Ok(ClientExtensions {
            id: word("id", "CLIENT_ORDER_ID_INVALID")?,
            tag: word("tag", "CLIENT_ORDER_TAG_INVALID")?,
            comment: word("comment", "CLIENT_ORDER_COMMENT_INVALID")?,
        })
    }

    /// How long an order lives. `is_allowed` knows what its kind takes.
    pub fn life(&self, default: Life, is_allowed: impl Fn(&str) -> bool, now: TsNs) -> Result<Life, Refusal> {
        let Some(name) = self.text("timeInForce")? else { return Ok(default) };
        let is_known = ["GTC", "GTD", "GFD", "FOK", "IOC"].contains(&name.as_str());
        if !is_known {
            return Err(Refusal::value(&self.path("timeInForce")));
        }
        if !is_allowed(&name) {
            return Err(Refusal::Code("TIME_IN_FORCE_INVALID"));
        }
        Ok(match name.as_str() {
            "GTD" => {
                let until =
                    self.time("gtdTime")?.ok_or(Refusal::Code("TIME_IN_FORCE_GTD_TIMESTAMP_MISSING"))?;
                if until <= now {
                    return Err(Refusal::Code("TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST"));
                }
                Life::Gtd(until)
            }
            "GFD" => Life::Gfd,
            "FOK" => Life::Fok,
            "IOC" => Life::Ioc,
            _ => Life::Gtc,
        })
    }

    /// What triggers an order.
    pub fn trigger(&self) -> Result<Trigger, Refusal> {
        Ok(self.choice("triggerCondition", &Trigger::ALL)?.unwrap_or(Trigger::Default))
    }
}

/// A number with the decimals it needs.
pub fn amount(text: &str) -> Option<Amount> {
    let trimmed = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    wire::number(trimmed).map(|(value, decimals)| Amount { value, decimals })
}

/// The JSON of a body; none when it is no JSON object. An empty body has no members.
pub fn body(text: &str) -> Option<Value> {
    if text.trim().is_empty() {
        return Some(Value::Object(Map::new()));
    }
    serde_json::from_str(text).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn trailing_zeros_are_no_precision() {
        assert_eq!(amount("1.10000000"), Some(Amount { value: 110_000_000, decimals: 1 }));
        assert_eq!(amount("100.0"), Some(Amount { value: 10_000_000_000, decimals: 0 }));
        assert_eq!(amount("100"), Some(Amount { value: 10_000_000_000, decimals: 0 }));
        assert_eq!((amount("."), amount(".5"), amount("1e3"), amount("")), (None, None, None, None));
    }

    #[test]
    fn a_wrong_member_is_named_by_its_path() {
        let value = json!({"units": {}, "price": "x", "gtdTime": "x", "timeInForce": "GTX"});
        let members = Members::of(&value, "order").expect("an object");
        let now = TsNs(0);
        let refused = [
            members.text("units").err(),
            members.amount("price").err(),
            members.time("gtdTime").err(),
            members.life(Life::Gtc, |_| true, now).err(),
        ];
        let names = ["units", "price", "gtdTime", "timeInForce"];
        assert_eq!(refused, names.map(|name| Some(Refusal::value(&format!("order.{name}")))));
    }
}
