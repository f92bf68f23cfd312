//! Who sent a request: API keys, signatures over the text as sent, the time window.

use super::refusal::Refusal;
use crate::dialect::{HttpRequest, signature};
use crate::settings::{AccountSettings, Credential};
use smc_core::TsNs;

/// `X-BAPI-RECV-WINDOW` when none is given.
const RECV_WINDOW_MS: u64 = 5_000;
/// How far ahead of the server a timestamp may lie.
const AHEAD_MS: u64 = 1_000;

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

    /// All accounts.
    pub fn accounts(&self) -> std::ops::Range<usize> {
        0..self.keys.len()
    }

    /// The API key of an account.
    pub fn api_key(&self, account: usize) -> &str {
        self.keys.get(account).map_or("", |(key, _)| key)
    }

    fn verified(&self, api_key: &str, payload: &str, signature: &str) -> Option<Result<usize, ()>> {
        let account = self.keys.iter().position(|(key, _)| key == api_key && !self.is_withdrawn)?;
        let (_, credential) = self.keys.get(account)?;
        Some(if signature::verify(credential, payload, signature) { Ok(account) } else { Err(()) })
    }

    /// The account behind the arguments of an `auth` request: key, expiry in milliseconds, signature.
    pub fn log_on(
        &self,
        api_key: &str,
        expires_ms: u64,
        signature: &str,
        now: TsNs,
    ) -> Result<usize, Refusal> {
        if expires_ms <= now.as_ms() {
            return Err(Refusal::new(10004, "expires time is past"));
        }
        let payload = format!("GET/realtime{expires_ms}");
        match self.verified(api_key, &payload, signature) {
            None => Err(Refusal::KEY),
            Some(Err(())) => Err(Refusal::sign(&payload)),
            Some(Ok(account)) => Ok(account),
        }
    }

    /// The account behind a REST request: `payload` is its query or its body, exactly as sent. None when the
    /// headers are missing, which is answered by an HTTP status.
    pub fn rest(&self, request: &HttpRequest, payload: &str, now: TsNs) -> Option<Result<usize, Refusal>> {
        let api_key = request.header("x-bapi-api-key")?;
        let timestamp = request.header("x-bapi-timestamp")?;
        let sign = request.header("x-bapi-sign")?;
        let window = request.header("x-bapi-recv-window");
        let text = format!("{timestamp}{api_key}{}{payload}", window.unwrap_or(""));
        Some(match self.verified(api_key, &text, sign) {
            None => Err(Refusal::KEY),
            Some(Err(())) => Err(Refusal::sign(&text)),
            Some(Ok(account)) => check_time(timestamp, window, now).map(|()| account),
        })
    }
}

/// Checks that a request was made now: `server - window <= timestamp < server + 1000`, in milliseconds.
pub fn check_time(timestamp: &str, window: Option<&str>, now: TsNs) -> Result<(), Refusal> {
    let sent_ms: u64 = timestamp.parse().map_err(|_| Refusal::param("X-BAPI-TIMESTAMP"))?;
    let window_ms: u64 = match window {
        Some(text) => text.parse().map_err(|_| Refusal::param("X-BAPI-RECV-WINDOW"))?,
        None => RECV_WINDOW_MS,
    };
    let now_ms = now.as_ms();
    let is_now = now_ms.saturating_sub(window_ms) <= sent_ms && sent_ms < now_ms.saturating_add(AHEAD_MS);
    if is_now { Ok(()) } else { Err(Refusal::time(sent_ms, now_ms, window_ms)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_window_is_the_venues() {
        let now = TsNs::from_ms(1_700_000_000_000);
        let check = |sent: &str, window| check_time(sent, window, now).map_err(|refusal| refusal.code);
        assert_eq!(check("1700000000999", None), Ok(()));
        assert_eq!(check("1700000001000", None), Err(10002));
        assert_eq!(check("1699999995000", None), Ok(()));
        assert_eq!(check("1699999994999", None), Err(10002));
        assert_eq!(check("1699999999000", Some("999")), Err(10002));
        assert_eq!(check("soon", None), Err(10001));
        assert_eq!(check("1699999999000", Some("-1")), Err(10001));
    }
}
