//! Files with secrets: the owner's alone, or not read at all.

use smc_log::Redacted;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// More is no secret of ours.
const BYTES_MAX: u64 = 64 * 1024;

/// The text of a file that only its owner can read, without the blanks around it.
pub(crate) fn read(path: &Path) -> Result<Redacted<String>, String> {
    let found = |reason: String| format!("{}: {reason}", path.display());
    let file = std::fs::File::open(path).map_err(|error| found(error.to_string()))?;
    // Of the open file: nothing can be put in its place between a look and the reading.
    let about = file.metadata().map_err(|error| found(error.to_string()))?;
    if about.mode() & 0o077 != 0 {
        return Err(found(format!("mode {:o}: others may read it; chmod 600", about.mode() & 0o777)));
    }
    let us = rustix::process::geteuid().as_raw();
    if about.uid() != us && about.uid() != 0 {
        return Err(found(format!("belongs to user {}, not to us ({us})", about.uid())));
    }
    if !about.is_file() || about.len() > BYTES_MAX {
        return Err(found("not a file with a secret".into()));
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut &file, &mut text).map_err(|error| found(error.to_string()))?;
    match text.trim() {
        "" => Err(found("empty".into())),
        trimmed => Ok(Redacted::new(trimmed.to_owned())),
    }
}
