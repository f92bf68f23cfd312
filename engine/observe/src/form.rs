//! The core's words in JSON: decimal numbers as text, enums as the words that operators read. To be named in
//! `#[serde(with = "...")]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};
use smc_core::event::{FeedState, GatewayState, JournalState, RiskScope, ScopeKind};
use smc_core::output::{Control, OrderKind, Purpose, TradingState};
use smc_core::words::{Direction, Money, Price, Qty, Side, TsNs};
use smc_replay::{scope_name, state_name, words};
use std::borrow::Cow;

/// A number of 1e-8 units.
pub trait Decimal: Copy + std::fmt::Display {
    /// Reads decimal text.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! decimals {
    ($($name:ident)*) => {$(
        impl Decimal for $name {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text.as_bytes()).ok()
            }
        }
    )*};
}
decimals!(Price Qty Money);

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, str>, D::Error> {
    Cow::deserialize(from)
}

/// `"0.5"`.
pub mod decimal {
    use super::*;

    pub fn serialize<T: Decimal, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub fn deserialize<'de, T: Decimal, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let text = text(from)?;
        T::read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no decimal number")))
    }
}

/// `"0.5"` or null.
pub mod decimal_or_none {
    use super::*;

    pub fn serialize<T: Decimal, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: Decimal, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        let Some(text) = Option::<Cow<'de, str>>::deserialize(from)? else { return Ok(None) };
        let value =
            T::read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no decimal number")))?;
        Ok(Some(value))
    }
}

/// Nanoseconds since the epoch.
pub mod time {
    use super::*;

    pub fn serialize<S: Serializer>(value: &TsNs, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TsNs, D::Error> {
        u64::deserialize(from).map(TsNs)
    }
}

/// The same or null.
pub mod time_or_none {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<TsNs>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_some(&value.0),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TsNs>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(TsNs))
    }
}

/// `"engine"`, `"venue 0"`, `"instrument 3"`, `"strategy 1"`.
pub mod scope {
    use super::*;

    pub fn serialize<S: Serializer>(value: &RiskScope, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&scope_name(*value))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RiskScope, D::Error> {
        let text = text(from)?;
        read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no scope")))
    }

    fn read(text: &str) -> Option<RiskScope> {
        if text == "engine" {
            return Some(RiskScope::ENGINE);
        }
        let (kind, id) = text.split_once(' ')?;
        let kind = match kind {
            "venue" => ScopeKind::Venue,
            "instrument" => ScopeKind::Instrument,
            "strategy" => ScopeKind::Strategy,
            _ => return None,
        };
        Some(RiskScope { kind, id: id.parse().ok()? })
    }
}

macro_rules! worded {
    ($($(#[$doc:meta])* $module:ident : $type:ident, $name:ident, $all:expr;)*) => {$(
        $(#[$doc])*
        pub mod $module {
            use super::*;

            pub fn serialize<S: Serializer>(value: &$type, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(&$name(value))
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$type, D::Error> {
                let text = text(from)?;
                let known = $all.into_iter().find(|value| $name(value) == text);
                known.ok_or_else(|| D::Error::custom(format!("`{text}` is unknown")))
            }
        }
    )*};
}

worded! {
    /// `"REDUCE_ONLY"`.
    state: TradingState, state_name, STATES;
    /// `"daily loss"`.
    control: Control, words, Control::ALL;
    /// `"live"`.
    feed: FeedState, words, [FeedState::Down, FeedState::Syncing, FeedState::Stale, FeedState::Live];
    /// `"ready"`.
    gateway: GatewayState, words, [GatewayState::Down, GatewayState::Syncing, GatewayState::Ready];
    /// `"good"`.
    journal: JournalState, words,
        [JournalState::Good, JournalState::Low, JournalState::Behind, JournalState::Lost];
    /// `"buy"`.
    side: Side, words, [Side::Buy, Side::Sell];
    /// `"up"`.
    direction: Direction, words, [Direction::Up, Direction::Down];
    /// `"stop limit"`.
    kind: OrderKind, words, [OrderKind::Limit, OrderKind::LimitMaker, OrderKind::Market, OrderKind::StopLimit];
    /// `"entry"`.
    purpose: Purpose, words, [Purpose::Entry, Purpose::Stop, Purpose::Target, Purpose::Flatten];
}

/// Worst last.
pub const STATES: [TradingState; 5] = [
    TradingState::Normal,
    TradingState::Warn,
    TradingState::ReduceOnly,
    TradingState::CancelOnly,
    TradingState::Halt,
];

/// `"up"` or null.
pub mod direction_or_none {
    use super::*;

    pub fn serialize<S: Serializer>(value: &Option<Direction>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => direction::serialize(value, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Direction>, D::Error> {
        match Option::<Cow<'de, str>>::deserialize(from)?.as_deref() {
            None => Ok(None),
            Some("up") => Ok(Some(Direction::Up)),
            Some("down") => Ok(Some(Direction::Down)),
            Some(text) => Err(D::Error::custom(format!("`{text}` is no direction"))),
        }
    }
}
