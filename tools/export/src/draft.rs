//! A directory that appears whole or not at all: filled under another name beside its place, then renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory under its other name; removed with all it holds unless [`Draft::finish`] is called.
pub struct Draft {
    path: PathBuf,
    place: PathBuf,
    is_finished: bool,
}

impl Draft {
    /// Begins a directory for `place`. `Ok(None)` if something that is not an empty directory is there.
    pub fn begin(place: &Path) -> io::Result<Option<Self>> {
        if !is_free(place)? {
            return Ok(None);
        }
        let parent = match place.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let name = place.file_name().ok_or_else(|| io::Error::other("has no name"))?;
        fs::create_dir_all(parent)?;
        // Another process may be writing to the same place; one of the two will find it taken.
        let path = parent.join(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Some(Self { path, place: place.to_owned(), is_finished: false }))
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the directory in its place.
    pub fn finish(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.place)?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn is_free(place: &Path) -> io::Result<bool> {
    match fs::read_dir(place) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}
