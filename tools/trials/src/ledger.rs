//! The file: opened, checked, appended to.

use crate::chain::{Checked, Head};
use crate::entry::{Entry, FORMAT, Format, HoldOut, Mended, Trial};
use crate::{HoldOutError, LedgerError};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A ledger whose every line holds, locked against other writers while it is there.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    checked: Checked,
}

impl Ledger {
    /// Opens and checks a ledger, or begins one where there is no file. Waits for other writers to finish.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let (mut ledger, torn) = Self::load(path)?;
        if !torn.is_empty() {
            let line = ledger.checked.entries.len() as u64 + 1;
            return Err(LedgerError::Torn { line, bytes: torn.len() as u64 });
        }
        if ledger.checked.entries.is_empty() {
            ledger.begin()?;
        } else if ledger.head_on_disk()?.is_none_or(|head| head != ledger.head()) {
            // A crash between the two writes; the chain said that it goes on from there.
            ledger.write_head()?;
        }
        Ok(ledger)
    }

    /// Checks a ledger without changing or locking it. `known` is a head that was kept elsewhere, in a signed report,
    /// say: who can write both files can cut both back, and only such a head shows it.
    pub fn verify(path: &Path, known: Option<&Head>) -> Result<Head, LedgerError> {
        let bytes = fs::read(path)?;
        let checked = Checked::new(&bytes)?;
        let head = read_head(path)?;
        for known in head.iter().chain(known) {
            checked.continues(known)?;
        }
        if checked.whole < bytes.len() {
            let bytes = (bytes.len() - checked.whole) as u64;
            return Err(LedgerError::Torn { line: checked.entries.len() as u64 + 1, bytes });
        }
        match (checked.entries.len(), head) {
            (0, _) => Err(LedgerError::NotALedger { line: 1 }),
            (2.., None) => Err(LedgerError::Head { reason: "missing".into() }),
            _ => Ok(checked.head()),
        }
    }

    /// Cuts off a line that a crash left half written, and says so in the ledger. A whole ledger stays as it is.
    pub fn mend(path: &Path, at_ns: u64) -> Result<Self, LedgerError> {
        let (mut ledger, torn) = Self::load(path)?;
        if torn.is_empty() {
            drop(ledger);
            return Self::open(path);
        }
        ledger.file.set_len(ledger.checked.whole as u64)?;
        if ledger.checked.entries.is_empty() {
            ledger.begin()?;
        }
        let hash = blake3::hash(&torn).to_hex().to_string();
        ledger.append(Entry::Mended(Mended { at_ns, bytes: torn.len() as u64, hash }))?;
        Ok(ledger)
    }

    /// The file, locked, its whole lines checked against the chain and the head; and what is behind them.
    fn load(path: &Path) -> Result<(Self, Vec<u8>), LedgerError> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let checked = Checked::new(&bytes)?;
        let torn = bytes.split_off(checked.whole);
        let ledger = Self { path: path.to_owned(), file, checked };
        match ledger.head_on_disk()? {
            Some(head) => ledger.checked.continues(&head)?,
            // Only a ledger that was just begun has none yet.
            None if ledger.checked.entries.len() > 1 => {
                return Err(LedgerError::Head { reason: "missing".into() });
            }
            None => {}
        }
        Ok((ledger, torn))
    }

    /// Appends one trial; on the disk when this returns.
    pub fn record(&mut self, trial: Trial) -> Result<Head, LedgerError> {
        self.append(Entry::Trial(trial))
    }

    /// Opens the hold-out of a version: once, and once for all versions where the data is the same. The opening is on the disk when
    /// this returns, and so is a refusal.
    pub fn open_hold_out(&mut self, asked: HoldOut) -> Result<Head, HoldOutError> {
        match self.opened_before(&asked).map(|opened| opened.at_ns) {
            Some(at_ns) => {
                self.append(Entry::HoldOutRefused(asked))?;
                Err(HoldOutError::Opened { at_ns })
            }
            None => Ok(self.append(Entry::HoldOutOpened(asked))?),
        }
    }

    /// The opening that forbids this one: of the same version, whatever it calls itself, or of data that [`HoldOut::has_seen`] says
    /// it shares. Another name or one more comment in a configuration makes no data unseen again.
    pub fn opened_before(&self, asked: &HoldOut) -> Option<&HoldOut> {
        let opened = self.checked.entries.iter().filter_map(|entry| match entry {
            Entry::HoldOutOpened(opened) => Some(opened),
            _ => None,
        });
        let mut opened = opened.filter(|opened| {
            opened.version == asked.version || asked.has_seen(&opened.strategy, &opened.data)
        });
        opened.next()
    }

    /// Trials that looked at what should be kept back.
    pub fn seen_before<'a>(&'a self, asked: &'a HoldOut) -> impl Iterator<Item = &'a Trial> {
        self.checked.entries.iter().filter_map(|entry| match entry {
            Entry::Trial(trial) if asked.has_seen(&trial.strategy, &trial.data) => Some(trial),
            _ => None,
        })
    }

    /// The trials of a strategy, all versions: the count that the deflated Sharpe ratio needs.
    pub fn trials<'a>(&'a self, strategy: &'a str) -> impl Iterator<Item = &'a Trial> {
        self.checked.entries.iter().filter_map(move |entry| match entry {
            Entry::Trial(trial) if trial.strategy == strategy => Some(trial),
            _ => None,
        })
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.checked.entries
    }

    /// To be kept elsewhere, in every report.
    pub fn head(&self) -> Head {
        self.checked.head()
    }

    /// The first line; the name of the file reaches the disk, too.
    fn begin(&mut self) -> Result<(), LedgerError> {
        self.append(Entry::Ledger(Format { format: FORMAT }))?;
        let home = self.path.parent().filter(|home| !home.as_os_str().is_empty());
        Ok(File::open(home.unwrap_or(Path::new(".")))?.sync_all()?)
    }

    fn append(&mut self, entry: Entry) -> Result<Head, LedgerError> {
        let (line, head) = self.head().line(&entry)?;
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.checked.entries.push(entry);
        self.checked.heads.push(head.clone());
        self.checked.whole += line.len();
        self.write_head()?;
        Ok(head)
    }

    fn head_on_disk(&self) -> Result<Option<Head>, LedgerError> {
        read_head(&self.path)
    }

    /// Replaced as a whole: there is the old head or the new one, never half of one.
    fn write_head(&self) -> Result<(), LedgerError> {
        let (path, fresh) = (beside(&self.path, "head"), beside(&self.path, "head.new"));
        let mut file = File::create(&fresh)?;
        file.write_all(format!("{}\n", self.head()).as_bytes())?;
        file.sync_data()?;
        Ok(fs::rename(&fresh, &path)?)
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn read_head(path: &Path) -> Result<Option<Head>, LedgerError> {
    let text = match fs::read_to_string(beside(path, "head")) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LedgerError::Head { reason: error.to_string() }),
    };
    let line = text.strip_suffix('\n').ok_or_else(|| LedgerError::Head { reason: "has no end".into() })?;
    line.parse().map(Some)
}
