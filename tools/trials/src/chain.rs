//! The chain: lines in, entries and a head out. Pure.

use crate::LedgerError;
use crate::entry::{Entry, FORMAT, Format};
use std::fmt;
use std::str::FromStr;

/// Longest line, with its end.
pub const LINE_MAX: usize = 65_536;
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// How many entries a ledger has, and the hash of the last one: who knows it knows them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries, the first line too.
    pub entries: u64,
    /// 64 hexadecimal digits.
    pub hash: String,
}

impl Head {
    /// Before the first entry.
    pub(crate) fn start() -> Self {
        Self { entries: 0, hash: "0".repeat(DIGITS) }
    }

    /// The line of an entry after this head, and the head after it.
    pub(crate) fn line(&self, entry: &Entry) -> Result<(String, Self), LedgerError> {
        let refused = |reason: String| LedgerError::Entry { reason };
        if let Entry::Trial(trial) = entry
            && trial.score.is_some_and(|score| !score.is_finite())
        {
            return Err(refused("the score is not a finite number".into()));
        }
        let json = serde_json::to_string(entry).map_err(|error| refused(error.to_string()))?;
        let next = self.after(&json);
        let line = format!("{} {json}\n", next.hash);
        if line.len() > LINE_MAX {
            return Err(refused(format!("{} bytes, at most {LINE_MAX} are kept", line.len())));
        }
        Ok((line, next))
    }

    fn after(&self, json: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.hash.as_bytes()).update(b" ").update(json.as_bytes());
        Self { entries: self.entries + 1, hash: hasher.finalize().to_hex().to_string() }
    }
}

/// As the file beside the ledger says it.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entries, self.hash)
    }
}

impl FromStr for Head {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let head = text.split_once(' ').and_then(|(entries, hash)| {
            let is_hash =
                hash.len() == DIGITS && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            Some(Self { entries: entries.parse().ok()?, hash: is_hash.then(|| hash.to_owned())? })
        });
        // One way to write a head, so that a changed one is another one.
        let is_plain = |head: &Self| head.to_string() == text;
        let reason = || LedgerError::Head { reason: "not a count and a hash".into() };
        head.filter(is_plain).ok_or_else(reason)
    }
}

/// A ledger's text, checked from the first line to the last.
#[derive(Debug)]
pub struct Checked {
    /// All entries, the first line too.
    pub entries: Vec<Entry>,
    /// Heads after each of them.
    pub heads: Vec<Head>,
    /// Bytes of whole lines.
    pub whole: usize,
}

impl Checked {
    /// Of bytes that may end in half a line, which is not looked at.
    pub fn new(bytes: &[u8]) -> Result<Self, LedgerError> {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let (mut entries, mut heads) = (Vec::new(), Vec::new());
        let mut head = Head::start();
        for line in bytes[..whole].split_inclusive(|byte| *byte == b'\n') {
            let entry = read(line, &mut head)?;
            match (&entry, head.entries) {
                (Entry::Ledger(Format { format: FORMAT }), 1) => {}
                (Entry::Ledger(Format { format }), 1) => return Err(LedgerError::Format { found: *format }),
                (Entry::Ledger(_), line) | (_, line @ 1) => return Err(LedgerError::NotALedger { line }),
                _ => {}
            }
            entries.push(entry);
            heads.push(head.clone());
        }
        Ok(Self { entries, heads, whole })
    }

    /// The head after the last entry.
    pub fn head(&self) -> Head {
        self.heads.last().cloned().unwrap_or_else(Head::start)
    }

    /// Is this the ledger that had `known` as its head once?
    pub fn continues(&self, known: &Head) -> Result<(), LedgerError> {
        let Some(nth) = usize::try_from(known.entries).ok().and_then(|entries| entries.checked_sub(1)) else {
            return Err(LedgerError::Head { reason: "says no entries".into() });
        };
        match self.heads.get(nth) {
            Some(head) if head == known => Ok(()),
            Some(_) => Err(LedgerError::Rewritten { line: known.entries }),
            None => Err(LedgerError::Truncated { has: self.heads.len() as u64, had: known.entries }),
        }
    }
}

/// One whole line; moves the head on.
fn read(line: &[u8], head: &mut Head) -> Result<Entry, LedgerError> {
    let number = head.entries + 1;
    let wrong = |reason: String| LedgerError::Line { line: number, reason };
    if line.len() > LINE_MAX {
        return Err(wrong(format!("longer than {LINE_MAX} bytes")));
    }
    let text = std::str::from_utf8(line).map_err(|error| wrong(error.to_string()))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (hash, json) = text.split_once(' ').ok_or_else(|| wrong("not a hash and an entry".into()))?;
    let next = head.after(json);
    if hash != next.hash {
        return Err(LedgerError::Chain { line: number });
    }
    *head = next;
    serde_json::from_str(json).map_err(|error| wrong(error.to_string()))
}
