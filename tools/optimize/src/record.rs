//! The record of finished trials: one JSON object a line, only ever appended to.
//!
//! The first line says which search it is, each other one how a trial ended, in the order in which they did. A trial is on the
//! disk before the search goes on, so whoever is killed loses the trials that were running. What a kill left half written is
//! cut off when the record is opened again. Scores are kept to the bit.

use crate::outcome::Ending;
use crate::{Method, OptimizeError, Space, Subject};
use serde::{Deserialize, Serialize};
use smc_trials::Data;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The format of this build.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Search(Facts),
    Trial(Entry),
}

/// Which search it is: all that its trials depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    format: u32,
    /// Hash of the base configuration.
    pub base: String,
    /// Specs by path.
    pub space: BTreeMap<String, String>,
    /// As [`Method::identity`] says it.
    pub method: String,
    pub seed: u64,
    pub data: Data,
    pub strategy: String,
    pub version: String,
    /// As [`Evaluate::identity`](crate::Evaluate::identity) says it.
    pub evaluation: String,
    /// When it was begun; another time is no other search.
    pub begun_ns: u64,
}

impl Facts {
    pub(crate) fn new(
        space: &Space,
        method: Method,
        seed: u64,
        subject: &Subject,
        evaluation: String,
        begun_ns: u64,
    ) -> Self {
        let parameters = space.parameters().iter();
        Self {
            format: FORMAT,
            base: space.base().hash().into(),
            space: parameters.map(|one| (one.path.to_string(), one.spec.to_string())).collect(),
            method: method.identity(),
            seed,
            data: subject.data.clone(),
            strategy: subject.strategy.clone(),
            version: subject.version.clone(),
            evaluation,
            begun_ns,
        }
    }

    /// The first thing that is another one, before and now.
    fn differs(&self, now: &Self) -> Option<(&'static str, String, String)> {
        let span = |data: &Data| format!("{} from {} to {}", data.source, data.from_ns, data.to_ns);
        let pairs = [
            ("its format", self.format.to_string(), now.format.to_string()),
            ("the base configuration", self.base.clone(), now.base.clone()),
            ("the space", said(&self.space), said(&now.space)),
            ("the method", self.method.clone(), now.method.clone()),
            ("the seed", self.seed.to_string(), now.seed.to_string()),
            ("the data", span(&self.data), span(&now.data)),
            ("the strategy", self.strategy.clone(), now.strategy.clone()),
            ("the version", self.version.clone(), now.version.clone()),
            ("the evaluation", self.evaluation.clone(), now.evaluation.clone()),
        ];
        pairs.into_iter().find(|(_, before, now)| before != now)
    }
}

fn said(space: &BTreeMap<String, String>) -> String {
    let parts: Vec<String> = space.iter().map(|(path, spec)| format!("{path} = {spec}")).collect();
    parts.join("; ")
}

/// How one trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Its number, from 0.
    pub number: u64,
    /// Its parameters.
    pub point: BTreeMap<String, String>,
    pub ending: Ending,
}

/// The file, locked against a second search.
pub(crate) struct Record {
    path: PathBuf,
    file: File,
    /// When the search was begun first.
    pub begun_ns: u64,
    /// It was there before.
    pub is_resumed: bool,
}

/// A trial that was read back.
pub(crate) struct Kept {
    /// Where it stands, from 1.
    pub line: usize,
    pub entry: Entry,
}

impl Record {
    /// Begins a record, or reads the one that is there: it must be that of the same search.
    pub(crate) fn open(path: &Path, facts: &Facts) -> Result<(Self, Vec<Kept>), OptimizeError> {
        let io = |error| OptimizeError::io(path)(error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let reason = "another search is at work on it; wait for it, or choose another --out";
                return Err(io(std::io::Error::other(reason)));
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(io)?;
        file.seek(SeekFrom::End(0)).map_err(io)?;
        let mut record =
            Self { path: path.to_owned(), file, begun_ns: facts.begun_ns, is_resumed: whole > 0 };
        let mut kept = Vec::new();
        for (nth, line) in bytes[..whole].split_inclusive(|byte| *byte == b'\n').enumerate() {
            let wrong =
                |reason: String| OptimizeError::Record { path: path.to_owned(), line: nth + 1, reason };
            let line: Line = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
            match (nth, line) {
                (0, Line::Search(before)) => {
                    if let Some((what, before, now)) = before.differs(facts) {
                        return Err(OptimizeError::Another { path: path.to_owned(), what, before, now });
                    }
                    record.begun_ns = before.begun_ns;
                }
                (1.., Line::Trial(entry)) => kept.push(Kept { line: nth + 1, entry }),
                (0, _) => return Err(wrong("does not say which search it is".into())),
                _ => return Err(wrong("a second search".into())),
            }
        }
        if whole == 0 {
            record.write(&[Line::Search(facts.clone())])?;
            // The name, too, must outlive a power cut.
            let home = path.parent().filter(|home| !home.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(home).and_then(|home| home.sync_all()).map_err(OptimizeError::io(home))?;
        }
        Ok((record, kept))
    }

    /// Appends trials; on the disk when this returns.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) -> Result<(), OptimizeError> {
        let lines: Vec<Line> = entries.into_iter().map(Line::Trial).collect();
        self.write(&lines)
    }

    fn write(&mut self, lines: &[Line]) -> Result<(), OptimizeError> {
        let io = |error| OptimizeError::io(&self.path)(error);
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line).map_err(|error| io(error.into()))?;
            bytes.push(b'\n');
        }
        self.file.write_all(&bytes).map_err(io)?;
        self.file.sync_data().map_err(io)
    }
}
