//! A JSON document by POST; signed, where a secret is shared.

use super::http::{Target, judged};
use super::{Fault, Transport};
use crate::notice::Notice;
use aws_lc_rs::hmac;
use smc_log::Redacted;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) struct Webhook {
    target: Target,
    key: Option<hmac::Key>,
}

impl Webhook {
    pub fn new(target: Target, secret: Option<&Redacted<String>>) -> Self {
        let key = secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()));
        Self { target, key }
    }
}

impl Transport for Webhook {
    /// `X-Smc-Signature` is `sha256=` and the HMAC, in hex, of the value of `X-Smc-Timestamp` (seconds since the epoch), a dot, and
    /// the body: who checks both cannot be told an old message again.
    fn deliver(&mut self, notice: &Notice, within: Duration) -> Result<u64, Fault> {
        let body = serde_json::to_string(notice).map_err(|error| Fault::Refused(error.to_string()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let signature = self.key.as_ref().map(|key| signature(key, &now, &body));
        let mut headers = vec![("X-Smc-Timestamp", now.as_str())];
        headers.extend(signature.as_deref().map(|signature| ("X-Smc-Signature", signature)));
        judged(&self.target.post(self.target.path(), &headers, &body, within)?).map(|()| 0)
    }

    fn place(&self) -> String {
        self.target.place()
    }
}

fn signature(key: &hmac::Key, time: &str, body: &str) -> String {
    let tag = hmac::sign(key, format!("{time}.{body}").as_bytes());
    tag.as_ref().iter().fold("sha256=".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By OpenSSL: `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn the_signature_is_what_others_compute() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        assert_eq!(
            signature(&key, "1700000000", "{\"a\":1}"),
            "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }
}
