//! Words of command lines that several commands share, read once.

use smc_core::words::{Name, Timeframe, TsNs};

/// A symbol or an asset.
pub fn name(text: &str) -> Result<Name, String> {
    let name = Name::new(text).filter(|name| !name.as_bytes().is_empty());
    name.ok_or_else(|| format!("1 to {} letters", Name::MAX))
}

/// A step of prices or quantities, in 1e-8.
pub fn step(text: &str) -> Result<i64, String> {
    smc_import::number::decimal(text).filter(|units| *units > 0).ok_or_else(|| "a step such as 0.01".into())
}

/// A length of bars or periods.
pub fn timeframe(text: &str) -> Result<Timeframe, String> {
    Timeframe::parse(text).ok_or_else(|| "a length such as 5s, 15m, 4h or 1d".into())
}

/// A day, which begins at midnight UTC, or a moment.
pub fn moment(text: &str) -> Result<TsNs, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let found: jiff::Timestamp = whole.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(found.as_nanosecond()).map(TsNs).map_err(|_| "before 1970".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!(moment("1970-01-02"), Ok(TsNs(86_400_000_000_000)));
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(TsNs(1_000_000_000)));
        assert!(moment("1969-12-31").is_err() && moment("yesterday").is_err());
        assert!(step("0").is_err() && step("0.01") == Ok(1_000_000));
        assert!(name("").is_err() && timeframe("7q").is_err());
    }
}
