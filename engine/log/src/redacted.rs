//! Values that nothing shows.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What stands in the place of the value.
const SHOWN: &str = "[redacted]";

/// A secret. `Debug`, `Display` and `Serialize` say that there is one and no more; it leaves only where it is asked for by
/// name. Read from files as the plain value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Hides it.
    pub const fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The value itself, to be put on the wire.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Redacted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let secret: Redacted<String> = serde_json::from_str("\"tr0ub4dor\"").unwrap();
        assert_eq!(secret.expose(), "tr0ub4dor");
        let pair = Some((secret.clone(), [secret.clone()]));
        let shown = format!("{pair:?} {pair:#?} {secret} {}", serde_json::to_string(&pair).unwrap());
        assert!(!shown.contains("tr0ub4dor") && shown.contains(SHOWN), "{shown}");
    }
}
