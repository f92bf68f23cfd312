//! `[process] log…` made into the log of this process.

use crate::failure::Failure;
use smc_log::{Form, Handle, Level, Rotation, Settings, Sink};
use smc_runtime::config::{LevelWord, LogWord, ProcessSection};
use std::sync::OnceLock;
use std::time::Duration;

/// How long the end of the process waits for lines that are not written yet.
pub const PATIENCE: Duration = Duration::from_millis(500);
/// MiB of a log file unless the configuration says otherwise.
const FILE_MIB: u64 = 64;
/// Older log files likewise.
const FILES: u32 = 5;

/// Form of the log, and whether it is a file.
static CHOSEN: OnceLock<(Form, bool)> = OnceLock::new();

/// For commands without a configuration of it: lines for people on standard error.
pub fn start_plain() {
    // Only a second log could be refused, and then there is a first.
    let _ = smc_log::init(Settings::default());
}

/// Sets the level of a running log: 1 (error) to 5 (trace), as the control socket counts them.
pub fn set_level(number: u8) {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let level = usize::from(number).checked_sub(1).and_then(|at| levels.get(at));
    if let (Some(handle), Some(level)) = (smc_log::handle(), level) {
        handle.set_level(*level);
        tracing::warn!(%level, "the level of the log was changed");
    }
}

/// As `[process]` wants it.
pub fn start(process: &ProcessSection) -> Result<Handle, Failure> {
    let settings = settings(process);
    let chosen = (settings.form, matches!(settings.sink, Sink::File(_)));
    let handle = smc_log::init(settings).map_err(|error| Failure::Wrong(error.to_string()))?;
    CHOSEN.get_or_init(|| chosen);
    Ok(handle)
}

fn settings(process: &ProcessSection) -> Settings {
    let form = match process.log.unwrap_or(LogWord::Human) {
        LogWord::Human => Form::Human,
        LogWord::Json => Form::Json,
    };
    let level = match process.log_level.unwrap_or(LevelWord::Info) {
        LevelWord::Error => Level::ERROR,
        LevelWord::Warn => Level::WARN,
        LevelWord::Info => Level::INFO,
        LevelWord::Debug => Level::DEBUG,
        LevelWord::Trace => Level::TRACE,
    };
    let sink = match &process.log_file {
        None => Sink::Stderr,
        Some(path) => Sink::File(Rotation {
            path: path.clone(),
            bytes_max: process.log_file_mib.unwrap_or(FILE_MIB).max(1).saturating_mul(1 << 20),
            files: process.log_files.unwrap_or(FILES),
        }),
    };
    Settings { form, level, sink, ..Settings::default() }
}

/// Says in the log why the command failed, and leaves of the failure what standard error still has to be told: nothing where
/// the log is JSON there, for a reader of JSON lines reads no others.
pub fn told(failure: Failure) -> Failure {
    let Some(&(form, is_file)) = CHOSEN.get() else { return failure };
    if form == Form::Human && !is_file {
        return failure;
    }
    let (reason, silent) = match &failure {
        Failure::No(reason) => (reason, Failure::No(String::new())),
        Failure::Wrong(reason) => (reason, Failure::Wrong(String::new())),
    };
    tracing::error!(%reason, "ended");
    if is_file { failure } else { silent }
}
