//! `[alerts]`: who is told when something goes wrong, and over which channels.
//!
//! Secrets are files of their own, never values here. An address may hold one all the same (many webhooks are nothing but a
//! secret path), so it is not shown beyond its host.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// `[alerts]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsSection {
    /// An engine that journals nothing for so long is told of. It writes every timer, so a few seconds are much.
    #[serde(default = "ten")]
    pub silence_s: u64,
    /// Free space of the journal's disk below which is warned; below a quarter of it is critical.
    #[serde(default = "gibibyte")]
    pub disk_free_mib: u64,
    /// New messages in a minute beyond which warnings wait; critical ones have as many of their own.
    #[serde(default = "twenty")]
    pub per_minute_max: u32,
    /// Put before the runbook's name in each message: `https://wiki.example/runbooks/`. Without it they are named as they lie in
    /// the project, `tools/monitoring/runbooks/SmcStateHalt.md`.
    #[serde(default)]
    pub runbooks: Option<String>,
    /// The channels; each by itself.
    #[serde(default, rename = "channel")]
    pub channels: Vec<ChannelSection>,
}

const fn ten() -> u64 {
    10
}

const fn gibibyte() -> u64 {
    1_024
}

const fn twenty() -> u32 {
    20
}

/// `[[alerts.channel]]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ChannelSection {
    /// A JSON document by POST.
    Webhook {
        /// What people call it.
        #[serde(default)]
        name: Option<String>,
        /// Nothing below this goes there.
        #[serde(default)]
        min_severity: SeverityWord,
        /// `https://host/path`; plain `http` to this machine only.
        #[serde(default)]
        url: Option<Address>,
        /// A file with the address, where that is a secret.
        #[serde(default)]
        url_file: Option<PathBuf>,
        /// A file with the shared secret that messages are signed with (HMAC-SHA256).
        #[serde(default)]
        secret_file: Option<PathBuf>,
        /// Certificate authority to trust instead of the system's, PEM.
        #[serde(default)]
        ca_file: Option<PathBuf>,
    },
    /// `POST /bot<token>/sendMessage`.
    Telegram {
        /// What people call it.
        #[serde(default)]
        name: Option<String>,
        /// Nothing below this goes there.
        #[serde(default)]
        min_severity: SeverityWord,
        /// Where, without a path; Telegram's own by default.
        #[serde(default)]
        url: Option<Address>,
        /// A file with the bot's token.
        token_file: PathBuf,
        /// The chat.
        chat_id: String,
        /// Certificate authority to trust instead of the system's, PEM.
        #[serde(default)]
        ca_file: Option<PathBuf>,
    },
    /// Mail through a server that takes it (SMTP).
    Mail {
        /// What people call it.
        #[serde(default)]
        name: Option<String>,
        /// Nothing below this goes there.
        #[serde(default)]
        min_severity: SeverityWord,
        /// `host:port`.
        host: String,
        /// How the connection is made safe.
        #[serde(default)]
        tls: MailTls,
        /// Who we are there; without it nobody logs on.
        #[serde(default)]
        user: Option<String>,
        /// A file with the password.
        #[serde(default)]
        password_file: Option<PathBuf>,
        /// Sender.
        from: String,
        /// Receivers.
        to: Vec<String>,
        /// Certificate authority to trust instead of the system's, PEM.
        #[serde(default)]
        ca_file: Option<PathBuf>,
    },
}

impl ChannelSection {
    /// What people call it; its kind where they did not say.
    pub fn name(&self) -> &str {
        match self {
            Self::Webhook { name, .. } => name.as_deref().unwrap_or("webhook"),
            Self::Telegram { name, .. } => name.as_deref().unwrap_or("telegram"),
            Self::Mail { name, .. } => name.as_deref().unwrap_or("mail"),
        }
    }

    /// Files with secrets.
    pub fn secret_files(&self) -> Vec<&PathBuf> {
        match self {
            Self::Webhook { url_file, secret_file, .. } => url_file.iter().chain(secret_file).collect(),
            Self::Telegram { token_file, .. } => vec![token_file],
            Self::Mail { password_file, .. } => password_file.iter().collect(),
        }
    }
}

/// How much something matters, least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeverityWord {
    /// Good to know.
    Info,
    /// To be looked at today.
    #[default]
    Warning,
    /// To be looked at now.
    Critical,
}

/// How a connection to a mail server is made safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// `STARTTLS`, or nothing is sent: port 587.
    #[default]
    Starttls,
    /// TLS from the first byte: port 465.
    Implicit,
    /// None: to a server on this machine only, and without a password.
    None,
}

/// An address that may hold a secret: shown up to its host.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// All of it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        let after = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0.get(after..).and_then(|rest| rest.find(['/', '?', '#']));
        let origin = self.0.get(..end.map_or(self.0.len(), |end| after + end)).unwrap_or_default();
        // A name and password before the host are refused elsewhere; they are not shown either.
        if origin.contains('@') { "?" } else { origin }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_read_strictly_and_show_no_secret_path() {
        let text = r#"
            silence_s = 5
            [[channel]]
            kind = "webhook"
            url = "https://hooks.example/services/T0/canary"
            [[channel]]
            kind = "mail"
            host = "mail.example:587"
            from = "smc@example"
            to = ["ops@example"]
            min_severity = "critical"
        "#;
        let section: AlertsSection = toml::from_str(text).unwrap();
        assert_eq!((section.silence_s, section.channels.len()), (5, 2));
        let shown = format!("{section:?}");
        assert!(!shown.contains("canary") && shown.contains("https://hooks.example"), "{shown}");
        assert_eq!(section.channels[0].name(), "webhook");
        for (from, to) in
            [("url =", "uri ="), ("\"mail\"", "\"fax\""), ("\"critical\"", "\"loud\""), ("to =", "two =")]
        {
            assert!(text.contains(from));
            assert!(toml::from_str::<AlertsSection>(&text.replace(from, to)).is_err(), "{to}");
        }
        assert_eq!(format!("{:?}", Address("https://user:canary@h/".into())), "?/…");
    }
}
