//! A log file that is renamed when it is full: `smc.log`, `smc.log.1`, … `smc.log.N`, the oldest last.
//!
//! Runs on the writer's thread. Does not wait for the disk to keep anything.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Which file, and when it is renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The file that is written.
    pub path: PathBuf,
    /// Bytes it may have.
    pub bytes_max: u64,
    /// Older files that are kept; 0 keeps none.
    pub files: u32,
}

impl Rotation {
    /// The `nth` older file.
    pub fn older(&self, nth: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{nth}"));
        name.into()
    }
}

/// The open file.
pub(crate) struct LogFile {
    rotation: Rotation,
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Goes on with what is there. Made for its owner alone.
    pub fn open(rotation: Rotation) -> io::Result<Self> {
        let (file, bytes) = append_to(&rotation.path)?;
        Ok(Self { rotation, file, bytes })
    }

    /// Another hand has renamed the file: go on in a new one.
    pub fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.bytes) = append_to(&self.rotation.path)?;
        Ok(())
    }

    /// Writes a whole line.
    pub fn write(&mut self, line: &str) -> io::Result<()> {
        let len = line.len() as u64;
        if self.bytes > 0 && self.bytes.saturating_add(len) > self.rotation.bytes_max {
            // What cannot be renamed grows on: a line is worth more than a limit.
            let _ = self.rotate();
        }
        self.file.write_all(line.as_bytes())?;
        self.bytes = self.bytes.saturating_add(len);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let Rotation { path, files, .. } = &self.rotation;
        if *files == 0 {
            fs::remove_file(path)?;
        } else {
            for nth in (1..*files).rev() {
                match fs::rename(self.rotation.older(nth), self.rotation.older(nth + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            fs::rename(path, self.rotation.older(1))?;
        }
        self.reopen()
    }
}

fn append_to(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_full_file_is_renamed_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { path: dir.path().join("smc.log"), bytes_max: 20, files: 2 };
        let mut file = LogFile::open(rotation.clone()).unwrap();
        for nth in 0..10 {
            file.write(&format!("line {nth}..\n")).unwrap();
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&rotation.path), "line 8..\nline 9..\n");
        assert_eq!(read(&rotation.older(1)), "line 6..\nline 7..\n");
        assert_eq!(read(&rotation.older(2)), "line 4..\nline 5..\n");
        assert!(!rotation.older(3).exists());
        assert_eq!(fs::metadata(&rotation.path).unwrap().permissions().mode() & 0o777, 0o600);
        // A line longer than the file may be is written whole.
        file.write(&"x".repeat(50)).unwrap();
        assert_eq!(read(&rotation.path).len(), 50);
    }

    #[test]
    fn another_hand_may_rename_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { path: dir.path().join("smc.log"), bytes_max: 1_000, files: 1 };
        let mut file = LogFile::open(rotation.clone()).unwrap();
        file.write("before\n").unwrap();
        fs::rename(&rotation.path, dir.path().join("moved")).unwrap();
        file.write("still there\n").unwrap();
        file.reopen().unwrap();
        file.write("after\n").unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("moved")).unwrap(), "before\nstill there\n");
        assert_eq!(fs::read_to_string(&rotation.path).unwrap(), "after\n");
    }
}
