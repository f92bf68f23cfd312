//! Who sent a request: API keys, signatures, timestamps.

use super::params::Params;
use crate::dialect::signature;
use crate::exchange::reject::Reject;
use crate::settings::{AccountSettings, Credential};
use smc_core::TsNs;

/// Longest `recvWindow`, in milliseconds.
const RECV_WINDOW_MAX_MS: f64 = 60_000.0;
/// `recvWindow` when none is given.
const RECV_WINDOW_MS: f64 = 5_000.0;
/// A timestamp at least this large counts microseconds.
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;

/// The keys of all accounts.
pub struct Keys {
    keys: Vec<(String, Credential)>,
    /// The venue knows none of them any more.
    pub is_withdrawn: bool,
}

impl Keys {
    /// One key per account, in the order of the accounts.
    pub fn new(accounts: &[AccountSettings]) -> Self {
        let keys = accounts.iter().map(|a| (a.api_key.clone(), a.credential.clone())).collect();
        Self { keys, is_withdrawn: false }
    }

    /// The account of an API key.
    pub fn account(&self, api_key: &str) -> Result<usize, Reject> {
        if !api_key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(Reject::KEY_FORMAT.with_status(401));
        }
        let found = self.keys.iter().position(|(key, _)| key == api_key && !self.is_withdrawn);
        found.ok_or(Reject::KEY.with_status(401))
    }

    /// The API key of an account.
    pub fn api_key(&self, account: usize) -> &str {
        self.keys.get(account).map_or("", |(key, _)| key)
    }

    /// Whether the account's key may log on to a session.
    pub fn may_log_on(&self, account: usize) -> bool {
        matches!(self.keys.get(account), Some((_, Credential::Ed25519(_))))
    }

    /// Checks a signature over a payload.
    pub fn verify(&self, account: usize, payload: &str, signature: &str) -> Result<(), Reject> {
        let is_good = |(_, key): &(String, Credential)| signature::verify(key, payload, signature);
        if self.keys.get(account).is_some_and(is_good) { Ok(()) } else { Err(Reject::SIGNATURE) }
    }
}

/// Checks that a request was made now, by its `timestamp` and `recvWindow`.
pub fn check_time(params: &Params, now: TsNs) -> Result<(), Reject> {
    let timestamp = params.whole("timestamp")?.ok_or_else(|| Reject::mandatory("timestamp"))?;
    let window = match params.get("recvWindow") {
        Some(text) => text.parse::<f64>().ok().filter(|ms| *ms >= 0.0),
        None => Some(RECV_WINDOW_MS),
    };
    let window = window.ok_or_else(|| Reject::mandatory("recvWindow"))?;
    if window > RECV_WINDOW_MAX_MS {
        return Err(Reject::new(
            -1102,
            "'recvWindow' contains unexpected value. Cannot be greater than 60000.",
        ));
    }
    let sent_us = if timestamp >= MICROSECONDS_FROM { timestamp } else { timestamp.saturating_mul(1_000) };
    // A millisecond stamp says nothing about its microseconds, so both sides are cut to its unit.
    let now_us = if timestamp >= MICROSECONDS_FROM { now.0 / 1_000 } else { now.as_ms() * 1_000 };
    if sent_us >= now_us.saturating_add(1_000_000) {
        return Err(Reject::TIMESTAMP_AHEAD);
    }
    if now_us.saturating_sub(sent_us) as f64 > window * 1_000.0 {
        return Err(Reject::TIMESTAMP_OLD);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_window_is_the_venues() {
        let now = TsNs::from_ms(1_700_000_000_000);
        let check = |timestamp: u64, window: &str| {
            let params = Params::from_query(&format!("timestamp={timestamp}{window}")).unwrap();
            check_time(&params, now).map_err(|reject| reject.msg)
        };
        assert_eq!(check(1_700_000_000_000, ""), Ok(()));
        assert_eq!(check(1_700_000_000_999, ""), Ok(()));
        assert_eq!(check(1_700_000_001_000, ""), Err(Reject::TIMESTAMP_AHEAD.msg));
        assert_eq!(check(1_699_999_995_000, ""), Ok(()));
        assert_eq!(check(1_699_999_994_999, ""), Err(Reject::TIMESTAMP_OLD.msg));
        assert_eq!(check(1_699_999_999_998, "&recvWindow=1.5"), Err(Reject::TIMESTAMP_OLD.msg));
        assert_eq!(check(1_700_000_000_000_000, ""), Ok(()));
    }
}
