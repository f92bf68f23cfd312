//! What people are told.

use serde::Serialize;
use smc_settings::file::SeverityWord;

/// How much it matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::Info => Self::Info,
            SeverityWord::Warning => Self::Warning,
            SeverityWord::Critical => Self::Critical,
        }
    }
}

/// Where in the life of a condition a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It began, or became worse.
    Began,
    /// It goes on and nobody has acknowledged it.
    Reminder,
    /// It is over.
    Over,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Names the condition: the same as long as it lasts, what acknowledgements name.
    pub key: String,
    /// How much it matters.
    pub severity: Severity,
    /// Of its life.
    pub phase: Phase,
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// Journal record that it rests on; none of what was seen elsewhere.
    pub seq: Option<u64>,
    /// When, in ns since the epoch, by the engine's clock where `seq` is given.
    pub at: u64,
    /// Name or address of the page that says what to do.
    pub runbook: String,
    /// How often it was raised since it began.
    pub count: u32,
    /// Which machine says so.
    pub source: String,
    /// The worst that was said of the condition so far: an end goes wherever a beginning went.
    #[serde(skip)]
    pub told: Severity,
    /// Counts the notices of this process: no two have the same.
    #[serde(skip)]
    pub number: u64,
}

impl Notice {
    /// `CRITICAL: the engine is silent`, with what it is of its life.
    pub fn headline(&self) -> String {
        let word = self.severity.word().to_uppercase();
        match self.phase {
            Phase::Began => format!("{word}: {}", self.title),
            Phase::Reminder => format!("STILL {word}: {}", self.title),
            Phase::Over => format!("OVER: {}", self.title),
        }
    }

    /// Some lines for people.
    pub fn body(&self) -> String {
        let time =
            i64::try_from(self.at / 1_000).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
        let mut lines = vec![self.text.clone()];
        if self.count > 1 {
            lines.push(format!("raised {} times", self.count));
        }
        lines.extend(time.map(|time| format!("at {time:.3}")));
        lines.extend(self.seq.map(|seq| format!("journal record {seq} (smc replay --explain {seq})")));
        if !self.runbook.is_empty() {
            lines.push(format!("what to do: {}", self.runbook));
        }
        lines.push(format!("key {}   from {}", self.key, self.source));
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}
