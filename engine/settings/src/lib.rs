//! Names and numbers of files and flags turned into the core's settings.
//!
//! Knows text, time zones and nothing of a running engine. Every refusal names the key.

pub mod calendar;
pub mod file;
pub mod smc;
pub mod text;

use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use smc_core::words::{Price, SCALE};
use std::str::FromStr;

/// Decimal text in the file, 1e-8 units here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub i64);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a number as text, such as \"0.5\"")]
        enum Written {
            Text(String),
            Whole(i64),
        }
        match Written::deserialize(from)? {
            Written::Text(text) => {
                Price::parse(text.as_bytes()).map(|p| Self(p.0)).map_err(de::Error::custom)
            }
            Written::Whole(whole) => {
                whole.checked_mul(SCALE).map(Self).ok_or_else(|| de::Error::custom("number too large"))
            }
        }
    }
}

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&Price(self.0))
    }
}

impl FromStr for Decimal {
    type Err = text::TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let price = Price::parse(text.as_bytes()).map(|price| Self(price.0));
        price.map_err(|_| text::TextError::new(text, "a number such as 0.5, at most eight decimals"))
    }
}

/// A word as the file would say it; the refusal lists the words there are.
pub fn from_word<'a, T: Deserialize<'a>>(word: &'a str) -> Result<T, WordError> {
    T::deserialize(StrDeserializer::new(word))
}

/// A section whose keys are all optional and change the core's defaults.
#[macro_export]
macro_rules! section {
    ($(#[$doc:meta])* $name:ident => $target:ty { $($key:ident : $kind:ty => $field:ident = |$value:ident| $convert:expr),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        #[allow(missing_docs, reason = "each key is documented at the core's field of the same name")]
        pub struct $name {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $key: Option<$kind>,)*
        }

        impl $name {
            /// Changes what the section names.
            pub fn apply(&self, to: &mut $target) {
                $(if let Some($value) = self.$key { to.$field = $convert; })*
            }
        }
    };
}

/// A word of the file for each variant of a core enum.
#[macro_export]
macro_rules! words {
    ($($name:ident => $target:ty { $($variant:ident),* })*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(rename_all = "kebab-case")]
        #[allow(missing_docs, reason = "the core's variants of the same names are documented")]
        pub enum $name { $($variant),* }

        impl From<$name> for $target {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = serde::de::value::Error;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                $crate::from_word(word)
            }
        }
    )*};
}
