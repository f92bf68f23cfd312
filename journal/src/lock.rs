//! One writer per journal: an exclusive lock on `journal.lock`, which also says who has it.
//!
//! The lock itself is the kernel's and goes with the process, however it ends; the text is for people, for the
//! reader that must know a newest segment is missing, and for recovery, which must know whether the machine
//! was restarted since.

use crate::error::JournalError;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const NAME: &str = "journal.lock";

/// The held lock; released when dropped.
pub(crate) struct Lock {
    file: File,
    /// What the last owner wrote, before this one wrote.
    pub before: Owner,
}

/// What an owner writes about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub boot: String,
    /// Newest segment that was started by creating or resuming.
    pub segment: u32,
    text: String,
}

impl Lock {
    /// Takes the lock or names the owner.
    pub fn take(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(NAME);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(JournalError::io("open", &path))?;
        let mut text = String::new();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let _ = file.read_to_string(&mut text);
                return Err(JournalError::Locked { dir: dir.to_owned(), owner: Owner::parse(text).line() });
            }
            Err(TryLockError::Error(source)) => return Err(JournalError::io("lock", &path)(source)),
        }
        file.read_to_string(&mut text).map_err(JournalError::io("read", &path))?;
        Ok(Self { file, before: Owner::parse(text) })
    }

    /// Takes the lock of a journal that is not to be changed, if it has one: no file is made and none is written.
    pub fn hold(dir: &Path) -> Result<Option<Self>, JournalError> {
        let path = dir.join(NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(JournalError::io("open", &path)(source)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, before: Owner::default() })),
            Err(TryLockError::WouldBlock) => {
                Err(JournalError::Locked { dir: dir.to_owned(), owner: Owner::read(dir).line() })
            }
            Err(TryLockError::Error(source)) => Err(JournalError::io("lock", &path)(source)),
        }
    }

    /// Writes who has it now and which segment is the newest.
    pub fn write_owner(&mut self, dir: &Path, segment: u32) -> Result<(), JournalError> {
        let path = dir.join(NAME);
        let text = format!("pid {}\nboot {}\nsegment {segment}\n", std::process::id(), boot_id());
        let mut write = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())?;
            self.file.set_len(text.len() as u64)?;
            self.file.sync_data()
        };
        write().map_err(JournalError::io("write", &path))
    }
}

/// Said to the kernel, not left to the closing of the file: a child that this process has just forked shares the lock
/// until it runs its own program.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Owner {
    /// What stands in a journal's lock file; nothing if there is none.
    pub fn read(dir: &Path) -> Self {
        fs::read_to_string(dir.join(NAME)).map(Self::parse).unwrap_or_default()
    }

    fn parse(text: String) -> Self {
        let field = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default()
        };
        Self { boot: field("boot ").to_owned(), segment: field("segment ").parse().unwrap_or(0), text }
    }

    fn line(&self) -> String {
        self.text.lines().collect::<Vec<_>>().join(", ")
    }
}

/// Changes when the machine restarts.
pub(crate) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

    use super::*;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// A child between its fork and its own program holds copies of all our files, locks included.
    #[test]
    fn a_lock_let_go_is_free_at_once_while_children_are_started() {
        let dir = tempfile::tempdir().unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
            let taken = (0..20_000).find_map(|_| Lock::take(dir.path()).err());
            is_over.store(true, Ordering::Relaxed);
            assert!(taken.is_none(), "{taken:?}");
        });
    }
}
