//! One engine per account and order path on a machine, whatever directory its journal is in.
//!
//! The journal's own lock keeps two writers out of one directory. A copied directory has a lock of its own, and two
//! engines that both believe in the same orders would send them twice; so the account is locked too, by its name and
//! the address its orders go to. The kernel lets go when the process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The account, until dropped.
pub struct AccountLock {
    file: File,
    path: PathBuf,
}

/// Why the account was not to be had.
#[derive(Debug)]
pub enum AccountError {
    /// Another engine trades on it.
    InUse {
        /// What it wrote about itself.
        owner: String,
    },
    /// The lock file.
    File(PathBuf, io::Error),
}

impl std::fmt::Display for AccountError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse { owner } => write!(f, "the account is in use by another engine ({owner})"),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl AccountLock {
    /// Takes the account `name`, a word without slashes, for the engine whose journal is `journal`.
    pub fn take(dir: &Path, name: &str, journal: &Path) -> Result<Self, AccountError> {
        let path = dir.join(format!("account-{name}.lock"));
        let fail = |error| AccountError::File(path.clone(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
        loop {
            let mut file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(fail)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    file.read_to_string(&mut owner).map_err(fail)?;
                    return Err(AccountError::InUse { owner: owner.trim().replace('\n', ", ") });
                }
                Err(TryLockError::Error(error)) => return Err(fail(error)),
            }
            // The one before us may have removed the file between our opening and locking it.
            let held = file.metadata().map_err(fail)?;
            if !fs::metadata(&path).is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino()))
            {
                continue;
            }
            let owner = format!("process {}\njournal {}\n", std::process::id(), journal.display());
            let written = file.set_len(0).and_then(|()| file.rewind());
            written.and_then(|()| file.write_all(owner.as_bytes())).map_err(fail)?;
            return Ok(Self { file, path });
        }
    }
}

/// Removed while still held: whoever opened it meanwhile finds another file, or none, under the name.
impl Drop for AccountLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

/// Where locks and sockets of this user live.
pub fn user_dir() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
    let user = || std::env::var("USER").unwrap_or_else(|_| "user".into());
    runtime.unwrap_or_else(|| std::env::temp_dir().join(format!("smc-{}", user()))).join("smc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j11_one_account_one_engine_until_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let first = AccountLock::take(dir.path(), "a", Path::new("one")).unwrap();
        let Err(AccountError::InUse { owner }) = AccountLock::take(dir.path(), "a", Path::new("copy")) else {
            panic!("two engines on one account");
        };
        assert!(owner.contains("journal one"), "{owner}");
        assert!(AccountLock::take(dir.path(), "b", Path::new("two")).is_ok());
        drop(first);
        assert!(AccountLock::take(dir.path(), "a", Path::new("copy")).is_ok());
    }
}
