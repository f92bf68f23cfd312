//! A run into a journal: the records that a live engine would have written, in the same order.

use smc_backtest::simulation::{Log, Record};
use smc_core::words::TsNs;
use smc_journal::{AppendError, Header, JournalError, JournalSettings, RecordKind, SyncPolicy, Writer};
use std::path::Path;
use std::time::Duration;

/// Environment of journals that backtests write.
pub const ENVIRONMENT: &str = "backtest";

/// The writing end.
pub struct JournalLog {
    writer: Writer,
}

impl JournalLog {
    /// Begins a journal in an empty directory with the configuration's deciding text.
    pub fn create(dir: &Path, deciding_text: &str, segment_bytes: u64) -> Result<Self, JournalError> {
        let settings = JournalSettings {
            segment_bytes,
            sync: SyncPolicy::Every(Duration::from_millis(200)),
            ..JournalSettings::new(dir)
        };
        let digest = |text: &[u8]| {
            let mut digest = smc_core::digest::Digest::default();
            digest.fold(text);
            let mut out = [0; 32];
            out[..16].copy_from_slice(&digest.to_bytes());
            out
        };
        let header = Header {
            build: smc_core::build_hash(),
            config_hash: digest(deciding_text.as_bytes()),
            instruments_hash: digest(b""),
            account: String::new(),
            environment: ENVIRONMENT.into(),
        };
        let mut log = Self { writer: Writer::create(&settings, &header)? };
        let written = log.write(RecordKind::Config, TsNs(0), deciding_text.as_bytes());
        let (doing, path) = ("write the configuration to", dir.to_owned());
        written.map_err(|error| JournalError::Io { doing, path, source: std::io::Error::other(error) })?;
        Ok(log)
    }

    /// Notes where the market came from, and the exchange that stood in for the venue.
    pub fn note(&mut self, text: &str) -> Result<(), String> {
        self.write(RecordKind::Source, TsNs(0), text.as_bytes())
    }

    /// Ends it in order.
    pub fn close(self) -> Result<(), JournalError> {
        self.writer.close()
    }

    /// History is faster than a disk: a segment that is not ready yet is waited for.
    fn write(&mut self, kind: RecordKind, ts: TsNs, payload: &[u8]) -> Result<(), String> {
        loop {
            match self.writer.append(kind, ts, payload) {
                Ok(_) => return Ok(()),
                Err(AppendError::NoSegment) if self.writer.health().is_ok() => {
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(error) => return Err(format!("{error} ({})", self.writer.health())),
            }
        }
    }
}

impl Log for JournalLog {
    fn next_seq(&self) -> u64 {
        self.writer.next_seq()
    }

    fn append(&mut self, record: Record<'_>, ts: TsNs) -> Result<(), String> {
        match record {
            Record::Input(_, bytes) => self.write(RecordKind::Input, ts, bytes),
            Record::Output(bytes) => self.write(RecordKind::Output, ts, bytes),
            Record::Digest(digest) => self.write(RecordKind::Digest, ts, &digest),
        }
    }
}
