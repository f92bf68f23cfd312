//! A chat: `POST /bot<token>/sendMessage`, as Telegram's bot API and its likes take it.

use super::http::{Target, judged};
use super::{Fault, Transport};
use crate::notice::Notice;
use smc_log::Redacted;
use std::time::Duration;

/// Characters of a message that are taken.
const TEXT_MAX: usize = 4_096;

pub(crate) struct Telegram {
    target: Target,
    path: Redacted<String>,
    chat_id: String,
}

impl Telegram {
    pub fn new(target: Target, token: Redacted<String>, chat_id: &str) -> Result<Self, String> {
        let is_token =
            token.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-".contains(&byte));
        if !is_token {
            return Err("telegram: the token has letters that no token has".into());
        }
        let path = Redacted::new(format!("{}/bot{}/sendMessage", target.base(), token.expose()));
        Ok(Self { target, path, chat_id: chat_id.into() })
    }
}

impl Transport for Telegram {
    fn deliver(&mut self, notice: &Notice, within: Duration) -> Result<u64, Fault> {
        let text: String =
            format!("{}\n{}", notice.headline(), notice.body()).chars().take(TEXT_MAX).collect();
        let is_quiet = notice.severity < crate::Severity::Critical;
        let body = serde_json::json!({
            "chat_id": self.chat_id, "text": text, "disable_notification": is_quiet,
            "link_preview_options": { "is_disabled": true },
        });
        let response = self.target.post(self.path.expose(), &[], &body.to_string(), within)?;
        let told: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let wait = told["parameters"]["retry_after"].as_u64().map(Duration::from_secs);
        match judged(&response) {
            Err(Fault::Later(reason, asked)) => Err(Fault::Later(reason, wait.or(asked))),
            Ok(()) if told["ok"] == false => Err(Fault::Refused("answered `ok: false`".into())),
            other => other.map(|()| 0),
        }
    }

    fn place(&self) -> String {
        self.target.place()
    }
}
